/* mqtt.c - sources and sinks over MQTT 3.1.1: options, what a worker may call, and the one thread of the
 * kind.
 *
 * The thread runs one epoll loop over all connections. A worker wakes it through mqtt_mark: at once when a
 * batch is settled, a sink's first message comes or the host has room again; but while the thread lingers (it
 * lately had messages to send and sleeps for at most LINGER_MS) a sink's message waits for the end of that,
 * so that a busy worker pays one wake a millisecond, not one a message. Delivery: see mqtt.h; with
 * clean.session='false' and a client.id nothing is lost in a crash, with the default the broker forgets us.
 * A session's subscriptions stay with the broker when a port with clean.session='false' closes: messages go
 * on being kept for it. Callbacks of the host run on this thread; who opens or closes a port must not hold a
 * lock that they take. */
#include "ports/mqtt.h"
#include "engine/base/buf.h"
#include "engine/base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum { LINGER_MS = 1, SESSION_DIAL_MS = 100, EVENTS = 64, KEEP_ALIVE_MIN_S = 5 };
enum { ASLEEP, LINGERING, AWAKE };

/* ---- options ---- */

#define BOTH (OPTION_SOURCE | OPTION_SINK)
/* clang-format off */
static const struct option options[] = {
    {"url", OPTION_TEXT, OPTION_REQUIRED | BOTH, NULL, "tcp://HOST:PORT of the broker"},
    {"topic", OPTION_TEXT, OPTION_REQUIRED | OPTION_DYNAMIC | BOTH, NULL, "source: topic filter, + and # allowed; sink: topic, may contain {{attribute}}"},
    {"client.id", OPTION_TEXT, BOTH, NULL, "name of the session; generated when not given"},
    {"username", OPTION_TEXT, BOTH, NULL, "user name for the broker"},
    {"password", OPTION_TEXT, OPTION_SECRET | BOTH, NULL, "password for the broker"},
    {"quality.of.service", OPTION_TEXT, OPTION_DYNAMIC | BOTH, "1", "0, 1 or 2; a source subscribes 2 as 1"},
    {"clean.session", OPTION_BOOL, BOTH, "true", "false: the broker keeps messages while we are away; needs client.id"},
    {"message.retain", OPTION_BOOL, OPTION_DYNAMIC | OPTION_SINK, "false", "the broker keeps the last message for later subscribers"},
    {"keep.alive", OPTION_INT, BOTH, "60", "seconds between signs of life; 0: none; less than 5 acts as 5"},
    {"connection.timeout", OPTION_INT, BOTH, "30", "seconds until a connection attempt is given up"},
    {"mqtt.version", OPTION_TEXT, BOTH, "3.1.1", "3.1.1 (falls back to 3.1) or 3.1"},
    {"will.topic", OPTION_TEXT, BOTH, NULL, "where the broker publishes will.message when we vanish"},
    {"will.message", OPTION_TEXT, BOTH, NULL, "the last will"},
    {"will.qos", OPTION_INT, BOTH, "0", "0, 1 or 2"},
    {"will.retain", OPTION_BOOL, BOTH, "false", "the broker keeps the last will"},
    {"tls.ca.file", OPTION_TEXT, BOTH, NULL, "for ssl:// (not implemented yet)"},
    {"tls.cert.file", OPTION_TEXT, BOTH, NULL, "for ssl:// (not implemented yet)"},
    {"tls.key.file", OPTION_TEXT, OPTION_SECRET | BOTH, NULL, "for ssl:// (not implemented yet)"},
    {"tls.insecure", OPTION_BOOL, BOTH, "false", "for ssl:// (not implemented yet)"},
};
/* clang-format on */

struct url {
    char host[256];
    int port;
};

/* tcp://HOST[:PORT][/], HOST may be [IPv6]. Never echoes the text: people put passwords into it. */
static int url_parse(const char *text, struct url *url, struct err *e)
{
    static const char *const tls[] = {"ssl://", "mqtts://", "wss://"};
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        if (strncasecmp(text, tls[i], strlen(tls[i])) == 0)
            return err_set(e, ERR_UNSUPPORTED, "%s is not implemented yet (TLS comes later): use tcp://",
                           tls[i]);
    size_t scheme = strncasecmp(text, "tcp://", 6) == 0 ? 6 : strncasecmp(text, "mqtt://", 7) == 0 ? 7 : 0;
    if (!scheme)
        return err_set(e, ERR_INVALID, "a broker's url is tcp://HOST:PORT");
    const char *host = text + scheme;
    if (strchr(host, '@'))
        return err_set(e, ERR_INVALID,
                       "a broker's url has no credentials: use the options username and password");
    bool bracket = *host == '[';
    size_t len = bracket ? strcspn(++host, "]") : strcspn(host, ":/");
    if (len == 0 || len >= sizeof url->host || (bracket && host[len] != ']'))
        return err_set(e, ERR_INVALID, "a broker's url is tcp://HOST:PORT");
    memcpy(url->host, host, len);
    url->host[len] = '\0';
    const char *rest = host + len + bracket;
    long port = 1883;
    char *end = (char *)(uintptr_t)rest;
    if (*rest == ':')
        port = strtol(rest + 1, &end, 10);
    if (end == rest + 1 || (*end && strcmp(end, "/") != 0) || port < 1 || port > 65535)
        return err_set(e, ERR_INVALID, "a broker's url is tcp://HOST:PORT with a port from 1 to 65535");
    url->port = (int)port;
    return 0;
}

/* 0, 1, 2, or -1 */
static int qos_parse(const char *text)
{
    return text && text[0] >= '0' && text[0] <= '2' && !text[1] ? text[0] - '0' : -1;
}

static int refuse(struct err *e, const char **which, const char *option, const char *words)
{
    *which = option;
    return err_set(e, ERR_INVALID, "%s", words);
}

static int mqtt_check(const struct options *o, bool is_sink, struct err *e, const char **which)
{
    struct url url;
    const char *text = option_text(o, "url");
    if (!text)
        return refuse(e, which, "url", "url is missing");
    int rc = url_parse(text, &url, e);
    if (rc < 0) {
        *which = "url";
        return rc;
    }
    if ((text = option_text(o, "topic")) && !is_sink && !mqtt_filter_ok(text))
        return refuse(e, which, "topic",
                      "this is not a topic filter: + and # stand alone in a level, # is the last");
    if (text && is_sink && !mqtt_topic_ok(text))
        return refuse(e, which, "topic", "a message needs a topic that is not empty and has no + or #");
    if (!text && !is_sink)
        return refuse(e, which, "topic", "topic is missing");
    if ((text = option_text(o, "quality.of.service")) && qos_parse(text) < 0)
        return refuse(e, which, "quality.of.service", "quality.of.service is 0, 1 or 2");
    text = option_text(o, "clean.session");
    if (text && !option_bool(o, "clean.session") && !option_text(o, "client.id"))
        return refuse(e, which, "clean.session",
                      "clean.session='false' needs a client.id, the name of the session");
    if ((text = option_text(o, "mqtt.version")) && strcmp(text, "3.1.1") != 0 && strcmp(text, "3.1") != 0) {
        *which = "mqtt.version";
        return err_set(e, ERR_UNSUPPORTED, "mqtt.version '%s' is not implemented: 3.1.1 or 3.1", text);
    }
    if (option_long(o, "keep.alive", 60) < 0 || option_long(o, "keep.alive", 60) > 65535)
        return refuse(e, which, "keep.alive", "keep.alive is 0 to 65535 seconds");
    if (option_long(o, "connection.timeout", 30) < 1 || option_long(o, "connection.timeout", 30) > 86400)
        return refuse(e, which, "connection.timeout", "connection.timeout is 1 to 86400 seconds");
    if ((text = option_text(o, "will.topic")) && !mqtt_topic_ok(text))
        return refuse(e, which, "will.topic",
                      "a last will needs a topic that is not empty and has no + or #");
    if (option_text(o, "will.message") && !text)
        return refuse(e, which, "will.message", "will.message needs will.topic");
    if ((text = option_text(o, "will.qos")) && qos_parse(text) < 0)
        return refuse(e, which, "will.qos", "will.qos is 0, 1 or 2");
    return 0;
}

/* ---- the thread's state, and commands to it ---- */

enum command_kind { COMMAND_OPEN, COMMAND_CLOSE, COMMAND_STOP };
struct command { /* on the caller's stack; done under lock */
    struct command *next;
    enum command_kind kind;
    struct mqtt_port *p;
    struct err *e;
    int rc;
    bool done;
};

int mqtt_epoll_fd = -1, mqtt_wake_fd = -1;
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER; /* start and stop */
static int users;                                        /* under life: ports open */
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* commands, dirty list */
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static struct command *commands, **commands_end = &commands;
static struct mqtt_connection *dirty_first;
static atomic_int wakefulness = AWAKE;
static atomic_bool mailbox;                 /* commands or dirty connections wait */
static struct mqtt_connection *connections; /* the thread's */
static struct command *closing; /* the thread's: sinks that wait for their last acknowledgements */

static void wake(bool urgent)
{
    int was = ASLEEP;
    if (urgent ? atomic_exchange(&wakefulness, AWAKE) == AWAKE
               : !atomic_compare_exchange_strong(&wakefulness, &was, AWAKE))
        return;
    uint64_t one = 1;
    ssize_t rc = write(mqtt_wake_fd, &one, sizeof one);
    (void)rc; /* full is awake */
}

void mqtt_mark(struct mqtt_connection *c, bool urgent)
{
    if (!atomic_exchange(&c->dirty, true)) {
        pthread_mutex_lock(&lock);
        c->next_dirty = dirty_first;
        dirty_first = c;
        pthread_mutex_unlock(&lock);
        atomic_store(&mailbox, true);
    }
    wake(urgent);
}

static int command_run(struct command *cmd)
{
    pthread_mutex_lock(&lock);
    *commands_end = cmd;
    commands_end = &cmd->next;
    pthread_mutex_unlock(&lock);
    atomic_store(&mailbox, true);
    wake(true);
    pthread_mutex_lock(&lock);
    while (!cmd->done)
        pthread_cond_wait(&answered, &lock);
    pthread_mutex_unlock(&lock);
    return cmd->rc;
}

static void command_answer(struct command *cmd, int rc)
{
    pthread_mutex_lock(&lock);
    cmd->rc = rc;
    cmd->done = true;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&lock);
}

/* ---- which connection a port gets ---- */

static const char *text_or(const struct options *o, const char *name, const char *otherwise)
{
    const char *text = option_text(o, name);
    return text ? text : otherwise;
}

/* All that must agree before two ports share a connection. */
static char *connection_key(const struct mqtt_port *p, const struct url *url)
{
    static const char *const names[] = {"username",   "password",           "client.id",   "clean.session",
                                        "keep.alive", "connection.timeout", "will.topic",  "will.message",
                                        "will.qos",   "will.retain",        "mqtt.version"};
    const struct options *o = &p->port->options;
    struct buf key;
    buf_init(&key, LIMIT_APP_BYTES);
    buf_printf(&key, "%s\n%d\n%d", url->host, url->port, p->port->is_sink);
    if (!p->port->is_sink && !option_text(o, "client.id"))
        buf_printf(&key, "\nqos %d",
                   p->qos); /* nobody waits for another's receipts when he needs none himself */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        buf_printf(&key, "\n%zu %s", strlen(text_or(o, names[i], "")), text_or(o, names[i], "-"));
    return key.bytes;
}

/* Filters that overlap without being equal stay apart: a broker may send one copy for each of them. */
static bool fits(const struct mqtt_connection *c, const struct mqtt_port *p)
{
    if (c->is_sink || c->named)
        return true;
    const char *filter = option_text(&p->port->options, "topic");
    for (const struct mqtt_filter *f = c->filters; f; f = f->next)
        if (strcmp(f->text, filter) != 0 && mqtt_filters_overlap(f->text, filter))
            return false;
    return true;
}

static char *client_id_new(void)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv";
    unsigned char random[16] = {0};
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        memcpy(random, &mqtt_wake_fd, sizeof mqtt_wake_fd);
    char *id = mem_alloc(5 + sizeof random + 1);
    memcpy(id, "weir-", 5);
    for (size_t i = 0; i < sizeof random; i++)
        id[5 + i] = letters[random[i] & 31];
    return id;
}

static struct mqtt_connection *connection_new(const struct mqtt_port *p, const struct url *url, char *key)
{
    const struct options *o = &p->port->options;
    const char *id = option_text(o, "client.id");
    int64_t keep_alive_s = option_long(o, "keep.alive", 60);
    struct mqtt_connection *c = mem_alloc(sizeof *c);
    c->key = key;
    c->host = mem_strdup(url->host);
    c->port_number = url->port;
    c->named = id != NULL;
    c->client_id = id ? mem_strdup(id) : client_id_new();
    c->clean = option_bool(o, "clean.session") || !option_text(o, "clean.session");
    c->keep_alive_s =
        (int)(keep_alive_s > 0 && keep_alive_s < KEEP_ALIVE_MIN_S ? KEEP_ALIVE_MIN_S : keep_alive_s);
    c->old_protocol = strcmp(text_or(o, "mqtt.version", ""), "3.1") == 0;
    c->is_sink = p->port->is_sink;
    c->fd = -1;
    c->generation = 1;
    c->gate = (uint64_t)1 << 32;
    map_init(&c->exact);
    if (c->is_sink)
        c->slots = mem_array(MQTT_SLOTS, sizeof *c->slots);
    /* The other sources of a kept session open in the next moments; its messages come at once. */
    c->at_ms = port_now_ms() + (c->clean ? 0 : SESSION_DIAL_MS);
    c->next = connections;
    connections = c;
    return c;
}

static int port_join(struct mqtt_port *p, struct err *e)
{
    const struct options *o = &p->port->options;
    const char *id = option_text(o, "client.id");
    struct url url;
    int rc = url_parse(option_text(o, "url"), &url, e);
    if (rc < 0)
        return rc;
    char *key = connection_key(p, &url);
    struct mqtt_connection *c = connections;
    while (c && !(strcmp(c->key, key) == 0 && fits(c, p)))
        c = c->next;
    for (struct mqtt_connection *i = c ? NULL : connections; i && id; i = i->next)
        if (strcmp(i->client_id, id) == 0 && strcmp(i->host, url.host) == 0 && i->port_number == url.port) {
            mem_free(key);
            return err_set(e, ERR_INVALID,
                           "client.id '%s' is in use on this broker by %s; a %s with other options needs its "
                           "own, for the broker "
                           "disconnects one of two that share a name",
                           id, i->ports ? i->ports->port->name : "another",
                           p->port->is_sink ? "sink" : "source");
        }
    if (c)
        mem_free(key);
    else
        c = connection_new(p, &url, key);
    connection_add(c, p);
    return 0;
}

static void connection_drop(struct mqtt_connection *c)
{
    struct mqtt_connection **at = &connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pthread_mutex_lock(&lock);
    for (at = &dirty_first; *at; at = &(*at)->next_dirty)
        if (*at == c) {
            *at = c->next_dirty;
            break;
        }
    pthread_mutex_unlock(&lock);
    connection_free(c);
}

static void port_leave(struct mqtt_port *p, int64_t now_ms)
{
    struct mqtt_connection *c = p->connection;
    connection_remove(c, p, now_ms);
    if (!c->ports)
        connection_drop(c);
}

/* ---- the loop ---- */

static bool sink_is_through(const struct mqtt_port *p, int64_t now_ms)
{
    return p->connection->state != MQTT_UP || now_ms >= p->close_at_ms ||
           (p->unacked == 0 && sendq_is_empty(&p->queue));
}

/* Closing sinks leave when their last message is acknowledged, or time is up. */
static void closing_look(int64_t now_ms)
{
    for (struct command **at = &closing; *at;) {
        struct command *cmd = *at;
        if (!sink_is_through(cmd->p, now_ms)) {
            at = &cmd->next;
            continue;
        }
        *at = cmd->next;
        port_leave(cmd->p, now_ms);
        command_answer(cmd, 0);
    }
}

/* true: stop */
static bool commands_take(int64_t now_ms)
{
    pthread_mutex_lock(&lock);
    struct command *cmd = commands;
    commands = NULL;
    commands_end = &commands;
    pthread_mutex_unlock(&lock);
    bool stop = false;
    for (struct command *next; cmd; cmd = next) {
        next = cmd->next;
        switch (cmd->kind) {
        case COMMAND_OPEN:
            command_answer(cmd, port_join(cmd->p, cmd->e));
            break;
        case COMMAND_CLOSE:
            if (cmd->p->port->is_sink) {
                sendq_accept(&cmd->p->queue, false);
                cmd->p->close_at_ms = now_ms + MQTT_CLOSE_MS;
                cmd->next = closing;
                closing = cmd;
            } else {
                connection_marked(cmd->p->connection,
                                  now_ms); /* what was settled a moment ago is acknowledged */
                port_leave(cmd->p, now_ms);
                command_answer(cmd, 0);
            }
            break;
        case COMMAND_STOP:
            stop = true;
            command_answer(cmd, 0);
            break;
        }
    }
    return stop;
}

/* true: some connection had something to do */
static bool dirty_take(int64_t now_ms)
{
    pthread_mutex_lock(&lock);
    struct mqtt_connection *c = dirty_first, *next;
    dirty_first = NULL;
    pthread_mutex_unlock(&lock);
    bool any = c != NULL;
    for (; c; c = next) {
        next = c->next_dirty;
        atomic_store(&c->dirty, false); /* before it is looked at: what comes after marks it again */
        connection_marked(c, now_ms);
    }
    return any;
}

static int timeout_ms(int64_t now_ms)
{
    int64_t least = closing ? 20 : 60000;
    for (struct mqtt_connection *c = connections; c; c = c->next) {
        if (c->state == MQTT_RESOLVING || (c->state == MQTT_UP && c->keep_alive_s == 0))
            continue;
        int64_t left = c->at_ms - now_ms;
        least = left < 0 ? 0 : left < least ? left : least;
    }
    return (int)least;
}

static void *mqtt_run(void *user)
{
    (void)user;
    struct epoll_event events[EVENTS];
    bool linger = false;
    for (;;) {
        int wait_ms = timeout_ms(port_now_ms());
        if (linger && wait_ms > LINGER_MS)
            wait_ms = LINGER_MS;
        atomic_store(&wakefulness, linger ? LINGERING : ASLEEP);
        if (atomic_load(&mailbox))
            wait_ms = 0;
        int count = epoll_wait(mqtt_epoll_fd, events, EVENTS, wait_ms);
        atomic_store(&wakefulness, AWAKE);
        int64_t now_ms = port_now_ms();
        for (int i = 0; i < count; i++) {
            uint64_t wakes;
            if (events[i].data.ptr) {
                connection_event(events[i].data.ptr, events[i].events, now_ms);
            } else if (read(mqtt_wake_fd, &wakes, sizeof wakes) > 0) {
                atomic_store(&mailbox, true);
            }
        }
        linger = false;
        if (atomic_exchange(&mailbox, false)) {
            linger = dirty_take(now_ms);
            if (commands_take(now_ms))
                break;
        }
        for (struct mqtt_connection *c = connections; c; c = c->next)
            connection_timer(c, now_ms);
        closing_look(now_ms);
    }
    mem_pool_drain();
    return NULL;
}

/* ---- start and stop ---- */

static int thread_acquire(struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&life);
    if (users == 0) {
        mqtt_library_init();
        mqtt_epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        mqtt_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
        if (mqtt_epoll_fd < 0 || mqtt_wake_fd < 0 ||
            epoll_ctl(mqtt_epoll_fd, EPOLL_CTL_ADD, mqtt_wake_fd, &ev) < 0)
            rc = err_set(e, ERR_IO, "epoll: %s", strerror(errno));
        else
            rc = port_thread_start(&thread, "weir-mqtt", mqtt_run, NULL, e);
        if (rc < 0) {
            close(mqtt_epoll_fd);
            close(mqtt_wake_fd);
        }
    }
    if (rc == 0)
        users++;
    pthread_mutex_unlock(&life);
    return rc;
}

static void thread_release(void)
{
    pthread_mutex_lock(&life);
    if (--users == 0) {
        struct command stop = {.kind = COMMAND_STOP};
        command_run(&stop);
        pthread_join(thread, NULL);
        close(mqtt_epoll_fd);
        close(mqtt_wake_fd);
    }
    pthread_mutex_unlock(&life);
}

/* ---- the vtable ---- */

static int mqtt_open(struct port *port, struct err *e)
{
    struct mqtt_port *p = port->self;
    int qos = qos_parse(text_or(&port->options, "quality.of.service", "1"));
    p->port = port;
    p->qos = port->is_sink ? qos : qos > 0;
    p->retain = option_bool(&port->options, "message.retain");
    p->topic = option_text(&port->options, "topic");
    p->pending_end = &p->pending;
    if (port->is_sink)
        sendq_init(&p->queue);
    int rc = thread_acquire(e);
    if (rc == 0) {
        struct command cmd = {.kind = COMMAND_OPEN, .p = p, .e = e};
        rc = command_run(&cmd);
        if (rc < 0)
            thread_release();
    }
    if (rc < 0 && port->is_sink)
        sendq_fini(&p->queue);
    return rc;
}

static int refuse_message(struct port *port, const char *words)
{
    port_complain(port, "message refused: %s", words);
    return ERR_INVALID;
}

static int mqtt_send(struct port *port, const struct message *m)
{
    struct mqtt_port *p = port->self;
    const char *topic = p->topic;
    int qos = p->qos;
    bool retain = p->retain;
    for (int i = 0; i < m->dynamic_count; i++) {
        const struct option_value *v = &m->dynamic[i];
        if (strcmp(v->name, "topic") == 0)
            topic = v->text;
        else if (strcmp(v->name, "quality.of.service") == 0)
            qos = qos_parse(v->text);
        else if (strcmp(v->name, "message.retain") == 0)
            retain = v->text && strcasecmp(v->text, "true") == 0;
    }
    if (m->len > LIMIT_MESSAGE_BYTES)
        return refuse_message(port, "longer than the limit of a message");
    if (qos < 0)
        return refuse_message(port, "quality.of.service is 0, 1 or 2");
    if (!topic || (topic != p->topic && !mqtt_topic_ok(topic)))
        return refuse_message(port, "the topic is empty, too long, or has + or #");
    int rc = sendq_put(&p->queue, m->number, (unsigned)qos | (retain ? MQTT_FLAG_RETAIN : 0U), topic,
                       m->bytes, m->len);
    if (rc == 0)
        mqtt_mark(p->connection, false);
    return rc;
}

/* true: this took the gate to zero */
static bool gate_pass(_Atomic uint64_t *gate, uint64_t generation)
{
    uint64_t was = atomic_load(gate);
    do {
        if (was >> 32 != generation || (uint32_t)was == 0)
            return false;
    } while (!atomic_compare_exchange_weak(gate, &was, was - 1));
    return (uint32_t)(was - 1) == 0;
}

/* Both outcomes acknowledge: what can never be taken must not come again. */
static void mqtt_settle(struct port *port, uint64_t receipt, enum outcome outcome)
{
    (void)outcome;
    struct mqtt_port *p = port->self;
    if (receipt == 0) /* QoS 0 */
        return;
    gate_pass(&p->gate, (uint32_t)receipt);
    if (gate_pass(&p->connection->gate, (uint32_t)receipt))
        mqtt_mark(p->connection, true);
}

static struct port_origin mqtt_origin(uint64_t receipt)
{
    return (struct port_origin){.session = (uint32_t)receipt,
                                .id = (uint32_t)(receipt >> 32 & 0xFFFF),
                                .may_repeat = (receipt >> 48 & 1) != 0};
}

static void mqtt_resume(struct port *port)
{
    struct mqtt_port *p = port->self;
    atomic_store(&p->resumed, true);
    mqtt_mark(p->connection, true);
}

static void mqtt_close(struct port *port)
{
    struct mqtt_port *p = port->self;
    struct command cmd = {.kind = COMMAND_CLOSE, .p = p};
    command_run(&cmd);
    thread_release();
    if (port->is_sink)
        sendq_fini(&p->queue);
}

extern const struct port_type port_mqtt;
const struct port_type port_mqtt = {
    .name = "mqtt",
    .help = "MQTT 3.1.1 client",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .can_source = true,
    .can_sink = true,
    .size = sizeof(struct mqtt_port),
    .check = mqtt_check,
    .open = mqtt_open,
    .send = mqtt_send,
    .settle = mqtt_settle,
    .origin = mqtt_origin,
    .resume = mqtt_resume,
    .close = mqtt_close,
};
