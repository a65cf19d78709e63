/* unique.c - the sliding unique windows (spec 20 section 8): ever, first, length, time.
 *
 * Laws: (1) one row a key; a new event of a known key lets the row of before leave in front of it, and its
 * key stands last now; (2) first: only the first event of a key passes, nothing ever leaves; (3) length: a
 * new key finding n others lets the oldest leave; (4) time: as window.time. */
#include "engine/window/keyed.h"

struct unique_plan {
    struct op_plan op;
    struct key_plan key;
    int32_t n;       /* length */
    int64_t span_ms; /* time */
};
struct unique {
    struct op op;
    struct keyed rows;
    int64_t newest_ms; /* time */
    struct dues dues;
};

static const struct unique_plan *plan_of(const struct op *op)
{
    return (const struct unique_plan *)(const void *)op->plan;
}

static void unique_open(struct op *op)
{
    ((struct unique *)op)->newest_ms = INT64_MIN;
}

/* What a new event does to the rows, before it passes. False: it does not pass. */
typedef bool (*enter_fn)(struct unique *w, const struct event *e, const struct text *key, struct batch *out);

static inline int push_with(struct op *op, const struct batch *in, enter_fn enter)
{
    struct unique *w = (struct unique *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind != EVENT_CURRENT)
            continue;
        struct text *key = key_of(&plan_of(op)->key, op, e);
        if (!key)
            return window_fail(&out);
        if (enter(w, e, key, &out))
            batch_add(&out, e->row, e->at_ms, EVENT_CURRENT);
    }
    return window_emit(op, &out);
}

static void expire(struct unique *w, struct keyed_entry *x, struct batch *out)
{
    batch_add(out, keyed_take(&w->rows, x), op_now(&w->op), EVENT_EXPIRED);
}

static bool enter_ever(struct unique *w, const struct event *e, const struct text *key, struct batch *out)
{
    struct keyed_entry *x = keyed_get(&w->rows, key);
    if (x)
        batch_add(out, keyed_swap(&w->rows, x, e), op_now(&w->op), EVENT_EXPIRED);
    else
        keyed_add(&w->rows, key, e);
    return true;
}

static bool enter_first(struct unique *w, const struct event *e, const struct text *key, struct batch *out)
{
    (void)out;
    if (keyed_get(&w->rows, key))
        return false;
    keyed_add(&w->rows, key, e);
    return true;
}

static bool enter_length(struct unique *w, const struct event *e, const struct text *key, struct batch *out)
{
    struct keyed_entry *x = keyed_get(&w->rows, key);
    if (x)
        expire(w, x, out);
    else if (w->rows.count >= (uint32_t)plan_of(&w->op)->n)
        expire(w, w->rows.first, out);
    keyed_add(&w->rows, key, e);
    return true;
}

static void expire_due(struct unique *w, struct batch *out)
{
    int64_t span_ms = plan_of(&w->op)->span_ms;
    while (w->rows.first && time_is_due(w->rows.first->row->at_ms, span_ms, op_now(&w->op)))
        expire(w, w->rows.first, out);
}

static bool enter_time(struct unique *w, const struct event *e, const struct text *key, struct batch *out)
{
    expire_due(w, out);
    struct keyed_entry *x = keyed_get(&w->rows, key);
    if (x)
        expire(w, x, out);
    keyed_add(&w->rows, key, e);
    if (e->at_ms > w->newest_ms) {
        w->newest_ms = e->at_ms;
        dues_request(&w->dues, &w->op, time_add(e->at_ms, plan_of(&w->op)->span_ms));
    }
    return true;
}

static int ever_push(struct op *op, const struct batch *in)
{
    return push_with(op, in, enter_ever);
}
static int first_push(struct op *op, const struct batch *in)
{
    return push_with(op, in, enter_first);
}
static int length_push(struct op *op, const struct batch *in)
{
    return push_with(op, in, enter_length);
}
static int time_push(struct op *op, const struct batch *in)
{
    return push_with(op, in, enter_time);
}

static int time_due(struct op *op, int64_t due_ms)
{
    struct unique *w = (struct unique *)op;
    struct batch out;
    dues_fired(&w->dues, due_ms);
    batch_init(&out, op->env->scratch, 8);
    out.is_batch = true;
    expire_due(w, &out);
    return window_emit(op, &out);
}

static void unique_save(const struct op *op, struct writer *w)
{
    struct unique *u = (struct unique *)(uintptr_t)op; /* how it is saved is no part of what it holds */
    write_tag(w, op->type->name);
    keyed_save(&u->rows, w);
    write_i64(w, u->newest_ms);
    dues_save(&u->dues, w);
}

static void unique_ahead(const struct op *op, struct writer *w)
{
    keyed_save(&((struct unique *)(uintptr_t)op)->rows, w);
}

static int unique_load(struct op *op, struct reader *r)
{
    struct unique *u = (struct unique *)op;
    read_tag(r, op->type->name);
    keyed_load(&u->rows, r);
    u->newest_ms = read_i64(r);
    dues_load(&u->dues, op, r);
    return window_loaded(r);
}

static void unique_close(struct op *op)
{
    struct unique *u = (struct unique *)op;
    keyed_fini(&u->rows);
    dues_fini(&u->dues);
}

static struct queue *unique_content(struct op *op)
{
    return keyed_content(&((struct unique *)op)->rows, op);
}

static void unique_explain(const struct op_plan *plan, struct buf *out)
{
    const struct unique_plan *p = (const struct unique_plan *)(const void *)plan;
    buf_printf(out, "(%d key%s", p->key.count, p->key.count == 1 ? "" : "s");
    if (p->n)
        buf_printf(out, ", %d", p->n);
    if (p->op.type->due)
        buf_printf(out, ", %lld ms", (long long)p->span_ms);
    buf_add_char(out, ')');
}

#define UNIQUE_TYPE(NAME, PUSH, DUE)                                                                      \
    {                                                                                                     \
        .name = (NAME), .size = sizeof(struct unique), .open = unique_open, .push = (PUSH), .due = (DUE), \
        .save = unique_save, .load = unique_load, .ahead = unique_ahead, .close = unique_close,           \
        .content = unique_content, .explain = unique_explain,                                             \
    }
static const struct op_type ever_type = UNIQUE_TYPE("window.unique:ever", ever_push, NULL);
static const struct op_type first_type = UNIQUE_TYPE("window.unique:first", first_push, NULL);
static const struct op_type length_type = UNIQUE_TYPE("window.unique:length", length_push, NULL);
static const struct op_type time_type = UNIQUE_TYPE("window.unique:time", time_push, time_due);

static struct op_plan *make(struct window_ctx *c, const struct ast_expr *call, const struct op_type *type,
                            int keys, struct unique_plan p)
{
    if (!key_plan(c, call, 0, keys, &p.key))
        return NULL;
    struct unique_plan *plan = window_plan_new(c, call, type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

static struct op_plan *ever_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_plan p = {.key = {.is_text = true}};
    return window_arg_count(c, call, 1, INT32_MAX) ? make(c, call, &ever_type, call->arg_count, p) : NULL;
}

static struct op_plan *first_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_plan p = {.key = {.is_text = true}};
    return window_arg_count(c, call, 1, INT32_MAX) ? make(c, call, &first_type, call->arg_count, p) : NULL;
}

static struct op_plan *length_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_plan p = {.key = {.refuses_null = true}};
    if (!window_arg_count(c, call, 2, 2) || !window_arg_int(c, call, 1, &p.n))
        return NULL;
    if (p.n < 1) {
        window_arg_wrong(c, call, 1, "must be greater than 0");
        return NULL;
    }
    return make(c, call, &length_type, 1, p);
}

static struct op_plan *time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_plan p = {.key = {.refuses_null = true}};
    if (!window_arg_count(c, call, 2, 2) || !window_arg_duration(c, call, 1, &p.span_ms))
        return NULL;
    return make(c, call, &time_type, 1, p);
}

const struct window_type window_unique_ever = {"unique", "ever", true, ever_plan};
const struct window_type window_unique_first = {"unique", "first", true, first_plan};
const struct window_type window_unique_length = {"unique", "length", true, length_plan};
const struct window_type window_unique_time = {"unique", "time", true, time_plan};
