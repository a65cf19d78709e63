/* test_ahead.c - what is written ahead of a checkpoint (engine/data/segments.h law 6): against a model, with
 * crashes, which must leave the checkpoint before as it was. In this build the limits are so small that few
 * entries are many. */
#include "engine/base/hash.h"
#include "engine/data/segments.h"
#include "engine/engine.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"
#include <stdlib.h>

static uint32_t seed = 11;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* ---- where it waits for the checkpoint, as the agent has it wait ---- */

struct waiting {
    struct state_home door;
    struct buf ops; /* of each: 'p' or 'd', two lengths, both texts */
    uint64_t put;   /* bytes */
};

static void keep(struct waiting *s, char kind, const void *a, size_t a_len, const void *b, size_t b_len)
{
    buf_add_char(&s->ops, kind);
    buf_add(&s->ops, &a_len, sizeof a_len);
    buf_add(&s->ops, &b_len, sizeof b_len);
    buf_add(&s->ops, a, a_len);
    buf_add(&s->ops, b, b_len);
}

static void waiting_put(void *user, const void *key, size_t key_len, const void *bytes, size_t len)
{
    keep(user, 'p', key, key_len, bytes, len);
    ((struct waiting *)user)->put += key_len + len;
}

static void waiting_drop(void *user, const void *from, size_t from_len, const void *to, size_t to_len)
{
    keep(user, 'd', from, from_len, to, to_len);
}

static void waiting_init(struct waiting *s)
{
    *s = (struct waiting){.door = {.put = waiting_put, .drop = waiting_drop}};
    s->door.user = s;
    buf_init(&s->ops, SIZE_MAX);
}

/* In front of the checkpoint. */
static void waiting_go(struct waiting *s, struct home *h)
{
    size_t lens[2];
    for (size_t at = 0; at < s->ops.len; at += 1 + sizeof lens + lens[0] + lens[1]) {
        const char *p = s->ops.bytes + at, *a = p + 1 + sizeof lens;
        memcpy(lens, p + 1, sizeof lens);
        (*p == 'p' ? home_put : home_drop)(h, a, lens[0], a + lens[0], lens[1]);
    }
    buf_clear(&s->ops);
    s->put = 0;
}

/* ---- segments against a model ---- */

enum { PLACES_MOST = 3000 };

struct model {
    uint64_t values[PLACES_MOST];
    uint32_t count;
};
struct numbers {
    struct model now, then; /* then: at the last checkpoint */
    struct segments *saved;
    struct state *state;
    struct home home;
    struct waiting waiting;
};

static void number_write(void *user, struct writer *w, uint32_t place)
{
    write_i64(w, (int64_t)((struct model *)user)->values[place]);
}

static bool number_begin(void *user, uint32_t count)
{
    ((struct model *)user)->count = count;
    return count <= PLACES_MOST;
}

static bool number_read(void *user, struct reader *r, uint32_t place)
{
    ((struct model *)user)->values[place] = (uint64_t)read_i64(r);
    return !r->failed;
}

static struct segments_owner owner_of(struct model *m)
{
    return (struct segments_owner){
        .user = m, .write = number_write, .read = number_read, .begin = number_begin};
}

static void numbers_ahead(struct numbers *n, uint32_t from, uint32_t to)
{
    struct share share = {from, to};
    struct writer w = {.state = n->state, .ahead = &share};
    struct segments_owner owner = owner_of(&n->now);
    buf_init(&w.out, SIZE_MAX);
    state_begin_ahead(n->state, &n->waiting.door);
    segments_save(&n->saved, &w, n->now.count, &owner);
    state_end_ahead(n->state);
    buf_fini(&w.out);
}

/* Bytes of the checkpoint itself in *itself. */
static uint64_t numbers_save(struct numbers *n, uint64_t *itself)
{
    struct writer w = {.state = n->state};
    struct segments_owner owner = owner_of(&n->now);
    uint64_t ahead = n->waiting.put;
    buf_init(&w.out, SIZE_MAX);
    waiting_go(&n->waiting, &n->home);
    state_begin(n->state, &n->home.door);
    segments_save(&n->saved, &w, n->now.count, &owner);
    state_part(n->state, "numbers", &w.out);
    state_finish(n->state);
    buf_fini(&w.out);
    n->then = n->now;
    uint64_t written = state_written(n->state);
    *itself = written - ahead;
    return written;
}

static bool is_same(const struct model *a, const struct model *b)
{
    return a->count == b->count && memcmp(a->values, b->values, a->count * sizeof *a->values) == 0;
}

/* What is on disk, by another process. */
static bool numbers_load(struct home *h, struct model *m, struct segments **saved, struct state *s)
{
    struct reader r;
    struct err e;
    struct segments_owner owner = owner_of(m);
    *m = (struct model){0};
    *saved = NULL;
    state_open(s, &h->door);
    bool good =
        state_read(s, "numbers", &r, &e) == 0 && segments_load(saved, &r, &owner) == 0 && r.at == r.end;
    state_shut(s);
    return good;
}

static bool is_on_disk(struct numbers *n)
{
    static struct model m;
    struct segments *saved;
    struct state *s = state_new();
    bool good = numbers_load(&n->home, &m, &saved, s) && is_same(&m, &n->then);
    segments_end(&saved);
    state_free(s);
    return good;
}

/* What waited is gone; another process goes on. */
static bool crash(struct numbers *n)
{
    segments_end(&n->saved);
    state_free(n->state);
    buf_clear(&n->waiting.ops);
    n->waiting.put = 0;
    n->state = state_new();
    return numbers_load(&n->home, &n->now, &n->saved, n->state) && is_same(&n->now, &n->then);
}

static void change(struct numbers *n, uint32_t place)
{
    n->now.values[place] = draw(1 << 20);
    segments_touch(n->saved, place);
}

static void come(struct numbers *n)
{
    if (n->now.count < PLACES_MOST)
        change(n, n->now.count++);
}

/* The last one comes to stand in its place. */
static void leave(struct numbers *n)
{
    if (n->now.count < 2)
        return;
    uint32_t place = draw(n->now.count);
    n->now.values[place] = n->now.values[--n->now.count];
    if (place < n->now.count)
        segments_touch(n->saved, place);
}

static void live(struct numbers *n, int round)
{
    for (uint32_t i = draw(40); i > 0; i--) {
        if (draw(4) > 0 || n->now.count == 0)
            n->now.count ? change(n, draw(n->now.count)) : come(n);
        else
            (round / 50 % 2 ? leave : come)(n);
    }
    if (draw(200) == 0) /* nearly all leave */
        while (n->now.count > 3)
            leave(n);
    for (uint32_t i = draw(150) == 0 ? draw(1500) : 0; i > 0; i--)
        come(n);
}

static void numbers_open(struct numbers *n, uint32_t count)
{
    memset(n, 0, sizeof *n);
    home_init(&n->home);
    waiting_init(&n->waiting);
    n->state = state_new();
    while (n->now.count < count)
        come(n);
}

static void numbers_close(struct numbers *n)
{
    segments_end(&n->saved);
    state_free(n->state);
    buf_fini(&n->waiting.ops);
    home_fini(&n->home);
}

static void test_model(void)
{
    static struct numbers n;
    enum { STEPS = 12 };
    uint32_t step = 0;
    uint64_t itself;
    bool right = true;
    numbers_open(&n, 500);
    numbers_save(&n, &itself);
    for (int round = 0; round < 4000 && right; round++) {
        live(&n, round);
        uint32_t what = draw(20);
        if (what < 12 && step < STEPS) { /* the walk goes on */
            numbers_ahead(&n, SHARES / STEPS * step,
                          step + 1 == STEPS ? SHARES : SHARES / STEPS * (step + 1));
            step++;
        } else if (what == 12) { /* any share, any time */
            uint32_t from = draw(SHARES);
            numbers_ahead(&n, from, from + draw(SHARES + 1 - from));
        } else if (what == 13) { /* again from the start */
            step = 0;
        } else if (what < 16) {
            numbers_save(&n, &itself);
            step = 0;
        } else if (what == 16) {
            right = crash(&n);
            step = 0;
        }
        right = right && is_on_disk(&n);
    }
    CHECK(right);
    numbers_save(&n, &itself);
    CHECK(is_on_disk(&n));
    CHECK(home_bytes(&n.home) < 4 * 20 * (size_t)(n.now.count + 10));
    numbers_close(&n);
}

/* All places change, then the walk; what changes meanwhile is all that is left to the checkpoint. */
static void test_little_left(void)
{
    static struct numbers n;
    enum { COUNT = 2000, STEPS = 20 };
    uint64_t first, itself, written;
    numbers_open(&n, COUNT);
    first = numbers_save(&n, &itself);
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < COUNT; i++)
            change(&n, i);
        for (uint32_t i = 0; i < STEPS; i++) {
            numbers_ahead(&n, SHARES / STEPS * i, i + 1 == STEPS ? SHARES : SHARES / STEPS * (i + 1));
            change(&n, draw(COUNT));
        }
        CHECK(n.waiting.ops.len > first / 2);
        written = numbers_save(&n, &itself);
        CHECK(itself < first / 15);
        CHECK(written < first + first / 10);
        CHECK(is_on_disk(&n));
    }
    CHECK(home_bytes(&n.home) < first + first / 10);
    numbers_ahead(&n, 0, SHARES); /* nothing changed */
    CHECK(n.waiting.ops.len == 0 && numbers_save(&n, &itself) < 100);
    numbers_close(&n);
}

/* A third changes each time: segments are cleaned ahead too. */
static void test_cleaning(void)
{
    static struct numbers n;
    enum { COUNT = 3000, STEPS = 16 };
    uint64_t first, itself, most = 0, all = 0;
    numbers_open(&n, COUNT);
    first = numbers_save(&n, &itself);
    for (int round = 0; round < 60; round++) {
        for (uint32_t i = 0; i < COUNT / 3; i++)
            change(&n, draw(COUNT));
        for (uint32_t i = 0; i < STEPS; i++)
            numbers_ahead(&n, SHARES / STEPS * i, SHARES / STEPS * (i + 1));
        all += numbers_save(&n, &itself);
        most = itself > most ? itself : most;
        CHECK(home_bytes(&n.home) < first * 3);
    }
    CHECK(is_on_disk(&n));
    CHECK(most < 500);
    CHECK(all < 60 * first);
    numbers_close(&n);
}

/* What was written ahead and is gone leaves nothing behind. */
static void test_gone(void)
{
    static struct numbers n;
    uint64_t itself, first;
    numbers_open(&n, 100);
    first = numbers_save(&n, &itself);
    while (n.now.count < 2000)
        come(&n);
    numbers_ahead(&n, 0, SHARES);
    while (n.now.count > 100)
        leave(&n);
    numbers_save(&n, &itself);
    CHECK(is_on_disk(&n) && home_bytes(&n.home) < 3 * first);
    while (n.now.count < 2000)
        come(&n);
    numbers_ahead(&n, 0, SHARES);
    while (n.now.count > 2) /* few: they stand in the part, and the segments go */
        leave(&n);
    numbers_save(&n, &itself);
    CHECK(is_on_disk(&n) && home_bytes(&n.home) < 200 && !n.saved);
    numbers_close(&n);
}

/* ---- whole apps: one crashes now and then, the other never does ---- */

static const char head[] = "define stream S (g string, at long, v double);";
static const char *const texts[] = {
    "from S select g, sum(v) as s, count() as n group by g insert into Out;",
    "from S select g, max(v) as s, min(at) as n group by g insert into Out;",
    "from S#window.unique:ever(g) select sum(v) as s insert into Out;",
    "from S#window.unique:time(g, 100 sec) select sum(v) as s insert all events into Out;",
    "from S#window.frequent(30, g) select g, v insert all events into Out;",
    "from S#window.session(20 sec, g) select g, at, v insert all events into Out;",
    "from S#window.length(150)#extrema:topK(g, 3) select Top1Element as g, Top2Element as h insert into Out;",
    "partition with (g of S) begin from S select g, sum(v) as s insert into Out; end;",
    "partition with (g of S) begin from S#window.length(40) select g, sum(v) as s, max(at) as n insert all "
    "events into Out; end;",
    "partition with (g of S) begin from S#window.time(300 sec) select g, at, v insert all events into Out; "
    "end;",
    "partition with (g of S) begin from S#window.session(50 sec) select g, at insert all events into Out; "
    "end;",
    "partition with (g of S) begin from S#window.unique:ever(at) select g, count() as n insert into Out; "
    "end;",
    "@purge(enable='true', interval='1 sec', idle.period='25 sec') partition with (g of S) begin from "
    "S#window.length(30) select g, count() as n insert all events into Out; end;",
    "from every a=S -> b=S[b.g == a.g] select a.at as x, b.at as y, b.g as g insert into Out;",
    "from every a=S -> b=S[b.g == a.g and b.v > 20.0] within 60 sec select a.at as x, b.at as y insert into "
    "Out;",
    "from every a=S -> not S[g == a.g] for 15 sec select a.at as x, a.g as g insert into Out;",
    "partition with (g of S) begin from every a=S -> b=S[b.v > a.v] -> c=S[c.v < b.v] select a.at as x, c.at "
    "as "
    "y insert into Out; end;",
    "define aggregation A from S select g, sum(v) as s group by g aggregate every sec...hour;"
    "from S join A on S.g == A.g within '2001-**-** **:**:**' per 'minutes' select S.g as g, A.s as s insert "
    "into Out;",
    "define window W (g string, at long, v double) unique:ever(g) output all events; from S insert into W; "
    "from W select g, sum(v) as s insert into Out;",
};
enum { BEGIN_MS = 1000000000 };

struct run {
    struct app *app;
    uint64_t seen; /* of all that reached a stream */
};

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    struct run *r = user;
    struct buf words;
    buf_init(&words, SIZE_MAX);
    for (uint32_t i = 0; i < b->count; i++) {
        buf_printf(&words, "%u %lld %d", stream, (long long)b->events[i].at_ms, (int)b->events[i].kind);
        for (uint32_t k = 0; b->events[i].row && k < b->events[i].row->count; k++) {
            buf_add_char(&words, ' ');
            value_print(row_get(b->events[i].row, k), &words);
        }
        buf_add_char(&words, '\n');
    }
    r->seen = hash_bytes(words.bytes ? words.bytes : "", words.len, r->seen);
    buf_fini(&words);
}

static struct app *app_of(const char *text, struct run *r, int64_t now_ms, bool resume)
{
    struct buf all;
    struct compile c;
    struct app_host host = {.user = r, .stream = on_stream, .seed = 1};
    struct err e = {0};
    buf_init(&all, SIZE_MAX);
    buf_add_str(&all, head);
    buf_add_str(&all, text);
    engine_compile(&c, all.bytes, all.len, NULL);
    buf_fini(&all);
    struct app *app = c.plan ? app_new(c.plan, &host) : NULL;
    c.plan = app ? NULL : c.plan;
    compile_fini(&c);
    if (!app || app_start(app, now_ms, resume, &e) < 0) {
        CHECK(!"the app is refused");
        printf("    %s\n", text);
        exit(1);
    }
    return app;
}

struct moment {
    int64_t at_ms;
    uint32_t key;
};

static void send(struct run *r, const struct moment *m, uint32_t number)
{
    char g[16];
    struct row *row = row_new(3, m->at_ms);
    row_set_take(row, 0, value_text(text_new(g, (size_t)snprintf(g, sizeof g, "key%u", m->key))));
    row_set(row, 1, value_long(number));
    row_set(row, 2, value_double(number % 50 * 0.5));
    app_advance(r->app, row->at_ms);
    app_send(r->app, 0, &(struct event){.row = row, .at_ms = row->at_ms, .kind = EVENT_CURRENT}, 1, false);
    row_unref(row);
}

/* What is sent between a checkpoint and a crash is sent again, as a journal does. */
static bool test_text(const char *text)
{
    enum { EVENTS = 3000, KEYS = 60, STEPS = 7 };
    static struct moment moments[EVENTS];
    struct run whole = {0}, other = {0};
    struct home home;
    struct waiting waiting;
    struct err e = {0};
    uint32_t saved = 0, step = 0, crashes = 0;
    uint64_t seen = 0;
    bool good = true;
    home_init(&home);
    waiting_init(&waiting);
    whole.app = app_of(text, &whole, BEGIN_MS, false);
    other.app = app_of(text, &other, BEGIN_MS, false);
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t keys = i / 500 % 2 ? KEYS : KEYS / 3;
        moments[i] = (struct moment){(i ? moments[i - 1].at_ms : BEGIN_MS) + draw(2000), draw(keys)};
        send(&whole, &moments[i], i);
    }
    app_checkpoint(other.app, &home.door);
    for (uint32_t i = 0; i < EVENTS && good;) {
        send(&other, &moments[i], i);
        i++;
        uint32_t what = draw(40);
        if (what < 12) {
            uint32_t to = step % STEPS + 1;
            app_checkpoint_ahead(other.app, &waiting.door, SHARES / STEPS * (to - 1),
                                 to == STEPS ? SHARES : SHARES / STEPS * to);
            step = to;
        } else if (what == 12) {
            waiting_go(&waiting, &home);
            app_checkpoint(other.app, &home.door);
            saved = i;
            seen = other.seen;
            step = 0;
        } else if (what == 13 && crashes < 150) {
            crashes++;
            app_free(other.app);
            buf_clear(&waiting.ops);
            i = saved;
            other.seen = seen;
            other.app = app_of(text, &other, i ? moments[i - 1].at_ms : BEGIN_MS, true);
            good = app_restore(other.app, &home.door, NULL, &e) == 0;
            step = 0;
        }
    }
    good = good && other.seen == whole.seen;
    if (!good)
        printf("    %s: %s\n", text, e.text);
    app_free(whole.app);
    app_free(other.app);
    buf_fini(&waiting.ops);
    home_fini(&home);
    return good;
}

int main(void)
{
    test_model();
    test_little_left();
    test_cleaning();
    test_gone();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(test_text(texts[i]));
    return check_end();
}
