/* app.h - the running app (private to engine/run). Made from a plan; owns everything that moves.
 *
 * Laws: (1) one thread; (2) time passes only in app_advance; (3) scratch is reset when no push is under way:
 * at the end of app_send, of each timer, of each query; (4) a stream's receivers are called in order of
 * subscription, depth first; the first that fails stops the rest. */
#ifndef WEIR_RUN_APP_H
#define WEIR_RUN_APP_H

#include "engine/base/limits.h"
#include "engine/plan/plan.h"

struct partition; /* one key's copy of the queries of a partition */

/* A stream (or inner stream) at work. */
struct stream {
    struct app *app;
    const struct plan_element *plan;
    struct op **receivers; /* in order of subscription */
    uint32_t receiver_count, receiver_cap;
    bool has_sinks;
    bool is_looked_at; /* by the host */
    bool is_seen;      /* one of both */
    /* Where one current event goes that comes alone; stream_ways keeps it. */
    enum stream_way { WAY_EACH, WAY_ONLY, WAY_LOOK } way; /* the only receiver; the host, to look at it */
    struct op *only;
    int (*only_one)(struct op *op, const struct event *e); /* its op_type.one */
    const struct op *splitter; /* the first receiver that takes chunks apart by keys; or NULL */
    uint64_t events;           /* counted for metrics */
};

struct query {
    const struct plan_query *plan;
    struct partition *partition; /* or NULL */
    struct op *ops[];            /* by op_plan.index */
};

struct timers; /* timer.c */
struct table;  /* table.c */
struct aggregation;
struct ondemand; /* ondemand.c */

struct app {
    struct plan *plan;
    struct app_host host;
    struct expr_env env;
    struct arena scratch;
    struct arena_mark scratch_mark; /* what app_leave resets to: the first block stays */
    char *name;
    bool playback, started;
    bool awaits_clock;       /* app_await_clock */
    int64_t task_ms;         /* playback: the task clock (timer.c) */
    int64_t until_ms;        /* where it goes right now */
    struct op *heartbeat;    /* of idle.time, or NULL */
    int depth;               /* of pushes under way */
    struct stream **streams; /* by number; NULL for inner streams */
    struct op **windows;     /* named windows, by number; their output op publishes to window_streams */
    struct stream **window_streams; /* what 'from W' reads */
    struct table **tables;
    struct aggregation **aggregations;
    struct query **queries; /* those outside partitions, in order */
    int query_count;
    struct op **partitions; /* partition receivers: partition.c */
    int partition_count;
    struct timers *timers;
    void **shared; /* by op_plan.number */
    struct op **triggers;
    int trigger_count;
    struct ondemand *ondemand; /* compiled queries, the last answer; NULL before the first query */
    struct state *state;       /* its pieces: engine/data/state.h */
    struct buf saving;         /* a part being saved: its memory stays, for a big part has much of it */
    struct overlay *overlay;   /* over the store of its tables; NULL: it has none in a store */
    uint32_t store_number;     /* its keys begin with it */
};

/* An operator's app. */
static inline struct app *op_app(const struct op *op)
{
    return (struct app *)(void *)((char *)op->env - offsetof(struct app, env));
}

/* stream.c */
struct stream *stream_new(struct app *app, const struct plan_element *plan);
void stream_free(struct stream *s);
void stream_subscribe(struct stream *s, struct op *receiver);
void stream_unsubscribe(struct stream *s, struct op *receiver);
/* A chunk of several events from a query, to a stream with a splitter: spec 07 section 3. */
void stream_publish_split(struct stream *s, const struct batch *b);
/* to sinks, then to the host; ERR_EVENT: a sink failed the event */
int stream_show(const struct stream *s, const struct batch *b);
int stream_show_one(const struct stream *s, const struct event *e);
/* Only the host looks at e: nothing that can fail. */
static inline void stream_look(const struct stream *s, const struct event *e)
{
    const struct batch b = {
        .events = (struct event *)(uintptr_t)e, .count = 1, .cap = 1, .scratch = &s->app->scratch};
    s->app->host.stream(s->app->host.user, (uint32_t)s->plan->number, &b);
}
void stream_failed_one(struct stream *s, const struct event *e);
void stream_failed(struct stream *s, const struct batch *b);
void stream_too_deep(struct stream *s);
/* query.c: one running copy, in query_bytes zeroed bytes of its maker's; the operator of an index lies at
 * query_op_at in it. Its receivers are subscribed by the caller with query_subscribe. Operators that model
 * (or NULL) has are not made but taken from it. */
size_t query_bytes(const struct plan_query *plan, const struct query *model);
size_t query_op_at(const struct plan_query *plan, const struct query *model, int index);
void query_init(struct query *q, struct app *app, const struct plan_query *plan, struct partition *partition,
                const struct query *model);
void query_fini(struct query *q);
void query_subscribe(struct query *q, struct app *app);
int query_start(struct query *q, struct err *e);
void query_save(const struct query *q, struct writer *w);
int query_load(struct query *q, struct reader *r);
/* The stream an element stands for, seen from partition (inner streams); NULL for what is none. */
struct stream *app_stream_of(struct app *app, const struct plan_element *e, struct partition *partition);

/* One operator instance alone (named windows, triggers). */
struct op *op_new(struct app *app, const struct op_plan *plan, struct query *query);
void op_free(struct op *op);

/* All events of b must be CURRENT (a named window's stream: any but RESET and TIMER). Failures end here: spec
 * 10 section 6. */
static inline void stream_publish(struct stream *s, const struct batch *b)
{
    struct app *app = s->app;
    int rc = 0;
    s->events += b->count;
    if (UNLIKELY(app->depth >= LIMIT_SEND_DEPTH && s->way != WAY_LOOK)) {
        stream_too_deep(s);
        return;
    }
    app->depth++;
    for (uint32_t i = 0; i < s->receiver_count && LIKELY(rc >= 0); i++)
        rc = op_push(s->receivers[i], b);
    if (s->is_seen && LIKELY(rc >= 0))
        rc = stream_show(s, b);
    if (UNLIKELY(rc < 0))
        stream_failed(s, b);
    app->depth--;
}

/* To every receiver, then to sinks and the host. */
void stream_publish_each(struct stream *s, const struct event *e);
/* As stream_publish with a batch of this current event, which came alone. */
static inline void stream_publish_one(struct stream *s, const struct event *e)
{
    struct app *app = s->app;
    s->events++;
    if (LIKELY(s->way == WAY_LOOK)) {
        stream_look(s, e);
    } else if (UNLIKELY(app->depth >= LIMIT_SEND_DEPTH)) {
        stream_too_deep(s);
    } else if (s->way == WAY_ONLY) {
        app->depth++;
        if (UNLIKELY(s->only_one(s->only, e) < 0))
            stream_failed_one(s, e);
        app->depth--;
    } else {
        stream_publish_each(s, e);
    }
}

/* A push begins, and ends: then scratch is released when no other is under way. */
static inline void app_enter(struct app *app)
{
    app->depth++;
}
static inline void app_release(struct app *app)
{
    if (UNLIKELY(app->env.loose_count))
        expr_env_release(&app->env);
    arena_reset(&app->scratch, app->scratch_mark);
}
static inline void app_leave(struct app *app)
{
    if (--app->depth == 0)
        app_release(app);
}

/* timer.c */
struct timers *timers_new(struct app *app);
void timers_free(struct timers *t);
int64_t timers_next(const struct timers *t); /* live: of all; playback: of those on the task clock */
/* Playback: the app's clock is set to at_ms, unless that is before it; what it finds due fires. */
void timers_move(struct app *app, int64_t at_ms);
/* After all operators: the order in which requests were made. */
void timers_save(struct timers *t, struct writer *w);
int timers_load(struct timers *t, struct reader *r);
void timers_forget(struct timers *t); /* what timer_load read */
/* What op waits for, in the entry of its key; the moments of others stand in one part, timers_save's. */
void timer_save(struct op *op, void *writer);
void timer_load(struct op *op, void *reader); /* counts when timers_load comes */
/* Every operator that may ask for timers, in an order that a saved and loaded app shares; but for those of
 * partitions' copies. */
void app_each_op(struct app *app, void (*visit)(struct op *op, void *user), void *user);

/* heartbeat.c: @app:playback(idle.time, increment). stir: the clock was set. */
struct op *heartbeat_new(struct app *app);
void heartbeat_stir(struct app *app);
void heartbeat_shift(struct app *app, int64_t by_ms); /* app_shift */
int64_t heartbeat_next(const struct app *app);        /* INT64_MAX: it does not beat */
/* Both clocks' part of the state. */
void heartbeat_save(const struct app *app, struct writer *w);
int heartbeat_load(struct app *app, struct reader *r);

/* What the other files of the room do for app.c. */
int trigger_start(struct app *app, bool resume, struct err *e); /* trigger.c */
struct op *trigger_new(struct app *app, const struct plan_trigger *t);
void partition_save(const struct op *p, struct writer *w); /* partition.c */
int partition_load(struct op *p, struct reader *r);
void partition_ahead(const struct op *p, struct writer *w); /* as op_type.ahead */
struct op *partition_new(struct app *app, const struct plan_partition *plan);
void partition_free(struct op *p);
const char *partition_key(const struct partition *p, size_t *len); /* lives as long as p */
void partition_touch(struct partition *p); /* its state changes: the next checkpoint writes it */
void partition_touch_all(struct op *p); /* what its copies wait for isn't as it was saved */
/* Of each key's copy; due_only: those that may ask for timers. */
void partition_each_copy(struct op *op, bool due_only, void (*visit)(struct op *op, void *user), void *user);
struct stream *partition_stream(struct partition *p, const struct plan_element *e);
struct table *table_new(struct app *app, const struct plan_element *e); /* table.c */
void table_free(struct table *t);
int tables_start(struct app *app, struct err *e); /* those in a store are found there */
void table_save(const struct table *t, struct writer *w);
int table_load(struct table *t, struct reader *r);
void ondemand_free(struct app *app); /* ondemand.c */
/* aggregate.c; subscribes to its stream, before any query */
struct aggregation *aggregation_new(struct app *app, const struct plan_element *e);
void aggregation_free(struct aggregation *a);
void aggregation_save(struct aggregation *a, struct writer *w);
int aggregation_load(struct aggregation *a, struct reader *r);
void aggregation_ahead(struct aggregation *a, struct writer *w); /* as op_type.ahead */
int aggregation_start(struct aggregation *a, struct err *e);
void aggregation_each_op(struct aggregation *a, void (*visit)(struct op *op, void *user), void *user);

#endif
