/* case_run.c - runs one case in virtual time and records what comes out.
 *
 * Laws: (1) nothing but a step moves the clock, and it moves before the step's own event or query; (2) the
 * app may be thrown away and made again between steps (restart_every): the recording, the bus and the numbers
 * of streams stay; (3) what a step publishes itself is not recorded, only what the app's sinks do. */
#include "agent/base64.h"
#include "agent/case.h"
#include "agent/flow.h"
#include "agent/keeper.h"
#include "engine/data/object.h"
#include "engine/data/segments.h"
#include "ports/bind.h"
#include <string.h>

struct run {
    struct arena *arena;
    const struct test_case *test;
    struct compile compile;
    struct app *app; /* NULL until accepted */
    struct bind *bind;
    struct bus *bus;
    struct store *store;      /* of restarts and of stored tables */
    struct store_batch ahead; /* of the next restart's checkpoint */
    struct jnode *types, *streams, *queries, *results, *published;
    struct jnode **stream_events; /* by number; NULL: not recorded */
    uint32_t *sent;               /* by number: events that the steps sent */
    const char *words;            /* why the app was refused, or what is not built */
    bool is_unsupported;
    bool is_own_message; /* the step's, on its way through the bus */
};

/* ---- recording ---- */

static struct jnode *event_node(struct run *r, const struct event *e)
{
    struct jnode *n = jnode_new(r->arena, JNODE_OBJECT);
    jnode_put(n, "at", jnode_number(r->arena, e->at_ms));
    jnode_put(n, "data", jnode_of_row(r->arena, e->row));
    return n;
}

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    struct run *r = user;
    struct jnode *list = r->stream_events[stream];
    for (uint32_t i = 0; list && i < b->count; i++) {
        if (!b->events[i].row)
            continue;
        struct jnode *n = event_node(r, &b->events[i]);
        if (b->events[i].kind == EVENT_EXPIRED) {
            struct jnode *expired = jnode_new(r->arena, JNODE_BOOL);
            expired->flag = true;
            jnode_put(n, "expired", expired);
        }
        jnode_add(list, n);
    }
}

static void on_query(void *user, const char *name, int64_t at_ms, const struct batch *b)
{
    struct run *r = user;
    struct jnode *rows[2] = {NULL, NULL};
    for (uint32_t i = 0; i < b->count; i++) {
        const struct event *e = &b->events[i];
        if (!e->row || (e->kind != EVENT_CURRENT && e->kind != EVENT_EXPIRED))
            continue;
        struct jnode **list = &rows[e->kind == EVENT_EXPIRED];
        if (!*list)
            *list = jnode_new(r->arena, JNODE_ARRAY);
        jnode_add(*list, jnode_of_row(r->arena, e->row));
    }
    struct jnode *calls = (struct jnode *)(uintptr_t)jnode_get(r->queries, name);
    if (!calls || (!rows[0] && !rows[1]))
        return;
    struct jnode *call = jnode_new(r->arena, JNODE_OBJECT);
    jnode_put(call, "at", jnode_number(r->arena, at_ms));
    jnode_put(call, "in", rows[0] ? rows[0] : jnode_new(r->arena, JNODE_NULL));
    jnode_put(call, "out", rows[1] ? rows[1] : jnode_new(r->arena, JNODE_NULL));
    jnode_add(calls, call);
}

static void on_message(void *user, const char *topic, const struct payload *p)
{
    struct run *r = user;
    if (r->is_own_message) {
        r->is_own_message = false;
        return;
    }
    struct jnode *n = jnode_new(r->arena, JNODE_OBJECT);
    jnode_put(n, "at", jnode_number(r->arena, r->app ? app_now(r->app) : 0));
    switch (p->kind) {
    case PAYLOAD_TEXT:
        jnode_put(n, "payload", jnode_string(r->arena, p->bytes, p->len));
        break;
    case PAYLOAD_BYTES: {
        struct buf text;
        buf_init(&text, SIZE_MAX);
        base64_encode(p->bytes, p->len, &text);
        jnode_put(n, "payload_base64", jnode_string(r->arena, text.len ? text.bytes : "", text.len));
        buf_fini(&text);
        break;
    }
    case PAYLOAD_EVENTS:
    case PAYLOAD_ROW:
        if (p->events->is_batch) {
            struct jnode *batch = jnode_new(r->arena, JNODE_ARRAY);
            for (uint32_t i = 0; i < p->events->count; i++)
                jnode_add(batch, event_node(r, &p->events->events[i]));
            jnode_put(n, "batch", batch);
        } else if (p->events->count) {
            jnode_put(n, "data", jnode_of_row(r->arena, p->events->events[0].row));
        }
        break;
    case PAYLOAD_MAP:
        jnode_put(n, "map", jnode_of_value(r->arena, value_object(p->map)));
        break;
    }
    jnode_add((struct jnode *)(uintptr_t)jnode_get(r->published, topic), n);
}

/* ---- the app: made, thrown away, made again ---- */

static int on_sink(void *user, uint32_t stream, const struct batch *b)
{
    struct run *r = user;
    return bind_sink_rows(r->bind, stream, b);
}

static bool has_sinks(void *user, uint32_t stream)
{
    struct run *r = user;
    return bind_has_sinks(r->bind, stream);
}

static void on_failure(void *user, uint32_t stream, const char *words)
{
    (void)user;
    (void)stream;
    (void)words;
}

/* Other transports lead nowhere here. */
static int on_publish(void *user, struct bind_sink *sink, const struct message *m)
{
    (void)user;
    (void)sink;
    (void)m;
    return 0;
}

static void on_rejected(void *user, const char *where, const char *why)
{
    (void)user;
    (void)where;
    (void)why;
}

static void close_app(struct run *r)
{
    if (r->bind)
        bind_free(r->bind);
    if (r->app)
        app_free(r->app);
    compile_fini(&r->compile);
    r->bind = NULL;
    r->app = NULL;
}

static bool expects_error(const struct test_case *c)
{
    const struct jnode *error = c->expect ? jnode_get(c->expect, "error") : NULL;
    return error && error->flag;
}

static int refuse(struct run *r)
{
    const struct diags *d = &r->compile.diags;
    /* What isn't built leaves names undefined, so errors beside it say nothing. */
    r->is_unsupported = d->unsupported > 0 && (d->errors == 0 || !expects_error(r->test));
    enum diag_kind wanted = r->is_unsupported ? DIAG_UNSUPPORTED : DIAG_ERROR;
    for (const struct diag *at = d->first; at; at = at->next) {
        if (at->kind != wanted)
            continue;
        int line, column;
        diag_position(d, at->span.at, &line, &column);
        r->words = r->is_unsupported ? arena_strdup(r->arena, at->construct)
                                     : arena_printf(r->arena, "%d:%d: %s", line, column, at->message);
        break;
    }
    if (!r->words)
        r->words = "refused without a word";
    close_app(r);
    return ERR_INVALID;
}

static int open_app(struct run *r)
{
    engine_compile(&r->compile, r->test->app, r->test->app_len, NULL);
    struct diags *diags = &r->compile.diags;
    if (r->compile.plan)
        r->bind = bind_new(r->compile.plan, diags);
    if (!r->compile.plan || !r->bind || diags->errors || diags->unsupported)
        return refuse(r);
    r->bind->publish = on_publish;
    r->bind->rejected = on_rejected;
    r->bind->user = r;
    struct app_host host = {.user = r,
                            .sink = on_sink,
                            .has_sinks = has_sinks,
                            .stream = on_stream,
                            .query = on_query,
                            .failure = on_failure,
                            .seed = 1};
    r->app = app_new(r->compile.plan, &host);
    app_keep_tables(r->app, r->store, 1);
    r->compile.plan = NULL;
    bind_attach(r->bind, r->app, r->bus);
    return 0;
}

static void add_query(void *user, const char *name)
{
    struct run *r = user;
    if (!jnode_get(r->queries, name))
        jnode_put(r->queries, arena_strdup(r->arena, name), jnode_new(r->arena, JNODE_ARRAY));
}

/* What can be recorded is known once the app is compiled. */
static void open_recording(struct run *r)
{
    const struct plan *p = app_plan(r->app);
    uint32_t count = plan_stream_count(p);
    r->stream_events = arena_array(r->arena, count ? count : 1, sizeof(struct jnode *));
    r->sent = arena_array(r->arena, count ? count : 1, sizeof(*r->sent));
    for (uint32_t i = 0; i < count; i++) {
        const struct schema *s = plan_stream(p, i);
        if (s->id[0] == '!')
            continue;
        const char *id = arena_strdup(r->arena, s->id);
        struct jnode *types = jnode_new(r->arena, JNODE_ARRAY);
        for (uint32_t k = 0; k < s->count; k++) {
            const char *name = type_name(s->attributes[k].type);
            jnode_add(types, jnode_string(r->arena, name, strlen(name)));
        }
        jnode_put(r->types, id, types);
        r->stream_events[i] = jnode_new(r->arena, JNODE_ARRAY);
        jnode_put(r->streams, id, r->stream_events[i]);
    }
    flow_named_queries(p, add_query, r);
}

/* ---- steps ---- */

static int64_t step_time(const struct jnode *step)
{
    int64_t at = 0, latest = INT64_MIN;
    const struct jnode *batch = jnode_get(step, "batch");
    if (jnode_long(jnode_get(step, "advance"), &at) || !batch) {
        jnode_long(jnode_get(step, "at"), &at);
        return at;
    }
    for (const struct jnode *b = batch->first; b; b = b->next)
        if (jnode_long(jnode_get(b, "at"), &at) && at > latest)
            latest = at;
    return latest;
}

/* The clock at start stands at the first time that any step mentions. */
static int64_t first_time(const struct jnode *steps)
{
    int64_t at = 0;
    for (const struct jnode *s = steps->first; s; s = s->next) {
        const struct jnode *batch = jnode_get(s, "batch");
        const struct jnode *from = batch ? batch->first : s;
        if (jnode_long(jnode_get(from, "at"), &at) || jnode_long(jnode_get(s, "advance"), &at))
            return at;
    }
    return 0;
}

static const char *make_event(struct run *r, const struct schema *s, const struct jnode *node,
                              struct event *out)
{
    const struct jnode *data = jnode_get(node, "data");
    int64_t at_ms = 0;
    jnode_long(jnode_get(node, "at"), &at_ms);
    if (!data || data->kind != JNODE_ARRAY || data->count != s->count)
        return arena_printf(r->arena, "an event of '%s' must have %u values", s->id, s->count);
    struct row *row = row_new(s->count, at_ms);
    uint32_t i = 0;
    for (const struct jnode *n = data->first; n; n = n->next, i++) {
        struct value v;
        if (!jnode_to_value(n, s->attributes[i].type, &v)) {
            row_unref(row);
            return arena_printf(r->arena, "a value of '%s' doesn't fit attribute '%s'", s->id,
                                s->attributes[i].name);
        }
        row_set_take(row, i, v);
    }
    *out = (struct event){.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT};
    return NULL;
}

static const char *step_send(struct run *r, const struct jnode *step)
{
    const struct jnode *batch = jnode_get(step, "batch");
    const char *id = jnode_text(r->arena, jnode_get(step, "send"));
    int stream = id ? plan_find_stream(app_plan(r->app), id) : -1;
    if (stream < 0)
        return arena_printf(r->arena, "there is no stream '%s' to send to", id ? id : "?");
    const struct schema *s = plan_stream(app_plan(r->app), (uint32_t)stream);
    uint32_t count = batch ? batch->count : 1, made = 0;
    struct event *events = arena_array(r->arena, count + 1, sizeof *events);
    const char *wrong = NULL;
    for (const struct jnode *n = batch ? batch->first : step; n && made < count; n = n->next) {
        wrong = make_event(r, s, n, &events[made]);
        if (wrong)
            break;
        made++;
    }
    if (!wrong) {
        app_send(r->app, (uint32_t)stream, events, count, batch != NULL);
        r->sent[stream] += count;
    }
    for (uint32_t i = 0; i < made; i++)
        row_unref(events[i].row);
    return wrong;
}

static const char *step_query(struct run *r, const struct jnode *step)
{
    const struct jnode *text = jnode_get(step, "query");
    struct result result = {0};
    struct err e = {0};
    struct jnode *entry;
    int rc = app_query(r->app, text->text, text->len, &result, &e);
    if (rc == ERR_UNSUPPORTED) {
        r->is_unsupported = true;
        r->words = arena_printf(r->arena, "on-demand: %s", e.text);
    }
    if (rc < 0) {
        entry = jnode_new(r->arena, JNODE_OBJECT);
        struct jnode *error = jnode_new(r->arena, JNODE_BOOL);
        error->flag = true;
        jnode_put(entry, "error", error);
    } else if (!result.schema) {
        entry = jnode_new(r->arena, JNODE_NULL);
    } else {
        entry = jnode_new(r->arena, JNODE_ARRAY);
        entry->flag = result.is_ordered;
        for (uint32_t i = 0; i < result.count; i++)
            jnode_add(entry, jnode_of_row(r->arena, result.rows[i]));
    }
    jnode_add(r->results, entry);
    return NULL;
}

static const char *step_receive(struct run *r, const struct jnode *step)
{
    const struct jnode *text = jnode_get(step, "payload"), *bytes = jnode_get(step, "payload_base64");
    const char *topic = jnode_text(r->arena, jnode_get(step, "receive"));
    if (!topic)
        return "'receive' must name a topic";
    struct buf decoded;
    buf_init(&decoded, SIZE_MAX);
    struct payload p = {.kind = bytes ? PAYLOAD_BYTES : PAYLOAD_TEXT};
    const char *wrong = NULL;
    if (bytes && !base64_decode(bytes->text, bytes->len, &decoded))
        wrong = "'payload_base64' is malformed";
    p.bytes = bytes ? (decoded.bytes ? decoded.bytes : "") : text->text;
    p.len = bytes ? decoded.len : text->len;
    r->is_own_message = jnode_get(r->published, topic) != NULL;
    if (!wrong)
        bus_publish(r->bus, topic, &p);
    r->is_own_message = false;
    buf_fini(&decoded);
    return wrong;
}

static const char *run_step(struct run *r, const struct jnode *step)
{
    app_advance(r->app, step_time(step));
    if (jnode_get(step, "send"))
        return step_send(r, step);
    if (jnode_get(step, "query"))
        return step_query(r, step);
    if (jnode_get(step, "receive"))
        return step_receive(r, step);
    return NULL;
}

/* What stored tables changed is written, as at the end of a turn. */
static const char *write_tables(struct run *r)
{
    struct store_batch batch;
    struct err e = {0};
    if (!app_tables_waiting(r->app))
        return NULL;
    batch_open(&batch);
    app_tables_collect(r->app, &batch);
    int rc = store_apply(r->store, &batch, &e);
    batch_close(&batch);
    if (rc < 0)
        return arena_strdup(r->arena, e.text);
    app_tables_committed(r->app);
    return NULL;
}

/* A part of the state that changes from step to step is made ready for the next restart, as the agent does
 * between checkpoints. */
static void write_ahead(struct run *r, int number)
{
    enum { PARTS = 3 };
    struct keeper keeper;
    uint32_t part = (uint32_t)number % PARTS;
    keeper_init(&keeper, r->store, &r->ahead, 1);
    app_checkpoint_ahead(r->app, &keeper.home, SHARES / PARTS * part,
                         part + 1 < PARTS ? SHARES / PARTS * (part + 1) : SHARES);
    keeper_fini(&keeper);
}

/* The state goes into the store, the app is thrown away, a new one is made and loaded, as over a restart of
 * the agent. */
static const char *restart(struct run *r)
{
    struct store_batch batch;
    struct keeper keeper;
    struct writer ports = {0};
    struct err e = {0};
    int64_t now_ms = app_now(r->app);
    const char *wrong = NULL;
    batch_open(&batch);
    batch_lead(&batch, &r->ahead);
    keeper_init(&keeper, r->store, &batch, 1);
    app_checkpoint(r->app, &keeper.home);
    app_tables_collect(r->app, &batch);
    buf_init(&ports.out, SIZE_MAX);
    bind_save(r->bind, &ports);
    batch_put(&batch, STORE_META, "ports", 5, ports.out.bytes, ports.out.len);
    if (store_apply(r->store, &batch, &e) < 0)
        wrong = arena_printf(r->arena, "restart: %s", e.text);
    close_app(r);
    if (!wrong && (open_app(r) < 0 || app_start(r->app, now_ms, true, &e) < 0))
        wrong = "restart: the app was refused";
    if (!wrong && app_restore(r->app, &keeper.home, NULL, &e) < 0)
        wrong = arena_printf(r->arena, "restart: %s", e.text);
    struct reader reader = {.at = (const uint8_t *)ports.out.bytes,
                            .end = (const uint8_t *)ports.out.bytes + ports.out.len};
    if (!wrong && bind_load(r->bind, &reader) < 0)
        wrong = "restart: the saved state of the ports does not fit";
    buf_fini(&ports.out);
    keeper_fini(&keeper);
    batch_close(&batch);
    return wrong;
}

static const char *run_steps(struct run *r, int restart_every)
{
    int number = 0;
    for (const struct jnode *s = r->test->steps->first; s; s = s->next) {
        const char *wrong = run_step(r, s);
        number++;
        if (!wrong && restart_every == 0)
            wrong = write_tables(r);
        if (!wrong && restart_every > 0)
            write_ahead(r, number);
        if (!wrong && restart_every > 0 && number % restart_every == 0 && s->next)
            wrong = restart(r);
        if (wrong)
            return arena_printf(r->arena, "step %d: %s", number, wrong);
        if (r->is_unsupported)
            return NULL;
    }
    /* What the last step asked for, and is due already. */
    if (!plan_is_playback(app_plan(r->app)))
        app_advance(r->app, app_now(r->app));
    return NULL;
}

/* Streams that hold only what the steps sent are marked by their flag. Where nothing else could come, some
 * may be missing: those that failed. */
static void mark_sent(struct run *r)
{
    const struct plan *p = app_plan(r->app);
    for (uint32_t i = 0; i < plan_stream_count(p); i++) {
        struct jnode *list = r->stream_events[i];
        if (list)
            list->flag = !flow_is_fed(p, i) || (list->count > 0 && list->count == r->sent[i]);
    }
}

static struct jnode *whole(struct run *r, bool is_error)
{
    struct jnode *got = jnode_new(r->arena, JNODE_OBJECT), *error = jnode_new(r->arena, JNODE_BOOL);
    error->flag = is_error;
    jnode_put(got, "error", error);
    if (is_error)
        return got;
    jnode_put(got, "types", r->types);
    jnode_put(got, "streams", r->streams);
    if (r->queries->count)
        jnode_put(got, "queries", r->queries);
    if (r->results->count)
        jnode_put(got, "results", r->results);
    if (r->test->topics)
        jnode_put(got, "published", r->published);
    return got;
}

static void listen_to_topics(struct run *r)
{
    for (const struct jnode *t = r->test->topics ? r->test->topics->first : NULL; t; t = t->next) {
        const char *topic = jnode_text(r->arena, t);
        if (!topic || jnode_get(r->published, topic))
            continue;
        jnode_put(r->published, topic, jnode_new(r->arena, JNODE_ARRAY));
        bus_subscribe(r->bus, topic, on_message, r);
    }
}

struct case_result case_run(struct arena *a, const struct test_case *c, int restart_every)
{
    struct run r = {.arena = a, .test = c};
    struct err e = {0};
    struct case_result result = {.outcome = CASE_RAN};
    r.types = jnode_new(a, JNODE_OBJECT);
    r.streams = jnode_new(a, JNODE_OBJECT);
    r.queries = jnode_new(a, JNODE_OBJECT);
    r.results = jnode_new(a, JNODE_ARRAY);
    r.published = jnode_new(a, JNODE_OBJECT);
    r.bus = bus_new();
    store_open(&r.store, &(struct store_options){.folder = NULL}, &e);
    batch_open(&r.ahead);
    listen_to_topics(&r);
    int64_t now_ms = first_time(c->steps);
    bool is_refused = open_app(&r) < 0;
    if (!is_refused) {
        open_recording(&r);
        is_refused = app_start(r.app, now_ms, false, &e) < 0;
        r.words = is_refused ? arena_strdup(a, e.text) : NULL;
    }
    if (!is_refused) {
        const char *wrong = run_steps(&r, restart_every);
        if (wrong) {
            result.outcome = CASE_UNUSABLE;
            result.words = wrong;
        }
    }
    if (r.app) {
        if (r.stream_events)
            mark_sent(&r);
        close_app(&r);
    }
    bus_free(r.bus);
    batch_close(&r.ahead);
    store_close(r.store);
    if (r.is_unsupported)
        result.outcome = CASE_SKIPPED;
    if (result.outcome != CASE_UNUSABLE)
        result.words = r.words;
    result.got = whole(&r, is_refused);
    return result;
}
