/* query.c - see query.h. */
#include "agent/query.h"
#include "agent/clock.h"
#include "agent/turn.h"

enum { ARENA_BLOCK = 1024 };

/* Law 3. */
static bool is_held(struct query *q, struct hosted *h)
{
    if (h->is_blocked || hosted_is_full(h))
        err_set(&q->err, ERR_BUSY,
                "app %s waits for a sink that is full; it does nothing until there is room", h->name);
    else if ((h->durable || h->has_tables) && h->worker->commit.is_stuck)
        err_set(&q->err, ERR_BUSY, "app %s waits for the disk, which does not take its state", h->name);
    else
        return false;
    q->outcome = QUERY_HELD;
    return true;
}

/* Timers that are due fire before the query looks, as they would have without it; not before messages that
 * came earlier. */
static void catch_up(struct hosted *h, int64_t now_ms)
{
    struct worker *w = h->worker;
    pthread_mutex_lock(&w->lock);
    bool has_messages = h->inbox.waiting_messages > 0;
    pthread_mutex_unlock(&w->lock);
    if (has_messages || app_next_due(h->app) > now_ms)
        return;
    hosted_advance(h, now_ms);
    if (!h->durable)
        hosted_flush(h);
}

static void note_timers(struct hosted *h)
{
    h->due_ms = app_next_due(h->app);
    if (h->due_ms < h->worker->due_ms)
        h->worker->due_ms = h->due_ms;
}

static bool settle(struct query *q, int rc)
{
    if (rc < 0)
        q->outcome = QUERY_FAILED;
    return rc == 0;
}

static void tell(struct query *q, const struct result *result)
{
    if (!result->schema)
        return;
    q->columns(q->user, result->schema);
    for (uint32_t i = 0; i < result->count; i++, q->count++)
        if (!q->row(q->user, result->schema, result->rows[i]))
            break;
}

/* Law 2. */
static void read_only(struct query *q, struct hosted *h, int64_t now_ms)
{
    struct expr_env *env = app_env(h->app);
    int64_t was_ms = env->now_ms;
    uint64_t chance = env->random_state;
    struct result result;
    if (!h->is_playback && now_ms > was_ms)
        env->now_ms = now_ms;
    env->random_state ^= (uint64_t)clock_steady_us() * 0x9E3779B97F4A7C15u;
    int rc = hosted_work_query(h, q->text, q->len, app_task_now(h->app), &result, &q->err);
    env->now_ms = was_ms;
    env->random_state = chance;
    if (settle(q, rc))
        tell(q, &result);
}

/* Law 1. */
static void change(struct query *q, struct hosted *h, int64_t now_ms)
{
    struct result result;
    int64_t time_ms = now_ms > app_task_now(h->app) ? now_ms : app_task_now(h->app);
    if (h->durable) {
        durable_note_query(h->durable, q->text, q->len, time_ms);
        commit_note(&h->worker->commit, 1);
    }
    if (settle(q, hosted_work_query(h, q->text, q->len, time_ms, &result, &q->err)))
        tell(q, &result);
    bounds_worked(h);
    if (h->durable)
        app_query_forget(h->app, q->text, q->len);
    else
        hosted_flush(h);
    struct err e = {0};
    if (!(h->durable || h->has_tables) || !q->writes || q->outcome != QUERY_DONE ||
        commit_now(h->worker, &e) == 0)
        return;
    q->outcome = QUERY_UNSURE;
    err_set(
        &q->err, e.code,
        "the change is made, but not on disk: it may be lost if the agent ends before that is mended: %.300s",
        e.text);
}

/* As the app's own memory, which the compiled query becomes. */
static int check(struct query *q, struct hosted *h, enum query_effect *effect)
{
    struct mem_account *account = mem_account;
    struct arena arena;
    struct diags diags;
    mem_account = &h->account;
    arena_init(&arena, ARENA_BLOCK);
    diags_init(&diags, &arena, q->text, q->len);
    int rc = app_query_check(h->app, q->text, q->len, effect, &diags, &q->err);
    mem_account = account;
    if (rc < 0) {
        q->outcome = QUERY_REFUSED;
        q->refused(q->user, &diags);
    }
    mem_account = &h->account;
    arena_fini(&arena);
    mem_account = account;
    return rc;
}

struct asked {
    struct query *query;
    struct hosted *hosted;
};

static void job_query(struct worker *w, void *user)
{
    struct asked *asked = user;
    struct query *q = asked->query;
    struct hosted *h = asked->hosted;
    enum query_effect effect;
    int64_t now_ms = clock_wall_ms();
    (void)w;
    if (check(q, h, &effect) < 0)
        return;
    q->writes = effect == QUERY_WRITES;
    if (is_held(q, h))
        return;
    catch_up(h, now_ms);
    if (effect == QUERY_READS)
        read_only(q, h, now_ms);
    else
        change(q, h, now_ms);
    note_timers(h);
}

void query_run(struct query *q, struct hosted *h)
{
    struct asked asked = {q, h};
    q->outcome = QUERY_DONE;
    q->writes = false;
    q->count = 0;
    worker_call(h->worker, job_query, &asked);
}
