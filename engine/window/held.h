/* held.h - what window.length and window.externalTime hold, and how it is saved, loaded and ended: rows, or,
 * when of the rows that leave only some columns are looked at, those columns (kept.h). */
#ifndef WEIR_WINDOW_HELD_H
#define WEIR_WINDOW_HELD_H

#include "engine/window/window.h"

struct held_plan {
    struct op_plan op;
    size_t text_at;               /* window_look_ahead */
    const struct kept_plan *kept; /* only these columns are held; NULL: rows */
};
struct held {
    struct op op; /* its plan begins with a struct held_plan */
    union {
        struct queue rows;
        struct kept kept; /* if the plan has kept */
    };
};

/* Rows of op_type. */
void held_save(const struct op *op, struct writer *w);
int held_load(struct op *op, struct reader *r);
void held_close(struct op *op);
struct queue *held_content(struct op *op);

#endif
