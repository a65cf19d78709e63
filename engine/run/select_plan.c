/* select_plan.c - what of a selector is known once its expressions are: its kind, how each attribute is come
 * by, what it looks at in rows that leave. */
#include "engine/run/groups.h"
#include "engine/run/select.h"
#include "engine/run/slide.h"
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

/* What of the inputs step looks at goes into m->in. False: it can't. */
static bool mold_looks(struct select_mold *m, const struct select_step *step)
{
    const struct expr *column = step->how == HOW_SPOT ? step->e->left : step->e;
    if (step->how == HOW_CALL || step->spot == SPOT_COUNT)
        return true;
    return step->slot < m->sides && row_shape_add(&m->in[step->slot], column->index, column->type);
}

/* NULL: an output with objects, or texts that functions make (the spare would hold them), or more than two
 * inputs, or columns too far to the right. */
static const struct select_mold *mold_new(const struct select_plan *s, struct arena *a)
{
    struct select_mold *m = arena_alloc(a, sizeof *m);
    size_t count = (size_t)s->count;
    bool fits = count > 0;
    struct row *head = arena_alloc(a, s->cells_at + sizeof(uint64_t));
    head->refs = 1;
    head->count = (uint16_t)count;
    m->head = (char *)&head->refs;
    m->sides = s->is_single ? 1 : 2;
    m->texts = m->texts_end = arena_array(a, count + 1, sizeof *m->texts);
    m->made = m->made_end = arena_array(a, count + 1, sizeof *m->made);
    for (int side = 0; side < m->sides; side++) {
        struct mold_side *to = &m->side[side];
        to->texts = to->texts_end = arena_array(a, count + 1, sizeof *to->texts);
        to->copies = to->copies_end = arena_array(a, count + 1, sizeof *to->copies);
        for (size_t i = 0; i < count && fits; i++) {
            const struct select_step *step = &s->steps[i];
            const enum type type = step->e->type;
            bool is_copied = step->how >= HOW_COLUMN;
            fits = type != TYPE_OBJECT && (is_copied || type != TYPE_STRING) && mold_looks(m, step);
            head->types[i] =
                (uint8_t)type; /* what is made is not counted, so this harms nobody before it is */
            const struct mold_copy copy = {(uint16_t)step->cell_at, (uint16_t)step->out_cell};
            if (is_copied && step->slot == side && type == TYPE_STRING)
                *to->texts_end++ = copy, *m->texts_end++ = copy.to;
            else if (is_copied && step->slot == side)
                *to->copies_end++ = copy;
            if (!is_copied && side == 0)
                *m->made_end++ = *step;
            m->calls = m->calls || step->how == HOW_CALL;
        }
    }
    for (int k = 0; k < s->key_count && fits; k++)
        fits = s->keys[k]->eval == eval_attr && row_shape_add(&m->in[0], s->keys[k]->index, s->keys[k]->type);
    return fits ? m : NULL;
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
        s->steps[i].out_index = (uint16_t)i;
        s->steps[i].out_cell = (uint32_t)(row_cells_at((size_t)s->count) + (size_t)i * sizeof(union cell));
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
    s->is_plain = alone && s->kind == SELECT_PLAIN && !s->aggs.lasts;
    s->mold = s->is_quick || s->is_plain ? mold_new(s, a) : NULL;
    s->adds_on_spot = s->mold && !s->mold->calls && s->impure_count == s->aggs.slot_count;
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
        for (int k = 0; k < e->arg_count && e->spot != SPOT_COUNT; k++) { /* count looks at no argument */
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

/* Its aggregators, all done on the spot over columns that are kept, and its key if it has one: the only text,
 * for no others are counted there. */
static bool slide_plan(struct select_plan *s, const struct kept_plan *kept, struct arena *a)
{
    if (!s->mold || !kept->has_shape || s->key_count > 1 || s->impure_count != s->aggs.slot_count)
        return false;
    if (kept->text_count != (uint32_t)s->key_count)
        return false;
    if (s->key_count == 1 && (s->keys[0]->type != TYPE_STRING || !place_of(kept, s->keys[0], &s->key_kept)))
        return false;
    s->slides = s->slides_end = arena_array(a, (size_t)s->impure_count + 1, sizeof *s->slides);
    for (int i = 0; i < s->impure_count; i++) {
        const struct select_step *step = &s->impure[i];
        bool totals = step->spot == SPOT_SUM || step->spot == SPOT_AVG;
        struct slide_step *slide = s->slides_end++;
        *slide = (struct slide_step){.agg_at = step->agg_at,
                                     .cell_at = step->cell_at,
                                     .out_cell = step->out_cell,
                                     .out_index = step->out_index,
                                     .counts = step->spot == SPOT_COUNT,
                                     .divides = step->spot == SPOT_AVG};
        if (step->how != HOW_SPOT || (!totals && !slide->counts) ||
            (totals && !place_of(kept, step->e->left, &slide->kept)))
            return false;
    }
    return true;
}

void select_see(struct select_plan *s, struct kept_plan *kept, struct arena *a)
{
    if (!slide_plan(s, kept, a))
        return;
    bool is_one_total = s->slides_end - s->slides == 1 && !s->slides->counts;
    kept->slide_one = s->key_count ? slide_grouped : is_one_total ? slide_total : slide_alone;
    kept->slide = kept->shape;
    row_shape_join(&kept->slide, &s->mold->in[0]);
    if (s->key_count) {
        kept->token_at = s->key_kept;
        kept->token_text = group_token_text;
        kept->token_end = group_token_end;
    }
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
