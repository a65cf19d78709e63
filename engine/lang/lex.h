/* lex.h - text to tokens, by longest match (spec 01 section 1). Allocates nothing; linear in the length of
 * any text. */
#ifndef WEIR_LANG_LEX_H
#define WEIR_LANG_LEX_H

#include "engine/lang/token.h"
#include <stddef.h>

struct lex {
    const char *text; /* borrowed; UTF-8 without NUL */
    uint32_t len, at;
};

void lex_init(struct lex *lex, const char *text, uint32_t len);
/* The next token, white space and comments skipped. Behind the last one TOKEN_END, again and again. */
struct token lex_next(struct lex *lex);
/* The spelling of a kind that has but one (punctuation, keywords), else NULL. */
const char *lex_spelling(enum token_kind kind);
/* Why the token at bad is a TOKEN_BAD or TOKEN_UNCLOSED, as a sentence; NULL when it is just a character
 * nobody knows. */
const char *lex_explain(const struct lex *lex, struct token bad, const char **hint);
/* Milliseconds of a unit of time. */
int64_t lex_unit_ms(enum token_kind unit);

#endif
