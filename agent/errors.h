/* errors.h - the error store (spec 10 section 6, 21 section 0, 22 section 0, 23 section 5): messages that no
 * map could read, events that failed at a stream with @OnError(action='store') or could not be sent by a sink
 * with on.error='store', until somebody has them replayed or discards them.
 *
 * An entry is one item of the store's shelf STORE_ERRORS: its number, then a checksum and its parts. It tells
 * of itself all that a list prints, names and types of the events' attributes too, so that it can be read
 * without its app.
 *
 * Laws
 * (1) Entries come and go by a batch of the caller's, so that they share the transaction of what made
 *     them or of what they did when they were replayed.
 * (2) Numbers count up over all apps, and none is given twice.
 * (3) All entries together (keys and bytes) are at most most_bytes: for a new one the oldest go, or it is
 *     refused, as was chosen; both are counted (metrics.h).
 *
 * Any thread: it has a lock, never held over a call of the store. */
#ifndef WEIR_AGENT_ERRORS_H
#define WEIR_AGENT_ERRORS_H

#include "engine/data/batch.h"
#include "engine/data/codec.h"
#include "engine/data/schema.h"
#include "engine/store/store.h"
#include "ports/port.h"

enum errors_kind { ERRORS_MAPPING, ERRORS_STREAM, ERRORS_SINK };
/* Texts and bytes are borrowed: from who fills it in, or from the bytes it was read from. */
struct errors_entry {
    uint64_t number;
    enum errors_kind kind;
    bool is_unmapped; /* ERRORS_SINK: the sink's map refused the events */
    int64_t at_ms;
    const char *app, *stream, *cause;
    const char *port;   /* type of the source or sink; "" for a stream */
    const void *events; /* as errors_write_events wrote them; NULL: none */
    size_t events_len;
    const char *payload; /* of a source's message, or what a sink's map made; NULL: none */
    size_t payload_len;
    bool is_bytes;        /* the payload is PAYLOAD_BYTES */
    const uint32_t *only; /* places of the message's events that didn't fit; NULL: all of it */
    uint32_t only_count;
    const struct property *properties; /* trp: of a source's message, dynamic options of a sink's */
    uint32_t property_count;
};

struct errors;
/* store: borrowed. refuses: law 3. ERR_IO, ERR_STATE. */
int errors_open(struct errors **out, struct store *store, uint64_t most_bytes, bool refuses, struct err *e);
void errors_close(struct errors *s); /* NULL: nothing */
/* Gives e its number. False: refused by the bound. */
bool errors_put(struct errors *s, struct errors_entry *e, struct store_batch *batch);
/* False: there is none of this number. */
bool errors_drop(struct errors *s, uint64_t number, struct store_batch *batch);
/* The batch alone; ERR_FULL, ERR_IO. */
int errors_apply(struct errors *s, const struct store_batch *batch, struct err *e);
struct errors_count {
    uint64_t entries, bytes;
};
struct errors_count errors_count(struct errors *s);

/* The first entry on disk with this number or a higher one: its bytes into out, which is cleared.
 * ERR_NOT_FOUND, ERR_IO. */
int errors_next(struct errors *s, uint64_t from, uint64_t *number, struct buf *out, struct err *e);
/* e borrows from bytes and from arena. ERR_STATE: damaged. */
int errors_read(const void *bytes, size_t len, struct arena *arena, struct errors_entry *e);

/* Events with their stream's attributes. */
void errors_write_events(struct writer *w, const struct schema *s, const struct batch *b);
/* b's events are in the arena; its rows are the caller's to unref (errors_drop_events). ERR_STATE. */
int errors_read_events(const struct errors_entry *e, struct arena *arena, struct schema **schema,
                       struct batch *b);
void errors_drop_events(const struct batch *b);

/* As one JSON object; names are those of the error store of the language's server. */
void errors_print(const struct errors_entry *e, struct arena *scratch, struct buf *out);

#endif
