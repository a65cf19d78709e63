#include "agent/hush.h"
#include "agent/clock.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { QUIET_LEAST_US = 1000000, QUIET_MOST_US = 60000000 };

void hush_log(struct hush *h, enum log_level level, const char *part, const char *format, ...)
{
    int64_t now_us = clock_steady_us();
    char words[1024];
    va_list args;
    if (!log_enabled(level))
        return;
    if (now_us < h->quiet_until_us) {
        h->hidden++;
        return;
    }
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (h->hidden)
        log_write(level, part, "%s (and %" PRIu64 " more like it before)", words, h->hidden);
    else
        log_write(level, part, "%s", words);
    h->hidden = 0;
    bool is_calm = !h->quiet_us || now_us - h->quiet_until_us >= h->quiet_us;
    h->quiet_us = is_calm ? QUIET_LEAST_US : h->quiet_us * 2;
    if (h->quiet_us > QUIET_MOST_US)
        h->quiet_us = QUIET_MOST_US;
    h->quiet_until_us = now_us + h->quiet_us;
}

void hush_end(struct hush *h, enum log_level level, const char *part)
{
    if (h->hidden)
        log_write(level, part, "%" PRIu64 " more lines were left out", h->hidden);
    h->hidden = 0;
}
