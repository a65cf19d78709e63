/* errors.c - see errors.h.
 *
 * The index has each entry's number and size, oldest first, so that the bound needs no look into the store;
 * entries that wait for their transaction are in it too. */
#include "agent/errors.h"
#include "agent/base64.h"
#include "agent/jnode.h"
#include "agent/metrics.h"
#include "engine/base/hash.h"
#include "engine/base/utf8.h"
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

enum { ENTRY_FORMAT = 1, NUMBER_BYTES = 8, MOST_ATTRIBUTES = 65535 };

struct errors {
    pthread_mutex_t lock;
    struct store *store;
    uint64_t most_bytes;
    bool refuses;
    uint64_t next, bytes, entries;
    struct errors_item {
        uint64_t number;
        uint64_t size; /* 0: gone */
    } * items;
    size_t first, count, cap; /* first: where the index begins; none before it */
};

static const char mark_key[] = "#errors"; /* META: the next number */

static void key_of(uint64_t number, struct key *k)
{
    k->len = 0;
    key_u64(k, number);
}

/* ---- the index, under the lock ---- */

static void index_add(struct errors *s, uint64_t number, uint64_t size)
{
    if (s->count == s->cap && s->first > s->cap / 2) {
        memmove(s->items, s->items + s->first, (s->count - s->first) * sizeof *s->items);
        s->count -= s->first;
        s->first = 0;
    }
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->items = mem_resize(s->items, s->cap, sizeof *s->items);
    }
    s->items[s->count++] = (struct errors_item){number, size};
    s->bytes += size;
    s->entries++;
}

static struct errors_item *index_find(const struct errors *s, uint64_t number)
{
    size_t low = s->first, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->items[low].number == number && s->items[low].size ? &s->items[low] : NULL;
}

static void index_remove(struct errors *s, struct errors_item *i)
{
    s->bytes -= i->size;
    s->entries--;
    i->size = 0;
    while (s->first < s->count && !s->items[s->first].size)
        s->first++;
}

/* ---- opening ---- */

static int read_index(struct errors *s, struct err *e)
{
    struct store_item i;
    struct key k;
    int rc = store_look(s->store, e);
    if (rc < 0)
        return rc;
    if (store_get(s->store, STORE_META, mark_key, sizeof mark_key, &i) == 0 && i.len == sizeof s->next)
        memcpy(&s->next, i.bytes, sizeof s->next);
    key_of(0, &k);
    while ((rc = store_next(s->store, STORE_ERRORS, k.bytes, k.len, 0, s->count > 0, &i)) == 0) {
        if (i.key_len != NUMBER_BYTES) {
            rc = err_set(e, ERR_STATE, "the error store has a key of %zu bytes", i.key_len);
            break;
        }
        uint64_t number = key_get_u64(i.key, 0);
        key_of(number, &k);
        index_add(s, number, i.key_len + i.len);
        if (number >= s->next)
            s->next = number + 1;
    }
    store_look_end(s->store);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int errors_open(struct errors **out, struct store *store, uint64_t most_bytes, bool refuses, struct err *e)
{
    struct errors *s = mem_alloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->store = store;
    s->most_bytes = most_bytes;
    s->refuses = refuses;
    s->next = 1;
    int rc = read_index(s, e);
    if (rc < 0)
        errors_close(s);
    else
        *out = s;
    return rc;
}

void errors_close(struct errors *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    mem_free(s->items);
    mem_free(s);
}

struct errors_count errors_count(struct errors *s)
{
    pthread_mutex_lock(&s->lock);
    struct errors_count c = {s->entries, s->bytes};
    pthread_mutex_unlock(&s->lock);
    return c;
}

/* ---- writing ---- */

static void write_text(struct writer *w, const char *text)
{
    write_bytes(w, text, strlen(text) + 1);
}

static void write_entry(struct writer *w, const struct errors_entry *e)
{
    uint64_t hash;
    write_i64(w, 0);
    write_u8(w, ENTRY_FORMAT);
    write_u8(w, (uint8_t)e->kind);
    write_u8(w, (uint8_t)(e->is_unmapped | e->is_bytes << 1 | (e->payload != NULL) << 2 |
                          (e->events != NULL) << 3));
    write_i64(w, e->at_ms);
    write_text(w, e->app);
    write_text(w, e->stream);
    write_text(w, e->port);
    write_text(w, e->cause);
    if (e->events)
        write_bytes(w, e->events, e->events_len);
    if (e->payload)
        write_bytes(w, e->payload, e->payload_len);
    write_count(w, e->only_count);
    for (uint32_t i = 0; i < e->only_count; i++)
        write_varint(w, e->only[i]);
    write_count(w, e->property_count);
    for (uint32_t i = 0; i < e->property_count; i++) {
        write_text(w, e->properties[i].name);
        write_text(w, e->properties[i].value ? e->properties[i].value : "");
    }
    hash = hash_bytes(w->out.bytes + sizeof hash, w->out.len - sizeof hash, 0);
    memcpy(w->out.bytes, &hash, sizeof hash);
}

/* Under the lock. Law 3: is there room now? */
static bool make_room(struct errors *s, uint64_t size, struct store_batch *batch)
{
    if (size > s->most_bytes)
        return false;
    while (s->bytes + size > s->most_bytes) {
        struct key k;
        struct errors_item *oldest = &s->items[s->first];
        if (s->refuses)
            return false;
        key_of(oldest->number, &k);
        batch_drop(batch, STORE_ERRORS, k.bytes, k.len);
        index_remove(s, oldest);
        metrics_add(&metrics.errors_dropped, 1);
    }
    return true;
}

bool errors_put(struct errors *s, struct errors_entry *e, struct store_batch *batch)
{
    struct writer w = {0};
    struct key k;
    buf_init(&w.out, SIZE_MAX);
    write_entry(&w, e);
    pthread_mutex_lock(&s->lock);
    bool fits = make_room(s, NUMBER_BYTES + w.out.len, batch);
    if (fits) {
        e->number = s->next++;
        key_of(e->number, &k);
        batch_put(batch, STORE_ERRORS, k.bytes, k.len, w.out.bytes, w.out.len);
        batch_put(batch, STORE_META, mark_key, sizeof mark_key, &s->next, sizeof s->next);
        index_add(s, e->number, NUMBER_BYTES + w.out.len);
    }
    pthread_mutex_unlock(&s->lock);
    metrics_add(fits ? &metrics.errors_stored : &metrics.errors_refused, 1);
    buf_fini(&w.out);
    return fits;
}

bool errors_drop(struct errors *s, uint64_t number, struct store_batch *batch)
{
    struct key k;
    pthread_mutex_lock(&s->lock);
    struct errors_item *i = index_find(s, number);
    if (i) {
        key_of(number, &k);
        batch_drop(batch, STORE_ERRORS, k.bytes, k.len);
        index_remove(s, i);
    }
    pthread_mutex_unlock(&s->lock);
    return i != NULL;
}

int errors_apply(struct errors *s, const struct store_batch *batch, struct err *e)
{
    return store_apply(s->store, batch, e);
}

/* ---- reading ---- */

static bool is_there(struct errors *s, uint64_t number)
{
    pthread_mutex_lock(&s->lock);
    bool found = index_find(s, number) != NULL;
    pthread_mutex_unlock(&s->lock);
    return found;
}

int errors_next(struct errors *s, uint64_t from, uint64_t *number, struct buf *out, struct err *e)
{
    struct store_item i;
    struct key k;
    buf_clear(out);
    key_of(from, &k);
    int rc = store_look(s->store, e);
    if (rc < 0)
        return rc;
    for (bool above = false; (rc = store_next(s->store, STORE_ERRORS, k.bytes, k.len, 0, above, &i)) == 0;
         above = true) {
        *number = key_get_u64(i.key, 0);
        key_of(*number, &k);
        if (!is_there(s, *number)) /* its end waits for the disk */
            continue;
        buf_add(out, i.bytes, i.len);
        break;
    }
    store_look_end(s->store);
    return rc == ERR_IO ? err_set(e, ERR_IO, "the error store cannot be read") : rc;
}

/* "" when damaged. */
static const char *read_text(struct reader *r)
{
    size_t len;
    const char *text = read_bytes(r, &len);
    if (!text || len == 0 || text[len - 1])
        r->failed = true;
    return r->failed ? "" : text;
}

int errors_read(const void *bytes, size_t len, struct arena *arena, struct errors_entry *e)
{
    uint64_t hash;
    struct reader r = {.at = bytes, .end = (const uint8_t *)bytes + len};
    *e = (struct errors_entry){.app = "", .stream = "", .port = "", .cause = ""};
    hash = (uint64_t)read_i64(&r);
    if (r.failed || hash != hash_bytes((const char *)bytes + sizeof hash, len - sizeof hash, 0))
        return ERR_STATE;
    if (read_u8(&r) != ENTRY_FORMAT)
        return ERR_STATE;
    e->kind = (enum errors_kind)read_u8(&r);
    uint8_t flags = read_u8(&r);
    e->is_unmapped = flags & 1;
    e->is_bytes = flags & 2;
    e->at_ms = read_i64(&r);
    e->app = read_text(&r);
    e->stream = read_text(&r);
    e->port = read_text(&r);
    e->cause = read_text(&r);
    if (flags & 8)
        e->events = read_bytes(&r, &e->events_len);
    if (flags & 4)
        e->payload = read_bytes(&r, &e->payload_len);
    e->only_count = (uint32_t)read_count(&r, UINT32_MAX);
    uint32_t *only = arena_array(arena, (size_t)e->only_count + 1, sizeof *only);
    for (uint32_t i = 0; i < e->only_count; i++)
        only[i] = (uint32_t)read_varint(&r);
    e->only = only;
    e->property_count = (uint32_t)read_count(&r, UINT32_MAX);
    struct property *properties = arena_array(arena, (size_t)e->property_count + 1, sizeof *properties);
    for (uint32_t i = 0; i < e->property_count; i++) {
        properties[i].name = read_text(&r);
        properties[i].value = read_text(&r);
    }
    e->properties = properties;
    return r.failed || r.at != r.end || e->kind > ERRORS_SINK ? ERR_STATE : 0;
}

/* ---- events ---- */

void errors_write_events(struct writer *w, const struct schema *s, const struct batch *b)
{
    write_count(w, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        write_text(w, s->attributes[i].name);
        write_u8(w, (uint8_t)s->attributes[i].type);
    }
    write_u8(w, b->is_batch);
    write_count(w, b->count);
    for (uint32_t i = 0; i < b->count; i++) {
        write_i64(w, b->events[i].at_ms);
        write_row(w, b->events[i].row);
    }
}

static bool row_fits(const struct row *row, const struct schema *s)
{
    if (!row || row->count != s->count)
        return false;
    for (uint32_t i = 0; i < s->count; i++)
        if (row->types[i] != TYPE_NULL && row->types[i] != s->attributes[i].type)
            return false;
    return true;
}

int errors_read_events(const struct errors_entry *e, struct arena *arena, struct schema **schema,
                       struct batch *b)
{
    struct reader r = {.at = e->events, .end = (const uint8_t *)e->events + e->events_len};
    *b = (struct batch){.scratch = arena};
    uint32_t attributes = (uint32_t)read_count(&r, MOST_ATTRIBUTES);
    *schema = schema_new(arena, e->stream, attributes);
    for (uint32_t i = 0; i < attributes; i++) {
        (*schema)->attributes[i].name = read_text(&r);
        (*schema)->attributes[i].type = (enum type)read_u8(&r);
    }
    bool is_batch = read_u8(&r);
    uint32_t count = (uint32_t)read_count(&r, UINT32_MAX);
    batch_init(b, arena, count + 1);
    b->is_batch = is_batch;
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        int64_t at_ms = read_i64(&r);
        struct row *row = read_row(&r);
        if (row && row_fits(row, *schema)) {
            batch_add(b, row, at_ms, EVENT_CURRENT);
            continue;
        }
        if (row)
            row_unref(row);
        r.failed = true;
    }
    if (!r.failed && r.at == r.end)
        return 0;
    errors_drop_events(b);
    b->count = 0;
    return ERR_STATE;
}

void errors_drop_events(const struct batch *b)
{
    for (uint32_t i = 0; i < b->count; i++)
        row_unref(b->events[i].row);
}

/* ---- printing ---- */

/* Causes quote what came, and that may be anything. */
static void print_text(const char *text, struct buf *out)
{
    size_t len = strlen(text), taken;
    uint32_t code;
    if (utf8_valid(text, len)) {
        jnode_print_text(text, len, out);
        return;
    }
    struct buf clean;
    buf_init(&clean, SIZE_MAX);
    for (size_t i = 0; i < len; i += taken ? taken : 1) {
        taken = utf8_decode(text + i, len - i, &code);
        buf_add(&clean, taken ? text + i : "?", taken ? taken : 1);
    }
    jnode_print_text(clean.bytes, clean.len, out);
    buf_fini(&clean);
}

static void member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    print_text(text, out);
}

static void print_events(const struct errors_entry *e, struct arena *scratch, struct buf *out)
{
    struct schema *schema;
    struct batch b;
    if (errors_read_events(e, scratch, &schema, &b) < 0) {
        member(out, "eventType", "EVENT");
        return;
    }
    member(out, "eventType", b.is_batch || b.count != 1 ? "EVENT_ARRAY" : "EVENT");
    buf_add_str(out, ",\"events\":[");
    for (uint32_t i = 0; i < b.count; i++) {
        buf_printf(out, "%s{\"timestamp\":%" PRId64 ",\"data\":", i ? "," : "", b.events[i].at_ms);
        jnode_print_row(schema, b.events[i].row, scratch, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    errors_drop_events(&b);
}

static void print_payload(const struct errors_entry *e, struct buf *out)
{
    if (utf8_valid(e->payload, e->payload_len)) {
        buf_add_str(out, ",\"originalPayload\":");
        jnode_print_text(e->payload, e->payload_len, out);
        return;
    }
    buf_add_str(out, ",\"originalPayloadBase64\":\"");
    base64_encode(e->payload, e->payload_len, out);
    buf_add_char(out, '"');
}

void errors_print(const struct errors_entry *e, struct arena *scratch, struct buf *out)
{
    static const char *const occurrences[] = {"BEFORE_SOURCE_MAPPING", "STORE_ON_STREAM_ERROR",
                                              "STORE_ON_SINK_ERROR"};
    buf_printf(out, "{\"id\":%" PRIu64 ",\"timestamp\":%" PRId64, e->number, e->at_ms);
    member(out, "siddhiAppName", e->app);
    member(out, "streamName", e->stream);
    member(out, "cause", e->cause);
    member(out, "errorOccurrence", occurrences[e->kind]);
    member(out, "errorType", e->kind == ERRORS_MAPPING || e->is_unmapped ? "MAPPING" : "TRANSPORT");
    if (*e->port)
        member(out, e->kind == ERRORS_SINK ? "sink" : "source", e->port);
    if (e->events)
        print_events(e, scratch, out);
    else
        member(out, "eventType", "PAYLOAD_STRING");
    if (e->payload)
        print_payload(e, out);
    for (uint32_t i = 0; i < e->only_count; i++)
        buf_printf(out, "%s%" PRIu32 "%s", i ? "," : ",\"failedEvents\":[", e->only[i],
                   i + 1 == e->only_count ? "]" : "");
    if (e->property_count)
        buf_add_str(out, e->kind == ERRORS_SINK ? ",\"options\":{" : ",\"properties\":{");
    for (uint32_t i = 0; i < e->property_count; i++) {
        const struct property *p = &e->properties[i];
        if (i)
            buf_add_char(out, ',');
        print_text(p->name, out);
        buf_add_char(out, ':');
        print_text(p->value, out);
    }
    buf_add_str(out, e->property_count ? "}}" : "}");
}
