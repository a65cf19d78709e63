/* plan_aggregation_find.c - 'within .. per ..': what joins and on-demand queries ask an aggregation (spec 09
 * section 3). */
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
        diag_error(p->diags, ast->span, "'within' with one value takes a string, this is %s",
                   type_name(e->type));
        diag_hint(p->diags, "\"2017-06-** **:**:**\", or a start and an end");
    } else {
        diag_error(p->diags, ast->span, "'within' takes long (milliseconds) or string, this is %s",
                   type_name(e->type));
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
    if (!ast_is_constant(ast, &v) || v.type != TYPE_STRING ||
        unit_parse(v.as.s->bytes, v.as.s->len, &unit) == 0)
        return true;
    diag_error(p->diags, ast->span, "'%s' is no granularity", v.as.s->bytes);
    diag_hint(p->diags, "\"seconds\", \"minutes\", \"hours\", \"days\", \"months\" or \"years\"");
    return false;
}

/* ---- what of 'on' is asked of the tables' rows ----
 * The language takes all of it that has no other attributes than those of the tables and of the other input.
 * What is left out under 'and', and under 'or' too, is as if it had not been written: so an 'or' may lose
 * rows that the whole condition would keep. */

struct reduce {
    struct planner *p;
    const struct scope *scope;
    uint16_t slot;
    const struct schema *columns;
};

static bool attribute_answers(const struct reduce *r, const struct ast_expr *e)
{
    bool elsewhere = false;
    for (int i = 0; i < r->scope->count; i++) {
        const struct scope_source *s = &r->scope->sources[i];
        const char *id = s->alias ? s->alias : s->id;
        bool meant = !e->source.text || strcmp(e->source.text, id) == 0;
        if (meant && s->slot == r->slot && schema_find(r->columns, e->name.text) >= 0)
            return true;
        elsewhere = elsewhere || (meant && s->slot != r->slot && schema_find(s->schema, e->name.text) >= 0);
    }
    return elsewhere;
}

static bool all_answer(const struct reduce *r, const struct ast_expr *e)
{
    if (e->kind == AST_ATTR)
        return attribute_answers(r, e);
    if (e->kind == AST_IN || e->kind == AST_SOURCE)
        return false;
    for (const struct ast_expr *a = e->args; a; a = a->next) {
        if (!all_answer(r, a))
            return false;
    }
    return (!e->left || all_answer(r, e->left)) && (!e->right || all_answer(r, e->right));
}

/* NULL: nothing is left. */
static const struct ast_expr *reduce(const struct reduce *r, const struct ast_expr *e)
{
    if (e->kind != AST_AND && e->kind != AST_OR && e->kind != AST_NOT)
        return all_answer(r, e) ? e : NULL;
    const struct ast_expr *left = reduce(r, e->left), *right = e->right ? reduce(r, e->right) : NULL;
    if (left == e->left && right == e->right)
        return e;
    if (e->kind != AST_NOT && (!left || !right))
        return left ? left : right;
    if (!left)
        return NULL;
    struct ast_expr *copy = arena_alloc(r->p->arena, sizeof(*copy));
    *copy = *e;
    copy->left = (struct ast_expr *)(uintptr_t)left;
    copy->right = (struct ast_expr *)(uintptr_t)right;
    return copy;
}

static struct expr *compile_before(struct planner *p, const struct aggregate_plan *plan,
                                   const struct scope *scope, uint16_t slot, const struct ast_expr *on)
{
    struct reduce r = {.p = p, .scope = scope, .slot = slot, .columns = plan->layout.schema};
    const struct ast_expr *left = reduce(&r, on);
    if (!left)
        return NULL;
    struct scope_source *sources = arena_array(p->arena, (size_t)scope->count, sizeof(*sources));
    struct scope *tables = arena_alloc(p->arena, sizeof(*tables));
    for (int i = 0; i < scope->count; i++) {
        sources[i] = scope->sources[i];
        if (sources[i].slot == slot)
            sources[i].schema = plan->layout.schema;
    }
    *tables = (struct scope){.sources = sources, .count = scope->count};
    struct expr_ctx c = plan_expr_ctx(p, tables, NULL);
    return expr_compile(&c, left);
}

const struct lookup *aggregation_lookup(struct planner *p, const struct plan_element *aggregation,
                                        const struct scope *scope, uint16_t slot, const struct ast_expr *on,
                                        const struct ast_expr *from, const struct ast_expr *to,
                                        const struct ast_expr *per, struct span at)
{
    if (!from || !per) {
        diag_error(p->diags, at, "reading the aggregation '%s' needs 'within' and 'per'",
                   aggregation->schema->id);
        diag_hint(p->diags, "within \"2017-06-** **:**:**\" per \"days\"");
        return NULL;
    }
    struct aggregate_lookup *l = arena_alloc(p->arena, sizeof(*l));
    struct expr_ctx c = plan_expr_ctx(p, scope, NULL);
    l->lookup.rows = aggregate_lookup_rows;
    l->lookup.how = to ? "within a start and an end" : "within a pattern";
    l->element = aggregation;
    l->in_partition = p->partition != NULL;
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
    if (!good || (on && !l->on))
        return NULL;
    l->before = on ? compile_before(p, aggregation->config, scope, slot, on) : NULL;
    return &l->lookup;
}
