/* inbox.h - messages that arrived for one app and wait for its turn: two halves, one being filled by the
 * ports' threads, one being worked off by the worker; they change places when the worker's half is empty, so
 * a message costs one copy and the lock is held for that copy only.
 *
 * The inbox has no lock of its own: what the ports' threads and the worker share (filling, waiting_*) is
 * under the worker's. */
#ifndef WEIR_AGENT_INBOX_H
#define WEIR_AGENT_INBOX_H

#include "ports/port.h"

/* One message as it lies in a half. Its properties' texts and its bytes stand behind it. */
struct arrival {
    void *source;     /* the agent's source */
    uint64_t receipt; /* of the port, for settle */
    int64_t at_ms;    /* wall clock when it came */
    uint32_t size;    /* of the whole record, a multiple of 8 */
    uint32_t len;     /* bytes of the message */
    uint32_t property_count;
    bool too_big; /* longer than LIMIT_MESSAGE_BYTES: its bytes were not kept, len is 0 */
};
struct inbox_half {
    char *bytes;         /* owned */
    size_t len, cap, at; /* at: worked off up to here */
    uint32_t count;      /* messages in it that are not worked off */
};
struct inbox {
    struct inbox_half filling, draining;
    size_t most_bytes;
    uint32_t most_messages;
    uint32_t waiting_messages; /* in both halves, not settled yet */
    size_t waiting_bytes;
};

void inbox_init(struct inbox *b, uint32_t most_messages, size_t most_bytes);
void inbox_fini(struct inbox *b);
/* ERR_BUSY: full. An empty inbox takes any message. Ports' threads, under the lock. */
int inbox_put(struct inbox *b, const struct arrival *head, const char *bytes,
              const struct property *properties);
/* The worker took the half it had to its end; under the lock. False: nothing waits. */
bool inbox_swap(struct inbox *b);
/* The next arrival of the worker's half, or NULL; moves on. It stays where it is until inbox_swap. */
struct arrival *inbox_next(struct inbox *b);
struct arrival *inbox_peek(const struct inbox *b); /* the same, and stays before it */
/* Messages and bytes that were settled leave the bound; under the lock. */
void inbox_settled(struct inbox *b, uint32_t messages, size_t bytes);
bool inbox_has_room(const struct inbox *b); /* half of it is free: sources may read again; under the lock */

/* The message's bytes, NUL-terminated behind len. */
const char *arrival_bytes(const struct arrival *a);
/* Fills properties (room for a->property_count). */
void arrival_properties(const struct arrival *a, struct property *properties);

#endif
