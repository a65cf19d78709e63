/* spool.c - see spool.h.
 *
 *   mark             head, tail, bytes, dropped, eight bytes each
 *   META '#numbers'  where those of a new sink begin
 *   chunk            checksum, time, then for each message: its number less the first, length, size, number
 *                    of dynamic options, bytes */
#include "agent/spool.h"
#include "agent/clock.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/data/codec.h"
#include <inttypes.h>
#include <string.h>

enum { ITEM_HEAD_MOST = 13 };

static void chunk_key(const struct spool *s, uint64_t number, struct key *k)
{
    k->len = 0;
    key_u32(k, s->sink);
    key_u64(k, number);
}

static void mark_key(const struct spool *s, struct key *k)
{
    k->len = 0;
    key_u8(k, 'o');
    key_u32(k, s->sink);
}

/* ---- opening ---- */

static int find_number(struct spool *s, const struct key *name)
{
    struct store_item i;
    int rc = store_get(s->store, STORE_META, name->bytes, name->len, &i);
    if (rc == 0 && i.len == sizeof s->sink)
        memcpy(&s->sink, i.bytes, sizeof s->sink);
    return rc == 0 && i.len != sizeof s->sink ? ERR_STATE : rc;
}

static int give_number(struct spool *s, const struct key *name, struct err *e)
{
    struct store_item i;
    struct store_batch b;
    uint32_t next = 1;
    int rc = store_look(s->store, e);
    if (rc < 0)
        return rc;
    if (store_get(s->store, STORE_META, "#sinks", 6, &i) == 0 && i.len == sizeof next)
        memcpy(&next, i.bytes, sizeof next);
    store_look_end(s->store);
    s->sink = next++;
    batch_open(&b);
    batch_put(&b, STORE_META, "#sinks", 6, &next, sizeof next);
    batch_put(&b, STORE_META, name->bytes, name->len, &s->sink, sizeof s->sink);
    rc = store_apply(s->store, &b, e);
    batch_close(&b);
    return rc;
}

static const char begin_key[] = "#numbers";

uint64_t spool_far_above(void)
{
    return (uint64_t)clock_wall_ms() << 18;
}

void spool_put_begin(struct store_batch *b, uint64_t number)
{
    batch_put(b, STORE_META, begin_key, sizeof begin_key - 1, &number, sizeof number);
}

static int read_mark(struct spool *s, struct err *e)
{
    struct store_item i;
    struct key k;
    mark_key(s, &k);
    s->head = s->tail = 1;
    int rc = store_look(s->store, e);
    if (rc < 0)
        return rc;
    if (store_get(s->store, STORE_META, begin_key, sizeof begin_key - 1, &i) == 0 &&
        i.len == sizeof s->head) {
        memcpy(&s->head, i.bytes, sizeof s->head);
        s->tail = s->head;
    }
    rc = store_get(s->store, STORE_META, k.bytes, k.len, &i);
    if (rc == 0) {
        struct reader r = {.at = i.bytes, .end = (const uint8_t *)i.bytes + i.len};
        s->head = (uint64_t)read_i64(&r);
        s->tail = (uint64_t)read_i64(&r);
        s->bytes = (uint64_t)read_i64(&r);
        s->dropped = (uint64_t)read_i64(&r);
        rc = r.failed ? err_set(e, ERR_STATE, "the outbox's mark is damaged") : 0;
    }
    store_look_end(s->store);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int spool_open(struct spool **out, struct store *store, uint32_t app, const char *stream, const char *type,
               int place, const struct bind_buffer *policy, const char *device, const char *app_name,
               struct err *e)
{
    struct spool *s = mem_alloc(sizeof *s);
    struct key name = {.len = 0};
    s->store = store;
    s->policy = *policy;
    s->policy.dedupe_field = policy->dedupe_field ? mem_strdup(policy->dedupe_field) : NULL;
    s->device = mem_strdup(device);
    s->app = mem_strdup(app_name);
    batch_open(&s->closed);
    buf_init(&s->chunk, SIZE_MAX);
    key_u8(&name, 's');
    key_u32(&name, app);
    key_u32(&name, (uint32_t)place);
    key_text(&name, type);
    key_u8(&name, 0);
    key_text(&name, stream);
    int rc = store_look(store, e);
    if (rc == 0) {
        rc = find_number(s, &name);
        store_look_end(store);
        if (rc == ERR_NOT_FOUND)
            rc = give_number(s, &name, e);
        else if (rc < 0)
            err_set(e, rc, "the outbox of '%s' cannot be read", stream);
    }
    if (rc == 0)
        rc = read_mark(s, e);
    if (rc < 0) {
        spool_close(s);
        return rc;
    }
    s->recorded = s->committed = s->tail;
    *out = s;
    return 0;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    batch_close(&s->closed);
    buf_fini(&s->chunk);
    mem_free((char *)(uintptr_t)s->policy.dedupe_field);
    mem_free(s->device);
    mem_free(s->app);
    mem_free(s);
}

/* ---- filling ---- */

void spool_cut(struct spool *s)
{
    struct key k;
    uint64_t hash;
    if (!s->chunk_count)
        return;
    chunk_key(s, s->chunk_first, &k);
    hash = hash_bytes(s->chunk.bytes + sizeof hash, s->chunk.len - sizeof hash, s->chunk_first);
    memcpy(s->chunk.bytes, &hash, sizeof hash);
    batch_put(&s->closed, STORE_OUTBOX, k.bytes, k.len, s->chunk.bytes, s->chunk.len);
    buf_clear(&s->chunk);
    s->chunk_count = 0;
}

void spool_add(struct spool *s, uint64_t number, int64_t at_ms, const char *bytes, uint32_t len,
               uint32_t size, uint8_t dynamic_count)
{
    if (s->chunk_count == SPOOL_CHUNK_MESSAGES || s->chunk.len + size + ITEM_HEAD_MOST > SPOOL_CHUNK_BYTES)
        spool_cut(s);
    struct writer w = {.out = s->chunk};
    if (!s->chunk_count) {
        s->chunk_first = number;
        write_i64(&w, 0);
        write_i64(&w, at_ms);
    }
    write_varint(&w, number - s->chunk_first);
    write_count(&w, len);
    write_count(&w, size);
    write_u8(&w, dynamic_count);
    buf_add(&w.out, bytes, size);
    s->chunk = w.out;
    s->chunk_count++;
    s->bytes += size;
    s->is_dirty = true;
}

void spool_collect(struct spool *s, struct store_batch *b, uint64_t head, uint64_t tail, uint64_t keep_from)
{
    struct key from, to;
    struct writer w = {0};
    spool_cut(s);
    if (s->closed.count)
        batch_join(b, &s->closed);
    batch_clear(&s->closed);
    if (head > s->head) {
        chunk_key(s, 0, &from);
        chunk_key(s, keep_from, &to);
        batch_drop_range(b, STORE_OUTBOX, from.bytes, from.len, to.bytes, to.len);
    }
    buf_init(&w.out, 64);
    write_i64(&w, (int64_t)head);
    write_i64(&w, (int64_t)tail);
    write_i64(&w, (int64_t)s->bytes);
    write_i64(&w, (int64_t)s->dropped);
    mark_key(s, &from);
    batch_put(b, STORE_META, from.bytes, from.len, w.out.bytes, w.out.len);
    buf_fini(&w.out);
    if (head >= tail)
        s->bytes = 0; /* of chunks that were lost, too */
    s->head = head;
    s->tail = tail;
    s->is_dirty = false;
}

/* ---- loading ---- */

int spool_items(const struct store_item *i, uint64_t first, uint64_t from, struct spool_item **out)
{
    struct reader r = {.at = i->bytes, .end = (const uint8_t *)i->bytes + i->len};
    uint64_t hash;
    int count = 0, cap = 0;
    if (i->len < 16)
        return ERR_STATE;
    memcpy(&hash, i->bytes, sizeof hash);
    if (hash != hash_bytes((const char *)i->bytes + sizeof hash, i->len - sizeof hash, first))
        return ERR_STATE;
    read_i64(&r);
    int64_t at_ms = read_i64(&r);
    while (r.at < r.end) {
        /* read_count's bound is what is left of the bytes; these are no lengths of what follows */
        uint64_t step = read_varint(&r);
        size_t len = read_count(&r, SIZE_MAX), size = read_count(&r, SIZE_MAX);
        uint8_t dynamic_count = read_u8(&r);
        if (r.failed || (size_t)(r.end - r.at) < size || len >= size)
            break;
        if (first + step >= from) {
            if (count == cap) {
                cap = cap ? cap * 2 : 64;
                *out = mem_resize(*out, (size_t)cap, sizeof **out);
            }
            struct spool_item *item = &(*out)[count++];
            *item = (struct spool_item){.number = first + step,
                                        .at_ms = at_ms,
                                        .bytes = mem_resize(NULL, size, 1),
                                        .len = (uint32_t)len,
                                        .size = (uint32_t)size,
                                        .dynamic_count = dynamic_count};
            memcpy(item->bytes, r.at, size);
        }
        r.at += size;
    }
    return count;
}

int spool_load(struct spool *s, uint64_t from, uint64_t *first, struct spool_item **items)
{
    struct store_item i;
    struct key k;
    struct err e;
    *items = NULL;
    int rc = store_look(s->store, &e);
    if (rc < 0)
        return rc;
    chunk_key(s, s->has_loaded ? from : 0,
              &k); /* the first chunk there is may begin below head, or end there */
    s->has_loaded = true;
    rc = store_next(s->store, STORE_OUTBOX, k.bytes, k.len, sizeof s->sink, false, &i);
    while (rc == 0) {
        *first = key_get_u64(i.key, sizeof s->sink);
        rc = spool_items(&i, *first, from, items);
        if (rc != 0)
            break;
        chunk_key(s, *first, &k);
        rc = store_next(s->store, STORE_OUTBOX, k.bytes, k.len, sizeof s->sink, true, &i);
    }
    store_look_end(s->store);
    return rc;
}

void spool_key(const struct spool *s, const char *stream, uint64_t number, struct buf *out)
{
    buf_printf(out, "%s/%s/%s/%" PRIu64, s->device, s->app, stream, number);
}
