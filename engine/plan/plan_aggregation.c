/* plan_aggregation.c - define aggregation (spec 09 sections 1, 4, 5): the select list becomes columns of
 * tables, one table a unit, and what reading makes of them. */
#include "engine/lang/parse.h"
#include "engine/run/aggregate.h"
#include <ctype.h>
#include <strings.h>

struct aggregation_build {
    struct planner *p;
    const struct ast_definition *def;
    struct aggregate_plan *plan;
    struct scope_source source;
    struct scope scope;
    struct aggregate_column *columns; /* room for all there can be */
    int column_count, column_cap;
    struct aggregate_output *outputs;
    struct attribute *attributes; /* of what reading gives */
    int output_count;
    bool failed;
};

static void fail(struct aggregation_build *b)
{
    b->failed = true;
}

/* ---- columns ---- */

static int column_add(struct aggregation_build *b, enum column_kind kind, const char *name, enum type type,
                      struct expr *from, struct span at)
{
    for (int i = 0; i < b->column_count; i++) {
        if (strcmp(b->columns[i].name, name) == 0) {
            diag_error(b->p->diags, at, "the tables of '%s' would have two columns named '%s'",
                       b->def->id.text, name);
            diag_hint(b->p->diags, "rename the attribute with 'as'");
            fail(b);
            return i;
        }
    }
    ASSERT(b->column_count < b->column_cap);
    b->columns[b->column_count] = (struct aggregate_column){kind, name, type, from};
    return b->column_count++;
}

static int column_find(const struct aggregation_build *b, enum column_kind kind, const char *name)
{
    for (int i = 0; i < b->column_count; i++) {
        if (b->columns[i].kind == kind && strcmp(b->columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

static void output_add(struct aggregation_build *b, const struct name *name, enum type type,
                       struct aggregate_output output)
{
    for (int i = 0; i < b->output_count; i++) {
        if (strcmp(b->attributes[i].name, name->text) == 0) {
            diag_error(b->p->diags, name->span, "the aggregation has two attributes named '%s'", name->text);
            diag_hint(b->p->diags, i ? "rename one with 'as'"
                                     : "every aggregation has AGG_TIMESTAMP, the start of the bucket");
            fail(b);
            return;
        }
    }
    b->attributes[b->output_count] = (struct attribute){name->text, type};
    b->outputs[b->output_count++] = output;
}

static const struct name *item_name(const struct ast_select_item *item)
{
    return item->as.text ? &item->as : &item->expr->name;
}

/* The group-by attribute this is, or -1. */
static int key_of(const struct aggregation_build *b, const struct ast_expr *e)
{
    return e->kind == AST_ATTR ? column_find(b, COLUMN_KEY, e->name.text) : -1;
}

static const struct {
    const char *name;
    bool numbers; /* its argument is a number */
} aggregators[] = {
    {"avg", true}, {"count", false}, {"distinctCount", false}, {"max", true}, {"min", true}, {"sum", true},
};

static bool is_incremental(const struct ast_expr *e)
{
    if (e->kind != AST_CALL || (e->space.text && strcmp(e->space.text, "incrementalAggregator") != 0))
        return false;
    for (size_t i = 0; i < sizeof(aggregators) / sizeof(aggregators[0]); i++) {
        if (strcmp(e->name.text, aggregators[i].name) == 0)
            return true;
    }
    return false;
}

/* Aggregators that can't be put together from parts stand alone only inside of other expressions. */
static bool is_refused(struct aggregation_build *b, const struct ast_expr *e)
{
    if (e->kind != AST_CALL || is_incremental(e) || !agg_exists(e->space.text, e->name.text))
        return false;
    diag_error(b->p->diags, e->op_span, "an aggregation can't keep '%s'", e->name.text);
    diag_hint(b->p->diags, "it keeps sum, avg, min, max, count and distinctCount");
    fail(b);
    return true;
}

/* Values of the newest event. */
static void plan_latest(struct aggregation_build *b, const struct ast_select_item *item)
{
    if (is_incremental(item->expr) || key_of(b, item->expr) >= 0 || is_refused(b, item->expr))
        return;
    struct expr_ctx c = plan_expr_ctx(b->p, &b->scope, &b->plan->running);
    struct expr *e = expr_compile(&c, item->expr);
    if (!e) {
        fail(b);
        return;
    }
    column_add(b, COLUMN_LATEST, item_name(item)->text, e->type, e, item_name(item)->span);
}

/* The argument, a bare attribute; NULL with *given false when there is none. */
static struct expr *plan_argument(struct aggregation_build *b, const struct ast_expr *call, bool numbers)
{
    const char *name = call->name.text;
    if (call->arg_count != 1 || call->star || call->args->kind != AST_ATTR) {
        diag_error(b->p->diags, call->arg_count ? call->args->span : call->op_span,
                   "'%s' takes one attribute in an aggregation", name);
        diag_hint(b->p->diags, "calculate in a query before, and aggregate what it puts out");
        fail(b);
        return NULL;
    }
    struct expr_ctx c = plan_expr_ctx(b->p, &b->scope, NULL);
    struct expr *e = expr_compile(&c, call->args);
    if (!e) {
        fail(b);
    } else if (numbers && !type_is_numeric(e->type)) {
        diag_error(b->p->diags, call->args->span, "'%s' takes a number, '%s' is %s", name,
                   call->args->name.text, type_name(e->type));
        fail(b);
        return NULL;
    } else if (!numbers && e->type == TYPE_OBJECT) {
        diag_error(b->p->diags, call->args->span, "'%s' can't count objects", name);
        fail(b);
        return NULL;
    }
    return e;
}

/* AGG_SUM_x and so on; shared by all that need it. */
static int shared_column(struct aggregation_build *b, enum column_kind kind, const char *prefix,
                         struct expr *e, const struct ast_expr *call)
{
    enum type type = e ? e->type : TYPE_LONG;
    if (kind == COLUMN_SUM)
        type = type == TYPE_FLOAT || type == TYPE_DOUBLE ? TYPE_DOUBLE : TYPE_LONG;
    if (kind == COLUMN_SET)
        type = TYPE_OBJECT;
    const char *name = e ? arena_printf(b->p->arena, "%s%s", prefix, call->args->name.text) : prefix;
    int at = column_find(b, kind, name);
    return at >= 0 ? at : column_add(b, kind, name, type, e, call->span);
}

static void plan_aggregator(struct aggregation_build *b, const struct ast_select_item *item)
{
    const struct ast_expr *call = item->expr;
    const struct name *name = item_name(item);
    struct aggregate_output out = {.count = -1};
    bool numbers = strcmp(call->name.text, "distinctCount") != 0;
    if (strcmp(call->name.text, "count") == 0) {
        /* The argument is checked, not looked at. */
        if (call->arg_count && (call->arg_count != 1 || call->args->kind != AST_ATTR))
            plan_argument(b, call, false);
        out.column = shared_column(b, COLUMN_COUNT, "AGG_COUNT", NULL, call);
        output_add(b, name, TYPE_LONG, out);
        return;
    }
    struct expr *e = plan_argument(b, call, numbers);
    if (!e)
        return;
    enum type type = e->type;
    if (!numbers) {
        out.column = shared_column(b, COLUMN_SET, "AGG_SET_", e, call);
        out.is_set_size = true;
        type = TYPE_LONG;
    } else if (strcmp(call->name.text, "min") == 0) {
        out.column = shared_column(b, COLUMN_MIN, "AGG_MIN_", e, call);
    } else if (strcmp(call->name.text, "max") == 0) {
        out.column = shared_column(b, COLUMN_MAX, "AGG_MAX_", e, call);
    } else {
        out.column = shared_column(b, COLUMN_SUM, "AGG_SUM_", e, call);
        type = b->columns[out.column].type;
    }
    if (strcmp(call->name.text, "avg") == 0) {
        out.count = shared_column(b, COLUMN_COUNT, "AGG_COUNT", NULL, call);
        type = TYPE_DOUBLE;
    }
    output_add(b, name, type, out);
}

static void plan_item(struct aggregation_build *b, const struct ast_select_item *item)
{
    const struct name *name = item_name(item);
    if (is_incremental(item->expr)) {
        plan_aggregator(b, item);
        return;
    }
    int column = key_of(b, item->expr);
    if (column < 0)
        column = column_find(b, COLUMN_LATEST, name->text);
    if (column >= 0)
        output_add(b, name, b->columns[column].type,
                   (struct aggregate_output){.column = column, .count = -1});
}

static void plan_keys(struct aggregation_build *b)
{
    struct expr_ctx c = plan_expr_ctx(b->p, &b->scope, NULL);
    int count = 0;
    for (const struct ast_expr *g = b->def->select.group_by; g; g = g->next) {
        if (++count > LIMIT_BUCKET_KEYS) {
            diag_error(b->p->diags, g->span, "'group by' takes at most %d attributes", LIMIT_BUCKET_KEYS);
            fail(b);
            return;
        }
        if (g->source.text) {
            diag_error(b->p->diags, g->source.span, "'group by' of an aggregation takes names alone");
            diag_hint(b->p->diags, "write '%s'", g->name.text);
            fail(b);
            continue;
        }
        struct expr *e = expr_compile(&c, g);
        if (e)
            column_add(b, COLUMN_KEY, g->name.text, e->type, e, g->span);
        else
            fail(b);
    }
    b->plan->layout.key_count = count;
}

/* The columns in the order of the tables, then what reading makes of them. */
static void plan_select_list(struct aggregation_build *b)
{
    const struct ast_select *select = &b->def->select;
    struct name start = {"AGG_TIMESTAMP", b->def->id.span};
    struct bucket_layout *l = &b->plan->layout;
    l->event_start = l->latest_time = -1;
    column_add(b, COLUMN_START, start.text, TYPE_LONG, NULL, start.span);
    if (b->def->aggregate_by)
        l->event_start =
            column_add(b, COLUMN_EVENT_START, "AGG_EVENT_TIMESTAMP", TYPE_LONG, NULL, start.span);
    output_add(b, &start, TYPE_LONG,
               (struct aggregate_output){.column = l->event_start >= 0 ? l->event_start : 0, .count = -1});
    l->first_key = b->column_count;
    plan_keys(b);
    bool has_latest = false;
    for (const struct ast_select_item *i = select->all ? NULL : select->items; i; i = i->next) {
        plan_latest(b, i);
        has_latest = has_latest || (i->expr->kind != AST_CALL && key_of(b, i->expr) < 0);
    }
    /* A function's value alone is that of the event that came last, whatever its time: the language looks at
     * times for the others only. */
    if (b->def->aggregate_by && has_latest)
        l->latest_time =
            column_add(b, COLUMN_LATEST_TIME, "AGG_LAST_EVENT_TIMESTAMP", TYPE_LONG, NULL, start.span);
    for (const struct ast_select_item *i = select->all ? NULL : select->items; i; i = i->next)
        plan_item(b, i);
}

/* ---- source and time ---- */

static bool plan_source(struct aggregation_build *b)
{
    struct planner *p = b->p;
    const struct ast_source *from = b->def->from;
    struct plan_element *e = plan_element_need(p, from->mark, &from->id);
    if (!e)
        return false;
    if (e->kind != ELEMENT_STREAM) {
        diag_error(p->diags, from->id.span, "'%s' is no stream; an aggregation reads a stream",
                   from->id.text);
        diag_hint(p->diags, "let a query put it into a stream");
        return false;
    }
    struct op_plan *first = NULL, *last = NULL, *window = NULL;
    const struct window_type *window_type = NULL;
    struct window_ctx wc = {.arena = p->arena, .diags = p->diags, .source_id = e->schema->id};
    const struct schema *schema = e->schema;
    b->source = (struct scope_source){.id = e->schema->id, .schema = schema};
    if (plan_handlers(p, from->handlers, &b->source, &schema, &first, &last, &wc, &window, &window_type) < 0)
        return false;
    if (window) {
        diag_error(p->diags, window->span, "no window can stand on the stream of an aggregation");
        return false;
    }
    if (from->handlers) {
        b->plan->loses_all = true;
        diag_warn(p->diags, from->handlers->span,
                  "with a filter or function on its stream the aggregation '%s' gets no events",
                  b->def->id.text);
        diag_hint(p->diags, "put it into a query before, and aggregate what that puts out");
    }
    b->source.schema = schema;
    b->scope = (struct scope){.sources = &b->source, .count = 1};
    b->plan->source = e;
    e->is_read = true;
    return true;
}

static void plan_by(struct aggregation_build *b)
{
    const struct ast_expr *by = b->def->aggregate_by;
    if (!by)
        return;
    struct expr_ctx c = plan_expr_ctx(b->p, &b->scope, NULL);
    b->plan->by = expr_compile(&c, by);
    if (!b->plan->by) {
        fail(b);
    } else if (b->plan->by->type != TYPE_LONG && b->plan->by->type != TYPE_STRING) {
        diag_error(b->p->diags, by->span,
                   "the time to aggregate by is long (milliseconds) or string, '%s' is %s", by->name.text,
                   type_name(b->plan->by->type));
        fail(b);
    }
}

static void unit_add(struct aggregation_build *b, enum duration unit, struct span at)
{
    struct aggregate_plan *plan = b->plan;
    int i = plan->unit_count;
    for (int k = 0; k < plan->unit_count; k++) {
        if (plan->units[k].unit == unit) {
            diag_error(b->p->diags, at, "'%s' is given twice", unit_name(unit));
            fail(b);
            return;
        }
    }
    for (; i > 0 && plan->units[i - 1].unit > unit; i--)
        plan->units[i] = plan->units[i - 1];
    plan->units[i] = (struct aggregate_unit){.unit = unit};
    plan->unit_count++;
}

static void plan_units(struct aggregation_build *b)
{
    const struct ast_definition *def = b->def;
    b->plan->units = arena_array(b->p->arena, UNIT_COUNT, sizeof(*b->plan->units));
    if (!def->duration_range) {
        for (int i = 0; i < def->duration_count; i++)
            unit_add(b, def->durations[i], def->duration_spans[i]);
        return;
    }
    if (def->durations[0] > def->durations[1]) {
        diag_error(b->p->diags, def->duration_spans[0], "the range begins with %s, coarser than its end %s",
                   unit_name(def->durations[0]), unit_name(def->durations[1]));
        diag_hint(b->p->diags, "every %s ... %s", unit_name(def->durations[1]), unit_name(def->durations[0]));
        fail(b);
        return;
    }
    for (enum duration d = def->durations[0]; d <= def->durations[1]; d++) {
        if (d != DURATION_WEEKS)
            unit_add(b, d, def->duration_spans[0]);
    }
}

/* ---- @purge ---- */

static const struct {
    const char *retention, *least; /* by unit; NULL: all, none */
} retentions[UNIT_COUNT] = {
    [DURATION_SECONDS] = {"120 sec", "120 sec"}, [DURATION_MINUTES] = {"24 hours", "120 min"},
    [DURATION_HOURS] = {"30 days", "25 hours"},  [DURATION_DAYS] = {"1 year", "32 days"},
    [DURATION_MONTHS] = {NULL, "13 months"},
};

static void plan_retention(struct aggregation_build *b, const struct ast_element *e)
{
    enum duration unit;
    int64_t retention_ms = RETAIN_ALL;
    if (!e->key.text || unit_parse(e->key.text, strlen(e->key.text), &unit) < 0) {
        diag_error(b->p->diags, e->key.text ? e->key.span : e->span,
                   "@retentionPeriod takes units: sec='120 sec', min='24 hours'");
        fail(b);
        return;
    }
    int at = 0;
    while (at < b->plan->unit_count && b->plan->units[at].unit != unit)
        at++;
    if (at == b->plan->unit_count) {
        diag_error(b->p->diags, e->key.span, "'%s' does not aggregate per %s", b->def->id.text,
                   unit_name(unit));
        fail(b);
        return;
    }
    if (strcasecmp(e->value, "all") != 0)
        retention_ms = parse_purge_time(e->value);
    if (retention_ms < 0) {
        diag_error(b->p->diags, e->span, "'%s' is not a time", e->value);
        diag_hint(b->p->diags, "write a number and a unit, or 'all'");
        fail(b);
    } else if (retentions[unit].least && retention_ms < parse_time(retentions[unit].least)) {
        diag_error(b->p->diags, e->span, "%s are kept for at least '%s'", unit_name(unit),
                   retentions[unit].least);
        fail(b);
    }
    b->plan->units[at].retention_ms = retention_ms;
}

static void plan_purge(struct aggregation_build *b)
{
    struct aggregate_plan *plan = b->plan;
    const struct ast_annotation *purge = ast_find_annotation(b->def->annotations, "purge");
    const struct ast_element *enable = purge ? ast_find_element(purge, "enable") : NULL;
    const struct ast_element *interval = purge ? ast_find_element(purge, "interval") : NULL;
    const struct ast_annotation *periods =
        purge ? ast_find_annotation(purge->nested, "retentionPeriod") : NULL;
    plan->purges = !enable || strcasecmp(enable->value, "true") == 0;
    plan->interval_ms = parse_time("15 min");
    for (int i = 0; i < plan->unit_count; i++) {
        const char *retention = retentions[plan->units[i].unit].retention;
        plan->units[i].retention_ms = retention ? parse_time(retention) : RETAIN_ALL;
    }
    if (enable && !plan->purges && strcasecmp(enable->value, "false") != 0) {
        diag_error(b->p->diags, enable->span, "'enable' of @purge is 'true' or 'false', not '%s'",
                   enable->value);
        fail(b);
    }
    if (!plan->purges)
        return;
    if (interval) {
        plan->interval_ms = parse_purge_time(interval->value);
        if (plan->interval_ms <= 0) {
            diag_error(b->p->diags, interval->span, "'%s' is not a time above 0", interval->value);
            diag_hint(b->p->diags, "write a number and a unit: '10 sec', '15 min'");
            fail(b);
        }
    }
    for (const struct ast_element *e = periods ? periods->elements : NULL; e; e = e->next)
        plan_retention(b, e);
}

/* ---- the other annotations ---- */

static bool is_enabled(const struct ast_annotation *a)
{
    const struct ast_element *enable = ast_find_element(a, "enable");
    return enable && strcasecmp(enable->value, "true") == 0;
}

static void plan_annotations(struct aggregation_build *b)
{
    struct diags *d = b->p->diags;
    for (const struct ast_annotation *a = b->def->annotations; a; a = a->next) {
        if (strcasecmp(a->name.text, "primaryKey") == 0) {
            diag_error(d, a->span, "the tables of an aggregation have their own primary key");
            fail(b);
        } else if (strcasecmp(a->name.text, "PartitionById") == 0 && is_enabled(a)) {
            diag_error(d, a->span, "@PartitionById needs the property 'shardId', which is not given");
            diag_hint(d, "several engines that share one store are not part of this program");
            fail(b);
        } else if (strcasecmp(a->name.text, "persistedAggregation") == 0 && is_enabled(a)) {
            diag_error(d, a->span, "@persistedAggregation needs a 'datasource', and there is none");
            fail(b);
        }
    }
    plan_purge(b);
}

/* ---- tables ---- */

static struct ast_expr *attr_ast(struct aggregation_build *b, const char *source, const char *name)
{
    struct ast_expr *e = arena_alloc(b->p->arena, sizeof(*e));
    e->kind = AST_ATTR;
    e->height = 1;
    e->span = b->def->id.span;
    e->source = (struct name){source, b->def->id.span};
    e->name = (struct name){name, b->def->id.span};
    return e;
}

static struct ast_expr *binary_ast(struct aggregation_build *b, enum ast_expr_kind kind,
                                   struct ast_expr *left, struct ast_expr *right)
{
    struct ast_expr *e = arena_alloc(b->p->arena, sizeof(*e));
    e->kind = kind;
    e->height = 3;
    e->span = e->op_span = b->def->id.span;
    e->left = left;
    e->right = right;
    return e;
}

/* @primaryKey of the starts and the keys, and what else the aggregation says about its tables. */
static struct ast_annotation *table_annotations(struct aggregation_build *b)
{
    struct arena *arena = b->p->arena;
    const struct bucket_layout *l = &b->plan->layout;
    struct ast_annotation *primary = arena_alloc(arena, sizeof(*primary)), **last = &primary->next;
    struct ast_element **element = &primary->elements;
    primary->name = (struct name){"primaryKey", b->def->id.span};
    primary->span = b->def->id.span;
    for (int i = 0; i < l->first_key + l->key_count; i++) {
        struct ast_element *e = arena_alloc(arena, sizeof(*e));
        e->value = b->columns[i].name;
        e->span = b->def->id.span;
        *element = e;
        element = &e->next;
    }
    for (const struct ast_annotation *a = b->def->annotations; a; a = a->next) {
        if (strcasecmp(a->name.text, "index") != 0 && strcasecmp(a->name.text, "store") != 0)
            continue;
        struct ast_annotation *copy = arena_alloc(arena, sizeof(*copy));
        *copy = *a;
        copy->next = NULL;
        *last = copy;
        last = &copy->next;
    }
    return primary;
}

static struct plan_element *define_unit_table(struct aggregation_build *b, enum duration unit)
{
    struct arena *arena = b->p->arena;
    struct ast_definition *def = arena_alloc(arena, sizeof(*def));
    struct ast_attribute **last = &def->attributes;
    def->kind = DEFINE_TABLE;
    def->id = (struct name){arena_printf(arena, "%s_%s", b->def->id.text, unit_table_suffix(unit)),
                            b->def->id.span};
    def->span = b->def->span;
    def->annotations = table_annotations(b);
    for (int i = 0; i < b->column_count; i++) {
        struct ast_attribute *a = arena_alloc(arena, sizeof(*a));
        a->name = (struct name){b->columns[i].name, b->def->id.span};
        a->type = b->columns[i].type;
        *last = a;
        last = &a->next;
    }
    if (plan_element_find(b->p, 0, def->id.text)) {
        diag_error(b->p->diags, b->def->id.span,
                   "'%s' is defined already; the aggregation '%s' needs a table of this name", def->id.text,
                   b->def->id.text);
        return NULL;
    }
    int errors = b->p->diags->errors, unsupported = b->p->diags->unsupported;
    plan_define_table(b->p, def);
    if (b->p->diags->errors > errors || b->p->diags->unsupported > unsupported)
        return NULL;
    return plan_element_find(b->p, 0, def->id.text);
}

/* START <= its time < END: of slot 0, a row made for the question. */
static const struct table_query *plan_range(struct aggregation_build *b, const struct plan_element *table)
{
    struct schema *range = schema_new(b->p->arena, "range", 2);
    range->attributes[0] = (struct attribute){"START", TYPE_LONG};
    range->attributes[1] = (struct attribute){"END", TYPE_LONG};
    struct scope_source *sources = arena_array(b->p->arena, 2, sizeof(*sources));
    sources[0] = (struct scope_source){.id = range->id, .schema = range, .slot = 0};
    sources[1] = (struct scope_source){.id = table->schema->id, .schema = table->schema, .slot = 1};
    struct scope *scope = arena_alloc(b->p->arena, sizeof(*scope));
    *scope = (struct scope){.sources = sources, .count = 2};
    const char *id = table->schema->id,
               *time = b->columns[b->plan->layout.event_start >= 0 ? b->plan->layout.event_start : 0].name;
    struct ast_expr *from = binary_ast(b, AST_GE, attr_ast(b, id, time), attr_ast(b, range->id, "START"));
    struct ast_expr *to = binary_ast(b, AST_LT, attr_ast(b, id, time), attr_ast(b, range->id, "END"));
    return plan_table_query(b->p, table, scope, 1, binary_ast(b, AST_AND, from, to), NULL);
}

static void plan_tables(struct aggregation_build *b)
{
    for (int i = 0; i < b->plan->unit_count && !b->failed; i++) {
        struct aggregate_unit *u = &b->plan->units[i];
        u->table = define_unit_table(b, u->unit);
        if (u->table)
            u->range = plan_range(b, u->table);
        if (!u->range)
            fail(b);
    }
    if (b->failed)
        return;
    KNOWN(b->plan->units[0].table);
    b->plan->layout.schema = b->plan->units[0].table->schema;
    enum column_kind *kinds = arena_array(b->p->arena, (size_t)b->column_count, sizeof(*kinds));
    for (int i = 0; i < b->column_count; i++)
        kinds[i] = b->columns[i].kind;
    b->plan->layout.kinds = kinds;
}

/* ---- the definition ---- */

static void build_room(struct aggregation_build *b)
{
    size_t items = 1, keys = 0;
    for (const struct ast_select_item *i = b->def->select.items; i; i = i->next)
        items++;
    for (const struct ast_expr *g = b->def->select.group_by; g; g = g->next)
        keys++;
    /* An avg makes two columns. */
    b->column_cap = (int)(3 + keys + 2 * items);
    b->columns = arena_array(b->p->arena, (size_t)b->column_cap, sizeof(*b->columns));
    b->outputs = arena_array(b->p->arena, items, sizeof(*b->outputs));
    b->attributes = arena_array(b->p->arena, items, sizeof(*b->attributes));
}

void plan_define_aggregation(struct planner *p, const struct ast_definition *def)
{
    struct aggregation_build *b = arena_alloc(p->arena, sizeof(*b));
    struct plan_element *e = plan_define(p, def, ELEMENT_AGGREGATION);
    if (!e)
        return;
    b->p = p;
    b->def = def;
    b->plan = arena_alloc(p->arena, sizeof(*b->plan));
    struct aggregate_plan *plan = b->plan;
    build_room(b);
    if (!plan_source(b))
        return;
    plan_by(b);
    plan_units(b);
    plan_select_list(b);
    plan_annotations(b);
    if (!b->failed)
        plan_tables(b);
    if (b->failed)
        return;
    struct schema *out = schema_new(p->arena, def->id.text, (uint32_t)b->output_count);
    memcpy(out->attributes, b->attributes, (size_t)b->output_count * sizeof(*b->attributes));
    plan->element = e;
    plan->out = out;
    plan->outputs = b->outputs;
    plan->columns = b->columns;
    plan->op = (struct op_plan){.type = &op_aggregate, .in = b->source.schema, .span = def->span};
    plan->purge = (struct op_plan){.type = &op_aggregate_purge, .span = def->span};
    plan_add_op(p, &plan->op);
    plan_add_op(p, &plan->purge);
    e->schema = out;
    e->config = plan;
}

const char *plan_stored_aggregation(const struct plan *p)
{
    for (int i = 0; i < p->aggregation_count; i++) {
        const struct aggregate_plan *a = p->aggregations[i]->config;
        const struct table_plan *rows = a->units[0].table->config;
        if (rows->type == &table_stored)
            return p->aggregations[i]->schema->id;
    }
    return NULL;
}
