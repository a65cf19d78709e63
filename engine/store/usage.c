#include "engine/store/usage.h"
#include "engine/base/map.h"
#include "engine/base/mem.h"
#include <string.h>

enum { PAGE = 4096, NODE_HEAD = 10, PAGE_HEAD = 16 };

struct owner {
    uint64_t bytes;
    int64_t change; /* of the transaction under way */
    struct owner *next_changed;
    bool is_changed;
};
struct usage {
    struct map owners; /* shelf and number -> struct owner */
    struct owner *changed;
};

struct usage *usage_new(void)
{
    struct usage *u = mem_alloc(sizeof *u);
    map_init(&u->owners);
    return u;
}

void usage_free(struct usage *u)
{
    struct map_entry *e;
    if (!u)
        return;
    for (uint32_t at = 0; map_next(&u->owners, &at, &e);)
        mem_free(e->value);
    map_fini(&u->owners);
    mem_free(u);
}

int64_t usage_of(size_t key_len, size_t len)
{
    size_t node = NODE_HEAD + key_len + len;
    if (node <= PAGE / 2)
        return (int64_t)node;
    return (int64_t)(NODE_HEAD + key_len + (len + PAGE_HEAD + PAGE - 1) / PAGE * PAGE);
}

static void key_of(unsigned char key[5], enum store_shelf shelf, uint32_t owner)
{
    key[0] = (unsigned char)shelf;
    memcpy(key + 1, &owner, sizeof owner);
}

void usage_note(struct usage *u, enum store_shelf shelf, const void *key, size_t key_len, int64_t bytes)
{
    unsigned char name[5];
    const unsigned char *p = key;
    if (key_len < 4)
        return;
    key_of(name, shelf, (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
    struct owner *o = map_get(&u->owners, name, sizeof name);
    if (!o) {
        o = mem_alloc(sizeof *o);
        map_put(&u->owners, name, sizeof name, o);
    }
    o->change += bytes;
    if (o->is_changed)
        return;
    o->is_changed = true;
    o->next_changed = u->changed;
    u->changed = o;
}

static void end(struct usage *u, bool is_kept)
{
    for (struct owner *o = u->changed; o; o = o->next_changed) {
        if (is_kept)
            o->bytes = (uint64_t)((int64_t)o->bytes + o->change);
        o->change = 0;
        o->is_changed = false;
    }
    u->changed = NULL;
}

void usage_keep(struct usage *u)
{
    end(u, true);
}

void usage_forget(struct usage *u)
{
    end(u, false);
}

uint64_t usage_get(const struct usage *u, enum store_shelf shelf, uint32_t owner)
{
    unsigned char name[5];
    key_of(name, shelf, owner);
    const struct owner *o = map_get(&u->owners, name, sizeof name);
    return o ? o->bytes : 0;
}
