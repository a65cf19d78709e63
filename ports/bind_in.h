/* bind_in.h - what bind's files share: the connectors inside the process. bind.h is the door. */
#ifndef WEIR_PORTS_BIND_IN_H
#define WEIR_PORTS_BIND_IN_H

#include "ports/bind.h"

extern const struct port_type port_inmemory, port_log;

struct bind_subscription {
    struct bind *bind;
    struct bind_source *source;
};
/* A bind and what its owner needn't see. */
struct bind_all {
    struct bind bind;
    struct arena scratch;                    /* of the batch being sent or received */
    int depth;                               /* of bind_sink_rows under way: the app is in a push */
    struct bind_subscription *subscriptions; /* by source number */
};

/* One line a payload (spec 10 section 8). */
void log_publish(const struct options *options, const char *app, const char *stream, const struct payload *p);

#endif
