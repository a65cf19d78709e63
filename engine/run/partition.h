/* partition.h - partition with (...) begin ... end (spec 07): what compile knows of one. Immutable; in the
 * app's arena. */
#ifndef WEIR_RUN_PARTITION_H
#define WEIR_RUN_PARTITION_H

#include "engine/plan/plan.h"

/* condition as 'label' */
struct partition_range {
    struct expr *condition;
    struct text *label;
};
/* An operator inside that a source's rows go to. */
struct partition_route {
    int query; /* number in the partition */
    int op;    /* op_plan.index */
};
/* A stream or named window that queries inside read. */
struct partition_input {
    const struct plan_element *element;
    bool is_keyed;      /* named in 'with (...)'; otherwise its rows go to every key there is */
    struct expr *value; /* the key is its text; or NULL: */
    struct partition_range *ranges;
    int range_count;
    struct partition_route *routes; /* in order of the text */
    int route_count, route_cap;
};
struct plan_partition {
    const char *name; /* @info(name), or partition_N */
    bool is_named;    /* @info(name) was given */
    struct span span;
    struct partition_input *inputs; /* in order of first use */
    int input_count, input_cap;
    struct plan_query **queries;
    int query_count;
    const struct plan_element **inner; /* its #streams, by number */
    int inner_count, inner_cap;
    /* @purge */
    bool purges;
    int64_t idle_ms, interval_ms;
};

/* The query inside that has the name (spec 07), NULL: none. Borrowed from the plan. */
const struct plan_query *plan_partition_query(const struct plan_partition *p, const char *name);
/* Takes an inner stream in; returns its number. */
int plan_partition_add_inner(struct planner *p, const struct plan_element *e);

#endif
