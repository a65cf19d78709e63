/* sendq.h - a sink's mailbox: messages copied by the worker, taken in order by the port's thread.
 *
 * Two byte buffers that change places: one is filled under the lock, the other is read without it, so a
 * message costs one copy and no allocation. Bounded twice: messages accepted and not yet done, and bytes
 * waiting. */
#ifndef WEIR_PORTS_SENDQ_H
#define WEIR_PORTS_SENDQ_H

#include "engine/base/buf.h"
#include <pthread.h>
#include <stdatomic.h>

enum { SENDQ_MESSAGES = 1000, SENDQ_BYTES = 32 * 1024 * 1024 };

struct sendq {
    pthread_mutex_t lock;
    struct buf fill;   /* under lock */
    struct buf drain;  /* the port's thread's */
    size_t drain_at;   /* the port's thread's */
    bool accepting;    /* under lock */
    atomic_int unread; /* put and not yet taken by sendq_next */
    atomic_int undone; /* put and not yet done */
};
struct sendq_item { /* valid until the next sendq_next */
    uint64_t number;
    unsigned flags;
    const char *place, *bytes; /* place: topic or path, NUL-terminated */
    size_t len;
};

void sendq_init(struct sendq *q);
void sendq_fini(struct sendq *q);
/* Worker. 0, or ERR_BUSY: full, or not accepting. */
int sendq_put(struct sendq *q, uint64_t number, unsigned flags, const char *place, const char *bytes,
              size_t len);
/* Port's thread. */
void sendq_accept(struct sendq *q, bool accepting);
bool sendq_next(struct sendq *q, struct sendq_item *item);
void sendq_done(struct sendq *q); /* an item is with the far side or failed: call it before host->sent */
static inline bool sendq_is_empty(const struct sendq *q)
{
    return atomic_load(&q->unread) == 0;
}

#endif
