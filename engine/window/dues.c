/* dues.c - see dues.h. In a checkpoint a run is the step from the time of the one before, and its count. */
#include "engine/window/dues.h"
#include "engine/base/mem.h"
#include "engine/window/pieces.h"
#include <string.h>

enum { FIRST_RUNS = 8, RUN_MOST = UINT8_MAX };

static struct due_run *run_at(const struct dues *d, uint32_t i)
{
    return &d->ring[(d->head + i) & (d->cap - 1)];
}

static void run_add(struct dues *d, int64_t at_ms, uint8_t count)
{
    if (d->count == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : FIRST_RUNS;
        ASSERT(cap > d->cap);
        d->ring = mem_resize(d->ring, cap, sizeof *d->ring);
        if (d->head)
            memcpy(d->ring + d->cap, d->ring, d->head * sizeof *d->ring);
        d->cap = cap;
    }
    *run_at(d, d->count++) = (struct due_run){at_ms, count};
    d->is_sealed = false;
}

void dues_request(struct dues *d, struct op *op, int64_t due_ms)
{
    bool may_grow = d->count && !d->is_sealed && !(d->count == 1 && d->fired);
    struct due_run *last = may_grow ? run_at(d, d->count - 1) : NULL;
    if (last && last->at_ms == due_ms && last->count < RUN_MOST)
        last->count++;
    else
        run_add(d, due_ms, 1);
    timer_request(op, due_ms);
}

static void take_front(struct dues *d)
{
    d->head = (d->head + 1) & (d->cap - 1);
    d->count--;
    d->taken++;
}

/* Elsewhere than at the front; those before it move up by one, which are few. */
static void fired_behind(struct dues *d, uint32_t i)
{
    pieces_forget(d->pieces);
    if (--run_at(d, i)->count)
        return;
    for (; i > 0; i--)
        *run_at(d, i) = *run_at(d, i - 1);
    take_front(d);
}

void dues_fired(struct dues *d, int64_t due_ms)
{
    uint32_t i = 0;
    while (i < d->count && run_at(d, i)->at_ms != due_ms)
        i++;
    if (i == d->count)
        return;
    if (i > 0) {
        fired_behind(d, i);
        return;
    }
    d->fired++;
    if (--run_at(d, 0)->count)
        return;
    take_front(d);
    d->fired = 0;
}

bool dues_are_one(const struct dues *d, int64_t due_ms)
{
    return d->count == 1 && run_at(d, 0)->count == 1 && run_at(d, 0)->at_ms == due_ms;
}

void dues_move(struct dues *d, int64_t due_ms)
{
    pieces_forget(d->pieces);
    run_at(d, 0)->at_ms = due_ms;
}

void dues_fini(struct dues *d)
{
    pieces_end(&d->pieces);
    mem_free(d->ring);
    *d = (struct dues){0};
}

/* ---- state ---- */

struct runs { /* being written or read */
    struct dues *dues;
    struct op *op;
    int64_t before_ms;
};

/* fired counts as if it hadn't: what was written before says the same. */
static void write_run(void *user, struct writer *w, uint32_t i, bool begins)
{
    struct runs *runs = user;
    const struct due_run *run = run_at(runs->dues, i);
    write_step(w, (uint64_t)run->at_ms, begins ? 0 : (uint64_t)runs->before_ms);
    write_u8(w, (uint8_t)(run->count + (i ? 0 : runs->dues->fired)));
    runs->before_ms = run->at_ms;
}

static bool read_run(void *user, struct reader *r, bool begins, bool is_held)
{
    struct runs *runs = user;
    struct dues *d = runs->dues;
    int64_t at_ms = (int64_t)read_step(r, begins ? 0 : (uint64_t)runs->before_ms);
    uint8_t count = read_u8(r), fired = d->count ? 0 : d->fired;
    runs->before_ms = at_ms;
    if (r->failed || count == 0)
        return false;
    if (!is_held)
        return true;
    if (count <= fired)
        return false;
    run_add(d, at_ms, (uint8_t)(count - fired));
    for (uint8_t i = fired; i < count; i++)
        timer_request(runs->op, at_ms);
    return true;
}

void dues_save(const struct dues *d, struct writer *w)
{
    struct dues *own = (struct dues *)(uintptr_t)d; /* how it is saved is no part of what it holds */
    struct runs runs = {.dues = own};
    if (w->tally) {
        write_held(w, (size_t)d->cap * sizeof *d->ring);
        return;
    }
    bool in_pieces = w->state && d->count > DUES_INLINE;
    write_varint(w, (uint64_t)d->count << 1 | in_pieces);
    write_u8(w, d->fired);
    if (in_pieces) {
        pieces_save(&own->pieces, w, d->taken, d->count,
                    &(struct pieces_owner){.user = &runs, .write = write_run});
        own->is_sealed = true;
        return;
    }
    if (w->state)
        pieces_end(&own->pieces);
    for (uint32_t i = 0; i < d->count; i++)
        write_run(&runs, w, i, i == 0);
}

void dues_load(struct dues *d, struct op *op, struct reader *r)
{
    dues_fini(d);
    struct runs runs = {.dues = d, .op = op};
    uint64_t head = read_varint(r);
    d->fired = read_u8(r);
    if (r->failed || head >> 1 > UINT32_MAX / 2) {
        r->failed = true;
    } else if (head & 1) {
        int rc =
            pieces_load(&d->pieces, r, &d->taken, &(struct pieces_owner){.user = &runs, .read = read_run});
        r->failed = r->failed || rc < 0 || d->count != head >> 1;
        d->is_sealed = true;
    } else {
        for (uint64_t i = 0; i < head >> 1 && !r->failed; i++)
            r->failed = !read_run(&runs, r, i == 0, true);
    }
}
