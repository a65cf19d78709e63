/* names.c - names in expressions: which column of which input (spec 03 section 3, 02 section 5).
 *
 * Order: the scope's own resolver (patterns), then with a qualifier the input it names, without one the
 * output (having, order by) and then the inputs, where the name must be unique. An alias hides the id. */
#include "engine/expr/node.h"

struct value eval_attr(const struct expr *e, struct frame *f)
{
    return row_load(f->rows[e->slot], e);
}
static struct value eval_output(const struct expr *e, struct frame *f)
{
    return row_load(f->out, e);
}

struct expr *expr_attr(struct arena *a, uint16_t slot, uint16_t index, const struct schema *schema)
{
    struct expr *e =
        expr_new(a, slot == SLOT_OUTPUT ? eval_output : eval_attr, schema->attributes[index].type);
    e->slot = slot;
    e->index = index;
    e->type_at = (uint32_t)(offsetof(struct row, types) + index);
    e->cell_at = (uint32_t)(row_cells_at(schema->count) + index * sizeof(union cell));
    e->flags = EXPR_PURE;
    e->name = schema->attributes[index].name;
    return e;
}

static const char *qualifier(const struct scope_source *s)
{
    return s->alias ? s->alias : s->id;
}
static bool name_is(const char *id, char mark, const char *text)
{
    if (!id)
        return false;
    return mark ? id[0] == mark && strcmp(id + 1, text) == 0 : strcmp(id, text) == 0;
}

const struct scope_source *source_find(const struct scope *s, char mark, const char *text)
{
    for (int i = 0; s && i < s->count; i++)
        if (name_is(qualifier(&s->sources[i]), mark, text))
            return &s->sources[i];
    return NULL;
}

/* "a, b, c" for a hint. */
static const char *listed(struct arena *a, const struct schema *s)
{
    struct buf names;
    buf_init(&names, 400);
    for (uint32_t i = 0; i < s->count; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", s->attributes[i].name);
    char *text = arena_printf(a, "%s%s", names.bytes ? names.bytes : "", names.overflow ? ", ..." : "");
    buf_fini(&names);
    return text;
}

/* The name nearest to an unknown one, among the columns of all given schemas. */
static const char *near(struct arena *a, const char *name, const struct schema *const *schemas, int count)
{
    size_t total = 0, n = 0;
    for (int i = 0; i < count; i++)
        total += schemas[i]->count;
    const char **names = arena_array(a, total + 1, sizeof(*names));
    for (int i = 0; i < count; i++)
        for (uint32_t k = 0; k < schemas[i]->count; k++)
            names[n++] = schemas[i]->attributes[k].name;
    return diag_near(name, names, n);
}

static void hint_names(struct expr_ctx *c, const char *name, const struct schema *const *schemas, int count)
{
    const char *best = near(c->arena, name, schemas, count);
    if (best)
        diag_hint(c->diags, "did you mean '%s'?", best);
    else if (count == 1 && schemas[0]->count)
        diag_hint(c->diags, "there is: %s", listed(c->arena, schemas[0]));
}

static void report_source(struct expr_ctx *c, const struct ast_expr *ref)
{
    const struct scope *s = c->scope;
    const char *text = ref->source.text;
    if (s->output_only && s->output) {
        diag_error(c->diags, ref->source.span, "having and order by see what select gives, not '%s%s'",
                   (char[]){ref->mark, 0}, text);
        diag_hint(c->diags, "write %s", ref->name.text);
        return;
    }
    diag_error(c->diags, ref->source.span, "'%s%s' is no input of this query", (char[]){ref->mark, 0}, text);
    const char **names = arena_array(c->arena, (size_t)s->count + 1, sizeof(*names));
    for (int i = 0; i < s->count; i++) {
        names[i] = qualifier(&s->sources[i]);
        if (s->sources[i].alias && name_is(s->sources[i].id, ref->mark, text)) {
            diag_hint(c->diags, "it is called '%s' here (as %s)", names[i], names[i]);
            return;
        }
    }
    const char *best = diag_near(text, names, (size_t)s->count);
    if (best)
        diag_hint(c->diags, "did you mean '%s'?", best);
    else if (s->count == 1)
        diag_hint(c->diags, "its input is '%s'", names[0]);
    else if (s->count > 1)
        diag_hint(c->diags, "its inputs are '%s' and '%s'", names[0], names[1]);
}

/* An inner stream joined with itself under an alias: its own name stands for both sides (not so for other
 * streams, nor when the alias is the left side's). */
static bool is_both_sides(const struct scope *s, char mark, const struct scope_source *source)
{
    return mark == '#' && s->count == 2 && !s->resolve && source == &s->sources[0] && !source->alias &&
           s->sources[1].alias && s->sources[1].id && strcmp(source->id, s->sources[1].id) == 0;
}

static struct expr *compile_qualified(struct expr_ctx *c, const struct ast_expr *ref)
{
    const struct scope *s = c->scope;
    bool of_output = s->output_only && s->output;
    const struct scope_source *source = of_output ? NULL : source_find(s, ref->mark, ref->source.text);
    if (of_output ? ref->mark != s->output_mark || strcmp(ref->source.text, s->output->id) != 0 : !source) {
        report_source(c, ref);
        return NULL;
    }
    if (source && is_both_sides(s, ref->mark, source)) {
        diag_error(c->diags, ref->span, "'#%s' is both sides of this join", ref->source.text);
        diag_hint(c->diags, "give the left side a name, too: #%s as a", ref->source.text);
        return NULL;
    }
    const struct schema *schema = of_output ? s->output : source->schema;
    KNOWN(schema);
    int at = schema_find(schema, ref->name.text);
    if (at < 0) {
        diag_error(c->diags, ref->name.span, "'%s' is not an attribute of %s", ref->name.text,
                   schema == s->output ? "the selected row" : ref->source.text);
        hint_names(c, ref->name.text, &schema, 1);
        return NULL;
    }
    return expr_attr(c->arena, of_output ? SLOT_OUTPUT : source->slot, (uint16_t)at, schema);
}

/* How many inputs an unqualified name may look into. */
static int open_sources(const struct scope *s)
{
    return s->qualified_only_last ? s->count - 1 : s->count;
}

static void report_unknown(struct expr_ctx *c, const struct ast_expr *ref)
{
    const struct scope *s = c->scope;
    const char *text = ref->name.text;
    if (ref->mark) {
        diag_error(c->diags, ref->span, "'%c%s' is a stream, a value is needed here", ref->mark, text);
        return;
    }
    if (s->output_only) {
        diag_error(c->diags, ref->name.span, "'%s' is not among the selected attributes", text);
        for (int i = 0; i < s->count; i++)
            if (schema_find(s->sources[i].schema, text) >= 0) {
                diag_hint(c->diags, "having and order by see what select gives; add '%s' to select", text);
                return;
            }
        hint_names(c, text, &s->output, 1);
        return;
    }
    if (source_find(s, 0, text)) {
        diag_error(c->diags, ref->name.span, "'%s' is an input, a value is needed here", text);
        diag_hint(c->diags, "write %s. and an attribute of it", text);
        return;
    }
    const struct schema **schemas = arena_array(c->arena, (size_t)s->count + 2, sizeof(*schemas));
    int n = 0;
    for (int i = 0; i < s->count; i++)
        schemas[n++] = s->sources[i].schema;
    if (s->output)
        schemas[n++] = s->output;
    if (s->count == 1)
        diag_error(c->diags, ref->name.span, "'%s' is not an attribute of %s", text,
                   qualifier(&s->sources[0]));
    else
        diag_error(c->diags, ref->name.span, "'%s' is not an attribute of any input", text);
    if (s->qualified_only_last && schema_find(s->sources[s->count - 1].schema, text) >= 0) {
        const char *table = qualifier(&s->sources[s->count - 1]);
        diag_hint(c->diags, "attributes of the table need its name: %s.%s", table, text);
        return;
    }
    hint_names(c, text, (const struct schema *const *)schemas, n);
}

static struct expr *compile_unqualified(struct expr_ctx *c, const struct ast_expr *ref)
{
    const struct scope *s = c->scope;
    const char *text = ref->name.text;
    if (s->output && !ref->mark) {
        int at = schema_find(s->output, text);
        if (at >= 0)
            return expr_attr(c->arena, SLOT_OUTPUT, (uint16_t)at, s->output);
    }
    const struct scope_source *found = NULL;
    int found_at = -1;
    for (int i = 0; !s->output_only && !ref->mark && i < open_sources(s); i++) {
        int at = schema_find(s->sources[i].schema, text);
        if (at < 0)
            continue;
        if (found) {
            const char *one = qualifier(found), *two = qualifier(&s->sources[i]);
            diag_error(c->diags, ref->name.span, "'%s' is an attribute of both %s and %s", text, one, two);
            diag_hint(c->diags, "write %s.%s or %s.%s", one, text, two, text);
            return NULL;
        }
        found = &s->sources[i];
        found_at = at;
    }
    if (!found) {
        report_unknown(c, ref);
        return NULL;
    }
    return expr_attr(c->arena, found->slot, (uint16_t)found_at, found->schema);
}

struct expr *name_compile(struct expr_ctx *c, const struct ast_expr *ref)
{
    if (!c->scope) {
        diag_error(c->diags, ref->span, "'%s' stands where no input is; only constants are allowed here",
                   ref->name.text ? ref->name.text : ref->source.text);
        return NULL;
    }
    if (c->scope->resolve) {
        bool reported = false;
        struct expr *e = c->scope->resolve(c, ref, &reported);
        if (e || reported)
            return e;
    }
    return ref->source.text ? compile_qualified(c, ref) : compile_unqualified(c, ref);
}

static struct value eval_source_null(const struct expr *e, struct frame *f)
{
    return value_bool(!f->rows || !f->rows[e->slot]);
}
static struct value eval_null_of(const struct expr *e, struct frame *f)
{
    return value_bool(is_null(expr_eval(e->left, f)));
}

struct expr *source_null_compile(struct expr_ctx *c, const struct ast_expr *ref, bool *reported)
{
    const struct scope *s = c->scope;
    *reported = false;
    if (!s || (ref->kind == AST_ATTR && ref->source.text))
        return NULL;
    const struct name *name = ref->kind == AST_SOURCE ? &ref->source : &ref->name;
    struct ast_expr as_source = *ref;
    as_source.kind = AST_SOURCE;
    as_source.source = *name;
    as_source.name = (struct name){0};
    const struct scope_source *source = source_find(s, ref->mark, name->text);
    if (s->resolve && (source || ref->kind == AST_SOURCE)) {
        struct expr *e = s->resolve(c, &as_source, reported);
        if (*reported)
            return NULL;
        if (e) {
            struct expr *node = expr_new(c->arena, eval_null_of, TYPE_BOOL);
            node->left = e;
            return node;
        }
    }
    if (source && s->count == 1 && !s->resolve) /* the only stream always has its event */
        return expr_literal(c->arena, value_bool(false), TYPE_BOOL);
    if (source) {
        struct expr *node = expr_new(c->arena, eval_source_null, TYPE_BOOL);
        node->slot = source->slot;
        return node;
    }
    if (ref->kind == AST_SOURCE || ref->mark) {
        report_source(c, &as_source);
        *reported = true;
    }
    return NULL;
}

struct expr **names_all(struct expr_ctx *c, int *count)
{
    const struct scope *s = c->scope;
    size_t total = 0;
    int n = 0;
    *count = 0;
    if (!s)
        return NULL;
    if (s->output_only && s->output) {
        struct expr **nodes = arena_array(c->arena, (size_t)s->output->count + 1, sizeof(struct expr *));
        for (uint32_t k = 0; k < s->output->count; k++)
            nodes[n++] = expr_attr(c->arena, SLOT_OUTPUT, (uint16_t)k, s->output);
        *count = n;
        return nodes;
    }
    for (int i = 0; i < s->count; i++)
        total += s->sources[i].schema->count;
    struct expr **nodes = arena_array(c->arena, total + 1, sizeof(struct expr *));
    for (int i = 0; i < s->count; i++)
        for (uint32_t k = 0; k < s->sources[i].schema->count; k++)
            nodes[n++] = expr_attr(c->arena, s->sources[i].slot, (uint16_t)k, s->sources[i].schema);
    *count = n;
    return nodes;
}
