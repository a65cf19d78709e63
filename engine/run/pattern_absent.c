/* pattern_absent.c - 'not S for T': what happens when nothing came (spec 06 section 8).
 *
 * Each partial match that comes to wait for an absence asks for a timer of its own, due T after its newest
 * event; a first element asks at the start, too. A timer looks at all that wait at its node, for what it was
 * asked for may be gone and others may be due: in order of time, so that it stops at the first that is not
 * due yet; where an order could not be kept (is_ordered), at every one.
 *
 * Laws: (1) dues holds each request under way, in the order they were made: what a restart asks for again.
 * (2) What is due leaves pending before any of it is emitted, for what is emitted may come back as an event.
 */
#include "engine/base/limits.h"
#include "engine/run/app.h"
#include "engine/run/pattern.h"

bool node_can_proceed(struct pattern *m, struct pattern_node *absent, const struct partial *p)
{
    const struct pattern_node_plan *plan = absent->plan;
    bool is_filled = p->slots[plan->number].row != NULL;
    if (pattern_plan_of(m)->is_sequence && plan->every == NODE_NONE && absent->last_arrival_ms > 0)
        return false;
    if (plan->wait_ms != NODE_NO_WAIT)
        return is_filled;
    if (plan->every == NODE_NONE)
        return !is_filled;
    if (absent->last_arrival_ms == 0)
        return true;
    absent->last_arrival_ms = 0;
    node_init(m, absent);
    return false;
}

/* p waited long enough: it is complete, or goes on. */
static int fire(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    const struct pattern_node_plan *plan = n->plan;
    int rc = 0;
    if (plan->is_last)
        rc = pattern_emit_one(m, p);
    if (plan->next != NODE_NONE)
        node_add(m, &m->nodes[plan->next], p);
    if (plan->every != NODE_NONE) {
        node_add_every(m, &m->nodes[plan->every], p);
    } else if (plan->is_start) {
        n->is_active = false;
        struct pattern_node *partner = pattern_node_at(m, plan->partner);
        if (plan->is_or && partner && node_is_absent(partner))
            partner->is_active = false;
    }
    if (plan->callback != NODE_NONE)
        m->nodes[plan->callback].restart = true;
    return rc;
}

/* Those collected, oldest first; an operand's get the time of the timer only now. */
static int fire_all(struct pattern *m, struct pattern_node *n, struct partial_chunk *due, int64_t at_ms)
{
    struct partial *p;
    int rc = 0;
    while ((p = chunk_take(m, due)) != NULL) {
        if (n->plan->kind == NODE_LOGICAL_ABSENT)
            partial_set_time(m, p, at_ms);
        if (rc == 0)
            rc = fire(m, n, p);
        partial_unref(m, p);
    }
    return rc;
}

/* A first element may begin anew at its timer. */
static void rearm(struct pattern *m, struct pattern_node *n, bool may_begin)
{
    bool sequence = pattern_plan_of(m)->is_sequence;
    if (may_begin && n->plan->is_start && !n->fresh.first && !n->pending.first) {
        struct partial *p = partial_new(pattern_plan_of(m)->node_count);
        node_add(m, n, p);
        partial_unref(m, p);
    } else if (sequence && n->fresh.first) {
        node_reset(m, n);
    }
}

static bool may_stop(const struct pattern *m, const struct pattern_node *n, int64_t at_ms)
{
    int64_t within_ms = pattern_plan_of(m)->within_ms;
    return n->is_ordered && (within_ms < 0 || m->newest_ms - at_ms <= within_ms);
}

static int absent_timer(struct pattern *m, struct pattern_node *n, int64_t at_ms)
{
    const struct pattern_node_plan *plan = n->plan;
    bool sequence = pattern_plan_of(m)->is_sequence;
    struct partial_chunk due = {0};
    rearm(m, n, !(sequence && plan->every == NODE_NONE && n->due_ms > 0));
    node_promote(m, n);
    struct wait *next;
    for (struct wait *w = n->pending.first; w; w = next) {
        struct partial *p = w->partial;
        next = w->next;
        if (node_is_expired(m, p, at_ms)) {
            if (plan->in_every != NODE_NONE && plan->every != NODE_NONE && plan->every != plan->number)
                node_add_every(m, &m->nodes[plan->every], p);
            node_remove(m, n, w);
        } else if (at_ms >= (p->ts_ms == PARTIAL_NEW_MS ? n->due_ms : p->ts_ms + plan->wait_ms)) {
            partial_set_time(m, p, at_ms);
            chunk_add(m, &due, p);
            node_remove(m, n, w);
        } else if (may_stop(m, n, at_ms)) {
            break;
        }
    }
    if (plan->in_every != NODE_NONE)
        node_promote(m, &m->nodes[plan->in_every]);
    bool nothing = !due.first;
    int rc = fire_all(m, n, &due, at_ms);
    if (op_now(&m->op) > plan->wait_ms + at_ms)
        n->due_ms = op_now(&m->op) + plan->wait_ms;
    if (nothing && n->due_ms < at_ms) {
        n->due_ms = at_ms + plan->wait_ms;
        node_schedule(m, n, n->due_ms);
    }
    return rc;
}

/* The event that stands for 'nothing came': all null, without a time. */
static void fill_dummy(struct pattern *m, struct pattern_node *n, struct partial *p)
{
    union slot *slot = &p->slots[n->plan->number];
    if (!n->dummy)
        n->dummy = row_new(n->plan->schema->count, PARTIAL_NEW_MS);
    if (slot->row)
        return;
    slot->row = row_ref(n->dummy);
    partial_touch(m, p);
    if (n->plan->is_start)
        m->is_irregular = true;
    node_filled(m, n, p);
}

/* An absent operand's time has passed for the partial of w. */
static void operand_due(struct pattern *m, struct pattern_node *n, struct wait *w, struct partial_chunk *due)
{
    const struct pattern_node_plan *plan = n->plan;
    struct partial *p = w->partial;
    bool partner_filled = p->slots[plan->partner].row != NULL;
    if (partner_filled ? !plan->is_or : plan->is_or)
        chunk_add(m, due, p);
    if (!partner_filled)
        fill_dummy(m, n, p);
    node_remove(m, n, w);
}

static int operands_due(struct pattern *m, struct pattern_node *n, int64_t at_ms, bool *nothing)
{
    const struct pattern_node_plan *plan = n->plan;
    struct partial_chunk due = {0};
    struct partial *expired = NULL;
    struct wait *next;
    rearm(m, n, pattern_plan_of(m)->is_sequence);
    node_promote(m, n);
    for (struct wait *w = n->pending.first; w; w = next) {
        struct partial *p = w->partial;
        const struct row *own = p->slots[plan->number].row;
        next = w->next;
        if (node_is_expired(m, p, at_ms)) {
            p->refs++;
            if (expired)
                partial_unref(m, expired);
            expired = p;
            node_remove(m, n, w);
        } else if (at_ms >= (own ? own->at_ms : p->ts_ms) + plan->wait_ms) {
            operand_due(m, n, w, &due);
        } else if (may_stop(m, n, at_ms)) {
            break;
        }
    }
    if (expired && plan->in_every != NODE_NONE) {
        node_add_every(m, &m->nodes[plan->in_every], expired);
        node_promote(m, &m->nodes[plan->in_every]);
    }
    if (expired)
        partial_unref(m, expired);
    *nothing = !due.first;
    int rc = fire_all(m, n, &due, at_ms);
    n->last_arrival_ms = 0;
    return rc;
}

static int operand_timer(struct pattern *m, struct pattern_node *n, int64_t at_ms)
{
    const struct pattern_node_plan *plan = n->plan;
    bool nothing = true;
    int rc = 0;
    if (at_ms >= n->last_arrival_ms + plan->wait_ms)
        rc = operands_due(m, n, at_ms, &nothing);
    if (plan->every != NODE_NONE || (nothing && plan->is_start))
        node_schedule(m, n, (n->last_arrival_ms == 0 ? op_now(&m->op) : n->last_arrival_ms) + plan->wait_ms);
    return rc;
}

int node_timer(struct pattern *m, struct pattern_node *n, int64_t due_ms)
{
    node_answered(n, due_ms);
    if (!n->is_active)
        return 0;
    int rc = n->plan->kind == NODE_ABSENT ? absent_timer(m, n, due_ms) : operand_timer(m, n, due_ms);
    /* Its own timer may not have been set. */
    if (UNLIKELY(m->late > 0) && n->due_count == 0 && n->pending.first)
        node_schedule(m, n, n->pending.first->partial->ts_ms + n->plan->wait_ms);
    return rc;
}
