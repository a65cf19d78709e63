/* test_store.c - the laws of engine/store/store.h, on both backends; what only a disk can do, on lmdb. */
#include "engine/base/mem.h"
#include "engine/store/store.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static struct store *open_in(const char *where, uint64_t most_bytes)
{
    struct store *s = NULL;
    struct err e = {0};
    struct store_options o = {.folder = where, .most_bytes = most_bytes};
    if (store_open(&s, &o, &e) < 0)
        printf("    %s\n", e.text);
    return s;
}

static void put(struct store_batch *b, const char *key, const char *value)
{
    batch_put(b, STORE_STATE, key, strlen(key), value, strlen(value));
}

static bool has(struct store *s, const char *key, const char *value)
{
    struct store_item i;
    struct err e;
    if (store_look(s, &e) < 0)
        return false;
    int rc = store_get(s, STORE_STATE, key, strlen(key), &i);
    bool is_so =
        value ? rc == 0 && i.len == strlen(value) && memcmp(i.bytes, value, i.len) == 0 : rc == ERR_NOT_FOUND;
    store_look_end(s);
    return is_so;
}

/* The keys that begin with prefix, joined. */
static void keys(struct store *s, const char *prefix, char *out)
{
    struct store_item i = {.key = prefix, .key_len = strlen(prefix)};
    char last[64];
    struct err e;
    *out = 0;
    store_look(s, &e);
    for (bool above = false; store_next(s, STORE_STATE, i.key, i.key_len, strlen(prefix), above, &i) == 0;
         above = true) {
        memcpy(last, i.key, i.key_len);
        i.key = last;
        strncat(out, last, i.key_len);
        strcat(out, " ");
    }
    store_look_end(s);
}

static void test_laws(struct store *s)
{
    struct store_batch b;
    struct err e = {0};
    char got[256];
    batch_open(&b);
    put(&b, "a/1", "one");
    put(&b, "a/3", "three");
    put(&b, "a/2", "two");
    put(&b, "b/1", "");
    CHECK(store_apply(s, &b, &e) == 0);
    CHECK(store_apply(s, &b, &e) == 0); /* twice is harmless */
    CHECK(has(s, "a/1", "one") && has(s, "a/2", "two") && has(s, "b/1", "") && has(s, "c", NULL));
    keys(s, "a/", got);
    CHECK_TEXT(got, "a/1 a/2 a/3 ");
    keys(s, "", got);
    CHECK_TEXT(got, "a/1 a/2 a/3 b/1 ");
    batch_clear(&b);
    batch_drop_range(&b, STORE_STATE, "a/1", 3, "a/3", 3);
    put(&b, "a/2", "again"); /* behind a drop: it stands */
    put(&b, "a/3", "x");
    batch_drop(&b, STORE_STATE, "a/3", 3);
    CHECK(store_apply(s, &b, &e) == 0);
    keys(s, "", got);
    CHECK_TEXT(got, "a/2 b/1 ");
    CHECK(has(s, "a/2", "again"));
    struct store_counts n;
    store_count(s, &n);
    CHECK(n.commits == 3 && n.puts == 10 && n.used_bytes > 0);
    /* A failure leaves it as it was, and the batch may be applied again. */
    batch_clear(&b);
    put(&b, "f", "f");
    CHECK(store_apply(s, &b, &e) == ERR_FULL && has(s, "f", NULL));
    CHECK(store_apply(s, &b, &e) == ERR_FULL);
    CHECK(store_apply(s, &b, &e) == 0 && has(s, "f", "f"));
    batch_close(&b);
}

static void test_full(struct store *s)
{
    struct store_batch b;
    struct err e = {0};
    char *big = mem_alloc(100000);
    int rc = 0, n;
    batch_open(&b);
    for (n = 0; n < 1000 && rc == 0; n++) {
        struct key k = {.len = 0};
        key_u64(&k, (uint64_t)n);
        batch_clear(&b);
        batch_put(&b, STORE_OUTBOX, k.bytes, k.len, big, 100000);
        rc = store_apply(s, &b, &e);
    }
    CHECK(rc == ERR_FULL && n > 100);
    CHECK(strstr(e.text, "budget") != NULL);
    struct key from = {.len = 0}, to = {.len = 0};
    key_u64(&from, 0);
    key_u64(&to, 50);
    batch_clear(&b);
    b.relieves = true;
    batch_drop_range(&b, STORE_OUTBOX, from.bytes, from.len, to.bytes, to.len);
    CHECK(store_apply(s, &b, &e) == 0);
    batch_clear(&b);
    for (int i = 0; i < 10; i++)
        batch_put(&b, STORE_OUTBOX, from.bytes, from.len, big, 100000);
    CHECK(store_apply(s, &b, &e) == 0);
    batch_close(&b);
    mem_free(big);
}

static void test_reopen(void)
{
    struct store *s = open_in(folder, 0);
    struct store_batch b;
    struct err e = {0};
    CHECK(s && has(s, "a/2", "again") && has(s, "f", "f"));
    batch_open(&b);
    uint32_t other = STORE_FORMAT + 1;
    batch_put(&b, STORE_META, "format", 6, &other, sizeof other);
    CHECK(store_apply(s, &b, &e) == 0);
    store_close(s);
    struct store_options o = {.folder = folder};
    CHECK(store_open(&s, &o, &e) == ERR_STATE && strstr(e.text, "format"));
    batch_close(&b);
}

static void test_foreign(void)
{
    char path[128];
    struct store *s;
    struct err e = {0};
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    FILE *f = fopen(path, "wb");
    for (int i = 0; f && i < 4096; i++)
        fputs("no state ", f);
    if (f)
        fclose(f);
    struct store_options o = {.folder = folder};
    CHECK(store_open(&s, &o, &e) == ERR_STATE);
    o.folder = "/nowhere/at/all";
    CHECK(store_open(&s, &o, &e) == ERR_IO);
}

int main(void)
{
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/test_store.XXXXXX");
    setenv("WEIR_FAULT", "store.apply:4:full:2,store.apply:10:full:2",
           1); /* the fourth and fifth of each backend */
    if (!mkdtemp(folder))
        return 1;
    struct store *m = open_in(NULL, 0), *d = open_in(folder, 0);
    CHECK(m && d);
    test_laws(m);
    test_laws(d);
    store_close(m);
    store_close(d);
    test_reopen();
    test_foreign();
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    unlink(path);
    m = open_in(NULL, 20000000);
    d = open_in(folder, 20000000);
    test_full(m);
    test_full(d);
    store_close(m);
    store_close(d);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", folder);
    unlink(path);
    rmdir(folder);
    return check_end();
}
