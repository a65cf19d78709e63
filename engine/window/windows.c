/* windows.c - the table of windows, and what they share: parameters, plans, timers. */
#include "engine/window/window.h"

/* A new window: its struct in window.h, a line here, its name below. */
static const struct window_type *const windows[] = {
    &window_length,
    &window_length_batch,
    &window_batch,
    &window_time,
    &window_time_batch,
    &window_time_length,
    &window_external_time,
    &window_external_time_batch,
    &window_session,
    &window_sort,
    &window_cron,
    &window_delay,
    &window_frequent,
    &window_lossy_frequent,
    &window_expression,
    &window_expression_batch,
    &window_unique_ever,
    &window_unique_first,
    &window_unique_length,
    &window_unique_time,
    &window_unique_length_batch,
    &window_unique_first_length_batch,
    &window_unique_time_batch,
    &window_unique_first_time_batch,
    &window_unique_time_length_batch,
    &window_unique_external_time_batch,
    &window_min_by_length,
    &window_max_by_length,
    &window_min_by_time,
    &window_max_by_time,
    &window_min_by_length_batch,
    &window_max_by_length_batch,
    &window_min_by_time_batch,
    &window_max_by_time_batch,
};
/* As they are written behind '#window.'. */
static const char *const names[] = {
    "length",
    "lengthBatch",
    "batch",
    "time",
    "timeBatch",
    "timeLength",
    "externalTime",
    "externalTimeBatch",
    "session",
    "sort",
    "cron",
    "delay",
    "frequent",
    "lossyFrequent",
    "expression",
    "expressionBatch",
    "unique:ever",
    "unique:first",
    "unique:length",
    "unique:time",
    "unique:lengthBatch",
    "unique:firstLengthBatch",
    "unique:timeBatch",
    "unique:firstTimeBatch",
    "unique:timeLengthBatch",
    "unique:externalTimeBatch",
    "extrema:minByLength",
    "extrema:maxByLength",
    "extrema:minbytime",
    "extrema:maxbytime",
    "extrema:minByLengthBatch",
    "extrema:maxByLengthBatch",
    "extrema:minbytimebatch",
    "extrema:maxbytimebatch",
    NULL,
};
_Static_assert(sizeof names / sizeof *names == sizeof windows / sizeof *windows + 1,
               "a name for each window");

const struct window_type *window_find(const char *space, const char *name)
{
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        const struct window_type *w = windows[i];
        bool same_space = space && w->space ? strcmp(space, w->space) == 0 : !space && !w->space;
        if (same_space && strcmp(name, w->name) == 0)
            return w;
    }
    return NULL;
}

const char *const *window_names(void)
{
    return names;
}

const char *window_near(const char *name)
{
    size_t count = 0;
    while (names[count])
        count++;
    return diag_near(name, names, count);
}

/* ---- parameters ---- */

/* "window.length", "window.unique:ever", "#reorder:kslack": the call as its author wrote it. */
static const char *call_name(struct window_ctx *c, const struct ast_expr *call)
{
    if (window_find(call->space.text, call->name.text))
        return arena_printf(c->diags->arena, "window.%s%s%s", call->space.text ? call->space.text : "",
                            call->space.text ? ":" : "", call->name.text);
    return arena_printf(c->diags->arena, "#%s%s%s", call->space.text ? call->space.text : "",
                        call->space.text ? ":" : "", call->name.text);
}

bool window_arg_count(struct window_ctx *c, const struct ast_expr *call, int min, int max)
{
    if (call->arg_count >= min && call->arg_count <= max && !call->star)
        return true;
    const char *name = call_name(c, call);
    if (max == 0)
        diag_error(c->diags, call->span, "%s takes no parameters", name);
    else if (min == max)
        diag_error(c->diags, call->span, "%s takes %d parameter%s, here are %d", name, min,
                   min == 1 ? "" : "s", call->arg_count);
    else if (max == INT32_MAX)
        diag_error(c->diags, call->span, "%s takes at least %d parameter%s, here are %d", name, min,
                   min == 1 ? "" : "s", call->arg_count);
    else
        diag_error(c->diags, call->span, "%s takes %d to %d parameters, here are %d", name, min, max,
                   call->arg_count);
    return false;
}

const struct ast_expr *window_arg(const struct ast_expr *call, int n)
{
    const struct ast_expr *a = call->args;
    for (; a && n > 0; n--)
        a = a->next;
    return a;
}

bool window_arg_wrong(struct window_ctx *c, const struct ast_expr *call, int n, const char *what)
{
    static const char *const counted[] = {"first", "second", "third", "fourth", "fifth", "sixth"};
    const struct ast_expr *a = window_arg(call, n);
    struct span span = a ? a->span : call->span;
    if (n < 6)
        diag_error(c->diags, span, "the %s parameter of %s %s", counted[n], call_name(c, call), what);
    else
        diag_error(c->diags, span, "parameter %d of %s %s", n + 1, call_name(c, call), what);
    return false;
}

bool window_arg_is(const struct ast_expr *call, int n, enum type type)
{
    const struct ast_expr *a = window_arg(call, n);
    return a && a->kind == AST_LITERAL && a->literal.type == type;
}

bool window_arg_int(struct window_ctx *c, const struct ast_expr *call, int n, int32_t *out)
{
    if (!window_arg_is(call, n, TYPE_INT))
        return window_arg_wrong(c, call, n, "must be a constant of type int");
    *out = (int32_t)window_arg(call, n)->literal.as.l;
    return true;
}

bool window_arg_duration(struct window_ctx *c, const struct ast_expr *call, int n, int64_t *out_ms)
{
    if (!window_arg_is(call, n, TYPE_INT) && !window_arg_is(call, n, TYPE_LONG)) {
        window_arg_wrong(c, call, n, "must be a constant time");
        diag_hint(c->diags, "such as 10 sec, or milliseconds as int or long");
        return false;
    }
    *out_ms = window_arg(call, n)->literal.as.l;
    return true;
}

bool window_arg_long(struct window_ctx *c, const struct ast_expr *call, int n, int64_t *out)
{
    if (!window_arg_is(call, n, TYPE_LONG)) {
        window_arg_wrong(c, call, n, "must be a time or a constant of type long");
        diag_hint(c->diags, "such as 10 sec, or milliseconds as long: 10000L");
        return false;
    }
    *out = window_arg(call, n)->literal.as.l;
    return true;
}

bool window_arg_double(struct window_ctx *c, const struct ast_expr *call, int n, double *out)
{
    if (!window_arg_is(call, n, TYPE_DOUBLE))
        return window_arg_wrong(c, call, n, "must be a constant of type double");
    *out = window_arg(call, n)->literal.as.d;
    return true;
}

bool window_arg_bool(struct window_ctx *c, const struct ast_expr *call, int n, bool *out)
{
    if (!window_arg_is(call, n, TYPE_BOOL))
        return window_arg_wrong(c, call, n, "must be true or false");
    *out = window_arg(call, n)->literal.as.l != 0;
    return true;
}

bool window_arg_attr(struct window_ctx *c, const struct ast_expr *call, int n, enum type type, int *out_index)
{
    const struct ast_expr *a = window_arg(call, n);
    if (!a || a->kind != AST_ATTR || a->index_kind != INDEX_NONE) {
        if (type == TYPE_NULL)
            return window_arg_wrong(c, call, n, "must be an attribute");
        return window_arg_wrong(
            c, call, n, arena_printf(c->diags->arena, "must be an attribute of type %s", type_name(type)));
    }
    if (a->source.text) {
        const char *source = c->alias ? c->alias : c->source_id;
        if (!source || strcmp(a->source.text, source) != 0) {
            diag_error(c->diags, a->source.span, "'%s' is not the input of this window", a->source.text);
            if (source)
                diag_hint(c->diags, "%s.%s", source, a->name.text);
            return false;
        }
    }
    int index = schema_find(c->in, a->name.text);
    if (index < 0) {
        diag_error(c->diags, a->name.span, "'%s' has no attribute '%s'", c->in->id, a->name.text);
        const char **all = arena_array(c->diags->arena, c->in->count + 1, sizeof *all);
        for (uint32_t i = 0; i < c->in->count; i++)
            all[i] = c->in->attributes[i].name;
        const char *near = diag_near(a->name.text, all, c->in->count);
        if (near)
            diag_hint(c->diags, "did you mean '%s'?", near);
        return false;
    }
    if (type != TYPE_NULL && c->in->attributes[index].type != type)
        return window_arg_wrong(c, call, n,
                                arena_printf(c->diags->arena, "must be an attribute of type %s; '%s' is %s",
                                             type_name(type), a->name.text,
                                             type_name(c->in->attributes[index].type)));
    *out_index = index;
    return true;
}

struct expr *window_arg_expr(struct window_ctx *c, const struct ast_expr *call, int n)
{
    struct scope_source *source = arena_alloc(c->arena, sizeof *source);
    struct scope *scope = arena_alloc(c->arena, sizeof *scope);
    *source = (struct scope_source){.id = c->source_id, .alias = c->alias, .schema = c->in};
    *scope = (struct scope){.sources = source, .count = 1};
    struct expr_ctx ec = {.arena = c->arena, .diags = c->diags, .scope = scope};
    return expr_compile(&ec, window_arg(call, n));
}

/* ---- for windows ---- */

void *window_plan_new(struct window_ctx *c, const struct ast_expr *call, const struct op_type *type,
                      size_t size)
{
    struct op_plan *p = arena_alloc(c->arena, size);
    p->type = type;
    p->scheduler = -1;
    p->in = p->out = c->in;
    p->span = call->span;
    return p;
}

struct row *window_hold_slow(struct queue *q, const struct event *e)
{
    struct row *row = row_copy(e->row, 0, e->at_ms);
    queue_add(q, row);
    row_unref(row);
    return row;
}

size_t window_text_at(const struct schema *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->attributes[i].type == TYPE_STRING)
            return row_cells_at(s->count) + i * sizeof(union cell);
    }
    return 0;
}

void window_expire_all(struct queue *q, struct batch *out, int64_t at_ms)
{
    uint32_t walked = q->walked;
    for (uint32_t i = 0; q->count; i++) {
        struct row *row = queue_take(q);
        batch_add(out, row, i < walked ? row->at_ms : at_ms, EVENT_EXPIRED);
    }
    q->walked = 0;
}

int window_emit_made(struct op *op, const struct batch *out, int rc)
{
    if (rc == 0)
        rc = op_next(op, out);
    for (uint32_t i = 0; i < out->count; i++)
        row_unref(out->events[i].row);
    return rc;
}

struct batch *chunks_add(struct chunks *c, const struct op *op, uint32_t cap)
{
    struct chunk *k = arena_raw(op->env->scratch, sizeof *k);
    k->next = NULL;
    batch_init(&k->batch, op->env->scratch, cap);
    k->batch.is_batch = true;
    if (c->last)
        c->last->next = k;
    else
        c->first = k;
    c->last = k;
    return &k->batch;
}

int chunks_emit(struct chunks *c, struct op *op)
{
    int rc = 0;
    for (struct chunk *k = c->first; k; k = k->next) {
        if (rc == 0)
            rc = op_next(op, &k->batch);
        for (uint32_t i = 0; i < k->batch.count; i++)
            row_unref(k->batch.events[i].row);
    }
    return rc;
}

int chunks_fail(struct chunks *c)
{
    for (struct chunk *k = c->first; k; k = k->next)
        for (uint32_t i = 0; i < k->batch.count; i++)
            row_unref(k->batch.events[i].row);
    return ERR_EVENT;
}

void chunk_release(struct batch *b, struct queue *q, struct queue *keep)
{
    while (q->count) {
        struct row *row = queue_take(q);
        if (keep)
            queue_add(keep, row);
        batch_add(b, row, row->at_ms, EVENT_CURRENT);
    }
}

bool window_time_fail(struct op *op, struct value v, int index)
{
    expr_fail(op->env, "'%s' is %s, and %s needs a long", op->plan->in->attributes[index].name,
              is_null(v) ? "null" : type_name(v.type), op->type->name);
    return false;
}

/* ---- slices of time ---- */

bool slices_tick(struct slices *s, struct dues *d, struct op *op, int64_t span_ms, const int64_t *start_ms)
{
    int64_t now_ms = op_now(op);
    if (!s->is_set) {
        s->is_set = true;
        s->next_ms = time_add(now_ms, span_ms);
        if (start_ms)
            s->next_ms = time_sub(s->next_ms, time_sub(now_ms, *start_ms) % span_ms);
        dues_request(d, op, s->next_ms);
    }
    if (now_ms < s->next_ms)
        return false;
    s->next_ms = time_add(s->next_ms, span_ms);
    dues_request(d, op, s->next_ms);
    return true;
}

bool slices_wait(const struct slices *s, const struct dues *d)
{
    return s->is_set && dues_are_one(d, s->next_ms);
}

int64_t slices_skip(struct slices *s, struct dues *d, int64_t span_ms, int64_t until_ms)
{
    s->next_ms = moment_before(s->next_ms, span_ms, until_ms);
    dues_move(d, s->next_ms);
    return s->next_ms;
}
