/* plan_ondemand.c - an on-demand query compiled (spec 08 section 6): the parts of a query's plan, over an app
 * that runs.
 *
 * The planner gets a copy of the app's plan, so that the counters of operators it moves are not the app's. */
#include "engine/base/limits.h"
#include "engine/lang/parse.h"
#include "engine/plan/plan.h"
#include "engine/run/ondemand.h"

enum { ONDEMAND_BLOCK = 4096 };

/* The app's ids again: its plan forgot them when it was made. Inner streams have none. */
static void ids_fill(struct plan *p)
{
    map_init(&p->ids);
    for (int i = 0; i < p->element_count; i++) {
        if (!p->elements[i]->is_inner)
            map_put_str(&p->ids, p->elements[i]->schema->id, p->elements[i]);
    }
}

static struct op_plan *select_plan(struct planner *p, const struct ast_ondemand *ast,
                                   const struct scope_source *source)
{
    struct plan_from from = {.is_single = true, .is_found = true};
    struct ast_query query = {.select = ast->select, .input_span = ast->span};
    if (source) {
        from.scope = (struct scope){.sources = source, .count = 1};
        from.schema = source->schema;
    }
    return plan_select(p, &query, &from);
}

static int plan_within(struct planner *p, const struct ast_ondemand *ast)
{
    const struct ast_expr *e = ast->within_from ? ast->within_from : ast->per;
    if (!e)
        return 0;
    diag_error(p->diags, e->span, "'within' and 'per' belong to an aggregation, and '%s' is none",
               ast->from.text);
    return -1;
}

static int plan_find(struct planner *p, const struct ast_ondemand *ast, struct ondemand_plan *q)
{
    const struct plan_element *e = plan_element_find(p, 0, ast->from.text);
    if (!e || e->kind == ELEMENT_STREAM) {
        diag_error(p->diags, ast->from.span, "'%s' is neither a table, a window nor an aggregation",
                   ast->from.text);
        return -1;
    }
    struct scope_source *source = arena_alloc(p->arena, sizeof(*source));
    struct scope *scope = arena_alloc(p->arena, sizeof(*scope));
    *source = (struct scope_source){.id = e->schema->id, .schema = e->schema};
    *scope = (struct scope){.sources = source, .count = 1};
    if (e->kind == ELEMENT_AGGREGATION) {
        source->schema = aggregation_lookup_schema(p, e);
        if (source->schema)
            q->lookup = aggregation_lookup(p, e, scope, 0, ast->on, ast->within_from, ast->within_to,
                                           ast->per, ast->from.span);
    } else if (plan_within(p, ast) < 0) {
        return -1;
    } else if (e->kind == ELEMENT_TABLE) {
        q->lookup = table_lookup(p, e, scope, 0, ast->on);
    } else {
        q->window = e;
        struct expr_ctx c = plan_expr_ctx(p, scope, NULL);
        q->on = ast->on ? expr_compile(&c, ast->on) : NULL;
        if (!e->window->type->content)
            diag_error(p->diags, ast->from.span, "the window '%s' can't be searched", ast->from.text);
        if (!e->window->type->content || (ast->on && !q->on))
            return -1;
    }
    if (!q->window && !q->lookup)
        return -1;
    q->is_ordered = ast->select.order_by != NULL;
    q->select = select_plan(p, ast, source);
    return q->select ? 0 : -1;
}

static int plan_change(struct planner *p, const struct ast_ondemand *ast, struct ondemand_plan *q)
{
    const struct ast_output *o = &ast->output;
    const struct plan_element *table = plan_element_find(p, 0, o->target.text);
    if (!plan_table_need(p, table, &o->target))
        return -1;
    if (ast->kind == ONDEMAND_DELETE && !o->on) {
        diag_error(p->diags, o->span, "'delete' needs 'on' and a condition");
        diag_hint(p->diags, "all rows: on 1 == 1");
        return -1;
    }
    const struct schema *event = table->schema;
    if (ast->select.given) {
        q->select = select_plan(p, ast, NULL);
        if (!q->select)
            return -1;
        event = q->select->out;
    }
    return plan_table_statement(p, o, event, table, &q->statement);
}

/* The errors of a query that is about to end, for those who outlive it. */
static void hand_over(const struct diags *from, struct diags *to)
{
    for (const struct diag *d = from->first; d; d = d->next) {
        if (d->kind == DIAG_ERROR)
            diag_error(to, d->span, "%s", d->message);
        else if (d->kind == DIAG_UNSUPPORTED)
            diag_unsupported(to, d->span, d->construct);
        else
            continue;
        if (d->hint)
            diag_hint(to, "%s", d->hint);
    }
}

static void report(const struct diags *d, struct err *e)
{
    const struct diag *first = NULL;
    for (const struct diag *i = d->first; i && !first; i = i->next)
        first = i->kind == DIAG_WARNING ? NULL : i;
    if (!first) {
        err_set(e, ERR_INVALID, "the query was refused");
        return;
    }
    int line, column;
    diag_position(d, first->span.at, &line, &column);
    err_set(e, first->kind == DIAG_UNSUPPORTED ? ERR_UNSUPPORTED : ERR_INVALID, "%d:%d: %s%s%s", line, column,
            first->message, first->hint ? "; " : "", first->hint ? first->hint : "");
}

struct ondemand_plan *plan_ondemand(const struct plan *plan, const char *text, size_t len, struct diags *out,
                                    struct err *e)
{
    if (len > LIMIT_APP_BYTES) {
        err_set(e, ERR_TOO_BIG, "the query has %zu bytes; at most %d are taken", len, LIMIT_APP_BYTES);
        return NULL;
    }
    struct ondemand_plan *q = mem_alloc(sizeof(*q));
    arena_init(&q->arena, ONDEMAND_BLOCK);
    struct diags diags;
    const char *own = arena_strndup(&q->arena, text, len);
    diags_init(&diags, &q->arena, own, len);
    struct plan copy = *plan;
    struct planner p = {.plan = &copy, .arena = &q->arena, .diags = &diags, .is_on_demand = true};
    const struct ast_ondemand *ast = parse_ondemand(&diags, own, len);
    int rc = -1;
    if (ast) {
        ids_fill(&copy);
        q->kind = ast->kind;
        rc = ast->kind == ONDEMAND_FIND ? plan_find(&p, ast, q) : plan_change(&p, ast, q);
        map_fini(&copy.ids);
    }
    if (rc < 0 || diags.errors || diags.unsupported) {
        report(&diags, e);
        if (out)
            hand_over(&diags, out);
        ondemand_plan_free(q);
        return NULL;
    }
    q->calls_script = p.calls_script;
    return q;
}

void ondemand_plan_free(struct ondemand_plan *q)
{
    arena_fini(&q->arena);
    mem_free(q);
}
