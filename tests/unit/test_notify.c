/* test_notify.c - weir under systemd: ready, the watchdog fed in time, stopping, each as a datagram to
 * NOTIFY_SOCKET. The test is systemd. */
#include "agent/notify.h"
#include "tests/unit/check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20 * 1000 };

static char dir[] = "/tmp/weir-notify-XXXXXX";
static char path[64];

static int listen_here(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(path, sizeof path, "%s/socket", dir);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    return fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? fd : -1;
}

/* Takes datagrams until one holds want; false when none comes in time. */
static bool is_told(int fd, const char *want)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, WAIT_MS) == 1) {
        char text[256];
        ssize_t n = recv(fd, text, sizeof text - 1, 0);
        if (n < 0)
            return false;
        text[n] = 0;
        if (strstr(text, want))
            return true;
    }
    return false;
}

static pid_t start(const char *app)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int log = open("/dev/null", O_WRONLY);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "300000", 1);
    unsetenv("WATCHDOG_PID");
    const char *weir = getenv("WEIR") ? getenv("WEIR") : "build/asan/weir";
    execl(weir, weir, "run", app, (char *)NULL);
    _exit(127);
}

static void agent_tells_systemd(int fd)
{
    char app[160];
    snprintf(app, sizeof app, "%s/app.siddhi", dir);
    FILE *f = fopen(app, "w");
    fputs("define stream S (v int);\nfrom S select v insert into Out;\n", f);
    fclose(f);
    pid_t pid = start(app);
    CHECK(is_told(fd, "READY=1"));
    CHECK(is_told(fd, "WATCHDOG=1"));
    CHECK(is_told(fd, "WATCHDOG=1"));
    kill(pid, SIGTERM);
    CHECK(is_told(fd, "STOPPING=1"));
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unlink(app);
}

static void nobody_listens(void)
{
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "/nowhere/socket", 1);
    notify_send("READY=1");
    setenv("WATCHDOG_USEC", "1000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    CHECK(notify_watchdog_us() == 0);
    unsetenv("WATCHDOG_PID");
    CHECK(notify_watchdog_us() == 1000);
    setenv("WATCHDOG_USEC", "-5", 1);
    CHECK(notify_watchdog_us() == 0);
    unsetenv("WATCHDOG_USEC");
    CHECK(notify_watchdog_us() == 0);
}

int main(void)
{
    int fd = mkdtemp(dir) ? listen_here() : -1;
    if (CHECK(fd >= 0))
        agent_tells_systemd(fd);
    nobody_listens();
    close(fd);
    unlink(path);
    rmdir(dir);
    return check_end();
}
