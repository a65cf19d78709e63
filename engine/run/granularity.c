/* granularity.c - see granularity.h. */
#include "engine/run/granularity.h"
#include "engine/base/err.h"
#include <strings.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

/* Year, month, day, hour, minute, second. */
enum { FIELD_YEAR, FIELD_MONTH, FIELD_DAY, FIELD_HOUR, FIELD_MINUTE, FIELD_SECOND, FIELD_COUNT };

/* ---- calendar ---- */

static int64_t floor_to(int64_t at_ms, int64_t unit_ms)
{
    int64_t rest = at_ms % unit_ms;
    return at_ms - (rest < 0 ? rest + unit_ms : rest);
}

/* Days since 1970 of the first of a month, 1 to 12. Years are counted from March, in eras of 400. */
static int64_t days_of_month(int64_t year, int month)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719468;
}

static void month_of_days(int64_t days, int64_t *year, int *month)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

static int64_t month_start(int64_t year, int month)
{
    return days_of_month(month > 12 ? year + 1 : year, month > 12 ? month - 12 : month) * DAY_MS;
}

int64_t unit_start(enum duration unit, int64_t at_ms)
{
    int64_t year;
    int month;
    switch (unit) {
    case DURATION_SECONDS:
        return at_ms - at_ms % SECOND_MS; /* towards 1970, as the language has it for seconds and minutes */
    case DURATION_MINUTES:
        return at_ms - at_ms % MINUTE_MS;
    case DURATION_HOURS:
        return floor_to(at_ms, HOUR_MS);
    case DURATION_DAYS:
        return floor_to(at_ms, DAY_MS);
    case DURATION_WEEKS:
        break;
    case DURATION_MONTHS:
        month_of_days(floor_to(at_ms, DAY_MS) / DAY_MS, &year, &month);
        return month_start(year, month);
    case DURATION_YEARS:
        month_of_days(floor_to(at_ms, DAY_MS) / DAY_MS, &year, &month);
        return month_start(year, 1);
    }
    ASSERT(!"a unit that aggregations have");
    return 0;
}

int64_t unit_end(enum duration unit, int64_t at_ms)
{
    static const int64_t lengths[UNIT_COUNT] = {SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS};
    int64_t start_ms = unit_start(unit, at_ms), year;
    int month;
    if (lengths[unit])
        return start_ms + lengths[unit];
    month_of_days(floor_to(start_ms, DAY_MS) / DAY_MS, &year, &month);
    return unit == DURATION_MONTHS ? month_start(year, month + 1) : month_start(year + 1, 1);
}

/* ---- words ---- */

const char *unit_name(enum duration unit)
{
    static const char *const names[UNIT_COUNT] = {"seconds", "minutes", "hours", "days",
                                                  "weeks",   "months",  "years"};
    return names[unit];
}

const char *unit_table_suffix(enum duration unit)
{
    static const char *const names[UNIT_COUNT] = {"SECONDS", "MINUTES", "HOURS", "DAYS",
                                                  "WEEKS",   "MONTHS",  "YEARS"};
    return names[unit];
}

int unit_parse(const char *text, size_t len, enum duration *unit)
{
    static const struct {
        const char *word;
        enum duration unit;
    } words[] = {
        {"sec", DURATION_SECONDS},   {"second", DURATION_SECONDS}, {"seconds", DURATION_SECONDS},
        {"min", DURATION_MINUTES},   {"minute", DURATION_MINUTES}, {"minutes", DURATION_MINUTES},
        {"h", DURATION_HOURS},       {"hour", DURATION_HOURS},     {"hours", DURATION_HOURS},
        {"day", DURATION_DAYS},      {"days", DURATION_DAYS},      {"month", DURATION_MONTHS},
        {"months", DURATION_MONTHS}, {"year", DURATION_YEARS},     {"years", DURATION_YEARS},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i].word) == len && strncasecmp(words[i].word, text, len) == 0) {
            *unit = words[i].unit;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* ---- moments as text ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *len)
{
    while (*len && (unsigned char)**text <= ' ') {
        ++*text;
        --*len;
    }
    while (*len && (unsigned char)(*text)[*len - 1] <= ' ')
        --*len;
}

/* Digits of one field, or as many stars: then -1. False: neither. */
static bool field_parse(const char **at, const char *end, int digits, int *value)
{
    int stars = 0;
    *value = 0;
    if (end - *at < digits)
        return false;
    for (int i = 0; i < digits; i++, ++*at) {
        if (**at == '*')
            stars++;
        else if (is_digit(**at))
            *value = *value * 10 + (**at - '0');
        else
            return false;
    }
    if (stars == 0)
        return true;
    *value = -1;
    return stars == digits && digits == 2;
}

/* " +05:30" at the end, or nothing. At most 18 hours. */
static bool offset_parse(const char *at, const char *end, int64_t *offset_ms)
{
    int hours, minutes;
    *offset_ms = 0;
    if (at == end)
        return true;
    if (!is_blank(*at++) || at == end || (*at != '+' && *at != '-'))
        return false;
    int sign = *at++ == '+' ? 1 : -1;
    if (!field_parse(&at, end, 2, &hours) || at == end || *at++ != ':' || !field_parse(&at, end, 2, &minutes))
        return false;
    if (at != end || hours < 0 || minutes < 0 || minutes > 59 || hours * 60 + minutes > 18 * 60)
        return false;
    *offset_ms = sign * (hours * (int64_t)HOUR_MS + minutes * (int64_t)MINUTE_MS);
    return true;
}

/* The fields, -1 for stars, which may only stand for all from some field on; *known counts those before. */
static bool fields_parse(const char *text, size_t len, int fields[FIELD_COUNT], int *known,
                         int64_t *offset_ms)
{
    static const char before[FIELD_COUNT] = {0, '-', '-', ' ', ':', ':'};
    trim(&text, &len);
    const char *at = text, *end = text + len;
    *known = FIELD_COUNT;
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (before[i] && (at == end || (before[i] == ' ' ? !is_blank(*at) : *at != before[i])))
            return false;
        at += before[i] != 0;
        if (!field_parse(&at, end, i == FIELD_YEAR ? 4 : 2, &fields[i]))
            return false;
        if (fields[i] < 0 && *known == FIELD_COUNT)
            *known = i;
        if (fields[i] >= 0 && *known < i)
            return false;
    }
    return offset_parse(at, end, offset_ms);
}

/* Fields that no calendar has are refused: 31 February, 25 o'clock. 24:00:00 is the end of the day. */
static bool moment_of(const int fields[FIELD_COUNT], int64_t *local_ms)
{
    int64_t year = fields[FIELD_YEAR];
    int month = fields[FIELD_MONTH], day = fields[FIELD_DAY];
    if (month < 1 || month > 12 || day < 1 || fields[FIELD_HOUR] > 24 || fields[FIELD_MINUTE] > 59 ||
        fields[FIELD_SECOND] > 59)
        return false;
    if (fields[FIELD_HOUR] == 24 && (fields[FIELD_MINUTE] || fields[FIELD_SECOND]))
        return false;
    int64_t start_ms = month_start(year, month);
    if (day > (month_start(year, month + 1) - start_ms) / DAY_MS)
        return false;
    *local_ms = start_ms + (day - 1) * (int64_t)DAY_MS + fields[FIELD_HOUR] * (int64_t)HOUR_MS +
                fields[FIELD_MINUTE] * (int64_t)MINUTE_MS + fields[FIELD_SECOND] * (int64_t)SECOND_MS;
    return true;
}

int moment_parse(const char *text, size_t len, int64_t *at_ms)
{
    int fields[FIELD_COUNT], known;
    int64_t offset_ms, local_ms;
    if (!fields_parse(text, len, fields, &known, &offset_ms) || known < FIELD_COUNT ||
        !moment_of(fields, &local_ms))
        return ERR_INVALID;
    *at_ms = local_ms - offset_ms;
    return 0;
}

int moment_range_parse(const char *text, size_t len, int64_t *start_ms, int64_t *end_ms)
{
    static const enum duration spans[FIELD_COUNT] = {DURATION_YEARS, DURATION_MONTHS,  DURATION_DAYS,
                                                     DURATION_HOURS, DURATION_MINUTES, DURATION_SECONDS};
    int fields[FIELD_COUNT], known;
    int64_t offset_ms, local_ms;
    if (!fields_parse(text, len, fields, &known, &offset_ms))
        return ERR_INVALID;
    for (int i = known; i < FIELD_COUNT; i++)
        fields[i] = i == FIELD_MONTH || i == FIELD_DAY;
    if (!moment_of(fields, &local_ms))
        return ERR_INVALID;
    *start_ms = local_ms - offset_ms;
    *end_ms = unit_end(spans[known - 1], local_ms) - offset_ms;
    return 0;
}
