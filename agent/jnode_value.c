/* jnode_value.c - values of the language in JSON, as case files write them: a set is {"set":[..]}, a list an
 * array, a map an object; NaN and the infinities are strings. */
#include "agent/jnode.h"
#include "engine/base/num.h"
#include "engine/data/object.h"
#include <math.h>
#include <string.h>

static struct jnode *number_text(struct arena *a, const char *text, size_t len, enum type type, bool finite)
{
    struct jnode *n = jnode_string(a, text, len);
    if (finite) {
        n->kind = JNODE_NUMBER;
        n->type = type;
    }
    return n;
}

static struct jnode *of_map(struct arena *a, const struct object *map)
{
    struct jnode *n = jnode_new(a, JNODE_OBJECT);
    struct value key, v;
    struct buf text;
    buf_init(&text, SIZE_MAX);
    for (size_t at = 0; object_next(map, &at, &key, &v);) {
        buf_clear(&text);
        value_print(key, &text);
        jnode_put(n, arena_strndup(a, text.len ? text.bytes : "", text.len), jnode_of_value(a, v));
    }
    buf_fini(&text);
    return n;
}

static struct jnode *of_object(struct arena *a, const struct object *o)
{
    struct value key;
    if (object_is_map(o))
        return of_map(a, o);
    if (object_is_list(o)) {
        struct jnode *list = jnode_new(a, JNODE_ARRAY);
        for (size_t i = 0; i < list_count(o); i++)
            jnode_add(list, jnode_of_value(a, list_get(o, i)));
        return list;
    }
    if (object_is_set(o)) {
        struct jnode *set = jnode_new(a, JNODE_ARRAY);
        for (size_t at = 0; object_next(o, &at, &key, NULL);)
            jnode_add(set, jnode_of_value(a, key));
        struct jnode *n = jnode_new(a, JNODE_OBJECT);
        jnode_put(n, "set", set);
        return n;
    }
    struct buf text;
    buf_init(&text, SIZE_MAX);
    value_print(value_object((struct object *)(uintptr_t)o), &text);
    struct jnode *n = jnode_string(a, text.len ? text.bytes : "", text.len);
    buf_fini(&text);
    return n;
}

struct jnode *jnode_of_value(struct arena *a, struct value v)
{
    char text[NUM_TEXT_MAX];
    switch (v.type) {
    case TYPE_NULL:
        return jnode_new(a, JNODE_NULL);
    case TYPE_STRING:
        return jnode_string(a, v.as.s->bytes, v.as.s->len);
    case TYPE_INT:
    case TYPE_LONG:
        return number_text(a, text, num_print_long(text, v.as.l), v.type, true);
    case TYPE_FLOAT:
        return number_text(a, text, num_print_float(text, v.as.f), v.type, isfinite(v.as.f));
    case TYPE_DOUBLE:
        return number_text(a, text, num_print_double(text, v.as.d), v.type, isfinite(v.as.d));
    case TYPE_BOOL: {
        struct jnode *n = jnode_new(a, JNODE_BOOL);
        n->flag = v.as.l != 0;
        return n;
    }
    case TYPE_OBJECT:
        return of_object(a, v.as.o);
    }
    return jnode_new(a, JNODE_NULL);
}

struct jnode *jnode_of_row(struct arena *a, const struct row *r)
{
    struct jnode *n = jnode_new(a, JNODE_ARRAY);
    for (size_t i = 0; i < r->count; i++)
        jnode_add(n, jnode_of_value(a, row_get(r, i)));
    return n;
}

void jnode_print_row(const struct schema *s, const struct row *r, struct arena *scratch, struct buf *out)
{
    struct arena_mark mark = arena_mark(scratch);
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < s->count && i < r->count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        jnode_print_text(s->attributes[i].name, strlen(s->attributes[i].name), out);
        buf_add_char(out, ':');
        jnode_print(jnode_of_value(scratch, row_get(r, i)), out);
    }
    buf_add_char(out, '}');
    arena_reset(scratch, mark);
}

static bool to_number(const struct jnode *n, enum type type, struct value *out)
{
    int64_t l;
    double d;
    float f;
    bool is_text = n->kind == JNODE_STRING; /* "NaN", "Infinity", "-Infinity" */
    if (n->kind != JNODE_NUMBER && !is_text)
        return false;
    if (type == TYPE_FLOAT || type == TYPE_DOUBLE) {
        if (!num_parse_double(n->text, n->len, &d) || (is_text && isfinite(d)))
            return false;
        if (type == TYPE_FLOAT && !num_parse_float(n->text, n->len, &f))
            return false;
        *out = type == TYPE_FLOAT ? value_float(f) : value_double(d);
        return true;
    }
    if (is_text)
        return false;
    if (!num_parse_long(n->text, n->len, &l)) {
        if (!num_parse_double(n->text, n->len, &d) || d != nearbyint(d) || fabs(d) >= 0x1p63)
            return false;
        l = num_double_to_long(d);
    }
    if (type == TYPE_INT && (l < INT32_MIN || l > INT32_MAX))
        return false;
    *out = type == TYPE_INT ? value_int((int32_t)l) : value_long(l);
    return true;
}

/* What stands in a set, list or map has no declared type: whole numbers are int where they fit, else long;
 * others double. */
static bool to_any(const struct jnode *n, struct value *out)
{
    switch (n->kind) {
    case JNODE_STRING:
        return jnode_to_value(n, TYPE_STRING, out);
    case JNODE_BOOL:
        return jnode_to_value(n, TYPE_BOOL, out);
    case JNODE_NUMBER:
        if (memchr(n->text, '.', n->len) || memchr(n->text, 'e', n->len) || memchr(n->text, 'E', n->len))
            return to_number(n, TYPE_DOUBLE, out);
        return to_number(n, TYPE_INT, out) || to_number(n, TYPE_LONG, out) || to_number(n, TYPE_DOUBLE, out);
    default:
        return jnode_to_value(n, TYPE_OBJECT, out);
    }
}

static bool to_object(const struct jnode *n, struct value *out)
{
    const struct jnode *set = n->count == 1 ? jnode_get(n, "set") : NULL;
    bool is_set = set && set->kind == JNODE_ARRAY, is_map = n->kind == JNODE_OBJECT && !is_set;
    if (n->kind != JNODE_OBJECT && n->kind != JNODE_ARRAY)
        return false;
    struct object *o = is_set ? set_new() : is_map ? map_object_new() : list_new();
    for (const struct jnode *c = is_set ? set->first : n->first; c; c = c->next) {
        struct value v;
        if (!to_any(c, &v)) {
            value_drop(value_object(o));
            return false;
        }
        if (is_map) {
            struct value key = value_text(text_new(c->key, c->key_len));
            map_object_put(o, key, v);
            value_drop(key);
        } else if (is_set) {
            set_add(o, v);
        } else {
            list_add(o, v);
        }
        value_drop(v);
    }
    *out = value_object(o);
    return true;
}

bool jnode_to_value(const struct jnode *n, enum type type, struct value *out)
{
    if (n->kind == JNODE_NULL) {
        *out = VALUE_NULL;
        return true;
    }
    switch (type) {
    case TYPE_STRING:
        if (n->kind != JNODE_STRING)
            return false;
        *out = value_text(text_new(n->text, n->len));
        return true;
    case TYPE_BOOL:
        if (n->kind != JNODE_BOOL)
            return false;
        *out = value_bool(n->flag);
        return true;
    case TYPE_OBJECT:
        return n->kind == JNODE_ARRAY || n->kind == JNODE_OBJECT ? to_object(n, out) : to_any(n, out);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return to_number(n, type, out);
    case TYPE_NULL:
        break;
    }
    return false;
}
