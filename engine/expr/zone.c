/* zone.c - time zones from the system's zone files (TZif, RFC 8536) and fixed offsets. */
#include "engine/base/err.h"
#include "engine/expr/calendar.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_ZONE_BYTES = 256 * 1024, LIMIT_TRANSITIONS = 4000 };

/* When a rule of the footer begins: Mm.w.d, Jn or n, at a second of the day. */
struct rule_day {
    char kind; /* 'M', 'J', 'N' */
    int month, week, day;
    int32_t at_s;
};
struct zone {
    int count;
    int64_t *moments; /* seconds, sorted */
    int32_t *offsets; /* from that moment on */
    const char **names;
    int32_t first_offset; /* before all */
    const char *first_name;
    bool has_rule; /* behind the last moment */
    int32_t standard, summer;
    const char *standard_name, *summer_name;
    struct rule_day from, to;
};

static const struct zone utc = {.first_name = "UTC"};
static struct zone default_zone = {.first_name = "UTC"};
static struct arena default_arena;

const struct zone *zone_utc(void)
{
    return &utc;
}
const struct zone *zone_default(void)
{
    return &default_zone;
}

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static const char *footer_name(struct arena *a, const char **p)
{
    const char *from = *p;
    if (*from == '<') {
        const char *end = strchr(++from, '>');
        if (!end)
            return NULL;
        *p = end + 1;
        return arena_strndup(a, from, (size_t)(end - from));
    }
    while ((**p >= 'a' && **p <= 'z') || (**p >= 'A' && **p <= 'Z'))
        (*p)++;
    return arena_strndup(a, from, (size_t)(*p - from));
}
/* [+-]h[h][:mm[:ss]] in seconds */
static int32_t footer_time(const char **p)
{
    int sign = **p == '-' ? -1 : 1, parts[3] = {0, 0, 0};
    if (**p == '-' || **p == '+')
        (*p)++;
    for (int i = 0; i < 3; i++) {
        while (**p >= '0' && **p <= '9' && parts[i] < 1000)
            parts[i] = parts[i] * 10 + (*(*p)++ - '0');
        if (**p != ':')
            break;
        (*p)++;
    }
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
}
static int footer_number(const char **p)
{
    int n = 0;
    while (**p >= '0' && **p <= '9' && n < 1000)
        n = n * 10 + (*(*p)++ - '0');
    if (**p == '.')
        (*p)++;
    return n;
}
static struct rule_day footer_day(const char **p)
{
    struct rule_day d = {.kind = 'N', .at_s = 7200};
    if (**p == ',')
        (*p)++;
    if (**p == 'M' || **p == 'J')
        d.kind = *(*p)++;
    if (d.kind == 'M') {
        d.month = footer_number(p);
        d.week = footer_number(p);
    }
    d.day = footer_number(p);
    if (**p == '/') {
        (*p)++;
        d.at_s = footer_time(p);
    }
    return d;
}
static void parse_footer(struct zone *z, struct arena *a, const char *p)
{
    z->standard_name = footer_name(a, &p);
    if (!z->standard_name || !*z->standard_name)
        return;
    z->has_rule = true;
    z->summer = z->standard = -footer_time(&p);
    if (!*p)
        return;
    z->summer_name = footer_name(a, &p);
    z->summer = z->standard + 3600;
    if (*p && *p != ',')
        z->summer = -footer_time(&p);
    z->from = footer_day(&p);
    z->to = footer_day(&p);
}

/* ---- the file ---- */

static int64_t big_endian(const uint8_t *p, int bytes)
{
    uint64_t v = bytes == 4 && p[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}
struct tzif {
    uint32_t utc_count, standard_count, leap_count, moment_count, type_count, name_bytes;
    size_t body; /* bytes of the data block with cells of size */
};
static bool read_header(const uint8_t *p, const uint8_t *end, int size, struct tzif *h)
{
    if (end - p < 44 || memcmp(p, "TZif", 4) != 0)
        return false;
    uint32_t *fields[] = {&h->utc_count,    &h->standard_count, &h->leap_count,
                          &h->moment_count, &h->type_count,     &h->name_bytes};
    for (int i = 0; i < 6; i++) {
        int64_t n = big_endian(p + 20 + 4 * i, 4);
        if (n < 0 || n > LIMIT_TRANSITIONS)
            return false;
        *fields[i] = (uint32_t)n;
    }
    h->body = (size_t)h->moment_count * (size_t)(size + 1) + (size_t)h->type_count * 6 + h->name_bytes +
              (size_t)h->leap_count * (size_t)(size + 4) + h->standard_count + h->utc_count;
    return h->type_count > 0 && (size_t)(end - p) >= 44 + h->body;
}

static struct zone *parse_file(struct arena *a, const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    struct tzif h;
    if (!read_header(p, end, 4, &h) || p[4] < '2')
        return NULL;
    p += 44 + h.body; /* the old block is passed by */
    if (!read_header(p, end, 8, &h))
        return NULL;
    const uint8_t *moments = p + 44, *indexes = moments + 8 * (size_t)h.moment_count,
                  *types = indexes + h.moment_count, *names = types + 6 * (size_t)h.type_count,
                  *footer = p + 44 + h.body;
    const char *all_names = arena_strndup(a, (const char *)names, h.name_bytes);
    struct zone *z = arena_alloc(a, sizeof(*z));
    z->count = (int)h.moment_count;
    z->moments = arena_array(a, h.moment_count + 1, sizeof(*z->moments));
    z->offsets = arena_array(a, h.moment_count + 1, sizeof(*z->offsets));
    z->names = arena_array(a, h.moment_count + 1, sizeof(*z->names));
    for (uint32_t i = 0; i <= h.moment_count; i++) { /* the last round: what holds before all */
        const uint8_t *type = types + 6 * (size_t)(i < h.moment_count ? indexes[i] : 0);
        if (type >= names || type[5] >= h.name_bytes)
            return NULL;
        z->offsets[i] = (int32_t)big_endian(type, 4);
        z->names[i] = all_names + type[5];
        if (i < h.moment_count)
            z->moments[i] = big_endian(moments + 8 * (size_t)i, 8);
    }
    z->first_offset = z->offsets[h.moment_count];
    z->first_name = z->names[h.moment_count];
    if (footer < end && *footer == '\n') {
        const uint8_t *stop = memchr(footer + 1, '\n', (size_t)(end - footer - 1));
        if (stop)
            parse_footer(z, a, arena_strndup(a, (const char *)footer + 1, (size_t)(stop - footer - 1)));
    }
    return z;
}

static struct zone *load(struct arena *a, const char *name)
{
    char path[256];
    if (!*name || strlen(name) > 100 || strstr(name, "..") || name[0] == '/' || name[0] == '.')
        return NULL;
    const char *directory = getenv("TZDIR");
    snprintf(path, sizeof(path), "%s/%s", directory && *directory ? directory : "/usr/share/zoneinfo", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    uint8_t *bytes = mem_alloc(LIMIT_ZONE_BYTES);
    size_t len = fread(bytes, 1, LIMIT_ZONE_BYTES, file);
    fclose(file);
    struct zone *z = parse_file(a, bytes, len);
    mem_free(bytes);
    return z;
}

/* ---- names ---- */

/* Java's short ids. */
static const struct {
    const char *id, *zone;
} short_ids[] = {
    {"ACT", "Australia/Darwin"},
    {"AET", "Australia/Sydney"},
    {"AGT", "America/Argentina/Buenos_Aires"},
    {"ART", "Africa/Cairo"},
    {"AST", "America/Anchorage"},
    {"BET", "America/Sao_Paulo"},
    {"BST", "Asia/Dhaka"},
    {"CAT", "Africa/Harare"},
    {"CNT", "America/St_Johns"},
    {"CST", "America/Chicago"},
    {"CTT", "Asia/Shanghai"},
    {"EAT", "Africa/Addis_Ababa"},
    {"ECT", "Europe/Paris"},
    {"EST", "-05:00"},
    {"HST", "-10:00"},
    {"IET", "America/Indiana/Indianapolis"},
    {"IST", "Asia/Kolkata"},
    {"JST", "Asia/Tokyo"},
    {"MIT", "Pacific/Apia"},
    {"MST", "-07:00"},
    {"NET", "Asia/Yerevan"},
    {"NST", "Pacific/Auckland"},
    {"PLT", "Asia/Karachi"},
    {"PNT", "America/Phoenix"},
    {"PRT", "America/Puerto_Rico"},
    {"PST", "America/Los_Angeles"},
    {"SST", "Pacific/Guadalcanal"},
    {"VST", "Asia/Ho_Chi_Minh"},
};

static bool two_digits(const char *p, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + p[1] - '0';
    return true;
}
/* +h, +hh, +hh:mm, +hhmm, +hh:mm:ss, +hhmmss */
static bool parse_offset(const char *s, int32_t *out)
{
    size_t len = strlen(s);
    int h = 0, m = 0, sec = 0;
    bool fine = false;
    if (s[0] != '+' && s[0] != '-')
        return false;
    if (len == 2) {
        fine = s[1] >= '0' && s[1] <= '9';
        h = s[1] - '0';
    } else if (len == 3) {
        fine = two_digits(s + 1, &h);
    } else if (len == 5) {
        fine = two_digits(s + 1, &h) && two_digits(s + 3, &m);
    } else if (len == 6) {
        fine = two_digits(s + 1, &h) && s[3] == ':' && two_digits(s + 4, &m);
    } else if (len == 7) {
        fine = two_digits(s + 1, &h) && two_digits(s + 3, &m) && two_digits(s + 5, &sec);
    } else if (len == 9) {
        fine = two_digits(s + 1, &h) && s[3] == ':' && two_digits(s + 4, &m) && s[6] == ':' &&
               two_digits(s + 7, &sec);
    }
    if (!fine || m > 59 || sec > 59 || h * 3600 + m * 60 + sec > 18 * 3600)
        return false;
    *out = (s[0] == '-' ? -1 : 1) * (h * 3600 + m * 60 + sec);
    return true;
}

static struct zone *fixed(struct arena *a, int32_t offset, const char *name)
{
    struct zone *z = arena_alloc(a, sizeof(*z));
    z->first_offset = offset;
    z->first_name = arena_strdup(a, name);
    return z;
}

const struct zone *zone_find(struct arena *a, const char *text, size_t len)
{
    if (len == 0 || len > 100)
        return NULL;
    const char *name = arena_strndup(a, text, len);
    int32_t offset;
    for (size_t i = 0; i < sizeof(short_ids) / sizeof(*short_ids); i++)
        if (strcmp(name, short_ids[i].id) == 0) {
            name = short_ids[i].zone;
            break;
        }
    if (strcmp(name, "Z") == 0)
        return &utc;
    if (parse_offset(name, &offset))
        return fixed(a, offset, name);
    static const char *const prefixes[] = {"UTC", "GMT", "UT"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], n) != 0)
            continue;
        if (!name[n])
            return &utc;
        if (parse_offset(name + n, &offset))
            return fixed(a, offset, name);
    }
    return load(a, name);
}

int zone_set_default(const char *name)
{
    if (!default_arena.block_bytes)
        arena_init(&default_arena, 4096);
    const struct zone *z = zone_find(&default_arena, name, strlen(name));
    if (!z)
        return ERR_NOT_FOUND;
    default_zone = *z;
    return 0;
}

/* ---- offsets ---- */

/* The moment (local seconds) of a rule in a year. */
static int64_t rule_moment(const struct rule_day *r, int64_t year)
{
    int64_t day;
    if (r->kind == 'M') {
        int64_t first = calendar_days(year, r->month, 1);
        int64_t week_day = ((first + 4) % 7 + 7) % 7;
        day = first + (r->day - week_day + 7) % 7 + (r->week - 1) * 7;
        if (day >= calendar_days(year, r->month + 1, 1))
            day -= 7;
    } else {
        day = calendar_days(year, 1, 1) + r->day;
        if (r->kind == 'J') /* from 1, without 29 February */
            day += r->day >= 60 && calendar_month_days(year, 2) == 29 ? 0 : -1;
    }
    return day * 86400 + r->at_s;
}
static bool is_summer(const struct zone *z, int64_t at_s)
{
    struct date d;
    calendar_split((at_s + z->standard) * 1000, &d);
    int64_t from = rule_moment(&z->from, d.year) - z->standard, to = rule_moment(&z->to, d.year) - z->summer;
    return from < to ? at_s >= from && at_s < to : at_s >= from || at_s < to;
}
/* The place of the last moment at or before at_s, -1: before all. */
static int place(const struct zone *z, int64_t at_s)
{
    int low = 0, high = z->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (z->moments[middle] <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}
static int64_t floor_second(int64_t ms)
{
    return ms / 1000 - (ms % 1000 < 0);
}

int64_t zone_offset_ms(const struct zone *z, int64_t at_ms)
{
    int64_t at_s = floor_second(at_ms);
    int at = place(z, at_s);
    int32_t offset = at < 0 ? z->first_offset : z->offsets[at];
    if (z->has_rule && at == z->count - 1)
        offset = z->summer_name && is_summer(z, at_s) ? z->summer : z->standard;
    return (int64_t)offset * 1000;
}
const char *zone_name(const struct zone *z, int64_t at_ms)
{
    int64_t at_s = floor_second(at_ms);
    int at = place(z, at_s);
    if (z->has_rule && at == z->count - 1)
        return z->summer_name && is_summer(z, at_s) ? z->summer_name : z->standard_name;
    return at < 0 ? z->first_name : z->names[at];
}

int64_t zone_to_utc(const struct zone *z, int64_t local_ms, bool earlier)
{
    const int64_t day = 86400000;
    int64_t before = zone_offset_ms(z, local_ms - day), after = zone_offset_ms(z, local_ms + day);
    if (before == after)
        return local_ms - before;
    int64_t one = local_ms - before, two = local_ms - after;
    bool one_fits = zone_offset_ms(z, one) == before, two_fits = zone_offset_ms(z, two) == after;
    if (one_fits && two_fits)
        return (one < two) == earlier ? one : two;
    return two_fits ? two : one; /* in a gap: by the offset before it, which moves forward */
}
