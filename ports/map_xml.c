/* map_xml.c - xml (spec 21 section 2). */
#include "engine/base/limits.h"
#include "ports/map_in.h"
#include "ports/xpath.h"
#include <string.h>
#include <strings.h>

static const struct option options[] = {
    {"namespaces", OPTION_TEXT, OPTION_SOURCE, NULL, "prefix=uri,prefix=uri for XPath"},
    {"enclosing.element", OPTION_TEXT, 0, NULL,
     "source: where the events are (XPath); sink: a tag around them"},
    {"enclosing.element.as.event", OPTION_BOOL, OPTION_SOURCE, "false",
     "the selected elements are events, not their children"},
    {"fail.on.missing.attribute", OPTION_BOOL, OPTION_SOURCE, "true", "false: a missing value is null"},
    {"enable.streaming.xml.content", OPTION_BOOL, OPTION_SOURCE, "false", "content comes in pieces"},
    {"extract.leaf.node.data", OPTION_BOOL, OPTION_SOURCE, "false", "an event for each leaf"},
    {"validate.xml", OPTION_BOOL, OPTION_SINK, "false", "drop what is not well-formed (custom mapping)"},
};

struct xml_map {
    /* source */
    struct xpath *enclosing; /* NULL: the root */
    struct xpath **paths;    /* one for each attribute, custom mapping; NULL where trp: stands */
    bool as_event, leaves, streams;
    const char *piece_name; /* streams: the element that is collected */
    struct buf pieces;      /* what of it has come */
    /* sink */
    const char *before, *after;
    bool validate;
};

/* ---- open ---- */

static struct xpath *open_path(struct mapper *m, struct diags *diags, struct span at, const char *text)
{
    const char *wrong;
    bool unbuilt;
    struct xpath *x = xpath_compile(m->arena, text, option_text(&m->options, "namespaces"), &wrong, &unbuilt);
    if (!x && unbuilt) {
        diag_unsupported(diags, at, "map:xml:path");
        diag_hint(diags, "'%s': %s", text, wrong);
    } else if (!x) {
        diag_error(diags, at, "'%s' is no XPath: %s", text, wrong);
    }
    return x;
}

/* enable.streaming.xml.content: the last name of the enclosing element's path says what is collected. */
static int open_pieces(struct mapper *m, struct xml_map *x, struct diags *diags,
                       const struct ast_annotation *map, const char *enclosing)
{
    const char *name = enclosing ? strrchr(enclosing, '/') : NULL;
    name = name ? name + 1 : enclosing;
    if (!name || !*name || strpbrk(name, "@*[]().")) {
        diag_error(diags,
                   map_option_span(map, enclosing ? "enclosing.element" : "enable.streaming.xml.content"),
                   "enable.streaming.xml.content wants an enclosing.element that ends in a name");
        return -1;
    }
    x->piece_name = arena_strdup(m->arena, name);
    buf_init(&x->pieces, LIMIT_MESSAGE_BYTES);
    return 0;
}

static int open_source(struct mapper *m, struct xml_map *x, struct diags *diags,
                       const struct ast_annotation *map)
{
    if (!m->fields)
        return 0;
    int rc = 0;
    const char *enclosing = option_text(&m->options, "enclosing.element");
    x->as_event = option_bool(&m->options, "enclosing.element.as.event");
    x->leaves = option_bool(&m->options, "extract.leaf.node.data");
    x->streams = option_bool(&m->options, "enable.streaming.xml.content");
    if (x->streams && open_pieces(m, x, diags, map, enclosing) < 0)
        return -1;
    if (enclosing) {
        x->enclosing = open_path(m, diags, map_option_span(map, "enclosing.element"), enclosing);
        if (!x->enclosing)
            rc = -1;
    }
    x->paths = arena_array(m->arena, m->schema->count, sizeof(struct xpath *));
    for (uint32_t i = 0; i < m->schema->count; i++) {
        if (map_is_transport(m, i))
            continue;
        x->paths[i] = open_path(m, diags, m->fields[i].span, m->fields[i].expr);
        if (!x->paths[i])
            rc = -1;
    }
    return rc;
}

static int open_sink(struct mapper *m, struct xml_map *x, struct diags *diags,
                     const struct ast_annotation *map)
{
    if (m->named_count > 1) {
        diag_error(diags, m->named[1].span, "mapper xml takes one @payload text, without a name");
        return -1;
    }
    if (m->payload && m->payload->object >= 0) {
        const char *name = m->schema->attributes[m->payload->object].name;
        diag_error(diags, map->span, "mapper xml makes text: '%s' alone is no template", name);
        diag_hint(diags, "<%s>{{%s}}</%s>", name, name, name);
        return -1;
    }
    x->validate = option_bool(&m->options, "validate.xml");
    x->before = m->payload ? "" : "<events>";
    x->after = m->payload ? "" : "</events>";
    const char *tag = option_text(&m->options, "enclosing.element");
    if (!tag)
        return 0;
    size_t len = strcspn(tag, " >");
    if (tag[0] != '<' || len < 2) {
        diag_error(diags, map_option_span(map, "enclosing.element"),
                   "an opening tag was expected, as '<readings>'");
        return -1;
    }
    x->before = tag;
    x->after = arena_printf(m->arena, "</%.*s>", (int)len - 1, tag + 1);
    return 0;
}

static int xml_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    return m->is_sink ? open_sink(m, m->self, diags, map) : open_source(m, m->self, diags, map);
}

/* ---- reading ---- */

struct reading {
    struct mapper *m;
    const struct xml_map *x;
    struct map_rows *list;
    int64_t now_ms;
    struct err *e;
    uint32_t serial; /* of xpath_select on this tree */
    bool dropped;
};

static int drop(struct reading *r, const char *what, const char *name)
{
    if (!r->dropped)
        err_set(r->e, ERR_INVALID, "%s '%s'", what, name);
    r->dropped = true;
    return ERR_INVALID;
}

/* A piece may have begun in the message before: its place says nothing. */
static void skip(struct reading *r, struct row *row)
{
    row_unref(row);
    if (!r->x->streams)
        map_rows_skip(r->list);
}

static struct xml_slice trimmed(struct xml_slice s)
{
    while (s.len > 0 && (unsigned char)s.bytes[0] <= ' ') {
        s.bytes++;
        s.len--;
    }
    while (s.len > 0 && (unsigned char)s.bytes[s.len - 1] <= ' ')
        s.len--;
    return s;
}

/* <event>: children by their local names; of one that stands twice the last. */
static int read_default_event(struct reading *r, const struct xml_node *event, struct row *row, bool *seen)
{
    memset(seen, 0, r->m->schema->count * sizeof(*seen));
    for (const struct xml_node *c = event->first; c; c = c->next) {
        if (!xml_is_element(c))
            continue;
        for (uint32_t i = 0; i < r->m->schema->count; i++) {
            if (!xml_slice_is(c->local, r->m->schema->attributes[i].name))
                continue;
            struct xml_slice text = xml_text(&r->m->scratch, c);
            if (!map_set_scalar(r->m, row, i, text.bytes, text.len))
                return drop(r, "the value does not fit:", r->m->schema->attributes[i].name);
            seen[i] = true;
            break;
        }
    }
    for (uint32_t i = 0; i < r->m->schema->count; i++)
        if (!seen[i] && r->m->fail_on_missing)
            return drop(r, "missing:", r->m->schema->attributes[i].name);
    return 0;
}

static int read_default(struct reading *r, const struct xml_node *root)
{
    if (!xml_slice_is(root->local, "events"))
        return err_set(r->e, ERR_INVALID, "the root is not <events>");
    bool *seen = arena_array(&r->m->scratch, r->m->schema->count, sizeof(*seen));
    for (const struct xml_node *c = root->first; c; c = c->next) {
        if (!xml_is_element(c) || !xml_slice_is(c->local, "event"))
            continue;
        struct row *row = row_new(r->m->schema->count, r->now_ms);
        if (read_default_event(r, c, row, seen) == 0)
            map_rows_add(r->list, row);
        else
            skip(r, row);
    }
    return 0;
}

static bool take_first(void *user, struct xpath_item item)
{
    *(struct xpath_item *)user = item;
    return false;
}

/* Column i of what its path found. */
static int set_item(struct reading *r, struct row *row, uint32_t i, struct xpath_item item)
{
    struct mapper *m = r->m;
    const char *name = m->schema->attributes[i].name;
    if (item.attribute) {
        if (map_set_scalar(m, row, i, item.attribute->value.bytes, item.attribute->value.len))
            return 0;
        return drop(r, "the value does not fit:", name);
    }
    struct xml_slice text = item.node->text;
    if (xml_is_element(item.node)) {
        if (!xml_has_elements(item.node))
            text = xml_text(&m->scratch, item.node);
        else if (m->schema->attributes[i].type != TYPE_STRING) /* a string gets its source */
            return drop(r, "elements in the value of", name);
    }
    if (map_set_scalar(m, row, i, text.bytes, text.len) || !m->fail_on_missing)
        return 0;
    return drop(r, "the value does not fit:", name);
}

/* ---- extract.leaf.node.data: an event for each leaf, with what its parents hold ---- */

/* The text of 'expr' ("/a/b/@x" or "/a/b/c", from the event element on) on the way to a leaf; bytes NULL: not
 * there. */
static struct xml_slice leaf_value(struct reading *r, const char *expr, struct xml_node *const *way,
                                   int depth)
{
    struct xml_slice none = {NULL, 0};
    for (int i = 0; i < depth; i++) {
        size_t len = way[i]->local.len;
        if (expr[0] != '/' || strncmp(expr + 1, way[i]->local.bytes, len) != 0 || expr[1 + len] != '/')
            return none;
        expr += 1 + len;
        const char *last = expr + 1;
        if (strchr(last, '/'))
            continue;
        for (const struct xml_attribute *a = way[i]->attributes; a && *last == '@'; a = a->next)
            if (xml_slice_is(a->local, last + 1))
                return a->value;
        struct xml_slice found = none;
        for (const struct xml_node *c = way[i]->first; c; c = c->next) {
            if (!xml_is_element(c) || xml_has_elements(c) || !xml_slice_is(c->local, last))
                continue;
            struct xml_slice text = trimmed(xml_text(&r->m->scratch, c));
            found = text.len > 0 ? text : found;
        }
        return found;
    }
    return none;
}

static int read_leaf(struct reading *r, struct xml_node *const *way, int depth)
{
    struct mapper *m = r->m;
    struct row *row = map_row_new(m, r->now_ms);
    int rc = 0;
    for (uint32_t i = 0; i < m->schema->count && rc == 0; i++) {
        if (!r->x->paths[i])
            continue;
        struct xml_slice text = leaf_value(r, m->fields[i].expr, way, depth);
        bool good = text.bytes && map_set_scalar(m, row, i, text.bytes, text.len);
        if (!good && m->fail_on_missing)
            rc = drop(r, "nothing that fits stands at", m->fields[i].expr);
    }
    if (rc == 0)
        map_rows_add(r->list, row);
    else
        row_unref(row);
    return rc;
}

/* way leads to an element; a child that is a mere text belongs to it. Recursion is bounded by the parser's
 * depth. */
static int read_leaves(struct reading *r, struct xml_node **way, int depth)
{
    bool is_leaf = true;
    for (struct xml_node *c = way[depth - 1]->first; c; c = c->next) {
        if (!xml_is_element(c) || (!xml_has_elements(c) && trimmed(xml_text(&r->m->scratch, c)).len > 0))
            continue;
        is_leaf = false;
        way[depth] = c;
        if (depth < LIMIT_PARSE_DEPTH && read_leaves(r, way, depth + 1) < 0)
            return ERR_INVALID;
    }
    return is_leaf ? read_leaf(r, way, depth) : 0;
}

static int read_custom_event(struct reading *r, struct xml_node *event)
{
    struct mapper *m = r->m;
    if (r->x->leaves) {
        struct xml_node *way[LIMIT_PARSE_DEPTH + 1] = {event};
        return read_leaves(r, way, 1);
    }
    struct row *row = map_row_new(m, r->now_ms);
    int rc = 0;
    for (uint32_t i = 0; i < m->schema->count && rc == 0; i++) {
        if (!r->x->paths[i])
            continue;
        struct xpath_item item = {0};
        xpath_select(r->x->paths[i], event, ++r->serial, &m->scratch, take_first, &item);
        bool is_itself = !item.node && !item.attribute && r->x->as_event && !xml_has_elements(event) &&
                         strlen(m->fields[i].expr) == event->local.len &&
                         strncasecmp(m->fields[i].expr, event->local.bytes, event->local.len) == 0;
        if (is_itself)
            item.node = event;
        if (item.node || item.attribute)
            rc = set_item(r, row, i, item);
        else if (m->fail_on_missing)
            rc = drop(r, "nothing stands at", m->fields[i].expr);
    }
    if (rc == 0)
        map_rows_add(r->list, row);
    else
        skip(r, row);
    return rc;
}

struct selected {
    struct arena *scratch;
    struct xml_node **nodes;
    uint32_t count, cap;
};

static bool take_all(void *user, struct xpath_item item)
{
    struct selected *s = user;
    if (!item.node || !xml_is_element(item.node))
        return true;
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 8;
        struct xml_node **nodes = arena_raw(s->scratch, cap * sizeof(struct xml_node *));
        if (s->count > 0)
            memcpy(nodes, s->nodes, s->count * sizeof(struct xml_node *));
        s->nodes = nodes;
        s->cap = cap;
    }
    s->nodes[s->count++] = (struct xml_node *)(uintptr_t)item.node;
    return true;
}

static int read_custom(struct reading *r, struct xml_node *document)
{
    if (!r->x->enclosing) {
        for (struct xml_node *c = document->first; c; c = c->next)
            if (xml_is_element(c))
                read_custom_event(r, c);
        return 0;
    }
    struct selected found = {.scratch = &r->m->scratch};
    xpath_select(r->x->enclosing, document->first, ++r->serial, &r->m->scratch, take_all, &found);
    if (found.count == 0)
        return err_set(r->e, ERR_INVALID, "the enclosing element is not there");
    for (uint32_t i = 0; i < found.count; i++) {
        if (r->x->as_event) {
            read_custom_event(r, found.nodes[i]);
            continue;
        }
        for (struct xml_node *c = found.nodes[i]->first; c; c = c->next)
            if (xml_is_element(c))
                read_custom_event(r, c);
    }
    return 0;
}

/* ---- enable.streaming.xml.content ---- */

/* The end of the markup at p ('<'), or NULL: not there yet. */
static const char *markup_end(const char *p, const char *end)
{
    static const char *const pairs[][2] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        size_t len = strlen(pairs[i][0]);
        if ((size_t)(end - p) >= len && memcmp(p, pairs[i][0], len) == 0) {
            const char *close = memmem(p, (size_t)(end - p), pairs[i][1], strlen(pairs[i][1]));
            return close ? close + strlen(pairs[i][1]) : NULL;
        }
    }
    char quote = '\0';
    for (; p < end; p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'')
            quote = quote ? '\0' : *p;
        else if (!quote && *p == '>')
            return p + 1;
    }
    return NULL;
}

static bool is_tag(const char *p, const char *end, const char *name)
{
    size_t len = strlen(name);
    return (size_t)(end - p) > len && memcmp(p, name, len) == 0 && strchr(" \t\r\n/>", p[len]) && p[len];
}

/* The next whole element of that name in the text; its beginning in *begin. NULL: none; *begin is then where
 * to go on when more has come. */
static const char *next_piece(const char *at, const char *end, const char *name, const char **begin)
{
    int depth = 0;
    *begin = at;
    while (at < end) {
        const char *open = memchr(at, '<', (size_t)(end - at));
        const char *close = open ? markup_end(open, end) : NULL;
        if (!close) {
            if (depth == 0)
                *begin = open ? open : end;
            return NULL;
        }
        bool closes = open[1] == '/';
        if (is_tag(open + 1 + closes, end, name)) {
            if (!closes && depth++ == 0)
                *begin = open;
            if ((closes || close[-2] == '/') && depth > 0 && --depth == 0)
                return close;
        }
        at = close;
        if (depth == 0)
            *begin = at;
    }
    return NULL;
}

static int read_piece(struct reading *r, const char *text, size_t len)
{
    const char *wrong;
    size_t at;
    struct xml_node *document = xml_parse(&r->m->scratch, text, len, false, &wrong, &at);
    if (!document) {
        r->dropped = true;
        return err_set(r->e, ERR_INVALID, "no XML: %s (byte %zu)", wrong, at);
    }
    struct xml_node *root = document->first;
    while (!xml_is_element(root))
        root = root->next;
    if (r->x->as_event)
        return read_custom_event(r, root);
    for (struct xml_node *c = root->first; c; c = c->next)
        if (xml_is_element(c))
            read_custom_event(r, c);
    return 0;
}

static int read_pieces(struct reading *r, struct xml_map *x, const struct payload *in)
{
    buf_add(&x->pieces, in->bytes, in->len);
    buf_add_char(&x->pieces, '\n'); /* pieces are lines, as a rule */
    if (x->pieces.overflow) {
        buf_clear(&x->pieces);
        return err_set(r->e, ERR_INVALID, "<%s> does not end within %d bytes", x->piece_name,
                       LIMIT_MESSAGE_BYTES);
    }
    /* What is read is copied: a row's receiver may send us the next piece. */
    const char *at = arena_strndup(&r->m->scratch, x->pieces.bytes, x->pieces.len), *begin;
    const char *end = at + x->pieces.len;
    for (const char *next; (next = next_piece(at, end, x->piece_name, &begin)); at = next)
        read_piece(r, begin, (size_t)(next - begin));
    buf_clear(&x->pieces);
    buf_add(&x->pieces, begin, (size_t)(end - begin));
    return 0;
}

static int xml_read(struct mapper *m, const struct payload *in, const struct property *properties,
                    int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    int rc = map_want_text(in, e);
    if (rc < 0)
        return rc;
    struct xml_map *x = m->self;
    struct map_rows list = {.m = m};
    struct reading r = {.m = m, .x = x, .list = &list, .now_ms = now_ms, .e = e};
    if (x->streams) {
        rc = read_pieces(&r, x, in);
    } else {
        const char *wrong;
        size_t at;
        struct xml_node *document = xml_parse(&m->scratch, in->bytes, in->len, true, &wrong, &at);
        if (!document)
            return err_set(e, ERR_INVALID, "no XML: %s (byte %zu)", wrong, at);
        rc = m->fields ? read_custom(&r, document) : read_default(&r, document->first);
    }
    map_rows_emit(&list, true, emit, user);
    return rc < 0 || r.dropped ? ERR_INVALID : 0;
}

/* ---- writing: values are not escaped ---- */

static void write_default(struct mapper *m, const struct row *row)
{
    buf_add_str(&m->out, "<event>");
    for (uint32_t i = 0; i < m->schema->count; i++) {
        const char *name = m->schema->attributes[i].name;
        struct value v = row_get(row, i);
        buf_add_char(&m->out, '<');
        buf_add_str(&m->out, name);
        if (is_null(v)) {
            buf_add_str(&m->out, " xsi:nil=\"true\"/>");
            continue;
        }
        buf_add_char(&m->out, '>');
        value_print(v, &m->out);
        buf_add_str(&m->out, "</");
        buf_add_str(&m->out, name);
        buf_add_char(&m->out, '>');
    }
    buf_add_str(&m->out, "</event>");
}

static int xml_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e)
{
    const struct xml_map *x = m->self;
    buf_add_str(&m->out, x->before);
    for (uint32_t i = 0; i < b->count; i++) {
        if (m->payload)
            template_render(m->payload, b->events[i].row, "null", &m->out);
        else
            write_default(m, b->events[i].row);
    }
    buf_add_str(&m->out, x->after);
    if (m->payload && x->validate && !m->out.overflow) {
        const char *wrong, *text = m->out.bytes ? m->out.bytes : "";
        size_t at;
        if (!xml_parse(&m->scratch, text, m->out.len, false, &wrong, &at))
            return err_set(e, ERR_INVALID, "validate.xml: %s (byte %zu)", wrong, at);
    }
    return map_emit_text(m, emit, user, e);
}

static void xml_close(struct mapper *m)
{
    struct xml_map *x = m->self;
    buf_fini(&x->pieces);
}

const struct map_type map_type_xml = {
    .name = "xml",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_source = true,
    .can_sink = true,
    .size = sizeof(struct xml_map),
    .open = xml_open,
    .read = xml_read,
    .write = xml_write,
    .close = xml_close,
};
