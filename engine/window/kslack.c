/* kslack.c - #reorder:kslack(ts [, timeout] [, max.k] [, discard.late]): puts late events back in order (spec
 * 20 section 9).
 *
 * Laws: (1) events wait, those since the last step apart from those before it; (2) a step is an event with a
 * time greater than all before: K grows to the difference to the smallest that came since the last step, at
 * most max.k; then all that wait are put in order (equal times: as they came), and those with time + K <=
 * greatest go, with the timestamps they came with; (3) with a timeout, a timer at start + timeout lets those
 * go that took part in a step, with a time below the timer's moment + timeout; while some
 * stay, it fires again each second, else the next event asks for the next full second since it fired: when
 * that is now, it fires behind this event; (4) discard.late drops an event older than the last that went. */
#include "engine/window/handler.h"

enum { TIMER_MS = 1000 };

struct kslack_plan {
    struct op_plan op;
    const struct expr *time;
    int64_t timeout_ms; /* -1: none */
    int64_t max_k;
    bool discards;
};
struct item {
    int64_t time;
    struct row *row;
    enum event_kind kind;
};
struct items {
    struct item *list;
    uint32_t head, count, cap; /* list[head .. head + count) */
};
struct kslack {
    struct op op;
    struct items fresh; /* since the last step, as they came */
    struct items held;  /* in order of time */
    int64_t k, greatest, sent;
    int64_t timer_ms; /* the newest request */
    bool started;
    bool idle; /* the timer found nothing to wait for: the next event asks for it */
    struct dues dues;
};

static const struct kslack_plan *plan_of(const struct op *op)
{
    return (const struct kslack_plan *)(const void *)op->plan;
}

static void items_insert(struct items *s, uint32_t place, struct item item)
{
    if (s->head + s->count == s->cap) {
        if (s->head > s->count) { /* the front half is free: use it again */
            memmove(s->list, s->list + s->head, s->count * sizeof *s->list);
            s->head = 0;
        } else {
            ASSERT(s->cap < UINT32_MAX / 2);
            s->cap = s->cap ? s->cap * 2 : 8;
            s->list = mem_resize(s->list, s->cap, sizeof *s->list);
        }
    }
    struct item *at = s->list + s->head + place;
    memmove(at + 1, at, (s->count - place) * sizeof *at);
    *at = item;
    s->count++;
}

static void items_fini(struct items *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        row_unref(s->list[s->head + i].row);
    mem_free(s->list);
    *s = (struct items){0};
}

/* Behind all with a time not greater. */
static void hold(struct kslack *w, struct item item)
{
    uint32_t low = 0, high = w->held.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (w->held.list[w->held.head + middle].time <= item.time)
            low = middle + 1;
        else
            high = middle;
    }
    items_insert(&w->held, low, item);
}

static void release_first(struct kslack *w, struct batch *b)
{
    struct item item = w->held.list[w->held.head++];
    if (--w->held.count == 0)
        w->held.head = 0;
    batch_add(b, item.row, item.row->at_ms, item.kind);
}

static void step(struct kslack *w, struct batch *b)
{
    const struct kslack_plan *p = plan_of(&w->op);
    int64_t smallest = w->greatest;
    for (uint32_t i = 0; i < w->fresh.count; i++) {
        struct item item = w->fresh.list[w->fresh.head + i];
        if (item.time < smallest)
            smallest = item.time;
        hold(w, item);
    }
    w->fresh.count = w->fresh.head = 0;
    int64_t difference = time_sub(w->greatest, smallest);
    if (difference > w->k)
        w->k = difference < p->max_k ? difference : p->max_k;
    while (w->held.count && time_add(w->held.list[w->held.head].time, w->k) <= w->greatest) {
        w->sent = w->held.list[w->held.head].time;
        release_first(w, b);
    }
}

static int kslack_start(struct op *op, struct err *e)
{
    struct kslack *w = (struct kslack *)op;
    (void)e;
    if (w->started)
        return 0;
    w->started = true;
    if (plan_of(op)->timeout_ms == -1)
        return 0;
    w->timer_ms = time_add(op_now(op), plan_of(op)->timeout_ms);
    dues_request(&w->dues, op, w->timer_ms);
    return 0;
}

static void wake(struct kslack *w)
{
    int64_t since = time_sub(op_now(&w->op), w->timer_ms);
    if (since > 0)
        w->timer_ms = time_add(w->timer_ms, (since / TIMER_MS + (since % TIMER_MS > 0)) * TIMER_MS);
    dues_request(&w->dues, &w->op, w->timer_ms);
    w->idle = false;
}

static int kslack_push(struct op *op, const struct batch *in)
{
    struct kslack *w = (struct kslack *)op;
    const struct kslack_plan *p = plan_of(op);
    struct chunks chunks = {NULL, NULL};
    struct batch *b = chunks_add(&chunks, op, in->count);
    b->is_batch = in->is_batch;
    kslack_start(op, NULL); /* when nobody did */
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!e->row)
            continue;
        struct frame f = {.env = op->env, .rows = &e->row, .at_ms = e->at_ms, .kind = e->kind, .user = op};
        struct value v = expr_eval(p->time, &f);
        if (v.type != TYPE_LONG && !op->env->failed)
            expr_fail(op->env, "reorder:kslack: the time is %s", is_null(v) ? "null" : type_name(v.type));
        if (op->env->failed)
            return chunks_fail(&chunks);
        if (p->discards && v.as.l < w->sent)
            continue;
        if (w->idle)
            wake(w);
        struct row *row = e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
        items_insert(&w->fresh, w->fresh.count, (struct item){v.as.l, row, e->kind});
        if (v.as.l > w->greatest) {
            w->greatest = v.as.l;
            step(w, b);
        }
    }
    return chunks_emit(&chunks, op);
}

static int kslack_due(struct op *op, int64_t due_ms)
{
    struct kslack *w = (struct kslack *)op;
    struct chunks chunks = {NULL, NULL};
    dues_fired(&w->dues, due_ms);
    struct batch *b = chunks_add(&chunks, op, w->held.count);
    int64_t end_ms = time_add(due_ms, plan_of(op)->timeout_ms);
    while (w->held.count && w->held.list[w->held.head].time < end_ms)
        release_first(w, b);
    w->idle = w->held.count == 0;
    if (!w->idle) {
        w->timer_ms = time_add(w->timer_ms, TIMER_MS);
        dues_request(&w->dues, op, w->timer_ms);
    }
    return chunks_emit(&chunks, op);
}

static void items_save(const struct items *s, struct writer *w)
{
    write_count(w, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct item *item = &s->list[s->head + i];
        write_i64(w, item->time);
        write_u8(w, (uint8_t)item->kind);
        write_row(w, item->row);
    }
}

static void items_load(struct items *s, struct reader *r)
{
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct item item = {.time = read_i64(r)};
        uint8_t kind = read_u8(r);
        item.kind = kind == EVENT_EXPIRED ? EVENT_EXPIRED : kind == EVENT_RESET ? EVENT_RESET : EVENT_CURRENT;
        item.row = read_row(r);
        if (item.row)
            items_insert(s, s->count, item);
        else
            r->failed = true;
    }
}

static void kslack_open(struct op *op)
{
    ((struct kslack *)op)->sent = -1;
}

static void kslack_save(const struct op *op, struct writer *w)
{
    const struct kslack *s = (const struct kslack *)op;
    write_tag(w, "reorder:kslack");
    items_save(&s->fresh, w);
    items_save(&s->held, w);
    write_i64(w, s->k);
    write_i64(w, s->greatest);
    write_i64(w, s->sent);
    write_i64(w, s->timer_ms);
    write_u8(w, s->started);
    write_u8(w, s->idle);
    dues_save(&s->dues, w);
}

static int kslack_load(struct op *op, struct reader *r)
{
    struct kslack *s = (struct kslack *)op;
    read_tag(r, "reorder:kslack");
    items_load(&s->fresh, r);
    items_load(&s->held, r);
    s->k = read_i64(r);
    s->greatest = read_i64(r);
    s->sent = read_i64(r);
    s->timer_ms = read_i64(r);
    s->started = read_u8(r) != 0;
    s->idle = read_u8(r) != 0;
    timer_cancel(op);
    dues_load(&s->dues, op, r);
    return window_loaded(r);
}

static void kslack_close(struct op *op)
{
    struct kslack *s = (struct kslack *)op;
    items_fini(&s->fresh);
    items_fini(&s->held);
    dues_fini(&s->dues);
}

static const struct op_type kslack_type = {
    .name = "reorder:kslack",
    .size = sizeof(struct kslack),
    .open = kslack_open,
    .start = kslack_start,
    .push = kslack_push,
    .due = kslack_due,
    .save = kslack_save,
    .load = kslack_load,
    .close = kslack_close,
};

/* (ts) (ts, timeout) (ts, discard) (ts, timeout, max.k) (ts, timeout, discard) (ts, timeout, max.k, discard)
 */
static struct op_plan *kslack_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                   const struct schema **out)
{
    struct kslack_plan p = {.timeout_ms = -1, .max_k = INT64_MAX};
    if (!window_arg_count(c, call, 1, 4))
        return NULL;
    int n = call->arg_count;
    p.time = expr_compile(ec, window_arg(call, 0));
    if (!p.time)
        return NULL;
    if (p.time->type != TYPE_LONG) {
        window_arg_wrong(c, call, 0, "must be a long");
        return NULL;
    }
    if (n > 1 && (n == 4 || window_arg_is(call, n - 1, TYPE_BOOL))) {
        if (!window_arg_bool(c, call, n - 1, &p.discards))
            return NULL;
        n--;
    }
    if ((n > 1 && !window_arg_long(c, call, 1, &p.timeout_ms)) ||
        (n > 2 && !window_arg_long(c, call, 2, &p.max_k)))
        return NULL;
    struct kslack_plan *plan = window_plan_new(c, call, &kslack_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    *out = c->in;
    return &plan->op;
}

const struct handler_type handler_kslack = {"reorder", "kslack", kslack_plan, true};
