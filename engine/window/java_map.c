/* java_map.c - see java_map.h. */
#include "engine/window/java_map.h"
#include "engine/base/err.h"
#include "engine/base/utf8.h"
#include <string.h>

enum { FIRST_BUCKETS = 16 };

static uint32_t spread(const char *key, size_t len)
{
    uint32_t h = (uint32_t)utf8_java_hash(key, len);
    return h ^ h >> 16;
}

struct java_entry *java_map_get(const struct java_map *m, const char *key, size_t len)
{
    if (!m->count)
        return NULL;
    uint32_t hash = spread(key, len);
    for (struct java_entry *e = m->buckets[hash & (m->bucket_count - 1)]; e; e = e->next)
        if (e->hash == hash && e->len == len && memcmp(e->key, key, len) == 0)
            return e;
    return NULL;
}

static void link_last(struct java_map *m, struct java_entry *e)
{
    struct java_entry **at = &m->buckets[e->hash & (m->bucket_count - 1)];
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
    for (uint32_t i = 0; i < was_count; i++) {
        for (struct java_entry *e = was[i], *next; e; e = next) {
            next = e->next;
            link_last(m, e);
        }
    }
    mem_free(was);
}

void java_map_add(struct java_map *m, struct java_entry *e, const char *key, size_t len)
{
    if (!m->bucket_count)
        grow(m);
    e->key = mem_alloc(len + 1);
    memcpy(e->key, key, len);
    e->len = (uint32_t)len;
    e->hash = spread(key, len);
    link_last(m, e);
    if (++m->count > m->bucket_count / 4 * 3)
        grow(m);
}

void java_map_remove(struct java_map *m, struct java_entry *e)
{
    struct java_entry **at = &m->buckets[e->hash & (m->bucket_count - 1)];
    while (*at != e) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = e->next;
    m->count--;
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

struct java_entry *java_map_first(const struct java_map *m)
{
    for (uint32_t i = 0; m->count && i < m->bucket_count; i++)
        if (m->buckets[i])
            return m->buckets[i];
    return NULL;
}

void java_map_fini(struct java_map *m)
{
    ASSERT(m->count == 0);
    mem_free(m->buckets);
    *m = (struct java_map){0};
}
