/* xpath.c - paths over trees. A path is a list of steps; select walks them depth first, which is the order of
 * the text but for '..'. */
#include "ports/xpath.h"
#include "engine/base/err.h"
#include <string.h>

enum { STEPS_MAX = 32 };
enum axis { AXIS_CHILD, AXIS_SELF, AXIS_PARENT, AXIS_ATTRIBUTE };
enum test { TEST_NAME, TEST_ANY, TEST_TEXT };
enum condition_kind { CONDITION_INDEX, CONDITION_LAST, CONDITION_ATTRIBUTE, CONDITION_CHILD, CONDITION_SELF };

struct condition {
    struct condition *next;
    enum condition_kind kind;
    long index;
    struct xml_slice local, uri;
    bool has_value;
    struct xml_slice value;
};
struct step {
    enum axis axis;
    enum test test;
    bool deep; /* '//' stood before it */
    struct xml_slice local, uri;
    struct condition *conditions;
};
struct xpath {
    bool absolute;
    struct step steps[STEPS_MAX];
    int count;
};

/* ---- compile ---- */

struct reader {
    struct arena *arena;
    const char *at, *prefixes;
    const char *wrong;
    bool unbuilt;
};

static bool fail(struct reader *r, const char *words, bool unbuilt)
{
    r->wrong = words;
    r->unbuilt = unbuilt;
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n')
        r->at++;
}

static bool is_name_byte(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80)
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.');
}

static struct xml_slice read_word(struct reader *r)
{
    const char *begin = r->at;
    while (is_name_byte(*r->at, r->at == begin))
        r->at++;
    return (struct xml_slice){begin, (size_t)(r->at - begin)};
}

/* The namespace of a prefix, from "p=uri,q=uri". */
static bool find_prefix(const struct reader *r, struct xml_slice prefix, struct xml_slice *uri)
{
    for (const char *p = r->prefixes; p && *p;) {
        size_t len = strcspn(p, ",");
        const char *equals = memchr(p, '=', len);
        const char *name = p + strspn(p, " "), *name_end = equals;
        while (equals && name_end > name && name_end[-1] == ' ')
            name_end--;
        if (equals && (size_t)(name_end - name) == prefix.len &&
            memcmp(name, prefix.bytes, prefix.len) == 0) {
            const char *value = equals + 1 + strspn(equals + 1, " "), *end = p + len;
            while (end > value && end[-1] == ' ')
                end--;
            *uri = (struct xml_slice){value, (size_t)(end - value)};
            return true;
        }
        p += len + (p[len] == ',');
    }
    return false;
}

/* [prefix ':'] name */
static bool read_name(struct reader *r, struct xml_slice *local, struct xml_slice *uri)
{
    struct xml_slice word = read_word(r);
    if (word.len == 0)
        return fail(r, "a name was expected", false);
    *uri = (struct xml_slice){"", 0};
    if (r->at[0] == ':' && r->at[1] == ':')
        return fail(r, "axes by name are not built", true);
    if (*r->at == ':') {
        if (!find_prefix(r, word, uri))
            return fail(r, "a prefix that 'namespaces' does not name", false);
        r->at++;
        word = read_word(r);
        if (word.len == 0)
            return fail(r, "a name was expected behind the prefix", false);
    }
    if (*r->at == '(')
        return fail(r, "functions are not built", true);
    *local = word;
    return true;
}

static bool read_literal(struct reader *r, struct xml_slice *out)
{
    char quote = *r->at;
    if (quote != '\'' && quote != '"')
        return fail(r, "a text in quotes was expected", true);
    const char *end = strchr(r->at + 1, quote);
    if (!end)
        return fail(r, "a text in quotes doesn't end", false);
    *out = (struct xml_slice){r->at + 1, (size_t)(end - r->at - 1)};
    r->at = end + 1;
    return true;
}

/* '[' condition ']' */
static bool read_condition(struct reader *r, struct condition *c)
{
    r->at++;
    skip_blanks(r);
    if (*r->at >= '0' && *r->at <= '9') {
        c->kind = CONDITION_INDEX;
        for (; *r->at >= '0' && *r->at <= '9' && c->index < 100000000; r->at++)
            c->index = c->index * 10 + (*r->at - '0');
    } else if (strncmp(r->at, "last()", 6) == 0) {
        c->kind = CONDITION_LAST;
        r->at += 6;
    } else {
        c->kind = *r->at == '@' ? CONDITION_ATTRIBUTE : *r->at == '.' ? CONDITION_SELF : CONDITION_CHILD;
        r->at += c->kind != CONDITION_CHILD;
        if (c->kind != CONDITION_SELF && !read_name(r, &c->local, &c->uri))
            return false;
        skip_blanks(r);
        if (*r->at == '=') {
            r->at++;
            skip_blanks(r);
            c->has_value = true;
            if (!read_literal(r, &c->value))
                return false;
        } else if (c->kind == CONDITION_SELF) {
            return fail(r, "this condition is not built", true);
        }
    }
    skip_blanks(r);
    if (*r->at != ']')
        return fail(r, *r->at ? "this condition is not built" : "']' was expected", *r->at != '\0');
    r->at++;
    return true;
}

static bool read_step(struct reader *r, struct step *s)
{
    skip_blanks(r);
    if (strncmp(r->at, "..", 2) == 0) {
        s->axis = AXIS_PARENT;
        s->test = TEST_ANY;
        r->at += 2;
    } else if (*r->at == '.') {
        s->axis = AXIS_SELF;
        s->test = TEST_ANY;
        r->at++;
    } else if (strncmp(r->at, "text()", 6) == 0) {
        s->test = TEST_TEXT;
        r->at += 6;
    } else {
        s->axis = *r->at == '@' ? AXIS_ATTRIBUTE : AXIS_CHILD;
        r->at += s->axis == AXIS_ATTRIBUTE;
        if (*r->at == '*') {
            s->test = TEST_ANY;
            r->at++;
        } else if (!read_name(r, &s->local, &s->uri)) {
            return false;
        }
    }
    struct condition **next = &s->conditions;
    for (skip_blanks(r); *r->at == '['; skip_blanks(r)) {
        *next = arena_alloc(r->arena, sizeof(**next));
        if (!read_condition(r, *next))
            return false;
        next = &(*next)->next;
    }
    return true;
}

static bool read_path(struct reader *r, struct xpath *x)
{
    skip_blanks(r);
    if (!*r->at)
        return fail(r, "it is empty", false);
    bool deep = false;
    if (*r->at == '/') {
        x->absolute = true;
        deep = r->at[1] == '/';
        r->at += deep ? 2 : 1;
    }
    for (;;) {
        if (x->count == STEPS_MAX)
            return fail(r, "too many steps", false);
        struct step *s = &x->steps[x->count++];
        s->deep = deep;
        if (!read_step(r, s))
            return false;
        if (!*r->at)
            return true;
        if (*r->at != '/')
            return fail(r, "'/' was expected", strchr("|+-*=<>,( ", *r->at) != NULL);
        deep = r->at[1] == '/';
        r->at += deep ? 2 : 1;
    }
}

struct xpath *xpath_compile(struct arena *a, const char *text, const char *prefixes, const char **wrong,
                            bool *unbuilt)
{
    struct reader r = {.arena = a, .prefixes = prefixes ? arena_strdup(a, prefixes) : NULL};
    r.at = arena_strdup(a, text);
    struct xpath *x = arena_alloc(a, sizeof(*x));
    bool good = read_path(&r, x);
    *wrong = r.wrong;
    *unbuilt = r.unbuilt;
    return good ? x : NULL;
}

/* ---- select ---- */

struct walk {
    const struct xpath *x;
    uint32_t serial;
    struct arena *scratch;
    xpath_fn fn;
    void *user;
    bool stopped;
};

static bool same(struct xml_slice a, struct xml_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static bool passes_test(const struct step *s, const struct xml_node *n)
{
    if (s->test == TEST_TEXT)
        return !xml_is_element(n) && n->parent;
    return xml_is_element(n) && (s->test == TEST_ANY || (same(s->local, n->local) && same(s->uri, n->uri)));
}

static bool has_text(struct walk *w, const struct xml_node *n, const struct condition *c)
{
    return !c->has_value || same(xml_is_element(n) ? xml_text(w->scratch, n) : n->text, c->value);
}

static bool passes_condition(struct walk *w, const struct condition *c, const struct xml_node *n, long place,
                             long count)
{
    switch (c->kind) {
    case CONDITION_INDEX:
        return place == c->index;
    case CONDITION_LAST:
        return place == count;
    case CONDITION_SELF:
        return has_text(w, n, c);
    case CONDITION_ATTRIBUTE:
        for (const struct xml_attribute *a = n->attributes; a; a = a->next)
            if (same(a->local, c->local) && same(a->uri, c->uri) &&
                (!c->has_value || same(a->value, c->value)))
                return true;
        return false;
    case CONDITION_CHILD:
        for (const struct xml_node *k = n->first; k; k = k->next)
            if (xml_is_element(k) && same(k->local, c->local) && same(k->uri, c->uri) && has_text(w, k, c))
                return true;
        return false;
    }
    return false;
}

static void go_on(struct walk *w, struct xml_node *n, int at);

static void emit(struct walk *w, struct xml_node *n)
{
    if (n->mark == w->serial)
        return;
    n->mark = w->serial;
    w->stopped = !w->fn(w->user, (struct xpath_item){.node = n});
}

static void select_attributes(struct walk *w, const struct step *s, const struct xml_node *n)
{
    for (const struct xml_attribute *a = n->attributes; a && !w->stopped; a = a->next)
        if (s->test == TEST_ANY || (same(s->local, a->local) && same(s->uri, a->uri)))
            w->stopped = !w->fn(w->user, (struct xpath_item){.attribute = a});
}

/* Children that pass the step; each condition counts those that passed the ones before it. */
static void select_children(struct walk *w, const struct step *s, struct xml_node *n, int at)
{
    size_t count = 0;
    for (struct xml_node *k = n->first; k; k = k->next)
        count += passes_test(s, k);
    if (count == 0)
        return;
    struct xml_node **set = arena_raw(w->scratch, count * sizeof(struct xml_node *));
    count = 0;
    for (struct xml_node *k = n->first; k; k = k->next)
        if (passes_test(s, k))
            set[count++] = k;
    for (const struct condition *c = s->conditions; c; c = c->next) {
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
            if (passes_condition(w, c, set[i], (long)i + 1, (long)count))
                set[kept++] = set[i];
        count = kept;
    }
    for (size_t i = 0; i < count && !w->stopped; i++)
        go_on(w, set[i], at + 1);
}

static void select_here(struct walk *w, const struct step *s, struct xml_node *n, int at)
{
    switch (s->axis) {
    case AXIS_CHILD:
        select_children(w, s, n, at);
        break;
    case AXIS_ATTRIBUTE:
        select_attributes(w, s, n);
        break;
    case AXIS_SELF:
    case AXIS_PARENT: {
        struct xml_node *to = s->axis == AXIS_SELF ? n : n->parent;
        for (const struct condition *c = s->conditions; c && to; c = c->next)
            if (!passes_condition(w, c, to, 1, 1))
                to = NULL;
        if (to)
            go_on(w, to, at + 1);
        break;
    }
    }
}

/* Recursion is bounded by the depth of trees and the number of steps. */
static void select_deep(struct walk *w, const struct step *s, struct xml_node *n, int at)
{
    select_here(w, s, n, at);
    for (struct xml_node *k = n->first; k && !w->stopped; k = k->next)
        if (xml_is_element(k))
            select_deep(w, s, k, at);
}

/* Steps from at on, from n. */
static void go_on(struct walk *w, struct xml_node *n, int at)
{
    if (at == w->x->count)
        emit(w, n);
    else if (w->x->steps[at].deep)
        select_deep(w, &w->x->steps[at], n, at);
    else
        select_here(w, &w->x->steps[at], n, at);
}

void xpath_select(const struct xpath *x, struct xml_node *node, uint32_t serial, struct arena *scratch,
                  xpath_fn fn, void *user)
{
    struct walk w = {.x = x, .serial = serial, .scratch = scratch, .fn = fn, .user = user};
    while (x->absolute && node->parent)
        node = node->parent;
    go_on(&w, node, 0);
}
