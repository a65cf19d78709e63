#include "agent/input.h"
#include "agent/csv_input.h"
#include "agent/jnode.h"
#include "engine/base/utf8.h"
#include "ports/map.h"
#include <string.h>

enum { INPUT_BYTES = 1 << 30 };

static struct row *add_row(struct input *in)
{
    if (in->count == in->cap) {
        in->cap = in->cap ? in->cap * 2 : 1024;
        in->rows = mem_resize(in->rows, in->cap, sizeof *in->rows);
    }
    return in->rows[in->count++] = row_new(in->schema->count, 0);
}

static bool is_blank(const struct csv_field *f)
{
    return f->len == 0 && !f->is_quoted;
}

/* The header names the attributes; no column of it being one is a mistake. */
static int *read_header(const struct input *in, struct csv *c, struct arena *a, struct err *e)
{
    int *columns = arena_array(a, (size_t)c->count, sizeof *columns);
    bool any = false;
    for (int i = 0; i < c->count; i++) {
        columns[i] = schema_find(in->schema, arena_strndup(a, c->fields[i].text, c->fields[i].len));
        any |= columns[i] >= 0;
    }
    if (!any)
        err_set(e, ERR_INVALID, "line 1: the header names no attribute of '%s'", in->schema->id);
    return any ? columns : NULL;
}

static int read_csv(struct input *in, struct arena *a, const char *text, size_t len, struct err *e)
{
    struct csv c;
    csv_init(&c, a, text, len);
    int rc = csv_next(&c, e);
    int width = c.count, *columns = rc > 0 ? read_header(in, &c, a, e) : NULL;
    if (rc == 0)
        err_set(e, ERR_INVALID, "line 1: there is no header");
    rc = columns ? 1 : ERR_INVALID;
    while (rc > 0 && (rc = csv_next(&c, e)) > 0) {
        if (c.count != width) {
            rc = err_set(e, ERR_INVALID, "line %d: %d fields, the header has %d", c.line, c.count, width);
            break;
        }
        struct row *row = add_row(in);
        for (int i = 0; i < width; i++) {
            struct value v = VALUE_NULL;
            enum type type = columns[i] < 0 ? TYPE_NULL : in->schema->attributes[columns[i]].type;
            if (columns[i] < 0 || (is_blank(&c.fields[i]) && type != TYPE_STRING))
                continue;
            if (!map_scalar(type, c.fields[i].text, c.fields[i].len, &v)) {
                rc = err_set(e, ERR_INVALID, "line %d: '%.*s' is no %s, which '%s' is", c.line,
                             (int)(c.fields[i].len > 40 ? 40 : c.fields[i].len), c.fields[i].text,
                             type_name(type), in->schema->attributes[columns[i]].name);
                break;
            }
            row_set_take(row, (size_t)columns[i], v);
        }
    }
    csv_fini(&c);
    return rc;
}

static int read_line(struct input *in, const struct jnode *root, struct err *e)
{
    int64_t at_ms;
    const struct jnode *data = jnode_get(root, "data"), *at = jnode_get(root, "at");
    bool is_event = data && data->kind == JNODE_OBJECT && jnode_long(at, &at_ms);
    const struct jnode *object = is_event ? data : root;
    if (object->kind != JNODE_OBJECT)
        return err_set(e, ERR_INVALID, "an object is expected");
    struct row *row = add_row(in);
    if (is_event)
        row->at_ms = at_ms;
    in->has_times = is_event && (in->has_times || in->count == 1);
    for (uint32_t i = 0; i < in->schema->count; i++) {
        struct value v;
        const struct attribute *attribute = &in->schema->attributes[i];
        const struct jnode *n = jnode_get(object, attribute->name);
        if (!n)
            continue;
        if (!jnode_to_value(n, attribute->type, &v))
            return err_set(e, ERR_INVALID, "the value of '%s' is no %s", attribute->name,
                           type_name(attribute->type));
        row_set_take(row, i, v);
    }
    return 0;
}

static int read_json_lines(struct input *in, struct arena *a, const char *text, size_t len, struct err *e)
{
    const char *at = text, *end = text + len;
    struct arena_mark empty = arena_mark(a);
    for (int line = 1;;) {
        struct err why = {0};
        const char *from = at;
        const struct jnode *root = jnode_parse(a, &at, end, &why);
        for (const char *p = from; p < at; p++)
            line += *p == '\n';
        if (!root && why.code == ERR_NOT_FOUND)
            return 0;
        if (!root || read_line(in, root, &why) < 0)
            return err_set(e, ERR_INVALID, "line %d: %s", line, why.text);
        arena_reset(a, empty);
    }
}

static bool is_json(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && memchr(" \t\r\n", text[i], 4))
        i++;
    return i < len && text[i] == '{';
}

/* The engine is given text that is one. */
static int check_text(const char *text, size_t len, struct err *e)
{
    int line = 1;
    uint32_t code;
    for (size_t i = 0, taken; i < len; i += taken) {
        taken = utf8_decode(text + i, len - i, &code);
        if (!taken)
            return err_set(e, ERR_INVALID, "line %d: the byte 0x%02X is no UTF-8", line,
                           (unsigned)(unsigned char)text[i]);
        line += text[i] == '\n';
    }
    return 0;
}

int input_open(struct input *in, const struct plan *plan, const char *spec, struct err *e)
{
    const char *equals = strchr(spec, '=');
    struct buf text;
    struct arena a;
    struct err why = {0};
    *in = (struct input){0};
    if (!equals || equals == spec)
        return err_set(e, ERR_INVALID, "'%s' is not STREAM=FILE", spec);
    arena_init(&a, 64 * 1024);
    const char *id = arena_strndup(&a, spec, (size_t)(equals - spec));
    int stream = plan_find_stream(plan, id);
    int rc = stream < 0 ? err_set(e, ERR_NOT_FOUND, "the app has no stream '%s'", id) : 0;
    if (rc == 0) {
        in->stream = (uint32_t)stream;
        in->schema = plan_stream(plan, in->stream);
        rc = textfile_read(equals + 1, INPUT_BYTES, &text, e);
        if (rc == 0) {
            rc = utf8_valid(text.bytes, text.len) ? 0 : check_text(text.bytes, text.len, &why);
            if (rc == 0)
                rc = is_json(text.bytes, text.len) ? read_json_lines(in, &a, text.bytes, text.len, &why)
                                                   : read_csv(in, &a, text.bytes, text.len, &why);
            if (rc < 0)
                err_set(e, rc, "%s: %s", equals + 1, why.text);
        }
        buf_fini(&text);
    }
    arena_fini(&a);
    if (rc < 0)
        input_close(in);
    return rc < 0 ? rc : 0;
}

void input_close(struct input *in)
{
    for (uint32_t i = 0; i < in->count; i++)
        row_unref(in->rows[i]);
    mem_free(in->rows);
    *in = (struct input){0};
}
