/* fault.c - see fault.h. */
#include "engine/base/fault.h"

#ifdef WEIR_DEBUG
#include "engine/base/err.h"
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MOST = 8 };
struct fault {
    char name[48], what[8];
    long at, times, passed;
};
static struct fault faults[FAULTS_MOST];
static int fault_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void read_plan(void)
{
    const char *text = getenv("WEIR_FAULT");
    while (text && *text && fault_count < FAULTS_MOST) {
        struct fault *f = &faults[fault_count];
        f->times = 1;
        if (sscanf(text, "%47[^:]:%ld:%7[a-z]:%ld", f->name, &f->at, f->what, &f->times) >= 3)
            fault_count++;
        text = strchr(text, ',');
        text = text ? text + 1 : NULL;
    }
    for (int i = 0; i < fault_count; i++)
        if (!strcmp(faults[i].name, "random")) {
            unsigned seed = (unsigned)faults[i].at;
            faults[i].at = 1 + rand_r(&seed) % faults[i].times;
        }
}

int fault_pass(const char *name)
{
    int rc = 0;
    pthread_once(&once, read_plan);
    if (!fault_count)
        return 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < fault_count; i++) {
        struct fault *f = &faults[i];
        bool is_random = !strcmp(f->name, "random");
        if (!is_random && strcmp(f->name, name) != 0)
            continue;
        f->passed++;
        if (!strcmp(f->what, "kill") ? f->passed != f->at
                                     : f->passed < f->at || f->passed >= f->at + f->times)
            continue;
        if (!strcmp(f->what, "kill"))
            raise(SIGKILL);
        if (rc == 0)
            rc = !strcmp(f->what, "full") ? ERR_FULL : ERR_IO;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
#else
extern int fault_is_not_built;
#endif
