/* bounds.h - what an app may take of the agent's memory and of the folder for state, and what happens at the
 * bound.
 *
 * Laws
 * (1) There is one number for the memory of all apps ("memory.bytes") and one for the disk ("state.bytes").
 *     Each app has a share of both: what "memory.shares" and "state.shares" say under its name, else what its
 *     text says (@app:limits), else an equal part of what those leave. The shares are never more than the
 *     number: an app that would make them so is not deployed. So no app takes anything from another.
 * (2) Of its share of memory three quarters are for what its queries hold (mem.h's account: exact), an eighth
 *     for its inbox, an eighth for the outboxes of its sinks, in equal parts. Of the disk a quarter of the
 *     number is for pages that are free or half full, and the error store has its own bound; the rest is
 *     dealt. An app takes of it what its journal, its state, its stored tables and its sinks' buffers do
 *     (store_used).
 * (3) An app that meets one of them is held: no message is worked off until it holds a sixteenth less. With
 *     "wait" the messages stay where they are: the inbox fills up, the ports answer BUSY, brokers keep what
 *     they have. With "drop" they are taken, counted and thrown away; with "store" they go to the error
 *     store. Its timers go on, for they let windows shrink, and it answers queries, by which tables can be
 *     emptied. At its share of the disk it makes a checkpoint, which ends its journal.
 * (4) An app whose sinks lead by inMemory topics to others of its worker is held while one of those is: there
 *     is no inbox between them.
 * (5) When the system has no memory left (mem_is_short) all apps are held, "wait" or not, until the ballast
 *     is back.
 * (6) A message that may need more than the whole share, LIMIT_MESSAGE_GROWTH times its bytes, is refused,
 *     for waiting would not help: it goes to the error store as one that can't be mapped does, or is counted
 *     and logged only. An event that turns out to need more than the share while it is worked on (a join's
 *     product) fails as any event that fails: @OnError decides. That is no function of the journal, so the
 *     app makes a checkpoint behind it.
 * (7) Whatever is held is logged once with what to change, counted, and told by `weir status`.
 *
 * On the app's worker, save bounds_deal. */
#ifndef WEIR_AGENT_BOUNDS_H
#define WEIR_AGENT_BOUNDS_H

#include "agent/config.h"
#include "agent/hush.h"
#include "agent/inbox.h"
#include "engine/engine.h"

struct hosted;
struct worker;
enum bounds_hold { HOLD_NONE, HOLD_MEMORY, HOLD_DISK, HOLD_FEEDS, HOLD_SYSTEM };
struct bounds {
    int64_t memory_share, disk_share; /* INT64_MAX: not dealt yet */
    int64_t memory_most, disk_most;   /* of it for what the queries hold; what the records on disk may take */
    enum limits_full full;            /* LIMITS_WAIT, LIMITS_DROP, LIMITS_STORE */
    enum bounds_hold hold;
    int64_t since_ms;         /* of the hold */
    uint64_t disk_bytes;      /* after the last commit */
    uint64_t holds;           /* times it was held */
    uint64_t dropped, stored; /* messages, by law 3 and law 6 */
    uint64_t failed;          /* events, by law 6 */
    struct hush hush;
};
/* For words: "memory", "disk", "an app it feeds", "the system's memory". */
const char *bounds_hold_name(enum bounds_hold hold);

void bounds_init(struct bounds *b, enum limits_full full);
/* New shares; takes effect at once. config: what the sinks' bounds begin from. */
void bounds_set(struct hosted *h, int64_t memory_share, int64_t disk_share, const struct config *config);
/* May this message be worked off now? WAIT: no, and it stays; REFUSE: no, and bounds_refuse takes it. */
enum bounds_answer { BOUNDS_WORK, BOUNDS_WAIT, BOUNDS_REFUSE };
enum bounds_answer bounds_ask(struct hosted *h, const struct arrival *a);
/* Is it held, or should it be now? For work that doesn't come through the inbox. */
bool bounds_holds(struct hosted *h);
/* Laws 3 and 6. Of a durable app it is owed an acknowledgement; of another it is marked so that settling it
 * tells its source. */
void bounds_refuse(struct hosted *h, struct arrival *a);
/* Behind whatever worked in the app: law 6. */
void bounds_worked(struct hosted *h);
/* Those that have room again go on. While any is held: after each round. Returns when to look again at the
 * latest (clock_steady_us); INT64_MAX: when something happens. */
int64_t bounds_look(struct worker *w);
/* What the apps take on disk is counted anew. */
void bounds_committed(struct worker *w);

/* ---- the dealing: main thread ---- */

struct bounds_want { /* one app's */
    const char *name;
    const struct plan_limits *said; /* by its text */
    bool uses_disk;
    int64_t memory_share, disk_share; /* the result */
};
/* Law 1. ERR_FULL, words in e: the shares of `at` (-1: of any) can't be given; with -1 all are cut alike. */
int bounds_deal(const struct config *config, struct bounds_want *wants, int count, int at, struct err *e);

#endif
