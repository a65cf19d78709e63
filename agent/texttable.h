/* texttable.h - rows in aligned columns, for people: a line of names, a line of dashes, a line for each row.
 * Numbers stand to the right.
 *
 * Widths are counted in characters. No control character reaches the terminal. Everything is kept until it is
 * printed. */
#ifndef WEIR_AGENT_TEXTTABLE_H
#define WEIR_AGENT_TEXTTABLE_H

#include "engine/base/buf.h"
#include <stdio.h>

struct texttable {
    struct texttable_column {
        size_t width;
        bool is_number;
    } * columns;
    size_t column_count, cell_count; /* the names are the first cells */
    struct buf cells;                /* each ends with a NUL */
};

void texttable_init(struct texttable *t);
void texttable_fini(struct texttable *t);
void texttable_column(struct texttable *t, const char *name, bool is_number); /* all before the first cell */
/* The next cell, row by row; text of len bytes is UTF-8. */
void texttable_cell(struct texttable *t, const char *text, size_t len);
void texttable_print(const struct texttable *t, FILE *out);

#endif
