/* cron.c - window.cron('expression'): releases what it collected at each firing (spec 04 section 2.12).
 *
 * Laws: (1) a firing with nothing collected does nothing at all; (2) the chunk is the previous batch as
 * expired, always made, then the batch; no RESET; (3) an expression that is wrong refuses the start, not the
 * app; (4) firings keep their own moments, in playback too. */
#include "engine/base/cron.h"
#include "engine/window/window.h"

struct cron_plan {
    struct op_plan op;
    const char *text;
    struct cron cron;
    struct err err; /* code 0: text is right */
};
struct cron_window {
    struct op op;
    struct queue batch, released;
    int64_t next_ms; /* the pending timer, if asked */
    bool asked;
};

static const struct cron_plan *plan_of(const struct op *op)
{
    return (const struct cron_plan *)(const void *)op->plan;
}

static void ask(struct cron_window *w)
{
    w->next_ms = cron_next(&plan_of(&w->op)->cron, op_task_now(&w->op));
    w->asked = w->next_ms >= 0;
    if (w->asked)
        timer_request(&w->op, w->next_ms);
}

static int cron_start(struct op *op, struct err *e)
{
    struct cron_window *w = (struct cron_window *)op;
    const struct cron_plan *p = plan_of(op);
    if (p->err.code)
        return err_set(e, p->err.code, "window.cron: %s", p->err.text);
    if (!w->asked)
        ask(w);
    return 0;
}

static int cron_push(struct op *op, const struct batch *in)
{
    struct cron_window *w = (struct cron_window *)op;
    if (!w->batch.count && !w->released.count)
        timer_enter(op);
    for (uint32_t i = 0; i < in->count; i++)
        if (in->events[i].kind == EVENT_CURRENT)
            window_hold(&w->batch, &in->events[i]);
    return 0;
}

static int cron_due(struct op *op, int64_t due_ms)
{
    struct cron_window *w = (struct cron_window *)op;
    struct chunks chunks = {NULL, NULL};
    (void)due_ms;
    ask(w);
    if (!w->batch.count)
        return 0;
    struct batch *b = chunks_add(&chunks, op, w->released.count + w->batch.count);
    window_expire_all(&w->released, b, op_now(op));
    chunk_release(b, &w->batch, &w->released);
    return chunks_emit(&chunks, op);
}

static bool cron_is_idle(const struct op *op)
{
    return !((const struct cron_window *)op)->batch.count;
}

static int64_t cron_skip(struct op *op, int64_t until_ms)
{
    struct cron_window *w = (struct cron_window *)op;
    return w->next_ms = cron_last(&plan_of(op)->cron, w->next_ms, until_ms);
}

static void cron_save(const struct op *op, struct writer *w)
{
    const struct cron_window *c = (const struct cron_window *)op;
    write_tag(w, "window.cron");
    queue_save(&c->batch, w);
    queue_save(&c->released, w);
    write_u8(w, c->asked);
    write_i64(w, c->next_ms);
}

static int cron_load(struct op *op, struct reader *r)
{
    struct cron_window *c = (struct cron_window *)op;
    read_tag(r, "window.cron");
    queue_load(&c->batch, r);
    queue_load(&c->released, r);
    bool asked = read_u8(r) != 0;
    int64_t next_ms = read_i64(r);
    if (r->failed)
        return ERR_STATE;
    timer_cancel(op);
    c->asked = asked;
    c->next_ms = next_ms;
    if (asked)
        timer_request(op, next_ms);
    return 0;
}

static void cron_close(struct op *op)
{
    struct cron_window *c = (struct cron_window *)op;
    queue_fini(&c->batch);
    queue_fini(&c->released);
}

static void cron_explain(const struct op_plan *plan, struct buf *out)
{
    buf_printf(out, "('%s')", ((const struct cron_plan *)(const void *)plan)->text);
}

static const struct op_type cron_type = {
    .name = "window.cron",
    .size = sizeof(struct cron_window),
    .start = cron_start,
    .push = cron_push,
    .due = cron_due,
    .is_idle = cron_is_idle,
    .skip = cron_skip,
    .own_moments = true,
    .save = cron_save,
    .load = cron_load,
    .close = cron_close,
    .explain = cron_explain,
};

static struct op_plan *cron_plan(struct window_ctx *c, const struct ast_expr *call)
{
    if (!window_arg_count(c, call, 1, 1))
        return NULL;
    if (!window_arg_is(call, 0, TYPE_STRING)) {
        window_arg_wrong(c, call, 0, "must be a constant string");
        return NULL;
    }
    struct cron_plan *p = window_plan_new(c, call, &cron_type, sizeof *p);
    p->text = arena_strdup(c->arena, window_arg(call, 0)->literal.as.s->bytes);
    if (cron_parse(&p->cron, p->text, &p->err) < 0) {
        diag_warn(c->diags, window_arg(call, 0)->span, "%s", p->err.text);
        diag_hint(c->diags, "the app can't be started");
    }
    return &p->op;
}

const struct window_type window_cron = {NULL, "cron", false, cron_plan};
