/* chunks.c - see chunks.h. A chunk ends where the hash of the 64 bytes before says so (a gear hash: each byte
 * moves out of it to the left), on average CHUNK_LEAST + 8 KB behind the last. */
#include "engine/data/chunks.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include <stdlib.h>
#include <string.h>

#ifdef WEIR_DEBUG
enum { CHUNK_LEAST = 64, CHUNK_MOST = 512, END_BITS = 6, WINDOW = 64 };
#else
enum { CHUNK_LEAST = 6 * 1024, CHUNK_MOST = 64 * 1024, END_BITS = 13, WINDOW = 64 };
#endif

static size_t chunk_len(const unsigned char *p, size_t len)
{
    if (len <= CHUNK_LEAST)
        return len;
    size_t most = len < CHUNK_MOST ? len : CHUNK_MOST, at = CHUNK_LEAST - WINDOW;
    uint64_t gear = 0;
    for (; at < CHUNK_LEAST; at++)
        gear = (gear << 1) + p[at];
    for (; at < most; at++) {
        gear = (gear << 1) + p[at];
        if (UNLIKELY((gear * 0x9E3779B97F4A7C15u) >> (64 - END_BITS) == 0))
            return at + 1;
    }
    return most;
}

/* The chunks of before by their hashes; made when the next one isn't the next one of before. */
struct finder {
    struct chunks *before;
    uint32_t *slots; /* 1 + place; 0: empty */
    uint32_t slot_count;
    uint32_t expected;
};

static void finder_make(struct finder *f)
{
    f->slot_count = 16;
    while (f->slot_count < f->before->count * 2)
        f->slot_count *= 2;
    f->slots = mem_array(f->slot_count, sizeof *f->slots);
    for (uint32_t i = 0; i < f->before->count; i++) {
        uint32_t at = (uint32_t)f->before->list[i].hash & (f->slot_count - 1);
        while (f->slots[at])
            at = (at + 1) & (f->slot_count - 1);
        f->slots[at] = i + 1;
    }
}

static struct chunk *find(struct finder *f, uint64_t hash, uint32_t len)
{
    struct chunk *list = f->before->list;
    if (f->expected < f->before->count && list[f->expected].hash == hash && list[f->expected].len == len)
        return &list[f->expected++];
    if (f->before->count == 0)
        return NULL;
    if (!f->slots)
        finder_make(f);
    for (uint32_t at = (uint32_t)hash & (f->slot_count - 1); f->slots[at];
         at = (at + 1) & (f->slot_count - 1)) {
        uint32_t place = f->slots[at] - 1;
        if (list[place].hash != hash || list[place].len != len)
            continue;
        f->expected = place + 1;
        return &list[place];
    }
    return NULL;
}

/* The chunk that is expected here, if it is here: where it ends need not be looked for. The last one of before
 * ended where the bytes did. */
static struct chunk *find_expected(struct finder *f, const char *bytes, size_t len)
{
    if (f->expected >= f->before->count)
        return NULL;
    struct chunk *x = &f->before->list[f->expected];
    const bool is_last = f->expected + 1 == f->before->count;
    if (x->is_kept || x->len > len || (is_last && x->len != len) || hash_bytes(bytes, x->len, 0) != x->hash)
        return NULL;
    f->expected++;
    return x;
}

static void chunk_add(struct chunks *c, uint32_t *cap, struct chunk x)
{
    if (c->count == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        c->list = mem_resize(c->list, *cap, sizeof *c->list);
    }
    c->list[c->count++] = x;
}

/* Those of before that are in no use, by runs of their numbers. */
static void drop_unkept(const struct chunks *before, struct state *s)
{
    for (uint32_t i = 0; i < before->count;) {
        uint64_t from = before->list[i].number, to = from;
        for (; i < before->count && before->list[i].number == to && !before->list[i].is_kept; i++)
            to++;
        if (from < to)
            state_drop(s, before->group, from, to);
        else
            i++;
    }
}

/* Numbers mostly follow each other: as the difference to that. */
static void write_list(const struct chunks *c, struct writer *w)
{
    uint64_t expected = 0;
    write_i64(w, (int64_t)c->group);
    write_i64(w, (int64_t)c->next);
    write_count(w, c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        write_step(w, c->list[i].number, expected);
        write_varint(w, c->list[i].len);
        expected = c->list[i].number + 1;
    }
}

void chunks_save(struct chunks *c, struct state *s, const char *bytes, size_t len, struct writer *list)
{
    if (!c->group)
        c->group = state_group(s);
    struct chunks now = {.group = c->group, .next = c->next};
    struct finder finder = {.before = c};
    uint32_t cap = 0;
    for (size_t at = 0; at < len;) {
        struct chunk *known = find_expected(&finder, bytes + at, len - at), x;
        if (known) {
            x = *known;
        } else {
            x = (struct chunk){.len = (uint32_t)chunk_len((const unsigned char *)bytes + at, len - at)};
            x.hash = hash_bytes(bytes + at, x.len, 0);
            known = find(&finder, x.hash, x.len);
        }
        if (known && !known->is_kept) { /* a number stands in the list once */
            known->is_kept = true;
            x.number = known->number;
        } else {
            x.number = now.next++;
            state_put(s, now.group, x.number, bytes + at, x.len);
        }
        chunk_add(&now, &cap, x);
        at += x.len;
    }
    drop_unkept(c, s);
    mem_free(finder.slots);
    mem_free(c->list);
    *c = now;
    write_list(c, list);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A number stands in the list once. */
static bool are_different(const struct chunks *c)
{
    uint64_t *numbers = mem_array((size_t)c->count + 1, sizeof *numbers);
    bool different = true;
    for (uint32_t i = 0; i < c->count; i++)
        numbers[i] = c->list[i].number;
    qsort(numbers, c->count, sizeof *numbers, by_number);
    for (uint32_t i = 1; i < c->count; i++)
        different = different && numbers[i - 1] != numbers[i];
    mem_free(numbers);
    return different;
}

bool chunks_load(struct chunks *c, struct state *s, struct reader *list, struct buf *out)
{
    uint32_t cap = 0;
    uint64_t expected = 0;
    chunks_fini(c);
    c->group = (uint64_t)read_i64(list);
    c->next = (uint64_t)read_i64(list);
    size_t count = read_count(list, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !list->failed; i++) {
        struct chunk x = {.number = read_step(list, expected)};
        x.len = (uint32_t)read_varint(list);
        struct reader body;
        if (list->failed || x.number >= c->next || !state_get(s, c->group, x.number, &body) ||
            (size_t)(body.end - body.at) != x.len)
            return false;
        x.hash = hash_bytes(body.at, x.len, 0);
        buf_add(out, body.at, x.len);
        chunk_add(c, &cap, x);
        expected = x.number + 1;
    }
    return !list->failed && are_different(c);
}

void chunks_end(struct chunks *c, struct state *s)
{
    if (c->group)
        state_end(s, c->group);
    chunks_fini(c);
}

void chunks_fini(struct chunks *c)
{
    mem_free(c->list);
    *c = (struct chunks){0};
}
