/* table_state.c - a keyed table as bytes: its items, numbered, and every place they stand in (table_place.h).
 * Where a row stands can't be told from what it says, so places are saved as they are: keys, hashes and the
 * order of buckets. */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/table_place.h"
#include <stdlib.h>

/* Every item once, in the order of insertion, with all places it stands in; buckets in their order, for that
 * is state too. */
static void collect_items(struct keyed *k, struct items *all)
{
    struct btree_at at = btree_seek(&k->ordered, 0, 0);
    for (struct item *e; (e = btree_next(&at, NULL)) != NULL;)
        items_add(all, e);
    for (uint32_t i = 0; i < k->bucket_count; i++) {
        for (struct bucket_slot *s = k->buckets[i]; s; s = s->next)
            items_add(all, s->item);
    }
    for (int i = 0; i < place_plan(k)->index_count; i++) {
        at = btree_seek(&k->indexes[i], 0, 0);
        for (const struct place *p; (p = btree_next(&at, NULL)) != NULL;) {
            for (; p; p = p->next)
                items_add(all, p->item);
        }
    }
    if (all->count)
        qsort(all->at, all->count, sizeof(*all->at), items_by_address);
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        if (count == 0 || all->at[count - 1] != all->at[i])
            all->at[count++] = all->at[i];
    }
    all->count = count;
    items_linked(k, all);
}

static void save_index(const struct keyed *k, int index, const struct items *all, struct writer *w)
{
    struct btree_at at = btree_seek(&k->indexes[index], 0, 0);
    write_count(w, k->indexes[index].count);
    for (const struct place *p; (p = btree_next(&at, NULL)) != NULL;) {
        write_i64(w, (int64_t)btree_order(&at));
        size_t chain = 0;
        for (const struct place *c = p; c; c = c->next)
            chain++;
        write_count(w, chain);
        for (; p; p = p->next) {
            write_value(w, p->value);
            write_u32(w, items_number(all, p->item));
        }
    }
}

void place_save(struct table *t, struct writer *w)
{
    struct keyed *k = (struct keyed *)t;
    struct arena_mark mark = arena_mark(t->app->env.scratch);
    struct items all = {.scratch = t->app->env.scratch};
    collect_items(k, &all);
    write_i64(w, (int64_t)k->moment);
    write_u8(w, k->has_updated);
    write_u32(w, k->bucket_count);
    write_count(w, all.count);
    for (uint32_t i = 0; i < all.count; i++) {
        write_i64(w, (int64_t)all.at[i]->moment);
        write_row(w, all.at[i]->row);
    }
    items_save_links(&all, w);
    write_count(w, k->count);
    uint64_t key;
    struct btree_at at = btree_seek(&k->ordered, 0, 0);
    for (struct item *e; (e = btree_next(&at, &key)) != NULL;) {
        write_u32(w, items_number(&all, e));
        write_i64(w, (int64_t)key);
    }
    for (uint32_t i = 0; i < k->bucket_count; i++) {
        for (struct bucket_slot *s = k->buckets[i]; s; s = s->next) {
            write_u32(w, items_number(&all, s->item));
            write_row(w, s->keyed == s->item->row ? NULL : s->keyed);
        }
    }
    for (int i = 0; i < place_plan(k)->index_count; i++)
        save_index(k, i, &all, w);
    arena_reset(t->app->env.scratch, mark);
}

static struct item *load_item(const struct items *all, struct reader *r)
{
    uint32_t at = read_u32(r);
    if (at >= all->count)
        r->failed = true;
    return r->failed ? NULL : all->at[at];
}

static void load_primary(struct keyed *k, const struct items *all, struct reader *r)
{
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct item *e = load_item(all, r);
        if (!e)
            return;
        if (place_is_ordered(k)) {
            uint64_t at = (uint64_t)read_i64(r);
            if (r->failed || btree_slot(&k->ordered, at, 0)) {
                r->failed = true;
                return;
            }
            btree_add(&k->ordered, at, 0, e);
        } else {
            struct row *keyed = read_row(r);
            if (r->failed || k->bucket_count == 0 || (keyed && keyed->count != e->row->count)) {
                r->failed = true;
                if (keyed)
                    row_unref(keyed);
                return;
            }
            place_bucket_add(k, e, keyed ? keyed : row_ref(e->row));
        }
        e->refs++;
        k->count++;
    }
}

static void load_index(struct keyed *k, int index, const struct items *all, struct reader *r)
{
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint64_t hash = (uint64_t)read_i64(r), key = 0;
        size_t chain = read_count(r, UINT32_MAX);
        struct place *head = NULL, **last = &head;
        for (size_t c = 0; c < chain && !r->failed; c++) {
            struct value v = read_value(r);
            struct item *e = load_item(all, r);
            if (!e || (c > 0 && place_index_key(v) != key)) {
                r->failed = true;
                value_drop(v);
                break;
            }
            key = place_index_key(v);
            struct place *p = mem_pool_alloc(sizeof(*p));
            *p = (struct place){.item = e, .value = v};
            e->refs++;
            *last = p;
            last = &p->next;
        }
        if (head && !btree_slot(&k->indexes[index], key, hash)) {
            btree_add(&k->indexes[index], key, hash, head);
            continue;
        }
        r->failed = true;
        for (struct place *next; head; head = next) {
            next = head->next;
            place_free(head);
        }
    }
}

int place_load(struct table *t, struct reader *r)
{
    struct keyed *k = (struct keyed *)t;
    struct arena_mark mark = arena_mark(t->app->env.scratch);
    struct items all = {.scratch = t->app->env.scratch};
    k->moment = (uint64_t)read_i64(r);
    k->has_updated = read_u8(r) != 0;
    uint32_t buckets = read_u32(r);
    size_t count = read_count(r, UINT32_MAX);
    if ((buckets & (buckets - 1)) != 0 || buckets > PLACE_BUCKETS_MOST ||
        (buckets && (place_is_ordered(k) || !place_has_key(k))))
        r->failed = true;
    if (buckets && !r->failed)
        place_buckets_widen(k, buckets);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint64_t moment = (uint64_t)read_i64(r);
        struct row *row = read_row(r);
        if (!row || row->count != place_plan(k)->element->schema->count) {
            r->failed = true;
            if (row)
                row_unref(row);
            break;
        }
        struct item *e = mem_pool_alloc(sizeof(*e));
        *e = (struct item){.row = row, .moment = moment, .refs = 1};
        items_add(&all, e);
    }
    items_load_links(k, &all, r);
    load_primary(k, &all, r);
    for (int i = 0; i < place_plan(k)->index_count && !r->failed; i++)
        load_index(k, i, &all, r);
    for (uint32_t i = 0; i < all.count; i++)
        item_unref(all.at[i]);
    arena_reset(t->app->env.scratch, mark);
    return r->failed ? ERR_STATE : 0;
}
