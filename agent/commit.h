/* commit.h - the transaction of a worker: what its durable apps and their outboxes did since the last one,
 * with one fsync for all of them.
 *
 * It is due at once when nothing more waits to be worked on, else after commit.interval.ms or commit.events.
 * While the store can't take it (disk full, budget, I/O error) nothing is acknowledged and durable apps don't
 * work; it is tried again until it can: is_stuck. What is acknowledged by far sides alone waits up to ACKS_MS
 * for company.
 *
 * On the worker. */
#ifndef WEIR_AGENT_COMMIT_H
#define WEIR_AGENT_COMMIT_H

#include "agent/hush.h"
#include "engine/store/store.h"

struct worker;
struct commit {
    struct store *store; /* the agent's; NULL: there is none */
    int64_t interval_us;
    uint32_t most_events;
    struct store_batch batch;
    struct store_batch errors; /* of the error store: goes with the next one */
    uint32_t events;           /* noted since the last one */
    int64_t since_us;          /* when the first of them was; 0: none */
    int64_t acks_us;           /* write acknowledgements by then; 0: none */
    bool is_stuck;             /* batch waits for the disk */
    int64_t retry_us;          /* when it is stuck */
    int tries;
};

void commit_init(struct commit *c, struct store *store, int64_t interval_ms, int64_t most_events);
void commit_fini(struct commit *c);
/* Something happened that must be written. */
void commit_note(struct commit *c, uint32_t events);
void commit_note_acks(struct commit *c);
/* Commits if it is due. is_dry: nothing more waits. */
void commit_look(struct worker *w, bool is_dry);
/* Now. What is wrong in e; then it is stuck. */
int commit_now(struct worker *w, struct err *e);
/* When to look again at the latest; INT64_MAX: never. */
int64_t commit_due_us(const struct commit *c);

#endif
