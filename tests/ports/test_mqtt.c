/* test_mqtt.c - the mqtt port against a real broker and the broker's own clients. */
#include "tests/ports/host.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct port_type port_mqtt;

static char dir[] = "/tmp/weir-mqtt-XXXXXX";
static int broker_port;
static char port_text[8], url[64];

/* ---- programs ---- */

struct program {
    pid_t pid;
    int out; /* what it writes */
    char seen[1 << 16];
    size_t len;
};

static void program_start(struct program *p, char *const *argv)
{
    int fds[2];
    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    p->len = 0;
    p->pid = fork();
    if (p->pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(fds[1], 1);
        dup2(fds[1], 2);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(fds[1]);
    p->out = fds[0];
}

/* Reads until text has been seen times times, or nothing comes for WAIT_S. */
static bool program_says(struct program *p, const char *text, int times)
{
    for (;;) {
        int count = 0;
        p->seen[p->len] = '\0';
        for (const char *s = p->seen; (s = strstr(s, text)); s += strlen(text))
            count++;
        if (count >= times)
            return true;
        struct pollfd fd = {.fd = p->out, .events = POLLIN};
        if (p->len + 1 >= sizeof p->seen || poll(&fd, 1, WAIT_S * 1000) <= 0)
            break;
        ssize_t got = read(p->out, p->seen + p->len, sizeof p->seen - 1 - p->len);
        if (got <= 0)
            break;
        p->len += (size_t)got;
    }
    printf("    never said: %s\n    but: %s\n", text, p->seen);
    return false;
}

static int program_end(struct program *p, int signal_number)
{
    int status = 0;
    if (signal_number)
        kill(p->pid, signal_number);
    waitpid(p->pid, &status, 0);
    close(p->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void file_put(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static void broker_start(struct program *p, const char *more)
{
    char conf[1024], path[64];
    snprintf(path, sizeof path, "%s/conf", dir);
    snprintf(
        conf, sizeof conf,
        "listener %d 127.0.0.1\nuser root\npersistence false\nmax_queued_messages 0\nlog_dest stderr\n%s\n",
        broker_port, more);
    file_put(path, conf, strlen(conf));
    program_start(p, (char *[]){"mosquitto", "-c", path, NULL});
    CHECK(program_says(p, "running", 1));
}

#define OPEN_TO_ALL "allow_anonymous true"

/* A port number of the kernel's choice that nobody listens on. */
static void port_choose(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    close(fd);
    broker_port = ntohs(a.sin_port);
    snprintf(port_text, sizeof port_text, "%d", broker_port);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%d", broker_port);
}

static void publish(const char *topic, const char *text)
{
    struct program p;
    program_start(&p, (char *[]){"mosquitto_pub", "-h", "127.0.0.1", "-p", port_text, "-q", "1", "-t",
                                 (char *)(uintptr_t)topic, "-m", (char *)(uintptr_t)text, NULL});
    CHECK(program_end(&p, 0) == 0);
}

static void subscriber_start(struct program *p, const char *topic)
{
    program_start(p, (char *[]){"stdbuf", "-oL", "mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", port_text,
                                "-q", "1", "-t", (char *)(uintptr_t)topic, "-F", "<%t %q %r %p>", NULL});
    CHECK(program_says(p, "Subscribed (mid", 1));
}

static struct port *must_open(bool is_sink, struct host *h, const char *const *pairs)
{
    struct err e = {0};
    struct port *p = test_open(&port_mqtt, is_sink, h, pairs, &e);
    if (!CHECK(p != NULL))
        printf("    %s\n", e.text);
    return p;
}

static int send_text(struct port *p, uint64_t number, const char *text)
{
    struct message m = {.number = number, .bytes = text, .len = strlen(text)};
    return port_send(p, &m);
}

static int send_to(struct port *p, uint64_t number, const char *topic, const char *text)
{
    struct option_value dynamic[] = {{"topic", topic}};
    struct message m = {
        .number = number, .bytes = text, .len = strlen(text), .dynamic = dynamic, .dynamic_count = 1};
    return port_send(p, &m);
}

/* ---- cases ---- */

static void refused(bool is_sink, int code, const char *words, const char *const *pairs)
{
    struct host h;
    struct err e = {0};
    host_init(&h);
    struct port *p = test_open(&port_mqtt, is_sink, &h, pairs, &e);
    CHECK(p == NULL);
    CHECK(e.code == code);
    if (!CHECK(strstr(e.text, words) != NULL))
        printf("    %s\n", e.text);
    port_close(p);
    host_fini(&h);
}

static void test_wrong_options(void)
{
    refused(false, ERR_UNSUPPORTED, "TLS comes later", OPTIONS("url", "ssl://h:8883", "topic", "a"));
    refused(false, ERR_INVALID, "tcp://HOST:PORT", OPTIONS("url", "http://h:1", "topic", "a"));
    refused(false, ERR_INVALID, "65535", OPTIONS("url", "tcp://h:99999", "topic", "a"));
    refused(false, ERR_INVALID, "username and password", OPTIONS("url", "tcp://me:secret@h:1", "topic", "a"));
    refused(false, ERR_INVALID, "topic filter", OPTIONS("url", "tcp://h:1", "topic", "a/#/b"));
    refused(true, ERR_INVALID, "no + or #", OPTIONS("url", "tcp://h:1", "topic", "a/+"));
    refused(true, ERR_INVALID, "not empty", OPTIONS("url", "tcp://h:1", "topic", ""));
    refused(true, ERR_INVALID, "0, 1 or 2",
            OPTIONS("url", "tcp://h:1", "topic", "a", "quality.of.service", "3"));
    refused(false, ERR_INVALID, "needs a client.id",
            OPTIONS("url", "tcp://h:1", "topic", "a", "clean.session", "false"));
    refused(false, ERR_UNSUPPORTED, "mqtt.version",
            OPTIONS("url", "tcp://h:1", "topic", "a", "mqtt.version", "5"));
}

/* Nobody listens at first; wildcards; killed while messages are on their way; back later. */
static void test_absent_killed_back(void)
{
    struct host in, out;
    struct program broker, client;
    host_init(&in);
    host_init(&out);
    port_choose();
    struct port *source = must_open(false, &in, OPTIONS("url", url, "topic", "plant/+/temp"));
    struct port *sink = must_open(true, &out, OPTIONS("url", url, "topic", "plant/7/temp"));
    CHECK(host_wait_state(&in, PORT_DISCONNECTED, 2));
    CHECK(host_wait_state(&out, PORT_DISCONNECTED, 2));
    CHECK(send_text(sink, 1, "early") == ERR_BUSY);

    broker_start(&broker, OPEN_TO_ALL);
    CHECK(host_wait_state(&in, PORT_CONNECTED, 1));
    CHECK(host_wait_state(&out, PORT_CONNECTED, 1));
    publish("plant/3/other", "not this");
    publish("plant/3/temp", "one");
    const struct heard *m = host_next(&in);
    CHECK(m && strcmp(m->bytes, "one") == 0 && strcmp(m->first, "plant/3/temp") == 0);
    if (m)
        port_settle(source, m->receipt, OUTCOME_OK);
    CHECK(send_text(sink, 1, "two") == 0);
    CHECK(host_next_is(&in, source, "two"));
    CHECK(host_wait(&out, &out.sent_times[1], 1) && out.sent_rc[1] == 0);

    /* Frozen: it takes our bytes and answers nothing. Then killed: each message is reported once. */
    kill(broker.pid, SIGSTOP);
    for (uint64_t i = 2; i < 7; i++)
        CHECK(send_text(sink, i, "lost") == 0);
    program_end(&broker, SIGKILL);
    CHECK(host_wait(&out, &out.sent_count, 6));
    for (int i = 2; i < 7; i++)
        CHECK(out.sent_times[i] == 1 && out.sent_rc[i] == ERR_IO);
    CHECK(host_wait_state(&in, PORT_DISCONNECTED, 3));
    CHECK(send_text(sink, 7, "x") == ERR_BUSY);

    broker_start(&broker, OPEN_TO_ALL);
    CHECK(host_wait_state(&in, PORT_CONNECTED, 2));
    CHECK(host_wait_state(&out, PORT_CONNECTED, 2));
    subscriber_start(&client, "plant/#");
    CHECK(send_text(sink, 7, "again") == 0);
    CHECK(host_wait(&out, &out.sent_times[7], 1) && out.sent_rc[7] == 0);
    CHECK(program_says(&client, "<plant/7/temp 1 0 again>", 1));
    CHECK(host_next_is(&in, source, "again"));
    port_close(source);
    port_close(sink);
    program_end(&client, SIGTERM);
    program_end(&broker, SIGTERM);
    host_fini(&in);
    host_fini(&out);
}

/* QoS 1 is acknowledged when it is settled, not before; a connection cut before that shows the last will. */
static void test_settle_and_will(void)
{
    const char *const *options =
        OPTIONS("url", url, "topic", "q/#", "client.id", "keeper", "clean.session", "false", "will.topic",
                "wills", "will.message", "gone", "will.qos", "1");
    struct host h;
    struct program broker, client;
    broker_start(&broker, OPEN_TO_ALL);
    subscriber_start(&client, "wills");
    host_init(&h);
    struct port *p = must_open(false, &h, options);
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1));
    publish("q/1", "first");
    CHECK(host_next_is(&h, NULL, "first"));
    port_close(p);
    CHECK(program_says(&client, "<wills 1 0 gone>", 1));

    publish("q/2", "second"); /* while we are away */
    p = must_open(false, &h, options);
    CHECK(host_next_is(&h, p, "first"));
    CHECK(host_next_is(&h, p, "second"));
    port_close(p);

    int before = h.states[PORT_CONNECTED];
    p = must_open(false, &h, options);
    CHECK(host_wait_state(&h, PORT_CONNECTED, before + 1));
    publish("q/3", "third");
    CHECK(host_next_is(&h, p, "third")); /* and neither of the others again */
    port_close(p);
    program_end(&client, SIGTERM);
    CHECK(strstr(strstr(client.seen, "<wills") + 1, "<wills") == NULL); /* the other two said goodbye */
    program_end(&broker, SIGTERM);
    host_fini(&h);
}

static void test_password(void)
{
    char path[64], conf[128];
    struct host wrong, right;
    struct program broker, maker;
    snprintf(path, sizeof path, "%s/passwords", dir);
    program_start(&maker, (char *[]){"mosquitto_passwd", "-c", "-b", path, "ann", "sesame", NULL});
    CHECK(program_end(&maker, 0) == 0);
    snprintf(conf, sizeof conf, "allow_anonymous false\npassword_file %s", path);
    broker_start(&broker, conf);
    host_init(&wrong);
    host_init(&right);
    struct port *a =
        must_open(false, &wrong, OPTIONS("url", url, "topic", "a", "username", "ann", "password", "open"));
    struct port *b =
        must_open(false, &right, OPTIONS("url", url, "topic", "a", "username", "ann", "password", "sesame"));
    CHECK(host_wait_state(&wrong, PORT_FAILED, 2)); /* it goes on trying */
    CHECK(host_wait_state(&right, PORT_CONNECTED, 1));
    pthread_mutex_lock(&wrong.lock);
    CHECK(strstr(wrong.words, "not authorised") != NULL || wrong.state == PORT_CONNECTING);
    pthread_mutex_unlock(&wrong.lock);
    port_close(a);
    port_close(b);
    program_end(&broker, SIGTERM);
    host_fini(&wrong);
    host_fini(&right);
}

static void test_sink_topics(void)
{
    struct host h;
    struct program broker, client;
    broker_start(&broker, OPEN_TO_ALL);
    subscriber_start(&client, "#");
    host_init(&h);
    struct port *p = must_open(true, &h, OPTIONS("url", url, "topic", NULL));
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1));
    CHECK(send_to(p, 1, "a/+", "x") == ERR_INVALID);
    CHECK(send_to(p, 1, "#", "x") == ERR_INVALID);
    CHECK(send_to(p, 1, "", "x") == ERR_INVALID);
    CHECK(send_text(p, 1, "no topic") == ERR_INVALID);
    CHECK(send_to(p, 1, "room/1", "hello") == 0);
    struct option_value dynamic[] = {
        {"topic", "room/2"}, {"quality.of.service", "0"}, {"message.retain", "TRUE"}};
    struct message m = {.number = 2, .bytes = "kept", .len = 4, .dynamic = dynamic, .dynamic_count = 3};
    CHECK(port_send(p, &m) == 0);
    dynamic[1].text = "7";
    CHECK(port_send(p, &m) == ERR_INVALID);
    dynamic[1].text = "2";
    m.number = 3;
    CHECK(port_send(p, &m) == 0);
    CHECK(program_says(&client, "<room/1 1 0 hello>", 1));
    CHECK(program_says(&client, "<room/2 0 0 kept>", 1));
    CHECK(host_wait(&h, &h.sent_count, 3));
    CHECK(h.sent_rc[1] == 0 && h.sent_rc[2] == 0 && h.sent_rc[3] == 0);
    port_close(p);
    program_end(&client, SIGTERM);
    subscriber_start(&client, "room/+");
    CHECK(program_says(&client, "<room/2 1 1 kept>", 1)); /* the last one was QoS 2, this asks for 1 */
    program_end(&client, SIGTERM);
    program_end(&broker, SIGTERM);
    host_fini(&h);
}

static void test_big(void)
{
    enum { BIG = 5 * 1024 * 1024, TOO_BIG = LIMIT_MESSAGE_BYTES + 1 };
    struct host in, out;
    struct program broker, pub;
    char path[64], *bytes = malloc(TOO_BIG);
    for (int i = 0; i < TOO_BIG; i++)
        bytes[i] = (char)('a' + i % 23);
    broker_start(&broker, OPEN_TO_ALL);
    host_init(&in);
    host_init(&out);
    struct port *source = must_open(false, &in, OPTIONS("url", url, "topic", "big"));
    struct port *sink = must_open(true, &out, OPTIONS("url", url, "topic", "big"));
    CHECK(host_wait_state(&in, PORT_CONNECTED, 1) && host_wait_state(&out, PORT_CONNECTED, 1));
    struct message m = {.number = 1, .bytes = bytes, .len = BIG};
    CHECK(port_send(sink, &m) == 0);
    const struct heard *got = host_next(&in);
    CHECK(got && got->len == BIG && memcmp(got->bytes, bytes, BIG) == 0);
    if (got)
        port_settle(source, got->receipt, OUTCOME_OK);
    m.len = TOO_BIG;
    CHECK(port_send(sink, &m) == ERR_INVALID);
    snprintf(path, sizeof path, "%s/big", dir);
    file_put(path, bytes, TOO_BIG);
    program_start(&pub, (char *[]){"mosquitto_pub", "-h", "127.0.0.1", "-p", port_text, "-q", "1", "-t",
                                   "big", "-f", path, NULL});
    CHECK(program_end(&pub, 0) == 0);
    CHECK(host_wait_state(&in, PORT_CONNECTED, 2));
    CHECK(strstr(in.words, "refused") != NULL);
    CHECK(send_text(sink, 2, "small") == 0);
    CHECK(host_next_is(&in, source, "small"));
    port_close(source);
    port_close(sink);
    program_end(&broker, SIGTERM);
    free(bytes);
    host_fini(&in);
    host_fini(&out);
}

/* Ports with the same broker and options share a connection, and a filter's message goes to each port of it.
 */
static void test_shared(void)
{
    struct host h[4], out;
    struct port *p[4], *sink;
    struct program broker;
    const char *filters[] = {"s/1", "s/1", "s/2", "t/+"};
    broker_start(&broker, OPEN_TO_ALL);
    for (int i = 0; i < 4; i++) {
        host_init(&h[i]);
        p[i] = must_open(false, &h[i], OPTIONS("url", url, "topic", filters[i]));
        CHECK(host_wait_state(&h[i], PORT_CONNECTED, 1));
    }
    host_init(&out);
    sink = must_open(true, &out, OPTIONS("url", url, "topic", "s/1"));
    CHECK(host_wait_state(&out, PORT_CONNECTED, 1));
    CHECK(program_says(&broker, " as weir-", 2));
    send_text(sink, 1, "both");
    CHECK(host_next_is(&h[0], p[0], "both"));
    CHECK(host_next_is(&h[1], NULL, "both")); /* holds the acknowledgement of all */
    const struct heard *m = &h[1].messages[0];
    send_to(sink, 2, "s/2", "second");
    send_to(sink, 3, "t/x", "third");
    port_settle(p[1], m->receipt, OUTCOME_REJECTED);
    CHECK(host_next_is(&h[2], p[2], "second"));
    CHECK(host_next_is(&h[3], NULL, "third"));

    /* One leaves and never settles: the others go on over a new connection. */
    port_close(p[3]);
    CHECK(host_wait_state(&h[0], PORT_CONNECTED, 2));
    CHECK(host_wait_state(&h[1], PORT_CONNECTED, 2));
    send_text(sink, 4, "after");
    CHECK(host_next_is(&h[0], p[0], "after"));
    CHECK(host_next_is(&h[1], p[1], "after"));
    struct host other; /* s/# takes part of what s/1 takes: a connection of its own, no copies */
    host_init(&other);
    struct port *wide = must_open(false, &other, OPTIONS("url", url, "topic", "s/#"));
    CHECK(host_wait_state(&other, PORT_CONNECTED, 1));
    send_text(sink, 5, "wide");
    send_to(sink, 6, "s/9", "nine");
    CHECK(host_next_is(&other, wide, "wide"));
    CHECK(host_next_is(&other, wide, "nine"));
    CHECK(host_next_is(&h[0], p[0], "wide"));
    CHECK(program_says(&broker, " as weir-", 4));
    struct err e = {0};
    struct host named;
    host_init(&named);
    struct port *a = must_open(false, &named, OPTIONS("url", url, "topic", "n", "client.id", "me"));
    CHECK(test_open(&port_mqtt, true, &named, OPTIONS("url", url, "topic", "n", "client.id", "me"), &e) ==
          NULL);
    CHECK(strstr(e.text, "client.id 'me' is in use") != NULL);
    port_close(a);
    port_close(wide);
    for (int i = 0; i < 3; i++)
        port_close(p[i]);
    port_close(sink);
    program_end(&broker, SIGTERM);
    for (int i = 0; i < 4; i++)
        host_fini(&h[i]);
    host_fini(&out);
    host_fini(&other);
    host_fini(&named);
}

/* A host without room gets nothing twice and loses nothing. */
static void test_busy(const char *qos)
{
    enum { MANY = 300 };
    struct host in, out;
    struct program broker;
    char text[16];
    broker_start(&broker, OPEN_TO_ALL);
    host_init(&in);
    host_init(&out);
    in.room = 10;
    struct port *source = must_open(false, &in, OPTIONS("url", url, "topic", "b", "quality.of.service", qos));
    struct port *sink = must_open(true, &out, OPTIONS("url", url, "topic", "b", "quality.of.service", qos));
    CHECK(host_wait_state(&in, PORT_CONNECTED, 1) && host_wait_state(&out, PORT_CONNECTED, 1));
    for (uint64_t i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%d", (int)i);
        CHECK(send_text(sink, i, text) == 0);
    }
    CHECK(host_wait(&out, &out.sent_count, MANY));
    CHECK(host_wait(&in, &in.busies, 1));
    for (int i = 0; i < MANY; i++) {
        if (i > 0 && i % 10 == 0) {
            pthread_mutex_lock(&in.lock);
            in.room = 10;
            pthread_mutex_unlock(&in.lock);
            port_resume(source);
        }
        snprintf(text, sizeof text, "%d", i);
        if (!CHECK(host_next_is(&in, source, text)))
            break;
    }
    CHECK(host_get(&in, &in.count) == MANY);
    port_close(source);
    port_close(sink);
    program_end(&broker, SIGTERM);
    host_fini(&in);
    host_fini(&out);
}

/* Many messages with a worker that settles on its own thread, as the agent's does. */
struct worker {
    struct host *h;
    struct port *p;
    int count;
};

static void *worker_run(void *user)
{
    struct worker *w = user;
    for (int i = 0; i < w->count; i++) {
        const struct heard *m = host_next(w->h);
        if (!m)
            break;
        port_settle(w->p, m->receipt, OUTCOME_OK);
    }
    return NULL;
}

static void test_many(void)
{
    enum { MANY = 5000 };
    struct host in, out;
    struct program broker;
    pthread_t thread;
    char text[16];
    broker_start(&broker, OPEN_TO_ALL);
    host_init(&in);
    host_init(&out);
    struct port *source = must_open(false, &in, OPTIONS("url", url, "topic", "m"));
    struct port *sink = must_open(true, &out, OPTIONS("url", url, "topic", "m"));
    CHECK(host_wait_state(&in, PORT_CONNECTED, 1) && host_wait_state(&out, PORT_CONNECTED, 1));
    struct worker w = {&in, source, MANY};
    pthread_create(&thread, NULL, worker_run, &w);
    for (uint64_t i = 0; i < MANY;) {
        snprintf(text, sizeof text, "%d", (int)i);
        int done = host_get(&out, &out.sent_count);
        int rc = send_text(sink, i, text);
        if (rc == 0)
            i++;
        else if (!CHECK(rc == ERR_BUSY && host_wait(&out, &out.sent_count, done + 1)))
            break;
    }
    pthread_join(thread, NULL);
    CHECK(host_wait(&out, &out.sent_count, MANY));
    CHECK(in.count == MANY);
    bool in_order = true;
    for (int i = 0; i < in.count; i++)
        in_order =
            in_order && atoi(in.messages[i].bytes) == i && out.sent_times[i] == 1 && out.sent_rc[i] == 0;
    CHECK(in_order);
    CHECK(host_get(&out, &out.batch_ends) > 0 && host_get(&in, &in.batch_ends) > 0);
    port_close(source);
    port_close(sink);
    program_end(&broker, SIGTERM);
    host_fini(&in);
    host_fini(&out);
}

/* A closing sink sees its last messages through. */
static void test_close_flushes(void)
{
    struct host h;
    struct program broker, client;
    broker_start(&broker, OPEN_TO_ALL);
    subscriber_start(&client, "c");
    host_init(&h);
    struct port *p = must_open(true, &h, OPTIONS("url", url, "topic", "c"));
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1));
    for (uint64_t i = 0; i < 200; i++)
        CHECK(send_text(p, i, "x") == 0);
    port_close(p);
    CHECK(h.sent_count == 200 && h.sent_rc[199] == 0);
    CHECK(program_says(&client, "<c 1 0 x>", 200));
    program_end(&client, SIGTERM);
    program_end(&broker, SIGTERM);
    host_fini(&h);
}

static void test_backoff(void)
{
    static const int64_t steps[] = {5000, 10000, 15000, 30000, 60000, 60000, 120000, 300000, 300000};
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 50; j++) {
            int64_t ms = backoff_ms(i, 5000);
            CHECK(ms <= steps[i] && ms >= steps[i] * 9 / 10);
        }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("WEIR_BACKOFF_FIRST_MS", "20", 1);
    signal(SIGPIPE, SIG_IGN);
    CHECK(mkdtemp(dir) != NULL);
    test_backoff();
    test_wrong_options();
    test_absent_killed_back();
    test_settle_and_will();
    test_password();
    test_sink_topics();
    test_big();
    test_shared();
    test_busy("1");
    test_busy("0");
    test_many();
    test_close_flushes();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
    return check_end();
}
