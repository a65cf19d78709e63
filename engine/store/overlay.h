/* overlay.h - changes to a shelf of a store that are not written yet, and the shelf seen through them.
 *
 * What is put or dropped is in memory until its owner gathers it into a batch (overlay_collect) and says that
 * the batch is on the disk (overlay_committed); reads see both. Without a store it is all there is: memory
 * that ends with it.
 *
 * Laws: (1) what was changed between collect and committed stays: it belongs to the next batch; (2) what a
 * read lends is valid until the next call on the overlay, a walk's until the walk's next step; (3) nothing is
 * changed and nothing is committed while a walk is under way. Its owner's thread; the store has its own lock,
 * which is held for a read, never between two. */
#ifndef WEIR_STORE_OVERLAY_H
#define WEIR_STORE_OVERLAY_H

#include "engine/store/store.h"

enum { OVERLAY_HEIGHT = 16 };

struct overlay_node;
struct overlay {
    struct store *store; /* borrowed; NULL: none */
    enum store_shelf shelf;
    struct overlay_node *first[OVERLAY_HEIGHT]; /* by key: a skip list */
    uint64_t count, bytes;                      /* what is not written: keys, memory */
    uint64_t stamp, collected; /* changes are numbered; those below collected are in a batch */
    uint64_t heights;          /* state of the generator of heights */
    struct buf lent;
};

void overlay_init(struct overlay *o, enum store_shelf shelf);
void overlay_fini(struct overlay *o);
/* Both copy. */
void overlay_put(struct overlay *o, const void *key, size_t key_len, const void *bytes, size_t len);
void overlay_drop(struct overlay *o, const void *key, size_t key_len);
/* 0, ERR_NOT_FOUND, ERR_IO (words in e). */
int overlay_get(struct overlay *o, const void *key, size_t key_len, struct store_item *out, struct err *e);
/* All changes, behind what is in the batch. */
void overlay_collect(struct overlay *o, struct store_batch *batch);
/* The batch was applied: what overlay_collect gathered is the store's now. Nothing was collected: does
 * nothing. */
void overlay_committed(struct overlay *o);

/* Items by rising keys: from the first at or behind `key`, as long as keys begin with its first prefix_len
 * bytes. */
struct overlay_walk {
    struct overlay *overlay;
    const struct overlay_node *node;
    struct key at; /* of the store's item read last */
    size_t prefix_len;
    bool reads_above, store_ended, has_item;
    uint32_t wanted;  /* items of the next read */
    struct buf ahead; /* the store's items: two lengths, key, bytes */
    size_t ahead_at;
    struct store_item item; /* the store's next one, of ahead */
};
void overlay_walk_begin(struct overlay_walk *w, struct overlay *o, const void *key, size_t key_len,
                        size_t prefix_len);
/* 1: out is the next one; 0: the end; ERR_IO (words in e). */
int overlay_walk_next(struct overlay_walk *w, struct store_item *out, struct err *e);
void overlay_walk_end(struct overlay_walk *w);

#endif
