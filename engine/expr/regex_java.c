/* regex_java.c - Java's pattern language in PCRE2's words.
 *
 * What differs, and what becomes of it: '.' and '$' know Java's line ends (\n \r \r\n U+0085 U+2028 U+2029);
 * \b knows the letters of every script; \uhhhh; \p{Alpha} and its kin; back references to groups that aren't
 * there never match; classes with nested classes and && become alternatives and look-aheads; '{' that begins
 * no count, and PCRE2's own constructs, are wrong. Refused: (?U), \p{java...}, \p{In...}, \N{...}. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/expr/regex.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct translation {
    const char *at, *end;
    struct buf *out;
    char *error;
    size_t error_size;
    bool failed;
    bool dotall, unix_lines, multiline;
    int groups; /* in all of the pattern */
    int depth;
};

static bool fail(struct translation *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct translation *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!t->failed)
        vsnprintf(t->error, t->error_size, format, args);
    va_end(args);
    t->failed = true;
    return false;
}

static bool next_is(const struct translation *t, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(t->end - t->at) >= len && memcmp(t->at, text, len) == 0;
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static int hex_value(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_hex(struct translation *t, int digits, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < digits; i++) {
        int v = t->at < t->end ? hex_value(*t->at) : -1;
        if (v < 0)
            return fail(t, "an escape needs %d hexadecimal digits", digits);
        *code = *code * 16 + (uint32_t)v;
        t->at++;
    }
    return true;
}

static void put_code(struct translation *t, uint32_t code)
{
    buf_printf(t->out, "\\x{%x}", code);
}

/* behind "\u" */
static bool unicode_escape(struct translation *t)
{
    uint32_t code, low;
    if (!read_hex(t, 4, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && next_is(t, "\\u")) {
        t->at += 2;
        if (!read_hex(t, 4, &low))
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return fail(t, "half a surrogate pair can't be matched");
    put_code(t, code);
    return true;
}

/* behind "\0": one to three octal digits */
static bool octal_escape(struct translation *t)
{
    uint32_t code = 0;
    int n = 0;
    for (; n < 3 && t->at < t->end && *t->at >= '0' && *t->at <= '7' && code * 8 + 7 <= 0377 + 7; n++) {
        if (code * 8 + (uint32_t)(*t->at - '0') > 0377)
            break;
        code = code * 8 + (uint32_t)(*t->at++ - '0');
    }
    if (n == 0)
        return fail(t, "\\0 needs octal digits");
    put_code(t, code);
    return true;
}

/* behind "\x" */
static bool hex_escape(struct translation *t)
{
    uint32_t code = 0;
    if (t->at < t->end && *t->at == '{') {
        t->at++;
        while (t->at < t->end && hex_value(*t->at) >= 0 && code <= 0x10ffff)
            code = code * 16 + (uint32_t)hex_value(*t->at++);
        if (t->at >= t->end || *t->at != '}' || code > 0x10ffff)
            return fail(t, "a wrong \\x{...}");
        t->at++;
    } else if (!read_hex(t, 2, &code)) {
        return false;
    }
    put_code(t, code);
    return true;
}

/* Java's names of ASCII classes, as what stands between brackets. */
static const struct {
    const char *name, *members;
} ascii_classes[] = {
    {"Lower", "a-z"},      {"Upper", "A-Z"},       {"ASCII", "\\x00-\\x7f"},      {"Alpha", "a-zA-Z"},
    {"Digit", "0-9"},      {"Alnum", "a-zA-Z0-9"}, {"Punct", "!-\\/:-@\\[-`{-~"}, {"Graph", "!-~"},
    {"Print", " -~"},      {"Blank", " \\t"},      {"Cntrl", "\\x00-\\x1f\\x7f"}, {"XDigit", "0-9a-fA-F"},
    {"Space", "\\t-\\r "},
};
static const struct {
    const char *name, *property;
} properties[] = {
    {"IsAlphabetic", "Alphabetic"},   {"IsLetter", "L"}, {"IsLowercase", "Lowercase"},
    {"IsUppercase", "Uppercase"},     {"IsDigit", "Nd"}, {"IsPunctuation", "P"},
    {"IsWhite_Space", "White_Space"},
};

/* behind "\p" or "\P" */
static bool property_escape(struct translation *t, bool negated, bool in_class)
{
    char name[40];
    size_t n = 0;
    if (t->at < t->end && *t->at != '{') {
        name[n++] = *t->at++;
    } else {
        for (t->at++; t->at < t->end && *t->at != '}' && n < sizeof(name) - 1; n++)
            name[n] = *t->at++;
        if (t->at >= t->end || *t->at != '}')
            return fail(t, "a wrong \\p{...}");
        t->at++;
    }
    name[n] = 0;
    for (size_t i = 0; i < sizeof(ascii_classes) / sizeof(*ascii_classes); i++) {
        if (strcmp(ascii_classes[i].name, name) != 0)
            continue;
        if (negated && in_class)
            return fail(t, "\\P{%s} inside brackets is not supported", name);
        if (in_class)
            buf_add_str(t->out, ascii_classes[i].members);
        else
            buf_printf(t->out, "[%s%s]", negated ? "^" : "", ascii_classes[i].members);
        return true;
    }
    const char *property = name;
    for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++)
        if (strcmp(properties[i].name, name) == 0)
            property = properties[i].property;
    if (property == name && strncmp(name, "Is", 2) == 0)
        property = name + 2;
    if (strncmp(name, "In", 2) == 0 || strncmp(name, "java", 4) == 0)
        return fail(t, "\\p{%s} is not supported", name);
    buf_printf(t->out, "\\%c{%s}", negated ? 'P' : 'p', property);
    return true;
}

/* Line ends as Java knows them. */
static void put_dollar(struct translation *t)
{
    if (t->unix_lines)
        buf_add_str(t->out, "(?=\\n?\\z)");
    else
        buf_add_str(t->out, "(?:(?=\\r\\n\\z)|(?<!\\r)(?=\\n\\z)|(?=[\\r\\x{85}\\x{2028}\\x{2029}]\\z)|\\z)");
}

static bool back_reference(struct translation *t)
{
    int n = *t->at++ - '0';
    while (t->at < t->end && is_digit(*t->at) && n * 10 + (*t->at - '0') <= t->groups)
        n = n * 10 + (*t->at++ - '0');
    if (n > t->groups)
        buf_add_str(t->out, "(?!)");
    else
        buf_printf(t->out, "\\g{%d}", n);
    return true;
}

static bool quoted(struct translation *t) /* behind "\Q" */
{
    while (t->at < t->end && !next_is(t, "\\E")) {
        unsigned char c = (unsigned char)*t->at++;
        if (c < 0x80)
            put_code(t, c);
        else
            buf_add_char(t->out, (char)c);
    }
    if (t->at < t->end)
        t->at += 2;
    return true;
}

/* The letters of \b and \B are those of every script, though \w has ASCII's only. */
#define WORD "[\\p{L}\\p{Nd}_]"

/* at a backslash */
static bool escape(struct translation *t, bool in_class)
{
    t->at++;
    if (t->at >= t->end)
        return fail(t, "it ends with a backslash");
    char c = *t->at;
    if (!in_class && c >= '1' && c <= '9')
        return back_reference(t);
    t->at++;
    switch (c) {
    case 'u':
        return unicode_escape(t);
    case 'x':
        return hex_escape(t);
    case '0':
        return octal_escape(t);
    case 'p':
    case 'P':
        return property_escape(t, c == 'P', in_class);
    case 'Q':
        return quoted(t);
    case 'Z':
        put_dollar(t);
        return !in_class || fail(t, "\\Z inside brackets");
    case 'c':
        if (t->at >= t->end)
            return fail(t, "\\c needs a character");
        put_code(t, (unsigned char)*t->at++ ^ 64u);
        return true;
    case 'b':
    case 'B':
        if (in_class)
            break;
        buf_add_str(t->out, c == 'b' ? "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))"
                                     : "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))");
        return true;
    case 'k':
        buf_add_str(t->out, "\\k");
        return t->at < t->end && *t->at == '<' ? true : fail(t, "\\k needs <name>");
    default:
        break;
    }
    if (is_letter(c) ? !strchr(in_class ? "dDwWsShHvVtnrfae" : "dDwWsShHvVtnrfaebBAGzRX", c) : is_digit(c))
        return fail(t, "\\%c is no escape", c);
    if ((unsigned char)c >= 0x80) { /* a quoted letter of another script is itself */
        t->at--;
        uint32_t code;
        size_t taken = utf8_decode(t->at, (size_t)(t->end - t->at), &code);
        t->at += taken ? taken : 1;
        put_code(t, code);
        return taken ? true : fail(t, "invalid UTF-8");
    }
    buf_printf(t->out, "\\%c", c);
    return true;
}

static bool class_body(struct translation *t);

/* at '['. A plain class goes over as it is; one with nested classes or && becomes a group that takes one
 * character. */
static bool class_any(struct translation *t)
{
    if (++t->depth > LIMIT_PARSE_DEPTH)
        return fail(t, "it is nested too deeply");
    t->at++;
    bool negated = t->at < t->end && *t->at == '^';
    if (negated)
        t->at++;
    struct buf *outer = t->out, body;
    buf_init(&body, 1 << 20);
    t->out = &body;
    bool fine = class_body(t);
    t->out = outer;
    if (fine && body.len && body.bytes[0] == '[') { /* plain: "[members]" */
        buf_add_str(outer, negated ? "[^" : "[");
        buf_add(outer, body.bytes + 1, body.len - 1);
    } else if (fine) {
        buf_printf(outer, negated ? "(?:(?!%s)(?s:.))" : "%s", body.bytes ? body.bytes : "");
    }
    buf_fini(&body);
    t->depth--;
    return fine;
}

/* One operand of &&: members up to "]" or "&&", as "[members]" or as alternatives in a group. */
static bool class_operand(struct translation *t, bool first)
{
    struct buf *outer = t->out, members, nested;
    buf_init(&members, 1 << 20);
    buf_init(&nested, 1 << 20);
    bool fine = true;
    for (bool start = first; fine; start = false) {
        if (t->at >= t->end) {
            fine = fail(t, "'[' is not closed");
        } else if (*t->at == ']' && !start) {
            break;
        } else if (next_is(t, "&&")) {
            break;
        } else if (*t->at == '[') {
            t->out = &nested;
            buf_add_str(&nested, "|");
            fine = class_any(t);
        } else {
            t->out = &members;
            if (*t->at == '\\')
                fine = escape(t, true);
            else if (*t->at == ']')
                buf_add_str(&members, "\\]"), t->at++;
            else
                buf_add_char(&members, *t->at++);
        }
    }
    t->out = outer;
    if (fine && !nested.len)
        buf_printf(outer, "[%s]", members.bytes ? members.bytes : "");
    else if (fine && members.len)
        buf_printf(outer, "(?:[%s]%s)", members.bytes, nested.bytes);
    else if (fine)
        buf_printf(outer, "(?:%s)", nested.bytes + 1);
    if (fine && !nested.len && !members.len)
        fine = fail(t, "an empty class");
    buf_fini(&members);
    buf_fini(&nested);
    return fine;
}

static bool class_body(struct translation *t)
{
    struct buf *outer = t->out, last, tests;
    buf_init(&last, 1 << 20);
    buf_init(&tests, 1 << 20);
    t->out = &last;
    bool fine = class_operand(t, true);
    while (fine && next_is(t, "&&")) {
        t->at += 2;
        buf_printf(&tests, "(?=%s)", last.bytes);
        buf_clear(&last);
        fine = class_operand(t, false);
    }
    if (fine)
        t->at++; /* the ']' */
    t->out = outer;
    if (fine && tests.len)
        buf_printf(outer, "(?:%s%s)", tests.bytes, last.bytes);
    else if (fine)
        buf_add(outer, last.bytes, last.len);
    buf_fini(&last);
    buf_fini(&tests);
    return fine;
}

/* behind "(?": flags up to ')' or ':'. True for "(?i)", whose flags hold to the end of the group around. */
static bool flags(struct translation *t, bool *inline_flags)
{
    bool on = true;
    char set[8], cleared[8];
    size_t n = 0, m = 0;
    for (; t->at < t->end && *t->at != ')' && *t->at != ':'; t->at++) {
        char c = *t->at;
        if (c == '-' && on) {
            on = false;
            continue;
        }
        if (!strchr("idmsux", c))
            return fail(t, c == 'U' ? "the flag U is not supported" : "(?%c is wrong", c);
        if (c == 's')
            t->dotall = on;
        else if (c == 'd')
            t->unix_lines = on;
        else if (c == 'm')
            t->multiline = on;
        if (strchr("imsx", c) && n < 7 && m < 7) {
            if (on)
                set[n++] = c;
            else
                cleared[m++] = c;
        }
    }
    if (t->at >= t->end)
        return fail(t, "'(' is not closed");
    set[n] = cleared[m] = 0;
    *inline_flags = *t->at == ')';
    buf_printf(t->out, "(?%s%s%s%c", set, m ? "-" : "", cleared, *t->at);
    t->at++;
    return true;
}

static bool sequence(struct translation *t);

/* at '(' */
static bool group(struct translation *t)
{
    static const char *const openings[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    bool dotall = t->dotall, unix_lines = t->unix_lines, multiline = t->multiline, inline_flags = false;
    const char *opening = NULL;
    if (next_is(t, "(*"))
        return fail(t, "'*' stands behind nothing");
    for (size_t i = 0; i < sizeof(openings) / sizeof(*openings) && !opening; i++)
        if (next_is(t, openings[i]))
            opening = openings[i];
    if (opening) {
        t->at += strlen(opening);
        buf_add_str(t->out, opening);
    } else if (next_is(t, "(?<")) {
        t->at += 3;
        buf_add_str(t->out, "(?<");
        if (t->at >= t->end || !is_letter(*t->at))
            return fail(t, "a group's name begins with a letter");
        while (t->at < t->end && (is_letter(*t->at) || is_digit(*t->at)))
            buf_add_char(t->out, *t->at++);
        if (t->at >= t->end || *t->at++ != '>')
            return fail(t, "a group's name needs a '>'");
        buf_add_char(t->out, '>');
    } else if (next_is(t, "(?")) {
        t->at += 2;
        if (!flags(t, &inline_flags))
            return false;
        if (inline_flags)
            return true; /* in force until the group around ends */
    } else {
        t->at++;
        buf_add_char(t->out, '(');
    }
    if (++t->depth > LIMIT_PARSE_DEPTH)
        return fail(t, "it is nested too deeply");
    if (!sequence(t))
        return false;
    t->depth--;
    if (t->at >= t->end)
        return fail(t, "'(' is not closed");
    t->at++;
    buf_add_char(t->out, ')');
    t->dotall = dotall;
    t->unix_lines = unix_lines;
    t->multiline = multiline;
    return true;
}

/* at '{': a count behind something */
static bool count(struct translation *t, bool after_atom)
{
    const char *p = t->at + 1;
    while (p < t->end && is_digit(*p))
        p++;
    bool digits = p > t->at + 1;
    if (p < t->end && *p == ',')
        for (p++; p < t->end && is_digit(*p);)
            p++;
    if (!after_atom || !digits || p >= t->end || *p != '}')
        return fail(t, "'{' begins no count");
    buf_add(t->out, t->at, (size_t)(p + 1 - t->at));
    t->at = p + 1;
    return true;
}

/* Up to the end or the ')' of the group. */
static bool sequence(struct translation *t)
{
    bool after_atom = false;
    while (t->at < t->end && *t->at != ')') {
        bool fine = true, atom = true;
        switch (*t->at) {
        case '\\':
            fine = escape(t, false);
            break;
        case '[':
            fine = class_any(t);
            break;
        case '(':
            fine = group(t);
            break;
        case '{':
            fine = count(t, after_atom);
            atom = false;
            break;
        case '.':
            t->at++;
            buf_add_str(t->out, t->dotall       ? "(?s:.)"
                                : t->unix_lines ? "[^\\n]"
                                                : "[^\\n\\r\\x{85}\\x{2028}\\x{2029}]");
            break;
        case '$':
            t->at++;
            if (t->multiline)
                buf_add_char(t->out, '$');
            else
                put_dollar(t);
            break;
        default:
            atom = !strchr("|*+?", *t->at);
            buf_add_char(t->out, *t->at++);
        }
        if (!fine)
            return false;
        after_atom = atom;
    }
    return true;
}

static int count_groups(const char *p, const char *end)
{
    int n = 0, brackets = 0;
    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end && p[1] == 'Q') {
            while (p + 1 < end && !(p[0] == '\\' && p[1] == 'E'))
                p++;
            p++;
        } else if (*p == '\\') {
            p++;
        } else if (*p == '[') {
            brackets++;
            if (p + 1 < end && p[1] == '^')
                p++;
            if (p + 1 < end && p[1] == ']')
                p++;
        } else if (*p == ']' && brackets) {
            brackets--;
        } else if (*p == '(' && !brackets) {
            bool named = end - p > 3 && p[1] == '?' && p[2] == '<' && p[3] != '=' && p[3] != '!';
            n += named || p + 1 >= end || p[1] != '?';
        }
    }
    return n;
}

bool regex_translate(const char *pattern, size_t len, struct buf *out, char *error, size_t error_size)
{
    struct translation t = {
        .at = pattern, .end = pattern + len, .out = out, .error = error, .error_size = error_size};
    t.groups = count_groups(pattern, pattern + len);
    if (!sequence(&t))
        return false;
    if (t.at < t.end)
        return fail(&t, "a ')' too many");
    if (out->overflow)
        return fail(&t, "it is too long");
    return true;
}
