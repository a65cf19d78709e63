/* table_state.c - a keyed table as bytes: its items are records (records.h), each with every place it stands
 * in. Where a row stands can't be told from what it says, so places are saved as they are: keys that differ
 * from the row's, the hashes of sets, the order in their chains. In a bucket the order is that of moments.
 *
 * The part holds the counts, and the links of refused updates (table_place.h), which are rare: all of them,
 * by the names of the records.
 *
 * A record: moment as the difference to the one before, enum under; the row; then what the bits tell of; for
 * each index enum place_how, and what it tells of. */
#include "engine/base/limits.h"
#include "engine/data/segments.h"
#include "engine/run/app.h"
#include "engine/run/table_place.h"
#include <stdlib.h>

enum under {
    UNDER_KEY = 1,
    UNDER_ROW = 2,    /* a row that has the key follows */
    UNDER_NUMBER = 4, /* the key of a table ordered by numbers follows */
    UNDER_ALL = 7
};
enum place_how {
    PLACE_IS = 1,    /* it stands in a set; the hash follows */
    PLACE_VALUE = 2, /* the set's value, which isn't the row's */
    PLACE_ORDER = 4, /* place.order, when it isn't 0 */
    PLACE_OWN = 8,   /* no hash follows: it is the row's */
    PLACE_ALL = 15
};

struct saving {
    struct keyed *k;
    /* in load: what was taken, and its names, rising */
    struct items all;
    uint64_t *names;
    uint32_t name_cap;
};

/* ---- one item ---- */

static uint64_t own_key(const struct keyed *k, const struct item *e)
{
    return place_index_key(row_get(e->row, place_plan(k)->primary.columns[0]));
}

static struct value own_value(const struct keyed *k, const struct item *e, int index)
{
    return row_get(e->row, place_plan(k)->indexes[index].columns[0]);
}

/* hash: the row's. */
static void write_place(const struct keyed *k, struct item *e, int index, uint64_t hash, struct writer *w)
{
    const struct place *p = item_place(k, e, index);
    if (p->type == TYPE_NULL) {
        write_u8(w, 0);
        return;
    }
    bool same = value_same(place_value(p), own_value(k, e, index));
    write_u8(w, (uint8_t)(PLACE_IS | (same ? 0 : PLACE_VALUE) | (p->order ? PLACE_ORDER : 0) |
                          (p->hash == hash ? PLACE_OWN : 0)));
    if (p->hash != hash)
        write_i64(w, (int64_t)p->hash);
    if (!same)
        write_value(w, place_value(p));
    if (p->order)
        write_u32(w, p->order);
}

static void write_item(void *user, struct writer *w, const struct record *r, const struct record *last)
{
    struct keyed *k = ((struct saving *)user)->k;
    struct item *e = record_item(r);
    const struct item *before = last ? record_item(last) : NULL;
    const struct row *keyed = NULL;
    unsigned under = e->is_keyed ? UNDER_KEY : 0;
    if (e->is_keyed && place_is_ordered(k))
        under |= e->key != own_key(k, e) ? UNDER_NUMBER : 0;
    else if (e->is_keyed && (keyed = ((struct hashed_item *)e)->keyed) != NULL)
        under |= UNDER_ROW;
    write_step(w, e->moment, before ? before->moment : 0);
    write_u8(w, (uint8_t)under);
    write_row_behind(w, e->row, before ? before->row : NULL);
    if (under & UNDER_ROW)
        write_row_behind(w, keyed, e->row);
    if (under & UNDER_NUMBER)
        write_i64(w, (int64_t)e->key);
    uint64_t hash = place_plan(k)->index_count ? place_row_hash(e->row) : 0;
    for (int i = 0; i < place_plan(k)->index_count; i++)
        write_place(k, e, i, hash, w);
}

static void near_item(void *user, const struct record *r, int step)
{
    const struct keyed *k = ((const struct saving *)user)->k;
    struct item *e = record_item(r);
    if (step == 0) {
        __builtin_prefetch(e);
        __builtin_prefetch((const char *)e + k->places_at);
        return;
    }
    segments_near_row(e->row, step);
    for (int i = 0; step == 2 && i < place_plan(k)->index_count; i++) {
        const struct place *p = item_place(k, e, i);
        if (p->type == TYPE_STRING)
            __builtin_prefetch(p->value.s);
    }
}

static struct row *read_own_row(const struct keyed *k, struct reader *r, const struct row *before)
{
    struct row *row = read_row_behind(r, before);
    if (row && !r->failed && row->count == place_plan(k)->element->schema->count)
        return row;
    if (row)
        row_unref(row);
    r->failed = true;
    return NULL;
}

static void read_place(const struct keyed *k, struct item *e, int index, struct reader *r)
{
    struct place *p = item_place(k, e, index);
    uint8_t how = read_u8(r);
    if (how > PLACE_ALL || (how && !(how & PLACE_IS)))
        r->failed = true;
    if (!how || r->failed)
        return;
    p->hash = how & PLACE_OWN ? place_row_hash(e->row) : (uint64_t)read_i64(r);
    struct value v = how & PLACE_VALUE ? read_value(r) : value_keep(own_value(k, e, index));
    p->value = v.as;
    p->type = (uint8_t)v.type;
    p->order = how & PLACE_ORDER ? read_u32(r) : 0;
    if (is_null(v))
        r->failed = true;
}

static void end_item(struct keyed *k, struct item *e)
{
    struct hashed_item *h = (struct hashed_item *)e;
    if (place_has_key(k) && !place_is_ordered(k) && h->keyed)
        row_unref(h->keyed);
    for (int i = 0; i < place_plan(k)->index_count; i++)
        value_drop(place_value(item_place(k, e, i)));
    item_free(k, e);
}

static void drop_item(void *user, struct record *r)
{
    end_item(((struct saving *)user)->k, record_item(r));
}

/* Its places are filled in; it is in none yet. */
static struct record *read_item(void *user, struct reader *r, const struct record *last)
{
    struct keyed *k = ((struct saving *)user)->k;
    const struct item *before = last ? record_item(last) : NULL;
    uint64_t moment = read_step(r, before ? before->moment : 0);
    uint8_t under = read_u8(r);
    bool ordered = place_is_ordered(k);
    if (under > UNDER_ALL || (under && !(under & UNDER_KEY)) || (under && !place_has_key(k)) ||
        ((under & UNDER_ROW) && ordered) || ((under & UNDER_NUMBER) && !ordered))
        r->failed = true;
    struct row *row = read_own_row(k, r, before ? before->row : NULL);
    if (!row)
        return NULL;
    struct item *e = mem_pool_alloc(item_bytes(k));
    memset(e, 0, item_bytes(k));
    e->row = row;
    e->moment = moment;
    e->refs = 1;
    e->is_keyed = under != 0;
    if (under & UNDER_ROW)
        ((struct hashed_item *)e)->keyed = read_own_row(k, r, row);
    if (e->is_keyed && ordered)
        e->key = under & UNDER_NUMBER ? (uint64_t)read_i64(r) : own_key(k, e);
    for (int i = 0; i < place_plan(k)->index_count && !r->failed; i++)
        read_place(k, e, i, r);
    if (!r->failed)
        return &e->record;
    end_item(k, e);
    return NULL;
}

/* ---- all of them ---- */

static void each_item(void *user, void (*visit)(void *to, struct record *r), void *to)
{
    const struct saving *s = user;
    for (uint32_t i = 0; i < s->all.count; i++)
        visit(to, &s->all.at[i]->record);
}

static void take_item(void *user, struct record *r, uint64_t name)
{
    struct saving *s = user;
    if (s->all.count == s->name_cap) {
        uint32_t cap = s->name_cap ? s->name_cap * 2 : 64;
        uint64_t *names = arena_raw(s->all.scratch, cap * sizeof(*names));
        if (s->all.count)
            memcpy(names, s->names, s->all.count * sizeof(*names));
        s->names = names;
        s->name_cap = cap;
    }
    s->names[s->all.count] = name;
    items_add(&s->all, record_item(r));
}

static struct records_owner owner_of(struct saving *s)
{
    return (struct records_owner){.user = s,
                                  .each = each_item,
                                  .write = write_item,
                                  .near = near_item,
                                  .read = read_item,
                                  .take = take_item,
                                  .drop = drop_item};
}

/* ---- links ---- */

struct named {
    const struct item *item;
    uint64_t name;
};

static int by_item(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct named *)a)->item, y = (uintptr_t)((const struct named *)b)->item;
    return x < y ? -1 : x > y;
}

/* The names of all items, when the state is one run of bytes: the order in which they were written. */
static const struct named *name_all(const struct saving *s)
{
    struct named *named = arena_raw(s->all.scratch, s->all.count * sizeof(*named));
    for (uint32_t i = 0; i < s->all.count; i++)
        named[i] = (struct named){s->all.at[i], i};
    qsort(named, s->all.count, sizeof(*named), by_item);
    return named;
}

static uint64_t name_of(const struct saving *s, const struct named *named, const struct item *e)
{
    if (!named)
        return records_name(s->k->records, &e->record);
    struct named *found = bsearch(&(struct named){e, 0}, named, s->all.count, sizeof(*named), by_item);
    ASSERT(found);
    return found->name;
}

static void save_links(const struct saving *s, struct writer *w)
{
    size_t count = 0;
    for (uint32_t i = 0; s->k->has_links && i < s->all.count; i++)
        count += s->all.at[i]->next != NULL;
    s->k->has_links = count > 0;
    write_count(w, count);
    if (count == 0)
        return;
    const struct named *named = w->state ? NULL : name_all(s);
    for (uint32_t i = 0; i < s->all.count; i++) {
        if (!s->all.at[i]->next)
            continue;
        write_varint(w, name_of(s, named, s->all.at[i]));
        write_varint(w, name_of(s, named, s->all.at[i]->next));
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

static uint32_t number_of(const struct saving *s, uint64_t name)
{
    uint32_t low = 0, high = s->all.count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (s->names[mid] < name)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->all.count && s->names[low] == name ? low : UINT32_MAX;
}

static void load_links(const struct saving *s, struct reader *r)
{
    const uint32_t count = s->all.count;
    size_t links = read_count(r, UINT32_MAX);
    if (links == 0 || r->failed)
        return;
    uint32_t *next = arena_raw(s->all.scratch, count * sizeof(*next));
    uint32_t *walk = arena_raw(s->all.scratch, count * sizeof(*walk));
    memset(next, 0xff, count * sizeof(*next));
    memset(walk, 0, count * sizeof(*walk));
    for (size_t i = 0; i < links && !r->failed; i++) {
        uint32_t from = number_of(s, read_varint(r)), to = number_of(s, read_varint(r));
        if (from >= count || to >= count || next[from] != UINT32_MAX)
            r->failed = true;
        else
            next[from] = to;
    }
    if (r->failed || has_ring(next, walk, count)) {
        r->failed = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (next[i] != UINT32_MAX)
            item_link(s->k, s->all.at[i], s->all.at[next[i]]);
    }
}

/* ---- the table ---- */

void place_save(struct table *t, struct writer *w)
{
    struct keyed *k = (struct keyed *)t;
    struct arena *scratch = t->app->env.scratch;
    struct arena_mark mark = arena_mark(scratch);
    struct saving s = {.k = k, .all = {.scratch = scratch}};
    const struct records_owner owner = owner_of(&s);
    if (!k->records || !w->state || k->has_links)
        items_all(k, &s.all);
    write_i64(w, (int64_t)k->moment);
    write_u8(w, k->has_updated);
    write_u32(w, k->bucket_count);
    write_i64(w, (int64_t)k->count);
    records_save(&k->records, w, &owner);
    save_links(&s, w);
    arena_reset(scratch, mark);
}

/* Under its key, if it can stand there. */
static bool stand_keyed(struct keyed *k, struct item *e)
{
    if (place_is_ordered(k)) {
        if (btree_slot(&k->ordered, e->key, 0))
            return false;
        btree_add(&k->ordered, e->key, 0, e);
        e->is_keyed = true;
    } else {
        if (k->bucket_count == 0)
            return false;
        hashed_add(k, e);
    }
    e->refs++;
    k->count++;
    return true;
}

/* An item that was read is put where it says it stands; one that can't, or that is_good refuses, stands
 * nowhere. */
static bool stand(struct keyed *k, struct item *e, bool is_good)
{
    bool is_keyed = e->is_keyed;
    e->is_keyed = false;
    if (is_keyed)
        is_good = is_good && stand_keyed(k, e);
    if (place_has_key(k) && !place_is_ordered(k) && !e->is_keyed) {
        struct hashed_item *h = (struct hashed_item *)e;
        if (h->keyed)
            row_unref(h->keyed);
        h->keyed = NULL;
    }
    for (int i = 0; i < place_plan(k)->index_count; i++) {
        struct place *p = item_place(k, e, i);
        if (p->type == TYPE_NULL)
            continue;
        if (is_good) {
            is_good = place_link(k, i, p);
            e->refs++;
        } else {
            value_drop(place_value(p));
            *p = (struct place){0};
        }
    }
    return is_good;
}

int place_load(struct table *t, struct reader *r)
{
    struct keyed *k = (struct keyed *)t;
    struct arena *scratch = t->app->env.scratch;
    struct arena_mark mark = arena_mark(scratch);
    struct saving s = {.k = k, .all = {.scratch = scratch}};
    const struct records_owner owner = owner_of(&s);
    bool is_hashed = place_has_key(k) && !place_is_ordered(k);
    k->moment = (uint64_t)read_i64(r);
    k->has_updated = read_u8(r) != 0;
    uint32_t buckets = read_u32(r);
    uint64_t count = (uint64_t)read_i64(r);
    if ((buckets & (buckets - 1)) != 0 || buckets > PLACE_BUCKETS_MOST || (buckets && !is_hashed))
        r->failed = true;
    bool is_good = !r->failed && records_load(&k->records, r, &owner) == 0;
    if (is_good && buckets)
        buckets_widen(k, buckets);
    for (uint32_t i = 0; i < s.all.count; i++)
        is_good = stand(k, s.all.at[i], is_good);
    if (is_good)
        load_links(&s, r);
    for (uint32_t i = 0; i < s.all.count; i++)
        item_unref(k, s.all.at[i]);
    arena_reset(scratch, mark);
    return is_good && !r->failed && k->count == count ? 0 : ERR_STATE;
}
