/* stream.c - a stream at work: its receivers in order, its sinks and observers, and what becomes of an event
 * that fails (spec 10 sections 3, 6). */
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/run/app.h"

static void stream_ways(struct stream *s)
{
    const struct op *only = s->receiver_count == 1 && !s->is_seen ? s->receivers[0] : NULL;
    s->way = WAY_EACH;
    if (only && only->type->one) {
        s->way = WAY_ONLY;
        s->only = s->receivers[0];
        s->only_one = only->type->one;
    } else if (s->receiver_count == 0 && s->is_looked_at && !s->has_sinks) {
        s->way = WAY_LOOK;
    }
}

struct stream *stream_new(struct app *app, const struct plan_element *plan)
{
    struct stream *s = mem_alloc(sizeof(*s));
    s->app = app;
    s->plan = plan;
    s->has_sinks = app->host.has_sinks && plan->kind == ELEMENT_STREAM && !plan->is_inner &&
                   app->host.has_sinks(app->host.user, (uint32_t)plan->number);
    s->is_looked_at = app->host.stream && plan->kind == ELEMENT_STREAM && !plan->is_inner &&
                      (!app->host.looks_at || app->host.looks_at(app->host.user, (uint32_t)plan->number));
    s->is_seen = s->has_sinks || s->is_looked_at;
    stream_ways(s);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    mem_free(s->receivers);
    mem_free(s);
}

void stream_subscribe(struct stream *s, struct op *receiver)
{
    if (s->receiver_count == s->receiver_cap) {
        s->receiver_cap = s->receiver_cap ? s->receiver_cap * 2 : 4;
        s->receivers = mem_resize(s->receivers, s->receiver_cap, sizeof(struct op *));
    }
    s->receivers[s->receiver_count++] = receiver;
    stream_ways(s);
}

void stream_unsubscribe(struct stream *s, struct op *receiver)
{
    for (uint32_t i = 0; i < s->receiver_count; i++) {
        if (s->receivers[i] != receiver)
            continue;
        memmove(s->receivers + i, s->receivers + i + 1, (s->receiver_count - i - 1) * sizeof(struct op *));
        s->receiver_count--;
        stream_ways(s);
        return;
    }
}

/* The language's partition unlinks the events of the very chunk that all receivers share: those behind it,
 * sinks and callbacks among them, see only the first. An array that enters from outside is not shared, and so
 * stays whole. */
void stream_publish_split(struct stream *s, const struct batch *b)
{
    struct app *app = s->app;
    struct batch first = {.events = b->events, .count = 1, .cap = 1, .scratch = b->scratch};
    const struct batch *now = b;
    int rc = 0;
    s->events += b->count;
    if (UNLIKELY(app->depth >= LIMIT_SEND_DEPTH)) {
        stream_too_deep(s);
        return;
    }
    app->depth++;
    for (uint32_t i = 0; i < s->receiver_count && rc >= 0; i++) {
        rc = op_push(s->receivers[i], now);
        if (s->receivers[i] == s->splitter)
            now = &first;
    }
    if (s->is_seen && rc >= 0)
        rc = stream_show(s, now);
    if (rc < 0)
        stream_failed(s, b);
    app->depth--;
}

/* To !S: the same rows with the failure as one more column. */
static void publish_fault(struct stream *s, struct stream *fault, const struct batch *b, const char *words)
{
    struct object *failure = failure_new(words);
    struct batch out;
    batch_init(&out, &s->app->scratch, b->count);
    out.is_batch = b->is_batch;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct event *e = &b->events[i];
        struct row *row = row_copy(e->row, 1, e->at_ms);
        row_set(row, e->row->count, value_object(failure));
        batch_add(&out, row, e->at_ms, EVENT_CURRENT);
    }
    if (--failure->refs == 0)
        object_free(failure);
    stream_publish(fault, &out);
    for (uint32_t i = 0; i < out.count; i++)
        row_unref(out.events[i].row);
}

/* What the host knows the stream as; inner streams and named windows have no number there. */
static uint32_t public_number(const struct stream *s)
{
    return s->plan->kind == ELEMENT_STREAM && !s->plan->is_inner ? (uint32_t)s->plan->number : UINT32_MAX;
}

void stream_failed(struct stream *s, const struct batch *b)
{
    struct app *app = s->app;
    char words[sizeof(app->env.failure)];
    memcpy(words, app->env.failure, sizeof(words));
    app->env.failed = false;
    if (app->host.failure)
        app->host.failure(app->host.user, public_number(s), words);
    if (s->plan->kind != ELEMENT_STREAM)
        return;
    if (s->plan->on_error == ON_ERROR_STREAM && s->plan->fault >= 0)
        publish_fault(s, app->streams[s->plan->fault], b, words);
    else if (s->plan->on_error == ON_ERROR_STORE && !s->plan->is_inner && app->host.store)
        app->host.store(app->host.user, (uint32_t)s->plan->number, b, words);
}

int stream_show(const struct stream *s, const struct batch *b)
{
    const struct app_host *host = &s->app->host;
    if (s->has_sinks && host->sink(host->user, (uint32_t)s->plan->number, b) == ERR_EVENT)
        return ERR_EVENT;
    if (s->is_looked_at)
        host->stream(host->user, (uint32_t)s->plan->number, b);
    return 0;
}

static struct batch batch_of(const struct stream *s, const struct event *e)
{
    return (struct batch){
        .events = (struct event *)(uintptr_t)e, .count = 1, .cap = 1, .scratch = &s->app->scratch};
}

int stream_show_one(const struct stream *s, const struct event *e)
{
    struct batch b = batch_of(s, e);
    return stream_show(s, &b);
}

void stream_failed_one(struct stream *s, const struct event *e)
{
    struct batch b = batch_of(s, e);
    stream_failed(s, &b);
}

void stream_publish_each(struct stream *s, const struct event *e)
{
    struct app *app = s->app;
    int rc = 0;
    app->depth++;
    for (uint32_t i = 0; i < s->receiver_count && rc >= 0; i++)
        rc = op_one(s->receivers[i], e);
    if (s->is_seen && rc >= 0)
        rc = stream_show_one(s, e);
    if (UNLIKELY(rc < 0))
        stream_failed_one(s, e);
    app->depth--;
}

void stream_too_deep(struct stream *s)
{
    struct app *app = s->app;
    expr_fail(&app->env, "streams feed each other more than %d deep at '%s'", LIMIT_SEND_DEPTH,
              s->plan->schema->id);
    app->env.failed = false;
    if (app->host.failure)
        app->host.failure(app->host.user, public_number(s), app->env.failure);
}
