/* cmd_check.c - weir check: compiles, runs nothing, says all that is wrong. */
#include "agent/appfile.h"
#include "agent/cmd.h"
#include "agent/jnode.h"
#include <stdio.h>
#include <string.h>

static void print_json(const struct diags *d, const char *path)
{
    static const char *const severities[] = {
        [DIAG_ERROR] = "error", [DIAG_UNSUPPORTED] = "unsupported", [DIAG_WARNING] = "warning"};
    struct buf out;
    buf_init(&out, SIZE_MAX);
    for (const struct diag *at = d->first; at; at = at->next) {
        int line, column;
        diag_position(d, at->span.at, &line, &column);
        buf_clear(&out);
        buf_add_str(&out, "{\"file\":");
        jnode_print_text(path, strlen(path), &out);
        buf_printf(&out, ",\"line\":%d,\"column\":%d,\"severity\":\"%s\",\"message\":", line, column,
                   severities[at->kind]);
        jnode_print_text(at->message, strlen(at->message), &out);
        if (at->hint) {
            buf_add_str(&out, ",\"hint\":");
            jnode_print_text(at->hint, strlen(at->hint), &out);
        }
        buf_add_char(&out, '}');
        puts(out.bytes);
    }
    buf_fini(&out);
}

static bool is_told(const struct diags *d, const char *words)
{
    for (const struct diag *at = d->first; at; at = at->next)
        if (strstr(words, at->message))
            return true;
    return false;
}

/* What only a started app finds: a cron expression that is none. The clock stands still, nothing fires. */
static bool starts(struct appfile *f)
{
    struct err e = {0};
    const struct app_host host = {.seed = 1};
    struct app *app = app_new(f->compile.plan, &host);
    f->compile.plan = NULL;
    int rc = app_start(app, 0, true, &e);
    if (rc < 0 && !is_told(&f->compile.diags, e.text))
        fprintf(stderr, "%s: %s\n", f->path, e.text);
    bind_free(f->bind);
    f->bind = NULL;
    app_free(app);
    return rc == 0;
}

static bool check(const char *path, bool json)
{
    struct appfile f;
    struct err e = {0};
    int rc = appfile_open(&f, path, &e);
    if (rc < 0 && rc != ERR_INVALID) {
        fprintf(stderr, "weir check: %s\n", e.text);
        return false;
    }
    if (json)
        print_json(&f.compile.diags, path);
    else
        diags_print(&f.compile.diags, path, stderr);
    bool good = rc == 0 && starts(&f);
    appfile_close(&f);
    return good;
}

int cmd_check(int argc, char **argv)
{
    int i = 1, rc = CMD_OK;
    bool json = false;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--json") != 0)
            return cmd_usage("check", "there is no option %s", argv[i]);
        json = true;
    }
    if (i == argc)
        return cmd_usage("check", "name an app");
    for (; i < argc; i++)
        if (!check(argv[i], json))
            rc = CMD_BAD;
    return rc;
}
