/* log_events.c - #log(...): events go on unchanged, a line for each goes to the log (spec 03 section 8). */
#include "engine/base/log.h"
#include "engine/window/handler.h"
#include <strings.h>

enum { LIMIT_LINE_BYTES = 64 * 1024 };

struct log_plan {
    struct op_plan op;
    enum log_level level;
    bool is_off;
    const struct expr *message; /* or NULL */
    bool with_event;
};

static void print_event(const struct event *e, struct buf *line)
{
    buf_printf(line, "Event{timestamp=%lld, data=[", (long long)e->at_ms);
    for (uint32_t i = 0; i < e->row->count; i++) {
        if (i)
            buf_add_str(line, ", ");
        value_print(row_get(e->row, i), line);
    }
    buf_printf(line, "], isExpired=%s}", e->kind == EVENT_EXPIRED ? "true" : "false");
}

static int log_push(struct op *op, const struct batch *in)
{
    const struct log_plan *p = (const struct log_plan *)(const void *)op->plan;
    bool is_heard = !p->is_off && log_enabled(p->level);
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (!e->row || e->kind == EVENT_RESET)
            continue;
        struct value message = VALUE_NULL;
        if (p->message) {
            struct frame f = {
                .env = op->env, .rows = &e->row, .at_ms = e->at_ms, .kind = e->kind, .user = op};
            message = expr_eval(p->message, &f);
            if (op->env->failed)
                return ERR_EVENT;
        }
        if (!is_heard)
            continue;
        struct buf line;
        buf_init(&line, LIMIT_LINE_BYTES);
        if (p->message)
            value_print(message, &line);
        if (p->message && p->with_event)
            buf_add_str(&line, ", ");
        if (p->with_event)
            print_event(e, &line);
        else if (!p->message)
            buf_add_str(&line, "Event Arrived");
        log_write(p->level, "log", "%s: %s", op->env->app_name ? op->env->app_name : "",
                  line.bytes ? line.bytes : "");
        buf_fini(&line);
    }
    return op_next(op, in);
}

static const struct op_type log_type = {.name = "log", .size = sizeof(struct op), .push = log_push};

static bool level_of(const char *word, struct log_plan *p)
{
    static const struct {
        const char *word;
        enum log_level level;
    } words[] = {
        {"INFO", LOG_INFO},   {"DEBUG", LOG_DEBUG}, {"WARN", LOG_WARN}, {"FATAL", LOG_ERROR},
        {"ERROR", LOG_ERROR}, {"TRACE", LOG_TRACE}, {"OFF", LOG_TRACE},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            p->level = words[i].level;
            p->is_off = strcasecmp(word, "OFF") == 0;
            return true;
        }
    }
    return false;
}

/* () (message) (event) (message, event) (priority, message) (priority, message, event) */
static struct op_plan *log_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                const struct schema **out)
{
    struct log_plan p = {.level = LOG_INFO, .with_event = true};
    int n = call->arg_count, message = 0;
    if (!window_arg_count(c, call, 0, 3))
        return NULL;
    const struct ast_expr *last = n ? window_arg(call, n - 1) : NULL;
    bool ends_in_bool = window_arg_is(call, n - 1, TYPE_BOOL);
    if (last && ends_in_bool) {
        p.with_event = last->literal.as.l != 0;
        n--;
    }
    if (n == 2) {
        if (!window_arg_is(call, 0, TYPE_STRING) || !level_of(window_arg(call, 0)->literal.as.s->bytes, &p)) {
            window_arg_wrong(c, call, 0, "must be a priority: INFO, DEBUG, WARN, FATAL, ERROR, OFF or TRACE");
            return NULL;
        }
        message = 1;
    } else if (n == 3) {
        window_arg_wrong(c, call, 2, "must be true or false");
        return NULL;
    }
    if (n > 0) {
        struct expr *e = expr_compile(ec, window_arg(call, message));
        if (!e)
            return NULL;
        if (e->type != TYPE_STRING) {
            window_arg_wrong(c, call, message, "must be a string");
            return NULL;
        }
        p.message = e;
    }
    struct log_plan *plan = window_plan_new(c, call, &log_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    *out = c->in;
    return &plan->op;
}

const struct handler_type handler_log = {NULL, "log", log_plan, true};
