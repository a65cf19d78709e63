/* table.h - tables (spec 08): what a plan knows of one, how rows are looked for, and how they are kept.
 *
 * Statements (table.c) say what insert, update, update or insert and delete mean for a chunk of events. A
 * kind of table (struct table_type) keeps the rows and answers a condition: table_list.c without key and
 * index, table_place.c and table_search.c with, table_stored.c in a store. plan_table.c makes the plans;
 * outputs, joins, 'in' and on-demand queries share them.
 *
 * Laws: (1) a row in a table is immutable: an update puts a new one in its place; (2) what is found is
 * gathered before anything is changed; (3) a statement goes through the events of a chunk one by one, and
 * each sees what those before it did (spec 08 section 2). */
#ifndef WEIR_RUN_TABLE_H
#define WEIR_RUN_TABLE_H

#include "engine/plan/plan.h"
#include "engine/run/lookup.h"

struct table_type;

/* A primary key or an index. */
struct table_key {
    int count; /* columns; 0: there is no primary key */
    uint16_t *columns;
    enum type type;    /* of a single column */
    bool is_ordered;   /* a primary key of a single number: rows ascend by it */
    bool is_turned;    /* the table has its columns in another order: see table_search.c */
    struct span span;  /* of its annotation */
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

/* Rows that were found: borrowed, in scratch. */
struct table_rows {
    struct row **rows;
    uint32_t count, cap;
    struct arena *scratch;
};
void table_rows_grow(struct table_rows *r);
static inline void table_rows_add(struct table_rows *r, struct row *row)
{
    if (UNLIKELY(r->count == r->cap))
        table_rows_grow(r);
    r->rows[r->count++] = row;
}

struct table_query;
struct table_statement;

/* A kind of table. Functions that return int give 0, or ERR_EVENT after expr_fail: what was changed before
 * stays. f->rows has room at q->slot, which may be changed meanwhile and is put back. On the worker only. */
struct table_type {
    const char *name;              /* "list", "keyed", "the store" */
    size_t size;                   /* of the instance, zeroed before open; struct table stands first */
    void (*open)(struct table *t); /* may be NULL */
    /* Of app_start, before anything else happens; may be NULL. ERR_STATE, ERR_IO. */
    int (*start)(struct table *t, struct err *e);
    void (*close)(struct table *t);
    /* Adds a row (refs it). One that can't stand beside those that are there is dropped and reported. */
    int (*insert)(struct table *t, struct row *row);
    /* The rows that meet q, in the table's order; they are the table's until it changes (a store: until the
     * end of the push). */
    int (*find)(struct table *t, const struct table_query *q, struct frame *f, struct table_rows *out);
    /* 'in': is there one? (spec 08 section 2) */
    int (*contains)(struct table *t, const struct table_query *q, struct frame *f, bool *found);
    int (*remove)(struct table *t, const struct table_query *q, struct frame *f);
    /* Sets columns of the rows that meet s->query; *found tells whether there were any. */
    int (*update)(struct table *t, const struct table_statement *s, struct frame *f, bool *found);
    /* The row of the same primary key becomes row, or it is added. Asked for queries that are exact only. */
    int (*overwrite)(struct table *t, struct row *row);
    void (*save)(struct table *t, struct writer *w);
    int (*load)(struct table *t, struct reader *r); /* of an open, empty one */
};
extern const struct table_type table_list, table_keyed, table_stored;
/* table_stored.c, for table_mend.c: what stands in a key of the row's in the store; the key of a table of
 * that name, or (NULL) of the last table's number; the number that stands under a key: ERR_NOT_FOUND, ERR_IO,
 * ERR_STATE. */
struct key;
struct overlay;
uint64_t stored_order(const struct table_key *key, const struct row *row);
void stored_catalog_key(const struct app *app, const char *name, struct key *k);
int stored_number(struct overlay *o, const struct key *k, uint64_t *number, struct err *e);
/* A condition over stored rows: 1, 0, or ERR_EVENT: it failed, or gave null, which fails here (an attribute
 * alone, spec 08 section 3). */
static inline int table_meets(const struct expr *condition, struct frame *f)
{
    struct value v = expr_eval(condition, f);
    if (LIKELY(v.type == TYPE_BOOL && !f->env->failed))
        return v.as.l != 0;
    if (!f->env->failed)
        expr_fail(f->env, "a condition on stored rows is %s, not true or false", type_name(v.type));
    return ERR_EVENT;
}
/* Told, not failed: a row that was dropped, an update that was skipped. */
void table_report(struct table *t, const char *what);

/* ---- searches: table_search.c ---- */

/* How a keyed table answers a condition. It shows in results and is part of the language: a lookup compares
 * without converting numbers, some lookups fail on null, and deleting by some does nothing (spec 08 section
 * 3). */
enum search_kind {
    SEARCH_SCAN,   /* the rows for which condition is true */
    SEARCH_GATE,   /* all rows, if condition, which doesn't look at them, is true */
    SEARCH_INDEX,  /* index OP value; '!=' scans */
    SEARCH_KEY,    /* the whole composite key */
    SEARCH_GUARD,  /* left, if gate, which doesn't look at rows, is true */
    SEARCH_FILTER, /* those of left that meet condition */
    SEARCH_BOTH,   /* left and right */
    SEARCH_EITHER, /* left or right */
    SEARCH_NOT,    /* all but left */
};
enum { TABLE_PRIMARY = -1 }; /* as a number of an index */
struct table_search {
    enum search_kind kind;
    bool is_inner; /* SEARCH_FILTER below another search: it can't tell its rows alone, the whole is scanned
                      when it finds any */
    int index;
    enum ast_expr_kind op;
    struct expr **values; /* for each column of the key, or one */
    int value_count;
    struct expr *condition; /* the whole of it; for SEARCH_GATE and SEARCH_SCAN all there is */
    struct expr *gate;
    const struct table_search *left, *right;
};
/* A condition over a table's rows and other slots of a frame. */
struct table_query {
    const struct plan_element *table;
    uint16_t slot;                     /* of the row */
    struct expr *on;                   /* the whole condition; NULL: all rows */
    const struct table_search *search; /* NULL in tables without key and index */
    bool is_exact;   /* the condition is the whole primary key by '==' and nothing else (spec 08 section 3) */
    const char *how; /* for explain */
};
/* struct lookup over a table. */
struct table_lookup {
    struct lookup lookup;
    const struct table_query *query;
};
int table_lookup_rows(const struct lookup *l, struct app *app, struct frame *f, struct row ***rows,
                      uint32_t *count);
int table_lookup_only(const struct lookup *l, struct app *app, struct frame *f, struct row **row);
/* Is q the key of one column, by '==': table_lookup_only. */
bool search_is_only(const struct table_query *q);
/* The node of 'in': e->config is the query, over slot 0 (the event) and 1 (the row). frame.user is the
 * operator that asks. */
struct value table_eval_in(const struct expr *e, struct frame *f);

/* ---- statements: table.c ---- */

struct table_assign {
    uint16_t column;
    struct expr *value;
};
struct table_statement {
    enum ast_output_kind kind;
    const struct plan_element *table;
    const struct table_query *query;    /* all but insert */
    const struct table_assign *assigns; /* in the order of the table's columns */
    int assign_count;
    const struct agg_layout *aggs; /* in set and on; NULL: none */
};
/* Sets the statement's columns of row, which nobody else has seen, one after the other. seen: what the
 * table's own names stand for (row itself, or NULL). */
int table_assign(const struct table_statement *s, struct frame *f, struct row *seen, struct row *row);
/* One chunk of CURRENT events whose rows are the statement's slot 0. agg: the block of s->aggs. ERR_EVENT: an
 * event failed; what was done before stays. */
int table_run(const struct table_statement *s, struct table *t, char *agg, const struct batch *in);

struct table_output_plan {
    struct op_plan op;
    struct table_statement statement;
    bool current_wanted, expired_wanted;
};
/* without and with aggregators in the statement: those have one state, that every row it sets (or, in a
 * condition, looks at) is added to and nothing leaves (spec 08 section 2) */
extern const struct op_type op_table_output, op_table_aggregate;

/* ---- planning: plan_table.c ---- */

/* Is e a table here? Reports. */
bool plan_table_need(struct planner *p, const struct plan_element *e, const struct name *id);
/* insert into, update, delete, update or insert: plan_table.c. target may be NULL (reported). */
struct op_plan *plan_output_table(struct planner *p, const struct ast_query *ast, const struct schema *out,
                                  struct plan_element *target);
/* What a statement does with events of schema out; 0, or -1 after reporting. on_demand: without 'on' nothing
 * is planned. */
int plan_table_statement(struct planner *p, const struct ast_output *o, const struct schema *out,
                         const struct plan_element *target, struct table_statement *s);
/* A condition; on may be NULL. aggs: where its aggregators have their states, NULL: it has none; in a table
 * with a key or an index it never has. NULL after reporting. */
const struct table_query *plan_table_query(struct planner *p, const struct plan_element *table,
                                           const struct scope *scope, uint16_t slot,
                                           const struct ast_expr *on, struct agg_layout *aggs);

#endif
