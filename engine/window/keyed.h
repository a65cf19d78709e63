/* keyed.h - rows by key in order of coming: what the unique windows hold (spec 20 section 8).
 *
 * An entry is found by its key's bytes and stands in a list, oldest first. Each holds its row. */
#ifndef WEIR_WINDOW_KEYED_H
#define WEIR_WINDOW_KEYED_H

#include "engine/base/map.h"
#include "engine/data/segments.h"
#include "engine/window/window.h"

struct keyed_entry {
    struct keyed_entry *prev, *next;
    struct row *row;
    char *key; /* owned */
    uint32_t len;
    uint32_t place; /* in keyed.all */
    uint64_t order; /* rises along the list */
};
struct keyed {
    struct map map;
    struct keyed_entry *first, *last;
    struct keyed_entry **all; /* count of them, in no order */
    uint32_t count, cap;
    bool ready; /* the map is initialised */
    uint64_t next_order;
    struct segments *saved; /* by place: how they stand in a checkpoint */
};

/* What the keys of a window are made of. */
struct key_plan {
    struct expr **exprs;
    int count;
    bool is_text;      /* the texts one after the other; else the one value, with its type */
    bool refuses_null; /* a null fails the event */
};
/* Parameters from..from + count - 1 of the call. False after reporting. */
bool key_plan(struct window_ctx *c, const struct ast_expr *call, int from, int count, struct key_plan *p);
/* The key of an event, in scratch; NULL after expr_fail. */
struct text *key_of(const struct key_plan *p, struct op *op, const struct event *e);

void keyed_fini(struct keyed *k);
struct keyed_entry *keyed_get(const struct keyed *k, const struct text *key);
/* A new entry behind all; row is ref'd (as window_hold does). key must not be in. */
struct keyed_entry *keyed_add(struct keyed *k, const struct text *key, const struct event *e);
/* The entry's row is e's now. The one before is returned with its reference. */
struct row *keyed_swap(struct keyed *k, struct keyed_entry *x, const struct event *e);
/* Takes the entry out; its row is returned with its reference. */
struct row *keyed_take(struct keyed *k, struct keyed_entry *x);
/* The rows, oldest first; in scratch. */
struct queue *keyed_content(const struct keyed *k, struct op *op);
/* In a checkpoint (w->state) of many entries only those that changed are written. */
void keyed_save(struct keyed *k, struct writer *w);
/* Into an empty one; sets r->failed when it can't be. */
void keyed_load(struct keyed *k, struct reader *r);

#endif
