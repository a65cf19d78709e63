/* ports.c - the table of doors. A new connector: its file, and a line here. */
#include "ports/port.h"
#include <string.h>
#include <strings.h>

extern const struct port_type port_file, port_inmemory, port_log, port_mqtt;

const struct port_type *const port_types[] = {&port_file, &port_inmemory, &port_log, &port_mqtt, NULL};

const struct port_type *port_type_find(const char *name)
{
    for (int i = 0; port_types[i]; i++)
        if (strcasecmp(port_types[i]->name, name) == 0)
            return port_types[i];
    return NULL;
}
