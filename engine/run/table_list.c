/* table_list.c - a table without key and index: rows in insertion order (spec 08 section 3).
 *
 * Law: when the last row is deleted while others stay, the language forgets where the list ends: rows
 * inserted from then on are lost until the table is empty once more or its last row is updated (tables/7/5
 * and 7/42 of the cases). plan_table.c warns of it. */
#include "engine/run/app.h"
#include "engine/run/table.h"

struct node {
    struct node *next;
    struct row *row;
};
struct list {
    struct table table;
    struct node *first, *last;
    uint64_t count;
    bool is_cut; /* the law above */
};

static struct row **slot_of(struct frame *f, const struct table_query *q)
{
    return (struct row **)(uintptr_t)&f->rows[q->slot];
}

static void rows_add(struct list *l, struct row *row)
{
    struct node *n = mem_pool_alloc(sizeof(*n));
    *n = (struct node){.row = row_ref(row)};
    if (l->last)
        l->last->next = n;
    else
        l->first = n;
    l->last = n;
    l->count++;
}

static int rows_insert(struct table *t, struct row *row)
{
    struct list *l = (struct list *)t;
    if (!l->is_cut)
        rows_add(l, row);
    return 0;
}

static void rows_close(struct table *t)
{
    struct list *l = (struct list *)t;
    for (struct node *n = l->first, *next; n; n = next) {
        next = n->next;
        row_unref(n->row);
        mem_pool_free(n, sizeof(*n));
    }
}

/* Does the row meet q? ERR_EVENT, 0 or 1. */
static int meets(const struct table_query *q, struct frame *f, struct row **slot, struct row *row)
{
    if (!q->on)
        return 1;
    *slot = row;
    return table_meets(q->on, f);
}

static int rows_find(struct table *t, const struct table_query *q, struct frame *f, struct table_rows *out)
{
    struct row **slot = slot_of(f, q), *was = *slot;
    int rc = 0;
    for (struct node *n = ((struct list *)t)->first; n && rc >= 0; n = n->next) {
        rc = meets(q, f, slot, n->row);
        if (rc == 1)
            table_rows_add(out, n->row);
    }
    *slot = was;
    return rc < 0 ? rc : 0;
}

static int rows_contains(struct table *t, const struct table_query *q, struct frame *f, bool *found)
{
    struct row **slot = slot_of(f, q), *was = *slot;
    int rc = 0;
    for (struct node *n = ((struct list *)t)->first; n && rc == 0; n = n->next)
        rc = meets(q, f, slot, n->row);
    *slot = was;
    *found = rc == 1;
    return rc < 0 ? rc : 0;
}

static void node_remove(struct list *l, struct node *before, struct node *n)
{
    if (before)
        before->next = n->next;
    else
        l->first = n->next;
    if (l->last == n)
        l->last = before;
    l->is_cut = (l->is_cut || !n->next) && l->first;
    row_unref(n->row);
    mem_pool_free(n, sizeof(*n));
    l->count--;
}

static int rows_remove(struct table *t, const struct table_query *q, struct frame *f)
{
    struct list *l = (struct list *)t;
    struct row **slot = slot_of(f, q), *was = *slot;
    struct node *before = NULL;
    int rc = 0;
    for (struct node *n = l->first, *next; n && rc >= 0; n = next) {
        next = n->next;
        rc = meets(q, f, slot, n->row);
        if (rc == 1)
            node_remove(l, before, n);
        else
            before = n;
    }
    *slot = was;
    return rc < 0 ? rc : 0;
}

static int rows_update(struct table *t, const struct table_statement *s, struct frame *f, bool *found)
{
    struct list *l = (struct list *)t;
    struct row **slot = slot_of(f, s->query), *was = *slot;
    int rc = 0;
    *found = false;
    for (struct node *n = l->first; n && rc >= 0; n = n->next) {
        rc = meets(s->query, f, slot, n->row);
        if (rc != 1)
            continue;
        struct row *row = row_copy(n->row, 0, n->row->at_ms);
        *found = true;
        rc = table_assign(s, f, row, row);
        row_unref(rc < 0 ? row : n->row);
        if (rc < 0)
            break;
        n->row = row;
        if (!n->next)
            l->is_cut = false;
    }
    *slot = was;
    return rc < 0 ? rc : 0;
}

static void rows_save(struct table *t, struct writer *w)
{
    const struct list *l = (const struct list *)t;
    write_u8(w, l->is_cut);
    write_count(w, l->count);
    for (const struct node *n = l->first; n; n = n->next)
        write_row(w, n->row);
}

static int rows_load(struct table *t, struct reader *r)
{
    struct list *l = (struct list *)t;
    l->is_cut = read_u8(r) != 0;
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct row *row = read_row(r);
        bool fits = row && row->count == t->plan->element->schema->count;
        if (fits)
            rows_add(l, row);
        if (row)
            row_unref(row);
        if (!fits)
            return ERR_STATE;
    }
    l->is_cut = l->is_cut && l->first;
    return r->failed ? ERR_STATE : 0;
}

const struct table_type table_list = {
    .name = "list",
    .size = sizeof(struct list),
    .close = rows_close,
    .insert = rows_insert,
    .find = rows_find,
    .contains = rows_contains,
    .remove = rows_remove,
    .update = rows_update,
    .save = rows_save,
    .load = rows_load,
};
