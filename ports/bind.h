/* bind.h - ties an app's @source and @sink annotations to ports and maps.
 *
 * bind_check is the compile step: every annotation checked, every error with its place. bind_new makes the
 * maps and knows what goes where; who runs the app opens the ports from it (agent: threads; test runner:
 * inMemory only) and moves bytes. inMemory topics are served here, synchronously, within one bus. */
#ifndef WEIR_PORTS_BIND_H
#define WEIR_PORTS_BIND_H

#include "engine/engine.h"
#include "ports/map.h"
#include "ports/port.h"

struct bind_source {
    uint32_t stream;
    const struct port_type *type;
    struct options options;
    struct mapper *map;
    uint64_t messages, rejected; /* counted by bind_receive */
    struct port *port;           /* the agent's; NULL until opened */
    void *user;                  /* the agent's */
    int number;
};
/* What may wait for a sink of a durable app while its far side is away: @sink(buffer.max.size,
 * buffer.max.age, buffer.overflow, dedupe.field). 0: the agent's default. */
struct bind_buffer {
    uint64_t most_bytes;
    int64_t most_age_ms;
    enum buffer_overflow { BUFFER_BLOCK, BUFFER_DROP_OLDEST, BUFFER_DROP_NEWEST } overflow;
    const char *dedupe_field; /* the message's key goes into it (agent/dedupe.h); NULL: no */
};
struct bind_sink {
    uint32_t stream;
    const struct port_type *type;
    struct options options; /* static values; dynamic options have text NULL here */
    struct bind_dynamic {
        const char *name;
        struct template *value;
    } * dynamic;
    int dynamic_count;
    struct mapper *map;
    const char *on_error; /* "log" "wait" "stream" "store" */
    struct bind_buffer buffer;
    int destination_group; /* @distribution: number of the group, -1 without */
    int strategy;          /* 0 roundRobin, 1 broadcast, 2 partitioned */
    int partition_key;     /* attribute index */
    uint64_t round;
    uint64_t messages, failed;
    struct port *port;
    void *user;
    int number;
};
struct bind {
    struct bind_source *sources;
    int source_count;
    struct bind_sink *sinks;
    int sink_count;
    struct app *app; /* set by bind_attach */
    struct bus *bus;
    struct mem_account
        *account; /* of the app; what comes by a topic is its own. NULL: nobody counts. Borrowed */
    /* How a mapped payload leaves: set by the owner. m->number is 0. Return 0, ERR_BUSY, ERR_IO ... as the
     * port. inMemory and log don't come here. */
    int (*publish)(void *user, struct bind_sink *sink, const struct message *m);
    /* A message a map refused: why. Bounded logging is the owner's. */
    void (*rejected)(void *user, const char *where, const char *why);
    /* The same message, to be kept (spec 21 section 0: the error store); s->map->failed tells which part of
     * it. May be NULL. */
    void (*unmapped)(void *user, const struct bind_source *s, const struct payload *p,
                     const struct property *properties, int property_count, const char *why);
    /* Events that a sink with on.error='store' could not send: kept? p NULL: the map refused them. May be
     * NULL. */
    bool (*undelivered)(void *user, const struct bind_sink *s, const struct batch *events,
                        const struct payload *p, const char *why);
    const struct batch *sending; /* while publish runs: the events that the message tells of */
    /* A message of an inMemory topic is about to enter: the owner may note it down. May be NULL. */
    void (*arriving)(void *user, const struct bind_source *source, const struct payload *p);
    bool is_quiet; /* what happens has happened before (a journal is worked off): log and inMemory sinks do
                      nothing */
    void *user;
};

/* In-process topics (spec 10 section 8). One bus for each worker or test; synchronous, in subscription order.
 */
struct bus;
typedef void (*bus_fn)(void *user, const char *topic, const struct payload *p);
struct bus *bus_new(void);
void bus_free(struct bus *bus);
void bus_subscribe(struct bus *bus, const char *topic, bus_fn fn, void *user);
void bus_unsubscribe(struct bus *bus, bus_fn fn, void *user);
int bus_publish(struct bus *bus, const char *topic,
                const struct payload *p); /* number of subscribers served; 0: nobody */

/* Reports everything wrong to diags; returns NULL then. Lives in the plan's arena, but bind_free must be
 * called (maps hold buffers), before the plan or its app goes. */
struct bind *bind_new(struct plan *plan, struct diags *diags);
void bind_attach(struct bind *b, struct app *app, struct bus *bus); /* subscribes inMemory sources */
void bind_free(struct bind *b);
/* A message for a source, on the worker; the app's clock is already where it belongs. Rows enter the app.
 * ERR_INVALID: rejected (in part). */
int bind_receive(struct bind *b, struct bind_source *s, const struct payload *p,
                 const struct property *properties, int property_count);
/* A message that was rejected before comes again: only its events at these places (ascending; only_count 0:
 * all) enter, and none does unless all of the message can be mapped now. ERR_INVALID: it can't, and was
 * rejected as any other. */
int bind_receive_again(struct bind *b, struct bind_source *s, const struct payload *p,
                       const struct property *properties, int property_count, const uint32_t *only,
                       uint32_t only_count);
/* What the maps and distributions remember between messages, as a part of the app's state: saved with each
 * checkpoint (app_checkpoint) and loaded behind app_restore, into a bind of the same text. On the worker,
 * outside a push. load returns 0, or ERR_STATE: these bytes do not fit. */
void bind_save(const struct bind *b, struct writer *w);
int bind_load(struct bind *b, struct reader *r);
/* For app_host.sink / has_sinks. */
int bind_sink_rows(struct bind *b, uint32_t stream, const struct batch *batch);
bool bind_has_sinks(const struct bind *b, uint32_t stream);

#endif
