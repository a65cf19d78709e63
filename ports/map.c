/* map.c - what all mappers share: the annotation checked, the doors, scalars from text. */
#include "engine/base/limits.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include "ports/configure.h"
#include "ports/map_in.h"
#include <string.h>
#include <strings.h>

enum { SCRATCH_BLOCK_BYTES = 16 * 1024, ROWS_FIRST = 16 };

static const struct map_type *const map_types[] = {
    &map_type_binary,      &map_type_csv,  &map_type_json, &map_type_keyvalue,
    &map_type_passthrough, &map_type_text, &map_type_xml,
};
enum { MAP_TYPES = sizeof(map_types) / sizeof(struct map_type *) };

/* Siddhi has them, or spec 21 proposes them. */
static const char *const unbuilt[] = {"avro", "cbor", "protobuf", "senml-cbor", "senml-json"};

const struct map_type *map_type_find(const char *name)
{
    for (size_t i = 0; i < MAP_TYPES; i++)
        if (strcmp(map_types[i]->name, name) == 0)
            return map_types[i];
    return NULL;
}

/* ---- helpers of the mappers ---- */

void map_rows_skip(struct map_rows *list)
{
    struct map_failed *f = &list->m->failing;
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->at = mem_resize(f->at, f->cap, sizeof(*f->at));
    }
    f->at[f->count++] = list->count + list->skipped++;
}

void map_rows_drop(struct map_rows *list)
{
    list->m->failing.count = 0;
    list->skipped = 0;
    for (uint32_t i = 0; i < list->count; i++)
        row_unref(list->rows[i]);
    list->count = 0;
}

/* A few bytes can be an event of many attributes: what was made is given back before it is too much. */
static void rows_end(struct map_rows *list)
{
    list->m->took_over = true;
    map_rows_drop(list);
}

void map_rows_add(struct map_rows *list, struct row *row)
{
    if (UNLIKELY(list->m->took_over || mem_took_over(list->m->began))) {
        row_unref(row);
        rows_end(list);
        return;
    }
    if (list->count == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : ROWS_FIRST;
        struct row **rows = arena_raw(&list->m->scratch, cap * sizeof(struct row *));
        if (list->count > 0)
            memcpy(rows, list->rows, list->count * sizeof(struct row *));
        list->rows = rows;
        list->cap = cap;
    }
    list->rows[list->count++] = row;
}

void map_rows_emit(struct map_rows *list, bool grouped, map_rows_fn emit, void *user)
{
    if (grouped && list->count > 0) {
        emit(user, list->rows, list->count, true);
        return;
    }
    for (uint32_t i = 0; i < list->count; i++)
        emit(user, &list->rows[i], 1, false);
}

struct row *map_row_new(struct mapper *m, int64_t now_ms)
{
    struct row *r = row_new(m->schema->count, now_ms);
    if (m->transport) {
        for (uint32_t i = 0; i < m->schema->count; i++)
            row_set(r, i, m->transport[i]);
    }
    return r;
}

static bool is_true(const char *s, size_t len)
{
    return len == 4 && strncasecmp(s, "true", 4) == 0;
}

bool map_scalar(enum type type, const char *s, size_t len, struct value *out)
{
    int32_t i;
    int64_t l;
    float f;
    double d;
    switch (type) {
    case TYPE_INT:
        if (!num_parse_int(s, len, &i))
            return false;
        *out = value_int(i);
        return true;
    case TYPE_LONG:
        if (!num_parse_long(s, len, &l))
            return false;
        *out = value_long(l);
        return true;
    case TYPE_FLOAT:
        if (!num_parse_float(s, len, &f))
            return false;
        *out = value_float(f);
        return true;
    case TYPE_DOUBLE:
        if (!num_parse_double(s, len, &d))
            return false;
        *out = value_double(d);
        return true;
    case TYPE_BOOL:
        *out = value_bool(is_true(s, len));
        return true;
    case TYPE_STRING:
    case TYPE_OBJECT:
        *out = value_text(text_new(s, len));
        return true;
    case TYPE_NULL:
        break;
    }
    ASSERT(!"a type");
    return false;
}

bool map_set_scalar(struct mapper *m, struct row *row, size_t i, const char *s, size_t len)
{
    struct value v;
    if (!map_scalar(m->schema->attributes[i].type, s, len, &v))
        return false;
    value_drop(row_get(row, i));
    row_set_take(row, i, v);
    return true;
}

int map_want_text(const struct payload *in, struct err *e)
{
    if (in->kind != PAYLOAD_TEXT && in->kind != PAYLOAD_BYTES)
        return err_set(e, ERR_INVALID, "text was expected, not events or a map");
    if (!utf8_valid(in->bytes, in->len))
        return err_set(e, ERR_INVALID, "invalid UTF-8");
    return 0;
}

int map_emit_text(struct mapper *m, map_payload_fn emit, void *user, struct err *e)
{
    if (m->out.overflow)
        return err_set(e, ERR_TOO_BIG, "the message would have more than %zu bytes", m->out.max_bytes);
    struct payload p = {.kind = PAYLOAD_TEXT, .bytes = m->out.bytes ? m->out.bytes : "", .len = m->out.len};
    emit(user, &p);
    return 0;
}

struct span map_option_span(const struct ast_annotation *map, const char *option)
{
    const struct ast_element *e =
        map ? configure_element((const struct ast_element *const[]){map->elements}, 1, option) : NULL;
    return e ? e->span : map ? map->span : (struct span){0, 0};
}

int map_index(const char *s, size_t len)
{
    int n = 0;
    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        n = n * 10 + (s[i] - '0');
    }
    return n;
}

/* ---- open ---- */

/* The nested annotation of that name, which may stand there once. */
static const struct ast_annotation *find_once(struct diags *diags, const struct ast_annotation *map,
                                              const char *name)
{
    const struct ast_annotation *found = NULL;
    for (const struct ast_annotation *a = map->nested; a; a = a->next) {
        if (strcasecmp(a->name.text, name) != 0)
            continue;
        if (found)
            diag_error(diags, a->span, "@%s stands here for the second time", name);
        else
            found = a;
    }
    return found;
}

static void set_field(struct arena *a, struct map_field *f, const struct ast_element *e)
{
    f->expr = arena_strdup(a, e->value);
    f->span = e->span;
    if (strncmp(e->value, "trp:", 4) == 0)
        f->property = arena_strdup(a, e->value + 4);
}

/* What the stream does not have is passed over, of a name given twice the last counts. */
static bool open_named_fields(struct mapper *m, struct diags *diags, const struct ast_annotation *attributes)
{
    bool good = true;
    for (const struct ast_element *e = attributes->elements; e; e = e->next) {
        int i = schema_find(m->schema, e->key.text);
        if (i < 0) {
            diag_warn(diags, e->key.span, "stream '%s' has no attribute '%s'; it is ignored", m->schema->id,
                      e->key.text);
            continue;
        }
        if (m->fields[i].expr)
            diag_warn(diags, e->key.span, "'%s' is mapped for the second time; the last counts", e->key.text);
        m->fields[i] = (struct map_field){0};
        set_field(m->arena, &m->fields[i], e);
    }
    for (uint32_t i = 0; good && i < m->schema->count; i++) {
        if (!m->fields[i].expr) {
            diag_error(diags, attributes->span,
                       "@attributes does not map '%s': it must map every attribute of '%s'",
                       m->schema->attributes[i].name, m->schema->id);
            good = false;
        }
    }
    return good;
}

/* @attributes('a', 'b') or (x='a', y='b'). */
static bool open_fields(struct mapper *m, struct diags *diags, const struct ast_annotation *attributes)
{
    uint32_t named = 0, count = 0;
    for (const struct ast_element *e = attributes->elements; e; e = e->next, count++)
        named += e->key.text != NULL;
    m->fields = arena_array(m->arena, m->schema->count, sizeof(*m->fields));
    if (named > 0 && named < count) {
        diag_error(diags, attributes->span, "@attributes mixes named and positional mappings");
        return false;
    }
    if (named > 0)
        return open_named_fields(m, diags, attributes);
    if (count != m->schema->count) {
        diag_error(diags, attributes->span, "@attributes has %u mappings, and stream '%s' has %u attributes",
                   count, m->schema->id, m->schema->count);
        return false;
    }
    uint32_t i = 0;
    for (const struct ast_element *e = attributes->elements; e; e = e->next)
        set_field(m->arena, &m->fields[i++], e);
    return true;
}

/* @payload('text') or (k='text', ..). A single one, also a named one, is the payload. */
static bool open_payload(struct mapper *m, struct diags *diags, const struct ast_annotation *payload)
{
    int named = 0, count = 0;
    for (const struct ast_element *e = payload->elements; e; e = e->next, count++)
        named += e->key.text != NULL;
    if (count == 0 || (count > 1 && named < count)) {
        diag_error(diags, payload->span, "@payload wants one text, or several with a name each");
        return false;
    }
    m->named = arena_array(m->arena, (size_t)count, sizeof(*m->named));
    if (count == 1 && m->type->own_payload && m->type->own_payload(m))
        return true;
    bool good = true;
    for (const struct ast_element *e = payload->elements; e; e = e->next) {
        struct template *t = template_compile(m->arena, diags, e->span, e->value, m->schema);
        good &= t != NULL;
        if (count == 1)
            m->payload = t;
        for (int i = 0; e->key.text && i < m->named_count; i++) {
            if (strcmp(m->named[i].key, e->key.text) == 0) {
                diag_error(diags, e->key.span, "'%s' is given twice in @payload", e->key.text);
                good = false;
            }
        }
        if (e->key.text)
            m->named[m->named_count++] =
                (struct map_named){.key = arena_strdup(m->arena, e->key.text), .value = t, .span = e->span};
    }
    return good;
}

static const struct map_type *find_type(struct arena *a, struct diags *diags,
                                        const struct ast_annotation *map, bool is_sink)
{
    const struct ast_element *name = ast_find_element(map, "type");
    if (!name) {
        diag_error(diags, map->span, "@map needs a type");
        diag_hint(diags, "@map(type='json', ..)");
        return NULL;
    }
    const struct map_type *type = map_type_find(name->value);
    if (!type) {
        const char *names[MAP_TYPES];
        for (size_t i = 0; i < MAP_TYPES; i++)
            names[i] = map_types[i]->name;
        for (size_t i = 0; i < sizeof(unbuilt) / sizeof(*unbuilt); i++) {
            if (strcmp(unbuilt[i], name->value) == 0) {
                diag_unsupported(diags, name->span, arena_printf(a, "map:%s", unbuilt[i]));
                return NULL;
            }
        }
        diag_error(diags, name->span, "there is no mapper '%s'", name->value);
        const char *near = diag_near(name->value, names, MAP_TYPES);
        if (near)
            diag_hint(diags, "did you mean '%s'?", near);
        return NULL;
    }
    if (is_sink ? !type->can_sink : !type->can_source) {
        diag_error(diags, name->span, "mapper '%s' cannot be used in a %s", type->name,
                   is_sink ? "sink" : "source");
        return NULL;
    }
    return type;
}

/* Are the bytes (or events) of the mapper what the transport carries? */
static bool fits_transport(struct diags *diags, const struct map_type *type, const struct ast_annotation *map,
                           struct span at, const struct port_type *transport)
{
    if (!transport || !type->in_process || transport->in_process)
        return true;
    if (!map) {
        diag_error(diags, at, "%s carries bytes and needs a mapper", transport->name);
        diag_hint(diags, "@map(type='json')");
    } else {
        diag_error(diags, map->span, "mapper '%s' hands over events in the process, and %s carries bytes",
                   type->name, transport->name);
    }
    return false;
}

static bool open_options(struct mapper *m, struct diags *diags, const struct ast_annotation *map,
                         struct span at)
{
    static const char *const reserved[] = {"type", NULL};
    struct configure c = {.arena = m->arena,
                          .diags = diags,
                          .what = arena_printf(m->arena, "mapper %s", m->type->name),
                          .at = at,
                          .table = m->type->options,
                          .table_count = m->type->option_count,
                          .is_sink = m->is_sink,
                          .reserved = reserved};
    const struct ast_element *elements = map ? map->elements : NULL;
    if (!configure(&c, &elements, 1, &m->options))
        return false;
    const char *fail = option_text(&m->options, "fail.on.missing.attribute");
    if (!fail)
        fail = option_text(&m->options, "fail.on.unknown.attribute");
    m->fail_on_missing = !fail || strcasecmp(fail, "true") == 0;
    return true;
}

static bool open_nested(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    if (!map)
        return true;
    const struct ast_annotation *attributes = find_once(diags, map, "attributes");
    const struct ast_annotation *payload = find_once(diags, map, "payload");
    for (const struct ast_annotation *a = map->nested; a; a = a->next)
        if (strcasecmp(a->name.text, "attributes") != 0 && strcasecmp(a->name.text, "payload") != 0)
            diag_warn(diags, a->span, "@%s has no meaning in @map and is ignored", a->name.text);
    if (m->is_sink) {
        if (attributes)
            diag_warn(diags, attributes->span, "@attributes has no meaning for a sink and is ignored");
        return !payload || open_payload(m, diags, payload);
    }
    if (payload)
        diag_warn(diags, payload->span, "@payload has no meaning for a source and is ignored");
    return !attributes || open_fields(m, diags, attributes);
}

struct mapper *map_open(struct arena *a, struct diags *diags, const struct ast_annotation *map,
                        struct span at, const struct schema *schema, bool is_sink,
                        const struct port_type *transport)
{
    int errors = diags->errors;
    const struct map_type *type = map ? find_type(a, diags, map, is_sink) : &map_type_passthrough;
    if (!type || !fits_transport(diags, type, map, at, transport))
        return NULL;
    struct mapper *m = arena_alloc(a, sizeof(*m));
    m->type = type;
    m->schema = schema;
    m->is_sink = is_sink;
    m->arena = a;
    m->self = arena_alloc(a, type->size);
    bool good = open_options(m, diags, map, map ? map->span : at);
    good &= open_nested(m, diags, map);
    if (!good || diags->errors > errors)
        return NULL;
    arena_init(&m->scratch, SCRATCH_BLOCK_BYTES);
    buf_init(&m->out, LIMIT_MESSAGE_BYTES);
    if (type->open && type->open(m, diags, map) < 0) {
        map_close(m);
        return NULL;
    }
    return m;
}

void map_close(struct mapper *m)
{
    if (!m)
        return;
    if (m->type->close)
        m->type->close(m);
    mem_free(m->failed.at);
    buf_fini(&m->out);
    arena_fini(&m->scratch);
}

/* ---- read and write ---- */

/* The trp: values of this message, converted once. values is cleared scratch. */
static int read_transport(struct mapper *m, const struct property *properties, int property_count,
                          struct value *values, struct err *e)
{
    for (uint32_t i = 0; i < m->schema->count; i++) {
        if (!m->fields[i].property)
            continue;
        const char *text = NULL;
        for (int k = 0; k < property_count && !text; k++)
            if (strcasecmp(properties[k].name, m->fields[i].property) == 0)
                text = properties[k].value;
        if (!text && m->fail_on_missing)
            return err_set(e, ERR_INVALID, "the message has no transport property '%s'",
                           m->fields[i].property);
        if (text && (!utf8_valid(text, strlen(text)) ||
                     !map_scalar(m->schema->attributes[i].type, text, strlen(text), &values[i])))
            return err_set(e, ERR_INVALID, "transport property '%s' is no %s", m->fields[i].property,
                           type_name(m->schema->attributes[i].type));
    }
    return 0;
}

static bool has_transport(const struct mapper *m)
{
    for (uint32_t i = 0; m->fields && i < m->schema->count; i++)
        if (m->fields[i].property)
            return true;
    return false;
}

static int refuse_rows(struct mapper *m, struct err *e)
{
    if (mem_account)
        mem_account->refused++;
    m->failing.count = 0; /* the message as a whole */
    return err_set(e, ERR_INVALID, "its events need more memory than the app's share of it allows");
}

int map_read(struct mapper *m, const struct payload *in, const struct property *properties,
             int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    m->failed.count = 0;
    if ((in->kind == PAYLOAD_TEXT || in->kind == PAYLOAD_BYTES) && in->len > LIMIT_MESSAGE_BYTES)
        return err_set(e, ERR_INVALID, "a message of %zu bytes, and the limit is %d", in->len,
                       LIMIT_MESSAGE_BYTES);
    struct arena_mark mark = arena_mark(&m->scratch);
    struct value *outer = m->transport, *values = NULL;
    struct map_failed failing = m->failing; /* borrowed, as the values, by whoever is served now */
    int64_t began = m->began;
    bool took_over = m->took_over;
    int rc = 0;
    m->failing = (struct map_failed){0};
    m->began = mem_held();
    m->took_over = false;
    m->entered++;
    if (has_transport(m)) {
        values = arena_array(&m->scratch, m->schema->count, sizeof(*values));
        rc = read_transport(m, properties, property_count, values, e);
    }
    m->transport = values;
    if (rc == 0)
        rc = m->type->read(m, in, properties, property_count, now_ms, emit, user, e);
    if (UNLIKELY(m->took_over))
        rc = refuse_rows(m, e);
    m->began = began;
    m->took_over = took_over;
    for (uint32_t i = 0; values && i < m->schema->count; i++)
        value_drop(values[i]);
    m->transport = outer;
    mem_free(m->failed.at);
    m->failed = m->failing;
    m->failing = failing;
    m->entered--;
    arena_reset(&m->scratch, mark);
    return rc;
}

int map_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e)
{
    if (b->count == 0)
        return 0;
    struct arena_mark mark = arena_mark(&m->scratch);
    struct buf outer = m->out; /* borrowed by whoever is served now */
    if (m->entered++ > 0)
        buf_init(&m->out, outer.max_bytes);
    buf_clear(&m->out);
    int rc = m->type->write(m, b, emit, user, e);
    if (--m->entered > 0) {
        buf_fini(&m->out);
        m->out = outer;
    }
    arena_reset(&m->scratch, mark);
    return rc;
}
