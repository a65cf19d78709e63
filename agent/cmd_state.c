/* cmd_state.c - weir state inspect, salvage, compact: the durable state as an operator sees it. Nothing here
 * loads an app. */
#include "agent/census.h"
#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/quarantine.h"
#include "agent/salvage.h"
#include "agent/statedir.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct state_options {
    const char *what, *state, *out;
    bool json;
};

static int read_options(struct state_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) {
            o->json = true;
        } else if (!strcmp(argv[i], "--state") || !strcmp(argv[i], "--out")) {
            const char **to = argv[i][2] == 's' ? &o->state : &o->out;
            if (++i == argc)
                return cmd_usage("state", "%s needs a folder", argv[i - 1]);
            *to = argv[i];
        } else if (o->what && !o->state && argv[i][0] != '-') {
            o->state = argv[i];
        } else if (argv[i][0] == '-' || o->what) {
            return cmd_usage("state", "%s: not understood", argv[i]);
        } else {
            o->what = argv[i];
        }
    }
    if (!o->what)
        return cmd_usage("state", "inspect, salvage or compact?");
    if (!o->state)
        return cmd_usage("state", "--state is missing");
    bool salvages = !strcmp(o->what, "salvage");
    if (!salvages && strcmp(o->what, "inspect") && strcmp(o->what, "compact"))
        return cmd_usage("state", "there is no 'state %s'", o->what);
    if (salvages != (o->out != NULL))
        return cmd_usage("state", salvages ? "--out is missing" : "--out is for salvage");
    return CMD_OK;
}

static int bad(const struct err *e)
{
    fprintf(stderr, "weir state: %s\n", e->text);
    return CMD_BAD;
}

/* ---- inspect: as text ---- */

static void print_time(const char *before, int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char text[64];
    if (!gmtime_r(&s, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm))
        snprintf(text, sizeof text, "%" PRId64 " ms", ms);
    printf("%s%s.%03dZ", before, text, (int)((ms % 1000 + 1000) % 1000));
}

static const char *app_title(const struct census_app *a, const struct census *c, char *room, size_t size)
{
    if (a->is_previous) {
        for (uint32_t i = 0; i < c->app_count; i++)
            if (c->apps[i].number == a->of && c->apps[i].name) {
                snprintf(room, size, "kept for a rollback of %s", c->apps[i].name);
                return room;
            }
        return "kept for a rollback of an app without a name";
    }
    return a->name ? a->name : "(no name leads to it)";
}

static void print_app(const struct census *c, const struct census_app *a)
{
    char room[300];
    printf("app %s (number %" PRIu32 ")", app_title(a, c, room, sizeof room), a->number);
    if (a->has_mark)
        print_time(": checkpoint at ", a->checkpoint_ms);
    else
        printf(": no checkpoint");
    printf("\n  parts    %" PRIu32 ", %" PRIu64 " bytes; pieces %" PRIu64 ", %" PRIu64 " bytes\n",
           a->part_count, a->part_bytes, a->pieces, a->piece_bytes);
    for (uint32_t i = 0; i < a->part_count; i++)
        if (*a->parts[i].name)
            printf("    %10" PRIu64 "  %s\n", a->parts[i].bytes, a->parts[i].name);
    printf("  journal  %" PRIu64 " records, %" PRIu64 " bytes\n", a->journal_records, a->journal_bytes);
    if (a->table_records)
        printf("  tables   %" PRIu64 " rows and keys, %" PRIu64 " bytes\n", a->table_records, a->table_bytes);
    for (uint32_t i = 0; i < a->table_count; i++)
        printf("    %10" PRIu64 "  rows of %s\n", a->tables[i].rows,
               a->tables[i].name ? a->tables[i].name : "a table that no name leads to");
    if (a->partly)
        printf("  NOT WHOLE: %s\n", a->partly);
    if (a->set_aside)
        printf("  NOT USABLE: %s\n", a->set_aside);
}

static void print_sink(const struct census *c, const struct census_sink *s, int64_t now_ms)
{
    const char *app = "?";
    for (uint32_t i = 0; i < c->app_count; i++)
        if (c->apps[i].number == s->app && c->apps[i].name)
            app = c->apps[i].name;
    printf("outbox %s/%s %s", app, s->stream ? s->stream : "(no name leads to it)", s->type ? s->type : "");
    if (s->place)
        printf(" #%" PRIu32, s->place + 1);
    printf(": %" PRIu64 " messages wait, %" PRIu64 " bytes", s->messages, s->message_bytes);
    if (s->oldest_ms)
        printf(", the oldest for %" PRId64 " s", (now_ms - s->oldest_ms) / 1000);
    printf("; next number %" PRIu64 ", %" PRIu64 " dropped\n", s->tail, s->dropped);
}

static void print_shelves(const struct census *c)
{
    for (int i = 0; i < STORE_SHELVES; i++) {
        uint64_t lost = census_lost(c, (enum store_shelf)i);
        printf("  %-8s %" PRIu64 " records, %" PRIu64 " bytes", store_shelf_name((enum store_shelf)i),
               c->seen.shelves[i].records, c->seen.shelves[i].bytes);
        if (lost == UINT64_MAX)
            printf("; how many are lost is not known");
        else if (lost)
            printf("; %" PRIu64 " ARE LOST", lost);
        putchar('\n');
    }
}

static void print_census(const struct census *c, const char *folder)
{
    const struct store_seen *seen = &c->seen;
    uint64_t free_bytes = seen->free_pages * seen->page_bytes;
    int64_t now_ms = clock_wall_ms();
    printf("%s: format %" PRIu32 ", file of %" PRIu64 " bytes: %" PRIu64 " used, %" PRIu64
           " free; transaction %" PRIu64 "\n",
           folder, seen->format, seen->file_bytes, seen->used_pages * seen->page_bytes, free_bytes,
           seen->number);
    print_shelves(c);
    for (uint32_t i = 0; i < c->app_count; i++)
        print_app(c, &c->apps[i]);
    for (uint32_t i = 0; i < c->sink_count; i++)
        print_sink(c, &c->sinks[i], now_ms);
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const struct census_damage *d = &c->damages[i];
        printf("DAMAGED: %s, page %" PRIu64 ": %s%s%s\n",
               d->shelf == STORE_SHELVES ? "file" : store_shelf_name(d->shelf), d->page, d->words,
               d->key ? ": " : "", d->key ? d->key : "");
    }
    if (seen->damages)
        printf("%" PRIu64
               " places are damaged; `weir state salvage --state %s --out FOLDER` copies what is good\n",
               seen->damages, folder);
    else
        printf("every page and every checksum is right\n");
}

/* ---- inspect: as JSON ---- */

static void json_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":", name);
    if (text)
        json_write_string(out, text, strlen(text));
    else
        buf_add_str(out, "null");
}

static void json_app(struct buf *out, const struct census_app *a)
{
    buf_printf(out, "{\"number\":%" PRIu32 ",", a->number);
    json_text(out, "name", a->name);
    if (a->is_previous)
        buf_printf(out, ",\"previousOf\":%" PRIu32, a->of);
    if (a->has_mark)
        buf_printf(out, ",\"checkpointMs\":%" PRId64, a->checkpoint_ms);
    buf_printf(out,
               ",\"partBytes\":%" PRIu64 ",\"pieces\":%" PRIu64 ",\"pieceBytes\":%" PRIu64 ",\"parts\":[",
               a->part_bytes, a->pieces, a->piece_bytes);
    for (uint32_t i = 0, shown = 0; i < a->part_count; i++) {
        if (!*a->parts[i].name)
            continue;
        buf_add_str(out, shown++ ? ",{" : "{");
        json_text(out, "name", a->parts[i].name);
        buf_printf(out, ",\"bytes\":%" PRIu64 "}", a->parts[i].bytes);
    }
    buf_printf(out,
               "],\"journalRecords\":%" PRIu64 ",\"journalBytes\":%" PRIu64 ",\"tableRecords\":%" PRIu64
               ",\"tableBytes\":%" PRIu64 ",",
               a->journal_records, a->journal_bytes, a->table_records, a->table_bytes);
    json_text(out, "notUsable", a->set_aside);
    json_text(out, "notWhole", a->partly);
    buf_add_char(out, '}');
}

static void json_sink(struct buf *out, const struct census_sink *s, int64_t now_ms)
{
    buf_printf(out, "{\"number\":%" PRIu32 ",\"app\":%" PRIu32 ",", s->number, s->app);
    json_text(out, "stream", s->stream);
    buf_add_char(out, ',');
    json_text(out, "type", s->type);
    buf_printf(out,
               ",\"place\":%" PRIu32 ",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"oldestAgeMs\":%" PRId64 ",\"nextNumber\":%" PRIu64 ",\"dropped\":%" PRIu64 "}",
               s->place, s->messages, s->message_bytes, s->oldest_ms ? now_ms - s->oldest_ms : 0, s->tail,
               s->dropped);
}

static void json_damage(struct buf *out, const struct census_damage *d)
{
    buf_add_char(out, '{');
    json_text(out, "shelf", d->shelf == STORE_SHELVES ? NULL : store_shelf_name(d->shelf));
    buf_printf(out, ",\"page\":%" PRIu64 ",", d->page);
    json_text(out, "what", d->words);
    buf_add_char(out, ',');
    json_text(out, "record", d->key);
    buf_add_char(out, '}');
}

static void json_census(const struct census *c, const char *folder)
{
    const struct store_seen *seen = &c->seen;
    int64_t now_ms = clock_wall_ms();
    struct buf out;
    buf_init(&out, SIZE_MAX);
    buf_add_char(&out, '{');
    json_text(&out, "folder", folder);
    buf_printf(&out,
               ",\"format\":%" PRIu32 ",\"fileBytes\":%" PRIu64 ",\"usedBytes\":%" PRIu64
               ",\"freeBytes\":%" PRIu64 ",\"transaction\":%" PRIu64,
               seen->format, seen->file_bytes, seen->used_pages * seen->page_bytes,
               seen->free_pages * seen->page_bytes, seen->number);
    buf_add_str(&out, ",\"shelves\":{");
    for (int i = 0; i < STORE_SHELVES; i++) {
        uint64_t lost = census_lost(c, (enum store_shelf)i);
        buf_printf(&out, "%s\"%s\":{\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"lost\":", i ? "," : "",
                   store_shelf_name((enum store_shelf)i), seen->shelves[i].records, seen->shelves[i].bytes);
        if (lost == UINT64_MAX)
            buf_add_str(&out, "null}");
        else
            buf_printf(&out, "%" PRIu64 "}", lost);
    }
    buf_add_str(&out, "},\"apps\":[");
    for (uint32_t i = 0; i < c->app_count; i++) {
        buf_add_str(&out, i ? "," : "");
        json_app(&out, &c->apps[i]);
    }
    buf_add_str(&out, "],\"outboxes\":[");
    for (uint32_t i = 0; i < c->sink_count; i++) {
        buf_add_str(&out, i ? "," : "");
        json_sink(&out, &c->sinks[i], now_ms);
    }
    buf_printf(&out, "],\"damageCount\":%" PRIu64 ",\"damages\":[", seen->damages);
    for (uint32_t i = 0; i < c->damage_count; i++) {
        buf_add_str(&out, i ? "," : "");
        json_damage(&out, &c->damages[i]);
    }
    buf_add_str(&out, "]}\n");
    fwrite(out.bytes, 1, out.len, stdout);
    buf_fini(&out);
}

static int inspect_census(const struct state_options *o, int rc, const struct census *c, const struct err *e)
{
    if (rc < 0)
        return bad(e);
    if (o->json)
        json_census(c, o->state);
    else
        print_census(c, o->state);
    return c->seen.damages ? CMD_BAD : CMD_OK;
}

/* An agent writes to it meanwhile: a look keeps what was there when it began, and needs the agent's file of
 * locks. */
static int inspect_running(const struct state_options *o)
{
    enum { TRIES = 5 };
    char path[4200];
    struct store *s;
    struct census c = {0};
    struct err e = {0};
    int rc = ERR_BUSY;
    snprintf(path, sizeof path, "%s/lock.mdb", o->state);
    if (access(path, F_OK) != 0) {
        err_set(&e, ERR_BUSY,
                "%s: an agent uses it, and this system has no locks to read beside it: stop the agent first",
                o->state);
        return bad(&e);
    }
    for (int i = 0; i < TRIES && rc == ERR_BUSY; i++) {
        census_fini(&c);
        if (store_open(&s, &(struct store_options){.folder = o->state, .reads_only = true}, &e) < 0)
            return bad(&e);
        rc = store_look(s, &e) < 0 ? ERR_BUSY : 0; /* the file may have outgrown what was opened */
        if (rc == 0) {
            rc = census_take(&c, o->state, store_look_number(s), &e);
            store_look_end(s);
        }
        store_close(s);
    }
    if (rc == 0 && !o->json)
        printf("an agent uses it: as of its last transaction\n");
    int code = inspect_census(o, rc, &c, &e);
    census_fini(&c);
    return code;
}

static int inspect(const struct state_options *o)
{
    struct census c;
    struct err e = {0};
    int lock;
    int rc = statedir_look(o->state, &lock, &e);
    if (rc == ERR_BUSY)
        return inspect_running(o);
    if (rc < 0)
        return bad(&e);
    rc = census_take(&c, o->state, 0, &e);
    int code = inspect_census(o, rc, &c, &e);
    census_fini(&c);
    if (lock >= 0)
        close(lock);
    return code;
}

/* ---- salvage ---- */

static void say_line(void *user, enum log_level level, const char *line)
{
    (void)user;
    (void)level;
    printf("%s\n", line);
}

static int salvage_into(const struct state_options *o, struct err *e)
{
    struct census c;
    struct salvage s = {.from = o->state, .to = o->out, .say = say_line};
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", o->out);
    if (stat(path, &st) == 0)
        return err_set(e, ERR_INVALID, "%s: there is a state already; name a new folder", o->out);
    int rc = census_take(&c, o->state, 0, e);
    if (rc == 0)
        rc = salvage_run(&s, &c, e);
    if (rc == 0 && s.lost == UINT64_MAX)
        printf("%" PRIu64 " records copied to %s; how many are lost is not known\n", s.copied, o->out);
    else if (rc == 0)
        printf("%" PRIu64 " records copied to %s; %" PRIu64 " are lost\n", s.copied, o->out, s.lost);
    census_fini(&c);
    return rc;
}

static int salvage(const struct state_options *o)
{
    struct err e = {0};
    int from, to;
    int rc = statedir_look(o->state, &from, &e);
    if (rc == ERR_BUSY)
        err_set(&e, ERR_BUSY, "%s: an agent uses it: stop it first", o->state);
    if (rc < 0)
        return bad(&e);
    rc = statedir_open(o->out, &to, &e);
    if (rc == 0) {
        rc = salvage_into(o, &e);
        close(to);
    }
    if (from >= 0)
        close(from);
    return rc < 0 ? bad(&e) : CMD_OK;
}

/* ---- compact ---- */

static int check_copy(const char *folder, const struct store_seen *before, struct store_seen *after,
                      struct err *e)
{
    static const struct store_visitor nobody;
    int rc = store_file_read(folder, 0, &nobody, after, e);
    bool is_same = after->damages == 0;
    for (int i = 0; i < STORE_SHELVES; i++)
        is_same &= after->shelves[i].records == before->shelves[i].records &&
                   after->shelves[i].bytes == before->shelves[i].bytes;
    if (rc == 0 && !is_same)
        rc = err_set(e, ERR_IO, "%s: the copy is not what it should be; nothing was changed", folder);
    return rc;
}

static int compact_locked(const char *folder, struct err *e)
{
    static const struct store_visitor nobody;
    struct store_seen before, after;
    struct store *s;
    char path[4200];
    snprintf(path, sizeof path, "%s/compact", folder);
    int rc = store_file_read(folder, 0, &nobody, &before, e);
    if (rc == 0 && before.damages)
        rc = err_set(
            e, ERR_STATE,
            "%s: it is damaged; `weir state inspect` tells where, `weir state salvage` copies what is good",
            folder);
    if (rc < 0)
        return rc;
    rc = quarantine_scratch(folder, "compact", e);
    if (rc < 0)
        return rc;
    rc = store_open(&s, &(struct store_options){.folder = folder}, e);
    if (rc == 0) {
        rc = store_compact(s, path, e);
        store_close(s);
    }
    if (rc == 0)
        rc = check_copy(path, &before, &after, e);
    if (rc == 0)
        rc = quarantine_replace(folder, "compact", e);
    if (rc != 0) {
        quarantine_scratch_end(folder, "compact");
        return rc;
    }
    printf("%s: %" PRIu64 " bytes before, %" PRIu64 " now\n", folder, before.file_bytes, after.file_bytes);
    return 0;
}

static int compact(const struct state_options *o)
{
    struct err e = {0};
    struct stat st;
    int lock;
    if (stat(o->state, &st) < 0) { /* opening would make it */
        err_set(&e, ERR_NOT_FOUND, "%s: there is no such folder", o->state);
        return bad(&e);
    }
    int rc = statedir_open(o->state, &lock, &e);
    if (rc < 0)
        return bad(&e);
    rc = compact_locked(o->state, &e);
    statedir_close(o->state, lock);
    return rc < 0 ? bad(&e) : CMD_OK;
}

int cmd_state(int argc, char **argv)
{
    struct state_options o = {0};
    int code = read_options(&o, argc, argv);
    if (code != CMD_OK)
        return code;
    KNOWN(o.what && o.state);
    if (!strcmp(o.what, "inspect"))
        return inspect(&o);
    return !strcmp(o.what, "salvage") ? salvage(&o) : compact(&o);
}
