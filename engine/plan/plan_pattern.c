/* plan_pattern.c - patterns and sequences: from the tree to nodes and their links (spec 06 section 4). Names
 * in conditions: pattern_names.c.
 *
 * Nodes are numbered left to right, and of 'L and R', 'L or R' the right operand first; an absent operand
 * beside a present one is always taken as the left one. A condition sees the nodes up to its own number.
 * Every distinct stream becomes one input of the query. */
#include "engine/plan/plan_pattern.h"
#include "engine/run/output.h"
#include "engine/run/ratelimit.h"
#include "engine/run/select.h"
#include "engine/window/handler.h"

struct group { /* every over elements first .. last */
    int first, last;
};
struct flattening {
    struct pattern_build *b;
    struct group *groups;
    int group_count, element_count;
    uint16_t node_count;
    bool failed;
};

static bool is_logical(const struct ast_state *s)
{
    return s->kind == STATE_AND || s->kind == STATE_OR;
}

static int count_nodes(const struct ast_state *s)
{
    if (!s)
        return 0;
    if (s->kind == STATE_STREAM || s->kind == STATE_ABSENT)
        return 1;
    return count_nodes(s->left) + count_nodes(s->right);
}

static enum node_kind kind_of(const struct ast_state *s, bool logical)
{
    if (s->kind == STATE_ABSENT)
        return logical ? NODE_LOGICAL_ABSENT : NODE_ABSENT;
    return logical ? NODE_LOGICAL : s->counted ? NODE_COUNT : NODE_PLAIN;
}

/* Where its events come from: a stream, or a named window. */
static const struct plan_element *open_source(struct planner *p, const struct ast_source *source)
{
    const struct plan_element *e = plan_element_need(p, source->mark, &source->id);
    if (!e || e->kind == ELEMENT_STREAM || e->kind == ELEMENT_WINDOW)
        return e;
    diag_error(p->diags, source->id.span, "'%s' is %s; a pattern reads streams and windows", source->id.text,
               e->kind == ELEMENT_TABLE ? "a table" : "an aggregation");
    diag_hint(p->diags, "write its changes to a stream as well, and read that");
    return NULL;
}

static uint16_t add_node(struct flattening *f, const struct ast_state *s, bool logical)
{
    struct pattern_build *b = f->b;
    uint16_t number = f->node_count++;
    struct pattern_node_plan *n = &b->plan->nodes[number];
    n->kind = kind_of(s, logical);
    n->number = number;
    n->next = n->every = n->in_every = n->partner = n->callback = NODE_NONE;
    n->look = (int16_t)number;
    n->min = s->min;
    n->max = s->max < 0 ? INT32_MAX : s->max;
    n->wait_ms = s->kind == STATE_ABSENT && s->for_ms >= 0 ? s->for_ms : NODE_NO_WAIT;
    n->ref = s->source->alias.text;
    n->aggs = arena_alloc(b->p->arena, sizeof(*n->aggs));
    n->aggs->removable = true;
    n->element = open_source(b->p, s->source);
    b->asts[number] = s->source;
    b->element_of[number] = f->element_count;
    b->plan->is_chain[number] = n->kind == NODE_COUNT;
    if (!n->element) {
        f->failed = true;
        return number;
    }
    n->schema = n->element->schema;
    n->id = n->schema->id;
    return number;
}

static void add_element(struct flattening *f, const struct ast_state *s)
{
    struct pattern_element_plan *e = &f->b->plan->elements[f->element_count];
    if (is_logical(s)) {
        const struct ast_state *left = s->left, *right = s->right;
        if (right->kind == STATE_ABSENT && left->kind != STATE_ABSENT) {
            left = s->right;
            right = s->left;
        }
        e->last = (int16_t)add_node(f, right, true);
        e->first = (int16_t)add_node(f, left, true);
        struct pattern_node_plan *l = &f->b->plan->nodes[e->first], *r = &f->b->plan->nodes[e->last];
        l->partner = e->last;
        r->partner = e->first;
        l->is_or = r->is_or = s->kind == STATE_OR;
    } else {
        e->first = e->last = (int16_t)add_node(f, s, false);
    }
    f->element_count++;
}

static void flatten(struct flattening *f, const struct ast_state *s)
{
    int first = f->element_count;
    switch (s->kind) {
    case STATE_NEXT:
        flatten(f, s->left);
        flatten(f, s->right);
        break;
    case STATE_GROUP:
        flatten(f, s->left);
        break;
    case STATE_EVERY:
        flatten(f, s->left);
        f->groups[f->group_count++] =
            (struct group){first, s->every_count ? first + s->every_count - 1 : f->element_count - 1};
        break;
    case STATE_STREAM:
    case STATE_AND:
    case STATE_OR:
    case STATE_ABSENT:
        add_element(f, s);
        break;
    }
}

/* ---- links ---- */

static void link_groups(struct pattern_plan *plan, const struct flattening *f)
{
    for (int g = 0; g < f->group_count; g++) {
        int16_t first = plan->elements[f->groups[g].first].first;
        const struct pattern_element_plan *last = &plan->elements[f->groups[g].last];
        plan->nodes[last->first].every = plan->nodes[last->last].every = first;
        for (int i = f->groups[g].first; i <= f->groups[g].last; i++)
            plan->nodes[plan->elements[i].first].in_every = plan->nodes[plan->elements[i].last].in_every =
                first;
    }
}

static void link_nodes(struct pattern_plan *plan, const struct flattening *f)
{
    for (int i = 0; i < plan->element_count; i++) {
        struct pattern_node_plan *sides[2] = {&plan->nodes[plan->elements[i].first],
                                              &plan->nodes[plan->elements[i].last]};
        for (int k = 0; k < 2; k++) {
            sides[k]->is_start = i == 0;
            sides[k]->is_last = i + 1 == plan->element_count;
            if (!sides[k]->is_last)
                sides[k]->next = plan->elements[i + 1].first;
        }
    }
    link_groups(plan, f);
    const struct pattern_element_plan *first = &plan->elements[0],
                                      *last = &plan->elements[plan->element_count - 1];
    plan->nodes[first->first].look = last->last;
    const struct pattern_node_plan *n = &plan->nodes[first->first];
    if (plan->is_sequence && plan->element_count > 1 && n->kind == NODE_COUNT && n->min == 0)
        plan->nodes[plan->elements[1].first].callback = first->first;
    plan->starts[plan->start_count++] = (uint16_t)first->first;
    if (first->last != first->first)
        plan->starts[plan->start_count++] = (uint16_t)first->last;
}

static void link_watchers(struct pattern_plan *plan)
{
    for (int i = 0; i < plan->node_count; i++) {
        const struct pattern_node_plan *n = &plan->nodes[i];
        if (!n->key.is_there)
            continue;
        int watched[2] = {NODE_NONE, NODE_NONE};
        if (n->kind == NODE_COUNT) {
            watched[0] = i + 1;
            watched[1] = i + 2;
        } else if (n->is_or) {
            watched[0] = n->partner;
        }
        for (int k = 0; k < 2; k++) {
            if (watched[k] == NODE_NONE || watched[k] >= plan->node_count)
                continue;
            struct pattern_node_plan *w = &plan->nodes[watched[k]];
            w->watchers[w->watcher_count++] = (int16_t)i;
        }
    }
}

/* Before each event of a sequence these are reset, last to first, and promoted, first to last: one node for
 * each element that stands by itself; of a group under 'every' its first node only, the others are left
 * alone. */
static void link_resets(struct pattern_plan *plan, const struct flattening *f, struct arena *arena)
{
    int last_of_group =
        f->group_count ? f->groups[0].last : -1; /* 'every' stands before the first element alone */
    plan->resets = arena_array(arena, (size_t)plan->element_count, sizeof(*plan->resets));
    if (!plan->is_sequence)
        return;
    if (last_of_group >= 0)
        plan->resets[plan->reset_count++] = (uint16_t)plan->elements[0].first;
    for (int i = last_of_group + 1; i < plan->element_count; i++)
        plan->resets[plan->reset_count++] = (uint16_t)plan->elements[i].last;
}

/* ---- handlers ---- */

static int plan_function(struct pattern_build *b, struct pattern_node_plan *n, const struct ast_handler *h,
                         struct pattern_step *step)
{
    struct planner *p = b->p;
    struct ast_handler alone = *h;
    struct scope_source source = {.id = n->id, .alias = n->ref, .schema = n->schema};
    struct window_ctx wc = {.arena = p->arena,
                            .diags = p->diags,
                            .source_id = n->id,
                            .alias = n->ref,
                            .in_partition = p->partition != NULL};
    struct op_plan *first = NULL, *last = NULL, *window = NULL;
    const struct window_type *window_type;
    const struct handler_type *type =
        h->kind == HANDLER_FUNCTION ? handler_find(h->expr->space.text, h->expr->name.text) : NULL;
    alone.next = NULL;
    if (type && type->is_processor) {
        diag_error(p->diags, h->span, "#%s can't stand in a pattern", type->name);
        diag_hint(p->diags, "put it into a query of its own before the pattern");
        return -1;
    }
    if (plan_handlers(p, &alone, &source, &n->schema, &first, &last, &wc, &window, &window_type) < 0)
        return -1;
    if (window || first->type->due) {
        diag_error(p->diags, h->span, "no %s can stand in a pattern",
                   window ? "window" : "function that holds events back");
        diag_hint(p->diags, "put it into a query of its own before the pattern");
        return -1;
    }
    struct pattern_timer_plan *tap =
        (struct pattern_timer_plan *)op_plan_new(p, &op_pattern_tap, sizeof(*tap), h->span);
    tap->pattern = b->plan;
    plan_add_op(p, &tap->op);
    last->next = &tap->op;
    step->function = first;
    return 0;
}

static int plan_steps(struct pattern_build *b, int number)
{
    struct pattern_node_plan *n = &b->plan->nodes[number];
    struct pattern_names names = {.build = b, .own = number};
    struct pattern_step **end = &n->steps;
    int rc = 0;
    for (const struct ast_handler *h = b->asts[number]->handlers; h; h = h->next) {
        struct pattern_step *step = arena_alloc(b->p->arena, sizeof(*step));
        if (h->kind == HANDLER_FILTER) {
            step->condition = pattern_condition(b, &names, h->expr);
            rc = step->condition ? rc : -1;
        } else if (plan_function(b, n, h, step) < 0) {
            rc = -1;
        }
        b->sources[number].schema = n->schema;
        *end = step;
        end = &step->next;
    }
    n->uses = names.uses;
    n->use_count = names.use_count;
    return rc;
}

/* ---- streams and timers ---- */

static void plan_timers(struct pattern_build *b)
{
    struct pattern_plan *plan = b->plan;
    for (int i = 0; i < plan->element_count; i++) {
        for (int k = 0; k < 2; k++) {
            struct pattern_node_plan *n =
                &plan->nodes[k == 0 ? plan->elements[i].first : plan->elements[i].last];
            if (n->wait_ms == NODE_NO_WAIT || n->timer)
                continue;
            struct pattern_timer_plan *t = (struct pattern_timer_plan *)op_plan_new(
                b->p, &op_pattern_timer, sizeof(*t), b->asts[n->number]->span);
            t->pattern = plan;
            t->node = n->number;
            plan_add_op(b->p, &t->op);
            n->timer = &t->op;
        }
    }
}

static void plan_input_of(struct pattern_build *b, const struct plan_element *element, bool is_first)
{
    struct pattern_plan *plan = b->plan;
    struct pattern_input_plan *in =
        (struct pattern_input_plan *)op_plan_new(b->p, &op_pattern_input, sizeof(*in), plan->op.span);
    in->pattern = plan;
    in->nodes = arena_array(b->p->arena, plan->node_count, sizeof(*in->nodes));
    for (int i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].element == element)
            in->nodes[in->node_count++] = (uint16_t)i;
    }
    in->is_heard = in->node_count == 1 || plan->nodes[in->nodes[in->node_count - 1]].is_last;
    in->is_gathered = in->node_count > 1 && in->is_heard;
    in->op.in = element->schema;
    if (is_first)
        in->op.next = &plan->op; /* for explain */
    plan_add_op(b->p, &in->op);
    plan_query_input(b->p, element, &in->op);
}

static void plan_inputs(struct pattern_build *b)
{
    const struct pattern_plan *plan = b->plan;
    for (int i = 0; i < plan->node_count; i++) {
        bool seen = false;
        for (int k = 0; k < i; k++)
            seen = seen || plan->nodes[k].element == plan->nodes[i].element;
        if (!seen)
            plan_input_of(b, plan->nodes[i].element, i == 0);
    }
}

/* Whether the rate limit keeps rows for later pushes. */
static bool rate_holds(const struct op_plan *rate)
{
    return rate->type != &op_rate_first_events && rate->type != &op_rate_last_events &&
           rate->type != &op_rate_first_time;
}

/* The gathering sees what the selector makes, also what goes no further. */
static void watch_select(struct pattern_build *b, struct op_plan *select, bool is_limited)
{
    struct select_plan *s = (struct select_plan *)(void *)select;
    if (s->having) {
        s->watch = gather_watch;
        s->watcher = &b->gather->op;
    } else if (is_limited && !b->gather->is_limited) {
        struct pattern_watch_plan *w = (struct pattern_watch_plan *)(void *)op_plan_new(
            b->p, &op_pattern_watch, sizeof(*w), select->span);
        plan_add_op(b->p, &w->op);
        w->gather = &b->gather->op;
        w->op.in = w->op.out = select->out;
        w->op.next = select->next;
        select->next = &w->op;
    }
}

/* After the selector and the rate limit are planned and tied. */
static void pattern_finish(struct plan_from *from, struct op_plan *select)
{
    struct pattern_build *b = from->user;
    struct op_plan *last = select;
    b->plan->op.next = select;
    if (!b->gather)
        return;
    while (last->next && last->next->next)
        last = last->next;
    KNOWN(last->next); /* the output */
    b->gather->is_limited = last != select && rate_holds(last);
    b->gather->is_linked =
        !b->gather->is_limited && ((const struct select_plan *)(const void *)select)->key_count == 0;
    /* The selector chose the kinds already; what expires between then and its output goes out as expired. */
    if (last->next->type == &op_output) {
        struct output_plan *output = (struct output_plan *)(void *)last->next;
        output->current_wanted = output->expired_wanted = true;
    }
    b->gather->op.next = last->next;
    b->gather->op.in = b->gather->op.out = select->out;
    last->next = &b->gather->op;
    watch_select(b, select, last != select);
}

/* Some stream feeds several nodes. */
static void plan_gather(struct pattern_build *b, struct span span)
{
    bool needed = false;
    for (int i = 0; i < b->p->query->input_count; i++)
        needed = needed ||
                 ((const struct pattern_input_plan *)(const void *)b->p->query->inputs[i].entry)->is_gathered;
    if (!needed)
        return;
    b->gather =
        (struct pattern_gather_plan *)(void *)op_plan_new(b->p, &op_pattern_gather, sizeof(*b->gather), span);
    b->gather->pattern = b->plan;
    b->plan->gather = &b->gather->op;
    plan_add_op(b->p, &b->gather->op);
}

static struct pattern_build *build_new(struct planner *p, const struct ast_query *ast)
{
    struct pattern_build *b = arena_alloc(p->arena, sizeof(*b));
    struct pattern_plan *plan =
        (struct pattern_plan *)op_plan_new(p, &op_pattern, sizeof(*plan), ast->input_span);
    size_t count = (size_t)count_nodes(ast->state);
    plan->is_sequence = ast->input_kind == INPUT_SEQUENCE;
    plan->within_ms = ast->within_ms;
    plan->nodes = arena_array(p->arena, count, sizeof(*plan->nodes));
    plan->elements = arena_array(p->arena, count, sizeof(*plan->elements));
    plan->is_chain = arena_array(p->arena, count, sizeof(*plan->is_chain));
    b->p = p;
    b->plan = plan;
    b->asts = arena_array(p->arena, count, sizeof(*b->asts));
    b->element_of = arena_array(p->arena, count, sizeof(*b->element_of));
    b->sources = arena_array(p->arena, count, sizeof(*b->sources));
    return b;
}

int plan_pattern(struct planner *p, const struct ast_query *ast, struct plan_from *from)
{
    struct pattern_build *b = build_new(p, ast);
    struct pattern_plan *plan = b->plan;
    struct flattening f = {.b = b};
    f.groups = arena_array(p->arena, (size_t)count_nodes(ast->state), sizeof(*f.groups));
    flatten(&f, ast->state);
    if (f.failed)
        return -1;
    ASSERT(f.node_count <= PATTERN_NODES_MAX); /* the parser has a limit */
    plan->node_count = f.node_count;
    plan->element_count = f.element_count;
    link_nodes(plan, &f);
    link_resets(plan, &f, p->arena);
    for (uint16_t i = 0; i < plan->node_count; i++)
        b->sources[i] = (struct scope_source){
            .id = plan->nodes[i].id, .alias = plan->nodes[i].ref, .schema = plan->nodes[i].schema, .slot = i};
    plan_add_op(p, &plan->op);
    plan_timers(b);
    int rc = 0;
    for (int i = 0; i < plan->node_count; i++) {
        if (plan_steps(b, i) < 0)
            rc = -1;
        if (!plan->is_sequence)
            pattern_find_key(b, i);
    }
    if (rc < 0)
        return -1;
    link_watchers(plan);
    plan_inputs(b);
    plan_gather(b, ast->input_span);
    struct pattern_names *names = arena_alloc(p->arena, sizeof(*names));
    names->build = b;
    names->own = NODE_NONE;
    from->scope = pattern_scope(names);
    from->is_single = false;
    from->finish = pattern_finish;
    from->user = b;
    return 0;
}
