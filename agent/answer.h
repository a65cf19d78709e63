/* answer.h - what the local door is asked, and what it says: a line in, lines out. Sockets are control.h's
 * matter.
 *
 * A request is one line, a JSON object with texts as members; each line of its answer is a JSON object.
 *
 *     {"app":NAME,"query":TEXT}
 *         {"columns":[{"name":N,"type":T},...]} (not of a query that writes), {"row":{N:V,...}} for each row,
 *         {"done":ROWS}; or, instead of all that, one line {"error":KIND,"message":WORDS}
 *     {"errors":"list"|"replay"|"discard", ...}
 *         errors_ask.h
 *     {"status":"apps"|"parts", "app":NAME}
 *         status.h
 *
 * KIND of an error, and what its line has besides:
 *     request     the line is no request that is known
 *     app         none of that name runs: "apps":[NAME,...] those that do, "near":NAME if one is like it
 *     refused     "places":[{"at":BYTE,"len":BYTES,"message":WORDS,"hint":WORDS},...], offsets in TEXT; none
 *                 when no place is known
 *     failed, held, unsure
 *                 query.h
 *     size        the answer is longer than may be
 *
 * A new kind of request: a row in the table of answer.c.
 *
 * Main thread. */
#ifndef WEIR_AGENT_ANSWER_H
#define WEIR_AGENT_ANSWER_H

#include "agent/deploy.h"
#include "engine/base/buf.h"

/* Adds the answer to line (without its end) to out, which is empty and has room for some kilobytes at least;
 * its bound is the answer's. */
void answer_line(struct deploy *d, const char *line, size_t len, struct buf *out);
/* The answer to a line that is longer than most bytes. */
void answer_too_long(size_t most, struct buf *out);

#endif
