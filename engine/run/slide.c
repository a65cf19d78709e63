/* slide.c - see slide.h. */
#include "engine/run/slide.h"
#include "engine/run/quick.h"

/* The group of the oldest entry's key. */
QUICK struct group *slide_group_left(struct select *s, const struct select_plan *p, union cell key)
{
    struct group *group;
    if (LIKELY(kept_is_token(key))) {
        group = kept_token(key);
        group->held--;
    } else { /* it came the long way, or from a checkpoint */
        group = groups_need_text(s->groups, &p->aggs, key.s);
        value_drop(value_text(key.s));
    }
    group_use(s->groups, group);
    return group;
}

/* The columns that functions make; none of them can fail (slide_plan). False: one is not as declared. */
static __attribute__((noinline)) bool make_calls(struct select *s, const struct select_plan *p,
                                                 const struct event *e, struct row *out)
{
    struct frame f = {
        .env = s->op.env, .rows = &e->row, .at_ms = e->at_ms, .kind = EVENT_CURRENT, .user = &s->op};
    bool regular = true;
    for (const struct select_step *step = p->mold->made, *end = p->mold->made_end; step < end; step++)
        if (step->how == HOW_CALL)
            regular &= quick_put(step, value_keep(step->call(step->e, &f)), out);
    return regular;
}

/* An aggregator's column. False: it is null. */
QUICK bool show_total(const struct slide_step *t, struct row *out, double sum, int64_t count)
{
    if (UNLIKELY(!t->divides)) {
        quick_cell(out, t->out_cell)->d = sum;
        return true;
    }
    quick_cell(out, t->out_cell)->d = sum / (double)count;
    if (LIKELY(count != 0))
        return true;
    out->types[t->out_index] = TYPE_NULL; /* more left than ever came: an upgrade began it anew */
    return false;
}

enum slide_way { WITH_GROUPS, WITHOUT_GROUPS, ONE_TOTAL /* no groups, one sum or average */ };

/* Inlined once for each way. */
QUICK int slide(struct select *s, struct kept *k, const struct kept_plan *kept, const struct event *e,
                bool leaves, const enum slide_way way)
{
    const bool grouped = way == WITH_GROUPS;
    const struct select_plan *p = (const struct select_plan *)s->op.plan;
    struct select_shared *shared = quick_shared(s, p);
    const struct row *from = e->row;
    const uint32_t width = kept->count, cap = k->cap, head = k->head, tail = head + k->count;
    union cell *cells = (union cell *)(void *)k->block, *left = cells + (size_t)head * width;
    struct group *gone = NULL, *group = NULL;
    char *agg = s->agg;
    const struct slide_step *only = p->slides;
    struct total *total = way == ONE_TOTAL ? (struct total *)(void *)(agg + only->agg_at) : NULL;
    double sum = way == ONE_TOTAL ? total->sum : 0;
    s->last_removed = false;
    if (way == ONE_TOTAL && leaves)
        sum -= left[only->kept].d;
    if (leaves) {
        if (grouped) {
            gone = slide_group_left(s, p, left[p->key_kept]);
            agg = gone->agg;
        }
        for (const struct slide_step *t = p->slides, *end = p->slides_end; way != ONE_TOTAL && t < end; t++) {
            total = (struct total *)(void *)(agg + t->agg_at);
            if (LIKELY(!t->counts))
                total->sum -= left[t->kept].d, total->count--;
            else
                ((struct count *)(void *)total)->count--;
        }
        k->head = head + 1 == cap ? 0 : head + 1;
        k->taken++;
    } else {
        k->count++;
        if (way == ONE_TOTAL)
            total->count++;
    }
    cells += (size_t)(tail >= cap ? tail - cap : tail) * width; /* it may be where the oldest stood */
    for (const struct kept_column *c = kept->columns, *end = c + width; c < end; c++)
        *cells++ = kept_cell_of(from, c);
    if (grouped) {
        group = groups_need_text(s->groups, &p->aggs, row_cells(from)[p->keys[0]->index].s);
        group_use(s->groups, group);
        group->held++;
        agg = group->agg;
        cells[(int)kept->token_at - (int)width].l = (int64_t)((uint64_t)(uintptr_t)group | 1);
    }
    enum quick_row how;
    struct row *out = quick_copy(p, shared, from, e->at_ms, &how);
    bool regular = true;
    if (way == ONE_TOTAL) {
        sum += row_cell(from, only->cell_at).d;
        total->sum = sum;
        regular = show_total(only, out, sum, total->count);
    }
    for (const struct slide_step *t = p->slides, *end = p->slides_end; way != ONE_TOTAL && t < end; t++) {
        total = (struct total *)(void *)(agg + t->agg_at);
        if (UNLIKELY(t->counts)) {
            quick_cell(out, t->out_cell)->l = ++((struct count *)(void *)total)->count;
            continue;
        }
        total->sum += row_cell(from, t->cell_at).d;
        regular &= show_total(t, out, total->sum, ++total->count);
    }
    if (UNLIKELY(p->mold->calls))
        regular &= make_calls(s, p, e, out);
    if (UNLIKELY(!regular))
        how = quick_irregular(p->mold, out, how);
    if (grouped && gone && UNLIKELY(gone->held == 0) && !p->keep_groups &&
        agg_block_is_empty(&p->aggs, gone->agg))
        groups_forget(s->groups, &p->aggs, gone);
    return quick_emit(s, p, shared, out, how, e->at_ms, grouped ? group->number : 0);
}

int slide_total(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                bool leaves)
{
    return slide((struct select *)select, k, kept, e, leaves, ONE_TOTAL);
}

int slide_alone(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                bool leaves)
{
    return slide((struct select *)select, k, kept, e, leaves, WITHOUT_GROUPS);
}

int slide_grouped(struct op *select, struct kept *k, const struct kept_plan *kept, const struct event *e,
                  bool leaves)
{
    return slide((struct select *)select, k, kept, e, leaves, WITH_GROUPS);
}
