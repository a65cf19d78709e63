/* deploy.h - which apps run: those named on the command line and those in the watched folder. Main thread;
 * everything that touches an app is sent to its worker as a job.
 *
 * A file that does not compile is reported and the app that came from it before goes on. */
#ifndef WEIR_AGENT_DEPLOY_H
#define WEIR_AGENT_DEPLOY_H

#include "agent/config.h"
#include "agent/turn.h"

struct deployed;
struct errors;
struct deploy {
    const struct config *config;
    struct worker *workers;
    int worker_count;
    struct errors *errors; /* the agent's error store, NULL: none; borrowed */
    struct deployed **apps;
    int count;
    char *folder;     /* "" for none; owned */
    int inotify;      /* -1: the folder is looked at every DEPLOY_POLL_MS */
    int watched;      /* the folder's number there; 0, -1: none */
    bool is_reported; /* the folder can't be read: said once */
    bool
        tries_again; /* what was refused is looked at again: its variables, its name or a share may be there now */
    bool must_deal; /* apps came or went, or the configuration changed: their shares are dealt anew */
};
enum { DEPLOY_POLL_MS = 2000 };

void deploy_init(struct deploy *d, const struct config *config, struct worker *workers, int worker_count);
/* Closes all apps; outboxes are given up. */
void deploy_fini(struct deploy *d);
/* An app named on the command line. */
void deploy_name(struct deploy *d, const char *file);
/* Looks at all files and deploys what changed. */
void deploy_look(struct deploy *d);
bool deploy_is_watching(const struct deploy *d);
/* Forgets what waits in the descriptor d->inotify. */
void deploy_drain_events(struct deploy *d);
int deploy_running(const struct deploy *d); /* number of apps */
/* The app of this name (@app:name, else its file's), NULL: none runs. It stays until the next deploy_look. */
struct hosted *deploy_find(const struct deploy *d, const char *name);
/* Every running app; until the next deploy_look. */
void deploy_each(const struct deploy *d, void (*fn)(struct hosted *h, void *user), void *user);
/* The running apps' names into names, which has room for deploy_running. */
void deploy_names(const struct deploy *d, const char **names);
/* Shutting down: sources take nothing more. */
void deploy_drain(struct deploy *d);
bool deploy_is_drained(struct deploy *d);

#endif
