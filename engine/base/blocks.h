/* blocks.h - many blocks of one size, each known by a number, from which its place follows without a look at
 * any list.
 *
 * Blocks lie side by side in slabs: small ones first, each twice the one before, then as many as fit into
 * MEM_SLAB_BYTES, which are huge pages. So a block that is found at random costs its own cache lines and no
 * walk through page tables. A block never moves. A new one gets the lowest free number, and a slab that is
 * empty is given back: after many have gone, what remains comes together with time.
 *
 * Laws: (1) a number is below blocks_end; it is used again after its block has gone; (2) a slab holds at most
 * 1 << shift blocks, and number >> shift tells which slab it is. Owned by who made it; single-threaded. */
#ifndef WEIR_BASE_BLOCKS_H
#define WEIR_BASE_BLOCKS_H

#include "engine/base/mem.h"

struct blocks_slab {
    char *bytes; /* NULL: given back, or not made yet */
    uint64_t *live;
    uint32_t count, cap; /* blocks in use, of how many */
};
struct blocks {
    size_t bytes; /* of a block */
    uint32_t shift, count;
    struct blocks_slab *slabs;
    uint32_t slab_count, slab_cap;
    uint32_t first; /* no slab before it has room */
};

void blocks_init(struct blocks *b, size_t bytes);     /* bytes: a multiple of 8, not 0 */
void blocks_fini(struct blocks *b);                   /* whatever is in use goes too */
void *blocks_new(struct blocks *b, uint32_t *number); /* not zeroed */
void blocks_free(struct blocks *b, uint32_t number);
/* The next number in use from `from` on, or blocks_end. */
uint32_t blocks_next(const struct blocks *b, uint32_t from);
static inline uint32_t blocks_end(const struct blocks *b)
{
    return b->slab_count << b->shift;
}
/* Of a number in use. */
static inline void *blocks_at(const struct blocks *b, uint32_t number)
{
    return b->slabs[number >> b->shift].bytes + (number & ((1u << b->shift) - 1)) * b->bytes;
}
/* Of a number that was in use once; NULL when it isn't now. */
static inline void *blocks_find(const struct blocks *b, uint32_t number)
{
    const struct blocks_slab *s = &b->slabs[number >> b->shift];
    uint32_t at = number & ((1u << b->shift) - 1);
    return s->bytes && s->live[at / 64] >> at % 64 & 1 ? s->bytes + at * b->bytes : NULL;
}

#endif
