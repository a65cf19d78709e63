/* diag.h - what is wrong with a text, for its author: place, sentence, caret, hint. All of it, not the first
 * alone. Everything lives in the arena of the compile. */
#ifndef WEIR_BASE_DIAG_H
#define WEIR_BASE_DIAG_H

#include "engine/base/mem.h"
#include <stdio.h>

/* A place in the app's text. */
struct span {
    uint32_t at, len; /* bytes */
};

enum diag_kind { DIAG_ERROR, DIAG_UNSUPPORTED, DIAG_WARNING };

struct diag {
    struct diag *next;
    enum diag_kind kind;
    struct span span;
    const char *message;   /* one line, no full stop */
    const char *hint;      /* or NULL */
    const char *construct; /* DIAG_UNSUPPORTED: the name of what is not built, e.g. "window:cron" */
};

/* Where the text has something else than its author wrote: the value of a variable. */
struct diag_swap {
    uint32_t at, len;               /* in text */
    uint32_t source_at, source_len; /* what stands there in source */
};

struct diags {
    struct arena *arena;
    const char *text; /* borrowed; the app as it was compiled */
    size_t len;
    const char *source; /* borrowed; as its author wrote it, which is what is shown. NULL: text */
    size_t source_len;
    const struct diag_swap *swaps; /* borrowed; from text to source, in order */
    size_t swap_count;
    struct diag *first, *last;
    struct diag *newest; /* what diag_hint speaks of; NULL when it was not kept */
    int errors, unsupported, warnings;
};

void diags_init(struct diags *d, struct arena *arena, const char *text, size_t len);
/* Adds an error; at most LIMIT_DIAGNOSTICS of a kind are kept, all are counted. The same message at the same
 * place is kept and counted once. */
void diag_error(struct diags *d, struct span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warn(struct diags *d, struct span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "CONSTRUCT is not implemented yet" */
void diag_unsupported(struct diags *d, struct span at, const char *construct);
/* A hint to the newest diagnostic. */
void diag_hint(struct diags *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The nearest of names to name (edit distance), or NULL when none is near. */
const char *diag_near(const char *name, const char *const *names, size_t count);
/* FILE:LINE:COLUMN: message, the line, a caret, a hint; sorted by place. Lines and columns (in characters)
 * from 1, in what the author wrote. It may go to a log: values of variables, what is assigned to a name that ends
 * in "password", and credentials in an URL are not shown. */
void diags_print(const struct diags *d, const char *file, FILE *out);
/* at: in text. */
void diag_position(const struct diags *d, uint32_t at, int *line, int *column);

#endif
