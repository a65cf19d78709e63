/* plan_single.c - 'from S[filter]#function()#window.name()': the chain of one source (spec 03 section 1, 04
 * section 1). */
#include "engine/expr/absent.h"
#include "engine/plan/plan.h"
#include "engine/run/filter.h"
#include "engine/window/handler.h"

static void chain_add(struct planner *p, struct op_plan **first, struct op_plan **last, struct op_plan *op)
{
    plan_add_op(p, op);
    if (*last)
        (*last)->next = op;
    else
        *first = op;
    *last = op;
}

static struct op_plan *plan_filter(struct planner *p, const struct ast_handler *h, const struct scope *scope,
                                   const struct schema *schema)
{
    struct filter_plan *f = (struct filter_plan *)op_plan_new(p, &op_filter, sizeof(*f), h->span);
    f->aggs = arena_alloc(p->arena, sizeof(*f->aggs));
    f->aggs->removable = true;
    struct expr_ctx c = plan_expr_ctx(p, scope, f->aggs);
    f->condition = expr_compile_bool(&c, h->expr, "filter");
    f->op.in = f->op.out = schema;
    return f->condition ? &f->op : NULL;
}

static void unknown_handler(struct planner *p, const struct ast_expr *call)
{
    const char *space = call->space.text;
    if (absent_report(p->diags, call))
        return;
    diag_error(p->diags, call->op_span, "there is no stream function '%s%s%s'", space ? space : "",
               space ? ":" : "", call->name.text);
    const char *near = space ? handler_near(space, call->name.text) : NULL;
    if (!space && window_find(NULL, call->name.text))
        diag_hint(p->diags, "windows are written '#window.%s(...)'", call->name.text);
    else if (near)
        diag_hint(p->diags, "did you mean '%s:%s'?", space, near);
}

static void unknown_window(struct planner *p, const struct ast_expr *call)
{
    if (absent_report(p->diags, call))
        return;
    const char *space = call->space.text;
    const char *name = space ? arena_printf(p->arena, "%s:%s", space, call->name.text) : call->name.text;
    diag_error(p->diags, call->op_span, "there is no window '%s'", name);
    const char *near = window_near(name);
    if (near)
        diag_hint(p->diags, "did you mean '%s'? Names of windows are case-sensitive", near);
}

int plan_handlers(struct planner *p, const struct ast_handler *handlers, const struct scope_source *source,
                  const struct schema **schema, struct op_plan **first, struct op_plan **last,
                  struct window_ctx *wc, struct op_plan **window, const struct window_type **window_type)
{
    int rc = 0;
    for (const struct ast_handler *h = handlers; h; h = h->next) {
        struct scope_source here = *source;
        here.schema = *schema;
        struct scope scope = {.sources = &here, .count = 1};
        struct op_plan *op = NULL;
        if (h->kind == HANDLER_FILTER) {
            op = plan_filter(p, h, &scope, *schema);
        } else if (h->kind == HANDLER_FUNCTION && window_find(h->expr->space.text, h->expr->name.text) &&
                   h->expr->space.text) {
            goto window;
        } else if (h->kind == HANDLER_FUNCTION) {
            const struct handler_type *type = handler_find(h->expr->space.text, h->expr->name.text);
            if (!type) {
                unknown_handler(p, h->expr);
                rc = -1;
                continue;
            }
            struct window_ctx c = *wc;
            c.in = *schema;
            struct expr_ctx ec = plan_expr_ctx(p, &scope, NULL);
            const struct schema *out = *schema;
            op = type->plan(&c, h->expr, &ec, &out);
            if (op) {
                op->in = *schema;
                op->out = out;
                *schema = out;
            }
        } else {
        window:;
            const struct window_type *type = window_find(h->expr->space.text, h->expr->name.text);
            if (!window || *window) {
                diag_error(p->diags, h->span,
                           *window ? "a source has at most one window" : "no window can stand here");
                rc = -1;
                continue;
            }
            if (!type) {
                unknown_window(p, h->expr);
                rc = -1;
                continue;
            }
            struct window_ctx c = *wc;
            c.in = *schema;
            op = type->plan(&c, h->expr);
            if (op) {
                op->in = op->out = *schema;
                op->span = h->span;
                *window = op;
                *window_type = type;
            }
        }
        if (!op) {
            rc = -1;
            continue;
        }
        chain_add(p, first, last, op);
    }
    return rc;
}

int plan_single(struct planner *p, const struct ast_source *source, const struct ast_select *select,
                bool expired_wanted, struct plan_from *from)
{
    struct plan_element *e = plan_element_need(p, source->mark, &source->id);
    if (!e)
        return -1;
    if (e->kind == ELEMENT_TABLE || e->kind == ELEMENT_AGGREGATION) {
        diag_error(p->diags, source->id.span, "'%s' is %s; a query reads streams and windows",
                   source->id.text, e->kind == ELEMENT_TABLE ? "a table" : "an aggregation");
        diag_hint(p->diags, "join a stream with it, or ask it with an on-demand query");
        return -1;
    }
    struct scope_source *s = arena_alloc(p->arena, sizeof(*s));
    s->id = e->schema->id;
    s->schema = e->schema;
    struct window_ctx wc = {.arena = p->arena,
                            .diags = p->diags,
                            .source_id = s->id,
                            .expired_wanted = expired_wanted,
                            .select = select,
                            .in_partition = p->partition != NULL};
    struct op_plan *window = NULL;
    const struct window_type *type = NULL;
    const struct schema *schema = e->schema;
    int rc = plan_handlers(p, source->handlers, s, &schema, &from->first, &from->last, &wc, &window, &type);
    if (window && e->kind == ELEMENT_WINDOW) {
        diag_error(p->diags, window->span, "'%s' is a window already; another can't stand on it",
                   source->id.text);
        rc = -1;
    }
    if (rc < 0)
        return -1;
    s->schema = schema;
    from->scope.sources = s;
    from->scope.count = 1;
    from->schema = schema;
    from->is_single = true;
    from->sliding = type && type->sliding;
    plan_query_input(p, e, from->first);
    return 0;
}
