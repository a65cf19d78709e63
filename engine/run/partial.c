/* partial.c - see partial.h. */
#include "engine/run/partial.h"

enum { INDEX_SLOTS = 16, HEAP_ITEMS = 16, CHAIN_ROWS = 2, KEEP_ITEMS = 1024 };

static size_t partial_bytes(uint16_t slot_count)
{
    return offsetof(struct partial, slots) + slot_count * sizeof(union slot);
}

struct partial *partial_new(uint16_t slot_count)
{
    struct partial *p = mem_pool_alloc(partial_bytes(slot_count));
    p->refs = 1;
    p->is_dead = 0;
    p->out_at = 0;
    p->next = NULL;
    p->place = 0;
    p->waits = NULL;
    p->ts_ms = PARTIAL_NEW_MS;
    for (uint16_t i = 0; i < slot_count; i++)
        p->slots[i].row = NULL;
    return p;
}

struct partial *partial_copy(const struct partial *p, const bool *is_chain, uint16_t to, uint16_t slot_count)
{
    struct partial *copy = partial_new(slot_count);
    copy->ts_ms = p->ts_ms;
    for (uint16_t i = 0; i < to; i++) {
        copy->slots[i] = p->slots[i];
        if (is_chain[i] && copy->slots[i].chain)
            copy->slots[i].chain->refs++;
        else if (copy->slots[i].row)
            row_ref(copy->slots[i].row);
    }
    return copy;
}

void partial_free(struct partial *p, const bool *is_chain, uint16_t slot_count)
{
    for (uint16_t i = 0; i < slot_count; i++) {
        if (!p->slots[i].row)
            continue;
        if (is_chain[i])
            chain_unref(p->slots[i].chain);
        else
            row_unref(p->slots[i].row);
    }
    mem_pool_free(p, partial_bytes(slot_count));
}

/* ---- chains ---- */

struct chain *chain_new(void)
{
    struct chain *c = mem_pool_alloc(sizeof(*c));
    *c = (struct chain){.refs = 1};
    return c;
}

void chain_add(struct chain *c, struct row *row)
{
    if (c->count == c->cap) {
        uint32_t wider = c->cap ? c->cap * 2 : CHAIN_ROWS;
        struct row **rows = mem_pool_alloc(wider * sizeof(*rows));
        if (c->count)
            memcpy(rows, c->rows, c->count * sizeof(*rows));
        if (c->cap)
            mem_pool_free(c->rows, c->cap * sizeof(*rows));
        c->rows = rows;
        c->cap = wider;
    }
    c->rows[c->count++] = row_ref(row);
}

void chain_drop_last(struct chain **c)
{
    struct chain *chain = *c;
    if (chain->count > 1) {
        row_unref(chain->rows[--chain->count]);
        return;
    }
    *c = NULL;
    chain_unref(chain);
}

void chain_unref(struct chain *c)
{
    if (--c->refs > 0)
        return;
    for (uint32_t i = 0; i < c->count; i++)
        row_unref(c->rows[i]);
    if (c->cap)
        mem_pool_free(c->rows, c->cap * sizeof(*c->rows));
    mem_pool_free(c, sizeof(*c));
}

/* ---- lists ---- */

static size_t wait_bytes(const struct wait_list *l)
{
    return l->is_keyed ? sizeof(struct wait) : offsetof(struct wait, hash_prev);
}

struct wait *wait_new(const struct wait_list *l, struct partial *p)
{
    struct wait *w = mem_pool_alloc(wait_bytes(l));
    w->partial = p;
    p->refs++;
    w->also = p->waits;
    p->waits = w;
    w->order = w->node = 0;
    if (l->is_keyed) {
        w->place = WAIT_LOOSE;
        w->is_odd = false;
    }
    return w;
}

void wait_release(const struct wait_list *l, struct wait *w)
{
    struct wait **at = &w->partial->waits;
    while (*at != w)
        at = &(*at)->also;
    *at = w->also;
    mem_pool_free(w, wait_bytes(l));
}

void wait_append(struct wait_list *l, struct wait *w)
{
    w->prev = l->last;
    w->next = NULL;
    if (l->last)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->count++;
}

void wait_unlink(struct wait_list *l, struct wait *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        l->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        l->last = w->prev;
    l->count--;
}

static bool is_before(const struct wait *a, const struct wait *b)
{
    if (a->partial->ts_ms == PARTIAL_NEW_MS)
        return false;
    return b->partial->ts_ms == PARTIAL_NEW_MS || a->partial->ts_ms < b->partial->ts_ms;
}

/* Sorts count waits linked by next; prev is not kept. */
static struct wait *merge_sort(struct wait *first, uint32_t count)
{
    if (count < 2) {
        first->next = NULL;
        return first;
    }
    struct wait *second = first;
    for (uint32_t i = 0; i < count / 2; i++)
        second = second->next;
    first = merge_sort(first, count / 2);
    second = merge_sort(second, count - count / 2);
    struct wait *sorted = NULL, **end = &sorted;
    while (first && second) {
        struct wait **least = is_before(second, first) ? &second : &first;
        *end = *least;
        end = &(*least)->next;
        *least = *end;
    }
    *end = first ? first : second;
    return sorted;
}

bool wait_list_sort(struct wait_list *l)
{
    struct wait *w = l->first;
    while (w && (!w->next || !is_before(w->next, w)))
        w = w->next;
    if (!w)
        return false;
    l->first = merge_sort(l->first, l->count);
    struct wait *prev = NULL;
    for (w = l->first; w; prev = w, w = w->next)
        w->prev = prev;
    l->last = prev;
    return true;
}

void wait_list_splice(struct wait_list *l, struct wait_list *from)
{
    if (!from->first)
        return;
    from->first->prev = l->last;
    if (l->last)
        l->last->next = from->first;
    else
        l->first = from->first;
    l->last = from->last;
    l->count += from->count;
    from->first = from->last = NULL;
    from->count = 0;
}

/* ---- index ---- */

/* The slot of hash, or the free one where it belongs. */
static struct wait_slot *slot_of(const struct wait_index *ix, uint32_t hash)
{
    uint32_t mask = ix->slot_count - 1, at = hash & mask;
    while (ix->slots[at].first && ix->slots[at].hash != hash)
        at = (at + 1) & mask;
    return &ix->slots[at];
}

static void index_widen(struct wait_index *ix)
{
    struct wait_slot *slots = ix->slots;
    uint32_t count = ix->slot_count;
    ix->slot_count = count ? count * 2 : INDEX_SLOTS;
    ix->slots = mem_array(ix->slot_count, sizeof(*ix->slots));
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].first)
            *slot_of(ix, slots[i].hash) = slots[i];
    }
    mem_free(slots);
}

/* Frees the slot; those behind it that don't stand at their own place move up. */
static void slot_free(struct wait_index *ix, struct wait_slot *slot)
{
    uint32_t mask = ix->slot_count - 1, hole = (uint32_t)(slot - ix->slots), at = hole;
    for (;;) {
        at = (at + 1) & mask;
        if (!ix->slots[at].first)
            break;
        uint32_t home = ix->slots[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        ix->slots[hole] = ix->slots[at];
        hole = at;
    }
    ix->slots[hole].first = NULL;
    if (--ix->hash_count == 0 && ix->slot_count > KEEP_ITEMS)
        wait_index_fini(ix);
}

void wait_index_add(struct wait_index *ix, struct wait *w)
{
    if (ix->hash_count >= ix->slot_count / 4 * 3)
        index_widen(ix);
    struct wait_slot *slot = slot_of(ix, w->hash);
    w->place = WAIT_INDEXED;
    w->hash_next = NULL;
    ix->odd_count += w->is_odd;
    if (slot->first) {
        struct wait *last = slot->first->hash_prev;
        last->hash_next = w;
        w->hash_prev = last;
        slot->first->hash_prev = w;
        return;
    }
    *slot = (struct wait_slot){w, w->hash};
    w->hash_prev = w;
    ix->hash_count++;
}

static void stale_remove(struct wait_index *ix, struct wait *w)
{
    if (w->hash_next)
        w->hash_next->hash_prev = w->hash_prev;
    if (w->hash_prev)
        w->hash_prev->hash_next = w->hash_next;
    else
        ix->stale = w->hash_next;
}

void wait_index_remove(struct wait_index *ix, struct wait *w)
{
    enum wait_place place = w->place;
    w->place = WAIT_LOOSE;
    if (place == WAIT_LOOSE)
        return;
    if (place == WAIT_STALE) {
        stale_remove(ix, w);
        return;
    }
    ix->odd_count -= w->is_odd;
    struct wait_slot *slot = slot_of(ix, w->hash);
    struct wait *last = slot->first->hash_prev;
    if (last == slot->first) {
        slot_free(ix, slot);
        return;
    }
    if (w == slot->first)
        slot->first = w->hash_next;
    else
        w->hash_prev->hash_next = w->hash_next;
    if (w->hash_next) {
        w->hash_next->hash_prev = w->hash_prev;
    } else {
        KNOWN(slot->first); /* it was not alone */
        slot->first->hash_prev = w->hash_prev;
    }
}

void wait_index_stale(struct wait_index *ix, struct wait *w)
{
    wait_index_remove(ix, w);
    w->place = WAIT_STALE;
    w->hash_prev = NULL;
    w->hash_next = ix->stale;
    if (ix->stale)
        ix->stale->hash_prev = w;
    ix->stale = w;
}

void wait_index_fini(struct wait_index *ix)
{
    mem_free(ix->slots);
    ix->slots = NULL;
    ix->slot_count = ix->hash_count = 0;
}

/* ---- heap ---- */

void wait_heap_add(struct wait_heap *h, struct wait *w, int64_t start_ms)
{
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : HEAP_ITEMS;
        h->items = mem_resize(h->items, h->cap, sizeof(*h->items));
    }
    uint32_t at = h->count++;
    while (at > 0 && start_ms < h->items[(at - 1) / 2].start_ms) {
        h->items[at] = h->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->items[at] = (struct wait_heap_item){start_ms, h->order++, w};
}

struct wait_heap_item wait_heap_pop(struct wait_heap *h)
{
    struct wait_heap_item top = h->items[0], last = h->items[--h->count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < h->count; child = at * 2 + 1) {
        if (child + 1 < h->count && h->items[child + 1].start_ms < h->items[child].start_ms)
            child++;
        if (last.start_ms <= h->items[child].start_ms)
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    if (h->count)
        h->items[at] = last;
    return top;
}

void wait_heap_clear(struct wait_heap *h)
{
    h->count = 0;
    if (h->cap > KEEP_ITEMS)
        wait_heap_fini(h);
}

void wait_heap_fini(struct wait_heap *h)
{
    mem_free(h->items);
    h->items = NULL;
    h->count = h->cap = 0;
}
