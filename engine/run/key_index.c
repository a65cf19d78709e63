/* key_index.c - see key_index.h. */
#include "engine/run/key_index.h"

enum { LINE = 64, FIRST_SETS_BITS = 2, SETS_BITS_MOST = 28, ROWS_PER_SET = 2 };

void key_index_init(struct key_index *ix, uint16_t column)
{
    *ix = (struct key_index){.column = column};
}

void key_index_fini(struct key_index *ix)
{
    mem_free(ix->block);
    *ix = (struct key_index){.column = ix->column};
}

bool key_index_room(struct key_index *ix, uint64_t count)
{
    unsigned bits = FIRST_SETS_BITS;
    if (ix->count < ix->most)
        return false;
    /* Places that stay taken are given back too, so their number says nothing of the size. */
    while (bits < SETS_BITS_MOST && (UINT64_C(3) << bits) / 2 < count)
        bits++;
    size_t sets = (size_t)1 << bits;
    key_index_fini(ix);
    ix->block = mem_array(sets + 1, sizeof(struct key_set));
    ix->sets = (struct key_set *)(((uintptr_t)ix->block + LINE - 1) & ~(uintptr_t)(LINE - 1));
    ix->shift = 64 - bits;
    ix->most = bits < SETS_BITS_MOST ? (uint32_t)(sets * ROWS_PER_SET) : UINT32_MAX;
    return true;
}

static uint64_t row_mark(const struct key_index *ix, const struct row *row, uintptr_t *held)
{
    struct text *t = row_cells(row)[ix->column].s;
    *held = (uintptr_t)row | (t->len > KEY_SHORT ? KEY_IS_LONG : 0);
    return key_mark(t);
}

void key_index_put(struct key_index *ix, struct row *row)
{
    uintptr_t held;
    uint64_t mark = row_mark(ix, row, &held);
    struct key_set *set = (struct key_set *)(uintptr_t)key_set_of(ix, mark);
    int at = -1;
    for (int i = 0; i < KEY_SET_PLACES; i++) {
        if (set->rows[i] && set->marks[i] == mark) {
            ix->is_partial = true;
            return;
        }
        if (!set->rows[i] && at < 0)
            at = i;
    }
    if (mark == 0)
        ix->is_partial = true;
    if (mark == 0 || at < 0)
        return;
    ix->count += set->marks[at] == 0;
    set->marks[at] = mark;
    set->rows[at] = held;
}

void key_index_exchange(struct key_index *ix, const struct row *row, const struct row *other)
{
    uintptr_t held;
    uint64_t mark = row_mark(ix, row, &held);
    struct key_set *set = ix->sets ? (struct key_set *)(uintptr_t)key_set_of(ix, mark) : NULL;
    for (int i = 0; set && i < KEY_SET_PLACES; i++) {
        if (set->rows[i] == held)
            set->rows[i] = (uintptr_t)other | (held & KEY_IS_LONG);
    }
}

void key_index_remove(struct key_index *ix, const struct row *row)
{
    uintptr_t held;
    uint64_t mark = row_mark(ix, row, &held);
    struct key_set *set = ix->sets ? (struct key_set *)(uintptr_t)key_set_of(ix, mark) : NULL;
    for (int i = 0; set && i < KEY_SET_PLACES; i++) {
        if (set->rows[i] != held)
            continue;
        set->rows[i] = 0;
        if (set->marks[KEY_SET_PLACES - 1])
            return;
        /* The places taken stand first. */
        int last = i;
        while (set->marks[last + 1])
            last++;
        set->marks[i] = set->marks[last];
        set->rows[i] = set->rows[last];
        set->marks[last] = 0;
        set->rows[last] = 0;
        ix->count--;
        return;
    }
}
