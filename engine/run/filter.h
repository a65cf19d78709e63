/* filter.h - [condition]: lets a row through when it is true (spec 02 section 5). Decides about RESET events
 * too (spec 03 section 1). */
#ifndef WEIR_RUN_FILTER_H
#define WEIR_RUN_FILTER_H

#include "engine/run/op.h"

struct filter_plan {
    struct op_plan op;
    struct expr *condition;
    struct agg_layout *aggs; /* an aggregator may stand in a filter (spec 02 section 6.4) */
};
extern const struct op_type op_filter;

#endif
