/* test_overlay.c - the laws of engine/store/overlay.h against a model: a plain array of what each of some
 * hundred keys should say, with random puts, drops, collects and commits, over a store on disk, one in
 * memory, and none. */
#include "engine/base/mem.h"
#include "engine/store/overlay.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS = 300, ROUNDS = 4000 };

static char folder[64];
static uint32_t chance = 12345;
static int said[KEYS]; /* 0: not there */

static uint32_t roll(uint32_t below)
{
    chance = chance * 1664525 + 1013904223;
    return (chance >> 8) % below;
}

/* Two prefixes, so that a walk has an end before the last key. */
static size_t key_of(int i, char *out)
{
    return (size_t)snprintf(out, 16, "%c/%03d%s", i % 2 ? 'b' : 'a', i / 2, i % 3 ? "" : "x");
}

static void check_gets(struct overlay *o)
{
    char key[16];
    struct err e;
    for (int i = 0; i < KEYS; i++) {
        struct store_item item;
        int rc = overlay_get(o, key, key_of(i, key), &item, &e), value = 0;
        if (rc == 0 && item.len == sizeof value)
            memcpy(&value, item.bytes, sizeof value);
        CHECK(rc == (said[i] ? 0 : ERR_NOT_FOUND) && value == said[i]);
    }
}

static void check_walk(struct overlay *o, char prefix, int from)
{
    struct overlay_walk w;
    struct store_item item;
    struct err e;
    char key[16], last[16] = "";
    int count = 0, want = 0, rc;
    int len = snprintf(key, sizeof key, "%c/%03d", prefix, from);
    for (int i = 0; i < KEYS; i++)
        want += said[i] && i % 2 == (prefix == 'b') && i / 2 >= from;
    overlay_walk_begin(&w, o, key, (size_t)len, 2);
    while ((rc = overlay_walk_next(&w, &item, &e)) == 1) {
        char now[16] = "";
        memcpy(now, item.key, item.key_len);
        CHECK(strcmp(last, now) < 0 && now[0] == prefix);
        memcpy(last, now, sizeof last);
        count++;
    }
    overlay_walk_end(&w);
    CHECK(rc == 0 && count == want);
}

static void test_model(struct store *s)
{
    struct overlay o;
    struct store_batch b;
    struct err e;
    char key[16];
    bool is_collected = false;
    memset(said, 0, sizeof said);
    overlay_init(&o, STORE_TABLES);
    o.store = s;
    batch_open(&b);
    for (int n = 1; n <= ROUNDS; n++) {
        int i = (int)roll(KEYS);
        size_t len = key_of(i, key);
        if (roll(3)) {
            overlay_put(&o, key, len, &n, sizeof n);
            said[i] = n;
        } else {
            overlay_drop(&o, key, len);
            said[i] = 0;
        }
        if (s && roll(40) == 0) {
            if (is_collected) {
                CHECK(store_apply(s, &b, &e) == 0);
                batch_clear(&b);
                overlay_committed(&o);
            } else {
                overlay_collect(&o, &b);
            }
            is_collected = !is_collected;
        }
        if (n % 100 == 0) {
            check_gets(&o);
            check_walk(&o, 'a', (int)roll(KEYS / 2));
            check_walk(&o, 'b', 0);
        }
    }
    if (s) {
        overlay_collect(&o, &b);
        CHECK(store_apply(s, &b, &e) == 0);
        overlay_committed(&o);
        CHECK(o.count == 0 && o.bytes == 0);
        check_gets(&o);
        overlay_committed(&o); /* nothing was collected: nothing happens */
    }
    batch_close(&b);
    overlay_fini(&o);
}

int main(void)
{
    struct store *m = NULL, *d = NULL;
    struct err e;
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/test_overlay.XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    CHECK(store_open(&m, &(struct store_options){.folder = NULL}, &e) == 0);
    CHECK(store_open(&d, &(struct store_options){.folder = folder, .most_bytes = 64000000}, &e) == 0);
    test_model(NULL);
    test_model(m);
    test_model(d);
    store_close(m);
    store_close(d);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", folder);
    unlink(path);
    rmdir(folder);
    return check_end();
}
