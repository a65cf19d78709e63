/* cmd_bench.c - weir bench: how many events a CPU-second of this machine takes through an app.
 *
 * Inputs are parsed once. Then one event a push: a row of its own (in the memory of the last one, if nobody
 * kept that), the input's values and the event's time. No sink is called, so there is no I/O; what leaves is
 * counted. Event i, warm-up included, is at FIRST_MS + i. */
#include "agent/appfile.h"
#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/flow.h"
#include "agent/input.h"
#include "engine/base/num.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { INPUTS_MAX = 64, CACHE_LINE = 64, HALF_BYTES = 32 };
enum { TEXT_AHEAD = 8, ROW_AHEAD = 16 }; /* rows */
static const int64_t FIRST_MS = 1700000000000;

struct bench {
    const char *app_path, *time;
    const char *input_specs[INPUTS_MAX], *preload_specs[INPUTS_MAX];
    int input_count, preload_count;
    int64_t warmup, events;
    struct app *app;
    struct input inputs[INPUTS_MAX];
    struct feed { /* what the loop needs of an input */
        uint32_t stream;
        uint32_t time_at; /* in a row: the cell of its ATTRIBUTE; without one the row's at_ms */
        struct row **rows, **end, **next; /* the input's; ROW_AHEAD of the first stand again from end on */
        struct row *spare;                /* refs 1, and what it points at is the ring's; or NULL */
        uint32_t row_bytes;
        uint32_t text_count; /* columns whose values are counted */
        struct text_column {
            uint32_t index, cell_at; /* cell_at: in a row */
        } * texts;
    } feeds[INPUTS_MAX];
    bool *is_output; /* by stream */
    uint64_t output_events;
};

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    struct bench *bench = user;
    (void)stream;
    bench->output_events += b->count;
}

static bool looks_at(void *user, uint32_t stream)
{
    return ((const struct bench *)user)->is_output[stream];
}

static int parse_arguments(struct bench *b, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (option[0] != '-') {
            if (b->app_path)
                return cmd_usage("bench", "one app, not also '%s'", option);
            b->app_path = option;
            continue;
        }
        bool is_input = strcmp(option, "--input") == 0, is_preload = strcmp(option, "--preload") == 0;
        bool is_warmup = strcmp(option, "--warmup") == 0, is_events = strcmp(option, "--events") == 0;
        if (!is_input && !is_preload && !is_warmup && !is_events && strcmp(option, "--time") != 0)
            return cmd_usage("bench", "there is no option %s", option);
        if (++i == argc)
            return cmd_usage("bench", "%s wants a value", option);
        if ((is_input && b->input_count == INPUTS_MAX) || (is_preload && b->preload_count == INPUTS_MAX))
            return cmd_usage("bench", "more than %d inputs", (int)INPUTS_MAX);
        if (is_input)
            b->input_specs[b->input_count++] = argv[i];
        else if (is_preload)
            b->preload_specs[b->preload_count++] = argv[i];
        else if (!is_warmup && !is_events)
            b->time = argv[i];
        else if (!num_parse_long(argv[i], strlen(argv[i]), is_warmup ? &b->warmup : &b->events) ||
                 b->warmup < 0 || b->events < 0)
            return cmd_usage("bench", "%s wants a number", option);
    }
    if (!b->app_path || b->input_count == 0)
        return cmd_usage("bench", b->app_path ? "name an input: --input STREAM=FILE" : "name an app");
    return CMD_OK;
}

static inline void push(struct app *app, uint32_t stream, struct row *row, int64_t at_ms)
{
    const struct event e = {.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT};
    app_advance(app, at_ms);
    app_send(app, stream, &e, 1, false);
}

static int preload(struct bench *b, const char *spec, struct err *e)
{
    struct input in;
    int rc = input_open(&in, app_plan(b->app), spec, e);
    for (uint32_t i = 0; rc == 0 && i < in.count; i++) {
        in.rows[i]->at_ms = FIRST_MS;
        push(b->app, in.stream, in.rows[i], FIRST_MS);
    }
    if (rc == 0)
        input_close(&in);
    return rc;
}

static uint32_t cell_place(const struct schema *s, uint32_t index)
{
    return (uint32_t)(row_cells_at(s->count) + index * sizeof(union cell));
}

static int find_time(struct feed *f, const struct input *in, const char *name, struct err *e)
{
    const struct schema *s = in->schema;
    int index = schema_find(s, name);
    if (index < 0)
        return err_set(e, ERR_NOT_FOUND, "stream '%s' has no attribute '%s'", s->id, name);
    if (s->attributes[index].type != TYPE_LONG)
        return err_set(e, ERR_INVALID, "attribute '%s' of '%s' is %s, and a time is long", name, s->id,
                       type_name(s->attributes[index].type));
    for (uint32_t i = 0; i < in->count; i++)
        row_set_take(in->rows[i], (size_t)index, value_long(0));
    f->time_at = cell_place(s, (uint32_t)index);
    return 0;
}

static void find_texts(struct feed *f, const struct schema *s, struct arena *a)
{
    f->texts = arena_array(a, s->count + 1, sizeof *f->texts);
    for (uint32_t i = 0; i < s->count; i++)
        if (type_is_counted(s->attributes[i].type))
            f->texts[f->text_count++] = (struct text_column){i, cell_place(s, i)};
}

static int open_feed(struct bench *b, int n, struct arena *a, struct err *e)
{
    struct input *in = &b->inputs[n];
    struct feed *f = &b->feeds[n];
    int rc = input_open(in, app_plan(b->app), b->input_specs[n], e);
    if (rc < 0)
        return rc;
    if (in->count == 0)
        return err_set(e, ERR_INVALID, "'%s' holds no event", b->input_specs[n]);
    f->stream = in->stream;
    f->row_bytes = (uint32_t)row_bytes(in->schema->count);
    f->time_at = offsetof(struct row, at_ms);
    if (b->time && (rc = find_time(f, in, b->time, e)) < 0)
        return rc;
    find_texts(f, in->schema, a);
    f->rows = f->next = arena_array(a, in->count + ROW_AHEAD, sizeof(struct row *));
    f->end = f->rows + in->count;
    for (uint32_t i = 0; i < in->count + ROW_AHEAD; i++)
        f->rows[i] = in->rows[i % in->count];
    return 0;
}

static inline union cell *cell_in(struct row *row, uint32_t at)
{
    return (union cell *)(void *)((char *)row + at);
}

/* The values of model in a row of their own, short ones without a call: the harness must cost little beside
 * what it measures. What they point at is the ring's until somebody keeps the row (end_row). The model's refs
 * comes along: it is 1 too. */
static inline __attribute__((always_inline)) struct row *copy_row(const struct row *model, struct feed *f,
                                                                  int64_t at_ms)
{
    const size_t bytes = f->row_bytes;
    struct row *row = f->spare;
    if (UNLIKELY(!row))
        row = f->spare = mem_pool_alloc(bytes);
    char *to = (char *)row;
    const char *from = (const char *)model;
    if (LIKELY(bytes >= HALF_BYTES && bytes <= 2 * HALF_BYTES)) { /* two halves that may overlap */
        memcpy(to, from, HALF_BYTES);
        memcpy(to + bytes - HALF_BYTES, from + bytes - HALF_BYTES, HALF_BYTES);
    } else {
        memcpy(to, from, bytes);
    }
    row->at_ms = at_ms;
    cell_in(row, f->time_at)->l = at_ms;
    return row;
}

/* Somebody kept the row, and with it what it points at. */
static inline __attribute__((always_inline)) void end_row(struct row *row, struct feed *f)
{
    if (row->refs == 1)
        return;
    for (const struct text_column *t = f->texts, *end = t + f->text_count; t < end; t++)
        if (LIKELY(row->types[t->index] == TYPE_STRING))
            cell_in(row, t->cell_at)->s->refs++; /* the ring's texts are counted ones */
        else
            value_keep(row_get(row, t->index));
    row->refs--;
    f->spare = NULL;
}

/* The ring is bigger than the near caches. What comes from outside was just written when the engine gets it,
 * so the rows that are next are brought near, and a little later their texts. */
static inline __attribute__((always_inline)) void prefetch(struct row *const *next, const struct feed *f)
{
    const char *row = (const char *)next[ROW_AHEAD];
    __builtin_prefetch(row);
    __builtin_prefetch(row + CACHE_LINE);
    if (f->text_count)
        __builtin_prefetch(cell_in(next[TEXT_AHEAD], f->texts[0].cell_at)->s, 1);
}

static inline __attribute__((always_inline)) void run_one(struct app *app, struct feed *f, int64_t at_ms)
{
    struct row **next = f->next;
    prefetch(next, f);
    struct row *row = copy_row(*next, f, at_ms);
    f->next = next + 1 == f->end ? f->rows : next + 1;
    push(app, f->stream, row, at_ms);
    end_row(row, f);
}

#ifdef __clang__ /* which makes no copy of a function for one caller */
#define ON_ITS_OWN __attribute__((noinline))
#else
#define ON_ITS_OWN __attribute__((noinline, noclone))
#endif

/* A row each event, as one that came from outside would be. */
static ON_ITS_OWN void run_one_input(struct app *app, struct feed *f, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        run_one(app, f, FIRST_MS + i);
}

/* The inputs take turns. */
static void run_events(struct bench *b, int64_t from, int64_t to)
{
    int turn = (int)(from % b->input_count);
    if (b->input_count == 1) {
        run_one_input(b->app, b->feeds, from, to);
        return;
    }
    for (int64_t i = from; i < to; i++) {
        run_one(b->app, &b->feeds[turn], FIRST_MS + i);
        if (++turn == b->input_count)
            turn = 0;
    }
}

static void report(const struct bench *b, int64_t cpu_us)
{
    const char *slash = strrchr(b->app_path, '/'), *name = slash ? slash + 1 : b->app_path;
    const char *suffix = strstr(name, ".siddhi");
    double cpu_s = (double)cpu_us / 1e6;
    printf("{\"bench\":\"%.*s\",\"events\":%" PRId64
           ",\"cpu_s\":%.3f,\"events_per_cpu_s\":%.0f,\"rss_kb\":%ld,"
           "\"output_events\":%" PRIu64 "}\n",
           suffix ? (int)(suffix - name) : (int)strlen(name), name, b->events, cpu_s,
           cpu_us ? (double)b->events / cpu_s : 0.0, clock_peak_rss_kb(), b->output_events);
}

static int run(struct bench *b, struct arena *a, struct err *e)
{
    int rc = app_start(b->app, FIRST_MS, false, e);
    for (int i = 0; rc == 0 && i < b->preload_count; i++)
        rc = preload(b, b->preload_specs[i], e);
    for (int i = 0; rc == 0 && i < b->input_count; i++)
        rc = open_feed(b, i, a, e);
    if (rc < 0)
        return rc;
    run_events(b, 0, b->warmup);
    b->output_events = 0;
    int64_t start_us = clock_cpu_us();
    run_events(b, b->warmup, b->warmup + b->events);
    report(b, clock_cpu_us() - start_us);
    return 0;
}

int cmd_bench(int argc, char **argv)
{
    static struct bench b;
    b = (struct bench){.events = 1000000};
    struct appfile f;
    struct arena a;
    struct err e = {0};
    int rc = parse_arguments(&b, argc, argv);
    if (rc != CMD_OK)
        return rc;
    if (appfile_open_or_tell(&f, "bench", b.app_path) < 0)
        return CMD_BAD;
    const struct plan *plan = f.compile.plan;
    arena_init(&a, 4096);
    b.is_output = arena_array(&a, plan_stream_count(plan) + 1, sizeof *b.is_output);
    for (uint32_t i = 0; i < plan_stream_count(plan); i++)
        b.is_output[i] = !flow_is_read(plan, plan_stream(plan, i)->id);
    const struct app_host host = {.user = &b, .stream = on_stream, .looks_at = looks_at, .seed = 1};
    b.app = app_new(f.compile.plan, &host);
    f.compile.plan = NULL;
    rc = run(&b, &a, &e);
    if (rc < 0)
        fprintf(stderr, "weir bench: %s\n", e.text);
    for (int i = 0; i < b.input_count; i++) {
        if (b.feeds[i].spare)
            mem_pool_free(b.feeds[i].spare, b.feeds[i].row_bytes);
        input_close(&b.inputs[i]);
    }
    arena_fini(&a);
    bind_free(f.bind);
    f.bind = NULL;
    app_free(b.app);
    appfile_close(&f);
    return rc < 0 ? CMD_BAD : CMD_OK;
}
