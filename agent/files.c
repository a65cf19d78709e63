/* files.c - see files.h. */
#include "agent/files.h"
#include "engine/base/mem.h"
#include "engine/base/utf8.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name in a folder that was reached safely. */
struct place {
    int folder;              /* descriptor */
    char name[NAME_MAX + 1]; /* "": the configured folder itself */
};
struct walk {
    struct buf *out; /* the words */
    uint64_t bytes;
    uint32_t count;
};

static enum world_answer refuse(struct buf *out, const char *path, const char *words)
{
    buf_clear(out);
    buf_printf(out, "'%.120s' %s", path, words);
    return WORLD_REFUSED;
}
static enum world_answer fail(struct buf *out, const char *what)
{
    int error = errno;
    buf_clear(out);
    buf_printf(out, "%.120s: %s", what, strerror(error));
    return WORLD_FAILED;
}

/* ---- reaching a place ---- */

/* The configured folder that path is in: its length, 0: none. */
static size_t folder_of(const char *folders, const char *path, size_t *at)
{
    size_t best = 0;
    for (const char *p = folders; *p;) {
        size_t len = strcspn(p, ":"), trimmed = len;
        while (trimmed > 1 && p[trimmed - 1] == '/')
            trimmed--;
        bool is_in = trimmed && p[0] == '/' && strncmp(path, p, trimmed) == 0 &&
                     (path[trimmed] == '\0' || path[trimmed] == '/' || trimmed == 1);
        if (is_in && trimmed > best) {
            best = trimmed;
            *at = (size_t)(p - folders);
        }
        p += len + (p[len] == ':');
    }
    return best;
}

/* The next part of a path, into name (NAME_MAX + 1 bytes). 1; 0: there is none; -1: it may not be. */
static int next_part(const char **path, char *name)
{
    while (**path == '/')
        ++*path;
    size_t len = strcspn(*path, "/");
    if (!len)
        return 0;
    if (len > NAME_MAX || (len == 1 && **path == '.') || (len == 2 && !strncmp(*path, "..", 2)))
        return -1;
    memcpy(name, *path, len);
    name[len] = '\0';
    *path += len;
    return 1;
}

/* One step down. makes: the folder is made where it is missing. A descriptor, or -1 with errno. */
static int step(int folder, const char *name, bool makes)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int next = openat(folder, name, flags);
    if (next < 0 && errno == ENOENT && makes && (mkdirat(folder, name, 0755) == 0 || errno == EEXIST))
        next = openat(folder, name, flags);
    return next;
}

/* WORLD_DONE: place is the caller's to close. WORLD_NONE: a folder on the way is missing. */
static enum world_answer reach(const char *folders, const char *uri, bool makes, struct place *place,
                               struct buf *out)
{
    const char *path = strncmp(uri, "file:", 5) == 0 ? uri + 5 : uri;
    char next[NAME_MAX + 1];
    while (path[0] == '/' && path[1] == '/')
        path++;
    size_t at = 0, len = folder_of(folders, path, &at);
    if (!*folders)
        return refuse(out, uri,
                      "can't be touched: the setting \"files\" names no folder for file: functions");
    if (path[0] != '/')
        return refuse(out, uri, "is no absolute path");
    if (!len)
        return refuse(out, uri, "is in none of the folders of the setting \"files\"");
    char *root = mem_alloc(len + 1);
    memcpy(root, folders + at, len);
    place->folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(root);
    place->name[0] = '\0';
    if (place->folder < 0)
        return fail(out, uri);
    path += len == 1 ? 0 : len;
    int rc = next_part(&path, place->name);
    while (rc > 0 && (rc = next_part(&path, next)) > 0) {
        int below = step(place->folder, place->name, makes);
        int error = errno;
        close(place->folder);
        if (below < 0 && error == ENOENT)
            return WORLD_NONE;
        errno = error;
        if (below < 0)
            return error == ELOOP || error == ENOTDIR
                       ? refuse(out, uri, "leads through a symbolic link, or something that is no folder")
                       : fail(out, uri);
        place->folder = below;
        memcpy(place->name, next, sizeof next);
    }
    if (rc == 0)
        return WORLD_DONE;
    close(place->folder);
    return refuse(out, uri, "has a '.' or '..' in it, or too long a name");
}

static int look(const struct place *p, struct stat *s)
{
    return *p->name ? fstatat(p->folder, p->name, s, AT_SYMLINK_NOFOLLOW) : fstat(p->folder, s);
}

static enum world_answer with(const char *folders, const char *path, struct buf *out,
                              enum world_answer (*work)(struct place *p, const struct stat *s,
                                                        const char *path, struct buf *out))
{
    struct place p;
    struct stat s;
    enum world_answer rc = reach(folders, path, false, &p, out);
    if (rc != WORLD_DONE)
        return rc;
    if (look(&p, &s) == 0)
        rc = work(&p, &s, path, out);
    else
        rc = errno == ENOENT ? WORLD_NONE : fail(out, path);
    close(p.folder);
    return rc;
}

/* ---- folders and what is in them ---- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **items;
    uint32_t count, cap;
};
static void names_end(struct names *n)
{
    for (uint32_t i = 0; i < n->count; i++)
        mem_free(n->items[i]);
    mem_free(n->items);
}

/* In order of their bytes. Closes fd. False: errno. */
static bool read_names(int fd, struct walk *w, struct names *n)
{
    struct dirent *d;
    DIR *dir = fdopendir(fd);
    *n = (struct names){0};
    if (!dir) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    errno = 0;
    while ((d = readdir(dir)) != NULL) {
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        if (++w->count > FILES_MOST) {
            errno = EOVERFLOW;
            break;
        }
        if (n->count == n->cap) {
            n->cap = n->cap ? n->cap * 2 : 32;
            n->items = mem_resize(n->items, n->cap, sizeof *n->items);
        }
        n->items[n->count++] = mem_strdup(d->d_name);
        errno = 0;
    }
    int error = errno;
    closedir(dir);
    if (n->count)
        qsort(n->items, n->count, sizeof *n->items, by_bytes);
    errno = error;
    return error == 0;
}

enum { WALK_SIZE, WALK_LIST, WALK_DELETE };

static bool visit(int folder, const char *name, int what, bool is_deep, const char *prefix, int depth,
                  struct walk *w);

/* Of the folder fd, which it closes: everything in it. */
static bool walk(int fd, int what, bool is_deep, const char *prefix, int depth, struct walk *w)
{
    struct names n;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    bool good = depth < FILES_DEEP && own >= 0;
    if (!good)
        errno = own < 0 ? errno : ELOOP;
    int error = errno;
    if (!good) {
        close(fd);
        if (own >= 0)
            close(own);
        errno = error;
        return false;
    }
    good = read_names(fd, w, &n);
    for (uint32_t i = 0; good && i < n.count; i++)
        good = visit(own, n.items[i], what, is_deep, prefix, depth, w);
    error = errno;
    names_end(&n);
    close(own);
    errno = error;
    return good;
}

static bool visit(int folder, const char *name, int what, bool is_deep, const char *prefix, int depth,
                  struct walk *w)
{
    struct stat s;
    if (fstatat(folder, name, &s, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT; /* gone meanwhile */
    if (S_ISREG(s.st_mode) && what == WALK_SIZE)
        w->bytes += (uint64_t)s.st_size;
    if (S_ISREG(s.st_mode) && what == WALK_LIST && utf8_valid(name, strlen(name))) {
        buf_add_str(w->out, prefix);
        buf_add_str(w->out, name);
        buf_add_char(w->out, '\0');
    }
    if (S_ISDIR(s.st_mode) && is_deep && (what != WALK_LIST || utf8_valid(name, strlen(name)))) {
        size_t room = strlen(prefix) + strlen(name) + 2;
        char *below = mem_alloc(room);
        snprintf(below, room, "%s%s/", prefix, name);
        int fd = step(folder, name, false);
        bool good = fd >= 0 && walk(fd, what, true, below, depth + 1, w);
        int error = errno;
        mem_free(below);
        errno = error;
        if (!good)
            return false;
    }
    if (what != WALK_DELETE)
        return true;
    return unlinkat(folder, name, S_ISDIR(s.st_mode) ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT;
}

/* ---- what is asked ---- */

static enum world_answer tell_kind(struct place *p, const struct stat *s, const char *path, struct buf *out)
{
    (void)p, (void)path;
    buf_add_str(out, S_ISREG(s->st_mode) ? "file" : S_ISDIR(s->st_mode) ? "folder" : "other");
    return WORLD_DONE;
}

static enum world_answer tell_modified(struct place *p, const struct stat *s, const char *path,
                                       struct buf *out)
{
    (void)p, (void)path;
    buf_printf(out, "%" PRId64, (int64_t)s->st_mtim.tv_sec * 1000 + s->st_mtim.tv_nsec / 1000000);
    return WORLD_DONE;
}

/* The folder at place, opened. */
static int open_folder(const struct place *p)
{
    return step(p->folder, *p->name ? p->name : ".", false);
}

static enum world_answer tell_size(struct place *p, const struct stat *s, const char *path, struct buf *out)
{
    struct walk w = {.bytes = S_ISREG(s->st_mode) ? (uint64_t)s->st_size : 0};
    int fd = S_ISDIR(s->st_mode) ? open_folder(p) : -1;
    if (S_ISDIR(s->st_mode) && (fd < 0 || !walk(fd, WALK_SIZE, true, "", 0, &w)))
        return fail(out, path);
    buf_printf(out, "%" PRIu64, w.bytes);
    return WORLD_DONE;
}

static enum world_answer tell_names(struct place *p, const char *path, bool is_deep, struct buf *out)
{
    struct walk w = {.out = out};
    int fd = open_folder(p);
    if (fd < 0 || !walk(fd, WALK_LIST, is_deep, "", 0, &w))
        return fail(out, path);
    return WORLD_DONE;
}
static enum world_answer tell_files(struct place *p, const struct stat *s, const char *path, struct buf *out)
{
    return S_ISDIR(s->st_mode) ? tell_names(p, path, false, out) : WORLD_NONE;
}
static enum world_answer tell_all_files(struct place *p, const struct stat *s, const char *path,
                                        struct buf *out)
{
    return S_ISDIR(s->st_mode) ? tell_names(p, path, true, out) : WORLD_NONE;
}

static enum world_answer delete (struct place *p, const struct stat *s, const char *path, struct buf *out) {
    struct walk w = {0}; (void)s;
    if (!*p->name) return refuse(out, path, "is a folder of the setting \"files\" itself");
    return visit(p->folder, p->name, WALK_DELETE, true, "", 0, &w) ? WORLD_DONE : fail(out, path);
}

static enum world_answer make(const char *folders, const char *path, bool is_folder, struct buf *out)
{
    struct place p;
    struct stat s;
    enum world_answer rc = reach(folders, path, true, &p, out);
    if (rc != WORLD_DONE)
        return rc;
    if (look(&p, &s) == 0) {
        if (!(is_folder ? S_ISDIR(s.st_mode) : S_ISREG(s.st_mode))) {
            errno = EEXIST;
            rc = fail(out, path);
        }
    } else if (is_folder) {
        rc = mkdirat(p.folder, p.name, 0755) == 0 ? WORLD_DONE : fail(out, path);
    } else {
        int fd = openat(p.folder, p.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        rc = fd >= 0 ? WORLD_DONE : fail(out, path);
        if (fd >= 0)
            close(fd);
    }
    close(p.folder);
    return rc;
}

static bool copy_bytes(int from, int to)
{
    char block[65536];
    uint64_t total = 0;
    ssize_t n;
    while ((n = read(from, block, sizeof block)) != 0) {
        total += n > 0 ? (uint64_t)n : 0;
        if (total > FILES_COPY_BYTES)
            errno = EFBIG;
        if (n < 0 || total > FILES_COPY_BYTES)
            return false;
        for (ssize_t done = 0; done < n;) {
            ssize_t more = write(to, block + done, (size_t)(n - done));
            if (more < 0)
                return false;
            done += more;
        }
    }
    return true;
}

/* Into a file beside it that then takes its name: what is in b's place stays whole until b is. */
static bool copy(const struct place *a, const struct place *b)
{
    char half[NAME_MAX + 1];
    struct stat s;
    snprintf(half, sizeof half, ".%.200s.weir", b->name);
    int from = openat(a->folder, a->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool good = from >= 0 && fstat(from, &s) == 0;
    if (good && !S_ISREG(s.st_mode)) {
        errno = EISDIR;
        good = false;
    }
    if (good && unlinkat(b->folder, half, 0) < 0)
        good = errno == ENOENT;
    int to = good ? openat(b->folder, half, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    good = good && to >= 0 && copy_bytes(from, to);
    int error = errno;
    if (from >= 0)
        close(from);
    if (to >= 0 && close(to) < 0 && good) {
        error = errno;
        good = false;
    }
    if (good && renameat(b->folder, half, b->folder, b->name) < 0) {
        error = errno;
        good = false;
    }
    if (!good && to >= 0)
        unlinkat(b->folder, half, 0);
    errno = error;
    return good;
}

static enum world_answer carry(const char *folders, enum world_verb verb, const char *a, const char *b,
                               struct buf *out)
{
    struct place from, to;
    struct stat s;
    enum world_answer rc = reach(folders, a, false, &from, out);
    if (rc != WORLD_DONE)
        return rc;
    if (look(&from, &s) < 0)
        rc = errno == ENOENT ? WORLD_NONE : fail(out, a);
    if (rc == WORLD_DONE)
        rc = reach(folders, b, true, &to, out);
    if (rc != WORLD_DONE) {
        close(from.folder);
        return rc;
    }
    if (!*from.name || !*to.name)
        rc = refuse(out, *from.name ? b : a, "is a folder of the setting \"files\" itself");
    else if (verb == WORLD_COPY ? !copy(&from, &to)
                                : renameat(from.folder, from.name, to.folder, to.name) < 0)
        rc = fail(out, a);
    close(from.folder);
    close(to.folder);
    return rc;
}

enum world_answer files_ask(const char *folders, enum world_verb verb, const char *a, const char *b,
                            struct buf *out)
{
    switch (verb) {
    case WORLD_KIND:
        return with(folders, a, out, tell_kind);
    case WORLD_SIZE:
        return with(folders, a, out, tell_size);
    case WORLD_MODIFIED:
        return with(folders, a, out, tell_modified);
    case WORLD_LIST:
        return with(folders, a, out, tell_files);
    case WORLD_LIST_DEEP:
        return with(folders, a, out, tell_all_files);
    case WORLD_DELETE:
        return with(folders, a, out, delete);
    case WORLD_MAKE_FILE:
    case WORLD_MAKE_FOLDER:
        return make(folders, a, verb == WORLD_MAKE_FOLDER, out);
    case WORLD_RENAME:
    case WORLD_COPY:
        return carry(folders, verb, a, b, out);
    case WORLD_VARIABLE:
        break;
    }
    return refuse(out, a, "can't be asked here");
}
