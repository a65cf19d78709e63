/* extreme.h - by what the windows of extrema: (spec 20 section 10) choose their one event: an expression over
 * the input, numbers or text, and whether the least or the greatest value is sought. */
#ifndef WEIR_WINDOW_EXTREME_H
#define WEIR_WINDOW_EXTREME_H

#include "engine/window/window.h"

struct extreme_key {
    const struct expr *expr;
    const char *text; /* of the expression; whole, for states are told apart by it */
    bool greatest;
};
/* From the first argument of the call. False after reporting. */
bool extreme_key_plan(struct window_ctx *c, const struct ast_expr *call, bool greatest,
                      struct extreme_key *out);
/* Of an event. False: the event failed, the value is of another type than the expression's. It may be null. */
bool extreme_value(const struct extreme_key *k, struct op *op, const struct event *e, struct value *out);
/* Over 0: a is more of what is sought than b. Neither is null. As Java compares: NaN is the greatest number,
 * -0.0 is less than 0.0, text goes by UTF-16 units. */
int extreme_compare(const struct extreme_key *k, struct value a, struct value b);

/* The row of e with e's time, to be held; refs 1 more. */
static inline struct row *extreme_hold(const struct event *e)
{
    return e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
}

#endif
