#include "agent/signals.h"
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an error of that write, not ours to die of */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

enum signals_event signals_read(int fd)
{
    struct signalfd_siginfo s;
    if (read(fd, &s, sizeof s) != (ssize_t)sizeof s)
        return SIGNALS_NONE;
    return s.ssi_signo == SIGHUP ? SIGNALS_RELOAD : SIGNALS_STOP;
}
