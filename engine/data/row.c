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

void row_free(struct row *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->types[i] == TYPE_STRING || r->types[i] == TYPE_OBJECT)
            value_drop(row_get(r, i));
    }
    mem_pool_free(r, row_bytes(r->count));
}
