/* hush.h - log lines at a bounded rate. One is followed by a second of silence, and while they keep coming the
 * silences grow, up to a minute; the next line tells how many were left out. One thread. */
#ifndef WEIR_AGENT_HUSH_H
#define WEIR_AGENT_HUSH_H

#include "engine/base/log.h"
#include <stdint.h>

struct hush {
    int64_t quiet_until_us, quiet_us; /* the silence, and how long it is */
    uint64_t hidden;
};

void hush_log(struct hush *h, enum log_level level, const char *part, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What was left out is told now, if anything. */
void hush_end(struct hush *h, enum log_level level, const char *part);

#endif
