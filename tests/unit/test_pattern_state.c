/* test_pattern_state.c - patterns with many partial matches through checkpoints: one app runs on, another is
 * saved, thrown away and loaded again and again, and both put out the same. In this build few are many
 * (engine/run/pattern_places.c). */
#include "engine/base/hash.h"
#include "engine/engine.h"
#include "engine/run/app.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"

static const int64_t BEGIN_MS = 1700000000000;
static const char head[] = "define stream S (k int, v long); define stream Z (k int, v long); ";
static const char *const patterns[] = {
    "from every a=S -> b=Z[b.k == a.k] select a.v as x, b.v as y insert into Out;",
    "from every a=S -> b=Z[b.k == a.k and b.v > a.v + 20] select a.v as x, b.v as y insert into Out;",
    "from every a=S -> b=Z[b.k == a.k] within 3 sec select a.v as x, b.v as y insert into Out;",
    "from a=S[k == 1] -> every b=S[k > 5] -> c=Z[c.k == b.k] select a.v as x, b.v as y, c.v as z insert into "
    "Out;",
    "from every a=S -> b=S[b.k == a.k] and c=Z[c.k == a.k] select a.v as x, b.v as y, c.v as z insert into "
    "Out;",
    "from every a=S -> b=S[b.k == a.k] or c=Z[c.k == a.k] within 5 sec select a.v as x, b.v as y, c.v as z "
    "insert into Out;",
    "from every (a=S -> b=S[b.k == a.k + 1]) -> c=Z[c.k == b.k] within 20 sec select a.v as x, b.v as y, c.v "
    "as z "
    "insert into Out;",
    "from every a=S -> not Z[Z.k == a.k] for 2 sec select a.v as x insert into Out;",
    "from every a=S -> not Z[Z.k == a.k] for 2 sec and b=S[b.k == a.k] within 1 min select a.v as x, b.v as "
    "y insert "
    "into Out;",
    "from every not Z[k < 3] for 100 milliseconds -> a=S[k == 7] select a.v as x insert into Out;",
    "from every a=S -> b=Z[b.k == a.k]<1:3> -> c=S[c.k == a.k] select a.v as x, b[last].v as y, c.v as z "
    "insert "
    "into Out;",
    "from every a=S<1:3> -> c=Z[c.k == a[0].k] within 4 sec select a[0].v as x, c.v as y insert into Out;",
    "from every a=S, b=Z[b.k != a.k] select a.v as x, b.v as y insert into Out;",
    "from every a=S -> b=Z[b.k == a.k] select a.v as x insert all events into Out;",
    "partition with (k of S, k of Z) begin from every a=S -> b=Z[b.v > a.v + 90] select a.v as x, b.v as y "
    "insert "
    "into Out; end;",
};

static uint64_t seen, seen_count; /* what the running app put out, as a hash */

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    const struct app *app = *(struct app **)user;
    if (strcmp(plan_stream(app_plan(app), stream)->id, "Out") != 0)
        return;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct row *row = b->events[i].row;
        seen = hash_bytes(&b->events[i].at_ms, sizeof b->events[i].at_ms, seen);
        seen_count++;
        for (size_t k = 0; k < row->count; k++) {
            int64_t v = row->types[k] == TYPE_LONG ? row_get(row, k).as.l : -1;
            seen = hash_bytes(&v, sizeof v, seen);
        }
    }
}

static struct app *app_of(struct app **app, const char *pattern, int64_t now_ms, bool resume)
{
    struct buf text;
    struct compile c;
    struct err e = {0};
    struct app_host host = {.stream = on_stream, .user = app};
    buf_init(&text, SIZE_MAX);
    buf_add_str(&text, head);
    buf_add_str(&text, pattern);
    engine_compile(&c, text.bytes, text.len, NULL);
    buf_fini(&text);
    *app = c.plan ? app_new(c.plan, &host) : NULL;
    c.plan = NULL;
    compile_fini(&c);
    CHECK(*app && app_start(*app, now_ms, resume, &e) == 0);
    return *app;
}

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Events come in bursts of one stream, some a little late, and now and then time passes. */
static void step(struct app *app, int i, int64_t *now_ms)
{
    static const char *const streams[] = {"S", "Z"};
    uint32_t stream = (int)draw(8) < 6 - i / 50 % 5 ? 0u : 1u;
    int64_t at_ms = *now_ms += draw(20) ? draw(30) : draw(3000);
    if (draw(30) == 0)
        at_ms -= draw(50);
    struct row *row = row_new(2, at_ms);
    row_set(row, 0, draw(100) ? value_int((int32_t)draw(12)) : VALUE_NULL);
    row_set(row, 1, value_long(i));
    const struct event e = {.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT};
    app_advance(app, *now_ms);
    app_send(app, (uint32_t)plan_find_stream(app_plan(app), streams[stream]), &e, 1, false);
    row_unref(row);
}

enum { STEPS = 1200 };

/* every 0: it runs on. Else a checkpoint comes every so many events, and after most a new app goes on from it.
 * Returns the bytes of all checkpoints. */
static uint64_t run(const char *pattern, int every, uint64_t *hash, uint64_t *count)
{
    struct app *app;
    struct home home;
    struct err e = {0};
    int64_t now_ms = BEGIN_MS;
    uint64_t written = 0;
    home_init(&home);
    seed = 5;
    seen = seen_count = 0;
    app_of(&app, pattern, now_ms, false);
    for (int i = 0; i < STEPS && app; i++) {
        step(app, i, &now_ms);
        if (!every || i % every != every - 1)
            continue;
        written += app_checkpoint(app, &home.door);
        if (i / every % 4 == 1) /* it goes on itself */
            continue;
        app_free(app);
        app_of(&app, pattern, now_ms, true);
        if (!CHECK(app_restore(app, &home.door, NULL, &e) == 0))
            printf("    %s: %s\n", pattern, e.text);
    }
    app_advance(app, now_ms + 10000);
    *hash = seen;
    *count = seen_count;
    app_free(app);
    home_fini(&home);
    return written;
}

static void test_restarts(const char *pattern)
{
    static const int every[] = {3, 40, 200};
    uint64_t wanted, wanted_count, got, count;
    run(pattern, 0, &wanted, &wanted_count);
    if (!CHECK(wanted_count > 3))
        printf("    %s: %d\n", pattern, (int)wanted_count);
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        run(pattern, every[i], &got, &count);
        if (!CHECK(got == wanted && count == wanted_count))
            printf("    every %d: %s: %d, not %d\n", every[i], pattern, (int)count, (int)wanted_count);
    }
}

/* Each part and piece, cut short, is refused. */
static void test_damaged(const char *pattern)
{
    struct app *app;
    struct home home;
    struct err e = {0};
    int64_t now_ms = BEGIN_MS;
    int refused = 0, tries = 0;
    home_init(&home);
    seed = 11;
    app_of(&app, pattern, now_ms, false);
    for (int i = 0; i < 300; i++)
        step(app, i, &now_ms);
    app_checkpoint(app, &home.door);
    app_free(app);
    for (size_t i = 0; i < home.count; i++) {
        struct home_item was = home.items[i];
        if (was.key_len == 1) /* what is counted there is seen from the others too */
            continue;
        tries++;
        home.items[i].len = was.len / 2;
        app_of(&app, pattern, now_ms, true);
        refused += app_restore(app, &home.door, NULL, &e) < 0;
        app_free(app);
        home.items[i] = was;
    }
    if (!CHECK(tries > 3 && refused == tries))
        printf("    %d of %d refused\n", refused, tries);
    home_fini(&home);
}

int main(void)
{
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        test_restarts(patterns[i]);
    test_damaged(patterns[0]);
    test_damaged(patterns[4]);
    test_damaged(patterns[7]);
    return check_end();
}
