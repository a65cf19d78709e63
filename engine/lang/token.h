/* token.h - the words of the language (spec 01 section 1). A token is a kind and its place in the text;
 * nothing is copied. */
#ifndef WEIR_LANG_TOKEN_H
#define WEIR_LANG_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

enum token_kind {
    TOKEN_END,        /* of the text */
    TOKEN_BAD,        /* one character that starts no token */
    TOKEN_UNCLOSED,   /* a '{' without its '}': the rest of the text */
    TOKEN_ID,         /* abc */
    TOKEN_ID_QUOTED,  /* `abc` */
    TOKEN_INT_TEXT,   /* 5: the literals are ..._TEXT, since INT, LONG, ... are keywords */
    TOKEN_LONG_TEXT,  /* 5L */
    TOKEN_FLOAT_TEXT, /* 5f */
    TOKEN_DOUBLE_TEXT,
    TOKEN_STRING_TEXT, /* '..', "..", """..""" */
    TOKEN_SCRIPT,      /* { balanced } */

    TOKEN_COLON,
    TOKEN_SEMICOLON,
    TOKEN_DOT,
    TOKEN_DOTS, /* ... */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_SQUARE,
    TOKEN_CLOSE_SQUARE,
    TOKEN_COMMA,
    TOKEN_ASSIGN,
    TOKEN_STAR,
    TOKEN_PLUS,
    TOKEN_QUESTION,
    TOKEN_MINUS,
    TOKEN_DIVIDE,
    TOKEN_MOD,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_NOT_MARK, /* ! */
    TOKEN_ARROW,
    TOKEN_AT_MARK, /* @ */
    TOKEN_HASH,

    /* Keywords: all from here on (token_is_keyword). */
    TOKEN_STREAM,
    TOKEN_DEFINE,
    TOKEN_FUNCTION,
    TOKEN_TRIGGER,
    TOKEN_TABLE,
    TOKEN_APP,
    TOKEN_FROM,
    TOKEN_PARTITION,
    TOKEN_WINDOW,
    TOKEN_SELECT,
    TOKEN_GROUP,
    TOKEN_BY,
    TOKEN_ORDER,
    TOKEN_LIMIT,
    TOKEN_OFFSET,
    TOKEN_ASC,
    TOKEN_DESC,
    TOKEN_HAVING,
    TOKEN_INSERT,
    TOKEN_DELETE,
    TOKEN_UPDATE,
    TOKEN_SET,
    TOKEN_RETURN,
    TOKEN_EVENTS,
    TOKEN_INTO,
    TOKEN_OUTPUT,
    TOKEN_EXPIRED,
    TOKEN_CURRENT,
    TOKEN_SNAPSHOT,
    TOKEN_FOR,
    TOKEN_RAW,
    TOKEN_OF,
    TOKEN_AS,
    TOKEN_AT,
    TOKEN_OR,
    TOKEN_AND,
    TOKEN_IN,
    TOKEN_ON,
    TOKEN_IS,
    TOKEN_NOT,
    TOKEN_WITHIN,
    TOKEN_WITH,
    TOKEN_BEGIN,
    TOKEN_END_WORD, /* end */
    TOKEN_NULL,
    TOKEN_EVERY,
    TOKEN_LAST,
    TOKEN_ALL,
    TOKEN_FIRST,
    TOKEN_JOIN,
    TOKEN_INNER,
    TOKEN_OUTER,
    TOKEN_RIGHT,
    TOKEN_LEFT,
    TOKEN_FULL,
    TOKEN_UNIDIRECTIONAL,
    TOKEN_FALSE,
    TOKEN_TRUE,
    TOKEN_AGGREGATION,
    TOKEN_AGGREGATE,
    TOKEN_PER,
    /* Units of time, the greatest first: time literals depend on the order. */
    TOKEN_YEARS,
    TOKEN_MONTHS,
    TOKEN_WEEKS,
    TOKEN_DAYS,
    TOKEN_HOURS,
    TOKEN_MINUTES,
    TOKEN_SECONDS,
    TOKEN_MILLISECONDS,
    /* Types, in the order of enum type. */
    TOKEN_STRING,
    TOKEN_INT,
    TOKEN_LONG,
    TOKEN_FLOAT,
    TOKEN_DOUBLE,
    TOKEN_BOOL,
    TOKEN_OBJECT,
};

struct token {
    uint32_t at, len;
    enum token_kind kind;
};

static inline bool token_is_keyword(enum token_kind kind)
{
    return kind >= TOKEN_STREAM;
}
static inline bool token_is_unit(enum token_kind kind)
{
    return kind >= TOKEN_YEARS && kind <= TOKEN_MILLISECONDS;
}
static inline bool token_is_type(enum token_kind kind)
{
    return kind >= TOKEN_STRING && kind <= TOKEN_OBJECT;
}
static inline bool token_is_id(enum token_kind kind)
{
    return kind == TOKEN_ID || kind == TOKEN_ID_QUOTED;
}
/* Where the language takes a name, it takes keywords too (spec 01 section 1.2). */
static inline bool token_is_name(enum token_kind kind)
{
    return token_is_id(kind) || token_is_keyword(kind);
}
static inline bool token_is_number(enum token_kind kind)
{
    return kind >= TOKEN_INT_TEXT && kind <= TOKEN_DOUBLE_TEXT;
}

#endif
