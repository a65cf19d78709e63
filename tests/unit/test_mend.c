/* test_mend.c - a state with every kind of part (tests/crash/kinds.siddhi) of which records are missing, one
 * or many, at random: what is left is taken over, the app goes on, is saved and loads again. The whole state
 * goes on as the app that never stopped. */
#include "agent/keeper.h"
#include "agent/textfile.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/engine.h"
#include "engine/store/store.h"
#include "tests/unit/check.h"
#include <stdlib.h>

enum { MESSAGES = 1200, EVERY = 150, MORE = 150, TRIALS = 24 };
static const int64_t BEGIN_MS = 1700000000000;
static struct buf text;
static uint64_t digest; /* of the rows that came to Numbered */

static const char *variable(void *user, const char *name)
{
    (void)user;
    (void)name;
    return "tcp://h:1";
}

static void on_stream(void *user, uint32_t stream, const struct batch *b)
{
    (void)user;
    (void)stream;
    struct writer w = {0};
    buf_init(&w.out, SIZE_MAX);
    for (uint32_t i = 0; i < b->count; i++)
        write_row(&w, b->events[i].row);
    digest = hash_bytes(w.out.bytes ? w.out.bytes : "", w.out.len, digest);
    buf_fini(&w.out);
}

static int failures; /* of events: a key that leads to no row would be one */
static void on_failure(void *user, uint32_t stream, const char *words)
{
    (void)user;
    (void)stream;
    if (failures++ < 3)
        printf("    %s\n", words);
}

static struct buf suspects; /* groups of pieces that are lost */

static uint32_t numbered;
static bool looks_at(void *user, uint32_t stream)
{
    (void)user;
    return stream == numbered;
}

static struct app *make(struct store *store)
{
    struct engine_options options = {.variable = variable};
    struct app_host host = {.stream = on_stream, .failure = on_failure, .looks_at = looks_at, .seed = 1};
    struct compile c;
    engine_compile(&c, text.bytes, text.len, &options);
    numbered = (uint32_t)plan_find_stream(c.plan, "Numbered");
    struct app *app = app_new(c.plan, &host);
    c.plan = NULL;
    compile_fini(&c);
    if (store)
        app_keep_tables(app, store, 1);
    return app;
}

static void feed(struct app *app, int64_t from, int64_t to)
{
    uint32_t s = (uint32_t)plan_find_stream(app_plan(app), "S");
    for (int64_t v = from; v <= to; v++) {
        char k[] = {'k', (char)('0' + v % 8), 0};
        struct row *row = row_new(2, BEGIN_MS + v);
        struct text *key = text_new(k, 2);
        row_set(row, 0, value_text(key));
        value_drop(value_text(key));
        row_set(row, 1, value_long(v));
        struct event e = {.row = row, .at_ms = BEGIN_MS + v, .kind = EVENT_CURRENT};
        app_advance(app, BEGIN_MS + v);
        app_send(app, s, &e, 1, false);
        row_unref(row);
    }
}

static void save(struct app *app, struct store *store)
{
    struct store_batch batch;
    struct keeper k;
    struct err e;
    batch_open(&batch);
    keeper_init(&k, store, &batch, 1);
    app_checkpoint(app, &k.home);
    app_tables_collect(app, &batch);
    CHECK(store_apply(store, &batch, &e) == 0);
    app_tables_committed(app);
    keeper_fini(&k);
    batch_close(&batch);
}

/* APP 'Q' GROUP NUMBER */
static void suspect(const struct store_item *item)
{
    if (item->key_len != 21 || ((const char *)item->key)[4] != 'Q')
        return;
    uint64_t group = key_get_u64(item->key, 5);
    buf_add(&suspects, &group, sizeof group);
    buf_add(&suspects, &group, sizeof group);
}

/* All but the records that are lost: each with a chance of odds in 1000, or just the one at `only`. */
static int copy(struct store *from, struct store *to, unsigned *seed, int odds, int only)
{
    static const enum store_shelf shelves[] = {STORE_STATE, STORE_TABLES};
    struct store_batch batch;
    struct err e;
    int at = 0;
    batch_open(&batch);
    CHECK(store_look(from, &e) == 0);
    for (int i = 0; i < 2; i++) {
        struct store_item item;
        struct key k = {.len = 0};
        for (bool above = false; store_next(from, shelves[i], k.bytes, k.len, 0, above, &item) == 0;
             above = true) {
            if (at++ == only || (odds && rand_r(seed) % 1000 < odds))
                suspect(&item);
            else
                batch_put(&batch, shelves[i], item.key, item.key_len, item.bytes, item.len);
            memcpy(k.bytes, item.key, item.key_len);
            k.len = item.key_len;
        }
    }
    store_look_end(from);
    CHECK(store_apply(to, &batch, &e) == 0);
    batch_close(&batch);
    return at;
}

static void ignore_table(void *user, const struct app_table_mended *t)
{
    CHECK(t->table != NULL);
    *(uint64_t *)user += t->lost + t->keys + t->is_lost;
}

/* Takes over what is left in store; how many parts begin anew. */
static struct app *mend(struct store *store, int *fresh)
{
    struct app_mend m;
    struct keeper k;
    struct err e = {0};
    uint64_t tables = 0;
    app_mend_init(&m);
    buf_add(&m.suspects, suspects.bytes ? suspects.bytes : "", suspects.len);
    keeper_init(&k, store, NULL, 1);
    struct app *tries = make(NULL), *app = make(store);
    CHECK(app_start(tries, BEGIN_MS + MESSAGES, true, &e) == 0);
    CHECK(app_find_lost(tries, &k.home, &m, &e) == 0);
    app_free(tries);
    CHECK(app_tables_mend(app, ignore_table, &tables, &e) == 0);
    CHECK(app_start(app, BEGIN_MS + MESSAGES, true, &e) == 0);
    if (!CHECK(app_restore_rest(app, &k.home, &m, &e) == 0))
        printf("    %s\n", e.text);
    CHECK((m.fresh_count > 0) == (m.fresh.len > 0));
    *fresh = m.fresh_count;
    keeper_fini(&k);
    app_mend_fini(&m);
    return app;
}

static void trial(struct store *good, unsigned *seed, int odds, int only, uint64_t whole, bool loses)
{
    struct store *store = NULL;
    struct keeper k;
    struct err e = {0};
    int fresh = 0;
    CHECK(store_open(&store, &(struct store_options){.folder = NULL}, &e) == 0);
    buf_clear(&suspects);
    copy(good, store, seed, odds, only);
    digest = 0;
    struct app *app = mend(store, &fresh);
    feed(app, MESSAGES + 1, MESSAGES + MORE);
    if (!loses)
        CHECK(digest == whole && fresh == 0);
    save(app, store);
    digest = 0;
    feed(app, MESSAGES + MORE + 1, MESSAGES + 2 * MORE);
    uint64_t wanted = digest;
    app_free(app);
    /* What was saved behind it is whole again. */
    keeper_init(&k, store, NULL, 1);
    digest = 0;
    app = make(store);
    CHECK(app_start(app, BEGIN_MS + MESSAGES + MORE, true, &e) == 0);
    if (!CHECK(app_restore(app, &k.home, NULL, &e) == 0))
        printf("    %s\n", e.text);
    feed(app, MESSAGES + MORE + 1, MESSAGES + 2 * MORE);
    CHECK(digest == wanted);
    app_free(app);
    keeper_fini(&k);
    store_close(store);
}

int main(void)
{
    struct store *store;
    struct err e = {0};
    unsigned seed = (unsigned)(getenv("SEED") ? atoi(getenv("SEED")) : 7);
    log_set(LOG_ERROR, false);
    buf_init(&text, SIZE_MAX);
    buf_init(&suspects, SIZE_MAX);
    if (!CHECK(textfile_read("tests/crash/kinds.siddhi", 1 << 20, &text, &e) == 0))
        return check_end();
    CHECK(store_open(&store, &(struct store_options){.folder = NULL}, &e) == 0);
    struct app *app = make(store);
    CHECK(app_start(app, BEGIN_MS, false, &e) == 0);
    for (int v = 0; v < MESSAGES; v += EVERY) {
        feed(app, v + 1, v + EVERY);
        save(app, store);
    }
    digest = 0;
    feed(app, MESSAGES + 1, MESSAGES + MORE);
    uint64_t whole = digest;
    app_free(app);
    trial(store, &seed, 0, -1, whole, false);
    for (int i = 0; i < TRIALS; i++) {
        int odds = i % 3 == 0 ? 0 : i % 3 == 1 ? 20 : 300;
        trial(store, &seed, odds, odds ? -1 : rand_r(&seed) % 300, whole, true);
    }
    store_close(store);
    buf_fini(&text);
    buf_fini(&suspects);
    CHECK(failures == 0);
    return check_end();
}
