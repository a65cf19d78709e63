/* dedupe.h - a message's key, put where the far side finds it: @sink(dedupe.field='id').
 *
 * JSON: a member of the object; in an array (a batch) a member of each object in it, the key then followed by
 * '/' and the element's place, from 1: so each row has a number of its own. XML: an attribute of the root
 * element. The key comes first, the rest of the message stays as it was, byte for byte; so a message that is
 * made again has the same key in the same place. Any thread; no state. */
#ifndef WEIR_AGENT_DEDUPE_H
#define WEIR_AGENT_DEDUPE_H

#include "engine/base/buf.h"

/* Appends the message with its key to out. false: it has no place for one, and out is as it was. */
bool dedupe_add(const char *field, const char *key, const char *bytes, size_t len, struct buf *out);

#endif
