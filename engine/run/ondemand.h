/* ondemand.h - an on-demand query compiled (spec 08 section 6): immutable, in an arena of its own, over the
 * plan of one app.
 *
 * It is made by plan_ondemand.c from the text and kept by ondemand.c, which asks it. Nothing of it stands in
 * the app's plan: the plan must outlive it. */
#ifndef WEIR_RUN_ONDEMAND_H
#define WEIR_RUN_ONDEMAND_H

#include "engine/run/lookup.h"
#include "engine/run/table.h"

struct ondemand_plan {
    struct arena arena;
    enum ast_ondemand_kind kind;
    /* find: one of these */
    const struct lookup *lookup;       /* in a table or an aggregation */
    const struct plan_element *window; /* in a named window */
    struct expr *on;                   /* the window's condition, or NULL */
    /* find: the selector over what was found. Changes: over nothing, its row is the statement's event; NULL:
     * no 'select', an event of nulls */
    struct op_plan *select;
    bool is_ordered;
    bool calls_script;                /* whose globals are state */
    struct table_statement statement; /* changes */
};
/* NULL: refused, words in e; out (over the same text; it may be NULL) gets every error. Text is not needed
 * afterwards. */
struct ondemand_plan *plan_ondemand(const struct plan *plan, const char *text, size_t len, struct diags *out,
                                    struct err *e);
void ondemand_plan_free(struct ondemand_plan *q);

#endif
