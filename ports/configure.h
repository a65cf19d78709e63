/* configure.h - the elements of an annotation against a table of options: names, defaults, numbers, what is
 * missing. For bind and map. */
#ifndef WEIR_PORTS_CONFIGURE_H
#define WEIR_PORTS_CONFIGURE_H

#include "engine/lang/ast.h"
#include "ports/port.h"

struct configure {
    struct arena *arena;
    struct diags *diags;
    const char *what; /* "source mqtt", for messages */
    struct span at;   /* where something missing is reported */
    const struct option *table;
    int table_count;
    bool is_sink;
    const char *const *reserved; /* names that are the caller's; NULL-terminated */
    /* An element whose option may hold {{attribute}} and does: the caller keeps it, its slot stays without
     * text. NULL: such options are refused. */
    void (*dynamic)(void *user, const struct option *option, const struct ast_element *element);
    void *user;
};

/* lists: elements of several annotations, a later one overrides an earlier one (a destination its sink).
 * false after reporting. */
bool configure(const struct configure *c, const struct ast_element *const *lists, int list_count,
               struct options *out);
/* The element that gave an option its value (the last one of that name), or NULL. */
const struct ast_element *configure_element(const struct ast_element *const *lists, int list_count,
                                            const char *name);

#endif
