/* row.h - an event's values: immutable once pushed, counted, one block of pool memory.
 *
 * Layout: header of 14 bytes, a type tag a value, padding to 8, eight bytes a value. A row of one long and
 * one double takes 32 bytes. Text stands outside, counted, so copying a column costs an increment. The count
 * is a plain int: a row never leaves its app's worker. Offsets are known when an app is compiled: expressions
 * keep them (row_type_at, row_cell_at). */
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
static inline struct value row_get(const struct row *r, size_t i)
{
    return (struct value){row_cells(r)[i], (enum type)r->types[i]};
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
