/* mend.c - see mend.h. */
#include "agent/mend.h"
#include "agent/config.h"
#include "agent/durable.h"
#include "agent/hosted.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <inttypes.h>
#include <string.h>

static void state_key(uint32_t app, char kind, struct key *k)
{
    k->len = 0;
    key_u32(k, app);
    key_u8(k, (uint8_t)kind);
}

static void mark_key(uint32_t app, struct key *k)
{
    k->len = 0;
    key_u8(k, 'd');
    key_u32(k, app);
}

/* ---- what is there twice ---- */

void mend_copy_mark(uint32_t app, const struct buf *mark, struct store_batch *batch)
{
    struct key k;
    state_key(app, MEND_MARK, &k);
    batch_put(batch, STORE_STATE, k.bytes, k.len, mark->bytes, mark->len);
}

static struct mend_text text_of(const char *text)
{
    return (struct mend_text){text, strlen(text)};
}

static void write_text(struct writer *w, const struct mend_text *t)
{
    write_bytes(w, t->bytes ? t->bytes : "", t->len);
}

void mend_write_names(const struct mend_names *n, const struct mend_sink *sinks, size_t count,
                      struct store_batch *batch)
{
    struct writer w = {0};
    struct key k;
    buf_init(&w.out, SIZE_MAX);
    write_u32(&w, n->app);
    write_text(&w, &n->name);
    write_text(&w, &n->text);
    write_text(&w, &n->file_text);
    write_count(&w, count);
    for (size_t i = 0; i < count; i++) {
        write_u32(&w, sinks[i].number);
        write_u32(&w, sinks[i].place);
        write_text(&w, &sinks[i].type);
        write_text(&w, &sinks[i].stream);
    }
    state_key(n->app, MEND_NAMES, &k);
    batch_put(batch, STORE_STATE, k.bytes, k.len, w.out.bytes, w.out.len);
    buf_fini(&w.out);
}

static int place_of(const struct bind *b, int sink)
{
    int place = 0;
    for (int i = 0; i < sink; i++)
        place += b->sinks[i].stream == b->sinks[sink].stream && b->sinks[i].type == b->sinks[sink].type;
    return place;
}

void mend_copy_names(const struct durable *d, struct store_batch *batch)
{
    const struct hosted *h = d->hosted;
    struct mend_names names = {.app = d->app,
                               .name = text_of(h->name),
                               .text = text_of(plan_text(app_plan(h->app))),
                               .file_text = {h->text.bytes, h->text.len}};
    struct mend_sink *sinks = mem_array((size_t)h->bind->sink_count + 1, sizeof *sinks);
    size_t count = 0;
    for (int i = 0; i < h->bind->sink_count; i++)
        if (h->outboxes[i])
            sinks[count++] = (struct mend_sink){.number = h->outboxes[i]->spool->sink,
                                                .place = (uint32_t)place_of(h->bind, i),
                                                .type = text_of(h->bind->sinks[i].type->name),
                                                .stream = text_of(h->outboxes[i]->name)};
    mend_write_names(&names, sinks, count, batch);
    mem_free(sinks);
}

static struct mend_text read_text(struct reader *r)
{
    struct mend_text t = {0};
    t.bytes = read_bytes(r, &t.len);
    return t;
}

bool mend_read_names(const void *bytes, size_t len, struct mend_names *out)
{
    struct reader r = {.at = bytes, .end = (const uint8_t *)bytes + len};
    out->app = read_u32(&r);
    out->name = read_text(&r);
    out->text = read_text(&r);
    out->file_text = read_text(&r);
    out->sinks = read_count(&r, UINT32_MAX);
    out->rest = r;
    return !r.failed && out->name.len > 0;
}

bool mend_next_sink(struct mend_names *n, struct mend_sink *out)
{
    if (!n->sinks)
        return false;
    n->sinks--;
    out->number = read_u32(&n->rest);
    out->place = read_u32(&n->rest);
    out->type = read_text(&n->rest);
    out->stream = read_text(&n->rest);
    return !n->rest.failed;
}

/* ---- an app ---- */

/* What is lost shows when it is loaded; and what failed halfway is of no use. So another app of the text
 * tries first, for nobody. */
static int find_lost(struct durable *d, struct app_mend *m, struct err *e)
{
    const char *text = plan_text(app_plan(d->hosted->app));
    struct engine_options options = {.user = NULL};
    struct app_host nobody = {.seed = 1};
    struct compile c;
    engine_compile(&c, text, strlen(text), &options);
    if (!c.plan) {
        compile_fini(&c);
        return err_set(e, ERR_STATE, "its text is refused now");
    }
    struct app *app = app_new(c.plan, &nobody);
    c.plan = NULL;
    compile_fini(&c);
    int rc = app_start(app, d->now_ms, true, e);
    if (rc == 0)
        rc = app_find_lost(app, &d->keeper.home, m, e);
    app_free(app);
    return rc;
}

/* META 'g' NUMBER: groups of the state that may lack a piece. */
static int read_suspects(struct durable *d, struct app_mend *m, struct err *e)
{
    struct store_item i;
    struct key k = {.len = 0};
    int rc = store_look(d->keeper.store, e);
    if (rc < 0)
        return rc;
    key_u8(&k, 'g');
    key_u32(&k, d->app);
    rc = store_get(d->keeper.store, STORE_META, k.bytes, k.len, &i);
    if (rc == 0)
        buf_add(&m->suspects, i.bytes, i.len);
    store_look_end(d->keeper.store);
    return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? err_set(e, rc, "its marks in the state cannot be read") : 0;
}

int mend_restore(struct durable *d, struct err *e)
{
    struct app_mend m;
    const char *name = d->hosted->log_name;
    app_mend_init(&m);
    int rc = read_suspects(d, &m, e);
    if (rc == 0)
        rc = find_lost(d, &m, e);
    if (rc == 0)
        rc = app_restore_rest(d->hosted->app, &d->keeper.home, &m, e);
    if (rc == 0) {
        log_write(LOG_ERROR, name, "its state was damaged: %s; it goes on with what is left", d->lost.bytes);
        if (m.fresh_count)
            log_write(LOG_ERROR, name, "%d parts are lost and begin empty: %s", m.fresh_count, m.fresh.bytes);
        if (!m.fresh_count)
            log_write(LOG_INFO, name, "every part of its state was good");
        d->wants_checkpoint = true;
    }
    app_mend_fini(&m);
    return rc;
}

/* ---- tables ---- */

static void on_table(void *user, const struct app_table_mended *t)
{
    const char *name = user;
    if (!t->is_lost)
        log_write(t->lost || t->keys ? LOG_ERROR : LOG_INFO, name,
                  "table %s: %" PRIu64 " rows are there, %" PRIu64 " are lost, %" PRIu64
                  " keys were made again",
                  t->table, t->rows, t->lost, t->keys);
    if (t->is_lost)
        log_write(LOG_ERROR, name, "table %s: nothing in the store has its name: it begins empty", t->table);
}

int mend_tables(struct store *store, struct app *app, uint32_t number, const char *log_name, struct err *e)
{
    struct store_item i;
    struct key k;
    mark_key(number, &k);
    int rc = store_look(store, e);
    if (rc < 0)
        return rc;
    rc = store_get(store, STORE_META, k.bytes, k.len, &i);
    store_look_end(store);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return err_set(e, rc, "its marks in the state cannot be read");
    rc = app_tables_mend(app, on_table, (void *)(uintptr_t)log_name, e);
    return rc < 0 ? rc : 1;
}

int mend_tables_done(struct store *store, struct app *app, uint32_t number, struct err *e)
{
    struct store_batch b;
    struct key k;
    mark_key(number, &k);
    batch_open(&b);
    app_tables_collect(app, &b);
    batch_drop(&b, STORE_META, k.bytes, k.len);
    int rc = store_apply(store, &b, e);
    if (rc == 0)
        app_tables_committed(app);
    batch_close(&b);
    return rc;
}
