/* step.c - see step.h. */
#include "agent/step.h"
#include "agent/clock.h"
#include "agent/hosted.h"
#include "agent/metrics.h"
#include "agent/turn.h"
#include "engine/base/log.h"

/* ---- what the app is told, noted before ---- */

static void shift(struct hosted *h, int64_t by_ms)
{
    if (!by_ms || !app_has_triggers(h->app))
        return;
    if (h->durable) {
        durable_note_shift(h->durable, by_ms);
        commit_note(&h->worker->commit, 1);
    }
    hosted_work_shift(h, by_ms);
}

static void skip(struct hosted *h, int64_t now_ms)
{
    if (!app_has_triggers(h->app))
        return;
    if (h->durable) {
        durable_note_skip(h->durable, now_ms);
        commit_note(&h->worker->commit, 1);
    }
    hosted_work_skip(h, now_ms);
}

static bool may_work(const struct hosted *h)
{
    return !h->is_blocked && !worker_is_held(h->worker, h);
}

static void advance(struct hosted *h, int64_t now_ms)
{
    hosted_advance(h, now_ms);
    if (!h->durable)
        hosted_flush(h);
}

/* ---- an app that stands ---- */

static int64_t stood_ms(const struct hosted *h)
{
    return h->stood_us / 1000;
}

static void tell_stood(struct hosted *h, int64_t gone_ms)
{
    int64_t by_ms = gone_ms - stood_ms(h);
    h->stood_us %= 1000;
    shift(h, by_ms);
}

/* Until its next trigger, or INT64_MAX. */
static int64_t left_ms(const struct hosted *h)
{
    int64_t next_ms = app_next_shifted(h->app);
    return next_ms == INT64_MAX ? INT64_MAX : next_ms - app_task_now(h->app) - stood_ms(h);
}

static void stand(struct hosted *h, int64_t wall_ms, bool is_step)
{
    int64_t at_ms = app_task_now(h->app);
    if (wall_ms >= at_ms) {
        tell_stood(h, wall_ms - at_ms);
        if (is_step)
            skip(h, wall_ms);
        h->stands = false;
    } else if (left_ms(h) <= 0 && may_work(h)) {
        if (hosted_is_full(h)) {
            h->is_blocked = true;
            return;
        }
        tell_stood(h, 0);
        advance(h, at_ms);
    }
}

int64_t step_due(const struct worker *w, const struct hosted *h)
{
    int64_t due_ms = app_next_due(h->app), left = h->stands ? left_ms(h) : INT64_MAX;
    if (left == INT64_MAX)
        return due_ms;
    int64_t at_ms = w->wall_ms + (left > 0 ? left : 0);
    return at_ms < due_ms ? at_ms : due_ms;
}

/* ---- much to catch up ---- */

enum { SLICE_LEAST_MS = 60 * 1000, SLICE_QUICK_US = 20000, SLICE_SLOW_US = 100000 };

static int64_t slice_end(const struct hosted *h)
{
    int64_t from_ms = app_next_due(h->app), at_ms = app_task_now(h->app);
    if (from_ms == INT64_MAX)
        return from_ms;
    from_ms = from_ms < at_ms ? at_ms : from_ms;
    return from_ms + (h->slice_ms < SLICE_LEAST_MS ? SLICE_LEAST_MS : h->slice_ms);
}

bool step_lags(const struct hosted *h, int64_t now_ms)
{
    return slice_end(h) < now_ms;
}

/* In most of what lies behind a long gap nothing happens: slices grow as long as they are quick. */
void step_advance(struct hosted *h, int64_t now_ms)
{
    int64_t end_ms = slice_end(h);
    if (end_ms >= now_ms) {
        hosted_advance(h, now_ms);
        return;
    }
    int64_t from_us = clock_steady_us();
    hosted_advance(h, end_ms);
    int64_t took_us = clock_steady_us() - from_us;
    h->slice_ms = h->slice_ms < SLICE_LEAST_MS ? SLICE_LEAST_MS : h->slice_ms;
    if (took_us < SLICE_QUICK_US && h->slice_ms < now_ms - end_ms)
        h->slice_ms *= 2;
    else if (took_us > SLICE_SLOW_US)
        h->slice_ms /= 2;
}

/* ---- a step ---- */

/* expected_ms: what the clock would show. What is due by then comes as ever. */
static void step(struct hosted *h, int64_t expected_ms, int64_t wall_ms)
{
    if (app_next_due(h->app) <= expected_ms && may_work(h))
        advance(h, expected_ms);
    int64_t at_ms = app_task_now(h->app);
    h->stands = wall_ms < at_ms;
    h->stood_us = 0;
    shift(h, (h->stands ? at_ms : wall_ms) - expected_ms);
    if (wall_ms > expected_ms)
        skip(h, wall_ms);
}

static void tell(int64_t step_ms)
{
    metrics_add(&metrics.clock_steps, 1);
    if (step_ms > 0)
        log_write(
            LOG_WARN, "agent",
            "the clock was set on by %.1f s: triggers go on from now, what they would have fired is not "
            "made up; all other timers fire",
            (double)step_ms / 1000);
    else
        log_write(
            LOG_WARN, "agent",
            "the clock was set back by %.1f s: the apps' time stands until it has caught up; triggers of "
            "a period go on",
            (double)-step_ms / 1000);
}

void step_look(struct worker *w)
{
    int64_t now_us = clock_steady_us(), wall_ms = clock_wall_ms();
    int64_t passed_us = now_us - w->looked_us, expected_ms = w->wall_ms + passed_us / 1000;
    int64_t step_ms = wall_ms - expected_ms;
    bool is_step = step_ms > STEP_LEAST_MS || step_ms < -STEP_LEAST_MS;
    w->wall_ms = wall_ms;
    w->looked_us = now_us;
    for (struct hosted *h = w->apps; h; h = h->next) {
        if (h->stands) {
            h->stood_us += passed_us;
            stand(h, wall_ms, is_step);
        } else if (is_step) {
            step(h, expected_ms, wall_ms);
        }
    }
    if (!is_step)
        return;
    w->due_ms = INT64_MIN;
    if (w->number == 0)
        tell(step_ms);
}

void step_message(struct worker *w, int64_t at_ms)
{
    if (at_ms - w->wall_ms > STEP_LEAST_MS)
        step_look(w);
}

void step_resume(struct hosted *h)
{
    int64_t wall_ms = clock_wall_ms(), at_ms = app_task_now(h->app), ahead_ms = at_ms - wall_ms;
    h->stands = ahead_ms > 0;
    if (!h->stands && app_next_due(h->app) <= wall_ms)
        skip(h, wall_ms);
    if (ahead_ms > STEP_LEAST_MS)
        log_write(LOG_WARN, h->log_name,
                  "its time is %.1f s ahead of the computer's clock: it stands until that has caught up; "
                  "triggers of a period go on",
                  (double)ahead_ms / 1000);
    else if (-ahead_ms > STEP_LEAST_MS)
        log_write(LOG_INFO, h->log_name,
                  "its time goes on by %.1f s: triggers do not make up what lies between",
                  (double)-ahead_ms / 1000);
}
