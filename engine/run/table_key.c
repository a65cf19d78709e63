/* table_key.c - the primary key of a table when it is no single number: buckets walked as a Java hash map is
 * (16 of them, doubled when more than three quarters are taken, never fewer again; in a bucket the order of
 * coming, which is that of the items' moments). A composite key compares as text. See table_place.h. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/run/app.h"
#include "engine/run/table_place.h"

static struct hashed_item *hashed_of(struct item *e)
{
    return (struct hashed_item *)e;
}

static uint32_t hash_spread(uint32_t h)
{
    return h ^ h >> 16;
}

static const struct row *keyed_row(const struct hashed_item *e)
{
    return e->keyed ? e->keyed : e->item.row;
}

static uint32_t java_hash(struct value v)
{
    if (v.type == TYPE_STRING)
        return hash_spread((uint32_t)utf8_java_hash(v.as.s->bytes, v.as.s->len));
    if (v.type == TYPE_BOOL)
        return hash_spread(v.as.l ? 1231 : 1237);
    return v.type == TYPE_NULL ? 0 : hash_spread(value_hash(v));
}

static void key_print(const struct value *key, int count, struct buf *out)
{
    for (int i = 0; i < count; i++) {
        value_print(key[i], out);
        buf_add(out, ":-:", 3);
    }
}

static uint32_t key_hash(const struct keyed *k, const struct value *key)
{
    struct buf *words = (struct buf *)(uintptr_t)&k->words;
    int count = place_plan(k)->primary.count;
    if (count == 1)
        return java_hash(key[0]);
    buf_clear(words);
    key_print(key, count, words);
    return hash_spread((uint32_t)utf8_java_hash(words->bytes, words->len));
}

void primary_values(const struct keyed *k, const struct row *row, struct value *key)
{
    const struct table_key *p = &place_plan(k)->primary;
    for (int i = 0; i < p->count; i++)
        key[i] = row_get(row, p->columns[i]);
}

bool hashed_is(const struct keyed *k, const struct row *row, const struct value *key)
{
    const struct table_key *p = &place_plan(k)->primary;
    struct buf *words = (struct buf *)(uintptr_t)&k->words;
    int same = 0;
    while (same < p->count && value_same(row_get(row, p->columns[same]), key[same]))
        same++;
    if (same == p->count || p->count == 1)
        return same == p->count;
    struct value own[LIMIT_TABLE_KEY];
    primary_values(k, row, own);
    buf_clear(words);
    key_print(own, p->count, words);
    size_t len = words->len;
    key_print(key, p->count, words);
    return words->len == 2 * len && memcmp(words->bytes, words->bytes + len, len) == 0;
}

static struct hashed_item *find_text(const struct keyed *k, const struct text *want)
{
    const uint16_t column = place_plan(k)->primary.columns[0];
    uint32_t hash = hash_spread((uint32_t)utf8_java_hash(want->bytes, want->len));
    struct hashed_item *e = k->buckets[hash & (k->bucket_count - 1)];
    for (; e; e = e->behind) {
        const struct row *row = keyed_row(e);
        if (e->item.key == hash && row->types[column] == TYPE_STRING &&
            text_equal(row_cells(row)[column].s, want))
            break;
    }
    return e;
}

struct hashed_item *hashed_find(const struct keyed *k, const struct value *key)
{
    if (k->bucket_count == 0)
        return NULL;
    if (key[0].type == TYPE_STRING && place_plan(k)->primary.count == 1)
        return find_text(k, key[0].as.s);
    uint32_t hash = key_hash(k, key);
    struct hashed_item *e = k->buckets[hash & (k->bucket_count - 1)];
    while (e && (e->item.key != hash || !hashed_is(k, keyed_row(e), key)))
        e = e->behind;
    return e;
}

struct item *place_get(const struct keyed *k, const struct value *key)
{
    struct hashed_item *e = hashed_find(k, key);
    return e ? &e->item : NULL;
}

struct item *place_get_one(const struct keyed *k, struct value key)
{
    return place_get(k, &key);
}

/* ---- rows by text ---- */

static bool has_text(const struct keyed *k, const struct row *row)
{
    const struct table_key *p = &place_plan(k)->primary;
    return p->count == 1 && p->type == TYPE_STRING && row->types[p->columns[0]] == TYPE_STRING;
}

static void text_add(struct keyed *k, const struct hashed_item *e)
{
    if (!has_text(k, keyed_row(e)))
        return;
    if (e->keyed)
        key_index_miss(&k->by_text);
    else
        key_index_put(&k->by_text, e->item.row);
}

static void text_remove(struct keyed *k, const struct hashed_item *e)
{
    if (!e->keyed && has_text(k, e->item.row))
        key_index_remove(&k->by_text, e->item.row);
}

/* For an item that stands in its bucket. */
static void text_add_new(struct keyed *k, const struct hashed_item *e)
{
    if (!has_text(k, keyed_row(e)))
        return;
    if (!key_index_room(&k->by_text, k->count)) {
        text_add(k, e);
        return;
    }
    for (uint32_t i = 0; i < k->bucket_count; i++) {
        for (e = k->buckets[i]; e; e = e->behind)
            text_add(k, e);
    }
}

/* ---- buckets ---- */

/* What leads to e. */
static struct hashed_item **bucket_at(struct keyed *k, const struct hashed_item *e)
{
    struct hashed_item **at = &k->buckets[e->item.key & (k->bucket_count - 1)];
    while (*at != e) {
        ASSERT(*at);
        at = &(*at)->behind;
    }
    return at;
}

/* Behind those that came before it. */
static void bucket_link(struct keyed *k, struct hashed_item *e)
{
    struct hashed_item **at = &k->buckets[e->item.key & (k->bucket_count - 1)];
    while (*at && (*at)->item.moment < e->item.moment)
        at = &(*at)->behind;
    e->behind = *at;
    *at = e;
}

static void key_end(struct hashed_item *e)
{
    e->item.is_keyed = false;
    e->behind = NULL;
    if (e->keyed)
        row_unref(e->keyed);
    e->keyed = NULL;
}

void hashed_add(struct keyed *k, struct item *item)
{
    struct value key[LIMIT_TABLE_KEY];
    struct hashed_item *e = hashed_of(item);
    primary_values(k, keyed_row(e), key);
    item->key = key_hash(k, key);
    item->is_keyed = true;
    bucket_link(k, e);
    text_add_new(k, e);
}

void hashed_drop(struct keyed *k, struct item *item)
{
    struct hashed_item *e = hashed_of(item);
    text_remove(k, e);
    *bucket_at(k, e) = e->behind;
    key_end(e);
}

void hashed_replace(struct keyed *k, struct item *a, struct item *b)
{
    struct hashed_item *was = hashed_of(a), *is = hashed_of(b);
    if (!was->keyed && has_text(k, a->row))
        key_index_exchange(&k->by_text, a->row, b->row);
    b->key = a->key;
    b->is_keyed = true;
    is->behind = was->behind;
    *bucket_at(k, was) = is;
    key_end(was);
}

void hashed_set_row(struct keyed *k, struct item *item, struct row *row)
{
    struct hashed_item *e = hashed_of(item);
    struct row *was = item->row;
    struct value key[LIMIT_TABLE_KEY];
    primary_values(k, was, key);
    item->row = row;
    if (!e->keyed && !hashed_is(k, row, key)) {
        /* The old row stays for its key. */
        if (has_text(k, was)) {
            key_index_remove(&k->by_text, was);
            key_index_miss(&k->by_text);
        }
        e->keyed = was;
        return;
    }
    if (!e->keyed && has_text(k, was))
        key_index_exchange(&k->by_text, was, row);
    row_unref(was);
}

/* Halves of a bucket keep their order. */
void buckets_widen(struct keyed *k, uint32_t wider)
{
    struct hashed_item **was = k->buckets;
    uint32_t was_count = k->bucket_count;
    k->buckets = mem_array(wider, sizeof(struct hashed_item *));
    k->bucket_count = wider;
    for (uint32_t i = 0; i < was_count; i++) {
        for (struct hashed_item *e = was[i], *next; e; e = next) {
            next = e->behind;
            bucket_link(k, e);
        }
    }
    mem_free(was);
}
