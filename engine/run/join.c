/* join.c - see join.h. Holds no rows itself: they are in the windows. Index: made at the first lookup, kept
 * by the queue's own news. */
#include "engine/run/join.h"
#include "engine/run/app.h"
#include "engine/run/select.h"
#include "engine/run/table_place.h"

struct join_side {
    struct op op;
    struct op *other; /* the other side's window, or NULL */
    struct join_index *index;
    struct queue *indexed; /* what the index is on */
    struct op *direct; /* the selector, where an event that comes alone may go the short way: direct_one */
    struct table_probe probe; /* of a direct side; table NULL: the lookup is asked */
};

static const struct join_side_plan *plan_of(const struct op *op)
{
    return (const struct join_side_plan *)op->plan;
}

static void join_open(struct op *op)
{
    struct join_side *j = (struct join_side *)op;
    const struct join_side_plan *p = plan_of(op);
    if (p->is_direct && p->lookup->only) {
        j->direct = op->query->ops[p->select->index];
        table_probe_open(&j->probe, p->lookup, op_app(op), p->slot);
    }
    if (p->other_window)
        j->other = op->query->ops[p->other_window->index];
    else if (p->other_named)
        j->other = op_app(op)->windows[p->other_named->number];
}

static void pair_add(struct join_side *j, struct batch *out, struct row *own, struct row *other,
                     const struct event *e, enum event_kind kind)
{
    uint16_t slot = plan_of(&j->op)->slot;
    struct row **rows = arena_raw(j->op.env->scratch, 2 * sizeof(struct row *));
    rows[slot] = own;
    rows[1 - slot] = other;
    batch_add(out, NULL, e->at_ms, kind)->rows = rows;
}

/* What one event finds multiplies: so before the batch grows the account is asked. */
static inline bool has_room(const struct batch *out)
{
    return LIKELY(out->count < out->cap) ||
           !mem_is_over((size_t)out->cap * 2 * (sizeof(struct event) + 2 * sizeof(struct row *)));
}

/* The row of e as eventTimestamp(ref) is to see it: one that expires has the moment at which it does. The
 * copy borrows the row's values and lies in scratch, like the pairs. */
static struct row *stamped(const struct join_side *j, const struct event *e)
{
    if (LIKELY(!plan_of(&j->op)->sees_stamp) || e->row->at_ms == e->at_ms)
        return e->row;
    struct row *copy = arena_raw(j->op.env->scratch, row_bytes(e->row->count));
    memcpy(copy, e->row, row_bytes(e->row->count));
    copy->at_ms = e->at_ms;
    copy->refs = 1;
    return copy;
}

/* Candidates are tried with 'on', in order. */
static int try_pair(struct join_side *j, const struct join_side_plan *p, struct frame *f, struct row **rows,
                    struct row *other, const struct event *e, struct batch *out)
{
    rows[1 - p->slot] = other;
    if (p->on && !expr_is_true(p->on, f))
        return UNLIKELY(f->env->failed) ? ERR_EVENT : 0;
    if (UNLIKELY(!has_room(out)))
        return expr_fail_memory(f->env);
    pair_add(j, out, rows[p->slot], other, e, e->kind);
    return 0;
}

static int match_queue(struct join_side *j, const struct join_side_plan *p, struct frame *f,
                       struct row **rows, const struct event *e, struct batch *out)
{
    struct queue *q = j->other && j->other->type->content ? j->other->type->content(j->other) : NULL;
    if (!q || q->count == 0)
        return 0;
    bool stable = p->own_key && j->other->type->content_is_stable;
    if (stable && !j->index) {
        j->index = join_index_new(q, p->other_key, (uint16_t)(1 - p->slot), j->op.env);
        j->indexed = q;
    }
    if (stable) {
        struct value key = expr_eval(p->own_key, f);
        if (UNLIKELY(f->env->failed))
            return ERR_EVENT;
        for (const struct join_entry *c = join_index_find(j->index, key); c; c = c->next) {
            if (try_pair(j, p, f, rows, c->row, e, out) < 0)
                return ERR_EVENT;
        }
        return 0;
    }
    q->walked = q->count;
    for (uint32_t i = 0; i < q->count; i++) {
        if (try_pair(j, p, f, rows, queue_at(q, i), e, out) < 0)
            return ERR_EVENT;
    }
    return 0;
}

/* All pairs of one event: one chunk for the selector. */
static int match(struct join_side *j, const struct join_side_plan *p, const struct event *e,
                 struct batch *out)
{
    struct row *rows[2] = {NULL, NULL};
    struct frame f = {.env = j->op.env, .rows = rows, .at_ms = e->at_ms, .kind = e->kind, .user = &j->op};
    rows[p->slot] = stamped(j, e);
    int rc;
    if (p->lookup) {
        struct row **found = NULL;
        uint32_t count = 0;
        rc = p->lookup->rows(p->lookup, op_app(&j->op), &f, &found, &count);
        for (uint32_t i = 0; rc == 0 && i < count; i++) {
            if (UNLIKELY(!has_room(out)))
                return expr_fail_memory(f.env);
            pair_add(j, out, rows[p->slot], found[i], e, e->kind);
        }
    } else {
        rc = match_queue(j, p, &f, rows, e, out);
    }
    if (rc < 0)
        return rc;
    if (out->count == 0 && p->preserved)
        pair_add(j, out, rows[p->slot], NULL, e, e->kind);
    return 0;
}

/* Nothing behind wants the pairs of an expired event; that the other side was walked over still shows
 * (queue.h). */
static void skip_lookup(struct join_side *j)
{
    if (!j->other || !j->other->type->content || j->other->type->content_is_stable)
        return;
    struct queue *q = j->other->type->content(j->other);
    if (q)
        q->walked = q->count;
}

static int join_push(struct op *op, const struct batch *in)
{
    struct join_side *j = (struct join_side *)op;
    const struct join_side_plan *p = plan_of(op);
    struct op *select = op->query->ops[p->select->index];
    bool outer = select_collecting(select); /* a self join collects both sides itself */
    struct batch collected;
    int rc = 0;
    if (!outer && in->count == 1) {
        const struct event *e = &in->events[0];
        if (e->kind == EVENT_EXPIRED && !p->expired_matters)
            skip_lookup(j);
        if (e->kind == EVENT_TIMER || (e->kind == EVENT_EXPIRED && !p->expired_matters))
            return 0;
    }
    if (!outer) {
        batch_init(&collected, op->env->scratch, in->count);
        collected.is_batch = in->is_batch;
        select_collect(select, &collected);
    }
    for (uint32_t i = 0; i < in->count && rc == 0; i++) {
        const struct event *e = &in->events[i];
        struct batch out;
        if (e->kind == EVENT_TIMER)
            continue;
        if (e->kind == EVENT_EXPIRED && !p->expired_matters) {
            skip_lookup(j);
            continue;
        }
        batch_init(&out, op->env->scratch, 4);
        out.is_batch = in->is_batch;
        if (e->kind == EVENT_RESET)
            pair_add(j, &out, e->row, NULL, e, EVENT_RESET);
        else
            rc = match(j, p, e, &out);
        if (rc == 0 && out.count)
            rc = op_push(select, &out);
    }
    return outer ? rc : select_release(select, &collected, rc);
}

static void join_close(struct op *op)
{
    join_index_free(((struct join_side *)op)->index);
}

static void join_explain(const struct op_plan *plan, struct buf *out)
{
    const struct join_side_plan *p = (const struct join_side_plan *)plan;
    buf_printf(out, " from the %s", p->slot == JOIN_LEFT_SLOT ? "left" : "right");
    if (p->lookup)
        buf_printf(out, ", lookup by %s", p->lookup->how);
    else
        buf_add_str(out, p->own_key ? ", lookup by key" : ", lookup by scan");
    if (p->preserved)
        buf_add_str(out, ", outer");
}

const struct op_type op_join_side = {
    .name = "join",
    .size = sizeof(struct join_side),
    .open = join_open,
    .push = join_push,
    .close = join_close,
    .explain = join_explain,
};

/* ---- a side without a window: 'current, [expired], RESET' for each event; it holds nothing ---- */

/* The pairs of one current event go to the selector at once. */
static int direct_push(struct join_side *j, const struct join_side_plan *p, const struct event *e,
                       const struct batch *in)
{
    struct row *rows[2] = {NULL, NULL}, **found = NULL;
    struct frame f = {.env = j->op.env, .rows = rows, .at_ms = e->at_ms, .kind = e->kind, .user = &j->op};
    uint32_t count = 0;
    rows[p->slot] = e->row;
    if (p->lookup->rows(p->lookup, op_app(&j->op), &f, &found, &count) < 0)
        return ERR_EVENT;
    if (count == 0 && !p->preserved)
        return 0;
    struct event one = {.rows = rows, .at_ms = e->at_ms, .kind = EVENT_CURRENT};
    struct batch out = {
        .events = &one, .count = 1, .cap = 1, .scratch = j->op.env->scratch, .is_batch = in->is_batch};
    rows[p->slot] = e->row;
    rows[1 - p->slot] = count ? found[0] : NULL;
    if (UNLIKELY(mem_is_over((size_t)count * (sizeof one + 2 * sizeof *rows))))
        return expr_fail_memory(f.env);
    if (count > 1) {
        batch_init(&out, j->op.env->scratch, count);
        out.is_batch = in->is_batch;
        for (uint32_t i = 0; i < count; i++)
            pair_add(j, &out, e->row, found[i], e, EVENT_CURRENT);
    }
    return op_push(j->op.next, &out);
}

/* As direct_push for an event that came alone, when the table has one row for it at most. */
static int direct_one(struct join_side *j, const struct join_side_plan *p, const struct event *e)
{
    struct row *rows[2] = {NULL, NULL}, *found = NULL;
    rows[p->slot] = e->row;
    if (LIKELY(j->probe.table != NULL)) {
        found = table_probe_row(&j->probe, e->row);
    } else {
        struct frame f = {
            .env = j->op.env, .rows = rows, .at_ms = e->at_ms, .kind = EVENT_CURRENT, .user = &j->op};
        if (UNLIKELY(p->lookup->only(p->lookup, op_app(&j->op), &f, &found) < 0))
            return ERR_EVENT;
    }
    if (UNLIKELY(!found && !p->preserved))
        return 0;
    rows[1 - p->slot] = found;
    struct event pair = {.rows = rows, .at_ms = e->at_ms, .kind = EVENT_CURRENT};
    return op_one(j->direct, &pair);
}

static int no_window_one(struct op *op, const struct event *e)
{
    struct join_side *j = (struct join_side *)op->next;
    if (UNLIKELY(j->op.type != &op_join_side || !j->direct))
        return op_push_wrapped(op, NULL, 0, 0, e);
    return direct_one(j, plan_of(&j->op), e);
}

static int no_window_push(struct op *op, const struct batch *in)
{
    bool expired = ((const struct no_window_plan *)op->plan)->expired_wanted;
    int64_t now_ms = op_now(op);
    struct batch out;
    if (op->next->type == &op_join_side && plan_of(op->next)->is_direct && in->count == 1 &&
        in->events[0].kind == EVENT_CURRENT)
        return direct_push((struct join_side *)op->next, plan_of(op->next), &in->events[0], in);
    batch_init(&out, op->env->scratch, in->count * 3);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!e->row)
            continue;
        batch_add(&out, e->row, e->at_ms, e->kind);
        if (expired)
            batch_add(&out, e->row, now_ms, EVENT_EXPIRED);
        batch_add(&out, e->row, now_ms, EVENT_RESET);
    }
    return op_next(op, &out);
}

const struct op_type op_no_window = {
    .name = "no window", .size = sizeof(struct op), .push = no_window_push, .one = no_window_one};

/* ---- self join: each event through the left chain, then through the right; results go on after both ---- */

static int self_join_push(struct op *op, const struct batch *in)
{
    const struct self_join_plan *p = (const struct self_join_plan *)op->plan;
    struct op *sides[2] = {op->query->ops[p->left->index], op->query->ops[p->right->index]};
    struct op *select = op->query->ops[p->select->index];
    for (uint32_t i = 0; i < in->count; i++) {
        struct batch one = {
            .events = &in->events[i], .count = 1, .cap = 1, .scratch = in->scratch, .is_batch = in->is_batch};
        struct batch collected[2];
        int rc = 0;
        for (int side = 0; side < 2; side++) {
            batch_init(&collected[side], op->env->scratch, 2);
            collected[side].is_batch = in->is_batch;
            if (rc < 0)
                continue;
            select_collect(select, &collected[side]);
            rc = op_push(sides[side], &one);
            select_collect(select, NULL);
        }
        for (int side = 0; side < 2; side++)
            rc = select_release(select, &collected[side], rc);
        if (rc < 0)
            return rc;
    }
    return 0;
}

const struct op_type op_self_join = {.name = "self join", .size = sizeof(struct op), .push = self_join_push};
