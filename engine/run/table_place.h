/* table_place.h - where the rows of a table with a primary key or indexes stand (spec 08 section 3). Private
 * to table_place.c (where rows stand), table_item.c (what stands there) and table_search.c (how conditions
 * and statements move them).
 *
 * An item is a row that was inserted; updating it puts another row into it. The primary key holds items by
 * the key they came with. An index holds, for each value, a set of items by the hash they came with. What an
 * item's row says now and where it stands can disagree: the language updates some rows in place without
 * moving them, lets a row that was dropped for its key into the indexes, and takes what it deletes out of a
 * set only where the hash leads. All of that shows in results, so it is kept. */
#ifndef WEIR_RUN_TABLE_PLACE_H
#define WEIR_RUN_TABLE_PLACE_H

#include "engine/run/btree.h"
#include "engine/run/table.h"

struct item {
    struct row *row;
    uint64_t moment;   /* of insertion: rises */
    uint32_t refs;     /* places it stands in, who holds it, the link that leads to it */
    bool is_marked;    /* by a walk under way */
    struct item *next; /* a link (see items_chain); its reference, or NULL */
};
/* An item under its primary key in a bucket. It may stand under two keys: the language adds what it could not
 * take out. */
struct bucket_slot {
    struct bucket_slot *next;
    struct item *item;
    struct row *keyed; /* the row whose columns are the key: the item's, or what it was when it came */
    struct text *text; /* of keyed, when the key is one column and text; else NULL */
    uint32_t hash;
};
/* An item in a set of an index. Those with the same value and hash are chained. */
struct place {
    struct place *next;
    struct item *item;
    struct value value; /* the set's */
};
struct keyed {
    struct table table;
    uint64_t moment, count; /* count: items under a primary key */
    bool
        has_updated; /* a row was put where another was: two in an index may be equal, and are found as one */
    bool has_links;  /* an item may have a link */
    struct bucket_slot **buckets;
    uint32_t bucket_count;
    struct btree ordered;  /* the primary key when it is one number */
    struct btree *indexes; /* (value, hash) -> struct place */
};
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
void item_unref(struct item *item);
/* An update links the items it found, one to the next, and undoes the links as it works; one that is refused
 * leaves them, and later updates that find such an item take along all that its links lead to, deleted ones
 * too. Makes found what an update works on. */
void items_chain(struct keyed *k, struct items *found);
/* Links found from `from` on: they were not worked on. */
void items_link(struct keyed *k, const struct items *found, uint32_t from);
void item_unlink(struct item *item);

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

/* ---- for table_state.c ---- */

enum { PLACE_BUCKETS_MOST = 1 << 27 };
/* 64 bits that sort as Java compares the numbers; of text and bool the hash. */
uint64_t place_index_key(struct value v);
void place_buckets_widen(struct keyed *k, uint32_t wider);
/* Takes the item's and keyed's references. */
void place_bucket_add(struct keyed *k, struct item *e, struct row *keyed);
void place_free(struct place *p);
int items_by_address(const void *a, const void *b);
/* table_item.c. Sorted by address: the number of one that is in; those that stand nowhere, but links lead to
 * them, come in (all stays sorted); links as numbers. */
uint32_t items_number(const struct items *all, const struct item *e);
void items_linked(const struct keyed *k, struct items *all);
void items_save_links(const struct items *all, struct writer *w);
void items_load_links(struct keyed *k, const struct items *all, struct reader *r);
void place_save(struct table *t, struct writer *w);
int place_load(struct table *t, struct reader *r); /* ERR_STATE; of an open, empty table */

/* table_search.c: of struct table_type. */
int search_find(struct table *t, const struct table_query *q, struct frame *f, struct table_rows *out);
int search_contains(struct table *t, const struct table_query *q, struct frame *f, bool *found);
int search_remove(struct table *t, const struct table_query *q, struct frame *f);
int search_update(struct table *t, const struct table_statement *s, struct frame *f, bool *found);
/* Of asking for what a search knows: 1 a lookup, 2 a range, 3 all rows. */
int search_cost(const struct table_search *t);
bool place_has_primary(const struct keyed *k, struct value v); /* a single-column key */

#endif
