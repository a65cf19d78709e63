/* cmd_state.c - looks at a folder of state: what is in it, what waits, what can be saved from it; and packs
 * it. Keys: durable.c, spool.c. */
#include "agent/cmd.h"
#include "agent/spool.h"
#include "agent/statedir.h"
#include "engine/base/mem.h"
#include "engine/data/codec.h"
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct look {
    struct store *store;
    struct err e;
};

/* Calls fn for each item whose key begins with prefix, until it returns false. What it gets is valid during
 * the call. */
static void each(struct look *l, enum store_shelf shelf, const void *prefix, size_t prefix_len,
                 bool (*fn)(struct look *l, const struct store_item *i, void *user), void *user)
{
    struct key at = {.len = 0};
    struct store_item i;
    memcpy(at.bytes, prefix, prefix_len);
    at.len = prefix_len;
    if (store_look(l->store, &l->e) < 0)
        return;
    for (bool above = false; store_next(l->store, shelf, at.bytes, at.len, prefix_len, above, &i) == 0;
         above = true) {
        memcpy(at.bytes, i.key, i.key_len);
        at.len = i.key_len;
        if (!fn(l, &i, user))
            break;
    }
    store_look_end(l->store);
}

struct sum {
    uint64_t count, bytes;
};

static bool add(struct look *l, const struct store_item *i, void *user)
{
    struct sum *s = user;
    (void)l;
    s->count++;
    s->bytes += i->key_len + i->len;
    return true;
}

/* Names and numbers are gathered first: a look can't stand inside another. */
struct names {
    struct named {
        char *name;
        uint32_t number, app;
    } * list;
    size_t count;
};

static void names_add(struct names *n, const char *name, size_t len, uint32_t number, uint32_t app)
{
    n->list = mem_resize(n->list, n->count + 1, sizeof *n->list);
    char *copy = mem_alloc(len + 1);
    memcpy(copy, name, len);
    n->list[n->count++] = (struct named){copy, number, app};
}

static void names_fini(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        mem_free(n->list[i].name);
    mem_free(n->list);
}

static bool add_app(struct look *l, const struct store_item *i, void *user)
{
    uint32_t number;
    (void)l;
    if (i->len == sizeof number) {
        memcpy(&number, i->bytes, sizeof number);
        names_add(user, (const char *)i->key + 1, i->key_len - 1, number, number);
    }
    return true;
}

/* 's', app, place, TYPE, zero, STREAM */
static bool add_sink(struct look *l, const struct store_item *i, void *user)
{
    const unsigned char *k = i->key;
    uint32_t number;
    (void)l;
    const unsigned char *zero = i->key_len > 9 ? memchr(k + 9, 0, i->key_len - 9) : NULL;
    if (zero && i->len == sizeof number) {
        memcpy(&number, i->bytes, sizeof number);
        uint32_t app = (uint32_t)k[1] << 24 | (uint32_t)k[2] << 16 | (uint32_t)k[3] << 8 | k[4];
        names_add(user, (const char *)zero + 1, i->key_len - (size_t)(zero + 1 - k), number, app);
    }
    return true;
}

static struct sum sum_of(struct look *l, enum store_shelf shelf, uint32_t number)
{
    struct sum s = {0};
    struct key k = {.len = 0};
    key_u32(&k, number);
    each(l, shelf, k.bytes, k.len, add, &s);
    return s;
}

static bool read_mark(struct look *l, const struct store_item *i, void *user)
{
    struct reader r = {.at = i->bytes, .end = (const uint8_t *)i->bytes + i->len};
    uint64_t *n = user;
    (void)l;
    for (int k = 0; k < 4; k++)
        n[k] = (uint64_t)read_i64(&r);
    return false;
}

static void print_sink(struct look *l, const struct named *sink)
{
    uint64_t mark[4] = {1, 1, 0, 0};
    struct key k = {.len = 0};
    key_u8(&k, 'o');
    key_u32(&k, sink->number);
    each(l, STORE_META, k.bytes, k.len, read_mark, mark);
    printf("  sink %s: %" PRIu64 " messages wait (%" PRIu64 " bytes), next number %" PRIu64
           ", dropped %" PRIu64 "\n",
           sink->name, mark[1] - mark[0], mark[2], mark[1], mark[3]);
}

static void inspect(struct look *l, const struct names *apps, const struct names *sinks)
{
    struct store_counts n;
    store_count(l->store, &n);
    printf("%" PRIu64 " bytes in use\n", n.used_bytes);
    for (size_t i = 0; i < apps->count; i++) {
        struct sum journal = sum_of(l, STORE_JOURNAL, apps->list[i].number),
                   state = sum_of(l, STORE_STATE, apps->list[i].number);
        printf("app %s: state %" PRIu64 " bytes in %" PRIu64 " parts and pieces, journal %" PRIu64
               " bytes in %" PRIu64 " records\n",
               apps->list[i].name, state.bytes, state.count, journal.bytes, journal.count);
        struct sum tables = sum_of(l, STORE_TABLES, apps->list[i].number);
        if (tables.count)
            printf("  tables: %" PRIu64 " bytes in %" PRIu64 " rows and keys\n", tables.bytes, tables.count);
        for (size_t k = 0; k < sinks->count; k++)
            if (sinks->list[k].app == apps->list[i].number)
                print_sink(l, &sinks->list[k]);
    }
}

/* What waits for a sink, as lines: its number, a tab, its text. */
static void salvage_sink(struct look *l, const char *app, const struct named *sink)
{
    struct spool s = {.store = l->store, .sink = sink->number};
    struct spool_item *items;
    uint64_t from = 1, first = 0;
    uint64_t mark[4] = {1, 1, 0, 0};
    struct key k = {.len = 0};
    key_u8(&k, 'o');
    key_u32(&k, sink->number);
    each(l, STORE_META, k.bytes, k.len, read_mark, mark);
    from = mark[0];
    for (;;) {
        int count = spool_load(&s, from, &first, &items);
        if (count == ERR_STATE) {
            fprintf(stderr, "weir: %s/%s: the messages from number %" PRIu64 " on are damaged\n", app,
                    sink->name, first);
            from = first + 1;
            mem_free(items);
            continue;
        }
        if (count <= 0)
            break;
        for (int i = 0; i < count; i++) {
            printf("%s/%s/%" PRIu64 "\t", app, sink->name, items[i].number);
            fwrite(items[i].bytes, 1, items[i].len, stdout);
            putchar('\n');
            from = items[i].number + 1;
            mem_free(items[i].bytes);
        }
        mem_free(items);
    }
}

static int compact(struct look *l, const char *folder)
{
    char made[4200], data[4200], file[4200];
    struct stat before, after;
    snprintf(made, sizeof made, "%s/compact", folder);
    snprintf(data, sizeof data, "%s/data.mdb", folder);
    snprintf(file, sizeof file, "%s/compact/data.mdb", folder);
    unlink(file);
    if (mkdir(made, 0750) < 0 && access(made, W_OK) < 0) {
        perror(made);
        return CMD_BAD;
    }
    if (store_compact(l->store, made, &l->e) < 0) {
        fprintf(stderr, "weir: %s\n", l->e.text);
        return CMD_BAD;
    }
    bool known = stat(data, &before) == 0 && stat(file, &after) == 0;
    store_close(l->store);
    l->store = NULL;
    if (!known || rename(file, data) < 0) {
        perror(data);
        return CMD_BAD;
    }
    rmdir(made);
    printf("%lld bytes, were %lld\n", (long long)after.st_size, (long long)before.st_size);
    return CMD_OK;
}

int cmd_state(int argc, char **argv)
{
    struct look l = {0};
    struct names apps = {0}, sinks = {0};
    int lock = -1, code = CMD_OK;
    struct stat st;
    if (argc != 3)
        return cmd_usage("state", "an action and a folder are needed");
    const char *action = argv[1], *folder = argv[2];
    bool packs = !strcmp(action, "compact");
    if (!packs && strcmp(action, "inspect") != 0 && strcmp(action, "salvage") != 0)
        return cmd_usage("state", "there is no action '%s'", action);
    if (stat(folder, &st) < 0) {
        perror(folder);
        return CMD_BAD;
    }
    if ((packs && statedir_open(folder, &lock, &l.e) < 0) ||
        store_open(&l.store, &(struct store_options){.folder = folder, .reads_only = !packs}, &l.e) < 0) {
        fprintf(stderr, "weir: %s\n", l.e.text);
        if (lock >= 0)
            close(lock);
        return CMD_BAD;
    }
    each(&l, STORE_META, "a", 1, add_app, &apps);
    each(&l, STORE_META, "s", 1, add_sink, &sinks);
    if (packs)
        code = compact(&l, folder);
    else if (!strcmp(action, "inspect"))
        inspect(&l, &apps, &sinks);
    else
        for (size_t i = 0; i < apps.count; i++)
            for (size_t k = 0; k < sinks.count; k++)
                if (sinks.list[k].app == apps.list[i].number)
                    salvage_sink(&l, apps.list[i].name, &sinks.list[k]);
    names_fini(&apps);
    names_fini(&sinks);
    store_close(l.store);
    if (lock >= 0)
        close(lock);
    return code;
}
