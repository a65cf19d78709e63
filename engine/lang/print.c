/* print.c - see print.h. A function per node, in the order of the grammar. Names that are keywords stand in
 * backquotes. */
#include "engine/lang/print.h"
#include "engine/base/num.h"
#include "engine/lang/lex.h"
#include <inttypes.h>
#include <math.h>

/* ---- names and literals ---- */

static void print_name_text(const char *text, struct buf *out)
{
    struct lex lex;
    lex_init(&lex, text, (uint32_t)strlen(text));
    struct token t = lex_next(&lex);
    bool plain = t.kind == TOKEN_ID && t.at == 0 && t.len == lex.len;
    buf_printf(out, plain ? "%s" : "`%s`", text);
}

static void print_name(struct name name, struct buf *out)
{
    print_name_text(name.text, out);
}

/* The first way to quote it that holds what text holds. */
static void print_string(const char *text, struct buf *out)
{
    const char *quote = "'";
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == '"')
            quote = "\"\"\"";
        else if (*c == '\'' && quote[1] == '\0')
            quote = "\"";
    }
    buf_printf(out, "%s%s%s", quote, text, quote);
}

static void print_time(int64_t ms, struct buf *out)
{
    buf_printf(out, "%" PRId64 " millisec", ms);
}

static void print_literal(const struct ast_expr *e, struct buf *out)
{
    char text[NUM_TEXT_MAX];
    struct value v = e->literal;
    switch (v.type) {
    case TYPE_STRING:
        print_string(v.as.s->bytes, out);
        return;
    case TYPE_INT:
        buf_printf(out, "%" PRId64, v.as.l);
        return;
    case TYPE_LONG:
        if (e->is_time)
            print_time(v.as.l, out);
        else
            buf_printf(out, "%" PRId64 "L", v.as.l);
        return;
    case TYPE_FLOAT:
        num_print_float(text, v.as.f);
        buf_printf(out, "%sf", isinf(v.as.f) ? (v.as.f < 0 ? "-1e99" : "1e99") : text);
        return;
    case TYPE_DOUBLE:
        num_print_double(text, v.as.d);
        buf_add_str(out, isinf(v.as.d) ? (v.as.d < 0 ? "-1e999" : "1e999") : text);
        return;
    case TYPE_BOOL:
        buf_add_str(out, v.as.l ? "true" : "false");
        return;
    case TYPE_NULL:
    case TYPE_OBJECT:
        ASSERT(!"literal");
    }
}

/* ---- expressions ---- */

/* By enum ast_expr_kind. The levels are those of parse_expr.c. */
static const struct {
    const char *text;
    int level;
} kinds[] = {
    [AST_LITERAL] = {NULL, 9}, [AST_ATTR] = {NULL, 9},  [AST_CALL] = {NULL, 9}, [AST_IS_NULL] = {NULL, 9},
    [AST_SOURCE] = {NULL, 9},  [AST_NOT] = {"not ", 8}, [AST_AND] = {"and", 2}, [AST_OR] = {"or", 1},
    [AST_IN] = {"in", 3},      [AST_EQ] = {"==", 4},    [AST_NE] = {"!=", 4},   [AST_LT] = {"<", 5},
    [AST_LE] = {"<=", 5},      [AST_GT] = {">", 5},     [AST_GE] = {">=", 5},   [AST_ADD] = {"+", 6},
    [AST_SUB] = {"-", 6},      [AST_MUL] = {"*", 7},    [AST_DIV] = {"/", 7},   [AST_MOD] = {"%", 7},
};

static void print_operand(const struct ast_expr *e, int level, struct buf *out)
{
    bool parentheses = kinds[e->kind].level < level;
    buf_add_str(out, parentheses ? "(" : "");
    print_expr(e, out);
    buf_add_str(out, parentheses ? ")" : "");
}

static void print_reference(const struct ast_expr *e, struct buf *out)
{
    if (e->mark)
        buf_add_char(out, e->mark);
    if (e->source.text) {
        print_name(e->source, out);
        if (e->index_kind == INDEX_AT)
            buf_printf(out, "[%d]", e->index);
        else if (e->index_kind == INDEX_LAST && e->index == 0)
            buf_add_str(out, "[last]");
        else if (e->index_kind == INDEX_LAST)
            buf_printf(out, "[last - %d]", e->index);
        if (e->kind == AST_SOURCE)
            return;
        buf_add_char(out, '.');
    }
    print_name(e->name, out);
}

static void print_call(const struct ast_expr *e, struct buf *out)
{
    if (e->space.text) {
        print_name(e->space, out);
        buf_add_char(out, ':');
    }
    print_name(e->name, out);
    buf_add_str(out, e->star ? "(*" : "(");
    for (const struct ast_expr *arg = e->args; arg; arg = arg->next) {
        print_expr(arg, out);
        buf_add_str(out, arg->next ? ", " : "");
    }
    buf_add_char(out, ')');
}

void print_expr(const struct ast_expr *e, struct buf *out)
{
    int level = kinds[e->kind].level;
    switch (e->kind) {
    case AST_LITERAL:
        print_literal(e, out);
        return;
    case AST_ATTR:
    case AST_SOURCE:
        print_reference(e, out);
        return;
    case AST_CALL:
        print_call(e, out);
        return;
    case AST_IS_NULL:
        print_expr(e->left, out);
        buf_add_str(out, " is null");
        return;
    case AST_NOT:
        buf_add_str(out, "not ");
        print_operand(e->left, level, out);
        return;
    default:
        print_operand(e->left, level, out);
        buf_printf(out, " %s ", kinds[e->kind].text);
        if (e->kind == AST_IN)
            print_name(e->name, out);
        else
            print_operand(e->right, level + 1, out);
        return;
    }
}

static void print_list(const char *before, const struct ast_expr *list, struct buf *out)
{
    for (const struct ast_expr *e = list; e; e = e->next) {
        buf_add_str(out, e == list ? before : ", ");
        print_expr(e, out);
    }
}

static void print_clause(const char *before, const struct ast_expr *e, struct buf *out)
{
    if (e) {
        buf_add_str(out, before);
        print_expr(e, out);
    }
}

/* ---- inputs ---- */

static void print_source(const struct ast_source *s, bool alias_before, struct buf *out)
{
    if (s->alias.text && alias_before) {
        print_name(s->alias, out);
        buf_add_char(out, '=');
    }
    if (s->mark)
        buf_add_char(out, s->mark);
    print_name(s->id, out);
    for (const struct ast_handler *h = s->handlers; h; h = h->next) {
        buf_add_str(out, h->kind == HANDLER_FILTER ? "[" : h->kind == HANDLER_WINDOW ? "#window." : "#");
        print_expr(h->expr, out);
        buf_add_str(out, h->kind == HANDLER_FILTER ? "]" : "");
    }
    if (s->alias.text && !alias_before) {
        buf_add_str(out, " as ");
        print_name(s->alias, out);
    }
}

static void print_within_per(const struct ast_expr *from, const struct ast_expr *to,
                             const struct ast_expr *per, struct buf *out)
{
    print_clause(" within ", from, out);
    print_clause(", ", to, out);
    print_clause(" per ", per, out);
}

static void print_join(const struct ast_join *j, struct buf *out)
{
    static const char *const words[] = {
        [JOIN_INNER] = " join ",
        [JOIN_LEFT] = " left outer join ",
        [JOIN_RIGHT] = " right outer join ",
        [JOIN_FULL] = " full outer join ",
    };
    print_source(j->left, false, out);
    buf_add_str(out, j->left_unidirectional ? " unidirectional" : "");
    buf_add_str(out, words[j->kind]);
    print_source(j->right, false, out);
    buf_add_str(out, j->right_unidirectional ? " unidirectional" : "");
    print_clause(" on ", j->on, out);
    print_within_per(j->within_from, j->within_to, j->per, out);
}

static void print_count(const struct ast_state *s, bool sequence, struct buf *out)
{
    if (!s->counted)
        return;
    if (sequence && s->max == -1 && s->min <= 1)
        buf_add_char(out, s->min ? '+' : '*');
    else if (s->max == -1)
        buf_printf(out, "<%d:>", s->min);
    else
        buf_printf(out, "<%d:%d>", s->min, s->max);
}

static void print_state(const struct ast_state *s, bool sequence, struct buf *out)
{
    for (; s->kind == STATE_NEXT; s = s->right) {
        print_state(s->left, sequence, out);
        buf_add_str(out, sequence ? ", " : " -> ");
    }
    switch (s->kind) {
    case STATE_STREAM:
        print_source(s->source, true, out);
        print_count(s, sequence, out);
        return;
    case STATE_EVERY:
        buf_add_str(out, "every ");
        print_state(s->left, sequence, out);
        return;
    case STATE_AND:
    case STATE_OR:
        print_state(s->left, sequence, out);
        buf_add_str(out, s->kind == STATE_AND ? " and " : " or ");
        print_state(s->right, sequence, out);
        return;
    case STATE_ABSENT:
        buf_add_str(out, "not ");
        print_source(s->source, true, out);
        if (s->for_ms >= 0) {
            buf_add_str(out, " for ");
            print_time(s->for_ms, out);
        }
        return;
    case STATE_GROUP:
        buf_add_char(out, '(');
        print_state(s->left, sequence, out);
        buf_add_char(out, ')');
        return;
    case STATE_NEXT:
        ASSERT(!"unreachable");
    }
}

static void print_body(const struct ast_query *q, struct buf *out);

static void print_input(const struct ast_query *q, struct buf *out)
{
    switch (q->input_kind) {
    case INPUT_SINGLE:
        print_source(q->single, false, out);
        return;
    case INPUT_JOIN:
        print_join(q->join, out);
        return;
    case INPUT_PATTERN:
    case INPUT_SEQUENCE:
        print_state(q->state, q->input_kind == INPUT_SEQUENCE, out);
        if (q->within_ms >= 0) {
            buf_add_str(out, " within ");
            print_time(q->within_ms, out);
        }
        return;
    case INPUT_ANONYMOUS:
        buf_add_char(out, '(');
        print_body(q->anonymous, out);
        buf_add_char(out, ')');
        return;
    }
}

/* ---- select, rate, output ---- */

static void print_select(const struct ast_select *s, struct buf *out)
{
    if (!s->given)
        return;
    buf_add_str(out, s->all ? " select *" : " select ");
    for (const struct ast_select_item *i = s->items; i; i = i->next) {
        print_expr(i->expr, out);
        if (i->as.text) {
            buf_add_str(out, " as ");
            print_name(i->as, out);
        }
        buf_add_str(out, i->next ? ", " : "");
    }
    print_list(" group by ", s->group_by, out);
    print_clause(" having ", s->having, out);
    for (const struct ast_order *o = s->order_by; o; o = o->next) {
        buf_add_str(out, o == s->order_by ? " order by " : ", ");
        print_expr(o->attr, out);
        buf_add_str(out, o->descending ? " desc" : "");
    }
    print_clause(" limit ", s->limit, out);
    print_clause(" offset ", s->offset, out);
}

static void print_rate(const struct ast_rate *r, struct buf *out)
{
    static const char *const types[] = {[RATE_ALL] = "", [RATE_FIRST] = "first ", [RATE_LAST] = "last "};
    if (r->kind == RATE_NONE)
        return;
    buf_printf(out, " output %severy ", r->kind == RATE_SNAPSHOT ? "snapshot " : types[r->type]);
    if (r->kind == RATE_EVENTS)
        buf_printf(out, "%" PRId64 " events", r->value);
    else
        print_time(r->value, out);
}

static const char *const events_words[] = {[EVENTS_DEFAULT] = "",
                                           [EVENTS_CURRENT] = "current events ",
                                           [EVENTS_EXPIRED] = "expired events ",
                                           [EVENTS_ALL] = "all events "};

static void print_output(const struct ast_output *o, struct buf *out)
{
    static const char *const words[] = {[OUTPUT_INSERT] = "insert ",
                                        [OUTPUT_DELETE] = "delete ",
                                        [OUTPUT_UPDATE] = "update ",
                                        [OUTPUT_UPSERT] = "update or insert into ",
                                        [OUTPUT_RETURN] = "return "};
    buf_printf(out, " %s", words[o->kind]);
    if (o->kind == OUTPUT_INSERT || o->kind == OUTPUT_RETURN)
        buf_add_str(out, events_words[o->events]);
    if (o->kind == OUTPUT_RETURN)
        return;
    buf_add_str(out, o->kind == OUTPUT_INSERT ? "into " : "");
    if (o->mark)
        buf_add_char(out, o->mark);
    print_name(o->target, out);
    if (o->kind == OUTPUT_INSERT)
        return;
    if (o->events != EVENTS_DEFAULT)
        buf_printf(out, " for %s", events_words[o->events]);
    for (const struct ast_assign *a = o->set; a; a = a->next) {
        buf_add_str(out, a == o->set ? " set " : ", ");
        print_expr(a->attr, out);
        buf_add_str(out, " = ");
        print_expr(a->value, out);
    }
    print_clause(" on ", o->on, out);
}

static void print_body(const struct ast_query *q, struct buf *out)
{
    buf_add_str(out, "from ");
    print_input(q, out);
    print_select(&q->select, out);
    print_rate(&q->rate, out);
    print_output(&q->output, out);
}

void print_ondemand(const struct ast_ondemand *q, struct buf *out)
{
    if (q->kind == ONDEMAND_FIND) {
        buf_add_str(out, "from ");
        print_name(q->from, out);
        if (q->alias.text) {
            buf_add_str(out, " as ");
            print_name(q->alias, out);
        }
        print_clause(" on ", q->on, out);
        print_within_per(q->within_from, q->within_to, q->per, out);
    }
    print_select(&q->select, out);
    if (q->kind != ONDEMAND_FIND)
        print_output(&q->output, out);
}

/* ---- annotations, definitions, the app ---- */

static void print_key(const char *key, struct buf *out)
{
    print_string(key, out); /* a string may stand for every key */
    buf_add_char(out, '=');
}

static void print_annotation(const struct ast_annotation *a, const char *mark, struct buf *out)
{
    buf_add_str(out, mark);
    print_name(a->name, out);
    const char *separator = "(";
    for (const struct ast_element *e = a->elements; e; e = e->next, separator = ", ") {
        buf_add_str(out, separator);
        if (e->key.text)
            print_key(e->key.text, out);
        print_string(e->value, out);
    }
    for (const struct ast_annotation *n = a->nested; n; n = n->next, separator = ", ") {
        buf_add_str(out, separator);
        print_annotation(n, "@", out);
    }
    buf_add_str(out, *separator == '(' ? "" : ")");
}

static void print_annotations(const struct ast_annotation *list, const char *mark, const char *end,
                              struct buf *out)
{
    for (; list; list = list->next) {
        print_annotation(list, mark, out);
        buf_add_str(out, end);
    }
}

void print_query(const struct ast_query *q, struct buf *out)
{
    print_annotations(q->annotations, "@", " ", out);
    print_body(q, out);
}

static void print_attributes(const struct ast_attribute *list, struct buf *out)
{
    buf_add_str(out, " (");
    for (; list; list = list->next) {
        print_name(list->name, out);
        buf_printf(out, " %s%s", type_name(list->type), list->next ? ", " : "");
    }
    buf_add_char(out, ')');
}

static void print_aggregation(const struct ast_definition *d, struct buf *out)
{
    static const char *const units[] = {"seconds", "minutes", "hours", "days", "weeks", "months", "years"};
    buf_add_str(out, " from ");
    print_source(d->from, false, out);
    print_select(&d->select, out);
    buf_add_str(out, " aggregate");
    print_clause(" by ", d->aggregate_by, out);
    for (int i = 0; i < d->duration_count; i++)
        buf_printf(out, "%s%s",
                   i == 0              ? " every "
                   : d->duration_range ? " ... "
                                       : ", ",
                   units[d->durations[i]]);
}

static void print_definition(const struct ast_definition *d, struct buf *out)
{
    static const char *const words[] = {"stream", "table", "window", "trigger", "function", "aggregation"};
    print_annotations(d->annotations, "@", " ", out);
    buf_printf(out, "define %s ", words[d->kind]);
    print_name(d->id, out);
    switch (d->kind) {
    case DEFINE_STREAM:
    case DEFINE_TABLE:
        print_attributes(d->attributes, out);
        return;
    case DEFINE_WINDOW:
        print_attributes(d->attributes, out);
        buf_add_char(out, ' ');
        print_expr(d->window, out);
        if (d->window_output != EVENTS_DEFAULT)
            buf_printf(out, " output %s", events_words[d->window_output]);
        return;
    case DEFINE_TRIGGER:
        buf_add_str(out, " at ");
        if (d->at) {
            print_string(d->at, out);
        } else {
            buf_add_str(out, "every ");
            print_time(d->every_ms, out);
        }
        return;
    case DEFINE_FUNCTION:
        buf_add_char(out, '[');
        print_name(d->language, out);
        buf_printf(out, "] return %s {%s }", type_name(d->return_type), d->body);
        return;
    case DEFINE_AGGREGATION:
        print_aggregation(d, out);
        return;
    }
}

static void print_partition(const struct ast_partition *x, struct buf *out)
{
    print_annotations(x->annotations, "@", " ", out);
    buf_add_str(out, "partition with (");
    for (const struct ast_partition_key *k = x->keys; k; k = k->next) {
        print_clause("", k->value, out);
        for (const struct ast_partition_range *r = k->ranges; r; r = r->next) {
            print_expr(r->condition, out);
            buf_add_str(out, " as ");
            print_string(r->label, out);
            buf_add_str(out, r->next ? " or " : "");
        }
        buf_add_str(out, " of ");
        print_name(k->stream, out);
        buf_add_str(out, k->next ? ", " : "");
    }
    buf_add_str(out, ") begin\n");
    for (const struct ast_element_list *i = x->queries; i; i = i->next) {
        buf_add_str(out, "    ");
        print_query(i->query, out);
        buf_add_str(out, ";\n");
    }
    buf_add_str(out, "end");
}

void print_app(const struct ast_app *app, struct buf *out)
{
    print_annotations(app->annotations, "@app:", "\n", out);
    for (const struct ast_definition *d = app->definitions; d; d = d->next) {
        print_definition(d, out);
        buf_add_str(out, ";\n");
    }
    for (const struct ast_item *i = app->items; i; i = i->next) {
        if (i->query)
            print_query(i->query, out);
        else
            print_partition(i->partition, out);
        buf_add_str(out, ";\n");
    }
}
