/* row.c - an event's values. */
#include "engine/data/row.h"

/* Columns from first on become null. */
static void row_clear(struct row *r, size_t first)
{
    memset(r->types + first, TYPE_NULL, r->count - first);
    memset(row_cells(r) + first, 0, (r->count - first) * sizeof(union cell));
}

struct row *row_new(size_t count, int64_t at_ms)
{
    ASSERT(count <= UINT16_MAX);
    struct row *r = row_raw(count, at_ms);
    row_clear(r, 0);
    return r;
}

struct row *row_copy(const struct row *r, size_t extra, int64_t at_ms)
{
    ASSERT(r->count + extra <= UINT16_MAX);
    struct row *copy = row_raw(r->count + extra, at_ms);
    for (size_t i = 0; i < r->count; i++)
        row_set(copy, i, row_get(r, i));
    row_clear(copy, r->count);
    return copy;
}

struct row *row_copy_apart(const struct row *r, int64_t at_ms)
{
    struct row *copy = row_raw(r->count, at_ms);
    for (size_t i = 0; i < r->count; i++)
        row_set_take(copy, i, value_apart(row_get(r, i)));
    return copy;
}

/* Column first holds the last reference to what it points at; those before it are let go already. */
static __attribute__((noinline)) void row_free_from(struct row *r, size_t first)
{
    struct value v = row_get(r, first);
    if (v.type == TYPE_STRING)
        text_free(v.as.s);
    else
        object_free(v.as.o);
    for (size_t i = first + 1; i < r->count; i++)
        value_drop(row_get(r, i));
    mem_pool_free(r, row_bytes(r->count));
}

/* Without a call, so without saving registers, as long as nothing that a column points at ends too. */
void row_free(struct row *r)
{
    const size_t count = r->count, cells_at = row_cells_at(count);
    const union cell *cells = (const union cell *)(const void *)((const char *)r + cells_at);
    for (size_t i = 0; i < count; i++) {
        if (!type_is_counted(r->types[i]))
            continue;
        if (LIKELY(r->types[i] == TYPE_STRING)) {
            struct text *s = cells[i].s;
            if (LIKELY(s->refs != TEXT_SCRATCH) && UNLIKELY(--s->refs == 0)) {
                row_free_from(r, i);
                return;
            }
        } else if (--cells[i].o->refs == 0) {
            row_free_from(r, i);
            return;
        }
    }
    mem_pool_free(r, cells_at + count * sizeof(union cell));
}
