/* aggregate_find.c - reading an aggregation, for joins and on-demand queries (spec 09 section 3): rows of the
 * unit's table, and what is still open in this unit and the finer ones, merged by group.
 *
 * Laws: (1) a row belongs to the range by the start of its bucket, not by its events; (2) table first, then
 * memory; with 'aggregate by' both are merged; (3) memory is not looked at when the range ends before what is
 * open, unless 'aggregate by' may have put anything anywhere; (4) what is handed out lies in scratch and
 * shares texts with rows that outlive the lookup. */
#include "engine/run/aggregate.h"

/* Rows on their way. */
struct found {
    struct row **rows;
    uint32_t count, cap;
    struct arena *scratch;
};

static void found_add(struct found *f, struct row *row)
{
    if (f->count == f->cap) {
        uint32_t cap = f->cap ? f->cap * 2 : 16;
        struct row **wider = arena_raw(f->scratch, cap * sizeof(struct row *));
        if (f->count)
            memcpy(wider, f->rows, f->count * sizeof(struct row *));
        f->rows = wider;
        f->cap = cap;
    }
    f->rows[f->count++] = row;
}

/* A row in scratch with null columns, which no one frees. */
static struct row *scratch_row(struct arena *scratch, size_t count)
{
    struct row *row = arena_alloc(scratch, row_bytes(count));
    row->at_ms = -1;
    row->refs = 1;
    row->count = (uint16_t)count;
    return row;
}

static void scratch_set(struct row *row, size_t i, struct value v)
{
    row->types[i] = (uint8_t)v.type;
    row_cells(row)[i] = v.as;
}

/* ---- what is asked: unit and range ---- */

static int ask_unit(const struct aggregate_lookup *l, const struct aggregate_plan *p, struct frame *f,
                    int *unit)
{
    struct value v = expr_eval(l->per, f);
    enum duration u;
    if (f->env->failed)
        return ERR_EVENT;
    if (v.type != TYPE_STRING || unit_parse(v.as.s->bytes, v.as.s->len, &u) < 0) {
        expr_fail(f->env, "'per': '%.40s' is no granularity",
                  v.type == TYPE_STRING ? v.as.s->bytes : type_name(v.type));
        return ERR_EVENT;
    }
    for (*unit = 0; *unit < p->unit_count; ++*unit) {
        if (p->units[*unit].unit == u)
            return 0;
    }
    expr_fail(f->env, "'%s' does not aggregate per %s", p->element->schema->id, unit_name(u));
    return ERR_EVENT;
}

static int ask_moment(const struct expr *e, struct frame *f, int64_t *at_ms)
{
    struct value v = expr_eval(e, f);
    if (f->env->failed)
        return ERR_EVENT;
    if (v.type == TYPE_LONG || v.type == TYPE_INT) {
        *at_ms = v.as.l;
        return 0;
    }
    if (v.type == TYPE_STRING && moment_parse(v.as.s->bytes, v.as.s->len, at_ms) == 0)
        return 0;
    expr_fail(f->env,
              "'within': '%.60s' is no time; it is milliseconds or yyyy-MM-dd HH:mm:ss, with +hh:mm behind "
              "it when it is not GMT",
              v.type == TYPE_STRING ? v.as.s->bytes : type_name(v.type));
    return ERR_EVENT;
}

static int ask_range(const struct aggregate_lookup *l, struct frame *f, int64_t *start_ms, int64_t *end_ms)
{
    if (!l->to) {
        struct value v = expr_eval(l->from, f);
        if (f->env->failed)
            return ERR_EVENT;
        if (v.type == TYPE_STRING && moment_range_parse(v.as.s->bytes, v.as.s->len, start_ms, end_ms) == 0)
            return 0;
        expr_fail(
            f->env,
            "'within': '%.60s' is no range; it is yyyy-MM-dd HH:mm:ss with '**' for fields from the right on",
            v.type == TYPE_STRING ? v.as.s->bytes : type_name(v.type));
        return ERR_EVENT;
    }
    if (ask_moment(l->from, f, start_ms) < 0 || ask_moment(l->to, f, end_ms) < 0)
        return ERR_EVENT;
    if (*start_ms < *end_ms)
        return 0;
    expr_fail(f->env, "'within': the start %lld is not before the end %lld", (long long)*start_ms,
              (long long)*end_ms);
    return ERR_EVENT;
}

/* ---- table and memory ---- */

static int64_t row_event_start(const struct aggregate_plan *p, const struct row *row)
{
    return p->by ? row_get(row, (size_t)p->layout.event_start).as.l : 0;
}

/* A frame over the range and room for a row. */
static struct frame range_frame(struct aggregation *a, int64_t start_ms, int64_t end_ms)
{
    struct arena *scratch = a->op.env->scratch;
    struct row *range = scratch_row(scratch, 2), **rows = arena_array(scratch, 2, sizeof(*rows));
    scratch_set(range, 0, value_long(start_ms));
    scratch_set(range, 1, value_long(end_ms));
    rows[0] = range;
    return (struct frame){.env = a->op.env, .rows = rows, .at_ms = op_now(&a->op), .user = &a->op};
}

int aggregation_stored(struct aggregation *a, int unit, int64_t start_ms, int64_t end_ms,
                       struct table_rows *rows)
{
    struct frame f = range_frame(a, start_ms, end_ms);
    struct table *t = aggregation_table(a, unit);
    return t->plan->type->find(t, a->plan->units[unit].range, &f, rows);
}

int aggregation_forget(struct aggregation *a, int unit, int64_t start_ms, int64_t end_ms)
{
    struct frame f = range_frame(a, start_ms, end_ms);
    struct table *t = aggregation_table(a, unit);
    return t->plan->type->remove(t, a->plan->units[unit].range, &f);
}

/* Start of what is open in unit or, before that one had anything, in a finer one. False: nothing ever came.
 */
static bool open_since(const struct aggregation *a, int unit, int64_t *start_ms)
{
    int64_t now_ms = op_now(&a->op);
    for (int i = unit; i >= 0; i--) {
        const struct aggregate_open *o = &a->open[i];
        if (!o->started)
            continue;
        /* The end of an empty bucket goes unnoticed. */
        *start_ms = now_ms >= o->end_ms && o->bucket.count == 0 ? unit_start(a->plan->units[i].unit, now_ms)
                                                                : o->start_ms;
        return true;
    }
    return false;
}

/* All that is open up to unit, merged by group; memory is the caller's to end. With 'aggregate by' rows of
 * different units stay apart, each with the start that its own bucket has: by that they lie in the range or
 * not. */
static void merge_open(const struct aggregation *a, int unit, int64_t since_ms, struct bucket *memory)
{
    const struct aggregate_plan *p = a->plan;
    int64_t start_ms = unit_start(p->units[unit].unit, since_ms);
    for (int i = unit; i >= 0; i--) {
        const struct bucket *open = &a->open[i].bucket;
        struct row **rows = bucket_rows(open, a->op.env->scratch);
        for (uint32_t k = 0; k < open->count; k++)
            bucket_add_row(memory, start_ms, row_event_start(p, rows[k]), rows[k]);
    }
}

/* What eventTimestamp(ref) says of a row: the start of its bucket; with 'aggregate by' the time of its newest
 * event, which is kept only where some attribute is the newest event's. */
static int64_t row_stamp(const struct aggregate_plan *p, const struct row *row)
{
    if (!p->by)
        return row_get(row, 0).as.l;
    return p->layout.latest_time < 0 ? 0 : row_get(row, (size_t)p->layout.latest_time).as.l;
}

/* A mean of whole numbers is a long in a column of doubles, and the size of a set is an int in one of longs:
 * the language's comparisons and sums fail on them. */
static struct row *output_row(const struct aggregation *a, const struct row *row)
{
    const struct aggregate_plan *p = a->plan;
    struct row *out = scratch_row(a->op.env->scratch, p->out->count);
    out->at_ms = row_stamp(p, row);
    for (uint32_t i = 0; i < p->out->count; i++) {
        const struct aggregate_output *o = &p->outputs[i];
        struct value v = row_get(row, (size_t)o->column);
        if (o->is_set_size) {
            v = value_int(v.type == TYPE_OBJECT ? (int32_t)object_count(v.as.o) : 0);
        } else if (o->count >= 0 && !is_null(v)) {
            int64_t n = row_get(row, (size_t)o->count).as.l;
            if (n == 0)
                v = VALUE_NULL;
            else
                v = v.type == TYPE_DOUBLE ? value_double(v.as.d / (double)n) : value_long(v.as.l / n);
        }
        scratch_set(out, i, v);
    }
    return out;
}

/* With 'aggregate by' a bucket may have ended more than once: its rows are merged. */
static void found_merged(const struct aggregation *a, int unit, const struct found *in, struct found *out)
{
    const struct aggregate_plan *p = a->plan;
    struct bucket merged;
    bucket_init(&merged, &p->layout);
    for (uint32_t i = 0; i < in->count; i++) {
        int64_t event_start_ms = unit_start(p->units[unit].unit, row_event_start(p, in->rows[i]));
        bucket_add_row(&merged, row_get(in->rows[i], 0).as.l, event_start_ms, in->rows[i]);
    }
    struct row **rows = bucket_rows_merged(&merged, a->op.env->scratch, false);
    for (uint32_t i = 0; i < merged.count; i++)
        found_add(out, output_row(a, rows[i]));
    bucket_fini(&merged);
}

/* Adds the rows of memory that lie in the range. */
static void found_memory(const struct aggregation *a, const struct bucket *memory, int64_t start_ms,
                         int64_t end_ms, struct found *in)
{
    const struct aggregate_plan *p = a->plan;
    struct row **rows = bucket_rows_merged(memory, a->op.env->scratch, true);
    for (uint32_t i = 0; i < memory->count; i++) {
        int64_t at_ms = p->by ? row_event_start(p, rows[i]) : row_get(rows[i], 0).as.l;
        if (at_ms >= start_ms && at_ms < end_ms)
            found_add(in, rows[i]);
    }
    /* The language keeps one row where there are no groups, and shows it as it is, also when nothing came:
     * with 0 for a time. */
    if (!p->by && p->layout.key_count == 0 && memory->count == 0 && start_ms <= 0 && end_ms > 0) {
        struct row *empty = scratch_row(a->op.env->scratch, p->layout.schema->count);
        scratch_set(empty, 0, value_long(0));
        found_add(in, empty);
    }
}

/* Rows of the unit's table in the range, and of memory. */
static int find_stored(struct aggregation *a, int unit, int64_t start_ms, int64_t end_ms, struct found *in)
{
    struct table_rows stored = {.scratch = in->scratch};
    int rc = aggregation_stored(a, unit, start_ms, end_ms, &stored);
    for (uint32_t i = 0; rc == 0 && i < stored.count; i++)
        found_add(in, stored.rows[i]);
    return rc;
}

/* What is open is not a partition's: its queries find nothing there. */
static void find_open(const struct aggregation *a, const struct aggregate_lookup *l, int unit,
                      int64_t start_ms, int64_t end_ms, struct bucket *memory, struct found *in)
{
    int64_t since_ms;
    if (!open_since(a, unit, &since_ms) || (!a->plan->by && end_ms <= since_ms))
        return;
    if (!l->in_partition)
        merge_open(a, unit, since_ms, memory);
    found_memory(a, memory, start_ms, end_ms, in);
}

static void make_output(const struct aggregation *a, int unit, const struct found *in, struct found *out)
{
    if (a->plan->by) {
        found_merged(a, unit, in, out);
        return;
    }
    for (uint32_t i = 0; i < in->count; i++)
        found_add(out, output_row(a, in->rows[i]));
}

/* ---- the lookup ---- */

/* Keeps the rows for which the condition is true; NULL: all. rows are the slots of f. */
static int found_filter(const struct aggregate_lookup *l, const struct expr *condition, struct frame *f,
                        struct row **slots, struct found *found)
{
    uint32_t kept = 0;
    if (!condition)
        return 0;
    for (uint32_t i = 0; i < found->count && !f->env->failed; i++) {
        slots[l->slot] = found->rows[i];
        if (expr_is_true(condition, f))
            found->rows[kept++] = found->rows[i];
    }
    slots[l->slot] = NULL;
    found->count = kept;
    return f->env->failed ? ERR_EVENT : 0;
}

int aggregate_lookup_rows(const struct lookup *lookup, struct app *app, struct frame *f, struct row ***rows,
                          uint32_t *count)
{
    const struct aggregate_lookup *l = (const struct aggregate_lookup *)(const void *)lookup;
    struct aggregation *a = app->aggregations[l->element->number];
    struct found in = {.scratch = f->env->scratch}, out = in;
    struct bucket memory;
    struct row *const *outer = f->rows;
    struct row **slots = arena_array(f->env->scratch, (size_t)l->slot_count, sizeof(struct row *));
    int64_t start_ms, end_ms;
    int unit;
    for (int i = 0; i < l->slot_count; i++)
        slots[i] = i == l->slot || !outer ? NULL : outer[i];
    f->rows = slots;
    int rc = ask_unit(l, a->plan, f, &unit);
    if (rc == 0)
        rc = ask_range(l, f, &start_ms, &end_ms);
    bucket_init(&memory, &a->plan->layout);
    if (rc == 0)
        rc = find_stored(a, unit, start_ms, end_ms, &in);
    if (rc == 0)
        rc = found_filter(l, l->before, f, slots, &in);
    if (rc == 0) {
        find_open(a, l, unit, start_ms, end_ms, &memory, &in);
        make_output(a, unit, &in, &out);
        rc = found_filter(l, l->on, f, slots, &out);
    }
    bucket_fini(&memory);
    f->rows = outer;
    *rows = out.rows;
    *count = out.count;
    return rc;
}
