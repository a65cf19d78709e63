/* cmd_explain.c - weir explain: what an app became. */
#include "agent/appfile.h"
#include "agent/cmd.h"
#include <stdio.h>
#include <string.h>

static void print_options(const struct options *o, struct buf *out)
{
    for (int i = 0; i < o->count; i++)
        if (o->values[i].text)
            buf_printf(out, " %s='%s'", o->values[i].name, o->values[i].text);
}

static bool is_secret(const struct port_type *type, const char *name)
{
    for (int i = 0; i < type->option_count; i++)
        if (strcmp(type->options[i].name, name) == 0)
            return type->options[i].flags & OPTION_SECRET;
    return false;
}

static void print_port(const struct plan *plan, const char *what, uint32_t stream,
                       const struct port_type *type, const struct options *options, const struct mapper *map,
                       const char *on_error, struct buf *out)
{
    struct option_value *shown = mem_array((size_t)options->count + 1, sizeof *shown);
    struct options safe = {shown, 0};
    for (int i = 0; i < options->count; i++)
        if (!is_secret(type, options->values[i].name))
            shown[safe.count++] = options->values[i];
    buf_printf(out, "%s %s %s", what, plan_stream(plan, stream)->id, type->name);
    print_options(&safe, out);
    if (map)
        buf_printf(out, "  map %s", map->type->name);
    if (on_error)
        buf_printf(out, "  on.error %s", on_error);
    buf_add_char(out, '\n');
    mem_free(shown);
}

static void explain_ports(const struct plan *plan, const struct bind *b, struct buf *out)
{
    for (int i = 0; i < b->source_count; i++)
        print_port(plan, "source", b->sources[i].stream, b->sources[i].type, &b->sources[i].options,
                   b->sources[i].map, NULL, out);
    for (int i = 0; i < b->sink_count; i++)
        print_port(plan, "sink", b->sinks[i].stream, b->sinks[i].type, &b->sinks[i].options, b->sinks[i].map,
                   b->sinks[i].on_error, out);
}

int cmd_explain(int argc, char **argv)
{
    struct appfile f;
    if (argc != 2 || (argv[1][0] == '-' && argv[1][1]))
        return cmd_usage("explain", "name one app");
    if (appfile_open_or_tell(&f, "explain", argv[1]) < 0)
        return CMD_BAD;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    plan_explain(f.compile.plan, &out);
    explain_ports(f.compile.plan, f.bind, &out);
    fwrite(out.bytes, 1, out.len, stdout);
    buf_fini(&out);
    appfile_close(&f);
    return CMD_OK;
}
