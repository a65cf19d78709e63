/* cmd_query.c - weir query: asks an agent that runs on this machine, over its control socket (answer.h tells
 * what is said there). */
#include "agent/answer.h"
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/jnode.h"
#include "agent/texttable.h"
#include "engine/base/diag.h"
#include <string.h>

enum { ARENA_BLOCK = 16 * 1024 };

struct asking {
    const char *app, *query;
    const char *socket, *state, *config_file; /* as named, or NULL */
    bool as_table;

    struct client client;
    struct texttable table;
    bool has_columns;
    int code; /* when is_done */
    bool is_done;
};

static int read_options(struct asking *a, int argc, char **argv)
{
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (only_words || word[0] != '-') {
            const char **at = !a->app ? &a->app : &a->query;
            if (*at)
                return cmd_usage("query", "one app and one query, not also '%s': is the query in quotes?",
                                 word);
            *at = word;
        } else if (!strcmp(word, "--")) {
            only_words = true;
        } else if (!strcmp(word, "--table")) {
            a->as_table = true;
        } else if (!strcmp(word, "-c") || !strcmp(word, "--state") || !strcmp(word, "--socket")) {
            const char **at = word[1] == 'c' ? &a->config_file : word[3] == 't' ? &a->state : &a->socket;
            if (++i == argc)
                return cmd_usage("query", "%s needs a value", word);
            *at = argv[i];
        } else {
            return cmd_usage("query", "there is no option %s", word);
        }
    }
    if (!a->query)
        return cmd_usage("query", a->app ? "give a query behind the app" : "name an app, and give a query");
    if (!a->socket && !a->state && !a->config_file)
        return cmd_usage("query",
                         "say where the agent is: --state DIR, -c FILE or --socket PATH, as for `weir run`");
    return CMD_OK;
}

static int complain(const char *words)
{
    fprintf(stderr, "weir query: %s\n", words);
    return CMD_BAD;
}

/* ---- there ---- */

static void ask(struct asking *a)
{
    struct buf line;
    buf_init(&line, SIZE_MAX);
    buf_add_str(&line, "{\"app\":");
    jnode_print_text(a->app, strlen(a->app), &line);
    buf_add_str(&line, ",\"query\":");
    jnode_print_text(a->query, strlen(a->query), &line);
    buf_add_char(&line, '}');
    client_say(&a->client, line.bytes, line.len);
    buf_fini(&line);
}

/* ---- and back ---- */

static uint32_t number_of(const struct jnode *n, uint32_t most)
{
    int64_t v = 0;
    return jnode_long(n, &v) && v > 0 ? (uint32_t)(v < most ? v : most) : 0;
}

static void tell_refused(const struct asking *a, const struct jnode *answer, const char *message,
                         struct arena *arena)
{
    const struct jnode *places = jnode_get(answer, "places");
    struct diags d;
    size_t len = strlen(a->query);
    diags_init(&d, arena, a->query, len);
    for (const struct jnode *p = places ? places->first : NULL; p; p = p->next) {
        const char *words = jnode_text(arena, jnode_get(p, "message")),
                   *hint = jnode_text(arena, jnode_get(p, "hint"));
        struct span at = {number_of(jnode_get(p, "at"), (uint32_t)len),
                          number_of(jnode_get(p, "len"), (uint32_t)len)};
        diag_error(&d, at, "%s", words ? words : "");
        if (hint)
            diag_hint(&d, "%s", hint);
    }
    if (d.errors)
        diags_print(&d, "query", stderr);
    else
        (void)complain(message);
}

static void tell_apps(const struct jnode *answer, const char *message, struct arena *arena)
{
    const struct jnode *apps = jnode_get(answer, "apps");
    const char *near = jnode_text(arena, jnode_get(answer, "near"));
    fprintf(stderr, "weir query: %s", message);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fputs(apps && apps->first ? "\napps: " : "\nno app runs", stderr);
    for (const struct jnode *n = apps ? apps->first : NULL; n; n = n->next)
        fprintf(stderr, "%s%s", jnode_text(arena, n), n->next ? ", " : "");
    fputc('\n', stderr);
}

static void tell_error(struct asking *a, const struct jnode *answer, const char *kind, struct arena *arena)
{
    const char *message = jnode_text(arena, jnode_get(answer, "message"));
    message = message ? message : "the agent gave no reason";
    if (!strcmp(kind, "refused"))
        tell_refused(a, answer, message, arena);
    else if (!strcmp(kind, "app"))
        tell_apps(answer, message, arena);
    else
        (void)complain(message);
    a->code = CMD_BAD;
    a->is_done = true;
}

static void begin_table(struct asking *a, const struct jnode *columns, struct arena *arena)
{
    for (const struct jnode *n = columns->first; n; n = n->next) {
        const char *name = jnode_text(arena, jnode_get(n, "name")),
                   *type = jnode_text(arena, jnode_get(n, "type"));
        bool is_number = type && (!strcmp(type, "int") || !strcmp(type, "long") || !strcmp(type, "float") ||
                                  !strcmp(type, "double"));
        texttable_column(&a->table, name ? name : "", is_number);
    }
    a->has_columns = true;
}

static void add_to_table(struct asking *a, const struct jnode *row)
{
    struct buf text;
    buf_init(&text, SIZE_MAX);
    for (const struct jnode *n = row->first; n; n = n->next) {
        buf_clear(&text);
        if (n->kind == JNODE_STRING)
            buf_add(&text, n->text, n->len);
        else
            jnode_print(n, &text);
        texttable_cell(&a->table, text.len ? text.bytes : "", text.len);
    }
    buf_fini(&text);
}

/* One line of the answer; a row is printed as it came. */
static int take_line(struct asking *a, const char *line, size_t len)
{
    static const char before[] = "{\"row\":";
    enum { BEFORE = sizeof before - 1 };
    if (!a->as_table && len > BEFORE && !memcmp(line, before, BEFORE)) {
        fwrite(line + BEFORE, 1, len - BEFORE - 1, stdout);
        fputc('\n', stdout);
        return CMD_OK;
    }
    struct arena arena;
    struct err e = {0};
    int code = CMD_OK;
    const char *at = line;
    arena_init(&arena, ARENA_BLOCK);
    const struct jnode *n = jnode_parse(&arena, &at, line + len, &e), *part;
    const char *kind = jnode_text(&arena, jnode_get(n, "error"));
    if (!n || n->kind != JNODE_OBJECT)
        code = complain("the agent's answer makes no sense: is it another program, or another version?");
    else if (kind)
        tell_error(a, n, kind, &arena);
    else if (jnode_get(n, "done"))
        a->is_done = true;
    else if (a->as_table && !a->has_columns && (part = jnode_get(n, "columns")))
        begin_table(a, part, &arena);
    else if (a->table.column_count && (part = jnode_get(n, "row")))
        add_to_table(a, part);
    arena_fini(&arena);
    return code;
}

static int hear(struct asking *a)
{
    int code = CMD_OK;
    while (code == CMD_OK && !a->is_done) {
        const char *line;
        size_t len;
        struct err e = {0};
        code = client_hear(&a->client, &line, &len, &e) < 0 ? complain(e.text) : take_line(a, line, len);
    }
    return code == CMD_OK ? a->code : code;
}

int cmd_query(int argc, char **argv)
{
    struct asking a = {.client = {.fd = -1}};
    int code = read_options(&a, argc, argv);
    if (code == CMD_OK)
        code = client_reach(&a.client, "query", a.socket, a.state, a.config_file);
    if (code != CMD_OK)
        return code;
    texttable_init(&a.table);
    ask(&a);
    code = hear(&a);
    if (code == CMD_OK && a.has_columns)
        texttable_print(&a.table, stdout);
    texttable_fini(&a.table);
    client_close(&a.client);
    return code;
}
