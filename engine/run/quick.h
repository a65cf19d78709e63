/* quick.h - the short way of a selector for what comes all day: one current event, of whose row the columns
 * that are looked at have the types their schema declares (row_shape), and no row wanted but its own.
 *
 * Then header and tags of the output row are known beforehand (select_mold), columns are copied by offset,
 * and only aggregators and functions are computed. A row that nobody kept is used again for the next one (the
 * spare): it still has its header, and nothing it pointed at is held any more. All copies of a query share
 * one spare (op_shared).
 *
 * All functions here are inlined by force: calls between them would cost more than what they do. */
#ifndef WEIR_RUN_QUICK_H
#define WEIR_RUN_QUICK_H

#include "engine/expr/agg_spot.h"
#include "engine/run/app.h"
#include "engine/run/groups.h"
#include "engine/run/output.h"
#include "engine/run/select.h"
#include "engine/window/kept.h"

#define QUICK static inline __attribute__((always_inline))

/* A running selector. */
struct select {
    struct op op;
    char *agg;             /* kind B; behind the instance, as is */
    char *having_agg;      /* one state over all groups */
    struct groups *groups; /* kind C */
    uint64_t chunk;
    struct batch *collect; /* a join collects the chunks of one push; else NULL */
    bool last_removed;     /* the last row of the chunk did not pass, or fell to the limit */
    /* while collecting: rows after such a chunk are lost, as the language has it (joins/7/47 of the cases) */
    bool lost;
};
/* select_order.c: rows from .. to of a list, and their references. */
void select_drop(struct batch *list, uint32_t from, uint32_t to);
/* Orders and cuts a chunk's list; sources[i] is what list->events[i] was made from. 0, or ERR_EVENT. */
int select_order(struct select *s, const struct select_plan *p, struct batch *list,
                 const struct event *sources);

struct select_shared {
    struct row *spare; /* refs 1, its texts are let go; NULL: there is none */
};

/* f looks at e. */
static inline void frame_event(struct frame *f, const struct select_plan *p, const struct event *e)
{
    f->rows = p->is_single ? &e->row : e->rows;
    f->at_ms = e->at_ms;
    f->kind = e->kind;
}

QUICK struct select_shared *quick_shared(const struct select *s, const struct select_plan *p)
{
    return op_app(&s->op)->shared[p->op.number];
}

QUICK union cell *quick_cell(struct row *row, uint32_t at)
{
    return (union cell *)(void *)((char *)row + at);
}

/* How a row was made, and whose its texts are. */
enum quick_row {
    QUICK_ANY,  /* its tags may be other than declared; its texts are its own */
    QUICK_OWN,  /* its tags are as declared; its texts are its own */
    QUICK_LENT, /* the same, but its texts are those of the rows it was made from, which outlive the push */
};

/* select.c: row, of which a column is not as declared; QUICK_ANY. */
enum quick_row quick_irregular(const struct select_mold *m, struct row *row, enum quick_row how);

/* select.c: the texts, some of which may lie in scratch, for the row itself. */
void quick_keep_texts(struct row *out, const struct row *from, const struct mold_side *side);

QUICK void quick_own(const struct select_mold *m, struct row *row)
{
    for (const uint16_t *at = m->texts, *end = m->texts_end; at < end; at++)
        quick_cell(row, *at)->s->refs++;
}

QUICK void quick_columns(struct row *out, const struct row *from, const struct mold_side *side)
{
    for (const struct mold_copy *c = side->copies, *end = side->copies_end; c < end; c++)
        *quick_cell(out, c->to) = row_cell(from, c->from);
}

/* Texts are only counted if somebody keeps the row, for what it was made from is held until the push is over.
 * False: one of them lies in scratch. */
QUICK bool quick_lend_texts(struct row *out, const struct row *from, const struct mold_side *side)
{
    for (const struct mold_copy *c = side->texts, *end = side->texts_end; c < end; c++) {
        struct text *s = row_cell(from, c->from).s;
        if (UNLIKELY(s->refs == TEXT_SCRATCH))
            return false;
        quick_cell(out, c->to)->s = s;
    }
    return true;
}

/* An output row in which only the header and the tags are set. */
QUICK struct row *quick_row(const struct select_plan *p, struct select_shared *shared, int64_t at_ms)
{
    struct row *out = shared->spare;
    if (LIKELY(out != NULL)) {
        shared->spare = NULL;
    } else {
        out = mem_pool_alloc(p->row_bytes);
        memcpy(&out->refs, p->mold->head, p->cells_at - offsetof(struct row, refs));
    }
    out->at_ms = at_ms;
    return out;
}

/* An output row with the columns that are copied from the only input. */
QUICK struct row *quick_copy(const struct select_plan *p, struct select_shared *shared,
                             const struct row *from, int64_t at_ms, enum quick_row *how)
{
    struct row *out = quick_row(p, shared, at_ms);
    *how = QUICK_LENT;
    if (UNLIKELY(!quick_lend_texts(out, from, &p->mold->side[0]))) {
        quick_keep_texts(out, from, &p->mold->side[0]);
        *how = QUICK_OWN;
    }
    quick_columns(out, from, &p->mold->side[0]);
    return out;
}

/* A column that is made. False: it is not of the type it declares, and out has to get its tag. */
QUICK bool quick_put(const struct select_step *step, struct value v, struct row *out)
{
    *quick_cell(out, step->out_cell) = v.as;
    if (LIKELY(v.type == step->e->type))
        return true;
    out->types[step->out_index] = (uint8_t)v.type;
    return false;
}

/* An aggregator's column, for a row that adds to it. */
QUICK bool quick_spot(const struct select_step *step, const struct row *from, char *agg, struct row *out)
{
    char *state = agg + step->agg_at;
    spot_add(step->spot, state, row_cell(from, step->cell_at).d);
    return quick_put(step, spot_result(step->spot, state), out);
}

/* The end of a row made by the selector: the next one may have it when its tags are as declared. */
QUICK void quick_end(const struct select_plan *p, struct select_shared *shared, struct row *row,
                     enum quick_row how)
{
    if (UNLIKELY(how == QUICK_ANY || row->refs != 1 || shared->spare)) {
        if (how == QUICK_LENT)
            quick_own(p->mold, row);
        row_unref(row);
        return;
    }
    if (how == QUICK_OWN)
        for (const uint16_t *at = p->mold->texts, *end = p->mold->texts_end; at < end; at++) {
            struct text *s = quick_cell(row, *at)->s;
            if (UNLIKELY(--s->refs == 0))
                text_free(s);
        }
    shared->spare = row;
}

QUICK int quick_emit(struct select *s, const struct select_plan *p, struct select_shared *shared,
                     struct row *row, enum quick_row how, int64_t at_ms, uint32_t group)
{
    const struct event out = {.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT, .group = group};
    const struct output *o = (const struct output *)s->op.next;
    int rc = 0;
    if (LIKELY(p->is_direct && o->is_plain))
        stream_publish_one(o->stream, &out);
    else
        rc = op_one(s->op.next, &out);
    quick_end(p, shared, row, how);
    return rc;
}

#endif
