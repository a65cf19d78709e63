/* heartbeat.c - @app:playback(idle.time, increment): time passes although no event comes (spec 10 section 2).
 *
 * Laws: (1) it begins when the clock is set for the first time, by an event or by the start; (2) at each beat
 * it looks how long ago the clock was set, by the task clock: idle.time or longer, and the clock goes on by
 * increment, which sets it; else the next beat is when idle.time will be over; (3) setting the clock to what
 * it shows counts, an event that is older than the clock does not; (4) beats that a host missed, for it was
 * away, come as one; (5) while the task clock stands for the host's was set back, what passes counts. */
#include "engine/run/app.h"

struct heartbeat {
    struct op op;
    int64_t since_ms; /* the clock was set then */
    int64_t next_ms;
    bool beats; /* next_ms was asked for */
};

static void ask(struct heartbeat *h, int64_t from_ms)
{
    int64_t idle_ms = op_app(&h->op)->plan->idle_ms;
    h->next_ms = from_ms > INT64_MAX - idle_ms ? INT64_MAX : from_ms + idle_ms;
    h->beats = true;
    timer_request(&h->op, h->next_ms);
}

void heartbeat_stir(struct app *app)
{
    struct heartbeat *h = (struct heartbeat *)app->heartbeat;
    if (LIKELY(!h))
        return;
    h->since_ms = app->until_ms;
    if (!h->beats)
        ask(h, h->since_ms);
}

static int heartbeat_due(struct op *op, int64_t due_ms)
{
    struct heartbeat *h = (struct heartbeat *)op;
    struct app *app = op_app(op);
    (void)due_ms;
    h->beats = false;
    if ((int64_t)((uint64_t)app->task_ms - (uint64_t)h->since_ms) >= app->plan->idle_ms)
        timers_move(app, (int64_t)((uint64_t)app->env.now_ms + (uint64_t)app->plan->increment_ms));
    else
        ask(h, h->since_ms);
    return 0;
}

static const struct op_type op_heartbeat = {
    .name = "heartbeat", .size = sizeof(struct heartbeat), .due = heartbeat_due};
static const struct op_plan heartbeat_plan = {.type = &op_heartbeat, .scheduler = -1};

struct op *heartbeat_new(struct app *app)
{
    return op_new(app, &heartbeat_plan, NULL);
}

void heartbeat_shift(struct app *app, int64_t by_ms)
{
    struct heartbeat *h = (struct heartbeat *)app->heartbeat;
    if (!h || !h->beats || by_ms > 0) /* law 4 */
        return;
    h->since_ms = (int64_t)((uint64_t)h->since_ms + (uint64_t)by_ms);
    h->next_ms = (int64_t)((uint64_t)h->next_ms + (uint64_t)by_ms);
    timer_move(&h->op, h->next_ms);
}

int64_t heartbeat_next(const struct app *app)
{
    const struct heartbeat *h = (const struct heartbeat *)app->heartbeat;
    return h && h->beats ? h->next_ms : INT64_MAX;
}

void heartbeat_save(const struct app *app, struct writer *w)
{
    const struct heartbeat *h = (const struct heartbeat *)app->heartbeat;
    write_i64(w, app->task_ms);
    write_u8(w, h && h->beats);
    write_i64(w, h ? h->since_ms : 0);
    write_i64(w, h ? h->next_ms : 0);
}

int heartbeat_load(struct app *app, struct reader *r)
{
    struct heartbeat *h = (struct heartbeat *)app->heartbeat;
    int64_t task_ms = read_i64(r);
    bool beats = read_u8(r) != 0;
    int64_t since_ms = read_i64(r), next_ms = read_i64(r);
    if (r->failed)
        return ERR_STATE;
    if (app->playback)
        app->task_ms = app->until_ms = task_ms;
    if (!h)
        return 0;
    timer_cancel(&h->op);
    h->beats = beats;
    h->since_ms = since_ms;
    h->next_ms = next_ms;
    if (beats)
        timer_request(&h->op, next_ms);
    return 0;
}
