/* test_salvage.c - sinks of which only the copy of their app's names tells: their numbers stay taken. */
#include "agent/mend.h"
#include "agent/salvage.h"
#include "engine/store/store.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void say(void *user, enum log_level level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

static struct store *open_at(const char *folder)
{
    struct store *s = NULL;
    struct err e = {0};
    if (!CHECK(store_open(&s, &(struct store_options){.folder = folder}, &e) == 0))
        printf("    %s\n", e.text);
    return s;
}

/* META is gone; of three sinks one has a message waiting. */
static void fill(const char *folder)
{
    static const char *const streams[] = {"Total", "Win", "Part"};
    struct store *s = open_at(folder);
    struct store_batch b;
    struct err e = {0};
    struct mend_sink sinks[3];
    struct mend_names names = {
        .app = 1, .name = {"Crash", 5}, .text = {"define", 6}, .file_text = {"define", 6}};
    for (uint32_t i = 0; i < 3; i++)
        sinks[i] = (struct mend_sink){
            .number = 5 - i, .type = {"mqtt", 4}, .stream = {streams[i], strlen(streams[i])}};
    batch_open(&b);
    mend_write_names(&names, sinks, 3, &b);
    CHECK(store_apply(s, &b, &e) == 0);
    batch_close(&b);
    store_close(s);
}

static void clear(const char *folder)
{
    char path[128];
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    char from[] = "/tmp/weir-salvage-XXXXXX", to[] = "/tmp/weir-salvage-XXXXXX";
    struct census c;
    struct err e = {0};
    struct store_item i;
    uint32_t next = 0;
    if (!CHECK(mkdtemp(from) && mkdtemp(to)))
        return check_end();
    fill(from);
    CHECK(census_take(&c, from, 0, &e) == 0);
    CHECK(c.last_sink == 5);
    struct salvage run = {.from = from, .to = to, .say = say};
    CHECK(salvage_run(&run, &c, &e) == 0);
    census_fini(&c);
    struct store *s = open_at(to);
    CHECK(store_look(s, &e) == 0);
    if (CHECK(store_get(s, STORE_META, "#sinks", 6, &i) == 0 && i.len == sizeof next))
        memcpy(&next, i.bytes, sizeof next);
    CHECK(next == 6);
    store_look_end(s);
    store_close(s);
    clear(from);
    clear(to);
    return check_end();
}
