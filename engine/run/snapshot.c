/* snapshot.c - output snapshot every T (spec 05 section 9): at each tick the rows that the query shows at
 * that moment, changed or not.
 *
 * Laws: (1) the selector hands on every row, current and expired, with the number of its key; RESET without
 * 'group by' only; (2) a row that leaves takes with it the first row inside with equal values, most
 * aggregates aside (plan_rate.c), of whatever key, and the newest aggregates are then its; without such a row
 * it changes nothing; (3) an event stamped at or after the pending tick fires it first; the timer then finds
 * nothing to do. */
#include "engine/data/segments.h"
#include "engine/run/ratelimit.h"

enum { INSIDE_FIRST_CAP = 8, ROWS_AHEAD = 8 };
#define NOWHERE UINT32_MAX

struct inside {
    struct row *row;
    uint32_t group;
};
/* What is known of a key. Those in the list have their place in prev and next. */
struct key {
    struct row *row; /* its newest; NULL: none */
    int64_t inside;  /* currents less expireds */
    uint32_t prev, next;
    bool is_listed;
    bool is_expired; /* row left: it is shown as such to the query's callback */
};
struct snapshot {
    struct op op;
    int64_t next_ms;
    bool is_started;
    struct row *latest;  /* the newest row, for its aggregates; or the only one to show */
    struct inside *ring; /* rows inside, oldest first */
    uint32_t ring_cap, head, count;
    struct key *keys; /* by number */
    uint32_t key_cap, first, last;
    uint64_t mark; /* counts ticks: see show_oldest */
    uint64_t *marks;
};

static const struct rate_plan *plan_of(const struct op *op)
{
    return (const struct rate_plan *)(const void *)op->plan;
}

static void snapshot_open(struct op *op)
{
    struct snapshot *s = (struct snapshot *)op;
    s->first = s->last = NOWHERE;
}

static void row_swap(struct row **at, struct row *row)
{
    if (row)
        row_ref(row);
    if (*at)
        row_unref(*at);
    *at = row;
}

/* ---- rows inside ---- */

static struct inside *inside_at(const struct snapshot *s, uint32_t i)
{
    return &s->ring[(s->head + i) & (s->ring_cap - 1)];
}

static void inside_add(struct snapshot *s, struct row *row, uint32_t group)
{
    if (s->count == s->ring_cap) {
        uint32_t cap = s->ring_cap ? s->ring_cap * 2 : INSIDE_FIRST_CAP;
        s->ring = mem_resize(s->ring, cap, sizeof(*s->ring));
        /* The ring is full: what stands before head goes behind the old end. */
        if (s->head)
            memcpy(s->ring + s->ring_cap, s->ring, s->head * sizeof(*s->ring));
        s->ring_cap = cap;
    }
    *inside_at(s, s->count++) = (struct inside){row_ref(row), group};
}

static bool same_row(const struct rate_plan *p, const struct row *a, const struct row *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (p->is_compared[i] && !value_same(row_get(a, i), row_get(b, i)))
            return false;
    }
    return true;
}

static bool inside_remove(struct snapshot *s, const struct row *row)
{
    uint32_t i = 0;
    while (i < s->count && !same_row(plan_of(&s->op), inside_at(s, i)->row, row))
        i++;
    if (i == s->count)
        return false;
    row_unref(inside_at(s, i)->row);
    /* Those before it move up: mostly there are none. */
    for (; i > 0; i--)
        *inside_at(s, i) = *inside_at(s, i - 1);
    s->head = (s->head + 1) & (s->ring_cap - 1);
    s->count--;
    return true;
}

static void inside_clear(struct snapshot *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        row_unref(inside_at(s, i)->row);
    s->count = s->head = 0;
}

/* ---- keys ---- */

static struct key *key_of(struct snapshot *s, uint32_t number)
{
    if (UNLIKELY(number >= s->key_cap)) {
        uint32_t cap = rate_room(s->key_cap, number);
        s->keys = mem_resize(s->keys, cap, sizeof(*s->keys));
        s->marks = mem_resize(s->marks, cap, sizeof(*s->marks));
        memset(s->keys + s->key_cap, 0, (cap - s->key_cap) * sizeof(*s->keys));
        memset(s->marks + s->key_cap, 0, (cap - s->key_cap) * sizeof(*s->marks));
        s->key_cap = cap;
    }
    return &s->keys[number];
}

static void key_list(struct snapshot *s, uint32_t number)
{
    struct key *k = key_of(s, number);
    if (k->is_listed)
        return;
    k->is_listed = true;
    k->prev = s->last;
    k->next = NOWHERE;
    if (s->last == NOWHERE)
        s->first = number;
    else
        s->keys[s->last].next = number;
    s->last = number;
}

static void key_unlist(struct snapshot *s, uint32_t number)
{
    struct key *k = &s->keys[number];
    if (!k->is_listed)
        return;
    k->is_listed = false;
    if (k->prev == NOWHERE)
        s->first = k->next;
    else
        s->keys[k->prev].next = k->next;
    if (k->next == NOWHERE)
        s->last = k->prev;
    else
        s->keys[k->next].prev = k->prev;
}

/* ---- what is shown ---- */

/* row with the aggregates of newest; refs 1 to out. */
static void show_row(const struct snapshot *s, struct row *row, const struct row *newest, struct batch *out)
{
    const struct rate_plan *p = plan_of(&s->op);
    struct row *shown = row_ref(row);
    for (uint32_t i = 0; i < row->count; i++) {
        if (!p->is_agg[i] || value_same(row_get(row, i), row_get(newest, i)))
            continue;
        row_unref(shown);
        shown = row_raw(row->count, row->at_ms);
        for (uint32_t c = 0; c < row->count; c++)
            row_set(shown, c, row_get(p->is_agg[c] ? newest : row, c));
        break;
    }
    batch_add(out, shown, shown->at_ms, EVENT_CURRENT);
}

static void show_latest(struct snapshot *s, struct batch *out)
{
    if (s->latest)
        batch_add(out, row_ref(s->latest), s->latest->at_ms, EVENT_CURRENT);
}

static void show_keys(struct snapshot *s, struct batch *out)
{
    for (uint32_t n = s->first; n != NOWHERE; n = s->keys[n].next) {
        KNOWN(s->keys[n].row);
        batch_add(out, row_ref(s->keys[n].row), s->keys[n].row->at_ms,
                  s->keys[n].is_expired ? EVENT_EXPIRED : EVENT_CURRENT);
    }
}

/* Keys with nothing inside are forgotten here and not before: one that comes again in the meantime keeps its
 * place. */
static void show_inside_keys(struct snapshot *s, struct batch *out)
{
    for (uint32_t n = s->first, next; n != NOWHERE; n = next) {
        struct key *k = &s->keys[n];
        next = k->next;
        if (k->inside > 0)
            continue;
        k->inside = 0;
        row_swap(&k->row, NULL);
        key_unlist(s, n);
    }
    show_keys(s, out);
}

static void show_inside(struct snapshot *s, struct batch *out)
{
    for (uint32_t i = 0; i < s->count; i++)
        show_row(s, inside_at(s, i)->row, s->latest, out);
}

static void show_oldest(struct snapshot *s, struct batch *out)
{
    s->mark++;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct inside *in = inside_at(s, i);
        if (s->marks[in->group] == s->mark)
            continue;
        s->marks[in->group] = s->mark;
        show_row(s, in->row, s->keys[in->group].row, out);
    }
}

/* ---- what comes ---- */

static void take_last(struct snapshot *s, const struct event *e)
{
    if (e->kind == EVENT_CURRENT)
        row_swap(&s->latest, e->row);
}

static void take_last_group(struct snapshot *s, const struct event *e)
{
    if (e->kind != EVENT_CURRENT)
        return;
    row_swap(&key_of(s, e->group)->row, e->row);
    key_list(s, e->group);
}

static void take_inside(struct snapshot *s, const struct event *e)
{
    if (e->kind == EVENT_RESET) {
        inside_clear(s);
        return;
    }
    if (e->kind == EVENT_CURRENT)
        inside_add(s, e->row, 0);
    else if (!inside_remove(s, e->row))
        return;
    row_swap(&s->latest, e->row);
}

static void take_last_inside(struct snapshot *s, const struct event *e)
{
    row_swap(&s->latest, e->kind == EVENT_CURRENT ? e->row : NULL);
}

static void take_oldest_group(struct snapshot *s, const struct event *e)
{
    if (e->kind == EVENT_RESET)
        return;
    if (e->kind == EVENT_CURRENT)
        inside_add(s, e->row, e->group);
    else if (!inside_remove(s, e->row))
        return;
    row_swap(&key_of(s, e->group)->row, e->row);
}

static void take_last_inside_group(struct snapshot *s, const struct event *e)
{
    if (e->kind == EVENT_RESET)
        return;
    struct key *k = key_of(s, e->group);
    k->inside += e->kind == EVENT_CURRENT ? 1 : -1;
    k->is_expired = e->kind == EVENT_EXPIRED;
    row_swap(&k->row, e->row);
    key_list(s, e->group);
}

/* ---- ticks ---- */

static void tick(struct snapshot *s, void (*show)(struct snapshot *s, struct batch *out), struct batch *out)
{
    show(s, out);
    s->next_ms = (int64_t)((uint64_t)s->next_ms + (uint64_t)plan_of(&s->op)->value);
    timer_request(&s->op, s->next_ms);
}

static int emit(struct snapshot *s, struct batch *out)
{
    out->is_batch = out->count > 1;
    int rc = op_next(&s->op, out);
    for (uint32_t i = 0; i < out->count; i++)
        row_unref(out->events[i].row);
    return rc;
}

/* Ticks that events of in make due are handed on together, when all of it was taken in. */
static int snapshot_push(struct snapshot *s, const struct batch *in,
                         void (*take)(struct snapshot *s, const struct event *e),
                         void (*show)(struct snapshot *s, struct batch *out))
{
    struct batch out;
    batch_init(&out, s->op.env->scratch, 0);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind == EVENT_TIMER)
            continue;
        if (UNLIKELY(e->at_ms >= s->next_ms))
            tick(s, show, &out);
        take(s, e);
    }
    return emit(s, &out);
}

static int snapshot_due(struct snapshot *s, int64_t due_ms,
                        void (*show)(struct snapshot *s, struct batch *out))
{
    if (due_ms < s->next_ms)
        return 0;
    struct batch out;
    batch_init(&out, s->op.env->scratch, s->count);
    tick(s, show, &out);
    return emit(s, &out);
}

/* Nothing to show. */
static bool has_no_latest(const struct op *op)
{
    return !((const struct snapshot *)op)->latest;
}
static bool has_no_keys(const struct op *op)
{
    return ((const struct snapshot *)op)->first == NOWHERE;
}
static bool has_none_inside(const struct op *op)
{
    return !((const struct snapshot *)op)->count;
}

static int64_t snapshot_skip(struct op *op, int64_t until_ms)
{
    struct snapshot *s = (struct snapshot *)op;
    return s->next_ms = moment_before(s->next_ms, plan_of(op)->value, until_ms);
}

static int snapshot_start(struct op *op, struct err *e)
{
    struct snapshot *s = (struct snapshot *)op;
    (void)e;
    if (s->is_started)
        return 0;
    s->is_started = true;
    s->next_ms = (int64_t)((uint64_t)op_now(op) + (uint64_t)plan_of(op)->value);
    timer_request(op, s->next_ms);
    return 0;
}

/* ---- state ---- */

/* Rows that are going to be written. */
static void bring_near(const struct snapshot *s, uint32_t i, uint32_t top)
{
    if (i + 2 * ROWS_AHEAD >= top)
        return;
    if (s->keys[i + 2 * ROWS_AHEAD].row)
        segments_near_row(s->keys[i + 2 * ROWS_AHEAD].row, 1);
    if (s->keys[i + ROWS_AHEAD].row)
        segments_near_row(s->keys[i + ROWS_AHEAD].row, 2);
}

static void snapshot_save(const struct op *op, struct writer *w)
{
    const struct snapshot *s = (const struct snapshot *)op;
    uint32_t top = s->key_cap, listed = 0;
    const struct row *before = NULL;
    for (uint32_t n = s->first; n != NOWHERE; n = s->keys[n].next)
        listed++;
    write_u8(w, s->is_started);
    write_i64(w, s->next_ms);
    write_row(w, s->latest);
    write_count(w, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        write_row_behind(w, inside_at(s, i)->row, i ? inside_at(s, i - 1)->row : NULL);
        write_varint(w, inside_at(s, i)->group);
    }
    while (top > 0 && !s->keys[top - 1].row)
        top--;
    write_count(w, top);
    for (uint32_t i = 0; i < top; i++) {
        const struct key *k = &s->keys[i];
        bring_near(s, i, top);
        write_u8(w, (uint8_t)((k->row != NULL) | k->is_expired << 1));
        write_step(w, (uint64_t)k->inside, 0);
        if (!k->row)
            continue;
        write_row_behind(w, k->row, before);
        before = k->row;
    }
    uint32_t expected = 0;
    write_varint(w, listed);
    for (uint32_t n = s->first; n != NOWHERE; expected = n + 1, n = s->keys[n].next)
        write_step(w, n, expected);
}

static void load_keys(struct snapshot *s, struct reader *r)
{
    size_t top = read_count(r, UINT32_MAX / 2);
    const struct row *before = NULL;
    for (size_t i = 0; i < top && !r->failed; i++) {
        struct key *k = key_of(s, (uint32_t)i);
        uint8_t flags = read_u8(r);
        k->inside = (int64_t)read_step(r, 0);
        k->is_expired = flags & 2;
        if (flags & 1)
            before = k->row = read_row_behind(r, before);
    }
    uint64_t listed = read_varint(r);
    int64_t n = -1;
    for (uint64_t i = 0; i < listed && !r->failed; i++) {
        n = (int64_t)read_step(r, (uint64_t)(n + 1));
        if (n < 0 || n >= (int64_t)top || !s->keys[n].row || s->keys[n].is_listed)
            r->failed = true;
        else
            key_list(s, (uint32_t)n);
    }
    for (uint32_t i = 0; i < s->count && !r->failed; i++) {
        uint32_t group = inside_at(s, i)->group;
        bool is_known =
            s->op.type == &op_snapshot_oldest_group ? group < top && s->keys[group].row : s->latest != NULL;
        if (!is_known)
            r->failed = true;
    }
}

static int snapshot_load(struct op *op, struct reader *r)
{
    struct snapshot *s = (struct snapshot *)op;
    s->is_started = read_u8(r);
    s->next_ms = read_i64(r);
    s->latest = read_row(r);
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++) {
        struct row *row = read_row_behind(r, i ? inside_at(s, s->count - 1)->row : NULL);
        if (!row)
            return ERR_STATE;
        uint32_t group = (uint32_t)read_varint(r);
        inside_add(s, row, group);
        row_unref(row);
    }
    load_keys(s, r);
    if (r->failed)
        return ERR_STATE;
    timer_cancel(op);
    if (s->is_started)
        timer_request(op, s->next_ms);
    return 0;
}

static void snapshot_close(struct op *op)
{
    struct snapshot *s = (struct snapshot *)op;
    row_swap(&s->latest, NULL);
    inside_clear(s);
    for (uint32_t i = 0; i < s->key_cap; i++)
        row_swap(&s->keys[i].row, NULL);
    mem_free(s->ring);
    mem_free(s->keys);
    mem_free(s->marks);
}

static void snapshot_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, " every %lld ms", (long long)((const struct rate_plan *)(const void *)plan)->value);
}

#define SNAPSHOT(NAME, TAKE, SHOW, IDLE)                             \
    static int NAME##_push(struct op *op, const struct batch *in)    \
    {                                                                \
        return snapshot_push((struct snapshot *)op, in, TAKE, SHOW); \
    }                                                                \
    static int NAME##_due(struct op *op, int64_t due_ms)             \
    {                                                                \
        return snapshot_due((struct snapshot *)op, due_ms, SHOW);    \
    }                                                                \
    const struct op_type op_##NAME = {                               \
        .name = "output snapshot",                                   \
        .size = sizeof(struct snapshot),                             \
        .open = snapshot_open,                                       \
        .start = snapshot_start,                                     \
        .push = NAME##_push,                                         \
        .due = NAME##_due,                                           \
        .is_idle = (IDLE),                                           \
        .skip = snapshot_skip,                                       \
        .save = snapshot_save,                                       \
        .load = snapshot_load,                                       \
        .close = snapshot_close,                                     \
        .explain = snapshot_explain,                                 \
    }

SNAPSHOT(snapshot_last, take_last, show_latest, has_no_latest);
SNAPSHOT(snapshot_last_group, take_last_group, show_keys, has_no_keys);
SNAPSHOT(snapshot_inside, take_inside, show_inside, has_none_inside);
SNAPSHOT(snapshot_last_inside, take_last_inside, show_latest, has_no_latest);
SNAPSHOT(snapshot_oldest_group, take_oldest_group, show_oldest, has_none_inside);
SNAPSHOT(snapshot_last_inside_group, take_last_inside_group, show_inside_keys, has_no_keys);
