/* parse_expr.c - expressions (spec 01 section 2.1), calls, attribute references and literals. */
#include "engine/base/num.h"
#include "engine/lang/parse_in.h"
#include <math.h>

/* Binary operators; the greater level binds tighter, all are left-associative. 'not' and 'is null' bind
 * tighter than all of them. */
static const struct binary {
    enum token_kind token;
    enum ast_expr_kind kind;
    int level;
} binaries[] = {
    {TOKEN_STAR, AST_MUL, 7},  {TOKEN_DIVIDE, AST_DIV, 7}, {TOKEN_MOD, AST_MOD, 7}, {TOKEN_PLUS, AST_ADD, 6},
    {TOKEN_MINUS, AST_SUB, 6}, {TOKEN_GE, AST_GE, 5},      {TOKEN_LE, AST_LE, 5},   {TOKEN_GT, AST_GT, 5},
    {TOKEN_LT, AST_LT, 5},     {TOKEN_EQ, AST_EQ, 4},      {TOKEN_NE, AST_NE, 4},   {TOKEN_IN, AST_IN, 3},
    {TOKEN_AND, AST_AND, 2},   {TOKEN_OR, AST_OR, 1},
};

static const struct binary *find_binary(enum token_kind token)
{
    for (size_t i = 0; i < sizeof binaries / sizeof binaries[0]; i++)
        if (binaries[i].token == token)
            return &binaries[i];
    return NULL;
}

static struct ast_expr *new_expr(struct parser *p, enum ast_expr_kind kind, uint32_t at)
{
    struct ast_expr *e = arena_alloc(p->arena, sizeof *e);
    e->kind = kind;
    e->height = 1;
    e->span = e->op_span = token_span(p, at);
    return e;
}

static void set_height(struct parser *p, struct ast_expr *e, const struct ast_expr *child)
{
    if (child->height >= e->height)
        e->height = child->height + 1;
    if (e->height > LIMIT_PARSE_HEIGHT)
        parse_stop(p, e->op_span,
                   arena_printf(p->arena, "more than %d operators in one expression", LIMIT_PARSE_HEIGHT),
                   NULL);
}

/* ---- literals ---- */

bool parse_int_value(struct parser *p, int32_t *out)
{
    struct token t = p->tokens[p->at];
    *out = 0;
    if (t.kind != TOKEN_INT_TEXT) {
        syntax_error(p, "a whole number");
        return false;
    }
    advance(p);
    if (num_parse_int(p->text + t.at, t.len, out))
        return true;
    *out = 0;
    diag_error(p->diags, (struct span){t.at, t.len}, "%.*s is out of the range of int",
               (int)(t.len > 60 ? 60 : t.len), p->text + t.at);
    return false;
}

static void range_error(struct parser *p, struct span at, const char *text, const char *type)
{
    diag_error(p->diags, at, "%.60s%s is out of the range of %s", text, strlen(text) > 60 ? "..." : "", type);
}

/* The number at the current token; sign is '-', '+' or 0. */
static struct value number_value(struct parser *p, char sign, struct span span)
{
    struct token t = p->tokens[p->at];
    advance(p);
    const char *text = arena_printf(p->arena, "%s%.*s", sign == '-' ? "-" : "", (int)t.len, p->text + t.at);
    size_t len = strlen(text);
    int32_t i = 0;
    int64_t l = 0;
    float f = 0;
    double d = 0;
    switch (t.kind) {
    case TOKEN_INT_TEXT:
        if (!num_parse_int(text, len, &i)) {
            range_error(p, span, text, "int");
            if (num_parse_long(text, len, &l))
                diag_hint(p->diags, "as a long it is written %sL", text);
        }
        return value_int(i);
    case TOKEN_LONG_TEXT:
        if (!num_parse_long(text, len - 1, &l))
            range_error(p, span, text, "long");
        return value_long(l);
    case TOKEN_FLOAT_TEXT:
        ASSERT(num_parse_float(text, len, &f));
        return value_float(f);
    default:
        ASSERT(t.kind == TOKEN_DOUBLE_TEXT && num_parse_double(text, len, &d));
        return value_double(d);
    }
}

/* literal = [ '+' | '-' ] number | string | TRUE | FALSE | time */
static struct ast_expr *parse_literal(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_expr *e = new_expr(p, AST_LITERAL, start);
    enum token_kind kind = peek(p);
    if (kind == TOKEN_STRING_TEXT) {
        const char *text = parse_string(p, "a string");
        e->literal = value_text(text_scratch(p->arena, text, strlen(text)));
    } else if (kind == TOKEN_TRUE || kind == TOKEN_FALSE) {
        advance(p);
        e->literal = value_bool(kind == TOKEN_TRUE);
    } else if (kind == TOKEN_INT_TEXT && token_is_unit(peek_at(p, 1))) {
        e->is_time = true;
        e->literal = value_long(parse_time_value(p, "a time"));
    } else {
        char sign = 0;
        if (kind == TOKEN_PLUS || kind == TOKEN_MINUS) {
            sign = kind == TOKEN_MINUS ? '-' : '+';
            advance(p);
        }
        struct token number = p->tokens[p->at];
        if (token_is_number(number.kind))
            e->literal =
                number_value(p, sign, (struct span){e->span.at, number.at + number.len - e->span.at});
        else
            syntax_error_hint(p, "a number behind the sign",
                              token_is_name(number.kind) || number.kind == TOKEN_OPEN
                                  ? "only numbers take a sign; write 0 - x"
                                  : NULL);
    }
    e->span = e->op_span = span_since(p, start);
    return e;
}

/* ---- calls and references ---- */

/* call = [ name ':' ] name '(' [ '*' | expr { ',' expr } ] ')' */
struct ast_expr *parse_call(struct parser *p, const char *what)
{
    uint32_t start = p->at;
    struct ast_expr *e = new_expr(p, AST_CALL, start);
    e->name = parse_name(p, what);
    if (accept(p, TOKEN_COLON)) {
        e->space = e->name;
        e->name = parse_name(p, "a function's name behind the ':'");
    }
    e->op_span = span_since(p, start);
    expect(p, TOKEN_OPEN, NULL);
    if (peek(p) == TOKEN_STAR) {
        advance(p);
        e->star = true;
    } else if (peek(p) != TOKEN_CLOSE) {
        struct ast_expr **tail = &e->args;
        do {
            struct ast_expr *arg = parse_expr(p);
            set_height(p, e, arg);
            LIST_ADD(tail, arg);
            e->arg_count++;
        } while (accept(p, TOKEN_COMMA));
    }
    expect(p, TOKEN_CLOSE, e->arg_count ? "',' or ')'" : "')'");
    e->span = span_since(p, start);
    return e;
}

/* index = INT | LAST [ '-' INT ] */
static void parse_index(struct parser *p, struct ast_expr *e)
{
    if (accept(p, TOKEN_LAST)) {
        e->index_kind = INDEX_LAST;
        if (accept(p, TOKEN_MINUS))
            parse_int_value(p, &e->index);
    } else {
        e->index_kind = INDEX_AT;
        if (peek(p) != TOKEN_INT_TEXT)
            syntax_error(p, "an index: a number, 'last' or 'last - n'");
        else
            parse_int_value(p, &e->index);
    }
    expect(p, TOKEN_CLOSE_SQUARE, NULL);
}

static bool at_is_null(const struct parser *p)
{
    return peek(p) == TOKEN_IS && peek_at(p, 1) == TOKEN_NULL;
}

/* attr_ref   = [ '#' | '!' ] name [ '[' index ']' ] '.' name | name
 * stream_ref = [ '#' | '!' ] name [ '[' index ']' ]     where 'is null' follows and null_check is true */
static struct ast_expr *parse_reference(struct parser *p, const char *what, bool null_check)
{
    uint32_t start = p->at;
    struct ast_expr *e = new_expr(p, AST_ATTR, start);
    if (peek(p) == TOKEN_HASH || peek(p) == TOKEN_NOT_MARK) {
        e->mark = peek(p) == TOKEN_HASH ? '#' : '!';
        advance(p);
    }
    struct name first = e->mark ? parse_name(p, "a stream's name") : parse_name_soft(p, what);
    bool indexed = accept(p, TOKEN_OPEN_SQUARE);
    if (indexed)
        parse_index(p, e);
    if (accept(p, TOKEN_DOT)) {
        e->source = first;
        e->name = parse_name(p, "an attribute's name behind the '.'");
    } else if (!e->mark && !indexed) {
        e->name = first;
    } else if (null_check && at_is_null(p)) {
        e->kind = AST_SOURCE;
        e->source = first;
    } else {
        syntax_error(p, null_check ? "'.' and an attribute's name, or 'is null'"
                                   : "'.' and an attribute's name");
    }
    e->span = e->op_span = span_since(p, start);
    return e;
}

struct ast_expr *parse_attr_ref(struct parser *p, const char *what)
{
    return parse_reference(p, what, false);
}

/* ---- expressions ---- */

static bool is_literal_start(const struct parser *p)
{
    enum token_kind kind = peek(p), next = peek_at(p, 1);
    if (kind == TOKEN_TRUE || kind == TOKEN_FALSE)
        return next != TOKEN_DOT && next != TOKEN_OPEN && next != TOKEN_COLON;
    return token_is_number(kind) || kind == TOKEN_STRING_TEXT || kind == TOKEN_PLUS || kind == TOKEN_MINUS;
}

/* null_check = ( stream_ref | attr_ref | call ) IS NULL
 * primary    = '(' expr ')' | null_check | call | literal | attr_ref */
static struct ast_expr *parse_primary(struct parser *p)
{
    uint32_t start = p->at;
    enum token_kind kind = peek(p), next = peek_at(p, 1);
    struct ast_expr *e;
    bool nullable = false;
    if (kind == TOKEN_OPEN) {
        advance(p);
        e = parse_expr(p);
        expect(p, TOKEN_CLOSE, "')' or an operator");
    } else if (is_literal_start(p)) {
        e = parse_literal(p);
    } else if (token_is_name(kind) &&
               (next == TOKEN_OPEN || (next == TOKEN_COLON && token_is_name(peek_at(p, 2))))) {
        e = parse_call(p, "a function");
        nullable = true;
    } else if (token_is_name(kind) || kind == TOKEN_HASH || kind == TOKEN_NOT_MARK) {
        e = parse_reference(p, "an expression", true);
        nullable = true;
    } else {
        e = new_expr(p, AST_LITERAL, start);
        syntax_error(p, "an expression");
    }
    if (peek(p) != TOKEN_IS)
        return e;
    if (!nullable) {
        parse_stop(p, token_span(p, p->at), "'is null' stands behind a name or a function call only", NULL);
        return e;
    }
    struct ast_expr *check = new_expr(p, AST_IS_NULL, p->at);
    advance(p);
    if (peek(p) == TOKEN_NOT)
        syntax_error_hint(p, "'null' behind 'is'", "write not (x is null)");
    expect(p, TOKEN_NULL, "'null' behind 'is'");
    check->op_span.len = p->panic ? check->op_span.len : span_since(p, p->at - 2).len;
    check->left = e;
    set_height(p, check, e);
    check->span = span_since(p, start);
    if (peek(p) == TOKEN_IS)
        syntax_error(p, "an operator");
    return check;
}

/* Whether 'not' here is the operator: an operand follows. Else it is a name. */
static bool at_not(const struct parser *p)
{
    if (peek(p) != TOKEN_NOT)
        return false;
    switch (peek_at(p, 1)) {
    case TOKEN_OPEN:
    case TOKEN_HASH:
    case TOKEN_NOT_MARK:
    case TOKEN_STRING_TEXT:
        return true;
    case TOKEN_AS: /* select not as x; but not and(b) */
    case TOKEN_IS:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_IN:
        return peek_at(p, 2) == TOKEN_OPEN;
    default:
        return token_is_name(peek_at(p, 1)) || token_is_number(peek_at(p, 1));
    }
}

/* prefix = NOT prefix | primary */
static struct ast_expr *parse_prefix(struct parser *p)
{
    if (!at_not(p))
        return parse_primary(p);
    uint32_t start = p->at;
    struct ast_expr *e = new_expr(p, AST_NOT, start);
    if (!parse_enter(p)) {
        e->left = new_expr(p, AST_LITERAL, start);
    } else {
        advance(p);
        e->left = parse_prefix(p);
        set_height(p, e, e->left);
    }
    parse_leave(p);
    e->span = span_since(p, start);
    return e;
}

/* binary(level) = prefix { operator of level or tighter, binary(its level + 1) | IN name } */
static struct ast_expr *parse_binary(struct parser *p, int level)
{
    uint32_t start = p->at;
    struct ast_expr *left = parse_prefix(p);
    for (;;) {
        const struct binary *op = find_binary(peek(p));
        if (!op || op->level < level)
            return left;
        struct ast_expr *e = new_expr(p, op->kind, p->at);
        advance(p);
        e->left = left;
        set_height(p, e, left);
        if (op->kind == AST_IN) {
            e->name = parse_name_soft(p, "a table's name behind 'in'");
        } else {
            e->right = parse_binary(p, op->level + 1);
            set_height(p, e, e->right);
        }
        e->span = span_since(p, start);
        left = e;
    }
}

/* expr = binary(1) */
struct ast_expr *parse_expr(struct parser *p)
{
    struct ast_expr *e = parse_enter(p) ? parse_binary(p, 1) : new_expr(p, AST_LITERAL, p->at);
    parse_leave(p);
    return e;
}
