/* statedir.h - the folder of the durable state: made where missing, one agent at a time. */
#ifndef WEIR_AGENT_STATEDIR_H
#define WEIR_AGENT_STATEDIR_H

#include "engine/base/err.h"

/* Makes folder (and what is missing above it), locks it. The descriptor holds the lock until it is closed;
 * ERR_IO, ERR_BUSY. */
int statedir_open(const char *folder, int *fd, struct err *e);

/* For commands beside the agent: what root left there is the folder's owner's, so that his agent can use it. Closes
 * fd. */
void statedir_close(const char *folder, int fd);

/* To look only: nothing is made. *fd holds a lock against an agent that would start, -1 where there is no
 * file of it. ERR_BUSY: an agent uses it; ERR_NOT_FOUND; ERR_IO. */
int statedir_look(const char *folder, int *fd, struct err *e);

#endif
