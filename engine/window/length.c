/* length.c - window.length(n): the last n events (spec 04 section 2.1).
 *
 * Sliding: in one chunk with what came, the oldest row leaves before the one that pushed it out. n <= 0:
 * every event leaves at once, behind itself. Holds rows, or only columns of them (kept.h). */
#include "engine/window/window.h"

struct length_plan {
    struct op_plan op;
    int32_t n;
    size_t text_at; /* window_look_ahead */
    const struct kept_plan *kept;
};
struct length {
    struct op op;
    union {
        struct queue rows;
        struct kept kept; /* if plan->kept */
    };
};

static const struct length_plan *plan_of(const struct op *op)
{
    return (const struct length_plan *)(const void *)op->plan;
}

static size_t length_size_of(const struct op_plan *plan)
{
    const struct kept_plan *kept = ((const struct length_plan *)(const void *)plan)->kept;
    return kept ? offsetof(struct length, kept) + sizeof(struct kept) + kept_bytes_behind(kept)
                : sizeof(struct length);
}

static void length_open(struct op *op)
{
    if (plan_of(op)->kept)
        kept_init(&((struct length *)op)->kept, plan_of(op)->kept);
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

static int push_kept(struct op *op, const struct batch *in)
{
    struct length *w = (struct length *)op;
    const struct length_plan *p = plan_of(op);
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (w->kept.count == (uint32_t)p->n)
            window_expire_kept(op, &w->kept, p->kept, &out, op_now(op));
        kept_add(&w->kept, p->kept, e->row, (uint32_t)p->n);
        batch_add(&out, e->row, e->at_ms, e->kind);
    }
    return window_emit_kept(op, p->kept, &out, 0);
}

static int length_push(struct op *op, const struct batch *in)
{
    struct length *w = (struct length *)op;
    int32_t n = plan_of(op)->n;
    if (UNLIKELY(n <= 0))
        return push_empty(op, in);
    if (plan_of(op)->kept)
        return push_kept(op, in);
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

static inline int one_kept(struct length *w, const struct length_plan *p, const struct event *e)
{
    if (w->kept.count < (uint32_t)p->n) {
        kept_add(&w->kept, p->kept, e->row, (uint32_t)p->n);
        return op_slide(w->op.next, NULL, 0, 0, e);
    }
    struct ghost ghost;
    struct row *left = ghost_on(&ghost, p->kept);
    kept_take(&w->kept, p->kept, left);
    kept_add(&w->kept, p->kept, e->row, (uint32_t)p->n);
    int rc = op_slide(w->op.next, &left, 1, op_now(&w->op), e);
    ghost_end(p->kept, left);
    return rc;
}

static __attribute__((noinline)) int one_any(struct op *op, const struct event *e)
{
    struct length *w = (struct length *)op;
    int32_t n = plan_of(op)->n;
    if (UNLIKELY(n <= 0))
        return op_push_wrapped(op, NULL, 0, 0, e);
    if (LIKELY(plan_of(op)->kept != NULL))
        return one_kept(w, plan_of(op), e);
    if (w->rows.count < (uint32_t)n) {
        window_hold(&w->rows, e);
        return op_slide(op->next, NULL, 0, 0, e);
    }
    struct row *left = queue_take(&w->rows);
    window_look_ahead(&w->rows, plan_of(op)->text_at);
    window_hold(&w->rows, e);
    int rc = op_slide(op->next, &left, 1, op_now(op), e);
    row_unref(left);
    return rc;
}

/* What leaves and what comes, and the selector takes both within this function. */
static int length_one(struct op *op, const struct event *e)
{
    struct length *w = (struct length *)op;
    const struct length_plan *p = plan_of(op);
    const struct kept_plan *kept = p->kept;
    struct kept *k = &w->kept;
    if (UNLIKELY(p->n <= 0 || !kept || !kept_slides(k, kept, e->row)))
        return one_any(op, e);
    bool leaves = k->count == (uint32_t)p->n;
    if (UNLIKELY(!leaves && k->count == k->cap))
        kept_grow(k, kept, (uint32_t)p->n);
    return kept->slide_one(op->next, k, kept, e, leaves);
}

static void length_save(const struct op *op, struct writer *w)
{
    const struct length *l = (const struct length *)op;
    write_tag(w, "window.length");
    if (plan_of(op)->kept)
        kept_save(&l->kept, plan_of(op)->kept, w);
    else
        queue_save(&l->rows, w);
}

static int length_load(struct op *op, struct reader *r)
{
    struct length *l = (struct length *)op;
    read_tag(r, "window.length");
    return plan_of(op)->kept ? kept_load(&l->kept, plan_of(op)->kept, r) : queue_load(&l->rows, r);
}

static void length_close(struct op *op)
{
    struct length *l = (struct length *)op;
    if (plan_of(op)->kept)
        kept_fini(&l->kept, plan_of(op)->kept);
    else
        queue_fini(&l->rows);
}

static struct queue *length_content(struct op *op)
{
    return &((struct length *)op)->rows;
}

static void length_keep(struct op_plan *plan, struct kept_plan *kept)
{
    struct length_plan *p = (struct length_plan *)(void *)plan;
    p->kept = kept;
    kept_plan_most(kept, p->n > 0 ? (uint32_t)p->n : 0);
}

static void length_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, "(%d)", ((const struct length_plan *)(const void *)plan)->n);
}

static const struct op_type length_type = {
    .name = "window.length",
    .size_of = length_size_of,
    .open = length_open,
    .push = length_push,
    .one = length_one,
    .save = length_save,
    .load = length_load,
    .close = length_close,
    .content = length_content,
    .content_is_stable = true,
    .keep = length_keep,
    .explain = length_explain,
};

static struct op_plan *length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int32_t n;
    if (!window_arg_count(c, call, 1, 1) || !window_arg_int(c, call, 0, &n))
        return NULL;
    struct length_plan *p = window_plan_new(c, call, &length_type, sizeof *p);
    p->n = n;
    p->op.most_rows = n > 0 ? (uint64_t)n : 0;
    p->text_at = window_text_at(c->in);
    return &p->op;
}

const struct window_type window_length = {NULL, "length", true, length_plan};
