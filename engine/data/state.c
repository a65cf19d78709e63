/* state.c - see state.h. Keys: 'P' and the part's name; 'Q', group, number (both big-endian). Every value
 * begins with eight bytes: the hash of what follows. A part then says whether it stands there whole ('w') or
 * is a list of chunks ('c'): their group, and of each its number and length. */
#include "engine/data/state.h"
#include "engine/base/hash.h"
#include "engine/base/map.h"
#include "engine/base/mem.h"
#include "engine/data/chunks.h"
#include <string.h>

enum { CHECKSUM = 8, PIECE_KEY = 17, PART_NAME_MOST = 240, PART_KEY_MOST = PART_NAME_MOST + 1 };
#ifdef WEIR_DEBUG
enum { CHUNKED_FROM = 256 }; /* so that small tests meet what big states do */
#else
enum { CHUNKED_FROM = 64 * 1024 };
#endif
enum { PART_WHOLE = 'w', PART_CHUNKED = 'c' };

struct part {
    uint64_t hash;
    bool seen;            /* in this checkpoint */
    struct chunks chunks; /* when it is big */
};
struct state {
    const struct state_home *home; /* while a checkpoint or a restore is under way */
    uint64_t next_group, written;
    uint64_t ahead;     /* bytes given to the home between checkpoints */
    struct map parts;   /* name -> struct part: as last written */
    struct map claimed; /* in a restore: groups that somebody loaded */
    struct buf
        later; /* puts and drops between checkpoints: kind, group, number or from, to or length, bytes */
    struct buf piece; /* checksum and bytes of what is being put */
    struct buf part;  /* what is being loaded: the home lends its own for one call only */
    char *failure;    /* owned; NULL: none */
    bool restores;
    struct buf suspects; /* in a restore: from and to of each range of groups that may lack a piece */
};

struct state *state_new(void)
{
    struct state *s = mem_alloc(sizeof *s);
    s->next_group = 1;
    map_init(&s->parts);
    map_init(&s->claimed);
    buf_init(&s->later, SIZE_MAX);
    buf_init(&s->piece, SIZE_MAX);
    buf_init(&s->part, SIZE_MAX);
    buf_init(&s->suspects, SIZE_MAX);
    return s;
}

static void part_free(struct part *p)
{
    chunks_fini(&p->chunks);
    mem_free(p);
}

static void parts_forget(struct state *s)
{
    struct map_entry *e;
    for (uint32_t at = 0; map_next(&s->parts, &at, &e);)
        part_free(e->value);
    map_fini(&s->parts);
}

void state_free(struct state *s)
{
    if (!s)
        return;
    parts_forget(s);
    map_fini(&s->claimed);
    buf_fini(&s->later);
    buf_fini(&s->piece);
    buf_fini(&s->part);
    buf_fini(&s->suspects);
    mem_free(s->failure);
    mem_free(s);
}

/* ---- keys ---- */

static void big_endian(unsigned char *to, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(v >> (56 - 8 * i));
}

static uint64_t from_big_endian(const void *bytes)
{
    const unsigned char *p = bytes;
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static void piece_key(unsigned char *key, uint64_t group, uint64_t number)
{
    key[0] = 'Q';
    big_endian(key + 1, group);
    big_endian(key + 9, number);
}

static size_t part_key(char *key, const char *name)
{
    size_t len = strlen(name);
    key[0] = 'P';
    if (len <= PART_NAME_MOST) {
        memcpy(key + 1, name, len);
        return len + 1;
    }
    memcpy(key + 1, name, PART_NAME_MOST - 8);
    big_endian((unsigned char *)key + 1 + PART_NAME_MOST - 8, hash_bytes(name, len, 0));
    return PART_NAME_MOST + 1;
}

/* ---- pieces ---- */

uint64_t state_group(struct state *s)
{
    return s->next_group++;
}

static void put_checked(struct state *s, const void *key, size_t key_len, const void *bytes, size_t len,
                        uint64_t hash)
{
    unsigned char sum[CHECKSUM];
    big_endian(sum, hash);
    buf_clear(&s->piece);
    buf_add(&s->piece, sum, CHECKSUM);
    buf_add(&s->piece, bytes, len);
    s->home->put(s->home->user, key, key_len, s->piece.bytes, s->piece.len);
    s->written += key_len + s->piece.len;
}

static void put_now(struct state *s, uint64_t group, uint64_t number, const void *bytes, size_t len)
{
    unsigned char key[PIECE_KEY];
    piece_key(key, group, number);
    put_checked(s, key, sizeof key, bytes, len, hash_bytes(bytes, len, number));
}

static void drop_now(struct state *s, uint64_t group, uint64_t from, uint64_t to)
{
    unsigned char low[PIECE_KEY], high[PIECE_KEY];
    piece_key(low, group, from);
    piece_key(high, to == UINT64_MAX ? group + 1 : group, to == UINT64_MAX ? 0 : to);
    s->home->drop(s->home->user, low, sizeof low, high, sizeof high);
}

static void keep(struct state *s, char kind, uint64_t group, uint64_t a, uint64_t b, const void *bytes)
{
    buf_add_char(&s->later, kind);
    buf_add(&s->later, &group, sizeof group);
    buf_add(&s->later, &a, sizeof a);
    buf_add(&s->later, &b, sizeof b);
    if (bytes)
        buf_add(&s->later, bytes, b);
}

void state_put(struct state *s, uint64_t group, uint64_t number, const void *bytes, size_t len)
{
    if (s->home && !s->restores)
        put_now(s, group, number, bytes, len);
    else
        keep(s, 'p', group, number, len, len ? bytes : "");
}

void state_drop(struct state *s, uint64_t group, uint64_t from, uint64_t to)
{
    if (from >= to)
        return;
    if (s->home && !s->restores)
        drop_now(s, group, from, to);
    else
        keep(s, 'd', group, from, to, NULL);
}

void state_end(struct state *s, uint64_t group)
{
    state_drop(s, group, 0, UINT64_MAX);
}

static void flush_later(struct state *s)
{
    uint64_t n[3];
    for (size_t at = 0; at < s->later.len;) {
        const char *p = s->later.bytes + at;
        memcpy(n, p + 1, sizeof n);
        at += 1 + sizeof n;
        if (*p == 'd') {
            drop_now(s, n[0], n[1], n[2]);
        } else {
            put_now(s, n[0], n[1], p + 1 + sizeof n, n[2]);
            at += n[2];
        }
    }
    buf_clear(&s->later);
}

static bool fail(struct state *s, const char *words)
{
    if (!s->failure)
        s->failure = mem_strdup(words);
    return false;
}

static bool is_suspect(const struct state *s, uint64_t group)
{
    uint64_t range[2];
    for (size_t at = 0; at + sizeof range <= s->suspects.len; at += sizeof range) {
        memcpy(range, s->suspects.bytes + at, sizeof range);
        if (group >= range[0] && group <= range[1])
            return true;
    }
    return false;
}

bool state_next(struct state *s, uint64_t group, bool is_first, struct state_piece *piece)
{
    unsigned char prefix[PIECE_KEY], above[PIECE_KEY];
    const void *key, *bytes;
    size_t key_len, len;
    if (!s->home || s->failure)
        return false;
    piece_key(prefix, group, 0);
    piece_key(above, group, piece->number);
    if (is_first)
        map_put(&s->claimed, prefix + 1, 8, s);
    if (is_first && s->suspects.len && is_suspect(s, group))
        return fail(s, "a piece of it is lost");
    int rc = s->home->next(s->home->user, prefix, 9, is_first ? NULL : above, is_first ? 0 : sizeof above,
                           &key, &key_len, &bytes, &len);
    if (rc == ERR_NOT_FOUND)
        return false;
    if (rc < 0 || key_len != PIECE_KEY || len < CHECKSUM)
        return fail(s, "a piece of the saved state cannot be read");
    piece->number = from_big_endian((const char *)key + 9);
    const uint8_t *body = (const uint8_t *)bytes + CHECKSUM;
    if (hash_bytes(body, len - CHECKSUM, piece->number) != from_big_endian(bytes))
        return fail(s, "a piece of the saved state is damaged: its checksum is wrong");
    piece->reader = (struct reader){.at = body, .end = body + (len - CHECKSUM), .state = s};
    return true;
}

bool state_get(struct state *s, uint64_t group, uint64_t number, struct reader *out)
{
    unsigned char key[PIECE_KEY];
    const void *bytes;
    size_t len;
    piece_key(key, group, number);
    map_put(&s->claimed, key + 1, 8, s);
    if (s->suspects.len && is_suspect(s, group))
        return fail(s, "a piece of it is lost");
    if (s->home->get(s->home->user, key, sizeof key, &bytes, &len) < 0 || len < CHECKSUM)
        return false;
    const uint8_t *body = (const uint8_t *)bytes + CHECKSUM;
    *out = (struct reader){.at = body, .end = body + (len - CHECKSUM), .state = s};
    return hash_bytes(body, len - CHECKSUM, number) == from_big_endian(bytes);
}

bool state_failed(const struct state *s)
{
    return s->failure != NULL;
}

const char *state_words(const struct state *s)
{
    return s->failure;
}

/* ---- a checkpoint ---- */

static void counters(struct state *s)
{
    struct writer w = {0};
    buf_init(&w.out, SIZE_MAX);
    write_i64(&w, (int64_t)s->next_group);
    state_part(s, "", &w.out);
    buf_fini(&w.out);
}

void state_begin(struct state *s, const struct state_home *home)
{
    struct map_entry *e;
    ASSERT(!s->home);
    s->home = home;
    s->written = s->ahead;
    s->ahead = 0;
    for (uint32_t at = 0; map_next(&s->parts, &at, &e);)
        ((struct part *)e->value)->seen = false;
    flush_later(s);
}

void state_begin_ahead(struct state *s, const struct state_home *home)
{
    ASSERT(!s->home);
    s->home = home;
    s->written = s->ahead;
    flush_later(s);
}

void state_end_ahead(struct state *s)
{
    s->ahead = s->written;
    s->home = NULL;
}

/* The part of this name, made when it is new. */
static struct part *part_need(struct state *s, const char *key, size_t key_len)
{
    struct part *p = map_get(&s->parts, key, key_len);
    if (!p) {
        p = mem_alloc(sizeof *p);
        map_put(&s->parts, key, key_len, p);
    }
    return p;
}

static uint64_t name_seed(const char *name)
{
    return hash_bytes(name, strlen(name), 1);
}

/* Writes what stands under the part's name, unless it stands there already. */
static void put_part(struct state *s, struct part *p, const char *name, char kind, const void *bytes,
                     size_t len)
{
    char key[PART_KEY_MOST];
    size_t key_len = part_key(key, name);
    buf_clear(&s->part);
    buf_add_char(&s->part, kind);
    buf_add(&s->part, bytes, len);
    uint64_t hash = hash_bytes(s->part.bytes, s->part.len, name_seed(name));
    if (p->hash != hash)
        put_checked(s, key, key_len, s->part.bytes, s->part.len, hash);
    p->hash = hash;
}

void state_part(struct state *s, const char *name, const struct buf *bytes)
{
    char key[PART_KEY_MOST];
    struct part *p = part_need(s, key, part_key(key, name));
    struct writer list = {0};
    p->seen = true;
    if (bytes->len < CHUNKED_FROM) {
        chunks_end(&p->chunks, s);
        put_part(s, p, name, PART_WHOLE, bytes->bytes ? bytes->bytes : "", bytes->len);
        return;
    }
    buf_init(&list.out, SIZE_MAX);
    chunks_save(&p->chunks, s, bytes->bytes, bytes->len, &list);
    put_part(s, p, name, PART_CHUNKED, list.out.bytes, list.out.len);
    buf_fini(&list.out);
}

void state_finish(struct state *s)
{
    struct map_entry *e;
    counters(s);
    for (uint32_t at = 0; map_next(&s->parts, &at, &e);) {
        struct part *p = e->value;
        if (p->seen)
            continue;
        char to[PART_KEY_MOST + 1];
        memcpy(to, e->key, e->len);
        to[e->len] = 0;
        s->home->drop(s->home->user, e->key, e->len, to, e->len + 1U);
        map_remove(&s->parts, e->key, e->len);
        chunks_end(&p->chunks, s);
        part_free(p);
    }
    s->home = NULL;
}

uint64_t state_written(const struct state *s)
{
    return s->written;
}

/* ---- a restore ---- */

void state_open(struct state *s, const struct state_home *home)
{
    struct reader r;
    struct err e;
    s->home = home;
    s->restores = true;
    parts_forget(s);
    map_init(&s->parts);
    if (state_read(s, "", &r, &e) == 0)
        s->next_group = (uint64_t)read_i64(&r);
}

void state_suspect(struct state *s, uint64_t from, uint64_t to)
{
    buf_add(&s->suspects, &from, sizeof from);
    buf_add(&s->suspects, &to, sizeof to);
}

void state_forgive(struct state *s)
{
    mem_free(s->failure);
    s->failure = NULL;
}

static int damaged(const char *name, struct err *e)
{
    return err_set(e, ERR_STATE, "the saved state of '%s' is damaged: its checksum is wrong", name);
}

/* What the list of a part says, in its place. */
static int read_chunks(struct state *s, struct part *p, const char *name, struct err *e)
{
    struct buf list = s->part;
    buf_init(&s->part, SIZE_MAX);
    struct reader r = {.at = (const uint8_t *)list.bytes + 1, .end = (const uint8_t *)list.bytes + list.len};
    bool good = chunks_load(&p->chunks, s, &r, &s->part);
    buf_fini(&list);
    return good ? 0 : damaged(name, e);
}

int state_read(struct state *s, const char *name, struct reader *out, struct err *e)
{
    char key[PART_KEY_MOST];
    const void *bytes;
    size_t len, key_len = part_key(key, name);
    int rc = s->home->get(s->home->user, key, key_len, &bytes, &len);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "there is no saved state of '%s'", name);
    if (rc < 0)
        return err_set(e, rc, "the saved state of '%s' cannot be read", name);
    const uint8_t *body = (const uint8_t *)bytes + CHECKSUM;
    if (len < CHECKSUM || hash_bytes(body, len - CHECKSUM, name_seed(name)) != from_big_endian(bytes))
        return damaged(name, e);
    struct part *p = part_need(s, key, key_len);
    p->hash = from_big_endian(bytes);
    buf_clear(&s->part);
    buf_add(&s->part, body, len - CHECKSUM);
    char kind = len > CHECKSUM ? s->part.bytes[0] : PART_WHOLE;
    if (kind == PART_CHUNKED && (rc = read_chunks(s, p, name, e)) < 0)
        return rc;
    *out = (struct reader){.at = (const uint8_t *)s->part.bytes, .state = s};
    out->end = out->at + s->part.len;
    out->at += kind == PART_WHOLE && s->part.len; /* another: of an older format, and its owner says so */
    return 0;
}

/* The key of the next part that nobody read, behind above (*len bytes of it; 0: the first), into above with a NUL
 * behind it. False: there is none. */
static bool next_unread(struct state *s, char above[PART_KEY_MOST + 1], size_t *len)
{
    const void *key, *bytes;
    size_t key_len, bytes_len;
    const char prefix = 'P';
    while (s->home->next(s->home->user, &prefix, 1, *len ? above : NULL, *len, &key, &key_len, &bytes,
                         &bytes_len) == 0 &&
           key_len <= PART_KEY_MOST) {
        memcpy(above, key, key_len);
        above[key_len] = 0;
        *len = key_len;
        if (!map_get(&s->parts, above, key_len))
            return true;
    }
    return false;
}

void state_each_unread(struct state *s, void (*fn)(void *user, const char *name), void *user)
{
    char above[PART_KEY_MOST + 1];
    size_t len = 0;
    while (next_unread(s, above, &len))
        fn(user, above + 1);
}

/* Parts that nobody read and groups that nobody claimed belong to what is no longer there: they go with the
 * next checkpoint. */
void state_shut(struct state *s)
{
    const void *key, *bytes;
    size_t key_len, len;
    char above[PART_KEY_MOST + 1];
    size_t above_len = 0;
    while (next_unread(s, above, &above_len))
        map_put(&s->parts, above, above_len, mem_alloc(sizeof(struct part)));
    const char prefix = 'Q';
    above_len = 0;
    while (s->home->next(s->home->user, &prefix, 1, above_len ? above : NULL, above_len, &key, &key_len,
                         &bytes, &len) == 0 &&
           key_len == PIECE_KEY) {
        uint64_t group = from_big_endian((const char *)key + 1);
        memcpy(above, key, 9);
        memset(above + 9, 0xFF, 8);
        above_len = PIECE_KEY;
        if (!map_get(&s->claimed, above + 1, 8))
            keep(s, 'd', group, 0, UINT64_MAX, NULL);
    }
    struct map_entry *e;
    for (uint32_t at = 0; map_next(&s->claimed, &at, &e);) { /* the counter itself may be what was lost */
        uint64_t group = from_big_endian(e->key);
        if (group >= s->next_group && group < UINT64_MAX / 2)
            s->next_group = group + 1;
    }
    map_fini(&s->claimed);
    map_init(&s->claimed);
    buf_clear(&s->suspects);
    s->home = NULL;
    s->restores = false;
}
