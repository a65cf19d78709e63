/* plan_table.c - tables: their definition, what writes to them, what looks into them, and 'in' (spec 08). The
 * way a condition is executed is decided here and nowhere else: see search_of. */
#include "engine/base/limits.h"
#include "engine/base/utf8.h"
#include "engine/lang/parse.h"
#include "engine/plan/plan.h"
#include "engine/run/lookup.h"
#include "engine/run/table.h"
#include <stdlib.h>
#include <strings.h>

/* ---- define table ---- */

static bool key_column(struct planner *p, const struct schema *schema, const struct ast_element *e,
                       const char *what, uint16_t *column)
{
    int at = schema_find(schema, e->value);
    if (at < 0) {
        diag_error(p->diags, e->span, "%s names '%s', which is not an attribute of '%s'", what, e->value,
                   schema->id);
        const char **names = arena_array(p->arena, schema->count + 1, sizeof(*names));
        for (uint32_t i = 0; i < schema->count; i++)
            names[i] = schema->attributes[i].name;
        const char *near = diag_near(e->value, names, schema->count);
        if (near)
            diag_hint(p->diags, "did you mean '%s'?", near);
        return false;
    }
    *column = (uint16_t)at;
    return true;
}

static void key_finish(struct planner *p, const struct schema *schema, struct table_key *k, const char *word)
{
    struct buf label;
    k->type = schema->attributes[k->columns[0]].type;
    k->is_ordered = k->count == 1 && type_is_numeric(k->type);
    for (int i = 1; i < k->count; i++)
        k->is_turned |= k->columns[i] < k->columns[i - 1];
    buf_init(&label, 4096);
    for (int i = 0; i < k->count; i++)
        buf_printf(&label, "%s%s", i ? ", " : "", schema->attributes[k->columns[i]].name);
    k->label = arena_printf(p->arena, "%s (%s)", word, label.bytes ? (const char *)label.bytes : "");
    buf_fini(&label);
}

static void define_primary(struct planner *p, struct table_plan *t, const struct ast_annotation *a)
{
    const struct schema *schema = t->element->schema;
    struct table_key *k = &t->primary;
    if (k->count) {
        diag_error(p->diags, a->span, "@PrimaryKey is given twice");
        diag_hint(p->diags, "a key of several attributes is written @PrimaryKey('a', 'b')");
        return;
    }
    k->columns = arena_array(p->arena, LIMIT_TABLE_KEY, sizeof(*k->columns));
    for (const struct ast_element *e = a->elements; e; e = e->next) {
        if (k->count == LIMIT_TABLE_KEY) {
            diag_error(p->diags, e->span, "a primary key has at most %d attributes", LIMIT_TABLE_KEY);
            return;
        }
        if (!key_column(p, schema, e, "@PrimaryKey", &k->columns[k->count]))
            return;
        k->count++;
    }
    if (k->count == 0) {
        diag_error(p->diags, a->span, "@PrimaryKey needs the name of an attribute");
        return;
    }
    key_finish(p, schema, k, "primary key");
    k->span = a->span;
}

static void define_index(struct planner *p, struct table_plan *t, const struct ast_annotation *a)
{
    const struct schema *schema = t->element->schema;
    struct table_key k = {.count = 1, .columns = arena_array(p->arena, 1, sizeof(uint16_t))};
    if (!a->elements || a->elements->next) {
        diag_error(p->diags, a->span, "@Index takes the name of one attribute");
        diag_hint(p->diags, "several indexes are several annotations: @Index('a') @Index('b')");
        return;
    }
    if (!key_column(p, schema, a->elements, "@Index", &k.columns[0]))
        return;
    for (int i = 0; i < t->index_count; i++) {
        if (t->indexes[i].columns[0] == k.columns[0]) {
            diag_error(p->diags, a->span, "'%s' has two indexes on '%s'", schema->id, a->elements->value);
            return;
        }
    }
    key_finish(p, schema, &k, "index");
    struct table_key *wider = arena_array(p->arena, (size_t)t->index_count + 1, sizeof(*wider));
    if (t->index_count)
        memcpy(wider, t->indexes, (size_t)t->index_count * sizeof(*wider));
    wider[t->index_count++] = k;
    t->indexes = wider;
}

/* Indexes stand in the order of a Java hash map of their names: the first is what a scan without a primary
 * key goes by, and a row that one of them refuses stays in those before it. */
static uint32_t java_bucket(const char *name, uint32_t buckets)
{
    uint32_t h = (uint32_t)utf8_java_hash(name, strlen(name));
    return (h ^ h >> 16) & (buckets - 1);
}

static void sort_indexes(struct table_plan *t)
{
    const struct attribute *attributes = t->element->schema->attributes;
    uint32_t buckets = 16;
    while ((uint32_t)t->index_count > buckets / 4 * 3)
        buckets *= 2;
    for (int i = 1; i < t->index_count; i++) {
        struct table_key key = t->indexes[i];
        uint32_t own = java_bucket(attributes[key.columns[0]].name, buckets);
        int at = i;
        for (; at > 0 && java_bucket(attributes[t->indexes[at - 1].columns[0]].name, buckets) > own; at--)
            t->indexes[at] = t->indexes[at - 1];
        t->indexes[at] = key;
    }
}

static void cache_time(struct planner *p, const struct ast_annotation *cache, const char *name)
{
    const struct ast_element *e = ast_find_element(cache, name);
    if (e && parse_time(e->value) <= 0) {
        diag_error(p->diags, e->span, "'%s' of @Cache is not a time above 0: '%s'", name, e->value);
        diag_hint(p->diags, "write a number and a unit: '10 sec', '15 min'");
    }
}

/* A cache answers what the store would (spec 08 section 5), and this store keeps the pages that are asked for
 * in memory: so what is said is checked, and nothing comes of it. */
static void define_cache(struct planner *p, const struct ast_annotation *cache)
{
    const struct ast_element *size = ast_find_element(cache, "size");
    const struct ast_element *policy = ast_find_element(cache, "cache.policy");
    if (!size || strspn(size->value, "0123456789") != strlen(size->value) ||
        strtol(size->value, NULL, 10) <= 0) {
        diag_error(p->diags, size ? size->span : cache->span, "@Cache needs a size: how many rows");
        diag_hint(p->diags, "@Cache(size='1000', cache.policy='LRU')");
    }
    if (policy && strcasecmp(policy->value, "FIFO") != 0 && strcasecmp(policy->value, "LRU") != 0 &&
        strcasecmp(policy->value, "LFU") != 0) {
        diag_error(p->diags, policy->span, "there is no cache policy '%s'", policy->value);
        diag_hint(p->diags, "FIFO, LRU or LFU");
    }
    cache_time(p, cache, "retention.period");
    cache_time(p, cache, "purge.interval");
}

/* While the store can't be written the agent takes nothing in and tries again: what the language calls
 * 'retry', and its 'log' does the same; 'wait' is a sink's word for it. 'store' would put what could not be
 * written beside it on the same disk. */
static void check_on_error(struct planner *p, const struct ast_annotation *a)
{
    static const char *const words[] = {"log", "retry", "wait", "store"};
    const struct ast_element *e = ast_find_element(a, "on.error");
    for (size_t i = 0; e && i < sizeof(words) / sizeof(*words); i++) {
        if (strcasecmp(words[i], e->value) != 0)
            continue;
        if (strcmp(words[i], "store") == 0)
            diag_warn(p->diags, e->span,
                      "on.error='store' does as 'retry' here: while this store fails, nothing is taken in");
        return;
    }
    if (e)
        diag_error(p->diags, e->span, "on.error of a store is 'log', 'retry' or 'store', not '%s'", e->value);
}

static bool define_store(struct planner *p, const struct ast_annotation *a)
{
    const struct ast_element *type = ast_find_element(a, "type");
    if (!type) {
        diag_error(p->diags, a->span, "@Store needs a type");
        return false;
    }
    if (strcasecmp(type->value, "lmdb") != 0) {
        diag_error(p->diags, type->span, "there is no store '%s'", type->value);
        diag_hint(p->diags, "@Store(type='lmdb') keeps the table in the agent's folder of state");
        return false;
    }
    for (const struct ast_annotation *n = a->nested; n; n = n->next) {
        if (strcasecmp(n->name.text, "Cache") == 0)
            define_cache(p, n);
    }
    check_on_error(p, a);
    for (const struct ast_element *e = a->elements; e; e = e->next) {
        if (!e->key.text ||
            (strcasecmp(e->key.text, "type") != 0 && strcasecmp(e->key.text, "on.error") != 0))
            diag_warn(p->diags, e->span, "this store has no option '%s': it has no effect",
                      e->key.text ? e->key.text : "");
    }
    p->plan->has_stored = true;
    return true;
}

void plan_define_table(struct planner *p, const struct ast_definition *def)
{
    struct plan_element *e = plan_define(p, def, ELEMENT_TABLE);
    if (!e)
        return;
    struct table_plan *t = arena_alloc(p->arena, sizeof(*t));
    t->element = e;
    e->config = t;
    bool is_stored = false;
    for (const struct ast_annotation *a = def->annotations; a; a = a->next) {
        if (strcasecmp(a->name.text, "PrimaryKey") == 0)
            define_primary(p, t, a);
        else if (strcasecmp(a->name.text, "Index") == 0)
            define_index(p, t, a);
        else if (strcasecmp(a->name.text, "Store") == 0)
            is_stored |= define_store(p, a);
        else if (strcasecmp(a->name.text, "IndexBy") == 0) {
            diag_error(p->diags, a->span, "@IndexBy is no longer part of the language");
            diag_hint(p->diags, "write @PrimaryKey or @Index");
        }
    }
    t->type = is_stored ? &table_stored : t->primary.count || t->index_count ? &table_keyed : &table_list;
    sort_indexes(t);
    if (t->primary.is_turned && !is_stored) {
        diag_warn(p->diags, t->primary.span,
                  "a lookup by the whole %s fails: the table has its attributes in another order",
                  t->primary.label);
        diag_hint(p->diags, "name them in the order of the table's attributes");
    }
}

bool plan_table_need(struct planner *p, const struct plan_element *e, const struct name *id)
{
    if (e && e->kind == ELEMENT_TABLE)
        return true;
    if (e)
        diag_error(p->diags, id->span, "'%s' is not a table", id->text);
    else
        diag_error(p->diags, id->span, "there is no table '%s'", id->text);
    return false;
}

/* ---- conditions ---- */

struct search_build {
    struct planner *p;
    struct expr_ctx c;
    const struct table_plan *table;
    uint16_t slot;
};

/* The column of the table's row that e is, or -1. The whole condition was compiled before: nothing is
 * reported here. */
static int column_of(struct search_build *b, const struct ast_expr *e)
{
    if (e->kind != AST_ATTR)
        return -1;
    const struct expr *x = expr_compile(&b->c, e);
    return x && (x->flags & EXPR_PURE) && !(x->flags & EXPR_CONST) && x->slot == b->slot ? x->index : -1;
}

static bool uses_row(struct search_build *b, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LITERAL:
        return false;
    case AST_ATTR:
        return column_of(b, e) >= 0;
    case AST_CALL:
        for (const struct ast_expr *a = e->args; a; a = a->next) {
            if (uses_row(b, a))
                return true;
        }
        return e->star;
    case AST_IS_NULL:
        /* 'name is null' may speak of a whole input. */
        return e->left->kind == AST_SOURCE || (e->left->kind == AST_ATTR && !e->left->source.text) ||
               uses_row(b, e->left);
    case AST_SOURCE:
    case AST_IN:
        return true;
    case AST_NOT:
        return uses_row(b, e->left);
    case AST_AND:
    case AST_OR:
    case AST_EQ:
    case AST_NE:
    case AST_LT:
    case AST_LE:
    case AST_GT:
    case AST_GE:
    case AST_ADD:
    case AST_SUB:
    case AST_MUL:
    case AST_DIV:
    case AST_MOD:
        break;
    }
    return uses_row(b, e->left) || uses_row(b, e->right);
}

/* What a part of a condition can do for the search (spec 08 section 3). */
enum part_kind {
    PART_NONE, /* it doesn't look at rows */
    PART_ROWS, /* a lookup: search is set */
    PART_KEY,  /* some columns of a composite key by '==': values is set */
    PART_SCAN, /* nothing */
};
struct part {
    enum part_kind kind;
    struct table_search *search;
    struct expr **values; /* by column of the key, NULL where missing; of a lookup by all of it too */
    const struct ast_expr
        *unequal;  /* a comparison of a key's column by another operator, or the column alone */
    bool is_alone; /* the part is nothing but a column of a composite key */
    const struct ast_expr *refused; /* of a lookup: what the language can't execute in it */
};

static struct table_search *search_new(struct search_build *b, enum search_kind kind,
                                       const struct ast_expr *e)
{
    struct table_search *s = arena_alloc(b->p->arena, sizeof(*s));
    s->kind = kind;
    s->condition = e ? expr_compile(&b->c, e) : NULL;
    return s;
}

static struct part part_rows(struct table_search *s)
{
    return (struct part){.kind = PART_ROWS, .search = s};
}

static struct part part_of(struct search_build *b, const struct ast_expr *e, bool under_both);

/* 'column OP something without the row', either way round: the column, the operator and the other side. */
static bool comparison(struct search_build *b, const struct ast_expr *e, int *column, enum ast_expr_kind *op,
                       const struct ast_expr **value)
{
    if (e->kind < AST_EQ || e->kind > AST_GE)
        return false;
    for (int side = 0; side < 2; side++) {
        const struct ast_expr *own = side ? e->right : e->left, *other = side ? e->left : e->right;
        *column = column_of(b, own);
        if (*column < 0 || uses_row(b, other))
            continue;
        *op = side ? ast_mirrored(e->kind) : e->kind;
        *value = other;
        return true;
    }
    return false;
}

/* The index over a column: its number, TABLE_PRIMARY, or TABLE_PRIMARY - 1 when there is none. */
static int index_on(const struct table_plan *t, int column)
{
    if (t->primary.count == 1 && t->primary.columns[0] == column)
        return TABLE_PRIMARY;
    for (int i = 0; i < t->index_count; i++) {
        if (t->indexes[i].columns[0] == column)
            return i;
    }
    return TABLE_PRIMARY - 1;
}

static struct table_search *search_index(struct search_build *b, const struct ast_expr *e, int index,
                                         enum ast_expr_kind op, struct expr *value)
{
    struct table_search *s = search_new(b, SEARCH_INDEX, e);
    s->index = index;
    s->op = op;
    s->value_count = 1;
    s->values = arena_array(b->p->arena, 1, sizeof(struct expr *));
    s->values[0] = value;
    return s;
}

static struct part part_compare(struct search_build *b, const struct ast_expr *e)
{
    const struct table_key *k = &b->table->primary;
    int column;
    enum ast_expr_kind op;
    const struct ast_expr *value;
    if (!comparison(b, e, &column, &op, &value))
        return (struct part){.kind = PART_SCAN};
    int index = index_on(b->table, column);
    if (index >= TABLE_PRIMARY)
        return part_rows(search_index(b, e, index, op, expr_compile(&b->c, value)));
    struct part part = {.kind = PART_SCAN};
    for (int i = 0; i < k->count; i++) {
        if (k->columns[i] != column)
            continue;
        part.kind = PART_KEY;
        part.values = arena_array(b->p->arena, (size_t)k->count, sizeof(struct expr *));
        if (op == AST_EQ) /* only this says something about its column */
            part.values[i] = expr_compile(&b->c, value);
        else
            part.unequal = e;
    }
    return part;
}

/* Two parts of a key: the whole of it is a lookup. */
static struct part part_key(struct search_build *b, const struct ast_expr *e, const struct part *left,
                            const struct part *right)
{
    const struct table_key *k = &b->table->primary;
    struct part part = *left;
    int count = 0;
    part.kind = PART_KEY;
    part.is_alone = false;
    part.values = arena_array(b->p->arena, (size_t)k->count, sizeof(struct expr *));
    memcpy(part.values, left->values, (size_t)k->count * sizeof(struct expr *));
    if (!part.unequal)
        part.unequal = right->unequal;
    for (int i = 0; i < k->count; i++) {
        if (right->values[i]) /* what is said last about a column holds */
            part.values[i] = right->values[i];
        count += part.values[i] != NULL;
    }
    if (count < k->count)
        return part;
    struct table_search *s = search_new(b, SEARCH_KEY, e);
    s->index = TABLE_PRIMARY;
    s->op = AST_EQ;
    s->values = part.values;
    s->value_count = k->count;
    struct part whole = part_rows(s);
    whole.values = part.values;
    whole.refused = left->refused ? left->refused : right->refused ? right->refused : part.unequal;
    return whole;
}

static bool finds_one(const struct table_search *s)
{
    return s->kind == SEARCH_KEY || (s->kind == SEARCH_INDEX && s->op == AST_EQ);
}

/* Of two parts that are executed together. */
static const struct ast_expr *refused_of(const struct part *left, const struct part *right)
{
    const struct part *rows = left->kind == PART_ROWS ? left : right, *other = rows == left ? right : left;
    if (rows->refused)
        return rows->refused;
    return other->is_alone ? other->unequal : other->kind == PART_ROWS ? other->refused : NULL;
}

static struct part part_and(struct search_build *b, const struct ast_expr *e, bool under_both)
{
    struct part left = part_of(b, e->left, under_both), right = part_of(b, e->right, under_both);
    if (left.values && right.values)
        return part_key(b, e, &left, &right);
    if (left.kind != PART_ROWS && right.kind != PART_ROWS)
        return (struct part){.kind = PART_SCAN};
    bool both = left.kind == PART_ROWS && right.kind == PART_ROWS;
    if (both && !under_both) {
        left = part_of(b, e->left, true);
        right = part_of(b, e->right, true);
    }
    const struct part *rows = left.kind == PART_ROWS ? &left : &right,
                      *other = left.kind == PART_ROWS ? &right : &left;
    enum search_kind kind = both ? SEARCH_BOTH : other->kind == PART_NONE ? SEARCH_GUARD : SEARCH_FILTER;
    struct table_search *s = search_new(b, kind, e);
    s->left = rows->search;
    if (both)
        s->right = other->search;
    if (kind == SEARCH_GUARD)
        s->gate = expr_compile(&b->c, rows == &left ? e->right : e->left);
    s->is_inner = kind == SEARCH_FILTER && under_both && !finds_one(s->left);
    struct part whole = part_rows(s);
    whole.refused = refused_of(&left, &right);
    return whole;
}

static struct part part_or(struct search_build *b, const struct ast_expr *e, bool under_both)
{
    struct part left = part_of(b, e->left, under_both), right = part_of(b, e->right, under_both);
    /* A side that doesn't look at rows knows its rows: all or none. */
    if (left.kind == PART_NONE)
        left = part_rows(search_new(b, SEARCH_GATE, e->left));
    if (right.kind == PART_NONE)
        right = part_rows(search_new(b, SEARCH_GATE, e->right));
    if (left.kind != PART_ROWS || right.kind != PART_ROWS)
        return (struct part){.kind = PART_SCAN};
    struct table_search *s = search_new(b, SEARCH_EITHER, e);
    s->left = left.search;
    s->right = right.search;
    struct part whole = part_rows(s);
    whole.refused = refused_of(&left, &right);
    return whole;
}

static struct part part_not(struct search_build *b, const struct ast_expr *e, bool under_both)
{
    struct part left = part_of(b, e->left, under_both);
    if (left.kind != PART_ROWS)
        return (struct part){.kind = PART_SCAN};
    struct table_search *s = search_new(b, SEARCH_NOT, e);
    s->left = left.search;
    struct part whole = part_rows(s);
    whole.refused = left.refused;
    return whole;
}

static struct part part_alone(struct search_build *b, const struct ast_expr *e, int column)
{
    const struct table_key *k = &b->table->primary;
    struct part part = {.kind = PART_SCAN};
    for (int i = 0; i < k->count; i++) {
        if (k->columns[i] != column)
            continue;
        part = (struct part){.kind = PART_KEY, .unequal = e, .is_alone = true};
        part.values = arena_array(b->p->arena, (size_t)k->count, sizeof(struct expr *));
        part.values[i] = expr_literal(b->p->arena, value_bool(true), TYPE_BOOL);
    }
    return part;
}

/* An attribute alone is looked up as 'true', 'is null' as null. */
static struct part part_attribute(struct search_build *b, const struct ast_expr *e,
                                  const struct ast_expr *attribute)
{
    int column = column_of(b, attribute);
    int index = column < 0 ? TABLE_PRIMARY - 1 : index_on(b->table, column);
    struct value v = e == attribute ? value_bool(true) : VALUE_NULL;
    if (index < TABLE_PRIMARY && e == attribute)
        return part_alone(b, e, column);
    if (index < TABLE_PRIMARY)
        return (struct part){.kind = PART_SCAN};
    return part_rows(search_index(b, e, index, AST_EQ, expr_literal(b->p->arena, v, TYPE_BOOL)));
}

/* under_both: below an 'and' of two lookups. */
static struct part part_of(struct search_build *b, const struct ast_expr *e, bool under_both)
{
    if (!uses_row(b, e))
        return (struct part){.kind = PART_NONE};
    switch ((int)e->kind) {
    case AST_AND:
        return part_and(b, e, under_both);
    case AST_OR:
        return part_or(b, e, under_both);
    case AST_NOT:
        return part_not(b, e, under_both);
    case AST_IS_NULL:
        return part_attribute(b, e, e->left);
    case AST_ATTR:
        return part_attribute(b, e, e);
    default:
        return part_compare(b, e);
    }
}

/* A lookup by a composite key, or beside one by an index, that the language has no way to execute. A scan may
 * say the same. */
static void refuse(struct search_build *b, const struct ast_expr *e)
{
    const char *label = b->table->primary.label;
    if (e->kind == AST_ATTR) {
        diag_error(b->p->diags, e->span, "an attribute of the %s does not stand alone beside a lookup",
                   label);
        diag_hint(b->p->diags, "compare it with '== true'");
        return;
    }
    diag_error(b->p->diags, e->op_span, "a condition on all attributes of the %s compares them by '==' only",
               label);
    diag_hint(b->p->diags, "write 'not' of the opposite, or compare fewer of them");
}

static struct table_search *search_of(struct search_build *b, const struct ast_expr *e)
{
    if (!e) {
        struct table_search *all = search_new(b, SEARCH_GATE, NULL);
        all->condition = expr_literal(b->p->arena, value_bool(true), TYPE_BOOL);
        return all;
    }
    struct part part = part_of(b, e, false);
    if (part.kind == PART_ROWS && part.refused)
        refuse(b, part.refused);
    if (part.kind == PART_ROWS)
        return part.search;
    return search_new(b, part.kind == PART_NONE ? SEARCH_GATE : SEARCH_SCAN, e);
}

static const char *search_words(struct search_build *b, const struct table_search *s)
{
    const char *label = "";
    switch (s->kind) {
    case SEARCH_GATE:
    case SEARCH_SCAN:
        return "scan";
    case SEARCH_KEY:
        return b->table->primary.label;
    case SEARCH_INDEX:
        label = s->index < 0 ? b->table->primary.label : b->table->indexes[s->index].label;
        return s->op == AST_NE ? "scan" : label;
    case SEARCH_FILTER:
        return arena_printf(b->p->arena, "%s, then filter", search_words(b, s->left));
    case SEARCH_GUARD:
        return search_words(b, s->left);
    case SEARCH_NOT:
        return arena_printf(b->p->arena, "all but %s", search_words(b, s->left));
    case SEARCH_BOTH:
    case SEARCH_EITHER:
        return arena_printf(b->p->arena, "%s %s %s", search_words(b, s->left),
                            s->kind == SEARCH_BOTH ? "and" : "or", search_words(b, s->right));
    }
    return label;
}

const struct table_query *plan_table_query(struct planner *p, const struct plan_element *table,
                                           const struct scope *scope, uint16_t slot,
                                           const struct ast_expr *on, struct agg_layout *aggs)
{
    struct table_query *q = arena_alloc(p->arena, sizeof(*q));
    struct search_build b = {
        .p = p, .c = plan_expr_ctx(p, scope, NULL), .table = table->config, .slot = slot};
    q->table = table;
    q->slot = slot;
    q->how = "scan";
    bool is_list = !b.table->primary.count && !b.table->index_count;
    b.c.aggs = is_list ? aggs : NULL; /* a search compiles parts again: an aggregator would have two states */
    if (on) {
        q->on = expr_compile(&b.c, on);
        if (!q->on)
            return NULL;
    }
    if (is_list)
        return q;
    q->search = search_of(&b, on);
    bool is_compared = on && on->kind != AST_ATTR && on->kind != AST_IS_NULL;
    q->is_exact = is_compared && q->search->index == TABLE_PRIMARY && finds_one(q->search);
    q->how = search_words(&b, q->search);
    return q;
}

/* ---- joins ---- */

const struct lookup *table_lookup(struct planner *p, const struct plan_element *table,
                                  const struct scope *scope, uint16_t slot, const struct ast_expr *on)
{
    struct table_lookup *l = arena_alloc(p->arena, sizeof(*l));
    l->lookup.rows = table_lookup_rows;
    l->query = plan_table_query(p, table, scope, slot, on, NULL);
    if (!l->query)
        return NULL;
    if (search_is_only(l->query))
        l->lookup.only = table_lookup_only;
    l->lookup.how = l->query->how;
    return &l->lookup;
}

/* ---- in (spec 02 section 5) ---- */

/* In a query of several inputs the language takes 'in', and no event ever passes it. */
static struct value eval_in_fails(const struct expr *e, struct frame *f)
{
    return expr_fail(f->env, "'in %s' works in queries of one input only", e->name);
}

static struct expr *in_fails(struct expr_ctx *c, const struct ast_expr *in)
{
    struct expr *e = expr_new(c->arena, eval_in_fails, TYPE_BOOL);
    e->name = in->name.text;
    diag_warn(c->diags, in->span, "'in' fails for every event of a query with several inputs");
    return e;
}

struct expr *plan_in(struct expr_ctx *c, const struct ast_expr *in)
{
    struct planner *p = c->user;
    const struct scope *outer = c->scope;
    const struct plan_element *table = plan_element_find(p, 0, in->name.text);
    if (!plan_table_need(p, table, &in->name))
        return NULL;
    if (!outer || outer->count == 0) {
        diag_error(c->diags, in->op_span, "'in' can't be used here");
        return NULL;
    }
    if (outer->count > 1 || outer->resolve)
        return in_fails(c, in);
    /* In 'having' too, names are those of the input (not of the output). */
    struct scope_source *sources = arena_array(c->arena, 2, sizeof(*sources));
    sources[0] = outer->sources[0];
    sources[0].slot = 0;
    sources[1] = (struct scope_source){.id = table->schema->id, .schema = table->schema, .slot = 1};
    struct scope *scope = arena_alloc(c->arena, sizeof(*scope));
    *scope = (struct scope){.sources = sources, .count = 2, .qualified_only_last = true};
    struct expr *e = expr_new(c->arena, table_eval_in, TYPE_BOOL);
    /* where there are groups or keys its aggregators would have a state for each */
    e->config =
        plan_table_query(p, table, scope, 1, in->left, c->aggs && !c->aggs->is_keyed ? c->aggs : NULL);
    e->name = "in";
    return e->config ? e : NULL;
}

/* ---- insert, update, delete, update or insert (spec 08 section 2) ---- */

static void report_attribute(struct planner *p, const struct ast_output *o, const struct plan_element *t,
                             const struct attribute *a)
{
    int at = schema_find(t->schema, a->name);
    if (at < 0)
        diag_error(p->diags, o->target.span, "'%s' has no attribute '%s', which the query puts out",
                   o->target.text, a->name);
    else
        diag_error(p->diags, o->target.span, "attribute '%s' of '%s' is %s, and the query puts out %s",
                   a->name, o->target.text, type_name(t->schema->attributes[at].type), type_name(a->type));
    if (at < 0)
        diag_hint(p->diags, "select what the table has, or say what is set: 'set %s.x = y'", o->target.text);
    else
        diag_hint(p->diags, "convert(%s, '%s') as %s", a->name, type_name(t->schema->attributes[at].type),
                  a->name);
}

/* Without 'set' every attribute of the event goes into the column of its name. */
static int assign_by_name(struct planner *p, const struct ast_output *o, const struct schema *out,
                          struct table_statement *s)
{
    const struct schema *schema = s->table->schema;
    struct table_assign *assigns = arena_array(p->arena, out->count + 1, sizeof(*assigns));
    for (uint32_t i = 0; i < out->count; i++) {
        int at = schema_find(schema, out->attributes[i].name);
        if (at < 0 || schema->attributes[at].type != out->attributes[i].type) {
            report_attribute(p, o, s->table, &out->attributes[i]);
            return -1;
        }
    }
    for (uint32_t column = 0; column < schema->count; column++) {
        int at = schema_find(out, schema->attributes[column].name);
        if (at < 0)
            continue;
        assigns[s->assign_count].column = (uint16_t)column;
        assigns[s->assign_count++].value = expr_attr(p->arena, 0, (uint16_t)at, out);
    }
    s->assigns = assigns;
    return 0;
}

static int assign_column(struct planner *p, const struct ast_assign *a, const struct schema *schema)
{
    const struct ast_expr *attr = a->attr;
    if (attr->source.text &&
        strcmp(attr->source.text, schema->id) != 0) /* the language looks at the name only */
        diag_warn(p->diags, attr->source.span, "'set' changes '%s', not '%s'", schema->id, attr->source.text);
    int at = schema_find(schema, attr->name.text);
    if (at < 0)
        diag_error(p->diags, attr->name.span, "'%s' has no attribute '%s'", schema->id, attr->name.text);
    return at;
}

/* In the order of the columns, whatever the order written. */
static int assign_set(struct planner *p, const struct ast_output *o, const struct scope *scope,
                      struct agg_layout *aggs, struct table_statement *s)
{
    const struct schema *schema = s->table->schema;
    struct expr_ctx c = plan_expr_ctx(p, scope, aggs);
    struct expr **values = arena_array(p->arena, schema->count + 1, sizeof(*values));
    int rc = 0;
    for (const struct ast_assign *a = o->set; a; a = a->next) {
        int at = assign_column(p, a, schema);
        struct expr *value = expr_compile(&c, a->value);
        if (at < 0 || !value) {
            rc = -1;
            continue;
        }
        s->assign_count += values[at] == NULL;
        values[at] = value;
    }
    struct table_assign *assigns = arena_array(p->arena, (size_t)s->assign_count + 1, sizeof(*assigns));
    int count = 0;
    for (uint32_t column = 0; column < schema->count; column++) {
        if (values[column])
            assigns[count++] = (struct table_assign){(uint16_t)column, values[column]};
    }
    s->assigns = assigns;
    return rc;
}

static int schema_must_fit(struct planner *p, const struct ast_output *o, const struct schema *want,
                           const struct schema *out)
{
    if (schema_same(want, out))
        return 0;
    plan_report_mismatch(p, o, want, out);
    return -1;
}

/* Where the language loses rows, or keeps them, against what was written. */
static void warn_of_delete(struct planner *p, const struct ast_output *o, const struct table_query *q)
{
    if (!q->search) {
        diag_warn(p->diags, o->span,
                  "when its last row is deleted and others stay, '%s' loses the rows inserted from then on",
                  o->target.text);
        diag_hint(p->diags, "a table with @PrimaryKey or @Index does not");
    } else if (q->search->kind == SEARCH_FILTER) {
        diag_warn(p->diags, o->on->span, "rows are found by %s, and then this 'delete' deletes none of them",
                  q->how);
        diag_hint(p->diags, "compare only what is looked up, or nothing that is");
    }
}

int plan_table_statement(struct planner *p, const struct ast_output *o, const struct schema *out,
                         const struct plan_element *target, struct table_statement *s)
{
    *s = (struct table_statement){.kind = o->kind, .table = target};
    if ((o->kind == OUTPUT_INSERT || o->kind == OUTPUT_UPSERT) &&
        schema_must_fit(p, o, target->schema, out) < 0)
        return -1;
    if (o->kind == OUTPUT_INSERT)
        return 0;
    if (!o->on) {
        diag_error(p->diags, o->span, "'delete' needs a condition");
        diag_hint(p->diags, "all rows: on 1 == 1");
        return -1;
    }
    /* The event has no name of its own: bare names are its attributes, the table's need the table's name. */
    struct scope_source *sources = arena_array(p->arena, 2, sizeof(*sources));
    sources[0] = (struct scope_source){.id = "the event", .schema = out, .slot = 0};
    sources[1] = (struct scope_source){.id = target->schema->id, .schema = target->schema, .slot = 1};
    struct scope scope = {.sources = sources, .count = 2, .qualified_only_last = true};
    /* an on-demand query keeps nothing from one execution to the next */
    struct agg_layout *aggs = p->is_on_demand ? NULL : arena_alloc(p->arena, sizeof(*aggs));
    int rc = 0;
    if (o->kind != OUTPUT_DELETE)
        rc = o->has_set ? assign_set(p, o, &scope, aggs, s) : assign_by_name(p, o, out, s);
    /* rows of one chunk that meet among themselves are looked at again: no aggregator says how often */
    s->query = plan_table_query(p, target, &scope, 1, o->on, o->kind == OUTPUT_UPSERT ? NULL : aggs);
    s->aggs = aggs && aggs->slot_count ? aggs : NULL;
    if (s->query && o->kind == OUTPUT_DELETE)
        warn_of_delete(p, o, s->query);
    return s->query ? rc : -1;
}

struct op_plan *plan_output_table(struct planner *p, const struct ast_query *ast, const struct schema *out,
                                  struct plan_element *target)
{
    const struct ast_output *o = &ast->output;
    if (!plan_table_need(p, target, &o->target))
        return NULL;
    struct table_output_plan *op =
        (struct table_output_plan *)op_plan_new(p, &op_table_output, sizeof(*op), o->span);
    if (plan_table_statement(p, o, out, target, &op->statement) < 0)
        return NULL;
    if (op->statement.aggs)
        op->op.type = &op_table_aggregate;
    plan_events_wanted(ast, &op->current_wanted, &op->expired_wanted);
    op->op.in = out;
    plan_add_op(p, &op->op);
    return &op->op;
}
