/* table_item.c - items, lists of them, and the links that refused updates leave: see table_place.h.
 *
 * Law: links never make a ring, so an item's reference on the next one is always given back. */
#include "engine/run/app.h"
#include "engine/run/table_place.h"
#include <stdlib.h>

struct item *item_new(struct keyed *k, struct row *row)
{
    struct item *e = mem_pool_alloc(sizeof(*e));
    *e = (struct item){.row = row_ref(row), .moment = ++k->moment, .refs = 1};
    return e;
}

int items_by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct item *const *)a, y = (uintptr_t) * (struct item *const *)b;
    return x < y ? -1 : x > y;
}

void items_grow(struct items *i)
{
    uint32_t cap = i->cap ? i->cap * 2 : 4;
    struct item **at = arena_raw(i->scratch, (size_t)cap * sizeof(*at));
    if (i->count)
        memcpy(at, i->at, i->count * sizeof(*at));
    i->at = at;
    i->cap = cap;
}

void item_unref(struct item *item)
{
    while (item && --item->refs == 0) {
        struct item *next = item->next;
        row_unref(item->row);
        mem_pool_free(item, sizeof(*item));
        item = next;
    }
}

/* ---- links ---- */

static void link_to(struct keyed *k, struct item *from, struct item *to)
{
    ASSERT(!from->next);
    to->refs++;
    from->next = to;
    k->has_links = true;
}

void item_unlink(struct item *item)
{
    struct item *next = item->next;
    item->next = NULL;
    if (next)
        item_unref(next);
}

void items_link(struct keyed *k, const struct items *found, uint32_t from)
{
    for (uint32_t i = from; i + 1 < found->count; i++) {
        item_unlink(found->at[i]);
        link_to(k, found->at[i], found->at[i + 1]);
    }
}

/* Laws: links never make a ring; what leads into the chain ends where the chain ends, so an item whose links
 * do can't be put behind it: it is left out, unless it stands in the chain already. */
void items_chain(struct keyed *k, struct items *found)
{
    struct items chain = {.scratch = found->scratch};
    if (!k->has_links)
        return;
    for (uint32_t i = 0; i < found->count; i++) {
        struct item *e = found->at[i], *end = e;
        while (end && !end->is_marked)
            end = end->next;
        if (end)
            continue;
        if (chain.count)
            link_to(k, chain.at[chain.count - 1], e);
        for (; e; e = e->next) {
            e->is_marked = true;
            items_add(&chain, e);
        }
    }
    for (uint32_t i = 0; i < chain.count; i++)
        chain.at[i]->is_marked = false;
    *found = chain;
}

/* ---- saved ---- */

uint32_t items_number(const struct items *all, const struct item *e)
{
    struct item *const *at = bsearch(&e, all->at, all->count, sizeof(*all->at), items_by_address);
    ASSERT(at);
    return (uint32_t)(at - all->at);
}

void items_linked(const struct keyed *k, struct items *all)
{
    if (!k->has_links)
        return;
    uint32_t count = all->count;
    for (uint32_t i = 0; i < count; i++)
        all->at[i]->is_marked = true;
    for (uint32_t i = 0; i < count; i++) {
        for (struct item *e = all->at[i]->next; e && !e->is_marked; e = e->next) {
            e->is_marked = true;
            items_add(all, e);
        }
    }
    for (uint32_t i = 0; i < all->count; i++)
        all->at[i]->is_marked = false;
    if (all->count > count)
        qsort(all->at, all->count, sizeof(*all->at), items_by_address);
}

void items_save_links(const struct items *all, struct writer *w)
{
    size_t count = 0;
    for (uint32_t i = 0; i < all->count; i++)
        count += all->at[i]->next != NULL;
    write_count(w, count);
    for (uint32_t i = 0; i < all->count; i++) {
        if (!all->at[i]->next)
            continue;
        write_u32(w, i);
        write_u32(w, items_number(all, all->at[i]->next));
    }
}

/* Bytes that lie could make a ring. walk: zeroed, one for each item. */
static bool has_ring(const uint32_t *next, uint32_t *walk, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        while (at < count && walk[at] == 0) {
            walk[at] = i + 1;
            at = next[at];
        }
        if (at < count && walk[at] == i + 1)
            return true;
    }
    return false;
}

void items_load_links(struct keyed *k, const struct items *all, struct reader *r)
{
    size_t count = read_count(r, UINT32_MAX);
    if (count == 0 || r->failed)
        return;
    uint32_t *next = arena_raw(all->scratch, all->count * sizeof(*next));
    uint32_t *walk = arena_raw(all->scratch, all->count * sizeof(*walk));
    memset(next, 0xff, all->count * sizeof(*next));
    memset(walk, 0, all->count * sizeof(*walk));
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint32_t from = read_u32(r), to = read_u32(r);
        if (from >= all->count || to >= all->count || next[from] != UINT32_MAX)
            r->failed = true;
        else
            next[from] = to;
    }
    if (r->failed || has_ring(next, walk, all->count)) {
        r->failed = true;
        return;
    }
    for (uint32_t i = 0; i < all->count; i++) {
        if (next[i] != UINT32_MAX)
            link_to(k, all->at[i], all->at[next[i]]);
    }
}
