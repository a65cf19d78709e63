/* table_search.c - conditions and statements over a table with a primary key or indexes (spec 08 section 3):
 * see table.h, enum search_kind.
 *
 * A search either knows its rows or it doesn't; then the whole condition is asked of every row. It does not
 * when it is a scan, a '!=' by index, or an inner filter that found candidates. What delete does depends on
 * the kind of the search, not only on the rows: a filter deletes nothing when its lookup knew the candidates.
 *
 * The language makes the name of a composite key from the order of the table's attributes, and keeps the key
 * under the order of its annotation: where they are not the same, every lookup by the whole key fails its
 * event. */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/table_place.h"
#include <stdlib.h>

enum { FEW = 10 }; /* so few candidates are asked one by one */

struct search {
    struct keyed *k;
    struct frame *frame;
    struct row **slot;
};

static struct search search_begin(struct table *t, const struct table_query *q, struct frame *f)
{
    struct row **rows = (struct row **)(uintptr_t)f->rows;
    rows[q->slot] = NULL;
    return (struct search){(struct keyed *)t, f, &rows[q->slot]};
}

static struct items items_of(const struct search *s)
{
    return (struct items){.scratch = s->frame->env->scratch};
}

/* ERR_EVENT, 0 or 1. */
static int meets(struct search *s, const struct expr *condition, struct item *item)
{
    *s->slot = item->row;
    int rc = table_meets(condition, s->frame);
    *s->slot = NULL;
    return rc;
}

static int gate(struct search *s, const struct expr *condition)
{
    return table_meets(condition, s->frame);
}

/* ---- scans ---- */

struct scan {
    struct search *search;
    const struct expr *condition; /* or NULL */
    struct items *out;            /* or NULL: the first ends it */
};
enum { SCAN_FOUND = 1 };

static int scan_visit(void *user, struct item *item)
{
    struct scan *s = user;
    int rc = s->condition ? meets(s->search, s->condition, item) : 1;
    if (rc != 1)
        return rc;
    if (!s->out)
        return SCAN_FOUND;
    items_add(s->out, item);
    return 0;
}

static int scan(struct search *s, const struct expr *condition, struct items *out)
{
    struct scan scan = {s, condition, out};
    return place_scan(s->k, scan_visit, &scan);
}

static int filter(struct search *s, const struct expr *condition, const struct items *from, struct items *out)
{
    int rc = 0;
    for (uint32_t i = 0; i < from->count && rc >= 0; i++) {
        rc = meets(s, condition, from->at[i]);
        if (rc == 1)
            items_add(out, from->at[i]);
    }
    return rc < 0 ? rc : 0;
}

/* ---- what a search knows ---- */

/* 1: out has its rows; 0: it doesn't know them; ERR_EVENT. */
static int known(struct search *s, const struct table_search *t, struct items *out);

static int values_of(struct search *s, const struct table_search *t, struct value *values)
{
    for (int i = 0; i < t->value_count; i++)
        values[i] = expr_eval(t->values[i], s->frame);
    if (UNLIKELY(t->kind == SEARCH_KEY && place_plan(s->k)->primary.is_turned))
        expr_fail(s->frame->env,
                  "table '%s': a lookup by its %s fails, for the table has these attributes in another order",
                  place_plan(s->k)->element->schema->id, place_plan(s->k)->primary.label);
    return UNLIKELY(s->frame->env->failed) ? ERR_EVENT : 0;
}

static bool is_in(struct item *item, const struct items *sorted)
{
    return sorted->count && bsearch(&item, sorted->at, sorted->count, sizeof(*sorted->at), items_by_address);
}

static struct items sorted_copy(const struct search *s, const struct items *items)
{
    struct items copy = items_of(s);
    for (uint32_t i = 0; i < items->count; i++)
        items_add(&copy, items->at[i]);
    if (copy.count)
        qsort(copy.at, copy.count, sizeof(*copy.at), items_by_address);
    return copy;
}

int search_cost(const struct table_search *t)
{
    switch (t->kind) {
    case SEARCH_KEY:
        return 1;
    case SEARCH_INDEX:
        return t->op == AST_EQ ? 1 : t->op == AST_NE ? 3 : 2;
    case SEARCH_GUARD:
        return search_cost(t->left);
    case SEARCH_BOTH:
        return search_cost(t->left) <= search_cost(t->right) ? search_cost(t->left) : search_cost(t->right);
    case SEARCH_EITHER:
        return search_cost(t->left) >= search_cost(t->right) ? search_cost(t->left) : search_cost(t->right);
    case SEARCH_FILTER:
        return t->is_inner ? 3 : search_cost(t->left);
    case SEARCH_SCAN:
    case SEARCH_GATE:
    case SEARCH_NOT:
        break;
    }
    return 3;
}

/* The cheaper side first; few candidates are asked for the whole condition, many must be in both. */
static int known_both(struct search *s, const struct table_search *t, struct items *out)
{
    bool left_first = search_cost(t->left) <= search_cost(t->right);
    struct items low = items_of(s), high = items_of(s);
    int rc = known(s, left_first ? t->left : t->right, &low);
    if (rc < 1 || low.count == 0)
        return rc;
    if (low.count <= FEW)
        return filter(s, t->condition, &low, out) < 0 ? ERR_EVENT : 1;
    rc = known(s, left_first ? t->right : t->left, &high);
    if (rc < 1 || high.count == 0)
        return rc;
    if (high.count <= FEW)
        return filter(s, t->condition, &high, out) < 0 ? ERR_EVENT : 1;
    struct items sorted = sorted_copy(s, &high);
    for (uint32_t i = 0; i < low.count; i++) {
        if (is_in(low.at[i], &sorted))
            items_add(out, low.at[i]);
    }
    return 1;
}

static int known_either(struct search *s, const struct table_search *t, struct items *out)
{
    struct items right = items_of(s);
    int rc = known(s, t->left, out);
    if (rc == 1)
        rc = known(s, t->right, &right);
    if (rc < 1)
        return rc;
    struct items sorted = sorted_copy(s, out);
    for (uint32_t i = 0; i < right.count; i++) {
        if (!is_in(right.at[i], &sorted))
            items_add(out, right.at[i]);
    }
    return 1;
}

static int known_not(struct search *s, const struct table_search *t, struct items *out)
{
    struct items all = items_of(s), left = items_of(s);
    int rc = known(s, t->left, &left);
    if (rc < 1)
        return rc;
    if (scan(s, NULL, &all) < 0)
        return ERR_EVENT;
    struct items sorted = sorted_copy(s, &left);
    for (uint32_t i = 0; i < all.count; i++) {
        if (!is_in(all.at[i], &sorted))
            items_add(out, all.at[i]);
    }
    return 1;
}

static int known_values(struct search *s, const struct table_search *t, struct items *out)
{
    struct value values[LIMIT_TABLE_KEY];
    KNOWN(t->value_count > 0);
    if (values_of(s, t, values) < 0)
        return ERR_EVENT;
    if (t->kind == SEARCH_INDEX)
        return place_find(s->k, t->index, t->op, values[0], out) < 0 ? ERR_EVENT : 1;
    struct item *item = place_get(s->k, values);
    if (item)
        items_add(out, item);
    return 1;
}

static int known_filter(struct search *s, const struct table_search *t, struct items *out)
{
    struct items left = items_of(s);
    int rc = known(s, t->left, &left);
    if (rc < 1 || left.count == 0)
        return rc;
    if (t->is_inner)
        return 0;
    return filter(s, t->condition, &left, out) < 0 ? ERR_EVENT : 1;
}

static int known(struct search *s, const struct table_search *t, struct items *out)
{
    int rc;
    switch (t->kind) {
    case SEARCH_SCAN:
        return 0;
    case SEARCH_GATE:
        rc = gate(s, t->condition);
        if (rc == 1)
            rc = scan(s, NULL, out);
        return rc < 0 ? rc : 1;
    case SEARCH_INDEX:
        return t->op == AST_NE ? 0 : known_values(s, t, out);
    case SEARCH_KEY:
        return known_values(s, t, out);
    case SEARCH_GUARD:
        rc = gate(s, t->gate);
        return rc == 1 ? known(s, t->left, out) : rc < 0 ? rc : 1;
    case SEARCH_FILTER:
        return known_filter(s, t, out);
    case SEARCH_BOTH:
        return known_both(s, t, out);
    case SEARCH_EITHER:
        return known_either(s, t, out);
    case SEARCH_NOT:
        return known_not(s, t, out);
    }
    ASSERT(!"kind of search");
    return ERR_EVENT;
}

/* ---- find ---- */

static int find(struct search *s, const struct table_search *t, struct items *out)
{
    if (t->kind == SEARCH_GUARD) {
        int rc = gate(s, t->gate);
        return rc == 1 ? find(s, t->left, out) : rc;
    }
    int rc = known(s, t, out);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    out->count = 0;
    return scan(s, t->condition, out);
}

/* The value doesn't look at the row. */
static inline struct row *search_only(struct table *t, const struct table_query *q, struct frame *f)
{
    const struct keyed *k = (const struct keyed *)t;
    struct value v = expr_read(q->search->values[0], f);
    if (UNLIKELY(f->env->failed))
        return NULL;
    if (place_is_ordered(k))
        return place_row_number(k, v);
    if (LIKELY(v.type == TYPE_STRING))
        return place_row_text(k, v.as.s);
    const struct item *item = place_get_one(k, v);
    return item ? item->row : NULL;
}

bool search_is_only(const struct table_query *q)
{
    const struct table_plan *plan = q->table->config;
    const struct table_search *only = q->search;
    return plan->type == &table_keyed && only && only->kind == SEARCH_INDEX && only->index == TABLE_PRIMARY &&
           only->op == AST_EQ;
}

int table_lookup_only(const struct lookup *l, struct app *app, struct frame *f, struct row **row)
{
    const struct table_query *q = ((const struct table_lookup *)l)->query;
    *row = search_only(app->tables[q->table->number], q, f);
    return UNLIKELY(f->env->failed) ? ERR_EVENT : 0;
}

bool table_probe_open(struct table_probe *p, const struct lookup *l, const struct app *app, uint16_t slot)
{
    if (l->only != table_lookup_only)
        return false;
    const struct table_query *q = ((const struct table_lookup *)l)->query;
    const struct expr *key = q->search->values[0];
    const struct table_plan *plan = q->table->config;
    if (key->eval != eval_attr || key->slot != slot || plan->primary.is_ordered)
        return false;
    *p = (struct table_probe){.table = (const struct keyed *)app->tables[q->table->number],
                              .type_at = key->type_at,
                              .cell_at = key->cell_at};
    return true;
}

int search_find(struct table *t, const struct table_query *q, struct frame *f, struct table_rows *out)
{
    if (LIKELY(search_is_only(q))) { /* what most joins ask for */
        struct row *row = search_only(t, q, f);
        if (row)
            table_rows_add(out, row);
        return UNLIKELY(f->env->failed) ? ERR_EVENT : 0;
    }
    struct search s = search_begin(t, q, f);
    struct items found = items_of(&s);
    int rc = find(&s, q->search, &found);
    for (uint32_t i = 0; i < found.count && rc == 0; i++)
        table_rows_add(out, found.at[i]->row);
    return rc;
}

/* ---- in ---- */

static int contains_scan(struct search *s, const struct expr *condition, bool *found)
{
    int rc = scan(s, condition, NULL);
    *found = rc == SCAN_FOUND;
    return rc < 0 ? rc : 0;
}

static int contains_either(struct search *s, const struct table_search *t, bool *found)
{
    struct items part = items_of(s);
    int rc = known(s, t->left, &part);
    if (rc == 1 && part.count == 0)
        rc = known(s, t->right, &part);
    if (rc < 0)
        return rc;
    *found = rc == 1 && part.count;
    return *found ? 0 : contains_scan(s, t->condition, found);
}

static int contains(struct search *s, const struct table_search *t, bool *found)
{
    struct value values[LIMIT_TABLE_KEY];
    struct items some = items_of(s);
    int rc;
    switch (t->kind) {
    case SEARCH_GATE:
        rc = gate(s, t->condition);
        *found = rc == 1;
        return rc < 0 ? rc : 0;
    case SEARCH_INDEX:
        if (values_of(s, t, values) < 0)
            return ERR_EVENT;
        return place_contains(s->k, t->index, t->op, values[0], found);
    case SEARCH_GUARD:
        rc = gate(s, t->gate);
        return rc == 1 ? contains(s, t->left, found) : rc;
    case SEARCH_EITHER:
        return contains_either(s, t, found);
    case SEARCH_SCAN:
    case SEARCH_KEY:
    case SEARCH_FILTER:
    case SEARCH_BOTH:
    case SEARCH_NOT:
        break;
    }
    rc = known(s, t, &some);
    if (rc == 0)
        return contains_scan(s, t->condition, found);
    *found = rc == 1 && some.count > 0;
    return rc < 0 ? rc : 0;
}

int search_contains(struct table *t, const struct table_query *q, struct frame *f, bool *found)
{
    struct search s = search_begin(t, q, f);
    *found = false;
    return contains(&s, q->search, found);
}

/* ---- delete ---- */

static int remove_scan(struct search *s, const struct expr *condition)
{
    struct items found = items_of(s);
    int rc = scan(s, condition, &found);
    return rc < 0 ? rc : place_delete_items(s->k, &found);
}

static int remove_by(struct search *s, const struct table_search *t);

static int remove_either(struct search *s, const struct table_search *t)
{
    struct items left = items_of(s), right = items_of(s);
    int rc = known(s, t->left, &left);
    if (rc == 1)
        rc = known(s, t->right, &right);
    if (rc < 1)
        return rc < 0 ? rc : remove_scan(s, t->condition);
    rc = remove_by(s, t->left);
    return rc < 0 ? rc : remove_by(s, t->right);
}

static int remove_by(struct search *s, const struct table_search *t)
{
    struct value values[LIMIT_TABLE_KEY];
    struct items found = items_of(s);
    int rc;
    switch (t->kind) {
    case SEARCH_SCAN:
        return remove_scan(s, t->condition);
    case SEARCH_GATE:
        rc = gate(s, t->condition);
        if (rc == 1)
            place_delete_all(s->k);
        return rc < 0 ? rc : 0;
    case SEARCH_INDEX:
    case SEARCH_KEY:
        if (values_of(s, t, values) < 0)
            return ERR_EVENT;
        if (t->kind == SEARCH_INDEX)
            return place_delete(s->k, t->index, t->op, values[0]);
        place_delete_key(s->k, values);
        return 0;
    case SEARCH_GUARD:
        rc = gate(s, t->gate);
        return rc == 1 ? remove_by(s, t->left) : rc;
    case SEARCH_FILTER:
        rc = known(s, t, &found);
        return rc == 0 ? remove_scan(s, t->condition) : rc < 0 ? rc : 0;
    case SEARCH_EITHER:
        return remove_either(s, t);
    case SEARCH_BOTH:
    case SEARCH_NOT:
        break;
    }
    rc = known(s, t, &found);
    if (rc == 0)
        return remove_scan(s, t->condition);
    return rc < 0 ? rc : place_delete_items(s->k, &found);
}

int search_remove(struct table *t, const struct table_query *q, struct frame *f)
{
    struct search s = search_begin(t, q, f);
    return remove_by(&s, q->search);
}

/* ---- update ---- */

/* The columns of a composite key don't count: a row stays where it is when they change. */
static bool is_indexed(const struct table_plan *p, uint16_t column)
{
    if (p->primary.count == 1 && p->primary.columns[0] == column)
        return true;
    for (int i = 0; i < p->index_count; i++) {
        if (p->indexes[i].columns[0] == column)
            return true;
    }
    return false;
}

enum move { MOVE_NONE, MOVE_ALL, MOVE_REFUSED };

/* Values that found rows give up, and those they take: a key twice is refused. */
struct keys {
    struct value *left, *taken;
    uint32_t count;
};

static bool has_value(const struct value *values, uint32_t count, struct value v)
{
    for (uint32_t i = 0; i < count; i++) {
        if (value_same(values[i], v))
            return true;
    }
    return false;
}

/* A row gives up its key and takes another. */
static bool key_taken(struct search *s, struct keys *keys, struct value was, struct value v)
{
    bool is_free = !place_has_primary(s->k, v) || has_value(keys->left, keys->count, v) || value_same(was, v);
    if (!is_free || has_value(keys->taken, keys->count, v))
        return true;
    keys->left[keys->count] = was;
    keys->taken[keys->count++] = v;
    return false;
}

/* Does an assignment move the rows, and may it? The first column that moves one decides (spec 08 section 3).
 */
static int moves(struct search *s, const struct table_statement *st, const struct items *found,
                 enum move *move)
{
    const struct table_plan *p = place_plan(s->k);
    struct arena *scratch = s->frame->env->scratch;
    *move = MOVE_NONE;
    for (int i = 0; i < st->assign_count && *move == MOVE_NONE; i++) {
        const struct table_assign *a = &st->assigns[i];
        if (!is_indexed(p, a->column))
            continue;
        bool is_key = p->primary.count == 1 && p->primary.columns[0] == a->column && s->k->count > 0;
        struct keys keys = {0};
        if (is_key) {
            keys.left = arena_raw(scratch, found->count * sizeof(struct value));
            keys.taken = arena_raw(scratch, found->count * sizeof(struct value));
        }
        for (uint32_t n = 0; n < found->count; n++) {
            struct value v = expr_eval(a->value, s->frame), was = row_get(found->at[n]->row, a->column);
            if (UNLIKELY(s->frame->env->failed))
                return ERR_EVENT;
            if (is_null(v) || is_null(was) || value_same(v, was))
                continue;
            *move = MOVE_ALL;
            if (!is_key)
                break;
            if (key_taken(s, &keys, was, v)) {
                *move = MOVE_REFUSED;
                break;
            }
        }
    }
    return 0;
}

static int assign(struct search *s, const struct table_statement *st, struct item *item)
{
    struct row *row = row_copy(item->row, 0, item->row->at_ms);
    if (table_assign(st, s->frame, NULL, row) < 0) {
        row_unref(row);
        return ERR_EVENT;
    }
    place_set_row(s->k, item, row);
    return 0;
}

/* A row that moved is an item of its own: links that lead to the one it was don't lead to it. */
static int add_again(struct search *s, struct item *was)
{
    struct item *e = item_new(s->k, was->row);
    if (!place_has_key(s->k))
        e->moment = was->moment;
    int rc = place_add(s->k, e);
    item_unref(s->k, e);
    return rc;
}

static int update_found(struct search *s, const struct table_statement *st, const struct items *found)
{
    enum move move;
    int rc = moves(s, st, found, &move);
    uint32_t done = 0;
    if (move == MOVE_REFUSED)
        table_report(&s->k->table, "nothing was updated");
    for (uint32_t i = 0; i < found->count; i++)
        found->at[i]->refs++;
    if (rc == 0 && move == MOVE_ALL)
        rc = remove_by(s, st->query->search);
    while (rc == 0 && move != MOVE_REFUSED && done < found->count) {
        item_unlink(s->k, found->at[done]);
        rc = assign(s, st, found->at[done++]);
    }
    items_link(s->k, found, done);
    for (uint32_t i = 0; i < found->count && rc == 0 && move == MOVE_ALL; i++)
        rc = add_again(s, found->at[i]);
    for (uint32_t i = 0; i < found->count; i++)
        item_unref(s->k, found->at[i]);
    return rc;
}

int search_update(struct table *t, const struct table_statement *st, struct frame *f, bool *found)
{
    struct search s = search_begin(t, st->query, f);
    struct items items = items_of(&s);
    int rc = find(&s, st->query->search, &items);
    if (rc == 0)
        items_chain(s.k, &items);
    *found = items.count > 0;
    return rc < 0 || items.count == 0 ? rc : update_found(&s, st, &items);
}
