/* json_tree.h - a JSON value in the scratch arena, for json: and map: functions. Made from text (read as
 * permissively as the language does) or from a value; ends with the arena, but strings may be scratch texts
 * that others keep.
 *
 * Not for ports: those read strictly and without a tree (engine/base/json.h). */
#ifndef WEIR_EXPR_JSON_TREE_H
#define WEIR_EXPR_JSON_TREE_H

#include "engine/data/object.h"
#include "engine/expr/expr.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_OBJECT };

struct json_node {
    enum node_kind kind;
    struct value v;  /* bool, number, string */
    const char *raw; /* a number longer than a long or double: its digits (v is a double) */
    uint32_t raw_len;
    uint32_t count;
    struct text *key; /* in an object */
    struct json_node *first, *last, *next;
};

/* Text without any JSON is one string. NULL: something is left open. */
struct json_node *json_tree_read(struct arena *a, const char *s, size_t len);
/* An object, as map:createFromJSON reads it: besides what json_tree_read takes, '=', '=>' and ';', words of any
 * case, +1 .5 0x1f 1d, [1,,2] with a null; but no name twice, no line break in quotes, no infinity. */
struct json_node *json_tree_read_wide(struct arena *a, const char *s, size_t len);
/* Only JSON by the letter, but for commas too many and what follows the value. NULL otherwise. */
struct json_node *json_tree_read_plain(struct arena *a, const char *s, size_t len);
/* An object or array must begin the text and nothing stand behind it; whole numbers become doubles. NULL
 * otherwise. */
struct json_node *json_tree_read_strict(struct arena *a, const char *s, size_t len);
struct json_node *json_tree_of(struct arena *a, struct value v);
struct json_node *json_node_new(struct arena *a, enum node_kind kind);
void json_node_add(struct json_node *parent, struct json_node *child);
struct json_node *json_node_get(const struct json_node *object, const char *key, size_t len);
/* Puts another in its place; it keeps its key. */
void json_node_replace(struct json_node *old, const struct json_node *with);
/* No NaN, no infinity in it. */
bool json_tree_is_finite(const struct json_node *n);
/* Lists and maps, scalars as they are; loose. */
struct value json_tree_value(struct expr_env *env, const struct json_node *n);

enum json_style {
    JSON_GSON,  /* < > & = ' escaped */
    JSON_SMART, /* '/' escaped */
    JSON_ORG,   /* '</' escaped, doubles without a needless fraction */
};
void json_tree_write(const struct json_node *n, enum json_style style, struct buf *out);
void json_tree_quote(const char *s, size_t len, enum json_style style, struct buf *out);

/* ---- json_path.c ---- */
struct json_path;
/* NULL: ill-formed, words in error. */
struct json_path *json_path_new(struct arena *a, const char *s, size_t len, char *error, size_t error_size);
bool json_path_is_definite(const struct json_path *p);
struct json_found {
    struct json_node **nodes; /* scratch */
    size_t count, cap;
    bool missing; /* the path leads nowhere: null, not an empty list */
    bool wrong;   /* it can't be asked of this JSON */
};
/* All that the path leads to, in order. */
void json_path_find(struct arena *a, const struct json_path *p, struct json_node *root,
                    struct json_found *out);
/* What a path leads to as one node, an indefinite path's a list of all; NULL: nothing, or (*wrong) it can't be asked of
 * this JSON. */
struct json_node *json_path_value(struct arena *a, const struct json_path *p, struct json_node *root,
                                  bool *wrong);

#endif
