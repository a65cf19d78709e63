/* agg_minmax.c - min max minForever maxForever (spec 03 section 6).
 *
 * With a sliding window (layout.removable) a state is a queue of the values that may still become the
 * extreme: a new value throws out those it beats from the end, so the queue is sorted and its front is the
 * extreme. Removal takes the first equal one out, if it is still there. A NaN beats nothing and nothing beats
 * it: it stops that throwing out, so the extreme is kept beside the queue: what beats it replaces it, and a
 * removal sets it to the front. Otherwise a state is the extreme alone, and removing that one forgets all.
 *
 * Law: values have the tag of the argument's type; another tag fails the event. Integers compare as longs,
 * the others as doubles. */
#include "engine/expr/agg.h"
#include "engine/expr/agg_spot.h"
#include <math.h>

struct queue_state {
    union cell *cells; /* ring of cap, a power of two */
    uint32_t head, count, cap;
    bool has_nan;       /* the queue may be out of order */
    union cell extreme; /* while count is not 0 */
};

static void queue_fini(void *state)
{
    mem_free(((struct queue_state *)state)->cells);
}
static bool queue_is_empty(const void *state)
{
    return ((const struct queue_state *)state)->count == 0;
}
static union cell *queue_at(const struct queue_state *q, uint32_t i)
{
    return &q->cells[(q->head + i) & (q->cap - 1)];
}
static void queue_push(struct queue_state *q, union cell c)
{
    if (q->count == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 4;
        union cell *cells = mem_array(cap, sizeof(*cells));
        for (uint32_t i = 0; i < q->count; i++)
            cells[i] = *queue_at(q, i);
        mem_free(q->cells);
        q->cells = cells;
        q->cap = cap;
        q->head = 0;
    }
    *queue_at(q, q->count++) = c;
}
static void queue_remove(struct queue_state *q, uint32_t at)
{
    if (at == 0) {
        q->head = (q->head + 1) & (q->cap - 1);
        q->count--;
        return;
    }
    for (; at + 1 < q->count; at++)
        *queue_at(q, at) = *queue_at(q, at + 1);
    q->count--;
}
static void queue_save(const void *state, struct writer *w)
{
    const struct queue_state *q = state;
    write_count(w, q->count);
    write_u8(w, q->has_nan);
    write_i64(w, q->extreme.l);
    for (uint32_t i = 0; i < q->count; i++)
        write_i64(w, queue_at(q, i)->l);
}
static int queue_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    size_t n = read_count(r, UINT32_MAX / 2);
    ((struct queue_state *)state)->has_nan = read_u8(r) != 0;
    ((struct queue_state *)state)->extreme.l = read_i64(r);
    for (size_t i = 0; i < n && !r->failed; i++)
        queue_push(state, (union cell){.l = read_i64(r)});
    return r->failed ? ERR_STATE : 0;
}

static const struct agg_type extreme_type = {.name = "extreme", .size = sizeof(struct extreme)};
static const struct agg_type queue_type = {.name = "extremes",
                                           .size = sizeof(struct queue_state),
                                           .fini = queue_fini,
                                           .is_empty = queue_is_empty,
                                           .save = queue_save,
                                           .load = queue_load};

static inline double real(union cell c, enum type type)
{
    return type == TYPE_FLOAT ? (double)c.f : c.d;
}
static inline bool is_nan(union cell c, enum type type)
{
    return type > TYPE_LONG && isnan(real(c, type));
}
/* a stands before b: greater for max, less for min. */
static inline bool beats(union cell a, union cell b, enum type type, bool max)
{
    if (type <= TYPE_LONG)
        return max ? a.l > b.l : a.l < b.l;
    double x = real(a, type), y = real(b, type);
    return max ? x > y : x < y;
}
/* As Java's equals: by the bits, and NaN is NaN. */
static inline bool equal(union cell a, union cell b, enum type type)
{
    if (type == TYPE_FLOAT) {
        uint32_t x, y;
        memcpy(&x, &a.f, sizeof x);
        memcpy(&y, &b.f, sizeof y);
        return x == y || (isnan(a.f) && isnan(b.f));
    }
    return a.l == b.l || (type == TYPE_DOUBLE && isnan(a.d) && isnan(b.d));
}

/* 1: v is a value to work with, 0: null, -1: the event failed. */
static inline int argument(const struct expr *e, struct frame *f, struct value *v)
{
    *v = load_any(e->left, f);
    if (UNLIKELY(f->env->failed))
        return -1;
    if (LIKELY(v->type == e->type))
        return 1;
    if (is_null(*v))
        return 0;
    fail_operand(f, e, *v, type_name(e->type));
    return -1;
}

static inline struct value evaluate_queue(const struct expr *e, struct frame *f, bool max)
{
    struct queue_state *q = agg_state(e, f);
    struct value v;
    int there = argument(e, f, &v);
    if (there < 0)
        return VALUE_NULL;
    if (f->kind == EVENT_RESET)
        agg_state_reset(e, f);
    else if (there && f->kind == EVENT_CURRENT) {
        bool replaces = !q->count || beats(v.as, q->extreme, e->type, max);
        while (q->count && beats(v.as, *queue_at(q, q->count - 1), e->type, max))
            q->count--;
        queue_push(q, v.as);
        if (replaces)
            q->extreme = v.as;
        if (UNLIKELY(is_nan(v.as, e->type)))
            q->has_nan = true;
    } else if (there && f->kind == EVENT_EXPIRED) {
        for (uint32_t i = 0; i < q->count; i++) {
            if (equal(*queue_at(q, i), v.as, e->type)) {
                queue_remove(q, i);
                break;
            }
            if (!q->has_nan && beats(v.as, *queue_at(q, i), e->type, max))
                break; /* sorted: it was beaten long ago */
        }
        if (q->count)
            q->extreme = *queue_at(q, 0);
        else
            q->has_nan = false;
    }
    return q->count ? (struct value){q->extreme, e->type} : VALUE_NULL;
}

static inline struct value evaluate_extreme(const struct expr *e, struct frame *f, bool max, bool forever)
{
    struct extreme *x = agg_state(e, f);
    struct value v;
    if (LIKELY(f->kind == EVENT_CURRENT && e->left->eval == eval_attr)) {
        v = row_load(f->rows[e->left->slot], e->left);
        if (LIKELY(v.type == e->type && x->has && !f->env->failed)) {
            if (beats(v.as, x->value, e->type, max))
                x->value = v.as;
            return (struct value){x->value, e->type};
        }
    }
    int there = argument(e, f, &v);
    if (there < 0)
        return VALUE_NULL;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
    } else if (there && (f->kind == EVENT_CURRENT || (forever && f->kind == EVENT_EXPIRED))) {
        if (!x->has || beats(v.as, x->value, e->type, max)) {
            x->value = v.as;
            x->has = 1;
        }
    } else if (there && f->kind == EVENT_EXPIRED && x->has && equal(x->value, v.as, e->type)) {
        memset(x, 0, sizeof(*x));
    }
    return x->has ? (struct value){x->value, e->type} : VALUE_NULL;
}

static struct value eval_min(const struct expr *e, struct frame *f)
{
    return evaluate_extreme(e, f, false, false);
}
static struct value eval_max(const struct expr *e, struct frame *f)
{
    return evaluate_extreme(e, f, true, false);
}
static struct value eval_min_forever(const struct expr *e, struct frame *f)
{
    return evaluate_extreme(e, f, false, true);
}
static struct value eval_max_forever(const struct expr *e, struct frame *f)
{
    return evaluate_extreme(e, f, true, true);
}
static struct value eval_min_queue(const struct expr *e, struct frame *f)
{
    return evaluate_queue(e, f, false);
}
static struct value eval_max_queue(const struct expr *e, struct frame *f)
{
    return evaluate_queue(e, f, true);
}

static int bind_extreme(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)call;
    if (c->aggs->removable) {
        e->agg = &queue_type;
        e->eval = e->eval == eval_max ? eval_max_queue : eval_min_queue;
    } else if (e->left->eval == eval_attr && e->left->type == TYPE_DOUBLE) {
        e->spot = e->eval == eval_max ? SPOT_MAX : SPOT_MIN;
    }
    return 0;
}

/* Rows: agg.h. */
const struct aggregator agg_extremes[] = {
    {NULL, "max", "n", TYPE_NULL, &extreme_type, eval_max, NULL, bind_extreme},
    {NULL, "maxForever", "n", TYPE_NULL, &extreme_type, eval_max_forever, NULL, NULL},
    {NULL, "min", "n", TYPE_NULL, &extreme_type, eval_min, NULL, bind_extreme},
    {NULL, "minForever", "n", TYPE_NULL, &extreme_type, eval_min_forever, NULL, NULL},
    {0},
};
