/* lex.c - see lex.h. One function per family of tokens; each returns the length of its match at the current
 * place, or 0.
 *
 * Linear: a match that fails has either looked at a bounded number of characters, or has seen that no later
 * start can succeed. */
#include "engine/lang/lex.h"
#include <stdlib.h>
#include <string.h>

/* Sorted by word (bsearch). A kind's first word is its spelling in messages. */
static const struct keyword {
    const char *word;
    enum token_kind kind;
} keywords[] = {
    {"aggregate", TOKEN_AGGREGATE},
    {"aggregation", TOKEN_AGGREGATION},
    {"all", TOKEN_ALL},
    {"and", TOKEN_AND},
    {"app", TOKEN_APP},
    {"as", TOKEN_AS},
    {"asc", TOKEN_ASC},
    {"at", TOKEN_AT},
    {"begin", TOKEN_BEGIN},
    {"bool", TOKEN_BOOL},
    {"by", TOKEN_BY},
    {"current", TOKEN_CURRENT},
    {"day", TOKEN_DAYS},
    {"days", TOKEN_DAYS},
    {"define", TOKEN_DEFINE},
    {"delete", TOKEN_DELETE},
    {"desc", TOKEN_DESC},
    {"double", TOKEN_DOUBLE},
    {"end", TOKEN_END_WORD},
    {"events", TOKEN_EVENTS},
    {"every", TOKEN_EVERY},
    {"expired", TOKEN_EXPIRED},
    {"false", TOKEN_FALSE},
    {"first", TOKEN_FIRST},
    {"float", TOKEN_FLOAT},
    {"for", TOKEN_FOR},
    {"from", TOKEN_FROM},
    {"full", TOKEN_FULL},
    {"function", TOKEN_FUNCTION},
    {"group", TOKEN_GROUP},
    {"having", TOKEN_HAVING},
    {"hour", TOKEN_HOURS},
    {"hours", TOKEN_HOURS},
    {"in", TOKEN_IN},
    {"inner", TOKEN_INNER},
    {"insert", TOKEN_INSERT},
    {"int", TOKEN_INT},
    {"into", TOKEN_INTO},
    {"is", TOKEN_IS},
    {"join", TOKEN_JOIN},
    {"last", TOKEN_LAST},
    {"left", TOKEN_LEFT},
    {"limit", TOKEN_LIMIT},
    {"long", TOKEN_LONG},
    {"millisec", TOKEN_MILLISECONDS},
    {"millisecond", TOKEN_MILLISECONDS},
    {"milliseconds", TOKEN_MILLISECONDS},
    {"min", TOKEN_MINUTES},
    {"minute", TOKEN_MINUTES},
    {"minutes", TOKEN_MINUTES},
    {"month", TOKEN_MONTHS},
    {"months", TOKEN_MONTHS},
    {"not", TOKEN_NOT},
    {"null", TOKEN_NULL},
    {"object", TOKEN_OBJECT},
    {"of", TOKEN_OF},
    {"offset", TOKEN_OFFSET},
    {"on", TOKEN_ON},
    {"or", TOKEN_OR},
    {"order", TOKEN_ORDER},
    {"outer", TOKEN_OUTER},
    {"output", TOKEN_OUTPUT},
    {"partition", TOKEN_PARTITION},
    {"per", TOKEN_PER},
    {"raw", TOKEN_RAW},
    {"return", TOKEN_RETURN},
    {"right", TOKEN_RIGHT},
    {"sec", TOKEN_SECONDS},
    {"second", TOKEN_SECONDS},
    {"seconds", TOKEN_SECONDS},
    {"select", TOKEN_SELECT},
    {"set", TOKEN_SET},
    {"snapshot", TOKEN_SNAPSHOT},
    {"stream", TOKEN_STREAM},
    {"string", TOKEN_STRING},
    {"table", TOKEN_TABLE},
    {"trigger", TOKEN_TRIGGER},
    {"true", TOKEN_TRUE},
    {"unidirectional", TOKEN_UNIDIRECTIONAL},
    {"update", TOKEN_UPDATE},
    {"week", TOKEN_WEEKS},
    {"weeks", TOKEN_WEEKS},
    {"window", TOKEN_WINDOW},
    {"with", TOKEN_WITH},
    {"within", TOKEN_WITHIN},
    {"year", TOKEN_YEARS},
    {"years", TOKEN_YEARS},
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof keywords[0], KEYWORD_LEN_MAX = 14 };

/* The longer before its own beginning. */
static const struct sign {
    const char *text;
    enum token_kind kind;
} signs[] = {
    {"...", TOKEN_DOTS},  {"->", TOKEN_ARROW},       {"<=", TOKEN_LE},    {">=", TOKEN_GE},
    {"==", TOKEN_EQ},     {"!=", TOKEN_NE},          {":", TOKEN_COLON},  {";", TOKEN_SEMICOLON},
    {".", TOKEN_DOT},     {"(", TOKEN_OPEN},         {")", TOKEN_CLOSE},  {"[", TOKEN_OPEN_SQUARE},
    {",", TOKEN_COMMA},   {"]", TOKEN_CLOSE_SQUARE}, {"=", TOKEN_ASSIGN}, {"*", TOKEN_STAR},
    {"+", TOKEN_PLUS},    {"?", TOKEN_QUESTION},     {"-", TOKEN_MINUS},  {"/", TOKEN_DIVIDE},
    {"%", TOKEN_MOD},     {"<", TOKEN_LT},           {">", TOKEN_GT},     {"!", TOKEN_NOT_MARK},
    {"@", TOKEN_AT_MARK}, {"#", TOKEN_HASH},
};
enum { SIGN_COUNT = sizeof signs / sizeof signs[0] };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_id_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20;
}

void lex_init(struct lex *lex, const char *text, uint32_t len)
{
    lex->text = text;
    lex->len = len;
    lex->at = 0;
}

/* The character n behind at, '\0' past the end. */
static char char_at(const struct lex *lex, uint32_t at)
{
    return at < lex->len ? lex->text[at] : '\0';
}

static bool starts_with(const struct lex *lex, uint32_t at, const char *what)
{
    size_t len = strlen(what);
    return lex->len - at >= len && memcmp(lex->text + at, what, len) == 0;
}

/* Moves *at behind the next what, or to the end. */
static bool skip_to(const struct lex *lex, uint32_t *at, const char *what)
{
    for (uint32_t i = *at; i < lex->len; i++) {
        const char *first = memchr(lex->text + i, what[0], lex->len - i);
        if (!first)
            break;
        i = (uint32_t)(first - lex->text);
        if (starts_with(lex, i, what)) {
            *at = i + (uint32_t)strlen(what);
            return true;
        }
    }
    *at = lex->len;
    return false;
}

/* White space and comments; an unclosed comment runs to the end. */
static void skip_blank(struct lex *lex)
{
    for (;;) {
        char c = char_at(lex, lex->at);
        if (lex->at >= lex->len)
            return;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v') {
            lex->at++;
        } else if (starts_with(lex, lex->at, "--")) {
            while (lex->at < lex->len && lex->text[lex->at] != '\n' && lex->text[lex->at] != '\r')
                lex->at++;
        } else if (starts_with(lex, lex->at, "/*")) {
            lex->at += 2;
            skip_to(lex, &lex->at, "*/");
        } else {
            return;
        }
    }
}

static uint32_t digits(const struct lex *lex, uint32_t at)
{
    uint32_t n = 0;
    while (is_digit(char_at(lex, at + n)))
        n++;
    return n;
}

/* E[+-]?D+ */
static uint32_t exponent(const struct lex *lex, uint32_t at)
{
    if ((char_at(lex, at) | 0x20) != 'e')
        return 0;
    uint32_t sign = char_at(lex, at + 1) == '+' || char_at(lex, at + 1) == '-' ? 1 : 0;
    uint32_t n = digits(lex, at + 1 + sign);
    return n ? 1 + sign + n : 0;
}

/* The number forms of spec 01 section 1.4. '5.' is a number only with an exponent or suffix behind it, else
 * '5' and '.'. */
static uint32_t match_number(const struct lex *lex, uint32_t at, enum token_kind *kind)
{
    uint32_t whole = digits(lex, at), fraction = 0, n = whole;
    bool point = char_at(lex, at + whole) == '.';
    if (point) {
        fraction = digits(lex, at + whole + 1);
        if (whole + fraction == 0)
            return 0;
        n = whole + 1 + fraction;
    } else if (whole == 0) {
        return 0;
    }
    uint32_t exp = exponent(lex, at + n);
    char suffix = (char)(char_at(lex, at + n + exp) | 0x20);
    if (suffix == 'f' || suffix == 'd') {
        *kind = suffix == 'f' ? TOKEN_FLOAT_TEXT : TOKEN_DOUBLE_TEXT;
        return n + exp + 1;
    }
    if (exp || fraction) {
        *kind = TOKEN_DOUBLE_TEXT;
        return n + exp;
    }
    bool is_long = (char_at(lex, at + whole) | 0x20) == 'l';
    *kind = is_long ? TOKEN_LONG_TEXT : TOKEN_INT_TEXT;
    return whole + is_long;
}

static uint32_t match_string(const struct lex *lex, uint32_t at)
{
    uint32_t i = at;
    if (starts_with(lex, at, "\"\"\"")) {
        i = at + 3;
        if (skip_to(lex, &i, "\"\"\""))
            return i - at;
        i = at;
    }
    char quote = lex->text[at];
    for (i++; i < lex->len; i++) {
        char c = lex->text[i];
        if (c == quote)
            return i + 1 - at;
        if (c == '"' || is_control(c))
            return 0;
    }
    return 0;
}

/* '{' { text | "string" | // comment | nested } '}' */
static uint32_t match_script(const struct lex *lex, uint32_t at)
{
    uint32_t depth = 0;
    for (uint32_t i = at; i < lex->len; i++) {
        char c = lex->text[i];
        if (c == '{') {
            depth++;
        } else if (c == '}') {
            if (--depth == 0)
                return i + 1 - at;
        } else if (c == '"') {
            const char *close = memchr(lex->text + i + 1, '"', lex->len - i - 1);
            if (close)
                i = (uint32_t)(close - lex->text);
        } else if (starts_with(lex, i, "//")) {
            while (i + 1 < lex->len && lex->text[i + 1] != '\n' && lex->text[i + 1] != '\r')
                i++;
        }
    }
    return 0;
}

static int compare_keyword(const void *key, const void *entry)
{
    return strcmp(key, ((const struct keyword *)entry)->word);
}

static uint32_t match_word(const struct lex *lex, uint32_t at, enum token_kind *kind)
{
    uint32_t n = 1;
    while (is_id_start(char_at(lex, at + n)) || is_digit(char_at(lex, at + n)))
        n++;
    *kind = TOKEN_ID;
    if (n > KEYWORD_LEN_MAX)
        return n;
    char word[KEYWORD_LEN_MAX + 1];
    for (uint32_t i = 0; i < n; i++) {
        char c = lex->text[at + i];
        word[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    word[n] = '\0';
    const struct keyword *found = bsearch(word, keywords, KEYWORD_COUNT, sizeof keywords[0], compare_keyword);
    if (found)
        *kind = found->kind;
    return n;
}

/* Bytes of the character at at; the text is valid UTF-8. */
static uint32_t character_len(const struct lex *lex, uint32_t at)
{
    uint32_t n = 1;
    while (at + n < lex->len && ((unsigned char)lex->text[at + n] & 0xC0) == 0x80)
        n++;
    return n;
}

struct token lex_next(struct lex *lex)
{
    skip_blank(lex);
    struct token t = {lex->at, 0, TOKEN_END};
    if (lex->at >= lex->len)
        return t;
    char c = lex->text[lex->at];
    if (is_id_start(c)) {
        t.len = match_word(lex, t.at, &t.kind);
    } else if (is_digit(c) || (c == '.' && is_digit(char_at(lex, t.at + 1)))) {
        t.len = match_number(lex, t.at, &t.kind);
    } else if (c == '\'' || c == '"') {
        t.kind = TOKEN_STRING_TEXT;
        t.len = match_string(lex, t.at);
    } else if (c == '`') {
        const char *close = memchr(lex->text + t.at + 1, '`', lex->len - t.at - 1);
        t.kind = TOKEN_ID_QUOTED;
        t.len = close ? (uint32_t)(close + 1 - lex->text) - t.at : 0;
    } else if (c == '{') {
        t.kind = TOKEN_SCRIPT;
        t.len = match_script(lex, t.at);
        if (t.len == 0) {
            t.kind = TOKEN_UNCLOSED;
            t.len = lex->len - t.at;
        }
    } else {
        for (int i = 0; i < SIGN_COUNT && t.len == 0; i++)
            if (starts_with(lex, t.at, signs[i].text)) {
                t.kind = signs[i].kind;
                t.len = (uint32_t)strlen(signs[i].text);
            }
    }
    if (t.len == 0) {
        t.kind = TOKEN_BAD;
        t.len = character_len(lex, t.at);
    }
    lex->at = t.at + t.len;
    return t;
}

const char *lex_spelling(enum token_kind kind)
{
    for (int i = 0; i < SIGN_COUNT; i++)
        if (signs[i].kind == kind)
            return signs[i].text;
    for (int i = 0; i < KEYWORD_COUNT; i++)
        if (keywords[i].kind == kind)
            return keywords[i].word;
    return NULL;
}

static const char *explain_string(const struct lex *lex, uint32_t at, const char **hint)
{
    char quote = lex->text[at];
    uint32_t i = at + 1;
    while (i < lex->len && lex->text[i] != quote && lex->text[i] != '"' && !is_control(lex->text[i]))
        i++;
    char c = char_at(lex, i);
    if (c == '\t') {
        *hint = "a string that holds tabs or line breaks stands in \"\"\"...\"\"\"";
        return "a string in ' or \" may not hold a tab or another control character";
    }
    if (c == '"' && quote == '\'') {
        *hint = "close it with ', or put the string in \"\"\"...\"\"\" if it holds a \"";
        return "this string is not closed before the \"; a string in ' may not hold a \"";
    }
    *hint = "a string that holds line breaks stands in \"\"\"...\"\"\"";
    return "this string is not closed at the end of its line";
}

const char *lex_explain(const struct lex *lex, struct token bad, const char **hint)
{
    *hint = NULL;
    switch (lex->text[bad.at]) {
    case '\'':
    case '"':
        return explain_string(lex, bad.at, hint);
    case '`':
        return "this name in backquotes is not closed";
    case '{':
        return "this '{' is never closed";
    case '}':
        return "this '}' closes nothing";
    case '&':
        *hint = "the operator is 'and'";
        return NULL;
    case '|':
        *hint = "the operator is 'or'";
        return NULL;
    default:
        return NULL;
    }
}

int64_t lex_unit_ms(enum token_kind unit)
{
    static const int64_t ms[] = {31536000000, 2592000000, 604800000, 86400000, 3600000, 60000, 1000, 1};
    return ms[unit - TOKEN_YEARS];
}
