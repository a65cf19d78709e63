/* query.c - one running copy of a query: its operators made from the plan and chained. There may be a copy
 * for each of a million keys, so it lies in one piece, in memory of whoever makes it, and what keeps nothing
 * of its own is shared (partition.c). */
#include "engine/run/app.h"

static void op_init(struct op *op, struct app *app, const struct op_plan *plan, struct query *query)
{
    op->type = plan->type;
    op->plan = plan;
    op->query = query;
    op->env = &app->env;
    if (plan->type->shared_size && !app->shared[plan->number])
        app->shared[plan->number] = mem_alloc(plan->type->shared_size);
}

void *op_shared(const struct op *op)
{
    return op_app(op)->shared[op->plan->number];
}

const char *op_key(const struct op *op, size_t *len)
{
    return op->query && op->query->partition ? partition_key(op->query->partition, len) : NULL;
}

bool op_is_in_playback(const struct op *op)
{
    return op_app(op)->playback;
}

static void op_close(struct op *op)
{
    timer_cancel(op);
    if (op->type->close)
        op->type->close(op);
}

int op_push_wrapped(struct op *op, struct row *const *left, uint32_t count, int64_t left_ms,
                    const struct event *e)
{
    struct event space[BATCH_SHORT];
    struct batch b;
    batch_on(&b, space, count + 1, op->env->scratch);
    for (uint32_t i = 0; i < count; i++)
        batch_add(&b, left[i], left_ms, EVENT_EXPIRED);
    batch_add(&b, e->row, e->at_ms, EVENT_CURRENT)->group = e->group;
    return op_push(op, &b);
}

struct op *op_new(struct app *app, const struct op_plan *plan, struct query *query)
{
    struct op *op = mem_alloc(op_bytes(plan));
    op_init(op, app, plan, query);
    return op;
}

void op_free(struct op *op)
{
    if (!op)
        return;
    op_close(op);
    mem_free(op);
}

struct stream *app_stream_of(struct app *app, const struct plan_element *e, struct partition *partition)
{
    if (e->kind == ELEMENT_WINDOW)
        return app->window_streams[e->number];
    if (e->kind != ELEMENT_STREAM)
        return NULL;
    return e->is_inner ? partition_stream(partition, e) : app->streams[e->number];
}

size_t query_bytes(const struct plan_query *plan, const struct query *model)
{
    size_t bytes = sizeof(struct query) + (size_t)plan->op_count * sizeof(struct op *);
    for (int i = 0; i < plan->op_count; i++) {
        if (!model || !model->ops[i])
            bytes += op_bytes(plan->ops[i]);
    }
    return bytes;
}

size_t query_op_at(const struct plan_query *plan, const struct query *model, int index)
{
    size_t at = sizeof(struct query) + (size_t)plan->op_count * sizeof(struct op *);
    for (int i = 0; i < index; i++) {
        if (!model || !model->ops[i])
            at += op_bytes(plan->ops[i]);
    }
    return at;
}

void query_init(struct query *q, struct app *app, const struct plan_query *plan, struct partition *partition,
                const struct query *model)
{
    char *at = (char *)(q->ops + plan->op_count);
    q->plan = plan;
    q->partition = partition;
    for (int i = 0; i < plan->op_count; i++) {
        if (model && model->ops[i]) {
            q->ops[i] = model->ops[i];
            continue;
        }
        q->ops[i] = (struct op *)(void *)at;
        at += op_bytes(plan->ops[i]);
        op_init(q->ops[i], app, plan->ops[i], q);
    }
    for (int i = 0; i < plan->op_count; i++) {
        const struct op_plan *next = plan->ops[i]->next;
        if (q->ops[i]->query != q)
            continue;
        if (next)
            q->ops[i]->next = q->ops[next->index];
        if (plan->ops[i]->type->open)
            plan->ops[i]->type->open(q->ops[i]);
    }
}

void query_subscribe(struct query *q, struct app *app)
{
    for (int i = 0; i < q->plan->input_count; i++) {
        const struct plan_input *in = &q->plan->inputs[i];
        struct stream *s = app_stream_of(app, in->element, q->partition);
        if (s)
            stream_subscribe(s, q->ops[in->entry->index]);
    }
}

int query_start(struct query *q, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < q->plan->op_count && rc == 0; i++) {
        if (q->ops[i]->type->start)
            rc = q->ops[i]->type->start(q->ops[i], e);
    }
    return rc;
}

void query_fini(struct query *q)
{
    for (int i = q->plan->op_count; i > 0; i--) {
        if (q->ops[i - 1]->query == q)
            op_close(q->ops[i - 1]);
    }
}

void query_save(const struct query *q, struct writer *w)
{
    for (int i = 0; i < q->plan->op_count; i++)
        if (q->ops[i]->type->save)
            q->ops[i]->type->save(q->ops[i], w);
}

int query_load(struct query *q, struct reader *r)
{
    for (int i = 0; i < q->plan->op_count; i++) {
        struct op *op = q->ops[i];
        if (op->type->save && (op->type->load(op, r) < 0 || r->failed))
            return ERR_STATE;
    }
    return 0;
}
