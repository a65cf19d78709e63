/* fn_list.c - list: (spec 20 section 5). */
#include "engine/base/utf8.h"
#include "engine/expr/case_fold.h"
#include "engine/expr/fn_object.h"
#include <stdlib.h>
#include <strings.h>

static struct object *arg_object(const struct expr *e, struct frame *f, int n,
                                 bool (*is)(const struct object *), const char *what)
{
    struct value v = arg(e, f, n);
    if (v.type == TYPE_OBJECT && is(v.as.o))
        return v.as.o;
    if (is_null(v))
        expr_fail(f->env, "%s got null as argument %d, %s is needed", e->name, n + 1, what);
    else
        fail_operand(f, e, v, what);
    return NULL;
}
struct object *arg_list(const struct expr *e, struct frame *f, int n)
{
    return arg_object(e, f, n, object_is_list, "a list");
}
struct object *arg_map(const struct expr *e, struct frame *f, int n)
{
    return arg_object(e, f, n, object_is_map, "a map");
}

/* Made last in this push, and nobody else counts it. */
static bool is_fresh(const struct frame *f, const struct object *o)
{
    return o->refs == 1 && f->env->loose_count && f->env->loose[f->env->loose_count - 1] == o;
}
struct object *list_copy(const struct object *list)
{
    struct object *copy = list_new();
    for (size_t i = 0; i < list_count(list); i++)
        list_add(copy, list_get(list, i));
    return copy;
}
struct object *map_object_copy(const struct object *map)
{
    struct object *copy = map_object_new();
    struct value key, v;
    for (size_t at = 0; object_next(map, &at, &key, &v);)
        map_object_put(copy, key, v);
    return copy;
}
struct object *arg_own_list(const struct expr *e, struct frame *f, int n)
{
    struct object *o = arg_list(e, f, n);
    return !o || is_fresh(f, o) ? o : expr_loose(f->env, list_copy(o)).as.o;
}
struct object *arg_own_map(const struct expr *e, struct frame *f, int n)
{
    struct object *o = arg_map(e, f, n);
    return !o || is_fresh(f, o) ? o : expr_loose(f->env, map_object_copy(o)).as.o;
}
int list_find(const struct object *list, struct value v, bool from_end)
{
    int count = (int)list_count(list);
    for (int i = 0; i < count; i++) {
        int at = from_end ? count - 1 - i : i;
        if (value_same(list_get(list, (size_t)at), v))
            return at;
    }
    return -1;
}
bool list_has(const struct object *list, struct value v)
{
    return list_find(list, v, false) >= 0;
}

/* ---- making and reading ---- */

static struct value eval_create(const struct expr *e, struct frame *f)
{
    struct object *list = list_new();
    struct value result = expr_loose(f->env, list);
    for (int i = 0; i < e->arg_count; i++) {
        struct value v = arg(e, f, i);
        if (e->arg_count > 1 || !is_null(v))
            list_add(list, v);
    }
    return result;
}
static struct value eval_clone(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    return list ? expr_loose(f->env, list_copy(list)) : VALUE_NULL;
}
static struct value eval_get(const struct expr *e, struct frame *f)
{
    int32_t at;
    struct object *list = arg_list(e, f, 0);
    if (!list || !arg_int(e, f, 1, &at))
        return VALUE_NULL;
    return at >= 0 && (size_t)at < list_count(list) ? list_get(list, (size_t)at) : VALUE_NULL;
}
static struct value eval_size(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    return list ? value_int((int32_t)list_count(list)) : VALUE_NULL;
}
static struct value eval_is_empty(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    return list ? value_bool(list_count(list) == 0) : VALUE_NULL;
}
static struct value eval_is_list(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    return value_bool(v.type == TYPE_OBJECT && object_is_list(v.as.o));
}
static struct value eval_contains(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    return list ? value_bool(list_has(list, arg(e, f, 1))) : VALUE_NULL;
}
static struct value contains_several(const struct expr *e, struct frame *f, bool all)
{
    struct object *list = arg_list(e, f, 0), *other = list ? arg_list(e, f, 1) : NULL;
    if (!other)
        return VALUE_NULL;
    for (size_t i = 0; i < list_count(other); i++)
        if (list_has(list, list_get(other, i)) != all)
            return value_bool(!all);
    return value_bool(all);
}
static struct value eval_contains_all(const struct expr *e, struct frame *f)
{
    return contains_several(e, f, true);
}
static struct value eval_contains_any(const struct expr *e, struct frame *f)
{
    return contains_several(e, f, false);
}
static struct value eval_index_of(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    return list ? value_int(list_find(list, arg(e, f, 1), false)) : VALUE_NULL;
}
static struct value eval_last_index_of(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    return list ? value_int(list_find(list, arg(e, f, 1), true)) : VALUE_NULL;
}

/* ---- changing ---- */

static struct value fail_index(const struct expr *e, struct frame *f, int32_t at, const struct object *list)
{
    return expr_fail(f->env, "%s: place %d is outside of the list of %zu", e->name, (int)at,
                     list_count(list));
}
static struct value eval_add(const struct expr *e, struct frame *f)
{
    int32_t at;
    struct object *list = arg_own_list(e, f, 0);
    if (!list)
        return VALUE_NULL;
    struct value v = arg(e, f, 1);
    if (e->arg_count == 2) {
        list_add(list, v);
        return value_object(list);
    }
    if (!arg_int(e, f, 2, &at))
        return VALUE_NULL;
    if (at < 0 || (size_t)at > list_count(list))
        return fail_index(e, f, at, list);
    list_insert(list, (size_t)at, v);
    return value_object(list);
}
static struct value eval_add_all(const struct expr *e, struct frame *f)
{
    struct object *list = arg_own_list(e, f, 0), *other = list ? arg_list(e, f, 1) : NULL;
    if (!other)
        return VALUE_NULL;
    bool distinct = false;
    if (e->arg_count == 3) {
        struct value v = arg(e, f, 2);
        if (v.type != TYPE_BOOL)
            return fail_operand(f, e, v, "a bool");
        distinct = v.as.l;
    }
    for (size_t i = 0, n = list_count(other); i < n; i++)
        if (!distinct || !list_has(list, list_get(other, i)))
            list_add(list, list_get(other, i));
    return value_object(list);
}
static struct value eval_remove(const struct expr *e, struct frame *f)
{
    struct object *list = arg_own_list(e, f, 0);
    if (!list)
        return VALUE_NULL;
    int at = list_find(list, arg(e, f, 1), false);
    if (at >= 0)
        list_remove(list, (size_t)at);
    return value_object(list);
}
static struct value eval_remove_by_index(const struct expr *e, struct frame *f)
{
    int32_t at;
    struct object *list = arg_own_list(e, f, 0);
    if (!list || !arg_int(e, f, 1, &at))
        return VALUE_NULL;
    if (at < 0 || (size_t)at >= list_count(list))
        return fail_index(e, f, at, list);
    list_remove(list, (size_t)at);
    return value_object(list);
}
static struct value keep_or_remove(const struct expr *e, struct frame *f, bool keep)
{
    struct object *list = arg_own_list(e, f, 0), *other = list ? arg_list(e, f, 1) : NULL;
    if (!other)
        return VALUE_NULL;
    if (other == list) /* with itself: nothing of it is left out, or all */
        other = expr_loose(f->env, list_copy(list)).as.o;
    for (size_t i = list_count(list); i-- > 0;)
        if (list_has(other, list_get(list, i)) != keep)
            list_remove(list, i);
    return value_object(list);
}
static struct value eval_remove_all(const struct expr *e, struct frame *f)
{
    return keep_or_remove(e, f, false);
}
static struct value eval_retain_all(const struct expr *e, struct frame *f)
{
    return keep_or_remove(e, f, true);
}
static struct value eval_set_value(const struct expr *e, struct frame *f)
{
    int32_t at;
    struct object *list = arg_own_list(e, f, 0);
    if (!list || !arg_int(e, f, 1, &at))
        return VALUE_NULL;
    struct value v = arg(e, f, 2);
    if (at < 0 || (size_t)at >= list_count(list))
        return fail_index(e, f, at, list);
    list_set(list, (size_t)at, v);
    return value_object(list);
}
static struct value eval_clear(const struct expr *e, struct frame *f)
{
    return arg_list(e, f, 0) ? expr_loose(f->env, list_new()) : VALUE_NULL;
}

/* ---- sort ---- */

enum order { ORDER_REVERSE, ORDER_UP, ORDER_DOWN };

/* String.CASE_INSENSITIVE_ORDER */
static int compare_texts(const struct text *a, const struct text *b)
{
    size_t i = 0, k = 0;
    while (i < a->len && k < b->len) {
        uint32_t x, y;
        size_t n = utf8_decode(a->bytes + i, a->len - i, &x), m = utf8_decode(b->bytes + k, b->len - k, &y);
        x = case_lower(case_upper(x));
        y = case_lower(case_upper(y));
        if (x != y)
            return x < y ? -1 : 1;
        i += n ? n : 1;
        k += m ? m : 1;
    }
    return (i < a->len) - (k < b->len);
}
static int compare_values(const void *left, const void *right)
{
    const struct value *a = left, *b = right;
    if (a->type == TYPE_STRING)
        return compare_texts(a->as.s, b->as.s);
    if (a->type == TYPE_FLOAT || a->type == TYPE_DOUBLE) {
        double x = value_to_double(*a), y = value_to_double(*b);
        return (x > y) - (x < y);
    }
    return (a->as.l > b->as.l) - (a->as.l < b->as.l);
}
/* Stable, as the language's sort is. */
static void merge_sort(struct value *v, struct value *spare, size_t count, int sign)
{
    if (count < 2)
        return;
    size_t half = count / 2, i = 0, k = half, out = 0;
    merge_sort(v, spare, half, sign);
    merge_sort(v + half, spare, count - half, sign);
    while (i < half && k < count)
        spare[out++] = sign * compare_values(&v[k], &v[i]) < 0 ? v[k++] : v[i++];
    while (i < half)
        spare[out++] = v[i++];
    while (k < count)
        spare[out++] = v[k++];
    memcpy(v, spare, count * sizeof(*v));
}
static struct value eval_sort(const struct expr *e, struct frame *f)
{
    struct object *list = arg_list(e, f, 0);
    if (!list)
        return VALUE_NULL;
    size_t count = list_count(list);
    struct value *values = arena_array(f->env->scratch, count + 1, sizeof(*values));
    struct value *spare = arena_array(f->env->scratch, count + 1, sizeof(*values));
    for (size_t i = 0; i < count; i++)
        values[i] = list_get(list, e->index == ORDER_REVERSE ? count - 1 - i : i);
    for (size_t i = 0; e->index != ORDER_REVERSE && i < count; i++) {
        bool sortable = values[i].type >= TYPE_STRING && values[i].type <= TYPE_DOUBLE;
        if (!sortable || values[i].type != values[0].type)
            return expr_fail(f->env,
                             "%s: only texts, or numbers of one type, can be sorted; element %zu is %s",
                             e->name, i, is_null(values[i]) ? "null" : type_name(values[i].type));
    }
    if (e->index != ORDER_REVERSE)
        merge_sort(values, spare, count, 1);
    struct object *sorted = list_new();
    for (size_t i = 0; i < count;
         i++) /* downwards, those that are equal go in the reverse of their order, too */
        list_add(sorted, values[e->index == ORDER_DOWN ? count - 1 - i : i]);
    return expr_loose(f->env, sorted);
}
static int bind_sort(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    static const char *const orders[] = {"REV", "ASC", "DESC"};
    if (e->arg_count == 1)
        return 0;
    for (uint16_t i = 0; i < 3; i++)
        if (strcasecmp(arg_literal(e, 1).as.s->bytes, orders[i]) == 0) {
            e->index = i;
            return 0;
        }
    return bind_error(c, call, 1, "the order is 'ASC', 'DESC' or 'REV'");
}

/* Rows: takes is explained in fn.h. */
const struct function fn_list[] = {
    {"list", "add", "oa?i", TYPE_OBJECT, eval_add, NULL},
    {"list", "addAll", "oo?b", TYPE_OBJECT, eval_add_all, NULL},
    {"list", "clear", "o", TYPE_OBJECT, eval_clear, NULL},
    {"list", "clone", "o", TYPE_OBJECT, eval_clone, NULL},
    {"list", "contains", "oa", TYPE_BOOL, eval_contains, NULL},
    {"list", "containsAll", "oo", TYPE_BOOL, eval_contains_all, NULL},
    {"list", "containsAny", "oo", TYPE_BOOL, eval_contains_any, NULL},
    {"list", "create", "a*", TYPE_OBJECT, eval_create, NULL},
    {"list", "get", "oi", TYPE_OBJECT, eval_get, NULL},
    {"list", "indexOf", "oa", TYPE_INT, eval_index_of, NULL},
    {"list", "isEmpty", "o", TYPE_BOOL, eval_is_empty, NULL},
    {"list", "isList", "a", TYPE_BOOL, eval_is_list, NULL},
    {"list", "lastIndexOf", "oa", TYPE_INT, eval_last_index_of, NULL},
    {"list", "remove", "oa", TYPE_OBJECT, eval_remove, NULL},
    {"list", "removeAll", "oo", TYPE_OBJECT, eval_remove_all, NULL},
    {"list", "removeByIndex", "oi", TYPE_OBJECT, eval_remove_by_index, NULL},
    {"list", "retainAll", "oo", TYPE_OBJECT, eval_retain_all, NULL},
    {"list", "setValue", "oia", TYPE_OBJECT, eval_set_value, NULL},
    {"list", "size", "o", TYPE_INT, eval_size, NULL},
    {"list", "sort", "o?S", TYPE_OBJECT, eval_sort, bind_sort},
    {0},
};
