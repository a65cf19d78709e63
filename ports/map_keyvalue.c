/* map_keyvalue.c - keyvalue (spec 21 section 5): an event is a map, inside the process. */
#include "engine/data/object.h"
#include "ports/map_in.h"

static const struct option options[] = {
    {"fail.on.missing.attribute", OPTION_BOOL, OPTION_SOURCE, "true", "false: a missing value is null"},
    {"implicit.cast.enable", OPTION_BOOL, OPTION_SOURCE, "false",
     "a value of another type is read from its text"},
};

struct keyvalue {
    struct value *keys; /* texts: source, one for each attribute; sink, one for each pair */
    uint32_t count;
    bool casts;
};

static int keyvalue_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    struct keyvalue *k = m->self;
    if (m->payload && m->named_count == 0) {
        diag_error(diags, map->span, "mapper keyvalue wants a name for each value: @payload(key='..')");
        return -1;
    }
    k->casts = option_bool(&m->options, "implicit.cast.enable");
    k->count = m->named_count > 0 ? (uint32_t)m->named_count : m->schema->count;
    k->keys = arena_array(m->arena, k->count, sizeof(*k->keys));
    for (uint32_t i = 0; i < k->count; i++) {
        const char *key = m->schema->attributes[m->named_count > 0 ? 0 : i].name;
        if (m->named_count > 0)
            key = m->named[i].key;
        else if (m->fields)
            key = m->fields[i].expr;
        k->keys[i] = value_text(text_new(key, strlen(key)));
    }
    return 0;
}

static void keyvalue_close(struct mapper *m)
{
    struct keyvalue *k = m->self;
    for (uint32_t i = 0; i < k->count; i++)
        value_drop(k->keys[i]);
}

/* ---- reading ---- */

static bool set_value(struct mapper *m, struct row *row, uint32_t i, struct value v, bool casts)
{
    enum type type = m->schema->attributes[i].type;
    if (v.type == type || type == TYPE_OBJECT) {
        row_set_take(row, i, value_apart(v));
        return true;
    }
    if (!casts)
        return false;
    struct buf text;
    buf_init(&text, SIZE_MAX);
    value_print(v, &text);
    bool good = map_set_scalar(m, row, i, text.bytes ? text.bytes : "", text.len);
    buf_fini(&text);
    return good;
}

static int keyvalue_read(struct mapper *m, const struct payload *in, const struct property *properties,
                         int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    const struct keyvalue *k = m->self;
    if (in->kind != PAYLOAD_MAP)
        return err_set(e, ERR_INVALID, "a map was expected");
    struct row *row = map_row_new(m, now_ms);
    int rc = 0;
    for (uint32_t i = 0; i < m->schema->count && rc == 0; i++) {
        struct value v;
        if (map_is_transport(m, i))
            continue;
        if (!map_object_get(in->map, k->keys[i], &v) || is_null(v)) {
            if (m->fail_on_missing)
                rc = err_set(e, ERR_INVALID, "'%s' is missing", k->keys[i].as.s->bytes);
        } else if (!set_value(m, row, i, v, k->casts)) {
            rc = err_set(e, ERR_INVALID, "the value of '%s' is %s and does not fit '%s'",
                         k->keys[i].as.s->bytes, type_name(v.type), m->schema->attributes[i].name);
        }
    }
    if (rc == 0)
        emit(user, &row, 1, false);
    else
        row_unref(row);
    return rc;
}

/* ---- writing ---- */

/* Of a pair; owned. */
static struct value make_value(const struct mapper *m, uint32_t i, const struct row *row)
{
    if (m->named_count == 0)
        return value_keep(row_get(row, i));
    const struct template *t = m->named[i].value;
    if (t->object >= 0)
        return value_keep(row_get(row, (size_t)t->object));
    struct buf text;
    buf_init(&text, m->out.max_bytes);
    template_render(t, row, "null", &text);
    struct value v = value_text(text_new(text.bytes ? text.bytes : "", text.len));
    buf_fini(&text);
    return v;
}

static int keyvalue_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user,
                          struct err *e)
{
    (void)e;
    const struct keyvalue *k = m->self;
    for (uint32_t n = 0; n < b->count; n++) {
        struct value map = value_object(map_object_new());
        for (uint32_t i = 0; i < k->count; i++) {
            struct value v = make_value(m, i, b->events[n].row);
            map_object_put(map.as.o, k->keys[i], v);
            value_drop(v);
        }
        struct payload p = {.kind = PAYLOAD_MAP, .map = map.as.o};
        emit(user, &p);
        value_drop(map);
    }
    return 0;
}

const struct map_type map_type_keyvalue = {
    .name = "keyvalue",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_source = true,
    .can_sink = true,
    .in_process = true,
    .size = sizeof(struct keyvalue),
    .open = keyvalue_open,
    .read = keyvalue_read,
    .write = keyvalue_write,
    .close = keyvalue_close,
};
