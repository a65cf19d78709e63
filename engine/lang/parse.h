/* parse.h - text to tree (spec 01). Spelling errors go to diags, all that can be found (the parser resumes
 * behind the next ';').
 *
 * The tree, and all texts in it, live in arena. text must outlive the tree. Variables ${NAME} are put in
 * before, by parse_substitute. */
#ifndef WEIR_LANG_PARSE_H
#define WEIR_LANG_PARSE_H

#include "engine/lang/ast.h"

/* NULL when diags got an error. */
struct ast_app *parse_app(struct diags *diags, const char *text, size_t len);
struct ast_ondemand *parse_ondemand(struct diags *diags, const char *text, size_t len);
/* One expression that must fill the text: window.expression('..') (spec 04 section 2.15). */
struct ast_expr *parse_expression(struct diags *diags, const char *text, size_t len);
/* '1 min', '10 sec', as annotations write times: milliseconds, or -1. */
int64_t parse_time(const char *text);
/* The same as @purge writes times (spec 01 section 3.3): counts are ints, 'h' is an hour, and there are no weeks
 * and no milliseconds. */
int64_t parse_purge_time(const char *text);

/* A text with its variables. Arena memory; without any ${ it is the text itself. */
struct substituted {
    const char *text;
    size_t len;
    struct diag_swap *swaps; /* where values stand */
    size_t swap_count;
    struct span wrong; /* of a failure: the variable, in the text it was made of */
};
/* Replaces every ${NAME} (spec 01 section 1.6) by lookup(user, NAME); 0, or ERR_NOT_FOUND with the missing
 * name in e and its place in out->wrong. */
int parse_substitute(struct arena *arena, const char *text, size_t len,
                     const char *(*lookup)(void *user, const char *name), void *user, struct substituted *out,
                     struct err *e);

#endif
