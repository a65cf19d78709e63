/* turn.c - see turn.h.
 *
 * Rest: with nothing to do a worker sleeps on its condition until a port or main wakes it or a timer is due.
 * While messages come fast, waking it for each would cost more than the message: then it lingers first, a
 * fixed short pause after which it takes all that came as one turn; ports find it awake and signal nothing.
 */
#include "agent/turn.h"
#include "agent/clock.h"
#include "agent/metrics.h"
#include "agent/step.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include <string.h>
#include <sys/prctl.h>

enum {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    STACK_BYTES = 16 * 1024 * 1024,
#else
    STACK_BYTES = 4 * 1024 * 1024, /* LIMIT_SEND_DEPTH streams that feed each other, regular expressions of
                                      scripts (1.2 MB seen); what isn't touched costs nothing */
#endif
    REST_MOST_MS = 60000,
    MESSAGES_PER_LOOK = 16, /* how often a turn looks whether a sink is full: the bound is soft */
};

struct job {
    struct job *next;
    void (*fn)(struct worker *w, void *user);
    void *user;
    bool is_done;
    pthread_cond_t done;
};

/* ---- lists ---- */

void worker_wake(struct worker *w)
{
    if (w->is_sleeping) {
        w->is_sleeping = false;
        pthread_cond_signal(&w->wakes);
    }
}

void worker_ready(struct worker *w, struct hosted *h)
{
    if (!h->is_ready) {
        h->is_ready = true;
        h->next_ready = NULL;
        *w->ready_end = h;
        w->ready_end = &h->next_ready;
        worker_wake(w);
    }
}

static void not_ready(struct worker *w, struct hosted *h)
{
    if (!h->is_ready)
        return;
    h->is_ready = false;
    if (w->ready == h && h->next_ready) {
        w->ready = h->next_ready;
        return;
    }
    struct hosted **at = &w->ready;
    while (*at && *at != h)
        at = &(*at)->next_ready;
    if (*at)
        *at = h->next_ready;
    for (w->ready_end = &w->ready; *w->ready_end;)
        w->ready_end = &(*w->ready_end)->next_ready;
}

void worker_poke(void *worker, struct outbox *b)
{
    struct worker *w = worker;
    pthread_mutex_lock(&w->lock);
    if (!b->is_poked) {
        b->is_poked = true;
        b->next_poked = w->poked;
        w->poked = b;
        worker_wake(w);
    }
    pthread_mutex_unlock(&w->lock);
}

void worker_forget(struct worker *w, struct outbox *b)
{
    pthread_mutex_lock(&w->lock);
    struct outbox **at = &w->poked;
    while (*at && *at != b)
        at = &(*at)->next_poked;
    if (*at)
        *at = b->next_poked;
    b->is_poked = true; /* keeps further pokes out of the list */
    pthread_mutex_unlock(&w->lock);
}

void worker_add(struct worker *w, struct hosted *h)
{
    h->next = w->apps;
    w->apps = h;
    w->due_ms = INT64_MIN;
}

void worker_remove(struct worker *w, struct hosted *h)
{
    struct hosted **at = &w->apps;
    while (*at && *at != h)
        at = &(*at)->next;
    if (*at)
        *at = h->next;
    pthread_mutex_lock(&w->lock);
    not_ready(w, h);
    pthread_mutex_unlock(&w->lock);
}

void worker_retire(struct worker *w, struct outbox *b)
{
    b->retire_at_us = clock_steady_us() + w->retire_us;
    b->next_retiring = w->retiring;
    w->retiring = b;
    w->retry_us = INT64_MIN;
}

/* ---- one turn ---- */

/* Law of the order: work, commit, acknowledge, send on. */
static void settle(const char *from, const char *to)
{
    for (const char *at = from; at < to;) {
        const struct arrival *a = (const struct arrival *)(const void *)at;
        struct source *s = a->source;
        port_settle(s->port, a->receipt, a->too_big ? OUTCOME_REJECTED : OUTCOME_OK);
        at += a->size;
    }
}

static void resume(struct worker *w, struct hosted *h)
{
    for (int i = 0; i < h->bind->source_count; i++) {
        struct source *s = h->sources[i];
        if (!s)
            continue;
        pthread_mutex_lock(&w->lock);
        bool resumes = s->is_stopped && s->hosted == h && inbox_has_room(&h->inbox);
        s->is_stopped &= !resumes;
        pthread_mutex_unlock(&w->lock);
        if (resumes)
            port_resume(s->port);
    }
}

bool worker_is_held(const struct worker *w, const struct hosted *h)
{
    return (h->durable || h->has_tables) && w->commit.is_stuck;
}

void worker_wake_apps(struct worker *w)
{
    w->due_ms = INT64_MIN;
    for (struct hosted *h = w->apps; h; h = h->next) {
        pthread_mutex_lock(&w->lock);
        if ((h->durable || h->has_tables) && h->inbox.waiting_messages && !h->is_blocked)
            worker_ready(w, h);
        pthread_mutex_unlock(&w->lock);
    }
}

/* Returns the number of messages worked off. ignores_bounds: sinks that are full don't stop it. */
static uint32_t turn(struct worker *w, struct hosted *h, bool ignores_bounds)
{
    if (worker_is_held(w, h))
        return 0;
    pthread_mutex_lock(&w->lock);
    bool has_work = inbox_swap(&h->inbox);
    pthread_mutex_unlock(&w->lock);
    if (!has_work)
        return 0;
    struct inbox_half *half = &h->inbox.draining;
    size_t from = half->at;
    uint32_t count = 0;
    while (count < LIMIT_TURN_MESSAGES && half->count) {
        if (!ignores_bounds && count % MESSAGES_PER_LOOK == 0 && hosted_is_full(h)) {
            h->is_blocked = true;
            break;
        }
        struct arrival *a = inbox_peek(&h->inbox);
        if (!ignores_bounds && UNLIKELY(step_lags(h, a->at_ms))) {
            step_advance(h, a->at_ms);
            break;
        }
        enum bounds_answer may = ignores_bounds ? BOUNDS_WORK : bounds_ask(h, a);
        if (may == BOUNDS_WAIT)
            break;
        (void)inbox_next(&h->inbox);
        if (may == BOUNDS_WORK)
            hosted_receive(h, a);
        else
            bounds_refuse(h, a);
        count++;
    }
    bool waits = h->bounds.hold != HOLD_NONE && !ignores_bounds && !count;
    /* Of durable apps nobody is told anything before the transaction: commit.c. */
    if (!h->durable) {
        settle(half->bytes + from, half->bytes + half->at);
        hosted_flush(h);
    }
    if (h->durable || app_tables_waiting(h->app))
        atomic_store(&w->commit_pending, true);
    metrics_add(&metrics.in, count);
    metrics_add(&metrics.turns, 1);
    pthread_mutex_lock(&w->lock);
    size_t bytes = half->at - from;
    inbox_settled(&h->inbox, count, bytes);
    bool has_stopped = false;
    for (int i = 0; i < h->bind->source_count; i++)
        has_stopped |= h->sources[i] && h->sources[i]->is_stopped;
    if (h->inbox.waiting_messages && !h->is_blocked && !waits && !ignores_bounds)
        worker_ready(w, h);
    pthread_mutex_unlock(&w->lock);
    if (has_stopped)
        resume(w, h);
    h->due_ms = step_due(w, h);
    if (h->due_ms < w->due_ms)
        w->due_ms = h->due_ms;
    if (h->has_topic_sinks && count)
        w->due_ms = INT64_MIN; /* others may have asked for timers too */
    return count;
}

void worker_finish(struct worker *w, struct hosted *h)
{
    while (turn(w, h, true))
        hosted_flush(h);
}

/* A sink has room again, or may have. */
static void unblock(struct worker *w, struct hosted *h)
{
    if (!h->is_blocked || hosted_is_full(h))
        return;
    h->is_blocked = false;
    w->due_ms = INT64_MIN;
    pthread_mutex_lock(&w->lock);
    if (h->inbox.waiting_messages)
        worker_ready(w, h);
    pthread_mutex_unlock(&w->lock);
}

/* ---- time ---- */

static void fire_timers(struct worker *w, int64_t now_ms)
{
    bool feeds = false;
    w->due_ms = INT64_MAX;
    for (struct hosted *h = w->apps; h; h = h->next) {
        if (h->is_blocked || worker_is_held(w, h))
            continue;
        pthread_mutex_lock(&w->lock);
        bool has_messages = h->inbox.waiting_messages > 0 && h->bounds.hold == HOLD_NONE;
        pthread_mutex_unlock(&w->lock);
        h->due_ms = step_due(w, h);
        /* Messages that wait came before now: their turn moves the clock, and sets due_ms again. While the
         * app is held there is none, and only timers make room. */
        if (h->due_ms <= now_ms && !has_messages) {
            if (hosted_is_full(h)) {
                h->is_blocked = true;
                continue;
            }
            step_advance(h, now_ms);
            if (!h->durable)
                hosted_flush(h);
            h->due_ms = step_due(w, h);
            feeds |= h->has_topic_sinks;
        }
        if (h->due_ms < w->due_ms && (h->due_ms > now_ms || !has_messages))
            w->due_ms = h->due_ms;
    }
    if (feeds)
        w->due_ms = INT64_MIN; /* those before it in the list may have asked for timers */
}

static void note_retry(struct worker *w, struct outbox *b, int64_t now_us)
{
    int64_t at_us = outbox_retry_at_us(b);
    if (at_us <= now_us) {
        outbox_flush(b);
        at_us = outbox_retry_at_us(b);
    }
    if (at_us < w->retry_us)
        w->retry_us = at_us;
}

static void close_retired(struct worker *w, struct outbox *b)
{
    worker_forget(w, b);
    outbox_close(b);
}

static void retry(struct worker *w, int64_t now_us)
{
    w->retry_us = INT64_MAX;
    for (struct hosted *h = w->apps; h; h = h->next) {
        for (int i = 0; i < h->bind->sink_count; i++)
            if (h->outboxes[i])
                note_retry(w, h->outboxes[i], now_us);
        unblock(w, h);
    }
    for (struct outbox **at = &w->retiring; *at;) {
        struct outbox *b = *at;
        note_retry(w, b, now_us);
        if (outbox_is_empty(b) || now_us >= b->retire_at_us) {
            *at = b->next_retiring;
            close_retired(w, b);
            continue;
        }
        if (b->retire_at_us < w->retry_us)
            w->retry_us = b->retire_at_us;
        at = &b->next_retiring;
    }
}

/* ---- the thread ---- */

static void serve_poked(struct worker *w, struct outbox *poked)
{
    while (poked) {
        struct outbox *b = poked;
        pthread_mutex_lock(&w->lock);
        poked = b->next_poked;
        b->is_poked = false;
        pthread_mutex_unlock(&w->lock);
        outbox_flush(b);
        bool acks_alone;
        if (outbox_is_dirty(b, &acks_alone)) {
            commit_note_acks(&w->commit);
            if (!acks_alone)
                commit_note(&w->commit, 1);
        }
        if (b->hosted)
            unblock(w, b->hosted);
        else
            w->retry_us = INT64_MIN; /* a retiring one may be empty now */
        int64_t at_us = outbox_retry_at_us(b);
        if (at_us < w->retry_us)
            w->retry_us = at_us;
    }
}

static void serve_jobs(struct worker *w, struct job *job)
{
    while (job) {
        struct job *next = job->next;
        job->fn(w, job->user);
        pthread_mutex_lock(&w->lock);
        job->is_done = true;
        pthread_cond_signal(&job->done);
        pthread_mutex_unlock(&w->lock);
        job = next;
    }
}

/* Milliseconds until time alone makes something to do; 0: now. */
static int64_t rest_ms(const struct worker *w)
{
    int64_t rest = REST_MOST_MS;
    if (w->due_ms != INT64_MAX) {
        int64_t now_ms = clock_wall_ms();
        if (w->due_ms <= now_ms)
            return 0;
        rest = w->due_ms - now_ms < rest ? w->due_ms - now_ms : rest;
    }
    int64_t look_us = commit_due_us(&w->commit) < w->retry_us ? commit_due_us(&w->commit) : w->retry_us;
    if (look_us != INT64_MAX) {
        int64_t now_us = clock_steady_us();
        if (look_us <= now_us)
            return 0;
        int64_t ms = (look_us - now_us) / 1000 + 1;
        rest = ms < rest ? ms : rest;
    }
    return rest;
}

static bool has_nothing(const struct worker *w)
{
    return !w->jobs && !w->ready && !w->poked;
}

/* With the lock held; returns with it held. */
static void rest(struct worker *w, bool lingers)
{
    if (lingers && has_nothing(w)) {
        pthread_mutex_unlock(&w->lock);
        clock_pause_us(w->linger_us);
        pthread_mutex_lock(&w->lock);
    }
    int64_t ms = has_nothing(w) ? rest_ms(w) : 0;
    if (!ms)
        return;
    struct timespec until = clock_steady_in_ms(ms);
    w->is_sleeping = true;
    while (w->is_sleeping && pthread_cond_timedwait(&w->wakes, &w->lock, &until) == 0)
        ;
    w->is_sleeping = false;
}

/* One round: whatever waits, once. Returns the messages worked off. */
static uint32_t round_trip(struct worker *w)
{
    struct job *jobs = w->jobs;
    struct outbox *poked = w->poked;
    struct hosted *h = NULL;
    w->jobs = NULL;
    w->jobs_end = &w->jobs;
    if (!jobs) { /* a job may free what the other lists hold: it has the round for itself */
        w->poked = NULL;
        h = w->ready;
        if (h)
            not_ready(w, h);
    }
    pthread_mutex_unlock(&w->lock);
    step_look(w);
    serve_jobs(w, jobs);
    uint32_t count = 0;
    if (!jobs) {
        serve_poked(w, poked);
        if (h && !h->is_blocked)
            count = turn(w, h, false);
        if (w->due_ms != INT64_MAX && w->due_ms <= clock_wall_ms())
            fire_timers(w, clock_wall_ms());
        if (w->retry_us != INT64_MAX && w->retry_us <= clock_steady_us())
            retry(w, clock_steady_us());
    }
    int64_t look_us = bounds_look(w);
    if (look_us < w->retry_us)
        w->retry_us = look_us;
    pthread_mutex_lock(&w->lock);
    bool is_dry = !w->ready;
    if (commit_due_us(&w->commit) != INT64_MAX) {
        pthread_mutex_unlock(&w->lock);
        commit_look(w, is_dry);
        pthread_mutex_lock(&w->lock);
    }
    return count;
}

static void *worker_main(void *user)
{
    struct worker *w = user;
    char name[16];
    snprintf(name, sizeof name, "worker %d", w->number);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_TIMERSLACK, 10000UL);
    bool lingers = false;
    pthread_mutex_lock(&w->lock);
    while (!w->ends) {
        rest(w, lingers);
        atomic_fetch_add_explicit(&w->beat, 1, memory_order_relaxed);
        uint32_t count = round_trip(w);
        atomic_fetch_add_explicit(&w->beat, 1, memory_order_relaxed);
        lingers = false;
        if (count && w->linger_us) {
            int64_t now_us = clock_steady_us();
            lingers = count > 1 || now_us - w->last_turn_us < 2 * w->linger_us;
            w->last_turn_us = now_us;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int worker_start(struct worker *w, int number, const struct config *config, struct store *store,
                 struct err *e)
{
    pthread_condattr_t steady;
    pthread_attr_t small;
    *w = (struct worker){.number = number,
                         .linger_us = config->turn_linger_us,
                         .retire_us = config->retire_ms * 1000,
                         .due_ms = INT64_MAX,
                         .retry_us = INT64_MAX,
                         .wall_ms = clock_wall_ms(),
                         .looked_us = clock_steady_us(),
                         .bus = bus_new()};
    commit_init(&w->commit, store, config->commit_ms, config->commit_events);
    w->jobs_end = &w->jobs;
    w->ready_end = &w->ready;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wakes, &steady);
    pthread_condattr_destroy(&steady);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    int rc = pthread_create(&w->thread, &small, worker_main, w);
    pthread_attr_destroy(&small);
    if (rc)
        return err_set(e, ERR_IO, "worker %d: %s", number, strerror(rc));
    return 0;
}

static void end(struct worker *w, void *user)
{
    (void)user;
    while (w->retiring) {
        struct outbox *b = w->retiring;
        w->retiring = b->next_retiring;
        close_retired(w, b);
    }
    struct err e;
    (void)commit_now(w, &e); /* what these left in the error store */
    w->ends = true;
}

void worker_stop(struct worker *w)
{
    worker_call(w, end, NULL);
    pthread_join(w->thread, NULL);
    commit_fini(&w->commit);
    bus_free(w->bus);
    pthread_cond_destroy(&w->wakes);
    pthread_mutex_destroy(&w->lock);
}

void worker_call(struct worker *w, void (*fn)(struct worker *w, void *user), void *user)
{
    struct job job = {.fn = fn, .user = user};
    pthread_cond_init(&job.done, NULL);
    pthread_mutex_lock(&w->lock);
    *w->jobs_end = &job;
    w->jobs_end = &job.next;
    worker_wake(w);
    while (!job.is_done)
        pthread_cond_wait(&job.done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&job.done);
}
