/* test_hostile.c - checkpoints whose bytes were changed anyhow, with the right checksums on them: the loader refuses
 * them or takes them, and what it took goes on, is saved and loaded again. No crash, no leak, no loop without end, no
 * memory beyond a bound. "test_hostile ROUNDS SEED" does more than the few rounds of each kind that the tests do. */
#include "engine/base/hash.h"
#include "engine/engine.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEYS = 12, EVENTS = 60, ROUNDS = 120, PATIENCE_S = 15, MEMORY_MOST = 64 * 1024 * 1024 };
static const int64_t BEGIN_MS = 1000000000000, MINUTE_MS = 60000;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=256";
}

static const char head[] =
    "define stream S (g string, at long, v double); define stream Z (g string, at long, v double);";
/* ~: ticks. A moment of ages ago would have it make up for all since, so no time passes for what was loaded. */
static const char *const kinds[] = {
    "from S select g, sum(v) as s, count() as n group by g insert into Out;",
    "from S select g, max(v) as s, min(at) as n, stdDev(v) as d, distinctCount(g) as c group by g insert "
    "into "
    "Out;",
    "from S#window.unique:ever(g) select sum(v) as s insert into Out;",
    "from S#window.unique:first(g) select sum(v) as s insert into Out;",
    "from S#window.unique:time(g, 1 hour) select sum(v) as s insert into Out;",
    "from S#window.frequent(5000, g) select g, v insert into Out;",
    "from S#window.session(1 hour, g) select g, v insert expired events into Out;",
    "from S#window.session(5 milliseconds, g, 2 milliseconds) select g, v insert all events into Out;",
    "partition with (g of S) begin from S select g, sum(v) as s insert into Out; end;",
    "partition with (g of S) begin from S#window.length(3) select g, sum(v) as s insert into Out; end;",
    "partition with (g of S) begin from S#window.time(3 milliseconds) select g, sum(v) as s insert into Out; "
    "end;",
    "~define aggregation A from S select g, sum(v) as s group by g aggregate every hour...day;",
    "define table T (g string, at long, v double); from S insert into T;"
    "from Z select g, at, v update or insert into T on T.g == g;",
    "@primaryKey('g') @index('at') define table T (g string, at long, v double); from S update or insert "
    "into T "
    "on T.g == g;",
    "define window W (g string, at long, v double) time(3 milliseconds) output all events; from S insert "
    "into W;"
    "from W select sum(v) as s insert into Out;",
    "from S#window.length(5000) select g, v insert all events into Out;",
    "~from S#window.timeBatch(3 milliseconds) select g, sum(v) as s insert all events into Out;",
    "from S#window.sort(10, at) select g insert expired events into Out;",
    "from S#window.externalTimeBatch(at, 7) select g, count() as n insert all events into Out;",
    "from every a=S -> b=Z[b.g == a.g] select a.at as x, b.at as y insert into Out;",
    "from every a=S -> b=Z[b.g == a.g] and c=Z[c.v > 2.0 and c.g == a.g] within 1 sec select a.at as x, b.at "
    "as "
    "y insert into Out;",
    "from every (a=S -> b=S[b.g == a.g]) -> c=Z[c.g == b.g] select a.at as x, c.at as y insert into Out;",
    "from every a=S -> not Z[Z.g == a.g] for 1 hour select a.at as x insert into Out;",
    "from every a=S -> not Z[Z.g == a.g] for 2 milliseconds and b=S[b.g == a.g] select a.at as x insert into "
    "Out;",
    "from every a=S<1:3> -> b=Z[b.g == a[0].g] select b.at as y insert into Out;",
    "from every a=S, b=Z[b.g != a.g] select a.at as x, b.at as y insert into Out;",
    "partition with (g of S, g of Z) begin from every a=S -> b=Z[b.v > a.v] select a.at as x, b.at as y "
    "insert "
    "into Out; end;",
    "~from S select g, v group by g output last every 1 hour insert into Out;",
    "~from S select g, sum(v) as s group by g output snapshot every 1 hour insert into Out;",
    "from S select g, kf:kalmanFilter(v) as x group by g insert into Out;",
    "from S#window.length(5000)#extrema:topK(g, 2) select Top1Element as g insert into Out;",
    "from S#window.extrema:maxByLength(v, 10) select g insert all events into Out;",
    "~from S#window.extrema:maxbytime(v, 1 hour) select g insert all events into Out;",
};

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- changing ---- */

enum { SUM = 8, LEAST = SUM + 1 };

static void sign(struct home_item *i)
{
    uint64_t by = 0;
    if (i->key[0] == 'P')
        by = hash_bytes(i->key + 1, i->key_len - 1, 1);
    for (size_t k = i->key_len - 8; i->key[0] == 'Q' && k < i->key_len; k++) /* a piece: by its number */
        by = by << 8 | (unsigned char)i->key[k];
    uint64_t sum = hash_bytes(i->bytes + SUM, i->len - SUM, by);
    for (int k = 0; k < SUM; k++)
        i->bytes[k] = (char)(sum >> (56 - 8 * k));
}

/* Of i from at on: so many bytes become these. */
static void replace(struct home_item *i, size_t at, size_t gone, const char *bytes, size_t len)
{
    char *to = mem_alloc(i->len - gone + len + 1);
    memcpy(to, i->bytes, at);
    memcpy(to + at, bytes, len);
    memcpy(to + at + len, i->bytes + at + gone, i->len - at - gone);
    mem_free(i->bytes);
    i->bytes = to;
    i->len += len - gone;
}

static void put_number(struct home_item *i, size_t at)
{
    static const int64_t numbers[] = {INT64_MIN, INT64_MAX, -1, 0, 1, INT32_MAX, UINT32_MAX};
    int64_t number = numbers[draw(sizeof numbers / sizeof *numbers)];
    memcpy(i->bytes + at, &number, i->len - at < sizeof number ? i->len - at : sizeof number);
}

static void put_varint(struct home_item *i, size_t at)
{
    char bytes[10];
    size_t len = 1 + draw(sizeof bytes);
    memset(bytes, 0xFF, sizeof bytes);
    bytes[len - 1] = (char)draw(0x80);
    replace(i, at, 1, bytes, len);
}

static void put_of_other(struct home_item *i, size_t at, const struct home *h)
{
    const struct home_item *o = &h->items[draw((uint32_t)h->count)];
    size_t from = draw((uint32_t)o->len), len = 1 + draw(32);
    char bytes[32];
    len = len < o->len - from ? len : o->len - from;
    memcpy(bytes, o->bytes + from, len);
    replace(i, at, len < i->len - at ? len : i->len - at, bytes, len);
}

static void change(struct home *h)
{
    struct home_item *i = &h->items[draw((uint32_t)h->count)];
    if (i->len <= LEAST + 1)
        return;
    size_t at = SUM + draw((uint32_t)(i->len - SUM)), some = 1 + draw(draw(4) ? 4 : 64);
    some = some < i->len - at ? some : i->len - at;
    switch (draw(8)) {
    case 0:
        i->bytes[at] ^= (char)(1 << draw(8));
        break;
    case 1:
        i->bytes[at] = (char)(draw(2) ? draw(4) : draw(256));
        break;
    case 2:
        i->len = at < LEAST ? LEAST : at;
        break;
    case 3: { /* doubled */
        char bytes[64];
        memcpy(bytes, i->bytes + at, some);
        replace(i, at, 0, bytes, some);
        break;
    }
    case 4:
        if (i->len - some > LEAST)
            replace(i, at, some, "", 0);
        break;
    case 5:
        put_varint(i, at);
        break;
    case 6:
        put_number(i, at);
        break;
    default:
        put_of_other(i, at, h);
    }
    sign(i);
}

/* ---- apps ---- */

static struct app *app_of(const char *kind, bool resume)
{
    struct buf text;
    struct compile c;
    struct app_host host = {0};
    struct err e = {0};
    buf_init(&text, SIZE_MAX);
    buf_add_str(&text, head);
    buf_add_str(&text, kind + (*kind == '~'));
    engine_compile(&c, text.bytes, text.len, NULL);
    buf_fini(&text);
    struct app *app = c.plan ? app_new(c.plan, &host) : NULL;
    c.plan = app ? NULL : c.plan;
    compile_fini(&c);
    if (!app || app_start(app, BEGIN_MS, resume, &e) < 0) {
        printf("    refused: %s\n", kind);
        CHECK(!"the app is refused");
        exit(check_end());
    }
    return app;
}

static void live(struct app *app, uint32_t from, uint32_t count, bool passes)
{
    for (uint32_t number = from; number < from + count; number++) {
        char g[16];
        struct row *row = row_new(3, BEGIN_MS + number / 4);
        row_set_take(row, 0, value_text(text_new(g, (size_t)snprintf(g, sizeof g, "key%u", draw(KEYS)))));
        row_set(row, 1, value_long(number));
        row_set(row, 2, value_double(number % 50 * 0.1));
        if (passes)
            app_advance(app, row->at_ms);
        uint32_t stream = (uint32_t)plan_find_stream(app_plan(app), draw(4) ? "S" : "Z");
        app_send(app, stream, &(struct event){.row = row, .at_ms = row->at_ms, .kind = EVENT_CURRENT}, 1,
                 false);
        row_unref(row);
    }
}

static void copy(struct home *to, const struct home *from)
{
    home_init(to);
    for (size_t i = 0; i < from->count; i++)
        home_put(to, from->items[i].key, from->items[i].key_len, from->items[i].bytes, from->items[i].len);
}

/* What was loaded goes on. app is gone then. */
static bool go_on(struct app *app, const char *kind, struct home *h)
{
    struct err e = {0};
    live(app, EVENTS, 12, *kind != '~');
    app_checkpoint(app, &h->door);
    app_free(app);
    app = app_of(kind, true);
    bool good = app_restore(app, &h->door, NULL, &e) == 0;
    if (!good)
        printf("    %s\n", e.text);
    app_free(app);
    return good;
}

static const char *now_kind;
static uint64_t now_number;

static void on_alarm(int signal)
{
    (void)signal;
    fprintf(stderr, "no end: seed %llu: %s\n", (unsigned long long)now_number, now_kind);
    abort();
}

static void one_round(const char *kind, const struct home *saved, uint64_t number)
{
    struct mem_account account = {.most = INT64_MAX};
    struct home h;
    struct err e = {0};
    seed = now_number = number;
    now_kind = kind;
    copy(&h, saved);
    for (uint32_t i = 1 + draw(draw(3) ? 1 : 4); i > 0; i--)
        change(&h);
    alarm(PATIENCE_S);
    mem_account = &account;
    struct app *app = app_of(kind, true);
    int rc = app_restore(app, &h.door, NULL, &e);
    mem_account = NULL;
    bool fits = account.bytes < MEMORY_MOST, good = true;
    if (rc == 0 && app_next_due(app) >= BEGIN_MS - MINUTE_MS) /* else its clock has ages to catch up */
        good = go_on(app, kind, &h);
    else
        app_free(app);
    if (!CHECK(fits && good))
        printf("    seed %llu, %lld bytes: %s\n", (unsigned long long)number, (long long)account.bytes, kind);
    home_fini(&h);
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : ROUNDS;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    signal(SIGALRM, on_alarm);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct home saved;
        home_init(&saved);
        seed = 7 + k;
        struct app *app = app_of(kinds[k], false);
        live(app, 0, EVENTS / 2, true);
        app_checkpoint(app, &saved.door);
        live(app, EVENTS / 2, EVENTS / 2, true);
        app_checkpoint(app, &saved.door);
        app_free(app);
        for (uint64_t i = 0; i < rounds; i++)
            one_round(kinds[k], &saved, hash_bytes(&i, sizeof i, first + k));
        home_fini(&saved);
    }
    return check_end();
}
