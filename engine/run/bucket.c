/* bucket.c - see bucket.h. Open addressing over an array of rows. */
#include "engine/run/bucket.h"
#include "engine/base/utf8.h"
#include "engine/data/object.h"

enum { FIRST_ROWS = 4, JAVA_FIRST_BUCKETS = 16, LIMIT_KEY_BYTES = 1 << 20 };

void bucket_init(struct bucket *b, const struct bucket_layout *layout)
{
    *b = (struct bucket){.layout = layout, .java_buckets = JAVA_FIRST_BUCKETS};
}

void bucket_fini(struct bucket *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        row_unref(b->rows[i]);
    mem_free(b->rows);
    mem_free(b->hashes);
    mem_free(b->slots);
    segments_end(&b->saved);
    bucket_init(b, b->layout);
}

/* ---- groups ---- */

/* Keys are compared by their text, so a null and the string 'null' are one group. */
static struct value key_value(struct value v)
{
    bool says_null = v.type == TYPE_STRING && v.as.s->len == 4 && memcmp(v.as.s->bytes, "null", 4) == 0;
    return says_null ? VALUE_NULL : v;
}

static uint32_t key_hash(const struct bucket_layout *l, int64_t event_start_ms, const struct value *keys)
{
    uint64_t h = 0x9E3779B97F4A7C15u;
    if (l->event_start >= 0)
        h ^= (uint64_t)event_start_ms;
    for (int i = 0; i < l->key_count; i++)
        h = (h ^ value_hash(key_value(keys[i]))) * 0xBF58476D1CE4E5B9u;
    h *= 0x94D049BB133111EBu;
    return (uint32_t)(h >> 32);
}

static bool key_same(const struct bucket_layout *l, const struct row *row, int64_t event_start_ms,
                     const struct value *keys)
{
    if (l->event_start >= 0 && row_get(row, (size_t)l->event_start).as.l != event_start_ms)
        return false;
    for (int i = 0; i < l->key_count; i++) {
        if (!value_same(key_value(row_get(row, (size_t)(l->first_key + i))), key_value(keys[i])))
            return false;
    }
    return true;
}

static void slot_put(struct bucket *b, uint32_t place)
{
    uint32_t mask = b->slot_count - 1, at = b->hashes[place] & mask;
    while (b->slots[at])
        at = (at + 1) & mask;
    b->slots[at] = place + 1;
}

static void bucket_widen(struct bucket *b)
{
    b->cap = b->cap ? b->cap * 2 : FIRST_ROWS;
    b->rows = mem_resize(b->rows, b->cap, sizeof(struct row *));
    b->hashes = mem_resize(b->hashes, b->cap, sizeof(*b->hashes));
    mem_free(b->slots);
    b->slot_count = b->cap * 2;
    b->slots = mem_array(b->slot_count, sizeof(*b->slots));
    for (uint32_t i = 0; i < b->count; i++)
        slot_put(b, i);
}

/* Takes row. */
static void bucket_put(struct bucket *b, struct row *row, uint32_t hash)
{
    if (b->count == b->cap)
        bucket_widen(b);
    b->rows[b->count] = row;
    b->hashes[b->count] = hash;
    segments_touch(b->saved, b->count);
    slot_put(b, b->count++);
}

/* The row of the group, made when it is new; it is going to be changed. */
static struct row *bucket_need(struct bucket *b, int64_t start_ms, int64_t event_start_ms,
                               const struct value *keys, bool *fresh)
{
    const struct bucket_layout *l = b->layout;
    uint32_t hash = key_hash(l, event_start_ms, keys);
    *fresh = false;
    while (b->count > b->java_buckets / 4 * 3)
        b->java_buckets *= 2;
    for (uint32_t at = hash & (b->slot_count - 1); b->slot_count && b->slots[at];
         at = (at + 1) & (b->slot_count - 1)) {
        uint32_t place = b->slots[at] - 1;
        if (b->hashes[place] != hash || !key_same(l, b->rows[place], event_start_ms, keys))
            continue;
        segments_touch(b->saved, place);
        return b->rows[place];
    }
    struct row *row = row_new(l->schema->count, start_ms);
    row_set(row, 0, value_long(start_ms));
    if (l->event_start >= 0)
        row_set(row, (size_t)l->event_start, value_long(event_start_ms));
    for (int i = 0; i < l->key_count; i++)
        row_set(row, (size_t)(l->first_key + i), keys[i]);
    bucket_put(b, row, hash);
    *fresh = true;
    return row;
}

/* ---- columns ---- */

static void replace(struct row *row, size_t i, struct value v)
{
    struct value was = row_get(row, i);
    row_set(row, i, v);
    value_drop(was);
}

static void sum_add(struct row *row, size_t i, struct value v)
{
    union cell *cell = &row_cells(row)[i];
    if (row->types[i] == TYPE_NULL)
        row_set(row, i, v);
    else if (v.type == TYPE_DOUBLE)
        cell->d += v.as.d;
    else
        cell->l = (int64_t)((uint64_t)cell->l + (uint64_t)v.as.l);
}

static bool is_less(struct value a, struct value b)
{
    if (a.type == TYPE_FLOAT || a.type == TYPE_DOUBLE || b.type == TYPE_FLOAT || b.type == TYPE_DOUBLE)
        return value_to_double(a) < value_to_double(b);
    return a.as.l < b.as.l;
}

static void extreme_add(struct row *row, size_t i, struct value v, bool is_max)
{
    struct value was = row_get(row, i);
    if (is_null(was) || (is_max ? is_less(was, v) : is_less(v, was)))
        row_set(row, i, v);
}

/* The set of a column, this row's alone. */
static struct object *own_set(struct row *row, size_t i)
{
    struct value was = row_get(row, i), key;
    if (was.type == TYPE_OBJECT && was.as.o->refs == 1)
        return was.as.o;
    struct object *copy = set_new();
    for (size_t at = 0; was.type == TYPE_OBJECT && object_next(was.as.o, &at, &key, NULL);)
        set_add(copy, key);
    row_set_take(row, i, value_object(copy));
    value_drop(was);
    return copy;
}

static void set_join(struct row *row, size_t i, struct value v)
{
    struct value was = row_get(row, i), key;
    if (is_null(was)) {
        row_set(row, i, v);
        return;
    }
    if (object_count(was.as.o) >= object_count(v.as.o)) {
        /* Mostly all of it is in already: then the set stays shared. */
        bool all = true;
        for (size_t at = 0; all && object_next(v.as.o, &at, &key, NULL);)
            all = set_has(was.as.o, key);
        if (all)
            return;
    }
    struct object *set = own_set(row, i);
    for (size_t at = 0; object_next(v.as.o, &at, &key, NULL);)
        set_add(set, key);
}

static void column_add(struct row *row, size_t i, enum column_kind kind, struct value v, bool is_event)
{
    switch (kind) {
    case COLUMN_COUNT:
    case COLUMN_SUM:
        if (!is_null(v))
            sum_add(row, i, v);
        break;
    case COLUMN_MIN:
    case COLUMN_MAX:
        if (!is_null(v))
            extreme_add(row, i, v, kind == COLUMN_MAX);
        break;
    case COLUMN_SET:
        if (is_event)
            set_add(own_set(row, i), v);
        else if (!is_null(v))
            set_join(row, i, v);
        break;
    case COLUMN_LATEST_TIME:
        extreme_add(row, i, v, true);
        break;
    case COLUMN_LATEST:
        replace(row, i, v);
        break;
    case COLUMN_START:
    case COLUMN_EVENT_START:
    case COLUMN_KEY:
        break;
    }
}

/* A null and the string 'null' are one group: the newest event tells which of them is shown. */
static void keys_renew(const struct bucket_layout *l, struct row *row, const struct value *keys)
{
    for (int i = 0; i < l->key_count; i++) {
        size_t at = (size_t)(l->first_key + i);
        if (UNLIKELY(row->types[at] != keys[i].type))
            replace(row, at, keys[i]);
    }
}

/* Values of the newest event are taken over from what is not older. */
static bool is_newest(const struct bucket_layout *l, const struct row *row, struct value time)
{
    return l->latest_time < 0 || !is_less(time, row_get(row, (size_t)l->latest_time));
}

void bucket_add_event(struct bucket *b, int64_t start_ms, int64_t event_start_ms, const struct value *values)
{
    const struct bucket_layout *l = b->layout;
    bool fresh;
    struct row *row = bucket_need(b, start_ms, event_start_ms, values + l->first_key, &fresh);
    bool newest = fresh || is_newest(l, row, values[l->latest_time < 0 ? 0 : l->latest_time]);
    if (newest && !fresh)
        keys_renew(l, row, values + l->first_key);
    for (size_t i = (size_t)(l->first_key + l->key_count); i < l->schema->count; i++) {
        if (newest || l->kinds[i] != COLUMN_LATEST)
            column_add(row, i, l->kinds[i], values[i], true);
    }
}

void bucket_add_row(struct bucket *b, int64_t start_ms, int64_t event_start_ms, const struct row *from)
{
    const struct bucket_layout *l = b->layout;
    struct value keys[LIMIT_BUCKET_KEYS];
    bool fresh;
    for (int i = 0; i < l->key_count; i++)
        keys[i] = row_get(from, (size_t)(l->first_key + i));
    struct row *row = bucket_need(b, start_ms, event_start_ms, keys, &fresh);
    bool newest = fresh || is_newest(l, row, row_get(from, l->latest_time < 0 ? 0 : (size_t)l->latest_time));
    if (newest && !fresh)
        keys_renew(l, row, keys);
    for (size_t i = (size_t)(l->first_key + l->key_count); i < l->schema->count; i++) {
        if (newest || l->kinds[i] != COLUMN_LATEST)
            column_add(row, i, l->kinds[i], row_get(from, i), false);
    }
}

/* ---- order: that of a hash map keyed by the group's text (spec 08 section 3), whose buckets put the newest
 * first ---- */

static uint32_t java_spread(const struct bucket_layout *l, const struct row *row, bool has_start)
{
    struct buf key;
    buf_init(&key, LIMIT_KEY_BYTES);
    int first = l->event_start >= 0 ? l->event_start : l->first_key, end = l->first_key + l->key_count;
    for (int i = first; i < end; i++) {
        value_print(row_get(row, (size_t)i), &key);
        buf_add_str(&key, ":-:");
    }
    if (has_start) {
        buf_add_str(&key, "-");
        value_print(row_get(row, 0), &key);
    }
    uint32_t h = (uint32_t)utf8_java_hash(key.len ? key.bytes : "", key.len);
    buf_fini(&key);
    return h ^ h >> 16;
}

static struct row **rows_in_order(const struct bucket *b, struct arena *scratch, uint32_t cap, bool has_start)
{
    struct row **list = arena_array(scratch, (size_t)b->count + 1, sizeof(struct row *));
    if (b->count < 2) {
        if (b->count)
            list[0] = b->rows[0];
        return list;
    }
    uint32_t *at = arena_array(scratch, (size_t)cap + 1, sizeof(*at));
    uint32_t *places = arena_array(scratch, b->count, sizeof(*places));
    for (uint32_t i = 0; i < b->count; i++) {
        places[i] = java_spread(b->layout, b->rows[i], has_start) & (cap - 1);
        at[places[i] + 1]++;
    }
    for (uint32_t i = 0; i < cap; i++)
        at[i + 1] += at[i];
    for (uint32_t i = b->count; i-- > 0;)
        list[at[places[i]]++] = b->rows[i];
    return list;
}

/* Buckets of a hash map that grew when it had more than three quarters as many entries. */
static uint32_t buckets_for(uint32_t count)
{
    uint32_t cap = JAVA_FIRST_BUCKETS;
    while (count > cap / 4 * 3)
        cap *= 2;
    return cap;
}

struct row **bucket_rows(const struct bucket *b, struct arena *scratch)
{
    return rows_in_order(b, scratch, buckets_for(b->count), false);
}

/* The language's maps of states grow when they are asked, and not when something is put in. */
struct row **bucket_rows_merged(const struct bucket *b, struct arena *scratch, bool has_start)
{
    return rows_in_order(b, scratch, b->java_buckets, has_start);
}

struct row **bucket_take_rows(struct bucket *b, struct arena *scratch, uint32_t *count)
{
    struct row **list = bucket_rows(b, scratch);
    *count = b->count;
    b->count = 0;
    if (b->slots)
        memset(b->slots, 0, b->slot_count * sizeof(*b->slots));
    return list;
}

/* ---- state ---- */

static void near_entry(void *user, uint32_t place, int step)
{
    segments_near_row(((const struct bucket *)user)->rows[place], step);
}

static void write_entry(void *user, struct writer *w, uint32_t place)
{
    const struct bucket *b = user;
    write_row(w, b->rows[place]);
}

void bucket_save(struct bucket *b, struct writer *w)
{
    segments_save(&b->saved, w, b->count,
                  &(struct segments_owner){.user = b, .write = write_entry, .near = near_entry});
}

static bool row_fits(const struct bucket_layout *l, const struct row *row)
{
    if (!row || row->count != l->schema->count || row->types[0] != TYPE_LONG)
        return false;
    if (l->event_start >= 0 && row->types[l->event_start] != TYPE_LONG)
        return false;
    for (size_t i = 0; i < row->count; i++) {
        struct value v = row_get(row, i);
        if (l->kinds[i] < COLUMN_LATEST_TIME || is_null(v))
            continue;
        bool fits = l->kinds[i] == COLUMN_SET ? v.type == TYPE_OBJECT && object_is_set(v.as.o)
                                              : type_is_numeric(v.type);
        if (!fits)
            return false;
    }
    return true;
}

static bool begin_entries(void *user, uint32_t count)
{
    struct bucket *b = user;
    if (b->count)
        return false;
    while (b->cap < count)
        bucket_widen(b);
    if (count)
        memset(b->rows, 0, b->cap * sizeof(struct row *));
    return true;
}

static bool read_entry(void *user, struct reader *r, uint32_t place)
{
    struct bucket *b = user;
    const struct bucket_layout *l = b->layout;
    struct value keys[LIMIT_BUCKET_KEYS];
    struct row *row = read_row(r);
    if (!row_fits(l, row)) {
        if (row)
            row_unref(row);
        return false;
    }
    for (int k = 0; k < l->key_count; k++)
        keys[k] = row_get(row, (size_t)(l->first_key + k));
    b->rows[place] = row;
    b->hashes[place] = key_hash(l, l->event_start >= 0 ? row_get(row, (size_t)l->event_start).as.l : 0, keys);
    b->count = place < b->count ? b->count : place + 1;
    return true;
}

/* Those that were read, without holes when not all were. */
static void close_holes(struct bucket *b)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->count; i++)
        if (b->rows[i])
            b->rows[count++] = b->rows[i];
    b->count = count;
}

int bucket_load(struct bucket *b, struct reader *r)
{
    int rc = segments_load(&b->saved, r,
                           &(struct segments_owner){.user = b, .read = read_entry, .begin = begin_entries});
    if (rc < 0)
        close_holes(b);
    for (uint32_t i = 0; rc == 0 && i < b->count; i++)
        slot_put(b, i);
    return r->failed ? ERR_STATE : rc;
}
