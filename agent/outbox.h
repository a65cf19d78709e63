/* outbox.h - messages of one sink between the app and its port: bounded, in order, kept until the far side
 * has them. With a spool (durable apps) they are on disk too, and memory holds a window of them only.
 *
 * An entry is waiting (not with the port), in flight (the port has a copy; sent will come), refused (it never
 * can be sent, and the worker has yet to give it to keep) or done. Laws: (1) entries are handed to the port
 * in the order of their numbers; (2) an entry that came back (ERR_IO) is handed over again, before all
 * younger waiting ones, after a rest that grows; (3) only done entries leave, from the front; (4) nothing is
 * handed over before outbox_flush: the worker calls it after the turn's commit; (5) the bound is soft: an app
 * that is let in finishes its turn's message, then waits; (6) with a spool nothing is handed over before the
 * transaction that has it is on disk; what comes back in a replay (numbers that were given out before) is not
 * taken again.
 *
 * Made, filled, flushed and freed on the worker; sent and status come from the port's thread. Its lock is
 * never held over a call of the port or the worker. It outlives the app when a changed app takes it over, and
 * when it retires with entries left. */
#ifndef WEIR_AGENT_OUTBOX_H
#define WEIR_AGENT_OUTBOX_H

#include "agent/hush.h"
#include "agent/spool.h"
#include "ports/bind.h"
#include "ports/port.h"
#include <pthread.h>

/* A dynamic option of a message that is for keep alone, not for the port: the events it tells of. */
#define OUTBOX_EVENTS ".events"

struct outbox_entry;
struct outbox {
    struct port *port; /* owned */
    const struct port_type *type;
    char *name;     /* of the stream: for taking over; owned */
    char *log_name; /* "app X" of the first owner; owned */
    /* on.error='store': takes a message that never can be sent. False: it can't now, ask again later. Worker
     * only; has_keeper: any thread */
    bool (*keep)(struct outbox *b, const struct message *m, const char *why);
    bool has_keeper;
    uint32_t refused;   /* entries that wait for keep */
    bool tells_at_once; /* on.error='stream': a message that can't be sent is refused while its event is at
                           hand */

    pthread_mutex_t lock;
    struct outbox_entry *entries; /* ring; cap is a power of two */
    uint32_t cap;
    uint64_t head, next, tail; /* numbers: oldest kept, next to hand over, next to be given out */
    uint64_t loaded;           /* the ring holds head up to here; without a spool that is tail */
    struct spool *spool;       /* owned; or NULL */
    bool owes_mark;     /* something was acknowledged that the disk doesn't know; the worker was told */
    bool replays;       /* numbers are given out again; nothing is handed over */
    bool is_muted;      /* and nothing is taken */
    uint64_t keep_from; /* of the chunks on disk, those below can go */
    uint32_t live;      /* entries of the ring not done */
    size_t live_bytes;
    uint64_t calls;   /* sent and status so far: tells whether BUSY is still true */
    bool is_blocked;  /* the port said BUSY and has not called since */
    bool holds_app;   /* full: the app waits for room */
    bool wants_empty; /* retiring or shutting down: wake when nothing is live */
    int retries;
    int64_t retry_at_us; /* not before; 0: at once */
    uint32_t most_messages;
    size_t most_bytes;

    void (*wake)(void *worker, struct outbox *b); /* any thread, no lock held */
    void *worker;
    /* the worker's, under its lock */
    struct outbox *next_poked;
    bool is_poked;
    void *hosted; /* the app it serves, NULL: it retires; worker only */
    struct outbox *next_retiring;
    int64_t retire_at_us;
    struct hush hush; /* worker only */
    int state;        /* as the port told last, -1: never; port's thread */
};

/* ERR_* with e filled when the port refuses; *out then untouched. Takes spool (which may be NULL), also then.
 */
int outbox_open(struct outbox **out, const struct bind_sink *sink, struct spool *spool, const char *app,
                const char *stream, uint32_t most_messages, size_t most_bytes,
                void (*wake)(void *, struct outbox *), void *worker, struct err *e);
/* Closes the port first. What is left counts as lost. */
void outbox_close(struct outbox *b);
void outbox_keep(struct outbox *b, bool (*keep)(struct outbox *b, const struct message *m, const char *why));
/* Copies m. 0; or ERR_INVALID when it tells at once that m can't be sent. */
int outbox_put(struct outbox *b, const struct message *m);
/* Hands over what waits until the port is busy; lets done entries go. */
void outbox_flush(struct outbox *b);
void outbox_bound(struct outbox *b, size_t most_bytes); /* of what waits in memory, from now on */
/* Adds what waits, with a spool on disk too; bytes: those in memory. */
void outbox_count(struct outbox *b, uint64_t *messages, uint64_t *bytes);
/* Full: the app must wait; wake will come when there is room. */
bool outbox_holds(struct outbox *b);
bool outbox_is_empty(struct outbox *b);       /* nothing live; wake will come when that becomes true */
int64_t outbox_retry_at_us(struct outbox *b); /* INT64_MAX: none is due */

/* With a spool, on the worker. Is there something for the next transaction? acks alone can wait a little. */
bool outbox_is_dirty(struct outbox *b, bool *acks_alone);
/* Puts it into batch; what was acknowledged alone if only_acks (then it is no promise, and may go into a
 * store at its bound). */
void outbox_collect(struct outbox *b, struct store_batch *batch, bool only_acks);
void outbox_committed(struct outbox *b); /* what was collected is on disk: it may be handed over */
/* A replay begins with the number that the next message had then, and ends. false: the numbers given out are
 * not those of before. */
void outbox_replay(struct outbox *b, uint64_t tail);
bool outbox_replayed(struct outbox *b);
/* In outbox_replay's place, when the state is not the one of then (mend.h): which message was which cannot be
 * told, so none is taken. All that there were are on the disk. */
void outbox_mute(struct outbox *b);

#endif
