/* durable.c - see durable.h.
 *
 * In the store:
 *   META 'a' NAME    the app's number
 *        'c' NUMBER  the mark of its checkpoint
 *        't' NUMBER  its text, variables put in
 *        'r' NUMBER  its text as its file had it
 *        'x' NUMBER  its state may not be used, and why (salvage.h)
 *        'd' NUMBER  something of it is lost, and why
 *        'g' NUMBER  where (mend.h)
 *        'b' NUMBER  it went back to the state before a change (previous.h)
 *   STATE NUMBER 'C', NUMBER 'N'
 *                    copies of marks (mend.h)
 *   JOURNAL NUMBER RECORD
 *                    eight bytes of checksum over what follows when it isn't packed; a varint: 0, or how many
 *                    bytes that is, and it is packed (engine/base/pack.h): the state of chance when the record
 *                    begins, notes. A note: its kind, source, time, then what came.
 *
 * Notes of a commit stand in one record, mostly: packed together they are a third or less, and a record that
 * has pages of its own costs one node of a page that others share. LMDB writes whole pages, at least three a
 * commit besides. */
#include "agent/durable.h"
#include "agent/errors_app.h"
#include "agent/hosted.h"
#include "agent/mend.h"
#include "agent/metrics.h"
#include "engine/base/fault.h"
#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/pack.h"
#include "engine/data/object.h"
#include <inttypes.h>
#include <string.h>

/* The first format had records of up to 2000 bytes, not packed: checksum, state of chance, notes. */
enum { MARK_FORMAT_FIRST = 1, MARK_FORMAT = 2 };
enum {
    RECORD_BYTES = 32 * 1024,
    NOTES_MOST = INT32_MAX, /* of a record with one long message */
    MESSAGE_HEAD_MOST = 40,
    SUM_BYTES = 8,
    CHANCE_BYTES = 8,
    GAIN_LEAST = 8 /* packed, a record is at least an eighth less */
};
/* A SAME_MESSAGE has the properties of the message before it in the record. Times are differences to the note
 * before. */
enum note_kind {
    NOTE_MESSAGE = 'm',
    NOTE_SAME_MESSAGE = 's',
    NOTE_ADVANCE = 'a',
    NOTE_TOPIC = 't',
    NOTE_QUERY = 'q',
    NOTE_ENTRY = 'e',
    NOTE_ANSWER = 'w',
    NOTE_SKIP = 'k',
    NOTE_SHIFT = 'h'
};

bool durable_wanted(const struct plan *plan, bool standard)
{
    for (const struct ast_annotation *a = plan_ast(plan)->annotations; a; a = a->next)
        if (strcasecmp(a->name.text, "durable") == 0)
            return !a->elements || strcasecmp(a->elements->value, "false") != 0;
    return standard;
}

/* ---- keys ---- */

static void app_key(const struct durable *d, uint8_t kind, struct key *k)
{
    k->len = 0;
    key_u8(k, kind);
    key_u32(k, d->app);
}

static void record_key(const struct durable *d, uint64_t number, struct key *k)
{
    k->len = 0;
    key_u32(k, d->app);
    key_u64(k, number);
}

/* ---- opening ---- */

static int give_number(struct store *s, const struct key *name, uint32_t *number, struct err *e)
{
    struct store_item i;
    struct store_batch b;
    uint32_t next = 1;
    int rc = store_look(s, e);
    if (rc < 0)
        return rc;
    if (store_get(s, STORE_META, "#apps", 5, &i) == 0 && i.len == sizeof next)
        memcpy(&next, i.bytes, sizeof next);
    store_look_end(s);
    *number = next++;
    batch_open(&b);
    batch_put(&b, STORE_META, "#apps", 5, &next, sizeof next);
    batch_put(&b, STORE_META, name->bytes, name->len, number, sizeof *number);
    rc = store_apply(s, &b, e);
    batch_close(&b);
    return rc;
}

int durable_number(struct store *s, const char *app, uint32_t *number, struct err *e)
{
    struct key name = {.len = 0};
    struct store_item i;
    key_u8(&name, 'a');
    key_text(&name, app);
    int rc = store_look(s, e);
    if (rc < 0)
        return rc;
    rc = store_get(s, STORE_META, name.bytes, name.len, &i);
    if (rc == 0 && i.len == sizeof *number)
        memcpy(number, i.bytes, sizeof *number);
    else if (rc == 0)
        rc = ERR_STATE;
    store_look_end(s);
    if (rc == ERR_STATE)
        err_set(e, rc, "its number in the state is damaged");
    return rc == ERR_NOT_FOUND ? give_number(s, &name, number, e) : rc;
}

/* What stands under a mark of the app, into out; ERR_NOT_FOUND is none of the caller's errors. */
static int read_app_mark(struct durable *d, uint8_t kind, struct buf *out)
{
    struct store_item i;
    struct key k;
    app_key(d, kind, &k);
    int rc = store_get(d->keeper.store, STORE_META, k.bytes, k.len, &i);
    if (rc == 0)
        buf_add(out, i.bytes, i.len);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int read_saved(struct durable *d, struct buf *set_aside, struct err *e)
{
    struct store *s = d->keeper.store;
    struct buf back;
    int rc = store_look(s, e);
    if (rc < 0)
        return rc;
    buf_init(&back, SIZE_MAX);
    rc = read_app_mark(d, 'c', &d->mark);
    rc = rc < 0 ? rc : read_app_mark(d, 't', &d->text);
    rc = rc < 0 ? rc : read_app_mark(d, 'x', set_aside);
    rc = rc < 0 ? rc : read_app_mark(d, 'd', &d->lost);
    rc = rc < 0 ? rc : read_app_mark(d, 'b', &back);
    d->went_back = back.len > 0;
    buf_fini(&back);
    store_look_end(s);
    return rc < 0 ? err_set(e, rc, "its marks in the state %s",
                            rc == ERR_STATE ? "are damaged" : "cannot be read")
                  : 0;
}

/* A checkpoint that a salvage found incomplete: what is left of it goes, in one transaction. */
static int begin_anew(struct durable *d, const char *why, struct err *e)
{
    static const char kinds[] = "ctrxbdg";
    struct store_batch b;
    struct key from = {.len = 0}, to = {.len = 0};
    batch_open(&b);
    key_u32(&from, d->app);
    key_u32(&to, d->app + 1);
    batch_drop_range(&b, STORE_STATE, from.bytes, from.len, to.bytes, to.len);
    batch_drop_range(&b, STORE_JOURNAL, from.bytes, from.len, to.bytes, to.len);
    for (int i = 0; kinds[i]; i++) {
        app_key(d, (uint8_t)kinds[i], &from);
        batch_drop(&b, STORE_META, from.bytes, from.len);
    }
    int rc = store_apply(d->keeper.store, &b, e);
    batch_close(&b);
    buf_clear(&d->mark);
    buf_clear(&d->text);
    buf_clear(&d->lost);
    if (rc == 0)
        log_write(LOG_ERROR, d->hosted->log_name, "its state was damaged, and it begins anew: %s", why);
    return rc;
}

/* The fixed beginning of the mark: format, number of the next record, time, bytes. */
static int read_mark_head(struct durable *d, struct reader *r, struct err *e)
{
    *r = (struct reader){.at = (const uint8_t *)d->mark.bytes,
                         .end = (const uint8_t *)d->mark.bytes + d->mark.len};
    uint32_t format = read_u32(r);
    if (format < MARK_FORMAT_FIRST || format > MARK_FORMAT)
        return err_set(e, ERR_STATE, "the saved state has format %" PRIu32 "; this program reads %d", format,
                       MARK_FORMAT);
    d->is_old |= format < MARK_FORMAT;
    d->next = (uint64_t)read_i64(r);
    d->now_ms = read_i64(r);
    d->checkpoint_bytes = (uint64_t)read_i64(r);
    return r->failed ? err_set(e, ERR_STATE, "the mark of the saved state is damaged") : 0;
}

int durable_open(struct durable **out, struct hosted *h, struct store *store, uint64_t checkpoint_most,
                 struct err *e)
{
    struct durable *d = mem_alloc(sizeof *d);
    struct reader r;
    struct buf set_aside;
    buf_init(&set_aside, SIZE_MAX);
    d->hosted = h;
    d->checkpoint_most = checkpoint_most;
    buf_init(&d->notes.out, SIZE_MAX);
    batch_open(&d->closed);
    buf_init(&d->mark, SIZE_MAX);
    buf_init(&d->text, SIZE_MAX);
    buf_init(&d->lost, SIZE_MAX);
    keeper_init(&d->keeper, store, NULL, 0);
    int rc = durable_number(store, h->name, &d->app, e);
    if (rc == 0)
        rc = read_saved(d, &set_aside, e);
    if (rc == 0 && set_aside.len)
        rc = begin_anew(d, set_aside.bytes, e);
    buf_fini(&set_aside);
    d->keeper.app = d->app;
    d->has_checkpoint = d->mark.len > 0;
    const char *text = plan_text(app_plan(h->app));
    d->has_text =
        d->text.len == strlen(text) && memcmp(d->text.bytes ? d->text.bytes : "", text, d->text.len) == 0;
    d->wants_checkpoint = !d->has_checkpoint;
    if (rc == 0 && d->has_checkpoint)
        rc = read_mark_head(d, &r, e);
    if (rc < 0) {
        durable_close(d);
        return rc;
    }
    *out = d;
    return 0;
}

bool durable_is_of_another(const struct durable *d)
{
    return d->has_checkpoint && !d->has_text;
}

void durable_close(struct durable *d)
{
    if (!d)
        return;
    buf_fini(&d->notes.out);
    batch_close(&d->closed);
    buf_fini(&d->mark);
    buf_fini(&d->text);
    buf_fini(&d->lost);
    keeper_fini(&d->keeper);
    mem_free(d->receipts);
    mem_free(d);
}

/* ---- notes ---- */

/* Notes as they are, or in fewer bytes when that is worth it. */
static void write_notes(struct writer *w, const struct buf *notes)
{
    struct buf packed;
    buf_init(&packed, SIZE_MAX);
    pack_bytes(&packed, notes->bytes, notes->len);
    bool is_less = packed.len < notes->len - notes->len / GAIN_LEAST;
    write_varint(w, is_less ? notes->len : 0);
    buf_add(&w->out, is_less ? packed.bytes : notes->bytes, is_less ? packed.len : notes->len);
    buf_fini(&packed);
}

static void cut(struct durable *d)
{
    struct buf *notes = &d->notes.out;
    struct writer record = {0};
    struct key k;
    if (!d->note_count)
        return;
    record_key(d, d->next, &k);
    uint64_t sum = hash_bytes(notes->bytes, notes->len, d->next);
    buf_init(&record.out, SIZE_MAX);
    buf_add(&record.out, &sum, SUM_BYTES);
    write_notes(&record, notes);
    batch_put(&d->closed, STORE_JOURNAL, k.bytes, k.len, record.out.bytes, record.out.len);
    buf_fini(&record.out);
    d->journal_bytes += notes->len;
    d->next++;
    buf_clear(notes);
    d->note_count = 0;
    d->last_ms = 0;
    d->last_texts = 0;
}

/* bytes: about what the note will take. */
static void begin(struct durable *d, size_t bytes)
{
    if (d->notes.out.len + bytes > RECORD_BYTES)
        cut(d);
    if (d->note_count++)
        return;
    write_i64(&d->notes, (int64_t)app_env(d->hosted->app)->random_state);
}

/* It may be negative, so zigzag. */
static void write_difference(struct durable *d, int64_t ms)
{
    write_varint(&d->notes, (uint64_t)ms << 1 ^ (uint64_t)(ms >> 63));
}

static int64_t read_difference(struct reader *r)
{
    uint64_t zigzag = read_varint(r);
    return (int64_t)(zigzag >> 1 ^ (0 - (zigzag & 1)));
}

/* As the difference to the note before. */
static void write_time(struct durable *d, int64_t time_ms)
{
    write_difference(d, (int64_t)((uint64_t)time_ms - (uint64_t)d->last_ms));
    d->last_ms = time_ms;
}

uint64_t durable_hash(const struct arrival *a)
{
    const char *body = (const char *)(a + 1);
    return hash_bytes(body, (size_t)(arrival_bytes(a) - body) + a->len, 0);
}

void durable_note_message(struct durable *d, int source, const struct arrival *a,
                          const struct port_origin *origin, int64_t time_ms)
{
    const char *body = (const char *)(a + 1), *bytes = arrival_bytes(a);
    size_t texts_len = (size_t)(bytes - body);
    begin(d, texts_len + a->len + MESSAGE_HEAD_MOST);
    struct writer *w = &d->notes;
    bool same = d->last_texts && d->last_texts_len == texts_len &&
                memcmp(w->out.bytes + d->last_texts, body, texts_len) == 0;
    write_u8(w, same ? NOTE_SAME_MESSAGE : NOTE_MESSAGE);
    write_count(w, (size_t)source);
    write_time(d, time_ms);
    write_varint(w, origin->id);
    if (!origin->id)
        write_varint(w, origin->place);
    if (origin->place)
        write_varint(w, origin->session);
    if (!same) {
        write_count(w, a->property_count);
        write_count(w, texts_len);
        d->last_texts = w->out.len;
        d->last_texts_len = texts_len;
        buf_add(&w->out, body, texts_len);
    }
    write_bytes(w, bytes, a->len);
}

void durable_note_advance(struct durable *d, int64_t time_ms)
{
    begin(d, MESSAGE_HEAD_MOST);
    write_u8(&d->notes, NOTE_ADVANCE);
    write_count(&d->notes, 0);
    write_time(d, time_ms);
}

void durable_note_skip(struct durable *d, int64_t time_ms)
{
    begin(d, MESSAGE_HEAD_MOST);
    write_u8(&d->notes, NOTE_SKIP);
    write_count(&d->notes, 0);
    write_time(d, time_ms);
}

void durable_note_shift(struct durable *d, int64_t by_ms)
{
    begin(d, MESSAGE_HEAD_MOST);
    write_u8(&d->notes, NOTE_SHIFT);
    write_count(&d->notes, 0);
    write_time(d, d->last_ms);
    write_difference(d, by_ms);
}

void durable_note_topic(struct durable *d, int source, const struct payload *p, int64_t time_ms)
{
    struct writer *w = &d->notes;
    begin(d, p->len + MESSAGE_HEAD_MOST);
    write_u8(w, NOTE_TOPIC);
    write_count(w, (size_t)source);
    write_time(d, time_ms);
    write_u8(w, (uint8_t)p->kind);
    switch (p->kind) {
    case PAYLOAD_TEXT:
    case PAYLOAD_BYTES:
        write_bytes(w, p->bytes, p->len);
        break;
    case PAYLOAD_MAP:
        write_value(w, value_object(p->map));
        break;
    case PAYLOAD_EVENTS:
    case PAYLOAD_ROW:
        write_u8(w, p->events->is_batch);
        write_count(w, p->events->count);
        for (uint32_t i = 0; i < p->events->count; i++) {
            write_i64(w, p->events->events[i].at_ms);
            write_u8(w, (uint8_t)p->events->events[i].kind);
            write_row(w, p->events->events[i].row);
        }
        break;
    }
}

void durable_note_query(struct durable *d, const char *text, size_t len, int64_t time_ms)
{
    begin(d, len + MESSAGE_HEAD_MOST);
    write_u8(&d->notes, NOTE_QUERY);
    write_count(&d->notes, 0);
    write_time(d, time_ms);
    write_bytes(&d->notes, text, len);
}

void durable_note_entry(struct durable *d, const void *bytes, size_t len, int64_t time_ms)
{
    begin(d, len + MESSAGE_HEAD_MOST);
    write_u8(&d->notes, NOTE_ENTRY);
    write_count(&d->notes, 0);
    write_time(d, time_ms);
    write_bytes(&d->notes, bytes, len);
}

/* In the record of the note that it is an answer to, however long that becomes. */
void durable_note_answer(struct durable *d, enum world_answer rc, const struct buf *bytes)
{
    if (!d->note_count)
        begin(d, bytes->len + MESSAGE_HEAD_MOST);
    write_u8(&d->notes, NOTE_ANSWER);
    write_count(&d->notes, 0);
    write_time(d, d->last_ms);
    write_u8(&d->notes, (uint8_t)(rc - WORLD_REFUSED));
    write_bytes(&d->notes, bytes->bytes, bytes->len);
}

static void read_answer(struct reader *r, enum world_answer *rc, struct buf *out)
{
    size_t len;
    *rc = (enum world_answer)(read_u8(r) + WORLD_REFUSED);
    const void *bytes = read_bytes(r, &len);
    if (bytes)
        buf_add(out, bytes, len);
}

bool durable_answered(struct durable *d, enum world_answer *rc, struct buf *out)
{
    struct reader *r = d->replayed;
    if (!r || r->at == r->end || *r->at != NOTE_ANSWER)
        return false;
    read_u8(r);
    read_varint(r);
    read_varint(r);
    read_answer(r, rc, out);
    return !r->failed;
}

void durable_owe(struct durable *d, struct source *s, uint64_t receipt, enum outcome outcome)
{
    if (d->receipt_count == d->receipt_cap) {
        d->receipt_cap = d->receipt_cap ? d->receipt_cap * 2 : 64;
        d->receipts = mem_resize(d->receipts, d->receipt_cap, sizeof *d->receipts);
    }
    d->receipts[d->receipt_count++] = (struct receipt){s, receipt, outcome};
}

/* ---- the transaction ---- */

bool durable_is_dirty(const struct durable *d)
{
    return d->note_count || d->closed.count || d->receipt_count || d->wants_checkpoint;
}

static void write_mark(struct durable *d, struct store_batch *batch)
{
    const struct hosted *h = d->hosted;
    struct writer w = {0};
    struct key k;
    buf_init(&w.out, SIZE_MAX);
    write_u32(&w, MARK_FORMAT);
    write_i64(&w, (int64_t)d->next);
    write_i64(&w, app_task_now(h->app));
    write_i64(&w, (int64_t)d->checkpoint_bytes);
    write_count(&w, (size_t)h->bind->sink_count);
    for (int i = 0; i < h->bind->sink_count; i++)
        write_i64(&w, h->outboxes[i] ? (int64_t)h->outboxes[i]->tail : 0);
    write_count(&w, (size_t)h->bind->source_count);
    for (int i = 0; i < h->bind->source_count; i++) {
        write_u8(&w, h->sources[i] != NULL);
        if (h->sources[i])
            repeats_save(&h->sources[i]->repeats, &w);
    }
    bind_save(h->bind, &w);
    app_key(d, 'c', &k);
    batch_put(batch, STORE_META, k.bytes, k.len, w.out.bytes, w.out.len);
    mend_copy_mark(d->app, &w.out, batch);
    buf_fini(&w.out);
}

static void checkpoint(struct durable *d, struct store_batch *batch)
{
    struct key from, to;
    d->keeper.batch = batch;
    d->checkpoint_bytes = app_checkpoint(d->hosted->app, &d->keeper.home);
    d->keeper.batch = NULL;
    app_tables_collect(d->hosted->app, batch);
    write_mark(d, batch);
    if (!d->has_text) {
        const char *text = plan_text(app_plan(d->hosted->app));
        app_key(d, 't', &from);
        batch_put(batch, STORE_META, from.bytes, from.len, text, strlen(text));
        app_key(d, 'r', &from);
        batch_put(batch, STORE_META, from.bytes, from.len, d->hosted->text.bytes, d->hosted->text.len);
        mend_copy_names(d, batch);
        d->has_text = true;
    }
    if (d->lost.len) {
        app_key(d, 'd', &from);
        batch_drop(batch, STORE_META, from.bytes, from.len);
        app_key(d, 'g', &from);
        batch_drop(batch, STORE_META, from.bytes, from.len);
        mend_copy_names(d, batch); /* it may be what was lost */
        buf_clear(&d->lost);
    }
    if (d->went_back) {
        app_key(d, 'b', &from);
        batch_drop(batch, STORE_META, from.bytes, from.len);
        d->went_back = false;
    }
    record_key(d, 0, &from);
    record_key(d, d->next, &to);
    batch_drop_range(batch, STORE_JOURNAL, from.bytes, from.len, to.bytes, to.len);
    d->covered_bytes = d->journal_bytes;
    d->journal_bytes = 0;
    d->has_checkpoint = true;
    d->wants_checkpoint = d->is_old = false;
    (void)FAULT("durable.checkpoint");
}

/* Law 3. */
static bool notes_are_enough(const struct durable *d)
{
    return d->journal_bytes >= d->checkpoint_most &&
           (d->journal_bytes >= d->checkpoint_bytes ||
            d->checkpoint_bytes <= d->covered_bytes + d->covered_bytes / 5);
}

void durable_collect(struct durable *d, struct store_batch *batch)
{
    cut(d);
    bool is_due = d->wants_checkpoint || notes_are_enough(d) ||
                  app_tables_waiting(d->hosted->app) >= LIMIT_TABLES_WAITING;
    if (!is_due && d->closed.count) /* else the checkpoint has it */
        batch_join(batch, &d->closed);
    batch_clear(&d->closed);
    if (is_due)
        checkpoint(d, batch);
}

void durable_committed(struct durable *d)
{
    for (uint32_t i = 0; i < d->receipt_count; i++) {
        const struct receipt *r = &d->receipts[i];
        port_settle(r->source->port, r->receipt, r->outcome);
    }
    d->receipt_count = 0;
}

/* ---- a replay ---- */

struct texts { /* properties, as the last message that brought some has them */
    const void *bytes;
    size_t len;
    uint32_t count;
};

static struct arrival *read_arrival(struct reader *r, struct buf *scratch, bool same, struct texts *texts,
                                    struct port_origin *origin)
{
    struct arrival a = {0};
    size_t len;
    *origin = (struct port_origin){.id = (uint32_t)read_varint(r)};
    if (!origin->id)
        origin->place = read_varint(r);
    if (origin->place)
        origin->session = (uint32_t)read_varint(r);
    if (!same) {
        texts->count = (uint32_t)read_count(r, UINT32_MAX);
        texts->bytes = read_bytes(r, &texts->len);
    }
    const void *bytes = read_bytes(r, &len);
    if (r->failed || !texts->bytes)
        return NULL;
    a.property_count = texts->count;
    a.len = (uint32_t)len;
    buf_clear(scratch);
    buf_add(scratch, &a, sizeof a);
    buf_add(scratch, texts->bytes, texts->len);
    buf_add(scratch, bytes, len);
    buf_add_char(scratch, 0);
    return (struct arrival *)(void *)scratch->bytes;
}

static void drop_events(struct batch *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (b->events[i].row)
            row_unref(b->events[i].row);
    mem_free(b->events);
}

static void replay_topic(struct durable *d, int source, int64_t time_ms, struct reader *r)
{
    struct payload p = {.kind = (enum payload_kind)read_u8(r)};
    struct value map = VALUE_NULL;
    struct batch b = {0};
    switch (p.kind) {
    case PAYLOAD_TEXT:
    case PAYLOAD_BYTES:
        p.bytes = read_bytes(r, &p.len);
        break;
    case PAYLOAD_MAP:
        map = read_value(r);
        r->failed |= map.type != TYPE_OBJECT;
        p.map = map.as.o;
        break;
    case PAYLOAD_EVENTS:
    case PAYLOAD_ROW:
        b.is_batch = read_u8(r);
        b.count = b.cap = (uint32_t)read_count(r, UINT32_MAX);
        b.events = mem_array((size_t)b.count + 1, sizeof *b.events);
        for (uint32_t i = 0; i < b.count; i++) {
            b.events[i].at_ms = read_i64(r);
            b.events[i].kind = (enum event_kind)read_u8(r);
            b.events[i].row = read_row(r);
        }
        p.events = &b;
        break;
    default:
        r->failed = true;
    }
    if (!r->failed)
        hosted_work_topic(d->hosted, source, &p, time_ms);
    drop_events(&b);
    value_drop(map);
}

/* Whether it was refused or failed then, it is and does now. */
static void replay_query(struct durable *d, int64_t time_ms, struct reader *r)
{
    struct result result;
    struct err e;
    size_t len;
    const char *text = read_bytes(r, &len);
    if (r->failed)
        return;
    (void)hosted_work_query(d->hosted, text, len, time_ms, &result, &e);
    app_query_forget(d->hosted->app, text, len);
}

static bool has_source(uint8_t kind)
{
    return kind == NOTE_MESSAGE || kind == NOTE_SAME_MESSAGE || kind == NOTE_TOPIC;
}

static int replay_record(struct durable *d, struct reader *r, struct buf *scratch)
{
    struct hosted *h = d->hosted;
    struct texts texts = {0};
    int64_t time_ms = 0;
    app_env(h->app)->random_state = (uint64_t)read_i64(r);
    while (r->at < r->end && !r->failed) {
        uint8_t kind = read_u8(r);
        int source = (int)read_varint(r);
        struct port_origin origin;
        time_ms = (int64_t)((uint64_t)time_ms + (uint64_t)read_difference(r));
        if (r->failed || (has_source(kind) && source >= h->bind->source_count))
            return ERR_STATE;
        d->replayed = r;
        if (kind == NOTE_ADVANCE) {
            hosted_work_advance(h, time_ms);
        } else if (kind == NOTE_SKIP) {
            hosted_work_skip(h, time_ms);
        } else if (kind == NOTE_SHIFT) {
            hosted_work_shift(h, read_difference(r));
        } else if (kind == NOTE_TOPIC) {
            replay_topic(d, source, time_ms, r);
        } else if (kind == NOTE_ENTRY) {
            size_t len;
            const void *bytes = read_bytes(r, &len);
            if (r->failed || errors_app_work(h, bytes, len, time_ms) < 0)
                return ERR_STATE;
        } else if (kind == NOTE_QUERY) {
            replay_query(d, time_ms, r);
        } else if (kind == NOTE_ANSWER) {
            /* to a query that changed nothing, and so was not noted */
            enum world_answer rc;
            buf_clear(scratch);
            read_answer(r, &rc, scratch);
        } else if (kind == NOTE_MESSAGE || kind == NOTE_SAME_MESSAGE) {
            struct arrival *a = read_arrival(r, scratch, kind == NOTE_SAME_MESSAGE, &texts, &origin);
            if (!a)
                return ERR_STATE;
            if (origin.id && h->sources[source])
                repeats_add(&h->sources[source]->repeats, origin.id, durable_hash(a));
            if (origin.place && h->sources[source])
                repeats_add_place(&h->sources[source]->repeats, origin.session, origin.place);
            hosted_work_message(h, source, a, time_ms);
        } else {
            return ERR_STATE;
        }
    }
    return r->failed ? ERR_STATE : 0;
}

/* A record as it lies there, to notes as they were written. False: damaged. */
static bool read_notes(const struct durable *d, uint64_t number, const struct store_item *i, struct buf *out)
{
    struct reader r = {.at = i->bytes, .end = (const uint8_t *)i->bytes + i->len};
    uint64_t sum = (uint64_t)read_i64(&r), packed_from = d->is_old ? 0 : read_varint(&r);
    size_t len = (size_t)(r.end - r.at);
    if (r.failed || packed_from > NOTES_MOST)
        return false;
    if (!packed_from)
        buf_add(out, r.at, len);
    else if (!unpack_bytes(out, r.at, len, (size_t)packed_from))
        return false;
    return out->len >= CHANCE_BYTES && sum == hash_bytes(out->bytes, out->len, number);
}

static int read_record(struct durable *d, uint64_t number, struct buf *out)
{
    struct store_item i;
    struct key k;
    struct err e;
    int rc = store_look(d->keeper.store, &e);
    if (rc < 0)
        return rc;
    record_key(d, number, &k);
    rc = store_get(d->keeper.store, STORE_JOURNAL, k.bytes, k.len, &i);
    buf_clear(out);
    if (rc == 0 && !read_notes(d, number, &i, out))
        rc = ERR_STATE;
    store_look_end(d->keeper.store);
    return rc;
}

/* No record has the number d->next: the end, or a gap that a salvage left; then what comes behind it is
 * worked off too. ERR_NOT_FOUND: the end. */
static int skip_gap(struct durable *d)
{
    struct store_item i;
    struct key k;
    struct err e;
    int rc = store_look(d->keeper.store, &e);
    if (rc < 0)
        return rc;
    record_key(d, d->next, &k);
    rc = store_next(d->keeper.store, STORE_JOURNAL, k.bytes, k.len, sizeof d->app, true, &i);
    uint64_t next = rc == 0 ? key_get_u64(i.key, sizeof d->app) : 0;
    store_look_end(d->keeper.store);
    if (rc < 0)
        return rc;
    log_write(LOG_ERROR, d->hosted->log_name,
              "records %" PRIu64 " to %" PRIu64
              " of the journal are lost: what they brought is missing in the state",
              d->next, next - 1);
    d->next = next;
    return 0;
}

static int replay(struct durable *d, struct err *e)
{
    struct buf record, scratch;
    uint64_t first = d->next;
    int rc;
    buf_init(&record, SIZE_MAX);
    buf_init(&scratch, SIZE_MAX);
    while ((rc = read_record(d, d->next, &record)) == 0 || (rc == ERR_NOT_FOUND && (rc = skip_gap(d)) == 0)) {
        if (!record.len)
            continue;
        struct reader r = {.at = (const uint8_t *)record.bytes,
                           .end = (const uint8_t *)record.bytes + record.len};
        rc = replay_record(d, &r, &scratch);
        d->replayed = NULL;
        if (rc < 0)
            break;
        d->journal_bytes += record.len;
        d->next++;
    }
    if (rc == ERR_NOT_FOUND)
        rc = 0;
    if (rc < 0)
        err_set(e, rc, "record %" PRIu64 " of the journal %s", d->next,
                rc == ERR_IO ? "cannot be read" : "is damaged");
    else if (d->next > first)
        log_write(LOG_INFO, d->hosted->log_name, "%" PRIu64 " records of the journal worked off",
                  d->next - first);
    buf_fini(&record);
    buf_fini(&scratch);
    return rc;
}

/* What the mark says of sinks, sources and maps. */
static int load_mark(struct durable *d, struct err *e)
{
    struct hosted *h = d->hosted;
    struct reader r;
    int rc = read_mark_head(d, &r, e);
    if (rc < 0)
        return rc;
    bool fits = read_varint(&r) == (uint64_t)h->bind->sink_count;
    for (int i = 0; fits && i < h->bind->sink_count; i++) {
        uint64_t tail = (uint64_t)read_i64(&r);
        if (h->outboxes[i] && d->lost.len)
            outbox_mute(h->outboxes[i]);
        else if (h->outboxes[i] && !d->went_back) /* else the numbers since are gone for good */
            outbox_replay(h->outboxes[i], tail);
    }
    fits = fits && read_varint(&r) == (uint64_t)h->bind->source_count;
    for (int i = 0; fits && i < h->bind->source_count; i++) {
        struct repeats none = {0};
        if (!read_u8(&r))
            continue;
        repeats_load(h->sources[i] ? &h->sources[i]->repeats : &none, &r);
        repeats_fini(&none);
    }
    if (!fits || bind_load(h->bind, &r) < 0 || r.failed)
        return err_set(e, ERR_STATE, "the saved state is of an app with other sources or sinks");
    return 0;
}

static void tell_upgrade(const struct durable *d, const char *when, const struct app_upgrade *u)
{
    log_write(LOG_INFO, d->hosted->log_name,
              "%s: %d parts keep their state%s%s; %d begin anew%s%s; %d dropped%s%s", when, u->kept_count,
              u->kept_count ? ": " : "", u->kept_count ? u->kept.bytes : "", u->fresh_count,
              u->fresh_count ? ": " : "", u->fresh_count ? u->fresh.bytes : "", u->dropped_count,
              u->dropped_count ? ": " : "", u->dropped_count ? u->dropped.bytes : "");
}

static int upgrade(struct durable *d, struct err *e)
{
    struct app_upgrade planned, done;
    app_upgrade_init(&planned);
    app_upgrade_init(&done);
    int rc = app_compare(d->hosted->app, &d->keeper.home, &planned, e);
    if (rc == 0) {
        tell_upgrade(d, "changes", &planned);
        rc = app_restore(d->hosted->app, &d->keeper.home, &done, e);
    }
    if (rc == 0)
        tell_upgrade(d, "changed", &done);
    app_upgrade_fini(&planned);
    app_upgrade_fini(&done);
    d->wants_checkpoint = true;
    return rc;
}

int durable_restore(struct durable *d, struct err *e)
{
    struct hosted *h = d->hosted;
    if (durable_is_of_another(d))
        return upgrade(d, e);
    h->replays = h->bind->is_quiet = true;
    int rc = d->lost.len ? mend_restore(d, e) : app_restore(h->app, &d->keeper.home, NULL, e);
    if (rc == 0)
        rc = load_mark(d, e);
    if (rc == 0)
        rc = replay(d, e);
    h->replays = h->bind->is_quiet = false;
    d->wants_checkpoint |= d->is_old; /* no record of now stands behind a mark of then */
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i] && h->outboxes[i]->replays && !outbox_replayed(h->outboxes[i]) && rc == 0)
            log_write(LOG_ERROR, h->log_name, "sink %s: the journal gave other outputs than before the stop",
                      h->outboxes[i]->name);
    return rc;
}
