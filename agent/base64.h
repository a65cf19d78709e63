/* base64.h - bytes in case files (RFC 4648, with padding). */
#ifndef WEIR_AGENT_BASE64_H
#define WEIR_AGENT_BASE64_H

#include "engine/base/buf.h"

void base64_encode(const void *bytes, size_t len, struct buf *out);
bool base64_decode(const char *text, size_t len, struct buf *out);

#endif
