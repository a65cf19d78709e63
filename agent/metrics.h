/* metrics.h - what the agent counted since it started. Any thread; each number alone is right, together they
 * may be a message apart. */
#ifndef WEIR_AGENT_METRICS_H
#define WEIR_AGENT_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

struct metrics {
    _Atomic uint64_t in;              /* messages that sources took */
    _Atomic uint64_t rejected;        /* of those: did not fit, at least in part */
    _Atomic uint64_t failed;          /* events that failed inside an app */
    _Atomic uint64_t out;             /* messages that are with the far side of a sink */
    _Atomic uint64_t lost;            /* messages for a sink that never will be */
    _Atomic uint64_t repeats;         /* messages that came again and had been taken */
    _Atomic uint64_t commits;         /* transactions of the store */
    _Atomic uint64_t errors_stored;   /* entries of the error store that were made */
    _Atomic uint64_t errors_dropped;  /* entries that went for newer ones */
    _Atomic uint64_t errors_refused;  /* entries there was no room for */
    _Atomic uint64_t errors_replayed; /* entries that went through */
    _Atomic uint64_t limit_dropped;   /* messages that an app at its limit threw away */
    _Atomic uint64_t limit_stored;    /* or that went to the error store instead */
    _Atomic uint64_t matches_dropped; /* partial matches at their bound: of apps that ended */
    _Atomic uint64_t turns;
    _Atomic uint64_t clock_steps; /* the computer's clock was set: step.h */
};
extern struct metrics metrics;

static inline void metrics_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
/* One line at level info: "messages in 1, rejected 0, ..." */
void metrics_log(const char *when);

#endif
