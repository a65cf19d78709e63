/* csv_input.h - CSV (RFC 4180) read in place: records of fields, quotes and line breaks inside quotes
 * understood. For recorded events of replay and bench; what travels through ports is map_csv's. */
#ifndef WEIR_AGENT_CSV_INPUT_H
#define WEIR_AGENT_CSV_INPUT_H

#include "engine/base/err.h"
#include "engine/base/mem.h"

struct csv_field {
    const char *text; /* in the input, or in the arena when quotes were doubled in it */
    size_t len;
    bool is_quoted;
};
struct csv {
    const char *at, *end;
    int line; /* of the record that csv_next returned */
    int next_line;
    struct arena *arena;
    struct csv_field *fields; /* of the last record */
    int count, cap;
};

void csv_init(struct csv *c, struct arena *arena, const char *text, size_t len);
void csv_fini(struct csv *c);
/* 1: a record stands in fields; 0: the end; ERR_INVALID: malformed. Empty lines are skipped. */
int csv_next(struct csv *c, struct err *e);

#endif
