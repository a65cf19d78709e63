/* ratelimit.h - output rate limits (spec 05 part B): an operator between select and output that holds rows
 * back.
 *
 * By events and by time: ratelimit.c. Snapshots: snapshot.c. Rows keep their own timestamps. With 'group by'
 * the selector numbers the keys (event.group), densely and for good, so that what is kept for a key stands in
 * an array. The clock of ticks begins at start: with the app, or with a partition's key. */
#ifndef WEIR_RUN_RATELIMIT_H
#define WEIR_RUN_RATELIMIT_H

#include "engine/run/op.h"

struct rate_plan {
    struct op_plan op;
    int64_t value; /* events or ms */
    /* snapshot */
    bool *is_agg;      /* by column: it is directly an aggregator */
    bool *is_compared; /* by column: a row that leaves must agree in it with one inside */
};

extern const struct op_type op_rate_all_events, op_rate_last_events, op_rate_last_group_events,
    op_rate_first_events, op_rate_first_group_events, op_rate_all_time, op_rate_last_time, op_rate_first_time,
    op_rate_first_group_time;

/* What a snapshot shows (spec 05 section 9, the table's rows). */
extern const struct op_type op_snapshot_last, /* the last current row; without a window */
    /* the last current row of every key ever seen; without a window */
    op_snapshot_last_group, op_snapshot_inside, /* all rows inside, each with the newest aggregates */
    op_snapshot_last_inside,                    /* the last current row, until any row leaves */
    /* the oldest row inside of every key, with the key's newest aggregates */
    op_snapshot_oldest_group,
    op_snapshot_last_inside_group; /* the last row of every key that has rows inside */

/* Rows by the number of their key; grows as numbers come. */
static inline uint32_t rate_room(uint32_t cap, uint32_t number)
{
    uint32_t wider = cap ? cap : 4;
    while (wider <= number)
        wider *= 2;
    return wider;
}

#endif
