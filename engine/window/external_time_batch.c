/* external_time_batch.c - window.externalTimeBatch(attribute, span [, start [, timeout [, replace]]]) (spec
 * 04 section 2.8).
 *
 * Laws: (1) newest is the greatest time seen; an event before end joins the batch, however old it is; any
 * other flushes, sets the new end from newest, and opens the next batch; (2) a flush is the previous batch as
 * expired, a RESET, the batch; (3) a timeout flushes an open batch early and marks it flushed: what comes
 * later in it is appended, which sends all of the batch again; (4) expired events and RESETs are stamped with
 * newest; (5) only the newest timer request counts.
 * The same machine serves unique:externalTimeBatch: there a new row takes the place of the batch's row with
 * the same key. */
#include "engine/window/window.h"

struct external_time_batch_plan {
    struct op_plan op;
    int64_t span_ms, start_ms, timeout_ms;
    int attribute, start_attribute; /* start_attribute -1: none */
    bool has_start, replaces, expires, keeps;
    struct expr *key; /* unique:externalTimeBatch, or NULL */
};
struct external_time_batch {
    struct op op;
    struct queue batch;
    struct queue released; /* if keeps */
    struct row *first;     /* that made the RESET; counted */
    int64_t start_ms, end_ms, newest_ms, asked_ms;
    bool flushed;
    struct dues dues;
};

static const struct external_time_batch_plan *plan_of(const struct op *op)
{
    return (const struct external_time_batch_plan *)(const void *)op->plan;
}

static void external_time_batch_open(struct op *op)
{
    struct external_time_batch *w = (struct external_time_batch *)op;
    w->start_ms = plan_of(op)->start_ms;
    w->end_ms = -1;
}

static int64_t end_of(const struct external_time_batch *w, int64_t time_ms)
{
    int64_t span_ms = plan_of(&w->op)->span_ms;
    return time_add(time_ms, span_ms - time_sub(time_ms, w->start_ms) % span_ms);
}

static void ask(struct external_time_batch *w)
{
    int64_t timeout_ms = plan_of(&w->op)->timeout_ms;
    if (timeout_ms <= 0)
        return;
    w->asked_ms = time_add(op_now(&w->op), timeout_ms);
    dues_request(&w->dues, &w->op, w->asked_ms);
}

/* The first event says where batches begin. A negative end counts as none. */
static bool begin(struct external_time_batch *w, const struct row *row)
{
    const struct external_time_batch_plan *p = plan_of(&w->op);
    int64_t time_ms;
    if (w->end_ms >= 0)
        return true;
    if (!window_time_of(&w->op, row, p->start_attribute >= 0 ? p->start_attribute : p->attribute, &time_ms))
        return false;
    if (p->has_start) {
        w->end_ms = end_of(w, time_ms);
    } else {
        w->start_ms = time_ms;
        w->end_ms = time_add(time_ms, p->span_ms);
    }
    ask(w);
    return true;
}

static void flush(struct external_time_batch *w, struct chunks *chunks, bool preserve)
{
    const struct external_time_batch_plan *p = plan_of(&w->op);
    struct batch *b = chunks_add(chunks, &w->op, w->released.count + w->batch.count + 1);
    w->released.walked = 0; /* unlike other batch windows, this one begins its own walk anew */
    if (p->expires)
        window_expire_all(&w->released, b, w->newest_ms);
    queue_clear(&w->released);
    if (!w->batch.count)
        return;
    batch_add(b, w->first, w->newest_ms, EVENT_RESET); /* our reference goes with it */
    w->first = NULL;
    chunk_release(b, &w->batch, preserve || p->keeps ? &w->released : NULL);
}

/* Sends what was sent of this batch once more, then the new rows; nothing when there are none. */
static void append(struct external_time_batch *w, struct chunks *chunks, bool preserve)
{
    const struct external_time_batch_plan *p = plan_of(&w->op);
    if (!w->batch.count)
        return;
    struct batch *b = chunks_add(chunks, &w->op, w->released.count * 2 + w->batch.count + 1);
    for (uint32_t i = 0; p->expires && i < w->released.count; i++)
        batch_add(b, row_ref(queue_at(&w->released, i)), w->newest_ms, EVENT_EXPIRED);
    batch_add(b, row_ref(w->first), w->newest_ms, EVENT_RESET);
    for (uint32_t i = 0; i < w->released.count; i++) {
        struct row *row = queue_at(&w->released, i);
        batch_add(b, row_ref(row), row->at_ms, EVENT_CURRENT);
    }
    chunk_release(b, &w->batch, preserve || p->keeps ? &w->released : NULL);
}

/* unique: the place of the row with this key in the batch, or its end. */
static bool key_place(struct external_time_batch *w, const struct event *e, uint32_t *place)
{
    const struct external_time_batch_plan *p = plan_of(&w->op);
    struct row *row = e->row;
    struct frame f = {.env = w->op.env, .rows = &row, .at_ms = e->at_ms, .kind = EVENT_CURRENT};
    struct value key = expr_eval(p->key, &f);
    for (*place = 0; *place < w->batch.count && !w->op.env->failed; ++*place) {
        row = queue_at(&w->batch, *place);
        f.at_ms = row->at_ms;
        if (value_same(key, expr_eval(p->key, &f)))
            break;
    }
    return !w->op.env->failed;
}

static bool join_batch(struct external_time_batch *w, const struct event *e)
{
    const struct external_time_batch_plan *p = plan_of(&w->op);
    uint32_t place = w->batch.count;
    if (p->key && !key_place(w, e, &place))
        return false;
    struct row *row;
    if (p->replaces) {
        row = row_copy(e->row, 0, e->at_ms);
        row_set(row, (size_t)p->attribute, value_long(w->end_ms));
    } else {
        row = e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
    }
    if (place < w->batch.count)
        row_unref(queue_take_at(&w->batch, place));
    queue_insert_at(&w->batch, place, row);
    row_unref(row);
    if (!w->first)
        w->first = row_ref(e->row);
    return true;
}

static int external_time_batch_push(struct op *op, const struct batch *in)
{
    struct external_time_batch *w = (struct external_time_batch *)op;
    struct chunks chunks = {NULL, NULL};
    if (in->count && !begin(w, in->events[0].row))
        return ERR_EVENT;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        int64_t time_ms;
        if (e->kind != EVENT_CURRENT)
            continue;
        if (!window_time_of(op, e->row, plan_of(op)->attribute, &time_ms))
            return chunks_fail(&chunks);
        if (w->newest_ms < time_ms)
            w->newest_ms = time_ms;
        bool is_next = time_ms >= w->end_ms;
        if (is_next) {
            if (w->flushed)
                append(w, &chunks, false);
            else
                flush(w, &chunks, false);
            w->flushed = false;
            w->end_ms = end_of(w, w->newest_ms);
        }
        if (!join_batch(w, e))
            return chunks_fail(&chunks);
        if (is_next)
            ask(w);
    }
    return chunks_emit(&chunks, op);
}

static int external_time_batch_due(struct op *op, int64_t due_ms)
{
    struct external_time_batch *w = (struct external_time_batch *)op;
    struct chunks chunks = {NULL, NULL};
    dues_fired(&w->dues, due_ms);
    if (due_ms < w->asked_ms)
        return 0;
    if (!w->flushed)
        flush(w, &chunks, true);
    else
        append(w, &chunks, true);
    w->flushed = true;
    ask(w);
    return chunks_emit(&chunks, op);
}

static void external_time_batch_save(const struct op *op, struct writer *w)
{
    const struct external_time_batch *b = (const struct external_time_batch *)op;
    write_tag(w, op->type->name);
    queue_save(&b->batch, w);
    queue_save(&b->released, w);
    write_row(w, b->first);
    write_i64(w, b->start_ms);
    write_i64(w, b->end_ms);
    write_i64(w, b->newest_ms);
    write_i64(w, b->asked_ms);
    write_u8(w, b->flushed);
    dues_save(&b->dues, w);
}

static int external_time_batch_load(struct op *op, struct reader *r)
{
    struct external_time_batch *b = (struct external_time_batch *)op;
    read_tag(r, op->type->name);
    queue_load(&b->batch, r);
    queue_load(&b->released, r);
    b->first = read_row(r);
    b->start_ms = read_i64(r);
    b->end_ms = read_i64(r);
    b->newest_ms = read_i64(r);
    b->asked_ms = read_i64(r);
    b->flushed = read_u8(r) != 0;
    dues_load(&b->dues, op, r);
    if (b->batch.count && !b->first)
        r->failed = true;
    return window_loaded(r);
}

static void external_time_batch_close(struct op *op)
{
    struct external_time_batch *b = (struct external_time_batch *)op;
    queue_fini(&b->batch);
    queue_fini(&b->released);
    dues_fini(&b->dues);
    if (b->first)
        row_unref(b->first);
}

static struct queue *external_time_batch_content(struct op *op)
{
    return &((struct external_time_batch *)op)->released;
}

static void external_time_batch_explain(const struct op_plan *plan, struct buf *out)
{
    const struct external_time_batch_plan *p = (const struct external_time_batch_plan *)(const void *)plan;
    buf_printf(out, "(%s, %lld ms", plan->in->attributes[p->attribute].name, (long long)p->span_ms);
    if (p->timeout_ms > 0)
        buf_printf(out, ", timeout %lld ms", (long long)p->timeout_ms);
    buf_add_str(out, p->replaces ? ", replace)" : ")");
}

static const struct op_type external_time_batch_type = {
    .name = "window.externalTimeBatch",
    .size = sizeof(struct external_time_batch),
    .open = external_time_batch_open,
    .push = external_time_batch_push,
    .due = external_time_batch_due,
    .save = external_time_batch_save,
    .load = external_time_batch_load,
    .close = external_time_batch_close,
    .content = external_time_batch_content,
    .explain = external_time_batch_explain,
};
static const struct op_type unique_external_time_batch_type = {
    .name = "window.unique:externalTimeBatch",
    .size = sizeof(struct external_time_batch),
    .open = external_time_batch_open,
    .push = external_time_batch_push,
    .due = external_time_batch_due,
    .save = external_time_batch_save,
    .load = external_time_batch_load,
    .close = external_time_batch_close,
    .content = external_time_batch_content,
    .explain = external_time_batch_explain,
};

/* The parameters from n on: attribute, span [, start [, timeout [, replace]]]. */
static bool parameters(struct window_ctx *c, const struct ast_expr *call, int n,
                       struct external_time_batch_plan *p)
{
    p->start_attribute = -1;
    if (!window_arg_attr(c, call, n, TYPE_LONG, &p->attribute) ||
        !window_arg_duration(c, call, n + 1, &p->span_ms))
        return false;
    if (p->span_ms <= 0)
        return window_arg_wrong(c, call, n + 1, "must be greater than 0");
    const struct ast_expr *start = window_arg(call, n + 2);
    if (start && start->kind == AST_LITERAL) {
        if (!window_arg_duration(c, call, n + 2, &p->start_ms))
            return false;
        p->has_start = true;
    } else if (start && !window_arg_attr(c, call, n + 2, TYPE_LONG, &p->start_attribute)) {
        return false;
    }
    if (window_arg(call, n + 3) && !window_arg_duration(c, call, n + 3, &p->timeout_ms))
        return false;
    return !window_arg(call, n + 4) || window_arg_bool(c, call, n + 4, &p->replaces);
}

static struct op_plan *make(struct window_ctx *c, const struct ast_expr *call, const struct op_type *type,
                            int n, struct expr *key)
{
    struct external_time_batch_plan p = {
        .expires = c->expired_wanted, .keeps = c->expired_wanted || c->has_find, .key = key};
    if (!parameters(c, call, n, &p))
        return NULL;
    struct external_time_batch_plan *plan = window_plan_new(c, call, type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

static struct op_plan *external_time_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    return window_arg_count(c, call, 2, 5) ? make(c, call, &external_time_batch_type, 0, NULL) : NULL;
}

static struct op_plan *unique_external_time_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    if (!window_arg_count(c, call, 3, 6))
        return NULL;
    struct expr *key = window_arg_expr(c, call, 0);
    return key ? make(c, call, &unique_external_time_batch_type, 1, key) : NULL;
}

const struct window_type window_external_time_batch = {NULL, "externalTimeBatch", false,
                                                       external_time_batch_plan};
const struct window_type window_unique_external_time_batch = {"unique", "externalTimeBatch", false,
                                                              unique_external_time_batch_plan};
