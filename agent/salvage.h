/* salvage.h - what is still good in a damaged store, copied into a fresh one.
 *
 * Laws
 * (1) The damaged store is not changed.
 * (2) Every record that checks out is copied; every loss is told, and what it means for whom.
 * (3) An app of which something may be lost is marked in the new store (META 'd' NUMBER, with words): the
 *     next start takes over what reads well and begins the rest anew, each by its name (mend.h). Marks
 *     that are lost come back from their copies; only an app without its text or without a mark of its
 *     checkpoint begins anew as a whole (META 'x' NUMBER).
 * (4) A sink whose numbers are not sure goes on with numbers far above, so that none is given out twice.
 *
 * Any thread; the caller holds the lock of both folders (statedir.h). */
#ifndef WEIR_AGENT_SALVAGE_H
#define WEIR_AGENT_SALVAGE_H

#include "agent/census.h"
#include "engine/base/log.h"

/* A line of the report. */
typedef void (*salvage_say)(void *user, enum log_level level, const char *line);
struct salvage {
    const char *from, *to; /* folders; to has no store in it */
    const char *kept;      /* where the damaged one stays, for words; NULL: in from */
    salvage_say say;
    void *user;
    uint64_t copied, lost; /* records: the result; lost is UINT64_MAX when not known */
};
/* ERR_STATE: nothing of it can be used (words in e). ERR_IO, ERR_FULL, ERR_NOT_FOUND. */
int salvage_run(struct salvage *s, const struct census *c, struct err *e);

#endif
