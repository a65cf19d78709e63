/* judge.c - see judge.h. */
#include "engine/window/judge.h"
#include "engine/lang/parse.h"

enum { SLOT_CURRENT, SLOT_FIRST, SLOT_LAST, SLOT_COUNT };
enum { ARENA_BLOCK = 4096 };

/* An unqualified name is an attribute of the current event, though first and last have it too. */
static struct expr *resolve(struct expr_ctx *c, const struct ast_expr *ref, bool *reported)
{
    const struct schema *in = c->scope->sources[SLOT_CURRENT].schema;
    *reported = false;
    if (ref->kind != AST_ATTR || ref->source.text || ref->mark)
        return NULL;
    int at = schema_find(in, ref->name.text);
    return at < 0 ? NULL : expr_attr(c->arena, SLOT_CURRENT, (uint16_t)at, in);
}

/* All in diags->arena; NULL after reporting to diags. */
static struct expr *compile(struct diags *diags, struct scope *scope, const char *text, size_t len,
                            struct agg_layout *aggs)
{
    struct ast_expr *ast = parse_expression(diags, text, len);
    if (!ast)
        return NULL;
    struct expr_ctx c = {.arena = diags->arena, .diags = diags, .scope = scope, .aggs = aggs};
    return expr_compile_bool(&c, ast, "window expression");
}

static void plan_scope(struct window_ctx *c, struct judge_plan *p)
{
    struct scope_source *sources = arena_array(c->arena, SLOT_COUNT, sizeof *sources);
    sources[SLOT_CURRENT] =
        (struct scope_source){.id = c->source_id, .alias = c->alias, .schema = c->in, .slot = SLOT_CURRENT};
    sources[SLOT_FIRST] = (struct scope_source){.id = "first", .schema = c->in, .slot = SLOT_FIRST};
    sources[SLOT_LAST] = (struct scope_source){.id = "last", .schema = c->in, .slot = SLOT_LAST};
    p->scope = arena_alloc(c->arena, sizeof *p->scope);
    *p->scope = (struct scope){.sources = sources, .count = SLOT_COUNT, .resolve = resolve};
}

/* What is wrong inside the text is shown at its place in the app. */
static void report(struct window_ctx *c, const struct ast_expr *literal, size_t len,
                   const struct diags *inner)
{
    size_t quotes = literal->span.len >= len ? (literal->span.len - len) / 2 : 0;
    for (const struct diag *d = inner->first; d; d = d->next) {
        struct span span = literal->span;
        if (quotes)
            span = (struct span){literal->span.at + (uint32_t)quotes + d->span.at, d->span.len};
        if (d->kind == DIAG_WARNING)
            diag_warn(c->diags, span, "%s", d->message);
        else if (d->kind == DIAG_UNSUPPORTED)
            diag_unsupported(c->diags, span, d->construct);
        else
            diag_error(c->diags, span, "%s", d->message);
        if (d->hint)
            diag_hint(c->diags, "%s", d->hint);
    }
}

bool judge_plan(struct window_ctx *c, const struct ast_expr *call, int n, struct judge_plan *p)
{
    const struct ast_expr *a = window_arg(call, n);
    plan_scope(c, p);
    if (!window_arg_is(call, n, TYPE_STRING)) {
        if (!a || a->kind != AST_ATTR)
            return window_arg_wrong(c, call, n, "must be a constant string or a string attribute");
        return window_arg_attr(c, call, n, TYPE_STRING, &p->attribute);
    }
    struct diags inner;
    size_t len = a->literal.as.s->len;
    p->text = arena_strndup(c->arena, a->literal.as.s->bytes, len);
    p->aggs = arena_alloc(c->arena, sizeof *p->aggs);
    p->aggs->removable = true;
    diags_init(&inner, c->arena, p->text, len);
    p->expr = compile(&inner, p->scope, p->text, len, p->aggs);
    report(c, a, len, &inner);
    return p->expr != NULL;
}

void judge_open(struct judge *j, struct op *op, const struct judge_plan *p)
{
    struct judge_shared *s = op_shared(op);
    j->plan = p;
    if (!p->expr)
        return;
    if (s->users++ == 0)
        s->block = agg_block_new(p->aggs);
    j->expr = p->expr;
    j->aggs = p->aggs;
    j->block = s->block;
}

static void forget_text(struct judge *j)
{
    if (!j->arena)
        return;
    agg_block_free(j->aggs, j->block);
    arena_fini(j->arena);
    mem_free(j->arena);
    mem_free(j->text);
    j->arena = NULL;
    j->text = NULL;
    j->expr = NULL;
    j->block = NULL;
    j->aggs = NULL;
}

void judge_close(struct judge *j, struct op *op)
{
    struct judge_shared *s = op_shared(op);
    if (j->plan->expr && --s->users == 0) {
        agg_block_free(j->aggs, s->block);
        s->block = NULL;
    }
    forget_text(j);
}

/* Compiles text for this copy; words gets the reason when it is none. */
static bool learn(struct judge *j, const char *text, size_t len, char *words, size_t size)
{
    struct arena *arena = mem_alloc(sizeof *arena);
    arena_init(arena, ARENA_BLOCK);
    struct diags diags;
    char *own = arena_strndup(arena, text, len);
    struct agg_layout *aggs = arena_alloc(arena, sizeof *aggs);
    aggs->removable = true;
    diags_init(&diags, arena, own, len);
    struct expr *expr = compile(&diags, j->plan->scope, own, len, aggs);
    if (!expr) {
        snprintf(words, size, "%s", diags.first ? diags.first->message : "not understood");
        arena_fini(arena);
        mem_free(arena);
        return false;
    }
    forget_text(j);
    j->arena = arena;
    j->text = mem_strdup(own);
    j->expr = expr;
    j->aggs = aggs;
    j->block = agg_block_new(aggs);
    return true;
}

int judge_read(struct judge *j, struct op *op, const struct row *row)
{
    char words[160];
    if (j->plan->expr)
        return 0;
    struct value v = row_get(row, (size_t)j->plan->attribute);
    if (v.type != TYPE_STRING) {
        expr_fail(op->env, "%s: the expression in '%s' is %s", op->type->name,
                  op->plan->in->attributes[j->plan->attribute].name, is_null(v) ? "null" : "not a string");
        return ERR_EVENT;
    }
    if (j->text && strcmp(j->text, v.as.s->bytes) == 0)
        return 0;
    if (!learn(j, v.as.s->bytes, v.as.s->len, words, sizeof words)) {
        expr_fail(op->env, "%s: '%s': %s", op->type->name, v.as.s->bytes, words);
        return ERR_EVENT;
    }
    return 1;
}

bool judge_says(struct judge *j, struct op *op, struct row *current, struct row *first, struct row *last,
                enum event_kind kind)
{
    struct row *const rows[SLOT_COUNT] = {current, first, last};
    /* eventTimestamp() without an argument is -1 here, as it is for every event that has no single time. */
    struct frame f = {.env = op->env, .rows = rows, .agg = j->block, .at_ms = -1, .kind = kind, .user = op};
    return expr_is_true(j->expr, &f);
}

void judge_feed(struct judge *j, struct op *op, const struct queue *q)
{
    for (uint32_t i = 0; i < q->count && !op->env->failed; i++)
        judge_says(j, op, queue_at(q, i), queue_at(q, 0), queue_at(q, i), EVENT_CURRENT);
}

void judge_reset(struct judge *j)
{
    agg_block_reset(j->aggs, j->block);
}

void judge_save(const struct judge *j, struct writer *w)
{
    write_tag(w, "judge");
    write_u8(w, j->expr != NULL);
    if (!j->expr)
        return;
    if (!j->plan->expr)
        write_bytes(w, j->text, strlen(j->text));
    agg_block_save(j->aggs, j->block, w);
}

int judge_load(struct judge *j, struct op *op, struct reader *r)
{
    (void)op;
    read_tag(r, "judge");
    bool has = read_u8(r) != 0;
    if (r->failed || (!has && j->plan->expr))
        return ERR_STATE;
    if (!has)
        return 0;
    if (!j->plan->expr) {
        char words[160];
        size_t len = 0;
        const char *text = read_bytes(r, &len);
        if (r->failed || !learn(j, text, len, words, sizeof words))
            return ERR_STATE;
    }
    judge_reset(j); /* shared: another copy may have loaded it already, the same */
    return agg_block_load(j->aggs, j->block, r);
}

void judge_save_shared(const struct judge_plan *p, const struct judge_shared *s, struct writer *w)
{
    write_u8(w, s->users > 0);
    if (s->users > 0)
        agg_block_save(p->aggs, s->block, w);
}

int judge_load_shared(const struct judge_plan *p, struct judge_shared *s, struct reader *r)
{
    bool has = read_u8(r) != 0;
    if (r->failed || has != (s->users > 0))
        return ERR_STATE;
    if (!has)
        return 0;
    agg_block_reset(p->aggs, s->block);
    return agg_block_load(p->aggs, s->block, r);
}

void judge_explain(const struct op_plan *plan, const struct judge_plan *p, struct buf *out)
{
    if (p->expr)
        buf_printf(out, "('%s'", p->text);
    else
        buf_printf(out, "(%s", plan->in->attributes[p->attribute].name);
}
