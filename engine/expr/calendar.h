/* calendar.h - days and fields of a date, zones, and date patterns, for time: (spec 20 section 3).
 *
 * Moments are milliseconds since 1970 UTC. The calendar is Java's: Gregorian from 15 October 1582 on, Julian
 * before. A zone is immutable and lies in the arena it was made in; the default zone is the process's, set
 * before any app runs. */
#ifndef WEIR_EXPR_CALENDAR_H
#define WEIR_EXPR_CALENDAR_H

#include "engine/base/buf.h"
#include "engine/base/mem.h"

struct date {
    int64_t year;   /* 0 and below: before our era */
    int month, day; /* from 1 */
    int hour, minute, second, milli;
    int week_day; /* 0 Sunday */
    int year_day; /* from 1 */
};

int64_t calendar_days(int64_t year, int64_t month,
                      int64_t day); /* since 1970; month and day may be out of range: they carry */
void calendar_split(int64_t local_ms, struct date *d);
int calendar_month_days(int64_t year, int month);
/* Adds months; the day is cut to the month's end. local_ms in, local_ms out. */
int64_t calendar_add_months(int64_t local_ms, int64_t months);
/* Week of the year: weeks begin on Sunday (1 January lies in week 1), or ISO. */
int calendar_week(const struct date *d, bool iso);

/* zone.c */
struct zone;
/* "Asia/Kolkata", "UTC+2", "+05:30", "Z", "IST" (Java's short ids). NULL: there is none. */
const struct zone *zone_find(struct arena *a, const char *name, size_t len);
const struct zone *zone_default(void); /* UTC unless set */
const struct zone *zone_utc(void);
int zone_set_default(const char *name); /* 0 or ERR_NOT_FOUND; before any app runs */
int64_t zone_offset_ms(const struct zone *z, int64_t at_ms);
const char *zone_name(const struct zone *z, int64_t at_ms); /* "CET", "UTC" */
/* A local time: in a gap it moves forward; when it is there twice the later one is taken, or the earlier. */
int64_t zone_to_utc(const struct zone *z, int64_t local_ms, bool earlier);

/* date_pattern.c: 0, or ERR_INVALID with words in error */
int date_print(struct buf *out, const char *pattern, size_t len, int64_t at_ms, const struct zone *z,
               char *error, size_t error_size);
/* As java.time: S are digits of the fraction. */
int date_print_strict(struct buf *out, const char *pattern, size_t len, int64_t at_ms, const struct zone *z,
                      char *error, size_t error_size);
/* Lenient, as commons-lang reads. now_ms decides the century of 'yy'. */
int date_parse(const char *text, size_t text_len, const char *pattern, size_t len, const struct zone *z,
               int64_t now_ms, int64_t *at_ms, char *error, size_t error_size);
/* Strict, as java.time reads: the local time. */
int date_parse_strict(const char *text, size_t text_len, const char *pattern, size_t len, int64_t *local_ms,
                      char *error, size_t error_size);

#endif
