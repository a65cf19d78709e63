/* log.c - the log connector: every payload is a line of our log. */
#include "engine/base/log.h"
#include "engine/base/limits.h"
#include "ports/bind_in.h"
#include <strings.h>

static const struct option options[] = {
    {"prefix", OPTION_TEXT, OPTION_SINK, NULL, "before each line; else APP : STREAM"},
    {"priority", OPTION_TEXT, OPTION_SINK, "INFO", "INFO, DEBUG, WARN, ERROR, FATAL, TRACE or OFF"},
};

static const struct priority {
    const char *name;
    enum log_level level;
    bool off;
} priorities[] = {
    {"INFO", LOG_INFO, false},   {"DEBUG", LOG_DEBUG, false}, {"WARN", LOG_WARN, false},
    {"ERROR", LOG_ERROR, false}, {"FATAL", LOG_ERROR, false}, {"TRACE", LOG_TRACE, false},
    {"OFF", LOG_ERROR, true},
};

static const struct priority *find_priority(const struct options *o)
{
    const char *name = option_text(o, "priority");
    for (size_t i = 0; i < sizeof(priorities) / sizeof(*priorities); i++)
        if (name && strcasecmp(priorities[i].name, name) == 0)
            return &priorities[i];
    return NULL;
}

static int check(const struct options *o, bool is_sink, struct err *e, const char **which)
{
    (void)is_sink;
    if (find_priority(o))
        return 0;
    *which = "priority";
    return err_set(e, ERR_INVALID, "there is no priority '%s': INFO, DEBUG, WARN, ERROR, FATAL, TRACE or OFF",
                   option_text(o, "priority"));
}

static void print_event(const struct event *e, struct buf *out)
{
    buf_printf(out, "Event{timestamp=%lld, data=[", (long long)e->at_ms);
    for (uint32_t i = 0; e->row && i < e->row->count; i++) {
        if (i > 0)
            buf_add_str(out, ", ");
        value_print(row_get(e->row, i), out);
    }
    buf_add_str(out, "], isExpired=false}");
}

static void print_payload(const struct payload *p, struct buf *out)
{
    switch (p->kind) {
    case PAYLOAD_TEXT:
        buf_add(out, p->bytes, p->len);
        break;
    case PAYLOAD_BYTES:
        for (size_t i = 0; i < p->len; i++)
            buf_printf(out, "%02x", (unsigned char)p->bytes[i]);
        break;
    case PAYLOAD_MAP:
        value_print(value_object(p->map), out);
        break;
    case PAYLOAD_EVENTS:
    case PAYLOAD_ROW:
        if (p->events->is_batch)
            buf_add_char(out, '[');
        for (uint32_t i = 0; i < p->events->count; i++) {
            if (i > 0)
                buf_add_str(out, ", ");
            print_event(&p->events->events[i], out);
        }
        if (p->events->is_batch)
            buf_add_char(out, ']');
        break;
    }
}

void log_publish(const struct options *options_of_sink, const char *app, const char *stream,
                 const struct payload *p)
{
    const struct priority *priority = find_priority(options_of_sink);
    if (!priority || priority->off || !log_enabled(priority->level))
        return;
    struct buf line;
    buf_init(&line, LIMIT_MESSAGE_BYTES);
    print_payload(p, &line);
    const char *prefix = option_text(options_of_sink, "prefix"), *text = line.bytes ? line.bytes : "";
    if (prefix)
        log_write(priority->level, app, "%s : %s", prefix, text);
    else
        log_write(priority->level, app, "%s : %s : %s", app, stream, text);
    buf_fini(&line);
}

const struct port_type port_log = {
    .name = "log",
    .help = "writes what comes to the log",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_sink = true,
    .in_process = true,
    .check = check,
};
