/* sort.c - window.sort(n, attribute [, 'asc' | 'desc'] ...): the n smallest in the given order (spec 04
 * section 2.10).
 *
 * Laws: (1) when more than n are in, all are sorted, stably, and the last leaves, behind the event that came,
 * maybe itself; (2) in between, rows stand as they came: that is what joins see; (3) a null that is compared
 * fails the event and stays in. */
#include "engine/base/utf8.h"
#include "engine/window/window.h"
#include <strings.h>

struct sort_key {
    int attribute;
    bool descending;
};
struct sort_plan {
    struct op_plan op;
    int32_t n;
    uint32_t key_count;
    struct sort_key *keys;
};
struct sort {
    struct op op;
    struct queue rows;
    uint32_t sorted; /* so many from the front are in order */
};

static const struct sort_plan *plan_of(const struct op *op)
{
    return (const struct sort_plan *)(const void *)op->plan;
}

static int compare_values(struct value a, struct value b)
{
    if (a.type == TYPE_STRING)
        return utf8_compare_units(a.as.s->bytes, a.as.s->len, b.as.s->bytes, b.as.s->len);
    if (a.type == TYPE_FLOAT || a.type == TYPE_DOUBLE) {
        double x = value_to_double(a), y = value_to_double(b);
        if (x != x || y != y) /* as Java's compare: NaN is the greatest */
            return (x != x) - (y != y);
        return (x > y) - (x < y);
    }
    return (a.as.l > b.as.l) - (a.as.l < b.as.l);
}

/* Over 0: a behind b. After a failure (env->failed) the result means nothing. */
static int compare(struct op *op, const struct row *a, const struct row *b)
{
    const struct sort_plan *p = plan_of(op);
    for (uint32_t i = 0; i < p->key_count; i++) {
        struct value x = row_get(a, (size_t)p->keys[i].attribute),
                     y = row_get(b, (size_t)p->keys[i].attribute);
        if (UNLIKELY(is_null(x) || is_null(y) || x.type != y.type || x.type == TYPE_OBJECT)) {
            expr_fail(op->env, "window.sort can't order by '%s': a value is %s",
                      op->plan->in->attributes[p->keys[i].attribute].name,
                      is_null(x) || is_null(y) ? "null" : "of another type");
            return 0;
        }
        int order = compare_values(x, y);
        if (order)
            return p->keys[i].descending ? -order : order;
    }
    return 0;
}

static bool merge_sort(struct op *op, struct row **rows, struct row **spare, uint32_t count)
{
    if (count < 2)
        return true;
    uint32_t half = count / 2, i = 0, j = half;
    if (!merge_sort(op, rows, spare, half) || !merge_sort(op, rows + half, spare, count - half))
        return false;
    for (uint32_t k = 0; k < count; k++) {
        bool right = i == half;
        if (i < half && j < count) {
            right = compare(op, rows[i], rows[j]) > 0;
            if (op->env->failed)
                return false;
        }
        spare[k] = right ? rows[j++] : rows[i++];
    }
    memcpy(rows, spare, count * sizeof *rows);
    return true;
}

/* Puts the newest row to its place when all others are in order: it goes behind its equals. */
static bool insert_newest(struct sort *w)
{
    uint32_t last = w->rows.count - 1, low = 0, high = last;
    struct row *row = queue_at(&w->rows, last);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(&w->op, queue_at(&w->rows, middle), row) > 0)
            high = middle;
        else
            low = middle + 1;
        if (w->op.env->failed)
            return false;
    }
    uint32_t mask = w->rows.cap - 1;
    for (uint32_t i = last; i > low; i--)
        w->rows.ring[(w->rows.head + i) & mask] = w->rows.ring[(w->rows.head + i - 1) & mask];
    w->rows.ring[(w->rows.head + low) & mask] = row;
    return true;
}

static bool order_all(struct sort *w)
{
    uint32_t count = w->rows.count, mask = w->rows.cap - 1;
    if (w->sorted + 1 == count)
        return insert_newest(w);
    struct row **rows = arena_array(w->op.env->scratch, count, sizeof *rows);
    struct row **spare = arena_array(w->op.env->scratch, count, sizeof *spare);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = queue_at(&w->rows, i);
    if (!merge_sort(&w->op, rows, spare, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        w->rows.ring[(w->rows.head + i) & mask] = rows[i];
    return true;
}

static int sort_push(struct op *op, const struct batch *in)
{
    struct sort *w = (struct sort *)op;
    int64_t n = plan_of(op)->n;
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        window_hold(&w->rows, e);
        window_pass(&out, e);
        if (w->rows.count <= n)
            continue;
        if (!order_all(w)) {
            w->sorted = 0;
            return window_fail(&out);
        }
        batch_add(&out, queue_take_at(&w->rows, w->rows.count - 1), op_now(op), EVENT_EXPIRED);
        w->sorted = w->rows.count;
    }
    return window_emit(op, &out);
}

static void sort_save(const struct op *op, struct writer *w)
{
    const struct sort *s = (const struct sort *)op;
    write_tag(w, "window.sort");
    queue_save(&s->rows, w);
    write_u32(w, s->sorted);
}

static int sort_load(struct op *op, struct reader *r)
{
    struct sort *s = (struct sort *)op;
    read_tag(r, "window.sort");
    queue_load(&s->rows, r);
    s->sorted = read_u32(r);
    if (s->sorted > s->rows.count)
        r->failed = true;
    return window_loaded(r);
}

static void sort_close(struct op *op)
{
    queue_fini(&((struct sort *)op)->rows);
}

static struct queue *sort_content(struct op *op)
{
    return &((struct sort *)op)->rows;
}

static void sort_explain(const struct op_plan *plan, struct buf *out)
{
    const struct sort_plan *p = (const struct sort_plan *)(const void *)plan;
    buf_printf(out, "(%d", p->n);
    for (uint32_t i = 0; i < p->key_count; i++)
        buf_printf(out, ", %s %s", plan->in->attributes[p->keys[i].attribute].name,
                   p->keys[i].descending ? "desc" : "asc");
    buf_add_char(out, ')');
}

static const struct op_type sort_type = {
    .name = "window.sort",
    .size = sizeof(struct sort),
    .push = sort_push,
    .save = sort_save,
    .load = sort_load,
    .close = sort_close,
    .content = sort_content,
    .explain = sort_explain,
};

/* n, then attribute 'order' pairs; the last order may be missing. */
static struct op_plan *sort_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int32_t n;
    if (!window_arg_count(c, call, 2, INT32_MAX) || !window_arg_int(c, call, 0, &n))
        return NULL;
    uint32_t count = 0;
    struct sort_key *keys = arena_array(c->arena, (size_t)call->arg_count, sizeof *keys);
    for (int i = 1; i < call->arg_count; i += 2) {
        struct sort_key *key = &keys[count++];
        if (!window_arg_attr(c, call, i, TYPE_NULL, &key->attribute))
            return NULL;
        enum type type = c->in->attributes[key->attribute].type;
        if (type == TYPE_BOOL || type == TYPE_OBJECT) {
            window_arg_wrong(c, call, i, "must be a number or a string");
            return NULL;
        }
        if (i + 1 == call->arg_count)
            break;
        const struct ast_expr *order = window_arg(call, i + 1);
        bool is_text = order->kind == AST_LITERAL && order->literal.type == TYPE_STRING;
        key->descending = is_text && strcasecmp(order->literal.as.s->bytes, "desc") == 0;
        if (!is_text || (!key->descending && strcasecmp(order->literal.as.s->bytes, "asc") != 0)) {
            window_arg_wrong(c, call, i + 1, "must be 'asc' or 'desc'");
            if (!is_text)
                diag_hint(c->diags, "an order may be left out only behind the last attribute");
            return NULL;
        }
    }
    struct sort_plan *p = window_plan_new(c, call, &sort_type, sizeof *p);
    p->n = n;
    p->op.most_rows = n > 0 ? (uint64_t)n : 0;
    p->keys = keys;
    p->key_count = count;
    return &p->op;
}

const struct window_type window_sort = {NULL, "sort", true, sort_plan};
