/* case.h - a case file's line: an app, what is sent to it, and what must come out (tests/cases/README.md).
 *
 *     case_read.c     JSON to struct test_case
 *     case_run.c      runs it in virtual time; what came out is a tree in the shape of "expect"
 *     case_compare.c  "expect" against that tree: the first difference
 *
 * Everything of one case lives in one arena. One thread; any number of cases one after another. */
#ifndef WEIR_AGENT_CASE_H
#define WEIR_AGENT_CASE_H

#include "agent/jnode.h"

struct test_case {
    const struct jnode *root;
    const char *name, *app;
    size_t app_len;
    const struct jnode *steps, *expect; /* expect may be NULL */
    const struct jnode *topics;         /* or NULL */
};

/* false: e says what is missing. */
bool case_read(struct arena *a, const struct jnode *root, struct test_case *out, struct err *e);

enum case_outcome {
    CASE_RAN,      /* got is the whole of what came out, or {"error":true} when the app was refused */
    CASE_SKIPPED,  /* needs a construct that is not built: words */
    CASE_UNUSABLE, /* the case itself is wrong: words */
};
struct case_result {
    enum case_outcome outcome;
    struct jnode *got; /* lists of streams that hold only what the steps sent have their flag set: `expect`
                          leaves them out */
    const char *words; /* also: why the app was refused */
};
/* restart_every 0: never. */
struct case_result case_run(struct arena *a, const struct test_case *c, int restart_every);

/* NULL: as expected. Otherwise the first difference, one line, in the arena. */
const char *case_compare(struct arena *a, const struct jnode *expect, const struct jnode *got);

#endif
