/* pattern_emit.c - complete partial matches on their way out (pattern.h).
 *
 * What a node returns is a chunk: a list whose links stand in the partials themselves (partial.next), as the
 * language has it, and this can be seen. A partial that was returned but still waits somewhere ('look' of
 * spec 06 section 4, counted elements) keeps the link to the one that stood behind it; when it comes up
 * again, the whole tail comes with it: conditions are asked for each and take out those that fail, the first
 * that is left moves on, and all of the tail are put out again with what they hold by then.
 *
 * A stream that feeds one node: each returned partial goes through selector, rate limit and output by itself,
 * after the whole batch. A stream that feeds several: each goes through selector and rate limit by itself,
 * and what comes out stops at op_pattern_gather. After the whole batch, all that came from one event at one
 * node goes on as one chunk, node after node.
 *
 * Laws
 * (1) Links make no circle: the only new link of a chunk leads to what is added, and chunk_add cuts a
 *     circle through it.
 * (2) A row stands for its partial until it is handed on: when the partial is selected again before that,
 *     all its places show the newer row, time and kind, also when 'having' or a rate limit does not let
 *     the newer row out. Grouped rows and rows behind a rate limit are not linked. */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/pattern.h"
#include "engine/run/select.h"

void partial_unref(struct pattern *m, struct partial *p)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    while (p && --p->refs == 0) {
        struct partial *next = p->next;
        m->link_count -= next != NULL;
        if (p->place)
            places_remove(m, p);
        partial_free(p, plan->is_chain, plan->node_count);
        p = next;
    }
}

/* ---- chunks ---- */

void partial_link(struct pattern *m, struct partial *p, struct partial *next)
{
    struct partial *before = p->next;
    if (next)
        next->refs++;
    p->next = next;
    if (p->place) {
        partial_touch(m, p);
        places_add(m, next);
    }
    m->link_count += (next != NULL);
    m->link_count -= (before != NULL);
    if (before)
        partial_unref(m, before);
}

/* The last one behind p. A tail that comes back to p is cut there; one that is too long ends. */
static struct partial *chunk_tail(struct pattern *m, struct partial *p)
{
    struct partial *tail = p;
    for (int i = 0; tail->next && tail->next != p && i < LIMIT_PATTERN_LINKS; i++)
        tail = tail->next;
    if (tail->next)
        partial_link(m, tail, NULL);
    return tail;
}

void chunk_add(struct pattern *m, struct partial_chunk *c, struct partial *p)
{
    if (c->first) {
        partial_link(m, c->last, p);
    } else {
        p->refs++;
        c->first = p;
    }
    struct partial *before = c->last;
    c->last = p->next ? chunk_tail(m, p) : p;
    c->last->refs++;
    if (before)
        partial_unref(m, before);
}

/* Takes the first out, its reference goes to the caller; it is behind nothing and before nothing then. NULL:
 * empty. */
struct partial *chunk_take(struct pattern *m, struct partial_chunk *c)
{
    struct partial *p = c->first;
    if (!p) {
        if (c->last)
            partial_unref(m, c->last);
        c->last = NULL;
        return NULL;
    }
    c->first = p->next;
    m->link_count -= p->next != NULL;
    if (p->next)
        partial_touch(m, p);
    p->next = NULL;
    return p;
}

void chunk_drop(struct pattern *m, struct partial_chunk *c)
{
    if (c->first)
        partial_unref(m, c->first);
    if (c->last)
        partial_unref(m, c->last);
    c->first = c->last = NULL;
}

/* ---- to the selector ---- */

static int emit(struct pattern *m, struct partial *p)
{
    const struct pattern_plan *plan = pattern_plan_of(m);
    int count = pattern_frame_count(plan);
    struct row **rows = arena_raw(m->op.env->scratch, (size_t)count * sizeof(*rows));
    for (int i = 0; i < count; i++)
        rows[i] = pattern_frame_row(plan, p, i);
    struct event e = {.rows = rows, .at_ms = p->ts_ms, .kind = p->is_dead ? EVENT_EXPIRED : EVENT_CURRENT};
    struct batch b = {.events = &e, .count = 1, .cap = 1, .scratch = m->op.env->scratch};
    return op_push(m->op.next, &b);
}

/* What was handed on as an expired event is current from then on. */
static void revive(struct pattern *m, struct partial *p)
{
    if (!p->is_dead)
        return;
    p->is_dead = 0;
    partial_touch(m, p);
}

/* As emit, without gathering. */
static int emit_now(struct pattern *m, struct partial *p)
{
    int rc = emit(m, p);
    if (((const struct select_plan *)(const void *)m->op.next->plan)->expired_wanted)
        revive(m, p);
    return rc;
}

int chunk_emit(struct pattern *m, struct partial_chunk *c, int rc)
{
    struct partial *p;
    while ((p = chunk_take(m, c)) != NULL) {
        if (rc == 0)
            rc = emit_now(m, p);
        partial_unref(m, p);
    }
    return rc;
}

int pattern_emit_one(struct pattern *m, struct partial *p)
{
    p->refs++;
    int rc = emit_now(m, p);
    partial_unref(m, p);
    return rc;
}

/* ---- gathering ---- */

enum { OUT_AT_MAX = 0x7FFFFFFF }; /* what partial.out_at holds */

/* One output row. */
struct gathered {
    struct partial *partial; /* ref'd: whose place can be told by out_at */
    struct event event;      /* its row ref'd */
};
/* What came from one event at one node. */
struct gather_part {
    struct partial_chunk chunk; /* linked */
    uint32_t first, count;      /* else: of the rows */
};

struct gather {
    struct op op;
    bool is_on;
    struct partial *selected; /* the one that is being selected */
    struct gather_part part;
    /* In scratch: */
    struct gathered *rows;
    uint32_t row_count, row_cap;
    struct gather_part *parts;
    uint32_t part_count, part_cap;
};

static void *widened(struct arena *scratch, const void *items, uint32_t count, uint32_t *cap, size_t size)
{
    *cap = *cap ? *cap * 2 : 8;
    void *wider = arena_raw(scratch, *cap * size);
    if (count)
        memcpy(wider, items, count * size);
    return wider;
}

static struct gather *gather_of(struct pattern *m)
{
    return (struct gather *)m->op.query->ops[pattern_plan_of(m)->gather->index];
}

static struct pattern *pattern_of(const struct gather *g)
{
    const struct pattern_gather_plan *p = (const struct pattern_gather_plan *)g->op.plan;
    return (struct pattern *)g->op.query->ops[p->pattern->op.index];
}

static int gather_push(struct op *op, const struct batch *in)
{
    struct gather *g = (struct gather *)op;
    const struct pattern_gather_plan *p = (const struct pattern_gather_plan *)op->plan;
    if (!g->is_on)
        return op_next(op, in);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind == EVENT_RESET || e->kind == EVENT_TIMER)
            continue;
        if (g->row_count == g->row_cap)
            g->rows = widened(op->env->scratch, g->rows, g->row_count, &g->row_cap, sizeof(*g->rows));
        g->rows[g->row_count] = (struct gathered){.partial = p->is_limited ? NULL : g->selected, .event = *e};
        row_ref(e->row);
        if (!p->is_limited) {
            g->selected->refs++;
            g->selected->out_at = g->row_count & OUT_AT_MAX;
        }
        g->row_count++;
        if (p->is_linked)
            chunk_add(pattern_of(g), &g->part.chunk, g->selected);
    }
    return 0;
}

/* The partial match that is being selected has a row on its way out: what it shows is the new one. */
void gather_watch(const struct op *select, const struct op_plan *gather, struct row *row)
{
    struct gather *g = (struct gather *)select->query->ops[gather->index];
    const struct partial *p = g->is_on ? g->selected : NULL;
    if (!p || p->out_at >= g->row_count || g->rows[p->out_at].partial != p)
        return;
    struct event *e = &g->rows[p->out_at].event;
    row_ref(row);
    row_unref(e->row);
    e->row = row;
}

static int watch_push(struct op *op, const struct batch *in)
{
    const struct op_plan *gather = ((const struct pattern_watch_plan *)op->plan)->gather;
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->events[i].kind == EVENT_CURRENT || in->events[i].kind == EVENT_EXPIRED)
            gather_watch(op, gather, in->events[i].row);
    }
    return op_next(op, in);
}

const struct op_type op_pattern_watch = {.name = "watch", .size = sizeof(struct op), .push = watch_push};

void gather_begin(struct pattern *m)
{
    struct gather *g = gather_of(m);
    g->rows = NULL;
    g->parts = NULL;
    g->row_count = g->row_cap = g->part_count = g->part_cap = 0;
}

int gather_chunk(struct pattern *m, struct partial_chunk *c, int rc)
{
    struct gather *g = gather_of(m);
    struct partial *p;
    g->part = (struct gather_part){.first = g->row_count};
    g->is_on = true;
    while ((p = chunk_take(m, c)) != NULL) {
        g->selected = p;
        if (rc == 0)
            rc = emit(m, p);
        partial_unref(m, p);
    }
    g->is_on = false;
    g->part.count = g->row_count - g->part.first;
    if (g->part.count == 0)
        return rc;
    if (g->part_count == g->part_cap)
        g->parts = widened(m->op.env->scratch, g->parts, g->part_count, &g->part_cap, sizeof(*g->parts));
    g->parts[g->part_count++] = g->part;
    return rc;
}

/* The newest row of p, if it has one in this push. What was handed on as an expired event is current from
 * then on. */
static void add_newest(const struct gather *g, struct pattern *m, struct batch *out, struct partial *p)
{
    if (p->out_at >= g->row_count || g->rows[p->out_at].partial != p)
        return;
    const struct event *e = &g->rows[p->out_at].event;
    batch_add(out, e->row, p->ts_ms, p->is_dead ? EVENT_EXPIRED : EVENT_CURRENT)->group = e->group;
    revive(m, p);
}

static int part_push(struct pattern *m, struct gather *g, const struct gather_part *part)
{
    const struct pattern_gather_plan *p = (const struct pattern_gather_plan *)g->op.plan;
    struct batch out;
    batch_init(&out, g->op.env->scratch, part->count);
    for (struct partial *x = part->chunk.first; x; x = x->next)
        add_newest(g, m, &out, x);
    for (uint32_t i = 0; i < part->count && !p->is_linked; i++) {
        const struct gathered *row = &g->rows[part->first + i];
        if (row->partial)
            add_newest(g, m, &out, row->partial);
        else
            *batch_add(&out, NULL, 0, EVENT_CURRENT) = row->event;
    }
    out.is_batch = out.count > 1;
    return op_next(&g->op, &out);
}

int gather_end(struct pattern *m, int rc)
{
    /* What is handed on may come back as an event: it finds g empty, and its rows elsewhere. */
    struct gather *g = gather_of(m), own = *g;
    gather_begin(m);
    for (uint32_t i = 0; i < own.part_count; i++) {
        if (rc == 0)
            rc = part_push(m, &own, &own.parts[i]);
        chunk_drop(m, &own.parts[i].chunk);
    }
    for (uint32_t i = 0; i < own.row_count; i++) {
        row_unref(own.rows[i].event.row);
        if (own.rows[i].partial)
            partial_unref(m, own.rows[i].partial);
    }
    return rc;
}

static void gather_explain(const struct op_plan *plan, struct buf *out)
{
    (void)plan;
    buf_add_str(out, " what one event completes at one state");
}

const struct op_type op_pattern_gather = {
    .name = "gather",
    .size = sizeof(struct gather),
    .push = gather_push,
    .explain = gather_explain,
};
