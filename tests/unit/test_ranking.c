/* test_ranking.c - values by how often they came: the same order as counting and sorting gives, whatever
 * comes and goes; and what a checkpoint keeps of it is the same again. */
#include "engine/window/ranking.h"
#include "tests/unit/check.h"

enum { VALUES = 40 };

static uint64_t seed = 20261121;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* By hand: the value is its number; 0 is null. */
struct counted {
    int64_t frequency[VALUES];
    uint64_t stamp[VALUES], steps;
};

static struct value value_of(uint32_t i)
{
    char text[16];
    if (i == 0)
        return VALUE_NULL;
    if (i % 2)
        return value_keep(value_text(text_new(text, (size_t)snprintf(text, sizeof text, "v%u", i))));
    return value_int((int32_t)i);
}

static void step(struct ranking *t, struct counted *c, uint32_t i, bool adds)
{
    struct value v = value_of(i);
    if (adds)
        ranking_add(t, v);
    else
        ranking_remove(t, v);
    value_drop(v);
    if (v.type == TYPE_STRING)
        value_drop(v); /* text_new's */
    if (!adds && c->frequency[i] == 0)
        return;
    c->frequency[i] += adds ? 1 : -1;
    c->stamp[i] = ++c->steps;
}

/* The next in order behind all that are marked. */
static uint32_t best_of(const struct counted *c, const bool *taken, bool most)
{
    uint32_t best = VALUES;
    for (uint32_t i = 0; i < VALUES; i++) {
        if (taken[i] || c->frequency[i] == 0)
            continue;
        if (best == VALUES ||
            (c->frequency[i] == c->frequency[best] ? c->stamp[i] > c->stamp[best]
                                                   : (c->frequency[i] > c->frequency[best]) == most))
            best = i;
    }
    return best;
}

static bool agrees(const struct ranking *t, const struct counted *c, bool most)
{
    bool taken[VALUES] = {false};
    uint32_t count = 0, best;
    for (uint32_t place = ranking_first(t, most); place; place = ranking_next(t, place, most)) {
        best = best_of(c, taken, most);
        if (best == VALUES || ranking_frequency(t, place) != c->frequency[best])
            return false;
        struct value v = value_of(best);
        bool same = value_same(v, ranking_value(t, place));
        value_drop(v);
        if (v.type == TYPE_STRING)
            value_drop(v);
        if (!same)
            return false;
        taken[best] = true;
        count++;
    }
    return best_of(c, taken, most) == VALUES && count == t->count;
}

/* Saved and loaded: a new one in its place. */
static void restart(struct ranking *t)
{
    struct writer w = {0};
    struct ranking again = {0};
    buf_init(&w.out, SIZE_MAX);
    ranking_save(t, &w);
    struct reader r = {.at = (const uint8_t *)w.out.bytes, .end = (const uint8_t *)w.out.bytes + w.out.len};
    CHECK(ranking_load(&again, &r) == 0 && r.at == r.end);
    for (size_t cut = 0; cut < w.out.len; cut += 7) { /* what is cut short is refused, and ends */
        struct ranking part = {0};
        r = (struct reader){.at = (const uint8_t *)w.out.bytes, .end = (const uint8_t *)w.out.bytes + cut};
        CHECK(ranking_load(&part, &r) < 0);
        ranking_fini(&part);
    }
    buf_fini(&w.out);
    ranking_fini(t);
    *t = again;
}

int main(void)
{
    struct ranking t = {0};
    struct counted c = {0};
    bool good = true;
    CHECK(ranking_first(&t, true) == RANKING_NONE && ranking_first(&t, false) == RANKING_NONE);
    for (uint32_t i = 0; i < 6000; i++) {
        uint32_t phase = i / 1000 % 3; /* it grows, it shrinks, it does both */
        step(&t, &c, draw(VALUES), phase == 0 ? draw(4) > 0 : phase == 1 ? draw(4) == 0 : draw(2) == 0);
        good = good && agrees(&t, &c, true) && agrees(&t, &c, false);
        if (i % 500 == 499)
            restart(&t);
        if (i == 2500) {
            ranking_clear(&t);
            c = (struct counted){0};
        }
    }
    CHECK(good);
    ranking_fini(&t);
    return check_end();
}
