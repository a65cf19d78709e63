/* agg.h - for those who write aggregators (spec 03 section 6): rows of a table as in fn.h, and the type of a
 * state.
 *
 * A state lies zeroed in the block of its group (expr.h, struct agg_layout); all zero is the empty state. An
 * aggregator's node evaluates its argument, and, when the event has not failed, adds it on CURRENT, takes it
 * away on EXPIRED, begins anew on RESET. */
#ifndef WEIR_EXPR_AGG_H
#define WEIR_EXPR_AGG_H

#include "engine/expr/fn.h"

struct agg_type {
    const char *name;
    size_t size;
    /* the state of a function that goes on from event to event, no aggregator's: RESET leaves it */
    bool lasts;
    void (*fini)(void *state);           /* frees what it points at; NULL: nothing */
    bool (*is_empty)(const void *state); /* NULL: all bytes zero */
    /* NULL: the state is eight-byte numbers, saved as they are. */
    void (*save)(const void *state, struct writer *w);
    int (*load)(void *state, struct reader *r, enum type arg); /* into a zeroed state */
};

struct aggregator {
    const char *space;
    const char *name;
    const char *takes; /* as in fn.h */
    enum type returns; /* TYPE_NULL: as the argument */
    const struct agg_type *state;
    eval_fn eval, eval_attr; /* eval_attr: the argument is a plain attribute; may be NULL */
    /* Instead of, or after the above; may be NULL. Sets e->agg when state is NULL. */
    int (*bind)(struct expr_ctx *c, struct expr *e, const struct ast_expr *call);
};
extern const struct aggregator agg_numbers[], agg_extremes[], agg_sets[], agg_extensions[];

/* Checks the arguments against the rows of this name, makes room in the layout, sets the node. -1 after
 * reporting. */
int aggregator_bind(struct expr_ctx *c, struct expr *e, const struct ast_expr *call,
                    const struct aggregator *rows);
/* For bind of a function that keeps a state: makes room for it in the layout, so that agg_state finds it. -1
 * after reporting: there is no layout here. */
int state_bind(struct expr_ctx *c, struct expr *e, const struct ast_expr *call, const struct agg_type *state);
const struct aggregator *aggregator_find(const char *space, const char *name);

static inline void *agg_state(const struct expr *e, const struct frame *f)
{
    return f->agg + e->agg_at;
}
/* For RESET, and RESET only reaches an aggregator in a filter. */
void agg_state_reset(const struct expr *e, struct frame *f);

#endif
