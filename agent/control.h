/* control.h - the agent's local door: a Unix socket by which commands on the same machine ask it something.
 * agent/cmd_query.c is a far side.
 *
 * Protocol: a request is one line, a JSON object; so is each line of its answer. Requests of a connection are
 * answered in their order. What they say is answer.h's matter.
 *
 * Laws
 * (1) The socket's file is the owner's alone from the moment it stands there, and who connects must be of
 *     our user, or root.
 * (2) A file left by an agent that was killed is replaced; one that somebody answers on is not.
 * (3) Nothing a far side does makes the agent wait for it: descriptors don't block, clients, requests and
 *     answers are bounded, and a client that neither asks nor takes its answer is dropped.
 *
 * Main thread. */
#ifndef WEIR_AGENT_CONTROL_H
#define WEIR_AGENT_CONTROL_H

#include "agent/deploy.h"
#include <poll.h>
#include <sys/stat.h>

enum {
    CONTROL_CLIENTS = 8,
    CONTROL_FDS = 1 + CONTROL_CLIENTS,
    CONTROL_REQUEST_BYTES = 64 * 1024,
    CONTROL_ANSWER_BYTES = 16 * 1024 * 1024,
    CONTROL_IDLE_MS = 5000,
    CONTROL_PATH_BYTES = 4096,
};

struct control {
    struct deploy *deploy; /* borrowed */
    int fd;                /* -1: there is no socket */
    char *path;            /* owned */
    dev_t device;          /* of our socket's file */
    ino_t inode;
    int64_t rests_until_us; /* 0: new clients are taken */
    struct control_client {
        int fd; /* -1: free */
        struct buf request, answer;
        size_t sent;      /* of answer */
        int64_t until_us; /* when it is dropped, unless it moves */
        bool ends;        /* nothing more is read as a request; it is closed behind its answer */
    } clients[CONTROL_CLIENTS];
};

/* Where the socket is: the setting "control.socket", a name without / in the folder state. "": nowhere.
 * ERR_TOO_BIG. */
int control_path(char path[CONTROL_PATH_BYTES], const char *setting, const char *state, struct err *e);
/* path "": there will be none. ERR_BUSY: somebody answers there; ERR_IO. */
int control_open(struct control *c, const char *path, struct deploy *deploy, struct err *e);
void control_close(struct control *c);
/* Fills CONTROL_FDS entries; those not in use are negative. */
void control_poll(const struct control *c, struct pollfd *fds);
/* After the poll. */
void control_serve(struct control *c, const struct pollfd *fds);
/* When to be called at the latest; INT64_MAX: never. */
int64_t control_due_us(const struct control *c);

/* For the far side: a connected socket that blocks. ERR_NOT_FOUND: nobody is there; ERR_IO. */
int control_connect(const char *path, int *fd, struct err *e);

#endif
