/* config.c - the table of settings, and what reads and prints it.
 *
 * Comments are blanked out before cJSON sees the text, so that its offsets stay those of the file. cJSON
 * keeps no places: a second walk over the text (find_members) finds where the n-th member of the outermost
 * object stands. */
#include "agent/config.h"
#include "engine/base/amount.h"
#include "engine/base/diag.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* NAMES: an object of names and texts. SHARES: the same of apps and amounts. */
enum setting_kind { SETTING_TEXT, SETTING_NUMBER, SETTING_WORD, SETTING_NAMES, SETTING_SHARES };

/* A new setting: a row here and a field in struct config. Order is the order of the printed file. */
struct setting {
    const char *name;
    enum setting_kind kind;
    int64_t least, most;  /* NUMBER */
    const char *standard; /* as text */
    const char *words;    /* WORD: those allowed, a blank between them */
    const char *help;     /* may have several lines */
    uint32_t at;          /* in struct config */
    bool at_start;        /* taken at the agent's start, and not again */
};

/* clang-format off */
#define AT(field) offsetof(struct config, field), false
#define AT_START(field) offsetof(struct config, field), true
static const struct setting settings[] = {
    {"apps", SETTING_TEXT, 0, 0, "", NULL,
     "Folder of apps (*.siddhi). It is watched: an app is added, changed or removed with its file,\nwhile the others run. \"\": none.", AT_START(apps)},
    {"state", SETTING_TEXT, 0, 0, "", NULL,
     "Folder for what must survive the agent. Made where missing, locked while in use. \"\": none.\nThe option --state goes before it.", AT_START(state)},
    {"workers", SETTING_NUMBER, 1, 64, "1", NULL,
     "Threads that run apps. Each app lives on one of them; apps that use inMemory share the first.", AT_START(workers)},
    {"inbox.messages", SETTING_NUMBER, 1, 1000000, "4096", NULL,
     "Messages that may wait for an app before its sources stop reading.", AT(inbox_messages)},
    {"inbox.bytes", SETTING_NUMBER, 65536, 1073741824, "4194304", NULL,
     "The same in bytes.", AT(inbox_bytes)},
    {"outbox.messages", SETTING_NUMBER, 1, 10000000, "8192", NULL,
     "Messages that may wait for one sink before its app takes no more input.", AT(outbox_messages)},
    {"outbox.bytes", SETTING_NUMBER, 65536, 1073741824, "4194304", NULL,
     "The same in bytes.", AT(outbox_bytes)},
    {"turn.linger.us", SETTING_NUMBER, 0, 5000, "200", NULL,
     "How long a worker waits, while messages come fast, for more to share a turn. Microseconds.", AT_START(turn_linger_us)},
    {"shutdown.ms", SETTING_NUMBER, 0, 600000, "10000", NULL,
     "Time to finish what has arrived and hand over what waits for sinks, after SIGTERM.", AT(shutdown_ms)},
    {"retire.ms", SETTING_NUMBER, 0, 86400000, "60000", NULL,
     "Time for the sinks of a removed or changed app to hand over what waits for them.", AT_START(retire_ms)},
    {"durable", SETTING_WORD, 0, 0, "no", "no yes",
     "Are apps durable that don't say so by @app:durable or @app:durable('false')? Needs \"state\".", AT(durable_word)},
    {"device", SETTING_TEXT, 0, 0, "", NULL,
     "This device's name in the keys of messages that may arrive twice upstream. \"\": the host's name.", AT(device)},
    {"commit.interval.ms", SETTING_NUMBER, 0, 10000, "20", NULL,
     "What durable apps did is on disk at the latest so long after it happened, while more keeps coming.\nWhen nothing comes it is written at once.", AT_START(commit_ms)},
    {"commit.events", SETTING_NUMBER, 1, 1000000, "4096", NULL,
     "It is written earlier when so many messages wait for it.", AT_START(commit_events)},
    {"checkpoint.bytes", SETTING_NUMBER, 4096, 1073741824, "1048576", NULL,
     "An app's state is written when its journal has grown by so much, and by more than the last state took.", AT(checkpoint_bytes)},
    {"state.bytes", SETTING_NUMBER, 1048576, 1099511627776, "1073741824", NULL,
     "Most bytes of the folder for state. At the bound durable apps stop taking input until there is room.", AT_START(state_bytes)},
    {"state.shares", SETTING_SHARES, 0, 0, NULL, NULL,
     "What of it each app may take, by its name: {\"Room\": \"30%\", \"Hall\": \"64 MB\"}; goes before @app:limits(disk='30%').\nApps without a word share the rest equally. An app at its share takes no input until its far sides took something.", AT(state_shares)},
    {"state.ballast.bytes", SETTING_NUMBER, 0, 1073741824, "262144", NULL,
     "A file of so many bytes in that folder, given up when the disk is full, so that what far sides acknowledged can still\nbe written down, which makes room. 0: none.", AT_START(state_ballast)},
    {"memory.bytes", SETTING_NUMBER, 1048576, 1099511627776, "268435456", NULL,
     "Most bytes of memory for all apps together: what their queries hold, and what waits for them and for their sinks.", AT(memory_bytes)},
    {"memory.shares", SETTING_SHARES, 0, 0, NULL, NULL,
     "What of it each app may take, by its name, as for \"state.shares\"; goes before @app:limits(memory='30%').\nApps without a word share the rest equally. `weir status` tells who holds what.", AT(memory_shares)},
    {"memory.ballast.bytes", SETTING_NUMBER, 0, 1073741824, "4194304", NULL,
     "Address space given back when the system itself has no memory left, so that what is under way is finished. 0: none.", AT_START(memory_ballast)},
    {"limits.full", SETTING_WORD, 0, 0, "wait", "wait drop store",
     "What becomes of input for an app at its share, unless it says @app:limits(full='...'). wait: its sources stop reading,\nand brokers keep what they have; drop: it is taken, counted and thrown away; store: it goes to the error store.", AT(limits_full)},
    {"buffer.bytes", SETTING_NUMBER, 65536, 1099511627776, "268435456", NULL,
     "Most bytes on disk that wait for one sink; @sink(buffer.max.size='10 MB') goes before it.", AT(buffer_bytes)},
    {"errors.bytes", SETTING_NUMBER, 0, 1099511627776, "16777216", NULL,
     "Most bytes of the folder for state that the error store may take: what failed at a stream with @OnError(action='store')\nor a sink with on.error='store', and messages that could not be mapped. `weir errors` lists and replays them. At most half of \"state.bytes\"; 0: none is kept.", AT_START(errors_bytes)},
    {"errors.full", SETTING_WORD, 0, 0, "drop.oldest", "drop.oldest refuse",
     "What becomes of them at that bound: the oldest go, or newer ones are logged only.", AT_START(errors_full)},
    {"errors.mapping", SETTING_WORD, 0, 0, "all", "all marked none",
     "Messages that could not be mapped are kept for all streams, for those with @OnError(action='store'), or for none.", AT(errors_mapping)},
    {"metrics.interval.s", SETTING_NUMBER, 0, 86400, "0", NULL,
     "Seconds between lines of counters in the log. 0: only at the end.", AT(metrics_s)},
    {"log.level", SETTING_WORD, 0, 0, "info", "error warn info debug trace",
     "What is logged: error, warn, info, debug or trace.", AT(log_level)},
    {"log.format", SETTING_WORD, 0, 0, "text", "text json",
     "text, or json: one object a line.", AT(log_format)},
    {"control.socket", SETTING_TEXT, 0, 0, "control.sock", NULL,
     "The socket on which `weir query` finds this agent; only its own user, and root, may use it.\nA name without / is in the folder \"state\", and nowhere when there is none. \"\": none.", AT_START(control_socket)},
    {"files", SETTING_TEXT, 0, 0, "", NULL,
     "Folders that file: functions of apps may read and change, ':' between them; they are given paths by events.\nNever one that holds apps, state or configuration. \"\": none, and each such function fails its event.", AT(files)},
    {"variables", SETTING_NAMES, 0, 0, NULL, NULL,
     "Values for ${NAME} in apps where the environment has none.", AT(variables)},
};
/* clang-format on */
enum { SETTING_COUNT = sizeof settings / sizeof *settings };

static void *field(const struct config *c, const struct setting *s)
{
    return (char *)(uintptr_t)c + s->at;
}

static void set_text(struct config *c, const struct setting *s, const char *text)
{
    char **at = field(c, s);
    mem_free(*at);
    *at = mem_strdup(text);
}

void config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (s->kind == SETTING_NUMBER)
            *(int64_t *)field(c, s) = strtoll(s->standard, NULL, 10);
        else if (s->standard)
            set_text(c, s, s->standard);
    }
}

static bool is_same(const struct setting *s, const struct config *a, const struct config *b)
{
    if (s->kind == SETTING_NUMBER)
        return *(int64_t *)field(a, s) == *(int64_t *)field(b, s);
    return !strcmp(*(char **)field(a, s), *(char **)field(b, s));
}

void config_keep(struct config *fresh, const struct config *old, struct buf *names)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (!s->at_start || is_same(s, fresh, old))
            continue;
        buf_printf(names, "%s%s", names->len ? ", " : "", s->name);
        if (s->kind == SETTING_NUMBER)
            *(int64_t *)field(fresh, s) = *(int64_t *)field(old, s);
        else
            set_text(fresh, s, *(char **)field(old, s));
    }
}

void names_fini(struct names *n)
{
    for (int i = 0; i < n->count; i++) {
        mem_free(n->items[i].name);
        mem_free(n->items[i].value);
    }
    mem_free(n->items);
    *n = (struct names){0};
}

void names_copy(struct names *to, const struct names *from)
{
    *to = (struct names){.items = mem_array((size_t)from->count + 1, sizeof *to->items)};
    for (; to->count < from->count; to->count++) {
        const struct variable *v = &from->items[to->count];
        to->items[to->count] = (struct variable){mem_strdup(v->name), mem_strdup(v->value)};
    }
}

void config_fini(struct config *c)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (settings[i].kind == SETTING_TEXT || settings[i].kind == SETTING_WORD)
            mem_free(*(char **)field(c, &settings[i]));
        else if (settings[i].kind != SETTING_NUMBER)
            names_fini(field(c, &settings[i]));
    }
}

/* ---- reading ---- */

/* Blanks comments outside strings; newlines stay. Returns the offset of a comment that never ends, or len. */
static size_t blank_comments(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') {
            for (i++; i < len && text[i] != '"'; i++)
                if (text[i] == '\\')
                    i++;
        } else if (text[i] == '/' && i + 1 < len && text[i + 1] == '/') {
            for (; i < len && text[i] != '\n'; i++)
                text[i] = ' ';
        } else if (text[i] == '/' && i + 1 < len && text[i + 1] == '*') {
            size_t start = i;
            text[i] = text[i + 1] = ' ';
            for (i += 2; i + 1 < len && (text[i] != '*' || text[i + 1] != '/'); i++)
                if (text[i] != '\n')
                    text[i] = ' ';
            if (i + 1 >= len)
                return start;
            text[i] = text[i + 1] = ' ';
            i++;
        }
    }
    return len;
}

struct member {
    size_t key, value;
};

static size_t skip_space(const char *text, size_t at, size_t len)
{
    while (at < len && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    return at;
}

static size_t skip_string(const char *text, size_t at, size_t len)
{
    for (at++; at < len && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at + 1;
}

/* Places of the members of the object that begins at `at`; the text is valid JSON. At most count. */
static void find_members(const char *text, size_t at, size_t len, struct member *members, int count)
{
    at++;
    for (int n = 0; n < count; n++) {
        at = skip_space(text, at, len);
        members[n].key = at;
        at = skip_space(text, skip_string(text, at, len), len) + 1;
        members[n].value = at = skip_space(text, at, len);
        for (int depth = 0; at < len; at++) {
            if (text[at] == '"')
                at = skip_string(text, at, len) - 1;
            else if (text[at] == '{' || text[at] == '[')
                depth++;
            else if (depth && (text[at] == '}' || text[at] == ']'))
                depth--;
            else if (!depth && (text[at] == ',' || text[at] == '}'))
                break;
        }
        at++;
    }
}

static const struct setting *setting_find(const char *name)
{
    for (int i = 0; i < SETTING_COUNT; i++)
        if (!strcmp(settings[i].name, name))
            return &settings[i];
    return NULL;
}

static struct span place(size_t at, size_t len)
{
    return (struct span){(uint32_t)at, (uint32_t)len};
}

static bool word_allowed(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = words; len && (at = strstr(at, word)); at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

static void add_name(struct names *n, const char *name, const char *value)
{
    n->items = mem_resize(n->items, (size_t)n->count + 1, sizeof *n->items);
    n->items[n->count++] = (struct variable){mem_strdup(name), mem_strdup(value)};
}

static void read_names(struct names *names, struct diags *d, const struct setting *s, const cJSON *value,
                       size_t at)
{
    int count = cJSON_GetArraySize(value), n = 0;
    struct member *members = mem_array((size_t)count + 1, sizeof *members);
    struct amount amount;
    find_members(d->text, at, d->len, members, count);
    for (const cJSON *v = value->child; v; v = v->next, n++) {
        if (!cJSON_IsString(v)) {
            diag_error(d, place(members[n].value, 1), "%s '%s' must be text",
                       s->kind == SETTING_NAMES ? "variable" : "the share of", v->string);
        } else if (s->kind == SETTING_SHARES && !amount_read(&amount, v->valuestring)) {
            diag_error(d, place(members[n].value, strlen(v->valuestring) + 2),
                       "the share of '%s' must be an amount or a part of the whole", v->string);
            diag_hint(d, "\"64 MB\" or \"25%%\"");
        } else {
            add_name(names, v->string, v->valuestring);
        }
    }
    mem_free(members);
}

static void read_setting(struct config *c, struct diags *d, const struct setting *s, const cJSON *value,
                         size_t at)
{
    double n = value->valuedouble;
    switch (s->kind) {
    case SETTING_NUMBER:
        if (!cJSON_IsNumber(value))
            diag_error(d, place(at, 1), "'%s' must be a number", s->name);
        else if (n < (double)s->least || n > (double)s->most || n != (double)(int64_t)n)
            diag_error(d, place(at, 1), "'%s' must be a whole number from %" PRId64 " to %" PRId64, s->name,
                       s->least, s->most);
        else
            *(int64_t *)field(c, s) = (int64_t)n;
        break;
    case SETTING_WORD:
        if (!cJSON_IsString(value) || !word_allowed(s->words, value->valuestring))
            diag_error(d, place(at, 1), "'%s' must be one of: %s", s->name, s->words);
        else
            set_text(c, s, value->valuestring);
        break;
    case SETTING_TEXT:
        if (!cJSON_IsString(value))
            diag_error(d, place(at, 1), "'%s' must be text", s->name);
        else
            set_text(c, s, value->valuestring);
        break;
    case SETTING_NAMES:
    case SETTING_SHARES:
        if (!cJSON_IsObject(value))
            diag_error(d, place(at, 1), "'%s' must be an object of names and texts", s->name);
        else
            read_names(field(c, s), d, s, value, at);
        break;
    }
}

static void unknown_setting(struct diags *d, const char *name, size_t at)
{
    const char *names[SETTING_COUNT];
    for (int i = 0; i < SETTING_COUNT; i++)
        names[i] = settings[i].name;
    diag_error(d, place(at, strlen(name) + 2), "there is no setting '%s'", name);
    const char *near = diag_near(name, names, SETTING_COUNT);
    if (near)
        diag_hint(d, "did you mean '%s'?", near);
    else
        diag_hint(d, "`weir run --print-config` prints every setting");
}

static void read_members(struct config *c, struct diags *d, const cJSON *root)
{
    int count = cJSON_GetArraySize(root), n = 0;
    struct member *members = mem_array((size_t)count + 1, sizeof *members);
    find_members(d->text, skip_space(d->text, 0, d->len), d->len, members, count);
    bool seen[SETTING_COUNT] = {false};
    for (const cJSON *v = root->child; v; v = v->next, n++) {
        const struct setting *s = setting_find(v->string);
        if (!s) {
            unknown_setting(d, v->string, members[n].key);
        } else if (seen[s - settings]) {
            diag_error(d, place(members[n].key, strlen(s->name) + 2), "'%s' is set twice", s->name);
        } else {
            seen[s - settings] = true;
            read_setting(c, d, s, v, members[n].value);
        }
    }
    mem_free(members);
}

static void read_text(struct config *c, struct diags *d, char *plain, size_t len)
{
    if (memchr(plain, 0, len)) {
        diag_error(d, place((size_t)((char *)memchr(plain, 0, len) - plain), 1),
                   "a NUL byte: this is not text");
        return;
    }
    size_t open = blank_comments(plain, len);
    if (open < len) {
        diag_error(d, place(open, 2), "this comment never ends");
        return;
    }
    const char *end = plain;
    cJSON *root = cJSON_ParseWithLengthOpts(plain, len + 1, &end, 1);
    d->text = plain; /* places are the same; members are looked up without comments */
    if (!root) {
        size_t at = end ? (size_t)(end - plain) : 0;
        diag_error(d, place(at < len ? at : len, 1), "this is not JSON: something else was expected here");
    } else if (!cJSON_IsObject(root)) {
        diag_error(d, place(0, 1), "the configuration must be one object: { ... }");
    } else {
        read_members(c, d, root);
    }
    cJSON_Delete(root);
}

int config_parse(struct config *c, const char *file, const char *text, size_t len)
{
    struct arena arena;
    struct diags d;
    arena_init(&arena, 4096);
    diags_init(&d, &arena, text, len);
    char *plain = mem_alloc(len + 1);
    memcpy(plain, text, len);
    read_text(c, &d, plain, len);
    d.text = text;
    if (d.errors)
        diags_print(&d, file, stderr);
    mem_free(plain);
    arena_fini(&arena);
    return d.errors ? ERR_INVALID : 0;
}

int config_read(struct config *c, const char *file)
{
    enum { MOST_BYTES = 1024 * 1024 };
    FILE *in = fopen(file, "rb");
    char *text = NULL;
    int rc = ERR_IO;
    if (!in) {
        fprintf(stderr, "weir: %s: %s\n", file, strerror(errno));
        return ERR_IO;
    }
    text = mem_alloc(MOST_BYTES + 1);
    size_t len = fread(text, 1, MOST_BYTES + 1, in);
    if (ferror(in))
        fprintf(stderr, "weir: %s: %s\n", file, strerror(errno));
    else if (len > MOST_BYTES)
        fprintf(stderr, "weir: %s: more than %d bytes: this is no configuration\n", file, MOST_BYTES);
    else
        rc = config_parse(c, file, text, len);
    fclose(in);
    mem_free(text);
    return rc;
}

/* ---- printing ---- */

static void print_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < ' ')
            fprintf(out, "\\u%04x", *s);
        else
            fputc(*s, out);
    }
    fputc('"', out);
}

static void print_help(FILE *out, const struct setting *s)
{
    for (const char *line = s->help; line && *line;) {
        const char *end = strchr(line, '\n');
        fprintf(out, "    // %.*s\n", end ? (int)(end - line) : (int)strlen(line), line);
        line = end ? end + 1 : NULL;
    }
    if (s->kind == SETTING_NUMBER)
        fprintf(out, "    // From %" PRId64 " to %" PRId64 ".\n", s->least, s->most);
}

static void print_names(FILE *out, const struct names *n)
{
    const char *before = "\n";
    fputc('{', out);
    for (int i = 0; i < n->count; i++, before = ",\n") {
        fprintf(out, "%s        ", before);
        print_text(out, n->items[i].name);
        fputs(": ", out);
        print_text(out, n->items[i].value);
    }
    fputs(n->count ? "\n    }" : "}", out);
}

void config_print(const struct config *c, FILE *out)
{
    fputs("// Settings of the agent, for `weir run -c FILE`. JSON with comments. What is left out keeps its "
          "default.\n{\n",
          out);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (i)
            fputc('\n', out);
        print_help(out, s);
        fprintf(out, "    \"%s\": ", s->name);
        if (s->kind == SETTING_NUMBER)
            fprintf(out, "%" PRId64, *(int64_t *)field(c, s));
        else if (s->kind == SETTING_NAMES || s->kind == SETTING_SHARES)
            print_names(out, field(c, s));
        else
            print_text(out, *(char **)field(c, s));
        fputs(i + 1 < SETTING_COUNT ? ",\n" : "\n", out);
    }
    fputs("}\n", out);
}

const char *names_find(const struct names *n, const char *name)
{
    for (int i = n->count; i > 0; i--)
        if (!strcmp(n->items[i - 1].name, name))
            return n->items[i - 1].value;
    return NULL;
}

const char *config_variable(void *user, const char *name)
{
    const struct config *c = user;
    const char *value = getenv(name);
    return value ? value : names_find(&c->variables, name);
}
