/* table_place.h - where the rows of a table with a primary key or indexes stand (spec 08 section 3). Private
 * to table_place.c (where rows stand), table_key.c (the buckets of a primary key), table_item.c (what stands
 * there), table_search.c (how conditions and statements move them) and table_state.c (saved).
 *
 * An item is a row that was inserted; updating it puts another row into it. The primary key holds items by
 * the key they came with. An index holds, for each value, a set of items by the hash they came with. What an
 * item's row says now and where it stands can disagree: the language updates some rows in place without
 * moving them, lets a row that was dropped for its key into the indexes, and takes what it deletes out of a
 * set only where the hash leads. All of that shows in results, so it is kept.
 *
 * Law: an item stands at most once under the primary key and once in each index; so its places are part of
 * it. Whoever changes an item or its places says so: item_changed. */
#ifndef WEIR_RUN_TABLE_PLACE_H
#define WEIR_RUN_TABLE_PLACE_H

#include "engine/run/btree.h"
#include "engine/run/key_index.h"
#include "engine/run/records.h"
#include "engine/run/table.h"

struct item {
    struct row *row;
    uint64_t moment; /* of insertion: rises */
    /* places it stands in, who holds it, the link that leads to it */
    uint32_t refs : 30, is_marked : 1 /* by a walk under way */, is_keyed : 1 /* under the primary key */;
    struct record record;
    struct item *next; /* a link (see items_chain); its reference, or NULL */
    uint64_t key;      /* of a number: what it is ordered by; else the hash */
};
/* Behind an item whose table has a primary key that is no single number: its place in a bucket. */
struct hashed_item {
    struct item item;
    struct hashed_item *behind; /* in the bucket */
    struct row *keyed;          /* whose columns are the key; NULL: the item's row. Counted */
};
/* Behind those, one for each index: its place in a set. Those with the same value and hash are chained, the
 * last that came first. */
struct place {
    struct place *next;
    uint64_t hash;
    union cell value; /* the set's, counted */
    uint32_t order;   /* in the chain: falls */
    uint8_t type;     /* TYPE_NULL: it stands nowhere */
};
struct keyed {
    struct table table;
    struct hashed_item **buckets;
    uint32_t bucket_count;
    uint32_t places_at;     /* in an item */
    uint64_t moment, count; /* count: items under a primary key */
    bool
        has_updated; /* a row was put where another was: two in an index may be equal, and are found as one */
    bool has_links;  /* an item may have a link */
    struct btree ordered;     /* the primary key when it is one number */
    struct btree *indexes;    /* (value, hash) -> struct place */
    struct key_index by_text; /* where the primary key is one text */
    struct records *records;
    struct buf words; /* a composite key, while it is looked at */
};
static inline size_t item_bytes(const struct keyed *k)
{
    return k->places_at + (size_t)k->table.plan->index_count * sizeof(struct place);
}
static inline struct place *item_place(const struct keyed *k, struct item *e, int index)
{
    return (struct place *)(void *)((char *)e + k->places_at) + index;
}
static inline struct item *place_item(const struct keyed *k, const struct place *p, int index)
{
    return (struct item *)(void *)((char *)(uintptr_t)(p - index) - k->places_at);
}
static inline struct value place_value(const struct place *p)
{
    return (struct value){p->value, (enum type)p->type};
}
static inline struct item *record_item(const struct record *r)
{
    return (struct item *)(void *)((char *)(uintptr_t)r - offsetof(struct item, record));
}
static inline void item_changed(struct keyed *k, struct item *e)
{
    records_change(k->records, &e->record);
}

struct items {
    struct item **at;
    uint32_t count, cap;
    struct arena *scratch;
};
void items_grow(struct items *i);
static inline void items_add(struct items *i, struct item *item)
{
    if (UNLIKELY(i->count == i->cap))
        items_grow(i);
    i->at[i->count++] = item;
}
void item_unref(struct keyed *k, struct item *item);
/* An update links the items it found, one to the next, and undoes the links as it works; one that is refused
 * leaves them, and later updates that find such an item take along all that its links lead to, deleted ones
 * too. Makes found what an update works on. */
void items_chain(struct keyed *k, struct items *found);
/* from, which has no link, leads to to, which leads nowhere near it. */
void item_link(struct keyed *k, struct item *from, struct item *to);
/* Links found from `from` on: they were not worked on. */
void items_link(struct keyed *k, const struct items *found, uint32_t from);
void item_unlink(struct keyed *k, struct item *item);

static inline const struct table_plan *place_plan(const struct keyed *k)
{
    return k->table.plan;
}
/* All rows, as the language orders them; without a primary key by insertion. ERR_EVENT or what visit gave
 * when it was not 0. visit changes nothing. */
int place_scan(struct keyed *k, int (*visit)(void *user, struct item *item), void *user);
/* Rows under index OP v (not '!='), an index by insertion, the primary key ascending. ERR_EVENT: v is null or
 * of another type than the keys. */
int place_find(struct keyed *k, int index, enum ast_expr_kind op, struct value v, struct items *out);
/* The item under a primary key that is no single number, or NULL. */
struct item *place_get(const struct keyed *k, const struct value *key);
/* As place_get for a key of one column. */
struct item *place_get_one(const struct keyed *k, struct value key);
/* The row under a key of one column, which is text; NULL: none. */
static inline __attribute__((always_inline)) struct row *place_row_text(const struct keyed *k,
                                                                        struct text *want)
{
    struct row *row;
    if (LIKELY(k->by_text.sets != NULL)) {
        switch (key_index_find(&k->by_text, want, &row)) {
        case KEY_FOUND:
            return row;
        case KEY_NONE:
            return NULL;
        case KEY_UNKNOWN:
            break;
        }
    }
    const struct item *item = place_get_one(k, value_text(want));
    return item ? item->row : NULL;
}
/* The row under a key that is one number; NULL: none, or it can't be looked for and the event has failed. */
struct row *place_row_number(const struct keyed *k, struct value key);
/* 'in' by index, with the language's own idea of '>=', '<=' (a key on the other side) and '!=' (more keys
 * than one). */
int place_contains(struct keyed *k, int index, enum ast_expr_kind op, struct value v, bool *found);
/* An item's row is replaced where it stands: what it stands under stays as it was. Takes row's reference. */
void place_set_row(struct keyed *k, struct item *item, struct row *row);
/* Puts an item under its key and into the indexes; one whose key is taken goes into the indexes alone. */
int place_add(struct keyed *k, struct item *item);
/* A new item of row, refs 1; row is refed. */
struct item *item_new(struct keyed *k, struct row *row);
int place_overwrite(struct keyed *k, struct row *row);
int place_delete(struct keyed *k, int index, enum ast_expr_kind op, struct value v);
void place_delete_key(struct keyed *k, const struct value *key);
int place_delete_items(struct keyed *k, const struct items *items);
void place_delete_all(struct keyed *k);
/* A single number as primary key: k->ordered holds it. */
static inline bool place_is_ordered(const struct keyed *k)
{
    return place_plan(k)->primary.is_ordered;
}
static inline bool place_has_key(const struct keyed *k)
{
    return place_plan(k)->primary.count > 0;
}

/* ---- table_key.c: a primary key that is no single number ---- */

enum { PLACE_BUCKETS_MOST = 1 << 27 };
void primary_values(const struct keyed *k, const struct row *row, struct value *key);
/* What stands under key, or NULL. */
struct hashed_item *hashed_find(const struct keyed *k, const struct value *key);
bool hashed_is(const struct keyed *k, const struct row *row, const struct value *key);
/* Under the key of its keyed row; neither counts references. */
void hashed_add(struct keyed *k, struct item *e);
void hashed_drop(struct keyed *k, struct item *e);
/* b, which stands nowhere, is put where a stands, under the same key. */
void hashed_replace(struct keyed *k, struct item *a, struct item *b);
/* An item in a bucket gets another row, and stays where it is. Takes row's reference. */
void hashed_set_row(struct keyed *k, struct item *e, struct row *row);
void buckets_widen(struct keyed *k, uint32_t wider);

/* ---- table_item.c, table_state.c ---- */

/* 64 bits that sort as Java compares the numbers; of text and bool the hash. */
uint64_t place_index_key(struct value v);
/* Of its time and values: what sets are ordered by. Saved: it may not change. */
uint64_t place_row_hash(const struct row *row);
int items_by_address(const void *a, const void *b);
/* All there are, once each, in no order: what stands somewhere, and what links lead to. */
void items_all(struct keyed *k, struct items *all);
/* Frees one that nothing leads to and that is not followed. */
void item_free(struct keyed *k, struct item *item);
/* Chains p into the set where its value, hash and order say; false: what is there can't stand in one chain
 * with it. */
bool place_link(struct keyed *k, int index, struct place *p);
void place_save(struct table *t, struct writer *w);
int place_load(struct table *t, struct reader *r); /* ERR_STATE; of an open, empty table */

/* What a join asks for most: the row whose key, one column, equals a column of an event. */
struct table_probe {
    const struct keyed *table;
    uint32_t type_at, cell_at; /* in the event's row */
};
/* False: the lookup asks for something else. */
bool table_probe_open(struct table_probe *p, const struct lookup *l, const struct app *app, uint16_t slot);
/* Borrowed; NULL: there is none. */
static inline __attribute__((always_inline)) struct row *table_probe_row(const struct table_probe *p,
                                                                         const struct row *event)
{
    const char *from = (const char *)event;
    const union cell *cell = (const union cell *)(const void *)(from + p->cell_at);
    const enum type type = (enum type)(uint8_t)from[p->type_at];
    if (LIKELY(type == TYPE_STRING))
        return place_row_text(p->table, cell->s);
    const struct item *item = place_get_one(p->table, (struct value){*cell, type});
    return item ? item->row : NULL;
}

/* table_search.c: of struct table_type. */
int search_find(struct table *t, const struct table_query *q, struct frame *f, struct table_rows *out);
int search_contains(struct table *t, const struct table_query *q, struct frame *f, bool *found);
int search_remove(struct table *t, const struct table_query *q, struct frame *f);
int search_update(struct table *t, const struct table_statement *s, struct frame *f, bool *found);
/* Of asking for what a search knows: 1 a lookup, 2 a range, 3 all rows. */
int search_cost(const struct table_search *t);
bool place_has_primary(const struct keyed *k, struct value v); /* a single-column key */

#endif
