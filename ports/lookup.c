/* lookup.c - a host's name to its addresses. Shared by two threads: the one that asks and the one that waits
 * for the resolver, which may take longer than the asker lives. The last to let go frees. */
#include "ports/lookup.h"
#include "engine/base/mem.h"
#include "ports/port.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct lookup {
    atomic_int refs;
    atomic_bool done;
    int wake_fd;
    int count, failure; /* failure: of getaddrinfo */
    char addresses[LOOKUP_MAX][LOOKUP_TEXT];
    char host[];
};

static void lookup_run(struct lookup *l)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
    l->failure = getaddrinfo(l->host, NULL, &hints, &list);
    for (struct addrinfo *a = l->failure ? NULL : list; a && l->count < LOOKUP_MAX; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, l->addresses[l->count], LOOKUP_TEXT, NULL, 0,
                        NI_NUMERICHOST) == 0)
            l->count++;
    if (!l->failure)
        freeaddrinfo(list);
    atomic_store(&l->done, true);
}

static void *lookup_thread(void *user)
{
    struct lookup *l = user;
    lookup_run(l);
    uint64_t one = 1;
    ssize_t rc = write(l->wake_fd, &one, sizeof one);
    (void)rc; /* an eventfd that is full is awake already */
    lookup_drop(l);
    return NULL;
}

struct lookup *lookup_start(const char *host, int wake_fd)
{
    size_t len = strlen(host) + 1;
    struct lookup *l = mem_alloc(sizeof *l + len);
    memcpy(l->host, host, len);
    l->refs = 1;
    l->wake_fd = -1;
    unsigned char address[sizeof(struct in6_addr)];
    if (len <= LOOKUP_TEXT &&
        (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)) {
        memcpy(l->addresses[0], host, len);
        l->count = 1;
        l->done = true;
        return l;
    }
    pthread_t thread;
    l->refs = 2;
    l->wake_fd = dup(wake_fd);
    if (port_thread_start(&thread, "weir-lookup", lookup_thread, l, NULL) < 0) {
        l->refs = 1;
        l->failure = EAI_AGAIN;
        l->done = true;
    } else {
        pthread_detach(thread);
    }
    return l;
}

bool lookup_done(const struct lookup *l, const char (**addresses)[LOOKUP_TEXT], int *count,
                 const char **words)
{
    if (!atomic_load(&l->done))
        return false;
    *addresses = l->addresses;
    *count = l->count;
    *words = l->failure ? gai_strerror(l->failure) : l->count ? NULL : "no address";
    return true;
}

void lookup_drop(struct lookup *l)
{
    if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    mem_free(l);
}
