/* fn_regex.h - patterns as arguments: compiled with the app when they are literals, for the event otherwise.
 */
#ifndef WEIR_EXPR_FN_REGEX_H
#define WEIR_EXPR_FN_REGEX_H

#include "engine/expr/fn.h"
#include "engine/expr/regex.h"

/* When argument n is a literal: e->config is its regex. strict: a wrong one refuses the app, else it stays
 * for the event to fail. */
int bind_regex(struct expr_ctx *c, struct expr *e, const struct ast_expr *call, int n, bool strict);
/* The regex of argument n; NULL after failing the event. */
struct regex *arg_regex(const struct expr *e, struct frame *f, int n);
/* regex_match, but fails the event instead of -1. */
int match_or_fail(struct frame *f, const struct expr *e, struct regex *r, const struct text *s, size_t start,
                  enum regex_how how);
/* Byte offset of UTF-16 place n of s; false when n is outside 0..length. */
bool text_offset(const struct text *s, int64_t n, size_t *at);
/* Length in UTF-16 units. */
int64_t text_units(const struct text *s);
/* Java's split: next part of s from *at on into part; see fn_str.c. For #str:tokenize as well. */
struct split {
    struct text **parts;
    size_t count;
};
/* All parts, trailing empty ones removed; false after failing the event. In scratch. */
bool text_split(struct frame *f, const struct expr *e, struct regex *r, const struct text *s,
                struct split *out);

#endif
