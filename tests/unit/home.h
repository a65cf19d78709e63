/* home.h - where a checkpoint is kept in unit tests: entries in memory, sorted by key, open to be counted and
 * damaged. Include it once a program. */
#ifndef WEIR_UNIT_HOME_H
#define WEIR_UNIT_HOME_H

#include "engine/base/mem.h"
#include "engine/data/state.h"
#include "tests/unit/check.h"

struct home_item {
    char *key, *bytes;
    size_t key_len, len;
};
struct home {
    struct state_home door;
    struct home_item *items;
    size_t count, cap;
};

static inline int home_compare(const struct home_item *i, const void *key, size_t len)
{
    int c = memcmp(i->key, key, i->key_len < len ? i->key_len : len);
    return c ? c : i->key_len < len ? -1 : i->key_len > len;
}

/* The first that is not below. */
static inline size_t home_at_least(const struct home *h, const void *key, size_t len)
{
    size_t low = 0, high = h->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (home_compare(&h->items[mid], key, len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static inline char *home_copy(const void *bytes, size_t len)
{
    char *to = mem_alloc(len + 1);
    if (len)
        memcpy(to, bytes, len);
    return to;
}

static inline void home_put(void *user, const void *key, size_t key_len, const void *bytes, size_t len)
{
    struct home *h = user;
    size_t at = home_at_least(h, key, key_len);
    if (at < h->count && home_compare(&h->items[at], key, key_len) == 0) {
        mem_free(h->items[at].bytes);
    } else {
        if (h->count == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 64;
            h->items = mem_resize(h->items, h->cap, sizeof *h->items);
        }
        memmove(h->items + at + 1, h->items + at, (h->count++ - at) * sizeof *h->items);
        h->items[at] = (struct home_item){.key = home_copy(key, key_len), .key_len = key_len};
    }
    h->items[at].bytes = home_copy(bytes, len);
    h->items[at].len = len;
}

static inline void home_drop(void *user, const void *from, size_t from_len, const void *to, size_t to_len)
{
    struct home *h = user;
    size_t first = home_at_least(h, from, from_len), end = home_at_least(h, to, to_len);
    if (first >= end)
        return;
    for (size_t i = first; i < end; i++) {
        mem_free(h->items[i].key);
        mem_free(h->items[i].bytes);
    }
    memmove(h->items + first, h->items + end, (h->count - end) * sizeof *h->items);
    h->count -= end - first;
}

static inline int home_get(void *user, const void *key, size_t key_len, const void **bytes, size_t *len)
{
    const struct home *h = user;
    size_t at = home_at_least(h, key, key_len);
    if (at == h->count || home_compare(&h->items[at], key, key_len) != 0)
        return ERR_NOT_FOUND;
    *bytes = h->items[at].bytes;
    *len = h->items[at].len;
    return 0;
}

static inline int home_next(void *user, const void *prefix, size_t prefix_len, const void *above,
                            size_t above_len, const void **key, size_t *key_len, const void **bytes,
                            size_t *len)
{
    const struct home *h = user;
    size_t at = above ? home_at_least(h, above, above_len) : home_at_least(h, prefix, prefix_len);
    if (above && at < h->count && home_compare(&h->items[at], above, above_len) == 0)
        at++;
    if (at == h->count || h->items[at].key_len < prefix_len ||
        memcmp(h->items[at].key, prefix, prefix_len) != 0)
        return ERR_NOT_FOUND;
    *key = h->items[at].key;
    *key_len = h->items[at].key_len;
    *bytes = h->items[at].bytes;
    *len = h->items[at].len;
    return 0;
}

static inline void home_init(struct home *h)
{
    *h = (struct home){.door = {.put = home_put, .drop = home_drop, .get = home_get, .next = home_next}};
    h->door.user = h;
}

static inline void home_fini(struct home *h)
{
    home_drop(h, "", 0, "\xFF", 1);
    CHECK(h->count == 0);
    mem_free(h->items);
}

static inline size_t home_bytes(const struct home *h)
{
    size_t bytes = 0;
    for (size_t i = 0; i < h->count; i++)
        bytes += h->items[i].key_len + h->items[i].len;
    return bytes;
}

#endif
