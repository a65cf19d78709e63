/* fuzz_store.c - a store's file, damaged anyhow: it is read, the salvage of it opens and holds what it says.
 * The bytes are what is changed in a good file: two bytes of place (of 64, each a 64th of the file), two of
 * offset, one of value; and again. */
#include "agent/census.h"
#include "agent/salvage.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char folder[] = "/dev/shm/weir-fuzz-XXXXXX", in[64], out[64];
static char *good, *now;
static size_t size;

static void path_to(char *path, const char *dir, const char *name)
{
    snprintf(path, 96, "%s/%s", dir, name);
}

static void clear(const char *dir)
{
    char path[96];
    path_to(path, dir, "data.mdb");
    unlink(path);
    path_to(path, dir, "lock.mdb");
    unlink(path);
}

static void end(void)
{
    clear(in);
    clear(out);
    rmdir(in);
    rmdir(out);
    rmdir(folder);
}

static void put(struct store_batch *b, enum store_shelf shelf, const void *key, size_t key_len, size_t len)
{
    char *bytes = calloc(1, len + 1);
    memset(bytes, 'v', len);
    batch_put(b, shelf, key, key_len, bytes, len);
    free(bytes);
}

/* All shelves, keys of many lengths, records that need pages of their own, pages that are free again. */
static void make(void)
{
    struct store_batch b;
    struct store *s;
    struct err e;
    char path[96];
    if (!mkdtemp(folder))
        abort();
    atexit(end);
    log_set(LOG_ERROR + 1, false);
    path_to(in, folder, "in");
    path_to(out, folder, "out");
    if (mkdir(in, 0700) < 0 || mkdir(out, 0700) < 0 ||
        store_open(&s, &(struct store_options){.folder = in}, &e) < 0)
        abort();
    batch_open(&b);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            struct key k = {.len = 0};
            key_u32(&k, (uint32_t)(i % 3 + 1));
            key_u64(&k, (uint64_t)i);
            if (round == 2 && i % 5)
                batch_drop(&b, STORE_JOURNAL, k.bytes, k.len);
            else
                put(&b, i % 2 ? STORE_JOURNAL : STORE_OUTBOX, k.bytes, k.len, (size_t)(i * 7 % 900));
            put(&b, i % 2 ? STORE_STATE : STORE_TABLES, k.bytes, k.len - (size_t)(i % 4), i % 50 ? 40 : 9000);
        }
        put(&b, STORE_META, "aA", 2, 4);
        put(&b, STORE_ERRORS, "\0\0\0\0\0\0\0\1", 8, 100);
        if (store_apply(s, &b, &e) < 0)
            abort();
        batch_clear(&b);
    }
    batch_close(&b);
    store_close(s);
    path_to(path, in, "data.mdb");
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        abort();
    size = (size_t)st.st_size;
    good = malloc(size);
    now = malloc(size);
    if (read(fd, good, size) != (ssize_t)size)
        abort();
    close(fd);
}

static void ignore(void *user, enum log_level level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

static void write_file(size_t len)
{
    char path[96];
    path_to(path, in, "data.mdb");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, now, len) != (ssize_t)len)
        abort();
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct census c, after;
    struct err e;
    if (!good)
        make();
    memcpy(now, good, size);
    for (size_t i = 0; i + 5 <= len; i += 5) {
        size_t at = (size_t)(bytes[i] % 64) * (size / 64) +
                    ((size_t)bytes[i + 1] << 16 | (size_t)bytes[i + 2] << 8 | bytes[i + 3]) % (size / 64 + 1);
        if (at < size)
            now[at] = (char)bytes[i + 4];
    }
    write_file(len % 5 == 4 ? size / 256 * bytes[len - 1] : size);
    clear(out);
    struct salvage s = {.from = in, .to = out, .say = ignore};
    if (census_take(&c, in, 0, &e) == 0 && salvage_run(&s, &c, &e) == 0) {
        if (census_take(&after, out, 0, &e) != 0 || after.seen.damages)
            abort(); /* a salvage is whole */
        census_fini(&after);
    }
    census_fini(&c);
    return 0;
}
