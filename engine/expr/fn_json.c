/* fn_json.c - json: (spec 20 section 4). Each call reads its text into a tree in scratch; a literal path is
 * compiled with the app. */
#include "engine/expr/fn_json.h"
#include <strings.h>

struct json_node *arg_json(const struct expr *e, struct frame *f, int n)
{
    struct value v = arg(e, f, n);
    if (f->env->failed)
        return NULL;
    if (v.type == TYPE_STRING) {
        struct json_node *node = json_tree_read(f->env->scratch, v.as.s->bytes, v.as.s->len);
        if (!node)
            expr_fail(f->env, "%s: '%.60s' is no JSON", e->name, v.as.s->bytes);
        return node;
    }
    if (is_null(v)) {
        expr_fail(f->env, "%s got null as JSON", e->name);
        return NULL;
    }
    return json_tree_of(f->env->scratch, v);
}

const struct json_path *arg_path(const struct expr *e, struct frame *f, int n)
{
    char error[160];
    if (e->config)
        return e->config;
    const struct text *s = arg_text(e, f, n);
    if (!s)
        return NULL;
    const struct json_path *p = json_path_new(f->env->scratch, s->bytes, s->len, error, sizeof(error));
    if (!p)
        expr_fail(f->env, "%s: the path '%.60s' is wrong: %s", e->name, s->bytes, error);
    return p;
}
int bind_path(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)call;
    char error[160];
    if (e->args[1]->flags & EXPR_CONST) /* a wrong one fails each event */
        e->config = json_path_new(c->arena, arg_literal(e, 1).as.s->bytes, arg_literal(e, 1).as.s->len, error,
                                  sizeof(error));
    return 0;
}

struct value json_text(struct frame *f, const struct json_node *n)
{
    if (n->kind == NODE_NULL)
        return VALUE_NULL;
    if (n->kind == NODE_STRING)
        return n->v;
    struct buf out;
    buf_init(&out, LIMIT_RESULT_BYTES);
    json_tree_write(n, JSON_GSON, &out);
    return result_buf(f, &out);
}

/* What the path of arguments 0 and 1 leads to: one node, an indefinite path's a list of all. NULL: nothing,
 * or the event failed. */
static struct json_node *element(const struct expr *e, struct frame *f)
{
    struct json_found found;
    const struct json_path *p = arg_path(e, f, 1);
    struct json_node *root = p ? arg_json(e, f, 0) : NULL;
    if (!root)
        return NULL;
    json_path_find(f->env->scratch, p, root, &found);
    if (json_path_is_definite(p))
        return found.count ? found.nodes[0] : NULL;
    struct json_node *list = json_node_new(f->env->scratch, NODE_LIST);
    for (size_t i = 0; i < found.count; i++) {
        struct json_node *copy = json_node_new(f->env->scratch, NODE_NULL);
        *copy = *found.nodes[i];
        json_node_add(list, copy);
    }
    return list;
}
/* A list of one is that one; other lists are nothing. */
static struct json_node *single(struct json_node *n)
{
    if (!n || n->kind != NODE_LIST)
        return n;
    return n->count == 1 ? n->first : NULL;
}

static struct value eval_get_string(const struct expr *e, struct frame *f)
{
    struct json_node *n = element(e, f);
    return n ? json_text(f, n) : VALUE_NULL;
}
static struct value eval_get_number(const struct expr *e, struct frame *f)
{
    struct json_node *n = single(element(e, f));
    if (!n || n->kind >= NODE_LIST || n->kind <= NODE_BOOL)
        return VALUE_NULL;
    if (n->v.type == e->type)
        return n->v;
    if (n->raw)
        return value_convert(f->env, result_text(f, n->raw, n->raw_len), e->type);
    bool to_whole = e->type == TYPE_INT || e->type == TYPE_LONG;
    bool whole = n->v.type == TYPE_INT || n->v.type == TYPE_LONG;
    if (to_whole && n->kind == NODE_NUMBER && !whole)
        return VALUE_NULL; /* 2.5, and 1e3 too */
    if (n->kind == NODE_NUMBER && (!to_whole || e->type == TYPE_LONG)) {
        struct value v = n->v;
        number_convert(&v, e->type);
        return v;
    }
    return value_convert(f->env, value_text(text_of(f->env, n->v)), e->type);
}
static struct value eval_get_bool(const struct expr *e, struct frame *f)
{
    struct json_node *n = single(element(e, f));
    if (!n || n->kind >= NODE_LIST)
        return VALUE_NULL;
    if (n->kind == NODE_STRING)
        return value_bool(strcasecmp(n->v.as.s->bytes, "true") == 0);
    return value_bool(n->kind == NODE_BOOL && n->v.as.l);
}
static struct value eval_get_object(const struct expr *e, struct frame *f)
{
    struct json_node *n = element(e, f);
    if (n && n->kind == NODE_LIST && n->count == 1)
        n = n->first;
    return n ? json_tree_value(f->env, n) : VALUE_NULL;
}
static struct value eval_is_exists(const struct expr *e, struct frame *f)
{
    struct json_node *n = element(e, f);
    return value_bool(n != NULL);
}

/* ---- whole values ---- */

static struct value eval_to_object(const struct expr *e, struct frame *f)
{
    struct text *s = arg_text(e, f, 0);
    struct json_node *n = s ? json_tree_read(f->env->scratch, s->bytes, s->len) : NULL;
    return n ? json_tree_value(f->env, n) : VALUE_NULL;
}
static struct value eval_to_string(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0), twice = e->arg_count == 2 ? arg(e, f, 1) : value_bool(false);
    if (f->env->failed)
        return VALUE_NULL;
    if (is_null(v))
        return e->arg_count == 2 ? expr_fail(f->env, "json:toString got null as JSON")
                                 : result_text(f, "null", 4);
    if (twice.type != TYPE_BOOL)
        return fail_operand(f, e, twice, "a bool");
    struct buf out;
    buf_init(&out, LIMIT_RESULT_BYTES);
    json_tree_write(json_tree_of(f->env->scratch, v), JSON_GSON, &out);
    if (twice.as.l && !out.overflow) {
        struct buf quoted;
        buf_init(&quoted, LIMIT_RESULT_BYTES);
        json_tree_quote(out.bytes, out.len, JSON_GSON, &quoted);
        buf_fini(&out);
        return result_buf(f, &quoted);
    }
    return result_buf(f, &out);
}

/* ---- setElement ---- */

/* The value as a node to be put into a list or object: text that reads as an object or array becomes one.
 * NULL after failing the event. */
static struct json_node *element_to_put(const struct expr *e, struct frame *f, struct value v)
{
    if (is_null(v)) {
        expr_fail(f->env, "%s can't put null", e->name);
        return NULL;
    }
    if (v.type != TYPE_STRING)
        return json_tree_of(f->env->scratch, v);
    const struct text *s = v.as.s;
    struct json_node *n = NULL;
    if (s->len && (s->bytes[0] == '{' || s->bytes[0] == '['))
        n = json_tree_read_strict(f->env->scratch, s->bytes, s->len);
    else if (s->len > 1 && s->bytes[0] == '"' && s->bytes[s->len - 1] == '"')
        n = json_tree_of(f->env->scratch, v);
    else if (!strpbrk(s->bytes, "/\\;#={}[]:, \t\f\r\n\"'"))
        n = json_tree_of(f->env->scratch, v);
    if (!n)
        expr_fail(f->env, "%s: '%.60s' is no JSON", e->name, s->bytes);
    return n;
}
static void put_member(struct json_node *object, struct text *key, struct json_node *value)
{
    struct json_node *old = json_node_get(object, key->bytes, key->len);
    value->key = key;
    if (!old) {
        json_node_add(object, value);
        return;
    }
    value->next = old->next;
    *old = *value;
}
static void replace(struct json_node *old, const struct json_node *with)
{
    struct json_node *next = old->next;
    struct text *key = old->key;
    *old = *with;
    old->next = next;
    old->key = key;
}
static struct value eval_set_element(const struct expr *e, struct frame *f)
{
    struct json_found found;
    struct text *key = NULL;
    const struct json_path *p = arg_path(e, f, 1);
    struct json_node *root = p ? arg_json(e, f, 0) : NULL;
    if (!root || (e->arg_count == 4 && !(key = arg_text(e, f, 3))))
        return VALUE_NULL;
    struct value v = arg(e, f, 2);
    json_path_find(f->env->scratch, p, root, &found);
    for (size_t i = 0; i < found.count && !f->env->failed; i++) {
        struct json_node *target = found.nodes[i], *put;
        if (target->kind != NODE_LIST && !(key && target->kind == NODE_OBJECT)) {
            if (!key && target != root)
                replace(target, json_tree_of(f->env->scratch, v));
            continue;
        }
        put = element_to_put(e, f, v);
        if (put && target->kind == NODE_LIST)
            json_node_add(target, put);
        else if (put)
            put_member(target, key, put);
    }
    return f->env->failed ? VALUE_NULL : json_tree_value(f->env, root);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_json[] = {
    {"json", "getBool", "js", TYPE_BOOL, eval_get_bool, bind_path},
    {"json", "getDouble", "js", TYPE_DOUBLE, eval_get_number, bind_path},
    {"json", "getFloat", "js", TYPE_FLOAT, eval_get_number, bind_path},
    {"json", "getInt", "js", TYPE_INT, eval_get_number, bind_path},
    {"json", "getLong", "js", TYPE_LONG, eval_get_number, bind_path},
    {"json", "getObject", "js", TYPE_OBJECT, eval_get_object, bind_path},
    {"json", "getString", "js", TYPE_STRING, eval_get_string, bind_path},
    {"json", "isExists", "js", TYPE_BOOL, eval_is_exists, bind_path},
    {"json", "setElement", "jsa?s", TYPE_OBJECT, eval_set_element, bind_path},
    {"json", "toObject", "s", TYPE_OBJECT, eval_to_object, NULL},
    {"json", "toString", "j?b", TYPE_STRING, eval_to_string, NULL},
    {0},
};
