/* pattern_places.c - how the partial matches of a big pattern stand in a checkpoint: each by itself, as an
 * entry of segments (engine/data/segments.h), so that only those are written that are new or changed, or wait
 * elsewhere.
 *
 * A partial gets a place when it waits for the first time, and keeps it until it ends. A place whose partial has
 * ended is a hole, and the next new partial's. An entry says where its partial waits: the lists are made from
 * that, for waits have numbers that rise along each list.
 *
 *   entry = flags; then, when it is no hole: which slots are filled, and of each the row, leaning on the types
 *           that the stream declares and on the time of the row before it; its time, likewise; the place of the
 *           partial linked behind it; its waits, each with its node and its number
 *
 * A row that several partials hold is written for each; those that are alike and follow each other are one
 * row again when they are loaded.
 *
 * Law: what is linked behind a partial that has a place has one too. */
#include "engine/data/segments.h"
#include "engine/run/app.h"
#include "engine/run/pattern.h"
#include <stdlib.h>
#include <string.h>

#ifdef WEIR_DEBUG
enum { PLACES_LEAST = 2, HOLES_LEAST = 4 };
#else
enum { PLACES_LEAST = 256, HOLES_LEAST = 4096 };
#endif
enum { IS_PARTIAL = 1, IS_DEAD = 2, HAS_NEXT = 4 };

/* ---- the places ---- */

void places_add(struct pattern *m, struct partial *p)
{
    struct pattern_places *x = &m->places;
    for (; p && !p->place; p = p->next) {
        uint32_t at = x->hole_count ? x->holes[--x->hole_count] : x->count++;
        if (at == x->cap) {
            x->cap = x->cap ? x->cap * 2 : 64;
            x->list = mem_resize(x->list, x->cap, sizeof(*x->list));
        }
        x->list[at] = p;
        p->place = at + 1;
        partial_touch(m, p);
    }
}

static void add_hole(struct pattern_places *x, uint32_t at)
{
    if (x->hole_count == x->hole_cap) {
        x->hole_cap = x->hole_cap ? x->hole_cap * 2 : 64;
        x->holes = mem_resize(x->holes, x->hole_cap, sizeof(*x->holes));
    }
    x->list[at] = NULL;
    x->holes[x->hole_count++] = at;
}

void places_remove(struct pattern *m, struct partial *p)
{
    partial_touch(m, p);
    add_hole(&m->places, p->place - 1);
    p->place = 0;
}

void places_end(struct pattern *m)
{
    struct pattern_places *x = &m->places;
    for (uint32_t i = 0; i < x->count; i++)
        if (x->list[i])
            x->list[i]->place = 0;
    segments_end(&x->saved);
    mem_free(x->list);
    mem_free(x->holes);
    *x = (struct pattern_places){0};
}

static void add_list(struct pattern *m, const struct wait_list *l)
{
    for (const struct wait *w = l->first; w; w = w->next)
        places_add(m, w->partial);
}

bool places_wanted(struct pattern *m, const struct writer *w)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    struct pattern_places *x = &m->places;
    if (!w->state)
        return false;
    bool wanted = m->wait_count > (x->is_on ? PLACES_LEAST / 4 : PLACES_LEAST);
    for (int i = 0; wanted && i < plan->node_count; i++)
        wanted = !plan->is_chain[i];
    /* Few are left of many: they are counted anew. */
    if (!wanted || (x->hole_count > HOLES_LEAST && x->hole_count > x->count / 4 * 3))
        places_end(m);
    for (int i = 0; wanted && !x->is_on && i < plan->node_count; i++) {
        add_list(m, &m->nodes[i].pending);
        add_list(m, &m->nodes[i].fresh);
    }
    x->is_on = wanted;
    return wanted;
}

/* ---- entries ---- */

/* Rows of the types that the nodes' streams declare, without values: what the rows of an entry lean on. */
static struct row **likes_new(const struct pattern_plan *plan)
{
    struct row **likes = mem_array(plan->node_count, sizeof(*likes));
    for (int i = 0; i < plan->node_count; i++) {
        const struct schema *s = plan->nodes[i].schema;
        likes[i] = row_new(s->count, 0);
        for (uint32_t k = 0; k < s->count; k++)
            likes[i]->types[k] = (uint8_t)s->attributes[k].type;
    }
    return likes;
}

static void likes_free(const struct pattern_plan *plan, struct row **likes)
{
    for (int i = 0; i < plan->node_count; i++) {
        memset(likes[i]->types, TYPE_NULL, likes[i]->count);
        row_unref(likes[i]);
    }
    mem_free(likes);
}

struct saving {
    struct pattern *m;
    struct row **likes;
};

static void write_place(void *user, struct writer *w, uint32_t place)
{
    struct saving *s = user;
    const struct pattern_plan *plan = pattern_plan_of(s->m);
    const struct partial *p = s->m->places.list[place];
    uint64_t filled = 0;
    int64_t last_ms = 0;
    if (!p) {
        write_u8(w, 0);
        return;
    }
    write_u8(w, (uint8_t)(IS_PARTIAL | (p->is_dead ? IS_DEAD : 0) | (p->next ? HAS_NEXT : 0)));
    for (int i = 0; i < plan->node_count; i++) {
        if (i % 64 == 0) {
            filled = 0;
            for (int k = i; k < plan->node_count && k < i + 64; k++)
                filled |= (uint64_t)(p->slots[k].row != NULL) << (k - i);
            write_varint(w, filled);
        }
        if (!(filled >> (i % 64) & 1))
            continue;
        s->likes[i]->at_ms = last_ms;
        write_row_behind(w, p->slots[i].row, s->likes[i]);
        last_ms = p->slots[i].row->at_ms;
    }
    write_step(w, (uint64_t)p->ts_ms, (uint64_t)last_ms);
    if (p->next)
        write_varint(w, p->next->place - 1);
    for (const struct wait *x = p->waits; x; x = x->also) {
        write_varint(w, (uint64_t)x->node + 1);
        write_varint(w, x->order);
    }
    write_varint(w, 0);
}

static void near_place(void *user, uint32_t place, int step)
{
    const struct saving *s = user;
    const struct partial *p = s->m->places.list[place];
    if (step == 0 || !p) {
        __builtin_prefetch(p);
        return;
    }
    if (step == 1)
        __builtin_prefetch(p->waits);
    for (int i = 0; i < pattern_plan_of(s->m)->node_count; i++)
        if (p->slots[i].row)
            segments_near_row(p->slots[i].row, step);
}

void places_save(struct pattern *m, struct writer *w)
{
    struct saving s = {m, likes_new(pattern_plan_of(m))};
    write_varint(w, m->wait_order);
    segments_save(&m->places.saved, w, m->places.count,
                  &(struct segments_owner){.user = &s, .write = write_place, .near = near_place});
    likes_free(pattern_plan_of(m), s.likes);
}

/* ---- loading ---- */

struct loading {
    struct pattern *m;
    struct row **likes;
    struct row **before; /* by node: the row read last; each with a reference */
    uint32_t *next;      /* by place: 1 + the place of what is linked behind it; 0: nothing */
    struct saved_wait {
        uint64_t order;
        uint32_t place;
        uint16_t node;
    } * waits;
    size_t wait_count, wait_cap;
};

static bool begin_places(void *user, uint32_t count)
{
    struct loading *l = user;
    struct pattern_places *x = &l->m->places;
    x->list = mem_array(count, sizeof(*x->list));
    x->count = x->cap = count;
    l->next = mem_array(count, sizeof(*l->next));
    return true;
}

static bool is_alike(const struct row *a, const struct row *b)
{
    bool alike = a && a->at_ms == b->at_ms && a->count == b->count;
    for (uint32_t i = 0; alike && i < a->count; i++)
        alike = a->types[i] == b->types[i] && value_same(row_get(a, i), row_get(b, i));
    return alike;
}

/* The caller's to unref; NULL: it can't be one. */
static struct row *read_slot(struct loading *l, struct reader *r, int node, int64_t last_ms)
{
    l->likes[node]->at_ms = last_ms;
    struct row *row = read_row_behind(r, l->likes[node]);
    if (!row || row->count != l->likes[node]->count) {
        if (row)
            row_unref(row);
        r->failed = true;
        return NULL;
    }
    if (is_alike(l->before[node], row)) {
        row_unref(row);
        return row_ref(l->before[node]);
    }
    if (l->before[node])
        row_unref(l->before[node]);
    l->before[node] = row_ref(row);
    return row;
}

static void read_waits(struct loading *l, struct reader *r, uint32_t place)
{
    uint64_t node;
    while ((node = read_varint(r)) != 0 && !r->failed) {
        if (l->wait_count == l->wait_cap) {
            l->wait_cap = l->wait_cap ? l->wait_cap * 2 : 256;
            l->waits = mem_resize(l->waits, l->wait_cap, sizeof(*l->waits));
        }
        if (node > pattern_plan_of(l->m)->node_count)
            r->failed = true;
        l->waits[l->wait_count++] = (struct saved_wait){read_varint(r), place, (uint16_t)(node - 1)};
    }
}

static bool read_place(void *user, struct reader *r, uint32_t place)
{
    struct loading *l = user;
    int count = pattern_plan_of(l->m)->node_count;
    uint8_t flags = read_u8(r);
    uint64_t filled = 0;
    int64_t last_ms = 0;
    if (!(flags & IS_PARTIAL))
        return flags == 0 && !r->failed;
    struct partial *p = partial_new((uint16_t)count);
    l->m->places.list[place] = p;
    p->place = place + 1;
    p->is_dead = flags & IS_DEAD ? 1u : 0u;
    for (int i = 0; i < count && !r->failed; i++) {
        if (i % 64 == 0)
            filled = read_varint(r);
        if (!(filled >> (i % 64) & 1))
            continue;
        p->slots[i].row = read_slot(l, r, i, last_ms);
        if (p->slots[i].row)
            last_ms = p->slots[i].row->at_ms;
    }
    p->ts_ms = (int64_t)read_step(r, (uint64_t)last_ms);
    if (flags & HAS_NEXT) {
        uint64_t next = read_varint(r);
        if (next >= l->m->places.count)
            return false;
        l->next[place] = (uint32_t)next + 1;
    }
    read_waits(l, r, place);
    return !r->failed;
}

/* Links make no circle, whatever the bytes say. */
static bool link_places(struct loading *l)
{
    struct pattern_places *x = &l->m->places;
    for (uint32_t i = 0; i < x->count; i++) {
        if (!l->next[i])
            continue;
        struct partial *p = x->list[i], *next = x->list[l->next[i] - 1];
        if (!p || !next || !partial_may_link(p, next))
            return false;
        partial_link(l->m, p, next);
    }
    return true;
}

static void note_holes(struct pattern_places *x)
{
    for (uint32_t i = x->count; i > 0; i--)
        if (!x->list[i - 1])
            add_hole(x, i - 1);
}

static int by_order(const void *a, const void *b)
{
    const struct saved_wait *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The lists of all nodes, from the waits in the order they were made. False: it can't be. */
static bool make_lists(struct loading *l, uint64_t wait_order)
{
    struct pattern *m = l->m;
    int count = pattern_plan_of(m)->node_count;
    struct wait_list *pending = mem_array((size_t)count, sizeof(*pending));
    bool good = true;
    if (l->wait_count)
        qsort(l->waits, l->wait_count, sizeof(*l->waits), by_order);
    for (int i = 0; i < count; i++)
        pending[i].is_keyed = m->nodes[i].pending.is_keyed;
    for (size_t i = 0; good && i < l->wait_count; i++) {
        const struct saved_wait *w = &l->waits[i];
        struct pattern_node *n = &m->nodes[w->node];
        good = w->order < wait_order && (i == 0 || w[-1].order < w->order);
        m->wait_order = w->order;
        if (w->order < n->fresh_order)
            node_wait(m, n, &pending[w->node], m->places.list[w->place]);
        else
            node_fresh(m, n, m->places.list[w->place]);
    }
    for (int i = 0; i < count; i++)
        node_pend(m, &m->nodes[i], &pending[i]);
    m->wait_order = wait_order;
    mem_free(pending);
    return good;
}

static void loading_end(struct loading *l)
{
    const struct pattern_plan *plan = pattern_plan_of(l->m);
    struct pattern_places *x = &l->m->places;
    for (uint32_t i = 0; i < x->count; i++)
        if (x->list[i])
            partial_unref(l->m, x->list[i]);
    for (int i = 0; i < plan->node_count; i++)
        if (l->before[i])
            row_unref(l->before[i]);
    likes_free(plan, l->likes);
    mem_free(l->before);
    mem_free(l->next);
    mem_free(l->waits);
}

void places_load(struct pattern *m, struct reader *r)
{
    struct loading l = {.m = m, .likes = likes_new(pattern_plan_of(m))};
    struct pattern_places *x = &m->places;
    l.before = mem_array(pattern_plan_of(m)->node_count, sizeof(*l.before));
    uint64_t wait_order = read_varint(r);
    int rc = segments_load(&x->saved, r,
                           &(struct segments_owner){.user = &l, .read = read_place, .begin = begin_places});
    note_holes(x);
    struct segments *saved = x->saved; /* nothing of it is old by what follows */
    x->saved = NULL;
    x->is_on = true;
    if (rc < 0 || wait_order >= WAIT_ORDER_MOST || !link_places(&l) || !make_lists(&l, wait_order))
        r->failed = true;
    x->saved = saved;
    loading_end(&l);
}
