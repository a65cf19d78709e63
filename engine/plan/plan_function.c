/* plan_function.c - define function: script functions, and their calls (spec 02 section 7.4). */
#include "engine/expr/script.h"
#include "engine/plan/plan.h"

void plan_define_function(struct planner *p, const struct ast_definition *def)
{
    struct script_function **last = &p->plan->functions;
    int number = 0;
    for (; *last; last = &(*last)->next, number++) {
        if (strcmp((*last)->name, def->id.text) == 0) {
            diag_error(p->diags, def->id.span, "'%s' is defined twice", def->id.text);
            return;
        }
    }
    struct script_function *f = arena_alloc(p->arena, sizeof(*f));
    f->name = def->id.text;
    f->number = number;
    f->returns = def->return_type;
    *last = f; /* also when it is refused, so that its calls are not reported too */
    /* Siddhi loses the script's last character (spec 01 section 2). We don't, but say so where it would
     * matter there. */
    const char *body = p->plan->text + def->body_span.at;
    char end = def->body_span.len ? body[def->body_span.len - 1] : ' ';
    if (script_define(f, p->arena, p->diags, def->language, body, def->body_span) == 0 &&
        !strchr(" \t\r\n;", end)) {
        diag_warn(p->diags, (struct span){def->body_span.at + def->body_span.len - 1, 1},
                  "Siddhi ignores the character before a script's last '}'");
        diag_hint(p->diags, "end the script with ';' or a blank");
    }
}

struct expr *plan_script(struct expr_ctx *c, const struct ast_expr *call, struct expr **args, bool *reported)
{
    struct planner *p = c->user;
    *reported = false;
    for (const struct script_function *f = p->plan->functions; f; f = f->next) {
        if (strcmp(f->name, call->name.text) != 0)
            continue;
        int count = 0;
        while (args && args[count])
            count++;
        p->calls_script = true;
        return script_call(c->arena, f, args, count);
    }
    return NULL;
}
