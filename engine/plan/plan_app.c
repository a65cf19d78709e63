/* plan_app.c - compile: text to tree to plan (engine.h; spec 01 section 2). Definitions first, by kind; then
 * queries in text order. */
#include "engine/base/limits.h"
#include "engine/base/num.h"
#include "engine/lang/parse.h"
#include "engine/plan/plan.h"
#include <inttypes.h>
#include <strings.h>

enum { PLAN_BLOCK = 16 * 1024 };

/* ---- annotations ---- */

static void annotations_once(struct planner *p, const struct ast_annotation *list, const char *name)
{
    bool seen = false;
    for (const struct ast_annotation *a = list; a; a = a->next) {
        if (strcasecmp(a->name.text, name) != 0)
            continue;
        if (seen)
            diag_error(p->diags, a->span, "@%s is given twice", name);
        seen = true;
    }
}

static void elements_once(struct planner *p, const struct ast_annotation *a)
{
    for (const struct ast_element *e = a->elements; e; e = e->next) {
        for (const struct ast_element *f = a->elements; f != e && e->key.text; f = f->next) {
            if (f->key.text && strcasecmp(f->key.text, e->key.text) == 0) {
                diag_error(p->diags, e->key.span, "'%s' is given twice in @%s", e->key.text, a->name.text);
                break;
            }
        }
    }
}

static int64_t element_time(struct planner *p, const struct ast_element *e)
{
    int64_t ms = parse_time(e->value);
    if (ms < 0) {
        diag_error(p->diags, e->span, "'%s' is not a time", e->value);
        diag_hint(p->diags, "write a number and a unit: '1 sec', '500 millisecond'");
    }
    return ms;
}

static void plan_playback(struct planner *p, const struct ast_annotation *a)
{
    const struct ast_element *idle = ast_find_element(a, "idle.time"),
                             *increment = ast_find_element(a, "increment");
    p->plan->playback = true;
    for (const struct ast_element *e = a->elements; e; e = e->next) {
        if (e != idle && e != increment)
            diag_error(p->diags, e->span, "@app:playback takes 'idle.time' and 'increment' only");
    }
    if (!idle != !increment) {
        diag_error(p->diags, a->span, "@app:playback needs both 'idle.time' and 'increment', or neither");
        return;
    }
    if (idle) {
        p->plan->idle_ms = element_time(p, idle);
        p->plan->increment_ms = element_time(p, increment);
        if (p->plan->idle_ms == 0)
            p->plan->idle_ms = 1; /* the language's heart beats without a pause then */
    }
}

/* Accepted as everywhere (spec 10 section 5). */
static void plan_statistics(struct planner *p, const struct ast_annotation *a)
{
    const struct ast_element *said = ast_find_element(a, "enable");
    for (const struct ast_element *e = a->elements; e && !said; e = e->next)
        said = e->key.text ? NULL : e;
    if (said && strcasecmp(said->value, "false") == 0)
        return;
    diag_warn(p->diags, a->span, "@app:statistics has no effect here: nothing is reported");
    diag_hint(p->diags, "`weir status` tells what the app holds and does");
}

static void plan_app_annotations(struct planner *p)
{
    const struct ast_annotation *list = p->plan->ast->annotations;
    annotations_once(p, list, "name");
    annotations_once(p, list, "playback");
    annotations_once(p, list, "statistics");
    annotations_once(p, list, "limits");
    for (const struct ast_annotation *a = list; a; a = a->next) {
        if (strcasecmp(a->name.text, "name") == 0 && a->elements)
            p->plan->name = a->elements->value;
        if (strcasecmp(a->name.text, "async") == 0) {
            diag_error(p->diags, a->span, "@app:async is not supported");
            diag_hint(p->diags, "put @async before a stream's definition");
        }
        if (strcasecmp(a->name.text, "playback") == 0)
            plan_playback(p, a);
        if (strcasecmp(a->name.text, "statistics") == 0)
            plan_statistics(p, a);
        if (strcasecmp(a->name.text, "limits") == 0)
            plan_read_limits(p, a);
    }
}

/* ---- definitions ---- */

static const struct schema *definition_schema(struct planner *p, const struct ast_definition *def)
{
    uint32_t count = 0;
    for (const struct ast_attribute *a = def->attributes; a; a = a->next)
        count++;
    if (count > LIMIT_ATTRIBUTES) {
        diag_error(p->diags, def->span, "'%s' has %u attributes; at most %d are possible", def->id.text,
                   count, LIMIT_ATTRIBUTES);
        return NULL;
    }
    struct schema *s = schema_new(p->arena, def->id.text, count);
    uint32_t at = 0;
    for (const struct ast_attribute *a = def->attributes; a; a = a->next, at++) {
        for (uint32_t i = 0; i < at; i++) {
            if (strcmp(s->attributes[i].name, a->name.text) == 0)
                diag_error(p->diags, a->name.span, "'%s' has two attributes named '%s'", def->id.text,
                           a->name.text);
        }
        s->attributes[at].name = a->name.text;
        s->attributes[at].type = a->type;
    }
    return s;
}

static bool annotations_same(const struct ast_annotation *a, const struct ast_annotation *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (strcasecmp(a->name.text, b->name.text) != 0 || !annotations_same(a->nested, b->nested))
            return false;
        const struct ast_element *x = a->elements, *y = b->elements;
        for (; x && y; x = x->next, y = y->next) {
            if (!x->key.text != !y->key.text || (x->key.text && strcasecmp(x->key.text, y->key.text) != 0) ||
                strcmp(x->value, y->value) != 0)
                return false;
        }
        if (x || y)
            return false;
    }
    return !a && !b;
}

/* Is the id taken? Reports it, unless it is the same thing said again (spec 01 section 2). *same tells
 * that. */
static bool id_taken(struct planner *p, const struct ast_definition *def, const struct schema *schema,
                     bool *same)
{
    const struct plan_element *e = plan_element_find(p, 0, def->id.text);
    *same = false;
    if (!e)
        return false;
    const struct ast_definition *other = e->definition;
    bool stream_or_table =
        other && other->kind == def->kind && (def->kind == DEFINE_STREAM || def->kind == DEFINE_TABLE);
    if (stream_or_table && schema_same(e->schema, schema) &&
        annotations_same(other->annotations, def->annotations)) {
        *same = true;
        return true;
    }
    bool stream_and_trigger = other && ((other->kind == DEFINE_STREAM && def->kind == DEFINE_TRIGGER) ||
                                        (other->kind == DEFINE_TRIGGER && def->kind == DEFINE_STREAM));
    if (stream_and_trigger && schema_same(e->schema, schema)) {
        *same = true;
        if (!annotations_same(other->annotations, def->annotations)) {
            diag_error(p->diags, def->id.span,
                       "the stream '%s' has an annotation, so a trigger cannot feed it", def->id.text);
            diag_hint(p->diags, "put the annotations on a stream of its own, and fill that by a query");
        }
        return true;
    }
    diag_error(p->diags, def->id.span, "'%s' is defined twice", def->id.text);
    return true;
}

static void plan_on_error(struct planner *p, struct plan_element *e, const struct ast_annotation *a)
{
    const struct ast_element *action = ast_find_element(a, "action");
    if (!action) {
        diag_error(p->diags, a->span, "@OnError needs an action");
        diag_hint(p->diags, "@OnError(action='log'), 'stream' or 'store'");
        return;
    }
    if (strcasecmp(action->value, "log") == 0) {
        e->on_error = ON_ERROR_LOG;
    } else if (strcasecmp(action->value, "store") == 0) {
        e->on_error = ON_ERROR_STORE;
    } else if (strcasecmp(action->value, "stream") == 0) {
        e->on_error = ON_ERROR_STREAM;
        const char *id = arena_printf(p->arena, "!%s", e->schema->id);
        struct schema *s = schema_new(p->arena, id, e->schema->count + 1);
        memcpy(s->attributes, e->schema->attributes, e->schema->count * sizeof(*s->attributes));
        s->attributes[e->schema->count].name = "_error";
        s->attributes[e->schema->count].type = TYPE_OBJECT;
        e->fault = plan_element_add(p, ELEMENT_STREAM, id, s, NULL)->number;
    } else {
        diag_error(p->diags, action->span, "@OnError has no action '%s'", action->value);
        diag_hint(p->diags, "log, stream or store");
    }
}

static void plan_async(struct planner *p, const struct ast_annotation *a)
{
    static const char *const keys[] = {"workers", "batch.size.max"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct ast_element *e = ast_find_element(a, keys[i]);
        if (!e)
            continue;
        int64_t n;
        if (!num_parse_long(e->value, strlen(e->value), &n) || n <= 0)
            diag_error(p->diags, e->span, "'%s' of @async is a whole number above 0", keys[i]);
    }
    diag_warn(p->diags, a->span, "@async has no effect here: each event is worked off at once, in order");
    const struct ast_element *size = ast_find_element(a, "buffer.size");
    int64_t n;
    if (!size)
        return;
    if (!num_parse_long(size->value, strlen(size->value), &n) || n > INT32_MAX || n < INT32_MIN) {
        diag_error(p->diags, size->span, "'buffer.size' of @async is a whole number");
    } else if (n < 1 || (n & (n - 1))) {
        p->plan->start_error = arena_printf(
            p->arena, "'buffer.size' of @async is a power of two, not %s: 64, 1024", size->value);
        diag_warn(p->diags, size->span, "%s", p->plan->start_error);
        diag_hint(p->diags, "the app can't be started");
    }
}

static void plan_define_stream(struct planner *p, const struct ast_definition *def)
{
    const struct schema *schema = definition_schema(p, def);
    bool same;
    if (!schema || id_taken(p, def, schema, &same))
        return;
    struct plan_element *e = plan_element_add(p, ELEMENT_STREAM, def->id.text, schema, def);
    annotations_once(p, def->annotations, "OnError");
    annotations_once(p, def->annotations, "async");
    for (const struct ast_annotation *a = def->annotations; a; a = a->next) {
        elements_once(p, a);
        if (strcasecmp(a->name.text, "OnError") == 0)
            plan_on_error(p, e, a);
        if (strcasecmp(a->name.text, "async") == 0)
            plan_async(p, a);
    }
}

struct plan_element *plan_define(struct planner *p, const struct ast_definition *def, enum element_kind kind)
{
    const struct schema *schema = definition_schema(p, def);
    bool same;
    if (!schema || id_taken(p, def, schema, &same))
        return NULL;
    return plan_element_add(p, kind, def->id.text, schema, def);
}

static void plan_definitions(struct planner *p)
{
    static const enum ast_definition_kind order[] = {DEFINE_STREAM,  DEFINE_TABLE,  DEFINE_FUNCTION,
                                                     DEFINE_TRIGGER, DEFINE_WINDOW, DEFINE_AGGREGATION};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        for (const struct ast_definition *def = p->plan->ast->definitions; def; def = def->next) {
            if (def->kind != order[i])
                continue;
            switch (def->kind) {
            case DEFINE_STREAM:
                plan_define_stream(p, def);
                break;
            case DEFINE_TABLE:
                plan_define_table(p, def);
                break;
            case DEFINE_FUNCTION:
                plan_define_function(p, def);
                break;
            case DEFINE_TRIGGER:
                plan_define_trigger(p, def);
                break;
            case DEFINE_WINDOW:
                plan_define_window(p, def);
                break;
            case DEFINE_AGGREGATION:
                plan_define_aggregation(p, def);
                break;
            }
        }
    }
}

static void plan_items(struct planner *p)
{
    struct plan_item **last = &p->plan->items;
    for (const struct ast_item *i = p->plan->ast->items; i; i = i->next) {
        struct plan_item *item = arena_alloc(p->arena, sizeof(*item));
        if (i->query)
            item->query = plan_query(p, i->query);
        else
            item->partition = plan_partition(p, i->partition);
        if (!item->query && !item->partition)
            continue;
        *last = item;
        last = &item->next;
    }
}

/* ---- the door ---- */

static const char *no_variable(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static void compile_text(struct compile *c, struct plan *plan, size_t len)
{
    struct planner p = {.plan = plan, .arena = &plan->arena, .diags = &c->diags};
    plan->ast = parse_app(&c->diags, plan->text, len);
    if (!plan->ast)
        return;
    map_init(&plan->ids);
    plan_app_annotations(&p);
    plan_definitions(&p);
    plan_items(&p);
    if (!p.diags->errors && !p.diags->unsupported)
        plan_warn_bounds(&p);
    map_fini(&plan->ids);
    map_init(&plan->ids);
}

void engine_compile(struct compile *c, const char *text, size_t len, const struct engine_options *options)
{
    *c = (struct compile){0};
    struct plan *plan = mem_alloc(sizeof(*plan));
    arena_init(&c->arena, 4096);
    arena_init(&plan->arena, PLAN_BLOCK);
    const char *(*lookup)(void *, const char *) =
        options && options->variable ? options->variable : no_variable;
    struct substituted with_values;
    struct err e = {0};
    /* The tree and what is reported about it live as long as the plan; diagnostics are kept by the caller. */
    diags_init(&c->diags, &c->arena, text, len);
    if (len > LIMIT_APP_BYTES) {
        diag_error(&c->diags, (struct span){0, 0}, "the app has %zu bytes; at most %d are taken", len,
                   LIMIT_APP_BYTES);
    } else if (parse_substitute(&c->arena, text, len, lookup, options ? options->user : NULL, &with_values,
                                &e) < 0) {
        diags_init(&c->diags, &c->arena, arena_strndup(&c->arena, text, len), len);
        diag_error(&c->diags, with_values.wrong, "%s", e.text);
    } else {
        const char *own = arena_strndup(&c->arena, with_values.text, with_values.len);
        plan->text = arena_strndup(&plan->arena, own, with_values.len);
        diags_init(&c->diags, &c->arena, own, with_values.len);
        struct diags *d = &c->diags;
        if (with_values.swap_count) {
            d->source = arena_strndup(&c->arena, text, len);
            d->source_len = len;
            d->swaps = with_values.swaps;
            d->swap_count = with_values.swap_count;
        }
        d->arena = &plan->arena; /* parse_app puts the tree where its diagnostics' arena is */
        compile_text(c, plan, with_values.len);
        /* Messages must outlive a plan that is thrown away. */
        d->arena = &c->arena;
        for (struct diag **at = &d->first; *at; at = &(*at)->next) {
            struct diag *copy = arena_alloc(&c->arena, sizeof(*copy));
            *copy = **at;
            copy->message = arena_strdup(&c->arena, copy->message);
            copy->hint = copy->hint ? arena_strdup(&c->arena, copy->hint) : NULL;
            copy->construct = copy->construct ? arena_strdup(&c->arena, copy->construct) : NULL;
            *at = copy;
            d->last = copy;
        }
    }
    if (c->diags.errors || c->diags.unsupported || !plan->ast)
        plan_free(plan);
    else
        c->plan = plan;
}

void compile_fini(struct compile *c)
{
    if (c->plan)
        plan_free(c->plan);
    arena_fini(&c->arena);
    c->plan = NULL;
}

void plan_free(struct plan *p)
{
    map_fini(&p->ids);
    arena_fini(&p->arena);
    mem_free(p);
}

const char *plan_name(const struct plan *p)
{
    return p->name;
}

bool plan_is_playback(const struct plan *p)
{
    return p->playback;
}

const struct ast_app *plan_ast(const struct plan *p)
{
    return p->ast;
}

struct arena *plan_arena(struct plan *p)
{
    return &p->arena;
}

uint32_t plan_stream_count(const struct plan *p)
{
    return (uint32_t)p->stream_count;
}

const struct schema *plan_stream(const struct plan *p, uint32_t stream)
{
    return p->streams[stream]->schema;
}

const struct ast_definition *plan_stream_definition(const struct plan *p, uint32_t stream)
{
    return p->streams[stream]->definition;
}

int plan_find_stream(const struct plan *p, const char *id)
{
    for (int i = 0; i < p->stream_count; i++) {
        if (!p->streams[i]->is_inner && strcmp(p->streams[i]->schema->id, id) == 0)
            return i;
    }
    return -1;
}

bool plan_stores_errors(const struct plan *p)
{
    for (int i = 0; i < p->stream_count; i++)
        if (p->streams[i]->on_error == ON_ERROR_STORE)
            return true;
    return false;
}
