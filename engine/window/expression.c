/* expression.c - window.expression(condition): rows stay while the condition holds (spec 04 section 2.15).
 *
 * Laws: (1) an event is added, then the condition is asked with it as current and last; (2) while it is false
 * the oldest row leaves, in front of the event, and the condition is asked again with that row as current,
 * taken from the aggregators; the event itself may leave; (3) a new text (attribute form) is fed with all
 * rows first. */
#include "engine/window/judge.h"

struct expression_plan {
    struct op_plan op;
    struct judge_plan judge;
};
struct expression {
    struct op op;
    struct queue rows;
    struct judge judge;
};

static const struct expression_plan *plan_of(const struct op *op)
{
    return (const struct expression_plan *)(const void *)op->plan;
}

static void expression_open(struct op *op)
{
    judge_open(&((struct expression *)op)->judge, op, &plan_of(op)->judge);
}

/* False: the event failed. */
static bool enter(struct expression *w, const struct event *e, struct batch *out)
{
    struct op *op = &w->op;
    int rc = judge_read(&w->judge, op, e->row);
    if (rc < 0)
        return false;
    if (rc == 1)
        judge_feed(&w->judge, op, &w->rows);
    if (op->env->failed)
        return false;
    struct row *last = row_ref(window_hold(&w->rows, e)); /* it may leave at once */
    bool holds = judge_says(&w->judge, op, last, queue_at(&w->rows, 0), last, EVENT_CURRENT);
    while (!holds && w->rows.count && !op->env->failed) {
        struct row *gone = queue_take(&w->rows);
        batch_add(out, gone, op_now(op), EVENT_EXPIRED);
        holds = judge_says(&w->judge, op, gone, w->rows.count ? queue_at(&w->rows, 0) : gone, last,
                           EVENT_EXPIRED);
    }
    row_unref(last);
    return !op->env->failed;
}

static int expression_push(struct op *op, const struct batch *in)
{
    struct expression *w = (struct expression *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind != EVENT_CURRENT)
            continue;
        if (!enter(w, e, &out))
            return window_fail(&out);
        batch_add(&out, e->row, e->at_ms, EVENT_CURRENT);
    }
    return window_emit(op, &out);
}

static void expression_save(const struct op *op, struct writer *w)
{
    const struct expression *x = (const struct expression *)op;
    write_tag(w, "window.expression");
    queue_save(&x->rows, w);
    judge_save(&x->judge, w);
}

static int expression_load(struct op *op, struct reader *r)
{
    struct expression *x = (struct expression *)op;
    read_tag(r, "window.expression");
    queue_load(&x->rows, r);
    int rc = judge_load(&x->judge, op, r);
    return rc < 0 ? rc : window_loaded(r);
}

static void expression_close(struct op *op)
{
    struct expression *x = (struct expression *)op;
    queue_fini(&x->rows);
    judge_close(&x->judge, op);
}

static struct queue *expression_content(struct op *op)
{
    return &((struct expression *)op)->rows;
}

static void expression_explain(const struct op_plan *plan, struct buf *out)
{
    judge_explain(plan, &((const struct expression_plan *)(const void *)plan)->judge, out);
    buf_add_char(out, ')');
}

static void expression_save_shared(const struct op_plan *plan, const void *shared, struct writer *w)
{
    judge_save_shared(&((const struct expression_plan *)(const void *)plan)->judge, shared, w);
}

static int expression_load_shared(const struct op_plan *plan, void *shared, struct reader *r)
{
    return judge_load_shared(&((const struct expression_plan *)(const void *)plan)->judge, shared, r);
}

static const struct op_type expression_type = {
    .name = "window.expression",
    .size = sizeof(struct expression),
    .shared_size = sizeof(struct judge_shared),
    .save_shared = expression_save_shared,
    .load_shared = expression_load_shared,
    .open = expression_open,
    .push = expression_push,
    .save = expression_save,
    .load = expression_load,
    .close = expression_close,
    .content = expression_content,
    .explain = expression_explain,
};

static struct op_plan *expression_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct judge_plan judge = {0};
    if (!window_arg_count(c, call, 1, 1) || !judge_plan(c, call, 0, &judge))
        return NULL;
    struct expression_plan *p = window_plan_new(c, call, &expression_type, sizeof *p);
    p->judge = judge;
    return &p->op;
}

const struct window_type window_expression = {NULL, "expression", true, expression_plan};
