/* salvage.c - see salvage.h. */
#include "agent/salvage.h"
#include "agent/mend.h"
#include "agent/spool.h"
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
    uint64_t far_above;
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
    if (shelf == STORE_META && *(const char *)i->key == 'c' && i->key_len == 5) {
        struct buf mark = {.bytes = (char *)(uintptr_t)i->bytes, .len = i->len};
        mend_copy_mark(census_number((const char *)i->key + 1, 4), &mark, &c->batch);
    }
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

/* Above every number that anything tells of, and that the time allows. */
static uint64_t far_above(const struct census *c)
{
    uint64_t top = c->numbers_begin, by_time = spool_far_above();
    for (uint32_t i = 0; i < c->sink_count; i++) {
        const struct census_sink *s = &c->sinks[i];
        top = s->tail > top ? s->tail : top;
        top = s->last > top ? s->last : top;
    }
    return top < by_time ? by_time : (top / FAR_ABOVE + 1) * FAR_ABOVE;
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
        tail = c->far_above;
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

/* ---- an app ---- */

/* Its names' copy, if it is of this app: a state kept for a rollback has its app's. */
static bool names_of(const struct census_app *a, struct mend_names *names)
{
    return a->names_copy.len && mend_read_names(a->names_copy.bytes, a->names_copy.len, names) &&
           names->app == a->number;
}

/* What can't be done without, and is nowhere. */
static const char *why_not(const struct census_app *a, const struct mend_names *names)
{
    bool has_something = a->part_count || a->pieces || a->journal_records;
    if (has_something && !a->has_mark && !a->mark_copy.len)
        return "the mark of its checkpoint is lost";
    if (has_something && !a->text && !names)
        return "the text it is of is lost";
    return NULL;
}

static bool has_sink(const struct census_app *a, const struct mend_names *names, const struct census_sink *s)
{
    struct mend_names each = names ? *names : (struct mend_names){0};
    struct mend_sink sink;
    while (mend_next_sink(&each, &sink))
        if (sink.number == s->number)
            return true;
    return s->stream && s->app == a->number;
}

static bool lacks_messages(const struct census *c, const struct census_app *a, const struct mend_names *names)
{
    for (uint32_t i = 0; i < c->sink_count; i++)
        if (has_sink(a, names, &c->sinks[i]) && census_lacks(c, STORE_OUTBOX, c->sinks[i].number))
            return true;
    return false;
}

/* What of it may be lost, in words; nothing when all is there. */
static void add_losses(const struct census *c, const struct census_app *a, const struct mend_names *names,
                       struct buf *out)
{
    const struct {
        bool is_lost;
        const char *words;
    } all[] = {
        {census_lacks(c, STORE_STATE, a->number), "records of its checkpoint"},
        {census_lacks(c, STORE_JOURNAL, a->number), "records of its journal"},
        {census_lacks(c, STORE_TABLES, a->number), "rows of its stored tables, or keys that lead to them"},
        {census_lacks(c, STORE_META, a->number), "marks"},
        {lacks_messages(c, a, names), "messages that waited for its sinks"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].is_lost)
            buf_printf(out, "%s%s", out->len ? ", " : "", all[i].words);
    if (out->len)
        buf_add_str(out, " may be lost");
}

static void put_mark(struct copy *c, char kind, uint32_t app, const void *bytes, size_t len)
{
    struct key k;
    key_number(&k, kind, app);
    batch_put(&c->batch, STORE_META, k.bytes, k.len, bytes, len);
}

static void key_words(struct key *k, const struct mend_text *t)
{
    struct buf words;
    buf_init(&words, SIZE_MAX);
    buf_add(&words, t->bytes, t->len);
    key_text(k, words.bytes ? words.bytes : "");
    buf_fini(&words);
}

/* Marks that are lost, from their copies. */
static void restore_marks(struct copy *c, const struct census_app *a, struct mend_names *names)
{
    struct mend_sink sink;
    struct key k = {.len = 0};
    if (!a->has_mark && a->mark_copy.len)
        put_mark(c, 'c', a->number, a->mark_copy.bytes, a->mark_copy.len);
    if (!names)
        return;
    if (!a->text) {
        put_mark(c, 't', a->number, names->text.bytes, names->text.len);
        put_mark(c, 'r', a->number, names->file_text.bytes, names->file_text.len);
    }
    key_u8(&k, 'a');
    key_words(&k, &names->name);
    if (!a->name)
        batch_put(&c->batch, STORE_META, k.bytes, k.len, &a->number, sizeof a->number);
    while (mend_next_sink(names, &sink)) {
        k.len = 0;
        key_u8(&k, 's');
        key_u32(&k, a->number);
        key_u32(&k, sink.place);
        key_words(&k, &sink.type);
        key_u8(&k, 0);
        key_words(&k, &sink.stream);
        batch_put(&c->batch, STORE_META, k.bytes, k.len, &sink.number, sizeof sink.number);
    }
}

/* The copies of marks, when they are what is lost. */
static void restore_copies(struct copy *c, const struct census_app *a)
{
    const struct census *all = c->census;
    if (!a->name || !a->text || !a->file_text || a->names_copy.len)
        return;
    struct mend_names names = {.app = a->number,
                               .name = {a->name, strlen(a->name)},
                               .text = {a->text, strlen(a->text)},
                               .file_text = {a->file_text, strlen(a->file_text)}};
    struct mend_sink *sinks = mem_array(all->sink_count + 1UL, sizeof *sinks);
    size_t count = 0;
    for (uint32_t i = 0; i < all->sink_count; i++) {
        const struct census_sink *s = &all->sinks[i];
        if (s->stream && s->app == a->number)
            sinks[count++] = (struct mend_sink){.number = s->number,
                                                .place = s->place,
                                                .type = {s->type, strlen(s->type)},
                                                .stream = {s->stream, strlen(s->stream)}};
    }
    mend_write_names(&names, sinks, count, &c->batch);
    mem_free(sinks);
}

static void put_previous(struct copy *c, const struct census_app *a)
{
    struct key k;
    const char *why = census_lacks(c->census, STORE_STATE, a->number) ? "records of it may be lost"
                      : !a->has_mark || !a->text                      ? "a mark of it is lost"
                                                                      : NULL;
    if (!why)
        return;
    say(c->salvage, LOG_WARN,
        "the state kept for a rollback (number %" PRIu32 ") is incomplete and left out: %s", a->of, why);
    key_number(&k, 'p', a->of);
    batch_drop(&c->batch, STORE_META, k.bytes, k.len);
}

static void tell_tables(const struct copy *c, const struct census_app *a, const char *name)
{
    for (uint32_t i = 0; census_lacks(c->census, STORE_TABLES, a->number) && i < a->table_count; i++)
        say(c->salvage, LOG_ERROR, "app %s: table %s: %" PRIu64 " rows are there", name,
            a->tables[i].name ? a->tables[i].name : "without a name", a->tables[i].rows);
}

static void set_app_aside(struct copy *c, const struct census_app *a, const char *name, const char *why)
{
    const struct salvage *to = c->salvage;
    struct buf words;
    say(to, LOG_ERROR, "app %s: its state cannot be used, %s: it begins anew, its outboxes go on", name, why);
    buf_init(&words, SIZE_MAX);
    buf_printf(&words, "%s; what is left of it is in %s", why, to->kept ? to->kept : to->from);
    put_mark(c, 'x', a->number, words.bytes, words.len);
    buf_fini(&words);
}

static void put_suspects(struct copy *c, const struct census_app *a)
{
    struct buf groups;
    buf_init(&groups, SIZE_MAX);
    if (census_lacks(c->census, STORE_STATE, a->number))
        census_suspects(c->census, a->number, &groups);
    if (groups.len)
        put_mark(c, 'g', a->number, groups.bytes, groups.len);
    buf_fini(&groups);
}

static void put_app(struct copy *c, const struct census_app *a)
{
    struct mend_names copy, *names = names_of(a, &copy) ? &copy : NULL;
    struct buf name, losses;
    if (a->is_previous) {
        put_previous(c, a);
        return;
    }
    buf_init(&name, SIZE_MAX);
    buf_init(&losses, SIZE_MAX);
    if (a->name)
        buf_add_str(&name, a->name);
    else if (names)
        buf_add(&name, names->name.bytes, names->name.len);
    const char *why = why_not(a, names);
    add_losses(c->census, a, names, &losses);
    if (!name.len) {
        if (a->part_count || a->pieces || a->journal_records)
            say(c->salvage, LOG_ERROR,
                "app number %" PRIu32 " has no name any more: its records are copied, but no app finds them",
                a->number);
    } else if (why && !a->set_aside) {
        restore_marks(c, a, names);
        set_app_aside(c, a, name.bytes, why);
    } else if (losses.len) {
        restore_marks(c, a, names);
        restore_copies(c, a);
        say(c->salvage, LOG_ERROR, "app %s: %s; it goes on with what is left", name.bytes, losses.bytes);
        tell_tables(c, a, name.bytes);
        put_mark(c, 'd', a->number, losses.bytes, losses.len);
        put_suspects(c, a);
    }
    buf_fini(&name);
    buf_fini(&losses);
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
    c.far_above = far_above(census);
    if (census_lost(census, STORE_META) || census->seen.may_lack_last)
        spool_put_begin(&c.batch, c.far_above);
    else if (census->numbers_begin)
        spool_put_begin(&c.batch, census->numbers_begin);
    for (uint32_t i = 0; i < census->app_count; i++)
        put_app(&c, &census->apps[i]);
    for (uint32_t i = 0; i < census->sink_count; i++)
        put_sink(&c, &census->sinks[i]);
    flush(&c);
    batch_close(&c.batch);
    store_close(c.store);
    return rc < 0 ? rc : c.rc;
}
