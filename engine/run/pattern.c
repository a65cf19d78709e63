/* pattern.c - a pattern or sequence at work: its streams, its frame, what it emits (pattern.h; nodes and
 * transitions: pattern_node.c).
 *
 * An event of stream S (spec 06 section 4), one after the other also in a batch:
 *   1. expire every node ('within');
 *   2. pattern: promote the nodes that listen to S. Sequence: reset all elements, last to first, then promote
 *      all, first to last;
 *   3. process the nodes that listen to S, last to first: an event fills one element of a partial match at
 *      most. What a node returns goes to the selector after it; where one node alone listens to S, after the
 *      whole batch.
 * What the query puts out comes after the batch (pattern_emit.c). Inserting into a stream that the pattern
 * reads comes back here at once: no list is walked while something is put out. */
#include "engine/run/pattern.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/run/app.h"

enum { DROP_AT_ONCE = LIMIT_PATTERN_WAITS / 256 };

/* ---- the frame ---- */

static struct row *view_row(const struct pattern_plan *plan, const struct partial *p,
                            const struct pattern_view *v)
{
    if (!plan->is_chain[v->node])
        return v->index == 0 ? p->slots[v->node].row : NULL;
    struct chain *c = p->slots[v->node].chain;
    if (v->kind == VIEW_LIST)
        return (struct row *)(void *)c; /* pattern_list_eval alone reads it */
    if (!c || v->index >= c->count)
        return NULL;
    return c->rows[v->kind == VIEW_AT ? v->index : c->count - 1 - v->index];
}

struct row *pattern_frame_row(const struct pattern_plan *plan, const struct partial *p, int at)
{
    if (at >= plan->node_count) {
        int view = at - plan->node_count - PATTERN_EXTRA_VIEWS;
        return view < 0 ? NULL : view_row(plan, p, &plan->views[view]);
    }
    if (!plan->is_chain[at])
        return p->slots[at].row;
    return p->slots[at].chain ? p->slots[at].chain->rows[0] : NULL;
}

struct value pattern_list_eval(const struct expr *e, struct frame *f)
{
    const struct chain *c = (const struct chain *)(const void *)f->rows[e->slot];
    struct object *list = list_new();
    for (uint32_t i = 0; c && i < c->count; i++)
        list_add(list, row_get(c->rows[i], e->index));
    return expr_loose(f->env, list);
}

struct value pattern_presence_eval(const struct expr *e, struct frame *f)
{
    return f->rows[e->slot] ? value_bool(true) : VALUE_NULL;
}

/* ---- the limit ---- */

static struct pattern_node *longest(struct pattern *m, struct wait_list **list)
{
    struct pattern_node *found = &m->nodes[0];
    *list = &found->pending;
    for (int i = 0; i < pattern_plan_of(m)->node_count; i++) {
        struct pattern_node *n = &m->nodes[i];
        struct wait_list *l = n->fresh.count > n->pending.count ? &n->fresh : &n->pending;
        if (l->count > (*list)->count) {
            *list = l;
            found = n;
        }
    }
    return found;
}

void pattern_limit(struct pattern *m)
{
    if (LIKELY(m->wait_count <= LIMIT_PATTERN_WAITS))
        return;
    while (m->wait_count > LIMIT_PATTERN_WAITS) {
        struct wait_list *l;
        struct pattern_node *n = longest(m, &l);
        if (l == &n->pending) {
            node_remove(m, n, l->first);
            pattern_dropped(m);
            continue;
        }
        /* The heap of fresh is made again: not for each one. */
        for (int i = 0; i < DROP_AT_ONCE && l->first; i++) {
            node_drop(m, l);
            pattern_dropped(m);
        }
        node_heap_rebuild(m, n);
    }
    if (m->dropped < m->told)
        return;
    log_write(LOG_WARN, m->op.env->app_name,
              "query %s: more than %d partial matches; the oldest go (%llu so far)", m->op.query->plan->name,
              LIMIT_PATTERN_WAITS, (unsigned long long)m->dropped);
    m->told = m->dropped * 2;
}

struct pattern_stats pattern_stats(const void *shared)
{
    return shared ? ((const struct pattern_shared *)shared)->stats : (struct pattern_stats){0};
}

/* ---- what comes in ---- */

static void arrive(struct pattern *m, const struct pattern_input_plan *in, int64_t at_ms)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    if (at_ms > m->newest_ms)
        m->newest_ms = at_ms;
    if (plan->within_ms >= 0) {
        bool scan = plan->is_sequence || m->is_irregular || m->newest_ms - at_ms > plan->within_ms;
        for (int i = 0; i < plan->node_count; i++)
            node_expire(m, &m->nodes[i], at_ms, scan);
        m->is_irregular = false;
    }
    if (!plan->is_sequence) {
        for (int i = 0; i < in->node_count; i++)
            node_promote(m, &m->nodes[in->nodes[i]]);
        return;
    }
    for (int i = plan->reset_count; i > 0; i--)
        node_reset(m, &m->nodes[plan->resets[i - 1]]);
    for (int i = 0; i < plan->reset_count; i++)
        node_promote(m, &m->nodes[plan->resets[i]]);
}

/* The event's row as node n keeps it: with the event's own time, and the columns of its functions. The
 * caller's to unref. */
static struct row *node_row(const struct pattern_node *n, const struct event *e)
{
    uint32_t count = n->plan->schema->count;
    if (LIKELY(e->row->at_ms == e->at_ms && e->row->count == count))
        return row_ref(e->row);
    return row_copy(e->row, count - e->row->count, e->at_ms);
}

static int process(struct pattern *m, int number, const struct event *e, struct partial_chunk *out)
{
    struct pattern_node *n = &m->nodes[number];
    if (!n->pending.first)
        return 0;
    struct row *row = node_row(n, e);
    int rc = node_process(m, n, row, out);
    row_unref(row);
    return rc;
}

struct input {
    struct op op;
    struct pattern *m;
};

static void input_open(struct op *op)
{
    const struct pattern_input_plan *p = (const struct pattern_input_plan *)op->plan;
    ((struct input *)op)->m = (struct pattern *)op->query->ops[p->pattern->op.index];
}

static int input_push(struct op *op, const struct batch *in)
{
    struct pattern *m = ((struct input *)op)->m;
    const struct pattern_input_plan *p = (const struct pattern_input_plan *)op->plan;
    struct partial_chunk out = {0};
    int rc = 0;
    if (p->is_gathered)
        gather_begin(m);
    for (uint32_t i = 0; i < in->count && rc == 0; i++) {
        const struct event *e = &in->events[i];
        if (e->kind == EVENT_TIMER || e->kind == EVENT_RESET)
            continue;
        arrive(m, p, e->at_ms);
        for (int k = p->node_count; k > 0 && rc == 0; k--) {
            rc = process(m, p->nodes[k - 1], e, &out);
            if (!out.first)
                continue;
            if (!p->is_heard)
                chunk_drop(m, &out);
            else if (p->is_gathered)
                rc = gather_chunk(m, &out, rc);
        }
    }
    rc = p->is_gathered ? gather_end(m, rc) : chunk_emit(m, &out, rc);
    pattern_limit(m);
    return rc;
}

static void input_explain(const struct op_plan *plan, struct buf *out)
{
    const struct pattern_input_plan *p = (const struct pattern_input_plan *)plan;
    buf_add_str(out, " of states");
    for (int i = 0; i < p->node_count; i++)
        buf_printf(out, "%s %d", i ? "," : "", p->nodes[i]);
}

const struct op_type op_pattern_input = {
    .name = "pattern input",
    .size = sizeof(struct input),
    .open = input_open,
    .push = input_push,
    .explain = input_explain,
};

/* ---- timers and functions of its elements ---- */

static int timer_push(struct op *op, const struct batch *in)
{
    (void)op;
    (void)in;
    return 0;
}

static int timer_due(struct op *op, int64_t due_ms)
{
    const struct pattern_timer_plan *p = (const struct pattern_timer_plan *)op->plan;
    struct pattern *m = (struct pattern *)op->query->ops[p->pattern->op.index];
    int rc = node_timer(m, &m->nodes[p->node], due_ms);
    pattern_limit(m);
    return rc;
}

const struct op_type op_pattern_timer = {
    .name = "pattern timer", .size = sizeof(struct op), .push = timer_push, .due = timer_due};

static int tap_push(struct op *op, const struct batch *in)
{
    const struct pattern_timer_plan *p = (const struct pattern_timer_plan *)op->plan;
    ((struct pattern *)op->query->ops[p->pattern->op.index])->is_tapped = in->count > 0;
    return 0;
}

const struct op_type op_pattern_tap = {.name = "pattern tap", .size = sizeof(struct op), .push = tap_push};

/* ---- the operator ---- */

static void pattern_open(struct op *op)
{
    struct pattern *m = (struct pattern *)op;
    const struct pattern_plan *plan = pattern_plan_of(m);
    m->shared = op_shared(op);
    m->nodes = mem_array(plan->node_count, sizeof(*m->nodes));
    m->frame = mem_array((size_t)pattern_frame_count(plan), sizeof(struct row *));
    m->newest_ms = INT64_MIN;
    for (int i = 0; i < plan->node_count; i++) {
        struct pattern_node *n = &m->nodes[i];
        n->plan = &plan->nodes[i];
        n->agg = agg_block_new(n->plan->aggs);
        n->is_active = true;
        n->pending.is_keyed = n->fresh.is_keyed =
            n->plan->key.is_there; /* waits move from one to the other */
    }
}

static int pattern_start(struct op *op, struct err *e)
{
    struct pattern *m = (struct pattern *)op;
    const struct pattern_plan *plan = pattern_plan_of(m);
    (void)e;
    if (m->is_started)
        return 0;
    m->is_started = true;
    for (int i = 0; i < plan->node_count; i++)
        node_init(m, &m->nodes[i]);
    const struct pattern_element_plan *first = &plan->elements[0];
    for (int i = 0; i < plan->start_count; i++) {
        struct pattern_node *n = &m->nodes[i == 0 ? first->first : first->last];
        if (!node_is_absent(n) || n->plan->wait_ms == NODE_NO_WAIT)
            continue;
        n->due_ms = op_now(op) + n->plan->wait_ms;
        node_schedule(m, n, n->due_ms);
    }
    return 0;
}

/* Everything comes through its inputs and timers. */
static int pattern_push(struct op *op, const struct batch *in)
{
    (void)op;
    (void)in;
    ASSERT(!"a pattern is not pushed into");
    return 0;
}

static void pattern_close(struct op *op)
{
    struct pattern *m = (struct pattern *)op;
    for (int i = 0; i < pattern_plan_of(m)->node_count; i++) {
        struct pattern_node *n = &m->nodes[i];
        wait_index_fini(&n->index);
        node_clear(m, &n->pending);
        node_clear(m, &n->fresh);
        wait_heap_fini(&n->heap);
        agg_block_free(n->plan->aggs, n->agg);
        if (n->dummy)
            row_unref(n->dummy);
        node_forget_dues(n);
        mem_free(n->dues);
    }
    places_end(m);
    mem_free(m->frame);
    mem_free(m->nodes);
}

static void explain_node(const struct pattern_plan *plan, const struct pattern_node_plan *n, struct buf *out)
{
    static const char *const kinds[] = {"", " counted", "", " absent", " absent"};
    buf_printf(out, "\n      state %d:%s %s%s%s", n->number, kinds[n->kind], n->ref ? n->ref : "",
               n->ref ? "=" : "", n->id);
    if (n->kind == NODE_COUNT && n->max == INT32_MAX)
        buf_printf(out, " %d or more", n->min);
    else if (n->kind == NODE_COUNT)
        buf_printf(out, " %d to %d", n->min, n->max);
    if (n->wait_ms != NODE_NO_WAIT)
        buf_printf(out, " for %lld ms", (long long)n->wait_ms);
    if (n->partner != NODE_NONE)
        buf_printf(out, " %s state %d", n->is_or ? "or" : "and", n->partner);
    if (n->every != NODE_NONE)
        buf_printf(out, ", every from state %d", n->every);
    if (n->steps)
        buf_add_str(out, ", filtered");
    if (n->key.is_there)
        buf_printf(out, ", found by key %s == state %d %s", n->schema->attributes[n->key.own_at].name,
                   n->key.of_node, plan->nodes[n->key.of_node].schema->attributes[n->key.of_at].name);
}

static void pattern_explain(const struct op_plan *plan, struct buf *out)
{
    const struct pattern_plan *p = (const struct pattern_plan *)plan;
    buf_printf(out, " %s of %d elements", p->is_sequence ? "sequence" : "pattern", p->element_count);
    if (p->within_ms >= 0)
        buf_printf(out, ", within %lld ms", (long long)p->within_ms);
    buf_printf(out, ", at most %d partial matches", LIMIT_PATTERN_WAITS);
    for (int i = 0; i < p->node_count; i++)
        explain_node(p, &p->nodes[i], out);
}

static void pattern_save_shared(const struct op_plan *plan, const void *shared, struct writer *w)
{
    const struct pattern_shared *flags = shared;
    const struct pattern_plan *p = (const struct pattern_plan *)(const void *)plan;
    for (int i = 0; i < p->node_count; i++)
        write_u8(w, flags->emit[i]);
}

static int pattern_load_shared(const struct op_plan *plan, void *shared, struct reader *r)
{
    struct pattern_shared *flags = shared;
    const struct pattern_plan *p = (const struct pattern_plan *)(const void *)plan;
    for (int i = 0; i < p->node_count; i++)
        flags->emit[i] = read_u8(r) != 0;
    return r->failed ? ERR_STATE : 0;
}

const struct op_type op_pattern = {
    .name = "states",
    .size = sizeof(struct pattern),
    .shared_size = sizeof(struct pattern_shared),
    .open = pattern_open,
    .start = pattern_start,
    .push = pattern_push,
    .save = pattern_save,
    .load = pattern_load,
    .save_shared = pattern_save_shared,
    .load_shared = pattern_load_shared,
    .close = pattern_close,
    .explain = pattern_explain,
};
