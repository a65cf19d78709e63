/* errors_ask.h - what the error store is asked, and what it says: lines of JSON, as answer.h has them.
 *
 *     list        {"entry":ENTRY} for each, oldest first; at the end {"more":NUMBER}, to go on from, or
 *                 {"done":COUNT}
 *     replay      for each number {"replayed":N}, {"kept":N,"message":WORDS} or {"missing":N}; at the end
 *                 {"done":COUNT of replayed}
 *     discard     for each number {"discarded":N} or {"missing":N}; at the end {"done":COUNT of discarded}
 *
 * {"error":KIND,"message":WORDS} ends an answer instead: KIND is request, failed, or unsure (it is done, but
 * not on disk).
 *
 * Main thread, or the only one. */
#ifndef WEIR_AGENT_ERRORS_ASK_H
#define WEIR_AGENT_ERRORS_ASK_H

#include "agent/deploy.h"
#include "agent/errors.h"

enum { ERRORS_ASK_MOST = 64 }; /* numbers of a request */

/* app NULL: of all. */
void errors_ask_list(struct errors *s, const char *app, uint64_t from, struct buf *out);
void errors_ask_discard(struct errors *s, const uint64_t *numbers, int count, struct buf *out);
/* Each on its app's worker; the answer is given when all that went through is on disk. */
void errors_ask_replay(struct deploy *d, const uint64_t *numbers, int count, struct buf *out);

/* The request {"errors":VERB,...}; members that were not given are NULL. */
void errors_ask(struct deploy *d, const char *verb, const char *app, const char *numbers, const char *from,
                struct buf *out);

#endif
