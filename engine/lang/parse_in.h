/* parse_in.h - what the parse_*.c files share. Not for others: parse.h is the door.
 *
 * Laws: (1) Errors are told by syntax_error and then the parser panics: the current token reads as TOKEN_END
 * until parse_app resumes behind the next ';', so every loop ends and no second error is told. (2) A parse
 * function always returns a node, never NULL; after an error the nodes are incomplete and the tree is thrown
 * away. (3) Recursion passes through parse_enter; height and count of what is built in loops is limited too,
 * so that who walks the tree may recurse. */
#ifndef WEIR_LANG_PARSE_IN_H
#define WEIR_LANG_PARSE_IN_H

#include "engine/lang/lex.h"
#include "engine/lang/parse.h"

enum {
    LIMIT_PARSE_HEIGHT = 1000,   /* height of an expression's tree: a + a + a + ... */
    LIMIT_PARSE_ELEMENTS = 1000, /* elements of a pattern or sequence */
};

struct parser {
    struct diags *diags;
    struct arena *arena;
    const char *text;
    uint32_t len;
    const struct token *tokens; /* count of them; the last is TOKEN_END */
    uint32_t count;
    uint32_t at;       /* index of the current token; that of TOKEN_END in panic */
    bool panic;        /* an error was told and not yet recovered from */
    uint32_t error_at; /* index of the token at which panic began */
    int depth;
    int elements; /* of the pattern being parsed */

    /* The keyword read last as a name by parse_name_soft, for messages: 'select a, insert into O'. */
    uint32_t soft_at;
    const char *soft_what;
};

/* False, with errors told, if the text cannot be cut into tokens at all. */
bool parser_init(struct parser *p, struct diags *diags, const char *text, size_t len);

static inline enum token_kind peek(const struct parser *p)
{
    return p->tokens[p->at].kind;
}
/* The kind of the token n behind the current one. */
static inline enum token_kind peek_at(const struct parser *p, uint32_t n)
{
    return n < p->count - p->at ? p->tokens[p->at + n].kind : TOKEN_END;
}
static inline void advance(struct parser *p)
{
    if (p->at + 1 < p->count)
        p->at++;
}
static inline bool accept(struct parser *p, enum token_kind kind)
{
    if (peek(p) != kind)
        return false;
    advance(p);
    return true;
}
/* The token or "expected WHAT, found ..."; what NULL is the spelling of kind in quotes. */
bool expect(struct parser *p, enum token_kind kind, const char *what);

struct span token_span(const struct parser *p, uint32_t index);
/* From the token with index start to the last one taken. */
struct span span_since(const struct parser *p, uint32_t start);
char *token_copy(const struct parser *p, uint32_t index);

/* "expected WHAT, found ..." at the current token, with a hint when the mistake is a common one. Panics. */
void syntax_error(struct parser *p, const char *what);
/* The same with a hint of the caller. */
void syntax_error_hint(struct parser *p, const char *what, const char *hint);
/* Any other message that stops the statement. Panics. */
void parse_stop(struct parser *p, struct span at, const char *message, const char *hint);

bool parse_enter(struct parser *p); /* one level deeper; false with an error told when too deep; parse_leave
                                       in both cases */
void parse_leave(struct parser *p);

struct name parse_name(struct parser *p, const char *what); /* an id or keyword */
struct name parse_id(struct parser *p, const char *what);   /* no keyword */
/* As parse_name, where a clause may follow: a keyword taken as name is suspected when what follows does not
 * fit. */
struct name parse_name_soft(struct parser *p, const char *what);
const char *parse_string(struct parser *p, const char *what); /* the value of a string literal */

/* INT UNIT { INT UNIT }: milliseconds, 0 after an error. */
int64_t parse_time_value(struct parser *p, const char *what);

/* parse_expr.c */
struct ast_expr *parse_expr(struct parser *p);
struct ast_expr *parse_attr_ref(struct parser *p, const char *what);
struct ast_expr *parse_call(struct parser *p, const char *what);
bool parse_int_value(struct parser *p, int32_t *out); /* an INT in range, without sign */

/* parse_query.c */
enum source_windows { SOURCE_NO_WINDOW, SOURCE_WINDOW_LAST };
/* source { handler } [ window { handler } ], without alias */
struct ast_source *parse_source(struct parser *p);
/* An error if its window stands where it may not. */
void parse_check_window(struct parser *p, const struct ast_source *s, enum source_windows rule);
void parse_select(struct parser *p, struct ast_select *out); /* [select_clause] */
void parse_select_list(struct parser *p,
                       struct ast_select *out); /* what stands behind SELECT, to the end of group_by */
void parse_output(struct parser *p, struct ast_output *out);
bool parse_events(struct parser *p, enum ast_events *out); /* [event_type]; whether there was one */
void parse_target(struct parser *p, struct ast_output *out);
void parse_set(struct parser *p, struct ast_output *out); /* [ SET assign { ',' assign } ] */
void parse_within_per(struct parser *p, struct ast_expr **from, struct ast_expr **to, struct ast_expr **per);
struct ast_query *parse_query(struct parser *p, struct ast_annotation *annotations, uint32_t start);
struct ast_partition *parse_partition(struct parser *p, struct ast_annotation *annotations, uint32_t start);

/* parse_pattern.c */
/* Whether the input here can only be a pattern or sequence. */
bool pattern_starts(const struct parser *p);
/* pattern | sequence, which begins with token start; first: its first source if that is already read, or
 * NULL. */
void parse_pattern(struct parser *p, struct ast_query *q, struct ast_source *first, uint32_t start);

/* parse_app.c */
struct ast_annotation *parse_annotations(struct parser *p);
/* Skips to the next ';' (or, in a partition, an 'end' that closes it) behind the error and ends the panic. */
void parse_recover(struct parser *p, bool in_partition);

/* Appends node to the list that *tail ends: tail is a 'struct x **' that points at the last next. */
#define LIST_ADD(tail, node) (*(tail) = (node), (tail) = &(node)->next)

#endif
