/* xml.c - XML to a tree. No recursion: the open element is a pointer, its parents lead back. */
#include "ports/xml.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include <string.h>
#include <strings.h>

struct xml_binding {
    struct xml_binding *outer;
    struct xml_slice prefix, uri; /* prefix empty: the default namespace */
};
struct parser {
    struct arena *arena;
    const char *start, *at, *end;
    struct xml_node *document, *open;
    const char *wrong;
    int depth, nodes;
    bool allow_doctype;
};

bool xml_slice_is(struct xml_slice s, const char *text)
{
    return strlen(text) == s.len && memcmp(s.bytes, text, s.len) == 0;
}

static bool same(struct xml_slice a, struct xml_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static bool fail(struct parser *p, const char *words)
{
    if (!p->wrong)
        p->wrong = words;
    return false;
}

static bool starts(const struct parser *p, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(p->end - p->at) >= len && memcmp(p->at, text, len) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool skip_spaces(struct parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && is_space(*p->at))
        p->at++;
    return p->at > from;
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (unsigned char)c >= 0x80;
}

static bool is_name_byte(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool read_name(struct parser *p, struct xml_slice *out)
{
    if (p->at >= p->end || !is_name_start(*p->at))
        return fail(p, "a name was expected");
    out->bytes = p->at;
    while (p->at < p->end && is_name_byte(*p->at))
        p->at++;
    out->len = (size_t)(p->at - out->bytes);
    return true;
}

/* Over all up to and with text. */
static bool skip_past(struct parser *p, const char *text, const char *words)
{
    const char *found = memmem(p->at, (size_t)(p->end - p->at), text, strlen(text));
    if (!found)
        return fail(p, words);
    p->at = found + strlen(text);
    return true;
}

static struct xml_node *add_node(struct parser *p)
{
    if (++p->nodes > XML_NODES_MAX) {
        fail(p, "too many elements");
        return NULL;
    }
    struct xml_node *n = arena_alloc(p->arena, sizeof(*n));
    n->parent = p->open;
    if (p->open->last)
        p->open->last->next = n;
    else
        p->open->first = n;
    p->open->last = n;
    n->bindings = p->open->bindings;
    return n;
}

/* ---- characters ---- */

static bool is_xml_char(uint32_t code)
{
    return code >= 0x20 ? code != 0xFFFE && code != 0xFFFF : code == '\t' || code == '\n' || code == '\r';
}

/* at stands on '&'. Writes what it means; at most four bytes, never more than it took. */
static bool read_reference(struct parser *p, char **out)
{
    static const struct {
        const char *text;
        char c;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (starts(p, names[i].text)) {
            p->at += strlen(names[i].text);
            *(*out)++ = names[i].c;
            return true;
        }
    }
    if (!starts(p, "&#"))
        return fail(p, "an entity that is not known");
    p->at += 2;
    bool hex = p->at < p->end && *p->at == 'x';
    p->at += hex;
    uint32_t code = 0;
    int digits = 0;
    for (; p->at < p->end && *p->at != ';'; p->at++, digits++) {
        char c = *p->at, low = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9' ? c - '0' : hex && low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0 || digits > 7)
            return fail(p, "a wrong character reference");
        code = code * (hex ? 16 : 10) + (uint32_t)digit;
    }
    if (digits == 0 || p->at >= p->end || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ||
        !is_xml_char(code))
        return fail(p, "a wrong character reference");
    p->at++;
    *out += utf8_encode(*out, code);
    return true;
}

/* Characters up to stop (or the end of the text), references resolved, line ends made \n. */
static bool read_characters(struct parser *p, char stop, bool is_attribute, struct xml_slice *out)
{
    const char *end = memchr(p->at, stop, (size_t)(p->end - p->at));
    if (!end)
        end = p->end;
    char *text = arena_raw(p->arena, (size_t)(end - p->at)), *to = text;
    while (p->at < end) {
        char c = *p->at;
        if (c == '&') {
            if (!read_reference(p, &to))
                return false;
            continue;
        }
        if (c == '\r') {
            if (p->at + 1 < p->end && p->at[1] == '\n')
                p->at++;
            c = '\n';
        }
        if ((unsigned char)c < 0x20 && c != '\t' && c != '\n')
            return fail(p, "a control character");
        if (is_attribute && c == '<')
            return fail(p, "'<' in an attribute");
        if (!is_attribute && c == ']' && starts(p, "]]>"))
            return fail(p, "']]>' in a text");
        *to++ = is_attribute && (c == '\t' || c == '\n') ? ' ' : c;
        p->at++;
    }
    *out = (struct xml_slice){text, (size_t)(to - text)};
    return true;
}

static bool read_text(struct parser *p)
{
    struct xml_slice text;
    if (!read_characters(p, '<', false, &text))
        return false;
    if (p->open == p->document) {
        for (size_t i = 0; i < text.len; i++)
            if (!is_space(text.bytes[i]))
                return fail(p, "text outside the root element");
        return true;
    }
    struct xml_node *n = add_node(p);
    if (!n)
        return false;
    n->text = text;
    return true;
}

/* at stands behind "<![CDATA[". */
static bool read_cdata(struct parser *p)
{
    if (p->open == p->document)
        return fail(p, "CDATA outside the root element");
    const char *begin = p->at;
    if (!skip_past(p, "]]>", "a CDATA section doesn't end"))
        return false;
    struct xml_node *n = add_node(p);
    if (!n)
        return false;
    size_t len = (size_t)(p->at - 3 - begin), kept = 0;
    char *text = arena_raw(p->arena, len);
    for (size_t i = 0; i < len; i++) {
        if (begin[i] == '\r' && i + 1 < len && begin[i + 1] == '\n')
            continue;
        text[kept] = begin[i] == '\r' ? '\n' : begin[i];
        if (!is_xml_char((unsigned char)text[kept]))
            return fail(p, "a control character");
        kept++;
    }
    n->text = (struct xml_slice){text, kept};
    return true;
}

/* ---- names and namespaces ---- */

static bool resolve(struct parser *p, const struct xml_node *n, struct xml_slice name, bool is_attribute,
                    struct xml_slice *local, struct xml_slice *uri)
{
    const char *colon = memchr(name.bytes, ':', name.len);
    struct xml_slice prefix = {name.bytes, colon ? (size_t)(colon - name.bytes) : 0};
    *local = colon ? (struct xml_slice){colon + 1, name.len - prefix.len - 1} : name;
    *uri = (struct xml_slice){"", 0};
    if (colon && (prefix.len == 0 || local->len == 0 || memchr(local->bytes, ':', local->len)))
        return fail(p, "a wrong name");
    if (!colon && is_attribute)
        return true;
    if (xml_slice_is(prefix, "xml")) {
        *uri = (struct xml_slice){"http://www.w3.org/XML/1998/namespace", 36};
        return true;
    }
    for (const struct xml_binding *b = n->bindings; b; b = b->outer) {
        if (same(b->prefix, prefix)) {
            *uri = b->uri;
            break;
        }
    }
    return uri->len > 0 || !colon || fail(p, "a prefix without a namespace");
}

static void bind_namespace(struct parser *p, struct xml_node *n, const struct xml_attribute *a)
{
    bool is_default = xml_slice_is(a->name, "xmlns");
    if (!is_default && !(a->name.len > 6 && memcmp(a->name.bytes, "xmlns:", 6) == 0))
        return;
    struct xml_binding *b = arena_alloc(p->arena, sizeof(*b));
    b->prefix =
        is_default ? (struct xml_slice){"", 0} : (struct xml_slice){a->name.bytes + 6, a->name.len - 6};
    b->uri = a->value;
    b->outer = n->bindings;
    n->bindings = b;
}

static bool is_namespace_attribute(const struct xml_attribute *a)
{
    return a->name.len >= 5 && memcmp(a->name.bytes, "xmlns", 5) == 0 &&
           (a->name.len == 5 || a->name.bytes[5] == ':');
}

static bool resolve_all(struct parser *p, struct xml_node *n)
{
    for (const struct xml_attribute *a = n->attributes; a; a = a->next)
        bind_namespace(p, n, a);
    if (!resolve(p, n, n->name, false, &n->local, &n->uri))
        return false;
    struct xml_attribute **link = &n->attributes;
    while (*link) {
        struct xml_attribute *a = *link;
        if (is_namespace_attribute(a)) {
            *link = a->next;
            continue;
        }
        if (!resolve(p, n, a->name, true, &a->local, &a->uri))
            return false;
        link = &a->next;
    }
    return true;
}

/* ---- tags ---- */

static bool read_attribute(struct parser *p, struct xml_node *n, struct xml_attribute ***link, int *count)
{
    struct xml_attribute *a = arena_alloc(p->arena, sizeof(*a));
    if (++*count > LIMIT_PARSE_DEPTH) /* each is compared with all before it */
        return fail(p, "too many attributes");
    if (!read_name(p, &a->name))
        return false;
    skip_spaces(p);
    if (p->at >= p->end || *p->at != '=')
        return fail(p, "'=' was expected");
    p->at++;
    skip_spaces(p);
    char quote = p->at < p->end ? *p->at : '\0';
    if (quote != '"' && quote != '\'')
        return fail(p, "a value in quotes was expected");
    p->at++;
    if (!read_characters(p, quote, true, &a->value))
        return false;
    if (p->at >= p->end)
        return fail(p, "an attribute doesn't end");
    p->at++;
    for (const struct xml_attribute *b = n->attributes; b; b = b->next)
        if (same(a->name, b->name))
            return fail(p, "an attribute stands there twice");
    **link = a;
    *link = &a->next;
    return true;
}

static void close_element(struct parser *p)
{
    p->open->text.len = (size_t)(p->at - p->open->text.bytes);
    p->open = p->open->parent;
    p->depth--;
}

/* at stands on '<'. */
static bool read_open_tag(struct parser *p)
{
    if (p->open == p->document && p->document->first)
        return fail(p, "a second root element");
    struct xml_node *n = add_node(p);
    if (!n)
        return false;
    n->text.bytes = p->at++;
    if (!read_name(p, &n->name))
        return false;
    struct xml_attribute **link = &n->attributes;
    int count = 0;
    for (;;) {
        bool spaced = skip_spaces(p);
        if (p->at >= p->end)
            return fail(p, "a tag doesn't end");
        if (*p->at == '>' || *p->at == '/')
            break;
        if (!spaced)
            return fail(p, "a blank was expected");
        if (!read_attribute(p, n, &link, &count))
            return false;
    }
    if (!resolve_all(p, n))
        return false;
    if (++p->depth > LIMIT_PARSE_DEPTH)
        return fail(p, "nested too deep");
    p->open = n;
    if (*p->at++ == '>')
        return true;
    if (p->at >= p->end || *p->at != '>')
        return fail(p, "'>' was expected");
    p->at++;
    close_element(p);
    return true;
}

/* at stands behind "</". */
static bool read_close_tag(struct parser *p)
{
    struct xml_slice name;
    if (!read_name(p, &name))
        return false;
    skip_spaces(p);
    if (p->at >= p->end || *p->at != '>')
        return fail(p, "'>' was expected");
    if (p->open == p->document || !same(name, p->open->name))
        return fail(p, "a closing tag that closes nothing");
    p->at++;
    close_element(p);
    return true;
}

static bool read_comment(struct parser *p)
{
    p->at += 4;
    return skip_past(p, "--", "a comment doesn't end") &&
           (p->at < p->end && *p->at == '>' ? (p->at++, true) : fail(p, "'--' in a comment"));
}

static bool read_doctype(struct parser *p)
{
    if (!p->allow_doctype || p->document->first)
        return fail(p, "a DOCTYPE is not allowed here");
    while (p->at < p->end && *p->at != '>') {
        if (*p->at == '[')
            return fail(p, "a DOCTYPE with its own declarations is not read");
        p->at++;
    }
    return skip_past(p, ">", "a DOCTYPE doesn't end");
}

static bool read_instruction(struct parser *p)
{
    struct xml_slice name;
    bool is_first = p->at == p->start;
    p->at += 2;
    if (!read_name(p, &name))
        return false;
    if (name.len == 3 && strncasecmp(name.bytes, "xml", 3) == 0 && !is_first)
        return fail(p, "an XML declaration that is not at the start");
    return skip_past(p, "?>", "a processing instruction doesn't end");
}

static bool read_markup(struct parser *p)
{
    if (starts(p, "<!--"))
        return read_comment(p);
    if (starts(p, "<![CDATA[")) {
        p->at += 9;
        return read_cdata(p);
    }
    if (starts(p, "<!DOCTYPE"))
        return read_doctype(p);
    if (starts(p, "<?"))
        return read_instruction(p);
    if (starts(p, "</")) {
        p->at += 2;
        return read_close_tag(p);
    }
    return read_open_tag(p);
}

struct xml_node *xml_parse(struct arena *a, const char *text, size_t len, bool allow_doctype,
                           const char **wrong, size_t *at)
{
    struct parser p = {
        .arena = a, .start = text, .at = text, .end = text + len, .allow_doctype = allow_doctype};
    p.document = p.open = arena_alloc(a, sizeof(*p.document));
    if (starts(&p, "\xEF\xBB\xBF")) /* a byte order mark */
        p.start = p.at += 3;
    while (p.at < p.end && !p.wrong) {
        if (*p.at == '<')
            read_markup(&p);
        else
            read_text(&p);
    }
    if (!p.wrong && p.open != p.document)
        fail(&p, "an element doesn't end");
    else if (!p.wrong && !p.document->first)
        fail(&p, "there is no element");
    *wrong = p.wrong;
    *at = (size_t)(p.at - text);
    return p.wrong ? NULL : p.document;
}

bool xml_has_elements(const struct xml_node *n)
{
    for (const struct xml_node *c = n->first; c; c = c->next)
        if (xml_is_element(c))
            return true;
    return false;
}

struct xml_slice xml_text(struct arena *a, const struct xml_node *element)
{
    size_t len = 0;
    const struct xml_node *only = NULL;
    int count = 0;
    for (const struct xml_node *c = element->first; c; c = c->next) {
        if (!xml_is_element(c)) {
            len += c->text.len;
            only = c;
            count++;
        }
    }
    if (count <= 1)
        return only ? only->text : (struct xml_slice){"", 0};
    char *text = arena_raw(a, len);
    size_t to = 0;
    for (const struct xml_node *c = element->first; c; c = c->next) {
        if (!xml_is_element(c)) {
            memcpy(text + to, c->text.bytes, c->text.len);
            to += c->text.len;
        }
    }
    return (struct xml_slice){text, len};
}
