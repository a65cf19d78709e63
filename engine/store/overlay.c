/* overlay.c - see overlay.h. A skip list: heights come from a fixed generator, so that a run repeats. A walk
 * reads the store ahead, a few items first, then more with each read: a lookup reads little, a scan asks
 * seldom. */
#include "engine/store/overlay.h"
#include "engine/base/mem.h"
#include <string.h>

enum { AHEAD_FIRST = 2, AHEAD_MOST = 256, AHEAD_BYTES = 64 * 1024 };

struct overlay_node {
    uint64_t stamp;
    char *bytes; /* owned; NULL: dropped */
    uint32_t len, key_len;
    uint32_t height;
    struct overlay_node *next[]; /* height of them; behind them the key */
};

static const unsigned char *node_key(const struct overlay_node *n)
{
    return (const unsigned char *)(n->next + n->height);
}

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c ? c : (a_len > b_len) - (a_len < b_len);
}

static size_t node_bytes(const struct overlay_node *n)
{
    return sizeof *n + n->height * sizeof *n->next + n->key_len + n->len;
}

void overlay_init(struct overlay *o, enum store_shelf shelf)
{
    *o = (struct overlay){.shelf = shelf, .stamp = 1, .heights = UINT64_C(0x9E3779B97F4A7C15)};
    buf_init(&o->lent, SIZE_MAX);
}

static void node_free(struct overlay_node *n)
{
    mem_free(n->bytes);
    mem_free(n);
}

void overlay_fini(struct overlay *o)
{
    for (struct overlay_node *n = o->first[0], *next; n; n = next) {
        next = n->next[0];
        node_free(n);
    }
    buf_fini(&o->lent);
}

/* The first node not below key; links: for each height, the link that leads to it. May be NULL. */
static struct overlay_node *seek(const struct overlay *o, const void *key, size_t key_len,
                                 struct overlay_node ***links)
{
    struct overlay_node **level = (struct overlay_node **)(uintptr_t)o->first, *found = NULL;
    for (int h = OVERLAY_HEIGHT - 1; h >= 0; h--) {
        while (level[h] && compare(node_key(level[h]), level[h]->key_len, key, key_len) < 0)
            level = level[h]->next;
        found = level[h];
        if (links)
            links[h] = &level[h];
    }
    return found;
}

static bool is_of(const struct overlay_node *n, const void *key, size_t key_len)
{
    return n && n->key_len == key_len && memcmp(node_key(n), key, key_len) == 0;
}

/* A quarter of the nodes is one higher than the rest, a quarter of those again. */
static uint32_t next_height(struct overlay *o)
{
    uint32_t height = 1;
    o->heights ^= o->heights << 13;
    o->heights ^= o->heights >> 7;
    o->heights ^= o->heights << 17;
    for (uint64_t bits = o->heights; height < OVERLAY_HEIGHT && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

static struct overlay_node *node_at(struct overlay *o, const void *key, size_t key_len)
{
    struct overlay_node **links[OVERLAY_HEIGHT];
    struct overlay_node *n = seek(o, key, key_len, links);
    ASSERT(key_len > 0 && key_len < STORE_KEY_MOST);
    if (is_of(n, key, key_len)) {
        o->bytes -= node_bytes(n);
        mem_free(n->bytes);
        n->bytes = NULL;
        n->len = 0;
    } else {
        uint32_t height = next_height(o);
        n = mem_alloc(sizeof *n + height * sizeof *n->next + key_len);
        n->height = height;
        n->key_len = (uint32_t)key_len;
        memcpy(n->next + height, key, key_len);
        for (uint32_t h = 0; h < height; h++) {
            n->next[h] = *links[h];
            *links[h] = n;
        }
        o->count++;
    }
    n->stamp = o->stamp++;
    return n;
}

void overlay_put(struct overlay *o, const void *key, size_t key_len, const void *bytes, size_t len)
{
    struct overlay_node *n = node_at(o, key, key_len);
    n->bytes = mem_resize(NULL, len + 1, 1);
    if (len)
        memcpy(n->bytes, bytes, len);
    n->len = (uint32_t)len;
    o->bytes += node_bytes(n);
}

static void node_remove(struct overlay *o, struct overlay_node *n)
{
    struct overlay_node **links[OVERLAY_HEIGHT];
    seek(o, node_key(n), n->key_len, links);
    for (uint32_t h = 0; h < n->height; h++)
        *links[h] = n->next[h];
    o->count--;
    o->bytes -= node_bytes(n);
    node_free(n);
}

void overlay_drop(struct overlay *o, const void *key, size_t key_len)
{
    struct overlay_node *n = node_at(o, key, key_len);
    o->bytes += node_bytes(n);
    if (!o->store)
        node_remove(o, n);
}

int overlay_get(struct overlay *o, const void *key, size_t key_len, struct store_item *out, struct err *e)
{
    const struct overlay_node *n = seek(o, key, key_len, NULL);
    struct store_item found;
    if (is_of(n, key, key_len)) {
        *out = (struct store_item){.key = key, .key_len = key_len, .bytes = n->bytes, .len = n->len};
        return n->bytes ? 0 : ERR_NOT_FOUND;
    }
    if (!o->store)
        return ERR_NOT_FOUND;
    int rc = store_look(o->store, e);
    if (rc < 0)
        return rc;
    rc = store_get(o->store, o->shelf, key, key_len, &found);
    buf_clear(&o->lent);
    if (rc == 0)
        buf_add(&o->lent, found.bytes, found.len);
    store_look_end(o->store);
    if (rc == 0)
        *out = (struct store_item){.key = key, .key_len = key_len, .bytes = o->lent.bytes, .len = found.len};
    return rc < 0 && rc != ERR_NOT_FOUND ? err_set(e, rc, "the store cannot be read") : rc;
}

void overlay_collect(struct overlay *o, struct store_batch *batch)
{
    for (const struct overlay_node *n = o->first[0]; n; n = n->next[0]) {
        if (n->bytes)
            batch_put(batch, o->shelf, node_key(n), n->key_len, n->bytes, n->len);
        else
            batch_drop(batch, o->shelf, node_key(n), n->key_len);
    }
    o->collected = o->stamp;
}

void overlay_committed(struct overlay *o)
{
    struct overlay_node **links[OVERLAY_HEIGHT];
    if (!o->collected || !o->store)
        return;
    for (int h = 0; h < OVERLAY_HEIGHT; h++)
        links[h] = &o->first[h];
    for (struct overlay_node *n = o->first[0], *next; n; n = next) {
        next = n->next[0];
        bool stays = n->stamp >= o->collected;
        for (uint32_t h = 0; h < n->height; h++) {
            *links[h] = stays ? n : n->next[h];
            if (stays)
                links[h] = &n->next[h];
        }
        if (stays)
            continue;
        o->count--;
        o->bytes -= node_bytes(n);
        node_free(n);
    }
    o->collected = 0;
}

/* ---- walks ---- */

void overlay_walk_begin(struct overlay_walk *w, struct overlay *o, const void *key, size_t key_len,
                        size_t prefix_len)
{
    *w = (struct overlay_walk){.overlay = o, .prefix_len = prefix_len, .wanted = AHEAD_FIRST};
    ASSERT(prefix_len <= key_len && key_len < STORE_KEY_MOST);
    memcpy(w->at.bytes, key, key_len);
    w->at.len = key_len;
    w->node = seek(o, key, key_len, NULL);
    w->store_ended = !o->store;
    buf_init(&w->ahead, SIZE_MAX);
}

void overlay_walk_end(struct overlay_walk *w)
{
    buf_fini(&w->ahead);
}

static int read_ahead(struct overlay_walk *w, struct err *e)
{
    struct overlay *o = w->overlay;
    struct store_item found;
    int rc = store_look(o->store, e);
    if (rc < 0)
        return rc;
    buf_clear(&w->ahead);
    w->ahead_at = 0;
    for (uint32_t i = 0; i < w->wanted && w->ahead.len < AHEAD_BYTES; i++) {
        rc = store_next(o->store, o->shelf, w->at.bytes, w->at.len, w->prefix_len, w->reads_above, &found);
        if (rc < 0)
            break;
        const size_t lens[2] = {found.key_len, found.len};
        buf_add(&w->ahead, lens, sizeof lens);
        buf_add(&w->ahead, found.key, found.key_len);
        buf_add(&w->ahead, found.bytes, found.len);
        memcpy(w->at.bytes, found.key, found.key_len);
        w->at.len = found.key_len;
        w->reads_above = true;
    }
    store_look_end(o->store);
    w->store_ended = rc < 0;
    w->wanted = w->wanted * 4 < AHEAD_MOST ? w->wanted * 4 : AHEAD_MOST;
    return rc < 0 && rc != ERR_NOT_FOUND ? err_set(e, rc, "the store cannot be read") : 0;
}

/* The store's next item into w->item. */
static int fill(struct overlay_walk *w, struct err *e)
{
    size_t lens[2];
    if (w->has_item)
        return 0;
    if (w->ahead_at == w->ahead.len) {
        int rc = w->store_ended ? 0 : read_ahead(w, e);
        if (rc < 0 || w->ahead_at == w->ahead.len)
            return rc;
    }
    const char *p = w->ahead.bytes + w->ahead_at;
    memcpy(lens, p, sizeof lens);
    p += sizeof lens;
    w->item = (struct store_item){.key = p, .key_len = lens[0], .bytes = p + lens[0], .len = lens[1]};
    w->ahead_at += sizeof lens + lens[0] + lens[1];
    w->has_item = true;
    return 0;
}

static bool is_inside(const struct overlay_walk *w, const struct overlay_node *n)
{
    return n && n->key_len >= w->prefix_len && memcmp(node_key(n), w->at.bytes, w->prefix_len) == 0;
}

int overlay_walk_next(struct overlay_walk *w, struct store_item *out, struct err *e)
{
    for (;;) {
        int rc = fill(w, e);
        if (rc < 0)
            return rc;
        const struct overlay_node *n = is_inside(w, w->node) ? w->node : NULL;
        int order = !n             ? 1
                    : !w->has_item ? -1
                                   : compare(node_key(n), n->key_len, w->item.key, w->item.key_len);
        if (order > 0) {
            *out = w->item;
            rc = w->has_item;
            w->has_item = false;
            return rc;
        }
        w->node = n->next[0];
        if (order == 0)
            w->has_item = false;
        if (!n->bytes)
            continue;
        *out =
            (struct store_item){.key = node_key(n), .key_len = n->key_len, .bytes = n->bytes, .len = n->len};
        return 1;
    }
}
