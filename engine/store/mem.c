/* mem.c - a store in memory: a sorted array a shelf. What it is for is small; a put into the middle moves
 * what is behind it. */
#include "engine/base/mem.h"
#include "engine/store/store_in.h"
#include <string.h>

struct item {
    char *key, *bytes; /* one block: key, then bytes; owned */
    size_t key_len, len;
};
struct shelf {
    struct item *items; /* by key */
    size_t count, cap;
};
struct mem_store {
    struct store store;
    struct shelf shelves[STORE_SHELVES];
    uint64_t bytes, most_bytes;
};

static struct mem_store *of(struct store *s)
{
    return (struct mem_store *)(void *)s;
}

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c ? c : a_len < b_len ? -1 : a_len > b_len;
}

/* The first item not below key. */
static size_t place(const struct shelf *h, const void *key, size_t key_len)
{
    size_t low = 0, high = h->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(h->items[middle].key, h->items[middle].key_len, key, key_len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct shelf *h, size_t at, const void *key, size_t key_len)
{
    return at < h->count && h->items[at].key_len == key_len && memcmp(h->items[at].key, key, key_len) == 0;
}

static void put(struct mem_store *m, struct shelf *h, const struct batch_op *op)
{
    size_t at = place(h, op->key, op->key_len);
    struct item made = {
        .key = mem_resize(NULL, op->key_len + op->len + 1, 1), .key_len = op->key_len, .len = op->len};
    made.bytes = made.key + op->key_len;
    memcpy(made.key, op->key, op->key_len);
    if (op->len)
        memcpy(made.bytes, op->bytes, op->len);
    if (is_at(h, at, op->key, op->key_len)) {
        m->bytes -= h->items[at].key_len + h->items[at].len;
        mem_free(h->items[at].key);
    } else {
        if (h->count == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 16;
            h->items = mem_resize(h->items, h->cap, sizeof *h->items);
        }
        memmove(h->items + at + 1, h->items + at, (h->count - at) * sizeof *h->items);
        h->count++;
    }
    h->items[at] = made;
    m->bytes += op->key_len + op->len;
}

static void drop(struct mem_store *m, struct shelf *h, const struct batch_op *op)
{
    size_t from = place(h, op->key, op->key_len), to = place(h, op->to, op->to_len);
    if (to <= from)
        return;
    for (size_t i = from; i < to; i++) {
        m->bytes -= h->items[i].key_len + h->items[i].len;
        mem_free(h->items[i].key);
    }
    memmove(h->items + from, h->items + to, (h->count - to) * sizeof *h->items);
    h->count -= to - from;
}

static int memory_apply(struct store *s, const struct store_batch *b, struct err *e)
{
    struct mem_store *m = of(s);
    struct batch_op op;
    if (!b->relieves && m->bytes + b->ops.len > m->most_bytes)
        return err_set(e, ERR_FULL, "the state's budget of %llu bytes is used up",
                       (unsigned long long)m->most_bytes);
    for (size_t at = 0; batch_next(b, &at, &op);)
        (op.is_put ? put : drop)(m, &m->shelves[op.shelf], &op);
    return 0;
}

static int memory_look(struct store *s, struct err *e)
{
    (void)s;
    (void)e;
    return 0;
}

static void memory_look_end(struct store *s)
{
    (void)s;
}

static void lend(const struct item *i, struct store_item *out)
{
    *out = (struct store_item){.key = i->key, .bytes = i->bytes, .key_len = i->key_len, .len = i->len};
}

static int memory_get(struct store *s, enum store_shelf shelf, const void *key, size_t key_len,
                      struct store_item *out)
{
    const struct shelf *h = &of(s)->shelves[shelf];
    size_t at = place(h, key, key_len);
    if (!is_at(h, at, key, key_len))
        return ERR_NOT_FOUND;
    lend(&h->items[at], out);
    return 0;
}

static int memory_next(struct store *s, enum store_shelf shelf, const void *key, size_t key_len, bool above,
                       struct store_item *out)
{
    const struct shelf *h = &of(s)->shelves[shelf];
    size_t at = place(h, key, key_len);
    if (above && is_at(h, at, key, key_len))
        at++;
    if (at >= h->count)
        return ERR_NOT_FOUND;
    lend(&h->items[at], out);
    return 0;
}

static void memory_count(struct store *s, struct store_counts *out)
{
    out->used_bytes = of(s)->bytes;
    out->page_bytes = out->put_bytes;
}

static int memory_compact(struct store *s, const char *folder, struct err *e)
{
    (void)s;
    return err_set(e, ERR_UNSUPPORTED, "%s: a store in memory has nothing to copy", folder);
}

static void memory_close(struct store *s)
{
    struct mem_store *m = of(s);
    for (int i = 0; i < STORE_SHELVES; i++) {
        for (size_t k = 0; k < m->shelves[i].count; k++)
            mem_free(m->shelves[i].items[k].key);
        mem_free(m->shelves[i].items);
    }
    pthread_mutex_destroy(&s->lock);
    mem_free(m);
}

static const struct store_backend backend = {.apply = memory_apply,
                                             .look = memory_look,
                                             .look_end = memory_look_end,
                                             .get = memory_get,
                                             .next = memory_next,
                                             .count = memory_count,
                                             .compact = memory_compact,
                                             .close = memory_close};

int store_mem_open(struct store **out, const struct store_options *options, struct err *e)
{
    (void)e;
    struct mem_store *m = mem_alloc(sizeof *m);
    m->store.backend = &backend;
    m->most_bytes = options->most_bytes ? options->most_bytes : UINT64_MAX;
    pthread_mutex_init(&m->store.lock, NULL);
    *out = &m->store;
    return 0;
}
