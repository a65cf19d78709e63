/* store_in.h - private to engine/store: what the door and the backends share. */
#ifndef WEIR_STORE_STORE_IN_H
#define WEIR_STORE_STORE_IN_H

#include "engine/base/fault.h"
#include "engine/store/store.h"
#include <pthread.h>

/* Every function is called with the lock held; look keeps it until look_end. */
struct store_backend {
    int (*apply)(struct store *s, const struct store_batch *b, struct err *e);
    int (*look)(struct store *s, struct err *e);
    void (*look_end)(struct store *s);
    uint64_t (*look_number)(struct store *s); /* NULL: 0 */
    int (*get)(struct store *s, enum store_shelf shelf, const void *key, size_t key_len,
               struct store_item *out);
    int (*next)(struct store *s, enum store_shelf shelf, const void *key, size_t key_len, bool above,
                struct store_item *out);
    void (*count)(struct store *s, struct store_counts *out); /* used_bytes, page_bytes */
    int (*compact)(struct store *s, const char *folder, struct err *e);
    int (*own)(struct store *s, struct err *e); /* NULL: it can't tell */
    void (*close)(struct store *s);
};
/* The first member of each backend's own. */
struct store {
    const struct store_backend *backend;
    pthread_mutex_t lock;
    struct store_counts counts;
    struct usage *usage; /* NULL: not counted; usage.h */
};

int store_mem_open(struct store **out, const struct store_options *options, struct err *e);
int store_lmdb_open(struct store **out, const struct store_options *options, struct err *e);

/* On disk each value is followed by this, eight bytes, as the machine has them. */
enum { STORE_SUM_BYTES = 8 };
uint64_t store_sum(enum store_shelf shelf, const void *key, size_t key_len, const void *bytes, size_t len);
bool store_sum_fits(enum store_shelf shelf, const void *key, size_t key_len, const void *bytes,
                    size_t len_with_sum);
/* A record beside the shelves that counts transactions, also over a compaction: file.c knows by it which of
 * the two beginnings is newer. */
#define STORE_SERIAL "serial"

struct batch_op {
    enum store_shelf shelf;
    bool is_put;
    const void *key, *bytes, *to; /* a drop has to */
    size_t key_len, len, to_len;
};
/* *at begins at 0; false at the end. */
bool batch_next(const struct store_batch *b, size_t *at, struct batch_op *op);

#endif
