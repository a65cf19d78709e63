/* regex.h - Java's regular expressions (spec 20 section 0.6) by PCRE2: the pattern is translated, what PCRE2
 * can't do as Java does is refused.
 *
 * Everything of a regex lies in the arena it was made in. Not shared between threads. Places are bytes. */
#ifndef WEIR_EXPR_REGEX_H
#define WEIR_EXPR_REGEX_H

#include "engine/base/buf.h"
#include "engine/base/mem.h"

/* AGAIN: FIND in the text of the call before, unchanged; it is not looked through for validity again. */
enum regex_how { REGEX_FIND, REGEX_AGAIN, REGEX_PREFIX, REGEX_WHOLE };

struct regex {
    void *code, *match, *limits; /* PCRE2's */
    void *code_of_halves;        /* for texts with halves of surrogate pairs, made when the first comes */
    struct arena *arena;
    char *pattern; /* PCRE2's */
    size_t pattern_len;
    bool is_valid; /* the text of the last call is UTF-8 */
    uint32_t groups;
    size_t *places; /* of the last match: begin and end for each group, SIZE_MAX: took no part */
};

/* NULL when it is wrong or refused: words in error. */
struct regex *regex_new(struct arena *a, const char *pattern, size_t len, char *error, size_t error_size);
/* 1: found from byte start on, places are set; 0: no; -1: given up (too much backtracking). */
int regex_match(struct regex *r, const char *s, size_t len, size_t start, enum regex_how how);
/* The group of a name, or -1. */
int regex_group(const struct regex *r, const char *name);

/* PCRE2's version: "10.42". */
const char *regex_library_version(void);

/* regex_java.c: Java's pattern as PCRE2's, into out; false with words in error. */
bool regex_translate(const char *pattern, size_t len, struct buf *out, char *error, size_t error_size);

#endif
