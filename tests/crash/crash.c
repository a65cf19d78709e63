/* crash.c - kills the agent under load, again and again, and counts what comes out. See README.md.
 *
 *     crash WEIR PORT FOLDER KILLS SEED [POINTS]
 *
 * A publisher sends numbered messages at QoS 1 to a broker on PORT; WEIR runs both apps with its state in
 * FOLDER and is killed with SIGKILL KILLS times, each after a random time, or (POINTS: names separated by
 * commas) at one of the named points of a test build. Then it may finish. A subscriber with a session of its
 * own has everything that reached the broker. Law: every message is counted once, in order, in every query;
 * every output has come; an output that came twice was the same, byte for byte. What app.siddhi puts out is
 * computed here, what kinds.siddhi does is what `weir replay` puts out for the same messages, number by
 * number. The last line is the tally. */
#include <mosquitto.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4000000, COMPUTED = 3, SINKS = 8, KEYS = 8, INFLIGHT_MOST = 400 };
/* In a replay a message comes each millisecond; behind the last one every window of the clock runs empty. */
static const long REPLAY_FROM_MS = 1700000000000, REPLAY_REST_MS = 60000;
static const char *const sink_names[SINKS] = {"Crash/Total",   "Crash/Win",    "Crash/Part",
                                              "Kinds/Digest",  "Kinds/Sample", "Kinds/Timed",
                                              "Kinds/Delayed", "Kinds/Batched"};
static const char *const clients[] = {"crash-in", "crash-kinds"};

static char **outputs[SINKS], **wanted[SINKS]; /* by number */
static long want[SINKS];                       /* how many */
static atomic_long come[SINKS], repeats, differ, strange, far_above;
static atomic_long sent, acked, heard;
static atomic_bool stops;
static bool damages; /* CRASH_DAMAGE: what is lost is lost, but no key stands for two messages */
static long rate = 1000;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

/* ---- what comes ---- */

static void compare(const char *was, const char *text)
{
    if (strcmp(was, text) != 0 && differ++ < 3)
        printf("    the same key, another message:\n    %s\n    %s\n", was, text);
}

/* Numbers go on far above when they are not sure: those are found by their keys. Takes text. */
static void take_far_above(char *text)
{
    enum { FAR = 1 << 20 };
    static char *far[FAR];
    const char *id = strstr(text, "\"id\":\"");
    size_t len = id ? strcspn(id + 6, "\"") + 6 : 0;
    uint64_t place = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        place = (place ^ (unsigned char)id[i]) * 1099511628211u;
    for (place %= FAR; far[place]; place = (place + 1) % FAR) {
        const char *was = strstr(far[place], "\"id\":\"");
        if (was && strncmp(was, id, len + 1) == 0) {
            repeats++;
            compare(far[place], text);
            free(text);
            return;
        }
    }
    if (far_above++ < FAR / 2)
        far[place] = text;
    else
        free(text);
}

static void on_message(struct mosquitto *m, void *user, const struct mosquitto_message *msg)
{
    (void)m;
    (void)user;
    heard++;
    char *text = strndup(msg->payload, (size_t)msg->payloadlen);
    for (int i = 0; i < SINKS; i++) {
        char *name = strstr(text, sink_names[i]);
        size_t len = strlen(sink_names[i]);
        if (!name || name == text || name[-1] != '/' || name[len] != '/')
            continue;
        long number = strtol(name + len + 1, NULL, 10);
        if (number > MOST && damages) {
            take_far_above(text);
            return;
        }
        if (number < 1 || number >= MOST)
            break;
        char **at = &outputs[i][number];
        if (*at) {
            repeats++;
            compare(*at, text);
            free(text);
        } else {
            *at = text;
            come[i]++;
        }
        return;
    }
    if (strange++ < 3)
        printf("    no output of ours: %s\n", text);
    free(text);
}

static void on_connect(struct mosquitto *m, void *user, int rc)
{
    (void)rc;
    if (*(bool *)user)
        mosquitto_subscribe(m, NULL, "out", 1);
}

static void on_publish(struct mosquitto *m, void *user, int mid)
{
    (void)m;
    (void)user;
    (void)mid;
    acked++;
}

/* ---- what is sent ---- */

static void *publish(void *user)
{
    struct mosquitto *m = user;
    char text[96];
    double start = now_s();
    while (!stops && sent < MOST - 1) {
        long due = (long)((now_s() - start) * (double)rate);
        while (sent < due && sent - acked < INFLIGHT_MOST) {
            long v = sent + 1;
            int len = snprintf(text, sizeof text, "{\"event\":{\"k\":\"k%ld\",\"v\":%ld}}", v % KEYS, v);
            if (mosquitto_publish(m, NULL, "in", len, text, 1, false) != MOSQ_ERR_SUCCESS)
                break;
            sent++;
        }
        pause_us(500);
    }
    return NULL;
}

static struct mosquitto *client(const char *id, int port, bool listens)
{
    static bool yes = true, no = false;
    struct mosquitto *m = mosquitto_new(id, !listens, listens ? &yes : &no);
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_message_callback_set(m, on_message);
    if (!listens)
        mosquitto_publish_callback_set(m, on_publish);
    mosquitto_max_inflight_messages_set(m, 0);
    mosquitto_reconnect_delay_set(m, 1, 1, false);
    for (int try = 0; mosquitto_connect(m, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS; try++) {
        if (try == 100) {
            printf("    no broker on port %d\n", port);
            exit(2);
        }
        pause_us(50000);
    }
    mosquitto_loop_start(m);
    return m;
}

/* ---- the agent ---- */

static pid_t start(const char *weir, const char *folder, const char *fault)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (getenv("POWERCUT_LIBRARY")) {
        char undo[4200];
        snprintf(undo, sizeof undo, "%s/undo", folder);
        setenv("POWERCUT_UNDO", undo, 1);
        setenv("LD_PRELOAD", getenv("POWERCUT_LIBRARY"), 1);
    }
    if (getenv("BADDISK_LIBRARY")) /* baddisk.c: crash.sh has set the rest */
        setenv("LD_PRELOAD", getenv("BADDISK_LIBRARY"), 1);
    if (fault)
        setenv("WEIR_FAULT", fault, 1);
    char log[4200], config[4200];
    snprintf(log, sizeof log, "%s/log", folder);
    snprintf(config, sizeof config, "%s/config.json", folder);
    if (!freopen(log, "a", stderr) || !freopen("/dev/null", "w", stdout))
        _exit(9);
    execl(weir, weir, "run", "-c", config, "tests/crash/app.siddhi", "tests/crash/kinds.siddhi",
          (char *)NULL);
    _exit(9);
}

/* True: it was killed, false: it ended by itself, and that is wrong. */
static bool ended_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static bool kill_once(const char *weir, const char *folder, const char *points, unsigned *seed, long number)
{
    char fault[128], name[64];
    int status;
    if (points) {
        long count = 1;
        for (const char *p = points; *p; p++)
            count += *p == ',';
        const char *at = points;
        for (long skip = number % count; skip > 0; skip--)
            at = strchr(at, ',') + 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        snprintf(fault, sizeof fault, "%s:%d:kill", name, 1 + rand_r(seed) % (rand_r(seed) % 3 ? 30 : 3));
    }
    pid_t pid = start(weir, folder, points ? fault : NULL);
    double until = now_s() + (points ? 1.5 : 0.02 + (double)(rand_r(seed) % 400) / 1000);
    while (now_s() < until) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (!ended_killed(status))
                printf("    the agent ended by itself: status %d%s%s\n", status, points ? " at " : "",
                       points ? fault : "");
            return ended_killed(status);
        }
        pause_us(1000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return true;
}

/* ---- a power cut: powercut.c ---- */

static long cuts, taken_back;

/* Some of the writes that were not synced never happened, or half of a page of them did. */
static void cut_power(const char *folder, unsigned *seed)
{
    char path[4200];
    uint64_t head[2];
    snprintf(path, sizeof path, "%s/undo", folder);
    FILE *undo = fopen(path, "rb");
    snprintf(path, sizeof path, "%s/state/data.mdb", folder);
    FILE *data = fopen(path, "rb+");
    cuts++;
    int mood = rand_r(seed) % 4; /* 0: all are lost */
    while (undo && data && fread(head, sizeof head, 1, undo) == 1) {
        char *old = malloc(head[1]);
        size_t got = fread(old, 1, head[1], undo);
        for (uint64_t page = 0; page < got; page += 4096) {
            uint64_t len = got - page < 4096 ? got - page : 4096;
            if (mood && rand_r(seed) % 4 == 0)
                continue;
            if (mood == 3 && rand_r(seed) % 3 == 0)
                len = len / 2;
            fseek(data, (long)(head[0] + page), SEEK_SET);
            fwrite(old + page, 1, len, data);
            taken_back++;
        }
        free(old);
    }
    if (data)
        fclose(data);
    if (undo)
        fclose(undo);
}

/* ---- a damaged file: CRASH_DAMAGE ---- */

static long damaged;

/* Some bytes are others, or a page is garbage, or the file's end is gone. */
static void damage(const char *folder, unsigned *seed)
{
    char path[4200], page[4096];
    snprintf(path, sizeof path, "%s/state/data.mdb", folder);
    FILE *data = fopen(path, "rb+");
    if (!data)
        return;
    fseek(data, 0, SEEK_END);
    long size = ftell(data);
    int mood = rand_r(seed) % 8;
    damaged++;
    for (int i = mood < 5 ? 1 + rand_r(seed) % 4 : 0; i > 0 && size > 0; i--) {
        fseek(data,
              (long)(((unsigned long)rand_r(seed) << 16 ^ (unsigned long)rand_r(seed)) % (unsigned long)size),
              SEEK_SET);
        fputc(rand_r(seed), data);
    }
    if (mood == 5 || mood == 6) {
        memset(page, rand_r(seed), sizeof page);
        fseek(data, rand_r(seed) % (size / 4096 + 1) * 4096, SEEK_SET);
        fwrite(page, 1, sizeof page, data);
    }
    fclose(data);
    if (mood == 7 && truncate(path, size / 4096 * (rand_r(seed) % 4 ? 15 : 8) / 16 * 4096) < 0)
        perror(path);
}

/* ---- the judgement ---- */

static long value_of(const char *text, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

/* The sum of the last `window` numbers of those that rise by `step` up to v; 0: all of them. */
static void expect(long v, long step, long window, long *n, long *t)
{
    *n = (v - 1) / step + 1;
    if (window && *n > window)
        *n = window;
    *t = *n * v - step * (*n * (*n - 1) / 2);
}

/* Of a row as weir replay prints it: null is "undefined" to the mapper of JSON. */
static char *as_mapped(const char *row, size_t len)
{
    static const char null[] = ":null", undefined[] = ":\"undefined\"";
    char *text = calloc(1, 3 * len + 1), *to = text;
    for (const char *at = row; at < row + len;) {
        bool is_null = strncmp(at, null, sizeof null - 1) == 0;
        if (is_null)
            to = stpcpy(to, undefined);
        else
            *to++ = *at;
        at += is_null ? sizeof null - 1 : 1;
    }
    return text;
}

/* What weir replay puts out for messages 1 to total, into wanted. */
static bool replay(const char *folder, long total)
{
    const char *weir = getenv("WEIR_RELEASE") ? getenv("WEIR_RELEASE") : "build/weir";
    char path[4200], command[9000];
    char *line = NULL;
    size_t cap = 0;
    snprintf(path, sizeof path, "%s/messages", folder);
    FILE *file = fopen(path, "w");
    for (long v = 1; file && v <= total; v++)
        fprintf(file, "{\"k\":\"k%ld\",\"v\":%ld}\n", v % KEYS, v);
    if (!file || fclose(file) != 0)
        return false;
    int len = snprintf(command, sizeof command,
                       "%s replay tests/crash/kinds.siddhi --input S=%s --until %ld --output", weir, path,
                       REPLAY_FROM_MS + total + REPLAY_REST_MS);
    for (int i = COMPUTED; i < SINKS; i++)
        len += snprintf(command + len, sizeof command - (size_t)len, " %s", strchr(sink_names[i], '/') + 1);
    snprintf(command + len, sizeof command - (size_t)len, " 2>%s/replay.log", folder);
    FILE *out = popen(command, "r");
    while (out && getline(&line, &cap, out) > 0) {
        char *name = strstr(line, "\"stream\":\""), *data = strstr(line, "\"data\":{"),
             *end = strrchr(line, '}');
        for (int i = COMPUTED; name && data && end && i < SINKS; i++) {
            const char *sink = strchr(sink_names[i], '/') + 1;
            if (strncmp(name + 10, sink, strlen(sink)) != 0 || name[10 + strlen(sink)] != '"')
                continue;
            if (want[i] < MOST - 1)
                wanted[i][++want[i]] = as_mapped(data + 8, (size_t)(end - data - 9));
        }
    }
    free(line);
    return out && pclose(out) == 0;
}

static bool is_good(int sink, long number, char *words, size_t cap)
{
    static const long steps[COMPUTED] = {1, 1, KEYS}, windows[COMPUTED] = {0, 100, 20};
    const char *text = outputs[sink][number];
    long n, t;
    if (sink >= COMPUTED) {
        snprintf(words, cap, "%s", wanted[sink][number]);
        return text && strstr(text, words);
    }
    expect(number, steps[sink], windows[sink], &n, &t);
    snprintf(words, cap, "v %ld n %ld t %ld", number, n, t);
    return text && value_of(text, "v") == number && value_of(text, "n") == n && value_of(text, "t") == t;
}

static long judge(int sink)
{
    char words[512];
    long wrong = 0;
    for (long i = 1; i <= want[sink]; i++) {
        if (!is_good(sink, i, words, sizeof words) && wrong++ < 3)
            printf("    %s %ld: wanted %s, got %s\n", sink_names[sink], i, words,
                   outputs[sink][i] ? outputs[sink][i] : "nothing");
    }
    for (long i = want[sink] + 1; i < MOST; i++)
        if (outputs[sink][i] && wrong++ < 6)
            printf("    %s %ld came, and is none of ours: %s\n", sink_names[sink], i, outputs[sink][i]);
    return wrong;
}

static bool all_came(void)
{
    for (int i = 0; i < SINKS; i++)
        if (come[i] < want[i])
            return false;
    return true;
}

/* The session of a source must be there before the first message, or the broker keeps nothing for it. */
static void make_session(const char *id, int port)
{
    struct mosquitto *m = mosquitto_new(id, false, NULL);
    mosquitto_connect(m, "127.0.0.1", port, 60);
    mosquitto_subscribe(m, NULL, "in", 1);
    for (int i = 0; i < 20; i++)
        mosquitto_loop(m, 10, 1);
    mosquitto_disconnect(m);
    mosquitto_loop(m, 10, 1);
    mosquitto_destroy(m);
}

/* wanted: TIMES:WORDS */
static bool wait_for_log(const char *folder, const char *wanted)
{
    char path[4200], line[4096], *words;
    long times = strtol(wanted, &words, 10);
    snprintf(path, sizeof path, "%s/log", folder);
    for (double until = now_s() + 30; now_s() < until; pause_us(20000)) {
        FILE *log = fopen(path, "r");
        long count = 0;
        while (log && fgets(line, sizeof line, log))
            count += strstr(line, words + 1) != NULL;
        if (log)
            fclose(log);
        if (count >= times)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: crash WEIR PORT FOLDER KILLS SEED [POINTS]\n");
        return 2;
    }
    const char *weir = argv[1], *folder = argv[3], *points = argc > 6 ? argv[6] : NULL;
    int port = atoi(argv[2]);
    long kills = strtol(argv[4], NULL, 10), killed = 0, wrong = 0;
    unsigned seed = (unsigned)strtoul(argv[5], NULL, 10);
    char url[64];
    pthread_t publisher;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (getenv("CRASH_RATE"))
        rate = strtol(getenv("CRASH_RATE"), NULL, 10);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%d", port);
    setenv("MQTT_URL", url, 1);
    setenv("WEIR_BACKOFF_FIRST_MS", "50", 1);
    for (int i = 0; i < SINKS; i++) {
        outputs[i] = calloc(MOST, sizeof(char *));
        wanted[i] = calloc(MOST, sizeof(char *));
    }
    damages = getenv("CRASH_DAMAGE") != NULL;
    mosquitto_lib_init();
    struct mosquitto *listener = client("crash-listener", port, true);
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        make_session(clients[i], port);
    struct mosquitto *speaker = client("crash-speaker", port, false);
    pthread_create(&publisher, NULL, publish, speaker);
    for (; killed < kills && kill_once(weir, folder, points, &seed, killed); killed++)
        if (getenv("POWERCUT_LIBRARY"))
            cut_power(folder, &seed);
        else if (damages)
            damage(folder, &seed);
    if (killed < kills)
        wrong++;
    pid_t pid = -1;
    if (getenv("CRASH_UNTIL")) { /* load until the log says so, and no kill: for what else can go wrong */
        pid = start(weir, folder, NULL);
        if (!wait_for_log(folder, getenv("CRASH_UNTIL"))) {
            printf("    the log never said: %s\n", getenv("CRASH_UNTIL"));
            wrong++;
        }
        pause_us(300000);
    }
    stops = true;
    pthread_join(publisher, NULL);
    for (int i = 0; i < 200 && acked < sent; i++)
        pause_us(50000);
    long total = sent;
    if (pid < 0)
        pid = start(weir, folder, NULL);
    for (int i = 0; i < COMPUTED && !damages; i++)
        want[i] = total;
    if (!damages && !replay(folder, total)) {
        printf("    weir replay fails\n");
        wrong++;
    }
    double until = now_s() + 60;
    for (long before = heard; !all_came() && now_s() < until; before = heard) { /* as long as it goes on */
        pause_us(20000);
        if (before != heard)
            until = now_s() + 60;
    }
    pause_us(300000);
    for (long before = -1; damages && before != heard;) { /* what is left has come */
        before = heard;
        pause_us(1000000);
    }
    int status = 0;
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    if (status != 0 && wrong++ >= 0)
        printf("    the agent ended with status %d\n", status);
    for (long before = -1; before != heard;) { /* the broker may have more for us */
        before = heard;
        pause_us(500000);
    }
    for (int i = 0; i < SINKS && !damages; i++)
        wrong += judge(i);
    printf("%ld kills, seed %s: %ld messages sent, outputs", killed, argv[5], total);
    for (int i = 0; i < SINKS; i++)
        printf(" %ld", come[i]);
    printf(", %ld came again, %ld of those differ, %ld strange\n", repeats, differ, strange);
    if (damages)
        printf("%ld times damaged, %ld outputs with numbers far above\n", damaged, far_above);
    if (cuts)
        printf("%ld power cuts, %ld pages taken back\n", cuts, taken_back);
    mosquitto_disconnect(listener);
    mosquitto_disconnect(speaker);
    wrong += differ + strange;
    printf("%d passed, %d failed\n", wrong == 0, wrong != 0);
    return wrong != 0;
}
