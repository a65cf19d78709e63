/* repeats.h - messages of one source that may come again: those that were taken, newest last, as the far side names them.
 *
 * A far side that keeps a session (MQTT, clean.session='false') sends again, at the beginning of the next connection and in the old order, what it
 * has no acknowledgement for; whether ours arrived is never known. Law: a message is a repeat when it stands among the remembered ones
 * behind the last repeat of this session, and no message that is none came before it in the session. What is older than REPEATS_MOST messages was
 * acknowledged: brokers hold fewer in flight (thousands have been seen), and packet ids come round after 65,535, so remembering more
 * would take a new message for an old one.
 *
 * Remembered again after a restart, from the checkpoint and the journal. On the worker. */
#ifndef WEIR_AGENT_REPEATS_H
#define WEIR_AGENT_REPEATS_H

#include "engine/data/codec.h"
#include "ports/port.h"

enum { REPEATS_MOST = 16384 };

struct repeats {
    struct repeat {
        uint32_t hash; /* of its properties and bytes */
        uint32_t id;
    } * ring; /* owned; place n % cap holds the n-th */
    uint64_t cap;
    uint64_t taken; /* so many were added; the last REPEATS_MOST are there */
    uint64_t scan;  /* where the next repeat may stand */
    uint32_t session;
    bool is_open; /* messages of this session may still be repeats */
};

void repeats_fini(struct repeats *r);
/* Was it taken before? If not, it is remembered. */
bool repeats_take(struct repeats *r, const struct port_origin *origin, uint64_t hash);
/* Remembers, from a journal. */
void repeats_add(struct repeats *r, uint32_t id, uint64_t hash);
void repeats_save(const struct repeats *r, struct writer *w);
void repeats_load(struct repeats *r, struct reader *in);

#endif
