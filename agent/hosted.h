/* hosted.h - an app that a worker runs: engine, ties to its ports, inbox, outboxes. Everything here happens
 * on its worker, save what says "under the worker's lock". */
#ifndef WEIR_AGENT_HOSTED_H
#define WEIR_AGENT_HOSTED_H

#include "agent/bounds.h"
#include "agent/config.h"
#include "agent/durable.h"
#include "agent/inbox.h"
#include "agent/outbox.h"
#include "agent/source.h"
#include "engine/engine.h"
#include "engine/expr/world.h"

struct errors_replay;
struct hosted {
    struct hosted *next; /* of the worker's apps */
    struct worker *worker;
    char *name;     /* @app:name, else the file's; owned */
    char *log_name; /* "app NAME"; owned */
    struct app *app;
    struct buf text; /* as its file had it; of a durable app only */
    struct bind *bind;
    struct source **sources; /* by number in bind; NULL: in process */
    struct outbox **outboxes;
    int64_t due_ms;             /* earliest timer, as the computer's clock will show it */
    bool stands;                /* its time is ahead of that clock: step.h */
    int64_t slice_ms;           /* of time, that it catches up at once */
    int64_t stood_us;           /* what passed meanwhile that it has not been told */
    struct mem_account account; /* what the engine holds for it */
    struct bounds bounds;
    uint32_t store_number;                   /* its keys in the store begin with it; 0: it has none */
    bool has_topic_sources, has_topic_sinks; /* inMemory */
    bool is_playback;                        /* its clock is its events' */
    bool is_blocked;                         /* a sink is full: no turns, no timers until it isn't */
    bool is_started;
    uint64_t partials_before;    /* dropped, by the state it was loaded from */
    struct durable *durable;     /* NULL: the app ends with the agent */
    bool has_tables;             /* some of its tables are in the store */
    bool replays;                /* a journal is worked off: what happens has been told before */
    struct hush hush;            /* lines about failed events and sink maps */
    struct errors_replay *again; /* an entry of the error store that is being worked off, or NULL */
    struct hush errors_hush;     /* lines about what is kept */
    bool errors_full;            /* the last of it was refused */
    bool keeps_errors;           /* there is an error store */
    /* it takes messages that no map could read: of all streams; of those with @OnError(action='store') */
    bool keeps_unmapped, keeps_marked;
    struct world world;     /* what the app may ask: world_ask */
    char *files;            /* the setting; owned */
    struct names variables; /* likewise */
    struct source *current; /* the source whose message is being worked on, or NULL */

    /* under the worker's lock */
    struct inbox inbox;
    struct hosted *next_ready;
    bool is_ready; /* in the worker's list of apps with something to do */
};

/* Compiles text (named file in messages) and makes everything but the ports. Errors and warnings are printed;
 * NULL when refused. */
struct hosted *hosted_new(struct worker *worker, const char *file, const char *text, size_t len,
                          const struct config *config);
/* Opens what is new, takes over from old (which may be NULL, and has the same worker) the ports that stay the
 * same, starts; then old is gone. On failure (words in e) old goes on as if nothing had happened and h is
 * still the caller's. */
int hosted_start(struct hosted *h, struct hosted *old, const struct config *config, struct err *e);
/* Closes sources, frees; also one that never started. retires: first works off what arrived, and its outboxes
 * live on until they are empty; else what is left stays unacknowledged and what waits for sinks counts as
 * lost. */
void hosted_free(struct hosted *h, bool retires);
void hosted_drain(struct hosted *h);      /* sources take nothing more */
bool hosted_is_drained(struct hosted *h); /* what came is worked off and with the far sides of the sinks */

/* A sink is full. When true, the worker is woken as soon as there is room. */
bool hosted_is_full(struct hosted *h);
/* Works off one message, which its bounds let in: noted down, then time, map, queries, outboxes filled. Of a
 * durable app it is owed an acknowledgement. */
void hosted_receive(struct hosted *h, const struct arrival *a);
void hosted_advance(struct hosted *h, int64_t now_ms);
/* The same without notes: what a journal's replay calls. */
void hosted_work_message(struct hosted *h, int source, const struct arrival *a, int64_t time_ms);
void hosted_work_advance(struct hosted *h, int64_t now_ms);
void hosted_work_skip(struct hosted *h, int64_t now_ms); /* app_skip */
void hosted_work_shift(struct hosted *h, int64_t by_ms); /* app_shift */
void hosted_work_topic(struct hosted *h, int source, const struct payload *p, int64_t time_ms);
/* An on-demand query of an app that isn't busy with a message; result as app_query leaves it. */
int hosted_work_query(struct hosted *h, const char *text, size_t len, int64_t time_ms, struct result *result,
                      struct err *e);
void hosted_flush(struct hosted *h); /* every outbox */

#endif
