/* plan_query.c - one query: input, select, rate limit, output, chained as operators (spec 03 section 1). */
#include "engine/plan/plan.h"
#include "engine/run/output.h"
#include "engine/run/partition.h"
#include "engine/run/select.h"
#include "engine/window/kept.h"
#include <strings.h>

struct op_plan *op_plan_new(struct planner *p, const struct op_type *type, size_t bytes, struct span span)
{
    ASSERT(bytes >= sizeof(struct op_plan));
    struct op_plan *op = arena_alloc(p->arena, bytes);
    op->type = type;
    op->span = span;
    op->scheduler = -1;
    return op;
}

void plan_add_op(struct planner *p, struct op_plan *op)
{
    struct plan_query *q = p->query;
    op->number = p->plan->op_count++;
    op->scheduler = op->type->due && !op->type->own_moments ? p->plan->scheduler_count++ : -1;
    if (!q)
        return;
    if (q->op_count == q->op_cap) {
        int wider = q->op_cap ? q->op_cap * 2 : 8;
        struct op_plan **copy = arena_array(p->arena, (size_t)wider, sizeof(struct op_plan *));
        if (q->op_count)
            memcpy(copy, q->ops, (size_t)q->op_count * sizeof(struct op_plan *));
        q->ops = copy;
        q->op_cap = wider;
    }
    op->index = q->op_count;
    q->ops[q->op_count++] = op;
}

void plan_query_input(struct planner *p, const struct plan_element *element, struct op_plan *entry)
{
    struct plan_query *q = p->query;
    struct plan_input *copy = arena_array(p->arena, (size_t)q->input_count + 1, sizeof(*copy));
    if (q->input_count)
        memcpy(copy, q->inputs, (size_t)q->input_count * sizeof(*copy));
    copy[q->input_count].element = element;
    copy[q->input_count].entry = entry;
    q->inputs = copy;
    q->input_count++;
    ((struct plan_element *)(uintptr_t)element)->is_read = true;
}

struct expr_ctx plan_expr_ctx(struct planner *p, const struct scope *scope, struct agg_layout *aggs)
{
    return (struct expr_ctx){.arena = p->arena,
                             .diags = p->diags,
                             .scope = scope,
                             .aggs = aggs,
                             .is_on_demand = p->is_on_demand,
                             .compile_in = plan_in,
                             .script = plan_script,
                             .user = p};
}

struct expr *plan_condition(struct expr_ctx *c, const struct ast_expr *e, const char *what)
{
    if (e->kind != AST_ATTR && e->kind != AST_LITERAL)
        return expr_compile_bool(c, e, what);
    diag_error(c->diags, e->span, "%s needs a comparison, not a value alone", what);
    diag_hint(c->diags, "write 'x == true' for the value x");
    return NULL;
}

void plan_events_wanted(const struct ast_query *ast, bool *current, bool *expired)
{
    enum ast_events events = ast->output.events;
    if (events == EVENTS_DEFAULT)
        events = ast->rate.kind == RATE_SNAPSHOT ? EVENTS_ALL : EVENTS_CURRENT;
    *current = events != EVENTS_EXPIRED;
    *expired = events != EVENTS_CURRENT;
}

/* What @info(name='...') says, or NULL. */
static const struct ast_element *name_given(struct planner *p, const struct ast_query *ast, bool reports)
{
    const struct ast_annotation *info = NULL;
    for (const struct ast_annotation *a = ast->annotations; a; a = a->next) {
        if (strcasecmp(a->name.text, "info") != 0)
            continue;
        if (info && reports)
            diag_error(p->diags, a->span, "@info is given twice");
        info = a;
    }
    return info ? ast_find_element(info, "name") : NULL;
}

/* The query before this one that has the name, NULL: none. */
static const struct plan_query *query_of_name(const struct planner *p, const char *name)
{
    const struct plan_query *found = p->partition ? plan_partition_query(p->partition, name) : NULL;
    for (const struct plan_item *i = p->plan->items; i && !found; i = i->next) {
        if (i->partition)
            found = plan_partition_query(i->partition, name);
        else if (i->query && strcmp(i->query->name, name) == 0)
            found = i->query;
    }
    return found;
}

/* Every query has a name of its own, be it made up: state and numbers are kept by it. Only @info(name) of
 * queries outside partitions and of partitions share one room of names besides. */
static void query_named(struct planner *p, struct plan_query *q)
{
    const struct ast_element *name = name_given(p, q->ast, true);
    int number = ++p->plan->query_count;
    /* Callbacks of queries inside partitions can't be had (spec 07 section 4). */
    q->is_named = name && !p->partition;
    q->name = name ? name->value : arena_printf(p->arena, "query_%d", number);
    const struct plan_query *other = query_of_name(p, q->name);
    const struct ast_element *given = other ? name_given(p, other->ast, false) : NULL;
    if (other && (!name || !given)) {
        diag_error(p->diags,
                   name    ? name->span
                   : given ? given->span
                           : q->ast->span,
                   "'%s' is the name of another query, which is given none and so is named by its number",
                   q->name);
        diag_hint(p->diags, "choose another name here, or give the other query one by @info(name='...')");
    } else if (other) {
        diag_error(p->diags, name->span, "there are two queries named '%s'", q->name);
    }
    for (const struct plan_item *i = p->plan->items; i && name && !p->partition; i = i->next) {
        if (i->partition && i->partition->is_named && strcmp(i->partition->name, q->name) == 0)
            diag_error(p->diags, name->span, "there is a partition named '%s'", q->name);
    }
}

static int query_chain(struct planner *p, const struct ast_query *ast)
{
    struct plan_from from = {0};
    bool current, expired;
    plan_events_wanted(ast, &current, &expired);
    if (ast->rate.kind == RATE_SNAPSHOT && ast->output.events != EVENTS_DEFAULT &&
        ast->output.events != EVENTS_ALL)
        diag_error(p->diags, ast->output.span,
                   "'output snapshot' hands on all events; it can't be limited to current or expired ones");
    int rc = 0;
    switch (ast->input_kind) {
    case INPUT_SINGLE:
        rc = plan_single(p, ast->single, &ast->select, expired, &from);
        break;
    case INPUT_JOIN:
        rc = plan_join(p, ast, expired, &from);
        break;
    case INPUT_PATTERN:
    case INPUT_SEQUENCE:
        rc = plan_pattern(p, ast, &from);
        break;
    case INPUT_ANONYMOUS:
        diag_error(p->diags, ast->input_span, "a query inside 'from' is not part of the language");
        diag_hint(p->diags, "give the inner query a stream of its own with 'insert into', and read that");
        return -1;
    }
    if (rc < 0)
        return -1;
    from.sliding = from.sliding || expired;
    struct op_plan *select = plan_select(p, ast, &from);
    if (!select)
        return -1;
    bool failed = false;
    struct op_plan *rate = plan_rate(p, ast, select, &failed);
    struct op_plan *output = plan_output(p, ast, select->out);
    if (!output || failed)
        return -1;
    p->query->select = select;
    select->next = rate ? rate : output;
    ((struct select_plan *)select)->is_direct = !rate && output->type == &op_output;
    if (rate)
        rate->next = output;
    if (ast->input_kind == INPUT_SINGLE && from.last && from.last->type->keep) {
        struct kept_plan *kept = arena_alloc(p->arena, sizeof(*kept));
        if (select_kept((const struct select_plan *)select, kept)) {
            from.last->type->keep(from.last, kept);
            from.last->held_bytes = kept->count * (uint32_t)sizeof(union cell);
            from.last->holds_texts = kept->text_count > 0 || kept->has_objects;
            select_see((struct select_plan *)select, kept, p->arena);
        }
    }
    if (from.finish)
        from.finish(&from, select);
    else if (from.last)
        from.last->next = select;
    else
        p->query->inputs[0].entry = select;
    return 0;
}

struct plan_query *plan_query(struct planner *p, const struct ast_query *ast)
{
    struct plan_query *q = arena_alloc(p->arena, sizeof(*q));
    struct plan_query *outer = p->query;
    q->ast = ast;
    q->partition = p->partition;
    p->query = q;
    query_named(p, q);
    int rc = query_chain(p, ast);
    p->query = outer;
    return rc < 0 ? NULL : q;
}
