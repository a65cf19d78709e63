/* durable.c - durable ingest in process: messages as a port's thread delivers them, in batches of 256, each
 * batch on disk (one fsync) before the next.
 *
 *     durable APP FOLDER COUNT     one JSON object a line on standard output
 *
 * events per CPU-second of the whole process (delivery, map, queries, journal, commits), bytes written
 * for a byte of message (device_bytes counts whole folios of the page cache, more than was written), the
 * longest pause of a checkpoint (all that the worker does for one; the disk is not waited for by it), that of
 * a commit that makes a part of one ready, the size of the store's file. APP has one mqtt source; nobody answers at its url. */
#include "agent/clock.h"
#include "agent/metrics.h"
#include "agent/statedir.h"
#include "agent/textfile.h"
#include "agent/turn.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256 };

static struct hosted *app;
static const char *text;
static size_t text_len;
static struct config config;

static void job_start(struct worker *w, void *user)
{
    struct err e = {0};
    (void)user;
    app = hosted_new(w, "bench", text, text_len, &config);
    if (!app || hosted_start(app, NULL, &config, &e) < 0) {
        fprintf(stderr, "durable: %s\n", e.text);
        exit(1);
    }
}

static void job_stop(struct worker *w, void *user)
{
    (void)w;
    (void)user;
    hosted_free(app, false);
}

/* Linked in the place of durable_collect: Makefile. */
void __real_durable_collect(struct durable *d, struct store_batch *batch);
void __wrap_durable_collect(struct durable *d, struct store_batch *batch);
static int64_t longest_us, longest_cpu_us, longest_ahead_us, longest_ahead_cpu_us;
static long checkpoints;

/* Of this thread: what a busy machine doesn't change. */
static int64_t thread_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void __wrap_durable_collect(struct durable *d, struct store_batch *batch)
{
    int64_t cpu_us = thread_cpu_us();
    int64_t us = clock_steady_us();
    uint64_t journal = d->journal_bytes;
    uint32_t ahead = d->ahead_to;
    __real_durable_collect(d, batch);
    us = clock_steady_us() - us;
    cpu_us = thread_cpu_us() - cpu_us;
    checkpoints += d->journal_bytes < journal;
    if (longest_us < us && d->journal_bytes < journal)
        longest_us = us;
    if (longest_ahead_us < us && d->ahead_to > ahead)
        longest_ahead_us = us;
    if (longest_ahead_cpu_us < cpu_us && d->ahead_to > ahead)
        longest_ahead_cpu_us = cpu_us;
    if (longest_cpu_us < cpu_us && d->journal_bytes < journal)
        longest_cpu_us = cpu_us;
}

static long long file_kb(const char *folder)
{
    char path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    return stat(path, &st) == 0 ? (long long)st.st_blocks / 2 : -1;
}

static long long io_bytes(const char *name)
{
    char line[128];
    long long bytes = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            bytes = strtoll(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return bytes;
}

/* What was delivered is on disk. */
static void wait_for(struct worker *w, uint64_t count)
{
    (void)w;
    while (atomic_load(&metrics.in) < count || atomic_load(&w->commit_pending))
        clock_pause_us(500);
}

int main(int argc, char **argv)
{
    struct worker w;
    struct err e = {0};
    struct store *store;
    struct buf file;
    int fd;
    if (argc < 4)
        return 2;
    long count = strtol(argv[3], NULL, 10);
    port_use_clock(clock_steady_ms);
    config_init(&config);
    setenv("MQTT_URL", "tcp://127.0.0.1:9", 0);
    config.durable = true;
    if (getenv("CHECKPOINT_BYTES"))
        config.checkpoint_bytes = strtol(getenv("CHECKPOINT_BYTES"), NULL, 10);
    log_set(LOG_ERROR, false);
    if (textfile_read(argv[1], 1 << 20, &file, &e) < 0 || statedir_open(argv[2], &fd, &e) < 0 ||
        store_open(&store, &(struct store_options){.folder = argv[2], .most_bytes = (uint64_t)1 << 33}, &e) <
            0) {
        fprintf(stderr, "durable: %s\n", e.text);
        return 1;
    }
    text = file.bytes;
    text_len = file.len;
    int64_t open_us = clock_steady_us();
    if (worker_start(&w, 0, &config, store, &e) < 0)
        return 1;
    worker_call(&w, job_start, NULL);
    open_us = clock_steady_us() - open_us;
    struct source *s = app->sources[0];
    uint64_t before = atomic_load(&metrics.in), message_bytes = 0;
    int64_t cpu_us = clock_cpu_us(), wall_us = clock_steady_us();
    long long device = io_bytes("write_bytes:"), written = io_bytes("wchar:");
    for (long i = 0; i < count; i += BATCH) {
        for (long k = i; k < i + BATCH && k < count; k++) {
            char m[128];
            int len = snprintf(m, sizeof m, "{\"event\":{\"k\":\"d%ld\",\"at\":%ld,\"v\":%ld.5}}", k % 16,
                               1700000000000 + k, k % 100);
            struct property topic[] = {{"topic", "in"}};
            message_bytes += (uint64_t)len;
            while (s->port->host->deliver(s->port->user, m, (size_t)len, topic, 1, 0) < 0)
                clock_pause_us(20);
        }
        wait_for(&w, before + (uint64_t)(i + BATCH < count ? i + BATCH : count));
    }
    cpu_us = clock_cpu_us() - cpu_us;
    wall_us = clock_steady_us() - wall_us;
    device = io_bytes("write_bytes:") - device;
    written = io_bytes("wchar:") - written;
    struct store_counts n;
    store_count(store, &n);
    printf("{\"bench\":\"durable\",\"app\":\"%s\",\"events\":%ld,\"events_per_cpu_s\":%.0f,\"events_per_s\":%"
           ".0f,\"commits\":%llu,"
           "\"message_bytes\":%llu,\"put_bytes\":%llu,\"device_bytes\":%lld,\"written_bytes\":%lld,"
           "\"amplification\":%.2f,\"open_"
           "ms\":%lld,\"peak_kb\":%ld,\"checkpoints\":%ld,\"longest_pause_us\":%lld,\"longest_pause_cpu_us\":"
           "%lld,\"longest_ahead_us\":%lld,\"longest_ahead_cpu_us\":%lld,\"file_kb\":%lld}\n",
           argv[1], count, (double)count * 1e6 / (double)cpu_us, (double)count * 1e6 / (double)wall_us,
           (unsigned long long)n.commits, (unsigned long long)message_bytes, (unsigned long long)n.put_bytes,
           device, written, (double)written / (double)message_bytes, (long long)open_us / 1000,
           clock_peak_rss_kb(), checkpoints, (long long)longest_us, (long long)longest_cpu_us,
           (long long)longest_ahead_us, (long long)longest_ahead_cpu_us, file_kb(argv[2]));
    if (!getenv("NO_STOP"))
        worker_call(&w, job_stop, NULL);
    else
        fflush(stdout), _exit(0);
    worker_stop(&w);
    store_close(store);
    close(fd);
    return 0;
}
