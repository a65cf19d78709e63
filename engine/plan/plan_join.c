/* plan_join.c - 'from A#window.. as a join B#window.. as b on ..' (spec 05 part A). */
#include "engine/plan/plan.h"
#include "engine/run/join.h"
#include "engine/run/select.h"

struct join_source {
    const struct ast_source *ast;
    struct plan_element *element;
    bool is_static; /* table or aggregation */
    bool triggers;
    bool preserved;
    struct op_plan *first, *last; /* its chain; last is join_side when it triggers */
    struct op_plan *window;
    const struct window_type *window_type;
    struct join_side_plan *side;
    bool sees_stamp; /* eventTimestamp(this side) is asked for */
};
struct join_build {
    struct planner *p;
    const struct ast_join *ast;
    struct join_source sources[2];
    struct scope_source scopes[2];
    struct scope scope;
    struct self_join_plan *self;
};

/* A non-triggering side ends here: its window is filled, nothing else happens. */
static int join_end_push(struct op *op, const struct batch *in)
{
    (void)op;
    (void)in;
    return 0;
}
static const struct op_type op_join_end = {
    .name = "kept for the join", .size = sizeof(struct op), .push = join_end_push};

static void chain_add(struct planner *p, struct join_source *s, struct op_plan *op)
{
    plan_add_op(p, op);
    if (s->last)
        s->last->next = op;
    else
        s->first = op;
    s->last = op;
}

static int source_open(struct join_build *b, int i, const struct ast_source *ast)
{
    struct planner *p = b->p;
    struct join_source *s = &b->sources[i];
    s->ast = ast;
    s->element = plan_element_need(p, ast->mark, &ast->id);
    if (!s->element)
        return -1;
    s->is_static = s->element->kind == ELEMENT_TABLE || s->element->kind == ELEMENT_AGGREGATION;
    b->scopes[i].id = s->element->schema->id;
    b->scopes[i].alias = ast->alias.text;
    b->scopes[i].schema = s->element->schema;
    b->scopes[i].slot = (uint16_t)i;
    if (s->element->kind == ELEMENT_AGGREGATION) {
        b->scopes[i].schema = aggregation_lookup_schema(p, s->element);
        if (!b->scopes[i].schema)
            return -1;
    }
    return 0;
}

static int source_handlers(struct join_build *b, int i, const struct ast_query *ast, bool expired_wanted)
{
    struct planner *p = b->p;
    struct join_source *s = &b->sources[i];
    if (s->is_static) {
        for (const struct ast_handler *h = s->ast->handlers; h; h = h->next) {
            diag_error(p->diags, h->span, "no filter, function or window can stand on %s in a join",
                       s->element->kind == ELEMENT_TABLE ? "a table" : "an aggregation");
            diag_hint(p->diags, "put the condition into 'on'");
            return -1;
        }
        return 0;
    }
    struct scope_source here = b->scopes[i];
    here.slot = 0; /* handlers see rows alone */
    struct window_ctx wc = {.arena = p->arena,
                            .diags = p->diags,
                            .source_id = here.id,
                            .alias = here.alias,
                            .expired_wanted = expired_wanted,
                            .has_find = true,
                            .select = &ast->select,
                            .in_partition = p->partition != NULL};
    const struct schema *schema = here.schema;
    if (plan_handlers(p, s->ast->handlers, &here, &schema, &s->first, &s->last, &wc, &s->window,
                      &s->window_type) < 0)
        return -1;
    if (s->window && s->element->kind == ELEMENT_WINDOW) {
        diag_error(p->diags, s->window->span, "'%s' is a window already; another can't stand on it",
                   s->ast->id.text);
        return -1;
    }
    b->scopes[i].schema = schema;
    /* A window that cannot be looked into has an empty one behind it. */
    bool is_blind = s->window_type == &window_cron;
    if (is_blind || (!s->window && s->element->kind != ELEMENT_WINDOW)) {
        struct no_window_plan *none =
            (struct no_window_plan *)op_plan_new(p, &op_no_window, sizeof(*none), s->ast->span);
        none->expired_wanted = expired_wanted;
        none->op.in = none->op.out = schema;
        chain_add(p, s, &none->op);
    }
    return 0;
}

/* The slots an expression reads: bit 0 left, bit 1 right; 4 for anything else. */
static unsigned slots_of(const struct expr *e)
{
    if (e->flags & EXPR_AGGREGATE)
        return 4;
    unsigned slots = 0;
    if (e->flags & EXPR_CONST)
        return 0;
    if (!e->left && !e->right && e->arg_count == 0) {
        if (!(e->flags & EXPR_PURE) || e->slot > 1)
            return 4;
        return 1u << e->slot;
    }
    if (e->left)
        slots |= slots_of(e->left);
    if (e->right)
        slots |= slots_of(e->right);
    for (int i = 0; i < e->arg_count; i++)
        slots |= slots_of(e->args[i]);
    return slots;
}

static bool keys_agree(enum type a, enum type b)
{
    bool whole_a = a == TYPE_INT || a == TYPE_LONG, whole_b = b == TYPE_INT || b == TYPE_LONG;
    return a != TYPE_OBJECT && (a == b || (whole_a && whole_b));
}

/* An equality in the 'and's of on with the left slot on one side and the right slot on the other. */
static bool equality(struct join_build *b, const struct ast_expr *on, struct expr **left, struct expr **right)
{
    if (on->kind == AST_AND)
        return equality(b, on->left, left, right) || equality(b, on->right, left, right);
    if (on->kind != AST_EQ)
        return false;
    struct expr_ctx c = plan_expr_ctx(b->p, &b->scope, NULL);
    struct expr *x = expr_compile(&c, on->left), *y = expr_compile(&c, on->right);
    if (!x || !y || !keys_agree(x->type, y->type))
        return false;
    /* Only plain attributes: reading one can't fail and has no effect. */
    if (!(x->flags & EXPR_PURE) || !(y->flags & EXPR_PURE))
        return false;
    unsigned sx = slots_of(x), sy = slots_of(y);
    if (sx == 1 && sy == 2) {
        *left = x;
        *right = y;
        return true;
    }
    if (sx == 2 && sy == 1) {
        *left = y;
        *right = x;
        return true;
    }
    return false;
}

/* scope.event_slot: which sides' times are asked for. */
static uint16_t stamp_seen(struct expr_ctx *c, uint16_t slot)
{
    struct join_build *b = c->scope->user;
    b->sources[slot].sees_stamp = true;
    return slot;
}

static int side_plan(struct join_build *b, int i, struct expr *on, struct expr *const keys[2])
{
    struct planner *p = b->p;
    struct join_source *s = &b->sources[i], *other = &b->sources[1 - i];
    if (s->is_static)
        return 0;
    if (!s->triggers) {
        chain_add(p, s, op_plan_new(p, &op_join_end, sizeof(struct op_plan), s->ast->span));
        return 0;
    }
    struct join_side_plan *j = (struct join_side_plan *)op_plan_new(
        p, &op_join_side, sizeof(*j), b->ast->on ? b->ast->on->span : s->ast->span);
    j->slot = (uint16_t)i;
    j->preserved = s->preserved;
    j->expired_matters = true;
    j->on = on;
    j->other_window = other->window;
    if (other->element->kind == ELEMENT_WINDOW)
        j->other_named = other->element;
    if (other->element->kind == ELEMENT_WINDOW && other->element->window_type == &window_cron) {
        diag_error(p->diags, other->ast->span,
                   "a join cannot look into '%s': a cron window hides what it holds",
                   other->element->schema->id);
        return -1;
    }
    if (keys[0]) {
        j->own_key = keys[i];
        j->other_key = keys[1 - i];
    }
    if (other->element->kind == ELEMENT_TABLE)
        j->lookup = table_lookup(p, other->element, &b->scope, (uint16_t)(1 - i), b->ast->on);
    if (other->element->kind == ELEMENT_AGGREGATION)
        j->lookup = aggregation_lookup(p, other->element, &b->scope, (uint16_t)(1 - i), b->ast->on,
                                       b->ast->within_from, b->ast->within_to, b->ast->per, other->ast->span);
    if (other->is_static && !j->lookup)
        return -1;
    s->side = j;
    chain_add(p, s, &j->op);
    return 0;
}

/* Every event makes its own rows, and nobody would see what else a side without a window sends (spec 05
 * section 2). */
static bool select_is_direct(const struct join_build *b, const struct select_plan *s)
{
    const struct plan_query *q = b->p->query;
    return s->kind == SELECT_PLAIN && !s->having && s->current_wanted && !s->expired_wanted && s->limit < 0 &&
           s->offset <= 0 && !q->is_named && q->ast->rate.kind == RATE_NONE;
}

/* After the selector is planned. */
static void join_finish(struct plan_from *from, struct op_plan *select)
{
    struct join_build *b = from->user;
    const struct select_plan *s = (const struct select_plan *)select;
    bool matters = s->kind != SELECT_PLAIN || s->expired_wanted || s->impure_count > 0 || s->having;
    for (int i = 0; i < 2; i++) {
        if (!b->sources[i].side)
            continue;
        b->sources[i].side->select = select;
        b->sources[i].side->expired_matters = matters;
        b->sources[i].side->sees_stamp = b->sources[i].sees_stamp;
        b->sources[i].side->is_direct =
            b->sources[i].side->lookup && !b->sources[i].sees_stamp && select_is_direct(b, s);
        b->sources[i].side->op.next = select;
    }
    if (b->self) {
        b->self->select = select;
        b->self->op.next = NULL;
    }
}

/* What a named window publishes reaches no join inside a partition, and of a join with itself the left side
 * only. */
static bool is_only_found(const struct join_build *b, const struct join_source *s)
{
    if (s->element->kind != ELEMENT_WINDOW)
        return false;
    return b->p->partition || (s == &b->sources[1] && b->sources[0].element == s->element);
}

static int join_sides(struct join_build *b, const struct ast_query *ast)
{
    const struct ast_join *j = b->ast;
    struct join_source *l = &b->sources[0], *r = &b->sources[1];
    if (l->is_static && r->is_static) {
        diag_error(b->p->diags, ast->input_span, "one side of a join must be a stream or a window");
        return -1;
    }
    if (l->element->kind == ELEMENT_AGGREGATION) {
        diag_error(b->p->diags, j->left->id.span, "an aggregation stands on the right of a join");
        diag_hint(b->p->diags, "write '%s join %s'", j->right->id.text, j->left->id.text);
        return -1;
    }
    bool aggregation = r->element->kind == ELEMENT_AGGREGATION;
    if (!aggregation && (j->within_from || j->per)) {
        diag_error(b->p->diags, j->within_from ? j->within_from->span : j->per->span,
                   "'within' and 'per' belong to a join with an aggregation");
        return -1;
    }
    if (aggregation && (!j->within_from || !j->per)) {
        diag_error(b->p->diags, ast->input_span, "a join with an aggregation needs 'within' and 'per'");
        return -1;
    }
    l->triggers = !l->is_static && !j->right_unidirectional && !is_only_found(b, l);
    r->triggers = !r->is_static && !j->left_unidirectional && !is_only_found(b, r);
    l->preserved = j->kind == JOIN_LEFT || j->kind == JOIN_FULL;
    r->preserved = j->kind == JOIN_RIGHT || j->kind == JOIN_FULL;
    return 0;
}

/* A named window's rows come and go, but the language does not count it as sliding. */
static bool side_slides(const struct join_source *s)
{
    return s->window_type && s->window_type->sliding;
}

int plan_join(struct planner *p, const struct ast_query *ast, bool expired_wanted, struct plan_from *from)
{
    struct join_build *b = arena_alloc(p->arena, sizeof(*b));
    b->p = p;
    b->ast = ast->join;
    int rc = source_open(b, 0, ast->join->left);
    rc = source_open(b, 1, ast->join->right) < 0 ? -1 : rc;
    if (rc < 0 || join_sides(b, ast) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (source_handlers(b, i, ast, expired_wanted) < 0)
            return -1;
    }
    b->scope = (struct scope){.sources = b->scopes, .count = 2, .event_slot = stamp_seen, .user = b};
    struct expr *on = NULL;
    struct expr *keys[2] = {NULL, NULL};
    bool is_static = b->sources[0].is_static || b->sources[1].is_static;
    if (ast->join->on && !is_static) {
        struct expr_ctx c = plan_expr_ctx(p, &b->scope, NULL);
        on = expr_compile(&c, ast->join->on);
        if (!on)
            return -1;
        equality(b, ast->join->on, &keys[0], &keys[1]);
    }
    for (int i = 0; i < 2; i++) {
        if (side_plan(b, i, on, keys) < 0)
            return -1;
    }
    struct join_source *l = &b->sources[0], *r = &b->sources[1];
    if (l->element == r->element) {
        b->self = (struct self_join_plan *)op_plan_new(p, &op_self_join, sizeof(*b->self), ast->input_span);
        plan_add_op(p, &b->self->op);
        b->self->left = l->first;
        b->self->right = r->first;
        plan_query_input(p, l->element, &b->self->op);
    } else {
        for (int i = 0; i < 2; i++) {
            if (!b->sources[i].is_static)
                plan_query_input(p, b->sources[i].element, b->sources[i].first);
        }
    }
    from->scope = b->scope;
    from->is_single = false;
    from->sliding = side_slides(l) || side_slides(r);
    from->finish = join_finish;
    from->user = b;
    return 0;
}
