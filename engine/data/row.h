/* row.h - an event's values: immutable once pushed, counted, one block of pool memory.
 *
 * Layout: header of 14 bytes, a type tag a value, padding to 8, eight bytes a value. A row of one long and
 * one double takes 32 bytes. Text stands outside, counted, so copying a column costs an increment. The count
 * is a plain int: a row never leaves its app's worker. Offsets follow from the schema (row_cells_at):
 * expressions keep them. */
#ifndef WEIR_DATA_ROW_H
#define WEIR_DATA_ROW_H

#include "engine/data/value.h"

struct row {
    int64_t at_ms; /* the event's own timestamp */
    uint32_t refs;
    uint16_t count;
    uint8_t types[]; /* enum type */
};

static inline size_t row_cells_at(size_t count)
{
    return (offsetof(struct row, types) + count + 7) & ~(size_t)7;
}
static inline size_t row_bytes(size_t count)
{
    return row_cells_at(count) + count * sizeof(union cell);
}
static inline union cell *row_cells(const struct row *r)
{
    return (union cell *)(void *)((char *)(uintptr_t)r + row_cells_at(r->count));
}
/* The cell at bytes behind the row's begin, as it stands there. */
static inline union cell row_cell(const struct row *r, size_t at)
{
    return *(const union cell *)(const void *)((const char *)r + at);
}
static inline struct value row_get(const struct row *r, size_t i)
{
    return (struct value){row_cells(r)[i], (enum type)r->types[i]};
}
/* Which types a row has in the columns that somebody looks at: what follows from them need not be found out
 * again for every row. Only columns below ROW_SHAPE_COLUMNS can be asked about. Tags are compared by aligned
 * words, which a processor can read while the row's last stores are still on their way; refs is in none of
 * them, for a word of which a part was just written has to wait. */
enum {
    ROW_SHAPE_COLUMNS = 18,
    ROW_HEAD_AT = 12,
    ROW_WORDS_AT = 16,
    ROW_TAGS_AT = offsetof(struct row, types)
};
struct row_shape {
    uint64_t want[2], mask[2];     /* over the bytes 16 to 31 of a row */
    uint32_t head_want, head_mask; /* over the bytes 12 to 15; count is masked out */
};
/* False: column i is too far to the right. */
static inline bool row_shape_add(struct row_shape *s, size_t i, enum type type)
{
    if (i >= ROW_SHAPE_COLUMNS)
        return false;
    const size_t at = ROW_TAGS_AT + i;
    if (at < ROW_WORDS_AT) {
        ((uint8_t *)&s->head_want)[at - ROW_HEAD_AT] = (uint8_t)type;
        ((uint8_t *)&s->head_mask)[at - ROW_HEAD_AT] = 0xFF;
    } else {
        ((uint8_t *)s->want)[at - ROW_WORDS_AT] = (uint8_t)type;
        ((uint8_t *)s->mask)[at - ROW_WORDS_AT] = 0xFF;
    }
    return true;
}
/* The columns of both; one that is in both is of one type. */
static inline void row_shape_join(struct row_shape *s, const struct row_shape *other)
{
    for (int i = 0; i < 2; i++) {
        s->want[i] |= other->want[i];
        s->mask[i] |= other->mask[i];
    }
    s->head_want |= other->head_want;
    s->head_mask |= other->head_mask;
}
static inline uint64_t row_word(const struct row *r, size_t at)
{
    return *(const uint64_t *)(const void *)((const char *)r + at);
}
static inline uint32_t row_head(const struct row *r)
{
    return *(const uint32_t *)(const void *)((const char *)r + ROW_HEAD_AT);
}
/* r has at least one column. */
static inline bool row_has_shape(const struct row *r, const struct row_shape *s)
{
    if ((((row_head(r) ^ s->head_want) & s->head_mask) | ((row_word(r, 16) ^ s->want[0]) & s->mask[0])) != 0)
        return false;
    return LIKELY(s->mask[1] == 0) || ((row_word(r, 24) ^ s->want[1]) & s->mask[1]) == 0;
}

/* A new row, refs 1, tags and cells not set: the caller sets every column before anyone sees it. */
static inline struct row *row_raw(size_t count, int64_t at_ms)
{
    struct row *r = mem_pool_alloc(row_bytes(count));
    r->at_ms = at_ms;
    r->refs = 1;
    r->count = (uint16_t)count;
    return r;
}
/* All null. */
struct row *row_new(size_t count, int64_t at_ms);
/* Sets a column that was not set before (or null); keeps v. */
static inline void row_set(struct row *r, size_t i, struct value v)
{
    v = value_keep(v);
    r->types[i] = (uint8_t)v.type;
    row_cells(r)[i] = v.as;
}
/* As row_set, but takes the caller's reference. */
static inline void row_set_take(struct row *r, size_t i, struct value v)
{
    r->types[i] = (uint8_t)v.type;
    row_cells(r)[i] = v.as;
}
/* Same values, extra null columns behind, another timestamp. */
struct row *row_copy(const struct row *r, size_t extra, int64_t at_ms);
/* The same with texts of its own: for another app, whose account (mem.h) it goes to. */
struct row *row_copy_apart(const struct row *r, int64_t at_ms);
void row_free(struct row *r);
static inline struct row *row_ref(struct row *r)
{
    r->refs++;
    return r;
}
static inline void row_unref(struct row *r)
{
    if (--r->refs == 0)
        row_free(r);
}

#endif
