/* date_pattern.c - dates as text, by Java's pattern letters (spec 20 section 3).
 *
 * A pattern is read token by token: a run of one letter, or literal text (in quotes, or what is no letter).
 * Printing is the same for both readers; lenient reading takes a field's digits as they come and lets them
 * carry, strict reading wants them as printed. */
#include "engine/base/err.h"
#include "engine/expr/calendar.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const week_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

struct token {
    char letter; /* 0: the literal character */
    char literal;
    int width;
};
struct pattern {
    const char *at, *end;
    bool quoted;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/* false: the pattern ends (or, with *wrong, a quote is not closed). */
static bool next_token(struct pattern *p, struct token *t, bool *wrong)
{
    for (;;) {
        if (p->at >= p->end) {
            *wrong = p->quoted;
            return false;
        }
        char c = *p->at;
        *t = (struct token){0, c, 1};
        if (c == '\'') {
            p->at++;
            if (p->at < p->end && *p->at == '\'') {
                p->at++;
                return true; /* '' is a quote, inside quotes and outside */
            }
            p->quoted = !p->quoted;
            continue;
        }
        p->at++;
        if (p->quoted || !is_letter(c))
            return true;
        t->letter = c;
        while (p->at < p->end && *p->at == c) {
            p->at++;
            t->width++;
        }
        return true;
    }
}
static bool is_number(char letter, int width)
{
    return letter && (strchr("yudHhkKmsSDFwWY", letter) || (letter == 'M' && width < 3));
}
static int wrong_pattern(char *error, size_t size, char letter)
{
    if (letter)
        snprintf(error, size, "no date pattern has the letter '%c'", letter);
    else
        snprintf(error, size, "a quote in the date pattern is not closed");
    return ERR_INVALID;
}

/* ---- printing ---- */

static void print_offset(struct buf *out, int64_t offset_ms, const char *format, bool z_for_zero)
{
    int64_t minutes = offset_ms / 60000;
    if (z_for_zero && minutes == 0) {
        buf_add_char(out, 'Z');
        return;
    }
    buf_add_char(out, minutes < 0 ? '-' : '+');
    minutes = minutes < 0 ? -minutes : minutes;
    buf_printf(out, format, (int)(minutes / 60), (int)(minutes % 60));
}
static void print_name(struct buf *out, const char *name, bool full)
{
    buf_add(out, name, full ? strlen(name) : 3);
}

static bool print_token(struct buf *out, const struct token *t, const struct date *d, int64_t at_ms,
                        const struct zone *z)
{
    int w = t->width;
    int64_t offset = zone_offset_ms(z, at_ms);
    bool before = d->year <= 0;
    switch (t->letter) {
    case 'G':
        buf_add_str(out, before ? "BC" : "AD");
        break;
    case 'y':
    case 'Y':
        if (w == 2)
            buf_printf(out, "%02d", (int)((before ? 1 - d->year : d->year) % 100));
        else
            buf_printf(out, "%0*lld", w < 4 ? 4 : w, (long long)(before ? 1 - d->year : d->year));
        break;
    case 'M':
        if (w >= 3)
            print_name(out, months[d->month - 1], w > 3);
        else
            buf_printf(out, "%0*d", w, d->month);
        break;
    case 'd':
        buf_printf(out, "%0*d", w, d->day);
        break;
    case 'D':
        buf_printf(out, "%0*d", w, d->year_day);
        break;
    case 'E':
        print_name(out, week_days[d->week_day], w > 3);
        break;
    case 'u':
        buf_printf(out, "%0*d", w, d->week_day ? d->week_day : 7);
        break;
    case 'F':
        buf_printf(out, "%0*d", w, (d->day - 1) / 7 + 1);
        break;
    case 'w':
        buf_printf(out, "%0*d", w, calendar_week(d, false));
        break;
    case 'W':
        buf_printf(out, "%0*d", w, (d->day - 1 + (d->week_day - d->day + 1 + 35) % 7) / 7 + 1);
        break;
    case 'H':
        buf_printf(out, "%0*d", w, d->hour);
        break;
    case 'k':
        buf_printf(out, "%0*d", w, d->hour ? d->hour : 24);
        break;
    case 'h':
        buf_printf(out, "%0*d", w, d->hour % 12 ? d->hour % 12 : 12);
        break;
    case 'K':
        buf_printf(out, "%0*d", w, d->hour % 12);
        break;
    case 'm':
        buf_printf(out, "%0*d", w, d->minute);
        break;
    case 's':
        buf_printf(out, "%0*d", w, d->second);
        break;
    case 'S':
        buf_printf(out, "%0*d", w, d->milli);
        break;
    case 'a':
        buf_add_str(out, d->hour < 12 ? "AM" : "PM");
        break;
    case 'z':
        buf_add_str(out, zone_name(z, at_ms));
        break;
    case 'Z':
        print_offset(out, offset, w == 2 ? "%02d:%02d" : "%02d%02d", false);
        break;
    case 'X':
        print_offset(out, offset, w == 1 ? "%02d" : w == 2 ? "%02d%02d" : "%02d:%02d", true);
        break;
    default:
        return false;
    }
    return true;
}

/* Digits of the second's fraction, not its milliseconds. */
static void print_fraction(struct buf *out, int milli, int width)
{
    char digits[4];
    snprintf(digits, sizeof(digits), "%03d", milli);
    for (int i = 0; i < width; i++)
        buf_add_char(out, i < 3 ? digits[i] : '0');
}

static int print_pattern(struct buf *out, const char *pattern, size_t len, int64_t at_ms,
                         const struct zone *z, bool fractions, char *error, size_t error_size)
{
    struct pattern p = {pattern, pattern + len, false};
    struct token t;
    struct date d;
    bool wrong = false;
    calendar_split(at_ms + zone_offset_ms(z, at_ms), &d);
    while (next_token(&p, &t, &wrong)) {
        if (!t.letter)
            buf_add_char(out, t.literal);
        else if (fractions && t.letter == 'S' && t.width <= 9)
            print_fraction(out, d.milli, t.width);
        else if (t.width > 30 || !print_token(out, &t, &d, at_ms, z))
            return wrong_pattern(error, error_size, t.letter);
    }
    return wrong ? wrong_pattern(error, error_size, 0) : 0;
}

int date_print(struct buf *out, const char *pattern, size_t len, int64_t at_ms, const struct zone *z,
               char *error, size_t error_size)
{
    return print_pattern(out, pattern, len, at_ms, z, false, error, error_size);
}
int date_print_strict(struct buf *out, const char *pattern, size_t len, int64_t at_ms, const struct zone *z,
                      char *error, size_t error_size)
{
    return print_pattern(out, pattern, len, at_ms, z, true, error, error_size);
}

/* ---- reading ---- */

struct reading {
    const char *at, *end;
    int64_t year, month, day, year_day, hour, minute, second, milli;
    int pm;       /* -1: not said */
    int week_day; /* -1 */
    bool has_year_day, is_12, has_offset, has_date, has_time, before_christ;
    int64_t offset_ms;
    int century_from; /* first year of 'yy' */
};

enum { DIGITS_MAX = 8 }; /* of a field: a hundred million years still fit milliseconds */

/* Digits: at most max (0: all there are). */
static bool read_digits(struct reading *r, int min, int max, int64_t *out)
{
    int n = 0;
    int64_t v = 0;
    while (r->at < r->end && isdigit((unsigned char)*r->at) && (max == 0 || n < max) && n < DIGITS_MAX + 1) {
        v = v * 10 + (*r->at++ - '0');
        n++;
    }
    *out = v;
    return n >= min && n > 0 && n <= DIGITS_MAX;
}
/* One of the names, long or short (three letters); -1: none. */
static int read_name(struct reading *r, const char *const *names, int count)
{
    size_t left = (size_t)(r->end - r->at);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (left >= len && strncasecmp(r->at, names[i], len) == 0) {
            r->at += len;
            return i;
        }
    }
    for (int i = 0; i < count; i++)
        if (left >= 3 && strncasecmp(r->at, names[i], 3) == 0) {
            r->at += 3;
            return i;
        }
    return -1;
}
/* +hhmm, with X also Z, +hh, +hh:mm */
static bool read_offset(struct reading *r, bool iso, int width)
{
    int64_t h, m = 0;
    if (iso && r->at < r->end && *r->at == 'Z') {
        r->at++;
        r->offset_ms = 0;
        return r->has_offset = true;
    }
    if (!iso && r->end - r->at >= 3 && (strncmp(r->at, "UTC", 3) == 0 || strncmp(r->at, "GMT", 3) == 0)) {
        r->at += 3;
        r->offset_ms = 0;
        r->has_offset = true;
        if (r->at >= r->end || (*r->at != '+' && *r->at != '-'))
            return true;
        width = 3;
    }
    if (r->at >= r->end || (*r->at != '+' && *r->at != '-'))
        return false;
    int sign = *r->at++ == '-' ? -1 : 1;
    if (!read_digits(r, width == 3 ? 1 : 2, 2, &h))
        return false;
    if (!iso || width > 1) {
        if (r->at < r->end && *r->at == ':' && width > 1)
            r->at++;
        if (!read_digits(r, 2, 2, &m))
            return false;
    }
    r->offset_ms = sign * (h * 60 + m) * 60000;
    return r->has_offset = true;
}

/* Puts a number where its letter says. */
static void take_number(struct reading *r, const struct token *t, int64_t v)
{
    r->has_date |= strchr("yuMdDFwWY", t->letter) != NULL;
    r->has_time |= strchr("HhkKmsS", t->letter) != NULL;
    switch (t->letter) {
    case 'y':
    case 'Y':
        if (t->width <= 2 && v < 100) {
            int64_t century = r->century_from - r->century_from % 100;
            v += v >= r->century_from % 100 ? century : century + 100;
        }
        r->year = v;
        break;
    case 'M':
        r->month = v;
        break;
    case 'd':
        r->day = v;
        r->has_year_day = false; /* what is read last holds */
        break;
    case 'D':
        r->year_day = v;
        r->has_year_day = true;
        break;
    case 'H':
    case 'k':
        r->hour = t->letter == 'k' && v == 24 ? 0 : v;
        r->is_12 = false;
        break;
    case 'h':
    case 'K':
        r->hour = t->letter == 'h' && v == 12 ? 0 : v;
        r->is_12 = true;
        break;
    case 'm':
        r->minute = v;
        break;
    case 's':
        r->second = v;
        break;
    case 'S':
        r->milli = v;
        break;
    default:
        break; /* weeks: read, and left to the other fields */
    }
}

/* A field that is no number. 1: read, 0: it doesn't fit, -1: no such letter. */
static int read_word(struct reading *r, const struct token *t)
{
    static const char *const halves[] = {"AM", "PM"}, *const eras[] = {"BC", "AD"};
    int n;
    switch (t->letter) {
    case 'M':
        n = read_name(r, months, 12);
        r->month = n + 1;
        r->has_date = true;
        return n >= 0;
    case 'E':
        r->week_day = read_name(r, week_days, 7);
        return r->week_day >= 0;
    case 'a':
        for (n = 0; n < 2; n++)
            if (r->end - r->at >= 2 && strncasecmp(r->at, halves[n], 2) == 0) {
                r->pm = n;
                r->at += 2;
                return 1;
            }
        return 0;
    case 'G':
        for (n = 0; n < 2; n++)
            if (r->end - r->at >= 2 && strncasecmp(r->at, eras[n], 2) == 0) {
                r->before_christ = n == 0;
                r->at += 2;
                return 1;
            }
        return 0;
    case 'z':
    case 'Z':
        return read_offset(r, false, t->width);
    case 'X':
        return read_offset(r, true, t->width);
    default:
        return -1;
    }
}

static int mismatch(char *error, size_t size, const char *text, size_t text_len, const char *pattern,
                    size_t len)
{
    snprintf(error, size, "'%.*s' is not written as '%.*s' says", (int)(text_len < 60 ? text_len : 60), text,
             (int)(len < 60 ? len : 60), pattern);
    return ERR_INVALID;
}

static int64_t local_of(const struct reading *r)
{
    int64_t year = r->before_christ ? 1 - r->year : r->year, hour = r->hour;
    int64_t days =
        r->has_year_day ? calendar_days(year, 1, r->year_day) : calendar_days(year, r->month, r->day);
    if (r->is_12 && r->pm == 1)
        hour += 12;
    return days * 86400000 + hour * 3600000 + r->minute * 60000 + r->second * 1000 + r->milli;
}

int date_parse(const char *text, size_t text_len, const char *pattern, size_t len, const struct zone *z,
               int64_t now_ms, int64_t *at_ms, char *error, size_t error_size)
{
    struct pattern p = {pattern, pattern + len, false}, ahead;
    struct token t, next;
    struct date now;
    bool wrong = false, ignored;
    calendar_split(now_ms, &now);
    struct reading r = {.at = text,
                        .end = text + text_len,
                        .year = 1970,
                        .month = 1,
                        .day = 1,
                        .pm = -1,
                        .week_day = -1,
                        .century_from = (int)now.year - 80};
    while (next_token(&p, &t, &wrong)) {
        int64_t v;
        bool fine;
        if (!t.letter) {
            fine = r.at < r.end && *r.at == t.literal;
            r.at++;
        } else if (is_number(t.letter, t.width)) {
            ahead = p;
            bool adjacent = next_token(&ahead, &next, &ignored) && is_number(next.letter, next.width);
            while (!adjacent && r.at < r.end && isspace((unsigned char)*r.at))
                r.at++;
            fine = read_digits(&r, 1, adjacent ? t.width : 0, &v);
            if (fine)
                take_number(&r, &t, v);
        } else {
            int rc = read_word(&r, &t);
            if (rc < 0)
                return wrong_pattern(error, error_size, t.letter);
            fine = rc > 0;
        }
        if (!fine)
            return mismatch(error, error_size, text, text_len, pattern, len);
    }
    if (wrong)
        return wrong_pattern(error, error_size, 0);
    *at_ms = r.has_offset ? local_of(&r) - r.offset_ms : zone_to_utc(z, local_of(&r), false);
    return 0;
}

/* Are the fields in the range java.time asks for? A day past the month's end is cut to it, one past 31 is
 * not. */
static bool check_fields(struct reading *r)
{
    if (!r->has_date || !r->has_time || r->month < 1 || r->month > 12 || r->day < 1 || r->day > 31 ||
        r->minute > 59 || r->second > 59 || (r->is_12 ? r->hour > 11 || r->pm < 0 : r->hour > 24))
        return false;
    if (r->hour == 24 && (r->minute || r->second || r->milli)) /* the end of the day */
        return false;
    int last = calendar_month_days(r->year, (int)r->month);
    if (r->day > last)
        r->day = last;
    struct date d;
    calendar_split(local_of(r), &d);
    return r->week_day < 0 || r->week_day == d.week_day || r->hour == 24;
}

int date_parse_strict(const char *text, size_t text_len, const char *pattern, size_t len, int64_t *local_ms,
                      char *error, size_t error_size)
{
    struct pattern p = {pattern, pattern + len, false};
    struct token t;
    bool wrong = false;
    struct reading r = {.at = text,
                        .end = text + text_len,
                        .year = 1970,
                        .month = 1,
                        .day = 1,
                        .pm = -1,
                        .week_day = -1,
                        .century_from = 2000};
    while (next_token(&p, &t, &wrong)) {
        int64_t v;
        bool fine;
        if (!t.letter) {
            fine = r.at < r.end && *r.at == t.literal;
            r.at++;
        } else if (is_number(t.letter, t.width)) {
            int max = t.width > 1 ? t.width : 0;
            fine = read_digits(&r, t.width, max, &v);
            if (fine && t.letter == 'S')
                for (int i = t.width; i != 3; i += i < 3 ? 1 : -1)
                    v = i < 3 ? v * 10 : v / 10; /* a fraction of the second */
            if (fine)
                take_number(&r, &t, v);
        } else {
            int rc = read_word(&r, &t);
            if (rc < 0)
                return wrong_pattern(error, error_size, t.letter);
            fine = rc > 0;
        }
        if (!fine)
            return mismatch(error, error_size, text, text_len, pattern, len);
    }
    if (wrong)
        return wrong_pattern(error, error_size, 0);
    if (r.at != r.end || !check_fields(&r))
        return mismatch(error, error_size, text, text_len, pattern, len);
    *local_ms = local_of(&r);
    return 0;
}
