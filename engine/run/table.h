/* table.h - tables (spec 08): what a plan knows of one, how rows are looked for, and how they are kept.
 *
 * Three layers. Statements (table.c) say what insert, update, update or insert and delete mean. A search (table_search.c) turns a condition into
 * lookups by key and index, and scans. A storage (struct table_type: memory, or a store) keeps the rows; it knows keys and indexes, no
 * expressions. plan_table.c makes the plans of all three; outputs and on-demand queries share them.
 *
 * Laws: (1) a row in a table is immutable: an update puts a new one in its place; (2) what is found is gathered before anything is changed; (3) a
 * statement goes through the events of a chunk one by one, and each sees what those before it did (spec 08 section 2). */
#ifndef WEIR_RUN_TABLE_H
#define WEIR_RUN_TABLE_H

#include "engine/plan/plan.h"
#include "engine/run/lookup.h"

struct table_type;

/* A primary key or an index. */
struct table_key {
    int count; /* columns; 0: there is no primary key */
    uint16_t *columns;
    enum type type;  /* of a single column */
    bool is_ordered; /* a single number: it answers < and > too, and takes no null (spec 08 section 3) */
    const char *label; /* "primary key (k)", "index (v)" */
};

/* plan_element.config of a table. */
struct table_plan {
    const struct plan_element *element;
    const struct table_type *type;
    struct table_key primary;
    struct table_key *indexes; /* of one column each */
    int index_count;
};

struct table {
    struct app *app;
    const struct table_plan *plan;
};

/* A row that was found. */
struct table_hit {
    struct row *row; /* the table's */
    void *at;        /* where it stands: the storage's business; equal for two hits of the same row, and for no others */
};
struct table_hits {
    struct table_hit *hits;
    uint32_t count, cap;
    struct arena *scratch;
    uint32_t enough; /* stop looking at so many; 0: all */
};
void table_hits_init(struct table_hits *h, struct arena *scratch, uint32_t enough);
void table_hits_grow(struct table_hits *h);
/* False when there are enough. */
static inline bool table_hits_add(struct table_hits *h, struct row *row, void *at)
{
    if (h->count == h->cap)
        table_hits_grow(h);
    h->hits[h->count++] = (struct table_hit){row, at};
    return h->count != h->enough;
}

enum { TABLE_PRIMARY = -1 }; /* as a number of an index */
enum table_put { TABLE_PUT_DONE, TABLE_PUT_DUPLICATE };

/* Keeps the rows of one table. Functions that return int give 0 or ERR_EVENT after expr_fail. Rows given are borrowed (the storage refs what it keeps), and
 * rows found are the storage's until the table changes (a store: until the end of the push). */
struct table_type {
    const char *name; /* "memory" */
    size_t size;      /* of the instance, zeroed before open; struct table stands first */
    void (*open)(struct table *t);
    void (*close)(struct table *t);
    /* The row whose whole primary key is key[] (spec 08 section 3: a composite key compares as text), at most one. */
    int (*find_key)(struct table *t, const struct value *key, struct table_hits *out);
    /* column OP value, OP one of AST_EQ, AST_LT, AST_LE, AST_GT, AST_GE (all but AST_EQ on ordered ones only). The primary key ascends by key; an index gives
     * rows in insertion order. A number of another type than the column's, or null, fails the event. */
    int (*find_index)(struct table *t, int index, enum ast_expr_kind op, struct value v, struct table_hits *out);
    /* Is there more than one key in the primary key or index? */
    bool (*has_several)(struct table *t, int index);
    /* All rows in the table's order, until visit returns other than 0; returns that. visit must not change the table. */
    int (*scan)(struct table *t, int (*visit)(void *user, struct row *row, void *at), void *user);
    /* Adds a row. *put tells whether its primary key was there already, and nothing was done. */
    int (*insert)(struct table *t, struct row *row, enum table_put *put);
    /* Puts rows[i] in the place of hits[i], all of them or none: *put as above when a changed primary key meets one that is there or becomes another of these. */
    int (*replace)(struct table *t, const struct table_hit *hits, struct row *const *rows, uint32_t count, enum table_put *put);
    /* The row of the same primary key becomes row, in its place; without one it is added. */
    int (*overwrite)(struct table *t, struct row *row);
    int (*remove)(struct table *t, const struct table_hit *hits, uint32_t count);
    uint64_t (*count)(struct table *t);
    void (*save)(struct table *t, struct writer *w);
    int (*load)(struct table *t, struct reader *r); /* of an open, empty one */
};
extern const struct table_type table_memory; /* table_memory.c */

/* ---- searches: table_search.c ---- */

enum search_kind {
    SEARCH_ALL,    /* every row */
    SEARCH_GATE,   /* every row, if a condition that doesn't look at rows is true */
    SEARCH_SCAN,   /* the rows for which condition is true */
    SEARCH_KEY,    /* by the whole composite key */
    SEARCH_INDEX,  /* index OP value; AST_NE is done by condition, as a scan */
    SEARCH_FILTER, /* those of left for which condition is true */
    SEARCH_GUARD,  /* those of left, if condition, which doesn't look at rows, is true */
    SEARCH_BOTH,   /* in left and in right */
    SEARCH_EITHER, /* in left, then those of right that are not in left */
};
struct table_search {
    enum search_kind kind;
    int index;
    enum ast_expr_kind op;
    struct expr **values; /* for each column of the key, or one */
    int value_count;
    struct expr *condition;
    const struct table_search *left, *right;
};
/* A condition over a table's rows and other slots of a frame. */
struct table_query {
    const struct plan_element *table;
    uint16_t slot;    /* of the row */
    struct expr *on;  /* the whole condition; NULL: all rows */
    const struct table_search *search;
    bool is_exact;    /* the condition is the whole primary key by '==' and nothing else (spec 08 section 3) */
    const char *how;  /* for explain */
};
/* f->rows has room at q->slot, which is changed and put back. */
int table_find(const struct table_query *q, struct table *t, struct frame *f, struct table_hits *out);
/* 'in': is there such a row? With the language's own idea of >=, <= and != by index (spec 08 section 3). ERR_EVENT or 0. */
int table_contains(const struct table_query *q, struct table *t, struct frame *f, bool *found);

/* struct lookup over a table. */
struct table_lookup {
    struct lookup lookup;
    const struct table_query *query;
};
int table_lookup_rows(const struct lookup *l, struct app *app, struct frame *f, struct row ***rows, uint32_t *count);
/* The node of 'in': e->config is the query, over slot 0 (the event) and 1 (the row). frame.user is the operator that asks. */
struct value table_eval_in(const struct expr *e, struct frame *f);

/* ---- statements: table.c ---- */

struct table_assign {
    uint16_t column;
    struct expr *value;
};
struct table_statement {
    enum ast_output_kind kind;
    const struct plan_element *table;
    const struct table_query *query;   /* all but insert */
    const struct table_assign *assigns; /* in the order of the table's columns */
    int assign_count;
};
/* One chunk of CURRENT events whose rows are the statement's slot 0. ERR_EVENT: an event failed; what was done before stays. */
int table_run(const struct table_statement *s, struct table *t, const struct batch *in);

struct table_output_plan {
    struct op_plan op;
    struct table_statement statement;
    bool current_wanted, expired_wanted;
};
extern const struct op_type op_table_output;

/* ---- planning: plan_table.c ---- */

/* Is e a table here? Reports. */
bool plan_table_need(struct planner *p, const struct plan_element *e, const struct name *id);
/* insert into, update, delete, update or insert: plan_table.c. target may be NULL (reported). */
struct op_plan *plan_output_table(struct planner *p, const struct ast_query *ast, const struct schema *out, struct plan_element *target);
/* What a statement does with events of schema out; 0, or -1 after reporting. on_demand: without 'on' nothing is planned. */
int plan_table_statement(struct planner *p, const struct ast_output *o, const struct schema *out, const struct plan_element *target,
                         struct table_statement *s);
/* A condition; on may be NULL. NULL after reporting. */
const struct table_query *plan_table_query(struct planner *p, const struct plan_element *table, const struct scope *scope, uint16_t slot,
                                           const struct ast_expr *on);

#endif
