/* query.h - an on-demand query to an app that runs here (spec 08 section 6): from the thread that was asked,
 * over the app's worker, back.
 *
 * Laws
 * (1) A query that may change the app is noted in the journal of a durable app before it runs
 *     (durable.h), and one that writes is answered behind the commit. What is refused leaves no note.
 * (2) A query that only reads leaves nothing behind: the clock it sees is now, and its chance is its own;
 *     the app's stay where they were.
 * (3) While a sink is full, or the disk takes nothing, the app does no work, so it answers no query.
 *
 * Main thread. */
#ifndef WEIR_AGENT_QUERY_H
#define WEIR_AGENT_QUERY_H

#include "agent/hosted.h"

enum query_outcome {
    QUERY_DONE,
    QUERY_REFUSED, /* the text is wrong: words */
    QUERY_FAILED,  /* it is right, and its execution failed: words */
    QUERY_HELD,    /* law 3: words */
    QUERY_UNSURE,  /* the change is made, and not on disk: words */
};

struct query {
    const char *text; /* borrowed */
    size_t len;
    /* All on the worker; what is to be kept must be copied. For a query that has rows: columns once, then row
     * for each; false ends it. */
    void (*columns)(void *user, const struct schema *s);
    bool (*row)(void *user, const struct schema *s, const struct row *row);
    void (*refused)(void *user, const struct diags *d); /* every error with its place */
    void *user;

    enum query_outcome outcome;
    bool writes;    /* and has no rows */
    uint32_t count; /* of rows that were told */
    struct err err; /* words of what isn't done */
};

/* The caller fills in the first part of q. Waits for the worker; the outcome is in q. */
void query_run(struct query *q, struct hosted *h);

#endif
