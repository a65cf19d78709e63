/* extreme_batch.c - window.extrema:minByLengthBatch(v, n) maxByLengthBatch minbytimebatch(v, span [, start])
 * maxbytimebatch: of each batch the one event with the least or greatest v (spec 20 section 10).
 *
 * Laws: (1) of equal values the newest counts; a null neither beats nor is beaten, so it stays when it came
 * first. (2) The n-th event hands on, in a chunk of its own, the extreme of the batch before as expired and
 * stamped with the moment that batch ended, a RESET with it, and the extreme of this one with its own time.
 * (3) Slices of time run on from the first event, or from start + k * span. At the end of one, the extreme of
 * the one before expires, stamped now (unless a join has walked over it), then comes a RESET with it, and the
 * extreme of the slice, if it has any. An event that finds the slice over belongs to it still. (4) Joins see
 * what was handed on last.
 *
 * Each key of a partition has its own batches and slices; the original mixes them. */
#include "engine/window/extreme.h"

struct extreme_batch_plan {
    struct op_plan op;
    struct extreme_key key;
    int32_t n; /* 0: slices of time */
    int64_t span_ms, start_ms;
    bool has_start, expires;
};
struct extreme_batch {
    struct op op;
    struct row *best;      /* of the batch; counted */
    struct value value;    /* its value; kept */
    uint32_t count;        /* events of the batch, when n counts them */
    struct queue released; /* what was handed on last */
    int64_t ended_ms;      /* when */
    struct slices slices;
    struct dues dues;
};

static const struct extreme_batch_plan *plan_of(const struct op *op)
{
    return (const struct extreme_batch_plan *)(const void *)op->plan;
}

/* False: the event failed. */
static bool take(struct extreme_batch *w, const struct event *e)
{
    const struct extreme_key *k = &plan_of(&w->op)->key;
    struct value v;
    if (!extreme_value(k, &w->op, e, &v))
        return false;
    if (w->best) {
        if (is_null(v) || is_null(w->value) || extreme_compare(k, v, w->value) < 0)
            return true;
        row_unref(w->best);
        value_drop(w->value);
    }
    w->best = extreme_hold(e);
    w->value = value_keep(v);
    return true;
}

/* The best of the batch, which begins anew; its reference is the caller's. */
static struct row *take_best(struct extreme_batch *w)
{
    struct row *best = w->best;
    value_drop(w->value);
    w->value = VALUE_NULL;
    w->best = NULL;
    return best;
}

static void hand_on(struct extreme_batch *w, struct batch *b)
{
    struct row *best = take_best(w); /* our reference goes with it */
    queue_add(&w->released, best);
    batch_add(b, best, best->at_ms, EVENT_CURRENT);
}

static int length_push(struct op *op, const struct batch *in)
{
    struct extreme_batch *w = (struct extreme_batch *)op;
    struct chunks chunks = {NULL, NULL};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!e->row)
            continue;
        if (!take(w, e))
            return chunks_fail(&chunks);
        if (++w->count < (uint32_t)plan_of(op)->n)
            continue;
        struct batch *b = chunks_add(&chunks, op, 3);
        if (w->released.count) {
            struct row *last = queue_take(&w->released);
            w->released.walked = 0;
            batch_add(b, last, w->ended_ms, EVENT_EXPIRED);
            batch_add(b, row_ref(last), last->at_ms, EVENT_RESET);
        }
        hand_on(w, b);
        w->ended_ms = op_now(op);
        w->count = 0;
    }
    return chunks_emit(&chunks, op);
}

static int turn(struct extreme_batch *w, const struct batch *in)
{
    struct chunks chunks = {NULL, NULL};
    const struct extreme_batch_plan *p = plan_of(&w->op);
    bool is_over = slices_tick(&w->slices, &w->dues, &w->op, p->span_ms, p->has_start ? &p->start_ms : NULL);
    for (uint32_t i = 0; in && i < in->count; i++)
        if (in->events[i].kind == EVENT_CURRENT && !take(w, &in->events[i]))
            return ERR_EVENT;
    if (!is_over)
        return 0;
    struct batch *b = chunks_add(&chunks, &w->op, 3);
    if (w->released.count) {
        struct row *last = queue_at(&w->released, 0);
        int64_t at_ms = w->released.walked ? last->at_ms : op_now(&w->op);
        if (p->expires)
            batch_add(b, row_ref(last), at_ms, EVENT_EXPIRED);
        batch_add(b, queue_take(&w->released), at_ms, EVENT_RESET);
        w->released.walked = 0;
    }
    if (w->best)
        hand_on(w, b);
    return chunks_emit(&chunks, &w->op);
}

static int time_push(struct op *op, const struct batch *in)
{
    return turn((struct extreme_batch *)op, in);
}

static int time_due(struct op *op, int64_t due_ms)
{
    struct extreme_batch *w = (struct extreme_batch *)op;
    dues_fired(&w->dues, due_ms);
    return turn(w, NULL);
}

static bool time_is_idle(const struct op *op)
{
    const struct extreme_batch *w = (const struct extreme_batch *)op;
    return !w->best && !w->released.count && slices_wait(&w->slices, &w->dues);
}

static int64_t time_skip(struct op *op, int64_t until_ms)
{
    struct extreme_batch *w = (struct extreme_batch *)op;
    return slices_skip(&w->slices, &w->dues, plan_of(op)->span_ms, until_ms);
}

static void extreme_batch_save(const struct op *op, struct writer *w)
{
    const struct extreme_batch *b = (const struct extreme_batch *)op;
    write_tag(w, op->type->name);
    write_row(w, b->best);
    write_value(w, b->value);
    write_u32(w, b->count);
    queue_save(&b->released, w);
    write_u32(w, b->released.walked);
    write_i64(w, b->ended_ms);
    write_u8(w, b->slices.is_set);
    write_i64(w, b->slices.next_ms);
    dues_save(&b->dues, w);
}

static int extreme_batch_load(struct op *op, struct reader *r)
{
    struct extreme_batch *b = (struct extreme_batch *)op;
    read_tag(r, op->type->name);
    b->best = read_row(r);
    b->value = read_value(r);
    b->count = read_u32(r);
    queue_load(&b->released, r);
    b->released.walked = read_u32(r);
    b->ended_ms = read_i64(r);
    b->slices.is_set = read_u8(r) != 0;
    b->slices.next_ms = read_i64(r);
    dues_load(&b->dues, op, r);
    if (!is_null(b->value) && b->value.type != plan_of(op)->key.expr->type)
        r->failed = true;
    return window_loaded(r);
}

static void extreme_batch_close(struct op *op)
{
    struct extreme_batch *b = (struct extreme_batch *)op;
    if (b->best)
        row_unref(take_best(b));
    value_drop(b->value);
    queue_fini(&b->released);
    dues_fini(&b->dues);
}

static struct queue *extreme_batch_content(struct op *op)
{
    return &((struct extreme_batch *)op)->released;
}

static void extreme_batch_explain(const struct op_plan *plan, struct buf *out)
{
    const struct extreme_batch_plan *p = (const struct extreme_batch_plan *)(const void *)plan;
    if (p->n)
        buf_printf(out, "(%s, %d", p->key.text, p->n);
    else
        buf_printf(out, "(%s, %lld ms", p->key.text, (long long)p->span_ms);
    if (p->has_start)
        buf_printf(out, ", %lld", (long long)p->start_ms);
    buf_add_char(out, ')');
}

#define TYPE(shown, pushes, fires, idle, skips)                                                           \
    {                                                                                                     \
        .name = "window.extrema:" shown, .size = sizeof(struct extreme_batch), .push = (pushes),          \
        .due = (fires), .save = extreme_batch_save, .load = extreme_batch_load,                           \
        .close = extreme_batch_close, .content = extreme_batch_content, .explain = extreme_batch_explain, \
        .is_idle = (idle), .skip = (skips),                                                               \
    }
static const struct op_type min_by_length = TYPE("minByLengthBatch", length_push, NULL, NULL, NULL),
                            max_by_length = TYPE("maxByLengthBatch", length_push, NULL, NULL, NULL),
                            min_by_time =
                                TYPE("minbytimebatch", time_push, time_due, time_is_idle, time_skip),
                            max_by_time =
                                TYPE("maxbytimebatch", time_push, time_due, time_is_idle, time_skip);
#undef TYPE

static bool length_args(struct window_ctx *c, const struct ast_expr *call, struct extreme_batch_plan *p)
{
    int index;
    if (!window_arg_count(c, call, 2, 2) || !window_arg_attr(c, call, 0, TYPE_NULL, &index) ||
        !window_arg_int(c, call, 1, &p->n))
        return false;
    return p->n > 0 || window_arg_wrong(c, call, 1, "must be greater than 0");
}

static bool time_args(struct window_ctx *c, const struct ast_expr *call, struct extreme_batch_plan *p)
{
    if (!window_arg_count(c, call, 2, 3) || !window_arg_duration(c, call, 1, &p->span_ms))
        return false;
    if (p->span_ms <= 0)
        return window_arg_wrong(c, call, 1, "must be greater than 0");
    p->has_start = call->arg_count == 3;
    if (!p->has_start)
        return true;
    if (!window_arg_is(call, 2, TYPE_INT) && !window_arg_is(call, 2, TYPE_LONG))
        return window_arg_wrong(c, call, 2, "must be a constant start time");
    p->start_ms = window_arg(call, 2)->literal.as.l;
    return true;
}

static struct op_plan *extreme_batch_plan(struct window_ctx *c, const struct ast_expr *call,
                                          const struct op_type *type)
{
    struct extreme_batch_plan p = {.expires = c->expired_wanted};
    bool greatest = type == &max_by_length || type == &max_by_time;
    if (type->due ? !time_args(c, call, &p) : !length_args(c, call, &p))
        return NULL;
    if (!extreme_key_plan(c, call, greatest, &p.key))
        return NULL;
    struct extreme_batch_plan *plan = window_plan_new(c, call, type, sizeof *plan);
    p.op = plan->op;
    p.op.most_rows = 2;
    *plan = p;
    return &plan->op;
}

static struct op_plan *min_by_length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return extreme_batch_plan(c, call, &min_by_length);
}
static struct op_plan *max_by_length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return extreme_batch_plan(c, call, &max_by_length);
}
static struct op_plan *min_by_time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return extreme_batch_plan(c, call, &min_by_time);
}
static struct op_plan *max_by_time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return extreme_batch_plan(c, call, &max_by_time);
}

const struct window_type window_min_by_length_batch = {"extrema", "minByLengthBatch", false,
                                                       min_by_length_plan};
const struct window_type window_max_by_length_batch = {"extrema", "maxByLengthBatch", false,
                                                       max_by_length_plan};
const struct window_type window_min_by_time_batch = {"extrema", "minbytimebatch", false, min_by_time_plan};
const struct window_type window_max_by_time_batch = {"extrema", "maxbytimebatch", false, max_by_time_plan};
