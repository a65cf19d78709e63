/* functions.c - calls: finding the function or aggregator of a name, and checking what it is given.
 * A new function is a row in the table of its file; a new file is a line in tables[]. */
#include "engine/expr/absent.h"
#include "engine/expr/agg.h"
#include <stdarg.h>
#include <strings.h>

static const struct function *const tables[] = {
    fn_core, fn_str,   fn_math, fn_time, fn_json, fn_list,
    fn_map,  fn_regex, fn_geo,  fn_file, fn_unit, fn_kalman,
};
static const struct aggregator *const aggregator_tables[] = {
    agg_numbers,
    agg_extremes,
    agg_sets,
    agg_extensions,
};
enum {
    TABLE_COUNT = sizeof(tables) / sizeof(*tables),
    AGGREGATOR_TABLE_COUNT = sizeof(aggregator_tables) / sizeof(*aggregator_tables),
};

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

const struct function *function_find(const char *space, const char *name)
{
    for (int t = 0; t < TABLE_COUNT; t++)
        for (const struct function *f = tables[t]; f->name; f++)
            if (same(f->space, space) && strcmp(f->name, name) == 0)
                return f;
    return NULL;
}
const struct aggregator *aggregator_find(const char *space, const char *name)
{
    for (int t = 0; t < AGGREGATOR_TABLE_COUNT; t++)
        for (const struct aggregator *a = aggregator_tables[t]; a->name; a++)
            if (same(a->space, space) && strcmp(a->name, name) == 0)
                return a;
    return NULL;
}
bool function_exists(const char *space, const char *name)
{
    return function_find(space, name) != NULL;
}
bool agg_exists(const char *space, const char *name)
{
    return aggregator_find(space, name) != NULL;
}

/* ---- signatures ---- */

static bool letter_fits(char letter, const struct expr *e)
{
    enum type t = e->type;
    if (letter >= 'A' && letter <= 'Z') {
        if (!(e->flags & EXPR_CONST))
            return false;
        letter = (char)(letter - 'A' + 'a');
    }
    switch (letter) {
    case 's':
        return t == TYPE_STRING;
    case 'i':
        return t == TYPE_INT;
    case 'l':
        return t == TYPE_LONG;
    case 'f':
        return t == TYPE_FLOAT;
    case 'd':
        return t == TYPE_DOUBLE;
    case 'b':
        return t == TYPE_BOOL;
    case 'o':
        return t == TYPE_OBJECT;
    case 'n':
        return type_is_numeric(t);
    case 'w':
        return t == TYPE_INT || t == TYPE_LONG;
    case 'r':
        return t == TYPE_FLOAT || t == TYPE_DOUBLE;
    case 'j':
        return t == TYPE_STRING || t == TYPE_OBJECT;
    default:
        return letter == 'a';
    }
}

bool signature_fits(const char *takes, const struct expr *e)
{
    int n = 0;
    bool optional = false;
    for (const char *p = takes; *p; p++) {
        if (*p == '?') {
            optional = true;
        } else if (p[1] == '*') {
            while (n < e->arg_count && letter_fits(*p, e->args[n]))
                n++;
            p++;
        } else if (n < e->arg_count) {
            if (!letter_fits(*p, e->args[n]))
                return false;
            n++;
        } else if (!optional) {
            return false;
        }
    }
    return n == e->arg_count;
}

static const char *letter_word(char letter)
{
    static const char *const words[] = {
        "sstring", "iint",    "llong",        "ffloat",           "ddouble",           "bbool",
        "oobject", "nnumber", "wint or long", "rfloat or double", "jstring or object", "aany"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (words[i][0] == letter)
            return words[i] + 1;
    return "?";
}

void signature_print(struct buf *out, const char *takes)
{
    bool optional = false, first = true;
    buf_add_char(out, '(');
    for (const char *p = takes; *p; p++) {
        if (*p == '?') {
            buf_add_str(out, first ? "[" : " [");
            optional = true;
            continue;
        }
        if (*p == '*') {
            buf_add_str(out, "...");
            continue;
        }
        bool constant = *p >= 'A' && *p <= 'Z';
        if (!first)
            buf_add_str(out, ", ");
        buf_printf(out, "%s%s", constant ? "constant " : "",
                   letter_word(constant ? (char)(*p - 'A' + 'a') : *p));
        first = false;
    }
    buf_add_str(out, optional ? "])" : ")");
}

/* ---- arguments at run time ---- */

struct text *arg_text(const struct expr *e, struct frame *f, int n)
{
    struct value v = arg(e, f, n);
    if (LIKELY(v.type == TYPE_STRING))
        return v.as.s;
    if (is_null(v))
        expr_fail(f->env, "%s got null as argument %d, a text is needed", e->name, n + 1);
    else
        fail_operand(f, e, v, "a text");
    return NULL;
}
int arg_text_or_null(const struct expr *e, struct frame *f, int n, struct text **out)
{
    struct value v = arg(e, f, n);
    if (f->env->failed)
        return -1;
    if (is_null(v))
        return 0;
    if (v.type != TYPE_STRING) {
        fail_operand(f, e, v, "a text");
        return -1;
    }
    *out = v.as.s;
    return 1;
}
bool arg_int(const struct expr *e, struct frame *f, int n, int32_t *out)
{
    struct value v = arg(e, f, n);
    if (LIKELY(v.type == TYPE_INT)) {
        *out = (int32_t)v.as.l;
        return true;
    }
    if (is_null(v))
        expr_fail(f->env, "%s got null as argument %d, an int is needed", e->name, n + 1);
    else
        fail_operand(f, e, v, "an int");
    return false;
}
int arg_double_or_null(const struct expr *e, struct frame *f, int n, double *out)
{
    struct value v = arg(e, f, n);
    if (f->env->failed)
        return -1;
    if (is_null(v))
        return 0;
    if (!number_convert(&v, TYPE_DOUBLE)) {
        fail_operand(f, e, v, "a number");
        return -1;
    }
    *out = v.as.d;
    return 1;
}
struct value arg_literal(const struct expr *e, int n)
{
    return e->args[n]->literal;
}
struct value result_text(struct frame *f, const char *bytes, size_t len)
{
    return value_text(text_scratch(f->env->scratch, bytes, len));
}
struct value result_buf(struct frame *f, struct buf *b)
{
    struct value v = VALUE_NULL;
    if (b->overflow)
        expr_fail(f->env, "a text result is longer than %d bytes", LIMIT_RESULT_BYTES);
    else
        v = result_text(f, b->bytes ? b->bytes : "", b->len);
    buf_fini(b);
    return v;
}

/* ---- compile ---- */

struct span call_span(const struct ast_expr *call, int n)
{
    const struct ast_expr *a = call->args;
    while (a && n-- > 0)
        a = a->next;
    return a ? a->span : call->op_span;
}

int bind_error(struct expr_ctx *c, const struct ast_expr *call, int n, const char *format, ...)
{
    char words[300];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    diag_error(c->diags, call_span(call, n), "%s%s%s: %s", call->space.text ? call->space.text : "",
               call->space.text ? ":" : "", call->name.text, words);
    return -1;
}

static const char *full_name(struct arena *a, const struct ast_expr *call)
{
    return call->space.text ? arena_printf(a, "%s:%s", call->space.text, call->name.text)
                            : arena_strdup(a, call->name.text);
}

/* "takes (string, int) or (string), but is given (int)". rows_takes lists the letters of all rows. */
static void report_arguments(struct expr_ctx *c, const struct ast_expr *call, const struct expr *e,
                             const char *const *rows_takes, int rows)
{
    struct buf takes, given;
    buf_init(&takes, 600);
    buf_init(&given, 600);
    for (int i = 0; i < rows; i++) {
        if (i)
            buf_add_str(&takes, " or ");
        signature_print(&takes, rows_takes[i]);
    }
    for (int i = 0; i < e->arg_count; i++)
        buf_printf(&given, "%s%s", i ? ", " : "", type_name(e->args[i]->type));
    diag_error(c->diags, call->span, "%s takes %s, but is given (%s)", e->name,
               takes.bytes ? takes.bytes : "()", given.bytes ? given.bytes : "");
    if (takes.bytes && strstr(takes.bytes, "constant"))
        diag_hint(c->diags, "constant: a literal, not an attribute or an expression");
    buf_fini(&takes);
    buf_fini(&given);
}

static int function_bind(struct expr_ctx *c, struct expr *e, const struct ast_expr *call,
                         const struct function *rows)
{
    const char *takes[16];
    int n = 0;
    for (const struct function *r = rows; r->name && n < 16; r++) {
        if (!same(r->space, rows->space) || strcmp(r->name, rows->name) != 0)
            break;
        takes[n++] = r->takes;
        if (!signature_fits(r->takes, e))
            continue;
        e->eval = r->eval;
        e->type = r->returns != TYPE_NULL ? r->returns : e->args[0]->type;
        return r->bind ? r->bind(c, e, call) : 0;
    }
    report_arguments(c, call, e, takes, n);
    return -1;
}

/* Room in the layout for e's state, of type e->agg. */
static void slot_add(struct expr_ctx *c, struct expr *e)
{
    struct agg_slot *slot = arena_alloc(c->arena, sizeof(*slot)), **last = &c->aggs->slots;
    while (*last)
        last = &(*last)->next;
    *last = slot;
    *slot = (struct agg_slot){NULL, e->agg, c->aggs->bytes, e->left ? e->left->type : TYPE_NULL};
    e->agg_at = slot->at;
    c->aggs->bytes += (e->agg->size + 7) & ~(size_t)7;
    c->aggs->slot_count++;
}

int state_bind(struct expr_ctx *c, struct expr *e, const struct ast_expr *call, const struct agg_type *state)
{
    ASSERT(state->lasts);
    if (!c->aggs) {
        diag_error(c->diags, call->op_span, "%s goes on from event to event and can't be used here", e->name);
        diag_hint(c->diags, "it stands in select, having, filters and 'set' of queries");
        return -1;
    }
    e->agg = state;
    slot_add(c, e);
    c->aggs->lasts = true;
    return 0;
}

int aggregator_bind(struct expr_ctx *c, struct expr *e, const struct ast_expr *call,
                    const struct aggregator *rows)
{
    const char *takes[16];
    int n = 0;
    if (!c->aggs) {
        diag_error(c->diags, call->op_span, "%s is an aggregator and can't be used here", e->name);
        diag_hint(c->diags, "aggregators stand in select, having, filters and 'set' of queries");
        return -1;
    }
    for (const struct aggregator *r = rows; r->name && n < 16; r++) {
        if (!same(r->space, rows->space) || strcmp(r->name, rows->name) != 0)
            break;
        takes[n++] = r->takes;
        if (!signature_fits(r->takes, e))
            continue;
        e->left = e->arg_count ? e->args[0] : NULL;
        bool plain = r->eval_attr && e->left && e->left->eval == eval_attr;
        e->eval = plain ? r->eval_attr : r->eval;
        KNOWN(r->returns != TYPE_NULL || e->left); /* of its argument's type: it has one */
        e->type = r->returns != TYPE_NULL ? r->returns : e->left->type;
        e->agg = r->state;
        e->flags |= EXPR_AGGREGATE;
        if (r->bind && r->bind(c, e, call) < 0)
            return -1;
        slot_add(c, e);
        c->aggs->count++;
        return 0;
    }
    report_arguments(c, call, e, takes, n);
    return -1;
}

static void report_unknown(struct expr_ctx *c, const struct ast_expr *call)
{
    const char *space = call->space.text, *name = call->name.text, *names[512];
    size_t n = 0;
    bool has_space = false;
    if (absent_report(c->diags, call))
        return;
    for (int t = 0; t < TABLE_COUNT; t++)
        for (const struct function *f = tables[t]; f->name && n < 500; f++)
            if (same(f->space, space)) {
                has_space = true;
                names[n++] = f->name;
            }
    for (int t = 0; t < AGGREGATOR_TABLE_COUNT; t++)
        for (const struct aggregator *a = aggregator_tables[t]; a->name && n < 500; a++)
            if (same(a->space, space)) {
                has_space = true;
                names[n++] = a->name;
            }
    if (!has_space) {
        diag_error(c->diags, call->op_span, "there are no functions '%s:'", space);
        diag_hint(
            c->diags,
            "namespaces: str, math, time, json, list, map, regex, stats, unitconversion, kf, geo, env, file");
        return;
    }
    diag_error(c->diags, call->op_span, "there is no function '%s'", full_name(c->arena, call));
    const char *best = NULL;
    for (size_t i = 0; i < n && !best; i++)
        if (strcasecmp(names[i], name) == 0)
            best = names[i];
    if (!best)
        best = diag_near(name, names, n);
    if (best)
        diag_hint(c->diags, "did you mean '%s%s%s'?", space ? space : "", space ? ":" : "", best);
    for (int t = 0; !space && !best && t < TABLE_COUNT; t++)
        for (const struct function *f = tables[t]; f->name; f++)
            if (strcmp(f->name, name) == 0) {
                diag_hint(c->diags, "did you mean '%s:%s'?", f->space, name);
                return;
            }
}

/* A function of type bool is never null (spec 02 section 4). */
static struct value eval_bool_function(const struct expr *e, struct frame *f)
{
    struct value v = expr_eval(e->left, f);
    return is_null(v) ? value_bool(false) : v;
}
static struct expr *never_null(struct expr_ctx *c, struct expr *e)
{
    struct expr *node = expr_new(c->arena, eval_bool_function, TYPE_BOOL);
    node->left = e;
    node->name = e->name;
    node->flags = e->flags;
    return node;
}

static struct value eval_event_time_of(const struct expr *e, struct frame *f)
{
    const struct row *r = f->rows[e->slot];
    return r ? value_long(r->at_ms)
             : expr_fail(f->env, "eventTimestamp(%s): there is no such event", e->name);
}

/* eventTimestamp(ref): its argument is no value but an input. NULL and !*reported: not this form. */
static struct expr *compile_event_time_of(struct expr_ctx *c, const struct ast_expr *call, bool *reported)
{
    const struct ast_expr *ref = call->args;
    *reported = false;
    if (call->space.text || call->arg_count != 1 || !ref || strcmp(call->name.text, "eventTimestamp") != 0 ||
        ref->kind != AST_ATTR || ref->source.text || !c->scope)
        return NULL;
    const struct scope_source *source = source_find(c->scope, ref->mark, ref->name.text);
    *reported = true;
    if (!source) {
        diag_error(c->diags, ref->span, "eventTimestamp: '%s' is no input of this query", ref->name.text);
        return NULL;
    }
    if (c->scope->count == 1 && !c->scope->resolve) {
        diag_error(c->diags, ref->span, "eventTimestamp takes no argument in a query of one stream");
        diag_hint(c->diags, "eventTimestamp()");
        return NULL;
    }
    struct expr *node = expr_new(c->arena, eval_event_time_of, TYPE_LONG);
    node->slot = c->scope->event_slot ? c->scope->event_slot(c, source->slot) : source->slot;
    node->name = ref->name.text;
    return node;
}

/* All arguments, or false after reporting what is wrong in any of them. */
static bool compile_arguments(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    if (call->star) {
        e->args = names_all(c, &e->arg_count);
        return true;
    }
    bool fine = true;
    e->args = arena_array(c->arena, (size_t)call->arg_count + 1, sizeof(struct expr *));
    for (const struct ast_expr *a = call->args; a; a = a->next) {
        struct expr *node = expr_compile(c, a);
        if (node)
            e->args[e->arg_count++] = node;
        else
            fine = false;
    }
    return fine;
}

struct expr *call_compile(struct expr_ctx *c, const struct ast_expr *call)
{
    bool reported;
    struct expr *e = compile_event_time_of(c, call, &reported);
    if (e || reported)
        return e;
    const char *space = call->space.text, *name = call->name.text;
    e = expr_new(c->arena, NULL, TYPE_NULL);
    e->name = full_name(c->arena, call);
    e->span = call->span;
    bool fine = compile_arguments(c, e, call);
    if (fine && c->script && !space) {
        struct expr *script = c->script(c, call, e->args, &reported);
        if (script || reported)
            return script && script->type == TYPE_BOOL ? never_null(c, script) : script;
    }
    const struct function *f = function_find(space, name);
    const struct aggregator *a = f ? NULL : aggregator_find(space, name);
    if (!f && !a) {
        report_unknown(c, call);
        return NULL;
    }
    if (!fine)
        return NULL;
    if (a)
        return aggregator_bind(c, e, call, a) < 0 ? NULL : e;
    if (function_bind(c, e, call, f) < 0)
        return NULL;
    for (int i = 0; i < e->arg_count; i++)
        e->flags |= e->args[i]->flags & EXPR_AGGREGATE;
    return e->type == TYPE_BOOL ? never_null(c, e) : e;
}
