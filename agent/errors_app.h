/* errors_app.h - what an app gives to the error store (errors.h) and gets back from it.
 *
 * Laws
 * (1) An entry is made in the turn in which the event failed and goes to the disk with that turn's
 *     transaction; a replay of a journal makes none, for they were made then. A message that a far side
 *     refuses later leaves its sink's spool in the transaction that has its entry.
 * (2) An entry that is replayed ends when it went through: its message was mapped whole, or nothing
 *     failed at its stream and its sink. Otherwise it stays as it was, and no second one is made for it.
 * (3) The replay of an entry is noted in the journal of a durable app, and its end is in the same
 *     transaction.
 *
 * On the worker. */
#ifndef WEIR_AGENT_ERRORS_APP_H
#define WEIR_AGENT_ERRORS_APP_H

#include "agent/errors.h"
#include "agent/hosted.h"

/* A new app: what it keeps; warns if it wants an error store and there is none. */
void errors_app_open(struct hosted *h, const struct config *config);
bool errors_app_wants(const struct hosted *h, const struct bind_sink *s); /* its refused messages? */

/* ---- for app_host, bind and outbox ---- */
void errors_app_failed(struct hosted *h, uint32_t stream, const char *words);
void errors_app_stream(void *hosted, uint32_t stream, const struct batch *b, const char *words);
void errors_app_unmapped(void *hosted, const struct bind_source *s, const struct payload *p,
                         const struct property *properties, int property_count, const char *why);
/* A message that the app's bounds keep out (bounds.h). False: it isn't kept. */
bool errors_app_untaken(struct hosted *h, const struct bind_source *s, const struct arrival *a,
                        const char *why);
bool errors_app_undelivered(void *hosted, const struct bind_sink *s, const struct batch *events,
                            const struct payload *p, const char *why);
/* outbox_put; the events travel with the message if they may be wanted. */
int errors_app_put(struct hosted *h, struct bind_sink *s, const struct message *m);
bool errors_app_refused(struct outbox *b, const struct message *m, const char *why);

/* ---- back ---- */
struct errors_replay {
    const struct errors_entry *entry; /* borrowed */
    uint32_t stream;
    int source;  /* of a message */
    bool failed; /* words in err */
    struct err err;
};
/* bytes are the entry's, e what errors_read made of them. 0: it went through, and ends with the next commit.
 * ERR_BUSY: the app does no work now; ERR_INVALID: it doesn't fit the app, or failed again. Words in err. */
int errors_app_replay(struct hosted *h, const struct errors_entry *e, const void *bytes, size_t len,
                      struct err *err);
/* The same from a journal. ERR_STATE. */
int errors_app_work(struct hosted *h, const void *bytes, size_t len, int64_t time_ms);

#endif
