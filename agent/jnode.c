/* jnode.c - JSON text to tree and back; strict (RFC 8259). Values of the language: jnode_value.c. */
#include "agent/jnode.h"
#include "engine/base/limits.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include <string.h>

struct reading {
    struct arena *arena;
    const char *at, *end;
    struct err *err;
    int depth;
};

static struct jnode *refuse(struct reading *r, const char *why)
{
    err_set(r->err, ERR_INVALID, "%s", why);
    return NULL;
}

static void skip_blanks(struct reading *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

static bool read_hex4(struct reading *r, uint32_t *out)
{
    if (r->end - r->at < 4)
        return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a') + 10;
        else
            return false;
        v = v * 16 + digit;
    }
    *out = v;
    return true;
}

/* Behind the backslash. A lone half of a pair becomes the replacement character. */
static bool read_escape(struct reading *r, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at >= r->end)
        return false;
    char c = *r->at++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        buf_add_char(out, to[known - from]);
        return true;
    }
    uint32_t code, low;
    if (c != 'u' || !read_hex4(r, &code))
        return false;
    if (code >= 0xD800 && code < 0xDC00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        const char *mark = r->at;
        r->at += 2;
        if (!read_hex4(r, &low))
            return false;
        if (low >= 0xDC00 && low < 0xE000)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        else
            r->at = mark;
    }
    if (code >= 0xD800 && code < 0xE000)
        code = 0xFFFD;
    char bytes[4];
    buf_add(out, bytes, utf8_encode(bytes, code));
    return true;
}

/* At the opening quote. Without escapes the text is the input's own. */
static bool read_text(struct reading *r, const char **text, size_t *len)
{
    const char *start = ++r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20)
        r->at++;
    if (r->at < r->end && *r->at == '"') {
        *text = start;
        *len = (size_t)(r->at++ - start);
        return utf8_valid(*text, *len);
    }
    struct buf out;
    buf_init(&out, SIZE_MAX);
    buf_add(&out, start, (size_t)(r->at - start));
    bool good = false;
    while (r->at < r->end) {
        char c = *r->at++;
        if (c == '"') {
            good = true;
            break;
        }
        if ((unsigned char)c < 0x20 || (c == '\\' && !read_escape(r, &out)))
            break;
        if (c != '\\')
            buf_add_char(&out, c);
    }
    if (good) {
        *text = arena_strndup(r->arena, out.len ? out.bytes : "", out.len);
        *len = out.len;
        good = utf8_valid(*text, *len);
    }
    buf_fini(&out);
    return good;
}

static bool read_digits(struct reading *r)
{
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > start;
}

static struct jnode *read_number(struct reading *r)
{
    const char *start = r->at;
    if (*r->at == '-')
        r->at++;
    const char *digits = r->at;
    if (!read_digits(r) || (*digits == '0' && r->at - digits > 1))
        return refuse(r, "a number is malformed");
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!read_digits(r))
            return refuse(r, "a number is malformed");
    }
    if (r->at < r->end && (*r->at | 0x20) == 'e') {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        if (!read_digits(r))
            return refuse(r, "a number is malformed");
    }
    struct jnode *n = jnode_new(r->arena, JNODE_NUMBER);
    n->text = start;
    n->len = (size_t)(r->at - start);
    return n;
}

static bool read_word(struct reading *r, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    return true;
}

static struct jnode *read_value(struct reading *r);

/* ( value (',' value)* )? and the closing bracket; with a key and a colon before each value in an object. */
static struct jnode *read_children(struct reading *r, enum jnode_kind kind)
{
    char close = kind == JNODE_ARRAY ? ']' : '}';
    struct jnode *n = jnode_new(r->arena, kind);
    if (++r->depth > LIMIT_PARSE_DEPTH)
        return refuse(r, "nested too deep");
    r->at++;
    skip_blanks(r);
    if (r->at < r->end && *r->at == close) {
        r->at++;
        r->depth--;
        return n;
    }
    for (;;) {
        const char *key = NULL;
        size_t key_len = 0;
        skip_blanks(r);
        if (kind == JNODE_OBJECT) {
            if (r->at >= r->end || *r->at != '"' || !read_text(r, &key, &key_len))
                return refuse(r, "a key is expected");
            skip_blanks(r);
            if (r->at >= r->end || *r->at != ':')
                return refuse(r, "':' is expected");
            r->at++;
        }
        struct jnode *child = read_value(r);
        if (!child)
            return NULL;
        child->key = key;
        child->key_len = key_len;
        jnode_add(n, child);
        skip_blanks(r);
        if (r->at < r->end && *r->at == ',') {
            r->at++;
            continue;
        }
        if (r->at < r->end && *r->at == close) {
            r->at++;
            r->depth--;
            return n;
        }
        return refuse(r, kind == JNODE_ARRAY ? "',' or ']' is expected" : "',' or '}' is expected");
    }
}

static struct jnode *read_value(struct reading *r)
{
    skip_blanks(r);
    if (r->at >= r->end)
        return refuse(r, "the text ends too early");
    char c = *r->at;
    if (c == '{')
        return read_children(r, JNODE_OBJECT);
    if (c == '[')
        return read_children(r, JNODE_ARRAY);
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r);
    if (c == '"') {
        struct jnode *n = jnode_new(r->arena, JNODE_STRING);
        return read_text(r, &n->text, &n->len) ? n : refuse(r, "a string is malformed");
    }
    if (read_word(r, "null"))
        return jnode_new(r->arena, JNODE_NULL);
    bool is_true = read_word(r, "true");
    if (is_true || read_word(r, "false")) {
        struct jnode *n = jnode_new(r->arena, JNODE_BOOL);
        n->flag = is_true;
        return n;
    }
    return refuse(r, "a value is expected");
}

struct jnode *jnode_parse(struct arena *a, const char **at, const char *end, struct err *e)
{
    struct reading r = {a, *at, end, e, 0};
    skip_blanks(&r);
    struct jnode *n = NULL;
    if (r.at == r.end)
        err_set(e, ERR_NOT_FOUND, "nothing is left");
    else
        n = read_value(&r);
    *at = r.at;
    return n;
}

const struct jnode *jnode_get_len(const struct jnode *object, const char *key, size_t len)
{
    if (!object || object->kind != JNODE_OBJECT)
        return NULL;
    for (const struct jnode *n = object->first; n; n = n->next)
        if (n->key_len == len && memcmp(n->key, key, len) == 0)
            return n;
    return NULL;
}

const struct jnode *jnode_get(const struct jnode *object, const char *key)
{
    return jnode_get_len(object, key, strlen(key));
}

char *jnode_text(struct arena *a, const struct jnode *n)
{
    return n && n->kind == JNODE_STRING ? arena_strndup(a, n->text, n->len) : NULL;
}

bool jnode_long(const struct jnode *n, int64_t *out)
{
    return n && n->kind == JNODE_NUMBER && num_parse_long(n->text, n->len, out);
}

bool jnode_is_true(const struct jnode *n)
{
    return n && n->kind == JNODE_BOOL && n->flag;
}

struct jnode *jnode_new(struct arena *a, enum jnode_kind kind)
{
    struct jnode *n = arena_alloc(a, sizeof *n);
    n->kind = kind;
    return n;
}

struct jnode *jnode_string(struct arena *a, const char *text, size_t len)
{
    struct jnode *n = jnode_new(a, JNODE_STRING);
    n->text = arena_strndup(a, text, len);
    n->len = len;
    return n;
}

struct jnode *jnode_number(struct arena *a, int64_t v)
{
    char text[NUM_TEXT_MAX];
    size_t len = num_print_long(text, v);
    struct jnode *n = jnode_string(a, text, len);
    n->kind = JNODE_NUMBER;
    n->type = TYPE_LONG;
    return n;
}

void jnode_add(struct jnode *array, struct jnode *child)
{
    if (array->last)
        array->last->next = child;
    else
        array->first = child;
    array->last = child;
    array->count++;
}

void jnode_put(struct jnode *object, const char *key, struct jnode *child)
{
    child->key = key;
    child->key_len = strlen(key);
    jnode_add(object, child);
}

void jnode_print_text(const char *text, size_t len, struct buf *out)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        const char *known = c ? strchr(from, c) : NULL;
        if (known) {
            buf_add_char(out, '\\');
            buf_add_char(out, to[known - from]);
        } else if ((unsigned char)c < 0x20) {
            buf_printf(out, "\\u%04x", (unsigned)c);
        } else {
            buf_add_char(out, c);
        }
    }
    buf_add_char(out, '"');
}

void jnode_print(const struct jnode *n, struct buf *out)
{
    switch (n->kind) {
    case JNODE_NULL:
        buf_add_str(out, "null");
        break;
    case JNODE_BOOL:
        buf_add_str(out, n->flag ? "true" : "false");
        break;
    case JNODE_NUMBER:
        buf_add(out, n->text, n->len);
        break;
    case JNODE_STRING:
        jnode_print_text(n->text, n->len, out);
        break;
    case JNODE_ARRAY:
    case JNODE_OBJECT:
        buf_add_char(out, n->kind == JNODE_ARRAY ? '[' : '{');
        for (const struct jnode *c = n->first; c; c = c->next) {
            if (c != n->first)
                buf_add_char(out, ',');
            if (n->kind == JNODE_OBJECT) {
                jnode_print_text(c->key, c->key_len, out);
                buf_add_char(out, ':');
            }
            jnode_print(c, out);
        }
        buf_add_char(out, n->kind == JNODE_ARRAY ? ']' : '}');
        break;
    }
}
