/* select.h - the selector: rows out of rows, aggregators, groups, having, order, limit (spec 03 section
 * 4). */
#ifndef WEIR_RUN_SELECT_H
#define WEIR_RUN_SELECT_H

#include "engine/run/op.h"

enum select_kind {
    SELECT_PLAIN,     /* A: no group by, no aggregator: every row */
    SELECT_AGGREGATE, /* B: the last row of the chunk */
    SELECT_GROUP,     /* C: the last row of each group of the chunk */
};

/* How an attribute, or what an aggregator adds, is come by. */
enum select_how {
    HOW_CALL,   /* its node is called */
    HOW_SPOT,   /* an aggregator over a column of the one input: agg_spot.h */
    HOW_COLUMN, /* a column of the one input */
    /* a column of one of several inputs; the row may be missing. Those from HOW_COLUMN on are copied */
    HOW_SIDE,
};

struct select_order {
    struct expr *attr;
    bool descending;
};
struct select_plan {
    struct op_plan op;
    enum select_kind kind;
    struct expr **attrs;
    int count;
    struct expr **keys; /* group by */
    int key_count;
    struct expr *having;
    struct select_order *order;
    int order_count;
    int64_t limit, offset; /* -1: none */
    struct agg_layout aggs, having_aggs;
    bool current_wanted, expired_wanted;
    bool is_single;   /* events carry a row; else an array of rows by slot */
    bool is_snapshot; /* every row goes on, with its group's number (spec 03 section 4, end) */
    bool keep_groups; /* a rate limit behind: numbers of groups must last */
    /* Behind a pattern: is told each row before 'having' is asked. NULL: nobody. */
    void (*watch)(const struct op *select, const struct op_plan *watcher, struct row *row);
    const struct op_plan *watcher;
    /* derived */
    struct select_step {
        enum select_how how;
        enum agg_spot spot;
        uint16_t slot;             /* HOW_SIDE */
        uint32_t type_at, cell_at; /* in the row: of the column, or of the aggregator's argument */
        uint32_t agg_at;
        uint32_t out_cell; /* in the output row */
        uint16_t out_index;
        eval_fn call;
        const struct expr *e;
    } * steps, *impure; /* attrs; and those of them that keep state or may fail: evaluated for every event */
    int impure_count;
    const struct select_mold *mold; /* quick.h; NULL: rows are made step by step */
    struct slide_step {             /* quick.h: the aggregators behind a window that slides */
        uint32_t agg_at, cell_at, out_cell, kept;
        uint16_t out_index;
        bool counts, divides; /* count; avg; else sum */
    } * slides, *slides_end;
    bool adds_on_spot;          /* mold, and all of impure are aggregators done on the spot */
    bool is_direct;             /* behind it is 'insert into', and no rate limit */
    uint32_t key_kept;          /* place of the key's cell */
    size_t row_bytes, cells_at; /* of an output row */
    bool is_cut;                /* order by, offset or limit */
    /* of every current event a row is made and goes on, and that is all it does */
    bool is_plain;
    /* one input; every current event's row goes on as it is made, and only those */
    bool is_quick;
};
extern const struct op_type op_select;

/* quick.h. From plain columns and what is made of them. */
struct select_mold {
    struct row_shape
        in[2]; /* the columns that are looked at, as declared: of the one input, or both sides' */
    int sides;
    char *head; /* of an output row, from refs to its cells */
    struct mold_side {
        struct mold_copy {
            uint16_t from, to;                       /* offsets in input and output row */
        } * texts, *texts_end, *copies, *copies_end; /* texts are counted, the others just copied */
    } side[2];
    uint16_t *texts, *texts_end;         /* in an output row: the texts of both sides */
    struct select_step *made, *made_end; /* the others, in order */
    bool calls;                          /* one of them is no aggregator done on the spot */
};

/* While into is set, what the selector makes is added to it (with its references) instead of being pushed on.
 * NULL ends it. */
void select_collect(struct op *select, struct batch *into);
bool select_collecting(const struct op *select);
/* Ends collecting; pushes what was collected as one chunk unless rc says the event failed; lets the rows go.
 * Returns rc or the push's. */
int select_release(struct op *select, struct batch *collected, int rc);

/* The numbers of its groups (event.group) are below this; without groups it is 1. */
uint32_t select_group_numbers(const struct op *select);
/* Which columns of events that expired the selector looks at (engine/window/kept.h). False: that is not
 * known, or it hands them on. */
struct kept_plan;
bool select_kept(const struct select_plan *s, struct kept_plan *kept);
/* Tells which columns the window keeps; finds out whether both may work in one function (slide.h). */
void select_see(struct select_plan *s, struct kept_plan *kept, struct arena *a);
/* Fills what is derived from the expressions; lists lie in a. */
void select_classify(struct select_plan *s, struct arena *a);
/* What explain tells of it. */
void select_explain(const struct op_plan *plan, struct buf *out);

#endif
