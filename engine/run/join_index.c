/* join_index.c - rows of a queue by key (join.h). A bucket a key, its entries in insertion order: rows leave
 * a window mostly from the front, so removal looks at the first entry first. Keys compare as '==' does within
 * one type; int and long are one. */
#include "engine/run/join.h"
#include "engine/window/queue_index.h"

struct bucket {
    struct bucket *next; /* same slot */
    struct value key;
    uint32_t hash;
    struct join_entry *first, *last;
};
struct join_index {
    struct queue_index link;
    struct queue *queue;
    const struct expr *key;
    uint16_t slot;
    struct expr_env *env;
    struct bucket **slots;
    uint32_t slot_count, bucket_count;
};

static struct value normal(struct value v)
{
    if (v.type == TYPE_INT)
        v.type = TYPE_LONG;
    if (v.type == TYPE_DOUBLE && v.as.d == 0)
        v.as.d = 0;
    if (v.type == TYPE_FLOAT && v.as.f == 0)
        v = value_float(0);
    return v;
}

static uint32_t key_hash(struct value v)
{
    uint32_t h = v.type == TYPE_STRING ? text_hash(v.as.s) : value_hash(v);
    h *= 0x9E3779B1u;
    return h ^ (h >> 15);
}

static bool key_same(struct value a, struct value b)
{
    return a.type == b.type && (a.type == TYPE_STRING ? text_equal(a.as.s, b.as.s) : value_same(a, b));
}

static struct value key_of(const struct join_index *ix, struct row *row)
{
    struct row *rows[2] = {row, row};
    struct frame f = {.env = ix->env, .rows = rows, .at_ms = row->at_ms};
    struct value v = normal(expr_eval(ix->key, &f));
    ix->env->failed = false; /* a key that can't be made matches nothing; 'on' tells when it is asked */
    return v;
}

static struct bucket *bucket_find(const struct join_index *ix, struct value v, uint32_t hash)
{
    if (ix->slot_count == 0)
        return NULL;
    for (struct bucket *b = ix->slots[hash & (ix->slot_count - 1)]; b; b = b->next) {
        if (b->hash == hash && key_same(b->key, v))
            return b;
    }
    return NULL;
}

static void widen(struct join_index *ix)
{
    uint32_t wider = ix->slot_count ? ix->slot_count * 2 : 16;
    struct bucket **slots = mem_array(wider, sizeof(*slots));
    for (uint32_t i = 0; i < ix->slot_count; i++) {
        for (struct bucket *b = ix->slots[i], *next; b; b = next) {
            next = b->next;
            b->next = slots[b->hash & (wider - 1)];
            slots[b->hash & (wider - 1)] = b;
        }
    }
    mem_free(ix->slots);
    ix->slots = slots;
    ix->slot_count = wider;
}

static void added(struct queue_index *link, struct row *row)
{
    struct join_index *ix = (struct join_index *)link;
    struct value v = key_of(ix, row);
    if (is_null(v))
        return; /* null equals nothing */
    uint32_t hash = key_hash(v);
    struct bucket *b = bucket_find(ix, v, hash);
    if (!b) {
        if (ix->bucket_count >= ix->slot_count)
            widen(ix);
        b = mem_pool_alloc(sizeof(*b));
        *b = (struct bucket){
            .key = value_keep(v), .hash = hash, .next = ix->slots[hash & (ix->slot_count - 1)]};
        ix->slots[hash & (ix->slot_count - 1)] = b;
        ix->bucket_count++;
    }
    struct join_entry *e = mem_pool_alloc(sizeof(*e));
    *e = (struct join_entry){.row = row};
    if (b->last)
        b->last->next = e;
    else
        b->first = e;
    b->last = e;
}

static void bucket_free(struct join_index *ix, struct bucket *b)
{
    struct bucket **at = &ix->slots[b->hash & (ix->slot_count - 1)];
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    value_drop(b->key);
    mem_pool_free(b, sizeof(*b));
    ix->bucket_count--;
}

static void removed(struct queue_index *link, struct row *row)
{
    struct join_index *ix = (struct join_index *)link;
    struct value v = key_of(ix, row);
    if (is_null(v))
        return;
    struct bucket *b = bucket_find(ix, v, key_hash(v));
    if (!b)
        return;
    struct join_entry *before = NULL, *e = b->first;
    while (e && e->row != row) {
        before = e;
        e = e->next;
    }
    if (!e)
        return;
    if (before)
        before->next = e->next;
    else
        b->first = e->next;
    if (b->last == e)
        b->last = before;
    mem_pool_free(e, sizeof(*e));
    if (!b->first)
        bucket_free(ix, b);
}

struct join_index *join_index_new(struct queue *q, const struct expr *key, uint16_t slot,
                                  struct expr_env *env)
{
    struct join_index *ix = mem_alloc(sizeof(*ix));
    ix->link.added = added;
    ix->link.removed = removed;
    ix->queue = q;
    ix->key = key;
    ix->slot = slot;
    ix->env = env;
    queue_index_attach(q, &ix->link);
    return ix;
}

void join_index_free(struct join_index *ix)
{
    if (!ix)
        return;
    queue_index_detach(ix->queue, &ix->link);
    for (uint32_t i = 0; i < ix->slot_count; i++) {
        while (ix->slots[i]) {
            struct bucket *b = ix->slots[i];
            for (struct join_entry *e = b->first, *next; e; e = next) {
                next = e->next;
                mem_pool_free(e, sizeof(*e));
            }
            bucket_free(ix, b);
        }
    }
    mem_free(ix->slots);
    mem_free(ix);
}

const struct join_entry *join_index_find(const struct join_index *ix, struct value v)
{
    v = normal(v);
    if (is_null(v))
        return NULL;
    const struct bucket *b = bucket_find(ix, v, key_hash(v));
    return b ? b->first : NULL;
}
