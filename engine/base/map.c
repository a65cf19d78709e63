/* map.c - hash map from bytes to a pointer, in insertion order.
 *
 * Laws: (1) entries stand in insertion order; a removed one stays as a hole until the next rebuild; (2) a
 * slot holds an entry's index + 1, 0 is free; a slot that leads to a hole is a tombstone, which a search
 * passes by; (3) entries fill at most three quarters of the slots, holes included, so that every search ends.
 * Only map_put rebuilds. */
#include "engine/base/map.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include <string.h>

enum { FIRST_SLOTS = 8 };

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    h ^= h >> 32;
    return h;
}

uint32_t map_hash(const void *key, size_t len)
{
    const unsigned char *p = key;
    uint64_t h = UINT64_C(0x9E3779B97F4A7C15) ^ len;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = mix(h ^ word) * UINT64_C(0x9FB21C651E98DF25);
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < len; i++)
        tail |= (uint64_t)p[i] << (8 * i);
    h = mix(mix(h ^ tail) * UINT64_C(0x9FB21C651E98DF25));
    return (uint32_t)(h ^ (h >> 32));
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_fini(struct map *m)
{
    for (uint32_t i = 0; i < m->top; i++)
        mem_free(m->entries[i].key);
    mem_free(m->entries);
    mem_free(m->slots);
    *m = (struct map){0};
}

static struct map_entry *find(const struct map *m, const void *key, size_t len, uint32_t hash)
{
    if (m->count == 0)
        return NULL;
    uint32_t mask = m->slot_count - 1;
    for (uint32_t slot = hash & mask; m->slots[slot]; slot = (slot + 1) & mask) {
        struct map_entry *e = &m->entries[m->slots[slot] - 1];
        if (e->used && e->hash == hash && e->len == len && (len == 0 || memcmp(e->key, key, len) == 0))
            return e;
    }
    return NULL;
}

void *map_get(const struct map *m, const void *key, size_t len)
{
    struct map_entry *e = find(m, key, len, map_hash(key, len));
    return e ? e->value : NULL;
}

void *map_get_str(const struct map *m, const char *key)
{
    return map_get(m, key, strlen(key));
}

static void slot_take(struct map *m, uint32_t hash, uint32_t at)
{
    uint32_t mask = m->slot_count - 1, slot = hash & mask;
    while (m->slots[slot])
        slot = (slot + 1) & mask;
    m->slots[slot] = at + 1;
}

/* Closes the holes, and doubles the room when more than half of it is live. */
static void rebuild(struct map *m)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < m->top; i++) {
        if (m->entries[i].used)
            m->entries[top++] = m->entries[i];
    }
    m->top = top;
    if (m->slot_count == 0) {
        m->slot_count = FIRST_SLOTS;
    } else if (m->count > m->cap / 2) {
        ASSERT(m->slot_count <= UINT32_MAX / 4);
        m->slot_count *= 2;
    }
    m->cap = m->slot_count / 4 * 3;
    m->entries = mem_resize(m->entries, m->cap, sizeof(*m->entries));
    mem_free(m->slots);
    m->slots = mem_array(m->slot_count, sizeof(*m->slots));
    for (uint32_t i = 0; i < m->top; i++)
        slot_take(m, m->entries[i].hash, i);
}

void *map_put(struct map *m, const void *key, size_t len, void *value)
{
    ASSERT(value != NULL && len < UINT32_MAX);
    uint32_t hash = map_hash(key, len);
    struct map_entry *e = find(m, key, len, hash);
    if (e) {
        void *old = e->value;
        e->value = value;
        return old;
    }
    if (m->top == m->cap)
        rebuild(m);
    char *copy = mem_alloc(len + 1);
    if (len > 0)
        memcpy(copy, key, len);
    m->entries[m->top] = (struct map_entry){copy, (uint32_t)len, hash, value, true};
    slot_take(m, hash, m->top);
    m->top++;
    m->count++;
    return NULL;
}

void *map_put_str(struct map *m, const char *key, void *value)
{
    return map_put(m, key, strlen(key), value);
}

void *map_remove(struct map *m, const void *key, size_t len)
{
    struct map_entry *e = find(m, key, len, map_hash(key, len));
    if (!e)
        return NULL;
    void *old = e->value;
    mem_free(e->key);
    *e = (struct map_entry){0};
    m->count--;
    return old;
}

bool map_next(const struct map *m, uint32_t *at, struct map_entry **e)
{
    while (*at < m->top) {
        struct map_entry *next = &m->entries[(*at)++];
        if (next->used) {
            *e = next;
            return true;
        }
    }
    return false;
}
