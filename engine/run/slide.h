/* slide.h - a sliding window that keeps columns (kept.h) and the selector behind it, in one function: what
 * leaves the ring goes straight out of the aggregators, what comes into them, and the output row goes on. For
 * events that came alone (op_type.one) and selectors whose aggregators are all done on the spot
 * (kept_plan.slides). */
#ifndef WEIR_RUN_SLIDE_H
#define WEIR_RUN_SLIDE_H

#include "engine/run/op.h"
#include "engine/window/kept.h"

/* May a row take this way? k is the ring of the window. */
static inline bool slide_fits(const struct kept *k, const struct kept_plan *kept, const struct row *row)
{
    return kept->slides && k->odd == 0 && LIKELY(row_has_shape(row, &kept->slide));
}

int slide_alone(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                bool leaves);
int slide_grouped(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                  bool leaves);
/* e, whose row fits, comes to the window and to the aggregators, and its row goes on; leaves: before it the
 * oldest entry left both. There is room for one more, or one leaves. 0 or ERR_EVENT. */
static inline int slide_one(struct op *select, struct kept *k, const struct kept_plan *kept,
                            const struct event *e, bool leaves)
{
    return kept->token_at == NO_TOKENS ? slide_alone(select, k, kept, e, leaves)
                                       : slide_grouped(select, k, kept, e, leaves);
}

#endif
