/* records.h - how what a table holds stands in a checkpoint (engine/data/state.h). Each thing it holds is one
 * record. Those that came or changed since the last checkpoint are written together, as new pieces; where
 * they stood before they are dead, and a piece of another group, under the same number, tells which of a
 * piece's records are. A piece without live records is dropped; one with few of them gives them to the next
 * one, and so do small pieces when there are many.
 *
 * Laws: (1) what a checkpoint writes is bounded by what changed: the records themselves, a bit for each of
 * the pieces that they were in, and as many again (and RECORDS_MOVED) that move; (2) records come back in no
 * order: the owner writes what tells it.
 *
 * Nothing is followed before the first checkpoint: *s is NULL until then, and an app that keeps no state pays
 * nothing. The functions that tell of changes take NULL. On the worker only. */
#ifndef WEIR_RUN_RECORDS_H
#define WEIR_RUN_RECORDS_H

#include "engine/data/state.h"

/* Part of every thing; the set's own. Undefined while nothing is followed. */
struct record {
    uint32_t where;
};
struct records;

enum {
    RECORDS_PIECE = 1024,    /* records of a piece at most */
    RECORDS_SMALL = 64,      /* a piece of fewer is small */
    RECORDS_SMALL_MOST = 32, /* so many small pieces are made one */
    RECORDS_MOVED = 4096,
};

struct records_owner {
    void *user;
    /* Calls visit for everything that is held. */
    void (*each)(void *user, void (*visit)(void *to, struct record *r), void *to);
    /* before: what was written just before it in the same piece, or NULL. */
    void (*write)(void *user, struct writer *w, const struct record *r, const struct record *before);
    /* write comes soon: as segments.h has it. May be NULL. */
    void (*near)(void *user, const struct record *r, int step);
    /* The next one, made new; NULL: what stands there is none, and nothing is left of it. */
    struct record *(*read)(void *user, struct reader *r, const struct record *before);
    /* It is held, under this name: names rise from call to call. */
    void (*take)(void *user, struct record *r, uint64_t name);
    void (*drop)(void *user, struct record *r); /* what was read was dead */
};

/* All of it in w when w->state is NULL. */
void records_save(struct records **s, struct writer *w, const struct records_owner *owner);
/* ERR_STATE: some were taken, all others dropped. */
int records_load(struct records **s, struct reader *r, const struct records_owner *owner);
/* Of one that was saved just now, with w->state: what take is going to call it. */
uint64_t records_name(const struct records *s, const struct record *r);
void records_free(struct records *s); /* NULL is fine; what is saved stays */

void records_add(struct records *s, struct record *r);
void records_change_slow(struct records *s, struct record *r);
void records_remove(struct records *s, struct record *r);
static inline void records_new(struct records *s, struct record *r)
{
    if (s)
        records_add(s, r);
}
static inline void records_change(struct records *s, struct record *r)
{
    if (s)
        records_change_slow(s, r);
}
static inline void records_gone(struct records *s, struct record *r)
{
    if (s)
        records_remove(s, r);
}

#endif
