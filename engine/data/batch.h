/* batch.h - what travels between operators: the language's chunk (spec 03 section 1). Results depend on which
 * events share one.
 *
 * A batch lies in the scratch arena of the push, a short one on the stack of the operator that makes it, and
 * its rows are borrowed: whoever keeps a row refs it; an operator that lets go of a row (an expired one)
 * unrefs it after its push returned. A receiver must not change the batch it got: operators make their own.
 * The timestamp stands in the event, not the row, so that an expired event is stamped without a copy. */
#ifndef WEIR_DATA_BATCH_H
#define WEIR_DATA_BATCH_H

#include "engine/data/row.h"

enum event_kind {
    EVENT_CURRENT,
    EVENT_EXPIRED,
    EVENT_TIMER, /* row == NULL */
    EVENT_RESET,
};

struct event {
    union {
        struct row *row; /* a single-stream query */
        /* a join or pattern: one for each slot of the query's frame, NULL where missing; scratch */
        struct row **rows;
    };
    int64_t at_ms;
    enum event_kind kind;
    uint32_t group; /* free for the selector and the rate limiter: number of the group key */
};

struct batch {
    struct event *events;
    uint32_t count, cap;
    struct arena *scratch; /* where events grow */
    /* false: a single event that entered alone; sinks map it as one event (spec 21 section 0) */
    bool is_batch;
};

/* An empty batch with room for cap events, in scratch. */
void batch_init(struct batch *b, struct arena *scratch, uint32_t cap);
void batch_grow(struct batch *b);
enum { BATCH_SHORT = 4 }; /* events: what one that came alone makes in most operators */
/* An empty batch in space when cap events fit there (BATCH_SHORT), else in scratch. */
static inline void batch_on(struct batch *b, struct event *space, uint32_t cap, struct arena *scratch)
{
    if (LIKELY(cap <= BATCH_SHORT))
        *b = (struct batch){.events = space, .cap = BATCH_SHORT, .scratch = scratch};
    else
        batch_init(b, scratch, cap);
}
static inline struct event *batch_add(struct batch *b, struct row *row, int64_t at_ms, enum event_kind kind)
{
    if (UNLIKELY(b->count == b->cap))
        batch_grow(b);
    struct event *e = &b->events[b->count++];
    e->row = row;
    e->at_ms = at_ms;
    e->kind = kind;
    e->group = 0;
    return e;
}

#endif
