/* plan_aggregation.c - define aggregation (spec 09). */
#include "engine/plan/plan.h"
#include "engine/run/lookup.h"

void plan_define_aggregation(struct planner *p, const struct ast_definition *def)
{
    diag_unsupported(p->diags, def->span, "aggregation");
}

const struct schema *aggregation_lookup_schema(struct planner *p, const struct plan_element *aggregation)
{
    (void)p;
    (void)aggregation;
    return NULL;
}

const struct lookup *aggregation_lookup(struct planner *p, const struct plan_element *aggregation, const struct scope *scope, uint16_t slot,
                                        const struct ast_expr *on, const struct ast_expr *from, const struct ast_expr *to, const struct ast_expr *per,
                                        struct span at)
{
    (void)p;
    (void)aggregation;
    (void)scope;
    (void)slot;
    (void)on;
    (void)from;
    (void)to;
    (void)per;
    (void)at;
    return NULL;
}
