/* pattern_lists.c - the lists in which partial matches wait at a node (pattern_node.c), and what is kept beside
 * them: the index by key, the heap by first event, the numbers of waits. */
#include "engine/run/app.h"
#include "engine/run/pattern.h"

bool partial_start(const struct pattern_plan *plan, const struct partial *p, int64_t *start_ms)
{
    bool found = false;
    for (int i = 0; i < plan->start_count; i++) {
        if (!slot_is_filled(p, plan->starts[i]))
            continue;
        int64_t at_ms = slot_first_ms(plan, p, plan->starts[i]);
        if (!found || at_ms < *start_ms)
            *start_ms = at_ms;
        found = true;
    }
    return found;
}

/* ---- the key ---- */

uint32_t pattern_key_hash(struct value v)
{
    if (v.type == TYPE_INT)
        v.type = TYPE_LONG;
    else if (v.type == TYPE_DOUBLE && v.as.d == 0)
        v.as.d = 0;
    else if (v.type == TYPE_FLOAT && v.as.f == 0)
        v = value_float(0);
    uint32_t h = v.type == TYPE_STRING ? text_hash(v.as.s) : value_hash(v);
    h *= 0x9E3779B1u;
    return h ^ (h >> 15);
}

static struct value partial_key(const struct pattern_plan *plan, const struct pattern_key *key,
                                const struct partial *p)
{
    const struct row *row = NULL;
    if (!plan->is_chain[key->of_node]) {
        row = p->slots[key->of_node].row;
    } else {
        const struct chain *c = p->slots[key->of_node].chain;
        if (c && key->of_index < c->count)
            row = c->rows[key->of_index];
    }
    return row ? row_get(row, key->of_at) : VALUE_NULL;
}

/* Notes the key of a wait for the index: before it is pending. It can't change while the wait is there. */
static void note_key(const struct pattern *m, const struct pattern_node *n, struct wait *w)
{
    struct value v = partial_key(pattern_plan_of(m), &n->plan->key, w->partial);
    w->is_odd = !is_null(v) && v.type != n->plan->key.of_type;
    w->hash = pattern_key_hash(v);
    wait_index_prefetch(&n->index, w->hash);
}

/* ---- lists ---- */

static void number(struct pattern *m, struct wait *w)
{
    w->order = m->wait_order++ & (WAIT_ORDER_MOST - 1);
}

static struct wait *wait_behind(struct pattern *m, struct pattern_node *n, struct wait_list *l,
                                struct partial *p)
{
    struct wait *w = wait_new(l, p);
    number(m, w);
    w->node = n->plan->number;
    wait_append(l, w);
    pattern_count(m, 1);
    if (UNLIKELY(m->places.is_on))
        places_add(m, p);
    partial_touch(m, p);
    if (l->is_keyed)
        note_key(m, n, w);
    return w;
}

void node_wait(struct pattern *m, struct pattern_node *n, struct wait_list *l, struct partial *p)
{
    (void)wait_behind(m, n, l, p);
}

void node_renumber(struct pattern *m, struct wait_list *l)
{
    for (struct wait *w = l->first; w; w = w->next) {
        number(m, w);
        partial_touch(m, w->partial);
    }
}

void node_fresh(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    int64_t start_ms;
    struct wait *w = wait_behind(m, n, &n->fresh, p);
    if (plan->within_ms >= 0 && !plan->is_sequence && partial_start(plan, p, &start_ms))
        wait_heap_add(&n->heap, w, start_ms);
}

void node_heap_rebuild(struct pattern *m, struct pattern_node *n)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    int64_t start_ms;
    wait_heap_clear(&n->heap);
    if (plan->within_ms < 0 || plan->is_sequence)
        return;
    for (struct wait *w = n->fresh.first; w; w = w->next) {
        if (partial_start(plan, w->partial, &start_ms))
            wait_heap_add(&n->heap, w, start_ms);
    }
}

static void waits_remove(struct pattern *m, struct wait_list *l, struct wait *w)
{
    struct partial *p = w->partial;
    wait_unlink(l, w);
    wait_release(l, w);
    pattern_count(m, -1);
    partial_touch(m, p);
    partial_unref(m, p);
}

void node_remove(struct pattern *m, struct pattern_node *n, struct wait *w)
{
    if (n->pending.is_keyed)
        wait_index_remove(&n->index, w);
    waits_remove(m, &n->pending, w);
}

void node_remove_fresh(struct pattern *m, struct pattern_node *n, struct wait *w)
{
    waits_remove(m, &n->fresh, w);
}

void node_drop(struct pattern *m, struct wait_list *l)
{
    waits_remove(m, l, l->first);
}

void node_clear(struct pattern *m, struct wait_list *l)
{
    while (l->first)
        waits_remove(m, l, l->first);
}

bool node_is_stale(const struct pattern *m, const struct pattern_node *n, const struct partial *p)
{
    const struct pattern_node_plan *plan = n->plan;
    if (plan->kind == NODE_COUNT) {
        int count = pattern_plan_of(m)->node_count;
        return (plan->number + 1 < count && slot_is_filled(p, plan->number + 1)) ||
               (plan->number + 2 < count && slot_is_filled(p, plan->number + 2));
    }
    return plan->is_or && slot_is_filled(p, plan->partner);
}

static void index_wait(struct pattern *m, struct pattern_node *n, struct wait *w)
{
    if (node_is_stale(m, n, w->partial))
        wait_index_stale(&n->index, w);
    else
        wait_index_add(&n->index, w);
}

void node_filled(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    for (int i = 0; i < n->plan->watcher_count; i++) {
        struct pattern_node *watcher = &m->nodes[n->plan->watchers[i]];
        uint32_t hash = pattern_key_hash(partial_key(pattern_plan_of(m), &watcher->plan->key, p));
        struct wait *next;
        for (struct wait *w = wait_index_find(&watcher->index, hash); w; w = next) {
            next = w->hash_next;
            if (w->partial == p)
                wait_index_stale(&watcher->index, w);
        }
    }
}

/* Whether pending of a node that waits for a time stays in order of due times and of first events. What the
 * other operand of an 'or' sent on still waits here, and its time changes with its later events. */
static void note_order(struct pattern *m, struct pattern_node *n, const struct partial *p)
{
    int64_t start_ms = INT64_MIN;
    partial_start(pattern_plan_of(m), p, &start_ms);
    if (p->ts_ms == PARTIAL_NEW_MS || slot_is_filled(p, n->plan->number) || p->ts_ms < n->tail_ts_ms ||
        start_ms < n->tail_start_ms || n->plan->is_or)
        n->is_ordered = false;
    n->tail_ts_ms = p->ts_ms;
    n->tail_start_ms = start_ms;
}

void node_pend(struct pattern *m, struct pattern_node *n, struct wait_list *from)
{
    struct wait *first = from->first;
    bool times = node_is_absent(n) && n->plan->wait_ms != NODE_NO_WAIT;
    if (!first)
        return;
    if (!n->pending.first) {
        n->is_ordered = true;
        n->tail_ts_ms = n->tail_start_ms = INT64_MIN;
    }
    wait_list_splice(&n->pending, from);
    for (struct wait *w = first; w; w = w->next) {
        if (n->pending.is_keyed)
            index_wait(m, n, w);
        if (times)
            note_order(m, n, w->partial);
    }
}
