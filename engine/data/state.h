/* state.h - the contract of a checkpoint: what an app keeps, how it grows, how it is loaded again.
 *
 * The state of an app is a set of PARTS under short names, and PIECES that belong to parts.
 *
 *   part    one run of bytes under a name: "head", "window W", "query Q 2 window.time", "table T", "partition
 *           P", "timers" ... Its operator makes all of it at each checkpoint; what is written of it is what
 *           changed: nothing when it is as it was, the new chunks when it is big (chunks.h), else all.
 *   piece   bytes under (group, number): written once or replaced, dropped alone or by the range. Groups are
 *           numbers that state_group gives out, never twice in the life of an app; an operator keeps its
 *           group's number in its part.
 *
 * How each kind of operator grows
 *
 *   windows by order of coming (length, time, externalTime, the batches, delay, named windows)
 *           queue.c and kept.c: the rows that came since the last checkpoint are pieces, numbered by their
 *           first row and dropped when all their rows have left; few rows stand in the part. Where rows come
 *           or leave elsewhere than at the ends (sort, late rows) the pieces are written anew.
 *   windows by key (unique, deduplicate; session, frequent, lossyFrequent)
 *           keyed.c, java_map.c: segments (segments.h), an entry a key.
 *   moments that windows asked for
 *           dues.c: as the rows of windows by order of coming; equal ones together.
 *   select's groups
 *           segments, an entry a group; touched when one of its events comes or leaves.
 *   partitions
 *           segments, an entry a key with all its copies hold; big queues inside have groups of their own.
 *   aggregations
 *           open buckets: segments, an entry a group. Closed ones are rows of their tables.
 *   tables  records.h: rows that changed since the last checkpoint are written together, as new pieces; a
 *           second group tells which rows of a piece are dead. What is left of a piece of few rows moves to
 *           the next one. Tables in the store are no part of a checkpoint.
 *   patterns
 *           many partial matches: segments, an entry each with where it waits; the timers of absent elements
 *           are pieces. Few, or with counted elements (their chains grow): whole in their part, in chunks;
 *           what is said of a partial match leans on its neighbours only.
 *   rate limits, snapshots, kslack, expression windows' own numbers, timers, script globals
 *           whole in their parts, in chunks.
 *   aggregators over values (distinctCount, unionSet, min, max, stdDev)
 *           whole in the entry of their group: without 'group by' in the part, in chunks; a group with
 *           many values is written whole when one of them changes.
 *
 * For an operator that does nothing special, save and load of op.h are all there is: what they write is its
 * part. One that wants pieces asks the writer: w->state is NULL when the whole state is wanted as one run of
 * bytes (then all must be written to w), else the checkpoint under way; likewise r->state in load.
 *
 * Laws
 * (1) A checkpoint that was made will be written, sooner or later, or the process dies: bookkeeping may
 *     take it as written.
 * (2) state_put and state_drop may be called between checkpoints too (a row of a table): they are kept
 *     until the next one.
 * (3) load sees exactly what the last written checkpoint left: the part, and the pieces of its groups in
 *     order of their numbers.
 * (4) What is written is bounded by what changed. The work is too, save for parts that are made whole;
 *     the pause is at most 10 ms for 100,000 rows held.
 * (5) Each part and piece begins with a checksum; a part also with its format number and the operator's
 *     name. What doesn't match is refused, with words that name it, before anything of it is taken over. */
#ifndef WEIR_DATA_STATE_H
#define WEIR_DATA_STATE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/data/codec.h"

/* Where a checkpoint goes, and where it comes from: the caller's (the agent: its store). Keys are up to 255
 * bytes. */
struct state_home {
    void *user;
    void (*put)(void *user, const void *key, size_t key_len, const void *bytes, size_t len);
    void (*drop)(void *user, const void *from, size_t from_len, const void *to,
                 size_t to_len); /* from <= key < to */
    /* ERR_NOT_FOUND. bytes are lent until the next call. */
    int (*get)(void *user, const void *key, size_t key_len, const void **bytes, size_t *len);
    /* The first key that begins with prefix and is above `above` (NULL: the first at all). Lent until the
     * next call. */
    int (*next)(void *user, const void *prefix, size_t prefix_len, const void *above, size_t above_len,
                const void **key, size_t *key_len, const void **bytes, size_t *len);
};

/* The pieces of one app, and what is known of its parts: made by app_new, lives as long as the app. */
struct state;
struct state *state_new(void);
void state_free(struct state *s);

/* A group's number; never 0. */
uint64_t state_group(struct state *s);
/* Both copy. Numbers of a group rise or are reused as its owner likes. */
void state_put(struct state *s, uint64_t group, uint64_t number, const void *bytes, size_t len);
void state_drop(struct state *s, uint64_t group, uint64_t from, uint64_t to); /* from <= number < to */
void state_end(struct state *s, uint64_t group); /* its owner is gone: all its pieces */
/* In load: the pieces of a group by rising numbers. *number is the one before (any: start with is_first).
 * False: no more. A piece that is damaged fails the whole load: state_failed. */
struct state_piece {
    uint64_t number;
    struct reader reader; /* over bytes lent until the next call */
};
bool state_next(struct state *s, uint64_t group, bool is_first, struct state_piece *piece);
/* One piece, as state_next gives it. False: it isn't there, or is damaged. */
bool state_get(struct state *s, uint64_t group, uint64_t number, struct reader *out);
bool state_failed(const struct state *s);
const char *state_words(const struct state *s); /* why; borrowed */

/* app.c: a checkpoint is state_begin, one state_part for each part, state_finish. */
void state_begin(struct state *s, const struct state_home *home);
void state_part(struct state *s, const char *name, const struct buf *bytes);
void state_finish(struct state *s);
/* A restore is state_open, state_read for each part, state_shut. */
void state_open(struct state *s, const struct state_home *home);
/* ERR_NOT_FOUND: there is no such part. ERR_STATE: damaged. */
int state_read(struct state *s, const char *name, struct reader *out, struct err *e);
/* Between state_open and state_shut, of a state that a salvage left incomplete: groups from .. to may lack a
 * piece, which need not show in what is there. Asked for one of them, state_next and state_get fail. */
void state_suspect(struct state *s, uint64_t from, uint64_t to);
void state_forgive(struct state *s); /* forgets a failure */
/* Before state_shut: the parts that are there and that nobody has read. */
void state_each_unread(struct state *s, void (*fn)(void *user, const char *name), void *user);
void state_shut(struct state *s);
/* Bytes given to the home since state_begin. */
uint64_t state_written(const struct state *s);

#endif
