/* select.c - see select.h.
 *
 * Laws (spec 03 section 4): a chunk in gives at most one chunk out. RESET resets aggregators and is handed on by a plain
 * selector only, for its timestamp. Rows that nobody wants are not made: only expressions that keep state or may fail are evaluated for them. */
#include "engine/run/select.h"
#include "engine/base/utf8.h"
#include "engine/run/groups.h"

struct select {
    struct op op;
    char *agg;        /* kind B */
    char *having_agg; /* one state over all groups */
    struct groups groups;
    uint64_t chunk;
    struct batch *collect; /* a join collects the chunks of one push; else NULL */
    bool last_removed;     /* the last row of the chunk did not pass, or fell to the limit */
    bool lost;             /* while collecting: rows after such a chunk are lost, as the language has it (joins/7/47 of the cases) */
};

void select_classify(struct select_plan *s)
{
    if (s->key_count > 0)
        s->kind = SELECT_GROUP;
    else if (s->aggs.count > 0 || s->having_aggs.count > 0)
        s->kind = SELECT_AGGREGATE;
    else
        s->kind = SELECT_PLAIN;
    s->impure = s->attrs;
    s->all_pure = true;
    for (int i = 0; i < s->count; i++) {
        if (!(s->attrs[i]->flags & EXPR_PURE))
            s->all_pure = false;
    }
}

static void select_open(struct op *op)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    s->agg = agg_block_new(&p->aggs);
    s->having_agg = agg_block_new(&p->having_aggs);
    groups_init(&s->groups, p->key_count);
}

static bool wanted(const struct select_plan *p, enum event_kind kind)
{
    return kind == EVENT_CURRENT ? p->current_wanted : p->expired_wanted;
}

static void frame_event(struct frame *f, const struct select_plan *p, const struct event *e)
{
    f->rows = p->is_single ? &e->row : e->rows;
    f->at_ms = e->at_ms;
    f->kind = e->kind;
}

/* The output row of the frame's event, refs 1; NULL when the event failed. */
static struct row *make_row(const struct select_plan *p, struct frame *f)
{
    struct row *out = row_raw((size_t)p->count, f->at_ms);
    union cell *cells = row_cells(out);
    for (int i = 0; i < p->count; i++) {
        struct value v = p->attrs[i]->eval(p->attrs[i], f);
        if (v.type == TYPE_STRING || v.type == TYPE_OBJECT)
            v = value_keep(v);
        out->types[i] = (uint8_t)v.type;
        cells[i] = v.as;
        if (UNLIKELY(f->env->failed)) {
            memset(out->types + i + 1, 0, (size_t)(p->count - i - 1));
            row_unref(out);
            return NULL;
        }
    }
    return out;
}

/* Evaluates what keeps state or may fail, for an event whose row nobody needs. */
static int touch(const struct select_plan *p, struct frame *f)
{
    for (int i = 0; i < p->count; i++) {
        const struct expr *e = p->attrs[i];
        if (e->flags & EXPR_PURE)
            continue;
        e->eval(e, f);
        if (UNLIKELY(f->env->failed))
            return ERR_EVENT;
    }
    return 0;
}

static bool having_passes(struct select *s, const struct select_plan *p, struct frame *f, const struct row *out)
{
    if (!p->having)
        return true;
    char *agg = f->agg;
    f->agg = s->having_agg;
    f->out = out;
    bool pass = expr_is_true(p->having, f);
    f->agg = agg;
    f->out = NULL;
    return pass;
}

/* RESET: all states begin again. The language evaluates the select list on it first, so a function around an aggregator may fail there. */
static int reset(struct select *s, const struct select_plan *p, const struct event *e, bool keep_groups)
{
    int rc = 0;
    if (p->aggs.count) {
        struct frame f = {.env = s->op.env, .agg = s->agg, .user = &s->op};
        frame_event(&f, p, e);
        rc = touch(p, &f);
    }
    agg_block_reset(&p->aggs, s->agg);
    agg_block_reset(&p->having_aggs, s->having_agg);
    groups_reset(&s->groups, &p->aggs, keep_groups);
    return rc;
}

/* ---- order by, offset, limit: on the list of a chunk ---- */

static int compare_values(struct value a, struct value b)
{
    if (is_null(a) || is_null(b))
        return 0;
    if (a.type == TYPE_STRING && b.type == TYPE_STRING)
        return utf8_compare_units(a.as.s->bytes, a.as.s->len, b.as.s->bytes, b.as.s->len);
    if (a.type == TYPE_OBJECT || b.type == TYPE_OBJECT) {
        uint32_t x = value_hash(a), y = value_hash(b);
        return x < y ? -1 : x > y;
    }
    if ((a.type == TYPE_FLOAT || a.type == TYPE_DOUBLE) || (b.type == TYPE_FLOAT || b.type == TYPE_DOUBLE)) {
        double x = value_to_double(a), y = value_to_double(b);
        if (x < y)
            return -1;
        if (x > y)
            return 1;
        /* Double.compare: NaN is above everything, -0.0 below 0.0. */
        bool nx = x != x, ny = y != y;
        if (nx || ny)
            return (int)nx - (int)ny;
        return (int)__builtin_signbit(y) != 0 ? (__builtin_signbit(x) ? 0 : 1) : (__builtin_signbit(x) ? -1 : 0);
    }
    return a.as.l < b.as.l ? -1 : a.as.l > b.as.l;
}

struct order_item {
    struct event event;
    struct value *keys;
    uint32_t at;
};

static int order_compare(const struct select_plan *p, const struct order_item *a, const struct order_item *b)
{
    for (int i = 0; i < p->order_count; i++) {
        struct value x = a->keys[i], y = b->keys[i];
        if (is_null(x) || is_null(y)) {
            if (is_null(x) && is_null(y))
                continue;
            return is_null(x) ? 1 : -1; /* last in both directions */
        }
        int c = compare_values(x, y);
        if (c != 0)
            return p->order[i].descending ? -c : c;
    }
    return 0;
}

static void merge_sort(const struct select_plan *p, struct order_item *items, struct order_item *spare, uint32_t count)
{
    if (count < 2)
        return;
    uint32_t half = count / 2;
    merge_sort(p, items, spare, half);
    merge_sort(p, items + half, spare, count - half);
    memcpy(spare, items, half * sizeof(*items));
    uint32_t left = 0, right = half, at = 0;
    while (left < half && right < count)
        items[at++] = order_compare(p, &items[right], &spare[left]) < 0 ? items[right++] : spare[left++];
    while (left < half)
        items[at++] = spare[left++];
}

/* rows_of: the frame each listed event came from, for names of inputs (joins). */
static int order_rows(struct select *s, const struct select_plan *p, struct batch *list, const struct event *sources)
{
    struct arena *scratch = s->op.env->scratch;
    struct order_item *items = arena_raw(scratch, list->count * sizeof(*items));
    struct order_item *spare = arena_raw(scratch, list->count * sizeof(*items));
    struct frame f = {.env = s->op.env, .user = &s->op};
    for (uint32_t i = 0; i < list->count; i++) {
        items[i].event = list->events[i];
        items[i].at = i;
        items[i].keys = arena_raw(scratch, (size_t)p->order_count * sizeof(struct value));
        if (list->events[i].kind == EVENT_RESET) {
            memset(items[i].keys, 0, (size_t)p->order_count * sizeof(struct value));
            continue;
        }
        frame_event(&f, p, &sources[i]);
        f.out = list->events[i].row;
        for (int k = 0; k < p->order_count; k++)
            items[i].keys[k] = expr_eval(p->order[k].attr, &f);
        if (s->op.env->failed)
            return ERR_EVENT;
    }
    for (uint32_t from = 0; from < list->count;) {
        uint32_t to = from + 1;
        while (to < list->count && items[to].event.kind == items[from].event.kind)
            to++;
        merge_sort(p, items + from, spare, to - from);
        from = to;
    }
    for (uint32_t i = 0; i < list->count; i++)
        list->events[i] = items[i].event;
    return 0;
}

static void drop_rows(struct batch *list, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    for (uint32_t i = from; i < to; i++) {
        if (list->events[i].kind != EVENT_RESET)
            row_unref(list->events[i].row);
    }
    memmove(list->events + from, list->events + to, (list->count - to) * sizeof(*list->events));
    list->count -= to - from;
}

/* Under a snapshot with groups: the first rows of whatever kind; there is no offset. */
static void cut_group_rows(const struct select_plan *p, struct batch *list)
{
    if (p->limit >= 0 && (int64_t)list->count > p->limit)
        drop_rows(list, (uint32_t)p->limit, list->count);
}

/* Only rows count, RESET events don't. */
static void skip_rows(struct batch *list, int64_t offset)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct event e = list->events[i];
        if (e.kind == EVENT_RESET || offset == 0) {
            list->events[at++] = e;
        } else {
            row_unref(e.row);
            offset--;
        }
    }
    list->count = at;
}

/* True: the limit took away the last of the rows. */
static bool cut_rows(const struct select_plan *p, struct batch *list)
{
    if (p->is_snapshot && p->kind == SELECT_GROUP) {
        cut_group_rows(p, list);
        return false;
    }
    if (p->kind == SELECT_AGGREGATE && !p->is_snapshot && (p->offset > 0 || p->limit == 0)) {
        drop_rows(list, 0, list->count); /* the one row, of whatever kind */
        return false;
    }
    if (p->offset > 0)
        skip_rows(list, p->offset);
    if (p->limit < 0)
        return false;
    bool last_kept = true;
    int64_t kept = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct event e = list->events[i];
        last_kept = e.kind == EVENT_RESET || e.kind == EVENT_EXPIRED || kept < p->limit;
        if (last_kept) {
            kept += e.kind != EVENT_RESET;
            list->events[at++] = e;
        } else {
            row_unref(e.row);
        }
    }
    list->count = at;
    return !last_kept;
}

/* Hands the list on and lets its rows go. sources[i] is the event list->events[i] was made from; NULL when order by isn't asked. */
static int finish(struct select *s, const struct select_plan *p, struct batch *list, const struct event *sources)
{
    int rc = 0;
    /* Under a snapshot an aggregator alone is as none, and a group's rows are neither ordered nor skipped. */
    bool ordered = p->is_snapshot ? p->kind != SELECT_GROUP : p->kind != SELECT_AGGREGATE;
    if (p->order_count > 0 && ordered) {
        s->last_removed = false;
        if (list->count > 1)
            rc = order_rows(s, p, list, sources);
    }
    if (rc == 0 && (p->offset > 0 || p->limit >= 0) && cut_rows(p, list))
        s->last_removed = true;
    if (rc == 0 && s->collect) {
        if (s->lost)
            drop_rows(list, 0, list->count);
        s->lost = s->lost || (s->last_removed && list->count > 0);
        for (uint32_t i = 0; i < list->count; i++)
            *batch_add(s->collect, NULL, 0, EVENT_CURRENT) = list->events[i];
        return 0;
    }
    if (rc == 0)
        rc = op_next(&s->op, list);
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->events[i].kind != EVENT_RESET)
            row_unref(list->events[i].row);
    }
    return rc;
}

void select_collect(struct op *select, struct batch *into)
{
    ((struct select *)select)->collect = into;
    ((struct select *)select)->lost = false;
}

bool select_collecting(const struct op *select)
{
    return ((const struct select *)select)->collect != NULL;
}

int select_release(struct op *select, struct batch *collected, int rc)
{
    select_collect(select, NULL);
    if (rc == 0)
        rc = op_next(select, collected);
    for (uint32_t i = 0; i < collected->count; i++) {
        if (collected->events[i].kind != EVENT_RESET)
            row_unref(collected->events[i].row);
    }
    collected->count = 0;
    return rc;
}

static int fail_list(struct batch *list)
{
    drop_rows(list, 0, list->count);
    return ERR_EVENT;
}

/* Kind A, and every kind under a snapshot rate limit: all rows that pass. */
static int push_every(struct select *s, const struct select_plan *p, const struct batch *in)
{
    struct batch list;
    struct frame f = {.env = s->op.env, .agg = s->agg, .user = &s->op};
    batch_init(&list, s->op.env->scratch, in->count);
    list.is_batch = in->is_batch;
    struct event *sources = p->order_count ? arena_raw(s->op.env->scratch, in->count * sizeof(*sources)) : NULL;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        uint32_t number = 0;
        if (e->kind == EVENT_TIMER)
            continue;
        if (e->kind == EVENT_RESET) {
            if (reset(s, p, e, p->keep_groups) < 0)
                return fail_list(&list);
            if (sources)
                sources[list.count] = *e;
            if (p->kind != SELECT_GROUP)
                batch_add(&list, e->row, e->at_ms, EVENT_RESET);
            s->last_removed = false;
            continue;
        }
        frame_event(&f, p, e);
        bool keep = wanted(p, e->kind);
        s->last_removed = !keep;
        if (p->kind == SELECT_GROUP) {
            struct value keys[64];
            for (int k = 0; k < p->key_count && k < 64; k++)
                keys[k] = expr_eval(p->keys[k], &f);
            struct group *group = groups_need(&s->groups, &p->aggs, keys);
            group->used = true;
            f.agg = group->agg;
            number = group->number;
        }
        if (!keep && !p->having) {
            if (!p->all_pure && touch(p, &f) < 0)
                return fail_list(&list);
            continue;
        }
        struct row *row = make_row(p, &f);
        if (!row)
            return fail_list(&list);
        bool pass = having_passes(s, p, &f, row);
        if (UNLIKELY(s->op.env->failed)) {
            row_unref(row);
            return fail_list(&list);
        }
        if (!pass || !keep) {
            s->last_removed = true;
            row_unref(row);
            continue;
        }
        if (sources)
            sources[list.count] = *e;
        batch_add(&list, row, e->at_ms, e->kind)->group = number;
    }
    return finish(s, p, &list, sources);
}

/* Kind B: only the last row that passed. */
static int push_last(struct select *s, const struct select_plan *p, const struct batch *in)
{
    s->last_removed = false;
    struct frame f = {.env = s->op.env, .agg = s->agg, .user = &s->op};
    uint32_t last = UINT32_MAX; /* without having it is known beforehand, and only its row is made */
    for (uint32_t i = in->count; !p->having && i > 0; i--) {
        enum event_kind kind = in->events[i - 1].kind;
        if ((kind == EVENT_CURRENT && p->current_wanted) || (kind == EVENT_EXPIRED && p->expired_wanted)) {
            last = i - 1;
            break;
        }
    }
    struct row *kept = NULL;
    struct event source = {.at_ms = 0};
    int rc = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind == EVENT_TIMER)
            continue;
        if (e->kind == EVENT_RESET) {
            rc = reset(s, p, e, true);
            if (rc < 0)
                break;
            continue;
        }
        frame_event(&f, p, e);
        if (!p->having && i != last) {
            if (touch(p, &f) < 0) {
                rc = ERR_EVENT;
                break;
            }
            continue;
        }
        struct row *row = make_row(p, &f);
        if (!row) {
            rc = ERR_EVENT;
            break;
        }
        bool pass = having_passes(s, p, &f, row);
        if (UNLIKELY(s->op.env->failed)) {
            row_unref(row);
            rc = ERR_EVENT;
            break;
        }
        if (pass && wanted(p, e->kind)) {
            if (kept)
                row_unref(kept);
            kept = row;
            source = *e;
        } else {
            row_unref(row);
        }
    }
    if (rc < 0 || !kept) {
        if (kept)
            row_unref(kept);
        return rc;
    }
    struct event event = {.row = kept, .at_ms = source.at_ms, .kind = source.kind};
    struct batch list = {.events = &event, .count = 1, .cap = 1, .scratch = s->op.env->scratch, .is_batch = in->is_batch};
    return finish(s, p, &list, &source);
}

/* A group's last row in the chunk: made at the end when nothing but state depends on the events before it. */
struct group_slot {
    struct row *row;
    struct event source;
    struct group *group;
};

static int group_event(struct select *s, const struct select_plan *p, const struct event *e, struct frame *f, struct group_slot *slots, uint32_t *count)
{
    struct value key_space[8], *keys = key_space;
    if (UNLIKELY(p->key_count > 8))
        keys = arena_raw(s->op.env->scratch, (size_t)p->key_count * sizeof(*keys));
    for (int k = 0; k < p->key_count; k++)
        keys[k] = p->keys[k]->eval(p->keys[k], f);
    struct group *group = groups_need(&s->groups, &p->aggs, keys);
    group->used = true;
    f->agg = group->agg;
    bool keep = wanted(p, e->kind);
    if (!keep && !p->having)
        return touch(p, f);
    struct row *row = make_row(p, f);
    if (!row)
        return ERR_EVENT;
    bool pass = having_passes(s, p, f, row);
    if (UNLIKELY(s->op.env->failed) || !pass || !keep) {
        row_unref(row);
        return s->op.env->failed ? ERR_EVENT : 0;
    }
    if (group->chunk != s->chunk) {
        group->chunk = s->chunk;
        group->slot = (*count)++;
        slots[group->slot].row = NULL;
    }
    struct group_slot *slot = &slots[group->slot];
    if (slot->row)
        row_unref(slot->row);
    slot->row = row;
    slot->source = *e;
    slot->group = group;
    return 0;
}

/* Groups whose expired events left nothing behind. */
static void forget_empty(struct select *s, const struct select_plan *p, const struct batch *in)
{
    if (p->keep_groups)
        return;
    struct frame f = {.env = s->op.env, .user = &s->op};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind != EVENT_EXPIRED)
            continue;
        frame_event(&f, p, e);
        struct value keys[64];
        for (int k = 0; k < p->key_count && k < 64; k++)
            keys[k] = expr_eval(p->keys[k], &f);
        struct group *group = groups_need(&s->groups, &p->aggs, keys);
        if (agg_block_is_empty(&p->aggs, group->agg))
            groups_forget(&s->groups, &p->aggs, group);
    }
}

static int push_groups(struct select *s, const struct select_plan *p, const struct batch *in)
{
    struct frame f = {.env = s->op.env, .user = &s->op};
    struct group_slot *slots = arena_raw(s->op.env->scratch, in->count * sizeof(*slots));
    uint32_t count = 0;
    int rc = 0;
    bool expired = false;
    s->chunk++;
    s->last_removed = false;
    for (uint32_t i = 0; i < in->count && rc == 0; i++) {
        const struct event *e = &in->events[i];
        if (e->kind == EVENT_TIMER)
            continue;
        if (e->kind == EVENT_RESET) {
            rc = reset(s, p, e, true);
            continue;
        }
        expired = expired || e->kind == EVENT_EXPIRED;
        frame_event(&f, p, e);
        rc = group_event(s, p, e, &f, slots, &count);
    }
    struct batch list;
    batch_init(&list, s->op.env->scratch, count);
    list.is_batch = in->is_batch;
    struct event *sources = arena_raw(s->op.env->scratch, count * sizeof(*sources));
    for (uint32_t i = 0; i < count; i++) {
        sources[i] = slots[i].source;
        batch_add(&list, slots[i].row, slots[i].source.at_ms, slots[i].source.kind)->group = slots[i].group->number;
    }
    if (rc < 0)
        return fail_list(&list);
    if (expired && !s->op.env->failed)
        forget_empty(s, p, in);
    return finish(s, p, &list, sources);
}

static int select_push(struct op *op, const struct batch *in)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    if (p->is_snapshot || p->kind == SELECT_PLAIN)
        return push_every(s, p, in);
    return p->kind == SELECT_AGGREGATE ? push_last(s, p, in) : push_groups(s, p, in);
}

static void select_save(const struct op *op, struct writer *w)
{
    const struct select *s = (const struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    agg_block_save(&p->aggs, s->agg, w);
    agg_block_save(&p->having_aggs, s->having_agg, w);
    groups_save(&s->groups, &p->aggs, w);
}

static int select_load(struct op *op, struct reader *r)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    int rc = agg_block_load(&p->aggs, s->agg, r);
    if (rc == 0)
        rc = agg_block_load(&p->having_aggs, s->having_agg, r);
    return rc < 0 ? rc : groups_load(&s->groups, &p->aggs, r);
}

static void select_close(struct op *op)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    agg_block_free(&p->aggs, s->agg);
    agg_block_free(&p->having_aggs, s->having_agg);
    groups_fini(&s->groups, &p->aggs);
}

static void select_explain(const struct op_plan *plan, struct buf *out)
{
    const struct select_plan *p = (const struct select_plan *)plan;
    buf_printf(out, " %d attributes, %d aggregators", p->count, p->aggs.count + p->having_aggs.count);
    if (p->key_count)
        buf_printf(out, ", group by %d keys", p->key_count);
    if (p->having)
        buf_add_str(out, ", having");
    if (p->order_count)
        buf_printf(out, ", order by %d", p->order_count);
    if (p->offset >= 0)
        buf_printf(out, ", offset %lld", (long long)p->offset);
    if (p->limit >= 0)
        buf_printf(out, ", limit %lld", (long long)p->limit);
}

const struct op_type op_select = {
    .name = "select",
    .size = sizeof(struct select),
    .open = select_open,
    .push = select_push,
    .save = select_save,
    .load = select_load,
    .close = select_close,
    .explain = select_explain,
};
