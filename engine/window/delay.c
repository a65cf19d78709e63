/* delay.c - window.delay(span): events come out span later, as current (spec 04 section 2.11).
 *
 * Laws: (1) rows leave from the front, the first that is not due stops this; (2) they are stamped with the
 * moment they leave; (3) only an event newer than all before it asks for a timer. */
#include "engine/window/window.h"

struct delay_plan {
    struct op_plan op;
    int64_t span_ms;
};
struct delay {
    struct op op;
    struct queue rows;
    int64_t newest_ms;
    struct dues dues;
};

static const struct delay_plan *plan_of(const struct op *op)
{
    return (const struct delay_plan *)(const void *)op->plan;
}

static void delay_open(struct op *op)
{
    ((struct delay *)op)->newest_ms = INT64_MIN;
}

static void release(struct delay *w, struct batch *b)
{
    int64_t now_ms = op_now(&w->op), span_ms = plan_of(&w->op)->span_ms;
    while (w->rows.count && time_is_due(queue_at(&w->rows, 0)->at_ms, span_ms, now_ms))
        batch_add(b, queue_take(&w->rows), now_ms, EVENT_CURRENT);
}

static int delay_push(struct op *op, const struct batch *in)
{
    struct delay *w = (struct delay *)op;
    struct chunks chunks = {NULL, NULL};
    struct batch *b = chunks_add(&chunks, op, 4);
    b->is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        release(w, b);
        if (e->kind != EVENT_CURRENT)
            continue;
        window_hold(&w->rows, e);
        if (e->at_ms > w->newest_ms) {
            w->newest_ms = e->at_ms;
            dues_request(&w->dues, op, time_add(e->at_ms, plan_of(op)->span_ms));
        }
    }
    return chunks_emit(&chunks, op);
}

static int delay_due(struct op *op, int64_t due_ms)
{
    struct delay *w = (struct delay *)op;
    struct chunks chunks = {NULL, NULL};
    dues_fired(&w->dues, due_ms);
    release(w, chunks_add(&chunks, op, 8));
    return chunks_emit(&chunks, op);
}

static void delay_save(const struct op *op, struct writer *w)
{
    const struct delay *d = (const struct delay *)op;
    write_tag(w, "window.delay");
    queue_save(&d->rows, w);
    write_i64(w, d->newest_ms);
    dues_save(&d->dues, w);
}

static int delay_load(struct op *op, struct reader *r)
{
    struct delay *d = (struct delay *)op;
    read_tag(r, "window.delay");
    queue_load(&d->rows, r);
    d->newest_ms = read_i64(r);
    dues_load(&d->dues, op, r);
    return window_loaded(r);
}

static void delay_close(struct op *op)
{
    struct delay *d = (struct delay *)op;
    queue_fini(&d->rows);
    dues_fini(&d->dues);
}

static struct queue *delay_content(struct op *op)
{
    return &((struct delay *)op)->rows;
}

static void delay_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, "(%lld ms)", (long long)((const struct delay_plan *)(const void *)plan)->span_ms);
}

static const struct op_type delay_type = {
    .name = "window.delay",
    .size = sizeof(struct delay),
    .open = delay_open,
    .push = delay_push,
    .due = delay_due,
    .save = delay_save,
    .load = delay_load,
    .close = delay_close,
    .content = delay_content,
    .explain = delay_explain,
};

static struct op_plan *delay_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int64_t span_ms;
    if (!window_arg_count(c, call, 1, 1) || !window_arg_duration(c, call, 0, &span_ms))
        return NULL;
    struct delay_plan *p = window_plan_new(c, call, &delay_type, sizeof *p);
    p->span_ms = span_ms;
    return &p->op;
}

const struct window_type window_delay = {NULL, "delay", false, delay_plan};
