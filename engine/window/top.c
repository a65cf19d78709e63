/* top.c - #extrema:topK(a, k) topKLengthBatch(a, n, k) topKTimeBatch(a, span, k [, start]) and bottomK...:
 * the k most, or least, frequent values of an attribute (spec 20 section 10). Adds Top1Element Top1Frequency
 * ... or Bottom1Element ... to the last event that came.
 *
 * Laws: (1) by frequency, of equals the one that came to it last first (ranking.h); places that nobody fills
 * are null. (2) An event goes out when one of the places that are filled is another than it was when the last
 * one went out; that places were left empty is no change. (3) topK counts what stands in the window before
 * it: current events add, expired ones take away, a RESET begins anew. Every chunk gives: what went out last,
 * as expired, once; a RESET with the last event; the new event. (4) The others count a batch of n events or a
 * slice of time from the first event, or from start after the app began; at its end: what went out last, as
 * expired; a RESET, if something ever did; the new event; then they begin anew. A slice takes the event that
 * finds it over. Before start nothing is counted.
 *
 * The original compares what went out by identity, so that equal texts count as changed there, keeps what
 * went out for all keys of a partition together, and loses the order by frequency when a value leaves. */
#include "engine/base/limits.h"
#include "engine/window/handler.h"
#include "engine/window/ranking.h"

struct top_plan {
    struct op_plan op;
    bool most; /* top, not bottom */
    bool expires;
    bool has_start;
    int attribute;
    int32_t k;
    int32_t n;       /* events of a batch; 0: no such batches */
    int64_t span_ms; /* of a slice; 0: no slices */
    int64_t start_ms;
};
struct top_shared {
    bool is_started;
    int64_t start_ms;
};
struct top {
    struct op op;
    struct ranking ranking;
    struct row *last;  /* that came; of the schema before, or behind when it went out. Counted, may be NULL */
    struct row *shown; /* that went out; counted, may be NULL */
    bool waits;        /* shown did not expire yet */
    uint32_t count;    /* events of the batch */
    struct slices slices;
    struct dues dues;
};

static const struct top_plan *plan_of(const struct op *op)
{
    return (const struct top_plan *)(const void *)op->plan;
}

/* By the clock, and for good: of all copies in a partition. */
static int64_t start_of(const struct op *op)
{
    struct top_shared *s = op_shared(op);
    if (!s->is_started)
        s->start_ms = time_add(op->env->began_ms, plan_of(op)->start_ms);
    s->is_started = true;
    return s->start_ms;
}

static int top_start(struct op *op, struct err *e)
{
    (void)e;
    start_of(op);
    return 0;
}

static void take_last(struct top *t, const struct event *e)
{
    if (t->last)
        row_unref(t->last);
    t->last = e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
}

static void count_in(struct top *t, const struct event *e)
{
    ranking_add(&t->ranking, row_get(e->row, (size_t)plan_of(&t->op)->attribute));
}

/* The last event, wide enough to go out. */
static struct row *widen_last(struct top *t)
{
    uint32_t width = t->op.plan->out->count;
    if (t->last->count < width) {
        struct row *wide = row_copy(t->last, width - t->last->count, t->last->at_ms);
        row_unref(t->last);
        t->last = wide;
    }
    return t->last;
}

/* Is one of the filled places another than it was? */
static bool is_changed(const struct top *t)
{
    const struct top_plan *p = plan_of(&t->op);
    size_t at = p->op.in->count;
    uint32_t place = ranking_first(&t->ranking, p->most);
    for (int32_t i = 0; i < p->k && place; i++, at += 2) {
        if (!t->shown || !value_same(row_get(t->shown, at), ranking_value(&t->ranking, place)) ||
            row_get(t->shown, at + 1).as.l != ranking_frequency(&t->ranking, place) ||
            is_null(row_get(t->shown, at + 1)))
            return true;
        place = ranking_next(&t->ranking, place, p->most);
    }
    return false;
}

/* The last event with the places. */
static struct row *row_of_places(const struct top *t)
{
    const struct top_plan *p = plan_of(&t->op);
    size_t at = p->op.in->count;
    struct row *row = row_new(p->op.out->count, t->last->at_ms);
    for (size_t i = 0; i < at; i++)
        row_set(row, i, row_get(t->last, i));
    uint32_t place = ranking_first(&t->ranking, p->most);
    for (int32_t i = 0; i < p->k && place; i++, at += 2) {
        row_set(row, at, ranking_value(&t->ranking, place));
        row_set(row, at + 1, value_long(ranking_frequency(&t->ranking, place)));
        place = ranking_next(&t->ranking, place, p->most);
    }
    return row;
}

/* Into a chunk, where every row is owned. */
static void expire(struct top *t, struct batch *b)
{
    if (t->waits)
        batch_add(b, row_ref(t->shown), op_now(&t->op), EVENT_EXPIRED);
    t->waits = false;
}
static void reset(struct top *t, struct batch *b)
{
    if (t->last)
        batch_add(b, row_ref(widen_last(t)), t->last->at_ms, EVENT_RESET);
}
static void show(struct top *t, struct batch *b)
{
    if (!t->last || !is_changed(t))
        return;
    struct row *row = row_of_places(t);
    if (t->shown)
        row_unref(t->shown);
    row_unref(t->last);
    t->shown = row;
    t->last = row_ref(row);
    t->waits = true;
    batch_add(b, row_ref(row), row->at_ms, EVENT_CURRENT);
}

/* ---- behind a window ---- */

static int window_push(struct op *op, const struct batch *in)
{
    struct top *t = (struct top *)op;
    struct chunks chunks = {NULL, NULL};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind == EVENT_CURRENT) {
            take_last(t, e);
            count_in(t, e);
        } else if (e->kind == EVENT_EXPIRED) {
            ranking_remove(&t->ranking, row_get(e->row, (size_t)plan_of(op)->attribute));
        } else if (e->kind == EVENT_RESET) {
            ranking_clear(&t->ranking);
        }
    }
    struct batch *b = chunks_add(&chunks, op, 3);
    expire(t, b);
    reset(t, b);
    show(t, b);
    return chunks_emit(&chunks, op);
}

/* ---- in batches ---- */

/* The end of one. */
static void finish(struct top *t, struct batch *b)
{
    if (t->waits) {
        if (plan_of(&t->op)->expires)
            expire(t, b);
        reset(t, b);
    }
    show(t, b);
    ranking_clear(&t->ranking);
    t->count = 0;
}

static int length_push(struct op *op, const struct batch *in)
{
    struct top *t = (struct top *)op;
    struct chunks chunks = {NULL, NULL};
    struct batch *b = chunks_add(&chunks, op, 3);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind != EVENT_CURRENT)
            continue;
        count_in(t, e);
        if (++t->count < (uint32_t)plan_of(op)->n)
            continue;
        take_last(t, e);
        finish(t, b);
    }
    return chunks_emit(&chunks, op);
}

static int turn(struct top *t, const struct batch *in)
{
    struct chunks chunks = {NULL, NULL};
    const struct top_plan *p = plan_of(&t->op);
    const int64_t start_ms = p->has_start ? start_of(&t->op) : 0;
    bool is_over = slices_tick(&t->slices, &t->dues, &t->op, p->span_ms, p->has_start ? &start_ms : NULL);
    bool counts = !p->has_start || op_now(&t->op) >= start_ms;
    for (uint32_t i = 0; in && counts && i < in->count; i++)
        if (in->events[i].kind == EVENT_CURRENT) {
            take_last(t, &in->events[i]);
            count_in(t, &in->events[i]);
        }
    if (is_over)
        finish(t, chunks_add(&chunks, &t->op, 3));
    return chunks_emit(&chunks, &t->op);
}

static int time_push(struct op *op, const struct batch *in)
{
    return turn((struct top *)op, in);
}

static int time_due(struct op *op, int64_t due_ms)
{
    struct top *t = (struct top *)op;
    dues_fired(&t->dues, due_ms);
    return turn(t, NULL);
}

/* ---- state ---- */

static void top_save_shared(const struct op_plan *plan, const void *shared, struct writer *w)
{
    const struct top_shared *s = shared;
    (void)plan;
    write_u8(w, s->is_started);
    write_i64(w, s->start_ms);
}

static int top_load_shared(const struct op_plan *plan, void *shared, struct reader *r)
{
    struct top_shared *s = shared;
    (void)plan;
    s->is_started = read_u8(r) != 0;
    s->start_ms = read_i64(r);
    return window_loaded(r);
}

static void top_save(const struct op *op, struct writer *w)
{
    struct top *t = (struct top *)(uintptr_t)op; /* how it is saved is no part of what it holds */
    write_tag(w, op->type->name);
    ranking_save(&t->ranking, w);
    write_row(w, t->last);
    write_row(w, t->shown);
    write_u8(w, t->waits);
    write_u32(w, t->count);
    write_u8(w, t->slices.is_set);
    write_i64(w, t->slices.next_ms);
    top_save_shared(op->plan, op_shared(op), w);
    dues_save(&t->dues, w);
}

static void top_ahead(const struct op *op, struct writer *w)
{
    ranking_save(&((struct top *)(uintptr_t)op)->ranking, w);
}

/* A row that can't be of this place in the query. */
static bool is_foreign(const struct op *op, const struct row *row, bool wide)
{
    return row && row->count != op->plan->out->count && (wide || row->count != op->plan->in->count);
}

static int top_load(struct op *op, struct reader *r)
{
    struct top *t = (struct top *)op;
    read_tag(r, op->type->name);
    if (ranking_load(&t->ranking, r) < 0)
        return ERR_STATE;
    t->last = read_row(r);
    t->shown = read_row(r);
    t->waits = read_u8(r) != 0;
    t->count = read_u32(r);
    t->slices.is_set = read_u8(r) != 0;
    t->slices.next_ms = read_i64(r);
    top_load_shared(op->plan, op_shared(op), r); /* the same in every copy */
    timer_cancel(op);
    dues_load(&t->dues, op, r);
    if (is_foreign(op, t->last, false) || is_foreign(op, t->shown, true) || (t->waits && !t->shown))
        r->failed = true;
    return window_loaded(r);
}

static void top_close(struct op *op)
{
    struct top *t = (struct top *)op;
    ranking_fini(&t->ranking);
    if (t->last)
        row_unref(t->last);
    if (t->shown)
        row_unref(t->shown);
    dues_fini(&t->dues);
}

static void top_explain(const struct op_plan *plan, struct buf *out)
{
    const struct top_plan *p = (const struct top_plan *)(const void *)plan;
    buf_printf(out, "(%s, ", plan->in->attributes[p->attribute].name);
    if (p->n)
        buf_printf(out, "%d, ", p->n);
    if (p->span_ms)
        buf_printf(out, "%lld ms, ", (long long)p->span_ms);
    buf_printf(out, "%d", p->k);
    if (p->has_start)
        buf_printf(out, ", %lld", (long long)p->start_ms);
    buf_add_char(out, ')');
}

#define TYPE(shown, pushes, starts, fires)                                                                   \
    {                                                                                                        \
        .name = "extrema:" shown, .size = sizeof(struct top), .shared_size = sizeof(struct top_shared),      \
        .save_shared = top_save_shared, .load_shared = top_load_shared, .start = (starts), .push = (pushes), \
        .due = (fires), .save = top_save, .load = top_load, .ahead = top_ahead, .close = top_close,          \
        .explain = top_explain,                                                                              \
    }
static const struct op_type top_k = TYPE("topK", window_push, NULL, NULL),
                            bottom_k = TYPE("bottomK", window_push, NULL, NULL),
                            top_by_length = TYPE("topKLengthBatch", length_push, NULL, NULL),
                            bottom_by_length = TYPE("bottomKLengthBatch", length_push, NULL, NULL),
                            top_by_time = TYPE("topKTimeBatch", time_push, top_start, time_due),
                            bottom_by_time = TYPE("bottomKTimeBatch", time_push, top_start, time_due);
#undef TYPE

/* ---- plan ---- */

/* in, and two attributes for each place. NULL after reporting. */
static struct schema *schema_behind(struct window_ctx *c, const struct ast_expr *call,
                                    const struct top_plan *p)
{
    struct schema *s = schema_new(c->arena, c->in->id, c->in->count + 2 * (uint32_t)p->k);
    memcpy(s->attributes, c->in->attributes, c->in->count * sizeof(*s->attributes));
    for (int32_t i = 0; i < 2 * p->k; i++) {
        bool is_element = i % 2 == 0;
        const char *name = arena_printf(c->arena, "%s%d%s", p->most ? "Top" : "Bottom", i / 2 + 1,
                                        is_element ? "Element" : "Frequency");
        s->attributes[c->in->count + (uint32_t)i] =
            (struct attribute){name, is_element ? c->in->attributes[p->attribute].type : TYPE_LONG};
        if (schema_find(c->in, name) >= 0) {
            diag_error(c->diags, call->op_span,
                       "extrema:%s adds the attribute '%s', and there is one already", call->name.text, name);
            return NULL;
        }
    }
    return s;
}

static bool count_arg(struct window_ctx *c, const struct ast_expr *call, int at, int32_t *out)
{
    if (!window_arg_int(c, call, at, out))
        return false;
    return *out > 0 || window_arg_wrong(c, call, at, "must be greater than 0");
}

/* The arguments in front of and behind k. */
static bool batch_args(struct window_ctx *c, const struct ast_expr *call, bool is_timed, struct top_plan *p)
{
    int32_t start;
    if (!is_timed)
        return count_arg(c, call, 1, &p->n);
    if (!window_arg_duration(c, call, 1, &p->span_ms))
        return false;
    if (p->span_ms <= 0)
        return window_arg_wrong(c, call, 1, "must be greater than 0");
    p->has_start = call->arg_count == 4;
    if (!p->has_start)
        return true;
    if (!window_arg_int(c, call, 3, &start))
        return false;
    p->start_ms = start;
    return true;
}

static struct op_plan *top_plan(struct window_ctx *c, const struct ast_expr *call, const struct schema **out,
                                const struct op_type *type, bool most)
{
    struct top_plan p = {.most = most, .expires = c->expired_wanted};
    bool is_timed = type->due != NULL, has_batch = type->push != window_push;
    int k_at = has_batch ? 2 : 1;
    if (!window_arg_count(c, call, k_at + 1, k_at + 1 + is_timed) ||
        !window_arg_attr(c, call, 0, TYPE_NULL, &p.attribute) ||
        (has_batch && !batch_args(c, call, is_timed, &p)) || !count_arg(c, call, k_at, &p.k))
        return NULL;
    if (p.k > LIMIT_TOP_PLACES) {
        window_arg_wrong(c, call, k_at, arena_printf(c->arena, "must be at most %d", LIMIT_TOP_PLACES));
        return NULL;
    }
    const struct schema *schema = schema_behind(c, call, &p);
    if (!schema)
        return NULL;
    struct top_plan *plan = window_plan_new(c, call, type, sizeof *plan);
    p.op = plan->op;
    p.op.out = *out = schema;
    *plan = p;
    return &plan->op;
}

#define PLAN(name, type, most)                                                                          \
    static struct op_plan *name(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec, \
                                const struct schema **out)                                              \
    {                                                                                                   \
        (void)ec;                                                                                       \
        return top_plan(c, call, out, &(type), most);                                                   \
    }
PLAN(top_k_plan, top_k, true)
PLAN(bottom_k_plan, bottom_k, false)
PLAN(top_by_length_plan, top_by_length, true)
PLAN(bottom_by_length_plan, bottom_by_length, false)
PLAN(top_by_time_plan, top_by_time, true)
PLAN(bottom_by_time_plan, bottom_by_time, false)

const struct handler_type handler_top = {"extrema", "topK", top_k_plan, true};
const struct handler_type handler_bottom = {"extrema", "bottomK", bottom_k_plan, true};
const struct handler_type handler_top_length = {"extrema", "topKLengthBatch", top_by_length_plan, true};
const struct handler_type handler_bottom_length = {"extrema", "bottomKLengthBatch", bottom_by_length_plan,
                                                   true};
const struct handler_type handler_top_time = {"extrema", "topKTimeBatch", top_by_time_plan, true};
const struct handler_type handler_bottom_time = {"extrema", "bottomKTimeBatch", bottom_by_time_plan, true};
