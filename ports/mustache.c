/* mustache.c - templates of marks and text, as one list of parts; a section knows its last part. */
#include "ports/mustache.h"
#include <string.h>

enum { NOTHING = -1, DEPTH_MAX = 64 };
enum part_kind { PART_TEXT, PART_ESCAPED, PART_RAW, PART_IF, PART_UNLESS, PART_END };
struct part {
    enum part_kind kind;
    const char *text; /* PART_TEXT */
    size_t len;
    int attribute; /* or NOTHING */
    int around;    /* sections: the one around, or NOTHING */
    int end;       /* sections: their PART_END */
};
struct mustache {
    struct part *parts;
    int count, cap;
};

struct reader {
    struct arena *arena;
    struct diags *diags;
    struct span span;
    const struct schema *schema;
    const char *at, *open, *close;
    struct mustache *out;
    int section; /* the open one, or NOTHING */
    int depth, lines;
};

/* ---- compile ---- */

static struct part *add(struct reader *r, enum part_kind kind)
{
    struct mustache *m = r->out;
    if (m->count == m->cap) {
        int wider = m->cap ? m->cap * 2 : 8;
        struct part *copy = arena_array(r->arena, (size_t)wider, sizeof(*copy));
        if (m->count)
            memcpy(copy, m->parts, (size_t)m->count * sizeof(*copy));
        m->parts = copy;
        m->cap = wider;
    }
    struct part *p = &m->parts[m->count++];
    *p = (struct part){.kind = kind, .attribute = NOTHING};
    return p;
}

static void add_text(struct reader *r, const char *begin, const char *end)
{
    if (begin == end)
        return;
    struct part *p = add(r, PART_TEXT);
    p->len = (size_t)(end - begin);
    p->text = arena_strndup(r->arena, begin, p->len);
}

static const char *name_of(struct reader *r, const char *begin, const char *end)
{
    while (begin < end && strchr(" \t\r\n", *begin))
        begin++;
    while (end > begin && strchr(" \t\r\n", end[-1]))
        end--;
    return arena_strndup(r->arena, begin, (size_t)(end - begin));
}

/* The attribute of the section around whose value is looked at. */
static int attribute_around(const struct reader *r)
{
    int i = r->section;
    while (i != NOTHING && (r->out->parts[i].kind != PART_IF || r->out->parts[i].attribute < 0))
        i = r->out->parts[i].around;
    return i != NOTHING ? r->out->parts[i].attribute : NOTHING;
}

static bool find_attribute(struct reader *r, const char *name, int *attribute)
{
    bool is_value = strcmp(name, ".") == 0;
    *attribute = is_value ? attribute_around(r) : schema_find(r->schema, name);
    if (*attribute >= 0)
        return true;
    if (is_value) {
        diag_error(r->diags, r->span, "{{.}} stands within a section of a value");
        return false;
    }
    diag_warn(r->diags, r->span, "stream '%s' has no attribute '%s' for {{%s}}; nothing stands there",
              r->schema->id, name, name);
    *attribute = NOTHING;
    return true;
}

static bool read_template(struct reader *r, const char *section, bool starts_line);

/* A section: its marks and what stands between. starts_line: only blanks are on the line before. */
static bool read_section(struct reader *r, enum part_kind kind, const char *name, bool starts_line)
{
    int attribute, at = r->out->count, around = r->section;
    if (r->depth == DEPTH_MAX) {
        diag_error(r->diags, r->span, "more than %d sections in one another", DEPTH_MAX);
        return false;
    }
    if (!find_attribute(r, name, &attribute))
        return false;
    struct part *p = add(r, kind);
    p->attribute = attribute;
    p->around = around;
    r->section = at;
    r->depth++;
    bool good = read_template(r, name, starts_line);
    r->depth--;
    r->section = around;
    add(r, PART_END);
    r->out->parts[at].end = r->out->count - 1;
    return good;
}

/* "<% %>" */
static bool set_marks(struct reader *r, const char *marks)
{
    size_t open = strcspn(marks, " \t"), gap = strspn(marks + open, " \t");
    const char *close = marks + open + gap;
    if (open == 0 || gap == 0 || !*close || strpbrk(close, " \t")) {
        diag_error(r->diags, r->span, "{{=%s=}} wants two marks", marks);
        return false;
    }
    r->open = arena_strndup(r->arena, marks, open);
    r->close = close;
    return true;
}

static bool unclosed(struct reader *r)
{
    diag_error(r->diags, r->span, "a %s of the template is not closed", r->open);
    return false;
}

static const char *close_of(const struct reader *r, const char *content)
{
    const char *end = strstr(content + (*content == '='), r->close);
    while (end && *content == '=' && end[-1] != '=')
        end = strstr(end + 1, r->close);
    return end;
}

/* A mark that opens or closes no section; content .. end is what it holds, r->at stands behind it. */
static bool read_mark(struct reader *r, const char *content, const char *end)
{
    bool is_triple = *content == '{', is_raw = is_triple || *content == '&';
    if (*content == '!')
        return true;
    if (*content == '=')
        return set_marks(r, name_of(r, content + 1, end - 1));
    if (end == content || strchr("><$%", *content)) {
        diag_error(r->diags, r->span, end == content ? "a mark of the template is empty" : "no {{%c..}} here",
                   *content);
        return false;
    }
    if (is_triple && *r->at != '}')
        return unclosed(r);
    r->at += is_triple;
    int attribute;
    if (!find_attribute(r, name_of(r, content + is_raw, end), &attribute))
        return false;
    add(r, is_raw ? PART_RAW : PART_ESCAPED)->attribute = attribute;
    return true;
}

/* One level of the template. */
struct level {
    const char *section; /* its name, or NULL: the whole */
    const char *plain;   /* text that is not added yet begins here */
    bool only_blanks;    /* on this line, marks apart */
    bool starts_line;    /* no mark is on this line before */
    bool skips; /* the next end of line goes when only blanks stand before it: a section began or ended */
};

static void end_line(struct reader *r, struct level *l)
{
    const char *end = r->at;
    r->at += *r->at == '\r' ? 2 : 1;
    add_text(r, l->plain, l->skips && l->only_blanks ? end : r->at);
    r->lines++;
    *l = (struct level){l->section, r->at, true, true, false};
}

/* The blanks before a section of several lines go when nothing else is on their line. */
static bool enter(struct reader *r, struct level *l, const char *mark, enum part_kind kind, const char *name)
{
    int text = r->out->count, lines = r->lines;
    add_text(r, l->plain, mark);
    bool has_text = r->out->count > text;
    if (!read_section(r, kind, name, l->starts_line && l->only_blanks))
        return false;
    l->skips = r->lines != lines;
    if (has_text && l->only_blanks && l->skips)
        r->out->parts[text].len = 0;
    return true;
}

/* Reads the mark at r->at. *done: it closed the level. */
static bool take_mark(struct reader *r, struct level *l, bool *done)
{
    const char *mark = r->at, *content = mark + strlen(r->open), *end = close_of(r, content);
    if (!end)
        return unclosed(r);
    r->at = end + strlen(r->close);
    bool good = true;
    if (*content == '#' || *content == '^') {
        enum part_kind kind = *content == '#' ? PART_IF : PART_UNLESS;
        good = enter(r, l, mark, kind, name_of(r, content + 1, end));
    } else if (*content == '/') {
        const char *name = name_of(r, content + 1, end);
        if (!l->starts_line || !l->only_blanks)
            add_text(r, l->plain, mark);
        *done = true;
        if (!l->section || strcmp(l->section, name) != 0) {
            diag_error(r->diags, r->span, "{{/%s}} closes no section that is open", name);
            return false;
        }
    } else {
        add_text(r, l->plain, mark);
        good = read_mark(r, content, end);
    }
    l->plain = r->at;
    l->starts_line = false;
    return good;
}

static bool read_template(struct reader *r, const char *section, bool starts_line)
{
    struct level l = {section, r->at, true, starts_line, section != NULL};
    while (*r->at) {
        bool done = false;
        if (*r->at == '\n' || (r->at[0] == '\r' && r->at[1] == '\n')) {
            end_line(r, &l);
        } else if (strncmp(r->at, r->open, strlen(r->open)) == 0) {
            if (!take_mark(r, &l, &done))
                return false;
            if (done)
                return true;
        } else if (*r->at == '\r') { /* alone it says nothing */
            add_text(r, l.plain, r->at);
            l.plain = ++r->at;
        } else {
            l.only_blanks = l.only_blanks && strchr(" \t", *r->at);
            r->at++;
        }
    }
    add_text(r, l.plain, r->at);
    if (section)
        diag_error(r->diags, r->span, "the section {{#%s}} is not closed", section);
    return !section;
}

struct mustache *mustache_compile(struct arena *a, struct diags *diags, struct span at, const char *text,
                                  const struct schema *schema)
{
    struct mustache *m = arena_alloc(a, sizeof(*m));
    struct reader r = {.arena = a,
                       .diags = diags,
                       .span = at,
                       .schema = schema,
                       .at = text,
                       .open = "{{",
                       .close = "}}",
                       .out = m,
                       .section = NOTHING};
    return read_template(&r, NULL, true) ? m : NULL;
}

/* ---- render ---- */

static void add_escaped(struct buf *out, const char *s, size_t len)
{
    static const char from[] = "&<>\"'`=";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#96;", "&#61;"};
    for (size_t i = 0; i < len; i++) {
        const char *place = s[i] ? strchr(from, s[i]) : NULL;
        if (place)
            buf_add_str(out, to[place - from]);
        else if ((unsigned char)s[i] <= '\r')
            buf_printf(out, "&#%d;", s[i]);
        else
            buf_add_char(out, s[i]);
    }
}

static void add_printed(struct buf *out, struct value v, bool is_raw)
{
    if (is_null(v))
        return;
    if (is_raw) {
        value_print(v, out);
        return;
    }
    struct buf text;
    buf_init(&text, out->max_bytes);
    value_print(v, &text);
    add_escaped(out, text.bytes ? text.bytes : "", text.len);
    buf_fini(&text);
}

static bool is_there(struct value v)
{
    if (v.type == TYPE_BOOL)
        return v.as.l != 0;
    return !is_null(v) && (v.type != TYPE_STRING || v.as.s->len > 0);
}

void mustache_render(const struct mustache *m, const struct row *row, struct buf *out)
{
    for (int i = 0; i < m->count; i++) {
        const struct part *p = &m->parts[i];
        struct value v = p->attribute >= 0 ? row_get(row, (size_t)p->attribute) : VALUE_NULL;
        if (p->kind == PART_TEXT)
            buf_add(out, p->text, p->len);
        else if (p->kind == PART_ESCAPED || p->kind == PART_RAW)
            add_printed(out, v, p->kind == PART_RAW);
        else if (p->kind != PART_END && is_there(v) != (p->kind == PART_IF))
            i = p->end;
    }
}
