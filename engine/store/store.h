/* store.h - ordered bytes under a transaction: all that must survive the agent. Two backends behind one door:
 * lmdb.c (a folder on disk) and mem.c (tests, and `weir test --restart-every`). It knows keys and bytes, not
 * apps.
 *
 * A store has a fixed number of shelves (sub-databases), shared by all apps: keys begin with the app's
 * number, so a commit touches one path of pages a shelf, not one an app. Keys are ordered as memcmp orders
 * them; numbers in keys are big-endian (key_u32, key_u64).
 *
 * Laws
 * (1) Everything is written through a batch, and a batch is written whole or not at all: store_apply
 *     returns 0 when all of it is on the disk (one fsync), and a batch that failed is unchanged, so that
 *     the same batch may be applied again. Applying twice is harmless.
 * (2) Order within a batch is the order of the calls: a put behind a drop of the same key stands.
 * (3) What store_get and store_next lend is valid until store_look_end. One look or apply at a time in
 *     the whole process: the store has a lock. No look is open for longer than it takes to copy what it
 *     found; no call of a port or an app happens inside one.
 * (4) The bound (most_bytes) counts the file. A batch that would pass it fails with ERR_FULL; one marked
 *     relieves (it drops more than it puts: acknowledged outputs, a checkpoint) may use a tenth beyond,
 *     for a full store can't even forget without room.
 * (5) Failures of the world (ERR_IO, ERR_FULL) leave the store as it was after the last batch, and are
 *     worth trying again: the disk may come back. ERR_STATE: these are not our bytes, or another
 *     version's; it never mends itself.
 * (6) On disk every record carries a checksum over its shelf, key and bytes; store_get and store_next
 *     answer ERR_STATE for one that is wrong. What else a disk can do to the file, file.h sees; the agent
 *     asks it before it opens a store.
 *
 * Any thread. Nothing here reads a clock. */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_shelf {
    STORE_META,    /* names to numbers, marks */
    STORE_JOURNAL, /* what came since the checkpoint */
    STORE_OUTBOX,  /* what waits for far sides */
    STORE_STATE,   /* the checkpoint: engine/data/state.h */
    STORE_ERRORS,  /* on.error='store' */
    STORE_TABLES,  /* @store(type='lmdb'): engine/run/table_stored.c */
    STORE_SHELVES
};
/* Values up to STORE_SMALL_BYTES (with keys up to 16) share pages; what grows by small steps is best cut so.
 */
enum { STORE_KEY_MOST = 480, STORE_SMALL_BYTES = 2000, STORE_FORMAT = 2 };

/* "meta", "journal" ... */
const char *store_shelf_name(enum store_shelf shelf);

struct store;
struct store_options {
    const char *folder; /* exists; NULL: in memory */
    uint64_t most_bytes;
    bool reads_only; /* inspect: nothing is made or changed */
    /* A file of so many bytes, FOLDER/ballast: when the disk is full it goes, so that a batch that relieves
     * is written all the same; it comes back when the disk does. Until then other batches leave as many bytes
     * free in the store's own file. 0: none */
    uint64_t ballast_bytes;
};
/* What it did since it was opened. */
struct store_counts {
    uint64_t commits, puts, drops;
    uint64_t put_bytes;  /* keys and values as given */
    uint64_t page_bytes; /* what lmdb wrote for them, by its pages; memory: put_bytes */
    uint64_t used_bytes; /* of the file: pages in use; memory: what is in it */
};

/* ERR_IO, ERR_STATE (words in e). */
int store_open(struct store **out, const struct store_options *options, struct err *e);
void store_close(struct store *s);
void store_count(struct store *s, struct store_counts *out);
/* What the records of an owner take on a shelf: those whose keys begin with its number (key_u32), with what a
 * page needs besides; small ones as they are, large ones in whole pages. Free pages and half full ones come
 * on top. store_own begins to count, by one walk over the keys; before it, and in memory, it is 0. Exact
 * behind each store_apply. ERR_IO, ERR_STATE. */
int store_own(struct store *s, struct err *e);
uint64_t store_used(struct store *s, enum store_shelf shelf, uint32_t owner);
/* A copy without free pages, as FOLDER/data.mdb. lmdb only. */
int store_compact(struct store *s, const char *folder, struct err *e);

/* ---- writing ---- */
struct store_batch {
    struct buf ops; /* see batch.c; the caller's to init and fini through the functions below */
    uint32_t count;
    bool relieves;
};
void batch_open(struct store_batch *b);
void batch_close(struct store_batch *b);
void batch_clear(struct store_batch *b);
void batch_put(struct store_batch *b, enum store_shelf shelf, const void *key, size_t key_len,
               const void *bytes, size_t len);
/* All keys from <= key < to. */
void batch_drop_range(struct store_batch *b, enum store_shelf shelf, const void *from, size_t from_len,
                      const void *to, size_t to_len);
void batch_drop(struct store_batch *b, enum store_shelf shelf, const void *key, size_t key_len);
/* The operations of `from` behind those of b. */
void batch_join(struct store_batch *b, const struct store_batch *from);
/* The operations of `from` in front of those of b; it is empty then. Many of them cost no more than few. */
void batch_lead(struct store_batch *b, struct store_batch *from);
/* 0, ERR_FULL, ERR_IO. */
int store_apply(struct store *s, const struct store_batch *b, struct err *e);

/* ---- reading ---- */
struct store_item {
    const void *key, *bytes; /* the store's: law 3 */
    size_t key_len, len;
};
int store_look(struct store *s, struct err *e); /* begins; ERR_IO: no store_look_end then */
void store_look_end(struct store *s);
/* Of the last transaction that this look sees: lmdb's number; 0: in memory. */
uint64_t store_look_number(struct store *s);
/* ERR_NOT_FOUND, ERR_IO, ERR_STATE. */
int store_get(struct store *s, enum store_shelf shelf, const void *key, size_t key_len,
              struct store_item *out);
/* The first item at or behind key (above: strictly behind) whose key begins with the first prefix_len bytes
 * of key. ERR_NOT_FOUND, ERR_IO, ERR_STATE. */
int store_next(struct store *s, enum store_shelf shelf, const void *key, size_t key_len, size_t prefix_len,
               bool above, struct store_item *out);

/* ---- keys: fields one after another, in a caller's array of STORE_KEY_MOST bytes ---- */
struct key {
    unsigned char bytes[STORE_KEY_MOST];
    size_t len;
};
void key_u8(struct key *k, uint8_t v);
void key_u32(struct key *k, uint32_t v);
void key_u64(struct key *k, uint64_t v);
/* Cut to what fits: names that long are told apart by a hash of the whole at their end. */
void key_text(struct key *k, const char *text);
uint64_t key_get_u64(const void *bytes, size_t at);

#endif
