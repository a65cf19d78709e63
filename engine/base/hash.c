/* hash.c - see hash.h. */
#include "engine/base/hash.h"
#include <string.h>

/* Eight bytes, the same on every machine. */
static inline uint64_t word_at(const unsigned char *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
#else
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | p[i];
    return word;
#endif
}

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (; len >= 8; len -= 8, p += 8) { /* eight bytes a step: mixed well enough for what it is used for */
        h = (h ^ word_at(p)) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    for (; len; len--, p++)
        h = (h ^ *p) * 0x100000001b3u;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}
