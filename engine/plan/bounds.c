/* bounds.c - what of an app's state can grow as long as it runs: warnings of a plan without errors (weir
 * check), and the words of explain about the bound of an operator's state.
 *
 * A warning is about growth by the number of different values or events ever seen. A window of time is as
 * large as its rate of events, which is what its author asked for; it is not warned of. */
#include "engine/lang/parse.h"
#include "engine/plan/plan.h"
#include "engine/run/filter.h"
#include "engine/run/partition.h"
#include "engine/run/select.h"
#include "engine/run/table.h"

/* Windows and their like, and how much each keeps. A new window needs a row. */
static const struct {
    const char *name, *words;
} windows[] = {
    {"window.length", "at most that many rows"},
    {"window.lengthBatch", "at most two batches"},
    {"window.batch", "the rows of one chunk"},
    {"window.time", "the rows of that time"},
    {"window.timeBatch", "the rows of two batches"},
    {"window.timeLength", "at most that many rows"},
    {"window.externalTime", "the rows of that time"},
    {"window.externalTimeBatch", "the rows of two batches"},
    {"window.session", "the rows of open sessions"},
    {"window.sort", "at most that many rows"},
    {"window.cron", "the rows between two firings, twice"},
    {"window.delay", "the rows of that time"},
    {"window.frequent", "at most that many values"},
    {"window.lossyFrequent", "values above the error bound"},
    {"window.expression", "the rows for which the expression holds"},
    {"window.expressionBatch", "the rows until the expression fails, twice"},
    {"window.unique:ever", "a row for every value ever seen"},
    {"window.unique:first", "a row for every value ever seen"},
    {"window.unique:length", "at most that many rows"},
    {"window.unique:time", "the rows of that time"},
    {"window.unique:lengthBatch", "at most two batches"},
    {"window.unique:firstLengthBatch", "at most two batches"},
    {"window.unique:timeBatch", "the rows of two batches"},
    {"window.unique:firstTimeBatch", "the rows of two batches"},
    {"window.unique:timeLengthBatch", "at most two batches"},
    {"window.unique:externalTimeBatch", "the rows of two batches"},
    {"window.extrema:minByLength", "at most that many rows"},
    {"window.extrema:maxByLength", "at most that many rows"},
    {"window.extrema:minbytime", "the rows of that time that may become the least"},
    {"window.extrema:maxbytime", "the rows of that time that may become the greatest"},
    {"window.extrema:minByLengthBatch", "two rows"},
    {"window.extrema:maxByLengthBatch", "two rows"},
    {"window.extrema:minbytimebatch", "two rows"},
    {"window.extrema:maxbytimebatch", "two rows"},
    {"output all", "what one interval holds"},
    {"output first", "a moment or a row, of every group with 'group by'"},
    {"output last", "a row, of every group with 'group by'"},
    {"output snapshot", "the rows the next one shows"},
    {"states", "partial matches"},
    {"unique:deduplicate", "the values of that time"},
    {"reorder:kslack", "the rows of the largest delay seen"},
    {"geo:crosses", "the names of those inside"},
    {"geo:stationary", "a place for every object ever seen"},
    {"geo:proximity", "a place for every object ever seen, and the pairs that are near"},
    {"geo:locationApproximate", "the beacons last seen, of every recorder"},
    {"extrema:topK", "a counter for every value in the window before it"},
    {"extrema:bottomK", "a counter for every value in the window before it"},
    {"extrema:topKLengthBatch", "a counter for every value of a batch"},
    {"extrema:bottomKLengthBatch", "a counter for every value of a batch"},
    {"extrema:topKTimeBatch", "a counter for every value of that time"},
    {"extrema:bottomKTimeBatch", "a counter for every value of that time"},
};

/* Aggregators that keep what they were given until it leaves the window. */
static const char *const collectors[] = {
    "distinctCount", "unionSet",  "json:group",   "json:groupAsObject", "list:collect",    "list:merge",
    "map:collect",   "map:merge", "stats:median", "math:percentile",    "str:groupConcat",
};

static bool is_window(const struct op_plan *op)
{
    return strncmp(op->type->name, "window.", 7) == 0;
}

/* Does anything leave again: a window on an input, or a named window as one? */
static bool has_window(const struct plan_query *q)
{
    for (int i = 0; i < q->input_count; i++) {
        if (q->inputs[i].element->kind == ELEMENT_WINDOW)
            return true;
    }
    for (int i = 0; i < q->op_count; i++) {
        if (is_window(q->ops[i]))
            return true;
    }
    return false;
}

static const struct select_plan *selector(const struct plan_query *q)
{
    return (const struct select_plan *)q->select;
}

static bool keys_are_free(const struct select_plan *s)
{
    for (int i = 0; i < s->key_count; i++) {
        if (s->keys[i]->type != TYPE_BOOL)
            return true;
    }
    return false;
}

const char *plan_bound(const struct plan_query *q, const struct op_plan *op)
{
    for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
        if (strcmp(windows[i].name, op->type->name) == 0)
            return windows[i].words;
    }
    if (op->type == &op_filter)
        return ((const struct filter_plan *)op)->aggs->slot_count ? "aggregators" : NULL;
    if (op->type == &op_select) {
        const struct select_plan *s = (const struct select_plan *)op;
        if (s->aggs.slot_count + s->having_aggs.slot_count == 0)
            return s->keep_groups && s->key_count ? "a number for every group ever seen" : NULL;
        if (s->key_count == 0)
            return "one group";
        if (!keys_are_free(s))
            return "the groups there can be";
        return q && has_window(q) && !s->keep_groups && !s->aggs.lasts ? "the groups that have rows"
                                                                       : "every group ever seen";
    }
    if (op->type == &op_table_aggregate)
        return "aggregators";
    return op->type->save ? "" : NULL;
}

/* ---- warnings ---- */

static void warn_collectors(struct planner *p, const struct expr *e)
{
    if (!e)
        return;
    for (size_t i = 0; e->agg && i < sizeof(collectors) / sizeof(*collectors); i++) {
        if (strcmp(collectors[i], e->name) == 0) {
            diag_warn(p->diags, e->span, "%s keeps every value it is given: the query has no window",
                      e->name);
            diag_hint(p->diags, "a window lets old values go, '#window.time(1 hour)'");
        }
    }
    warn_collectors(p, e->left == (e->arg_count ? e->args[0] : NULL) ? NULL : e->left);
    warn_collectors(p, e->right);
    for (int i = 0; i < e->arg_count; i++)
        warn_collectors(p, e->args[i]);
}

static void warn_select(struct planner *p, const struct plan_query *q)
{
    const struct select_plan *s = selector(q);
    const struct ast_expr *by = q->ast->select.group_by;
    bool windowless = !has_window(q);
    bool numbers = s->keep_groups, states = s->aggs.slot_count + s->having_aggs.slot_count > 0;
    if (by && keys_are_free(s) && (numbers || s->aggs.lasts || (windowless && states))) {
        const struct ast_expr *last = by;
        while (last->next)
            last = last->next;
        struct span all = {by->span.at, last->span.at + last->span.len - by->span.at};
        diag_warn(p->diags, all, "every group ever seen is remembered: %s",
                  windowless ? "the query has no window"
                  : numbers  ? "the rate limit numbers them"
                             : "a function goes on from event to event in each");
        diag_hint(p->diags, windowless
                                ? "fine when there are few groups; else a window, or a partition with @purge"
                                : "fine when there are few groups; else a partition with @purge");
    }
    for (int i = 0; windowless && i < s->count; i++)
        warn_collectors(p, s->attrs[i]);
    if (windowless)
        warn_collectors(p, s->having);
    for (int i = 0; i < q->op_count; i++) {
        const char *name = q->ops[i]->type->name;
        if (windowless && (strcmp(name, "extrema:topK") == 0 || strcmp(name, "extrema:bottomK") == 0)) {
            diag_warn(p->diags, q->ops[i]->span,
                      "every value ever seen keeps a counter: the query has no window");
            diag_hint(p->diags, "a window before it lets old values go, '#window.time(1 hour)'");
        }
        if (strcmp(name, "window.unique:ever") == 0 || strcmp(name, "window.unique:first") == 0) {
            diag_warn(p->diags, q->ops[i]->span, "every value ever seen keeps a row in this window");
            diag_hint(p->diags, "fine when there are few values; else '#unique:time'");
        } else if (strcmp(name, "geo:stationary") == 0 || strcmp(name, "geo:proximity") == 0) {
            diag_warn(p->diags, q->ops[i]->span, "the place of every object ever seen is kept");
            diag_hint(p->diags, "fine when there are few objects; else a partition with @purge");
        }
    }
}

static const struct ast_state *without_group(const struct ast_state *s)
{
    while (s && s->kind == STATE_GROUP)
        s = s->left;
    return s;
}

/* Does time alone end the waiting for s: nothing but absences with 'for'? */
static bool ends_by_time(const struct ast_state *s)
{
    s = without_group(s);
    if (!s)
        return true;
    if (s->kind == STATE_NEXT || s->kind == STATE_AND || s->kind == STATE_OR)
        return ends_by_time(s->left) && ends_by_time(s->right);
    return s->kind == STATE_ABSENT && s->for_ms >= 0;
}

/* rest: what follows s; NULL: nothing. */
static void warn_state(struct planner *p, const struct ast_state *s, const struct ast_state *rest,
                       bool is_sequence)
{
    s = without_group(s);
    if (!s)
        return;
    switch (s->kind) {
    case STATE_NEXT:
        warn_state(p, s->left, s->right, is_sequence);
        warn_state(p, s->right, rest, is_sequence);
        return;
    case STATE_EVERY: {
        const struct ast_state *inner = without_group(s->left);
        bool waits = (rest && !ends_by_time(rest)) || (inner && inner->kind == STATE_NEXT);
        if (waits && !is_sequence) {
            diag_warn(p->diags, s->span,
                      "what 'every' starts waits for ever when the rest doesn't come: there is no 'within'");
            diag_hint(p->diags, "add 'within 10 min'");
        }
        warn_state(p, s->left, rest, is_sequence);
        return;
    }
    case STATE_AND:
    case STATE_OR:
        warn_state(p, s->left, rest, is_sequence);
        warn_state(p, s->right, rest, is_sequence);
        return;
    case STATE_STREAM:
        if (s->counted && s->max < 0) {
            diag_warn(p->diags, s->span, "this element can collect without end: there is no 'within'");
            diag_hint(p->diags, "give it a highest number, <1:100>, or add 'within 10 min'");
        }
        return;
    case STATE_ABSENT:
    case STATE_GROUP:
        return;
    }
}

static bool is_bare_stream(const struct planner *p, const struct ast_source *s)
{
    for (const struct ast_handler *h = s->handlers; h; h = h->next) {
        if (h->kind != HANDLER_FILTER &&
            (h->kind == HANDLER_WINDOW || window_find(h->expr->space.text, h->expr->name.text)))
            return false;
    }
    for (int i = 0; i < p->plan->element_count; i++) {
        const struct plan_element *e = p->plan->elements[i];
        if (e->kind != ELEMENT_STREAM && strcmp(e->schema->id, s->id.text) == 0)
            return false;
    }
    return true;
}

static bool deletes_from(const struct plan_query *q, const char *table)
{
    return q->ast->output.kind == OUTPUT_DELETE && strcmp(q->ast->output.target.text, table) == 0;
}

static bool is_deleted_from(const struct plan *plan, const char *table)
{
    for (const struct plan_item *i = plan->items; i; i = i->next) {
        if (i->query && deletes_from(i->query, table))
            return true;
        for (int k = 0; i->partition && k < i->partition->query_count; k++) {
            if (deletes_from(i->partition->queries[k], table))
                return true;
        }
    }
    return false;
}

/* Does column at of what q puts out take any number of values? */
static bool is_free(const struct plan_query *q, uint32_t at)
{
    const struct select_plan *s = selector(q);
    const struct schema *out = q->select->out;
    bool is_constant = (int)at < s->count && s->attrs[at]->flags & EXPR_CONST;
    return at < out->count && out->attributes[at].type != TYPE_BOOL && !is_constant;
}

/* Of 'update or insert': the same of the table's column. One that it doesn't put out is null in what is
 * inserted. */
static bool is_free_named(const struct plan_query *q, const char *column)
{
    int at = schema_find(q->select->out, column);
    return at >= 0 && is_free(q, (uint32_t)at);
}

/* Does on ask for a column of the table that is free? *names_any: for any. */
static bool asks_for_free(const struct plan_query *q, const struct ast_expr *on, const char *table,
                          bool *names_any)
{
    bool is_any = false;
    if (!on)
        return false;
    if (on->kind == AST_ATTR && on->source.text && strcmp(on->source.text, table) == 0) {
        *names_any = true;
        is_any = is_free_named(q, on->name.text);
    }
    is_any |= asks_for_free(q, on->left, table, names_any);
    is_any |= asks_for_free(q, on->right, table, names_any);
    for (const struct ast_expr *a = on->args; a; a = a->next)
        is_any |= asks_for_free(q, a, table, names_any);
    return is_any;
}

static bool inserts_free_keys(const struct plan_query *q, const struct plan_element *e)
{
    const struct table_key *key = &((const struct table_plan *)e->config)->primary;
    const struct ast_output *o = &q->ast->output;
    bool names_any = false;
    for (int i = 0; i < key->count; i++) {
        if (o->kind == OUTPUT_INSERT ? is_free(q, key->columns[i])
                                     : is_free_named(q, e->schema->attributes[key->columns[i]].name))
            return true;
    }
    return !key->count && (asks_for_free(q, o->on, e->schema->id, &names_any) || !names_any);
}

static void warn_insert(struct planner *p, const struct plan_query *q)
{
    const struct ast_output *o = &q->ast->output;
    bool is_upsert = o->kind == OUTPUT_UPSERT;
    for (int i = 0; (o->kind == OUTPUT_INSERT || is_upsert) && i < p->plan->table_count; i++) {
        const struct plan_element *e = p->plan->tables[i];
        const struct table_plan *table = e->config;
        if (strcmp(e->schema->id, o->target.text) != 0 || o->mark || is_deleted_from(p->plan, o->target.text))
            continue;
        if (!is_upsert && !table->primary.count) {
            diag_warn(p->diags, o->target.span,
                      "'%s' gets a row with every event and has no primary key; no query deletes from it",
                      o->target.text);
            diag_hint(p->diags, "@PrimaryKey('...') before 'define table', or a query that deletes");
        } else if (inserts_free_keys(q, e)) {
            diag_warn(p->diags, o->target.span,
                      "'%s' keeps a row for every %s ever seen; no query deletes from it", o->target.text,
                      table->primary.count ? "key" : "value");
            diag_hint(p->diags,
                      "fine when there are few, or on-demand queries delete; else a query that deletes");
        }
    }
}

/* ---- windows of an expression ---- */

static bool is_call(const struct ast_expr *e, const char *name)
{
    return e->kind == AST_CALL && !e->space.text && strcmp(e->name.text, name) == 0;
}

static bool has_count(const struct ast_expr *e)
{
    if (!e)
        return false;
    bool found = is_call(e, "count") || has_count(e->left) || has_count(e->right);
    for (const struct ast_expr *a = e->args; a && !found; a = a->next)
        found = has_count(a);
    return found;
}

/* What differs from the window's oldest row: its time, or a column of it. */
static bool has_first(const struct ast_expr *e)
{
    if (!e)
        return false;
    bool found = e->kind == AST_ATTR && strcmp(e->source.text ? e->source.text : e->name.text, "first") == 0;
    found = found || has_first(e->left) || has_first(e->right);
    for (const struct ast_expr *a = e->args; a && !found; a = a->next)
        found = has_first(a);
    return found;
}

/* Does e fail once there are many rows, or some that are old? A sum or a maximum may never grow. */
static bool sets_bound(const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_AND:
        return sets_bound(e->left) || sets_bound(e->right);
    case AST_OR:
        return sets_bound(e->left) && sets_bound(e->right);
    case AST_NOT:
        return has_count(e->left) || has_first(e->left);
    case AST_LT:
    case AST_LE:
        return has_count(e->left) || has_first(e->left) || has_first(e->right);
    case AST_GT:
    case AST_GE:
        return has_count(e->right) || has_first(e->left) || has_first(e->right);
    case AST_EQ:
    case AST_NE:
        return has_count(e->left) || has_count(e->right);
    default:
        return false;
    }
}

/* call: of a window; its text is the author's, so it was read before without an error. */
static void warn_expression(struct planner *p, const struct ast_expr *call)
{
    const struct ast_expr *text = call->args;
    bool is_batch = strcmp(call->name.text, "expressionBatch") == 0;
    if ((!is_batch && strcmp(call->name.text, "expression") != 0) || !text || text->kind != AST_LITERAL ||
        text->literal.type != TYPE_STRING)
        return;
    struct diags inner;
    struct text *t = text->literal.as.s;
    diags_init(&inner, p->arena, t->bytes, t->len);
    const struct ast_expr *e = parse_expression(&inner, t->bytes, t->len);
    if (!e || sets_bound(e))
        return;
    diag_warn(p->diags, text->span,
              "this expression bounds the rows of the window neither by number nor by time");
    diag_hint(p->diags, is_batch ? "'... and count() <= 1000': the batch ends there too"
                                 : "'... and count() <= 1000': the oldest rows leave then");
}

static void warn_source(struct planner *p, const struct ast_source *s)
{
    for (const struct ast_handler *h = s ? s->handlers : NULL; h; h = h->next) {
        if (h->kind == HANDLER_WINDOW)
            warn_expression(p, h->expr);
    }
}

static void warn_query(struct planner *p, const struct plan_query *q)
{
    const struct ast_query *ast = q->ast;
    warn_select(p, q);
    warn_insert(p, q);
    warn_source(p, ast->single);
    if (ast->join) {
        warn_source(p, ast->join->left);
        warn_source(p, ast->join->right);
    }
    if ((ast->input_kind == INPUT_PATTERN || ast->input_kind == INPUT_SEQUENCE) && ast->within_ms < 0)
        warn_state(p, ast->state, NULL, ast->input_kind == INPUT_SEQUENCE);
    if (ast->input_kind == INPUT_JOIN && is_bare_stream(p, ast->join->left) &&
        is_bare_stream(p, ast->join->right)) {
        diag_warn(p->diags, ast->input_span,
                  "neither side keeps rows for the other to find: the join has no window");
        diag_hint(p->diags, "'%s#window.time(1 min)'", ast->join->right->id.text);
    }
}

static void warn_partition(struct planner *p, const struct plan_partition *partition,
                           const struct ast_partition *ast)
{
    for (const struct ast_partition_key *k = ast->keys; k && !partition->purges; k = k->next) {
        bool is_bool = false;
        for (int i = 0; i < partition->input_count; i++) {
            const struct partition_input *in = &partition->inputs[i];
            is_bool = is_bool || (in->value && in->value->type == TYPE_BOOL &&
                                  strcmp(in->element->schema->id, k->stream.text) == 0);
        }
        if (!k->value || is_bool)
            continue;
        diag_warn(p->diags, k->value->span, "every value ever seen keeps its own copy of the queries inside");
        diag_hint(p->diags, "fine when there are few values; else @purge(enable='true', interval='1 hour', "
                            "idle.period='1 day') before 'partition'");
    }
    for (int i = 0; i < partition->query_count; i++)
        warn_query(p, partition->queries[i]);
}

void plan_warn_bounds(struct planner *p)
{
    const struct ast_item *ast = p->plan->ast->items;
    for (const struct plan_item *i = p->plan->items; i && ast; i = i->next, ast = ast->next) {
        if (i->query)
            warn_query(p, i->query);
        else
            warn_partition(p, i->partition, ast->partition);
    }
    for (int i = 0; i < p->plan->window_count; i++) {
        const struct plan_element *e = p->plan->windows[i];
        const char *name = e->window->type->name;
        if (strcmp(name, "window.unique:ever") == 0 || strcmp(name, "window.unique:first") == 0)
            diag_warn(p->diags, e->definition->id.span, "every value ever seen keeps a row in this window");
        warn_expression(p, e->definition->window);
    }
}
