/* utf8.h - text is UTF-8 inside; the language counts and orders it as Java does, in UTF-16 units.
 *
 * Only utf8_valid and utf8_decode take any bytes; the others are given valid text (and stay inside it if it
 * is not). */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *s, size_t len);   /* strict: no surrogates, no overlong forms */
size_t utf8_units(const char *s, size_t len); /* length in UTF-16 units */
size_t utf8_offset(const char *s, size_t len,
                   size_t unit); /* byte offset of a UTF-16 unit; len when past the end;
                                  * the second half of a pair: that of its character */
int utf8_compare_units(const char *a, size_t alen, const char *b,
                       size_t blen); /* <0, 0, >0 by UTF-16 units */
int32_t utf8_java_hash_any(const char *s, size_t len);
static inline int32_t utf8_java_hash(const char *s, size_t len) /* without a call for what is ASCII */
{
    uint32_t hash = 0, seen = 0;
    for (const char *p = s, *end = s + len; p < end; p++) {
        hash = hash * 31 + (unsigned char)*p;
        seen |= (unsigned char)*p;
    }
    return seen < 0x80 ? (int32_t)hash : utf8_java_hash_any(s, len);
} /* String.hashCode */
size_t utf8_decode(const char *s, size_t len, uint32_t *code); /* bytes taken, 0 if invalid */
size_t utf8_encode(char out[4], uint32_t code);

#endif
