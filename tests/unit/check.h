/* check.h - the whole unit test framework: CHECK counts, check_end prints the tally as the last line. Include
 * it once a program. */
#ifndef WEIR_UNIT_CHECK_H
#define WEIR_UNIT_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline bool check_one(bool ok, const char *what, const char *file, int line)
{
    if (ok) {
        check_passed++;
    } else {
        check_failed++;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

static inline void check_same_text(const char *got, const char *want, const char *file, int line)
{
    if (!check_one(strcmp(got, want) == 0, "text", file, line))
        printf("    got  %s\n    want %s\n", got, want);
}

#define CHECK(what) check_one((what), #what, __FILE__, __LINE__)
#define CHECK_TEXT(got, want) check_same_text((got), (want), __FILE__, __LINE__)

/* What main returns. */
static inline int check_end(void)
{
    printf("%d passed, %d failed\n", check_passed, check_failed);
    return check_failed > 0;
}

#endif
