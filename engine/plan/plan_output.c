/* plan_output.c - insert into: the target's schema must fit; a stream nobody defined comes into being (spec
 * 03 section 3). */
#include "engine/plan/plan.h"
#include "engine/run/output.h"
#include "engine/run/table.h"

void plan_report_mismatch(struct planner *p, const struct ast_output *o, const struct schema *want,
                          const struct schema *out)
{
    if (want->count != out->count) {
        diag_error(p->diags, o->target.span, "'%s' has %u attributes, and the query puts out %u",
                   o->target.text, want->count, out->count);
        return;
    }
    for (uint32_t i = 0; i < want->count; i++) {
        const struct attribute *a = &want->attributes[i], *b = &out->attributes[i];
        if (strcmp(a->name, b->name) == 0 && a->type == b->type)
            continue;
        diag_error(p->diags, o->target.span,
                   "attribute %u of '%s' is '%s %s', and the query puts out '%s %s'", i + 1, o->target.text,
                   a->name, type_name(a->type), b->name, type_name(b->type));
        if (strcmp(a->name, b->name) == 0)
            diag_hint(p->diags, "convert(%s, '%s') as %s", b->name, type_name(a->type), a->name);
        else
            diag_hint(p->diags, "names, types and order must agree; rename with 'as %s'", a->name);
        return;
    }
}

static struct plan_element *inferred(struct planner *p, const struct ast_output *o, struct schema *out)
{
    const char *id = o->target.text, *key = id;
    if (o->mark == '#') {
        id = arena_printf(p->arena, "#%s", o->target.text);
        key = p->partition ? arena_printf(p->arena, "#%p%s", (void *)p->partition, o->target.text) : id;
    }
    struct schema *copy = schema_new(p->arena, id, out->count);
    memcpy(copy->attributes, out->attributes, out->count * sizeof(*out->attributes));
    return plan_element_add(p, ELEMENT_STREAM, key, copy, NULL);
}

struct op_plan *plan_output(struct planner *p, const struct ast_query *ast, const struct schema *out)
{
    const struct ast_output *o = &ast->output;
    if (o->kind == OUTPUT_RETURN) {
        diag_error(p->diags, o->span, "'return' has no meaning here");
        diag_hint(p->diags, "end the query with 'insert into SomeStream'");
        return NULL;
    }
    /* The '!' before a target is ignored (spec 03 section 10). */
    struct plan_element *target = plan_element_find(p, o->mark == '#' ? '#' : 0, o->target.text);
    if (o->kind != OUTPUT_INSERT || (target && target->kind == ELEMENT_TABLE))
        return plan_output_table(p, ast, out, target);
    if (target && target->kind == ELEMENT_AGGREGATION) {
        diag_error(p->diags, o->target.span, "'%s' is an aggregation; it takes its rows from its own 'from'",
                   o->target.text);
        return NULL;
    }
    if (target && !schema_same(target->schema, out)) {
        plan_report_mismatch(p, o, target->schema, out);
        return NULL;
    }
    if (!target)
        target = inferred(p, o, (struct schema *)(uintptr_t)out);
    struct output_plan *op = (struct output_plan *)op_plan_new(p, &op_output, sizeof(*op), o->span);
    op->query = p->query;
    op->target = target;
    plan_events_wanted(ast, &op->current_wanted, &op->expired_wanted);
    op->op.in = out;
    plan_add_op(p, &op->op);
    return &op->op;
}
