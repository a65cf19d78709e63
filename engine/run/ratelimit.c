/* ratelimit.c - output [all|first|last] every n events or a time (spec 05 sections 7, 8).
 *
 * Laws: (1) held rows are ref'd; they leave in one chunk whose references are dropped after the push; (2) the
 * state is settled before anything is handed on: a query may feed itself; (3) 'first' holds no rows, and by
 * time it needs no timer; (4) RESET events are counted by 'first' without 'group by' only. */
#include "engine/run/ratelimit.h"
#include "engine/data/segments.h"
#include "engine/run/app.h"
#include "engine/run/select.h"

enum { HELD_FIRST = 4, ROWS_AHEAD = 8 };
#define NONE INT64_MIN /* nothing is kept for this key */

struct rate {
    struct op op;
    struct event *held; /* rows that wait */
    uint32_t held_count, held_cap;
    uint32_t group_cap;
    int64_t *groups; /* by number of the key: a place in held, a counter, or the last emission */
    int64_t count;   /* rows seen since the last emission; 'first': see there */
    int64_t at_ms;   /* the pending tick; 'first': the last emission, or NONE */
};

static int64_t value_of(const struct op *op)
{
    return ((const struct rate_plan *)(const void *)op->plan)->value;
}

static bool is_row(const struct event *e)
{
    return e->kind == EVENT_CURRENT || e->kind == EVENT_EXPIRED;
}

static int64_t after(int64_t at_ms, int64_t span_ms)
{
    return (int64_t)((uint64_t)at_ms + (uint64_t)span_ms);
}

static void rate_open(struct op *op)
{
    ((struct rate *)op)->at_ms = NONE;
}

static int64_t *group_of(struct rate *r, uint32_t number)
{
    if (UNLIKELY(number >= r->group_cap)) {
        uint32_t cap = rate_room(r->group_cap, number);
        r->groups = mem_resize(r->groups, cap, sizeof(*r->groups));
        for (uint32_t i = r->group_cap; i < cap; i++)
            r->groups[i] = NONE;
        r->group_cap = cap;
    }
    return &r->groups[number];
}

static void hold(struct rate *r, const struct event *e)
{
    if (r->held_count == r->held_cap) {
        r->held_cap = r->held_cap ? r->held_cap * 2 : HELD_FIRST;
        r->held = mem_resize(r->held, r->held_cap, sizeof(*r->held));
    }
    r->held[r->held_count] = *e;
    row_ref(r->held[r->held_count++].row);
}

/* Keeps e as the newest row of its key, in the place of the key's first one. */
static void hold_last(struct rate *r, const struct event *e)
{
    int64_t *place = group_of(r, e->group);
    if (*place == NONE) {
        *place = (int64_t)r->held_count;
        hold(r, e);
        return;
    }
    struct event *held = &r->held[*place];
    row_ref(e->row);
    row_unref(held->row);
    *held = *e;
}

/* Moves what is held into out, with its references. */
static void release(struct rate *r, struct batch *out)
{
    for (uint32_t i = 0; i < r->held_count; i++) {
        const struct event *e = &r->held[i];
        if (e->group < r->group_cap)
            r->groups[e->group] = NONE;
        batch_add(out, e->row, e->at_ms, e->kind)->group = e->group;
    }
    r->held_count = 0;
}

static int emit_owned(struct rate *r, struct batch *out)
{
    out->is_batch = out->count > 1;
    int rc = op_next(&r->op, out);
    for (uint32_t i = 0; i < out->count; i++)
        row_unref(out->events[i].row);
    return rc;
}

static int emit_borrowed(struct rate *r, struct batch *out)
{
    out->is_batch = out->count > 1;
    return op_next(&r->op, out);
}

/* ---- by events ---- */

static int all_events_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        if (!is_row(&in->events[i]))
            continue;
        hold(r, &in->events[i]);
        if (++r->count == value_of(op)) {
            r->count = 0;
            release(r, &out);
        }
    }
    return emit_owned(r, &out);
}

static int last_events_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!is_row(e) || ++r->count != value_of(op))
            continue;
        r->count = 0;
        batch_add(&out, e->row, e->at_ms, e->kind)->group = e->group;
    }
    return emit_borrowed(r, &out);
}

static int last_group_events_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        if (!is_row(&in->events[i]))
            continue;
        hold_last(r, &in->events[i]);
        if (++r->count == value_of(op)) {
            r->count = 0;
            release(r, &out);
        }
    }
    return emit_owned(r, &out);
}

/* The n-th sets the counter to 0, unless it is also the 1st: then it is the only one ever. */
static int first_events_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (++r->count == 1)
            batch_add(&out, e->row, e->at_ms, e->kind)->group = e->group;
        else if (r->count == value_of(op))
            r->count = 0;
    }
    return emit_borrowed(r, &out);
}

static int first_group_events_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!is_row(e))
            continue;
        int64_t *count = group_of(r, e->group);
        if (*count == NONE) {
            *count = 1;
            batch_add(&out, e->row, e->at_ms, e->kind)->group = e->group;
        } else if (*count == value_of(op) - 1) {
            *count = NONE;
        } else {
            ++*count;
        }
    }
    return emit_borrowed(r, &out);
}

/* ---- by time ---- */

static int ticks_start(struct op *op, struct err *e)
{
    struct rate *r = (struct rate *)op;
    (void)e;
    if (r->at_ms == NONE) {
        r->at_ms = after(op_now(op), value_of(op));
        timer_request(op, r->at_ms);
    }
    return 0;
}

static int ticks_due(struct op *op, int64_t due_ms)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    r->at_ms = after(due_ms, value_of(op));
    timer_request(op, r->at_ms);
    batch_init(&out, op->env->scratch, r->held_count);
    release(r, &out);
    return emit_owned(r, &out);
}

static bool ticks_is_idle(const struct op *op)
{
    return ((const struct rate *)op)->held_count == 0;
}

static int64_t ticks_skip(struct op *op, int64_t until_ms)
{
    struct rate *r = (struct rate *)op;
    return r->at_ms = moment_before(r->at_ms, value_of(op), until_ms);
}

static int all_time_push(struct op *op, const struct batch *in)
{
    for (uint32_t i = 0; i < in->count; i++) {
        if (is_row(&in->events[i]))
            hold((struct rate *)op, &in->events[i]);
    }
    return 0;
}

/* Without 'group by' all rows are of key 0. */
static int last_time_push(struct op *op, const struct batch *in)
{
    for (uint32_t i = 0; i < in->count; i++) {
        if (is_row(&in->events[i]))
            hold_last((struct rate *)op, &in->events[i]);
    }
    return 0;
}

/* Of each chunk only the first event counts; a RESET there shows nothing but closes the gate. */
static int first_time_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    if (in->count == 0 || (r->at_ms != NONE && op_now(op) < after(r->at_ms, value_of(op))))
        return 0;
    r->at_ms = op_now(op);
    struct batch out = {.events = in->events, .count = 1, .cap = 1, .scratch = in->scratch};
    return emit_borrowed(r, &out);
}

static int first_group_time_push(struct op *op, const struct batch *in)
{
    struct rate *r = (struct rate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!is_row(e))
            continue;
        int64_t *last_ms = group_of(r, e->group);
        if (*last_ms != NONE && op_now(op) < after(*last_ms, value_of(op)))
            continue;
        *last_ms = op_now(op);
        batch_add(&out, e->row, e->at_ms, e->kind)->group = e->group;
    }
    return emit_borrowed(r, &out);
}

/* ---- all ---- */

/* What is kept for a key is where its row stands among the held ones. */
static bool has_places(const struct op *op)
{
    return op->type->push == last_group_events_push || op->type->push == last_time_push;
}

static void rate_save(const struct op *op, struct writer *w)
{
    const struct rate *r = (const struct rate *)op;
    write_i64(w, r->count);
    write_i64(w, r->at_ms);
    write_count(w, r->held_count);
    for (uint32_t i = 0; i < r->held_count; i++) {
        const struct event *e = &r->held[i];
        if (i + 2 * ROWS_AHEAD < r->held_count) {
            segments_near_row(r->held[i + 2 * ROWS_AHEAD].row, 1);
            segments_near_row(r->held[i + ROWS_AHEAD].row, 2);
        }
        write_row_behind(w, e->row, i ? r->held[i - 1].row : NULL);
        write_step(w, (uint64_t)e->at_ms, (uint64_t)e->row->at_ms);
        write_varint(w, (uint64_t)e->group << 1 | (e->kind == EVENT_EXPIRED));
    }
    uint32_t top = has_places(op) ? 0 : r->group_cap; /* places: of the held rows */
    while (top > 0 && r->groups[top - 1] == NONE)
        top--;
    write_varint(w, top);
    for (uint32_t i = 0; i < top; i++) {
        write_u8(w, r->groups[i] != NONE);
        if (r->groups[i] != NONE)
            write_step(w, (uint64_t)r->groups[i], 0);
    }
}

static int load_held(struct rate *r, struct reader *in, bool with_places)
{
    const struct query *q = r->op.query;
    uint32_t numbers = select_group_numbers(q->ops[q->plan->select->index]);
    size_t count = read_count(in, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !in->failed; i++) {
        struct event e = {.row = read_row_behind(in, i ? r->held[i - 1].row : NULL)};
        if (!e.row)
            return ERR_STATE;
        e.at_ms = (int64_t)read_step(in, (uint64_t)e.row->at_ms);
        uint64_t group = read_varint(in);
        e.kind = group & 1 ? EVENT_EXPIRED : EVENT_CURRENT;
        e.group = (uint32_t)(group >> 1);
        hold(r, &e);
        row_unref(e.row);
        if (group >> 1 >= numbers || (with_places && *group_of(r, e.group) != NONE))
            return ERR_STATE;
        if (with_places)
            *group_of(r, e.group) = (int64_t)i;
    }
    return in->failed ? ERR_STATE : 0;
}

static int rate_load(struct op *op, struct reader *in)
{
    struct rate *r = (struct rate *)op;
    r->count = read_i64(in);
    r->at_ms = read_i64(in);
    if (load_held(r, in, has_places(op)) < 0)
        return ERR_STATE;
    size_t top = read_count(in, UINT32_MAX / 2);
    for (size_t i = 0; i < top && !in->failed; i++)
        *group_of(r, (uint32_t)i) = read_u8(in) ? (int64_t)read_step(in, 0) : NONE;
    if (in->failed)
        return ERR_STATE;
    timer_cancel(op);
    if (op->type->due && r->at_ms != NONE)
        timer_request(op, r->at_ms);
    return 0;
}

static void rate_close(struct op *op)
{
    struct rate *r = (struct rate *)op;
    for (uint32_t i = 0; i < r->held_count; i++)
        row_unref(r->held[i].row);
    mem_free(r->held);
    mem_free(r->groups);
}

static void explain_events(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, " every %lld events", (long long)((const struct rate_plan *)(const void *)plan)->value);
}

static void explain_time(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, " every %lld ms", (long long)((const struct rate_plan *)(const void *)plan)->value);
}

#define RATE_COMMON \
    .size = sizeof(struct rate), .open = rate_open, .save = rate_save, .load = rate_load, .close = rate_close

/* clang-format off */
const struct op_type op_rate_all_events =         {.name = "output all", .push = all_events_push, .explain = explain_events, RATE_COMMON};
const struct op_type op_rate_last_events =        {.name = "output last", .push = last_events_push, .explain = explain_events, RATE_COMMON};
const struct op_type op_rate_last_group_events =  {.name = "output last", .push = last_group_events_push, .explain = explain_events, RATE_COMMON};
const struct op_type op_rate_first_events =       {.name = "output first", .push = first_events_push, .explain = explain_events, RATE_COMMON};
const struct op_type op_rate_first_group_events = {.name = "output first", .push = first_group_events_push, .explain = explain_events, RATE_COMMON};
const struct op_type op_rate_all_time =           {.name = "output all", .push = all_time_push, .start = ticks_start, .due = ticks_due, .is_idle = ticks_is_idle, .skip = ticks_skip, .explain = explain_time, RATE_COMMON};
const struct op_type op_rate_last_time =          {.name = "output last", .push = last_time_push, .start = ticks_start, .due = ticks_due, .is_idle = ticks_is_idle, .skip = ticks_skip, .explain = explain_time, RATE_COMMON};
const struct op_type op_rate_first_time =         {.name = "output first", .push = first_time_push, .explain = explain_time, RATE_COMMON};
const struct op_type op_rate_first_group_time =   {.name = "output first", .push = first_group_time_push, .explain = explain_time, RATE_COMMON};
/* clang-format on */
