/* test_agent.c - inbox, outbox, configuration and state folder: what running the agent from outside can't
 * reach. */
#include "agent/config.h"
#include "agent/dedupe.h"
#include "agent/inbox.h"
#include "agent/metrics.h"
#include "agent/outbox.h"
#include "agent/statedir.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <unistd.h>

/* ---- inbox ---- */

static int put(struct inbox *b, uint64_t receipt, const char *text, const struct property *p, uint32_t count)
{
    struct arrival head = {
        .receipt = receipt, .len = (uint32_t)strlen(text), .property_count = count, .at_ms = 5};
    return inbox_put(b, &head, text, p);
}

static void inbox_keeps_order_and_bytes(void)
{
    struct inbox b;
    struct property two[2] = {{"topic", "a/b"}, {"qos", ""}}, got[2];
    inbox_init(&b, 100, 100000);
    CHECK(!inbox_swap(&b));
    CHECK(inbox_next(&b) == NULL);
    CHECK(put(&b, 1, "one", two, 2) == 0);
    CHECK(put(&b, 2, "", NULL, 0) == 0);
    CHECK(inbox_swap(&b));
    CHECK(put(&b, 3, "three", NULL, 0) == 0);
    struct arrival *a = inbox_next(&b);
    CHECK(a->receipt == 1 && a->len == 3 && a->at_ms == 5);
    CHECK_TEXT(arrival_bytes(a), "one");
    arrival_properties(a, got);
    CHECK_TEXT(got[0].value, "a/b");
    CHECK_TEXT(got[1].name, "qos");
    CHECK_TEXT(got[1].value, "");
    CHECK(inbox_swap(&b)); /* not at its end: stays */
    a = inbox_next(&b);
    CHECK(a->receipt == 2 && a->len == 0);
    CHECK(inbox_next(&b) == NULL);
    CHECK(inbox_swap(&b));
    CHECK(inbox_next(&b)->receipt == 3);
    CHECK(b.waiting_messages == 3);
    inbox_settled(&b, 3, b.waiting_bytes);
    CHECK(inbox_has_room(&b) && !inbox_swap(&b));
    inbox_fini(&b);
}

static void inbox_is_bounded(void)
{
    struct inbox b;
    char big[4096];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    inbox_init(&b, 3, 2048);
    CHECK(put(&b, 1, big, NULL, 0) == 0); /* an empty one takes any */
    CHECK(put(&b, 2, "x", NULL, 0) == ERR_BUSY);
    CHECK(inbox_swap(&b) && inbox_next(&b)->receipt == 1);
    CHECK(put(&b, 2, "x", NULL, 0) == ERR_BUSY); /* worked off, not settled */
    inbox_settled(&b, 1, b.waiting_bytes);
    for (uint64_t i = 2; i < 5; i++)
        CHECK(put(&b, i, "x", NULL, 0) == 0);
    CHECK(put(&b, 5, "x", NULL, 0) == ERR_BUSY);
    CHECK(!inbox_has_room(&b));
    inbox_fini(&b);
}

/* ---- outbox, before a port that does as it is told ---- */

enum { FAKE_ROOM = 3 };
static struct fake {
    struct port *port;
    uint64_t numbers[100]; /* as handed over */
    char last[64], topic[64];
    int count, room, refuses;
} fake;

static int fake_open(struct port *p, struct err *e)
{
    (void)e;
    fake = (struct fake){.port = p, .room = FAKE_ROOM};
    return 0;
}

static int fake_send(struct port *p, const struct message *m)
{
    (void)p;
    if (fake.refuses)
        return ERR_INVALID;
    if (!fake.room)
        return ERR_BUSY;
    fake.room--;
    fake.numbers[fake.count++] = m->number;
    snprintf(fake.last, sizeof fake.last, "%s", m->bytes);
    snprintf(fake.topic, sizeof fake.topic, "%s", m->dynamic_count ? m->dynamic[0].text : "");
    return 0;
}

static void fake_close(struct port *p)
{
    (void)p;
}

static const struct port_type fake_type = {
    .name = "fake", .can_sink = true, .open = fake_open, .send = fake_send, .close = fake_close};

static void fake_sent(uint64_t number, int rc)
{
    fake.room++;
    fake.port->host->sent(fake.port->user, number, rc);
}

static int pokes;

static void on_wake(void *worker, struct outbox *b)
{
    (void)worker;
    (void)b;
    pokes++;
}

static struct outbox *outbox_of(const char *on_error, uint32_t most)
{
    struct bind_sink sink = {.type = &fake_type, .on_error = on_error};
    struct outbox *b = NULL;
    struct err e = {0};
    pokes = 0;
    CHECK(outbox_open(&b, &sink, NULL, "App", "Out", most, 100000, on_wake, NULL, &e) == 0);
    return b;
}

static int put_out(struct outbox *b, const char *text)
{
    struct option_value topic = {"topic", text};
    struct message m = {.bytes = text, .len = strlen(text), .dynamic = &topic, .dynamic_count = 1};
    return outbox_put(b, &m);
}

static void outbox_waits_for_flush_and_keeps_order(void)
{
    struct outbox *b = outbox_of("log", 100);
    for (int i = 0; i < 40; i++)
        CHECK(put_out(b, "x") == 0);
    CHECK(put_out(b, "last") == 0);
    CHECK(fake.count == 0);
    outbox_flush(b);
    CHECK(fake.count == FAKE_ROOM);
    int round = 0;
    for (; fake.count < 41 && round < 100; round++) {
        fake_sent(fake.numbers[round], 0);
        outbox_flush(b);
    }
    for (int i = 0; i < fake.count; i++)
        CHECK(fake.numbers[i] == (uint64_t)i + 1);
    CHECK(fake.count == 41);
    CHECK_TEXT(fake.last, "last");
    CHECK_TEXT(fake.topic, "last");
    CHECK(pokes > 0 && !outbox_is_empty(b));
    for (; round < 41; round++)
        fake_sent(fake.numbers[round], 0);
    CHECK(outbox_is_empty(b));
    outbox_close(b);
}

static void outbox_hands_over_again_what_came_back(void)
{
    struct outbox *b = outbox_of("log", 100);
    uint64_t lost = metrics.lost, out = metrics.out;
    put_out(b, "1");
    put_out(b, "2");
    put_out(b, "3");
    outbox_flush(b);
    fake_sent(2, ERR_IO);
    CHECK(outbox_retry_at_us(b) != INT64_MAX);
    outbox_flush(b); /* it rests */
    CHECK(fake.count == 3);
    fake_sent(1, 0);
    fake.port->host->status(fake.port->user, PORT_CONNECTED, NULL);
    put_out(b, "4");
    outbox_flush(b);
    CHECK(fake.count == 5 && fake.numbers[3] == 2 && fake.numbers[4] == 4);
    fake_sent(2, ERR_INVALID);
    fake_sent(3, 0);
    fake_sent(3, 0); /* a port that says it twice does no harm */
    fake_sent(4, 0);
    CHECK(outbox_is_empty(b));
    CHECK(metrics.lost == lost + 1 && metrics.out == out + 3);
    outbox_close(b);
}

static void outbox_holds_its_app(void)
{
    struct outbox *b = outbox_of("log", 4);
    fake.room = 0;
    for (int i = 0; i < 4; i++) {
        CHECK(!outbox_holds(b));
        put_out(b, "x");
    }
    CHECK(outbox_holds(b));
    CHECK(put_out(b, "over") == 0); /* the bound is soft */
    outbox_flush(b);
    CHECK(fake.count == 0);
    fake.room = 9;
    fake.port->host->status(fake.port->user, PORT_CONNECTED, NULL);
    CHECK(pokes == 1);
    outbox_flush(b);
    CHECK(fake.count == 5);
    fake_sent(1, 0);
    fake_sent(2, 0);
    CHECK(pokes == 1);
    fake_sent(3, 0);
    CHECK(pokes == 2 && !outbox_holds(b));
    uint64_t lost = metrics.lost;
    outbox_close(b);
    CHECK(metrics.lost == lost + 2);
}

static void outbox_tells_at_once_if_asked(void)
{
    struct outbox *b = outbox_of("stream", 4);
    CHECK(put_out(b, "x") == 0);
    CHECK(fake.count == 1);
    fake.refuses = 1;
    CHECK(put_out(b, "bad") == ERR_INVALID);
    fake.refuses = 0;
    CHECK(put_out(b, "y") == 0);
    CHECK(fake.count == 2);
    fake_sent(1, 0);
    fake_sent(3, 0);
    CHECK(outbox_is_empty(b));
    outbox_close(b);
}

/* ---- configuration ---- */

/* ---- keys ---- */

static void dedupe_is(const char *field, const char *message, const char *wanted)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    bool carries = dedupe_add(field, "d/A\"<&/S/7", message, strlen(message), &out);
    CHECK(carries == (wanted != NULL));
    CHECK_TEXT(out.bytes ? out.bytes : "", wanted ? wanted : "");
    buf_fini(&out);
}

static void dedupe_finds_its_place(void)
{
    dedupe_is("id", "{\"a\":1}", "{\"id\":\"d/A\\\"<&/S/7\",\"a\":1}");
    dedupe_is("id", " {\n}", " {\"id\":\"d/A\\\"<&/S/7\"\n}");
    dedupe_is("i\"d", "[{\"a\":\"}{[\"},{\"b\":[{}]} , 3,\n{}]",
              "[{\"i\\\"d\":\"d/A\\\"<&/S/7/1\",\"a\":\"}{[\"},{\"i\\\"d\":\"d/A\\\"<&/S/7/2\",\"b\":[{}]}"
              " , 3,\n{\"i\\\"d\":\"d/A\\\"<&/S/7/4\"}]");
    dedupe_is("id", "[{\"a\":1},{\"a\":", "[{\"id\":\"d/A\\\"<&/S/7/1\",\"a\":1},{\"a\":");
    dedupe_is("id", "<?xml version=\"1.0\"?><!-- <x> -->\n<events><event/></events>",
              "<?xml version=\"1.0\"?><!-- <x> -->\n<events id=\"d/A&quot;&lt;&amp;/S/7\"><event/></events>");
    dedupe_is("id", "<e/>", "<e id=\"d/A&quot;&lt;&amp;/S/7\"/>");
    dedupe_is("id", "<e a='1'>", "<e id=\"d/A&quot;&lt;&amp;/S/7\" a='1'>");
    static const char *const places[] = {"",      " ",        "a,1", "\"x\"",   "[]",    "[1,[{}]]",
                                         "[",     "<",        "<e",  "<!--",    "</e>",  "<?x?>",
                                         "<!-->", "<?x ?></", "nul", "<!-- ->", "<?x ?>"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        dedupe_is("id", places[i], NULL);
}

static void config_prints_what_it_reads(void)
{
    static const char text[] = "{ // c\n \"workers\": 3, /* \"x */ \"apps\": \"/a//b\", \"variables\": "
                               "{\"A\": \"1\\\"\", \"A\": \"2\"} }";
    struct config c, again;
    char *printed = NULL;
    size_t len = 0;
    config_init(&c);
    CHECK(config_parse(&c, "test", text, sizeof text - 1) == 0);
    CHECK(c.workers == 3 && c.variables.count == 2);
    CHECK_TEXT(c.apps, "/a//b");
    CHECK_TEXT(config_variable(&c, "A"), "2");
    CHECK(config_variable(&c, "NO_SUCH_VARIABLE") == NULL);
    FILE *out = open_memstream(&printed, &len);
    config_print(&c, out);
    fclose(out);
    config_init(&again);
    CHECK(config_parse(&again, "printed", printed, len) == 0);
    CHECK(again.workers == 3 && again.variables.count == 2 && again.inbox_bytes == c.inbox_bytes);
    CHECK_TEXT(again.variables.items[0].value, "1\"");
    config_fini(&c);
    config_fini(&again);
    free(printed);
}

static void statedir_is_locked(void)
{
    char folder[] = "/tmp/weir-test-XXXXXX", deep[64], path[80];
    int fd = -1, other = -1;
    struct err e = {0};
    CHECK(mkdtemp(folder) != NULL);
    snprintf(deep, sizeof deep, "%s/a/b", folder);
    CHECK(statedir_open(deep, &fd, &e) == 0);
    CHECK(statedir_open(deep, &other, &e) == ERR_BUSY);
    close(fd);
    CHECK(statedir_open(deep, &other, &e) == 0);
    close(other);
    snprintf(path, sizeof path, "%s/lock", deep);
    CHECK(statedir_open(path, &other, &e) == ERR_IO);
    unlink(path);
    rmdir(deep);
    deep[strlen(deep) - 2] = 0;
    rmdir(deep);
    rmdir(folder);
}

int main(void)
{
    log_set(LOG_ERROR, false);
    inbox_keeps_order_and_bytes();
    inbox_is_bounded();
    outbox_waits_for_flush_and_keeps_order();
    outbox_hands_over_again_what_came_back();
    outbox_holds_its_app();
    outbox_tells_at_once_if_asked();
    dedupe_finds_its_place();
    config_prints_what_it_reads();
    statedir_is_locked();
    return check_end();
}
