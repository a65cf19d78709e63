/* keeper.c - see keeper.h. */
#include "agent/keeper.h"
#include <string.h>

static void key_of(const struct keeper *k, struct key *key, const void *bytes, size_t len)
{
    key->len = 0;
    key_u32(key, k->app);
    ASSERT(len < STORE_KEY_MOST - key->len);
    if (len)
        memcpy(key->bytes + key->len, bytes, len);
    key->len += len;
}

static void on_put(void *user, const void *bytes, size_t key_len, const void *value, size_t len)
{
    struct keeper *k = user;
    struct key key;
    key_of(k, &key, bytes, key_len);
    batch_put(k->batch, STORE_STATE, key.bytes, key.len, value, len);
}

static void on_drop(void *user, const void *from, size_t from_len, const void *to, size_t to_len)
{
    struct keeper *k = user;
    struct key low, high;
    key_of(k, &low, from, from_len);
    key_of(k, &high, to, to_len);
    batch_drop_range(k->batch, STORE_STATE, low.bytes, low.len, high.bytes, high.len);
}

/* Copies what a look found, the key first; ends the look. */
static int lend(struct keeper *k, int rc, const struct store_item *found)
{
    buf_clear(&k->lent);
    if (rc == 0) {
        buf_add(&k->lent, found->key, found->key_len);
        buf_add(&k->lent, found->bytes, found->len);
    }
    store_look_end(k->store);
    return rc;
}

static int on_get(void *user, const void *bytes, size_t key_len, const void **value, size_t *len)
{
    struct keeper *k = user;
    struct key key;
    struct store_item found = {0};
    struct err e;
    key_of(k, &key, bytes, key_len);
    int rc = store_look(k->store, &e);
    if (rc < 0)
        return rc;
    rc = lend(k, store_get(k->store, STORE_STATE, key.bytes, key.len, &found), &found);
    *value = rc == 0 ? k->lent.bytes + found.key_len : NULL;
    *len = found.len;
    return rc;
}

static int on_next(void *user, const void *prefix, size_t prefix_len, const void *above, size_t above_len,
                   const void **bytes, size_t *key_len, const void **value, size_t *len)
{
    struct keeper *k = user;
    struct key key;
    struct store_item found = {0};
    struct err e;
    size_t app = sizeof k->app;
    key_of(k, &key, above ? above : prefix, above ? above_len : prefix_len);
    int rc = store_look(k->store, &e);
    if (rc < 0)
        return rc;
    rc = lend(k,
              store_next(k->store, STORE_STATE, key.bytes, key.len, app + prefix_len, above != NULL, &found),
              &found);
    if (rc < 0)
        return rc;
    *bytes = k->lent.bytes + app;
    *key_len = found.key_len - app;
    *value = k->lent.bytes + found.key_len;
    *len = found.len;
    return 0;
}

void keeper_init(struct keeper *k, struct store *store, struct store_batch *batch, uint32_t app)
{
    *k = (struct keeper){.store = store, .batch = batch, .app = app};
    k->home = (struct state_home){.user = k, .put = on_put, .drop = on_drop, .get = on_get, .next = on_next};
    buf_init(&k->lent, SIZE_MAX);
}

void keeper_fini(struct keeper *k)
{
    buf_fini(&k->lent);
}
