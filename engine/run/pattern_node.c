/* pattern_node.c - one node of a pattern: what comes in, what waits, what moves on (spec 06 section 4, 7).
 *
 * A node is what can hold an event: an element, or one operand of 'and', 'or'. A partial match waits at a
 * node first in `fresh`, where events don't see it, and from the next event of the node's stream on in
 * `pending`. Transitions, by function:
 *
 *   node_init      -> fresh: a new, empty partial at a first node; once, or again under 'every' and in
 *                  sequences
 *   node_promote   fresh -> pending, oldest event first
 *   try_*          pending -> (filled) -> fresh of the next node; fresh of the first node of its 'every' (a
 *                  copy); returned when it is complete
 *   node_reset     pending -> nothing (sequences: what did not move on with the last event)
 *   node_expire    pending, fresh -> nothing ('within'), and a copy to the first node of the 'every' around
 *   node_timer     pending -> as try_*, when nothing came (pattern_absent.c)
 *
 * Laws
 * (1) A wait holds its partial; whoever works on a partial whose wait may go holds it too.
 * (2) try_* removes from its own pending no wait but the one it was given, so a walk may go on with the
 *     next.
 * (3) With a key, waits that the event's key does not find would have failed the condition, and trying
 *     them changes nothing, save that a wait whose partial has moved on already would be dropped:
 *     node_filled tells of those, and they go first (index.stale). So results and their order are those
 *     of a scan.
 * (4) In patterns with 'within', each wait in fresh whose partial has a first event is in heap;
 *     is_irregular tells that one is missing. */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/pattern.h"

/* ---- init, add, addEvery, promote, reset ---- */

void node_init(struct pattern *m, struct pattern_node *n)
{
    const struct pattern_node_plan *plan = n->plan;
    const struct pattern_node *next = pattern_node_at(m, plan->next);
    bool again =
        plan->every != NODE_NONE || (pattern_plan_of(m)->is_sequence && next && node_is_absent(next));
    if (!plan->is_start || (n->is_inited && !again))
        return;
    struct partial *p = partial_new(pattern_plan_of(m)->node_count);
    node_add(m, n, p);
    partial_unref(m, p);
    n->is_inited = true;
}

static void add_logical(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    struct pattern_node *partner = &m->nodes[n->plan->partner];
    bool one = n->plan->is_start || pattern_plan_of(m)->is_sequence;
    if (!one || !n->fresh.first)
        node_fresh(m, n, p);
    if (!one || !partner->fresh.first)
        node_fresh(m, partner, p);
}

/* A counted element has enough. */
static void node_reached(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    if (n->plan->is_last)
        n->is_changed = *node_emit(m, n->plan->number) = true;
    if (n->plan->next != NODE_NONE)
        node_add(m, &m->nodes[n->plan->next], p);
    if (n->plan->every != NODE_NONE)
        node_add_every(m, &m->nodes[n->plan->every], p);
}

void node_add(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    const struct pattern_node_plan *plan = n->plan;
    bool sequence = pattern_plan_of(m)->is_sequence;
    switch (plan->kind) {
    case NODE_PLAIN:
    case NODE_COUNT:
        if (!sequence || !n->fresh.first)
            node_fresh(m, n, p);
        if (plan->kind == NODE_COUNT && plan->min == 0 && !slot_is_filled(p, plan->number))
            node_reached(m, n, p);
        break;
    case NODE_LOGICAL:
        add_logical(m, n, p);
        break;
    case NODE_ABSENT:
        if (!n->is_active)
            return;
        if (sequence)
            node_clear(m, &n->fresh);
        node_fresh(m, n, p);
        if (!plan->is_start) {
            n->due_ms = p->ts_ms + plan->wait_ms;
            node_schedule(m, n, n->due_ms);
        }
        break;
    case NODE_LOGICAL_ABSENT: {
        struct pattern_node *partner = &m->nodes[plan->partner];
        if (!n->is_active)
            return;
        add_logical(m, n, p);
        if (plan->is_start || plan->wait_ms == NODE_NO_WAIT)
            return;
        node_schedule(m, n, p->ts_ms + plan->wait_ms);
        if (node_is_absent(partner))
            node_schedule(m, partner, p->ts_ms + partner->plan->wait_ms);
        break;
    }
    }
}

static void slot_release(const struct pattern_plan *plan, struct partial *p, int number)
{
    if (!slot_is_filled(p, number))
        return;
    if (plan->is_chain[number])
        chain_unref(p->slots[number].chain);
    else
        row_unref(p->slots[number].row);
    p->slots[number].row = NULL;
}

void node_add_every(struct pattern *m, struct pattern_node *n, const struct partial *p)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    const struct pattern_node_plan *np = n->plan;
    bool absent_operand = np->kind == NODE_LOGICAL_ABSENT;
    struct partial *copy =
        partial_copy(p, plan->is_chain, absent_operand ? plan->node_count : np->number, plan->node_count);
    if (absent_operand) {
        if (slot_is_filled(copy, np->number))
            copy->ts_ms = slot_first_ms(plan, copy, np->number);
        slot_release(plan, copy, np->number);
    }
    if (np->partner != NODE_NONE)
        slot_release(plan, copy, np->partner);
    node_fresh(m, n, copy);
    if (np->partner != NODE_NONE)
        node_fresh(m, &m->nodes[np->partner], copy);
    partial_unref(m, copy);
    if (np->kind == NODE_ABSENT) {
        n->due_ms = p->ts_ms + np->wait_ms;
        node_schedule(m, n, n->due_ms);
    }
}

static void promote_fresh(struct pattern *m, struct pattern_node *n)
{
    if (!n->fresh.first)
        return;
    if (UNLIKELY(wait_list_sort(&n->fresh)))
        node_renumber(m, &n->fresh);
    wait_heap_clear(&n->heap);
    node_pend(m, n, &n->fresh);
}

void node_promote(struct pattern *m, struct pattern_node *n)
{
    if (n->restart) {
        n->restart = false;
        node_init(m, n);
    }
    promote_fresh(m, n);
    if (n->plan->partner != NODE_NONE)
        promote_fresh(m, &m->nodes[n->plan->partner]);
}

/* n: the node of its element; of a logical one either (the same, but for what begins anew at an absent
 * operand that is over). */
void node_reset(struct pattern *m, struct pattern_node *n)
{
    const struct pattern_node_plan *plan = n->plan;
    const struct pattern_node *next = pattern_node_at(m, plan->next);
    if (plan->partner != NODE_NONE) {
        struct pattern_node *partner = &m->nodes[plan->partner];
        if (!plan->is_or && n->pending.count != partner->pending.count)
            return; /* one side is filled: it stays */
        node_clear(m, &partner->pending);
    }
    node_clear(m, &n->pending);
    if (!plan->is_start || (n->fresh.first && plan->kind != NODE_ABSENT))
        return;
    if (plan->every == NODE_NONE && next && next->pending.first)
        return;
    node_init(m, n);
}

/* ---- within (spec 06 section 7) ---- */

bool node_is_expired(const struct pattern *m, const struct partial *p, int64_t at_ms)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    for (int i = 0; i < plan->start_count && plan->within_ms >= 0; i++) {
        if (!slot_is_filled(p, plan->starts[i]))
            continue;
        int64_t ms = slot_first_ms(plan, p, plan->starts[i]);
        if ((ms > at_ms ? ms - at_ms : at_ms - ms) > plan->within_ms)
            return true;
    }
    return false;
}

/* The newest of those that expired now for the first time: the one that is armed again. */
struct expired {
    struct partial *last; /* held */
    uint64_t order;
};

static void expired_note(struct pattern *m, struct expired *x, struct partial *p, uint64_t order)
{
    if (p->is_dead)
        return;
    p->is_dead = true;
    partial_touch(m, p);
    if (x->last && order < x->order)
        return;
    p->refs++;
    if (x->last)
        partial_unref(m, x->last);
    x->last = p;
    x->order = order;
}

static void expire_fresh(struct pattern *m, struct pattern_node *n, int64_t at_ms, bool scan,
                         struct expired *x)
{
    if (!scan) {
        int64_t within_ms = pattern_plan_of(m)->within_ms;
        while (n->heap.count && at_ms - n->heap.items[0].start_ms > within_ms) {
            struct wait_heap_item item = wait_heap_pop(&n->heap);
            expired_note(m, x, item.wait->partial, item.order);
            node_remove_fresh(m, n, item.wait);
        }
        return;
    }
    struct wait *next;
    for (struct wait *w = n->fresh.first; w; w = next) {
        next = w->next;
        if (!node_is_expired(m, w->partial, at_ms))
            continue;
        expired_note(m, x, w->partial, 0);
        node_remove_fresh(m, n, w);
    }
    node_heap_rebuild(m, n);
}

void node_expire(struct pattern *m, struct pattern_node *n, int64_t at_ms, bool scan)
{
    struct expired x = {0};
    /* From the head alone: one behind a live one stays, and may still match. */
    while (n->pending.first && node_is_expired(m, n->pending.first->partial, at_ms)) {
        expired_note(m, &x, n->pending.first->partial, 0);
        node_remove(m, n, n->pending.first);
    }
    if (n->fresh.first)
        expire_fresh(m, n, at_ms, scan, &x);
    if (!x.last)
        return;
    struct pattern_node *first = pattern_node_at(m, n->plan->in_every);
    if (first) {
        node_add_every(m, first, x.last);
        node_promote(m, first);
    }
    partial_unref(m, x.last);
}

/* ---- process ---- */

/* A function gets the columns it was planned for; whether the event comes out at its end decides. */
static int function_passes(struct pattern *m, const struct pattern_step *step, struct row *row, bool *pass)
{
    struct op *op = m->op.query->ops[step->function->index];
    uint32_t count = step->function->in->count;
    struct row *head = row_raw(count, row->at_ms);
    struct batch b;
    for (uint32_t i = 0; i < count; i++)
        row_set(head, i, row_get(row, i));
    batch_init(&b, m->op.env->scratch, 1);
    batch_add(&b, head, row->at_ms, EVENT_CURRENT);
    m->is_tapped = false;
    int rc = op_push(op, &b);
    *pass = m->is_tapped;
    row_unref(head);
    return rc;
}

/* Whether p passes one handler of n: the event it has newest there, NULL: none. */
static int step_passes(struct pattern *m, const struct pattern_node *n, const struct pattern_step *step,
                       const struct partial *p, struct row *row, bool *pass)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    const struct pattern_node_plan *np = n->plan;
    if (!step->condition) {
        *pass = true;
        return row ? function_passes(m, step, row, pass) : 0;
    }
    struct frame f = {.env = m->op.env, .rows = m->frame, .agg = n->agg, .at_ms = p->ts_ms, .user = &m->op};
    for (int i = 0; i < np->use_count; i++)
        m->frame[np->uses[i]] = pattern_frame_row(plan, p, np->uses[i]);
    m->frame[plan->node_count + PATTERN_EXTRA_CURRENT] = row;
    *pass = expr_is_true(step->condition, &f);
    return UNLIKELY(m->op.env->failed) ? ERR_EVENT : 0;
}

static struct row *newest_at(const struct pattern *m, const struct pattern_node *n, const struct partial *p)
{
    int number = n->plan->number;
    if (!pattern_plan_of(m)->is_chain[number])
        return p->slots[number].row;
    const struct chain *c = p->slots[number].chain;
    return c ? c->rows[c->count - 1] : NULL;
}

/* Takes those that fail one handler out of the chunk: its first is *first, held by the caller's reference. */
static int step_sieve(struct pattern *m, const struct pattern_node *n, const struct pattern_step *step,
                      struct partial **first)
{
    struct partial *before = NULL, *p = *first;
    while (p) {
        bool pass;
        struct partial *next = p->next;
        int rc = step_passes(m, n, step, p, newest_at(m, n, p), &pass);
        if (rc < 0)
            return rc;
        if (pass) {
            before = p;
        } else if (before) {
            p->refs++;
            partial_link(m, before, next);
            partial_link(m, p, NULL);
            partial_unref(m, p);
        } else {
            if (next)
                next->refs++;
            *first = next;
            partial_link(m, p, NULL);
            partial_unref(m, p);
        }
        p = next;
    }
    return 0;
}

/* Asks the handlers of n for p, which has the event in its slot already, and for the tail behind it. The
 * first that is left after all goes on: *winner, the caller's to unref; NULL: none. Nearly always there is no
 * tail. */
static int node_passes(struct pattern *m, const struct pattern_node *n, struct partial *p, struct row *row,
                       struct partial **winner)
{
    bool pass = true;
    int rc = 0;
    *winner = NULL;
    if (UNLIKELY(p->next != NULL)) {
        struct partial *first = p;
        p->refs++;
        for (const struct pattern_step *step = n->plan->steps; step && first && rc == 0; step = step->next)
            rc = step_sieve(m, n, step, &first);
        if (rc == 0 && first && newest_at(m, n, first))
            *winner = first;
        else if (first)
            partial_unref(m, first);
        return rc;
    }
    for (const struct pattern_step *step = n->plan->steps; step && pass && rc == 0; step = step->next)
        rc = step_passes(m, n, step, p, row, &pass);
    if (rc == 0 && pass) {
        p->refs++;
        *winner = p;
    }
    return rc;
}

/* p has its event at n and goes on. */
static void node_post(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    const struct pattern_node_plan *plan = n->plan;
    n->is_changed = true;
    partial_set_time(m, p, newest_at(m, n, p)->at_ms);
    if (plan->is_last)
        *node_emit(m, plan->number) = true;
    if (plan->next != NODE_NONE)
        node_add(m, &m->nodes[plan->next], p);
    if (plan->every != NODE_NONE)
        node_add_every(m, &m->nodes[plan->every], p);
    if (plan->callback != NODE_NONE)
        m->nodes[plan->callback].restart = true;
}

/* Puts the event into the slot of a node of single events, as a guest: slot_stay or slot_restore follows.
 * Returns what was there. */
static struct row *slot_lend(struct partial *p, int number, struct row *row)
{
    struct row *before = p->slots[number].row;
    p->slots[number].row = row;
    return before;
}
static void slot_stay(struct pattern *m, struct pattern_node *n, struct partial *p, struct row *before)
{
    row_ref(p->slots[n->plan->number].row);
    partial_touch(m, p);
    if (before)
        row_unref(before);
    node_filled(m, n, p);
}
static void slot_restore(struct partial *p, int number, struct row *before)
{
    p->slots[number].row = before;
}
static void slot_empty(struct pattern *m, struct partial *p, int number, struct row *before)
{
    p->slots[number].row = NULL;
    if (!before)
        return;
    partial_touch(m, p);
    row_unref(before);
}

/* What every try of a present node ends with. */
static void try_end(struct pattern *m, struct pattern_node *n, struct wait *w, struct partial_chunk *out)
{
    bool *look = node_emit(m, n->plan->look);
    if (*look) {
        *look = false;
        chunk_add(m, out, w->partial);
    }
    if (n->is_changed || pattern_plan_of(m)->is_sequence)
        node_remove(m, n, w);
}

static int try_plain(struct pattern *m, struct pattern_node *n, struct wait *w, struct row *row,
                     struct partial_chunk *out)
{
    struct partial *p = w->partial, *winner;
    int number = n->plan->number;
    struct row *before = slot_lend(p, number, row);
    int rc = node_passes(m, n, p, row, &winner);
    n->is_changed = false;
    if (winner) {
        slot_stay(m, n, p, before);
        node_post(m, n, winner);
        partial_unref(m, winner);
    } else {
        slot_empty(m, p, number, before);
        if (rc < 0)
            return rc;
        if (n->plan->callback != NODE_NONE)
            m->nodes[n->plan->callback].restart = true;
    }
    try_end(m, n, w, out);
    return 0;
}

static void logical_post(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    const struct pattern_node_plan *plan = n->plan;
    struct pattern_node *partner = &m->nodes[plan->partner];
    if (plan->is_or) {
        node_post(m, n, p);
        if (partner->plan->is_last && plan->look == plan->partner)
            *node_emit(m, plan->partner) = true;
    } else if (node_is_absent(partner) ? node_can_proceed(m, partner, p) : slot_is_filled(p, plan->partner)) {
        node_post(m, n, p);
    } else {
        n->is_changed = true; /* goes on waiting at the partner */
    }
}

static int try_logical(struct pattern *m, struct pattern_node *n, struct wait *w, struct row *row,
                       struct partial_chunk *out)
{
    struct partial *p = w->partial, *winner;
    int number = n->plan->number;
    if (node_is_stale(m, n, p)) {
        node_remove(m, n, w);
        return 0;
    }
    struct row *before = slot_lend(p, number, row);
    int rc = node_passes(m, n, p, row, &winner);
    n->is_changed = false;
    if (winner) {
        slot_stay(m, n, p, before);
        logical_post(m, n, winner);
        partial_unref(m, winner);
    } else {
        slot_empty(m, p, number, before);
        if (rc < 0)
            return rc;
    }
    try_end(m, n, w, out);
    return 0;
}

/* One more event for a counted element. */
static void count_more(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    const struct pattern_node_plan *plan = n->plan;
    struct pattern_node *next = pattern_node_at(m, plan->next);
    int64_t count = p->slots[plan->number].chain->count;
    partial_set_time(m, p, newest_at(m, n, p)->at_ms);
    if (count == 1) {
        node_filled(m, n, p);
        if (plan->is_start && plan->min == 0)
            m->is_irregular = true; /* it waits at the next node already */
    }
    if (next && count > plan->min)
        next->is_ordered = false; /* likewise, and its time changed */
    if (count < plan->min)
        return;
    if (pattern_plan_of(m)->is_sequence) {
        if (next)
            node_add(m, next, p);
        if (count != plan->max)
            node_add(m, n, p);
    } else if (count == plan->min) {
        node_reached(m, n, p);
    }
    if (count == plan->max)
        n->is_changed = true;
}

static int try_count(struct pattern *m, struct pattern_node *n, struct wait *w, struct row *row,
                     struct partial_chunk *out)
{
    struct partial *p = w->partial;
    union slot *slot = &p->slots[n->plan->number];
    if (node_is_stale(m, n, p)) {
        node_remove(m, n, w);
        return 0;
    }
    if (!slot->chain)
        slot->chain = chain_new();
    if (UNLIKELY(slot->chain->count >= LIMIT_PATTERN_CHAIN)) {
        node_remove(m, n, w);
        pattern_dropped(m);
        return 0;
    }
    chain_add(slot->chain, row);
    struct partial *winner;
    int rc = node_passes(m, n, p, row, &winner);
    bool pass = winner != NULL;
    n->is_changed = false;
    if (rc < 0) {
        chain_drop_last(&slot->chain);
        return rc;
    }
    if (pass) {
        count_more(m, n, winner);
        partial_unref(m, winner);
    }
    bool *look = node_emit(m, n->plan->look);
    if (*look) {
        *look = false;
        chunk_add(m, out, p);
    }
    if (!pass)
        chain_drop_last(&slot->chain);
    if (n->is_changed || (!pass && pattern_plan_of(m)->is_sequence))
        node_remove(m, n, w);
    return 0;
}

/* 'not S for T': an event that passes ends the partial match. */
static int try_absent(struct pattern *m, struct pattern_node *n, struct wait *w, struct row *row,
                      struct partial_chunk *out)
{
    const struct pattern_node_plan *plan = n->plan;
    struct partial *p = w->partial, *winner;
    struct row *before = slot_lend(p, plan->number, row);
    (void)out;
    int rc = node_passes(m, n, p, row, &winner);
    bool pass = winner != NULL;
    if (rc < 0) {
        slot_empty(m, p, plan->number, before);
        return rc;
    }
    if (pass) {
        slot_stay(m, n, p, before);
        partial_set_time(m, winner, newest_at(m, n, winner)->at_ms);
        *node_emit(m, plan->number) = true;
        if (plan->is_start && plan->every == plan->number)
            node_add_every(m, n, winner);
        n->due_ms = winner->ts_ms + plan->wait_ms;
        node_schedule(m, n, n->due_ms);
        partial_unref(m, winner);
    } else {
        slot_empty(m, p, plan->number, before);
        if (plan->callback != NODE_NONE)
            m->nodes[plan->callback].restart = true;
    }
    *node_emit(m, plan->look) = false;
    if (pass)
        node_remove(m, n, w);
    return 0;
}

static void remove_partial(struct pattern *m, struct pattern_node *n, const struct partial *p)
{
    struct wait *next;
    for (struct wait *w = n->pending.first; w; w = next) {
        next = w->next;
        if (w->partial == p)
            node_remove(m, n, w);
    }
}

/* 'not S' beside 'and', 'or': an event that passes takes the partial match from this side. */
static int try_logical_absent(struct pattern *m, struct pattern_node *n, struct wait *w, struct row *row,
                              struct partial_chunk *out)
{
    const struct pattern_node_plan *plan = n->plan;
    struct partial *p = w->partial, *winner;
    bool sequence = pattern_plan_of(m)->is_sequence;
    (void)out;
    if (node_is_stale(m, n, p)) {
        node_remove(m, n, w);
        return 0;
    }
    int64_t start_ms;
    bool has_start = plan->is_start && partial_start(pattern_plan_of(m), p, &start_ms);
    struct row *before = slot_lend(p, plan->number, row);
    int rc = node_passes(m, n, p, row, &winner);
    bool pass = winner != NULL;
    if (pass) {
        *node_emit(m, plan->number) = true;
        n->last_arrival_ms = newest_at(m, n, winner)->at_ms;
        partial_unref(m, winner);
    }
    if (!pass || plan->wait_ms != NODE_NO_WAIT || (sequence && !plan->is_or && plan->every != NODE_NONE)) {
        slot_restore(p, plan->number, before);
        if (rc < 0)
            return rc;
    } else {
        if (has_start && row->at_ms < start_ms)
            m->is_irregular = true; /* an earlier first event; it may wait elsewhere already */
        slot_stay(m, n, p, before);
    }
    bool *look = node_emit(m, plan->look);
    bool gone = *look;
    if (gone) {
        *look = false;
        p->refs++;
        node_remove(m, n, w);
        if (sequence)
            remove_partial(m, &m->nodes[plan->partner], p);
        partial_unref(m, p);
    }
    if (!pass && sequence && !gone)
        node_remove(m, n, w);
    return 0;
}

typedef int (*try_fn)(struct pattern *m, struct pattern_node *n, struct wait *w, struct row *row,
                      struct partial_chunk *out);
static const try_fn tries[] = {
    [NODE_PLAIN] = try_plain,
    [NODE_COUNT] = try_count,
    [NODE_LOGICAL] = try_logical,
    [NODE_ABSENT] = try_absent,
    [NODE_LOGICAL_ABSENT] = try_logical_absent,
};

/* Whether the index may answer; no candidates at all: *hash is not set and *none is. A raised flag would have
 * gone to the first wait of all. */
static bool key_answers(struct pattern *m, const struct pattern_node *n, const struct row *row,
                        uint32_t *hash, bool *none)
{
    const struct pattern_key *key = &n->plan->key;
    if (n->index.odd_count || m->link_count || *node_emit(m, n->plan->look))
        return false;
    struct value v = row_get(row, key->own_at);
    *none = is_null(v); /* null equals nothing */
    if (*none)
        return true;
    if (v.type != key->own_type)
        return false; /* the condition will fail the event */
    *hash = pattern_key_hash(v);
    return true;
}

int node_process(struct pattern *m, struct pattern_node *n, struct row *row, struct partial_chunk *out)
{
    try_fn try = tries[n->plan->kind];
    struct wait *next;
    uint32_t hash = 0;
    bool none = false;
    int rc = 0;
    if (!n->is_active)
        return 0;
    while (n->index.stale)
        node_remove(m, n, n->index.stale);
    if (n->plan->key.is_there && key_answers(m, n, row, &hash, &none)) {
        for (struct wait *w = none ? NULL : wait_index_find(&n->index, hash); w && rc == 0; w = next) {
            next = w->hash_next;
            rc = try(m, n, w, row, out);
        }
        return rc;
    }
    for (struct wait *w = n->pending.first; w && rc == 0; w = next) {
        next = w->next;
        rc = try(m, n, w, row, out);
    }
    return rc;
}
