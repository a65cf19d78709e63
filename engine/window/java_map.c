/* java_map.c - see java_map.h. */
#include "engine/window/java_map.h"
#include "engine/base/err.h"
#include "engine/base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 16, FIRST_PLACES = 8 };

static uint32_t spread(const char *key, size_t len)
{
    uint32_t h = (uint32_t)utf8_java_hash(key, len);
    return h ^ h >> 16;
}

struct java_entry *java_map_get(const struct java_map *m, const char *key, size_t len)
{
    if (!m->bucket_count)
        return NULL;
    uint32_t hash = spread(key, len);
    for (struct java_entry *e = m->buckets[hash & (m->bucket_count - 1)]; e; e = e->next)
        if (e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0)
            return e;
    return NULL;
}

static void link_last(struct java_map *m, struct java_entry *e)
{
    uint32_t bucket = e->hash & (m->bucket_count - 1);
    struct java_entry **at = &m->buckets[bucket];
    if (bucket < m->first)
        m->first = bucket;
    while (*at)
        at = &(*at)->next;
    e->next = NULL;
    *at = e;
}

static void grow(struct java_map *m)
{
    struct java_entry **was = m->buckets;
    uint32_t was_count = m->bucket_count;
    m->bucket_count = was_count ? was_count * 2 : FIRST_BUCKETS;
    m->buckets = mem_array(m->bucket_count, sizeof *m->buckets);
    m->first = m->bucket_count;
    for (uint32_t i = 0; i < was_count; i++) {
        for (struct java_entry *e = was[i], *next; e; e = next) {
            next = e->next;
            link_last(m, e);
        }
    }
    mem_free(was);
}

static void places_widen(struct java_map *m, uint32_t count)
{
    while (m->cap < count)
        m->cap = m->cap ? m->cap * 2 : FIRST_PLACES;
    m->all = mem_resize(m->all, m->cap, sizeof(struct java_entry *));
}

static void key_set(struct java_entry *e, const char *key, size_t len)
{
    e->key = mem_alloc(len + 1);
    memcpy(e->key, key, len);
    e->len = (uint32_t)len;
    e->hash = spread(key, len);
}

/* Counted already. */
static void link_in(struct java_map *m, struct java_entry *e, uint32_t count)
{
    if (!m->bucket_count)
        grow(m);
    link_last(m, e);
    if (count > m->bucket_count / 4 * 3)
        grow(m);
}

void java_map_add(struct java_map *m, struct java_entry *e, const char *key, size_t len)
{
    if (m->count == m->cap)
        places_widen(m, m->count + 1);
    key_set(e, key, len);
    e->order = m->next_order++;
    e->place = m->count++;
    m->all[e->place] = e;
    segments_touch(m->saved, e->place);
    link_in(m, e, m->count);
}

void java_map_remove(struct java_map *m, struct java_entry *e)
{
    struct java_entry **at = &m->buckets[e->hash & (m->bucket_count - 1)];
    while (*at != e) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = e->next;
    struct java_entry *last = m->all[--m->count];
    if (last != e) {
        last->place = e->place;
        m->all[e->place] = last;
        segments_touch(m->saved, e->place);
    }
    mem_free(e->key);
    e->key = NULL;
}

struct java_entry **java_map_list(const struct java_map *m, struct arena *scratch)
{
    struct java_entry **list = arena_array(scratch, (size_t)m->count + 1, sizeof *list);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->bucket_count; i++)
        for (struct java_entry *e = m->buckets[i]; e; e = e->next)
            list[n++] = e;
    return list;
}

struct java_entry *java_map_first(struct java_map *m)
{
    for (; m->count && m->first < m->bucket_count; m->first++)
        if (m->buckets[m->first])
            return m->buckets[m->first];
    return NULL;
}

void java_map_fini(struct java_map *m)
{
    ASSERT(m->count == 0);
    mem_free(m->buckets);
    mem_free(m->all);
    segments_end(&m->saved);
    *m = (struct java_map){0};
}

/* ---- state ---- */

struct saving { /* or loading */
    struct java_map *m;
    const struct java_map_owner *owner;
};

static void near_entry(void *user, uint32_t place, int step)
{
    const struct saving *s = user;
    const struct java_entry *e = s->m->all[place];
    __builtin_prefetch(step == 0 ? (const void *)e : e->key);
    if (s->owner->near)
        s->owner->near(s->owner->user, e, step);
}

static void write_entry(void *user, struct writer *w, uint32_t place)
{
    const struct saving *s = user;
    const struct java_entry *e = s->m->all[place];
    write_bytes(w, e->key, e->len);
    write_step(w, e->order, place); /* the same where no entry has left */
    s->owner->write(s->owner->user, w, e);
}

static bool begin_entries(void *user, uint32_t count)
{
    struct java_map *m = ((struct saving *)user)->m;
    if (m->count)
        return false;
    places_widen(m, count);
    memset(m->all, 0, m->cap * sizeof(struct java_entry *));
    return true;
}

static bool read_entry(void *user, struct reader *r, uint32_t place)
{
    const struct saving *s = user;
    size_t len;
    const char *key = read_bytes(r, &len);
    uint64_t order = read_step(r, place);
    struct java_entry *e = key && !r->failed ? s->owner->read(s->owner->user, r, key, len) : NULL;
    if (!e)
        return false;
    key_set(e, key, len);
    e->order = order;
    s->m->all[place] = e;
    s->m->count = place < s->m->count ? s->m->count : place + 1;
    return !r->failed;
}

static int by_order(const void *a, const void *b)
{
    const struct java_entry *x = *(struct java_entry *const *)a, *y = *(struct java_entry *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Those that were read, by order of coming as the buckets have them. False: a key is there twice. */
static bool link_all(struct java_map *m)
{
    struct java_entry **sorted = mem_array((size_t)m->count + 1, sizeof(struct java_entry *));
    uint32_t count = 0;
    bool good = true;
    for (uint32_t i = 0; i < m->count; i++) {
        if (!m->all[i])
            continue;
        m->all[i]->place = count;
        m->all[count] = sorted[count] = m->all[i];
        count++;
    }
    m->count = count;
    qsort(sorted, count, sizeof(struct java_entry *), by_order);
    for (uint32_t i = 0; i < count; i++) {
        good = good && !java_map_get(m, sorted[i]->key, sorted[i]->len);
        link_in(m, sorted[i], i + 1);
    }
    good = good && (!count || sorted[count - 1]->order < m->next_order);
    mem_free(sorted);
    return good;
}

void java_map_save(struct java_map *m, struct writer *w, const struct java_map_owner *owner)
{
    struct saving s = {m, owner};
    write_varint(w, m->next_order);
    write_u8(w, m->bucket_count ? (uint8_t)__builtin_ctz(m->bucket_count) : 0);
    segments_save(&m->saved, w, m->count,
                  &(struct segments_owner){.user = &s, .write = write_entry, .near = near_entry});
}

/* As many as there were: a map never has fewer buckets than it had. False: so many entries never came. */
static bool read_buckets(struct java_map *m, struct reader *r)
{
    uint8_t bits = read_u8(r);
    uint64_t count = UINT64_C(1) << (bits & 31);
    if (r->failed || bits > 31 || (bits && (count < FIRST_BUCKETS || m->next_order == 0)) ||
        (count > FIRST_BUCKETS && m->next_order <= count / 8 * 3))
        return false;
    while (bits && m->bucket_count < count)
        grow(m);
    return true;
}

void java_map_load(struct java_map *m, struct reader *r, const struct java_map_owner *owner)
{
    struct saving s = {m, owner};
    m->next_order = read_varint(r);
    if (!read_buckets(m, r)) {
        r->failed = true;
        return;
    }
    int rc = segments_load(&m->saved, r,
                           &(struct segments_owner){.user = &s, .read = read_entry, .begin = begin_entries});
    if (!link_all(m) || rc < 0)
        r->failed = true;
}
