/* judge.h - the condition of window.expression and window.expressionBatch (spec 04 sections 2.15 to 2.17): an
 * expression over the current event, and first and last of the window, with aggregators of its own.
 *
 * Written as a constant, it is compiled with the app and its aggregators are shared by all copies of the
 * query in a partition. Taken from a string attribute, it is compiled whenever the text changes, and each
 * copy has its own. */
#ifndef WEIR_WINDOW_JUDGE_H
#define WEIR_WINDOW_JUDGE_H

#include "engine/window/window.h"

struct judge_plan {
    const struct expr *expr; /* NULL: from the attribute */
    const char *text;
    struct agg_layout *aggs;
    int attribute;
    struct scope *scope;
};
struct judge_shared { /* op_shared */
    char *block;
    uint32_t users;
};
struct judge {
    const struct judge_plan *plan;
    const struct expr *expr; /* NULL: no text yet */
    const struct agg_layout *aggs;
    char *block;
    struct arena *arena; /* attribute form: what was compiled lives here; owned */
    char *text;          /* owned */
};

/* Parameter n of the call. False after reporting. */
bool judge_plan(struct window_ctx *c, const struct ast_expr *call, int n, struct judge_plan *p);
void judge_open(struct judge *j, struct op *op, const struct judge_plan *p);
void judge_close(struct judge *j, struct op *op);
/* Attribute form: looks at the text in row. 1: it is new, and what is in the window wants to be fed again; 0:
 * as before; ERR_EVENT after expr_fail: null, or no bool expression. */
int judge_read(struct judge *j, struct op *op, const struct row *row);
/* kind: CURRENT adds to the aggregators, EXPIRED removes, RESET begins anew. Look at env->failed
 * afterwards. */
bool judge_says(struct judge *j, struct op *op, struct row *current, struct row *first, struct row *last,
                enum event_kind kind);
/* Feeds all rows of q, in order. */
void judge_feed(struct judge *j, struct op *op, const struct queue *q);
void judge_reset(struct judge *j);
void judge_save(const struct judge *j, struct writer *w);
int judge_load(struct judge *j, struct op *op, struct reader *r);
/* What the copies of a partition have together: op.h. */
void judge_save_shared(const struct judge_plan *p, const struct judge_shared *s, struct writer *w);
int judge_load_shared(const struct judge_plan *p, struct judge_shared *s, struct reader *r);
void judge_explain(const struct op_plan *plan, const struct judge_plan *p, struct buf *out);

#endif
