/* queue.h - the rows a window or table holds, oldest first: a ring of row pointers (8 bytes a row), with
 * optional hash indexes for joins.
 *
 * Rows are counted: queue_add refs, queue_take gives the reference to the caller. Indexes are told of every
 * row that comes and goes; a lookup gives rows in insertion order. */
#ifndef WEIR_WINDOW_QUEUE_H
#define WEIR_WINDOW_QUEUE_H

#include "engine/data/codec.h"
#include "engine/data/row.h"

struct pieces;      /* pieces.h: how its rows stand in a checkpoint */
struct queue_index; /* queue_index.h; made by a join that found an equality condition */
struct queue {
    struct row **ring;
    uint32_t cap, head, count; /* cap is a power of two, or 0 */
    uint32_t walked; /* batch windows: so many of the oldest rows were walked over by a join's lookup; the
                        language then lets them keep their own timestamps when they leave */
    struct queue_index *indexes;
    uint64_t taken; /* rows that left from the front: the number of the oldest row */
    struct pieces *pieces;
};

void queue_init(struct queue *q); /* zeroed memory is a valid empty queue too */
void queue_fini(struct queue *q);
void queue_grow(struct queue *q);
void queue_index_added(struct queue_index *list, struct row *row);
void queue_index_removed(struct queue_index *list, struct row *row);
static inline struct row *queue_at(const struct queue *q, uint32_t i)
{
    return q->ring[(q->head + i) & (q->cap - 1)];
}
static inline void queue_add(struct queue *q, struct row *row)
{
    if (UNLIKELY(q->count == q->cap))
        queue_grow(q);
    q->ring[(q->head + q->count++) & (q->cap - 1)] = row_ref(row);
    if (UNLIKELY(q->indexes != NULL))
        queue_index_added(q->indexes, row);
}
/* The oldest row, with its reference. The queue must not be empty. */
static inline struct row *queue_take(struct queue *q)
{
    struct row *row = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
    q->taken++;
    if (UNLIKELY(q->indexes != NULL))
        queue_index_removed(q->indexes, row);
    return row;
}
struct row *queue_take_at(struct queue *q, uint32_t i); /* O(count - i) */
void queue_insert_at(struct queue *q, uint32_t i, struct row *row);
void queue_clear(struct queue *q);                     /* unrefs all */
void queue_move(struct queue *to, struct queue *from); /* all rows of from, behind those of to */
/* In a checkpoint (w->state) only what is new is written: engine/data/state.h. */
void queue_save(const struct queue *q, struct writer *w);
int queue_load(struct queue *q, struct reader *r);

#endif
