/* blocks.c - see blocks.h. */
#include "engine/base/blocks.h"
#include "engine/base/err.h"
#include <string.h>

enum { FIRST_BYTES = 4 * 1024, WORD = 64 };

/* Blocks in a slab that is as big as they get: at least one. */
static uint32_t most_in_slab(size_t bytes)
{
    return bytes < MEM_SLAB_BYTES ? (uint32_t)(MEM_SLAB_BYTES / bytes) : 1;
}

void blocks_init(struct blocks *b, size_t bytes)
{
    ASSERT(bytes > 0 && bytes % 8 == 0);
    *b = (struct blocks){.bytes = bytes};
    while (1u << b->shift < most_in_slab(bytes))
        b->shift++;
}

static bool is_full_sized(const struct blocks *b, uint32_t cap)
{
    return cap == most_in_slab(b->bytes) && b->bytes < MEM_SLAB_BYTES;
}

static void slab_open(const struct blocks *b, struct blocks_slab *s)
{
    s->bytes = is_full_sized(b, s->cap) ? mem_slab_new() : mem_resize(NULL, s->cap, b->bytes);
    s->live = mem_array((s->cap + WORD - 1) / WORD, sizeof(uint64_t));
}

static void slab_shut(const struct blocks *b, struct blocks_slab *s)
{
    if (!s->bytes)
        return;
    if (is_full_sized(b, s->cap))
        mem_slab_free(s->bytes);
    else
        mem_free(s->bytes);
    mem_free(s->live);
    s->bytes = NULL;
    s->live = NULL;
    s->count = 0;
}

void blocks_fini(struct blocks *b)
{
    for (uint32_t i = 0; i < b->slab_count; i++)
        slab_shut(b, &b->slabs[i]);
    mem_free(b->slabs);
    *b = (struct blocks){.bytes = b->bytes, .shift = b->shift};
}

/* Small ones first: few blocks cost little. */
static void add_slab(struct blocks *b)
{
    uint32_t most = most_in_slab(b->bytes),
             cap = b->bytes < FIRST_BYTES ? (uint32_t)(FIRST_BYTES / b->bytes) : 1;
    if (b->slab_count)
        cap = b->slabs[b->slab_count - 1].cap * 2;
    if (cap > most / 2)
        cap = most;
    if (b->slab_count == b->slab_cap) {
        b->slab_cap = b->slab_cap ? b->slab_cap * 2 : 4;
        b->slabs = mem_resize(b->slabs, b->slab_cap, sizeof(*b->slabs));
    }
    ASSERT(b->slab_count < UINT32_MAX >> b->shift);
    b->slabs[b->slab_count++] = (struct blocks_slab){.cap = cap};
}

void *blocks_new(struct blocks *b, uint32_t *number)
{
    while (b->first < b->slab_count && b->slabs[b->first].count == b->slabs[b->first].cap)
        b->first++;
    if (b->first == b->slab_count)
        add_slab(b);
    struct blocks_slab *s = &b->slabs[b->first];
    if (!s->bytes)
        slab_open(b, s);
    /* mostly they come one after another */
    uint32_t word = s->count / WORD;
    if (s->live[word] != (UINT64_C(1) << s->count % WORD) - 1)
        for (word = 0; s->live[word] == UINT64_MAX;)
            word++;
    uint32_t at = word * WORD + (uint32_t)__builtin_ctzll(~s->live[word]);
    ASSERT(at < s->cap);
    s->live[word] |= UINT64_C(1) << at % WORD;
    s->count++;
    b->count++;
    *number = b->first << b->shift | at;
    return s->bytes + at * b->bytes;
}

void blocks_free(struct blocks *b, uint32_t number)
{
    uint32_t slab = number >> b->shift, at = number & ((1u << b->shift) - 1);
    struct blocks_slab *s = &b->slabs[slab];
    ASSERT(s->bytes && s->live[at / WORD] >> at % WORD & 1);
    s->live[at / WORD] &= ~(UINT64_C(1) << at % WORD);
    s->count--;
    b->count--;
    if (slab < b->first)
        b->first = slab;
#ifdef WEIR_DEBUG
    memset(s->bytes + at * b->bytes, MEM_POISON, b->bytes);
#endif
    if (s->count == 0)
        slab_shut(b, s);
}

uint32_t blocks_next(const struct blocks *b, uint32_t from)
{
    for (uint32_t slab = from >> b->shift; slab < b->slab_count; slab++) {
        const struct blocks_slab *s = &b->slabs[slab];
        uint32_t at = slab == from >> b->shift ? from & ((1u << b->shift) - 1) : 0;
        while (s->bytes && at < s->cap) {
            uint64_t word = s->live[at / WORD] >> at % WORD;
            if (word)
                return slab << b->shift | (at + (uint32_t)__builtin_ctzll(word));
            at = (at / WORD + 1) * WORD;
        }
    }
    return blocks_end(b);
}
