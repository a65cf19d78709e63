/* test_step.c - a clock that is set (engine.h: app_skip, app_shift): triggers make up nothing, all else fires; and a
 * long time passes in which nothing can happen: what comes out is what comes out moment by moment, at once. */
#include "engine/engine.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"
#include <inttypes.h>

static const int64_t BEGIN_MS = 1700000000000, DAY_MS = 86400000, YEAR_MS = 365 * DAY_MS;
static struct home home;
static bool is_deaf;
static struct buf seen; /* "STREAM value@at " of every event, both since BEGIN_MS */

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    const struct app *app = *(struct app **)user;
    for (uint32_t i = 0; i < b->count && !is_deaf; i++)
        buf_printf(&seen, "%s%" PRId64 "@%" PRId64 " ", plan_stream(app_plan(app), stream)->id,
                   row_get(b->events[i].row, 0).as.l, b->events[i].at_ms - BEGIN_MS);
}

static struct app *open_app(struct app **app, const char *text, int64_t at_ms, bool resume)
{
    struct compile c;
    struct err e = {0};
    struct app_host host = {.seed = 1, .stream = on_stream, .user = app};
    engine_compile(&c, text, strlen(text), NULL);
    CHECK(c.plan != NULL);
    *app = app_new(c.plan, &host);
    c.plan = NULL;
    compile_fini(&c);
    app_await_clock(*app);
    CHECK(app_start(*app, BEGIN_MS + at_ms, resume, &e) == 0);
    return *app;
}

static void send(struct app *app, int64_t at_ms, int64_t v)
{
    struct row *row = row_new(1, BEGIN_MS + at_ms);
    row_set_take(row, 0, value_long(v));
    const struct event e = {.row = row, .at_ms = BEGIN_MS + at_ms, .kind = EVENT_CURRENT};
    app_tick(app, BEGIN_MS + at_ms);
    app_move(app, BEGIN_MS + at_ms);
    app_send(app, (uint32_t)plan_find_stream(app_plan(app), "S"), &e, 1, false);
    row_unref(row);
}

static void saw(const char *wanted)
{
    CHECK_TEXT(seen.bytes ? seen.bytes : "", wanted);
    buf_clear(&seen);
}

static void restart(struct app **app, const char *text, int64_t at_ms)
{
    struct err e = {0};
    app_checkpoint(*app, &home.door);
    app_free(*app);
    open_app(app, text, at_ms, true);
    if (!CHECK(app_restore(*app, &home.door, NULL, &e) == 0))
        printf("    %s\n", e.text);
}

/* ---- triggers ---- */

static const char triggers[] = "define stream S(v long); define trigger T at every 1 sec; "
                               "define trigger U at every 3 sec; define trigger C at '0 * * * * ?'; "
                               "@info(name='gone') from S#window.time(2 sec) select v * 0L as v "
                               "insert expired events into X;";

/* BEGIN_MS is 20 seconds behind a full minute. */
static void test_away(bool restarts)
{
    struct app *app;
    home_init(&home);
    open_app(&app, triggers, 0, false);
    CHECK(app_has_triggers(app) && app_next_shifted(app) == BEGIN_MS + 1000);
    send(app, 3500, 0);
    buf_clear(&seen);
    if (restarts)
        restart(&app, triggers, 3500);
    /* three days and a bit later: phases stay, what leaves a window leaves at its moment */
    app_skip(app, BEGIN_MS + 3 * DAY_MS + 700);
    saw("");
    app_tick(app, BEGIN_MS + 3 * DAY_MS + 700);
    saw("X0@5500 ");
    if (restarts)
        restart(&app, triggers, 3 * DAY_MS + 700);
    app_tick(app, BEGIN_MS + 3 * DAY_MS + 3000);
    CHECK(strstr(seen.bytes, "@259201000 T") && strstr(seen.bytes, "@259202000 "));
    CHECK(strstr(seen.bytes, "U") && strstr(seen.bytes, "U1700259203000@259203000 "));
    buf_clear(&seen);
    app_tick(app, BEGIN_MS + 3 * DAY_MS + 39999);
    CHECK(strstr(seen.bytes, "C") == NULL);
    app_tick(app, BEGIN_MS + 3 * DAY_MS + 40000);
    CHECK(strstr(seen.bytes, "C1700259240000@259240000 ") != NULL);
    buf_clear(&seen);
    /* nothing was missed: nothing changes */
    int64_t next_ms = app_next_due(app);
    app_skip(app, BEGIN_MS + 3 * DAY_MS + 40500);
    CHECK(app_next_due(app) == next_ms);
    app_free(app);
    home_fini(&home);
}

static void test_set_on(void)
{
    const char *text = "define stream S(v long); define trigger T at every 1 sec;"
                       "define trigger C at '0 * * * * ?';";
    struct app *app;
    open_app(&app, text, 0, false);
    app_tick(app, BEGIN_MS + 1400);
    saw("T1700000001000@1000 ");
    app_shift(app, 10 * YEAR_MS);
    app_skip(app, BEGIN_MS + 1400 + 10 * YEAR_MS);
    CHECK(app_next_due(app) == BEGIN_MS + 2000 + 10 * YEAR_MS);
    app_tick(app, BEGIN_MS + 1400 + 10 * YEAR_MS);
    saw("");
    app_tick(app, BEGIN_MS + 3000 + 10 * YEAR_MS);
    saw("T2015360002000@315360002000 T2015360003000@315360003000 ");
    app_free(app);
}

static void test_set_back(void)
{
    struct app *app;
    open_app(&app,
             "define stream S(v long); define trigger T at every 1 sec; define trigger C at '* * * * * ?';",
             0, false);
    app_tick(app, BEGIN_MS + 1400);
    saw("T1700000001000@1000 C1700000001000@1000 ");
    /* the clock stands at 1400 while three seconds pass */
    app_shift(app, -300);
    app_tick(app, BEGIN_MS + 1400);
    saw("");
    CHECK(app_next_shifted(app) == BEGIN_MS + 1700);
    app_shift(app, -2700);
    app_tick(app, BEGIN_MS + 1400);
    saw("T1700000001400@1400 T1700000001400@1400 T1700000001400@1400 ");
    app_tick(app, BEGIN_MS + 2000);
    saw("T1700000002000@2000 C1700000002000@2000 ");
    app_free(app);
}

static void test_playback(void)
{
    const char *text = "@app:playback(idle.time='2 sec', increment='1 sec') define stream S(v long); "
                       "define trigger T at every 1 sec; from S#window.time(2 sec) select v * 0L as v "
                       "insert expired events into X;";
    struct app *app;
    open_app(&app, text, 0, false);
    send(app, 500, 0);
    buf_clear(&seen);
    app_skip(app, BEGIN_MS + DAY_MS);
    app_tick(app, BEGIN_MS + DAY_MS); /* the heart beats once */
    CHECK(app_now(app) == BEGIN_MS + 1500);
    saw("");
    app_tick(app, BEGIN_MS + DAY_MS + 1000);
    saw("T1700000001500@1500 ");
    app_shift(app, -2000); /* stands for two seconds: idle */
    app_tick(app, BEGIN_MS + DAY_MS + 1000);
    saw("T1700000001500@1500 T1700000001500@1500 X0@2500 ");
    app_free(app);
}

/* ---- long times ---- */

static const char idle_text[] =
    "define stream S(v long); define window W(v long) timeBatch(7 sec) output all events;"
    "@purge(enable='false') define aggregation A from S select sum(v) as s aggregate every sec...year;"
    "from S insert into W; from W select v insert all events into O1;"
    "from S#window.timeBatch(1 sec) select v output every 2 sec insert all events into O2;"
    "from S#window.timeBatch(1 sec, 300) select sum(v) as v output last every 3 sec insert all events into "
    "O3;"
    "from S#window.cron('*/7 * * * * ?') select v output every 5 sec insert all events into O4;"
    "from S#window.cron('0 0 3 1 * ?') select v insert all events into O4;"
    "from S#window.time(20 min) select v output last every 5 sec insert all events into O5;"
    "from S#window.time(50 sec) select v output snapshot every 11 sec insert all events into O6;"
    "from S#window.time(50 sec) select v, sum(v) as s group by v output snapshot every 3 sec insert into O7;"
    "from S#window.time(50 sec) select sum(v) as s output snapshot every 3 sec insert into O8;"
    "from S#window.timeBatch(2 sec) select v output snapshot every 17 sec insert into O9;"
    "from S#window.unique:timeBatch(v, 2 sec) select v insert all events into O10;"
    "from S#window.extrema:maxbytimebatch(v, 4 sec) select v insert all events into O11;"
    "partition with (v of S) begin "
    "from S#window.timeBatch(6 sec) select v insert all events into P1;"
    "from S#window.cron('*/9 * * * * ?') select v insert all events into P2;"
    "from S#window.time(5 sec) select v output every 2 sec insert all events into P3;"
    "from S select v output snapshot every 1 day insert into P4; end;"
    "from O2 select v output every 1 sec insert into O2b; from O4 select v output every 1 sec insert into "
    "O4b;";

/* steps_ms: 0, at once; else so far at a time. Returns what came, the caller's. */
static char *long_time(const char *prefix, int64_t steps_ms)
{
    struct app *app;
    struct buf text;
    const int64_t gaps[] = {3300, 29000, 61000, 3600000, 12345678, 40 * DAY_MS / 10};
    int64_t at_ms = 100;
    buf_init(&text, SIZE_MAX);
    buf_printf(&text, "%s%s", prefix, idle_text);
    open_app(&app, text.bytes, 0, false);
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        send(app, at_ms, (int64_t)i % 3);
        send(app, at_ms + 1, (int64_t)i % 3 + 1);
        int64_t until_ms = at_ms + gaps[i];
        for (at_ms += 1; steps_ms && at_ms + steps_ms < until_ms; at_ms += steps_ms)
            app_tick(app, BEGIN_MS + at_ms);
        at_ms = until_ms;
    }
    app_tick(app, BEGIN_MS + at_ms);
    for (int64_t end_ms = at_ms + 60000; at_ms < end_ms; at_ms += 1000) /* all phases, all orders */
        send(app, at_ms, at_ms % 3);
    char *all = mem_strdup(seen.bytes);
    buf_clear(&seen);
    buf_fini(&text);
    app_free(app);
    return all;
}

static void test_same(void)
{
    char *at_once = long_time("", 0), *step_by_step = long_time("", 5000);
    CHECK(strlen(at_once) > 5000);
    CHECK_TEXT(at_once, step_by_step);
    mem_free(at_once);
    mem_free(step_by_step);
}

/* A clock that goes from 1970 to 2040; with looks at each moment it would take an hour. */
static void test_years(void)
{
    struct app *app;
    open_app(&app, idle_text, -BEGIN_MS, false);
    send(app, -BEGIN_MS, 1);
    send(app, -BEGIN_MS + 1, 2);
    buf_clear(&seen);
    struct mem_account *account = mem_account, mine = {.most = INT64_MAX};
    mem_account = &mine;
    is_deaf = true; /* a snapshot a day */
    app_tick(app, BEGIN_MS + 17 * YEAR_MS);
    mem_account = account;
    is_deaf = false;
    if (!CHECK(mine.bytes < 100000))
        printf("    %" PRId64 " bytes\n", mine.bytes);
    CHECK(app_next_due(app) > BEGIN_MS + 17 * YEAR_MS);
    buf_clear(&seen);
    app_free(app);
}

int main(void)
{
    buf_init(&seen, SIZE_MAX);
    test_away(false);
    test_away(true);
    test_set_on();
    test_set_back();
    test_playback();
    test_same();
    test_years();
    buf_fini(&seen);
    return check_end();
}
