/* table.h - in-memory tables (spec 08). */
#ifndef WEIR_RUN_TABLE_H
#define WEIR_RUN_TABLE_H

#include "engine/plan/plan.h"

/* insert into, update, delete, update or insert: plan_table.c. target may be NULL (reported). */
struct op_plan *plan_output_table(struct planner *p, const struct ast_query *ast, const struct schema *out, struct plan_element *target);

#endif
