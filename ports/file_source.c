/* file_source.c - reading files: lines or whole, one file or the files of a directory, once or tailed. */
#include "engine/base/log.h"
#include "ports/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    STEP_MESSAGES = LIMIT_TURN_MESSAGES /* of one source before the next one's turn */
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool was_seen(const struct file_port *p, const char *path, ino_t inode)
{
    return (uintptr_t)map_get_str(&p->seen, path) == (uintptr_t)inode + 1;
}

void file_source_shut(struct file_port *p)
{
    close(p->fd);
    p->fd = -1;
}

/* ---- sources: what is done with a file that was read and settled ---- */

/* 0 or an errno. */
static int file_move(const struct file_port *p, const char *path)
{
    char to[PATH_MAX];
    const char *name = base_name(path);
    struct stat st;
    int len = snprintf(to, sizeof to, "%s/%s", p->move_to, name);
    if (p->move_keeps && stat(to, &st) == 0) {
        uint64_t random = 0;
        ssize_t rc = getrandom(&random, sizeof random, 0);
        (void)rc;
        len = snprintf(to, sizeof to, "%s/%s-%016llx", p->move_to, name, (unsigned long long)random);
    }
    if (len >= (int)sizeof to)
        return ENAMETOOLONG;
    return rename(path, to) == 0 ? 0 : errno;
}

static int act(const struct file_port *p, const char *path)
{
    switch (p->after) {
    case ACTION_KEEP:
        return 0;
    case ACTION_DELETE:
        return unlink(path) == 0 ? 0 : errno;
    case ACTION_MOVE:
        return file_move(p, path);
    }
    return 0;
}

/* Law 4. st is of path, which was seen. True: it is gone now. */
static bool act_again(struct file_port *p, const char *path, const struct stat *st)
{
    uintptr_t size = (uintptr_t)map_get_str(&p->left, path);
    if (!size || size != (uintptr_t)st->st_size + 1 || act(p, path) != 0)
        return false;
    map_remove(&p->left, path, strlen(path));
    log_write(LOG_INFO, "file", "%s: %s is %s now", p->port->name, path,
              p->after == ACTION_MOVE ? "moved" : "deleted");
    return true;
}

static void source_done(struct file_port *p)
{
    struct stat st;
    int why = act(p, p->current);
    if (p->after == ACTION_KEEP || why != 0)
        map_put_str(&p->seen, p->current, (void *)((uintptr_t)p->inode + 1));
    if (why != 0) {
        log_write(LOG_ERROR, "file", "%s: %s %s: %s; it will be tried again", p->port->name,
                  p->after == ACTION_MOVE ? "moving" : "deleting", p->current, strerror(why));
        if (fstat(p->fd, &st) == 0)
            map_put_str(&p->left, p->current, (void *)((uintptr_t)st.st_size + 1));
    }
    file_source_shut(p);
    p->at_ms = 0; /* the next one of the directory at once */
}

/* ---- sources: finding the file ---- */

/* The first file by name that matches and was not read. Forgets what is gone from the directory. */
static bool dir_find(struct file_port *p, char *out)
{
    DIR *dir = opendir(p->path);
    if (!dir) {
        if (!p->broken)
            file_tell(p, PORT_DISCONNECTED, strerror(errno));
        return false;
    }
    struct map still;
    map_init(&still);
    out[0] = '\0';
    for (struct dirent *d; (d = readdir(dir));) {
        char path[PATH_MAX];
        struct stat st;
        int len = snprintf(path, sizeof path, "%s/%s", p->path, d->d_name);
        if (d->d_name[0] == '.' || len >= (int)sizeof path || stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
            (!p->tailing && st.st_size == 0) ||
            (p->has_pattern && regexec(&p->pattern, d->d_name, 0, NULL, 0) != 0))
            continue;
        bool seen = was_seen(p, path, st.st_ino);
        if (seen && !act_again(p, path, &st))
            map_put_str(&still, path, (void *)((uintptr_t)st.st_ino + 1));
        else if (!seen && (!out[0] || strcmp(path, out) < 0))
            memcpy(out, path, (size_t)len + 1);
    }
    closedir(dir);
    map_fini(&p->seen);
    p->seen = still;
    struct map_entry *e;
    for (uint32_t i = 0; map_next(&p->left, &i, &e);)
        if (!map_get(&still, e->key, e->len))
            map_remove(&p->left, e->key, e->len);
    return out[0] != '\0';
}

static void source_begin(struct file_port *p)
{
    p->from = p->scanned = p->to = 0;
    p->read_at = 0;
    p->header_left = p->header_lines;
    p->skipping = p->at_end = p->replaced = false;
}

/* true: a file is open. */
static bool source_open(struct file_port *p)
{
    struct stat st;
    if (p->is_dir && !(p->tailing && p->current[0])) {
        if (!dir_find(p, p->current)) {
            p->current[0] = '\0';
            if (!p->broken && !p->told)
                file_tell(p, PORT_CONNECTED, NULL);
            return false;
        }
    } else if (!p->is_dir) {
        snprintf(p->current, sizeof p->current, "%s", p->path);
    }
    p->fd = open(p->current, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (p->fd < 0)
        map_remove(&p->seen, p->current, strlen(p->current)); /* gone: the next one of this name is another */
    if (p->fd < 0 || fstat(p->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        if (!p->broken)
            file_tell(p, PORT_DISCONNECTED, p->fd < 0 ? strerror(errno) : "not a regular file");
        if (p->fd >= 0)
            close(p->fd);
        p->fd = -1;
        return false;
    }
    if (!p->tailing && was_seen(p, p->current, st.st_ino)) {
        (void)act_again(p, p->current, &st);
        close(p->fd);
        p->fd = -1;
        return false;
    }
    p->inode = st.st_ino;
    source_begin(p);
    if (p->broken || !p->told)
        file_tell(p, PORT_CONNECTED, NULL);
    return true;
}

/* ---- sources: reading ---- */

static void room_make(struct file_port *p)
{
    if (p->from > 0) {
        memmove(p->bytes, p->bytes + p->from, p->to - p->from);
        p->to -= p->from;
        p->scanned -= p->from;
        p->from = 0;
    }
    if (p->cap - p->to < READ_BYTES) {
        p->cap = p->to + READ_BYTES > p->cap * 2 ? p->to + READ_BYTES : p->cap * 2;
        p->bytes = mem_resize(p->bytes, p->cap, 1);
    }
}

static bool is_whole_read(const struct file_port *p)
{
    struct stat st;
    off_t at = lseek(p->fd, 0, SEEK_CUR);
    return fstat(p->fd, &st) < 0 || at >= st.st_size;
}

/* Which file, 24 bits, and where in it, 40: the identity of what ends at bytes[to - left]. */
static uint64_t receipt_of(const struct file_port *p, size_t left)
{
    uint64_t which = ((uint64_t)p->inode + p->cuts) * 0x9E3779B97F4A7C15u >> 40;
    return which << 40 | ((p->read_at - left) & 0xFFFFFFFFFFu);
}

/* left: bytes read that stand behind it. 0, or ERR_BUSY. */
static int hand_over(struct file_port *p, const char *bytes, size_t len, size_t left, bool eof)
{
    struct property properties[] = {{"file.path", p->current}, {"eof", eof ? "true" : "false"}};
    atomic_fetch_add(&p->unsettled, 1);
    int rc = p->port->host->deliver(p->port->user, bytes, len, properties, 2, receipt_of(p, left));
    if (rc != 0)
        atomic_fetch_sub(&p->unsettled, 1);
    p->busy = rc == ERR_BUSY;
    if (rc != 0 && rc != ERR_BUSY)
        port_complain(p->port, "message refused by the host (%d)", rc);
    return p->busy ? ERR_BUSY : 0;
}

static void refuse_long(struct file_port *p)
{
    char words[160];
    snprintf(words, sizeof words, "message refused: longer than %d bytes; %llu so far", LIMIT_MESSAGE_BYTES,
             (unsigned long long)++p->refused);
    port_complain(p->port, "%s", words);
    p->port->host->status(p->port->user, PORT_CONNECTED, words);
}

/* One line of len bytes and its end of end bytes. ERR_BUSY: it stays. */
static int line_take(struct file_port *p, size_t len, size_t end)
{
    const char *line = p->bytes + p->from;
    if (p->skipping || len > LIMIT_MESSAGE_BYTES) {
        if (!p->skipping)
            refuse_long(p);
        p->skipping = false;
    } else if (p->header_left > 0) {
        p->header_left--;
    } else {
        bool last = p->from + len + end == p->to && is_whole_read(p);
        size_t text = end && len > 0 && line[len - 1] == '\r' ? len - 1 : len;
        if (hand_over(p, line, text, p->to - (p->from + len + end), last) < 0)
            return ERR_BUSY;
    }
    p->from += len + end;
    p->scanned = p->from;
    return 0;
}

/* Lines that are whole. Returns how many; p->busy tells that the host is full. */
static int lines_take(struct file_port *p, int most)
{
    int count = 0;
    while (count < most && p->scanned < p->to) {
        const char *end = memchr(p->bytes + p->scanned, '\n', p->to - p->scanned);
        if (!end) {
            p->scanned = p->to;
            if (p->to - p->from > LIMIT_MESSAGE_BYTES) {
                if (!p->skipping)
                    refuse_long(p);
                p->skipping = true;
                p->from = p->scanned = p->to = 0;
            }
            break;
        }
        if (line_take(p, (size_t)(end - (p->bytes + p->from)), 1) < 0)
            break;
        count++;
    }
    return count;
}

/* The end of the file was met: what there is of a last line, or the whole file. false: the host is full. */
static bool end_take(struct file_port *p)
{
    if (p->whole) {
        if (p->skipping)
            refuse_long(p);
        else if (hand_over(p, p->bytes, p->to, 0, true) < 0)
            return false;
    } else if (p->to > p->from && line_take(p, p->to - p->from, 0) < 0) {
        return false;
    }
    p->from = p->scanned = p->to = 0;
    p->skipping = false;
    p->at_end = !p->tailing;
    return true;
}

/* Tailing stands at the end: has the file been cut, or another taken its name? */
static void tail_look(struct file_port *p)
{
    struct stat here, there;
    if (fstat(p->fd, &here) == 0 && lseek(p->fd, 0, SEEK_CUR) > here.st_size) {
        lseek(p->fd, 0, SEEK_SET);
        p->cuts++;
        source_begin(p);
        p->at_ms = 0;
        return;
    }
    if (stat(p->current, &there) == 0 && there.st_ino != p->inode) {
        if (!p->replaced) { /* once more: something may have been added before it was renamed */
            p->replaced = true;
            p->at_ms = 0;
        } else if (end_take(p)) {
            file_source_shut(p);
            p->at_ms = 0;
        }
    }
}

/* true: there may be more at once. */
static bool source_read(struct file_port *p)
{
    int count = p->whole ? 0 : lines_take(p, STEP_MESSAGES);
    if (p->busy)
        return false;
    if (count == STEP_MESSAGES)
        return true;
    room_make(p);
    ssize_t got = read(p->fd, p->bytes + p->to, p->cap - p->to);
    if (got < 0) {
        if (errno != EINTR && errno != EAGAIN && !p->broken)
            file_tell(p, PORT_DISCONNECTED, strerror(errno));
        return false;
    }
    if (got > 0) {
        p->to += (size_t)got;
        p->read_at += (uint64_t)got;
        if (p->whole && p->to > LIMIT_MESSAGE_BYTES) {
            p->skipping = true;
            p->to = 0;
        }
        if (p->whole)
            p->scanned = p->to;
        return true;
    }
    if (p->tailing)
        tail_look(p);
    else if (lseek(p->fd, 0, SEEK_CUR) > 0) /* an empty file is one that somebody begins to write */
        end_take(p);
    else
        file_source_shut(p); /* and another may be ready before it is */
    return false;
}

/* true: call again without waiting. */
bool file_source_step(struct file_port *p, int64_t now_ms)
{
    if (p->busy && !atomic_exchange(&p->resumed, false))
        return false;
    bool resumed = p->busy;
    p->busy = false;
    if (p->at_end) {
        if (atomic_load(&p->unsettled) > 0)
            return false;
        p->at_end = false;
        if (is_whole_read(p)) /* else it has grown meanwhile */
            source_done(p);
    }
    if (!resumed && now_ms < p->at_ms)
        return false;
    if (p->fd < 0 && !source_open(p)) {
        p->at_ms = now_ms + p->poll_ms;
        return false;
    }
    if (atomic_load(&p->unsettled) > UNSETTLED_MAX)
        return false; /* settle wakes us */
    p->at_ms = now_ms + p->poll_ms;
    bool more = source_read(p);
    port_batch_end(p->port);
    if (more)
        p->at_ms = 0;
    return more || p->at_ms == 0 || (p->at_end && atomic_load(&p->unsettled) == 0);
}
