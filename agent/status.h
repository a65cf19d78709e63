/* status.h - what the agent and its apps hold, and what stands in their way: the answer to
 *
 *     {"status":"apps"} or {"status":"parts"}, with "app":NAME for one app
 *
 * on the control socket (answer.h):
 *
 *     {"agent":{...}}     one line
 *     {"app":NAME,...}    for each app
 *     {"part":{...}}      for "parts", behind its app: for each operator, table, window and aggregation that
 *                         holds something
 *     {"done":APPS}       the end
 *
 * Numbers of bytes and messages, times in milliseconds; "held" is null or what stands in the way: "memory",
 * "disk", "an app it feeds", "the system's memory" (bounds.h), "a sink", "the store".
 *
 * "partials" are partial matches of patterns and sequences, "partials_dropped" those that went at the bound of
 * their number: of the app and, in the part of the operator that has them, of the query.
 *
 * Main thread; each app is asked on its worker. Parts look at all an app holds (app_held). */
#ifndef WEIR_AGENT_STATUS_H
#define WEIR_AGENT_STATUS_H

#include "agent/deploy.h"

/* app: NULL for all; it runs. */
void status_tell(const struct deploy *d, struct hosted *app, bool with_parts, struct buf *out);

#endif
