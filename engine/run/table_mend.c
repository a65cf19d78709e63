/* table_mend.c - tables in the store of which records were lost: rows and keys fit each other again
 * (engine.h: app_tables_mend). How they lie there: table_stored.c.
 *
 * Laws: (1) a row that is there stays; one that is found by no key gets its keys; (2) a key that leads to no
 * row is the trace of a lost one: it goes, and is counted; (3) no number is given out twice: a table's next
 * row and the app's next table come behind the highest there is. Changes are gathered while a table is walked
 * over, and made behind it. */
#include "engine/engine.h"
#include "engine/run/app.h"
#include "engine/run/table.h"
#include "engine/store/overlay.h"

enum { HEAD = 8, PRIMARY_KEY = HEAD + 1 + 16, INDEX_KEY = HEAD + 1 + 4 + 16 };

struct mending {
    struct app *app;
    const struct table_plan *plan;
    uint32_t number;
    struct app_table_mended told;
    uint64_t next;      /* row */
    struct buf changes; /* 'p' or 'd', the key's length, the key */
    struct err *e;
};

static void change(struct mending *m, char kind, const void *key, size_t len)
{
    uint8_t size = (uint8_t)len;
    buf_add_char(&m->changes, kind);
    buf_add(&m->changes, &size, 1);
    buf_add(&m->changes, key, len);
}

static void make_changes(struct mending *m)
{
    const char *at = m->changes.bytes;
    for (const char *end = m->changes.len ? at + m->changes.len : at; at < end;) {
        size_t len = (uint8_t)at[1];
        if (*at == 'p')
            overlay_put(m->app->overlay, at + 2, len, "", 0);
        else
            overlay_drop(m->app->overlay, at + 2, len);
        at += 2 + len;
    }
    buf_clear(&m->changes);
}

static void key_of(const struct mending *m, char kind, struct key *k)
{
    k->len = 0;
    key_u32(k, m->app->store_number);
    key_u32(k, m->number);
    key_u8(k, (uint8_t)kind);
}

static int is_there(struct mending *m, const struct key *k)
{
    struct store_item item;
    int rc = overlay_get(m->app->overlay, k->bytes, k->len, &item, m->e);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

/* ---- rows ---- */

/* The keys that the row lacks. */
static int add_keys(struct mending *m, uint64_t number, const struct row *row)
{
    const struct table_plan *p = m->plan;
    for (int i = p->primary.count ? TABLE_PRIMARY : 0; i < p->index_count; i++) {
        struct key k;
        key_of(m, i < 0 ? 'p' : 'i', &k);
        if (i >= 0)
            key_u32(&k, (uint32_t)i);
        key_u64(&k, stored_order(i < 0 ? &p->primary : &p->indexes[i], row));
        key_u64(&k, number);
        int rc = is_there(m, &k);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            change(m, 'p', k.bytes, k.len);
            m->told.keys++;
        }
    }
    return 0;
}

static int mend_row(struct mending *m, const struct store_item *item)
{
    struct reader r = {.at = item->bytes, .end = (const uint8_t *)item->bytes + item->len};
    uint64_t number = key_get_u64(item->key, item->key_len - 8);
    struct row *row = read_row(&r);
    int rc = 0;
    if (row && !r.failed && row->count == m->plan->element->schema->count) {
        rc = add_keys(m, number, row);
        m->told.rows++;
    }
    if (row)
        row_unref(row);
    if (number >= m->next)
        m->next = number + 1;
    return rc;
}

/* ---- keys ---- */

static int mend_key(struct mending *m, const struct store_item *item, bool counts)
{
    struct key row;
    key_of(m, 'r', &row);
    uint64_t number = key_get_u64(item->key, item->key_len - 8);
    key_u64(&row, number);
    int rc = is_there(m, &row);
    if (number >= m->next)
        m->next = number + 1;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    change(m, 'd', item->key, item->key_len);
    m->told.lost += counts;
    return 0;
}

/* kind: 'r', 'p', 'i'. Each row has one key of the first sort there is: those count the lost ones. */
static int mend_all(struct mending *m, char kind)
{
    size_t want = kind == 'r' ? HEAD + 1 + 8 : kind == 'p' ? PRIMARY_KEY : INDEX_KEY;
    struct overlay_walk walk;
    struct store_item item;
    struct key k;
    int rc;
    key_of(m, kind, &k);
    overlay_walk_begin(&walk, m->app->overlay, k.bytes, k.len, k.len);
    while ((rc = overlay_walk_next(&walk, &item, m->e)) == 1) {
        if (item.key_len != want)
            continue;
        uint32_t index = kind == 'i' ? (uint32_t)(key_get_u64(item.key, HEAD + 1) >> 32) : 0;
        rc = kind == 'r' ? mend_row(m, &item)
                         : mend_key(m, &item, kind == 'p' || (!m->plan->primary.count && index == 0));
        if (rc < 0)
            break;
    }
    overlay_walk_end(&walk);
    make_changes(m);
    return rc;
}

/* ---- a table ---- */

static void put_number(struct overlay *o, const struct key *k, uint64_t number)
{
    struct key value = {.len = 0};
    key_u64(&value, number);
    overlay_put(o, k->bytes, k->len, value.bytes, 8);
}

static int mend_table(struct mending *m)
{
    struct key k;
    uint64_t next = 0;
    int rc = mend_all(m, 'r');
    rc = rc < 0 ? rc : mend_all(m, 'p');
    rc = rc < 0 ? rc : mend_all(m, 'i');
    key_of(m, 'n', &k);
    int was = rc < 0 ? rc : stored_number(m->app->overlay, &k, &next, m->e);
    if (was < 0 && was != ERR_NOT_FOUND)
        return was;
    if (next < m->next)
        put_number(m->app->overlay, &k, m->next);
    return 0;
}

/* The highest number of a table that anything in the store has. */
static int last_table(const struct app *app, uint64_t *last, struct err *e)
{
    struct overlay_walk walk;
    struct store_item item;
    struct key k = {.len = 0};
    int rc;
    key_u32(&k, app->store_number);
    overlay_walk_begin(&walk, app->overlay, k.bytes, k.len, k.len);
    while ((rc = overlay_walk_next(&walk, &item, e)) == 1) {
        uint64_t number = item.key_len >= HEAD ? key_get_u64(item.key, 0) & UINT32_MAX : 0;
        *last = number > *last ? number : *last;
    }
    overlay_walk_end(&walk);
    return rc;
}

int app_tables_mend(struct app *app, void (*tell)(void *user, const struct app_table_mended *t), void *user,
                    struct err *e)
{
    uint64_t last = 0, counted = 0;
    struct key k;
    int rc = last_table(app, &last, e);
    stored_catalog_key(app, NULL, &k);
    if (rc == 0)
        rc = stored_number(app->overlay, &k, &counted, e);
    if ((rc == 0 || rc == ERR_NOT_FOUND) && counted < last)
        put_number(app->overlay, &k, last);
    rc = rc == ERR_NOT_FOUND ? 0 : rc;
    for (int i = 0; rc == 0 && i < app->plan->table_count; i++) {
        uint64_t number = 0;
        struct mending m = {.app = app, .plan = app->tables[i]->plan, .next = 1, .e = e};
        if (m.plan->type != &table_stored)
            continue;
        m.told.table = m.plan->element->schema->id;
        stored_catalog_key(app, m.told.table, &k);
        rc = stored_number(app->overlay, &k, &number, e);
        m.number = (uint32_t)number;
        m.told.is_lost = rc == ERR_NOT_FOUND;
        buf_init(&m.changes, SIZE_MAX);
        rc = rc == 0 ? mend_table(&m) : rc == ERR_NOT_FOUND ? 0 : rc;
        buf_fini(&m.changes);
        if (rc == 0)
            tell(user, &m.told);
    }
    return rc;
}
