#include "agent/supervise.h"
#include "agent/clock.h"
#include "agent/notify.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <inttypes.h>

void supervise_init(struct supervise *s, struct worker *workers, int count)
{
    *s = (struct supervise){
        .workers = workers, .count = count, .watchdog_us = notify_watchdog_us(), .next_us = INT64_MAX};
    s->seen = mem_array((size_t)count, sizeof *s->seen);
    if (s->watchdog_us)
        s->next_us = clock_steady_us();
}

void supervise_fini(struct supervise *s)
{
    mem_free(s->seen);
}

void supervise_look(struct supervise *s)
{
    int64_t now_us = clock_steady_us();
    if (!s->watchdog_us || now_us < s->next_us)
        return;
    s->next_us = now_us + s->watchdog_us / 3;
    bool all_turn = true;
    for (int i = 0; i < s->count; i++) {
        uint64_t beat = atomic_load_explicit(&s->workers[i].beat, memory_order_relaxed);
        struct supervise_seen *seen = &s->seen[i];
        if (beat != seen->beat || beat % 2 == 0 || !seen->since_us)
            *seen = (struct supervise_seen){beat, now_us};
        else if (now_us - seen->since_us > s->watchdog_us) {
            log_write(LOG_ERROR, "agent", "worker %d has not finished a round for %" PRId64 " ms", i,
                      (now_us - seen->since_us) / 1000);
            all_turn = false;
        }
    }
    if (all_turn)
        notify_send("WATCHDOG=1");
}
