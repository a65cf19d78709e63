/* host.h - a port's host for tests: keeps what it is told, and lets a test wait for it, never longer than
 * WAIT_S. */
#ifndef WEIR_TESTS_PORTS_HOST_H
#define WEIR_TESTS_PORTS_HOST_H

#include "agent/clock.h"
#include "engine/base/limits.h"
#include "ports/port.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <time.h>

enum { WAIT_S = 20, HOST_MESSAGES = 8192, HOST_NUMBERS = 8192 };

struct heard {
    char *bytes, *first, *second; /* values of the first two properties */
    size_t len;
    uint64_t receipt;
};
struct host {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct heard messages[HOST_MESSAGES];
    int count, taken; /* taken: how many a test has looked at */
    int room;         /* messages until BUSY; -1: no bound */
    int busies;
    int sent_times[HOST_NUMBERS], sent_rc[HOST_NUMBERS];
    int sent_count, batch_ends;
    int states[4]; /* how often each was told */
    enum port_state state;
    char words[256];
};

static inline int host_deliver(void *user, const char *bytes, size_t len, const struct property *properties,
                               int property_count, uint64_t receipt)
{
    struct host *h = user;
    int rc = ERR_BUSY;
    pthread_mutex_lock(&h->lock);
    if (h->room != 0 && h->count < HOST_MESSAGES) {
        struct heard *m = &h->messages[h->count++];
        m->bytes = malloc(len + 1);
        memcpy(m->bytes, bytes, len);
        m->bytes[len] = '\0';
        m->len = len;
        m->first = property_count > 0 ? strdup(properties[0].value) : NULL;
        m->second = property_count > 1 ? strdup(properties[1].value) : NULL;
        m->receipt = receipt;
        h->room -= h->room > 0;
        rc = 0;
    } else {
        h->busies++;
    }
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static inline void host_sent(void *user, uint64_t number, int rc)
{
    struct host *h = user;
    pthread_mutex_lock(&h->lock);
    h->sent_times[number]++;
    h->sent_rc[number] = rc;
    h->sent_count++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static inline void host_status(void *user, enum port_state state, const char *words)
{
    struct host *h = user;
    pthread_mutex_lock(&h->lock);
    h->state = state;
    h->states[state]++;
    snprintf(h->words, sizeof h->words, "%s", words ? words : "");
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static inline void host_batch_end(void *user)
{
    struct host *h = user;
    pthread_mutex_lock(&h->lock);
    h->batch_ends++;
    pthread_mutex_unlock(&h->lock);
}

static const struct port_host host_calls = {host_deliver, host_sent, host_status, host_batch_end};

static inline void host_init(struct host *h)
{
    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    h->room = -1;
}

static inline void host_fini(struct host *h)
{
    for (int i = 0; i < h->count; i++) {
        free(h->messages[i].bytes);
        free(h->messages[i].first);
        free(h->messages[i].second);
    }
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
}

/* Waits until *counter >= least; both under the host's lock. */
static inline bool host_wait(struct host *h, const int *counter, int least)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    int rc = 0;
    pthread_mutex_lock(&h->lock);
    while (*counter < least && rc == 0)
        rc = pthread_cond_timedwait(&h->changed, &h->lock, &until);
    bool ok = *counter >= least;
    if (!ok)
        printf("    waited for %d, got %d; state %d %s\n", least, *counter, (int)h->state, h->words);
    pthread_mutex_unlock(&h->lock);
    return ok;
}

static inline int host_get(struct host *h, const int *counter)
{
    pthread_mutex_lock(&h->lock);
    int value = *counter;
    pthread_mutex_unlock(&h->lock);
    return value;
}

static inline bool host_wait_state(struct host *h, enum port_state state, int times)
{
    return host_wait(h, &h->states[state], times);
}

/* The next message, or NULL when none comes in time. */
static inline const struct heard *host_next(struct host *h)
{
    if (!host_wait(h, &h->count, h->taken + 1))
        return NULL;
    return &h->messages[h->taken++];
}

static inline bool host_next_is(struct host *h, struct port *settle, const char *text)
{
    const struct heard *m = host_next(h);
    if (!m)
        return false;
    if (settle)
        port_settle(settle, m->receipt, OUTCOME_OK);
    if (strcmp(m->bytes, text) != 0)
        printf("    got %.100s, want %s\n", m->bytes, text);
    return strcmp(m->bytes, text) == 0;
}

/* pairs: name, value, ..., NULL. Prints why it failed. */
static inline struct port *test_open(const struct port_type *type, bool is_sink, struct host *h,
                                     const char *const *pairs, struct err *e)
{
    struct option_value values[32];
    struct options o = {values, 0};
    for (; pairs[0]; pairs += 2)
        values[o.count++] = (struct option_value){pairs[0], pairs[1]};
    port_use_clock(clock_steady_ms);
    return port_open(type, is_sink, "Test/S", &o, &host_calls, h, e);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
