/* java_map.h - keys by text, walked in the order a Java hash map of strings is walked: where the language
 * shows that order (spec 04 sections 2.9, 2.13, 2.14), it is part of it.
 *
 * Entries are the caller's: struct java_entry stands first in them; the map owns the key's bytes only. 16
 * buckets, doubled when more than three quarters are in; within a bucket, order of coming. */
#ifndef WEIR_WINDOW_JAVA_MAP_H
#define WEIR_WINDOW_JAVA_MAP_H

#include "engine/base/mem.h"

struct java_entry {
    struct java_entry *next;
    char *key; /* owned by the map */
    uint32_t len, hash;
};
struct java_map {
    struct java_entry **buckets;
    uint32_t count, bucket_count;
};

struct java_entry *java_map_get(const struct java_map *m, const char *key, size_t len);
/* key must not be in. */
void java_map_add(struct java_map *m, struct java_entry *e, const char *key, size_t len);
void java_map_remove(struct java_map *m, struct java_entry *e); /* e stays the caller's */
/* All entries in walking order, count of them, in scratch. */
struct java_entry **java_map_list(const struct java_map *m, struct arena *scratch);
/* The first in walking order, to empty the map; NULL: none. */
struct java_entry *java_map_first(const struct java_map *m);
void java_map_fini(struct java_map *m); /* entries must be out */

#endif
