/* node.h - inside of the room: what the nodes of expr.c, arith.c, compare.c and the functions share. Not for
 * other rooms.
 *
 * An operand is loaded by load_any (a call), or, where the compiler saw its shape, by load_attr or
 * load_literal (inlined): a filter 'v > 50.0' is one call. */
#ifndef WEIR_EXPR_NODE_H
#define WEIR_EXPR_NODE_H

#include "engine/expr/expr.h"

struct value eval_literal(const struct expr *e, struct frame *f);

static inline struct value load_any(const struct expr *e, struct frame *f)
{
    return expr_read(e, f);
}
static inline struct value load_attr(const struct expr *e, struct frame *f)
{
    return row_load(f->rows[e->slot], e);
}
static inline struct value load_literal(const struct expr *e, struct frame *f)
{
    (void)f;
    return e->literal;
}

/* The shapes of the two operands that have nodes of their own; order matters in the tables of arith.c and
 * compare.c. */
enum shape { SHAPE_ANY, SHAPE_ATTR_LITERAL, SHAPE_ATTR_ATTR, SHAPE_COUNT };
static inline enum shape shape_of(const struct expr *left, const struct expr *right)
{
    if (left->eval != eval_attr)
        return SHAPE_ANY;
    if (right->eval == eval_literal)
        return SHAPE_ATTR_LITERAL;
    return right->eval == eval_attr ? SHAPE_ATTR_ATTR : SHAPE_ANY;
}

/* Converts a number to another numeric type as Java's Number.xxxValue() does; false when v is no number. */
bool number_convert(struct value *v, enum type to);
/* Fails the event: v is not what the operator or function needs. */
struct value fail_operand(struct frame *f, const struct expr *e, struct value v, const char *needed);
/* A literal in another numeric type, so that the fast path meets equal tags. Other nodes stay as they are. */
struct expr *literal_as(struct arena *a, struct expr *e, enum type to);

struct expr *name_compile(struct expr_ctx *c, const struct ast_expr *ref);
/* 'name is null' when name is a stream of the query (spec 02 section 5). NULL and !*reported: it is not. */
struct expr *source_null_compile(struct expr_ctx *c, const struct ast_expr *ref, bool *reported);
/* The source a bare name stands for (eventTimestamp(ref)), or NULL. */
const struct scope_source *source_find(const struct scope *s, char mark, const char *text);
/* Nodes for f(*): all attributes of the inputs. */
struct expr **names_all(struct expr_ctx *c, int *count);
struct expr *arith_compile(struct expr_ctx *c, const struct ast_expr *e, struct expr *left,
                           struct expr *right);
struct expr *compare_compile(struct expr_ctx *c, const struct ast_expr *e, struct expr *left,
                             struct expr *right);
struct expr *call_compile(struct expr_ctx *c, const struct ast_expr *call);

#endif
