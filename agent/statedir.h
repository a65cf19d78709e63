/* statedir.h - the folder of the durable state: made where missing, one agent at a time. */
#ifndef WEIR_AGENT_STATEDIR_H
#define WEIR_AGENT_STATEDIR_H

#include "engine/base/err.h"

/* Makes folder (and what is missing above it), locks it. The descriptor holds the lock until it is closed;
 * ERR_IO, ERR_BUSY. */
int statedir_open(const char *folder, int *fd, struct err *e);

#endif
