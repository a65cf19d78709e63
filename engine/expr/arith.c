/* arith.c - + - * / % (spec 02 section 2). The result's type is chosen when compiling; each type and operator
 * has three nodes, one for each shape of operands. Both tags as expected: compute; else convert what is a
 * number, null or failure.
 *
 * Laws: integers wrap (computed unsigned); a zero divisor gives null in every type; MIN / -1 is MIN, MIN % -1
 * is 0. */
#include "engine/expr/node.h"
#include <math.h>

/* Makes both operands numbers of type to. False: one is null (then the result is), or the event failed. */
static __attribute__((noinline)) bool operands_convert(const struct expr *e, struct frame *f, enum type to,
                                                       struct value *a, struct value *b)
{
    if (is_null(*a) || is_null(*b))
        return false;
    if (!number_convert(a, to)) {
        fail_operand(f, e, *a, "a number at its left side");
        return false;
    }
    if (!number_convert(b, to)) {
        fail_operand(f, e, *b, "a number at its right side");
        return false;
    }
    return true;
}

static inline struct value int_add(union cell a, union cell b)
{
    return value_int((int32_t)((uint32_t)a.l + (uint32_t)b.l));
}
static inline struct value int_sub(union cell a, union cell b)
{
    return value_int((int32_t)((uint32_t)a.l - (uint32_t)b.l));
}
static inline struct value int_mul(union cell a, union cell b)
{
    return value_int((int32_t)((uint32_t)a.l * (uint32_t)b.l));
}
static inline struct value int_div(union cell a, union cell b)
{
    return b.l ? value_int((int32_t)(uint32_t)(uint64_t)(a.l / b.l)) : VALUE_NULL; /* 64 bits hold MIN / -1 */
}
static inline struct value int_mod(union cell a, union cell b)
{
    return b.l ? value_int((int32_t)(a.l % b.l)) : VALUE_NULL;
}
static inline struct value long_add(union cell a, union cell b)
{
    return value_long((int64_t)((uint64_t)a.l + (uint64_t)b.l));
}
static inline struct value long_sub(union cell a, union cell b)
{
    return value_long((int64_t)((uint64_t)a.l - (uint64_t)b.l));
}
static inline struct value long_mul(union cell a, union cell b)
{
    return value_long((int64_t)((uint64_t)a.l * (uint64_t)b.l));
}
static inline struct value long_div(union cell a, union cell b)
{
    if (b.l == 0)
        return VALUE_NULL;
    return value_long(b.l == -1 ? (int64_t)(0 - (uint64_t)a.l) : a.l / b.l);
}
static inline struct value long_mod(union cell a, union cell b)
{
    if (b.l == 0)
        return VALUE_NULL;
    return value_long(b.l == -1 ? 0 : a.l % b.l);
}
static inline struct value float_add(union cell a, union cell b)
{
    return value_float(a.f + b.f);
}
static inline struct value float_sub(union cell a, union cell b)
{
    return value_float(a.f - b.f);
}
static inline struct value float_mul(union cell a, union cell b)
{
    return value_float(a.f * b.f);
}
static inline struct value float_div(union cell a, union cell b)
{
    return b.f == 0 ? VALUE_NULL : value_float(a.f / b.f);
}
static inline struct value float_mod(union cell a, union cell b)
{
    return b.f == 0 ? VALUE_NULL : value_float(fmodf(a.f, b.f));
}
static inline struct value double_add(union cell a, union cell b)
{
    return value_double(a.d + b.d);
}
static inline struct value double_sub(union cell a, union cell b)
{
    return value_double(a.d - b.d);
}
static inline struct value double_mul(union cell a, union cell b)
{
    return value_double(a.d * b.d);
}
static inline struct value double_div(union cell a, union cell b)
{
    return b.d == 0 ? VALUE_NULL : value_double(a.d / b.d);
}
static inline struct value double_mod(union cell a, union cell b)
{
    return b.d == 0 ? VALUE_NULL : value_double(fmod(a.d, b.d));
}

/* The fast path keeps both values in registers: the slow one, a function of its own, gets copies. */
#define SLOW(op, tag)                                                                              \
    static __attribute__((noinline)) struct value slow_##op(const struct expr *e, struct frame *f, \
                                                            struct value a, struct value b)        \
    {                                                                                              \
        return operands_convert(e, f, tag, &a, &b) ? op(a.as, b.as) : VALUE_NULL;                  \
    }
#define NODE(op, tag, shape, load_left, load_right)                                \
    static struct value eval_##op##_##shape(const struct expr *e, struct frame *f) \
    {                                                                              \
        struct value a = load_left(e->left, f), b = load_right(e->right, f);       \
        if (UNLIKELY(a.type != (tag) || b.type != (tag)))                          \
            return slow_##op(e, f, a, b);                                          \
        return op(a.as, b.as);                                                     \
    }
#define NODES(op, tag)                                   \
    SLOW(op, tag)                                        \
    NODE(op, tag, any, load_any, load_any)               \
    NODE(op, tag, attr_literal, load_attr, load_literal) \
    NODE(op, tag, attr_attr, load_attr, load_attr)
#define ALL_NODES(type, tag) \
    NODES(type##_add, tag)   \
    NODES(type##_sub, tag) NODES(type##_mul, tag) NODES(type##_div, tag) NODES(type##_mod, tag)

ALL_NODES(int, TYPE_INT)
ALL_NODES(long, TYPE_LONG)
ALL_NODES(float, TYPE_FLOAT)
ALL_NODES(double, TYPE_DOUBLE)

#define ROW(op)                                                          \
    {                                                                    \
        eval_##op##_any, eval_##op##_attr_literal, eval_##op##_attr_attr \
    }
#define ROWS(type)                                                                          \
    {                                                                                       \
        ROW(type##_add), ROW(type##_sub), ROW(type##_mul), ROW(type##_div), ROW(type##_mod) \
    }

/* [TYPE_INT .. TYPE_DOUBLE][AST_ADD .. AST_MOD][enum shape]: the orders of enum type and enum ast_expr_kind
 * matter here. */
static const eval_fn nodes[4][5][SHAPE_COUNT] = {ROWS(int), ROWS(long), ROWS(float), ROWS(double)};
static const char *const symbols[] = {"'+'", "'-'", "'*'", "'/'", "'%'"};

static bool either(enum type t, const struct expr *left, const struct expr *right)
{
    return left->type == t || right->type == t;
}

/* The result's type looks at either side only (spec 02 section 2); TYPE_NULL: no such operation. */
static enum type result_type(const struct expr *left, const struct expr *right)
{
    for (enum type t = TYPE_DOUBLE; t >= TYPE_INT; t--)
        if (either(t, left, right))
            return t;
    return TYPE_NULL;
}

struct expr *arith_compile(struct expr_ctx *c, const struct ast_expr *e, struct expr *left,
                           struct expr *right)
{
    int op = (int)e->kind - (int)AST_ADD;
    enum type type = result_type(left, right);
    if (type == TYPE_NULL) {
        diag_error(c->diags, e->op_span, "%s computes with numbers, but its sides are %s and %s", symbols[op],
                   type_name(left->type), type_name(right->type));
        if (e->kind == AST_ADD && either(TYPE_STRING, left, right))
            diag_hint(c->diags, "'+' never joins text; use str:concat(...)");
        else if (either(TYPE_STRING, left, right))
            diag_hint(c->diags, "convert(..., 'double') makes a number of text");
        return NULL;
    }
    left = literal_as(c->arena, left, type);
    right = literal_as(c->arena, right, type);
    if (left->eval == eval_literal && (e->kind == AST_ADD || e->kind == AST_MUL)) {
        struct expr *swap = left;
        left = right;
        right = swap;
    }
    struct expr *node = expr_new(c->arena, nodes[type - TYPE_INT][op][shape_of(left, right)], type);
    node->left = left;
    node->right = right;
    node->name = symbols[op];
    return node;
}
