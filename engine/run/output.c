/* output.c - see output.h. What was expired becomes current on entering a stream or a named window (spec 03
 * section 3.1). */
#include "engine/run/output.h"
#include "engine/run/app.h"

void output_callback(struct op *op, const struct batch *in, bool current_wanted, bool expired_wanted)
{
    struct app *app = op_app(op);
    const struct plan_query *q = op->query->plan;
    if (!app->host.query || !q->is_named || in->count == 0)
        return;
    struct batch seen;
    batch_init(&seen, &app->scratch, in->count);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if ((e->kind == EVENT_CURRENT && current_wanted) || (e->kind == EVENT_EXPIRED && expired_wanted))
            batch_add(&seen, e->row, e->at_ms, e->kind);
    }
    if (seen.count)
        app->host.query(app->host.user, q->name, in->events[in->count - 1].at_ms, &seen);
}

const struct batch *output_rows(struct op *op, const struct batch *in, bool current_wanted,
                                bool expired_wanted, struct batch *out)
{
    uint32_t i = 0;
    while (i < in->count && in->events[i].kind == EVENT_CURRENT && current_wanted)
        i++;
    if (i == in->count && in->is_batch == (in->count > 1))
        return in;
    batch_init(out, op->env->scratch, in->count);
    for (i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if ((e->kind == EVENT_CURRENT && current_wanted) || (e->kind == EVENT_EXPIRED && expired_wanted))
            batch_add(out, e->row, e->at_ms, EVENT_CURRENT)->group = e->group;
    }
    /* a chunk of one that a query hands on is one event (spec 21 section 0) */
    out->is_batch = out->count > 1;
    return out;
}

static void output_open(struct op *op)
{
    struct output *o = (struct output *)op;
    const struct output_plan *p = (const struct output_plan *)op->plan;
    if (p->target->kind == ELEMENT_WINDOW)
        o->window = op_app(op)->windows[p->target->number];
    else
        o->stream = app_stream_of(op_app(op), p->target, op->query->partition);
    o->is_plain = o->stream && p->current_wanted && !op_app(op)->host.query;
}

static int output_push(struct op *op, const struct batch *in)
{
    struct output *o = (struct output *)op;
    const struct output_plan *p = (const struct output_plan *)op->plan;
    struct batch space;
    if (UNLIKELY(op_app(op)->host.query != NULL))
        output_callback(op, in, p->current_wanted, p->expired_wanted);
    const struct batch *rows = output_rows(op, in, p->current_wanted, p->expired_wanted, &space);
    if (rows->count == 0)
        return 0;
    if (o->window)
        return op_push(o->window, rows);
    if (UNLIKELY(o->stream->splitter && rows->count > 1))
        stream_publish_split(o->stream, rows);
    else
        stream_publish(o->stream, rows);
    return 0;
}

static int output_one(struct op *op, const struct event *e)
{
    struct output *o = (struct output *)op;
    if (UNLIKELY(!o->is_plain))
        return op_push_wrapped(op, NULL, 0, 0, e);
    stream_publish_one(o->stream, e);
    return 0;
}

static void output_explain(const struct op_plan *plan, struct buf *out)
{
    const struct output_plan *p = (const struct output_plan *)plan;
    buf_printf(out, " %s", p->target->schema->id);
}

const struct op_type op_output = {
    .name = "insert into",
    .size = sizeof(struct output),
    .open = output_open,
    .push = output_push,
    .one = output_one,
    .explain = output_explain,
};
