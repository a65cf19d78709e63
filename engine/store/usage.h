/* usage.h - what owners take of a store, shelf by shelf (store_used). Private to engine/store.
 *
 * A transaction notes differences; they count when it is on the disk (usage_keep), else they never were
 * (usage_forget). Under the store's lock. */
#ifndef WEIR_STORE_USAGE_H
#define WEIR_STORE_USAGE_H

#include "engine/store/store.h"

struct usage;
struct usage *usage_new(void);
void usage_free(struct usage *u); /* NULL: nothing */
/* What a record takes. len: of its value as it lies there. */
int64_t usage_of(size_t key_len, size_t len);
void usage_note(struct usage *u, enum store_shelf shelf, const void *key, size_t key_len, int64_t bytes);
void usage_keep(struct usage *u);
void usage_forget(struct usage *u);
uint64_t usage_get(const struct usage *u, enum store_shelf shelf, uint32_t owner);

#endif
