/* batch.c - what a transaction will do, as bytes; keys; and the door's common part.
 *
 * An operation is: its kind and shelf (one byte each), three lengths of four bytes, key, end of the range,
 * value. */
#include "engine/base/hash.h"
#include "engine/store/store_in.h"
#include "engine/store/usage.h"
#include <string.h>

enum { OP_PUT, OP_DROP, OP_HEAD = 14 };

void batch_open(struct store_batch *b)
{
    *b = (struct store_batch){0};
    buf_init(&b->ops, SIZE_MAX);
}

void batch_close(struct store_batch *b)
{
    buf_fini(&b->ops);
}

void batch_clear(struct store_batch *b)
{
    buf_clear(&b->ops);
    b->count = 0;
    b->relieves = false;
}

static void add(struct store_batch *b, uint8_t kind, enum store_shelf shelf, const void *const parts[3],
                const size_t lens[3])
{
    uint32_t narrow[3];
    char *at = buf_reserve(&b->ops, OP_HEAD + lens[0] + lens[1] + lens[2]);
    ASSERT(at && lens[0] && lens[0] <= STORE_KEY_MOST && lens[1] <= STORE_KEY_MOST && lens[2] <= UINT32_MAX);
    at[0] = (char)kind;
    at[1] = (char)shelf;
    for (int i = 0; i < 3; i++)
        narrow[i] = (uint32_t)lens[i];
    memcpy(at + 2, narrow, sizeof narrow);
    at += OP_HEAD;
    for (int i = 0; i < 3; i++) {
        if (lens[i])
            memcpy(at, parts[i], lens[i]);
        at += lens[i];
    }
    *at = 0;
    b->ops.len += OP_HEAD + lens[0] + lens[1] + lens[2];
    b->count++;
}

void batch_put(struct store_batch *b, enum store_shelf shelf, const void *key, size_t key_len,
               const void *bytes, size_t len)
{
    add(b, OP_PUT, shelf, (const void *[]){key, NULL, bytes}, (const size_t[]){key_len, 0, len});
}

void batch_drop_range(struct store_batch *b, enum store_shelf shelf, const void *from, size_t from_len,
                      const void *to, size_t to_len)
{
    add(b, OP_DROP, shelf, (const void *[]){from, to, NULL}, (const size_t[]){from_len, to_len, 0});
}

/* The key alone: nothing lies between it and itself with a zero byte behind. */
void batch_drop(struct store_batch *b, enum store_shelf shelf, const void *key, size_t key_len)
{
    char to[STORE_KEY_MOST + 1];
    ASSERT(key_len < STORE_KEY_MOST);
    memcpy(to, key, key_len);
    to[key_len] = 0;
    batch_drop_range(b, shelf, key, key_len, to, key_len + 1);
}

void batch_join(struct store_batch *b, const struct store_batch *from)
{
    buf_add(&b->ops, from->ops.bytes, from->ops.len);
    b->count += from->count;
}

void batch_lead(struct store_batch *b, struct store_batch *from)
{
    struct buf ops = b->ops;
    b->ops = from->ops;
    from->ops = ops;
    batch_join(b, from);
    batch_clear(from);
}

bool batch_next(const struct store_batch *b, size_t *at, struct batch_op *op)
{
    uint32_t lens[3];
    if (*at >= b->ops.len)
        return false;
    const char *p = b->ops.bytes + *at;
    memcpy(lens, p + 2, sizeof lens);
    *op = (struct batch_op){.shelf = (enum store_shelf)p[1], .is_put = p[0] == OP_PUT, .key = p + OP_HEAD};
    op->key_len = lens[0];
    op->to = p + OP_HEAD + lens[0];
    op->to_len = lens[1];
    op->bytes = p + OP_HEAD + lens[0] + lens[1];
    op->len = lens[2];
    *at += OP_HEAD + (size_t)lens[0] + lens[1] + lens[2];
    return true;
}

/* ---- keys ---- */

static void key_add(struct key *k, uint64_t v, int bytes)
{
    ASSERT(k->len + (size_t)bytes <= sizeof k->bytes);
    for (int i = bytes - 1; i >= 0; i--)
        k->bytes[k->len++] = (unsigned char)(v >> (8 * i));
}

void key_u8(struct key *k, uint8_t v)
{
    key_add(k, v, 1);
}

void key_u32(struct key *k, uint32_t v)
{
    key_add(k, v, 4);
}

void key_u64(struct key *k, uint64_t v)
{
    key_add(k, v, 8);
}

void key_text(struct key *k, const char *text)
{
    enum { TEXT_MOST = 200 };
    size_t len = strlen(text), kept = len < TEXT_MOST ? len : TEXT_MOST;
    ASSERT(k->len + kept + 8 < sizeof k->bytes);
    memcpy(k->bytes + k->len, text, kept);
    k->len += kept;
    if (kept < len)
        key_u64(k, hash_bytes(text, len, 0));
}

uint64_t key_get_u64(const void *bytes, size_t at)
{
    const unsigned char *p = (const unsigned char *)bytes + at;
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* ---- what is on disk ---- */

const char *store_shelf_name(enum store_shelf shelf)
{
    static const char *const names[STORE_SHELVES] = {"meta",  "journal", "outbox",
                                                     "state", "errors",  "tables"};
    return names[shelf];
}

uint64_t store_sum(enum store_shelf shelf, const void *key, size_t key_len, const void *bytes, size_t len)
{
    return hash_bytes(bytes, len, hash_bytes(key, key_len, 64 + (uint64_t)shelf));
}

bool store_sum_fits(enum store_shelf shelf, const void *key, size_t key_len, const void *bytes,
                    size_t len_with_sum)
{
    uint64_t sum;
    if (len_with_sum < sizeof sum)
        return false;
    size_t len = len_with_sum - sizeof sum;
    memcpy(&sum, (const char *)bytes + len, sizeof sum);
    return sum == store_sum(shelf, key, key_len, bytes, len);
}

/* ---- the door ---- */

int store_open(struct store **out, const struct store_options *options, struct err *e)
{
    return options->folder ? store_lmdb_open(out, options, e) : store_mem_open(out, options, e);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    usage_free(s->usage);
    s->backend->close(s);
}

void store_count(struct store *s, struct store_counts *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->counts;
    s->backend->count(s, out);
    pthread_mutex_unlock(&s->lock);
}

int store_own(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = s->usage || !s->backend->own ? 0 : s->backend->own(s, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

uint64_t store_used(struct store *s, enum store_shelf shelf, uint32_t owner)
{
    pthread_mutex_lock(&s->lock);
    uint64_t bytes = s->usage ? usage_get(s->usage, shelf, owner) : 0;
    pthread_mutex_unlock(&s->lock);
    return bytes;
}

int store_compact(struct store *s, const char *folder, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = s->backend->compact(s, folder, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void note(struct store *s, const struct store_batch *b)
{
    struct batch_op op;
    s->counts.commits++;
    for (size_t at = 0; batch_next(b, &at, &op);) {
        *(op.is_put ? &s->counts.puts : &s->counts.drops) += 1;
        s->counts.put_bytes += op.is_put ? op.key_len + op.len : 0;
    }
}

int store_apply(struct store *s, const struct store_batch *b, struct err *e)
{
    if (b->count == 0)
        return 0;
    pthread_mutex_lock(&s->lock);
    int rc = FAULT("store.apply");
    if (rc < 0)
        err_set(e, rc, "a failure that a test asked for");
    else
        rc = s->backend->apply(s, b, e);
    if (rc == 0)
        note(s, b);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_look(struct store *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int rc = s->backend->look(s, e);
    if (rc < 0)
        pthread_mutex_unlock(&s->lock);
    return rc;
}

void store_look_end(struct store *s)
{
    s->backend->look_end(s);
    pthread_mutex_unlock(&s->lock);
}

uint64_t store_look_number(struct store *s)
{
    return s->backend->look_number ? s->backend->look_number(s) : 0;
}

int store_get(struct store *s, enum store_shelf shelf, const void *key, size_t key_len,
              struct store_item *out)
{
    return s->backend->get(s, shelf, key, key_len, out);
}

int store_next(struct store *s, enum store_shelf shelf, const void *key, size_t key_len, size_t prefix_len,
               bool above, struct store_item *out)
{
    struct store_item found;
    int rc = s->backend->next(s, shelf, key, key_len, above, &found);
    if (rc < 0)
        return rc;
    if (found.key_len < prefix_len || memcmp(found.key, key, prefix_len) != 0)
        return ERR_NOT_FOUND;
    *out = found;
    return 0;
}
