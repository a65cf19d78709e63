/* plan.h - an app compiled: every name resolved, every type known; immutable once made (spec 01 to 10).
 * Private to engine/plan and engine/run.
 *
 * Made by plan_app.c in its own arena, which also holds the tree; the running app owns it. Everything is
 * found by number at run time. */
#ifndef WEIR_PLAN_PLAN_H
#define WEIR_PLAN_PLAN_H

#include "engine/base/map.h"
#include "engine/engine.h"
#include "engine/run/op.h"
#include "engine/window/window.h"

/* What an id of the app stands for. Streams, tables, windows and aggregations have numbers of their own. */
enum element_kind { ELEMENT_STREAM, ELEMENT_TABLE, ELEMENT_WINDOW, ELEMENT_AGGREGATION };

enum on_error { ON_ERROR_LOG, ON_ERROR_STREAM, ON_ERROR_STORE };

struct plan_element {
    enum element_kind kind;
    int number; /* among its kind */
    const struct schema *schema;
    const struct ast_definition *definition; /* NULL: inferred from an insert */
    /* streams */
    enum on_error on_error;
    int fault; /* number of !S, or -1 */
    bool is_read;
    /* #S of a partition: its streams are made for each key; number is among those of the partition */
    bool is_inner;
    /* windows */
    struct op_plan *window;
    bool publishes_current, publishes_expired;
    const struct window_type *window_type;
    /* tables, aggregations: run/table.h, run/aggregate.h */
    void *config;
};

/* Where a query gets rows from: a stream (or a named window's output) and the operator that takes them. */
struct plan_input {
    const struct plan_element *element;
    struct op_plan *entry;
};

struct plan_query {
    struct plan_query *next;
    const char *name; /* @info(name), or query_N */
    bool is_named;    /* @info(name) was given: its callbacks are reported */
    const struct ast_query *ast;
    struct plan_input *inputs;
    int input_count;
    struct op_plan **ops; /* in order of making, that is: of schedulers */
    int op_count, op_cap;
    struct op_plan *select;           /* what the input's chains end in */
    struct plan_partition *partition; /* or NULL */
};

struct plan_trigger {
    struct plan_trigger *next;
    const struct plan_element *stream;
    const struct ast_definition *definition;
};

/* A partition or a query, in text order (spec 03 section 1: order of delivery). */
struct plan_item {
    struct plan_item *next;
    struct plan_query *query;
    struct plan_partition *partition;
};

struct plan {
    struct arena arena;
    char *text;
    const char *name;
    bool playback;
    bool has_stored;               /* a table of @store(type='lmdb') */
    int64_t idle_ms, increment_ms; /* playback's heartbeat (run/heartbeat.c); idle_ms 0: none */
    struct plan_limits limits;
    struct ast_app *ast;
    const char *start_error; /* why it can't be started, which the language finds out only then; or NULL */
    struct plan_element **elements; /* all, in order of making */
    int element_count, element_cap;
    struct map ids; /* id (with '!' or '#') -> struct plan_element */
    struct plan_element **streams, **tables, **windows, **aggregations; /* by number */
    int stream_count, table_count, window_count, aggregation_count;
    int stream_cap, table_cap, window_cap, aggregation_cap;
    struct plan_trigger *triggers;
    struct script_function *functions;
    struct plan_item *items;
    int query_count;
    int scheduler_count, op_count;
};

/* The compile in progress. */
struct planner {
    struct plan *plan;
    struct arena *arena;
    struct diags *diags;
    struct plan_query *query;         /* the one being planned */
    struct plan_partition *partition; /* around it, or NULL */
    bool is_on_demand;                /* an on-demand query over a plan that runs */
    bool calls_script;                /* something that was planned does */
};

/* plan_element.c */
struct plan_element *plan_element_add(struct planner *p, enum element_kind kind, const char *id,
                                      const struct schema *schema, const struct ast_definition *def);
/* What 'from [mark]id' names: inner streams of the current partition, fault streams, anything defined so far.
 * NULL: nothing. */
struct plan_element *plan_element_find(struct planner *p, char mark, const char *id);
/* As find; reports "no stream X" with the nearest name. */
struct plan_element *plan_element_need(struct planner *p, char mark, const struct name *id);

/* plan_query.c: makes an op_plan known to the query: numbers it, gives it a scheduler when it has due. */
void plan_add_op(struct planner *p, struct op_plan *op);
struct op_plan *op_plan_new(struct planner *p, const struct op_type *type, size_t bytes, struct span span);
struct plan_query *plan_query(struct planner *p, const struct ast_query *ast);
void plan_query_input(struct planner *p, const struct plan_element *element, struct op_plan *entry);
/* Context for compiling an expression over scope in the current query. */
struct expr_ctx plan_expr_ctx(struct planner *p, const struct scope *scope, struct agg_layout *aggs);
/* As expr_compile_bool, where the language wants an operation or a call: an attribute or a literal alone is
 * refused (spec 03 section 3). NULL after reporting. */
struct expr *plan_condition(struct expr_ctx *c, const struct ast_expr *e, const char *what);

/* What an input leaves for the select clause. */
struct plan_from {
    /* of a single chain: last->next will be the selector. For joins and patterns: last only */
    struct op_plan *first, *last;
    struct scope scope;
    const struct schema *schema; /* single-stream: rows that reach the selector */
    bool is_single;
    bool is_found; /* rows of an on-demand query: having and order by see all their attributes */
    bool sliding;  /* the window really removes (aggregators min, max) */
    /* Joins and patterns: called with the selector, to tie their ends to it. NULL: last->next is set to
     * it. */
    void (*finish)(struct plan_from *from, struct op_plan *select);
    void *user;
};

/* plan_single.c: [filters, functions] window [filters, functions] of one source. Fills from. Returns -1
 * after reporting. */
int plan_single(struct planner *p, const struct ast_source *source, const struct ast_select *select,
                bool expired_wanted, struct plan_from *from);
/* The handlers alone, on rows of *schema (updated); appends to *last (NULL at first). window: may a window
 * stand here; gives its plan. */
int plan_handlers(struct planner *p, const struct ast_handler *handlers, const struct scope_source *source,
                  const struct schema **schema, struct op_plan **first, struct op_plan **last,
                  struct window_ctx *wc, struct op_plan **window, const struct window_type **window_type);
int plan_join(struct planner *p, const struct ast_query *ast, bool expired_wanted, struct plan_from *from);
int plan_pattern(struct planner *p, const struct ast_query *ast, struct plan_from *from);
/* plan_select.c: the selector; its output schema is op->out. */
struct op_plan *plan_select(struct planner *p, const struct ast_query *ast, struct plan_from *from);
/* plan_rate.c: the rate limit behind the selector, or NULL when there is none; *failed on error. */
struct op_plan *plan_rate(struct planner *p, const struct ast_query *ast, struct op_plan *select,
                          bool *failed);
/* plan_output.c */
struct op_plan *plan_output(struct planner *p, const struct ast_query *ast, const struct schema *out);
/* Tells where what a query puts out differs from the schema that its target wants. */
void plan_report_mismatch(struct planner *p, const struct ast_output *o, const struct schema *want,
                          const struct schema *out);
/* plan_partition.c, plan_table.c, plan_window.c, plan_trigger.c, plan_aggregation.c: each defines one kind of
 * thing. */
struct plan_partition *plan_partition(struct planner *p, const struct ast_partition *ast);
/* A definition with attributes: schema made, id checked. NULL: reported, or the same again. */
struct plan_element *plan_define(struct planner *p, const struct ast_definition *def, enum element_kind kind);
void plan_define_table(struct planner *p, const struct ast_definition *def);
void plan_define_window(struct planner *p, const struct ast_definition *def);
void plan_define_trigger(struct planner *p, const struct ast_definition *def);
void plan_define_function(struct planner *p, const struct ast_definition *def);
/* A call of a script function: expr_ctx.script. */
struct expr *plan_script(struct expr_ctx *c, const struct ast_expr *call, struct expr **args, bool *reported);
void plan_define_aggregation(struct planner *p, const struct ast_definition *def);
/* 'expr in Table': expr_ctx.compile_in. */
struct expr *plan_in(struct expr_ctx *c, const struct ast_expr *in);

/* bounds.c: warnings about state that grows as long as the app runs; only for a plan without errors. */
void plan_warn_bounds(struct planner *p);
/* What bounds the state of op in q (NULL: a named window): words; "" when none are known; NULL when it keeps
 * nothing. */
const char *plan_bound(const struct plan_query *q, const struct op_plan *op);

void plan_read_limits(struct planner *p, const struct ast_annotation *a); /* plan_limits.c */
void plan_free(struct plan *p);

/* Output event type with its default (spec 03 section 3.1). */
void plan_events_wanted(const struct ast_query *ast, bool *current, bool *expired);

#endif
