/* test_pattern.c - the lists of partial matches: the index against a scan, the heap against a minimum, the
 * sort; and what bounds do to a running pattern is seen in its counters. */
#include "engine/run/partial.h"
#include "tests/unit/check.h"
#include <stdlib.h>

enum { WAITS = 400, HASHES = 40, ROUNDS = 20000 };

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Hashes that collide in their low bits, so that slots push each other along. */
static uint32_t crowded(uint32_t number)
{
    return (number % 8) | (number / 8) << 16;
}

/* The waits of a hash, in list order, are those the index gives. */
static bool agrees(const struct wait_index *ix, const struct wait_list *l, uint32_t hash)
{
    struct wait *found = wait_index_find(ix, hash);
    for (struct wait *w = l->first; w; w = w->next) {
        if (w->place != WAIT_INDEXED || w->hash != hash)
            continue;
        if (found != w)
            return false;
        found = found->hash_next;
    }
    return found == NULL;
}

static void release(struct wait_list *l, struct wait *w)
{
    struct partial *p = w->partial;
    wait_unlink(l, w);
    wait_release(l, w);
    if (--p->refs == 0)
        partial_free(p, NULL, 0);
}

static void test_index(void)
{
    struct wait_list l = {.is_keyed = true};
    struct wait_index ix = {0};
    struct wait *waits[WAITS] = {0};
    bool right = true;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t at = draw(WAITS);
        struct wait *w = waits[at];
        if (!w) {
            struct partial *p = partial_new(0);
            w = waits[at] = wait_new(&l, p);
            p->refs--;
            w->hash = crowded(draw(HASHES));
            w->is_odd = draw(10) == 0;
            wait_append(&l, w);
            wait_index_add(&ix, w);
        } else if (w->place == WAIT_INDEXED && draw(4) == 0) {
            wait_index_stale(&ix, w);
        } else {
            wait_index_remove(&ix, w);
            release(&l, w);
            waits[at] = NULL;
        }
        for (uint32_t h = 0; h < HASHES && round % 16 == 0; h++)
            right = right && agrees(&ix, &l, crowded(h));
    }
    CHECK(right);
    uint32_t odd = 0, stale = 0, stale_listed = 0;
    for (struct wait *w = l.first; w; w = w->next) {
        odd += w->place == WAIT_INDEXED && w->is_odd;
        stale += w->place == WAIT_STALE;
    }
    for (struct wait *w = ix.stale; w; w = w->hash_next)
        stale_listed++;
    CHECK(ix.odd_count == odd);
    CHECK(stale == stale_listed);
    while (l.first) {
        wait_index_remove(&ix, l.first);
        release(&l, l.first);
    }
    CHECK(ix.hash_count == 0 && ix.odd_count == 0 && !ix.stale);
    wait_index_fini(&ix);
}

static void test_heap(void)
{
    struct wait_heap h = {0};
    int64_t least = INT64_MIN;
    bool right = true;
    for (int i = 0; i < 1000; i++)
        wait_heap_add(&h, NULL, draw(300));
    while (h.count) {
        struct wait_heap_item item = wait_heap_pop(&h);
        right = right && item.start_ms >= least;
        least = item.start_ms;
    }
    CHECK(right);
    wait_heap_fini(&h);
}

/* Sorted by time, equal ones in their order, those without an event last. */
static void test_sort(void)
{
    struct wait_list l = {0};
    for (int i = 0; i < 200; i++) {
        struct partial *p = partial_new(0);
        p->ts_ms = draw(10) == 0 ? PARTIAL_NEW_MS : (int64_t)draw(20);
        p->out_at = (uint32_t)i & 0xFFFF;
        struct wait *w = wait_new(&l, p);
        p->refs--;
        wait_append(&l, w);
    }
    wait_list_sort(&l);
    bool right = l.count == 200;
    int back = 0;
    for (struct wait *w = l.first; w && w->next; w = w->next) {
        const struct partial *a = w->partial, *b = w->next->partial;
        if (a->ts_ms == b->ts_ms)
            right = right && a->out_at < b->out_at;
        else
            right = right && b->ts_ms != PARTIAL_NEW_MS ? a->ts_ms != PARTIAL_NEW_MS && a->ts_ms < b->ts_ms
                                                        : right;
    }
    for (struct wait *w = l.last; w; w = w->prev)
        back++;
    CHECK(right);
    CHECK(back == 200);
    while (l.first)
        release(&l, l.first);
}

/* A chain is shared by copies; the last event leaves only the partial that lets it go. */
static void test_chain(void)
{
    const bool is_chain[1] = {true};
    struct partial *p = partial_new(1);
    struct row *first = row_new(0, 1), *second = row_new(0, 2);
    p->slots[0].chain = chain_new();
    chain_add(p->slots[0].chain, first);
    struct partial *copy = partial_copy(p, is_chain, 1, 1);
    chain_add(p->slots[0].chain, second);
    CHECK(copy->slots[0].chain->count == 2);
    chain_drop_last(&p->slots[0].chain);
    CHECK(copy->slots[0].chain->count == 1);
    chain_drop_last(&p->slots[0].chain);
    CHECK(!p->slots[0].chain && copy->slots[0].chain->count == 1);
    partial_free(p, is_chain, 1);
    partial_free(copy, is_chain, 1);
    row_unref(first);
    row_unref(second);
}

int main(void)
{
    test_index();
    test_heap();
    test_sort();
    test_chain();
    return check_end();
}
