/* select_plan.c - what of a selector is known once its expressions are: its kind, how each attribute is come
 * by, what it looks at in rows that leave. */
#include "engine/run/select.h"
#include "engine/window/kept.h"

static struct select_step step_of(const struct select_plan *s, const struct expr *e)
{
    struct select_step step = {.call = e->eval, .e = e};
    const struct expr *column = e->spot != SPOT_NONE ? e->left : e;
    if (!s->is_single && e->eval == eval_attr && e->slot != SLOT_OUTPUT) {
        step.how = HOW_SIDE;
        step.slot = e->slot;
        step.type_at = e->type_at;
        step.cell_at = e->cell_at;
    }
    if (!s->is_single)
        return step;
    if (e->spot == SPOT_COUNT) {
        step.how = HOW_SPOT;
    } else if (column->eval == eval_attr && column->slot == 0) {
        step.how = e->spot != SPOT_NONE ? HOW_SPOT : HOW_COLUMN;
        step.type_at = column->type_at;
        step.cell_at = column->cell_at;
    }
    step.spot = e->spot;
    step.agg_at = (uint32_t)e->agg_at;
    return step;
}

void select_classify(struct select_plan *s, struct arena *a)
{
    if (s->key_count > 0)
        s->kind = SELECT_GROUP;
    else if (s->aggs.count > 0 || s->having_aggs.count > 0)
        s->kind = SELECT_AGGREGATE;
    else
        s->kind = SELECT_PLAIN;
    s->steps = arena_array(a, (size_t)s->count + 1, sizeof(*s->steps));
    s->impure = arena_array(a, (size_t)s->count + 1, sizeof(*s->impure));
    for (int i = 0; i < s->count; i++) {
        const struct expr *e = s->attrs[i];
        s->steps[i] = step_of(s, e);
        if (e->flags & EXPR_PURE)
            continue;
        struct select_step *touch = &s->impure[s->impure_count++];
        *touch = s->steps[i];
        if (e->touch)
            touch->call = e->touch;
    }
    s->row_bytes = row_bytes((size_t)s->count);
    s->cells_at = row_cells_at((size_t)s->count);
    s->is_cut = s->order_count > 0 || s->offset > 0 || s->limit >= 0;
    bool alone = !s->is_cut && !s->having && !s->is_snapshot && s->current_wanted && !s->expired_wanted;
    s->is_quick = alone && s->is_single;
    s->is_plain = alone && s->kind == SELECT_PLAIN;
}

/* A column, or nothing at all, is what it looks at. */
static bool keeps(const struct expr *e, struct kept_plan *kept, const struct schema *in)
{
    if (e->flags & EXPR_CONST)
        return true;
    return e->eval == eval_attr && e->slot == 0 && kept_plan_add(kept, in, e->index);
}

bool select_kept(const struct select_plan *s, struct kept_plan *kept)
{
    if (!s->is_quick || !kept_plan_init(kept, s->op.in))
        return false;
    for (int i = 0; i < s->impure_count; i++) {
        const struct expr *e = s->impure[i].e;
        if (!e->agg)
            return false;
        for (int k = 0; k < e->arg_count; k++) {
            if (!keeps(e->args[k], kept, s->op.in))
                return false;
        }
    }
    for (int k = 0; k < s->key_count; k++) {
        if (!keeps(s->keys[k], kept, s->op.in))
            return false;
    }
    return true;
}

static bool place_of(const struct kept_plan *kept, const struct expr *e, uint32_t *place)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        if (kept->columns[i].index != e->index)
            continue;
        *place = i;
        return true;
    }
    return false;
}

void select_see(struct select_plan *s, struct kept_plan *kept)
{
    if (s->key_count > 1 || s->impure_count != s->aggs.count)
        return;
    if (s->key_count == 1 && (s->keys[0]->eval != eval_attr || s->keys[0]->type != TYPE_STRING ||
                              !place_of(kept, s->keys[0], &s->key_kept)))
        return;
    for (int i = 0; i < s->impure_count; i++) {
        struct select_step *step = &s->impure[i];
        if (step->how != HOW_SPOT ||
            (step->spot != SPOT_COUNT && !place_of(kept, step->e->left, &step->kept)))
            return;
    }
    kept->shows_cells = true;
}

void select_explain(const struct op_plan *plan, struct buf *out)
{
    const struct select_plan *p = (const struct select_plan *)plan;
    buf_printf(out, " %d attributes, %d aggregators", p->count, p->aggs.count + p->having_aggs.count);
    if (p->key_count)
        buf_printf(out, ", group by %d keys", p->key_count);
    if (p->having)
        buf_add_str(out, ", having");
    if (p->order_count)
        buf_printf(out, ", order by %d", p->order_count);
    if (p->offset >= 0)
        buf_printf(out, ", offset %lld", (long long)p->offset);
    if (p->limit >= 0)
        buf_printf(out, ", limit %lld", (long long)p->limit);
}
