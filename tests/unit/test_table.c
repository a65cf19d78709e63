/* test_table.c - tables in a checkpoint: how many bytes a change writes, and that what comes back is what was
 * there, over many checkpoints; the index of keys that are text against a list. */
#include "engine/engine.h"
#include "engine/run/key_index.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"
#include <stdlib.h>

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* ---- apps ---- */

static struct app *open_app(const char *text, bool resume)
{
    struct compile c;
    struct err e = {0};
    struct app_host host = {.seed = 1};
    engine_compile(&c, text, strlen(text), NULL);
    CHECK(c.plan != NULL);
    struct app *app = app_new(c.plan, &host);
    c.plan = NULL;
    compile_fini(&c);
    CHECK(app_start(app, 1, resume, &e) == 0);
    return app;
}

/* (op, k, n, v) into stream 0: its queries do what op says. */
static void send(struct app *app, const char *op, uint32_t k, int64_t n, double v)
{
    char key[32];
    struct row *row = row_new(4, 1);
    int len = snprintf(key, sizeof key, k % 3 ? "k%u" : "a-longer-key-%u", k);
    row_set_take(row, 0, value_text(text_new(op, strlen(op))));
    row_set_take(row, 1, value_text(text_new(key, (size_t)len)));
    row_set_take(row, 2, value_long(n));
    row_set_take(row, 3, value_double(v));
    const struct event e = {.row = row, .at_ms = 1, .kind = EVENT_CURRENT};
    app_send(app, 0, &e, 1, false);
    row_unref(row);
}

static void print_rows(struct app *app, const char *query, struct buf *out)
{
    struct result result;
    struct err e = {0};
    buf_clear(out);
    CHECK(app_query(app, query, strlen(query), &result, &e) == 0);
    for (uint32_t i = 0; i < result.count; i++) {
        for (uint16_t c = 0; c < result.rows[i]->count; c++) {
            value_print(row_get(result.rows[i], c), out);
            buf_add_char(out, ' ');
        }
        buf_add_char(out, '\n');
    }
}

static bool same_rows(struct app *a, struct app *b, const char *query)
{
    struct buf x, y;
    buf_init(&x, SIZE_MAX);
    buf_init(&y, SIZE_MAX);
    print_rows(a, query, &x);
    print_rows(b, query, &y);
    bool same = x.len == y.len && (x.len == 0 || memcmp(x.bytes, y.bytes, x.len) == 0);
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

#define STREAM "define stream S (op string, k string, n long, v double); "
#define SETS                                                    \
    "from S[op == 'insert'] select k, n, v insert into T; "     \
    "from S[op == 'delete'] select k, n delete T on T.n == n; " \
    "from S[op == 'update'] select k, n, v update T set T.v = v on T.n == n; "
#define BY_KEY                                                                                         \
    "from S[op == 'upsert'] select k, n, v update or insert into T set T.v = v, T.n = n on T.k == k; " \
    "from S[op == 'set'] select k, v update T set T.v = v on T.k == k; "                               \
    "from S[op == 'drop'] select k delete T on T.k == k; "

static const struct kind {
    const char *name, *text;
} kinds[] = {
    {"number", STREAM "@PrimaryKey('n') define table T (k string, n long, v double); " SETS},
    {"text", STREAM "@PrimaryKey('k') define table T (k string, n long, v double); " SETS BY_KEY},
    {"composite",
     STREAM "@PrimaryKey('k', 'n') define table T (k string, n long, v double); " SETS BY_KEY
            "from S[op == 'both'] select k, n, v update T set T.v = v on T.k == k and T.n == n; "},
    {"indexed",
     STREAM "@PrimaryKey('k') @Index('n') define table T (k string, n long, v double); " SETS BY_KEY
            "from S[op == 'move'] select k, n, v update T set T.k = k on T.n == n; "},
    {"index", STREAM "@Index('n') @Index('k') define table T (k string, n long, v double); " SETS BY_KEY},
    {"list", STREAM "define table T (k string, n long, v double); " SETS BY_KEY},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- bytes ---- */

enum {
    MANY = 100000,
    ONE_MOST = 1024,         /* bytes of a checkpoint after one row was changed */
    MOVED_MOST = 512 * 1024, /* and when pieces give up their rows */
    MEAN_MOST = 4096,
    TIMES = 300,
};

static struct app *again(struct app *app, const char *text, const struct state_home *home)
{
    struct err e = {0};
    app_free(app);
    app = open_app(text, true);
    CHECK(app_restore(app, home, NULL, &e) == 0);
    return app;
}

/* What is in a table of many rows was written; a row changes. */
static void test_bytes(const struct kind *kind)
{
    struct home home;
    struct app *app = open_app(kind->text, false);
    home_init(&home);
    for (uint32_t i = 0; i < MANY; i++)
        send(app, "insert", i, i, 0.5);
    uint64_t all = app_checkpoint(app, &home.door);
    CHECK(all > (uint64_t)MANY * 16 && all < (uint64_t)MANY * 80);
    CHECK(app_checkpoint(app, &home.door) < 64);
    uint64_t most = 0, sum = 0;
    uint32_t times = strcmp(kind->name, "list") == 0 ? TIMES / 10 : TIMES;
    for (uint32_t i = 0; i < times; i++) {
        uint32_t at = draw(MANY);
        send(app, strcmp(kind->name, "number") == 0 ? "update" : "set", at, at, i);
        uint64_t bytes = app_checkpoint(app, &home.door);
        if (i == 0)
            CHECK(bytes < ONE_MOST);
        most = most < bytes ? bytes : most;
        sum += bytes;
        if (i == times / 2)
            app = again(app, kind->text, &home.door);
    }
    CHECK(most < MOVED_MOST && sum / times < MEAN_MOST);
    struct app *other = open_app(kind->text, true);
    struct err e = {0};
    CHECK(app_restore(other, &home.door, NULL, &e) == 0);
    CHECK(same_rows(app, other, "from T select *"));
    CHECK(home_bytes(&home) < all * 2);
    app_free(other);
    app_free(app);
    home_fini(&home);
}

/* Every row changes, again and again: what is kept stays in bounds, and what is written too. */
static void test_churn(const struct kind *kind)
{
    enum { ROWS = 5000, ROUNDS = 60 };
    struct home home;
    struct app *app = open_app(kind->text, false);
    home_init(&home);
    for (uint32_t i = 0; i < ROWS; i++)
        send(app, "insert", i, i, 0.5);
    uint64_t all = app_checkpoint(app, &home.door), sum = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < ROWS / 10; i++) {
            uint32_t at = draw(ROWS);
            send(app, "drop", at, at, 0);
            send(app, "delete", at, at, 0);
            send(app, "insert", at, at, round);
        }
        sum += app_checkpoint(app, &home.door);
    }
    /* A tenth of the rows each time, moved once at most. */
    CHECK(sum < all * ROUNDS / 10 * 3);
    CHECK(home_bytes(&home) < all * 4);
    app = again(app, kind->text, &home.door);
    for (uint32_t i = 0; i < ROWS; i++) {
        send(app, "drop", i, i, 0);
        send(app, "delete", i, i, 0);
    }
    app_checkpoint(app, &home.door);
    CHECK(home_bytes(&home) < 4096);
    app_free(app);
    home_fini(&home);
}

/* ---- what comes back ---- */

/* Two apps get the same; one is thrown away now and then, and loaded. */
static void test_twins(const struct kind *kind)
{
    static const char *const ops[] = {"insert", "insert", "upsert", "update",
                                      "delete", "drop",   "both",   "move"};
    enum { KEYS = 300, ROUNDS = 120, OPS = sizeof(ops) / sizeof(ops[0]) };
    struct home home;
    struct app *twin = open_app(kind->text, false), *app = open_app(kind->text, false);
    bool same = true;
    home_init(&home);
    for (int round = 0; round < ROUNDS && same; round++) {
        for (uint32_t i = 0, count = draw(200); i < count; i++) {
            const char *op = ops[draw(OPS)];
            uint32_t k = draw(KEYS), n = draw(KEYS / 4);
            double v = draw(1000);
            send(twin, op, k, n, v);
            send(app, op, k, n, v);
        }
        app_checkpoint(app, &home.door);
        if (draw(3) == 0)
            app = again(app, kind->text, &home.door);
        same = same_rows(twin, app, "from T select *") &&
               same_rows(twin, app, "from T on n == 3L select *") &&
               same_rows(twin, app, "from T on k == 'k7' select *");
    }
    if (!CHECK(same))
        printf("    %s\n", kind->name);
    app_free(twin);
    app_free(app);
    home_fini(&home);
}

static void damage(struct home *home, const char *text, size_t at, size_t byte)
{
    struct err e = {0};
    char *damaged = home->items[at].bytes + byte;
    struct app *app = open_app(text, true);
    *damaged = (char)(*damaged ^ 4);
    CHECK(app_restore(app, &home->door, NULL, &e) == ERR_STATE && e.text[0]);
    *damaged = (char)(*damaged ^ 4);
    app_free(app);
}

/* Damage is told, and so is a state of another text. */
static void test_refused(void)
{
    struct home home;
    struct err e = {0};
    struct app *app = open_app(kinds[3].text, false);
    home_init(&home);
    for (uint32_t i = 0; i < 3000; i++)
        send(app, "insert", i, i % 7, 0.5);
    app_checkpoint(app, &home.door);
    for (uint32_t i = 0; i < 300; i++)
        send(app, "upsert", i * 9, 3, 1);
    app_checkpoint(app, &home.door);
    app_free(app);
    for (size_t i = 0; i < home.count; i++) {
        if (home.items[i].key[0] == 'Q')
            damage(&home, kinds[3].text, i, draw((uint32_t)home.items[i].len));
    }
    struct app *other = open_app(kinds[1].text, true);
    CHECK(app_restore(other, &home.door, NULL, &e) == ERR_STATE && strstr(e.text, "another text"));
    app_free(other);
    /* A piece that is gone. */
    for (size_t i = 0; i < home.count; i++) {
        if (home.items[i].key[0] != 'Q')
            continue;
        home_drop(&home, home.items[i].key, home.items[i].key_len, "R", 1);
        break;
    }
    other = open_app(kinds[3].text, true);
    CHECK(app_restore(other, &home.door, NULL, &e) == ERR_STATE && e.text[0]);
    app_free(other);
    home_fini(&home);
}

/* A changed app takes over the tables whose definitions are the same; the others' pieces go with the next
 * checkpoint. */
static void test_upgrade(void)
{
    static const char before[] = STREAM "@PrimaryKey('k') define table T (k string, n long, v double); "
                                        "@PrimaryKey('n') define table U (k string, n long, v double); "
                                        "define table W (k string); "
                                        "from S select k, n, v insert into T; "
                                        "from S select k, n, v insert into U; from S select k insert into W;";
    static const char after[] = STREAM "@PrimaryKey('k') define table T (k string, n long, v double); "
                                       "@PrimaryKey('n') define table U (k string, n long, v float); "
                                       "from S[n > 3L] select k, n, v insert into T; ";
    struct home home;
    struct app *app = open_app(before, false), *other = open_app(after, true);
    struct app_upgrade upgrade;
    struct err e = {0};
    home_init(&home);
    for (uint32_t i = 0; i < 5000; i++)
        send(app, "", i, i, 0.5);
    app_checkpoint(app, &home.door);
    size_t all = home_bytes(&home);
    app_upgrade_init(&upgrade);
    CHECK(app_restore(other, &home.door, &upgrade, &e) == 0);
    CHECK_TEXT(upgrade.kept.bytes, "table T");
    CHECK(strstr(upgrade.fresh.bytes, "table U (changed)") != NULL);
    CHECK(strstr(upgrade.dropped.bytes, "table W") != NULL);
    app_upgrade_fini(&upgrade);
    CHECK(same_rows(app, other, "from T select *"));
    app_checkpoint(other, &home.door);
    CHECK(home_bytes(&home) < all / 2);
    other = again(other, after, &home.door);
    CHECK(same_rows(app, other, "from T select *"));
    app_free(app);
    app_free(other);
    home_fini(&home);
}

/* ---- rows by text ---- */

static struct row *text_row(uint32_t n)
{
    /* Of every length, some with NUL in them, some not of ASCII. */
    static const char *const forms[] = {"%u", "k%u", "%08u", "device-%u", "\xC3\xA9%u", "%u\xE2\x82\xAC"};
    char key[64];
    int len = snprintf(key, sizeof key, forms[n % 6], n / 6);
    if (n % 13 == 0)
        key[n % 2 ? 0 : len - 1] = 0;
    struct row *row = row_new(1, 1);
    row_set_take(row, 0, value_text(text_new(key, n % 1000 == 999 ? 0 : (size_t)len)));
    return row;
}

static void test_key_index(void)
{
    enum { KEYS = 3000, ROUNDS = 60000 };
    struct key_index ix;
    struct row *rows[KEYS] = {0}, *wanted[KEYS];
    uint64_t held = 0, known = 0, asked = 0;
    bool right = true;
    key_index_init(&ix, 0);
    for (uint32_t i = 0; i < KEYS; i++)
        wanted[i] = text_row(i);
    for (int round = 0; round < ROUNDS && right; round++) {
        uint32_t at = draw(KEYS);
        struct row *found = NULL;
        struct text *want = row_cells(wanted[at])[0].s;
        enum key_answer answer = ix.sets ? key_index_find(&ix, want, &found) : KEY_UNKNOWN;
        right = answer == KEY_UNKNOWN || (answer == KEY_NONE ? !rows[at] : found == rows[at]);
        asked += rows[at] != NULL;
        known += rows[at] && answer == KEY_FOUND;
        if (rows[at]) {
            key_index_remove(&ix, rows[at]);
            row_unref(rows[at]);
            rows[at] = NULL;
            held--;
            continue;
        }
        /* One key may be in twice, under numbers of two forms: only the first is put. */
        bool twice = false;
        for (uint32_t i = 0; i < KEYS && !twice; i++)
            twice = rows[i] && text_equal(row_cells(rows[i])[0].s, want);
        if (twice)
            continue;
        rows[at] = text_row(at);
        if (key_index_room(&ix, ++held)) {
            for (uint32_t i = 0; i < KEYS; i++) {
                if (rows[i])
                    key_index_put(&ix, rows[i]);
            }
        } else {
            key_index_put(&ix, rows[at]);
        }
    }
    CHECK(right && known > asked * 8 / 10);
    for (uint32_t i = 0; i < KEYS; i++) {
        row_unref(wanted[i]);
        if (rows[i])
            row_unref(rows[i]);
    }
    key_index_fini(&ix);
}

int main(void)
{
    test_key_index();
    for (int i = 0; i < KINDS; i++) {
        test_twins(&kinds[i]);
        if (strcmp(kinds[i].name, "composite") != 0) /* it finds its rows by scan */
            test_bytes(&kinds[i]);
    }
    test_churn(&kinds[0]);
    test_churn(&kinds[1]);
    test_churn(&kinds[3]);
    test_refused();
    test_upgrade();
    return check_end();
}
