/* fn_time.c - time: (spec 20 section 3). Text is in the default zone (zone_set_default); a null argument
 * mostly gives null. */
#include "engine/expr/calendar.h"
#include "engine/expr/fn.h"
#include <strings.h>

static const char DEFAULT_PATTERN[] = "yyyy-MM-dd HH:mm:ss.SSS", DAY_PATTERN[] = "yyyy-MM-dd",
                  SECOND_PATTERN[] = "yyyy-MM-dd HH:mm:ss";
enum { DAY_MS = 86400000 };

struct chars {
    const char *bytes;
    size_t len;
};
#define CHARS(literal) ((struct chars){literal, sizeof(literal) - 1})

static struct value print(const struct expr *e, struct frame *f, struct chars pattern, int64_t at_ms,
                          const struct zone *z)
{
    char error[160];
    struct buf out;
    buf_init(&out, LIMIT_RESULT_BYTES);
    if (date_print(&out, pattern.bytes, pattern.len, at_ms, z, error, sizeof(error)) < 0) {
        buf_fini(&out);
        return expr_fail(f->env, "%s: %s", e->name, error);
    }
    return result_buf(f, &out);
}
static bool parse(const struct expr *e, struct frame *f, const struct text *s, struct chars pattern,
                  int64_t *at_ms)
{
    char error[200];
    if (date_parse(s->bytes, s->len, pattern.bytes, pattern.len, zone_default(), f->env->now_ms, at_ms, error,
                   sizeof(error)) == 0)
        return true;
    expr_fail(f->env, "%s: %s", e->name, error);
    return false;
}
/* Argument n as a pattern, the default one when it isn't there: 1, 0 null, -1 failed. */
static int arg_pattern(const struct expr *e, struct frame *f, int n, struct chars *out)
{
    struct text *s;
    *out = CHARS(DEFAULT_PATTERN);
    if (n >= e->arg_count)
        return 1;
    int rc = arg_text_or_null(e, f, n, &s);
    if (rc > 0)
        *out = (struct chars){s->bytes, s->len};
    return rc;
}
/* The moment that argument n tells by the pattern in argument at: 1, 0 null, -1 failed. */
static int arg_moment(const struct expr *e, struct frame *f, int n, int at, struct chars *pattern,
                      int64_t *at_ms)
{
    struct text *s;
    int rc = arg_text_or_null(e, f, n, &s);
    int there = rc < 0 ? rc : arg_pattern(e, f, at, pattern);
    if (rc <= 0 || there <= 0)
        return rc < 0 || there < 0 ? -1 : 0;
    return parse(e, f, s, *pattern, at_ms) ? 1 : -1;
}
static int arg_count_or_null(const struct expr *e, struct frame *f, int n, int64_t *out)
{
    struct value v = arg(e, f, n);
    if (f->env->failed)
        return -1;
    if (is_null(v))
        return 0;
    if (v.type != TYPE_LONG && v.type != TYPE_INT) {
        fail_operand(f, e, v, "an int or long");
        return -1;
    }
    *out = v.as.l;
    return 1;
}

/* A long that is a moment; the calendar goes a hundred million years. */
static const int64_t MOMENT_MAX = INT64_MAX / 2;
static int arg_long_or_null(const struct expr *e, struct frame *f, int n, int64_t *at_ms)
{
    int rc = arg_count_or_null(e, f, n, at_ms);
    if (rc > 0 && (*at_ms > MOMENT_MAX || *at_ms < -MOMENT_MAX)) {
        expr_fail(f->env, "%s: %lld is no time", e->name, (long long)*at_ms);
        return -1;
    }
    return rc;
}

/* ---- now ---- */

static struct value eval_current_date(const struct expr *e, struct frame *f)
{
    return print(e, f, CHARS(DAY_PATTERN), f->env->now_ms, zone_default());
}
static struct value eval_current_time(const struct expr *e, struct frame *f)
{
    return print(e, f, CHARS("HH:mm:ss"), f->env->now_ms, zone_default());
}
static struct value eval_current_timestamp(const struct expr *e, struct frame *f)
{
    const struct zone *z = e->config;
    if (!z)
        return expr_fail(f->env, "%s: there is no time zone '%.40s'", e->name, arg_literal(e, 0).as.s->bytes);
    return print(e, f, CHARS(SECOND_PATTERN), f->env->now_ms, z);
}
static int bind_current_timestamp(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)call;
    const struct text *name = e->arg_count ? arg_literal(e, 0).as.s : NULL;
    e->config = name ? zone_find(c->arena, name->bytes, name->len) : zone_default();
    return 0;
}
static struct value eval_utc_timestamp(const struct expr *e, struct frame *f)
{
    struct chars pattern = CHARS(SECOND_PATTERN);
    if (e->arg_count) {
        const struct text *s = arg_text(e, f, 0);
        if (!s)
            return VALUE_NULL;
        pattern = (struct chars){s->bytes, s->len};
    }
    return print(e, f, pattern, f->env->now_ms, zone_utc());
}

/* ---- text to time and back ---- */

static struct value eval_milliseconds(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    struct chars pattern;
    int rc = e->arg_count ? arg_moment(e, f, 0, 1, &pattern, &at_ms) : 0;
    if (rc > 0)
        return value_long(at_ms);
    return rc == 0 && e->arg_count < 2 ? value_long(f->env->now_ms) : VALUE_NULL;
}
static struct value eval_format_text(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    struct chars pattern, target;
    int there = arg_pattern(e, f, 1, &target);
    if (there <= 0 || arg_moment(e, f, 0, 2, &pattern, &at_ms) <= 0)
        return VALUE_NULL;
    return print(e, f, target, at_ms, zone_default());
}
static struct value eval_format_long(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    struct chars target;
    if (arg_long_or_null(e, f, 0, &at_ms) <= 0 || arg_pattern(e, f, 1, &target) <= 0)
        return VALUE_NULL;
    return print(e, f, target, at_ms, zone_default());
}
static struct value eval_date(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    struct chars pattern;
    if (arg_moment(e, f, 0, 1, &pattern, &at_ms) <= 0)
        return VALUE_NULL;
    return print(e, f, CHARS(DAY_PATTERN), at_ms, zone_default());
}
static struct value eval_day_of_week(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    struct chars pattern;
    struct text *s;
    if (e->arg_count == 2) {
        if (arg_moment(e, f, 0, 1, &pattern, &at_ms) <= 0)
            return VALUE_NULL;
    } else {
        if (arg_text_or_null(e, f, 0, &s) <= 0)
            return VALUE_NULL;
        const char *blank = memchr(s->bytes, ' ', s->len);
        if (blank)
            s = text_scratch(f->env->scratch, s->bytes, (size_t)(blank - s->bytes));
        if (!parse(e, f, s, CHARS(DAY_PATTERN), &at_ms))
            return VALUE_NULL;
    }
    return print(e, f, CHARS("EEEE"), at_ms, zone_default());
}

/* ---- arithmetic ---- */

enum unit {
    UNIT_NONE,
    UNIT_YEAR,
    UNIT_QUARTER,
    UNIT_MONTH,
    UNIT_WEEK,
    UNIT_DAY,
    UNIT_HOUR,
    UNIT_MINUTE,
    UNIT_SECOND
};
static enum unit unit_of(const struct text *s)
{
    static const char *const names[] = {"",    "YEAR", "QUARTER", "MONTH", "WEEK",
                                        "DAY", "HOUR", "MINUTE",  "SECOND"};
    for (int i = UNIT_YEAR; i <= UNIT_SECOND; i++)
        if (strcasecmp(s->bytes, names[i]) == 0)
            return (enum unit)i;
    return UNIT_NONE;
}
static int bind_unit_at(struct expr *e, int n)
{
    e->index = (uint16_t)unit_of(arg_literal(e, n).as.s);
    return 0;
}
static int bind_unit_first(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    (void)call;
    return bind_unit_at(e, 0);
}
static int bind_unit_second(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    (void)call;
    return bind_unit_at(e, 1);
}
static int bind_unit_third(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    (void)call;
    return bind_unit_at(e, 2);
}

/* Hours and less are lengths of time; days and more go by the calendar of the default zone. */
static int64_t add_units(int64_t at_ms, int64_t n, enum unit unit)
{
    const struct zone *z = zone_default();
    int64_t local = at_ms + zone_offset_ms(z, at_ms);
    switch (unit) {
    case UNIT_NONE:
        return at_ms;
    case UNIT_SECOND:
        return at_ms + n * 1000;
    case UNIT_MINUTE:
        return at_ms + n * 60000;
    case UNIT_HOUR:
        return at_ms + n * 3600000;
    case UNIT_DAY:
        return zone_to_utc(z, local + n * DAY_MS, false);
    case UNIT_WEEK:
        return zone_to_utc(z, local + n * 7 * DAY_MS, false);
    case UNIT_MONTH:
        return zone_to_utc(z, calendar_add_months(local, n), false);
    case UNIT_QUARTER:
        return zone_to_utc(z, calendar_add_months(local, n * 3), false);
    case UNIT_YEAR:
        return zone_to_utc(z, calendar_add_months(local, n * 12), false);
    }
    return at_ms;
}

/* Does at_ms stay a moment when n units are added? */
static bool check_sum(const struct expr *e, struct frame *f, int64_t at_ms, int64_t n)
{
    static const double unit_ms[] = {0,      366.0 * DAY_MS, 93.0 * DAY_MS, 31.0 * DAY_MS, 7.0 * DAY_MS,
                                     DAY_MS, 3600000,        60000,         1000};
    double sum = (double)at_ms + (double)n * unit_ms[e->index];
    if (sum > -(double)MOMENT_MAX && sum < (double)MOMENT_MAX)
        return true;
    expr_fail(f->env, "%s: the result is no time", e->name);
    return false;
}
static struct value add_text(const struct expr *e, struct frame *f, int sign)
{
    int64_t at_ms, n;
    struct chars pattern;
    if (arg_count_or_null(e, f, 1, &n) <= 0 || arg_moment(e, f, 0, 3, &pattern, &at_ms) <= 0 ||
        !check_sum(e, f, at_ms, sign * n))
        return VALUE_NULL;
    return print(e, f, pattern, add_units(at_ms, sign * n, (enum unit)e->index), zone_default());
}
static struct value add_long(const struct expr *e, struct frame *f, int sign)
{
    int64_t at_ms, n;
    if (arg_long_or_null(e, f, 0, &at_ms) <= 0 || arg_count_or_null(e, f, 1, &n) <= 0 ||
        !check_sum(e, f, at_ms, sign * n))
        return VALUE_NULL;
    return value_text(text_of(f->env, value_long(add_units(at_ms, sign * n, (enum unit)e->index))));
}
static struct value eval_add_text(const struct expr *e, struct frame *f)
{
    return add_text(e, f, 1);
}
static struct value eval_sub_text(const struct expr *e, struct frame *f)
{
    return add_text(e, f, -1);
}
static struct value eval_add_long(const struct expr *e, struct frame *f)
{
    return add_long(e, f, 1);
}
static struct value eval_sub_long(const struct expr *e, struct frame *f)
{
    return add_long(e, f, -1);
}

static struct value eval_diff_text(const struct expr *e, struct frame *f)
{
    int64_t a, b;
    struct chars pattern;
    struct text *s;
    for (int i = 0; i < e->arg_count; i++) /* a null before a text that is wrong */
        if (arg_text_or_null(e, f, i, &s) <= 0)
            return VALUE_NULL;
    if (arg_moment(e, f, 0, 2, &pattern, &a) <= 0 || arg_moment(e, f, 1, 3, &pattern, &b) <= 0)
        return VALUE_NULL;
    return value_long((a - b) / DAY_MS);
}
static struct value eval_diff_long(const struct expr *e, struct frame *f)
{
    int64_t a, b;
    if (arg_long_or_null(e, f, 0, &a) <= 0 || arg_long_or_null(e, f, 1, &b) <= 0)
        return VALUE_NULL;
    return value_long((a - b) / DAY_MS);
}

/* ---- fields ---- */

static struct value extract(const struct expr *e, int64_t at_ms, int locale_at)
{
    struct date d;
    bool iso = false;
    if (locale_at < e->arg_count) {
        const char *locale = arg_literal(e, locale_at).as.s->bytes;
        iso = strncmp(locale, "en_US", 5) != 0 && strcmp(locale, "en") != 0;
    }
    calendar_split(at_ms + zone_offset_ms(zone_default(), at_ms), &d);
    switch ((enum unit)e->index) {
    case UNIT_YEAR:
        return value_int((int32_t)(d.year > 0 ? d.year : 1 - d.year));
    case UNIT_QUARTER:
        return value_int((d.month - 1) / 3 + 1);
    case UNIT_MONTH:
        return value_int(d.month);
    case UNIT_WEEK:
        return value_int(calendar_week(&d, iso));
    case UNIT_DAY:
        return value_int(d.day);
    case UNIT_HOUR:
        return value_int(d.hour);
    case UNIT_MINUTE:
        return value_int(d.minute);
    case UNIT_SECOND:
        return value_int(d.second);
    case UNIT_NONE:
        break;
    }
    return value_int(0);
}
static struct value eval_extract_text(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    struct chars pattern;
    return arg_moment(e, f, 1, 2, &pattern, &at_ms) > 0 ? extract(e, at_ms, 3) : VALUE_NULL;
}
static struct value eval_extract_long(const struct expr *e, struct frame *f)
{
    int64_t at_ms;
    return arg_long_or_null(e, f, 0, &at_ms) > 0 ? extract(e, at_ms, 2) : VALUE_NULL;
}

/* ---- zones ---- */

static const struct zone *arg_zone(const struct expr *e, struct frame *f, const struct text *name)
{
    const struct zone *z = zone_find(f->env->scratch, name->bytes, name->len);
    if (!z)
        expr_fail(f->env, "%s: there is no time zone '%.40s'", e->name, name->bytes);
    return z;
}
static struct value eval_convert_zone(const struct expr *e, struct frame *f)
{
    struct text *args[4] = {NULL, NULL, NULL, NULL};
    for (int i = 0; i < e->arg_count; i++)
        if (arg_text_or_null(e, f, i, &args[i]) <= 0)
            return VALUE_NULL;
    KNOWN(args[2]);
    const struct zone *to = arg_zone(e, f, args[2]),
                      *from = args[3] ? arg_zone(e, f, args[3]) : zone_default();
    int64_t local;
    char error[200];
    if (!to || !from)
        return VALUE_NULL;
    if (date_parse_strict(args[0]->bytes, args[0]->len, args[1]->bytes, args[1]->len, &local, error,
                          sizeof(error)) < 0)
        return expr_fail(f->env, "%s: %s", e->name, error);
    struct buf out;
    buf_init(&out, LIMIT_RESULT_BYTES);
    if (date_print_strict(&out, args[1]->bytes, args[1]->len, zone_to_utc(from, local, true), to, error,
                          sizeof(error)) < 0) {
        buf_fini(&out);
        return expr_fail(f->env, "%s: %s", e->name, error);
    }
    return result_buf(f, &out);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_time[] = {
    {"time", "currentDate", "", TYPE_STRING, eval_current_date, NULL},
    {"time", "currentTime", "", TYPE_STRING, eval_current_time, NULL},
    {"time", "currentTimestamp", "?S", TYPE_STRING, eval_current_timestamp, bind_current_timestamp},
    {"time", "date", "s?s", TYPE_STRING, eval_date, NULL},
    {"time", "dateAdd", "siS?s", TYPE_STRING, eval_add_text, bind_unit_third},
    {"time", "dateAdd", "liS", TYPE_STRING, eval_add_long, bind_unit_third},
    {"time", "dateDiff", "ss", TYPE_LONG, eval_diff_text, NULL},
    {"time", "dateDiff", "ssss", TYPE_LONG, eval_diff_text, NULL},
    {"time", "dateDiff", "ll", TYPE_LONG, eval_diff_long, NULL},
    {"time", "dateFormat", "ss?s", TYPE_STRING, eval_format_text, NULL},
    {"time", "dateFormat", "ls", TYPE_STRING, eval_format_long, NULL},
    {"time", "dateSub", "siS?s", TYPE_STRING, eval_sub_text, bind_unit_third},
    {"time", "dateSub", "liS", TYPE_STRING, eval_sub_long, bind_unit_third},
    {"time", "dayOfWeek", "s?s", TYPE_STRING, eval_day_of_week, NULL},
    {"time", "extract", "Ss?sS", TYPE_INT, eval_extract_text, bind_unit_first},
    {"time", "extract", "lS?S", TYPE_INT, eval_extract_long, bind_unit_second},
    {"time", "timestampInMilliseconds", "?ss", TYPE_LONG, eval_milliseconds, NULL},
    {"time", "timezoneConvert", "sss?s", TYPE_STRING, eval_convert_zone, NULL},
    {"time", "utcTimestamp", "?s", TYPE_STRING, eval_utc_timestamp, NULL},
    {0},
};
