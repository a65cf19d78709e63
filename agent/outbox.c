/* outbox.c - see outbox.h. */
#include "agent/outbox.h"
#include "agent/clock.h"
#include "agent/metrics.h"
#include "engine/base/mem.h"
#include <inttypes.h>
#include <string.h>

enum {
    FIRST_ENTRIES = 16,
    KEPT_ENTRIES = 1024,
    RETRY_FIRST_MS = 100,
    RETRY_MOST_MS = 5000,
    DYNAMIC_MOST = 32
};
enum entry_state { ENTRY_WAITING, ENTRY_IN_FLIGHT, ENTRY_DONE };

/* bytes is one block: the message, NUL, then NAME NUL VALUE NUL of each dynamic option. */
struct outbox_entry {
    char *bytes;
    uint32_t len, size;
    uint8_t state, dynamic_count;
};

static struct outbox_entry *entry(const struct outbox *b, uint64_t number)
{
    return &b->entries[number & (b->cap - 1)];
}

/* Under the lock. True: somebody waits for this. */
static bool entry_done(struct outbox *b, uint64_t number)
{
    struct outbox_entry *e = entry(b, number);
    e->state = ENTRY_DONE;
    b->live--;
    b->live_bytes -= e->size;
    if (b->holds_app && b->live <= b->most_messages / 2 && b->live_bytes <= b->most_bytes / 2) {
        b->holds_app = false;
        return true;
    }
    return b->wants_empty && !b->live;
}

/* ---- what the port calls ---- */

static void on_sent(void *user, uint64_t number, int rc)
{
    struct outbox *b = user;
    pthread_mutex_lock(&b->lock);
    bool is_mine = number >= b->head && number < b->tail && entry(b, number)->state == ENTRY_IN_FLIGHT;
    bool wakes = b->is_blocked;
    b->is_blocked = false;
    b->calls++;
    if (is_mine && rc != ERR_IO && rc != ERR_BUSY) {
        wakes |= entry_done(b, number);
        b->retries = 0;
    } else if (is_mine) {
        entry(b, number)->state = ENTRY_WAITING;
        if (number < b->next)
            b->next = number;
        int64_t rest_ms = RETRY_FIRST_MS << (b->retries < 6 ? b->retries++ : 6);
        b->retry_at_us = clock_steady_us() + (rest_ms < RETRY_MOST_MS ? rest_ms : RETRY_MOST_MS) * 1000;
        wakes = true;
    }
    pthread_mutex_unlock(&b->lock);
    if (is_mine && rc == 0)
        metrics_add(&metrics.out, 1);
    else if (is_mine && rc != ERR_IO && rc != ERR_BUSY)
        metrics_add(&metrics.lost, 1);
    if (wakes)
        b->wake(b->worker, b);
}

static void on_status(void *user, enum port_state state, const char *words)
{
    struct outbox *b = user;
    static const char *const names[] = {"connecting", "connected", "disconnected", "failed"};
    enum log_level level = state == PORT_CONNECTING  ? LOG_DEBUG
                           : state == PORT_CONNECTED ? LOG_INFO
                                                     : LOG_WARN;
    log_write(level, b->log_name, "sink %s: %s%s%s", b->name, names[state], words ? ": " : "",
              words ? words : "");
    pthread_mutex_lock(&b->lock);
    b->calls++;
    b->is_blocked = false;
    if (state == PORT_CONNECTED)
        b->retry_at_us = 0;
    bool wakes = b->live > 0;
    pthread_mutex_unlock(&b->lock);
    if (wakes)
        b->wake(b->worker, b);
}

static const struct port_host sink_host = {.sent = on_sent, .status = on_status};

/* ---- the worker's side ---- */

int outbox_open(struct outbox **out, const struct bind_sink *sink, const char *app, const char *stream,
                uint32_t most_messages, size_t most_bytes, void (*wake)(void *, struct outbox *),
                void *worker, struct err *e)
{
    struct outbox *b = mem_alloc(sizeof *b);
    char text[512];
    pthread_mutex_init(&b->lock, NULL);
    b->type = sink->type;
    b->name = mem_strdup(stream);
    snprintf(text, sizeof text, "app %s", app);
    b->log_name = mem_strdup(text);
    b->tells_at_once = sink->on_error && !strcmp(sink->on_error, "stream");
    b->most_messages = most_messages;
    b->most_bytes = most_bytes;
    b->wake = wake;
    b->worker = worker;
    b->head = b->next = b->tail = 1;
    b->cap = FIRST_ENTRIES;
    b->entries = mem_array(b->cap, sizeof *b->entries);
    snprintf(text, sizeof text, "%s/%s %s", app, stream, sink->type->name);
    b->port = port_open(sink->type, true, text, &sink->options, &sink_host, b, e);
    if (!b->port) {
        outbox_close(b);
        return ERR_INVALID;
    }
    *out = b;
    return 0;
}

void outbox_close(struct outbox *b)
{
    if (b->port)
        port_close(b->port);
    if (b->live) {
        log_write(LOG_ERROR, b->log_name, "sink %s: %" PRIu32 " messages were not delivered", b->name,
                  b->live);
        metrics_add(&metrics.lost, b->live);
    }
    hush_end(&b->hush, LOG_ERROR, b->log_name);
    for (uint64_t n = b->head; n < b->tail; n++)
        mem_free(entry(b, n)->bytes);
    mem_free(b->entries);
    mem_free(b->name);
    mem_free(b->log_name);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

/* Under the lock: done entries leave; a ring that grew by a burst shrinks when it is empty. */
static void trim(struct outbox *b)
{
    for (; b->head < b->tail && entry(b, b->head)->state == ENTRY_DONE; b->head++)
        mem_free(entry(b, b->head)->bytes);
    if (b->next < b->head)
        b->next = b->head;
    if (b->head == b->tail && b->cap > KEPT_ENTRIES) {
        mem_free(b->entries);
        b->cap = FIRST_ENTRIES;
        b->entries = mem_array(b->cap, sizeof *b->entries);
    }
}

/* Under the lock. */
static void grow(struct outbox *b)
{
    uint32_t cap = b->cap * 2;
    struct outbox_entry *entries = mem_array(cap, sizeof *entries);
    for (uint64_t n = b->head; n < b->tail; n++)
        entries[n & (cap - 1)] = *entry(b, n);
    mem_free(b->entries);
    b->entries = entries;
    b->cap = cap;
}

static void entry_fill(struct outbox_entry *e, const struct message *m)
{
    size_t size = m->len + 1;
    for (int i = 0; i < m->dynamic_count; i++)
        size += strlen(m->dynamic[i].name) + strlen(m->dynamic[i].text ? m->dynamic[i].text : "") + 2;
    char *at = mem_resize(NULL, size, 1);
    *e = (struct outbox_entry){.bytes = at,
                               .len = (uint32_t)m->len,
                               .size = (uint32_t)(size + sizeof *e),
                               .dynamic_count = (uint8_t)m->dynamic_count};
    memcpy(at, m->bytes, m->len);
    at += m->len;
    *at++ = 0;
    for (int i = 0; i < m->dynamic_count; i++) {
        at = stpcpy(at, m->dynamic[i].name) + 1;
        at = stpcpy(at, m->dynamic[i].text ? m->dynamic[i].text : "") + 1;
    }
}

static void entry_message(const struct outbox_entry *e, struct message *m, struct option_value *dynamic)
{
    const char *at = e->bytes + e->len + 1;
    *m = (struct message){.number = m->number,
                          .bytes = e->bytes,
                          .len = e->len,
                          .dynamic = dynamic,
                          .dynamic_count = e->dynamic_count};
    for (int i = 0; i < e->dynamic_count; i++) {
        dynamic[i].name = at;
        at += strlen(at) + 1;
        dynamic[i].text = at;
        at += strlen(at) + 1;
    }
}

/* Hands over the entry `next`. 0: go on; ERR_BUSY: the port will call. ERR_INVALID: it left as lost. */
static int hand_over(struct outbox *b, uint64_t number)
{
    struct option_value dynamic[DYNAMIC_MOST];
    struct message m = {.number = number};
    for (;;) {
        pthread_mutex_lock(&b->lock);
        struct outbox_entry *e = entry(b, number);
        if (e->state != ENTRY_WAITING) {
            pthread_mutex_unlock(&b->lock);
            return 0;
        }
        e->state = ENTRY_IN_FLIGHT;
        uint64_t calls = b->calls;
        entry_message(e, &m, dynamic);
        pthread_mutex_unlock(&b->lock);
        int rc = port_send(b->port, &m);
        if (rc == 0)
            return 0;
        pthread_mutex_lock(&b->lock);
        if (rc != ERR_BUSY && rc != ERR_IO) {
            entry_done(b, number);
            pthread_mutex_unlock(&b->lock);
            return rc;
        }
        entry(b, number)->state = ENTRY_WAITING;
        if (number < b->next)
            b->next = number;
        bool is_still_busy = b->calls == calls;
        b->is_blocked = is_still_busy;
        pthread_mutex_unlock(&b->lock);
        if (is_still_busy)
            return ERR_BUSY;
    }
}

int outbox_put(struct outbox *b, const struct message *m)
{
    if (m->dynamic_count > DYNAMIC_MOST || m->len > UINT32_MAX / 2)
        return ERR_TOO_BIG;
    struct outbox_entry made;
    entry_fill(&made, m);
    pthread_mutex_lock(&b->lock);
    if (b->tail - b->head == b->cap)
        trim(b);
    if (b->tail - b->head == b->cap)
        grow(b);
    uint64_t number = b->tail++;
    *entry(b, number) = made;
    b->live++;
    b->live_bytes += made.size;
    bool at_once = b->tells_at_once && b->next == number && !b->is_blocked && !b->retry_at_us;
    if (at_once)
        b->next++;
    pthread_mutex_unlock(&b->lock);
    if (!at_once)
        return 0;
    int rc = hand_over(b, number);
    return rc == ERR_BUSY ? 0 : rc;
}

static void refused(struct outbox *b, uint64_t number)
{
    metrics_add(&metrics.lost, 1);
    hush_log(&b->hush, LOG_ERROR, b->log_name,
             "sink %s: message %" PRIu64 " can never be sent and is dropped", b->name, number);
}

void outbox_flush(struct outbox *b)
{
    for (;;) {
        pthread_mutex_lock(&b->lock);
        trim(b);
        bool rests = b->retry_at_us && clock_steady_us() < b->retry_at_us;
        if (b->next == b->tail || b->is_blocked || rests) {
            pthread_mutex_unlock(&b->lock);
            return;
        }
        b->retry_at_us = 0;
        uint64_t number = b->next++;
        pthread_mutex_unlock(&b->lock);
        int rc = hand_over(b, number);
        if (rc == ERR_BUSY)
            return;
        if (rc < 0)
            refused(b, number);
    }
}

bool outbox_holds(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool is_full = b->live >= b->most_messages || b->live_bytes >= b->most_bytes;
    b->holds_app |= is_full;
    pthread_mutex_unlock(&b->lock);
    return is_full;
}

bool outbox_is_empty(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool is_empty = !b->live;
    b->wants_empty = true;
    pthread_mutex_unlock(&b->lock);
    return is_empty;
}

int64_t outbox_retry_at_us(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t at_us = b->retry_at_us && b->next < b->tail && !b->is_blocked ? b->retry_at_us : INT64_MAX;
    pthread_mutex_unlock(&b->lock);
    return at_us;
}
