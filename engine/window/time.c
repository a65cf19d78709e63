/* time.c - window.time(span): a row stays for span_ms, then leaves as an expired row (spec 04 section 2.4).
 *
 * Laws: (1) rows are held in arrival order and leave from the front only, so an older event behind a newer
 * one waits for it; (2) a row leaves at the first moment now_ms >= at_ms + span_ms and is stamped with that
 * moment; (3) rows that leave stand before, in the same batch, the row whose arrival found them due; (4) only
 * an event newer than all before it asks for a timer. So the requests rise, and the pending ones follow from
 * the rows: they need no list of their own. */
#include "engine/window/window.h"

struct time_plan {
    struct op_plan op;
    int64_t span_ms;
};
struct time_window {
    struct op op;
    struct queue rows;
    int64_t newest_ms; /* of all events seen */
    int64_t gone_ms;   /* newest of the rows that left */
    int64_t fired_ms;  /* the last timer's due time */
};

static const struct time_plan *plan_of(const struct op *op)
{
    return (const struct time_plan *)(const void *)op->plan;
}

static void time_open(struct op *op)
{
    struct time_window *w = (struct time_window *)op;
    w->newest_ms = w->gone_ms = w->fired_ms = INT64_MIN;
}

static inline void expire(struct time_window *w, int64_t span_ms, struct batch *out)
{
    int64_t now_ms = op_now(&w->op);
    while (w->rows.count) {
        struct row *row = queue_at(&w->rows, 0);
        if (!time_is_due(row->at_ms, span_ms, now_ms))
            break;
        if (row->at_ms > w->gone_ms)
            w->gone_ms = row->at_ms;
        batch_add(out, queue_take(&w->rows), now_ms, EVENT_EXPIRED);
    }
}

static int time_push(struct op *op, const struct batch *in)
{
    struct time_window *w = (struct time_window *)op;
    int64_t span_ms = plan_of(op)->span_ms;
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        expire(w, span_ms, &out);
        if (UNLIKELY(e->kind != EVENT_CURRENT))
            continue;
        window_hold(&w->rows, e);
        batch_add(&out, e->row, e->at_ms, EVENT_CURRENT);
        if (e->at_ms > w->newest_ms) {
            w->newest_ms = e->at_ms;
            timer_request(op, time_add(e->at_ms, span_ms));
        }
    }
    return window_emit(op, &out);
}

static int time_due(struct op *op, int64_t due_ms)
{
    struct time_window *w = (struct time_window *)op;
    struct batch out;
    if (due_ms > w->fired_ms)
        w->fired_ms = due_ms;
    batch_init(&out, op->env->scratch, 8);
    out.is_batch = true;
    expire(w, plan_of(op)->span_ms, &out);
    return window_emit(op, &out);
}

static void time_save(const struct op *op, struct writer *w)
{
    const struct time_window *t = (const struct time_window *)op;
    write_tag(w, "window.time");
    queue_save(&t->rows, w);
    write_i64(w, t->newest_ms);
    write_i64(w, t->gone_ms);
    write_i64(w, t->fired_ms);
}

static int time_load(struct op *op, struct reader *r)
{
    struct time_window *t = (struct time_window *)op;
    read_tag(r, "window.time");
    queue_load(&t->rows, r);
    t->newest_ms = read_i64(r);
    t->gone_ms = read_i64(r);
    t->fired_ms = read_i64(r);
    if (r->failed)
        return ERR_STATE;
    int64_t newest_ms = t->gone_ms, gone_due_ms = time_add(t->gone_ms, plan_of(op)->span_ms);
    /* A row that a later one found due has left its request behind, and older rows may wait for that. */
    if (t->gone_ms != INT64_MIN && gone_due_ms > t->fired_ms)
        timer_request(op, gone_due_ms);
    for (uint32_t i = 0; i < t->rows.count; i++) {
        int64_t at_ms = queue_at(&t->rows, i)->at_ms, due_ms = time_add(at_ms, plan_of(op)->span_ms);
        if (at_ms <= newest_ms)
            continue;
        newest_ms = at_ms;
        if (due_ms > t->fired_ms)
            timer_request(op, due_ms);
    }
    return 0;
}

static void time_close(struct op *op)
{
    queue_fini(&((struct time_window *)op)->rows);
}

static struct queue *time_content(struct op *op)
{
    return &((struct time_window *)op)->rows;
}

static void time_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, "(%lld ms)", (long long)((const struct time_plan *)(const void *)plan)->span_ms);
}

static const struct op_type time_type = {
    .name = "window.time",
    .size = sizeof(struct time_window),
    .open = time_open,
    .push = time_push,
    .due = time_due,
    .save = time_save,
    .load = time_load,
    .close = time_close,
    .content = time_content,
    .content_is_stable = true,
    .explain = time_explain,
};

static struct op_plan *time_plan(struct window_ctx *c, const struct ast_expr *call)
{
    int64_t span_ms;
    if (!window_arg_count(c, call, 1, 1) || !window_arg_duration(c, call, 0, &span_ms))
        return NULL;
    struct time_plan *p = window_plan_new(c, call, &time_type, sizeof *p);
    p->span_ms = span_ms;
    return &p->op;
}

const struct window_type window_time = {NULL, "time", true, time_plan};
