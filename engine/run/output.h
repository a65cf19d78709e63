/* output.h - the end of a query: its callback, then the output action (spec 03 section 3.1). */
#ifndef WEIR_RUN_OUTPUT_H
#define WEIR_RUN_OUTPUT_H

#include "engine/plan/plan.h"

struct output_plan {
    struct op_plan op;
    const struct plan_query *query;
    const struct plan_element *target;
    bool current_wanted, expired_wanted;
};
extern const struct op_type op_output; /* insert into a stream or named window */
/* A running one. */
struct output {
    struct op op;
    struct stream *stream;
    struct op *window;
    bool is_plain; /* a current event goes to stream as it is, and that is all */
};

/* Reports the query's callback: of the kinds it hands on. */
void output_callback(struct op *op, const struct batch *in, bool current_wanted, bool expired_wanted);
/* The rows of wanted kinds as CURRENT ones; in itself when nothing has to change. */
const struct batch *output_rows(struct op *op, const struct batch *in, bool current_wanted,
                                bool expired_wanted, struct batch *out);

#endif
