#include "agent/appfile.h"
#include "engine/base/limits.h"
#include <stdlib.h>

static const char *variable(void *user, const char *name)
{
    (void)user;
    return getenv(name);
}

int appfile_open(struct appfile *f, const char *path, struct err *e)
{
    const struct engine_options options = {.variable = variable};
    *f = (struct appfile){.path = path};
    int rc = textfile_read(path, LIMIT_APP_BYTES, &f->text, e);
    if (rc < 0) {
        buf_fini(&f->text);
        return rc;
    }
    engine_compile(&f->compile, f->text.bytes, f->text.len, &options);
    const struct diags *d = &f->compile.diags;
    if (f->compile.plan)
        f->bind = bind_new(f->compile.plan, &f->compile.diags);
    if (f->bind && d->errors == 0 && d->unsupported == 0)
        return 0;
    return err_set(e, ERR_INVALID, "%s: refused", path);
}

int appfile_open_or_tell(struct appfile *f, const char *command, const char *path)
{
    struct err e = {0};
    int rc = appfile_open(f, path, &e);
    if (rc == ERR_INVALID)
        diags_print(&f->compile.diags, path, stderr);
    else if (rc < 0)
        fprintf(stderr, "weir %s: %s\n", command, e.text);
    if (rc == ERR_INVALID)
        appfile_close(f);
    return rc;
}

void appfile_close(struct appfile *f)
{
    if (f->bind)
        bind_free(f->bind);
    compile_fini(&f->compile);
    buf_fini(&f->text);
}
