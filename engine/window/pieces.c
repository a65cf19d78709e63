/* pieces.c - see pieces.h. */
#include "engine/window/pieces.h"
#include "engine/base/mem.h"
#include <string.h>

enum { PIECE_ENTRIES = 4096, PIECE_BYTES = 128 * 1024 };

/* Entries [start of the first, saved_to) stand in pieces of the group, each under the number of its first
 * entry. */
struct pieces {
    struct state *state; /* the app's, and longer there than the window */
    uint64_t group, saved_to;
    uint64_t *starts; /* of the pieces, oldest first, from `first` */
    uint32_t first, count, cap;
    bool is_worthless;
};

static struct pieces *pieces_new(struct state *s, uint64_t group)
{
    struct pieces *p = mem_alloc(sizeof *p);
    p->state = s;
    p->group = group;
    return p;
}

void pieces_end(struct pieces **at)
{
    struct pieces *p = *at;
    if (!p)
        return;
    state_end(p->state, p->group);
    mem_free(p->starts);
    mem_free(p);
    *at = NULL;
}

void pieces_forget(struct pieces *p)
{
    if (p)
        p->is_worthless = true;
}

static void add_start(struct pieces *p, uint64_t start)
{
    if (p->first + p->count == p->cap) {
        if (p->first > p->count) {
            memmove(p->starts, p->starts + p->first, p->count * sizeof *p->starts);
            p->first = 0;
        } else {
            p->cap = p->cap ? p->cap * 2 : 8;
            p->starts = mem_resize(p->starts, p->cap, sizeof *p->starts);
        }
    }
    p->starts[p->first + p->count++] = start;
}

/* Pieces whose entries have all left. */
static void drop_left(struct pieces *p, uint64_t taken)
{
    uint64_t from = p->count ? p->starts[p->first] : 0;
    while (p->count && (p->count > 1 ? p->starts[p->first + 1] : p->saved_to) <= taken) {
        p->first++;
        p->count--;
    }
    uint64_t to = p->count ? p->starts[p->first] : p->saved_to;
    if (from < to)
        state_drop(p->state, p->group, from, to);
}

static void write_new(struct pieces *p, uint64_t taken, uint32_t count, const struct pieces_owner *owner)
{
    struct writer w = {0};
    uint64_t end = taken + count, number = p->saved_to < taken ? taken : p->saved_to;
    buf_init(&w.out, SIZE_MAX);
    while (number < end) {
        uint64_t start = number;
        buf_clear(&w.out);
        for (; number < end && number - start < PIECE_ENTRIES && w.out.len < PIECE_BYTES; number++)
            owner->write(owner->user, &w, (uint32_t)(number - taken), number == start);
        state_put(p->state, p->group, start, w.out.bytes ? w.out.bytes : "", w.out.len);
        add_start(p, start);
    }
    p->saved_to = end;
    buf_fini(&w.out);
}

void pieces_save(struct pieces **at, struct writer *w, uint64_t taken, uint32_t count,
                 const struct pieces_owner *owner)
{
    struct pieces *p = *at;
    if (!p) {
        p = *at = pieces_new(w->state, state_group(w->state));
        p->saved_to = taken;
    }
    if (p->is_worthless) {
        state_end(p->state, p->group);
        p->first = p->count = 0;
        p->saved_to = taken;
        p->is_worthless = false;
    }
    drop_left(p, taken);
    write_new(p, taken, count, owner);
    write_i64(w, (int64_t)p->group);
    write_i64(w, (int64_t)taken);
    write_u32(w, count);
}

static bool load_piece(struct state_piece *piece, uint64_t taken, uint64_t *number, uint64_t end,
                       const struct pieces_owner *owner)
{
    bool good = piece->number == *number || (piece->number < *number && *number == taken);
    *number = piece->number;
    for (bool begins = true; good && *number < end && (piece->reader.at < piece->reader.end);
         begins = false, ++*number)
        good = owner->read(owner->user, &piece->reader, begins, *number >= taken);
    if (owner->end)
        owner->end(owner->user);
    return good && !piece->reader.failed && piece->reader.at == piece->reader.end;
}

int pieces_load(struct pieces **at, struct reader *r, uint64_t *taken, const struct pieces_owner *owner)
{
    struct state_piece piece = {0};
    uint64_t group = (uint64_t)read_i64(r);
    *taken = (uint64_t)read_i64(r);
    uint64_t end = *taken + read_u32(r), number = *taken;
    if (r->failed || !r->state || *taken > UINT64_MAX / 2)
        return ERR_STATE;
    pieces_end(at);
    struct pieces *p = *at = pieces_new(r->state, group);
    bool good = true;
    for (bool is_first = true; good && state_next(r->state, group, is_first, &piece); is_first = false) {
        good = load_piece(&piece, *taken, &number, end, owner);
        add_start(p, piece.number);
    }
    p->saved_to = end;
    return good && !state_failed(r->state) && number == end ? 0 : ERR_STATE;
}
