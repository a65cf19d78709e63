/* compare.c - == != < <= > >= (spec 02 section 3). The pair of static types decides in which domain is
 * compared; each domain and operator has a node for each shape of operands. A value must have the tag its
 * column declares: comparing does not convert other tags. (Texts are compared as objects: a value of another
 * tag is unequal.)
 *
 * Laws: null on a side gives false, and true for !=. NaN is unequal to everything. A literal is converted
 * when compiling. */
#include "engine/expr/node.h"

enum domain { DOMAIN_LONG, DOMAIN_FLOAT, DOMAIN_DOUBLE, DOMAIN_BOOL, DOMAIN_TEXT, DOMAIN_NONE };

/* The slow path. Returns true when both are ready to be compared; otherwise *result is the node's. */
static __attribute__((noinline)) bool operands_ready(const struct expr *e, struct frame *f, enum type to,
                                                     struct value *a, struct value *b, struct value *result)
{
    if (is_null(*a) || is_null(*b)) {
        *result = value_bool(e->index == AST_NE);
        return false;
    }
    if (to == TYPE_STRING && (a->type != TYPE_STRING || b->type != TYPE_STRING)) {
        *result = value_bool(value_same(*a, *b) == (e->index == AST_EQ)); /* as objects: cast() makes such */
        return false;
    }
    if (a->type != e->left->type || b->type != e->right->type) {
        bool left = a->type != e->left->type;
        char needed[48];
        snprintf(needed, sizeof(needed), "%s at its %s side",
                 type_name(left ? e->left->type : e->right->type), left ? "left" : "right");
        *result = fail_operand(f, e, left ? *a : *b, needed);
        return false;
    }
    if (type_is_numeric(to)) {
        number_convert(a, to);
        number_convert(b, to);
    }
    return true;
}

#define TAGS_LONG (a.type == e->left->type && b.type == e->right->type)
#define TAGS_FLOAT (a.type == TYPE_FLOAT && b.type == TYPE_FLOAT)
#define TAGS_DOUBLE (a.type == TYPE_DOUBLE && b.type == TYPE_DOUBLE)
#define TAGS_BOOL (a.type == TYPE_BOOL && b.type == TYPE_BOOL)
#define TAGS_TEXT (a.type == TYPE_STRING && b.type == TYPE_STRING)

/* The fast path keeps both values in registers: the slow one, a function of its own, gets copies. */
#define SLOW(name, to, test)                                                                         \
    static __attribute__((noinline)) struct value slow_##name(const struct expr *e, struct frame *f, \
                                                              struct value a, struct value b)        \
    {                                                                                                \
        struct value result;                                                                         \
        return operands_ready(e, f, to, &a, &b, &result) ? value_bool(test) : result;                \
    }
#define NODE(name, tags, shape, load_left, load_right, test)                         \
    static struct value eval_##name##_##shape(const struct expr *e, struct frame *f) \
    {                                                                                \
        struct value a = load_left(e->left, f), b = load_right(e->right, f);         \
        if (UNLIKELY(!(tags)))                                                       \
            return slow_##name(e, f, a, b);                                          \
        return value_bool(test);                                                     \
    }
#define NODES(name, tags, to, test)                               \
    SLOW(name, to, test)                                          \
    NODE(name, tags, any, load_any, load_any, test)               \
    NODE(name, tags, attr_literal, load_attr, load_literal, test) \
    NODE(name, tags, attr_attr, load_attr, load_attr, test)
#define NUMBER_NODES(domain, tags, to, field)              \
    NODES(domain##_eq, tags, to, a.as.field == b.as.field) \
    NODES(domain##_ne, tags, to, a.as.field != b.as.field) \
    NODES(domain##_lt, tags, to, a.as.field < b.as.field)  \
    NODES(domain##_le, tags, to, a.as.field <= b.as.field) \
    NODES(domain##_gt, tags, to, a.as.field > b.as.field)  \
    NODES(domain##_ge, tags, to, a.as.field >= b.as.field)

NUMBER_NODES(long, TAGS_LONG, TYPE_NULL, l)
NUMBER_NODES(float, TAGS_FLOAT, TYPE_FLOAT, f)
NUMBER_NODES(double, TAGS_DOUBLE, TYPE_DOUBLE, d)
NODES(bool_eq, TAGS_BOOL, TYPE_BOOL, a.as.l == b.as.l)
NODES(bool_ne, TAGS_BOOL, TYPE_BOOL, a.as.l != b.as.l)
NODES(text_eq, TAGS_TEXT, TYPE_STRING, text_equal(a.as.s, b.as.s))
NODES(text_ne, TAGS_TEXT, TYPE_STRING, !text_equal(a.as.s, b.as.s))

#define ROW(name)                                                              \
    {                                                                          \
        eval_##name##_any, eval_##name##_attr_literal, eval_##name##_attr_attr \
    }
#define ROWS(domain)                                                                              \
    {                                                                                             \
        ROW(domain##_eq), ROW(domain##_ne), ROW(domain##_lt), ROW(domain##_le), ROW(domain##_gt), \
            ROW(domain##_ge)                                                                      \
    }

/* [enum domain][AST_EQ .. AST_GE][enum shape]: the orders of these enums matter here. */
static const eval_fn nodes[5][6][SHAPE_COUNT] = {
    ROWS(long), ROWS(float), ROWS(double), {ROW(bool_eq), ROW(bool_ne)}, {ROW(text_eq), ROW(text_ne)},
};
static const char *const symbols[] = {"'=='", "'!='", "'<'", "'<='", "'>'", "'>='"};

static bool pair_is(enum type a, enum type b, enum type x, enum type y)
{
    return (a == x && b == y) || (a == y && b == x);
}

/* The table of spec 02 section 3. */
static enum domain domain_of(enum type a, enum type b, bool equality)
{
    if (!type_is_numeric(a) || !type_is_numeric(b)) {
        if (a != b || !equality)
            return DOMAIN_NONE;
        return a == TYPE_STRING ? DOMAIN_TEXT : a == TYPE_BOOL ? DOMAIN_BOOL : DOMAIN_NONE;
    }
    if (a == TYPE_DOUBLE || b == TYPE_DOUBLE)
        return DOMAIN_DOUBLE;
    if (pair_is(a, b, TYPE_LONG, TYPE_FLOAT))
        return equality ? DOMAIN_DOUBLE : DOMAIN_FLOAT;
    return a == TYPE_FLOAT || b == TYPE_FLOAT ? DOMAIN_FLOAT : DOMAIN_LONG;
}

/* What the author wrote at this side, for a hint; "..." when it is long. */
static const char *written(struct expr_ctx *c, const struct ast_expr *side)
{
    struct span s = side->span;
    if (!c->diags->text || s.len == 0 || s.len > 40 || (size_t)s.at + s.len > c->diags->len)
        return "...";
    return arena_strndup(c->arena, c->diags->text + s.at, s.len);
}

static void report_pair(struct expr_ctx *c, const struct ast_expr *e, enum type a, enum type b)
{
    const char *op = symbols[e->kind - AST_EQ];
    bool equality = e->kind == AST_EQ || e->kind == AST_NE;
    if (a == TYPE_OBJECT || b == TYPE_OBJECT) {
        diag_error(c->diags, e->op_span, "an object can't be compared with %s", op);
        return;
    }
    if (a == b) {
        diag_error(c->diags, e->op_span, "%s compares numbers, but both sides are %s", op, type_name(a));
        if (a == TYPE_STRING)
            diag_hint(c->diags, "text has == and != only; convert(%s, 'double') makes a number of it",
                      written(c, e->left));
        return;
    }
    diag_error(c->diags, e->op_span, "%s can't compare %s with %s", op, type_name(a), type_name(b));
    if (type_is_numeric(a) && (b == TYPE_STRING || b == TYPE_BOOL))
        diag_hint(c->diags, "convert(%s, '%s')", written(c, e->right), type_name(a));
    else if (type_is_numeric(b) && (a == TYPE_STRING || a == TYPE_BOOL))
        diag_hint(c->diags, "convert(%s, '%s')", written(c, e->left), type_name(b));
    else if (equality)
        diag_hint(c->diags, "convert(%s, 'bool')", written(c, a == TYPE_STRING ? e->left : e->right));
}

struct expr *compare_compile(struct expr_ctx *c, const struct ast_expr *e, struct expr *left,
                             struct expr *right)
{
    enum ast_expr_kind op = e->kind;
    enum domain domain = domain_of(left->type, right->type, op == AST_EQ || op == AST_NE);
    if (domain == DOMAIN_NONE) {
        report_pair(c, e, left->type, right->type);
        return NULL;
    }
    if (domain == DOMAIN_FLOAT || domain == DOMAIN_DOUBLE) {
        enum type to = domain == DOMAIN_FLOAT ? TYPE_FLOAT : TYPE_DOUBLE;
        left = literal_as(c->arena, left, to);
        right = literal_as(c->arena, right, to);
    }
    if (left->eval == eval_literal) {
        struct expr *swap = left;
        left = right;
        right = swap;
        op = ast_mirrored(op);
    }
    struct expr *node = expr_new(c->arena, nodes[domain][op - AST_EQ][shape_of(left, right)], TYPE_BOOL);
    node->index = (uint16_t)op;
    node->left = left;
    node->right = right;
    node->name = symbols[e->kind - AST_EQ];
    return node;
}
