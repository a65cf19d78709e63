/* map.h - hash map from bytes to a pointer, in insertion order. Open addressing; keys are copied. */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    char *key; /* owned, NUL-terminated */
    uint32_t len, hash;
    void *value; /* borrowed; NULL after removal */
    bool used;
};
struct map {
    struct map_entry *entries; /* in insertion order, with holes (used == false) */
    uint32_t count, top, cap;  /* live entries, entries incl. holes, capacity */
    uint32_t *slots;
    uint32_t slot_count;
};

uint32_t map_hash(const void *key, size_t len);
void map_init(struct map *m);
void map_fini(struct map *m); /* values are the caller's */
void *map_get(const struct map *m, const void *key, size_t len);
void *map_get_str(const struct map *m, const char *key);
/* Returns the value it replaces, or NULL. value must not be NULL. */
void *map_put(struct map *m, const void *key, size_t len, void *value);
void *map_put_str(struct map *m, const char *key, void *value);
void *map_remove(struct map *m, const void *key, size_t len);
/* Walk in insertion order: for (uint32_t i = 0; map_next(m, &i, &e);). Removing while walking is allowed. */
bool map_next(const struct map *m, uint32_t *at, struct map_entry **e);

#endif
