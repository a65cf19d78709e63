/* plan_window.c - define window: a window with a name, shared by all queries (spec 04 section 4). */
#include "engine/plan/plan.h"

void plan_define_window(struct planner *p, const struct ast_definition *def)
{
    struct plan_element *e = plan_define(p, def, ELEMENT_WINDOW);
    if (!e)
        return;
    const struct ast_expr *call = def->window;
    e->publishes_current = def->window_output != EVENTS_EXPIRED;
    e->publishes_expired = def->window_output != EVENTS_CURRENT;
    e->window_type = window_find(call->space.text, call->name.text);
    if (!e->window_type) {
        const char *space = call->space.text;
        const char *name = space ? arena_printf(p->arena, "%s:%s", space, call->name.text) : call->name.text;
        diag_error(p->diags, call->op_span, "there is no window '%s'", name);
        const char *near = window_near(name);
        if (near)
            diag_hint(p->diags, "did you mean '%s'?", near);
        return;
    }
    struct window_ctx wc = {.arena = p->arena,
                            .diags = p->diags,
                            .in = e->schema,
                            .source_id = e->schema->id,
                            .expired_wanted = e->publishes_expired,
                            .has_find = true};
    e->window = e->window_type->plan(&wc, call);
    if (!e->window)
        return;
    e->window->in = e->window->out = e->schema;
    plan_add_op(p, e->window);
}
