/* plan_limits.c - @app:limits(memory='64 MB', disk='20%', full='wait'): what the app's author wants of the
 * agent's memory and disk, and of what happens when it is used up (engine.h). The agent deals the
 * shares. */
#include "engine/plan/plan.h"

static void read_amount(struct planner *p, const struct ast_element *e, struct amount *a, bool *has)
{
    *has = amount_read(a, e->value);
    if (*has)
        return;
    diag_error(p->diags, e->span, "'%s' must be an amount or a part of the whole", e->key.text);
    diag_hint(p->diags, "%s='64 MB' or %s='25%%'", e->key.text, e->key.text);
}

static void read_full(struct planner *p, const struct ast_element *e, struct plan_limits *l)
{
    static const char *const words[] = {"", "wait", "drop", "store"};
    for (int i = LIMITS_WAIT; i <= LIMITS_STORE; i++)
        if (strcasecmp(e->value, words[i]) == 0)
            l->full = (enum limits_full)i;
    if (l->full == LIMITS_UNSAID)
        diag_error(p->diags, e->span,
                   "'full' is what becomes of input at the limit: 'wait', 'drop' or 'store'");
}

void plan_read_limits(struct planner *p, const struct ast_annotation *a)
{
    static const char *const keys[] = {"memory", "disk", "full"};
    struct plan_limits *l = &p->plan->limits;
    for (const struct ast_element *e = a->elements; e; e = e->next) {
        const char *key = e->key.text ? e->key.text : "";
        if (strcasecmp(key, "memory") == 0) {
            read_amount(p, e, &l->memory, &l->has_memory);
        } else if (strcasecmp(key, "disk") == 0) {
            read_amount(p, e, &l->disk, &l->has_disk);
        } else if (strcasecmp(key, "full") == 0) {
            read_full(p, e, l);
        } else {
            diag_error(p->diags, *key ? e->key.span : e->span, "@app:limits has no '%s'", key);
            const char *near = diag_near(key, keys, 3);
            diag_hint(p->diags, near ? "did you mean '%s'?" : "memory='64 MB', disk='20%%', full='wait'%s",
                      near ? near : "");
        }
    }
}

const struct plan_limits *plan_limits(const struct plan *p)
{
    return &p->limits;
}
