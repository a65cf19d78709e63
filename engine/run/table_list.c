/* table_list.c - a table without key and index: rows in insertion order (spec 08 section 3).
 *
 * Law: when the last row is deleted while others stay, the language forgets where the list ends: rows
 * inserted from then on are lost until the table is empty once more or its last row is updated (tables/7/5
 * and 7/42 of the cases). plan_table.c warns of it.
 *
 * In a checkpoint a node is a record (records.h): how far its number is from that of the one before, and the
 * row. Records come back in no order; the numbers tell it. */
#include "engine/data/segments.h"
#include "engine/run/app.h"
#include "engine/run/records.h"
#include "engine/run/table.h"
#include <stdlib.h>

struct node {
    struct node *next;
    struct row *row;
    uint64_t number; /* rises from node to node */
    struct record record;
};
struct list {
    struct table table;
    struct node *first, *last;
    uint64_t count, number; /* number: of the last node that was made */
    bool is_cut;            /* the law above */
    struct records *records;
};

static struct row **slot_of(struct frame *f, const struct table_query *q)
{
    return (struct row **)(uintptr_t)&f->rows[q->slot];
}

static void node_add(struct list *l, struct node *n)
{
    n->next = NULL;
    if (l->last)
        l->last->next = n;
    else
        l->first = n;
    l->last = n;
    l->count++;
}

static void node_free(struct node *n)
{
    row_unref(n->row);
    mem_pool_free(n, sizeof(*n));
}

static void rows_add(struct list *l, struct row *row)
{
    struct node *n = mem_pool_alloc(sizeof(*n));
    *n = (struct node){.row = row_ref(row), .number = ++l->number};
    records_new(l->records, &n->record);
    node_add(l, n);
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
        node_free(n);
    }
    records_free(l->records);
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
    records_gone(l->records, &n->record);
    node_free(n);
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
        records_change(l->records, &n->record);
        if (!n->next)
            l->is_cut = false;
    }
    *slot = was;
    return rc < 0 ? rc : 0;
}

/* ---- state ---- */

static struct node *node_of(const struct record *r)
{
    return (struct node *)(void *)((char *)(uintptr_t)r - offsetof(struct node, record));
}

/* What was read, in no order. */
struct nodes {
    struct list *list;
    struct node **at;
    size_t count, cap;
};

static void each_node(void *user, void (*visit)(void *to, struct record *r), void *to)
{
    for (struct node *n = ((struct nodes *)user)->list->first; n; n = n->next)
        visit(to, &n->record);
}

static void write_node(void *user, struct writer *w, const struct record *r, const struct record *last)
{
    const struct node *n = node_of(r), *before = last ? node_of(last) : NULL;
    (void)user;
    write_step(w, n->number, before ? before->number : 0);
    write_row_behind(w, n->row, before ? before->row : NULL);
}

static void near_node(void *user, const struct record *r, int step)
{
    const struct node *n = node_of(r);
    (void)user;
    if (step == 0)
        __builtin_prefetch(n);
    else
        segments_near_row(n->row, step);
}

static struct record *read_node(void *user, struct reader *r, const struct record *last)
{
    const struct node *before = last ? node_of(last) : NULL;
    uint64_t number = read_step(r, before ? before->number : 0);
    struct row *row = read_row_behind(r, before ? before->row : NULL);
    if (row && !r->failed && row->count == ((struct nodes *)user)->list->table.plan->element->schema->count) {
        struct node *n = mem_pool_alloc(sizeof(*n));
        *n = (struct node){.row = row, .number = number};
        return &n->record;
    }
    if (row)
        row_unref(row);
    return NULL;
}

static void take_node(void *user, struct record *r, uint64_t name)
{
    struct nodes *nodes = user;
    (void)name;
    if (nodes->count == nodes->cap) {
        nodes->cap = nodes->cap ? nodes->cap * 2 : 64;
        nodes->at = mem_resize(nodes->at, nodes->cap, sizeof(struct node *));
    }
    nodes->at[nodes->count++] = node_of(r);
}

static void drop_node(void *user, struct record *r)
{
    (void)user;
    node_free(node_of(r));
}

static struct records_owner owner_of(struct nodes *nodes)
{
    return (struct records_owner){.user = nodes,
                                  .each = each_node,
                                  .write = write_node,
                                  .near = near_node,
                                  .read = read_node,
                                  .take = take_node,
                                  .drop = drop_node};
}

static void rows_save(struct table *t, struct writer *w)
{
    struct nodes nodes = {.list = (struct list *)t};
    const struct records_owner owner = owner_of(&nodes);
    write_u8(w, nodes.list->is_cut);
    write_i64(w, (int64_t)nodes.list->count);
    write_i64(w, (int64_t)nodes.list->number);
    records_save(&nodes.list->records, w, &owner);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = (*(struct node *const *)a)->number, y = (*(struct node *const *)b)->number;
    return x < y ? -1 : x > y;
}

static int rows_load(struct table *t, struct reader *r)
{
    struct list *l = (struct list *)t;
    struct nodes nodes = {.list = l};
    const struct records_owner owner = owner_of(&nodes);
    l->is_cut = read_u8(r) != 0;
    uint64_t count = (uint64_t)read_i64(r);
    l->number = (uint64_t)read_i64(r);
    int rc = records_load(&l->records, r, &owner);
    if (nodes.count)
        qsort(nodes.at, nodes.count, sizeof(struct node *), by_number);
    for (size_t i = 0; i < nodes.count; i++)
        node_add(l, nodes.at[i]);
    mem_free(nodes.at);
    l->is_cut = l->is_cut && l->first;
    return rc < 0 || r->failed || l->count != count ? ERR_STATE : 0;
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
