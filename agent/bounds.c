/* bounds.c - see bounds.h. */
#include "agent/bounds.h"
#include "agent/clock.h"
#include "agent/errors_app.h"
#include "agent/hosted.h"
#include "agent/metrics.h"
#include "agent/turn.h"
#include "engine/base/limits.h"
#include <inttypes.h>
#include <string.h>

enum {
    MEND_MS = 1000, /* what gives memory back takes its time */
    PARTS_TOLD = 3,
};

const char *bounds_hold_name(enum bounds_hold hold)
{
    static const char *const names[] = {"", "memory", "disk", "an app it feeds", "the system's memory"};
    return names[hold];
}

void bounds_init(struct bounds *b, enum limits_full full)
{
    *b = (struct bounds){.memory_share = INT64_MAX,
                         .disk_share = INT64_MAX,
                         .memory_most = INT64_MAX,
                         .disk_most = INT64_MAX,
                         .full = full};
}

static size_t at_most(int64_t setting, int64_t part)
{
    return (size_t)(setting < part ? setting : part);
}

void bounds_set(struct hosted *h, int64_t memory_share, int64_t disk_share, const struct config *config)
{
    struct bounds *b = &h->bounds;
    int64_t eighth = memory_share / 8;
    int sinks = 0;
    for (int i = 0; i < h->bind->sink_count; i++)
        sinks += h->outboxes[i] != NULL;
    b->memory_share = memory_share;
    b->disk_share = b->disk_most = disk_share;
    b->memory_most = memory_share - 2 * eighth;
    h->account.most = memory_share;
    pthread_mutex_lock(&h->worker->lock);
    h->inbox.most_bytes = at_most(config->inbox_bytes, eighth);
    pthread_mutex_unlock(&h->worker->lock);
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i])
            outbox_bound(h->outboxes[i], at_most(config->outbox_bytes, eighth / sinks));
}

/* ---- held ---- */

/* The largest parts of what an app holds, for its log. */
struct largest {
    struct told {
        char words[160];
        uint64_t bytes;
    } parts[PARTS_TOLD];
};

static void on_part(void *user, const struct app_part *p)
{
    struct largest *l = user;
    int at = PARTS_TOLD;
    while (at > 0 && l->parts[at - 1].bytes < p->bytes)
        at--;
    if (at == PARTS_TOLD)
        return;
    memmove(&l->parts[at + 1], &l->parts[at], (size_t)(PARTS_TOLD - 1 - at) * sizeof l->parts[0]);
    l->parts[at].bytes = p->bytes;
    snprintf(l->parts[at].words, sizeof l->parts[at].words, "%s %.100s%s%.40s", p->kind, p->name,
             p->op ? " " : "", p->op ? p->op : "");
}

static void log_memory(struct hosted *h)
{
    struct largest l = {0};
    struct buf words;
    char size[3][AMOUNT_TEXT];
    buf_init(&words, 1024);
    mem_account = &h->account;
    app_held(h->app, on_part, &l);
    mem_account = NULL;
    for (int i = 0; i < PARTS_TOLD && l.parts[i].bytes; i++)
        buf_printf(&words, "%s%s about %s", i ? ", " : "; most in ", l.parts[i].words,
                   amount_print(size[0], l.parts[i].bytes));
    log_write(
        LOG_WARN, h->log_name,
        "at its limit of memory it %s: its queries hold %s, of its share of %s they may hold %s%s; let it "
        "hold less, or give it more by \"memory.shares\", @app:limits(memory='...') or \"memory.bytes\"",
        h->bounds.full == LIMITS_WAIT ? "takes no input" : "drops its input",
        amount_print(size[0], (uint64_t)h->account.bytes),
        amount_print(size[1], (uint64_t)h->bounds.memory_share),
        amount_print(size[2], (uint64_t)h->bounds.memory_most), words.len ? words.bytes : "");
    buf_fini(&words);
}

static void log_disk(struct hosted *h)
{
    char size[2][AMOUNT_TEXT];
    log_write(
        LOG_WARN, h->log_name,
        "at its limit of disk it %s: its journal, state, tables and what waits for its sinks take %s, its "
        "share is %s; let its far sides take what waits, or give it more by \"state.shares\", "
        "@app:limits(disk='...') or \"state.bytes\"",
        h->bounds.full == LIMITS_WAIT ? "takes no input" : "drops its input",
        amount_print(size[0], h->bounds.disk_bytes), amount_print(size[1], (uint64_t)h->bounds.disk_share));
}

static void log_hold(struct hosted *h, enum bounds_hold hold)
{
    switch (hold) {
    case HOLD_NONE:
        log_write(LOG_INFO, h->log_name, "there is room again: it takes input");
        break;
    case HOLD_MEMORY:
        log_memory(h);
        break;
    case HOLD_DISK:
        log_disk(h);
        break;
    case HOLD_FEEDS:
        log_write(LOG_WARN, h->log_name,
                  "it takes no input while an app it feeds by inMemory is at its limit");
        break;
    case HOLD_SYSTEM:
        log_write(LOG_ERROR, h->log_name,
                  "the system has no memory left: it takes no input until there is some; \"memory.bytes\" is "
                  "more than this machine can give");
        break;
    }
}

static void set_hold(struct hosted *h, enum bounds_hold hold)
{
    struct bounds *b = &h->bounds;
    struct worker *w = h->worker;
    struct mem_account *account = mem_account;
    mem_account = NULL;
    w->held += (hold != HOLD_NONE) - (b->hold != HOLD_NONE);
    b->holds += hold != HOLD_NONE && b->hold == HOLD_NONE;
    b->hold = hold;
    b->since_ms = clock_wall_ms();
    if (hold == HOLD_SYSTEM)
        w->mend_us = clock_steady_us() + MEND_MS * 1000;
    log_hold(h, hold);
    if (hold == HOLD_DISK && h->durable && h->durable->journal_bytes) {
        h->durable->wants_checkpoint = true;
        commit_note(&w->commit, 1);
    }
    mem_account = account;
}

/* What stands in the way of it alone; goes_on: it is held, and needs a sixteenth more room than otherwise. */
static enum bounds_hold own_hold(const struct hosted *h, bool goes_on)
{
    const struct bounds *b = &h->bounds;
    int64_t memory = b->memory_most, disk = b->disk_most;
    if (UNLIKELY(goes_on)) {
        memory -= memory / 16;
        disk -= disk / 16;
    }
    if (UNLIKELY(mem_is_short()))
        return HOLD_SYSTEM;
    if (UNLIKELY(h->account.bytes >= memory))
        return HOLD_MEMORY;
    return UNLIKELY(b->disk_bytes >= (uint64_t)disk) ? HOLD_DISK : HOLD_NONE;
}

/* Law 4. An app that gets all it gets by topics is never asked for itself: so it is asked here. */
static bool feeds_held(const struct hosted *h)
{
    bool is_any = false;
    for (struct hosted *o = h->worker->apps; o; o = o->next) {
        if (o == h || !o->has_topic_sources)
            continue;
        enum bounds_hold hold = o->bounds.hold;
        if (hold == HOLD_NONE && (hold = own_hold(o, false)) != HOLD_NONE)
            set_hold(o, hold);
        is_any |= hold == HOLD_MEMORY || hold == HOLD_DISK;
    }
    return is_any;
}

static enum bounds_hold find_hold(const struct hosted *h, bool goes_on)
{
    enum bounds_hold hold = own_hold(h, goes_on);
    return UNLIKELY(h->has_topic_sinks) && hold == HOLD_NONE && feeds_held(h) ? HOLD_FEEDS : hold;
}

static bool is_too_big(const struct hosted *h, const struct arrival *a)
{
    return a->len > h->bounds.memory_share / LIMIT_MESSAGE_GROWTH;
}

bool bounds_holds(struct hosted *h)
{
    if (LIKELY(h->bounds.hold == HOLD_NONE)) {
        enum bounds_hold hold = find_hold(h, false);
        if (LIKELY(hold == HOLD_NONE))
            return false;
        set_hold(h, hold);
    }
    return true;
}

enum bounds_answer bounds_ask(struct hosted *h, const struct arrival *a)
{
    const struct bounds *b = &h->bounds;
    if (LIKELY(!bounds_holds(h)))
        return UNLIKELY(is_too_big(h, a)) ? BOUNDS_REFUSE : BOUNDS_WORK;
    bool waits = b->full == LIMITS_WAIT || b->hold == HOLD_SYSTEM || b->hold == HOLD_FEEDS;
    return waits ? BOUNDS_WAIT : BOUNDS_REFUSE;
}

static void why_refused(const struct hosted *h, const struct arrival *a, struct err *why)
{
    char size[2][AMOUNT_TEXT];
    if (h->bounds.hold != HOLD_NONE)
        err_set(why, ERR_FULL, "the app is at its limit of %s", bounds_hold_name(h->bounds.hold));
    else
        err_set(why, ERR_FULL,
                "a message of %s may need more than the app's share of memory, %s, of which it may be a %dth",
                amount_print(size[0], a->len), amount_print(size[1], (uint64_t)h->bounds.memory_share),
                LIMIT_MESSAGE_GROWTH);
}

void bounds_refuse(struct hosted *h, struct arrival *a)
{
    struct bounds *b = &h->bounds;
    struct source *s = a->source;
    struct err why;
    bool is_stored = false;
    why_refused(h, a, &why);
    if ((b->hold == HOLD_NONE || b->full == LIMITS_STORE) && !a->too_big)
        is_stored = errors_app_untaken(h, &h->bind->sources[s->number], a, why.text);
    *(is_stored ? &b->stored : &b->dropped) += 1;
    metrics_add(is_stored ? &metrics.limit_stored : &metrics.limit_dropped, 1);
    hush_log(&b->hush, LOG_WARN, h->log_name, "source %s: %s: %s", s->name,
             is_stored ? "kept in the error store" : "dropped", why.text);
    a->too_big = true;
    if (!h->durable)
        return;
    durable_owe(h->durable, s, a->receipt, OUTCOME_REJECTED);
    commit_note(&h->worker->commit, 1);
}

void bounds_worked(struct hosted *h)
{
    if (LIKELY(!h->account.refused))
        return;
    h->bounds.failed += h->account.refused;
    h->account.refused = 0;
    if (!h->durable || h->replays)
        return;
    h->durable->wants_checkpoint = true;
    commit_note(&h->worker->commit, 1);
}

static void let_go(struct hosted *h)
{
    struct worker *w = h->worker;
    set_hold(h, HOLD_NONE);
    w->due_ms = INT64_MIN;
    pthread_mutex_lock(&w->lock);
    if (h->inbox.waiting_messages && !h->is_blocked)
        worker_ready(w, h);
    pthread_mutex_unlock(&w->lock);
}

int64_t bounds_look(struct worker *w)
{
    if (LIKELY(!w->held))
        return INT64_MAX;
    bool is_short = mem_is_short();
    if (UNLIKELY(is_short) && clock_steady_us() >= w->mend_us) {
        is_short = !mem_ballast_mend();
        w->mend_us = clock_steady_us() + MEND_MS * 1000;
    }
    for (struct hosted *h = w->apps; h; h = h->next) {
        if (h->bounds.hold == HOLD_NONE)
            continue;
        enum bounds_hold hold = find_hold(h, true);
        if (hold == HOLD_NONE)
            let_go(h);
        else if (hold != h->bounds.hold)
            set_hold(h, hold);
    }
    return is_short ? w->mend_us : INT64_MAX;
}

static uint64_t used(const struct hosted *h)
{
    struct store *s = h->worker->commit.store;
    uint64_t bytes = store_used(s, STORE_JOURNAL, h->store_number) +
                     store_used(s, STORE_STATE, h->store_number) +
                     store_used(s, STORE_TABLES, h->store_number);
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i] && h->outboxes[i]->spool)
            bytes += store_used(s, STORE_OUTBOX, h->outboxes[i]->spool->sink);
    return bytes;
}

void bounds_committed(struct worker *w)
{
    for (struct hosted *h = w->apps; h; h = h->next)
        if (h->durable || h->has_tables)
            h->bounds.disk_bytes = used(h);
}

/* ---- the dealing ---- */

struct number { /* memory or disk */
    const char *what, *setting, *shares;
    int64_t whole, said; /* said: the sum of the shares that were */
    int unsaid;          /* apps without a word */
};

/* 0: nothing was said. */
static int64_t said_share(const struct config *config, const struct bounds_want *w, bool is_disk,
                          int64_t whole)
{
    const char *text = names_find(is_disk ? &config->state_shares : &config->memory_shares, w->name);
    struct amount a;
    if (text && amount_read(&a, text))
        return amount_of(&a, whole);
    if (!(is_disk ? w->said->has_disk : w->said->has_memory))
        return 0;
    return amount_of(is_disk ? &w->said->disk : &w->said->memory, whole);
}

static int too_much(const struct number *n, const struct bounds_want *at, int64_t share, struct err *e)
{
    char size[3][AMOUNT_TEXT];
    const char *whole = amount_print(size[0], (uint64_t)n->whole);
    const char *others = amount_print(size[1], (uint64_t)(n->said - share));
    if (share)
        return err_set(
            e, ERR_FULL,
            "app %s wants %s of %s; of %s other apps have %s: lower a share (\"%s\", @app:limits), or "
            "raise \"%s\"",
            at->name, amount_print(size[2], (uint64_t)share), n->what, whole, others, n->shares, n->setting);
    return err_set(e, ERR_FULL,
                   "nothing of %s, %s, is left for app %s: the shares of others are %s: lower one (\"%s\", "
                   "@app:limits), or raise \"%s\"",
                   n->what, whole, at->name, others, n->shares, n->setting);
}

static int deal_one(const struct config *config, struct number *n, bool is_disk, struct bounds_want *wants,
                    int count, int at, struct err *e)
{
    enum { LEAST = 65536 }; /* what one app without a word needs at least */
    int rc = 0;
    for (int i = 0; i < count; i++) {
        if (is_disk && !wants[i].uses_disk)
            continue;
        int64_t share = said_share(config, &wants[i], is_disk, n->whole);
        *(is_disk ? &wants[i].disk_share : &wants[i].memory_share) = share;
        n->said += share < n->whole ? share : n->whole;
        n->unsaid += !share;
    }
    int64_t rest = n->whole - n->said, part = n->unsaid ? rest / n->unsaid : 0;
    bool is_over = rest < 0 || (n->unsaid && part < LEAST);
    if (is_over && at >= 0 && (!is_disk || wants[at].uses_disk))
        return too_much(n, &wants[at], is_disk ? wants[at].disk_share : wants[at].memory_share, e);
    if (is_over && at < 0)
        rc = err_set(e, ERR_FULL,
                     "the shares of %s are more than \"%s\", and are cut: lower some (\"%s\", @app:limits)",
                     n->what, n->setting, n->shares);
    double cut = is_over ? (double)n->whole / (double)(n->said + n->unsaid * (int64_t)LEAST) : 1;
    for (int i = 0; i < count; i++) {
        int64_t *share = is_disk ? &wants[i].disk_share : &wants[i].memory_share;
        if (is_disk && !wants[i].uses_disk)
            *share = INT64_MAX;
        else if (!*share)
            *share = is_over ? (int64_t)(LEAST * cut) : part;
        else
            *share = (int64_t)((double)*share * cut);
    }
    return rc;
}

int bounds_deal(const struct config *config, struct bounds_want *wants, int count, int at, struct err *e)
{
    int64_t errors =
        config->errors_bytes < config->state_bytes / 2 ? config->errors_bytes : config->state_bytes / 2;
    struct number memory = {"the memory", "memory.bytes", "memory.shares", config->memory_bytes, 0, 0};
    struct number disk = {
        "the disk", "state.bytes", "state.shares", (config->state_bytes - errors) / 4 * 3, 0, 0};
    int rc = deal_one(config, &memory, false, wants, count, at, e);
    if (rc < 0 && at >= 0)
        return rc;
    struct err why;
    int also = deal_one(config, &disk, true, wants, count, at, &why);
    if (also < 0 && rc == 0)
        *e = why;
    return also < 0 ? also : rc;
}
