/* client.h - the far side of the control socket (control.h): a command asks the running agent, line by line.
 */
#ifndef WEIR_AGENT_CLIENT_H
#define WEIR_AGENT_CLIENT_H

#include "agent/control.h"

struct client {
    int fd;
    struct buf heard; /* what has come and was not taken */
    size_t taken;
};

/* Where the agent's socket is: `socket` itself, else by the folder `state`, else by the configuration. All
 * may be NULL. "": nowhere, and e says why. ERR_INVALID: the configuration is bad, and was reported;
 * ERR_TOO_BIG. */
int client_find(char path[CONTROL_PATH_BYTES], const char *socket, const char *state, const char *config_file,
                struct err *e);
/* ERR_NOT_FOUND: nobody is there; ERR_IO. */
int client_open(struct client *c, const char *path, struct err *e);
/* Both, for `weir COMMAND`: what went wrong is on standard error. An exit code (cmd.h). */
int client_reach(struct client *c, const char *command, const char *socket, const char *state,
                 const char *config_file);
void client_close(struct client *c);
/* One line, without its end. What can't be sent is told by the answer. */
void client_say(struct client *c, const char *line, size_t len);
/* The next line of the answer, NUL-terminated; valid until the next call. ERR_IO: none came. */
int client_hear(struct client *c, const char **line, size_t *len, struct err *e);

#endif
