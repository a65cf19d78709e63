/* port.c - what every door shares: options, the vtable's front side, backoff, threads of a kind.
 *
 * Calls that a worker makes go through here with the memory account off: what a port allocates is freed on
 * another thread, so it must not be counted to the app whose turn it is. */
#include "ports/port.h"
#include "engine/base/log.h"
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

enum {
    PORT_STACK_BYTES = 512 * 1024,
    BACKOFF_FIRST_MS = 5000,
    QUIET_LEAST_MS = 1000,
    QUIET_MOST_MS = 60000,
};

/* ---- options ---- */

static const struct option_value *option_find(const struct options *o, const char *name)
{
    for (int i = 0; i < o->count; i++)
        if (strcmp(o->values[i].name, name) == 0)
            return &o->values[i];
    return NULL;
}

const char *option_text(const struct options *o, const char *name)
{
    const struct option_value *v = option_find(o, name);
    return v ? v->text : NULL;
}

int64_t option_long(const struct options *o, const char *name, int64_t otherwise)
{
    const char *text = option_text(o, name);
    if (!text || !*text)
        return otherwise;
    char *end;
    long long value = strtoll(text, &end, 10);
    return *end == '\0' ? value : otherwise;
}

bool option_bool(const struct options *o, const char *name)
{
    const char *text = option_text(o, name);
    return text && strcasecmp(text, "true") == 0;
}

const char *message_option(const struct port *p, const struct message *m, const char *name)
{
    for (int i = 0; i < m->dynamic_count; i++)
        if (strcmp(m->dynamic[i].name, name) == 0)
            return m->dynamic[i].text;
    return option_text(&p->options, name);
}

/* A prefix row ("regex.*") has no slot of its own. */
static bool is_prefix(const struct option *row)
{
    size_t len = strlen(row->name);
    return len > 0 && row->name[len - 1] == '*';
}

static void options_copy(struct port *p, const struct options *from)
{
    const struct port_type *type = p->type;
    int room = (from ? from->count : 0) + type->option_count, count = 0;
    struct option_value *values = mem_array((size_t)room, sizeof *values);
    for (int i = 0; from && i < from->count; i++) {
        const struct option_value *v = &from->values[i];
        values[count++] = (struct option_value){mem_strdup(v->name), v->text ? mem_strdup(v->text) : NULL};
    }
    unsigned side = p->is_sink ? OPTION_SINK : OPTION_SOURCE;
    for (int i = 0; i < type->option_count; i++) {
        const struct option *row = &type->options[i];
        if (is_prefix(row) || !(row->flags & side) || (from && option_find(from, row->name)))
            continue;
        values[count++] =
            (struct option_value){mem_strdup(row->name), row->standard ? mem_strdup(row->standard) : NULL};
    }
    p->options = (struct options){values, count};
}

/* ---- the front side of the vtable ---- */

static void port_free(struct port *p)
{
    for (int i = 0; i < p->options.count; i++) {
        mem_free((char *)(uintptr_t)p->options.values[i].name);
        mem_free((char *)(uintptr_t)p->options.values[i].text);
    }
    mem_free(p->options.values);
    mem_free(p->self);
    mem_free(p->name);
    mem_free(p);
}

struct port *port_open(const struct port_type *type, bool is_sink, const char *name,
                       const struct options *options, const struct port_host *host, void *user, struct err *e)
{
    if (is_sink ? !type->can_sink : !type->can_source) {
        err_set(e, ERR_UNSUPPORTED, "there is no %s of type '%s'", is_sink ? "sink" : "source", type->name);
        return NULL;
    }
    struct mem_account *account = mem_account;
    mem_account = NULL;
    struct port *p = mem_alloc(sizeof *p);
    p->type = type;
    p->is_sink = is_sink;
    p->host = host;
    p->user = user;
    p->name = mem_strdup(name);
    p->self = mem_alloc(type->size);
    options_copy(p, options);
    const char *which = NULL;
    if ((type->check && type->check(&p->options, is_sink, e, &which) < 0) ||
        (type->open && type->open(p, e) < 0)) {
        port_free(p);
        p = NULL;
    }
    mem_account = account;
    return p;
}

int port_send(struct port *p, const struct message *m)
{
    ASSERT(p->is_sink && p->type->send);
    struct mem_account *account = mem_account;
    mem_account = NULL;
    int rc = p->type->send(p, m);
    mem_account = account;
    return rc;
}

void port_settle(struct port *p, uint64_t receipt, enum outcome outcome)
{
    if (p->type->settle)
        p->type->settle(p, receipt, outcome);
}

void port_resume(struct port *p)
{
    if (p->type->resume)
        p->type->resume(p);
}

void port_close(struct port *p)
{
    if (!p)
        return;
    struct mem_account *account = mem_account;
    mem_account = NULL;
    if (p->type->close)
        p->type->close(p);
    port_free(p);
    mem_account = account;
}

void port_batch_end(const struct port *p)
{
    if (p->host->batch_end)
        p->host->batch_end(p->user);
}

/* ---- backoff ---- */

int64_t backoff_first_ms(void)
{
    const char *text = getenv("WEIR_BACKOFF_FIRST_MS");
    long value = text ? strtol(text, NULL, 10) : 0;
    return value > 0 ? value : BACKOFF_FIRST_MS;
}

int64_t backoff_ms(int attempt, int64_t first_ms)
{
    static const int times[] = {1, 2, 3, 6, 12, 12, 24, 60}; /* 5 s, 10 s, 15 s, 30 s, 1, 1, 2, 5 min */
    int last = (int)(sizeof times / sizeof *times) - 1;
    int64_t ms = first_ms * times[attempt < 0 ? 0 : attempt > last ? last : attempt];
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = 0;
    return ms - ms * (int64_t)(random % 101) / 1000;
}

/* ---- threads and time of the kinds ---- */

static int64_t (*steady_ms)(void);

void port_use_clock(int64_t (*clock_ms)(void))
{
    steady_ms = clock_ms;
}

int64_t port_now_ms(void)
{
    ASSERT(steady_ms);
    return steady_ms();
}

void port_complain(struct port *p, const char *format, ...)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int64_t now_ms = port_now_ms();
    uint64_t hidden = 0;
    pthread_mutex_lock(&lock);
    bool is_quiet = now_ms < p->quiet.until_ms;
    if (is_quiet) {
        p->quiet.hidden++;
    } else {
        bool is_calm = !p->quiet.ms || now_ms - p->quiet.until_ms >= p->quiet.ms;
        p->quiet.ms = is_calm ? QUIET_LEAST_MS : p->quiet.ms * 2;
        if (p->quiet.ms > QUIET_MOST_MS)
            p->quiet.ms = QUIET_MOST_MS;
        p->quiet.until_ms = now_ms + p->quiet.ms;
        hidden = p->quiet.hidden;
        p->quiet.hidden = 0;
    }
    pthread_mutex_unlock(&lock);
    if (is_quiet)
        return;
    char words[1024], more[64] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (hidden)
        snprintf(more, sizeof more, " (and %" PRIu64 " more like it before)", hidden);
    log_write(LOG_WARN, p->type->name, "%s: %s%s", p->name, words, more);
}

int port_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *user, struct err *e)
{
    sigset_t all, before;
    pthread_attr_t attr;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, PORT_STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, &attr, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return err_set(e, ERR_IO, "thread %s: %s", name, strerror(rc));
    pthread_setname_np(*thread, name);
    return 0;
}
