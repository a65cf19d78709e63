/* ranking.c - see ranking.h. */
#include "engine/window/ranking.h"

/* ---- values to counters ---- */

static uint32_t slot_of(const struct ranking *t, struct value value, uint32_t hash)
{
    uint32_t mask = t->slot_count - 1, i = hash & mask;
    for (; t->slots[i]; i = (i + 1) & mask) {
        const struct ranking_counter *c = &t->counters[t->slots[i]];
        if (c->hash == hash && value_same(c->value, value))
            break;
    }
    return i;
}

static uint32_t find(const struct ranking *t, struct value value, uint32_t hash)
{
    return t->slot_count ? t->slots[slot_of(t, value, hash)] : RANKING_NONE;
}

/* Those behind it that would not be found any more move up. */
static void slot_empty(struct ranking *t, uint32_t i)
{
    uint32_t mask = t->slot_count - 1;
    t->slots[i] = RANKING_NONE;
    for (uint32_t k = (i + 1) & mask; t->slots[k]; k = (k + 1) & mask) {
        uint32_t home = t->counters[t->slots[k]].hash & mask;
        if (((k - home) & mask) < ((k - i) & mask))
            continue;
        t->slots[i] = t->slots[k];
        t->slots[k] = RANKING_NONE;
        i = k;
    }
}

static void slots_widen(struct ranking *t)
{
    mem_free(t->slots);
    t->slot_count = t->slot_count ? t->slot_count * 2 : 16;
    ASSERT(t->slot_count > 0);
    t->slots = mem_array(t->slot_count, sizeof *t->slots);
    for (uint32_t level = t->highest; level; level = t->levels[level].lower)
        for (uint32_t c = t->levels[level].newest; c; c = t->counters[c].older)
            t->slots[slot_of(t, t->counters[c].value, t->counters[c].hash)] = c;
}

/* ---- places ---- */

static uint32_t counter_new(struct ranking *t)
{
    uint32_t place = t->counter_free;
    if (place) {
        t->counter_free = t->counters[place].older;
        return place;
    }
    if (t->counter_top + 1 >= t->counter_cap) {
        t->counter_cap = t->counter_cap ? t->counter_cap * 2 : 8;
        ASSERT(t->counter_cap > t->counter_top);
        t->counters = mem_resize(t->counters, t->counter_cap, sizeof *t->counters);
    }
    return ++t->counter_top;
}

static uint32_t level_new(struct ranking *t, int64_t frequency)
{
    uint32_t place = t->level_free;
    if (place) {
        t->level_free = t->levels[place].lower;
    } else {
        if (t->level_top + 1 >= t->level_cap) {
            t->level_cap = t->level_cap ? t->level_cap * 2 : 4;
            ASSERT(t->level_cap > t->level_top);
            t->levels = mem_resize(t->levels, t->level_cap, sizeof *t->levels);
        }
        place = ++t->level_top;
    }
    t->levels[place] = (struct ranking_level){.frequency = frequency};
    return place;
}

/* A new level between two that are neighbours; RANKING_NONE: an end of the chain. */
static uint32_t level_between(struct ranking *t, int64_t frequency, uint32_t lower, uint32_t higher)
{
    uint32_t place = level_new(t, frequency);
    t->levels[place].lower = lower;
    t->levels[place].higher = higher;
    *(lower ? &t->levels[lower].higher : &t->lowest) = place;
    *(higher ? &t->levels[higher].lower : &t->highest) = place;
    return place;
}

static void level_end(struct ranking *t, uint32_t place)
{
    struct ranking_level *l = &t->levels[place];
    *(l->lower ? &t->levels[l->lower].higher : &t->lowest) = l->higher;
    *(l->higher ? &t->levels[l->higher].lower : &t->highest) = l->lower;
    l->lower = t->level_free;
    t->level_free = place;
}

/* The newest of the level from now on. */
static void counter_link(struct ranking *t, uint32_t place, uint32_t level)
{
    struct ranking_counter *c = &t->counters[place];
    struct ranking_level *l = &t->levels[level];
    c->level = level;
    c->newer = RANKING_NONE;
    c->older = l->newest;
    *(l->newest ? &t->counters[l->newest].newer : &l->oldest) = place;
    l->newest = place;
}

static void counter_enter(struct ranking *t, uint32_t place, uint32_t level)
{
    t->counters[place].stamp = ++t->steps;
    segments_touch(t->saved, place - 1);
    counter_link(t, place, level);
}

static void counter_leave(struct ranking *t, uint32_t place)
{
    struct ranking_counter *c = &t->counters[place];
    struct ranking_level *l = &t->levels[c->level];
    *(c->newer ? &t->counters[c->newer].older : &l->newest) = c->older;
    *(c->older ? &t->counters[c->older].newer : &l->oldest) = c->newer;
    if (!l->newest)
        level_end(t, c->level);
}

/* ---- steps ---- */

/* The level of one step more, or less, made when there is none; the counter goes there. */
static void counter_step(struct ranking *t, uint32_t place, int step)
{
    uint32_t from = t->counters[place].level;
    int64_t frequency = t->levels[from].frequency + step;
    uint32_t near = step > 0 ? t->levels[from].higher : t->levels[from].lower, to = near;
    if (!near || t->levels[near].frequency != frequency)
        to = step > 0 ? level_between(t, frequency, from, near) : level_between(t, frequency, near, from);
    counter_leave(t, place);
    counter_enter(t, place, to);
}

static uint32_t counter_add(struct ranking *t, struct value value, uint32_t hash)
{
    uint32_t place = counter_new(t);
    t->counters[place] = (struct ranking_counter){.value = value_keep(value), .hash = hash};
    if ((t->count + 1) * 2 > t->slot_count)
        slots_widen(t);
    t->slots[slot_of(t, value, hash)] = place;
    t->count++;
    return place;
}

void ranking_add(struct ranking *t, struct value value)
{
    uint32_t hash = value_hash(value), place = find(t, value, hash);
    if (place) {
        counter_step(t, place, 1);
        return;
    }
    place = counter_add(t, value, hash);
    bool is_there = t->lowest && t->levels[t->lowest].frequency == 1;
    counter_enter(t, place, is_there ? t->lowest : level_between(t, 1, RANKING_NONE, t->lowest));
}

void ranking_remove(struct ranking *t, struct value value)
{
    uint32_t hash = value_hash(value), place = find(t, value, hash);
    if (!place)
        return;
    if (ranking_frequency(t, place) > 1) {
        counter_step(t, place, -1);
        return;
    }
    struct ranking_counter *c = &t->counters[place];
    slot_empty(t, slot_of(t, value, hash));
    counter_leave(t, place);
    value_drop(c->value);
    segments_touch(t->saved, place - 1);
    c->level = RANKING_NONE;
    c->older = t->counter_free;
    t->counter_free = place;
    t->count--;
}

void ranking_clear(struct ranking *t)
{
    for (uint32_t place = ranking_first(t, true); place; place = ranking_next(t, place, true))
        value_drop(t->counters[place].value);
    if (t->slots)
        memset(t->slots, 0, t->slot_count * sizeof *t->slots);
    t->count = t->counter_top = t->counter_free = t->level_top = t->level_free = 0;
    t->highest = t->lowest = RANKING_NONE;
}

void ranking_fini(struct ranking *t)
{
    ranking_clear(t);
    segments_end(&t->saved);
    mem_free(t->counters);
    mem_free(t->levels);
    mem_free(t->slots);
    *t = (struct ranking){0};
}

uint32_t ranking_first(const struct ranking *t, bool most)
{
    uint32_t level = most ? t->highest : t->lowest;
    return level ? t->levels[level].newest : RANKING_NONE;
}

uint32_t ranking_next(const struct ranking *t, uint32_t place, bool most)
{
    const struct ranking_counter *c = &t->counters[place];
    const struct ranking_level *l = &t->levels[c->level];
    if (c->older)
        return c->older;
    uint32_t level = most ? l->lower : l->higher;
    return level ? t->levels[level].newest : RANKING_NONE;
}

/* ---- state: a counter's frequency, stamp and value; of a free one the frequency 0 ---- */

static void write_counter(void *user, struct writer *w, uint32_t place)
{
    const struct ranking *t = user;
    const struct ranking_counter *c = &t->counters[place + 1];
    write_varint(w, c->level ? (uint64_t)t->levels[c->level].frequency : 0);
    if (!c->level)
        return;
    write_varint(w, c->stamp);
    write_value(w, c->value);
}

void ranking_save(struct ranking *t, struct writer *w)
{
    const struct segments_owner owner = {.user = t, .write = write_counter};
    write_held(w, t->counter_cap * sizeof *t->counters + t->level_cap * sizeof *t->levels +
                      t->slot_count * sizeof *t->slots);
    write_varint(w, t->steps);
    segments_save(&t->saved, w, t->counter_top, &owner);
}

struct loading {
    struct ranking *t;
    int64_t *frequencies; /* by place; 0: it is free */
    uint32_t *order;      /* of places */
};

static bool begin_counters(void *user, uint32_t count)
{
    struct loading *l = user;
    struct ranking *t = l->t;
    if (count >= UINT32_MAX / 4)
        return false;
    t->counter_top = count;
    t->counter_cap = count + 2;
    t->counters = mem_array(t->counter_cap, sizeof *t->counters);
    l->frequencies = mem_array((size_t)count + 1, sizeof *l->frequencies);
    l->order = mem_array((size_t)count + 1, sizeof *l->order);
    return true;
}

static bool read_counter(void *user, struct reader *r, uint32_t place)
{
    struct loading *l = user;
    struct ranking_counter *c = &l->t->counters[place + 1];
    uint64_t frequency = read_varint(r);
    if (frequency == 0 || frequency > INT64_MAX)
        return frequency == 0;
    c->stamp = read_varint(r);
    c->value = read_value(r);
    c->hash = value_hash(c->value);
    l->frequencies[place + 1] = (int64_t)frequency;
    return !r->failed;
}

/* The places that are not free, by frequency, of equals the oldest first: heap sort. */
static void sift(const struct loading *l, uint32_t at, uint32_t count)
{
    const struct ranking_counter *counters = l->t->counters;
    for (uint32_t child; (child = at * 2 + 1) < count; at = child) {
        uint32_t a = l->order[child], b = child + 1 < count ? l->order[child + 1] : a, up = l->order[at];
        int64_t fa = l->frequencies[a], fb = l->frequencies[b];
        if (fb > fa || (fb == fa && counters[b].stamp > counters[a].stamp)) {
            a = b;
            fa = fb;
            child++;
        }
        if (l->frequencies[up] > fa || (l->frequencies[up] == fa && counters[up].stamp >= counters[a].stamp))
            return;
        l->order[child] = up;
        l->order[at] = a;
    }
}

static void order_places(const struct loading *l, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift(l, i, count);
    for (uint32_t end = count; end > 1;) {
        uint32_t largest = l->order[0];
        l->order[0] = l->order[--end];
        l->order[end] = largest;
        sift(l, 0, end);
    }
}

/* Chain and slots of what was read. False: a value stands there twice. */
static bool link_counters(const struct loading *l)
{
    struct ranking *t = l->t;
    uint32_t count = 0;
    for (uint32_t place = t->counter_top; place > 0; place--) {
        if (l->frequencies[place] > 0) {
            l->order[count++] = place;
        } else {
            t->counters[place].older = t->counter_free;
            t->counter_free = place;
        }
    }
    order_places(l, count);
    for (t->slot_count = 16; t->slot_count < count * 2;)
        t->slot_count *= 2;
    t->slots = mem_array(t->slot_count, sizeof *t->slots);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = l->order[i];
        const struct ranking_counter *c = &t->counters[place];
        uint32_t slot = slot_of(t, c->value, c->hash);
        if (t->slots[slot])
            return false;
        t->slots[slot] = place;
        bool is_there = t->highest && t->levels[t->highest].frequency == l->frequencies[place];
        counter_link(t, place,
                     is_there ? t->highest
                              : level_between(t, l->frequencies[place], t->highest, RANKING_NONE));
    }
    t->count = count;
    return true;
}

int ranking_load(struct ranking *t, struct reader *r)
{
    struct loading l = {.t = t};
    const struct segments_owner owner = {.user = &l, .read = read_counter, .begin = begin_counters};
    t->steps = read_varint(r);
    int rc = segments_load(&t->saved, r, &owner);
    bool fits = rc == 0 && !r->failed && (!l.order || link_counters(&l));
    if (!fits) {
        for (uint32_t place = 1; place <= t->counter_top; place++)
            value_drop(t->counters[place].value);
        t->counter_top = 0;
        t->highest = t->lowest = RANKING_NONE;
        rc = ERR_STATE;
    }
    mem_free(l.frequencies);
    mem_free(l.order);
    return rc;
}
