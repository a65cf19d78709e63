/* length_batch.c - window.lengthBatch(n [, stream.current.event]) (spec 04 section 2.2).
 *
 * Laws: (1) without streaming, the n-th event releases a chunk: the batch before as expired, a RESET with the
 * new batch's first row, the batch. (2) Streaming, every event is a chunk of its own; the one that finds n
 * events passed carries them as expired, and a RESET, in front of itself: with the very first row, later with
 * the second of the group that ends, for its first came while the RESET before was still kept. (3) What was
 * released is what joins see; it is cleared only where expired events are wanted, so elsewhere it piles up
 * (section 3). Kept only if somebody needs it. */
#include "engine/window/window.h"

struct length_batch_plan {
    struct op_plan op;
    int32_t n;
    bool streams, expires, keeps;
};
struct length_batch {
    struct op op;
    struct queue batch;    /* being collected; empty when streaming */
    struct queue released; /* if keeps */
    struct row *first;     /* streaming: that came when none was, for the RESET; counted */
    uint32_t passed;       /* streaming: events of the group */
};

static const struct length_batch_plan *plan_of(const struct op *op)
{
    return (const struct length_batch_plan *)(const void *)op->plan;
}

static void pass_empty(struct op *op, const struct event *e, struct chunks *chunks)
{
    struct batch *b = chunks_add(chunks, op, 3);
    chunk_pass(b, e);
    if (plan_of(op)->expires)
        batch_add(b, row_ref(e->row), op_now(op), EVENT_EXPIRED);
    batch_add(b, row_ref(e->row), op_now(op), EVENT_RESET);
}

static void collect(struct length_batch *w, const struct event *e, struct chunks *chunks)
{
    const struct length_batch_plan *p = plan_of(&w->op);
    if (p->n < 0) /* such a batch is never full */
        return;
    window_hold(&w->batch, e);
    if (w->batch.count < (uint32_t)p->n)
        return;
    struct batch *b = chunks_add(chunks, &w->op, w->batch.count * 2 + 1);
    if (p->expires)
        window_expire_all(&w->released, b, op_now(&w->op));
    batch_add(b, row_ref(queue_at(&w->batch, 0)), op_now(&w->op), EVENT_RESET);
    chunk_release(b, &w->batch, p->keeps ? &w->released : NULL);
}

static void stream(struct length_batch *w, const struct event *e, struct chunks *chunks)
{
    const struct length_batch_plan *p = plan_of(&w->op);
    struct batch *b = chunks_add(chunks, &w->op, 4);
    if (!w->first)
        w->first = row_ref(e->row);
    if (p->n > 0 && w->passed == (uint32_t)p->n) {
        if (p->expires)
            window_expire_all(&w->released, b, op_now(&w->op));
        batch_add(b, w->first, op_now(&w->op), EVENT_RESET); /* our reference goes with it */
        w->first = NULL;
        w->passed = 0;
    }
    chunk_pass(b, e);
    w->passed++;
    if (p->keeps)
        window_hold(&w->released, e);
}

static int length_batch_push(struct op *op, const struct batch *in)
{
    struct length_batch *w = (struct length_batch *)op;
    const struct length_batch_plan *p = plan_of(op);
    struct chunks chunks = {NULL, NULL};
    for (uint32_t i = 0; i < in->count; i++) {
        if (p->n == 0)
            pass_empty(op, &in->events[i], &chunks);
        else if (p->streams)
            stream(w, &in->events[i], &chunks);
        else
            collect(w, &in->events[i], &chunks);
    }
    return chunks_emit(&chunks, op);
}

/* All but the one that fills the batch are only held. */
static int length_batch_one(struct op *op, const struct event *e)
{
    struct length_batch *w = (struct length_batch *)op;
    const struct length_batch_plan *p = plan_of(op);
    if (UNLIKELY(p->streams || p->n <= 0 || w->batch.count + 1 >= (uint32_t)p->n))
        return op_push_wrapped(op, NULL, 0, 0, e);
    window_hold(&w->batch, e);
    return 0;
}

static void length_batch_save(const struct op *op, struct writer *w)
{
    const struct length_batch *b = (const struct length_batch *)op;
    write_tag(w, "window.lengthBatch");
    queue_save(&b->batch, w);
    queue_save(&b->released, w);
    write_row(w, b->first);
    write_u32(w, b->passed);
}

static int length_batch_load(struct op *op, struct reader *r)
{
    struct length_batch *b = (struct length_batch *)op;
    read_tag(r, "window.lengthBatch");
    queue_load(&b->batch, r);
    queue_load(&b->released, r);
    b->first = read_row(r);
    b->passed = read_u32(r);
    return window_loaded(r);
}

static void length_batch_close(struct op *op)
{
    struct length_batch *b = (struct length_batch *)op;
    queue_fini(&b->batch);
    queue_fini(&b->released);
    if (b->first)
        row_unref(b->first);
}

static struct queue *length_batch_content(struct op *op)
{
    return &((struct length_batch *)op)->released;
}

static void length_batch_explain(const struct op_plan *plan, struct buf *out)
{
    const struct length_batch_plan *p = (const struct length_batch_plan *)(const void *)plan;
    buf_printf(out, "(%d%s)", p->n, p->streams ? ", true" : "");
}

static const struct op_type length_batch_type = {
    .name = "window.lengthBatch",
    .size = sizeof(struct length_batch),
    .push = length_batch_push,
    .one = length_batch_one,
    .save = length_batch_save,
    .load = length_batch_load,
    .close = length_batch_close,
    .content = length_batch_content,
    .explain = length_batch_explain,
};

static struct op_plan *length_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int32_t n;
    bool streams = false;
    if (!window_arg_count(c, call, 1, 2) || !window_arg_int(c, call, 0, &n) ||
        (call->arg_count == 2 && !window_arg_bool(c, call, 1, &streams)))
        return NULL;
    if (n < 0)
        diag_warn(c->diags, window_arg(call, 0)->span,
                  "a batch of %d events is never full: nothing will come out", n);
    struct length_batch_plan *p = window_plan_new(c, call, &length_batch_type, sizeof *p);
    p->n = n;
    p->streams = streams;
    p->expires = c->expired_wanted;
    p->keeps = c->expired_wanted || c->has_find;
    p->op.most_rows = n > 0 ? (uint64_t)n * (p->keeps ? 2 : 1) : 0;
    return &p->op;
}

const struct window_type window_length_batch = {NULL, "lengthBatch", false, length_batch_plan};
