/* spool.h - what waits for one sink, on disk: store and forward. The outbox in front of it keeps a window of
 * it in memory.
 *
 * Messages lie in chunks: what one commit brought, at most CHUNK_BYTES, under (sink, number of the first). A
 * mark tells the numbers: all below head are with the far side, all below tail were given out. Laws: (1) a
 * number is given out once in the life of a sink, so a message has the same number, and the same key for the
 * far side, however often it is sent; (2) chunk and mark are in the transaction of the turn that made them;
 * (3) a chunk goes when all in it are done; (4) numbers may be missing (dropped by policy): they count as
 * done.
 *
 * On the worker. */
#ifndef WEIR_AGENT_SPOOL_H
#define WEIR_AGENT_SPOOL_H

#include "engine/store/store.h"
#include "ports/bind.h"

/* So that two fit into a page of the store: bigger ones would get pages of their own, and those cost several
 * times their bytes. */
enum { SPOOL_CHUNK_BYTES = STORE_SMALL_BYTES, SPOOL_CHUNK_MESSAGES = 1024 };

struct spool {
    struct store *store; /* borrowed */
    uint32_t sink;
    struct bind_buffer policy; /* dedupe_field is owned */
    char *device, *app;        /* for keys; owned */
    uint64_t head, tail;       /* of the mark on disk */
    uint64_t recorded;  /* numbers below were on disk when it was opened: what a replay gives out again */
    uint64_t committed; /* numbers below are on disk */
    uint64_t bytes;     /* of messages not done */
    uint64_t dropped;
    bool has_loaded;
    bool is_dirty; /* the mark is older than the truth */
    /* being filled */
    struct store_batch closed; /* chunks that are full */
    struct buf chunk;
    uint64_t chunk_first;
    uint32_t chunk_count;
};

struct spool_item {
    uint64_t number;
    int64_t at_ms; /* when its chunk began */
    char *bytes;   /* owned by who got it: the message, NUL, NAME NUL VALUE NUL of each dynamic option */
    uint32_t len, size;
    uint8_t dynamic_count;
};

/* Where the numbers of a store begin whose earlier ones are not known (it was damaged): above all that were
 * given out, as long as no sink has more than 2^18 in a millisecond and the clock isn't set back. */
uint64_t spool_far_above(void);
/* Numbers of sinks that the store doesn't know begin there from now on. */
void spool_put_begin(struct store_batch *b, uint64_t number);
/* Finds the sink's number by app, stream, type and its place among those, or gives it one (written with the
 * next collect). ERR_IO. */
int spool_open(struct spool **out, struct store *store, uint32_t app, const char *stream, const char *type,
               int place, const struct bind_buffer *policy, const char *device, const char *app_name,
               struct err *e);
void spool_close(struct spool *s);
/* Begins a new chunk with the next number: who keeps a window of messages in memory goes on from there. */
void spool_cut(struct spool *s);
void spool_add(struct spool *s, uint64_t number, int64_t at_ms, const char *bytes, uint32_t len,
               uint32_t size, uint8_t dynamic_count);
/* What happened since the last collect: chunks, the mark, drops below keep_from (the first number of a chunk
 * that has some not done). */
void spool_collect(struct spool *s, struct store_batch *b, uint64_t head, uint64_t tail, uint64_t keep_from);
/* The chunk at or behind from, if it is on disk: *first is its first number; gives its items of numbers >=
 * from, oldest first. Number of items; ERR_NOT_FOUND, ERR_IO, ERR_STATE (damaged: it is left out). */
int spool_load(struct spool *s, uint64_t from, uint64_t *first, struct spool_item **items);
/* The items of numbers >= from in a chunk that begins with number first, into *out (NULL before; each one's
 * bytes and the array are the caller's). Their number; ERR_STATE: damaged. */
int spool_items(const struct store_item *chunk, uint64_t first, uint64_t from, struct spool_item **out);
/* "DEVICE/APP/STREAM/NUMBER" */
void spool_key(const struct spool *s, const char *stream, uint64_t number, struct buf *out);

#endif
