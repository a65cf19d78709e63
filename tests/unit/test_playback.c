/* test_playback.c - @app:playback in a host whose time passes by itself (engine.h: app_tick, app_move): the
 * app's clock and the host's stand apart, and both come back with the state. */
#include "engine/engine.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"
#include <inttypes.h>

static const int64_t BEGIN_MS = 1700000000000;
static struct home home;
static struct buf seen; /* "STREAM value@at " of every event */

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    const struct app *app = *(struct app **)user;
    for (uint32_t i = 0; i < b->count; i++)
        buf_printf(&seen, "%s%" PRId64 "@%" PRId64 " ", plan_stream(app_plan(app), stream)->id,
                   row_get(b->events[i].row, 0).as.l, b->events[i].at_ms);
}

static struct app *open_app(struct app **app, const char *text, int64_t now_ms, bool resume)
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
    CHECK(app_start(*app, now_ms, resume, &e) == 0);
    return *app;
}

/* An event of S that is v, as a source's host brings it: the host's time, then the event's. */
static void send(struct app *app, int64_t host_ms, int64_t at_ms, int64_t v)
{
    struct row *row = row_new(1, at_ms);
    row_set_take(row, 0, value_long(v));
    const struct event e = {.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT};
    app_tick(app, BEGIN_MS + host_ms);
    app_move(app, at_ms);
    app_send(app, (uint32_t)plan_find_stream(app_plan(app), "S"), &e, 1, false);
    row_unref(row);
}

static void saw(const char *wanted)
{
    CHECK_TEXT(seen.bytes ? seen.bytes : "", wanted);
    buf_clear(&seen);
}

/* The state goes out and into a new app, which begins at another time. */
static void restart(struct app **app, const char *text, int64_t now_ms)
{
    struct err e = {0};
    app_checkpoint(*app, &home.door);
    app_free(*app);
    open_app(app, text, now_ms, true);
    if (!CHECK(app_restore(*app, &home.door, NULL, &e) == 0))
        printf("    %s\n", e.text);
}

static void test_triggers(bool restarts)
{
    const char *text = "@app:playback define stream S(v long); define trigger B at 'start'; "
                       "define trigger T at every 1 sec; define trigger C at '*/2 * * * * ?';";
    struct app *app;
    home_init(&home);
    open_app(&app, text, BEGIN_MS, false);
    saw("B0@0 ");
    CHECK(app_next_due(app) == BEGIN_MS + 1000);
    app_tick(app, BEGIN_MS + 999);
    saw("");
    app_tick(app, BEGIN_MS + 2100);
    saw("T0@0 T0@0 C0@0 ");
    if (restarts)
        restart(&app, text, BEGIN_MS + 2100);
    send(app, 2500, 4000, 1); /* long before the host's time */
    send(app, 2600, 3000, 2);
    CHECK(app_now(app) == 4000 && app_task_now(app) == BEGIN_MS + 2600);
    saw("S1@4000 S2@3000 ");
    if (restarts)
        restart(&app, text, BEGIN_MS + 9000);
    app_tick(app, BEGIN_MS + 3000);
    saw("T4000@4000 ");
    app_free(app);
    home_fini(&home);
}

static void test_idle(bool restarts)
{
    const char *text = "@app:playback(idle.time='1 sec', increment='10 sec') define stream S(v long); "
                       "from S#window.time(15 sec) select v insert expired events into O;";
    struct app *app;
    home_init(&home);
    open_app(&app, text, BEGIN_MS, false);
    app_tick(app, BEGIN_MS + 60000); /* the heart beats from the first event on */
    CHECK(app_next_due(app) == INT64_MAX && app_now(app) == 0);
    send(app, 60000, 500, 7);
    CHECK(app_next_due(app) == BEGIN_MS + 61000);
    send(app, 60400, 600, 8);
    send(app, 60600, 100, 9); /* older than the clock: as if nothing had come */
    app_tick(app, BEGIN_MS + 61399);
    CHECK(app_now(app) == 600);
    if (restarts)
        restart(&app, text, BEGIN_MS + 61399);
    app_tick(app, BEGIN_MS + 61400);
    CHECK(app_now(app) == 10600);
    saw("S7@500 S8@600 S9@100 ");
    if (restarts)
        restart(&app, text, BEGIN_MS + 62000);
    app_tick(app, BEGIN_MS + 62400);
    CHECK(app_now(app) == 20600);
    saw("O7@20600 O8@20600 O9@20600 ");
    app_tick(app, BEGIN_MS + 3600000); /* the host was away: once */
    CHECK(app_now(app) == 30600 && app_next_due(app) == BEGIN_MS + 3601000);
    app_tick(app, BEGIN_MS + 3600500); /* time alone is no event */
    app_tick(app, BEGIN_MS + 3601000);
    CHECK(app_now(app) == 40600);
    app_free(app);
    home_fini(&home);
}

/* Checks are by the host's time, silence by the app's. */
static void test_purge(void)
{
    const char *text = "@app:playback define stream S(v long); "
                       "@purge(enable='true', interval='1 sec', idle.period='5 sec') partition with (v of S) "
                       "begin from S select count() as n insert into O; end;";
    struct app *app;
    open_app(&app, text, BEGIN_MS, false);
    send(app, 0, 1000, 1);
    send(app, 500, 1001, 1);
    app_tick(app, BEGIN_MS + 60000);
    send(app, 60001, 6001, 1);
    saw("O1@1000 S1@1000 O2@1001 S1@1001 O3@6001 S1@6001 ");
    send(app, 60002, 11002, 2);
    app_tick(app, BEGIN_MS + 62000);
    send(app, 62001, 11003, 1);
    saw("O1@11002 S2@11002 O1@11003 S1@11003 ");
    app_free(app);
}

int main(void)
{
    buf_init(&seen, SIZE_MAX);
    test_triggers(false);
    test_triggers(true);
    test_idle(false);
    test_idle(true);
    test_purge();
    buf_fini(&seen);
    return check_end();
}
