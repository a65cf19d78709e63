/* fn_regex.c - regex:find matches lookingAt group (spec 20 section 7), and patterns as arguments of other
 * functions. */
#include "engine/expr/fn_regex.h"

int bind_regex(struct expr_ctx *c, struct expr *e, const struct ast_expr *call, int n, bool strict)
{
    if (!(e->args[n]->flags & EXPR_CONST))
        return 0;
    char error[256];
    const struct text *pattern = arg_literal(e, n).as.s;
    e->config = regex_new(c->arena, pattern->bytes, pattern->len, error, sizeof(error));
    if (!e->config && strict)
        return bind_error(c, call, n, "a wrong regular expression: %s", error);
    return 0;
}

struct regex *arg_regex(const struct expr *e, struct frame *f, int n)
{
    if (e->config)
        return (struct regex *)(uintptr_t)e->config;
    char error[256];
    struct text *pattern = arg_text(e, f, n);
    if (!pattern)
        return NULL;
    struct regex *r = regex_new(f->env->scratch, pattern->bytes, pattern->len, error, sizeof(error));
    if (!r)
        expr_fail(f->env, "%s: a wrong regular expression: %s", e->name, error);
    return r;
}

int match_or_fail(struct frame *f, const struct expr *e, struct regex *r, const struct text *s, size_t start,
                  enum regex_how how)
{
    int rc = regex_match(r, s->bytes, s->len, start, how);
    if (rc < 0)
        expr_fail(f->env, "%s: the regular expression needs too many steps for this text", e->name);
    return rc;
}

static struct value evaluate(const struct expr *e, struct frame *f, enum regex_how how)
{
    struct text *input;
    size_t at = 0;
    /* A missing text is no match, whatever the expression is; a missing expression fails first. */
    if ((!e->config && !arg_text(e, f, 0)) || arg_text_or_null(e, f, 1, &input) <= 0)
        return VALUE_NULL;
    struct regex *r = arg_regex(e, f, 0);
    if (!r)
        return VALUE_NULL;
    if (e->arg_count == 3) {
        struct value start = arg(e, f, 2);
        if (is_null(start))
            return VALUE_NULL;
        if (start.type != TYPE_INT)
            return fail_operand(f, e, start, "an int");
        if (!text_offset(input, start.as.l, &at))
            return expr_fail(f->env, "%s: place %d is outside of the text", e->name, (int)start.as.l);
    }
    return value_bool(match_or_fail(f, e, r, input, at, how) > 0);
}
static struct value eval_find(const struct expr *e, struct frame *f)
{
    return evaluate(e, f, REGEX_FIND);
}
static struct value eval_matches(const struct expr *e, struct frame *f)
{
    return evaluate(e, f, REGEX_WHOLE);
}
static struct value eval_looking_at(const struct expr *e, struct frame *f)
{
    return evaluate(e, f, REGEX_PREFIX);
}
static struct value eval_group(const struct expr *e, struct frame *f)
{
    int32_t group;
    struct regex *r = arg_regex(e, f, 0);
    struct text *input = r ? arg_text(e, f, 1) : NULL;
    if (!input || !arg_int(e, f, 2, &group))
        return VALUE_NULL;
    if (match_or_fail(f, e, r, input, 0, REGEX_FIND) <= 0)
        return VALUE_NULL;
    if (group < 0)
        return expr_fail(f->env, "%s: group %d is negative", e->name, (int)group);
    if ((uint32_t)group > r->groups)
        return VALUE_NULL;
    size_t from = r->places[2 * group], to = r->places[2 * group + 1];
    return from == SIZE_MAX ? VALUE_NULL : result_text(f, input->bytes + from, to - from);
}

static int bind_first(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    return bind_regex(c, e, call, 0, true);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_regex[] = {
    {"regex", "find", "ss?i", TYPE_BOOL, eval_find, bind_first},
    {"regex", "group", "ssi", TYPE_STRING, eval_group, bind_first},
    {"regex", "lookingAt", "ss", TYPE_BOOL, eval_looking_at, bind_first},
    {"regex", "matches", "ss", TYPE_BOOL, eval_matches, bind_first},
    {0},
};
