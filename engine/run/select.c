/* select.c - see select.h.
 *
 * Laws (spec 03 section 4): a chunk in gives at most one chunk out. RESET resets aggregators and is handed on
 * by a plain selector only, for its timestamp. Rows that nobody wants are not made: only expressions that
 * keep state or may fail are evaluated for them. */
#include "engine/run/select.h"
#include "engine/run/quick.h"

/* The aggregators' states lie behind the instance. */
static size_t agg_bytes(const struct agg_layout *l)
{
    return (l->bytes + 7) & ~(size_t)7;
}

static size_t select_size_of(const struct op_plan *plan)
{
    const struct select_plan *p = (const struct select_plan *)plan;
    return sizeof(struct select) + agg_bytes(&p->aggs) + agg_bytes(&p->having_aggs);
}

static void select_open(struct op *op)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    s->agg = p->aggs.bytes ? (char *)(s + 1) : NULL;
    s->having_agg = p->having_aggs.bytes ? (char *)(s + 1) + agg_bytes(&p->aggs) : NULL;
    if (p->key_count) {
        s->groups = mem_alloc(sizeof(*s->groups));
        groups_init(s->groups, p->key_count);
    }
}

static bool wanted(const struct select_plan *p, enum event_kind kind)
{
    return kind == EVENT_CURRENT ? p->current_wanted : p->expired_wanted;
}

/* A row whose columns from first on could not be made. */
static __attribute__((noinline)) struct row *spoil_row(struct row *out, int first)
{
    memset(out->types + first, TYPE_NULL, (size_t)(out->count - first));
    row_unref(out);
    return NULL;
}

/* What a step that is no plain column makes of the frame's event. */
static inline __attribute__((always_inline)) struct value step_value(const struct select_step *step,
                                                                     struct frame *f)
{
    if (step->how != HOW_SPOT)
        return step->call(step->e, f);
    const char *row = (const char *)f->rows[0];
    if (UNLIKELY(f->kind != EVENT_CURRENT || (step->spot != SPOT_COUNT && row[step->type_at] != TYPE_DOUBLE)))
        return step->call(step->e, f);
    spot_add(step->spot, f->agg + step->agg_at, row_cell(f->rows[0], step->cell_at).d);
    return spot_result(step->spot, f->agg + step->agg_at);
}

/* The output row of the frame's event, refs 1; NULL when the event failed. */
static inline __attribute__((always_inline)) struct row *make_row(const struct select_plan *p,
                                                                  struct frame *f)
{
    struct row *out = mem_pool_alloc(p->row_bytes);
    out->at_ms = f->at_ms;
    out->refs = 1;
    out->count = (uint16_t)p->count;
    union cell *cell = (union cell *)(void *)((char *)out + p->cells_at);
    uint8_t *tag = out->types;
    for (const struct select_step *step = p->steps, *end = step + p->count; step < end;
         step++, cell++, tag++) {
        if (step->how >= HOW_COLUMN) {
            const char *row = (const char *)f->rows[step->slot];
            if (step->how == HOW_COLUMN || LIKELY(row != NULL)) {
                const uint8_t type = (uint8_t)row[step->type_at];
                *tag = type;
                *cell = row_cell(f->rows[step->slot], step->cell_at);
                if (type_is_counted(type))
                    *cell = value_keep((struct value){*cell, (enum type)type}).as;
            } else {
                *tag = TYPE_NULL;
                cell->l = 0;
            }
            continue;
        }
        struct value v = value_keep(step_value(step, f));
        *tag = (uint8_t)v.type;
        *cell = v.as;
        if (UNLIKELY(f->env->failed))
            return spoil_row(out, (int)(tag + 1 - out->types));
    }
    return out;
}

static __attribute__((noinline)) struct row *make_any(const struct select_plan *p, struct frame *f)
{
    return make_row(p, f);
}

/* Evaluates what keeps state or may fail, for an event whose row nobody needs. */
static inline int touch(const struct select_plan *p, struct frame *f)
{
    const char *row = (const char *)f->rows[0]; /* what is done on the spot has one input */
    for (const struct select_step *s = p->impure, *end = s + p->impure_count; s < end; s++) {
        if (s->how == HOW_SPOT && f->kind <= EVENT_EXPIRED &&
            (s->spot == SPOT_COUNT || LIKELY(row[s->type_at] == TYPE_DOUBLE))) {
            const double x = row_cell(f->rows[0], s->cell_at).d;
            if (f->kind == EVENT_CURRENT) {
                spot_add(s->spot, f->agg + s->agg_at, x);
                continue;
            }
            if (s->spot != SPOT_MAX && s->spot != SPOT_MIN) {
                spot_remove(s->spot, f->agg + s->agg_at, x);
                continue;
            }
        }
        s->call(s->e, f);
        if (UNLIKELY(f->env->failed))
            return ERR_EVENT;
    }
    return 0;
}

/* All that keeps state are aggregators done on the spot, and row has the shape they want. */
QUICK void add_on_spot(const struct select_plan *p, char *agg, const struct row *row)
{
    for (const struct select_step *s = p->impure, *end = s + p->impure_count; s < end; s++)
        spot_add(s->spot, agg + s->agg_at, row_cell(row, s->cell_at).d);
}

static __attribute__((noinline)) bool test_having(struct select *s, const struct select_plan *p,
                                                  struct frame *f, struct row *out)
{
    char *agg = f->agg;
    if (UNLIKELY(p->watch != NULL))
        p->watch(&s->op, p->watcher, out);
    f->agg = s->having_agg;
    f->out = out;
    bool pass = expr_is_true(p->having, f);
    f->agg = agg;
    f->out = NULL;
    return pass;
}

static inline bool having_passes(struct select *s, const struct select_plan *p, struct frame *f,
                                 struct row *out)
{
    return LIKELY(!p->having) || test_having(s, p, f, out);
}

/* RESET: the states of the select list begin again, those of 'having' do not. The language evaluates the select
 * list on it first, so a function around an aggregator may fail there. */
static int reset(struct select *s, const struct select_plan *p, const struct event *e, bool keep_groups)
{
    int rc = 0;
    if (p->aggs.slot_count) {
        struct frame f = {.env = s->op.env, .agg = s->agg, .user = &s->op};
        frame_event(&f, p, e);
        rc = touch(p, &f);
    }
    agg_block_reset(&p->aggs, s->agg);
    if (s->groups)
        groups_reset(s->groups, &p->aggs, keep_groups);
    return rc;
}

/* Lets the rows of a list go. */
static inline void list_free(const struct batch *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->events[i].kind != EVENT_RESET)
            row_unref(list->events[i].row);
    }
}

/* Into the chunk that a join collects. */
static void collect(struct select *s, struct batch *list)
{
    if (s->lost)
        select_drop(list, 0, list->count);
    s->lost = s->lost || (s->last_removed && list->count > 0);
    for (uint32_t i = 0; i < list->count; i++)
        *batch_add(s->collect, NULL, 0, EVENT_CURRENT) = list->events[i];
}

/* Hands the list on and lets its rows go. sources[i] is the event list->events[i] was made from; NULL when
 * order by isn't asked. */
static inline int finish(struct select *s, const struct select_plan *p, struct batch *list,
                         const struct event *sources)
{
    int rc = 0;
    if (UNLIKELY(p->is_cut))
        rc = select_order(s, p, list, sources);
    if (UNLIKELY(s->collect != NULL) && rc == 0) {
        collect(s, list);
        return 0;
    }
    if (LIKELY(rc == 0))
        rc = op_next(&s->op, list);
    list_free(list);
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
    select_drop(list, 0, list->count);
    return ERR_EVENT;
}

static __attribute__((noinline)) struct group *group_of_keys(struct select *s, const struct select_plan *p,
                                                             struct frame *f)
{
    struct value keys[64];
    for (int k = 0; k < p->key_count && k < 64; k++)
        keys[k] = expr_read(p->keys[k], f);
    return groups_need(s->groups, &p->aggs, keys);
}

static inline struct group *group_of(struct select *s, const struct select_plan *p, struct frame *f)
{
    if (UNLIKELY(p->key_count != 1))
        return group_of_keys(s, p, f);
    struct value key = expr_read(p->keys[0], f);
    return LIKELY(key.type == TYPE_STRING) ? groups_need_text(s->groups, &p->aggs, key.as.s)
                                           : groups_need(s->groups, &p->aggs, &key);
}

/* Kind A, and every kind under a snapshot rate limit: all rows that pass. */
static int push_every(struct op *op, const struct batch *in)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    struct event space[BATCH_SHORT];
    struct batch list;
    struct frame f = {.env = s->op.env, .agg = s->agg, .user = &s->op};
    batch_on(&list, space, in->count, s->op.env->scratch);
    list.is_batch = in->is_batch;
    struct event *sources =
        p->order_count ? arena_raw(s->op.env->scratch, in->count * sizeof(*sources)) : NULL;
    s->last_removed = false;
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
            struct group *group = group_of(s, p, &f);
            group_use(s->groups, group);
            f.agg = group->agg;
            number = group->number;
        }
        if (!keep && !p->having) {
            if (touch(p, &f) < 0)
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
static int push_last(struct op *op, const struct batch *in)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
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
        if (UNLIKELY(e->kind >= EVENT_TIMER)) {
            if (e->kind == EVENT_RESET)
                rc = reset(s, p, e, true);
            if (rc < 0)
                break;
            continue;
        }
        frame_event(&f, p, e);
        if (i != last && !p->having) {
            if (LIKELY(p->adds_on_spot && e->kind == EVENT_CURRENT && row_has_shape(e->row, &p->mold->in[0])))
                add_on_spot(p, s->agg, e->row);
            else
                rc = touch(p, &f);
            if (UNLIKELY(rc < 0))
                break;
            continue;
        }
        struct row *row = make_row(p, &f);
        if (UNLIKELY(!row)) {
            rc = ERR_EVENT;
            break;
        }
        bool pass = having_passes(s, p, &f, row) && wanted(p, e->kind);
        if (UNLIKELY(!pass || s->op.env->failed)) {
            row_unref(row);
            if (s->op.env->failed) {
                rc = ERR_EVENT;
                break;
            }
            continue;
        }
        if (kept)
            row_unref(kept);
        kept = row;
        source = *e;
    }
    if (UNLIKELY(rc < 0 || !kept)) {
        if (kept)
            row_unref(kept);
        return rc;
    }
    struct event event = {.row = kept, .at_ms = source.at_ms, .kind = source.kind};
    struct batch list = {
        .events = &event, .count = 1, .cap = 1, .scratch = s->op.env->scratch, .is_batch = in->is_batch};
    return finish(s, p, &list, &source);
}

/* A group's last row in the chunk. */
struct group_slot {
    struct row *row; /* NULL: not made yet */
    struct group *group;
    /* the event it is made from; without 'having' known beforehand, so that only this row is made */
    uint32_t last;
};

/* While a chunk goes through. */
struct group_chunk {
    struct group_slot *slots; /* in order of the groups' first wanted events */
    struct group **groups;    /* of each event; those of expired ones come to stand in front at the end */
    uint32_t slot_count, expired_count;
};

static inline void slot_set(const struct select *s, struct group_chunk *c, struct group *group, uint32_t last)
{
    if (group->chunk != s->chunk) {
        group->chunk = s->chunk;
        group->slot = c->slot_count++;
        c->slots[group->slot] = (struct group_slot){.group = group};
    }
    c->slots[group->slot].last = last;
}

/* With 'having' every row has to be seen. */
static __attribute__((noinline)) int having_event(struct select *s, const struct select_plan *p, uint32_t i,
                                                  struct frame *f, struct group_chunk *c)
{
    struct row *row = make_row(p, f);
    if (!row)
        return ERR_EVENT;
    bool pass = test_having(s, p, f, row);
    if (s->op.env->failed || !pass || !wanted(p, f->kind)) {
        row_unref(row);
        return s->op.env->failed ? ERR_EVENT : 0;
    }
    slot_set(s, c, c->groups[i], i);
    struct group_slot *slot = &c->slots[c->groups[i]->slot];
    if (slot->row)
        row_unref(slot->row);
    slot->row = row;
    return 0;
}

static inline int group_event(struct select *s, const struct select_plan *p, uint32_t i, struct frame *f,
                              struct group_chunk *c)
{
    struct group *group = c->groups[i];
    group_use(s->groups, group);
    f->agg = group->agg;
    if (UNLIKELY(p->having != NULL))
        return having_event(s, p, i, f, c);
    if (group->chunk != s->chunk || c->slots[group->slot].last != i)
        return touch(p, f);
    struct row *row = make_row(p, f);
    c->slots[group->slot].row = row;
    return LIKELY(row != NULL) ? 0 : ERR_EVENT;
}

/* Groups whose expired events left nothing behind. */
static void forget_empty(struct select *s, const struct select_plan *p, struct group_chunk *c)
{
    uint32_t leaving = 0;
    for (uint32_t i = 0; i < c->expired_count; i++) {
        struct group *group = c->groups[i];
        if (group->is_leaving || group->held || !agg_block_is_empty(&p->aggs, group->agg))
            continue;
        group->is_leaving = true;
        c->groups[leaving++] = group;
    }
    for (uint32_t i = 0; i < leaving; i++)
        groups_forget(s->groups, &p->aggs, c->groups[i]);
}

/* The chunk's rows, one a group. */
static int finish_groups(struct select *s, const struct select_plan *p, struct group_chunk *c,
                         const struct batch *in, int rc)
{
    struct event space[BATCH_SHORT], *sources = NULL;
    struct batch list;
    batch_on(&list, space, c->slot_count, s->op.env->scratch);
    list.is_batch = in->is_batch;
    if (UNLIKELY(p->order_count > 0))
        sources = arena_raw(s->op.env->scratch, c->slot_count * sizeof(*sources));
    for (uint32_t i = 0; i < c->slot_count; i++) {
        const struct group_slot *slot = &c->slots[i];
        const struct event *source = &in->events[slot->last];
        if (UNLIKELY(!slot->row)) /* the chunk failed before it was made */
            continue;
        if (sources)
            sources[list.count] = *source;
        batch_add(&list, slot->row, source->at_ms, source->kind)->group = slot->group->number;
    }
    if (UNLIKELY(rc < 0))
        return fail_list(&list);
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->events[i].kind == EVENT_EXPIRED)
            c->groups[c->expired_count++] = c->groups[i];
    }
    if (c->expired_count > 0 && !p->keep_groups)
        forget_empty(s, p, c);
    return finish(s, p, &list, sources);
}

void quick_keep_texts(struct row *out, const struct row *from, const struct mold_side *side)
{
    for (const struct mold_copy *c = side->texts; c < side->texts_end; c++)
        quick_cell(out, c->to)->s = text_keep(row_cell(from, c->from).s);
}

enum quick_row quick_irregular(const struct select_mold *m, struct row *row, enum quick_row how)
{
    if (how == QUICK_LENT)
        quick_own(m, row);
    return QUICK_ANY;
}

/* What a batch window hands over all day: RESETs, then current events, and all aggregators are done on the
 * spot. */
static bool chunk_is_plain(const struct select_plan *p, const struct batch *in, uint32_t *first)
{
    uint32_t i = 0;
    if (!p->adds_on_spot || p->key_count != 1 || p->keys[0]->type != TYPE_STRING)
        return false;
    while (i < in->count && in->events[i].kind == EVENT_RESET)
        i++;
    *first = i;
    for (; i < in->count; i++) {
        if (in->events[i].kind != EVENT_CURRENT || !row_has_shape(in->events[i].row, &p->mold->in[0]))
            return false;
    }
    return true;
}

/* Such a chunk in one walk: a group's states after its last event are those after the chunk. */
static int push_plain(struct select *s, const struct select_plan *p, const struct batch *in, uint32_t first)
{
    struct arena *scratch = s->op.env->scratch;
    struct group_chunk c = {.slots = arena_raw(scratch, in->count * sizeof(*c.slots))};
    struct event space[BATCH_SHORT];
    struct batch list;
    const size_t key_at = p->keys[0]->cell_at;
    for (uint32_t i = 0; i < first; i++) {
        int rc = reset(s, p, &in->events[i], true);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = first; i < in->count; i++) {
        const struct row *row = in->events[i].row;
        struct group *group = groups_need_text(s->groups, &p->aggs, row_cell(row, key_at).s);
        group_use(s->groups, group);
        add_on_spot(p, group->agg, row);
        slot_set(s, &c, group, i);
    }
    batch_on(&list, space, c.slot_count, scratch);
    list.is_batch = in->is_batch;
    for (uint32_t i = 0; i < c.slot_count; i++) {
        const struct event *e = &in->events[c.slots[i].last];
        struct row *row = quick_row(p, quick_shared(s, p), e->at_ms);
        quick_keep_texts(row, e->row, &p->mold->side[0]);
        quick_columns(row, e->row, &p->mold->side[0]);
        for (const struct select_step *step = p->mold->made, *end = p->mold->made_end; step < end; step++)
            quick_put(step, spot_result(step->spot, c.slots[i].group->agg + step->agg_at), row);
        batch_add(&list, row, e->at_ms, EVENT_CURRENT)->group = c.slots[i].group->number;
    }
    return finish(s, p, &list, NULL);
}

/* First the group of each event, then the events. */
static int push_groups(struct op *op, const struct batch *in)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    struct frame f = {.env = s->op.env, .user = &s->op};
    struct group_chunk c = {.slots = arena_raw(op->env->scratch, in->count * sizeof(*c.slots)),
                            .groups = arena_raw(op->env->scratch, in->count * sizeof(struct group *))};
    int rc = 0;
    uint32_t first;
    s->chunk++;
    s->last_removed = false;
    if (LIKELY(chunk_is_plain(p, in, &first)))
        return push_plain(s, p, in, first);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (UNLIKELY(e->kind >= EVENT_TIMER))
            continue;
        frame_event(&f, p, e);
        c.groups[i] = group_of(s, p, &f);
        if (!p->having && wanted(p, e->kind))
            slot_set(s, &c, c.groups[i], i);
    }
    for (uint32_t i = 0; i < in->count && rc == 0; i++) {
        const struct event *e = &in->events[i];
        frame_event(&f, p, e);
        if (UNLIKELY(e->kind >= EVENT_TIMER))
            rc = e->kind == EVENT_RESET ? reset(s, p, e, true) : 0;
        else
            rc = group_event(s, p, i, &f, &c);
    }
    return finish_groups(s, p, &c, in, rc);
}

/* ---- one event, and nothing but its own row wanted: what most queries get and want ---- */

QUICK bool mold_fits(const struct select_mold *m, struct row *const *rows, const int sides)
{
    if (UNLIKELY(!m))
        return false;
    if (sides == 1)
        return row_has_shape(rows[0], &m->in[0]);
    return rows[0] && rows[1] && row_has_shape(rows[0], &m->in[0]) && row_has_shape(rows[1], &m->in[1]);
}

/* As quick_copy from two inputs. */
QUICK struct row *copy_pair(const struct select_plan *p, struct select_shared *shared, const struct frame *f,
                            enum quick_row *how)
{
    const struct select_mold *m = p->mold;
    const struct row *first = f->rows[0], *second = f->rows[1];
    struct row *out = quick_row(p, shared, f->at_ms);
    *how = QUICK_LENT;
    if (UNLIKELY(!quick_lend_texts(out, first, &m->side[0]) || !quick_lend_texts(out, second, &m->side[1]))) {
        quick_keep_texts(out, first, &m->side[0]);
        quick_keep_texts(out, second, &m->side[1]);
        *how = QUICK_OWN;
    }
    quick_columns(out, first, &m->side[0]);
    quick_columns(out, second, &m->side[1]);
    return out;
}

/* The row of f's event, a current one, of one input or two (sides); NULL when it failed. */
QUICK struct row *make_one(struct select *s, const struct select_plan *p, struct frame *f, const int sides,
                           enum quick_row *how)
{
    const struct row *from = f->rows[0];
    if (UNLIKELY(!mold_fits(p->mold, f->rows, sides))) {
        *how = QUICK_ANY;
        return make_any(p, f);
    }
    struct select_shared *shared = quick_shared(s, p);
    struct row *out = sides == 1 ? quick_copy(p, shared, from, f->at_ms, how) : copy_pair(p, shared, f, how);
    bool regular = true;
    for (const struct select_step *step = p->mold->made, *end = p->mold->made_end; step < end; step++) {
        if (step->how == HOW_SPOT) {
            regular &= quick_spot(step, from, f->agg, out);
            continue;
        }
        regular &= quick_put(step, value_keep(step->call(step->e, f)), out);
        if (UNLIKELY(f->env->failed)) {
            quick_irregular(p->mold, out, *how);
            row_unref(out);
            return NULL;
        }
    }
    if (UNLIKELY(!regular))
        *how = quick_irregular(p->mold, out, *how);
    return out;
}

static int slide_groups(struct select *s, const struct select_plan *p, struct row *const *left,
                        uint32_t count, struct frame *f, const struct event *e)
{
    struct group *groups[BATCH_SHORT];
    struct group_chunk c = {.groups = groups, .expired_count = count};
    for (uint32_t i = 0; i < count; i++) {
        f->rows = &left[i];
        struct group *group = groups[i] = group_of(s, p, f);
        group_use(s->groups, group);
        f->agg = group->agg;
        if (UNLIKELY(touch(p, f) < 0))
            return ERR_EVENT;
    }
    f->rows = &e->row;
    f->at_ms = e->at_ms;
    f->kind = EVENT_CURRENT;
    struct group *group = group_of(s, p, f);
    group_use(s->groups, group);
    f->agg = group->agg;
    enum quick_row how;
    struct row *row = make_one(s, p, f, 1, &how);
    if (UNLIKELY(!row))
        return ERR_EVENT;
    uint32_t number = group->number;
    if (count > 0 && !p->keep_groups)
        forget_empty(s, p, &c);
    return quick_emit(s, p, quick_shared(s, p), row, how, e->at_ms, number);
}

static int select_slide(struct op *op, struct row *const *left, uint32_t count, int64_t left_ms,
                        const struct event *e)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    if (UNLIKELY(!p->is_quick || s->collect || count > BATCH_SHORT))
        return op_push_wrapped(op, left, count, left_ms, e);
    struct frame f = {.env = op->env, .agg = s->agg, .at_ms = left_ms, .kind = EVENT_EXPIRED, .user = op};
    s->last_removed = false;
    if (p->kind == SELECT_GROUP)
        return slide_groups(s, p, left, count, &f, e);
    for (uint32_t i = 0; i < count; i++) {
        f.rows = &left[i];
        if (UNLIKELY(touch(p, &f) < 0))
            return ERR_EVENT;
    }
    f.rows = &e->row;
    f.at_ms = e->at_ms;
    f.kind = EVENT_CURRENT;
    enum quick_row how;
    struct row *row = make_one(s, p, &f, 1, &how);
    return LIKELY(row != NULL) ? quick_emit(s, p, quick_shared(s, p), row, how, e->at_ms, 0) : ERR_EVENT;
}

/* Of a pair one row is not its pusher's: who reads the output may take it out of where it stands, so both are
 * held. */
static __attribute__((noinline)) int pair_one(struct select *s, const struct select_plan *p,
                                              const struct event *e)
{
    struct frame f = {
        .env = s->op.env, .rows = e->rows, .at_ms = e->at_ms, .kind = EVENT_CURRENT, .user = &s->op};
    enum quick_row how;
    struct row *row = make_one(s, p, &f, 2, &how);
    if (UNLIKELY(!row))
        return ERR_EVENT;
    if (UNLIKELY(how != QUICK_LENT))
        return quick_emit(s, p, quick_shared(s, p), row, how, e->at_ms, 0);
    struct row *first = row_ref(e->rows[0]), *second = row_ref(e->rows[1]);
    int rc = quick_emit(s, p, quick_shared(s, p), row, QUICK_LENT, e->at_ms, 0);
    row_unref(first);
    row_unref(second);
    return rc;
}

static int select_one(struct op *op, const struct event *e)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    if (UNLIKELY(!p->is_plain || s->collect))
        return select_slide(op, NULL, 0, 0, e);
    s->last_removed = false;
    if (!p->is_single)
        return pair_one(s, p, e);
    struct frame f = {.env = op->env, .rows = &e->row, .at_ms = e->at_ms, .kind = EVENT_CURRENT, .user = op};
    enum quick_row how;
    struct row *row = make_one(s, p, &f, 1, &how);
    return LIKELY(row != NULL) ? quick_emit(s, p, quick_shared(s, p), row, how, e->at_ms, 0) : ERR_EVENT;
}

static int select_push(struct op *op, const struct batch *in)
{
    static int (*const pushes[])(struct op *, const struct batch *) = {push_every, push_last, push_groups};
    const struct select_plan *p = (const struct select_plan *)op->plan;
    return pushes[p->is_snapshot ? SELECT_PLAIN : p->kind](op, in);
}

static void select_save(const struct op *op, struct writer *w)
{
    const struct select *s = (const struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    agg_block_save(&p->aggs, s->agg, w);
    agg_block_save(&p->having_aggs, s->having_agg, w);
    if (s->groups)
        groups_save(s->groups, &p->aggs, w);
}

static void select_ahead(const struct op *op, struct writer *w)
{
    const struct select *s = (const struct select *)op;
    if (s->groups)
        groups_save(s->groups, &((const struct select_plan *)op->plan)->aggs, w);
}

static int select_load(struct op *op, struct reader *r)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    int rc = agg_block_load(&p->aggs, s->agg, r);
    if (rc == 0)
        rc = agg_block_load(&p->having_aggs, s->having_agg, r);
    if (rc < 0 || !s->groups)
        return rc;
    rc = groups_load(s->groups, &p->aggs, r);
    return rc == 0 && p->keep_groups && !groups_are_dense(s->groups) ? ERR_STATE : rc;
}

uint32_t select_group_numbers(const struct op *select)
{
    const struct select *s = (const struct select *)select;
    return s->groups ? s->groups->next_number : 1;
}

static void select_close(struct op *op)
{
    struct select *s = (struct select *)op;
    const struct select_plan *p = (const struct select_plan *)op->plan;
    agg_block_fini(&p->aggs, s->agg);
    agg_block_fini(&p->having_aggs, s->having_agg);
    if (s->groups)
        groups_fini(s->groups, &p->aggs);
    mem_free(s->groups);
    struct select_shared *shared = op_shared(op);
    if (shared->spare)
        mem_pool_free(shared->spare, p->row_bytes);
    shared->spare = NULL;
}

const struct op_type op_select = {
    .name = "select",
    .size_of = select_size_of,
    .shared_size = sizeof(struct select_shared),
    .open = select_open,
    .push = select_push,
    .one = select_one,
    .slide = select_slide,
    .save = select_save,
    .load = select_load,
    .ahead = select_ahead,
    .close = select_close,
    .explain = select_explain,
};
