/* flow.h - which streams an app's own text feeds and reads, seen from its tree. */
#ifndef WEIR_AGENT_FLOW_H
#define WEIR_AGENT_FLOW_H

#include "engine/engine.h"

/* A query, partition or aggregation takes rows from it. id as plan_stream names it ("!S" is a fault stream).
 */
bool flow_is_read(const struct plan *p, const char *id);
/* Rows can come into it from the app itself: a query inserts, a trigger fires, a source listens. */
bool flow_is_fed(const struct plan *p, uint32_t stream);
/* Names of the queries with @info(name=...), in text order, each once; those in partitions too. Calls fn for
 * each. */
void flow_named_queries(const struct plan *p, void (*fn)(void *user, const char *name), void *user);

#endif
