/* previous.c - see previous.h. */
#include "agent/previous.h"
#include <string.h>

enum { BATCH_BYTES = 4 * 1024 * 1024 };
static const char marks[] = "ctr"; /* durable.c: checkpoint, text, the file's text */

static void mark_key(struct key *k, char kind, uint32_t app)
{
    k->len = 0;
    key_u8(k, (uint8_t)kind);
    key_u32(k, app);
}

static int read_u32_at(struct store *s, const void *key, size_t len, uint32_t *out)
{
    struct store_item i;
    int rc = store_get(s, STORE_META, key, len, &i);
    if (rc == 0 && i.len == sizeof *out)
        memcpy(out, i.bytes, sizeof *out);
    return rc == 0 && i.len != sizeof *out ? ERR_STATE : rc;
}

static void drop_app(struct store_batch *b, enum store_shelf shelf, uint32_t app)
{
    struct key from = {.len = 0}, to = {.len = 0};
    key_u32(&from, app);
    key_u32(&to, app + 1);
    batch_drop_range(b, shelf, from.bytes, from.len, to.bytes, to.len);
}

static int apply(struct store *s, struct store_batch *b, struct err *e)
{
    int rc = store_apply(s, b, e);
    batch_clear(b);
    return rc;
}

/* ---- copying ---- */

/* Records of STATE behind *after, at most a batch of them. ERR_NOT_FOUND: that was the last. */
static int copy_some(struct store *s, uint32_t from, uint32_t to, struct key *after, struct store_batch *b,
                     struct err *e)
{
    struct store_item i;
    struct key k;
    int rc = store_look(s, e);
    if (rc < 0)
        return rc;
    while (b->ops.len < BATCH_BYTES &&
           (rc = store_next(s, STORE_STATE, after->bytes, after->len, sizeof from, true, &i)) == 0) {
        k.len = 0;
        key_u32(&k, to);
        memcpy(k.bytes + k.len, (const char *)i.key + sizeof from, i.key_len - sizeof from);
        k.len = i.key_len;
        batch_put(b, STORE_STATE, k.bytes, k.len, i.bytes, i.len);
        memcpy(after->bytes, i.key, i.key_len);
        after->len = i.key_len;
    }
    store_look_end(s);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        err_set(e, rc, "the saved state cannot be read");
    return rc;
}

/* All but the last batch is written; that one is left in b. */
static int copy_state(struct store *s, uint32_t from, uint32_t to, struct store_batch *b, struct err *e)
{
    struct key after = {.len = 0};
    int rc;
    key_u32(&after, from);
    while ((rc = copy_some(s, from, to, &after, b, e)) == 0)
        if ((rc = apply(s, b, e)) < 0)
            return rc;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int copy_marks(struct store *s, uint32_t from, uint32_t to, struct store_batch *b, struct err *e)
{
    struct store_item i;
    struct key k;
    int rc = store_look(s, e);
    if (rc < 0)
        return rc;
    for (int m = 0; marks[m] && rc == 0; m++) {
        mark_key(&k, marks[m], from);
        rc = store_get(s, STORE_META, k.bytes, k.len, &i);
        if (rc == 0) {
            mark_key(&k, marks[m], to);
            batch_put(b, STORE_META, k.bytes, k.len, i.bytes, i.len);
        }
    }
    store_look_end(s);
    return rc < 0 ? err_set(e, rc, "the marks of the saved state cannot be read") : 0;
}

/* The number of the copy: the one there was, or a new one. Its mark and what is under it go. */
static int make_place(struct store *s, uint32_t app, uint32_t *place, struct store_batch *b, struct err *e)
{
    struct key k;
    uint32_t next = 1;
    mark_key(&k, 'p', app);
    int rc = store_look(s, e);
    if (rc < 0)
        return rc;
    rc = read_u32_at(s, k.bytes, k.len, place);
    int rc_next = read_u32_at(s, "#apps", 5, &next);
    store_look_end(s);
    if ((rc < 0 && rc != ERR_NOT_FOUND) || (rc_next < 0 && rc_next != ERR_NOT_FOUND))
        return err_set(e, ERR_STATE, "the marks of the saved state cannot be read");
    if (rc == ERR_NOT_FOUND) {
        *place = next++;
        batch_put(b, STORE_META, "#apps", 5, &next, sizeof next);
    }
    batch_drop(b, STORE_META, k.bytes, k.len);
    drop_app(b, STORE_STATE, *place);
    return apply(s, b, e);
}

int previous_keep(struct store *store, uint32_t app, struct err *e)
{
    struct store_batch b;
    struct key k;
    uint32_t place = 0;
    batch_open(&b);
    int rc = make_place(store, app, &place, &b, e);
    bool is_begun = rc == 0;
    if (rc == 0)
        rc = copy_state(store, app, place, &b, e);
    if (rc == 0)
        rc = copy_marks(store, app, place, &b, e);
    if (rc == 0) {
        mark_key(&k, 'p', app);
        batch_put(&b, STORE_META, k.bytes, k.len, &place, sizeof place);
        rc = apply(store, &b, e);
    }
    if (rc < 0 && is_begun) { /* half a copy is of no use */
        struct err ignored;
        batch_clear(&b);
        drop_app(&b, STORE_STATE, place);
        b.relieves = true;
        (void)apply(store, &b, &ignored);
    }
    batch_close(&b);
    return rc;
}

/* ---- going back ---- */

int previous_app(struct store *store, const char *name, uint32_t *app, struct err *e)
{
    struct key k = {.len = 0};
    key_u8(&k, 'a');
    key_text(&k, name);
    int rc = store_look(store, e);
    if (rc < 0)
        return rc;
    rc = read_u32_at(store, k.bytes, k.len, app);
    store_look_end(store);
    return rc < 0 ? err_set(e, rc, "the state %s an app '%s'",
                            rc == ERR_NOT_FOUND ? "has nothing of" : "cannot tell the number of", name)
                  : 0;
}

static int find_copy(struct store *s, const char *name, uint32_t *app, uint32_t *place, struct buf *text,
                     struct err *e)
{
    struct store_item i;
    struct key k;
    int rc = previous_app(s, name, app, e);
    if (rc < 0 || (rc = store_look(s, e)) < 0)
        return rc;
    mark_key(&k, 'p', *app);
    rc = read_u32_at(s, k.bytes, k.len, place);
    if (rc == 0) {
        mark_key(&k, 'r', *place);
        rc = store_get(s, STORE_META, k.bytes, k.len, &i);
    }
    if (rc == 0)
        buf_add(text, i.bytes, i.len);
    store_look_end(s);
    return rc == 0               ? 0
           : rc == ERR_NOT_FOUND ? err_set(e, rc,
                                           "nothing is kept of what '%s' was before its last change: it was "
                                           "not changed, or went back already",
                                           name)
                                 : err_set(e, rc, "what is kept of '%s' cannot be read", name);
}

int previous_return(struct store *store, const char *name, struct buf *text, struct err *e)
{
    struct store_batch b;
    struct key k;
    uint32_t app = 0, place = 0;
    int rc = find_copy(store, name, &app, &place, text, e);
    if (rc < 0)
        return rc;
    batch_open(&b);
    /* Until the end the app has no checkpoint: with half of one it would not begin. */
    drop_app(&b, STORE_STATE, app);
    drop_app(&b, STORE_JOURNAL, app);
    mark_key(&k, 'c', app);
    batch_drop(&b, STORE_META, k.bytes, k.len);
    mark_key(&k, 'x', app);
    static const char words[] = "a rollback was not finished: repeat it";
    batch_put(&b, STORE_META, k.bytes, k.len, words, sizeof words - 1);
    b.relieves = true;
    rc = apply(store, &b, e);
    if (rc == 0)
        rc = copy_state(store, place, app, &b, e);
    if (rc == 0)
        rc = copy_marks(store, place, app, &b, e);
    if (rc == 0) {
        mark_key(&k, 'x', app);
        batch_drop(&b, STORE_META, k.bytes, k.len);
        mark_key(&k, 'd', app); /* what was lost was of the state that goes */
        batch_drop(&b, STORE_META, k.bytes, k.len);
        mark_key(&k, 'g', app);
        batch_drop(&b, STORE_META, k.bytes, k.len);
        mark_key(&k, 'b', app);
        batch_put(&b, STORE_META, k.bytes, k.len, "b", 1);
        mark_key(&k, 'p', app);
        batch_drop(&b, STORE_META, k.bytes, k.len);
        for (int m = 0; marks[m]; m++) {
            mark_key(&k, marks[m], place);
            batch_drop(&b, STORE_META, k.bytes, k.len);
        }
        drop_app(&b, STORE_STATE, place);
        b.relieves = true;
        rc = apply(store, &b, e);
    }
    batch_close(&b);
    return rc;
}
