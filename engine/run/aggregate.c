/* aggregate.c - see aggregate.h. Events in, buckets out, state.
 *
 * The language's own timer ends the finest bucket again and again, empty or not. Here the timer stands at the
 * end of the finest bucket with something in it, and there is none when all are empty: what an empty bucket
 * does at its end can't be seen later. */
#include "engine/run/aggregate.h"

/* ---- buckets end ---- */

struct table *aggregation_table(const struct aggregation *a, int unit)
{
    return op_app(&a->op)->tables[a->plan->units[unit].table->number];
}

static void open_at(struct aggregation *a, int unit, int64_t at_ms)
{
    struct aggregate_open *o = &a->open[unit];
    o->started = true;
    o->start_ms = unit_start(a->plan->units[unit].unit, at_ms);
    o->end_ms = unit_end(a->plan->units[unit].unit, at_ms);
}

static int64_t row_event_start(const struct aggregation *a, int unit, const struct row *row)
{
    const struct bucket_layout *l = &a->plan->layout;
    return l->event_start < 0
               ? 0
               : unit_start(a->plan->units[unit].unit, row_get(row, (size_t)l->event_start).as.l);
}

/* Rows of a finer unit come in; a bucket that has ended by at_ms was closed before. */
static void open_add(struct aggregation *a, int unit, const struct row *row)
{
    struct aggregate_open *o = &a->open[unit];
    if (!o->started)
        open_at(a, unit, row_get(row, 0).as.l);
    bucket_add_row(&o->bucket, o->start_ms, row_event_start(a, unit, row), row);
}

static int close_at(struct aggregation *a, int unit, int64_t at_ms);

/* The bucket of unit ends: its rows go to the table and to the next unit, whose turn it then is. */
static int end_bucket(struct aggregation *a, int unit, int64_t at_ms)
{
    struct aggregate_open *o = &a->open[unit];
    struct table *table = aggregation_table(a, unit);
    bool has_next = unit + 1 < a->plan->unit_count;
    uint32_t count;
    int rc = 0;
    struct row **rows = bucket_take_rows(&o->bucket, a->op.env->scratch, &count);
    /* Rows came before their bucket's time was told: they belong to the one that was open. */
    for (uint32_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = table->plan->type->insert(table, rows[i]);
        if (has_next)
            open_add(a, unit + 1, rows[i]);
        row_unref(rows[i]);
    }
    open_at(a, unit, at_ms);
    if (has_next) {
        int next = close_at(a, unit + 1, o->start_ms);
        rc = rc < 0 ? rc : next;
    }
    return rc;
}

/* The bucket of unit, if at_ms lies behind it. */
static int close_at(struct aggregation *a, int unit, int64_t at_ms)
{
    const struct aggregate_open *o = &a->open[unit];
    return !o->started || at_ms >= o->end_ms ? end_bucket(a, unit, at_ms) : 0;
}

int aggregation_take(struct aggregation *a, int unit, const struct row *row)
{
    int64_t at_ms = row_get(row, 0).as.l;
    int rc = a->open[unit].started ? close_at(a, unit, at_ms) : 0;
    open_add(a, unit, row);
    return rc;
}

/* ---- timer ---- */

static void ask(struct aggregation *a)
{
    int64_t due_ms = INT64_MAX;
    for (int i = 0; i < a->plan->unit_count; i++) {
        const struct aggregate_open *o = &a->open[i];
        /* A coarser bucket ends with the end of a finer one, which is not before its own. */
        if (o->bucket.count) {
            due_ms = o->end_ms;
            break;
        }
    }
    if (due_ms == a->due_ms)
        return;
    timer_cancel(&a->op);
    a->due_ms = due_ms;
    if (due_ms != INT64_MAX)
        timer_request(&a->op, due_ms);
}

static int aggregate_due(struct op *op, int64_t due_ms)
{
    struct aggregation *a = (struct aggregation *)op;
    (void)due_ms;
    a->due_ms = INT64_MAX;
    int rc = close_at(a, 0, op_now(op));
    ask(a);
    return rc;
}

/* ---- events ---- */

static struct value sum_value(struct frame *f, const struct aggregate_column *c, struct value v)
{
    if (is_null(v))
        return v;
    if (!type_is_numeric(v.type))
        return expr_fail(f->env, "sum and avg take numbers; '%s' is %s", c->from->name, type_name(v.type));
    if (c->type == TYPE_DOUBLE)
        return value_double(value_to_double(v));
    return v.type == TYPE_LONG || v.type == TYPE_INT ? value_long(v.as.l)
                                                     : value_long((int64_t)value_to_double(v));
}

static struct value column_value(struct frame *f, const struct aggregate_column *c, int64_t event_ms)
{
    switch (c->kind) {
    case COLUMN_COUNT:
        return value_long(1);
    case COLUMN_SUM:
        return sum_value(f, c, expr_eval(c->from, f));
    case COLUMN_LATEST_TIME:
        return value_long(event_ms);
    case COLUMN_START:
    case COLUMN_EVENT_START:
        return VALUE_NULL;
    case COLUMN_KEY:
    case COLUMN_LATEST:
    case COLUMN_MIN:
    case COLUMN_MAX:
    case COLUMN_SET:
        break;
    }
    return expr_eval(c->from, f);
}

/* The event's own time; the event fails when there is none. *missing: it is null, and said to be long. */
static int64_t event_time(struct frame *f, const struct expr *by, bool *missing)
{
    struct value v = expr_eval(by, f);
    int64_t at_ms = 0;
    if (v.type == TYPE_LONG)
        return v.as.l;
    *missing = is_null(v) && by->type == TYPE_LONG;
    if (*missing)
        return 0;
    if (v.type != TYPE_STRING) {
        expr_fail(f->env, "'aggregate by %s': the time is %s", by->name, type_name(v.type));
    } else if (moment_parse(v.as.s->bytes, v.as.s->len, &at_ms) < 0) {
        expr_fail(f->env,
                  "'aggregate by %s': '%.60s' is no time; write yyyy-MM-dd HH:mm:ss, with +hh:mm behind it "
                  "when it is not GMT",
                  by->name, v.as.s->bytes);
    }
    return at_ms;
}

/* values: one a column. ERR_EVENT. */
static int event_values(struct aggregation *a, const struct event *e, struct value *values, int64_t *event_ms,
                        bool *missing)
{
    const struct aggregate_plan *p = a->plan;
    struct frame f = {.env = a->op.env,
                      .rows = &e->row,
                      .agg = a->running,
                      .at_ms = e->at_ms,
                      .kind = e->kind,
                      .user = &a->op};
    *event_ms = p->by ? event_time(&f, p->by, missing) : 0;
    for (uint32_t i = 0; i < p->layout.schema->count && !f.env->failed; i++)
        values[i] = column_value(&f, &p->columns[i], *event_ms);
    return f.env->failed ? ERR_EVENT : 0;
}

static void add_event(struct aggregation *a, const struct value *values, int64_t event_ms)
{
    const struct aggregate_plan *p = a->plan;
    int64_t event_start_ms = p->by ? unit_start(p->units[0].unit, event_ms) : 0;
    bucket_add_event(&a->open[0].bucket, a->open[0].start_ms, event_start_ms, values);
}

/* A failing event takes its whole chunk with it: nothing is added before all were looked at. That a long time
 * is missing is seen later: what stands before it in the chunk is added. */
static int aggregate_push(struct op *op, const struct batch *in)
{
    struct aggregation *a = (struct aggregation *)op;
    const struct aggregate_plan *p = a->plan;
    uint32_t columns = p->layout.schema->count, good = in->count;
    if (p->loses_all || in->count == 0)
        return 0;
    struct value *values = arena_raw(op->env->scratch, in->count * (size_t)columns * sizeof(*values));
    int64_t *times = arena_raw(op->env->scratch, in->count * sizeof(*times));
    for (uint32_t i = 0; i < in->count; i++) {
        bool missing = false;
        if (UNLIKELY(event_values(a, &in->events[i], values + (size_t)i * columns, &times[i], &missing) < 0))
            return ERR_EVENT;
        if (UNLIKELY(missing) && i < good)
            good = i;
    }
    int rc = close_at(a, 0, op_now(op));
    for (uint32_t i = 0; i < good; i++)
        add_event(a, values + (size_t)i * columns, times[i]);
    ask(a);
    if (good == in->count)
        return rc;
    expr_fail(op->env, "'aggregate by %s': the time is null", p->by->name);
    return ERR_EVENT;
}

static void aggregate_explain(const struct op_plan *plan, struct buf *out)
{
    const struct aggregate_plan *p = (const struct aggregate_plan *)(const void *)plan;
    buf_add_str(out, p->by ? " by the events' own time, per" : " by the clock, per");
    for (int i = 0; i < p->unit_count; i++)
        buf_printf(out, "%s %s", i ? "," : "", unit_name(p->units[i].unit));
}

const struct op_type op_aggregate = {
    .name = "aggregate",
    .size = sizeof(struct aggregation),
    .push = aggregate_push,
    .due = aggregate_due,
    .explain = aggregate_explain,
};

/* ---- life and state ---- */

struct aggregation *aggregation_new(struct app *app, const struct plan_element *e)
{
    const struct aggregate_plan *p = e->config;
    struct aggregation *a = (struct aggregation *)op_new(app, &p->op, NULL);
    a->plan = p;
    a->open = mem_array((size_t)p->unit_count, sizeof(*a->open));
    for (int i = 0; i < p->unit_count; i++)
        bucket_init(&a->open[i].bucket, &p->layout);
    a->running = agg_block_new(&p->running);
    a->due_ms = INT64_MAX;
    if (p->purges)
        a->purge = aggregate_purge_new(a);
    stream_subscribe(app->streams[p->source->number], &a->op);
    return a;
}

void aggregation_free(struct aggregation *a)
{
    if (a->purge)
        op_free(a->purge);
    for (int i = 0; i < a->plan->unit_count; i++)
        bucket_fini(&a->open[i].bucket);
    mem_free(a->open);
    agg_block_free(&a->plan->running, a->running);
    op_free(&a->op);
}

int aggregation_start(struct aggregation *a, struct err *e)
{
    if (aggregation_rebuild(a) < 0) {
        a->op.env->failed = false;
        return err_set(e, ERR_STATE, "aggregation '%s': %s", a->plan->element->schema->id,
                       a->op.env->failure);
    }
    ask(a);
    return a->purge ? a->purge->type->start(a->purge, e) : 0;
}

void aggregation_each_op(struct aggregation *a, void (*visit)(struct op *op, void *user), void *user)
{
    visit(&a->op, user);
    if (a->purge)
        visit(a->purge, user);
}

void aggregation_save(struct aggregation *a, struct writer *w)
{
    write_tag(w, a->plan->element->schema->id);
    for (int i = 0; i < a->plan->unit_count; i++) {
        struct aggregate_open *o = &a->open[i];
        write_u8(w, o->started);
        write_i64(w, o->start_ms);
        bucket_save(&o->bucket, w);
    }
    agg_block_save(&a->plan->running, a->running, w);
    if (a->purge)
        a->purge->type->save(a->purge, w);
}

void aggregation_ahead(struct aggregation *a, struct writer *w)
{
    for (int i = 0; i < a->plan->unit_count; i++)
        bucket_save(&a->open[i].bucket, w);
}

int aggregation_load(struct aggregation *a, struct reader *r)
{
    if (!read_tag(r, a->plan->element->schema->id))
        return ERR_STATE;
    for (int i = 0; i < a->plan->unit_count; i++) {
        struct aggregate_open *o = &a->open[i];
        bool started = read_u8(r);
        int64_t start_ms = read_i64(r);
        if (r->failed || bucket_load(&o->bucket, r) < 0)
            return ERR_STATE;
        if (started)
            open_at(a, i, start_ms);
        else if (o->bucket.count)
            return ERR_STATE;
    }
    if (agg_block_load(&a->plan->running, a->running, r) < 0)
        return ERR_STATE;
    if (a->purge && a->purge->type->load(a->purge, r) < 0)
        return ERR_STATE;
    ask(a);
    return 0;
}
