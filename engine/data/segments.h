/* segments.h - how things that change where they are stand in a checkpoint (engine/data/state.h): groups,
 * keys, rows by key. Log-structured: entries that changed since the last checkpoint are written one after
 * another into new segments, a piece each; an older version of them, in the segment it stands in, is then
 * worth nothing. So what is written is what changed, however scattered it lies, and a segment costs one key
 * of the store for thousands of entries.
 *
 * An entry is known by its place: 0 .. count, each place with one entry. When one ends its owner moves the
 * last one into its place and touches that, or lets the place stand empty (an entry of no bytes).
 *
 * Laws
 * (1) The newest version of a place is the one in the segment with the highest number; a segment has a
 *     place once.
 * (2) A segment without a newest version is dropped.
 * (3) When the dead bytes are more than the living, the emptiest segments are cleaned: what lives in them
 *     is written again, and they are dropped; in one checkpoint about as many bytes as changed, at most.
 *     So at most double is written, and the disk holds at most double.
 * (4) What is done for a checkpoint is bounded by what changed, save one look at each 64 places, and at
 *     each place when segments are cleaned.
 * (5) Few entries (SEGMENTS_INLINE) stand in their owner's part or entry instead, and cost no more than a
 *     NULL pointer.
 * (6) What was touched may be written ahead of the checkpoint, a share of the places at a time (w->ahead): the
 *     checkpoint then writes what was touched since. The segment being filled stays open from share to
 *     share; it is ended when a place that it has is to be written again, for law 1, and by the checkpoint.
 *     Until that one is on disk all that the last one left is there as it was: segments get new numbers, and
 *     drops wait (state.h).
 *
 * A place costs its owner four bytes and a bit, from the first checkpoint on. On the app's worker. */
#ifndef WEIR_DATA_SEGMENTS_H
#define WEIR_DATA_SEGMENTS_H

#include "engine/data/state.h"

/* Of a walk over all places in SHARES steps: those from .. to. */
struct share {
    uint32_t from, to;
};
enum { SHARES = 1 << 16 };

#ifdef WEIR_DEBUG
enum { SEGMENTS_INLINE = 2 }; /* so that small tests meet what big states do */
#else
enum { SEGMENTS_INLINE = 16 };
#endif

struct segments {
    uint64_t *dirty;          /* a bit a place: changed since the last checkpoint */
    uint32_t room;            /* places there are bits for */
    uint32_t *at;             /* by place: 1 + the segment in list that has the newest version; 0: none */
    uint32_t count;           /* places at the last checkpoint, or what was written ahead had */
    uint32_t before;          /* the place written last into the segment being filled */
    uint32_t filled;          /* 1 + that segment's in list; 0: none is */
    bool cleans;              /* ahead: some are being cleaned */
    struct buf open;          /* what is in that segment */
    uint64_t written, copied; /* bytes since the last checkpoint; chosen to be cleaned of them */
    struct state *state;
    uint64_t group, next; /* next: number of the next piece */
    struct segment {
        uint64_t number;
        uint32_t entries, live; /* entries 0: this one of the list is free */
        uint32_t bytes;
        bool is_cleaned; /* now */
    } * list;
    uint32_t list_count, list_cap;
};

struct segments_owner {
    void *user;
    void (*write)(void *user, struct writer *w, uint32_t place);
    /* write comes soon. Called for some places at a time, first with step 0 for all of them, then 1 and 2:
     * brings near what is at the place, what that points at, and what that points at. May be NULL. */
    void (*near)(void *user, uint32_t place, int step);
    /* All of the reader must be taken. False: it can't be one. Places come once each, in any order. */
    bool (*read)(void *user, struct reader *r, uint32_t place);
    /* Before the first read. May be NULL. False: not so many. */
    bool (*begin)(void *user, uint32_t count);
};

/* Of an entry's row. */
static inline void segments_near_row(const struct row *row, int step)
{
    if (step < 2) {
        __builtin_prefetch(row);
        return;
    }
    for (uint32_t i = 0; i < row->count; i++)
        if (row->types[i] == TYPE_STRING)
            __builtin_prefetch(row_cells(row)[i].s);
}

/* What stands at place changed; in bookkeeping of its own, for *s may be NULL. Of this app's worker. */
void segments_widen(struct segments *s, uint32_t place);
static inline void segments_touch(struct segments *s, uint32_t place)
{
    if (!s)
        return;
    if (UNLIKELY(place >= s->room))
        segments_widen(s, place);
    s->dirty[place / 64] |= UINT64_C(1) << place % 64;
}

/* Entries 0 .. count: those that were touched, or all into w when they are few or w->state is NULL. *s is
 * made when it is NULL and needed, and ended when it isn't. With w->ahead: law 6. */
void segments_save(struct segments **s, struct writer *w, uint32_t count, const struct segments_owner *owner);
/* ERR_STATE. */
int segments_load(struct segments **s, struct reader *r, const struct segments_owner *owner);
/* The owner is empty or gone: all its segments go. */
void segments_end(struct segments **s);

#endif
