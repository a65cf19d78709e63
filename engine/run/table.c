/* table.c - tables at work: what the statements do (spec 08 section 2), and the operator that ends a query with one. See table.h. */
#include "engine/run/table.h"
#include "engine/run/app.h"
#include "engine/run/output.h"

struct table *table_new(struct app *app, const struct plan_element *e)
{
    const struct table_plan *p = e->config;
    struct table *t = mem_alloc(p->type->size);
    t->app = app;
    t->plan = p;
    p->type->open(t);
    return t;
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

/* What is not done is told, and the stream goes on (spec 08 section 3). */
static void report_duplicate(struct statement *s, const char *what)
{
    struct app *app = s->table->app;
    char words[256];
    snprintf(words, sizeof(words), "table '%s': %s, for its %s is there already", s->table->plan->element->schema->id, what,
             s->table->plan->primary.label);
    if (app->host.failure)
        app->host.failure(app->host.user, UINT32_MAX, words);
}

static int insert_row(struct statement *s, struct row *row)
{
    enum table_put put;
    int rc = s->table->plan->type->insert(s->table, row, &put);
    if (rc == 0 && put == TABLE_PUT_DUPLICATE)
        report_duplicate(s, "a row was not inserted");
    return rc;
}

/* The event's row, stamped as the event; refs 1. */
static struct row *event_row(const struct event *e)
{
    return e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
}

/* Sets the columns of a row nobody else has seen, one after the other: each sees those before it. */
static int assign(struct statement *s, struct row *row)
{
    s->rows[SLOT_ROW] = row;
    for (int i = 0; i < s->plan->assign_count; i++) {
        const struct table_assign *a = &s->plan->assigns[i];
        struct value v = expr_eval(a->value, &s->frame), was = row_get(row, a->column);
        if (UNLIKELY(s->frame.env->failed))
            return ERR_EVENT;
        row_set(row, a->column, v);
        value_drop(was);
    }
    return 0;
}

static int update_hits(struct statement *s, const struct table_hits *found)
{
    struct row **rows = arena_raw(s->frame.env->scratch, found->count * sizeof(*rows));
    uint32_t made = 0;
    enum table_put put = TABLE_PUT_DONE;
    int rc = 0;
    for (; made < found->count && rc == 0; made++) {
        rows[made] = row_copy(found->hits[made].row, 0, found->hits[made].row->at_ms);
        rc = assign(s, rows[made]);
    }
    if (rc == 0)
        rc = s->table->plan->type->replace(s->table, found->hits, rows, found->count, &put);
    if (put == TABLE_PUT_DUPLICATE)
        report_duplicate(s, "nothing was updated");
    for (uint32_t i = 0; i < made; i++)
        row_unref(rows[i]);
    return rc;
}

/* Does the event fit rows of its own chunk that are going to be added? They are updated then, and it is done with (spec 08 section 2). */
static int update_pending(struct statement *s, bool *done)
{
    for (uint32_t i = 0; i < s->pending_count; i++) {
        s->rows[SLOT_ROW] = s->pending[i];
        bool fits = !s->plan->query->on || expr_is_true(s->plan->query->on, &s->frame);
        if (UNLIKELY(s->frame.env->failed))
            return ERR_EVENT;
        if (!fits)
            continue;
        *done = true;
        struct row *row = row_copy(s->pending[i], 0, s->pending[i]->at_ms);
        row_unref(s->pending[i]);
        s->pending[i] = row;
        if (assign(s, row) < 0)
            return ERR_EVENT;
    }
    return 0;
}

static int upsert_event(struct statement *s, const struct event *e, const struct table_hits *found)
{
    bool done = false;
    if (found->count)
        return update_hits(s, found);
    int rc = update_pending(s, &done);
    if (rc == 0 && !done)
        s->pending[s->pending_count++] = event_row(e);
    return rc;
}

static int statement_event(struct statement *s, const struct event *e)
{
    const struct table_type *type = s->table->plan->type;
    struct table_hits found;
    int rc = 0;
    s->rows[SLOT_EVENT] = e->row;
    s->frame.at_ms = e->at_ms;
    s->frame.kind = e->kind;
    if (s->plan->kind == OUTPUT_INSERT || (s->plan->kind == OUTPUT_UPSERT && s->plan->query->is_exact)) {
        struct row *row = event_row(e);
        rc = s->plan->kind == OUTPUT_INSERT ? insert_row(s, row) : type->overwrite(s->table, row);
        row_unref(row);
        return rc;
    }
    table_hits_init(&found, s->frame.env->scratch, 0);
    rc = table_find(s->plan->query, s->table, &s->frame, &found);
    if (rc < 0)
        return rc;
    if (s->plan->kind == OUTPUT_UPSERT)
        return upsert_event(s, e, &found);
    if (found.count == 0)
        return 0;
    return s->plan->kind == OUTPUT_DELETE ? type->remove(s->table, found.hits, found.count) : update_hits(s, &found);
}

int table_run(const struct table_statement *plan, struct table *t, const struct batch *in)
{
    struct expr_env *env = &t->app->env;
    struct statement s = {.plan = plan, .table = t, .frame = {.env = env}};
    struct op user = {.app = t->app, .env = env};
    int rc = 0;
    s.frame.rows = s.rows;
    s.frame.user = &user;
    if (plan->kind == OUTPUT_UPSERT)
        s.pending = arena_raw(env->scratch, in->count * sizeof(*s.pending));
    for (uint32_t i = 0; i < in->count && rc == 0; i++)
        rc = statement_event(&s, &in->events[i]);
    for (uint32_t i = 0; i < s.pending_count; i++) {
        if (rc == 0)
            rc = insert_row(&s, s.pending[i]);
        row_unref(s.pending[i]);
    }
    return rc;
}

/* ---- the operator ---- */

static int table_output_push(struct op *op, const struct batch *in)
{
    const struct table_output_plan *p = (const struct table_output_plan *)op->plan;
    struct batch space;
    if (UNLIKELY(op->app->host.query != NULL))
        output_callback(op, in, p->current_wanted, p->expired_wanted);
    const struct batch *rows = output_rows(op, in, p->current_wanted, p->expired_wanted, &space);
    return rows->count ? table_run(&p->statement, op->app->tables[p->statement.table->number], rows) : 0;
}

static void table_output_explain(const struct op_plan *plan, struct buf *out)
{
    static const char *const words[] = {[OUTPUT_INSERT] = "insert", [OUTPUT_DELETE] = "delete", [OUTPUT_UPDATE] = "update", [OUTPUT_UPSERT] = "update or insert"};
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
