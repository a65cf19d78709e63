/* bare.c - the least that delivering a file's lines by MQTT costs: publish each with QoS 1 by libmosquitto, at
 * most INFLIGHT (1,000) of them without acknowledgement, until the last is acknowledged. Nothing is on disk.
 * One JSON object a line.
 *
 *     bare HOST PORT TOPIC FILE [INFLIGHT] */
#include "tests/bench/measure.h"
#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static long acknowledged;
static bool is_connected;

static void on_connect(struct mosquitto *m, void *user, int code)
{
    (void)m;
    (void)user;
    is_connected = code == 0;
}

static void on_publish(struct mosquitto *m, void *user, int id)
{
    (void)m;
    (void)user;
    (void)id;
    acknowledged++;
}

static int publish_all(struct mosquitto *m, const char *topic, FILE *f, long in_flight, long *sent)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = getline(&line, &cap, f);
    int rc = 0;
    while (rc == 0 && (len > 0 || acknowledged < *sent)) {
        while (rc == 0 && len > 0 && *sent - acknowledged < in_flight) {
            rc = mosquitto_publish(m, NULL, topic, (int)(len - (line[len - 1] == '\n')), line, 1, false);
            *sent += 1;
            len = getline(&line, &cap, f);
        }
        if (rc == 0)
            rc = mosquitto_loop(m, 1000, 1);
    }
    free(line);
    return rc;
}

int main(int argc, char **argv)
{
    const long in_flight = argc > 5 ? atol(argv[5]) : 1000;
    FILE *f = argc > 4 ? fopen(argv[4], "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: bare HOST PORT TOPIC FILE [INFLIGHT]\n");
        return 2;
    }
    mosquitto_lib_init();
    struct mosquitto *m = mosquitto_new(NULL, true, NULL);
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_publish_callback_set(m, on_publish);
    mosquitto_max_inflight_messages_set(m, (unsigned)in_flight);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    int rc = mosquitto_connect(m, argv[1], atoi(argv[2]), 60);
    while (rc == 0 && !is_connected)
        rc = mosquitto_loop(m, 1000, 1);
    long sent = 0;
    double start_s = clock_s(CLOCK_MONOTONIC), start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (rc == 0)
        rc = publish_all(m, argv[3], f, in_flight, &sent);
    double took_s = clock_s(CLOCK_MONOTONIC) - start_s;
    if (rc)
        fprintf(stderr, "bare: %s\n", mosquitto_strerror(rc));
    printf(
        "{\"bench\":\"drain-bare\",\"events\":%ld,\"seconds\":%.3f,\"cpu_s\":%.3f,\"events_per_s\":%.0f}\n",
        acknowledged, took_s, clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s, (double)acknowledged / took_s);
    mosquitto_destroy(m);
    mosquitto_lib_cleanup();
    fclose(f);
    return rc != 0;
}
