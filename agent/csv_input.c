#include "agent/csv_input.h"
#include <string.h>

void csv_init(struct csv *c, struct arena *arena, const char *text, size_t len)
{
    *c = (struct csv){.at = text, .end = text + len, .next_line = 1, .arena = arena};
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        c->at += 3;
}

void csv_fini(struct csv *c)
{
    mem_free(c->fields);
}

static void add_field(struct csv *c, const char *text, size_t len, bool is_quoted)
{
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->fields = mem_resize(c->fields, (size_t)c->cap, sizeof *c->fields);
    }
    c->fields[c->count++] = (struct csv_field){text, len, is_quoted};
}

/* At the opening quote. "" inside stands for one quote. */
static int read_quoted(struct csv *c, struct err *e)
{
    const char *start = ++c->at;
    size_t doubled = 0;
    for (; c->at < c->end; c->at++) {
        if (*c->at == '\n')
            c->next_line++;
        if (*c->at != '"')
            continue;
        if (c->at + 1 == c->end || c->at[1] != '"')
            break;
        doubled++;
        c->at++;
    }
    if (c->at == c->end)
        return err_set(e, ERR_INVALID, "line %d: a quoted field does not end", c->line);
    size_t len = (size_t)(c->at++ - start);
    if (doubled) {
        char *copy = arena_raw(c->arena, len);
        size_t made = 0;
        for (size_t i = 0; i < len; i++) {
            copy[made++] = start[i];
            if (start[i] == '"')
                i++;
        }
        start = copy;
        len = made;
    }
    add_field(c, start, len, true);
    return 0;
}

static int read_record(struct csv *c, struct err *e)
{
    for (;;) {
        if (c->at < c->end && *c->at == '"') {
            int rc = read_quoted(c, e);
            if (rc < 0)
                return rc;
        } else {
            const char *start = c->at;
            while (c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r')
                c->at++;
            add_field(c, start, (size_t)(c->at - start), false);
        }
        if (c->at < c->end && *c->at == ',') {
            c->at++;
            continue;
        }
        if (c->at < c->end && *c->at == '\r')
            c->at++;
        if (c->at == c->end)
            return 1;
        if (*c->at != '\n')
            return err_set(e, ERR_INVALID, "line %d: field %d goes on behind its quotes", c->line, c->count);
        c->at++;
        c->next_line++;
        return 1;
    }
}

int csv_next(struct csv *c, struct err *e)
{
    while (c->at < c->end && (*c->at == '\n' || *c->at == '\r'))
        c->next_line += *c->at++ == '\n';
    if (c->at == c->end)
        return 0;
    c->count = 0;
    c->line = c->next_line;
    return read_record(c, e);
}
