/* map_text.c - text (spec 21 section 3): name:value lines, regexes in, templates out.
 *
 * Regexes are Java's in the apps and PCRE2's here: what people write in mappers means the same in both. A
 * match is bounded (MATCH_LIMIT), so that no message can stop the worker. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "ports/map_in.h"
#include "ports/mustache.h"
#include <pcre2.h>
#include <string.h>
#include <strings.h>

enum { MATCH_LIMIT = 1000000 };

static const struct option options[] = {
    {"regex.*", OPTION_TEXT, OPTION_SOURCE, NULL, "a regex, for @attributes(a='X[1]')"},
    {"fail.on.missing.attribute", OPTION_BOOL, OPTION_SOURCE, "true", "false: a missing value is null"},
    {"event.grouping.enabled", OPTION_BOOL, 0, "false", "several events in one message"},
    {"delimiter", OPTION_TEXT, 0, "~~~~~~~~~~", "the line between them"},
    {"new.line.character", OPTION_TEXT, 0, "\n", "ends a line"},
    {"mustache.enabled", OPTION_BOOL, OPTION_SINK, "false", "{{a}} is escaped for HTML, {{{a}}} is not"},
};

struct regex {
    const char *name; /* without "regex." */
    pcre2_code *code;
    pcre2_match_data *match;
    uint32_t groups;
    bool matched; /* in the event being read */
};
struct field {
    struct regex *regex;
    uint32_t group;
};
struct text_map {
    bool grouping;
    const char *new_line, *delimiter;
    /* source */
    pcre2_code *splitter;
    pcre2_match_data *split_match;
    pcre2_match_context *context;
    struct regex *regexes;
    int regex_count;
    struct field *fields; /* one for each attribute, custom mapping */
    /* sink */
    struct mustache *mustache; /* or NULL */
};

/* ---- open ---- */

static pcre2_code *compile(struct diags *diags, struct span at, const char *pattern)
{
    int code;
    PCRE2_SIZE where;
    pcre2_code *re =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &where, NULL);
    if (!re) {
        PCRE2_UCHAR words[128];
        pcre2_get_error_message(code, words, sizeof(words));
        diag_error(diags, at, "wrong regex: %s (character %zu)", (const char *)words, where + 1);
    }
    return re;
}

static int open_regexes(struct mapper *m, struct text_map *t, struct diags *diags,
                        const struct ast_annotation *map)
{
    t->regexes = arena_array(m->arena, (size_t)m->options.count, sizeof(*t->regexes));
    for (int i = 0; i < m->options.count; i++) {
        const struct option_value *o = &m->options.values[i];
        if (strncasecmp(o->name, "regex.", 6) != 0)
            continue;
        struct regex *r = &t->regexes[t->regex_count];
        r->name = o->name + 6;
        r->code = compile(diags, map_option_span(map, o->name), o->text);
        if (!r->code)
            return -1;
        t->regex_count++;
        r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
        pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
        (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
    }
    return 0;
}

/* 'A[2]': group 2 of regex.A; 'A': group 1. */
static int open_field(struct mapper *m, struct text_map *t, struct diags *diags, uint32_t i)
{
    const char *expr = m->fields[i].expr;
    size_t len = strcspn(expr, "[");
    int group = 1;
    if (expr[len] == '[') {
        size_t digits = strcspn(expr + len + 1, "]");
        group = strcmp(expr + len + 1 + digits, "]") == 0 ? map_index(expr + len + 1, digits) : -1;
    }
    for (int k = 0; k < t->regex_count; k++)
        if (strncmp(t->regexes[k].name, expr, len) == 0 && t->regexes[k].name[len] == '\0')
            t->fields[i].regex = &t->regexes[k];
    if (!t->fields[i].regex || group < 0) {
        diag_error(diags, m->fields[i].span, "'%s' is no group of a regex of this mapper", expr);
        diag_hint(diags, "regex.A='(\\w+) (\\w+)' gives A[1] and A[2]");
        return -1;
    }
    t->fields[i].group = (uint32_t)group;
    if (t->fields[i].group > t->fields[i].regex->groups) {
        diag_error(diags, m->fields[i].span, "regex.%s has %u groups", t->fields[i].regex->name,
                   t->fields[i].regex->groups);
        return -1;
    }
    return 0;
}

static int open_source(struct mapper *m, struct text_map *t, struct diags *diags,
                       const struct ast_annotation *map)
{
    t->context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(t->context, MATCH_LIMIT);
    if (t->grouping) {
        const char *pattern = arena_printf(m->arena, "%s%s", t->delimiter, t->new_line);
        t->splitter = compile(diags, map_option_span(map, "delimiter"), pattern);
        if (!t->splitter)
            return -1;
        t->split_match = pcre2_match_data_create_from_pattern(t->splitter, NULL);
    }
    if (!m->fields)
        return 0;
    if (open_regexes(m, t, diags, map) < 0)
        return -1;
    t->fields = arena_array(m->arena, m->schema->count, sizeof(*t->fields));
    for (uint32_t i = 0; i < m->schema->count; i++)
        if (!map_is_transport(m, i) && open_field(m, t, diags, i) < 0)
            return -1;
    return 0;
}

static bool has_mustache(const struct mapper *m)
{
    return m->is_sink && option_bool(&m->options, "mustache.enabled");
}

/* What the template begins with, for those who ask what the messages look like. */
static struct template *open_beginning(struct arena *a, const char *text)
{
    struct template *t = arena_alloc(a, sizeof(*t));
    t->object = -1;
    if (strncmp(text, "{{", 2) == 0)
        return t;
    t->parts = arena_array(a, 1, sizeof(*t->parts));
    t->parts[0] = (struct template_part){.text = text, .len = strlen(text), .attribute = -1};
    t->count = 1;
    return t;
}

static int open_sink(struct mapper *m, struct text_map *t, struct diags *diags,
                     const struct ast_annotation *map)
{
    if (m->named_count > 1) {
        diag_error(diags, m->named[1].span, "mapper text takes one @payload text, without a name");
        return -1;
    }
    const struct ast_annotation *payload = ast_find_annotation(map->nested, "payload");
    if (!payload || !has_mustache(m))
        return 0;
    const char *text = arena_strdup(m->arena, payload->elements->value);
    t->mustache = mustache_compile(m->arena, diags, payload->elements->span, text, m->schema);
    m->payload = open_beginning(m->arena, text);
    return t->mustache ? 0 : -1;
}

/* A source's end of a line is a regex, in which '\n' and '\r' mean what they say; a sink writes its text as it
 * stands, for strings of the language know no escapes. */
static const char *line_end(struct arena *a, const char *text)
{
    char *out = arena_strdup(a, text), *to = out;
    for (const char *p = text; *p; p++) {
        if (p[0] == '\\' && (p[1] == 'n' || p[1] == 'r')) {
            *to++ = p[1] == 'n' ? '\n' : '\r';
            p++;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
    return out;
}

static int text_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    struct text_map *t = m->self;
    t->grouping = option_bool(&m->options, "event.grouping.enabled");
    t->delimiter = option_text(&m->options, "delimiter");
    t->new_line = option_text(&m->options, "new.line.character");
    if (!m->is_sink)
        t->new_line = line_end(m->arena, t->new_line);
    if (!*t->delimiter || !*t->new_line) {
        diag_error(diags, map->span, "'delimiter' and 'new.line.character' of mapper text cannot be empty");
        return -1;
    }
    return m->is_sink ? open_sink(m, t, diags, map) : open_source(m, t, diags, map);
}

static void text_close(struct mapper *m)
{
    struct text_map *t = m->self;
    for (int i = 0; i < t->regex_count; i++) {
        pcre2_code_free(t->regexes[i].code);
        pcre2_match_data_free(t->regexes[i].match);
    }
    pcre2_code_free(t->splitter);
    pcre2_match_data_free(t->split_match);
    pcre2_match_context_free(t->context);
}

/* ---- reading ---- */

struct reading {
    struct mapper *m;
    struct text_map *t;
    int64_t now_ms;
    struct err *e;
};

static void trim(const char **begin, const char **end)
{
    while (*begin < *end && (unsigned char)**begin <= ' ')
        ++*begin;
    while (*end > *begin && (unsigned char)(*end)[-1] <= ' ')
        --*end;
}

static int unfit(struct reading *r, uint32_t i)
{
    return err_set(r->e, ERR_INVALID, "the value of '%s' does not fit", r->m->schema->attributes[i].name);
}

/* Of numbers and bools, commas are left out; of strings, the quotes, whatever they are. */
static int set_value(struct reading *r, struct row *row, uint32_t i, const char *begin, const char *end)
{
    size_t len = (size_t)(end - begin);
    enum type type = r->m->schema->attributes[i].type;
    if (type == TYPE_STRING) {
        if (len < 2)
            return unfit(r, i);
        do /* whole characters, or what is left would be no text */
            begin++;
        while (begin < end && ((unsigned char)*begin & 0xC0) == 0x80);
        do
            end--;
        while (end > begin && ((unsigned char)*end & 0xC0) == 0x80);
        if (end < begin) /* one character is no pair of quotes */
            return unfit(r, i);
        return map_set_scalar(r->m, row, i, begin, (size_t)(end - begin)) ? 0 : unfit(r, i);
    }
    if ((type_is_numeric(type) || type == TYPE_BOOL) && memchr(begin, ',', len)) {
        char *plain = arena_raw(&r->m->scratch, len);
        size_t n = 0;
        for (const char *p = begin; p < end; p++)
            if (*p != ',')
                plain[n++] = *p;
        begin = plain;
        end = plain + n;
        trim(&begin, &end);
        len = (size_t)(end - begin);
    }
    return map_set_scalar(r->m, row, i, begin, len) ? 0 : unfit(r, i);
}

/* name : value. A line without a colon says nothing; of a name that comes again the first counts. */
static int read_line(struct reading *r, struct row *row, bool *seen, const char *begin, const char *end)
{
    const char *colon = memchr(begin, ':', (size_t)(end - begin));
    if (!colon)
        return 0;
    const char *name = begin, *name_end = colon, *value = colon + 1;
    trim(&name, &name_end);
    trim(&value, &end);
    size_t len = (size_t)(name_end - name);
    for (uint32_t i = 0; i < r->m->schema->count; i++) {
        const char *attribute = r->m->schema->attributes[i].name;
        if (strncmp(attribute, name, len) == 0 && attribute[len] == '\0') {
            bool again = seen[i];
            seen[i] = true;
            return again ? 0 : set_value(r, row, i, value, end);
        }
    }
    return 0;
}

static int read_default(struct reading *r, struct row *row, const char *at, const char *end)
{
    const char *separator = arena_printf(&r->m->scratch, ",%s", r->t->new_line);
    size_t separator_len = strlen(separator);
    bool *seen = arena_array(&r->m->scratch, r->m->schema->count, sizeof(*seen));
    while (at < end) {
        const char *line_end_at = memmem(at, (size_t)(end - at), separator, separator_len);
        const char *begin = at, *stop = line_end_at ? line_end_at : end;
        trim(&begin, &stop);
        if (begin < stop) {
            int rc = read_line(r, row, seen, begin, stop);
            if (rc < 0)
                return rc;
        }
        at = line_end_at ? line_end_at + separator_len : end;
    }
    for (uint32_t i = 0; i < r->m->schema->count; i++)
        if (!seen[i] && r->m->fail_on_missing)
            return err_set(r->e, ERR_INVALID, "'%s' is missing", r->m->schema->attributes[i].name);
    return 0;
}

static int read_custom(struct reading *r, struct row *row, const char *at, const char *end)
{
    struct text_map *t = r->t;
    for (int k = 0; k < t->regex_count; k++)
        t->regexes[k].matched = pcre2_match(t->regexes[k].code, (PCRE2_SPTR)at, (size_t)(end - at), 0,
                                            PCRE2_NO_UTF_CHECK, t->regexes[k].match, t->context) > 0;
    for (uint32_t i = 0; i < r->m->schema->count; i++) {
        const struct field *f = &t->fields[i];
        if (!f->regex)
            continue;
        const PCRE2_SIZE *places = pcre2_get_ovector_pointer(f->regex->match) + 2 * (size_t)f->group;
        if (f->regex->matched && places[0] != PCRE2_UNSET) {
            if (!map_set_scalar(r->m, row, i, at + places[0], places[1] - places[0]))
                return unfit(r, i);
        } else if (r->m->fail_on_missing) {
            return err_set(r->e, ERR_INVALID, "'%s' is missing: regex.%s does not match",
                           r->m->schema->attributes[i].name, f->regex->name);
        }
    }
    return 0;
}

static int read_event(struct reading *r, struct map_rows *list, const char *at, const char *end)
{
    struct row *row = map_row_new(r->m, r->now_ms);
    int rc = r->t->fields ? read_custom(r, row, at, end) : read_default(r, row, at, end);
    if (rc < 0)
        row_unref(row);
    else
        map_rows_add(list, row);
    return rc;
}

/* Events before each delimiter and its newline, and the rest. A blank line between two delimiters is an event
 * without any value. */
static int read_group(struct reading *r, struct map_rows *list, const char *bytes, size_t len)
{
    struct text_map *t = r->t;
    size_t at = 0, from = 0, line_len = strlen(t->new_line);
    int rc = 0;
    while (at < len) {
        size_t stop = len, next = len;
        if (pcre2_match(t->splitter, (PCRE2_SPTR)bytes, len, from, PCRE2_NO_UTF_CHECK, t->split_match,
                        t->context) > 0) {
            const PCRE2_SIZE *places = pcre2_get_ovector_pointer(t->split_match);
            stop = places[0];
            next = places[1];
        }
        if (next <= at) /* a delimiter that matches nothing */
            break;
        size_t end = stop;
        if (stop < len && end >= at + line_len && memcmp(bytes + end - line_len, t->new_line, line_len) == 0)
            end -= line_len;
        if (stop > at) {
            int one = read_event(r, list, bytes + at, bytes + end);
            if (one < 0)
                map_rows_skip(list);
            rc = one < 0 ? one : rc;
        }
        at = from = next;
    }
    return rc;
}

static int text_read(struct mapper *m, const struct payload *in, const struct property *properties,
                     int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    int rc = map_want_text(in, e);
    if (rc < 0)
        return rc;
    struct reading r = {.m = m, .t = m->self, .now_ms = now_ms, .e = e};
    struct map_rows list = {.m = m};
    if (r.t->grouping && in->len > 0)
        rc = read_group(&r, &list, in->bytes, in->len);
    else
        rc = read_event(&r, &list, in->bytes, in->bytes + in->len);
    map_rows_emit(&list, false, emit, user);
    return rc;
}

/* ---- writing ---- */

static void write_default(struct mapper *m, const struct text_map *t, const struct row *row)
{
    for (uint32_t i = 0; i < m->schema->count; i++) {
        if (i > 0) {
            buf_add_char(&m->out, ',');
            buf_add_str(&m->out, t->new_line);
        }
        struct value v = row_get(row, i);
        bool quoted = m->schema->attributes[i].type == TYPE_STRING && !is_null(v);
        buf_add_str(&m->out, m->schema->attributes[i].name);
        buf_add_str(&m->out, quoted ? ":\"" : ":");
        value_print(v, &m->out);
        if (quoted)
            buf_add_char(&m->out, '"');
    }
}

static void write_event(struct mapper *m, const struct text_map *t, const struct row *row)
{
    if (t->mustache)
        mustache_render(t->mustache, row, &m->out);
    else if (m->payload)
        template_render(m->payload, row, "null", &m->out);
    else
        write_default(m, t, row);
}

static int text_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user, struct err *e)
{
    const struct text_map *t = m->self;
    bool together = b->is_batch && t->grouping;
    int rc = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        if (together && i > 0) {
            buf_add_str(&m->out, t->new_line);
            buf_add_str(&m->out, t->delimiter);
            buf_add_str(&m->out, t->new_line);
        }
        write_event(m, t, b->events[i].row);
        if (together)
            continue;
        int one = map_emit_text(m, emit, user, e);
        if (one < 0)
            rc = one;
        buf_clear(&m->out);
    }
    return together ? map_emit_text(m, emit, user, e) : rc;
}

const struct map_type map_type_text = {
    .name = "text",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .can_source = true,
    .can_sink = true,
    .size = sizeof(struct text_map),
    .own_payload = has_mustache,
    .open = text_open,
    .read = text_read,
    .write = text_write,
    .close = text_close,
};
