/* btree.h - an ordered index: (key, order) -> pointer, ascending. Tables keep numeric primary keys and secondary indexes in it.
 *
 * The key is the value as 64 bits that sort as the value does (or its hash, where only equality is asked); order tells equal keys apart and is the
 * moment of insertion, so that equal keys come out in insertion order. Pointers are the caller's. Nodes of 40 places; a node that is empty goes, others are
 * not merged. Any change ends a walk under way. On the worker only. */
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
/* (key, order) must be in. */
void btree_remove(struct btree *t, uint64_t key, uint64_t order);
/* The first place not before (key, order). */
struct btree_at btree_seek(const struct btree *t, uint64_t key, uint64_t order);
/* What stands at the place, with its key; moves on. NULL: the end. */
void *btree_next(struct btree_at *at, uint64_t *key);

#endif
