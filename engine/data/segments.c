/* segments.c - see segments.h.
 *
 * An entry in a segment: the place as the difference to the one before, its length, its bytes. */
#include "engine/data/segments.h"
#include "engine/base/mem.h"
#include <stdlib.h>
#include <string.h>

#ifdef WEIR_DEBUG
enum { SEGMENT_BYTES = 64, SEGMENT_ENTRIES = 8, SLACK_BYTES = 64 };
#else
enum { SEGMENT_BYTES = 64 * 1024, SEGMENT_ENTRIES = 8192, SLACK_BYTES = SEGMENT_BYTES };
#endif

enum { AT_A_TIME = 64 };

/* The segment being filled. */
struct filling {
    struct segments *s;
    const struct segments_owner *owner;
    struct writer w;
    uint32_t now; /* 1 + in the list; 0: none */
    uint32_t before;
    uint64_t written; /* bytes, in all */
};

static struct segments *segments_new(struct state *state, uint64_t group)
{
    struct segments *s = mem_alloc(sizeof *s);
    s->state = state;
    s->group = group;
    return s;
}

static void segments_free(struct segments *s)
{
    mem_free(s->dirty);
    mem_free(s->at);
    mem_free(s->list);
    mem_free(s);
}

void segments_end(struct segments **at)
{
    if (!*at)
        return;
    state_end((*at)->state, (*at)->group);
    segments_free(*at);
    *at = NULL;
}

void segments_widen(struct segments *s, uint32_t place)
{
    uint32_t most = place < UINT32_MAX / 2 ? place + 1 : place, was = s->room;
    uint32_t room = was * 2 > most ? was * 2 : most;
    room = (room + 63) / 64 * 64;
    s->dirty = mem_resize(s->dirty, room / 64, sizeof *s->dirty);
    s->at = mem_resize(s->at, room, sizeof *s->at);
    memset(s->dirty + was / 64, 0, (room - was) / 64 * sizeof *s->dirty);
    memset(s->at + was, 0, (room - was) * sizeof *s->at);
    s->room = room;
}

static uint32_t list_take(struct segments *s)
{
    for (uint32_t i = 0; i < s->list_count; i++)
        if (s->list[i].entries == 0)
            return i;
    if (s->list_count == s->list_cap) {
        s->list_cap = s->list_cap ? s->list_cap * 2 : 8;
        s->list = mem_resize(s->list, s->list_cap, sizeof *s->list);
    }
    s->list[s->list_count] = (struct segment){0};
    return s->list_count++;
}

/* ---- saving ---- */

static void forget_version(struct segments *s, uint32_t place)
{
    if (s->at[place])
        s->list[s->at[place] - 1].live--;
    s->at[place] = 0;
}

static void fill_end(struct filling *f)
{
    if (!f->now)
        return;
    struct segment *g = &f->s->list[f->now - 1];
    g->bytes = (uint32_t)f->w.out.len;
    state_put(f->s->state, f->s->group, g->number, f->w.out.bytes, f->w.out.len);
    f->written += f->w.out.len;
    buf_clear(&f->w.out);
    f->now = 0;
}

static void fill_begin(struct filling *f)
{
    uint32_t i = list_take(f->s);
    f->s->list[i] = (struct segment){.number = f->s->next++};
    f->now = i + 1;
    f->before = 0;
}

/* One byte is left for the length; an entry that needs more moves on behind it. */
static void write_entry(struct filling *f, uint32_t place)
{
    struct buf *out = &f->w.out;
    write_step(&f->w, place, f->before);
    write_u8(&f->w, 0);
    size_t start = out->len;
    f->owner->write(f->owner->user, &f->w, place);
    size_t len = out->len - start, more = 0;
    while (len >> 7 * (more + 1))
        more++;
    if (more && buf_reserve(out, more)) {
        memmove(out->bytes + start + more, out->bytes + start, len);
        out->len += more;
    }
    char *at = out->bytes + start - 1;
    for (; more; more--, len >>= 7)
        *at++ = (char)(len | 0x80);
    *at = (char)len;
    f->before = place;
}

static void save_place(struct filling *f, uint32_t place)
{
    struct segments *s = f->s;
    if (f->now && (f->w.out.len >= SEGMENT_BYTES || s->list[f->now - 1].entries == SEGMENT_ENTRIES))
        fill_end(f);
    if (!f->now)
        fill_begin(f);
    forget_version(s, place);
    write_entry(f, place);
    s->list[f->now - 1].entries++;
    s->list[f->now - 1].live++;
    s->at[place] = f->now;
}

static void save_places(struct filling *f, const uint32_t *places, uint32_t count)
{
    for (int step = 0; f->owner->near && step < 3; step++)
        for (uint32_t i = 0; i < count; i++)
            f->owner->near(f->owner->user, places[i], step);
    for (uint32_t i = 0; i < count; i++)
        save_place(f, places[i]);
}

static void save_dirty(struct filling *f, uint32_t count)
{
    struct segments *s = f->s;
    uint32_t places[AT_A_TIME];
    for (uint32_t word = 0; word < s->room / 64; word++) {
        uint64_t bits = s->dirty[word];
        uint32_t n = 0;
        s->dirty[word] = 0;
        for (; bits; bits &= bits - 1) {
            uint32_t place = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (place < count)
                places[n++] = place;
        }
        save_places(f, places, n);
    }
    fill_end(f);
}

static void drop_dead(struct segments *s)
{
    for (uint32_t i = 0; i < s->list_count; i++) {
        struct segment *g = &s->list[i];
        if (g->entries == 0 || g->live)
            continue;
        state_drop(s->state, s->group, g->number, g->number + 1);
        *g = (struct segment){0};
    }
}

static uint64_t living(const struct segment *g)
{
    return (uint64_t)g->bytes * g->live / g->entries;
}

static int emptiest_first(const void *a, const void *b)
{
    const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;
    uint64_t left = (uint64_t)x->live * y->entries, right = (uint64_t)y->live * x->entries;
    return left != right ? (left < right ? -1 : 1) : x->number < y->number ? -1 : 1;
}

/* Law 3. True: some are to be cleaned. */
static bool choose(struct segments *s, uint64_t most)
{
    struct segment **all = mem_array((size_t)s->list_count + 1, sizeof *all);
    uint64_t bytes = 0, live = 0, copied = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->list_count; i++) {
        struct segment *g = &s->list[i];
        if (g->entries == 0)
            continue;
        all[count++] = g;
        bytes += g->bytes;
        live += living(g);
    }
    bool some = false;
    if (bytes > 2 * live + SLACK_BYTES) {
        qsort(all, count, sizeof(struct segment *), emptiest_first);
        for (uint32_t i = 0; i < count && bytes > 2 * live + SLACK_BYTES && copied < most; i++) {
            copied += living(all[i]);
            bytes -= all[i]->bytes - living(all[i]);
            some = all[i]->is_cleaned = true;
        }
    }
    mem_free(all);
    return some;
}

static void clean(struct filling *f, uint32_t count)
{
    struct segments *s = f->s;
    if (!choose(s, f->written + SLACK_BYTES))
        return;
    uint32_t places[AT_A_TIME], n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (s->at[i] && s->list[s->at[i] - 1].is_cleaned)
            places[n++] = i;
        if (n == AT_A_TIME || i + 1 == count) {
            save_places(f, places, n);
            n = 0;
        }
    }
    fill_end(f);
    drop_dead(s);
}

static void save_changes(struct segments *s, uint32_t count, const struct segments_owner *owner, bool is_lean)
{
    struct filling f = {.s = s, .owner = owner, .w = {.state = s->state, .is_lean = is_lean}};
    buf_init(&f.w.out, SIZE_MAX);
    for (uint32_t i = count; i < s->count; i++)
        forget_version(s, i);
    if (count > s->room)
        segments_widen(s, count - 1);
    save_dirty(&f, count);
    drop_dead(s);
    clean(&f, count);
    s->count = count;
    buf_fini(&f.w.out);
}

void segments_save(struct segments **at, struct writer *w, uint32_t count, const struct segments_owner *owner)
{
    if (w->tally) {
        uint32_t step = count / TALLY_LOOKS + 1;
        uint64_t before = w->tally->bytes;
        for (uint32_t i = 0; i < count; i += step)
            owner->write(owner->user, w, i);
        tally_scale(w->tally, before, count, step);
        return;
    }
    bool in_segments = w->state && count > SEGMENTS_INLINE;
    write_varint(w, (uint64_t)count << 1 | in_segments);
    if (!in_segments) {
        if (w->state)
            segments_end(at);
        for (uint32_t i = 0; i < count; i++)
            owner->write(owner->user, w, i);
        return;
    }
    if (!*at) {
        *at = segments_new(w->state, state_group(w->state));
        segments_widen(*at, count - 1);
        memset((*at)->dirty, 0xFF, (*at)->room / 64 * sizeof *(*at)->dirty);
    }
    save_changes(*at, count, owner, w->is_lean);
    write_i64(w, (int64_t)(*at)->group);
}

/* ---- loading ---- */

/* The next entry of a segment: it may be of a place there was once. False: no more, or r->failed. */
static bool next_entry(struct reader *r, uint32_t *place, struct reader *entry)
{
    size_t len;
    if (r->failed || r->at == r->end)
        return false;
    uint64_t next = read_step(r, *place);
    const uint8_t *bytes = read_bytes(r, &len);
    if (r->failed || next >= UINT32_MAX) {
        r->failed = true;
        return false;
    }
    *place = (uint32_t)next;
    *entry = (struct reader){.at = bytes, .end = bytes + len, .state = r->state, .is_lean = r->is_lean};
    return true;
}

/* Before there is memory for them: an entry has two bytes at least. */
static bool may_be_so_many(struct segments *s, uint32_t count)
{
    struct state_piece piece = {0};
    uint64_t bytes = 0;
    for (bool is_first = true; state_next(s->state, s->group, is_first, &piece); is_first = false)
        bytes += (uint64_t)(piece.reader.end - piece.reader.at);
    return count <= bytes / 2;
}

/* First all segments are looked through for where the newest versions are. */
static bool find_versions(struct segments *s, uint32_t count)
{
    struct state_piece piece = {0};
    struct reader entry;
    bool good = true;
    for (bool is_first = true; good && state_next(s->state, s->group, is_first, &piece); is_first = false) {
        uint32_t place = 0, i = list_take(s);
        struct segment *g = &s->list[i];
        *g =
            (struct segment){.number = piece.number, .bytes = (uint32_t)(piece.reader.end - piece.reader.at)};
        for (; next_entry(&piece.reader, &place, &entry); g->entries++)
            if (place < count)
                s->at[place] = i + 1;
        s->next = piece.number + 1;
        good = !piece.reader.failed && g->entries;
    }
    for (uint32_t i = 0; good && i < count; i++) {
        good = s->at[i] != 0;
        if (good)
            s->list[s->at[i] - 1].live++;
    }
    return good && !state_failed(s->state);
}

/* A bit of dirty: the place was read. */
static bool read_segment(struct segments *s, const struct segments_owner *owner, uint32_t now,
                         struct reader *r, uint32_t count)
{
    struct reader entry;
    uint32_t place = 0;
    while (next_entry(r, &place, &entry)) {
        uint64_t bit = UINT64_C(1) << place % 64;
        if (place >= count || s->at[place] != now)
            continue;
        if (s->dirty[place / 64] & bit || !owner->read(owner->user, &entry, place) || entry.failed ||
            entry.at != entry.end)
            return false;
        s->dirty[place / 64] |= bit;
    }
    return !r->failed;
}

/* Each is copied: what is inside may have pieces of its own to read. */
static bool read_versions(struct segments *s, const struct segments_owner *owner, uint32_t count,
                          bool is_lean)
{
    struct state_piece piece = {0};
    struct buf bytes;
    uint32_t now = 0;
    bool good = true;
    buf_init(&bytes, SIZE_MAX);
    for (bool is_first = true; good && state_next(s->state, s->group, is_first, &piece); is_first = false) {
        buf_clear(&bytes);
        buf_add(&bytes, piece.reader.at, (size_t)(piece.reader.end - piece.reader.at));
        struct reader r = {.at = (const uint8_t *)bytes.bytes, .state = s->state, .is_lean = is_lean};
        r.end = r.at + bytes.len;
        good = read_segment(s, owner, ++now, &r, count);
    }
    buf_fini(&bytes);
    memset(s->dirty, 0, s->room / 64 * sizeof *s->dirty);
    return good && !state_failed(s->state);
}

static int load_whole(struct reader *r, uint32_t count, const struct segments_owner *owner)
{
    if (count > (size_t)(r->end - r->at)) /* an entry that stands so has a byte at least */
        return ERR_STATE;
    if (owner->begin && !owner->begin(owner->user, count))
        return ERR_STATE;
    for (uint32_t i = 0; i < count; i++)
        if (!owner->read(owner->user, r, i) || r->failed)
            return ERR_STATE;
    return 0;
}

int segments_load(struct segments **at, struct reader *r, const struct segments_owner *owner)
{
    uint64_t head = read_varint(r);
    uint32_t count = (uint32_t)(head >> 1);
    segments_end(at);
    if (r->failed || head >> 1 > UINT32_MAX / 2)
        return ERR_STATE;
    if (!(head & 1))
        return load_whole(r, count, owner);
    uint64_t group = (uint64_t)read_i64(r);
    if (r->failed || !r->state || count == 0)
        return ERR_STATE;
    struct segments *s = *at = segments_new(r->state, group);
    if (!may_be_so_many(s, count))
        return ERR_STATE;
    segments_widen(s, count - 1);
    s->count = count;
    bool good = find_versions(s, count) && (!owner->begin || owner->begin(owner->user, count)) &&
                read_versions(s, owner, count, r->is_lean);
    return good ? 0 : ERR_STATE;
}
