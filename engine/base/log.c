/* log.c - one line a message. The line is made on the stack and leaves with one write, so lines of threads do
 * not mix and a log line can still be written when there is no memory left. Control characters are escaped:
 * what a stranger sends cannot forge a line. */
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 2048, LINE_BYTES = 4096 };

struct line {
    size_t len;
    char bytes[LINE_BYTES];
};

static atomic_int level_now = LOG_INFO;
static atomic_bool json_now;
static _Atomic(long long (*)(void)) clock_now;

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};
static const char *const level_names_json[] = {"error", "warn", "info", "debug", "trace"};

void log_set(enum log_level level, bool json)
{
    atomic_store(&level_now, (int)level);
    atomic_store(&json_now, json);
}

void log_set_clock(long long (*wall_ms)(void))
{
    atomic_store(&clock_now, wall_ms);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
}

/* Four bytes stay free for the end of the line. */
static void line_add(struct line *l, const char *s, size_t len)
{
    if (len <= sizeof(l->bytes) - 4 - l->len) {
        memcpy(l->bytes + l->len, s, len);
        l->len += len;
    }
}

static void line_add_str(struct line *l, const char *s)
{
    line_add(l, s, strlen(s));
}

static void line_add_escaped(struct line *l, const char *s, bool json)
{
    size_t left = strlen(s);
    while (left > 0) {
        uint32_t code;
        size_t taken = utf8_decode(s, left, &code);
        char escape[8];
        if (taken == 0) {
            line_add_str(l, "?");
            taken = 1;
        } else if (code == '\n') {
            line_add_str(l, "\\n");
        } else if (code < 0x20 || (code >= 0x7F && code < 0xA0)) {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", code);
            line_add_str(l, escape);
        } else if (json && (code == '"' || code == '\\')) {
            line_add_str(l, code == '"' ? "\\\"" : "\\\\");
        } else {
            line_add(l, s, taken);
        }
        s += taken;
        left -= taken;
    }
}

/* 2026-01-31T12:00:00.123Z, or nothing when no clock is set. */
static void time_print(char *out, size_t out_bytes)
{
    long long (*wall_ms)(void) = atomic_load(&clock_now);
    out[0] = '\0';
    if (!wall_ms)
        return;
    long long ms = wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        return;
    size_t len = strftime(out, out_bytes, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + len, out_bytes - len, ".%03dZ", (int)(ms % 1000));
}

void log_write(enum log_level level, const char *part, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    char text[TEXT_BYTES], when[48];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    time_print(when, sizeof(when));

    struct line l = {.len = 0};
    if (atomic_load(&json_now)) {
        line_add_str(&l, "{");
        if (when[0]) {
            line_add_str(&l, "\"time\":\"");
            line_add_str(&l, when);
            line_add_str(&l, "\",");
        }
        line_add_str(&l, "\"level\":\"");
        line_add_str(&l, level_names_json[level]);
        line_add_str(&l, "\",\"part\":\"");
        line_add_escaped(&l, part, true);
        line_add_str(&l, "\",\"text\":\"");
        line_add_escaped(&l, text, true);
        memcpy(l.bytes + l.len, "\"}\n", 3);
        l.len += 3;
    } else {
        if (when[0]) {
            line_add_str(&l, when);
            line_add_str(&l, " ");
        }
        line_add_str(&l, level_names[level]);
        line_add_str(&l, " ");
        line_add_escaped(&l, part, false);
        line_add_str(&l, ": ");
        line_add_escaped(&l, text, false);
        l.bytes[l.len++] = '\n';
    }
    /* A log that cannot be written has nobody to be told to. */
    ssize_t ignored = write(STDERR_FILENO, l.bytes, l.len);
    (void)ignored;
}
