/* world.h - what functions of an app ask of the world outside: its environment, files. The engine has no such door of
 * its own; who hosts an app gives it one (struct app_host), or none: then no variable is set, and files fail the event.
 *
 * Laws
 * (1) An answer is bytes, so that a host that keeps a journal can note it and give it again in a replay, instead of
 *     asking or doing again (agent/durable.h). So an app stays a function of what it is given.
 * (2) What a path may be is the host's business: paths come from events. */
#ifndef WEIR_EXPR_WORLD_H
#define WEIR_EXPR_WORLD_H

#include "engine/base/buf.h"

enum world_verb {
    WORLD_VARIABLE,    /* of the environment: its text. NONE: there is none */
    WORLD_KIND,        /* "file", "folder" or "other". NONE: nothing is there */
    WORLD_SIZE,        /* bytes, of a folder those of all files in it; digits. NONE */
    WORLD_MODIFIED,    /* milliseconds since 1970; digits. NONE */
    WORLD_LIST,        /* files in a folder: names with a NUL behind each, in order of their bytes. NONE */
    WORLD_LIST_DEEP,   /* and in all folders in it, by their paths from it */
    WORLD_MAKE_FILE,   /* empty, with the folders around it; one that is there stays as it is */
    WORLD_MAKE_FOLDER, /* likewise */
    WORLD_DELETE,      /* with all that is in it. NONE: nothing was there */
    WORLD_RENAME, /* a becomes b, with the folders around it; a file in its place goes. NONE: there is no a */
    WORLD_COPY,   /* the file a, likewise */
};
enum world_answer {
    WORLD_REFUSED = -2, /* this may not be asked: words */
    WORLD_FAILED = -1,  /* it could not be done: words */
    WORLD_NONE = 0,
    WORLD_DONE = 1,
};
struct world {
    void *user;
    /* b: of verbs that take two, else NULL. The answer's bytes, or the words, are added to out, which is empty. */
    enum world_answer (*ask)(void *user, enum world_verb verb, const char *a, const char *b, struct buf *out);
};

#endif
