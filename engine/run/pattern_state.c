/* pattern_state.c - a running pattern as bytes.
 *
 * What is shared is written once and counted again when it is loaded: rows, chains and partials have numbers
 * in order of first sight. Indexes and heaps are made anew; timers are requested in the order they were
 * requested before.
 *
 *   pattern = flags, counters, rows, chains, partials, nodes, timers
 *   row     = a row                            chain = count, numbers of rows
 *   partial = time, dead, number + 1 of the row or chain in each slot; after all of them, number + 1 of the
 * one behind each node    = flags, due, last arrival, aggregators, pending, fresh (numbers of partials) timer
 * = node, due */
#include "engine/run/app.h"
#include "engine/run/pattern.h"

/* Things seen so far, with their numbers. */
struct seen {
    const void **things; /* by number */
    uint32_t *slots;     /* number + 1; 0: empty */
    uint32_t count, cap, slot_count;
};

static uint32_t thing_hash(const void *thing)
{
    uint64_t h = (uint64_t)(uintptr_t)thing * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

static void seen_slot(struct seen *s, uint32_t number)
{
    uint32_t at = thing_hash(s->things[number]) & (s->slot_count - 1);
    while (s->slots[at])
        at = (at + 1) & (s->slot_count - 1);
    s->slots[at] = number + 1;
}

static void seen_widen(struct seen *s)
{
    s->cap = s->cap ? s->cap * 2 : 64;
    s->things = mem_resize(s->things, s->cap, sizeof(*s->things));
    mem_free(s->slots);
    s->slot_count = s->cap * 2;
    s->slots = mem_array(s->slot_count, sizeof(*s->slots));
    for (uint32_t i = 0; i < s->count; i++)
        seen_slot(s, i);
}

/* Its number; a new one when it was not seen. */
static uint32_t seen_number(struct seen *s, const void *thing)
{
    if (s->count == s->cap)
        seen_widen(s);
    uint32_t at = thing_hash(thing) & (s->slot_count - 1);
    while (s->slots[at]) {
        if (s->things[s->slots[at] - 1] == thing)
            return s->slots[at] - 1;
        at = (at + 1) & (s->slot_count - 1);
    }
    s->slots[at] = s->count + 1;
    s->things[s->count] = thing;
    return s->count++;
}

static void seen_fini(struct seen *s)
{
    mem_free(s->things);
    mem_free(s->slots);
}

struct saving {
    const struct pattern *m;
    struct seen rows, chains, partials;
};

static void see_events(struct saving *s, const struct partial *p)
{
    const struct pattern_plan *plan = pattern_plan_of(s->m);
    uint32_t before;
    for (int i = 0; i < plan->node_count; i++) {
        if (!p->slots[i].row)
            continue;
        if (!plan->is_chain[i]) {
            seen_number(&s->rows, p->slots[i].row);
            continue;
        }
        const struct chain *c = p->slots[i].chain;
        before = s->chains.count;
        if (seen_number(&s->chains, c) < before)
            continue;
        for (uint32_t k = 0; k < c->count; k++)
            seen_number(&s->rows, c->rows[k]);
    }
}

/* With the tail behind it. */
static void see_partial(struct saving *s, const struct partial *p)
{
    for (; p; p = p->next) {
        uint32_t before = s->partials.count;
        if (seen_number(&s->partials, p) < before)
            return;
        see_events(s, p);
    }
}

static void see_list(struct saving *s, const struct wait_list *l)
{
    for (const struct wait *w = l->first; w; w = w->next)
        see_partial(s, w->partial);
}

static void save_things(struct saving *s, struct writer *w)
{
    const struct pattern_plan *plan = pattern_plan_of(s->m);
    write_count(w, s->rows.count);
    for (uint32_t i = 0; i < s->rows.count; i++)
        write_row(w, s->rows.things[i]);
    write_count(w, s->chains.count);
    for (uint32_t i = 0; i < s->chains.count; i++) {
        const struct chain *c = s->chains.things[i];
        write_count(w, c->count);
        for (uint32_t k = 0; k < c->count; k++)
            write_u32(w, seen_number(&s->rows, c->rows[k]));
    }
    write_count(w, s->partials.count);
    for (uint32_t i = 0; i < s->partials.count; i++) {
        const struct partial *p = s->partials.things[i];
        write_i64(w, p->ts_ms);
        write_u8(w, p->is_dead);
        for (int k = 0; k < plan->node_count; k++) {
            const void *thing = plan->is_chain[k] ? (const void *)p->slots[k].chain : p->slots[k].row;
            write_u32(w, thing ? seen_number(plan->is_chain[k] ? &s->chains : &s->rows, thing) + 1 : 0);
        }
    }
    for (uint32_t i = 0; i < s->partials.count; i++) {
        const struct partial *p = s->partials.things[i];
        write_u32(w, p->next ? seen_number(&s->partials, p->next) + 1 : 0);
    }
}

static void save_list(struct saving *s, const struct wait_list *l, struct writer *w)
{
    write_count(w, l->count);
    for (const struct wait *x = l->first; x; x = x->next)
        write_u32(w, seen_number(&s->partials, x->partial));
}

/* The requests of all nodes, merged in the order they were made. */
static void save_dues(const struct pattern *m, struct writer *w)
{
    int count = pattern_plan_of(m)->node_count;
    size_t total = 0;
    uint32_t *at = mem_array((size_t)count, sizeof(*at));
    for (int i = 0; i < count; i++)
        total += m->nodes[i].due_count;
    write_count(w, total);
    for (; total > 0; total--) {
        const struct due_item *first = NULL;
        int node = 0;
        for (int i = 0; i < count; i++) {
            const struct pattern_node *n = &m->nodes[i];
            if (at[i] == n->due_count)
                continue;
            const struct due_item *d = &n->dues[(n->due_head + at[i]) & (n->due_cap - 1)];
            if (!first || d->order < first->order) {
                first = d;
                node = i;
            }
        }
        at[node]++;
        write_u32(w, (uint32_t)node);
        write_i64(w, first->due_ms);
    }
    mem_free(at);
}

void pattern_save(const struct op *op, struct writer *w)
{
    const struct pattern *m = (const struct pattern *)op;
    struct saving s = {.m = m};
    int count = pattern_plan_of(m)->node_count;
    for (int i = 0; i < count; i++) {
        see_list(&s, &m->nodes[i].pending);
        see_list(&s, &m->nodes[i].fresh);
    }
    write_u8(w, m->is_started);
    write_i64(w, m->newest_ms);
    write_i64(w, (int64_t)m->dropped);
    save_things(&s, w);
    for (int i = 0; i < count; i++) {
        const struct pattern_node *n = &m->nodes[i];
        write_u8(w, (uint8_t)(n->is_inited | *node_emit((struct pattern *)(uintptr_t)m, i) << 1 |
                              n->restart << 2 | n->is_active << 3));
        write_i64(w, n->due_ms);
        write_i64(w, n->last_arrival_ms);
        agg_block_save(n->plan->aggs, n->agg, w);
        save_list(&s, &n->pending, w);
        save_list(&s, &n->fresh, w);
    }
    save_dues(m, w);
    seen_fini(&s.rows);
    seen_fini(&s.chains);
    seen_fini(&s.partials);
}

/* ---- load ---- */

struct loading {
    struct pattern *m;
    struct reader *r;
    struct row **rows;
    struct chain **chains;
    struct partial **partials;
    size_t row_count, chain_count, partial_count;
};

/* A number that must be below limit. */
static uint32_t read_number(struct reader *r, size_t limit)
{
    uint32_t n = read_u32(r);
    if (n >= limit)
        r->failed = true;
    return r->failed ? 0 : n;
}

static void load_rows(struct loading *l)
{
    size_t count = read_count(l->r, UINT32_MAX);
    l->rows = mem_array(count + 1, sizeof(*l->rows));
    for (size_t i = 0; i < count && !l->r->failed; i++) {
        l->rows[i] = read_row(l->r);
        if (!l->rows[i])
            l->r->failed = true;
        else
            l->row_count++;
    }
}

static void load_chains(struct loading *l)
{
    size_t count = read_count(l->r, UINT32_MAX);
    l->chains = mem_array(count + 1, sizeof(*l->chains));
    for (size_t i = 0; i < count && !l->r->failed; i++) {
        struct chain *c = l->chains[l->chain_count++] = chain_new();
        size_t events = read_count(l->r, UINT32_MAX);
        for (size_t k = 0; k < events && !l->r->failed; k++) {
            uint32_t row = read_number(l->r, l->row_count);
            if (!l->r->failed)
                chain_add(c, l->rows[row]);
        }
        if (c->count == 0)
            l->r->failed = true;
    }
}

/* Rows must have the columns the plan knows. */
static bool row_fits(const struct row *row, const struct pattern_node_plan *plan)
{
    return row->count == plan->schema->count;
}

static void load_slot(struct loading *l, struct partial *p, int number)
{
    const struct pattern_plan *plan = pattern_plan_of(l->m);
    bool is_chain = plan->is_chain[number];
    uint32_t at = read_number(l->r, (is_chain ? l->chain_count : l->row_count) + 1);
    if (l->r->failed || at == 0)
        return;
    if (!is_chain) {
        if (row_fits(l->rows[at - 1], &plan->nodes[number]))
            p->slots[number].row = row_ref(l->rows[at - 1]);
        else
            l->r->failed = true;
        return;
    }
    struct chain *c = l->chains[at - 1];
    for (uint32_t i = 0; i < c->count; i++) {
        if (!row_fits(c->rows[i], &plan->nodes[number]))
            l->r->failed = true;
    }
    if (l->r->failed)
        return;
    c->refs++;
    p->slots[number].chain = c;
}

/* Links make no circle, whatever the bytes say. */
static void load_link(struct loading *l, struct partial *p, struct partial *next)
{
    for (const struct partial *x = next; x; x = x->next) {
        if (x == p) {
            l->r->failed = true;
            return;
        }
    }
    partial_link(l->m, p, next);
}

static void load_partials(struct loading *l)
{
    uint16_t slots = pattern_plan_of(l->m)->node_count;
    size_t count = read_count(l->r, UINT32_MAX);
    l->partials = mem_array(count + 1, sizeof(*l->partials));
    for (size_t i = 0; i < count && !l->r->failed; i++) {
        struct partial *p = l->partials[l->partial_count++] = partial_new(slots);
        p->ts_ms = read_i64(l->r);
        p->is_dead = read_u8(l->r) != 0 ? 1u : 0u;
        for (int k = 0; k < slots && !l->r->failed; k++)
            load_slot(l, p, k);
    }
    for (size_t i = 0; i < l->partial_count && !l->r->failed; i++) {
        uint32_t next = read_number(l->r, l->partial_count + 1);
        if (!l->r->failed && next > 0)
            load_link(l, l->partials[i], l->partials[next - 1]);
    }
}

static void load_node(struct loading *l, struct pattern_node *n)
{
    struct reader *r = l->r;
    uint8_t flags = read_u8(r);
    n->is_inited = flags & 1;
    *node_emit(l->m, n->plan->number) = flags & 2; /* of all keys: each saved the same */
    n->restart = flags & 4;
    n->is_active = flags & 8;
    n->due_ms = read_i64(r);
    n->last_arrival_ms = read_i64(r);
    if (agg_block_load(n->plan->aggs, n->agg, r) < 0)
        r->failed = true;
    struct wait_list pending = {.is_keyed = n->pending.is_keyed};
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint32_t at = read_number(r, l->partial_count);
        if (r->failed)
            break;
        struct wait *w = wait_new(&pending, l->partials[at]);
        wait_append(&pending, w);
        if (pending.is_keyed)
            node_note_key(l->m, n, w);
        l->m->wait_count++;
    }
    node_pend(l->m, n, &pending);
    count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint32_t at = read_number(r, l->partial_count);
        if (!r->failed)
            node_fresh(l->m, n, l->partials[at]);
    }
}

static void load_dues(struct loading *l)
{
    struct pattern *m = l->m;
    size_t count = read_count(l->r, UINT32_MAX);
    for (size_t i = 0; i < count && !l->r->failed; i++) {
        uint32_t node = read_number(l->r, pattern_plan_of(m)->node_count);
        int64_t due_ms = read_i64(l->r);
        if (l->r->failed || !m->nodes[node].plan->timer)
            l->r->failed = true;
        else
            node_schedule(m, &m->nodes[node], due_ms);
    }
}

/* What the instance got at its start goes. */
static void forget(struct pattern *m)
{
    for (int i = 0; i < pattern_plan_of(m)->node_count; i++) {
        struct pattern_node *n = &m->nodes[i];
        while (n->pending.first)
            node_remove(m, n, n->pending.first);
        node_clear(m, &n->fresh);
        wait_heap_clear(&n->heap);
        n->due_count = 0;
        if (n->plan->timer)
            timer_cancel(m->op.query->ops[n->plan->timer->index]);
    }
}

int pattern_load(struct op *op, struct reader *r)
{
    struct loading l = {.m = (struct pattern *)op, .r = r};
    struct pattern *m = l.m;
    forget(m);
    m->is_started = read_u8(r) != 0;
    m->newest_ms = read_i64(r);
    m->dropped = (uint64_t)read_i64(r);
    m->told = m->dropped * 2;
    load_rows(&l);
    load_chains(&l);
    load_partials(&l);
    for (int i = 0; i < pattern_plan_of(m)->node_count && !r->failed; i++)
        load_node(&l, &m->nodes[i]);
    load_dues(&l);
    for (size_t i = 0; i < l.partial_count; i++)
        partial_unref(m, l.partials[i]);
    for (size_t i = 0; i < l.chain_count; i++)
        chain_unref(l.chains[i]);
    for (size_t i = 0; i < l.row_count; i++)
        row_unref(l.rows[i]);
    mem_free(l.partials);
    mem_free(l.chains);
    mem_free(l.rows);
    return r->failed ? ERR_STATE : 0;
}
