/* map_json.c - json (spec 21 section 1): the annotation, and the way out. The way in is map_json_read.c. */
#include "ports/map_json.h"
#include "engine/base/map.h"
#include "engine/base/num.h"
#include <string.h>
#include <strings.h>

static const struct option options[] = {
    {"enclosing.element", OPTION_TEXT, 0, NULL, "where the events are (JSONPath); a sink puts them there"},
    {"fail.on.missing.attribute", OPTION_BOOL, OPTION_SOURCE, "true", "false: a missing value is null"},
    {"event.grouping.enabled", OPTION_BOOL, 0, "true", "an array is one chunk, and a chunk one array"},
    {"validate.json", OPTION_BOOL, OPTION_SINK, "false", "drop what is no JSON"},
    {"enable.null.attribute.value", OPTION_BOOL, OPTION_SINK, "false",
     "null is null; else it is \"undefined\""},
};

/* ---- open ---- */

static struct map_path *open_path(struct mapper *m, struct diags *diags, struct span at, const char *text)
{
    const char *wrong;
    bool unbuilt;
    struct map_path *p = map_path_compile(m->arena, text, &wrong, &unbuilt);
    if (!p && unbuilt) {
        diag_unsupported(diags, at, "map:json:path");
        diag_hint(diags, "'%s': %s", text, wrong);
    } else if (!p) {
        diag_error(diags, at, "'%s' is no JSONPath: %s", text, wrong);
    }
    return p;
}

static void open_names(struct mapper *m, struct json_map *j)
{
    uint32_t count = m->schema->count, slots = 8;
    while (slots < count * 2)
        slots *= 2;
    j->name_lens = arena_array(m->arena, count, sizeof(*j->name_lens));
    j->seen = arena_array(m->arena, count, sizeof(*j->seen));
    j->slots = arena_array(m->arena, slots, sizeof(*j->slots));
    j->slot_mask = slots - 1;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strlen(m->schema->attributes[i].name);
        j->name_lens[i] = len;
        uint32_t at = map_hash(m->schema->attributes[i].name, len) & j->slot_mask;
        while (j->slots[at])
            at = (at + 1) & j->slot_mask;
        j->slots[at] = (uint16_t)(i + 1);
    }
}

static int open_source(struct mapper *m, struct json_map *j, struct diags *diags,
                       const struct ast_annotation *map)
{
    open_names(m, j);
    const char *enclosing = option_text(&m->options, "enclosing.element");
    if (!m->fields) {
        if (enclosing)
            diag_warn(diags, map_option_span(map, "enclosing.element"),
                      "'enclosing.element' has no meaning without @attributes and is ignored");
        return 0;
    }
    if (enclosing && strcmp(enclosing, "$") != 0) {
        j->enclosing = open_path(m, diags, map_option_span(map, "enclosing.element"), enclosing);
        if (!j->enclosing)
            return -1;
    }
    struct map_path **paths = arena_array(m->arena, m->schema->count, sizeof(struct map_path *));
    j->paths = (const struct map_path *const *)paths;
    int rc = 0;
    for (uint32_t i = 0; i < m->schema->count; i++) {
        if (m->fields[i].property)
            continue;
        paths[i] = open_path(m, diags, m->fields[i].span, m->fields[i].expr);
        if (!paths[i])
            rc = -1;
    }
    return rc;
}

/* "$.a.b" opens {"a":{"b": and closes as often. */
static void open_wrapper(struct mapper *m, struct json_map *j)
{
    const char *text = option_text(&m->options, "enclosing.element");
    struct buf before, after;
    buf_init(&before, SIZE_MAX);
    buf_init(&after, SIZE_MAX);
    for (const char *p = text; p && *p;) {
        size_t len = strcspn(p, ".");
        size_t rest = strspn(p + len, ".");
        if (!(len == 1 && *p == '$')) {
            buf_add_str(&before, "{\"");
            buf_add(&before, p, len);
            buf_add_str(&before, "\":");
            buf_add_char(&after, '}');
        }
        p += len + rest;
    }
    j->before = arena_strndup(m->arena, before.bytes ? before.bytes : "", before.len);
    j->after = arena_strndup(m->arena, after.bytes ? after.bytes : "", after.len);
    buf_fini(&before);
    buf_fini(&after);
}

static int open_sink(struct mapper *m, struct json_map *j, struct diags *diags,
                     const struct ast_annotation *map)
{
    j->validate = option_bool(&m->options, "validate.json");
    j->nulls = option_bool(&m->options, "enable.null.attribute.value");
    open_wrapper(m, j);
    j->members = arena_array(m->arena, m->schema->count, sizeof(*j->members));
    for (uint32_t i = 0; i < m->schema->count; i++) {
        struct buf name;
        buf_init(&name, SIZE_MAX);
        json_write_string(&name, m->schema->attributes[i].name, strlen(m->schema->attributes[i].name));
        buf_add_char(&name, ':');
        j->members[i] = arena_strndup(m->arena, name.bytes, name.len);
        buf_fini(&name);
    }
    if (m->named_count > 1) {
        diag_error(diags, m->named[1].span, "mapper json takes one @payload text, without a name");
        return -1;
    }
    if (m->payload && m->payload->object >= 0) {
        diag_error(diags, map->span, "mapper json makes text: '%s' alone is no template",
                   m->schema->attributes[m->payload->object].name);
        diag_hint(diags, "{{%s}}, or `%s` for the word itself",
                  m->schema->attributes[m->payload->object].name,
                  m->schema->attributes[m->payload->object].name);
        return -1;
    }
    return 0;
}

static int json_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    struct json_map *j = m->self;
    j->grouping = option_bool(&m->options, "event.grouping.enabled");
    return m->is_sink ? open_sink(m, j, diags, map) : open_source(m, j, diags, map);
}

/* ---- writing ---- */

static void write_value(const struct json_map *j, struct buf *out, struct value v);

static void write_map(const struct json_map *j, struct buf *out, const struct object *map)
{
    size_t at = 0;
    struct value key, v;
    bool first = true;
    buf_add_char(out, '{');
    while (object_next(map, &at, &key, &v)) {
        if (is_null(v) && !j->nulls)
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        if (key.type == TYPE_STRING) {
            json_write_string(out, key.as.s->bytes, key.as.s->len);
        } else {
            buf_add_char(out, '"');
            value_print(key, out);
            buf_add_char(out, '"');
        }
        buf_add_char(out, ':');
        write_value(j, out, v);
    }
    buf_add_char(out, '}');
}

static void write_object(const struct json_map *j, struct buf *out, const struct object *o)
{
    if (object_is_map(o)) {
        write_map(j, out, o);
    } else if (object_is_list(o)) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < list_count(o); i++) {
            if (i > 0)
                buf_add_char(out, ',');
            write_value(j, out, list_get(o, i));
        }
        buf_add_char(out, ']');
    } else if (object_is_set(o)) {
        size_t at = 0;
        struct value key;
        buf_add_char(out, '[');
        for (bool first = true; object_next(o, &at, &key, NULL); first = false) {
            if (!first)
                buf_add_char(out, ',');
            write_value(j, out, key);
        }
        buf_add_char(out, ']');
    } else {
        struct buf text;
        buf_init(&text, out->max_bytes);
        o->type->print(o, &text);
        json_write_string(out, text.bytes ? text.bytes : "", text.len);
        buf_fini(&text);
    }
}

static void write_value(const struct json_map *j, struct buf *out, struct value v)
{
    char number[NUM_TEXT_MAX];
    switch (v.type) {
    case TYPE_STRING:
        json_write_string(out, v.as.s->bytes, v.as.s->len);
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
    case TYPE_NULL:
        buf_add_str(out, "null");
        break;
    case TYPE_OBJECT:
        write_object(j, out, v.as.o);
        break;
    }
}

static void write_default(const struct mapper *m, struct buf *out, const struct row *row)
{
    const struct json_map *j = m->self;
    buf_add(out, "{\"event\":{", 10);
    bool first = true;
    for (uint32_t i = 0; i < m->schema->count; i++) {
        struct value v = row_get(row, i);
        /* Of objects, maps with something in them; the others are left out. */
        if (v.type == TYPE_OBJECT && !(object_is_map(v.as.o) && object_count(v.as.o) > 0))
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        buf_add_str(out, j->members[i]);
        if (is_null(v) && !j->nulls)
            buf_add_str(out, "\"undefined\"");
        else
            write_value(j, out, v);
    }
    buf_add(out, "}}", 2);
}

static void write_event(const struct mapper *m, struct buf *out, const struct row *row)
{
    const struct json_map *j = m->self;
    if (m->payload)
        template_render(m->payload, row, j->nulls ? "null" : "undefined", out);
    else
        write_default(m, out, row);
}

static bool is_valid(const struct buf *b)
{
    struct json_scan s;
    struct json_token t;
    if (b->len == 0)
        return true;
    json_scan_init(&s, b->bytes, b->len);
    s.lenient = true;
    return json_value(&s, &t) && json_skip(&s, &t) && json_end(&s);
}

static int finish(struct mapper *m, map_payload_fn emit, void *user, struct err *e)
{
    const struct json_map *j = m->self;
    buf_add_str(&m->out, j->after);
    if (j->validate && !is_valid(&m->out))
        return err_set(e, ERR_INVALID, "validate.json: what came out is no JSON");
    return map_emit_text(m, emit, user, e);
}

static int json_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e)
{
    const struct json_map *j = m->self;
    int rc = 0;
    if (!b->is_batch || !j->grouping) {
        for (uint32_t i = 0; i < b->count; i++) {
            buf_clear(&m->out);
            buf_add_str(&m->out, j->before);
            write_event(m, &m->out, b->events[i].row);
            int one = finish(m, emit, user, e);
            if (one < 0)
                rc = one;
        }
        return rc;
    }
    buf_add_str(&m->out, j->before);
    buf_add_char(&m->out, '[');
    for (uint32_t i = 0; i < b->count; i++) {
        if (i > 0)
            buf_add_str(&m->out, m->payload ? ",\n" : ",");
        write_event(m, &m->out, b->events[i].row);
    }
    buf_add_char(&m->out, ']');
    return finish(m, emit, user, e);
}

const struct map_type map_type_json = {
    .name = "json",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_source = true,
    .can_sink = true,
    .size = sizeof(struct json_map),
    .open = json_open,
    .read = json_read,
    .write = json_write,
};
