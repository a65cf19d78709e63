/* slide.h - a sliding window that keeps columns (kept.h) and the selector behind it, in one function: what leaves
 * the ring goes straight out of the aggregators, what comes into them, and the output row goes on. For
 * events that came alone (op_type.one) and selectors whose aggregators are all done on the spot
 * (kept_plan.slide_one). */
#ifndef WEIR_RUN_SLIDE_H
#define WEIR_RUN_SLIDE_H

#include "engine/run/op.h"
#include "engine/window/kept.h"

/* kept_plan.slide_one: e, whose row fits, comes to the window and to the aggregators, and its row goes on;
 * leaves: before it the oldest entry left both. There is room for one more, or one leaves. 0 or ERR_EVENT. */
int slide_total(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                bool leaves); /* one sum or average, no groups */
int slide_alone(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                bool leaves); /* no groups */
int slide_grouped(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                  bool leaves);

#endif
