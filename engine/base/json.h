/* json.h - JSON without a tree: a scanner that walks a text once, checking all it passes, and a writer of
 * strings.
 *
 * Strict (RFC 8259): UTF-8 must be valid, no NUL or other raw control character, nesting up to
 * LIMIT_PARSE_DEPTH. Lenient takes what Gson takes besides (names and values without quotes or in single
 * ones); only validate.json asks for it. No memory is allocated; tokens point into the text, which the caller
 * keeps.
 *
 *     json_scan_init(&s, bytes, len);
 *     bool ok = json_value(&s, &t) && json_skip(&s, &t) && json_end(&s);
 *     else s.wrong says why, json_offset(&s) where */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "engine/base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INTEGER,
    JSON_FRACTION,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_token {
    enum json_kind kind;
    bool has_escapes;
    const char *bytes; /* a string's without its quotes; an array or object from its bracket on */
    size_t len;        /* an array's or object's: 1 until json_skip went over it, then all of it */
};
struct json_scan {
    const char *at, *start, *end;
    const char *wrong; /* what is wrong at this place, or NULL */
    int depth;
    bool lenient;
};

void json_scan_init(struct json_scan *s, const char *bytes, size_t len);
/* A token's value again, for one that was checked before. */
void json_scan_token(struct json_scan *s, const struct json_token *t);
/* The next value: a scalar whole, of an array or object the opening bracket. false: wrong. */
bool json_value(struct json_scan *s, struct json_token *t);
/* Inside an object: the next member's name, up to and with the colon; json_value comes next. false: the
 * object ended, or s->wrong is set. *first is true before the first call. */
bool json_member(struct json_scan *s, bool *first, struct json_token *name);
/* Inside an array: is there another element? As json_member. */
bool json_element(struct json_scan *s, bool *first);
/* Over the rest of t, just read by json_value; a scalar has none. */
bool json_skip(struct json_scan *s, struct json_token *t);
/* Only blanks are left. */
bool json_end(struct json_scan *s);
size_t json_offset(const struct json_scan *s);

/* A string token's text into out, which has room for t->len bytes; returns its length. Half a surrogate pair
 * becomes U+FFFD. */
size_t json_unescape(const struct json_token *t, char *out);
bool json_is(const struct json_token *t, const char *text,
             size_t len); /* is this string token, unescaped, that text? */

/* With quotes; escapes quotes, backslashes, control characters and U+2028, U+2029, as Gson does. */
void json_write_string(struct buf *out, const char *s, size_t len);

#endif
