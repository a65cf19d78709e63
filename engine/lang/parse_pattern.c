/* parse_pattern.c - patterns and sequences (spec 01 section 2, spec 06 section 1). */
#include "engine/lang/parse_in.h"

static struct ast_state *new_state(struct parser *p, enum ast_state_kind kind, uint32_t at)
{
    struct ast_state *s = arena_alloc(p->arena, sizeof *s);
    s->kind = kind;
    s->span = token_span(p, at);
    s->min = s->max = 1;
    s->for_ms = -1;
    if (++p->elements > LIMIT_PARSE_ELEMENTS)
        parse_stop(p, s->span,
                   arena_printf(p->arena, "more than %d elements in one pattern", LIMIT_PARSE_ELEMENTS),
                   NULL);
    return s;
}

/* Whether the keyword EVERY or NOT is meant here, and not a stream of that name: a source, or a group,
 * follows. */
static bool at_word(const struct parser *p, enum token_kind word)
{
    if (peek(p) != word)
        return false;
    enum token_kind next = peek_at(p, 1), second = peek_at(p, 2), third = peek_at(p, 3);
    if (token_is_id(next) || next == TOKEN_OPEN || next == TOKEN_NOT_MARK)
        return true;
    if (next == TOKEN_HASH)
        return token_is_name(second) && third != TOKEN_OPEN && third != TOKEN_COLON &&
               !(second == TOKEN_WINDOW && third == TOKEN_DOT);
    if (next == TOKEN_NOT && (token_is_name(second) || second == TOKEN_HASH || second == TOKEN_NOT_MARK))
        return true;
    if (!token_is_keyword(next))
        return false;
    switch (second) { /* what follows a source; the source has a keyword for its name */
    case TOKEN_STAR:
        return next != TOKEN_SELECT;
    case TOKEN_ASSIGN:
    case TOKEN_ARROW:
    case TOKEN_COMMA:
    case TOKEN_OPEN_SQUARE:
    case TOKEN_HASH:
    case TOKEN_LT:
    case TOKEN_PLUS:
    case TOKEN_QUESTION:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_FOR:
    case TOKEN_WITHIN:
    case TOKEN_SELECT:
    case TOKEN_INSERT:
        return true;
    default:
        return false;
    }
}

bool pattern_starts(const struct parser *p)
{
    return peek(p) == TOKEN_OPEN || at_word(p, TOKEN_EVERY) || at_word(p, TOKEN_NOT) ||
           (token_is_name(peek(p)) && peek_at(p, 1) == TOKEN_ASSIGN);
}

/* item = [ name '=' ] source { handler } */
static struct ast_state *parse_item(struct parser *p, struct ast_source *first, uint32_t start)
{
    struct ast_state *s = new_state(p, STATE_STREAM, start);
    struct name alias = {0};
    if (!first && token_is_name(peek(p)) && peek_at(p, 1) == TOKEN_ASSIGN) {
        alias = parse_name(p, "a name");
        advance(p);
    }
    s->source = first ? first : parse_source(p);
    if (alias.text)
        s->source->alias = alias;
    parse_check_window(p, s->source, SOURCE_NO_WINDOW);
    s->span = span_since(p, start);
    return s;
}

/* absent = NOT source { handler } [ FOR time ] */
static struct ast_state *parse_absent(struct parser *p)
{
    uint32_t start = p->at;
    struct ast_state *s = new_state(p, STATE_ABSENT, start);
    advance(p);
    if (token_is_name(peek(p)) && peek_at(p, 1) == TOKEN_ASSIGN)
        parse_stop(p, token_span(p, p->at), "an element behind 'not' takes no name, for it holds no event",
                   NULL);
    s->source = parse_source(p);
    parse_check_window(p, s->source, SOURCE_NO_WINDOW);
    if (accept(p, TOKEN_FOR))
        s->for_ms = parse_time_value(p, "a time behind 'for'");
    s->span = span_since(p, start);
    return s;
}

static struct ast_state *parse_operand(struct parser *p, struct ast_source *first, uint32_t start)
{
    return !first && at_word(p, TOKEN_NOT) ? parse_absent(p) : parse_item(p, first, start);
}

static bool at_count(const struct parser *p)
{
    switch (peek(p)) {
    case TOKEN_LT:
    case TOKEN_STAR:
    case TOKEN_PLUS:
    case TOKEN_QUESTION:
        return true;
    default:
        return false;
    }
}

/* count = '<' collect '>' | '*' | '+' | '?'        collect = INT ':' INT | INT ':' | ':' INT | INT */
static void parse_count(struct parser *p, struct ast_state *s, uint32_t start)
{
    s->counted = true;
    enum token_kind kind = peek(p);
    advance(p);
    if (kind != TOKEN_LT) {
        s->min = kind == TOKEN_PLUS ? 1 : 0;
        s->max = kind == TOKEN_QUESTION ? 1 : -1;
        s->span = span_since(p, start);
        return;
    }
    s->min = 0;
    if (peek(p) != TOKEN_COLON) {
        if (peek(p) != TOKEN_INT_TEXT)
            syntax_error_hint(p, "a count: <2>, <2:>, <:5> or <2:5>", NULL);
        parse_int_value(p, &s->min);
    }
    s->max = s->min;
    if (accept(p, TOKEN_COLON)) {
        s->max = -1;
        if (peek(p) == TOKEN_INT_TEXT)
            parse_int_value(p, &s->max);
        else if (p->tokens[p->at - 2].kind == TOKEN_LT)
            syntax_error(p, "a number behind ':'");
    }
    expect(p, TOKEN_GT, "'>' behind the count");
    s->span = span_since(p, start);
}

static void check_logical(struct parser *p, const struct ast_state *s)
{
    const struct ast_state *l = s->left, *r = s->right;
    bool l_bare = l->kind == STATE_ABSENT && l->for_ms < 0, r_bare = r->kind == STATE_ABSENT && r->for_ms < 0;
    bool both_absent = l->kind == STATE_ABSENT && r->kind == STATE_ABSENT;
    if ((l_bare || r_bare) && (s->kind == STATE_OR || both_absent))
        parse_stop(p, (l_bare ? l : r)->span,
                   s->kind == STATE_OR ? "'not' beside 'or' needs 'for' and a time"
                                       : "two 'not' beside 'and' need 'for' and a time each",
                   "not S for 5 sec");
}

/* logical = operand ( AND | OR ) operand | item [ count ] | absent with FOR
 * What may stand on the sides: check_logical. */
static struct ast_state *parse_logical(struct parser *p, struct ast_source *first, uint32_t start)
{
    struct ast_state *s = parse_operand(p, first, start);
    if (s->kind == STATE_STREAM && at_count(p))
        parse_count(p, s, start);
    if (peek(p) != TOKEN_AND && peek(p) != TOKEN_OR) {
        if (s->kind == STATE_ABSENT && s->for_ms < 0)
            syntax_error_hint(p, "'for' and a time, or 'and' and another element", "not S for 5 sec");
        return s;
    }
    if (s->counted)
        parse_stop(p, s->span, "an element beside 'and' or 'or' cannot be counted", NULL);
    struct ast_state *logical = new_state(p, peek(p) == TOKEN_AND ? STATE_AND : STATE_OR, p->at);
    advance(p);
    logical->left = s;
    logical->right = parse_operand(p, NULL, p->at);
    logical->span = span_since(p, start);
    if (at_count(p))
        parse_stop(p, token_span(p, p->at), "an element beside 'and' or 'or' cannot be counted", NULL);
    if (peek(p) == TOKEN_AND || peek(p) == TOKEN_OR)
        parse_stop(p, token_span(p, p->at), "'and' and 'or' join exactly two elements", NULL);
    if (!p->panic)
        check_logical(p, logical);
    return logical;
}

/* ---- where absent elements may stand (spec 06 section 1) ----
 *
 * The items of a chain are written here as C (no absent element in it), N (an absent element), l and r (a
 * group that is itself left, right):
 *
 *     left  = ( C* ( N C+ | l ) N* )+     the first absent element has a present one behind it
 *     right = ( N* ( C+ N | r ) C* )+     the last absent element has a present one before it: left, read
 *                                         from the end
 *
 * A pattern is: C+, N, left, or right. A sequence is: C+; or N, left or right and then C+; or C and then N,
 * left or right. */
/* An absent element in parentheses of its own is none of these: it may be a whole pattern, or what stands
 * before or behind the present part of a sequence, but no item among others. */
enum item { ITEM_PRESENT = 1, ITEM_ABSENT = 2, ITEM_LEFT = 4, ITEM_RIGHT = 8, ITEM_WRAPPED = 16 };

static int chain_items(struct parser *p, const struct ast_state *chain, uint8_t **items);

/* Reads items from one end; own: which groups may stand for the core of a block. */
static bool is_left(const uint8_t *items, int count, bool backwards)
{
    enum { LEAD = 1, NEED = 2, MORE = 4, TAIL = 8 }; /* before N, behind it, in C+, behind the core */
    uint8_t own = backwards ? ITEM_RIGHT : ITEM_LEFT;
    int states = LEAD;
    for (int i = 0; i < count && states; i++) {
        uint8_t item = items[backwards ? count - 1 - i : i];
        int next = 0;
        if (item & ITEM_PRESENT)
            next |= (states & (LEAD | MORE | TAIL) ? LEAD : 0) | (states & (NEED | MORE) ? MORE : 0);
        if (item & ITEM_ABSENT)
            next |= (states & (LEAD | MORE | TAIL) ? NEED : 0) | (states & (MORE | TAIL) ? TAIL : 0);
        if (item & own)
            next |= states & (LEAD | MORE | TAIL) ? TAIL : 0;
        states = next;
    }
    return count > 0 && (states & (MORE | TAIL));
}

static bool is_present(const uint8_t *items, int count)
{
    for (int i = 0; i < count; i++) {
        if (!(items[i] & ITEM_PRESENT))
            return false;
    }
    return count > 0;
}

/* What items are together. */
static uint8_t chain_kind(const uint8_t *items, int count)
{
    if (is_present(items, count))
        return ITEM_PRESENT;
    if (count == 1)
        return items[0];
    return (uint8_t)((is_left(items, count, false) ? ITEM_LEFT : 0) |
                     (is_left(items, count, true) ? ITEM_RIGHT : 0));
}

static uint8_t item_kind(struct parser *p, const struct ast_state *s)
{
    if (s->kind == STATE_EVERY)
        s = s->left;
    if (s->kind == STATE_ABSENT)
        return ITEM_ABSENT;
    if (s->kind != STATE_GROUP)
        return ITEM_PRESENT;
    uint8_t *items;
    int count = chain_items(p, s->left, &items);
    uint8_t kind = chain_kind(items, count);
    return kind == ITEM_ABSENT ? ITEM_WRAPPED : kind;
}

static int chain_items(struct parser *p, const struct ast_state *chain, uint8_t **items)
{
    int count = 1, at = 0;
    for (const struct ast_state *s = chain; s->kind == STATE_NEXT; s = s->right)
        count++;
    *items = arena_array(p->arena, (size_t)count, sizeof(**items));
    for (const struct ast_state *s = chain; at < count; s = s->right)
        (*items)[at++] = item_kind(p, s->kind == STATE_NEXT ? s->left : s);
    return count;
}

static int count_elements(const struct ast_state *s)
{
    switch (s->kind) {
    case STATE_NEXT:
        return count_elements(s->left) + count_elements(s->right);
    case STATE_EVERY:
    case STATE_GROUP:
        return count_elements(s->left);
    case STATE_STREAM:
    case STATE_ABSENT:
    case STATE_AND:
    case STATE_OR:
        break;
    }
    return 1;
}

/* How many items of a sequence stand before its last present ones: what an 'every' before the first covers.
 * As much as can be, but a single absent element or group before present ones stands alone. 0: there is no
 * such part. */
static int sequence_head(const uint8_t *items, int count)
{
    if (!(items[0] & ITEM_PRESENT) && is_present(items + 1, count - 1))
        return 1;
    for (int backwards = 0; backwards < 2; backwards++) {
        for (int head = count - 1; head > 0 && is_present(items + head, count - head); head--) {
            if (is_left(items, head, backwards))
                return head;
        }
    }
    return 0;
}

static void stop_absent(struct parser *p, const struct ast_state *chain)
{
    const struct ast_state *absent = NULL, *wrapped = NULL;
    bool before = false, adjacent = false;
    for (const struct ast_state *s = chain;; s = s->right) {
        const struct ast_state *item = s->kind == STATE_NEXT ? s->left : s;
        uint8_t kind = item_kind(p, item);
        bool now = kind != ITEM_PRESENT;
        if (kind == ITEM_WRAPPED && !wrapped)
            wrapped = item;
        adjacent = now && before;
        if (now && (!absent || adjacent))
            absent = item;
        if (adjacent)
            break;
        before = now;
        if (s->kind != STATE_NEXT)
            break;
    }
    KNOWN(absent); /* that is why we are here */
    if (wrapped)
        parse_stop(p, wrapped->span,
                   "an element behind 'not' cannot stand in parentheses of its own beside others",
                   wrapped->kind == STATE_EVERY ? "every not S for 5 sec" : "not S for 5 sec");
    else if (adjacent)
        parse_stop(p, absent->span, "an element behind 'not' cannot follow another one at once",
                   "join the two with 'and'");
    else
        parse_stop(p, absent->span, "an element behind 'not' cannot stand here",
                   "put the rest into a query of its own");
}

/* Absent elements of the whole chain stand where they may; every_count of a sequence. */
static void check_absent(struct parser *p, struct ast_state *chain, bool is_sequence)
{
    uint8_t *items;
    int count = chain_items(p, chain, &items);
    uint8_t kind = chain_kind(items, count);
    struct ast_state *first = chain->kind == STATE_NEXT ? chain->left : chain;
    if (kind == ITEM_PRESENT || (kind && !is_sequence))
        return;
    int head = is_sequence ? sequence_head(items, count) : 0;
    if (head == 0 && !(is_sequence && items[0] & ITEM_PRESENT && chain_kind(items + 1, count - 1))) {
        stop_absent(p, chain);
        return;
    }
    if (first->kind != STATE_EVERY)
        return;
    const struct ast_state *s = chain;
    for (int i = 0; i < head; i++, s = s->right)
        first->every_count += count_elements(s->kind == STATE_NEXT ? s->left : s);
}

struct chain_rules {
    enum token_kind
        join; /* TOKEN_ARROW, TOKEN_COMMA; TOKEN_END when the first element may still be of either */
    uint32_t
        *comma_at; /* with TOKEN_END: set to the first comma of a group that turned out to be a sequence's */
};

static struct ast_state *parse_chain(struct parser *p, struct chain_rules rules, struct ast_state *first,
                                     uint32_t start);

/* '(' chain ')' */
static struct ast_state *parse_group(struct parser *p, struct chain_rules rules)
{
    uint32_t start = p->at;
    struct ast_state *s = new_state(p, STATE_GROUP, start);
    advance(p);
    if (parse_enter(p)) {
        s->left = parse_chain(p, rules, NULL, p->at);
        if (peek(p) == TOKEN_WITHIN)
            syntax_error_hint(p, "')'", "'within' stands once, at the end of the whole pattern");
        expect(p, TOKEN_CLOSE, rules.join == TOKEN_COMMA ? "',' or ')'" : "'->' or ')'");
    }
    parse_leave(p);
    s->span = span_since(p, start);
    return s;
}

/* Whether s ends with * + or ?, which sequences alone have. */
static bool has_sign(const struct parser *p, const struct ast_state *s)
{
    if (s->kind == STATE_EVERY)
        s = s->left;
    return s->kind == STATE_STREAM && s->counted && s->span.len > 0 &&
           p->text[s->span.at + s->span.len - 1] != '>';
}

static void check_sign(struct parser *p, const struct ast_state *s)
{
    if (has_sign(p, s))
        parse_stop(p, s->span, "* + ? are for sequences; a pattern counts with <0:>, <1:>, <0:1>", NULL);
}

static const struct ast_state *find_every(const struct ast_state *s)
{
    switch (s->kind) {
    case STATE_EVERY:
        return s;
    case STATE_GROUP:
        return find_every(s->left);
    case STATE_NEXT: {
        const struct ast_state *found = find_every(s->left);
        return found ? found : find_every(s->right);
    }
    case STATE_STREAM:
    case STATE_ABSENT:
    case STATE_AND:
    case STATE_OR:
        break;
    }
    return NULL;
}

/* every ( ... ) holds no other 'every', but where an absent element stands beside it. */
static void check_every(struct parser *p, const struct ast_state *every)
{
    const struct ast_state *inner = p->panic ? NULL : find_every(every->left);
    if (inner && item_kind(p, every) == ITEM_PRESENT)
        parse_stop(p, (struct span){inner->span.at, (uint32_t)strlen("every")},
                   "'every' cannot stand inside every ( ... )", NULL);
}

/* element = [ EVERY ] logical | [ EVERY ] '(' chain ')' */
static struct ast_state *parse_element(struct parser *p, struct chain_rules rules, struct ast_source *first,
                                       uint32_t start)
{
    struct ast_state *s;
    if (first || !at_word(p, TOKEN_EVERY)) {
        s = !first && peek(p) == TOKEN_OPEN ? parse_group(p, rules) : parse_logical(p, first, start);
    } else {
        if (rules.join == TOKEN_COMMA)
            parse_stop(p, token_span(p, p->at), "in a sequence 'every' stands before the first element only",
                       NULL);
        s = new_state(p, STATE_EVERY, p->at);
        advance(p);
        s->left = peek(p) == TOKEN_OPEN ? parse_group(p, rules) : parse_logical(p, NULL, p->at);
        s->span = span_since(p, start);
        check_every(p, s);
    }
    if (rules.join == TOKEN_ARROW && !p->panic)
        check_sign(p, s);
    return s;
}

/* chain = element { '->' element } | element { ',' element }
 * first: its first element if that is already read */
static struct ast_state *parse_chain(struct parser *p, struct chain_rules rules, struct ast_state *first,
                                     uint32_t start)
{
    struct ast_state *root = first ? first : parse_element(p, rules, NULL, start);
    struct ast_state **slot = &root;
    if (rules.join == TOKEN_END) {
        rules.join = peek(p) == TOKEN_COMMA ? TOKEN_COMMA : TOKEN_ARROW;
        if (rules.join == TOKEN_COMMA)
            *rules.comma_at = p->at;
        else if (!p->panic)
            check_sign(p, root);
    }
    while (peek(p) == rules.join) {
        advance(p);
        struct ast_state *s = parse_element(p, rules, NULL, p->at);
        struct ast_state *next = new_state(p, STATE_NEXT, start);
        next->left = *slot;
        next->right = s;
        *slot = next;
        slot = &next->right;
    }
    if (!p->panic && (peek(p) == TOKEN_COMMA || peek(p) == TOKEN_ARROW))
        parse_stop(
            p, token_span(p, p->at),
            "'->' and ',' cannot be mixed: a pattern joins its elements with '->', a sequence with ','",
            NULL);
    uint32_t end = span_since(p, start).at + span_since(p, start).len;
    for (struct ast_state *s = root; s->kind == STATE_NEXT; s = s->right)
        s->span = (struct span){s->left->span.at, end > s->left->span.at ? end - s->left->span.at : 0};
    return root;
}

/* May a sequence begin with this group? comma: it holds one. */
static bool group_leads(struct parser *p, const struct ast_state *group, bool comma)
{
    uint8_t kind = item_kind(p, group);
    const struct ast_state *s = group;
    while (s->kind == STATE_GROUP)
        s = s->left;
    if ((s->kind == STATE_AND || s->kind == STATE_OR) &&
        (s->left->kind == STATE_ABSENT || s->right->kind == STATE_ABSENT))
        return true;
    return comma ? kind != ITEM_PRESENT : kind == ITEM_WRAPPED;
}

/* pattern  = chain of '->' [ WITHIN time ]
 * sequence = [ EVERY ] logical ',' element { ',' element } [ WITHIN time ] */
void parse_pattern(struct parser *p, struct ast_query *q, struct ast_source *first, uint32_t start)
{
    p->elements = 0;
    uint32_t comma_at = 0;
    struct ast_state *s = parse_element(p, (struct chain_rules){TOKEN_END, &comma_at}, first, start);
    struct ast_state *inner = s->kind == STATE_EVERY ? s->left : s;
    struct chain_rules rules = {TOKEN_ARROW, NULL};
    if (peek(p) == TOKEN_COMMA) {
        rules.join = TOKEN_COMMA;
        if (!p->panic && inner->kind == STATE_GROUP && !group_leads(p, inner, comma_at != 0))
            parse_stop(p, inner->span, "a sequence cannot begin with a group in parentheses",
                       s->kind == STATE_EVERY ? "'every' of a sequence covers its first element only" : NULL);
    } else if (!p->panic && comma_at) {
        parse_stop(
            p, token_span(p, comma_at),
            "'->' and ',' cannot be mixed: a pattern joins its elements with '->', a sequence with ','",
            NULL);
    } else if (!p->panic && has_sign(p, s)) {
        parse_stop(p, s->span,
                   peek(p) == TOKEN_ARROW ? "* + ? are for sequences; a pattern counts with <0:>, <1:>, <0:1>"
                                          : "a sequence needs at least two elements, joined with ','",
                   NULL);
    }
    q->input_kind = rules.join == TOKEN_COMMA ? INPUT_SEQUENCE : INPUT_PATTERN;
    q->state = parse_chain(p, rules, s, start);
    if (!p->panic)
        check_absent(p, q->state, rules.join == TOKEN_COMMA);
    uint32_t within = p->at;
    if (accept(p, TOKEN_WITHIN)) {
        q->within_ms = parse_time_value(p, "a time behind 'within'");
        q->within_span = span_since(p, within);
    }
}
