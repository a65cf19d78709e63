/* aggregate.h - incremental aggregations (spec 09): what a plan knows of one, and what its files share.
 * Private to engine/plan and engine/run.
 *
 * aggregate.c takes events and lets buckets end; aggregate_find.c answers joins and on-demand queries;
 * aggregate_purge.c forgets old rows; aggregate_rebuild.c opens buckets again from stored tables; bucket.c is
 * the state of one open bucket; granularity.c knows units and moments. Ended buckets are rows of ordinary
 * tables, one a unit, named Agg_SECONDS to Agg_YEARS: the plan of the aggregation defines them.
 *
 * Laws: (1) a bucket ends by the clock, also with 'aggregate by', where several of the events' own buckets
 * are open in one; (2) what ends goes to the table of its unit and into the open bucket of the next coarser
 * one, at once; (3) a coarser bucket ends when a finer one did; (4) an event's time without 'aggregate by' is
 * the clock's. */
#ifndef WEIR_RUN_AGGREGATE_H
#define WEIR_RUN_AGGREGATE_H

#include "engine/run/app.h"
#include "engine/run/bucket.h"
#include "engine/run/granularity.h"
#include "engine/run/table.h"

#define RETAIN_ALL INT64_MAX

/* A column of the tables, as an event fills it. */
struct aggregate_column {
    enum column_kind kind;
    const char *name;
    enum type type;
    struct expr *from; /* over the stream's row in slot 0; NULL: the starts, and counts */
};
/* An attribute that reading gives, of the columns. */
struct aggregate_output {
    int column;
    int count; /* avg: column is a sum and this its count; else -1 */
    bool is_set_size;
};
struct aggregate_unit {
    enum duration unit;
    struct plan_element *table;
    const struct table_query *range; /* its rows with START <= time < END, of slot 0; the table is slot 1 */
    int64_t retention_ms;            /* or RETAIN_ALL */
};

/* plan_element.config of an aggregation. Immutable. */
struct aggregate_plan {
    struct op_plan op;    /* takes the events; its timer ends buckets */
    struct op_plan purge; /* its timer forgets rows */
    const struct plan_element *element, *source;
    struct expr *by; /* own time of events: long or text; or NULL */
    struct bucket_layout layout;
    const struct aggregate_column *columns; /* layout.schema->count of them */
    struct agg_layout
        running; /* aggregators inside of other expressions: they run over all events (spec 09 section 1) */
    const struct schema *out;               /* of rows that are read: AGG_TIMESTAMP and the select list */
    const struct aggregate_output *outputs; /* out->count of them */
    struct aggregate_unit *units;           /* finest first */
    int unit_count;
    bool loses_all; /* a filter or function stands on the source: no event arrives (spec 09 section 1) */
    bool purges;
    int64_t interval_ms;
};
extern const struct op_type op_aggregate, op_aggregate_purge;

/* An open bucket of a unit. */
struct aggregate_open {
    struct bucket bucket;
    bool started;     /* the next two were set by an event */
    int64_t start_ms; /* by the clock */
    int64_t end_ms;
};
struct aggregation {
    struct op op;
    const struct aggregate_plan *plan;
    struct aggregate_open *open; /* plan->unit_count */
    char *running;               /* block of plan->running */
    int64_t due_ms;              /* the pending timer; INT64_MAX: none */
    struct op *purge;
};

/* A compiled reading. 'within', 'per' and on may name the aggregation itself; for the first two it has no
 * row. */
struct aggregate_lookup {
    struct lookup lookup;
    const struct plan_element *element;
    uint16_t slot;
    int slot_count;
    struct expr *on;     /* or NULL */
    struct expr *before; /* the part of on that columns of the tables answer: asked of their rows before those
                            of memory come to them; or NULL */
    struct expr *from, *to; /* to NULL: from is text with '**' */
    struct expr *per;
    bool in_partition; /* it is a partition's query that asks */
};
int aggregate_lookup_rows(const struct lookup *l, struct app *app, struct frame *f, struct row ***rows,
                          uint32_t *count);

/* The table of a unit, at work. */
struct table *aggregation_table(const struct aggregation *a, int unit);
/* aggregate_find.c: rows of a unit's table whose time (the events' own with 'aggregate by') is in start_ms <=
 * t < end_ms. ERR_EVENT. */
int aggregation_stored(struct aggregation *a, int unit, int64_t start_ms, int64_t end_ms,
                       struct table_rows *rows);
/* Takes those rows out of the table. */
int aggregation_forget(struct aggregation *a, int unit, int64_t start_ms, int64_t end_ms);
/* A row of the next finer unit, whose time is behind all before: buckets of unit that it ends are ended.
 * ERR_EVENT. */
int aggregation_take(struct aggregation *a, int unit, const struct row *row);
/* aggregate_rebuild.c: of one that just began. ERR_EVENT. */
int aggregation_rebuild(struct aggregation *a);
/* aggregate_purge.c */
struct op *aggregate_purge_new(struct aggregation *a);

#endif
