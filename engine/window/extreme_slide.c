/* extreme_slide.c - window.extrema:minByLength(v, n) maxByLength minbytime(v, span) maxbytime: of the events
 * of a sliding window the one with the least or greatest v (spec 20 section 10).
 *
 * Laws: (1) of equal values the newest counts. (2) By length, every event hands on the extreme of the last n,
 * in a chunk of its own: the one before it as expired, if it is another, then the extreme, as current and
 * with its own time, though it was handed on already. (3) By time, the last event of a chunk hands on the
 * extreme if it isn't the one handed on last. What was handed on expires by its own time, at a timer or in
 * front of what comes then; no timer hands on the next extreme. (4) Joins see what (2) shows, or what (3) did
 * not expire yet. (5) A null value fails the event, which leaves no trace. (6) Aggregators behind a window by
 * length take it for a batch window.
 *
 * What can't become the extreme any more is not held: candidates stand from the best to the worst, and each
 * leaves later than the one before it. So an event costs a search among few.
 *
 * The original forgets a newer event when an older one of an equal value leaves; this doesn't. */
#include "engine/window/extreme.h"

struct slide_plan {
    struct op_plan op;
    struct extreme_key key;
    bool is_timed;
    int32_t n;
    int64_t span_ms;
};
struct candidate {
    struct value value; /* kept */
    struct row *row;    /* counted */
    uint64_t number;    /* of its event */
};
struct slide {
    struct op op;
    struct candidate *list;
    uint32_t head, count, cap;    /* list[head .. head + count) */
    uint64_t arrived;             /* events */
    uint64_t shown;               /* number of what was handed on last */
    struct queue held;            /* handed on and not expired */
    int64_t newest_ms, latest_ms; /* of all events; of those in held */
    bool disorder;                /* held is not in order of time */
    struct dues dues;
};

static const struct slide_plan *plan_of(const struct op *op)
{
    return (const struct slide_plan *)(const void *)op->plan;
}

static void slide_open(struct op *op)
{
    struct slide *w = (struct slide *)op;
    w->newest_ms = w->latest_ms = INT64_MIN;
    w->shown = UINT64_MAX;
}

/* ---- candidates ---- */

static void candidate_end(struct candidate *c)
{
    value_drop(c->value);
    row_unref(c->row);
}

static void drop_first(struct slide *w)
{
    candidate_end(&w->list[w->head++]);
    if (--w->count == 0)
        w->head = 0;
}

static void drop_range(struct slide *w, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    struct candidate *list = w->list + w->head;
    for (uint32_t i = from; i < to; i++)
        candidate_end(&list[i]);
    memmove(list + from, list + to, (w->count - to) * sizeof *list);
    w->count -= to - from;
}

static void insert(struct slide *w, uint32_t place, struct candidate c)
{
    if (w->head + w->count == w->cap) {
        if (w->head > w->count) { /* the front half is free: use it again */
            memmove(w->list, w->list + w->head, w->count * sizeof *w->list);
            w->head = 0;
        } else {
            ASSERT(w->cap < UINT32_MAX / 2);
            w->cap = w->cap ? w->cap * 2 : 4;
            w->list = mem_resize(w->list, w->cap, sizeof *w->list);
        }
    }
    struct candidate *at = w->list + w->head + place;
    memmove(at + 1, at, (w->count - place) * sizeof *at);
    *at = c;
    w->count++;
}

static bool leaves_later(const struct slide *w, const struct candidate *a, const struct candidate *b)
{
    return plan_of(&w->op)->is_timed ? a->row->at_ms > b->row->at_ms : a->number > b->number;
}

/* The first that is worse than v, or not better when equal is set. */
static uint32_t place_of(const struct slide *w, struct value v, bool equal)
{
    uint32_t low = 0, high = w->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = extreme_compare(&plan_of(&w->op)->key, w->list[w->head + middle].value, v);
        if (order > 0 || (order == 0 && !equal))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes the event in, with its value; drops those that are no candidates beside it. */
static void admit(struct slide *w, const struct event *e, struct value v)
{
    struct candidate c = {value_keep(v), extreme_hold(e), w->arrived++};
    uint32_t from = place_of(w, v, true), worse = place_of(w, v, false), to = worse, high = w->count;
    while (to < high) { /* worse ones that leave no later */
        uint32_t middle = to + (high - to) / 2;
        if (leaves_later(w, &w->list[w->head + middle], &c))
            high = middle;
        else
            to = middle + 1;
    }
    drop_range(w, from, to);
    if (from > 0 && !leaves_later(w, &c, &w->list[w->head + from - 1]))
        candidate_end(&c); /* a better one leaves no sooner */
    else
        insert(w, from, c);
}

/* False: the event failed (law 5). */
static bool value_of(struct op *op, const struct event *e, struct value *v)
{
    const struct extreme_key *k = &plan_of(op)->key;
    if (!extreme_value(k, op, e, v))
        return false;
    if (is_null(*v))
        expr_fail(op->env, "%s: %s is null", op->type->name, k->text);
    return !op->env->failed;
}

/* ---- by length ---- */

static int length_push(struct op *op, const struct batch *in)
{
    struct slide *w = (struct slide *)op;
    const struct slide_plan *p = plan_of(op);
    struct chunks chunks = {NULL, NULL};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        struct value v;
        if (!e->row)
            continue;
        if (!value_of(op, e, &v))
            return chunks_fail(&chunks);
        admit(w, e, v);
        while (w->list[w->head].number + (uint64_t)p->n < w->arrived)
            drop_first(w);
        const struct candidate *best = &w->list[w->head];
        struct batch *b = chunks_add(&chunks, op, 2);
        if (best->number != w->shown) {
            if (w->held.count)
                batch_add(b, queue_take(&w->held), op_now(op), EVENT_EXPIRED);
            queue_add(&w->held, best->row);
            w->shown = best->number;
        }
        batch_add(b, row_ref(best->row), best->row->at_ms, EVENT_CURRENT);
    }
    return chunks_emit(&chunks, op);
}

/* ---- by time ---- */

static void expire(struct slide *w, struct batch *out)
{
    int64_t now_ms = op_now(&w->op), span_ms = plan_of(&w->op)->span_ms;
    while (w->count && time_is_due(w->list[w->head].row->at_ms, span_ms, now_ms))
        drop_first(w);
    for (uint32_t i = 0; i < w->held.count;) {
        if (time_is_due(queue_at(&w->held, i)->at_ms, span_ms, now_ms))
            batch_add(out, queue_take_at(&w->held, i), now_ms, EVENT_EXPIRED);
        else if (w->disorder)
            i++;
        else
            break;
    }
    if (!w->held.count) {
        w->disorder = false;
        w->latest_ms = INT64_MIN;
    }
}

static void show(struct slide *w, struct batch *out)
{
    const struct candidate *best = &w->list[w->head];
    if (best->number == w->shown)
        return;
    w->shown = best->number;
    queue_add(&w->held, best->row);
    w->disorder = w->disorder || best->row->at_ms < w->latest_ms;
    if (best->row->at_ms > w->latest_ms)
        w->latest_ms = best->row->at_ms;
    batch_add(out, best->row, best->row->at_ms, EVENT_CURRENT);
}

static int time_push(struct op *op, const struct batch *in)
{
    struct slide *w = (struct slide *)op;
    const struct slide_plan *p = plan_of(op);
    bool is_current = false;
    struct batch out;
    batch_init(&out, op->env->scratch, 4);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        struct value v;
        expire(w, &out);
        is_current = e->kind == EVENT_CURRENT;
        if (!is_current)
            continue;
        if (!value_of(op, e, &v))
            return window_fail(&out);
        admit(w, e, v);
        if (e->at_ms > w->newest_ms) {
            w->newest_ms = e->at_ms;
            dues_request(&w->dues, op, time_add(e->at_ms, p->span_ms));
        }
    }
    if (is_current)
        show(w, &out);
    return window_emit(op, &out);
}

static int time_due(struct op *op, int64_t due_ms)
{
    struct slide *w = (struct slide *)op;
    struct batch out;
    dues_fired(&w->dues, due_ms);
    batch_init(&out, op->env->scratch, 4);
    out.is_batch = true;
    expire(w, &out);
    return window_emit(op, &out);
}

/* ---- state ---- */

static void slide_save(const struct op *op, struct writer *w)
{
    const struct slide *s = (const struct slide *)op;
    write_tag(w, op->type->name);
    write_held(w, s->cap * sizeof *s->list);
    write_count(w, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->list[s->head + i];
        write_value(w, c->value);
        write_row(w, c->row);
        write_i64(w, (int64_t)c->number);
    }
    write_i64(w, (int64_t)s->arrived);
    write_i64(w, (int64_t)s->shown);
    queue_save(&s->held, w);
    write_i64(w, s->newest_ms);
    write_i64(w, s->latest_ms);
    write_u8(w, s->disorder);
    dues_save(&s->dues, w);
}

static int slide_load(struct op *op, struct reader *r)
{
    struct slide *s = (struct slide *)op;
    read_tag(r, op->type->name);
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct candidate c = {.value = read_value(r)};
        c.row = read_row(r);
        c.number = (uint64_t)read_i64(r);
        if (!c.row || c.value.type != plan_of(op)->key.expr->type) {
            value_drop(c.value);
            if (c.row)
                row_unref(c.row);
            return ERR_STATE;
        }
        insert(s, s->count, c);
    }
    s->arrived = (uint64_t)read_i64(r);
    s->shown = (uint64_t)read_i64(r);
    queue_load(&s->held, r);
    s->newest_ms = read_i64(r);
    s->latest_ms = read_i64(r);
    s->disorder = read_u8(r) != 0;
    dues_load(&s->dues, op, r);
    return window_loaded(r);
}

static void slide_close(struct op *op)
{
    struct slide *s = (struct slide *)op;
    for (uint32_t i = 0; i < s->count; i++)
        candidate_end(&s->list[s->head + i]);
    mem_free(s->list);
    queue_fini(&s->held);
    dues_fini(&s->dues);
}

static struct queue *slide_content(struct op *op)
{
    return &((struct slide *)op)->held;
}

static void slide_explain(const struct op_plan *plan, struct buf *out)
{
    const struct slide_plan *p = (const struct slide_plan *)(const void *)plan;
    if (p->is_timed)
        buf_printf(out, "(%s, %lld ms)", p->key.text, (long long)p->span_ms);
    else
        buf_printf(out, "(%s, %d)", p->key.text, p->n);
}

#define TYPE(shown, pushes, fires)                                                                           \
    {                                                                                                        \
        .name = "window.extrema:" shown, .size = sizeof(struct slide), .open = slide_open, .push = (pushes), \
        .due = (fires), .save = slide_save, .load = slide_load, .close = slide_close,                        \
        .content = slide_content, .content_is_stable = true, .explain = slide_explain,                       \
    }
static const struct op_type min_by_length = TYPE("minByLength", length_push, NULL),
                            max_by_length = TYPE("maxByLength", length_push, NULL),
                            min_by_time = TYPE("minbytime", time_push, time_due),
                            max_by_time = TYPE("maxbytime", time_push, time_due);
#undef TYPE

static struct op_plan *slide_plan(struct window_ctx *c, const struct ast_expr *call,
                                  const struct op_type *type)
{
    struct slide_plan p = {.is_timed = type->due != NULL};
    bool greatest = type == &max_by_length || type == &max_by_time;
    if (!window_arg_count(c, call, 2, 2) || !extreme_key_plan(c, call, greatest, &p.key))
        return NULL;
    if (p.is_timed ? !window_arg_duration(c, call, 1, &p.span_ms) : !window_arg_int(c, call, 1, &p.n))
        return NULL;
    if (p.is_timed ? p.span_ms <= 0 : p.n <= 0) {
        window_arg_wrong(c, call, 1, "must be greater than 0");
        return NULL;
    }
    struct slide_plan *plan = window_plan_new(c, call, type, sizeof *plan);
    p.op = plan->op;
    p.op.most_rows = (uint64_t)p.n;
    p.op.held_bytes = (uint32_t)(row_bytes(c->in->count) + sizeof(struct candidate));
    for (uint32_t i = 0; i < c->in->count; i++)
        p.op.holds_texts |= type_is_counted(c->in->attributes[i].type);
    *plan = p;
    return &plan->op;
}

static struct op_plan *min_by_length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return slide_plan(c, call, &min_by_length);
}
static struct op_plan *max_by_length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return slide_plan(c, call, &max_by_length);
}
static struct op_plan *min_by_time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return slide_plan(c, call, &min_by_time);
}
static struct op_plan *max_by_time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return slide_plan(c, call, &max_by_time);
}

const struct window_type window_min_by_length = {"extrema", "minByLength", false, min_by_length_plan};
const struct window_type window_max_by_length = {"extrema", "maxByLength", false, max_by_length_plan};
const struct window_type window_min_by_time = {"extrema", "minbytime", true, min_by_time_plan};
const struct window_type window_max_by_time = {"extrema", "maxbytime", true, max_by_time_plan};
