/* test_mem.c - the laws of mem.h that a whole app must keep: every allocation refused once, one after the
 * other, and the app gives the same outputs and the same checkpoint; accounts that are exact, and bounds of
 * them; what app_held tells. */
#include "engine/base/amount.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/engine.h"
#include "tests/unit/check.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A bit of everything that holds something. */
static const char text[] =
    "define stream S (k string, v long);\n"
    "define table T (k string, v long);\n"
    "@PrimaryKey('k') define table K (k string, v long);\n"
    "define window W (k string, v long) length(5);\n"
    "@info(name='sum') from S#window.length(7) select k, sum(v) as s group by k insert into A;\n"
    "@info(name='all') from S#window.time(5 sec) select k, v insert all events into B;\n"
    "@info(name='join') from S#window.length(3) as l join W as r on l.k == r.k select l.k as k, r.v as v "
    "insert into C;\n"
    "@info(name='pat') from every e1=S[v > 2l] -> e2=S[v > e1.v] within 4 sec select e1.v as a, e2.v as b "
    "insert into D;\n"
    "from S select k, v insert into W;\n"
    "from S[v > 3l] select k, v insert into T;\n"
    "from S select k, v update or insert into K on K.k == k;\n"
    "from S delete T on T.v == v - 4l;\n"
    "@info(name='batch') from S#window.lengthBatch(4) select str:concat(k, '-', k) as k, max(v) as m insert "
    "into E;\n"
    "@info(name='near') from S#geo:proximity(k, convert(v, 'double'), 0.5, 200000.0) select k, proximityWith "
    "as p "
    "insert into G;\n"
    "@info(name='still') from S#geo:stationary(k, str:concat(\"{'type':'Point','coordinates':[\", v, "
    "',1]}'), 150000.0)"
    "#geo:crosses(k, convert(v, 'double'), 0.5, \"{'type':'Circle','radius':300000,'coordinates':[2,0]}\") "
    "select k, isCrossed as c insert into H;\n"
    "@info(name='mean') from S#geo:locationApproximate(k, convert(v, 'double'), 1.0, 'ENTER', k, 1.0, v) "
    "select k, averagedLatitude as a insert into I;\n"
    "from S#window.extrema:maxbytime(v, 3 sec)[v > 0l] select k, v insert all events into P;\n"
    "from S#window.extrema:minByLengthBatch(k, 3) select k, v insert all events into Q;\n"
    "from S#window.length(4)#extrema:topK(k, 2) select Top1Element as k, Top1Frequency as n insert into R;\n"
    "from S#extrema:bottomKTimeBatch(k, 2 sec, 1) select * insert into U;\n"
    "from S select k, kf:kalmanFilter(convert(v, 'double')) as x group by k insert into Z;\n"
    "partition with (k of S) begin @info(name='each') from S#window.length(2) select k, avg(v) as a insert "
    "into F; end;\n";

struct seen {
    uint64_t hash, events, saved;
};

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    struct seen *seen = user;
    struct writer w = {0};
    buf_init(&w.out, SIZE_MAX);
    write_u32(&w, stream);
    for (uint32_t i = 0; i < b->count; i++) {
        write_i64(&w, b->events[i].at_ms);
        write_row(&w, b->events[i].row);
    }
    seen->hash = hash_bytes(w.out.bytes, w.out.len, seen->hash);
    seen->events += b->count;
    buf_fini(&w.out);
}

static void on_put(void *user, const void *key, size_t key_len, const void *bytes, size_t len)
{
    struct seen *seen = user;
    (void)bytes;
    seen->saved =
        hash_bytes(key, key_len, seen->saved) + len; /* a keyed table's items lie as their addresses do */
}

static void on_drop(void *user, const void *from, size_t from_len, const void *to, size_t to_len)
{
    (void)to;
    (void)to_len;
    on_put(user, from, from_len, "", 0);
}

static struct app *make(const char *app_text, struct seen *seen)
{
    struct compile c;
    engine_compile(&c, app_text, strlen(app_text), NULL);
    struct app_host host = {.user = seen, .stream = on_stream, .seed = 1};
    struct app *app = c.plan ? app_new(c.plan, &host) : NULL;
    if (!app)
        diags_print(&c.diags, "test_mem", stdout);
    c.plan = NULL;
    compile_fini(&c);
    return app;
}

static void send(struct app *app, int number, int64_t at_ms)
{
    char key[32];
    int stream = plan_find_stream(app_plan(app), "S");
    snprintf(key, sizeof key, "key %d", number % 3);
    struct row *row = row_new(2, at_ms);
    row_set_take(row, 0, value_text(text_new(key, strlen(key))));
    row_set(row, 1, value_long(number % 6));
    struct event e = {.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT};
    app_advance(app, at_ms);
    app_send(app, (uint32_t)stream, &e, 1, false);
    row_unref(row);
}

/* From the text to the end, with a checkpoint and a query on the way. */
static struct seen run(void)
{
    struct seen seen = {0};
    const struct state_home home = {.user = &seen, .put = on_put, .drop = on_drop};
    const char query[] = "from T on v > 3l select k, v order by v limit 2";
    struct result result = {0};
    struct err e = {0};
    struct app *app = make(text, &seen);
    if (!CHECK(app != NULL) || !CHECK(app_start(app, 1000, false, &e) == 0))
        return seen;
    for (int i = 0; i < 14; i++)
        send(app, i, 1000 + i * 700);
    app_checkpoint(app, &home);
    CHECK(app_query(app, query, strlen(query), &result, &e) == 0);
    app_advance(app, 60000);
    app_free(app);
    return seen;
}

#ifdef WEIR_DEBUG
/* Law 3: refused once, the nth call, for every n there is. */
static void test_every_refusal(void)
{
    enum { BALLAST = 64 * 1024 };
    struct seen good = run();
    mem_refuse(0, 0);
    CHECK(run().hash == good.hash);
    uint64_t calls = mem_refuse(0, 0), wrong = 0, missed = 0;
    CHECK(calls > 500 && good.events > 50 && good.saved != 0);
    for (uint64_t n = 1; n <= calls; n++) {
        mem_ballast_take(BALLAST);
        mem_refuse(n, 0);
        struct seen now = run();
        mem_refuse(0, 0);
        wrong += now.hash != good.hash || now.saved != good.saved || now.events != good.events;
        missed += !mem_is_short();
        if (!mem_ballast_mend() || mem_is_short())
            missed++;
    }
    CHECK(wrong == 0);
    CHECK(missed == 0);
    printf("%llu allocations, each refused once\n", (unsigned long long)calls);
    mem_ballast_take(0);
}

/* Without a ballast, or when it was not enough, it ends with words, at once. */
static void test_end(size_t ballast, uint64_t more)
{
    int words[2], status = 0;
    char said[512] = "";
    CHECK(pipe(words) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(words[1], 2);
        mem_ballast_take(ballast);
        mem_refuse(3, more);
        for (int i = 0; i < 10; i++)
            mem_free(mem_alloc(100));
        _exit(0);
    }
    close(words[1]);
    CHECK(waitpid(child, &status, 0) == child);
    ssize_t n = read(words[0], said, sizeof said - 1);
    CHECK(n > 0 && strstr(said, "out of memory") != NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    close(words[0]);
}
#endif

/* ---- accounts ---- */

struct held {
    uint64_t bytes, window, table;
    uint32_t copies;
};

static void on_part(void *user, const struct app_part *p)
{
    struct held *held = user;
    held->bytes += p->bytes;
    if (p->op && !strcmp(p->op, "window.length") && !p->around && !strcmp(p->name, "sum"))
        held->window = p->bytes;
    if (!strcmp(p->kind, "table"))
        held->table += p->bytes;
    if (p->around)
        held->copies = p->copies > held->copies ? p->copies : held->copies;
}

static void test_held(void)
{
    static const char app_text[] =
        "define stream S (k string, v long);\n"
        "define table T (k string, v long);\n"
        "@info(name='sum') from S#window.length(5000) select * insert all events into A;\n"
        "from S[v == 5l] select k, v insert into T;\n"
        "partition with (k of S) begin @info(name='each') from S#window.length(2) select k, avg(v) as a "
        "insert into F; "
        "end;\n";
    struct mem_account account = {.most = INT64_MAX};
    struct seen seen = {0};
    struct held held = {0};
    struct err e = {0};
    mem_account = &account;
    struct app *app = make(app_text, &seen);
    CHECK(app_start(app, 1000, false, &e) == 0);
    int64_t empty = account.bytes;
    for (int i = 0; i < 6000; i++)
        send(app, i, 1000 + i);
    int64_t grown = account.bytes - empty, before = account.bytes;
    app_held(app, on_part, &held);
    CHECK(account.bytes == before); /* it leaves nothing behind */
    CHECK(held.window > 0 && held.table > 0 && held.copies == 3);
    /* An estimate, good to a fifth. */
    CHECK((double)held.bytes > 0.8 * (double)grown && (double)held.bytes < 1.2 * (double)grown);
    if (check_failed)
        printf("    held %llu, grown by %lld\n", (unsigned long long)held.bytes, (long long)grown);
    app_free(app);
    CHECK(account.bytes == 0);
    mem_account = NULL;
}

static void on_partials(void *user, const struct app_part *p)
{
    struct app_partials *sums = user;
    struct app_partials *sum = &sums[p->around != NULL];
    CHECK(p->is_pattern == (p->op && !strcmp(p->op, "states")));
    sum->live += p->partials.live;
    sum->dropped += p->partials.dropped;
}

/* Partial matches are counted along, of a partition over its keys; a key that ends takes its own with it. */
static void test_partials(void)
{
    static const char app_text[] =
        "define stream S (k string, v long);\n"
        "from every e1=S[v > 2l] -> e2=S[v > e1.v + 100l] select e1.v as a insert into A;\n"
        "@purge(enable='true', interval='1 sec', idle.period='1 min')\n"
        "partition with (k of S) begin\n"
        "from every e1=S -> e2=S[v < 0l] within 1 hour select e1.v as a insert into B;\n"
        "end;\n";
    struct seen seen = {0};
    struct err e = {0};
    struct app_partials sums[2] = {0};
    struct app *app = make(app_text, &seen);
    CHECK(app_start(app, 1000, false, &e) == 0);
    uint64_t first = app_partials(app).live;
    for (int i = 0; i < 60; i++)
        send(app, i, 1000 + i);
    app_held(app, on_partials, sums);
    CHECK(app_partials(app).live == sums[0].live + sums[1].live && app_partials(app).dropped == 0);
    CHECK(sums[0].live == first + 30);     /* 3, 4 and 5 of each six */
    CHECK(sums[1].live == 60 + 3 * first); /* each key waits for its next first event too */
    app_advance(app, 1000 * 1000);
    CHECK(app_partials(app).live == first + 30);
    app_free(app);
}

/* Those that go at the bound are counted too. */
static void test_partials_dropped(void)
{
    static const char app_text[] = "define stream S (k string, v long);\n"
                                   "define stream R (v long);\n"
                                   "from every e1=S -> e2=R select e1.v as a insert into A;\n";
    struct seen seen = {0};
    struct err e = {0};
    struct app *app = make(app_text, &seen);
    CHECK(app_start(app, 1000, false, &e) == 0);
    for (int i = 0; i < LIMIT_PATTERN_WAITS + 100; i++)
        send(app, i, 1000);
    struct app_partials at_bound = app_partials(app);
    CHECK(at_bound.dropped > 0 && at_bound.live <= LIMIT_PATTERN_WAITS);
    CHECK(at_bound.live + at_bound.dropped == LIMIT_PATTERN_WAITS + 100 + 1);
    app_free(app);
}

/* Law 2: a product that would pass the bound fails its event, counted, and the app goes on. */
static void test_bound(void)
{
    static const char product[] = "@OnError(action='stream') define stream S (k string, v long);\n"
                                  "define window W (v long) length(3000);\n"
                                  "from S select v insert into W;\n"
                                  "from S[v == 5l]#window.length(1) as l unidirectional join W as r select "
                                  "r.v as v insert into Pairs;\n"
                                  "from !S select v insert into Failed;\n";
    struct mem_account account = {.most = INT64_MAX};
    struct seen seen = {0};
    struct err e = {0};
    mem_account = &account;
    struct app *app = make(product, &seen);
    CHECK(app && app_start(app, 1000, false, &e) == 0);
    for (int i = 0; i < 3000; i++)
        send(app, i % 5, 1000);
    CHECK(account.refused == 0);
    account.most = account.bytes + 20000;
    send(app, 5, 1001);
    CHECK(account.refused == 1);
    account.most = INT64_MAX;
    uint64_t events = seen.events;
    send(app, 5, 1002);
    CHECK(account.refused == 1 && seen.events > events + 3000);
    app_free(app);
    CHECK(account.bytes == 0);
    mem_account = NULL;
}

static bool reads(const char *words, bool is_part, int64_t value)
{
    struct amount a = {0};
    return amount_read(&a, words) && a.is_part == is_part && (is_part ? a.thousandth : a.bytes) == value;
}

static void test_amount(void)
{
    struct amount a;
    char words[AMOUNT_TEXT];
    CHECK(reads("64 MB", false, 64000000) && reads("1048576", false, 1048576) && reads("2kib", false, 2048));
    CHECK(reads("25%", true, 25000) && reads("12.5 %", true, 12500) && reads("100%", true, 100000));
    CHECK(reads("0.001%", true, 1) && reads(" 7 tb ", false, INT64_C(7000000000000)));
    CHECK(!amount_read(&a, "") && !amount_read(&a, "0") && !amount_read(&a, "0%") &&
          !amount_read(&a, "101%"));
    CHECK(!amount_read(&a, "-1") && !amount_read(&a, "12 XB") && !amount_read(&a, "100.001%"));
    CHECK(!amount_read(&a, "99999999999999999999") && !amount_read(&a, "2000000 TB") &&
          !amount_read(&a, "5% 5"));
    CHECK(amount_read(&a, "25%") && amount_of(&a, INT64_C(1) << 60) == INT64_C(1) << 58 &&
          amount_of(&a, 10) == 2);
    CHECK_TEXT(amount_print(words, 999), "999 B");
    CHECK_TEXT(amount_print(words, 12345678), "12.3 MB");
    CHECK_TEXT(amount_print(words, 268435456), "268 MB");
}

int main(void)
{
    log_set(LOG_ERROR, false);
    test_amount();
    test_held();
    test_partials();
    test_partials_dropped();
    test_bound();
#ifdef WEIR_DEBUG
    test_end(0, 1);
    test_end(4096, 10);
    test_every_refusal();
#endif
    return check_end();
}
