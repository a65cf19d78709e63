/* utf8.c - UTF-8 inside, UTF-16 units for the language. A character of four bytes is two units, any other is
 * one. */
#include "engine/base/utf8.h"
#include <string.h>

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)s;
    if (len == 0)
        return 0;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    if (p[0] < 0xC2)
        return 0;
    if (p[0] < 0xE0) {
        if (len < 2 || !is_tail(p[1]))
            return 0;
        *code = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    if (p[0] < 0xF0) {
        if (len < 3 || !is_tail(p[1]) || !is_tail(p[2]))
            return 0;
        uint32_t c = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        if (c < 0x800 || (c >= 0xD800 && c < 0xE000))
            return 0;
        *code = c;
        return 3;
    }
    if (p[0] > 0xF4 || len < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
        return 0;
    uint32_t c = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    if (c < 0x10000 || c > 0x10FFFF)
        return 0;
    *code = c;
    return 4;
}

size_t utf8_encode(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

bool utf8_valid(const char *s, size_t len)
{
    while (len > 0) {
        uint64_t word;
        if (len >= 8) {
            memcpy(&word, s, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                s += 8;
                len -= 8;
                continue;
            }
        }
        uint32_t code;
        size_t taken = utf8_decode(s, len, &code);
        if (taken == 0)
            return false;
        s += taken;
        len -= taken;
    }
    return true;
}

size_t utf8_units(const char *s, size_t len)
{
    size_t units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        units += !is_tail(c);
        units += c >= 0xF0;
    }
    return units;
}

size_t utf8_offset(const char *s, size_t len, size_t unit)
{
    size_t units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_tail(c))
            continue;
        units += c >= 0xF0 ? 2 : 1;
        if (units > unit)
            return i;
    }
    return len;
}

/* Bytes of UTF-8 stand in the order of characters; UTF-16 differs only in that U+E000..U+FFFF (first byte EE,
 * EF) come behind the characters of two units (first byte F0..F4). */
int utf8_compare_units(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t shared = alen < blen ? alen : blen;
    for (size_t i = 0; i < shared; i++) {
        unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
        if (x == y)
            continue;
        if (x >= 0xF0 && (y == 0xEE || y == 0xEF))
            return -1;
        if (y >= 0xF0 && (x == 0xEE || x == 0xEF))
            return 1;
        return x < y ? -1 : 1;
    }
    return (alen > blen) - (alen < blen);
}

int32_t utf8_java_hash_any(const char *s, size_t len)
{
    uint32_t h = 0;
    while (len > 0 && (unsigned char)*s < 0x80) {
        h = h * 31 + (unsigned char)*s++;
        len--;
    }
    while (len > 0) {
        uint32_t code;
        size_t taken = utf8_decode(s, len, &code);
        if (taken == 0) {
            code = 0xFFFD;
            taken = 1;
        }
        if (code >= 0x10000) {
            h = h * 31 + (0xD7C0 + (code >> 10));
            h = h * 31 + (0xDC00 | (code & 0x3FF));
        } else {
            h = h * 31 + code;
        }
        s += taken;
        len -= taken;
    }
    return (int32_t)h;
}
