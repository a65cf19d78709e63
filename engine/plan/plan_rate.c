/* plan_rate.c - output rate limits (spec 05 part B): which operator serves the clause. */
#include "engine/expr/agg.h"
#include "engine/plan/plan.h"
#include "engine/run/ratelimit.h"
#include "engine/run/select.h"

static bool has_window(const struct ast_query *ast)
{
    if (ast->input_kind == INPUT_JOIN)
        return true;
    if (ast->input_kind != INPUT_SINGLE)
        return false;
    for (const struct ast_handler *h = ast->single->handlers; h; h = h->next) {
        if (h->kind == HANDLER_WINDOW)
            return true;
        if (h->kind == HANDLER_FUNCTION && h->expr->space.text &&
            window_find(h->expr->space.text, h->expr->name.text))
            return true;
    }
    return false;
}

static const struct op_type *snapshot_type(const struct ast_query *ast, int agg_count, int column_count)
{
    bool is_grouped = ast->select.group_by != NULL;
    if (!has_window(ast))
        return is_grouped ? &op_snapshot_last_group : &op_snapshot_last;
    if (agg_count == 0)
        return &op_snapshot_inside;
    if (agg_count == column_count)
        return is_grouped ? &op_snapshot_last_inside_group : &op_snapshot_last_inside;
    return is_grouped ? &op_snapshot_oldest_group : &op_snapshot_inside;
}

static const struct op_type *events_type(enum ast_rate_type type, bool is_grouped)
{
    switch (type) {
    case RATE_FIRST:
        return is_grouped ? &op_rate_first_group_events : &op_rate_first_events;
    case RATE_LAST:
        return is_grouped ? &op_rate_last_group_events : &op_rate_last_events;
    case RATE_ALL:
        break;
    }
    return &op_rate_all_events;
}

static const struct op_type *time_type(enum ast_rate_type type, bool is_grouped)
{
    switch (type) {
    case RATE_FIRST:
        return is_grouped ? &op_rate_first_group_time : &op_rate_first_time;
    case RATE_LAST:
        return &op_rate_last_time;
    case RATE_ALL:
        break;
    }
    return &op_rate_all_time;
}

/* Which columns a row that leaves is compared by: all but the aggregators. But the language's engine, having
 * passed the first aggregator at column i, takes the i-th instead of the next one for the following column to
 * leave out, so some aggregators are compared as well. Where it would run off its list (and fail, if all was
 * equal up to there), ours compares no more of them. */
static bool *compared_columns(struct planner *p, const bool *is_agg, int count, int agg_count)
{
    bool *is_compared = arena_array(p->arena, (size_t)count + 1, sizeof(*is_compared));
    int *aggs = arena_array(p->arena, (size_t)count + 1, sizeof(*aggs));
    for (int i = 0, n = 0; i < count; i++) {
        is_compared[i] = !is_agg[i];
        if (is_agg[i])
            aggs[n++] = i;
    }
    int passed = 0, skip = agg_count ? aggs[0] : -1;
    for (int i = 0; i < count; i++) {
        if (i != skip) {
            is_compared[i] = true;
            continue;
        }
        passed++;
        skip = -1;
        if (passed == agg_count)
            continue;
        if (i < agg_count) {
            skip = aggs[i];
            continue;
        }
        for (int k = i + 1; k < count; k++)
            is_compared[k] = !is_agg[k];
        break;
    }
    return is_compared;
}

struct op_plan *plan_rate(struct planner *p, const struct ast_query *ast, struct op_plan *select,
                          bool *failed)
{
    const struct ast_rate *rate = &ast->rate;
    const struct select_plan *s = (const struct select_plan *)(const void *)select;
    const struct op_type *type = NULL;
    bool is_grouped = s->key_count > 0;
    int agg_count = 0;
    bool *is_agg = arena_array(p->arena, (size_t)s->count + 1, sizeof(*is_agg));
    for (int i = 0; i < s->count; i++) {
        is_agg[i] = s->attrs[i]->agg && !s->attrs[i]->agg->lasts;
        agg_count += is_agg[i];
    }
    switch (rate->kind) {
    case RATE_NONE:
        return NULL;
    case RATE_EVENTS:
        type = events_type(rate->type, is_grouped);
        break;
    case RATE_TIME:
        type = time_type(rate->type, is_grouped);
        break;
    case RATE_SNAPSHOT:
        type = snapshot_type(ast, agg_count, s->count);
        break;
    }
    if (type->due && rate->value <= 0) {
        diag_error(p->diags, rate->span, "an output rate needs a time above 0");
        *failed = true;
        return NULL;
    }
    struct rate_plan *op = (struct rate_plan *)(void *)op_plan_new(p, type, sizeof(*op), rate->span);
    op->value = rate->value;
    op->is_agg = is_agg;
    op->is_compared = compared_columns(p, is_agg, s->count, agg_count);
    op->op.in = op->op.out = select->out;
    plan_add_op(p, &op->op);
    return &op->op;
}
