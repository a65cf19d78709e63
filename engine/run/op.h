/* op.h - one operator of a running query. A query is a chain of them: filter, stream function, window,
 * selector, rate limit, output. Batches travel; each operator knows only the next one.
 *
 * Plan and instance: an op_plan is made once by compile, immutable, in the app's arena; a struct op is made
 * from it for every running copy of the query (one, or one for each partition key). So an instance holds
 * state only.
 *
 * Laws
 * (1) push: in is borrowed, its rows too. An operator never changes in; it makes its own batch in the
 *     scratch arena.
 * (2) A row an operator holds is ref'd; a row it lets go is unref'd after the push that carries it
 *     returned.
 * (3) push and due return 0, or ERR_EVENT when an event failed (words in env.failure): the caller stops
 *     and passes it on at once. State that was changed before stays changed (spec 02 section 8).
 * (4) Time passes only through due. timer_request(op, due_ms) asks; a request for a moment that is past
 *     fires at the next clock movement.
 * (5) save writes all an instance needs to go on exactly; load gets a freshly opened instance. Pending
 *     timers are the op's to save and request again, with the due times they had; timer.c keeps their
 *     order when load requests them in the saved order.
 * (6) close frees all; it must work on an instance right after open. */
#ifndef WEIR_RUN_OP_H
#define WEIR_RUN_OP_H

#include "engine/data/batch.h"
#include "engine/data/codec.h"
#include "engine/expr/expr.h"

struct app;
struct query;
struct queue;
struct op;
struct op_plan;
struct op_timers;
struct kept_plan; /* engine/window/kept.h */

struct op_type {
    const char *name; /* "filter", "window.length" */
    size_t size;      /* of the instance, zeroed before open */
    /* Where that depends on the plan: with what the instance holds behind itself. May be NULL. */
    size_t (*size_of)(const struct op_plan *plan);
    /* of op_shared: one zeroed block for all instances of the plan (spec 04 section 2.17), owned by the
     * app */
    size_t shared_size;
    void (*open)(struct op *op); /* may be NULL; op->plan is set */
    /* At app_start, before any event; for a copy made later (a partition's key) right after open. A loaded
     * instance may be started too: it goes on as it was. An error refuses the start. May be NULL. */
    int (*start)(struct op *op, struct err *e);
    int (*push)(struct op *op, const struct batch *in);
    /* Short ways for what comes all day; each does exactly what push does with the batch it stands for. NULL:
     * push does it. one: a current event that came alone (is_batch false). slide: what a sliding window makes
     * of such an event: count rows that left, expired at left_ms, and behind them e. */
    int (*one)(struct op *op, const struct event *e);
    int (*slide)(struct op *op, struct row *const *left, uint32_t count, int64_t left_ms,
                 const struct event *e);
    int (*due)(struct op *op, int64_t due_ms); /* NULL: never asks for timers */
    /* Of what asks again for the next moment whenever one fires. is_idle: the pending timer will find nothing
     * to do, and, as long as no event comes, neither will those behind it, so nothing changes but the moment
     * asked for. Then skip moves that moment on to the last of its own before until_ms (it is before it, and
     * stays if there is no other), and returns it; timer.c moves the request. Both or none. */
    bool (*is_idle)(const struct op *op);
    int64_t (*skip)(struct op *op, int64_t until_ms);
    /* its timers fire at their own moments in playback too, as triggers do (window.cron): no scheduler */
    bool own_moments;
    void (*save)(const struct op *op, struct writer *w); /* NULL: no state */
    int (*load)(struct op *op, struct reader *r);
    /* Between checkpoints, w->ahead is set: calls what save calls for what stands in segments
     * (engine/data/segments.h), and nothing else. NULL: nothing does. */
    void (*ahead)(const struct op *op, struct writer *w);
    void (*close)(struct op *op); /* may be NULL */
    /* What all instances share, when they are a partition's copies: saved once, loaded behind all of them,
     * for copies are saved when they changed and may hold what was shared before. NULL: nothing is shared. */
    void (*save_shared)(const struct op_plan *plan, const void *shared, struct writer *w);
    int (*load_shared)(const struct op_plan *plan, void *shared, struct reader *r);
    /* Windows only: the events that joins and on-demand queries see, oldest first, at this moment (spec 04
     * section 3). NULL: always empty. The queue is the window's own, borrowed; or lies in scratch. */
    struct queue *(*content)(struct op *op);
    /* content is always the same queue, and it tells its indexes of every row: a join may index it */
    bool content_is_stable;
    /* Windows, while compiling: of the rows that leave, only these columns are looked at (kept.h). The window
     * may hold just them. NULL: it doesn't. */
    void (*keep)(struct op_plan *plan, struct kept_plan *kept);
    /* Appends what explain prints behind the name: parameters, bounds. May be NULL. */
    void (*explain)(const struct op_plan *plan, struct buf *out);
};

struct op_plan {
    const struct op_type *type;
    struct op_plan *next;
    /* number of its scheduler in the app, in creation order (spec 03 section 2); -1: none. Set by plan */
    int scheduler;
    int index;                     /* of its instance in query->ops; set by plan_add_op */
    int number;                    /* in the app; for op_shared; set by plan_add_op */
    const struct schema *in, *out; /* rows it gets and hands on (NULL for joins' and patterns' frames) */
    struct span span;
    /* Windows, for explain: rows it holds at most (0: no such number), and the bytes of one where it isn't a
     * whole row of in */
    uint64_t most_rows;
    uint32_t held_bytes;
    bool holds_texts; /* with held_bytes: and what hangs on it */
};

struct op {
    const struct op_type *type;
    const struct op_plan *plan;
    struct op *next;
    struct query *query;      /* its query instance; NULL for a named window */
    struct expr_env *env;     /* the app's */
    struct op_timers *timers; /* timer.c's; NULL until the first request */
};

/* Of an instance. */
static inline size_t op_bytes(const struct op_plan *plan)
{
    size_t bytes = plan->type->size_of ? plan->type->size_of(plan) : plan->type->size;
    return (bytes + 7) & ~(size_t)7;
}
static inline int op_push(struct op *op, const struct batch *b)
{
    return op->type->push(op, b);
}
/* Hands b to the operator behind op; an empty batch is not handed on. */
static inline int op_next(struct op *op, const struct batch *b)
{
    return b->count ? op->next->type->push(op->next, b) : 0;
}
/* query.c: type->shared_size bytes. */
void *op_shared(const struct op *op);
/* query.c: the key of the partition's copy that it is part of, as long as that lives; NULL: there is none. */
const char *op_key(const struct op *op, size_t *len);
bool op_is_in_playback(const struct op *op); /* query.c: the app's time is its events' */
/* query.c: by push, with the batch that one and slide stand for. */
int op_push_wrapped(struct op *op, struct row *const *left, uint32_t count, int64_t left_ms,
                    const struct event *e);
static inline int op_one(struct op *op, const struct event *e)
{
    return LIKELY(op->type->one != NULL) ? op->type->one(op, e) : op_push_wrapped(op, NULL, 0, 0, e);
}
static inline int op_slide(struct op *op, struct row *const *left, uint32_t count, int64_t left_ms,
                           const struct event *e)
{
    return LIKELY(op->type->slide != NULL) ? op->type->slide(op, left, count, left_ms, e)
                                           : op_push_wrapped(op, left, count, left_ms, e);
}
static inline int64_t op_now(const struct op *op)
{
    return op->env->now_ms;
}

/* The last moment before until_ms of those that come every span_ms from at_ms on; at_ms when that isn't before. */
static inline int64_t moment_before(int64_t at_ms, int64_t span_ms, int64_t until_ms)
{
    uint64_t gap = at_ms < until_ms ? (uint64_t)until_ms - 1 - (uint64_t)at_ms : 0;
    return (int64_t)((uint64_t)at_ms + gap / (uint64_t)span_ms * (uint64_t)span_ms);
}

/* timer.c */
/* The host's time, by which operators without a scheduler ask: in playback another one than the app's. */
int64_t op_task_now(const struct op *op);
void timer_request(struct op *op, int64_t due_ms);
/* As timer_request, but among requests for the same moment it stands where the operator's first one stood. */
void timer_repeat(struct op *op, int64_t due_ms);
/* The operator holds something again: among the keys of a partition it is the newest. */
void timer_enter(struct op *op);
/* The only request of op is for due_ms now, and keeps its place in the order. */
void timer_move(struct op *op, int64_t due_ms);
/* All requests of op end. */
void timer_cancel(struct op *op);

#endif
