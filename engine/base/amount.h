/* amount.h - how much of something bounded, as a person writes it: "64 MB", "1000000", or a part of the
 * whole, "25%". Pure; any thread. */
#ifndef WEIR_BASE_AMOUNT_H
#define WEIR_BASE_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amount {
    bool is_part; /* thousandth is meant */
    int64_t bytes;
    int32_t thousandth; /* of a percent: 25% is 25,000 */
};
/* A whole number with B, kB, MB, GB, TB (a thousand of the one before), KiB, MiB, GiB, TiB (1024 of it) or
 * nothing (bytes), in any case; or a percentage from above 0 to 100 with up to three digits behind the point.
 * False: it is neither, or 0, or above 2^60. */
bool amount_read(struct amount *a, const char *text);
/* In bytes, of a whole. */
int64_t amount_of(const struct amount *a, int64_t whole);
/* "1000 B", "12.3 MB": for people. room for AMOUNT_TEXT. Returns text. */
enum { AMOUNT_TEXT = 32 };
const char *amount_print(char *text, uint64_t bytes);

#endif
