/* ranking.h - how often values came: a counter each, always in order of frequency, so that the most and the
 * least frequent are at hand. Of equally frequent ones the one that came to its frequency last stands first.
 *
 * Every step is of one, so it costs a constant: counters of one frequency form a level, levels a chain. A
 * value that came as often as it left is forgotten. Zeroed memory is an empty ranking. Values are kept; null is
 * one too. Values are equal when value_same says so. In a checkpoint only counters that changed are written. */
#ifndef WEIR_WINDOW_RANKING_H
#define WEIR_WINDOW_RANKING_H

#include "engine/data/codec.h"
#include "engine/data/segments.h"

enum { RANKING_NONE = 0 }; /* places count from 1 */

struct ranking_counter {
    struct value value;
    uint64_t stamp; /* the step that brought it to its level */
    uint32_t hash;
    uint32_t level;        /* RANKING_NONE: it is free */
    uint32_t newer, older; /* on its level; older: the next free one, while it is free */
};
struct ranking_level {
    int64_t frequency;
    uint32_t higher, lower; /* lower: the next free one, while it is free */
    uint32_t newest, oldest;
};
struct ranking {
    struct ranking_counter *counters; /* by place; [0] is not used */
    struct ranking_level *levels;
    uint32_t *slots; /* open addressing: places of counters */
    uint32_t count;  /* values */
    uint32_t counter_cap, counter_top, counter_free;
    uint32_t level_cap, level_top, level_free;
    uint32_t slot_count; /* a power of two, or 0 */
    uint32_t highest, lowest;
    uint64_t steps;
    struct segments *saved; /* counters by place - 1 */
};

void ranking_add(struct ranking *t, struct value value);
/* One that isn't there is nothing. */
void ranking_remove(struct ranking *t, struct value value);
void ranking_clear(struct ranking *t);
void ranking_fini(struct ranking *t);
/* The first place by the most, or the least frequent, and the one behind place; RANKING_NONE: no more. */
uint32_t ranking_first(const struct ranking *t, bool most);
uint32_t ranking_next(const struct ranking *t, uint32_t place, bool most);
/* Of a place: its value, borrowed, and its frequency. */
static inline struct value ranking_value(const struct ranking *t, uint32_t place)
{
    return t->counters[place].value;
}
static inline int64_t ranking_frequency(const struct ranking *t, uint32_t place)
{
    return t->levels[t->counters[place].level].frequency;
}
void ranking_save(struct ranking *t, struct writer *w);
/* Into an empty one. ERR_STATE. */
int ranking_load(struct ranking *t, struct reader *r);

#endif
