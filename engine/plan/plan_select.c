/* plan_select.c - the select clause: output names and types, aggregators, group by, having, order by, limit
 * (spec 03 sections 3 to 5). */
#include "engine/plan/plan.h"
#include "engine/run/select.h"

struct select_build {
    struct planner *p;
    struct plan_from *from;
    struct select_plan *s;
    char output_mark;
    int cap;
    struct attribute *attributes;
    bool failed;
};

static void add_output(struct select_build *b, struct expr *e, const char *name, struct span at)
{
    if (!e) {
        b->failed = true;
        return;
    }
    struct select_plan *s = b->s;
    KNOWN(s->count < b->cap ? b->attributes : s->count == b->cap && (b->attributes || !b->cap));
    for (int i = 0; i < s->count; i++) {
        if (strcmp(b->attributes[i].name, name) == 0) {
            diag_error(b->p->diags, at, "the output has two attributes named '%s'", name);
            diag_hint(b->p->diags, "rename one with 'as'");
            b->failed = true;
            return;
        }
    }
    if (s->count == b->cap) {
        int wider = b->cap ? b->cap * 2 : 8;
        struct expr **exprs = arena_array(b->p->arena, (size_t)wider, sizeof(*exprs));
        struct attribute *attributes = arena_array(b->p->arena, (size_t)wider, sizeof(*attributes));
        if (s->count) {
            memcpy(exprs, s->attrs, (size_t)s->count * sizeof(*exprs));
            memcpy(attributes, b->attributes, (size_t)s->count * sizeof(*attributes));
        }
        s->attrs = exprs;
        b->attributes = attributes;
        b->cap = wider;
    }
    s->attrs[s->count] = e;
    b->attributes[s->count].name = name;
    b->attributes[s->count].type = e->type;
    s->count++;
}

static void select_all(struct select_build *b, struct span at)
{
    const struct scope *scope = &b->from->scope;
    for (int i = 0; i < scope->count; i++) {
        const struct scope_source *src = &scope->sources[i];
        for (uint32_t k = 0; k < src->schema->count; k++) {
            struct expr *e = expr_attr(b->p->arena, src->slot, (uint16_t)k, src->schema);
            add_output(b, e, src->schema->attributes[k].name, at);
        }
    }
}

static void select_items(struct select_build *b, const struct ast_select *ast)
{
    struct expr_ctx c = plan_expr_ctx(b->p, &b->from->scope, &b->s->aggs);
    for (const struct ast_select_item *item = ast->items; item; item = item->next) {
        struct expr *e = expr_compile(&c, item->expr);
        const struct name *name = item->as.text ? &item->as : &item->expr->name;
        add_output(b, e, name->text, name->span);
    }
}

static void select_group(struct select_build *b, const struct ast_select *ast)
{
    struct expr_ctx c = plan_expr_ctx(b->p, &b->from->scope, NULL);
    int count = 0;
    for (const struct ast_expr *g = ast->group_by; g; g = g->next)
        count++;
    if (count > 64) {
        diag_error(b->p->diags, ast->group_by->span, "'group by' takes at most 64 attributes");
        b->failed = true;
        return;
    }
    b->s->keys = arena_array(b->p->arena, (size_t)count + 1, sizeof(*b->s->keys));
    for (const struct ast_expr *g = ast->group_by; g; g = g->next) {
        struct expr *e = expr_compile(&c, g);
        if (!e)
            b->failed = true;
        else
            b->s->keys[b->s->key_count++] = e;
    }
}

/* Names of the output, for having and order by. */
static struct scope output_scope(const struct select_build *b, const struct schema *out)
{
    struct scope scope = b->from->scope;
    scope.output = out;
    scope.output_only = b->from->is_single && !b->from->is_found;
    scope.output_mark = b->output_mark;
    return scope;
}

static void select_having(struct select_build *b, const struct ast_select *ast, const struct schema *out)
{
    if (!ast->having)
        return;
    struct scope scope = output_scope(b, out);
    b->s->having_aggs.removable = b->s->aggs.removable;
    b->s->having_aggs.is_keyed = b->p->partition != NULL;
    struct expr_ctx c = plan_expr_ctx(b->p, &scope, &b->s->having_aggs);
    b->s->having = plan_condition(&c, ast->having, "'having'");
    if (!b->s->having)
        b->failed = true;
}

static void select_order(struct select_build *b, const struct ast_select *ast, const struct schema *out)
{
    struct scope scope = output_scope(b, out);
    struct expr_ctx c = plan_expr_ctx(b->p, &scope, NULL);
    int count = 0;
    for (const struct ast_order *o = ast->order_by; o; o = o->next)
        count++;
    b->s->order = arena_array(b->p->arena, (size_t)count + 1, sizeof(*b->s->order));
    for (const struct ast_order *o = ast->order_by; o; o = o->next) {
        struct expr *e = expr_compile(&c, o->attr);
        if (!e) {
            b->failed = true;
            continue;
        }
        b->s->order[b->s->order_count].attr = e;
        b->s->order[b->s->order_count++].descending = o->descending;
    }
}

static int64_t select_count(struct select_build *b, const struct ast_expr *e, const char *what)
{
    struct value v;
    if (!e)
        return -1;
    if (!ast_is_constant(e, &v) || (v.type != TYPE_INT && v.type != TYPE_LONG)) {
        diag_error(b->p->diags, e->span, "'%s' takes a whole number, written out", what);
        b->failed = true;
        return -1;
    }
    if (v.as.l < 0) {
        diag_error(b->p->diags, e->span, "'%s' can't be negative", what);
        b->failed = true;
    }
    return v.as.l;
}

struct op_plan *plan_select(struct planner *p, const struct ast_query *ast, struct plan_from *from)
{
    struct select_plan *s = (struct select_plan *)op_plan_new(p, &op_select, sizeof(*s), ast->select.span);
    struct select_build b = {.p = p, .from = from, .s = s, .output_mark = ast->output.mark};
    const struct ast_select *sel = &ast->select;
    s->aggs.removable = from->sliding;
    s->aggs.is_keyed = sel->group_by || p->partition;
    if (!sel->given || sel->all)
        select_all(&b, sel->given ? sel->span : ast->input_span);
    else
        select_items(&b, sel);
    select_group(&b, sel);
    if (b.failed)
        return NULL;
    struct schema *out =
        schema_new(p->arena, ast->output.target.text ? ast->output.target.text : "", (uint32_t)s->count);
    KNOWN(b.attributes); /* a select of nothing is no select */
    memcpy(out->attributes, b.attributes, (size_t)s->count * sizeof(*b.attributes));
    select_having(&b, sel, out);
    select_order(&b, sel, out);
    s->limit = select_count(&b, sel->limit, "limit");
    s->offset = select_count(&b, sel->offset, "offset");
    if (b.failed)
        return NULL;
    plan_events_wanted(ast, &s->current_wanted, &s->expired_wanted);
    s->is_single = from->is_single;
    s->is_snapshot = ast->rate.kind == RATE_SNAPSHOT;
    s->keep_groups = ast->rate.kind != RATE_NONE;
    select_classify(s, p->arena);
    s->op.in = from->schema;
    s->op.out = out;
    plan_add_op(p, &s->op);
    return &s->op;
}
