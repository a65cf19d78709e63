/* pattern_names.c - see plan_pattern.h. */
#include "engine/plan/plan_pattern.h"

static struct pattern_names *names_of(const struct expr_ctx *c)
{
    return c->scope->user;
}

static void use(struct pattern_names *names, int frame_row)
{
    if (names->own == NODE_NONE)
        return; /* the selector gets the whole frame */
    for (int i = 0; i < names->use_count; i++) {
        if (names->uses[i] == frame_row)
            return;
    }
    if (names->use_count == names->use_cap) {
        int wider = names->use_cap ? names->use_cap * 2 : 4;
        uint16_t *copy = arena_array(names->build->p->arena, (size_t)wider, sizeof(*copy));
        if (names->use_count)
            memcpy(copy, names->uses, (size_t)names->use_count * sizeof(*copy));
        names->uses = copy;
        names->use_cap = wider;
    }
    names->uses[names->use_count++] = (uint16_t)frame_row;
}

/* The frame row of a view; a new one when nobody asked for it before. */
static int view_row(struct pattern_build *b, int node, enum view_kind kind, uint32_t index)
{
    struct pattern_plan *plan = b->plan;
    int first = plan->node_count + PATTERN_EXTRA_VIEWS;
    for (int i = 0; i < plan->view_count; i++) {
        const struct pattern_view *v = &plan->views[i];
        if (v->node == node && v->kind == kind && v->index == index)
            return first + i;
    }
    if (plan->view_count == b->view_cap) {
        int wider = b->view_cap ? b->view_cap * 2 : 4;
        struct pattern_view *copy = arena_array(b->p->arena, (size_t)wider, sizeof(*copy));
        if (plan->view_count)
            memcpy(copy, plan->views, (size_t)plan->view_count * sizeof(*copy));
        plan->views = copy;
        b->view_cap = wider;
    }
    plan->views[plan->view_count] = (struct pattern_view){(uint16_t)node, kind, index};
    return first + plan->view_count++;
}

/* e[0], e[last - 1], e: an element without a count has its one event at 0. */
static int indexed_row(struct pattern_names *names, int node, const struct ast_expr *ref)
{
    struct pattern_build *b = names->build;
    const struct pattern_node_plan *n = &b->plan->nodes[node];
    int64_t index = ref->index_kind == INDEX_NONE ? 0 : ref->index;
    /* In its own condition, e[last] is the newest before the event that is looked at. */
    if (ref->index_kind == INDEX_LAST && node == names->own && n->ref)
        index++;
    if (index < 0 || index > UINT32_MAX || (n->kind != NODE_COUNT && index > 0))
        return b->plan->node_count + PATTERN_EXTRA_NOTHING;
    if (n->kind != NODE_COUNT || (ref->index_kind != INDEX_LAST && index == 0))
        return node;
    return view_row(b, node, ref->index_kind == INDEX_LAST ? VIEW_LAST : VIEW_AT, (uint32_t)index);
}

static bool source_is(const struct scope_source *s, char mark, const char *text)
{
    const char *name = s->alias ? s->alias : s->id;
    return mark ? !s->alias && name[0] == mark && strcmp(name + 1, text) == 0 : strcmp(name, text) == 0;
}

/* The first node of that name, or NODE_NONE. */
static int find_node(const struct pattern_build *b, char mark, const char *text)
{
    for (int i = 0; i < b->plan->node_count; i++) {
        if (source_is(&b->sources[i], mark, text))
            return i;
    }
    return NODE_NONE;
}

static bool is_later(const struct pattern_names *names, int node)
{
    return names->own != NODE_NONE && node > names->own;
}

static void report_later(struct expr_ctx *c, const struct name *name)
{
    diag_error(c->diags, name->span, "'%s' comes later; its event is not there yet", name->text);
    diag_hint(c->diags, "a condition sees its own event and those of earlier elements: put it at '%s'",
              name->text);
}

/* A counted element without an index is the list of all in the select clause and in 'group by' (the first
 * when it has no reference), the newest event in a condition of an element, the first in 'having'. */
static struct expr *attr_node(struct expr_ctx *c, int node, const struct ast_expr *ref, int at)
{
    struct pattern_names *names = names_of(c);
    struct pattern_build *b = names->build;
    const struct pattern_node_plan *n = &b->plan->nodes[node];
    bool counted = n->kind == NODE_COUNT && ref->index_kind == INDEX_NONE;
    if (counted && n->ref && names->own == NODE_NONE && !c->scope->output) {
        struct expr *e = expr_new(b->p->arena, pattern_list_eval, TYPE_OBJECT);
        e->slot = (uint16_t)view_row(b, node, VIEW_LIST, 0);
        e->index = (uint16_t)at;
        e->flags = EXPR_PURE;
        e->name = n->schema->attributes[at].name;
        use(names, e->slot);
        return e;
    }
    int row =
        counted && names->own != NODE_NONE ? view_row(b, node, VIEW_LAST, 0) : indexed_row(names, node, ref);
    use(names, row);
    return expr_attr(b->p->arena, (uint16_t)row, (uint16_t)at, n->schema);
}

static struct expr *resolve_source(struct expr_ctx *c, const struct ast_expr *ref, int node)
{
    struct pattern_names *names = names_of(c);
    if (ref->index_kind == INDEX_NONE) {
        use(names, node);
        return NULL; /* the scope's own: is the row at its slot there? */
    }
    struct expr *e = expr_new(c->arena, pattern_presence_eval, TYPE_BOOL);
    e->slot = (uint16_t)indexed_row(names, node, ref);
    e->flags = EXPR_PURE;
    use(names, e->slot);
    return e;
}

static void report_unknown(struct expr_ctx *c, const struct ast_expr *ref)
{
    const struct pattern_names *names = names_of(c);
    const struct pattern_build *b = names->build;
    const struct pattern_node_plan *own = &b->plan->nodes[names->own];
    const char *text = ref->name.text;
    int node = find_node(b, 0, text);
    if (node != NODE_NONE) {
        if (is_later(names, node)) {
            report_later(c, &ref->name);
        } else {
            diag_error(c->diags, ref->name.span, "'%s' is an element, a value is needed here", text);
            diag_hint(c->diags, "write %s. and an attribute of it", text);
        }
        return;
    }
    diag_error(c->diags, ref->name.span, "'%s' is not an attribute of %s", text,
               own->ref ? own->ref : own->id);
    for (int i = 0; i < names->own; i++) {
        const struct scope_source *s = &b->sources[i];
        if (schema_find(s->schema, text) >= 0) {
            diag_hint(c->diags, "a name alone is of the event that comes; the earlier one is %s.%s",
                      s->alias ? s->alias : s->id, text);
            return;
        }
    }
    const char **list = arena_array(c->arena, (size_t)own->schema->count + 1, sizeof(*list));
    for (uint32_t i = 0; i < own->schema->count; i++)
        list[i] = own->schema->attributes[i].name;
    const char *near = diag_near(text, list, own->schema->count);
    if (near)
        diag_hint(c->diags, "did you mean '%s'?", near);
}

/* A name without a qualifier is, in a condition, of the event the condition looks at. */
static struct expr *resolve_own(struct expr_ctx *c, const struct ast_expr *ref, bool *reported)
{
    const struct pattern_names *names = names_of(c);
    const struct pattern_plan *plan = names->build->plan;
    const struct schema *schema = plan->nodes[names->own].schema;
    int at = ref->mark ? -1 : schema_find(schema, ref->name.text);
    if (at < 0) {
        report_unknown(c, ref);
        *reported = true;
        return NULL;
    }
    return expr_attr(c->arena, (uint16_t)(plan->node_count + PATTERN_EXTRA_CURRENT), (uint16_t)at, schema);
}

static struct expr *resolve(struct expr_ctx *c, const struct ast_expr *ref, bool *reported)
{
    struct pattern_names *names = names_of(c);
    if (!ref->source.text)
        return names->own == NODE_NONE ? NULL : resolve_own(c, ref, reported);
    int node = find_node(names->build, ref->mark, ref->source.text);
    if (node == NODE_NONE)
        return NULL; /* the scope reports */
    if (is_later(names, node)) {
        report_later(c, &ref->source);
        *reported = true;
        return NULL;
    }
    if (ref->kind == AST_SOURCE)
        return resolve_source(c, ref, node);
    int at = schema_find(names->build->plan->nodes[node].schema, ref->name.text);
    return at < 0 ? NULL : attr_node(c, node, ref, at);
}

/* eventTimestamp(e1) is of the newest event in a condition, of the first one elsewhere. */
static uint16_t event_slot(struct expr_ctx *c, uint16_t slot)
{
    struct pattern_names *names = names_of(c);
    if (names->own == NODE_NONE || names->build->plan->nodes[slot].kind != NODE_COUNT)
        return slot;
    uint16_t row = (uint16_t)view_row(names->build, slot, VIEW_LAST, 0);
    use(names, row);
    return row;
}

struct scope pattern_scope(struct pattern_names *names)
{
    const struct pattern_build *b = names->build;
    return (struct scope){.sources = b->sources,
                          .count = names->own == NODE_NONE ? b->plan->node_count : names->own + 1,
                          .resolve = resolve,
                          .event_slot = event_slot,
                          .user = names};
}

/* Does it look at events in ways that don't pass resolve: eventTimestamp(e1), f(*)? */
static bool looks_at_all(const struct ast_expr *e)
{
    if (!e)
        return false;
    if (e->kind == AST_CALL &&
        (e->star || (e->arg_count && e->name.text && strcmp(e->name.text, "eventTimestamp") == 0)))
        return true;
    for (const struct ast_expr *a = e->args; a; a = a->next) {
        if (looks_at_all(a))
            return true;
    }
    return looks_at_all(e->left) || looks_at_all(e->right);
}

static const struct ast_expr *find_in(const struct ast_expr *e)
{
    if (!e || e->kind == AST_IN)
        return e;
    const struct ast_expr *found = find_in(e->left);
    found = found ? found : find_in(e->right);
    for (const struct ast_expr *a = e->args; a && !found; a = a->next)
        found = find_in(a);
    return found;
}

struct expr *pattern_condition(struct pattern_build *b, struct pattern_names *names,
                               const struct ast_expr *condition)
{
    const struct ast_expr *in = find_in(condition);
    if (in) {
        diag_error(b->p->diags, in->span, "'in' can't stand in a condition of a pattern");
        diag_hint(b->p->diags, "put it into a query before, and let the pattern read what that one puts out");
        return NULL;
    }
    struct scope scope = pattern_scope(names);
    struct expr_ctx c = plan_expr_ctx(b->p, &scope, b->plan->nodes[names->own].aggs);
    if (looks_at_all(condition)) {
        for (int i = 0; i <= names->own; i++)
            use(names, i);
    }
    return expr_compile_bool(&c, condition, "filter");
}

/* ---- keys ---- */

static bool is_whole(enum type t)
{
    return t == TYPE_INT || t == TYPE_LONG;
}

/* The attribute of the event that comes that ref names, or -1. */
static int own_attribute(const struct pattern_build *b, int own, const struct ast_expr *ref)
{
    const struct pattern_node_plan *n = &b->plan->nodes[own];
    if (ref->kind != AST_ATTR || ref->index_kind != INDEX_NONE)
        return -1;
    if (!ref->source.text)
        return ref->mark ? -1 : schema_find(n->schema, ref->name.text);
    if (n->kind == NODE_COUNT || find_node(b, ref->mark, ref->source.text) != own)
        return -1;
    return schema_find(n->schema, ref->name.text);
}

/* An attribute of an event of an earlier element, there before a partial match comes to wait at own, and the
 * same as long as it waits. */
static bool earlier_attribute(const struct pattern_build *b, int own, const struct ast_expr *ref,
                              struct pattern_key *key)
{
    if (ref->kind != AST_ATTR || !ref->source.text || ref->index_kind == INDEX_LAST || ref->index < 0)
        return false;
    int node = find_node(b, ref->mark, ref->source.text);
    if (node == NODE_NONE || b->element_of[node] >= b->element_of[own])
        return false;
    const struct pattern_node_plan *n = &b->plan->nodes[node];
    int32_t index = ref->index_kind == INDEX_AT ? ref->index : 0;
    bool counted = n->kind == NODE_COUNT;
    if (counted ? ref->index_kind == INDEX_NONE || index >= n->min : n->kind > NODE_LOGICAL || index > 0)
        return false;
    int at = schema_find(n->schema, ref->name.text);
    if (at < 0)
        return false;
    key->of_node = (uint16_t)node;
    key->of_index = (uint32_t)index;
    key->of_at = (uint16_t)at;
    key->of_type = n->schema->attributes[at].type;
    return true;
}

static bool equality(const struct pattern_build *b, int own, const struct ast_expr *x,
                     const struct ast_expr *y, struct pattern_key *key)
{
    int at = own_attribute(b, own, x);
    if (at < 0 || !earlier_attribute(b, own, y, key))
        return false;
    key->own_at = (uint16_t)at;
    key->own_type = b->plan->nodes[own].schema->attributes[at].type;
    key->is_there = key->own_type != TYPE_OBJECT &&
                    (key->own_type == key->of_type || (is_whole(key->own_type) && is_whole(key->of_type)));
    return key->is_there;
}

/* Evaluating it changes nothing and cannot fail (but for values of another type than their column: the index
 * gives way to a scan then). */
static bool is_harmless(const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LITERAL:
    case AST_ATTR:
    case AST_SOURCE:
        return true;
    case AST_IS_NULL:
    case AST_NOT:
        return is_harmless(e->left);
    case AST_AND:
    case AST_OR:
    case AST_EQ:
    case AST_NE:
    case AST_LT:
    case AST_LE:
    case AST_GT:
    case AST_GE:
    case AST_ADD:
    case AST_SUB:
    case AST_MUL:
        return is_harmless(e->left) && is_harmless(e->right);
    case AST_CALL:
    case AST_IN:
    case AST_DIV:
    case AST_MOD:
        return false;
    }
    return false;
}

enum search { SEARCH_ON, SEARCH_FOUND, SEARCH_OVER };

static enum search search_key(const struct pattern_build *b, int own, const struct ast_expr *e,
                              struct pattern_key *key)
{
    if (e->kind == AST_AND) {
        enum search left = search_key(b, own, e->left, key);
        return left == SEARCH_ON ? search_key(b, own, e->right, key) : left;
    }
    if (e->kind == AST_EQ &&
        (equality(b, own, e->left, e->right, key) || equality(b, own, e->right, e->left, key)))
        return SEARCH_FOUND;
    return is_harmless(e) ? SEARCH_ON : SEARCH_OVER;
}

void pattern_find_key(struct pattern_build *b, int own)
{
    enum search found = SEARCH_ON;
    struct pattern_key key = {0};
    for (const struct ast_handler *h = b->asts[own]->handlers; h && found == SEARCH_ON; h = h->next)
        found = h->kind == HANDLER_FILTER ? search_key(b, own, h->expr, &key) : SEARCH_OVER;
    if (found == SEARCH_FOUND)
        b->plan->nodes[own].key = key;
}
