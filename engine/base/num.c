/* num.c - numbers to text and back, as Java writes and reads them (before its release 19, as the language
 * does).
 *
 * Printing: whole numbers from 10^7 that a long holds have a rule of their own (print_whole). Of others the
 * digits are the fewest, at least two, that read back as the same number, and of those the nearest to it.
 * Quick way: if r / 10^k == x for an integer r of at most 15 digits (6 for float), then r / 10^k is that
 * decimal: both are exact, so the division rounds as reading the decimal would, and two decimals of so few
 * digits never read as one number. Slow way: printf with one digit more each time. It looks at the nearest
 * decimal of n digits only, which is enough save for powers of two, whose neighbour below is nearer than the
 * one above: there it looks at the decimal above too.
 *
 * The process stays in the C locale, so printf and strtod use a point. */
#include "engine/base/num.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All exact in a double. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { POWER_MAX = 22, POWER_MAX_FLOAT = 10 };

size_t num_print_long(char *out, int64_t value)
{
    char digits[20];
    size_t count = 0, len = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        out[len++] = '-';
    while (count > 0)
        out[len++] = digits[--count];
    out[len] = '\0';
    return len;
}

/* The number is d.ddd * 10^exponent with the count digits given, no zeros at their end save a first one. */
static size_t layout(char *out, bool negative, const char *digits, int count, int exponent)
{
    char *p = out;
    KNOWN(count > 0);
    if (negative)
        *p++ = '-';
    if (exponent >= -3 && exponent < 7) {
        if (exponent < 0) {
            *p++ = '0';
            *p++ = '.';
            for (int i = -1; i > exponent; i--)
                *p++ = '0';
            for (int i = 0; i < count; i++)
                *p++ = digits[i];
        } else {
            for (int i = 0; i <= exponent; i++)
                *p++ = i < count ? digits[i] : '0';
            *p++ = '.';
            if (count <= exponent + 1)
                *p++ = '0';
            for (int i = exponent + 1; i < count; i++)
                *p++ = digits[i];
        }
    } else {
        *p++ = digits[0];
        *p++ = '.';
        if (count == 1)
            *p++ = '0';
        for (int i = 1; i < count; i++)
            *p++ = digits[i];
        *p++ = 'E';
        p += num_print_long(p, exponent);
    }
    *p = '\0';
    return (size_t)(p - out);
}

/* r / 10^k, k > 0, in plain form. */
static size_t layout_decimal(char *out, bool negative, uint64_t r, int k)
{
    char digits[24];
    int count = (int)num_print_long(digits, (int64_t)r);
    int exponent = count - 1 - k;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return layout(out, negative, digits, count, exponent);
}

static size_t print_special(char *out, double value)
{
    const char *name = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    if (value == 0)
        name = signbit(value) ? "-0.0" : "0.0";
    size_t len = strlen(name);
    memcpy(out, name, len + 1);
    return len;
}

static bool reads_as(const char *text, double value, bool is_float)
{
    return is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

/* The next larger decimal of as many digits: text is d.ddde±dd. False when all digits are nines. */
static bool digits_step(char *text)
{
    char *e = strchr(text, 'e');
    for (char *p = e - 1; p >= text; p--) {
        if (*p == '.')
            continue;
        if (*p != '9') {
            ++*p;
            return true;
        }
        *p = '0';
    }
    return false;
}

/* value > 0 and finite. first: the fewest digits that may do. */
static size_t print_slow(char *out, bool negative, double value, bool is_float, int first)
{
    int last = is_float ? 9 : 17, unused;
    bool is_power = frexp(value, &unused) == 0.5;
    char text[40];
    for (int n = first;; n++) {
        (void)snprintf(text, sizeof(text), "%.*e", n - 1, value);
        if (n == last || reads_as(text, value, is_float))
            break;
        if (is_power && digits_step(text) && reads_as(text, value, is_float))
            break;
    }
    char digits[20];
    int count = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p != '.')
            digits[count++] = *p;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return layout(out, negative, digits, count, (int)strtol(p + 1, NULL, 10));
}

/* Whole numbers that a long holds: the long's digits, rounded by as many as the bits below the last
 * significant one certainly make insignificant. That may be one digit more than need be, or two. */
static size_t print_whole(char *out, bool negative, double value, int significant_bits)
{
    int bits, dropped = 0;
    (void)frexp(value, &bits);
    int below = bits - 1 - significant_bits - 1;
    uint64_t n = (uint64_t)value, unit = 1;
    if (below > 1)
        dropped = below * 30103 / 100000;
    for (int i = 0; i < dropped; i++)
        unit *= 10;
    n = n / unit + (dropped && n % unit >= unit / 2);
    char digits[24];
    int count = (int)num_print_long(digits, (int64_t)n), exponent = count - 1 + dropped;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return layout(out, negative, digits, count, exponent);
}

static bool is_whole(double value)
{
    return value < 0x1p63 && value == floor(value);
}

size_t num_print_double(char *out, double value)
{
    if (!isfinite(value) || value == 0)
        return print_special(out, value);
    bool negative = value < 0;
    double x = negative ? -value : value;
    if (x >= 1e7 && is_whole(x))
        return print_whole(out, negative, x, DBL_MANT_DIG);
    if (x < 1e-3 || x >= 1e7)
        return print_slow(out, negative, x, false, x < DBL_MIN ? 2 : 15);
    for (int k = 1; k <= POWER_MAX; k++) {
        double r = rint(x * powers[k]);
        if (r >= 1e15)
            break;
        if (r / powers[k] == x)
            return layout_decimal(out, negative, (uint64_t)r, k);
    }
    return print_slow(out, negative, x, false, 16);
}

size_t num_print_float(char *out, float value)
{
    if (!isfinite(value) || value == 0)
        return print_special(out, (double)value);
    bool negative = value < 0;
    float x = negative ? -value : value;
    if (x >= 1e7f && is_whole((double)x))
        return print_whole(out, negative, (double)x, FLT_MANT_DIG);
    if (x < 1e-3f || x >= 1e7f)
        return print_slow(out, negative, (double)x, true, x < FLT_MIN ? 2 : 6);
    for (int k = 1; k <= POWER_MAX_FLOAT; k++) {
        double r = rint((double)x * powers[k]);
        if (r >= 1e6)
            break;
        if ((float)r / (float)powers[k] == x)
            return layout_decimal(out, negative, (uint64_t)r, k);
    }
    return print_slow(out, negative, (double)x, true, 6);
}

/* ---- reading ---- */

bool num_parse_long(const char *s, size_t len, int64_t *out)
{
    size_t i = 0;
    bool negative = false;
    if (len > 0 && (s[0] == '-' || s[0] == '+')) {
        negative = s[0] == '-';
        i = 1;
    }
    if (i == len)
        return false;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t v = 0;
    for (; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s[i] - '0');
        if (v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

bool num_parse_int(const char *s, size_t len, int32_t *out)
{
    int64_t v;
    if (!num_parse_long(s, len, &v) || v < INT32_MIN || v > INT32_MAX)
        return false;
    *out = (int32_t)v;
    return true;
}

/* A number's text, taken apart. */
struct decimal {
    bool negative;
    bool is_exact;     /* the number is mantissa * 10^exponent */
    uint64_t mantissa; /* below 10^15 */
    int exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* [+-]? digits: how many bytes, 0 when there is none. The value saturates. */
static size_t scan_exponent(const char *s, size_t len, int *exponent)
{
    size_t i = len > 0 && (s[0] == '+' || s[0] == '-');
    size_t first = i;
    int v = 0;
    for (; i < len && is_digit(s[i]); i++)
        v = v < 100000 ? v * 10 + (s[i] - '0') : v;
    if (i == first)
        return 0;
    *exponent = s[0] == '-' ? -v : v;
    return i;
}

/* hex: 0[xX] (H+ .? | H* . H+) [pP] [+-]? D+ [fFdD]?, s standing on the 0. Returns bytes without the suffix,
 * or 0. */
static size_t scan_hex(const char *s, size_t len)
{
    size_t i = 2, digits = 0;
    for (; i < len && is_hex(s[i]); i++)
        digits++;
    if (i < len && s[i] == '.') {
        for (i++; i < len && is_hex(s[i]); i++)
            digits++;
    }
    if (digits == 0 || i >= len || (s[i] | 0x20) != 'p')
        return 0;
    int exponent;
    i++;
    size_t taken = scan_exponent(s + i, len - i, &exponent);
    return taken ? i + taken : 0;
}

/* decimal: (D+ (. D*)? | . D+) ([eE] [+-]? D+)?. Returns bytes, or 0. */
static size_t scan_decimal(const char *s, size_t len, struct decimal *d)
{
    size_t i = 0, digits = 0;
    int significant = 0, scale = 0, exponent = 0;
    bool behind_point = false;
    for (; i < len; i++) {
        if (s[i] == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (!is_digit(s[i]))
            break;
        digits++;
        significant += significant > 0 || s[i] != '0';
        if (significant <= 15) {
            d->mantissa = d->mantissa * 10 + (uint64_t)(s[i] - '0');
            scale -= behind_point && scale > -100000;
        } else {
            significant = 16;
        }
    }
    if (digits == 0)
        return 0;
    if (i < len && (s[i] | 0x20) == 'e') {
        size_t taken = scan_exponent(s + i + 1, len - i - 1, &exponent);
        if (taken == 0)
            return 0;
        i += 1 + taken;
    }
    d->exponent = exponent + scale;
    d->is_exact = significant <= 15;
    return i;
}

enum scan { SCAN_BAD, SCAN_NAN, SCAN_INFINITY, SCAN_NUMBER };

/* Java's FloatValue between blanks. s and len become the number alone, without sign and suffix. */
static enum scan scan_number(const char **text, size_t *text_len, struct decimal *d)
{
    const char *s = *text;
    size_t len = *text_len;
    *d = (struct decimal){0};
    while (len > 0 && (unsigned char)s[len - 1] <= ' ')
        len--;
    while (len > 0 && (unsigned char)s[0] <= ' ') {
        s++;
        len--;
    }
    if (len > 0 && (s[0] == '-' || s[0] == '+')) {
        d->negative = s[0] == '-';
        s++;
        len--;
    }
    if (len == 3 && memcmp(s, "NaN", 3) == 0)
        return SCAN_NAN;
    if (len == 8 && memcmp(s, "Infinity", 8) == 0)
        return SCAN_INFINITY;
    bool hex = len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x';
    size_t taken = hex ? scan_hex(s, len) : scan_decimal(s, len, d);
    if (taken == 0)
        return SCAN_BAD;
    if (len - taken > 1 || (len - taken == 1 && (s[taken] | 0x20) != 'f' && (s[taken] | 0x20) != 'd'))
        return SCAN_BAD;
    *text = s;
    *text_len = taken;
    return SCAN_NUMBER;
}

/* strtod needs a NUL behind the text, which the caller's bytes may not have. */
static double read_slow(const char *s, size_t len, bool is_float)
{
    char near[128];
    char *copy = len < sizeof(near) ? near : mem_alloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    double v = is_float ? (double)strtof(copy, NULL) : strtod(copy, NULL);
    if (copy != near)
        mem_free(copy);
    return v;
}

bool num_parse_double(const char *s, size_t len, double *out)
{
    struct decimal d;
    double v = 0;
    switch (scan_number(&s, &len, &d)) {
    case SCAN_BAD:
        return false;
    case SCAN_NAN:
        *out = (double)NAN;
        return true;
    case SCAN_INFINITY:
        v = (double)INFINITY;
        break;
    case SCAN_NUMBER:
        if (d.is_exact && d.exponent >= -POWER_MAX && d.exponent <= POWER_MAX) {
            double m = (double)d.mantissa;
            v = d.exponent < 0 ? m / powers[-d.exponent] : m * powers[d.exponent];
        } else {
            v = read_slow(s, len, false);
        }
        break;
    }
    *out = d.negative ? -v : v;
    return true;
}

bool num_parse_float(const char *s, size_t len, float *out)
{
    struct decimal d;
    float v = 0;
    switch (scan_number(&s, &len, &d)) {
    case SCAN_BAD:
        return false;
    case SCAN_NAN:
        *out = NAN;
        return true;
    case SCAN_INFINITY:
        v = INFINITY;
        break;
    case SCAN_NUMBER:
        if (d.is_exact && d.mantissa < (1u << 24) && d.exponent >= -POWER_MAX_FLOAT &&
            d.exponent <= POWER_MAX_FLOAT) {
            float m = (float)d.mantissa;
            v = d.exponent < 0 ? m / (float)powers[-d.exponent] : m * (float)powers[d.exponent];
        } else {
            v = (float)read_slow(s, len, true);
        }
        break;
    }
    *out = d.negative ? -v : v;
    return true;
}

int32_t num_double_to_int(double d)
{
    if (isnan(d))
        return 0;
    if (d <= (double)INT32_MIN)
        return INT32_MIN;
    if (d >= (double)INT32_MAX)
        return INT32_MAX;
    return (int32_t)d;
}

int64_t num_double_to_long(double d)
{
    if (isnan(d))
        return 0;
    if (d < -0x1p63)
        return INT64_MIN;
    if (d >= 0x1p63)
        return INT64_MAX;
    return (int64_t)d;
}
