/* cron.h - Quartz cron expressions in UTC (spec 10 section 1): parsed once, asked for the next firing. No
 * clock in here. */
#ifndef WEIR_BASE_CRON_H
#define WEIR_BASE_CRON_H

#include "engine/base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum { CRON_FIRST_YEAR = 1970, CRON_LAST_YEAR = 2099 };

struct cron {
    uint64_t seconds, minutes;              /* bit n: value n */
    uint32_t hours, days, months, weekdays; /* weekdays: bit 1 is SUN, bit 8 a day that never comes */
    uint64_t years[3];                      /* bit n: CRON_FIRST_YEAR + n */
    bool no_day, no_weekday;                /* '?' stands there */
    bool by_weekday;                        /* day of month is '?' */
    bool last_day;                          /* L, L-n, LW */
    int last_offset;                        /* L-n */
    bool nearest;                           /* nW, LW: the weekday nearest to that day */
    bool last_weekday;                      /* nL: the last such day of the month */
    int nth_weekday;                        /* n#k: k, else 0 */
};

/* 0 or ERR_INVALID with the reason. */
int cron_parse(struct cron *c, const char *text, struct err *e);
/* The first firing after after_ms, in milliseconds since the epoch; -1: none. */
int64_t cron_next(const struct cron *c, int64_t after_ms);
/* The last firing before until_ms, or at_ms, which is one, when there is none behind it. */
int64_t cron_last(const struct cron *c, int64_t at_ms, int64_t until_ms);

#endif
