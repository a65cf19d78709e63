/* agg_sum.c - sum avg count stdDev and or (spec 03 section 6): aggregators whose state is a few numbers.
 *
 * Laws: a null argument leaves sum, avg and stdDev as they are; sums of double keep their rounding residue;
 * removal from a sum of longs is computed in double and truncated, which the language's users see beyond
 * 2^53. */
#include "engine/base/num.h"
#include "engine/expr/agg.h"
#include "engine/expr/agg_spot.h"
#include <math.h>

struct long_total {
    int64_t sum;
    int64_t count;
};
struct deviation {
    double sum, mean, m2;
    int64_t count;
};
struct truths {
    int64_t yes, no;
};

static bool total_is_empty(const void *state)
{
    const struct total *t = state;
    return t->count == 0 && t->sum == 0;
}
static const struct agg_type total_type = {
    .name = "total", .size = sizeof(struct total), .is_empty = total_is_empty};
static const struct agg_type long_total_type = {.name = "long total", .size = sizeof(struct long_total)};
static const struct agg_type count_type = {.name = "count", .size = sizeof(struct count)};
static const struct agg_type deviation_type = {.name = "deviation", .size = sizeof(struct deviation)};
static const struct agg_type truths_type = {.name = "truths", .size = sizeof(struct truths)};

/* The slow path of an argument that should be a number of type to: false when there is nothing to add (null,
 * or the event failed, for the value has not the type its column declares). */
static __attribute__((noinline)) bool argument_convert(const struct expr *e, struct frame *f, struct value *v,
                                                       enum type to)
{
    if (is_null(*v))
        return false;
    if (v->type == e->left->type && number_convert(v, to))
        return true;
    fail_operand(f, e, *v, "a number");
    return false;
}

/* ---- sum and avg over double ---- */

/* What is no double, and RESET. */
static __attribute__((noinline)) bool total_update_slow(const struct expr *e, struct frame *f,
                                                        struct total *t, struct value v)
{
    if (v.type != TYPE_DOUBLE && !argument_convert(e, f, &v, TYPE_DOUBLE))
        v = VALUE_NULL;
    if (f->env->failed)
        return false;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
    } else if (v.type == TYPE_DOUBLE && f->kind == EVENT_CURRENT) {
        t->sum += v.as.d;
        t->count++;
        return true;
    } else if (v.type == TYPE_DOUBLE && f->kind == EVENT_EXPIRED) {
        t->sum -= v.as.d;
        t->count--;
    }
    return false;
}

static struct value no_result(double sum, int64_t count, bool added)
{
    (void)sum, (void)count, (void)added;
    return VALUE_NULL;
}
typedef struct value (*total_result)(double sum, int64_t count, bool added);

static __attribute__((noinline)) struct value total_slow(const struct expr *e, struct frame *f,
                                                         struct value v, total_result result)
{
    struct total *t = agg_state(e, f);
    bool added = total_update_slow(e, f, t, v);
    return result(t->sum, t->count, added);
}

static inline struct value total_node(const struct expr *e, struct frame *f, struct value v,
                                      total_result result)
{
    struct total *t = agg_state(e, f);
    if (UNLIKELY(v.type != TYPE_DOUBLE || f->kind > EVENT_EXPIRED || f->env->failed))
        return total_slow(e, f, v, result);
    const bool adds = f->kind == EVENT_CURRENT;
    double sum = adds ? t->sum + v.as.d : t->sum - v.as.d;
    int64_t count = t->count + (adds ? 1 : -1);
    t->sum = sum;
    t->count = count;
    return result(sum, count, adds);
}

#define TOTAL_NODE(name, load, result)                              \
    static struct value name(const struct expr *e, struct frame *f) \
    {                                                               \
        return total_node(e, f, load(e->left, f), result);          \
    }
TOTAL_NODE(eval_sum_double, load_any, sum_result)
TOTAL_NODE(eval_sum_double_attr, load_attr, sum_result)
TOTAL_NODE(eval_avg, load_any, avg_result)
TOTAL_NODE(eval_avg_attr, load_attr, avg_result)
TOTAL_NODE(touch_total, load_any, no_result)
TOTAL_NODE(touch_total_attr, load_attr, no_result)

static int bind_total(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    (void)call;
    if (e->left->eval == eval_attr && e->left->type == TYPE_DOUBLE)
        e->spot = e->eval == eval_sum_double_attr ? SPOT_SUM
                  : e->eval == eval_avg_attr      ? SPOT_AVG
                                                  : SPOT_NONE;
    e->touch = e->eval == eval_sum_double_attr || e->eval == eval_avg_attr ? touch_total_attr : touch_total;
    return 0;
}

/* ---- sum over int and long ---- */

static inline struct value sum_long(const struct expr *e, struct frame *f, struct value v)
{
    struct long_total *t = agg_state(e, f);
    bool there = LIKELY(v.type == e->left->type) || argument_convert(e, f, &v, TYPE_LONG);
    if (UNLIKELY(f->env->failed))
        return VALUE_NULL;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
    } else if (there) {
        if (f->kind == EVENT_CURRENT) {
            t->sum = (int64_t)((uint64_t)t->sum + (uint64_t)v.as.l);
            t->count++;
            return value_long(t->sum);
        } else if (f->kind == EVENT_EXPIRED) {
            t->sum = num_double_to_long((double)t->sum - (double)v.as.l);
            t->count--;
        }
    }
    return t->count ? value_long(t->sum) : VALUE_NULL;
}
static struct value eval_sum_long(const struct expr *e, struct frame *f)
{
    return sum_long(e, f, load_any(e->left, f));
}
static struct value eval_sum_long_attr(const struct expr *e, struct frame *f)
{
    return sum_long(e, f, load_attr(e->left, f));
}

/* ---- count: events, nulls included ---- */

static inline struct value count_event(const struct expr *e, struct frame *f)
{
    struct count *t = agg_state(e, f);
    if (UNLIKELY(f->env->failed))
        return VALUE_NULL;
    if (f->kind == EVENT_CURRENT)
        t->count++;
    else if (f->kind == EVENT_EXPIRED)
        t->count--;
    else if (f->kind == EVENT_RESET)
        t->count = 0;
    return value_long(t->count);
}
static struct value eval_count(const struct expr *e, struct frame *f)
{
    if (e->left && !(e->left->flags & EXPR_PURE)) /* it may fail, or aggregate itself */
        load_any(e->left, f);
    return count_event(e, f);
}
static struct value eval_count_attr(const struct expr *e, struct frame *f)
{
    return count_event(e, f);
}

static int bind_count(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    (void)call;
    if (!e->left || e->left->flags & EXPR_PURE)
        e->spot = SPOT_COUNT;
    return 0;
}

/* ---- stdDev ---- */

static void deviation_add(struct deviation *t, double x)
{
    t->count++;
    if (t->count == 0) /* more was removed than added, after events that failed half way: it only counts */
        return;
    if (t->count == 1) {
        t->sum = t->mean = x;
        t->m2 = 0;
        return;
    }
    double old = t->mean;
    t->sum += x;
    t->mean = t->sum / (double)t->count;
    t->m2 += (x - old) * (x - t->mean);
}
static void deviation_remove(struct deviation *t, double x)
{
    t->count--;
    if (t->count == 0) {
        memset(t, 0, sizeof(*t));
        return;
    }
    double old = t->mean;
    t->sum -= x;
    t->mean = t->sum / (double)t->count;
    t->m2 -= (x - old) * (x - t->mean);
}
static struct value eval_deviation(const struct expr *e, struct frame *f)
{
    struct value v = load_any(e->left, f);
    struct deviation *t = agg_state(e, f);
    bool there = argument_convert(e, f, &v, TYPE_DOUBLE);
    if (f->env->failed)
        return VALUE_NULL;
    if (f->kind == EVENT_RESET)
        agg_state_reset(e, f);
    else if (there && f->kind == EVENT_CURRENT)
        deviation_add(t, v.as.d);
    else if (there && f->kind == EVENT_EXPIRED)
        deviation_remove(t, v.as.d);
    if (t->count == 0)
        return VALUE_NULL;
    return value_double(t->count == 1 ? 0.0 : sqrt(t->m2 / (double)t->count));
}

/* ---- and, or ---- */

static struct truths *truths_update(const struct expr *e, struct frame *f)
{
    struct value v = load_any(e->left, f);
    struct truths *t = agg_state(e, f);
    if (f->env->failed)
        return NULL;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
        return t;
    }
    if (v.type != TYPE_BOOL) {
        fail_operand(f, e, v, "a bool");
        return NULL;
    }
    int64_t *side = v.as.l ? &t->yes : &t->no;
    *side += f->kind == EVENT_CURRENT ? 1 : f->kind == EVENT_EXPIRED ? -1 : 0;
    return t;
}
static struct value eval_and(const struct expr *e, struct frame *f)
{
    struct truths *t = truths_update(e, f);
    return t ? value_bool(t->yes > 0 && t->no == 0) : VALUE_NULL;
}
static struct value eval_or(const struct expr *e, struct frame *f)
{
    struct truths *t = truths_update(e, f);
    return t ? value_bool(t->yes > 0) : VALUE_NULL;
}

/* Rows: agg.h. */
const struct aggregator agg_numbers[] = {
    {NULL, "and", "b", TYPE_BOOL, &truths_type, eval_and, NULL, NULL},
    {NULL, "avg", "n", TYPE_DOUBLE, &total_type, eval_avg, eval_avg_attr, bind_total},
    {NULL, "count", "?a", TYPE_LONG, &count_type, eval_count, eval_count_attr, bind_count},
    {NULL, "or", "b", TYPE_BOOL, &truths_type, eval_or, NULL, NULL},
    {NULL, "stdDev", "n", TYPE_DOUBLE, &deviation_type, eval_deviation, NULL, NULL},
    {NULL, "sum", "w", TYPE_LONG, &long_total_type, eval_sum_long, eval_sum_long_attr, NULL},
    {NULL, "sum", "r", TYPE_DOUBLE, &total_type, eval_sum_double, eval_sum_double_attr, bind_total},
    {0},
};
