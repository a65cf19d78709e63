/* cmd_status.c - weir status: what the apps of a running agent hold, of how much, and what stands in their
 * way; with --parts which of their queries and tables hold it. status.h tells what is said. */
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/jnode.h"
#include "agent/texttable.h"
#include "engine/base/amount.h"
#include <inttypes.h>
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024, PARTS_MOST = 4096 };

struct part { /* owned texts */
    char *app, *words;
    uint64_t bytes;
    int64_t copies;
    bool has_partials;
    int64_t partials, partials_dropped;
};
struct looking {
    const char *app, *socket, *state, *config_file;
    bool as_json, with_parts;

    struct client client;
    struct texttable apps;
    struct buf head; /* the lines about the agent, and what to know of apps that are held */
    struct part *parts;
    uint32_t part_count, part_cap;
    char *last_app; /* whose parts come; owned */
    bool is_done;
    int code;
};

static int read_options(struct looking *l, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char **place = !strcmp(word, "--socket")  ? &l->socket
                             : !strcmp(word, "--state") ? &l->state
                             : !strcmp(word, "-c")      ? &l->config_file
                                                        : NULL;
        if (place) {
            if (++i == argc)
                return cmd_usage("status", "%s needs a value", word);
            *place = argv[i];
        } else if (!strcmp(word, "--json")) {
            l->as_json = true;
        } else if (!strcmp(word, "--parts")) {
            l->with_parts = true;
        } else if (word[0] == '-') {
            return cmd_usage("status", "there is no option %s", word);
        } else if (l->app) {
            return cmd_usage("status", "one app, not also '%s'", word);
        } else {
            l->app = word;
        }
    }
    if (!l->socket && !l->state && !l->config_file)
        return cmd_usage("status",
                         "say where the agent is: --state DIR, -c FILE or --socket PATH, as for `weir run`");
    return CMD_OK;
}

static int complain(const char *words)
{
    fprintf(stderr, "weir status: %s\n", words);
    return CMD_BAD;
}

static void ask(struct looking *l)
{
    struct buf line;
    buf_init(&line, SIZE_MAX);
    buf_printf(&line, "{\"status\":\"%s\"", l->with_parts ? "parts" : "apps");
    if (l->app) {
        buf_add_str(&line, ",\"app\":");
        jnode_print_text(l->app, strlen(l->app), &line);
    }
    buf_add_char(&line, '}');
    client_say(&l->client, line.bytes, line.len);
    buf_fini(&line);
}

/* ---- for people ---- */

static int64_t number(const struct jnode *n, const char *name)
{
    int64_t v = 0;
    return jnode_long(jnode_get(n, name), &v) ? v : 0;
}

static bool has(const struct jnode *n, const char *name)
{
    const struct jnode *v = jnode_get(n, name);
    return v && v->kind == JNODE_NUMBER;
}

static void cell(struct texttable *t, const char *text)
{
    texttable_cell(t, text, strlen(text));
}

static void cell_amount(struct looking *l, const struct jnode *n, const char *name)
{
    char text[AMOUNT_TEXT];
    cell(&l->apps, has(n, name) ? amount_print(text, (uint64_t)number(n, name)) : "-");
}

static void cell_number(struct looking *l, const struct jnode *n, const char *name)
{
    char text[AMOUNT_TEXT];
    snprintf(text, sizeof text, "%" PRId64, number(n, name));
    cell(&l->apps, text);
}

static void begin_apps(struct looking *l)
{
    static const char *const names[] = {"app",     "held by", "memory",   "limit",
                                        "disk",    "limit",   "inbox",    "sinks",
                                        "dropped", "stored",  "partials", "partials dropped"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        texttable_column(&l->apps, names[i], i >= 2);
}

static void take_agent(struct looking *l, const struct jnode *n)
{
    char size[5][AMOUNT_TEXT];
    buf_printf(&l->head, "memory: %s of %s in apps, %s resident in the process%s\n",
               amount_print(size[0], (uint64_t)number(n, "memory_bytes")),
               amount_print(size[1], (uint64_t)number(n, "memory_limit_bytes")),
               amount_print(size[2], (uint64_t)number(n, "resident_bytes")),
               jnode_is_true(jnode_get(n, "system_is_short")) ? "; the system has no more" : "");
    buf_printf(&l->head, "disk: %s in apps, a file of %s, at most %s\n",
               amount_print(size[0], (uint64_t)number(n, "disk_bytes")),
               amount_print(size[1], (uint64_t)number(n, "disk_file_bytes")),
               amount_print(size[2], (uint64_t)number(n, "disk_limit_bytes")));
    if (number(n, "clock_steps"))
        buf_printf(&l->head, "clock: set on or back %" PRId64 " times while apps ran\n",
                   number(n, "clock_steps"));
}

static void take_app(struct looking *l, const struct jnode *n, struct arena *arena)
{
    const char *name = jnode_text(arena, jnode_get(n, "app")),
               *held = jnode_text(arena, jnode_get(n, "held"));
    mem_free(l->last_app);
    l->last_app = mem_strdup(name ? name : "");
    cell(&l->apps, l->last_app);
    cell(&l->apps, held ? held : "-");
    cell_amount(l, n, "memory_bytes");
    cell_amount(l, n, "memory_limit_bytes");
    cell_amount(l, n, "disk_bytes");
    cell_amount(l, n, "disk_limit_bytes");
    cell_number(l, n, "inbox_messages");
    cell_number(l, n, "sinks_wait_messages");
    cell_number(l, n, "dropped");
    cell_number(l, n, "stored");
    cell_number(l, n, "partials");
    cell_number(l, n, "partials_dropped");
}

static void take_part(struct looking *l, const struct jnode *n, struct arena *arena)
{
    const char *kind = jnode_text(arena, jnode_get(n, "kind")),
               *name = jnode_text(arena, jnode_get(n, "name")),
               *op = jnode_text(arena, jnode_get(n, "operator")),
               *around = jnode_text(arena, jnode_get(n, "partition"));
    if (!kind || !name || l->part_count >= PARTS_MOST)
        return;
    if (l->part_count == l->part_cap) {
        l->part_cap = l->part_cap ? l->part_cap * 2 : 64;
        l->parts = mem_resize(l->parts, l->part_cap, sizeof *l->parts);
    }
    const char *words = arena_printf(arena, "%s %s%s%s%s%s", kind, name, op ? " " : "", op ? op : "",
                                     around ? " in " : "", around ? around : "");
    l->parts[l->part_count++] = (struct part){.app = mem_strdup(l->last_app ? l->last_app : ""),
                                              .words = mem_strdup(words),
                                              .bytes = (uint64_t)number(n, "bytes"),
                                              .copies = number(n, "copies"),
                                              .has_partials = has(n, "partials"),
                                              .partials = number(n, "partials"),
                                              .partials_dropped = number(n, "partials_dropped")};
}

static void take_error(struct looking *l, const struct jnode *n, struct arena *arena)
{
    const char *message = jnode_text(arena, jnode_get(n, "message"));
    const struct jnode *apps = jnode_get(n, "apps");
    fprintf(stderr, "weir status: %s", message ? message : "the agent gave no reason");
    for (const struct jnode *a = apps ? apps->first : NULL; a; a = a->next)
        fprintf(stderr, "%s%s", a == apps->first ? "\napps: " : ", ", jnode_text(arena, a));
    fputc('\n', stderr);
    l->is_done = true;
    l->code = CMD_BAD;
}

static int take_line(struct looking *l, const char *line, size_t len)
{
    struct arena arena;
    struct err e = {0};
    const char *at = line;
    int code = CMD_OK;
    arena_init(&arena, ARENA_BLOCK);
    const struct jnode *n = jnode_parse(&arena, &at, line + len, &e);
    if (!n || n->kind != JNODE_OBJECT) {
        code = complain("the agent's answer makes no sense: is it another program, or another version?");
    } else if (jnode_get(n, "error")) {
        take_error(l, n, &arena);
    } else if (jnode_get(n, "done")) {
        l->is_done = true;
    } else if (l->as_json) {
        fwrite(line, 1, len, stdout);
        fputc('\n', stdout);
    } else if (jnode_get(n, "agent")) {
        take_agent(l, jnode_get(n, "agent"));
    } else if (jnode_get(n, "app")) {
        take_app(l, n, &arena);
    } else if (jnode_get(n, "part")) {
        take_part(l, jnode_get(n, "part"), &arena);
    }
    arena_fini(&arena);
    return code;
}

/* By app as they came, the largest first. */
static void print_parts(const struct looking *l)
{
    struct texttable t;
    char text[AMOUNT_TEXT];
    bool is_any = false;
    static const char *const names[] = {"app",    "what holds it", "about",
                                        "copies", "partials",      "partials dropped"};
    texttable_init(&t);
    for (uint32_t i = 0; i < l->part_count; i++)
        is_any |= l->parts[i].has_partials;
    for (size_t i = 0; i < sizeof names / sizeof *names - (is_any ? 0 : 2); i++)
        texttable_column(&t, names[i], i >= 2);
    for (uint32_t i = 0; i < l->part_count; i++) {
        const struct part *p = &l->parts[i];
        cell(&t, p->app);
        cell(&t, p->words);
        cell(&t, amount_print(text, p->bytes));
        snprintf(text, sizeof text, "%" PRId64, p->copies);
        cell(&t, text);
        for (int k = 0; is_any && k < 2; k++) {
            snprintf(text, sizeof text, "%" PRId64, k ? p->partials_dropped : p->partials);
            cell(&t, p->has_partials ? text : "-");
        }
    }
    fputc('\n', stdout);
    texttable_print(&t, stdout);
    texttable_fini(&t);
}

static void sort_parts(struct looking *l)
{
    for (uint32_t i = 1; i < l->part_count; i++) {
        struct part p = l->parts[i];
        uint32_t at = i;
        while (at && !strcmp(l->parts[at - 1].app, p.app) && l->parts[at - 1].bytes < p.bytes) {
            l->parts[at] = l->parts[at - 1];
            at--;
        }
        l->parts[at] = p;
    }
}

static void print(struct looking *l)
{
    if (l->as_json)
        return;
    fwrite(l->head.bytes ? l->head.bytes : "", 1, l->head.len, stdout);
    fputc('\n', stdout);
    texttable_print(&l->apps, stdout);
    sort_parts(l);
    if (l->part_count)
        print_parts(l);
}

static void hear(struct looking *l)
{
    while (l->code == CMD_OK && !l->is_done) {
        const char *line;
        size_t len;
        struct err e = {0};
        l->code = client_hear(&l->client, &line, &len, &e) < 0 ? complain(e.text) : take_line(l, line, len);
    }
}

int cmd_status(int argc, char **argv)
{
    struct looking l = {.client = {.fd = -1}};
    int code = read_options(&l, argc, argv);
    if (code == CMD_OK)
        code = client_reach(&l.client, "status", l.socket, l.state, l.config_file);
    if (code != CMD_OK)
        return code;
    texttable_init(&l.apps);
    buf_init(&l.head, SIZE_MAX);
    begin_apps(&l);
    ask(&l);
    hear(&l);
    if (l.code == CMD_OK)
        print(&l);
    for (uint32_t i = 0; i < l.part_count; i++) {
        mem_free(l.parts[i].app);
        mem_free(l.parts[i].words);
    }
    mem_free(l.parts);
    mem_free(l.last_app);
    texttable_fini(&l.apps);
    buf_fini(&l.head);
    client_close(&l.client);
    return l.code;
}
