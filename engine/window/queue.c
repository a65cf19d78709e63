/* queue.c - the ring behind windows: see queue.h. Capacity doubles and never shrinks while rows are in; an
 * emptied big ring is kept, because a window that was full once will be full again. */
#include "engine/window/queue.h"
#include "engine/data/state.h"
#include "engine/window/queue_index.h"

enum {
    QUEUE_FIRST_CAP = 8,
    INLINE_ROWS = 16, /* so few rows stand in the operator's part */
    PIECE_ROWS = 4096,
    PIECE_BYTES = 128 * 1024,
};
enum { SAVED_WHOLE, SAVED_PIECES };

/* Rows [starts of the first, saved_to) stand in pieces of the group, each under the number of its first row. */
struct queue_pieces {
    struct state *state; /* the app's, and longer there than the queue */
    uint64_t group, saved_to;
    uint64_t *starts; /* of the pieces, oldest first, from `first` */
    uint32_t first, count, cap;
    bool is_shuffled; /* rows came or went elsewhere than at the ends: what is saved is worth nothing */
};

void queue_init(struct queue *q)
{
    *q = (struct queue){0};
}

static void pieces_end(struct queue *q)
{
    struct queue_pieces *p = q->pieces;
    if (!p)
        return;
    state_end(p->state, p->group);
    mem_free(p->starts);
    mem_free(p);
    q->pieces = NULL;
}

void queue_fini(struct queue *q)
{
    pieces_end(q);
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

static void shuffled(struct queue *q)
{
    if (q->pieces)
        q->pieces->is_shuffled = true;
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
    shuffled(q);
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
        shuffled(q);
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

static void piece_add(struct queue_pieces *p, uint64_t start)
{
    if (p->first + p->count == p->cap) {
        if (p->first > p->count) {
            memmove(p->starts, p->starts + p->first, p->count * sizeof *p->starts);
            p->first = 0;
        } else {
            p->cap = p->cap ? p->cap * 2 : 8;
            p->starts = mem_resize(p->starts, p->cap, sizeof *p->starts);
        }
    }
    p->starts[p->first + p->count++] = start;
}

/* Pieces whose rows have all left. */
static void pieces_drop(struct queue_pieces *p, uint64_t taken)
{
    uint64_t from = p->count ? p->starts[p->first] : 0;
    while (p->count && (p->count > 1 ? p->starts[p->first + 1] : p->saved_to) <= taken) {
        p->first++;
        p->count--;
    }
    uint64_t to = p->count ? p->starts[p->first] : p->saved_to;
    if (from < to)
        state_drop(p->state, p->group, from, to);
}

static void pieces_write(const struct queue *q, struct queue_pieces *p)
{
    struct writer w = {0};
    uint64_t end = q->taken + q->count, number = p->saved_to < q->taken ? q->taken : p->saved_to;
    buf_init(&w.out, SIZE_MAX);
    while (number < end) {
        uint64_t start = number;
        const struct row *before = NULL;
        buf_clear(&w.out);
        for (; number < end && number - start < PIECE_ROWS && w.out.len < PIECE_BYTES; number++) {
            const struct row *row = queue_at(q, (uint32_t)(number - q->taken));
            write_row_behind(&w, row, before);
            before = row;
        }
        state_put(p->state, p->group, start, w.out.bytes, w.out.len);
        piece_add(p, start);
    }
    p->saved_to = end;
    buf_fini(&w.out);
}

static struct queue_pieces *pieces_new(struct state *s, uint64_t group)
{
    struct queue_pieces *p = mem_alloc(sizeof *p);
    p->state = s;
    p->group = group;
    return p;
}

static void save_pieces(struct queue *q, struct writer *w)
{
    struct queue_pieces *p = q->pieces;
    if (!p) {
        p = q->pieces = pieces_new(w->state, state_group(w->state));
        p->saved_to = q->taken;
    }
    if (p->is_shuffled) {
        state_end(p->state, p->group);
        p->first = p->count = 0;
        p->saved_to = q->taken;
        p->is_shuffled = false;
    }
    pieces_drop(p, q->taken);
    pieces_write(q, p);
    write_i64(w, (int64_t)p->group);
    write_i64(w, (int64_t)q->taken);
    write_i64(w, q->count); /* not write_count: what is counted lies elsewhere */
    write_i64(w, q->walked);
}

void queue_save(const struct queue *q, struct writer *w)
{
    struct queue *own = (struct queue *)(uintptr_t)q; /* how it is saved is no part of what it holds */
    if (w->state) {
        bool in_pieces = q->count > INLINE_ROWS;
        write_u8(w, in_pieces ? SAVED_PIECES : SAVED_WHOLE);
        if (in_pieces) {
            save_pieces(own, w);
            return;
        }
        pieces_end(own);
    }
    write_count(w, q->count);
    write_count(w, q->walked < q->count ? q->walked : q->count); /* rows may have left since */
    for (uint32_t i = 0; i < q->count; i++)
        write_row(w, queue_at(q, i));
}

static bool load_piece(struct queue *q, struct state_piece *piece, uint64_t end)
{
    struct reader *r = &piece->reader;
    struct row *before = NULL;
    uint64_t number = piece->number;
    for (; r->at < r->end && number < end; number++) {
        struct row *row = read_row_behind(r, before);
        if (before)
            row_unref(before);
        before = row;
        if (!row)
            break;
        if (number >= q->taken)
            queue_add(q, row);
    }
    if (before)
        row_unref(before);
    return !r->failed;
}

static int load_pieces(struct queue *q, struct reader *r)
{
    struct state_piece piece = {0};
    uint64_t group = (uint64_t)read_i64(r);
    q->taken = (uint64_t)read_i64(r);
    uint64_t count = (uint64_t)read_i64(r), walked = (uint64_t)read_i64(r);
    if (r->failed || count > UINT32_MAX / 2)
        return ERR_STATE;
    struct queue_pieces *p = q->pieces = pieces_new(r->state, group);
    bool good = true;
    for (bool is_first = true; good && state_next(r->state, group, is_first, &piece); is_first = false) {
        good = is_first ? piece.number <= q->taken : piece.number == q->taken + q->count;
        piece_add(p, piece.number);
        good = good && load_piece(q, &piece, q->taken + count);
    }
    p->saved_to = q->taken + q->count;
    if (!good || state_failed(r->state) || q->count != count)
        return ERR_STATE;
    q->walked = walked < count ? (uint32_t)walked : q->count;
    return 0;
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
