/* kept.h - what a sliding window holds when of the rows that leave it only some columns are looked at: those
 * values instead of the rows.
 *
 * `from S#window.length(1000) select k, avg(v) as a insert into Out` needs of a row that leaves only v. Plan
 * finds that out when the selector behind the window wants no expired events (select_kept), and tells the
 * window (op_type.keep). An entry takes nine bytes a column, and the row itself ends with its push, while it
 * is still near.
 *
 * A row that leaves is shown as a ghost: a row of the window's schema in which only the kept columns are set.
 * It lies on the stack or in scratch, and nobody may ref it.
 *
 * As long as every value in the ring is of the type its column declares (odd is 0), and the selector takes it
 * so, what leaves is shown as bare cells instead (op_type.slide_cells).
 *
 * Values are counted (value_keep) while they are held. Single-threaded, as all of the engine. */
#ifndef WEIR_WINDOW_KEPT_H
#define WEIR_WINDOW_KEPT_H

#include "engine/data/codec.h"
#include "engine/data/schema.h"

enum { KEPT_COLUMNS_MAX = 8, GHOST_BYTES = 256, GHOST_HEAD_BYTES = 48 /* header and tags of the widest */ };

/* Which columns; made by plan. */
struct kept_plan {
    uint32_t count;
    uint16_t row_count; /* columns of the window's schema */
    bool has_counted;   /* a column of texts or objects */
    bool shows_cells;   /* the selector takes bare cells */
    /* Places right behind a struct kept, its first ring: a million keys with a short window each have all they
     * need beside each other. 0: none are there. */
    uint32_t places_behind;
    struct kept_column {
        uint32_t cell_at; /* in a row */
        uint16_t index;
        uint8_t type; /* declared */
    } columns[KEPT_COLUMNS_MAX];
};
/* A ring. Zeroed memory is an empty one, except with places_behind: kept_init. */
struct kept {
    char *block; /* cells of all places, then their tags */
    uint32_t cap, head, count;
    uint32_t odd;          /* values of another type than declared, null too */
    uint64_t taken;        /* entries that left: the number of the oldest */
    struct pieces *pieces; /* pieces.h */
};
struct ghost {
    union cell space[GHOST_BYTES / sizeof(union cell)];
};

/* For rows of s: false when they are too wide for a ghost. */
bool kept_plan_init(struct kept_plan *p, const struct schema *s);
/* False: there are too many. One that is in already is fine. */
bool kept_plan_add(struct kept_plan *p, const struct schema *s, uint32_t index);

/* A window that never holds more than most; before its first instance is made. */
void kept_plan_most(struct kept_plan *p, uint32_t most);
/* Bytes to be there right behind a struct kept. */
size_t kept_bytes_behind(const struct kept_plan *p);
void kept_init(struct kept *k, const struct kept_plan *p);
void kept_grow(struct kept *k, const struct kept_plan *p, uint32_t most);
void kept_fini(struct kept *k, const struct kept_plan *p);
void kept_save(const struct kept *k, const struct kept_plan *p, struct writer *w);
/* ERR_STATE when it can't be one. */
int kept_load(struct kept *k, const struct kept_plan *p, struct reader *r);

static inline union cell *kept_cells(const struct kept *k, const struct kept_plan *p, uint32_t place)
{
    return (union cell *)(void *)k->block + (size_t)place * p->count;
}
static inline uint8_t *kept_tags(const struct kept *k, const struct kept_plan *p, uint32_t place)
{
    return (uint8_t *)k->block + ((size_t)k->cap * sizeof(union cell) + place) * p->count;
}
static inline uint32_t kept_place(const struct kept *k, uint32_t i)
{
    uint32_t place = k->head + i;
    return place >= k->cap ? place - k->cap : place;
}
/* Counts what *cell points at, or copies it out of scratch. */
void kept_keep(union cell *cell, uint8_t tag);
/* most: the window never holds more, UINT32_MAX when it may. */
static inline void kept_add(struct kept *k, const struct kept_plan *p, const struct row *row, uint32_t most)
{
    if (UNLIKELY(k->count == k->cap))
        kept_grow(k, p, most);
    const uint32_t place = kept_place(k, k->count++);
    union cell *cell = kept_cells(k, p, place);
    uint8_t *tag = kept_tags(k, p, place);
    for (uint32_t i = 0, count = p->count; i < count; i++) {
        const struct kept_column *c = &p->columns[i];
        const uint8_t type = row->types[c->index];
        tag[i] = type;
        cell[i] = *(const union cell *)(const void *)((const char *)row + c->cell_at);
        if (UNLIKELY(type != c->type))
            k->odd++;
        if (type == TYPE_STRING && LIKELY(cell[i].s->refs != TEXT_SCRATCH))
            cell[i].s->refs++;
        else if (UNLIKELY(type == TYPE_STRING || type == TYPE_OBJECT))
            kept_keep(&cell[i], type);
    }
}
static inline void kept_step(struct kept *k)
{
    k->head = k->head + 1 == k->cap ? 0 : k->head + 1;
    k->count--;
    k->taken++;
}
/* The oldest entry as a row; its values' references go to the caller (ghost_end). */
static inline void kept_take(struct kept *k, const struct kept_plan *p, struct row *ghost)
{
    const union cell *cell = kept_cells(k, p, k->head);
    const uint8_t *tag = kept_tags(k, p, k->head);
    for (const struct kept_column *c = p->columns, *end = c + p->count; c < end; c++) {
        k->odd -= *tag != c->type;
        ghost->types[c->index] = *tag++;
        *(union cell *)(void *)((char *)ghost + c->cell_at) = *cell++;
    }
    kept_step(k);
}
/* May what leaves be shown as cells? */
static inline bool kept_is_bare(const struct kept *k, const struct kept_plan *p)
{
    return p->shows_cells && k->odd == 0;
}
/* The oldest entry, p->count cells; their references go to the caller (kept_drop). */
static inline void kept_take_cells(struct kept *k, const struct kept_plan *p, union cell *cells)
{
    const union cell *cell = kept_cells(k, p, k->head);
    for (uint32_t i = 0, count = p->count; i < count; i++)
        cells[i] = cell[i];
    kept_step(k);
}
static inline void kept_drop(const struct kept_plan *p, const union cell *cells)
{
    if (!p->has_counted)
        return;
    for (uint32_t i = 0, count = p->count; i < count; i++) {
        if (type_is_counted(p->columns[i].type))
            value_drop((struct value){cells[i], (enum type)p->columns[i].type});
    }
}
/* A kept column of the oldest entry. */
static inline union cell kept_first(const struct kept *k, const struct kept_plan *p, uint32_t column)
{
    return kept_cells(k, p, k->head)[column];
}
static inline void ghost_end(const struct kept_plan *p, const struct row *ghost)
{
    for (const struct kept_column *c = p->columns, *end = c + p->count; c < end; c++) {
        uint8_t tag = ghost->types[c->index];
        if (tag == TYPE_STRING || tag == TYPE_OBJECT)
            value_drop((struct value){*(const union cell *)(const void *)((const char *)ghost + c->cell_at),
                                      (enum type)tag});
    }
}
static inline struct row *ghost_on(struct ghost *space, const struct kept_plan *p)
{
    struct row *row = (struct row *)(void *)space;
    memset(row, 0, GHOST_HEAD_BYTES);
    row->count = p->row_count;
    return row;
}
struct row *ghost_scratch(struct arena *scratch, const struct kept_plan *p);

#endif
