/* agg_set.c - distinctCount unionSet (spec 03 section 6): aggregators that count values. */
#include "engine/expr/agg.h"
#include "engine/expr/bag.h"

static void state_fini(void *state)
{
    bag_fini(state);
}
static bool state_is_empty(const void *state)
{
    return ((const struct bag *)state)->live == 0;
}
static void state_save(const void *state, struct writer *w)
{
    bag_save(state, w);
}
static int state_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    return bag_load(state, r);
}
static const struct agg_type bag_type = {.name = "values",
                                         .size = sizeof(struct bag),
                                         .fini = state_fini,
                                         .is_empty = state_is_empty,
                                         .save = state_save,
                                         .load = state_load};

static struct value eval_distinct_count(const struct expr *e, struct frame *f)
{
    struct value v = load_any(e->left, f); /* null counts as a value */
    struct bag *b = agg_state(e, f);
    if (f->env->failed)
        return VALUE_NULL;
    if (f->kind == EVENT_CURRENT) {
        bag_take(b, v)->count++;
    } else if (f->kind == EVENT_EXPIRED) {
        struct bag_entry *entry = bag_find(b, v);
        if (entry && --entry->count <= 0)
            bag_remove(b, entry);
    } else if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
    }
    return value_long(b->live);
}
static int bind_distinct_count(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    enum type t = e->left->type;
    return t == TYPE_BOOL || t == TYPE_OBJECT
               ? bind_error(c, call, 0, "it can't count %s values", type_name(t))
               : 0;
}

/* ---- unionSet ----
 * The set is handed out as it is and copied before it changes while somebody else holds it. Counters, in
 * removable mode only: an element's counter stays at 1 when it leaves, so that its second stay needs one
 * removal more than additions; the language is so. Where states have keys (groups, partitions) a state whose set
 * is empty is forgotten, counters too. */

struct union_state {
    struct bag counters;
    struct object *set; /* NULL: empty */
};

static void union_fini(void *state)
{
    struct union_state *u = state;
    bag_fini(&u->counters);
    if (u->set)
        value_drop(value_object(u->set));
}
static bool union_is_empty(const void *state)
{
    const struct union_state *u = state;
    return u->counters.live == 0 && (!u->set || object_count(u->set) == 0);
}
static void union_save(const void *state, struct writer *w)
{
    const struct union_state *u = state;
    struct value key, unused;
    bag_save(&u->counters, w);
    write_count(w, u->set ? object_count(u->set) : 0);
    for (size_t at = 0; u->set && object_next(u->set, &at, &key, &unused);)
        write_value(w, key);
}
static int union_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    struct union_state *u = state;
    if (bag_load(&u->counters, r) < 0)
        return ERR_STATE;
    size_t n = read_count(r, UINT32_MAX / 4);
    u->set = set_new();
    for (size_t i = 0; i < n && !r->failed; i++) {
        struct value v = read_value(r);
        set_add(u->set, v);
        value_drop(v);
    }
    return r->failed ? ERR_STATE : 0;
}
static const struct agg_type union_type = {.name = "union",
                                           .size = sizeof(struct union_state),
                                           .fini = union_fini,
                                           .is_empty = union_is_empty,
                                           .save = union_save,
                                           .load = union_load};

/* The state's set, its own alone. */
static struct object *own_set(struct union_state *u)
{
    if (u->set && u->set->refs == 1)
        return u->set;
    struct object *copy = set_new();
    struct value key, unused;
    for (size_t at = 0; u->set && object_next(u->set, &at, &key, &unused);)
        set_add(copy, key);
    if (u->set)
        value_drop(value_object(u->set));
    return u->set = copy;
}

static void union_add(struct union_state *u, struct value element, bool counted)
{
    set_add(u->set, element);
    if (counted)
        bag_take(&u->counters, element)->count++;
}
static void union_remove(struct union_state *u, struct value element, bool counted)
{
    struct bag_entry *entry = counted ? bag_find(&u->counters, element) : NULL;
    if (!entry || entry->count <= 1)
        set_remove(u->set, element);
    else
        entry->count--;
}

static struct value evaluate_union(const struct expr *e, struct frame *f, bool counted)
{
    struct value v = load_any(e->left, f), key, unused;
    struct union_state *u = agg_state(e, f);
    if (f->env->failed)
        return VALUE_NULL;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
    } else {
        if (v.type != TYPE_OBJECT || !object_is_set(v.as.o))
            return fail_operand(f, e, v, "a set");
        own_set(u);
        for (size_t at = 0; f->kind != EVENT_TIMER && object_next(v.as.o, &at, &key, &unused);)
            if (f->kind == EVENT_CURRENT)
                union_add(u, key, counted);
            else
                union_remove(u, key, counted);
    }
    return value_object(own_set(u));
}
static struct value eval_union(const struct expr *e, struct frame *f)
{
    return evaluate_union(e, f, false);
}
static struct value eval_union_counted(const struct expr *e, struct frame *f)
{
    return evaluate_union(e, f, true);
}
static struct value eval_union_keyed(const struct expr *e, struct frame *f)
{
    struct value v = evaluate_union(e, f, true);
    struct union_state *u = agg_state(e, f);
    if (v.type == TYPE_OBJECT && object_count(v.as.o) == 0) {
        bag_fini(&u->counters);
        u->counters = (struct bag){0};
    }
    return v;
}
static int bind_union(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)call;
    if (c->aggs->removable)
        e->eval = c->aggs->is_keyed ? eval_union_keyed : eval_union_counted;
    return 0;
}

/* Rows: agg.h. */
const struct aggregator agg_sets[] = {
    {NULL, "distinctCount", "a", TYPE_LONG, &bag_type, eval_distinct_count, NULL, bind_distinct_count},
    {NULL, "unionSet", "o", TYPE_OBJECT, &union_type, eval_union, NULL, bind_union},
    {0},
};
