/* census.c - see census.h. */
#include "agent/census.h"
#include "agent/mend.h"
#include "agent/spool.h"
#include "engine/base/mem.h"
#include "engine/data/codec.h"
#include <inttypes.h>
#include <string.h>

enum { PIECE_KEY = 4 + 17, RECORD_KEY = 4 + 8 };

static uint32_t number_at(const void *bytes)
{
    const unsigned char *p = bytes;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint32_t census_number(const void *key, size_t key_len)
{
    return key && key_len >= 4 ? number_at(key) : 0;
}

static char *text_of(const void *bytes, size_t len)
{
    char *text = mem_alloc(len + 1);
    memcpy(text, bytes, len);
    return text;
}

static void *room(void *items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 8;
    return mem_resize(items, *cap, size);
}

struct census_app *census_app(struct census *c, uint32_t number)
{
    uintptr_t place = (uintptr_t)map_get(&c->app_places, &number, sizeof number);
    if (place)
        return &c->apps[place - 1];
    c->apps = room(c->apps, c->app_count, &c->app_cap, sizeof *c->apps);
    struct census_app *a = &c->apps[c->app_count++];
    *a = (struct census_app){.number = number};
    buf_init(&a->mark_copy, SIZE_MAX);
    buf_init(&a->names_copy, SIZE_MAX);
    map_put(&c->app_places, &number, sizeof number, (void *)(uintptr_t)c->app_count);
    if (number > c->last_app)
        c->last_app = number;
    return &c->apps[c->app_count - 1];
}

struct census_sink *census_sink(struct census *c, uint32_t number)
{
    uintptr_t place = (uintptr_t)map_get(&c->sink_places, &number, sizeof number);
    if (place)
        return &c->sinks[place - 1];
    c->sinks = room(c->sinks, c->sink_count, &c->sink_cap, sizeof *c->sinks);
    c->sinks[c->sink_count++] = (struct census_sink){.number = number};
    map_put(&c->sink_places, &number, sizeof number, (void *)(uintptr_t)c->sink_count);
    if (number > c->last_sink)
        c->last_sink = number;
    return &c->sinks[c->sink_count - 1];
}

struct census_app *census_find(const struct census *c, const char *name)
{
    for (uint32_t i = 0; i < c->app_count; i++)
        if (c->apps[i].name && strcmp(c->apps[i].name, name) == 0)
            return &c->apps[i];
    return NULL;
}

/* ---- records ---- */

/* 's' APP PLACE TYPE 0 STREAM */
static void take_sink_name(struct census *c, const unsigned char *key, size_t len, uint32_t number)
{
    struct census_sink *s = census_sink(c, number);
    const unsigned char *type = key + 9, *end = key + len, *zero = len > 9 ? memchr(type, 0, len - 9) : NULL;
    if (!zero || s->stream)
        return;
    s->app = number_at(key + 1);
    s->place = number_at(key + 5);
    s->type = text_of(type, (size_t)(zero - type));
    s->stream = text_of(zero + 1, (size_t)(end - zero - 1));
}

static void take_sink_mark(struct census *c, uint32_t number, struct reader *r)
{
    struct census_sink *s = census_sink(c, number);
    s->head = (uint64_t)read_i64(r);
    s->tail = (uint64_t)read_i64(r);
    s->mark_bytes = (uint64_t)read_i64(r);
    s->dropped = (uint64_t)read_i64(r);
    s->has_mark = !r->failed;
}

static void take_app_mark(struct census_app *a, struct reader *r)
{
    read_u32(r);
    a->next_record = (uint64_t)read_i64(r);
    a->checkpoint_ms = read_i64(r);
    a->has_mark = !r->failed;
}

static void take_meta(struct census *c, const struct store_item *i)
{
    const unsigned char *key = i->key;
    struct reader r = {.at = i->bytes, .end = (const uint8_t *)i->bytes + i->len};
    uint32_t number = 0;
    if (i->len == sizeof number)
        memcpy(&number, i->bytes, sizeof number);
    if (i->key_len == 8 && memcmp(key, "#numbers", 8) == 0 && i->len == sizeof c->numbers_begin) {
        memcpy(&c->numbers_begin, i->bytes, sizeof c->numbers_begin);
    } else if (*key == 'a' && i->key_len > 1 && i->len == 4) {
        struct census_app *a = census_app(c, number);
        if (!a->name)
            a->name = text_of(key + 1, i->key_len - 1);
    } else if (*key == 's' && i->key_len > 9 && i->len == 4) {
        take_sink_name(c, key, i->key_len, number);
    } else if (i->key_len == 5) {
        uint32_t of = number_at(key + 1);
        switch (*key) {
        case 'o':
            take_sink_mark(c, of, &r);
            break;
        case 'c':
            take_app_mark(census_app(c, of), &r);
            break;
        case 't':
            mem_free(census_app(c, of)->text);
            census_app(c, of)->text = text_of(i->bytes, i->len);
            break;
        case 'r':
            mem_free(census_app(c, of)->file_text);
            census_app(c, of)->file_text = text_of(i->bytes, i->len);
            break;
        case 'x':
            mem_free(census_app(c, of)->set_aside);
            census_app(c, of)->set_aside = text_of(i->bytes, i->len);
            break;
        case 'd':
            mem_free(census_app(c, of)->partly);
            census_app(c, of)->partly = text_of(i->bytes, i->len);
            break;
        case 'p':
            census_app(c, number)->of = of;
            census_app(c, number)->is_previous = true;
            break;
        default:
            break;
        }
    }
}

/* A sink that nothing waits for may stand nowhere but in the copy of its app's names: its number is taken. */
static void note_sinks(struct census *c, const struct store_item *i)
{
    struct mend_names names;
    struct mend_sink sink;
    if (!mend_read_names(i->bytes, i->len, &names))
        return;
    while (mend_next_sink(&names, &sink))
        c->last_sink = sink.number > c->last_sink ? sink.number : c->last_sink;
}

static void take_state(struct census *c, const struct store_item *i)
{
    const char *key = i->key;
    if (i->key_len < 5)
        return;
    struct census_app *a = census_app(c, number_at(key));
    if (key[4] == 'Q' && i->key_len == PIECE_KEY) {
        a->pieces++;
        a->piece_bytes += i->len;
        return;
    }
    if (i->key_len == 5 && (key[4] == MEND_MARK || key[4] == MEND_NAMES)) {
        struct buf *copy = key[4] == MEND_MARK ? &a->mark_copy : &a->names_copy;
        buf_clear(copy);
        buf_add(copy, i->bytes, i->len);
        if (key[4] == MEND_NAMES)
            note_sinks(c, i);
        return;
    }
    a->parts = room(a->parts, a->part_count, &a->part_cap, sizeof *a->parts);
    a->parts[a->part_count++] =
        (struct census_part){.name = text_of(key + 5, i->key_len - 5), .bytes = i->len};
    a->part_bytes += i->len;
}

static void take_journal(struct census *c, const struct store_item *i)
{
    if (i->key_len != RECORD_KEY)
        return;
    struct census_app *a = census_app(c, number_at(i->key));
    uint64_t number = key_get_u64(i->key, 4);
    if (!a->journal_records++ || number < a->journal_first)
        a->journal_first = number;
    if (number > a->journal_last)
        a->journal_last = number;
    a->journal_bytes += i->len;
}

static void take_outbox(struct census *c, const struct store_item *i)
{
    struct spool_item *items = NULL;
    if (i->key_len != RECORD_KEY)
        return;
    struct census_sink *s = census_sink(c, number_at(i->key));
    uint64_t first = key_get_u64(i->key, 4);
    int count = spool_items(i, first, s->head, &items);
    if (!s->chunks++ || first < s->first)
        s->first = first;
    for (int k = 0; k < count; k++) {
        s->messages++;
        s->message_bytes += items[k].size;
        if (items[k].number > s->last)
            s->last = items[k].number;
        if (!s->oldest_ms || items[k].at_ms < s->oldest_ms)
            s->oldest_ms = items[k].at_ms;
        mem_free(items[k].bytes);
    }
    mem_free(items);
}

static struct census_table *table_of(struct census_app *a, uint32_t number)
{
    for (uint32_t i = 0; i < a->table_count; i++)
        if (a->tables[i].number == number)
            return &a->tables[i];
    a->tables = room(a->tables, a->table_count, &a->table_cap, sizeof *a->tables);
    a->tables[a->table_count] = (struct census_table){.number = number};
    return &a->tables[a->table_count++];
}

/* engine/run/table_stored.c: APP 0 'T' NAME, APP TABLE 'r' ROW */
static void take_table(struct census *c, const struct store_item *i)
{
    const char *key = i->key;
    if (i->key_len < 9)
        return;
    struct census_app *a = census_app(c, number_at(key));
    uint32_t number = number_at(key + 4);
    a->table_records++;
    a->table_bytes += i->len;
    if (number && key[8] == 'r') {
        table_of(a, number)->rows++;
    } else if (!number && key[8] == 'T' && i->len >= 8) {
        struct census_table *t = table_of(a, (uint32_t)key_get_u64(i->bytes, 0));
        mem_free(t->name);
        t->name = text_of(key + 9, i->key_len - 9);
    }
}

static void on_item(void *user, enum store_shelf shelf, const struct store_item *i)
{
    struct census *c = user;
    switch (shelf) {
    case STORE_META:
        take_meta(c, i);
        break;
    case STORE_STATE:
        take_state(c, i);
        break;
    case STORE_JOURNAL:
        take_journal(c, i);
        break;
    case STORE_OUTBOX:
        take_outbox(c, i);
        break;
    case STORE_TABLES:
        take_table(c, i);
        break;
    case STORE_ERRORS:
    case STORE_SHELVES:
        break;
    }
}

/* ---- damages ---- */

static void name_table_record(const struct census_app *a, const unsigned char *key, size_t len,
                              struct buf *out)
{
    uint32_t number = number_at(key + 4);
    const char *name = NULL;
    for (uint32_t i = 0; a && i < a->table_count; i++)
        if (a->tables[i].number == number)
            name = a->tables[i].name;
    if (!number)
        buf_add_str(out, ": the list of its tables");
    else
        buf_printf(out, ": table %s (number %" PRIu32 ")", name ? name : "without a name", number);
    if (number && key[8] == 'r' && len == 17)
        buf_printf(out, ", row %" PRIu64, key_get_u64(key, 9));
    else if (number)
        buf_add_str(out, key[8] == 'n' ? ", the next row's number" : ", a key");
}

/* The record that a key stands for. The key is of a damaged record: it need not be what was written. */
static void name_record(const struct census *c, enum store_shelf shelf, const unsigned char *key, size_t len,
                        struct buf *out)
{
    uint32_t number = census_number(key, len);
    uintptr_t place = (uintptr_t)map_get(&c->app_places, &number, sizeof number);
    const char *name = place && c->apps[place - 1].name ? c->apps[place - 1].name : NULL;
    if (shelf == STORE_META) {
        buf_add_str(out, "the mark '");
        for (size_t i = 0; i < len && i < 60; i++)
            buf_add_char(out, key[i] > ' ' && key[i] < 127 ? (char)key[i] : '.');
        buf_add_char(out, '\'');
        return;
    }
    if (shelf == STORE_OUTBOX && len == RECORD_KEY) {
        buf_printf(out, "messages of sink %" PRIu32 " from number %" PRIu64, number, key_get_u64(key, 4));
        return;
    }
    if (name)
        buf_printf(out, "app %s", name);
    else
        buf_printf(out, "app number %" PRIu32, number);
    if (shelf == STORE_JOURNAL && len == RECORD_KEY)
        buf_printf(out, ": record %" PRIu64, key_get_u64(key, 4));
    else if (shelf == STORE_STATE && len == PIECE_KEY && key[4] == 'Q')
        buf_printf(out, ": piece %" PRIu64 " of group %" PRIu64, key_get_u64(key, 13), key_get_u64(key, 5));
    else if (shelf == STORE_TABLES && len > 8)
        name_table_record(place ? &c->apps[place - 1] : NULL, key, len, out);
    else if (shelf == STORE_STATE && len > 5 && key[4] == 'P')
        buf_printf(out, ": part '%.*s'", (int)(len - 5), (const char *)key + 5);
}

/* The group of a piece's key, or what stands in for it: parts come before all groups. */
static uint64_t group_of(const void *key, size_t len, uint64_t none)
{
    const char *k = key;
    if (!k || len < 5)
        return none;
    return k[4] < 'Q' ? 0 : k[4] > 'Q' || len < 13 ? UINT64_MAX : key_get_u64(k, 5);
}

static void on_damage(void *user, const struct store_damage *d)
{
    struct census *c = user;
    struct buf key;
    if (c->damage_count == DAMAGES_MOST) { /* what is not listed may concern anybody */
        struct census_damage *last = &c->damages[DAMAGES_MOST - 1];
        last->loses |= d->loses;
        last->low = 0;
        last->high = UINT32_MAX;
        last->low_group = 0;
        last->high_group = UINT64_MAX;
        last->shelf = last->shelf == d->shelf ? d->shelf : STORE_SHELVES;
        return;
    }
    c->damages = room(c->damages, c->damage_count, &c->damage_cap, sizeof *c->damages);
    struct census_damage *made = &c->damages[c->damage_count++];
    *made = (struct census_damage){.shelf = d->shelf,
                                   .page = d->page,
                                   .loses = d->loses,
                                   .low = census_number(d->low, d->low_len),
                                   .high = d->high ? census_number(d->high, d->high_len) : UINT32_MAX,
                                   .low_group = group_of(d->low, d->low_len, 0),
                                   .high_group = group_of(d->high, d->high_len, UINT64_MAX),
                                   .words = mem_strdup(d->words)};
    if (!d->key)
        return;
    made->key_app = census_number(d->key, d->key_len);
    made->key_group = group_of(d->key, d->key_len, 0);
    buf_init(&key, SIZE_MAX);
    name_record(c, d->shelf, d->key, d->key_len, &key);
    made->key = mem_strdup(key.bytes ? key.bytes : "");
    buf_fini(&key);
}

void census_suspects(const struct census *c, uint32_t app, struct buf *out)
{
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const struct census_damage *d = &c->damages[i];
        if (!d->loses || (d->shelf != STORE_STATE && d->shelf != STORE_SHELVES) || app < d->low ||
            app > d->high)
            continue;
        uint64_t range[2] = {app == d->low ? d->low_group : 0, app == d->high ? d->high_group : UINT64_MAX};
        /* a record alone, whose key lies between its neighbours' */
        if (app == d->key_app && d->key_group >= range[0] && d->key_group <= range[1])
            range[0] = range[1] = d->key_group;
        if (range[0] <= range[1] && range[1] > 0)
            buf_add(out, range, sizeof range);
    }
}

uint64_t census_lost(const struct census *c, enum store_shelf shelf)
{
    const struct store_shelf_seen *s = &c->seen.shelves[shelf];
    return s->expected == UINT64_MAX ? UINT64_MAX : s->expected > s->records ? s->expected - s->records : 0;
}

bool census_lacks(const struct census *c, enum store_shelf shelf, uint32_t number)
{
    if (!census_lost(c, shelf))
        return false;
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const struct census_damage *d = &c->damages[i];
        bool is_here = d->shelf == shelf || d->shelf == STORE_SHELVES;
        /* the keys of META have no number in front: one lost mark may be anybody's */
        if (d->loses && is_here && (shelf == STORE_META || (number >= d->low && number <= d->high)))
            return true;
    }
    return false;
}

/* ---- the whole ---- */

int census_take(struct census *c, const char *folder, uint64_t from, struct err *e)
{
    struct store_visitor visitor = {.user = c, .item = on_item, .damage = on_damage};
    *c = (struct census){0};
    map_init(&c->app_places);
    map_init(&c->sink_places);
    return store_file_read(folder, from, &visitor, &c->seen, e);
}

void census_fini(struct census *c)
{
    for (uint32_t i = 0; i < c->app_count; i++) {
        struct census_app *a = &c->apps[i];
        for (uint32_t k = 0; k < a->part_count; k++)
            mem_free(a->parts[k].name);
        mem_free(a->parts);
        mem_free(a->name);
        mem_free(a->text);
        mem_free(a->file_text);
        mem_free(a->set_aside);
        mem_free(a->partly);
        buf_fini(&a->mark_copy);
        buf_fini(&a->names_copy);
        for (uint32_t k = 0; k < a->table_count; k++)
            mem_free(a->tables[k].name);
        mem_free(a->tables);
    }
    for (uint32_t i = 0; i < c->sink_count; i++) {
        mem_free(c->sinks[i].type);
        mem_free(c->sinks[i].stream);
    }
    for (uint32_t i = 0; i < c->damage_count; i++) {
        mem_free(c->damages[i].words);
        mem_free(c->damages[i].key);
    }
    mem_free(c->apps);
    mem_free(c->sinks);
    mem_free(c->damages);
    map_fini(&c->app_places);
    map_fini(&c->sink_places);
    *c = (struct census){0};
}
