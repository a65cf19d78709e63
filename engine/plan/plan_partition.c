/* plan_partition.c - partition with (...) begin ... end (spec 07): keys, the queries inside, what they read,
 * @purge. */
#include "engine/lang/parse.h"
#include "engine/run/partition.h"
#include <strings.h>

enum { PURGE_INTERVAL_MS = 5 * 60 * 1000 };

/* ---- @info, @purge ---- */

static const struct ast_annotation *annotation_once(struct planner *p, const struct ast_annotation *list,
                                                    const char *name)
{
    const struct ast_annotation *found = NULL;
    for (const struct ast_annotation *a = list; a; a = a->next) {
        if (strcasecmp(a->name.text, name) != 0)
            continue;
        if (found)
            diag_error(p->diags, a->span, "@%s is given twice", name);
        found = a;
    }
    return found;
}

static const struct ast_element *name_given(const struct ast_partition *ast)
{
    const struct ast_annotation *info = NULL;
    for (const struct ast_annotation *a = ast->annotations; a; a = a->next)
        info = strcasecmp(a->name.text, "info") == 0 ? a : info;
    return info ? ast_find_element(info, "name") : NULL;
}

/* Is this the name that a partition is given, before or behind? */
static bool is_given(const struct planner *p, const char *name)
{
    for (const struct ast_item *i = p->plan->ast->items; i; i = i->next) {
        const struct ast_element *given = i->partition ? name_given(i->partition) : NULL;
        if (given && strcmp(given->value, name) == 0)
            return true;
    }
    return false;
}

/* A name that is made up gives way to one that is given: state is kept by it. */
static void partition_named(struct planner *p, struct plan_partition *pp, const struct ast_partition *ast)
{
    annotation_once(p, ast->annotations, "info");
    const struct ast_element *name = name_given(ast);
    int number = 1;
    for (const struct plan_item *i = p->plan->items; i; i = i->next) {
        number += i->partition != NULL;
        bool taken =
            name &&
            ((i->query && i->query->is_named && strcmp(i->query->name, name->value) == 0) ||
             (i->partition && i->partition->is_named && strcmp(i->partition->name, name->value) == 0));
        if (taken)
            diag_error(p->diags, name->span, "there are two queries or partitions named '%s'", name->value);
    }
    pp->is_named = name != NULL;
    pp->name = name ? name->value : arena_printf(p->arena, "partition_%d", number);
    while (!name && is_given(p, pp->name))
        pp->name = arena_printf(p->arena, "%s_", pp->name);
}

static int64_t purge_time(struct planner *p, const struct ast_element *e)
{
    int64_t ms = parse_purge_time(e->value);
    if (ms <= 0) {
        diag_error(p->diags, e->span, "'%s' is not a time", e->value);
        diag_hint(p->diags, "write a number and a unit: '10 sec', '1 hour'");
        return 1;
    }
    return ms;
}

static void partition_purge(struct planner *p, struct plan_partition *pp, const struct ast_partition *ast)
{
    const struct ast_annotation *a = annotation_once(p, ast->annotations, "purge");
    if (!a)
        return;
    const struct ast_element *enable = ast_find_element(a, "enable"),
                             *idle = ast_find_element(a, "idle.period");
    const struct ast_element *interval = ast_find_element(a, "interval");
    pp->interval_ms = interval ? purge_time(p, interval) : PURGE_INTERVAL_MS;
    if (idle)
        pp->idle_ms = purge_time(p, idle);
    if (!enable || !idle) {
        diag_error(p->diags, a->span, "@purge needs '%s'", enable ? "idle.period" : "enable");
        diag_hint(p->diags, "@purge(enable='true', interval='10 sec', idle.period='1 hour')");
        return;
    }
    pp->purges = strcasecmp(enable->value, "true") == 0;
    if (!pp->purges && strcasecmp(enable->value, "false") != 0)
        diag_error(p->diags, enable->span, "'enable' of @purge is 'true' or 'false'");
}

/* ---- names ---- */

const struct plan_query *plan_partition_query(const struct plan_partition *p, const char *name)
{
    for (int i = 0; i < p->query_count; i++) {
        if (strcmp(p->queries[i]->name, name) == 0)
            return p->queries[i];
    }
    return NULL;
}

int plan_partition_add_inner(struct planner *p, const struct plan_element *e)
{
    struct plan_partition *pp = p->partition;
    if (pp->inner_count == pp->inner_cap) {
        int wider = pp->inner_cap ? pp->inner_cap * 2 : 4;
        const struct plan_element **copy = arena_array(p->arena, (size_t)wider, sizeof(*copy));
        if (pp->inner_count)
            memcpy(copy, pp->inner, (size_t)pp->inner_count * sizeof(*copy));
        pp->inner = copy;
        pp->inner_cap = wider;
    }
    pp->inner[pp->inner_count] = e;
    return pp->inner_count++;
}

/* ---- with (...) ---- */

static struct partition_input *input_of(struct planner *p, struct plan_partition *pp,
                                        const struct plan_element *e)
{
    for (int i = 0; i < pp->input_count; i++) {
        if (pp->inputs[i].element == e)
            return &pp->inputs[i];
    }
    if (pp->input_count == pp->input_cap) {
        int wider = pp->input_cap ? pp->input_cap * 2 : 4;
        struct partition_input *copy = arena_array(p->arena, (size_t)wider, sizeof(*copy));
        if (pp->input_count)
            memcpy(copy, pp->inputs, (size_t)pp->input_count * sizeof(*copy));
        pp->inputs = copy;
        pp->input_cap = wider;
    }
    struct partition_input *in = &pp->inputs[pp->input_count++];
    *in = (struct partition_input){.element = e};
    return in;
}

static struct text *label_text(struct planner *p, const char *label)
{
    struct text *t = text_scratch(p->arena, label, strlen(label));
    t->refs = 1; /* the arena's: never the last */
    return t;
}

static int plan_ranges(struct planner *p, struct partition_input *in, struct expr_ctx *c,
                       const struct ast_partition_range *list)
{
    int count = 0, rc = 0;
    for (const struct ast_partition_range *r = list; r; r = r->next)
        count++;
    in->ranges = arena_array(p->arena, (size_t)count, sizeof(*in->ranges));
    for (const struct ast_partition_range *r = list; r; r = r->next) {
        struct partition_range *range = &in->ranges[in->range_count++];
        range->condition = plan_condition(c, r->condition, "partition range");
        range->label = label_text(p, r->label);
        if (!range->condition)
            rc = -1;
    }
    return rc;
}

static int plan_key(struct planner *p, struct plan_partition *pp, const struct ast_partition_key *key)
{
    const struct plan_element *e = plan_element_need(p, 0, &key->stream);
    if (!e)
        return -1;
    if (e->kind == ELEMENT_TABLE || e->kind == ELEMENT_AGGREGATION) {
        diag_error(p->diags, key->stream.span, "'%s' is %s; streams and windows can be partitioned",
                   key->stream.text, e->kind == ELEMENT_TABLE ? "a table" : "an aggregation");
        return -1;
    }
    struct partition_input *in = input_of(p, pp, e);
    if (in->is_keyed) {
        diag_error(p->diags, key->span, "'%s' is partitioned twice", key->stream.text);
        return -1;
    }
    in->is_keyed = true;
    struct scope_source source = {.id = e->schema->id, .schema = e->schema};
    struct scope scope = {.sources = &source, .count = 1};
    struct expr_ctx c = plan_expr_ctx(p, &scope, NULL);
    c.compile_in = NULL; /* no key is sought in a table */
    if (key->ranges)
        return plan_ranges(p, in, &c, key->ranges);
    in->value = expr_compile(&c, key->value);
    return in->value ? 0 : -1;
}

/* ---- begin ... end ---- */

static void add_route(struct planner *p, struct partition_input *in, int query, int op)
{
    if (in->route_count == in->route_cap) {
        int wider = in->route_cap ? in->route_cap * 2 : 4;
        struct partition_route *copy = arena_array(p->arena, (size_t)wider, sizeof(*copy));
        if (in->route_count)
            memcpy(copy, in->routes, (size_t)in->route_count * sizeof(*copy));
        in->routes = copy;
        in->route_cap = wider;
    }
    in->routes[in->route_count++] = (struct partition_route){query, op};
}

static int plan_inside(struct planner *p, struct plan_partition *pp, const struct ast_partition *ast)
{
    int count = 0, rc = 0;
    for (const struct ast_element_list *i = ast->queries; i; i = i->next)
        count++;
    pp->queries = arena_array(p->arena, (size_t)count + 1, sizeof(*pp->queries));
    for (const struct ast_element_list *i = ast->queries; i; i = i->next) {
        struct plan_query *q = plan_query(p, i->query);
        if (!q) {
            rc = -1;
            continue;
        }
        int number = pp->query_count++;
        pp->queries[number] = q;
        for (int k = 0; k < q->input_count; k++) {
            const struct plan_input *input = &q->inputs[k];
            if (!input->element->is_inner)
                add_route(p, input_of(p, pp, input->element), number, input->entry->index);
        }
    }
    return rc;
}

struct plan_partition *plan_partition(struct planner *p, const struct ast_partition *ast)
{
    struct plan_partition *pp = arena_alloc(p->arena, sizeof(*pp));
    int rc = 0;
    pp->span = ast->span;
    partition_named(p, pp, ast);
    partition_purge(p, pp, ast);
    for (const struct ast_partition_key *key = ast->keys; key; key = key->next)
        rc |= plan_key(p, pp, key);
    p->partition = pp;
    rc |= plan_inside(p, pp, ast);
    p->partition = NULL;
    return rc < 0 ? NULL : pp;
}
