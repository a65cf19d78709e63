#include "agent/flow.h"
#include <string.h>

/* Visits every query of the app: those of partitions, and those inside other queries. */
typedef bool (*query_fn)(const struct ast_query *q, const void *user);

static bool any_in_query(const struct ast_query *q, query_fn fn, const void *user)
{
    for (; q; q = q->input_kind == INPUT_ANONYMOUS ? q->anonymous : NULL)
        if (fn(q, user))
            return true;
    return false;
}

static bool any_query(const struct ast_app *app, query_fn fn, const void *user)
{
    for (const struct ast_item *i = app->items; i; i = i->next) {
        if (any_in_query(i->query, fn, user))
            return true;
        if (!i->partition)
            continue;
        for (const struct ast_element_list *e = i->partition->queries; e; e = e->next)
            if (any_in_query(e->query, fn, user))
                return true;
    }
    return false;
}

static bool source_is(const struct ast_source *s, const char *id)
{
    if (!s || !s->id.text || s->mark == '#')
        return false;
    if (s->mark == '!')
        return id[0] == '!' && strcmp(id + 1, s->id.text) == 0;
    return strcmp(id, s->id.text) == 0;
}

static bool state_has(const struct ast_state *s, const char *id)
{
    for (; s; s = s->right)
        if (source_is(s->source, id) || state_has(s->left, id))
            return true;
    return false;
}

static bool query_reads(const struct ast_query *q, const void *id)
{
    return source_is(q->single, id) ||
           (q->join && (source_is(q->join->left, id) || source_is(q->join->right, id))) ||
           state_has(q->state, id);
}

bool flow_is_read(const struct plan *p, const char *id)
{
    const struct ast_app *app = plan_ast(p);
    for (const struct ast_definition *d = app->definitions; d; d = d->next)
        if (d->kind == DEFINE_AGGREGATION && source_is(d->from, id))
            return true;
    return any_query(app, query_reads, id);
}

static bool query_feeds(const struct ast_query *q, const void *id)
{
    const struct ast_output *o = &q->output;
    return o->kind == OUTPUT_INSERT && !o->mark && o->target.text && strcmp(o->target.text, id) == 0;
}

bool flow_is_fed(const struct plan *p, uint32_t stream)
{
    const struct ast_definition *d = plan_stream_definition(p, stream);
    if (!d || d->kind != DEFINE_STREAM || ast_find_annotation(d->annotations, "source"))
        return true;
    return any_query(plan_ast(p), query_feeds, plan_stream(p, stream)->id);
}

struct naming {
    void (*fn)(void *user, const char *name);
    void *user;
};

static bool query_name(const struct ast_query *q, const void *user)
{
    const struct naming *n = user;
    const struct ast_annotation *info = ast_find_annotation(q->annotations, "info");
    const struct ast_element *name = info ? ast_find_element(info, "name") : NULL;
    if (name)
        n->fn(n->user, name->value);
    return false;
}

void flow_named_queries(const struct plan *p, void (*fn)(void *user, const char *name), void *user)
{
    struct naming n = {fn, user};
    any_query(plan_ast(p), query_name, &n);
}
