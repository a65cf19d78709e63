/* expression_batch.c - window.expressionBatch(condition [, include [, stream]]): a batch ends when the
 * condition fails (spec 04 section 2.16).
 *
 * Laws: (1) while the condition holds, events join the batch; streaming, each passes at once;
 * (2) when it fails, the condition's aggregators start anew with the event alone, and a chunk leaves: the
 * previous batch as expired, then the batch, stamped now; streaming: the batch as expired, then the event;
 * (3) include, asked for each event that ends a batch which is not empty, puts it into that batch, else it
 * opens the next;
 * (4) against an empty batch the event leaves as expired and as current, and is not kept;
 * (5) expired rows are always made, RESET never;
 * (6) lookups find the batch being collected; streaming: nothing. */
#include "engine/window/judge.h"

struct expression_batch_plan {
    struct op_plan op;
    struct judge_plan judge;
    bool includes, streams;
    const struct expr *include; /* says it for each event; NULL: includes does */
};
struct expression_batch {
    struct op op;
    struct queue batch, released;
    struct judge judge;
};

static const struct expression_batch_plan *plan_of(const struct op *op)
{
    return (const struct expression_batch_plan *)(const void *)op->plan;
}

static void expression_batch_open(struct op *op)
{
    judge_open(&((struct expression_batch *)op)->judge, op, &plan_of(op)->judge);
}

/* Does the event of row go into the batch that ends? False after expr_fail, too. */
static bool is_included(struct op *op, struct row *row)
{
    const struct expression_batch_plan *p = plan_of(op);
    if (!p->include)
        return p->includes;
    struct frame f = {.env = op->env, .rows = &row, .at_ms = row->at_ms, .kind = EVENT_CURRENT};
    struct value v = expr_eval(p->include, &f);
    if (op->env->failed || v.type == TYPE_BOOL)
        return !op->env->failed && v.as.l != 0;
    expr_fail(op->env, "window.expressionBatch: its second parameter is %s",
              is_null(v) ? "null" : "not a bool");
    return false;
}

static void end_streamed(struct expression_batch *w, const struct event *e, bool include,
                         struct chunks *chunks)
{
    int64_t now_ms = op_now(&w->op);
    struct batch *b = chunks_add(chunks, &w->op, w->batch.count + 2);
    bool was_empty = w->batch.count == 0;
    if (!was_empty && include)
        chunk_pass(b, e);
    window_expire_all(&w->batch, b, now_ms);
    if (was_empty || include)
        batch_add(b, row_ref(e->row), now_ms, EVENT_EXPIRED);
    if (was_empty)
        batch_add(b, row_ref(e->row), now_ms, EVENT_CURRENT);
    else if (!include)
        chunk_pass(b, e);
    if (!was_empty && !include)
        window_hold(&w->batch, e);
}

static void end_batch(struct expression_batch *w, const struct event *e, bool include, struct chunks *chunks)
{
    int64_t now_ms = op_now(&w->op);
    struct batch *b = chunks_add(chunks, &w->op, w->released.count + w->batch.count + 2);
    window_expire_all(&w->released, b, now_ms);
    if (!w->batch.count) {
        batch_add(b, row_ref(e->row), now_ms, EVENT_EXPIRED);
        batch_add(b, row_ref(e->row), now_ms, EVENT_CURRENT);
        return;
    }
    uint32_t walked = w->batch.walked;
    for (uint32_t i = 0; w->batch.count; i++) {
        struct row *row = queue_take(&w->batch);
        /* Rows that a lookup walked over keep their time, and never come back as expired ones (queue.h). */
        batch_add(b, row, i < walked ? row->at_ms : now_ms, EVENT_CURRENT);
        if (i >= walked)
            queue_add(&w->released, row);
    }
    w->batch.walked = 0;
    if (include) { /* it keeps its own timestamp */
        window_hold(&w->released, e);
        chunk_pass(b, e);
    } else {
        window_hold(&w->batch, e);
    }
}

static bool enter(struct expression_batch *w, const struct event *e, struct chunks *chunks)
{
    struct op *op = &w->op;
    int rc = judge_read(&w->judge, op, e->row);
    if (rc < 0)
        return false;
    if (rc == 1)
        judge_feed(&w->judge, op, &w->batch);
    if (op->env->failed)
        return false;
    /* The condition may ask for eventTimestamp(last): that is the event's. */
    struct row *row = e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
    struct event own = {.row = row, .at_ms = e->at_ms, .kind = e->kind};
    struct row *first = w->batch.count ? queue_at(&w->batch, 0) : row;
    bool holds = judge_says(&w->judge, op, row, first, row, EVENT_CURRENT);
    if (holds && !op->env->failed) {
        window_hold(&w->batch, &own);
        if (plan_of(op)->streams)
            chunk_pass(chunks_add(chunks, op, 1), &own);
    } else if (!op->env->failed) {
        /* Aggregators that 'and' or 'or' skips are neither reset nor fed. */
        judge_says(&w->judge, op, row, first, row, EVENT_RESET);
        judge_says(&w->judge, op, row, first, row, EVENT_CURRENT);
        bool include = !op->env->failed && w->batch.count && is_included(op, row);
        if (op->env->failed) {
            /* nothing leaves, nothing joins */
        } else if (plan_of(op)->streams) {
            end_streamed(w, &own, include, chunks);
        } else {
            end_batch(w, &own, include, chunks);
        }
    }
    row_unref(row);
    return !op->env->failed;
}

static int expression_batch_push(struct op *op, const struct batch *in)
{
    struct expression_batch *w = (struct expression_batch *)op;
    struct chunks chunks = {NULL, NULL};
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->events[i].kind == EVENT_CURRENT && !enter(w, &in->events[i], &chunks))
            return chunks_fail(&chunks);
    }
    return chunks_emit(&chunks, op);
}

static void expression_batch_save(const struct op *op, struct writer *w)
{
    const struct expression_batch *x = (const struct expression_batch *)op;
    write_tag(w, "window.expressionBatch");
    queue_save(&x->batch, w);
    queue_save(&x->released, w);
    judge_save(&x->judge, w);
}

static int expression_batch_load(struct op *op, struct reader *r)
{
    struct expression_batch *x = (struct expression_batch *)op;
    read_tag(r, "window.expressionBatch");
    queue_load(&x->batch, r);
    queue_load(&x->released, r);
    int rc = judge_load(&x->judge, op, r);
    return rc < 0 ? rc : window_loaded(r);
}

static void expression_batch_close(struct op *op)
{
    struct expression_batch *x = (struct expression_batch *)op;
    queue_fini(&x->batch);
    queue_fini(&x->released);
    judge_close(&x->judge, op);
}

static struct queue *expression_batch_content(struct op *op)
{
    return plan_of(op)->streams ? NULL : &((struct expression_batch *)op)->batch;
}

static void expression_batch_explain(const struct op_plan *plan, struct buf *out)
{
    const struct expression_batch_plan *p = (const struct expression_batch_plan *)(const void *)plan;
    judge_explain(plan, &p->judge, out);
    if (p->include)
        buf_printf(out, ", %s", p->include->name ? p->include->name : "a condition");
    else
        buf_add_str(out, p->includes ? ", true" : ", false");
    buf_add_str(out, p->streams ? ", true)" : ")");
}

static void expression_batch_save_shared(const struct op_plan *plan, const void *shared, struct writer *w)
{
    judge_save_shared(&((const struct expression_batch_plan *)(const void *)plan)->judge, shared, w);
}

static int expression_batch_load_shared(const struct op_plan *plan, void *shared, struct reader *r)
{
    return judge_load_shared(&((const struct expression_batch_plan *)(const void *)plan)->judge, shared, r);
}

static const struct op_type expression_batch_type = {
    .name = "window.expressionBatch",
    .size = sizeof(struct expression_batch),
    .shared_size = sizeof(struct judge_shared),
    .save_shared = expression_batch_save_shared,
    .load_shared = expression_batch_load_shared,
    .open = expression_batch_open,
    .push = expression_batch_push,
    .save = expression_batch_save,
    .load = expression_batch_load,
    .close = expression_batch_close,
    .content = expression_batch_content,
    .explain = expression_batch_explain,
};

static struct op_plan *expression_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct expression_batch_plan p = {.include = NULL};
    if (!window_arg_count(c, call, 1, 3) || !judge_plan(c, call, 0, &p.judge))
        return NULL;
    const struct ast_expr *include = window_arg(call, 1);
    if (include && window_arg_is(call, 1, TYPE_BOOL)) {
        if (!window_arg_bool(c, call, 1, &p.includes))
            return NULL;
    } else if (include) {
        p.include = window_arg_expr(c, call, 1);
        if (!p.include)
            return NULL;
        if (p.include->type != TYPE_BOOL) {
            window_arg_wrong(c, call, 1, "must be true, false or a condition");
            return NULL;
        }
    }
    if (call->arg_count > 2 && !window_arg_bool(c, call, 2, &p.streams))
        return NULL;
    struct expression_batch_plan *plan = window_plan_new(c, call, &expression_batch_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

const struct window_type window_expression_batch = {NULL, "expressionBatch", false, expression_batch_plan};
