/* map_csv.c - csv (spec 21 section 4): RFC 4180 with any delimiter. */
#include "engine/data/codec.h"
#include "ports/map_in.h"
#include <string.h>

static const struct option options[] = {
    {"delimiter", OPTION_TEXT, 0, ",", "between columns; \\t is a tab"},
    {"header", OPTION_BOOL, 0, "false", "source: skip the first message; sink: send the names first"},
    {"fail.on.unknown.attribute", OPTION_BOOL, OPTION_SOURCE, "true",
     "false: a value that does not fit is null"},
    {"event.grouping.enabled", OPTION_BOOL, 0, "false", "each line is an event, and a chunk one message"},
};

struct csv {
    const char *delimiter;
    size_t delimiter_len;
    bool trims; /* a tab: blanks around a column go */
    bool grouping, header;
    bool header_done;
    int *columns; /* source: of each attribute, -1 for trp: */
    int needed;   /* source: a record must have as many */
    int *order;   /* sink: attribute of each column */
    int order_count;
};

struct column {
    const char *bytes;
    size_t len;
};

/* ---- open ---- */

static int open_source(struct mapper *m, struct csv *c, struct diags *diags)
{
    c->columns = arena_array(m->arena, m->schema->count, sizeof(*c->columns));
    int rc = 0;
    for (uint32_t i = 0; i < m->schema->count; i++) {
        c->columns[i] = (int)i;
        if (map_is_transport(m, i)) {
            c->columns[i] = -1;
        } else if (m->fields) {
            c->columns[i] = map_index(m->fields[i].expr, strlen(m->fields[i].expr));
            if (c->columns[i] < 0) {
                diag_error(diags, m->fields[i].span, "'%s' is no column: csv counts them from 0",
                           m->fields[i].expr);
                rc = -1;
            }
        }
        if (c->columns[i] + 1 > c->needed)
            c->needed = c->columns[i] + 1;
    }
    return rc;
}

/* @payload(symbol='0', price='2', volume='1') */
static int open_order(struct mapper *m, struct csv *c, struct diags *diags)
{
    c->order_count = m->named_count;
    for (int k = 0; k < m->named_count; k++)
        c->order[k] = -1;
    for (int k = 0; k < m->named_count; k++) {
        const struct map_named *n = &m->named[k];
        int attribute = schema_find(m->schema, n->key);
        if (attribute < 0) {
            diag_error(diags, n->span, "stream '%s' has no attribute '%s'", m->schema->id, n->key);
            return -1;
        }
        const struct template_part *part = n->value->is_constant ? &n->value->parts[0] : NULL;
        int column = part ? map_index(part->text, part->len) : -1;
        if (column < 0 || column >= m->named_count) {
            diag_error(diags, n->span, "the column of '%s' must be a number from 0 to %d", n->key,
                       m->named_count - 1);
            return -1;
        }
        if (c->order[column] >= 0) {
            diag_error(diags, n->span, "column %d is given to '%s' and '%s'", column,
                       m->schema->attributes[c->order[column]].name, n->key);
            return -1;
        }
        c->order[column] = attribute;
    }
    return 0;
}

static int open_sink(struct mapper *m, struct csv *c, struct diags *diags, const struct ast_annotation *map)
{
    uint32_t count =
        m->schema->count > (uint32_t)m->named_count ? m->schema->count : (uint32_t)m->named_count;
    c->order = arena_array(m->arena, count, sizeof(*c->order));
    if (m->named_count > 0)
        return open_order(m, c, diags);
    if (m->payload) {
        diag_error(diags, map->span, "mapper csv wants a column for each attribute: @payload(name='0', ..)");
        return -1;
    }
    c->order_count = (int)m->schema->count;
    for (int i = 0; i < c->order_count; i++)
        c->order[i] = i;
    return 0;
}

static int csv_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    struct csv *c = m->self;
    c->delimiter = option_text(&m->options, "delimiter");
    if (strcmp(c->delimiter, "\\t") == 0)
        c->delimiter = "\t";
    c->delimiter_len = strlen(c->delimiter);
    if (c->delimiter_len == 0 || strpbrk(c->delimiter, "\"\r\n")) {
        diag_error(diags, map_option_span(map, "delimiter"), "this cannot be a delimiter");
        return -1;
    }
    c->trims = strcmp(c->delimiter, "\t") == 0;
    c->grouping = option_bool(&m->options, "event.grouping.enabled");
    c->header = option_bool(&m->options, "header");
    return m->is_sink ? open_sink(m, c, diags, map) : open_source(m, c, diags);
}

/* ---- reading ---- */

struct reading {
    struct mapper *m;
    const struct csv *c;
    const char *at, *end;
    struct column *columns; /* as many as are needed */
    int count;              /* of the record, all */
    struct err *e;
};

static bool at_delimiter(const struct reading *r, const char *p)
{
    return (size_t)(r->end - p) >= r->c->delimiter_len && *p == r->c->delimiter[0] &&
           memcmp(p, r->c->delimiter, r->c->delimiter_len) == 0;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* at stands behind the quote. Doubled quotes are undone into scratch. */
static int read_quoted(struct reading *r, struct column *out)
{
    const char *begin = r->at;
    size_t doubled = 0;
    for (;; r->at++) {
        r->at = memchr(r->at, '"', (size_t)(r->end - r->at));
        if (!r->at)
            return err_set(r->e, ERR_INVALID, "a quoted column doesn't end");
        if (r->at + 1 >= r->end || r->at[1] != '"')
            break;
        doubled++;
        r->at++;
    }
    *out = (struct column){begin, (size_t)(r->at - begin)};
    if (doubled > 0) {
        char *plain = arena_raw(&r->m->scratch, out->len);
        size_t len = 0;
        for (const char *p = begin; p < r->at; p++) {
            plain[len++] = *p;
            p += *p == '"';
        }
        *out = (struct column){plain, len};
    }
    r->at++;
    while (r->at < r->end && is_space(*r->at) && !at_delimiter(r, r->at))
        r->at++;
    if (r->at < r->end && !is_line_end(*r->at) && !at_delimiter(r, r->at))
        return err_set(r->e, ERR_INVALID, "text between a closing quote and the delimiter");
    return 0;
}

static int read_column(struct reading *r, struct column *out)
{
    if (r->c->trims)
        while (r->at < r->end && *r->at == ' ')
            r->at++;
    if (r->at < r->end && *r->at == '"') {
        r->at++;
        return read_quoted(r, out);
    }
    const char *begin = r->at;
    while (r->at < r->end && !is_line_end(*r->at) && !at_delimiter(r, r->at))
        r->at++;
    const char *end = r->at;
    while (r->c->trims && end > begin && end[-1] == ' ')
        end--;
    *out = (struct column){begin, (size_t)(end - begin)};
    return 0;
}

static void skip_line_end(struct reading *r)
{
    if (r->at < r->end && *r->at == '\r')
        r->at++;
    if (r->at < r->end && *r->at == '\n')
        r->at++;
}

/* 1: a record was read, 0: no more, or ERR_INVALID. */
static int read_record(struct reading *r)
{
    while (r->at < r->end && is_line_end(*r->at))
        r->at++;
    if (r->at >= r->end)
        return 0;
    for (r->count = 0;; r->at += r->c->delimiter_len) {
        struct column column;
        int rc = read_column(r, &column);
        if (rc < 0)
            return rc;
        if (r->count < r->c->needed)
            r->columns[r->count] = column;
        r->count++;
        if (!at_delimiter(r, r->at))
            break;
    }
    skip_line_end(r);
    if (r->count < r->c->needed)
        return err_set(r->e, ERR_INVALID, "a record of %d columns, and %d are needed", r->count,
                       r->c->needed);
    return 1;
}

/* NULL: dropped. */
static struct row *make_row(struct reading *r, int64_t now_ms)
{
    struct row *row = map_row_new(r->m, now_ms);
    for (uint32_t i = 0; i < r->m->schema->count; i++) {
        if (r->c->columns[i] < 0)
            continue;
        const struct column *column = &r->columns[r->c->columns[i]];
        if (map_set_scalar(r->m, row, i, column->bytes, column->len) || !r->m->fail_on_missing)
            continue;
        err_set(r->e, ERR_INVALID, "the value of '%s' does not fit", r->m->schema->attributes[i].name);
        row_unref(row);
        return NULL;
    }
    return row;
}

static int csv_read(struct mapper *m, const struct payload *in, const struct property *properties,
                    int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    struct csv *c = m->self;
    int rc = map_want_text(in, e);
    if (rc < 0)
        return rc;
    if (c->header && !c->header_done) {
        c->header_done = true;
        return 0;
    }
    struct reading r = {.m = m, .c = c, .at = in->bytes, .end = in->bytes + in->len, .e = e};
    r.columns = arena_array(&m->scratch, (size_t)c->needed, sizeof(*r.columns));
    struct map_rows list = {.m = m};
    bool dropped = false;
    while ((rc = read_record(&r)) > 0 && !m->took_over) {
        struct row *row = make_row(&r, now_ms);
        if (!c->grouping) /* one event comes of a message: the last line's */
            map_rows_drop(&list);
        if (row)
            map_rows_add(&list, row);
        else
            dropped = true;
        if (!row && c->grouping)
            map_rows_skip(&list);
    }
    if (rc < 0) {
        map_rows_drop(&list);
        return rc;
    }
    map_rows_emit(&list, c->grouping, emit, user);
    return dropped ? ERR_INVALID : 0;
}

/* ---- writing ---- */

static bool needs_quotes(const struct csv *c, const char *s, size_t len, bool is_first)
{
    if (len == 0)
        return is_first;
    if ((unsigned char)s[0] <= '#' || (unsigned char)s[len - 1] <= ' ')
        return true;
    return memchr(s, '"', len) || memchr(s, '\n', len) || memchr(s, '\r', len) ||
           memmem(s, len, c->delimiter, c->delimiter_len);
}

static void write_column(const struct csv *c, struct buf *out, const char *s, size_t len, bool is_first)
{
    if (!is_first)
        buf_add(out, c->delimiter, c->delimiter_len);
    if (!needs_quotes(c, s, len, is_first)) {
        buf_add(out, s, len);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, s[i]);
    }
    buf_add_char(out, '"');
}

static void write_record(struct mapper *m, const struct csv *c, const struct row *row, struct buf *text)
{
    for (int k = 0; k < c->order_count; k++) {
        struct value v = row_get(row, (size_t)c->order[k]);
        if (v.type == TYPE_STRING) {
            write_column(c, &m->out, v.as.s->bytes, v.as.s->len, k == 0);
            continue;
        }
        buf_clear(text);
        value_print(v, text);
        write_column(c, &m->out, text->bytes ? text->bytes : "", text->len, k == 0);
    }
    buf_add_char(&m->out, '\n');
}

static int write_header(struct mapper *m, const struct csv *c, map_payload_fn emit, void *user, struct err *e)
{
    for (int k = 0; k < c->order_count; k++) {
        const char *name = m->schema->attributes[c->order[k]].name;
        write_column(c, &m->out, name, strlen(name), k == 0);
    }
    buf_add_char(&m->out, '\n');
    int rc = map_emit_text(m, emit, user, e);
    buf_clear(&m->out);
    return rc;
}

static int csv_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e)
{
    struct csv *c = m->self;
    if (c->header && !c->header_done) {
        c->header_done = true;
        int rc = write_header(m, c, emit, user, e);
        if (rc < 0)
            return rc;
    }
    bool together = b->is_batch && c->grouping;
    struct buf text;
    buf_init(&text, m->out.max_bytes);
    int rc = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        write_record(m, c, b->events[i].row, &text);
        if (together)
            continue;
        int one = map_emit_text(m, emit, user, e);
        if (one < 0)
            rc = one;
        buf_clear(&m->out);
    }
    if (together)
        rc = map_emit_text(m, emit, user, e);
    buf_fini(&text);
    return rc;
}

/* ---- state: whether the header went by ---- */

static void csv_save(const struct mapper *m, struct writer *w)
{
    write_u8(w, ((const struct csv *)m->self)->header_done);
}

static int csv_load(struct mapper *m, struct reader *r)
{
    uint8_t done = read_u8(r);
    if (r->failed || done > 1)
        return ERR_STATE;
    ((struct csv *)m->self)->header_done = done;
    return 0;
}

const struct map_type map_type_csv = {
    .name = "csv",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_source = true,
    .can_sink = true,
    .size = sizeof(struct csv),
    .open = csv_open,
    .read = csv_read,
    .write = csv_write,
    .save = csv_save,
    .load = csv_load,
};
