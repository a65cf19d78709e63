/* trigger.c - triggers at work (spec 10 section 1): each firing puts one event into the trigger's stream,
 * stamped with the clock.
 *
 * Laws: (1) triggers begin in order of definition, and those due at one moment fire in that order: 'every'
 * keeps the place of its first request; (2) they have no scheduler, so they go by the task clock, in
 * playback too; (3) 'start' fires when the app starts, not when it resumes; the phase of the others is
 * state; (4) what passes counts, not what the host's clock shows: when that is set, 'every' waits for the rest
 * of its interval, and what a time would have fired that the app did not live through is not made up. */
#include "engine/run/trigger.h"
#include "engine/base/cron.h"
#include "engine/run/app.h"
#include <ctype.h>
#include <strings.h>

struct trigger {
    struct op op;
    const struct plan_trigger *plan;
    enum trigger_kind kind;
    struct cron cron;
    int64_t next_ms; /* the pending firing */
    bool is_asked;
};

bool trigger_is_start(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    if (strncasecmp(at, "start", 5) != 0)
        return false;
    at += 5;
    while (isspace((unsigned char)*at))
        at++;
    return *at == '\0';
}

static void trigger_fire(struct trigger *t)
{
    struct app *app = op_app(&t->op);
    int64_t now_ms = op_now(&t->op);
    /* Input can be made to wait, time can't. */
    if (UNLIKELY(mem_is_over(0))) {
        mem_account->refused++;
        if (app->host.failure)
            app->host.failure(app->host.user, (uint32_t)t->plan->stream->number,
                              "the trigger does not fire: the app holds all of its share of memory");
        return;
    }
    app_enter(app);
    struct row *row = row_new(1, now_ms);
    row_set(row, 0, value_long(now_ms));
    struct event e = {.row = row, .at_ms = now_ms, .kind = EVENT_CURRENT};
    struct batch b = {.events = &e, .count = 1, .cap = 1, .scratch = &app->scratch};
    stream_publish(app->streams[t->plan->stream->number], &b);
    row_unref(row);
    app_leave(app);
}

static void ask_cron(struct trigger *t, int64_t after_ms)
{
    t->next_ms = cron_next(&t->cron, after_ms);
    t->is_asked = t->next_ms >= 0;
    if (t->is_asked)
        timer_request(&t->op, t->next_ms);
}

static int trigger_due(struct op *op, int64_t due_ms)
{
    struct trigger *t = (struct trigger *)op;
    if (t->kind == TRIGGER_CRON) {
        ask_cron(t, due_ms);
    } else {
        t->next_ms = (int64_t)((uint64_t)due_ms + (uint64_t)t->plan->definition->every_ms);
        timer_repeat(op, t->next_ms);
    }
    trigger_fire(t);
    return 0;
}

static void trigger_save(const struct op *op, struct writer *w)
{
    const struct trigger *t = (const struct trigger *)op;
    write_tag(w, t->plan->definition->id.text);
    write_u8(w, t->is_asked);
    write_i64(w, t->next_ms);
}

static int trigger_load(struct op *op, struct reader *r)
{
    struct trigger *t = (struct trigger *)op;
    if (!read_tag(r, t->plan->definition->id.text))
        return ERR_STATE;
    t->is_asked = read_u8(r);
    t->next_ms = read_i64(r);
    if (r->failed)
        return ERR_STATE;
    timer_cancel(op);
    if (t->is_asked)
        timer_request(op, t->next_ms);
    return 0;
}

static const struct op_type op_trigger = {
    .name = "trigger",
    .size = sizeof(struct trigger),
    .due = trigger_due,
    .save = trigger_save,
    .load = trigger_load,
};
static const struct op_plan trigger_plan = {.type = &op_trigger, .scheduler = -1};

struct op *trigger_new(struct app *app, const struct plan_trigger *plan)
{
    struct trigger *t = (struct trigger *)op_new(app, &trigger_plan, NULL);
    const struct ast_definition *def = plan->definition;
    t->plan = plan;
    t->kind = !def->at ? TRIGGER_EVERY : trigger_is_start(def->at) ? TRIGGER_START : TRIGGER_CRON;
    return &t->op;
}

static int trigger_begin(struct trigger *t, bool resume, struct err *e)
{
    const struct ast_definition *def = t->plan->definition;
    int64_t now_ms = op_task_now(&t->op);
    struct err why = {0};
    switch (t->kind) {
    case TRIGGER_START:
        if (!resume)
            trigger_fire(t);
        break;
    case TRIGGER_EVERY:
        if (def->every_ms <= 0)
            return err_set(e, ERR_INVALID, "trigger '%s': its time must be above 0", def->id.text);
        t->is_asked = true;
        t->next_ms = (int64_t)((uint64_t)now_ms + (uint64_t)def->every_ms);
        timer_request(&t->op, t->next_ms);
        break;
    case TRIGGER_CRON:
        if (cron_parse(&t->cron, def->at, &why) < 0)
            return err_set(e, ERR_INVALID, "trigger '%s': %.400s", def->id.text, why.text);
        ask_cron(t, now_ms);
        break;
    }
    return 0;
}

/* ---- the host's clock was set, or the app was away ---- */

static void move(struct trigger *t, int64_t next_ms)
{
    t->next_ms = next_ms;
    timer_move(&t->op, next_ms);
}

void app_shift(struct app *app, int64_t by_ms)
{
    for (int i = 0; i < app->trigger_count; i++) {
        struct trigger *t = (struct trigger *)app->triggers[i];
        if (t->kind == TRIGGER_EVERY && t->is_asked)
            move(t, (int64_t)((uint64_t)t->next_ms + (uint64_t)by_ms));
    }
    heartbeat_shift(app, by_ms);
}

/* The pending firing is missed. */
static void skip(struct trigger *t, int64_t now_ms)
{
    if (t->kind == TRIGGER_EVERY) {
        int64_t every_ms = t->plan->definition->every_ms;
        move(t, moment_before(t->next_ms, every_ms, now_ms + 1) + every_ms);
        return;
    }
    timer_cancel(&t->op);
    ask_cron(t, now_ms);
}

void app_skip(struct app *app, int64_t now_ms)
{
    for (int i = 0; i < app->trigger_count; i++) {
        struct trigger *t = (struct trigger *)app->triggers[i];
        if (t->is_asked && t->next_ms <= now_ms)
            skip(t, now_ms);
    }
}

bool app_has_triggers(const struct app *app)
{
    return app->trigger_count > 0 || app->heartbeat;
}

int64_t app_next_shifted(const struct app *app)
{
    int64_t next_ms = heartbeat_next(app);
    for (int i = 0; i < app->trigger_count; i++) {
        const struct trigger *t = (const struct trigger *)app->triggers[i];
        if (t->kind == TRIGGER_EVERY && t->is_asked && t->next_ms < next_ms)
            next_ms = t->next_ms;
    }
    return next_ms;
}

int trigger_start(struct app *app, bool resume, struct err *e)
{
    for (int i = 0; i < app->trigger_count; i++) {
        int rc = trigger_begin((struct trigger *)app->triggers[i], resume, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}
