/* plan_element.c - what the ids of an app stand for: one name space for streams, tables, windows,
 * aggregations (spec 01 section 2). */
#include "engine/plan/plan.h"
#include "engine/run/partition.h"
#include <stdio.h>

static void array_add(struct arena *arena, struct plan_element ***array, int *count, int *cap,
                      struct plan_element *e)
{
    if (*count == *cap) {
        int wider = *cap ? *cap * 2 : 16;
        struct plan_element **copy = arena_array(arena, (size_t)wider, sizeof(*copy));
        if (*count)
            memcpy(copy, *array, (size_t)*count * sizeof(*copy));
        *array = copy;
        *cap = wider;
    }
    (*array)[(*count)++] = e;
}

struct plan_element *plan_element_add(struct planner *p, enum element_kind kind, const char *id,
                                      const struct schema *schema, const struct ast_definition *def)
{
    struct plan *plan = p->plan;
    struct plan_element *e = arena_alloc(p->arena, sizeof(*e));
    e->kind = kind;
    e->schema = schema;
    e->definition = def;
    e->fault = -1;
    array_add(p->arena, &plan->elements, &plan->element_count, &plan->element_cap, e);
    map_put_str(&plan->ids, id, e);
    if (kind == ELEMENT_STREAM && id[0] == '#' && p->partition) {
        e->is_inner = true;
        e->number = plan_partition_add_inner(p, e);
        return e;
    }
    switch (kind) {
    case ELEMENT_STREAM:
        e->number = plan->stream_count;
        array_add(p->arena, &plan->streams, &plan->stream_count, &plan->stream_cap, e);
        break;
    case ELEMENT_TABLE:
        e->number = plan->table_count;
        array_add(p->arena, &plan->tables, &plan->table_count, &plan->table_cap, e);
        break;
    case ELEMENT_WINDOW:
        e->number = plan->window_count;
        array_add(p->arena, &plan->windows, &plan->window_count, &plan->window_cap, e);
        break;
    case ELEMENT_AGGREGATION:
        e->number = plan->aggregation_count;
        array_add(p->arena, &plan->aggregations, &plan->aggregation_count, &plan->aggregation_cap, e);
        break;
    }
    return e;
}

struct plan_element *plan_element_find(struct planner *p, char mark, const char *id)
{
    if (!mark)
        return map_get_str(&p->plan->ids, id);
    char *marked = arena_printf(p->arena, "%c%s", mark, id);
    if (mark == '#' && p->partition) {
        /* An inner stream belongs to one partition; the same name in another one is another stream. */
        char *inner = arena_printf(p->arena, "#%p%s", (void *)p->partition, id);
        return map_get_str(&p->plan->ids, inner);
    }
    return map_get_str(&p->plan->ids, marked);
}

struct plan_element *plan_element_need(struct planner *p, char mark, const struct name *id)
{
    struct plan_element *e = plan_element_find(p, mark, id->text);
    if (e)
        return e;
    char shown[2] = {mark, 0};
    diag_error(p->diags, id->span, "there is no stream, table or window '%s%s'", shown, id->text);
    if (mark == '!') {
        diag_hint(p->diags, "@OnError(action='stream') on the definition of '%s' makes its fault stream",
                  id->text);
        return NULL;
    }
    size_t count = 0;
    const char **names = arena_array(p->arena, (size_t)p->plan->element_count + 1, sizeof(*names));
    for (int i = 0; i < p->plan->element_count; i++)
        names[count++] = p->plan->elements[i]->schema->id;
    const char *near = diag_near(id->text, names, count);
    if (near)
        diag_hint(p->diags, "did you mean '%s'? A query can read what is defined or written to before it",
                  near);
    return NULL;
}
