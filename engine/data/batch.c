/* batch.c - what travels between operators. */
#include "engine/data/batch.h"

enum { FIRST_EVENTS = 4 };

void batch_init(struct batch *b, struct arena *scratch, uint32_t cap)
{
    *b = (struct batch){.scratch = scratch, .cap = cap};
    if (cap > 0)
        b->events = arena_raw(scratch, cap * sizeof(*b->events));
}

/* The old events stay in scratch until its end: no more than the new ones take. */
void batch_grow(struct batch *b)
{
    ASSERT(b->cap <= UINT32_MAX / 2);
    uint32_t cap = b->cap ? b->cap * 2 : FIRST_EVENTS;
    struct event *events = arena_raw(b->scratch, cap * sizeof(*events));
    if (b->count > 0)
        memcpy(events, b->events, b->count * sizeof(*events));
    b->events = events;
    b->cap = cap;
}
