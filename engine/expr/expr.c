/* expr.c - from the tree of the text to nodes: literals, logic, null checks; operators, names and calls have
 * files of their own. Reports everything it finds: both sides of an operator are compiled before it gives up.
 */
#include "engine/expr/node.h"

struct value eval_literal(const struct expr *e, struct frame *f)
{
    (void)f;
    return e->literal;
}

struct expr *expr_new(struct arena *a, eval_fn eval, enum type type)
{
    struct expr *e = arena_alloc(a, sizeof(*e));
    e->eval = eval;
    e->type = type;
    return e;
}

struct expr *expr_literal(struct arena *a, struct value v, enum type type)
{
    struct expr *e = expr_new(a, eval_literal, type);
    e->flags = EXPR_CONST | EXPR_PURE;
    if (v.type == TYPE_STRING) {
        struct text *s = text_scratch(a, v.as.s->bytes, v.as.s->len);
        s->refs = 1; /* the plan's own: never reaches 0 */
        text_hash(s);
        v.as.s = s;
    }
    e->literal = v;
    return e;
}

bool ast_is_constant(const struct ast_expr *e, struct value *out)
{
    if (!e || e->kind != AST_LITERAL)
        return false;
    *out = e->literal;
    return true;
}

/* ---- logic (spec 02 section 4): null counts as false, left to right, the right side only when needed ----
 */

static struct value eval_and(const struct expr *e, struct frame *f)
{
    return value_bool(expr_is_true(e->left, f) && expr_is_true(e->right, f));
}
static struct value eval_or(const struct expr *e, struct frame *f)
{
    return value_bool(expr_is_true(e->left, f) || expr_is_true(e->right, f));
}
static struct value eval_not(const struct expr *e, struct frame *f)
{
    return value_bool(!expr_is_true(e->left, f));
}

static bool operand_is_bool(struct expr_ctx *c, const struct ast_expr *ast, const struct expr *e,
                            const char *what)
{
    if (!e || e->type == TYPE_BOOL)
        return e != NULL;
    diag_error(c->diags, ast->span, "'%s' joins bool values, but this is %s", what, type_name(e->type));
    if (type_is_numeric(e->type))
        diag_hint(c->diags, strcmp(what, "not") ? "compare it with something, or convert(..., 'bool')"
                                                : "'not' binds tighter than comparisons: not (a == b)");
    else if (e->type == TYPE_STRING)
        diag_hint(c->diags, "convert(..., 'bool') makes a bool of text");
    return false;
}

static struct expr *compile_logic(struct expr_ctx *c, const struct ast_expr *e)
{
    const char *what = e->kind == AST_AND ? "and" : e->kind == AST_OR ? "or" : "not";
    struct expr *left = expr_compile(c, e->left);
    struct expr *right = e->kind == AST_NOT ? NULL : expr_compile(c, e->right);
    bool fits = operand_is_bool(c, e->left, left, what);
    if (e->kind != AST_NOT && !operand_is_bool(c, e->right, right, what))
        fits = false;
    if (!fits)
        return NULL;
    struct expr *node = expr_new(c->arena,
                                 e->kind == AST_AND  ? eval_and
                                 : e->kind == AST_OR ? eval_or
                                                     : eval_not,
                                 TYPE_BOOL);
    node->left = left;
    node->right = right;
    node->name = what;
    return node;
}

/* ---- is null ---- */

static struct value eval_is_null(const struct expr *e, struct frame *f)
{
    return value_bool(is_null(expr_eval(e->left, f)));
}
static struct value eval_is_null_attr(const struct expr *e, struct frame *f)
{
    const struct row *r = f->rows[e->left->slot];
    return value_bool(!r || *((const uint8_t *)r + e->left->type_at) == TYPE_NULL);
}

static struct expr *compile_is_null(struct expr_ctx *c, const struct ast_expr *e)
{
    const struct ast_expr *of = e->left;
    if (of->kind == AST_ATTR || of->kind == AST_SOURCE) {
        bool reported;
        struct expr *node = source_null_compile(c, of, &reported);
        if (node || reported)
            return node;
    }
    struct expr *left = expr_compile(c, of);
    if (!left)
        return NULL;
    struct expr *node =
        expr_new(c->arena, left->eval == eval_attr ? eval_is_null_attr : eval_is_null, TYPE_BOOL);
    node->left = left;
    node->name = "is null";
    return node;
}

/* ---- operators ---- */

static struct expr *compile_binary(struct expr_ctx *c, const struct ast_expr *e)
{
    struct expr *left = expr_compile(c, e->left), *right = expr_compile(c, e->right);
    if (!left || !right)
        return NULL;
    return e->kind >= AST_ADD ? arith_compile(c, e, left, right) : compare_compile(c, e, left, right);
}

static struct expr *compile_in(struct expr_ctx *c, const struct ast_expr *e)
{
    if (c->compile_in)
        return c->compile_in(c, e);
    diag_error(c->diags, e->op_span, "'in' can't be used here");
    return NULL;
}

static struct expr *compile_literal(struct expr_ctx *c, const struct ast_expr *e)
{
    struct expr *node = expr_literal(c->arena, e->literal, e->literal.type);
    if (c->is_on_demand && node->literal.type == TYPE_STRING)
        node->literal.as.s->refs = TEXT_SCRATCH;
    return node;
}

static struct expr *compile_kind(struct expr_ctx *c, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LITERAL:
        return compile_literal(c, e);
    case AST_ATTR:
    case AST_SOURCE:
        return name_compile(c, e);
    case AST_CALL:
        return call_compile(c, e);
    case AST_IS_NULL:
        return compile_is_null(c, e);
    case AST_NOT:
    case AST_AND:
    case AST_OR:
        return compile_logic(c, e);
    case AST_IN:
        return compile_in(c, e);
    case AST_EQ:
    case AST_NE:
    case AST_LT:
    case AST_LE:
    case AST_GT:
    case AST_GE:
    case AST_ADD:
    case AST_SUB:
    case AST_MUL:
    case AST_DIV:
    case AST_MOD:
        return compile_binary(c, e);
    }
    return NULL;
}

struct expr *expr_compile(struct expr_ctx *c, const struct ast_expr *e)
{
    struct expr *node = compile_kind(c, e);
    if (!node)
        return NULL;
    node->span = e->span;
    if (node->left)
        node->flags |= node->left->flags & EXPR_AGGREGATE;
    if (node->right)
        node->flags |= node->right->flags & EXPR_AGGREGATE;
    for (int i = 0; i < node->arg_count; i++)
        node->flags |= node->args[i]->flags & EXPR_AGGREGATE;
    return node;
}

struct expr *expr_compile_bool(struct expr_ctx *c, const struct ast_expr *e, const char *what)
{
    struct expr *node = expr_compile(c, e);
    if (!node || node->type == TYPE_BOOL)
        return node;
    diag_error(c->diags, e->span, "the %s must be bool, but this is %s", what, type_name(node->type));
    if (node->type == TYPE_STRING)
        diag_hint(c->diags, "compare it: ... == 'text'");
    else if (type_is_numeric(node->type))
        diag_hint(c->diags, "compare it: ... > 0");
    return NULL;
}
