/* test_store_file.c - engine/store/file.h: a good file has no damage, whatever was done to it by lmdb; a byte
 * changed or a tail cut off anywhere is found, or does no harm; what is given out is what was put. SEED=N
 * repeats a run. */
#include "engine/base/hash.h"
#include "engine/base/map.h"
#include "engine/base/mem.h"
#include "engine/store/file.h"
#include "tests/unit/check.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], other[64];
static uint64_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* ---- what is in it: shelf and key -> hash of the value ---- */

struct seen_all {
    struct map map;
    uint64_t count, wrong, damages;
    const struct map *wanted; /* NULL: it is filled; else what is seen must be in it */
};

static void on_item(void *user, enum store_shelf shelf, const struct store_item *i)
{
    struct seen_all *s = user;
    char key[STORE_KEY_MOST + 1] = {(char)shelf};
    memcpy(key + 1, i->key, i->key_len);
    uintptr_t hash = hash_bytes(i->bytes, i->len, 9) | 1;
    s->count++;
    if (s->wanted)
        s->wrong += (uintptr_t)map_get(s->wanted, key, i->key_len + 1) != hash;
    else
        s->wrong += map_put(&s->map, key, i->key_len + 1, (void *)hash) != NULL;
}

static void on_damage(void *user, const struct store_damage *d)
{
    struct seen_all *s = user;
    CHECK(d->words && *d->words);
    s->damages++;
}

static int read_all(const char *where, struct seen_all *s, const struct map *wanted, struct store_seen *seen)
{
    struct err e = {0};
    struct store_visitor v = {.user = s, .item = on_item, .damage = on_damage};
    *s = (struct seen_all){.wanted = wanted};
    map_init(&s->map);
    return store_file_read(where, 0, &v, seen, &e);
}

/* ---- a store with a past: pages of all kinds, free ones, long values ---- */

static struct store *open_in(const char *where)
{
    struct store *s = NULL;
    struct err e = {0};
    CHECK(store_open(&s, &(struct store_options){.folder = where}, &e) == 0);
    return s;
}

static void fill(struct store *s, int rounds)
{
    static char value[20000];
    struct store_batch b;
    struct err e = {0};
    struct key k;
    batch_open(&b);
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < 40; i++) {
            size_t len = chance(20) == 0 ? chance(sizeof value) : chance(300);
            memset(value, (int)chance(256), len);
            k.len = 0;
            key_u32(&k, 1 + chance(5));
            key_u64(&k, chance(2000));
            batch_put(&b, (enum store_shelf)(chance(STORE_SHELVES - 1) + 1), k.bytes, k.len, value, len);
        }
        struct key to = {.len = 0};
        k.len = 0;
        key_u32(&k, 1 + chance(5));
        to = k;
        uint32_t from = chance(2000);
        key_u64(&k, from);
        key_u64(&to, from + 60);
        batch_drop_range(&b, (enum store_shelf)(chance(STORE_SHELVES - 1) + 1), k.bytes, k.len, to.bytes,
                         to.len);
        CHECK(store_apply(s, &b, &e) == 0);
        batch_clear(&b);
    }
    batch_close(&b);
}

static void test_good(void)
{
    struct seen_all all;
    struct store_seen seen;
    struct err e = {0};
    CHECK(read_all(folder, &all, NULL, &seen) == ERR_NOT_FOUND);
    struct store *s = open_in(folder);
    for (int i = 0; i < 30; i++) {
        CHECK(read_all(folder, &all, NULL, &seen) == 0 && all.damages == 0 && seen.lost_pages == 0);
        map_fini(&all.map);
        fill(s, 1 + (int)chance(20));
        if (i % 7 == 6) {
            store_close(s);
            s = open_in(folder);
        }
    }
    CHECK(read_all(folder, &all, NULL, &seen) == 0 && all.damages == 0 && all.wrong == 0 &&
          all.count > 1000 && seen.format == STORE_FORMAT);
    map_fini(&all.map);
    /* what is read beside a look is what the look sees */
    CHECK(store_look(s, &e) == 0);
    struct store_visitor nobody = {0};
    CHECK(store_file_read(folder, store_look_number(s), &nobody, &seen, &e) == 0 && seen.damages == 0);
    store_look_end(s);
    /* a compact copy is good, and after the next transaction too */
    CHECK(store_compact(s, other, &e) == 0);
    store_close(s);
    CHECK(read_all(other, &all, NULL, &seen) == 0 && all.damages == 0 && seen.free_pages == 0);
    map_fini(&all.map);
    s = open_in(other);
    for (int i = 0; i < 3; i++) {
        fill(s, 1);
        CHECK(read_all(other, &all, NULL, &seen) == 0 && all.damages == 0);
        map_fini(&all.map);
    }
    store_close(s);
}

/* ---- harm ---- */

static void path_of(char *path, const char *where)
{
    snprintf(path, 128, "%s/data.mdb", where);
}

static void copy_file(const char *bytes, size_t len)
{
    char path[128];
    path_of(path, other);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static char *read_file(size_t *len)
{
    char path[128];
    struct stat st;
    path_of(path, folder);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    char *bytes = mem_array(1, (size_t)st.st_size);
    *len = (size_t)st.st_size;
    CHECK(read(fd, bytes, *len) == (ssize_t)*len);
    close(fd);
    return bytes;
}

/* Found, or harmless: then all is there. And nothing else ever. */
static void check_harm(const struct seen_all *good, const char *what, size_t at, uint64_t *found)
{
    struct seen_all all;
    struct store_seen seen;
    int rc = read_all(other, &all, &good->map, &seen);
    bool is_older = seen.may_lack_last && all.damages > 0; /* then it is what the transaction before left */
    bool is_right = (all.wrong == 0 || is_older) &&
                    (rc == ERR_STATE || (rc == 0 && (all.damages > 0 || all.count == good->count)));
    if (!is_right)
        printf("    %s %zu: rc %d, %llu records of %llu, %llu wrong, %llu damages\n", what, at, rc,
               (unsigned long long)all.count, (unsigned long long)good->count, (unsigned long long)all.wrong,
               (unsigned long long)all.damages);
    CHECK(is_right);
    *found += rc < 0 || all.damages;
    map_fini(&all.map);
}

static void test_harm(void)
{
    struct seen_all good;
    struct store_seen seen;
    size_t len;
    uint64_t found = 0;
    CHECK(read_all(folder, &good, NULL, &seen) == 0);
    char *bytes = read_file(&len);
    for (int i = 0; i < 240; i++) {
        size_t page = i < 60 ? chance(2) : chance((uint32_t)(len / 4096)),
               at = page * 4096 + chance(i % 3 ? 4096 : 160);
        char was = bytes[at];
        bytes[at] ^= (char)(i % 2 ? 0xFF : 1 << chance(8));
        copy_file(bytes, len);
        check_harm(&good, "byte", at, &found);
        bytes[at] = was;
    }
    printf("    %llu of 240 changed bytes were found, the others lie where nothing is\n",
           (unsigned long long)found);
    CHECK(found > 80);
    for (int i = 0; i < 30; i++) {
        size_t cut = i == 0 ? 0 : i == 1 ? 4096 : i == 2 ? 8192 : chance((uint32_t)len);
        copy_file(bytes, cut);
        check_harm(&good, "cut at", cut, &found);
    }
    for (int i = 0; i < 30; i++) { /* a page of zeros, or another's */
        size_t page = chance((uint32_t)(len / 4096)), from = chance((uint32_t)(len / 4096));
        char was[4096];
        memcpy(was, bytes + page * 4096, sizeof was);
        if (i % 2)
            memset(bytes + page * 4096, 0, sizeof was);
        else
            memmove(bytes + page * 4096, bytes + from * 4096, sizeof was);
        copy_file(bytes, len);
        check_harm(&good, "page", page, &found);
        memcpy(bytes + page * 4096, was, sizeof was);
    }
    for (size_t at = 0; at < len; at++)
        bytes[at] = (char)chance(256);
    copy_file(bytes, len);
    check_harm(&good, "garbage", 0, &found);
    mem_free(bytes);
    map_fini(&good.map);
}

/* A page above others is lost: they are found by what is neither free nor reached. */
static void test_lost_root(void)
{
    struct seen_all good, all;
    struct store_seen seen;
    size_t len;
    uint64_t most = 0;
    CHECK(read_all(folder, &good, NULL, &seen) == 0);
    char *bytes = read_file(&len);
    for (size_t page = 2; page < len / 4096; page++) {
        uint16_t flags;
        memcpy(&flags, bytes + page * 4096 + 10, sizeof flags);
        if (flags != 1)
            continue;
        bytes[page * 4096 + 12] ^= 1;
        copy_file(bytes, len);
        CHECK(read_all(other, &all, &good.map, &seen) == 0 && all.wrong == 0);
        if (all.damages) {
            CHECK(all.count == good.count);
            most++;
        }
        map_fini(&all.map);
        bytes[page * 4096 + 12] ^= 1;
    }
    CHECK(most > 0);
    mem_free(bytes);
    map_fini(&good.map);
}

/* A serial that is another leads to no older state: the numbers of the two beginnings still tell. */
static void test_serials(void)
{
    struct seen_all good, all;
    struct store_seen seen;
    size_t len;
    int found = 0;
    CHECK(read_all(folder, &good, NULL, &seen) == 0);
    char *bytes = read_file(&len);
    for (size_t at = 0; at + 14 <= len; at++) {
        if (memcmp(bytes + at, "serial", 6) != 0)
            continue;
        for (size_t i = 6; i < 14; i += 5) {
            bytes[at + i] ^= 0x4D;
            copy_file(bytes, len);
            CHECK(read_all(other, &all, &good.map, &seen) == 0 && all.wrong == 0 && all.count == good.count);
            found += seen.damages > 0;
            map_fini(&all.map);
            bytes[at + i] ^= 0x4D;
        }
    }
    CHECK(found >= 4);
    mem_free(bytes);
    map_fini(&good.map);
}

static void make_folder(char *out)
{
    snprintf(out, 64, "/tmp/weir-file-XXXXXX");
    CHECK(mkdtemp(out) != NULL);
}

static void remove_folder(const char *where)
{
    char path[128];
    path_of(path, where);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", where);
    unlink(path);
    rmdir(where);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given ? (uint64_t)strtoull(given, NULL, 10) : (uint64_t)(unsigned)getpid();
    printf("seed %llu\n", (unsigned long long)seed);
    make_folder(folder);
    make_folder(other);
    test_good();
    test_harm();
    test_lost_root();
    test_serials();
    remove_folder(folder);
    remove_folder(other);
    return check_end();
}
