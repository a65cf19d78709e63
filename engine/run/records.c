/* records.c - see records.h. A record's where: with CHANGED, its place in the list of those to be written;
 * else the slot of its piece and its place in it. */
#include "engine/run/records.h"
#include "engine/base/mem.h"
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 64 * 1024,
    PLACE_BITS = 10,
    SPARSE = 3,
    CHANGED_KEPT = 8192,
    DEAD_BYTES = RECORDS_PIECE / 8,
    AHEAD =
        8, /* records lie anywhere in memory: each of the three steps of near is so many before the next */
};
static const uint32_t CHANGED = UINT32_C(1) << 31, SLOTS_MOST = UINT32_C(1) << (31 - PLACE_BITS);

static const char FORMAT[] = "records 1";

struct piece {
    uint64_t number;
    struct record **at; /* NULL: dead; the array is NULL in a slot that is free */
    uint32_t count, live;
    bool is_listed; /* among those that lost records */
    bool is_told;   /* which records are dead is saved */
};
struct records {
    struct state *state;
    uint64_t group, dead_group, next; /* next: number of a piece */
    struct piece *pieces;
    uint32_t piece_count, piece_cap, small_count;
    uint32_t *free; /* slots */
    uint32_t free_count, free_cap;
    uint32_t *lost; /* slots of pieces that lost records and are not told of it, or wait to give up theirs */
    uint32_t lost_count, lost_cap;
    struct record **changed;
    uint32_t changed_count, changed_cap;
};

static struct records *records_make(struct state *state)
{
    struct records *s = mem_alloc(sizeof(*s));
    s->state = state;
    return s;
}

void records_free(struct records *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->piece_count; i++)
        mem_free(s->pieces[i].at);
    mem_free(s->pieces);
    mem_free(s->free);
    mem_free(s->lost);
    mem_free(s->changed);
    mem_free(s);
}

static void slots_add(uint32_t **slots, uint32_t *count, uint32_t *cap, uint32_t slot)
{
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        *slots = mem_resize(*slots, *cap, sizeof(**slots));
    }
    (*slots)[(*count)++] = slot;
}

/* ---- what changes ---- */

void records_add(struct records *s, struct record *r)
{
    if (s->changed_count == s->changed_cap) {
        s->changed_cap = s->changed_cap ? s->changed_cap * 2 : 64;
        s->changed = mem_resize(s->changed, s->changed_cap, sizeof(struct record *));
    }
    r->where = CHANGED | s->changed_count;
    s->changed[s->changed_count++] = r;
}

/* Where it was saved it is dead. */
static void kill(struct records *s, const struct record *r)
{
    uint32_t slot = r->where >> PLACE_BITS;
    struct piece *p = &s->pieces[slot];
    p->at[r->where & (RECORDS_PIECE - 1)] = NULL;
    p->live--;
    p->is_told = false;
    if (p->is_listed)
        return;
    p->is_listed = true;
    slots_add(&s->lost, &s->lost_count, &s->lost_cap, slot);
}

void records_change_slow(struct records *s, struct record *r)
{
    if (r->where & CHANGED)
        return;
    kill(s, r);
    records_add(s, r);
}

void records_remove(struct records *s, struct record *r)
{
    if (!(r->where & CHANGED)) {
        kill(s, r);
        return;
    }
    struct record *last = s->changed[--s->changed_count];
    last->where = r->where;
    s->changed[r->where & ~CHANGED] = last;
}

/* ---- pieces ---- */

static uint32_t piece_add(struct records *s, uint64_t number, struct record **at, uint32_t count)
{
    uint32_t slot;
    if (s->free_count) {
        slot = s->free[--s->free_count];
    } else {
        if (s->piece_count == s->piece_cap) {
            s->piece_cap = s->piece_cap ? s->piece_cap * 2 : 8;
            s->pieces = mem_resize(s->pieces, s->piece_cap, sizeof(*s->pieces));
        }
        slot = s->piece_count++;
        ASSERT(slot < SLOTS_MOST);
    }
    struct record **copy = mem_resize(NULL, count, sizeof(struct record *));
    memcpy(copy, at, count * sizeof(struct record *));
    s->pieces[slot] = (struct piece){.number = number, .at = copy, .count = count, .is_told = true};
    s->small_count += count < RECORDS_SMALL;
    for (uint32_t i = 0; i < count; i++) {
        if (!copy[i])
            continue;
        copy[i]->where = slot << PLACE_BITS | i;
        s->pieces[slot].live++;
    }
    return slot;
}

static void piece_drop(struct records *s, uint32_t slot)
{
    struct piece *p = &s->pieces[slot];
    state_drop(s->state, s->group, p->number, p->number + 1);
    state_drop(s->state, s->dead_group, p->number, p->number + 1);
    s->small_count -= p->count < RECORDS_SMALL;
    mem_free(p->at);
    *p = (struct piece){0};
    slots_add(&s->free, &s->free_count, &s->free_cap, slot);
}

/* Its records are going to be written again. */
static void piece_empty(struct records *s, uint32_t slot)
{
    const struct piece *p = &s->pieces[slot];
    for (uint32_t i = 0; i < p->count && p->live; i++) {
        if (p->at[i])
            records_change_slow(s, p->at[i]);
    }
}

static bool is_sparse(const struct piece *p)
{
    return p->live * SPARSE < p->count;
}

static void write_dead(const struct records *s, struct piece *p)
{
    uint8_t dead[DEAD_BYTES] = {0};
    for (uint32_t i = 0; i < p->count; i++) {
        if (!p->at[i])
            dead[i / 8] = (uint8_t)(dead[i / 8] | 1u << i % 8);
    }
    state_put(s->state, s->dead_group, p->number, dead, (p->count + 7) / 8);
    p->is_told = true;
}

static void merge_small(struct records *s)
{
    if (s->small_count < RECORDS_SMALL_MOST)
        return;
    for (uint32_t i = 0; i < s->piece_count; i++) {
        if (s->pieces[i].at && s->pieces[i].count < RECORDS_SMALL)
            piece_empty(s, i);
    }
}

/* Pieces that lost records: empty ones go, sparse ones give theirs up while the bound of law 1 lets them. */
static void tend_lost(struct records *s)
{
    uint64_t most = (uint64_t)s->changed_count + RECORDS_MOVED, moved = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->lost_count; i++) {
        uint32_t slot = s->lost[i];
        struct piece *p = &s->pieces[slot];
        if (p->live && is_sparse(p) && moved + p->live <= most) {
            moved += p->live;
            piece_empty(s, slot);
        }
        if (p->live == 0) {
            piece_drop(s, slot);
            continue;
        }
        if (!p->is_told)
            write_dead(s, p);
        if (is_sparse(p))
            s->lost[kept++] = slot;
        else
            p->is_listed = false;
    }
    s->lost_count = kept;
}

static void bring_near(const struct records *s, const struct records_owner *owner, uint32_t i)
{
    for (uint32_t step = 0, at = i + 3 * AHEAD; step < 3; step++, at -= AHEAD)
        if (at < s->changed_count)
            owner->near(owner->user, s->changed[at], (int)step);
}

static void write_changed(struct records *s, const struct records_owner *owner)
{
    struct writer w = {0};
    buf_init(&w.out, SIZE_MAX);
    for (uint32_t start = 0, i = 0; start < s->changed_count; start = i) {
        buf_clear(&w.out);
        for (; i < s->changed_count && i - start < RECORDS_PIECE && w.out.len < PIECE_BYTES; i++) {
            if (owner->near)
                bring_near(s, owner, i);
            owner->write(owner->user, &w, s->changed[i], i == start ? NULL : s->changed[i - 1]);
        }
        state_put(s->state, s->group, s->next, w.out.bytes, w.out.len);
        piece_add(s, s->next++, s->changed + start, i - start);
    }
    s->changed_count = 0;
    if (s->changed_cap > CHANGED_KEPT) {
        mem_free(s->changed);
        s->changed = NULL;
        s->changed_cap = 0;
    }
    buf_fini(&w.out);
}

/* ---- saved ---- */

static void visit_add(void *to, struct record *r)
{
    records_add(to, r);
}

struct whole {
    struct writer *w;
    const struct records_owner *owner;
    const struct record *before;
    size_t count, seen, step; /* of a tally: so many were seen, and it looks at every step-th */
};

static void visit_count(void *to, struct record *r)
{
    (void)r;
    ((struct whole *)to)->count++;
}

static void visit_write(void *to, struct record *r)
{
    struct whole *whole = to;
    if (whole->seen++ % whole->step)
        return;
    whole->owner->write(whole->owner->user, whole->w, r, whole->before);
    whole->before = r;
}

void records_save(struct records **at, struct writer *w, const struct records_owner *owner)
{
    write_tag(w, FORMAT);
    if (!w->state) {
        struct whole whole = {.w = w, .owner = owner, .step = 1};
        owner->each(owner->user, visit_count, &whole);
        write_count(w, whole.count);
        uint64_t before = w->tally ? w->tally->bytes : 0;
        if (w->tally)
            whole.step = whole.count / TALLY_LOOKS + 1;
        owner->each(owner->user, visit_write, &whole);
        if (w->tally)
            tally_scale(w->tally, before, whole.count, whole.step);
        return;
    }
    struct records *s = *at;
    if (!s) {
        s = *at = records_make(w->state);
        s->group = state_group(w->state);
        s->dead_group = state_group(w->state);
        owner->each(owner->user, visit_add, s);
    }
    merge_small(s);
    tend_lost(s);
    write_changed(s, owner);
    write_i64(w, (int64_t)s->group);
    write_i64(w, (int64_t)s->dead_group);
    write_i64(w, (int64_t)s->next);
}

uint64_t records_name(const struct records *s, const struct record *r)
{
    return s->pieces[r->where >> PLACE_BITS].number << PLACE_BITS | (r->where & (RECORDS_PIECE - 1));
}

/* ---- loaded ---- */

/* Which records of a piece are dead, as it was read. */
struct dead {
    uint64_t number;
    uint8_t bits[DEAD_BYTES];
};
struct deads {
    struct dead *at;
    size_t count, cap;
};

static int load_dead(const struct records *s, struct deads *d)
{
    struct state_piece piece = {0};
    for (bool is_first = true; state_next(s->state, s->dead_group, is_first, &piece); is_first = false) {
        size_t len = (size_t)(piece.reader.end - piece.reader.at);
        if (len > DEAD_BYTES)
            return ERR_STATE;
        if (d->count == d->cap) {
            d->cap = d->cap ? d->cap * 2 : 8;
            d->at = mem_resize(d->at, d->cap, sizeof(*d->at));
        }
        struct dead *to = &d->at[d->count++];
        *to = (struct dead){.number = piece.number};
        memcpy(to->bits, piece.reader.at, len);
    }
    return state_failed(s->state) ? ERR_STATE : 0;
}

static int load_piece(struct records *s, struct state_piece *piece, const struct dead *dead,
                      const struct records_owner *owner)
{
    struct record *all[RECORDS_PIECE], *held[RECORDS_PIECE], *before = NULL;
    struct reader *r = &piece->reader;
    uint32_t count = 0, live = 0;
    while (r->at < r->end && !r->failed && count < RECORDS_PIECE) {
        struct record *record = owner->read(owner->user, r, before);
        if (!record)
            break;
        before = all[count++] = record;
    }
    bool good = !r->failed && r->at == r->end && count > 0 && piece->number < s->next;
    for (uint32_t i = 0; i < count; i++) {
        bool is_dead = dead && (dead->bits[i / 8] >> i % 8 & 1) != 0;
        held[i] = good && !is_dead ? all[i] : NULL;
        live += held[i] != NULL;
    }
    if (good) {
        uint32_t slot = piece_add(s, piece->number, held, count);
        s->pieces[slot].is_listed = is_sparse(&s->pieces[slot]);
        if (s->pieces[slot].is_listed)
            slots_add(&s->lost, &s->lost_count, &s->lost_cap, slot);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (held[i])
            owner->take(owner->user, held[i], piece->number << PLACE_BITS | i);
        else
            owner->drop(owner->user, all[i]);
    }
    return good && live ? 0 : ERR_STATE;
}

static int load_pieces(struct records *s, const struct records_owner *owner)
{
    struct state_piece piece = {0};
    struct deads dead = {0};
    size_t at = 0;
    int rc = load_dead(s, &dead);
    for (bool is_first = true; rc == 0 && state_next(s->state, s->group, is_first, &piece);
         is_first = false) {
        while (at < dead.count && dead.at[at].number < piece.number)
            at++;
        bool has = at < dead.count && dead.at[at].number == piece.number;
        rc = load_piece(s, &piece, has ? &dead.at[at] : NULL, owner);
    }
    mem_free(dead.at);
    return rc < 0 || state_failed(s->state) ? ERR_STATE : 0;
}

static int load_whole(struct reader *r, const struct records_owner *owner)
{
    struct record *before = NULL;
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct record *record = owner->read(owner->user, r, before);
        if (!record)
            return ERR_STATE;
        owner->take(owner->user, record, i);
        before = record;
    }
    return r->failed ? ERR_STATE : 0;
}

int records_load(struct records **at, struct reader *r, const struct records_owner *owner)
{
    if (!read_tag(r, FORMAT))
        return ERR_STATE;
    if (!r->state)
        return load_whole(r, owner);
    struct records *s = records_make(r->state);
    s->group = (uint64_t)read_i64(r);
    s->dead_group = (uint64_t)read_i64(r);
    s->next = (uint64_t)read_i64(r);
    records_free(*at);
    *at = s;
    return r->failed ? ERR_STATE : load_pieces(s, owner);
}
