/* json.c - the JSON scanner. The one loop that matters is string_end: eight bytes a step. */
#include "engine/base/json.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include <string.h>

void json_scan_init(struct json_scan *s, const char *bytes, size_t len)
{
    *s = (struct json_scan){.at = bytes, .start = bytes, .end = bytes + len};
}

void json_scan_token(struct json_scan *s, const struct json_token *t)
{
    size_t quote = t->kind == JSON_STRING;
    json_scan_init(s, t->bytes - quote, t->len + 2 * quote);
}

size_t json_offset(const struct json_scan *s)
{
    return (size_t)(s->at - s->start);
}

static bool wrong(struct json_scan *s, const char *words)
{
    if (!s->wrong)
        s->wrong = words;
    return false;
}

static inline void skip_blanks(struct json_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

/* ---- strings ---- */

/* The first byte from p on that needs a look: a quote, a backslash, a control character or part of a longer
 * character. */
static inline const char *plain_end(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        /* A borrow marks a byte wrongly only behind one marked rightly, and the first mark alone is used. */
        uint64_t marks = ((quote - ones) | (slash - ones) | (w - ones * 0x20) | w) & highs;
        if (marks)
            return p + __builtin_ctzll(marks) / 8;
        p += 8;
    }
#endif
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

static bool is_hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* at stands behind the opening quote. */
static bool read_string(struct json_scan *s, struct json_token *t, char quote)
{
    t->kind = JSON_STRING;
    t->has_escapes = false;
    t->bytes = s->at;
    const char *p = s->at;
    for (;;) {
        p = plain_end(p, s->end);
        if (UNLIKELY(p >= s->end)) {
            s->at = s->end;
            return wrong(s, "a string doesn't end");
        }
        unsigned char c = (unsigned char)*p;
        if (LIKELY(c == (unsigned char)quote)) {
            t->len = (size_t)(p - t->bytes);
            s->at = p + 1;
            return true;
        }
        s->at = p;
        if (c >= 0x80) {
            uint32_t code;
            size_t taken = utf8_decode(p, (size_t)(s->end - p), &code);
            if (!taken)
                return wrong(s, "invalid UTF-8");
            p += taken;
        } else if (c == '\\') {
            t->has_escapes = true;
            if (p + 1 >= s->end || p[1] == '\0' || !strchr("\"\\/bfnrtu'\n", p[1]) ||
                (!s->lenient && (p[1] == '\'' || p[1] == '\n')))
                return wrong(s, "a wrong escape in a string");
            if (p[1] == 'u' && !is_hex4(p + 2, s->end))
                return wrong(s, "a wrong \\u escape in a string");
            p += p[1] == 'u' ? 6 : 2;
        } else if (c >= 0x20 || s->lenient) {
            p++; /* the other kind of quote; a raw control character */
        } else {
            return wrong(s, "a control character in a string");
        }
    }
}

static uint32_t hex4(const char *p)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

/* p stands on the 'u'. */
static const char *unescape_unicode(const char *p, const char *end, char **out)
{
    uint32_t code = hex4(p + 1);
    p += 5;
    if (code >= 0xD800 && code < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        }
    }
    if (code >= 0xD800 && code < 0xE000)
        code = 0xFFFD;
    *out += utf8_encode(*out, code);
    return p;
}

size_t json_unescape(const struct json_token *t, char *out)
{
    const char *p = t->bytes, *end = p + t->len;
    char *o = out;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(o, p, plain);
        o += plain;
        p += plain;
        if (!slash)
            break;
        p++;
        if (*p == 'u') {
            char code[4], *c = code;
            p = unescape_unicode(p, end, &c);
            memcpy(o, code, (size_t)(c - code));
            o += c - code;
            continue;
        }
        switch (*p) {
        case 'b':
            *o++ = '\b';
            break;
        case 'f':
            *o++ = '\f';
            break;
        case 'n':
            *o++ = '\n';
            break;
        case 'r':
            *o++ = '\r';
            break;
        case 't':
            *o++ = '\t';
            break;
        default:
            *o++ = *p;
            break;
        }
        p++;
    }
    return (size_t)(o - out);
}

bool json_is(const struct json_token *t, const char *text, size_t len)
{
    if (LIKELY(!t->has_escapes))
        return t->len == len && memcmp(t->bytes, text, len) == 0;
    char plain[1024];
    if (t->len > sizeof(plain) || t->len < len) /* nobody writes a long name in escapes */
        return false;
    return json_unescape(t, plain) == len && memcmp(plain, text, len) == 0;
}

/* ---- scalars ---- */

/* -? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)? */
static bool read_number(struct json_scan *s, struct json_token *t)
{
    const char *p = s->at, *end = s->end;
    t->kind = JSON_INTEGER;
    t->bytes = p;
    if (*p == '-')
        p++;
    if (!is_digit(p, end))
        return wrong(s, "a number without digits");
    if (*p == '0' && is_digit(p + 1, end))
        return wrong(s, "a number that begins with 0");
    while (is_digit(p, end))
        p++;
    if (p < end && *p == '.') {
        t->kind = JSON_FRACTION;
        if (!is_digit(++p, end))
            return wrong(s, "a number that ends in a point");
        while (is_digit(p, end))
            p++;
    }
    if (p < end && (*p | 0x20) == 'e') {
        t->kind = JSON_FRACTION;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (!is_digit(p, end))
            return wrong(s, "a number without an exponent behind its e");
        while (is_digit(p, end))
            p++;
    }
    t->len = (size_t)(p - t->bytes);
    s->at = p;
    return true;
}

static bool read_word(struct json_scan *s, struct json_token *t, const char *word, enum json_kind kind)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return wrong(s, "a value was expected");
    t->kind = kind;
    t->bytes = s->at;
    t->len = len;
    s->at += len;
    return true;
}

/* Gson's literal: whatever stands before a blank or a character of the grammar. */
static bool read_lenient(struct json_scan *s, struct json_token *t)
{
    if (*s->at == '\'') {
        s->at++;
        return read_string(s, t, '\'');
    }
    t->kind = JSON_STRING;
    t->bytes = s->at;
    while (s->at < s->end && *s->at != '\0' && !strchr("/\\;#={}[]:, \t\f\r\n", *s->at))
        s->at++;
    t->len = (size_t)(s->at - t->bytes);
    return t->len > 0 || wrong(s, "a value was expected");
}

static bool open_bracket(struct json_scan *s, struct json_token *t, enum json_kind kind)
{
    t->kind = kind;
    t->bytes = s->at;
    t->len = 1;
    if (++s->depth > LIMIT_PARSE_DEPTH)
        return wrong(s, "nested too deep");
    s->at++;
    return true;
}

bool json_value(struct json_scan *s, struct json_token *t)
{
    skip_blanks(s);
    t->has_escapes = false;
    if (s->wrong)
        return false;
    if (s->at >= s->end)
        return wrong(s, "the text ends where a value was expected");
    switch (*s->at) {
    case '{':
        return open_bracket(s, t, JSON_OBJECT);
    case '[':
        return open_bracket(s, t, JSON_ARRAY);
    case '"':
        s->at++;
        return read_string(s, t, '"');
    default:
        break;
    }
    if (UNLIKELY(s->lenient))
        return read_lenient(s, t);
    switch (*s->at) {
    case 't':
        return read_word(s, t, "true", JSON_TRUE);
    case 'f':
        return read_word(s, t, "false", JSON_FALSE);
    case 'n':
        return read_word(s, t, "null", JSON_NULL);
    case '-':
        return read_number(s, t);
    default:
        if (!is_digit(s->at, s->end))
            return wrong(s, "a value was expected");
        return read_number(s, t);
    }
}

/* ---- arrays and objects ---- */

/* Before a member or an element: true when one follows. */
static bool next_in(struct json_scan *s, bool *first, char bracket)
{
    if (s->wrong)
        return false;
    skip_blanks(s);
    if (s->at >= s->end)
        return wrong(s, bracket == '}' ? "an object doesn't end" : "an array doesn't end");
    if (*s->at == bracket) {
        s->at++;
        s->depth--;
        return false;
    }
    if (*first) {
        *first = false;
        return true;
    }
    if (*s->at != ',')
        return wrong(s, bracket == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
    s->at++;
    return true;
}

bool json_member(struct json_scan *s, bool *first, struct json_token *name)
{
    if (!next_in(s, first, '}'))
        return false;
    skip_blanks(s);
    if (s->at >= s->end)
        return wrong(s, "an object doesn't end");
    if (*s->at == '"') {
        s->at++;
        if (!read_string(s, name, '"'))
            return false;
    } else if (!s->lenient) {
        return wrong(s, "a name in quotes was expected");
    } else {
        name->has_escapes = false;
        if (!read_lenient(s, name))
            return false;
    }
    skip_blanks(s);
    if (s->at >= s->end || (*s->at != ':' && !(s->lenient && *s->at == '=')))
        return wrong(s, "':' was expected");
    s->at++;
    return true;
}

bool json_element(struct json_scan *s, bool *first)
{
    return next_in(s, first, ']');
}

/* Recursion is bounded: json_value counts the depth. */
bool json_skip(struct json_scan *s, struct json_token *t)
{
    bool first = true;
    struct json_token part;
    switch (t->kind) {
    case JSON_OBJECT:
        while (json_member(s, &first, &part))
            if (!json_value(s, &part) || !json_skip(s, &part))
                return false;
        break;
    case JSON_ARRAY:
        while (json_element(s, &first))
            if (!json_value(s, &part) || !json_skip(s, &part))
                return false;
        break;
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_INTEGER:
    case JSON_FRACTION:
    case JSON_STRING:
        return true;
    }
    if (s->wrong)
        return false;
    t->len = (size_t)(s->at - t->bytes);
    return true;
}

bool json_end(struct json_scan *s)
{
    skip_blanks(s);
    if (s->wrong)
        return false;
    return s->at == s->end || wrong(s, "text behind the value");
}

/* ---- writing ---- */

void json_write_string(struct buf *out, const char *s, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    buf_add_char(out, '"');
    const char *p = s, *end = s + len;
    while (p < end) {
        const char *plain = p;
        while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\' && *p != '\xE2')
            p++;
        buf_add(out, plain, (size_t)(p - plain));
        if (p >= end)
            break;
        switch (*p) {
        case '"':
            buf_add(out, "\\\"", 2);
            break;
        case '\\':
            buf_add(out, "\\\\", 2);
            break;
        case '\b':
            buf_add(out, "\\b", 2);
            break;
        case '\f':
            buf_add(out, "\\f", 2);
            break;
        case '\n':
            buf_add(out, "\\n", 2);
            break;
        case '\r':
            buf_add(out, "\\r", 2);
            break;
        case '\t':
            buf_add(out, "\\t", 2);
            break;
        case '\xE2':
            if (end - p >= 3 && p[1] == '\x80' && (p[2] == '\xA8' || p[2] == '\xA9')) {
                buf_add_str(out, p[2] == '\xA8' ? "\\u2028" : "\\u2029");
                p += 2;
            } else {
                buf_add_char(out, *p);
            }
            break;
        default: {
            char code[6] = {'\\', 'u', '0', '0', hex[*p >> 4 & 15], hex[*p & 15]};
            buf_add(out, code, sizeof(code));
            break;
        }
        }
        p++;
    }
    buf_add_char(out, '"');
}
