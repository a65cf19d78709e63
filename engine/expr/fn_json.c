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
        struct json_node *node =
            v.as.s->len ? json_tree_read(f->env->scratch, v.as.s->bytes, v.as.s->len) : NULL;
        if (node && node->kind != NODE_NULL)
            return node;
        expr_fail(f->env, "%s: '%.60s' is no JSON", e->name, v.as.s->bytes);
        return NULL;
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

struct value json_written(struct frame *f, const struct json_node *n)
{
    struct buf out;
    if (!json_tree_is_finite(n))
        return expr_fail(f->env, "JSON has no NaN and no infinity");
    buf_init(&out, LIMIT_RESULT_BYTES);
    json_tree_write(n, JSON_GSON, &out);
    return result_buf(f, &out);
}
struct value json_text(struct frame *f, const struct json_node *n)
{
    if (n->kind == NODE_NULL)
        return VALUE_NULL;
    return n->kind == NODE_STRING ? n->v : json_written(f, n);
}

static struct value fail_path(const struct expr *e, struct frame *f)
{
    return expr_fail(f->env, "%s: the path asks for something that this JSON has not", e->name);
}
struct json_node *arg_element(const struct expr *e, struct frame *f)
{
    bool wrong;
    const struct json_path *p = arg_path(e, f, 1);
    struct json_node *root = p ? arg_json(e, f, 0) : NULL;
    struct json_node *n = root ? json_path_value(f->env->scratch, p, root, &wrong) : NULL;
    if (root && wrong)
        fail_path(e, f);
    return n;
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
    struct json_node *n = arg_element(e, f);
    return n ? json_text(f, n) : VALUE_NULL;
}
static struct value eval_get_number(const struct expr *e, struct frame *f)
{
    struct json_node *n = single(arg_element(e, f));
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
    struct json_node *n = single(arg_element(e, f));
    if (!n || n->kind >= NODE_LIST)
        return VALUE_NULL;
    if (n->kind == NODE_STRING)
        return value_bool(strcasecmp(n->v.as.s->bytes, "true") == 0);
    return value_bool(n->kind == NODE_BOOL && n->v.as.l);
}
static struct value eval_get_object(const struct expr *e, struct frame *f)
{
    struct json_node *n = arg_element(e, f);
    if (n && n->kind == NODE_LIST && n->count == 1)
        n = n->first;
    return n ? json_tree_value(f->env, n) : VALUE_NULL;
}
static struct value eval_is_exists(const struct expr *e, struct frame *f)
{
    struct json_node *n = arg_element(e, f);
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
    v = json_written(f, json_tree_of(f->env->scratch, v));
    return twice.as.l && !f->env->failed ? json_written(f, json_tree_of(f->env->scratch, v)) : v;
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
    size_t from = 0, to = s->len;
    while (from < to && strchr(" \t\n\r", s->bytes[from]))
        from++;
    while (to > from && strchr(" \t\n\r", s->bytes[to - 1]))
        to--;
    const struct text *word = text_scratch(f->env->scratch, s->bytes + from, to - from);
    char quote = word->bytes[0];
    if (quote == '{' || quote == '[')
        n = json_tree_read_strict(f->env->scratch, word->bytes, word->len);
    else if (word->len > 1 && (quote == '"' || quote == '\'') && word->bytes[word->len - 1] == quote)
        n = json_tree_of(f->env->scratch, v);
    else if (!strpbrk(word->bytes, "/\\;#={}[]:, \t\f\r\n\"'"))
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
/* Appends to each list found, up to something else; null is passed by. */
static void append_to(struct json_found *found, struct arena *a, const struct json_node *put)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->nodes[i]->kind == NODE_NULL)
            continue;
        if (found->nodes[i]->kind != NODE_LIST)
            return;
        struct json_node *copy = json_node_new(a, NODE_NULL);
        *copy = *put;
        json_node_add(found->nodes[i], copy);
    }
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
    if (found.wrong)
        return fail_path(e, f);
    struct json_node *target = found.count && !found.missing ? found.nodes[0] : NULL;
    bool is_list = json_path_is_definite(p) ? target && target->kind == NODE_LIST : !found.missing;
    struct json_node *put = (is_list || key) && !f->env->failed ? element_to_put(e, f, v) : NULL;
    if (key && !is_list && !key->len)
        return expr_fail(f->env, "%s: a member's key must not be empty", e->name);
    if (f->env->failed)
        return VALUE_NULL;
    if (is_list)
        append_to(&found, f->env->scratch, put);
    else if (key && target && target->kind == NODE_OBJECT)
        put_member(target, key, put);
    else if (!key && target && target != root)
        json_node_replace(target, json_tree_of(f->env->scratch, v));
    return json_tree_value(f->env, root);
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
