/* commit.c - see commit.h. */
#include "agent/commit.h"
#include "agent/clock.h"
#include "agent/metrics.h"
#include "agent/turn.h"
#include "engine/base/fault.h"

enum { ACKS_MS = 200, RETRY_FIRST_MS = 50, RETRY_MOST_MS = 2000 };

void commit_init(struct commit *c, struct store *store, int64_t interval_ms, int64_t most_events)
{
    *c = (struct commit){
        .store = store, .interval_us = interval_ms * 1000, .most_events = (uint32_t)most_events};
    batch_open(&c->batch);
    batch_open(&c->errors);
}

void commit_fini(struct commit *c)
{
    batch_close(&c->batch);
    batch_close(&c->errors);
}

void commit_note(struct commit *c, uint32_t events)
{
    c->events += events;
    if (!c->since_us)
        c->since_us = clock_steady_us();
}

void commit_note_acks(struct commit *c)
{
    if (!c->acks_us)
        c->acks_us = clock_steady_us() + ACKS_MS * 1000;
}

int64_t commit_due_us(const struct commit *c)
{
    if (c->is_stuck)
        return c->retry_us;
    int64_t at_us = c->since_us ? c->since_us + c->interval_us : INT64_MAX;
    return c->acks_us && c->acks_us < at_us ? c->acks_us : at_us;
}

/* Every outbox with a spool: of apps and of those that retire. */
static void each_outbox(struct worker *w, void (*fn)(struct worker *w, struct outbox *b, void *user),
                        void *user)
{
    for (struct hosted *h = w->apps; h; h = h->next)
        for (int i = 0; i < h->bind->sink_count; i++)
            if (h->outboxes[i] && h->outboxes[i]->spool)
                fn(w, h->outboxes[i], user);
    for (struct outbox *b = w->retiring; b; b = b->next_retiring)
        if (b->spool)
            fn(w, b, user);
}

static void collect_outbox(struct worker *w, struct outbox *b, void *user)
{
    bool acks_alone;
    (void)user;
    if (outbox_is_dirty(b, &acks_alone))
        outbox_collect(b, &w->commit.batch, false);
}

static void collect_acks(struct worker *w, struct outbox *b, void *user)
{
    bool acks_alone;
    (void)w;
    if (outbox_is_dirty(b, &acks_alone))
        outbox_collect(b, user, true);
}

static void outbox_done(struct worker *w, struct outbox *b, void *user)
{
    (void)w;
    (void)user;
    outbox_committed(b);
}

static void outbox_go(struct worker *w, struct outbox *b, void *user)
{
    (void)w;
    (void)user;
    outbox_flush(b);
}

/* A store at its bound is relieved by what was acknowledged meanwhile, before it gets more. */
static void relieve(struct worker *w)
{
    struct store_batch acks;
    struct err e;
    batch_open(&acks);
    acks.relieves = true;
    each_outbox(w, collect_acks, &acks);
    (void)store_apply(w->commit.store, &acks, &e);
    batch_close(&acks);
}

static void stuck(struct commit *c, const struct err *e)
{
    int64_t rest_ms = RETRY_FIRST_MS << (c->tries < 6 ? c->tries : 6);
    if (!c->is_stuck || c->tries % 32 == 0)
        log_write(LOG_ERROR, "state", "%s: durable apps take nothing in until this is mended", e->text);
    c->is_stuck = true;
    c->tries++;
    c->retry_us = clock_steady_us() + (rest_ms < RETRY_MOST_MS ? rest_ms : RETRY_MOST_MS) * 1000;
}

static void gather(struct worker *w)
{
    struct commit *c = &w->commit;
    for (struct hosted *h = w->apps; h; h = h->next)
        if (h->durable && durable_is_dirty(h->durable))
            durable_collect(h->durable, &c->batch);
        else if (!h->durable)
            app_tables_collect(h->app, &c->batch);
    each_outbox(w, collect_outbox, NULL);
    if (c->errors.count)
        batch_join(&c->batch, &c->errors);
    batch_clear(&c->errors);
    c->events = 0;
    c->since_us = c->acks_us = 0;
}

static void tables_committed(struct hosted *h)
{
    struct mem_account *account = mem_account;
    mem_account = &h->account;
    app_tables_committed(h->app);
    mem_account = account;
}

/* What is stuck, or else what has come together. */
static int commit_once(struct worker *w, struct err *e)
{
    struct commit *c = &w->commit;
    if (c->is_stuck)
        relieve(w);
    else
        gather(w);
    (void)FAULT("commit.before");
    int rc = store_apply(c->store, &c->batch, e);
    if (rc < 0) {
        stuck(c, e);
        return rc;
    }
    (void)FAULT("commit.after");
    if (c->batch.count)
        metrics_add(&metrics.commits, 1);
    batch_clear(&c->batch);
    if (c->is_stuck)
        log_write(LOG_INFO, "state", "it is written again: durable apps go on");
    bool was_stuck = c->is_stuck;
    c->is_stuck = false;
    c->tries = 0;
    for (struct hosted *h = w->apps; h; h = h->next) {
        tables_committed(h);
        if (h->durable)
            durable_committed(h->durable);
    }
    bounds_committed(w);
    (void)FAULT("commit.settled");
    each_outbox(w, outbox_done, NULL);
    each_outbox(w, outbox_go, NULL);
    atomic_store(&w->commit_pending, false);
    if (was_stuck)
        worker_wake_apps(w);
    return 0;
}

/* When what was stuck is written, what came meanwhile is not yet. */
int commit_now(struct worker *w, struct err *e)
{
    if (!w->commit.store)
        return 0;
    bool was_stuck = w->commit.is_stuck;
    int rc = commit_once(w, e);
    return rc == 0 && was_stuck ? commit_once(w, e) : rc;
}

void commit_look(struct worker *w, bool is_dry)
{
    struct commit *c = &w->commit;
    struct err e;
    int64_t due_us = commit_due_us(c);
    if (due_us == INT64_MAX)
        return;
    bool is_due = (c->since_us && (is_dry || c->events >= c->most_events)) && !c->is_stuck;
    if (is_due || due_us <= clock_steady_us())
        (void)commit_now(w, &e);
}
