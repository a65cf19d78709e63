/* codec.c - state as bytes.
 *
 * A value is its type's number and then: string - length and bytes; int, float - 4 bytes; long, double - 8;
 * bool - 1; object - a kind, then a count and the elements (of a map key and value by turns), or the message
 * of a failure. The numbers of enum type and enum kind are in saved states: they may not change. */
#include "engine/data/codec.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/data/object.h"

enum kind { KIND_SET = 1, KIND_LIST = 2, KIND_MAP = 3, KIND_FAILURE = 4 };

_Static_assert(TYPE_NULL == 0 && TYPE_STRING == 1 && TYPE_INT == 2 && TYPE_LONG == 3 && TYPE_FLOAT == 4 &&
                   TYPE_DOUBLE == 5 && TYPE_BOOL == 6 && TYPE_OBJECT == 7,
               "saved states hold these numbers");

/* ---- counting ---- */

enum { BLOCK_HEAD = 16, WORD = 8 };

static uint64_t tally_any(struct value v, int depth);

static uint64_t tally_object(const struct object *o, int depth)
{
    uint64_t bytes = 2 * BLOCK_HEAD;
    struct value key, v;
    if (depth > LIMIT_PARSE_DEPTH || object_is_failure(o))
        return bytes;
    for (size_t i = 0; object_is_list(o) && i < list_count(o); i++)
        bytes += sizeof(struct value) + tally_any(list_get(o, i), depth);
    for (size_t i = 0; !object_is_list(o) && object_next(o, &i, &key, &v);)
        bytes +=
            3 * sizeof(struct value) + tally_any(key, depth) + (object_is_map(o) ? tally_any(v, depth) : 0);
    return bytes / (o->refs ? o->refs : 1);
}

static uint64_t tally_any(struct value v, int depth)
{
    if (v.type == TYPE_OBJECT)
        return tally_object(v.as.o, depth + 1);
    if (v.type != TYPE_STRING || v.as.s->refs == TEXT_SCRATCH)
        return 0;
    uint64_t bytes = (sizeof(struct text) + v.as.s->len + WORD) & ~(uint64_t)(WORD - 1);
    return bytes / (v.as.s->refs ? v.as.s->refs : 1);
}

uint64_t tally_value(struct value v)
{
    return tally_any(v, 0);
}

uint64_t tally_row(const struct row *r)
{
    uint64_t bytes = row_bytes(r->count);
    for (size_t i = 0; i < r->count; i++)
        bytes += tally_value(row_get(r, i));
    return bytes / (r->refs ? r->refs : 1);
}

/* ---- writing ---- */

/* Room for so many bytes at the end, or NULL; then put them and call done with their end. */
static inline char *room(struct writer *w, size_t most)
{
    struct buf *b = &w->out;
    if (LIKELY(b->cap - b->len > most && !b->overflow)) /* cap counts the NUL */
        return b->bytes + b->len;
    if (w->tally) {
        w->tally->bytes += most > WORD ? most : WORD;
        return NULL;
    }
    return buf_reserve(b, most);
}

static inline void done(struct writer *w, char *end)
{
    w->out.len = (size_t)(end - w->out.bytes);
    *end = 0;
}

static inline char *put_little(char *at, uint64_t v, size_t bytes)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(at, &v, bytes);
#else
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(v >> (8 * i) & 0xFF);
#endif
    return at + bytes;
}

enum { VARINT_MOST = 10 };

static inline char *put_varint(char *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (char)(v | 0x80);
    *at++ = (char)v;
    return at;
}

static inline void write_little(struct writer *w, uint64_t v, size_t bytes)
{
    char *at = room(w, bytes);
    if (LIKELY(at != NULL))
        done(w, put_little(at, v, bytes));
}

void write_u8(struct writer *w, uint8_t v)
{
    write_little(w, v, 1);
}

void write_u32(struct writer *w, uint32_t v)
{
    write_little(w, v, 4);
}

void write_i64(struct writer *w, int64_t v)
{
    write_little(w, (uint64_t)v, 8);
}

void write_double(struct writer *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    write_little(w, bits, 8);
}

void write_varint(struct writer *w, uint64_t v)
{
    char bytes[VARINT_MOST];
    if (LIKELY(w->out.cap - w->out.len > VARINT_MOST && !w->out.overflow))
        done(w, put_varint(w->out.bytes + w->out.len, v));
    else if (w->tally)
        w->tally->bytes += WORD;
    else
        buf_add(&w->out, bytes, (size_t)(put_varint(bytes, v) - bytes));
}

void write_count(struct writer *w, size_t n)
{
    write_varint(w, n);
}

void write_bytes(struct writer *w, const void *p, size_t len)
{
    char head[VARINT_MOST];
    size_t head_len = (size_t)(put_varint(head, len) - head);
    char *at = room(w, head_len + len);
    if (UNLIKELY(!at))
        return;
    memcpy(at, head, head_len);
    if (len)
        memcpy(at + head_len, p, len);
    done(w, at + head_len + len);
}

/* How many bytes are 0 at the upper end and at the lower, four bits each; then the others. */
void write_sparse(struct writer *w, uint64_t v)
{
    unsigned upper = v ? (unsigned)__builtin_clzll(v) / 8 : 8,
             lower = v ? (unsigned)__builtin_ctzll(v) / 8 : 0;
    char *at = room(w, 1 + sizeof v);
    if (UNLIKELY(!at))
        return;
    *at++ = (char)(upper << 4 | lower);
    (void)put_little(at, v >> 8 * lower, 8);
    done(w, at + (8 - upper - lower));
}

void write_step(struct writer *w, uint64_t v, uint64_t before)
{
    uint64_t step = v - before;
    write_varint(w, step << 1 ^ (uint64_t)((int64_t)step >> 63));
}

void write_tag(struct writer *w, const char *tag)
{
    if (w->is_lean || w->tally)
        return;
    write_bytes(w, tag, strlen(tag));
}

static inline void write_any(struct writer *w, struct value v, int depth);

static void write_object(struct writer *w, const struct object *o, int depth)
{
    if (object_is_failure(o)) {
        const char *message = failure_message(o);
        write_u8(w, KIND_FAILURE);
        write_bytes(w, message, strlen(message));
        return;
    }
    if (object_is_list(o)) {
        write_u8(w, KIND_LIST);
        write_count(w, list_count(o));
        for (size_t i = 0; i < list_count(o); i++)
            write_any(w, list_get(o, i), depth);
        return;
    }
    write_u8(w, object_is_set(o) ? KIND_SET : KIND_MAP);
    write_count(w, object_count(o));
    struct value key, v;
    for (size_t i = 0; object_next(o, &i, &key, &v);) {
        write_any(w, key, depth);
        if (object_is_map(o))
            write_any(w, v, depth);
    }
}

/* The value without its type. */
static void write_bare(struct writer *w, struct value v, int depth)
{
    uint32_t bits;
    switch (v.type) {
    case TYPE_NULL:
        break;
    case TYPE_STRING:
        write_bytes(w, v.as.s->bytes, v.as.s->len);
        break;
    case TYPE_INT:
        write_u32(w, (uint32_t)v.as.l);
        break;
    case TYPE_LONG:
        write_i64(w, v.as.l);
        break;
    case TYPE_FLOAT:
        memcpy(&bits, &v.as.f, sizeof(bits));
        write_u32(w, bits);
        break;
    case TYPE_DOUBLE:
        write_double(w, v.as.d);
        break;
    case TYPE_BOOL:
        write_u8(w, v.as.l != 0);
        break;
    case TYPE_OBJECT:
        write_object(w, v.as.o, depth + 1);
        break;
    }
}

/* What is most of a state, in one step each. */
static inline void write_any(struct writer *w, struct value v, int depth)
{
    enum { NUMBER_MOST = 9 };
    char head[1 + VARINT_MOST], *at;
    if (v.type == TYPE_STRING) {
        size_t len = v.as.s->len;
        head[0] = TYPE_STRING;
        size_t head_len = (size_t)(put_varint(head + 1, len) - head);
        if (UNLIKELY((at = room(w, head_len + len)) == NULL))
            return;
        memcpy(at, head, head_len);
        memcpy(at + head_len, v.as.s->bytes, len);
        done(w, at + head_len + len);
    } else if (v.type == TYPE_LONG || v.type == TYPE_DOUBLE) {
        if (UNLIKELY((at = room(w, NUMBER_MOST)) == NULL))
            return;
        *at = (char)v.type;
        done(w, put_little(at + 1, (uint64_t)v.as.l, 8));
    } else if (UNLIKELY(v.type == TYPE_OBJECT && depth >= LIMIT_PARSE_DEPTH)) {
        write_u8(w, TYPE_NULL);
    } else {
        write_u8(w, (uint8_t)v.type);
        write_bare(w, v, depth);
    }
}

void write_value(struct writer *w, struct value v)
{
    if (UNLIKELY(w->tally != NULL)) {
        w->tally->bytes += sizeof v + tally_value(v);
        return;
    }
    write_any(w, v, 0);
}

void write_row(struct writer *w, const struct row *r)
{
    enum { HEAD_MOST = 1 + 8 + VARINT_MOST };
    if (UNLIKELY(w->tally != NULL)) {
        w->tally->bytes += sizeof r + (r ? tally_row(r) : 0);
        return;
    }
    if (!r) {
        write_u8(w, 0);
        return;
    }
    char *at = room(w, HEAD_MOST);
    if (UNLIKELY(!at))
        return;
    *at++ = 1;
    at = put_little(at, (uint64_t)r->at_ms, 8);
    done(w, put_varint(at, r->count));
    for (size_t i = 0; i < r->count; i++)
        write_any(w, row_get(r, i), 0);
}

static inline bool has_types_of(const struct row *r, const struct row *before)
{
    return before && before->count == r->count && memcmp(before->types, r->types, r->count) == 0;
}

/* The time as the difference to the row before, one bit of it telling whether the types are the same; if not,
 * they follow. */
static inline void write_row_head(struct writer *w, const struct row *r, const struct row *before, bool same)
{
    uint64_t step = (uint64_t)r->at_ms - (before ? (uint64_t)before->at_ms : 0);
    uint64_t zigzag = step << 1 ^ (uint64_t)((int64_t)step >> 63);
    enum { HEAD_MOST = 10 };
    char *start = room(w, HEAD_MOST + (size_t)r->count * 8), *at = start;
    if (!start)
        return;
    *at++ = (char)((zigzag & 0x3F) | (same ? 0 : 0x40) | (zigzag >> 6 ? 0x80 : 0));
    for (uint64_t rest = zigzag >> 6; rest; rest >>= 7)
        *at++ = (char)((rest & 0x7F) | (rest >> 7 ? 0x80 : 0));
    w->out.len += (size_t)(at - start);
    *at = 0;
    if (!same) {
        write_count(w, r->count);
        buf_add(&w->out, r->types, r->count);
    }
}

/* The values without their types. */
void write_row_behind(struct writer *w, const struct row *r, const struct row *before)
{
    if (UNLIKELY(w->tally != NULL)) {
        write_row(w, r);
        return;
    }
    write_row_head(w, r, before, has_types_of(r, before));
    for (size_t i = 0; i < r->count; i++) {
        union cell c = row_cells(r)[i];
        if (r->types[i] == TYPE_LONG || r->types[i] == TYPE_DOUBLE)
            write_i64(w, c.l);
        else if (r->types[i] != TYPE_NULL)
            write_bare(w, (struct value){c, (enum type)r->types[i]}, 0);
    }
}

/* Of a row without types of its own, numbers lean on the former's; of doubles the bits that differ. */
void write_row_near(struct writer *w, const struct row *r, const struct row *before, size_t known)
{
    if (UNLIKELY(w->tally != NULL)) {
        write_row(w, r);
        return;
    }
    bool same = has_types_of(r, before);
    write_row_head(w, r, before, same);
    for (size_t i = 0; i < r->count; i++) {
        union cell c = row_cells(r)[i];
        uint64_t was = same ? (uint64_t)row_cells(before)[i].l : 0;
        if (i == known || r->types[i] == TYPE_NULL)
            continue;
        if (r->types[i] == TYPE_DOUBLE)
            write_sparse(w, (uint64_t)c.l ^ was);
        else if (r->types[i] == TYPE_LONG || r->types[i] == TYPE_INT)
            write_step(w, (uint64_t)c.l, was);
        else
            write_bare(w, (struct value){c, (enum type)r->types[i]}, 0);
    }
}

/* ---- reading ---- */

/* The next bytes, or NULL and failed; after a failure nothing is left. */
static inline const uint8_t *take(struct reader *r, size_t bytes)
{
    if (r->failed || (size_t)(r->end - r->at) < bytes) {
        r->failed = true;
        r->at = r->end;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += bytes;
    return p;
}

static void fail(struct reader *r)
{
    r->failed = true;
    r->at = r->end;
}

static inline uint64_t read_little(struct reader *r, size_t bytes)
{
    const uint8_t *p = take(r, bytes);
    uint64_t v = 0;
    if (UNLIKELY(!p))
        return 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&v, p, bytes);
#else
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
#endif
    return v;
}

uint8_t read_u8(struct reader *r)
{
    return (uint8_t)read_little(r, 1);
}

uint32_t read_u32(struct reader *r)
{
    return (uint32_t)read_little(r, 4);
}

int64_t read_i64(struct reader *r)
{
    return (int64_t)read_little(r, 8);
}

uint64_t read_sparse(struct reader *r)
{
    uint8_t head = read_u8(r);
    unsigned upper = head >> 4, lower = head & 15;
    if (upper + lower > 8 || lower == 8) {
        fail(r);
        return 0;
    }
    return upper == 8 ? 0 : read_little(r, 8 - upper - lower) << 8 * lower;
}

double read_double(struct reader *r)
{
    uint64_t bits = read_little(r, 8);
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

uint64_t read_varint(struct reader *r)
{
    uint64_t n = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = read_u8(r);
        if (shift > 63) {
            fail(r);
            return 0;
        }
        n |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return n;
    }
}

uint64_t read_step(struct reader *r, uint64_t before)
{
    uint64_t zigzag = read_varint(r);
    return before + (zigzag >> 1 ^ (0 - (zigzag & 1)));
}

size_t read_count(struct reader *r, size_t max)
{
    uint64_t n = read_varint(r);
    if (n > max || n > (size_t)(r->end - r->at)) {
        fail(r);
        return 0;
    }
    return (size_t)n;
}

const void *read_bytes(struct reader *r, size_t *len)
{
    *len = read_count(r, SIZE_MAX);
    const void *p = take(r, *len);
    if (!p)
        *len = 0;
    return p;
}

bool read_tag(struct reader *r, const char *tag)
{
    size_t len;
    if (r->is_lean)
        return !r->failed;
    const void *p = read_bytes(r, &len);
    if (p && len == strlen(tag) && memcmp(p, tag, len) == 0)
        return true;
    fail(r);
    return false;
}

static struct value read_any(struct reader *r, int depth);

static struct value read_text(struct reader *r)
{
    size_t len;
    const char *p = read_bytes(r, &len);
    if (!p || len > INT32_MAX || !utf8_valid(p, len)) {
        fail(r);
        return VALUE_NULL;
    }
    return value_text(text_new(p, len));
}

static struct object *read_failure(struct reader *r)
{
    struct value message = read_text(r);
    if (is_null(message))
        return NULL;
    struct object *o = failure_new(message.as.s->bytes);
    value_drop(message);
    return o;
}

/* A new set, list or map with what could be read; the caller looks at failed. */
static struct object *read_elements(struct reader *r, enum kind kind, int depth)
{
    struct object *o = kind == KIND_LIST ? list_new() : kind == KIND_SET ? set_new() : map_object_new();
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct value v = read_any(r, depth);
        if (kind == KIND_LIST) {
            list_add(o, v);
        } else if (kind == KIND_SET) {
            (void)set_add(o, v);
        } else {
            struct value under = read_any(r, depth);
            map_object_put(o, v, under);
            value_drop(under);
        }
        value_drop(v);
    }
    return o;
}

static struct value read_object(struct reader *r, int depth)
{
    uint8_t kind = read_u8(r);
    struct object *o = NULL;
    if (depth > LIMIT_PARSE_DEPTH || kind < KIND_SET || kind > KIND_FAILURE)
        fail(r);
    else if (kind == KIND_FAILURE)
        o = read_failure(r);
    else
        o = read_elements(r, (enum kind)kind, depth);
    if (!r->failed)
        return value_object(o);
    if (o)
        value_drop(value_object(o));
    return VALUE_NULL;
}

static struct value read_float(struct reader *r)
{
    uint32_t bits = read_u32(r);
    float f;
    memcpy(&f, &bits, sizeof(f));
    return value_float(f);
}

static struct value read_bool(struct reader *r)
{
    uint8_t byte = read_u8(r);
    if (byte > 1)
        fail(r);
    return value_bool(byte == 1);
}

static struct value read_bare(struct reader *r, uint8_t type, int depth)
{
    struct value v = VALUE_NULL;
    if (type > TYPE_OBJECT) {
        fail(r);
        return v;
    }
    switch ((enum type)type) {
    case TYPE_NULL:
        break;
    case TYPE_STRING:
        return read_text(r);
    case TYPE_INT:
        v = value_int((int32_t)read_u32(r));
        break;
    case TYPE_LONG:
        v = value_long(read_i64(r));
        break;
    case TYPE_FLOAT:
        v = read_float(r);
        break;
    case TYPE_DOUBLE:
        v = value_double(read_double(r));
        break;
    case TYPE_BOOL:
        v = read_bool(r);
        break;
    case TYPE_OBJECT:
        return read_object(r, depth + 1);
    }
    return r->failed ? VALUE_NULL : v;
}

static struct value read_any(struct reader *r, int depth)
{
    return read_bare(r, read_u8(r), depth);
}

struct value read_value(struct reader *r)
{
    return read_any(r, 0);
}

struct row *read_row(struct reader *r)
{
    uint8_t there = read_u8(r);
    if (there > 1)
        fail(r);
    if (there != 1)
        return NULL;
    int64_t at_ms = read_i64(r);
    size_t count = read_count(r, UINT16_MAX);
    if (r->failed)
        return NULL;
    struct row *row = row_new(count, at_ms);
    for (size_t i = 0; i < count; i++)
        row_set_take(row, i, read_value(r));
    if (r->failed) {
        row_unref(row);
        return NULL;
    }
    return row;
}

/* A row without its values, and in *types what they will be. NULL: failed. */
static struct row *read_row_head(struct reader *r, const struct row *before, const uint8_t **types,
                                 bool *same)
{
    uint8_t first = read_u8(r), byte = first;
    uint64_t zigzag = first & 0x3F;
    for (unsigned shift = 6; byte & 0x80; shift += 7) {
        byte = read_u8(r);
        if (shift > 62) {
            fail(r);
            return NULL;
        }
        zigzag |= (uint64_t)(byte & 0x7F) << shift;
    }
    *same = !(first & 0x40);
    size_t count = *same ? (before ? before->count : 0) : read_count(r, UINT16_MAX);
    *types = *same ? (before ? before->types : NULL) : take(r, count);
    if (r->failed || (*same && !before)) {
        fail(r);
        return NULL;
    }
    uint64_t step = zigzag >> 1 ^ (0 - (zigzag & 1));
    return row_new(count, (int64_t)(step + (before ? (uint64_t)before->at_ms : 0)));
}

static struct row *row_unless_failed(struct reader *r, struct row *row)
{
    if (!r->failed)
        return row;
    row_unref(row);
    return NULL;
}

struct row *read_row_behind(struct reader *r, const struct row *before)
{
    const uint8_t *types;
    bool same;
    struct row *row = read_row_head(r, before, &types, &same);
    for (size_t i = 0; row && i < row->count; i++) {
        if (LIKELY(types[i] == TYPE_LONG || types[i] == TYPE_DOUBLE)) {
            row->types[i] = types[i];
            row_cells(row)[i].l = (int64_t)read_little(r, 8);
        } else {
            row_set_take(row, i, read_bare(r, types[i], 0));
        }
    }
    return row ? row_unless_failed(r, row) : NULL;
}

struct row *read_row_near(struct reader *r, const struct row *before, size_t known, struct text *text)
{
    const uint8_t *types;
    bool same;
    struct row *row = read_row_head(r, before, &types, &same);
    for (size_t i = 0; row && i < row->count; i++) {
        uint64_t was = same ? (uint64_t)row_cells(before)[i].l : 0;
        if (i == known && types[i] == TYPE_STRING)
            row_set(row, i, value_text(text));
        else if (i == known)
            fail(r);
        else if (types[i] == TYPE_DOUBLE)
            row_set_take(row, i, (struct value){{.l = (int64_t)(read_sparse(r) ^ was)}, TYPE_DOUBLE});
        else if (types[i] == TYPE_LONG)
            row_set_take(row, i, value_long((int64_t)read_step(r, was)));
        else if (types[i] == TYPE_INT)
            row_set_take(row, i, value_int((int32_t)read_step(r, was)));
        else
            row_set_take(row, i, read_bare(r, types[i], 0));
    }
    return row ? row_unless_failed(r, row) : NULL;
}
