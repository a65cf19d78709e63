/* pack.h - bytes in fewer bytes: what stood there before is told by distance and length (LZ77), at the cost of
 * a few nanoseconds a byte. Made for the journal, where one message is much like the one before.
 *
 * Packed bytes are saved: their form may not change. It is a row of steps: a byte with two counts of four
 * bits, literals and what is copied less PACK_LEAST (15: a varint with the rest follows each, before what it
 * counts); the literals; the distance as a varint, from 1. The last step ends behind its literals.
 *
 * Pure functions; any thread. */
#ifndef WEIR_BASE_PACK_H
#define WEIR_BASE_PACK_H

#include "engine/base/buf.h"

enum { PACK_LEAST = 4 };

/* Appends to out; at worst a little more than len. len < 2^31. */
void pack_bytes(struct buf *out, const void *bytes, size_t len);
/* Appends exactly want bytes to out. False: these are no packed bytes, or not of so many; out then holds a part
 * of them, at most want. */
bool unpack_bytes(struct buf *out, const void *packed, size_t len, size_t want);

#endif
