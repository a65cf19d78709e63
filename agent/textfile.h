/* textfile.h - a whole file, or standard input, as text in memory. */
#ifndef WEIR_AGENT_TEXTFILE_H
#define WEIR_AGENT_TEXTFILE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"

/* "-" is standard input. out is initialised here and the caller's to fini, also on failure. Its bytes are
 * never NULL on success. */
int textfile_read(const char *path, size_t max_bytes, struct buf *out, struct err *e);

#endif
