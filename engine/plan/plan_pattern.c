/* plan_pattern.c - patterns and sequences (spec 06). */
#include "engine/plan/plan.h"

int plan_pattern(struct planner *p, const struct ast_query *ast, struct plan_from *from)
{
    (void)from;
    diag_unsupported(p->diags, ast->input_span, ast->input_kind == INPUT_PATTERN ? "pattern" : "sequence");
    return -1;
}
