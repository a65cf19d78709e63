/* queue_index.h - who wants to know of rows that enter and leave a queue: a join's hash index embeds this.
 *
 * Owned by the join that made it; it unlinks itself before it ends. added is called with the row in the
 * queue, removed before the row is unref'd. */
#ifndef WEIR_WINDOW_QUEUE_INDEX_H
#define WEIR_WINDOW_QUEUE_INDEX_H

#include "engine/window/queue.h"

struct queue_index {
    struct queue_index *next;
    void (*added)(struct queue_index *index, struct row *row);
    void (*removed)(struct queue_index *index, struct row *row);
};
/* Links index into q and tells it of the rows that are there already. */
void queue_index_attach(struct queue *q, struct queue_index *index);
void queue_index_detach(struct queue *q, struct queue_index *index);

#endif
