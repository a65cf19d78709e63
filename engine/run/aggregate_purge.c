/* aggregate_purge.c - rows of ended buckets are forgotten when they are older than their unit keeps them
 * (spec 09 section 4).
 *
 * Laws: (1) a row goes when its time is before now - retention; (2) before that, the next coarser table must
 * hold a row for the time of the newest row that would go: else forgetting stops for good, for what it stands
 * for would be lost. The time is that of the next coarser unit there is in the calendar, so with 'every sec,
 * hour' it stops soon; (3) rows of the coarsest unit go only when, at the same time, some of the next finer
 * one do. */
#include "engine/base/log.h"
#include "engine/run/aggregate.h"

struct aggregate_purge {
    struct op op;
    struct aggregation *of;
    int64_t next_ms;
    bool started, halted;
};

struct op *aggregate_purge_new(struct aggregation *a)
{
    struct aggregate_purge *p = (struct aggregate_purge *)op_new(op_app(&a->op), &a->plan->purge, NULL);
    p->of = a;
    return &p->op;
}

static void ask(struct aggregate_purge *p, int64_t next_ms)
{
    p->next_ms = next_ms;
    timer_request(&p->op, next_ms);
}

static int purge_start(struct op *op, struct err *e)
{
    struct aggregate_purge *p = (struct aggregate_purge *)op;
    (void)e;
    if (!p->started)
        ask(p, op_task_now(op) + p->of->plan->interval_ms);
    p->started = true;
    return 0;
}

static int64_t row_time(const struct aggregation *a, const struct row *row)
{
    int column = a->plan->layout.event_start;
    return row_get(row, column < 0 ? 0 : (size_t)column).as.l;
}

static enum duration calendar_next(enum duration unit)
{
    return unit == DURATION_DAYS ? DURATION_MONTHS : unit + 1;
}

/* Is what the newest of these rows stands for in the next coarser table? 1, 0, or ERR_EVENT. */
static int is_safe(struct aggregation *a, int unit, const struct table_rows *old)
{
    int64_t newest_ms = INT64_MIN;
    for (uint32_t i = 0; i < old->count; i++) {
        int64_t at_ms = row_time(a, old->rows[i]);
        newest_ms = at_ms > newest_ms ? at_ms : newest_ms;
    }
    enum duration coarser = calendar_next(a->plan->units[unit].unit);
    struct table_rows found = {.scratch = a->op.env->scratch};
    int rc =
        aggregation_stored(a, unit + 1, unit_start(coarser, newest_ms), unit_end(coarser, newest_ms), &found);
    return rc < 0 ? rc : found.count > 0;
}

static int purge_unit(struct aggregate_purge *p, int unit, int64_t now_ms, bool *goes)
{
    struct aggregation *a = p->of;
    const struct aggregate_unit *u = &a->plan->units[unit];
    int64_t until_ms = now_ms - u->retention_ms;
    struct table_rows old = {.scratch = a->op.env->scratch};
    if (u->retention_ms == RETAIN_ALL)
        return 0;
    /* What is looked at before is one moment more than what goes. */
    int rc = aggregation_stored(a, unit, INT64_MIN, until_ms + 1, &old);
    bool is_coarsest = unit + 1 == a->plan->unit_count;
    if (rc == 0 && !is_coarsest)
        *goes = old.count > 0;
    if (rc < 0 || !*goes || old.count == 0)
        return rc;
    int safe = is_coarsest ? 1 : is_safe(a, unit, &old);
    if (safe < 0)
        return safe;
    if (!safe) {
        p->halted = true;
        log_write(LOG_WARN, "aggregate", "%s: rows of %s are not in %s yet; nothing is forgotten any more",
                  a->plan->element->schema->id, u->table->schema->id,
                  a->plan->units[unit + 1].table->schema->id);
        return 0;
    }
    return aggregation_forget(a, unit, INT64_MIN, until_ms);
}

static int purge_due(struct op *op, int64_t due_ms)
{
    struct aggregate_purge *p = (struct aggregate_purge *)op;
    (void)due_ms;
    int64_t now_ms = op_task_now(op);
    int rc = 0;
    bool goes = false;
    for (int i = 0; i < p->of->plan->unit_count && rc == 0 && !p->halted; i++)
        rc = purge_unit(p, i, now_ms, &goes);
    if (!p->halted)
        ask(p, now_ms + p->of->plan->interval_ms);
    return rc;
}

static void purge_save(const struct op *op, struct writer *w)
{
    const struct aggregate_purge *p = (const struct aggregate_purge *)op;
    write_u8(w, p->started);
    write_u8(w, p->halted);
    write_i64(w, p->next_ms);
}

static int purge_load(struct op *op, struct reader *r)
{
    struct aggregate_purge *p = (struct aggregate_purge *)op;
    p->started = read_u8(r);
    p->halted = read_u8(r);
    int64_t next_ms = read_i64(r);
    if (r->failed)
        return ERR_STATE;
    timer_cancel(op);
    if (p->started && !p->halted)
        ask(p, next_ms);
    return 0;
}

const struct op_type op_aggregate_purge = {
    .name = "aggregate purge",
    .size = sizeof(struct aggregate_purge),
    .start = purge_start,
    .due = purge_due,
    .own_moments = true, /* the wall clock's, in playback too */
    .save = purge_save,
    .load = purge_load,
};
