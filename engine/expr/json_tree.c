/* json_tree.c - reading and writing trees. The reader: {a:1}, {'a':1}, {"a":1,}, bare words as strings; '{'
 * and '[1,2' are wrong. */
#include "engine/expr/json_tree.h"
#include "engine/base/limits.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct json_reader {
    struct arena *arena;
    const char *at, *end;
    int depth;
    bool failed, doubles;
    bool plain; /* quotes are ", words are numbers, true, false, null */
    bool wide;  /* ; = => too, words of any case, +1 .5 0x1f 1d, [1,,2] has a null; no name twice */
};

struct json_node *json_node_new(struct arena *a, enum node_kind kind)
{
    struct json_node *n = arena_alloc(a, sizeof(*n));
    n->kind = kind;
    return n;
}
void json_node_add(struct json_node *parent, struct json_node *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}
struct json_node *json_node_get(const struct json_node *object, const char *key, size_t len)
{
    struct json_node *found = NULL;
    for (struct json_node *n = object->first; n && object->kind == NODE_OBJECT; n = n->next)
        if (n->key->len == len && memcmp(n->key->bytes, key, len) == 0)
            found = n; /* the last of a name holds */
    return found;
}

void json_node_replace(struct json_node *old, const struct json_node *with)
{
    struct json_node *next = old->next;
    struct text *key = old->key;
    *old = *with;
    old->next = next;
    old->key = key;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static void skip_blanks(struct json_reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return UINT32_MAX;
        v = v * 16 + (uint32_t)digit;
    }
    return v;
}
/* behind "\u"; moves on */
static uint32_t read_unicode(struct json_reader *r)
{
    uint32_t code = r->end - r->at >= 4 ? hex4(r->at) : UINT32_MAX;
    if (code == UINT32_MAX) {
        r->failed = true;
        return '?';
    }
    r->at += 4;
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        uint32_t low = hex4(r->at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            r->at += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return code >= 0xd800 && code < 0xe000 ? '?' : code; /* what text can't hold */
}

/* behind "\x", two digits; how many bytes the character takes */
static uint32_t read_hex_escape(struct json_reader *r, char *out)
{
    char digits[4] = "00";
    if (r->end - r->at >= 2)
        memcpy(digits + 2, r->at, 2);
    uint32_t code = r->end - r->at >= 2 ? hex4(digits) : UINT32_MAX;
    if (code == UINT32_MAX) {
        r->failed = true;
        return 0;
    }
    r->at += 2;
    return (uint32_t)utf8_encode(out, code);
}

/* at a quote, of either kind */
static struct text *read_quoted(struct json_reader *r)
{
    char quote = *r->at++;
    r->failed |= r->plain && quote == '\'';
    const char *close = r->at;
    while (close < r->end && *close != quote)
        close += *close == '\\' ? 2 : 1;
    r->failed |= r->wide && memchr(r->at, '\n', (size_t)((close < r->end ? close : r->end) - r->at));
    if (close >= r->end || r->failed) {
        r->failed = true;
        return NULL;
    }
    struct text *s = text_scratch_raw(r->arena, (size_t)(close - r->at)); /* escapes only shrink */
    uint32_t len = 0;
    while (r->at < close) {
        char c = *r->at++;
        if (c != '\\') {
            s->bytes[len++] = c;
            continue;
        }
        c = *r->at++;
        if (c == 'u') {
            char bytes[4];
            size_t n = utf8_encode(bytes, read_unicode(r));
            if (r->failed)
                return NULL;
            memcpy(s->bytes + len, bytes, n);
            len += (uint32_t)n;
            continue;
        }
        if (c == 'x') {
            len += read_hex_escape(r, s->bytes + len);
            if (r->failed)
                return NULL;
            continue;
        }
        const char *from = "bfnrt'\"\\/", *to = "\b\f\n\r\t'\"\\/", *at = strchr(from, c);
        if ((at && c) || r->wide) /* others vanish */
            s->bytes[len++] = at && c ? to[at - from] : c;
    }
    r->at = close + 1;
    s->len = len;
    s->bytes[len] = 0;
    return s;
}

/* -?digits: 1; with a fraction or exponent: 2; no number: 0 */
static int number_form(const char *s, size_t len)
{
    size_t i = 0, digits = 0;
    int form = 1;
    if (len && (s[0] == '+' || s[0] == '.'))
        return 0;
    if (i < len && s[i] == '-')
        i++;
    for (; i < len && s[i] >= '0' && s[i] <= '9'; i++)
        digits++;
    if (i < len && s[i] == '.') {
        form = 2;
        for (i++; i < len && s[i] >= '0' && s[i] <= '9'; i++)
            digits++;
    }
    if (digits && i < len && (s[i] == 'e' || s[i] == 'E')) {
        form = 2;
        if (++i < len && (s[i] == '-' || s[i] == '+'))
            i++;
        size_t from = i;
        while (i < len && s[i] >= '0' && s[i] <= '9')
            i++;
        if (i == from)
            return 0;
    }
    return digits && i == len ? form : 0;
}

/* Is a number with a fraction kept as it is written? One of more than 18 characters is, if plain. */
static bool is_long_fraction(const char *s, size_t len)
{
    size_t zeros = strspn(s, "-0.");
    return len > 18 && zeros < 8 && !memchr(s, 'e', len) && !memchr(s, 'E', len);
}
/* The words that only a wide reader knows. */
static bool wide_word(struct json_reader *r, struct json_node *n, const char *s, size_t len)
{
    char number[64];
    bool is_signed = len > 1 && (*s == '+' || *s == '.');
    size_t kept = len > 1 && strchr("fFdD", s[len - 1]) ? len - 1 : len;
    if ((len == 4 && strncasecmp(s, "true", 4) == 0) || (len == 5 && strncasecmp(s, "false", 5) == 0)) {
        n->kind = NODE_BOOL;
        n->v = value_bool(len == 4);
    } else if (len == 4 && strncasecmp(s, "null", 4) == 0) {
        n->kind = NODE_NULL;
    } else if (len > 2 && len < 10 && s[0] == '0' && (s[1] | 32) == 'x' &&
               strspn(s + 2, "0123456789abcdefABCDEF") >= len - 2) {
        n->v = value_int((int32_t)strtol(s, NULL, 16));
    } else if ((len == 1 && *s == '-') || (len == 3 && memcmp(s, "NaN", 3) == 0)) {
        n->kind = NODE_STRING;
        n->v = value_text(text_scratch(r->arena, s, len));
    } else if ((is_signed || kept < len) && len < sizeof(number) - 1) {
        snprintf(number, sizeof(number), "%s%.*s", *s == '.' ? "0" : "", (int)(kept - (*s == '+')),
                 s + (*s == '+'));
        int form = number_form(number, strlen(number));
        double d;
        int64_t l;
        if (form == 1 && kept == len && num_parse_long(number, strlen(number), &l))
            n->v = l == (int32_t)l ? value_int((int32_t)l) : value_long(l);
        else if (form && num_parse_double(number, strlen(number), &d))
            n->v = value_double(d);
        else
            return false;
    } else {
        return false;
    }
    return true;
}
/* A bare word: a number, true, false, null, or a string. */
static struct json_node *word(struct json_reader *r, const char *s, size_t len)
{
    struct json_node *n = json_node_new(r->arena, NODE_NUMBER);
    if (r->wide && wide_word(r, n, s, len))
        return n;
    if (len == 1 && *s == '-')
        s = "0";
    int form = number_form(s, len);
    int32_t i;
    int64_t l;
    double d = 0;
    if (form)
        num_parse_double(s, len, &d);
    if (form == 1 && !r->doubles && num_parse_int(s, len, &i)) {
        n->v = value_int(i);
    } else if (form == 1 && !r->doubles && num_parse_long(s, len, &l)) {
        n->v = value_long(l);
    } else if (form) {
        n->v = value_double(d);
        if (!r->doubles && (form == 1 || is_long_fraction(s, len))) {
            n->raw = s;
            n->raw_len = (uint32_t)len;
        }
    } else if ((len == 4 && memcmp(s, "true", 4) == 0) || (len == 5 && memcmp(s, "false", 5) == 0)) {
        n->kind = NODE_BOOL;
        n->v = value_bool(len == 4);
    } else if (len == 3 && memcmp(s, "NaN", 3) == 0) {
        n->v = value_float(NAN);
    } else if (len == 4 && memcmp(s, "null", 4) == 0) {
        n->kind = NODE_NULL;
    } else {
        n->kind = NODE_STRING;
        n->v = value_text(text_scratch(r->arena, s, len));
    }
    r->failed |= r->wide && form && isinf(d);
    size_t sign = len && *s == '-';
    r->failed |=
        r->plain && (n->kind == NODE_STRING || n->v.type == TYPE_FLOAT ||
                     (form && len > sign + 1 && s[sign] == '0' && s[sign + 1] >= '0' && s[sign + 1] <= '9'));
    return n;
}

static struct json_node *read_node(struct json_reader *r, const char *stops);

static struct text *read_key(struct json_reader *r)
{
    if (*r->at == '"' || *r->at == '\'')
        return read_quoted(r);
    const char *from = r->at;
    while (r->at < r->end && !strchr(r->wide ? ":,{}[]=;" : ":,{}[]", *r->at))
        r->at++;
    const char *to = r->at;
    while (to > from && is_blank(to[-1]))
        to--;
    if (to == from || r->plain || r->at >= r->end || (*r->at != ':' && !(r->wide && *r->at == '='))) {
        r->failed = true;
        return NULL;
    }
    return text_scratch(r->arena, from, (size_t)(to - from));
}

/* at '{' or '[' */
static struct json_node *read_container(struct json_reader *r)
{
    bool is_object = *r->at++ == '{';
    char close = is_object ? '}' : ']';
    struct json_node *n = json_node_new(r->arena, is_object ? NODE_OBJECT : NODE_LIST);
    bool is_open = true; /* no value since the last comma */
    if (++r->depth > LIMIT_PARSE_DEPTH)
        r->failed = true;
    while (!r->failed) {
        struct text *key = NULL;
        skip_blanks(r);
        if (r->at >= r->end)
            break;
        if (*r->at == close) {
            r->at++;
            r->depth--;
            return n;
        }
        if (*r->at == ',' || (r->wide && *r->at == ';')) {
            if (r->wide && is_open && !is_object)
                json_node_add(n, json_node_new(r->arena, NODE_NULL));
            r->failed |= r->wide && is_open && is_object;
            is_open = true;
            r->at++;
            continue;
        }
        is_open = false;
        if (is_object) {
            key = read_key(r);
            skip_blanks(r);
            if (r->failed || r->at >= r->end || (*r->at != ':' && !(r->wide && *r->at == '=')))
                break;
            r->at += r->wide && *r->at == '=' && r->at + 1 < r->end && r->at[1] == '>' ? 2 : 1;
        }
        struct json_node *child = read_node(r, r->wide ? ",;:=]}/\\[{#" : is_object ? ",}" : ",]");
        if (!child)
            break;
        child->key = key;
        struct json_node *old = key ? json_node_get(n, key->bytes, key->len) : NULL;
        r->failed |= old && r->wide;
        if (old) /* the last of a name holds, at the first's place */
            json_node_replace(old, child);
        else
            json_node_add(n, child);
        skip_blanks(r);
        if (r->at < r->end && *r->at != ',' && *r->at != close && !(r->wide && *r->at == ';'))
            break;
    }
    r->failed = true;
    return NULL;
}

/* A bare word ends at one of stops, at the end of the text without any. */
static struct json_node *read_node(struct json_reader *r, const char *stops)
{
    skip_blanks(r);
    if (r->at >= r->end) {
        r->failed = true;
        return NULL;
    }
    if (*r->at == '{' || *r->at == '[')
        return read_container(r);
    if (*r->at == '"' || *r->at == '\'') {
        struct text *s = read_quoted(r);
        if (!s || r->failed)
            return NULL;
        struct json_node *n = json_node_new(r->arena, NODE_STRING);
        n->v = value_text(s);
        return n;
    }
    const char *from = r->at;
    while (r->at < r->end && !(*stops && strchr(stops, *r->at)))
        r->at++;
    const char *to = r->at;
    while (to > from && is_blank(to[-1]))
        to--;
    if (to == from) {
        r->failed = true;
        return NULL;
    }
    return word(r, from, (size_t)(to - from));
}

struct json_node *json_tree_read(struct arena *a, const char *s, size_t len)
{
    struct json_reader r = {.arena = a, .at = s, .end = s + len};
    skip_blanks(&r);
    if (r.at == r.end) /* blanks alone are the empty text */
        return word(&r, s, 0);
    struct json_node *n = read_node(&r, "");
    return r.failed ? NULL : n;
}
struct json_node *json_tree_read_wide(struct arena *a, const char *s, size_t len)
{
    struct json_reader r = {.arena = a, .at = s, .end = s + len, .wide = true};
    skip_blanks(&r);
    struct json_node *n = r.at < r.end && *r.at == '{' ? read_node(&r, "") : NULL;
    return r.failed ? NULL : n;
}
struct json_node *json_tree_read_plain(struct arena *a, const char *s, size_t len)
{
    struct json_reader r = {.arena = a, .at = s, .end = s + len, .plain = true};
    struct json_node *n = read_node(&r, "");
    return r.failed ? NULL : n;
}
struct json_node *json_tree_read_strict(struct arena *a, const char *s, size_t len)
{
    struct json_reader r = {.arena = a, .at = s, .end = s + len, .doubles = true};
    skip_blanks(&r);
    if (r.at >= r.end || (*r.at != '{' && *r.at != '['))
        return NULL;
    struct json_node *n = read_node(&r, "");
    skip_blanks(&r);
    return r.failed || r.at != r.end ? NULL : n;
}

/* ---- values ---- */

static struct text *key_text(struct arena *a, struct value key)
{
    if (key.type == TYPE_STRING)
        return key.as.s;
    struct buf b;
    buf_init(&b, 1 << 20);
    value_print(key, &b);
    struct text *s = text_scratch(a, b.bytes ? b.bytes : "", b.len);
    buf_fini(&b);
    return s;
}

bool json_tree_is_finite(const struct json_node *n)
{
    if (n->kind == NODE_NUMBER && !n->raw)
        return isfinite(value_to_double(n->v));
    for (const struct json_node *child = n->first; child; child = child->next)
        if (!json_tree_is_finite(child))
            return false;
    return true;
}

struct json_node *json_tree_of(struct arena *a, struct value v)
{
    struct json_node *n = json_node_new(a, NODE_NULL);
    struct value key, member;
    n->v = v;
    if (v.type == TYPE_STRING) {
        n->kind = NODE_STRING;
    } else if (v.type == TYPE_BOOL) {
        n->kind = NODE_BOOL;
    } else if (type_is_numeric(v.type)) {
        n->kind = NODE_NUMBER;
    } else if (v.type == TYPE_OBJECT && object_is_list(v.as.o)) {
        n->kind = NODE_LIST;
        for (size_t i = 0; i < list_count(v.as.o); i++)
            json_node_add(n, json_tree_of(a, list_get(v.as.o, i)));
    } else if (v.type == TYPE_OBJECT && (object_is_map(v.as.o) || object_is_set(v.as.o))) {
        bool is_map = object_is_map(v.as.o);
        n->kind = is_map ? NODE_OBJECT : NODE_LIST;
        for (size_t at = 0; object_next(v.as.o, &at, &key, &member);) {
            struct json_node *child = json_tree_of(a, is_map ? member : key);
            child->key = is_map ? key_text(a, key) : NULL;
            json_node_add(n, child);
        }
    } else if (v.type == TYPE_OBJECT) {
        n->kind = NODE_STRING;
        n->v = value_text(key_text(a, v));
    }
    return n;
}

static struct object *tree_object(const struct json_node *n);
static struct value tree_value(const struct json_node *n, struct object **fresh)
{
    *fresh = NULL;
    if (n->kind < NODE_LIST)
        return n->kind == NODE_NULL ? VALUE_NULL : n->v;
    *fresh = tree_object(n);
    return value_object(*fresh);
}
static struct object *tree_object(const struct json_node *n)
{
    struct object *o = n->kind == NODE_LIST ? list_new() : map_object_new(), *fresh;
    for (const struct json_node *child = n->first; child; child = child->next) {
        struct value v = tree_value(child, &fresh);
        if (n->kind == NODE_LIST)
            list_add(o, v);
        else
            map_object_put(o, value_text(child->key), v);
        if (fresh)
            value_drop(v);
    }
    return o;
}
struct value json_tree_value(struct expr_env *env, const struct json_node *n)
{
    struct object *fresh;
    struct value v = tree_value(n, &fresh);
    return fresh ? expr_loose(env, fresh) : v;
}

/* ---- writing ---- */

static bool quote_special(struct buf *out, unsigned char c, const char *next, enum json_style style,
                          bool behind_less)
{
    (void)next;
    const char *from = "\"\\\b\f\n\r\t", *to = "\"\\bfnrt", *at = c ? strchr(from, c) : NULL;
    if (at)
        buf_printf(out, "\\%c", to[at - from]);
    else if (style == JSON_SMART && c < 0x20)
        buf_printf(out, "\\u%04X", c);
    else if (c < 0x20 || (style == JSON_GSON && c < 0x80 && strchr("<>&='", c)))
        buf_printf(out, "\\u%04x", c);
    else if (c == '/' && (style == JSON_SMART || (style == JSON_ORG && behind_less)))
        buf_add_str(out, "\\/");
    else
        return false;
    return true;
}

void json_tree_quote(const char *s, size_t len, enum json_style style, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)s[i];
        uint32_t code = c;
        size_t taken = c < 0x80 ? 1 : utf8_decode(s + i, len - i, &code);
        bool hidden =
            code == 0x2028 || code == 0x2029 ||
            (style != JSON_GSON && ((code >= 0x7f && code < 0xa0) || (code >= 0x2000 && code < 0x2100)));
        if (hidden && !(style == JSON_ORG && code == 0x7f))
            buf_printf(out, style == JSON_SMART ? "\\u%04X" : "\\u%04x", code);
        else if (taken > 1)
            buf_add(out, s + i, taken);
        else if (!quote_special(out, c, s + i + 1, style, i && s[i - 1] == '<'))
            buf_add_char(out, (char)c);
        i += taken ? taken : 1;
    }
    buf_add_char(out, '"');
}

static void write_number(const struct json_node *n, enum json_style style, struct buf *out)
{
    size_t from = out->len;
    if (n->raw) {
        buf_add(out, n->raw, n->raw_len);
        return;
    }
    value_print(n->v, out);
    if (style != JSON_ORG || out->overflow || (n->v.type != TYPE_DOUBLE && n->v.type != TYPE_FLOAT))
        return;
    const char *digits = out->bytes + from;
    if (!strchr(digits, '.') || strchr(digits, 'E'))
        return;
    while (out->bytes[out->len - 1] == '0')
        out->len--;
    if (out->bytes[out->len - 1] == '.')
        out->len--;
    out->bytes[out->len] = 0;
}

void json_tree_write(const struct json_node *n, enum json_style style, struct buf *out)
{
    switch (n->kind) {
    case NODE_NULL:
        buf_add_str(out, "null");
        return;
    case NODE_BOOL:
        buf_add_str(out, n->v.as.l ? "true" : "false");
        return;
    case NODE_NUMBER:
        write_number(n, style, out);
        return;
    case NODE_STRING:
        json_tree_quote(n->v.as.s->bytes, n->v.as.s->len, style, out);
        return;
    case NODE_LIST:
    case NODE_OBJECT:
        break;
    }
    buf_add_char(out, n->kind == NODE_LIST ? '[' : '{');
    for (const struct json_node *child = n->first; child; child = child->next) {
        if (child != n->first)
            buf_add_char(out, ',');
        if (n->kind == NODE_OBJECT) {
            json_tree_quote(child->key->bytes, child->key->len, style, out);
            buf_add_char(out, ':');
        }
        json_tree_write(child, style, out);
    }
    buf_add_char(out, n->kind == NODE_LIST ? ']' : '}');
}
