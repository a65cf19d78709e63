/* repeats.c - see repeats.h. */
#include "agent/repeats.h"
#include "engine/base/mem.h"

enum { REPEATS_FIRST = 256 };

void repeats_fini(struct repeats *r)
{
    mem_free(r->ring);
    *r = (struct repeats){0};
}

static void grow(struct repeats *r)
{
    uint64_t cap = r->cap ? r->cap * 2 : REPEATS_FIRST;
    cap = cap < REPEATS_MOST ? cap : REPEATS_MOST;
    struct repeat *ring = mem_array((size_t)cap, sizeof *ring);
    for (uint64_t at = 0; at < r->taken; at++)
        ring[at] = r->ring[at];
    mem_free(r->ring);
    r->ring = ring;
    r->cap = cap;
}

void repeats_add(struct repeats *r, uint32_t id, uint64_t hash)
{
    if (r->taken == r->cap && r->cap < REPEATS_MOST)
        grow(r);
    r->ring[r->taken++ % r->cap] = (struct repeat){.hash = (uint16_t)hash, .id = (uint16_t)id};
}

static uint64_t oldest(const struct repeats *r)
{
    return r->taken > REPEATS_MOST ? r->taken - REPEATS_MOST : 0;
}

void repeats_add_place(struct repeats *r, uint32_t session, uint64_t place)
{
    r->place_session = session;
    r->place = place;
}

bool repeats_take(struct repeats *r, const struct port_origin *origin, uint64_t hash)
{
    if (origin->place) {
        if (origin->session == r->place_session && origin->place <= r->place)
            return true;
        repeats_add_place(r, origin->session, origin->place);
        return false;
    }
    if (origin->id == 0)
        return false;
    if (origin->session != r->session) {
        r->session = origin->session;
        r->is_open = origin->may_repeat;
        r->scan = 0;
    }
    if (r->is_open) {
        uint64_t at = r->scan > oldest(r) ? r->scan : oldest(r);
        for (; at < r->taken; at++) {
            const struct repeat *old = &r->ring[at % r->cap];
            if (old->id != origin->id || old->hash != (uint16_t)hash)
                continue;
            r->scan = at + 1;
            return true;
        }
        r->is_open = false;
    }
    repeats_add(r, origin->id, hash);
    return false;
}

/* Ids mostly rise by one: an entry takes three bytes. */
void repeats_save(const struct repeats *r, struct writer *w)
{
    uint16_t id = 0;
    write_u32(w, r->place_session);
    write_i64(w, (int64_t)r->place);
    write_varint(w, r->taken - oldest(r));
    for (uint64_t at = oldest(r); at < r->taken; at++) {
        const struct repeat *old = &r->ring[at % r->cap];
        write_varint(w, (uint16_t)(old->id - id));
        write_u8(w, (uint8_t)old->hash);
        write_u8(w, (uint8_t)(old->hash >> 8));
        id = old->id;
    }
}

void repeats_load(struct repeats *r, struct reader *in)
{
    r->place_session = read_u32(in);
    r->place = (uint64_t)read_i64(in);
    size_t count = read_count(in, REPEATS_MOST);
    uint16_t id = 0;
    for (size_t i = 0; i < count && !in->failed; i++) {
        id = (uint16_t)(id + read_varint(in));
        uint16_t hash = read_u8(in);
        repeats_add(r, id, (uint64_t)(hash | read_u8(in) << 8));
    }
}
