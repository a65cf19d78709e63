/* case_compare.c - what came out against what was expected, by the rules of tests/cases/README.md.
 *
 * got's numbers carry the type of the value they were made from, so it is got that decides how exact the
 * comparison is: int and long exactly, float to a relative 1e-6, double to 1e-9; in results all numbers with
 * a fraction to 1e-6. */
#include "agent/case.h"
#include "engine/base/num.h"
#include <math.h>
#include <string.h>

struct comparison {
    struct arena *arena;
    bool is_result; /* inside "results" */
    const char *words;
};

static const char *shown(struct arena *a, const struct jnode *n)
{
    enum { SHOWN_BYTES = 300 };
    if (!n)
        return "nothing";
    struct buf b;
    buf_init(&b, SIZE_MAX);
    jnode_print(n, &b);
    const char *text = arena_printf(a, "%.*s%s", (int)(b.len > SHOWN_BYTES ? SHOWN_BYTES : b.len),
                                    b.bytes ? b.bytes : "", b.len > SHOWN_BYTES ? " ..." : "");
    buf_fini(&b);
    return text;
}

static bool differ(struct comparison *c, const char *path, const struct jnode *expect,
                   const struct jnode *got)
{
    if (!c->words)
        c->words = arena_printf(c->arena, "%s: expected %s, got %s", path, shown(c->arena, expect),
                                shown(c->arena, got));
    return false;
}

static bool same_number(const struct comparison *c, const struct jnode *expect, const struct jnode *got)
{
    int64_t a, b;
    double x, y;
    if (num_parse_long(expect->text, expect->len, &a) && num_parse_long(got->text, got->len, &b))
        return a == b;
    if (!num_parse_double(expect->text, expect->len, &x) || !num_parse_double(got->text, got->len, &y))
        return false;
    if (got->type == TYPE_INT || got->type == TYPE_LONG)
        return x == y;
    double tolerance = got->type == TYPE_FLOAT || c->is_result ? 1e-6 : 1e-9;
    return x == y || fabs(x - y) <= tolerance * fmax(fabs(x), fabs(y));
}

static bool same(const struct comparison *c, const struct jnode *expect, const struct jnode *got);

/* As multisets: each of expect's finds one of got's that no other took. */
static bool same_in_any_order(const struct comparison *c, const struct jnode *expect, const struct jnode *got)
{
    if (expect->count != got->count)
        return false;
    bool *taken = arena_array(c->arena, got->count, sizeof *taken);
    for (const struct jnode *e = expect->first; e; e = e->next) {
        uint32_t i = 0;
        const struct jnode *g = got->first;
        while (g && (taken[i] || !same(c, e, g))) {
            g = g->next;
            i++;
        }
        if (!g)
            return false;
        taken[i] = true;
    }
    return true;
}

static bool is_set(const struct jnode *n)
{
    return n->kind == JNODE_OBJECT && n->count == 1 && n->first->kind == JNODE_ARRAY && jnode_get(n, "set");
}

static bool same(const struct comparison *c, const struct jnode *expect, const struct jnode *got)
{
    if (expect->kind != got->kind)
        return false;
    switch (expect->kind) {
    case JNODE_NULL:
        return true;
    case JNODE_BOOL:
        return expect->flag == got->flag;
    case JNODE_NUMBER:
        return same_number(c, expect, got);
    case JNODE_STRING:
        return expect->len == got->len && memcmp(expect->text, got->text, got->len) == 0;
    case JNODE_ARRAY: {
        if (expect->count != got->count)
            return false;
        const struct jnode *g = got->first;
        for (const struct jnode *e = expect->first; e; e = e->next, g = g->next)
            if (!same(c, e, g))
                return false;
        return true;
    }
    case JNODE_OBJECT:
        if (is_set(expect) && is_set(got))
            return same_in_any_order(c, expect->first, got->first);
        if (expect->count != got->count)
            return false;
        for (const struct jnode *e = expect->first; e; e = e->next) {
            const struct jnode *g = jnode_get_len(got, e->key, e->key_len);
            if (!g || !same(c, e, g))
                return false;
        }
        return true;
    }
    return false;
}

/* Lists of events, callbacks or messages: the first that differs is named by its place. */
static bool same_list(struct comparison *c, const char *path, const struct jnode *expect,
                      const struct jnode *got)
{
    static const struct jnode empty = {.kind = JNODE_ARRAY};
    const struct jnode *g = got ? got->first : NULL, *e = (expect ? expect : &empty)->first;
    for (uint32_t i = 0; e || g; i++) {
        if (!e || !g || !same(c, e, g))
            return differ(c, arena_printf(c->arena, "%s[%u]", path, i), e, g);
        e = e->next;
        g = g->next;
    }
    return true;
}

/* A member each of streams, queries or published. What is not expected must be empty, or hold only what the
 * steps sent. */
static bool same_lists(struct comparison *c, const char *what, const struct jnode *expect,
                       const struct jnode *got)
{
    for (const struct jnode *e = expect ? expect->first : NULL; e; e = e->next) {
        const struct jnode *g = jnode_get_len(got, e->key, e->key_len);
        const char *path = arena_printf(c->arena, "%s.%.*s", what, (int)e->key_len, e->key);
        if (!same_list(c, path, e, g))
            return false;
    }
    for (const struct jnode *g = got ? got->first : NULL; g; g = g->next)
        if (g->count && !g->flag && !jnode_get_len(expect, g->key, g->key_len))
            return differ(c, arena_printf(c->arena, "%s.%.*s", what, (int)g->key_len, g->key), NULL, g);
    return true;
}

static bool same_types(struct comparison *c, const struct jnode *expect, const struct jnode *got)
{
    if (!expect)
        return true;
    for (const struct jnode *e = expect->first; e; e = e->next) {
        const struct jnode *g = jnode_get_len(got, e->key, e->key_len);
        if (!g || !same(c, e, g))
            return differ(c, arena_printf(c->arena, "types.%.*s", (int)e->key_len, e->key), e, g);
    }
    for (const struct jnode *g = got ? got->first : NULL; g; g = g->next)
        if (!jnode_get_len(expect, g->key, g->key_len))
            return differ(c, arena_printf(c->arena, "types.%.*s", (int)g->key_len, g->key), NULL, g);
    return true;
}

static bool is_empty(const struct jnode *n)
{
    return n->kind == JNODE_NULL || (n->kind == JNODE_ARRAY && n->count == 0);
}

/* got's lists of rows have their flag set when ordered: only the engine knows whether a query has an order
 * by. */
static bool same_results(struct comparison *c, const struct jnode *expect, const struct jnode *got)
{
    const struct jnode *g = got ? got->first : NULL, *e = expect ? expect->first : NULL;
    c->is_result = true;
    for (uint32_t i = 0; e || g; i++) {
        bool any_order = g && e && e->kind == JNODE_ARRAY && g->kind == JNODE_ARRAY && !g->flag;
        bool good = e && g &&
                    (is_empty(e) ? is_empty(g)
                     : any_order ? same_in_any_order(c, e, g)
                                 : same(c, e, g));
        if (!good)
            return differ(c, arena_printf(c->arena, "results[%u]", i), e, g);
        e = e->next;
        g = g->next;
    }
    c->is_result = false;
    return true;
}

const char *case_compare(struct arena *a, const struct jnode *expect, const struct jnode *got)
{
    struct comparison c = {.arena = a};
    bool refuse = jnode_is_true(jnode_get(expect, "error")), refused = jnode_is_true(jnode_get(got, "error"));
    if (refuse != refused)
        return refuse ? "the app must be refused, and was accepted" : "the app was refused";
    if (!refuse && same_types(&c, jnode_get(expect, "types"), jnode_get(got, "types")) &&
        same_lists(&c, "streams", jnode_get(expect, "streams"), jnode_get(got, "streams")) &&
        same_lists(&c, "queries", jnode_get(expect, "queries"), jnode_get(got, "queries")) &&
        same_results(&c, jnode_get(expect, "results"), jnode_get(got, "results")))
        same_lists(&c, "published", jnode_get(expect, "published"), jnode_get(got, "published"));
    return c.words;
}
