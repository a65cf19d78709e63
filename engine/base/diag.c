/* diag.c - what is wrong with a text, for its author. */
#include "engine/base/diag.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    NEAR_MAX_BYTES = 48,    /* longer names have no near ones */
    LINE_BEFORE_BYTES = 80, /* of a line too long to show: what is shown before and behind the place */
    LINE_BEHIND_BYTES = 80,
};

void diags_init(struct diags *d, struct arena *arena, const char *text, size_t len)
{
    *d = (struct diags){.arena = arena, .text = text, .len = len};
}

static int *counter(struct diags *d, enum diag_kind kind)
{
    switch (kind) {
    case DIAG_ERROR:
        return &d->errors;
    case DIAG_UNSUPPORTED:
        return &d->unsupported;
    case DIAG_WARNING:
        return &d->warnings;
    }
    ASSERT(!"diag_kind");
    return NULL;
}

static void add(struct diags *d, enum diag_kind kind, struct span at, const char *construct,
                const char *message)
{
    for (struct diag *x = d->first; x; x = x->next) {
        if (x->kind == kind && x->span.at == at.at && strcmp(x->message, message) == 0) {
            d->newest = x;
            return;
        }
    }
    d->newest = NULL;
    if ((*counter(d, kind))++ >= LIMIT_DIAGNOSTICS)
        return;
    struct diag *x = arena_alloc(d->arena, sizeof(*x));
    x->kind = kind;
    x->span = at;
    x->message = message;
    x->construct = construct;
    if (d->last)
        d->last->next = x;
    else
        d->first = x;
    d->last = d->newest = x;
}

void diag_error(struct diags *d, struct span at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, DIAG_ERROR, at, NULL, arena_vprintf(d->arena, format, args));
    va_end(args);
}

void diag_warn(struct diags *d, struct span at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(d, DIAG_WARNING, at, NULL, arena_vprintf(d->arena, format, args));
    va_end(args);
}

void diag_unsupported(struct diags *d, struct span at, const char *construct)
{
    const char *name = arena_strdup(d->arena, construct);
    add(d, DIAG_UNSUPPORTED, at, name, arena_printf(d->arena, "%s is not implemented yet", name));
}

void diag_hint(struct diags *d, const char *format, ...)
{
    if (!d->newest || d->newest->hint)
        return;
    va_list args;
    va_start(args, format);
    d->newest->hint = arena_vprintf(d->arena, format, args);
    va_end(args);
}

/* Edits (insert, delete, replace) that make b of a, ignoring case; both at most NEAR_MAX_BYTES. */
static size_t edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t row[NEAR_MAX_BYTES + 1];
    for (size_t j = 0; j <= blen; j++)
        row[j] = j;
    for (size_t i = 1; i <= alen; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t best = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[blen];
}

const char *diag_near(const char *name, const char *const *names, size_t count)
{
    size_t len = strlen(name);
    if (len > NEAR_MAX_BYTES)
        return NULL;
    size_t best = len < 3 ? 1 : len < 5 ? 2 : len < 9 ? 3 : 4; /* one more than is still near */
    const char *near = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t other_len = strlen(names[i]);
        if (other_len > NEAR_MAX_BYTES)
            continue;
        size_t distance = edit_distance(name, len, names[i], other_len);
        if (distance < best) {
            best = distance;
            near = names[i];
        }
    }
    return near;
}

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* What the author wrote, and where in it a place of the text is: of a value, the begin of its variable. */
static const char *shown(const struct diags *d, size_t *len)
{
    *len = d->source ? d->source_len : d->len;
    return d->source ? d->source : d->text;
}

static size_t shown_at(const struct diags *d, size_t at)
{
    size_t ahead = at;
    at = at < d->len ? at : d->len;
    for (size_t i = 0; d->source && i < d->swap_count && d->swaps[i].at <= at; i++) {
        const struct diag_swap *s = &d->swaps[i];
        ahead = at - s->at < s->len ? s->source_at : at - s->at - s->len + s->source_at + s->source_len;
    }
    return ahead;
}

void diag_position(const struct diags *d, uint32_t at, int *line, int *column)
{
    size_t len, end = shown_at(d, at);
    const char *text = shown(d, &len);
    end = end < len ? end : len;
    *line = *column = 1;
    for (size_t i = 0; i < end; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (!is_tail(text[i])) {
            ++*column;
        }
    }
}

/* ---- what is not shown ---- */

static size_t skip_blanks(const char *text, size_t at, size_t end)
{
    while (at < end && (text[at] == ' ' || text[at] == '\t'))
        at++;
    return at;
}

/* password = '...', "password": "...": what is between the quotes, or up to the end of the line. */
static bool is_password(const char *text, size_t at, size_t end, size_t *from, size_t *to)
{
    static const char word[] = "password";
    if (end - at < sizeof word - 1 || strncasecmp(text + at, word, sizeof word - 1) != 0)
        return false;
    at += sizeof word - 1;
    if (at < end && (text[at] == '\'' || text[at] == '"'))
        at++;
    at = skip_blanks(text, at, end);
    if (at == end || (text[at] != '=' && text[at] != ':'))
        return false;
    at = skip_blanks(text, at + 1, end);
    if (at == end || (text[at] != '\'' && text[at] != '"'))
        return false;
    char quote = text[at];
    while (at < end && text[at] == quote) /* there may be three */
        at++;
    for (*from = at; at < end && text[at] != quote; at++)
        ;
    *to = at;
    return *to > *from;
}

/* ://user:password@ */
static bool is_user(const char *text, size_t at, size_t end, size_t *from, size_t *to)
{
    if (end - at < 4 || memcmp(text + at, "://", 3) != 0)
        return false;
    at += 3;
    for (*from = at; at < end && !strchr("@/?#'\" \t", text[at]); at++)
        ;
    *to = at;
    return at < end && text[at] == '@';
}

/* A line from the text's begin to end; characters before start are looked at and not printed. No control
 * characters reach the terminal; a tab stays. */
static void put_line(const char *text, size_t line, size_t start, size_t end, size_t line_end, FILE *out)
{
    size_t from = 0, to = 0;
    for (size_t i = line; i < end; i++) {
        unsigned char c = (unsigned char)text[i];
        size_t a, b;
        if (i >= to && (is_password(text, i, line_end, &a, &b) || is_user(text, i, line_end, &a, &b))) {
            from = a;
            to = b;
        }
        if (i < start)
            continue;
        if (i < from || i >= to)
            (void)fputc((c < 0x20 && c != '\t') || c == 0x7F ? '?' : c, out);
        else if (!is_tail(text[i]))
            (void)fputc('*', out);
    }
}

static void put_clean(const char *s, FILE *out)
{
    size_t len = strlen(s);
    put_line(s, 0, 0, len, len, out);
}

/* The line of the place and carets below it; of a very long line the part around the place. */
static void print_line(const struct diags *d, struct span span, FILE *out)
{
    size_t len, at = shown_at(d, span.at), behind = shown_at(d, (size_t)span.at + span.len);
    const char *text = shown(d, &len);
    at = at < len ? at : len;
    size_t line = at, line_end = at, start, end;
    while (line > 0 && text[line - 1] != '\n')
        line--;
    while (line_end < len && text[line_end] != '\n')
        line_end++;
    for (start = at; start > line && (at - start < LINE_BEFORE_BYTES || is_tail(text[start]));)
        start--;
    for (end = at; end < line_end && (end - at < LINE_BEHIND_BYTES || is_tail(text[end]));)
        end++;
    if (end > at && text[end - 1] == '\r' && end == line_end)
        end--;
    (void)fputs("    ", out);
    put_line(text, line, start, end, line_end, out);
    (void)fputs("\n    ", out);
    for (size_t i = start; i < at; i++) {
        if (!is_tail(text[i]))
            (void)fputc(text[i] == '\t' ? '\t' : ' ', out);
    }
    (void)fputc('^', out);
    for (size_t i = at + 1; i < end && i < behind; i++) {
        if (!is_tail(text[i]))
            (void)fputc('^', out);
    }
    (void)fputc('\n', out);
}

static void print_one(const struct diags *d, const struct diag *x, const char *file, FILE *out)
{
    int line, column;
    diag_position(d, x->span.at, &line, &column);
    (void)fprintf(out, "%s:%d:%d: %s", file, line, column, x->kind == DIAG_WARNING ? "warning: " : "");
    put_clean(x->message, out);
    (void)fputc('\n', out);
    print_line(d, x->span, out);
    if (x->hint) {
        (void)fputs("hint: ", out);
        put_clean(x->hint, out);
        (void)fputc('\n', out);
    }
}

void diags_print(const struct diags *d, const char *file, FILE *out)
{
    const struct diag *sorted[LIMIT_DIAGNOSTICS * 3]; /* three kinds, each bounded */
    size_t count = 0;
    for (const struct diag *x = d->first; x; x = x->next) {
        size_t i = count++;
        for (; i > 0 && sorted[i - 1]->span.at > x->span.at; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = x;
    }
    for (size_t i = 0; i < count; i++)
        print_one(d, sorted[i], file, out);
    size_t all = (size_t)d->errors + (size_t)d->unsupported + (size_t)d->warnings;
    if (all > count)
        (void)fprintf(out, "%s: and %zu more\n", file, all - count);
}
