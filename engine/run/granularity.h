/* granularity.h - the units of an aggregation: where their buckets begin and end, the words for them, and
 * ranges of time as text (spec 09 sections 1 to 3). Pure functions; the calendar is Gregorian, the zone GMT.
 *
 * A bucket is told by its start: milliseconds since 1970. */
#ifndef WEIR_RUN_GRANULARITY_H
#define WEIR_RUN_GRANULARITY_H

#include "engine/lang/ast.h"

enum { UNIT_COUNT = DURATION_YEARS + 1 };

/* Start of the bucket that at_ms lies in, and of the one behind it. */
int64_t unit_start(enum duration unit, int64_t at_ms);
int64_t unit_end(enum duration unit, int64_t at_ms);
/* "seconds", for messages and explain; "SECONDS", for the names of tables. */
const char *unit_name(enum duration unit);
const char *unit_table_suffix(enum duration unit);
/* "sec", "Minutes", "h": what 'per' takes. 0, or ERR_INVALID. */
int unit_parse(const char *text, size_t len, enum duration *unit);

/* "2017-06-01 04:05:50", with " +05:30" behind it when it is not GMT. 0, or ERR_INVALID. */
int moment_parse(const char *text, size_t len, int64_t *at_ms);
/* As a moment, with '**' for fields from the right on: "2017-06-** **:**:**". The range is start_ms <= t <
 * end_ms. */
int moment_range_parse(const char *text, size_t len, int64_t *start_ms, int64_t *end_ms);

#endif
