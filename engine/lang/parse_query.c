/* parse_query.c - queries and partitions (spec 01 section 2): inputs, select, rate, output. */
#include "engine/base/limits.h"
#include "engine/lang/parse_in.h"

/* ---- sources ---- */

/* handler = [ '#' ] '[' expr ']' | '#' call        window = '#' WINDOW '.' call */
static struct ast_handler *parse_handler(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_handler *h = arena_alloc(p->arena, sizeof *h);
    accept(p, TOKEN_HASH);
    if (accept(p, TOKEN_OPEN_SQUARE)) {
        h->kind = HANDLER_FILTER;
        h->expr = parse_expr(p);
        expect(p, TOKEN_CLOSE_SQUARE, "']' or an operator");
    } else if (peek(p) == TOKEN_WINDOW && peek_at(p, 1) != TOKEN_OPEN && peek_at(p, 1) != TOKEN_COLON) {
        advance(p);
        expect(p, TOKEN_DOT, "'.' and a window's name behind '#window'");
        h->kind = HANDLER_WINDOW;
        h->expr = parse_call(p, "a window's name behind '#window.'");
    } else {
        h->kind = HANDLER_FUNCTION;
        h->expr = parse_call(p, "a filter, a function or 'window' behind '#'");
    }
    h->span = span_since(p, start);
    return h;
}

/* source = [ '#' | '!' ] name */
struct ast_source *parse_source(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_source *s = arena_alloc(p->arena, sizeof *s);
    if (peek(p) == TOKEN_HASH || peek(p) == TOKEN_NOT_MARK) {
        s->mark = peek(p) == TOKEN_HASH ? '#' : '!';
        advance(p);
    }
    s->id = parse_name_soft(p, "a stream's name");
    struct ast_handler **tail = &s->handlers;
    bool window = false;
    while (peek(p) == TOKEN_HASH || peek(p) == TOKEN_OPEN_SQUARE) {
        struct ast_handler *h = parse_handler(p);
        if (h->kind == HANDLER_WINDOW && window)
            parse_stop(p, h->span, "a stream has at most one window", NULL);
        window = window || h->kind == HANDLER_WINDOW;
        LIST_ADD(tail, h);
    }
    s->span = span_since(p, start);
    return s;
}

void parse_check_window(struct parser *p, const struct ast_source *s, enum source_windows rule)
{
    for (const struct ast_handler *h = s->handlers; h; h = h->next) {
        if (h->kind != HANDLER_WINDOW)
            continue;
        if (rule == SOURCE_NO_WINDOW)
            parse_stop(p, h->span, "the elements of a pattern or sequence take no window", NULL);
        else if (h->next)
            parse_stop(p, h->next->span, "in a join nothing stands behind the window",
                       "put filters and functions before it");
        return;
    }
}

static bool at_join(const struct parser *p)
{
    switch (peek(p)) {
    case TOKEN_JOIN:
    case TOKEN_INNER:
    case TOKEN_LEFT:
    case TOKEN_RIGHT:
    case TOKEN_FULL:
    case TOKEN_OUTER:
    case TOKEN_UNIDIRECTIONAL:
        return true;
    default:
        return false;
    }
}

/* join_op = [ INNER ] JOIN | ( LEFT | RIGHT | FULL ) OUTER JOIN */
static enum ast_join_kind parse_join_op(struct parser *p)
{
    static const char sides[] = "write left outer join, right outer join or full outer join";
    enum ast_join_kind kind = JOIN_INNER;
    switch (peek(p)) {
    case TOKEN_LEFT:
        kind = JOIN_LEFT;
        break;
    case TOKEN_RIGHT:
        kind = JOIN_RIGHT;
        break;
    case TOKEN_FULL:
        kind = JOIN_FULL;
        break;
    case TOKEN_OUTER:
        syntax_error_hint(p, "'join' with its side", sides);
        return kind;
    default:
        accept(p, TOKEN_INNER);
        expect(p, TOKEN_JOIN, NULL);
        return kind;
    }
    advance(p);
    if (peek(p) != TOKEN_OUTER)
        syntax_error_hint(p, "'outer'", sides);
    accept(p, TOKEN_OUTER);
    expect(p, TOKEN_JOIN, NULL);
    return kind;
}

/* [ WITHIN expr [ ',' expr ] PER expr ] */
void parse_within_per(struct parser *p, struct ast_expr **from, struct ast_expr **to, struct ast_expr **per)
{
    if (!accept(p, TOKEN_WITHIN))
        return;
    *from = parse_expr(p);
    if (accept(p, TOKEN_COMMA))
        *to = parse_expr(p);
    expect(p, TOKEN_PER, *to ? "'per'" : "',' or 'per'");
    *per = parse_expr(p);
}

/* join      = join_side [ UNIDIRECTIONAL ] join_op join_side [ UNIDIRECTIONAL ] [ ON expr ] [ within_per ]
 * join_side = source { handler } [ window ] [ AS name ]
 *
 * left and its alias are read already. */
static struct ast_join *parse_join(struct parser *p, struct ast_source *left)
{
    struct ast_join *j = arena_alloc(p->arena, sizeof *j);
    parse_check_window(p, left, SOURCE_WINDOW_LAST);
    j->left = left;
    j->left_unidirectional = accept(p, TOKEN_UNIDIRECTIONAL);
    j->kind = parse_join_op(p);
    uint32_t start = p->at;
    j->right = parse_source(p);
    parse_check_window(p, j->right, SOURCE_WINDOW_LAST);
    if (accept(p, TOKEN_AS))
        j->right->alias = parse_name_soft(p, "an alias behind 'as'");
    j->right->span = span_since(p, start);
    if (peek(p) == TOKEN_UNIDIRECTIONAL && j->left_unidirectional)
        parse_stop(p, token_span(p, p->at), "only one side of a join can be unidirectional", NULL);
    j->right_unidirectional = accept(p, TOKEN_UNIDIRECTIONAL);
    if (at_join(p))
        parse_stop(p, token_span(p, p->at), "a join has exactly two sides",
                   "insert this join into a stream, and join that with the third");
    if (accept(p, TOKEN_ON))
        j->on = parse_expr(p);
    parse_within_per(p, &j->within_from, &j->within_to, &j->per);
    return j;
}

/* ---- input ---- */

/* Whether an anonymous stream starts here: '(' ... FROM or FROM, and not a stream named 'from'. */
static bool at_anonymous(const struct parser *p)
{
    uint32_t n = 0;
    while (peek_at(p, n) == TOKEN_OPEN)
        n++;
    enum token_kind next = peek_at(p, n + 1);
    return peek_at(p, n) == TOKEN_FROM && (token_is_id(next) || next == TOKEN_OPEN || next == TOKEN_FROM);
}

static void parse_input(struct parser *p, struct ast_query *q);
static void parse_rate(struct parser *p, struct ast_rate *r);

/* anonymous = '(' anonymous ')' | FROM input [ select_clause ] [ rate ] RETURN [ event_type ] */
static struct ast_query *parse_anonymous(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_query *q = NULL;
    if (!parse_enter(p)) {
        q = arena_alloc(p->arena, sizeof *q);
    } else if (accept(p, TOKEN_OPEN)) {
        q = parse_anonymous(p);
        expect(p, TOKEN_CLOSE, NULL);
    } else {
        q = arena_alloc(p->arena, sizeof *q);
        q->within_ms = -1;
        expect(p, TOKEN_FROM, NULL);
        parse_input(p, q);
        parse_select(p, &q->select);
        parse_rate(p, &q->rate);
        uint32_t at = p->at;
        q->output.kind = OUTPUT_RETURN;
        expect(p, TOKEN_RETURN, NULL);
        parse_events(p, &q->output.events);
        q->output.span = span_since(p, at);
        q->span = span_since(p, start);
    }
    parse_leave(p);
    return q;
}

/* input = single_stream | join | pattern | sequence | anonymous */
static void parse_input(struct parser *p, struct ast_query *q)
{
    uint32_t start = p->at;
    if (at_anonymous(p)) {
        q->input_kind = INPUT_ANONYMOUS;
        q->anonymous = parse_anonymous(p);
        q->input_span = span_since(p, start);
        return;
    }
    if (pattern_starts(p)) {
        parse_pattern(p, q, NULL, start);
        q->input_span = span_since(p, start);
        return;
    }
    struct ast_source *s = parse_source(p);
    uint32_t as = p->at;
    if (accept(p, TOKEN_AS)) {
        s->alias = parse_name_soft(p, "an alias behind 'as'");
        s->span = span_since(p, start);
        if (!at_join(p))
            parse_stop(p, token_span(p, as), "only the sides of a join have an alias",
                       "use the stream's own name, or no prefix");
    }
    if (at_join(p)) {
        q->input_kind = INPUT_JOIN;
        q->join = parse_join(p, s);
    } else {
        switch (peek(p)) {
        case TOKEN_ARROW:
        case TOKEN_COMMA:
        case TOKEN_AND:
        case TOKEN_OR:
        case TOKEN_LT:
        case TOKEN_STAR:
        case TOKEN_PLUS:
        case TOKEN_QUESTION:
        case TOKEN_WITHIN:
            parse_pattern(p, q, s, start);
            break;
        default:
            q->input_kind = INPUT_SINGLE;
            q->single = s;
            break;
        }
    }
    q->input_span = span_since(p, start);
}

/* ---- select ---- */

/* out_attr = expr AS name | attr_ref */
static struct ast_select_item *parse_select_item(struct parser *p)
{
    struct ast_select_item *item = arena_alloc(p->arena, sizeof *item);
    bool parenthesis = peek(p) == TOKEN_OPEN;
    item->expr = parse_expr(p);
    if (accept(p, TOKEN_AS))
        item->as = parse_name_soft(p, "a name behind 'as'");
    else if (item->expr->kind != AST_ATTR || parenthesis)
        syntax_error_hint(p, "'as' and a name", "what 'select' computes needs a name: a + 1 as b");
    return item;
}

/* group_by = GROUP BY attr_ref { ',' attr_ref } */
static void parse_group_by(struct parser *p, struct ast_select *out)
{
    if (!accept(p, TOKEN_GROUP))
        return;
    expect(p, TOKEN_BY, NULL);
    struct ast_expr **tail = &out->group_by;
    do {
        struct ast_expr *e = parse_attr_ref(p, "an attribute");
        LIST_ADD(tail, e);
    } while (accept(p, TOKEN_COMMA));
}

void parse_select_list(struct parser *p, struct ast_select *out)
{
    if (accept(p, TOKEN_STAR)) {
        out->all = true;
        if (peek(p) == TOKEN_COMMA)
            syntax_error_hint(p, "the next clause of the query", "'*' stands alone in 'select'");
    } else {
        struct ast_select_item **tail = &out->items;
        do {
            struct ast_select_item *item = parse_select_item(p);
            LIST_ADD(tail, item);
        } while (accept(p, TOKEN_COMMA));
        if (token_is_id(peek(p)) || peek(p) == TOKEN_OPEN || peek(p) == TOKEN_STRING_TEXT ||
            token_is_number(peek(p)))
            syntax_error(p, "',', an operator or the next clause of the query");
    }
    parse_group_by(p, out);
}

/* order = attr_ref [ ASC | DESC ] */
static void parse_order_by(struct parser *p, struct ast_select *out)
{
    expect(p, TOKEN_BY, NULL);
    struct ast_order **tail = &out->order_by;
    do {
        struct ast_order *o = arena_alloc(p->arena, sizeof *o);
        o->attr = parse_attr_ref(p, "an attribute");
        o->descending = accept(p, TOKEN_DESC);
        if (!o->descending)
            accept(p, TOKEN_ASC);
        LIST_ADD(tail, o);
    } while (accept(p, TOKEN_COMMA));
}

/* select_clause = SELECT ( '*' | out_attr { ',' out_attr } ) [ group_by ] [ HAVING expr ]
 *                 [ ORDER BY order { ',' order } ] [ LIMIT expr ] [ OFFSET expr ] */
void parse_select(struct parser *p, struct ast_select *out)
{
    uint32_t start = p->at;
    if (!accept(p, TOKEN_SELECT))
        return;
    out->given = true;
    parse_select_list(p, out);
    if (accept(p, TOKEN_HAVING))
        out->having = parse_expr(p);
    if (accept(p, TOKEN_ORDER))
        parse_order_by(p, out);
    if (accept(p, TOKEN_LIMIT))
        out->limit = parse_expr(p);
    if (accept(p, TOKEN_OFFSET))
        out->offset = parse_expr(p);
    out->span = span_since(p, start);
}

/* ---- rate and output ---- */

/* rate = OUTPUT [ ALL | FIRST | LAST ] EVERY ( time | INT EVENTS ) | OUTPUT SNAPSHOT EVERY time */
static void parse_rate(struct parser *p, struct ast_rate *r)
{
    uint32_t start = p->at;
    if (!accept(p, TOKEN_OUTPUT))
        return;
    bool snapshot = accept(p, TOKEN_SNAPSHOT);
    if (!snapshot && accept(p, TOKEN_FIRST))
        r->type = RATE_FIRST;
    else if (!snapshot && accept(p, TOKEN_LAST))
        r->type = RATE_LAST;
    else if (!snapshot)
        accept(p, TOKEN_ALL);
    expect(p, TOKEN_EVERY, "'every'");
    if (!snapshot && peek(p) == TOKEN_INT_TEXT && !token_is_unit(peek_at(p, 1))) {
        int32_t events;
        parse_int_value(p, &events);
        r->kind = RATE_EVENTS;
        r->value = events;
        expect(p, TOKEN_EVENTS, "'events' or a unit of time");
    } else {
        r->kind = snapshot ? RATE_SNAPSHOT : RATE_TIME;
        r->value = parse_time_value(p, snapshot ? "a time" : "a time, or a number and 'events'");
    }
    r->span = span_since(p, start);
}

/* event_type = ALL EVENTS | EXPIRED EVENTS | [ CURRENT ] EVENTS */
bool parse_events(struct parser *p, enum ast_events *out)
{
    if (accept(p, TOKEN_ALL))
        *out = EVENTS_ALL;
    else if (accept(p, TOKEN_EXPIRED))
        *out = EVENTS_EXPIRED;
    else if (accept(p, TOKEN_CURRENT) || peek(p) == TOKEN_EVENTS)
        *out = EVENTS_CURRENT;
    else
        return false;
    expect(p, TOKEN_EVENTS, NULL);
    return true;
}

/* [ '#' | '!' ] name */
void parse_target(struct parser *p, struct ast_output *out)
{
    if (peek(p) == TOKEN_HASH || peek(p) == TOKEN_NOT_MARK) {
        out->mark = peek(p) == TOKEN_HASH ? '#' : '!';
        advance(p);
    }
    out->target = parse_name_soft(p, out->kind == OUTPUT_INSERT ? "the name of a stream, table or window"
                                                                : "a table's name");
}

/* assign = attr_ref '=' expr */
void parse_set(struct parser *p, struct ast_output *out)
{
    if (!accept(p, TOKEN_SET))
        return;
    out->has_set = true;
    struct ast_assign **tail = &out->set;
    do {
        struct ast_assign *a = arena_alloc(p->arena, sizeof *a);
        a->attr = parse_attr_ref(p, "an attribute of the table");
        expect(p, TOKEN_ASSIGN, NULL);
        a->value = parse_expr(p);
        LIST_ADD(tail, a);
    } while (accept(p, TOKEN_COMMA));
}

/* [ FOR event_type ] */
static void parse_for_events(struct parser *p, struct ast_output *out)
{
    if (accept(p, TOKEN_FOR) && !parse_events(p, &out->events))
        syntax_error(p, "'all events', 'current events' or 'expired events'");
}

static void expect_output(struct parser *p)
{
    static const char what[] = "'insert into', 'update', 'delete' or 'return'";
    switch (peek(p)) {
    case TOKEN_SELECT:
    case TOKEN_GROUP:
    case TOKEN_HAVING:
    case TOKEN_ORDER:
    case TOKEN_LIMIT:
    case TOKEN_OFFSET:
    case TOKEN_OUTPUT:
        syntax_error_hint(
            p, what, "the order is: select, group by, having, order by, limit, offset, output, insert into");
        return;
    case TOKEN_INTO:
        syntax_error_hint(p, what, "write insert into");
        return;
    case TOKEN_SEMICOLON:
    case TOKEN_END:
        syntax_error_hint(p, what, "a query ends with what it does: insert into Stream");
        return;
    default:
        syntax_error(p, what);
        return;
    }
}

/* output = INSERT [ event_type ] INTO source
 *        | DELETE source [ FOR event_type ] [ ON expr ]
 *        | UPDATE source [ FOR event_type ] [ set ] ON expr
 *        | UPDATE OR INSERT INTO source [ FOR event_type ] [ set ] ON expr
 *        | RETURN [ event_type ] */
void parse_output(struct parser *p, struct ast_output *out)
{
    uint32_t start = p->at;
    if (accept(p, TOKEN_INSERT)) {
        out->kind = OUTPUT_INSERT;
        parse_events(p, &out->events);
        expect(p, TOKEN_INTO, NULL);
        parse_target(p, out);
    } else if (accept(p, TOKEN_DELETE)) {
        out->kind = OUTPUT_DELETE;
        parse_target(p, out);
        parse_for_events(p, out);
        if (accept(p, TOKEN_ON))
            out->on = parse_expr(p);
    } else if (accept(p, TOKEN_UPDATE)) {
        out->kind = OUTPUT_UPDATE;
        if (peek(p) == TOKEN_OR && peek_at(p, 1) == TOKEN_INSERT) {
            p->at += 2;
            out->kind = OUTPUT_UPSERT;
            expect(p, TOKEN_INTO, NULL);
        }
        parse_target(p, out);
        parse_for_events(p, out);
        parse_set(p, out);
        if (peek(p) != TOKEN_ON)
            syntax_error_hint(p, "'on' and a condition", "all rows: on 1 == 1");
        if (accept(p, TOKEN_ON))
            out->on = parse_expr(p);
    } else if (accept(p, TOKEN_RETURN)) {
        out->kind = OUTPUT_RETURN;
        parse_events(p, &out->events);
    } else {
        expect_output(p);
    }
    out->span = span_since(p, start);
}

/* query = { annotation } FROM input [ select_clause ] [ rate ] output
 * The annotations, which begin at token start, are read already. */
struct ast_query *parse_query(struct parser *p, struct ast_annotation *annotations, uint32_t start)
{
    struct ast_query *q = arena_alloc(p->arena, sizeof *q);
    q->annotations = annotations;
    q->within_ms = -1;
    expect(p, TOKEN_FROM, NULL);
    parse_input(p, q);
    parse_select(p, &q->select);
    parse_rate(p, &q->rate);
    parse_output(p, &q->output);
    q->span = span_since(p, start);
    return q;
}

/* ---- partitions ---- */

/* part = expr OF name | expr AS string { OR expr AS string } OF name */
static struct ast_partition_key *parse_partition_key(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_partition_key *key = arena_alloc(p->arena, sizeof *key);
    struct ast_expr *e = parse_expr(p);
    if (peek(p) != TOKEN_AS) {
        key->value = e;
        expect(p, TOKEN_OF, "'of' and a stream's name, or 'as' and a label");
    } else {
        struct ast_partition_range **tail = &key->ranges;
        for (;;) {
            struct ast_partition_range *r = arena_alloc(p->arena, sizeof *r);
            r->condition = e;
            expect(p, TOKEN_AS, NULL);
            r->label = parse_string(p, "a label in quotes behind 'as'");
            LIST_ADD(tail, r);
            if (!accept(p, TOKEN_OR))
                break;
            e = parse_expr(p);
        }
        expect(p, TOKEN_OF, "'or' or 'of'");
    }
    key->stream = parse_name(p, "a stream's name behind 'of'");
    key->span = span_since(p, start);
    return key;
}

/* PARTITION WITH '(' part { ',' part } ')' BEGIN        False if no body can be found. */
static bool parse_partition_head(struct parser *p, struct ast_partition *out)
{
    expect(p, TOKEN_PARTITION, NULL);
    expect(p, TOKEN_WITH, NULL);
    expect(p, TOKEN_OPEN, NULL);
    struct ast_partition_key **tail = &out->keys;
    do {
        struct ast_partition_key *key = parse_partition_key(p);
        LIST_ADD(tail, key);
    } while (accept(p, TOKEN_COMMA));
    expect(p, TOKEN_CLOSE, "',' or ')'");
    if (accept(p, TOKEN_BEGIN))
        return true;
    syntax_error(p, "'begin'");
    /* Resume in the body, so that its queries are not taken for the app's. */
    for (uint32_t i = p->error_at; p->tokens[i].kind != TOKEN_SEMICOLON && p->tokens[i].kind != TOKEN_END;
         i++) {
        bool from = p->tokens[i].kind == TOKEN_FROM || p->tokens[i].kind == TOKEN_AT_MARK;
        if (from || p->tokens[i].kind == TOKEN_BEGIN) {
            p->at = from ? i : i + 1;
            p->panic = false;
            return true;
        }
    }
    return false;
}

/* An error; the partition is read all the same, so that its 'end' is not taken for that of the one around it.
 */
static void parse_nested_partition(struct parser *p)
{
    diag_error(p->diags, token_span(p, p->at), "a partition cannot stand in a partition");
    if (parse_enter(p))
        parse_partition(p, NULL, p->at);
    parse_leave(p);
}

/* { annotation } query, or an error that is recovered from */
static struct ast_query *parse_partition_query(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_annotation *annotations = parse_annotations(p);
    struct ast_query *q = NULL;
    if (peek(p) == TOKEN_FROM)
        q = parse_query(p, annotations, start);
    else if (peek(p) == TOKEN_PARTITION)
        parse_nested_partition(p);
    else if (peek(p) == TOKEN_DEFINE)
        syntax_error_hint(p, "a query", "a partition holds queries only; does it lack its 'end'?");
    else
        syntax_error(p, annotations ? "'from'" : "a query");
    if (p->panic)
        parse_recover(p, true);
    return q;
}

/* partition = { annotation } PARTITION WITH '(' part { ',' part } ')'
 *             BEGIN query { ';' query } [ ';' ] END */
struct ast_partition *parse_partition(struct parser *p, struct ast_annotation *annotations, uint32_t start)
{
    struct ast_partition *out = arena_alloc(p->arena, sizeof *out);
    out->annotations = annotations;
    int errors = p->diags->errors;
    if (!parse_partition_head(p, out))
        return out;
    struct ast_element_list **tail = &out->queries;
    do {
        struct ast_element_list *item = arena_alloc(p->arena, sizeof *item);
        item->query = parse_partition_query(p);
        LIST_ADD(tail, item);
        if (peek(p) == TOKEN_FROM || peek(p) == TOKEN_AT_MARK) {
            syntax_error_hint(p, "';'", "a ';' separates queries");
            p->at = p->error_at;
            p->panic = false;
            continue;
        }
        if (!accept(p, TOKEN_SEMICOLON))
            break;
    } while (peek(p) != TOKEN_END_WORD && peek(p) != TOKEN_END && p->diags->errors < LIMIT_DIAGNOSTICS);
    bool told = p->diags->errors >= LIMIT_DIAGNOSTICS || (peek(p) == TOKEN_END && p->diags->errors > errors);
    if (!told)
        expect(p, TOKEN_END_WORD, "';' or the partition's 'end'");
    out->span = span_since(p, start);
    return out;
}
