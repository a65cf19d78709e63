/* hush.h - log lines at a bounded rate: one a second for each hush; the next one tells how many were left
 * out. One thread. */
#ifndef WEIR_AGENT_HUSH_H
#define WEIR_AGENT_HUSH_H

#include "engine/base/log.h"
#include <stdint.h>

struct hush {
    int64_t quiet_until_us;
    uint64_t hidden;
};

void hush_log(struct hush *h, enum log_level level, const char *part, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What was left out is told now, if anything. */
void hush_end(struct hush *h, enum log_level level, const char *part);

#endif
