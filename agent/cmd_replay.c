/* cmd_replay.c - weir replay: an app over recorded events, in virtual time, as fast as it goes.
 *
 * Events of all inputs are sent one by one in order of their times (those of one time in the order of the
 * inputs). An event's time is its ATTRIBUTE, else what the line says (JSON lines with "at"), else one
 * millisecond behind the event before. Sources and sinks over the network lead nowhere; inMemory ones work
 * within the app. */
#include "agent/appfile.h"
#include "agent/cmd.h"
#include "agent/flow.h"
#include "agent/input.h"
#include "agent/jnode.h"
#include "engine/base/num.h"
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 64 };
static const int64_t FIRST_MS = 1700000000000;

struct replay {
    const char *app_path, *time;
    const char *input_specs[NAMES_MAX], *outputs[NAMES_MAX];
    int input_count, output_count;
    int64_t until_ms; /* INT64_MIN: the clock stops at the last event */
    struct app *app;
    struct bind *bind;
    struct input inputs[NAMES_MAX];
    bool *is_output; /* by stream */
    struct arena line_arena;
    struct buf line;
};

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    struct replay *r = user;
    if (!r->is_output[stream])
        return;
    const struct schema *s = plan_stream(app_plan(r->app), stream);
    for (uint32_t i = 0; i < b->count; i++) {
        const struct event *e = &b->events[i];
        if (!e->row)
            continue;
        buf_clear(&r->line);
        buf_add_str(&r->line, "{\"stream\":");
        jnode_print_text(s->id, strlen(s->id), &r->line);
        buf_printf(&r->line, ",\"at\":%lld,\"data\":", (long long)e->at_ms);
        jnode_print_row(s, e->row, &r->line_arena, &r->line);
        buf_add_str(&r->line, "}\n");
        fwrite(r->line.bytes, 1, r->line.len, stdout);
    }
}

static int on_sink(void *user, uint32_t stream, const struct batch *b)
{
    struct replay *r = user;
    return bind_sink_rows(r->bind, stream, b);
}

static bool has_sinks(void *user, uint32_t stream)
{
    struct replay *r = user;
    return bind_has_sinks(r->bind, stream);
}

static void on_failure(void *user, uint32_t stream, const char *words)
{
    struct replay *r = user;
    fprintf(stderr, "weir replay: %s: %s\n", plan_stream(app_plan(r->app), stream)->id, words);
}

static int on_publish(void *user, struct bind_sink *sink, const struct message *m)
{
    (void)user;
    (void)sink;
    (void)m;
    return 0;
}

static void on_rejected(void *user, const char *where, const char *why)
{
    (void)user;
    fprintf(stderr, "weir replay: %s: %s\n", where, why);
}

static int parse_arguments(struct replay *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (option[0] != '-') {
            if (r->app_path)
                return cmd_usage("replay", "one app, not also '%s'", option);
            r->app_path = option;
            continue;
        }
        bool is_input = strcmp(option, "--input") == 0, is_output = strcmp(option, "--output") == 0;
        bool is_until = strcmp(option, "--until") == 0;
        if (!is_input && !is_output && !is_until && strcmp(option, "--time") != 0)
            return cmd_usage("replay", "there is no option %s", option);
        if (++i == argc)
            return cmd_usage("replay", "%s wants a value", option);
        if (is_until && !num_parse_long(argv[i], strlen(argv[i]), &r->until_ms))
            return cmd_usage("replay", "--until wants a time in milliseconds since the epoch");
        if (!is_input && !is_output && !is_until)
            r->time = argv[i];
        if (!is_input && !is_output)
            continue;
        const char **names = is_input ? r->input_specs : r->outputs;
        int *count = is_input ? &r->input_count : &r->output_count;
        /* Both take several values: an input is known by its '=', outputs go on until the next option once
         * the app is known. */
        do {
            if (*count == NAMES_MAX)
                return cmd_usage("replay", "more than %d of %s", (int)NAMES_MAX, option);
            names[(*count)++] = argv[i++];
        } while (i < argc && argv[i][0] != '-' &&
                 (is_input ? strchr(argv[i], '=') != NULL : r->app_path != NULL));
        i--;
    }
    if (!r->app_path || r->input_count == 0)
        return cmd_usage("replay", r->app_path ? "name an input: --input STREAM=FILE" : "name an app");
    return CMD_OK;
}

static int choose_outputs(struct replay *r, const struct plan *plan, struct err *e)
{
    for (int i = 0; i < r->output_count; i++) {
        int stream = plan_find_stream(plan, r->outputs[i]);
        if (stream < 0)
            return err_set(e, ERR_NOT_FOUND, "the app has no stream '%s'", r->outputs[i]);
        r->is_output[stream] = true;
    }
    for (uint32_t i = 0; r->output_count == 0 && i < plan_stream_count(plan); i++)
        r->is_output[i] = !flow_is_read(plan, plan_stream(plan, i)->id) && flow_is_fed(plan, i);
    return 0;
}

static int stamp(struct replay *r, struct input *in, struct err *e)
{
    int at = r->time ? schema_find(in->schema, r->time) : -1;
    if (r->time && at < 0)
        return err_set(e, ERR_NOT_FOUND, "stream '%s' has no attribute '%s'", in->schema->id, r->time);
    for (uint32_t i = 0; i < in->count; i++) {
        struct row *row = in->rows[i];
        if (at < 0) {
            if (!in->has_times)
                row->at_ms = FIRST_MS + i;
            continue;
        }
        struct value v = row_get(row, (size_t)at);
        if (!type_is_numeric(v.type))
            return err_set(e, ERR_INVALID, "event %u of '%s': '%s' is no time in milliseconds", i + 1,
                           in->schema->id, r->time);
        row->at_ms =
            v.type == TYPE_INT || v.type == TYPE_LONG ? v.as.l : num_double_to_long(value_to_double(v));
    }
    return 0;
}

/* The input whose next event is the earliest; NULL: all are at their ends. */
static struct input *next_input(struct replay *r)
{
    struct input *earliest = NULL;
    for (int i = 0; i < r->input_count; i++) {
        struct input *in = &r->inputs[i];
        if (in->at < in->count &&
            (!earliest || in->rows[in->at]->at_ms < earliest->rows[earliest->at]->at_ms))
            earliest = in;
    }
    return earliest;
}

static int run(struct replay *r, struct err *e)
{
    const struct plan *plan = app_plan(r->app);
    int rc = choose_outputs(r, plan, e);
    for (int i = 0; rc == 0 && i < r->input_count; i++) {
        rc = input_open(&r->inputs[i], plan, r->input_specs[i], e);
        if (rc == 0)
            rc = stamp(r, &r->inputs[i], e);
    }
    if (rc < 0)
        return rc;
    struct input *in = next_input(r);
    rc = app_start(r->app, in ? in->rows[in->at]->at_ms : FIRST_MS, false, e);
    for (; rc == 0 && in; in = next_input(r)) {
        struct row *row = in->rows[in->at];
        const struct event event = {.row = row, .at_ms = row->at_ms, .kind = EVENT_CURRENT};
        app_advance(r->app, row->at_ms);
        app_send(r->app, in->stream, &event, 1, false);
        row_unref(row);
        in->rows[in->at++] = row_new(0, 0); /* what the app lets go is gone */
    }
    if (rc == 0 && r->until_ms != INT64_MIN)
        app_advance(r->app, r->until_ms);
    return rc;
}

int cmd_replay(int argc, char **argv)
{
    static struct replay r;
    r = (struct replay){.until_ms = INT64_MIN};
    struct appfile f;
    struct arena a;
    struct err e = {0};
    int rc = parse_arguments(&r, argc, argv);
    if (rc != CMD_OK)
        return rc;
    if (appfile_open_or_tell(&f, "replay", r.app_path) < 0)
        return CMD_BAD;
    arena_init(&a, 4096);
    arena_init(&r.line_arena, 16 * 1024);
    buf_init(&r.line, SIZE_MAX);
    r.bind = f.bind;
    r.bind->publish = on_publish;
    r.bind->rejected = on_rejected;
    r.bind->user = &r;
    const struct app_host host = {.user = &r,
                                  .sink = on_sink,
                                  .has_sinks = has_sinks,
                                  .stream = on_stream,
                                  .failure = on_failure,
                                  .seed = 1};
    struct bus *bus = bus_new();
    r.is_output = arena_array(&a, plan_stream_count(f.compile.plan) + 1, sizeof *r.is_output);
    r.app = app_new(f.compile.plan, &host);
    f.compile.plan = NULL;
    bind_attach(r.bind, r.app, bus);
    rc = run(&r, &e);
    if (rc < 0)
        fprintf(stderr, "weir replay: %s\n", e.text);
    for (int i = 0; i < r.input_count; i++)
        input_close(&r.inputs[i]);
    bind_free(f.bind);
    f.bind = NULL;
    app_free(r.app);
    bus_free(bus);
    appfile_close(&f);
    buf_fini(&r.line);
    arena_fini(&r.line_arena);
    arena_fini(&a);
    return rc < 0 ? CMD_BAD : CMD_OK;
}
