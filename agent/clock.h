/* clock.h - the only place that reads a clock. The engine gets time as a number. */
#ifndef WEIR_AGENT_CLOCK_H
#define WEIR_AGENT_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_wall_ms(void);                    /* since the epoch, UTC */
long long clock_wall_for_log(void);             /* the same, in the type log.h asks for */
int64_t clock_steady_ms(void);                  /* CLOCK_MONOTONIC */
int64_t clock_steady_us(void);                  /* never goes back; no meaning beyond differences */
int64_t clock_cpu_us(void);                     /* CPU time of this process, all threads */
long clock_peak_rss_kb(void);                   /* the most memory this process ever had resident */
long clock_rss_kb(void);                        /* resident now; 0 where the system doesn't tell */
struct timespec clock_steady_in_ms(int64_t ms); /* a deadline for conditions on CLOCK_MONOTONIC */
void clock_pause_us(int64_t us);                /* a short rest, see turn.c */

#endif
