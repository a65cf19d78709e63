/* inmemory.c - the inMemory connector's row in the table. It has no thread and no socket: bind serves its
 * topics through the bus. */
#include "ports/bind_in.h"

static const struct option options[] = {
    {"topic", OPTION_TEXT, OPTION_REQUIRED | OPTION_DYNAMIC, NULL, "name of the topic"},
};

const struct port_type port_inmemory = {
    .name = "inMemory",
    .help = "topics between the apps of this process",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_source = true,
    .can_sink = true,
    .in_process = true,
};
