/* select_order.c - order by, offset and limit of a selector: on the list of a chunk (spec 03 section 4). */
#include "engine/base/utf8.h"
#include "engine/data/object.h"
#include "engine/run/quick.h"

static int compare_values(struct value a, struct value b)
{
    if (is_null(a) || is_null(b))
        return 0;
    if (a.type == TYPE_STRING && b.type == TYPE_STRING)
        return utf8_compare_units(a.as.s->bytes, a.as.s->len, b.as.s->bytes, b.as.s->len);
    if (a.type == TYPE_OBJECT || b.type == TYPE_OBJECT) {
        /* The language subtracts, and what leaves the range of int comes back from the other end. */
        int32_t apart = (int32_t)((uint32_t)value_java_hash(a) - (uint32_t)value_java_hash(b));
        return apart < 0 ? -1 : apart > 0;
    }
    if ((a.type == TYPE_FLOAT || a.type == TYPE_DOUBLE) || (b.type == TYPE_FLOAT || b.type == TYPE_DOUBLE)) {
        double x = value_to_double(a), y = value_to_double(b);
        if (x < y)
            return -1;
        if (x > y)
            return 1;
        /* Double.compare: NaN is above everything, -0.0 below 0.0. */
        bool nx = x != x, ny = y != y;
        if (nx || ny)
            return (int)nx - (int)ny;
        return (int)__builtin_signbit(y) != 0 ? (__builtin_signbit(x) ? 0 : 1)
                                              : (__builtin_signbit(x) ? -1 : 0);
    }
    return a.as.l < b.as.l ? -1 : a.as.l > b.as.l;
}

struct order_item {
    struct event event;
    struct value *keys;
    uint32_t at;
};

/* Values are compared as what their column declares; another type in it fails the event. */
static int order_compare(const struct select_plan *p, const struct order_item *a, const struct order_item *b,
                         struct expr_env *env)
{
    for (int i = 0; i < p->order_count; i++) {
        struct value x = a->keys[i], y = b->keys[i];
        if (is_null(x) || is_null(y)) {
            if (is_null(x) && is_null(y))
                continue;
            return is_null(x) ? 1 : -1; /* last in both directions */
        }
        enum type type = p->order[i].attr->type;
        if (UNLIKELY(x.type != type || y.type != type)) {
            expr_fail(env, "order by: %s in a column of %s", type_name(x.type != type ? x.type : y.type),
                      type_name(type));
            return 0;
        }
        int c = compare_values(x, y);
        if (c != 0)
            return p->order[i].descending ? -c : c;
    }
    return 0;
}

static void merge_sort(const struct select_plan *p, struct order_item *items, struct order_item *spare,
                       uint32_t count, struct expr_env *env)
{
    if (count < 2)
        return;
    uint32_t half = count / 2;
    merge_sort(p, items, spare, half, env);
    merge_sort(p, items + half, spare, count - half, env);
    memcpy(spare, items, half * sizeof(*items));
    uint32_t left = 0, right = half, at = 0;
    while (left < half && right < count)
        items[at++] = order_compare(p, &items[right], &spare[left], env) < 0 ? items[right++] : spare[left++];
    while (left < half)
        items[at++] = spare[left++];
}

/* sources: the frame each listed event came from, for names of inputs (joins). */
static int order_rows(struct select *s, const struct select_plan *p, struct batch *list,
                      const struct event *sources)
{
    struct arena *scratch = s->op.env->scratch;
    struct order_item *items = arena_raw(scratch, list->count * sizeof(*items));
    struct order_item *spare = arena_raw(scratch, list->count * sizeof(*items));
    struct frame f = {.env = s->op.env, .user = &s->op};
    for (uint32_t i = 0; i < list->count; i++) {
        items[i].event = list->events[i];
        items[i].at = i;
        items[i].keys = arena_raw(scratch, (size_t)p->order_count * sizeof(struct value));
        if (list->events[i].kind == EVENT_RESET) {
            memset(items[i].keys, 0, (size_t)p->order_count * sizeof(struct value));
            continue;
        }
        frame_event(&f, p, &sources[i]);
        f.out = list->events[i].row;
        for (int k = 0; k < p->order_count; k++)
            items[i].keys[k] = expr_eval(p->order[k].attr, &f);
        if (s->op.env->failed)
            return ERR_EVENT;
    }
    for (uint32_t from = 0; from < list->count;) {
        uint32_t to = from + 1;
        while (to < list->count && items[to].event.kind == items[from].event.kind)
            to++;
        merge_sort(p, items + from, spare, to - from, s->op.env);
        from = to;
    }
    for (uint32_t i = 0; i < list->count; i++)
        list->events[i] = items[i].event;
    return s->op.env->failed ? ERR_EVENT : 0;
}

void select_drop(struct batch *list, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    for (uint32_t i = from; i < to; i++) {
        if (list->events[i].kind != EVENT_RESET)
            row_unref(list->events[i].row);
    }
    memmove(list->events + from, list->events + to, (list->count - to) * sizeof(*list->events));
    list->count -= to - from;
}

/* Under a snapshot with groups: the first rows of whatever kind; there is no offset. */
static void cut_group_rows(const struct select_plan *p, struct batch *list)
{
    if (p->limit >= 0 && (int64_t)list->count > p->limit)
        select_drop(list, (uint32_t)p->limit, list->count);
}

/* Only rows count, RESET events don't. */
static void skip_rows(struct batch *list, int64_t offset)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct event e = list->events[i];
        if (e.kind == EVENT_RESET || offset == 0) {
            list->events[at++] = e;
        } else {
            row_unref(e.row);
            offset--;
        }
    }
    list->count = at;
}

/* True: the limit took away the last of the rows. */
static bool cut_rows(const struct select_plan *p, struct batch *list)
{
    if (p->is_snapshot && p->kind == SELECT_GROUP) {
        cut_group_rows(p, list);
        return false;
    }
    if (p->kind == SELECT_AGGREGATE && !p->is_snapshot && (p->offset > 0 || p->limit == 0)) {
        select_drop(list, 0, list->count); /* the one row, of whatever kind */
        return false;
    }
    if (p->offset > 0)
        skip_rows(list, p->offset);
    if (p->limit < 0)
        return false;
    bool last_kept = true;
    int64_t kept = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct event e = list->events[i];
        last_kept = e.kind == EVENT_RESET || e.kind == EVENT_EXPIRED || kept < p->limit;
        if (last_kept) {
            kept += e.kind != EVENT_RESET;
            list->events[at++] = e;
        } else {
            row_unref(e.row);
        }
    }
    list->count = at;
    return !last_kept;
}

int select_order(struct select *s, const struct select_plan *p, struct batch *list,
                 const struct event *sources)
{
    int rc = 0;
    /* Under a snapshot an aggregator alone is as none, and a group's rows are neither ordered nor skipped. */
    bool ordered = p->is_snapshot ? p->kind != SELECT_GROUP : p->kind != SELECT_AGGREGATE;
    if (p->order_count > 0 && ordered) {
        s->last_removed = false;
        if (list->count > 1)
            rc = order_rows(s, p, list, sources);
    }
    if (rc == 0 && (p->offset > 0 || p->limit >= 0) && cut_rows(p, list))
        s->last_removed = true;
    return rc;
}
