/* parse_app.c - the text as a whole: annotations, definitions, the order of statements, recovery; and
 * on-demand queries. */
#include "engine/base/limits.h"
#include "engine/lang/parse_in.h"

/* ---- annotations (spec 01 section 3) ---- */

/* el = [ property '=' ] string        property = name { ( '.' | '-' | ':' ) name } | string */
static struct ast_element *parse_element(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_element *e = arena_alloc(p->arena, sizeof *e);
    if (peek(p) == TOKEN_STRING_TEXT) {
        struct span span = token_span(p, p->at);
        e->value = parse_string(p, "a string");
        e->span = span;
        if (peek(p) != TOKEN_ASSIGN)
            return e;
        e->key = (struct name){e->value, span};
    } else {
        const char *key = parse_name(p, "a key or a string").text;
        while (peek(p) == TOKEN_DOT || peek(p) == TOKEN_MINUS || peek(p) == TOKEN_COLON) {
            const char *separator = lex_spelling(peek(p));
            advance(p);
            key = arena_printf(p->arena, "%s%s%s", key, separator, parse_name(p, "the rest of the key").text);
        }
        e->key = (struct name){key, span_since(p, start)};
        if (peek(p) == TOKEN_CLOSE || peek(p) == TOKEN_COMMA)
            syntax_error_hint(p, "'='",
                              arena_printf(p->arena, "the values of annotations are strings: '%.60s'", key));
    }
    expect(p, TOKEN_ASSIGN, NULL);
    struct token t = p->tokens[p->at];
    e->span = token_span(p, p->at);
    if (token_is_number(t.kind) || token_is_name(t.kind))
        syntax_error_hint(p, "a string behind '='",
                          arena_printf(p->arena, "the values of annotations are strings: '%.*s'",
                                       (int)(t.len > 60 ? 60 : t.len), p->text + t.at));
    e->value = parse_string(p, "a string behind '='");
    return e;
}

/* annotation     = '@' name [ '(' elem { ',' elem } ')' ]
 * elem           = el | annotation
 * app_annotation = '@' APP ':' name [ '(' el { ',' el } ')' ] */
static struct ast_annotation *parse_annotation(struct parser *p, bool of_app)
{
    uint32_t start = p->at;
    struct ast_annotation *a = arena_alloc(p->arena, sizeof *a);
    bool enter = parse_enter(p);
    expect(p, TOKEN_AT_MARK, NULL);
    if (of_app)
        p->at += p->panic ? 0 : 2;
    a->name = parse_name(p, "an annotation's name");
    if (enter && accept(p, TOKEN_OPEN)) {
        struct ast_element **tail = &a->elements;
        struct ast_annotation **nested = &a->nested;
        if (peek(p) == TOKEN_CLOSE)
            syntax_error_hint(p, "an element", "without elements there are no parentheses");
        do {
            if (peek(p) == TOKEN_AT_MARK && of_app)
                syntax_error_hint(p, "a key or a string", "annotations of the app hold no other annotations");
            if (peek(p) == TOKEN_AT_MARK) {
                struct ast_annotation *inner = parse_annotation(p, false);
                LIST_ADD(nested, inner);
            } else {
                struct ast_element *e = parse_element(p);
                LIST_ADD(tail, e);
            }
        } while (accept(p, TOKEN_COMMA));
        expect(p, TOKEN_CLOSE, "',' or ')'");
    }
    parse_leave(p);
    a->span = span_since(p, start);
    return a;
}

static bool at_app_annotation(const struct parser *p)
{
    return peek(p) == TOKEN_AT_MARK && peek_at(p, 1) == TOKEN_APP && peek_at(p, 2) == TOKEN_COLON;
}

/* { annotation } */
struct ast_annotation *parse_annotations(struct parser *p)
{
    struct ast_annotation *list = NULL, **tail = &list;
    while (peek(p) == TOKEN_AT_MARK) {
        if (at_app_annotation(p))
            diag_error(p->diags, token_span(p, p->at),
                       "annotations of the app stand before the first definition");
        struct ast_annotation *a = parse_annotation(p, at_app_annotation(p));
        LIST_ADD(tail, a);
    }
    return list;
}

/* ---- definitions ---- */

/* What a word that is no type was meant to be, or NULL. */
static const char *type_hint(struct parser *p, const char *word)
{
    static const char *const foreign[][2] = {{"integer", "int"}, {"boolean", "bool"},
                                             {"str", "string"},  {"varchar", "string"},
                                             {"text", "string"}, {"number", "double"}};
    static const char *const types[] = {"string", "int", "long", "float", "double", "bool", "object"};
    const char *near = diag_near(word, types, sizeof types / sizeof types[0]);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (strcmp(word, foreign[i][0]) == 0)
            near = foreign[i][1];
    return near ? arena_printf(p->arena, "did you mean '%s'?", near) : NULL;
}

/* type = STRING | INT | LONG | FLOAT | DOUBLE | BOOL | OBJECT */
static enum type parse_type(struct parser *p)
{
    enum token_kind kind = peek(p);
    if (token_is_type(kind)) {
        advance(p);
        return (enum type)(TYPE_STRING + (kind - TOKEN_STRING));
    }
    syntax_error_hint(p, "a type (string, int, long, float, double, bool or object)",
                      kind == TOKEN_ID ? type_hint(p, token_copy(p, p->at)) : NULL);
    return TYPE_OBJECT;
}

/* '(' attr_def { ',' attr_def } ')'        attr_def = name type */
static void parse_attributes(struct parser *p, struct ast_definition *d)
{
    expect(p, TOKEN_OPEN, NULL);
    struct ast_attribute **tail = &d->attributes;
    do {
        struct ast_attribute *a = arena_alloc(p->arena, sizeof *a);
        a->name = parse_name(p, "an attribute's name");
        a->type = parse_type(p);
        LIST_ADD(tail, a);
    } while (accept(p, TOKEN_COMMA));
    expect(p, TOKEN_CLOSE, "',' or ')'");
}

/* trigger_def = DEFINE TRIGGER id AT ( EVERY time | string ) */
static void parse_trigger(struct parser *p, struct ast_definition *d)
{
    d->id = parse_id(p, "a trigger's name");
    expect(p, TOKEN_AT, NULL);
    uint32_t start = p->at;
    if (accept(p, TOKEN_EVERY)) {
        d->every_ms = parse_time_value(p, "a time behind 'every'");
    } else if (peek(p) == TOKEN_STRING_TEXT) {
        d->at = parse_string(p, "a string");
    } else {
        bool time = peek(p) == TOKEN_INT_TEXT && token_is_unit(peek_at(p, 1));
        syntax_error_hint(p, "'every' and a time, 'start', or a cron expression in quotes",
                          time ? "write at every and the time" : NULL);
    }
    d->at_span = span_since(p, start);
}

/* function_def = DEFINE FUNCTION id '[' id ']' RETURN type SCRIPT */
static void parse_function(struct parser *p, struct ast_definition *d)
{
    d->id = parse_id(p, "a function's name");
    expect(p, TOKEN_OPEN_SQUARE, "'[' and the language");
    d->language = parse_id(p, "the script's language");
    expect(p, TOKEN_CLOSE_SQUARE, NULL);
    expect(p, TOKEN_RETURN, NULL);
    d->return_type = parse_type(p);
    struct token t = p->tokens[p->at];
    d->body = "";
    if (!expect(p, TOKEN_SCRIPT, "the script in braces"))
        return;
    uint32_t len = t.len - 2; /* between the braces */
    while (len > 0 && ((unsigned char)p->text[t.at + len] & 0xC0) == 0x80)
        len--;
    d->body = arena_strndup(p->arena, p->text + t.at + 1, len > 0 ? len - 1 : 0);
    d->body_span = (struct span){t.at + 1, t.len - 2};
}

/* duration = SECONDS | MINUTES | HOURS | DAYS | WEEKS | MONTHS | YEARS        (WEEKS is refused) */
static void parse_duration(struct parser *p, struct ast_definition *d)
{
    static const enum duration durations[] = {DURATION_YEARS,  DURATION_MONTHS, DURATION_WEEKS,
                                              DURATION_DAYS,   DURATION_HOURS,  DURATION_MINUTES,
                                              DURATION_SECONDS};
    enum { DURATIONS_MAX = sizeof d->durations / sizeof d->durations[0] };
    enum token_kind kind = peek(p);
    struct span span = token_span(p, p->at);
    if (kind == TOKEN_INT_TEXT) {
        syntax_error_hint(p, "sec, min, hour, day, month or year",
                          "only the unit is written, without a number");
    } else if (!token_is_unit(kind)) {
        syntax_error(p, "sec, min, hour, day, month or year");
    } else if (kind == TOKEN_WEEKS || kind == TOKEN_MILLISECONDS) {
        diag_error(p->diags, span, "an aggregation cannot be kept per %s", lex_spelling(kind));
        diag_hint(p->diags, "sec, min, hour, day, month or year");
        advance(p);
    } else if (d->duration_count == DURATIONS_MAX) {
        parse_stop(p, span, "too many units", NULL);
    } else {
        d->durations[d->duration_count] = durations[kind - TOKEN_YEARS];
        d->duration_spans[d->duration_count++] = span;
        advance(p);
    }
}

/* aggregation_def = DEFINE AGGREGATION id FROM single_stream SELECT select_list [ group_by ]
 *                   AGGREGATE [ BY attr_ref ]
 *                   EVERY ( duration '...' duration | duration { ',' duration } ) */
static void parse_aggregation(struct parser *p, struct ast_definition *d)
{
    d->id = parse_id(p, "an aggregation's name");
    expect(p, TOKEN_FROM, NULL);
    d->from = parse_source(p);
    uint32_t start = p->at;
    if (expect(p, TOKEN_SELECT, NULL)) {
        d->select.given = true;
        parse_select_list(p, &d->select);
        d->select.span = span_since(p, start);
    }
    switch (peek(p)) {
    case TOKEN_HAVING:
    case TOKEN_ORDER:
    case TOKEN_LIMIT:
    case TOKEN_OFFSET:
        syntax_error_hint(p, "'aggregate'", "an aggregation has no having, order by, limit or offset");
        break;
    default:
        expect(p, TOKEN_AGGREGATE, d->select.group_by ? "',' or 'aggregate'" : "'group by' or 'aggregate'");
        break;
    }
    if (accept(p, TOKEN_BY))
        d->aggregate_by = parse_attr_ref(p, "an attribute");
    expect(p, TOKEN_EVERY, NULL);
    parse_duration(p, d);
    if (accept(p, TOKEN_DOTS)) {
        parse_duration(p, d);
        d->duration_range = true;
        return;
    }
    while (accept(p, TOKEN_COMMA))
        parse_duration(p, d);
}

/* stream_def, table_def = DEFINE ( STREAM | TABLE ) name attributes
 * window_def            = DEFINE WINDOW name attributes call [ OUTPUT event_type ] */
static void parse_stream(struct parser *p, struct ast_definition *d)
{
    const char *what = d->kind == DEFINE_STREAM  ? "a stream's name"
                       : d->kind == DEFINE_TABLE ? "a table's name"
                                                 : "a window's name";
    if (peek(p) == TOKEN_HASH || peek(p) == TOKEN_NOT_MARK)
        syntax_error_hint(
            p, what,
            "streams with '#' (of partitions) and '!' (of errors) are not defined; they come with their use");
    d->id = parse_name(p, what);
    parse_attributes(p, d);
    if (d->kind != DEFINE_WINDOW)
        return;
    if (peek(p) == TOKEN_HASH)
        syntax_error_hint(p, "a window", "without #window. here: define window W (a int) length(5)");
    d->window = parse_call(p, "a window, as length(5)");
    if (accept(p, TOKEN_OUTPUT) && !parse_events(p, &d->window_output))
        syntax_error(p, "'all events', 'current events' or 'expired events'");
}

/* definition = stream_def | table_def | window_def | trigger_def | function_def | aggregation_def
 * The annotations, which begin at token start, are read already. */
static struct ast_definition *parse_definition(struct parser *p, struct ast_annotation *annotations,
                                               uint32_t start)
{
    struct ast_definition *d = arena_alloc(p->arena, sizeof *d);
    d->annotations = annotations;
    d->every_ms = -1;
    expect(p, TOKEN_DEFINE, NULL);
    enum token_kind kind = peek(p);
    if ((kind == TOKEN_TRIGGER || kind == TOKEN_FUNCTION) && annotations)
        diag_error(p->diags, annotations->span, "no annotation may stand before 'define %s'",
                   lex_spelling(kind));
    if (accept(p, TOKEN_STREAM)) {
        d->kind = DEFINE_STREAM;
        parse_stream(p, d);
    } else if (accept(p, TOKEN_TABLE)) {
        d->kind = DEFINE_TABLE;
        parse_stream(p, d);
    } else if (accept(p, TOKEN_WINDOW)) {
        d->kind = DEFINE_WINDOW;
        parse_stream(p, d);
    } else if (accept(p, TOKEN_TRIGGER)) {
        d->kind = DEFINE_TRIGGER;
        parse_trigger(p, d);
    } else if (accept(p, TOKEN_FUNCTION)) {
        d->kind = DEFINE_FUNCTION;
        parse_function(p, d);
    } else if (accept(p, TOKEN_AGGREGATION)) {
        d->kind = DEFINE_AGGREGATION;
        parse_aggregation(p, d);
    } else {
        syntax_error(p, "stream, table, window, trigger, function or aggregation");
    }
    d->span = span_since(p, start);
    return d;
}

/* ---- the app ---- */

struct app_parser {
    struct parser *p;
    struct ast_app *app;
    struct ast_annotation **annotations;
    struct ast_definition **definitions;
    struct ast_item **items;
    bool defined;    /* something stood in the place of a definition */
    bool order_told; /* the error about the order of definitions and queries */
};

void parse_recover(struct parser *p, bool in_partition)
{
    if (!p->panic)
        return;
    uint32_t i = p->error_at;
    for (; p->tokens[i].kind != TOKEN_END && p->tokens[i].kind != TOKEN_SEMICOLON; i++) {
        enum token_kind next = p->tokens[i + 1].kind;
        if (in_partition && p->tokens[i].kind == TOKEN_END_WORD &&
            (next == TOKEN_SEMICOLON || next == TOKEN_END))
            break;
    }
    p->at = i;
    p->panic = false;
}

static void warn_bad(struct parser *p)
{
    struct span span = token_span(p, p->at);
    if (p->diags->warnings < LIMIT_DIAGNOSTICS)
        diag_warn(p->diags, span, "the character '%.*s' is ignored", (int)span.len, p->text + span.at);
    advance(p);
}

static void add_definition(struct app_parser *a, struct ast_annotation *annotations, uint32_t start)
{
    struct parser *p = a->p;
    if (a->app->items && !a->order_told) {
        diag_error(p->diags, token_span(p, p->at),
                   "all definitions stand before the first query or partition");
        a->order_told = true;
    }
    struct ast_definition *d = parse_definition(p, annotations, start);
    LIST_ADD(a->definitions, d);
    a->defined = true;
}

static void add_item(struct app_parser *a, struct ast_annotation *annotations, uint32_t start)
{
    struct parser *p = a->p;
    if (!a->defined && !a->order_told) {
        diag_error(p->diags, token_span(p, p->at), "expected 'define', found '%s'", lex_spelling(peek(p)));
        diag_hint(p->diags,
                  "an app has at least one definition, and its definitions stand before its queries");
        a->order_told = true;
    }
    struct ast_item *item = arena_alloc(p->arena, sizeof *item);
    if (peek(p) == TOKEN_FROM)
        item->query = parse_query(p, annotations, start);
    else
        item->partition = parse_partition(p, annotations, start);
    LIST_ADD(a->items, item);
}

/* definition | query | partition | BAD */
static void parse_statement(struct app_parser *a)
{
    struct parser *p = a->p;
    uint32_t start = p->at;
    struct ast_annotation *annotations = parse_annotations(p);
    const char *what = annotations     ? "'define', 'from' or 'partition' behind the annotations"
                       : a->app->items ? "a query or a partition"
                       : a->defined    ? "a definition, a query or a partition"
                                       : "'define'";
    switch (peek(p)) {
    case TOKEN_DEFINE:
        add_definition(a, annotations, start);
        break;
    case TOKEN_FROM:
    case TOKEN_PARTITION:
        add_item(a, annotations, start);
        break;
    case TOKEN_BAD:
        if (annotations) {
            syntax_error(p, what);
            break;
        }
        warn_bad(p);
        break;
    case TOKEN_SEMICOLON:
        syntax_error_hint(
            p, what, start > 0 && p->tokens[start - 1].kind == TOKEN_SEMICOLON ? "one ';' too many" : NULL);
        break;
    case TOKEN_END:
        syntax_error_hint(p, what, annotations || a->defined ? NULL : "an app has at least one definition");
        break;
    default:
        syntax_error(p, what);
        break;
    }
    a->defined = true;
}

/* What stands between two statements. False at the end. */
static bool parse_separator(struct app_parser *a)
{
    struct parser *p = a->p;
    parse_recover(p, false);
    if (accept(p, TOKEN_SEMICOLON))
        return peek(p) != TOKEN_END;
    switch (peek(p)) {
    case TOKEN_END:
        return false;
    case TOKEN_FROM:
    case TOKEN_DEFINE:
    case TOKEN_PARTITION:
    case TOKEN_AT_MARK: /* the ';' is missing: go on here */
        syntax_error_hint(p, "';'", "a ';' separates statements");
        p->at = p->error_at;
        p->panic = false;
        return true;
    default:
        syntax_error(p, "';'");
        return parse_separator(a);
    }
}

/* { app_annotation | BAD }        A BAD that only ';' or the end follows stands for the first definition. */
static void parse_app_head(struct app_parser *a)
{
    struct parser *p = a->p;
    for (;;) {
        if (at_app_annotation(p)) {
            struct ast_annotation *annotation = parse_annotation(p, true);
            LIST_ADD(a->annotations, annotation);
        } else if (peek(p) == TOKEN_BAD && peek_at(p, 1) != TOKEN_SEMICOLON && peek_at(p, 1) != TOKEN_END) {
            warn_bad(p);
        } else {
            return;
        }
    }
}

/* app = { app_annotation | BAD } first_def { ';' def_or_bad }
 *       { ';' ( query | partition | BAD ) } [ ';' ] EOF */
struct ast_app *parse_app(struct diags *diags, const char *text, size_t len)
{
    struct parser p;
    int errors = diags->errors;
    if (!parser_init(&p, diags, text, len))
        return NULL;
    struct ast_app *app = arena_alloc(p.arena, sizeof *app);
    struct app_parser a = {&p, app, &app->annotations, &app->definitions, &app->items, false, false};
    parse_app_head(&a);
    bool more = true;
    if (p.panic) {
        a.defined = true;
        more = parse_separator(&a);
    }
    while (more && diags->errors < LIMIT_DIAGNOSTICS) {
        parse_statement(&a);
        more = parse_separator(&a);
    }
    return diags->errors == errors ? app : NULL;
}

/* ---- on-demand queries ---- */

/* FROM name [ AS name ] [ ON expr ] [ within_per ] [ select_clause ] */
static void parse_find(struct parser *p, struct ast_ondemand *q)
{
    q->kind = ONDEMAND_FIND;
    advance(p);
    q->from = parse_name_soft(p, "the name of a table, window or aggregation");
    if (accept(p, TOKEN_AS))
        q->alias = parse_name_soft(p, "an alias behind 'as'");
    if (accept(p, TOKEN_ON))
        q->on = parse_expr(p);
    parse_within_per(p, &q->within_from, &q->within_to, &q->per);
    parse_select(p, &q->select);
    switch (peek(p)) {
    case TOKEN_INSERT:
    case TOKEN_UPDATE:
    case TOKEN_DELETE:
        syntax_error_hint(p, "the end of the query", "a query that changes a table has no 'from'");
        break;
    default:
        break;
    }
}

/* select_clause INSERT INTO source
 * | select_clause UPDATE OR INSERT INTO source [ set ] ON expr
 * | [ select_clause ] ( DELETE source [ ON expr ] | UPDATE source [ set ] ON expr ) */
static void parse_change(struct parser *p, struct ast_ondemand *q)
{
    parse_select(p, &q->select);
    uint32_t start = p->at;
    bool upsert = peek(p) == TOKEN_UPDATE && peek_at(p, 1) == TOKEN_OR && peek_at(p, 2) == TOKEN_INSERT;
    if (!q->select.given && (upsert || peek(p) == TOKEN_INSERT))
        syntax_error(p, "'select' before 'insert into'");
    parse_output(p, &q->output);
    switch (q->output.kind) {
    case OUTPUT_INSERT:
        q->kind = ONDEMAND_INSERT;
        break;
    case OUTPUT_DELETE:
        q->kind = ONDEMAND_DELETE;
        break;
    case OUTPUT_UPDATE:
        q->kind = ONDEMAND_UPDATE;
        break;
    case OUTPUT_UPSERT:
        q->kind = ONDEMAND_UPSERT;
        break;
    case OUTPUT_RETURN:
        parse_stop(p, token_span(p, start), "an on-demand query does not 'return'",
                   "it reads with from ... select ...");
        break;
    }
    if (q->output.events != EVENTS_DEFAULT)
        parse_stop(p, q->output.span, "an on-demand query knows no kinds of events", NULL);
}

/* on_demand_query = ( find | change ) [ ';' ] */
struct ast_ondemand *parse_ondemand(struct diags *diags, const char *text, size_t len)
{
    struct parser p;
    int errors = diags->errors;
    if (!parser_init(&p, diags, text, len))
        return NULL;
    struct ast_ondemand *q = arena_alloc(p.arena, sizeof *q);
    switch (peek(&p)) {
    case TOKEN_FROM:
        parse_find(&p, q);
        break;
    case TOKEN_SELECT:
    case TOKEN_INSERT:
    case TOKEN_DELETE:
    case TOKEN_UPDATE:
        parse_change(&p, q);
        break;
    default:
        syntax_error(&p, "'from', 'select', 'update' or 'delete'");
        break;
    }
    q->span = span_since(&p, 0);
    accept(&p, TOKEN_SEMICOLON);
    if (peek(&p) != TOKEN_END)
        syntax_error(&p, "the end of the query");
    return diags->errors == errors ? q : NULL;
}
