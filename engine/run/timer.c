/* timer.c - how time passes (spec 03 section 2, 10 section 2). The two disciplines stand here side by side.
 *
 * live: one heap over all requests by (due, order of asking); each fires with the clock at its own due time. Requests of one operator fire in the
 * order of asking: one that is due before an older one waits for it.
 * playback: the clock jumps first; then the schedulers in order of creation, each firing all it has due. A scheduler serves all instances of one
 * operator (keys of a partition): the instance whose oldest request is earliest comes first, and fires all it has due before the next one. A request
 * waits behind the older ones of its instance, even when it is due before them.
 *
 * A request is {due, order} in its operator's queue. The live heap holds operators' requests; cancelled ones are passed over. */
#include "engine/run/app.h"
#include "engine/base/log.h"
#include <stdlib.h>

struct op_timers {
    struct op *op; /* NULL: cancelled; freed when no heap entry is left */
    int64_t *dues; /* ring of requests, playback only */
    uint32_t head, count, cap;
    uint32_t in_heap;
    int64_t newest_ms;    /* live: moment of its newest request */
    int place;            /* in its scheduler's heap, or -1 */
    uint64_t order;       /* when it got requests again after having none; live: of its first request */
    uint32_t serial;      /* for saving: its operator's number among all */
};
struct timer_entry {
    int64_t at_ms;  /* when it fires: not before an older request of the same operator */
    int64_t due_ms; /* as it was asked */
    uint64_t order;
    struct op_timers *timers;
};
struct scheduler {
    struct op_timers **heap; /* instances with requests, by their oldest one; then by order */
    uint32_t count, cap;
};
struct timers {
    struct app *app;
    struct timer_entry *heap; /* live */
    uint32_t heap_count, heap_cap;
    uint64_t order;
    struct scheduler *schedulers; /* playback */
    uint32_t scheduler_count;
};

struct timers *timers_new(struct app *app)
{
    struct timers *t = mem_alloc(sizeof(*t));
    t->app = app;
    t->scheduler_count = (uint32_t)app->plan->scheduler_count;
    t->schedulers = mem_array(t->scheduler_count + 1, sizeof(*t->schedulers));
    return t;
}

static void op_timers_free(struct op_timers *o)
{
    mem_free(o->dues);
    mem_free(o);
}

void timers_free(struct timers *t)
{
    for (uint32_t i = 0; i < t->heap_count; i++) {
        struct op_timers *o = t->heap[i].timers;
        if (--o->in_heap == 0 && !o->op)
            op_timers_free(o);
    }
    for (uint32_t i = 0; i < t->scheduler_count; i++)
        mem_free(t->schedulers[i].heap);
    mem_free(t->schedulers);
    mem_free(t->heap);
    mem_free(t);
}

static bool entry_before(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void heap_push(struct timers *t, struct timer_entry entry)
{
    if (t->heap_count == t->heap_cap) {
        t->heap_cap = t->heap_cap ? t->heap_cap * 2 : 16;
        t->heap = mem_resize(t->heap, t->heap_cap, sizeof(*t->heap));
    }
    uint32_t at = t->heap_count++;
    while (at > 0 && entry_before(&entry, &t->heap[(at - 1) / 2])) {
        t->heap[at] = t->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    t->heap[at] = entry;
}

static void heap_sink(struct timers *t, uint32_t at, struct timer_entry entry)
{
    for (uint32_t child = at * 2 + 1; child < t->heap_count; child = at * 2 + 1) {
        if (child + 1 < t->heap_count && entry_before(&t->heap[child + 1], &t->heap[child]))
            child++;
        if (!entry_before(&t->heap[child], &entry))
            break;
        t->heap[at] = t->heap[child];
        at = child;
    }
    t->heap[at] = entry;
}

static struct timer_entry heap_pop(struct timers *t)
{
    struct timer_entry top = t->heap[0], last = t->heap[--t->heap_count];
    if (t->heap_count)
        heap_sink(t, 0, last);
    return top;
}

static void ring_add(struct op_timers *o, int64_t due_ms)
{
    if (o->count == o->cap) {
        uint32_t wider = o->cap ? o->cap * 2 : 4;
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

static bool instance_before(const struct op_timers *a, const struct op_timers *b)
{
    int64_t x = a->dues[a->head], y = b->dues[b->head];
    return x != y ? x < y : a->order < b->order;
}

static void instance_rise(struct scheduler *s, uint32_t at, struct op_timers *o)
{
    while (at > 0 && instance_before(o, s->heap[(at - 1) / 2])) {
        s->heap[at] = s->heap[(at - 1) / 2];
        s->heap[at]->place = (int)at;
        at = (at - 1) / 2;
    }
    s->heap[at] = o;
    o->place = (int)at;
}

static void instance_sink(struct scheduler *s, uint32_t at, struct op_timers *o)
{
    for (uint32_t child = at * 2 + 1; child < s->count; child = at * 2 + 1) {
        if (child + 1 < s->count && instance_before(s->heap[child + 1], s->heap[child]))
            child++;
        if (!instance_before(s->heap[child], o))
            break;
        s->heap[at] = s->heap[child];
        s->heap[at]->place = (int)at;
        at = child;
    }
    s->heap[at] = o;
    o->place = (int)at;
}

/* Its oldest request is another one. */
static void instance_move(struct scheduler *s, struct op_timers *o)
{
    instance_rise(s, (uint32_t)o->place, o);
    instance_sink(s, (uint32_t)o->place, o);
}

static void scheduler_add(struct scheduler *s, struct op_timers *o)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->heap = mem_resize(s->heap, s->cap, sizeof(struct op_timers *));
    }
    instance_rise(s, s->count++, o);
}

static void scheduler_remove(struct scheduler *s, struct op_timers *o)
{
    if (o->place < 0)
        return;
    uint32_t at = (uint32_t)o->place;
    struct op_timers *last = s->heap[--s->count];
    o->place = -1;
    if (last == o)
        return;
    s->heap[at] = last;
    last->place = (int)at;
    instance_move(s, last);
}

static void request(struct op *op, int64_t due_ms, bool again)
{
    struct timers *t = op->app->timers;
    struct op_timers *o = op->timers;
    if (!o) {
        o = op->timers = mem_alloc(sizeof(*o));
        o->op = op;
        o->place = -1;
        o->order = t->order++;
    }
    /* Triggers keep their own moments in both disciplines: they have no scheduler. */
    if (op->app->playback && op->plan->scheduler >= 0) {
        ring_add(o, due_ms);
        if (o->place < 0) {
            o->order = t->order++;
            scheduler_add(&t->schedulers[op->plan->scheduler], o);
        }
        return;
    }
    int64_t at_ms = due_ms;
    if (op->plan->scheduler >= 0 && o->in_heap && o->newest_ms > at_ms)
        at_ms = o->newest_ms;
    o->newest_ms = at_ms;
    o->in_heap++;
    heap_push(t, (struct timer_entry){at_ms, due_ms, again ? o->order : t->order++, o});
}

void timer_request(struct op *op, int64_t due_ms)
{
    request(op, due_ms, false);
}

void timer_repeat(struct op *op, int64_t due_ms)
{
    request(op, due_ms, true);
}

void timer_cancel(struct op *op)
{
    struct op_timers *o = op->timers;
    if (!o)
        return;
    op->timers = NULL;
    if (op->app->playback && op->plan->scheduler >= 0)
        scheduler_remove(&op->app->timers->schedulers[op->plan->scheduler], o);
    o->op = NULL;
    if (o->in_heap == 0)
        op_timers_free(o);
}

static void fire(struct app *app, struct op *op, int64_t due_ms)
{
    app_enter(app);
    if (op->type->due(op, due_ms) < 0) {
        /* Spec 10 section 6: failures while a timer is processed are only logged. */
        app->env.failed = false;
        if (app->host.failure)
            app->host.failure(app->host.user, UINT32_MAX, app->env.failure);
    }
    app_leave(app);
}

/* Fires the heap's entries that are due by now_ms, each at its own moment. */
static void advance_heap(struct app *app, int64_t now_ms)
{
    struct timers *t = app->timers;
    while (t->heap_count && t->heap[0].at_ms <= now_ms) {
        struct timer_entry e = heap_pop(t);
        struct op *op = e.timers->op;
        e.timers->in_heap--;
        if (!op) {
            if (e.timers->in_heap == 0)
                op_timers_free(e.timers);
            continue;
        }
        if (e.at_ms > app->env.now_ms)
            app->env.now_ms = e.at_ms;
        fire(app, op, e.due_ms);
    }
}

/* Fires all that one instance has due, also what it asks for meanwhile; then the next. */
static void advance_scheduler(struct app *app, struct scheduler *s)
{
    struct op *op = NULL;
    for (;;) {
        struct op_timers *o = op ? op->timers : NULL;
        if (!o || o->place < 0 || o->dues[o->head] > app->env.now_ms)
            o = s->count ? s->heap[0] : NULL;
        if (!o || o->dues[o->head] > app->env.now_ms)
            break;
        int64_t due_ms = o->dues[o->head];
        op = o->op;
        if (o->count == 1)
            scheduler_remove(s, o);
        o->head = (o->head + 1) & (o->cap - 1);
        if (--o->count > 0)
            instance_move(s, o);
        fire(app, op, due_ms);
    }
}

static void advance_schedulers(struct app *app)
{
    for (uint32_t i = 0; i < app->timers->scheduler_count; i++)
        advance_scheduler(app, &app->timers->schedulers[i]);
}

void timers_advance(struct app *app, int64_t now_ms)
{
    struct timers *t = app->timers;
    if (!app->playback) {
        advance_heap(app, now_ms);
        if (now_ms > app->env.now_ms)
            app->env.now_ms = now_ms;
        return;
    }
    /* The clock halts at each trigger on its way; there, as at the end, it jumps first. */
    while (t->heap_count && t->heap[0].at_ms <= now_ms) {
        int64_t due_ms = t->heap[0].at_ms;
        if (due_ms > app->env.now_ms)
            app->env.now_ms = due_ms;
        advance_schedulers(app);
        advance_heap(app, due_ms);
    }
    if (now_ms > app->env.now_ms)
        app->env.now_ms = now_ms;
    advance_schedulers(app);
}

int64_t timers_next(const struct timers *t)
{
    int64_t next = t->heap_count ? t->heap[0].at_ms : INT64_MAX;
    for (uint32_t i = 0; i < t->scheduler_count; i++) {
        const struct scheduler *s = &t->schedulers[i];
        if (s->count && s->heap[0]->dues[s->heap[0]->head] < next)
            next = s->heap[0]->dues[s->heap[0]->head];
    }
    return next;
}

/* ---- state: operators save the moments they asked for; here is who asked first ---- */

struct asked {
    uint32_t serial; /* of the operator */
    int64_t due_ms;  /* playback: 0, it is about the instance */
    uint64_t order;
    struct timer_entry *entry; /* or */
    struct op_timers *instance;
};
static void number_op(struct op *op, void *user)
{
    uint32_t *serial = user;
    if (op->timers)
        op->timers->serial = *serial;
    ++*serial;
}

static int compare_asked(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    if (x->serial != y->serial)
        return x->serial < y->serial ? -1 : 1;
    if (x->due_ms != y->due_ms)
        return x->due_ms < y->due_ms ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* All requests there are, by operator and moment. The caller frees. */
static struct asked *collect(struct timers *t, uint32_t *out_count)
{
    uint32_t serial = 0, count = 0, room = t->heap_count;
    app_each_op(t->app, number_op, &serial);
    for (uint32_t i = 0; i < t->scheduler_count; i++)
        room += t->schedulers[i].count;
    struct asked *all = mem_array((size_t)room + 1, sizeof(*all));
    for (uint32_t i = 0; i < t->heap_count; i++) {
        struct timer_entry *e = &t->heap[i];
        if (e->timers->op)
            all[count++] = (struct asked){.serial = e->timers->serial, .due_ms = e->due_ms, .order = e->order, .entry = e};
    }
    for (uint32_t i = 0; i < t->scheduler_count; i++) {
        for (uint32_t k = 0; k < t->schedulers[i].count; k++) {
            struct op_timers *o = t->schedulers[i].heap[k];
            all[count++] = (struct asked){.serial = o->serial, .order = o->order, .instance = o};
        }
    }
    qsort(all, count, sizeof(*all), compare_asked);
    *out_count = count;
    return all;
}

void timers_save(struct timers *t, struct writer *w)
{
    uint32_t count;
    struct asked *all = collect(t, &count);
    write_i64(w, (int64_t)t->order);
    write_count(w, count);
    for (uint32_t i = 0; i < count; i++) {
        write_u32(w, all[i].serial);
        write_i64(w, all[i].due_ms);
        write_i64(w, (int64_t)all[i].order);
    }
    mem_free(all);
}

static void reorder(struct asked *a, uint64_t order)
{
    if (a->entry)
        a->entry->order = order;
    if (a->instance)
        a->instance->order = order;
    else
        a->entry->timers->order = order;
}

int timers_load(struct timers *t, struct reader *r)
{
    uint32_t count, at = 0;
    struct asked *all = collect(t, &count);
    uint64_t order = (uint64_t)read_i64(r);
    size_t saved = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < saved && !r->failed; i++) {
        struct asked was = {.serial = read_u32(r)};
        was.due_ms = read_i64(r);
        was.order = (uint64_t)read_i64(r);
        while (at < count && (all[at].serial < was.serial || (all[at].serial == was.serial && all[at].due_ms < was.due_ms)))
            at++;
        if (at < count && all[at].serial == was.serial && all[at].due_ms == was.due_ms)
            reorder(&all[at++], was.order);
    }
    mem_free(all);
    t->order = order > t->order ? order : t->order;
    for (uint32_t i = t->heap_count / 2; i > 0; i--)
        heap_sink(t, i - 1, t->heap[i - 1]);
    for (uint32_t i = 0; i < t->scheduler_count; i++) {
        struct scheduler *s = &t->schedulers[i];
        for (uint32_t k = s->count / 2; k > 0; k--)
            instance_sink(s, k - 1, s->heap[k - 1]);
    }
    return r->failed ? ERR_STATE : 0;
}
