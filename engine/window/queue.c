/* queue.c - the ring behind windows: see queue.h. Capacity doubles and never shrinks while rows are in; an
 * emptied big ring is kept, because a window that was full once will be full again. */
#include "engine/window/queue.h"
#include "engine/window/queue_index.h"

enum { QUEUE_FIRST_CAP = 8 };

void queue_init(struct queue *q)
{
    *q = (struct queue){0};
}

void queue_fini(struct queue *q)
{
    struct queue_index *indexes = q->indexes;
    q->indexes = NULL; /* nobody looks any more */
    queue_clear(q);
    mem_free(q->ring);
    *q = (struct queue){.indexes = indexes};
}

void queue_grow(struct queue *q)
{
    ASSERT(q->cap < UINT32_MAX / 2);
    uint32_t cap = q->cap ? q->cap * 2 : QUEUE_FIRST_CAP;
    q->ring = mem_resize(q->ring, cap, sizeof *q->ring);
    /* The part before head goes behind the old end: the ring is full, so the rows stand head..cap, 0..head.
     */
    if (q->head)
        memcpy(q->ring + q->cap, q->ring, q->head * sizeof *q->ring);
    q->cap = cap;
}

void queue_index_added(struct queue_index *list, struct row *row)
{
    for (struct queue_index *i = list; i; i = i->next)
        i->added(i, row);
}

void queue_index_removed(struct queue_index *list, struct row *row)
{
    for (struct queue_index *i = list; i; i = i->next)
        i->removed(i, row);
}

void queue_index_attach(struct queue *q, struct queue_index *index)
{
    index->next = q->indexes;
    q->indexes = index;
    for (uint32_t i = 0; i < q->count; i++)
        index->added(index, queue_at(q, i));
}

void queue_index_detach(struct queue *q, struct queue_index *index)
{
    for (struct queue_index **at = &q->indexes; *at; at = &(*at)->next) {
        if (*at == index) {
            *at = index->next;
            return;
        }
    }
}

static struct row **place(const struct queue *q, uint32_t i)
{
    return &q->ring[(q->head + i) & (q->cap - 1)];
}

struct row *queue_take_at(struct queue *q, uint32_t i)
{
    ASSERT(i < q->count);
    if (i == 0)
        return queue_take(q);
    struct row *row = *place(q, i);
    for (; i + 1 < q->count; i++)
        *place(q, i) = *place(q, i + 1);
    q->count--;
    if (q->indexes)
        queue_index_removed(q->indexes, row);
    return row;
}

void queue_insert_at(struct queue *q, uint32_t i, struct row *row)
{
    ASSERT(i <= q->count);
    if (q->count == q->cap)
        queue_grow(q);
    for (uint32_t j = q->count; j > i; j--)
        *place(q, j) = *place(q, j - 1);
    *place(q, i) = row_ref(row);
    q->count++;
    if (q->indexes)
        queue_index_added(q->indexes, row);
}

void queue_clear(struct queue *q)
{
    while (q->count)
        row_unref(queue_take(q));
    q->head = 0;
    q->walked = 0;
}

void queue_move(struct queue *to, struct queue *from)
{
    if (to->count == 0 && !to->indexes && !from->indexes) {
        struct queue was = *to;
        *to = *from;
        *from = was;
        return;
    }
    while (from->count) {
        struct row *row = queue_take(from);
        queue_add(to, row);
        row_unref(row);
    }
}

void queue_save(const struct queue *q, struct writer *w)
{
    write_count(w, q->count);
    write_count(w, q->walked);
    for (uint32_t i = 0; i < q->count; i++)
        write_row(w, queue_at(q, i));
}

int queue_load(struct queue *q, struct reader *r)
{
    queue_clear(q);
    size_t count = read_count(r, UINT32_MAX / 2);
    uint32_t walked = (uint32_t)read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct row *row = read_row(r);
        if (!row) {
            r->failed = true;
            break;
        }
        queue_add(q, row);
        row_unref(row);
    }
    q->walked = walked < q->count ? walked : q->count;
    return r->failed ? ERR_STATE : 0;
}
