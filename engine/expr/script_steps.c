/* script_steps.c - the text of a script with counters put in (script_steps.h).
 *
 * Laws: (1) line breaks stay where they are, so that the engine's line numbers are the author's; (2) only the
 * text around a token is added to, no token is changed; (3) a '{' behind a ')' opens the body of a function
 * unless the word before the '(' is one of if, for, while, with, switch, catch: that holds for functions,
 * methods, getters and setters alike. */
#include "engine/expr/script_steps.h"
#include "engine/base/mem.h"
#include <string.h>

#define TURN "(__weir_k-->0||(__weir_k=__weir_step(32)))"
#define START "var __weir_k=0;__weir_step(1);"

enum mark_kind { MARK_WORD, MARK_VALUE, MARK_SIGN }; /* VALUE: number, string, regular expression */

struct mark {
    uint32_t at, len;
    enum mark_kind kind;
    uint32_t other;     /* of a bracket: its partner */
    const char *before; /* text to put in, or NULL */
    const char *after;
};

struct rewrite {
    const char *text;
    uint32_t len;
    struct mark *marks;
    uint32_t count, cap;
    uint32_t *open; /* brackets not closed yet */
    uint32_t open_count, open_cap;
};

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '\\' || (c & 0x80);
}

static bool is_word(const struct rewrite *r, uint32_t n, const char *word)
{
    const struct mark *m = &r->marks[n];
    return m->kind == MARK_WORD && m->len == strlen(word) && memcmp(r->text + m->at, word, m->len) == 0;
}

static bool is_one_of(const struct rewrite *r, uint32_t n, const char *const *words)
{
    for (; *words; words++)
        if (is_word(r, n, *words))
            return true;
    return false;
}

static bool is_sign(const struct rewrite *r, uint32_t n, char c)
{
    return n < r->count && r->marks[n].kind == MARK_SIGN && r->marks[n].len == 1 &&
           r->text[r->marks[n].at] == c;
}

static const char *const heads[] = {"if", "for", "while", "with", "switch", "catch", NULL};

/* Is the ')' at n the end of 'if (...)' and its like? */
static bool closes_head(const struct rewrite *r, uint32_t n)
{
    uint32_t open = r->marks[n].other;
    return open > 0 && is_one_of(r, open - 1, heads) && !(open > 1 && is_sign(r, open - 2, '.'));
}

/* Does a '/' behind the newest token start a regular expression? */
static bool regex_may_start(const struct rewrite *r)
{
    static const char *const words[] = {"return", "typeof", "case",       "in",   "of", "delete", "void",
                                        "throw",  "new",    "instanceof", "else", "do", NULL};
    if (r->count == 0)
        return true;
    uint32_t n = r->count - 1;
    const struct mark *m = &r->marks[n];
    if (m->kind != MARK_SIGN)
        return is_one_of(r, n, words);
    if (m->len == 2) /* ++ and -- */
        return false;
    if (is_sign(r, n, ')'))
        return closes_head(r, n);
    return !is_sign(r, n, ']') && !is_sign(r, n, '}');
}

static uint32_t skip_blank(const struct rewrite *r, uint32_t at)
{
    while (at < r->len) {
        const char *p = r->text + at, *end = r->text + r->len;
        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
            at++;
        } else if (end - p > 1 && p[0] == '/' && p[1] == '/') {
            const char *stop = memchr(p, '\n', (size_t)(end - p));
            at = stop ? (uint32_t)(stop - r->text) : r->len;
        } else if (end - p > 3 && p[0] == '/' && p[1] == '*') {
            const char *stop = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
            at = stop ? (uint32_t)(stop - r->text) + 2 : r->len;
        } else {
            break;
        }
    }
    return at;
}

/* Behind the closing sign of a string or a regular expression (where '/' inside [...] closes nothing). */
static uint32_t skip_quoted(const struct rewrite *r, uint32_t at)
{
    char quote = r->text[at++];
    bool in_class = false;
    for (; at < r->len; at++) {
        char c = r->text[at];
        if (c == '\\')
            at++;
        else if (quote == '/' && c == '[')
            in_class = true;
        else if (c == ']')
            in_class = false;
        else if (c == quote && !in_class)
            return at + 1;
    }
    return r->len;
}

static struct mark *mark_add(struct rewrite *r, uint32_t at, enum mark_kind kind)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 256;
        r->marks = mem_resize(r->marks, r->cap, sizeof *r->marks);
    }
    struct mark *m = &r->marks[r->count++];
    *m = (struct mark){.at = at, .len = 1, .kind = kind};
    return m;
}

static void bracket(struct rewrite *r, uint32_t n, char c)
{
    if (strchr("([{", c)) {
        if (r->open_count == r->open_cap) {
            r->open_cap = r->open_cap ? r->open_cap * 2 : 64;
            r->open = mem_resize(r->open, r->open_cap, sizeof *r->open);
        }
        r->open[r->open_count++] = n;
    } else if (strchr(")]}", c) && r->open_count > 0) {
        uint32_t open = r->open[--r->open_count];
        r->marks[n].other = open;
        r->marks[open].other = n;
    }
}

static void tokens(struct rewrite *r)
{
    for (uint32_t at = skip_blank(r, 0); at < r->len; at = skip_blank(r, at)) {
        char c = r->text[at], next = at + 1 < r->len ? r->text[at + 1] : '\0';
        bool is_regex = c == '/' && regex_may_start(r);
        if (c == '"' || c == '\'' || is_regex) {
            uint32_t end = skip_quoted(r, at);
            mark_add(r, at, MARK_VALUE)->len = end - at;
        } else if (is_word_char(c) || (c == '.' && next >= '0' && next <= '9')) {
            uint32_t end = at + 1;
            bool number = (c >= '0' && c <= '9') || c == '.';
            while (end < r->len && (is_word_char(r->text[end]) || (number && r->text[end] == '.')))
                end++;
            mark_add(r, at, number ? MARK_VALUE : MARK_WORD)->len = end - at;
        } else {
            struct mark *m = mark_add(r, at, MARK_SIGN);
            if ((c == '+' || c == '-') && next == c)
                m->len = 2;
            bracket(r, r->count - 1, c);
        }
        at = r->marks[r->count - 1].at + r->marks[r->count - 1].len;
    }
}

/* for (a; b; c): b is asked before each turn. for (a in b): b's names are counted. n is the '('. */
static void count_for(struct rewrite *r, uint32_t n)
{
    uint32_t end = r->marks[n].other, first = 0, in = 0;
    for (uint32_t i = n + 1; i < end; i++) {
        if (is_sign(r, i, '(') || is_sign(r, i, '[') || is_sign(r, i, '{')) {
            if (r->marks[i].other <= i)
                return;
            i = r->marks[i].other;
        } else if (is_sign(r, i, ';') && first) {
            bool empty = i == first + 1;
            r->marks[first].after = empty ? TURN : TURN "&&(";
            if (!empty)
                r->marks[i].before = ")";
            return;
        } else if (is_sign(r, i, ';')) {
            first = i;
        } else if (!in && is_word(r, i, "in")) {
            in = i;
        }
    }
    if (in && !first) {
        r->marks[in].after = " __weir_all(";
        r->marks[end].before = ")";
    }
}

static void count_loops(struct rewrite *r)
{
    for (uint32_t n = 1; n < r->count; n++) {
        bool of_object = n > 1 && is_sign(r, n - 2, '.');
        if (is_sign(r, n, '(') && r->marks[n].other > n && !of_object) {
            if (is_word(r, n - 1, "while")) {
                r->marks[n].after = TURN "&&(";
                r->marks[r->marks[n].other].before = ")";
            } else if (is_word(r, n - 1, "for")) {
                count_for(r, n);
            }
        } else if (is_sign(r, n, '{') && is_sign(r, n - 1, ')') && !closes_head(r, n - 1)) {
            r->marks[n].after = START;
        }
    }
}

/* 'use strict' must stay the first thing in its function: it is said once more before the counter. */
static bool is_strict(const struct rewrite *r, uint32_t n)
{
    const struct mark *m = n < r->count ? &r->marks[n] : NULL;
    return m && m->kind == MARK_VALUE && m->len == 12 && memcmp(r->text + m->at + 1, "use strict", 10) == 0;
}

void script_steps(const char *body, size_t len, struct buf *out)
{
    struct rewrite r = {.text = body, .len = (uint32_t)len};
    tokens(&r);
    count_loops(&r);
    uint32_t at = 0;
    buf_add_str(out, is_strict(&r, 0) ? "'use strict';" START : START);
    for (uint32_t n = 0; n < r.count; n++) {
        const struct mark *m = &r.marks[n];
        buf_add(out, body + at, m->at - at);
        if (m->before)
            buf_add_str(out, m->before);
        buf_add(out, body + m->at, m->len);
        if (m->after && is_sign(&r, n, '{') && is_strict(&r, n + 1))
            buf_add_str(out, "'use strict';");
        if (m->after)
            buf_add_str(out, m->after);
        at = m->at + m->len;
    }
    buf_add(out, body + at, len - at);
    mem_free(r.marks);
    mem_free(r.open);
}
