/* pack.h - bytes in fewer bytes, at the cost of a few nanoseconds a byte. Made for the journal, where one message
 * is much like the one before.
 *
 * Packed bytes are saved: their form, a block of LZ4, may not change.
 *
 * Pure functions; any thread. */
#ifndef WEIR_BASE_PACK_H
#define WEIR_BASE_PACK_H

#include "engine/base/buf.h"

/* Appends to out; at worst a little more than len. len < 2^30. */
void pack_bytes(struct buf *out, const void *bytes, size_t len);
/* Appends exactly want bytes to out. False: these are no packed bytes, or not of so many; out is then as it
 * was. */
bool unpack_bytes(struct buf *out, const void *packed, size_t len, size_t want);

#endif
