/* frequent.c - window.frequent(n [, key]) and window.lossyFrequent(support [, error [, key]]): the newest
 * event of each frequent key (spec 04 sections 2.13, 2.14).
 *
 * Laws of frequent (Misra-Gries): (1) a known key counts one more, keeps the new event, passes it; (2) when a
 * new key finds n others, all lose one, those at 0 leave in front of it; if none left, the new event is
 * dropped. Laws of lossyFrequent: (3) the event passes when its key's count is at least (support - error) *
 * total; (4) at each end of a bucket of ceil(1 / error) events the keys with count + delta <= bucket leave
 * behind it. Several leave in the order of a Java hash map; joins see the kept events in it. */
#include "engine/window/java_map.h"
#include "engine/window/window.h"
#include <math.h>

struct frequent_plan {
    struct op_plan op;
    int32_t n;             /* frequent */
    double support, error; /* lossyFrequent */
    double width;          /* of a bucket */
    int *key;              /* attributes whose texts are the key; -1: the text null */
    int key_count;
};
struct entry {
    struct java_entry in_map;
    struct row *row;
    int64_t count, delta;
};
struct frequent {
    struct op op;
    struct java_map map;
    int64_t total;
    double bucket;
};

static const struct frequent_plan *plan_of(const struct op *op)
{
    return (const struct frequent_plan *)(const void *)op->plan;
}

/* NULL after expr_fail. */
static struct text *key_of(struct frequent *w, const struct row *row)
{
    const struct frequent_plan *p = plan_of(&w->op);
    struct buf buf;
    buf_init(&buf, LIMIT_KEY_BYTES);
    for (int i = 0; i < p->key_count; i++)
        value_print(p->key[i] < 0 ? VALUE_NULL : row_get(row, (size_t)p->key[i]), &buf);
    if (buf.overflow)
        expr_fail(w->op.env, "%s: the key has more than %d bytes", w->op.type->name, LIMIT_KEY_BYTES);
    struct text *key =
        buf.overflow ? NULL : text_scratch(w->op.env->scratch, buf.bytes ? buf.bytes : "", buf.len);
    buf_fini(&buf);
    return key;
}

static struct entry *entry_of(struct frequent *w, struct text *key)
{
    return (struct entry *)java_map_get(&w->map, key->bytes, key->len);
}

/* The entry's row becomes e's; the one before is unref'd: no chunk carries it. */
static void entry_hold(struct entry *x, const struct event *e)
{
    struct row *row = e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
    if (x->row)
        row_unref(x->row);
    x->row = row;
}

/* As entry_hold, of one that is in the map. */
static void entry_renew(struct frequent *w, struct entry *x, const struct event *e)
{
    java_map_touch(&w->map, &x->in_map);
    entry_hold(x, e);
}

static struct entry *entry_new(struct frequent *w, struct text *key, const struct event *e)
{
    struct entry *x = mem_alloc(sizeof *x);
    entry_hold(x, e);
    java_map_add(&w->map, &x->in_map, key->bytes, key->len);
    return x;
}

static void entry_expire(struct frequent *w, struct entry *x, struct batch *out)
{
    batch_add(out, x->row, op_now(&w->op), EVENT_EXPIRED);
    java_map_remove(&w->map, &x->in_map);
    mem_free(x);
}

/* Does a new key get a place? */
static bool make_room(struct frequent *w, int32_t n, struct batch *out)
{
    if ((int64_t)w->map.count < n)
        return true;
    struct java_entry **list = java_map_list(&w->map, w->op.env->scratch);
    uint32_t count = w->map.count;
    for (uint32_t i = 0; i < count; i++) {
        struct entry *x = (struct entry *)list[i];
        java_map_touch(&w->map, list[i]);
        if (--x->count == 0)
            entry_expire(w, x, out);
    }
    return (int64_t)w->map.count < n;
}

static int frequent_push(struct op *op, const struct batch *in)
{
    struct frequent *w = (struct frequent *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        struct text *key = key_of(w, e->row);
        if (!key)
            return window_fail(&out);
        struct entry *x = entry_of(w, key);
        if (x) {
            entry_renew(w, x, e);
            x->count++;
        } else if (make_room(w, plan_of(op)->n, &out)) {
            entry_new(w, key, e)->count = 1;
        } else {
            continue;
        }
        window_pass(&out, e);
    }
    return window_emit(op, &out);
}

static int lossy_push(struct op *op, const struct batch *in)
{
    struct frequent *w = (struct frequent *)op;
    const struct frequent_plan *p = plan_of(op);
    struct batch out;
    batch_init(&out, op->env->scratch, in->count * 2);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        struct text *key = key_of(w, e->row);
        if (!key)
            return window_fail(&out);
        w->total++;
        if (w->total != 1)
            w->bucket = ceil((double)w->total / p->width);
        struct entry *x = entry_of(w, key);
        if (x) {
            entry_renew(w, x, e);
        } else {
            x = entry_new(w, key, e);
            x->delta = (int64_t)w->bucket - 1;
        }
        x->count++;
        if ((double)x->count >= (p->support - p->error) * (double)w->total)
            window_pass(&out, e);
        if (fmod((double)w->total, p->width) != 0)
            continue;
        struct java_entry **list = java_map_list(&w->map, op->env->scratch);
        uint32_t count = w->map.count;
        for (uint32_t k = 0; k < count; k++) {
            x = (struct entry *)list[k];
            if ((double)(x->count + x->delta) <= w->bucket)
                entry_expire(w, x, &out);
        }
    }
    return window_emit(op, &out);
}

static void frequent_open(struct op *op)
{
    ((struct frequent *)op)->bucket = 1;
}

static void write_entry(void *user, struct writer *w, const struct java_entry *e)
{
    const struct entry *x = (const struct entry *)e;
    (void)user;
    write_row(w, x->row);
    write_i64(w, x->count);
    write_i64(w, x->delta);
}

static void near_entry(void *user, const struct java_entry *e, int step)
{
    (void)user;
    if (step > 0)
        segments_near_row(((const struct entry *)e)->row, step);
}

static struct java_entry *read_entry(void *user, struct reader *r, const char *key, size_t len)
{
    (void)key;
    (void)len;
    struct row *row = read_row(r);
    (void)user;
    if (!row)
        return NULL;
    struct entry *x = mem_alloc(sizeof *x);
    x->row = row;
    x->count = read_i64(r);
    x->delta = read_i64(r);
    return &x->in_map;
}

static const struct java_map_owner entries = {.write = write_entry, .near = near_entry, .read = read_entry};

static void frequent_save(const struct op *op, struct writer *w)
{
    struct frequent *f = (struct frequent *)(uintptr_t)op; /* how it is saved is no part of what it holds */
    write_tag(w, op->type->name);
    write_i64(w, f->total);
    write_double(w, f->bucket);
    java_map_save(&f->map, w, &entries);
}

static int frequent_load(struct op *op, struct reader *r)
{
    struct frequent *f = (struct frequent *)op;
    read_tag(r, op->type->name);
    f->total = read_i64(r);
    f->bucket = read_double(r);
    java_map_load(&f->map, r, &entries);
    return window_loaded(r);
}

static void frequent_close(struct op *op)
{
    struct frequent *f = (struct frequent *)op;
    struct entry *x;
    while ((x = (struct entry *)java_map_first(&f->map))) {
        row_unref(x->row);
        java_map_remove(&f->map, &x->in_map);
        mem_free(x);
    }
    java_map_fini(&f->map);
}

/* In scratch: the rows stay the map's. */
static struct queue *frequent_content(struct op *op)
{
    struct frequent *f = (struct frequent *)op;
    struct queue *q = arena_alloc(op->env->scratch, sizeof *q);
    struct java_entry **list = java_map_list(&f->map, op->env->scratch);
    q->cap = 1;
    while (q->cap < f->map.count)
        q->cap *= 2;
    q->ring = arena_array(op->env->scratch, q->cap, sizeof(struct row *));
    for (uint32_t i = 0; i < f->map.count; i++)
        q->ring[q->count++] = ((struct entry *)list[i])->row;
    return q;
}

static void explain_key(const struct frequent_plan *p, struct buf *out)
{
    for (int i = 0; i < p->key_count; i++)
        buf_printf(out, ", %s", p->key[i] < 0 ? "null" : p->op.in->attributes[p->key[i]].name);
    buf_add_char(out, ')');
}

static void frequent_explain(const struct op_plan *plan, struct buf *out)
{
    const struct frequent_plan *p = (const struct frequent_plan *)(const void *)plan;
    buf_printf(out, "(%d", p->n);
    explain_key(p, out);
}

static void lossy_explain(const struct op_plan *plan, struct buf *out)
{
    const struct frequent_plan *p = (const struct frequent_plan *)(const void *)plan;
    buf_printf(out, "(%g, %g", p->support, p->error);
    explain_key(p, out);
}

static const struct op_type frequent_type = {
    .name = "window.frequent",
    .size = sizeof(struct frequent),
    .open = frequent_open,
    .push = frequent_push,
    .save = frequent_save,
    .load = frequent_load,
    .close = frequent_close,
    .content = frequent_content,
    .explain = frequent_explain,
};
static const struct op_type lossy_type = {
    .name = "window.lossyFrequent",
    .size = sizeof(struct frequent),
    .open = frequent_open,
    .push = lossy_push,
    .save = frequent_save,
    .load = frequent_load,
    .close = frequent_close,
    .content = frequent_content,
    .explain = lossy_explain,
};

/* The key parameter, or what the query selects, where all but plain attributes is null. */
static bool plan_key(struct window_ctx *c, const struct ast_expr *call, int n, struct frequent_plan *p)
{
    size_t count = c->in->count;
    for (const struct ast_select_item *i = c->select ? c->select->items : NULL; i; i = i->next)
        count++;
    p->key = arena_array(c->arena, count + 1, sizeof *p->key);
    if (call->arg_count > n) {
        p->key_count = 1;
        return window_arg_attr(c, call, n, TYPE_STRING, &p->key[0]);
    }
    if (!c->select || !c->select->given || c->select->all) {
        for (uint32_t i = 0; i < c->in->count; i++)
            p->key[p->key_count++] = (int)i;
        return true;
    }
    for (const struct ast_select_item *i = c->select->items; i; i = i->next) {
        p->key[p->key_count++] = i->expr->kind == AST_ATTR ? schema_find(c->in, i->expr->name.text) : -1;
    }
    return true;
}

static struct op_plan *frequent_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct frequent_plan p = {.width = 1};
    if (!window_arg_count(c, call, 1, 2) || !window_arg_int(c, call, 0, &p.n) || !plan_key(c, call, 1, &p))
        return NULL;
    struct frequent_plan *plan = window_plan_new(c, call, &frequent_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

static struct op_plan *lossy_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct frequent_plan p = {.n = 0};
    if (!window_arg_count(c, call, 2, 3) || !window_arg_double(c, call, 0, &p.support) ||
        !window_arg_double(c, call, 1, &p.error) || !plan_key(c, call, 2, &p))
        return NULL;
    p.width = ceil(1 / p.error);
    struct frequent_plan *plan = window_plan_new(c, call, &lossy_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

const struct window_type window_frequent = {NULL, "frequent", true, frequent_plan};
const struct window_type window_lossy_frequent = {NULL, "lossyFrequent", true, lossy_plan};
