/* jnode.h - JSON as a tree that loses nothing: numbers keep their text, members their order. For case files
 * and recorded input, not for messages (ports/map_json) and not for the configuration.
 *
 * All of it lives in the arena it was made in; texts of parsed nodes may point into the parsed bytes, which
 * must outlive the tree. */
#ifndef WEIR_AGENT_JNODE_H
#define WEIR_AGENT_JNODE_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include "engine/data/row.h"
#include "engine/data/schema.h"

enum jnode_kind { JNODE_NULL, JNODE_BOOL, JNODE_NUMBER, JNODE_STRING, JNODE_ARRAY, JNODE_OBJECT };

struct jnode {
    enum jnode_kind kind;
    enum type type;   /* JNODE_NUMBER made from a value: its type; parsed: TYPE_NULL */
    bool flag;        /* JNODE_BOOL */
    const char *text; /* JNODE_NUMBER as written, JNODE_STRING unescaped; not NUL-terminated */
    size_t len;
    const char *key; /* member of an object; not NUL-terminated */
    size_t key_len;
    struct jnode *first, *last, *next; /* children; sibling */
    uint32_t count;
};

/* Reads one value at *at (blanks before it are skipped) and moves *at behind it. NULL: e says what is wrong,
 * *at stands there; e->code is ERR_NOT_FOUND when nothing but blanks was left. */
struct jnode *jnode_parse(struct arena *a, const char **at, const char *end, struct err *e);
const struct jnode *jnode_get(const struct jnode *object,
                              const char *key); /* NULL also for what is no object */
const struct jnode *jnode_get_len(const struct jnode *object, const char *key, size_t len);
/* The text, NUL-terminated, in the arena; NULL when n is NULL or no string. */
char *jnode_text(struct arena *a, const struct jnode *n);
/* false: n is NULL or not a whole number that fits. */
bool jnode_long(const struct jnode *n, int64_t *out);
bool jnode_is_true(const struct jnode *n);

struct jnode *jnode_new(struct arena *a, enum jnode_kind kind);
struct jnode *jnode_string(struct arena *a, const char *text, size_t len); /* copied */
struct jnode *jnode_number(struct arena *a, int64_t v);
void jnode_add(struct jnode *array, struct jnode *child);
void jnode_put(struct jnode *object, const char *key, struct jnode *child); /* key is borrowed */
void jnode_print(const struct jnode *n, struct buf *out);
void jnode_print_text(const char *text, size_t len, struct buf *out); /* quoted */

/* A value of the language as a case file writes it, and a row as an array of them. */
struct jnode *jnode_of_value(struct arena *a, struct value v);
struct jnode *jnode_of_row(struct arena *a, const struct row *r);
/* The row as one JSON object by names of the schema's attributes. */
void jnode_print_row(const struct schema *s, const struct row *r, struct arena *scratch, struct buf *out);
/* The value an attribute of the type gets; owned. false: does not fit. */
bool jnode_to_value(const struct jnode *n, enum type type, struct value *out);

#endif
