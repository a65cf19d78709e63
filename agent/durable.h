/* durable.h - an app whose state survives (@app:durable, or the setting "durable"): its journal, its
 * checkpoints, its acknowledgements that wait for the disk.
 *
 * Laws
 * (1) Everything that changes the app is noted before it happens: a message with its source and time, the
 *     passing of time that fires a timer, a step of the computer's clock (step.h), a message of an inMemory topic, an on-demand query that changes
 *     something. So what is on disk - checkpoint and notes behind it - gives the same state and the same
 *     outputs again: the app is a function of them, chance included (its seed is state).
 * (2) Notes, outputs, marks of one turn are one transaction; receipts are settled behind it and not
 *     before.
 * (3) A checkpoint and the end of the notes before it are one transaction. It is due when the notes since
 *     the last one are more bytes (before they are packed) than the setting "checkpoint.bytes", and than that
 *     one had written, unless it had written little more than its own notes were, when waiting would make
 *     the next one bigger and save nothing. So checkpoints write about as much as came at most, however big
 *     the state is.
 * (4) In a replay nothing leaves: outputs that were recorded are counted only, log and inMemory sinks are
 *     quiet.
 *
 * On the worker. */
#ifndef WEIR_AGENT_DURABLE_H
#define WEIR_AGENT_DURABLE_H

#include "agent/inbox.h"
#include "agent/keeper.h"
#include "engine/expr/world.h"
#include "ports/bind.h"

struct hosted;
struct source;
struct durable {
    struct hosted *hosted;
    struct keeper keeper;
    uint32_t app;              /* its number in the store */
    uint64_t next;             /* of the journal's records: the next one */
    struct writer notes;       /* the record being filled */
    struct store_batch closed; /* records that are full */
    uint32_t note_count;
    struct reader *replayed;                  /* the record that is being worked off; NULL: none */
    int64_t last_ms;                          /* of the record's last note */
    size_t last_texts, last_texts_len;        /* where its last properties stand in notes; 0: none yet */
    uint64_t journal_bytes, checkpoint_bytes; /* since the last checkpoint; that one's */
    uint64_t covered_bytes;                   /* of notes that the last checkpoint ended; 0: not known */
    uint64_t checkpoint_most;                 /* the setting */
    bool has_checkpoint;
    bool wants_checkpoint;
    bool is_old;     /* the checkpoint and the journal are of an earlier format */
    int64_t now_ms;  /* the host's time at the checkpoint, for the start of the resumed app */
    struct buf mark; /* the checkpoint's, as read */
    struct buf text; /* of the app that the checkpoint and the journal are of */
    bool has_text;   /* text is this app's, and in the store */
    bool went_back;  /* to the state before a change: previous.h */
    struct buf lost; /* why something of it may be lost (mend.h); empty: nothing is */
    struct receipt {
        struct source *source;
        uint64_t receipt;
        enum outcome outcome;
    } * receipts; /* wait for the commit */
    uint32_t receipt_count, receipt_cap;
};

/* Does the app's text, or else the configuration, want it? */
bool durable_wanted(const struct plan *plan, bool standard);
/* The number of an app in a store: of its name, given at first, for good. ERR_IO. */
int durable_number(struct store *store, const char *app, uint32_t *number, struct err *e);
/* Finds the app in the store or gives it a number. ERR_IO, ERR_STATE. */
int durable_open(struct durable **out, struct hosted *h, struct store *store, uint64_t checkpoint_most,
                 struct err *e);
void durable_close(struct durable *d);
/* What is saved is of another text: the journal can be worked off by that one only. */
bool durable_is_of_another(const struct durable *d);
/* Loads the checkpoint into the hosted app, which was started with resume at d->now_ms, and works off the
 * journal. Of another text (whose journal must be empty then) what didn't change is taken over; the log tells
 * what begins anew. */
int durable_restore(struct durable *d, struct err *e);

/* Law 1. time_ms: where the app's clock will stand. */
void durable_note_message(struct durable *d, int source, const struct arrival *a,
                          const struct port_origin *origin, int64_t time_ms);
void durable_note_advance(struct durable *d, int64_t time_ms);
void durable_note_skip(struct durable *d, int64_t time_ms); /* app_skip to time_ms */
void durable_note_shift(struct durable *d, int64_t by_ms);  /* app_shift */
void durable_note_topic(struct durable *d, int source, const struct payload *p, int64_t time_ms);
void durable_note_query(struct durable *d, const char *text, size_t len, int64_t time_ms);
void durable_owe(struct durable *d, struct source *s, uint64_t receipt, enum outcome outcome);
/* Identity of a message for repeats.h. */
uint64_t durable_hash(const struct arrival *a);

/* An entry of the error store goes through the app again: errors_app.h. */
void durable_note_entry(struct durable *d, const void *bytes, size_t len, int64_t time_ms);
/* What the app was answered by the world outside (engine/expr/world.h), behind the note of what made it ask. In a
 * replay durable_answered gives it again, and nothing is asked or done; false: there is none. */
void durable_note_answer(struct durable *d, enum world_answer rc, const struct buf *bytes);
bool durable_answered(struct durable *d, enum world_answer *rc, struct buf *bytes);
bool durable_is_dirty(const struct durable *d);
void durable_collect(struct durable *d, struct store_batch *batch);
void durable_committed(struct durable *d);

#endif
