/* test_journal.c - the journal on a disk: packed bytes are what they were, how many bytes a byte of message
 * costs, records of the first format are read. */
#include "agent/clock.h"
#include "agent/durable.h"
#include "agent/metrics.h"
#include "agent/turn.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/pack.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <unistd.h>

static uint64_t seed = 7;

static uint32_t chance(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- packed bytes ---- */

static size_t packed_len(const void *bytes, size_t len)
{
    struct buf packed, back;
    buf_init(&packed, SIZE_MAX);
    buf_init(&back, SIZE_MAX);
    buf_add_str(&packed, "##"); /* both append */
    buf_add_str(&back, "#");
    pack_bytes(&packed, bytes, len);
    CHECK(packed.len - 2 <= len + len / 255 + 16 && packed.bytes[packed.len] == 0);
    CHECK(unpack_bytes(&back, packed.bytes + 2, packed.len - 2, len) && back.len == len + 1 &&
          memcmp(back.bytes + 1, bytes, len) == 0);
    size_t was = back.len;
    CHECK(!unpack_bytes(&back, packed.bytes + 2, packed.len - 2, len + 1) && back.len - was <= len + 1);
    CHECK(len == 0 || !unpack_bytes(&back, packed.bytes + 2, packed.len - 2, len - 1));
    size_t taken = packed.len - 2;
    buf_fini(&packed);
    buf_fini(&back);
    return taken;
}

enum pattern { SAME, WORDS, RANDOM, PATTERNS };

/* Of its own size, so that one byte too far is seen. */
static size_t packs(enum pattern pattern, size_t len)
{
    static const char words[] = "{\"event\":{\"room\":\"kitchen\",\"t\":21.5}}";
    char *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern == SAME    ? 'x'
                   : pattern == WORDS ? words[i % (sizeof words - 1 - i / 4000 % 7)]
                                      : (char)chance(256);
    char *own = realloc(bytes, len ? len : 1);
    size_t taken = packed_len(own, len);
    free(own);
    return taken;
}

static void packed_bytes_come_back(void)
{
    for (size_t len = 0; len < 300; len++)
        for (int p = 0; p < PATTERNS; p++)
            (void)packs((enum pattern)p, len);
    CHECK(packs(SAME, 1000000) < 4000 && packs(WORDS, 200000) < 20000);
    CHECK(packs(RANDOM, 200000) <= 200000 + 200000 / 255 + 16);
}

/* Whatever the bytes are, no more comes out than was asked for. */
static void damaged_bytes_are_refused_or_bounded(void)
{
    char bytes[600];
    struct buf packed, back;
    buf_init(&packed, SIZE_MAX);
    buf_init(&back, SIZE_MAX);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + chance(3));
    pack_bytes(&packed, bytes, sizeof bytes);
    for (int i = 0; i < 20000; i++) {
        size_t len = chance((uint32_t)packed.len + 1);
        char *harmed = malloc(len + 1); /* its own: reading past the end is seen */
        memcpy(harmed, packed.bytes, len);
        for (uint32_t k = chance(4); len && k; k--)
            harmed[chance((uint32_t)len)] = (char)chance(256);
        buf_clear(&back);
        bool good = unpack_bytes(&back, harmed, len, sizeof bytes);
        if (back.len > sizeof bytes || (good && back.len != sizeof bytes))
            CHECK(!"out of bounds");
        free(harmed);
    }
    static const unsigned char endless[] = {0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
                               before_all[] = {0x11, 'a', 2, 0, 0x50, 'a', 'a', 'a', 'a', 'a'};
    CHECK(!unpack_bytes(&back, endless, sizeof endless, 100));
    CHECK(!unpack_bytes(&back, before_all, sizeof before_all, 11));
    buf_fini(&packed);
    buf_fini(&back);
}

/* ---- an app on a disk ---- */

static const char app_text[] =
    "@app:name('Journal') @app:durable\n"
    "@source(type='mqtt', url='tcp://127.0.0.1:9', topic='in', @map(type='json'))\n"
    "define stream S (k string, v long);\n"
    "define table T (k string, v long);\n"
    "from S select k, v insert into T;\n";
static const char quiet_text[] =
    "@app:name('Journal') @app:durable\n"
    "@source(type='mqtt', url='tcp://127.0.0.1:9', topic='in', @map(type='json'))\n"
    "define stream S (k string, v long);\n"
    "from S[v < 0] select k, v insert into Out;\n";

static struct {
    char folder[32];
    struct store *store;
    struct config config;
    struct worker worker;
    struct hosted *app;
    const char *text;
    struct err e;
    int rc;
    int64_t count, sum; /* of the table's rows */
} bench;

static void job_start(struct worker *w, void *user)
{
    (void)user;
    bench.app = hosted_new(w, "journal", bench.text, strlen(bench.text), &bench.config);
    bench.rc = bench.app ? hosted_start(bench.app, NULL, &bench.config, &bench.e) : ERR_INVALID;
    if (bench.app && bench.rc < 0)
        hosted_free(bench.app, false);
}

static void job_stop(struct worker *w, void *user)
{
    (void)w;
    (void)user;
    hosted_free(bench.app, false);
}

static void job_ask(struct worker *w, void *user)
{
    static const char query[] = "from T select count() as n, sum(v) as t";
    struct result r;
    (void)w;
    (void)user;
    bench.count = bench.sum = -1;
    if (hosted_work_query(bench.app, query, sizeof query - 1, clock_wall_ms(), &r, &bench.e) < 0 ||
        r.count != 1)
        return;
    bench.count = row_get(r.rows[0], 0).as.l;
    bench.sum = row_get(r.rows[0], 1).as.l;
}

static bool begin_app(const char *text)
{
    struct store_options options = {.folder = bench.folder, .most_bytes = 1 << 28};
    bench.text = text;
    CHECK(store_open(&bench.store, &options, &bench.e) == 0);
    CHECK(worker_start(&bench.worker, 0, &bench.config, bench.store, &bench.e) == 0);
    worker_call(&bench.worker, job_start, NULL);
    return bench.rc == 0;
}

static void end_app(void)
{
    if (bench.rc == 0)
        worker_call(&bench.worker, job_stop, NULL);
    worker_stop(&bench.worker);
    store_close(bench.store);
}

static void deliver(const char *bytes, size_t len)
{
    struct port *port = bench.app->sources[0]->port;
    struct property topic[] = {{"topic", "in"}};
    while (port->host->deliver(port->user, bytes, len, topic, 1, 0) < 0)
        clock_pause_us(50);
}

static void settle(uint64_t wanted)
{
    while (atomic_load(&metrics.in) < wanted || atomic_load(&bench.worker.commit_pending))
        clock_pause_us(50);
}

/* Handed to files by this process. */
static long long written(void)
{
    char line[128];
    long long bytes = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "wchar:", 6) == 0)
            bytes = strtoll(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return bytes;
}

/* Bytes for a byte of message, a commit for each 256 of them. k: so many bytes of a message are of chance. */
static double amplification(int batches, int k)
{
    enum { BATCH = 256 };
    uint64_t before = atomic_load(&metrics.in), bytes = 0;
    long long was = written();
    for (int i = 0; i < batches; i++) {
        for (int n = 0; n < BATCH; n++) {
            char m[512], name[256] = "sensor of the kitchen";
            for (int c = 0; c < k; c++)
                name[c] = (char)(' ' + 3 + chance(56));
            int len = snprintf(m, sizeof m, "{\"event\":{\"k\":\"%s\",\"v\":%d}}", name, i * BATCH + n);
            deliver(m, (size_t)len);
            bytes += (uint64_t)len;
        }
        settle(before + (uint64_t)(i + 1) * BATCH);
    }
    return (double)(written() - was) / (double)bytes;
}

/* Messages that are much alike, and such that nothing can be left out of. */
static void a_byte_of_message_costs_little(void)
{
    CHECK(begin_app(quiet_text));
    amplification(2, 4);
    double alike = amplification(200, 0), of_chance = amplification(200, 100);
    if (!CHECK(alike < 2.2 && of_chance < 1.8))
        printf("    %.2f, %.2f\n", alike, of_chance);
    end_app();
}

static void tell(int64_t from, int64_t to)
{
    uint64_t before = atomic_load(&metrics.in);
    for (int64_t v = from; v < to; v++) {
        char m[128];
        int len =
            snprintf(m, sizeof m, "{\"event\":{\"k\":\"key%d\",\"v\":%lld}}", (int)(v % 5), (long long)v);
        deliver(m, (size_t)len);
        if (v % 100 == 0)
            settle(before + (uint64_t)(v - from) + 1);
    }
    settle(before + (uint64_t)(to - from));
}

/* ---- the first format ---- */

static uint32_t mark_format(struct buf *mark, struct key *key)
{
    struct store_item i;
    uint32_t format = 0;
    CHECK(store_look(bench.store, &bench.e) == 0);
    CHECK(store_next(bench.store, STORE_META, "c", 1, 1, false, &i) == 0);
    key->len = 0;
    memcpy(key->bytes, i.key, i.key_len);
    key->len = i.key_len;
    buf_clear(mark);
    buf_add(mark, i.bytes, i.len);
    store_look_end(bench.store);
    memcpy(&format, mark->bytes, sizeof format);
    return format;
}

static void set_mark_format(uint32_t format)
{
    struct store_batch b;
    struct buf mark;
    struct key k;
    buf_init(&mark, SIZE_MAX);
    batch_open(&b);
    (void)mark_format(&mark, &k);
    memcpy(mark.bytes, &format, sizeof format);
    batch_put(&b, STORE_META, k.bytes, k.len, mark.bytes, mark.len);
    CHECK(store_apply(bench.store, &b, &bench.e) == 0);
    batch_close(&b);
    buf_fini(&mark);
}

/* The record behind key as the first format had it: the sum, then notes as they are. */
static void old_record(const struct store_item *i, struct buf *out)
{
    struct reader r = {.at = (const uint8_t *)i->bytes + 8, .end = (const uint8_t *)i->bytes + i->len};
    size_t packed_from = read_varint(&r), len = (size_t)(r.end - r.at);
    buf_add(out, i->bytes, 8);
    if (packed_from)
        CHECK(unpack_bytes(out, r.at, len, packed_from));
    else
        buf_add(out, r.at, len);
}

static int make_records_old(void)
{
    struct store_batch b;
    struct store_item i;
    struct key k = {.len = 0};
    struct buf record;
    int count = 0;
    batch_open(&b);
    buf_init(&record, SIZE_MAX);
    CHECK(store_look(bench.store, &bench.e) == 0);
    while (store_next(bench.store, STORE_JOURNAL, k.bytes, k.len, 0, count > 0, &i) == 0) {
        memcpy(k.bytes, i.key, i.key_len);
        k.len = i.key_len;
        buf_clear(&record);
        old_record(&i, &record);
        batch_put(&b, STORE_JOURNAL, k.bytes, k.len, record.bytes, record.len);
        count++;
    }
    store_look_end(bench.store);
    CHECK(store_apply(bench.store, &b, &bench.e) == 0);
    batch_close(&b);
    buf_fini(&record);
    return count;
}

static bool has(int64_t count)
{
    worker_call(&bench.worker, job_ask, NULL);
    return bench.count == count && bench.sum == count * (count - 1) / 2;
}

static void fresh_folder(void)
{
    char path[64];
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", bench.folder, names[i]);
        (void)unlink(path);
    }
}

static void open_store(void)
{
    struct store_options options = {.folder = bench.folder, .most_bytes = 1 << 28};
    CHECK(store_open(&bench.store, &options, &bench.e) == 0);
}

/* Worked off, and taken over into a checkpoint before anything new stands behind them. */
static void the_first_format_is_read(void)
{
    char other[] = "/tmp/weir-test-XXXXXX";
    struct buf mark;
    struct key k;
    buf_init(&mark, SIZE_MAX);
    CHECK(mkdtemp(other) != NULL);
    CHECK(begin_app(app_text));
    tell(0, 1000);
    CHECK(has(1000));
    CHECK(store_compact(bench.store, other, &bench.e) == 0); /* a stop would leave a checkpoint alone */
    end_app();
    fresh_folder();
    CHECK(rmdir(bench.folder) == 0);
    memcpy(bench.folder, other, sizeof other);
    open_store();
    CHECK(make_records_old() > 3);
    set_mark_format(1);
    store_close(bench.store);
    CHECK(begin_app(app_text) && has(1000));
    tell(1000, 1500);
    CHECK(mark_format(&mark, &k) == 2);
    end_app();
    CHECK(begin_app(app_text) && has(1500));
    end_app();
    open_store();
    set_mark_format(3);
    store_close(bench.store);
    CHECK(!begin_app(app_text));
    end_app();
    buf_fini(&mark);
}

int main(void)
{
    log_set(LOG_ERROR, false);
    port_use_clock(clock_steady_ms);
    snprintf(bench.folder, sizeof bench.folder, "/tmp/weir-test-XXXXXX");
    config_init(&bench.config);
    bench.config.durable = true;
    packed_bytes_come_back();
    damaged_bytes_are_refused_or_bounded();
    if (CHECK(mkdtemp(bench.folder) != NULL)) {
        a_byte_of_message_costs_little();
        fresh_folder();
        the_first_format_is_read();
        fresh_folder();
        CHECK(rmdir(bench.folder) == 0);
    }
    config_fini(&bench.config);
    return check_end();
}
