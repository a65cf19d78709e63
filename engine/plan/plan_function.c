/* plan_function.c - define function: script functions (spec 02 section 7.4). */
#include "engine/plan/plan.h"

void plan_define_function(struct planner *p, const struct ast_definition *def)
{
    diag_error(p->diags, def->language.span, "there is no script engine for '%s' in this build", def->language.text);
}
