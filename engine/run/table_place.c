/* table_place.c - see table_place.h.
 *
 * The primary key: one number: a btree; anything else: buckets (table_key.c).
 *
 * Laws: (1) an ordered key or an index takes no null and no value of another type: the event fails, and what
 * was done for it before stays; (2) a set holds no two items that were equal in timestamp and values when the
 * second came; (3) an item lives while it stands somewhere. */
#include "engine/run/table_place.h"
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include <math.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 16 };

/* ---- keys ---- */

/* 64 bits that sort as Java compares the numbers: NaN above all, -0.0 below 0.0. Of text and bool the hash.
 */
uint64_t place_index_key(struct value v)
{
    uint64_t bits;
    double d;
    switch (v.type) {
    case TYPE_NULL:
        return 0;
    case TYPE_INT:
    case TYPE_LONG:
        return (uint64_t)v.as.l ^ UINT64_C(1) << 63;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        d = value_to_double(v);
        if (isnan(d))
            return UINT64_MAX;
        memcpy(&bits, &d, sizeof(bits));
        return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
    case TYPE_STRING:
    case TYPE_BOOL:
    case TYPE_OBJECT:
        break;
    }
    return value_hash(v);
}

uint64_t place_row_hash(const struct row *row)
{
    uint64_t h = (uint64_t)row->at_ms * UINT64_C(0x9E3779B97F4A7C15);
    for (uint32_t i = 0; i < row->count; i++)
        h = (h ^ value_hash(row_get(row, i))) * UINT64_C(0x9FB21C651E98DF25);
    return h ^ h >> 29;
}

static bool rows_same(const struct row *a, const struct row *b)
{
    if (a == b)
        return true;
    bool same = a->at_ms == b->at_ms;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = value_same(row_get(a, i), row_get(b, i));
    return same;
}

static const struct table_key *key_of(const struct keyed *k, int index)
{
    return index < 0 ? &place_plan(k)->primary : &place_plan(k)->indexes[index];
}

/* Law 1. */
static int key_check(const struct keyed *k, int index, struct value v)
{
    const struct table_key *key = key_of(k, index);
    if (v.type == key->type)
        return 0;
    expr_fail(&k->table.app->env, "table '%s': its %s takes %s, and this is %s",
              place_plan(k)->element->schema->id, key->label, type_name(key->type), type_name(v.type));
    return ERR_EVENT;
}

/* ---- the primary key ---- */

static struct item *primary_get(const struct keyed *k, const struct value *key)
{
    if (!place_is_ordered(k))
        return place_get(k, key);
    void **slot = btree_slot(&k->ordered, place_index_key(key[0]), 0);
    return slot ? *slot : NULL;
}

bool place_has_primary(const struct keyed *k, struct value v)
{
    return primary_get(k, &v) != NULL;
}

static void primary_add(struct keyed *k, struct item *e)
{
    e->refs++;
    k->count++;
    item_changed(k, e);
    if (place_is_ordered(k)) {
        e->key = place_index_key(row_get(e->row, place_plan(k)->primary.columns[0]));
        e->is_keyed = true;
        btree_add(&k->ordered, e->key, 0, e);
        return;
    }
    if (k->bucket_count == 0)
        buckets_widen(k, FIRST_BUCKETS);
    hashed_add(k, e);
    if (k->count > (uint64_t)k->bucket_count / 4 * 3 && k->bucket_count < PLACE_BUCKETS_MOST)
        buckets_widen(k, k->bucket_count * 2);
}

/* Takes out what stands under the key, with its reference; NULL: nothing. */
static struct item *primary_take(struct keyed *k, const struct value *key)
{
    struct item *e = primary_get(k, key);
    if (!e)
        return NULL;
    item_changed(k, e);
    if (place_is_ordered(k)) {
        btree_remove(&k->ordered, e->key, 0);
        e->is_keyed = false;
    } else {
        hashed_drop(k, e);
    }
    k->count--;
    return e;
}

/* ---- sets of an index ---- */

static struct value index_value(const struct keyed *k, int index, const struct row *row)
{
    return row_get(row, place_plan(k)->indexes[index].columns[0]);
}

bool place_link(struct keyed *k, int index, struct place *p)
{
    uint64_t key = place_index_key(place_value(p));
    struct place **at = (struct place **)(void *)btree_slot(&k->indexes[index], key, p->hash);
    if (!at) {
        btree_add(&k->indexes[index], key, p->hash, p);
        return true;
    }
    while (*at && (*at)->order > p->order)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    return !p->next || p->next->order < p->order;
}

static int index_add(struct keyed *k, int index, struct item *e)
{
    struct value v = index_value(k, index, e->row);
    if (key_check(k, index, v) < 0)
        return ERR_EVENT;
    uint64_t key = place_index_key(v), hash = place_row_hash(e->row);
    void **slot = btree_slot(&k->indexes[index], key, hash);
    const struct place *first = slot ? *slot : NULL;
    for (const struct place *c = first; c; c = c->next) {
        const struct item *other = place_item(k, c, index);
        if (other == e || rows_same(other->row, e->row))
            return 0;
    }
    struct place *p = item_place(k, e, index);
    ASSERT(p->type == TYPE_NULL);
    *p = (struct place){.hash = hash,
                        .value = value_keep(v).as,
                        .order = first ? first->order + 1 : 0,
                        .type = (uint8_t)v.type};
    e->refs++;
    item_changed(k, e);
    if (slot) {
        p->next = *slot;
        *slot = p;
    } else {
        btree_add(&k->indexes[index], key, hash, p);
    }
    return 0;
}

/* p is in no chain any more. */
static void place_end(struct keyed *k, struct place *p, int index)
{
    struct item *e = place_item(k, p, index);
    struct value v = place_value(p);
    item_changed(k, e);
    *p = (struct place){0};
    value_drop(v);
    item_unref(k, e);
}

/* Takes the item, or one that equals it, out of the set of v, if its hash leads there. */
static void index_remove(struct keyed *k, int index, struct value v, const struct item *e)
{
    uint64_t key = place_index_key(v), hash = place_row_hash(e->row);
    void **slot = btree_slot(&k->indexes[index], key, hash);
    if (!slot)
        return;
    struct place **at = (struct place **)(void *)slot, *found = NULL;
    for (; *at && !found; at = &(*at)->next) {
        const struct item *other = place_item(k, *at, index);
        if ((other == e || rows_same(other->row, e->row)) && value_same(place_value(*at), v)) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    if (*slot == NULL)
        btree_remove(&k->indexes[index], key, hash);
    if (found)
        place_end(k, found, index);
}

/* Is there a set of v? */
static bool index_has(const struct keyed *k, int index, struct value v)
{
    uint64_t key = place_index_key(v), found;
    struct btree_at at = btree_seek(&k->indexes[index], key, 0);
    for (const struct place *p; (p = btree_next(&at, &found)) != NULL && found == key;) {
        for (; p; p = p->next) {
            if (value_same(place_value(p), v))
                return true;
        }
    }
    return false;
}

/* As the language takes a row out of its indexes: by what it says now. */
static int indexes_remove(struct keyed *k, const struct item *e, int but)
{
    for (int i = 0; i < place_plan(k)->index_count; i++) {
        if (i == but)
            continue;
        struct value v = index_value(k, i, e->row);
        if (is_null(v))
            return key_check(k, i, v);
        index_remove(k, i, v, e);
    }
    return 0;
}

/* ---- reading ---- */

static bool range_has(enum ast_expr_kind op, uint64_t key, uint64_t want)
{
    switch ((int)op) {
    case AST_LT:
        return key < want;
    case AST_LE:
        return key <= want;
    case AST_GT:
        return key > want;
    case AST_GE:
        return key >= want;
    default:
        return key == want;
    }
}

static int by_moment(const void *a, const void *b)
{
    uint64_t x = (*(struct item *const *)a)->moment, y = (*(struct item *const *)b)->moment;
    return x < y ? -1 : x > y;
}

static void sort_items(struct items *i, uint32_t from)
{
    if (i->count - from > 1)
        qsort(i->at + from, i->count - from, sizeof(*i->at), by_moment);
}

static void find_range(struct keyed *k, int index, enum ast_expr_kind op, struct value v, struct items *out)
{
    const struct btree *tree = index < 0 ? &k->ordered : &k->indexes[index];
    bool up = op == AST_LT || op == AST_LE; /* from the first one */
    uint64_t want = place_index_key(v), key;
    struct btree_at at = btree_seek(tree, up ? 0 : want, 0);
    for (void *what; (what = btree_next(&at, &key)) != NULL;) {
        if (up ? key > want : op == AST_EQ && key != want)
            break;
        if (!range_has(op, key, want))
            continue;
        if (index < 0) {
            items_add(out, what);
            continue;
        }
        for (const struct place *p = what; p; p = p->next) {
            if (op != AST_EQ || value_same(place_value(p), v))
                items_add(out, place_item(k, p, index));
        }
    }
}

struct hashed {
    uint64_t hash;
    uint32_t at;
};

static int by_hash(const void *a, const void *b)
{
    const struct hashed *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* What an index gives is a set: of rows that are equal now, the first stays. */
static void equal_once(const struct keyed *k, struct items *items, uint32_t from)
{
    uint32_t count = items->count - from, kept = from;
    if (!k->has_updated || count < 2)
        return;
    struct hashed *order = arena_raw(items->scratch, count * sizeof(*order));
    for (uint32_t i = 0; i < count; i++)
        order[i] = (struct hashed){place_row_hash(items->at[from + i]->row), from + i};
    qsort(order, count, sizeof(*order), by_hash);
    for (uint32_t i = 1, first = 0; i < count; i++) {
        if (order[i].hash == order[first].hash &&
            rows_same(items->at[order[i].at]->row, items->at[order[first].at]->row))
            items->at[order[i].at] = NULL;
        else
            first = i;
    }
    for (uint32_t i = from; i < items->count; i++) {
        if (items->at[i])
            items->at[kept++] = items->at[i];
    }
    items->count = kept;
}

static bool is_empty(const struct keyed *k, int index)
{
    return index < 0 ? k->count == 0 : k->indexes[index].count == 0;
}

int place_find(struct keyed *k, int index, enum ast_expr_kind op, struct value v, struct items *out)
{
    if (index < 0 && !place_is_ordered(k)) {
        struct item *e = place_get_one(k, v);
        if (e)
            items_add(out, e);
        return 0;
    }
    if ((is_null(v) || !is_empty(k, index)) && key_check(k, index, v) < 0)
        return ERR_EVENT;
    uint32_t from = out->count;
    find_range(k, index, op, v, out);
    if (index >= 0) {
        sort_items(out, from);
        equal_once(k, out, from);
    }
    return 0;
}

struct row *place_row_number(const struct keyed *k, struct value key)
{
    if ((is_null(key) || k->count > 0) && UNLIKELY(key_check(k, TABLE_PRIMARY, key) < 0))
        return NULL;
    const struct item *e = primary_get(k, &key);
    return e ? e->row : NULL;
}

static bool has_several(const struct keyed *k, int index)
{
    if (index < 0)
        return k->count > 1;
    uint64_t first;
    struct btree_at at = btree_seek(&k->indexes[index], 0, 0);
    if (!btree_next(&at, &first))
        return false;
    at = btree_seek(&k->indexes[index], first, UINT64_MAX);
    for (uint64_t key; btree_next(&at, &key);) {
        if (key != first)
            return true;
    }
    return false;
}

int place_contains(struct keyed *k, int index, enum ast_expr_kind op, struct value v, bool *found)
{
    bool by_tree = index >= 0 || place_is_ordered(k);
    *found = false;
    if (op == AST_NE) {
        *found = has_several(k, index);
        return 0;
    }
    if (by_tree && (op == AST_EQ ? is_null(v) || !is_empty(k, index) : !is_empty(k, index)) &&
        key_check(k, index, v) < 0)
        return ERR_EVENT;
    if (op == AST_EQ) {
        *found = index < 0 ? primary_get(k, &v) != NULL : index_has(k, index, v);
        return 0;
    }
    const struct btree *tree = index < 0 ? &k->ordered : &k->indexes[index];
    uint64_t want = place_index_key(v), key;
    struct btree_at first = btree_seek(tree, 0, 0), at = btree_seek(tree, want, 0);
    if (op == AST_LT || op == AST_GE) {
        bool any = btree_next(&first, &key) != NULL;
        *found = any && (op == AST_LT ? key < want : key <= want);
        return 0;
    }
    while (btree_next(&at, &key)) {
        if (op == AST_GT && key == want)
            continue;
        *found = true;
        break;
    }
    return 0;
}

static int scan_index(struct keyed *k, int (*visit)(void *user, struct item *item), void *user)
{
    struct items all = {.scratch = k->table.app->env.scratch};
    struct btree_at at = btree_seek(&k->indexes[0], 0, 0);
    for (const struct place *p; (p = btree_next(&at, NULL)) != NULL;) {
        for (; p; p = p->next)
            items_add(&all, place_item(k, p, 0));
    }
    sort_items(&all, 0);
    equal_once(k, &all, 0);
    int rc = 0;
    for (uint32_t i = 0; i < all.count && rc == 0; i++)
        rc = visit(user, all.at[i]);
    return rc;
}

int place_scan(struct keyed *k, int (*visit)(void *user, struct item *item), void *user)
{
    int rc = 0;
    if (!place_has_key(k))
        return scan_index(k, visit, user);
    struct btree_at at = btree_seek(&k->ordered, 0, 0);
    for (struct item *e; rc == 0 && (e = btree_next(&at, NULL)) != NULL;)
        rc = visit(user, e);
    for (uint32_t i = 0; i < k->bucket_count && rc == 0; i++) {
        for (struct hashed_item *e = k->buckets[i]; e && rc == 0; e = e->behind)
            rc = visit(user, &e->item);
    }
    return rc;
}

/* ---- changing ---- */

int place_add(struct keyed *k, struct item *e)
{
    struct value key[LIMIT_TABLE_KEY];
    int rc = 0;
    if (place_has_key(k)) {
        primary_values(k, e->row, key);
        if (place_is_ordered(k) && key_check(k, TABLE_PRIMARY, key[0]) < 0)
            return ERR_EVENT;
        if (primary_get(k, key))
            table_report(&k->table, "a row was not inserted");
        else
            primary_add(k, e);
    }
    for (int i = 0; i < place_plan(k)->index_count && rc == 0; i++)
        rc = index_add(k, i, e);
    return rc;
}

void place_set_row(struct keyed *k, struct item *e, struct row *row)
{
    item_changed(k, e);
    k->has_updated = true;
    if (e->is_keyed && !place_is_ordered(k)) {
        hashed_set_row(k, e, row);
        return;
    }
    row_unref(e->row);
    e->row = row;
}

static int place_insert(struct table *t, struct row *row)
{
    struct keyed *k = (struct keyed *)t;
    struct item *e = item_new(k, row);
    int rc = place_add(k, e);
    item_unref(k, e);
    return rc;
}

/* The item takes the place of old, which keeps its reference; NULL: nothing stands under its key. */
static void primary_put(struct keyed *k, struct item *e, struct item *old)
{
    if (!old) {
        primary_add(k, e);
        return;
    }
    e->refs++;
    e->moment = old->moment;
    item_changed(k, old);
    if (place_is_ordered(k)) {
        e->key = old->key;
        e->is_keyed = true;
        old->is_keyed = false;
        *btree_slot(&k->ordered, e->key, 0) = e;
    } else {
        hashed_replace(k, old, e);
    }
}

/* The sets of the new row's values are where the old row is looked for; one that isn't there fails the event.
 */
static int indexes_overwrite(struct keyed *k, struct item *old, struct item *e)
{
    for (int i = 0; i < place_plan(k)->index_count; i++) {
        struct value v = index_value(k, i, e->row);
        if (key_check(k, i, v) < 0)
            return ERR_EVENT;
        if (old && !index_has(k, i, v)) {
            expr_fail(&k->table.app->env,
                      "table '%s': its %s has no such value yet, and 'update or insert' can't bring it",
                      place_plan(k)->element->schema->id, key_of(k, i)->label);
            return ERR_EVENT;
        }
        if (old)
            index_remove(k, i, v, old);
        if (index_add(k, i, e) < 0)
            return ERR_EVENT;
    }
    return 0;
}

/* Nothing but its place under the key leads to it, and the key is its row's: another row may come into it. */
static bool is_alone(const struct keyed *k, const struct item *e)
{
    if (place_plan(k)->index_count || e->refs != 1 || e->next)
        return false;
    return place_is_ordered(k) || !((const struct hashed_item *)e)->keyed;
}

int place_overwrite(struct keyed *k, struct row *row)
{
    struct value key[LIMIT_TABLE_KEY];
    primary_values(k, row, key);
    if (place_is_ordered(k) && key_check(k, TABLE_PRIMARY, key[0]) < 0)
        return ERR_EVENT;
    struct item *old = primary_get(k, key);
    if (old && is_alone(k, old)) {
        place_set_row(k, old, row_ref(row));
        return 0;
    }
    struct item *e = item_new(k, row);
    primary_put(k, e, old);
    int rc = indexes_overwrite(k, old, e);
    item_unref(k, e);
    if (old)
        item_unref(k, old);
    return rc;
}

static void index_clear(struct keyed *k, int index)
{
    struct btree_at at = btree_seek(&k->indexes[index], 0, 0);
    for (struct place *p; (p = btree_next(&at, NULL)) != NULL;) {
        for (struct place *next; p; p = next) {
            next = p->next;
            place_end(k, p, index);
        }
    }
    btree_fini(&k->indexes[index]);
}

/* As Java's clear: the number of buckets stays. */
void place_delete_all(struct keyed *k)
{
    struct btree_at at = btree_seek(&k->ordered, 0, 0);
    for (struct item *e; (e = btree_next(&at, NULL)) != NULL;) {
        item_changed(k, e);
        e->is_keyed = false;
        item_unref(k, e);
    }
    btree_fini(&k->ordered);
    for (uint32_t i = 0; i < k->bucket_count; i++) {
        while (k->buckets[i]) {
            struct item *e = &k->buckets[i]->item;
            item_changed(k, e);
            hashed_drop(k, e);
            item_unref(k, e);
        }
    }
    k->count = 0;
    for (int i = 0; i < place_plan(k)->index_count; i++)
        index_clear(k, i);
}

int place_delete_items(struct keyed *k, const struct items *items)
{
    struct value key[LIMIT_TABLE_KEY];
    int rc = 0;
    /* One may leave its last place before its turn is over. */
    for (uint32_t i = 0; i < items->count; i++)
        items->at[i]->refs++;
    for (uint32_t i = 0; i < items->count && rc == 0; i++) {
        struct item *e = items->at[i];
        if (!place_has_key(k)) {
            rc = indexes_remove(k, e, -1);
            continue;
        }
        primary_values(k, e->row, key);
        struct item *taken = primary_take(k, key);
        if (taken) {
            rc = indexes_remove(k, taken, -1);
            item_unref(k, taken);
        } else if (place_plan(k)->index_count) {
            expr_fail(&k->table.app->env, "table '%s': a row to delete isn't where its %s leads",
                      place_plan(k)->element->schema->id, place_plan(k)->primary.label);
            rc = ERR_EVENT;
        }
    }
    for (uint32_t i = 0; i < items->count; i++)
        item_unref(k, items->at[i]);
    return rc;
}

void place_delete_key(struct keyed *k, const struct value *key)
{
    struct item *e = primary_take(k, key);
    if (!e)
        return;
    indexes_remove(k, e, -1);
    item_unref(k, e);
}

/* All but those under v are gone; they come in again. */
static int delete_others(struct keyed *k, int index, struct value v)
{
    struct items stay = {.scratch = k->table.app->env.scratch};
    int rc = place_find(k, index, AST_EQ, v, &stay);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < stay.count; i++)
        stay.at[i]->refs++;
    place_delete_all(k);
    if (index >= 0 && stay.count == 0) {
        expr_fail(&k->table.app->env, "table '%s': no row stays by its %s",
                  place_plan(k)->element->schema->id, key_of(k, index)->label);
        rc = ERR_EVENT;
    }
    for (uint32_t i = 0; i < stay.count; i++) {
        if (rc == 0)
            rc = place_add(k, stay.at[i]);
        item_unref(k, stay.at[i]);
    }
    return rc;
}

/* The first place of the range, op not '!='. */
static struct btree_at range_start(const struct btree *tree, enum ast_expr_kind op, uint64_t want)
{
    if (op == AST_LT || op == AST_LE)
        return btree_seek(tree, 0, 0);
    return btree_seek(tree, want, op == AST_GT ? UINT64_MAX : 0);
}

/* Sets as a whole leave the index; their items leave the primary key by what they say now, and the other
 * indexes. */
static int delete_sets(struct keyed *k, int index, const struct items *found, struct value v,
                       enum ast_expr_kind op)
{
    struct btree *tree = &k->indexes[index];
    struct value key[LIMIT_TABLE_KEY];
    uint64_t want = place_index_key(v), at_key;
    int rc = 0;
    for (uint32_t i = 0; i < found->count && rc == 0; i++) {
        struct item *taken = NULL;
        primary_values(k, found->at[i]->row, key);
        if (place_has_key(k))
            taken = primary_take(k, key);
        if (taken)
            item_unref(k, taken);
        rc = indexes_remove(k, found->at[i], index);
    }
    for (;;) {
        struct btree_at at = range_start(tree, op, want);
        struct place *p = btree_next(&at, &at_key);
        while (p && op == AST_EQ && at_key == want && !value_same(place_value(p), v))
            p = btree_next(&at, &at_key);
        if (!p || !range_has(op, at_key, want))
            return rc;
        btree_remove(tree, at_key, btree_order(&at));
        for (struct place *next; p; p = next) {
            next = p->next;
            place_end(k, p, index);
        }
    }
}

static int delete_ordered(struct keyed *k, enum ast_expr_kind op, struct value v)
{
    uint64_t want = place_index_key(v), key;
    int rc = 0;
    while (rc == 0) {
        struct btree_at at = range_start(&k->ordered, op, want);
        struct item *e = btree_next(&at, &key);
        if (!e || !range_has(op, key, want))
            break;
        item_changed(k, e);
        btree_remove(&k->ordered, key, 0);
        e->is_keyed = false;
        k->count--;
        rc = indexes_remove(k, e, -1);
        item_unref(k, e);
    }
    return rc;
}

int place_delete(struct keyed *k, int index, enum ast_expr_kind op, struct value v)
{
    if (op == AST_NE)
        return delete_others(k, index, v);
    if (index < 0 && !place_is_ordered(k)) {
        place_delete_key(k, &v);
        return 0;
    }
    if ((is_null(v) || !is_empty(k, index)) && key_check(k, index, v) < 0)
        return ERR_EVENT;
    if (index < 0)
        return delete_ordered(k, op, v);
    struct items found = {.scratch = k->table.app->env.scratch};
    find_range(k, index, op, v, &found);
    for (uint32_t i = 0; i < found.count; i++)
        found.at[i]->refs++;
    int rc = delete_sets(k, index, &found, v, op);
    for (uint32_t i = 0; i < found.count; i++)
        item_unref(k, found.at[i]);
    return rc;
}

/* ---- life ---- */

static void place_open(struct table *t)
{
    struct keyed *k = (struct keyed *)t;
    bool is_hashed = place_has_key(k) && !place_is_ordered(k);
    k->places_at = is_hashed ? sizeof(struct hashed_item) : sizeof(struct item);
    k->indexes = mem_array((size_t)place_plan(k)->index_count + 1, sizeof(*k->indexes));
    if (is_hashed)
        key_index_init(&k->by_text, place_plan(k)->primary.columns[0]);
    buf_init(&k->words, SIZE_MAX);
}

static void place_close(struct table *t)
{
    struct keyed *k = (struct keyed *)t;
    records_free(k->records);
    k->records = NULL;
    place_delete_all(k);
    mem_free(k->indexes);
    mem_free(k->buckets);
    key_index_fini(&k->by_text);
    buf_fini(&k->words);
}

static int place_put(struct table *t, struct row *row)
{
    return place_overwrite((struct keyed *)t, row);
}

const struct table_type table_keyed = {
    .name = "keyed",
    .size = sizeof(struct keyed),
    .open = place_open,
    .close = place_close,
    .insert = place_insert,
    .find = search_find,
    .contains = search_contains,
    .remove = search_remove,
    .update = search_update,
    .overwrite = place_put,
    .save = place_save,
    .load = place_load,
};
