/* plan_trigger.c - define trigger (spec 10 section 1): a stream of one attribute, fed by the clock. */
#include "engine/base/cron.h"
#include "engine/plan/plan.h"
#include "engine/run/trigger.h"

static enum trigger_kind kind_of(const struct ast_definition *def)
{
    if (!def->at)
        return TRIGGER_EVERY;
    return trigger_is_start(def->at) ? TRIGGER_START : TRIGGER_CRON;
}

/* What stops the start, not the compile: told beforehand. */
static void warn_about(struct planner *p, const struct ast_definition *def, enum trigger_kind kind)
{
    struct cron cron;
    struct err e = {0};
    if (kind == TRIGGER_CRON && cron_parse(&cron, def->at, &e) < 0) {
        diag_warn(p->diags, def->at_span, "%s", e.text);
        diag_hint(p->diags, "the app can't be started");
    } else if (kind == TRIGGER_EVERY && def->every_ms <= 0) {
        diag_warn(p->diags, def->span, "trigger '%s' never comes: its time must be above 0", def->id.text);
        diag_hint(p->diags, "the app can't be started");
    }
}

void plan_define_trigger(struct planner *p, const struct ast_definition *def)
{
    struct ast_attribute *time = arena_alloc(p->arena, sizeof(*time));
    struct ast_definition *with = arena_alloc(p->arena, sizeof(*with));
    time->name = (struct name){"triggered_time", def->id.span};
    time->type = TYPE_LONG;
    *with = *def;
    with->attributes = time;
    int errors = p->diags->errors;
    struct plan_element *e = plan_define(p, with, ELEMENT_STREAM);
    if (p->diags->errors > errors)
        return;
    /* A stream of the same shape may be defined beside it. */
    if (!e)
        e = plan_element_find(p, 0, def->id.text);
    struct plan_trigger *t = arena_alloc(p->arena, sizeof(*t));
    t->stream = e;
    t->definition = def;
    warn_about(p, def, kind_of(def));
    struct plan_trigger **last = &p->plan->triggers;
    while (*last)
        last = &(*last)->next;
    *last = t;
}
