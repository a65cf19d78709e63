/* map_path.c - JSONPath over text.
 *
 * The walk holds, for the value it is at, the paths that lead here and the step each is at (struct place). Of
 * an object's or array's parts it enters those where some path goes on; the others are skipped. */
#include "ports/map_path.h"
#include "engine/base/err.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 64 };

/* ---- compile ---- */

struct reader {
    struct arena *arena;
    const char *at;
    const char *wrong;
    bool unbuilt;
};

static struct json_step *fail(struct reader *r, const char *words, bool unbuilt)
{
    r->wrong = words;
    r->unbuilt = unbuilt;
    return NULL;
}

static struct json_step *new_step(struct reader *r, int kind)
{
    struct json_step *s = arena_alloc(r->arena, sizeof(*s));
    s->kind = (unsigned)kind;
    return s;
}

static struct json_step *name_step(struct reader *r, const char *name, size_t len)
{
    struct json_step *s = new_step(r, JSON_STEP_NAME);
    s->name = arena_strndup(r->arena, name, len);
    s->len = len;
    return s;
}

static void skip_blanks(struct reader *r)
{
    while (*r->at == ' ')
        r->at++;
}

/* 'name' with \ before what is meant as it stands */
static struct json_step *read_quoted(struct reader *r)
{
    char quote = *r->at++;
    char *name = arena_raw(r->arena, strlen(r->at) + 1);
    size_t len = 0;
    while (*r->at && *r->at != quote) {
        if (*r->at == '\\' && r->at[1])
            r->at++;
        name[len++] = *r->at++;
    }
    if (!*r->at)
        return fail(r, "a quoted name doesn't end", false);
    r->at++;
    return name_step(r, name, len);
}

static bool read_long(struct reader *r, long *out)
{
    char *end;
    const char *digits = r->at + (*r->at == '-');
    if (*digits < '0' || *digits > '9')
        return false;
    *out = strtol(r->at, &end, 10);
    r->at = end;
    return true;
}

/* int | [int] ':' [int] */
static struct json_step *read_index(struct reader *r)
{
    struct json_step *s = new_step(r, JSON_STEP_INDEX);
    bool has_from = read_long(r, &s->from);
    skip_blanks(r);
    if (*r->at != ':')
        return has_from ? s : fail(r, "a name in quotes, a number or * was expected in [ ]", false);
    r->at++;
    skip_blanks(r);
    s->kind = JSON_STEP_SLICE;
    if (!has_from)
        s->from = LONG_MIN;
    if (!read_long(r, &s->to))
        s->to = LONG_MAX;
    return s;
}

/* '[' part {',' part} ']' */
static struct json_step *read_bracket(struct reader *r)
{
    struct json_step *first = NULL, **next = &first;
    do {
        r->at++;
        skip_blanks(r);
        struct json_step *s;
        if (*r->at == '?' || *r->at == '(')
            s = fail(r, "filters are not built", true);
        else if (*r->at == '*') {
            r->at++;
            s = new_step(r, JSON_STEP_ALL);
        } else if (*r->at == '\'' || *r->at == '"')
            s = read_quoted(r);
        else
            s = read_index(r);
        if (!s)
            return NULL;
        *next = s;
        next = &s->other;
        skip_blanks(r);
    } while (*r->at == ',');
    if (*r->at != ']')
        return fail(r, "']' was expected", false);
    r->at++;
    return first;
}

/* name | '*', behind a point or at the front */
static struct json_step *read_name(struct reader *r)
{
    if (*r->at == '*') {
        r->at++;
        return new_step(r, JSON_STEP_ALL);
    }
    size_t len = strcspn(r->at, ".[]()'\"");
    if (r->at[len] == '(')
        return fail(r, "functions are not built", true);
    if (len == 0)
        return fail(r, "a name was expected", false);
    struct json_step *s = name_step(r, r->at, len);
    r->at += len;
    return s;
}

struct map_path *map_path_compile(struct arena *a, const char *text, const char **wrong, bool *unbuilt)
{
    struct reader r = {.arena = a, .at = text};
    struct map_path *p = arena_alloc(a, sizeof(*p));
    p->steps = arena_array(a, STEPS_MAX, sizeof(struct json_step *));
    p->is_definite = true;
    skip_blanks(&r);
    bool is_front = true;
    if (*r.at == '$' && (r.at[1] == '.' || r.at[1] == '[' || r.at[1] == '\0')) {
        r.at++;
        is_front = false;
    }
    while (*r.at && !r.wrong) {
        struct json_step *s = NULL;
        if (p->count == STEPS_MAX)
            s = fail(&r, "too many steps", false);
        else if (r.at[0] == '.' && r.at[1] == '.')
            s = fail(&r, "'..' is not built", true);
        else if (*r.at == '[')
            s = read_bracket(&r);
        else if (*r.at == '.') {
            r.at++;
            s = *r.at == '[' ? read_bracket(&r) : read_name(&r);
        } else
            s = is_front ? read_name(&r) : fail(&r, "'.' or '[' was expected", false);
        is_front = false;
        if (!s)
            break;
        p->is_definite &= !s->other && (s->kind == JSON_STEP_NAME || s->kind == JSON_STEP_INDEX);
        p->steps[p->count++] = s;
    }
    *wrong = r.wrong;
    *unbuilt = r.unbuilt;
    return r.wrong ? NULL : p;
}

/* ---- walk ---- */

struct place {
    uint16_t path, step;
};
struct walk {
    const struct map_path *const *paths;
    struct json_scan scan;
    int stride; /* places of one level; those of the next lie behind them */
    json_found_fn found;
    void *user;
};

static bool is_at(const struct json_step *s, long index, long count)
{
    long from = s->from < 0 && s->from != LONG_MIN ? s->from + count : s->from;
    if (s->kind == JSON_STEP_INDEX)
        return index == from;
    long to = s->to < 0 ? s->to + count : s->to;
    return index >= from && index < to;
}

/* Does the step lead into this part? name: of an object; NULL: element index of count. */
static bool leads(const struct json_step *s, const struct json_token *name, long index, long count)
{
    for (; s; s = s->other) {
        switch (s->kind) {
        case JSON_STEP_ALL:
            return true;
        case JSON_STEP_NAME:
            if (name && json_is(name, s->name, s->len))
                return true;
            break;
        case JSON_STEP_INDEX:
        case JSON_STEP_SLICE:
            if (!name && is_at(s, index, count))
                return true;
            break;
        }
    }
    return false;
}

static bool counts_from_end(const struct json_step *s)
{
    for (; s; s = s->other)
        if (s->kind == JSON_STEP_SLICE || (s->kind == JSON_STEP_INDEX && s->from < 0))
            return true;
    return false;
}

/* Elements of the array whose bracket was just read. */
static long count_elements(const struct walk *w)
{
    struct json_scan scan = w->scan;
    struct json_token t;
    bool first = true;
    long count = 0;
    while (json_element(&scan, &first) && json_value(&scan, &t) && json_skip(&scan, &t))
        count++;
    return count;
}

static void walk_value(struct walk *w, struct place *places, int count);

/* The part that begins now, for those of places that lead into it. */
static void walk_part(struct walk *w, struct place *places, int count, const struct json_token *name,
                      long index, long elements)
{
    struct place *inner = places + w->stride;
    int n = 0;
    for (int i = 0; i < count; i++) {
        const struct map_path *p = w->paths[places[i].path];
        if (places[i].step < p->count && leads(p->steps[places[i].step], name, index, elements))
            inner[n++] = (struct place){places[i].path, (uint16_t)(places[i].step + 1)};
    }
    struct json_token t;
    if (n > 0)
        walk_value(w, inner, n);
    else if (json_value(&w->scan, &t))
        json_skip(&w->scan, &t);
}

/* Recursion is bounded by the number of steps. */
static void walk_value(struct walk *w, struct place *places, int count)
{
    struct json_token t, name;
    if (!json_value(&w->scan, &t))
        return;
    bool goes_on = false, from_end = false, first = true;
    for (int i = 0; i < count; i++) {
        const struct map_path *p = w->paths[places[i].path];
        if (places[i].step < p->count) {
            goes_on = true;
            from_end |= counts_from_end(p->steps[places[i].step]);
        }
    }
    if (goes_on && (t.kind == JSON_OBJECT || t.kind == JSON_ARRAY)) {
        if (t.kind == JSON_OBJECT) {
            while (json_member(&w->scan, &first, &name))
                walk_part(w, places, count, &name, 0, 0);
        } else {
            long elements = from_end ? count_elements(w) : 0;
            for (long i = 0; json_element(&w->scan, &first); i++)
                walk_part(w, places, count, NULL, i, elements);
        }
        t.len = (size_t)(w->scan.at - t.bytes);
    } else {
        json_skip(&w->scan, &t);
    }
    for (int i = 0; i < count; i++)
        if (places[i].step == w->paths[places[i].path]->count)
            w->found(w->user, places[i].path, &t);
}

void map_path_find(const struct map_path *const *paths, int count, const struct json_token *from,
                   struct arena *scratch, json_found_fn found, void *user)
{
    struct walk w = {.paths = paths, .stride = count, .found = found, .user = user};
    int levels = 1;
    for (int i = 0; i < count; i++)
        if (paths[i] && paths[i]->count >= levels)
            levels = paths[i]->count + 1;
    struct place *places = arena_raw(scratch, (size_t)count * (size_t)levels * sizeof(*places));
    int n = 0;
    for (int i = 0; i < count; i++)
        if (paths[i])
            places[n++] = (struct place){(uint16_t)i, 0};
    json_scan_token(&w.scan, from);
    walk_value(&w, places, n);
}
