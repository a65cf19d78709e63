/* supervise.h - whether the workers still turn: what the watchdog of systemd is told depends on it. Main
 * thread. */
#ifndef WEIR_AGENT_SUPERVISE_H
#define WEIR_AGENT_SUPERVISE_H

#include "agent/turn.h"

struct supervise {
    struct worker *workers;
    int count;
    int64_t watchdog_us; /* 0: nobody watches */
    int64_t next_us;     /* when to look again */
    struct supervise_seen {
        uint64_t beat;
        int64_t since_us;
    } * seen;
};

void supervise_init(struct supervise *s, struct worker *workers, int count);
void supervise_fini(struct supervise *s);
/* Looks when it is time and feeds the watchdog if no worker has been in one round for longer than the
 * watchdog's interval. */
void supervise_look(struct supervise *s);

#endif
