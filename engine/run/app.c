/* app.c - the running app: made from a plan, fed, asked, saved (engine.h). */
#include "engine/run/app.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/data/segments.h"
#include "engine/expr/script.h"
#include "engine/lang/print.h"
#include "engine/run/partition.h"
#include "engine/store/overlay.h"
#include <inttypes.h>

enum { SCRATCH_BLOCK = 16 * 1024, STATE_FORMAT = 3 };

/* What a named window publishes: the end of its chain. RESET and TIMER events are not published (spec 04
 * section 4). */
struct window_output {
    struct op op;
    struct stream *stream;
};

static int window_output_push(struct op *op, const struct batch *in)
{
    struct window_output *o = (struct window_output *)op;
    const struct plan_element *e = o->stream->plan;
    struct event space[BATCH_SHORT];
    struct batch out;
    batch_on(&out, space, in->count, op->env->scratch);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *v = &in->events[i];
        if ((v->kind == EVENT_CURRENT && e->publishes_current) ||
            (v->kind == EVENT_EXPIRED && e->publishes_expired))
            batch_add(&out, v->row, v->at_ms, v->kind);
    }
    if (out.count)
        stream_publish(o->stream, &out);
    return 0;
}

static const struct op_type op_window_output = {
    .name = "window output", .size = sizeof(struct window_output), .push = window_output_push};
static const struct op_plan window_output_plan = {.type = &op_window_output, .scheduler = -1};

static void windows_open(struct app *app)
{
    for (int i = 0; i < app->plan->window_count; i++) {
        const struct plan_element *e = app->plan->windows[i];
        app->window_streams[i] = stream_new(app, e);
        struct op *window = op_new(app, e->window, NULL);
        struct window_output *out = (struct window_output *)op_new(app, &window_output_plan, NULL);
        out->stream = app->window_streams[i];
        window->next = &out->op;
        if (window->type->open)
            window->type->open(window);
        app->windows[i] = window;
    }
}

static void items_open(struct app *app)
{
    for (int i = 0; i < app->plan->aggregation_count; i++) {
        app->aggregations[i] = aggregation_new(app, app->plan->aggregations[i]);
    }
    int queries = 0, partitions = 0;
    for (const struct plan_item *i = app->plan->items; i; i = i->next) {
        queries += i->query != NULL;
        partitions += i->partition != NULL;
    }
    app->queries = mem_array((size_t)queries + 1, sizeof(struct query *));
    app->partitions = mem_array((size_t)partitions + 1, sizeof(struct op *));
    for (const struct plan_item *i = app->plan->items; i; i = i->next) {
        if (i->query) {
            struct query *q = mem_alloc(query_bytes(i->query, NULL));
            query_init(q, app, i->query, NULL, NULL);
            app->queries[app->query_count++] = q;
            query_subscribe(q, app);
        } else {
            app->partitions[app->partition_count++] = partition_new(app, i->partition);
        }
    }
}

struct app *app_new(struct plan *plan, const struct app_host *host)
{
    struct app *app = mem_alloc(sizeof(*app));
    app->state = state_new();
    buf_init(&app->saving, SIZE_MAX);
    app->plan = plan;
    app->host = *host;
    app->playback = plan->playback;
    arena_init(&app->scratch, SCRATCH_BLOCK);
    arena_raw(&app->scratch, 8);
    app->scratch_mark = arena_mark(&app->scratch);
    app->name = mem_strdup(plan->name ? plan->name : "app");
    app->env.scratch = &app->scratch;
    app->env.app_name = app->name;
    app->env.random_state = host->seed;
    app->env.world = host->world;
    app->env.now_ms = app->playback ? 0 : INT64_MIN;
    app->timers = timers_new(app);
    app->shared = mem_array((size_t)plan->op_count + 1, sizeof(void *));
    app->streams = mem_array((size_t)plan->stream_count + 1, sizeof(struct stream *));
    app->windows = mem_array((size_t)plan->window_count + 1, sizeof(struct op *));
    app->window_streams = mem_array((size_t)plan->window_count + 1, sizeof(struct stream *));
    app->tables = mem_array((size_t)plan->table_count + 1, sizeof(struct table *));
    app->aggregations = mem_array((size_t)plan->aggregation_count + 1, sizeof(struct aggregation *));
    for (int i = 0; i < plan->stream_count; i++) {
        if (!plan->streams[i]->is_inner)
            app->streams[i] = stream_new(app, plan->streams[i]);
    }
    if (plan->has_stored) {
        app->overlay = mem_alloc(sizeof(*app->overlay));
        overlay_init(app->overlay, STORE_TABLES);
    }
    for (int i = 0; i < plan->table_count; i++)
        app->tables[i] = table_new(app, plan->tables[i]);
    windows_open(app);
    items_open(app);
    int triggers = 0;
    for (const struct plan_trigger *t = plan->triggers; t; t = t->next)
        triggers++;
    app->triggers = mem_array((size_t)triggers + 1, sizeof(struct op *));
    for (const struct plan_trigger *t = plan->triggers; t; t = t->next)
        app->triggers[app->trigger_count++] = trigger_new(app, t);
    if (app->playback && plan->idle_ms > 0)
        app->heartbeat = heartbeat_new(app);
    return app;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    ondemand_free(app);
    for (int i = 0; i < app->trigger_count; i++)
        op_free(app->triggers[i]);
    op_free(app->heartbeat);
    for (int i = app->partition_count; i > 0; i--)
        partition_free(app->partitions[i - 1]);
    for (int i = app->query_count; i > 0; i--) {
        query_fini(app->queries[i - 1]);
        mem_free(app->queries[i - 1]);
    }
    for (int i = 0; i < app->plan->aggregation_count; i++)
        aggregation_free(app->aggregations[i]);
    for (int i = 0; i < app->plan->window_count; i++) {
        struct op *out = app->windows[i]->next;
        op_free(app->windows[i]);
        op_free(out);
        stream_free(app->window_streams[i]);
    }
    for (int i = 0; i < app->plan->table_count; i++)
        table_free(app->tables[i]);
    for (int i = 0; i < app->plan->stream_count; i++)
        stream_free(app->streams[i]);
    for (int i = 0; i <= app->plan->op_count; i++) /* and that of on-demand queries' selectors */
        mem_free(app->shared[i]);
    if (app->overlay)
        overlay_fini(app->overlay);
    mem_free(app->overlay);
    timers_free(app->timers);
    script_fini(&app->env);
    state_free(app->state);
    buf_fini(&app->saving);
    expr_env_fini(&app->env);
    arena_fini(&app->scratch);
    mem_free(app->triggers);
    mem_free(app->partitions);
    mem_free(app->queries);
    mem_free(app->aggregations);
    mem_free(app->tables);
    mem_free(app->window_streams);
    mem_free(app->windows);
    mem_free(app->streams);
    mem_free(app->shared);
    mem_free(app->name);
    plan_free(app->plan);
    mem_free(app);
}

const struct plan *app_plan(const struct app *app)
{
    return app->plan;
}

bool plan_has_stored(const struct plan *p)
{
    return p->has_stored;
}

const char *plan_text(const struct plan *p)
{
    return p->text;
}

const char *app_name(const struct app *app)
{
    return app->name;
}

struct expr_env *app_env(struct app *app)
{
    return &app->env;
}

int64_t app_now(const struct app *app)
{
    return app->env.now_ms;
}

static int ops_start(struct app *app, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < app->plan->window_count && rc == 0; i++) {
        if (app->windows[i]->type->start)
            rc = app->windows[i]->type->start(app->windows[i], e);
    }
    for (int i = 0; i < app->plan->aggregation_count && rc == 0; i++)
        rc = aggregation_start(app->aggregations[i], e);
    for (int i = 0; i < app->query_count && rc == 0; i++)
        rc = query_start(app->queries[i], e);
    return rc;
}

/* An app that could not start stays as it is: time does not pass and events do nothing (spec 10 section 1).
 */
int app_start(struct app *app, int64_t now_ms, bool resume, struct err *e)
{
    if (app->plan->start_error)
        return err_set(e, ERR_INVALID, "%s", app->plan->start_error);
    app->env.began_ms = app->playback ? 0 : now_ms;
    app->started = true;
    app->task_ms = app->until_ms = now_ms;
    if (!app->playback)
        app->env.now_ms = now_ms;
    else if (!app->awaits_clock)
        timers_move(app, now_ms);
    int rc = tables_start(app, e);
    if (rc == 0 && !resume)
        rc = ops_start(app, e);
    if (rc == 0)
        rc = trigger_start(app, resume, e);
    if (rc < 0)
        app->started = false;
    return rc;
}

void app_await_clock(struct app *app)
{
    app->awaits_clock = true;
}

int64_t app_task_now(const struct app *app)
{
    return app->playback ? app->task_ms : app->env.now_ms;
}

bool app_is_inside(const struct app *app)
{
    return app->depth > 0;
}

void app_keep_tables(struct app *app, struct store *store, uint32_t number)
{
    if (!app->overlay)
        return;
    app->overlay->store = store;
    app->store_number = number;
}

uint64_t app_tables_waiting(const struct app *app)
{
    return app->overlay ? app->overlay->bytes : 0;
}

void app_tables_collect(struct app *app, struct store_batch *batch)
{
    if (app->overlay)
        overlay_collect(app->overlay, batch);
}

void app_tables_committed(struct app *app)
{
    if (app->overlay)
        overlay_committed(app->overlay);
}

int64_t app_next_due(const struct app *app)
{
    return app->started ? timers_next(app->timers) : INT64_MAX;
}

void app_each_op(struct app *app, void (*visit)(struct op *op, void *user), void *user)
{
    for (int i = 0; i < app->plan->window_count; i++)
        visit(app->windows[i], user);
    for (int i = 0; i < app->plan->aggregation_count; i++)
        aggregation_each_op(app->aggregations[i], visit, user);
    for (int i = 0; i < app->query_count; i++) {
        const struct query *q = app->queries[i];
        for (int k = 0; k < q->plan->op_count; k++)
            visit(q->ops[k], user);
    }
    for (int i = 0; i < app->partition_count; i++)
        visit(app->partitions[i], user);
    for (int i = 0; i < app->trigger_count; i++)
        visit(app->triggers[i], user);
    if (app->heartbeat)
        visit(app->heartbeat, user);
}

static __attribute__((noinline)) void send_batch(struct app *app, struct stream *s,
                                                 const struct event *events, uint32_t count, bool is_batch)
{
    const struct batch b = {.events = (struct event *)(uintptr_t)events,
                            .count = count,
                            .cap = count,
                            .scratch = &app->scratch,
                            .is_batch = is_batch};
    stream_publish(s, &b);
    if (app->depth == 0)
        app_release(app);
}

/* By itself, so that app_send keeps few registers. */
static __attribute__((noinline)) void send_one(struct app *app, struct stream *s, const struct event *e)
{
    stream_publish_one(s, e);
    if (LIKELY(app->depth == 0))
        app_release(app);
}

void app_send(struct app *app, uint32_t stream, const struct event *events, uint32_t count, bool is_batch)
{
    ASSERT(stream < (uint32_t)app->plan->stream_count && app->streams[stream]);
    struct stream *s = app->streams[stream];
    if (UNLIKELY(!app->started))
        return;
    if (UNLIKELY(count != 1 || is_batch || events->kind != EVENT_CURRENT)) {
        send_batch(app, s, events, count, is_batch);
        return;
    }
    if (UNLIKELY(s->way != WAY_ONLY || app->depth > 0)) {
        send_one(app, s, events);
        return;
    }
    s->events++;
    app->depth = 1;
    if (UNLIKELY(s->only_one(s->only, events) < 0))
        stream_failed_one(s, events);
    app->depth = 0;
    app_release(app);
}

/* ---- state ---- */

struct part_of {
    enum { PART_HEAD, PART_TABLE, PART_OP, PART_AGGREGATION, PART_PARTITION, PART_TIMERS } kind;
    void *thing;
    const struct ast_item *item; /* the query or partition it stands in */
    const struct ast_definition *definition;
    const char *query; /* the name of its query; NULL: it is in none */
};
/* Called for each part under its name, in the order in which they are saved and loaded. */
typedef int (*part_fn)(struct app *app, const char *name, const struct part_of *what, void *user);

static int query_parts(struct app *app, const struct query *q, part_fn fn, void *user)
{
    int rc = 0;
    struct ast_item item = {.query = (struct ast_query *)(uintptr_t)q->plan->ast};
    char name[512];
    for (int i = 0; i < q->plan->op_count && rc == 0; i++) {
        if (!q->ops[i]->type->save)
            continue;
        snprintf(name, sizeof name, "query %s %d %s", q->plan->name, i, q->ops[i]->type->name);
        rc = fn(app, name,
                &(struct part_of){.kind = PART_OP, .thing = q->ops[i], .item = &item, .query = q->plan->name},
                user);
    }
    return rc;
}

static int each_part(struct app *app, part_fn fn, void *user)
{
    char name[512];
    const struct plan *plan = app->plan;
    int rc = fn(app, "head", &(struct part_of){.kind = PART_HEAD}, user);
    for (int i = 0; i < plan->table_count && rc == 0; i++) {
        snprintf(name, sizeof name, "table %s", plan->tables[i]->schema->id);
        rc = fn(app, name,
                &(struct part_of){
                    .kind = PART_TABLE, .thing = app->tables[i], .definition = plan->tables[i]->definition},
                user);
    }
    for (int i = 0; i < plan->window_count && rc == 0; i++) {
        snprintf(name, sizeof name, "window %s %s", plan->windows[i]->schema->id,
                 app->windows[i]->type->name);
        if (app->windows[i]->type->save)
            rc =
                fn(app, name,
                   &(struct part_of){
                       .kind = PART_OP, .thing = app->windows[i], .definition = plan->windows[i]->definition},
                   user);
    }
    for (int i = 0; i < plan->aggregation_count && rc == 0; i++) {
        snprintf(name, sizeof name, "aggregation %s", plan->aggregations[i]->schema->id);
        rc = fn(app, name,
                &(struct part_of){.kind = PART_AGGREGATION,
                                  .thing = app->aggregations[i],
                                  .definition = plan->aggregations[i]->definition},
                user);
    }
    for (int i = 0; i < app->query_count && rc == 0; i++)
        rc = query_parts(app, app->queries[i], fn, user);
    int number = 0;
    const struct ast_item *written = plan->ast->items;
    for (const struct plan_item *i = plan->items; i && rc == 0; i = i->next, written = written->next) {
        if (!i->partition)
            continue;
        struct ast_item item = {.partition = written->partition};
        snprintf(name, sizeof name, "partition %s", i->partition->name);
        rc = fn(app, name,
                &(struct part_of){.kind = PART_PARTITION, .thing = app->partitions[number++], .item = &item},
                user);
    }
    for (int i = 0; i < app->trigger_count && rc == 0; i++) {
        snprintf(name, sizeof name, "trigger %d", i);
        rc = fn(app, name, &(struct part_of){.kind = PART_OP, .thing = app->triggers[i]}, user);
    }
    return rc == 0 ? fn(app, "timers", &(struct part_of){.kind = PART_TIMERS}, user) : rc;
}

static void schema_words(const struct schema *s, struct buf *out)
{
    for (uint32_t i = 0; s && i < s->count; i++)
        buf_printf(out, "%s %s,", s->attributes[i].name, type_name(s->attributes[i].type));
}

/* Two parts of one name whose shapes are equal understand each other's state: how it is written, and over
 * which attributes. A window's is its own call, whatever the rest of its query does. */
static uint64_t shape_of(const struct part_of *what)
{
    struct buf words;
    const struct op *op = what->kind == PART_OP ? what->thing : NULL;
    buf_init(&words, SIZE_MAX);
    if (op)
        schema_words(op->plan->in, &words);
    if (what->definition) {
        struct ast_definition alone = *what->definition;
        alone.next = NULL;
        print_app(&(struct ast_app){.definitions = &alone}, &words);
    } else if (op && op->type->explain && !op->type->keep && strncmp(op->type->name, "window.", 7) == 0) {
        buf_add_str(&words, op->type->name);
        op->type->explain(op->plan, &words);
    } else if (what->item) {
        print_app(&(struct ast_app){.items = (struct ast_item *)(uintptr_t)what->item}, &words);
    }
    uint64_t shape = hash_bytes(words.bytes ? words.bytes : "", words.len, 2);
    buf_fini(&words);
    return shape;
}

static int save_part(struct app *app, const char *name, const struct part_of *what, void *user)
{
    struct writer *w = user;
    buf_clear(&w->out);
    write_u8(w, STATE_FORMAT);
    write_tag(w, name);
    write_i64(w, (int64_t)shape_of(what));
    switch (what->kind) {
    case PART_HEAD:
        expr_env_save(&app->env, w);
        script_save(&app->env, w);
        if (app->playback)
            heartbeat_save(app, w);
        break;
    case PART_TABLE:
        table_save(what->thing, w);
        break;
    case PART_OP:
        ((struct op *)what->thing)->type->save(what->thing, w);
        break;
    case PART_AGGREGATION:
        aggregation_save(what->thing, w);
        break;
    case PART_PARTITION:
        partition_save(what->thing, w);
        break;
    case PART_TIMERS:
        timers_save(app->timers, w);
        break;
    }
    state_part(app->state, name, &w->out);
    return 0;
}

uint64_t app_checkpoint(struct app *app, const struct state_home *home)
{
    struct writer w = {.state = app->state, .out = app->saving};
    state_begin(app->state, home);
    each_part(app, save_part, &w);
    state_finish(app->state);
    app->saving = w.out;
    return state_written(app->state);
}

static int ahead_part(struct app *app, const char *name, const struct part_of *what, void *user)
{
    struct writer *w = user;
    (void)app;
    (void)name;
    if (what->kind == PART_OP && ((struct op *)what->thing)->type->ahead)
        ((struct op *)what->thing)->type->ahead(what->thing, w);
    else if (what->kind == PART_AGGREGATION)
        aggregation_ahead(what->thing, w);
    else if (what->kind == PART_PARTITION)
        partition_ahead(what->thing, w);
    return 0;
}

void app_checkpoint_ahead(struct app *app, const struct state_home *home, uint32_t from, uint32_t to)
{
    struct writer w = {.state = app->state, .ahead = &(struct share){from, to}, .out = app->saving};
    buf_clear(&w.out);
    state_begin_ahead(app->state, home);
    each_part(app, ahead_part, &w);
    state_end_ahead(app->state);
    app->saving = w.out;
}

struct loading {
    struct err *e;
    struct app_upgrade *upgrade;
    bool compares; /* only */
    struct app_mend *mend;
    bool tries; /* mend is to be filled */
};

void app_upgrade_init(struct app_upgrade *u)
{
    *u = (struct app_upgrade){0};
    buf_init(&u->kept, SIZE_MAX);
    buf_init(&u->fresh, SIZE_MAX);
    buf_init(&u->dropped, SIZE_MAX);
}

void app_upgrade_fini(struct app_upgrade *u)
{
    buf_fini(&u->kept);
    buf_fini(&u->fresh);
    buf_fini(&u->dropped);
}

static int begins_anew(struct loading *l, const char *name, const char *why)
{
    buf_printf(&l->upgrade->fresh, "%s%s (%s)", l->upgrade->fresh_count++ ? ", " : "", name, why);
    return 0;
}

static void on_unread(void *user, const char *name)
{
    struct app_upgrade *u = user;
    if (*name && strcmp(name, "timers") != 0) /* counters have no name */
        buf_printf(&u->dropped, "%s%s", u->dropped_count++ ? ", " : "", name);
}

static int load_body(struct app *app, const struct part_of *what, struct reader *r)
{
    switch (what->kind) {
    case PART_HEAD:
        if (expr_env_load(&app->env, r) < 0 || script_load(&app->env, r) < 0)
            return ERR_STATE;
        return r->at < r->end ? heartbeat_load(app, r) : 0; /* of an app that was in playback */
    case PART_TABLE:
        return table_load(what->thing, r);
    case PART_OP:
        return ((struct op *)what->thing)->type->load(what->thing, r);
    case PART_AGGREGATION:
        return aggregation_load(what->thing, r);
    case PART_PARTITION:
        return partition_load(what->thing, r);
    case PART_TIMERS:
        return timers_load(app->timers, r);
    }
    return ERR_STATE;
}

static int load_part(struct app *app, const char *name, const struct part_of *what, void *user)
{
    struct loading *l = user;
    struct reader r;
    if (l->upgrade && what->kind == PART_TIMERS)
        return 0; /* the order of what came due at one moment: other operators, another order */
    int rc = state_read(app->state, name, &r, l->e);
    if (rc == ERR_NOT_FOUND && l->upgrade)
        return begins_anew(l, name, "new");
    if (rc < 0)
        return rc;
    if (read_u8(&r) != STATE_FORMAT)
        return err_set(l->e, ERR_STATE, "the saved state of '%s' has another format; this program reads %d",
                       name, STATE_FORMAT);
    if (!read_tag(&r, name))
        return err_set(l->e, ERR_STATE, "the saved state of '%s' is another's", name);
    if ((uint64_t)read_i64(&r) != shape_of(what))
        return l->upgrade
                   ? begins_anew(l, name, "changed")
                   : err_set(l->e, ERR_STATE, "the saved state of '%s' is of another text of the app", name);
    if (l->upgrade && what->kind != PART_HEAD)
        buf_printf(&l->upgrade->kept, "%s%s", l->upgrade->kept_count++ ? ", " : "", name);
    if (l->compares)
        return r.failed ? err_set(l->e, ERR_STATE, "the saved state of '%s' is damaged", name) : 0;
    rc = load_body(app, what, &r);
    if (state_failed(app->state))
        return err_set(l->e, ERR_STATE, "'%s': %s", name, state_words(app->state));
    if (rc < 0 || r.failed || r.at != r.end)
        return err_set(l->e, ERR_STATE, "the saved state of '%s' does not fit the app", name);
    return 0;
}

/* ---- what is left of a state ---- */

void app_mend_init(struct app_mend *m)
{
    *m = (struct app_mend){0};
    map_init(&m->lost);
    buf_init(&m->fresh, SIZE_MAX);
    buf_init(&m->suspects, SIZE_MAX);
}

void app_mend_fini(struct app_mend *m)
{
    map_fini(&m->lost);
    buf_fini(&m->fresh);
    buf_fini(&m->suspects);
}

/* What begins anew as one: of a query all its parts, for a sum over a window that is empty now would never
 * come down again. */
static void unit_of(const char *name, const struct part_of *what, char *unit, size_t size)
{
    if (what->query)
        snprintf(unit, size, "query %s", what->query);
    else if (strncmp(name, "window ", 7) == 0)
        snprintf(unit, size, "%.*s", (int)(7 + strcspn(name + 7, " ")), name);
    else
        snprintf(unit, size, "%s", name);
}

static bool is_lost(const struct app_mend *m, const char *unit)
{
    return map_get(&m->lost, unit, strlen(unit)) != NULL;
}

static void lose_unit(struct app_mend *m, const char *unit, const char *why)
{
    if (is_lost(m, unit))
        return;
    map_put(&m->lost, unit, strlen(unit), m);
    buf_printf(&m->fresh, "%s%s (%s)", m->fresh_count++ ? ", " : "", unit, why);
}

static int mend_part(struct app *app, const char *name, const struct part_of *what, void *user)
{
    struct loading *l = user, alone = {.e = l->e};
    struct app_mend *m = l->mend;
    char unit[512];
    if (what->kind == PART_TIMERS)
        return 0; /* as in load_part */
    unit_of(name, what, unit, sizeof unit);
    if (is_lost(m, unit))
        return 0;
    int rc = load_part(app, name, what, &alone);
    state_forgive(app->state);
    if (!l->tries || rc == 0 || rc == ERR_IO)
        return rc;
    lose_unit(m, unit, l->e->text);
    return 0;
}

/* A reader and its windows: one that begins anew takes the other along. True: something did. */
static bool lose_along(struct app_mend *m, const struct plan_query *q, const char *reader)
{
    char window[512];
    int count = m->fresh_count;
    for (int i = 0; i < q->input_count; i++) {
        const struct plan_element *e = q->inputs[i].element;
        if (!e || e->kind != ELEMENT_WINDOW)
            continue;
        snprintf(window, sizeof window, "window %s", e->schema->id);
        if (is_lost(m, window))
            lose_unit(m, reader, "it reads a window that begins anew");
        else if (is_lost(m, reader))
            lose_unit(m, window, "a query that reads it begins anew");
    }
    return m->fresh_count > count;
}

/* Who counts what came from a window would be wrong for good if only one of the two began anew. */
static void lose_readers(const struct app *app, struct app_mend *m)
{
    char reader[512];
    for (bool again = true; again;) {
        again = false;
        for (const struct plan_item *i = app->plan->items; i; i = i->next) {
            snprintf(reader, sizeof reader, "%s %s", i->query ? "query" : "partition",
                     i->query ? i->query->name : i->partition->name);
            if (i->query)
                again |= lose_along(m, i->query, reader);
            for (int k = 0; i->partition && k < i->partition->query_count; k++)
                again |= lose_along(m, i->partition->queries[k], reader);
        }
    }
}

static int mend(struct app *app, const struct state_home *home, struct app_mend *m, bool tries, struct err *e)
{
    struct loading l = {.e = e, .mend = m, .tries = tries};
    state_open(app->state, home);
    for (size_t at = 0; at + 2 * sizeof(uint64_t) <= m->suspects.len; at += 2 * sizeof(uint64_t)) {
        uint64_t range[2];
        memcpy(range, m->suspects.bytes + at, sizeof range);
        state_suspect(app->state, range[0], range[1]);
    }
    int rc = each_part(app, mend_part, &l);
    state_shut(app->state);
    timers_forget(app->timers);
    return rc;
}

int app_find_lost(struct app *app, const struct state_home *home, struct app_mend *m, struct err *e)
{
    int rc = mend(app, home, m, true, e);
    if (rc == 0)
        lose_readers(app, m);
    return rc;
}

/* The part of timers was left out: keys whose entries have the order that was must be written again. */
static void reorder_timers(struct app *app)
{
    for (int i = 0; i < app->partition_count; i++)
        partition_touch_all(app->partitions[i]);
}

int app_restore_rest(struct app *app, const struct state_home *home, struct app_mend *m, struct err *e)
{
    int rc = mend(app, home, m, false, e);
    if (rc < 0)
        return rc;
    reorder_timers(app);
    return ops_start(app, e); /* those that begin anew; the others go on */
}

int app_restore(struct app *app, const struct state_home *home, struct app_upgrade *upgrade, struct err *e)
{
    struct loading l = {.e = e, .upgrade = upgrade};
    state_open(app->state, home);
    int rc = each_part(app, load_part, &l);
    if (upgrade)
        state_each_unread(app->state, on_unread, upgrade);
    state_shut(app->state);
    timers_forget(app->timers);
    if (rc == 0 && upgrade) {
        reorder_timers(app);
        rc = ops_start(app, e); /* those that begin anew; the others go on */
    }
    return rc;
}

int app_compare(struct app *app, const struct state_home *home, struct app_upgrade *upgrade, struct err *e)
{
    struct loading l = {.e = e, .upgrade = upgrade, .compares = true};
    struct state *own = app->state;
    app->state = state_new();
    state_open(app->state, home);
    int rc = each_part(app, load_part, &l);
    state_each_unread(app->state, on_unread, upgrade);
    state_free(app->state);
    app->state = own;
    return rc;
}
