/* time_batch.c - window.timeBatch(span [, start] [, stream.current.event]) (spec 04 sections 2.5, 2.17).
 *
 * Laws: (1) the first event sets next; a chunk or timer with now >= next adds span once, asks for a timer at
 * the new next, takes the chunk's events in and then flushes; (2) a flush is the last flushed batch as
 * expired, a RESET with the batch's first row, the batch; an empty batch still expires the last one; (3) next
 * belongs to all copies of the query in a partition, the timer to the copy whose turn set it; (4) a timer
 * goes on when @purge ends its key: next moves on, and the key's next copy has the timer again; in playback
 * it ends. */
#include "engine/window/window.h"

struct time_batch_plan {
    struct op_plan op;
    int64_t span_ms, start_ms;
    bool has_start, streams, expires, keeps;
};
struct time_batch_shared {
    bool is_lost; /* is_lost: the timer's copy ended, lost_key says whose it was */
    struct slices slices;
    uint64_t lost_key;
};
struct time_batch {
    struct op op;
    struct queue batch;    /* being collected; empty when streaming */
    struct queue released; /* last flushed, or streaming: passed since the last flush; if keeps */
    struct row *first;     /* of the batch, for the RESET; counted */
    int64_t first_ms;
    struct dues dues;
};

static const struct time_batch_plan *plan_of(const struct op *op)
{
    return (const struct time_batch_plan *)(const void *)op->plan;
}

/* A copy's key as 64 bits (FNV-1a). */
static uint64_t key_of(const struct op *op)
{
    size_t len = 0;
    const char *key = op_key(op, &len);
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)key[i]) * UINT64_C(0x100000001B3);
    return hash;
}

/* The turns the lost timer had so far: there was nothing to flush. */
static __attribute__((noinline)) void catch_up(struct time_batch *w, struct time_batch_shared *s,
                                               int64_t now_ms)
{
    const int64_t span_ms = plan_of(&w->op)->span_ms;
    if (s->slices.next_ms <= now_ms)
        s->slices.next_ms =
            time_add(s->slices.next_ms, (time_sub(now_ms, s->slices.next_ms) / span_ms + 1) * span_ms);
    if (s->lost_key != key_of(&w->op))
        return;
    s->is_lost = false;
    dues_request(&w->dues, &w->op, s->slices.next_ms);
}

/* Moves next on; is it time to flush? */
static bool tick(struct time_batch *w)
{
    const struct time_batch_plan *p = plan_of(&w->op);
    struct time_batch_shared *s = op_shared(&w->op);
    if (UNLIKELY(s->is_lost))
        catch_up(w, s, op_now(&w->op));
    return slices_tick(&s->slices, &w->dues, &w->op, p->span_ms, p->has_start ? &p->start_ms : NULL);
}

static void take(struct time_batch *w, const struct batch *in, struct batch *b)
{
    const struct time_batch_plan *p = plan_of(&w->op);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind != EVENT_CURRENT)
            continue;
        if (!w->first) {
            w->first = row_ref(e->row);
            w->first_ms = e->at_ms;
        }
        if (!p->streams) {
            window_hold(&w->batch, e);
            continue;
        }
        chunk_pass(b, e);
        if (p->keeps)
            window_hold(&w->released, e);
    }
}

static void flush(struct time_batch *w, struct batch *b)
{
    const struct time_batch_plan *p = plan_of(&w->op);
    if (p->expires)
        window_expire_all(&w->released, b, op_now(&w->op));
    if (w->first) {
        batch_add(b, w->first, w->first_ms, EVENT_RESET); /* our reference goes with it */
        w->first = NULL;
    }
    chunk_release(b, &w->batch, p->keeps ? &w->released : NULL);
}

static int turn(struct time_batch *w, const struct batch *in, bool is_due)
{
    struct chunks chunks = {NULL, NULL};
    struct batch *b = NULL;
    if (is_due || plan_of(&w->op)->streams)
        b = chunks_add(&chunks, &w->op, 16);
    if (in)
        take(w, in, b);
    if (is_due)
        flush(w, b);
    return chunks_emit(&chunks, &w->op);
}

static int time_batch_push(struct op *op, const struct batch *in)
{
    struct time_batch *w = (struct time_batch *)op;
    return turn(w, in, tick(w));
}

static int time_batch_due(struct op *op, int64_t due_ms)
{
    struct time_batch *w = (struct time_batch *)op;
    dues_fired(&w->dues, due_ms);
    return turn(w, NULL, tick(w));
}

static bool time_batch_is_idle(const struct op *op)
{
    const struct time_batch *w = (const struct time_batch *)op;
    const struct time_batch_shared *s = op_shared(op);
    return !w->batch.count && !w->released.count && !w->first && !s->is_lost &&
           slices_wait(&s->slices, &w->dues);
}

static int64_t time_batch_skip(struct op *op, int64_t until_ms)
{
    struct time_batch_shared *s = op_shared(op);
    return slices_skip(&s->slices, &((struct time_batch *)op)->dues, plan_of(op)->span_ms, until_ms);
}

static void time_batch_save(const struct op *op, struct writer *w)
{
    const struct time_batch *b = (const struct time_batch *)op;
    const struct time_batch_shared *s = op_shared(op);
    write_tag(w, "window.timeBatch");
    queue_save(&b->batch, w);
    queue_save(&b->released, w);
    write_row(w, b->first);
    write_i64(w, b->first_ms);
    write_u8(w, s->slices.is_set);
    write_i64(w, s->slices.next_ms);
    dues_save(&b->dues, w);
}

static int time_batch_load(struct op *op, struct reader *r)
{
    struct time_batch *b = (struct time_batch *)op;
    struct time_batch_shared *s = op_shared(op);
    read_tag(r, "window.timeBatch");
    queue_load(&b->batch, r);
    queue_load(&b->released, r);
    b->first = read_row(r);
    b->first_ms = read_i64(r);
    s->slices.is_set = read_u8(r) != 0; /* the same in every copy */
    s->slices.next_ms = read_i64(r);
    dues_load(&b->dues, op, r);
    return window_loaded(r);
}

static void time_batch_save_shared(const struct op_plan *plan, const void *shared, struct writer *w)
{
    const struct time_batch_shared *s = shared;
    (void)plan;
    write_u8(w, (uint8_t)(s->slices.is_set | s->is_lost << 1));
    write_i64(w, s->slices.next_ms);
    if (s->is_lost)
        write_i64(w, (int64_t)s->lost_key);
}

static int time_batch_load_shared(const struct op_plan *plan, void *shared, struct reader *r)
{
    struct time_batch_shared *s = shared;
    (void)plan;
    uint8_t is = read_u8(r);
    s->slices.is_set = is & 1;
    s->is_lost = is & 2;
    s->slices.next_ms = read_i64(r);
    s->lost_key = s->is_lost ? (uint64_t)read_i64(r) : 0;
    return window_loaded(r);
}

static void time_batch_close(struct op *op)
{
    struct time_batch *b = (struct time_batch *)op;
    struct time_batch_shared *s = op_shared(op);
    size_t len;
    if (b->dues.count && op_key(op, &len) && !op_is_in_playback(op)) {
        s->is_lost = true;
        s->lost_key = key_of(op);
    }
    queue_fini(&b->batch);
    queue_fini(&b->released);
    dues_fini(&b->dues);
    if (b->first)
        row_unref(b->first);
}

static struct queue *time_batch_content(struct op *op)
{
    return &((struct time_batch *)op)->released;
}

static void time_batch_explain(const struct op_plan *plan, struct buf *out)
{
    const struct time_batch_plan *p = (const struct time_batch_plan *)(const void *)plan;
    buf_printf(out, "(%lld ms", (long long)p->span_ms);
    if (p->has_start)
        buf_printf(out, ", %lld", (long long)p->start_ms);
    buf_add_str(out, p->streams ? ", true)" : ")");
}

static const struct op_type time_batch_type = {
    .name = "window.timeBatch",
    .size = sizeof(struct time_batch),
    .shared_size = sizeof(struct time_batch_shared),
    .push = time_batch_push,
    .due = time_batch_due,
    .is_idle = time_batch_is_idle,
    .skip = time_batch_skip,
    .save = time_batch_save,
    .load = time_batch_load,
    .save_shared = time_batch_save_shared,
    .load_shared = time_batch_load_shared,
    .close = time_batch_close,
    .content = time_batch_content,
    .explain = time_batch_explain,
};

/* (span) (span, start) (span, streams) (span, start, streams) */
static struct op_plan *time_batch_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct time_batch_plan p = {.expires = c->expired_wanted, .keeps = c->expired_wanted || c->has_find};
    if (!window_arg_count(c, call, 1, 3) || !window_arg_duration(c, call, 0, &p.span_ms))
        return NULL;
    if (p.span_ms <= 0) {
        window_arg_wrong(c, call, 0, "must be greater than 0");
        return NULL;
    }
    p.has_start = call->arg_count == 3 || (call->arg_count == 2 && !window_arg_is(call, 1, TYPE_BOOL));
    if (p.has_start && !window_arg_is(call, 1, TYPE_INT) && !window_arg_is(call, 1, TYPE_LONG)) {
        window_arg_wrong(c, call, 1,
                         call->arg_count == 2 ? "must be a constant start time, or true or false"
                                              : "must be a constant start time");
        return NULL;
    }
    if (p.has_start)
        p.start_ms = window_arg(call, 1)->literal.as.l;
    if (call->arg_count > 1 + p.has_start && !window_arg_bool(c, call, 1 + p.has_start, &p.streams))
        return NULL;
    struct time_batch_plan *plan = window_plan_new(c, call, &time_batch_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

const struct window_type window_time_batch = {NULL, "timeBatch", false, time_batch_plan};
