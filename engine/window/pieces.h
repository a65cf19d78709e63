/* pieces.h - how what a window holds stands in a checkpoint (engine/data/state.h): entries come at the back
 * and leave at the front, each has a number that never comes again, and those that came since the last
 * checkpoint are written as a piece, once.
 *
 * Its owner (queue, kept) says how an entry is written and read; an entry may lean on the one before it in
 * its piece. */
#ifndef WEIR_WINDOW_PIECES_H
#define WEIR_WINDOW_PIECES_H

#include "engine/data/state.h"

enum { PIECES_INLINE = 16 }; /* so few entries stand in the operator's part instead */

struct pieces;
struct pieces_owner {
    void *user;
    void (*write)(void *user, struct writer *w, uint32_t i,
                  bool begins); /* the i-th from the front; begins: the first of its piece */
    /* The next entry; is_held: it goes to the back, else it had left before the checkpoint and is only read.
     * False: it can't be one. */
    bool (*read)(void *user, struct reader *r, bool begins, bool is_held);
    void (*end)(void *user); /* a piece is read to its end. May be NULL */
};

/* In a checkpoint, w->state not NULL. Entries taken .. taken + count are held. *p is made when it is NULL. */
void pieces_save(struct pieces **p, struct writer *w, uint64_t taken, uint32_t count,
                 const struct pieces_owner *owner);
/* *taken is set before the first read. ERR_STATE. */
int pieces_load(struct pieces **p, struct reader *r, uint64_t *taken, const struct pieces_owner *owner);
/* What is saved is worth nothing: entries came or went elsewhere than at the ends. NULL is fine. */
void pieces_forget(struct pieces *p);
/* The owner is empty or gone. */
void pieces_end(struct pieces **p);

#endif
