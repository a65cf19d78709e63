/* time_length.c - window.timeLength(span, n): at most n rows, none older than span (spec 04 section 2.6).
 *
 * Laws: (1) each event first lets all rows go that are due, then, when n are left, the oldest; (2) every
 * event asks for a timer; (3) n <= 0 holds nothing: events pass and never expire. */
#include "engine/window/window.h"

struct time_length_plan {
    struct op_plan op;
    int64_t span_ms;
    int32_t n;
};
struct time_length {
    struct op op;
    struct queue rows;
    struct dues dues;
};

static const struct time_length_plan *plan_of(const struct op *op)
{
    return (const struct time_length_plan *)(const void *)op->plan;
}

static void expire(struct time_length *w, struct batch *out)
{
    int64_t now_ms = op_now(&w->op), span_ms = plan_of(&w->op)->span_ms;
    while (w->rows.count && time_is_due(queue_at(&w->rows, 0)->at_ms, span_ms, now_ms))
        batch_add(out, queue_take(&w->rows), now_ms, EVENT_EXPIRED);
}

static int time_length_push(struct op *op, const struct batch *in)
{
    struct time_length *w = (struct time_length *)op;
    const struct time_length_plan *p = plan_of(op);
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        expire(w, &out);
        if (e->kind != EVENT_CURRENT)
            continue;
        if (p->n > 0) {
            if (w->rows.count >= (uint32_t)p->n)
                batch_add(&out, queue_take(&w->rows), op_now(op), EVENT_EXPIRED);
            window_hold(&w->rows, e);
            dues_request(&w->dues, op, time_add(e->at_ms, p->span_ms));
        }
        batch_add(&out, e->row, e->at_ms, EVENT_CURRENT);
    }
    return window_emit(op, &out);
}

static int time_length_due(struct op *op, int64_t due_ms)
{
    struct time_length *w = (struct time_length *)op;
    struct batch out;
    dues_fired(&w->dues, due_ms);
    batch_init(&out, op->env->scratch, 8);
    out.is_batch = true;
    expire(w, &out);
    return window_emit(op, &out);
}

static void time_length_save(const struct op *op, struct writer *w)
{
    const struct time_length *t = (const struct time_length *)op;
    write_tag(w, "window.timeLength");
    queue_save(&t->rows, w);
    dues_save(&t->dues, w);
}

static int time_length_load(struct op *op, struct reader *r)
{
    struct time_length *t = (struct time_length *)op;
    read_tag(r, "window.timeLength");
    queue_load(&t->rows, r);
    dues_load(&t->dues, op, r);
    return window_loaded(r);
}

static void time_length_close(struct op *op)
{
    struct time_length *t = (struct time_length *)op;
    queue_fini(&t->rows);
    dues_fini(&t->dues);
}

static struct queue *time_length_content(struct op *op)
{
    return &((struct time_length *)op)->rows;
}

static void time_length_explain(const struct op_plan *plan, struct buf *out)
{
    const struct time_length_plan *p = (const struct time_length_plan *)(const void *)plan;
    buf_printf(out, "(%lld ms, %d)", (long long)p->span_ms, p->n);
}

static const struct op_type time_length_type = {
    .name = "window.timeLength",
    .size = sizeof(struct time_length),
    .push = time_length_push,
    .due = time_length_due,
    .save = time_length_save,
    .load = time_length_load,
    .close = time_length_close,
    .content = time_length_content,
    .content_is_stable = true,
    .explain = time_length_explain,
};

static struct op_plan *time_length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int64_t span_ms;
    int32_t n;
    if (!window_arg_count(c, call, 2, 2) || !window_arg_duration(c, call, 0, &span_ms) ||
        !window_arg_int(c, call, 1, &n))
        return NULL;
    struct time_length_plan *p = window_plan_new(c, call, &time_length_type, sizeof *p);
    p->span_ms = span_ms;
    p->n = n;
    p->op.most_rows = n > 0 ? (uint64_t)n : 0;
    return &p->op;
}

const struct window_type window_time_length = {NULL, "timeLength", true, time_length_plan};
