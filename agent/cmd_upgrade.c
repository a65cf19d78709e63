/* cmd_upgrade.c - weir upgrade: what a changed app would keep, and one step back. */
#include "agent/census.h"
#include "agent/cmd.h"
#include "agent/config.h"
#include "agent/keeper.h"
#include "agent/previous.h"
#include "agent/statedir.h"
#include "agent/textfile.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/engine.h"
#include "ports/bind.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct upgrade_options {
    const char *state, *config, *to, *back, *app;
    bool is_dry;
};

static int read_options(struct upgrade_options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const char **to = !strcmp(word, "--state")      ? &o->state
                          : !strcmp(word, "-c")         ? &o->config
                          : !strcmp(word, "--to")       ? &o->to
                          : !strcmp(word, "--rollback") ? &o->back
                                                        : NULL;
        if (to && ++i == argc)
            return cmd_usage("upgrade", "%s needs a value", word);
        if (to)
            *to = argv[i];
        else if (!strcmp(word, "--dry-run"))
            o->is_dry = true;
        else if (word[0] == '-' || o->app)
            return cmd_usage("upgrade", "%s: not understood", word);
        else
            o->app = word;
    }
    if (!o->state)
        return cmd_usage("upgrade", "--state is missing");
    if (o->is_dry == (o->back != NULL))
        return cmd_usage(
            "upgrade",
            "--dry-run or --rollback? An app is changed by putting the new text where the agent reads it");
    if (o->is_dry != (o->app != NULL) || (o->to && o->is_dry))
        return cmd_usage("upgrade", o->is_dry ? "name the changed app's file" : "not understood");
    return CMD_OK;
}

static int bad(const struct err *e)
{
    fprintf(stderr, "weir upgrade: %s\n", e->text);
    return CMD_BAD;
}

/* ---- the dry run ---- */

static void print_parts(const char *what, int count, const struct buf *names)
{
    printf("%s: %d\n", what, count);
    for (const char *at = count ? names->bytes : ""; *at;) {
        const char *end = strstr(at, ", ");
        printf("  %.*s\n", (int)(end ? end - at : (long)strlen(at)), at);
        at = end ? end + 2 : at + strlen(at);
    }
}

static bool has_sink(const struct plan *plan, const struct bind *b, const struct census_sink *s)
{
    uint32_t place = 0;
    for (int i = 0; i < b->sink_count; i++)
        if (!strcmp(plan_stream(plan, b->sinks[i].stream)->id, s->stream) &&
            !strcmp(b->sinks[i].type->name, s->type) && place++ == s->place)
            return true;
    return false;
}

static void print_sinks(const struct plan *plan, const struct bind *b, const struct census *c, uint32_t app)
{
    for (uint32_t i = 0; i < c->sink_count; i++) {
        const struct census_sink *s = &c->sinks[i];
        if (s->app != app || !s->stream)
            continue;
        bool stays = has_sink(plan, b, s);
        printf("outbox %s %s: %s, %" PRIu64 " messages wait\n", s->stream, s->type,
               stays ? "kept" : "no sink has it any more; it stays as it is", s->messages);
    }
}

/* The app is loaded for good, but nothing is written and nothing runs: what would be refused is refused here.
 */
static int try_load(struct app *app, struct keeper *k, struct app_upgrade *u, struct err *e)
{
    int rc = app_compare(app, &k->home, u, e);
    if (rc == 0)
        rc = app_start(app, 0, true, e);
    if (rc < 0)
        return rc;
    struct app_upgrade done;
    app_upgrade_init(&done);
    rc = app_restore(app, &k->home, &done, e);
    app_upgrade_fini(&done);
    return rc;
}

/* Takes the plan, and frees bind with it. */
static int compare(struct compile *made, struct bind *bind, const char *name, struct store *store,
                   const struct census *c, struct err *e)
{
    const struct census_app *old = census_find(c, name);
    const char *text = plan_text(made->plan);
    if (!old || !old->has_mark) {
        printf("app %s: the state has nothing of it: all begins empty\n", name);
        bind_free(bind);
        return 0;
    }
    if (old->set_aside) {
        bind_free(bind);
        return err_set(e, ERR_STATE, "app %s: its state cannot be used: %s", name, old->set_aside);
    }
    if (old->partly) {
        bind_free(bind);
        return err_set(e, ERR_STATE, "app %s: %s: run it once as it was, then what is left is whole again",
                       name, old->partly);
    }
    bool is_same = old->text && !strcmp(old->text, text);
    struct app_upgrade u;
    struct keeper k;
    struct app_host nobody = {.seed = 1};
    app_upgrade_init(&u);
    keeper_init(&k, store, NULL, old->number);
    struct app *app = app_new(made->plan, &nobody);
    made->plan = NULL;
    int rc = try_load(app, &k, &u, e);
    if (rc == 0) {
        printf("app %s: %s\n", name,
               is_same ? "the text is the one the state is of: all is kept" : "changed");
        print_parts("kept", u.kept_count, &u.kept);
        print_parts("begins empty", u.fresh_count, &u.fresh);
        print_parts("dropped", u.dropped_count, &u.dropped);
        print_sinks(app_plan(app), bind, c, old->number);
        if (old->journal_records)
            printf("journal: %" PRIu64 " records; the text of before works them off first\n",
                   old->journal_records);
    }
    keeper_fini(&k);
    bind_free(bind);
    app_free(app);
    app_upgrade_fini(&u);
    return rc;
}

static char *name_of(const struct plan *plan, const char *file)
{
    KNOWN(file);
    const char *base = strrchr(file, '/');
    char *name = mem_strdup(plan_name(plan) ? plan_name(plan) : base ? base + 1 : file);
    char *end = plan_name(plan) ? NULL : strstr(name, ".siddhi");
    if (end && !end[strlen(".siddhi")] && end != name)
        *end = 0;
    return name;
}

static int compare_with(const struct upgrade_options *o, const struct buf *text, struct config *config,
                        struct store *store, const struct census *c, struct err *e)
{
    struct compile made;
    struct engine_options options = {.variable = config_variable, .user = config};
    struct bind *bind = NULL;
    engine_compile(&made, text->bytes, text->len, &options);
    if (made.plan)
        bind = bind_new(made.plan, &made.diags);
    diags_print(&made.diags, o->app, stderr);
    int rc = bind ? 0 : err_set(e, ERR_INVALID, "%s: refused; the app from before would go on", o->app);
    if (bind) {
        char *name = name_of(made.plan, o->app);
        rc = compare(&made, bind, name, store, c, e);
        mem_free(name);
    }
    compile_fini(&made);
    return rc;
}

static int compare_in(const struct upgrade_options *o, const struct buf *text, struct config *config,
                      bool is_running, struct err *e)
{
    struct census c = {0};
    struct store *s;
    int rc = is_running ? 0 : census_take(&c, o->state, 0, e);
    if (rc == 0 && c.seen.damages)
        rc = err_set(e, ERR_STATE, "%s: it is damaged; `weir state inspect` tells where", o->state);
    if (rc == 0)
        rc = store_open(&s, &(struct store_options){.folder = o->state, .reads_only = true}, e);
    if (rc == 0 && is_running) { /* what the file has is what the look has */
        rc = store_look(s, e);
        if (rc == 0) {
            rc = census_take(&c, o->state, store_look_number(s), e);
            store_look_end(s);
        }
        if (rc < 0)
            store_close(s);
    }
    if (rc == 0) {
        if (is_running)
            printf("an agent uses it: as of the last checkpoint\n");
        rc = compare_with(o, text, config, s, &c, e);
        store_close(s);
    }
    census_fini(&c);
    return rc;
}

static int dry_run(const struct upgrade_options *o)
{
    struct config config;
    struct buf text;
    struct err e = {0};
    int lock = -1, rc;
    config_init(&config);
    if (o->config && config_read(&config, o->config) < 0) {
        config_fini(&config);
        return CMD_BAD;
    }
    rc = textfile_read(o->app, LIMIT_APP_BYTES, &text, &e);
    if (rc == 0) {
        rc = statedir_look(o->state, &lock, &e);
        if (rc == 0 || rc == ERR_BUSY)
            rc = compare_in(o, &text, &config, rc == ERR_BUSY, &e);
    }
    if (lock >= 0)
        close(lock);
    buf_fini(&text);
    config_fini(&config);
    return rc < 0 ? bad(&e) : CMD_OK;
}

/* ---- one step back ---- */

static int write_text(const char *file, const struct buf *text, struct err *e)
{
    char made[4200];
    snprintf(made, sizeof made, "%s.weir-rollback", file);
    FILE *f = fopen(made, "we");
    bool is_good =
        f && fwrite(text->bytes, 1, text->len, f) == text->len && fflush(f) == 0 && fsync(fileno(f)) == 0;
    int saved = errno;
    if (f)
        fclose(f);
    if (is_good && rename(made, file) == 0)
        return 0;
    saved = is_good ? errno : saved;
    unlink(made);
    return err_set(e, ERR_IO, "%s: %s", file, strerror(saved));
}

/* Names of the app's tables in the store, with commas. */
static void table_names(const struct census *c, const char *app, struct buf *out)
{
    const struct census_app *a = census_find(c, app);
    for (uint32_t i = 0; a && i < a->table_count; i++)
        if (a->tables[i].name)
            buf_printf(out, "%s%s", out->len ? ", " : "", a->tables[i].name);
}

static int go_back(const struct upgrade_options *o, struct err *e)
{
    struct census c;
    struct store *s;
    struct buf text, tables;
    int rc = census_take(&c, o->state, 0, e);
    buf_init(&text, SIZE_MAX);
    buf_init(&tables, SIZE_MAX);
    table_names(&c, o->back, &tables);
    if (rc == 0 && c.seen.damages)
        rc = err_set(e, ERR_STATE, "%s: it is damaged; `weir state inspect` tells where", o->state);
    census_fini(&c);
    if (rc == 0)
        rc = store_open(&s, &(struct store_options){.folder = o->state}, e);
    if (rc == 0) {
        rc = previous_return(s, o->back, &text, e);
        store_close(s);
    }
    if (rc == 0 && o->to)
        rc = write_text(o->to, &text, e);
    else if (rc == 0)
        fwrite(text.bytes, 1, text.len, stdout);
    if (rc == 0)
        fprintf(stderr, "app %s has again the state of before its last change%s%s%s\n", o->back,
                o->to ? ", and " : "; its text is on standard output", o->to ? o->to : "",
                o->to ? " its text" : "");
    if (rc == 0 && tables.len)
        fprintf(stderr, "its tables in the store stay as they are now: %s\n", tables.bytes);
    buf_fini(&tables);
    buf_fini(&text);
    return rc;
}

static int rollback(const struct upgrade_options *o)
{
    struct err e = {0};
    int looked, lock;
    int rc = statedir_look(o->state, &looked, &e);
    if (rc == 0 && looked >= 0)
        close(looked);
    if (rc == 0)
        rc = statedir_open(o->state, &lock, &e);
    if (rc == ERR_BUSY)
        err_set(&e, ERR_BUSY, "%s: an agent uses it: stop it first", o->state);
    if (rc != 0)
        return bad(&e);
    rc = go_back(o, &e);
    statedir_close(o->state, lock);
    return rc < 0 ? bad(&e) : CMD_OK;
}

int cmd_upgrade(int argc, char **argv)
{
    struct upgrade_options o = {0};
    int code = read_options(&o, argc, argv);
    if (code != CMD_OK)
        return code;
    return o.is_dry ? dry_run(&o) : rollback(&o);
}
