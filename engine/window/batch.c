/* batch.c - window.batch([n]): each arriving chunk replaces the one before (spec 04 section 2.3).
 *
 * Laws: (1) the expired rows are all those of the previous input chunk, in the first output chunk; (2) every
 * output chunk but the very first has a RESET, a copy of the first event of the output chunk before it,
 * behind the expired rows; (3) in a partition what keeps no rows keeps nothing: there the first output chunk
 * of a push has no RESET. */
#include "engine/window/window.h"

struct batch_plan {
    struct op_plan op;
    int32_t n; /* 0: uncut */
    bool expires;
    bool in_partition;
};
struct batch_window {
    struct op op;
    struct queue last; /* of the previous input chunk, if expires */
    struct row *first; /* of the previous output chunk, or NULL; counted */
    int64_t first_ms;
};

static const struct batch_plan *plan_of(const struct op *op)
{
    return (const struct batch_plan *)(const void *)op->plan;
}

static int batch_push(struct op *op, const struct batch *in)
{
    struct batch_window *w = (struct batch_window *)op;
    const struct batch_plan *p = plan_of(op);
    struct chunks chunks = {NULL, NULL};
    if (in->count == 0)
        return 0;
    uint32_t size = p->n > 0 ? (uint32_t)p->n : in->count;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (i % size == 0) {
            struct batch *b =
                chunks_add(&chunks, op, w->last.count + 1 + (size < in->count ? size : in->count));
            if (i == 0)
                window_expire_all(&w->last, b, op_now(op));
            if (w->first)
                batch_add(b, w->first, w->first_ms, EVENT_RESET);
            w->first = row_ref(e->row);
            w->first_ms = e->at_ms;
        }
        chunk_pass(&chunks.last->batch, e);
        if (p->expires)
            window_hold(&w->last, e);
    }
    if (p->in_partition && w->last.count == 0) {
        row_unref(w->first);
        w->first = NULL;
    }
    return chunks_emit(&chunks, op);
}

static void batch_save(const struct op *op, struct writer *w)
{
    const struct batch_window *b = (const struct batch_window *)op;
    write_tag(w, "window.batch");
    queue_save(&b->last, w);
    write_row(w, b->first);
    write_i64(w, b->first_ms);
}

static int batch_load(struct op *op, struct reader *r)
{
    struct batch_window *b = (struct batch_window *)op;
    read_tag(r, "window.batch");
    queue_load(&b->last, r);
    b->first = read_row(r);
    b->first_ms = read_i64(r);
    return window_loaded(r);
}

static void batch_close(struct op *op)
{
    struct batch_window *b = (struct batch_window *)op;
    queue_fini(&b->last);
    if (b->first)
        row_unref(b->first);
}

static struct queue *batch_content(struct op *op)
{
    return &((struct batch_window *)op)->last;
}

static void batch_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, "(%d)", ((const struct batch_plan *)(const void *)plan)->n);
}

static const struct op_type batch_type = {
    .name = "window.batch",
    .size = sizeof(struct batch_window),
    .push = batch_push,
    .save = batch_save,
    .load = batch_load,
    .close = batch_close,
    .content = batch_content,
    .explain = batch_explain,
};

static struct op_plan *batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int32_t n = 0;
    if (!window_arg_count(c, call, 0, 1) || (call->arg_count == 1 && !window_arg_int(c, call, 0, &n)))
        return NULL;
    if (n < 0) {
        window_arg_wrong(c, call, 0, "must not be negative");
        return NULL;
    }
    struct batch_plan *p = window_plan_new(c, call, &batch_type, sizeof *p);
    p->n = n;
    p->expires = c->expired_wanted;
    p->in_partition = c->in_partition;
    return &p->op;
}

const struct window_type window_batch = {NULL, "batch", false, batch_plan};
