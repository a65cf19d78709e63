/* btree.h - an ordered index: (key, order) -> pointer, ascending. Tables keep numeric primary keys and
 * secondary indexes in it.
 *
 * The key is the value as 64 bits that sort as the value does (or its hash, where only equality is asked);
 * order tells equal keys apart. Pointers are the caller's. Nodes of 40 places; a node that is empty goes,
 * others are not merged. Any change ends a walk under way. On the worker only. */
#ifndef WEIR_RUN_BTREE_H
#define WEIR_RUN_BTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btree_node;
struct btree {
    struct btree_node *root; /* NULL: empty; zeroed memory is a valid empty tree */
    uint64_t count;
};
/* A place in the tree; node NULL: behind the last. */
struct btree_at {
    struct btree_node *node;
    int place;
};

void btree_fini(struct btree *t); /* pointers stay the caller's */
/* (key, order) must not be in. */
void btree_add(struct btree *t, uint64_t key, uint64_t order, void *what);
/* Where the pointer of (key, order) stands, for reading and writing; NULL: it is not in. */
void **btree_slot(const struct btree *t, uint64_t key, uint64_t order);
/* (key, order) must be in. */
void btree_remove(struct btree *t, uint64_t key, uint64_t order);
/* The first place not before (key, order). */
struct btree_at btree_seek(const struct btree *t, uint64_t key, uint64_t order);
/* What stands at the place, with its key; moves on. NULL: the end. */
void *btree_next(struct btree_at *at, uint64_t *key);
/* The order of what btree_next gave last. */
uint64_t btree_order(const struct btree_at *at);

#endif
