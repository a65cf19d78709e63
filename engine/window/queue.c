/* queue.c - the ring behind windows: see queue.h. Capacity doubles and never shrinks while rows are in; an
 * emptied big ring is kept, because a window that was full once will be full again. */
#include "engine/window/queue.h"
#include "engine/data/segments.h"
#include "engine/window/pieces.h"
#include "engine/window/queue_index.h"

enum { QUEUE_FIRST_CAP = 8, ROWS_AHEAD = 8 };
enum { SAVED_WHOLE, SAVED_PIECES };

void queue_init(struct queue *q)
{
    *q = (struct queue){0};
}

void queue_fini(struct queue *q)
{
    pieces_end(&q->pieces);
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
    pieces_forget(q->pieces);
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
    if (i < q->count++)
        pieces_forget(q->pieces);
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

/* ---- state ---- */

struct rows { /* being written or read as a piece */
    struct queue *queue;
    struct row *before; /* owned when reading */
};

static void write_entry(void *user, struct writer *w, uint32_t i, bool begins)
{
    struct rows *rows = user;
    struct queue *q = rows->queue;
    struct row *row = queue_at(q, i);
    /* A sorted window's rows lie anywhere. */
    if (i + 2 * ROWS_AHEAD < q->count) {
        segments_near_row(queue_at(q, i + 2 * ROWS_AHEAD), 1);
        segments_near_row(queue_at(q, i + ROWS_AHEAD), 2);
    }
    write_row_behind(w, row, begins ? NULL : rows->before);
    rows->before = row;
}

static void end_rows(void *user)
{
    struct rows *rows = user;
    if (rows->before)
        row_unref(rows->before);
    rows->before = NULL;
}

static bool read_entry(void *user, struct reader *r, bool begins, bool is_held)
{
    struct rows *rows = user;
    struct row *row = read_row_behind(r, begins ? NULL : rows->before);
    end_rows(rows);
    rows->before = row;
    if (row && is_held)
        queue_add(rows->queue, row);
    return row != NULL;
}

/* Of a long one so many rows are looked at, evenly; the others are taken to be like them. */
static void queue_tally(const struct queue *q, struct writer *w)
{
    enum { LOOKS = 1024, INDEX_ROW_BYTES = 48 };
    uint32_t step = q->count / LOOKS + 1, looks = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < q->count; i += step, looks++)
        bytes += tally_row(queue_at(q, i));
    write_held(w, (size_t)q->cap * sizeof *q->ring);
    for (const struct queue_index *x = q->indexes; x; x = x->next)
        write_held(w, (size_t)q->count * INDEX_ROW_BYTES);
    if (looks)
        write_held(w, (size_t)((double)bytes / looks * q->count));
}

void queue_save(const struct queue *q, struct writer *w)
{
    if (w->tally) {
        queue_tally(q, w);
        return;
    }
    struct queue *own = (struct queue *)(uintptr_t)q; /* how it is saved is no part of what it holds */
    if (w->state) {
        bool in_pieces = q->count > PIECES_INLINE;
        write_u8(w, in_pieces ? SAVED_PIECES : SAVED_WHOLE);
        if (in_pieces) {
            struct rows rows = {.queue = own};
            write_u32(w, q->walked);
            pieces_save(&own->pieces, w, q->taken, q->count,
                        &(struct pieces_owner){.user = &rows, .write = write_entry});
            return;
        }
        pieces_end(&own->pieces);
    }
    write_count(w, q->count);
    write_varint(w, q->walked);
    for (uint32_t i = 0; i < q->count; i++)
        write_row_behind(w, queue_at(q, i), i ? queue_at(q, i - 1) : NULL);
}

static int load_pieces(struct queue *q, struct reader *r)
{
    struct rows rows = {.queue = q};
    uint32_t walked = read_u32(r);
    int rc = pieces_load(&q->pieces, r, &q->taken,
                         &(struct pieces_owner){.user = &rows, .read = read_entry, .end = end_rows});
    q->walked = walked < q->count ? walked : q->count;
    return rc;
}

int queue_load(struct queue *q, struct reader *r)
{
    queue_clear(q);
    uint8_t how = r->state ? read_u8(r) : SAVED_WHOLE;
    if (how > SAVED_PIECES || (how == SAVED_PIECES && load_pieces(q, r) < 0))
        r->failed = true;
    if (how != SAVED_WHOLE)
        return r->failed ? ERR_STATE : 0;
    size_t count = read_count(r, UINT32_MAX / 2);
    uint32_t walked = (uint32_t)read_varint(r);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct row *row = read_row_behind(r, i ? queue_at(q, q->count - 1) : NULL);
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
