/* utf8.h - text is UTF-8 inside; the language counts and orders it as Java does, in UTF-16 units.
 *
 * Only utf8_valid and utf8_decode take any bytes; the others are given valid text (and stay inside it if it
 * is not). */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

bool utf8_valid(const char *s, size_t len);   /* strict: no surrogates, no overlong forms */
size_t utf8_units(const char *s, size_t len); /* length in UTF-16 units */
size_t utf8_offset(const char *s, size_t len,
                   size_t unit); /* byte offset of a UTF-16 unit; len when past the end;
                                  * the second half of a pair: that of its character */
int utf8_compare_units(const char *a, size_t alen, const char *b,
                       size_t blen); /* <0, 0, >0 by UTF-16 units */
int32_t utf8_java_hash_any(const char *s, size_t len);
/* String.hashCode of eight ASCII bytes, the first one lowest; zeros before the first count for nothing. */
static inline uint32_t utf8_java_hash_word(uint64_t word)
{
    const uint64_t bytes = UINT64_C(0x00FF00FF00FF00FF), pairs = UINT64_C(0x0000FFFF0000FFFF);
    word = (word & bytes) * 31 + (word >> 8 & bytes);
    word = (word & pairs) * (31 * 31) + (word >> 16 & pairs);
    return (uint32_t)word * (31 * 31 * 31 * 31) + (uint32_t)(word >> 32);
}
static inline uint64_t utf8_word(const char *s) /* its first byte lowest */
{
    uint64_t word;
    memcpy(&word, s, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}
static inline int32_t utf8_java_hash(const char *s, size_t len) /* without a call for what is ASCII */
{
    const uint32_t power_8 = 31u * 31 * 31 * 31 * 31 * 31 * 31 * 31;
    uint32_t hash = 0;
    uint64_t seen = 0;
    const char *p = s, *end = s + len;
    for (; end - p >= 8; p += 8) {
        uint64_t word = utf8_word(p);
        hash = hash * power_8 + utf8_java_hash_word(word);
        seen |= word;
    }
    for (; p < end; p++) {
        hash = hash * 31 + (unsigned char)*p;
        seen |= (unsigned char)*p;
    }
    return (seen & UINT64_C(0x8080808080808080)) == 0 ? (int32_t)hash : utf8_java_hash_any(s, len);
} /* String.hashCode */
size_t utf8_decode(const char *s, size_t len, uint32_t *code); /* bytes taken, 0 if invalid */
size_t utf8_encode(char out[4], uint32_t code);

#endif
