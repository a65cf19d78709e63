/* json_path.c - JSONPath: $ .name ['name'] [n] [a,b] [from:to] * .. [?(filter)] length() min() ...
 *
 * A path is a list of steps; finding walks it depth first, so what is found stands in the order of the text.
 * A filter is a tree of comparisons between paths (@: the element, $: the root) and literals.
 *
 * Laws: (1) a step is definite when it leads to one place at most; as long as all before it are, what it can't be
 * done on, or a member that is missing on the way, ends the search: the path is missing, also when later steps
 * are indefinite; behind an indefinite step it only leads nowhere; (2) an index outside of the list, or a last
 * member that is missing, leads nowhere. */
#include "engine/base/limits.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include "engine/expr/json_tree.h"
#include "engine/expr/regex.h"
#include <math.h>
#include <stdio.h>

enum step_kind { STEP_NAMES, STEP_INDEXES, STEP_SLICE, STEP_ALL, STEP_FILTER, STEP_FUNCTION };
enum path_function {
    FUNCTION_LENGTH,
    FUNCTION_MIN,
    FUNCTION_MAX,
    FUNCTION_SUM,
    FUNCTION_AVG,
    FUNCTION_STDDEV
};

struct filter;
struct step {
    struct step *next;
    enum step_kind kind;
    bool deep; /* behind '..': here and in all below */
    bool sure; /* all steps before are definite */
    int count; /* names, indexes */
    struct text **names;
    int64_t *indexes;
    bool has_from, has_to;
    int64_t from, to;
    struct filter *filter;
    enum path_function function;
};
struct json_path {
    struct step *first, *last;
    bool definite, from_element; /* begins with '@' */
};

enum filter_kind {
    FILTER_AND,
    FILTER_OR,
    FILTER_NOT,
    FILTER_EXISTS,
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_LE,
    FILTER_GT,
    FILTER_GE,
    FILTER_MATCHES,
    FILTER_IN,
    FILTER_NOT_IN,
    FILTER_SIZE,
    FILTER_EMPTY,
    FILTER_CONTAINS
};
struct operand {
    struct json_path *path;
    struct json_node *literal;
    struct regex *regex;
};
struct filter {
    enum filter_kind kind;
    struct filter *left, *right;
    struct operand a, b;
};

struct path_reader {
    struct arena *arena;
    const char *at, *end;
    char *error;
    size_t error_size;
    int depth;
    bool failed;
};

static void *wrong(struct path_reader *r, const char *words)
{
    if (!r->failed)
        snprintf(r->error, r->error_size, "%s", words);
    r->failed = true;
    return NULL;
}
static void skip_blanks(struct path_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
}
static bool take(struct path_reader *r, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
        return false;
    r->at += len;
    return true;
}

static struct text *read_quoted(struct path_reader *r)
{
    char quote = *r->at++;
    struct buf b;
    buf_init(&b, 1 << 20);
    while (r->at < r->end && *r->at != quote) {
        if (*r->at == '\\' && r->at + 1 < r->end)
            r->at++;
        buf_add_char(&b, *r->at++);
    }
    struct text *s = text_scratch(r->arena, b.bytes ? b.bytes : "", b.len);
    buf_fini(&b);
    if (r->at >= r->end)
        return wrong(r, "a quote is not closed");
    r->at++;
    return s;
}
static bool read_number(struct path_reader *r, int64_t *out)
{
    const char *from = r->at;
    if (r->at < r->end && *r->at == '-')
        r->at++;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return num_parse_long(from, (size_t)(r->at - from), out);
}

static struct json_path *read_path(struct path_reader *r, bool inner);

/* ---- filters: or := and {'||' and}, and := unary {'&&' unary} ---- */

static struct filter *read_or(struct path_reader *r);

static struct operand read_operand(struct path_reader *r)
{
    struct operand o = {NULL, NULL, NULL};
    skip_blanks(r);
    if (r->at >= r->end) {
        wrong(r, "a filter ends too early");
    } else if (*r->at == '@' || *r->at == '$') {
        o.path = read_path(r, true);
    } else if (*r->at == '\'' || *r->at == '"') {
        struct text *s = read_quoted(r);
        if (s)
            o.literal = json_tree_of(r->arena, value_text(s));
    } else if (*r->at == '/') {
        const char *from = ++r->at;
        while (r->at < r->end && *r->at != '/')
            r->at += *r->at == '\\' ? 2 : 1;
        if (r->at >= r->end) {
            wrong(r, "a regular expression is not closed");
            return o;
        }
        struct buf pattern;
        buf_init(&pattern, 1 << 20);
        const char *to = r->at++;
        if (take(r, "i"))
            buf_add_str(&pattern, "(?i)");
        buf_add(&pattern, from, (size_t)(to - from));
        o.regex =
            regex_new(r->arena, pattern.bytes ? pattern.bytes : "", pattern.len, r->error, r->error_size);
        buf_fini(&pattern);
        r->failed |= !o.regex;
    } else {
        const char *from = r->at;
        int nested = 0;
        while (r->at < r->end && (nested || !strchr(" )=!<>&|,", *r->at))) {
            nested += (*r->at == '[') - (*r->at == ']');
            r->at++;
        }
        o.literal = json_tree_read(r->arena, from, (size_t)(r->at - from));
        if (!o.literal || (o.literal->kind == NODE_STRING))
            wrong(r, "a filter compares with something unknown");
    }
    return o;
}

static struct filter *filter_new(struct path_reader *r, enum filter_kind kind, struct filter *left,
                                 struct filter *right)
{
    struct filter *f = arena_alloc(r->arena, sizeof(*f));
    f->kind = kind;
    f->left = left;
    f->right = right;
    return f;
}
static struct filter *read_comparison(struct path_reader *r)
{
    static const struct {
        const char *text;
        enum filter_kind kind;
    } operators[] = {{"==", FILTER_EQ},      {"!=", FILTER_NE},        {"=~", FILTER_MATCHES},
                     {"<=", FILTER_LE},      {">=", FILTER_GE},        {"<", FILTER_LT},
                     {">", FILTER_GT},       {"in ", FILTER_IN},       {"nin ", FILTER_NOT_IN},
                     {"size ", FILTER_SIZE}, {"empty ", FILTER_EMPTY}, {"contains ", FILTER_CONTAINS}};
    struct filter *f = filter_new(r, FILTER_EXISTS, NULL, NULL);
    f->a = read_operand(r);
    skip_blanks(r);
    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
        if (take(r, operators[i].text)) {
            f->kind = operators[i].kind;
            f->b = read_operand(r);
            break;
        }
    if (f->kind == FILTER_EXISTS && !f->a.path)
        return wrong(r, "a filter compares nothing");
    return f;
}
static struct filter *read_unary(struct path_reader *r)
{
    if (++r->depth > LIMIT_PARSE_DEPTH)
        return wrong(r, "it is nested too deeply");
    struct filter *f;
    skip_blanks(r);
    if (take(r, "!")) {
        f = filter_new(r, FILTER_NOT, read_unary(r), NULL);
    } else if (take(r, "(")) {
        f = read_or(r);
        skip_blanks(r);
        if (!take(r, ")"))
            return wrong(r, "a filter lacks a ')'");
    } else {
        f = read_comparison(r);
    }
    r->depth--;
    return f;
}
static struct filter *read_and(struct path_reader *r)
{
    struct filter *f = read_unary(r);
    for (skip_blanks(r); !r->failed && take(r, "&&"); skip_blanks(r))
        f = filter_new(r, FILTER_AND, f, read_unary(r));
    return f;
}
static struct filter *read_or(struct path_reader *r)
{
    struct filter *f = read_and(r);
    for (skip_blanks(r); !r->failed && take(r, "||"); skip_blanks(r))
        f = filter_new(r, FILTER_OR, f, read_and(r));
    return f;
}

/* ---- steps ---- */

static void add_step(struct json_path *p, struct step *s)
{
    if (p->last)
        p->last->next = s;
    else
        p->first = s;
    p->last = s;
}
static void add_name(struct path_reader *r, struct step *s, struct text *name)
{
    struct text **names = arena_array(r->arena, (size_t)s->count + 1, sizeof(struct text *));
    if (s->count)
        memcpy(names, s->names, (size_t)s->count * sizeof(*names));
    names[s->count++] = name;
    s->names = names;
}
static void add_index(struct path_reader *r, struct step *s, int64_t index)
{
    int64_t *indexes = arena_array(r->arena, (size_t)s->count + 1, sizeof(*indexes));
    if (s->count)
        memcpy(indexes, s->indexes, (size_t)s->count * sizeof(*indexes));
    indexes[s->count++] = index;
    s->indexes = indexes;
}

/* A slice's bound, which may be missing. */
static bool read_bound(struct path_reader *r, int64_t *out, bool *there)
{
    *there = r->at < r->end && *r->at != ':' && *r->at != ']';
    return !*there || read_number(r, out);
}
/* numbers inside brackets: n, a,b or from:to */
static void read_indexes(struct path_reader *r, struct step *s)
{
    int64_t n = 0;
    s->kind = STEP_INDEXES;
    bool there;
    if (!read_bound(r, &n, &there)) {
        wrong(r, "brackets hold a name in quotes, a number, * or a ?(filter)");
        return;
    }
    if (take(r, ":")) {
        s->kind = STEP_SLICE;
        s->has_from = there;
        s->from = n;
        if (!read_bound(r, &s->to, &s->has_to) || (!s->has_from && !s->has_to))
            wrong(r, "a slice is from:, :to or from:to");
        while (r->at < r->end && strchr(":-0123456789", *r->at)) /* a third number counts for nothing */
            r->at++;
        return;
    }
    if (!there) {
        wrong(r, "brackets hold a name in quotes, a number, * or a ?(filter)");
        return;
    }
    add_index(r, s, n);
    for (skip_blanks(r); take(r, ","); skip_blanks(r)) {
        skip_blanks(r);
        if (!read_number(r, &n)) {
            wrong(r, "a number is missing behind ','");
            return;
        }
        add_index(r, s, n);
    }
}

/* behind '[' */
static void read_brackets(struct path_reader *r, struct step *s)
{
    skip_blanks(r);
    if (r->at >= r->end) {
        wrong(r, "'[' is not closed");
    } else if (*r->at == '\'' || *r->at == '"') {
        s->kind = STEP_NAMES;
        do {
            skip_blanks(r);
            if (r->at >= r->end || (*r->at != '\'' && *r->at != '"')) {
                wrong(r, "a name in quotes is missing behind ','");
                return;
            }
            struct text *name = read_quoted(r);
            if (!name)
                return;
            add_name(r, s, name);
            skip_blanks(r);
        } while (take(r, ","));
    } else if (take(r, "*")) {
        s->kind = STEP_ALL;
    } else if (take(r, "?")) {
        s->kind = STEP_FILTER;
        skip_blanks(r);
        if (!take(r, "(")) {
            wrong(r, "a filter is written ?(...)");
            return;
        }
        s->filter = read_or(r);
        skip_blanks(r);
        if (!take(r, ")"))
            wrong(r, "a filter lacks a ')'");
    } else {
        read_indexes(r, s);
    }
    skip_blanks(r);
    if (!take(r, "]"))
        wrong(r, "'[' is not closed");
}

/* name() */
static void read_function(struct path_reader *r, struct step *s, const char *name, size_t len)
{
    static const struct {
        const char *name;
        enum path_function function;
    } functions[] = {{"length", FUNCTION_LENGTH}, {"size", FUNCTION_LENGTH}, {"min", FUNCTION_MIN},
                     {"max", FUNCTION_MAX},       {"sum", FUNCTION_SUM},     {"avg", FUNCTION_AVG},
                     {"stddev", FUNCTION_STDDEV}};
    s->kind = STEP_FUNCTION;
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
        if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0) {
            s->function = functions[i].function;
            if (!take(r, "()"))
                wrong(r, "a function takes no arguments");
            return;
        }
    wrong(r, "there is no such function");
}
/* A name behind '.', up to what can't be in one. Inside a filter a path ends at operators, too. */
static void read_name(struct path_reader *r, struct step *s, bool inner)
{
    const char *from = r->at;
    while (r->at < r->end && !strchr(inner ? ".[( )=!<>&|,]~" : ".[( ", *r->at))
        r->at++;
    size_t len = (size_t)(r->at - from);
    bool blank = !inner && r->at < r->end && *r->at == ' ';
    if (len == 0 || blank) {
        wrong(r, blank ? "a name with blanks stands in brackets and quotes" : "a name is missing");
    } else if (len == 1 && *from == '*') {
        s->kind = STEP_ALL;
    } else if (r->at < r->end && *r->at == '(') {
        read_function(r, s, from, len);
    } else {
        s->kind = STEP_NAMES;
        add_name(r, s, text_scratch(r->arena, from, len));
    }
}

static bool is_definite(const struct step *s, bool is_last)
{
    if (s->kind == STEP_NAMES) /* several names at the end give one object */
        return !s->deep && (s->count == 1 || is_last);
    return !s->deep && ((s->kind == STEP_INDEXES && s->count == 1) || s->kind == STEP_FUNCTION);
}
static struct json_path *read_path(struct path_reader *r, bool inner)
{
    struct json_path *p = arena_alloc(r->arena, sizeof(*p));
    bool relative = false;
    if (take(r, "@"))
        p->from_element = true;
    else if (!take(r, "$"))
        relative = true; /* 'a.b' is '$.a.b' */
    while (r->at < r->end && !r->failed) {
        struct step *s = arena_alloc(r->arena, sizeof(*s));
        if (!inner && p->last && r->end - r->at == 1 && *r->at != '.')
            break; /* one character behind the last step counts for nothing */
        if (take(r, "[")) {
            read_brackets(r, s);
        } else if (take(r, "..")) {
            s->deep = true;
            if (take(r, "["))
                read_brackets(r, s);
            else
                read_name(r, s, inner);
        } else if (take(r, ".") || relative) {
            if (take(r, "["))
                read_brackets(r, s);
            else
                read_name(r, s, inner);
        } else if (inner) {
            break;
        } else {
            return wrong(r, "'.' or '[' is missing");
        }
        relative = false;
        add_step(p, s);
    }
    p->definite = true;
    for (struct step *s = p->first; s; s = s->next) {
        s->sure = p->definite && !s->deep;
        p->definite = p->definite && is_definite(s, !s->next);
    }
    return p;
}

struct json_path *json_path_new(struct arena *a, const char *s, size_t len, char *error, size_t error_size)
{
    struct path_reader r = {.arena = a, .at = s, .end = s + len, .error = error, .error_size = error_size};
    while (r.at < r.end && *r.at == ' ')
        r.at++;
    while (r.end > r.at && r.end[-1] == ' ')
        r.end--;
    if (r.at == r.end)
        return wrong(&r, "the path is empty");
    struct json_path *p = read_path(&r, false);
    return r.failed ? NULL : p;
}
bool json_path_is_definite(const struct json_path *p)
{
    return p->definite;
}

/* ---- finding ---- */

struct walk {
    struct arena *arena;
    struct json_node *root;
    struct json_found *out;
};
static void walk(struct walk *w, const struct step *s, struct json_node *n);

static void found(struct walk *w, struct json_node *n)
{
    struct json_found *out = w->out;
    if (out->count == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 8;
        struct json_node **nodes = arena_array(w->arena, cap, sizeof(struct json_node *));
        if (out->count)
            memcpy(nodes, out->nodes, out->count * sizeof(*nodes));
        out->nodes = nodes;
        out->cap = cap;
    }
    out->nodes[out->count++] = n;
}

/* What a path leads to: one node, an indefinite path's a list of all; NULL: nothing. */
static struct json_node *value_of(struct arena *a, const struct json_path *p, struct json_found *found)
{
    if (found->missing || found->wrong)
        return NULL;
    if (p->definite)
        return found->count ? found->nodes[found->count - 1] : NULL;
    struct json_node *list = json_node_new(a, NODE_LIST);
    for (size_t i = 0; i < found->count; i++) {
        struct json_node *copy = json_node_new(a, NODE_NULL);
        *copy = *found->nodes[i];
        json_node_add(list, copy);
    }
    return list;
}
struct json_node *json_path_value(struct arena *a, const struct json_path *p, struct json_node *root,
                                  bool *wrong)
{
    struct json_found found;
    json_path_find(a, p, root, &found);
    *wrong = found.wrong;
    return value_of(a, p, &found);
}

/* What an operand is for this element; NULL: nothing. */
static struct json_node *operand_node(struct walk *w, const struct operand *o, struct json_node *element)
{
    if (o->literal || !o->path)
        return o->literal;
    struct walk inner = {w->arena, w->root, &(struct json_found){NULL, 0, 0, false, false}};
    walk(&inner, o->path->first, o->path->from_element ? element : w->root);
    return value_of(w->arena, o->path, inner.out);
}
/* A scalar's text; NULL: it has none. */
static struct text *scalar_text(struct arena *a, const struct json_node *n)
{
    if (!n || (n->kind != NODE_STRING && n->kind != NODE_NUMBER && n->kind != NODE_BOOL))
        return NULL;
    if (n->kind == NODE_STRING)
        return n->v.as.s;
    struct buf b;
    buf_init(&b, 1 << 20);
    json_tree_write(n, JSON_GSON, &b);
    struct text *s = text_scratch(a, b.bytes ? b.bytes : "", b.len);
    buf_fini(&b);
    return s;
}
/* A number is the text that reads as it; a text the number that is written like it. */
static bool same_mixed(struct walk *w, const struct json_node *a, const struct json_node *b)
{
    double d;
    if (a->kind == NODE_STRING)
        return text_equal(a->v.as.s, scalar_text(w->arena, b));
    return num_parse_double(b->v.as.s->bytes, b->v.as.s->len, &d) && value_to_double(a->v) == d;
}
static bool same_node(struct walk *w, const struct json_node *a, const struct json_node *b)
{
    if (!a || !b)
        return false;
    if (a->kind != b->kind)
        return ((a->kind == NODE_NUMBER && b->kind == NODE_STRING) ||
                (a->kind == NODE_STRING && b->kind == NODE_NUMBER)) &&
               same_mixed(w, a, b);
    if (a->kind == NODE_NUMBER)
        return value_to_double(a->v) == value_to_double(b->v);
    if (a->kind == NODE_STRING)
        return text_equal(a->v.as.s, b->v.as.s);
    if (a->kind == NODE_BOOL)
        return a->v.as.l == b->v.as.l;
    const struct json_node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if (!same_node(w, x, y) || (x->key && !text_equal(x->key, y->key)))
            return false;
    return !x && !y;
}
static bool is_ordered(const struct json_node *a, const struct json_node *b, enum filter_kind kind)
{
    double x = 0, y = 0;
    if (!a || !b || a->kind != b->kind || (a->kind != NODE_NUMBER && a->kind != NODE_STRING))
        return false;
    if (a->kind == NODE_NUMBER) {
        x = value_to_double(a->v);
        y = value_to_double(b->v);
    } else {
        x = (double)strcmp(a->v.as.s->bytes, b->v.as.s->bytes);
    }
    return kind == FILTER_LT ? x < y : kind == FILTER_LE ? x <= y : kind == FILTER_GT ? x > y : x >= y;
}
static bool is_member(struct walk *w, const struct json_node *a, const struct json_node *list)
{
    for (struct json_node *n = list->first; n; n = n->next)
        if (same_node(w, a, n))
            return true;
    return false;
}
static bool matches(struct walk *w, const struct filter *f, const struct json_node *a,
                    const struct json_node *b)
{
    if (!f->a.regex == !f->b.regex)
        return false;
    const struct text *s = scalar_text(w->arena, f->a.regex ? b : a);
    return regex_match(f->a.regex ? f->a.regex : f->b.regex, s ? s->bytes : "", s ? s->len : 0, 0,
                       REGEX_WHOLE) > 0;
}
/* A text's or container's length is that number, or is it empty. */
static bool has_size(const struct json_node *a, const struct json_node *b, bool asks_empty)
{
    if (!a || !b || (a->kind != NODE_STRING && a->kind < NODE_LIST) ||
        b->kind != (asks_empty ? NODE_BOOL : NODE_NUMBER))
        return false;
    int64_t n =
        a->kind == NODE_STRING ? (int64_t)utf8_units(a->v.as.s->bytes, a->v.as.s->len) : (int64_t)a->count;
    return asks_empty ? (n == 0) == (b->v.as.l != 0) : (double)n == value_to_double(b->v);
}
static bool contains(struct walk *w, const struct json_node *a, const struct json_node *b)
{
    if (a && b && a->kind == NODE_STRING && b->kind == NODE_STRING)
        return strstr(a->v.as.s->bytes, b->v.as.s->bytes) != NULL;
    return a && b && a->kind == NODE_LIST && is_member(w, b, a);
}
static bool passes(struct walk *w, const struct filter *f, struct json_node *element)
{
    struct json_node *a = NULL, *b = NULL;
    if (f->kind >= FILTER_EXISTS)
        a = operand_node(w, &f->a, element);
    if (f->kind >= FILTER_EQ)
        b = operand_node(w, &f->b, element);
    switch (f->kind) {
    case FILTER_AND:
        return passes(w, f->left, element) && passes(w, f->right, element);
    case FILTER_OR:
        return passes(w, f->left, element) || passes(w, f->right, element);
    case FILTER_NOT:
        return !passes(w, f->left, element);
    case FILTER_EXISTS:
        return a != NULL;
    case FILTER_EQ:
        return same_node(w, a, b);
    case FILTER_NE:
        return !same_node(w, a, b);
    case FILTER_MATCHES:
        return matches(w, f, a, b);
    case FILTER_IN:
    case FILTER_NOT_IN:
        return (b && b->kind == NODE_LIST && is_member(w, a, b)) == (f->kind == FILTER_IN);
    case FILTER_SIZE:
    case FILTER_EMPTY:
        return has_size(a, b, f->kind == FILTER_EMPTY);
    case FILTER_CONTAINS:
        return contains(w, a, b);
    case FILTER_LT:
    case FILTER_LE:
    case FILTER_GT:
    case FILTER_GE:
        break;
    }
    return is_ordered(a, b, f->kind);
}

static struct json_node *element_at(const struct json_node *list, int64_t at)
{
    if (at < 0)
        at += list->count;
    if (at < 0 || at >= list->count)
        return NULL;
    struct json_node *n = list->first;
    for (; at > 0 && n; at--)
        n = n->next;
    return n;
}

/* What a step can't be done on ends the search, or only this way. */
static void leads_nowhere(struct walk *w, const struct step *s)
{
    w->out->missing |= s->sure;
}
static void step_names(struct walk *w, const struct step *s, struct json_node *n)
{
    struct json_node *merged = s->count > 1 && !s->next ? json_node_new(w->arena, NODE_OBJECT) : NULL;
    if (n->kind != NODE_OBJECT) {
        leads_nowhere(w, s);
        return;
    }
    for (int i = 0; i < s->count; i++) {
        struct json_node *child = json_node_get(n, s->names[i]->bytes, s->names[i]->len);
        if (child && merged) {
            struct json_node *copy = json_node_new(w->arena, child->kind);
            *copy = *child;
            json_node_add(merged, copy);
        } else if (child) {
            walk(w, s->next, child);
        } else if (s->next && s->count == 1) {
            leads_nowhere(w, s);
        }
    }
    if (merged)
        found(w, merged);
}
static void step_elements(struct walk *w, const struct step *s, struct json_node *n)
{
    int64_t count = n->count, from = s->has_from ? s->from : 0,
            to = s->has_to && s->to < count ? s->to : count;
    if (n->kind != NODE_LIST) {
        leads_nowhere(w, s);
        return;
    }
    if (s->kind == STEP_SLICE && !s->has_to && from < 0)
        from = from + count < 0 ? 0 : from + count;
    if (s->kind == STEP_SLICE && !s->has_from && to < 0)
        to += count;
    if (s->kind == STEP_INDEXES)
        to = s->count;
    if (from < -count)
        from = -count;                    /* what is further left is none */
    for (int64_t i = from; i < to; i++) { /* with both bounds a slice may begin below 0: at the end */
        struct json_node *child = element_at(n, s->kind == STEP_INDEXES ? s->indexes[i] : i);
        if (child)
            walk(w, s->next, child);
    }
}
static double aggregate(enum path_function function, const struct json_node *list, size_t *count)
{
    double sum = 0, squares = 0, min = 0, max = 0;
    *count = 0;
    for (const struct json_node *n = list->first; n; n = n->next) {
        if (n->kind != NODE_NUMBER)
            continue;
        double d = value_to_double(n->v);
        min = *count && min < d ? min : d;
        max = *count && max > d ? max : d;
        sum += d;
        squares += d * d;
        ++*count;
    }
    double n = (double)*count;
    return function == FUNCTION_MIN   ? min
           : function == FUNCTION_MAX ? max
           : function == FUNCTION_SUM ? sum
           : function == FUNCTION_AVG ? sum / n
                                      : sqrt(squares / n - sum * sum / n / n);
}
static void step_function(struct walk *w, const struct step *s, const struct json_node *n)
{
    size_t count = n->count;
    struct json_node *result = json_node_new(w->arena, NODE_NUMBER);
    if (s->function != FUNCTION_LENGTH) {
        double d = n->kind == NODE_LIST ? aggregate(s->function, n, &count) : 0;
        if (n->kind != NODE_LIST || count == 0) {
            w->out->wrong = true; /* of no numbers */
            return;
        }
        result->v = value_double(d);
    } else if (n->kind < NODE_LIST) {
        result->kind = NODE_NULL;
    } else {
        result->v = value_int((int32_t)count);
    }
    walk(w, s->next, result);
}
static void step_filter(struct walk *w, const struct step *s, struct json_node *n)
{
    w->out->wrong |= n->kind < NODE_LIST && s->sure;
    if (n->kind == NODE_OBJECT && passes(w, s->filter, n))
        walk(w, s->next, n);
    for (struct json_node *child = n->kind == NODE_LIST ? n->first : NULL; child; child = child->next)
        if (passes(w, s->filter, child))
            walk(w, s->next, child);
}

/* One step at this node, without going deeper. */
static void step_here(struct walk *w, const struct step *s, struct json_node *n)
{
    switch (s->kind) {
    case STEP_NAMES:
        step_names(w, s, n);
        return;
    case STEP_INDEXES:
    case STEP_SLICE:
        step_elements(w, s, n);
        return;
    case STEP_ALL:
        for (struct json_node *child = n->first; child; child = child->next)
            walk(w, s->next, child);
        return;
    case STEP_FILTER:
        step_filter(w, s, n);
        return;
    case STEP_FUNCTION:
        step_function(w, s, n);
        return;
    }
}
/* Behind '..' a step that others follow does not choose among a list's elements, and a filter asks the list. */
static void step_deep(struct walk *w, const struct step *s, struct json_node *n)
{
    bool asks_list = n->kind == NODE_LIST && s->kind == STEP_FILTER;
    if (n->kind == NODE_LIST && s->next && (s->kind == STEP_INDEXES || s->kind == STEP_SLICE || asks_list)) {
        for (struct json_node *child = n->first; child && (!asks_list || passes(w, s->filter, n));
             child = child->next)
            walk(w, s->next, child);
    } else if (n->kind >= NODE_LIST && (!asks_list || passes(w, s->filter, n))) {
        step_here(w, s, n);
    }
    for (struct json_node *child = n->first; child; child = child->next)
        step_deep(w, s, child);
}
static void walk(struct walk *w, const struct step *s, struct json_node *n)
{
    if (w->out->missing || w->out->wrong)
        return;
    if (!s)
        found(w, n);
    else if (s->deep)
        step_deep(w, s, n);
    else
        step_here(w, s, n);
}

void json_path_find(struct arena *a, const struct json_path *p, struct json_node *root,
                    struct json_found *out)
{
    struct walk w = {a, root, out};
    *out = (struct json_found){NULL, 0, 0, false, false};
    walk(&w, p->first, root);
    out->missing |= p->definite && !out->count;
}
