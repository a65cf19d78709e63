/* kept.c - see kept.h. The ring grows to what is needed and stays. */
#include "engine/window/kept.h"

enum { FIRST_PLACES = 8, PLACE_BYTES = sizeof(union cell) + 1, KEPT_EMPTY_MAX = 1 << 30 };

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
    p->columns[p->count++] = (struct kept_column){
        .index = index, .cell_at = (uint32_t)(row_cells_at(s->count) + index * sizeof(union cell))};
    return true;
}

static size_t block_bytes(const struct kept_plan *p, uint32_t cap)
{
    return (size_t)cap * p->count * PLACE_BYTES;
}

void kept_grow(struct kept *k, const struct kept_plan *p, uint32_t most)
{
    ASSERT(k->cap < UINT32_MAX / 2);
    struct kept wide = {.cap = k->cap ? k->cap * 2 : FIRST_PLACES};
    if (wide.cap > most ||
        most <= 2 * FIRST_PLACES) /* a million keys with a short window each: no smaller blocks left over */
        wide.cap = most;
    wide.block = mem_pool_alloc(block_bytes(p, wide.cap));
    for (; wide.count < k->count; wide.count++) {
        uint32_t from = kept_place(k, wide.count);
        memcpy(kept_cells(&wide, p, wide.count), kept_cells(k, p, from), p->count * sizeof(union cell));
        memcpy(kept_tags(&wide, p, wide.count), kept_tags(k, p, from), p->count);
    }
    if (k->cap)
        mem_pool_free(k->block, block_bytes(p, k->cap));
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
    if (k->cap)
        mem_pool_free(k->block, block_bytes(p, k->cap));
    *k = (struct kept){0};
}

void kept_save(const struct kept *k, const struct kept_plan *p, struct writer *w)
{
    write_u32(w, k->count); /* no write_count: an entry of no columns takes no bytes */
    write_u32(w, p->count);
    for (uint32_t i = 0; i < k->count; i++) {
        for (uint32_t c = 0; c < p->count; c++)
            write_value(w, value_at(k, p, i, c));
    }
}

int kept_load(struct kept *k, const struct kept_plan *p, struct reader *r)
{
    kept_fini(k, p);
    uint32_t count = read_u32(r);
    if (read_u32(r) != p->count || (p->count == 0 && count > KEPT_EMPTY_MAX))
        return ERR_STATE;
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        if (k->count == k->cap)
            kept_grow(k, p, UINT32_MAX);
        uint32_t place = kept_place(k, k->count++);
        for (uint32_t c = 0; c < p->count; c++) {
            struct value v = read_value(r);
            kept_cells(k, p, place)[c] = v.as;
            kept_tags(k, p, place)[c] = (uint8_t)v.type;
        }
    }
    return r->failed ? ERR_STATE : 0;
}

struct row *ghost_scratch(struct arena *scratch, const struct kept_plan *p)
{
    struct row *row = arena_alloc(scratch, row_bytes(p->row_count));
    row->count = p->row_count;
    return row;
}
