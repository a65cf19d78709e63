/* partial.h - partial matches of a pattern, and the lists they wait in. Knows nothing of how a pattern moves:
 * pattern.h.
 *
 * A partial match (struct partial) holds the events it has for each element. It is counted: by every place it
 * waits in (struct wait) and by whoever is working on it; it ends with the last of them. One partial may wait
 * at two nodes (a counted element and the next; both sides of 'and'), and its copies share what they have in
 * common: rows, and the chains of counted elements, which grow and shrink for all of them.
 *
 * A wait_list is a list in order of arrival. Two helpers stand beside it, each found by what it is for:
 *
 *   wait_index  waits of one list by the hash of a key, so that 'k == a.k' need not try them all: open
 *               addressing, one slot for each hash, from which its waits hang in list order. The hash may lie
 *               (two keys, one hash); the condition itself decides.
 *   wait_heap   waits of one list by the time of their first event, so that 'within' finds the expired ones.
 *
 * All in pool memory. On the app's worker only. */
#ifndef WEIR_RUN_PARTIAL_H
#define WEIR_RUN_PARTIAL_H

#include "engine/data/row.h"

/* The events of a counted element; never empty while a slot holds it. */
struct chain {
    uint32_t refs, count, cap;
    struct row **rows; /* each ref'd */
};

/* What an element has: nodes know which of the two it is. */
union slot {
    struct row *row; /* ref'd, or NULL */
    struct chain *chain;
};

#define PARTIAL_NEW_MS (-1) /* ts_ms of a partial that has no event yet */

struct partial {
    uint32_t refs;
    uint32_t is_dead : 1; /* expired once ('within'); what it completes is an expired event */
    uint32_t out_at : 31; /* place of its newest output row, while a push collects them (pattern_emit.c) */
    int64_t ts_ms;
    uint32_t place;     /* 1 + where it stands in checkpoints (pattern_places.c); 0: nowhere by itself */
    struct wait *waits; /* its own, the newest first */
    struct partial
        *next; /* ref'd, or NULL: the one behind it in the last chunk it was part of (pattern_emit.c) */
    union slot slots[]; /* by number of node */
};

/* Complete ones on their way out, linked by their next. Both ends are ref'd: links may be cut while a chunk
 * is made. */
struct partial_chunk {
    struct partial *first, *last;
};

#define WAIT_ORDER_MOST (UINT64_C(1) << 48)
enum wait_place { WAIT_LOOSE, WAIT_INDEXED, WAIT_STALE };

struct wait {
    struct wait *prev, *next; /* in its list */
    struct partial *partial;
    struct wait *also;   /* the next wait of its partial */
    uint64_t order : 48; /* of coming, over all lists of a pattern; rising along each */
    uint64_t node : 16;  /* number of the node where it waits */
    /* Only at nodes with a key: */
    struct wait *hash_prev,
        *hash_next; /* those of its hash (the first one's prev is the last), or among the stale */
    uint32_t hash;
    uint8_t place; /* enum wait_place */
    bool is_odd;   /* its key is of another type than declared: the index can't answer */
};
struct wait_list {
    struct wait *first, *last;
    uint32_t count;
    bool is_keyed; /* its waits have the fields for an index */
};

struct wait_slot {
    struct wait *first; /* NULL: free */
    uint32_t hash;
};
struct wait_index {
    struct wait_slot *slots; /* a power of two, at most three quarters are taken */
    uint32_t slot_count, hash_count;
    uint32_t odd_count; /* waits whose key has another type than declared */
    struct wait *stale; /* waits whose next element is filled already: gone at the node's next event */
};

struct wait_heap {
    struct wait_heap_item {
        int64_t start_ms;
        uint64_t order; /* place in the list */
        struct wait *wait;
    } * items;
    uint32_t count, cap;
    uint64_t order;
};

/* ---- partial.c ---- */
struct partial *partial_new(uint16_t slot_count); /* no event; refs 1, the caller's */
/* Same events in the slots below number to, none above; refs 1. is_chain: by slot. */
struct partial *partial_copy(const struct partial *p, const bool *is_chain, uint16_t to, uint16_t slot_count);
void partial_free(struct partial *p, const bool *is_chain, uint16_t slot_count);
struct chain *chain_new(void); /* refs 1, empty: for the caller to fill */
void chain_add(struct chain *c, struct row *row);
/* Takes the newest event from the slot; other partials of a chain of one keep it. */
void chain_drop_last(struct chain **c);
void chain_unref(struct chain *c);

void wait_append(struct wait_list *l, struct wait *w);
/* A wait of p, ref'd, not in a list yet; order and node are the caller's to set. */
struct wait *wait_new(const struct wait_list *l, struct partial *p);
/* Out of the list; w and its reference stay the caller's. */
void wait_unlink(struct wait_list *l, struct wait *w);
/* Memory only: the reference to its partial is the caller's business. */
void wait_release(const struct wait_list *l, struct wait *w);
/* By ts_ms, stable; partials without an event come last. False: it was in order. */
bool wait_list_sort(struct wait_list *l);
/* All of from behind l; from is empty then. */
void wait_list_splice(struct wait_list *l, struct wait_list *from);

void wait_index_add(struct wait_index *ix, struct wait *w);   /* by w->hash; w->is_odd is set */
void wait_index_stale(struct wait_index *ix, struct wait *w); /* from the index, or loose, to the stale */
void wait_index_remove(struct wait_index *ix, struct wait *w);
void wait_index_fini(struct wait_index *ix);
/* The first wait whose key has this hash; the others: its hash_next. */
static inline struct wait *wait_index_find(const struct wait_index *ix, uint32_t hash)
{
    if (ix->hash_count == 0)
        return NULL;
    uint32_t mask = ix->slot_count - 1, at = hash & mask;
    while (ix->slots[at].first && ix->slots[at].hash != hash)
        at = (at + 1) & mask;
    return ix->slots[at].first;
}

/* The slot of hash will be looked at soon. */
static inline void wait_index_prefetch(const struct wait_index *ix, uint32_t hash)
{
    if (ix->slot_count)
        __builtin_prefetch(&ix->slots[hash & (ix->slot_count - 1)], 1);
}

void wait_heap_add(struct wait_heap *h, struct wait *w, int64_t start_ms);
struct wait_heap_item wait_heap_pop(struct wait_heap *h);
void wait_heap_clear(struct wait_heap *h);
void wait_heap_fini(struct wait_heap *h);

#endif
