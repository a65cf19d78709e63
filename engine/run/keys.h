/* keys.h - the keys of a partition: from a text to the block that holds all there is of it.
 *
 * The index is open addressing over words of 32 bits: the block's number, and as much of the hash as there is
 * room for beside it; eight megabytes for a million keys. Blocks are those of blocks.h, each with a struct
 * keyed in front.
 *
 * Devices that report in rounds come in the same order each time. So a key remembers which one came after it,
 * and as long as that proves right, the next key is found without the index, and the one behind it is brought
 * near meanwhile.
 *
 * Laws: (1) one block a text; (2) a short text is in the block itself, a long one held counted; (3) a block
 * doesn't move. Owned by a partition; single-threaded. */
#ifndef WEIR_RUN_KEYS_H
#define WEIR_RUN_KEYS_H

#include "engine/base/blocks.h"
#include "engine/data/value.h"

enum { KEY_NEAR = 15, KEY_FAR = 255 };
struct keyed {
    union {
        char near[KEY_NEAR +
                  1]; /* the text, when it is no longer than that; behind it its length, or KEY_FAR */
        struct text *far;
    } text;
    uint32_t hash, place; /* of the text, spread; of the block */
    uint32_t follower;    /* place + 1 of the key that came after this one, the last time; 0: not known */
    uint32_t mark;        /* its owner's */
};
struct keys {
    struct blocks blocks;
    /* place + 1, under the upper bits of the hash. No place: 0, empty; else a mark that one was there */
    uint32_t *slots;
    uint32_t slot_mask, places; /* slots less one; the bits of a slot that are a place */
    uint32_t mark_count;
    struct keyed *last; /* that was asked for; NULL: none, or gone */
    uint32_t expected;  /* its follower */
    uint32_t trust;     /* how well that has gone */
};

void keys_init(struct keys *k, size_t bytes); /* of a block */
void keys_fini(struct keys *k);               /* of all keys the owner has ended what lies behind keyed */
/* The bytes of its text. */
static inline const char *keyed_text(const struct keyed *key, size_t *len)
{
    const uint8_t near_len = (uint8_t)key->text.near[KEY_NEAR];
    *len = near_len == KEY_FAR ? key->text.far->len : near_len;
    return near_len == KEY_FAR ? key->text.far->bytes : key->text.near;
}
struct keyed *keys_add(struct keys *k, struct text *text,
                       uint32_t hash); /* it isn't in; zeroed but for keyed */
void keys_remove(struct keys *k, struct keyed *key);
/* NULL: it isn't in. */
struct keyed *keys_find(const struct keys *k, struct text *text, uint32_t hash);
uint32_t keys_hash(struct text *text);
/* As keys_find, for an event that came with this key; keys_note says which it was. */
struct keyed *keys_guess(const struct keys *k, struct text *text, uint32_t hash);
void keys_note(struct keys *k, struct keyed *key);

/* For a key that is going to be asked for soon: its slot is brought near, and a little later its block. */
static inline void keys_expect(const struct keys *k, uint32_t hash)
{
    __builtin_prefetch(&k->slots[hash & k->slot_mask]);
}
void keys_bring(const struct keys *k, uint32_t hash);

static inline uint32_t keys_count(const struct keys *k)
{
    return k->blocks.count;
}

#endif
