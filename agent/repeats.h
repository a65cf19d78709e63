/* repeats.h - messages of one source that may come again: those that were taken, newest last, as the far side
 * names them.
 *
 * A far side that keeps a session (MQTT, clean.session='false') sends again, at the beginning of the next
 * connection and in the old order, what it has no acknowledgement for; whether ours arrived is never known.
 * Law: a message is a repeat when it stands among the remembered ones behind the last repeat of this session,
 * and no message that is none came before it in the session. What is older than REPEATS_MOST messages counts
 * as acknowledged. So many, for a broker that comes back to a long queue may put all of it in flight at once
 * (seen: 17,000), and what we acknowledge a moment before we die it may never read; no more, for packet ids
 * come round after 65,535, and a new message must not look like an old one.
 *
 * Remembered again after a restart, from the checkpoint and the journal. On the worker. */
#ifndef WEIR_AGENT_REPEATS_H
#define WEIR_AGENT_REPEATS_H

#include "engine/data/codec.h"
#include "ports/port.h"

enum { REPEATS_MOST = 60000 };

struct repeats {
    struct repeat {
        uint16_t hash; /* of its properties and bytes: for a session that began anew */
        uint16_t id;
    } * ring; /* owned; place n % cap holds the n-th */
    uint64_t cap;
    uint64_t taken; /* so many were added; the last REPEATS_MOST are there */
    uint64_t scan;  /* where the next repeat may stand */
    uint32_t session;
    uint32_t place_session; /* of the place: a file's number */
    uint64_t place;         /* all that ends up to here was taken */
    bool is_open;           /* messages of this session may still be repeats */
};

void repeats_fini(struct repeats *r);
/* Was it taken before? If not, it is remembered. */
bool repeats_take(struct repeats *r, const struct port_origin *origin, uint64_t hash);
/* Remembers, from a journal. */
void repeats_add(struct repeats *r, uint32_t id, uint64_t hash);
void repeats_add_place(struct repeats *r, uint32_t session, uint64_t place);
void repeats_save(const struct repeats *r, struct writer *w);
void repeats_load(struct repeats *r, struct reader *in);

#endif
