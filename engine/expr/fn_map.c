/* fn_map.c - map: (spec 20 section 6). Maps keep the order in which keys came. */
#include "engine/expr/fn_object.h"
#include "engine/expr/json_tree.h"
#include <math.h>

static struct value eval_create(const struct expr *e, struct frame *f)
{
    struct object *map = map_object_new();
    struct value result = expr_loose(f->env, map);
    for (int i = 0; i + 1 < e->arg_count; i += 2) {
        struct value key = arg(e, f, i), v = arg(e, f, i + 1);
        map_object_put(map, key, v);
    }
    return result;
}
static int bind_create(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    if (e->arg_count % 2)
        return bind_error(c, call, e->arg_count - 1, "a key without a value");
    return 0;
}
static struct value eval_clone(const struct expr *e, struct frame *f)
{
    struct object *map = arg_map(e, f, 0);
    return map ? expr_loose(f->env, map_object_copy(map)) : VALUE_NULL;
}

/* ---- reading ---- */

static struct value eval_get(const struct expr *e, struct frame *f)
{
    struct value v;
    struct object *map = arg_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    if (map_object_get(map, arg(e, f, 1), &v))
        return v;
    return e->arg_count == 3 ? arg(e, f, 2) : VALUE_NULL;
}
static struct value eval_contains_key(const struct expr *e, struct frame *f)
{
    struct value v;
    struct object *map = arg_map(e, f, 0);
    return map ? value_bool(map_object_get(map, arg(e, f, 1), &v)) : VALUE_NULL;
}
static struct value eval_contains_value(const struct expr *e, struct frame *f)
{
    struct value key, v;
    struct object *map = arg_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    struct value wanted = arg(e, f, 1);
    for (size_t at = 0; object_next(map, &at, &key, &v);)
        if (value_same(v, wanted))
            return value_bool(true);
    return value_bool(false);
}
static struct value eval_size(const struct expr *e, struct frame *f)
{
    struct object *map = arg_map(e, f, 0);
    return map ? value_int((int32_t)object_count(map)) : VALUE_NULL;
}
static struct value eval_is_empty(const struct expr *e, struct frame *f)
{
    struct object *map = arg_map(e, f, 0);
    return map ? value_bool(object_count(map) == 0) : VALUE_NULL;
}
static struct value eval_is_map(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    return value_bool(v.type == TYPE_OBJECT && object_is_map(v.as.o));
}
static struct value to_list(const struct expr *e, struct frame *f, bool keys)
{
    struct value key, v;
    struct object *map = arg_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    struct object *list = list_new();
    for (size_t at = 0; object_next(map, &at, &key, &v);)
        list_add(list, keys ? key : v);
    return expr_loose(f->env, list);
}
static struct value eval_keys(const struct expr *e, struct frame *f)
{
    return to_list(e, f, true);
}
static struct value eval_values(const struct expr *e, struct frame *f)
{
    return to_list(e, f, false);
}

/* ---- changing ---- */

enum put_when { PUT_ALWAYS, PUT_ABSENT, PUT_PRESENT };
static void put_when(struct object *map, struct value key, struct value v, enum put_when when)
{
    struct value old;
    bool present = map_object_get(map, key, &old);
    if (when == PUT_ALWAYS || (when == PUT_PRESENT) == present ||
        (when == PUT_ABSENT && present && is_null(old)))
        map_object_put(map, key, v);
}
static struct value put_one(const struct expr *e, struct frame *f, enum put_when when)
{
    struct object *map = arg_own_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    struct value key = arg(e, f, 1), v = arg(e, f, 2);
    put_when(map, key, v, when);
    return value_object(map);
}
static struct value put_all(const struct expr *e, struct frame *f, enum put_when when)
{
    struct value key, v;
    struct object *map = arg_own_map(e, f, 0), *from = map ? arg_map(e, f, 1) : NULL;
    if (!from)
        return VALUE_NULL;
    for (size_t at = 0; from != map && object_next(from, &at, &key, &v);)
        put_when(map, key, v, when);
    return value_object(map);
}
static struct value eval_put(const struct expr *e, struct frame *f)
{
    return put_one(e, f, PUT_ALWAYS);
}
static struct value eval_put_if_absent(const struct expr *e, struct frame *f)
{
    return put_one(e, f, PUT_ABSENT);
}
static struct value eval_replace(const struct expr *e, struct frame *f)
{
    return put_one(e, f, PUT_PRESENT);
}
static struct value eval_put_all(const struct expr *e, struct frame *f)
{
    return put_all(e, f, PUT_ALWAYS);
}
static struct value eval_replace_all(const struct expr *e, struct frame *f)
{
    return put_all(e, f, PUT_PRESENT);
}
static struct value eval_remove(const struct expr *e, struct frame *f)
{
    struct object *map = arg_own_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    map_object_remove(map, arg(e, f, 1));
    return value_object(map);
}
static struct value eval_clear(const struct expr *e, struct frame *f)
{
    return arg_map(e, f, 0) ? expr_loose(f->env, map_object_new()) : VALUE_NULL;
}

/* key -> list of its values in all maps, null where it is missing */
static struct value eval_combine(const struct expr *e, struct frame *f)
{
    struct object *combined = map_object_new();
    struct value result = expr_loose(f->env, combined), key, v, list;
    for (int i = 0; i < e->arg_count; i++) {
        struct object *map = arg_map(e, f, i);
        if (!map)
            return VALUE_NULL;
        for (size_t at = 0; object_next(map, &at, &key, &v);) {
            if (!map_object_get(combined, key, &list)) {
                list = value_object(list_new());
                for (int k = 0; k < e->arg_count; k++)
                    list_add(list.as.o, VALUE_NULL);
                map_object_put(combined, key, list);
                value_drop(list); /* the map keeps it */
            }
            list_set(list.as.o, (size_t)i, v);
        }
    }
    return result;
}

/* ---- text ---- */

static struct value eval_create_from_json(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    if (!s)
        return VALUE_NULL;
    struct json_node *n = json_tree_read_wide(f->env->scratch, s->bytes, s->len);
    if (!n || n->kind != NODE_OBJECT)
        return expr_fail(f->env, "%s: '%.60s' is no JSON object", e->name, s->bytes);
    return json_tree_value(f->env, n);
}
static bool has_null_key(const struct object *map)
{
    struct value key, v;
    for (size_t at = 0; object_next(map, &at, &key, &v);)
        if (is_null(key))
            return true;
    return false;
}
static bool has_odd_number(const struct json_node *n)
{
    if (n->kind == NODE_NUMBER)
        return !isfinite(value_to_double(n->v));
    for (const struct json_node *child = n->first; child; child = child->next)
        if (has_odd_number(child))
            return true;
    return false;
}
static struct value eval_to_json(const struct expr *e, struct frame *f)
{
    struct object *map = arg_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    struct json_node *n = json_tree_of(f->env->scratch, value_object(map));
    if (has_odd_number(n) || has_null_key(map))
        return VALUE_NULL;
    struct buf out;
    buf_init(&out, LIMIT_RESULT_BYTES);
    json_tree_write(n, JSON_ORG, &out);
    return result_buf(f, &out);
}

static bool print_xml(const struct object *map, struct buf *out)
{
    struct value key, v;
    for (size_t at = 0; object_next(map, &at, &key, &v);) {
        if (is_null(v) || is_null(key))
            return false;
        buf_add_char(out, '<');
        value_print(key, out);
        buf_add_char(out, '>');
        if (v.type == TYPE_OBJECT && object_is_map(v.as.o)) {
            if (!print_xml(v.as.o, out))
                return false;
        } else {
            value_print(v, out);
        }
        buf_add_str(out, "</");
        value_print(key, out);
        buf_add_char(out, '>');
    }
    return true;
}
static struct value eval_to_xml(const struct expr *e, struct frame *f)
{
    struct object *map = arg_map(e, f, 0);
    if (!map)
        return VALUE_NULL;
    struct buf out;
    const char *root = e->arg_count == 2 ? arg_literal(e, 1).as.s->bytes : NULL;
    buf_init(&out, LIMIT_RESULT_BYTES);
    if (root)
        buf_printf(&out, "<%s>", root);
    if (!print_xml(map, &out)) {
        buf_fini(&out);
        return expr_fail(f->env, "%s: a key or a value is null", e->name);
    }
    if (root)
        buf_printf(&out, "</%s>", root);
    return result_buf(f, &out);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_map[] = {
    {"map", "clear", "o", TYPE_OBJECT, eval_clear, NULL},
    {"map", "clone", "o", TYPE_OBJECT, eval_clone, NULL},
    {"map", "combineByKey", "ooo*", TYPE_OBJECT, eval_combine, NULL},
    {"map", "containsKey", "oa", TYPE_BOOL, eval_contains_key, NULL},
    {"map", "containsValue", "oa", TYPE_BOOL, eval_contains_value, NULL},
    {"map", "create", "a*", TYPE_OBJECT, eval_create, bind_create},
    {"map", "createFromJSON", "s", TYPE_OBJECT, eval_create_from_json, NULL},
    {"map", "get", "oa?a", TYPE_OBJECT, eval_get, NULL},
    {"map", "isEmpty", "o", TYPE_BOOL, eval_is_empty, NULL},
    {"map", "isMap", "a", TYPE_BOOL, eval_is_map, NULL},
    {"map", "keys", "o", TYPE_OBJECT, eval_keys, NULL},
    {"map", "put", "oaa", TYPE_OBJECT, eval_put, NULL},
    {"map", "putAll", "oo", TYPE_OBJECT, eval_put_all, NULL},
    {"map", "putIfAbsent", "oaa", TYPE_OBJECT, eval_put_if_absent, NULL},
    {"map", "remove", "oa", TYPE_OBJECT, eval_remove, NULL},
    {"map", "replace", "oaa", TYPE_OBJECT, eval_replace, NULL},
    {"map", "replaceAll", "oo", TYPE_OBJECT, eval_replace_all, NULL},
    {"map", "size", "o", TYPE_INT, eval_size, NULL},
    {"map", "toJSON", "o", TYPE_STRING, eval_to_json, NULL},
    {"map", "toXML", "o?S", TYPE_STRING, eval_to_xml, NULL},
    {"map", "values", "o", TYPE_OBJECT, eval_values, NULL},
    {0},
};
