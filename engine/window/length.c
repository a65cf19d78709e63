/* length.c - window.length(n): the last n events (spec 04 section 2.1).
 *
 * Sliding: in one chunk with what came, the oldest row leaves before the one that pushed it out. n <= 0:
 * every event leaves at once, behind itself. */
#include "engine/window/window.h"

struct length_plan {
    struct op_plan op;
    int32_t n;
};
struct length {
    struct op op;
    struct queue rows;
};

static const struct length_plan *plan_of(const struct op *op)
{
    return (const struct length_plan *)(const void *)op->plan;
}

static int push_empty(struct op *op, const struct batch *in)
{
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 3);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) { /* all three with the event's own time */
        const struct event *e = &in->events[i];
        window_pass(&out, e);
        batch_add(&out, row_ref(e->row), e->at_ms, EVENT_EXPIRED);
        batch_add(&out, e->row, e->at_ms, EVENT_RESET);
    }
    return window_emit(op, &out);
}

static int length_push(struct op *op, const struct batch *in)
{
    struct length *w = (struct length *)op;
    int32_t n = plan_of(op)->n;
    if (UNLIKELY(n <= 0))
        return push_empty(op, in);
    struct event space[BATCH_SHORT];
    struct batch out;
    batch_on(&out, space, in->count * 2, op->env->scratch);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (w->rows.count == (uint32_t)n)
            batch_add(&out, queue_take(&w->rows), op_now(op), EVENT_EXPIRED);
        window_hold(&w->rows, e);
        window_pass(&out, e);
    }
    return window_emit(op, &out);
}

static int length_one(struct op *op, const struct event *e)
{
    struct length *w = (struct length *)op;
    int32_t n = plan_of(op)->n;
    if (UNLIKELY(n <= 0))
        return op_push_wrapped(op, NULL, 0, 0, e);
    if (w->rows.count < (uint32_t)n) {
        window_hold(&w->rows, e);
        return op_slide(op->next, NULL, 0, 0, e);
    }
    struct row *left = queue_take(&w->rows);
    window_hold(&w->rows, e);
    int rc = op_slide(op->next, &left, 1, op_now(op), e);
    row_unref(left);
    return rc;
}

static void length_save(const struct op *op, struct writer *w)
{
    write_tag(w, "window.length");
    queue_save(&((const struct length *)op)->rows, w);
}

static int length_load(struct op *op, struct reader *r)
{
    read_tag(r, "window.length");
    return queue_load(&((struct length *)op)->rows, r);
}

static void length_close(struct op *op)
{
    queue_fini(&((struct length *)op)->rows);
}

static struct queue *length_content(struct op *op)
{
    return &((struct length *)op)->rows;
}

static void length_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, "(%d)", ((const struct length_plan *)(const void *)plan)->n);
}

static const struct op_type length_type = {
    .name = "window.length",
    .size = sizeof(struct length),
    .push = length_push,
    .one = length_one,
    .save = length_save,
    .load = length_load,
    .close = length_close,
    .content = length_content,
    .content_is_stable = true,
    .explain = length_explain,
};

static struct op_plan *length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int32_t n;
    if (!window_arg_count(c, call, 1, 1) || !window_arg_int(c, call, 0, &n))
        return NULL;
    struct length_plan *p = window_plan_new(c, call, &length_type, sizeof *p);
    p->n = n;
    return &p->op;
}

const struct window_type window_length = {NULL, "length", true, length_plan};
