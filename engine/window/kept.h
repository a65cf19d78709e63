/* kept.h - what a sliding window holds when of the rows that leave it only some columns are looked at: those
 * values instead of the rows.
 *
 * `from S#window.length(1000) select k, avg(v) as a insert into Out` needs of a row that leaves only v. Plan
 * finds that out when the selector behind the window wants no expired events (select_kept), and tells the
 * window (op_type.keep). An entry takes eight bytes a column, and the row itself ends with its push, while it
 * is still near.
 *
 * A row that leaves is shown as a ghost: a row of the window's schema in which only the kept columns are set.
 * It lies on the stack or in scratch, and nobody may ref it.
 *
 * As long as every value in the ring is of the type its column declares (odd is 0), there are no tags. The
 * first value of another type, a null too, brings a tag for each value; when the last such value leaves, they
 * go. No entry sees that more than twice while it is in, so it costs a constant an entry.
 *
 * Of a text column that the selector groups by, an entry may hold the group itself (a token: its address with
 * the lowest bit set) in place of the text, so that what leaves need not look it up; texts and tokens may
 * stand side by side. Whoever takes an entry as a row gets the text (kept_token_out); only slide.h sees
 * tokens.
 *
 * Values are counted (value_keep) while they are held. Single-threaded, as all of the engine. */
#ifndef WEIR_WINDOW_KEPT_H
#define WEIR_WINDOW_KEPT_H

#include "engine/data/batch.h"
#include "engine/data/codec.h"
#include "engine/data/row.h"
#include "engine/data/schema.h"

enum { NO_TOKENS = UINT32_MAX };
enum { KEPT_COLUMNS_MAX = 8, GHOST_BYTES = 256, GHOST_HEAD_BYTES = 48 /* header and tags of the widest */ };

struct op;
struct kept;
/* Which columns; made by plan. */
struct kept_plan {
    uint32_t count;
    uint16_t row_count; /* columns of the window's schema */
    bool has_shape;
    uint32_t text_count; /* columns of texts; their places */
    uint8_t texts[KEPT_COLUMNS_MAX];
    bool has_objects;
    /* The column that may hold tokens, or NO_TOKENS; the text of one, lent; and its end. */
    uint32_t token_at;
    struct text *(*token_text)(const void *token);
    void (*token_end)(void *token);
    /* engine/run/slide.h, for rows of shape slide; NULL: it may not be used */
    int (*slide_one)(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                     bool leaves);
    struct row_shape shape; /* of a row whose values are of their columns' types */
    struct row_shape slide; /* the same of these columns and those that the selector looks at */
    /* Places right behind a struct kept, its first ring: a million keys with a short window each have all
     * they need beside each other. 0: none are there. */
    uint32_t places_behind;
    struct kept_column {
        uint32_t cell_at; /* in a row */
        uint16_t index;
        uint8_t type; /* declared */
    } columns[KEPT_COLUMNS_MAX];
};
/* A ring. Zeroed memory is an empty one, except with places_behind: kept_init. */
struct kept {
    char *block; /* cells of all places; if odd, then their tags */
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
/* The long way of kept_add: there are tags, there will be, or a value lies in scratch or is an object. */
void kept_add_any(struct kept *k, const struct kept_plan *p, const struct row *row);
/* The last odd value left: the tags go. */
void kept_untag(struct kept *k, const struct kept_plan *p);

/* May row, of an event that came alone, go by p->slide_one? */
static inline bool kept_slides(const struct kept *k, const struct kept_plan *p, const struct row *row)
{
    return p->slide_one && k->odd == 0 && LIKELY(row_has_shape(row, &p->slide));
}
static inline bool kept_is_token(union cell cell)
{
    return (cell.l & 1) != 0;
}
static inline void *kept_token(union cell cell)
{
    return (void *)(uintptr_t)((uint64_t)cell.l & ~(uint64_t)1);
}
/* A text of its own in place of a token; the token ends. */
void kept_token_out(const struct kept_plan *p, union cell *cell);

static inline union cell kept_cell_of(const struct row *row, const struct kept_column *c)
{
    return row_cell(row, c->cell_at);
}
/* A row that has p->shape, in a ring without tags that has room. */
static inline __attribute__((always_inline)) void kept_put(struct kept *k, const struct kept_plan *p,
                                                           const struct row *row)
{
    union cell *cells = kept_cells(k, p, kept_place(k, k->count++)), *cell = cells;
    for (const struct kept_column *c = p->columns, *end = c + p->count; c < end; c++)
        *cell++ = kept_cell_of(row, c);
    for (uint32_t i = 0; i < p->text_count; i++) {
        union cell *text = &cells[p->texts[i]];
        text->s = text_keep(text->s);
    }
}
/* most: the window never holds more, UINT32_MAX when it may. */
static inline void kept_add(struct kept *k, const struct kept_plan *p, const struct row *row, uint32_t most)
{
    if (UNLIKELY(k->count == k->cap))
        kept_grow(k, p, most);
    if (UNLIKELY(k->odd != 0 || !p->has_shape || !row_has_shape(row, &p->shape)))
        kept_add_any(k, p, row);
    else
        kept_put(k, p, row);
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
    const uint8_t *tag = k->odd ? kept_tags(k, p, k->head) : NULL;
    const uint32_t odd = k->odd;
    KNOWN(cell);
    for (const struct kept_column *c = p->columns, *end = c + p->count; c < end; c++) {
        const uint8_t type = tag ? *tag++ : c->type;
        k->odd -= type != c->type;
        ghost->types[c->index] = type;
        *(union cell *)(void *)((char *)ghost + c->cell_at) = *cell++;
    }
    if (p->token_at != NO_TOKENS) {
        union cell *key = (union cell *)(void *)((char *)ghost + p->columns[p->token_at].cell_at);
        if (ghost->types[p->columns[p->token_at].index] == TYPE_STRING && kept_is_token(*key))
            kept_token_out(p, key);
    }
    kept_step(k);
    if (UNLIKELY(odd != k->odd && k->odd == 0))
        kept_untag(k, p);
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
            value_drop((struct value){kept_cell_of(ghost, c), (enum type)tag});
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
