/* quarantine.h - the store is opened: checked before it is trusted, set aside when it is damaged.
 *
 * Every start reads the whole file once (file.h). A damaged one stays, unchanged, as
 * FOLDER/quarantine-N/data.mdb, beside it what was found (report.txt); what is good in it goes on in a fresh
 * store (salvage.h). One that can't be used at all (garbage, empty, another format) is set aside whole, and
 * the apps begin anew. Each line of it is logged. Nothing of the folder is changed by halves: a stop at any
 * moment leaves the damaged store in its place, or the new one.
 *
 * The caller holds the folder's lock (statedir.h). */
#ifndef WEIR_AGENT_QUARANTINE_H
#define WEIR_AGENT_QUARANTINE_H

#include "engine/base/err.h"
#include "engine/store/store.h"

/* ERR_IO, ERR_FULL: the world, not the store: nothing was changed. */
int quarantine_open(struct store **out, const struct store_options *options, struct err *e);
/* Puts FOLDER/MADE/data.mdb in the place of FOLDER/data.mdb, safely over a power cut. ERR_IO. */
int quarantine_replace(const char *folder, const char *made, struct err *e);
/* An empty folder FOLDER/NAME; what a stop left in one of that name is removed. ERR_IO. */
int quarantine_scratch(const char *folder, const char *name, struct err *e);
void quarantine_scratch_end(const char *folder, const char *name); /* and away */

#endif
