/* map_binary.c - binary, Siddhi's event format (spec 21 section 7). Big-endian throughout:
 *
 *     message := int32 count, count * (int64 timestamp, the stream's attributes)
 *     string  := int32 length, bytes; length 0 is null     object := nothing to read, int32 0 written
 *
 * A null other than that has no form: the whole message is refused, as the stock encoder does. */
#include "engine/base/utf8.h"
#include "ports/map_in.h"
#include <string.h>

static int binary_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    if (m->fields || m->payload || m->named_count > 0) {
        diag_error(diags, map->span, "mapper binary takes neither @attributes nor @payload");
        return -1;
    }
    return 0;
}

/* ---- reading ---- */

struct reader {
    const unsigned char *at, *end;
    bool failed;
};

static uint64_t read_number(struct reader *r, size_t bytes)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->at) < bytes) {
        r->failed = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | r->at[i];
    r->at += bytes;
    return v;
}

static struct value read_text(struct reader *r)
{
    int32_t len = (int32_t)read_number(r, 4);
    const char *bytes = (const char *)r->at;
    if (r->failed || len < 0 || r->end - r->at < len || !utf8_valid(bytes, (size_t)len)) {
        r->failed = true;
        return VALUE_NULL;
    }
    r->at += len;
    return len == 0 ? VALUE_NULL : value_text(text_new(bytes, (size_t)len));
}

static struct value read_value_of(struct reader *r, enum type type)
{
    union {
        uint32_t bits;
        float f;
    } f;
    union {
        uint64_t bits;
        double d;
    } d;
    switch (type) {
    case TYPE_INT:
        return value_int((int32_t)read_number(r, 4));
    case TYPE_LONG:
        return value_long((int64_t)read_number(r, 8));
    case TYPE_FLOAT:
        f.bits = (uint32_t)read_number(r, 4);
        return value_float(f.f);
    case TYPE_DOUBLE:
        d.bits = read_number(r, 8);
        return value_double(d.d);
    case TYPE_BOOL:
        return value_bool(read_number(r, 1) == 1);
    case TYPE_STRING:
        return read_text(r);
    case TYPE_OBJECT:
    case TYPE_NULL:
        break;
    }
    return VALUE_NULL;
}

static int binary_read(struct mapper *m, const struct payload *in, const struct property *properties,
                       int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    if (in->kind != PAYLOAD_BYTES)
        return err_set(e, ERR_INVALID, "bytes were expected");
    struct reader r = {.at = (const unsigned char *)in->bytes};
    r.end = r.at + in->len;
    struct map_rows list = {.m = m};
    int32_t count = (int32_t)read_number(&r, 4);
    r.failed |= count < 0;
    for (int32_t k = 0; k < count && !r.failed; k++) {
        int64_t at_ms = (int64_t)read_number(&r, 8);
        if (r.failed)
            break;
        struct row *row = map_row_new(m, at_ms == -1 ? now_ms : at_ms);
        for (uint32_t i = 0; i < m->schema->count && !r.failed; i++)
            row_set_take(row, i, read_value_of(&r, m->schema->attributes[i].type));
        map_rows_add(&list, row);
    }
    if (r.failed) {
        map_rows_drop(&list);
        return err_set(e, ERR_INVALID, "not %d events of stream '%s' (byte %zu)", count, m->schema->id,
                       (size_t)(r.at - (const unsigned char *)in->bytes));
    }
    map_rows_emit(&list, true, emit, user);
    return 0;
}

/* ---- writing ---- */

static void write_number(struct buf *out, uint64_t v, size_t bytes)
{
    char text[8];
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(v >> 8 * (bytes - 1 - i));
    buf_add(out, text, bytes);
}

/* By the declared type: the receiver knows no other. false: no form. */
static bool write_value_as(struct buf *out, enum type type, struct value v)
{
    union {
        float f;
        uint32_t bits;
    } f;
    union {
        double d;
        uint64_t bits;
    } d;
    if (type == TYPE_OBJECT) {
        write_number(out, 0, 4);
        return true;
    }
    if (v.type != type)
        return false;
    switch (type) {
    case TYPE_INT:
        write_number(out, (uint64_t)v.as.l, 4);
        break;
    case TYPE_LONG:
        write_number(out, (uint64_t)v.as.l, 8);
        break;
    case TYPE_FLOAT:
        f.f = v.as.f;
        write_number(out, f.bits, 4);
        break;
    case TYPE_DOUBLE:
        d.d = v.as.d;
        write_number(out, d.bits, 8);
        break;
    case TYPE_BOOL:
        write_number(out, v.as.l != 0, 1);
        break;
    case TYPE_STRING:
        write_number(out, v.as.s->len, 4);
        buf_add(out, v.as.s->bytes, v.as.s->len);
        break;
    case TYPE_OBJECT:
    case TYPE_NULL:
        break;
    }
    return true;
}

static int binary_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user,
                        struct err *e)
{
    write_number(&m->out, b->count, 4);
    for (uint32_t k = 0; k < b->count; k++) {
        write_number(&m->out, (uint64_t)b->events[k].at_ms, 8);
        for (uint32_t i = 0; i < m->schema->count; i++)
            if (!write_value_as(&m->out, m->schema->attributes[i].type, row_get(b->events[k].row, i)))
                return err_set(e, ERR_INVALID, "the value of '%s' has no binary form (null?)",
                               m->schema->attributes[i].name);
    }
    if (m->out.overflow)
        return err_set(e, ERR_TOO_BIG, "the message would have more than %zu bytes", m->out.max_bytes);
    struct payload p = {.kind = PAYLOAD_BYTES, .bytes = m->out.bytes, .len = m->out.len};
    emit(user, &p);
    return 0;
}

const struct map_type map_type_binary = {
    .name = "binary",
    .can_source = true,
    .can_sink = true,
    .size = 1,
    .open = binary_open,
    .read = binary_read,
    .write = binary_write,
};
