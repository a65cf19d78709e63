/* partition.c - a partition at work: a copy of its queries for each key (spec 07).
 *
 * Laws: (1) a key comes into being with the first row that has it, and its queries start at that moment; (2)
 * keys are texts: whatever their type was, equal texts share a copy; (3) for each stream there is one
 * receiver, subscribed where the partition stands in the text; it hands a row to the queries of the key in
 * order of the text; (4) of a batch, runs of rows with one key go on together; (5) rows of streams that 'with
 * (...)' doesn't name go to every key there is, in the language's order: that of a hash map; (6) keys are
 * never dropped while rows are under way, only by the timer of @purge.
 *
 * A million keys are ordinary: a key costs its queries' operators (query.c) and about 60 bytes. */
#include "engine/run/partition.h"
#include "engine/base/utf8.h"
#include "engine/run/app.h"
#include "engine/run/output.h"
#include "engine/run/purge.h"
#include <stdlib.h>

enum { FIRST_SLOTS = 16 };

/* One key. Behind queries: its inner streams, then, with @purge, struct purge_use. */
struct partition {
    struct partitioner *owner;
    struct text *key;
    uint32_t hash, place; /* in owner->all */
    uint64_t number;      /* of its piece in checkpoints: keys count up */
    uint32_t touched;     /* place in owner->touched + 1; 0: as the last checkpoint has it */
    struct query *queries[];
};
struct receiver {
    struct op op;
    struct partitioner *owner;
    const struct partition_input *input;
};
struct partitioner {
    struct op op;
    const struct plan_partition *plan;
    struct receiver **receivers;
    struct query **models;  /* for each query: the operators all its copies share */
    size_t bytes, use_at;   /* of struct partition; where its purge_use is */
    struct partition **all; /* in order of coming into being; NULL: gone */
    uint32_t count, top, cap;
    struct slot {
        uint32_t place, hash; /* place + 1; 0: empty. The hash stands here too: a probe that misses costs no
                                 look at the key */
    } * slots;
    uint32_t slot_count;
    uint32_t most;              /* keys there were at one time: the language's map never shrinks */
    struct partition **ordered; /* all, in the language's order; NULL: not known */
    struct purge purge;
    /* Checkpoints (engine/data/state.h): a piece a key; those that were touched since the last one. Not noted
     * before the first. */
    uint64_t group, next_number;
    struct partition **touched; /* NULL: gone since */
    uint32_t touched_count, touched_cap;
};

/* ---- the table of keys ---- */

static uint32_t spread(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x85EBCA6Bu;
    hash ^= hash >> 13;
    hash *= 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

static void slot_put(struct partitioner *o, const struct partition *p)
{
    uint32_t mask = o->slot_count - 1, at = p->hash & mask;
    while (o->slots[at].place)
        at = (at + 1) & mask;
    o->slots[at] = (struct slot){p->place + 1, p->hash};
}

/* Room for one more: closes the holes, and doubles when most of it is in use. */
static void table_widen(struct partitioner *o)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < o->top; i++) {
        struct partition *p = o->all[i];
        if (!p)
            continue;
        p->place = top;
        o->all[top++] = p;
    }
    o->top = top;
    if (o->slot_count == 0)
        o->slot_count = FIRST_SLOTS;
    else if (o->count > o->cap / 2)
        o->slot_count *= 2;
    ASSERT(o->slot_count <= UINT32_MAX / 4);
    o->cap = o->slot_count / 4 * 3;
    o->all = mem_resize(o->all, o->cap, sizeof(*o->all));
    mem_free(o->slots);
    o->slots = mem_array(o->slot_count, sizeof(*o->slots));
    for (uint32_t i = 0; i < o->top; i++)
        slot_put(o, o->all[i]);
}

static struct partition *table_find(const struct partitioner *o, struct text *key, uint32_t hash)
{
    if (UNLIKELY(o->slot_count == 0))
        return NULL;
    uint32_t mask = o->slot_count - 1;
    for (uint32_t at = hash & mask; o->slots[at].place; at = (at + 1) & mask) {
        if (o->slots[at].hash != hash)
            continue;
        struct partition *p = o->all[o->slots[at].place - 1];
        if (LIKELY(text_equal(p->key, key)))
            return p;
    }
    return NULL;
}

/* Later slots of the run move back, so that no marks are left. */
static void slot_remove(struct partitioner *o, const struct partition *p)
{
    uint32_t mask = o->slot_count - 1, at = p->hash & mask;
    while (o->slots[at].place != p->place + 1)
        at = (at + 1) & mask;
    o->slots[at].place = 0;
    for (uint32_t next = (at + 1) & mask; o->slots[next].place; next = (next + 1) & mask) {
        uint32_t home = o->slots[next].hash & mask;
        if (((next - home) & mask) < ((next - at) & mask))
            continue;
        o->slots[at] = o->slots[next];
        o->slots[next].place = 0;
        at = next;
    }
}

static void order_forget(struct partitioner *o)
{
    mem_free(o->ordered);
    o->ordered = NULL;
}

/* ---- what a checkpoint must write ---- */

void partition_touch(struct partition *p)
{
    struct partitioner *o = p->owner;
    if (LIKELY(p->touched || !o->group))
        return;
    if (o->touched_count == o->touched_cap) {
        o->touched_cap = o->touched_cap ? o->touched_cap * 2 : 64;
        o->touched = mem_resize(o->touched, o->touched_cap, sizeof(struct partition *));
    }
    o->touched[o->touched_count++] = p;
    p->touched = o->touched_count;
}

static void untouch(struct partition *p)
{
    struct partitioner *o = p->owner;
    if (p->touched)
        o->touched[p->touched - 1] = NULL;
    if (o->group)
        state_drop(o->op.app->state, o->group, p->number, p->number + 1);
}

/* ---- a key's copy ---- */

static struct stream **inner_of(const struct partition *p)
{
    return (struct stream **)(uintptr_t)(p->queries + p->owner->plan->query_count);
}

static struct purge_use *use_of(const struct partition *p)
{
    return (struct purge_use *)(void *)((char *)(uintptr_t)p + p->owner->use_at);
}

static struct partition *of_use(const struct partitioner *o, struct purge_use *use)
{
    return (struct partition *)(void *)((char *)use - o->use_at);
}

struct stream *partition_stream(struct partition *p, const struct plan_element *e)
{
    return inner_of(p)[e->number];
}

static struct partition *partition_make(struct partitioner *o, struct text *key, uint32_t hash)
{
    const struct plan_partition *plan = o->plan;
    if (o->top == o->cap)
        table_widen(o);
    order_forget(o);
    struct partition *p = mem_pool_alloc(o->bytes);
    memset(p, 0, o->bytes);
    p->owner = o;
    p->key = value_keep(value_text(key)).as.s;
    p->hash = hash;
    p->place = o->top;
    p->number = o->next_number++;
    o->all[o->top++] = p;
    o->count++;
    if (o->count > o->most)
        o->most = o->count;
    slot_put(o, p);
    for (int i = 0; i < plan->inner_count; i++)
        inner_of(p)[i] = stream_new(o->op.app, plan->inner[i]);
    for (int i = 0; i < plan->query_count; i++)
        p->queries[i] = query_new(o->op.app, plan->queries[i], p, o->models[i]);
    for (int i = 0; i < plan->query_count; i++) {
        struct query *q = p->queries[i];
        for (int k = 0; k < q->plan->input_count; k++) {
            const struct plan_input *in = &q->plan->inputs[k];
            if (in->element->is_inner)
                stream_subscribe(inner_of(p)[in->element->number], q->ops[in->entry->index]);
        }
    }
    return p;
}

static void partition_end(struct partition *p)
{
    struct partitioner *o = p->owner;
    for (int i = o->plan->query_count; i > 0; i--)
        query_free(p->queries[i - 1], o->models[i - 1]);
    for (int i = 0; i < o->plan->inner_count; i++)
        stream_free(inner_of(p)[i]);
    value_drop(value_text(p->key));
    mem_pool_free(p, o->bytes);
}

static void partition_drop(struct partition *p)
{
    struct partitioner *o = p->owner;
    order_forget(o);
    slot_remove(o, p);
    o->all[p->place] = NULL;
    o->count--;
    untouch(p);
    partition_end(p);
}

/* ---- delivery ---- */

/* NULL: its queries could not be started, and the event failed. */
static struct partition *partition_begin(struct partitioner *o, struct text *key, uint32_t hash)
{
    struct partition *p = partition_make(o, key, hash);
    struct err e = {0};
    for (int i = 0; i < o->plan->query_count; i++) {
        if (query_start(p->queries[i], &e) == 0)
            continue;
        expr_fail(o->op.env, "%.200s", e.text);
        partition_drop(p);
        return NULL;
    }
    return p;
}

static struct partition *partition_need(struct partitioner *o, struct text *key)
{
    uint32_t hash = spread(text_hash(key));
    struct partition *p = table_find(o, key, hash);
    bool is_new = !p;
    if (UNLIKELY(is_new))
        p = partition_begin(o, key, hash);
    if (p)
        partition_touch(p);
    if (p && o->plan->purges)
        purge_touch(&o->purge, &o->op, use_of(p), is_new);
    return p;
}

static int hand_to(struct partition *p, const struct partition_input *in, const struct batch *b)
{
    for (int i = 0; i < in->route_count; i++) {
        const struct partition_route *r = &in->routes[i];
        int rc = op_push(p->queries[r->query]->ops[r->op], b);
        if (UNLIKELY(rc < 0))
            return rc;
    }
    return 0;
}

static int hand_to_key(struct receiver *r, struct text *key, const struct batch *b)
{
    struct partition *p = partition_need(r->owner, key);
    return p ? hand_to(p, r->input, b) : ERR_EVENT;
}

/* The text of a key that isn't null. */
static struct text *key_text(struct expr_env *env, struct value v)
{
    if (LIKELY(v.type == TYPE_STRING))
        return v.as.s;
    struct buf text;
    buf_init(&text, SIZE_MAX);
    value_print(v, &text);
    struct text *key = text_scratch(env->scratch, text.bytes ? text.bytes : "", text.len);
    buf_fini(&text);
    return key;
}

static int way_count(const struct partition_input *in)
{
    return in->value ? 1 : in->range_count;
}

/* The n-th key of an event: *key stays NULL when it has none. */
static int key_of(const struct receiver *r, const struct event *e, int n, struct text **key)
{
    const struct partition_input *in = r->input;
    struct frame f = {.env = r->op.env,
                      .rows = &e->row,
                      .at_ms = e->at_ms,
                      .kind = e->kind,
                      .user = (void *)(uintptr_t)&r->op};
    *key = NULL;
    if (in->value) {
        struct value v = expr_read(in->value, &f);
        if (!is_null(v) && !f.env->failed)
            *key = key_text(f.env, v);
    } else if (expr_is_true(in->ranges[n].condition, &f)) {
        *key = in->ranges[n].label;
    }
    return UNLIKELY(f.env->failed) ? ERR_EVENT : 0;
}

/* An event alone enters every range it lies in, also one whose label it had. */
static int push_one(struct receiver *r, const struct batch *in)
{
    int ways = way_count(r->input);
    for (int n = 0; n < ways; n++) {
        struct text *key;
        int rc = key_of(r, &in->events[0], n, &key);
        if (rc == 0 && key)
            rc = hand_to_key(r, key, in);
        if (UNLIKELY(rc < 0))
            return rc;
    }
    return 0;
}

/* Runs of one key; an event that lies in several ranges ends a run with each label that is another one.
 * Events without a key end none. */
static int push_runs(struct receiver *r, const struct batch *in)
{
    struct batch run;
    struct text *current = NULL;
    int ways = way_count(r->input), rc = 0;
    batch_init(&run, r->op.env->scratch, in->count);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        bool is_in = false;
        for (int n = 0; n < ways; n++) {
            struct text *key;
            rc = key_of(r, e, n, &key);
            if (UNLIKELY(rc < 0))
                return rc;
            if (!key || (is_in && text_equal(key, current)))
                continue;
            if (current && !text_equal(key, current)) {
                rc = hand_to_key(r, current, &run);
                if (UNLIKELY(rc < 0))
                    return rc;
                batch_init(&run, r->op.env->scratch, in->count - i);
            }
            current = key;
            is_in = true;
            run.is_batch = in->is_batch;
            batch_add(&run, e->row, e->at_ms, e->kind);
        }
    }
    return current ? hand_to_key(r, current, &run) : 0;
}

/* ---- rows for every key, in the order of Java's HashMap: buckets of the text's hash, in a bucket the order
 * of coming ---- */

struct in_bucket {
    uint32_t bucket;
    struct partition *p;
};

static int compare_buckets(const void *a, const void *b)
{
    const struct in_bucket *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return x->p->place < y->p->place ? -1 : 1;
}

static void order_make(struct partitioner *o)
{
    struct in_bucket *list = mem_array((size_t)o->count + 1, sizeof(*list));
    uint32_t buckets = 16, count = 0;
    while (o->most > buckets / 4 * 3 && buckets < 1u << 30)
        buckets *= 2;
    for (uint32_t i = 0; i < o->top; i++) {
        if (!o->all[i])
            continue;
        uint32_t hash = (uint32_t)utf8_java_hash(o->all[i]->key->bytes, o->all[i]->key->len);
        list[count++] = (struct in_bucket){(hash ^ hash >> 16) & (buckets - 1), o->all[i]};
    }
    qsort(list, count, sizeof(*list), compare_buckets);
    o->ordered = mem_array((size_t)count + 1, sizeof(*o->ordered));
    for (uint32_t i = 0; i < count; i++)
        o->ordered[i] = list[i].p;
    mem_free(list);
}

static int push_all(struct receiver *r, const struct batch *in)
{
    struct partitioner *o = r->owner;
    uint32_t count = o->count;
    if (count == 0)
        return 0;
    if (!o->ordered)
        order_make(o);
    /* Keys that come meanwhile make the list another one. */
    struct partition **keys = arena_raw(o->op.env->scratch, count * sizeof(struct partition *));
    memcpy(keys, o->ordered, count * sizeof(struct partition *));
    for (uint32_t i = 0; i < count; i++) {
        partition_touch(keys[i]);
        int rc = hand_to(keys[i], r->input, in);
        if (UNLIKELY(rc < 0))
            return rc;
    }
    return 0;
}

/* An event alone, with the key an expression gives. */
static int receiver_one(struct op *op, const struct event *e)
{
    struct receiver *r = (struct receiver *)op;
    const struct partition_input *in = r->input;
    if (UNLIKELY(!in->is_keyed || !in->value))
        return op_push_wrapped(op, NULL, 0, 0, e);
    struct text *key;
    if (UNLIKELY(key_of(r, e, 0, &key) < 0))
        return ERR_EVENT;
    if (UNLIKELY(!key))
        return 0;
    struct partition *p = partition_need(r->owner, key);
    if (UNLIKELY(!p))
        return ERR_EVENT;
    for (int i = 0; i < in->route_count; i++) {
        int rc = op_one(p->queries[in->routes[i].query]->ops[in->routes[i].op], e);
        if (UNLIKELY(rc < 0))
            return rc;
    }
    return 0;
}

static int receiver_push(struct op *op, const struct batch *in)
{
    struct receiver *r = (struct receiver *)op;
    if (UNLIKELY(!r->input->is_keyed))
        return push_all(r, in);
    return LIKELY(in->count == 1) ? push_one(r, in) : push_runs(r, in);
}

static const struct op_type op_receiver = {
    .name = "partition input", .size = sizeof(struct receiver), .push = receiver_push, .one = receiver_one};
static const struct op_plan receiver_plan = {.type = &op_receiver, .scheduler = -1};

/* ---- @purge ---- */

static int partitioner_due(struct op *op, int64_t due_ms)
{
    struct partitioner *o = (struct partitioner *)op;
    struct purge_use *use;
    (void)due_ms;
    while ((use = purge_take(&o->purge, op_now(op))) != NULL)
        partition_drop(of_use(o, use));
    purge_ask(&o->purge, op);
    return 0;
}

/* ---- made and unmade ---- */

static const struct op_type op_partition = {
    .name = "partition", .size = sizeof(struct partitioner), .due = partitioner_due};
static const struct op_plan partitioner_plan = {.type = &op_partition, .scheduler = -1};

/* The last operator of the chain, when it keeps nothing of its copy. */
static const struct op_plan *shared_op(const struct plan_query *q)
{
    const struct op_plan *last = q->select;
    while (last->next)
        last = last->next;
    if (last->type->save || last->type->due || last->type->start || last == q->select)
        return NULL;
    if (last->type == &op_output && ((const struct output_plan *)(const void *)last)->target->is_inner)
        return NULL;
    return last;
}

static struct query *model_new(struct app *app, const struct plan_query *plan)
{
    struct query *q = mem_alloc(sizeof(*q));
    const struct op_plan *shared = shared_op(plan);
    q->app = app;
    q->plan = plan;
    q->ops = mem_array((size_t)plan->op_count + 1, sizeof(struct op *));
    if (!shared)
        return q;
    struct op *op = q->ops[shared->index] = op_new(app, shared, q);
    if (op->type->open)
        op->type->open(op);
    return q;
}

static void model_free(struct query *q)
{
    for (int i = 0; i < q->plan->op_count; i++)
        op_free(q->ops[i]);
    mem_free(q->ops);
    mem_free(q);
}

struct op *partition_new(struct app *app, const struct plan_partition *plan)
{
    struct partitioner *o = (struct partitioner *)op_new(app, &partitioner_plan, NULL);
    o->plan = plan;
    o->use_at = sizeof(struct partition) + (size_t)plan->query_count * sizeof(struct query *) +
                (size_t)plan->inner_count * sizeof(struct stream *);
    o->bytes = o->use_at + (plan->purges ? sizeof(struct purge_use) : 0);
    purge_init(&o->purge, plan->interval_ms, plan->idle_ms);
    o->models = mem_array((size_t)plan->query_count + 1, sizeof(struct query *));
    for (int i = 0; i < plan->query_count; i++)
        o->models[i] = model_new(app, plan->queries[i]);
    o->receivers = mem_array((size_t)plan->input_count + 1, sizeof(struct receiver *));
    for (int i = 0; i < plan->input_count; i++) {
        const struct partition_input *in = &plan->inputs[i];
        struct receiver *r = o->receivers[i] = (struct receiver *)op_new(app, &receiver_plan, NULL);
        r->owner = o;
        r->input = in;
        if (in->route_count == 0)
            continue;
        struct stream *s = app_stream_of(app, in->element, NULL);
        stream_subscribe(s, &r->op);
        if (in->is_keyed && !s->splitter)
            s->splitter = &r->op;
    }
    return &o->op;
}

static void table_clear(struct partitioner *o)
{
    order_forget(o);
    for (uint32_t i = o->top; i > 0; i--) {
        if (o->all[i - 1])
            partition_end(o->all[i - 1]);
    }
    mem_free(o->all);
    mem_free(o->slots);
    mem_free(o->touched);
    o->touched = NULL;
    o->touched_count = o->touched_cap = 0;
    o->all = NULL;
    o->slots = NULL;
    o->count = o->top = o->cap = o->slot_count = o->most = 0;
}

void partition_free(struct op *op)
{
    struct partitioner *o = (struct partitioner *)op;
    table_clear(o);
    purge_fini(&o->purge);
    for (int i = 0; i < o->plan->input_count; i++)
        op_free(&o->receivers[i]->op);
    for (int i = 0; i < o->plan->query_count; i++)
        model_free(o->models[i]);
    mem_free(o->receivers);
    mem_free(o->models);
    op_free(op);
}

void partition_each_op(struct op *op, void (*visit)(struct op *op, void *user), void *user)
{
    struct partitioner *o = (struct partitioner *)op;
    for (uint32_t i = 0; i < o->top; i++) {
        for (int q = 0; o->all[i] && q < o->plan->query_count; q++) {
            const struct query *query = o->all[i]->queries[q];
            for (int k = 0; k < query->plan->op_count; k++) {
                if (query->ops[k]->query == query)
                    visit(query->ops[k], user);
            }
        }
    }
    visit(op, user);
}

/* ---- state ---- */

static void save_key(const struct partition *p, struct writer *w)
{
    const struct partitioner *o = p->owner;
    write_bytes(w, p->key->bytes, p->key->len);
    if (o->plan->purges)
        write_i64(w, use_of(p)->last_ms);
    for (int q = 0; q < o->plan->query_count; q++)
        query_save(p->queries[q], w);
}

static void save_piece(struct partition *p, struct writer *piece)
{
    buf_clear(&piece->out);
    save_key(p, piece);
    state_put(piece->state, p->owner->group, p->number, piece->out.bytes, piece->out.len);
    p->touched = 0;
}

static void save_pieces(struct partitioner *o, struct writer *w)
{
    struct writer piece = {.state = w->state};
    buf_init(&piece.out, SIZE_MAX);
    bool is_first = o->group == 0;
    if (is_first)
        o->group = state_group(w->state);
    for (uint32_t i = 0; is_first && i < o->top; i++)
        if (o->all[i])
            save_piece(o->all[i], &piece);
    for (uint32_t i = 0; i < o->touched_count; i++)
        if (o->touched[i])
            save_piece(o->touched[i], &piece);
    o->touched_count = 0;
    buf_fini(&piece.out);
    write_i64(w, (int64_t)o->group);
    write_i64(w, (int64_t)o->next_number);
}

/* What the copies of an operator share; nothing where there was no copy yet. */
static void save_shared(const struct partitioner *o, struct writer *w)
{
    for (int q = 0; q < o->plan->query_count; q++) {
        const struct plan_query *query = o->plan->queries[q];
        for (int i = 0; i < query->op_count; i++) {
            const struct op_plan *op = query->ops[i];
            const void *shared = o->op.app->shared[op->number];
            if (!op->type->save_shared)
                continue;
            write_u8(w, shared != NULL);
            if (shared)
                op->type->save_shared(op, shared, w);
        }
    }
}

static int load_shared(struct partitioner *o, struct reader *r)
{
    int rc = 0;
    for (int q = 0; q < o->plan->query_count; q++) {
        const struct plan_query *query = o->plan->queries[q];
        for (int i = 0; i < query->op_count && rc == 0; i++) {
            const struct op_plan *op = query->ops[i];
            if (!op->type->load_shared || !read_u8(r))
                continue;
            void **shared = &o->op.app->shared[op->number];
            if (!*shared)
                *shared = mem_alloc(op->type->shared_size);
            rc = op->type->load_shared(op, *shared, r);
        }
    }
    return rc;
}

void partition_save(const struct op *op, struct writer *w)
{
    const struct partitioner *o = (const struct partitioner *)op;
    write_tag(w, o->plan->name);
    write_u32(w, o->most);
    write_u32(w, o->count);
    if (w->state)
        save_pieces((struct partitioner *)(uintptr_t)o, w); /* how it is saved is no part of what it holds */
    for (uint32_t i = 0; !w->state && i < o->top; i++)
        if (o->all[i])
            save_key(o->all[i], w);
    save_shared(o, w);
    if (o->plan->purges)
        purge_save(&o->purge, w);
}

static int load_key(struct partitioner *o, struct reader *r, uint64_t number)
{
    size_t len;
    const char *bytes = read_bytes(r, &len);
    if (!bytes || r->failed)
        return ERR_STATE;
    struct text *key = text_new(bytes, len);
    uint32_t hash = spread(text_hash(key));
    int rc = table_find(o, key, hash) ? ERR_STATE : 0;
    if (rc == 0) {
        struct partition *p = partition_make(o, key, hash);
        p->number = number;
        if (o->plan->purges)
            use_of(p)->last_ms = read_i64(r);
        for (int q = 0; q < o->plan->query_count && rc == 0; q++)
            rc = query_load(p->queries[q], r);
    }
    value_drop(value_text(key));
    return rc;
}

static int compare_uses(const void *a, const void *b)
{
    int64_t x = (*(struct purge_use *const *)a)->last_ms, y = (*(struct purge_use *const *)b)->last_ms;
    return x < y ? -1 : x > y;
}

static int load_purge(struct partitioner *o, struct reader *r)
{
    int rc = purge_load(&o->purge, r);
    struct purge_use **uses = mem_array((size_t)o->top + 1, sizeof(*uses));
    for (uint32_t i = 0; i < o->top; i++)
        uses[i] = use_of(o->all[i]);
    qsort(uses, o->top, sizeof(struct purge_use *), compare_uses);
    for (uint32_t i = 0; i < o->top; i++)
        purge_append(&o->purge, uses[i]);
    mem_free(uses);
    if (rc == 0)
        purge_ask(&o->purge, &o->op);
    return rc;
}

/* A key of which something was lost (state.h: state_mend) is left out, its piece too. */
static int leave_out(struct partitioner *o, struct state *s, uint64_t group, uint64_t number)
{
    struct partition *p = o->top ? o->all[o->top - 1] : NULL;
    if (p && p->number == number)
        partition_drop(p);
    state_drop(s, group, number, number + 1);
    (void)state_forgive(s);
    return 0;
}

/* Each piece is copied: the queues inside have pieces of their own to read. */
static int load_pieces(struct partitioner *o, struct reader *r)
{
    struct state_piece piece = {0};
    struct buf bytes;
    uint64_t group = (uint64_t)read_i64(r), next = (uint64_t)read_i64(r);
    int rc = r->failed ? ERR_STATE : 0;
    buf_init(&bytes, SIZE_MAX);
    for (bool is_first = true; rc == 0 && state_next(r->state, group, is_first, &piece); is_first = false) {
        buf_clear(&bytes);
        buf_add(&bytes, piece.reader.at, (size_t)(piece.reader.end - piece.reader.at));
        struct reader own = {.at = (const uint8_t *)bytes.bytes,
                             .end = (const uint8_t *)bytes.bytes + bytes.len,
                             .state = r->state};
        rc = load_key(o, &own, piece.number);
        if (own.failed || own.at != own.end || state_failed(r->state))
            rc = ERR_STATE;
        if (rc < 0 && state_mends(r->state))
            rc = leave_out(o, r->state, group, piece.number);
    }
    buf_fini(&bytes);
    o->group = group;
    o->next_number = next;
    return state_failed(r->state) ? ERR_STATE : rc;
}

int partition_load(struct op *op, struct reader *r)
{
    struct partitioner *o = (struct partitioner *)op;
    if (!read_tag(r, o->plan->name))
        return ERR_STATE;
    table_clear(o);
    uint32_t most = read_u32(r);
    uint32_t count = read_u32(r);
    int rc = r->state ? load_pieces(o, r) : 0;
    for (uint32_t i = 0; !r->state && i < count && rc == 0 && !r->failed; i++)
        rc = load_key(o, r, i);
    if (rc == 0 && o->count < count && r->state && state_mends(r->state))
        state_lose(r->state, count - o->count);
    else if (rc == 0 && o->count != count)
        rc = ERR_STATE;
    if (rc == 0)
        rc = load_shared(o, r);
    if (rc == 0 && o->plan->purges)
        rc = load_purge(o, r);
    o->most = most > o->count ? most : o->count;
    return r->failed ? ERR_STATE : rc;
}
