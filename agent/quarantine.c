/* quarantine.c - see quarantine.h. */
#include "agent/quarantine.h"
#include "agent/salvage.h"
#include "agent/spool.h"
#include "engine/base/fault.h"
#include "engine/base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MOST = 4400, QUARANTINES_MOST = 10000, COPY_BYTES = 65536 };

static void path_of(char *path, const char *folder, const char *name, const char *file)
{
    snprintf(path, PATH_MOST, "%s%s%s%s%s", folder, *name ? "/" : "", name, *file ? "/" : "", file);
}

static int told(struct err *e, const char *path)
{
    return err_set(e, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s: %s", path,
                   strerror(errno));
}

static int sync_path(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? told(e, path) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- folders and files ---- */

/* Whatever is in it: a store that was being made has a folder of its own in there. */
void quarantine_scratch_end(const char *folder, const char *name)
{
    char path[PATH_MOST], own[PATH_MOST];
    path_of(own, folder, name, "");
    DIR *dir = opendir(own);
    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        path_of(path, folder, name, d->d_name);
        if (unlink(path) < 0 && errno == EISDIR)
            quarantine_scratch_end(own, d->d_name);
    }
    if (dir)
        closedir(dir);
    rmdir(own);
}

int quarantine_scratch(const char *folder, const char *name, struct err *e)
{
    char path[PATH_MOST];
    quarantine_scratch_end(folder, name);
    path_of(path, folder, name, "");
    return mkdir(path, 0750) < 0 ? told(e, path) : 0;
}

int quarantine_replace(const char *folder, const char *made, struct err *e)
{
    char from[PATH_MOST], to[PATH_MOST];
    path_of(from, folder, made, "data.mdb");
    path_of(to, folder, "", "data.mdb");
    struct stat was = {.st_mode = 0640};
    bool is_there = stat(to, &was) == 0;
    int rc = sync_path(from, e);
    (void)FAULT("quarantine.replace");
    /* It holds messages and texts of apps, and is for who had the other. */
    if (rc == 0 && (chmod(from, was.st_mode & 0777) < 0 ||
                    (is_there && geteuid() == 0 && chown(from, was.st_uid, was.st_gid) < 0)))
        rc = told(e, from);
    if (rc == 0 && rename(from, to) < 0)
        rc = told(e, to);
    if (rc == 0)
        (void)sync_path(
            folder, NULL); /* it is done; a power cut now may bring the other one back, which is as good */
    path_of(to, folder, "", "lock.mdb"); /* of the other file */
    unlink(to);
    quarantine_scratch_end(folder, made);
    return rc;
}

static int new_quarantine(const char *folder, char *name, size_t size, struct err *e)
{
    char path[PATH_MOST];
    for (int n = 1; n < QUARANTINES_MOST; n++) {
        snprintf(name, size, "quarantine-%d", n);
        path_of(path, folder, name, "");
        if (mkdir(path, 0750) == 0)
            return 0;
        if (errno != EEXIST)
            return told(e, path);
    }
    return err_set(e, ERR_IO, "%s: there are %d quarantines; remove some", folder, QUARANTINES_MOST);
}

static int copy_file(const char *from, const char *to, struct err *e)
{
    char *bytes = mem_array(1, COPY_BYTES);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640),
        rc = 0;
    ssize_t n = in < 0 || out < 0 ? -1 : 0;
    while (n >= 0 && (n = read(in, bytes, COPY_BYTES)) > 0)
        if (write(out, bytes, (size_t)n) != n)
            n = -1;
    if (n < 0 || fsync(out) < 0) {
        rc = told(e, to);
        unlink(to);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    mem_free(bytes);
    return rc;
}

/* The damaged file gets a second name, so that there is none without it at any moment. */
static int set_aside(const char *folder, const char *quarantine, struct err *e)
{
    char from[PATH_MOST], to[PATH_MOST];
    path_of(from, folder, "", "data.mdb");
    path_of(to, folder, quarantine, "data.mdb");
    int rc = link(from, to) < 0 ? copy_file(from, to, e) : 0; /* a file system may not have links */
    path_of(to, folder, quarantine, "");
    return rc == 0 ? sync_path(to, e) : rc;
}

/* ---- telling ---- */

static void note_line(void *user, enum log_level level, const char *line)
{
    FILE *report = user;
    log_write(level, "state", "%s", line);
    if (report)
        fprintf(report, "%s\n", line);
}

static void note(FILE *report, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void note(FILE *report, enum log_level level, const char *format, ...)
{
    struct buf line;
    va_list args;
    buf_init(&line, SIZE_MAX);
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    note_line(report, level, line.bytes);
    buf_fini(&line);
}

/* ---- the ways ---- */

/* A store in the place of one of which nothing is known: it has where its sinks' numbers begin. */
static int make_fresh(const char *folder, struct err *e)
{
    char to[PATH_MOST];
    struct store *store;
    struct store_batch b;
    path_of(to, folder, "salvage", "");
    int rc = quarantine_scratch(folder, "salvage", e);
    if (rc == 0)
        rc = store_open(&store, &(struct store_options){.folder = to}, e);
    if (rc != 0)
        return rc;
    batch_open(&b);
    spool_put_begin(&b, spool_far_above());
    rc = store_apply(store, &b, e);
    batch_close(&b);
    store_close(store);
    return rc;
}

/* What was made in the folder 'salvage' takes the store's place, and that is set aside; rc: of making it. */
static int take_place(const char *folder, const char *quarantine, int rc, struct err *e)
{
    if (rc == 0)
        rc = set_aside(folder, quarantine, e);
    if (rc == 0)
        rc = quarantine_replace(folder, "salvage", e);
    if (rc < 0)
        quarantine_scratch_end(folder, "salvage");
    return rc;
}

static int without(const char *folder, const char *quarantine, FILE *report, const struct err *why,
                   struct err *e)
{
    int rc = take_place(folder, quarantine, make_fresh(folder, e), e);
    if (rc < 0)
        return rc;
    note(report, LOG_ERROR, "%s/data.mdb: %s", folder, why->text);
    note(report, LOG_ERROR,
         "it is set aside as %s/%s/data.mdb, unchanged; durable apps begin anew, their outboxes are empty",
         folder, quarantine);
    note(report, LOG_ERROR, "`weir state inspect --state %s/%s` tells more", folder, quarantine);
    return 0;
}

static int with_salvage(const char *folder, const char *quarantine, FILE *report, const struct census *census,
                        struct err *e)
{
    char to[PATH_MOST], kept[PATH_MOST];
    path_of(to, folder, "salvage", "");
    path_of(kept, folder, quarantine, "");
    struct salvage s = {.from = folder, .to = to, .kept = kept, .say = note_line, .user = report};
    note(report, LOG_ERROR,
         "%s/data.mdb is damaged in %" PRIu64 " places; it is set aside as %s/data.mdb, unchanged", folder,
         census->seen.damages, kept);
    int rc = quarantine_scratch(folder, "salvage", e);
    if (rc == 0)
        rc = salvage_run(&s, census, e);
    rc = take_place(folder, quarantine, rc, e);
    if (rc < 0)
        return rc;
    note(report, LOG_ERROR,
         "%" PRIu64 " records go on; `weir state salvage --state %s --out FOLDER` copies them again",
         s.copied, kept);
    return 0;
}

static int handle(const char *folder, const struct census *census, const struct err *why, struct err *e)
{
    char quarantine[64], path[PATH_MOST];
    int rc = new_quarantine(folder, quarantine, sizeof quarantine, e);
    if (rc < 0)
        return rc;
    path_of(path, folder, quarantine, "report.txt");
    FILE *report = fopen(path, "we");
    rc = why ? without(folder, quarantine, report, why, e)
             : with_salvage(folder, quarantine, report, census, e);
    if (report)
        fclose(report);
    if (rc < 0) {
        unlink(path);
        path_of(path, folder, quarantine, "data.mdb");
        unlink(path); /* its other name is still there */
        path_of(path, folder, quarantine, "");
        rmdir(path);
    }
    return rc;
}

int quarantine_open(struct store **out, const struct store_options *options, struct err *e)
{
    const char *folder = options->folder;
    struct census census;
    struct err why = {0};
    quarantine_scratch_end(folder, "salvage");
    quarantine_scratch_end(folder, "compact");
    int rc = census_take(&census, folder, 0, &why);
    if (rc == ERR_NOT_FOUND)
        rc = 0;
    else if (rc == ERR_STATE)
        rc = handle(folder, NULL, &why, e);
    else if (rc < 0)
        *e = why;
    else if (census.seen.damages)
        rc = handle(folder, &census, NULL, e);
    census_fini(&census);
    if (rc == 0)
        rc = store_open(out, options, e);
    if (rc != ERR_STATE)
        return rc;
    why = *e; /* the database refuses what looked good */
    rc = handle(folder, NULL, &why, e);
    return rc < 0 ? rc : store_open(out, options, e);
}
