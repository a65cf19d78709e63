/* test_state.c - what a checkpoint writes, counted: segments and chunks against what they must hold, then
 * whole apps of each kind of state. In this build the limits are so small that few entries are many. */
#include "engine/base/limits.h"
#include "engine/data/chunks.h"
#include "engine/data/object.h"
#include "engine/data/segments.h"
#include "engine/engine.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"

static uint32_t seed = 7;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* ---- segments ---- */

enum { PLACES_MOST = 3000 };

struct numbers {
    uint64_t values[PLACES_MOST];
    uint32_t count;
    struct segments *saved;
};

static void number_write(void *user, struct writer *w, uint32_t place)
{
    write_i64(w, (int64_t)((struct numbers *)user)->values[place]);
}

static bool number_begin(void *user, uint32_t count)
{
    ((struct numbers *)user)->count = count;
    return count <= PLACES_MOST;
}

static bool number_read(void *user, struct reader *r, uint32_t place)
{
    ((struct numbers *)user)->values[place] = (uint64_t)read_i64(r);
    return !r->failed;
}

static const struct segments_owner *owner_of(struct numbers *n)
{
    static struct segments_owner owner;
    owner =
        (struct segments_owner){.user = n, .write = number_write, .read = number_read, .begin = number_begin};
    return &owner;
}

static uint64_t numbers_save(struct numbers *n, struct state *s, struct home *h)
{
    struct writer w = {.state = s};
    buf_init(&w.out, SIZE_MAX);
    state_begin(s, &h->door);
    segments_save(&n->saved, &w, n->count, owner_of(n));
    state_part(s, "numbers", &w.out);
    state_finish(s);
    buf_fini(&w.out);
    return state_written(s);
}

static bool numbers_load(struct numbers *n, struct state *s, struct home *h)
{
    struct reader r;
    struct err e;
    memset(n, 0, sizeof *n);
    state_open(s, &h->door);
    bool good = state_read(s, "numbers", &r, &e) == 0 && segments_load(&n->saved, &r, owner_of(n)) == 0 &&
                r.at == r.end;
    state_shut(s);
    return good;
}

static void change(struct numbers *n, uint32_t place)
{
    n->values[place] = draw(1 << 20);
    segments_touch(n->saved, place);
}

/* The last one comes to stand in its place. */
static void end_one(struct numbers *n, uint32_t place)
{
    n->values[place] = n->values[--n->count];
    segments_touch(n->saved, place);
}

static void test_segments(void)
{
    static struct numbers n, loaded;
    struct home h;
    struct state *s = state_new();
    home_init(&h);
    memset(&n, 0, sizeof n);
    for (n.count = 0; n.count < 2000; n.count++)
        change(&n, n.count);
    uint64_t first = numbers_save(&n, s, &h), most = 0;
    bool right = true, small = true;
    CHECK(first > 2000 * 9);
    for (int round = 0; round < 300; round++) {
        uint32_t changes = draw(20);
        for (uint32_t i = 0; i < changes; i++)
            change(&n, draw(n.count));
        for (uint32_t i = round % 3 == 1 ? draw(30) : 0; i > 0; i--, changes++) /* one ends */
            end_one(&n, draw(n.count));
        for (uint32_t i = round % 3 == 2 ? draw(30) : 0; i > 0; i--, changes++)
            change(&n, n.count++);
        uint64_t written = numbers_save(&n, s, &h);
        most = written > most ? written : most;
        small = small && written < 2000 + changes * 60;
        if (round % 10)
            continue;
        struct state *again = state_new();
        right = right && numbers_load(&loaded, again, &h) && loaded.count == n.count &&
                memcmp(loaded.values, n.values, n.count * sizeof *n.values) == 0;
        if (round % 20) { /* go on from what was loaded */
            segments_end(&n.saved);
            state_free(s);
            s = again;
            n = loaded;
        } else {
            segments_end(&loaded.saved);
            state_free(again);
        }
    }
    CHECK(right);
    CHECK(small);
    CHECK(most <= first * 3);
    CHECK(home_bytes(&h) < first * 4);
    n.count = 1; /* few: they stand in the part, and the segments go */
    numbers_save(&n, s, &h);
    CHECK(home_bytes(&h) < 200 && n.saved == NULL);
    state_free(s);
    home_fini(&h);
}

/* Damage is seen: a piece less, and one of other bytes. */
static void test_segments_damaged(void)
{
    static struct numbers n, loaded;
    struct home h;
    struct state *s = state_new();
    home_init(&h);
    memset(&n, 0, sizeof n);
    for (n.count = 0; n.count < 100; n.count++)
        change(&n, n.count);
    numbers_save(&n, s, &h);
    uint32_t seen = 0, pieces = 0;
    for (size_t i = 0; i < h.count; i++) {
        if (h.items[i].key[0] != 'Q')
            continue;
        pieces++;
        h.items[i].bytes[9] ^= 1;
        struct state *again = state_new();
        seen += !numbers_load(&loaded, again, &h);
        segments_end(&loaded.saved);
        state_free(again);
        h.items[i].bytes[9] ^= 1;
    }
    CHECK(pieces > 5 && seen == pieces);
    segments_end(&n.saved);
    state_free(s);
    home_fini(&h);
}

/* ---- chunks ---- */

static uint64_t save_text(struct state *s, struct home *h, const struct buf *text)
{
    state_begin(s, &h->door);
    state_part(s, "text", text);
    state_finish(s);
    return state_written(s);
}

static bool is_saved(struct home *h, const struct buf *text)
{
    struct state *s = state_new();
    struct reader r;
    struct err e;
    state_open(s, &h->door);
    bool same = state_read(s, "text", &r, &e) == 0 && (size_t)(r.end - r.at) == text->len &&
                memcmp(r.at, text->bytes, text->len) == 0;
    state_shut(s);
    state_free(s);
    return same;
}

static void add_text(struct buf *text, uint32_t len)
{
    while (len-- > 0)
        buf_add_char(text, (char)draw(256));
}

static void test_chunks(void)
{
    struct home h;
    struct state *s = state_new();
    struct buf text;
    bool right = true, small = true;
    home_init(&h);
    buf_init(&text, SIZE_MAX);
    add_text(&text, 60000);
    uint64_t first = save_text(s, &h, &text);
    CHECK(first > 60000 && first < 90000);
    for (int round = 0; round < 100; round++) {
        uint32_t gone = draw(200), at = round % 2 ? 0 : draw(50000);
        memmove(text.bytes + at, text.bytes + at + gone, text.len - at - gone);
        text.len -= gone;
        add_text(&text, draw(200));
        uint64_t written = save_text(s, &h, &text);
        small = small && written < 6000;
        right = right && is_saved(&h, &text);
    }
    CHECK(small);
    CHECK(right);
    CHECK(save_text(s, &h, &text) < 100);
    memset(text.bytes, 'x', 30000); /* the same chunk again and again */
    save_text(s, &h, &text);
    CHECK(is_saved(&h, &text));
    memset(text.bytes + 5000, 'y', 700);
    save_text(s, &h, &text);
    CHECK(is_saved(&h, &text));
    text.len = 100; /* small: its chunks go */
    save_text(s, &h, &text);
    CHECK(is_saved(&h, &text) && h.count == 2);
    buf_fini(&text);
    state_free(s);
    home_fini(&h);
}

/* ---- a value that nests too deep ---- */

/* What is around it is not lost. */
static void test_deep(void)
{
    struct value v = value_object(list_new());
    struct writer w = {0};
    for (int i = 0; i < LIMIT_PARSE_DEPTH + 50; i++) {
        struct object *around = list_new();
        list_add(around, value_long(i));
        list_add(around, v);
        value_drop(v);
        v = value_object(around);
    }
    buf_init(&w.out, SIZE_MAX);
    write_value(&w, v);
    write_i64(&w, 42);
    CHECK(!w.out.overflow);
    struct reader r = {.at = (const uint8_t *)w.out.bytes, .end = (const uint8_t *)w.out.bytes + w.out.len};
    struct value read = read_value(&r);
    CHECK(!r.failed && read_i64(&r) == 42 && r.at == r.end);
    CHECK(read.type == TYPE_OBJECT && list_get(read.as.o, 0).as.l == LIMIT_PARSE_DEPTH + 49);
    value_drop(read);
    value_drop(v);
    buf_fini(&w.out);
}

/* ---- whole apps ---- */

static const char head[] =
    "define stream S (g string, at long, v double); define stream Z (g string, at long, v double);";
/* each: how many bytes a changed key may cost */
static const struct kind {
    const char *name, *text;
    uint32_t bytes;
} kinds[] = {
    {"groups", "from S select g, sum(v) as s, count() as n group by g insert into Out;", 100},
    {"groups of extremes", "from S select g, max(v) as s, min(at) as n group by g insert into Out;", 120},
    {"unique:ever", "from S#window.unique:ever(g) select sum(v) as s insert into Out;", 120},
    {"unique:first", "from S#window.unique:first(g) select sum(v) as s insert into Out;", 120},
    {"unique:time", "from S#window.unique:time(g, 1 hour) select sum(v) as s insert into Out;", 300},
    {"frequent", "from S#window.frequent(5000, g) select g, v insert into Out;", 150},
    {"session", "from S#window.session(1 hour, g) select g, v insert expired events into Out;", 300},
    {"partition", "partition with (g of S) begin from S select g, sum(v) as s insert into Out; end;", 120},
    {"partition of windows",
     "partition with (g of S) begin from S#window.length(3) select g, sum(v) as s insert into Out; end;",
     150},
    {"aggregation",
     "define aggregation A from S select g, sum(v) as s group by g aggregate every hour...day;", 200},
    {"length", "from S#window.length(5000) select g, v insert all events into Out;", 120},
    {"pattern", "from every a=S -> b=Z[b.g == a.g] select a.at as x, b.at as y insert into Out;", 120},
    {"pattern of two",
     "from every a=S -> b=Z[b.g == a.g] and c=Z[c.v > 90.0 and c.g == a.g] select a.at as x, b.at as y "
     "insert into "
     "Out;",
     120},
    {"pattern of absence", "from every a=S -> not Z[Z.g == a.g] for 1 hour select a.at as x insert into Out;",
     120},
    {"pattern of many", "from every a=S<1:3> -> b=Z[b.g == a[0].g] select b.at as y insert into Out;", 900},
    {"sort", "from S#window.sort(5000, at) select g insert expired events into Out;", 900},
    {"rate limit", "from S select g, v group by g output last every 1 hour insert into Out;", 1500},
    {"snapshot", "from S select g, sum(v) as s group by g output snapshot every 1 hour insert into Out;",
     1500},
    {"kalman", "from S select g, kf:kalmanFilter(v) as x group by g insert into Out;", 120},
    {"topK", "from S#window.length(5000)#extrema:topK(g, 2) select Top1Element as g insert into Out;", 300},
    {"maxByLength", "from S#window.extrema:maxByLength(v, 5000) select g insert into Out;", 900},
    {"maxbytime", "from S#window.extrema:maxbytime(v, 1 hour) select g insert all events into Out;", 900},
    {"distinctCount", "from S select distinctCount(g) as n insert into Out;", 900},
};

static struct app *app_of(const char *kind, bool resume)
{
    struct buf text;
    struct compile c;
    struct app_host host = {0};
    struct err e = {0};
    buf_init(&text, SIZE_MAX);
    buf_add_str(&text, head);
    buf_add_str(&text, kind);
    engine_compile(&c, text.bytes, text.len, NULL);
    buf_fini(&text);
    struct app *app = c.plan ? app_new(c.plan, &host) : NULL;
    c.plan = app ? NULL : c.plan;
    compile_fini(&c);
    if (!app || app_start(app, 1000000000000, resume, &e) < 0) {
        CHECK(!"the app is refused");
        return NULL;
    }
    return app;
}

static void send(struct app *app, uint32_t key, uint32_t number)
{
    char g[16];
    struct row *row = row_new(3, 1000000000000 + number / 8);
    row_set_take(row, 0, value_text(text_new(g, (size_t)snprintf(g, sizeof g, "key%u", key))));
    row_set(row, 1, value_long(number));
    row_set(row, 2, value_double(number % 50 * 0.1));
    app_advance(app, row->at_ms);
    app_send(app, 0, &(struct event){.row = row, .at_ms = row->at_ms, .kind = EVENT_CURRENT}, 1, false);
    row_unref(row);
}

static void test_kind(const struct kind *k)
{
    enum { KEYS = 1000, CHANGES = 10 };
    struct home h;
    struct app *app = app_of(k->text, false);
    struct err e = {0};
    uint32_t number = 0;
    if (!app)
        return;
    home_init(&h);
    for (; number < 2 * KEYS; number++)
        send(app, number % KEYS, number);
    uint64_t first = app_checkpoint(app, &h.door), most = 0;
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < CHANGES; i++)
            send(app, draw(KEYS), number++);
        uint64_t written = app_checkpoint(app, &h.door);
        most = written > most ? written : most;
    }
    uint64_t idle = app_checkpoint(app, &h.door);
    bool fits = most < 2500 + CHANGES * (uint64_t)k->bytes && idle < 1000;
    /* Another one goes on from it, and knows what is written. */
    struct app *again = app_of(k->text, true);
    bool good = app_restore(again, &h.door, NULL, &e) == 0;
    uint64_t after = good ? app_checkpoint(again, &h.door) : 0;
    send(again, 5, number);
    uint64_t one = good ? app_checkpoint(again, &h.door) : 0;
    fits = fits && after < 2000 && one < 2500 + k->bytes;
    if (!CHECK(good) || !CHECK(fits))
        printf("    %s: first %llu, %d changed %llu, none %llu, loaded %llu, one %llu %s\n", k->name,
               (unsigned long long)first, CHANGES, (unsigned long long)most, (unsigned long long)idle,
               (unsigned long long)after, (unsigned long long)one, e.text);
    app_free(app);
    app_free(again);
    home_fini(&h);
}

int main(void)
{
    test_segments();
    test_segments_damaged();
    test_chunks();
    test_deep();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        test_kind(&kinds[i]);
    return check_end();
}
