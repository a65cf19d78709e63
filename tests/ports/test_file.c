/* test_file.c - the file port against real files. */
#include "tests/ports/host.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct port_type port_file;

static char dir[] = "/tmp/weir-file-XXXXXX";

/* A path below the test's directory; good until the eighth next call. */
static const char *at(const char *format, ...)
{
    static char paths[8][300];
    static int turn;
    char *path = paths[turn++ % 8];
    va_list args;
    va_start(args, format);
    int len = snprintf(path, 300, "%s/", dir);
    vsnprintf(path + len, 300 - (size_t)len, format, args);
    va_end(args);
    return path;
}

static void put(const char *path, const char *text, bool append)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static const char *get(const char *path)
{
    static char text[1 << 16];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[len < 0 ? 0 : len] = '\0';
    return len < 0 ? "(no file)" : text;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static struct port *must_open(bool is_sink, struct host *h, const char *const *pairs)
{
    struct err e = {0};
    struct port *p = test_open(&port_file, is_sink, h, pairs, &e);
    if (!CHECK(p != NULL))
        printf("    %s\n", e.text);
    return p;
}

static void refused(int code, const char *words, const char *const *pairs)
{
    struct host h;
    struct err e = {0};
    host_init(&h);
    CHECK(test_open(&port_file, false, &h, pairs, &e) == NULL);
    CHECK(e.code == code);
    if (!CHECK(strstr(e.text, words) != NULL))
        printf("    %s\n", e.text);
    host_fini(&h);
}

static bool next_is(struct host *h, struct port *p, const char *text, const char *eof)
{
    bool ok = host_next_is(h, p, text);
    return ok && strcmp(h->messages[h->taken - 1].second, eof) == 0;
}

static void send_text(struct port *p, uint64_t number, const char *uri, const char *text, int want)
{
    struct option_value dynamic[] = {{"file.uri", uri}};
    struct message m = {.number = number,
                        .bytes = text,
                        .len = strlen(text),
                        .dynamic = dynamic,
                        .dynamic_count = uri != NULL};
    CHECK(port_send(p, &m) == want);
}

/* ---- cases ---- */

static void test_wrong_options(void)
{
    refused(ERR_INVALID, "exactly one", OPTIONS("mode", "line"));
    refused(ERR_INVALID, "exactly one", OPTIONS("file.uri", "a", "dir.uri", "b"));
    refused(ERR_UNSUPPORTED, "binary.full", OPTIONS("file.uri", "a", "mode", "binary.full"));
    refused(ERR_UNSUPPORTED, "regex", OPTIONS("file.uri", "a", "mode", "Regex"));
    refused(ERR_UNSUPPORTED, "local files", OPTIONS("file.uri", "sftp://h/a"));
    refused(ERR_INVALID, "cannot be tailed",
            OPTIONS("file.uri", "a", "mode", "text.full", "tailing", "true"));
    refused(ERR_INVALID, "no end", OPTIONS("file.uri", "a", "action.after.process", "move"));
    refused(ERR_INVALID, "move.after.process",
            OPTIONS("file.uri", "a", "tailing", "false", "action.after.process", "move"));
    refused(ERR_INVALID, "regular expression", OPTIONS("dir.uri", "a", "file.name.pattern", "(a"));
}

static void test_tail(void)
{
    struct host h;
    const char *path = at("tail.log");
    host_init(&h);
    char uri[300];
    snprintf(uri, sizeof uri, "file:%s", path);
    struct port *p = must_open(
        false, &h, OPTIONS("file.uri", uri, "file.polling.interval", "5", "header.present", "true"));
    CHECK(host_wait_state(&h, PORT_DISCONNECTED, 1)); /* not there yet */
    put(path, "head\none\r\ntwo\nthr", false);
    CHECK(next_is(&h, p, "one", "false"));
    CHECK(strcmp(h.messages[0].first, path) == 0);
    CHECK(next_is(&h, p, "two", "false"));
    put(path, "ee\n", true);
    CHECK(next_is(&h, p, "three", "true"));

    put(path, "h\nnew\n", false); /* cut and shorter: from the start */
    CHECK(next_is(&h, p, "new", "true"));

    /* Renamed away with something added before: both are read. */
    const char *old = at("tail.log.1");
    put(path, "late\n", true);
    CHECK(rename(path, old) == 0);
    put(old, "later\n", true);
    put(path, "h\nfresh\n", false);
    CHECK(host_next_is(&h, p, "late"));
    CHECK(host_next_is(&h, p, "later"));
    CHECK(host_next_is(&h, p, "fresh"));
    port_close(p);
    host_fini(&h);
}

static void test_once_and_delete(void)
{
    struct host h;
    const char *path = at("once.txt");
    put(path, "a\n\nlast", false);
    host_init(&h);
    struct port *p = must_open(false, &h,
                               OPTIONS("file.uri", path, "tailing", "false", "action.after.process", "delete",
                                       "file.polling.interval", "5"));
    CHECK(host_next_is(&h, p, "a"));
    CHECK(host_next_is(&h, p, ""));
    CHECK(next_is(&h, NULL, "last", "true"));
    put(at("side"), "x", false);
    CHECK(exists(path)); /* "last" is not settled */
    port_settle(p, h.messages[2].receipt, OUTCOME_OK);
    CHECK(host_wait_state(&h, PORT_DISCONNECTED, 1)); /* it looked again and found nothing */
    CHECK(!exists(path));
    put(path, "second life\n", false);
    CHECK(next_is(&h, p, "second life", "true"));
    port_close(p);
    host_fini(&h);
}

static void test_dir(void)
{
    struct host h;
    CHECK(mkdir(at("in"), 0700) == 0 && mkdir(at("done"), 0700) == 0);
    put(at("in/b1.csv"), "b1", false);
    put(at("in/a1.csv"), "a1\nx", false);
    put(at("in/a1.tmp"), "no", false);
    put(at("done/b1.csv"), "older", false);
    host_init(&h);
    struct port *p =
        must_open(false, &h,
                  OPTIONS("dir.uri", at("in"), "file.name.pattern", "[a-z]\\d\\.csv", "mode", "text.full",
                          "action.after.process", "move", "move.after.process", at("done"),
                          "move.if.exist.mode", "keep", "dir.polling.interval", "5"));
    CHECK(next_is(&h, p, "a1\nx", "true"));
    CHECK(next_is(&h, p, "b1", "true"));
    put(at("in/c1.tmp"), "c1", false);
    CHECK(rename(at("in/c1.tmp"), at("in/c1.csv")) == 0);
    CHECK(next_is(&h, p, "c1", "true"));
    CHECK(strcmp(h.messages[2].first, at("in/c1.csv")) == 0);
    port_close(p);
    CHECK(!exists(at("in/a1.csv")) && !exists(at("in/b1.csv")) && exists(at("in/a1.tmp")));
    CHECK_TEXT(get(at("done/a1.csv")), "a1\nx");
    CHECK_TEXT(get(at("done/b1.csv")), "older");
    host_fini(&h);
}

static void test_keep_reads_once(void)
{
    struct host h;
    CHECK(mkdir(at("kept"), 0700) == 0);
    put(at("kept/0"), "", false); /* empty: not yet */
    put(at("kept/1"), "one\n", false);
    host_init(&h);
    struct port *p =
        must_open(false, &h, OPTIONS("dir.uri", at("kept"), "tailing", "false", "dir.polling.interval", "5"));
    CHECK(host_next_is(&h, p, "one"));
    put(at("kept/2"), "two\n", false);
    CHECK(host_next_is(&h, p, "two"));
    put(at("kept/3"), "three\n", false);
    CHECK(host_next_is(&h, p, "three"));
    put(at("kept/0"), "zero\n", false);
    CHECK(host_next_is(&h, p, "zero"));
    CHECK(host_get(&h, &h.count) == 4);
    port_close(p);
    host_fini(&h);
}

static void test_busy_and_long(void)
{
    enum { LINES = 3000 };
    struct host h;
    const char *path = at("many");
    host_init(&h);
    h.room = 7;
    FILE *f = fopen(path, "w");
    for (int i = 0; i < LINES; i++) {
        fprintf(f, "%d\n", i);
        if (i == 1000) { /* one line beyond the limit */
            for (int j = 0; j <= LIMIT_MESSAGE_BYTES / 16; j++)
                fputs("0123456789abcdef", f);
            fputc('\n', f);
        }
    }
    fclose(f);
    struct port *p = must_open(false, &h, OPTIONS("file.uri", path, "file.polling.interval", "5"));
    char text[16];
    for (int i = 0; i < LINES; i++) {
        if (i > 0 && i % 7 == 0) {
            pthread_mutex_lock(&h.lock);
            h.room = 7;
            pthread_mutex_unlock(&h.lock);
            port_resume(p);
        }
        snprintf(text, sizeof text, "%d", i);
        if (!CHECK(host_next_is(&h, p, text)))
            break;
    }
    CHECK(h.count == LINES && h.busies > 100);
    CHECK(strstr(h.words, "1 so far") != NULL);
    port_close(p);
    host_fini(&h);
}

static void test_sink(void)
{
    struct host h;
    host_init(&h);
    struct port *p = must_open(true, &h, OPTIONS("file.uri", NULL));
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1));
    send_text(p, 1, at("out.txt"), "one", 0);
    send_text(p, 2, at("out.txt"), "two", 0);
    send_text(p, 3, at("out2.txt"), "other", 0);
    send_text(p, 4, at("out.txt"), "three", 0);
    send_text(p, 5, "", "x", ERR_INVALID);
    send_text(p, 5, "ftp://h/x", "x", ERR_INVALID);
    send_text(p, 5, at("../x"), "x", ERR_INVALID); /* what an event brings leads nowhere else */
    send_text(p, 5, at("x/.."), "x", ERR_INVALID);
    send_text(p, 5, "..", "x", ERR_INVALID);
    CHECK(host_wait(&h, &h.sent_count, 4));
    CHECK_TEXT(get(at("out.txt")), "one\ntwo\nthree\n");
    CHECK_TEXT(get(at("out2.txt")), "other\n");
    send_text(p, 5, dir, "x", 0); /* a directory: never */
    CHECK(host_wait(&h, &h.sent_times[5], 1) && h.sent_rc[5] == ERR_INVALID);

    /* No such directory: it comes back to the host, and the sink is there again after a while. */
    send_text(p, 6, at("nowhere/x"), "x", 0);
    CHECK(host_wait(&h, &h.sent_times[6], 1) && h.sent_rc[6] == ERR_IO);
    CHECK(host_wait_state(&h, PORT_CONNECTED, 2));
    CHECK(mkdir(at("nowhere"), 0700) == 0);
    send_text(p, 7, at("nowhere/x"), "x", 0);
    send_text(p, 8, at("nowhere/x"), "y", 0);
    port_close(p); /* writes what waits */
    CHECK(h.sent_count == 8 && h.sent_rc[7] == 0 && h.sent_rc[8] == 0);
    CHECK_TEXT(get(at("nowhere/x")), "x\ny\n");
    for (int i = 1; i <= 8; i++)
        CHECK(h.sent_times[i] == 1);
    host_fini(&h);
}

/* A pipe that nobody reads holds nobody up; one that is read gets what waited. */
static void test_sink_pipe(void)
{
    struct host h, other;
    char got[16] = "";
    host_init(&h);
    host_init(&other);
    CHECK(mkfifo(at("fifo"), 0600) == 0);
    struct port *p = must_open(true, &h, OPTIONS("file.uri", at("fifo")));
    struct port *q = must_open(true, &other, OPTIONS("file.uri", at("beside")));
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1) && host_wait_state(&other, PORT_CONNECTED, 1));
    send_text(p, 1, NULL, "waits", 0);
    CHECK(host_wait(&h, &h.sent_times[1], 1) && h.sent_rc[1] == ERR_IO);
    send_text(q, 1, NULL, "goes", 0);
    CHECK(host_wait(&other, &other.sent_times[1], 1) && other.sent_rc[1] == 0);
    int fd = open(at("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(host_wait_state(&h, PORT_CONNECTED, 2));
    send_text(p, 2, NULL, "goes", 0);
    CHECK(host_wait(&h, &h.sent_times[2], 1) && h.sent_rc[2] == 0);
    CHECK(read(fd, got, sizeof got - 1) == 5);
    CHECK_TEXT(got, "goes\n");
    close(fd);
    port_close(p);
    port_close(q);
    host_fini(&h);
    host_fini(&other);
}

static void test_sink_replaces(void)
{
    struct host h;
    host_init(&h);
    struct port *p = must_open(
        true, &h,
        OPTIONS("file.uri", at("state"), "append", "false", "add.line.separator", "false", "fsync", "true"));
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1));
    send_text(p, 1, NULL, "a longer text", 0);
    send_text(p, 2, NULL, "short", 0);
    CHECK(host_wait(&h, &h.sent_count, 2));
    CHECK_TEXT(get(at("state")), "short");
    port_close(p);
    host_fini(&h);
}

static void test_sink_rotates(void)
{
    struct host h;
    host_init(&h);
    struct port *p = must_open(true, &h, OPTIONS("file.uri", at("log"), "max.size", "10", "max.files", "2"));
    CHECK(host_wait_state(&h, PORT_CONNECTED, 1));
    for (uint64_t i = 0; i < 5; i++)
        send_text(p, i, NULL, (const char *[]){"aaaa", "bbbb", "cccc", "dddd", "a line beyond"}[i], 0);
    CHECK(host_wait(&h, &h.sent_count, 5));
    CHECK_TEXT(get(at("log")), "a line beyond\n");
    CHECK_TEXT(get(at("log.1")), "cccc\ndddd\n");
    CHECK_TEXT(get(at("log.2")), "aaaa\nbbbb\n");
    send_text(p, 5, NULL, "z", 0);
    CHECK(host_wait(&h, &h.sent_count, 6));
    CHECK_TEXT(get(at("log.2")), "cccc\ndddd\n");
    CHECK(!exists(at("log.3")));
    /* Somebody else renames the file: writing goes on under the name. */
    CHECK(rename(at("log"), at("taken")) == 0);
    send_text(p, 6, NULL, "y", 0);
    CHECK(host_wait(&h, &h.sent_count, 7));
    CHECK_TEXT(get(at("log")), "y\n");
    port_close(p);
    host_fini(&h);
}

static void test_many(void)
{
    enum { MANY = 5000 };
    struct host in, out;
    char text[16];
    host_init(&in);
    host_init(&out);
    put(at("pipe"), "", false);
    struct port *source =
        must_open(false, &in, OPTIONS("file.uri", at("pipe"), "file.polling.interval", "1"));
    struct port *sink = must_open(true, &out, OPTIONS("file.uri", at("pipe")));
    CHECK(host_wait_state(&out, PORT_CONNECTED, 1));
    for (uint64_t i = 0; i < MANY;) {
        snprintf(text, sizeof text, "%d", (int)i);
        struct message m = {.number = i, .bytes = text, .len = strlen(text)};
        int done = host_get(&out, &out.sent_count);
        if (port_send(sink, &m) == 0)
            i++;
        else if (!CHECK(host_wait(&out, &out.sent_count, done + 1)))
            break;
    }
    bool in_order = true;
    for (int i = 0; i < MANY && in_order; i++) {
        snprintf(text, sizeof text, "%d", i);
        in_order = host_next_is(&in, source, text);
    }
    CHECK(in_order);
    CHECK(host_wait(&out, &out.sent_count, MANY));
    port_close(sink);
    port_close(source);
    host_fini(&in);
    host_fini(&out);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("WEIR_BACKOFF_FIRST_MS", "20", 1);
    CHECK(mkdtemp(dir) != NULL);
    test_wrong_options();
    test_tail();
    test_once_and_delete();
    test_dir();
    test_keep_reads_once();
    test_busy_and_long();
    test_sink();
    test_sink_pipe();
    test_sink_replaces();
    test_sink_rotates();
    test_many();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
    return check_end();
}
