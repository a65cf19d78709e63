/* plan_table.c - tables and what writes to them (spec 08). */
#include "engine/plan/plan.h"
#include "engine/run/lookup.h"
#include "engine/run/table.h"

void plan_define_table(struct planner *p, const struct ast_definition *def)
{
    plan_define(p, def, ELEMENT_TABLE);
    diag_unsupported(p->diags, def->span, "table");
}

struct op_plan *plan_output_table(struct planner *p, const struct ast_query *ast, const struct schema *out, struct plan_element *target)
{
    (void)out;
    (void)target;
    diag_unsupported(p->diags, ast->output.span, "table");
    return NULL;
}

struct expr *plan_in(struct expr_ctx *c, const struct ast_expr *in)
{
    diag_unsupported(c->diags, in->span, "in");
    return NULL;
}

const struct lookup *table_lookup(struct planner *p, const struct plan_element *table, const struct scope *scope, uint16_t slot,
                                  const struct ast_expr *on)
{
    (void)p;
    (void)table;
    (void)scope;
    (void)slot;
    (void)on;
    return NULL;
}
