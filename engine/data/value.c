/* value.c - one value of the language. Text lives in the pool, with its NUL in the same block. */
#include "engine/data/value.h"
#include "engine/base/map.h"
#include "engine/base/num.h"
#include <math.h>

const char *type_name(enum type t)
{
    switch (t) {
    case TYPE_NULL:
        return "null";
    case TYPE_STRING:
        return "string";
    case TYPE_INT:
        return "int";
    case TYPE_LONG:
        return "long";
    case TYPE_FLOAT:
        return "float";
    case TYPE_DOUBLE:
        return "double";
    case TYPE_BOOL:
        return "bool";
    case TYPE_OBJECT:
        return "object";
    }
    ASSERT(!"type");
    return NULL;
}

static size_t text_bytes(size_t len)
{
    ASSERT(len < UINT32_MAX - sizeof(struct text));
    size_t bytes = offsetof(struct text, bytes) + len + 1;
    return bytes < TEXT_BYTES_MIN ? TEXT_BYTES_MIN : bytes;
}

static struct text *text_begin(struct text *s, uint32_t refs, size_t len)
{
    s->refs = refs;
    s->len = (uint32_t)len;
    s->hash = 0;
    s->bytes[len] = '\0';
    return s;
}

static struct text *text_fill(struct text *s, const char *bytes)
{
    if (s->len > 0)
        memcpy(s->bytes, bytes, s->len);
    return s;
}

struct text *text_new(const char *bytes, size_t len)
{
    return text_fill(text_begin(mem_pool_alloc(text_bytes(len)), 1, len), bytes);
}

struct text *text_scratch_raw(struct arena *scratch, size_t len)
{
    return text_begin(arena_raw(scratch, text_bytes(len)), TEXT_SCRATCH, len);
}

struct value value_apart(struct value v)
{
    return v.type == TYPE_STRING ? value_text(text_new(v.as.s->bytes, v.as.s->len)) : value_keep(v);
}

struct text *text_scratch(struct arena *scratch, const char *bytes, size_t len)
{
    return text_fill(text_scratch_raw(scratch, len), bytes);
}

struct text *text_copy(const struct text *s)
{
    struct text *copy = text_new(s->bytes, s->len);
    copy->hash = s->hash;
    return copy;
}

void text_free(struct text *s)
{
    mem_pool_free(s, text_bytes(s->len));
}

uint32_t text_hash_slow(struct text *s)
{
    uint32_t hash = map_hash(s->bytes, s->len);
    s->hash = hash ? hash : 1;
    return s->hash;
}

void object_free(struct object *o)
{
    o->type->free(o);
}

static uint64_t double_bits(double d)
{
    uint64_t bits;
    if (isnan(d))
        d = (double)NAN;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

bool value_same(struct value a, struct value b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case TYPE_NULL:
        return true;
    case TYPE_STRING:
        return text_equal(a.as.s, b.as.s);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_BOOL:
        return a.as.l == b.as.l;
    case TYPE_FLOAT: /* widening keeps apart what differs */
        return double_bits((double)a.as.f) == double_bits((double)b.as.f);
    case TYPE_DOUBLE:
        return double_bits(a.as.d) == double_bits(b.as.d);
    case TYPE_OBJECT:
        return a.as.o == b.as.o || (a.as.o->type == b.as.o->type && a.as.o->type->equals(a.as.o, b.as.o));
    }
    ASSERT(!"type");
    return false;
}

/* The finalizer of MurmurHash3: every bit of the input moves every bit of the result. */
static uint32_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xFF51AFD7ED558CCD);
    h ^= h >> 33;
    h *= UINT64_C(0xC4CEB9FE1A85EC53);
    return (uint32_t)(h >> 32);
}

uint32_t value_hash(struct value v)
{
    switch (v.type) {
    case TYPE_NULL:
        return 0x9E3779B9;
    case TYPE_STRING:
        return text_hash(v.as.s);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_BOOL:
        return mix((uint64_t)v.as.l + UINT64_C(0x9E3779B97F4A7C15));
    case TYPE_FLOAT:
        return mix(double_bits((double)v.as.f));
    case TYPE_DOUBLE:
        return mix(double_bits(v.as.d));
    case TYPE_OBJECT:
        return v.as.o->type->hash(v.as.o);
    }
    ASSERT(!"type");
    return 0;
}

void value_print(struct value v, struct buf *out)
{
    char number[NUM_TEXT_MAX];
    switch (v.type) {
    case TYPE_NULL:
        buf_add(out, "null", 4);
        break;
    case TYPE_STRING:
        buf_add(out, v.as.s->bytes, v.as.s->len);
        break;
    case TYPE_INT:
    case TYPE_LONG:
        buf_add(out, number, num_print_long(number, v.as.l));
        break;
    case TYPE_FLOAT:
        buf_add(out, number, num_print_float(number, v.as.f));
        break;
    case TYPE_DOUBLE:
        buf_add(out, number, num_print_double(number, v.as.d));
        break;
    case TYPE_BOOL:
        buf_add_str(out, v.as.l ? "true" : "false");
        break;
    case TYPE_OBJECT:
        v.as.o->type->print(v.as.o, out);
        break;
    }
}
