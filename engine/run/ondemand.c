/* ondemand.c - on-demand queries at work (spec 08 section 6). The newest of them are kept compiled, by their
 * text; an operator is made for each execution, so that no state lasts from one to the next. */
#include "engine/run/ondemand.h"
#include "engine/run/app.h"

enum { COMPILED_MAX = 50 };
static const int64_t RESULT_AT_MS = -1; /* the timestamp of what is shown and of what is written */

struct compiled {
    char *text;
    size_t len;
    struct ondemand_plan *plan;
};
struct ondemand {
    struct compiled compiled[COMPILED_MAX];
    int newest;        /* the next to be written over */
    struct row **rows; /* of the last answer, refs 1 each */
    uint32_t row_count, row_cap;
};

static void rows_clear(struct ondemand *o)
{
    for (uint32_t i = 0; i < o->row_count; i++)
        row_unref(o->rows[i]);
    o->row_count = 0;
}

static void rows_add(struct ondemand *o, struct row *row)
{
    if (o->row_count == o->row_cap) {
        o->row_cap = o->row_cap ? o->row_cap * 2 : 16;
        o->rows = mem_resize(o->rows, o->row_cap, sizeof(*o->rows));
    }
    o->rows[o->row_count++] = row_ref(row);
}

static void compiled_drop(struct compiled *c)
{
    if (c->plan)
        ondemand_plan_free(c->plan);
    mem_free(c->text);
    *c = (struct compiled){0};
}

void ondemand_free(struct app *app)
{
    struct ondemand *o = app->ondemand;
    if (!o)
        return;
    rows_clear(o);
    for (int i = 0; i < COMPILED_MAX; i++)
        compiled_drop(&o->compiled[i]);
    mem_free(o->rows);
    mem_free(o);
    app->ondemand = NULL;
}

static struct compiled *compiled_find(struct ondemand *o, const char *text, size_t len)
{
    for (int i = 0; i < COMPILED_MAX; i++) {
        struct compiled *c = &o->compiled[i];
        if (c->plan && c->len == len && memcmp(c->text, text, len) == 0)
            return c;
    }
    return NULL;
}

static const struct ondemand_plan *compiled_need(struct app *app, const char *text, size_t len,
                                                 struct diags *diags, struct err *e)
{
    if (!app->started) {
        err_set(e, ERR_INVALID, "the app '%s' is not running", app->name);
        return NULL;
    }
    if (!app->ondemand)
        app->ondemand = mem_alloc(sizeof(*app->ondemand));
    struct ondemand *o = app->ondemand;
    struct compiled *c = compiled_find(o, text, len);
    if (c)
        return c->plan;
    struct ondemand_plan *plan = plan_ondemand(app->plan, text, len, diags, e);
    if (!plan)
        return NULL;
    c = &o->compiled[o->newest];
    o->newest = (o->newest + 1) % COMPILED_MAX;
    compiled_drop(c);
    c->text = mem_alloc(len + 1);
    memcpy(c->text, text, len);
    c->len = len;
    c->plan = plan;
    return plan;
}

/* ---- the selector's end: its rows are the answer ---- */

static int collect_push(struct op *op, const struct batch *in)
{
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->events[i].kind == EVENT_CURRENT)
            rows_add(op_app(op)->ondemand, in->events[i].row);
    }
    return 0;
}
static const struct op_type op_collect = {.name = "answer", .size = sizeof(struct op), .push = collect_push};
static const struct op_plan collect_plan = {.type = &op_collect, .scheduler = -1};

static int run_select(struct app *app, const struct op_plan *plan, const struct batch *in)
{
    struct op *select = op_new(app, plan, NULL), *end = op_new(app, &collect_plan, NULL);
    select->next = end;
    if (select->type->open)
        select->type->open(select);
    int rc = op_push(select, in);
    op_free(select);
    op_free(end);
    return rc;
}

static void add_found(struct batch *b, struct row *row)
{
    batch_add(b, row, RESULT_AT_MS, EVENT_CURRENT);
}

static int find_in_window(struct app *app, const struct ondemand_plan *q, struct frame *f, struct row **slot,
                          struct batch *found)
{
    struct op *window = app->windows[q->window->number];
    struct queue *queue = window->type->content(window);
    for (uint32_t i = 0; queue && i < queue->count; i++) {
        *slot = queue_at(queue, i);
        int rc = q->on ? table_meets(q->on, f) : 1;
        if (rc < 0)
            return rc;
        if (rc)
            add_found(found, *slot);
    }
    if (queue)
        queue->walked = queue->count;
    return 0;
}

static int run_find(struct app *app, const struct ondemand_plan *q)
{
    struct row *slot = NULL, **rows = NULL;
    struct op user = {.env = &app->env};
    struct frame f = {.env = &app->env, .rows = &slot, .at_ms = RESULT_AT_MS, .user = &user};
    struct batch found;
    uint32_t count = 0;
    int rc;
    batch_init(&found, &app->scratch, 16);
    if (q->window)
        rc = find_in_window(app, q, &f, &slot, &found);
    else
        rc = q->lookup->rows(q->lookup, app, &f, &rows, &count);
    for (uint32_t i = 0; i < count && rc == 0; i++)
        add_found(&found, rows[i]);
    found.is_batch = found.count > 1;
    return rc < 0 || found.count == 0 ? rc : run_select(app, q->select, &found);
}

static int run_change(struct app *app, const struct ondemand_plan *q)
{
    struct row *nothing = row_new(q->select ? 0 : q->statement.table->schema->count, RESULT_AT_MS);
    struct batch events;
    int rc = 0;
    batch_init(&events, &app->scratch, 1);
    batch_add(&events, nothing, RESULT_AT_MS, EVENT_CURRENT);
    if (q->select) {
        rc = run_select(app, q->select, &events);
        events.count = 0;
        for (uint32_t i = 0; i < app->ondemand->row_count; i++)
            batch_add(&events, app->ondemand->rows[i], RESULT_AT_MS, EVENT_CURRENT);
    }
    if (rc == 0 && events.count)
        rc = table_run(&q->statement, app->tables[q->statement.table->number], NULL, &events);
    rows_clear(app->ondemand);
    row_unref(nothing);
    return rc;
}

int app_query(struct app *app, const char *text, size_t len, struct result *result, struct err *e)
{
    *result = (struct result){0};
    if (app->ondemand)
        rows_clear(app->ondemand);
    struct err words = {0};
    const struct ondemand_plan *q = compiled_need(app, text, len, NULL, &words);
    if (!q)
        return err_set(e, words.code, "%s", words.text);
    app_enter(app);
    int rc = q->kind == ONDEMAND_FIND ? run_find(app, q) : run_change(app, q);
    app_leave(app);
    if (rc < 0) {
        rows_clear(app->ondemand);
        app->env.failed = false;
        return err_set(e, ERR_INVALID, "%s", app->env.failure);
    }
    if (q->kind == ONDEMAND_FIND) {
        result->schema = q->select->out;
        result->rows = app->ondemand->rows;
        result->count = app->ondemand->row_count;
        result->is_ordered = q->is_ordered;
    }
    return 0;
}

int app_query_check(struct app *app, const char *text, size_t len, enum query_effect *effect,
                    struct diags *diags, struct err *e)
{
    struct err words = {0};
    const struct ondemand_plan *q = compiled_need(app, text, len, diags, &words);
    if (!q)
        return err_set(e, words.code, "%s", words.text);
    if (q->kind != ONDEMAND_FIND)
        *effect = QUERY_WRITES;
    else
        *effect = q->window || q->calls_script ? QUERY_TOUCHES : QUERY_READS;
    return 0;
}

void app_query_forget(struct app *app, const char *text, size_t len)
{
    struct compiled *c = app->ondemand ? compiled_find(app->ondemand, text, len) : NULL;
    if (!c)
        return;
    rows_clear(app->ondemand);
    compiled_drop(c);
}
