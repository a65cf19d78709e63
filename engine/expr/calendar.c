/* calendar.c - days and fields. The day numbers of both calendars come from the same arithmetic: March is the
 * first month, so that the leap day is a year's last. */
#include "engine/expr/calendar.h"

enum { DAY_MS = 86400000 };
static const int64_t GREGORIAN_FROM = -141427; /* 15 October 1582 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
static int64_t floor_mod(int64_t a, int64_t b)
{
    return a - floor_div(a, b) * b;
}

/* Days since 1970 of a date whose month is 1..12. */
static int64_t days_of(int64_t year, int64_t month, int64_t day, bool julian)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t days = 365 * y + floor_div(y, 4) + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    if (julian)
        return days - 719470;
    return days - floor_div(y, 100) + floor_div(y, 400) - 719468;
}

int64_t calendar_days(int64_t year, int64_t month, int64_t day)
{
    year += floor_div(month - 1, 12);
    month = floor_mod(month - 1, 12) + 1;
    int64_t days = days_of(year, month, 1, false) + day - 1;
    return days >= GREGORIAN_FROM ? days : days_of(year, month, 1, true) + day - 1;
}

/* Year, month and day of a day number. */
static void split_days(int64_t days, struct date *d)
{
    bool julian = days < GREGORIAN_FROM;
    int64_t z = days + (julian ? 719470 : 719468), year, of_year;
    if (julian) {
        int64_t cycle = floor_div(z, 1461), left = z - cycle * 1461;
        int64_t in_cycle = left / 365 > 3 ? 3 : left / 365;
        year = cycle * 4 + in_cycle;
        of_year = left - in_cycle * 365;
    } else {
        int64_t era = floor_div(z, 146097), left = z - era * 146097;
        int64_t in_era = (left - left / 1460 + left / 36524 - left / 146096) / 365;
        year = era * 400 + in_era;
        of_year = left - (365 * in_era + in_era / 4 - in_era / 100);
    }
    int64_t month = (5 * of_year + 2) / 153;
    d->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    d->month = (int)(month < 10 ? month + 3 : month - 9);
    d->year = year + (d->month <= 2);
}

void calendar_split(int64_t local_ms, struct date *d)
{
    int64_t days = floor_div(local_ms, DAY_MS), left = floor_mod(local_ms, DAY_MS);
    split_days(days, d);
    d->hour = (int)(left / 3600000);
    d->minute = (int)(left / 60000 % 60);
    d->second = (int)(left / 1000 % 60);
    d->milli = (int)(left % 1000);
    d->week_day = (int)floor_mod(days + 4, 7);
    d->year_day = (int)(days - calendar_days(d->year, 1, 1)) + 1;
}

int calendar_month_days(int64_t year, int month)
{
    return (int)(calendar_days(year, month + 1, 1) - calendar_days(year, month, 1));
}

int64_t calendar_add_months(int64_t local_ms, int64_t months)
{
    struct date d;
    calendar_split(local_ms, &d);
    int64_t total = d.year * 12 + d.month - 1 + months;
    int64_t year = floor_div(total, 12);
    int month = (int)floor_mod(total, 12) + 1, last = calendar_month_days(year, month);
    int64_t days = calendar_days(year, month, d.day < last ? d.day : last);
    return days * DAY_MS + floor_mod(local_ms, DAY_MS);
}

/* The day number on which week 1 of the year begins. */
static int64_t first_week(int64_t year, bool iso)
{
    int64_t january = calendar_days(year, 1, 1), week_day = floor_mod(january + 4, 7); /* 0 Sunday */
    if (!iso)
        return january - week_day;
    int64_t since_monday = floor_mod(week_day - 1, 7);
    return since_monday <= 3 ? january - since_monday : january + 7 - since_monday;
}
int calendar_week(const struct date *d, bool iso)
{
    int64_t day = calendar_days(d->year, d->month, d->day), begin = first_week(d->year, iso);
    if (day < begin)
        begin = first_week(d->year - 1, iso);
    else if (day >= first_week(d->year + 1, iso))
        begin = first_week(d->year + 1, iso);
    return (int)((day - begin) / 7) + 1;
}
