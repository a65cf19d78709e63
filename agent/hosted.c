/* hosted.c - see hosted.h. */
#include "agent/hosted.h"
#include "agent/clock.h"
#include "agent/errors_app.h"
#include "agent/files.h"
#include "agent/mend.h"
#include "agent/metrics.h"
#include "agent/previous.h"
#include "agent/step.h"
#include "agent/turn.h"
#include "engine/base/fault.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* ---- what the engine and the maps call ---- */

static int on_sink(void *user, uint32_t stream, const struct batch *b)
{
    struct hosted *h = user;
    return bind_sink_rows(h->bind, stream, b);
}

static bool on_has_sinks(void *user, uint32_t stream)
{
    struct hosted *h = user;
    return bind_has_sinks(h->bind, stream);
}

static void on_failure(void *user, uint32_t stream, const char *words)
{
    struct hosted *h = user;
    if (h->replays)
        return;
    errors_app_failed(h, stream, words);
    metrics_add(&metrics.failed, 1);
    const char *id = stream == UINT32_MAX ? NULL : plan_stream(app_plan(h->app), stream)->id;
    hush_log(&h->hush, LOG_ERROR, h->log_name, "%s%s%san event failed: %s", id ? "stream " : "", id ? id : "",
             id ? ": " : "", words);
}

static int on_publish(void *user, struct bind_sink *sink, const struct message *m)
{
    struct mem_account *account = mem_account;
    mem_account = NULL; /* what waits for a sink is bounded by its outbox and may outlive the app */
    int rc = sink->user ? errors_app_put(user, sink, m) : ERR_IO;
    mem_account = account;
    return rc;
}

static void on_rejected(void *user, const char *where, const char *why)
{
    struct hosted *h = user;
    if (h->replays)
        return;
    struct hush *hush = h->current ? &h->current->hush : &h->hush;
    hush_log(hush, LOG_WARN, h->log_name, "%s: rejected: %s", where, why);
}

/* Another app's sink speaks to one of ours. In playback its time is for idle.time; inside a push of the app
 * itself no time passes. */
static void on_arriving(void *user, const struct bind_source *source, const struct payload *p)
{
    struct hosted *h = user;
    if (h->replays)
        return;
    int64_t time_ms = app_task_now(h->app);
    if (h->is_playback && !app_is_inside(h->app)) {
        int64_t now_ms = clock_wall_ms();
        time_ms = now_ms > time_ms ? now_ms : time_ms;
    }
    if (h->durable)
        durable_note_topic(h->durable, source->number, p, time_ms);
    if (h->durable || h->has_tables)
        commit_note(&h->worker->commit, 1);
    if (h->is_playback)
        hosted_work_advance(h, time_ms);
}

/* ---- making ---- */

static void report(const struct compile *c, const char *file, const char *format)
{
    if (strcmp(format, "json")) {
        diags_print(&c->diags, file, stderr);
        return;
    }
    for (const struct diag *d = c->diags.first; d; d = d->next) {
        int line, column;
        diag_position(&c->diags, d->span.at, &line, &column);
        log_write(d->kind == DIAG_WARNING ? LOG_WARN : LOG_ERROR, "deploy", "%s:%d:%d: %s%s%s", file, line,
                  column, d->message, d->hint ? "; " : "", d->hint ? d->hint : "");
    }
}

/* "dir/room.siddhi" -> "room" */
static char *name_of_file(const char *file)
{
    const char *base = strrchr(file, '/');
    char *name = mem_strdup(base ? base + 1 : file);
    char *end = strstr(name, ".siddhi");
    if (end && !end[strlen(".siddhi")] && end != name)
        *end = 0;
    return name;
}

static int keep_tables(struct hosted *h, struct err *e)
{
    struct store *store = h->worker->commit.store;
    uint32_t number = h->durable ? h->durable->app : 0;
    if (!store)
        return err_set(e, ERR_INVALID,
                       "@store needs a folder, and the agent has none for state: set \"state\", or --state");
    int rc = h->durable ? 0 : durable_number(store, h->name, &number, e);
    if (rc == 0)
        app_keep_tables(h->app, store, number);
    h->has_tables = rc == 0;
    h->store_number = number;
    return rc;
}

/* What becomes of input at a bound: as the app says, else as the configuration does. */
static enum limits_full full_of(const struct plan *plan, const struct config *config)
{
    enum limits_full full = plan_limits(plan)->full;
    if (full != LIMITS_UNSAID)
        return full;
    if (!strcmp(config->limits_full, "drop"))
        return LIMITS_DROP;
    return !strcmp(config->limits_full, "store") ? LIMITS_STORE : LIMITS_WAIT;
}

/* What of the app is on disk: its journal and checkpoint, its stored tables. False after reporting. */
static bool open_state(struct hosted *h, const char *text, size_t len, const struct config *config)
{
    struct store *store = h->worker->commit.store;
    struct err e;
    bool wanted = durable_wanted(app_plan(h->app), config->durable);
    buf_init(&h->text, SIZE_MAX);
    if (wanted)
        buf_add(&h->text, text, len);
    if (wanted && !store) {
        log_write(LOG_ERROR, h->log_name,
                  "it is durable, and the agent has no folder for state: set \"state\", or --state");
        return false;
    }
    if (wanted && durable_open(&h->durable, h, store, (uint64_t)config->checkpoint_bytes, &e) < 0) {
        log_write(LOG_ERROR, h->log_name, "its state cannot be used: %s", e.text);
        return false;
    }
    h->store_number = h->durable ? h->durable->app : 0;
    if (plan_has_stored(app_plan(h->app)) && keep_tables(h, &e) < 0) {
        log_write(LOG_ERROR, h->log_name, "its tables cannot be kept: %s", e.text);
        return false;
    }
    return true;
}

/* A replay is answered what was answered then; a durable app's answers are noted for that. */
static enum world_answer on_ask(void *user, enum world_verb verb, const char *a, const char *b,
                                struct buf *out)
{
    struct hosted *h = user;
    enum world_answer rc;
    if (h->durable && durable_answered(h->durable, &rc, out))
        return rc;
    if (verb == WORLD_VARIABLE) {
        const char *value = getenv(a);
        value = value ? value : names_find(&h->variables, a);
        rc = value && utf8_valid(value, strlen(value)) ? WORLD_DONE : WORLD_NONE;
        if (rc == WORLD_DONE)
            buf_add_str(out, value);
    } else {
        rc = files_ask(h->files, verb, a, b, out);
    }
    struct mem_account *account = mem_account;
    mem_account = NULL; /* notes are not the queries' */
    if (h->durable)
        durable_note_answer(h->durable, rc, out);
    mem_account = account;
    return rc;
}

struct hosted *hosted_new(struct worker *worker, const char *file, const char *text, size_t len,
                          const struct config *config)
{
    struct hosted *h = mem_alloc(sizeof *h);
    struct compile c;
    struct engine_options options = {.variable = config_variable, .user = (void *)(uintptr_t)config};
    struct mem_account *account = mem_account;
    h->account.most = INT64_MAX;
    mem_account = &h->account;
    engine_compile(&c, text, len, &options);
    if (c.plan)
        h->bind = bind_new(c.plan, &c.diags);
    report(&c, file, config->log_format);
    if (!h->bind) {
        compile_fini(&c);
        mem_account = account;
        mem_free(h);
        return NULL;
    }
    h->worker = worker;
    bounds_init(&h->bounds, full_of(c.plan, config));
    for (int i = 0; i < h->bind->source_count; i++)
        h->has_topic_sources |= !strcasecmp(h->bind->sources[i].type->name, "inMemory");
    for (int i = 0; i < h->bind->sink_count; i++)
        h->has_topic_sinks |= !strcasecmp(h->bind->sinks[i].type->name, "inMemory");
    h->is_playback = plan_is_playback(c.plan);
    h->due_ms = INT64_MAX;
    h->name = plan_name(c.plan) ? mem_strdup(plan_name(c.plan)) : name_of_file(file);
    char words[256];
    snprintf(words, sizeof words, "app %s", h->name);
    h->log_name = mem_strdup(words);
    inbox_init(&h->inbox, (uint32_t)config->inbox_messages, (size_t)config->inbox_bytes);
    h->sources = mem_array((size_t)h->bind->source_count + 1, sizeof *h->sources);
    h->outboxes = mem_array((size_t)h->bind->sink_count + 1, sizeof *h->outboxes);
    h->bind->publish = on_publish;
    h->bind->rejected = on_rejected;
    h->bind->arriving = on_arriving;
    h->bind->unmapped = errors_app_unmapped;
    h->bind->undelivered = errors_app_undelivered;
    h->bind->user = h;
    h->bind->account = &h->account;
    struct app_host host = {.user = h,
                            .sink = on_sink,
                            .has_sinks = on_has_sinks,
                            .failure = on_failure,
                            .store = errors_app_stream,
                            .seed = (uint64_t)clock_wall_ms() * 2654435761u,
                            .world = &h->world};
    h->world = (struct world){h, on_ask};
    h->files = mem_strdup(config->files);
    names_copy(&h->variables, &config->variables);
    h->app = app_new(c.plan, &host);
    c.plan = NULL;
    compile_fini(&c);
    mem_account = account;
    errors_app_open(h, config);
    if (!open_state(h, text, len, config)) {
        hosted_free(h, false);
        return NULL;
    }
    return h;
}

/* ---- ports: opened, taken over, closed ---- */

/* In-process ports and log have no thread and no outbox: bind serves them. */
static bool has_port(const struct port_type *type)
{
    return !type->in_process && strcmp(type->name, "log");
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool same_options(const struct options *a, const struct options *b)
{
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (!same_text(a->values[i].name, b->values[i].name) ||
            !same_text(a->values[i].text, b->values[i].text))
            return false;
    return true;
}

static const char *stream_id(const struct hosted *h, uint32_t stream)
{
    return plan_stream(app_plan(h->app), stream)->id;
}

static struct source *find_source(struct hosted *old, const struct hosted *h, const struct bind_source *s)
{
    for (int i = 0; old && i < old->bind->source_count; i++) {
        struct source *o = old->sources[i];
        if (!o || o->type != s->type || strcmp(o->name, stream_id(h, s->stream)) ||
            !same_options(&old->bind->sources[i].options, &s->options))
            continue;
        bool is_taken = false;
        for (int k = 0; k < s->number; k++)
            is_taken |= h->sources[k] == o;
        if (!is_taken)
            return o;
    }
    return NULL;
}

static struct outbox *find_outbox(struct hosted *old, const struct hosted *h, const struct bind_sink *s)
{
    for (int i = 0; old && i < old->bind->sink_count; i++) {
        struct outbox *o = old->outboxes[i];
        if (!o || o->type != s->type || strcmp(o->name, stream_id(h, s->stream)) ||
            !same_options(&old->bind->sinks[i].options, &s->options))
            continue;
        bool is_taken = false;
        for (int k = 0; k < s->number; k++)
            is_taken |= h->outboxes[k] == o;
        if (!is_taken)
            return o;
    }
    return NULL;
}

static bool owns_source(const struct hosted *h, const struct source *s)
{
    for (int i = 0; h && i < h->bind->source_count; i++)
        if (h->sources[i] == s)
            return true;
    return false;
}

static bool owns_outbox(const struct hosted *h, const struct outbox *b)
{
    for (int i = 0; h && i < h->bind->sink_count; i++)
        if (h->outboxes[i] == b)
            return true;
    return false;
}

/* How many sinks of the same stream and type stand before it. */
static int place_of(const struct hosted *h, const struct bind_sink *s)
{
    int place = 0;
    for (int i = 0; i < s->number; i++)
        place += h->bind->sinks[i].stream == s->stream && h->bind->sinks[i].type == s->type;
    return place;
}

static int open_outbox(struct hosted *h, struct bind_sink *s, const struct config *config, struct err *e)
{
    struct spool *spool = NULL;
    const char *stream = stream_id(h, s->stream);
    if (h->durable) {
        struct bind_buffer policy = s->buffer;
        if (!policy.most_bytes)
            policy.most_bytes = (uint64_t)config->buffer_bytes;
        int rc = spool_open(&spool, h->worker->commit.store, h->durable->app, stream, s->type->name,
                            place_of(h, s), &policy, config->device, h->name, e);
        if (rc < 0)
            return rc;
    } else if (s->buffer.dedupe_field) {
        log_write(LOG_WARN, h->log_name, "sink %s: dedupe.field has no meaning, for the app is not durable",
                  stream);
    }
    return outbox_open(&h->outboxes[s->number], s, spool, h->name, stream, (uint32_t)config->outbox_messages,
                       (size_t)config->outbox_bytes, worker_poke, h->worker, e);
}

static void close_outbox(struct hosted *h, struct outbox *b, bool retires)
{
    b->hosted = NULL;
    if (retires) {
        worker_retire(h->worker, b);
    } else {
        worker_forget(h->worker, b);
        outbox_close(b);
    }
}

/* Two outboxes must not share what is on disk: the old one ends before its successor begins. */
static void close_changed(struct hosted *h, struct hosted *old)
{
    for (int i = 0; old && old->durable && i < old->bind->sink_count; i++) {
        bool stays = false;
        for (int k = 0; k < h->bind->sink_count; k++)
            stays |= old->outboxes[i] && find_outbox(old, h, &h->bind->sinks[k]) == old->outboxes[i];
        if (!old->outboxes[i] || stays)
            continue;
        close_outbox(old, old->outboxes[i], false);
        old->outboxes[i] = NULL;
        old->bind->sinks[i].user = NULL;
    }
}

/* The change was refused: the old one has its sinks again. What waited for them is on disk. */
static void reopen_changed(struct hosted *old, const struct config *config)
{
    struct err e;
    for (int i = 0; i < old->bind->sink_count; i++) {
        struct bind_sink *s = &old->bind->sinks[i];
        if (old->outboxes[i] || !has_port(s->type))
            continue;
        if (open_outbox(old, s, config, &e) < 0) {
            log_write(LOG_ERROR, old->log_name, "sink %s: %s; what is for it is lost until the next start",
                      stream_id(old, s->stream), e.text);
            continue;
        }
        s->user = old->outboxes[i];
        s->port = old->outboxes[i]->port;
    }
}

static int open_ports(struct hosted *h, struct hosted *old, const struct config *config, struct err *e)
{
    if (h->durable)
        close_changed(h, old);
    for (int i = 0; i < h->bind->sink_count; i++) {
        struct bind_sink *s = &h->bind->sinks[i];
        if (!has_port(s->type))
            continue;
        h->outboxes[i] = find_outbox(old, h, s);
        int rc = h->outboxes[i] ? 0 : open_outbox(h, s, config, e);
        if (rc < 0)
            return rc;
        s->user = h->outboxes[i];
        s->port = h->outboxes[i]->port;
    }
    for (int i = 0; i < h->bind->source_count; i++) {
        struct bind_source *s = &h->bind->sources[i];
        if (!has_port(s->type))
            continue;
        h->sources[i] = find_source(old, h, s);
        int rc = h->sources[i]
                     ? 0
                     : source_open(&h->sources[i], s, h->name, stream_id(h, s->stream), h->worker, e);
        if (rc < 0)
            return rc;
        s->user = h->sources[i];
        s->port = h->sources[i]->port;
    }
    return 0;
}

/* Closes the ports of h that `heir` did not take over. */
static void close_ports(struct hosted *h, const struct hosted *heir, bool retires)
{
    for (int i = 0; i < h->bind->source_count; i++) {
        if (h->sources[i] && !owns_source(heir, h->sources[i]))
            source_close(h->sources[i]);
        h->sources[i] = NULL;
    }
    for (int i = 0; i < h->bind->sink_count; i++) {
        if (h->outboxes[i] && !owns_outbox(heir, h->outboxes[i]))
            close_outbox(h, h->outboxes[i], retires);
        h->outboxes[i] = NULL;
    }
}

void hosted_drain(struct hosted *h)
{
    pthread_mutex_lock(&h->worker->lock);
    for (int i = 0; i < h->bind->source_count; i++)
        if (h->sources[i])
            h->sources[i]->hosted = NULL;
    pthread_mutex_unlock(&h->worker->lock);
}

bool hosted_is_drained(struct hosted *h)
{
    pthread_mutex_lock(&h->worker->lock);
    /* What a bound keeps out was not acknowledged. */
    bool is_drained = h->inbox.waiting_messages == 0 || h->bounds.hold != HOLD_NONE;
    pthread_mutex_unlock(&h->worker->lock);
    for (int i = 0; i < h->bind->sink_count; i++)
        is_drained &=
            !h->outboxes[i] || h->durable || outbox_is_empty(h->outboxes[i]); /* the disk keeps those */
    return is_drained;
}

/* Nothing comes to h any more, and what came is worked off. */
static void finish(struct hosted *h)
{
    hosted_drain(h);
    worker_finish(h->worker, h);
}

static void attach_ports(struct hosted *h)
{
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i]) {
            h->outboxes[i]->hosted = h;
            h->outboxes[i]->tells_at_once =
                !h->durable && h->bind->sinks[i].on_error && !strcmp(h->bind->sinks[i].on_error, "stream");
            outbox_keep(h->outboxes[i], errors_app_wants(h, &h->bind->sinks[i]) ? errors_app_refused : NULL);
        }
    for (int i = 0; i < h->bind->source_count; i++) {
        struct source *s = h->sources[i];
        if (!s)
            continue;
        pthread_mutex_lock(&h->worker->lock);
        s->hosted = h;
        s->number = i;
        bool was_stopped = s->is_stopped;
        s->is_stopped = false;
        pthread_mutex_unlock(&h->worker->lock);
        if (was_stopped)
            port_resume(s->port);
    }
}

static void gone(struct hosted *h, const struct hosted *heir, bool retires)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    if (h->is_started)
        worker_remove(h->worker, h);
    close_ports(h, heir, retires && !h->durable);
    if (h->is_started)
        metrics_add(&metrics.matches_dropped, app_partials(h->app).dropped - h->partials_before);
    bind_free(h->bind);
    app_free(h->app);
    durable_close(h->durable);
    mem_account = account;
    hush_end(&h->hush, LOG_WARN, h->log_name);
    hush_end(&h->errors_hush, LOG_WARN, h->log_name);
    hush_end(&h->bounds.hush, LOG_WARN, h->log_name);
    h->worker->held -= h->bounds.hold != HOLD_NONE;
    inbox_fini(&h->inbox);
    buf_fini(&h->text);
    mem_free(h->sources);
    mem_free(h->outboxes);
    mem_free(h->name);
    mem_free(h->files);
    names_fini(&h->variables);
    mem_free(h->log_name);
    mem_free(h);
}

/* Its tables are written at the end of the turn; a durable app's with its checkpoints. */
static void note_tables(struct hosted *h)
{
    if (!h->durable && app_tables_waiting(h->app))
        commit_note(&h->worker->commit, 1);
}

/* Its finest buckets that are open go with a stop; those that ended are in the store. */
static void warn_aggregation(const struct hosted *h)
{
    const char *name = h->durable ? NULL : plan_stored_aggregation(app_plan(h->app));
    if (name)
        log_write(LOG_WARN, h->log_name,
                  "aggregation %s is in the store, but the app is not durable: a stop loses what the open "
                  "buckets of its finest unit hold",
                  name);
}

/* A durable app ends at a checkpoint: the next one of its name begins there. */
static int settle_down(struct hosted *h, struct err *e)
{
    if (!h->durable && !h->has_tables)
        return 0;
    if (h->durable)
        h->durable->wants_checkpoint = true;
    return commit_now(h->worker, e);
}

/* After a salvage rows and keys may not fit each other. */
static int begin_tables(struct hosted *h, uint32_t *number, bool *is_mended, struct err *e)
{
    struct store *store = h->worker->commit.store;
    if (!h->has_tables)
        return 0;
    *number = h->durable ? h->durable->app : 0;
    int rc = h->durable ? 0 : durable_number(store, h->name, number, e);
    rc = rc < 0 ? rc : mend_tables(store, h->app, *number, h->log_name, e);
    *is_mended = rc == 1;
    return rc < 0 ? rc : 0;
}

static int begin(struct hosted *h, struct err *e)
{
    uint32_t number = 0;
    bool is_mended = false;
    int rc = begin_tables(h, &number, &is_mended, e);
    if (rc < 0)
        return rc;
    app_await_clock(h->app);
    if (!h->durable || !h->durable->has_checkpoint) {
        rc = app_start(h->app, clock_wall_ms(), false, e);
        if (rc == 0 && is_mended && !h->durable)
            rc = mend_tables_done(h->worker->commit.store, h->app, number, e);
        return rc;
    }
    rc = app_start(h->app, h->durable->now_ms, true, e);
    rc = rc < 0 ? rc : durable_restore(h->durable, e);
    if (rc == 0)
        step_resume(h);
    return rc;
}

/* The agent was down while the app's text changed: the one that the journal is of finishes its work, as if it
 * still ran. */
static struct hosted *resurrect(struct hosted *h, const struct config *config, struct err *e)
{
    const struct durable *d = h->durable;
    struct hosted *old =
        hosted_new(h->worker, h->name, d->text.bytes ? d->text.bytes : "", d->text.len, config);
    if (!old) {
        err_set(e, ERR_STATE,
                "what its text was before the stop is refused now: its journal cannot be worked off");
        return NULL;
    }
    if (hosted_start(old, NULL, config, e) == 0)
        return old;
    hosted_free(old, false);
    return NULL;
}

/* The one it replaces has left its state where the new one looks for it. While the store takes nothing the old one
 * can't work off what it took in, of which nobody would be told then. */
static int take_state(struct hosted *h, struct hosted *old, const struct config *config, struct err *e)
{
    if (!old || !((h->durable && old->durable) || old->has_tables))
        return 0;
    int rc = h->worker->commit.is_stuck ? commit_now(h->worker, e) : 0;
    if (rc < 0)
        return rc;
    finish(old);
    rc = settle_down(old, e);
    if (rc < 0 || !h->durable || !old->durable)
        return rc;
    durable_close(h->durable);
    h->durable = NULL;
    return durable_open(&h->durable, h, h->worker->commit.store, (uint64_t)config->checkpoint_bytes, e);
}

static void keep_previous(struct hosted *h)
{
    struct err e;
    if (previous_keep(h->worker->commit.store, h->durable->app, &e) < 0)
        log_write(LOG_WARN, h->log_name, "what it was before cannot be kept, there will be no way back: %s",
                  e.text);
    else
        log_write(LOG_INFO, h->log_name, "what it was before is kept: `weir upgrade --rollback` goes back");
}

int hosted_start(struct hosted *h, struct hosted *old, const struct config *config, struct err *e)
{
    struct mem_account *account = mem_account;
    bool was_down = !old && h->durable && durable_is_of_another(h->durable);
    if (was_down && !(old = resurrect(h, config, e)))
        return ERR_STATE;
    int rc = take_state(h, old, config, e);
    if (rc == 0)
        rc = open_ports(h, old, config, e);
    if (rc == 0) {
        mem_account = &h->account;
        bind_attach(h->bind, h->app, h->worker->bus);
        rc = begin(h, e);
        mem_account = account;
    }
    if (rc < 0) {
        /* What was taken over goes back untouched. */
        close_ports(h, old, false);
        if (was_down)
            hosted_free(old, false);
        else if (old && (old->durable || old->has_tables)) {
            if (old->durable)
                reopen_changed(old, config);
            attach_ports(old);
        }
        return rc;
    }
    if (h->durable && old && old->durable && durable_is_of_another(h->durable))
        keep_previous(h);
    if (old) {
        finish(old);
        gone(old, h, true);
    }
    worker_add(h->worker, h);
    h->is_started = true;
    h->partials_before = app_partials(h->app).dropped;
    attach_ports(h);
    if (h->durable)
        commit_note(&h->worker->commit, 1);
    else
        hosted_flush(h);
    note_tables(h);
    warn_aggregation(h);
    return 0;
}

void hosted_free(struct hosted *h, bool retires)
{
    if (h->is_started && retires)
        finish(h);
    else if (h->is_started)
        hosted_drain(h); /* what is left was not acknowledged: it comes again if the broker keeps it */
    struct err e;
    if (h->is_started && settle_down(h, &e) < 0)
        log_write(LOG_ERROR, h->log_name, "its last state was not written: %s", e.text);
    gone(h, NULL, h->is_started && retires);
}

/* ---- working ---- */

bool hosted_is_full(struct hosted *h)
{
    bool is_full = false;
    for (int i = 0; i < h->bind->sink_count; i++)
        is_full |= h->outboxes[i] && outbox_holds(h->outboxes[i]);
    return is_full;
}

void hosted_work_advance(struct hosted *h, int64_t now_ms)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    app_tick(h->app, now_ms);
    mem_account = account;
}

void hosted_work_skip(struct hosted *h, int64_t now_ms)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    app_skip(h->app, now_ms);
    mem_account = account;
}

void hosted_work_shift(struct hosted *h, int64_t by_ms)
{
    app_shift(h->app, by_ms);
}

void hosted_work_begin(struct hosted *h, int64_t now_ms)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    app_tick(h->app, now_ms);
    app_begin(h->app);
    mem_account = account;
}

void hosted_advance(struct hosted *h, int64_t now_ms)
{
    if (h->durable && app_next_due(h->app) <= now_ms) {
        durable_note_advance(h->durable, now_ms);
        commit_note(&h->worker->commit, 1);
    }
    hosted_work_advance(h, now_ms);
    bounds_worked(h);
    note_tables(h);
}

static void work(struct hosted *h, int source, const struct payload *p, const struct property *properties,
                 int property_count)
{
    if (bind_receive(h->bind, &h->bind->sources[source], p, properties, property_count) < 0 && !h->replays)
        metrics_add(&metrics.rejected, 1);
}

void hosted_work_topic(struct hosted *h, int source, const struct payload *p, int64_t time_ms)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    if (h->is_playback)
        app_tick(h->app, time_ms);
    work(h, source, p, NULL, 0);
    mem_account = account;
}

void hosted_work_message(struct hosted *h, int source, const struct arrival *a, int64_t time_ms)
{
    struct property few[8], *properties = few;
    struct mem_account *account = mem_account;
    if (a->property_count > sizeof few / sizeof *few)
        properties = mem_array(a->property_count, sizeof *properties);
    if (a->property_count)
        arrival_properties(a, properties);
    struct payload p = {.kind = PAYLOAD_TEXT, .bytes = arrival_bytes(a), .len = a->len};
    h->current = h->sources[source];
    mem_account = &h->account;
    if (time_ms > app_task_now(h->app))
        app_tick(h->app, time_ms);
    work(h, source, &p, properties, (int)a->property_count);
    mem_account = account;
    h->current = NULL;
    if (properties != few)
        mem_free(properties);
}

int hosted_work_query(struct hosted *h, const char *text, size_t len, int64_t time_ms, struct result *result,
                      struct err *e)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    if (time_ms > app_task_now(h->app))
        app_tick(h->app, time_ms);
    int rc = app_query(h->app, text, len, result, e);
    mem_account = account;
    return rc;
}

/* The durable part of it. False: it was taken before. */
static bool note(struct hosted *h, struct source *s, const struct arrival *a)
{
    struct port_origin origin = {0};
    if (s->type->origin)
        origin = s->type->origin(a->receipt);
    durable_owe(h->durable, s, a->receipt, a->too_big ? OUTCOME_REJECTED : OUTCOME_OK);
    commit_note(&h->worker->commit, 1);
    if (a->too_big)
        return true;
    bool was_open = s->repeats.is_open;
    if ((origin.id || origin.place) && repeats_take(&s->repeats, &origin, origin.id ? durable_hash(a) : 0)) {
        metrics_add(&metrics.repeats, 1);
        return false;
    }
    if (was_open && !s->repeats.is_open)
        log_write(LOG_DEBUG, h->log_name, "source %s: the first new message of this session has number %u",
                  s->name, origin.id);
    durable_note_message(h->durable, s->number, a, &origin, a->at_ms);
    return true;
}

void hosted_receive(struct hosted *h, const struct arrival *a)
{
    struct source *s = a->source;
    step_message(h->worker, a->at_ms);
    if (h->durable && !note(h, s, a))
        return;
    if (a->too_big) {
        metrics_add(&metrics.rejected, 1);
        hush_log(&s->hush, LOG_WARN, h->log_name, "source %s: rejected: the message is longer than %d bytes",
                 s->name, LIMIT_MESSAGE_BYTES);
        return;
    }
    (void)FAULT("hosted.receive");
    hosted_work_message(h, s->number, a, a->at_ms);
    bounds_worked(h);
    note_tables(h);
    (void)FAULT("hosted.received");
}

void hosted_flush(struct hosted *h)
{
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i])
            outbox_flush(h->outboxes[i]);
}
