/* engine.h - the whole door of the engine: text -> plan -> running app. No sockets, no threads, no clock.
 *
 * A pure function of what it is given: same text, same sends, same times, same seed: same output, bit for
 * bit. Everything of one app happens on the thread that calls; the caller serialises. Rows that go in are
 * borrowed; rows that come out are borrowed until the callback returns.
 *
 *     struct compile c;
 *     engine_compile(&c, text, len, NULL);            errors, all of them, are in c.diags
 *     if (c.plan) {
 *         struct app *app = app_new(c.plan, &host);   takes the plan
 *         app_start(app, now_ms);
 *         app_advance(app, now_ms);                   before every event: the event's time
 *         app_send(app, stream, events, count, false);
 *         app_free(app);
 *     }
 *     compile_fini(&c); */
#ifndef WEIR_ENGINE_H
#define WEIR_ENGINE_H

#include "engine/base/amount.h"
#include "engine/base/diag.h"
#include "engine/base/map.h"
#include "engine/data/batch.h"
#include "engine/data/codec.h"
#include "engine/data/schema.h"
#include "engine/data/state.h"
#include "engine/expr/expr.h"
#include "engine/lang/ast.h"

struct plan;
struct app;

struct engine_options {
    const char *(*variable)(void *user, const char *name); /* ${NAME}; NULL: every variable is missing */
    void *user;
};
struct compile {
    struct arena arena; /* diagnostics */
    struct diags diags; /* its text is the app's after ${} substitution */
    struct plan *plan;  /* NULL when refused; owned by the compile until app_new takes it */
};
/* text is copied. */
void engine_compile(struct compile *c, const char *text, size_t len, const struct engine_options *options);
void compile_fini(struct compile *c);

/* ---- what a plan tells (ports, explain) ---- */
const char *plan_name(const struct plan *p); /* @app:name, or NULL */
bool plan_is_playback(const struct plan *p);
const struct ast_app *plan_ast(const struct plan *p);
struct arena *plan_arena(struct plan *p);
/* Every stream there is: defined, inferred, triggers, fault streams ("!S"); inner streams are not listed.
 * Numbers are those of app_send. */
uint32_t plan_stream_count(const struct plan *p);
const struct schema *plan_stream(const struct plan *p, uint32_t stream);
/* NULL when inferred */
const struct ast_definition *plan_stream_definition(const struct plan *p, uint32_t stream);
int plan_find_stream(const struct plan *p, const char *id); /* or -1 */
bool plan_stores_errors(const struct plan *p);              /* a stream has @OnError(action='store') */
/* @app:limits(memory, disk, full): what it may hold, and what becomes of input then. The host's business: the
 * engine only reads it. */
enum limits_full { LIMITS_UNSAID, LIMITS_WAIT, LIMITS_DROP, LIMITS_STORE };
struct plan_limits {
    bool has_memory, has_disk;
    struct amount memory, disk;
    enum limits_full full;
};
const struct plan_limits *plan_limits(const struct plan *p);
void plan_explain(const struct plan *p, struct buf *out);

/* ---- the running app ---- */
struct app_host {
    void *user;
    /* Called after the queries that read the stream, for streams with has_sinks: spec 03 section 1. ERR_EVENT
     * (after expr_fail) fails the event as a failing query would. May be NULL. */
    int (*sink)(void *user, uint32_t stream, const struct batch *b);
    bool (*has_sinks)(void *user, uint32_t stream); /* asked once by app_new */
    /* Everything that reached a stream, after its receivers; NULL: nobody looks. */
    void (*stream)(void *user, uint32_t stream, const struct batch *b);
    /* which streams that is; asked once by app_new; NULL: all */
    bool (*looks_at)(void *user, uint32_t stream);
    /* Every call of a query callback (named queries): at_ms as in cases/README, rows by kind in b. */
    void (*query)(void *user, const char *name, int64_t at_ms, const struct batch *b);
    /* An event failed: logged here, once, whatever @OnError then does. stream is UINT32_MAX for a timer, a
     * window, an inner stream. */
    void (*failure)(void *user, uint32_t stream, const char *words);
    /* Behind failure, for a stream with @OnError(action='store'): the events, which the host may keep. May be
     * NULL. */
    void (*store)(void *user, uint32_t stream, const struct batch *b, const char *words);
    uint64_t seed;             /* for UUID() and random functions */
    const struct world *world; /* for env: and file: (engine/expr/world.h); NULL: none. Outlives the app */
};
struct app *app_new(struct plan *plan, const struct app_host *host); /* takes plan; host is copied */
void app_free(struct app *app);
const struct plan *app_plan(const struct app *app);
const char *app_name(const struct app *app);
struct expr_env *app_env(struct app *app);
int64_t app_now(const struct app *app);

/* The clock stands at now_ms, triggers 'start' fire. With resume, they don't (a state is going to be loaded).
 * ERR_INVALID: a cron expression is wrong. */
int app_start(struct app *app, int64_t now_ms, bool resume, struct err *e);
/* Time passes: the only way. An earlier now_ms is the present one: timers asked for late fire (live). */
void app_advance(struct app *app, int64_t now_ms);

/* @app:playback knows two times, milliseconds both (spec 10 section 2): the app's clock, which events set,
 * and the host's, by which triggers, cron, @purge and idle.time go. app_advance moves both as one. A host
 * whose time passes by itself calls instead
 *   app_await_clock  before app_start: the app's clock stands at 0 until the first event, and only the host's
 *                    begins at now_ms;
 *   app_tick         when its time passes, before every event too. Not inside a callback (then it does
 *                    nothing). A heartbeat that comes late comes once;
 *   app_move         with each event's time, before app_send. An earlier one does nothing; inside a callback the
 *                    clock stays, but the app is not idle. Live: nothing.
 * In an app that runs live app_tick is app_advance. */
void app_await_clock(struct app *app);
void app_tick(struct app *app, int64_t now_ms);
void app_move(struct app *app, int64_t at_ms);
int64_t app_task_now(const struct app *app); /* the host's time as the app knows it; live: app_now */
bool app_is_inside(const struct app *app);   /* of a push or a timer: a callback asks */

/* Triggers go by the time that passes, not by what the host's clock shows (spec 10 section 1: a timer of fixed
 * rate, which makes up nothing). A host whose clock can be set, or which was away, says so; in virtual time,
 * where every moment comes, nobody does. Nothing fires in these calls; everything but triggers keeps its
 * moments, and the app_tick behind them brings all of those that are due. Not inside a callback.
 *   app_skip   the app did not live through the time until now_ms: triggers that would have fired in it go on
 *              behind it, 'every' in its phase, cron with its first match.
 *   app_shift  the host's clock was set on by by_ms (back: below 0): 'every' waits for what was left of its
 *              interval. Set back, the app's clock stands until the host's has caught up, and the host shifts
 *              by what passes meanwhile, below 0 too; then idle.time counts as well. */
void app_skip(struct app *app, int64_t now_ms);
void app_shift(struct app *app, int64_t by_ms);
bool app_has_triggers(const struct app *app); /* or idle.time: these calls may change something */
/* By the host's time as the app knows it: what app_shift moves fires next then; INT64_MAX: there is none. */
int64_t app_next_shifted(const struct app *app);

/* The due time of the earliest timer, or INT64_MAX; in playback, of those that go by the host's time. */
int64_t app_next_due(const struct app *app);
/* events enter the stream as one chunk. is_batch: they were sent as an array (spec 21 section 0). Playback:
 * the caller moved the clock to the last one's time. */
void app_send(struct app *app, uint32_t stream, const struct event *events, uint32_t count, bool is_batch);

/* On-demand query (spec 08). Rows are in result until the next call on the app. ERR_INVALID: refused, words
 * in e. */
struct result {
    const struct schema *schema; /* NULL for writes */
    struct row **rows;           /* borrowed */
    uint32_t count;
    bool is_ordered; /* it has an order by */
};
int app_query(struct app *app, const char *text, size_t len, struct result *result, struct err *e);
/* Compiles it, as app_query will, and says what it may do to the app's state, chance and the clock aside. Who
 * keeps a journal notes what isn't QUERY_READS. Refused: ERR_INVALID, ERR_UNSUPPORTED, ERR_TOO_BIG; words in
 * e, and diags (the caller's, over the same text) gets every error with its place. */
enum query_effect {
    QUERY_READS, /* nothing */
    /* it answers with rows, but later ones may differ for it: spec 04 on batch windows that are looked into;
     * globals of scripts */
    QUERY_TOUCHES,
    QUERY_WRITES,
};
int app_query_check(struct app *app, const char *text, size_t len, enum query_effect *effect,
                    struct diags *diags, struct err *e);
/* What its executions left behind that isn't state ends: sequences of seeded chance begin anew with the next
 * one. */
void app_query_forget(struct app *app, const char *text, size_t len);

/* State (engine/data/state.h). app_checkpoint hands to home what changed since the last one, and returns how
 * many bytes that was; it must not be called inside a callback. app_restore wants an app that is fresh and
 * was started with resume. Without upgrade it must be of the same text; with it, an operator, table or
 * partition takes over the state of the one of its name if it is written the same way over the same
 * attributes, and otherwise begins anew. ERR_NOT_FOUND: nothing was saved, or not this app; ERR_STATE:
 * damaged, or it does not fit; words in e. After an error the app is worth nothing: free it. */
struct app_upgrade;
uint64_t app_checkpoint(struct app *app, const struct state_home *home);
int app_restore(struct app *app, const struct state_home *home, struct app_upgrade *upgrade, struct err *e);
/* Names of parts, with commas; the buffers are the caller's: app_upgrade_init, app_upgrade_fini. */
struct app_upgrade {
    struct buf kept, fresh, dropped; /* fresh: begin anew. dropped: saved, and nobody's any more */
    int kept_count, fresh_count, dropped_count;
};
void app_upgrade_init(struct app_upgrade *u);
void app_upgrade_fini(struct app_upgrade *u);
/* What app_restore with upgrade would do, without loading anything: of an app that need not be started.
 * ERR_STATE: something is damaged. */
int app_compare(struct app *app, const struct state_home *home, struct app_upgrade *upgrade, struct err *e);
/* A state of which something was lost (agent/salvage.h). A part that is not there, or lacks a piece, begins
 * anew: a query as a whole, with a named window those who read it. First app_find_lost, on an app of the same
 * text made and started (resume) for this alone and freed behind it, then app_restore_rest with what it
 * found, in app_restore's place. ERR_IO, words in e; app_restore_rest also ERR_STATE. */
struct app_mend {
    struct buf suspects; /* the caller's to fill: from and to of groups (state.h) that may lack a piece */
    struct map lost;     /* by name: what begins anew */
    struct buf fresh;    /* and why, in words, with commas */
    int fresh_count;
};
void app_mend_init(struct app_mend *m);
void app_mend_fini(struct app_mend *m);
int app_find_lost(struct app *app, const struct state_home *home, struct app_mend *m, struct err *e);
int app_restore_rest(struct app *app, const struct state_home *home, struct app_mend *m, struct err *e);
const char *plan_text(const struct plan *p); /* the app's, with variables put in */

/* Partial matches of patterns and sequences, by the elements they wait for, and those that were dropped at the
 * bound of their number (run/pattern.h) since the app's start or by the state it was loaded from; of a
 * partition all keys together. Counted along: asking costs nothing. */
struct app_partials {
    uint64_t live, dropped;
};
struct app_partials app_partials(const struct app *app); /* the sum over its queries */

/* What the app's state lies in, part by part: each operator that keeps something, of a partition's all copies
 * together; tables, named windows, aggregations. An estimate, good to a fifth where rows and texts are most
 * of it (struct tally); the app's account (mem.h) is exact, and has the plan too. It looks at all groups,
 * keys and items of a table, at a part of a long window's rows; not inside a callback, and under the app's
 * account. Costs nothing at other times. */
struct app_part {
    const char *kind;   /* "query", "table", "window", "aggregation" */
    const char *name;   /* of the query, table ... */
    const char *op;     /* "window.length"; NULL: it has no parts */
    const char *around; /* the partition it is in; NULL: none */
    uint64_t bytes;
    uint32_t copies; /* of a partition: keys that have one */
    bool is_pattern;
    struct app_partials partials; /* of a pattern or sequence */
};
void app_held(struct app *app, void (*fn)(void *user, const struct app_part *part), void *user);

/* Tables of @store(type='lmdb') (spec 08 section 5). store: borrowed, and may be read at any time; number:
 * the app's in it. Between app_new and app_start; without it they are in memory and end with the app.
 * app_start finds them: ERR_STATE when one is there with another definition.
 *
 * What they change is in memory until the host gathers it into a batch, and the batch is applied: of an app
 * that is not durable at the end of each turn; of a durable one with each checkpoint and never else, for the
 * journal behind the checkpoint makes the same changes again. waiting: bytes of memory they hold until then,
 * so that the host can see to it early. */
struct store;
struct store_batch;
bool plan_has_stored(const struct plan *p);
/* An aggregation whose rows are in the store, or NULL. What is open in its finest unit ends with an app that
 * is not durable (run/aggregate_rebuild.c). */
const char *plan_stored_aggregation(const struct plan *p);
void app_keep_tables(struct app *app, struct store *store, uint32_t number);
uint64_t app_tables_waiting(const struct app *app);
void app_tables_collect(struct app *app, struct store_batch *batch);
void app_tables_committed(struct app *app); /* the batch is on the disk */
/* Between app_keep_tables and app_start, when something of them was lost (agent/salvage.h): keys that lead to
 * no row go, rows get the keys they lack, numbers go on behind the highest. In memory, as all changes. Each
 * table that is there is told. ERR_IO. */
struct app_table_mended {
    const char *table;
    uint64_t rows, lost, keys; /* there; known to be lost, by keys that led to them; keys made again */
    bool is_lost;              /* nothing in the store has its name */
};
int app_tables_mend(struct app *app, void (*tell)(void *user, const struct app_table_mended *t), void *user,
                    struct err *e);

#endif
