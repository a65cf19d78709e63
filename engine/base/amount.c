#include "engine/base/amount.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { WHOLE = 100000 };

static const struct {
    const char *name;
    int64_t bytes;
} units[] = {{"", 1},
             {"b", 1},
             {"kb", 1000},
             {"mb", 1000 * 1000},
             {"gb", 1000 * 1000 * 1000},
             {"tb", INT64_C(1000) * 1000 * 1000 * 1000},
             {"kib", 1 << 10},
             {"mib", 1 << 20},
             {"gib", 1 << 30},
             {"tib", INT64_C(1) << 40}};

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* "25", "12.5" behind which stands '%': digits before the point in whole, the rest in thousandths. */
static bool read_part(struct amount *a, int64_t whole, const char *at)
{
    int32_t part = (int32_t)whole * 1000, digit = 100;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9' && digit; at++, digit /= 10)
            part += (*at - '0') * digit;
    at = skip_blanks(at);
    if (*at != '%' || *skip_blanks(at + 1) || part <= 0 || part > WHOLE)
        return false;
    *a = (struct amount){.is_part = true, .thousandth = part};
    return true;
}

bool amount_read(struct amount *a, const char *text)
{
    const int64_t most = INT64_C(1) << 60;
    const char *at = skip_blanks(text);
    int64_t n = 0;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (n > (most - 9) / 10)
            return false;
        n = n * 10 + (*at - '0');
    }
    if (n <= 100 && strchr(at, '%'))
        return read_part(a, n, at);
    at = skip_blanks(at);
    size_t len = strlen(at);
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    for (size_t i = 0; n && i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != len || strncasecmp(units[i].name, at, len) != 0)
            continue;
        if (n > most / units[i].bytes)
            return false;
        *a = (struct amount){.bytes = n * units[i].bytes};
        return true;
    }
    return false;
}

int64_t amount_of(const struct amount *a, int64_t whole)
{
    if (!a->is_part)
        return a->bytes;
    return whole / WHOLE * a->thousandth + whole % WHOLE * a->thousandth / WHOLE;
}

const char *amount_print(char *text, uint64_t bytes)
{
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB"};
    int unit = 0;
    double n = (double)bytes;
    for (; n >= 1000 && unit < 4; unit++)
        n /= 1000;
    snprintf(text, AMOUNT_TEXT, unit && n < 100 ? "%.1f %s" : "%.0f %s", n, names[unit]);
    return text;
}
