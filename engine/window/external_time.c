/* external_time.c - window.externalTime(attribute, span): as time, by a column instead of the clock (spec 04
 * section 2.7).
 *
 * Laws: (1) the front row leaves while the arriving event's time >= its time + span_ms; the first that is not
 * due stops this; (2) an expired row is stamped with the arriving event's time; (3) a smaller time expires
 * nothing; (4) no timers. Holds rows, or only columns of them (kept.h), the time first. */
#include "engine/window/held.h"

struct external_time_plan {
    struct held_plan held;
    int64_t span_ms;
    int attribute;
    size_t cell_at; /* of attribute in a row; it is a long there */
};

static const struct external_time_plan *plan_of(const struct op *op)
{
    return (const struct external_time_plan *)(const void *)op->plan;
}

static inline bool front_is_due(const struct held *w, const struct external_time_plan *p, int64_t time_ms)
{
    return time_is_due(row_cell(queue_at(&w->rows, 0), p->cell_at).l, p->span_ms, time_ms);
}

/* Takes e in: what is due leaves before it. */
static void take_in(struct held *w, const struct external_time_plan *p, const struct event *e,
                    int64_t time_ms, struct batch *out)
{
    while (w->rows.count && front_is_due(w, p, time_ms))
        batch_add(out, queue_take(&w->rows), time_ms, EVENT_EXPIRED);
    if (e->kind == EVENT_CURRENT)
        window_hold(&w->rows, e);
    window_pass(out, e);
}

static inline bool first_is_due(const struct held *w, const struct external_time_plan *p, int64_t time_ms)
{
    return w->kept.count && time_is_due(kept_first(&w->kept, p->held.kept, 0).l, p->span_ms, time_ms);
}

static int push_kept(struct op *op, const struct batch *in)
{
    struct held *w = (struct held *)op;
    const struct external_time_plan *p = plan_of(op);
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    int rc = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        int64_t time_ms;
        if (UNLIKELY(!window_time_of(op, e->row, p->attribute, &time_ms))) {
            rc = ERR_EVENT;
            break;
        }
        while (first_is_due(w, p, time_ms))
            window_expire_kept(op, &w->kept, p->held.kept, &out, time_ms);
        if (e->kind == EVENT_CURRENT)
            kept_add(&w->kept, p->held.kept, e->row, UINT32_MAX);
        batch_add(&out, e->row, e->at_ms, e->kind);
    }
    return window_emit_kept(op, p->held.kept, &out, rc);
}

static __attribute__((noinline)) int one_many(struct op *op, const struct event *e)
{
    struct event copy = *e;
    struct batch in = {.events = &copy, .count = 1, .cap = 1, .scratch = op->env->scratch};
    return push_kept(op, &in);
}

static inline int one_kept(struct held *w, const struct external_time_plan *p, const struct event *e,
                           int64_t time_ms)
{
    if (!first_is_due(w, p, time_ms)) {
        kept_add(&w->kept, p->held.kept, e->row, UINT32_MAX);
        return op_slide(w->op.next, NULL, 0, 0, e);
    }
    if (w->kept.count > 1 &&
        time_is_due(kept_cells(&w->kept, p->held.kept, kept_place(&w->kept, 1))->l, p->span_ms, time_ms))
        return one_many(&w->op, e);
    struct ghost ghost;
    struct row *left = ghost_on(&ghost, p->held.kept);
    kept_take(&w->kept, p->held.kept, left);
    kept_add(&w->kept, p->held.kept, e->row, UINT32_MAX);
    int rc = op_slide(w->op.next, &left, 1, time_ms, e);
    ghost_end(p->held.kept, left);
    return rc;
}

static int external_time_push(struct op *op, const struct batch *in)
{
    if (plan_of(op)->held.kept)
        return push_kept(op, in);
    struct event space[BATCH_SHORT];
    struct batch out;
    batch_on(&out, space, in->count * 2, op->env->scratch);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        int64_t time_ms;
        if (UNLIKELY(!window_time_of(op, e->row, plan_of(op)->attribute, &time_ms)))
            return window_fail(&out);
        take_in((struct held *)op, plan_of(op), e, time_ms, &out);
    }
    return window_emit(op, &out);
}

/* More rows than one short chunk takes: those that left already stand in front. */
static __attribute__((noinline)) int push_many(struct op *op, struct row *const *left, const struct event *e,
                                               int64_t time_ms)
{
    struct batch out;
    batch_init(&out, op->env->scratch, BATCH_SHORT * 4);
    for (uint32_t i = 0; i < BATCH_SHORT; i++)
        batch_add(&out, left[i], time_ms, EVENT_EXPIRED);
    take_in((struct held *)op, plan_of(op), e, time_ms, &out);
    return window_emit(op, &out);
}

static __attribute__((noinline)) int one_any(struct op *op, const struct event *e)
{
    struct held *w = (struct held *)op;
    const struct external_time_plan *p = plan_of(op);
    struct row *left[BATCH_SHORT];
    uint32_t count = 0;
    int64_t time_ms;
    if (UNLIKELY(!window_time_of(op, e->row, p->attribute, &time_ms)))
        return ERR_EVENT;
    if (LIKELY(p->held.kept != NULL))
        return one_kept(w, p, e, time_ms);
    while (w->rows.count && front_is_due(w, p, time_ms)) {
        if (UNLIKELY(count == BATCH_SHORT))
            return push_many(op, left, e, time_ms);
        left[count++] = queue_take(&w->rows);
    }
    if (count)
        window_look_ahead(&w->rows, p->held.text_at);
    window_hold(&w->rows, e);
    int rc = op_slide(op->next, left, count, time_ms, e);
    for (uint32_t i = 0; i < count; i++)
        row_unref(left[i]);
    return rc;
}

/* None or one that leaves, and the selector takes it within this function. */
static int external_time_one(struct op *op, const struct event *e)
{
    struct held *w = (struct held *)op;
    const struct external_time_plan *p = plan_of(op);
    const struct kept_plan *kept = p->held.kept;
    struct kept *k = &w->kept;
    if (UNLIKELY(!kept || !kept_slides(k, kept, e->row)))
        return one_any(op, e);
    const int64_t time_ms = kept_cell_of(e->row, &kept->columns[0]).l;
    bool leaves = first_is_due(w, p, time_ms);
    if (leaves && k->count > 1 &&
        UNLIKELY(time_is_due(kept_cells(k, kept, kept_place(k, 1))->l, p->span_ms, time_ms)))
        return one_many(op, e);
    if (UNLIKELY(!leaves && k->count == k->cap))
        kept_grow(k, kept, UINT32_MAX);
    return kept->slide_one(op->next, k, kept, e, leaves);
}

/* The time comes first. */
static void external_time_keep(struct op_plan *plan, struct kept_plan *kept)
{
    struct kept_plan own;
    bool fits =
        kept_plan_init(&own, plan->in) &&
        kept_plan_add(&own, plan->in, (uint32_t)((struct external_time_plan *)(void *)plan)->attribute);
    for (uint32_t c = 0; fits && c < kept->count; c++)
        fits = kept_plan_add(&own, plan->in, kept->columns[c].index);
    if (!fits)
        return;
    *kept = own;
    ((struct held_plan *)(void *)plan)->kept = kept;
}

static void external_time_explain(const struct op_plan *plan, struct buf *out)
{
    const struct external_time_plan *p = (const struct external_time_plan *)(const void *)plan;
    buf_printf(out, "(%s, %lld ms)", plan->in->attributes[p->attribute].name, (long long)p->span_ms);
}

static const struct op_type external_time_type = {
    .name = "window.externalTime",
    .size = sizeof(struct held),
    .push = external_time_push,
    .one = external_time_one,
    .save = held_save,
    .load = held_load,
    .close = held_close,
    .content = held_content,
    .content_is_stable = true,
    .keep = external_time_keep,
    .explain = external_time_explain,
};

static struct op_plan *external_time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int attribute;
    int64_t span_ms;
    if (!window_arg_count(c, call, 2, 2) || !window_arg_attr(c, call, 0, TYPE_LONG, &attribute) ||
        !window_arg_duration(c, call, 1, &span_ms))
        return NULL;
    struct external_time_plan *p = window_plan_new(c, call, &external_time_type, sizeof *p);
    p->attribute = attribute;
    p->cell_at = row_cells_at(c->in->count) + (size_t)attribute * sizeof(union cell);
    p->span_ms = span_ms;
    p->held.text_at = window_text_at(c->in);
    return &p->held.op;
}

const struct window_type window_external_time = {NULL, "externalTime", true, external_time_plan};
