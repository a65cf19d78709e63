/* lookup.h - finding the rows of a table or an aggregation that fit a condition: for joins, 'in', update,
 * delete, on-demand queries.
 *
 * A lookup is compiled once (it decides then whether a key, an index or a scan finds the rows; explain tells)
 * and asked for every event.
 *
 * The door for whatever can be looked into: a table and an aggregation each have a compile function here and
 * nothing else. Joins call it with two sources in scope, slots 0 and 1. On-demand queries call it with one
 * (slot 0, the thing itself), p->query NULL, p->arena and p->diags those of the query: nothing made may be
 * kept in the app's plan, for the query's arena ends before the app. Where a thing needs 'within' and 'per',
 * its function says so when they are NULL. */
#ifndef WEIR_RUN_LOOKUP_H
#define WEIR_RUN_LOOKUP_H

#include "engine/plan/plan.h"

struct lookup {
    /* The rows of the thing for which the condition is true, in its order, given the other slots of f->rows;
     * in scratch, borrowed. f->rows is restored. Rows that were made for the answer belong to the thing
     * looked into and last until the end of the push. ERR_EVENT when the condition failed. */
    int (*rows)(const struct lookup *l, struct app *app, struct frame *f, struct row ***rows,
                uint32_t *count);
    /* The same where it is known that there is one row at most; NULL where it isn't. *row is NULL when there
     * is none. */
    int (*only)(const struct lookup *l, struct app *app, struct frame *f, struct row **row);
    const char *how; /* "primary key (k)", "index (a)", "scan": for explain */
};

/* table: plan_table.c. scope has the table as the source with slot; on may be NULL (all rows). NULL after
 * reporting. */
const struct lookup *table_lookup(struct planner *p, const struct plan_element *table,
                                  const struct scope *scope, uint16_t slot, const struct ast_expr *on);
/* aggregation: plan_aggregation.c. Rows are of *schema (AGG_TIMESTAMP first). scope's source gets that schema
 * before. */
const struct schema *aggregation_lookup_schema(struct planner *p, const struct plan_element *aggregation);
const struct lookup *aggregation_lookup(struct planner *p, const struct plan_element *aggregation,
                                        const struct scope *scope, uint16_t slot, const struct ast_expr *on,
                                        const struct ast_expr *from, const struct ast_expr *to,
                                        const struct ast_expr *per, struct span at);

#endif
