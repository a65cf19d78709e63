/* scenario.h - engine/window alone: windows between a recording operator and timers of our own.
 *
 * A scenario is a text of steps over S (k string, v int, ts long, b bool), separated by blanks:
 *     1000:a1        the event (a, 1) at 1000; its ts is 1000 too, its b true
 *     1000:a1/5      its ts is 5; a1/_: null; _1: k is null; a1!: b is false
 *     1000:a1,b2@5   an array; b2 has the timestamp 5
 *     >5000          time passes
 * What comes out: chunks in brackets, EVENT@STAMP each, '-' before expired ones, 'R' before a RESET; '!' for
 * an event that failed. Every scenario runs three times: as it is; saved and loaded into a fresh operator
 * after each step; with a checkpoint after each step, and a fresh operator after each third. Include it once
 * a program. */
#ifndef WEIR_UNIT_SCENARIO_H
#define WEIR_UNIT_SCENARIO_H

#include "engine/lang/parse.h"
#include "engine/window/handler.h"
#include "tests/unit/check.h"
#include "tests/unit/home.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { OP_MAX = 3, TIMER_MAX = 4096 };
enum flags { ALL = 1, FIND = 2, PLAYBACK = 4, SHOW_TS = 8, STAMPS = 16 };

static struct arena arena, scratch;
static struct diags diags;
static struct schema *schema;
static struct expr_env env;
static struct buf out;
static unsigned flags;
static struct mem_account account = {.most = INT64_MAX};

/* ---- timers ---- */

static struct timer {
    struct op *op;
    int64_t due_ms;
} timers[TIMER_MAX];
static int timer_count;

int64_t op_task_now(const struct op *op)
{
    return op->env->now_ms;
}

void timer_request(struct op *op, int64_t due_ms)
{
    timers[timer_count++] = (struct timer){op, due_ms};
}

void timer_cancel(struct op *op)
{
    int n = 0;
    for (int i = 0; i < timer_count; i++)
        if (timers[i].op != op)
            timers[n++] = timers[i];
    timer_count = n;
}

/* ---- what stands behind the window ---- */

static inline void show_event(const struct event *e)
{
    struct row *row = e->row;
    buf_add_str(&out, e->kind == EVENT_EXPIRED ? "-"
                      : e->kind == EVENT_RESET ? "R"
                      : e->kind == EVENT_TIMER ? "T"
                                               : "");
    for (size_t i = 0; i < 2; i++) {
        if (is_null(row_get(row, i)))
            buf_add_char(&out, '_');
        else
            value_print(row_get(row, i), &out);
    }
    if (flags & SHOW_TS) {
        buf_add_char(&out, '/');
        value_print(row_get(row, 2), &out);
    }
    buf_printf(&out, "@%" PRId64, e->at_ms);
    for (size_t i = schema->count; i < row->count; i++) {
        buf_add_char(&out, ':');
        value_print(row_get(row, i), &out);
    }
}

static inline int record_push(struct op *op, const struct batch *in)
{
    (void)op;
    buf_add_str(&out, out.len ? " [" : "[");
    for (uint32_t i = 0; i < in->count; i++) {
        if (i)
            buf_add_char(&out, ' ');
        show_event(&in->events[i]);
    }
    buf_add_char(&out, ']');
    if (flags & STAMPS)
        buf_printf(&out, "t%" PRId64, env.now_ms);
    return 0;
}
static const struct op_type record_type = {.name = "record", .size = sizeof(struct op), .push = record_push};
static struct op recorder = {.type = &record_type, .env = &env};

/* ---- the operators under test ---- */

static struct op *ops[OP_MAX];
static const struct op_plan *plan;
static char shared[64];

void *op_shared(const struct op *op)
{
    (void)op;
    return shared;
}

static inline struct op_plan *make_plan(const char *call_text, unsigned how)
{
    diags_init(&diags, &arena, arena_strdup(&arena, call_text), strlen(call_text));
    struct ast_expr *call = parse_expression(&diags, diags.text, diags.len);
    if (!call || call->kind != AST_CALL)
        return NULL;
    static struct ast_expr selected[2] = {{.kind = AST_ATTR, .name = {.text = "k"}},
                                          {.kind = AST_ATTR, .name = {.text = "v"}}};
    static struct ast_select_item items[2] = {{.next = &items[1], .expr = &selected[0]},
                                              {.expr = &selected[1]}};
    static struct ast_select select = {.given = true, .items = items};
    struct window_ctx c = {.arena = &arena,
                           .diags = &diags,
                           .in = schema,
                           .source_id = "S",
                           .expired_wanted = (how & ALL) != 0,
                           .has_find = (how & FIND) != 0,
                           .select = &select};
    const struct window_type *window = window_find(call->space.text, call->name.text);
    if (window)
        return window->plan(&c, call);
    const struct handler_type *handler = handler_find(call->space.text, call->name.text);
    if (!handler)
        return NULL;
    static struct scope_source source;
    static struct scope scope;
    const struct schema *behind = NULL;
    source = (struct scope_source){.id = "S", .schema = schema};
    scope = (struct scope){.sources = &source, .count = 1};
    struct expr_ctx ec = {.arena = &arena, .diags = &diags, .scope = &scope};
    return handler->plan(&c, call, &ec, &behind);
}

static inline struct op *op_open(void)
{
    struct op *op = mem_alloc(op_bytes(plan));
    op->type = plan->type;
    op->plan = plan;
    op->next = &recorder;
    op->env = &env;
    if (op->type->open)
        op->type->open(op);
    return op;
}

static inline void op_close(struct op *op)
{
    timer_cancel(op);
    if (op->type->close)
        op->type->close(op);
    mem_free(op);
}

static inline void op_start(struct op *op)
{
    if (op->type->start)
        CHECK(op->type->start(op, NULL) == 0);
}

/* Saved, closed, opened, loaded; all of them, so that shared state ends in between. */
static inline void reopen_all(int count)
{
    struct writer w[OP_MAX] = {0};
    for (int i = 0; i < count; i++) {
        buf_init(&w[i].out, 1 << 24);
        if (ops[i]->type->save)
            ops[i]->type->save(ops[i], &w[i]);
    }
    for (int i = 0; i < count; i++)
        op_close(ops[i]);
    memset(shared, 0, sizeof shared);
    for (int i = 0; i < count; i++)
        ops[i] = op_open();
    for (int i = 0; i < count; i++) {
        const uint8_t *bytes = (const uint8_t *)w[i].out.bytes;
        struct reader r = {.at = bytes, .end = bytes + w[i].out.len};
        if (ops[i]->type->load)
            CHECK(ops[i]->type->load(ops[i], &r) == 0);
        CHECK(r.at == r.end);
        op_start(ops[i]);
        buf_fini(&w[i].out);
    }
}

/* A checkpoint of all of them; every third is gone back to. */
static struct home home;
static struct state *state;
static int checkpoints;

static inline void resume_all(int count)
{
    for (int i = 0; i < count; i++)
        op_close(ops[i]);
    state_free(state);
    memset(shared, 0, sizeof shared);
    state = state_new();
    state_open(state, &home.door);
    for (int i = 0; i < count; i++) {
        char name[] = {(char)('0' + i), 0};
        struct reader r;
        struct err e;
        ops[i] = op_open();
        CHECK(state_read(state, name, &r, &e) == 0);
        if (ops[i]->type->load)
            CHECK(ops[i]->type->load(ops[i], &r) == 0 && r.at == r.end);
    }
    state_shut(state);
    for (int i = 0; i < count; i++)
        op_start(ops[i]);
}

static inline void checkpoint_all(int count)
{
    state_begin(state, &home.door);
    for (int i = 0; i < count; i++) {
        char name[] = {(char)('0' + i), 0};
        struct writer w = {.state = state};
        buf_init(&w.out, SIZE_MAX);
        if (ops[i]->type->save)
            ops[i]->type->save(ops[i], &w);
        state_part(state, name, &w.out);
        buf_fini(&w.out);
    }
    state_finish(state);
    if (++checkpoints % 3 == 0)
        resume_all(count);
}

static inline void turn_ends(int rc)
{
    if (rc < 0) {
        CHECK(rc == ERR_EVENT && env.failed);
        buf_add_str(&out, " !");
    }
    env.failed = false;
    expr_env_release(&env);
    arena_reset(&scratch, (struct arena_mark){NULL, NULL});
}

static inline void fire(int i)
{
    struct timer t = timers[i];
    memmove(timers + i, timers + i + 1, (size_t)(timer_count - i - 1) * sizeof *timers);
    timer_count--;
    turn_ends(t.op->type->due(t.op, t.due_ms));
}

static inline void advance(int64_t to_ms)
{
    if (flags & PLAYBACK) {
        if (to_ms > env.now_ms)
            env.now_ms = to_ms;
        while (timer_count && timers[0].due_ms <= env.now_ms)
            fire(0);
        return;
    }
    for (;;) {
        int best = -1;
        for (int i = 0; i < timer_count; i++)
            if (timers[i].due_ms <= to_ms && (best < 0 || timers[i].due_ms < timers[best].due_ms))
                best = i;
        if (best < 0)
            break;
        if (timers[best].due_ms > env.now_ms)
            env.now_ms = timers[best].due_ms;
        fire(best);
    }
    if (to_ms > env.now_ms)
        env.now_ms = to_ms;
}

/* a1[/ts][!][@at] */
static inline const char *parse_event(const char *at, int64_t now_ms, struct event *e)
{
    const char *key = at;
    size_t len = strcspn(at, "0123456789-");
    if (*at == '\'') { /* 'text'1: a key with anything in it */
        key = at + 1;
        len = strcspn(key, "'");
        at = key + len + 1;
    } else {
        at += len;
    }
    long v = strtol(at, (char **)(uintptr_t)&at, 10);
    int64_t ts = now_ms;
    bool ts_null = false, b = true;
    if (*at == '/') {
        at++;
        ts_null = *at == '_';
        if (ts_null)
            at++;
        else
            ts = strtoll(at, (char **)(uintptr_t)&at, 10);
    }
    if (*at == '!') {
        b = false;
        at++;
    }
    int64_t at_ms = now_ms;
    if (*at == '@')
        at_ms = strtoll(at + 1, (char **)(uintptr_t)&at, 10);
    struct row *row = row_new(4, at_ms);
    if (len != 1 || *key != '_') {
        struct text *text = text_new(key, len);
        row_set_take(row, 0, value_text(text));
    }
    row_set(row, 1, value_int((int32_t)v));
    if (!ts_null)
        row_set(row, 2, value_long(ts));
    row_set(row, 3, value_bool(b));
    *e = (struct event){.row = row, .at_ms = at_ms, .kind = EVENT_CURRENT};
    return at;
}

/* [N#]TIME:EVENTS or >TIME; N: which operator. */
static inline const char *step(const char *at)
{
    if (*at == '>') {
        advance(strtoll(at + 1, (char **)(uintptr_t)&at, 10));
        return at;
    }
    int which = 0;
    if (at[1] == '#') {
        which = *at - '0';
        at += 2;
    }
    struct batch in;
    int64_t now_ms = strtoll(at, (char **)(uintptr_t)&at, 10);
    advance(now_ms);
    struct event events[64];
    uint32_t count = 0;
    do {
        at = parse_event(at + 1, now_ms, &events[count++]);
    } while (*at == ',');
    batch_init(&in, &scratch, count);
    for (uint32_t i = 0; i < count; i++)
        batch_add(&in, events[i].row, events[i].at_ms, EVENT_CURRENT);
    in.is_batch = count > 1;
    turn_ends(op_push(ops[which], &in));
    for (uint32_t i = 0; i < count; i++)
        row_unref(events[i].row);
    return at;
}

static inline const char *content(int which)
{
    static char text[512];
    size_t len = 0;
    text[0] = 0;
    struct queue *q = ops[which]->type->content ? ops[which]->type->content(ops[which]) : NULL;
    for (uint32_t i = 0; q && i < q->count && len < sizeof text - 64; i++) {
        struct row *row = queue_at(q, i);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%d", i ? " " : "",
                                row_get(row, 0).as.s->bytes, (int)row_get(row, 1).as.l);
    }
    return text;
}

enum reopens { NEVER, BY_SAVE, BY_CHECKPOINT, REOPENS_COUNT };

static inline void run_once(unsigned how, const char *steps, int count, enum reopens reopens)
{
    flags = how;
    env.now_ms = INT64_MIN;
    env.failed = false;
    timer_count = 0;
    memset(shared, 0, sizeof shared);
    buf_clear(&out);
    home_init(&home);
    state = state_new();
    checkpoints = 0;
    for (int i = 0; i < count; i++)
        ops[i] = op_open();
    const char *first = steps + strcspn(steps, "0123456789");
    env.now_ms = strtoll(first[1] == '#' ? first + 2 : first, NULL, 10);
    for (int i = 0; i < count; i++)
        op_start(ops[i]);
    for (const char *at = steps; *at;) {
        at = step(at);
        while (*at == ' ')
            at++;
        if (reopens == BY_SAVE)
            reopen_all(count);
        else if (reopens == BY_CHECKPOINT)
            checkpoint_all(count);
    }
}

static inline void end(int count)
{
    for (int i = 0; i < count; i++)
        op_close(ops[i]);
    state_free(state);
    home_fini(&home);
}

static inline void run_many(int count, const char *call, unsigned how, const char *steps, const char *want,
                            const char *held, const char *file, int line)
{
    plan = make_plan(call, how);
    if (!check_one(plan != NULL, call, file, line)) {
        diags_print(&diags, call, stdout);
        return;
    }
    for (int pass = 0; pass < 2 * REOPENS_COUNT; pass++) { /* the first ones also warm what grows and stays */
        int64_t before = account.bytes;
        run_once(how, steps, count, (enum reopens)(pass % REOPENS_COUNT));
        check_same_text(out.bytes ? out.bytes : "", want, file, line);
        if (held)
            check_same_text(content(0), held, file, line);
        arena_reset(&scratch, (struct arena_mark){NULL, NULL});
        end(count);
        buf_clear(&out);
        if (!check_one(pass < REOPENS_COUNT || account.bytes == before, "memory", file, line))
            printf("    %s: %" PRId64 " bytes\n", call, account.bytes - before);
    }
    struct buf text;
    buf_init(&text, 1024);
    if (plan->type->explain)
        plan->type->explain(plan, &text);
    CHECK(!plan->type->explain || (text.len && text.bytes[0] == '('));
    buf_fini(&text);
}

#define RUN(call, how, steps, want) run_many(1, call, how, steps, want, NULL, __FILE__, __LINE__)
#define HOLDS(call, how, steps, want, held) run_many(1, call, how, steps, want, held, __FILE__, __LINE__)
#define RUN_KEYS(count, call, how, steps, want) \
    run_many(count, call, how, steps, want, NULL, __FILE__, __LINE__)

static inline void refused(const char *call, const char *message, const char *file, int line)
{
    bool fine = make_plan(call, ALL) != NULL;
    check_one(!fine, call, file, line);
    if (!fine)
        check_same_text(diags.first ? diags.first->message : "", message, file, line);
}
#define REFUSED(call, message) refused(call, message, __FILE__, __LINE__)

static inline void scenarios_begin(void)
{
    mem_account = &account;
    arena_init(&arena, 1 << 16);
    arena_init(&scratch, 1 << 16);
    buf_init(&out, 1 << 20);
    env.scratch = &scratch;
    env.app_name = "app";
    static const struct attribute attributes[] = {
        {"k", TYPE_STRING}, {"v", TYPE_INT}, {"ts", TYPE_LONG}, {"b", TYPE_BOOL}};
    schema = schema_new(&arena, "S", 4);
    memcpy(schema->attributes, attributes, sizeof attributes);
}

/* What main returns. */
static inline int scenarios_end(void)
{
    buf_fini(&out);
    mem_free(env.loose);
    arena_fini(&scratch);
    arena_fini(&arena);
    return check_end();
}

#endif
