/* powercut.c - preloaded into the agent: what was written to data.mdb since its last sync can be taken back,
 * as a power cut would. See README.md.
 *
 * Before a write the bytes that stand there go to the file UNDO ($POWERCUT_UNDO), as offset, length, bytes; a
 * sync empties it. Writes through a descriptor opened with O_DSYNC are on the disk when they return: they
 * leave nothing to take back. crash.c takes back what it likes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int undo = -1;

static int is_data(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 9)
        return 0;
    path[len] = 0;
    return strcmp(path + len - 9, "/data.mdb") == 0;
}

static void keep(int fd, size_t len, off_t at)
{
    if (!is_data(fd) || (fcntl(fd, F_GETFL) & O_DSYNC))
        return;
    pthread_mutex_lock(&lock);
    if (undo < 0)
        undo = open(getenv("POWERCUT_UNDO"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    char *old = calloc(1, len);
    ssize_t got = pread(fd, old, len, at);
    (void)got; /* behind the end: zeros */
    uint64_t head[2] = {(uint64_t)at, len};
    struct iovec parts[2] = {{head, sizeof head}, {old, len}};
    ssize_t (*real)(int, const struct iovec *, int) =
        (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    real(undo, parts, 2);
    free(old);
    pthread_mutex_unlock(&lock);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    keep(fd, len, at);
    return real(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite64(fd, bytes, len, at);
}

static size_t sum(const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    return len;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    if (!real)
        real = (ssize_t(*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
    keep(fd, sum(parts, count), at);
    return real(fd, parts, count, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real)
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at >= 0)
        keep(fd, sum(parts, count), at);
    return real(fd, parts, count);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    struct timespec t = {0, 1500000}; /* a slow disk: most cuts find something unsynced */
    if (is_data(fd))
        nanosleep(&t, NULL);
    int rc = real(fd);
    if (rc == 0 && is_data(fd)) {
        pthread_mutex_lock(&lock);
        if (undo >= 0 && ftruncate(undo, 0) < 0)
            abort();
        pthread_mutex_unlock(&lock);
    }
    return rc;
}
