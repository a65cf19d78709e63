/* control.c - see control.h.
 *
 * A client reads or writes, never both: its next request is read when the answer before is taken. What makes
 * it move - a whole request, bytes of its answer taken - gives it CONTROL_IDLE_MS more. */
#include "agent/control.h"
#include "agent/answer.h"
#include "agent/clock.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 16, REST_MS = 1000 };

/* ---- the place ---- */

int control_path(char path[CONTROL_PATH_BYTES], const char *setting, const char *state, struct err *e)
{
    int len = 0;
    *path = 0;
    if (strchr(setting, '/'))
        len = snprintf(path, CONTROL_PATH_BYTES, "%s", setting);
    else if (*setting && *state)
        len = snprintf(path, CONTROL_PATH_BYTES, "%s/%s", state, setting);
    if (len < CONTROL_PATH_BYTES)
        return 0;
    return err_set(e, ERR_TOO_BIG, "the path of the control socket is longer than %d bytes",
                   CONTROL_PATH_BYTES - 1);
}

/* The address has room for 107 bytes: longer paths go by way of an open descriptor of their folder, which the
 * caller closes (-1: none). */
static int address(const char *path, struct sockaddr_un *to, int *folder, struct err *e)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    *folder = -1;
    size_t len = strlen(path);
    if (len < sizeof to->sun_path) {
        memcpy(to->sun_path, path, len);
        return 0;
    }
    char above[CONTROL_PATH_BYTES];
    const char *base = strrchr(path, '/');
    if (!base || len >= sizeof above)
        return err_set(e, ERR_IO, "%.100s: the name is too long for a socket", path);
    memcpy(above, path, (size_t)(base - path) + 1);
    above[base - path + 1] = 0;
    int fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(e, ERR_IO, "%.300s: %s", above, strerror(errno));
    if ((size_t)snprintf(to->sun_path, sizeof to->sun_path, "/proc/self/fd/%d%s", fd, base) >=
        sizeof to->sun_path) {
        close(fd);
        return err_set(e, ERR_IO, "%.300s: the name is too long for a socket", base + 1);
    }
    *folder = fd;
    return 0;
}

static int connect_to(const struct sockaddr_un *to, int flags)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
        return fd;
    int was = errno;
    close(fd);
    errno = was;
    return -1;
}

int control_connect(const char *path, int *fd, struct err *e)
{
    struct sockaddr_un to;
    int folder, rc = address(path, &to, &folder, e);
    if (rc < 0)
        return rc;
    *fd = connect_to(&to, 0);
    if (*fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
        rc = err_set(e, ERR_NOT_FOUND, "no agent answers at %.400s", path);
    else if (*fd < 0)
        rc = err_set(e, ERR_IO, "%.400s: %s", path, strerror(errno));
    if (folder >= 0)
        close(folder);
    return rc;
}

/* Law 2. */
static int clear_place(const char *path, const struct sockaddr_un *to, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_set(e, ERR_IO, "%.400s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_INVALID, "%.400s: something that is no socket stands there", path);
    int fd = connect_to(to, SOCK_NONBLOCK);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || why == EAGAIN)
        return err_set(e, ERR_BUSY, "%.400s: another agent answers there", path);
    if (why == ENOENT)
        return 0;
    if (why != ECONNREFUSED)
        return err_set(e, ERR_IO, "%.400s: %s", path, strerror(why));
    return unlink(path) == 0 || errno == ENOENT ? 0 : err_set(e, ERR_IO, "%.400s: %s", path, strerror(errno));
}

static int listen_at(const struct sockaddr_un *to)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t was = umask(0177);
    bool is_bound = fd >= 0 && bind(fd, (const struct sockaddr *)to, sizeof *to) == 0;
    umask(was);
    if (is_bound && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

static int open_at(struct control *c, const char *path, struct err *e)
{
    struct sockaddr_un to;
    struct stat st = {0};
    int folder, rc = address(path, &to, &folder, e);
    if (rc < 0)
        return rc;
    rc = clear_place(path, &to, e);
    if (rc == 0) {
        c->fd = listen_at(&to);
        if (c->fd < 0 || lstat(path, &st) < 0)
            rc = err_set(e, ERR_IO, "%.400s: %s", path, strerror(errno));
    }
    if (folder >= 0)
        close(folder);
    if (rc < 0)
        return rc;
    c->device = st.st_dev;
    c->inode = st.st_ino;
    c->path = mem_strdup(path);
    return 0;
}

/* ---- clients ---- */

static void drop(struct control_client *cl)
{
    if (cl->fd < 0)
        return;
    close(cl->fd);
    buf_fini(&cl->request);
    buf_fini(&cl->answer);
    cl->fd = -1;
}

static int64_t idle_us(void)
{
    return clock_steady_us() + INT64_C(1000) * CONTROL_IDLE_MS;
}

/* Law 1: the file's mode keeps others out already, but not on every file system. */
static bool is_ours(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static struct control_client *free_client(struct control *c)
{
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd < 0)
            return &c->clients[i];
    return NULL;
}

static void take_clients(struct control *c)
{
    struct control_client *cl;
    while ((cl = free_client(c))) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Out of descriptors, say: what waits would wake us again at once. */
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                c->rests_until_us = clock_steady_us() + INT64_C(1000) * REST_MS;
            return;
        }
        if (!is_ours(fd)) {
            close(fd);
            continue;
        }
        *cl = (struct control_client){.fd = fd, .until_us = idle_us()};
        buf_init(&cl->request, CONTROL_REQUEST_BYTES + 1);
        buf_init(&cl->answer, CONTROL_ANSWER_BYTES);
    }
}

static void read_some(struct control_client *cl)
{
    size_t room = cl->request.max_bytes - cl->request.len;
    char *at = room ? buf_reserve(&cl->request, room) : NULL;
    if (!at)
        return;
    ssize_t n = recv(cl->fd, at, room, 0);
    if (n > 0)
        cl->request.len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        cl->ends = true;
}

static size_t line_len(const struct control_client *cl)
{
    const char *end = cl->request.len ? memchr(cl->request.bytes, '\n', cl->request.len) : NULL;
    return end ? (size_t)(end - cl->request.bytes) : SIZE_MAX;
}

/* The next request, if there is a whole one and the answer before is taken. */
static bool answer_next(struct control *c, struct control_client *cl)
{
    size_t len = line_len(cl);
    if (cl->answer.len)
        return false;
    if (len == SIZE_MAX && cl->request.len <= CONTROL_REQUEST_BYTES)
        return false;
    if (len == SIZE_MAX) {
        answer_too_long(CONTROL_REQUEST_BYTES, &cl->answer);
        buf_clear(&cl->request);
        cl->ends = true;
    } else {
        answer_line(c->deploy, cl->request.bytes, len, &cl->answer);
        size_t rest = cl->request.len - len - 1;
        memmove(cl->request.bytes, cl->request.bytes + len + 1, rest);
        cl->request.len = rest;
    }
    cl->sent = 0;
    cl->until_us = idle_us();
    return true;
}

static void write_some(struct control_client *cl)
{
    if (!cl->answer.len)
        return;
    ssize_t n = send(cl->fd, cl->answer.bytes + cl->sent, cl->answer.len - cl->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        drop(cl);
        return;
    }
    if (n <= 0)
        return;
    cl->sent += (size_t)n;
    cl->until_us = idle_us();
    if (cl->sent == cl->answer.len)
        buf_fini(&cl->answer);
}

/* Returns whether it asked something. */
static bool serve_client(struct control *c, struct control_client *cl)
{
    if (!cl->answer.len && line_len(cl) == SIZE_MAX)
        read_some(cl);
    bool asked = answer_next(c, cl);
    write_some(cl);
    if (cl->fd >= 0 && cl->ends && !cl->answer.len && line_len(cl) == SIZE_MAX)
        drop(cl);
    return asked;
}

/* ---- the door ---- */

int control_open(struct control *c, const char *path, struct deploy *deploy, struct err *e)
{
    *c = (struct control){.deploy = deploy, .fd = -1};
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        c->clients[i].fd = -1;
    int rc = *path ? open_at(c, path, e) : 0;
    if (rc < 0 && c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    return rc;
}

void control_close(struct control *c)
{
    struct stat st;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        drop(&c->clients[i]);
    if (c->fd < 0)
        return;
    /* Somebody may have put another there. */
    if (lstat(c->path, &st) == 0 && st.st_dev == c->device && st.st_ino == c->inode)
        unlink(c->path);
    close(c->fd);
    mem_free(c->path);
    c->fd = -1;
}

void control_poll(const struct control *c, struct pollfd *fds)
{
    bool has_room = false;
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        const struct control_client *cl = &c->clients[i];
        bool waits = cl->fd >= 0 && !cl->answer.len && line_len(cl) == SIZE_MAX;
        has_room |= cl->fd < 0;
        fds[1 + i] = (struct pollfd){.fd = cl->fd, .events = waits ? POLLIN : POLLOUT};
    }
    fds[0] = (struct pollfd){.fd = has_room && !c->rests_until_us ? c->fd : -1, .events = POLLIN};
}

void control_serve(struct control *c, const struct pollfd *fds)
{
    bool asked = false;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0 && fds[1 + i].revents)
            asked |= serve_client(c, &c->clients[i]);
    if (fds[0].revents)
        take_clients(c);
    if (asked) /* that may have taken long, and what the others did meanwhile has not been seen yet */
        return;
    int64_t now_us = clock_steady_us();
    if (now_us >= c->rests_until_us)
        c->rests_until_us = 0;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0 && now_us >= c->clients[i].until_us)
            drop(&c->clients[i]);
}

int64_t control_due_us(const struct control *c)
{
    int64_t due_us = c->rests_until_us ? c->rests_until_us : INT64_MAX;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0 && c->clients[i].until_us < due_us)
            due_us = c->clients[i].until_us;
    return due_us;
}
