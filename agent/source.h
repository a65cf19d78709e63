/* source.h - one @source of an app as the agent sees it: its port in front, the app's inbox behind.
 *
 * Made, moved to another app and freed on the worker; deliver comes from the port's thread and takes the
 * worker's lock. It outlives its app when a changed app takes it over: nothing is missed then, not even
 * without a persistent session. */
#ifndef WEIR_AGENT_SOURCE_H
#define WEIR_AGENT_SOURCE_H

#include "agent/hush.h"
#include "agent/repeats.h"
#include "ports/bind.h"
#include <stdbool.h>

struct hosted;
struct worker;
struct source {
    struct port *port; /* owned */
    const struct port_type *type;
    char *name;     /* of the stream; owned */
    char *log_name; /* owned */
    struct worker *worker;
    int number;             /* of the bind source it feeds */
    int state;              /* as the port told last, -1: never; port's thread */
    struct hush hush;       /* lines about rejected messages; worker only */
    struct repeats repeats; /* of a durable app; worker only */
    /* under the worker's lock */
    struct hosted *hosted; /* NULL: nobody takes messages now */
    bool is_stopped;       /* the port was told BUSY: it waits for resume */
};

int source_open(struct source **out, const struct bind_source *from, const char *app, const char *stream,
                struct worker *worker, struct err *e);
/* Closes the port: what is not settled stays unacknowledged. Messages of it must have left the inbox. */
void source_close(struct source *s);

#endif
