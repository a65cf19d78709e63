/* fn_core.c - the functions without a namespace (spec 02 section 7). */
#include "engine/base/num.h"
#include "engine/expr/fn.h"
#include <strings.h>

/* ---- cast, convert ---- */

static struct value eval_cast(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    if (v.type == TYPE_INT && e->type == TYPE_LONG)
        v.type = TYPE_LONG;
    return v; /* cast believes; it converts nothing else */
}
static struct value eval_convert(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    if (LIKELY(v.type == e->type))
        return v;
    return f->env->failed ? VALUE_NULL : value_convert(f->env, v, e->type);
}

/* The type that the literal at 1 names; TYPE_NULL after reporting. */
static enum type named_type(struct expr_ctx *c, const struct expr *e, const struct ast_expr *call)
{
    const char *name = arg_literal(e, 1).as.s->bytes;
    for (enum type t = TYPE_STRING; t <= TYPE_BOOL; t++)
        if (strcasecmp(type_name(t), name) == 0)
            return t;
    bind_error(c, call, 1, "'%s' is not a type it can give", name);
    diag_hint(c->diags, "string, int, long, float, double or bool");
    return TYPE_NULL;
}
static int bind_cast(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    e->type = named_type(c, e, call);
    return e->type == TYPE_NULL ? -1 : 0;
}
static int bind_convert(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    e->type = named_type(c, e, call);
    if (e->type == TYPE_NULL)
        return -1;
    if (e->args[0]->type == TYPE_OBJECT && e->type != TYPE_STRING)
        return bind_error(c, call, 0, "an object can only be converted to string");
    return 0;
}

/* ---- choice ---- */

static int bind_same_types(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    int first = strcmp(call->name.text, "ifThenElse") == 0 ? 1 : 0;
    for (int i = first + 1; i < e->arg_count; i++)
        if (e->args[i]->type != e->args[first]->type) {
            bind_error(c, call, i, "argument %d is %s, but argument %d is %s; they must be of one type",
                       i + 1, type_name(e->args[i]->type), first + 1, type_name(e->args[first]->type));
            diag_hint(c->diags, "convert(..., '%s')", type_name(e->args[first]->type));
            return -1;
        }
    e->type = e->args[first]->type;
    return 0;
}
struct value fn_coalesce(const struct expr *e, struct frame *f)
{
    for (int i = 0; i < e->arg_count; i++) {
        struct value v = arg(e, f, i);
        if (!is_null(v) || f->env->failed)
            return v;
    }
    return VALUE_NULL;
}
static struct value eval_if(const struct expr *e, struct frame *f)
{
    bool chosen = expr_is_true(e->args[0], f);
    return f->env->failed ? VALUE_NULL : arg(e, f, chosen ? 1 : 2);
}

/* ---- maximum, minimum: the quirks are the language's (spec 02 section 7.3) ---- */

static struct value eval_extreme(const struct expr *e, struct frame *f, double start, bool greatest)
{
    if (e->arg_count == 1)
        return arg(e, f, 0);
    double best = start, d;
    for (int i = 0; i < e->arg_count; i++) {
        int there = arg_double_or_null(e, f, i, &d);
        if (there < 0)
            return VALUE_NULL;
        if (there && (greatest ? d > best : d < best))
            best = d;
    }
    struct value v = value_double(best);
    number_convert(&v, e->type);
    return v;
}
static struct value eval_maximum(const struct expr *e, struct frame *f)
{
    return eval_extreme(e, f, 0x1p-1074, true);
}
static struct value eval_minimum(const struct expr *e, struct frame *f)
{
    return eval_extreme(e, f, 0x1.fffffffffffffp1023, false);
}

/* ---- identity and time ---- */

static struct value eval_uuid(const struct expr *e, struct frame *f)
{
    (void)e;
    static const char digits[] = "0123456789abcdef";
    uint64_t high = (expr_random(f->env) & ~0xf000ull) | 0x4000u; /* version 4 */
    uint64_t low = (expr_random(f->env) & ~(3ull << 62)) | 2ull << 62;
    char out[36];
    for (int i = 0, at = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[at++] = '-';
        uint64_t half = i < 16 ? high : low;
        out[at++] = digits[(half >> (60 - 4 * (i % 16))) & 15];
    }
    return result_text(f, out, sizeof(out));
}
static struct value eval_now(const struct expr *e, struct frame *f)
{
    (void)e;
    return value_long(f->env->now_ms);
}
static struct value eval_event_time(const struct expr *e, struct frame *f)
{
    (void)e;
    return value_long(f->at_ms);
}

/* ---- run-time types ---- */

static struct value eval_instance_of(const struct expr *e, struct frame *f)
{
    return value_bool(arg(e, f, 0).type == (enum type)e->index);
}
static int bind_instance_of(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    static const struct {
        const char *name;
        enum type type;
    } tests[] = {{"Integer", TYPE_INT},   {"Long", TYPE_LONG},    {"Float", TYPE_FLOAT},
                 {"Double", TYPE_DOUBLE}, {"Boolean", TYPE_BOOL}, {"String", TYPE_STRING}};
    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
        if (strcmp(call->name.text + strlen("instanceOf"), tests[i].name) == 0)
            e->index = (uint16_t)tests[i].type;
    return 0;
}

/* ---- sets ---- */

static int bind_create_set(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    if (e->args[0]->type == TYPE_OBJECT)
        return bind_error(c, call, 0, "an object can't be an element of a set");
    return 0;
}
static struct value eval_create_set(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    struct object *set = set_new();
    set_add(set, v);
    return expr_loose(f->env, set);
}
static struct value eval_size_of_set(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    if (is_null(v))
        return f->env->failed ? VALUE_NULL : value_int(0);
    if (v.type != TYPE_OBJECT || !object_is_set(v.as.o))
        return fail_operand(f, e, v, "a set");
    return value_int((int32_t)object_count(v.as.o));
}

/* Rows: takes is explained in fn.h. */
const struct function fn_core[] = {
    {NULL, "UUID", "", TYPE_STRING, eval_uuid, NULL},
    {NULL, "cast", "aS", TYPE_NULL, eval_cast, bind_cast},
    {NULL, "coalesce", "aa*", TYPE_NULL, fn_coalesce, bind_same_types},
    {NULL, "convert", "aS", TYPE_NULL, eval_convert, bind_convert},
    {NULL, "createSet", "a", TYPE_OBJECT, eval_create_set, bind_create_set},
    {NULL, "currentTimeMillis", "", TYPE_LONG, eval_now, NULL},
    {NULL, "default", "aA", TYPE_NULL, fn_coalesce, bind_same_types},
    {NULL, "eventTimestamp", "", TYPE_LONG, eval_event_time, NULL},
    {NULL, "ifThenElse", "baa", TYPE_NULL, eval_if, bind_same_types},
    {NULL, "instanceOfBoolean", "a", TYPE_BOOL, eval_instance_of, bind_instance_of},
    {NULL, "instanceOfDouble", "a", TYPE_BOOL, eval_instance_of, bind_instance_of},
    {NULL, "instanceOfFloat", "a", TYPE_BOOL, eval_instance_of, bind_instance_of},
    {NULL, "instanceOfInteger", "a", TYPE_BOOL, eval_instance_of, bind_instance_of},
    {NULL, "instanceOfLong", "a", TYPE_BOOL, eval_instance_of, bind_instance_of},
    {NULL, "instanceOfString", "a", TYPE_BOOL, eval_instance_of, bind_instance_of},
    {NULL, "maximum", "nn*", TYPE_NULL, eval_maximum, bind_same_types},
    {NULL, "minimum", "nn*", TYPE_NULL, eval_minimum, bind_same_types},
    {NULL, "sizeOfSet", "o", TYPE_INT, eval_size_of_set, NULL},
    {0},
};
