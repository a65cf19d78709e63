/* source.c - see source.h. */
#include "agent/source.h"
#include "agent/clock.h"
#include "agent/turn.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include <string.h>

static int on_deliver(void *user, const char *bytes, size_t len, const struct property *properties,
                      int property_count, uint64_t receipt)
{
    struct source *s = user;
    struct arrival a = {.source = s,
                        .receipt = receipt,
                        .at_ms = clock_wall_ms(),
                        .property_count = (uint32_t)property_count};
    a.too_big = len > LIMIT_MESSAGE_BYTES;
    a.len = a.too_big ? 0 : (uint32_t)len;
    pthread_mutex_lock(&s->worker->lock);
    int rc = ERR_BUSY;
    struct hosted *h = s->hosted;
    if (h) {
        rc = inbox_put(&h->inbox, &a, bytes, properties);
        if (rc == ERR_TOO_BIG) {
            a.too_big = true;
            a.len = a.property_count = 0;
            rc = inbox_put(&h->inbox, &a, "", NULL);
        }
    }
    if (rc == 0)
        worker_ready(s->worker, h);
    else
        s->is_stopped = true;
    pthread_mutex_unlock(&s->worker->lock);
    return rc;
}

static void on_status(void *user, enum port_state state, const char *words)
{
    struct source *s = user;
    static const char *const names[] = {"connecting", "connected", "disconnected", "failed"};
    enum log_level level = state == PORT_CONNECTING  ? LOG_DEBUG
                           : state == PORT_CONNECTED ? LOG_INFO
                                                     : LOG_WARN;
    bool is_news = s->state != (int)state;
    s->state = (int)state;
    /* What is no news was a try more that failed, or a message that the port refused: the port has told it. */
    log_write(is_news ? level : LOG_DEBUG, s->log_name, "source %s: %s%s%s", s->name, names[state],
              words ? ": " : "", words ? words : "");
}

static const struct port_host source_host = {.deliver = on_deliver, .status = on_status};

int source_open(struct source **out, const struct bind_source *from, const char *app, const char *stream,
                struct worker *worker, struct err *e)
{
    struct source *s = mem_alloc(sizeof *s);
    char text[512];
    s->type = from->type;
    s->name = mem_strdup(stream);
    s->worker = worker;
    s->number = from->number;
    s->state = -1;
    snprintf(text, sizeof text, "app %s", app);
    s->log_name = mem_strdup(text);
    snprintf(text, sizeof text, "%s/%s %s", app, stream, from->type->name);
    s->port = port_open(from->type, false, text, &from->options, &source_host, s, e);
    if (!s->port) {
        source_close(s);
        return ERR_INVALID;
    }
    *out = s;
    return 0;
}

void source_close(struct source *s)
{
    if (s->port)
        port_close(s->port);
    repeats_fini(&s->repeats);
    hush_end(&s->hush, LOG_WARN, s->log_name);
    mem_free(s->name);
    mem_free(s->log_name);
    mem_free(s);
}
