/* agg_spot.h - the aggregators that are done on the spot, without a call, when their argument is a plain
 * column of doubles (or there is none): their states, and how an event that is no RESET changes them.
 *
 * A node's expr.spot says which it is; bind sets it. Whoever uses this looks at the tag first: what is no
 * double goes through the node. */
#ifndef WEIR_EXPR_AGG_SPOT_H
#define WEIR_EXPR_AGG_SPOT_H

#include "engine/expr/expr.h"

struct total {
    double sum;
    int64_t count;
};
struct extreme {
    union cell value;
    int64_t has;
};
struct count {
    int64_t count;
};

/* More may have been removed than added (joins, spec 05): an addition shows the sum even when the count comes
 * to 0. */
static inline struct value sum_result(double sum, int64_t count, bool added)
{
    return added || count ? value_double(sum) : VALUE_NULL;
}
static inline struct value avg_result(double sum, int64_t count, bool added)
{
    (void)added;
    return count ? value_double(sum / (double)count) : VALUE_NULL;
}

/* A current event's argument into state. */
static inline void spot_add(enum agg_spot spot, char *state, double x)
{
    struct total *t = (struct total *)(void *)state;
    struct extreme *m = (struct extreme *)(void *)state;
    KNOWN(state);
    switch (spot) {
    case SPOT_SUM:
    case SPOT_AVG:
        t->sum += x;
        t->count++;
        break;
    case SPOT_MAX:
    case SPOT_MIN:
        if (!m->has || (spot == SPOT_MAX ? x > m->value.d : x < m->value.d)) {
            m->value.d = x;
            m->has = 1;
        }
        break;
    case SPOT_COUNT:
        ((struct count *)(void *)state)->count++;
        break;
    case SPOT_NONE:
        break;
    }
}
/* An expired event's argument out of it; not for SPOT_MAX and SPOT_MIN. */
static inline void spot_remove(enum agg_spot spot, char *state, double x)
{
    KNOWN(state);
    if (spot == SPOT_COUNT) {
        ((struct count *)(void *)state)->count--;
        return;
    }
    struct total *t = (struct total *)(void *)state;
    t->sum -= x;
    t->count--;
}
/* What the node shows after spot_add. */
static inline struct value spot_result(enum agg_spot spot, const char *state)
{
    const struct total *t = (const struct total *)(const void *)state;
    KNOWN(t);
    switch (spot) {
    case SPOT_SUM:
        return value_double(t->sum);
    case SPOT_AVG:
        return avg_result(t->sum, t->count, true);
    case SPOT_MAX:
    case SPOT_MIN:
        return value_double(((const struct extreme *)(const void *)state)->value.d);
    case SPOT_COUNT:
        return value_long(((const struct count *)(const void *)state)->count);
    case SPOT_NONE:
        break;
    }
    return VALUE_NULL;
}

#endif
