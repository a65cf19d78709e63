/* mqtt_connection.c - one connection to a broker, for the ports that share it. The only file that sees
 * mosquitto.h.
 *
 * States: WAITING -(at_ms)-> RESOLVING -> CONNECTING -(CONNACK 0)-> UP; from each of them connection_lost
 * leads back to WAITING. Facts of libmosquitto 2.0.11 that this rests on, looked up and tried: with
 * threaded_set(true) no call writes to the socket but loop_write; loop_write writes all that is queued, each
 * packet with a write of its own (so the socket is corked around it); loop_read of a connection without
 * outgoing messages reads one packet; on_publish comes inside loop_write for QoS 0 and with the PUBACK for
 * QoS 1; connect_async tries one address only and resolves on the caller's time (so it is given a number);
 * keep_alive is 0 or at least 5. */
#include "engine/base/log.h"
#include "ports/library.h"
#include "ports/mqtt.h"
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GOODBYE_MS = 100 };

/* ---- topics ---- */

bool mqtt_topic_ok(const char *topic)
{
    size_t len = strlen(topic);
    return len > 0 && len <= MQTT_TOPIC_BYTES && mosquitto_pub_topic_check(topic) == MOSQ_ERR_SUCCESS &&
           mosquitto_validate_utf8(topic, (int)len) == MOSQ_ERR_SUCCESS;
}

/* $share/GROUP/FILTER takes part of FILTER's messages. */
static const char *filter_match(const char *filter)
{
    if (strncmp(filter, "$share/", 7) != 0)
        return filter;
    const char *slash = strchr(filter + 7, '/');
    return slash ? slash + 1 : filter;
}

bool mqtt_filter_ok(const char *filter)
{
    size_t len = strlen(filter);
    return len > 0 && len <= MQTT_TOPIC_BYTES && *filter_match(filter) &&
           mosquitto_sub_topic_check(filter_match(filter)) == MOSQ_ERR_SUCCESS &&
           mosquitto_validate_utf8(filter, (int)len) == MOSQ_ERR_SUCCESS;
}

/* Is there a topic that both match? */
bool mqtt_filters_overlap(const char *a, const char *b)
{
    a = filter_match(a);
    b = filter_match(b);
    for (;;) {
        if (*a == '#' || *b == '#')
            return true;
        size_t alen = strcspn(a, "/"), blen = strcspn(b, "/");
        bool any = (alen == 1 && *a == '+') || (blen == 1 && *b == '+');
        if (!any && (alen != blen || memcmp(a, b, alen) != 0))
            return false;
        a += alen;
        b += blen;
        if (!*a || !*b) /* a/# matches a too */
            return (!*a && !*b) || strcmp(a, "/#") == 0 || strcmp(b, "/#") == 0;
        a++;
        b++;
    }
}

void mqtt_library_init(void)
{
    static bool done; /* under mqtt.c's life lock */
    if (!done)
        mosquitto_lib_init();
    done = true;
}

/* ---- what the hosts are told ---- */

static void tell(struct mqtt_port *p, enum port_state state, const char *words)
{
    p->told = state == PORT_CONNECTED;
    p->port->host->status(p->port->user, state, words);
}

static void tell_all(struct mqtt_connection *c, enum port_state state, const char *words)
{
    for (struct mqtt_port *p = c->ports; p; p = p->next)
        tell(p, state, words);
}

static void batches_end(struct mqtt_connection *c)
{
    for (struct mqtt_port *p = c->ports; p; p = p->next)
        if (p->touched) {
            p->touched = false;
            port_batch_end(p->port);
        }
}

/* Exactly once for each message that send took. */
static void report(struct mqtt_port *p, uint64_t number, int rc)
{
    p->touched = true;
    sendq_done(&p->queue);
    p->port->host->sent(p->port->user, number, rc);
}

/* ---- what epoll watches ---- */

static bool want_read(const struct mqtt_connection *c)
{
    return !c->held && !c->busy;
}

/* Law 1: nothing half written when a batch is held, so a source writes before it reads. */
static bool is_blocked(const struct mqtt_connection *c)
{
    return !c->is_sink && mosquitto_want_write(c->m);
}

static void watch(struct mqtt_connection *c, uint32_t events)
{
    if (c->events == events)
        return;
    struct epoll_event ev = {.events = events, .data.ptr = c};
    epoll_ctl(mqtt_epoll_fd, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ev);
    c->events = events | EPOLLERR; /* never 0 while it is in the set */
}

/* EPOLLIN stays set while a batch is held, until something does come: mostly nothing does, for the broker
 * waits for us. */
static void rearm(struct mqtt_connection *c, bool exact)
{
    if (!c->m)
        return;
    uint32_t in = (want_read(c) && !is_blocked(c)) || (!exact && (c->events & EPOLLIN)) ? EPOLLIN : 0;
    uint32_t out = mosquitto_want_write(c->m) && !c->held ? EPOLLOUT : 0;
    watch(c, in | out | EPOLLERR);
}

/* ---- loss ---- */

static void gates_shut(struct mqtt_connection *c)
{
    c->generation++;
    uint64_t gate = (uint64_t)c->generation << 32;
    atomic_store(&c->gate, gate);
    for (struct mqtt_port *p = c->ports; p; p = p->next)
        atomic_store(&p->gate, gate);
    c->held = false;
    c->batch = 0;
}

/* The broker sends QoS 1 messages again; those of QoS 0 are ours alone. */
static void pending_forget(struct mqtt_port *p, bool all)
{
    struct mqtt_pending **at = &p->pending;
    while (*at) {
        struct mqtt_pending *m = *at;
        if (!all && m->qos == 0) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        mem_free(m);
    }
    if (p->pending_end != &p->pending && !p->pending)
        p->connection->busy--;
    p->pending_end = at;
}

static void queue_fail(struct mqtt_port *p)
{
    struct sendq_item item;
    sendq_accept(&p->queue, false);
    while (sendq_next(&p->queue, &item))
        report(p, item.number, ERR_IO);
}

static void slots_fail(struct mqtt_connection *c, const struct mqtt_port *only)
{
    for (int i = 0; i < MQTT_SLOTS && c->window > 0; i++) {
        struct mqtt_slot *slot = &c->slots[i];
        struct mqtt_port *p = slot->port;
        if (!p || (only && p != only))
            continue;
        slot->port = NULL;
        c->window--;
        p->unacked--;
        report(p, slot->number, ERR_IO);
    }
}

/* c->fd is a duplicate of the library's, which it may have closed by now: the socket leaves epoll when we say
 * so, also when a child process has inherited it. */
static void session_end(struct mqtt_connection *c)
{
    if (c->events)
        epoll_ctl(mqtt_epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->events = 0;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (c->m)
        mosquitto_destroy(c->m);
    c->m = NULL;
    lookup_drop(c->lookup);
    c->lookup = NULL;
}

/* Not inside a call of the library. */
static void connection_lost(struct mqtt_connection *c, const char *words, int64_t now_ms)
{
    enum mqtt_state was = c->state;
    session_end(c);
    gates_shut(c);
    for (struct mqtt_filter *f = c->filters; f; f = f->next)
        f->active = false;
    if (c->is_sink) {
        for (struct mqtt_port *p = c->ports; p; p = p->next)
            sendq_accept(&p->queue, false);
        slots_fail(c, NULL);
        for (struct mqtt_port *p = c->ports; p; p = p->next)
            queue_fail(p);
    } else {
        for (struct mqtt_port *p = c->ports; p; p = p->next)
            pending_forget(p, false);
    }
    /* Lost after a good while: one try at once. What is lost sooner was a try that failed: of two that steal each
     * other's client.id, or of many that a broker in distress lets in and throws out. */
    bool at_once = was == MQTT_UP && now_ms - c->up_ms > backoff_first_ms();
    if (at_once)
        c->attempt = 0;
    c->state = MQTT_WAITING;
    c->address_at = 0;
    c->at_ms = now_ms + (at_once ? 0 : backoff_ms(c->attempt++, backoff_first_ms()));
    log_write(LOG_WARN, "mqtt", "%s:%d: %s; next try in %lld ms", c->host, c->port_number, words,
              (long long)(c->at_ms - now_ms));
    tell_all(c, c->refused ? PORT_FAILED : PORT_DISCONNECTED, words);
    c->refused = 0;
    batches_end(c);
}

static void library_lost(struct mqtt_connection *c, int rc, int saved_errno, int64_t now_ms)
{
    if (c->refused)
        connection_lost(c, mosquitto_connack_string(c->refused), now_ms);
    else if (rc == MOSQ_ERR_ERRNO && saved_errno)
        connection_lost(c, strerror(saved_errno), now_ms);
    else if (rc == MOSQ_ERR_NOMEM)
        connection_lost(
            c, "no memory for what the broker sends; it can bound that, as mosquitto by max_packet_size",
            now_ms);
    else
        connection_lost(c, mosquitto_strerror(rc), now_ms);
    if (rc == MOSQ_ERR_NOMEM)
        mem_ballast_give(); /* apps wait, and the next try finds room */
}

/* ---- writing ---- */

/* false: the connection is lost. */
static bool connection_write(struct mqtt_connection *c, bool many, int64_t now_ms)
{
    int on = 1, off = 0;
    if (c->held || !mosquitto_want_write(c->m))
        return true;
    if (many)
        setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    errno = 0;
    int rc = mosquitto_loop_write(c->m, 1), saved_errno = errno;
    if (rc != MOSQ_ERR_SUCCESS) {
        library_lost(c, rc, saved_errno, now_ms);
        return false;
    }
    if (many)
        setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    return true;
}

/* ---- sinks: publish ---- */

static struct mqtt_port *turn_next(struct mqtt_connection *c)
{
    struct mqtt_port *p = c->turn ? c->turn : c->ports;
    for (int i = 0; p && i < c->port_count; i++) {
        struct mqtt_port *after = p->next ? p->next : c->ports;
        if (!sendq_is_empty(&p->queue)) {
            c->turn = after;
            return p;
        }
        p = after;
    }
    return NULL;
}

/* 0, or MOSQ_ERR_* that means the connection is gone. The item's number is accounted for either way. */
static int publish(struct mqtt_connection *c, struct mqtt_port *p, const struct sendq_item *item)
{
    int mid = 0;
    int rc = mosquitto_publish(c->m, &mid, item->place, (int)item->len, item->bytes,
                               (int)(item->flags & MQTT_FLAG_QOS), (item->flags & MQTT_FLAG_RETAIN) != 0);
    switch (rc) {
    case MOSQ_ERR_SUCCESS:
        break;
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
        port_complain(p->port, "message refused: %s", mosquitto_strerror(rc));
        report(p, item->number, ERR_INVALID);
        return 0;
    default:
        report(p, item->number, ERR_IO);
        return rc;
    }
    struct mqtt_slot *slot = &c->slots[mid & (MQTT_SLOTS - 1)];
    ASSERT(slot->port == NULL);
    *slot = (struct mqtt_slot){.port = p, .number = item->number, .mid = mid};
    c->last_mid = mid;
    c->window++;
    p->unacked++;
    return 0;
}

/* The library's next packet id finds its slot free: one that was never acknowledged may sit there after a
 * turn of ids. */
static bool slot_is_free(const struct mqtt_connection *c)
{
    int mid = c->last_mid == 65535 ? 1 : c->last_mid + 1;
    return c->window < MQTT_WINDOW && c->slots[mid & (MQTT_SLOTS - 1)].port == NULL;
}

static void sink_pump(struct mqtt_connection *c, int64_t now_ms)
{
    for (;;) {
        int count = 0;
        struct mqtt_port *p;
        struct sendq_item item;
        while (slot_is_free(c) && (p = turn_next(c)) && sendq_next(&p->queue, &item)) {
            int rc = publish(c, p, &item);
            if (rc) {
                library_lost(c, rc, errno, now_ms);
                return;
            }
            count++;
        }
        if (!connection_write(c, count > 1, now_ms))
            return;
        if (count == 0 || mosquitto_want_write(c->m))
            break;
    }
    batches_end(c);
    rearm(c, false);
}

static void on_publish(struct mosquitto *m, void *user, int mid)
{
    (void)m;
    struct mqtt_connection *c = user;
    c->progress = true;
    struct mqtt_slot *slot = &c->slots[mid & (MQTT_SLOTS - 1)];
    if (!c->is_sink || !slot->port || slot->mid != mid)
        return;
    struct mqtt_port *p = slot->port;
    slot->port = NULL;
    c->window--;
    p->unacked--;
    report(p, slot->number, 0);
}

/* ---- sources: deliver ---- */

static int deliver(struct mqtt_port *p, const char *topic, const char *bytes, size_t len, int qos, int mid)
{
    const struct mqtt_connection *c = p->connection;
    struct property properties[] = {{"topic", topic}};
    uint64_t receipt = qos ? mqtt_receipt(c->generation, c->clean ? 0 : mid, c->is_kept) : 0;
    int rc = p->port->host->deliver(p->port->user, bytes, len, properties, 1, receipt);
    if (rc == 0) {
        p->touched = true;
    } else if (rc != ERR_BUSY) {
        port_complain(p->port, "message refused by the host (%d)", rc);
        p->port->type->settle(p->port, receipt, OUTCOME_REJECTED);
        rc = 0;
    }
    return rc;
}

static void pending_add(struct mqtt_port *p, const struct mosquitto_message *message)
{
    size_t len = (size_t)message->payloadlen, topic_len = strlen(message->topic) + 1;
    struct mqtt_pending *m = mem_alloc(sizeof *m + len + topic_len);
    m->qos = message->qos;
    m->mid = message->mid;
    m->len = len;
    if (message->payload)
        memcpy(m->bytes, message->payload, len);
    m->topic = memcpy(m->bytes + len, message->topic, topic_len);
    if (!p->pending)
        p->connection->busy++;
    *p->pending_end = m;
    p->pending_end = &m->next;
}

/* The host has room again. */
static void pending_retry(struct mqtt_port *p)
{
    struct mqtt_pending *m;
    if (!p->pending)
        return;
    while ((m = p->pending) && deliver(p, m->topic, m->bytes, m->len, m->qos, m->mid) == 0) {
        p->pending = m->next;
        mem_free(m);
    }
    if (!p->pending) {
        p->pending_end = &p->pending;
        p->connection->busy--;
    }
}

static void give(struct mqtt_port *p, const struct mosquitto_message *m)
{
    if (m->retain && !p->fresh)
        return;
    if ((size_t)m->payloadlen > LIMIT_MESSAGE_BYTES) {
        char words[128];
        snprintf(words, sizeof words, "message of %d bytes refused, limit %d; %llu so far", m->payloadlen,
                 LIMIT_MESSAGE_BYTES, (unsigned long long)++p->refused);
        port_complain(p->port, "%s", words);
        tell(p, PORT_CONNECTED, words);
        return;
    }
    if (m->qos) { /* before deliver: the receipt may come back before it returns */
        atomic_fetch_add(&p->gate, 1);
        atomic_fetch_add(&p->connection->gate, 1);
    }
    if (p->pending ||
        deliver(p, m->topic, m->payload ? m->payload : "", (size_t)m->payloadlen, m->qos, m->mid) == ERR_BUSY)
        pending_add(p, m);
}

static void give_all(struct mqtt_filter *f, const struct mosquitto_message *m)
{
    for (struct mqtt_port *p = f->ports; p; p = p->next_same)
        give(p, m);
}

static void on_message(struct mosquitto *m, void *user, const struct mosquitto_message *message)
{
    (void)m;
    struct mqtt_connection *c = user;
    c->progress = true;
    c->batch++;
    struct mqtt_filter *same = map_get_str(&c->exact, message->topic);
    if (same)
        give_all(same, message);
    for (struct mqtt_filter *f = c->filters; f; f = f->next) {
        bool matches = false;
        if (f != same && (f->wild || f->match != f->text))
            mosquitto_topic_matches_sub(f->match, message->topic, &matches);
        if (matches)
            give_all(f, message);
    }
}

/* The batch has been read: it is held until its receipts are back, or they are back already. */
static void batch_close(struct mqtt_connection *c)
{
    batches_end(c);
    c->held = (uint32_t)(atomic_fetch_sub(&c->gate, 1) - 1) != 0;
    c->batch = 0;
}

/* false: the connection is lost. */
static bool connection_read(struct mqtt_connection *c, int64_t now_ms)
{
    int rc, saved_errno;
    atomic_fetch_add(&c->gate, 1);
    int batch = 0;
    do {
        c->progress = false;
        errno = 0;
        rc = mosquitto_loop_read(c->m, 1);
        saved_errno = errno;
        batch = c->batch;
    } while (rc == MOSQ_ERR_SUCCESS && c->progress && c->batch < MQTT_BATCH && c->busy == 0);
    if (rc != MOSQ_ERR_SUCCESS) {
        library_lost(c, rc, saved_errno, now_ms);
        return false;
    }
    batch_close(c);
    return connection_write(c, batch > 1, now_ms);
}

/* ---- subscriptions ---- */

/* Retained messages come again with every SUBSCRIBE: for the ports that have not had them. */
static void subscribe(struct mqtt_connection *c, struct mqtt_filter *f)
{
    int rc = mosquitto_subscribe(c->m, &f->mid, f->text, f->qos);
    if (rc != MOSQ_ERR_SUCCESS)
        log_write(LOG_WARN, "mqtt", "%s:%d: subscribe: %s", c->host, c->port_number, mosquitto_strerror(rc));
}

static void on_subscribe(struct mosquitto *m, void *user, int mid, int count, const int *granted)
{
    (void)m;
    struct mqtt_connection *c = user;
    c->progress = true;
    for (struct mqtt_filter *f = c->filters; f; f = f->next) {
        if (f->mid != mid)
            continue;
        f->mid = 0;
        f->active = count > 0 && granted[0] < 128;
        for (struct mqtt_port *p = f->ports; p; p = p->next_same) {
            if (f->active && !p->told)
                tell(p, PORT_CONNECTED, NULL);
            else if (!f->active)
                tell(p, PORT_FAILED, "the broker refused the subscription");
        }
    }
}

static struct mqtt_filter *filter_find(const struct mqtt_connection *c, const char *text)
{
    for (struct mqtt_filter *f = c->filters; f; f = f->next)
        if (strcmp(f->text, text) == 0)
            return f;
    return NULL;
}

static void filter_join(struct mqtt_connection *c, struct mqtt_port *p)
{
    const char *text = option_text(&p->port->options, "topic");
    struct mqtt_filter *f = filter_find(c, text);
    if (!f) {
        f = mem_alloc(sizeof *f);
        f->text = mem_strdup(text);
        f->match = filter_match(f->text);
        f->wild = strpbrk(f->match, "+#") != NULL;
        f->next = c->filters;
        c->filters = f;
        if (!f->wild && f->match == f->text)
            map_put_str(&c->exact, f->text, f);
    }
    for (struct mqtt_port *old = f->ports; old; old = old->next_same)
        old->fresh = !f->active;
    p->fresh = true;
    p->filter = f;
    p->next_same = f->ports;
    f->ports = p;
    if (p->qos > f->qos)
        f->qos = p->qos;
}

static void filter_leave(struct mqtt_connection *c, struct mqtt_port *p)
{
    struct mqtt_filter *f = p->filter, **at = &c->filters;
    struct mqtt_port **same = &f->ports;
    while (*same != p)
        same = &(*same)->next_same;
    *same = p->next_same;
    if (f->ports)
        return;
    if (c->state == MQTT_UP && c->clean) /* a kept session keeps its subscriptions */
        mosquitto_unsubscribe(c->m, NULL, f->text);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    if (map_get_str(&c->exact, f->text) == f)
        map_remove(&c->exact, f->text, strlen(f->text));
    mem_free(f->text);
    mem_free(f);
}

/* ---- connecting ---- */

static void sinks_open(struct mqtt_connection *c)
{
    for (struct mqtt_port *p = c->ports; p; p = p->next)
        if (!p->close_at_ms && !p->told) {
            sendq_accept(&p->queue, true);
            tell(p, PORT_CONNECTED, NULL);
        }
}

static void on_connect(struct mosquitto *m, void *user, int rc, int flags)
{
    (void)m;
    struct mqtt_connection *c = user;
    c->progress = true;
    if (rc != 0) {
        c->refused = rc;
        if (rc == 1) /* unacceptable protocol version */
            c->old_protocol = true;
        return;
    }
    c->state = MQTT_UP;
    c->is_kept = !c->clean && (flags & 1);
    c->at_ms = c->up_ms = port_now_ms();
    if (c->is_sink) {
        sinks_open(c);
        return;
    }
    for (struct mqtt_port *p = c->ports; p; p = p->next)
        p->fresh = true;
    for (struct mqtt_filter *f = c->filters; f; f = f->next)
        subscribe(c, f);
}

/* mosquitto_* of the configuration; what fails here fails for good, and says so at each try. */
static int session_configure(struct mqtt_connection *c)
{
    const struct options *o = &c->ports->port->options;
    const char *user = option_text(o, "username"), *will = option_text(o, "will.topic"),
               *last = option_text(o, "will.message");
    mosquitto_threaded_set(c->m, true);
    mosquitto_int_option(c->m, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(c->m, MOSQ_OPT_SEND_MAXIMUM, MQTT_SLOTS); /* the window is ours */
    mosquitto_int_option(c->m, MOSQ_OPT_PROTOCOL_VERSION,
                         c->old_protocol ? MQTT_PROTOCOL_V31 : MQTT_PROTOCOL_V311);
    mosquitto_connect_with_flags_callback_set(c->m, on_connect);
    mosquitto_subscribe_callback_set(c->m, on_subscribe);
    mosquitto_message_callback_set(c->m, on_message);
    if (c->is_sink)
        mosquitto_publish_callback_set(c->m, on_publish);
    int rc = user ? mosquitto_username_pw_set(c->m, user, option_text(o, "password")) : MOSQ_ERR_SUCCESS;
    if (rc == MOSQ_ERR_SUCCESS && will)
        rc = mosquitto_will_set(c->m, will, last ? (int)strlen(last) : 0, last,
                                (int)option_long(o, "will.qos", 0), option_bool(o, "will.retain"));
    return rc;
}

static void session_dial(struct mqtt_connection *c, const char *address, int64_t now_ms)
{
    c->state = MQTT_CONNECTING;
    c->at_ms = now_ms + option_long(&c->ports->port->options, "connection.timeout", 30) * 1000;
    c->last_mid = 0;
    c->m = mosquitto_new(c->client_id, c->clean, c);
    int rc = c->m ? session_configure(c) : MOSQ_ERR_NOMEM;
    errno = 0;
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect_async(c->m, address, c->port_number, c->keep_alive_s);
    if (rc != MOSQ_ERR_SUCCESS) {
        library_lost(c, rc, errno, now_ms);
        return;
    }
    int fd = mosquitto_socket(c->m);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (c->fd < 0)
        connection_lost(c, strerror(errno), now_ms);
    else
        rearm(c, true);
}

static void resolve_look(struct mqtt_connection *c, int64_t now_ms)
{
    const char(*addresses)[LOOKUP_TEXT], *words;
    int count;
    if (!lookup_done(c->lookup, &addresses, &count, &words))
        return;
    if (words)
        connection_lost(c, words, now_ms);
    else
        session_dial(c, addresses[c->address_at % count], now_ms);
}

/* An address that does not answer: the host's next one, without waiting. false: that was the last. */
static bool address_next(struct mqtt_connection *c, int64_t now_ms)
{
    const char(*addresses)[LOOKUP_TEXT], *words;
    int count;
    if (c->state != MQTT_CONNECTING || c->refused || !lookup_done(c->lookup, &addresses, &count, &words) ||
        c->address_at + 1 >= count)
        return false;
    struct lookup *kept = c->lookup;
    c->lookup = NULL;
    session_end(c);
    c->lookup = kept;
    c->address_at++;
    session_dial(c, addresses[c->address_at], now_ms);
    return true;
}

/* ---- keep-alive ---- */

/* While we don't read, the library would wait in vain for its PINGRESP and end the connection; while a batch
 * is held it may not write. The socket stands between two packets, so two bytes by hand are a PINGREQ. */
static void sign_of_life(struct mqtt_connection *c, int64_t now_ms)
{
    int64_t every_ms = (int64_t)c->keep_alive_s * 1000 / 10;
    c->at_ms = now_ms + (every_ms < 1000 ? 1000 : every_ms);
    if (!want_read(c)) {
        if (c->held || !mosquitto_want_write(c->m)) {
            c->at_ms = now_ms + (int64_t)c->keep_alive_s * 1000 / 2;
            ssize_t rc = send(c->fd, "\xC0\0", 2, MSG_NOSIGNAL | MSG_DONTWAIT);
            (void)rc; /* a dead socket is told by epoll */
        }
        return;
    }
    int rc = mosquitto_loop_misc(c->m);
    if (rc != MOSQ_ERR_SUCCESS)
        library_lost(c, rc, errno, now_ms);
    else if (connection_write(c, false, now_ms))
        rearm(c, false);
}

/* ---- the door ---- */

void connection_event(struct mqtt_connection *c, uint32_t events, int64_t now_ms)
{
    if (!c->m)
        return;
    if (events & (EPOLLERR | EPOLLHUP) && (c->state == MQTT_CONNECTING || !want_read(c))) {
        int failure = 0;
        socklen_t len = sizeof failure;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &len);
        if (failure && !address_next(c, now_ms))
            connection_lost(c, strerror(failure), now_ms);
        else if (!failure && !want_read(c))
            connection_lost(c, "the broker closed the connection", now_ms);
        if (failure || !c->m)
            return;
    }
    if ((events & EPOLLOUT) && !connection_write(c, true, now_ms))
        return;
    bool may_read = want_read(c) && !is_blocked(c);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && may_read && !connection_read(c, now_ms))
        return;
    if (c->is_sink && c->state == MQTT_UP)
        sink_pump(c, now_ms);
    else
        rearm(c, !may_read);
}

void connection_marked(struct mqtt_connection *c, int64_t now_ms)
{
    if (c->is_sink) {
        if (c->state == MQTT_UP)
            sink_pump(c, now_ms);
        return;
    }
    if (c->busy)
        for (struct mqtt_port *p = c->ports; p; p = p->next)
            if (atomic_exchange(&p->resumed, false))
                pending_retry(p);
    batches_end(c);
    if (!c->m)
        return;
    if (c->held && (uint32_t)atomic_load(&c->gate) == 0) {
        c->held = false;
        if (!connection_write(c, true, now_ms))
            return;
    }
    rearm(c, false);
}

void connection_timer(struct mqtt_connection *c, int64_t now_ms)
{
    if (c->state == MQTT_RESOLVING) {
        resolve_look(c, now_ms);
        return;
    }
    if (now_ms < c->at_ms)
        return;
    switch (c->state) {
    case MQTT_WAITING:
        if (c->attempt == 0)
            tell_all(c, PORT_CONNECTING, NULL);
        c->state = MQTT_RESOLVING;
        c->lookup = lookup_start(c->host, mqtt_wake_fd);
        resolve_look(c, now_ms);
        break;
    case MQTT_CONNECTING:
        if (!address_next(c, now_ms))
            connection_lost(c, "no answer within connection.timeout", now_ms);
        break;
    case MQTT_UP:
        if (c->keep_alive_s > 0)
            sign_of_life(c, now_ms);
        break;
    case MQTT_RESOLVING:
        break;
    }
}

void connection_add(struct mqtt_connection *c, struct mqtt_port *p)
{
    p->connection = c;
    p->next = c->ports;
    c->ports = p;
    c->port_count++;
    atomic_store(&p->gate, (uint64_t)c->generation << 32);
    if (c->is_sink) {
        if (c->state == MQTT_UP)
            sinks_open(c);
        return;
    }
    filter_join(c, p);
    if (c->state == MQTT_UP) {
        subscribe(c, p->filter);
        rearm(c, false);
    }
}

void connection_remove(struct mqtt_connection *c, struct mqtt_port *p, int64_t now_ms)
{
    struct mqtt_port **at = &c->ports;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    c->port_count--;
    c->turn = NULL;
    if (c->is_sink) {
        slots_fail(c, p);
        queue_fail(p);
        port_batch_end(p->port);
        return;
    }
    bool owes = (uint32_t)atomic_load(&p->gate) != 0;
    pending_forget(p, true);
    filter_leave(c, p);
    if (!c->m)
        return;
    if (owes && c->ports) /* what it never settled must not be acknowledged with the others' */
        connection_lost(c, "a source closed with messages it had not settled", now_ms);
    else if (owes)
        session_end(c);
    else
        rearm(c, false);
}

/* A socket that is closed with bytes unread resets the connection, and the broker may then drop what it has
 * not read of ours: acknowledgements. So the broker closes first, unless it takes longer than GOODBYE_MS. */
static void goodbye(struct mqtt_connection *c)
{
    char bytes[4096];
    int64_t until_ms = port_now_ms() + GOODBYE_MS, left_ms;
    if (mosquitto_disconnect(c->m) != MOSQ_ERR_SUCCESS || mosquitto_loop_write(c->m, 1) != MOSQ_ERR_SUCCESS)
        return;
    shutdown(c->fd, SHUT_WR);
    while ((left_ms = until_ms - port_now_ms()) > 0) {
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        if (poll(&fd, 1, (int)left_ms) <= 0 || recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            break;
    }
}

void connection_free(struct mqtt_connection *c)
{
    if (c->m && c->state == MQTT_UP && !c->held)
        goodbye(c);
    session_end(c);
    map_fini(&c->exact);
    mem_free(c->slots);
    mem_free(c->key);
    mem_free(c->host);
    mem_free(c->client_id);
    mem_free(c);
}

const char *mqtt_library_version(void)
{
    static char text[32];
    int major, minor, revision;
    mosquitto_lib_version(&major, &minor, &revision);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, revision);
    return text;
}
