/* window.h - the windows of spec 04 (and of extensions, spec 20). A window is an operator (engine/run/op.h)
 * that also answers content().
 *
 * One file per window; a line in windows.c names it. plan checks the parameters of the call and makes the
 * op_plan. */
#ifndef WEIR_WINDOW_WINDOW_H
#define WEIR_WINDOW_WINDOW_H

#include "engine/run/op.h"
#include "engine/window/dues.h"
#include "engine/window/kept.h"
#include "engine/window/queue.h"

/* What a window may want to know when it is planned. */
struct window_ctx {
    struct arena *arena;
    struct diags *diags;
    const struct schema *in; /* the rows it gets */
    const char *source_id;   /* id that qualifies its attributes: S.a */
    const char *alias;       /* or NULL */
    bool expired_wanted;     /* output event type is not 'current', or a named window that publishes expired
                                events: make EXPIRED events in batch windows */
    bool has_find;           /* a join, named window or on-demand query looks into it */
    const struct ast_select
        *select; /* of the query, or NULL: frequent without a key uses the plain attributes selected */
    bool in_partition;
};

struct window_type {
    const char *space; /* NULL: window.NAME; "unique": unique:NAME */
    const char *name;
    bool sliding; /* aggregators must really remove: length time timeLength externalTime sort frequent ...
                     (spec 03 section 6, min/max) */
    /* call->args are parameters. Reports to c->diags and returns NULL when they don't fit. */
    struct op_plan *(*plan)(struct window_ctx *c, const struct ast_expr *call);
};

const struct window_type *window_find(const char *space, const char *name);
/* All names; NULL-terminated. */
const char *const *window_names(void);
/* The one that is like name, for "did you mean"; or NULL. */
const char *window_near(const char *name);

/* Parameter helpers: each reports a wrong count or type with the parameter's place and returns false. */
bool window_arg_count(struct window_ctx *c, const struct ast_expr *call, int min, int max);
const struct ast_expr *window_arg(const struct ast_expr *call, int n);
bool window_arg_int(struct window_ctx *c, const struct ast_expr *call, int n, int32_t *out); /* const int */
bool window_arg_duration(struct window_ctx *c, const struct ast_expr *call, int n,
                         int64_t *out_ms); /* const int or long or time */
bool window_arg_bool(struct window_ctx *c, const struct ast_expr *call, int n, bool *out);
bool window_arg_attr(struct window_ctx *c, const struct ast_expr *call, int n, enum type type,
                     int *out_index); /* an attribute of that type; TYPE_NULL: any */
/* As window_arg_duration, but an int is refused too (session). */
bool window_arg_long(struct window_ctx *c, const struct ast_expr *call, int n, int64_t *out);
bool window_arg_double(struct window_ctx *c, const struct ast_expr *call, int n,
                       double *out); /* const double */
/* Is argument n there, and a constant of one of these types? For overloads. */
bool window_arg_is(const struct ast_expr *call, int n, enum type type);
/* An error at argument n; words such as "must be ...". Returns false. */
bool window_arg_wrong(struct window_ctx *c, const struct ast_expr *call, int n, const char *what);
/* Any expression over the attributes of the input (slot 0); NULL after reporting. */
struct expr *window_arg_expr(struct window_ctx *c, const struct ast_expr *call, int n);

/* ---- for windows ---- */

enum { LIMIT_KEY_BYTES = 1024 * 1024 }; /* text of one key */

/* The plan of a window: size bytes with an op_plan in front, the usual fields set. */
void *window_plan_new(struct window_ctx *c, const struct ast_expr *call, const struct op_type *type,
                      size_t size);

/* Holds the row of an event that came in; row->at_ms is the event's time from now on. Returns the row the
 * window holds. */
struct row *window_hold_slow(struct queue *q, const struct event *e);
static inline struct row *window_hold(struct queue *q, const struct event *e)
{
    if (UNLIKELY(e->row->at_ms != e->at_ms))
        return window_hold_slow(q, e);
    queue_add(q, e->row);
    return e->row;
}
/* Rows leave a long window when they are no longer in the near caches, and which ones leave next is known:
 * they are brought near some events before that, and a little later the first text in them. text_at: where
 * its cell is in a row, 0: there is none. */
enum { LOOK_AHEAD = 8, LOOK_AHEAD_MIN = 64 };
static inline __attribute__((always_inline)) void window_look_ahead(const struct queue *q, size_t text_at)
{
    if (q->count < LOOK_AHEAD_MIN)
        return;
    const char *far = (const char *)queue_at(q, 2 * LOOK_AHEAD),
               *near = (const char *)queue_at(q, LOOK_AHEAD);
    __builtin_prefetch(far, 1);
    __builtin_prefetch(far + text_at, 1);
    if (text_at)
        __builtin_prefetch(((const union cell *)(const void *)(near + text_at))->s, 1);
}
size_t window_text_at(const struct schema *s);

/* Moves the rows of q into out, as expired at at_ms. They are window_emit's to unref. */
void window_expire_all(struct queue *q, struct batch *out, int64_t at_ms);
/* An input event as it came. An expired one is ref'd, so that window_emit may unref all expired ones. */
static inline void window_pass(struct batch *out, const struct event *e)
{
    batch_add(out, e->row, e->at_ms, e->kind);
    if (UNLIKELY(e->kind == EVENT_EXPIRED))
        row_ref(e->row);
}
/* Hands out on, then unrefs its expired rows: the window had let them go. */
static inline int window_emit(struct op *op, const struct batch *out)
{
    int rc = op_next(op, out);
    for (uint32_t i = 0; i < out->count; i++)
        if (out->events[i].kind == EVENT_EXPIRED)
            row_unref(out->events[i].row);
    return rc;
}

/* What leaves k, into out; window_emit_kept lets it go. */
static inline void window_expire_kept(struct op *op, struct kept *k, const struct kept_plan *p,
                                      struct batch *out, int64_t at_ms)
{
    struct row *ghost = ghost_scratch(op->env->scratch, p);
    kept_take(k, p, ghost);
    batch_add(out, ghost, at_ms, EVENT_EXPIRED)->group = 1;
}
static inline int window_emit_kept(struct op *op, const struct kept_plan *p, const struct batch *out, int rc)
{
    if (rc == 0)
        rc = op_next(op, out);
    for (uint32_t i = 0; i < out->count; i++)
        if (out->events[i].kind == EVENT_EXPIRED && out->events[i].group == 1)
            ghost_end(p, out->events[i].row);
    return rc;
}

/* rc 0: hands out on. Then unrefs all its rows: whoever made them had them for this. */
int window_emit_made(struct op *op, const struct batch *out, int rc);

/* For an event that failed on the way: out is not handed on, its expired rows are let go. */
static inline int window_fail(const struct batch *out)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (out->events[i].kind == EVENT_EXPIRED)
            row_unref(out->events[i].row);
    return ERR_EVENT;
}

/* Chunks that leave one after another, when the whole input was taken in. Every row in them is owned: ref'd
 * once for each event. */
struct chunk {
    struct chunk *next;
    struct batch batch;
};
struct chunks {
    struct chunk *first, *last;
};
struct batch *chunks_add(struct chunks *c, const struct op *op, uint32_t cap);
int chunks_emit(struct chunks *c, struct op *op); /* unrefs all rows, also when a push fails */
int chunks_fail(
    struct chunks *c); /* an event failed: nothing is handed on, all rows are unref'd; ERR_EVENT */
/* Into a chunk: e as it came. */
static inline void chunk_pass(struct batch *b, const struct event *e)
{
    batch_add(b, row_ref(e->row), e->at_ms, e->kind);
}
/* Into a chunk: the rows of q as current with their own times; q is empty then. keep: they stay in that
 * queue; may be NULL. */
void chunk_release(struct batch *b, struct queue *q, struct queue *keep);

/* Sums of times wrap as the language's do. */
static inline int64_t time_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static inline int64_t time_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
/* Has a row of time at_ms been in for span_ms? */
static inline bool time_is_due(int64_t at_ms, int64_t span_ms, int64_t now_ms)
{
    return time_add(time_sub(at_ms, now_ms), span_ms) <= 0;
}
/* A long column that may not be null; false after expr_fail. */
bool window_time_fail(struct op *op, struct value v, int index);
static inline bool window_time_of(struct op *op, const struct row *row, int index, int64_t *out_ms)
{
    struct value v = row_get(row, (size_t)index);
    *out_ms = v.as.l;
    return LIKELY(v.type == TYPE_LONG) || window_time_fail(op, v, index);
}

/* Slices of time run on without end, from the first event, or so that one begins at *start_ms (may be NULL). */
struct slices {
    bool is_set; /* they have begun */
    int64_t next_ms;
};
/* Begins them, and moves them on by one when one is over: true. Each end is requested. */
bool slices_tick(struct slices *s, struct dues *d, struct op *op, int64_t span_ms, const int64_t *start_ms);

/* For op_type.is_idle, of a window that holds nothing, and skip: the end that is asked for is the only one. */
bool slices_wait(const struct slices *s, const struct dues *d);
int64_t slices_skip(struct slices *s, struct dues *d, int64_t span_ms, int64_t until_ms);

/* The result of a load: ERR_STATE when the reader failed. */
static inline int window_loaded(const struct reader *r)
{
    return r->failed ? ERR_STATE : 0;
}

/* One for each file; windows.c lists them. */
extern const struct window_type window_length, window_length_batch, window_batch, window_time,
    window_time_batch, window_time_length, window_external_time, window_external_time_batch, window_session,
    window_sort, window_cron, window_delay, window_frequent, window_lossy_frequent, window_expression,
    window_expression_batch, window_unique_ever, window_unique_first, window_unique_length,
    window_unique_time, window_unique_length_batch, window_unique_first_length_batch,
    window_unique_time_batch, window_unique_first_time_batch, window_unique_time_length_batch,
    window_unique_external_time_batch, window_min_by_length, window_max_by_length, window_min_by_time,
    window_max_by_time, window_min_by_length_batch, window_max_by_length_batch, window_min_by_time_batch,
    window_max_by_time_batch;

#endif
