/* pack.c - see pack.h. Greedy: at each place the last one with the same hash of four bytes is tried. Where
 * nothing is found for long, places are skipped, more and more of them: what can't be packed costs little. */
#include "engine/base/pack.h"
#include "engine/base/err.h"
#include <string.h>

enum { SLOT_BITS_LEAST = 6, SLOT_BITS_MOST = 12, SKIP_BITS = 5, NIBBLE = 15, VARINT_MOST = 10 };

static inline uint32_t word_at(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint8_t *put_varint(uint8_t *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)(v | 0x80);
    *at++ = (uint8_t)v;
    return at;
}

/* Where two runs differ; a is before b. */
static inline const uint8_t *same_until(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    for (; end - b >= 8; a += 8, b += 8) {
        uint64_t x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        if (x != y)
            break;
    }
    while (b < end && *a == *b)
        a++, b++;
    return b;
}

/* copied 0: the last step. */
static uint8_t *put_step(uint8_t *at, const uint8_t *literals, size_t count, size_t copied, size_t distance)
{
    size_t more = copied ? copied - PACK_LEAST : 0;
    *at++ = (uint8_t)((count < NIBBLE ? count : NIBBLE) << 4 | (more < NIBBLE ? more : NIBBLE));
    if (count >= NIBBLE)
        at = put_varint(at, count - NIBBLE);
    if (more >= NIBBLE)
        at = put_varint(at, more - NIBBLE);
    if (count)
        memcpy(at, literals, count);
    at += count;
    return copied ? put_varint(at, distance) : at;
}

void pack_bytes(struct buf *out, const void *bytes, size_t len)
{
    uint32_t slots[1 << SLOT_BITS_MOST];
    const uint8_t *start = bytes, *at = start, *end = start + len, *literals = at;
    int bits = SLOT_BITS_LEAST;
    while (bits < SLOT_BITS_MOST && (size_t)1 << bits < len / 2)
        bits++;
    memset(slots, 0, sizeof *slots << bits);
    /* A step of a copy takes no more than what it copies: four bytes are the least, and a distance that would
     * take as many isn't taken. Literals add a byte for 15 at most. */
    uint8_t *packed = (uint8_t *)buf_reserve(out, len + len / NIBBLE + 2 * VARINT_MOST), *to = packed;
    ASSERT(packed && len < (size_t)1 << 31);
    for (size_t misses = (size_t)1 << SKIP_BITS; end - at >= PACK_LEAST;) {
        uint32_t word = word_at(at), *slot = &slots[word * 2654435761U >> (32 - bits)];
        const uint8_t *before = start + *slot;
        *slot = (uint32_t)(at - start);
        if (before >= at || word_at(before) != word || at - before >= 1 << 14) {
            at += misses++ >> SKIP_BITS;
            continue;
        }
        const uint8_t *until = same_until(before + PACK_LEAST, at + PACK_LEAST, end);
        to = put_step(to, literals, (size_t)(at - literals), (size_t)(until - at), (size_t)(at - before));
        literals = at = until;
        misses = (size_t)1 << SKIP_BITS;
    }
    to = put_step(to, literals, (size_t)(end - literals), 0, 0);
    *to = 0;
    out->len += (size_t)(to - packed);
}

/* ---- back ---- */

struct packed {
    const uint8_t *at, *end;
    bool failed;
};

static uint64_t get_varint(struct packed *p)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (p->at == p->end)
            break;
        uint8_t byte = *p->at++;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return v;
    }
    p->failed = true;
    return 0;
}

static void copy_back(struct buf *out, size_t count, uint64_t distance)
{
    char *to = buf_reserve(out, count);
    const char *from = to - distance;
    if (distance >= count)
        memcpy(to, from, count);
    else
        for (size_t i = 0; i < count; i++)
            to[i] = from[i];
    to[count] = 0;
    out->len += count;
}

bool unpack_bytes(struct buf *out, const void *packed, size_t len, size_t want)
{
    struct packed p = {.at = packed, .end = (const uint8_t *)packed + len};
    size_t start = out->len;
    while (p.at < p.end && !p.failed) {
        uint8_t head = *p.at++;
        uint64_t count = head >> 4, copied = head & NIBBLE;
        count += count == NIBBLE ? get_varint(&p) : 0;
        copied += PACK_LEAST + (copied == NIBBLE ? get_varint(&p) : 0);
        if (p.failed || count > (size_t)(p.end - p.at) || count > want - (out->len - start))
            return false;
        buf_add(out, p.at, (size_t)count);
        p.at += count;
        if (p.at == p.end)
            break;
        uint64_t distance = get_varint(&p);
        if (p.failed || distance == 0 || distance > out->len - start || copied > want - (out->len - start))
            return false;
        copy_back(out, (size_t)copied, distance);
    }
    return !p.failed && out->len - start == want;
}
