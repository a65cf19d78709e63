/* table.c - tables at work: what the statements do (spec 08 section 2), and the operator that ends a query
 * with one. See table.h. */
#include "engine/run/table.h"
#include "engine/run/app.h"
#include "engine/run/output.h"

struct table *table_new(struct app *app, const struct plan_element *e)
{
    const struct table_plan *p = e->config;
    struct table *t = mem_alloc(p->type->size);
    t->app = app;
    t->plan = p;
    if (p->type->open)
        p->type->open(t);
    return t;
}

int tables_start(struct app *app, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < app->plan->table_count && rc == 0; i++) {
        struct table *t = app->tables[i];
        if (t->plan->type->start)
            rc = t->plan->type->start(t, e);
    }
    return rc;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    t->plan->type->close(t);
    mem_free(t);
}

void table_save(const struct table *t, struct writer *w)
{
    write_tag(w, t->plan->element->schema->id);
    write_tag(w, t->plan->type->name);
    t->plan->type->save((struct table *)(uintptr_t)t, w);
}

int table_load(struct table *t, struct reader *r)
{
    if (!read_tag(r, t->plan->element->schema->id) || !read_tag(r, t->plan->type->name))
        return ERR_STATE;
    return t->plan->type->load(t, r);
}

/* ---- statements ---- */

enum { SLOT_EVENT, SLOT_ROW };

struct statement {
    const struct table_statement *plan;
    struct table *table;
    struct row *rows[2];
    struct frame frame;
    struct row **pending; /* update or insert: rows without a match so far, refs 1 */
    uint32_t pending_count;
};

void table_rows_grow(struct table_rows *r)
{
    uint32_t cap = r->cap ? r->cap * 2 : 4;
    struct row **rows = arena_raw(r->scratch, (size_t)cap * sizeof(*rows));
    if (r->count)
        memcpy(rows, r->rows, r->count * sizeof(*rows));
    r->rows = rows;
    r->cap = cap;
}

void table_report(struct table *t, const char *what)
{
    struct app *app = t->app;
    char words[256];
    snprintf(words, sizeof(words), "table '%s': %s, for its %s is there already",
             t->plan->element->schema->id, what, t->plan->primary.label);
    if (app->host.failure)
        app->host.failure(app->host.user, UINT32_MAX, words);
}

/* The event's row, stamped as the event; refs 1. */
static struct row *event_row(const struct event *e)
{
    return e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
}

int table_assign(const struct table_statement *s, struct frame *f, struct row *seen, struct row *row)
{
    struct row **rows = (struct row **)(uintptr_t)f->rows;
    rows[SLOT_ROW] = seen;
    for (int i = 0; i < s->assign_count; i++) {
        const struct table_assign *a = &s->assigns[i];
        struct value v = expr_eval(a->value, f), was = row_get(row, a->column);
        if (UNLIKELY(f->env->failed))
            return ERR_EVENT;
        row_set(row, a->column, v);
        value_drop(was);
    }
    return 0;
}

/* Does the event fit rows of its own chunk that are going to be added? They are updated then, and it is done
 * with (spec 08 section 2). */
static int update_pending(struct statement *s, bool *done)
{
    for (uint32_t i = 0; i < s->pending_count; i++) {
        s->rows[SLOT_ROW] = s->pending[i];
        int fits = s->plan->query->on ? table_meets(s->plan->query->on, &s->frame) : 1;
        if (fits < 0)
            return ERR_EVENT;
        if (!fits)
            continue;
        *done = true;
        struct row *row = row_copy(s->pending[i], 0, s->pending[i]->at_ms);
        row_unref(s->pending[i]);
        s->pending[i] = row;
        if (table_assign(s->plan, &s->frame, row, row) < 0)
            return ERR_EVENT;
    }
    return 0;
}

static int upsert(struct statement *s)
{
    bool found = false;
    int rc = s->table->plan->type->update(s->table, s->plan, &s->frame, &found);
    if (rc == 0 && !found)
        rc = 1;
    return rc;
}

static int statement_event(struct statement *s, const struct event *e, struct batch *unmatched)
{
    const struct table_type *type = s->table->plan->type;
    bool exact = s->plan->kind == OUTPUT_UPSERT && s->plan->query->is_exact;
    bool found;
    int rc = 0;
    s->rows[SLOT_EVENT] = e->row;
    s->rows[SLOT_ROW] = NULL;
    s->frame.at_ms = e->at_ms;
    s->frame.kind = e->kind;
    if (s->plan->kind == OUTPUT_INSERT || exact) {
        struct row *row = event_row(e);
        rc = exact ? type->overwrite(s->table, row) : type->insert(s->table, row);
        row_unref(row);
        return rc;
    }
    if (s->plan->kind == OUTPUT_DELETE)
        return type->remove(s->table, s->plan->query, &s->frame);
    if (s->plan->kind == OUTPUT_UPDATE)
        return type->update(s->table, s->plan, &s->frame, &found);
    rc = upsert(s);
    if (rc == 1)
        *batch_add(unmatched, NULL, 0, EVENT_CURRENT) = *e;
    return rc < 0 ? rc : 0;
}

/* Events that found no row, when all had their turn: those of one chunk may still meet among themselves. */
static int insert_unmatched(struct statement *s, const struct batch *unmatched)
{
    int rc = 0;
    s->pending = arena_raw(s->frame.env->scratch, (unmatched->count + 1) * sizeof(*s->pending));
    for (uint32_t i = 0; i < unmatched->count && rc == 0; i++) {
        const struct event *e = &unmatched->events[i];
        bool done = false;
        s->rows[SLOT_EVENT] = e->row;
        s->frame.at_ms = e->at_ms;
        rc = update_pending(s, &done);
        if (rc == 0 && !done)
            s->pending[s->pending_count++] = event_row(e);
    }
    for (uint32_t i = 0; i < s->pending_count; i++) {
        if (rc == 0)
            rc = s->table->plan->type->insert(s->table, s->pending[i]);
        row_unref(s->pending[i]);
    }
    return rc;
}

int table_run(const struct table_statement *plan, struct table *t, char *agg, const struct batch *in)
{
    struct expr_env *env = &t->app->env;
    struct statement s = {.plan = plan, .table = t, .frame = {.env = env, .agg = agg}};
    struct op user = {.env = env};
    struct batch unmatched;
    int rc = 0;
    s.frame.rows = s.rows;
    s.frame.user = &user;
    batch_init(&unmatched, env->scratch, plan->kind == OUTPUT_UPSERT ? in->count : 0);
    for (uint32_t i = 0; i < in->count && rc == 0; i++)
        rc = statement_event(&s, &in->events[i], &unmatched);
    return rc == 0 && unmatched.count ? insert_unmatched(&s, &unmatched) : rc;
}

/* ---- for joins, on-demand queries and expressions ---- */

int table_lookup_rows(const struct lookup *l, struct app *app, struct frame *f, struct row ***rows,
                      uint32_t *count)
{
    const struct table_query *q = ((const struct table_lookup *)l)->query;
    struct table *t = app->tables[q->table->number];
    struct table_rows found = {.scratch = f->env->scratch};
    int rc = t->plan->type->find(t, q, f, &found);
    *rows = found.rows;
    *count = rc < 0 ? 0 : found.count;
    return rc;
}

struct value table_eval_in(const struct expr *e, struct frame *f)
{
    const struct table_query *q = e->config;
    const struct app *app = op_app(f->user);
    struct table *t = app->tables[q->table->number];
    struct row *rows[2] = {f->rows[0], NULL};
    struct frame inner = *f;
    bool found = false;
    inner.rows = rows;
    inner.kind = EVENT_CURRENT;
    return t->plan->type->contains(t, q, &inner, &found) < 0 ? VALUE_NULL : value_bool(found);
}

/* ---- the operator ---- */

struct table_output {
    struct op op;
    char *agg;
};

static void table_output_open(struct op *op)
{
    const struct table_output_plan *p = (const struct table_output_plan *)op->plan;
    ((struct table_output *)op)->agg = agg_block_new(p->statement.aggs);
}

static int table_output_push(struct op *op, const struct batch *in)
{
    const struct table_output_plan *p = (const struct table_output_plan *)op->plan;
    struct batch space;
    if (UNLIKELY(op_app(op)->host.query != NULL))
        output_callback(op, in, p->current_wanted, p->expired_wanted);
    const struct batch *rows = output_rows(op, in, p->current_wanted, p->expired_wanted, &space);
    if (rows->count == 0)
        return 0;
    char *agg = p->statement.aggs ? ((struct table_output *)op)->agg : NULL;
    return table_run(&p->statement, op_app(op)->tables[p->statement.table->number], agg, rows);
}

static void table_output_save(const struct op *op, struct writer *w)
{
    const struct table_output_plan *p = (const struct table_output_plan *)op->plan;
    agg_block_save(p->statement.aggs, ((const struct table_output *)op)->agg, w);
}

static int table_output_load(struct op *op, struct reader *r)
{
    const struct table_output_plan *p = (const struct table_output_plan *)op->plan;
    return agg_block_load(p->statement.aggs, ((struct table_output *)op)->agg, r);
}

static void table_output_close(struct op *op)
{
    const struct table_output_plan *p = (const struct table_output_plan *)op->plan;
    agg_block_free(p->statement.aggs, ((struct table_output *)op)->agg);
}

static void table_output_explain(const struct op_plan *plan, struct buf *out)
{
    static const char *const words[] = {[OUTPUT_INSERT] = "insert",
                                        [OUTPUT_DELETE] = "delete",
                                        [OUTPUT_UPDATE] = "update",
                                        [OUTPUT_UPSERT] = "update or insert"};
    const struct table_output_plan *p = (const struct table_output_plan *)plan;
    buf_printf(out, " %s: %s", p->statement.table->schema->id, words[p->statement.kind]);
    if (p->statement.query)
        buf_printf(out, " by %s", p->statement.query->how);
}

const struct op_type op_table_output = {
    .name = "table",
    .size = sizeof(struct op),
    .push = table_output_push,
    .explain = table_output_explain,
};

const struct op_type op_table_aggregate = {
    .name = "table.aggregate",
    .size = sizeof(struct table_output),
    .open = table_output_open,
    .push = table_output_push,
    .save = table_output_save,
    .load = table_output_load,
    .close = table_output_close,
    .explain = table_output_explain,
};
