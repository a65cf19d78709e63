/* setclock.c - preloaded into the agent: the computer's clock shows so many milliseconds more than it does, or fewer, as
 * stand in the file $SETCLOCK_FILE; the steady clock goes on. The file is read at each look, so a test sets the clock by
 * writing it: to another name, then renamed, for a look at an empty file finds no number. See README.md. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long offset_ms(void)
{
    char text[32] = "";
    const char *path = getenv("SETCLOCK_FILE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    return len > 0 ? strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t which, struct timespec *t)
{
    static __typeof__(&clock_gettime) real;
    if (!real)
        real = (__typeof__(&clock_gettime))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(which, t);
    if (rc || which != CLOCK_REALTIME)
        return rc;
    long long ms = offset_ms(), ns = t->tv_nsec + ms % 1000 * 1000000;
    t->tv_sec += (time_t)(ms / 1000 + (ns < 0 ? -1 : ns / 1000000000));
    t->tv_nsec = (long)(ns < 0 ? ns + 1000000000 : ns % 1000000000);
    return 0;
}
