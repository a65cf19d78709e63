/* join.h - joins (spec 05 part A).
 *
 * Each triggering side is a chain (handlers, window) that ends in a join_side: for each event it looks up the
 * other side's content and hands the selector one chunk of pairs. An equality between the sides in 'on' is
 * found by plan and served by a hash index over the other side's queue (join_index.c). */
#ifndef WEIR_RUN_JOIN_H
#define WEIR_RUN_JOIN_H

#include "engine/run/lookup.h"

enum { JOIN_LEFT_SLOT, JOIN_RIGHT_SLOT };

struct join_side_plan {
    struct op_plan op;
    uint16_t slot;        /* of the events it gets */
    bool preserved;       /* outer: a row without a match goes on */
    bool expired_matters; /* expired events change something behind the join */
    /* a lookup, and behind it nothing that RESET or expired events could change: see no_window_push */
    bool is_direct;
    bool sees_stamp;                        /* some expression asks for eventTimestamp(this side) */
    struct expr *on;                        /* or NULL: every pair */
    const struct op_plan *other_window;     /* op of the other side in this query, or NULL */
    const struct plan_element *other_named; /* the other side is this named window */
    const struct lookup *lookup;            /* the other side is a table or an aggregation */
    /* equality: own(event) == other(content row); both NULL when there is none */
    struct expr *own_key, *other_key;
    const struct op_plan *select;
};
extern const struct op_type op_join_side;
extern const struct op_type op_self_join; /* both sides read one stream (spec 05 section 4) */
extern const struct op_type op_no_window; /* a side without a window (spec 05 section 2) */

struct self_join_plan {
    struct op_plan op;
    const struct op_plan *left, *right, *select; /* entries of the chains */
};
struct no_window_plan {
    struct op_plan op;
    bool expired_wanted;
};

/* A hash index over a queue: rows by the value of an expression, in insertion order. */
struct join_index;
struct join_index *join_index_new(struct queue *q, const struct expr *key, uint16_t slot,
                                  struct expr_env *env);
void join_index_free(struct join_index *ix); /* detaches */
/* The rows whose key equals v; first of them, then the next. Valid until the queue changes. */
struct join_entry {
    struct row *row;
    struct join_entry *next;
};
const struct join_entry *join_index_find(const struct join_index *ix, struct value v);

#endif
