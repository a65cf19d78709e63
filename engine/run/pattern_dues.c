/* pattern_dues.c - the timers that the absent elements of a pattern have requested (pattern.h).
 *
 * Law: dues holds each request under way, in the order they were made: what a restart asks for again. They come
 * at the back and leave at the front, nearly always: in a checkpoint many of them are pieces
 * (engine/window/pieces.h).
 *
 *   request = time, place in the order of all requests of the pattern; each as the difference to the one
 *             before it in its piece */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/pattern.h"
#include "engine/window/pieces.h"

enum { DUES = 4 };
enum { DUES_WHOLE, DUES_PIECES };

static struct due_item *due_at(const struct pattern_node *n, uint32_t i)
{
    return &n->dues[(n->due_head + i) & (n->due_cap - 1)];
}

static void due_add(struct pattern_node *n, int64_t due_ms, uint64_t order)
{
    if (n->due_count == n->due_cap) {
        uint32_t wider = n->due_cap ? n->due_cap * 2 : DUES;
        struct due_item *dues = mem_array(wider, sizeof(*dues));
        for (uint32_t i = 0; i < n->due_count; i++)
            dues[i] = *due_at(n, i);
        mem_free(n->dues);
        n->dues = dues;
        n->due_head = 0;
        n->due_cap = wider;
    }
    n->due_count++;
    *due_at(n, n->due_count - 1) = (struct due_item){due_ms, order};
}

/* It is nearly always the first. */
void node_answered(struct pattern_node *n, int64_t due_ms)
{
    uint32_t at = 0;
    while (at < n->due_count && due_at(n, at)->due_ms != due_ms)
        at++;
    if (at == n->due_count)
        return;
    if (at > 0)
        pieces_forget(n->dues_saved);
    for (; at > 0; at--)
        *due_at(n, at) = *due_at(n, at - 1);
    n->due_head = (n->due_head + 1) & (n->due_cap - 1);
    n->due_count--;
    n->dues_taken++;
}

void node_schedule(struct pattern *m, struct pattern_node *n, int64_t due_ms)
{
    if (UNLIKELY(n->due_count >= LIMIT_PATTERN_WAITS)) {
        m->late++;
        return;
    }
    due_add(n, due_ms, m->due_order++);
    timer_request(m->op.query->ops[n->plan->timer->index], due_ms);
}

void node_forget_dues(struct pattern_node *n)
{
    pieces_end(&n->dues_saved);
    n->due_count = 0;
}

/* ---- state ---- */

struct dues_pass { /* being written or read */
    struct pattern_node *node;
    struct due_item before;
};

static void write_due(void *user, struct writer *w, uint32_t i, bool begins)
{
    struct dues_pass *d = user;
    const struct due_item *x = due_at(d->node, i);
    if (begins)
        d->before = (struct due_item){0};
    write_step(w, (uint64_t)x->due_ms, (uint64_t)d->before.due_ms);
    write_step(w, x->order, d->before.order);
    d->before = *x;
}

static bool read_due(void *user, struct reader *r, bool begins, bool is_held)
{
    struct dues_pass *d = user;
    const struct pattern_node *n = d->node;
    if (begins)
        d->before = (struct due_item){0};
    d->before.due_ms = (int64_t)read_step(r, (uint64_t)d->before.due_ms);
    d->before.order = read_step(r, d->before.order);
    bool rises = n->due_count == 0 || due_at(n, n->due_count - 1)->order < d->before.order;
    if (r->failed || (is_held && (!rises || n->due_count >= LIMIT_PATTERN_WAITS)))
        return false;
    if (is_held)
        due_add(d->node, d->before.due_ms, d->before.order);
    return true;
}

static void save_dues(struct pattern_node *n, struct writer *w)
{
    struct dues_pass d = {.node = n};
    bool in_pieces = w->state && n->due_count > PIECES_INLINE;
    write_u8(w, in_pieces ? DUES_PIECES : DUES_WHOLE);
    if (in_pieces) {
        pieces_save(&n->dues_saved, w, n->dues_taken, n->due_count,
                    &(struct pieces_owner){.user = &d, .write = write_due});
        return;
    }
    if (w->state)
        pieces_end(&n->dues_saved);
    write_count(w, n->due_count);
    write_held(w, (size_t)n->due_cap * sizeof *n->dues);
    for (uint32_t i = 0; i < n->due_count && !w->tally; i++)
        write_due(&d, w, i, i == 0);
}

void pattern_save_dues(const struct pattern *m, struct writer *w)
{
    for (int i = 0; i < pattern_plan_of(m)->node_count; i++)
        if (m->nodes[i].plan->timer)
            save_dues(&m->nodes[i], w);
}

static void load_dues(struct pattern_node *n, struct reader *r)
{
    struct dues_pass d = {.node = n};
    uint8_t how = read_u8(r);
    if (how == DUES_PIECES) {
        if (pieces_load(&n->dues_saved, r, &n->dues_taken,
                        &(struct pieces_owner){.user = &d, .read = read_due}) < 0)
            r->failed = true;
        return;
    }
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++)
        if (!read_due(&d, r, i == 0, true))
            r->failed = true;
    if (how != DUES_WHOLE)
        r->failed = true;
}

/* Merged. */
static void request_all(struct pattern *m)
{
    int count = pattern_plan_of(m)->node_count;
    uint32_t *at = mem_array((size_t)count, sizeof(*at));
    for (;;) {
        const struct due_item *first = NULL;
        int node = 0;
        for (int i = 0; i < count; i++) {
            const struct pattern_node *n = &m->nodes[i];
            const struct due_item *d = at[i] < n->due_count ? due_at(n, at[i]) : NULL;
            if (!d || (first && first->order < d->order))
                continue;
            first = d;
            node = i;
        }
        if (!first)
            break;
        at[node]++;
        m->due_order = first->order + 1;
        KNOWN(m->nodes[node].plan->timer);
        timer_request(m->op.query->ops[m->nodes[node].plan->timer->index], first->due_ms);
    }
    mem_free(at);
}

void pattern_load_dues(struct pattern *m, struct reader *r)
{
    for (int i = 0; i < pattern_plan_of(m)->node_count && !r->failed; i++)
        if (m->nodes[i].plan->timer)
            load_dues(&m->nodes[i], r);
    if (!r->failed)
        request_all(m);
}
