/* aggregate_rebuild.c - open buckets made again from tables that outlived them (spec 09 section 5): an app
 * that is not durable begins with what its stored tables say.
 *
 * Laws: (1) rows of a finer unit that came after the newest bucket of the coarser one are what was open
 * there; (2) coarser units first: what a finer one then closes comes after what they have; (3) a table's rows
 * stand in the order of their time, for buckets end in it. What was open in the finest unit is lost. */
#include "engine/run/aggregate.h"

static int64_t row_start(const struct row *row)
{
    return row_get(row, 0).as.l;
}

/* Where the unit's newest bucket ends; INT64_MIN: there is none. */
static int newest_end(struct aggregation *a, int unit, int64_t *end_ms)
{
    struct table_rows rows = {.scratch = a->op.env->scratch};
    int rc = aggregation_stored(a, unit, INT64_MIN, INT64_MAX, &rows);
    *end_ms = INT64_MIN;
    for (uint32_t i = 0; rc == 0 && i < rows.count; i++) {
        int64_t at_ms = unit_end(a->plan->units[unit].unit, row_start(rows.rows[i]));
        *end_ms = at_ms > *end_ms ? at_ms : *end_ms;
    }
    return rc;
}

static int rebuild_unit(struct aggregation *a, int unit)
{
    struct table_rows rows = {.scratch = a->op.env->scratch};
    int64_t from_ms;
    bool by_clock = a->plan->layout.event_start < 0; /* the events' own times say nothing of what is open */
    int rc = newest_end(a, unit, &from_ms);
    if (rc == 0)
        rc = aggregation_stored(a, unit - 1, by_clock ? from_ms : INT64_MIN, INT64_MAX, &rows);
    for (uint32_t i = 0; rc == 0 && i < rows.count; i++) {
        if (row_start(rows.rows[i]) >= from_ms)
            rc = aggregation_take(a, unit, rows.rows[i]);
    }
    return rc;
}

static bool is_fresh(const struct aggregation *a)
{
    for (int i = 0; i < a->plan->unit_count; i++) {
        if (a->open[i].started || a->open[i].bucket.count)
            return false;
    }
    return true;
}

int aggregation_rebuild(struct aggregation *a)
{
    int rc = 0;
    if (aggregation_table(a, 0)->plan->type != &table_stored || !is_fresh(a))
        return 0;
    app_enter(op_app(&a->op));
    for (int unit = a->plan->unit_count - 1; unit > 0 && rc == 0; unit--)
        rc = rebuild_unit(a, unit);
    app_leave(op_app(&a->op));
    return rc;
}
