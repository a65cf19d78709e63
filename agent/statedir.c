#include "agent/statedir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *folder, struct err *e)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s", folder) >= sizeof path)
        return err_set(e, ERR_TOO_BIG, "the path is longer than %zu bytes", sizeof path - 1);
    for (char *at = path + 1;; at++) {
        char was = *at;
        if (was && was != '/')
            continue;
        *at = 0;
        if (mkdir(path, 0750) < 0 && errno != EEXIST)
            return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
        *at = was;
        if (!was)
            return 0;
    }
}

int statedir_open(const char *folder, int *fd, struct err *e)
{
    char path[4096 + 8];
    int rc = make(folder, e);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%s/lock", folder);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock < 0)
        return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
        rc = errno == EWOULDBLOCK ? err_set(e, ERR_BUSY, "%s: another weir uses this folder", folder)
                                  : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
        close(lock);
        return rc;
    }
    *fd = lock;
    return 0;
}

int statedir_look(const char *folder, int *fd, struct err *e)
{
    char path[4096 + 8];
    struct stat st;
    *fd = -1;
    if (stat(folder, &st) < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", folder, strerror(errno));
    snprintf(path, sizeof path, "%s/lock", folder);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock < 0)
        return errno == ENOENT ? 0 : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (flock(lock, LOCK_SH | LOCK_NB) < 0) {
        int rc = errno == EWOULDBLOCK ? err_set(e, ERR_BUSY, "%s: an agent uses this folder", folder)
                                      : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
        close(lock);
        return rc;
    }
    *fd = lock;
    return 0;
}

/* Only a file of root's that has no other name: the folder's owner may have put anything there. */
static void give(const char *folder, const char *name, const struct stat *owner)
{
    char path[4096 + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1)
        (void)!fchown(fd, owner->st_uid, owner->st_gid);
    close(fd);
}

void statedir_close(const char *folder, int fd)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock", "ballast"};
    struct stat owner;
    if (geteuid() == 0 && stat(folder, &owner) == 0 && owner.st_uid != 0)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            give(folder, names[i], &owner);
    close(fd);
}
