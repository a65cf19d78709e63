/* table_item.c - items, lists of them, and the links that refused updates leave: see table_place.h.
 *
 * Law: links never make a ring, so an item's reference on the next one is always given back. */
#include "engine/run/app.h"
#include "engine/run/table_place.h"
#include <stdlib.h>

struct item *item_new(struct keyed *k, struct row *row)
{
    struct item *e = mem_pool_alloc(item_bytes(k));
    memset(e, 0, item_bytes(k));
    e->row = row_ref(row);
    e->moment = ++k->moment;
    e->refs = 1;
    records_new(k->records, &e->record);
    return e;
}

void item_free(struct keyed *k, struct item *e)
{
    row_unref(e->row);
    mem_pool_free(e, item_bytes(k));
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

void item_unref(struct keyed *k, struct item *item)
{
    while (item && --item->refs == 0) {
        struct item *next = item->next;
        records_gone(k->records, &item->record);
        item_free(k, item);
        item = next;
    }
}

/* ---- links ---- */

void item_link(struct keyed *k, struct item *from, struct item *to)
{
    ASSERT(!from->next);
    KNOWN(to);
    to->refs++;
    from->next = to;
    k->has_links = true;
}

void item_unlink(struct keyed *k, struct item *item)
{
    struct item *next = item->next;
    item->next = NULL;
    if (next)
        item_unref(k, next);
}

void items_link(struct keyed *k, const struct items *found, uint32_t from)
{
    for (uint32_t i = from; i + 1 < found->count; i++) {
        item_unlink(k, found->at[i]);
        item_link(k, found->at[i], found->at[i + 1]);
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
            item_link(k, chain.at[chain.count - 1], e);
        for (; e; e = e->next) {
            e->is_marked = true;
            items_add(&chain, e);
        }
    }
    for (uint32_t i = 0; i < chain.count; i++)
        chain.at[i]->is_marked = false;
    *found = chain;
}

/* ---- all of them ---- */

static void add_once(struct items *all, struct item *e)
{
    if (e->is_marked)
        return;
    e->is_marked = true;
    items_add(all, e);
}

void items_all(struct keyed *k, struct items *all)
{
    struct btree_at at = btree_seek(&k->ordered, 0, 0);
    for (struct item *e; (e = btree_next(&at, NULL)) != NULL;)
        add_once(all, e);
    for (uint32_t i = 0; i < k->bucket_count; i++) {
        for (struct hashed_item *e = k->buckets[i]; e; e = e->behind)
            add_once(all, &e->item);
    }
    for (int i = 0; i < place_plan(k)->index_count; i++) {
        at = btree_seek(&k->indexes[i], 0, 0);
        for (const struct place *p; (p = btree_next(&at, NULL)) != NULL;) {
            for (; p; p = p->next)
                add_once(all, place_item(k, p, i));
        }
    }
    for (uint32_t i = 0, count = all->count; k->has_links && i < count; i++) {
        for (struct item *e = all->at[i]->next; e && !e->is_marked; e = e->next)
            add_once(all, e);
    }
    for (uint32_t i = 0; i < all->count; i++)
        all->at[i]->is_marked = false;
}
