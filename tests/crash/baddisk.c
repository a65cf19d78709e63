/* baddisk.c - preloaded into the agent: below $BADDISK_FOLDER nothing can be written as long as the file $BADDISK_SWITCH
 * holds a word. See README.md.
 *
 *     EROFS  the file system is read-only since an error, as ext4 and btrfs make it
 *     EIO    the medium fails: half of what is to be written is, then the error
 *     ENOSPC no room
 *
 * Each call that would change the folder asks anew, so a transaction may break in any of its writes and in its sync.
 * Reading goes on: the pages are in memory. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The errno that the disk answers with now, 0: it is well. */
static int trouble(void)
{
    char word[16] = "";
    const char *path = getenv("BADDISK_SWITCH");
    int fd = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, word, sizeof word - 1);
    close(fd);
    return len <= 0                          ? 0
           : strncmp(word, "EROFS", 5) == 0  ? EROFS
           : strncmp(word, "ENOSPC", 6) == 0 ? ENOSPC
                                             : EIO;
}

static int is_below(const char *path)
{
    const char *folder = getenv("BADDISK_FOLDER");
    size_t len = folder ? strlen(folder) : 0;
    return len && strncmp(path, folder, len) == 0 && path[len] == '/';
}

static int fails_path(const char *path)
{
    int why = is_below(path) ? trouble() : 0;
    if (why)
        errno = why;
    return why;
}

static int fails_fd(int fd)
{
    char link[64], path[4096];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (len < 0)
        return 0;
    path[len] = 0;
    return fails_path(path);
}

/* ---- writing ---- */

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    int why = fails_fd(fd);
    if (why == EIO) {
        ssize_t half = REAL(pwrite64)(fd, bytes, len / 2, at);
        (void)half;
        errno = why;
    }
    return why ? -1 : REAL(pwrite64)(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return pwrite64(fd, bytes, len, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    int why = fails_fd(fd);
    if (why == EIO && count > 1) {
        ssize_t half = REAL(pwritev)(fd, parts, count / 2, at);
        (void)half;
        errno = why;
    }
    return why ? -1 : REAL(pwritev)(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev(fd, parts, count, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return fails_fd(fd) ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    int why = fails_fd(fd);
    if (why == EIO) {
        ssize_t half = REAL(write)(fd, bytes, len / 2);
        (void)half;
        errno = why;
    }
    return why ? -1 : REAL(write)(fd, bytes, len);
}

int ftruncate64(int fd, off_t len)
{
    return fails_fd(fd) ? -1 : REAL(ftruncate64)(fd, len);
}

int ftruncate(int fd, off_t len)
{
    return ftruncate64(fd, len);
}

int posix_fallocate64(int fd, off_t at, off_t len)
{
    int why = fails_fd(fd);
    return why ? why : REAL(posix_fallocate64)(fd, at, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    return posix_fallocate64(fd, at, len);
}

int fdatasync(int fd)
{
    return fails_fd(fd) ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
    return fails_fd(fd) ? -1 : REAL(fsync)(fd);
}

/* ---- names ---- */

static int opened(const char *path, int flags, mode_t mode)
{
    int changes = (flags & O_ACCMODE) != O_RDONLY;
    return changes && fails_path(path) ? -1 : REAL(open)(path, flags, mode);
}

static mode_t mode_of(int flags, va_list *rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(*rest, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, &rest);
    va_end(rest);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, &rest);
    va_end(rest);
    return opened(path, flags | O_LARGEFILE, mode);
}

int unlink(const char *path)
{
    return fails_path(path) ? -1 : REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    return fails_path(path) ? -1 : REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
    return fails_path(path) ? -1 : REAL(rmdir)(path);
}

int rename(const char *from, const char *to)
{
    return fails_path(from) || fails_path(to) ? -1 : REAL(rename)(from, to);
}
