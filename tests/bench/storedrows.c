/* storedrows.c - a table of a million rows (or N) in a folder on disk: how long it takes to fill, how long
 * until it is open again, what a lookup by primary key, one by an index and a row of a whole scan cost. One
 * JSON object a line. The folder is made and removed.
 *
 * Lookups come through a join, as events of a stream, so their time is all of an event's. Keys are asked in a
 * scattered order. */
#include "engine/engine.h"
#include "engine/store/store.h"
#include "tests/bench/measure.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS_A_COMMIT = 20000, GROUP = 4 };

static long found;

static void on_query(void *user, const char *name, int64_t at_ms, const struct batch *b)
{
    (void)user;
    (void)name;
    (void)at_ms;
    found += b->count;
}

static struct app *open_app(struct store *store, struct err *e)
{
    static const char source[] =
        "@store(type='lmdb') @primaryKey('k') @index('g') define table T (k string, g long, v double);"
        "define stream S (k string, g long, v double); define stream ByKey (k string, g long, v double);"
        "define stream ByIndex (k string, g long, v double); define stream ByScan (k string, g long, v "
        "double);"
        "from S insert into T;"
        "@info(name='q') from ByKey join T on ByKey.k == T.k select T.v as v insert into O1;"
        "@info(name='r') from ByIndex join T on ByIndex.g == T.g select T.v as v insert into O2;"
        "@info(name='s') from ByScan join T on T.v < ByScan.v select T.v as v insert into O3;";
    struct compile c;
    struct app_host host = {.query = on_query};
    engine_compile(&c, source, sizeof source - 1, NULL);
    if (!c.plan)
        exit(1);
    struct app *app = app_new(c.plan, &host);
    c.plan = NULL;
    compile_fini(&c);
    app_keep_tables(app, store, 1);
    if (app_start(app, 0, false, e) < 0) {
        fprintf(stderr, "%s\n", e->text);
        exit(1);
    }
    return app;
}

static void send_row(struct app *app, const char *stream, long i)
{
    char key[24];
    int len = snprintf(key, sizeof key, "device-%08ld", i);
    struct row *row = row_new(3, 1);
    row_set_take(row, 0, value_text(text_new(key, (size_t)len)));
    row_set_take(row, 1, value_long(i / GROUP));
    row_set_take(row, 2, value_double((double)i));
    struct event e = {.row = row, .at_ms = 1, .kind = EVENT_CURRENT};
    app_send(app, (uint32_t)plan_find_stream(app_plan(app), stream), &e, 1, false);
    row_unref(row);
}

static void commit(struct app *app, struct store *store, struct err *e)
{
    struct store_batch batch;
    batch_open(&batch);
    app_tables_collect(app, &batch);
    if (store_apply(store, &batch, e) < 0) {
        fprintf(stderr, "%s\n", e->text);
        exit(1);
    }
    batch_close(&batch);
    app_tables_committed(app);
}

static void report(const char *name, long count, double took_s, double cpu_s)
{
    printf("{\"bench\":\"stored-%s\",\"events\":%ld,\"found\":%ld,\"seconds\":%.4f,\"cpu_s\":%.4f,\"events_"
           "per_cpu_s\":%.0f,\"rss_kb\":%ld}\n",
           name, count, found, took_s, cpu_s, (double)count / cpu_s, resident_kb());
    found = 0;
}

static void ask(struct app *app, const char *stream, const char *name, long count, long rows)
{
    double start_s = clock_s(CLOCK_MONOTONIC), start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < count; i++)
        send_row(app, stream, (long)((unsigned long)i * 2654435761UL % (unsigned long)rows));
    report(name, count, clock_s(CLOCK_MONOTONIC) - start_s, clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s);
}

int main(int argc, char **argv)
{
    long rows = argc > 1 ? atol(argv[1]) : 1000000;
    char folder[] = "/tmp/weir-stored-XXXXXX", file[64];
    struct store_options options = {.folder = folder, .most_bytes = (uint64_t)8 << 30};
    struct store *store;
    struct err e;
    if (!mkdtemp(folder) || store_open(&store, &options, &e) < 0)
        return 1;
    struct app *app = open_app(store, &e);
    double start_s = clock_s(CLOCK_MONOTONIC), start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < rows; i++) {
        send_row(app, "S", i);
        if ((i + 1) % ROWS_A_COMMIT == 0 || i + 1 == rows)
            commit(app, store, &e);
    }
    report("fill", rows, clock_s(CLOCK_MONOTONIC) - start_s, clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s);
    app_free(app);
    store_close(store);

    start_s = clock_s(CLOCK_MONOTONIC);
    start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (store_open(&store, &options, &e) < 0)
        return 1;
    app = open_app(store, &e);
    report("open", 1, clock_s(CLOCK_MONOTONIC) - start_s, clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s);
    ask(app, "ByKey", "by-key", 500000, rows);
    ask(app, "ByIndex", "by-index", 200000, rows);
    start_s = clock_s(CLOCK_MONOTONIC);
    start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    send_row(app, "ByScan", 1);
    report("scanned-rows", rows, clock_s(CLOCK_MONOTONIC) - start_s,
           clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s);
    app_free(app);
    store_close(store);
    snprintf(file, sizeof file, "%s/data.mdb", folder);
    unlink(file);
    snprintf(file, sizeof file, "%s/lock.mdb", folder);
    unlink(file);
    return rmdir(folder) < 0;
}
