/* previous.h - one step back: the text and the state that an app had before its last change.
 *
 * When a durable app is changed, what is in the store at that moment - its checkpoint, with no journal behind
 * it - is copied under another number (META 'p' NUMBER: that number), before the changed app writes anything.
 * A copy costs the state's size on the disk; a store without room for it goes on without one, and says so.
 * Going back puts the copy in the place of the app's state, drops its journal and the copy, and marks it
 * (META 'b' NUMBER) so that outputs get numbers behind those already given out.
 *
 * Rows of tables in the store (@store) and messages of outboxes are not part of it: they stay as they are.
 *
 * Laws: (1) a copy counts when it is whole: its mark is in the last transaction; (2) going back is complete
 * when its last transaction is: a stop before leaves the app begun anew at worst with the copy untouched, and
 * going back can be repeated. */
#ifndef WEIR_AGENT_PREVIOUS_H
#define WEIR_AGENT_PREVIOUS_H

#include "engine/base/buf.h"
#include "engine/store/store.h"

/* Of app number `app`, in place of the copy there was. On the worker, while nothing of the app waits to be
 * written. ERR_FULL, ERR_IO, ERR_STATE: there is no copy then. */
int previous_keep(struct store *store, uint32_t app, struct err *e);
/* Back, by the app's name; text gets what its file had. ERR_NOT_FOUND: no such app, or no copy of it. Nobody
 * else uses the store. */
int previous_return(struct store *store, const char *name, struct buf *text, struct err *e);
/* The number under which the store has the app; ERR_NOT_FOUND, with words. */
int previous_app(struct store *store, const char *name, uint32_t *app, struct err *e);

#endif
