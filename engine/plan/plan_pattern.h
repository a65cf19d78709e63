/* plan_pattern.h - a pattern being planned: private to plan_pattern.c (elements, links) and pattern_names.c
 * (what a name means in a condition or in the select clause, spec 06 section 2; which condition gives a key).
 */
#ifndef WEIR_PLAN_PLAN_PATTERN_H
#define WEIR_PLAN_PLAN_PATTERN_H

#include "engine/plan/plan.h"
#include "engine/run/pattern.h"

struct pattern_build {
    struct planner *p;
    struct pattern_plan *plan;
    const struct ast_source **asts; /* by node */
    int *element_of;                /* by node */
    struct scope_source *sources;   /* by node: slot == number */
    int view_cap;
    struct pattern_gather_plan *gather; /* or NULL */
};

/* Names as a condition of node own sees them (own and what is numbered before it), or as the select clause
 * does (own NODE_NONE: all). It is the user of the scope; it lives as long as the scope is used. */
struct pattern_names {
    struct pattern_build *build;
    int own;
    uint16_t *uses; /* frame rows that were asked for, by conditions */
    int use_count, use_cap;
};
struct scope pattern_scope(struct pattern_names *names);
/* A condition of node own, added to its uses. NULL after reporting. */
struct expr *pattern_condition(struct pattern_build *b, struct pattern_names *names,
                               const struct ast_expr *condition);
/* The key of node own: an equality that every event passing its filters fulfils, and before which nothing can
 * fail or be noticed. */
void pattern_find_key(struct pattern_build *b, int own);

#endif
