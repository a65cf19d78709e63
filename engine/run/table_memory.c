/* table_memory.c - a table's rows in memory (table.h).
 *
 * Every row has an entry. Where entries stand gives the table's order (spec 08 section 3):
 *   no primary key        a list, in insertion order
 *   one number            a btree by key
 *   anything else         buckets, walked as a Java hash map is: 16 of them, doubled when more than three quarters are taken, never fewer again; in a
 *                         bucket the order of coming
 * Each index is a btree by (value, moment of insertion); text and bool by their hash, so what is found there is compared again.
 *
 * Laws: (1) a row that can't stand in the key and in every index (a null where a number is needed) doesn't come in at all; (2) an updated row keeps its entry,
 * place and moment, but a row of buckets whose key or index changes is taken out and put in again; (3) with an index and no primary key, a row equal in
 * timestamp and all values to one that is there is not added: all holds them by that hash; (4) null stands in an ordered index only by an update, as the smallest,
 * and no lookup finds it. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/run/app.h"
#include "engine/run/btree.h"
#include "engine/run/table.h"
#include <math.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 16, LAST_BUCKETS = 1 << 27 };

struct entry {
    struct row *row;
    struct entry *next, *prev; /* the list; in buckets next alone */
    uint64_t moment;           /* of insertion: rises */
    uint32_t hash;             /* in buckets */
    bool is_new;               /* replace: see there */
};
struct memory {
    struct table table;
    struct entry *first, *last;
    struct entry **buckets;
    uint32_t bucket_count;
    uint64_t count, moment;
    struct btree primary;
    struct btree *indexes;
    struct btree all;
};

static const struct table_plan *plan_of(const struct memory *m)
{
    return m->table.plan;
}

static bool is_list(const struct memory *m)
{
    return plan_of(m)->primary.count == 0;
}

static bool holds_all(const struct memory *m)
{
    return is_list(m) && plan_of(m)->index_count > 0;
}

static struct expr_env *env_of(const struct memory *m)
{
    return &m->table.app->env;
}

static const char *name_of(const struct memory *m)
{
    return plan_of(m)->element->schema->id;
}

/* ---- keys ---- */

/* 64 bits that sort as Java compares the numbers: NaN above all, -0.0 below 0.0. Of text and bool the hash. Null: 0. */
static uint64_t index_key(struct value v)
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

static uint32_t spread(uint32_t h)
{
    return h ^ h >> 16;
}

static uint32_t java_hash(struct value v)
{
    if (v.type == TYPE_STRING)
        return spread((uint32_t)utf8_java_hash(v.as.s->bytes, v.as.s->len));
    if (v.type == TYPE_BOOL)
        return spread(v.as.l ? 1231 : 1237);
    return v.type == TYPE_NULL ? 0 : spread(value_hash(v));
}

/* A composite key as the language has it: each part's text and a separator (spec 08 section 3). */
static void key_print(const struct value *key, int count, struct buf *out)
{
    buf_init(out, SIZE_MAX);
    for (int i = 0; i < count; i++) {
        value_print(key[i], out);
        buf_add(out, ":-:", 3);
    }
}

static uint32_t key_hash(const struct memory *m, const struct value *key)
{
    int count = plan_of(m)->primary.count;
    if (count == 1)
        return java_hash(key[0]);
    struct buf text;
    key_print(key, count, &text);
    uint32_t hash = spread((uint32_t)utf8_java_hash((const char *)text.bytes, text.len));
    buf_fini(&text);
    return hash;
}

static void row_key(const struct memory *m, const struct row *row, struct value *key)
{
    const struct table_key *k = &plan_of(m)->primary;
    for (int i = 0; i < k->count; i++)
        key[i] = row_get(row, k->columns[i]);
}

static bool key_is(const struct memory *m, const struct row *row, const struct value *key)
{
    const struct table_key *k = &plan_of(m)->primary;
    int same = 0;
    while (same < k->count && value_same(row_get(row, k->columns[same]), key[same]))
        same++;
    if (same == k->count || k->count == 1)
        return same == k->count;
    struct value own[LIMIT_TABLE_KEY];
    struct buf a, b;
    row_key(m, row, own);
    key_print(own, k->count, &a);
    key_print(key, k->count, &b);
    bool equal = a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
    buf_fini(&a);
    buf_fini(&b);
    return equal;
}

/* The hash of a row's timestamp and values (law 3). */
static uint64_t all_key(const struct row *row)
{
    uint64_t h = (uint64_t)row->at_ms * UINT64_C(0x9E3779B97F4A7C15);
    for (uint32_t i = 0; i < row->count; i++)
        h = (h ^ value_hash(row_get(row, i))) * UINT64_C(0x9FB21C651E98DF25);
    return h;
}

static bool all_has(const struct memory *m, const struct row *row)
{
    uint64_t h = all_key(row), key;
    struct btree_at at = btree_seek(&m->all, h, 0);
    for (struct entry *e; (e = btree_next(&at, &key)) != NULL && key == h;) {
        bool same = e->row->at_ms == row->at_ms;
        for (uint32_t i = 0; same && i < row->count; i++)
            same = value_same(row_get(e->row, i), row_get(row, i));
        if (same)
            return true;
    }
    return false;
}

/* ---- buckets ---- */

static struct entry *bucket_find(const struct memory *m, const struct value *key, uint32_t hash)
{
    if (m->bucket_count == 0)
        return NULL;
    for (struct entry *e = m->buckets[hash & (m->bucket_count - 1)]; e; e = e->next) {
        if (e->hash == hash && key_is(m, e->row, key))
            return e;
    }
    return NULL;
}

static void bucket_link(struct memory *m, struct entry *e)
{
    struct entry **at = &m->buckets[e->hash & (m->bucket_count - 1)];
    while (*at)
        at = &(*at)->next;
    e->next = NULL;
    *at = e;
}

/* Halves of a bucket keep their order. */
static void buckets_widen(struct memory *m, uint32_t wider)
{
    struct entry **was = m->buckets;
    uint32_t was_count = m->bucket_count;
    m->buckets = mem_array(wider, sizeof(*m->buckets));
    m->bucket_count = wider;
    for (uint32_t i = 0; i < was_count; i++) {
        for (struct entry *e = was[i], *next; e; e = next) {
            next = e->next;
            bucket_link(m, e);
        }
    }
    mem_free(was);
}

static void bucket_unlink(struct memory *m, struct entry *e)
{
    struct entry **at = &m->buckets[e->hash & (m->bucket_count - 1)];
    while (*at != e) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = e->next;
}

/* ---- entries in their places ---- */

static void place_add(struct memory *m, struct entry *e)
{
    const struct table_key *k = &plan_of(m)->primary;
    struct value key[LIMIT_TABLE_KEY];
    if (is_list(m)) {
        e->prev = m->last;
        e->next = NULL;
        if (m->last)
            m->last->next = e;
        else
            m->first = e;
        m->last = e;
    } else if (k->is_ordered) {
        btree_add(&m->primary, index_key(row_get(e->row, k->columns[0])), e->moment, e);
    } else {
        if (m->bucket_count == 0)
            buckets_widen(m, FIRST_BUCKETS);
        row_key(m, e->row, key);
        e->hash = key_hash(m, key);
        bucket_link(m, e);
    }
    m->count++;
    if (!is_list(m) && !k->is_ordered && m->count > m->bucket_count / 4 * 3 && m->bucket_count < LAST_BUCKETS)
        buckets_widen(m, m->bucket_count * 2);
}

static void place_remove(struct memory *m, struct entry *e)
{
    const struct table_key *k = &plan_of(m)->primary;
    m->count--;
    if (is_list(m)) {
        if (e->prev)
            e->prev->next = e->next;
        else
            m->first = e->next;
        if (e->next)
            e->next->prev = e->prev;
        else
            m->last = e->prev;
    } else if (k->is_ordered) {
        btree_remove(&m->primary, index_key(row_get(e->row, k->columns[0])), e->moment);
    } else {
        bucket_unlink(m, e);
    }
}

static void indexes_add(struct memory *m, struct entry *e)
{
    const struct table_plan *p = plan_of(m);
    for (int i = 0; i < p->index_count; i++)
        btree_add(&m->indexes[i], index_key(row_get(e->row, p->indexes[i].columns[0])), e->moment, e);
    if (holds_all(m))
        btree_add(&m->all, all_key(e->row), e->moment, e);
}

static void indexes_remove(struct memory *m, struct entry *e)
{
    const struct table_plan *p = plan_of(m);
    for (int i = 0; i < p->index_count; i++)
        btree_remove(&m->indexes[i], index_key(row_get(e->row, p->indexes[i].columns[0])), e->moment);
    if (holds_all(m))
        btree_remove(&m->all, all_key(e->row), e->moment);
}

static void entry_add(struct memory *m, struct row *row, uint64_t moment)
{
    struct entry *e = mem_pool_alloc(sizeof(*e));
    *e = (struct entry){.row = row_ref(row), .moment = moment};
    place_add(m, e);
    indexes_add(m, e);
}

static void entry_free(struct entry *e)
{
    row_unref(e->row);
    mem_pool_free(e, sizeof(*e));
}

/* The entry of the same primary key, or NULL. */
static struct entry *entry_same_key(const struct memory *m, const struct row *row)
{
    const struct table_key *k = &plan_of(m)->primary;
    struct value key[LIMIT_TABLE_KEY];
    if (is_list(m))
        return NULL;
    row_key(m, row, key);
    if (!k->is_ordered)
        return bucket_find(m, key, key_hash(m, key));
    uint64_t want = index_key(key[0]), found;
    struct btree_at at = btree_seek(&m->primary, want, 0);
    for (struct entry *e; (e = btree_next(&at, &found)) != NULL && found == want;) {
        if (value_same(row_get(e->row, k->columns[0]), key[0]))
            return e;
    }
    return NULL;
}

static int key_fails(const struct memory *m, const struct table_key *k, struct value v)
{
    expr_fail(env_of(m), "table '%s': its %s takes %s, and this is %s", name_of(m), k->label, type_name(k->type), type_name(v.type));
    return ERR_EVENT;
}

/* Law 1. */
static int row_fits(const struct memory *m, const struct row *row)
{
    const struct table_plan *p = plan_of(m);
    for (int i = -1; i < p->index_count; i++) {
        const struct table_key *k = i < 0 ? &p->primary : &p->indexes[i];
        if (k->is_ordered && row->types[k->columns[0]] != k->type)
            return key_fails(m, k, row_get(row, k->columns[0]));
    }
    return 0;
}

/* ---- table_type ---- */

static void memory_open(struct table *t)
{
    struct memory *m = (struct memory *)t;
    m->indexes = mem_array((size_t)plan_of(m)->index_count + 1, sizeof(*m->indexes));
}

static void memory_free_entries(struct memory *m)
{
    struct btree_at at = btree_seek(&m->primary, 0, 0);
    for (struct entry *e; (e = btree_next(&at, NULL)) != NULL;)
        entry_free(e);
    for (struct entry *e = m->first, *next; e; e = next) {
        next = e->next;
        entry_free(e);
    }
    for (uint32_t i = 0; i < m->bucket_count; i++) {
        for (struct entry *e = m->buckets[i], *next; e; e = next) {
            next = e->next;
            entry_free(e);
        }
    }
}

static void memory_close(struct table *t)
{
    struct memory *m = (struct memory *)t;
    memory_free_entries(m);
    for (int i = 0; i < plan_of(m)->index_count; i++)
        btree_fini(&m->indexes[i]);
    btree_fini(&m->primary);
    btree_fini(&m->all);
    mem_free(m->indexes);
    mem_free(m->buckets);
}

static int memory_find_key(struct table *t, const struct value *key, struct table_hits *out)
{
    struct memory *m = (struct memory *)t;
    struct entry *e = bucket_find(m, key, key_hash(m, key));
    if (e)
        table_hits_add(out, e->row, e);
    return 0;
}

/* Where the walk of an ordered index begins, and whether an entry ends it, is passed by, or is a hit. */
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
    const struct entry *x = ((const struct table_hit *)a)->at, *y = ((const struct table_hit *)b)->at;
    return x->moment < y->moment ? -1 : x->moment > y->moment;
}

static void find_range(const struct btree *tree, uint16_t column, enum ast_expr_kind op, struct value v, struct table_hits *out)
{
    bool up = op == AST_LT || op == AST_LE; /* from the first one */
    uint64_t want = index_key(v), key;
    struct btree_at at = btree_seek(tree, up ? 0 : want, 0);
    for (struct entry *e; (e = btree_next(&at, &key)) != NULL;) {
        struct value own = row_get(e->row, column);
        if (up ? key > want : op == AST_EQ && key != want)
            break;
        if (!range_has(op, key, want) || (op == AST_EQ ? !value_same(own, v) : is_null(own)))
            continue;
        if (!table_hits_add(out, e->row, e))
            break;
    }
}

static int memory_find_index(struct table *t, int index, enum ast_expr_kind op, struct value v, struct table_hits *out)
{
    struct memory *m = (struct memory *)t;
    const struct table_key *k = index < 0 ? &plan_of(m)->primary : &plan_of(m)->indexes[index];
    if (index < 0 && !k->is_ordered)
        return memory_find_key(t, &v, out);
    if (k->is_ordered && is_null(v)) /* an empty tree is not asked */
        return op != AST_EQ && out->enough && m->count == 0 ? 0 : key_fails(m, k, v);
    if (k->is_ordered && v.type != k->type)
        return m->count == 0 ? 0 : key_fails(m, k, v);
    uint32_t from = out->count;
    find_range(index < 0 ? &m->primary : &m->indexes[index], k->columns[0], op, v, out);
    if (index >= 0 && op != AST_EQ && out->count - from > 1)
        qsort(out->hits + from, out->count - from, sizeof(*out->hits), by_moment);
    return 0;
}

static bool memory_has_several(struct table *t, int index)
{
    struct memory *m = (struct memory *)t;
    if (index < 0)
        return m->count > 1;
    uint16_t column = plan_of(m)->indexes[index].columns[0];
    struct btree_at at = btree_seek(&m->indexes[index], 0, 0);
    struct entry *first = btree_next(&at, NULL);
    for (struct entry *e; first && (e = btree_next(&at, NULL)) != NULL;) {
        if (!value_same(row_get(first->row, column), row_get(e->row, column)))
            return true;
    }
    return false;
}

static int memory_scan(struct table *t, int (*visit)(void *user, struct row *row, void *at), void *user)
{
    struct memory *m = (struct memory *)t;
    int rc = 0;
    for (struct entry *e = m->first; e && rc == 0; e = e->next)
        rc = visit(user, e->row, e);
    struct btree_at at = btree_seek(&m->primary, 0, 0);
    for (struct entry *e; rc == 0 && (e = btree_next(&at, NULL)) != NULL;)
        rc = visit(user, e->row, e);
    for (uint32_t i = 0; i < m->bucket_count && rc == 0; i++) {
        for (struct entry *e = m->buckets[i]; e && rc == 0; e = e->next)
            rc = visit(user, e->row, e);
    }
    return rc;
}

static int memory_insert(struct table *t, struct row *row, enum table_put *put)
{
    struct memory *m = (struct memory *)t;
    *put = TABLE_PUT_DONE;
    if (row_fits(m, row) < 0)
        return ERR_EVENT;
    if (entry_same_key(m, row)) {
        *put = TABLE_PUT_DUPLICATE;
        return 0;
    }
    if (holds_all(m) && all_has(m, row))
        return 0;
    entry_add(m, row, ++m->moment);
    return 0;
}

static bool key_changes(const struct table_key *k, const struct row *was, const struct row *row)
{
    for (int i = 0; i < k->count; i++) {
        if (!value_same(row_get(was, k->columns[i]), row_get(row, k->columns[i])))
            return true;
    }
    return false;
}

/* May all rows take their new keys? A key may be that of another one of these only if that one has left it. */
static bool keys_free(struct memory *m, const struct table_hit *hits, struct row *const *rows, uint32_t count)
{
    bool is_free = true;
    for (uint32_t i = 0; i < count && is_free; i++) {
        if (!key_changes(&plan_of(m)->primary, hits[i].row, rows[i]))
            continue;
        struct entry *e = entry_same_key(m, rows[i]);
        is_free = !e || is_null(row_get(rows[i], plan_of(m)->primary.columns[0]));
    }
    for (uint32_t i = 0; i < count && is_free && count > 1; i++) {
        struct value key[LIMIT_TABLE_KEY];
        row_key(m, rows[i], key);
        for (uint32_t k = i + 1; k < count && is_free; k++)
            is_free = !key_is(m, rows[k], key);
    }
    return is_free;
}

static bool row_moves(const struct memory *m, const struct row *was, const struct row *row)
{
    const struct table_plan *p = plan_of(m);
    bool moves = key_changes(&p->primary, was, row);
    for (int i = 0; i < p->index_count && !moves; i++)
        moves = key_changes(&p->indexes[i], was, row);
    return moves && !is_list(m);
}

static void entry_replace(struct memory *m, struct entry *e, struct row *row)
{
    bool moves = row_moves(m, e->row, row);
    bool indexed = plan_of(m)->index_count > 0;
    if (moves)
        place_remove(m, e);
    if (indexed)
        indexes_remove(m, e);
    row_ref(row);
    row_unref(e->row);
    e->row = row;
    if (moves) {
        e->moment = ++m->moment;
        place_add(m, e);
    }
    if (indexed)
        indexes_add(m, e);
}

static int memory_replace(struct table *t, const struct table_hit *hits, struct row *const *rows, uint32_t count, enum table_put *put)
{
    struct memory *m = (struct memory *)t;
    bool rekeys = false;
    *put = TABLE_PUT_DONE;
    for (uint32_t i = 0; i < count && !is_list(m) && !rekeys; i++)
        rekeys = key_changes(&plan_of(m)->primary, hits[i].row, rows[i]);
    if (rekeys && !keys_free(m, hits, rows, count)) {
        *put = TABLE_PUT_DUPLICATE;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++)
        entry_replace(m, hits[i].at, rows[i]);
    return 0;
}

static int memory_overwrite(struct table *t, struct row *row)
{
    struct memory *m = (struct memory *)t;
    if (row_fits(m, row) < 0)
        return ERR_EVENT;
    struct entry *e = entry_same_key(m, row);
    if (!e) {
        entry_add(m, row, ++m->moment);
        return 0;
    }
    /* It keeps its place: a Java map's put. */
    indexes_remove(m, e);
    row_ref(row);
    row_unref(e->row);
    e->row = row;
    indexes_add(m, e);
    return 0;
}

static int memory_remove(struct table *t, const struct table_hit *hits, uint32_t count)
{
    struct memory *m = (struct memory *)t;
    for (uint32_t i = 0; i < count; i++) {
        struct entry *e = hits[i].at;
        place_remove(m, e);
        indexes_remove(m, e);
        entry_free(e);
    }
    return 0;
}

static uint64_t memory_count(struct table *t)
{
    return ((struct memory *)t)->count;
}

/* ---- state: rows in the table's order, each with its moment; buckets by their number ---- */

static int save_entry(void *user, struct row *row, void *at)
{
    write_i64(user, (int64_t)((const struct entry *)at)->moment);
    write_row(user, row);
    return 0;
}

static void memory_save(struct table *t, struct writer *w)
{
    struct memory *m = (struct memory *)t;
    write_u32(w, m->bucket_count);
    write_i64(w, (int64_t)m->moment);
    write_count(w, m->count);
    memory_scan(t, save_entry, w);
}

static int memory_load(struct table *t, struct reader *r)
{
    struct memory *m = (struct memory *)t;
    uint32_t buckets = read_u32(r);
    uint64_t last = (uint64_t)read_i64(r);
    size_t count = read_count(r, UINT32_MAX);
    bool hashed = !is_list(m) && !plan_of(m)->primary.is_ordered;
    if (r->failed || (buckets != 0) > hashed || (buckets & (buckets - 1)) != 0 || buckets > LAST_BUCKETS)
        return ERR_STATE;
    if (buckets)
        buckets_widen(m, buckets);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint64_t moment = (uint64_t)read_i64(r);
        struct row *row = read_row(r);
        bool fits = row && row->count == plan_of(m)->element->schema->count && moment <= last;
        if (fits)
            entry_add(m, row, moment);
        if (row)
            row_unref(row);
        if (!fits)
            return ERR_STATE;
    }
    m->moment = last;
    return r->failed ? ERR_STATE : 0;
}

const struct table_type table_memory = {
    .name = "memory",
    .size = sizeof(struct memory),
    .open = memory_open,
    .close = memory_close,
    .find_key = memory_find_key,
    .find_index = memory_find_index,
    .has_several = memory_has_several,
    .scan = memory_scan,
    .insert = memory_insert,
    .replace = memory_replace,
    .overwrite = memory_overwrite,
    .remove = memory_remove,
    .count = memory_count,
    .save = memory_save,
    .load = memory_load,
};
