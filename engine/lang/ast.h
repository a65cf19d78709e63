/* ast.h - the tree of an app, as written (spec 01 section 2). Spelling only: no name is resolved, no type
 * known.
 *
 * Made by the parser in the arena of one compile; immutable afterwards; ends with the arena. Every node has
 * its span in the text. Lists are linked in text order. Names are as the language sees them (without
 * backquotes). */
#ifndef WEIR_LANG_AST_H
#define WEIR_LANG_AST_H

#include "engine/base/diag.h"
#include "engine/data/value.h"

/* A name with its place. text == NULL: not given. */
struct name {
    const char *text;
    struct span span;
};

/* ---- annotations (spec 01 section 3) ---- */
struct ast_element { /* [key =] 'value' */
    struct ast_element *next;
    struct name
        key; /* key.text NULL: unnamed. 'a.b', 'a-b' and 'a:b' are joined as written, without blanks */
    const char *value;
    struct span span; /* of the value */
};
struct ast_annotation {
    struct ast_annotation *next;
    struct name name; /* without '@'; for @app:name only "name" */
    struct ast_element *elements;
    struct ast_annotation *nested;
    struct span span;
};

/* ---- expressions ---- */
enum ast_expr_kind {
    AST_LITERAL, /* value (text is arena memory, refs TEXT_SCRATCH) */
    AST_ATTR,    /* [#|!] [source [ '[' index ']' ] .] name */
    AST_CALL,    /* [namespace:]name(args) or (*) */
    AST_IS_NULL, /* left: an AST_ATTR or AST_CALL, or source[index] alone (AST_SOURCE) */
    AST_SOURCE,  /* stream reference, only under AST_IS_NULL: 'e1[0] is null'. A bare name is AST_ATTR without
                    source */
    AST_NOT,
    AST_AND,
    AST_OR,
    AST_IN, /* left in name */
    AST_EQ,
    AST_NE,
    AST_LT,
    AST_LE,
    AST_GT,
    AST_GE,
    AST_ADD,
    AST_SUB,
    AST_MUL,
    AST_DIV,
    AST_MOD,
};
enum ast_index_kind { INDEX_NONE, INDEX_AT, INDEX_LAST }; /* e[2]; e[last - n] with n in index */

struct ast_expr {
    enum ast_expr_kind kind;
    int height;       /* 1 for a leaf; never above LIMIT_PARSE_HEIGHT of parse_in.h, so walks may recurse */
    struct span span; /* all of it */
    struct span op_span; /* the operator or the function's name */
    struct ast_expr *left, *right;
    struct ast_expr *next; /* in argument lists */

    struct value literal; /* AST_LITERAL */
    bool is_time;         /* AST_LITERAL: written as 1 min 30 sec */

    struct name source; /* AST_ATTR, AST_SOURCE: id, alias or event name; text NULL when unqualified */
    char mark;          /* 0, '#' or '!' before source (or before name when unqualified) */
    enum ast_index_kind index_kind;
    int32_t index;
    struct name name; /* AST_ATTR: attribute; AST_CALL: function; AST_IN: table */

    struct name space; /* AST_CALL: namespace, or text NULL */
    struct ast_expr *args;
    int arg_count;
    bool star; /* f(*) */
};

/* ---- sources and handlers ---- */
enum ast_handler_kind { HANDLER_FILTER, HANDLER_FUNCTION, HANDLER_WINDOW };
struct ast_handler {
    struct ast_handler *next;
    enum ast_handler_kind kind;
    struct ast_expr *expr; /* the filter's condition, or an AST_CALL (for a window without 'window.') */
    struct span span;
};
struct ast_source {
    char mark; /* 0, '#' (inner stream) or '!' (fault stream) */
    struct name id;
    struct name alias;            /* join: 'as x'; pattern: 'x=' */
    struct ast_handler *handlers; /* filters, functions and the window, in order */
    struct span span;
};

enum ast_join_kind { JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL };
struct ast_join {
    enum ast_join_kind kind;
    struct ast_source *left, *right;
    bool left_unidirectional, right_unidirectional;
    struct ast_expr *on;                            /* or NULL */
    struct ast_expr *within_from, *within_to, *per; /* of aggregations; or NULL */
};

/* Patterns and sequences. A chain is 'a -> b' (or 'a, b'): NEXT(a, b), right-nested over its elements. */
enum ast_state_kind {
    STATE_STREAM, /* source, with min..max occurrences (1..1 when not counted) */
    STATE_NEXT,   /* left, then right */
    STATE_EVERY,  /* left */
    STATE_AND,    /* left and right; each STATE_STREAM or STATE_ABSENT */
    STATE_OR,
    STATE_ABSENT, /* not source [for time]; for_ms -1 when there is no 'for' */
    STATE_GROUP,  /* ( left ) in parentheses; kept because 'within' may stand behind it in some dialects and
                     spans want it */
};
struct ast_state {
    enum ast_state_kind kind;
    struct span span;
    struct ast_source *source;
    struct ast_state *left, *right;
    bool counted;     /* <n:m>, *, +, ? was written */
    int32_t min, max; /* max -1: no bound */
    int64_t for_ms;
    int every_count; /* STATE_EVERY of a sequence with absent elements: over how many elements; 0: what is
                        below */
};

enum ast_input_kind { INPUT_SINGLE, INPUT_JOIN, INPUT_PATTERN, INPUT_SEQUENCE, INPUT_ANONYMOUS };

enum ast_events { EVENTS_DEFAULT, EVENTS_CURRENT, EVENTS_EXPIRED, EVENTS_ALL };

struct ast_select_item {
    struct ast_select_item *next;
    struct ast_expr *expr;
    struct name as; /* text NULL: the attribute's own name */
};
struct ast_order {
    struct ast_order *next;
    struct ast_expr *attr; /* AST_ATTR */
    bool descending;
};
struct ast_select {
    bool given; /* false: no select clause, which means all */
    bool all;   /* select * */
    struct ast_select_item *items;
    struct ast_expr *group_by; /* AST_ATTR list */
    struct ast_expr *having;
    struct ast_order *order_by;
    struct ast_expr *limit, *offset; /* any expression the grammar takes; check decides */
    struct span span;
};

enum ast_rate_kind { RATE_NONE, RATE_EVENTS, RATE_TIME, RATE_SNAPSHOT };
enum ast_rate_type { RATE_ALL, RATE_FIRST, RATE_LAST }; /* RATE_ALL when not written */
struct ast_rate {
    enum ast_rate_kind kind;
    enum ast_rate_type type;
    int64_t value; /* events or ms */
    struct span span;
};

struct ast_assign {
    struct ast_assign *next;
    struct ast_expr *attr; /* AST_ATTR, its source may be the table */
    struct ast_expr *value;
};
enum ast_output_kind { OUTPUT_INSERT, OUTPUT_DELETE, OUTPUT_UPDATE, OUTPUT_UPSERT, OUTPUT_RETURN };
struct ast_output {
    enum ast_output_kind kind;
    char mark; /* before the target */
    struct name target;
    enum ast_events events; /* insert [..] events into / delete .. for [..] events */
    struct ast_expr *on;
    bool has_set;
    struct ast_assign *set;
    struct span span;
};

struct ast_query {
    struct ast_annotation *annotations;
    enum ast_input_kind input_kind;
    struct ast_source *single;
    struct ast_join *join;
    struct ast_state *state; /* pattern, sequence */
    int64_t within_ms;       /* pattern, sequence: -1 when not given */
    struct span within_span;
    struct ast_query *anonymous; /* INPUT_ANONYMOUS: the inner query */
    struct ast_select select;
    struct ast_rate rate;
    struct ast_output output;
    struct span span, input_span;
};

struct ast_partition_range {
    struct ast_partition_range *next;
    struct ast_expr *condition;
    const char *label;
};
struct ast_partition_key { /* expr of Stream, or ranges of Stream */
    struct ast_partition_key *next;
    struct ast_expr *value;             /* or NULL */
    struct ast_partition_range *ranges; /* or NULL */
    struct name stream;
    struct span span;
};
struct ast_partition {
    struct ast_annotation *annotations;
    struct ast_partition_key *keys;
    struct ast_element_list { /* queries in order */
        struct ast_element_list *next;
        struct ast_query *query;
    } * queries;
    struct span span;
};

enum ast_definition_kind {
    DEFINE_STREAM,
    DEFINE_TABLE,
    DEFINE_WINDOW,
    DEFINE_TRIGGER,
    DEFINE_FUNCTION,
    DEFINE_AGGREGATION
};
struct ast_attribute {
    struct ast_attribute *next;
    struct name name;
    enum type type;
};
enum duration {
    DURATION_SECONDS,
    DURATION_MINUTES,
    DURATION_HOURS,
    DURATION_DAYS,
    DURATION_WEEKS,
    DURATION_MONTHS,
    DURATION_YEARS
};

struct ast_definition {
    struct ast_definition *next;
    enum ast_definition_kind kind;
    struct ast_annotation *annotations;
    struct name id;
    struct span span;
    struct ast_attribute *attributes; /* stream, table, window */
    struct ast_expr *window;          /* DEFINE_WINDOW: the AST_CALL */
    enum ast_events window_output;    /* EVENTS_DEFAULT when not written */

    /* DEFINE_TRIGGER */
    int64_t every_ms; /* -1: at a string */
    const char *at;   /* 'start' or cron, or NULL */
    struct span at_span;

    /* DEFINE_FUNCTION */
    struct name language;
    enum type return_type;
    const char *body; /* between the braces, without the last character (spec 01 section 2) */
    struct span body_span;

    /* DEFINE_AGGREGATION */
    struct ast_source *from;
    struct ast_select select;
    struct ast_expr *aggregate_by; /* AST_ATTR or NULL */
    enum duration durations[8];    /* in the order of the text */
    struct span duration_spans[8];
    int duration_count;
    bool duration_range; /* written 'a ... b': durations[0], durations[1] are its ends, and check writes it
                            out */
};

struct ast_item { /* a query or a partition, in text order */
    struct ast_item *next;
    struct ast_query *query;
    struct ast_partition *partition;
};

struct ast_app {
    struct ast_annotation *annotations; /* @app:... */
    struct ast_definition *definitions;
    struct ast_item *items;
};

/* On-demand queries (spec 08). */
enum ast_ondemand_kind { ONDEMAND_FIND, ONDEMAND_INSERT, ONDEMAND_DELETE, ONDEMAND_UPDATE, ONDEMAND_UPSERT };
struct ast_ondemand {
    enum ast_ondemand_kind kind;
    struct name from;  /* FIND: the store */
    struct name alias; /* parsed, ignored */
    struct ast_expr *on;
    struct ast_expr *within_from, *within_to, *per;
    struct ast_select select;
    struct ast_output output; /* all kinds but FIND */
    struct span span;
};

/* Helpers used by check and plan. Names of annotations and keys compare ignoring case. */
const struct ast_annotation *ast_find_annotation(const struct ast_annotation *list, const char *name);
const struct ast_element *ast_find_element(const struct ast_annotation *a, const char *key);
/* The comparison that says the same with its sides changed over. */
enum ast_expr_kind ast_mirrored(enum ast_expr_kind op);

#endif
