/* tablerows.c - what a row of a table with a primary key costs in memory and time: N rows (a million unless
 * said) of a text key and a double. The text of the key is told apart: bytes_per_row is what is left beside
 * it. One JSON object a line.
 *
 * Rows are made one by one and given up by the caller, so that the growth of what the app holds is the table
 * alone. Linked with the engine. */
#include "engine/engine.h"
#include "tests/bench/measure.h"
#include <stdio.h>
#include <stdlib.h>

static void send_row(struct app *app, long i)
{
    char key[24];
    int len = snprintf(key, sizeof key, "device-%08ld", i);
    struct text *text = text_new(key, (size_t)len);
    struct row *row = row_new(2, 1);
    row_set_take(row, 0, value_text(text));
    row_set_take(row, 1, value_double((double)i));
    struct event e = {.row = row, .at_ms = 1, .kind = EVENT_CURRENT};
    app_send(app, 0, &e, 1, false);
    row_unref(row);
}

int main(int argc, char **argv)
{
    static const char source[] = "define stream S (k string, v double); @PrimaryKey('k') define table T (k "
                                 "string, v double); from S insert into T;";
    long rows = argc > 1 ? atol(argv[1]) : 1000000;
    struct compile c;
    struct err e;
    struct app_host host = {0};
    engine_compile(&c, source, sizeof source - 1, NULL);
    if (!c.plan)
        return 1;
    struct app *app = app_new(c.plan, &host);
    c.plan = NULL;
    compile_fini(&c);
    app_start(app, 0, false, &e);
    for (long i = 0; i < 1000; i++)
        send_row(app, i);
    long before_kb = resident_kb();
    double start_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 1000; i < rows + 1000; i++)
        send_row(app, i);
    double took_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_s;
    double grown = (double)(resident_kb() - before_kb) * 1024.0 / (double)rows,
           text = 32; /* 12 + 15 + 1 bytes, in eights */
    printf("{\"bench\":\"table-rows\",\"events\":%ld,\"cpu_s\":%.3f,\"events_per_cpu_s\":%.0f,\"rss_kb\":%ld,"
           "\"bytes_per_row\":%.1f}\n",
           rows, took_s, (double)rows / took_s, resident_kb(), grown - text);
    app_free(app);
    return 0;
}
