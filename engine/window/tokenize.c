/* tokenize.c - #str:tokenize, #list:tokenize, #map:tokenize, #json:tokenize, #json:tokenizeAsObject (spec 20
 * sections 1, 4, 5, 6): an event for each part of a value, the part appended to the event's own attributes.
 *
 * All events made of one chunk stay one chunk. A failing argument fails the event, and so do more parts than
 * the app's share of memory has room for. No state. */
#include "engine/base/map.h"
#include "engine/expr/fn_json.h"
#include "engine/expr/fn_regex.h"
#include "engine/window/handler.h"

struct tokenize_plan {
    struct op_plan op;
    struct expr *call; /* its args, and what bind_* prepared */
    bool flag;         /* str: distinct; json: fail.on.missing.attribute */
    bool as_object;    /* json */
    int added;         /* attributes appended */
    /* Adds the event's parts to out; false after the event failed. */
    bool (*parts)(const struct tokenize_plan *p, struct frame *f, const struct event *e, struct batch *out);
};

struct tokenize {
    struct op op;
    int64_t began; /* mem_held before the chunk */
};

static const struct tokenize_plan *plan_of(const struct op *op)
{
    return (const struct tokenize_plan *)(const void *)op->plan;
}

/* False after the event failed. */
static bool part_add(const struct tokenize_plan *p, struct frame *f, const struct event *e, struct batch *out,
                     struct value first, struct value second)
{
    const struct tokenize *t = f->user;
    if (UNLIKELY(mem_took_over(t->began))) {
        (void)expr_fail_memory(f->env);
        return false;
    }
    struct row *row = row_copy(e->row, (size_t)p->added, e->at_ms);
    row_set(row, e->row->count, first);
    if (p->added == 2)
        row_set(row, (size_t)e->row->count + 1, second);
    batch_add(out, row, e->at_ms, e->kind);
    return true;
}

/* Leaves the first of parts that are the same. */
static void split_distinct(struct split *split)
{
    struct map seen;
    size_t count = 0;
    map_init(&seen);
    for (size_t i = 0; i < split->count; i++) {
        struct text *part = split->parts[i];
        if (!map_put(&seen, part->bytes, part->len, part))
            split->parts[count++] = part;
    }
    map_fini(&seen);
    split->count = count;
}

static bool str_parts(const struct tokenize_plan *p, struct frame *f, const struct event *e,
                      struct batch *out)
{
    struct text *s = arg_text(p->call, f, 0);
    struct regex *r = s ? arg_regex(p->call, f, 1) : NULL;
    struct split split;
    if (!r || !text_split(f, p->call, r, s, &split))
        return false;
    if (p->flag)
        split_distinct(&split);
    for (size_t i = 0; i < split.count; i++)
        if (!part_add(p, f, e, out, value_text(split.parts[i]), VALUE_NULL))
            return false;
    return true;
}

/* The objects of all arguments; NULL after expr_fail. */
static struct object **objects(const struct tokenize_plan *p, struct frame *f,
                               bool (*is)(const struct object *), const char *what)
{
    struct object **all = arena_array(f->env->scratch, (size_t)p->call->arg_count, sizeof(*all));
    for (int i = 0; i < p->call->arg_count; i++) {
        struct value v = expr_eval(p->call->args[i], f);
        if (f->env->failed)
            return NULL;
        if (v.type != TYPE_OBJECT || !is(v.as.o)) {
            expr_fail(f->env, "%s:tokenize: parameter %d is %s", what, i + 1,
                      is_null(v) ? "null" : "something else");
            return NULL;
        }
        all[i] = v.as.o;
    }
    return all;
}

static bool list_parts(const struct tokenize_plan *p, struct frame *f, const struct event *e,
                       struct batch *out)
{
    struct object **lists = objects(p, f, object_is_list, "list");
    if (!lists)
        return false;
    size_t longest = 0;
    for (int i = 0; i < p->call->arg_count; i++)
        longest = list_count(lists[i]) > longest ? list_count(lists[i]) : longest;
    for (size_t at = 0; at < longest; at++) {
        struct value v = p->call->arg_count == 1 ? list_get(lists[0], at) : VALUE_NULL;
        if (p->call->arg_count > 1) {
            struct object *row = list_new();
            for (int i = 0; i < p->call->arg_count; i++)
                list_add(row, at < list_count(lists[i]) ? list_get(lists[i], at) : VALUE_NULL);
            v = expr_loose(f->env, row);
        }
        if (!part_add(p, f, e, out, value_int((int32_t)at), v))
            return false;
    }
    return true;
}

static bool map_parts(const struct tokenize_plan *p, struct frame *f, const struct event *e,
                      struct batch *out)
{
    struct object **maps = objects(p, f, object_is_map, "map");
    if (!maps)
        return false;
    struct object *seen = set_new();
    expr_loose(f->env, seen);
    for (int m = 0; m < p->call->arg_count; m++) {
        struct value key, v;
        for (size_t at = 0; object_next(maps[m], &at, &key, &v);) {
            if (!set_add(seen, key))
                continue;
            if (p->call->arg_count > 1) {
                struct object *row = list_new();
                for (int i = 0; i < p->call->arg_count; i++) {
                    struct value found;
                    list_add(row, map_object_get(maps[i], key, &found) ? found : VALUE_NULL);
                }
                v = expr_loose(f->env, row);
            }
            if (!part_add(p, f, e, out, key, v))
                return false;
        }
    }
    return true;
}

static struct value json_part(const struct tokenize_plan *p, struct frame *f, const struct json_node *n,
                              bool is_element)
{
    if (p->as_object)
        return json_tree_value(f->env, n);
    if (n->kind == NODE_STRING && !is_element)
        return n->v;
    return json_written(f, n);
}

static bool json_parts(const struct tokenize_plan *p, struct frame *f, const struct event *e,
                       struct batch *out)
{
    struct json_node *one = arg_element(p->call, f);
    if (f->env->failed)
        return false;
    bool fine = true;
    if (one && one->kind == NODE_LIST) {
        for (const struct json_node *n = one->first; n && fine; n = n->next)
            fine = part_add(p, f, e, out, json_part(p, f, n, true), VALUE_NULL);
    } else if (one && (one->kind == NODE_OBJECT || one->kind == NODE_STRING)) {
        fine = part_add(p, f, e, out, json_part(p, f, one, false), VALUE_NULL);
    }
    bool is_empty = !one || one->kind == NODE_NULL || (one->kind == NODE_LIST && one->count == 0);
    if (is_empty && !p->flag)
        fine = part_add(p, f, e, out, VALUE_NULL, VALUE_NULL);
    return fine && !f->env->failed;
}

static bool tokenize_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    const struct tokenize_plan *p = plan_of(op);
    return p->parts(p, f, e, out);
}

static int tokenize_push(struct op *op, const struct batch *in)
{
    ((struct tokenize *)(void *)op)->began = mem_held();
    return handler_each(op, in, true, tokenize_one);
}

static const struct op_type tokenize_type = {
    .name = "tokenize", .size = sizeof(struct tokenize), .push = tokenize_push};

/* The plan with its compiled arguments and the attributes it appends; NULL after reporting. */
static struct tokenize_plan *plan_new(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                      const struct attribute *added, int count, const struct schema **out)
{
    struct expr *e = handler_call(c, call, ec);
    struct schema *schema = handler_adds(c, call, added, count);
    if (!e || !schema)
        return NULL;
    e->name = call->name.text;
    struct tokenize_plan *p = window_plan_new(c, call, &tokenize_type, sizeof *p);
    p->call = e;
    p->added = count;
    p->op.out = schema;
    *out = schema;
    return p;
}

/* The types of the first arguments; the rest may be anything the caller checked. */
static bool args_are(struct window_ctx *c, const struct ast_expr *call, const struct tokenize_plan *p, int n,
                     enum type type, const char *what)
{
    if (p->call->args[n]->type == type)
        return true;
    return window_arg_wrong(c, call, n, what);
}

static struct op_plan *str_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                const struct schema **out)
{
    static const struct attribute added[] = {{"token", TYPE_STRING}};
    if (!window_arg_count(c, call, 2, 3))
        return NULL;
    struct tokenize_plan *p = plan_new(c, call, ec, added, 1, out);
    if (!p || !args_are(c, call, p, 0, TYPE_STRING, "must be a string") ||
        !args_are(c, call, p, 1, TYPE_STRING, "must be a string"))
        return NULL;
    if (!window_arg_is(call, 1, TYPE_STRING)) {
        window_arg_wrong(c, call, 1, "must be a constant string");
        return NULL;
    }
    if (call->arg_count == 3 && !window_arg_bool(c, call, 2, &p->flag))
        return NULL;
    if (bind_regex(ec, p->call, call, 1, true) < 0)
        return NULL;
    p->parts = str_parts;
    return &p->op;
}

static struct op_plan *objects_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                    const struct schema **out, bool is_map)
{
    static const struct attribute of_list[] = {{"index", TYPE_INT}, {"value", TYPE_OBJECT}};
    static const struct attribute of_map[] = {{"key", TYPE_OBJECT}, {"value", TYPE_OBJECT}};
    if (!window_arg_count(c, call, 1, INT32_MAX))
        return NULL;
    struct tokenize_plan *p = plan_new(c, call, ec, is_map ? of_map : of_list, 2, out);
    for (int i = 0; p && i < call->arg_count; i++) {
        if (!args_are(c, call, p, i, TYPE_OBJECT, is_map ? "must be a map" : "must be a list"))
            return NULL;
    }
    if (!p)
        return NULL;
    p->parts = is_map ? map_parts : list_parts;
    return &p->op;
}

static struct op_plan *list_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                 const struct schema **out)
{
    return objects_plan(c, call, ec, out, false);
}

static struct op_plan *map_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                const struct schema **out)
{
    return objects_plan(c, call, ec, out, true);
}

static struct op_plan *json_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                 const struct schema **out, bool as_object)
{
    const struct attribute added[] = {{"jsonElement", as_object ? TYPE_OBJECT : TYPE_STRING}};
    if (!window_arg_count(c, call, 2, 3))
        return NULL;
    struct tokenize_plan *p = plan_new(c, call, ec, added, 1, out);
    if (!p)
        return NULL;
    if (p->call->args[0]->type != TYPE_STRING && p->call->args[0]->type != TYPE_OBJECT) {
        window_arg_wrong(c, call, 0, "must be a string or an object");
        return NULL;
    }
    p->flag = true;
    if (!args_are(c, call, p, 1, TYPE_STRING, "must be a string") ||
        (call->arg_count == 3 && !window_arg_bool(c, call, 2, &p->flag)))
        return NULL;
    if (bind_path(ec, p->call, call) < 0)
        return NULL;
    p->as_object = as_object;
    p->parts = json_parts;
    return &p->op;
}

static struct op_plan *json_text_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                      const struct schema **out)
{
    return json_plan(c, call, ec, out, false);
}

static struct op_plan *json_object_plan(struct window_ctx *c, const struct ast_expr *call,
                                        struct expr_ctx *ec, const struct schema **out)
{
    return json_plan(c, call, ec, out, true);
}

const struct handler_type handler_str_tokenize = {"str", "tokenize", str_plan, true};
const struct handler_type handler_list_tokenize = {"list", "tokenize", list_plan, true};
const struct handler_type handler_map_tokenize = {"map", "tokenize", map_plan, true};
const struct handler_type handler_json_tokenize = {"json", "tokenize", json_text_plan, true};
const struct handler_type handler_json_tokenize_object = {"json", "tokenizeAsObject", json_object_plan, true};
