/* keys.c - see keys.h. */
#include "engine/run/keys.h"

enum { FIRST_SLOTS = 16, CACHE_LINE = 64, LINES_NEAR = 10 };
/* A right guess adds one, a wrong one takes one away; from TRUSTED on guesses are tried. */
enum { TRUSTED = 32, TRUST_MOST = 64 };

uint32_t keys_hash(struct text *text)
{
    uint32_t hash = text_hash(text);
    hash ^= hash >> 16;
    hash *= 0x85EBCA6Bu;
    hash ^= hash >> 13;
    hash *= 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

static void text_set(struct keyed *key, struct text *text)
{
    if (text->len <= KEY_NEAR) {
        memcpy(key->text.near, text->bytes, text->len);
        key->text.near[KEY_NEAR] = (char)text->len;
    } else {
        key->text.far = value_keep(value_text(text)).as.s;
        key->text.near[KEY_NEAR] = (char)KEY_FAR;
    }
}

static void text_drop(struct keyed *key)
{
    if ((uint8_t)key->text.near[KEY_NEAR] == KEY_FAR)
        value_drop(value_text(key->text.far));
}

static inline uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

/* As text_equal: by words that may overlap. */
static inline bool is_of(const struct keyed *key, const struct text *text)
{
    const size_t len = text->len;
    const char *near = key->text.near;
    if (len > KEY_NEAR)
        return (uint8_t)near[KEY_NEAR] == KEY_FAR && text_equal(key->text.far, text);
    if ((uint8_t)near[KEY_NEAR] != len)
        return false;
    if (len >= sizeof(uint64_t))
        return word_at(near) == word_at(text->bytes) &&
               word_at(near + len - 8) == word_at(text->bytes + len - 8);
    if (len >= sizeof(uint32_t))
        return text_word(near) == text_word(text->bytes) &&
               text_word(near + len - 4) == text_word(text->bytes + len - 4);
    return text_head(text_word(near) ^ text_word(text->bytes), len) == 0;
}

void keys_init(struct keys *k, size_t bytes)
{
    ASSERT(bytes >= sizeof(struct keyed));
    *k = (struct keys){.slot_mask = FIRST_SLOTS - 1, .slots = mem_array(FIRST_SLOTS, sizeof(uint32_t))};
    blocks_init(&k->blocks, bytes);
}

void keys_fini(struct keys *k)
{
    const struct blocks *b = &k->blocks;
    for (uint32_t i = blocks_next(b, 0); i < blocks_end(b); i = blocks_next(b, i + 1))
        text_drop(blocks_at(b, i));
    blocks_fini(&k->blocks);
    mem_free(k->slots);
    *k = (struct keys){0};
}

/* What stands where a key was: no place. */
static inline uint32_t mark_of(const struct keys *k)
{
    return ~k->places;
}

static void slot_put(struct keys *k, const struct keyed *key)
{
    uint32_t at = key->hash & k->slot_mask;
    while (k->slots[at] & k->places)
        at = (at + 1) & k->slot_mask;
    k->mark_count -= k->slots[at] != 0;
    k->slots[at] = (key->hash & ~k->places) | (key->place + 1);
}

/* The index anew, without marks, half of it empty, for all places there are. */
static void index_make(struct keys *k)
{
    const struct blocks *b = &k->blocks;
    uint32_t slots = FIRST_SLOTS;
    while (slots / 2 < b->count) {
        ASSERT(slots <= UINT32_MAX / 4);
        slots *= 2;
    }
    while (k->places <= blocks_end(b)) {
        ASSERT(k->places < UINT32_MAX / 2); /* bits for a mark are left over */
        k->places = k->places * 2 + 1;
    }
    mem_free(k->slots);
    k->slots = mem_array(slots, sizeof(*k->slots));
    k->slot_mask = slots - 1;
    k->mark_count = 0;
    for (uint32_t i = blocks_next(b, 0); i < blocks_end(b); i = blocks_next(b, i + 1))
        slot_put(k, blocks_at(b, i));
}

/* An empty slot behind it says that nobody looks further; else a mark stands where it was. */
static void slot_clear(struct keys *k, const struct keyed *key)
{
    uint32_t mask = k->slot_mask, at = key->hash & mask;
    while ((k->slots[at] & k->places) != key->place + 1)
        at = (at + 1) & mask;
    if (k->slots[(at + 1) & mask]) {
        k->slots[at] = mark_of(k);
        k->mark_count++;
        return;
    }
    k->slots[at] = 0;
    for (at = (at - 1) & mask; k->slots[at] == mark_of(k); at = (at - 1) & mask) {
        k->slots[at] = 0;
        k->mark_count--;
    }
}

struct keyed *keys_add(struct keys *k, struct text *text, uint32_t hash)
{
    uint32_t place;
    struct keyed *key = blocks_new(&k->blocks, &place);
    memset(key, 0, k->blocks.bytes);
    text_set(key, text);
    key->hash = hash;
    key->place = place;
    if (UNLIKELY(k->blocks.count + k->mark_count > (k->slot_mask + 1) / 4 * 3 ||
                 blocks_end(&k->blocks) > k->places))
        index_make(k);
    else
        slot_put(k, key);
    return key;
}

void keys_remove(struct keys *k, struct keyed *key)
{
    slot_clear(k, key);
    if (k->last == key)
        k->last = NULL;
    text_drop(key);
    blocks_free(&k->blocks, key->place);
    if (k->slot_mask >= FIRST_SLOTS && k->blocks.count < k->slot_mask / 8)
        index_make(k);
}

/* All of it is going to be used. */
static inline __attribute__((always_inline)) void bring_near(const struct keys *k, const struct keyed *key)
{
    const char *at = (const char *)key;
    size_t lines = (k->blocks.bytes + CACHE_LINE - 1) / CACHE_LINE;
    if (lines > LINES_NEAR)
        lines = LINES_NEAR;
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch(at + i * CACHE_LINE, 1);
}

void keys_bring(const struct keys *k, uint32_t hash)
{
    const uint32_t mask = k->slot_mask, others = ~k->places;
    uint32_t slot;
    for (uint32_t at = hash & mask; (slot = k->slots[at]) != 0; at = (at + 1) & mask) {
        if (!((slot ^ hash) & others) && (slot & k->places)) {
            bring_near(k, blocks_at(&k->blocks, (slot & k->places) - 1));
            return;
        }
    }
}

struct keyed *keys_find(const struct keys *k, struct text *text, uint32_t hash)
{
    const uint32_t mask = k->slot_mask, others = ~k->places;
    uint32_t slot;
    for (uint32_t at = hash & mask; (slot = k->slots[at]) != 0; at = (at + 1) & mask) {
        if (((slot ^ hash) & others) || UNLIKELY(!(slot & k->places)))
            continue;
        struct keyed *key = blocks_at(&k->blocks, (slot & k->places) - 1);
        bring_near(k, key);
        if (LIKELY(key->hash == hash) && LIKELY(is_of(key, text)))
            return key;
    }
    return NULL;
}

struct keyed *keys_guess(const struct keys *k, struct text *text, uint32_t hash)
{
    if (k->trust >= TRUSTED && k->expected) {
        struct keyed *key = blocks_find(&k->blocks, k->expected - 1);
        if (LIKELY(key && key->hash == hash) && LIKELY(is_of(key, text)))
            return key;
    }
    return keys_find(k, text, hash);
}

void keys_note(struct keys *k, struct keyed *key)
{
    struct keyed *last = k->last;
    if (k->expected == key->place + 1)
        k->trust += k->trust < TRUST_MOST;
    else {
        k->trust -= k->trust > 0;
        if (last)
            last->follower = key->place + 1;
    }
    k->last = key;
    k->expected = key->follower;
    if (k->trust < TRUSTED || !k->expected)
        return;
    const struct keyed *next = blocks_find(&k->blocks, k->expected - 1), *far = NULL;
    if (LIKELY(next && next->follower))
        far = blocks_find(&k->blocks, next->follower - 1);
    if (LIKELY(far != NULL))
        bring_near(k, far);
}
