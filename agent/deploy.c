/* deploy.c - see deploy.h. */
#include "agent/deploy.h"
#include "agent/textfile.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file, and the app that came from it. */
struct deployed {
    char *file;         /* owned */
    char *name;         /* of the running app; owned */
    struct hosted *app; /* NULL: none, the file was never good */
    struct worker *worker;
    bool is_named; /* on the command line; never removed */
    bool is_there; /* seen in the last look */
    bool is_lost;  /* it can't be looked at: said once */
    bool is_refused;
    struct timespec changed;
    off_t size;
    ino_t inode;
};

/* The folder that has the name now: it may be another than before, by a rename or a symbolic link that was turned.
 * Adding the one that is watched already changes nothing. -1: looked at now and then instead. */
static void watch(struct deploy *d)
{
    uint32_t events =
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (!*d->folder)
        return;
    if (d->inotify < 0)
        d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int folder = d->inotify < 0 ? -1 : inotify_add_watch(d->inotify, d->folder, events);
    if (folder < 0 && d->inotify >= 0) {
        close(d->inotify);
        d->inotify = -1;
    } else if (folder >= 0 && d->watched != folder && d->watched > 0) {
        inotify_rm_watch(d->inotify, d->watched);
    }
    d->watched = folder;
}

void deploy_init(struct deploy *d, const struct config *config, struct worker *workers, int worker_count)
{
    *d = (struct deploy){.config = config, .workers = workers, .worker_count = worker_count, .inotify = -1};
    d->folder = mem_strdup(config->apps);
}

bool deploy_is_watching(const struct deploy *d)
{
    return *d->folder;
}

void deploy_drain_events(struct deploy *d)
{
    char events[4096];
    while (read(d->inotify, events, sizeof events) > 0)
        ;
}

int deploy_running(const struct deploy *d)
{
    int n = 0;
    for (int i = 0; i < d->count; i++)
        n += d->apps[i]->app != NULL;
    return n;
}

struct hosted *deploy_find(const struct deploy *d, const char *name)
{
    for (int i = 0; i < d->count; i++)
        if (d->apps[i]->app && !strcmp(d->apps[i]->name, name))
            return d->apps[i]->app;
    return NULL;
}

void deploy_each(const struct deploy *d, void (*fn)(struct hosted *h, void *user), void *user)
{
    for (int i = 0; i < d->count; i++)
        if (d->apps[i]->app)
            fn(d->apps[i]->app, user);
}

void deploy_names(const struct deploy *d, const char **names)
{
    for (int i = 0; i < d->count; i++)
        if (d->apps[i]->app)
            *names++ = d->apps[i]->name;
}

/* ---- jobs ---- */

struct change {
    struct deploy *deploy;
    const char *file, *text;
    size_t len;
    struct hosted *made, *old;
    int64_t memory_share, disk_share;
    int rc;
    struct err err;
};

static void job_prepare(struct worker *w, void *user)
{
    struct change *c = user;
    c->made = hosted_new(w, c->file, c->text, c->len, c->deploy->config);
}

static void job_start(struct worker *w, void *user)
{
    struct change *c = user;
    (void)w;
    c->rc = hosted_start(c->made, c->old, c->deploy->config, &c->err);
    if (c->rc < 0)
        hosted_free(c->made, false);
    else
        bounds_set(c->made, c->memory_share, c->disk_share, c->deploy->config);
}

static void job_discard(struct worker *w, void *user)
{
    (void)w;
    hosted_free(user, true);
}

static void job_close(struct worker *w, void *user)
{
    (void)w;
    hosted_free(user, false);
}

static void job_drain(struct worker *w, void *user)
{
    (void)user;
    for (struct hosted *h = w->apps; h; h = h->next)
        hosted_drain(h);
}

static void job_is_drained(struct worker *w, void *user)
{
    bool *is_drained = user;
    for (struct hosted *h = w->apps; h; h = h->next)
        *is_drained &= hosted_is_drained(h);
    *is_drained &= !w->retiring;
}

/* ---- shares ---- */

static struct bounds_want want_of(const struct hosted *h)
{
    return (struct bounds_want){
        .name = h->name, .said = plan_limits(app_plan(h->app)), .uses_disk = h->durable || h->has_tables};
}

/* Those of an app that is about to come in the place of a, before the others have less for it. */
static int find_shares(struct deploy *d, const struct deployed *a, struct change *c)
{
    struct bounds_want *wants = mem_array((size_t)d->count + 1, sizeof *wants);
    int count = 0;
    for (int i = 0; i < d->count; i++)
        if (d->apps[i] != a && d->apps[i]->app)
            wants[count++] = want_of(d->apps[i]->app);
    wants[count] = want_of(c->made);
    int rc = bounds_deal(d->config, wants, count + 1, count, &c->err);
    c->memory_share = wants[count].memory_share;
    c->disk_share = wants[count].disk_share;
    mem_free(wants);
    return rc;
}

struct dealing {
    const struct config *config;
    struct hosted **apps;
    struct bounds_want *wants;
    int count;
};

static void job_deal(struct worker *w, void *user)
{
    const struct dealing *dealing = user;
    for (int i = 0; i < dealing->count; i++)
        if (dealing->apps[i]->worker == w)
            bounds_set(dealing->apps[i], dealing->wants[i].memory_share, dealing->wants[i].disk_share,
                       dealing->config);
}

static void deal(struct deploy *d)
{
    struct err e = {0};
    struct dealing dealing = {.config = d->config,
                              .apps = mem_array((size_t)d->count + 1, sizeof(struct hosted *)),
                              .wants = mem_array((size_t)d->count + 1, sizeof *dealing.wants)};
    for (int i = 0; i < d->count; i++) {
        if (!d->apps[i]->app)
            continue;
        dealing.apps[dealing.count] = d->apps[i]->app;
        dealing.wants[dealing.count++] = want_of(d->apps[i]->app);
    }
    if (bounds_deal(d->config, dealing.wants, dealing.count, -1, &e) < 0)
        log_write(LOG_ERROR, "agent", "%s", e.text);
    for (int i = 0; i < d->worker_count; i++)
        worker_call(&d->workers[i], job_deal, &dealing);
    mem_free(dealing.apps);
    mem_free(dealing.wants);
    d->must_deal = false;
}

/* ---- one file ---- */

/* Apps that use inMemory topics share the first worker: the topics are served within it. */
static struct worker *choose_worker(const struct deploy *d, const struct deployed *a, const char *text)
{
    int loads[64] = {0}, best = 0;
    if (strcasestr(text, "inmemory"))
        return &d->workers[0];
    if (a->app)
        return a->worker;
    for (int i = 0; i < d->count; i++)
        if (d->apps[i]->app)
            loads[d->apps[i]->worker->number]++;
    for (int i = 1; i < d->worker_count; i++)
        if (loads[i] < loads[best])
            best = i;
    return &d->workers[best];
}

static const struct deployed *other_of_name(const struct deploy *d, const struct deployed *a,
                                            const char *name)
{
    for (int i = 0; i < d->count; i++)
        if (d->apps[i] != a && d->apps[i]->app && !strcmp(d->apps[i]->name, name))
            return d->apps[i];
    return NULL;
}

/* False: refused, and told. */
static bool put_text(struct deploy *d, struct deployed *a, const char *text, size_t len)
{
    struct change c = {.deploy = d, .file = a->file, .text = text, .len = len};
    const char *goes_on = a->app ? "; the app from before goes on" : "";
    struct worker *w = choose_worker(d, a, text);
    worker_call(w, job_prepare, &c);
    if (!c.made) {
        log_write(LOG_ERROR, "deploy", "%s: refused%s", a->file, goes_on);
        return false;
    }
    const struct deployed *other = other_of_name(d, a, c.made->name);
    if (other) {
        log_write(LOG_ERROR, "deploy", "%s: refused: %s already runs an app named '%s'%s", a->file,
                  other->file, c.made->name, goes_on);
        worker_call(w, job_discard, c.made);
        return false;
    }
    if (find_shares(d, a, &c) < 0) {
        log_write(LOG_ERROR, "deploy", "%s: refused: %s%s", a->file, c.err.text, goes_on);
        worker_call(w, job_discard, c.made);
        return false;
    }
    bool stays = a->app && a->worker == w;
    c.old = stays ? a->app : NULL;
    char *name = mem_strdup(c.made->name);
    worker_call(w, job_start, &c);
    if (c.rc < 0) {
        log_write(LOG_ERROR, "deploy", "%s: refused: %s%s", a->file, c.err.text, goes_on);
        mem_free(name);
        return false;
    }
    if (a->app && !stays)
        worker_call(a->worker, job_discard, a->app);
    log_write(LOG_INFO, "deploy", "%s: app %s %s", a->file, name, a->app ? "changed" : "runs");
    mem_free(a->name);
    a->name = name;
    a->app = c.made;
    a->worker = w;
    d->must_deal = true;
    return true;
}

static void remove_app(struct deployed *a)
{
    if (a->app) {
        worker_call(a->worker, job_discard, a->app);
        log_write(LOG_INFO, "deploy", "%s: app %s removed", a->file, a->name);
    }
    mem_free(a->file);
    mem_free(a->name);
    mem_free(a);
}

static bool is_same(const struct deployed *a, const struct stat *st)
{
    return a->inode == st->st_ino && a->size == st->st_size && a->changed.tv_sec == st->st_mtim.tv_sec &&
           a->changed.tv_nsec == st->st_mtim.tv_nsec;
}

/* Is its file there? False, and what was noted of it stays, also when it can't be looked at. */
static bool look_for(struct deployed *a, struct stat *st)
{
    if (stat(a->file, st) == 0) {
        a->is_there = true;
        a->is_lost = false;
        return true;
    }
    bool is_gone = errno == ENOENT || errno == ENOTDIR;
    if ((a->is_named || !is_gone) && !a->is_lost)
        log_write(LOG_ERROR, "deploy", "%s: %s", a->file, strerror(errno));
    a->is_lost = true;
    a->is_there = !is_gone; /* a disk that fails removes no app */
    return false;
}

static void look_at(struct deploy *d, struct deployed *a)
{
    struct stat st;
    if (!look_for(a, &st) || (is_same(a, &st) && !(d->tries_again && a->is_refused)))
        return;
    a->inode = st.st_ino;
    a->size = st.st_size;
    a->changed = st.st_mtim;
    a->is_refused = true;
    if (!a->is_named && !S_ISREG(st.st_mode)) { /* a pipe would be waited for without end */
        log_write(LOG_ERROR, "deploy", "%s: this is no regular file", a->file);
        return;
    }
    struct buf text;
    struct err e = {0};
    if (textfile_read(a->file, LIMIT_APP_BYTES, &text, &e) < 0)
        log_write(LOG_ERROR, "deploy", "%s", e.text);
    else
        a->is_refused = !put_text(d, a, text.bytes, text.len);
    buf_fini(&text);
}

/* ---- all files ---- */

static struct deployed *find_or_add(struct deploy *d, const char *file)
{
    for (int i = 0; i < d->count; i++)
        if (!strcmp(d->apps[i]->file, file))
            return d->apps[i];
    struct deployed *a = mem_alloc(sizeof *a);
    a->file = mem_strdup(file);
    d->apps = mem_resize(d->apps, (size_t)d->count + 1, sizeof(struct deployed *));
    d->apps[d->count++] = a;
    return a;
}

void deploy_name(struct deploy *d, const char *file)
{
    find_or_add(d, file)->is_named = true;
}

static int is_app(const struct dirent *e)
{
    const char *end = strrchr(e->d_name, '.');
    return end && end != e->d_name && e->d_name[0] != '.' && !strcmp(end, ".siddhi");
}

/* False: the folder can't be read; what runs from it goes on. */
static bool list_folder(struct deploy *d)
{
    struct dirent **entries = NULL;
    int n = scandir(d->folder, &entries, is_app, alphasort);
    if (n < 0) {
        if (!d->is_reported)
            log_write(LOG_ERROR, "deploy", "%s: %s", d->folder, strerror(errno));
        d->is_reported = true;
        return false;
    }
    d->is_reported = false;
    for (int i = 0; i < n; i++) {
        size_t len = strlen(d->folder) + strlen(entries[i]->d_name) + 2;
        char *file = mem_alloc(len);
        snprintf(file, len, "%s/%s", d->folder, entries[i]->d_name);
        find_or_add(d, file);
        mem_free(file);
        free(entries[i]); /* scandir's own */
    }
    free(entries);
    return true;
}

/* A file of another name that is what a's file was: it was renamed, and its app goes on under that. One that has its
 * name from its file would have another name, and other state, after the next start: that is another app. */
static bool is_renamed(struct deploy *d, struct deployed *a)
{
    struct stat st;
    if (a->app && !plan_name(app_plan(a->app->app)))
        return false;
    for (int i = 0; i < d->count; i++) {
        struct deployed *b = d->apps[i];
        if (b->is_there && !b->is_named && !b->inode && stat(b->file, &st) == 0 && is_same(a, &st)) {
            char *file = a->file;
            log_write(LOG_INFO, "deploy", "%s: renamed from %s", b->file, file);
            a->file = b->file;
            b->file = file;
            a->is_there = true;
            b->is_there = false;
            return true;
        }
    }
    return false;
}

/* Before what came is deployed: it may have the name of what went, or need its share. */
static void remove_gone(struct deploy *d)
{
    struct stat st;
    int kept = 0;
    for (int i = 0; i < d->count; i++) {
        d->apps[i]->is_there = false;
        (void)look_for(d->apps[i], &st);
    }
    for (int i = 0; i < d->count; i++)
        if (!d->apps[i]->is_there && !d->apps[i]->is_named && d->apps[i]->inode)
            (void)is_renamed(d, d->apps[i]);
    for (int i = 0; i < d->count; i++) {
        struct deployed *a = d->apps[i];
        if (a->is_there || a->is_named) {
            d->apps[kept++] = a;
            continue;
        }
        d->tries_again |= a->app != NULL;
        d->must_deal |= a->app != NULL;
        remove_app(a);
    }
    d->count = kept;
}

void deploy_look(struct deploy *d)
{
    watch(d); /* before it is listed: what comes after is an event */
    if (*d->folder && list_folder(d))
        remove_gone(d);
    for (int i = 0; i < d->count; i++)
        look_at(d, d->apps[i]);
    d->tries_again = false;
    if (d->must_deal)
        deal(d);
}

void deploy_drain(struct deploy *d)
{
    for (int i = 0; i < d->worker_count; i++)
        worker_call(&d->workers[i], job_drain, NULL);
}

bool deploy_is_drained(struct deploy *d)
{
    bool is_drained = true;
    for (int i = 0; i < d->worker_count; i++)
        worker_call(&d->workers[i], job_is_drained, &is_drained);
    return is_drained;
}

void deploy_fini(struct deploy *d)
{
    for (int i = 0; i < d->count; i++) {
        struct deployed *a = d->apps[i];
        if (a->app)
            worker_call(a->worker, job_close, a->app);
        mem_free(a->file);
        mem_free(a->name);
        mem_free(a);
    }
    mem_free(d->apps);
    mem_free(d->folder);
    if (d->inotify >= 0)
        close(d->inotify);
}
