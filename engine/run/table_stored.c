/* table_stored.c - a table of @store(type='lmdb'): its rows are in a store, with its primary key and its
 * indexes; memory holds what is not written yet (engine/store/overlay.h), so it may be larger than memory and
 * is open at once. What it changes goes into the store with a checkpoint of a durable app, with the end of a
 * turn of any other: engine.h.
 *
 * On the shelf of tables; all numbers are big-endian:
 *   APP 0 'T' NAME              the table's number, and its definition in words: another one is refused
 *   APP 0 '#'                   the last table's number
 *   APP TABLE 'n'               the next row's number
 *   APP TABLE 'r' ROW           a row; numbers rise, so this is the order of insertion
 *   APP TABLE 'p' ORDER ROW     the primary key: ORDER sorts as its number does, or is a hash
 *   APP TABLE 'i' INDEX ORDER ROW
 *
 * Laws: (1) scans go by the primary key where it is one number, else by insertion; a row that is updated
 * keeps its place; (2) an index or the primary key only finds candidates: the whole condition is asked of
 * each, so results never depend on how a condition is executed, as they do in memory (spec 08 section 3:
 * stale and ghost entries, 'in' with '>=', lookups that fail for their type); (3) keys are checked before
 * anything is changed: a statement does all it does for an event, or nothing; (4) a row with a key that is
 * taken is dropped and reported, an update that would take one is refused for all its rows, 'update or
 * insert' by the whole key replaces the row: all as in memory; a row whose ordered key or indexed column is
 * null or of another type fails its event. */
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/table_place.h"
#include "engine/store/overlay.h"
#include <stdlib.h>

struct stored {
    struct table table;
    uint32_t number;
    uint64_t next; /* of the next row */
};
/* A row and its number. */
struct found {
    uint64_t number;
    struct row *row; /* refs 1 */
};
struct founds {
    struct found *at;
    uint32_t count, cap;
    struct arena *scratch;
};
struct numbers {
    uint64_t *at;
    uint32_t count, cap;
    struct arena *scratch;
};

static struct overlay *overlay_of(const struct stored *t)
{
    return t->table.app->overlay;
}

static struct expr_env *env_of(const struct stored *t)
{
    return &t->table.app->env;
}

static const struct table_plan *plan_of(const struct stored *t)
{
    return t->table.plan;
}

static int store_failed(struct stored *t, const struct err *e)
{
    expr_fail(env_of(t), "table '%s': %s", plan_of(t)->element->schema->id, e->text);
    return ERR_EVENT;
}

static void founds_add(struct founds *f, uint64_t number, struct row *row)
{
    if (f->count == f->cap) {
        uint32_t cap = f->cap ? f->cap * 2 : 4;
        struct found *at = arena_raw(f->scratch, cap * sizeof(*at));
        if (f->count)
            memcpy(at, f->at, f->count * sizeof(*at));
        f->at = at;
        f->cap = cap;
    }
    f->at[f->count++] = (struct found){number, row_ref(row)};
}

static void founds_drop(struct founds *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        row_unref(f->at[i].row);
}

static void numbers_add(struct numbers *n, uint64_t number)
{
    if (n->count == n->cap) {
        uint32_t cap = n->cap ? n->cap * 2 : 8;
        uint64_t *at = arena_raw(n->scratch, cap * sizeof(*at));
        if (n->count)
            memcpy(at, n->at, n->count * sizeof(*at));
        n->at = at;
        n->cap = cap;
    }
    n->at[n->count++] = number;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void numbers_sort(struct numbers *n)
{
    uint32_t kept = 0;
    if (n->count > 1)
        qsort(n->at, n->count, sizeof(*n->at), by_number);
    for (uint32_t i = 0; i < n->count; i++) {
        if (i == 0 || n->at[i] != n->at[kept - 1])
            n->at[kept++] = n->at[i];
    }
    n->count = kept;
}

/* ---- keys of the shelf ---- */

static void key_begin(const struct stored *t, struct key *k, uint8_t kind)
{
    k->len = 0;
    key_u32(k, t->table.app->store_number);
    key_u32(k, t->number);
    key_u8(k, kind);
}

static void row_key(const struct stored *t, struct key *k, uint64_t number)
{
    key_begin(t, k, 'r');
    key_u64(k, number);
}

static const struct table_key *key_of(const struct stored *t, int index)
{
    return index < 0 ? &plan_of(t)->primary : &plan_of(t)->indexes[index];
}

static void place_begin(const struct stored *t, struct key *k, int index)
{
    key_begin(t, k, index < 0 ? 'p' : 'i');
    if (index >= 0)
        key_u32(k, (uint32_t)index);
}

/* What sorts, or tells apart, the values of a key. */
static uint64_t order_of(const struct table_key *key, const struct value *values)
{
    struct buf text;
    if (key->count == 1)
        return place_index_key(values[0]);
    buf_init(&text, SIZE_MAX);
    for (int i = 0; i < key->count; i++) {
        value_print(values[i], &text);
        buf_add(&text, ":-:", 3);
    }
    uint64_t hash = hash_bytes(text.bytes, text.len, 0);
    buf_fini(&text);
    return hash;
}

static void values_of_row(const struct table_key *key, const struct row *row, struct value *values)
{
    for (int i = 0; i < key->count; i++)
        values[i] = row_get(row, key->columns[i]);
}

uint64_t stored_order(const struct table_key *key, const struct row *row)
{
    struct value values[LIMIT_TABLE_KEY];
    values_of_row(key, row, values);
    return order_of(key, values);
}

/* Composite keys are one when their text is. */
static bool same_key(const struct table_key *key, const struct value *a, const struct value *b)
{
    for (int i = 0; i < key->count; i++) {
        struct buf x, y;
        if (value_same(a[i], b[i]))
            continue;
        if (key->count == 1)
            return false;
        buf_init(&x, SIZE_MAX);
        buf_init(&y, SIZE_MAX);
        value_print(a[i], &x);
        value_print(b[i], &y);
        bool same = x.len == y.len && memcmp(x.bytes ? x.bytes : "", y.bytes ? y.bytes : "", x.len) == 0;
        buf_fini(&x);
        buf_fini(&y);
        if (!same)
            return false;
    }
    return true;
}

/* ---- rows ---- */

static struct row *row_of(struct stored *t, const struct store_item *item)
{
    struct reader r = {.at = item->bytes, .end = (const uint8_t *)item->bytes + item->len};
    struct row *row = read_row(&r);
    if (row && !r.failed && row->count == plan_of(t)->element->schema->count)
        return row;
    if (row)
        row_unref(row);
    expr_fail(env_of(t), "table '%s': a row in the store is damaged", plan_of(t)->element->schema->id);
    return NULL;
}

/* refs 1; NULL after expr_fail. */
static struct row *row_get_stored(struct stored *t, uint64_t number)
{
    struct store_item item;
    struct key k;
    struct err e;
    row_key(t, &k, number);
    int rc = overlay_get(overlay_of(t), k.bytes, k.len, &item, &e);
    if (rc == ERR_NOT_FOUND)
        err_set(&e, rc, "a row that its keys lead to is not in the store");
    if (rc == 0)
        return row_of(t, &item);
    store_failed(t, &e);
    return NULL;
}

static void row_put(struct stored *t, uint64_t number, const struct row *row)
{
    struct writer w = {0};
    struct key k;
    buf_init(&w.out, SIZE_MAX);
    write_row(&w, row);
    row_key(t, &k, number);
    overlay_put(overlay_of(t), k.bytes, k.len, w.out.bytes, w.out.len);
    buf_fini(&w.out);
}

static void place_key(const struct stored *t, struct key *k, int index, const struct row *row,
                      uint64_t number)
{
    place_begin(t, k, index);
    key_u64(k, stored_order(key_of(t, index), row));
    key_u64(k, number);
}

/* Under every key, or, with was, under those that are others than was has. */
static void places_change(struct stored *t, uint64_t number, const struct row *was, const struct row *row)
{
    struct key from, to;
    for (int i = plan_of(t)->primary.count ? TABLE_PRIMARY : 0; i < plan_of(t)->index_count; i++) {
        if (was)
            place_key(t, &from, i, was, number);
        if (row)
            place_key(t, &to, i, row, number);
        if (was && row && from.len == to.len && memcmp(from.bytes, to.bytes, to.len) == 0)
            continue;
        if (was)
            overlay_drop(overlay_of(t), from.bytes, from.len);
        if (row)
            overlay_put(overlay_of(t), to.bytes, to.len, "", 0);
    }
}

static void row_replace(struct stored *t, uint64_t number, const struct row *was, const struct row *row)
{
    places_change(t, number, was, row);
    row_put(t, number, row);
}

static void row_drop(struct stored *t, uint64_t number, const struct row *was)
{
    struct key k;
    places_change(t, number, was, NULL);
    row_key(t, &k, number);
    overlay_drop(overlay_of(t), k.bytes, k.len);
}

static void row_add(struct stored *t, const struct row *row)
{
    struct key k;
    unsigned char next[8];
    row_replace(t, t->next++, NULL, row);
    k.len = 0;
    key_u64(&k, t->next);
    memcpy(next, k.bytes, sizeof(next));
    key_begin(t, &k, 'n');
    overlay_put(overlay_of(t), k.bytes, k.len, next, sizeof(next));
}

/* Law 4. */
static int row_check(struct stored *t, const struct row *row)
{
    for (int i = plan_of(t)->primary.is_ordered ? TABLE_PRIMARY : 0; i < plan_of(t)->index_count; i++) {
        const struct table_key *key = key_of(t, i);
        struct value v = row_get(row, key->columns[0]);
        if (v.type == key->type)
            continue;
        expr_fail(env_of(t), "table '%s': its %s takes %s, and this is %s", plan_of(t)->element->schema->id,
                  key->label, type_name(key->type), type_name(v.type));
        return ERR_EVENT;
    }
    return 0;
}

/* The row under a primary key: 1, 0: there is none, ERR_EVENT. */
static int primary_find(struct stored *t, const struct value *values, struct found *out)
{
    const struct table_key *key = &plan_of(t)->primary;
    struct overlay_walk walk;
    struct store_item item;
    struct key k;
    struct err e;
    int rc;
    place_begin(t, &k, TABLE_PRIMARY);
    key_u64(&k, order_of(key, values));
    overlay_walk_begin(&walk, overlay_of(t), k.bytes, k.len, k.len);
    while ((rc = overlay_walk_next(&walk, &item, &e)) == 1) {
        struct value own[LIMIT_TABLE_KEY];
        out->number = key_get_u64(item.key, k.len);
        out->row = row_get_stored(t, out->number);
        if (!out->row)
            break;
        values_of_row(key, out->row, own);
        if (same_key(key, own, values))
            break;
        row_unref(out->row);
    }
    overlay_walk_end(&walk);
    if (rc < 0)
        return store_failed(t, &e);
    KNOWN(rc == 0 || rc == 1);
    return rc == 1 && !out->row ? ERR_EVENT : rc;
}

/* ---- candidates ---- */

struct probe {
    struct stored *t;
    struct frame *f;
    struct row **slot;
    const struct table_query *q;
};
/* What is done with a row that meets the condition: 0, or what ends the search. It refs the row to keep it.
 */
typedef int (*visit_fn)(void *user, uint64_t number, struct row *row);

static struct probe probe_begin(struct table *t, const struct table_query *q, struct frame *f)
{
    struct row **rows = (struct row **)(uintptr_t)f->rows;
    return (struct probe){(struct stored *)t, f, &rows[q->slot], q};
}

static int probe_row(struct probe *p, uint64_t number, struct row *row, visit_fn visit, void *user)
{
    int rc = 1;
    if (!row)
        return ERR_EVENT;
    if (p->q->on) {
        *p->slot = row;
        rc = table_meets(p->q->on, p->f);
    }
    if (rc == 1)
        rc = visit(user, number, row);
    row_unref(row);
    return rc;
}

static int probe_scan(struct probe *p, visit_fn visit, void *user)
{
    bool by_key = plan_of(p->t)->primary.is_ordered;
    struct overlay_walk walk;
    struct store_item item;
    struct key k;
    struct err e;
    int rc, more = 0;
    if (by_key)
        place_begin(p->t, &k, TABLE_PRIMARY);
    else
        key_begin(p->t, &k, 'r');
    overlay_walk_begin(&walk, overlay_of(p->t), k.bytes, k.len, k.len);
    while (more == 0 && (rc = overlay_walk_next(&walk, &item, &e)) == 1) {
        uint64_t number = key_get_u64(item.key, item.key_len - 8);
        more = probe_row(p, number, by_key ? row_get_stored(p->t, number) : row_of(p->t, &item), visit, user);
    }
    overlay_walk_end(&walk);
    return more == 0 && rc < 0 ? store_failed(p->t, &e) : more;
}

static bool range_has(enum ast_expr_kind op, uint64_t order, uint64_t want)
{
    switch ((int)op) {
    case AST_LT:
        return order < want;
    case AST_LE:
        return order <= want;
    case AST_GT:
        return order > want;
    case AST_GE:
        return order >= want;
    default:
        return order == want;
    }
}

static int numbers_under(struct probe *p, int index, enum ast_expr_kind op, uint64_t want,
                         struct numbers *out)
{
    struct overlay_walk walk;
    struct store_item item;
    struct key k;
    struct err e;
    int rc;
    place_begin(p->t, &k, index);
    size_t prefix = k.len;
    if (op != AST_LT && op != AST_LE)
        key_u64(&k, want);
    overlay_walk_begin(&walk, overlay_of(p->t), k.bytes, k.len, op == AST_EQ ? k.len : prefix);
    while ((rc = overlay_walk_next(&walk, &item, &e)) == 1) {
        uint64_t order = key_get_u64(item.key, prefix);
        if (range_has(op, order, want))
            numbers_add(out, key_get_u64(item.key, prefix + 8));
        else if (op == AST_LT || op == AST_LE)
            break;
    }
    overlay_walk_end(&walk);
    return rc < 0 ? store_failed(p->t, &e) : 0;
}

/* v as a value of the key's type: an index knows no other. False: it has none. */
static bool fits_key(const struct table_key *key, struct value *v)
{
    if (v->type == key->type)
        return true;
    if (key->type == TYPE_LONG && v->type == TYPE_INT) {
        *v = value_long(v->as.l);
        return true;
    }
    if (key->type == TYPE_INT && v->type == TYPE_LONG && v->as.l >= INT32_MIN && v->as.l <= INT32_MAX) {
        *v = value_int((int32_t)v->as.l);
        return true;
    }
    return false;
}

/* 1: out has a number for every row that may meet s; 0: only a scan tells; ERR_EVENT. */
static int candidates(struct probe *p, const struct table_search *s, struct numbers *out)
{
    struct value values[LIMIT_TABLE_KEY];
    bool left_first;
    int rc;
    switch (s->kind) {
    case SEARCH_INDEX:
    case SEARCH_KEY: {
        const struct table_key *key =
            s->kind == SEARCH_KEY ? &plan_of(p->t)->primary : key_of(p->t, s->index);
        int index = s->kind == SEARCH_KEY ? TABLE_PRIMARY : s->index;
        enum ast_expr_kind op = s->kind == SEARCH_KEY ? AST_EQ : s->op;
        if (op == AST_NE || (op != AST_EQ && !type_is_numeric(key->type)))
            return 0;
        for (int i = 0; i < s->value_count; i++)
            values[i] = expr_eval(s->values[i], p->f);
        if (UNLIKELY(p->f->env->failed))
            return ERR_EVENT;
        KNOWN(s->value_count == key->count && key->count > 0);
        if (key->count == 1 && is_null(values[0]))
            return op == AST_EQ ? 1 : 0; /* nothing equals null */
        if (key->count == 1 && !fits_key(key, &values[0]))
            return 0;
        rc = numbers_under(p, index, op, order_of(key, values), out);
        return rc < 0 ? rc : 1;
    }
    case SEARCH_GUARD:
        rc = table_meets(s->gate, p->f);
        return rc == 1 ? candidates(p, s->left, out) : rc < 0 ? rc : 1;
    case SEARCH_GATE:
        rc = table_meets(s->condition, p->f);
        return rc < 0 ? rc : rc == 0;
    case SEARCH_FILTER:
        return candidates(p, s->left, out);
    case SEARCH_BOTH:
        left_first = search_cost(s->left) <= search_cost(s->right);
        rc = candidates(p, left_first ? s->left : s->right, out);
        return rc == 0 ? candidates(p, left_first ? s->right : s->left, out) : rc;
    case SEARCH_EITHER:
        rc = candidates(p, s->left, out);
        return rc == 1 ? candidates(p, s->right, out) : rc;
    case SEARCH_SCAN:
    case SEARCH_NOT:
        break;
    }
    return 0;
}

/* Is it a lookup by the primary key alone, which is one number? Its rows ascend by it, as all do. */
static bool is_by_order(const struct probe *p)
{
    const struct table_search *s = p->q->search;
    while (s->kind == SEARCH_FILTER || s->kind == SEARCH_GUARD)
        s = s->left;
    return s->kind == SEARCH_INDEX && s->index == TABLE_PRIMARY && plan_of(p->t)->primary.is_ordered;
}

/* Calls visit for each row that meets the query. */
static int probe_each(struct probe *p, visit_fn visit, void *user)
{
    struct numbers numbers = {.scratch = p->f->env->scratch};
    struct row *was = *p->slot;
    *p->slot = NULL;
    int rc = p->q->search ? candidates(p, p->q->search, &numbers) : 0;
    if (rc == 0) {
        rc = probe_scan(p, visit, user);
    } else if (rc == 1) {
        rc = 0;
        if (!is_by_order(p))
            numbers_sort(&numbers);
        for (uint32_t i = 0; i < numbers.count && rc == 0; i++)
            rc = probe_row(p, numbers.at[i], row_get_stored(p->t, numbers.at[i]), visit, user);
    }
    *p->slot = was;
    return rc;
}

/* ---- struct table_type: reading ---- */

/* Rows that were found live until the end of the push. */
struct lent_row {
    struct object object;
    struct row *row;
};

static void lent_free(struct object *o)
{
    struct lent_row *l = (struct lent_row *)o;
    row_unref(l->row);
    mem_pool_free(l, sizeof(*l));
}

static const struct object_type lent_type = {.name = "row", .free = lent_free};

struct finding {
    struct stored *t;
    struct table_rows *out;
};

static int find_visit(void *user, uint64_t number, struct row *row)
{
    struct finding *f = user;
    struct lent_row *l = mem_pool_alloc(sizeof(*l));
    (void)number;
    *l = (struct lent_row){.object = {.type = &lent_type, .refs = 1}, .row = row_ref(row)};
    expr_loose(env_of(f->t), &l->object);
    table_rows_add(f->out, row);
    return 0;
}

static int stored_find(struct table *t, const struct table_query *q, struct frame *f, struct table_rows *out)
{
    struct probe p = probe_begin(t, q, f);
    struct finding finding = {p.t, out};
    return probe_each(&p, find_visit, &finding);
}

enum { PROBE_ENDS = 2 };

static int contains_visit(void *user, uint64_t number, struct row *row)
{
    (void)user;
    (void)number;
    (void)row;
    return PROBE_ENDS;
}

static int stored_contains(struct table *t, const struct table_query *q, struct frame *f, bool *found)
{
    struct probe p = probe_begin(t, q, f);
    int rc = probe_each(&p, contains_visit, NULL);
    *found = rc == PROBE_ENDS;
    return rc < 0 ? rc : 0;
}

static int gather_visit(void *user, uint64_t number, struct row *row)
{
    founds_add(user, number, row);
    return 0;
}

/* ---- struct table_type: changing ---- */

static int stored_insert(struct table *table, struct row *row)
{
    struct stored *t = (struct stored *)table;
    struct value key[LIMIT_TABLE_KEY];
    struct found there;
    if (row_check(t, row) < 0)
        return ERR_EVENT;
    if (plan_of(t)->primary.count) {
        values_of_row(&plan_of(t)->primary, row, key);
        int rc = primary_find(t, key, &there);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            row_unref(there.row);
            table_report(table, "a row was not inserted");
            return 0;
        }
    }
    row_add(t, row);
    return 0;
}

static int stored_overwrite(struct table *table, struct row *row)
{
    struct stored *t = (struct stored *)table;
    struct value key[LIMIT_TABLE_KEY];
    struct found there;
    if (row_check(t, row) < 0)
        return ERR_EVENT;
    values_of_row(&plan_of(t)->primary, row, key);
    int rc = primary_find(t, key, &there);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        row_add(t, row);
        return 0;
    }
    row_replace(t, there.number, there.row, row);
    row_unref(there.row);
    return 0;
}

static int stored_remove(struct table *table, const struct table_query *q, struct frame *f)
{
    struct probe p = probe_begin(table, q, f);
    struct founds found = {.scratch = f->env->scratch};
    int rc = probe_each(&p, gather_visit, &found);
    for (uint32_t i = 0; rc == 0 && i < found.count; i++)
        row_drop(p.t, found.at[i].number, found.at[i].row);
    founds_drop(&found);
    return rc;
}

/* A key that a row of an update takes. */
struct taken {
    uint64_t order;
    const struct row *row;
};

static int by_order(const void *a, const void *b)
{
    uint64_t x = ((const struct taken *)a)->order, y = ((const struct taken *)b)->order;
    return x < y ? -1 : x > y;
}

static bool rows_share_key(const struct table_key *key, const struct row *a, const struct row *b)
{
    struct value x[LIMIT_TABLE_KEY], y[LIMIT_TABLE_KEY];
    values_of_row(key, a, x);
    values_of_row(key, b, y);
    return same_key(key, x, y);
}

/* Do two of the rows take one key? Rows with one order stand together. */
static bool are_twice(const struct table_key *key, struct taken *taken, uint32_t count)
{
    if (count > 1)
        qsort(taken, count, sizeof(*taken), by_order);
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t k = i; k > 0 && taken[k - 1].order == taken[i].order; k--) {
            if (rows_share_key(key, taken[k - 1].row, taken[i].row))
                return true;
        }
    }
    return false;
}

/* May the rows take their keys? 1, 0, ERR_EVENT. */
static int keys_are_free(struct stored *t, const struct founds *was, struct row *const *rows)
{
    const struct table_key *key = &plan_of(t)->primary;
    struct arena *scratch = was->scratch;
    struct taken *taken = arena_raw(scratch, (was->count + 1) * sizeof(*taken));
    struct numbers giving = {.scratch = scratch}; /* rows that give up the key they have */
    uint32_t count = 0;
    if (key->count == 0)
        return 1;
    for (uint32_t i = 0; i < was->count; i++) {
        if (rows_share_key(key, was->at[i].row, rows[i]))
            continue;
        taken[count++] = (struct taken){stored_order(key, rows[i]), rows[i]};
        numbers_add(&giving, was->at[i].number);
    }
    numbers_sort(&giving);
    if (are_twice(key, taken, count))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        struct value values[LIMIT_TABLE_KEY];
        struct found there;
        values_of_row(key, taken[i].row, values);
        int rc = primary_find(t, values, &there);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        row_unref(there.row);
        if (!bsearch(&there.number, giving.at, giving.count, sizeof(*giving.at), by_number))
            return 0;
    }
    return 1;
}

static int update_found(struct stored *t, const struct table_statement *s, struct frame *f,
                        const struct founds *found)
{
    struct row **rows = arena_raw(f->env->scratch, (found->count + 1) * sizeof(*rows));
    uint32_t count = 0;
    int rc = 0;
    for (uint32_t i = 0; i < found->count && rc == 0; i++) {
        rows[count] = row_copy(found->at[i].row, 0, found->at[i].row->at_ms);
        rc = table_assign(s, f, rows[count], rows[count]);
        if (rc == 0)
            rc = row_check(t, rows[count]);
        count++;
    }
    if (rc == 0)
        rc = keys_are_free(t, found, rows);
    if (rc == 0)
        table_report(&t->table, "nothing was updated");
    for (uint32_t i = 0; i < found->count && rc == 1; i++)
        row_replace(t, found->at[i].number, found->at[i].row, rows[i]);
    for (uint32_t i = 0; i < count; i++)
        row_unref(rows[i]);
    return rc < 0 ? rc : 0;
}

static int stored_update(struct table *table, const struct table_statement *s, struct frame *f, bool *found)
{
    struct probe p = probe_begin(table, s->query, f);
    struct founds rows = {.scratch = f->env->scratch};
    struct row *was = *p.slot;
    int rc = probe_each(&p, gather_visit, &rows);
    *found = rows.count > 0;
    if (rc == 0 && rows.count)
        rc = update_found(p.t, s, f, &rows);
    *p.slot = was;
    founds_drop(&rows);
    return rc;
}

/* ---- opening ---- */

static void definition_words(const struct table_plan *p, struct buf *out)
{
    const struct schema *s = p->element->schema;
    for (uint32_t i = 0; i < s->count; i++)
        buf_printf(out, "%s%s %s", i ? ", " : "(", s->attributes[i].name, type_name(s->attributes[i].type));
    buf_printf(out, ")%s%s", p->primary.count ? ", " : "", p->primary.count ? p->primary.label : "");
    for (int i = 0; i < p->index_count; i++)
        buf_printf(out, ", %s", p->indexes[i].label);
}

void stored_catalog_key(const struct app *app, const char *name, struct key *k)
{
    k->len = 0;
    key_u32(k, app->store_number);
    key_u32(k, 0);
    key_u8(k, name ? 'T' : '#');
    if (name)
        key_text(k, name);
}

int stored_number(struct overlay *o, const struct key *k, uint64_t *number, struct err *e)
{
    struct store_item item;
    int rc = overlay_get(o, k->bytes, k->len, &item, e);
    if (rc == 0 && item.len >= 8)
        *number = key_get_u64(item.bytes, 0);
    return rc;
}

/* Gives the table a number, and keeps its definition under its name. */
static int make(struct stored *t, const struct buf *words, struct err *e)
{
    const struct app *app = t->table.app;
    struct key k, last;
    struct buf entry;
    uint64_t number = 0;
    stored_catalog_key(app, NULL, &last);
    int rc = stored_number(app->overlay, &last, &number, e);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    t->number = (uint32_t)++number;
    k.len = 0;
    key_u64(&k, number);
    buf_init(&entry, SIZE_MAX);
    buf_add(&entry, k.bytes, k.len);
    buf_add(&entry, words->bytes, words->len);
    overlay_put(app->overlay, last.bytes, last.len, k.bytes, k.len);
    stored_catalog_key(app, plan_of(t)->element->schema->id, &k);
    overlay_put(app->overlay, k.bytes, k.len, entry.bytes, entry.len);
    buf_fini(&entry);
    return 0;
}

static int take_up(struct stored *t, const struct store_item *entry, const struct buf *words, struct err *e)
{
    const char *own = (const char *)entry->bytes + 8;
    size_t len = entry->len > 8 ? entry->len - 8 : 0;
    if (len != words->len || memcmp(own, words->bytes, len) != 0)
        return err_set(e, ERR_STATE,
                       "table '%s' is in the store as %.*s; the app says %s: give it another name",
                       plan_of(t)->element->schema->id, (int)(len < 200 ? len : 200), own, words->bytes);
    t->number = (uint32_t)key_get_u64(entry->bytes, 0);
    return 0;
}

static int stored_start(struct table *table, struct err *e)
{
    struct stored *t = (struct stored *)table;
    struct overlay *o = overlay_of(t);
    struct store_item entry;
    struct buf words;
    struct key k;
    buf_init(&words, SIZE_MAX);
    definition_words(plan_of(t), &words);
    stored_catalog_key(table->app, plan_of(t)->element->schema->id, &k);
    int rc = overlay_get(o, k.bytes, k.len, &entry, e);
    if (rc == ERR_NOT_FOUND)
        rc = make(t, &words, e);
    else if (rc == 0)
        rc = take_up(t, &entry, &words, e);
    buf_fini(&words);
    t->next = 1;
    key_begin(t, &k, 'n');
    rc = rc < 0 ? rc : stored_number(o, &k, &t->next, e);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static void stored_close(struct table *t)
{
    (void)t;
}

/* What is in the store is of the moment of the checkpoint: nothing more to keep. */
static void stored_save(struct table *t, struct writer *w)
{
    (void)t;
    (void)w;
}

static int stored_load(struct table *t, struct reader *r)
{
    (void)t;
    (void)r;
    return 0;
}

const struct table_type table_stored = {
    .name = "the store",
    .size = sizeof(struct stored),
    .start = stored_start,
    .close = stored_close,
    .insert = stored_insert,
    .find = stored_find,
    .contains = stored_contains,
    .remove = stored_remove,
    .update = stored_update,
    .overwrite = stored_overwrite,
    .save = stored_save,
    .load = stored_load,
};
