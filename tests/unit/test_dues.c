/* test_dues.c - the timers a window asked for, through checkpoints: loaded, they are the same in the same order,
 * and what is written is what is new. */
#include "engine/window/dues.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"

enum { MOST = 100000 };

static uint32_t seed = 5;
static int64_t asked[MOST], held[MOST]; /* what timer_request got; what dues should hold, from held_from */
static uint32_t asked_count, held_count, held_from;

void timer_request(struct op *op, int64_t due_ms)
{
    (void)op;
    if (asked_count < MOST)
        asked[asked_count++] = due_ms;
}

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static uint64_t save(struct dues *d, struct state *s, struct home *h)
{
    struct writer w = {.state = s};
    buf_init(&w.out, SIZE_MAX);
    state_begin(s, &h->door);
    dues_save(d, &w);
    state_part(s, "dues", &w.out);
    state_finish(s);
    buf_fini(&w.out);
    return state_written(s);
}

static bool load(struct dues *d, struct state *s, struct home *h)
{
    struct reader r;
    struct err e;
    asked_count = 0;
    state_open(s, &h->door);
    bool good = state_read(s, "dues", &r, &e) == 0;
    if (good)
        dues_load(d, NULL, &r);
    state_shut(s);
    return good && !r.failed && r.at == r.end;
}

static bool is_as_held(void)
{
    return asked_count == held_count - held_from &&
           memcmp(asked, held + held_from, asked_count * sizeof *asked) == 0;
}

static void request(struct dues *d, int64_t due_ms)
{
    dues_request(d, NULL, due_ms);
    held[held_count++] = due_ms;
}

/* The place-th that is held; of equal ones the first. */
static void fire(struct dues *d, uint32_t place)
{
    uint32_t at = held_from;
    while (held[at] != held[held_from + place])
        at++;
    dues_fired(d, held[at]);
    memmove(held + held_from + 1, held + held_from, (at - held_from) * sizeof *held);
    held_from++;
}

/* New ones and fired ones between checkpoints. same: of ten, so many ask for the moment of the one before.
 * behind: now and then one fires that is not the first. */
static void test_rounds(uint32_t same, bool behind, uint64_t most_bytes)
{
    struct home h;
    struct state *s = state_new();
    struct dues d = {0};
    int64_t due_ms = 1700000000000;
    uint64_t most = 0;
    bool right = true;
    home_init(&h);
    held_count = held_from = 0;
    for (int round = 0; round < 200; round++) {
        for (uint32_t n = round ? draw(300) : 20000; n > 0; n--) {
            due_ms += draw(10) < same ? 0 : draw(50) ? draw(100) : -(int64_t)draw(1000);
            request(&d, due_ms);
        }
        for (uint32_t n = round % 50 == 49 ? held_count - held_from : draw(300);
             n > 0 && held_from < held_count; n--)
            fire(&d, behind && draw(100) == 0 ? draw(held_count - held_from) : 0);
        dues_fired(&d, 5); /* nobody asked for it */
        uint64_t written = save(&d, s, &h);
        most = round && written > most ? written : most;
        if (round % 5)
            continue;
        struct state *again = state_new();
        struct dues loaded = {0};
        right = right && load(&loaded, again, &h) && is_as_held();
        struct state *ends = round % 2 ? s : again;
        dues_fini(round % 2 ? &d : &loaded);
        if (round % 2) { /* goes on from what was loaded */
            d = loaded;
            s = again;
        }
        state_free(ends);
    }
    CHECK(right);
    if (!CHECK(most <= most_bytes))
        printf("    %u same: %llu bytes\n", same, (unsigned long long)most);
    dues_fini(&d);
    save(&d, s, &h);
    state_free(s);
    CHECK(h.count == 2); /* the part, and the groups' counter */
    home_fini(&h);
}

/* As one run of bytes, damaged: never more than wrong times. */
static void test_damaged(void)
{
    struct dues d = {0}, loaded = {0};
    struct writer w = {0};
    buf_init(&w.out, SIZE_MAX);
    for (int i = 0; i < 100; i++)
        dues_request(&d, NULL, 1700000000000 + i / 7);
    dues_fired(&d, 1700000000000);
    dues_save(&d, &w);
    for (size_t at = 0; at < w.out.len; at++) {
        for (int bit = 1; bit < 256; bit *= 2) {
            struct reader r = {.at = (const uint8_t *)w.out.bytes,
                               .end = (const uint8_t *)w.out.bytes + w.out.len};
            w.out.bytes[at] = (char)(w.out.bytes[at] ^ bit);
            asked_count = 0;
            dues_load(&loaded, NULL, &r);
            w.out.bytes[at] = (char)(w.out.bytes[at] ^ bit);
        }
        struct reader r = {.at = (const uint8_t *)w.out.bytes, .end = (const uint8_t *)w.out.bytes + at};
        dues_load(&loaded, NULL, &r);
        CHECK(r.failed);
    }
    buf_fini(&w.out);
    dues_fini(&d);
    dues_fini(&loaded);
}

int main(void)
{
    test_rounds(0, false, 2000);
    test_rounds(9, false, 1000);
    test_rounds(5, true, UINT64_MAX);
    test_damaged();
    return check_end();
}
