/* outbox.c - see outbox.h. */
#include "agent/outbox.h"
#include "agent/clock.h"
#include "agent/dedupe.h"
#include "agent/metrics.h"
#include "engine/base/fault.h"
#include "engine/base/mem.h"
#include <inttypes.h>
#include <string.h>

enum {
    RING_MESSAGES = 2048, /* of a spool's messages in memory */
    RING_BYTES = 1024 * 1024,
    REFILL_MESSAGES = 512,
    ACKS_MOST = 1024, /* so many are written down without waiting */
    FIRST_ENTRIES = 16,
    KEPT_ENTRIES = 1024,
    RETRY_FIRST_MS = 100,
    RETRY_MOST_MS = 5000,
    DYNAMIC_MOST = 32
};
enum entry_state { ENTRY_WAITING, ENTRY_IN_FLIGHT, ENTRY_REFUSED, ENTRY_DONE };

/* bytes is one block: the message, NUL, then NAME NUL VALUE NUL of each dynamic option. */
struct outbox_entry {
    char *bytes;
    int64_t at_ms;
    uint32_t len, size;
    uint8_t state, dynamic_count;
    bool begins_chunk;
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
    if (b->spool) {
        b->spool->bytes -= b->spool->bytes < e->size ? b->spool->bytes : e->size;
        if (b->holds_app && b->spool->bytes <= b->spool->policy.most_bytes / 10 * 9) {
            b->holds_app = false;
            return true;
        }
        bool tells = !b->owes_mark || (b->live <= REFILL_MESSAGES && b->loaded < b->spool->committed);
        b->owes_mark = true;
        return tells;
    }
    if (b->holds_app && b->live <= b->most_messages / 2 && b->live_bytes <= b->most_bytes / 2) {
        b->holds_app = false;
        return true;
    }
    return b->wants_empty && !b->live;
}

/* Under the lock. It never can be sent. True: somebody waits for this. */
static bool entry_refused(struct outbox *b, uint64_t number)
{
    if (!b->has_keeper)
        return entry_done(b, number);
    entry(b, number)->state = ENTRY_REFUSED;
    b->refused++;
    return true;
}

/* ---- what the port calls ---- */

static void on_sent(void *user, uint64_t number, int rc)
{
    struct outbox *b = user;
    pthread_mutex_lock(&b->lock);
    bool is_mine = number >= b->head && number < b->loaded && entry(b, number)->state == ENTRY_IN_FLIGHT;
    bool wakes = b->is_blocked;
    b->is_blocked = false;
    b->calls++;
    bool is_kept = is_mine && rc < 0 && b->has_keeper;
    if (is_mine && rc != ERR_IO && rc != ERR_BUSY) {
        wakes |= rc < 0 ? entry_refused(b, number) : entry_done(b, number);
        b->retries = 0;
    } else if (is_mine) {
        entry(b, number)->state = ENTRY_WAITING;
        if (number < b->next)
            b->next = number;
        int64_t rest_ms = RETRY_FIRST_MS << (b->retries < 6 ? b->retries++ : 6), now_us = clock_steady_us();
        rest_ms = rest_ms < RETRY_MOST_MS ? rest_ms : RETRY_MOST_MS;
        /* Up to a tenth less: many agents that lost one server don't come back in step. */
        b->retry_at_us =
            now_us + rest_ms * 1000 - (int64_t)((uint64_t)now_us * 2654435761u % (uint64_t)(rest_ms * 100));
        wakes = true;
    }
    pthread_mutex_unlock(&b->lock);
    if (is_mine && rc == 0)
        metrics_add(&metrics.out, 1);
    else if (is_mine && rc != ERR_IO && rc != ERR_BUSY && !is_kept)
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
    bool is_news = b->state != (int)state; /* else a try more that failed: the port has told it */
    b->state = (int)state;
    log_write(is_news ? level : LOG_DEBUG, b->log_name, "sink %s: %s%s%s", b->name, names[state],
              words ? ": " : "", words ? words : "");
    pthread_mutex_lock(&b->lock);
    b->calls++;
    b->is_blocked = false;
    if (state == PORT_CONNECTED)
        b->retry_at_us = 0;
    bool wakes = b->live > 0 || b->spool;
    pthread_mutex_unlock(&b->lock);
    if (wakes)
        b->wake(b->worker, b);
}

static const struct port_host sink_host = {.sent = on_sent, .status = on_status};

/* ---- the worker's side ---- */

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

/* On the worker: entries in `state` go to the keeper, as far as it takes them. */
static void keep_entries(struct outbox *b, enum entry_state state, const char *why)
{
    struct option_value dynamic[DYNAMIC_MOST + 1];
    for (uint64_t n = b->head; n < b->loaded; n++) {
        struct message m = {.number = n};
        pthread_mutex_lock(&b->lock);
        bool is_one = entry(b, n)->state == state;
        if (is_one)
            entry_message(entry(b, n), &m, dynamic);
        pthread_mutex_unlock(&b->lock);
        if (!is_one)
            continue;
        if (b->keep && !b->keep(b, &m, why))
            return;
        if (!b->keep)
            metrics_add(&metrics.lost, 1);
        pthread_mutex_lock(&b->lock);
        if (state == ENTRY_REFUSED)
            b->refused--;
        entry_done(b, n);
        pthread_mutex_unlock(&b->lock);
    }
}

int outbox_open(struct outbox **out, const struct bind_sink *sink, struct spool *spool, const char *app,
                const char *stream, uint32_t most_messages, size_t most_bytes,
                void (*wake)(void *, struct outbox *), void *worker, struct err *e)
{
    struct outbox *b = mem_alloc(sizeof *b);
    char text[512];
    pthread_mutex_init(&b->lock, NULL);
    b->type = sink->type;
    b->state = -1;
    b->name = mem_strdup(stream);
    snprintf(text, sizeof text, "app %s", app);
    b->log_name = mem_strdup(text);
    b->tells_at_once = sink->on_error && !strcmp(sink->on_error, "stream");
    b->spool = spool;
    b->most_messages = most_messages;
    b->most_bytes = most_bytes;
    b->wake = wake;
    b->worker = worker;
    b->head = b->next = b->tail = b->loaded = b->keep_from = 1;
    if (spool) {
        b->head = b->next = b->loaded = b->keep_from = spool->head;
        b->tail = spool->tail;
    }
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
    if (b->keep && !b->spool) {
        keep_entries(b, ENTRY_REFUSED, "it can never be sent");
        keep_entries(b, ENTRY_WAITING, "not delivered before the sink ended");
        keep_entries(b, ENTRY_IN_FLIGHT, "not known to be delivered when the sink ended");
    }
    if (b->live && !b->spool) {
        log_write(LOG_ERROR, b->log_name, "sink %s: %" PRIu32 " messages were not delivered", b->name,
                  b->live);
        metrics_add(&metrics.lost, b->live);
    }
    hush_end(&b->hush, LOG_ERROR, b->log_name);
    for (uint64_t n = b->head; n < b->loaded; n++)
        mem_free(entry(b, n)->bytes);
    spool_close(b->spool);
    mem_free(b->entries);
    mem_free(b->name);
    mem_free(b->log_name);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

/* Under the lock: done entries leave; a ring that grew by a burst shrinks when it is empty. */
static void trim(struct outbox *b)
{
    for (; b->head < b->loaded && entry(b, b->head)->state == ENTRY_DONE; b->head++) {
        if (entry(b, b->head)->begins_chunk)
            b->keep_from = b->head;
        mem_free(entry(b, b->head)->bytes);
    }
    if (b->spool && b->head < b->loaded && entry(b, b->head)->begins_chunk)
        b->keep_from = b->head;
    if (b->next < b->head)
        b->next = b->head;
    if (b->head == b->loaded && b->cap > KEPT_ENTRIES) {
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
    for (uint64_t n = b->head; n < b->loaded; n++)
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

/* Hands over the entry `next`. 0: go on; ERR_BUSY: the port will call. ERR_INVALID: it left as lost. */
static int hand_over(struct outbox *b, uint64_t number)
{
    struct option_value dynamic[DYNAMIC_MOST + 1];
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
        if (m.dynamic_count && !strcmp(dynamic[m.dynamic_count - 1].name, OUTBOX_EVENTS))
            m.dynamic_count--;
        int rc = port_send(b->port, &m);
        if (rc == 0)
            return 0;
        pthread_mutex_lock(&b->lock);
        if (rc != ERR_BUSY && rc != ERR_IO) {
            entry_refused(b, number);
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

/* Under the lock: the ring's next place. */
static struct outbox_entry *ring_add(struct outbox *b)
{
    if (b->loaded - b->head == b->cap)
        trim(b);
    if (b->loaded - b->head == b->cap)
        grow(b);
    struct outbox_entry *e = entry(b, b->loaded);
    b->loaded++;
    return e;
}

/* ---- the disk's part ---- */

/* Under the lock. Oldest first, those that are not with the port: room for `size` more bytes. */
static void drop_oldest(struct outbox *b, uint64_t size)
{
    struct spool *s = b->spool;
    for (uint64_t n = b->head; n < b->loaded && s->bytes + size > s->policy.most_bytes; n++)
        if (entry(b, n)->state == ENTRY_WAITING) {
            entry_done(b, n);
            s->dropped++;
            metrics_add(&metrics.lost, 1);
        }
}

/* Under the lock. Is there room for it, by the sink's policy? */
static bool may_add(struct outbox *b, uint32_t size)
{
    struct spool *s = b->spool;
    if (s->bytes + size <= s->policy.most_bytes)
        return true;
    switch (s->policy.overflow) {
    case BUFFER_BLOCK:
        return true; /* law 5 */
    case BUFFER_DROP_OLDEST:
        drop_oldest(b, size);
        return true;
    case BUFFER_DROP_NEWEST:
        s->dropped++;
        s->is_dirty = true;
        metrics_add(&metrics.lost, 1);
        return false;
    }
    return true;
}

/* A message with its key, when it has a place for one. */
static void add_key(struct outbox *b, uint64_t number, const struct message *m, struct buf *out)
{
    struct buf key;
    buf_init(&key, SIZE_MAX);
    spool_key(b->spool, b->name, number, &key);
    if (!dedupe_add(b->spool->policy.dedupe_field, key.bytes, m->bytes, m->len, out))
        hush_log(&b->hush, LOG_WARN, b->log_name,
                 "sink %s: message %" PRIu64 " has no place for a key (dedupe.field) and goes without",
                 b->name, number);
    buf_fini(&key);
}

static int spool_put(struct outbox *b, const struct message *m)
{
    struct spool *s = b->spool;
    struct outbox_entry made;
    struct message keyed = *m;
    struct buf text;
    uint64_t number = b->tail;
    if (b->is_muted)
        return 0;
    if (number < s->recorded) { /* law 6 */
        b->tail++;
        return 0;
    }
    buf_init(&text, SIZE_MAX);
    if (s->policy.dedupe_field)
        add_key(b, number, m, &text);
    if (text.len) {
        keyed.bytes = text.bytes;
        keyed.len = text.len;
    }
    entry_fill(&made, &keyed);
    buf_fini(&text);
    made.at_ms = clock_wall_ms();
    pthread_mutex_lock(&b->lock);
    b->tail++;
    bool is_kept = may_add(b, made.size);
    bool in_ring = b->loaded == number && b->loaded - b->head < RING_MESSAGES && b->live_bytes < RING_BYTES;
    if (!in_ring && b->loaded == number)
        spool_cut(s); /* the ring ends here: it goes on with whole chunks */
    if (is_kept) {
        bool begins = s->chunk_count == 0;
        spool_add(s, number, made.at_ms, made.bytes, made.len, made.size - (uint32_t)sizeof made,
                  made.dynamic_count);
        made.begins_chunk = begins || s->chunk_count == 1;
        s->bytes += sizeof made; /* as live_bytes counts */
    }
    if (in_ring && is_kept) {
        *ring_add(b) = made;
        b->live++;
        b->live_bytes += made.size;
    } else if (in_ring) {
        *ring_add(b) = (struct outbox_entry){.state = ENTRY_DONE};
    }
    pthread_mutex_unlock(&b->lock);
    if (!in_ring || !is_kept)
        mem_free(made.bytes);
    return 0;
}

/* Under the lock: numbers that are nowhere. */
static void skip_to(struct outbox *b, uint64_t number)
{
    if (b->head == b->loaded) {
        b->head = b->next = b->loaded = number;
        return;
    }
    while (b->loaded < number)
        *ring_add(b) = (struct outbox_entry){.state = ENTRY_DONE};
}

static void take_items(struct outbox *b, struct spool_item *items, int count, uint64_t first)
{
    pthread_mutex_lock(&b->lock);
    for (int i = 0; i < count; i++) {
        struct spool_item *item = &items[i];
        skip_to(b, item->number);
        *ring_add(b) = (struct outbox_entry){.bytes = item->bytes,
                                             .at_ms = item->at_ms,
                                             .len = item->len,
                                             .size = item->size + (uint32_t)sizeof(struct outbox_entry),
                                             .dynamic_count = item->dynamic_count,
                                             .begins_chunk = item->number == first};
        b->live++;
        b->live_bytes += item->size + sizeof(struct outbox_entry);
    }
    if (count && first < items[0].number && b->head == items[0].number)
        b->keep_from = first; /* part of its chunk was done when we were started */
    pthread_mutex_unlock(&b->lock);
}

/* Brings the next chunk into the ring. False: there is none, or no room. */
static bool refill(struct outbox *b)
{
    struct spool *s = b->spool;
    struct spool_item *items;
    uint64_t first = 0;
    if (!s || b->replays)
        return false;
    pthread_mutex_lock(&b->lock);
    bool is_enough = b->loaded >= s->committed || b->loaded - b->head >= RING_MESSAGES ||
                     b->live_bytes >= RING_BYTES || b->live > REFILL_MESSAGES;
    pthread_mutex_unlock(&b->lock);
    if (is_enough)
        return false;
    int count = spool_load(s, b->loaded, &first, &items);
    if (count == ERR_IO)
        return false; /* tried again with the next flush */
    if (count == ERR_STATE)
        hush_log(&b->hush, LOG_ERROR, b->log_name,
                 "sink %s: the messages from number %" PRIu64 " on are damaged and left out", b->name, first);
    bool jumps = (count > 0 ? items[0].number : s->committed) >
                 b->loaded + RING_MESSAGES; /* after a salvage numbers are missing by the billion */
    if (jumps && b->head != b->loaded) {
        for (int i = 0; i < count; i++)
            mem_free(items[i].bytes);
        mem_free(items);
        return false; /* when what is here has left */
    }
    if (count > 0) {
        take_items(b, items, count, first);
    } else {
        pthread_mutex_lock(&b->lock);
        skip_to(b, count == ERR_STATE && first >= b->loaded ? first + 1 : s->committed);
        pthread_mutex_unlock(&b->lock);
    }
    mem_free(items);
    (void)FAULT("spool.loaded");
    return true;
}

bool outbox_is_dirty(struct outbox *b, bool *acks_alone)
{
    if (!b->spool || b->replays)
        return false;
    pthread_mutex_lock(&b->lock);
    trim(b);
    uint64_t acks = b->head - b->spool->head;
    bool dirty = b->spool->is_dirty;
    *acks_alone = !dirty && acks < ACKS_MOST;
    pthread_mutex_unlock(&b->lock);
    return dirty || acks > 0;
}

void outbox_collect(struct outbox *b, struct store_batch *batch, bool only_acks)
{
    pthread_mutex_lock(&b->lock);
    trim(b);
    b->owes_mark = false;
    uint64_t head = b->head < b->spool->committed || !only_acks ? b->head : b->spool->committed;
    uint64_t keep_from = b->head == b->loaded && b->loaded == b->tail ? b->head : b->keep_from;
    if (only_acks) {
        struct spool *s = b->spool; /* chunks that wait for their own transaction stay out of this one */
        struct key from = {.len = 0}, to = {.len = 0};
        key_u32(&from, s->sink);
        to = from;
        key_u64(&from, 0);
        key_u64(&to, keep_from < head ? keep_from : head);
        batch_drop_range(batch, STORE_OUTBOX, from.bytes, from.len, to.bytes, to.len);
    } else {
        spool_collect(b->spool, batch, head, b->tail, keep_from);
    }
    pthread_mutex_unlock(&b->lock);
}

void outbox_committed(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    b->spool->committed = b->spool->tail;
    pthread_mutex_unlock(&b->lock);
}

void outbox_replay(struct outbox *b, uint64_t tail)
{
    b->replays = true;
    b->tail = tail;
}

void outbox_mute(struct outbox *b)
{
    b->replays = b->is_muted = true;
}

bool outbox_replayed(struct outbox *b)
{
    bool same = b->is_muted || b->tail == b->spool->recorded;
    b->replays = b->is_muted = false;
    if (b->tail < b->spool->recorded)
        b->tail = b->spool->recorded;
    return same;
}

/* ---- filling and handing over ---- */

int outbox_put(struct outbox *b, const struct message *m)
{
    if (m->dynamic_count > DYNAMIC_MOST + 1 || m->len > UINT32_MAX / 2)
        return ERR_TOO_BIG;
    if (b->spool)
        return spool_put(b, m);
    struct outbox_entry made;
    entry_fill(&made, m);
    pthread_mutex_lock(&b->lock);
    uint64_t number = b->tail++;
    *ring_add(b) = made;
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

void outbox_keep(struct outbox *b, bool (*keep)(struct outbox *b, const struct message *m, const char *why))
{
    pthread_mutex_lock(&b->lock);
    b->keep = keep;
    b->has_keeper = keep != NULL;
    pthread_mutex_unlock(&b->lock);
}

static void keep_refused(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool has_some = b->refused > 0;
    pthread_mutex_unlock(&b->lock);
    if (has_some)
        keep_entries(b, ENTRY_REFUSED, "it can never be sent");
}

static void refused(struct outbox *b, uint64_t number)
{
    if (b->has_keeper)
        return;
    metrics_add(&metrics.lost, 1);
    hush_log(&b->hush, LOG_ERROR, b->log_name,
             "sink %s: message %" PRIu64 " can never be sent and is dropped", b->name, number);
}

/* Under the lock. Too old to be sent, by the sink's policy. */
static bool is_stale(struct outbox *b, uint64_t number)
{
    const struct outbox_entry *e = entry(b, number);
    int64_t most_ms = b->spool ? b->spool->policy.most_age_ms : 0;
    if (!most_ms || e->state != ENTRY_WAITING || clock_wall_ms() - e->at_ms <= most_ms)
        return false;
    entry_done(b, number);
    b->spool->dropped++;
    metrics_add(&metrics.lost, 1);
    return true;
}

static void flush(struct outbox *b)
{
    for (;;) {
        pthread_mutex_lock(&b->lock);
        trim(b);
        bool rests = b->retry_at_us && clock_steady_us() < b->retry_at_us;
        uint64_t end = b->spool && b->spool->committed < b->loaded ? b->spool->committed : b->loaded;
        bool is_blocked = b->is_blocked;
        if (b->next >= end || is_blocked || rests) {
            pthread_mutex_unlock(&b->lock);
            if (!rests && !is_blocked && refill(b))
                continue;
            return;
        }
        if (is_stale(b, b->next)) {
            b->next++;
            pthread_mutex_unlock(&b->lock);
            continue;
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

void outbox_flush(struct outbox *b)
{
    if (b->replays)
        return;
    flush(b);
    keep_refused(b);
}

void outbox_bound(struct outbox *b, size_t most_bytes)
{
    pthread_mutex_lock(&b->lock);
    b->most_bytes = most_bytes;
    pthread_mutex_unlock(&b->lock);
}

void outbox_count(struct outbox *b, uint64_t *messages, uint64_t *bytes)
{
    pthread_mutex_lock(&b->lock);
    *messages += b->spool ? b->tail - b->head : b->live;
    *bytes += b->live_bytes;
    pthread_mutex_unlock(&b->lock);
}

bool outbox_holds(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool is_full = b->live >= b->most_messages || b->live_bytes >= b->most_bytes;
    if (b->spool)
        is_full = b->spool->policy.overflow == BUFFER_BLOCK && b->spool->bytes >= b->spool->policy.most_bytes;
    b->holds_app |= is_full;
    pthread_mutex_unlock(&b->lock);
    return is_full;
}

bool outbox_is_empty(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    bool is_empty = b->spool ? b->head >= b->tail : !b->live;
    b->wants_empty = true;
    pthread_mutex_unlock(&b->lock);
    return is_empty;
}

int64_t outbox_retry_at_us(struct outbox *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t at_us = b->retry_at_us && b->next < b->loaded && !b->is_blocked ? b->retry_at_us : INT64_MAX;
    pthread_mutex_unlock(&b->lock);
    return at_us;
}
