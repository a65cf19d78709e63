/* num.h - numbers to text and back, as Java writes and reads them (spec 02 sections 7.1, 7.2).
 * Locale-independent; same result on every target. */
#ifndef WEIR_BASE_NUM_H
#define WEIR_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_TEXT_MAX = 32 };

/* Each writes NUL-terminated text into out (NUM_TEXT_MAX bytes) and returns its length. */
size_t num_print_long(char *out, int64_t value);
size_t num_print_double(char *out, double value); /* Double.toString, shortest digits */
size_t num_print_float(char *out, float value);   /* Float.toString */

/* Integer.parseInt / Long.parseLong: [+-]?digits, in range. */
bool num_parse_int(const char *s, size_t len, int32_t *out);
bool num_parse_long(const char *s, size_t len, int64_t *out);
/* Double.parseDouble / Float.parseFloat: trims blanks; NaN, Infinity, hex with p, suffix f F d D. */
bool num_parse_double(const char *s, size_t len, double *out);
bool num_parse_float(const char *s, size_t len, float *out);

/* Java's (int) and (long) of a double: truncates, NaN is 0, saturates. */
int32_t num_double_to_int(double d);
int64_t num_double_to_long(double d);

#endif
