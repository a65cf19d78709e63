/* file_sink.c - writing files: messages for one path together, rotation, and backoff when the world fails. */
#include "engine/base/log.h"
#include "ports/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024, PIPE_MS = 200 };

/* ---- sinks ---- */

static void sink_shut(struct file_port *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->open_path[0] = '\0';
}

/* path -> path.1 -> path.2 ... */
static void files_rotate(const struct file_port *p, const char *path)
{
    char from[PATH_MAX + 16], to[PATH_MAX + 16];
    for (int i = p->max_files - 1; i >= 1; i--) {
        snprintf(from, sizeof from, "%s.%d", path, i);
        snprintf(to, sizeof to, "%s.%d", path, i + 1);
        if (rename(from, to) < 0 && errno != ENOENT)
            log_write(LOG_WARN, "file", "%s: renaming %s: %s", p->port->name, from, strerror(errno));
    }
    snprintf(to, sizeof to, "%s.1", path);
    if (rename(path, to) < 0)
        log_write(LOG_WARN, "file", "%s: renaming %s: %s", p->port->name, path, strerror(errno));
}

/* 0 with p->fd open on path, at *size bytes; or a negative errno. */
static int sink_open(struct file_port *p, const char *path, off_t *size)
{
    struct stat here = {0}, there;
    if (p->fd >= 0 && (strcmp(p->open_path, path) != 0 || stat(path, &there) < 0 || fstat(p->fd, &here) < 0 ||
                       here.st_ino != there.st_ino))
        sink_shut(p);
    if (p->fd < 0) {
        /* Of a pipe that nobody reads the open would never end. */
        p->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | O_NONBLOCK | O_NOCTTY, 0644);
        if (p->fd < 0 || fstat(p->fd, &here) < 0)
            return -errno;
        snprintf(p->open_path, sizeof p->open_path, "%s", path);
    }
    if (p->torn.from != p->torn.to && p->torn.inode == here.st_ino && p->torn.to == here.st_size) {
        if (ftruncate(p->fd, p->torn.from) < 0)
            return -errno;
        here.st_size = p->torn.from;
        p->torn.to = p->torn.from;
    }
    *size = here.st_size;
    if (S_ISREG(here.st_mode) && !p->append && ftruncate(p->fd, 0) < 0)
        return -errno;
    return 0;
}

/* Who reads a pipe has PIPE_MS to make room; other sinks and sources wait meanwhile. */
static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (done < 0 && errno == EAGAIN && poll(&room, 1, PIPE_MS) > 0)
            continue;
        if (done < 0)
            return -errno;
        bytes += done;
        len -= (size_t)done;
    }
    return 0;
}

/* p->out to path. 0 or a negative errno; then nothing of it stays, or p->torn tells what. */
static int out_write(struct file_port *p, const char *path)
{
    off_t size = 0;
    int rc = sink_open(p, path, &size);
    if (rc == 0 && p->append && p->max_bytes && size > 0 && size + (off_t)p->out.len > p->max_bytes) {
        sink_shut(p);
        files_rotate(p, path);
        rc = sink_open(p, path, &size);
    }
    if (rc < 0)
        return rc;
    rc = write_all(p->fd, p->out.bytes, p->out.len);
    if (rc == 0 && p->sync && fdatasync(p->fd) < 0)
        rc = -errno;
    struct stat now;
    if (rc < 0 && p->append && fstat(p->fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_size > size &&
        ftruncate(p->fd, size) < 0) {
        p->torn.inode = now.st_ino;
        p->torn.from = size;
        p->torn.to = now.st_size;
        port_complain(p->port, "part of a message stays in %.800s until it can be taken back", path);
    }
    return rc;
}

static void numbers_report(struct file_port *p, int rc)
{
    for (int i = 0; i < p->number_count; i++) {
        sendq_done(&p->queue);
        p->port->host->sent(p->port->user, p->numbers[i], rc);
    }
    p->number_count = 0;
    buf_clear(&p->out);
}

static void queue_fail(struct file_port *p)
{
    struct sendq_item item;
    sendq_accept(&p->queue, false);
    while (sendq_next(&p->queue, &item)) {
        sendq_done(&p->queue);
        p->port->host->sent(p->port->user, item.number, ERR_IO);
    }
}

/* false: the sink waits for its backoff. */
static bool out_flush(struct file_port *p, const char *path, int64_t now_ms)
{
    if (p->number_count == 0)
        return true;
    int rc = out_write(p, path);
    if (rc == 0) {
        p->attempt = 0;
        numbers_report(p, 0);
        return true;
    }
    sink_shut(p);
    if (rc == -EISDIR || rc == -ENAMETOOLONG || rc == -ELOOP) { /* of this name; the next may be good */
        port_complain(p->port, "%.800s: %s", path, strerror(-rc));
        numbers_report(p, ERR_INVALID);
        return true;
    }
    char words[PATH_MAX + 128];
    snprintf(words, sizeof words, "%s: %s", path, strerror(-rc));
    queue_fail(p); /* order: no later message may be written before these */
    numbers_report(p, ERR_IO);
    p->at_ms = now_ms + backoff_ms(p->attempt++, backoff_first_ms());
    file_tell(p, PORT_DISCONNECTED, words);
    return false;
}

/* Messages for one path are written together. true: there is more. */
bool file_sink_step(struct file_port *p, int64_t now_ms)
{
    struct sendq_item item;
    char path[PATH_MAX] = "";
    if (!p->told) {
        if (now_ms < p->at_ms)
            return false;
        sendq_accept(&p->queue, true);
        file_tell(p, PORT_CONNECTED, NULL); /* as far as is known: the next message tells */
    }
    int taken = 0;
    while (taken < SENDQ_MESSAGES && sendq_next(&p->queue, &item)) {
        bool full = p->number_count == WRITE_MESSAGES || p->out.len + item.len > WRITE_BYTES ||
                    (p->max_bytes && p->out.len > 0) || !p->append;
        if ((full || strcmp(path, item.place) != 0) && !out_flush(p, path, now_ms)) {
            sendq_done(&p->queue);
            p->port->host->sent(p->port->user, item.number, ERR_IO);
            break;
        }
        snprintf(path, sizeof path, "%s", item.place);
        buf_add(&p->out, item.bytes, item.len);
        if (p->separator)
            buf_add_char(&p->out, '\n');
        p->numbers[p->number_count++] = item.number;
        taken++;
    }
    out_flush(p, path, now_ms);
    if (taken > 0 || !p->told)
        port_batch_end(p->port);
    return !sendq_is_empty(&p->queue);
}

void file_sink_end(struct file_port *p)
{
    sendq_accept(&p->queue, false);
    if (p->told)
        while (file_sink_step(p, port_now_ms()) && p->told)
            ;
    queue_fail(p);
    port_batch_end(p->port);
    sink_shut(p);
}
