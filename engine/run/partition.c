/* partition.c - a partition at work: a copy of its queries for each key (spec 07).
 *
 * Laws: (1) a key comes into being with the first row that has it, and its queries start at that moment; (2)
 * keys are texts: whatever their type was, equal texts share a copy; (3) for each stream there is one
 * receiver, subscribed where the partition stands in the text; it hands a row to the queries of the key in
 * order of the text; (4) of a batch, runs of rows with one key go on together; (5) rows of streams that 'with
 * (...)' doesn't name go to every key there is, in the language's order: that of a hash map; (6) keys are
 * never dropped while rows are under way, only by the timer of @purge.
 *
 * A million keys are ordinary. All a key holds lies in one block (keys.h), each thing at the same place in
 * every block, so that an event that finds the key touches few lines of memory, one beside the other. */
#include "engine/run/partition.h"
#include "engine/base/utf8.h"
#include "engine/data/segments.h"
#include "engine/run/app.h"
#include "engine/run/keys.h"
#include "engine/run/output.h"
#include "engine/run/purge.h"
#include <stdlib.h>

/* One key. Behind it its inner streams, with @purge struct purge_use, and its queries. key.mark: place in
 * owner->saved + 1; 0: it has none yet. */
struct partition {
    struct keyed key;
    struct partitioner *owner;
    uint64_t number; /* keys count up */
    struct stream *inner[];
};
struct receiver {
    struct op op;
    struct partitioner *owner;
    const struct partition_input *input;
    size_t *routes; /* where in a block the operator of each is */
    int column;     /* of texts that are the keys; -1: they are come by otherwise */
};
struct partitioner {
    struct op op;
    const struct plan_partition *plan;
    struct receiver **receivers;
    struct query **models; /* for each query: the operators all its copies share */
    size_t bytes, use_at;  /* of a block; where in it purge_use is */
    size_t *query_at;      /* and each query */
    struct keys keys;
    uint32_t most;              /* keys there were at one time: the language's map never shrinks */
    struct partition **ordered; /* all, in the language's order; NULL: not known */
    struct purge purge;
    uint64_t next_number;
    struct segments *saved; /* keys by their places there: how they stand in a checkpoint */
    uint32_t *by_place;     /* of its key's block; made with the first checkpoint, then for all keys */
    uint32_t place_count, place_cap;
    bool asks; /* its copies ask for timers */
};

static struct purge_use *use_of(const struct partition *p)
{
    return (struct purge_use *)(void *)((char *)(uintptr_t)p + p->owner->use_at);
}

static struct partition *of_use(const struct partitioner *o, struct purge_use *use)
{
    return (struct partition *)(void *)((char *)use - o->use_at);
}

static struct query *query_of(const struct partition *p, int query)
{
    return (struct query *)(void *)((char *)(uintptr_t)p + p->owner->query_at[query]);
}

struct stream *partition_stream(struct partition *p, const struct plan_element *e)
{
    return p->inner[e->number];
}

/* ---- all keys ---- */

static int compare_numbers(const void *a, const void *b)
{
    const struct partition *x = *(struct partition *const *)a, *y = *(struct partition *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* All of them, keys_count, in order of coming into being; the caller frees the list. That is the order of
 * their places until a place is used again. */
static struct partition **partitions_list(const struct partitioner *o)
{
    const struct blocks *b = &o->keys.blocks;
    struct partition **list = mem_array((size_t)keys_count(&o->keys) + 1, sizeof(struct partition *));
    uint32_t count = 0;
    bool is_sorted = true;
    for (uint32_t i = blocks_next(b, 0); i < blocks_end(b); i = blocks_next(b, i + 1)) {
        list[count] = blocks_at(b, i);
        is_sorted = is_sorted && (!count || list[count - 1]->number < list[count]->number);
        count++;
    }
    if (!is_sorted)
        qsort(list, count, sizeof(struct partition *), compare_numbers);
    return list;
}

static void order_forget(struct partitioner *o)
{
    mem_free(o->ordered);
    o->ordered = NULL;
}

/* ---- what a checkpoint must write ---- */

const char *partition_key(const struct partition *p, size_t *len)
{
    return keyed_text(&p->key, len);
}

void partition_touch(struct partition *p)
{
    struct partitioner *o = p->owner;
    if (UNLIKELY(o->saved != NULL))
        segments_touch(o->saved, p->key.mark - 1);
}

static void place_give(struct partition *p)
{
    struct partitioner *o = p->owner;
    if (o->place_count == o->place_cap) {
        o->place_cap = o->place_cap ? o->place_cap * 2 : 64;
        o->by_place = mem_resize(o->by_place, o->place_cap, sizeof(*o->by_place));
    }
    o->by_place[o->place_count++] = p->key.place;
    p->key.mark = o->place_count;
    partition_touch(p);
}

/* The last one comes to stand in its place. */
static void place_take(struct partition *p)
{
    struct partitioner *o = p->owner;
    if (!p->key.mark)
        return;
    struct partition *last = blocks_at(&o->keys.blocks, o->by_place[--o->place_count]);
    if (last == p)
        return;
    o->by_place[p->key.mark - 1] = last->key.place;
    last->key.mark = p->key.mark;
    partition_touch(last);
}

/* ---- a key's copy ---- */

static struct partition *partition_make(struct partitioner *o, struct text *key, uint32_t hash)
{
    const struct plan_partition *plan = o->plan;
    struct partition *p = (struct partition *)keys_add(&o->keys, key, hash);
    order_forget(o);
    p->owner = o;
    p->number = o->next_number++;
    if (o->by_place)
        place_give(p);
    if (keys_count(&o->keys) > o->most)
        o->most = keys_count(&o->keys);
    for (int i = 0; i < plan->inner_count; i++)
        p->inner[i] = stream_new(op_app(&o->op), plan->inner[i]);
    for (int i = 0; i < plan->query_count; i++)
        query_init(query_of(p, i), op_app(&o->op), plan->queries[i], p, o->models[i]);
    for (int i = 0; i < plan->query_count && plan->inner_count > 0; i++) {
        struct query *q = query_of(p, i);
        for (int k = 0; k < q->plan->input_count; k++) {
            const struct plan_input *in = &q->plan->inputs[k];
            if (in->element->is_inner)
                stream_subscribe(p->inner[in->element->number], q->ops[in->entry->index]);
        }
    }
    return p;
}

/* What it holds; its block and its key are there yet. */
static void partition_end(struct partition *p)
{
    struct partitioner *o = p->owner;
    for (int i = o->plan->query_count; i > 0; i--)
        query_fini(query_of(p, i - 1));
    for (int i = 0; i < o->plan->inner_count; i++)
        stream_free(p->inner[i]);
}

static void partition_drop(struct partition *p)
{
    struct partitioner *o = p->owner;
    order_forget(o);
    place_take(p);
    partition_end(p);
    keys_remove(&o->keys, &p->key);
}

/* ---- delivery ---- */

/* NULL: its queries could not be started, and the event failed. */
static struct partition *partition_begin(struct partitioner *o, struct text *key, uint32_t hash)
{
    struct partition *p = partition_make(o, key, hash);
    struct err e = {0};
    for (int i = 0; i < o->plan->query_count; i++) {
        if (query_start(query_of(p, i), &e) == 0)
            continue;
        expr_fail(o->op.env, "%.200s", e.text);
        partition_drop(p);
        return NULL;
    }
    return p;
}

static struct partition *partition_need(struct partitioner *o, struct text *key)
{
    uint32_t hash = keys_hash(key);
    struct partition *p = (struct partition *)keys_guess(&o->keys, key, hash);
    bool is_new = !p;
    if (UNLIKELY(is_new))
        p = partition_begin(o, key, hash);
    if (UNLIKELY(!p))
        return NULL;
    keys_note(&o->keys, &p->key);
    partition_touch(p);
    if (o->plan->purges)
        purge_touch(&o->purge, &o->op, use_of(p), is_new);
    return p;
}

/* Where a route of the input leads. */
static inline struct op *entry_of(const struct receiver *r, struct partition *p, int route)
{
    return (struct op *)(void *)((char *)p + r->routes[route]);
}

static int hand_to(const struct receiver *r, struct partition *p, const struct batch *b)
{
    for (int i = 0; i < r->input->route_count; i++) {
        int rc = op_push(entry_of(r, p, i), b);
        if (UNLIKELY(rc < 0))
            return rc;
    }
    return 0;
}

static int hand_to_key(struct receiver *r, struct text *key, const struct batch *b)
{
    struct partition *p = partition_need(r->owner, key);
    return p ? hand_to(r, p, b) : ERR_EVENT;
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

/* The keys of a chunk are known before their turn: what the index and the blocks hold of them comes from far
 * when there are many, and all at once is sooner than one after another. */
enum { MANY_KEYS = 2048, INDEX_AHEAD = 12, BLOCK_AHEAD = 6 };

static inline bool soon(const struct receiver *r, const struct batch *in, uint32_t i, uint32_t *hash)
{
    if (i >= in->count)
        return false;
    const struct value v = row_get(in->events[i].row, (size_t)r->column);
    if (UNLIKELY(v.type != TYPE_STRING))
        return false;
    *hash = keys_hash(v.as.s);
    return true;
}

static void look_ahead(const struct receiver *r, const struct batch *in, uint32_t i)
{
    const struct keys *keys = &r->owner->keys;
    uint32_t hash;
    if (soon(r, in, i + INDEX_AHEAD, &hash))
        keys_expect(keys, hash);
    if (soon(r, in, i + BLOCK_AHEAD, &hash))
        keys_bring(keys, hash);
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
        if (r->column >= 0 && keys_count(&r->owner->keys) >= MANY_KEYS)
            look_ahead(r, in, i);
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
                run.count = 0; /* it was borrowed */
            }
            current = key;
            is_in = true;
            run.is_batch = in->is_batch;
            batch_add(&run, e->row, e->at_ms, e->kind);
        }
    }
    return current ? hand_to_key(r, current, &run) : 0;
}

/* ---- rows for every key, in the order of a Java HashSet into which a ConcurrentHashMap of the keys was put:
 * how that map came to be is played again ---- */

struct key_entry {
    struct key_entry *next;
    uint32_t hash;
    struct partition *p;
};
struct key_map {
    struct key_entry **bins;
    uint32_t bin_count;
};

static void bin_append(struct key_entry **bin, struct key_entry *e)
{
    while (*bin)
        bin = &(*bin)->next;
    e->next = NULL;
    *bin = e;
}

/* One bin becomes two: the last run of entries that stay together keeps its order, the others come before it,
 * each at the front. */
static void bin_split(struct key_entry *bin, uint32_t bit, struct key_entry **low, struct key_entry **high)
{
    struct key_entry *run = bin, *next;
    for (struct key_entry *e = bin; e; e = e->next) {
        if ((e->hash & bit) != (run->hash & bit))
            run = e;
    }
    *low = run && !(run->hash & bit) ? run : NULL;
    *high = run && (run->hash & bit) ? run : NULL;
    for (struct key_entry *e = bin; e != run; e = next) {
        struct key_entry **to = e->hash & bit ? high : low;
        next = e->next;
        e->next = *to;
        *to = e;
    }
}

static void map_double(struct key_map *m)
{
    struct key_entry **bins = mem_array((size_t)m->bin_count * 2, sizeof(*bins));
    for (uint32_t i = 0; i < m->bin_count; i++)
        bin_split(m->bins[i], m->bin_count, &bins[i], &bins[i + m->bin_count]);
    mem_free(m->bins);
    m->bins = bins;
    m->bin_count *= 2;
}

static uint32_t java_hash(const struct partition *p)
{
    size_t len;
    const char *text = keyed_text(&p->key, &len);
    uint32_t hash = (uint32_t)utf8_java_hash(text, len);
    return hash ^ hash >> 16;
}

/* The keys in the order they came, then what the most there were at one time made of the map. */
static void map_fill(struct key_map *m, struct key_entry *entries, struct partition *const *keys,
                     uint32_t count, uint32_t most)
{
    enum { FIRST_BINS = 16 };
    m->bin_count = FIRST_BINS;
    m->bins = mem_array(FIRST_BINS, sizeof(*m->bins));
    for (uint32_t i = 0; i < most && m->bin_count < 1u << 30; i++) {
        if (i < count) {
            entries[i] = (struct key_entry){.hash = java_hash(keys[i]), .p = keys[i]};
            bin_append(&m->bins[entries[i].hash & (m->bin_count - 1)], &entries[i]);
        }
        while (i + 1 >= m->bin_count / 4 * 3)
            map_double(m);
    }
}

static void order_make(struct partitioner *o)
{
    uint32_t count = keys_count(&o->keys), bins = 16, at = 0;
    struct key_map map;
    struct key_entry *entries = mem_array((size_t)count + 1, sizeof(*entries));
    o->ordered = partitions_list(o);
    map_fill(&map, entries, o->ordered, count, o->most > count ? o->most : count);
    while (bins < (uint64_t)count * 4 / 3 + 1)
        bins *= 2;
    struct key_entry **set = mem_array(bins, sizeof(*set)), *next;
    for (uint32_t i = 0; i < map.bin_count; i++) {
        for (struct key_entry *e = map.bins[i]; e; e = next) {
            next = e->next;
            bin_append(&set[e->hash & (bins - 1)], e);
        }
    }
    for (uint32_t i = 0; i < bins; i++) {
        for (struct key_entry *e = set[i]; e; e = e->next)
            o->ordered[at++] = e->p;
    }
    mem_free(set);
    mem_free(map.bins);
    mem_free(entries);
}

static int push_all(struct receiver *r, const struct batch *in)
{
    struct partitioner *o = r->owner;
    uint32_t count = keys_count(&o->keys);
    if (count == 0)
        return 0;
    if (!o->ordered)
        order_make(o);
    /* Keys that come meanwhile make the list another one. */
    struct partition **keys = arena_raw(o->op.env->scratch, count * sizeof(struct partition *));
    memcpy(keys, o->ordered, count * sizeof(struct partition *));
    for (uint32_t i = 0; i < count; i++) {
        partition_touch(keys[i]);
        int rc = hand_to(r, keys[i], in);
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
        int rc = op_one(entry_of(r, p, i), e);
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
    struct query *q = mem_alloc(sizeof(*q) + (size_t)plan->op_count * sizeof(struct op *));
    const struct op_plan *shared = shared_op(plan);
    q->plan = plan;
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
    mem_free(q);
}

/* Where in a block everything is. */
static void plan_block(struct partitioner *o)
{
    const struct plan_partition *plan = o->plan;
    size_t at = sizeof(struct partition) + (size_t)plan->inner_count * sizeof(struct stream *);
    o->use_at = at;
    at += plan->purges ? sizeof(struct purge_use) : 0;
    o->query_at = mem_array((size_t)plan->query_count + 1, sizeof(size_t));
    for (int i = 0; i < plan->query_count; i++) {
        o->query_at[i] = at;
        at += query_bytes(plan->queries[i], o->models[i]);
    }
    o->bytes = at;
    keys_init(&o->keys, at);
}

static struct receiver *receiver_new(struct partitioner *o, const struct partition_input *in)
{
    struct receiver *r = (struct receiver *)op_new(op_app(&o->op), &receiver_plan, NULL);
    r->owner = o;
    r->input = in;
    r->column =
        in->value && in->value->eval == eval_attr && in->value->slot == 0 ? (int)in->value->index : -1;
    r->routes = mem_array((size_t)in->route_count + 1, sizeof(size_t));
    for (int i = 0; i < in->route_count; i++) {
        int query = in->routes[i].query;
        ASSERT(!o->models[query]->ops[in->routes[i].op]); /* where events enter is each copy's own */
        r->routes[i] =
            o->query_at[query] + query_op_at(o->plan->queries[query], o->models[query], in->routes[i].op);
    }
    return r;
}

/* Mostly no copy does. */
static bool asks_for_timers(const struct plan_partition *plan)
{
    for (int q = 0; q < plan->query_count; q++) {
        for (int k = 0; k < plan->queries[q]->op_count; k++) {
            if (plan->queries[q]->ops[k]->type->due)
                return true;
        }
    }
    return false;
}

struct op *partition_new(struct app *app, const struct plan_partition *plan)
{
    struct partitioner *o = (struct partitioner *)op_new(app, &partitioner_plan, NULL);
    o->plan = plan;
    o->asks = asks_for_timers(plan);
    purge_init(&o->purge, plan->interval_ms, plan->idle_ms);
    o->models = mem_array((size_t)plan->query_count + 1, sizeof(struct query *));
    for (int i = 0; i < plan->query_count; i++)
        o->models[i] = model_new(app, plan->queries[i]);
    plan_block(o);
    o->receivers = mem_array((size_t)plan->input_count + 1, sizeof(struct receiver *));
    for (int i = 0; i < plan->input_count; i++) {
        const struct partition_input *in = &plan->inputs[i];
        struct receiver *r = o->receivers[i] = receiver_new(o, in);
        if (in->route_count == 0)
            continue;
        struct stream *s = app_stream_of(app, in->element, NULL);
        stream_subscribe(s, &r->op);
        if (in->is_keyed && !s->splitter)
            s->splitter = &r->op;
    }
    return &o->op;
}

static void partitions_clear(struct partitioner *o)
{
    const struct blocks *b = &o->keys.blocks;
    order_forget(o);
    for (uint32_t i = blocks_next(b, 0); i < blocks_end(b); i = blocks_next(b, i + 1))
        partition_end(blocks_at(b, i));
    keys_fini(&o->keys);
    segments_end(&o->saved);
    mem_free(o->by_place);
    o->by_place = NULL;
    o->place_count = o->place_cap = 0;
    o->most = 0;
}

void partition_free(struct op *op)
{
    struct partitioner *o = (struct partitioner *)op;
    partitions_clear(o);
    purge_fini(&o->purge);
    for (int i = 0; i < o->plan->input_count; i++) {
        mem_free(o->receivers[i]->routes);
        op_free(&o->receivers[i]->op);
    }
    for (int i = 0; i < o->plan->query_count; i++)
        model_free(o->models[i]);
    mem_free(o->receivers);
    mem_free(o->models);
    mem_free(o->query_at);
    op_free(op);
}

enum { BLOCKS_AHEAD = 8 };

static void near_block(const struct partitioner *o, const struct partition *p)
{
    enum { LINE = 64, NEAR_BYTES = 8 * LINE };
    for (size_t at = 0; at < o->bytes && at < NEAR_BYTES; at += LINE)
        __builtin_prefetch((const char *)p + at);
}

static void copy_each_op(const struct partition *p, bool due_only, void (*visit)(struct op *op, void *user),
                         void *user)
{
    for (int q = 0; q < p->owner->plan->query_count; q++) {
        const struct query *query = query_of(p, q);
        for (int k = 0; k < query->plan->op_count; k++) {
            if ((query->plan->ops[k]->type->due || !due_only) && query->ops[k]->query == query)
                visit(query->ops[k], user);
        }
    }
}

void partition_each_copy(struct op *op, bool due_only, void (*visit)(struct op *op, void *user), void *user)
{
    const struct partitioner *o = (const struct partitioner *)op;
    struct partition **all = partitions_list(o);
    for (uint32_t i = 0; i < keys_count(&o->keys); i++) {
        if (i + BLOCKS_AHEAD < keys_count(&o->keys))
            near_block(o, all[i + BLOCKS_AHEAD]);
        copy_each_op(all[i], due_only, visit, user);
    }
    mem_free(all);
}

/* ---- state ---- */

static void near_key(void *user, uint32_t place, int step)
{
    const struct partitioner *o = user;
    if (step == 0)
        near_block(o, blocks_at(&o->keys.blocks, o->by_place[place]));
}

static void write_key(void *user, struct writer *w, uint32_t place)
{
    const struct partitioner *o = user;
    struct partition *p = blocks_at(&o->keys.blocks, o->by_place[place]);
    size_t len;
    const char *text = keyed_text(&p->key, &len);
    write_bytes(w, text, len);
    write_varint(w, p->number);
    if (o->plan->purges)
        write_i64(w, use_of(p)->last_ms);
    bool was_lean = w->is_lean;
    w->is_lean = true;
    for (int q = 0; q < o->plan->query_count; q++)
        query_save(query_of(p, q), w);
    w->is_lean = was_lean;
    if (o->asks)
        copy_each_op(p, true, timer_save, w);
}

static void save_keys(struct partitioner *o, struct writer *w)
{
    if (!o->by_place) {
        struct partition **all = partitions_list(o);
        for (uint32_t i = 0; i < keys_count(&o->keys); i++)
            place_give(all[i]);
        mem_free(all);
    }
    write_i64(w, (int64_t)o->next_number);
    segments_save(&o->saved, w, o->place_count,
                  &(struct segments_owner){.user = o, .write = write_key, .near = near_key});
}

/* What the copies of an operator share; nothing where there was no copy yet. */
static void save_shared(const struct partitioner *o, struct writer *w)
{
    for (int q = 0; q < o->plan->query_count; q++) {
        const struct plan_query *query = o->plan->queries[q];
        for (int i = 0; i < query->op_count; i++) {
            const struct op_plan *op = query->ops[i];
            const void *shared = op_app(&o->op)->shared[op->number];
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
            void **shared = &op_app(&o->op)->shared[op->number];
            if (!*shared)
                *shared = mem_alloc(op->type->shared_size);
            rc = op->type->load_shared(op, *shared, r);
        }
    }
    return rc;
}

void partition_save(const struct op *op, struct writer *w)
{
    struct partitioner *o =
        (struct partitioner *)(uintptr_t)op; /* how it is saved is no part of what it holds */
    write_tag(w, o->plan->name);
    write_u32(w, o->most);
    save_keys(o, w);
    save_shared(o, w);
    if (o->plan->purges)
        purge_save(&o->purge, w);
}

void partition_ahead(const struct op *op, struct writer *w)
{
    save_keys((struct partitioner *)(uintptr_t)op, w);
}

static bool begin_keys(void *user, uint32_t count)
{
    struct partitioner *o = user;
    o->place_cap = count + 1;
    o->place_count = count;
    o->by_place = mem_resize(o->by_place, o->place_cap, sizeof(*o->by_place));
    return true;
}

static bool read_key(void *user, struct reader *r, uint32_t place)
{
    struct partitioner *o = user;
    size_t len;
    const char *bytes = read_bytes(r, &len);
    uint64_t number = read_varint(r);
    if (!bytes || r->failed || number >= o->next_number)
        return false;
    struct text *key = text_new(bytes, len);
    uint32_t hash = keys_hash(key);
    bool good = !keys_find(&o->keys, key, hash);
    if (good) {
        uint32_t *by_place = o->by_place;
        uint64_t next = o->next_number;
        o->by_place = NULL; /* its place is known */
        struct partition *p = partition_make(o, key, hash);
        o->by_place = by_place;
        o->next_number = next;
        p->number = number;
        p->key.mark = place + 1;
        by_place[place] = p->key.place;
        if (o->plan->purges)
            use_of(p)->last_ms = read_i64(r);
        bool was_lean = r->is_lean;
        r->is_lean = true;
        for (int q = 0; q < o->plan->query_count && good; q++)
            good = query_load(query_of(p, q), r) == 0;
        r->is_lean = was_lean;
        if (good && o->asks)
            copy_each_op(p, true, timer_load, r);
    }
    value_drop(value_text(key));
    return good;
}

static int compare_uses(const void *a, const void *b)
{
    int64_t x = (*(struct purge_use *const *)a)->last_ms, y = (*(struct purge_use *const *)b)->last_ms;
    return x < y ? -1 : x > y;
}

static int load_purge(struct partitioner *o, struct reader *r)
{
    int rc = purge_load(&o->purge, r);
    uint32_t count = keys_count(&o->keys);
    struct partition **all = partitions_list(o);
    struct purge_use **uses = mem_array((size_t)count + 1, sizeof(*uses));
    for (uint32_t i = 0; i < count; i++)
        uses[i] = use_of(all[i]);
    qsort(uses, count, sizeof(struct purge_use *), compare_uses);
    for (uint32_t i = 0; i < count; i++)
        purge_append(&o->purge, uses[i]);
    mem_free(uses);
    mem_free(all);
    if (rc == 0)
        purge_ask(&o->purge, &o->op);
    return rc;
}

static int load_keys(struct partitioner *o, struct reader *r)
{
    o->next_number = (uint64_t)read_i64(r);
    int rc = segments_load(&o->saved, r,
                           &(struct segments_owner){.user = o, .read = read_key, .begin = begin_keys});
    return rc == 0 && keys_count(&o->keys) != o->place_count ? ERR_STATE : rc;
}

void partition_touch_all(struct op *op)
{
    struct partitioner *o = (struct partitioner *)op;
    for (uint32_t i = 0; o->asks && i < o->place_count; i++)
        segments_touch(o->saved, i);
}

int partition_load(struct op *op, struct reader *r)
{
    struct partitioner *o = (struct partitioner *)op;
    if (!read_tag(r, o->plan->name))
        return ERR_STATE;
    partitions_clear(o);
    keys_init(&o->keys, o->bytes);
    uint32_t most = read_u32(r);
    int rc = load_keys(o, r);
    if (rc == 0)
        rc = load_shared(o, r);
    if (rc == 0 && o->plan->purges)
        rc = load_purge(o, r);
    o->most = most > keys_count(&o->keys) ? most : keys_count(&o->keys);
    return r->failed ? ERR_STATE : rc;
}
