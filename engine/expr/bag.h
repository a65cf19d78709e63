/* bag.h - values with a number each, in the order of their first coming: what aggregators over values count
 * with. Values are equal when value_same says so. A zeroed bag is empty. Keys are kept by the bag. */
#ifndef WEIR_EXPR_BAG_H
#define WEIR_EXPR_BAG_H

#include "engine/data/codec.h"

struct bag_entry {
    struct value key;
    int64_t count;
    uint32_t hash;
    bool used; /* false: a hole */
};
struct bag {
    struct bag_entry *entries;
    uint32_t *slots; /* entry + 1; 0: free */
    uint32_t live, top, cap, slot_count;
};

struct bag_entry *bag_find(const struct bag *b, struct value key); /* or NULL */
/* The entry of key, made with count 0 when there is none. Good until the next bag_take. */
struct bag_entry *bag_take(struct bag *b, struct value key);
void bag_remove(struct bag *b, struct bag_entry *e);
void bag_fini(struct bag *b);
/* Live entries in order: for (uint32_t at = 0; (e = bag_next(b, &at));) */
struct bag_entry *bag_next(const struct bag *b, uint32_t *at);
void bag_save(const struct bag *b, struct writer *w);
int bag_load(struct bag *b, struct reader *r);

#endif
