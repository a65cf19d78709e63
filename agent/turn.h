/* turn.h - worker threads: a fixed number, each with the apps pinned to it. A worker takes turns: one turn is
 * up to LIMIT_TURN_MESSAGES messages of one app, worked off, committed, acknowledged, sent on, in that order.
 *
 * The worker's lock guards what it shares with ports' threads and main: its lists of work and the filling
 * halves of inboxes. It is never held over a call of a port, the engine or main. Apps themselves are touched
 * by their worker only: others send it a job. */
#ifndef WEIR_AGENT_TURN_H
#define WEIR_AGENT_TURN_H

#include "agent/commit.h"
#include "agent/hosted.h"
#include "agent/outbox.h"
#include <pthread.h>
#include <stdatomic.h>

struct job;
struct worker {
    pthread_t thread;
    int number;
    int64_t linger_us;

    pthread_mutex_t lock;
    pthread_cond_t wakes;
    bool is_sleeping;
    struct job *jobs, **jobs_end;
    struct hosted *ready, **ready_end; /* apps with messages waiting */
    struct outbox *poked;

    /* the worker's own */
    bool ends;
    struct bus *bus;
    struct commit commit;  /* of its durable apps */
    struct errors *errors; /* the agent's; NULL: there is none. Set before there are apps */
    struct hosted *apps;
    int held;        /* apps at one of their bounds: bounds.h */
    int64_t mend_us; /* not before: the system is asked for memory again */
    struct outbox *retiring;
    int64_t retire_us; /* how long an outbox may retire */
    int64_t due_ms;    /* at or before the earliest timer of all apps */
    int64_t retry_us;  /* at or before the earliest retry of an outbox, or end of a retirement */
    int64_t last_turn_us;
    int64_t wall_ms, looked_us; /* the computer's clock at the last look, and when that was: step.h */

    atomic_bool commit_pending; /* something waits for the disk: for tests and metrics */
    _Atomic uint64_t beat;      /* odd while it works, even while it rests; changes with every round */
};

/* store: borrowed, or NULL. */
int worker_start(struct worker *w, int number, const struct config *config, struct store *store,
                 struct err *e);
void worker_stop(struct worker *w); /* its apps must be gone; retiring outboxes are closed */
/* Runs fn on the worker and waits for it. Main thread. */
void worker_call(struct worker *w, void (*fn)(struct worker *w, void *user), void *user);

/* With the lock held: the worker will look again. */
void worker_wake(struct worker *w);
void worker_ready(struct worker *w, struct hosted *h); /* with the lock held */
void worker_poke(void *worker, struct outbox *b);      /* outbox.h's wake; no lock held */

/* On the worker. */
void worker_add(struct worker *w, struct hosted *h);
void worker_remove(struct worker *w, struct hosted *h); /* out of all lists */
void worker_retire(struct worker *w, struct outbox *b); /* takes b */
void worker_forget(struct worker *w,
                   struct outbox *b); /* out of the list of the poked, before it is closed */
/* The disk doesn't take what it did: it must not do more. */
bool worker_is_held(const struct worker *w, const struct hosted *h);
void worker_wake_apps(struct worker *w); /* durable apps may work again */
void worker_finish(struct worker *w,
                   struct hosted *h); /* turns until its inbox is empty, bounds of sinks or not */

#endif
