/* deduplicate.c - #unique:deduplicate(key, time): the first event of a key passes, its followers are dropped
 * (spec 20 section 8).
 *
 * Laws: (1) a key is forgotten when more than span passed since its event passed; a dropped event does not
 * prolong it; (2) so keys are forgotten in the order in which their events passed, and that is done when
 * events come: no timers. */
#include "engine/window/handler.h"
#include "engine/window/keyed.h"

struct deduplicate_plan {
    struct op_plan op;
    struct key_plan key;
    int64_t span_ms;
};
struct deduplicate {
    struct op op;
    struct keyed seen; /* the first events */
    int64_t *moments;  /* ring: when each passed, as the entries of seen */
    uint32_t head, cap;
};

static const struct deduplicate_plan *plan_of(const struct op *op)
{
    return (const struct deduplicate_plan *)(const void *)op->plan;
}

static void remember(struct deduplicate *d, int64_t moment_ms)
{
    uint32_t at = d->seen.count - 1; /* the entry is in */
    if (at == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 8;
        d->moments = mem_resize(d->moments, cap, sizeof *d->moments);
        if (d->head)
            memcpy(d->moments + d->cap, d->moments, d->head * sizeof *d->moments);
        d->cap = cap;
    }
    d->moments[(d->head + at) & (d->cap - 1)] = moment_ms;
}

static void forget(struct deduplicate *d)
{
    int64_t now_ms = op_now(&d->op);
    while (d->seen.first && time_sub(now_ms, d->moments[d->head]) > plan_of(&d->op)->span_ms) {
        row_unref(keyed_take(&d->seen, d->seen.first));
        d->head = (d->head + 1) & (d->cap - 1);
    }
}

static int deduplicate_push(struct op *op, const struct batch *in)
{
    struct deduplicate *d = (struct deduplicate *)op;
    struct batch out;
    batch_init(&out, op->env->scratch, in->count);
    out.is_batch = in->is_batch;
    forget(d);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!e->row)
            continue;
        struct text *key = key_of(&plan_of(op)->key, op, e);
        if (!key)
            return ERR_EVENT;
        if (keyed_get(&d->seen, key))
            continue;
        keyed_add(&d->seen, key, e);
        remember(d, op_now(op));
        batch_add(&out, e->row, e->at_ms, e->kind);
    }
    return op_next(op, &out);
}

static void deduplicate_save(const struct op *op, struct writer *w)
{
    struct deduplicate *d =
        (struct deduplicate *)(uintptr_t)op; /* how it is saved is no part of what it holds */
    write_tag(w, "unique:deduplicate");
    keyed_save(&d->seen, w);
    for (uint32_t i = 0; i < d->seen.count; i++)
        write_i64(w, d->moments[(d->head + i) & (d->cap - 1)]);
}

static void deduplicate_ahead(const struct op *op, struct writer *w)
{
    keyed_save(&((struct deduplicate *)(uintptr_t)op)->seen, w);
}

static int deduplicate_load(struct op *op, struct reader *r)
{
    struct deduplicate *d = (struct deduplicate *)op;
    read_tag(r, "unique:deduplicate");
    keyed_load(&d->seen, r);
    uint32_t count = d->seen.count;
    d->head = 0;
    d->cap = 8;
    while (d->cap < count)
        d->cap *= 2;
    d->moments = mem_resize(d->moments, d->cap, sizeof *d->moments);
    for (uint32_t i = 0; i < count; i++)
        d->moments[i] = read_i64(r);
    return window_loaded(r);
}

static void deduplicate_close(struct op *op)
{
    struct deduplicate *d = (struct deduplicate *)op;
    keyed_fini(&d->seen);
    mem_free(d->moments);
}

static const struct op_type deduplicate_type = {
    .name = "unique:deduplicate",
    .size = sizeof(struct deduplicate),
    .push = deduplicate_push,
    .save = deduplicate_save,
    .load = deduplicate_load,
    .ahead = deduplicate_ahead,
    .close = deduplicate_close,
};

static struct op_plan *deduplicate_plan(struct window_ctx *c, const struct ast_expr *call,
                                        struct expr_ctx *ec, const struct schema **out)
{
    struct deduplicate_plan p = {.key = {.refuses_null = true, .count = 1}};
    if (!window_arg_count(c, call, 2, 2) || !window_arg_long(c, call, 1, &p.span_ms))
        return NULL;
    p.key.exprs = arena_array(c->arena, 1, sizeof *p.key.exprs);
    p.key.exprs[0] = expr_compile(ec, window_arg(call, 0));
    if (!p.key.exprs[0])
        return NULL;
    struct deduplicate_plan *plan = window_plan_new(c, call, &deduplicate_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    *out = c->in;
    return &plan->op;
}

const struct handler_type handler_deduplicate = {"unique", "deduplicate", deduplicate_plan, true};
