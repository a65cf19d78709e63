/* pattern_state.c - a running pattern as bytes.
 *
 * What is shared is written where it is first met and counted again when it is loaded: rows, chains and
 * partials met so get numbers in that order, and are named by how many were met since. So what one partial
 * says of itself doesn't change when others come and go, and a big pattern's chunks stay what they are
 * (engine/data/chunks.h). When there are many, and no counted elements, they stand in entries of their own
 * (pattern_places.c) and say where they wait. Indexes and heaps are made anew; timers are requested in
 * the order they were requested before.
 *
 *   pattern = flags, counters, nodes, the partials by place, timers (pattern_dues.c)
 *   node    = flags, due, last arrival, aggregators, pending, fresh (lists of partials)
 *   partial = reference; then, when it stands here: time as the difference to the partial before, dead, in
 *             each slot a row or a chain, the partial linked behind it
 *   chain   = reference; then count, rows
 *   row     = reference; then the row, leaning on the one of its slot before it */
#include "engine/data/segments.h"
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

/* A reference: nothing, something that stands here and nowhere else, or here for the first time, or that was
 * met before: REF_BACK + those met since. */
enum { REF_NONE, REF_OWN, REF_NEW, REF_BACK };

struct saving {
    struct pattern *m;
    struct writer *w;
    struct seen rows, chains, partials;
    const struct row **before; /* by node: the row written last */
    int64_t last_ms;           /* of the partial written last */
};

/* True: it is to be written here. */
static bool save_ref(struct saving *s, struct seen *seen, const void *thing, uint32_t refs)
{
    uint32_t before = seen->count;
    if (!thing || refs == 1) {
        write_u8(s->w, thing ? REF_OWN : REF_NONE);
        return thing != NULL;
    }
    uint32_t number = seen_number(seen, thing);
    write_varint(s->w, number == before ? REF_NEW : REF_BACK + (uint64_t)(before - 1 - number));
    return number == before;
}

static void save_row(struct saving *s, const struct row *row, int node)
{
    if (!save_ref(s, &s->rows, row, row ? row->refs : 0))
        return;
    write_row_behind(s->w, row, s->before[node]);
    s->before[node] = row;
}

static void save_chain(struct saving *s, const struct chain *c, int node)
{
    if (!save_ref(s, &s->chains, c, c ? c->refs : 0))
        return;
    KNOWN(c);
    write_count(s->w, c->count);
    for (uint32_t i = 0; i < c->count; i++)
        save_row(s, c->rows[i], node);
}

/* With the tail behind it. */
static void save_partial(struct saving *s, const struct partial *p)
{
    const struct pattern_plan *plan = pattern_plan_of(s->m);
    for (; save_ref(s, &s->partials, p, p ? p->refs : 0); p = p->next) {
        write_step(s->w, (uint64_t)p->ts_ms, (uint64_t)s->last_ms);
        s->last_ms = p->ts_ms;
        write_u8(s->w, p->is_dead);
        for (int i = 0; i < plan->node_count; i++) {
            if (plan->is_chain[i])
                save_chain(s, p->slots[i].chain, i);
            else
                save_row(s, p->slots[i].row, i);
        }
    }
}

/* Brings near what is going to be written: first the partials, then their rows, then the texts there. */
static void near_partials(const struct pattern_plan *plan, struct partial *const *some, int count)
{
    for (int i = 0; i < count; i++)
        __builtin_prefetch(some[i]);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < plan->node_count; k++)
            if (some[i]->slots[k].row)
                __builtin_prefetch(some[i]->slots[k].row); /* or its chain */
    for (int i = 0; i < count; i++)
        for (int k = 0; k < plan->node_count; k++)
            if (!plan->is_chain[k] && some[i]->slots[k].row)
                segments_near_row(some[i]->slots[k].row, 2);
}

/* For a tally the first ones of many stand for all. */
static void save_list(struct saving *s, const struct wait_list *l)
{
    enum { AT_A_TIME = 64 };
    struct partial *some[AT_A_TIME];
    uint32_t step = s->w->tally ? l->count / TALLY_LOOKS + 1 : 1, looks = (l->count + step - 1) / step;
    write_count(s->w, l->count);
    uint64_t before = s->w->tally ? s->w->tally->bytes : 0;
    for (const struct wait *x = l->first; looks;) {
        int count = 0;
        for (; looks && count < AT_A_TIME; x = x->next, looks--)
            some[count++] = x->partial;
        near_partials(pattern_plan_of(s->m), some, count);
        for (int i = 0; i < count; i++)
            save_partial(s, some[i]);
    }
    if (s->w->tally)
        tally_scale(s->w->tally, before, l->count, step);
}

/* When the partials stand elsewhere, by their places: of the lists, where fresh begins. */
static void save_nodes(struct pattern *m, struct writer *w, bool is_placed)
{
    int count = pattern_plan_of(m)->node_count;
    struct saving s = {.m = m, .w = w, .before = mem_array((size_t)count, sizeof(*s.before))};
    for (int i = 0; i < count; i++) {
        const struct pattern_node *n = &m->nodes[i];
        write_u8(w, (uint8_t)(n->is_inited | *node_emit(m, i) << 1 | n->restart << 2 | n->is_active << 3));
        write_i64(w, n->due_ms);
        write_i64(w, n->last_arrival_ms);
        agg_block_save(n->plan->aggs, n->agg, w);
        if (is_placed) {
            write_varint(w, n->fresh.first ? n->fresh.first->order : m->wait_order);
            continue;
        }
        save_list(&s, &n->pending);
        save_list(&s, &n->fresh);
    }
    seen_fini(&s.rows);
    seen_fini(&s.chains);
    seen_fini(&s.partials);
    mem_free(s.before);
}

void pattern_save(const struct op *op, struct writer *w)
{
    struct pattern *m = (struct pattern *)(uintptr_t)op; /* how it is saved is no part of it */
    bool is_placed = places_wanted(m, w);
    write_u8(w, (uint8_t)(m->is_started | is_placed << 1));
    write_i64(w, m->newest_ms);
    write_i64(w, (int64_t)m->dropped);
    save_nodes(m, w, is_placed);
    if (is_placed)
        places_save(m, w);
    pattern_save_dues(m, w);
}

void pattern_ahead(const struct op *op, struct writer *w)
{
    struct pattern *m = (struct pattern *)(uintptr_t)op;
    if (places_wanted(m, w))
        places_save(m, w);
}

/* ---- load ---- */

/* Things with a number; each with a reference. */
struct things {
    void **list;
    size_t count, cap;
};
struct link {
    struct partial *from, *to;
};
struct loading {
    struct pattern *m;
    struct reader *r;
    bool is_placed;
    struct things rows, chains, partials; /* met more than once */
    struct things all;                    /* partials, each with the reference it was made with */
    struct link *links;
    size_t link_count, link_cap;
    struct row **before; /* by node: the row read last; each with a reference */
    int64_t last_ms;
};

static void things_add(struct things *t, void *thing)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->list = mem_resize(t->list, t->cap, sizeof(void *));
    }
    t->list[t->count++] = thing;
}

/* True: it stands here, and is to be noted when *is_new. Else *thing is what was met before, or NULL. */
static bool load_ref(struct loading *l, const struct things *met, void **thing, bool *is_new)
{
    uint64_t ref = read_varint(l->r);
    *thing = NULL;
    *is_new = ref == REF_NEW;
    if (ref < REF_BACK)
        return ref != REF_NONE && !l->r->failed;
    if (ref - REF_BACK >= met->count)
        l->r->failed = true;
    else
        *thing = met->list[met->count - 1 - (size_t)(ref - REF_BACK)];
    return false;
}

/* Borrowed: of l; NULL: none, or failed. Rows must have the columns the plan knows. */
static struct row *load_row(struct loading *l, int node)
{
    void *met;
    bool is_new;
    struct row *row;
    if (load_ref(l, &l->rows, &met, &is_new)) {
        row = read_row_behind(l->r, l->before[node]);
        if (!row)
            return NULL;
        if (l->before[node])
            row_unref(l->before[node]);
        l->before[node] = row;
        if (is_new)
            things_add(&l->rows, row_ref(row));
    } else {
        row = met;
    }
    if (row && row->count != pattern_plan_of(l->m)->nodes[node].schema->count)
        l->r->failed = true;
    return l->r->failed ? NULL : row;
}

static struct chain *chain_ref(struct chain *c)
{
    c->refs++;
    return c;
}

/* Owned by the caller; NULL: none, or failed. */
static struct chain *load_chain(struct loading *l, int node)
{
    void *met;
    bool is_new;
    if (!load_ref(l, &l->chains, &met, &is_new)) {
        const struct chain *known = met;
        for (uint32_t i = 0; known && i < known->count; i++)
            if (known->rows[i]->count != pattern_plan_of(l->m)->nodes[node].schema->count)
                l->r->failed = true;
        return met && !l->r->failed ? chain_ref(met) : NULL;
    }
    struct chain *c = chain_new();
    size_t count = read_count(l->r, UINT32_MAX);
    for (size_t i = 0; i < count && !l->r->failed; i++) {
        struct row *row = load_row(l, node);
        if (row)
            chain_add(c, row);
        else
            l->r->failed = true;
    }
    if (is_new)
        things_add(&l->chains, chain_ref(c));
    if (c->count && !l->r->failed)
        return c;
    l->r->failed = true;
    chain_unref(c);
    return NULL;
}

static struct partial *load_body(struct loading *l)
{
    const struct pattern_plan *plan = pattern_plan_of(l->m);
    struct partial *p = partial_new(plan->node_count);
    things_add(&l->all, p);
    l->last_ms = p->ts_ms = (int64_t)read_step(l->r, (uint64_t)l->last_ms);
    p->is_dead = read_u8(l->r) != 0 ? 1u : 0u;
    for (int i = 0; i < plan->node_count && !l->r->failed; i++) {
        if (plan->is_chain[i]) {
            p->slots[i].chain = load_chain(l, i);
        } else {
            struct row *row = load_row(l, i);
            p->slots[i].row = row ? row_ref(row) : NULL;
        }
    }
    return p;
}

static void note_link(struct loading *l, struct partial *from, struct partial *to)
{
    if (l->link_count == l->link_cap) {
        l->link_cap = l->link_cap ? l->link_cap * 2 : 64;
        l->links = mem_resize(l->links, l->link_cap, sizeof(*l->links));
    }
    l->links[l->link_count++] = (struct link){from, to};
}

/* With the tail behind it, whose links are made later. Borrowed: of l. NULL: failed. */
static struct partial *load_partial(struct loading *l)
{
    struct partial *first = NULL, *last = NULL;
    for (bool is_here = true; is_here && !l->r->failed;) {
        void *met;
        bool is_new;
        is_here = load_ref(l, &l->partials, &met, &is_new);
        struct partial *p = is_here ? load_body(l) : met;
        if (is_here && is_new)
            things_add(&l->partials, p);
        if (last && p)
            note_link(l, last, p);
        first = first ? first : p;
        last = p;
    }
    l->r->failed = l->r->failed || !first;
    return l->r->failed ? NULL : first;
}

bool partial_may_link(const struct partial *p, const struct partial *next)
{
    const struct partial *x = next;
    while (x && x != p)
        x = x->next;
    return !x;
}

static void load_lists(struct loading *l, struct pattern_node *n)
{
    struct reader *r = l->r;
    struct wait_list pending = {.is_keyed = n->pending.is_keyed};
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct partial *p = load_partial(l);
        if (p)
            node_wait(l->m, n, &pending, p);
    }
    node_pend(l->m, n, &pending);
    count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct partial *p = load_partial(l);
        if (p)
            node_fresh(l->m, n, p);
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
    if (l->is_placed)
        n->fresh_order = read_varint(r);
    else
        load_lists(l, n);
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
        node_forget_dues(n);
        if (n->plan->timer)
            timer_cancel(m->op.query->ops[n->plan->timer->index]);
    }
}

static void loading_end(struct loading *l)
{
    for (size_t i = 0; i < l->all.count; i++)
        partial_unref(l->m, l->all.list[i]);
    for (size_t i = 0; i < l->chains.count; i++)
        chain_unref(l->chains.list[i]);
    for (size_t i = 0; i < l->rows.count; i++)
        row_unref(l->rows.list[i]);
    for (int i = 0; i < pattern_plan_of(l->m)->node_count; i++)
        if (l->before[i])
            row_unref(l->before[i]);
    mem_free(l->all.list);
    mem_free(l->partials.list);
    mem_free(l->chains.list);
    mem_free(l->rows.list);
    mem_free(l->links);
    mem_free(l->before);
}

int pattern_load(struct op *op, struct reader *r)
{
    struct pattern *m = (struct pattern *)op;
    int count = pattern_plan_of(m)->node_count;
    struct loading l = {.m = m, .r = r, .before = mem_array((size_t)count, sizeof(*l.before))};
    forget(m);
    places_end(m);
    uint8_t flags = read_u8(r);
    m->is_started = flags & 1;
    l.is_placed = flags & 2;
    m->newest_ms = read_i64(r);
    m->shared->stats.dropped -= m->dropped;
    m->dropped = (uint64_t)read_i64(r);
    m->shared->stats.dropped += m->dropped;
    m->told = m->dropped * 2;
    for (int i = 0; i < count && !r->failed; i++)
        load_node(&l, &m->nodes[i]);
    for (size_t i = 0; i < l.link_count && !r->failed; i++) {
        if (partial_may_link(l.links[i].from, l.links[i].to))
            partial_link(m, l.links[i].from, l.links[i].to);
        else
            r->failed = true;
    }
    loading_end(&l);
    if (l.is_placed && !r->failed)
        places_load(m, r);
    if (!r->failed)
        pattern_load_dues(m, r);
    return r->failed ? ERR_STATE : 0;
}
