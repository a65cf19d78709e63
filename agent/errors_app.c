/* errors_app.c - see errors_app.h. */
#include "agent/errors_app.h"
#include "agent/base64.h"
#include "agent/clock.h"
#include "agent/metrics.h"
#include "agent/turn.h"
#include "engine/base/mem.h"
#include <inttypes.h>
#include <string.h>

enum { ARENA_BLOCK = 4096, FEW = 8 };

/* ---- what it keeps ---- */

static bool stores(const struct bind_sink *s)
{
    return s->on_error && !strcmp(s->on_error, "store");
}

void errors_app_open(struct hosted *h, const struct config *config)
{
    bool wants = plan_stores_errors(app_plan(h->app));
    for (int i = 0; i < h->bind->sink_count; i++)
        wants |= stores(&h->bind->sinks[i]);
    h->keeps_errors = h->worker->errors != NULL;
    h->keeps_unmapped = h->keeps_errors && !strcmp(config->errors_mapping, "all");
    h->keeps_marked = h->keeps_errors && strcmp(config->errors_mapping, "none") != 0;
    if (wants && !h->keeps_errors)
        log_write(LOG_WARN, h->log_name,
                  "it stores errors, and the agent has no error store (\"state\", or --state; "
                  "\"errors.bytes\"): they are only logged");
}

bool errors_app_wants(const struct hosted *h, const struct bind_sink *s)
{
    return h->keeps_errors && stores(s);
}

static const struct schema *schema_of(const struct hosted *h, uint32_t stream)
{
    return plan_stream(app_plan(h->app), stream);
}

/* Not the app's memory: the error store's. False: it is refused, or can't be kept now. */
static bool put(struct worker *w, struct errors_entry *e)
{
    struct mem_account *account = mem_account;
    if (w->commit.is_stuck) { /* the next transaction would have to wait, and so would grow */
        metrics_add(&metrics.errors_refused, 1);
        return false;
    }
    mem_account = NULL;
    e->at_ms = clock_wall_ms();
    bool is_kept = errors_put(w->errors, e, &w->commit.errors);
    commit_note(&w->commit, 1);
    mem_account = account;
    return is_kept;
}

static void tell(struct hosted *h, const struct errors_entry *e, bool is_kept)
{
    if (h->errors_full == is_kept) /* that is news */
        h->errors_hush.quiet_until_us = 0;
    h->errors_full = !is_kept;
    if (is_kept)
        hush_log(&h->errors_hush, LOG_WARN, h->log_name,
                 "stream %s: kept in the error store as number %" PRIu64 ": %s", e->stream, e->number,
                 e->cause);
    else
        hush_log(&h->errors_hush, LOG_ERROR, h->log_name,
                 "stream %s: the error store has no room: dropped: %s", e->stream, e->cause);
}

static void write_events(struct hosted *h, uint32_t stream, const struct batch *b, struct writer *w)
{
    buf_init(&w->out, SIZE_MAX);
    errors_write_events(w, schema_of(h, stream), b);
}

/* Law 2: is it what is being replayed that fails? */
static bool fails_again(struct hosted *h, enum errors_kind kind, uint32_t stream, const char *port,
                        const char *words)
{
    struct errors_replay *again = h->again;
    if (!again || again->entry->kind != kind || again->stream != stream ||
        strcmp(again->entry->port, port) != 0)
        return false;
    again->failed = true;
    err_set(&again->err, ERR_INVALID, "%s", words);
    return true;
}

void errors_app_failed(struct hosted *h, uint32_t stream, const char *words)
{
    if (!h->again || h->again->entry->kind == ERRORS_MAPPING || h->again->stream != stream)
        return;
    h->again->failed = true;
    err_set(&h->again->err, ERR_INVALID, "%s", words);
}

void errors_app_stream(void *hosted, uint32_t stream, const struct batch *b, const char *words)
{
    struct hosted *h = hosted;
    struct errors_replay *again = h->again;
    if (h->replays || !h->keeps_errors ||
        (again && again->failed && again->entry->kind != ERRORS_MAPPING && again->stream == stream))
        return;
    struct writer w = {0};
    write_events(h, stream, b, &w);
    struct errors_entry e = {.kind = ERRORS_STREAM,
                             .app = h->name,
                             .stream = schema_of(h, stream)->id,
                             .port = "",
                             .cause = words,
                             .events = w.out.bytes,
                             .events_len = w.out.len};
    tell(h, &e, put(h->worker, &e));
    buf_fini(&w.out);
}

static bool is_marked(const struct hosted *h, uint32_t stream)
{
    const struct ast_definition *d = plan_stream_definition(app_plan(h->app), stream);
    const struct ast_annotation *a = d ? ast_find_annotation(d->annotations, "OnError") : NULL;
    const struct ast_element *action = a ? ast_find_element(a, "action") : NULL;
    return action && strcasecmp(action->value, "store") == 0;
}

void errors_app_unmapped(void *hosted, const struct bind_source *s, const struct payload *p,
                         const struct property *properties, int property_count, const char *why)
{
    struct hosted *h = hosted;
    bool is_kept = h->keeps_unmapped || (h->keeps_marked && is_marked(h, s->stream));
    if (h->replays || !is_kept || (p->kind != PAYLOAD_TEXT && p->kind != PAYLOAD_BYTES) ||
        fails_again(h, ERRORS_MAPPING, s->stream, s->type->name, why))
        return;
    struct errors_entry e = {.kind = ERRORS_MAPPING,
                             .app = h->name,
                             .stream = schema_of(h, s->stream)->id,
                             .port = s->type->name,
                             .cause = why,
                             .payload = p->bytes ? p->bytes : "",
                             .payload_len = p->len,
                             .is_bytes = p->kind == PAYLOAD_BYTES,
                             .only = s->map->failed.at,
                             .only_count = s->map->failed.count,
                             .properties = properties,
                             .property_count = (uint32_t)property_count};
    tell(h, &e, put(h->worker, &e));
}

bool errors_app_untaken(struct hosted *h, const struct bind_source *s, const struct arrival *a,
                        const char *why)
{
    bool is_wanted =
        h->bounds.full == LIMITS_STORE || h->keeps_unmapped || (h->keeps_marked && is_marked(h, s->stream));
    if (!h->keeps_errors || !is_wanted)
        return false;
    struct property *properties = mem_array((size_t)a->property_count + 1, sizeof *properties);
    arrival_properties(a, properties);
    struct errors_entry e = {.kind = ERRORS_MAPPING,
                             .app = h->name,
                             .stream = schema_of(h, s->stream)->id,
                             .port = s->type->name,
                             .cause = why,
                             .payload = arrival_bytes(a),
                             .payload_len = a->len,
                             .properties = properties,
                             .property_count = a->property_count};
    bool is_kept = put(h->worker, &e);
    mem_free(properties);
    return is_kept;
}

bool errors_app_undelivered(void *hosted, const struct bind_sink *s, const struct batch *events,
                            const struct payload *p, const char *why)
{
    struct hosted *h = hosted;
    if (h->replays)
        return true;
    if (!h->keeps_errors)
        return false;
    if (fails_again(h, ERRORS_SINK, s->stream, s->type->name, why))
        return true;
    struct writer w = {0};
    write_events(h, s->stream, events, &w);
    bool has_bytes = p && (p->kind == PAYLOAD_TEXT || p->kind == PAYLOAD_BYTES);
    struct errors_entry e = {.kind = ERRORS_SINK,
                             .is_unmapped = p == NULL,
                             .app = h->name,
                             .stream = schema_of(h, s->stream)->id,
                             .port = s->type->name,
                             .cause = why,
                             .events = w.out.bytes,
                             .events_len = w.out.len,
                             .payload = has_bytes ? (p->bytes ? p->bytes : "") : NULL,
                             .payload_len = has_bytes ? p->len : 0,
                             .is_bytes = has_bytes && p->kind == PAYLOAD_BYTES};
    bool is_kept = put(h->worker, &e);
    tell(h, &e, is_kept);
    buf_fini(&w.out);
    return is_kept;
}

/* ---- messages that are refused later ---- */

int errors_app_put(struct hosted *h, struct bind_sink *s, const struct message *m)
{
    if (!errors_app_wants(h, s) || !h->bind->sending)
        return outbox_put(s->user, m);
    struct option_value few[FEW], *dynamic = few;
    struct writer w = {0};
    struct buf text;
    write_events(h, s->stream, h->bind->sending, &w);
    buf_init(&text, SIZE_MAX);
    base64_encode(w.out.bytes, w.out.len, &text);
    int count = m->dynamic_count;
    if (count >= FEW)
        dynamic = mem_array((size_t)count + 1, sizeof *dynamic);
    for (int i = 0; i < count; i++)
        dynamic[i] = m->dynamic[i];
    dynamic[count] = (struct option_value){OUTBOX_EVENTS, text.bytes};
    struct message more = *m;
    more.dynamic = dynamic;
    more.dynamic_count = count + 1;
    int rc = outbox_put(s->user, &more);
    if (dynamic != few)
        mem_free(dynamic);
    buf_fini(&text);
    buf_fini(&w.out);
    return rc;
}

bool errors_app_refused(struct outbox *b, const struct message *m, const char *why)
{
    struct worker *w = b->worker;
    struct errors_entry e = {.kind = ERRORS_SINK,
                             .app = b->log_name + strlen("app "),
                             .stream = b->name,
                             .port = b->type->name,
                             .cause = why,
                             .payload = m->bytes,
                             .payload_len = m->len};
    struct property *properties = mem_array((size_t)m->dynamic_count + 1, sizeof *properties);
    struct buf events;
    buf_init(&events, SIZE_MAX);
    if (w->commit.is_stuck)
        goto later;
    for (int i = 0; i < m->dynamic_count; i++) {
        const struct option_value *o = &m->dynamic[i];
        if (strcmp(o->name, OUTBOX_EVENTS) != 0)
            properties[e.property_count++] = (struct property){o->name, o->text};
        else if (base64_decode(o->text, strlen(o->text), &events))
            e.events = events.bytes;
    }
    e.events_len = events.len;
    e.properties = properties;
    if (put(w, &e)) {
        hush_log(&b->hush, LOG_WARN, b->log_name,
                 "sink %s: kept in the error store as number %" PRIu64 ": %s", b->name, e.number, why);
    } else {
        metrics_add(&metrics.lost, 1);
        hush_log(&b->hush, LOG_ERROR, b->log_name, "sink %s: the error store has no room: dropped: %s",
                 b->name, why);
    }
    buf_fini(&events);
    mem_free(properties);
    return true;
later:
    buf_fini(&events);
    mem_free(properties);
    return false;
}

/* ---- back ---- */

static int find_source(const struct hosted *h, struct errors_replay *r)
{
    int count = 0;
    for (int i = 0; i < h->bind->source_count; i++)
        if (h->bind->sources[i].stream == r->stream && count++ == 0)
            r->source = i;
    if (count == 1)
        return 0;
    return err_set(&r->err, ERR_INVALID, "stream %s has %d sources: a message goes back through the only one",
                   r->entry->stream, count);
}

struct given {
    struct arena arena;
    struct batch events;
};

static int find_place(const struct hosted *h, struct errors_replay *r, struct given *g)
{
    int stream = plan_find_stream(app_plan(h->app), r->entry->stream);
    struct schema *schema;
    if (stream < 0)
        return err_set(&r->err, ERR_INVALID, "the app has no stream '%s' now", r->entry->stream);
    r->stream = (uint32_t)stream;
    if (r->entry->kind == ERRORS_MAPPING)
        return find_source(h, r);
    if (!r->entry->events)
        return err_set(&r->err, ERR_INVALID, "it has no events");
    if (errors_read_events(r->entry, &g->arena, &schema, &g->events) < 0)
        return err_set(&r->err, ERR_INVALID, "its events are damaged");
    if (schema_same(schema, schema_of(h, r->stream)))
        return 0;
    return err_set(&r->err, ERR_INVALID, "stream '%s' has other attributes now", r->entry->stream);
}

static void send_events(struct hosted *h, const struct errors_replay *r, const struct batch *b)
{
    if (b->count)
        app_move(h->app, b->events[b->count - 1].at_ms);
    app_send(h->app, r->stream, b->events, b->count, b->is_batch);
}

static void work(struct hosted *h, struct errors_replay *r, const struct batch *events, int64_t time_ms)
{
    const struct errors_entry *e = r->entry;
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    if (time_ms > app_task_now(h->app))
        app_tick(h->app, time_ms);
    h->again = r;
    if (e->kind == ERRORS_MAPPING) {
        struct payload p = {
            .kind = e->is_bytes ? PAYLOAD_BYTES : PAYLOAD_TEXT, .bytes = e->payload, .len = e->payload_len};
        h->current = h->sources[r->source];
        struct bind_source *s = &h->bind->sources[r->source];
        int rc =
            bind_receive_again(h->bind, s, &p, e->properties, (int)e->property_count, e->only, e->only_count);
        if (rc < 0 && !r->failed) {
            r->failed = true;
            err_set(&r->err, ERR_INVALID, "it cannot be mapped");
        }
        h->current = NULL;
    } else {
        send_events(h, r, events);
    }
    h->again = NULL;
    mem_account = account;
}

static bool is_held(struct hosted *h, struct err *e)
{
    if (h->is_blocked || hosted_is_full(h))
        err_set(e, ERR_BUSY, "app %s waits for a sink that is full; it does nothing until there is room",
                h->name);
    else if (h->worker->commit.is_stuck)
        err_set(e, ERR_BUSY, "the disk does not take what is written");
    else if (bounds_holds(h))
        err_set(e, ERR_BUSY, "app %s is at its limit of %s; `weir status` tells more", h->name,
                bounds_hold_name(h->bounds.hold));
    else
        return false;
    return true;
}

static void note_timers(struct hosted *h)
{
    h->due_ms = app_next_due(h->app);
    if (h->due_ms < h->worker->due_ms)
        h->worker->due_ms = h->due_ms;
}

int errors_app_replay(struct hosted *h, const struct errors_entry *e, const void *bytes, size_t len,
                      struct err *err)
{
    struct errors_replay r = {.entry = e};
    struct given g = {0};
    struct worker *w = h->worker;
    if (is_held(h, err))
        return err->code;
    struct mem_account *account = mem_account;
    mem_account = &h->account; /* rows that come from an entry may stay in the app */
    arena_init(&g.arena, ARENA_BLOCK);
    int rc = find_place(h, &r, &g);
    mem_account = account;
    if (rc == 0) {
        int64_t now_ms = clock_wall_ms(),
                time_ms = now_ms > app_task_now(h->app) ? now_ms : app_task_now(h->app);
        if (h->durable)
            durable_note_entry(h->durable, bytes, len, time_ms);
        work(h, &r, &g.events, time_ms);
        if (!r.failed && errors_drop(w->errors, e->number, &w->commit.errors))
            metrics_add(&metrics.errors_replayed, 1);
        commit_note(&w->commit, 1);
        if (!h->durable)
            hosted_flush(h);
        note_timers(h);
        rc = r.failed ? ERR_INVALID : 0;
    }
    mem_account = &h->account;
    errors_drop_events(&g.events);
    arena_fini(&g.arena);
    mem_account = account;
    *err = r.err;
    return rc;
}

int errors_app_work(struct hosted *h, const void *bytes, size_t len, int64_t time_ms)
{
    struct errors_entry e;
    struct errors_replay r = {.entry = &e};
    struct given g = {0};
    arena_init(&g.arena, ARENA_BLOCK);
    int rc = errors_read(bytes, len, &g.arena, &e);
    if (rc == 0 && find_place(h, &r, &g) < 0)
        rc = ERR_STATE;
    if (rc == 0)
        work(h, &r, &g.events, time_ms);
    errors_drop_events(&g.events);
    arena_fini(&g.arena);
    return rc;
}
