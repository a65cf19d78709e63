/* cron.c - see cron.h. A field is a set of values as bits. Both halves follow Quartz to the letter, for an
 * app counts on what its expression did there.
 *
 * Laws: (1) an item is read from its left, and what stands behind the part that made sense is not looked at
 * (MONDAY is MON, MON/2 is MON, 15X is 15);
 * (2) L, W and # hold for the whole field, and W, nL and n#k look at the field's smallest day alone;
 * (3) next is a walk: each step mends the first field that does not fit and begins again, and dates may
 * overflow (31 April is 1 May), which is what decides nW in a short month. */
#include "engine/base/cron.h"
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

enum { FIELD_COUNT = 7, STEPS_MAX = 100000 };
enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR };
/* A weekday that never comes: what n#k takes for n above 7. */
enum { NO_WEEKDAY = 8 };

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

/* ---- parsing ---- */

struct text_part {
    const char *at;
    int len;
};

/* One item of a field's list: where it is read, and where what it says goes. */
struct item {
    struct text_part text;
    int field;
    struct cron *cron;
    struct err *e;
};

static int wrong(const struct item *item)
{
    const struct field *f = &fields[item->field];
    return err_set(item->e, ERR_INVALID, "cron: '%.*s' is not right for %s (%d-%d)", item->text.len,
                   item->text.at, f->what, f->min, f->max);
}

/* The character at, in capitals; NUL behind the end. */
static char char_at(const struct item *item, int at)
{
    return at < item->text.len ? (char)toupper((unsigned char)item->text.at[at]) : '\0';
}

static bool is_digit(const struct item *item, int at)
{
    return isdigit((unsigned char)char_at(item, at)) != 0;
}

/* The digits at *at, at least one; moves *at behind them. */
static bool digits(const struct item *item, int *at, int *out)
{
    int64_t n = 0;
    if (!is_digit(item, *at))
        return false;
    for (; is_digit(item, *at) && n <= INT_MAX; ++*at)
        n = n * 10 + (char_at(item, *at) - '0');
    *out = (int)n;
    return n <= INT_MAX;
}

/* All that is left from at is a number, which may have a sign. */
static bool rest_number(const struct item *item, int at, int *out)
{
    bool negative = char_at(item, at) == '-';
    if (negative || char_at(item, at) == '+')
        at++;
    if (!digits(item, &at, out) || at < item->text.len)
        return false;
    if (negative)
        *out = -*out;
    return true;
}

/* The name at, -1: none. */
static int name_at(const struct item *item, int at)
{
    const struct field *f = &fields[item->field];
    for (int i = 0; i < f->name_count; i++) {
        if (at + 3 <= item->text.len && strncasecmp(item->text.at + at, f->names[i], 3) == 0)
            return f->min + i;
    }
    return -1;
}

static void set_value(struct cron *c, int field, int n)
{
    switch (field) {
    case SECOND:
        c->seconds |= (uint64_t)1 << n;
        break;
    case MINUTE:
        c->minutes |= (uint64_t)1 << n;
        break;
    case HOUR:
        c->hours |= (uint32_t)1 << n;
        break;
    case DAY:
        c->days |= (uint32_t)1 << n;
        break;
    case MONTH:
        c->months |= (uint32_t)1 << n;
        break;
    case WEEKDAY:
        c->weekdays |= (uint32_t)1 << (n < NO_WEEKDAY ? n : NO_WEEKDAY);
        break;
    default:
        n -= CRON_FIRST_YEAR;
        if (n >= 0 && n <= CRON_LAST_YEAR - CRON_FIRST_YEAR)
            c->years[n / 64] |= (uint64_t)1 << (n % 64);
        break;
    }
}

/* A value, or with by > 0 every by-th from it to the field's end. */
static int add_from(const struct item *item, int from, int by)
{
    const struct field *f = &fields[item->field];
    if (item->field != YEAR && (from < f->min || from > f->max))
        return wrong(item);
    set_value(item->cron, item->field, from);
    for (int64_t n = from; by > 0 && n <= f->max; n += by)
        set_value(item->cron, item->field, (int)n);
    return 0;
}

/* from-to; a range that ends before it begins goes over the field's end (22-2, FRI-MON). by 0: from alone. */
static int add_range(const struct item *item, int from, int to, int by)
{
    const struct field *f = &fields[item->field];
    if (item->field == YEAR) {
        if (to < from && by > 0)
            return wrong(item);
        int64_t n = from;
        if (by > 0 && n < f->min)
            n += (f->min - n + by - 1) / by * by;
        for (; by > 0 && n <= to && n <= f->max; n += by)
            set_value(item->cron, item->field, (int)n);
        if (by <= 0)
            set_value(item->cron, item->field, from);
        return 0;
    }
    if (from < f->min || from > f->max || to > f->max)
        return wrong(item);
    if (by <= 0)
        to = from;
    int size = f->max - f->min + 1;
    int last = to >= from ? to : to + size;
    for (int64_t n = from; n <= last; n += by > 0 ? by : size)
        set_value(item->cron, item->field, (int)(n - f->min) % size + f->min);
    return 0;
}

/* A step reaches at most over the field; years have no bound. */
static bool step_fits(const struct item *item, int by)
{
    return item->field == YEAR || by <= fields[item->field].max;
}

static int nth(const struct item *item, int at)
{
    int n;
    if (item->field != WEEKDAY || !rest_number(item, at, &n) || n < 1 || n > 5)
        return wrong(item);
    item->cron->nth_weekday = n;
    return 0;
}

/* name ['-' name | '#' k | 'L'] */
static int parse_name(const struct item *item)
{
    int from = name_at(item, 0);
    if (from < 0)
        return wrong(item);
    if (char_at(item, 3) == '-') {
        int to = name_at(item, 4);
        return to < 0 ? wrong(item) : add_range(item, from, to, 1);
    }
    if (item->field == WEEKDAY && char_at(item, 3) == '#' && nth(item, 4) < 0)
        return ERR_INVALID;
    if (item->field == WEEKDAY && char_at(item, 3) == 'L')
        item->cron->last_weekday = true;
    return add_from(item, from, 0);
}

/* '?': this field does not say the day. */
static int parse_open(const struct item *item)
{
    struct cron *c = item->cron;
    if (item->text.len > 2 || (item->field != DAY && item->field != WEEKDAY))
        return wrong(item);
    if (item->field == DAY)
        c->no_day = true;
    else
        c->no_weekday = true;
    return 0;
}

/* ('*' | '/') ['/' step]: a star followed by anything else is a star. */
static int parse_star(const struct item *item)
{
    int at = char_at(item, 0) == '*', by = 1;
    if (char_at(item, at) == '/' && (!rest_number(item, at + 1, &by) || !step_fits(item, by)))
        return wrong(item);
    return add_from(item, fields[item->field].min, by > 0 ? by : 1);
}

/* 'L' ['-' n] ['W'] of the day of month; of the day of week it is SAT; elsewhere it says nothing. */
static int parse_last(const struct item *item)
{
    struct cron *c = item->cron;
    int at = 1;
    if (item->field == WEEKDAY)
        return add_from(item, fields[WEEKDAY].max, 0);
    if (item->field != DAY)
        return 0;
    c->last_day = true;
    if (char_at(item, at) == '-') {
        at++;
        c->last_offset = 0;
        if (char_at(item, at) != 'W' && !digits(item, &at, &c->last_offset))
            return wrong(item);
        if (c->last_offset > 30)
            return wrong(item);
    }
    c->nearest = c->nearest || char_at(item, at) == 'W';
    return 0;
}

/* value ['L' | 'W' | '#' k | '-' value ['/' step] | '/' step] */
static int parse_number(const struct item *item)
{
    const struct field *f = &fields[item->field];
    struct cron *c = item->cron;
    int at = 0, from, to, by = 1;
    if (!digits(item, &at, &from))
        return wrong(item);
    switch (char_at(item, at)) {
    case 'L':
        if (item->field != WEEKDAY)
            return wrong(item);
        c->last_weekday = true;
        return add_from(item, from, 0);
    case 'W':
        if (item->field != DAY)
            return wrong(item);
        c->nearest = true;
        return add_from(item, from, 0);
    case '#':
        if (nth(item, at + 1) < 0)
            return ERR_INVALID;
        set_value(c, item->field, from);
        return 0;
    case '-':
        at++;
        if (!digits(item, &at, &to))
            return wrong(item);
        if (char_at(item, at) == '/') {
            at++;
            if (!digits(item, &at, &by))
                return wrong(item);
        }
        return add_range(item, from, to, by);
    case '/':
        to = ++at;
        if (!digits(item, &at, &by) || !step_fits(item, by) || (at == to + 1 && at < item->text.len))
            return wrong(item);
        return by > 0 ? add_range(item, from, f->max, by) : add_from(item, from, 0);
    default:
        return add_from(item, from, 0);
    }
}

/* L, LW, L-n, L-nW */
static bool is_last(const struct item *item)
{
    int at = 1;
    if (char_at(item, 0) != 'L')
        return false;
    if (char_at(item, at) == '-')
        for (at++; is_digit(item, at);)
            at++;
    return at + (char_at(item, at) == 'W') == item->text.len;
}

static int parse_item(const struct item *item)
{
    char first = char_at(item, 0);
    if (is_last(item))
        return parse_last(item);
    if (isupper((unsigned char)first))
        return parse_name(item);
    if (first == '?')
        return parse_open(item);
    if (first == '*' || first == '/')
        return parse_star(item);
    return parse_number(item);
}

static int count_of(struct text_part text, char wanted)
{
    int count = 0;
    for (int i = 0; i < text.len; i++)
        count += toupper((unsigned char)text.at[i]) == wanted;
    return count;
}

static int parse_field(struct cron *c, int field, struct text_part text, struct err *e)
{
    if ((field == DAY || field == WEEKDAY) && count_of(text, 'L') && count_of(text, ','))
        return err_set(e, ERR_INVALID, "cron: 'L' can't stand in a list: '%.*s'", text.len, text.at);
    if (field == WEEKDAY && count_of(text, '#') > 1)
        return err_set(e, ERR_INVALID, "cron: only one '#' can stand in '%.*s'", text.len, text.at);
    for (int at = 0; at < text.len;) {
        int end = at;
        while (end < text.len && text.at[end] != ',')
            end++;
        struct item item = {{text.at + at, end - at}, field, c, e};
        int rc = end > at ? parse_item(&item) : 0;
        if (rc < 0)
            return rc;
        at = end + 1;
    }
    return 0;
}

/* The fields of the whole expression; those behind the seventh are not looked at. Returns how many. */
static int split(const char *text, struct text_part parts[FIELD_COUNT])
{
    int count = 0;
    for (const char *at = text; count < FIELD_COUNT;) {
        at += strspn(at, " \t");
        int len = (int)strcspn(at, " \t");
        if (!len)
            break;
        parts[count] = (struct text_part){at, len};
        at += len;
        struct text_part *part = &parts[count++];
        while (part->len && (unsigned char)part->at[0] <= ' ')
            part->at++, part->len--;
        while (part->len && (unsigned char)part->at[part->len - 1] <= ' ')
            part->len--;
    }
    return count;
}

/* A field without a value: there is no firing to look for. */
static int check_values(const struct cron *c, const char *text, struct err *e)
{
    const bool empty[] = {!c->seconds, !c->minutes, !c->hours, false, !c->months};
    for (int i = SECOND; i <= MONTH; i++) {
        if (empty[i])
            return err_set(e, ERR_INVALID, "cron: nothing is said for %s in '%s'", fields[i].what, text);
    }
    bool no_value = c->by_weekday ? !c->weekdays : !c->days && !c->last_day;
    if (no_value)
        return err_set(e, ERR_INVALID, "cron: nothing is said for %s in '%s'",
                       fields[c->by_weekday ? WEEKDAY : DAY].what, text);
    return 0;
}

int cron_parse(struct cron *c, const char *text, struct err *e)
{
    struct text_part parts[FIELD_COUNT];
    int count = split(text, parts);
    *c = (struct cron){0};
    if (count < 6)
        return err_set(e, ERR_INVALID, "cron: '%s' has %d field%s, not 6 or 7: seconds first", text, count,
                       count == 1 ? "" : "s");
    if (count < FIELD_COUNT)
        parts[YEAR] = (struct text_part){"*", 1};
    for (int i = 0; i < FIELD_COUNT; i++) {
        int rc = parse_field(c, i, parts[i], e);
        if (rc < 0)
            return rc;
    }
    if (c->no_day == c->no_weekday)
        return err_set(e, ERR_INVALID,
                       "cron: exactly one of day of month and day of week must be '?' in '%s'", text);
    c->by_weekday = c->no_day;
    return check_values(c, text, e);
}

/* ---- calendar: days since 1970-01-01 ---- */

struct moment {
    int year, month, day, hour, minute, second;
};

/* month and day may be out of bounds: they overflow into their neighbours. */
static int64_t days_of(int year, int month, int day)
{
    int months = year * 12 + month - 1;
    year = months / 12;
    month = months % 12 + 1;
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 719469;
}

static int64_t seconds_of(const struct moment *m)
{
    return days_of(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
}

static struct moment moment_of(int64_t second)
{
    int64_t days = second / 86400 - (second % 86400 < 0), z = days + 719468;
    int64_t era = z / 146097, of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * of_year + 2) / 153), of_day = (int)(second - days * 86400);
    return (struct moment){.year = (int)(year + era * 400 + (month >= 10)),
                           .month = month < 10 ? month + 3 : month - 9,
                           .day = (int)(of_year - (153 * month + 2) / 5) + 1,
                           .hour = of_day / 3600,
                           .minute = of_day / 60 % 60,
                           .second = of_day % 60};
}

/* Whatever overflows goes into the next larger field. */
static void settle(struct moment *m)
{
    *m = moment_of(seconds_of(m));
}

static int month_days(int year, int month)
{
    return (int)(days_of(year, month + 1, 1) - days_of(year, month, 1));
}

/* 1 is SUN. */
static int weekday_of(int year, int month, int day)
{
    return (int)((days_of(year, month, day) + 4) % 7) + 1;
}

/* ---- the next firing ---- */

/* The first bit of bits at or above from; -1: none. */
static int first_from(uint64_t bits, int from)
{
    bits = from > 63 ? 0 : bits >> from << from;
    return bits ? __builtin_ctzll(bits) : -1;
}

/* The midnight of a day, which may overflow. */
static void go_to(struct moment *m, int month, int day)
{
    *m = (struct moment){.year = m->year, .month = month, .day = day};
    settle(m);
}

/* The time of day: true when it fits; otherwise m is moved on and all is looked at again. */
static bool time_fits(const struct cron *c, struct moment *m)
{
    int second = first_from(c->seconds, m->second);
    if (second < 0) {
        second = first_from(c->seconds, 0);
        m->minute++;
    }
    m->second = second;
    settle(m);
    int minute = first_from(c->minutes, m->minute);
    if (minute != m->minute) {
        if (minute < 0)
            m->hour++;
        m->minute = minute < 0 ? first_from(c->minutes, 0) : minute;
        m->second = 0;
        settle(m);
        return false;
    }
    int hour = first_from(c->hours, m->hour);
    if (hour != m->hour) {
        if (hour < 0)
            m->day++;
        m->hour = hour < 0 ? first_from(c->hours, 0) : hour;
        m->minute = m->second = 0;
        settle(m);
        return false;
    }
    return true;
}

/* The weekday (MON to FRI) nearest to day, not over the month's ends. A day that the month does not have is
 * the one it overflows to. */
static int nearest_weekday(const struct moment *m, int day)
{
    int weekday = weekday_of(m->year, m->month, day);
    if (weekday == 7)
        return day == 1 ? day + 2 : day - 1;
    if (weekday == 1)
        return day == month_days(m->year, m->month) ? day - 2 : day + 1;
    return day;
}

/* The day by the day of month; first is the earliest second wanted. */
static bool day_fits(const struct cron *c, struct moment *m, int64_t first)
{
    int month = m->month, last = month_days(m->year, month), smallest = first_from(c->days, 0), day;
    if (c->nearest) {
        struct moment found = *m;
        day = found.day = nearest_weekday(m, c->last_day ? last - c->last_offset : smallest);
        if (seconds_of(&found) < first) {
            day = c->last_day ? 1 : smallest;
            month++;
        }
    } else if (c->last_day) {
        day = last - c->last_offset;
        if (m->day > day) {
            day = 1;
            month++;
        }
    } else {
        day = first_from(c->days, m->day);
        if (day < 0 || day > last) {
            day = smallest;
            month++;
        }
    }
    if (day == m->day && month == m->month)
        return true;
    go_to(m, month, day);
    return false;
}

/* The day by the day of week. */
static bool weekday_fits(const struct cron *c, struct moment *m)
{
    int last = month_days(m->year, m->month), today = weekday_of(m->year, m->month, m->day);
    int wanted = first_from(c->weekdays, c->last_weekday || c->nth_weekday ? 0 : today);
    if (wanted < 0)
        wanted = first_from(c->weekdays, 0);
    int day = m->day + (today == wanted ? 0 : today < wanted ? wanted - today : wanted + 7 - today);
    bool gone = day > last;
    if (c->last_weekday) {
        while (day + 7 <= last)
            day += 7;
    } else if (c->nth_weekday) {
        int more = c->nth_weekday - (day + 6) / 7;
        day += more * 7;
        gone = more < 0 || day > last;
    }
    if (gone)
        go_to(m, m->month + 1, 1);
    else if (day != m->day)
        go_to(m, m->month, day);
    else
        return true;
    return false;
}

static bool month_fits(const struct cron *c, struct moment *m)
{
    int month = first_from(c->months, m->month);
    if (month == m->month)
        return true;
    if (month < 0) {
        m->year++;
        month = first_from(c->months, 0);
    }
    go_to(m, month, 1);
    return false;
}

static bool year_fits(const struct cron *c, struct moment *m)
{
    int n = m->year - CRON_FIRST_YEAR;
    if (n >= 0 && n <= CRON_LAST_YEAR - CRON_FIRST_YEAR && (c->years[n / 64] >> (n % 64) & 1))
        return true;
    m->year++;
    go_to(m, 1, 1);
    return false;
}

int64_t cron_next(const struct cron *c, int64_t after_ms)
{
    if (after_ms >= (days_of(CRON_LAST_YEAR + 1, 1, 1) * 86400 - 1) * 1000)
        return -1;
    int64_t first = after_ms < 0 ? 0 : after_ms / 1000 + 1;
    struct moment m = moment_of(first);
    for (int i = 0; i < STEPS_MAX && m.year <= CRON_LAST_YEAR; i++) {
        if (!time_fits(c, &m))
            continue;
        bool fits = c->by_weekday ? weekday_fits(c, &m) : day_fits(c, &m, first);
        if (fits && month_fits(c, &m) && year_fits(c, &m))
            return seconds_of(&m) * 1000;
    }
    return -1;
}

/* Looks from further and further back: what fires every second is found at the first look, what fires once a
 * year at the 25th. */
int64_t cron_last(const struct cron *c, int64_t at_ms, int64_t until_ms)
{
    int64_t last_ms = at_ms;
    for (int64_t back_ms = 2000; last_ms == at_ms && until_ms - at_ms > back_ms / 2; back_ms *= 2) {
        int64_t from_ms = until_ms - at_ms > back_ms ? until_ms - back_ms : at_ms;
        for (int64_t next_ms; (next_ms = cron_next(c, from_ms)) >= 0 && next_ms < until_ms; from_ms = next_ms)
            last_ms = next_ms;
    }
    return last_ms;
}
