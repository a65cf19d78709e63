/* appfile.h - an app's file, read and compiled, for the commands that look at one: check, explain, replay,
 * bench. */
#ifndef WEIR_AGENT_APPFILE_H
#define WEIR_AGENT_APPFILE_H

#include "agent/textfile.h"
#include "engine/engine.h"
#include "ports/bind.h"

struct appfile {
    const char *path; /* borrowed */
    struct buf text;
    struct compile compile;
    struct bind *bind; /* NULL when refused, and with the plan gone */
};

/* ${NAME} is the environment's. 0: accepted. ERR_INVALID: refused, see compile.diags. ERR_IO, ERR_TOO_BIG:
 * not read, words in e. */
int appfile_open(struct appfile *f, const char *path, struct err *e);
/* As appfile_open, and tells why on standard error when it isn't 0. */
int appfile_open_or_tell(struct appfile *f, const char *command, const char *path);
/* Whoever took the plan frees the app after this. */
void appfile_close(struct appfile *f);

#endif
