/* purge.h - when the keys of a partition end (@purge, spec 07 section 6).
 *
 * Every event begins a series of checks of its own: at its time + n * interval, for ever. A check ends the
 * keys that were silent for longer than idle. So what counts is at which phases of the interval there are
 * checks: a set of bits. Keys stand in order of their last use; one timer waits for the first check that may
 * end the oldest. Borrowed by partition.c, which owns the keys. */
#ifndef WEIR_RUN_PURGE_H
#define WEIR_RUN_PURGE_H

#include "engine/run/op.h"

/* In every key. */
struct purge_use {
    struct purge_use *prev, *next;
    int64_t last_ms;
};
struct purge {
    int64_t interval_ms, idle_ms;
    int64_t grain_ms; /* of a bit: 1 unless the interval is long; then checks come up to that much later */
    uint64_t *phases;
    uint32_t phase_count;
    struct purge_use *first, *last; /* least recently used first */
    int64_t asked_ms;               /* the timer's moment */
    bool is_asked;
};

void purge_init(struct purge *p, int64_t interval_ms, int64_t idle_ms);
void purge_fini(struct purge *p);
/* An event with this key came. op is whose timer it is. */
void purge_touch(struct purge *p, struct op *op, struct purge_use *use, bool is_new);
void purge_append(struct purge *p, struct purge_use *use);
/* The next key that ends in the check at now_ms, no longer in the list; NULL: no more. */
struct purge_use *purge_take(struct purge *p, int64_t now_ms);
/* Asks for the next check: after one, and after a load. */
void purge_ask(struct purge *p, struct op *op);
void purge_save(const struct purge *p, struct writer *w); /* without the keys */
int purge_load(struct purge *p, struct reader *r);

#endif
