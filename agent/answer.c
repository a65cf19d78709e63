/* answer.c - see answer.h. */
#include "agent/answer.h"
#include "agent/errors_ask.h"
#include "agent/jnode.h"
#include "agent/query.h"
#include "agent/status.h"
#include "engine/base/json.h"
#include <string.h>

enum { ARENA_BLOCK = 4096 };

struct request {
    struct deploy *deploy;
    struct arena *arena;
    const char *app, *query; /* NULL: not given; NUL-terminated, and no other NUL is in app */
    const char *errors, *numbers, *from, *status;
    size_t app_len, query_len, errors_len, numbers_len, from_len, status_len;
};

/* ---- words ---- */

static void member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":", name);
    jnode_print_text(text, strlen(text), out);
}

/* Leaves the object open. */
static void error_open(struct buf *out, const char *kind, const char *message)
{
    buf_clear(out);
    buf_add_char(out, '{');
    member(out, "error", kind);
    buf_add_char(out, ',');
    member(out, "message", message);
}

static void error(struct buf *out, const char *kind, const char *message)
{
    error_open(out, kind, message);
    buf_add_str(out, "}\n");
}

void answer_too_long(size_t most, struct buf *out)
{
    struct err e;
    err_set(&e, ERR_TOO_BIG, "the request is longer than %zu bytes", most);
    error(out, "request", e.text);
}

/* ---- queries ---- */

struct rows {
    struct arena scratch;
    struct buf *out, places;
};

static void on_columns(void *user, const struct schema *s)
{
    struct rows *r = user;
    buf_add_str(r->out, "{\"columns\":[");
    for (uint32_t i = 0; i < s->count; i++) {
        buf_add_str(r->out, i ? ",{" : "{");
        member(r->out, "name", s->attributes[i].name);
        buf_add_char(r->out, ',');
        member(r->out, "type", type_name(s->attributes[i].type));
        buf_add_char(r->out, '}');
    }
    buf_add_str(r->out, "]}\n");
}

static bool on_row(void *user, const struct schema *s, const struct row *row)
{
    struct rows *r = user;
    buf_add_str(r->out, "{\"row\":");
    jnode_print_row(s, row, &r->scratch, r->out);
    buf_add_str(r->out, "}\n");
    return !r->out->overflow;
}

static void on_refused(void *user, const struct diags *d)
{
    struct rows *r = user;
    for (const struct diag *i = d->first; i; i = i->next) {
        buf_printf(&r->places, "%s{\"at\":%u,\"len\":%u,", i == d->first ? "" : ",", i->span.at, i->span.len);
        member(&r->places, "message", i->message);
        if (i->hint) {
            buf_add_char(&r->places, ',');
            member(&r->places, "hint", i->hint);
        }
        buf_add_char(&r->places, '}');
    }
}

static void no_app(const struct request *r, struct buf *out)
{
    int count = deploy_running(r->deploy);
    const char **names = arena_array(r->arena, (size_t)count + 1, sizeof *names);
    struct err e;
    deploy_names(r->deploy, names);
    err_set(&e, ERR_NOT_FOUND, "no app '%.300s' runs here", r->app);
    error_open(out, "app", e.text);
    buf_add_str(out, ",\"apps\":[");
    for (int i = 0; i < count; i++) {
        if (i)
            buf_add_char(out, ',');
        jnode_print_text(names[i], strlen(names[i]), out);
    }
    buf_add_char(out, ']');
    const char *near = diag_near(r->app, names, (size_t)count);
    if (near) {
        buf_add_char(out, ',');
        member(out, "near", near);
    }
    buf_add_str(out, "}\n");
}

static void close_rows(const struct query *q, struct rows *r)
{
    struct err e;
    switch (q->outcome) {
    case QUERY_DONE:
        buf_printf(r->out, "{\"done\":%u}\n", q->count);
        break;
    case QUERY_REFUSED:
        error_open(r->out, "refused", q->err.text);
        buf_printf(r->out, ",\"places\":[%s]}\n", r->places.len ? r->places.bytes : "");
        break;
    case QUERY_FAILED:
        error(r->out, "failed", q->err.text);
        break;
    case QUERY_HELD:
        error(r->out, "held", q->err.text);
        break;
    case QUERY_UNSURE:
        error(r->out, "unsure", q->err.text);
        break;
    }
    if (r->out->overflow) {
        err_set(&e, ERR_TOO_BIG,
                "the answer is longer than %zu bytes; 'limit' and 'offset' ask for a part of it",
                r->out->max_bytes);
        error(r->out, "size", e.text);
    }
}

static void answer_query(const struct request *request, struct buf *out)
{
    struct rows r = {.out = out};
    struct hosted *h =
        request->app_len == strlen(request->app) ? deploy_find(request->deploy, request->app) : NULL;
    if (!h) {
        no_app(request, out);
        return;
    }
    arena_init(&r.scratch, ARENA_BLOCK);
    buf_init(&r.places, out->max_bytes / 2);
    struct query q = {.text = request->query,
                      .len = request->query_len,
                      .columns = on_columns,
                      .row = on_row,
                      .refused = on_refused,
                      .user = &r};
    query_run(&q, h);
    close_rows(&q, &r);
    buf_fini(&r.places);
    arena_fini(&r.scratch);
}

/* ---- requests ---- */

struct text_of {
    const char *name;
    size_t text, len; /* in struct request */
};
#define AT(field) offsetof(struct request, field), offsetof(struct request, field##_len)
static const struct text_of texts[] = {{"app", AT(app)},       {"query", AT(query)},
                                       {"errors", AT(errors)}, {"numbers", AT(numbers)},
                                       {"from", AT(from)},     {"status", AT(status)}};
enum { TEXT_COUNT = sizeof texts / sizeof *texts };

static void answer_errors(const struct request *r, struct buf *out)
{
    errors_ask(r->deploy, r->errors, r->app, r->numbers, r->from, out);
}

static void answer_status(const struct request *r, struct buf *out)
{
    struct hosted *h = NULL;
    struct err e;
    bool with_parts = !strcmp(r->status, "parts");
    if (!with_parts && strcmp(r->status, "apps") != 0) {
        err_set(&e, ERR_INVALID, "a status is of 'apps' or of 'parts', not '%.100s'", r->status);
        error(out, "request", e.text);
        return;
    }
    if (r->app && (r->app_len != strlen(r->app) || !(h = deploy_find(r->deploy, r->app)))) {
        no_app(r, out);
        return;
    }
    status_tell(r->deploy, h, with_parts, out);
    if (out->overflow)
        error(out, "size", "the answer is too long; ask for one app");
}

/* A kind of request is known by the members it has. */
static const struct kind {
    unsigned members; /* bits by place in texts: those it needs, */
    unsigned may;     /* and those it may have besides */
    void (*answer)(const struct request *r, struct buf *out);
} kinds[] = {{1 | 2, 0, answer_query}, {4, 1 | 8 | 16, answer_errors}, {32, 1, answer_status}};

static int read_member(struct request *r, unsigned *members, const struct json_token *name,
                       const struct json_token *value, struct err *e)
{
    for (int i = 0; i < TEXT_COUNT; i++) {
        if (!json_is(name, texts[i].name, strlen(texts[i].name)))
            continue;
        if (value->kind != JSON_STRING)
            return err_set(e, ERR_INVALID, "'%s' must be text", texts[i].name);
        if (*members & 1u << i)
            return err_set(e, ERR_INVALID, "'%s' is there twice", texts[i].name);
        char *text = arena_alloc(r->arena, value->len + 1);
        *(size_t *)(void *)((char *)r + texts[i].len) = json_unescape(value, text);
        *(const char **)(void *)((char *)r + texts[i].text) = text;
        *members |= 1u << i;
        return 0;
    }
    return err_set(e, ERR_INVALID, "a request has no member '%.*s'", name->len < 100 ? (int)name->len : 100,
                   name->bytes);
}

static int read_request(struct request *r, const char *line, size_t len, const struct kind **kind,
                        struct err *e)
{
    struct json_scan s;
    struct json_token value, name;
    unsigned members = 0;
    bool first = true;
    json_scan_init(&s, line, len);
    if (!json_value(&s, &value))
        return err_set(e, ERR_INVALID, "the request is not JSON: byte %zu: %s", json_offset(&s), s.wrong);
    if (value.kind != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "a request is one JSON object: {\"app\":NAME,\"query\":TEXT}");
    while (json_member(&s, &first, &name)) {
        if (!json_value(&s, &value) || !json_skip(&s, &value))
            break;
        int rc = read_member(r, &members, &name, &value, e);
        if (rc < 0)
            return rc;
    }
    if (s.wrong || !json_end(&s))
        return err_set(e, ERR_INVALID, "the request is not JSON: byte %zu: %s", json_offset(&s),
                       s.wrong ? s.wrong : "it goes on behind its end");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if ((members & ~kinds[i].may) == kinds[i].members) {
            *kind = &kinds[i];
            return 0;
        }
    }
    return err_set(e, ERR_INVALID,
                   "no request has just these members; known are {\"app\":NAME,\"query\":TEXT}, "
                   "{\"errors\":VERB,...} and {\"status\":\"apps\"}");
}

void answer_line(struct deploy *d, const char *line, size_t len, struct buf *out)
{
    struct arena arena;
    struct err e = {0};
    arena_init(&arena, ARENA_BLOCK);
    struct request r = {.deploy = d, .arena = &arena};
    const struct kind *kind = NULL;
    if (read_request(&r, line, len, &kind, &e) < 0 || !kind)
        error(out, "request", e.text);
    else
        kind->answer(&r, out);
    arena_fini(&arena);
}
