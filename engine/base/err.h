/* err.h - how failure is told: codes for the program, a sentence for the human, ASSERT for our own promises.
 *
 * Functions that can fail return 0 or a negative ERR_*. A struct err is filled once, at the place that knows
 * most. An ASSERT stays in release builds: it logs and aborts, and the restart from the journal is the cure.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

enum {
    ERR_BUSY = -1,        /* nothing was taken; try again later */
    ERR_INVALID = -2,     /* the text, configuration or bytes are wrong */
    ERR_TOO_BIG = -3,     /* a limit of limits.h was met */
    ERR_IO = -4,          /* the world failed: file, socket, disk */
    ERR_NOT_FOUND = -5,   /* no such name */
    ERR_UNSUPPORTED = -6, /* right, but not built */
    ERR_STATE = -7,       /* saved state does not fit */
    ERR_EVENT = -8,       /* an event failed inside an app (spec 02 section 8); words: expr_env.failure */
    ERR_FULL = -9,        /* the disk, or its budget, is full: nothing was written; worth trying again */
};

struct err {
    int code;
    char text[512];
};

/* Fills e (which may be NULL) and returns code. */
int err_set(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* what it can't see from a caller's file: code is what comes back */
#define err_set(e, code, ...) ((void)(err_set)(e, code, __VA_ARGS__), (code))
#endif

_Noreturn void err_assert_failed(const char *what, const char *file, int line);

#define ASSERT(what) ((what) ? (void)0 : err_assert_failed(#what, __FILE__, __LINE__))

/* For the analyzer alone: a law kept in another file, that it can't see from here. */
#ifdef __clang_analyzer__
#define KNOWN(what) ASSERT(what)
#else
#define KNOWN(what) ((void)0)
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
