/* agg_ext.c - aggregators of extensions (spec 20): str:groupConcat math:percentile stats:median list:collect
 * list:merge map:collect map:merge json:group json:groupAsObject. */
#include "engine/base/utf8.h"
#include "engine/expr/agg.h"
#include "engine/expr/bag.h"
#include "engine/expr/fn_json.h"
#include "engine/expr/fn_object.h"
#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* ---- a bag of values as state ---- */

static void bag_state_fini(void *state)
{
    bag_fini(state);
}
static bool bag_state_is_empty(const void *state)
{
    return ((const struct bag *)state)->live == 0;
}
static void bag_state_save(const void *state, struct writer *w)
{
    bag_save(state, w);
}
static int bag_state_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    return bag_load(state, r);
}
static const struct agg_type bag_state_type = {.name = "values",
                                               .size = sizeof(struct bag),
                                               .fini = bag_state_fini,
                                               .is_empty = bag_state_is_empty,
                                               .save = bag_state_save,
                                               .load = bag_state_load};

static void bag_update(const struct expr *e, struct frame *f, struct value key)
{
    struct bag *b = agg_state(e, f);
    if (f->kind == EVENT_CURRENT) {
        bag_take(b, key)->count++;
    } else if (f->kind == EVENT_EXPIRED) {
        struct bag_entry *entry = bag_find(b, key);
        if (entry && --entry->count <= 0)
            bag_remove(b, entry);
    }
}

/* ---- str:groupConcat ---- */

enum concat_order { CONCAT_AS_COME, CONCAT_UP, CONCAT_DOWN };

static int compare_entries(const void *left, const void *right)
{
    const struct bag_entry *const *a = left, *const *b = right;
    const struct text *x = (*a)->key.as.s, *y = (*b)->key.as.s;
    return utf8_compare_units(x->bytes, x->len, y->bytes, y->len);
}
static struct value concat(const struct expr *e, struct frame *f, const char *separator, size_t len,
                           bool distinct)
{
    struct bag *b = agg_state(e, f);
    struct bag_entry *entry, **entries = arena_array(f->env->scratch, (size_t)b->live + 1, sizeof(*entries));
    size_t n = 0;
    for (uint32_t at = 0; (entry = bag_next(b, &at));)
        entries[n++] = entry;
    if (e->index != CONCAT_AS_COME)
        qsort(entries, n, sizeof(*entries), compare_entries);
    struct buf out;
    bool first = true;
    buf_init(&out, LIMIT_RESULT_BYTES);
    for (size_t i = 0; i < n; i++) {
        entry = entries[e->index == CONCAT_DOWN ? n - 1 - i : i];
        for (int64_t k = 0; k < (distinct ? 1 : entry->count) && !out.overflow; k++) {
            if (!first)
                buf_add(&out, separator, len);
            buf_add(&out, entry->key.as.s->bytes, entry->key.as.s->len);
            first = false;
        }
    }
    return result_buf(f, &out);
}
static struct value eval_concat(const struct expr *e, struct frame *f)
{
    const char *separator = ",";
    size_t len = 1;
    struct value key = arg(e, f, 0), v = e->arg_count > 1 ? arg(e, f, 1) : VALUE_NULL;
    if (f->env->failed)
        return VALUE_NULL;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
        return result_text(f, "", 0);
    }
    if (!is_null(key) && key.type != TYPE_STRING)
        return fail_operand(f, e, key, "a text");
    if (e->arg_count > 1) {
        const struct text *s = text_of(f->env, v);
        separator = s->bytes;
        len = s->len;
        key = value_text(text_of(f->env, key));
    }
    if (!is_null(key))
        bag_update(e, f, key);
    return concat(e, f, separator, len, e->arg_count > 2 && arg_literal(e, 2).as.l);
}
static int bind_concat(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    if (e->arg_count < 4)
        return 0;
    const char *order = arg_literal(e, 3).as.s->bytes;
    e->index = strcasecmp(order, "ASC") == 0 ? CONCAT_UP : strcasecmp(order, "DESC") == 0 ? CONCAT_DOWN : 0;
    return e->index ? 0 : bind_error(c, call, 3, "the order is 'ASC' or 'DESC'");
}

/* ---- math:percentile, stats:median: sorted numbers ----
 *
 * A median passes null over, where the original fails for good, and of nothing it is null. It counts NaN as
 * the greatest number, and adds two floats as floats. */

struct sorted {
    double *numbers;
    uint64_t count, cap;
};
static void sorted_fini(void *state)
{
    mem_free(((struct sorted *)state)->numbers);
}
static bool sorted_is_empty(const void *state)
{
    return ((const struct sorted *)state)->count == 0;
}
static void sorted_save(const void *state, struct writer *w)
{
    const struct sorted *s = state;
    write_count(w, s->count);
    for (uint64_t i = 0; i < s->count; i++)
        write_double(w, s->numbers[i]);
}
static bool is_less(double a, double b)
{
    return a < b || (isnan(b) && !isnan(a));
}
static uint64_t sorted_place(const struct sorted *s, double x) /* the first that is not less */
{
    uint64_t low = 0, high = s->count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (is_less(s->numbers[middle], x))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
static void sorted_add(struct sorted *s, double x)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->numbers = mem_resize(s->numbers, s->cap, sizeof(double));
    }
    uint64_t at = sorted_place(s, x);
    memmove(s->numbers + at + 1, s->numbers + at, (s->count - at) * sizeof(double));
    s->numbers[at] = x;
    s->count++;
}
static void sorted_remove(struct sorted *s, double x)
{
    uint64_t at = sorted_place(s, x);
    if (at == s->count || is_less(x, s->numbers[at]))
        return;
    s->count--;
    memmove(s->numbers + at, s->numbers + at + 1, (s->count - at) * sizeof(double));
}
static int sorted_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    size_t n = read_count(r, UINT32_MAX / 4);
    for (size_t i = 0; i < n && !r->failed; i++)
        sorted_add(state, read_double(r));
    return r->failed ? ERR_STATE : 0;
}
static const struct agg_type sorted_type = {.name = "sorted",
                                            .size = sizeof(struct sorted),
                                            .fini = sorted_fini,
                                            .is_empty = sorted_is_empty,
                                            .save = sorted_save,
                                            .load = sorted_load};

/* False: the event failed. */
static bool sorted_update(const struct expr *e, struct frame *f, bool takes_nan)
{
    double x;
    int there = arg_double_or_null(e, f, 0, &x);
    if (there < 0)
        return false;
    if (f->kind == EVENT_RESET)
        agg_state_reset(e, f);
    else if (there && (takes_nan || !isnan(x)) && f->kind == EVENT_CURRENT)
        sorted_add(agg_state(e, f), x);
    else if (there && (takes_nan || !isnan(x)) && f->kind == EVENT_EXPIRED)
        sorted_remove(agg_state(e, f), x);
    return true;
}
static struct value eval_percentile(const struct expr *e, struct frame *f)
{
    double x;
    int there = arg_double_or_null(e, f, 0, &x);
    if (there == 0 && f->kind != EVENT_RESET)
        return expr_fail(f->env, "%s: the value is null", e->name);
    if (there < 0 || !sorted_update(e, f, false))
        return VALUE_NULL;
    const struct sorted *s = agg_state(e, f);
    if (!s->count)
        return VALUE_NULL;
    double i = arg_literal(e, 1).as.d * (double)s->count / 100.0;
    if (i == floor(i)) {
        uint64_t k = (uint64_t)i;
        if (k >= s->count)
            return value_double(s->numbers[s->count - 1]);
        return value_double(k == 0 ? s->numbers[0] : (s->numbers[k - 1] + s->numbers[k]) / 2);
    }
    uint64_t k = (uint64_t)floor(i + 0.5);
    return value_double(s->numbers[k == 0 ? 0 : k - 1]);
}
static int bind_percentile(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    double p = arg_literal(e, 1).as.d;
    return p > 0 && p <= 100 ? 0 : bind_error(c, call, 1, "a percentage stands above 0 and up to 100");
}
static struct value eval_median(const struct expr *e, struct frame *f)
{
    if (!sorted_update(e, f, true))
        return VALUE_NULL;
    const struct sorted *s = agg_state(e, f);
    if (!s->count)
        return VALUE_NULL;
    const double *middle = s->numbers + s->count / 2;
    if (s->count % 2)
        return value_double(*middle);
    double sum =
        e->left->type == TYPE_FLOAT ? (double)((float)middle[-1] + (float)middle[0]) : middle[-1] + middle[0];
    return value_double(sum / 2);
}

/* ---- lists and maps: an object as state, handed out as it is and copied before it changes while somebody
 * else holds it ---- */

struct holder {
    struct object *object; /* NULL: empty */
};
static void holder_fini(void *state)
{
    struct holder *h = state;
    if (h->object)
        value_drop(value_object(h->object));
}
static bool holder_is_empty(const void *state)
{
    const struct holder *h = state;
    return !h->object || object_count(h->object) == 0;
}
static void holder_save(const void *state, struct writer *w)
{
    const struct holder *h = state;
    write_value(w, h->object ? value_object(h->object) : VALUE_NULL);
}
static int holder_load(void *state, struct reader *r, bool (*is)(const struct object *))
{
    struct holder *h = state;
    struct value v = read_value(r);
    if (r->failed || (!is_null(v) && (v.type != TYPE_OBJECT || !is(v.as.o)))) {
        value_drop(v);
        return ERR_STATE;
    }
    h->object = is_null(v) ? NULL : v.as.o;
    return 0;
}
static int list_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    return holder_load(state, r, object_is_list);
}
static int map_load(void *state, struct reader *r, enum type type)
{
    (void)type;
    return holder_load(state, r, object_is_map);
}
static const struct agg_type list_state_type = {.name = "list",
                                                .size = sizeof(struct holder),
                                                .fini = holder_fini,
                                                .is_empty = holder_is_empty,
                                                .save = holder_save,
                                                .load = list_load};
static const struct agg_type map_state_type = {.name = "map",
                                               .size = sizeof(struct holder),
                                               .fini = holder_fini,
                                               .is_empty = holder_is_empty,
                                               .save = holder_save,
                                               .load = map_load};

static struct object *own(struct holder *h, bool is_list)
{
    if (!h->object) {
        h->object = is_list ? list_new() : map_object_new();
    } else if (h->object->refs > 1) {
        struct object *copy = is_list ? list_copy(h->object) : map_object_copy(h->object);
        value_drop(value_object(h->object));
        h->object = copy;
    }
    return h->object;
}
static bool is_distinct(const struct expr *e, struct frame *f)
{
    if (e->arg_count < 2)
        return false;
    struct value v = arg(e, f, 1);
    return v.type == TYPE_BOOL && v.as.l;
}
/* The object to change for this event; NULL: there is nothing to do (the event failed, or RESET was done). */
static struct object *to_change(const struct expr *e, struct frame *f, bool is_list)
{
    if (f->env->failed)
        return NULL;
    if (f->kind == EVENT_RESET)
        agg_state_reset(e, f);
    struct object *o = own(agg_state(e, f), is_list);
    return f->kind == EVENT_CURRENT || f->kind == EVENT_EXPIRED ? o : NULL;
}
static struct value held(const struct expr *e, struct frame *f, bool is_list)
{
    if (f->env->failed ||
        f->kind == EVENT_RESET) /* a reset's value is null, which functions around it may refuse */
        return VALUE_NULL;
    return value_object(own(agg_state(e, f), is_list));
}

static struct value eval_list_collect(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    bool distinct = is_distinct(e, f);
    struct object *list = to_change(e, f, true);
    if (list && f->kind == EVENT_CURRENT && !(distinct && list_has(list, v)))
        list_add(list, v);
    int at = list && f->kind == EVENT_EXPIRED ? list_find(list, v, false) : -1;
    if (at >= 0)
        list_remove(list, (size_t)at);
    return held(e, f, true);
}
static struct value eval_list_merge(const struct expr *e, struct frame *f)
{
    struct object *other = f->kind == EVENT_RESET ? NULL : arg_list(e, f, 0);
    bool distinct = is_distinct(e, f);
    struct object *list = to_change(e, f, true);
    for (size_t i = 0; list && f->kind == EVENT_CURRENT && i < list_count(other); i++)
        if (!(distinct && list_has(list, list_get(other, i))))
            list_add(list, list_get(other, i));
    for (size_t i = list && f->kind == EVENT_EXPIRED ? list_count(list) : 0; i-- > 0;)
        if (list_has(other, list_get(list, i)))
            list_remove(list, i);
    return held(e, f, true);
}
static struct value eval_map_collect(const struct expr *e, struct frame *f)
{
    struct value key = arg(e, f, 0), v = arg(e, f, 1);
    struct object *map = to_change(e, f, false);
    if (map && f->kind == EVENT_CURRENT)
        map_object_put(map, key, v);
    else if (map)
        map_object_remove(map, key);
    return held(e, f, false);
}
static struct value eval_map_merge(const struct expr *e, struct frame *f)
{
    struct value key, v;
    struct object *other = f->kind == EVENT_RESET ? NULL : arg_map(e, f, 0), *map = to_change(e, f, false);
    for (size_t at = 0; map && object_next(other, &at, &key, &v);)
        if (f->kind == EVENT_CURRENT)
            map_object_put(map, key, v);
        else
            map_object_remove(map, key);
    return held(e, f, false);
}

/* ---- json:group ---- */

/* The object of this event as a value to count: false after failing. */
static bool group_member(const struct expr *e, struct frame *f, struct value *v)
{
    *v = arg(e, f, 0);
    if (f->env->failed || is_null(*v))
        return !f->env->failed;
    struct json_node *n = v->type == TYPE_STRING
                              ? json_tree_read_plain(f->env->scratch, v->as.s->bytes, v->as.s->len)
                              : json_tree_of(f->env->scratch, *v);
    if (!n || (n->kind != NODE_OBJECT && n->kind != NODE_NULL)) {
        fail_operand(f, e, *v, "a JSON object");
        return false;
    }
    if (v->type == TYPE_STRING)
        *v = json_tree_value(f->env, n);
    return true;
}
static struct object *group_object(const struct expr *e, struct frame *f)
{
    struct value v, option, enclosing = VALUE_NULL;
    bool distinct = false;
    for (int i = 1; i < e->arg_count; i++) {
        option = arg(e, f, i);
        if (option.type == TYPE_BOOL)
            distinct = option.as.l;
        else
            enclosing = option;
    }
    if (f->env->failed)
        return NULL;
    if (f->kind == EVENT_RESET) {
        agg_state_reset(e, f);
        return NULL;
    }
    if (!group_member(e, f, &v))
        return NULL;
    bag_update(e, f, v);
    struct bag_entry *entry;
    struct object *list = list_new(), *map;
    for (uint32_t at = 0; (entry = bag_next(agg_state(e, f), &at));)
        for (int64_t k = 0; k < (distinct ? 1 : entry->count); k++)
            list_add(list, entry->key);
    expr_loose(f->env, list);
    if (is_null(enclosing))
        return list;
    map = map_object_new();
    map_object_put(map, enclosing, value_object(list));
    return expr_loose(f->env, map).as.o;
}
static struct value eval_group(const struct expr *e, struct frame *f)
{
    struct object *o = group_object(e, f);
    if (!o)
        return VALUE_NULL;
    struct buf out;
    buf_init(&out, LIMIT_RESULT_BYTES);
    json_tree_write(json_tree_of(f->env->scratch, value_object(o)), JSON_SMART, &out);
    return result_buf(f, &out);
}
static struct value eval_group_object(const struct expr *e, struct frame *f)
{
    struct object *o = group_object(e, f);
    return o ? value_object(o) : VALUE_NULL;
}

/* Rows: agg.h. */
const struct aggregator agg_extensions[] = {
    {"json", "group", "j?b", TYPE_STRING, &bag_state_type, eval_group, NULL, NULL},
    {"json", "group", "js?b", TYPE_STRING, &bag_state_type, eval_group, NULL, NULL},
    {"json", "groupAsObject", "j?b", TYPE_OBJECT, &bag_state_type, eval_group_object, NULL, NULL},
    {"json", "groupAsObject", "js?b", TYPE_OBJECT, &bag_state_type, eval_group_object, NULL, NULL},
    {"list", "collect", "a?b", TYPE_OBJECT, &list_state_type, eval_list_collect, NULL, NULL},
    {"list", "merge", "o?b", TYPE_OBJECT, &list_state_type, eval_list_merge, NULL, NULL},
    {"map", "collect", "aa", TYPE_OBJECT, &map_state_type, eval_map_collect, NULL, NULL},
    {"map", "merge", "o", TYPE_OBJECT, &map_state_type, eval_map_merge, NULL, NULL},
    {"math", "percentile", "nD", TYPE_DOUBLE, &sorted_type, eval_percentile, NULL, bind_percentile},
    {"stats", "median", "n", TYPE_DOUBLE, &sorted_type, eval_median, NULL, NULL},
    {"str", "groupConcat", "s?sBS", TYPE_STRING, &bag_state_type, eval_concat, NULL, bind_concat},
    {0},
};
