/* bag.c - open addressing over an array of entries; holes go when the array is full. */
#include "engine/expr/bag.h"

struct bag_entry *bag_find(const struct bag *b, struct value key)
{
    if (!b->live)
        return NULL;
    uint32_t hash = value_hash(key), mask = b->slot_count - 1;
    for (uint32_t i = hash & mask; b->slots[i]; i = (i + 1) & mask) {
        struct bag_entry *e = &b->entries[b->slots[i] - 1];
        if (e->used && e->hash == hash && value_same(e->key, key))
            return e;
    }
    return NULL;
}

static void place(struct bag *b, uint32_t entry)
{
    uint32_t mask = b->slot_count - 1, i = b->entries[entry].hash & mask;
    while (b->slots[i])
        i = (i + 1) & mask;
    b->slots[i] = entry + 1;
}

/* Closes the holes, and doubles when more than half is live. */
static void rebuild(struct bag *b)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < b->top; i++)
        if (b->entries[i].used)
            b->entries[top++] = b->entries[i];
    b->top = top;
    if (top * 2 >= b->cap) {
        b->cap = b->cap ? b->cap * 2 : 8;
        b->entries = mem_resize(b->entries, b->cap, sizeof(*b->entries));
    }
    mem_free(b->slots);
    b->slot_count = b->cap * 2;
    b->slots = mem_array(b->slot_count, sizeof(*b->slots));
    for (uint32_t i = 0; i < top; i++)
        place(b, i);
}

struct bag_entry *bag_take(struct bag *b, struct value key)
{
    struct bag_entry *e = bag_find(b, key);
    if (e)
        return e;
    if (b->top == b->cap)
        rebuild(b);
    e = &b->entries[b->top];
    *e = (struct bag_entry){value_keep(key), 0, value_hash(key), true};
    place(b, b->top++);
    b->live++;
    return e;
}

void bag_remove(struct bag *b, struct bag_entry *e)
{
    value_drop(e->key);
    e->used = false;
    if (--b->live == 0) { /* nothing in it: forget the holes */
        b->top = 0;
        memset(b->slots, 0, b->slot_count * sizeof(*b->slots));
    }
}

struct bag_entry *bag_next(const struct bag *b, uint32_t *at)
{
    while (*at < b->top) {
        struct bag_entry *e = &b->entries[(*at)++];
        if (e->used)
            return e;
    }
    return NULL;
}

void bag_fini(struct bag *b)
{
    struct bag_entry *e;
    for (uint32_t at = 0; (e = bag_next(b, &at));)
        value_drop(e->key);
    mem_free(b->entries);
    mem_free(b->slots);
}

void bag_save(const struct bag *b, struct writer *w)
{
    const struct bag_entry *e;
    write_count(w, b->live);
    for (uint32_t at = 0; (e = bag_next(b, &at));) {
        write_value(w, e->key);
        write_i64(w, e->count);
    }
}

int bag_load(struct bag *b, struct reader *r)
{
    size_t n = read_count(r, UINT32_MAX / 4);
    for (size_t i = 0; i < n && !r->failed; i++) {
        struct value key = read_value(r);
        if (!r->failed)
            bag_take(b, key)->count = read_i64(r);
        value_drop(key);
    }
    return r->failed ? ERR_STATE : 0;
}
