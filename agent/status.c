/* status.c - see status.h. */
#include "agent/status.h"
#include "agent/clock.h"
#include "agent/jnode.h"
#include "agent/metrics.h"
#include <inttypes.h>
#include <string.h>

struct app_status {
    struct hosted *hosted;
    bool with_parts;
    struct buf *out;
    struct totals {
        uint64_t memory, disk;
        int held;
    } * totals;
};

static void text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    if (value)
        jnode_print_text(value, strlen(value), out);
    else
        buf_add_str(out, "null");
}

static const char *held_by(struct hosted *h)
{
    if (h->bounds.hold != HOLD_NONE)
        return bounds_hold_name(h->bounds.hold);
    if ((h->durable || h->has_tables) && h->worker->commit.is_stuck)
        return "the store";
    return h->is_blocked || hosted_is_full(h) ? "a sink" : NULL;
}

static void limit(struct buf *out, const char *name, int64_t bytes)
{
    if (bytes == INT64_MAX)
        buf_printf(out, ",\"%s\":null", name);
    else
        buf_printf(out, ",\"%s\":%" PRId64, name, bytes);
}

struct parts {
    struct buf *out;
    uint64_t bytes; /* of all told */
};

static void on_part(void *user, const struct app_part *p)
{
    struct parts *parts = user;
    struct buf *out = parts->out;
    if (!p->bytes)
        return;
    parts->bytes += p->bytes;
    buf_add_str(out, "{\"part\":{");
    text(out, "kind", p->kind);
    buf_add_char(out, ',');
    text(out, "name", p->name);
    buf_add_char(out, ',');
    text(out, "operator", p->op);
    buf_add_char(out, ',');
    text(out, "partition", p->around);
    buf_printf(out, ",\"copies\":%" PRIu32 ",\"bytes\":%" PRIu64, p->copies, p->bytes);
    if (p->is_pattern)
        buf_printf(out, ",\"partials\":%" PRIu64 ",\"partials_dropped\":%" PRIu64, p->partials.live,
                   p->partials.dropped);
    buf_add_str(out, "}}\n");
}

/* Those, and what the account has besides. */
static void tell_parts(struct hosted *h, struct buf *out)
{
    struct parts parts = {.out = out};
    mem_account = &h->account;
    app_held(h->app, on_part, &parts);
    mem_account = NULL;
    int64_t rest = h->account.bytes - (int64_t)parts.bytes;
    if (rest > 0)
        on_part(&parts, &(struct app_part){.kind = "app",
                                           .name = "its plan, maps, keys of partitions, room to work in",
                                           .bytes = (uint64_t)rest,
                                           .copies = 1});
}

static void job_status(struct worker *w, void *user)
{
    struct app_status *s = user;
    struct hosted *h = s->hosted;
    const struct bounds *b = &h->bounds;
    struct buf *out = s->out;
    uint64_t waiting = 0, waiting_bytes = 0;
    const char *held = held_by(h);
    struct app_partials partials = app_partials(h->app);
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i])
            outbox_count(h->outboxes[i], &waiting, &waiting_bytes);
    pthread_mutex_lock(&w->lock);
    uint32_t inbox = h->inbox.waiting_messages;
    size_t inbox_bytes = h->inbox.waiting_bytes, inbox_most = h->inbox.most_bytes;
    pthread_mutex_unlock(&w->lock);
    buf_add_char(out, '{');
    text(out, "app", h->name);
    buf_add_char(out, ',');
    text(out, "held", held);
    buf_printf(out, ",\"held_since_ms\":%" PRId64 ",\"durable\":%s,\"memory_bytes\":%" PRId64,
               b->hold == HOLD_NONE ? 0 : b->since_ms, h->durable ? "true" : "false", h->account.bytes);
    limit(out, "memory_limit_bytes", b->memory_most);
    limit(out, "memory_share_bytes", b->memory_share);
    buf_printf(out, ",\"disk_bytes\":%" PRIu64, b->disk_bytes);
    limit(out, "disk_limit_bytes", b->disk_most);
    buf_printf(out,
               ",\"inbox_messages\":%" PRIu32 ",\"inbox_bytes\":%zu,\"inbox_limit_bytes\":%zu"
               ",\"sinks_wait_messages\":%" PRIu64 ",\"sinks_wait_bytes\":%" PRIu64 ",\"holds\":%" PRIu64
               ",\"dropped\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"events_over_limit\":%" PRIu64
               ",\"partials\":%" PRIu64 ",\"partials_dropped\":%" PRIu64 "}\n",
               inbox, inbox_bytes, inbox_most, waiting, waiting_bytes, b->holds, b->dropped, b->stored,
               b->failed, partials.live, partials.dropped);
    s->totals->memory += (uint64_t)h->account.bytes + inbox_bytes + waiting_bytes;
    s->totals->disk += b->disk_bytes;
    s->totals->held += held != NULL;
    if (s->with_parts)
        tell_parts(h, out);
}

static void on_app(struct hosted *h, void *user)
{
    struct app_status *s = user;
    s->hosted = h;
    worker_call(h->worker, job_status, s);
}

static void tell_agent(const struct deploy *d, const struct totals *t, struct buf *out)
{
    struct store_counts store = {0};
    if (d->workers[0].commit.store)
        store_count(d->workers[0].commit.store, &store);
    buf_printf(
        out,
        "{\"agent\":{\"apps\":%d,\"held\":%d,\"memory_bytes\":%" PRIu64 ",\"memory_limit_bytes\":%" PRId64
        ",\"system_is_short\":%s,\"resident_bytes\":%ld,\"disk_bytes\":%" PRIu64
        ",\"disk_file_bytes\":%" PRIu64 ",\"disk_limit_bytes\":%" PRId64 ",\"limit_dropped\":%" PRIu64
        ",\"limit_stored\":%" PRIu64 ",\"messages_in\":%" PRIu64 ",\"messages_out\":%" PRIu64
        ",\"clock_steps\":%" PRIu64 "}}\n",
        deploy_running(d), t->held, t->memory, d->config->memory_bytes, mem_is_short() ? "true" : "false",
        clock_rss_kb() * 1024, t->disk, store.used_bytes, d->config->state_bytes,
        atomic_load(&metrics.limit_dropped), atomic_load(&metrics.limit_stored), atomic_load(&metrics.in),
        atomic_load(&metrics.out), atomic_load(&metrics.clock_steps));
}

void status_tell(const struct deploy *d, struct hosted *app, bool with_parts, struct buf *out)
{
    struct totals totals = {0};
    struct buf apps;
    buf_init(&apps, out->max_bytes);
    struct app_status s = {.with_parts = with_parts, .out = &apps, .totals = &totals};
    if (app)
        on_app(app, &s);
    else
        deploy_each(d, on_app, &s);
    tell_agent(d, &totals, out);
    buf_add(out, apps.bytes ? apps.bytes : "", apps.len);
    out->overflow |= apps.overflow;
    buf_printf(out, "{\"done\":%d}\n", app ? 1 : deploy_running(d));
    buf_fini(&apps);
}
