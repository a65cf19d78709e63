/* cron.c - see cron.h. A field is a set of values as bits; next walks from the year down to the second and
 * takes, at each step, the first value that is left. */
#include "engine/base/cron.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { FIELD_COUNT = 7, FIELD_BYTES = 128 };
enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR };

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekday_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

static const struct field {
    const char *what;
    int min, max;
    const char *const *names; /* of min, min + 1, ... */
    int name_count;
} fields[FIELD_COUNT] = {
    {"seconds", 0, 59, NULL, 0},
    {"minutes", 0, 59, NULL, 0},
    {"hours", 0, 23, NULL, 0},
    {"day of month", 1, 31, NULL, 0},
    {"month", 1, 12, month_names, 12},
    {"day of week", 1, 7, weekday_names, 7},
    {"year", CRON_FIRST_YEAR, CRON_LAST_YEAR, NULL, 0},
};

struct set {
    uint64_t bits[3]; /* bit n: min + n */
};

static void set_add(struct set *s, int n)
{
    s->bits[n / 64] |= (uint64_t)1 << (n % 64);
}

static int wrong(struct err *e, const struct field *f, const char *text)
{
    return err_set(e, ERR_INVALID, "cron: '%s' is not right for %s (%d-%d)", text, f->what, f->min, f->max);
}

/* A number or a name at *at; moves *at behind it. False: neither, or out of range. */
static bool value(const struct field *f, const char **at, int *out)
{
    const char *s = *at;
    for (int i = 0; i < f->name_count; i++) {
        if (strncasecmp(s, f->names[i], 3) == 0 && !isalpha((unsigned char)s[3])) {
            *out = f->min + i;
            *at = s + 3;
            return true;
        }
    }
    if (!isdigit((unsigned char)*s))
        return false;
    long n = 0;
    for (; isdigit((unsigned char)*s); s++)
        if (n < 100000)
            n = n * 10 + (*s - '0');
    *at = s;
    *out = (int)n;
    return n >= f->min && n <= f->max;
}

/* '/n' at *at; *out is -1 when there is none. */
static bool step(const struct field *f, const char **at, int *out)
{
    *out = -1;
    if (**at != '/')
        return true;
    const char *s = *at + 1;
    long n = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++)
        if (n < 100000)
            n = n * 10 + (*s - '0');
    *at = s;
    *out = (int)n;
    return f->max - f->min >= 100 || n <= f->max;
}

static void add_range(struct set *set, const struct field *f, int from, int to, int by)
{
    int size = f->max - f->min + 1;
    int last = to >= from ? to : to + size; /* 22-2, FRI-MON */
    for (int n = from; n <= last; n += by)
        set_add(set, (n - f->min) % size);
}

/* item: ('*' | value ['-' value]) ['/' step]; a step of 0 is the first value alone, behind a star nothing. */
static int parse_item(struct set *set, const struct field *f, const char *item, struct err *e)
{
    const char *at = item;
    int from = f->min, to = f->max, by = -1;
    bool single = false, star = true;
    if (*at == '*') {
        at++;
    } else if (*at == '/') { /* as star-slash */
    } else if (!value(f, &at, &from)) {
        return wrong(e, f, item);
    } else {
        single = true;
        star = false;
        if (*at == '-') {
            at++;
            if (!value(f, &at, &to))
                return wrong(e, f, item);
            single = false;
        }
    }
    if (!step(f, &at, &by) || *at)
        return wrong(e, f, item);
    if (!star && (by == 0 || (single && by < 0)))
        to = from;
    add_range(set, f, from, to, by > 0 ? by : 1);
    return 0;
}

/* L, L-n, LW, nW of the day of month; L, nL, n#k of the day of week. 1: it was one of these. */
static int parse_special(struct cron *c, struct set *set, int field, const char *item, struct err *e)
{
    const struct field *f = &fields[field];
    const char *at = item;
    int n;
    if (field == DAY && (*at == 'L' || *at == 'l')) {
        c->last_day = true;
        at++;
        if (*at == '-') {
            const char *digits = ++at;
            for (; isdigit((unsigned char)*at) && c->last_offset <= 30; at++)
                c->last_offset = c->last_offset * 10 + (*at - '0');
            if (at == digits || c->last_offset > 30)
                return wrong(e, f, item);
        }
        if (*at == 'W' || *at == 'w') {
            c->nearest = true;
            at++;
        }
        return *at ? wrong(e, f, item) : 1;
    }
    if (field == WEEKDAY && strcasecmp(at, "L") == 0) {
        set_add(set, 7 - f->min);
        return 1;
    }
    if (!value(f, &at, &n))
        return 0;
    if (field == DAY && (*at == 'W' || *at == 'w') && !at[1]) {
        c->nearest = true;
    } else if (field == WEEKDAY && (*at == 'L' || *at == 'l') && !at[1]) {
        c->last_weekday = true;
    } else if (field == WEEKDAY && *at == '#') {
        c->nth_weekday = at[1] - '0';
        if (c->nth_weekday < 1 || c->nth_weekday > 5 || at[2])
            return wrong(e, f, item);
    } else {
        return 0;
    }
    set_add(set, n - f->min);
    return 1;
}

static int parse_field(struct cron *c, struct set *set, int field, char *text, struct err *e)
{
    bool is_list = strchr(text, ',') != NULL;
    *set = (struct set){{0}};
    char *rest = text;
    while (rest) {
        char *item = strsep(&rest, ",");
        int rc = field == DAY || field == WEEKDAY ? parse_special(c, set, field, item, e) : 0;
        if (rc < 0)
            return rc;
        if (rc == 1 && is_list && strcasecmp(item, "L") != 0)
            return err_set(e, ERR_INVALID, "cron: '%s' can't stand in a list", item);
        if (rc == 0 && (rc = parse_item(set, &fields[field], item, e)) < 0)
            return rc;
    }
    return 0;
}

int cron_parse(struct cron *c, const char *text, struct err *e)
{
    char parts[FIELD_COUNT][FIELD_BYTES];
    int count = 0;
    *c = (struct cron){0};
    for (const char *at = text;;) {
        at += strspn(at, " \t");
        size_t len = strcspn(at, " \t");
        if (!len)
            break;
        if (count == FIELD_COUNT || len >= FIELD_BYTES)
            return err_set(e, ERR_INVALID, "cron: '%s' is not 6 or 7 fields", text);
        memcpy(parts[count], at, len);
        parts[count++][len] = 0;
        at += len;
    }
    if (count < 6)
        return err_set(e, ERR_INVALID, "cron: '%s' has %d field%s, not 6 or 7: seconds first", text, count,
                       count == 1 ? "" : "s");
    bool no_day = strcmp(parts[DAY], "?") == 0, no_weekday = strcmp(parts[WEEKDAY], "?") == 0;
    if (no_day == no_weekday)
        return err_set(e, ERR_INVALID,
                       "cron: exactly one of day of month and day of week must be '?' in '%s'", text);
    c->by_weekday = no_day;
    for (int i = 0; i < FIELD_COUNT; i++) {
        struct set set = {{~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0}};
        bool skipped = (i == DAY && no_day) || (i == WEEKDAY && no_weekday) || i >= count;
        int rc = skipped ? 0 : parse_field(c, &set, i, parts[i], e);
        if (rc < 0)
            return rc;
        switch (i) {
        case SECOND:
            c->seconds = set.bits[0];
            break;
        case MINUTE:
            c->minutes = set.bits[0];
            break;
        case HOUR:
            c->hours = (uint32_t)set.bits[0];
            break;
        case DAY:
            c->days = (uint32_t)set.bits[0] << 1;
            break;
        case MONTH:
            c->months = (uint32_t)set.bits[0] << 1;
            break;
        case WEEKDAY:
            c->weekdays = (uint32_t)set.bits[0] << 1;
            break;
        default:
            memcpy(c->years, set.bits, sizeof c->years);
            break;
        }
    }
    return 0;
}

/* ---- calendar: days since 1970-01-01 ---- */

static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* 1 is SUN. */
static int weekday_of(int year, int month, int day)
{
    return (int)((days_of(year, month, day) + 4) % 7) + 1;
}

/* The weekday (MON to FRI) nearest to day, within the month. */
static int nearest_weekday(int year, int month, int day)
{
    int last = month_days(year, month), weekday = weekday_of(year, month, day);
    if (weekday == 7)
        return day == 1 ? 3 : day - 1;
    if (weekday == 1)
        return day == last ? day - 2 : day + 1;
    return day;
}

/* The days of this month that match, bit n: day n. */
static uint32_t matching_days(const struct cron *c, int year, int month)
{
    int last = month_days(year, month);
    uint32_t found = 0;
    for (int day = 1; day <= last; day++) {
        bool match;
        if (c->by_weekday) {
            match = c->weekdays >> weekday_of(year, month, day) & 1;
            if (c->last_weekday)
                match = match && day + 7 > last;
            if (c->nth_weekday)
                match = match && (day - 1) / 7 + 1 == c->nth_weekday;
        } else {
            match = (c->days >> day & 1) || (c->last_day && day == last - c->last_offset);
        }
        if (match)
            found |= (uint32_t)1 << (c->nearest ? nearest_weekday(year, month, day) : day);
    }
    return found;
}

/* The first bit of bits at or above from; -1: none. */
static int first_from(uint64_t bits, int from, int max)
{
    for (int n = from; n <= max; n++)
        if (bits >> n & 1)
            return n;
    return -1;
}

int64_t cron_next(const struct cron *c, int64_t after_ms)
{
    int64_t second = after_ms < 0 ? 0 : after_ms / 1000 + 1;
    int64_t first_day = second / 86400;
    int of_day = (int)(second % 86400);
    if (first_day > days_of(CRON_LAST_YEAR, 12, 31))
        return -1;
    for (int year = CRON_FIRST_YEAR; year <= CRON_LAST_YEAR; year++) {
        int n = year - CRON_FIRST_YEAR;
        if (!(c->years[n / 64] >> (n % 64) & 1) || days_of(year, 12, 31) < first_day)
            continue;
        for (int month = 1; month <= 12; month++) {
            if (!(c->months >> month & 1) || days_of(year, month, month_days(year, month)) < first_day)
                continue;
            uint32_t days = matching_days(c, year, month);
            for (int day = 1; day <= 31; day++) {
                int64_t date = days_of(year, month, day);
                if (!(days >> day & 1) || date < first_day)
                    continue;
                int start = date == first_day ? of_day : 0;
                int h0 = start / 3600, m0 = start / 60 % 60, s0 = start % 60;
                for (int h = first_from(c->hours, h0, 23); h >= 0; h = first_from(c->hours, h + 1, 23)) {
                    int m = first_from(c->minutes, h == h0 ? m0 : 0, 59);
                    for (; m >= 0; m = first_from(c->minutes, m + 1, 59)) {
                        int s = first_from(c->seconds, h == h0 && m == m0 ? s0 : 0, 59);
                        if (s >= 0)
                            return (date * 86400 + h * 3600 + m * 60 + s) * 1000;
                    }
                }
            }
        }
    }
    return -1;
}
