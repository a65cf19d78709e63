/* test_store.c - the laws of engine/store/store.h, on both backends; what only a disk can do, on lmdb. */
#include "engine/base/mem.h"
#include "engine/store/store.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <sys/mount.h>
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

/* ---- what owners take ---- */

static void put_owned(struct store_batch *b, enum store_shelf shelf, uint32_t owner, uint32_t number,
                      size_t len)
{
    static char bytes[100000];
    struct key k = {.len = 0};
    key_u32(&k, owner);
    key_u32(&k, number);
    batch_put(b, shelf, k.bytes, k.len, bytes, len);
}

static void drop_owned(struct store_batch *b, enum store_shelf shelf, uint32_t owner, uint32_t from,
                       uint32_t to)
{
    struct key low = {.len = 0}, high = {.len = 0};
    key_u32(&low, owner);
    key_u32(&low, from);
    key_u32(&high, owner);
    key_u32(&high, to);
    batch_drop_range(b, shelf, low.bytes, low.len, high.bytes, high.len);
}

static void apply(struct store *s, struct store_batch *b, int wanted)
{
    struct err e = {0};
    CHECK(store_apply(s, b, &e) == wanted);
    batch_clear(b);
}

/* Counted with each batch as a walk over all records counts. */
static bool is_exact(struct store *s)
{
    struct err e;
    struct store *fresh;
    uint64_t used[2][STORE_SHELVES][4];
    for (int shelf = 0; shelf < STORE_SHELVES; shelf++)
        for (uint32_t owner = 0; owner < 4; owner++)
            used[0][shelf][owner] = store_used(s, (enum store_shelf)shelf, owner);
    store_close(s);
    fresh = open_in(folder, 20000000);
    if (!fresh || store_own(fresh, &e) < 0)
        return false;
    for (int shelf = 0; shelf < STORE_SHELVES; shelf++)
        for (uint32_t owner = 0; owner < 4; owner++)
            used[1][shelf][owner] = store_used(fresh, (enum store_shelf)shelf, owner);
    store_close(fresh);
    return memcmp(used[0], used[1], sizeof used[0]) == 0;
}

static void test_owners(void)
{
    struct store *s = open_in(folder, 20000000);
    struct store_batch b;
    struct err e = {0};
    unsigned seed = 7;
    CHECK(s && store_used(s, STORE_STATE, 1) == 0 && store_own(s, &e) == 0);
    batch_open(&b);
    put_owned(&b, STORE_STATE, 1, 1, 100);
    put_owned(&b, STORE_STATE, 2, 1, 100000);
    put_owned(&b, STORE_JOURNAL, 1, 1, 100);
    apply(s, &b, 0);
    uint64_t one = store_used(s, STORE_STATE, 1);
    CHECK(one > 100 && one < 200 && store_used(s, STORE_STATE, 2) > 100000);
    CHECK(store_used(s, STORE_JOURNAL, 1) == one && store_used(s, STORE_STATE, 3) == 0);
    put_owned(&b, STORE_STATE, 1, 1, 200); /* in its place */
    apply(s, &b, 0);
    CHECK(store_used(s, STORE_STATE, 1) == one + 100);
    drop_owned(&b, STORE_STATE, 1, 0, 9);
    apply(s, &b, 0);
    CHECK(store_used(s, STORE_STATE, 1) == 0);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 30; i++) {
            uint32_t owner = (uint32_t)rand_r(&seed) % 4, number = (uint32_t)rand_r(&seed) % 40;
            enum store_shelf shelf = (enum store_shelf[]){STORE_JOURNAL, STORE_OUTBOX, STORE_STATE,
                                                          STORE_TABLES}[rand_r(&seed) % 4];
            if (rand_r(&seed) % 3)
                put_owned(&b, shelf, owner, number, (size_t)rand_r(&seed) % 6000);
            else
                drop_owned(&b, shelf, owner, number, number + 5);
        }
        apply(s, &b, 0);
    }
    /* What fails doesn't count. */
    uint64_t before = store_used(s, STORE_STATE, 3);
    for (uint32_t i = 0; i < 400; i++)
        put_owned(&b, STORE_STATE, 3, 1000 + i, 100000);
    apply(s, &b, ERR_FULL);
    CHECK(store_used(s, STORE_STATE, 3) == before);
    batch_close(&b);
    CHECK(is_exact(s));
}

/* ---- the ballast: a small disk, filled to its last block ---- */

static void fill_disk(const char *where)
{
    static char block[4096];
    char path[160];
    snprintf(path, sizeof path, "%s/others", where);
    FILE *f = fopen(path, "wb");
    if (!f)
        return;
    setvbuf(f, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof block, f) == sizeof block)
        ;
    fclose(f);
}

/* Does a batch that relieves come through on a full disk? */
static bool relieves(const char *where, uint64_t ballast_bytes)
{
    char path[160];
    struct store *s = NULL;
    struct store_batch b;
    struct stat st;
    struct err e = {0};
    struct store_options o = {.folder = where, .most_bytes = 1 << 30, .ballast_bytes = ballast_bytes};
    int rc = store_open(&s, &o, &e);
    if (!CHECK(rc == 0))
        return false;
    snprintf(path, sizeof path, "%s/ballast", where);
    CHECK((stat(path, &st) == 0) == (ballast_bytes > 0));
    batch_open(&b);
    for (uint32_t i = 0; i < 300; i++) /* dropping some of them needs room first: for the pages above */
        put_owned(&b, STORE_OUTBOX, 1, i, 1500);
    apply(s, &b, 0);
    fill_disk(where);
    for (uint32_t i = 0; rc == 0; i++) {
        put_owned(&b, STORE_OUTBOX, 2, i, 50000);
        rc = store_apply(s, &b, &e);
        batch_clear(&b);
    }
    CHECK(rc == ERR_FULL);
    b.relieves = true;
    drop_owned(&b, STORE_OUTBOX, 1, 0, 150);
    rc = store_apply(s, &b, &e);
    CHECK(rc == 0 || rc == ERR_FULL);
    bool is_through = rc == 0;
    CHECK(!is_through || (stat(path, &st) < 0 && ballast_bytes));
    if (is_through) { /* and back it comes, with the disk */
        snprintf(path, sizeof path, "%s/others", where);
        unlink(path);
        batch_clear(&b);
        b.relieves = false;
        put_owned(&b, STORE_OUTBOX, 3, 1, 100);
        apply(s, &b, 0);
        snprintf(path, sizeof path, "%s/ballast", where);
        CHECK(stat(path, &st) == 0 && (uint64_t)st.st_size == ballast_bytes);
    }
    batch_close(&b);
    store_close(s);
    return is_through;
}

static void test_ballast(void)
{
    for (int with = 0; with < 2; with++) {
        if (mount("tmpfs", folder, "tmpfs", 0, "size=2m") < 0) {
            puts("not root: the ballast is left out");
            return;
        }
        CHECK(relieves(folder, with ? 1 << 18 : 0) == (with == 1));
        CHECK(umount(folder) == 0);
    }
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
    test_owners();
    unlink(path);
    test_ballast();
    snprintf(path, sizeof path, "%s/lock.mdb", folder);
    unlink(path);
    rmdir(folder);
    return check_end();
}
