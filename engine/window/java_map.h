/* java_map.h - keys by text, walked in the order a Java hash map of strings is walked: where the language
 * shows that order (spec 04 sections 2.9, 2.13, 2.14), it is part of it.
 *
 * Entries are the caller's: struct java_entry stands first in them; the map owns the key's bytes only. 16
 * buckets, doubled when more than three quarters are in and never fewer again; within a bucket, order of
 * coming. */
#ifndef WEIR_WINDOW_JAVA_MAP_H
#define WEIR_WINDOW_JAVA_MAP_H

#include "engine/base/mem.h"
#include "engine/data/segments.h"

struct java_entry {
    struct java_entry *next;
    char *key; /* owned by the map */
    uint32_t len, hash;
    uint32_t place; /* in java_map.all */
    uint64_t order; /* of coming */
};
struct java_map {
    struct java_entry **buckets;
    uint32_t count, bucket_count;
    uint32_t first;          /* no bucket before has an entry */
    struct java_entry **all; /* count of them, in no order */
    uint32_t cap;
    uint64_t next_order;
    struct segments *saved; /* by place: how they stand in a checkpoint */
};
struct java_map_owner {
    void *user;
    void (*write)(void *user, struct writer *w, const struct java_entry *e); /* what lies behind e */
    /* As segments_owner.near, of what lies behind e. May be NULL. */
    void (*near)(void *user, const struct java_entry *e, int step);
    /* A new entry, with what write wrote; its key is lent. NULL: it can't be one. */
    struct java_entry *(*read)(void *user, struct reader *r, const char *key, size_t len);
};

struct java_entry *java_map_get(const struct java_map *m, const char *key, size_t len);
/* key must not be in. */
void java_map_add(struct java_map *m, struct java_entry *e, const char *key, size_t len);
void java_map_remove(struct java_map *m, struct java_entry *e); /* e stays the caller's */
/* All entries in walking order, count of them, in scratch. */
struct java_entry **java_map_list(const struct java_map *m, struct arena *scratch);
/* The first in walking order, to empty the map; NULL: none. */
struct java_entry *java_map_first(struct java_map *m);
void java_map_fini(struct java_map *m); /* entries must be out */
/* What lies behind e changed. */
static inline void java_map_touch(struct java_map *m, const struct java_entry *e)
{
    segments_touch(m->saved, e->place);
}
/* In a checkpoint (w->state) of many entries only those that changed are written. */
void java_map_save(struct java_map *m, struct writer *w, const struct java_map_owner *owner);
/* Into an empty one; sets r->failed when it can't be, and what was read is in the map nevertheless. */
void java_map_load(struct java_map *m, struct reader *r, const struct java_map_owner *owner);

#endif
