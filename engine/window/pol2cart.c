/* pol2cart.c - #pol2Cart(theta, rho [, z]): appends x = rho * cos(theta degrees), y = rho * sin, and z (spec
 * 03 section 8). */
#include "engine/window/handler.h"
#include <math.h>

struct pol2cart_plan {
    struct op_plan op;
    struct expr *args[3];
    int count;
};

static const double DEGREE = 3.14159265358979323846 / 180.0;

/* The event with its coordinates. */
static bool convert(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    const struct pol2cart_plan *p = (const struct pol2cart_plan *)(const void *)op->plan;
    double args[3] = {0, 0, 0};
    for (int i = 0; i < p->count; i++) {
        struct value v = expr_eval(p->args[i], f);
        if (!op->env->failed && !type_is_numeric(v.type))
            expr_fail(op->env, "pol2Cart: parameter %d is %s", i + 1, is_null(v) ? "null" : "not a number");
        if (op->env->failed)
            return false;
        args[i] = value_to_double(v);
    }
    uint32_t at = e->row->count;
    struct row *row = row_copy(e->row, (size_t)p->count, e->at_ms);
    row_set(row, at, value_double(args[1] * cos(args[0] * DEGREE)));
    row_set(row, at + 1, value_double(args[1] * sin(args[0] * DEGREE)));
    if (p->count == 3)
        row_set(row, at + 2, value_double(args[2]));
    batch_add(out, row, e->at_ms, e->kind);
    return true;
}

static int pol2cart_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, convert);
}

static const struct op_type pol2cart_type = {
    .name = "pol2Cart", .size = sizeof(struct op), .push = pol2cart_push};

static struct op_plan *pol2cart_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                     const struct schema **out)
{
    static const struct attribute added[] = {{"x", TYPE_DOUBLE}, {"y", TYPE_DOUBLE}, {"z", TYPE_DOUBLE}};
    struct pol2cart_plan p = {.count = call->arg_count};
    if (!window_arg_count(c, call, 2, 3))
        return NULL;
    KNOWN(p.count <= 3);
    bool fine = true;
    for (int i = 0; i < p.count; i++) {
        p.args[i] = expr_compile(ec, window_arg(call, i));
        if (p.args[i] && p.args[i]->type != TYPE_DOUBLE)
            window_arg_wrong(c, call, i, "must be a double");
        fine = fine && p.args[i] && p.args[i]->type == TYPE_DOUBLE;
    }
    struct schema *schema = handler_adds(c, call, added, p.count);
    if (!fine || !schema)
        return NULL;
    struct pol2cart_plan *plan = window_plan_new(c, call, &pol2cart_type, sizeof *plan);
    p.op = plan->op;
    p.op.out = schema;
    *plan = p;
    *out = schema;
    return &plan->op;
}

const struct handler_type handler_pol2cart = {NULL, "pol2Cart", pol2cart_plan, false};
