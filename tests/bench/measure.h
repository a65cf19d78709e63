/* measure.h - what the benchmarks of this folder read of themselves. Linux. */
#ifndef WEIR_BENCH_MEASURE_H
#define WEIR_BENCH_MEASURE_H

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Seconds of a clock: CLOCK_MONOTONIC by the wall, CLOCK_PROCESS_CPUTIME_ID of all this process's threads. */
static inline double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Memory that is resident now, in kB; 0 when the system does not tell. */
static inline long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

#endif
