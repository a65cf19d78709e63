/* repeats.c - see repeats.h. */
#include "agent/repeats.h"
#include "engine/base/mem.h"

void repeats_fini(struct repeats *r)
{
    mem_free(r->ring);
    *r = (struct repeats){0};
}

void repeats_add(struct repeats *r, uint32_t id, uint64_t hash)
{
    if (!r->ring)
        r->ring = mem_array(REPEATS_MOST, sizeof *r->ring);
    r->ring[r->taken++ % REPEATS_MOST] = (struct repeat){.hash = hash, .id = id};
}

static uint64_t oldest(const struct repeats *r)
{
    return r->taken > REPEATS_MOST ? r->taken - REPEATS_MOST : 0;
}

bool repeats_take(struct repeats *r, const struct port_origin *origin, uint64_t hash)
{
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
            const struct repeat *old = &r->ring[at % REPEATS_MOST];
            if (old->id != origin->id || old->hash != hash)
                continue;
            r->scan = at + 1;
            return true;
        }
        r->is_open = false;
    }
    repeats_add(r, origin->id, hash);
    return false;
}

void repeats_save(const struct repeats *r, struct writer *w)
{
    write_count(w, (size_t)(r->taken - oldest(r)));
    for (uint64_t at = oldest(r); at < r->taken; at++) {
        write_count(w, r->ring[at % REPEATS_MOST].id);
        write_i64(w, (int64_t)r->ring[at % REPEATS_MOST].hash);
    }
}

void repeats_load(struct repeats *r, struct reader *in)
{
    size_t count = read_count(in, REPEATS_MOST);
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint32_t id = (uint32_t)read_varint(in);
        repeats_add(r, id, (uint64_t)read_i64(in));
    }
}
