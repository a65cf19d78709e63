#include "agent/metrics.h"
#include "agent/clock.h"
#include "engine/base/log.h"
#include <inttypes.h>

struct metrics metrics;

static uint64_t get(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_log(const char *when)
{
    log_write(LOG_INFO, "agent",
              "%s: messages in %" PRIu64 ", rejected %" PRIu64 ", out %" PRIu64 ", lost %" PRIu64
              "; events failed %" PRIu64 "; errors stored %" PRIu64 ", dropped %" PRIu64 ", refused %" PRIu64
              ", replayed %" PRIu64 "; at limits dropped %" PRIu64 ", stored %" PRIu64
              "; partial matches dropped %" PRIu64 "; turns %" PRIu64 "; clock steps %" PRIu64
              "; CPU %" PRId64 " ms; peak memory %ld kB",
              when, get(&metrics.in), get(&metrics.rejected), get(&metrics.out), get(&metrics.lost),
              get(&metrics.failed), get(&metrics.errors_stored), get(&metrics.errors_dropped),
              get(&metrics.errors_refused), get(&metrics.errors_replayed), get(&metrics.limit_dropped),
              get(&metrics.limit_stored), get(&metrics.matches_dropped), get(&metrics.turns),
              get(&metrics.clock_steps), clock_cpu_us() / 1000, clock_peak_rss_kb());
}
