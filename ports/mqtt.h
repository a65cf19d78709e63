/* mqtt.h - private to mqtt.c (ports, options, the thread) and mqtt_connection.c (the only file that sees
 * mosquitto.h).
 *
 * LAWS
 * (1) libmosquitto queues the PUBACK before it calls on_message, and it leaves in loop_write only
 *     (threaded_set(true)). So a source's connection works in batches: read at most MQTT_BATCH messages;
 *     then neither read nor write until every receipt of the batch is settled; then write. While a batch
 *     is held our own PINGREQ goes straight to the socket, which stands between two packets then.
 * (2) Sinks never share a connection with sources, so a held batch never holds up a sink.
 * (3) A gate is generation << 32 | receipts not settled. settle subtracts only when its generation is the
 *     gate's; a lost connection raises the generation, so late receipts of a dead one do nothing. The
 *     batch being read holds one count of its own: the gate gets to zero, and somebody is woken, once a
 *     batch.
 * (4) A struct mosquitto lives for one attempt to connect. What it had not acknowledged when it ends is
 *     reported ERR_IO (sinks) or comes again from the broker (sources); nothing is resent behind the
 *     host's back.
 * (5) Everything but gates, queues, resumed and the wake state belongs to the thread. */
#ifndef WEIR_PORTS_MQTT_H
#define WEIR_PORTS_MQTT_H

#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "ports/lookup.h"
#include "ports/port.h"
#include "ports/sendq.h"
#include <stdatomic.h>

enum {
    MQTT_BATCH = LIMIT_TURN_MESSAGES,
    MQTT_WINDOW = 256,    /* messages in libmosquitto's hands; it walks the list of them for each publish */
    MQTT_SLOTS = 1024,    /* power of two, above MQTT_WINDOW: packet ids wrap */
    MQTT_CLOSE_MS = 1000, /* how long a closing sink waits for its last acknowledgements */
    MQTT_TOPIC_BYTES = 65535,
    MQTT_FLAG_QOS = 3, /* of a queued message */
    MQTT_FLAG_RETAIN = 4,
};

struct mqtt_pending { /* a message the host had no room for */
    struct mqtt_pending *next;
    int qos, mid;
    size_t len;
    char *topic; /* behind the payload, in the same block */
    char bytes[];
};

struct mqtt_filter { /* one subscription of a connection */
    struct mqtt_filter *next;
    char *text;
    const char *match; /* text without $share/GROUP/ */
    int qos, mid;
    bool wild, active; /* active: SUBACK came */
    struct mqtt_port *ports;
};

struct mqtt_port {
    struct port *port;
    struct mqtt_connection *connection;
    struct mqtt_port *next; /* of the connection */
    bool touched;           /* had a message since the last batch_end */
    bool told;              /* host knows that it is connected */
    /* source */
    struct mqtt_filter *filter;
    struct mqtt_port *next_same; /* of the filter */
    bool fresh;                  /* retained messages that come are for it */
    _Atomic uint64_t gate;
    atomic_bool resumed;
    struct mqtt_pending *pending, **pending_end;
    uint64_t refused; /* messages above the limit */
    /* sink */
    struct sendq queue;
    const char *topic; /* static one or NULL */
    int qos;
    bool retain;
    int unacked;         /* in libmosquitto's hands */
    int64_t close_at_ms; /* 0: not closing */
};

struct mqtt_slot {
    struct mqtt_port *port; /* NULL: free */
    uint64_t number;
    int mid;
};

enum mqtt_state { MQTT_WAITING, MQTT_RESOLVING, MQTT_CONNECTING, MQTT_UP };

struct mqtt_connection {
    struct mqtt_connection *next;
    struct mqtt_connection *next_dirty; /* under the thread's lock */
    atomic_bool dirty;
    struct mosquitto *m; /* NULL: none */
    int fd;              /* the socket; ours, a duplicate */
    uint32_t events;     /* what epoll watches for; 0: not in it */
    enum mqtt_state state;
    int64_t at_ms; /* WAITING: dial then; CONNECTING: give up then; UP: next keep-alive check */
    int64_t up_ms;
    int attempt, refused; /* refused: CONNACK's code */
    bool old_protocol;    /* 3.1 */
    struct lookup *lookup;
    int address_at;
    struct mqtt_port *ports;
    int port_count;
    /* what was configured; key joins all of it */
    char *key, *host, *client_id;
    int port_number, keep_alive_s;
    bool is_sink, clean, named; /* named: client.id was given */
    bool is_kept;               /* the broker had our session: it sends again what we didn't acknowledge */
    /* source */
    struct mqtt_filter *filters;
    struct map exact; /* match -> the first filter without wildcards */
    _Atomic uint64_t gate;
    uint32_t generation;
    int batch, busy; /* messages of this batch; ports with something pending */
    bool held, progress;
    /* sink */
    struct mqtt_slot *slots;
    int window, last_mid;   /* window: slots in use */
    struct mqtt_port *turn; /* whose queue is next */
};

/* A receipt: the generation, the packet id, whether the broker kept our session. 0: QoS 0. */
static inline uint64_t mqtt_receipt(uint32_t generation, int mid, bool is_kept)
{
    return generation | (uint64_t)(uint16_t)mid << 32 | (uint64_t)is_kept << 48;
}

/* ---- mqtt.c ---- */
extern int mqtt_epoll_fd, mqtt_wake_fd;
void mqtt_mark(struct mqtt_connection *c, bool urgent); /* any thread */

/* ---- mqtt_connection.c: on the thread, save the checks ---- */
bool mqtt_topic_ok(const char *topic);
bool mqtt_filter_ok(const char *filter);
bool mqtt_filters_overlap(const char *a, const char *b);
void mqtt_library_init(void);
void connection_add(struct mqtt_connection *c, struct mqtt_port *p);
void connection_remove(struct mqtt_connection *c, struct mqtt_port *p, int64_t now_ms);
void connection_event(struct mqtt_connection *c, uint32_t events, int64_t now_ms);
void connection_marked(struct mqtt_connection *c, int64_t now_ms);
void connection_timer(struct mqtt_connection *c, int64_t now_ms);
void connection_free(struct mqtt_connection *c); /* says goodbye; no ports are left */

#endif
