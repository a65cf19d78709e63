/* hash.c - see hash.h. */
#include "engine/base/hash.h"

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xcbf29ce484222325u ^ seed, word;
    for (; len >= 8; len -= 8, p += 8) { /* eight bytes a step: mixed well enough for what it is used for */
        word = 0;
        for (int i = 7; i >= 0; i--) /* the same on every machine */
            word = word << 8 | p[i];
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    for (; len; len--, p++)
        h = (h ^ *p) * 0x100000001b3u;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}
