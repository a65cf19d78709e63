/* salvage.c - see salvage.h. */
#include "agent/salvage.h"
#include "engine/base/mem.h"
#include "engine/data/codec.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum {
    BATCH_BYTES = 4 * 1024 * 1024,
    MESSAGE_COST = 48 /* what an outbox counts for a message beside its bytes */
};
static const uint64_t FAR_ABOVE = (uint64_t)1 << 32;

struct copy {
    struct salvage *salvage;
    const struct census *census;
    struct store *store;
    struct store_batch batch;
    struct err *err;
    int rc;
};

static void say(const struct salvage *s, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(const struct salvage *s, enum log_level level, const char *format, ...)
{
    struct buf line;
    va_list args;
    buf_init(&line, SIZE_MAX);
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    s->say(s->user, level, line.bytes);
    buf_fini(&line);
}

static void flush(struct copy *c)
{
    if (c->rc == 0)
        c->rc = store_apply(c->store, &c->batch, c->err);
    batch_clear(&c->batch);
}

/* Counters and the marks of sinks are made anew. */
static bool is_made_anew(enum store_shelf shelf, const struct store_item *i)
{
    const char *key = i->key;
    return shelf == STORE_META && (*key == '#' || (i->key_len == 6 && memcmp(key, "format", 6) == 0) ||
                                   (*key == 'o' && i->key_len == 5));
}

static void on_item(void *user, enum store_shelf shelf, const struct store_item *i)
{
    struct copy *c = user;
    if (i->key_len >= STORE_KEY_MOST)
        return;
    c->salvage->copied++;
    if (is_made_anew(shelf, i))
        return;
    batch_put(&c->batch, shelf, i->key, i->key_len, i->bytes, i->len);
    if (c->batch.ops.len > BATCH_BYTES)
        flush(c);
}

/* ---- what the losses mean ---- */

static void put_number(struct store_batch *b, const char *key, uint32_t last)
{
    uint32_t next = last + 1;
    batch_put(b, STORE_META, key, strlen(key), &next, sizeof next);
}

static void key_number(struct key *k, char kind, uint32_t number)
{
    k->len = 0;
    key_u8(k, (uint8_t)kind);
    key_u32(k, number);
}

static void put_sink(struct copy *c, const struct census_sink *s)
{
    const struct census *all = c->census;
    const struct salvage *to = c->salvage;
    struct key k;
    struct writer w = {0};
    bool lacks = census_lacks(all, STORE_OUTBOX, s->number);
    bool is_unsure = all->seen.may_lack_last || (!s->has_mark && (s->chunks || census_lost(all, STORE_META)));
    uint64_t head = s->has_mark ? s->head
                    : s->first  ? s->first
                                : 1,
             tail = s->has_mark ? s->tail : s->last + 1;
    if (s->last >= tail)
        is_unsure = true;
    if (is_unsure) {
        uint64_t top = tail > s->last ? tail : s->last;
        tail = (top / FAR_ABOVE + 1) * FAR_ABOVE;
        head = s->chunks ? head : tail;
        say(to, LOG_WARN, "sink %s: its numbers are not sure; they go on from %" PRIu64,
            s->stream ? s->stream : "without a name", tail);
    }
    if (lacks)
        say(to, LOG_ERROR,
            "sink %s: messages that waited are lost: of the numbers %" PRIu64 " to %" PRIu64 ", %" PRIu64
            " are there",
            s->stream ? s->stream : "without a name", s->head, s->tail ? s->tail - 1 : 0, s->messages);
    if (!s->stream && s->messages)
        say(to, LOG_ERROR,
            "sink number %" PRIu32 " has no name any more: its %" PRIu64
            " messages are copied, but no sink finds them",
            s->number, s->messages);
    if (!s->has_mark && !is_unsure)
        return;
    buf_init(&w.out, 64);
    write_i64(&w, (int64_t)head);
    write_i64(&w, (int64_t)tail);
    write_i64(
        &w, (int64_t)(lacks || !s->has_mark ? s->message_bytes + s->messages * MESSAGE_COST : s->mark_bytes));
    write_i64(&w, (int64_t)s->dropped);
    key_number(&k, 'o', s->number);
    batch_put(&c->batch, STORE_META, k.bytes, k.len, w.out.bytes, w.out.len);
    buf_fini(&w.out);
}

static const char *why_not(const struct census *c, const struct census_app *a)
{
    bool has_something = a->part_count || a->pieces || a->journal_records;
    if (census_lacks(c, STORE_STATE, a->number))
        return "records of its checkpoint may be lost";
    if (has_something && !a->has_mark)
        return "the mark of its checkpoint is lost";
    if (has_something && !a->text)
        return "the text it is of is lost";
    if (a->has_mark && !a->part_count)
        return "its checkpoint is lost";
    return NULL;
}

static void put_app(struct copy *c, const struct census_app *a)
{
    const struct salvage *to = c->salvage;
    const char *kept = to->kept ? to->kept : to->from, *why = why_not(c->census, a);
    struct key k;
    struct buf words;
    if (a->is_previous) {
        if (!why)
            return;
        say(to, LOG_WARN, "the state kept for a rollback (number %" PRIu32 ") is incomplete and left out: %s",
            a->of, why);
        key_number(&k, 'p', a->of);
        batch_drop(&c->batch, STORE_META, k.bytes, k.len);
        return;
    }
    if (!a->name) {
        if (a->part_count || a->pieces || a->journal_records)
            say(to, LOG_ERROR,
                "app number %" PRIu32 " has no name any more: its records are copied, but no app finds them",
                a->number);
        return;
    }
    if (census_lacks(c->census, STORE_JOURNAL, a->number))
        say(to, LOG_ERROR, "app %s: records of its journal may be lost; the others are there", a->name);
    if (census_lacks(c->census, STORE_TABLES, a->number))
        say(to, LOG_ERROR,
            "app %s: rows of its stored tables, or keys that lead to them, may be lost; the others are there",
            a->name);
    if (!why)
        return;
    say(to, LOG_ERROR, "app %s: its state cannot be used, %s: it begins anew, its outboxes go on", a->name,
        why);
    buf_init(&words, SIZE_MAX);
    buf_printf(&words, "%s; what is left of it is in %s", why, kept);
    key_number(&k, 'x', a->number);
    batch_put(&c->batch, STORE_META, k.bytes, k.len, words.bytes, words.len);
    buf_fini(&words);
}

static void tell_damages(const struct salvage *s, const struct census *c)
{
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const struct census_damage *d = &c->damages[i];
        say(s, LOG_ERROR, "damaged: %s, page %" PRIu64 ": %s%s%s",
            d->shelf == STORE_SHELVES ? "file" : store_shelf_name(d->shelf), d->page, d->words,
            d->key ? ": " : "", d->key ? d->key : "");
    }
    if (c->seen.damages > c->damage_count)
        say(s, LOG_ERROR, "and %" PRIu64 " more places", c->seen.damages - c->damage_count);
}

static void tell_shelves(struct salvage *s, const struct census *c)
{
    s->lost = 0;
    for (int i = 0; i < STORE_SHELVES; i++) {
        uint64_t lost = census_lost(c, (enum store_shelf)i), good = c->seen.shelves[i].records;
        if (lost == UINT64_MAX)
            say(s, LOG_ERROR, "%s: %" PRIu64 " records are good; how many there were is not known",
                store_shelf_name((enum store_shelf)i), good);
        else
            say(s, lost ? LOG_ERROR : LOG_INFO, "%s: %" PRIu64 " records are good, %" PRIu64 " are lost",
                store_shelf_name((enum store_shelf)i), good, lost);
        s->lost = lost == UINT64_MAX || s->lost == UINT64_MAX ? UINT64_MAX : s->lost + lost;
    }
}

int salvage_run(struct salvage *s, const struct census *census, struct err *e)
{
    struct copy c = {.salvage = s, .census = census, .err = e};
    struct store_visitor visitor = {.user = &c, .item = on_item};
    struct store_seen seen;
    int rc = store_open(&c.store, &(struct store_options){.folder = s->to}, e);
    if (rc < 0)
        return rc;
    s->copied = 0;
    tell_damages(s, census);
    batch_open(&c.batch);
    rc = store_file_read(s->from, 0, &visitor, &seen, e);
    tell_shelves(s, census);
    put_number(&c.batch, "#apps", census->last_app);
    put_number(&c.batch, "#sinks", census->last_sink);
    for (uint32_t i = 0; i < census->app_count; i++)
        put_app(&c, &census->apps[i]);
    for (uint32_t i = 0; i < census->sink_count; i++)
        put_sink(&c, &census->sinks[i]);
    flush(&c);
    batch_close(&c.batch);
    store_close(c.store);
    return rc < 0 ? rc : c.rc;
}
