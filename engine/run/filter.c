/* filter.c - see filter.h. State: the aggregators in the condition, if any. TIMER events carry no row and are
 * dropped. */
#include "engine/run/filter.h"

struct filter {
    struct op op;
    char *agg;
};

static void filter_open(struct op *op)
{
    struct filter *f = (struct filter *)op;
    f->agg = agg_block_new(((const struct filter_plan *)op->plan)->aggs);
}

static int filter_one(struct op *op, const struct event *e)
{
    const struct filter_plan *plan = (const struct filter_plan *)op->plan;
    struct frame frame = {.env = op->env,
                          .rows = &e->row,
                          .agg = ((const struct filter *)op)->agg,
                          .at_ms = e->at_ms,
                          .kind = EVENT_CURRENT,
                          .user = op};
    bool pass = expr_is_true(plan->condition, &frame);
    if (UNLIKELY(op->env->failed))
        return ERR_EVENT;
    return pass ? op_one(op->next, e) : 0;
}

static int filter_push(struct op *op, const struct batch *in)
{
    struct filter *f = (struct filter *)op;
    const struct filter_plan *plan = (const struct filter_plan *)op->plan;
    struct frame frame = {.env = op->env, .agg = f->agg, .user = op};
    struct event space[BATCH_SHORT];
    struct batch out;
    batch_on(&out, space, in->count, op->env->scratch);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!e->row)
            continue;
        frame.rows = &e->row;
        frame.at_ms = e->at_ms;
        frame.kind = e->kind;
        if (expr_is_true(plan->condition, &frame))
            batch_add(&out, e->row, e->at_ms, e->kind);
        if (UNLIKELY(op->env->failed))
            return ERR_EVENT;
    }
    return op_next(op, &out);
}

static void filter_save(const struct op *op, struct writer *w)
{
    agg_block_save(((const struct filter_plan *)op->plan)->aggs, ((const struct filter *)op)->agg, w);
}

static int filter_load(struct op *op, struct reader *r)
{
    return agg_block_load(((const struct filter_plan *)op->plan)->aggs, ((struct filter *)op)->agg, r);
}

static void filter_close(struct op *op)
{
    agg_block_free(((const struct filter_plan *)op->plan)->aggs, ((struct filter *)op)->agg);
}

const struct op_type op_filter = {
    .name = "filter",
    .size = sizeof(struct filter),
    .open = filter_open,
    .push = filter_push,
    .one = filter_one,
    .save = filter_save,
    .load = filter_load,
    .close = filter_close,
};
