/* kept.c - see kept.h. The ring grows to what is needed and stays. */
#include "engine/window/kept.h"
#include "engine/window/pieces.h"

enum { FIRST_PLACES = 8, PLACES_BEHIND = 16, PLACE_BYTES = sizeof(union cell) + 1 };

bool kept_plan_init(struct kept_plan *p, const struct schema *s)
{
    *p = (struct kept_plan){.row_count = (uint16_t)s->count};
    return row_bytes(s->count) <= GHOST_BYTES;
}

bool kept_plan_add(struct kept_plan *p, const struct schema *s, uint32_t index)
{
    for (uint32_t c = 0; c < p->count; c++) {
        if (p->columns[c].index == index)
            return true;
    }
    if (p->count == KEPT_COLUMNS_MAX)
        return false;
    enum type type = s->attributes[index].type;
    p->columns[p->count++] =
        (struct kept_column){.index = (uint16_t)index,
                             .type = (uint8_t)type,
                             .cell_at = (uint32_t)(row_cells_at(s->count) + index * sizeof(union cell))};
    p->has_counted = p->has_counted || type == TYPE_STRING || type == TYPE_OBJECT;
    return true;
}

static size_t block_bytes(const struct kept_plan *p, uint32_t cap)
{
    return (size_t)cap * p->count * PLACE_BYTES;
}

void kept_plan_most(struct kept_plan *p, uint32_t most)
{
    p->places_behind = most <= PLACES_BEHIND ? most : 0;
}

size_t kept_bytes_behind(const struct kept_plan *p)
{
    return block_bytes(p, p->places_behind);
}

static bool is_behind(const struct kept *k, const struct kept_plan *p)
{
    return k->cap == p->places_behind; /* one that grew is longer */
}

void kept_init(struct kept *k, const struct kept_plan *p)
{
    k->cap = p->places_behind;
    k->block = k->cap ? (char *)(k + 1) : NULL;
}

static void block_free(struct kept *k, const struct kept_plan *p)
{
    if (k->cap && !is_behind(k, p))
        mem_pool_free(k->block, block_bytes(p, k->cap));
}

void kept_grow(struct kept *k, const struct kept_plan *p, uint32_t most)
{
    ASSERT(k->cap < UINT32_MAX / 2);
    struct kept wide = *k; /* how it is saved stays as it is */
    wide.cap = k->cap ? k->cap * 2 : FIRST_PLACES;
    wide.head = wide.count = 0;
    if (wide.cap > most)
        wide.cap = most;
    wide.block = mem_pool_alloc(block_bytes(p, wide.cap));
    for (; wide.count < k->count; wide.count++) {
        uint32_t from = kept_place(k, wide.count);
        memcpy(kept_cells(&wide, p, wide.count), kept_cells(k, p, from), p->count * sizeof(union cell));
        memcpy(kept_tags(&wide, p, wide.count), kept_tags(k, p, from), p->count);
    }
    block_free(k, p);
    *k = wide;
}

/* A column may hold a value of another type than it declares (cast), so the tag is asked. */
void kept_keep(union cell *cell, uint8_t tag)
{
    *cell = value_keep((struct value){*cell, (enum type)tag}).as;
}

static struct value value_at(const struct kept *k, const struct kept_plan *p, uint32_t i, uint32_t column)
{
    uint32_t place = kept_place(k, i);
    return (struct value){kept_cells(k, p, place)[column], (enum type)kept_tags(k, p, place)[column]};
}

void kept_fini(struct kept *k, const struct kept_plan *p)
{
    for (uint32_t i = 0; i < k->count; i++) {
        for (uint32_t c = 0; c < p->count; c++)
            value_drop(value_at(k, p, i, c));
    }
    block_free(k, p);
    pieces_end(&k->pieces);
    *k = (struct kept){0};
    kept_init(k, p);
}

struct entries { /* being written or read */
    struct kept *kept;
    const struct kept_plan *plan;
};

/* The values: one to nine bytes for a number. */
enum { OTHER_VALUE = 0xF0 }; /* no head of write_sparse is as high */

static bool is_number(uint8_t declared)
{
    return declared == TYPE_LONG || declared == TYPE_DOUBLE;
}

static void write_kept(struct writer *w, struct value v, uint8_t declared)
{
    if (LIKELY(v.type == (enum type)declared && is_number(declared))) {
        write_sparse(w, (uint64_t)v.as.l);
        return;
    }
    write_u8(w, OTHER_VALUE);
    write_value(w, v);
}

static struct value read_kept(struct reader *r, uint8_t declared)
{
    if (LIKELY(r->at < r->end && *r->at < OTHER_VALUE && is_number(declared)))
        return (struct value){{.l = (int64_t)read_sparse(r)}, (enum type)declared};
    if (read_u8(r) != OTHER_VALUE)
        r->failed = true;
    return read_value(r);
}

static void write_entry(void *user, struct writer *w, uint32_t i, bool begins)
{
    const struct entries *e = user;
    (void)begins;
    for (uint32_t c = 0; c < e->plan->count; c++)
        write_kept(w, value_at(e->kept, e->plan, i, c), e->plan->columns[c].type);
    if (!e->plan->count)
        write_u8(w, 0); /* an entry is never nothing */
}

static bool read_entry(void *user, struct reader *r, bool begins, bool is_held)
{
    const struct entries *e = user;
    struct kept *k = e->kept;
    uint32_t place = 0;
    (void)begins;
    if (is_held) {
        if (k->count == k->cap)
            kept_grow(k, e->plan, UINT32_MAX);
        place = kept_place(k, k->count++);
    }
    for (uint32_t c = 0; c < e->plan->count; c++) {
        struct value v = read_kept(r, e->plan->columns[c].type);
        if (is_held) {
            kept_cells(k, e->plan, place)[c] = v.as;
            kept_tags(k, e->plan, place)[c] = (uint8_t)v.type;
            k->odd += v.type != (enum type)e->plan->columns[c].type;
        } else {
            value_drop(v);
        }
    }
    if (!e->plan->count)
        read_u8(r);
    return !r->failed;
}

static void kept_tally(const struct kept *k, const struct kept_plan *p, struct writer *w)
{
    enum { LOOKS = 1024 };
    uint32_t step = k->count / LOOKS + 1, looks = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; p->has_counted && i < k->count; i += step, looks++)
        for (uint32_t c = 0; c < p->count; c++)
            bytes += tally_value(value_at(k, p, i, c));
    write_held(w, block_bytes(p, k->cap));
    if (looks)
        write_held(w, (size_t)((double)bytes / looks * k->count));
}

void kept_save(const struct kept *k, const struct kept_plan *p, struct writer *w)
{
    if (w->tally) {
        kept_tally(k, p, w);
        return;
    }
    struct kept *own = (struct kept *)(uintptr_t)k; /* how it is saved is no part of what it holds */
    struct entries entries = {own, p};
    bool in_pieces = w->state && k->count > PIECES_INLINE;
    write_varint(w, p->count);
    write_u8(w, in_pieces);
    if (in_pieces) {
        pieces_save(&own->pieces, w, k->taken, k->count,
                    &(struct pieces_owner){.user = &entries, .write = write_entry});
        return;
    }
    pieces_end(&own->pieces);
    write_count(w, k->count);
    for (uint32_t i = 0; i < k->count; i++)
        write_entry(&entries, w, i, i == 0);
}

int kept_load(struct kept *k, const struct kept_plan *p, struct reader *r)
{
    struct entries entries = {k, p};
    kept_fini(k, p);
    if (read_varint(r) != p->count)
        return ERR_STATE;
    if (read_u8(r))
        return pieces_load(&k->pieces, r, &k->taken,
                           &(struct pieces_owner){.user = &entries, .read = read_entry});
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++)
        read_entry(&entries, r, i == 0, true);
    return r->failed ? ERR_STATE : 0;
}

struct row *ghost_scratch(struct arena *scratch, const struct kept_plan *p)
{
    struct row *row = arena_alloc(scratch, row_bytes(p->row_count));
    row->count = p->row_count;
    return row;
}
