/* bind_run.c - events between streams and connectors: what bind.c made, at work.
 *
 * A sink's rows go: split by the values of its dynamic options (and its partition), mapped, each payload to
 * the destination its turn or partition names. Failures are told once for each payload: spec 10 section 8. */
#include "engine/base/log.h"
#include "engine/base/map.h"
#include "engine/base/utf8.h"
#include "ports/bind_in.h"
#include <stdlib.h>
#include <string.h>

enum { ROUND_ROBIN, BROADCAST, PARTITIONED };

static struct bind_all *all_of(const struct bind *b)
{
    return (struct bind_all *)(uintptr_t)b;
}

/* Destinations of one sink stand together and share its mapper and its turn, which the first one has. */
static bool is_first_of_map(const struct bind *b, int sink)
{
    return sink == 0 || b->sinks[sink].map != b->sinks[sink - 1].map;
}

/* ---- in ---- */

struct receiving {
    struct bind *b;
    struct bind_source *source;
};

static void receive_rows(void *user, struct row **rows, uint32_t count, bool is_batch)
{
    struct receiving *r = user;
    struct bind_all *all = all_of(r->b);
    struct arena_mark mark = arena_mark(&all->scratch);
    struct event *events = arena_raw(&all->scratch, count * sizeof(*events));
    for (uint32_t i = 0; i < count; i++)
        events[i] = (struct event){.row = rows[i], .at_ms = rows[i]->at_ms, .kind = EVENT_CURRENT};
    struct app *app = r->b->app;
    if (count > 0) /* playback: the last one's time is the clock */
        app_move(app, events[count - 1].at_ms);
    app_send(app, r->source->stream, events, count, is_batch);
    for (uint32_t i = 0; i < count; i++)
        row_unref(rows[i]);
    arena_reset(&all->scratch, mark);
}

static void reject(struct bind *b, const char *word, uint32_t stream, const struct mapper *m,
                   const struct err *e)
{
    char where[128];
    snprintf(where, sizeof(where), "%s %s of '%s'", word, m->type->name,
             plan_stream(app_plan(b->app), stream)->id);
    if (b->rejected)
        b->rejected(b->user, where, e->text);
    else
        log_write(LOG_ERROR, app_name(b->app), "%s: %s", where, e->text);
}

/* A message's chunks, held back. */
struct holding {
    struct receiving to;
    struct chunk {
        struct row **rows;
        uint32_t count;
        bool is_batch;
    } * chunks;
    uint32_t count, row_count;
    const uint32_t *only;
    uint32_t only_count, only_at;
};

static bool is_wanted(struct holding *g)
{
    uint32_t at = g->row_count++;
    if (g->only_count == 0)
        return true;
    bool wanted = g->only_at < g->only_count && g->only[g->only_at] == at;
    g->only_at += wanted;
    return wanted;
}

static void hold_rows(void *user, struct row **rows, uint32_t count, bool is_batch)
{
    struct holding *g = user;
    struct chunk c = {.rows = mem_array((size_t)count + 1, sizeof(struct row *)), .is_batch = is_batch};
    for (uint32_t i = 0; i < count; i++) {
        if (is_wanted(g))
            c.rows[c.count++] = rows[i];
        else
            row_unref(rows[i]);
    }
    g->chunks = mem_resize(g->chunks, (size_t)g->count + 1, sizeof(*g->chunks));
    g->chunks[g->count++] = c;
}

static int receive_with(struct bind *b, struct bind_source *s, const struct payload *p,
                        const struct property *properties, int property_count, map_rows_fn rows, void *user)
{
    struct err e = {0};
    s->messages++;
    int rc = map_read(s->map, p, properties, property_count, app_now(b->app), rows, user, &e);
    if (rc == 0)
        return 0;
    s->rejected++;
    reject(b, "source", s->stream, s->map, &e);
    if (b->unmapped)
        b->unmapped(b->user, s, p, properties, property_count, e.text);
    return ERR_INVALID;
}

int bind_receive_again(struct bind *b, struct bind_source *s, const struct payload *p,
                       const struct property *properties, int property_count, const uint32_t *only,
                       uint32_t only_count)
{
    struct holding g = {.to = {b, s}, .only = only, .only_count = only_count};
    int rc = receive_with(b, s, p, properties, property_count, hold_rows, &g);
    for (uint32_t i = 0; i < g.count; i++) {
        struct chunk *c = &g.chunks[i];
        if (rc == 0 && c->count > 0)
            receive_rows(&g.to, c->rows, c->count, c->is_batch);
        for (uint32_t k = 0; rc < 0 && k < c->count; k++)
            row_unref(c->rows[k]);
        mem_free(c->rows);
    }
    mem_free(g.chunks);
    return rc;
}

int bind_receive(struct bind *b, struct bind_source *s, const struct payload *p,
                 const struct property *properties, int property_count)
{
    struct receiving r = {b, s};
    return receive_with(b, s, p, properties, property_count, receive_rows, &r);
}

static void receive_topic(void *user, const char *topic, const struct payload *p)
{
    (void)topic;
    struct bind_subscription *s = user;
    struct mem_account *account = mem_account; /* of who speaks */
    if (s->bind->arriving)
        s->bind->arriving(s->bind->user, s->source, p);
    if (s->bind->account)
        mem_account = s->bind->account;
    (void)bind_receive(s->bind, s->source, p, NULL, 0);
    mem_account = account;
}

void bind_attach(struct bind *b, struct app *app, struct bus *bus)
{
    struct bind_all *all = all_of(b);
    b->app = app;
    b->bus = bus;
    for (int i = 0; i < b->source_count; i++) {
        if (b->sources[i].type != &port_inmemory || !bus)
            continue;
        all->subscriptions[i] = (struct bind_subscription){b, &b->sources[i]};
        bus_subscribe(bus, option_text(&b->sources[i].options, "topic"), receive_topic,
                      &all->subscriptions[i]);
    }
}

void bind_free(struct bind *b)
{
    if (!b)
        return;
    struct bind_all *all = all_of(b);
    for (int i = 0; i < b->source_count; i++) {
        if (b->bus && b->sources[i].type == &port_inmemory)
            bus_unsubscribe(b->bus, receive_topic, &all->subscriptions[i]);
        map_close(b->sources[i].map);
    }
    for (int i = 0; i < b->sink_count; i++)
        if (is_first_of_map(b, i))
            map_close(b->sinks[i].map);
    arena_fini(&all->scratch);
}

/* ---- out: one payload ---- */

struct publishing {
    struct bind *b;
    struct bind_sink *sinks; /* one, or the destinations */
    int count;
    struct option_value **dynamic; /* of each sink, rendered; NULL without any */
    int partition;                 /* PARTITIONED: the destination */
    const struct batch *batch;     /* what is being mapped */
    bool is_kept;                  /* on.error='store': its events are with the error store */
    bool failed;                   /* on.error='stream'; why: */
    char words[256];
};

static const char *value_of(const struct bind_sink *s, const struct option_value *dynamic, const char *name)
{
    for (int i = 0; dynamic && i < s->dynamic_count; i++)
        if (strcmp(dynamic[i].name, name) == 0)
            return dynamic[i].text;
    return option_text(&s->options, name);
}

static int publish_to(struct publishing *p, int which, const struct payload *payload, struct err *e)
{
    struct bind *b = p->b;
    struct bind_sink *s = &p->sinks[which];
    const struct option_value *dynamic = p->dynamic ? p->dynamic[which] : NULL;
    s->messages++;
    if (b->is_quiet && (s->type == &port_log || s->type == &port_inmemory))
        return 0;
    if (s->type == &port_log) {
        log_publish(&s->options, app_name(b->app), plan_stream(app_plan(b->app), s->stream)->id, payload);
        return 0;
    }
    if (s->type == &port_inmemory) {
        const char *topic = value_of(s, dynamic, "topic");
        if (b->bus && bus_publish(b->bus, topic, payload) > 0)
            return 0;
        return err_set(e, ERR_IO, "nobody subscribes to topic '%s'", topic);
    }
    if (payload->kind != PAYLOAD_TEXT && payload->kind != PAYLOAD_BYTES)
        return err_set(e, ERR_INVALID, "%s carries bytes only", s->type->name);
    if (!b->publish)
        return err_set(e, ERR_IO, "not connected");
    struct message m = {
        .bytes = payload->bytes, .len = payload->len, .dynamic = dynamic, .dynamic_count = s->dynamic_count};
    const struct batch *outer = b->sending;
    b->sending = p->batch;
    int rc = b->publish(b->user, s, &m);
    b->sending = outer;
    return rc < 0 ? err_set(e, rc, "%s did not take the message", s->type->name) : 0;
}

/* The destinations that are asked, one after the other; 0 when one took it. */
static int publish_by_strategy(struct publishing *p, const struct payload *payload, int *last, struct err *e)
{
    int rc = ERR_IO;
    *last = 0;
    if (p->sinks[0].destination_group < 0)
        return publish_to(p, 0, payload, e);
    switch (p->sinks[0].strategy) {
    case PARTITIONED:
        *last = p->partition;
        return publish_to(p, p->partition, payload, e);
    case BROADCAST:
        for (int i = 0; i < p->count; i++)
            if (publish_to(p, i, payload, e) == 0)
                rc = 0;
        return rc;
    default: {
        uint64_t round = p->sinks[0].round++;
        for (int i = 0; i < p->count && rc < 0; i++) {
            *last = (int)((round + (uint64_t)i) % (uint64_t)p->count);
            rc = publish_to(p, *last, payload, e);
        }
        return rc;
    }
    }
}

/* Once for the events of a batch, however many payloads they make: a replay sends them all again. */
static bool keep(struct publishing *p, const struct bind_sink *s, const struct payload *payload,
                 const struct err *e)
{
    struct bind *b = p->b;
    if (strcmp(s->on_error, "store") != 0 || !b->undelivered)
        return false;
    p->is_kept = p->is_kept || b->undelivered(b->user, s, p->batch, payload, e->text);
    return p->is_kept;
}

static void publish_payload(void *user, const struct payload *payload)
{
    struct publishing *p = user;
    struct err e = {0};
    int which;
    if (publish_by_strategy(p, payload, &which, &e) == 0)
        return;
    struct bind_sink *s = &p->sinks[which];
    s->failed++;
    if (keep(p, s, payload, &e))
        return;
    if (strcmp(s->on_error, "stream") == 0) {
        p->failed = true;
        snprintf(p->words, sizeof(p->words), "sink %s: %.200s", s->type->name, e.text);
    } else if ((s->failed & (s->failed - 1)) ==
               0) { /* the 1st, 2nd, 4th, 8th ..: a dead end does not fill the log */
        log_write(LOG_ERROR, app_name(p->b->app), "sink %s of '%s': %s; %llu dropped so far", s->type->name,
                  plan_stream(app_plan(p->b->app), s->stream)->id, e.text, (unsigned long long)s->failed);
    }
}

static void write_batch(struct publishing *p, const struct batch *batch)
{
    struct err e = {0};
    struct bind_sink *s = &p->sinks[0];
    p->batch = batch;
    p->is_kept = false;
    if (map_write(s->map, batch, publish_payload, p, &e) == 0)
        return;
    s->failed++;
    (void)keep(p, s, NULL, &e);
    reject(p->b, "sink", s->stream, s->map, &e);
}

/* ---- out: a batch, split ---- */

struct part {
    struct batch batch;
    struct option_value **dynamic;
    int partition;
};

static struct option_value **render(struct arena *a, struct publishing *p, const struct row *row,
                                    struct buf *text)
{
    struct option_value **all = arena_array(a, (size_t)p->count, sizeof(struct option_value *));
    for (int i = 0; i < p->count; i++) {
        const struct bind_sink *s = &p->sinks[i];
        all[i] = arena_array(a, (size_t)s->dynamic_count, sizeof(**all));
        for (int k = 0; k < s->dynamic_count; k++) {
            buf_clear(text);
            template_render(s->dynamic[k].value, row, "null", text);
            all[i][k].name = s->dynamic[k].name;
            all[i][k].text = arena_strndup(a, text->bytes ? text->bytes : "", text->len);
        }
    }
    return all;
}

static int partition_of(const struct publishing *p, const struct row *row, struct buf *text)
{
    if (p->sinks[0].destination_group < 0 || p->sinks[0].strategy != PARTITIONED)
        return 0;
    buf_clear(text);
    value_print(row_get(row, (size_t)p->sinks[0].partition_key), text);
    return abs(utf8_java_hash(text->bytes ? text->bytes : "", text->len) % p->count);
}

/* All that a part's events have in common, as one key. */
static void part_key(const struct publishing *p, struct option_value *const *dynamic, int partition,
                     struct buf *key)
{
    buf_clear(key);
    buf_add(key, &partition, sizeof(partition));
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->sinks[i].dynamic_count; k++)
            buf_add(key, dynamic[i][k].text, strlen(dynamic[i][k].text) + 1);
}

static void write_split(struct publishing *p, const struct batch *batch, struct arena *scratch)
{
    struct map parts;
    struct buf text, key;
    map_init(&parts);
    buf_init(&text, SIZE_MAX);
    buf_init(&key, SIZE_MAX);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct event *e = &batch->events[i];
        struct option_value **dynamic = render(scratch, p, e->row, &text);
        int partition = partition_of(p, e->row, &text);
        part_key(p, dynamic, partition, &key);
        struct part *part = map_get(&parts, key.bytes, key.len);
        if (!part) {
            part = arena_alloc(scratch, sizeof(*part));
            batch_init(&part->batch, scratch, batch->count == 1 ? 1 : 4);
            part->batch.is_batch = batch->is_batch;
            part->dynamic = dynamic;
            part->partition = partition;
            map_put(&parts, key.bytes, key.len, part);
        }
        batch_add(&part->batch, e->row, e->at_ms, e->kind);
    }
    struct map_entry *entry;
    for (uint32_t at = 0; map_next(&parts, &at, &entry);) {
        const struct part *part = entry->value;
        p->dynamic = part->dynamic;
        p->partition = part->partition;
        write_batch(p, &part->batch);
    }
    map_fini(&parts);
    buf_fini(&text);
    buf_fini(&key);
}

static bool is_split(const struct publishing *p)
{
    if (p->sinks[0].destination_group >= 0 && p->sinks[0].strategy == PARTITIONED)
        return true;
    for (int i = 0; i < p->count; i++)
        if (p->sinks[i].dynamic_count > 0)
            return true;
    return false;
}

int bind_sink_rows(struct bind *b, uint32_t stream, const struct batch *batch)
{
    struct bind_all *all = all_of(b);
    int rc = 0;
    char words[256] = "";
    all->depth++;
    for (int i = 0; i < b->sink_count;) {
        struct publishing p = {.b = b, .sinks = &b->sinks[i], .count = 1};
        while (p.sinks[0].destination_group >= 0 && i + p.count < b->sink_count &&
               p.sinks[p.count].destination_group == p.sinks[0].destination_group)
            p.count++;
        i += p.count;
        if (p.sinks[0].stream != stream)
            continue;
        struct arena_mark mark = arena_mark(&all->scratch);
        if (is_split(&p))
            write_split(&p, batch, &all->scratch);
        else
            write_batch(&p, batch);
        arena_reset(&all->scratch, mark);
        if (p.failed) { /* the sinks behind it still get the event */
            rc = ERR_EVENT;
            memcpy(words, p.words, sizeof(words));
        }
    }
    all->depth--;
    if (rc < 0)
        expr_fail(app_env(b->app), "%s", words);
    return rc;
}

bool bind_has_sinks(const struct bind *b, uint32_t stream)
{
    for (int i = 0; i < b->sink_count; i++)
        if (b->sinks[i].stream == stream)
            return true;
    return false;
}

/* ---- state ---- */

static void mapper_save(const struct mapper *m, struct writer *w)
{
    if (m->type->save)
        m->type->save(m, w);
}

static int mapper_load(struct mapper *m, struct reader *r)
{
    return m->type->load ? m->type->load(m, r) : 0;
}

void bind_save(const struct bind *b, struct writer *w)
{
    write_tag(w, "ports");
    for (int i = 0; i < b->source_count; i++)
        mapper_save(b->sources[i].map, w);
    for (int i = 0; i < b->sink_count; i++) {
        if (!is_first_of_map(b, i))
            continue;
        write_i64(w, (int64_t)b->sinks[i].round);
        mapper_save(b->sinks[i].map, w);
    }
    write_tag(w, "end");
}

int bind_load(struct bind *b, struct reader *r)
{
    int rc = read_tag(r, "ports") ? 0 : ERR_STATE;
    for (int i = 0; i < b->source_count && rc == 0; i++)
        rc = mapper_load(b->sources[i].map, r);
    for (int i = 0; i < b->sink_count && rc == 0; i++) {
        if (!is_first_of_map(b, i))
            continue;
        b->sinks[i].round = (uint64_t)read_i64(r);
        rc = mapper_load(b->sinks[i].map, r);
    }
    if (rc == 0 && !read_tag(r, "end"))
        rc = ERR_STATE;
    return r->failed ? ERR_STATE : rc;
}
