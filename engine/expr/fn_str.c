/* fn_str.c - str: (spec 20 section 1). Places are UTF-16 units; text is UTF-8, so that half of a
 * surrogate pair, which text can't hold, comes out as '?', as Java writes it in UTF-8. */
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include "engine/expr/case_fold.h"
#include "engine/expr/fn_regex.h"

static bool is_ascii(const struct text *s)
{
    for (uint32_t i = 0; i < s->len; i++)
        if ((unsigned char)s->bytes[i] >= 0x80)
            return false;
    return true;
}
int64_t text_units(const struct text *s)
{
    return (int64_t)utf8_units(s->bytes, s->len);
}
bool text_offset(const struct text *s, int64_t n, size_t *at)
{
    if (n < 0 || n > (int64_t)s->len || (!is_ascii(s) && n > text_units(s)))
        return false;
    *at = utf8_offset(s->bytes, s->len, (size_t)n);
    return true;
}
/* The character at *at; moves on. Bytes that are none count as U+FFFD. */
static uint32_t next_code(const struct text *s, size_t *at)
{
    uint32_t code;
    size_t taken = utf8_decode(s->bytes + *at, s->len - *at, &code);
    *at += taken ? taken : 1;
    return taken ? code : 0xfffd;
}
static void put_code(struct buf *b, uint32_t code)
{
    char bytes[4];
    buf_add(b, bytes, utf8_encode(bytes, code));
}
static void out_init(struct buf *b)
{
    buf_init(b, LIMIT_RESULT_BYTES);
}
static struct value fail_place(struct frame *f, const struct expr *e, int64_t place)
{
    return expr_fail(f->env, "%s: place %lld is outside of the text", e->name, (long long)place);
}

/* ---- parts ---- */

/* Is unit n the second half of a pair? text_offset gives the pair's place then. */
static bool is_half(const struct text *s, size_t at, int64_t n)
{
    return at < s->len && (unsigned char)s->bytes[at] >= 0xf0 && (int64_t)utf8_units(s->bytes, at) < n;
}
/* The units from..to, whose places are given. */
static struct value cut(struct frame *f, const struct text *s, int64_t from, size_t at, int64_t to,
                        size_t end)
{
    bool head = is_half(s, at, from), tail = is_half(s, end, to);
    if (!head && !tail)
        return result_text(f, s->bytes + at, end - at);
    struct buf out;
    out_init(&out);
    if (head && from < to) {
        buf_add_char(&out, '?');
        at += 4;
    }
    if (end > at)
        buf_add(&out, s->bytes + at, end - at);
    if (tail && (!head || end >= at))
        buf_add_char(&out, '?');
    return result_buf(f, &out);
}

static struct value eval_char_at(const struct expr *e, struct frame *f)
{
    int32_t n;
    size_t at;
    struct text *s = arg_text(e, f, 0);
    if (!s || !arg_int(e, f, 1, &n))
        return VALUE_NULL;
    if (!text_offset(s, n, &at) || n == text_units(s))
        return fail_place(f, e, n);
    size_t end = at;
    uint32_t code = next_code(s, &end);
    return code > 0xffff ? result_text(f, "?", 1) : result_text(f, s->bytes + at, end - at);
}

static struct value eval_substr(const struct expr *e, struct frame *f)
{
    int32_t begin, count = 0;
    size_t from, to;
    struct text *s = arg_text(e, f, 0);
    if (!s || !arg_int(e, f, 1, &begin) || (e->arg_count == 3 && !arg_int(e, f, 2, &count)))
        return VALUE_NULL;
    if (!text_offset(s, begin, &from))
        return fail_place(f, e, begin);
    to = s->len;
    if (e->arg_count == 3 && (count < 0 || !text_offset(s, (int64_t)begin + count, &to)))
        return fail_place(f, e, (int64_t)begin + count);
    return cut(f, s, begin, from, e->arg_count == 3 ? (int64_t)begin + count : text_units(s), to);
}

static struct value eval_trim(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    if (!s)
        return VALUE_NULL;
    size_t from = 0, to = s->len;
    while (from < to && (unsigned char)s->bytes[from] <= ' ')
        from++;
    while (to > from && (unsigned char)s->bytes[to - 1] <= ' ')
        to--;
    return result_text(f, s->bytes + from, to - from);
}

static struct value eval_reverse(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    if (!s)
        return VALUE_NULL;
    struct text *out = text_scratch_raw(f->env->scratch, s->len);
    size_t at = 0;
    while (at < s->len) {
        size_t from = at;
        next_code(s, &at);
        memcpy(out->bytes + s->len - at, s->bytes + from, at - from);
    }
    return value_text(out);
}

static struct value eval_repeat(const struct expr *e, struct frame *f)
{
    int32_t n;
    struct text *s = arg_text(e, f, 0);
    if (!s || !arg_int(e, f, 1, &n))
        return VALUE_NULL;
    if (n <= 0 || !s->len)
        return result_text(f, "", 0);
    if ((uint64_t)s->len * (uint64_t)n > LIMIT_RESULT_BYTES)
        return expr_fail(f->env, "%s: the result is longer than %d bytes", e->name, LIMIT_RESULT_BYTES);
    struct text *out = text_scratch_raw(f->env->scratch, (size_t)s->len * (size_t)n);
    for (int32_t i = 0; i < n; i++)
        memcpy(out->bytes + (size_t)i * s->len, s->bytes, s->len);
    return value_text(out);
}

/* ---- looking ---- */

static const char *find(const char *s, size_t len, const struct text *what)
{
    return what->len ? memmem(s, len, what->bytes, what->len) : s;
}

static struct value eval_contains(const struct expr *e, struct frame *f)
{
    struct text *s, *what;
    if (arg_text_or_null(e, f, 0, &s) <= 0 || !(what = arg_text(e, f, 1)))
        return VALUE_NULL;
    return value_bool(find(s->bytes, s->len, what) != NULL);
}

static struct value eval_locate(const struct expr *e, struct frame *f)
{
    int32_t start = 0;
    size_t from = 0;
    struct text *what = arg_text(e, f, 0), *s = what ? arg_text(e, f, 1) : NULL;
    if (!s || (e->arg_count == 3 && !arg_int(e, f, 2, &start)))
        return VALUE_NULL;
    if (!text_offset(s, start, &from))
        return fail_place(f, e, start);
    int32_t skipped = is_half(s, from, start) && what->len; /* half a pair is nothing to be found */
    from += skipped ? 4 : 0;
    const char *found = find(s->bytes + from, s->len - from, what);
    if (!found)
        return value_int(start - 1);
    return value_int(start + skipped +
                     (int32_t)utf8_units(s->bytes + from, (size_t)(found - s->bytes) - from));
}

static struct value eval_char_frequency(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0), *what = s ? arg_text(e, f, 1) : NULL;
    if (!what)
        return VALUE_NULL;
    if (text_units(what) != 1)
        return expr_fail(f->env, "%s counts one character, but is given '%.20s'", e->name, what->bytes);
    int64_t n = 0;
    size_t at = 0;
    const char *p;
    for (; (p = find(s->bytes + at, s->len - at, what)); n++)
        at = (size_t)(p - s->bytes) + what->len;
    return value_long(n);
}

static struct value eval_length(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    return s ? value_int((int32_t)text_units(s)) : VALUE_NULL;
}

static int32_t unit_of(uint32_t code, uint32_t other)
{
    if (code <= 0xffff || other > 0xffff) /* two pairs: see unit_difference */
        return (int32_t)code;
    return (int32_t)(0xd800 + ((code - 0x10000) >> 10));
}
/* Of the first differing UTF-16 units of two different characters. */
static int32_t unit_difference(uint32_t a, uint32_t b)
{
    if (a > 0xffff && b > 0xffff) {
        uint32_t high_a = (a - 0x10000) >> 10, high_b = (b - 0x10000) >> 10;
        return high_a != high_b ? (int32_t)high_a - (int32_t)high_b
                                : (int32_t)(a & 0x3ff) - (int32_t)(b & 0x3ff);
    }
    return unit_of(a, b) - unit_of(b, a);
}
static struct value eval_strcmp(const struct expr *e, struct frame *f)
{
    struct text *a = arg_text(e, f, 0), *b = a ? arg_text(e, f, 1) : NULL;
    if (!b)
        return VALUE_NULL;
    for (size_t i = 0, k = 0; i < a->len && k < b->len;) {
        uint32_t x = next_code(a, &i), y = next_code(b, &k);
        if (x != y)
            return value_int(unit_difference(x, y));
    }
    return value_int((int32_t)(text_units(a) - text_units(b)));
}

static struct value eval_equals_ignore_case(const struct expr *e, struct frame *f)
{
    struct text *a = arg_text(e, f, 0), *b;
    if (!a || arg_text_or_null(e, f, 1, &b) <= 0)
        return VALUE_NULL;
    size_t i = 0, k = 0;
    while (i < a->len && k < b->len) {
        uint32_t x = case_upper(next_code(a, &i)), y = case_upper(next_code(b, &k));
        if (x != y && case_lower(x) != case_lower(y))
            return value_bool(false);
    }
    return value_bool(i == a->len && k == b->len);
}

/* ---- case ---- */

static struct value eval_upper(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    struct buf out;
    if (!s)
        return VALUE_NULL;
    out_init(&out);
    for (size_t at = 0; at < s->len;) {
        uint32_t code = next_code(s, &at);
        const char *several = code < 0x80 ? NULL : case_upper_special(code);
        if (several)
            buf_add_str(&out, several);
        else
            put_code(&out, case_upper(code));
    }
    return result_buf(f, &out);
}

/* Does a word go on at code: marks, digits and the like stand inside of it. */
static bool is_within_word(uint32_t code)
{
    return (code >= '0' && code <= '9') || code == '_' || code == 0xad || (code >= 0x300 && code < 0x370) ||
           (code >= 0x200b && code <= 0x200f);
}
/* One of these joins what stands on both its sides. */
static bool is_joint(uint32_t code)
{
    return code == '\'' || code == '"' || code == '.' || code == '-' || (code >= 0x2010 && code <= 0x2015) ||
           code == 0x2027;
}
/* Is there a letter with case in the word's rest at from? */
static bool has_case_behind(const struct text *s, size_t from)
{
    bool joined = false;
    while (from < s->len) {
        uint32_t code = next_code(s, &from);
        if (case_is_letter_with_case(code))
            return true;
        if (!is_within_word(code) && (joined || !is_joint(code)))
            return false;
        joined = !is_within_word(code);
    }
    return false;
}
static struct value eval_lower(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    struct buf out;
    bool in_word = false, joined = false; /* a letter with case stands before, in the same word */
    if (!s)
        return VALUE_NULL;
    out_init(&out);
    for (size_t at = 0; at < s->len;) {
        uint32_t code = next_code(s, &at);
        if (code == 0x130)
            buf_add_str(&out, "i\xcc\x87");
        else if (code == 0x3a3)
            put_code(&out, in_word && !has_case_behind(s, at) ? 0x3c2 : 0x3c3);
        else
            put_code(&out, case_lower(code));
        in_word = case_is_letter_with_case(code) ||
                  (in_word && (is_within_word(code) || (is_joint(code) && !joined)));
        joined = is_joint(code);
    }
    return result_buf(f, &out);
}

/* ---- making ---- */

static struct value eval_concat(const struct expr *e, struct frame *f)
{
    struct buf out;
    out_init(&out);
    for (int i = 0; i < e->arg_count; i++) {
        struct value v = arg(e, f, i);
        if (v.type == TYPE_STRING)
            buf_add(&out, v.as.s->bytes, v.as.s->len);
        else if (!is_null(v))
            value_print(v, &out);
    }
    return result_buf(f, &out);
}

static struct value eval_hex(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    struct buf out;
    if (!s)
        return VALUE_NULL;
    out_init(&out);
    for (size_t at = 0; at < s->len;) {
        uint32_t code = next_code(s, &at);
        if (code > 0xffff)
            buf_printf(&out, "%x%x", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
        else
            buf_printf(&out, "%x", code);
    }
    return result_buf(f, &out);
}
static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}
static struct value eval_unhex(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    struct buf out;
    if (!s)
        return VALUE_NULL;
    out_init(&out);
    for (uint32_t i = 0; i < s->len; i += 2) {
        int high = hex_digit(s->bytes[i]), low = i + 1 < s->len ? hex_digit(s->bytes[i + 1]) : -1;
        if (high < 0 || low < 0) {
            buf_fini(&out);
            return expr_fail(f->env, "%s: '%.40s' is no text of hexadecimal digit pairs", e->name, s->bytes);
        }
        put_code(&out, (uint32_t)(high * 16 + low));
    }
    return result_buf(f, &out);
}

/* ---- fillTemplate: split at every {{ and }}; the 2nd, 4th ... part is a key ---- */

/* The next part of s from *at on; false at the end. */
static bool template_part(const struct text *s, size_t *at, const char **part, size_t *len)
{
    if (*at > s->len)
        return false;
    size_t i = *at;
    while (i + 1 < s->len && !((s->bytes[i] == '{' || s->bytes[i] == '}') && s->bytes[i + 1] == s->bytes[i]))
        i++;
    bool mark = i + 1 < s->len;
    *part = s->bytes + *at;
    *len = (mark ? i : s->len) - *at;
    *at = mark ? i + 2 : (size_t)s->len + 1;
    return true;
}
static void trim_key(const char **key, size_t *len)
{
    while (*len && (unsigned char)**key <= ' ')
        (*key)++, (*len)--;
    while (*len && (unsigned char)(*key)[*len - 1] <= ' ')
        (*len)--;
}
/* The value of a key among the arguments: false after failing. */
static bool numbered_value(const struct expr *e, struct frame *f, const char *key, size_t len,
                           struct value *v)
{
    int32_t n;
    trim_key(&key, &len);
    if (!num_parse_int(key, len, &n) || n < 1 || n >= e->arg_count) {
        expr_fail(f->env, "%s: there is no argument {{%.*s}}", e->name, (int)(len < 40 ? len : 40), key);
        return false;
    }
    *v = arg(e, f, n);
    return !f->env->failed;
}
static struct value fill(const struct expr *e, struct frame *f, struct text *s, const struct object *map)
{
    struct buf out;
    const char *part;
    size_t len, at = 0, last = s->len;
    out_init(&out);
    while (last >= 2 && (s->bytes[last - 1] == '{' || s->bytes[last - 1] == '}') &&
           s->bytes[last - 2] == s->bytes[last - 1])
        last -= 2; /* empty parts at the end are none */
    for (bool is_key = false; at <= last && template_part(s, &at, &part, &len); is_key = !is_key) {
        struct value v = VALUE_NULL;
        if (is_key && map) {
            trim_key(&part, &len);
            map_object_get(map, value_text(text_scratch(f->env->scratch, part, len)), &v);
        } else if (is_key && !numbered_value(e, f, part, len, &v)) {
            buf_fini(&out);
            return VALUE_NULL;
        }
        if (is_null(v))
            buf_add(&out, part, len);
        else
            value_print(v, &out);
        if (at > last)
            break;
    }
    return result_buf(f, &out);
}
static struct value eval_fill_template(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    return s ? fill(e, f, s, NULL) : VALUE_NULL;
}
static struct value eval_fill_template_map(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    if (!s)
        return VALUE_NULL;
    struct value v = arg(e, f, 1);
    if (v.type != TYPE_OBJECT || !object_is_map(v.as.o))
        return fail_operand(f, e, v, "a map");
    return fill(e, f, s, v.as.o);
}

static int bind_coalesce(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    for (int i = 1; i < e->arg_count; i++)
        if (e->args[i]->type != e->type)
            return bind_error(c, call, i,
                              "all arguments must be of one type, but this is %s and the first is %s",
                              type_name(e->args[i]->type), type_name(e->type));
    return 0;
}

/* ---- with regular expressions ---- */

static struct value eval_regexp(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    struct regex *r = s ? arg_regex(e, f, 1) : NULL;
    return r ? value_bool(match_or_fail(f, e, r, s, 0, REGEX_WHOLE) > 0) : VALUE_NULL;
}

static struct value eval_substr_regex(const struct expr *e, struct frame *f)
{
    int32_t group = 0;
    struct text *s = arg_text(e, f, 0);
    struct regex *r = s ? arg_regex(e, f, 1) : NULL;
    if (!r || (e->arg_count == 3 && !arg_int(e, f, 2, &group)))
        return VALUE_NULL;
    int rc = match_or_fail(f, e, r, s, 0, REGEX_FIND);
    if (rc < 0)
        return VALUE_NULL;
    if (rc == 0)
        return result_text(f, "", 0);
    if (group < 0 || (uint32_t)group > r->groups)
        return expr_fail(f->env, "%s: the regular expression has no group %d", e->name, (int)group);
    size_t from = r->places[2 * group], to = r->places[2 * group + 1];
    return from == SIZE_MAX ? VALUE_NULL : result_text(f, s->bytes + from, to - from);
}

/* Where to look after a match from..to: an empty one moves on by a character. SIZE_MAX: nowhere. */
static size_t after_match(const struct text *s, size_t from, size_t to)
{
    if (to > from)
        return to;
    if (to >= s->len)
        return SIZE_MAX;
    next_code(s, &to);
    return to;
}

/* Appends the replacement for the match in r: $n, ${name}, \x. False after failing. */
static bool add_replacement(const struct expr *e, struct frame *f, struct buf *out, const struct regex *r,
                            const struct text *s, const struct text *with)
{
    for (uint32_t i = 0; i < with->len;) {
        char c = with->bytes[i++];
        if (c != '\\' && c != '$') {
            buf_add_char(out, c);
            continue;
        }
        if (i >= with->len) {
            expr_fail(f->env, "%s: the replacement ends with '%c'", e->name, c);
            return false;
        }
        if (c == '\\') {
            buf_add_char(out, with->bytes[i++]);
            continue;
        }
        int group = -1;
        if (with->bytes[i] == '{') {
            char name[64];
            size_t n = 0;
            for (i++; i < with->len && with->bytes[i] != '}' && n < sizeof(name) - 1; n++)
                name[n] = with->bytes[i++];
            name[n] = 0;
            if (i < with->len && with->bytes[i++] == '}')
                group = regex_group(r, name);
        } else if (with->bytes[i] >= '0' && with->bytes[i] <= '9') {
            group = with->bytes[i++] - '0';
            if ((uint32_t)group > r->groups)
                group = -1;
            while (group >= 0 && i < with->len && with->bytes[i] >= '0' && with->bytes[i] <= '9' &&
                   (uint32_t)(group * 10 + with->bytes[i] - '0') <= r->groups)
                group = group * 10 + (with->bytes[i++] - '0');
        }
        if (group < 0) {
            expr_fail(f->env, "%s: the replacement names a group that the regular expression has not",
                      e->name);
            return false;
        }
        if (r->places[2 * group] != SIZE_MAX)
            buf_add(out, s->bytes + r->places[2 * group], r->places[2 * group + 1] - r->places[2 * group]);
    }
    return true;
}

static struct value replace(const struct expr *e, struct frame *f, bool all)
{
    struct text *s = arg_text(e, f, 0);
    struct regex *r = s ? arg_regex(e, f, 1) : NULL;
    struct text *with = r ? arg_text(e, f, 2) : NULL;
    if (!with)
        return VALUE_NULL;
    struct buf out;
    size_t done = 0, at = 0;
    int rc = 0;
    out_init(&out);
    enum regex_how how = REGEX_FIND;
    while (at != SIZE_MAX && (rc = match_or_fail(f, e, r, s, at, how)) > 0) {
        how = REGEX_AGAIN;
        size_t from = r->places[0], to = r->places[1];
        buf_add(&out, s->bytes + done, from - done);
        if (!add_replacement(e, f, &out, r, s, with))
            rc = -1;
        done = to;
        at = after_match(s, from, to);
        if (!all || rc < 0)
            break;
    }
    if (rc < 0) {
        buf_fini(&out);
        return VALUE_NULL;
    }
    buf_add(&out, s->bytes + done, s->len - done);
    return result_buf(f, &out);
}
static struct value eval_replace_all(const struct expr *e, struct frame *f)
{
    return replace(e, f, true);
}
static struct value eval_replace_first(const struct expr *e, struct frame *f)
{
    return replace(e, f, false);
}

bool text_split(struct frame *f, const struct expr *e, struct regex *r, const struct text *s,
                struct split *out)
{
    size_t cap = 8, done = 0, at = 0;
    int rc = 0;
    *out = (struct split){arena_array(f->env->scratch, cap, sizeof(struct text *)), 0};
    for (enum regex_how how = REGEX_FIND;; how = REGEX_AGAIN) {
        rc = at == SIZE_MAX ? 0 : match_or_fail(f, e, r, s, at, how);
        if (rc < 0)
            return false;
        size_t from = rc ? r->places[0] : s->len, to = rc ? r->places[1] : s->len;
        at = rc ? after_match(s, from, to) : SIZE_MAX;
        if (rc && to == 0) /* no empty part from an empty match at the start */
            continue;
        if (out->count == cap) {
            struct text **more = arena_array(f->env->scratch, cap * 2, sizeof(struct text *));
            memcpy(more, out->parts, cap * sizeof(*more));
            out->parts = more;
            cap *= 2;
        }
        out->parts[out->count++] = text_scratch(f->env->scratch, s->bytes + done, from - done);
        done = to;
        if (!rc)
            break;
    }
    while (out->count > 1 && out->parts[out->count - 1]->len == 0)
        out->count--;
    if (out->count == 1 && done && out->parts[0]->len == 0 && s->len) /* separators alone: no parts */
        out->count = 0;
    return true;
}
static struct value eval_split(const struct expr *e, struct frame *f)
{
    int32_t n;
    struct split split;
    struct text *s = arg_text(e, f, 0);
    struct regex *r = s ? arg_regex(e, f, 1) : NULL;
    if (!r || !arg_int(e, f, 2, &n) || !text_split(f, e, r, s, &split))
        return VALUE_NULL;
    if (n < 0 || (size_t)n >= split.count)
        return expr_fail(f->env, "%s: there is no part %d, there are %zu", e->name, (int)n, split.count);
    return value_text(split.parts[n]);
}

static int bind_strict(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    return bind_regex(c, e, call, 1, true);
}
static int bind_loose(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    return bind_regex(c, e, call, 1, false);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_str[] = {
    {"str", "charAt", "si", TYPE_STRING, eval_char_at, NULL},
    {"str", "charFrequency", "ss", TYPE_LONG, eval_char_frequency, NULL},
    {"str", "coalesce", "aa*", TYPE_NULL, fn_coalesce, bind_coalesce},
    {"str", "concat", "aaa*", TYPE_STRING, eval_concat, NULL},
    {"str", "contains", "ss", TYPE_BOOL, eval_contains, NULL},
    {"str", "equalsIgnoreCase", "ss", TYPE_BOOL, eval_equals_ignore_case, NULL},
    {"str", "fillTemplate", "so", TYPE_STRING, eval_fill_template_map, NULL},
    {"str", "fillTemplate", "saa*", TYPE_STRING, eval_fill_template, NULL},
    {"str", "hex", "s", TYPE_STRING, eval_hex, NULL},
    {"str", "length", "s", TYPE_INT, eval_length, NULL},
    {"str", "locate", "ss?i", TYPE_INT, eval_locate, NULL},
    {"str", "lower", "s", TYPE_STRING, eval_lower, NULL},
    {"str", "regexp", "ss", TYPE_BOOL, eval_regexp, bind_strict},
    {"str", "repeat", "si", TYPE_STRING, eval_repeat, NULL},
    {"str", "replaceAll", "sss", TYPE_STRING, eval_replace_all, bind_loose},
    {"str", "replaceFirst", "sss", TYPE_STRING, eval_replace_first, bind_loose},
    {"str", "reverse", "s", TYPE_STRING, eval_reverse, NULL},
    {"str", "split", "ssi", TYPE_STRING, eval_split, bind_loose},
    {"str", "strcmp", "ss", TYPE_INT, eval_strcmp, NULL},
    {"str", "substr", "si?i", TYPE_STRING, eval_substr, NULL},
    {"str", "substr", "ss?i", TYPE_STRING, eval_substr_regex, bind_strict},
    {"str", "trim", "s", TYPE_STRING, eval_trim, NULL},
    {"str", "unhex", "s", TYPE_STRING, eval_unhex, NULL},
    {"str", "upper", "s", TYPE_STRING, eval_upper, NULL},
    {0},
};
