/* timer.c - how time passes (spec 03 section 2, 10 section 2). The two disciplines stand here side by side.
 *
 * An operator's requests stand in a queue of its own, and only the oldest one counts: a later one waits
 * behind it, even when it is due before.
 *
 *   live      one heap over all operators by (moment, order of coming in); each fires with the clock at its
 *             moment.
 *   playback  the clock jumps first; then the schedulers in order of creation. A scheduler serves all
 *             instances of one operator (keys of a partition), in order of their oldest request; of those
 *             with equal ones only the first in the order of the language's hash map of keys gets its turn,
 *             the others when the clock is set next, be it to the same moment.
 *
 * In both an operator whose turn it is fires all it has due, also what it asks for meanwhile; then it comes
 * in again with what is left.
 *
 * An app in playback has two clocks: its own, which events set (app_move), and the task clock, which is the
 * host's (app_tick). Operators without a scheduler (triggers, cron, checks of @purge, the heartbeat of
 * idle.time) live by the live rules on the task clock; what they send has the time of the other. app_advance
 * is both together: the app's clock goes along, and halts at their moments. */
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/run/app.h"

enum { FIRST_DUES = 2, FIRST_HEAP = 4, FIRST_BUCKETS = 16, SKIP_LEAST_MS = 10000 };

struct op_timers {
    struct op *op;
    int64_t *dues; /* ring of requests */
    uint32_t head, count, cap;
    int place;      /* in its heap, or -1 */
    int64_t at_ms;  /* its moment there */
    uint64_t order; /* of coming in */
    uint64_t entry; /* into the language's map of keys */
    bool runs;      /* it fires now: requests come in afterwards */
    bool repeats;   /* and keep the order */
    bool aside; /* its turn is over, or has not come: it stands in timers.aside until the clock's next move */
    uint32_t round;   /* of timers, when it came in */
    uint32_t emptied; /* the round in which it had nothing left; until its end it stays in the map of keys */
};
struct heap {
    struct op_timers **list;
    uint32_t count, cap;
    /* The hash map of keys with requests. */
    uint32_t buckets; /* they never get fewer */
    uint32_t members, leaving;
};
struct timers {
    struct app *app;
    uint64_t order;
    struct heap live;
    struct heap *schedulers; /* playback */
    uint32_t scheduler_count;
    struct heap aside;
    uint32_t round; /* counts the turns of schedulers of keys */
    bool is_in_round;
    bool serves; /* schedulers have their turns now */
    struct loaded {
        struct op *op;
        int64_t at_ms;
        uint64_t order, entry;
    } * loaded; /* of keys, until timers_load */
    uint32_t loaded_count, loaded_cap;
};

struct timers *timers_new(struct app *app)
{
    struct timers *t = mem_alloc(sizeof(*t));
    t->app = app;
    t->scheduler_count = (uint32_t)app->plan->scheduler_count;
    t->schedulers = mem_array((size_t)t->scheduler_count + 1, sizeof(*t->schedulers));
    return t;
}

void timers_forget(struct timers *t)
{
    mem_free(t->loaded);
    t->loaded = NULL;
    t->loaded_count = t->loaded_cap = 0;
}

void timers_free(struct timers *t)
{
    for (uint32_t i = 0; i < t->scheduler_count; i++)
        mem_free(t->schedulers[i].list);
    mem_free(t->schedulers);
    mem_free(t->live.list);
    mem_free(t->aside.list);
    timers_forget(t);
    mem_free(t);
}

/* ---- heaps ---- */

static bool is_before(const struct op_timers *a, const struct op_timers *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void heap_set(struct heap *h, uint32_t at, struct op_timers *o)
{
    h->list[at] = o;
    o->place = (int)at;
}

static void heap_rise(struct heap *h, uint32_t at, struct op_timers *o)
{
    while (at > 0 && is_before(o, h->list[(at - 1) / 2])) {
        heap_set(h, at, h->list[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(h, at, o);
}

static void heap_sink(struct heap *h, uint32_t at, struct op_timers *o)
{
    for (uint32_t child = at * 2 + 1; child < h->count; child = at * 2 + 1) {
        if (child + 1 < h->count && is_before(h->list[child + 1], h->list[child]))
            child++;
        if (!is_before(h->list[child], o))
            break;
        heap_set(h, at, h->list[child]);
        at = child;
    }
    heap_set(h, at, o);
}

static void heap_add(struct heap *h, struct op_timers *o)
{
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : FIRST_HEAP;
        h->list = mem_resize(h->list, h->cap, sizeof(struct op_timers *));
    }
    heap_rise(h, h->count++, o);
}

static void heap_remove(struct heap *h, struct op_timers *o)
{
    uint32_t at = (uint32_t)o->place;
    struct op_timers *last = h->list[--h->count];
    o->place = -1;
    if (last == o)
        return;
    heap_rise(h, at, last);
    heap_sink(h, (uint32_t)last->place, last);
}

static void heap_mend(struct heap *h)
{
    for (uint32_t i = h->count / 2; i > 0; i--)
        heap_sink(h, i - 1, h->list[i - 1]);
}

/* ---- requests ---- */

static void ring_add(struct op_timers *o, int64_t due_ms)
{
    if (o->count == o->cap) {
        uint32_t wider = o->cap ? o->cap * 2 : FIRST_DUES;
        int64_t *dues = mem_array(wider, sizeof(*dues));
        for (uint32_t i = 0; i < o->count; i++)
            dues[i] = o->dues[(o->head + i) & (o->cap - 1)];
        mem_free(o->dues);
        o->dues = dues;
        o->head = 0;
        o->cap = wider;
    }
    o->dues[(o->head + o->count++) & (o->cap - 1)] = due_ms;
}

static bool has_scheduler(const struct op *op)
{
    return op_app(op)->playback && op->plan->scheduler >= 0;
}

static struct heap *heap_of(const struct op *op)
{
    struct timers *t = op_app(op)->timers;
    if (op->timers && op->timers->aside)
        return &t->aside;
    return has_scheduler(op) ? &t->schedulers[op->plan->scheduler] : &t->live;
}

static bool is_of_key(const struct op *op)
{
    return op->query && op->query->partition;
}

/* The map of keys grows when it is asked, and holds more than three quarters of its buckets' number. */
static void map_grow(struct heap *h, uint32_t count)
{
    if (!h->buckets)
        h->buckets = FIRST_BUCKETS;
    while (count > h->buckets / 4 * 3)
        h->buckets *= 2;
}

int64_t op_task_now(const struct op *op)
{
    const struct app *app = op_app(op);
    return app->playback ? app->task_ms : app->env.now_ms;
}

/* By the clock that its timers follow. */
static int64_t now_of(const struct op *op)
{
    return has_scheduler(op) ? op_now(op) : op_task_now(op);
}

/* stays: it has been in the map of keys all the time. */
static void come_in(struct op_timers *o, bool stays)
{
    int64_t due_ms = o->dues[o->head], now_ms = op_task_now(o->op);
    struct timers *t = op_app(o->op)->timers;
    struct heap *h = heap_of(o->op);
    bool has = has_scheduler(o->op);
    if (is_of_key(o->op))
        partition_touch(o->op->query->partition);
    o->at_ms = due_ms < now_ms && !has ? now_ms : due_ms;
    if (!o->repeats && !(stays && has))
        o->order = t->order++;
    if (has && !stays)
        o->entry = o->order;
    o->round = t->round;
    h->members += has && !stays;
    heap_add(h, o);
}

void timer_request(struct op *op, int64_t due_ms)
{
    struct op_timers *o = op->timers;
    if (!o) {
        o = op->timers = mem_alloc(sizeof(*o));
        o->op = op;
        o->place = -1;
    }
    ring_add(o, due_ms);
    if (has_scheduler(op) && is_of_key(op))
        map_grow(heap_of(op), heap_of(op)->members);
    if (o->runs || o->place >= 0)
        return;
    const struct timers *t = op_app(op)->timers;
    bool stays = t->is_in_round && o->emptied == t->round;
    if (stays)
        heap_of(op)->leaving--;
    o->emptied = 0;
    come_in(o, stays);
}

void timer_repeat(struct op *op, int64_t due_ms)
{
    timer_request(op, due_ms);
    op->timers->repeats = true;
}

void timer_move(struct op *op, int64_t due_ms)
{
    struct op_timers *o = op->timers;
    ASSERT(o && o->count == 1 && o->place >= 0);
    int64_t now_ms = op_task_now(op);
    struct heap *h = heap_of(op);
    uint64_t order = o->order;
    heap_remove(h, o);
    o->dues[o->head] = due_ms;
    o->at_ms = due_ms < now_ms && !has_scheduler(op) ? now_ms : due_ms;
    o->order = order;
    heap_add(h, o);
}

void timer_enter(struct op *op)
{
    if (op->timers)
        op->timers->entry = op_app(op)->timers->order++;
}

void timer_cancel(struct op *op)
{
    struct op_timers *o = op->timers;
    if (!o)
        return;
    struct heap *scheduler = has_scheduler(op) ? &op_app(op)->timers->schedulers[op->plan->scheduler] : NULL;
    if (scheduler && (o->place >= 0 || o->runs))
        scheduler->members--;
    if (o->place >= 0)
        heap_remove(heap_of(op), o);
    op->timers = NULL;
    mem_free(o->dues);
    mem_free(o);
}

/* ---- firing ---- */

static void fire(struct app *app, struct op *op, int64_t due_ms)
{
    app_enter(app);
    if (op->query && op->query->partition)
        partition_touch(op->query->partition);
    if (op->type->due(op, due_ms) < 0) {
        /* Spec 10 section 6: failures while a timer is processed are only logged. */
        app->env.failed = false;
        if (app->host.failure)
            app->host.failure(app->host.user, UINT32_MAX, app->env.failure);
    }
    app_leave(app);
}

/* ---- what nobody needs: a clock that is set on by years finds millions of moments of 'output every 1 sec' or
 * timeBatch(1 sec) at which there is nothing to do ---- */

/* A moment may be any: saved bytes say so. */
static inline bool is_long(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms && (uint64_t)to_ms - (uint64_t)from_ms >= SKIP_LEAST_MS;
}

static bool is_idle(const struct op_timers *o)
{
    const struct op_type *type = o->op->type;
    return type->is_idle && o->count == 1 && type->is_idle(o->op);
}

/* Until something is due that isn't idle, nothing happens: those that are go on to the last of their moments
 * before. That one they pass as ever, so the next ones are asked for in the order in which they would have
 * been. */
static void skip_idle(struct heap *h, int64_t until_ms)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const struct op_timers *o = h->list[i];
        if (o->at_ms < until_ms && (!is_idle(o) || o->at_ms != o->dues[o->head]))
            until_ms = o->at_ms;
    }
    if (!is_long(h->list[0]->at_ms, until_ms))
        return;
    for (uint32_t i = 0; i < h->count; i++) {
        struct op_timers *o = h->list[i];
        if (o->at_ms < until_ms)
            o->at_ms = o->dues[o->head] = o->op->type->skip(o->op, until_ms);
    }
    heap_mend(h);
}

/* At each turn of a loop that brings all that is due until until_ms; now_ms: the clock. A look at all costs as
 * much as they are, so it comes after as many turns; and between two moments only, for in the middle of one those
 * that have had their turn would come in before the others. */
static void skip_now_and_then(struct heap *h, int64_t now_ms, int64_t until_ms, uint32_t *turns)
{
    if (LIKELY(!is_long(h->list[0]->at_ms, until_ms)))
        return;
    if (*turns > 0)
        --*turns;
    if (*turns > 0 || h->list[0]->at_ms <= now_ms)
        return;
    *turns = h->count;
    skip_idle(h, until_ms);
}

/* The operator may cancel its requests while it fires, and make new ones: then o is gone, and those have come
 * in by themselves. */
static void run(struct app *app, struct heap *h, struct op_timers *o)
{
    struct op *op = o->op;
    heap_remove(h, o);
    o->runs = true;
    while (o->count > 0 && o->dues[o->head] <= now_of(op)) {
        if (UNLIKELY(is_long(o->dues[o->head], now_of(op))) && is_idle(o))
            o->dues[o->head] = op->type->skip(op, now_of(op));
        int64_t due_ms = o->dues[o->head];
        o->head = (o->head + 1) & (o->cap - 1);
        o->count--;
        fire(app, op, due_ms);
        if (op->timers != o || !o->runs)
            return;
    }
    o->runs = false;
    if (o->count > 0) {
        come_in(o, true);
    } else if (has_scheduler(op) && is_of_key(op)) {
        o->emptied = app->timers->round;
        h->leaving++;
    }
    o->repeats = false;
}

static uint32_t bucket_of(uint32_t buckets, const struct op_timers *o)
{
    size_t len;
    const char *key = partition_key(o->op->query->partition, &len);
    uint32_t hash = (uint32_t)utf8_java_hash(key, len);
    return (hash ^ hash >> 16) & (buckets - 1);
}

/* The map is walked bucket by bucket; in a bucket, the newest first. */
static bool is_walked_before(uint32_t buckets, const struct op_timers *a, const struct op_timers *b)
{
    uint32_t x = bucket_of(buckets, a), y = bucket_of(buckets, b);
    return x != y ? x < y : a->entry > b->entry;
}

static void put_aside(struct timers *t, struct heap *h, struct op_timers *o)
{
    heap_remove(h, o);
    o->aside = true;
    heap_add(&t->aside, o);
}

static void take_back(struct timers *t, struct heap *h, struct op_timers *o)
{
    heap_remove(&t->aside, o);
    o->aside = false;
    heap_add(h, o);
}

/* One moment of a window for which the language asks once for all keys: they take turns as the map is walked.
 */
static void run_keys(struct app *app, struct heap *h, const struct op_plan *plan, int64_t at_ms)
{
    struct timers *t = app->timers;
    struct heap size = {0};
    while (h->count && h->list[0]->at_ms == at_ms)
        put_aside(t, h, h->list[0]);
    map_grow(&size, t->aside.count - 1);
    for (struct op_timers *first = NULL;; first = NULL) {
        for (uint32_t i = 0; i < t->aside.count; i++) {
            struct op_timers *o = t->aside.list[i];
            if (o->op->plan == plan && (!first || is_walked_before(size.buckets, o, first)))
                first = o;
        }
        if (!first)
            break;
        take_back(t, h, first);
        run(app, h, first);
    }
    while (t->aside.count)
        take_back(t, h, t->aside.list[0]);
}

static void run_first(struct app *app)
{
    struct heap *h = &app->timers->live;
    if (UNLIKELY(h->list[0]->op->type->own_moments && is_of_key(h->list[0]->op)))
        run_keys(app, h, h->list[0]->op->plan, h->list[0]->at_ms);
    else
        run(app, h, h->list[0]);
}

static __attribute__((noinline)) void advance_live(struct app *app, int64_t now_ms)
{
    struct heap *h = &app->timers->live;
    uint32_t turns = 0;
    while (h->count && h->list[0]->at_ms <= now_ms) {
        skip_now_and_then(h, app->env.now_ms, now_ms, &turns);
        if (h->list[0]->at_ms > app->env.now_ms)
            app->env.now_ms = h->list[0]->at_ms;
        run_first(app);
    }
}

/* One turn of a scheduler of keys: of those whose oldest requests are equal, one. */
static void advance_keys(struct app *app, struct heap *h)
{
    struct timers *t = app->timers;
    uint32_t round = ++t->round;
    t->is_in_round = true;
    while (h->count && h->list[0]->at_ms <= app->env.now_ms) {
        int64_t at_ms = h->list[0]->at_ms;
        struct op_timers *first = NULL;
        while (h->count && h->list[0]->at_ms == at_ms) {
            struct op_timers *o = h->list[0];
            put_aside(t, h, o);
            if (o->round != round && (!first || is_walked_before(h->buckets, o, first)))
                first = o;
        }
        if (!first)
            continue;
        take_back(t, h, first);
        run(app, h, first);
    }
    while (t->aside.count)
        take_back(t, h, t->aside.list[0]);
    t->is_in_round = false;
    h->members -= h->leaving;
    h->leaving = 0;
}

static void advance_schedulers(struct app *app)
{
    struct timers *t = app->timers;
    t->serves = true;
    for (uint32_t i = 0; i < t->scheduler_count; i++) {
        struct heap *h = &t->schedulers[i];
        if (h->count && is_of_key(h->list[0]->op))
            advance_keys(app, h);
        while (h->count && !is_of_key(h->list[0]->op) && h->list[0]->at_ms <= app->env.now_ms)
            run(app, h, h->list[0]);
    }
    t->serves = false;
}

void timers_move(struct app *app, int64_t at_ms)
{
    if (at_ms < app->env.now_ms)
        return;
    app->env.now_ms = at_ms;
    advance_schedulers(app);
    heartbeat_stir(app);
}

/* The task clock goes on; leads: the app's clock goes along. */
static __attribute__((noinline)) void advance_tasks(struct app *app, int64_t until_ms, bool leads)
{
    struct heap *live = &app->timers->live;
    uint32_t turns = 0;
    app->until_ms = until_ms;
    while (live->count && live->list[0]->at_ms <= until_ms) {
        if (!leads) /* else the app's clock halts at each moment */
            skip_now_and_then(live, app->task_ms, until_ms, &turns);
        int64_t at_ms = live->list[0]->at_ms;
        if (leads && at_ms > app->task_ms) {
            app->until_ms = app->task_ms = at_ms;
            timers_move(app, at_ms);
        } else if (at_ms > app->task_ms) {
            app->task_ms = at_ms;
        }
        /* what the clock let fire may have asked for an earlier moment, or taken this one back */
        if (live->count && live->list[0]->at_ms <= app->task_ms)
            run_first(app);
    }
    if (until_ms > app->task_ms)
        app->task_ms = until_ms;
    app->until_ms = app->task_ms;
}

void app_move(struct app *app, int64_t at_ms)
{
    if (!app->playback || !app->started)
        return;
    if (!app->timers->serves)
        timers_move(app, at_ms);
    else if (at_ms >= app->env.now_ms) /* time passes between pushes only */
        heartbeat_stir(app);
}

void app_tick(struct app *app, int64_t now_ms)
{
    if (!app->playback)
        app_advance(app, now_ms);
    else if (app->started && app->depth == 0)
        advance_tasks(app, now_ms, false);
}

static __attribute__((noinline)) void advance_due(struct app *app, int64_t now_ms)
{
    advance_live(app, now_ms);
    app->env.now_ms = now_ms;
}

void app_advance(struct app *app, int64_t now_ms)
{
    if (UNLIKELY(!app->started))
        return;
    if (UNLIKELY(app->playback)) {
        advance_tasks(app, now_ms, true);
        timers_move(app, now_ms);
        return;
    }
    const struct heap *live = &app->timers->live;
    if (now_ms < app->env.now_ms)
        now_ms = app->env.now_ms; /* the clock stays, and what is due by it fires */
    if (UNLIKELY(live->count && live->list[0]->at_ms <= now_ms))
        advance_due(app, now_ms); /* the clock may stand, but what was asked for since may be due */
    else
        app->env.now_ms = now_ms;
}

int64_t timers_next(const struct timers *t)
{
    return t->live.count ? t->live.list[0]->at_ms : INT64_MAX;
}

/* ---- state: operators save the moments they asked for; here is in what order they came in. That of a key's
 * stands in its entry, so that what is written is what changed. ---- */

void timer_save(struct op *op, void *writer)
{
    struct writer *w = writer;
    const struct op_timers *o = op->timers;
    bool waits = o && o->place >= 0, has_entry = waits && o->entry != o->order;
    if (w->tally)
        return;
    write_u8(w, (uint8_t)(waits + has_entry));
    if (!waits)
        return;
    write_i64(w, o->at_ms);
    write_varint(w, o->order);
    if (has_entry)
        write_varint(w, o->entry);
}

void timer_load(struct op *op, void *reader)
{
    struct reader *r = reader;
    struct timers *t = op_app(op)->timers;
    struct loaded l = {.op = op};
    uint8_t kind = read_u8(r);
    if (kind == 0)
        return;
    l.at_ms = read_i64(r);
    l.entry = l.order = read_varint(r);
    if (kind > 1)
        l.entry = read_varint(r);
    r->failed = r->failed || kind > 2;
    if (t->loaded_count == t->loaded_cap) {
        t->loaded_cap = t->loaded_cap ? t->loaded_cap * 2 : 64;
        t->loaded = mem_resize(t->loaded, t->loaded_cap, sizeof *t->loaded);
    }
    t->loaded[t->loaded_count++] = l;
}

struct waiting {
    struct op_timers *
        *all; /* by number of the operator, copies in partitions left out; NULL: waits for nothing */
    uint32_t count, cap; /* count: operators seen */
};

static void waiting_add(struct op *op, void *user)
{
    struct waiting *w = user;
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->all = mem_resize(w->all, w->cap, sizeof(struct op_timers *));
    }
    w->all[w->count++] = op->timers && op->timers->place >= 0 ? op->timers : NULL;
}

void timers_save(struct timers *t, struct writer *w)
{
    struct waiting list = {0};
    uint32_t count = 0;
    app_each_op(t->app, waiting_add, &list);
    for (uint32_t i = 0; i < list.count; i++)
        count += list.all[i] != NULL;
    write_i64(w, (int64_t)t->order);
    write_count(w, count);
    for (uint32_t i = 0; i < list.count; i++) {
        if (!list.all[i])
            continue;
        write_u32(w, i);
        write_i64(w, list.all[i]->at_ms);
        write_i64(w, (int64_t)list.all[i]->order);
    }
    mem_free(list.all);
}

int timers_load(struct timers *t, struct reader *r)
{
    struct waiting list = {0};
    app_each_op(t->app, waiting_add, &list);
    uint64_t order = (uint64_t)read_i64(r);
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint32_t number = read_u32(r);
        int64_t at_ms = read_i64(r);
        uint64_t was = (uint64_t)read_i64(r);
        if (number >= list.count || !list.all[number])
            continue;
        list.all[number]->at_ms = at_ms;
        list.all[number]->order = list.all[number]->entry = was;
    }
    mem_free(list.all);
    for (uint32_t i = 0; i < t->loaded_count; i++) {
        const struct loaded *l = &t->loaded[i];
        struct op_timers *o = l->op->timers;
        if (!o || o->place < 0)
            continue;
        o->at_ms = l->at_ms;
        o->order = l->order;
        o->entry = l->entry;
    }
    timers_forget(t);
    t->order = order > t->order ? order : t->order;
    heap_mend(&t->live);
    for (uint32_t i = 0; i < t->scheduler_count; i++)
        heap_mend(&t->schedulers[i]);
    return r->failed ? ERR_STATE : 0;
}
