/* client.c - see client.h. */
#include "agent/client.h"
#include "agent/cmd.h"
#include "agent/config.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WAIT_S = 120, READ_BYTES = 64 * 1024 };

int client_find(char path[CONTROL_PATH_BYTES], const char *socket, const char *state, const char *config_file,
                struct err *e)
{
    struct config c;
    int rc = 0;
    if (socket) {
        if (snprintf(path, CONTROL_PATH_BYTES, "%s", socket) >= CONTROL_PATH_BYTES)
            return err_set(e, ERR_TOO_BIG, "the path of the socket is too long");
        return 0;
    }
    config_init(&c);
    if (config_file && config_read(&c, config_file) < 0)
        rc = err_set(e, ERR_INVALID, "%.300s is refused", config_file);
    else
        rc = control_path(path, c.control_socket, state ? state : c.state, e);
    if (rc == 0 && !*path)
        err_set(e, ERR_NOT_FOUND, "%s",
                *c.control_socket
                    ? "this configuration has no folder for state, and so no control socket; set "
                      "\"control.socket\" to a path"
                    : "this configuration has no control socket: \"control.socket\" is empty");
    config_fini(&c);
    return rc;
}

int client_open(struct client *c, const char *path, struct err *e)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    *c = (struct client){.fd = -1};
    int rc = control_connect(path, &c->fd, e);
    if (rc < 0) {
        c->fd = -1;
        return rc;
    }
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    buf_init(&c->heard, CONTROL_ANSWER_BYTES + READ_BYTES);
    return 0;
}

int client_reach(struct client *c, const char *command, const char *socket, const char *state,
                 const char *config_file)
{
    char path[CONTROL_PATH_BYTES];
    struct err e = {0};
    int rc = client_find(path, socket, state, config_file, &e);
    if (rc == ERR_INVALID)
        return CMD_BAD; /* told already */
    bool is_found = rc == 0 && *path;
    if (is_found)
        rc = client_open(c, path, &e);
    if (is_found && rc == 0)
        return CMD_OK;
    fprintf(stderr, "weir %s: %s%s\n", command, e.text,
            is_found && rc == ERR_NOT_FOUND ? ": it does not run, or has its control socket elsewhere" : "");
    return CMD_BAD;
}

void client_close(struct client *c)
{
    if (c->fd < 0)
        return;
    close(c->fd);
    buf_fini(&c->heard);
    c->fd = -1;
}

static void say(struct client *c, const char *bytes, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(c->fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        sent += (size_t)n;
    }
}

void client_say(struct client *c, const char *line, size_t len)
{
    say(c, line, len);
    say(c, "\n", 1);
}

static void forget_taken(struct client *c)
{
    if (!c->taken)
        return;
    memmove(c->heard.bytes, c->heard.bytes + c->taken, c->heard.len - c->taken);
    c->heard.len -= c->taken;
    c->taken = 0;
}

int client_hear(struct client *c, const char **line, size_t *len, struct err *e)
{
    for (size_t seen = c->taken;;) {
        char *end = c->heard.len > seen ? memchr(c->heard.bytes + seen, '\n', c->heard.len - seen) : NULL;
        if (end) {
            *end = 0;
            *line = c->heard.bytes + c->taken;
            *len = (size_t)(end - *line);
            c->taken += *len + 1;
            return 0;
        }
        forget_taken(c);
        seen = c->heard.len;
        char *room = buf_reserve(&c->heard, READ_BYTES);
        if (!room)
            return err_set(e, ERR_IO, "the agent's answer has a line without an end");
        ssize_t n = recv(c->fd, room, READ_BYTES, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return err_set(e, ERR_IO, "the agent does not answer");
        if (n <= 0)
            return err_set(e, ERR_IO, "the agent hung up before it had answered: is it being stopped?");
        c->heard.len += (size_t)n;
    }
}
