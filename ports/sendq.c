/* sendq.c - a sink's mailbox. */
#include "ports/sendq.h"
#include "engine/base/err.h"
#include <string.h>

enum { SENDQ_KEEP_BYTES = 1024 * 1024 }; /* a drained buffer larger than this is given back */

struct head { /* before each message in the buffer; then place, its NUL, bytes */
    uint64_t number;
    size_t len;
    uint32_t place_len, flags;
};

void sendq_init(struct sendq *q)
{
    pthread_mutex_init(&q->lock, NULL);
    buf_init(&q->fill, SENDQ_BYTES);
    buf_init(&q->drain, SENDQ_BYTES);
}

void sendq_fini(struct sendq *q)
{
    buf_fini(&q->fill);
    buf_fini(&q->drain);
    pthread_mutex_destroy(&q->lock);
}

int sendq_put(struct sendq *q, uint64_t number, unsigned flags, const char *place, const char *bytes,
              size_t len)
{
    struct head h = {.number = number, .len = len, .place_len = (uint32_t)strlen(place), .flags = flags};
    if (atomic_load(&q->undone) >= SENDQ_MESSAGES)
        return ERR_BUSY;
    int rc = ERR_BUSY;
    pthread_mutex_lock(&q->lock);
    size_t need = sizeof h + h.place_len + 1 + len;
    if (q->accepting && need < SENDQ_BYTES - q->fill.len - 1) {
        char *to = buf_reserve(&q->fill, need);
        if (to) {
            memcpy(to, &h, sizeof h);
            memcpy(to + sizeof h, place, h.place_len + 1);
            if (len)
                memcpy(to + sizeof h + h.place_len + 1, bytes, len);
            q->fill.len += need;
            atomic_fetch_add(&q->undone, 1);
            atomic_fetch_add(&q->unread, 1);
            rc = 0;
        }
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

void sendq_accept(struct sendq *q, bool accepting)
{
    pthread_mutex_lock(&q->lock);
    q->accepting = accepting;
    pthread_mutex_unlock(&q->lock);
}

bool sendq_next(struct sendq *q, struct sendq_item *item)
{
    if (q->drain_at == q->drain.len) {
        if (sendq_is_empty(q))
            return false;
        if (q->drain.cap > SENDQ_KEEP_BYTES) {
            buf_fini(&q->drain);
            buf_init(&q->drain, SENDQ_BYTES);
        }
        buf_clear(&q->drain);
        q->drain_at = 0;
        pthread_mutex_lock(&q->lock);
        struct buf full = q->fill;
        q->fill = q->drain;
        q->drain = full;
        pthread_mutex_unlock(&q->lock);
        if (q->drain.len == 0)
            return false;
    }
    struct head h;
    const char *from = q->drain.bytes + q->drain_at;
    memcpy(&h, from, sizeof h);
    from += sizeof h;
    *item = (struct sendq_item){
        .number = h.number, .flags = h.flags, .place = from, .bytes = from + h.place_len + 1, .len = h.len};
    q->drain_at += sizeof h + h.place_len + 1 + h.len;
    atomic_fetch_sub(&q->unread, 1);
    return true;
}

void sendq_done(struct sendq *q)
{
    atomic_fetch_sub(&q->undone, 1);
}
