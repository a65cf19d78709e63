/* map_json_read.c - json's way in: text to rows (spec 21 sections 1.2 to 1.4).
 *
 * Default mapping is one pass: the scanner checks what it reads, values go from the text into the row. Custom
 * mapping is two: the whole message is checked, then the paths are walked. Nothing is emitted before the
 * whole text was found to be JSON. A function here returns 0, DROPPED (this event, words in e) or ERR_INVALID
 * (the whole message). */
#include "engine/base/map.h"
#include "engine/base/num.h"
#include "ports/map_json.h"
#include <string.h>
#include <strings.h>

enum { DROPPED = 1 };

struct reading {
    struct mapper *m;
    struct json_map *j;
    struct json_scan scan;
    int64_t now_ms;
    struct err *e;
    bool told; /* e is filled: the first words stay */
};

static int tell(struct reading *r, int rc, const char *what, const char *name)
{
    if (r->told)
        return rc;
    r->told = true;
    if (name)
        err_set(r->e, ERR_INVALID, "%s '%s' (byte %zu)", what, name, json_offset(&r->scan));
    else
        err_set(r->e, ERR_INVALID, "%s (byte %zu)", what, json_offset(&r->scan));
    return rc;
}

/* Why the scanner stopped: outranks what was told of events before. */
static int malformed(struct reading *r)
{
    return err_set(r->e, ERR_INVALID, "no JSON: %s (byte %zu)", r->scan.wrong, json_offset(&r->scan));
}

static int find_attribute(const struct reading *r, const struct json_token *name, uint32_t expected)
{
    const struct schema *s = r->m->schema;
    const char *bytes = name->bytes;
    size_t len = name->len;
    if (UNLIKELY(name->has_escapes)) {
        char *plain = arena_raw(&r->m->scratch, len);
        len = json_unescape(name, plain);
        bytes = plain;
    }
    if (LIKELY(expected < s->count && r->j->name_lens[expected] == len &&
               memcmp(s->attributes[expected].name, bytes, len) == 0))
        return (int)expected;
    for (uint32_t at = map_hash(bytes, len) & r->j->slot_mask; r->j->slots[at];
         at = (at + 1) & r->j->slot_mask) {
        int i = r->j->slots[at] - 1;
        if (r->j->name_lens[i] == len && memcmp(s->attributes[i].name, bytes, len) == 0)
            return i;
    }
    return -1;
}

static struct text *token_text(struct reading *r, const struct json_token *t)
{
    if (LIKELY(!t->has_escapes))
        return text_new(t->bytes, t->len);
    struct arena_mark mark = arena_mark(&r->m->scratch);
    char *plain = arena_raw(&r->m->scratch, t->len);
    struct text *text = text_new(plain, json_unescape(t, plain));
    arena_reset(&r->m->scratch, mark);
    return text;
}

/* ---- arrays and objects as text and as values ---- */

static void write_number(const struct json_token *t, struct buf *out)
{
    char number[NUM_TEXT_MAX];
    double d;
    if (t->kind == JSON_FRACTION && num_parse_double(t->bytes, t->len, &d))
        buf_add(out, number, num_print_double(number, d));
    else if (t->len == 2 && memcmp(t->bytes, "-0", 2) == 0)
        buf_add_char(out, '0');
    else
        buf_add(out, t->bytes, t->len);
}

static void write_name(struct reading *r, const struct json_token *t, struct buf *out)
{
    if (!t->has_escapes) {
        json_write_string(out, t->bytes, t->len);
        return;
    }
    struct arena_mark mark = arena_mark(&r->m->scratch);
    char *plain = arena_raw(&r->m->scratch, t->len);
    json_write_string(out, plain, json_unescape(t, plain));
    arena_reset(&r->m->scratch, mark);
}

/* Without blanks, numbers as Java writes them. t was just read from scan; recursion is bounded by its depth.
 */
static bool write_compact(struct reading *r, struct json_scan *scan, struct json_token *t, struct buf *out)
{
    struct json_token part;
    bool first = true, is_first = true;
    switch (t->kind) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        buf_add(out, t->bytes, t->len);
        return true;
    case JSON_INTEGER:
    case JSON_FRACTION:
        write_number(t, out);
        return true;
    case JSON_STRING:
        write_name(r, t, out);
        return true;
    case JSON_ARRAY:
        buf_add_char(out, '[');
        for (; json_element(scan, &first); is_first = false) {
            if (!is_first)
                buf_add_char(out, ',');
            if (!json_value(scan, &part) || !write_compact(r, scan, &part, out))
                return false;
        }
        buf_add_char(out, ']');
        return !scan->wrong;
    case JSON_OBJECT:
        buf_add_char(out, '{');
        for (; json_member(scan, &first, &part); is_first = false) {
            if (!is_first)
                buf_add_char(out, ',');
            write_name(r, &part, out);
            buf_add_char(out, ':');
            if (!json_value(scan, &part) || !write_compact(r, scan, &part, out))
                return false;
        }
        buf_add_char(out, '}');
        return !scan->wrong;
    }
    return false;
}

static struct value number_value(const struct json_token *t)
{
    int64_t l;
    double d = 0;
    if (t->kind == JSON_INTEGER && num_parse_long(t->bytes, t->len, &l))
        return l >= INT32_MIN && l <= INT32_MAX ? value_int((int32_t)l) : value_long(l);
    num_parse_double(t->bytes, t->len, &d);
    return value_double(d);
}

/* The value an object attribute gets of an array or object, owned; false: malformed. */
static bool read_object(struct reading *r, struct json_scan *scan, const struct json_token *t,
                        struct value *out)
{
    struct json_token part;
    struct value v, key;
    bool first = true;
    switch (t->kind) {
    case JSON_NULL:
        *out = VALUE_NULL;
        return true;
    case JSON_FALSE:
    case JSON_TRUE:
        *out = value_bool(t->kind == JSON_TRUE);
        return true;
    case JSON_INTEGER:
    case JSON_FRACTION:
        *out = number_value(t);
        return true;
    case JSON_STRING:
        *out = value_text(token_text(r, t));
        return true;
    case JSON_ARRAY:
        *out = value_object(list_new());
        while (json_element(scan, &first) && json_value(scan, &part) && read_object(r, scan, &part, &v)) {
            list_add(out->as.o, v);
            value_drop(v);
        }
        break;
    case JSON_OBJECT:
        *out = value_object(map_object_new());
        while (json_member(scan, &first, &part)) {
            key = value_text(token_text(r, &part));
            bool good = json_value(scan, &part) && read_object(r, scan, &part, &v);
            if (good) {
                map_object_put(out->as.o, key, v);
                value_drop(v);
            }
            value_drop(key);
            if (!good)
                break;
        }
        break;
    }
    if (!scan->wrong)
        return true;
    value_drop(*out);
    return false;
}

/* ---- default mapping, one object: strict types ---- */

static bool strict_string(struct reading *r, struct json_token *t, struct value *out)
{
    if (t->kind == JSON_ARRAY || t->kind == JSON_OBJECT) {
        struct buf text;
        buf_init(&text, SIZE_MAX);
        bool good = write_compact(r, &r->scan, t, &text);
        if (good)
            *out = value_text(text_new(text.bytes, text.len));
        buf_fini(&text);
        return good;
    }
    *out = value_text(token_text(r, t));
    return true;
}

static bool strict_object(struct reading *r, struct json_token *t, struct value *out)
{
    int32_t i;
    float f;
    if (t->kind == JSON_INTEGER) {
        if (!num_parse_int(t->bytes, t->len, &i))
            return false;
        *out = value_int(i);
        return true;
    }
    if (t->kind == JSON_FRACTION) {
        if (!num_parse_float(t->bytes, t->len, &f))
            return false;
        *out = value_float(f);
        return true;
    }
    return read_object(r, &r->scan, t, out);
}

/* false: not of the type, or (scan.wrong) malformed. */
static bool strict_value(struct reading *r, enum type type, struct json_token *t, struct value *out)
{
    int32_t i;
    int64_t l;
    float f;
    double d;
    if (t->kind == JSON_NULL) {
        *out = VALUE_NULL;
        return true;
    }
    switch (type) {
    case TYPE_BOOL:
        *out = value_bool(t->kind == JSON_TRUE);
        return t->kind == JSON_TRUE || t->kind == JSON_FALSE;
    case TYPE_INT:
        if (t->kind != JSON_INTEGER || !num_parse_int(t->bytes, t->len, &i))
            return false;
        *out = value_int(i);
        return true;
    case TYPE_LONG:
        if (t->kind != JSON_INTEGER || !num_parse_long(t->bytes, t->len, &l))
            return false;
        *out = value_long(l);
        return true;
    case TYPE_FLOAT:
        if ((t->kind != JSON_INTEGER && t->kind != JSON_FRACTION) || !num_parse_float(t->bytes, t->len, &f))
            return false;
        *out = value_float(f);
        return true;
    case TYPE_DOUBLE:
        if (t->kind != JSON_FRACTION || !num_parse_double(t->bytes, t->len, &d))
            return false;
        *out = value_double(d);
        return true;
    case TYPE_STRING:
        return strict_string(r, t, out);
    case TYPE_OBJECT:
        return strict_object(r, t, out);
    case TYPE_NULL:
        break;
    }
    return false;
}

/* {"event":{..}}: the first member, its name in any case, its value an object. */
static bool is_wrapper(const struct json_token *name, const struct json_token *t)
{
    return t->kind == JSON_OBJECT && name->len == 5 && strncasecmp(name->bytes, "event", 5) == 0;
}

/* Members up to the closing bracket. name and t: the first one, read already, or name NULL. */
static int read_members(struct reading *r, struct row *row, const struct json_token *name,
                        struct json_token *t, bool *first, uint32_t *count)
{
    struct json_token next;
    struct value v;
    uint32_t expected = 0;
    *count = 0;
    for (;;) {
        if (!name) {
            if (!json_member(&r->scan, first, &next))
                break;
            name = &next;
            if (!json_value(&r->scan, t))
                break;
        }
        int i = find_attribute(r, name, expected);
        if (i < 0)
            return tell(r, ERR_INVALID, "the stream has no attribute",
                        arena_strndup(&r->m->scratch, name->bytes, name->len < 64 ? name->len : 64));
        const struct attribute *a = &r->m->schema->attributes[i];
        if (r->j->seen[i] == r->j->serial)
            return tell(r, ERR_INVALID, "there for the second time:", a->name);
        r->j->seen[i] = r->j->serial;
        if (!strict_value(r, a->type, t, &v))
            return r->scan.wrong ? malformed(r) : tell(r, ERR_INVALID, type_name(a->type), a->name);
        row_set_take(row, (size_t)i, v);
        ++*count;
        expected = (uint32_t)i + 1;
        name = NULL;
    }
    return r->scan.wrong ? malformed(r) : 0;
}

/* Its bracket was read. */
static int read_single(struct reading *r, struct row *row)
{
    struct json_token name, t;
    bool first = true, inner_first = true, has_member, wrapped = false;
    uint32_t count = 0;
    int rc = 0;
    r->j->serial++;
    has_member = json_member(&r->scan, &first, &name);
    if (r->scan.wrong || (has_member && !json_value(&r->scan, &t)))
        return malformed(r);
    if (has_member) {
        wrapped = is_wrapper(&name, &t);
        rc = read_members(r, row, wrapped ? NULL : &name, &t, wrapped ? &inner_first : &first, &count);
    }
    if (rc == 0 && wrapped && json_member(&r->scan, &first, &name))
        return tell(r, ERR_INVALID, "a member behind 'event'", NULL);
    if (rc == 0 && !json_end(&r->scan))
        return malformed(r);
    if (rc == 0 && count < r->m->schema->count && r->m->fail_on_missing)
        return tell(r, ERR_INVALID, "an attribute is missing", NULL);
    return rc;
}

/* ---- default mapping, array: values from their text ---- */

/* false: it does not fit. */
static bool lenient_value(struct reading *r, size_t i, struct row *row, const struct json_token *t)
{
    switch (t->kind) {
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return false;
    case JSON_STRING:
        if (t->has_escapes) {
            char *plain = arena_raw(&r->m->scratch, t->len);
            return map_set_scalar(r->m, row, i, plain, json_unescape(t, plain));
        }
        break;
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_INTEGER:
    case JSON_FRACTION:
        break;
    }
    return map_set_scalar(r->m, row, i, t->bytes, t->len);
}

struct element {
    struct row *row;
    uint32_t count; /* members; a name of the stream once */
    bool wrapped;
    const char *unfit; /* attribute whose value does not fit: fails the message if the element is used */
};

static void element_reset(struct reading *r, struct element *el)
{
    if (el->row)
        row_unref(el->row);
    *el = (struct element){.row = row_new(r->m->schema->count, r->now_ms)};
    r->j->serial++;
}

/* Members of the element or of the event in it. */
static int read_element_members(struct reading *r, struct element *el)
{
    struct json_token name, t;
    bool first = true;
    uint32_t expected = 0;
    while (json_member(&r->scan, &first, &name)) {
        if (!json_value(&r->scan, &t))
            break;
        if (UNLIKELY(!el->wrapped && json_is(&name, "event", 5))) {
            if (t.kind == JSON_OBJECT) {
                element_reset(r, el);
                el->wrapped = true;
                int rc = read_element_members(r, el);
                struct json_token outer = {.kind = JSON_OBJECT};
                bool good = rc == 0;
                while (good && json_member(&r->scan, &first, &outer))
                    good = json_value(&r->scan, &outer) && json_skip(&r->scan, &outer);
                return r->scan.wrong ? malformed(r) : rc;
            }
            if (schema_find(r->m->schema, "event") < 0)
                return tell(r, ERR_INVALID, "'event' is no object", NULL);
        }
        int i = find_attribute(r, &name, expected);
        if (i >= 0) {
            expected = (uint32_t)i + 1;
            el->count += r->j->seen[i] != r->j->serial;
            r->j->seen[i] = r->j->serial;
            if (!lenient_value(r, (size_t)i, el->row, &t) && !el->unfit)
                el->unfit = r->m->schema->attributes[i].name;
        } else {
            el->count++;
        }
        if (!json_skip(&r->scan, &t))
            break;
    }
    return r->scan.wrong ? malformed(r) : 0;
}

static int read_element(struct reading *r, struct map_rows *list)
{
    struct json_token t;
    if (!json_value(&r->scan, &t))
        return malformed(r);
    if (t.kind != JSON_OBJECT)
        return tell(r, ERR_INVALID, "an element is no object", NULL);
    struct element el = {0};
    element_reset(r, &el);
    int rc = read_element_members(r, &el);
    if (rc == 0 && el.count < r->m->schema->count && (r->m->fail_on_missing || !el.wrapped))
        rc = tell(r, DROPPED, "an attribute is missing", NULL);
    else if (rc == 0 && el.unfit)
        rc = tell(r, ERR_INVALID, "the value does not fit:", el.unfit);
    if (rc == 0)
        map_rows_add(list, el.row);
    else
        row_unref(el.row);
    return rc;
}

static int read_array(struct reading *r, struct map_rows *list)
{
    bool first = true;
    int rc = 0;
    while (json_element(&r->scan, &first)) {
        int one = read_element(r, list);
        if (one < 0)
            return one;
        if (one == DROPPED) {
            map_rows_skip(list);
            rc = DROPPED;
        }
    }
    if (r->scan.wrong || !json_end(&r->scan))
        return malformed(r);
    return rc;
}

/* ---- custom mapping ---- */

struct capture {
    struct json_token token; /* the last found */
    bool found;
    struct buf all; /* several are possible: an array's text */
};
struct capturing {
    struct reading *r;
    struct capture *captures;
};

static void capture(void *user, int which, const struct json_token *t)
{
    struct capturing *c = user;
    struct capture *to = &c->captures[which];
    to->token = *t;
    if (!c->r->j->paths[which]->is_definite) {
        struct json_scan scan;
        struct json_token again;
        buf_add_char(&to->all, to->found ? ',' : '[');
        json_scan_token(&scan, t);
        if (json_value(&scan, &again))
            write_compact(c->r, &scan, &again, &to->all);
    }
    to->found = true;
}

/* An array or object, or all that a path with several results found, as text. */
static bool set_compact(struct reading *r, struct row *row, size_t i, struct capture *c)
{
    struct json_scan scan;
    struct json_token t;
    if (r->j->paths[i]->is_definite) {
        json_scan_token(&scan, &c->token);
        if (!json_value(&scan, &t) || !write_compact(r, &scan, &t, &c->all))
            return false;
    } else {
        buf_add_str(&c->all, c->found ? "]" : "[]");
    }
    return map_set_scalar(r->m, row, i, c->all.bytes, c->all.len);
}

static bool set_custom(struct reading *r, struct row *row, size_t i, struct capture *c)
{
    const struct json_token *t = &c->token;
    enum type type = r->m->schema->attributes[i].type;
    if (!r->j->paths[i]->is_definite)
        return set_compact(r, row, i, c);
    switch (t->kind) {
    case JSON_NULL:
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return set_compact(r, row, i, c);
    case JSON_FRACTION: /* by way of a double */
        if (type == TYPE_STRING || type == TYPE_OBJECT) {
            char number[NUM_TEXT_MAX];
            double d = 0;
            num_parse_double(t->bytes, t->len, &d);
            return map_set_scalar(r->m, row, i, number, num_print_double(number, d));
        }
        return type != TYPE_INT && type != TYPE_LONG && map_set_scalar(r->m, row, i, t->bytes, t->len);
    case JSON_INTEGER:
        if (t->len == 2 && memcmp(t->bytes, "-0", 2) == 0)
            return map_set_scalar(r->m, row, i, "0", 1);
        return map_set_scalar(r->m, row, i, t->bytes, t->len);
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_STRING:
        return lenient_value(r, i, row, t);
    }
    return false;
}

static int set_columns(struct reading *r, struct row *row, struct capture *captures)
{
    for (uint32_t i = 0; i < r->m->schema->count; i++) {
        if (map_is_transport(r->m, i))
            continue;
        if (!captures[i].found && r->j->paths[i]->is_definite) {
            if (r->m->fail_on_missing)
                return tell(r, DROPPED, "nothing stands at", r->m->fields[i].expr);
        } else if (!set_custom(r, row, i, &captures[i])) {
            return tell(r, ERR_INVALID, "the value does not fit:", r->m->fields[i].expr);
        }
    }
    return 0;
}

static int read_custom_event(struct reading *r, struct map_rows *list, const struct json_token *event,
                             struct capture *captures)
{
    uint32_t count = r->m->schema->count;
    for (uint32_t i = 0; i < count; i++)
        captures[i].found = false;
    struct arena_mark mark = arena_mark(&r->m->scratch);
    struct capturing c = {.r = r, .captures = captures};
    map_path_find(r->j->paths, (int)count, event, &r->m->scratch, capture, &c);
    struct row *row = map_row_new(r->m, r->now_ms);
    int rc = set_columns(r, row, captures);
    arena_reset(&r->m->scratch, mark);
    for (uint32_t i = 0; i < count; i++)
        buf_clear(&captures[i].all);
    if (rc == 0)
        map_rows_add(list, row);
    else
        row_unref(row);
    return rc;
}

struct events { /* what enclosing.element found */
    struct arena *scratch;
    struct json_token *tokens;
    uint32_t count, cap;
};

static void add_event(void *user, int which, const struct json_token *t)
{
    (void)which;
    struct events *ev = user;
    if (ev->count == ev->cap) {
        uint32_t cap = ev->cap ? ev->cap * 2 : 8;
        struct json_token *tokens = arena_raw(ev->scratch, cap * sizeof(*tokens));
        if (ev->count > 0)
            memcpy(tokens, ev->tokens, ev->count * sizeof(*tokens));
        ev->tokens = tokens;
        ev->cap = cap;
    }
    ev->tokens[ev->count++] = *t;
}

static int read_custom_events(struct reading *r, struct map_rows *list, const struct json_token *root,
                              struct capture *captures, bool *is_array)
{
    struct events ev = {.scratch = &r->m->scratch};
    if (r->j->enclosing)
        map_path_find(&r->j->enclosing, 1, root, &r->m->scratch, add_event, &ev);
    else
        add_event(&ev, 0, root);
    int rc = 0;
    bool is_definite = !r->j->enclosing || r->j->enclosing->is_definite;
    if (ev.count == 0 || (is_definite && ev.tokens[ev.count - 1].kind == JSON_NULL))
        return tell(r, ERR_INVALID, "the enclosing element is not there", NULL);
    if (!is_definite) {
        *is_array = true;
        for (uint32_t i = 0; i < ev.count && rc >= 0; i++) {
            int one = read_custom_event(r, list, &ev.tokens[i], captures);
            if (one == DROPPED)
                map_rows_skip(list);
            rc = one != 0 ? one : rc;
        }
        return rc;
    }
    struct json_token event = ev.tokens[ev.count - 1];
    if (event.kind != JSON_ARRAY)
        return read_custom_event(r, list, &event, captures);
    *is_array = true;
    struct json_scan scan;
    struct json_token element;
    bool first = true;
    json_scan_token(&scan, &event);
    json_value(&scan, &element);
    while (rc >= 0 && json_element(&scan, &first) && json_value(&scan, &element) &&
           json_skip(&scan, &element)) {
        int one = read_custom_event(r, list, &element, captures);
        if (one == DROPPED)
            map_rows_skip(list);
        rc = one != 0 ? one : rc;
    }
    return rc;
}

/* root's beginning was read. */
static int read_custom(struct reading *r, struct map_rows *list, struct json_token *root, bool *is_array)
{
    if (!json_skip(&r->scan, root) || !json_end(&r->scan))
        return malformed(r);
    uint32_t count = r->m->schema->count;
    struct capture *captures = arena_array(&r->m->scratch, count, sizeof(*captures));
    for (uint32_t i = 0; i < count; i++)
        buf_init(&captures[i].all, SIZE_MAX);
    int rc = read_custom_events(r, list, root, captures, is_array);
    for (uint32_t i = 0; i < count; i++)
        buf_fini(&captures[i].all);
    return rc;
}

/* ---- the door ---- */

int json_read(struct mapper *m, const struct payload *in, const struct property *properties,
              int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    if (in->kind != PAYLOAD_TEXT && in->kind != PAYLOAD_BYTES)
        return err_set(e, ERR_INVALID, "text was expected, not events or a map");
    struct reading r = {.m = m, .j = m->self, .now_ms = now_ms, .e = e};
    struct json_token root;
    json_scan_init(&r.scan, in->bytes, in->len);
    if (!json_value(&r.scan, &root))
        return malformed(&r);
    struct map_rows list = {.m = m};
    bool is_array = root.kind == JSON_ARRAY;
    int rc;
    if (m->fields) {
        is_array = false;
        rc = read_custom(&r, &list, &root, &is_array);
    } else if (root.kind == JSON_ARRAY) {
        rc = read_array(&r, &list);
    } else if (root.kind == JSON_OBJECT) {
        struct row *row = row_new(m->schema->count, now_ms);
        rc = read_single(&r, row);
        if (rc < 0) {
            row_unref(row);
            return rc;
        }
        emit(user, &row, 1, false);
        return rc;
    } else {
        return tell(&r, ERR_INVALID, "an object or an array of objects was expected", NULL);
    }
    if (rc < 0) {
        map_rows_drop(&list);
        return rc;
    }
    map_rows_emit(&list, is_array && r.j->grouping, emit, user);
    return rc == 0 ? 0 : ERR_INVALID;
}
