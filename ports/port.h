/* port.h - the doors: one vtable for every connector (spec 22).
 *
 * A port sees bytes and properties, never rows or queries. It runs on its own kind's thread (one loop for all
 * connections of the kind) or on nobody's (log, inMemory: synchronous). Who made it (agent, tests) is its
 * host; the port makes three calls on it: deliver, sent, status.
 *
 * One message has one owner at any moment. A source's message is the host's once deliver returned 0, and the
 * port may acknowledge it to the device only when settle came with its receipt. A sink's message is the
 * port's copy once send returned 0, until it calls sent with its number. */
#ifndef WEIR_PORTS_PORT_H
#define WEIR_PORTS_PORT_H

#include "engine/base/err.h"
#include "engine/base/mem.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- options: one table a connector or mapper; it checks, documents and fills in defaults ---- */
enum option_kind { OPTION_TEXT, OPTION_INT, OPTION_LONG, OPTION_BOOL };
enum {
    OPTION_REQUIRED = 1,
    OPTION_DYNAMIC = 2,
    OPTION_SOURCE = 4,
    OPTION_SINK = 8,
    OPTION_SECRET = 16 /* never logged or explained */
};
struct option {
    const char *name; /* "regex.*": any name with this prefix */
    enum option_kind kind;
    unsigned flags;
    const char *standard; /* default, or NULL */
    const char *help;     /* one line */
};
/* What was configured, after checks: every option of the table has a slot. Immutable after open. */
struct option_value {
    const char *name, *text; /* text NULL: not given and no default */
};
struct options {
    struct option_value *values;
    int count;
};
const char *option_text(const struct options *o, const char *name); /* or NULL */
int64_t option_long(const struct options *o, const char *name, int64_t otherwise);
bool option_bool(const struct options *o, const char *name); /* "true" ignoring case */

struct property { /* transport property, trp:NAME */
    const char *name, *value;
};

enum outcome {
    OUTCOME_OK,       /* safe: acknowledge */
    OUTCOME_REJECTED, /* cannot be taken, ever (budget policy drop): acknowledge too, counted */
};
enum port_state { PORT_CONNECTING, PORT_CONNECTED, PORT_DISCONNECTED, PORT_FAILED };

/* For a sink: one message to be published. Everything is borrowed until send returns. */
struct message {
    uint64_t number; /* of the sink's outbox; sent is called with it exactly once */
    const char *bytes;
    size_t len;
    const struct option_value *dynamic; /* the sink's dynamic options, {{attr}} filled in */
    int dynamic_count;
};
/* Value of a dynamic option of m, else the port's static one. */
struct port;
const char *message_option(const struct port *p, const struct message *m, const char *name);

struct port_host {
    /* Any thread. bytes and properties are borrowed. 0: taken, settle(receipt) will come exactly once (also
     * after close was called, never after close returned). ERR_BUSY: not taken; the port stops reading and
     * tries again when resume is called. */
    int (*deliver)(void *user, const char *bytes, size_t len, const struct property *properties,
                   int property_count, uint64_t receipt);
    /* Any thread. The sink's message is with the far side (0) or not (ERR_IO: the host may send it again;
     * ERR_INVALID: it never can be). */
    void (*sent)(void *user, uint64_t number, int rc);
    /* Any thread; words may be NULL. For logs and metrics. */
    void (*status)(void *user, enum port_state state, const char *words);
    /* May be NULL. The port has, for now, delivered or reported sent all it had: deliver and sent may gather,
     * and wake the worker here. Comes soon after every deliver that returned 0 and every sent, from the same
     * thread. */
    void (*batch_end)(void *user);
};

struct port {
    const struct port_type *type;
    const struct port_host *host;
    void *user; /* for the host's functions */
    char *name; /* "App/Stream mqtt", for logs; owned */
    bool is_sink;
    struct options options;
    void *self; /* type->size bytes, zeroed */
    struct {    /* port_complain's, under its lock */
        int64_t until_ms, ms;
        uint64_t hidden;
    } quiet;
};

/* How the far side names a message that it may send again until it is acknowledged. */
struct port_origin {
    uint32_t session; /* a number that changes with each connection */
    /* the same when the message comes again, in the same order as the first time; 0: it never does */
    uint32_t id;
    /* or: where in what the session stands for (a file) the message ends; it may be read from its begin
     * again. 0: none */
    uint64_t place;
    /* the far side remembered us: at the beginning of this session messages may come again */
    bool may_repeat;
};

struct port_type {
    const char *name; /* type='...' in @source and @sink */
    const char *help; /* one line, for docs */
    const struct option *options;
    int option_count;
    bool can_source, can_sink;
    bool in_process; /* events, not bytes: inMemory */
    size_t size;     /* its own state, zeroed by port_open */
    /* Checks beyond the option table, at compile time. NULL: none. Fills e and *which (name of the wrong
     * option). */
    int (*check)(const struct options *o, bool is_sink, struct err *e, const char **which);
    /* From here on it may call the host. Does not wait for a connection. */
    int (*open)(struct port *p, struct err *e);
    /* Sinks. Called on the worker; must not block. 0: copied, sent comes exactly once. ERR_BUSY: nothing
     * taken; send is called again after the next sent or status. ERR_INVALID: this message can never be
     * published (words logged by the port). */
    int (*send)(struct port *p, const struct message *m);
    /* Sources: the receipt's message is safe. Any thread; only queues and wakes the port. May be NULL. */
    void (*settle)(struct port *p, uint64_t receipt, enum outcome outcome);
    /* Sources that may get a message twice: what its receipt tells. NULL: none is. */
    struct port_origin (*origin)(uint64_t receipt);
    /* Sources: deliver will take messages again. Any thread. May be NULL. */
    void (*resume)(struct port *p);
    /* When it returns no call will come. Unsettled messages stay unacknowledged. */
    void (*close)(struct port *p);
};

const struct port_type *port_type_find(const char *name);
extern const struct port_type *const port_types[]; /* NULL-terminated: the table, ports.c */

/* options' strings are copied; a missing slot gets the table's default. NULL and e filled on failure. */
struct port *port_open(const struct port_type *type, bool is_sink, const char *name,
                       const struct options *options, const struct port_host *host, void *user,
                       struct err *e);
int port_send(struct port *p, const struct message *m);
void port_settle(struct port *p, uint64_t receipt, enum outcome outcome);
void port_resume(struct port *p);
void port_close(struct port *p); /* closes and frees */

/* Waiting time before try number n (from 0) of a connect: spec 22 section 0, with up to 10 % jitter taken
 * off; first_ms scales it down in tests (5000 in the spec). */
int64_t backoff_ms(int attempt, int64_t first_ms);
int64_t backoff_first_ms(void); /* 5000, or what WEIR_BACKOFF_FIRST_MS says */

/* The clock of all ports, on CLOCK_MONOTONIC: ports don't read one themselves. Before anything is opened. */
void port_use_clock(int64_t (*clock_ms)(void));

/* For the ports' own files. */
int64_t port_now_ms(void); /* by that clock */
void port_batch_end(const struct port *p);
/* A warning about one message, in the log with the port's name. Any thread. What strangers send can cause it, so
 * its rate is bounded: a line, then a second of silence, up to a minute while they keep coming; the next line
 * tells how many were left out. */
void port_complain(struct port *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A thread of a kind: its name, a stack of set size, all signals blocked. */
int port_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *user, struct err *e);

#endif
