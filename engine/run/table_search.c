/* table_search.c - the rows of a table for which a condition is true (spec 08 section 3): see table.h. Order of what is found: that of the lookup's left part.
 *
 * A lookup by key or index compares without converting numbers and may fail where a scan would not; so it is never used in place of a scan, nor a scan in
 * place of it: the plan has decided. */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/table.h"
#include <stdlib.h>

enum { HITS_FIRST = 4 };

struct search {
    struct table *table;
    struct frame *frame;
    struct row **slot;
};

void table_hits_init(struct table_hits *h, struct arena *scratch, uint32_t enough)
{
    *h = (struct table_hits){.scratch = scratch, .enough = enough};
}

void table_hits_grow(struct table_hits *h)
{
    uint32_t cap = h->cap ? h->cap * 2 : HITS_FIRST;
    struct table_hit *hits = arena_raw(h->scratch, (size_t)cap * sizeof(*hits));
    if (h->count)
        memcpy(hits, h->hits, h->count * sizeof(*hits));
    h->hits = hits;
    h->cap = cap;
}

/* ---- scans ---- */

struct scan {
    struct search *search;
    const struct expr *condition; /* or NULL */
    struct table_hits *out;
};
enum { SCAN_ENOUGH = 1 };

static int scan_visit(void *user, struct row *row, void *at)
{
    struct scan *s = user;
    if (s->condition) {
        *s->search->slot = row;
        bool pass = expr_is_true(s->condition, s->search->frame);
        if (UNLIKELY(s->search->frame->env->failed))
            return ERR_EVENT;
        if (!pass)
            return 0;
    }
    return table_hits_add(s->out, row, at) ? 0 : SCAN_ENOUGH;
}

static int scan(struct search *s, const struct expr *condition, struct table_hits *out)
{
    struct scan scan = {s, condition, out};
    int rc = s->table->plan->type->scan(s->table, scan_visit, &scan);
    return rc < 0 ? rc : 0;
}

/* ---- lookups ---- */

static int find(struct search *s, const struct table_search *t, struct table_hits *out);

static int find_values(struct search *s, const struct table_search *t, struct table_hits *out)
{
    struct value values[LIMIT_TABLE_KEY];
    const struct table_type *type = s->table->plan->type;
    for (int i = 0; i < t->value_count; i++)
        values[i] = expr_eval(t->values[i], s->frame);
    if (UNLIKELY(s->frame->env->failed))
        return ERR_EVENT;
    return t->kind == SEARCH_KEY ? type->find_key(s->table, values, out) : type->find_index(s->table, t->index, t->op, values[0], out);
}

/* All hits of t, whatever is enough for the whole. */
static int find_part(struct search *s, const struct table_search *t, struct table_hits *part, const struct table_hits *out)
{
    table_hits_init(part, out->scratch, 0);
    return find(s, t, part);
}

static int find_filter(struct search *s, const struct table_search *t, struct table_hits *out)
{
    struct table_hits part;
    struct scan scan = {s, t->condition, out};
    int rc = find_part(s, t->left, &part, out);
    for (uint32_t i = 0; i < part.count && rc == 0; i++)
        rc = scan_visit(&scan, part.hits[i].row, part.hits[i].at);
    return rc < 0 ? rc : 0;
}

static int by_place(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct table_hit *)a)->at, y = (uintptr_t)((const struct table_hit *)b)->at;
    return x < y ? -1 : x > y;
}

/* BOTH: those of left that are in right; EITHER: left, then those of right that are not in left. */
static int find_two(struct search *s, const struct table_search *t, struct table_hits *out)
{
    struct table_hits left, right;
    int rc = find_part(s, t->left, &left, out);
    if (rc == 0 && (left.count || t->kind == SEARCH_EITHER))
        rc = find_part(s, t->right, &right, out);
    else
        return rc;
    if (rc < 0)
        return rc;
    const struct table_hits *asked = t->kind == SEARCH_BOTH ? &right : &left, *from = t->kind == SEARCH_BOTH ? &left : &right;
    struct table_hit *sorted = arena_raw(out->scratch, asked->count * sizeof(*sorted));
    if (asked->count) {
        memcpy(sorted, asked->hits, asked->count * sizeof(*sorted));
        qsort(sorted, asked->count, sizeof(*sorted), by_place);
    }
    for (uint32_t i = 0; i < left.count && t->kind == SEARCH_EITHER; i++)
        table_hits_add(out, left.hits[i].row, left.hits[i].at);
    for (uint32_t i = 0; i < from->count; i++) {
        bool is_in = asked->count && bsearch(&from->hits[i], sorted, asked->count, sizeof(*sorted), by_place);
        if (is_in == (t->kind == SEARCH_BOTH))
            table_hits_add(out, from->hits[i].row, from->hits[i].at);
    }
    return 0;
}

static bool gate_open(struct search *s, const struct expr *condition)
{
    *s->slot = NULL;
    return expr_is_true(condition, s->frame);
}

static int find(struct search *s, const struct table_search *t, struct table_hits *out)
{
    switch (t->kind) {
    case SEARCH_ALL:
        return scan(s, NULL, out);
    case SEARCH_GATE:
    case SEARCH_GUARD:
        if (!gate_open(s, t->condition))
            return s->frame->env->failed ? ERR_EVENT : 0;
        return t->kind == SEARCH_GATE ? scan(s, NULL, out) : find(s, t->left, out);
    case SEARCH_SCAN:
        return scan(s, t->condition, out);
    case SEARCH_KEY:
        return find_values(s, t, out);
    case SEARCH_INDEX:
        return t->op == AST_NE ? scan(s, t->condition, out) : find_values(s, t, out);
    case SEARCH_FILTER:
        return find_filter(s, t, out);
    case SEARCH_BOTH:
    case SEARCH_EITHER:
        return find_two(s, t, out);
    }
    ASSERT(!"kind of search");
    return ERR_EVENT;
}

int table_find(const struct table_query *q, struct table *t, struct frame *f, struct table_hits *out)
{
    struct row **rows = (struct row **)(uintptr_t)f->rows;
    struct search s = {t, f, &rows[q->slot]};
    struct row *was = rows[q->slot];
    int rc = find(&s, q->search, out);
    rows[q->slot] = was;
    return rc;
}

/* ---- in ---- */

/* What the language asks the index for: >= finds a key that is not greater, <= one that is not smaller, != counts keys. */
static int contains_index(struct search *s, const struct table_search *t, bool *found)
{
    struct table_search asked = *t;
    struct table_hits one;
    if (t->op == AST_NE) {
        *found = s->table->plan->type->has_several(s->table, t->index);
        return 0;
    }
    if (t->op == AST_GE)
        asked.op = AST_LE;
    if (t->op == AST_LE)
        asked.op = AST_GE;
    table_hits_init(&one, s->frame->env->scratch, 1);
    int rc = find_values(s, &asked, &one);
    *found = one.count > 0;
    return rc;
}

static int contains(struct search *s, const struct table_search *t, bool *found)
{
    if (t->kind == SEARCH_INDEX)
        return contains_index(s, t, found);
    if (t->kind == SEARCH_GUARD) {
        int rc = contains(s, t->left, found);
        *found = rc == 0 && *found && gate_open(s, t->condition);
        return s->frame->env->failed ? ERR_EVENT : rc;
    }
    struct table_hits one;
    table_hits_init(&one, s->frame->env->scratch, 1);
    int rc = find(s, t, &one);
    *found = one.count > 0;
    return rc;
}

int table_contains(const struct table_query *q, struct table *t, struct frame *f, bool *found)
{
    struct row **rows = (struct row **)(uintptr_t)f->rows;
    struct search s = {t, f, &rows[q->slot]};
    struct row *was = rows[q->slot];
    *found = false;
    int rc = contains(&s, q->search, found);
    rows[q->slot] = was;
    return rc;
}

/* ---- for joins, on-demand queries and expressions ---- */

int table_lookup_rows(const struct lookup *l, struct app *app, struct frame *f, struct row ***rows, uint32_t *count)
{
    const struct table_query *q = ((const struct table_lookup *)l)->query;
    struct table_hits found;
    table_hits_init(&found, f->env->scratch, 0);
    int rc = table_find(q, app->tables[q->table->number], f, &found);
    if (rc < 0)
        return rc;
    struct row **out = arena_raw(f->env->scratch, found.count * sizeof(*out));
    for (uint32_t i = 0; i < found.count; i++)
        out[i] = found.hits[i].row;
    *rows = out;
    *count = found.count;
    return 0;
}

struct value table_eval_in(const struct expr *e, struct frame *f)
{
    const struct table_query *q = e->config;
    const struct app *app = ((const struct op *)f->user)->app;
    struct row *rows[2] = {f->rows[0], NULL};
    struct frame inner = *f;
    bool found;
    inner.rows = rows;
    if (table_contains(q, app->tables[q->table->number], &inner, &found) < 0)
        return VALUE_NULL;
    return value_bool(found);
}
