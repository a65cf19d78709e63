/* hash.h - 64 bits of any bytes: checksums of what is saved, identities of messages. Not against an enemy.
 * Saved: it may not change. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t len, uint64_t seed);

#endif
