/* extreme.c - see extreme.h. */
#include "engine/window/extreme.h"
#include "engine/base/utf8.h"
#include "engine/lang/print.h"
#include <math.h>

bool extreme_key_plan(struct window_ctx *c, const struct ast_expr *call, bool greatest,
                      struct extreme_key *out)
{
    const struct expr *expr = window_arg_expr(c, call, 0);
    if (!expr)
        return false;
    if (!type_is_numeric(expr->type) && expr->type != TYPE_STRING)
        return window_arg_wrong(c, call, 0, "must be a number or a string");
    struct buf text;
    buf_init(&text, SIZE_MAX);
    print_expr(window_arg(call, 0), &text);
    *out = (struct extreme_key){expr, arena_printf(c->arena, "%.*s", (int)text.len, text.bytes), greatest};
    buf_fini(&text);
    return true;
}

bool extreme_value(const struct extreme_key *k, struct op *op, const struct event *e, struct value *out)
{
    struct frame f = {.env = op->env, .rows = &e->row, .at_ms = e->at_ms, .kind = e->kind, .user = op};
    *out = expr_read(k->expr, &f);
    if (!op->env->failed && !is_null(*out) && out->type != k->expr->type)
        expr_fail(op->env, "%s: %s is %s, and not %s as declared", op->type->name, k->text,
                  type_name(out->type), type_name(k->expr->type));
    return !op->env->failed;
}

static int compare_doubles(double a, double b)
{
    if (a < b || a > b)
        return a < b ? -1 : 1;
    if (a != b) /* one is NaN at least */
        return (a != a) - (b != b);
    return (signbit(b) != 0) - (signbit(a) != 0);
}

int extreme_compare(const struct extreme_key *k, struct value a, struct value b)
{
    int order;
    if (a.type == TYPE_STRING)
        order = utf8_compare_units(a.as.s->bytes, a.as.s->len, b.as.s->bytes, b.as.s->len);
    else if (a.type == TYPE_FLOAT || a.type == TYPE_DOUBLE)
        order = compare_doubles(value_to_double(a), value_to_double(b));
    else
        order = (a.as.l > b.as.l) - (a.as.l < b.as.l);
    return k->greatest ? order : order > 0 ? -1 : order < 0;
}
