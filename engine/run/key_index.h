/* key_index.h - the rows of a table by a key that is one column of text: what a lookup looks at first. The
 * keys themselves are kept elsewhere (table_key.c); a row may be missing here, and then the answer is that it
 * isn't known.
 *
 * A text of one to eight bytes is its own mark: the bytes as one word. Of a longer one the mark is a hash,
 * and the row is told apart (IS_LONG). A mark leads to one set of four places, one line of the cache, and all
 * four are compared without a branch: which of them has it is what no processor can guess.
 *
 * Law: a key whose row is not in its set is either in no table, or the set is full, or is_partial is set. So
 * a place once taken in a full set stays taken, without row. On the worker only. */
#ifndef WEIR_RUN_KEY_INDEX_H
#define WEIR_RUN_KEY_INDEX_H

#include "engine/data/row.h"

enum { KEY_SET_PLACES = 4, KEY_SHORT = 8 };
struct key_set {
    uint64_t marks[KEY_SET_PLACES]; /* 0: never taken, and none behind it is */
    uintptr_t rows[KEY_SET_PLACES]; /* borrowed, and KEY_IS_LONG; 0: none */
};
#define KEY_IS_LONG ((uintptr_t)1)
struct key_index {
    struct key_set *sets; /* NULL: nothing is in it */
    void *block;          /* they lie in it */
    unsigned shift;       /* 64 less the bits of their number */
    uint32_t count, most; /* places taken; so many make it grow */
    bool is_partial;      /* a row is missing though its set has room */
    uint16_t column;
};

static inline uint32_t text_word_low(const char *p) /* the first byte lowest */
{
    uint32_t word = text_word(p);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}
/* 0: the text can't stand in the index. The last byte of a short one is the highest, so a mark tells the
 * length too, unless the text begins with NUL. */
static inline __attribute__((always_inline)) uint64_t key_mark(struct text *t)
{
    const uint32_t len = t->len;
    if (UNLIKELY(len - 1 >= KEY_SHORT))
        return len ? text_hash(t) * UINT64_C(0x9E3779B97F4A7C15) | 1 : 0;
    /* Two words that may overlap. The first one has all of a text of four bytes at most, and then the other
     * is not looked at: by arithmetic, for lengths are mixed. */
    const uint64_t first = (uint64_t)text_word_low(t->bytes) << (64 - 8 * len);
    const uint64_t is_tiny = 0 - (uint64_t)(len < 4);
    const uint64_t last = (uint64_t)text_word_low(t->bytes + ((len - 4) & ~(uint32_t)is_tiny)) << 32;
    const uint64_t mark = (uint32_t)first | (first & is_tiny) | (last & ~is_tiny);
    return LIKELY(t->bytes[0] != 0) ? mark : 0;
}
static inline const struct key_set *key_set_of(const struct key_index *ix, uint64_t mark)
{
    return &ix->sets[(mark ^ mark >> 32) * UINT64_C(0x9FB21C651E98DF25) >> ix->shift];
}

static inline uintptr_t key_place(const struct key_set *set, int at, uint64_t mark)
{
    return set->rows[at] & (0 - (uintptr_t)(set->marks[at] == mark));
}

enum key_answer { KEY_FOUND, KEY_NONE, KEY_UNKNOWN };
/* When sets are there. */
static inline __attribute__((always_inline)) enum key_answer
key_index_find(const struct key_index *ix, struct text *want, struct row **row)
{
    const uint64_t mark = key_mark(want);
    const struct key_set *set = key_set_of(ix, mark);
    const uintptr_t found =
        key_place(set, 0, mark) | key_place(set, 1, mark) | key_place(set, 2, mark) | key_place(set, 3, mark);
    if (UNLIKELY(found == 0 || mark == 0))
        return mark == 0 || ix->is_partial || set->marks[KEY_SET_PLACES - 1] ? KEY_UNKNOWN : KEY_NONE;
    *row = (struct row *)(found & ~KEY_IS_LONG);
    if (LIKELY(want->len <= KEY_SHORT))
        return LIKELY(!(found & KEY_IS_LONG)) ? KEY_FOUND : KEY_UNKNOWN;
    return (found & KEY_IS_LONG) && text_equal(row_cells(*row)[ix->column].s, want) ? KEY_FOUND : KEY_UNKNOWN;
}

void key_index_init(struct key_index *ix, uint16_t column);
void key_index_fini(struct key_index *ix);
/* Room for one of count rows that are to be in it; true: it was made anew, empty, and all are to be put
 * again. */
bool key_index_room(struct key_index *ix, uint64_t count);
/* The row's column is text, and no row of this key is in. */
void key_index_put(struct key_index *ix, struct row *row);
/* Other, of the same key, stands for row, if row is in. */
void key_index_exchange(struct key_index *ix, const struct row *row, const struct row *other);
/* The row isn't under its key any more, or not findable there. */
void key_index_remove(struct key_index *ix, const struct row *row);
/* A row that is under its key is missing. */
static inline void key_index_miss(struct key_index *ix)
{
    ix->is_partial = true;
}

#endif
