/* errors_ask.c - see errors_ask.h. */
#include "agent/errors_ask.h"
#include "agent/errors_app.h"
#include "agent/jnode.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 1024 * 1024, ARENA_BLOCK = 16 * 1024 };

static void error(struct buf *out, const char *kind, const char *words)
{
    buf_printf(out, "{\"error\":\"%s\",\"message\":", kind);
    jnode_print_text(words, strlen(words), out);
    buf_add_str(out, "}\n");
}

/* ---- list ---- */

static void print_entry(uint64_t number, const struct buf *bytes, const char *app, uint64_t *count,
                        struct buf *out)
{
    struct arena arena;
    struct errors_entry e;
    arena_init(&arena, ARENA_BLOCK);
    if (errors_read(bytes->bytes, bytes->len, &arena, &e) < 0)
        e = (struct errors_entry){.app = "", .stream = "", .port = "", .cause = "this entry is damaged"};
    e.number = number;
    if (!app || !strcmp(app, e.app)) {
        buf_add_str(out, "{\"entry\":");
        errors_print(&e, &arena, out);
        buf_add_str(out, "}\n");
        (*count)++;
    }
    arena_fini(&arena);
}

void errors_ask_list(struct errors *s, const char *app, uint64_t from, struct buf *out)
{
    struct buf bytes;
    struct err e = {0};
    uint64_t count = 0, number = from;
    int rc;
    buf_init(&bytes, SIZE_MAX);
    while ((rc = errors_next(s, from, &number, &bytes, &e)) == 0 && out->len < PAGE_BYTES) {
        print_entry(number, &bytes, app, &count, out);
        from = number + 1;
    }
    if (rc == 0)
        buf_printf(out, "{\"more\":%" PRIu64 "}\n", number);
    else if (rc == ERR_NOT_FOUND)
        buf_printf(out, "{\"done\":%" PRIu64 "}\n", count);
    else
        error(out, "failed", e.text);
    if (out->overflow) {
        buf_clear(out);
        error(out, "size", "an entry is too long for an answer");
    }
    buf_fini(&bytes);
}

/* ---- discard ---- */

void errors_ask_discard(struct errors *s, const uint64_t *numbers, int count, struct buf *out)
{
    struct store_batch batch;
    struct err e = {0};
    int done = 0;
    batch_open(&batch);
    batch.relieves = true;
    for (int i = 0; i < count; i++) {
        bool found = errors_drop(s, numbers[i], &batch);
        buf_printf(out, "{\"%s\":%" PRIu64 "}\n", found ? "discarded" : "missing", numbers[i]);
        done += found;
    }
    if (errors_apply(s, &batch, &e) < 0)
        error(out, "unsure", e.text);
    else
        buf_printf(out, "{\"done\":%d}\n", done);
    batch_close(&batch);
}

/* ---- replay ---- */

struct replaying {
    struct hosted *hosted;
    const struct errors_entry *entry;
    const struct buf *bytes;
    int rc;
    struct err err;
};

static void job_replay(struct worker *w, void *user)
{
    struct replaying *r = user;
    (void)w;
    r->rc = errors_app_replay(r->hosted, r->entry, r->bytes->bytes, r->bytes->len, &r->err);
}

static void job_commit(struct worker *w, void *user)
{
    struct replaying *r = user;
    r->rc = commit_now(w, &r->err);
}

static void say(uint64_t number, const char *words, struct buf *out)
{
    buf_printf(out, "{\"kept\":%" PRIu64 ",\"message\":", number);
    jnode_print_text(words, strlen(words), out);
    buf_add_str(out, "}\n");
}

/* Returns the worker it went through on, or NULL. */
static struct worker *replay_one(struct deploy *d, uint64_t number, struct buf *bytes, struct buf *out)
{
    struct arena arena;
    struct errors_entry entry;
    struct replaying r = {.bytes = bytes, .entry = &entry};
    uint64_t found = 0;
    int rc = errors_next(d->errors, number, &found, bytes, &r.err);
    if (rc == ERR_NOT_FOUND || (rc == 0 && found != number)) {
        buf_printf(out, "{\"missing\":%" PRIu64 "}\n", number);
        return NULL;
    }
    if (rc < 0) {
        say(number, r.err.text, out);
        return NULL;
    }
    arena_init(&arena, ARENA_BLOCK);
    r.rc = errors_read(bytes->bytes, bytes->len, &arena, &entry);
    entry.number = number;
    if (r.rc < 0)
        err_set(&r.err, r.rc, "this entry is damaged");
    else if (!(r.hosted = deploy_find(d, entry.app)))
        r.rc = err_set(&r.err, ERR_NOT_FOUND, "no app '%.300s' runs here", entry.app);
    else
        worker_call(r.hosted->worker, job_replay, &r);
    if (r.rc < 0)
        say(number, r.err.text, out);
    else
        buf_printf(out, "{\"replayed\":%" PRIu64 "}\n", number);
    arena_fini(&arena);
    return r.rc < 0 ? NULL : r.hosted->worker;
}

void errors_ask_replay(struct deploy *d, const uint64_t *numbers, int count, struct buf *out)
{
    bool used[64] = {false};
    struct replaying commit = {.rc = 0};
    struct buf bytes;
    int done = 0, rc = 0;
    buf_init(&bytes, SIZE_MAX);
    for (int i = 0; i < count; i++) {
        struct worker *w = replay_one(d, numbers[i], &bytes, out);
        if (!w)
            continue;
        used[w->number] = true;
        done++;
    }
    buf_fini(&bytes);
    for (int i = 0; i < d->worker_count; i++) {
        if (!used[i])
            continue;
        worker_call(&d->workers[i], job_commit, &commit);
        rc = commit.rc < 0 ? commit.rc : rc;
    }
    if (rc < 0)
        error(out, "unsure", commit.err.text);
    else
        buf_printf(out, "{\"done\":%d}\n", done);
}

/* ---- the request ---- */

/* Numbers with blanks between them. Their count, or -1. */
static int read_numbers(const char *text, uint64_t numbers[ERRORS_ASK_MOST])
{
    int count = 0;
    for (const char *at = text; at && *at;) {
        char *end;
        if (count == ERRORS_ASK_MOST || *at < '0' || *at > '9')
            return -1;
        numbers[count++] = strtoull(at, &end, 10);
        if (*end && *end != ' ')
            return -1;
        at = *end ? end + 1 : end;
    }
    return count;
}

void errors_ask(struct deploy *d, const char *verb, const char *app, const char *numbers, const char *from,
                struct buf *out)
{
    uint64_t list[ERRORS_ASK_MOST], first[ERRORS_ASK_MOST] = {0};
    int count = read_numbers(numbers, list), firsts = read_numbers(from, first);
    bool lists = !strcmp(verb, "list");
    if (!lists && strcmp(verb, "replay") != 0 && strcmp(verb, "discard") != 0)
        error(out, "request", "'errors' is list, replay or discard");
    else if (lists ? numbers || firsts < 0 || firsts > 1 : app || from || count <= 0)
        error(out, "request",
              "list goes with app and from, replay and discard with numbers: at most 64, with blanks between "
              "them");
    else if (!d->errors)
        error(out, "failed",
              "this agent has no error store: it has no folder for state, or \"errors.bytes\" is 0");
    else if (lists)
        errors_ask_list(d->errors, app, first[0], out);
    else if (*verb == 'd')
        errors_ask_discard(d->errors, list, count, out);
    else
        errors_ask_replay(d, list, count, out);
}
