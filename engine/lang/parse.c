/* parse.c - what all parse functions use: tokens, names, times, and the words of errors. And the small doors
 * of parse.h. */
#include "engine/base/limits.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include "engine/lang/parse_in.h"
#include <stdio.h>
#include <strings.h>

/* ---- tokens ---- */

/* What no token may hold, so that texts can be C strings and leave as UTF-8. */
static bool check_characters(struct diags *diags, const char *text, uint32_t len)
{
    uint32_t at = 0;
    while (at < len) {
        uint32_t code;
        size_t n = (unsigned char)text[at] < 0x80 ? 1 : utf8_decode(text + at, len - at, &code);
        if (n == 0) {
            diag_error(diags, (struct span){at, 1}, "the text is not valid UTF-8 here (byte 0x%02X)",
                       (unsigned char)text[at]);
            return false;
        }
        if (text[at] == '\0') {
            diag_error(diags, (struct span){at, 1}, "the text holds a NUL byte");
            return false;
        }
        at += (uint32_t)n;
    }
    return true;
}

bool parser_init(struct parser *p, struct diags *diags, const char *text, size_t len)
{
    *p = (struct parser){.diags = diags, .arena = diags->arena, .text = text, .soft_at = UINT32_MAX};
    if (len > LIMIT_APP_BYTES) {
        diag_error(diags, (struct span){0, 0}, "the text has %zu bytes, more than the limit of %d", len,
                   LIMIT_APP_BYTES);
        return false;
    }
    p->len = (uint32_t)len;
    if (!check_characters(diags, text, p->len))
        return false;
    struct lex lex;
    lex_init(&lex, text, p->len);
    do
        p->count++;
    while (lex_next(&lex).kind != TOKEN_END);
    struct token *tokens = arena_array(p->arena, p->count, sizeof *tokens);
    lex_init(&lex, text, p->len);
    for (uint32_t i = 0; i < p->count; i++)
        tokens[i] = lex_next(&lex);
    p->tokens = tokens;
    return true;
}

struct span token_span(const struct parser *p, uint32_t index)
{
    return (struct span){p->tokens[index].at, p->tokens[index].len};
}

struct span span_since(const struct parser *p, uint32_t start)
{
    const struct token *first = &p->tokens[start];
    if (p->panic || p->at <= start)
        return (struct span){first->at, first->len};
    const struct token *last = &p->tokens[p->at - 1];
    return (struct span){first->at, last->at + last->len - first->at};
}

char *token_copy(const struct parser *p, uint32_t index)
{
    return arena_strndup(p->arena, p->text + p->tokens[index].at, p->tokens[index].len);
}

/* ---- errors ---- */

static void panic(struct parser *p)
{
    p->panic = true;
    p->error_at = p->at;
    p->at = p->count - 1;
}

void parse_stop(struct parser *p, struct span at, const char *message, const char *hint)
{
    if (p->panic)
        return;
    diag_error(p->diags, at, "%s", message);
    if (hint)
        diag_hint(p->diags, "%s", hint);
    panic(p);
}

/* A token as a message shows it. */
static const char *token_describe(const struct parser *p, uint32_t index)
{
    enum { SHOWN = 40 };
    struct token t = p->tokens[index];
    if (t.kind == TOKEN_END)
        return "the end of the text";
    if (t.kind == TOKEN_SCRIPT)
        return "'{'";
    uint32_t shown = t.len;
    if (shown > SHOWN) {
        shown = SHOWN;
        while (shown > 0 && ((unsigned char)p->text[t.at + shown] & 0xC0) == 0x80)
            shown--;
    }
    const char *newline = memchr(p->text + t.at, '\n', shown);
    if (newline)
        shown = (uint32_t)(newline - (p->text + t.at));
    const char *dots = shown < t.len ? "..." : "";
    const char *before = t.kind == TOKEN_STRING_TEXT ? "the string "
                         : token_is_number(t.kind)   ? "the number "
                         : t.kind == TOKEN_ID_QUOTED ? "the name "
                                                     : "";
    const char *quote = *before ? "" : "'";
    return arena_printf(p->arena, "%s%s%.*s%s%s", before, quote, (int)shown, p->text + t.at, dots, quote);
}

/* Words that begin or join clauses: misspelt they make hints, and where a name is read instead they are
 * suspected. */
static const char *const clause_words[] = {
    "define", "stream",    "table",  "window", "trigger", "function", "aggregation", "aggregate",
    "from",   "partition", "select", "group",  "by",      "order",    "limit",       "offset",
    "having", "insert",    "delete", "into",   "update",  "set",      "return",      "events",
    "output", "every",     "within", "begin",  "end",     "join",     "inner",       "unidirectional",
};
static const enum token_kind suspects[] = {
    TOKEN_FROM,   TOKEN_SELECT, TOKEN_GROUP,  TOKEN_ORDER,  TOKEN_LIMIT,  TOKEN_OFFSET,
    TOKEN_HAVING, TOKEN_INSERT, TOKEN_DELETE, TOKEN_UPDATE, TOKEN_RETURN, TOKEN_INTO,
    TOKEN_BY,     TOKEN_OUTPUT, TOKEN_ON,     TOKEN_SET,    TOKEN_WITHIN, TOKEN_AS,
    TOKEN_AND,    TOKEN_OR,     TOKEN_JOIN,   TOKEN_PER,    TOKEN_IS,     TOKEN_IN,
};

static bool is_suspect(enum token_kind kind)
{
    for (size_t i = 0; i < sizeof suspects / sizeof suspects[0]; i++)
        if (suspects[i] == kind)
            return true;
    return false;
}

/* Whether b holds the letters of a, two neighbours exchanged: form, from. An edit distance of 2 that is a
 * common slip. */
static bool is_swapped(const char *a, const char *b)
{
    size_t i = 0;
    while (a[i] && a[i] == b[i])
        i++;
    return a[i] && a[i + 1] && a[i + 1] == b[i] && a[i] == b[i + 1] && strcmp(a + i + 2, b + i + 2) == 0;
}

static const char *near_clause_word(const char *text)
{
    enum { COUNT = sizeof clause_words / sizeof clause_words[0] };
    for (size_t i = 0; i < COUNT; i++)
        if (is_swapped(text, clause_words[i]))
            return clause_words[i];
    return diag_near(text, clause_words, COUNT);
}

/* 5days, 0x10, 5. : what stands right behind a number. */
static const char *hint_behind_number(const struct parser *p, struct token number, struct token found)
{
    char c = p->text[found.at], last = p->text[number.at + number.len - 1];
    if (found.kind == TOKEN_DOT)
        return "a number needs a digit behind the point: 5.0";
    if (number.kind == TOKEN_INT_TEXT && number.len == 1 && last == '0' && (c | 0x20) == 'x')
        return "numbers are decimal; there is no hexadecimal form";
    if (number.kind == TOKEN_DOUBLE_TEXT && (last | 0x20) == 'd' &&
        (strncmp(p->text + found.at, "ay", 2) == 0))
        return "write a blank before 'days': 5d is a double";
    return NULL;
}

static const char *number_hint(const struct parser *p, uint32_t index)
{
    if (index == 0)
        return NULL;
    struct token before = p->tokens[index - 1], found = p->tokens[index];
    bool touches = token_is_number(before.kind) && before.at + before.len == found.at;
    return touches && (token_is_name(found.kind) || found.kind == TOKEN_DOT)
               ? hint_behind_number(p, before, found)
               : NULL;
}

static const char *common_hint(const struct parser *p, uint32_t index, const char *what)
{
    struct token found = p->tokens[index];
    if (index > 0 && found.kind == TOKEN_GT && p->tokens[index - 1].kind == TOKEN_LT)
        return "'not equal' is written !=";
    if (found.kind == TOKEN_ASSIGN)
        return "equality is written ==";
    if (found.kind == TOKEN_EQ && strstr(what, "'='"))
        return "what is set is written with one =";
    if (found.kind == TOKEN_ID) {
        const char *near = near_clause_word(token_copy(p, index));
        if (near)
            return arena_printf(p->arena, "did you mean '%s'?", near);
    }
    return NULL;
}

void syntax_error_hint(struct parser *p, const char *what, const char *hint)
{
    if (p->panic)
        return;
    uint32_t at = p->at;
    struct token found = p->tokens[at];
    if (found.kind == TOKEN_BAD || found.kind == TOKEN_UNCLOSED) {
        struct lex lex;
        lex_init(&lex, p->text, p->len);
        const char *why_hint;
        const char *why = lex_explain(&lex, found, &why_hint);
        struct span one = {found.at, found.kind == TOKEN_UNCLOSED ? 1 : found.len};
        if (why)
            diag_error(p->diags, one, "%s", why);
        else
            diag_error(p->diags, one, "unexpected character '%.*s'", (int)found.len, p->text + found.at);
        if (why_hint)
            diag_hint(p->diags, "%s", why_hint);
        panic(p);
        return;
    }
    if (p->soft_at != UINT32_MAX && p->soft_at + 1 == at && is_suspect(p->tokens[p->soft_at].kind)) {
        at = p->soft_at;
        hint = arena_printf(p->arena, "as a name %s would be allowed, but %s cannot follow it",
                            token_describe(p, at), token_describe(p, p->at));
        what = p->soft_what;
    }
    const char *of_number = number_hint(p, at);
    if (of_number)
        hint = of_number;
    if (!hint)
        hint = common_hint(p, at, what);
    diag_error(p->diags, token_span(p, at), "expected %s, found %s", what, token_describe(p, at));
    if (hint)
        diag_hint(p->diags, "%s", hint);
    panic(p);
}

void syntax_error(struct parser *p, const char *what)
{
    syntax_error_hint(p, what, NULL);
}

bool expect(struct parser *p, enum token_kind kind, const char *what)
{
    if (accept(p, kind))
        return true;
    if (!p->panic)
        syntax_error(p, what ? what : arena_printf(p->arena, "'%s'", lex_spelling(kind)));
    return false;
}

bool parse_enter(struct parser *p)
{
    if (++p->depth <= LIMIT_PARSE_DEPTH)
        return true;
    if (!p->panic)
        parse_stop(p, token_span(p, p->at),
                   arena_printf(p->arena, "nested more than %d deep", LIMIT_PARSE_DEPTH), NULL);
    return false;
}

void parse_leave(struct parser *p)
{
    p->depth--;
}

/* ---- names, strings, times ---- */

static struct name take_name(struct parser *p)
{
    struct token t = p->tokens[p->at];
    uint32_t quotes = t.kind == TOKEN_ID_QUOTED ? 1 : 0;
    struct name name = {arena_strndup(p->arena, p->text + t.at + quotes, t.len - 2 * quotes), {t.at, t.len}};
    advance(p);
    return name;
}

struct name parse_name(struct parser *p, const char *what)
{
    if (token_is_name(peek(p)))
        return take_name(p);
    syntax_error(p, what);
    return (struct name){"", token_span(p, p->at)};
}

struct name parse_name_soft(struct parser *p, const char *what)
{
    if (token_is_keyword(peek(p))) {
        p->soft_at = p->at;
        p->soft_what = what;
    }
    return parse_name(p, what);
}

struct name parse_id(struct parser *p, const char *what)
{
    if (token_is_id(peek(p)))
        return take_name(p);
    if (token_is_keyword(peek(p)))
        syntax_error_hint(
            p, what,
            arena_printf(p->arena, "'%s' is a keyword; write it in backquotes", token_copy(p, p->at)));
    else
        syntax_error(p, what);
    return (struct name){"", token_span(p, p->at)};
}

const char *parse_string(struct parser *p, const char *what)
{
    if (peek(p) != TOKEN_STRING_TEXT) {
        syntax_error(p, what);
        return "";
    }
    struct token t = p->tokens[p->at];
    advance(p);
    uint32_t quotes = t.len >= 6 && memcmp(p->text + t.at, "\"\"\"", 3) == 0 ? 3 : 1;
    return arena_strndup(p->arena, p->text + t.at + quotes, t.len - 2 * quotes);
}

/* count * unit added to *total; false when it leaves the range of long. */
static bool add_time(int64_t *total, const char *digits, size_t len, enum token_kind unit)
{
    int64_t count;
    return num_parse_long(digits, len, &count) && !__builtin_mul_overflow(count, lex_unit_ms(unit), &count) &&
           !__builtin_add_overflow(*total, count, total);
}

/* time = INT UNIT { INT UNIT }, units from great to small, each at most once */
int64_t parse_time_value(struct parser *p, const char *what)
{
    int64_t total = 0;
    uint32_t start = p->at;
    enum token_kind last = TOKEN_YEARS - 1;
    if (peek(p) != TOKEN_INT_TEXT) {
        syntax_error(p, what);
        return 0;
    }
    if (!token_is_unit(peek_at(p, 1))) {
        advance(p);
        syntax_error_hint(p, "a unit of time",
                          peek(p) == TOKEN_ID ? NULL : "a time is a number and a unit: 5 sec, 1 min 30 sec");
        return 0;
    }
    while (peek(p) == TOKEN_INT_TEXT && token_is_unit(peek_at(p, 1))) {
        struct token number = p->tokens[p->at];
        enum token_kind unit = peek_at(p, 1);
        if (unit <= last) {
            parse_stop(
                p, (struct span){number.at, p->tokens[p->at + 1].at + p->tokens[p->at + 1].len - number.at},
                "the units of a time stand from great to small, each once",
                "30 sec 1 min is written 1 min 30 sec");
            return 0;
        }
        last = unit;
        bool fits = add_time(&total, p->text + number.at, number.len, unit);
        p->at += 2;
        if (!fits) {
            diag_error(p->diags, span_since(p, start), "this time is too long");
            total = 0;
        }
    }
    return total;
}

int64_t parse_time(const char *text)
{
    size_t len = strlen(text);
    if (len > LIMIT_APP_BYTES || !utf8_valid(text, len))
        return -1;
    struct lex lex;
    lex_init(&lex, text, (uint32_t)len);
    int64_t total = 0;
    enum token_kind last = TOKEN_YEARS - 1;
    struct token number = lex_next(&lex);
    do {
        struct token unit = lex_next(&lex);
        if (number.kind != TOKEN_INT_TEXT || !token_is_unit(unit.kind) || unit.kind <= last ||
            !add_time(&total, text + number.at, number.len, unit.kind))
            return -1;
        last = unit.kind;
        number = lex_next(&lex);
    } while (number.kind != TOKEN_END);
    return total;
}

/* Milliseconds of the unit a word names in a @purge, or 0. */
static int64_t purge_unit_ms(const char *word, size_t len)
{
    static const struct {
        const char *names[3];
        enum token_kind unit;
    } units[] = {
        {{"sec", "second", "seconds"}, TOKEN_SECONDS}, {{"min", "minute", "minutes"}, TOKEN_MINUTES},
        {{"h", "hour", "hours"}, TOKEN_HOURS},         {{"day", "days"}, TOKEN_DAYS},
        {{"month", "months"}, TOKEN_MONTHS},           {{"year", "years"}, TOKEN_YEARS},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        for (int k = 0; k < 3 && units[i].names[k]; k++)
            if (strlen(units[i].names[k]) == len && strncasecmp(units[i].names[k], word, len) == 0)
                return lex_unit_ms(units[i].unit);
    }
    return 0;
}

int64_t parse_purge_time(const char *text)
{
    int64_t total = 0;
    do {
        size_t digits = strspn(text, "0123456789");
        const char *word = text + digits + strspn(text + digits, " ");
        size_t len = strcspn(word, " 0123456789");
        int64_t unit_ms = purge_unit_ms(word, len), count;
        if (!num_parse_long(text, digits, &count) || count > INT32_MAX || unit_ms == 0 ||
            __builtin_add_overflow(total, count * unit_ms, &total))
            return -1;
        text = word + len;
        if (*text == ' ')
            text += strspn(text, " ");
        else if (*text == '\0')
            return total;
    } while (true);
}

struct ast_expr *parse_expression(struct diags *diags, const char *text, size_t len)
{
    struct parser p;
    int errors = diags->errors;
    if (!parser_init(&p, diags, text, len))
        return NULL;
    struct ast_expr *e = parse_expr(&p);
    if (!p.panic && peek(&p) != TOKEN_END)
        syntax_error(&p, "an operator or the end of the expression");
    return diags->errors == errors ? e : NULL;
}

/* ---- ${NAME} ---- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The length of ${NAME} at at, or 0. */
static size_t variable_len(const char *text, size_t len, size_t at)
{
    if (len - at < 4 || text[at] != '$' || text[at + 1] != '{')
        return 0;
    size_t i = at + 2;
    while (i < len && is_word(text[i]))
        i++;
    return i > at + 2 && i < len && text[i] == '}' ? i + 1 - at : 0;
}

/* value with its replacement escapes: \x is x, $0 the whole ${NAME}, $1 NAME. Returns the length written; out
 * may be NULL. */
static size_t put_value(char *out, const char *value, const char *name, size_t name_len, bool *bad)
{
    size_t n = 0;
    for (const char *v = value; *v; v++) {
        bool group = v[0] == '$' && (v[1] == '0' || v[1] == '1');
        *bad = *bad || (v[0] == '$' && !group) || (v[0] == '\\' && v[1] == '\0');
        if (*bad)
            return 0;
        if (group) {
            size_t around = v[1] == '0' ? 2 : 0; /* "${" */
            size_t total = name_len + around + (around ? 1 : 0);
            if (out)
                memcpy(out + n, name - around, total);
            n += total;
            v++;
            continue;
        }
        if (*v == '\\')
            v++;
        if (out)
            out[n] = *v;
        n++;
    }
    return n;
}

/* One pass: the length of the result and the number of variables, and their bytes and places when result is not
 * NULL. */
static int substitute(struct arena *arena, const char *text, size_t len,
                      const char *(*lookup)(void *, const char *), void *user, char *result,
                      struct substituted *out, struct err *e)
{
    size_t n = 0, count = 0;
    for (size_t i = 0; i < len;) {
        size_t taken = variable_len(text, len, i);
        if (taken == 0) {
            if (result)
                result[n] = text[i];
            n++;
            i++;
            continue;
        }
        const char *name = arena_strndup(arena, text + i + 2, taken - 3);
        const char *value = lookup(user, name);
        out->wrong = (struct span){(uint32_t)i, (uint32_t)taken};
        if (!value)
            return err_set(e, ERR_NOT_FOUND, "no value for ${%.200s}", name);
        bool bad = false;
        size_t value_len = put_value(result ? result + n : NULL, value, text + i + 2, taken - 3, &bad);
        if (bad)
            return err_set(e, ERR_INVALID,
                           "the value of ${%.200s} holds a '$' or an ending '\\'; write '\\$' or '\\\\'",
                           name);
        if (n + value_len > LIMIT_APP_BYTES)
            return err_set(e, ERR_TOO_BIG, "the text with its variables is larger than the limit of %d bytes",
                           LIMIT_APP_BYTES);
        if (result)
            out->swaps[count] =
                (struct diag_swap){(uint32_t)n, (uint32_t)value_len, (uint32_t)i, (uint32_t)taken};
        count++;
        n += value_len;
        i += taken;
    }
    out->len = n;
    out->swap_count = count;
    return 0;
}

int parse_substitute(struct arena *arena, const char *text, size_t len,
                     const char *(*lookup)(void *user, const char *name), void *user, struct substituted *out,
                     struct err *e)
{
    *out = (struct substituted){0};
    int rc = substitute(arena, text, len, lookup, user, NULL, out, e);
    if (rc < 0)
        return rc;
    out->text = text;
    if (!out->swap_count)
        return 0;
    char *result = arena_alloc(arena, out->len + 1);
    out->text = result;
    out->swaps = arena_array(arena, out->swap_count, sizeof *out->swaps);
    return substitute(arena, text, len, lookup, user, result, out, e);
}
