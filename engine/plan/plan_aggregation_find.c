/* plan_aggregation_find.c - 'within .. per ..': what joins and on-demand queries ask an aggregation (spec 09 section 3). */
#include "engine/run/aggregate.h"

const struct schema *aggregation_lookup_schema(struct planner *p, const struct plan_element *aggregation)
{
    (void)p;
    const struct aggregate_plan *plan = aggregation->config;
    return plan ? plan->out : NULL;
}

static bool check_within(struct planner *p, const struct expr *e, const struct ast_expr *ast, bool alone)
{
    if (e->type == TYPE_STRING || (!alone && e->type == TYPE_LONG))
        return true;
    if (alone) {
        diag_error(p->diags, ast->span, "'within' with one value takes a string, this is %s", type_name(e->type));
        diag_hint(p->diags, "\"2017-06-** **:**:**\", or a start and an end");
    } else {
        diag_error(p->diags, ast->span, "'within' takes long (milliseconds) or string, this is %s", type_name(e->type));
        if (e->type == TYPE_INT)
            diag_hint(p->diags, "a long is written with L: 1496289950000L");
    }
    return false;
}

static bool check_per(struct planner *p, const struct expr *e, const struct ast_expr *ast)
{
    enum duration unit;
    struct value v;
    if (e->type != TYPE_STRING) {
        diag_error(p->diags, ast->span, "'per' takes a string, this is %s", type_name(e->type));
        return false;
    }
    if (!ast_is_constant(ast, &v) || v.type != TYPE_STRING || unit_parse(v.as.s->bytes, v.as.s->len, &unit) == 0)
        return true;
    diag_error(p->diags, ast->span, "'%s' is no granularity", v.as.s->bytes);
    diag_hint(p->diags, "\"seconds\", \"minutes\", \"hours\", \"days\", \"months\" or \"years\"");
    return false;
}

const struct lookup *aggregation_lookup(struct planner *p, const struct plan_element *aggregation, const struct scope *scope, uint16_t slot,
                                        const struct ast_expr *on, const struct ast_expr *from, const struct ast_expr *to, const struct ast_expr *per,
                                        struct span at)
{
    if (!from || !per) {
        diag_error(p->diags, at, "reading the aggregation '%s' needs 'within' and 'per'", aggregation->schema->id);
        diag_hint(p->diags, "within \"2017-06-** **:**:**\" per \"days\"");
        return NULL;
    }
    struct aggregate_lookup *l = arena_alloc(p->arena, sizeof(*l));
    struct expr_ctx c = plan_expr_ctx(p, scope, NULL);
    l->lookup.rows = aggregate_lookup_rows;
    l->lookup.how = to ? "within a start and an end" : "within a pattern";
    l->element = aggregation;
    l->slot = slot;
    for (int i = 0; i < scope->count; i++) {
        if (scope->sources[i].slot >= l->slot_count)
            l->slot_count = scope->sources[i].slot + 1;
    }
    l->from = expr_compile(&c, from);
    l->to = to ? expr_compile(&c, to) : NULL;
    l->per = expr_compile(&c, per);
    if (!l->from || !l->per || (to && !l->to))
        return NULL;
    bool good = check_within(p, l->from, from, !to);
    good = (!to || check_within(p, l->to, to, false)) && good;
    good = check_per(p, l->per, per) && good;
    l->on = on ? expr_compile(&c, on) : NULL;
    return good && (!on || l->on) ? &l->lookup : NULL;
}
