/* pattern.h - patterns and sequences at work (spec 06). Plans: made by plan_pattern.c. Machine: pattern.c; its
 * transitions: pattern_node.c, on the lists of pattern_lists.c; what comes out: pattern_emit.c; its timers:
 * pattern_absent.c, pattern_dues.c; its state as bytes: pattern_state.c, pattern_places.c; what it holds:
 * partial.h.
 *
 * One op_pattern for each running copy of the query holds all state. An op_pattern_input stands before it for
 * each stream it reads, an op_pattern_timer beside it for each absent element that waits for a time: they
 * hold nothing. What is complete goes to the selector, one match a batch, its rows in the frame below.
 *
 * Frame of a query (event.rows): one row for each node by number (of a counted element the first); then
 * PATTERN_EXTRA_CURRENT, the event a filter looks at; PATTERN_EXTRA_NOTHING, always NULL; then one for each
 * other view that some expression asked for: e1[2], e1[last], or the whole list of a counted element, where a
 * struct chain pointer stands in place of the row (only its own node of expression reads it). */
#ifndef WEIR_RUN_PATTERN_H
#define WEIR_RUN_PATTERN_H

#include "engine/data/segments.h"
#include "engine/plan/plan.h"
#include "engine/run/partial.h"

enum node_kind { NODE_PLAIN, NODE_COUNT, NODE_LOGICAL, NODE_ABSENT, NODE_LOGICAL_ABSENT };
enum { NODE_NONE = -1, NODE_NO_WAIT = -1, PATTERN_NODES_MAX = 1000 };

enum { PATTERN_EXTRA_CURRENT, PATTERN_EXTRA_NOTHING, PATTERN_EXTRA_VIEWS };
enum view_kind { VIEW_AT, VIEW_LAST, VIEW_LIST };
struct pattern_view {
    uint16_t node;
    enum view_kind kind;
    uint32_t index; /* from the first, or back from the last */
};

/* A handler of an element: a condition, or a stream function (its output columns are null in patterns: spec
 * 06 section 2). */
struct pattern_step {
    struct pattern_step *next;
    struct expr *condition;         /* or NULL */
    const struct op_plan *function; /* ends in an op_pattern_tap */
};

/* 'own == of': attribute own_at of the event that comes, attribute of_at of an event the partial match has
 * had all along. */
struct pattern_key {
    bool is_there;
    uint16_t own_at, of_at, of_node;
    uint32_t of_index;
    enum type own_type, of_type;
};

struct pattern_node_plan {
    enum node_kind kind;
    uint16_t number; /* its slot */
    bool is_or;      /* logical: 'or' */
    bool is_start, is_last;
    /* Numbers of nodes, or NODE_NONE: the links of spec 06 section 4. */
    int16_t next, every, in_every, look, partner, callback;
    int32_t min, max; /* counted; max INT32_MAX: no bound */
    int64_t wait_ms;  /* absent; NODE_NO_WAIT: no 'for' */
    const struct plan_element *element;
    const struct schema *schema; /* with the columns of its functions */
    const char *id, *ref;        /* ref or NULL */
    struct pattern_step *steps;
    struct agg_layout *aggs; /* of its conditions */
    uint16_t *uses;          /* frame rows its conditions look at */
    int use_count;
    struct pattern_key key;
    int16_t watchers[3]; /* keyed nodes for which a wait is stale once this slot is filled */
    int watcher_count;
    const struct op_plan *timer; /* absent with wait_ms */
};
struct pattern_element_plan {
    int16_t first, last; /* the same, or of a logical element its left and its right node */
};

struct pattern_input_plan {
    struct op_plan op; /* op_pattern_input */
    const struct pattern_plan *pattern;
    uint16_t *nodes; /* those that listen to the stream, by number */
    int node_count;
    bool is_gathered; /* several nodes: what leaves goes on as one chunk for each (pattern_emit.c) */
    bool is_heard;    /* what its nodes return is emitted (spec 06 section 4 step 3) */
};
struct pattern_gather_plan {
    struct op_plan op; /* op_pattern_gather */
    const struct pattern_plan *pattern;
    bool is_linked;  /* rows of the selector itself, ungrouped */
    bool is_limited; /* a rate limit stands before it */
};
struct pattern_watch_plan {
    struct op_plan op; /* op_pattern_watch: between the selector and a rate limit */
    const struct op_plan *gather;
};
struct pattern_timer_plan {
    struct op_plan op; /* op_pattern_timer */
    const struct pattern_plan *pattern;
    uint16_t node;
};

struct pattern_plan {
    struct op_plan op; /* op_pattern */
    bool is_sequence;
    int64_t within_ms; /* -1: none */
    struct pattern_node_plan *nodes;
    uint16_t node_count;
    bool *is_chain; /* by slot: counted */
    struct pattern_element_plan *elements;
    int element_count;
    uint16_t *resets; /* sequence: nodes that are reset and promoted before each event */
    int reset_count;
    uint16_t starts[2]; /* nodes of the first element */
    int start_count;
    struct pattern_view *views; /* frame row node_count + PATTERN_EXTRA_VIEWS + i */
    int view_count;
    const struct op_plan *gather; /* or NULL: no stream feeds several nodes */
};
static inline int pattern_frame_count(const struct pattern_plan *p)
{
    return p->node_count + PATTERN_EXTRA_VIEWS + p->view_count;
}

extern const struct op_type op_pattern, op_pattern_input, op_pattern_timer, op_pattern_tap, op_pattern_gather,
    op_pattern_watch;

/* What a running pattern holds, and what its bounds made of it. Bounds (limits.h): LIMIT_PATTERN_WAITS waits,
 * the oldest of the longest list go; LIMIT_PATTERN_CHAIN events of one counted element, the partial match
 * goes; LIMIT_PATTERN_WAITS timers under way at one node, those asked for beyond are not set, and what waits
 * fires with the next timer after its time. 'within' ends them earlier. */
struct pattern_stats {
    uint64_t waits;   /* partial matches, by the elements they wait for */
    uint64_t dropped; /* partial matches that were dropped by a bound, since the start of the app; and those
                         noted in the state it was loaded from */
};
/* Of all copies of the op_pattern together. shared: what op_shared has for it; NULL: no copy was made yet. On
 * the app's worker. */
struct pattern_stats pattern_stats(const void *shared);

/* The value of a whole-list view: expr.slot is the frame row, expr.index the attribute. */
struct value pattern_list_eval(const struct expr *e, struct frame *f);
/* 'e1[k] is null': null when the frame row at expr.slot is missing, else true. */
struct value pattern_presence_eval(const struct expr *e, struct frame *f);

/* ---- the instance: private to pattern*.c ---- */

struct due_item {
    int64_t due_ms;
    uint64_t order; /* among all requests of the pattern */
};
struct pattern_node {
    const struct pattern_node_plan *plan;
    struct wait_list pending, fresh;
    struct wait_index index; /* of pending, when plan->key is there */
    struct wait_heap heap;   /* of fresh, in a pattern with 'within' */
    char *agg;
    struct row *dummy; /* stored when the time of an absent operand has passed; made when first needed */
    bool is_inited, is_changed, restart, is_active;
    /* absent: */
    int64_t due_ms, last_arrival_ms;
    struct due_item *dues; /* ring of timer requests under way, oldest first */
    uint32_t due_head, due_count, due_cap;
    uint64_t dues_taken; /* so many have left the ring */
    struct pieces *dues_saved;
    /* pending is in order of ts_ms and of first event: a timer need not look behind the first that is not due
     */
    bool is_ordered;
    int64_t tail_ts_ms, tail_start_ms;
    uint64_t fresh_order; /* while it is loaded: of the first wait that is fresh */
};
/* What all keys of a partition have in common. */
struct pattern_shared {
    struct pattern_stats stats; /* the sum over the copies, kept along */
    /* The flag that a node's partial is complete, by number of the node: one for all keys, as the language
     * has it. A flag that nobody looked at stays raised, and the next node that looks takes it for its own,
     * of whatever key (spec 06 section 9, Q2). */
    bool emit[PATTERN_NODES_MAX];
};
/* The partials that stand in checkpoints one by one. */
struct pattern_places {
    bool is_on;
    struct partial **list; /* by place; NULL: a hole */
    uint32_t *holes;
    uint32_t count, cap, hole_count, hole_cap;
    struct segments *saved;
};
struct pattern {
    struct op op;
    struct pattern_shared *shared; /* op_shared */
    struct pattern_node *nodes;    /* by number */
    struct row **frame;            /* of the filter being asked */
    bool is_started;
    bool is_irregular; /* a partial got a first event while it waited: heaps don't know, lists are scanned */
    bool is_tapped;    /* the stream function let the event through */
    int64_t newest_ms; /* the latest time of any event */
    uint64_t due_order;
    uint32_t wait_count; /* over all lists */
    uint64_t wait_order; /* of the next wait */
    uint32_t link_count; /* partials with one behind them: keys don't answer then, lists are scanned */
    uint64_t dropped;    /* by the limits */
    uint64_t late;       /* timers not set, likewise */
    uint64_t told;       /* the log speaks again when so many were dropped */
    struct pattern_places places;
};
static inline const struct pattern_plan *pattern_plan_of(const struct pattern *m)
{
    return (const struct pattern_plan *)m->op.plan;
}
static inline struct pattern_node *pattern_node_at(struct pattern *m, int number)
{
    KNOWN(m->nodes);
    return number == NODE_NONE ? NULL : &m->nodes[number];
}
static inline bool *node_emit(struct pattern *m, int number)
{
    return &m->shared->emit[number];
}
static inline void pattern_count(struct pattern *m, int waits)
{
    m->wait_count += (uint32_t)waits;
    m->shared->stats.waits += (uint64_t)(int64_t)waits;
}
static inline void pattern_dropped(struct pattern *m)
{
    m->dropped++;
    m->shared->stats.dropped++;
}
/* p changed, or where it waits; what a checkpoint has of it is old. */
static inline void partial_touch(struct pattern *m, const struct partial *p)
{
    if (UNLIKELY(p->place))
        segments_touch(m->places.saved, p->place - 1);
}
static inline void partial_set_time(struct pattern *m, struct partial *p, int64_t at_ms)
{
    p->ts_ms = at_ms;
    partial_touch(m, p);
}
static inline bool node_is_absent(const struct pattern_node *n)
{
    return n->plan->kind == NODE_ABSENT || n->plan->kind == NODE_LOGICAL_ABSENT;
}

static inline bool slot_is_filled(const struct partial *p, int number)
{
    return p->slots[number].row != NULL; /* chains are never empty: one test for both */
}

static inline int64_t slot_first_ms(const struct pattern_plan *plan, const struct partial *p, int number)
{
    return plan->is_chain[number] ? p->slots[number].chain->rows[0]->at_ms : p->slots[number].row->at_ms;
}

/* pattern_emit.c */
void partial_unref(struct pattern *m, struct partial *p);
void partial_link(struct pattern *m, struct partial *p,
                  struct partial *next); /* next or NULL: behind p from now on */
void chunk_add(struct pattern *m, struct partial_chunk *c, struct partial *p); /* with all that is behind p */
struct partial *chunk_take(struct pattern *m,
                           struct partial_chunk *c);         /* the first, the caller's; NULL: empty */
void chunk_drop(struct pattern *m, struct partial_chunk *c); /* links stay */
/* Each by itself through the selector, unless rc is an error already; the chunk is empty then. Returns rc or
 * the first error. */
int chunk_emit(struct pattern *m, struct partial_chunk *c, int rc);
int pattern_emit_one(struct pattern *m, struct partial *p);
/* The same for a stream that feeds several nodes: begin, one gather_chunk for each event and node, end hands
 * on. */
void gather_begin(struct pattern *m);
int gather_chunk(struct pattern *m, struct partial_chunk *c, int rc);
int gather_end(struct pattern *m, int rc);
void gather_watch(const struct op *select, const struct op_plan *gather,
                  struct row *row); /* as select_plan.watch */

/* pattern.c */
/* The row that frame row `at` shows of p. */
struct row *pattern_frame_row(const struct pattern_plan *plan, const struct partial *p, int at);
/* Drops the oldest waits over LIMIT_PATTERN_WAITS. Not while a list is walked. */
void pattern_limit(struct pattern *m);

/* pattern_lists.c */
/* The earliest of p's first events; false: it has none. */
bool partial_start(const struct pattern_plan *plan, const struct partial *p, int64_t *start_ms);
/* Equal keys give equal hashes; int and long are one type here, and so are both zeros. */
uint32_t pattern_key_hash(struct value v);
void node_remove(struct pattern *m, struct pattern_node *n, struct wait *w);       /* from pending */
void node_remove_fresh(struct pattern *m, struct pattern_node *n, struct wait *w); /* not from the heap */
/* The oldest, all: of fresh, or of pending of a node without a key. */
void node_drop(struct pattern *m, struct wait_list *l);
void node_clear(struct pattern *m, struct wait_list *l);
void node_fresh(struct pattern *m, struct pattern_node *n, struct partial *p); /* behind fresh */
/* A new wait at n, behind l, which is to be pending. */
void node_wait(struct pattern *m, struct pattern_node *n, struct wait_list *l, struct partial *p);
/* Behind pending, which keeps its index; from is empty then. */
void node_pend(struct pattern *m, struct pattern_node *n, struct wait_list *from);
/* The slot of n in p is filled for good: p has become stale for the watchers. */
void node_filled(struct pattern *m, struct pattern_node *n, struct partial *p);
void node_heap_rebuild(struct pattern *m, struct pattern_node *n);
/* The waits of l stand in another order than they came. */
void node_renumber(struct pattern *m, struct wait_list *l);
/* What is stored beside p already makes n drop it at its next event. */
bool node_is_stale(const struct pattern *m, const struct pattern_node *n, const struct partial *p);

/* pattern_node.c: what spec 06 section 4 calls init, add, addEvery, promote, reset, expire, process */
void node_init(struct pattern *m, struct pattern_node *n);
void node_add(struct pattern *m, struct pattern_node *n, struct partial *p);
void node_add_every(struct pattern *m, struct pattern_node *n, const struct partial *p);
void node_promote(struct pattern *m, struct pattern_node *n);
void node_reset(struct pattern *m, struct pattern_node *n);
bool node_is_expired(const struct pattern *m, const struct partial *p, int64_t at_ms);
void node_expire(struct pattern *m, struct pattern_node *n, int64_t at_ms, bool scan);
int node_process(struct pattern *m, struct pattern_node *n, struct row *row, struct partial_chunk *out);

/* pattern_absent.c */
int node_timer(struct pattern *m, struct pattern_node *n, int64_t due_ms);
bool node_can_proceed(struct pattern *m, struct pattern_node *absent, const struct partial *p);

/* pattern_places.c */
void places_add(struct pattern *m,
                struct partial *p); /* and what is behind it; where there is no place yet */
void places_remove(struct pattern *m, struct partial *p); /* it has one, and ends */
void places_end(struct pattern *m);
/* Whether this checkpoint has partials by their places: there are many, and no counted elements (their chains
 * grow, and would be written whole each time). Turns them on, or ends them. */
bool places_wanted(struct pattern *m, const struct writer *w);
void places_save(struct pattern *m, struct writer *w);
/* The partials, and the lists they wait in. Sets r->failed. */
void places_load(struct pattern *m, struct reader *r);

/* pattern_dues.c */
void node_schedule(struct pattern *m, struct pattern_node *n, int64_t due_ms); /* requests its timer */
void node_answered(struct pattern_node *n, int64_t due_ms); /* the oldest request for due_ms was */
void node_forget_dues(struct pattern_node *n);              /* all */
void pattern_save_dues(const struct pattern *m, struct writer *w);
/* They are requested again, in the order they were. Sets r->failed. */
void pattern_load_dues(struct pattern *m, struct reader *r);

/* pattern_state.c */
/* In a load: whether next may stand behind p without making a circle. */
bool partial_may_link(const struct partial *p, const struct partial *next);
void pattern_save(const struct op *op, struct writer *w);
int pattern_load(struct op *op, struct reader *r);

#endif
