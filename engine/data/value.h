/* value.h - one value of the language: a type tag and eight bytes (spec 02 section 1).
 *
 * The tag is that of the value, not of its column: the language lets a column hold another type (cast, spec
 * 02 section 7), and null is the tag TYPE_NULL. int, long and bool live in .l (sign-extended, 0/1), so
 * widening is free.
 *
 * Text is counted and never changes. refs == TEXT_SCRATCH: it lies in the scratch arena and ends with the
 * turn; who wants to keep it calls value_keep, which copies it. So expression results need no freeing.
 * Objects are counted; a fresh one is given to expr_loose, which releases it at the end of the push. Not
 * thread-safe: an app's values stay on its worker. */
#ifndef WEIR_DATA_VALUE_H
#define WEIR_DATA_VALUE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include <string.h>

enum type {
    TYPE_NULL, /* only as the tag of a value */
    TYPE_STRING,
    TYPE_INT,
    TYPE_LONG,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_BOOL,
    TYPE_OBJECT,
};
const char *type_name(enum type t);
static inline bool type_is_numeric(enum type t)
{
    return t >= TYPE_INT && t <= TYPE_DOUBLE;
}

/* Do values of type t point at something counted? */
static inline bool type_is_counted(uint32_t t)
{
    return ((1u << TYPE_STRING | 1u << TYPE_OBJECT) >> t & 1) != 0;
}

#define TEXT_SCRATCH UINT32_MAX

/* Of a struct text with its bytes: those of the shortest texts can be read as one word. */
enum { TEXT_BYTES_MIN = 16 };
struct text {
    uint32_t refs;
    uint32_t len;
    uint32_t hash; /* 0: not computed yet */
    char bytes[];  /* UTF-8, NUL behind it */
};

struct object;

union cell {
    int64_t l;
    double d;
    float f;
    struct text *s;
    struct object *o;
};

struct value {
    union cell as;
    enum type type;
};

/* What an object is. Sets, lists, maps, failures; one table each, in object.c. */
struct object_type {
    const char *name; /* "set", "list", "map", "failure" */
    void (*free)(struct object *o);
    void (*print)(const struct object *o, struct buf *out); /* Java's text of it */
    bool (*equals)(const struct object *a, const struct object *b);
    uint32_t (*hash)(const struct object *o);
};
struct object {
    const struct object_type *type;
    uint32_t refs;
};

#define VALUE_NULL ((struct value){{0}, TYPE_NULL})
static inline struct value value_int(int32_t v)
{
    return (struct value){{.l = v}, TYPE_INT};
}
static inline struct value value_long(int64_t v)
{
    return (struct value){{.l = v}, TYPE_LONG};
}
static inline struct value value_float(float v)
{
    struct value r = {{0}, TYPE_FLOAT};
    r.as.f = v;
    return r;
}
static inline struct value value_double(double v)
{
    return (struct value){{.d = v}, TYPE_DOUBLE};
}
static inline struct value value_bool(bool v)
{
    return (struct value){{.l = v}, TYPE_BOOL};
}
static inline struct value value_text(struct text *s)
{
    return (struct value){{.s = s}, TYPE_STRING};
}
static inline struct value value_object(struct object *o)
{
    return (struct value){{.o = o}, TYPE_OBJECT};
}
static inline bool is_null(struct value v)
{
    return v.type == TYPE_NULL;
}

/* refs 1, owned by the caller. */
struct text *text_new(const char *bytes, size_t len);
/* v for another app: a text is copied, for it is counted where it was made (mem.h). The reference is the
 * caller's. */
struct value value_apart(struct value v);
/* In the arena, refs TEXT_SCRATCH. */
struct text *text_scratch(struct arena *scratch, const char *bytes, size_t len);
/* Room for len bytes to be filled by the caller. */
struct text *text_scratch_raw(struct arena *scratch, size_t len);
struct text *text_copy(const struct text *s);
void text_free(struct text *s);
void object_free(struct object *o);
uint32_t text_hash_slow(struct text *s);
static inline uint32_t text_hash(struct text *s)
{
    return s->hash ? s->hash : text_hash_slow(s);
}
static inline uint32_t text_word(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}
/* The first len bytes, at most 3, of a word read from memory. */
static inline uint32_t text_head(uint32_t word, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word & ((1u << 8 * len) - 1);
}
/* Keys are short: without a call, by words that may overlap, and with no branch that depends on the length of
 * the shortest. */
static inline bool text_equal(const struct text *a, const struct text *b)
{
    if (a == b)
        return true;
    const size_t len = a->len;
    if (len != b->len)
        return false;
    if (len < 4)
        return text_head(text_word(a->bytes) ^ text_word(b->bytes), len) == 0;
    if (len > 8)
        return memcmp(a->bytes, b->bytes, len) == 0;
    return text_word(a->bytes) == text_word(b->bytes) &&
           text_word(a->bytes + len - 4) == text_word(b->bytes + len - 4);
}

/* A reference that lasts: counts, or copies what lies in scratch. */
static inline struct text *text_keep(struct text *s)
{
    if (UNLIKELY(s->refs == TEXT_SCRATCH))
        return text_copy(s);
    s->refs++;
    return s;
}
static inline struct value value_keep(struct value v)
{
    if (v.type == TYPE_STRING) {
        v.as.s = text_keep(v.as.s);
    } else if (v.type == TYPE_OBJECT) {
        v.as.o->refs++;
    }
    return v;
}
/* The other end of value_keep; harmless on scratch text. */
static inline void value_drop(struct value v)
{
    if (v.type == TYPE_STRING) {
        if (v.as.s->refs != TEXT_SCRATCH && --v.as.s->refs == 0)
            text_free(v.as.s);
    } else if (v.type == TYPE_OBJECT && --v.as.o->refs == 0) {
        object_free(v.as.o);
    }
}

/* Same type and same value (double by bits as Java's equals; text by bytes; objects by their equals); null
 * equals null. For keys, sets. */
bool value_same(struct value a, struct value b);
uint32_t value_hash(struct value v);
/* Numbers as double / long, whatever their tag; the caller knows it is numeric. */
static inline double value_to_double(struct value v)
{
    return v.type == TYPE_DOUBLE ? v.as.d : v.type == TYPE_FLOAT ? (double)v.as.f : (double)v.as.l;
}
/* Appends the value's Java text (spec 02 section 7.2); null is "null". */
void value_print(struct value v, struct buf *out);

#endif
