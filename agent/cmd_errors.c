/* cmd_errors.c - weir errors: lists, replays and discards what the error store holds: over the control socket
 * of the running agent, or, but for a replay, in the folder for state when no agent uses it. errors_ask.h
 * tells what is said. */
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/config.h"
#include "agent/errors_ask.h"
#include "agent/jnode.h"
#include "agent/statedir.h"
#include "agent/texttable.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_BLOCK = 16 * 1024 };

struct told {
    const char *verb, *app, *before;
    const char *socket, *state, *config_file;
    bool all, as_json;

    uint64_t *numbers; /* named, or found by a list */
    size_t count, cap;
    int64_t before_ms;

    /* there */
    struct client client; /* fd -1: no agent */
    int lock;             /* offline */
    char *folder;         /* offline; owned */
    struct store *store;
    struct errors *errors;
    struct buf answer;
    size_t heard;

    struct texttable table;
    int code;
};

static int complain(const char *words)
{
    fprintf(stderr, "weir errors: %s\n", words);
    return CMD_BAD;
}

/* ---- the command line ---- */

static void add_number(struct told *t, uint64_t number)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->numbers = mem_resize(t->numbers, t->cap, sizeof *t->numbers);
    }
    t->numbers[t->count++] = number;
}

/* 2026-01-31, 2026-01-31T12:00:00 (UTC), or milliseconds since 1970. */
static bool read_time(const char *text, int64_t *ms)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
                                          "%Y-%m-%dT%H:%M:%SZ"};
    char *end;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm tm = {0};
        const char *rest = strptime(text, formats[i], &tm);
        if (rest && !*rest) {
            *ms = (int64_t)timegm(&tm) * 1000;
            return true;
        }
    }
    *ms = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end;
}

static const char **option_place(struct told *t, const char *word)
{
    static const char *const names[] = {"--app", "--before", "--socket", "--state", "-c"};
    const char **places[] = {&t->app, &t->before, &t->socket, &t->state, &t->config_file};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(word, names[i]))
            return places[i];
    return NULL;
}

static int check_words(const struct told *t)
{
    bool lists = t->verb && !strcmp(t->verb, "list"), discards = t->verb && !strcmp(t->verb, "discard");
    if (!t->verb || (!lists && !discards && strcmp(t->verb, "replay") != 0))
        return cmd_usage("errors", "say list, replay or discard");
    if (lists && (t->count || t->all || t->before))
        return cmd_usage("errors", "list takes --app and --json");
    if (!lists && t->as_json)
        return cmd_usage("errors", "--json goes with list");
    if (t->before && !discards)
        return cmd_usage("errors", "--before goes with discard");
    if (!lists && (t->count > 0) + t->all + (t->before != NULL) != 1)
        return cmd_usage("errors", "%s wants numbers, or --all%s", t->verb,
                         discards ? ", or --before TIME" : "");
    if (t->count && t->app)
        return cmd_usage("errors", "--app goes with list, --all and --before, not with numbers");
    if (!t->socket && !t->state && !t->config_file)
        return cmd_usage("errors",
                         "say where the agent is: --state DIR, -c FILE or --socket PATH, as for `weir run`");
    return CMD_OK;
}

static int read_words(struct told *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char **place = option_place(t, word);
        char *end;
        if (place) {
            if (++i == argc)
                return cmd_usage("errors", "%s needs a value", word);
            *place = argv[i];
        } else if (!strcmp(word, "--all")) {
            t->all = true;
        } else if (!strcmp(word, "--json")) {
            t->as_json = true;
        } else if (word[0] == '-') {
            return cmd_usage("errors", "there is no option %s", word);
        } else if (!t->verb) {
            t->verb = word;
        } else {
            uint64_t number = strtoull(word, &end, 10);
            if (*word < '0' || *word > '9' || *end)
                return cmd_usage("errors", "'%s' is no number of an entry", word);
            add_number(t, number);
        }
    }
    if (t->before && !read_time(t->before, &t->before_ms))
        return cmd_usage("errors",
                         "'%s' is no time: 2026-01-31, 2026-01-31T12:00:00 (UTC), or milliseconds since 1970",
                         t->before);
    return check_words(t);
}

/* ---- there: the agent, or the folder ---- */

static int open_folder(struct told *t, const char *why)
{
    struct config c;
    struct stat st;
    struct err e = {0};
    char file[CONTROL_PATH_BYTES];
    config_init(&c);
    if (!t->state && t->config_file && config_read(&c, t->config_file) < 0) {
        config_fini(&c);
        return CMD_BAD;
    }
    const char *folder = t->state ? t->state : c.state;
    struct store_options options = {
        .folder = folder, .most_bytes = (uint64_t)c.state_bytes, .reads_only = !strcmp(t->verb, "list")};
    int rc = 0;
    if (t->socket || !*folder || !strcmp(t->verb, "replay"))
        rc = err_set(&e, ERR_NOT_FOUND, "%s%s", why, !strcmp(t->verb, "replay") ? ": a replay needs it" : "");
    else if ((size_t)snprintf(file, sizeof file, "%s/data.mdb", folder) >= sizeof file || stat(file, &st) < 0)
        rc = err_set(&e, ERR_NOT_FOUND, "%s, and %.300s holds no state", why, folder);
    else
        rc = statedir_open(folder, &t->lock, &e);
    t->folder = mem_strdup(folder);
    if (rc == ERR_BUSY)
        err_set(&e, rc,
                "an agent uses %.300s, and does not answer: it has its control socket elsewhere, or none",
                folder);
    if (rc == 0)
        rc = store_open(&t->store, &options, &e);
    if (rc == 0)
        rc = errors_open(&t->errors, t->store, UINT64_MAX, false, &e);
    config_fini(&c);
    return rc < 0 ? complain(e.text) : CMD_OK;
}

static int open_there(struct told *t)
{
    char path[CONTROL_PATH_BYTES];
    struct err e = {0};
    int rc = client_find(path, t->socket, t->state, t->config_file, &e);
    if (rc < 0)
        return complain(e.text);
    rc = *path ? client_open(&t->client, path, &e)
               : err_set(&e, ERR_NOT_FOUND, "no agent with a control socket");
    if (rc == ERR_NOT_FOUND)
        return open_folder(t, e.text);
    return rc < 0 ? complain(e.text) : CMD_OK;
}

static void close_there(struct told *t)
{
    client_close(&t->client);
    errors_close(t->errors);
    store_close(t->store);
    if (t->lock >= 0)
        statedir_close(t->folder, t->lock);
    mem_free(t->folder);
    buf_fini(&t->answer);
}

/* ---- asking ---- */

static void ask_list(struct told *t, uint64_t from)
{
    struct buf line;
    buf_clear(&t->answer);
    t->heard = 0;
    if (t->client.fd < 0) {
        errors_ask_list(t->errors, t->app, from, &t->answer);
        return;
    }
    buf_init(&line, SIZE_MAX);
    buf_printf(&line, "{\"errors\":\"list\",\"from\":\"%" PRIu64 "\"", from);
    if (t->app) {
        buf_add_str(&line, ",\"app\":");
        jnode_print_text(t->app, strlen(t->app), &line);
    }
    buf_add_char(&line, '}');
    client_say(&t->client, line.bytes, line.len);
    buf_fini(&line);
}

static void ask_numbers(struct told *t, const uint64_t *numbers, int count)
{
    struct buf line;
    buf_clear(&t->answer);
    t->heard = 0;
    if (t->client.fd < 0) {
        errors_ask_discard(t->errors, numbers, count, &t->answer);
        return;
    }
    buf_init(&line, SIZE_MAX);
    buf_printf(&line, "{\"errors\":\"%s\",\"numbers\":\"", t->verb);
    for (int i = 0; i < count; i++)
        buf_printf(&line, "%s%" PRIu64, i ? " " : "", numbers[i]);
    buf_add_str(&line, "\"}");
    client_say(&t->client, line.bytes, line.len);
    buf_fini(&line);
}

static int hear(struct told *t, const char **line, size_t *len, struct err *e)
{
    if (t->client.fd >= 0)
        return client_hear(&t->client, line, len, e);
    char *end =
        t->answer.len > t->heard ? memchr(t->answer.bytes + t->heard, '\n', t->answer.len - t->heard) : NULL;
    if (!end)
        return err_set(e, ERR_IO, "the answer has no end");
    *end = 0;
    *line = t->answer.bytes + t->heard;
    *len = (size_t)(end - *line);
    t->heard += *len + 1;
    return 0;
}

/* ---- what is answered ---- */

static void show_entry(struct told *t, const struct jnode *entry, struct arena *arena)
{
    static const char *const texts[] = {"siddhiAppName", "streamName", "errorOccurrence", "cause"};
    int64_t ms = 0, id = 0;
    char time[64], number[32];
    (void)jnode_long(jnode_get(entry, "timestamp"), &ms);
    (void)jnode_long(jnode_get(entry, "id"), &id);
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &tm);
    texttable_cell(&t->table, number, (size_t)snprintf(number, sizeof number, "%" PRId64, id));
    texttable_cell(&t->table, time, len);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = jnode_text(arena, jnode_get(entry, texts[i]));
        texttable_cell(&t->table, text ? text : "", text ? strlen(text) : 0);
    }
}

static void take_entry(struct told *t, const struct jnode *entry, const char *line, size_t len,
                       struct arena *arena)
{
    static const char before[] = "{\"entry\":";
    int64_t ms = 0, id = 0;
    if (!strcmp(t->verb, "list") && t->as_json) {
        printf("%.*s\n", (int)(len - sizeof before), line + sizeof before - 1);
    } else if (!strcmp(t->verb, "list")) {
        show_entry(t, entry, arena);
    } else if (jnode_long(jnode_get(entry, "timestamp"), &ms) && jnode_long(jnode_get(entry, "id"), &id)) {
        if (!t->before || ms < t->before_ms)
            add_number(t, (uint64_t)id);
    }
}

/* What became of one number. */
static bool take_number(struct told *t, const struct jnode *n, struct arena *arena)
{
    static const char *const words[] = {"replayed", "discarded", "missing", "kept"};
    int64_t id = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!jnode_long(jnode_get(n, words[i]), &id))
            continue;
        const char *why = jnode_text(arena, jnode_get(n, "message"));
        if (i < 2) {
            printf("%" PRId64 " %s\n", id, words[i]);
            return true;
        }
        fprintf(stderr, "weir errors: %" PRId64 " %s%s\n", id,
                i == 2 ? "is not there" : "stays: ", why ? why : "");
        t->code = CMD_BAD;
        return true;
    }
    return false;
}

/* Hears an answer to its end. *more: where a list goes on, else 0. */
static int take_answer(struct told *t, int64_t *more)
{
    struct err e = {0};
    const char *line = NULL;
    size_t len = 0;
    *more = 0;
    for (bool ends = false; !ends;) {
        struct arena arena;
        if (hear(t, &line, &len, &e) < 0)
            return complain(e.text);
        const char *at = line;
        arena_init(&arena, ARENA_BLOCK);
        const struct jnode *n = jnode_parse(&arena, &at, line + len, &e),
                           *entry = n ? jnode_get(n, "entry") : NULL;
        const char *wrong =
            n ? jnode_text(&arena, jnode_get(n, "message")) : "the agent's answer makes no sense";
        int code = CMD_OK;
        if (entry)
            take_entry(t, entry, line, len, &arena);
        else if (n && (jnode_long(jnode_get(n, "more"), more) || jnode_get(n, "done")))
            ends = true;
        else if (!n || !take_number(t, n, &arena))
            code = complain(wrong ? wrong : "the agent's answer makes no sense: is it another version?");
        arena_fini(&arena);
        if (code != CMD_OK)
            return code;
    }
    return CMD_OK;
}

static int list(struct told *t)
{
    int64_t more = 0;
    int code;
    do {
        ask_list(t, (uint64_t)more);
        code = take_answer(t, &more);
    } while (code == CMD_OK && more);
    return code;
}

static int list_for_people(struct told *t)
{
    static const char *const names[] = {"number", "time", "app", "stream", "occurrence", "cause"};
    texttable_init(&t->table);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        texttable_column(&t->table, names[i], i == 0);
    int code = list(t);
    if (code == CMD_OK)
        texttable_print(&t->table, stdout);
    texttable_fini(&t->table);
    return code;
}

static int work(struct told *t)
{
    int64_t more;
    int code = CMD_OK;
    if (!strcmp(t->verb, "list"))
        return t->as_json ? list(t) : list_for_people(t);
    if (t->all || t->before)
        code = list(t);
    for (size_t i = 0; code == CMD_OK && i < t->count; i += ERRORS_ASK_MOST) {
        ask_numbers(t, t->numbers + i,
                    (int)(t->count - i < ERRORS_ASK_MOST ? t->count - i : ERRORS_ASK_MOST));
        code = take_answer(t, &more);
    }
    return code == CMD_OK ? t->code : code;
}

int cmd_errors(int argc, char **argv)
{
    struct told t = {.client = {.fd = -1}, .lock = -1};
    buf_init(&t.answer, SIZE_MAX);
    int code = read_words(&t, argc, argv);
    if (code == CMD_OK)
        code = open_there(&t);
    if (code == CMD_OK)
        code = work(&t);
    close_there(&t);
    mem_free(t.numbers);
    return code;
}
