/* mend.h - a durable app of which something was lost goes on with the rest.
 *
 * A salvage (salvage.h) marks the app: META 'd' NUMBER, with words. The next start takes over every part that
 * reads well (engine.h: app_find_lost) and works off the journal; what is lost begins anew, each by its name
 * in the log. Then it is as any other app, with the first checkpoint, which drops the mark: a stop before
 * mends again, to the same effect. While the journal is worked off nothing leaves: its outputs are on the
 * disk since its first time, and those of a state that isn't what it was would be others.
 *
 * So that a lost page of marks costs nothing, what an app can't do without is there twice: STATE NUMBER 'C'
 * is the checkpoint's mark, written with it; STATE NUMBER 'N', written with the text: the number, the app's
 * name, its texts, and the numbers of its outboxes.
 *
 * On the worker; mend_read_names on any thread. */
#ifndef WEIR_AGENT_MEND_H
#define WEIR_AGENT_MEND_H

#include "engine/base/buf.h"
#include "engine/data/codec.h"
#include "engine/store/store.h"

enum { MEND_MARK = 'C', MEND_NAMES = 'N' };

struct durable;
struct app;
void mend_copy_mark(uint32_t app, const struct buf *mark, struct store_batch *batch);
void mend_copy_names(const struct durable *d, struct store_batch *batch);
/* Borrowed from the bytes; a sink is one behind the other, read by mend_next_sink. */
struct mend_text {
    const char *bytes;
    size_t len;
};
struct mend_names {
    uint32_t app;
    struct mend_text name, text, file_text;
    size_t sinks;
    struct reader rest;
};
struct mend_sink {
    uint32_t number, place;
    struct mend_text type, stream;
};
bool mend_read_names(const void *bytes, size_t len, struct mend_names *out);
bool mend_next_sink(struct mend_names *n, struct mend_sink *out);
/* What mend_read_names reads: n without its sinks, which are count at sinks. */
void mend_write_names(const struct mend_names *n, const struct mend_sink *sinks, size_t count,
                      struct store_batch *batch);

/* In app_restore's place. ERR_IO, ERR_STATE: words in e. */
int mend_restore(struct durable *d, struct err *e);
/* Tables in the store of an app that isn't started yet, when the store has a mark for its number: keys and
 * rows fit each other again. 0; 1: there was a mark, and of an app that isn't durable it goes with
 * mend_tables_done. ERR_IO. */
int mend_tables(struct store *store, struct app *app, uint32_t number, const char *log_name, struct err *e);
int mend_tables_done(struct store *store, struct app *app, uint32_t number, struct err *e);

#endif
