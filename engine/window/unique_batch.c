/* unique_batch.c - the tumbling unique windows (spec 20 section 8): lengthBatch, firstLengthBatch, timeBatch,
 * firstTimeBatch, timeLengthBatch.
 *
 * Laws: (1) a batch holds one row a key, the latest or (first...) the first, in order of the keys' first
 * appearance; (2) a flush is the batch before as expired, a RESET with the first row of the batch before, the
 * batch; all stamped now, the RESET with the flush before; the very first flush has no RESET; an empty batch
 * only expires the one before; (3) slices of time run on without end from the first event (or start + k *
 * span); (4) timeLengthBatch flushes as soon as n keys are in; the rest of that slice is ignored, and its end
 * does nothing. */
#include "engine/window/keyed.h"

struct unique_batch_plan {
    struct op_plan op;
    struct key_plan key;
    int32_t n;                 /* 0: no bound */
    int64_t span_ms, start_ms; /* span_ms 0: no slices */
    bool has_start, keeps_first, expires, keeps;
};
struct unique_batch {
    struct op op;
    struct keyed batch;
    struct queue released; /* if keeps */
    struct row *first;     /* of the last flush; counted */
    int64_t first_ms;
    struct slices slices;
    bool full; /* this slice was flushed by its length */
    struct dues dues;
};

static const struct unique_batch_plan *plan_of(const struct op *op)
{
    return (const struct unique_batch_plan *)(const void *)op->plan;
}

static void flush(struct unique_batch *w, struct chunks *chunks)
{
    const struct unique_batch_plan *p = plan_of(&w->op);
    int64_t now_ms = op_now(&w->op);
    struct batch *b = chunks_add(chunks, &w->op, w->released.count + w->batch.count + 1);
    if (p->expires)
        window_expire_all(&w->released, b, now_ms);
    queue_clear(&w->released);
    if (!w->batch.count)
        return;
    if (w->first)
        batch_add(b, w->first, w->first_ms, EVENT_RESET); /* our reference goes with it */
    w->first = row_ref(w->batch.first->row);
    w->first_ms = now_ms;
    while (w->batch.first) {
        struct row *row = keyed_take(&w->batch, w->batch.first);
        if (p->keeps)
            queue_add(&w->released, row);
        batch_add(b, row, now_ms, EVENT_CURRENT);
    }
}

/* Begins the slices, and ends the one that is over. */
static void tick(struct unique_batch *w, struct chunks *chunks)
{
    const struct unique_batch_plan *p = plan_of(&w->op);
    if (p->span_ms <= 0 ||
        !slices_tick(&w->slices, &w->dues, &w->op, p->span_ms, p->has_start ? &p->start_ms : NULL))
        return;
    if (!w->full)
        flush(w, chunks);
    w->full = false;
}

static bool take(struct unique_batch *w, const struct event *e, struct chunks *chunks)
{
    const struct unique_batch_plan *p = plan_of(&w->op);
    if (e->kind != EVENT_CURRENT || w->full)
        return true;
    struct text *key = key_of(&p->key, &w->op, e);
    if (!key)
        return false;
    struct keyed_entry *x = keyed_get(&w->batch, key);
    if (!x)
        keyed_add(&w->batch, key, e);
    else if (!p->keeps_first)
        row_unref(keyed_swap(&w->batch, x, e)); /* nobody was given it */
    if (p->n > 0 && w->batch.count >= (uint32_t)p->n) {
        flush(w, chunks);
        w->full = p->span_ms > 0;
    }
    return true;
}

static int unique_batch_push(struct op *op, const struct batch *in)
{
    struct unique_batch *w = (struct unique_batch *)op;
    struct chunks chunks = {NULL, NULL};
    tick(w, &chunks);
    for (uint32_t i = 0; i < in->count; i++)
        if (!take(w, &in->events[i], &chunks))
            return chunks_fail(&chunks);
    return chunks_emit(&chunks, op);
}

static int unique_batch_due(struct op *op, int64_t due_ms)
{
    struct unique_batch *w = (struct unique_batch *)op;
    struct chunks chunks = {NULL, NULL};
    dues_fired(&w->dues, due_ms);
    tick(w, &chunks);
    return chunks_emit(&chunks, op);
}

static bool unique_batch_is_idle(const struct op *op)
{
    const struct unique_batch *w = (const struct unique_batch *)op;
    return !w->batch.count && !w->released.count && !w->full && slices_wait(&w->slices, &w->dues);
}

static int64_t unique_batch_skip(struct op *op, int64_t until_ms)
{
    struct unique_batch *w = (struct unique_batch *)op;
    return slices_skip(&w->slices, &w->dues, plan_of(op)->span_ms, until_ms);
}

static void unique_batch_save(const struct op *op, struct writer *w)
{
    struct unique_batch *u =
        (struct unique_batch *)(uintptr_t)op; /* how it is saved is no part of what it holds */
    write_tag(w, op->type->name);
    keyed_save(&u->batch, w);
    queue_save(&u->released, w);
    write_row(w, u->first);
    write_i64(w, u->first_ms);
    write_u8(w, u->slices.is_set);
    write_u8(w, u->full);
    write_i64(w, u->slices.next_ms);
    dues_save(&u->dues, w);
}

static int unique_batch_load(struct op *op, struct reader *r)
{
    struct unique_batch *u = (struct unique_batch *)op;
    read_tag(r, op->type->name);
    keyed_load(&u->batch, r);
    queue_load(&u->released, r);
    u->first = read_row(r);
    u->first_ms = read_i64(r);
    u->slices.is_set = read_u8(r) != 0;
    u->full = read_u8(r) != 0;
    u->slices.next_ms = read_i64(r);
    dues_load(&u->dues, op, r);
    return window_loaded(r);
}

static void unique_batch_close(struct op *op)
{
    struct unique_batch *u = (struct unique_batch *)op;
    keyed_fini(&u->batch);
    queue_fini(&u->released);
    dues_fini(&u->dues);
    if (u->first)
        row_unref(u->first);
}

static struct queue *unique_batch_content(struct op *op)
{
    return &((struct unique_batch *)op)->released;
}

static void unique_batch_explain(const struct op_plan *plan, struct buf *out)
{
    const struct unique_batch_plan *p = (const struct unique_batch_plan *)(const void *)plan;
    buf_add_str(out, "(key");
    if (p->span_ms > 0)
        buf_printf(out, ", %lld ms", (long long)p->span_ms);
    if (p->n > 0)
        buf_printf(out, ", %d", p->n);
    buf_add_char(out, ')');
}

#define UNIQUE_BATCH_TYPE(NAME, DUE)                                                                       \
    {                                                                                                      \
        .name = (NAME), .size = sizeof(struct unique_batch), .push = unique_batch_push, .due = (DUE),      \
        .save = unique_batch_save, .load = unique_batch_load, .close = unique_batch_close,                 \
        .content = unique_batch_content, .explain = unique_batch_explain, .is_idle = unique_batch_is_idle, \
        .skip = unique_batch_skip,                                                                         \
    }
static const struct op_type length_batch_type = UNIQUE_BATCH_TYPE("window.unique:lengthBatch", NULL);
static const struct op_type first_length_batch_type =
    UNIQUE_BATCH_TYPE("window.unique:firstLengthBatch", NULL);
static const struct op_type time_batch_type = UNIQUE_BATCH_TYPE("window.unique:timeBatch", unique_batch_due);
static const struct op_type first_time_batch_type =
    UNIQUE_BATCH_TYPE("window.unique:firstTimeBatch", unique_batch_due);
static const struct op_type time_length_batch_type =
    UNIQUE_BATCH_TYPE("window.unique:timeLengthBatch", unique_batch_due);

/* Parameter at of the call: how many keys make a batch. */
static bool bound(struct window_ctx *c, const struct ast_expr *call, int at, int32_t *n)
{
    if (!window_arg_int(c, call, at, n))
        return false;
    return *n > 0 || window_arg_wrong(c, call, at, "must be greater than 0");
}

/* Parameter 1: the span; has_start: 2 is where slices begin. */
static bool slices(struct window_ctx *c, const struct ast_expr *call, struct unique_batch_plan *p)
{
    if (!window_arg_duration(c, call, 1, &p->span_ms) ||
        (p->has_start && !window_arg_duration(c, call, 2, &p->start_ms)))
        return false;
    return p->span_ms > 0 || window_arg_wrong(c, call, 1, "must be greater than 0");
}

static struct op_plan *make(struct window_ctx *c, const struct ast_expr *call, const struct op_type *type,
                            struct unique_batch_plan p)
{
    p.key.refuses_null = p.keeps_first;
    if (!key_plan(c, call, 0, 1, &p.key))
        return NULL;
    p.expires = c->expired_wanted;
    p.keeps = c->expired_wanted || c->has_find;
    struct unique_batch_plan *plan = window_plan_new(c, call, type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    plan->op.most_rows = p.n > 0 ? (uint64_t)p.n * (p.keeps ? 2 : 1) : 0;
    return &plan->op;
}

static struct op_plan *length_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_batch_plan p = {.n = 0};
    bool fine = window_arg_count(c, call, 2, 2) && bound(c, call, 1, &p.n);
    return fine ? make(c, call, &length_batch_type, p) : NULL;
}

static struct op_plan *first_length_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_batch_plan p = {.keeps_first = true};
    bool fine = window_arg_count(c, call, 2, 2) && bound(c, call, 1, &p.n);
    return fine ? make(c, call, &first_length_batch_type, p) : NULL;
}

static struct op_plan *time_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_batch_plan p = {.has_start = call->arg_count == 3};
    bool fine = window_arg_count(c, call, 2, 3) && slices(c, call, &p);
    return fine ? make(c, call, &time_batch_type, p) : NULL;
}

static struct op_plan *first_time_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_batch_plan p = {.has_start = call->arg_count == 3, .keeps_first = true};
    bool fine = window_arg_count(c, call, 2, 3) && slices(c, call, &p);
    return fine ? make(c, call, &first_time_batch_type, p) : NULL;
}

static struct op_plan *time_length_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct unique_batch_plan p = {.has_start = call->arg_count == 4};
    bool fine =
        window_arg_count(c, call, 3, 4) && slices(c, call, &p) && bound(c, call, call->arg_count - 1, &p.n);
    return fine ? make(c, call, &time_length_batch_type, p) : NULL;
}

const struct window_type window_unique_length_batch = {"unique", "lengthBatch", false, length_batch_plan};
const struct window_type window_unique_first_length_batch = {"unique", "firstLengthBatch", false,
                                                             first_length_batch_plan};
const struct window_type window_unique_time_batch = {"unique", "timeBatch", false, time_batch_plan};
const struct window_type window_unique_first_time_batch = {"unique", "firstTimeBatch", false,
                                                           first_time_batch_plan};
const struct window_type window_unique_time_length_batch = {"unique", "timeLengthBatch", false,
                                                            time_length_batch_plan};
