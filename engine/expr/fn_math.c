/* fn_math.c - math: (spec 20 section 2). A null argument gives null; the others are computed in double by the
 * C library, as Java's are. */
#include "engine/base/num.h"
#include "engine/expr/fn.h"
#include <ctype.h>
#include <math.h>

typedef double (*math1)(double);
typedef double (*math2)(double, double);
static const double PI = 3.14159265358979323846, E = 2.7182818284590452354;

static double log2_as_java(double x)
{
    return log(x) / log(2.0);
}
static double cbrt_fixed(double x)
{
    return cbrt(x);
}
static double to_degrees(double x)
{
    return x * (180.0 / PI);
}
static double to_radians(double x)
{
    return x * (PI / 180.0);
}
static double java_max(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : a == b ? (signbit(a) ? b : a) : a > b ? a : b;
}
static double java_min(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : a == b ? (signbit(a) ? a : b) : a < b ? a : b;
}
static double java_pow(double a, double b)
{
    return isnan(b) || (fabs(a) == 1 && isinf(b)) ? NAN : pow(a, b);
}

static struct value evaluate1(const struct expr *e, struct frame *f, math1 function)
{
    double x;
    return arg_double_or_null(e, f, 0, &x) > 0 ? value_double(function(x)) : VALUE_NULL;
}
static struct value evaluate2(const struct expr *e, struct frame *f, math2 function)
{
    double x, y;
    if (arg_double_or_null(e, f, 0, &x) <= 0 || arg_double_or_null(e, f, 1, &y) <= 0)
        return VALUE_NULL;
    return value_double(function(x, y));
}
#define EVAL1(name, function)                                              \
    static struct value eval_##name(const struct expr *e, struct frame *f) \
    {                                                                      \
        return evaluate1(e, f, function);                                  \
    }
#define EVAL2(name, function)                                              \
    static struct value eval_##name(const struct expr *e, struct frame *f) \
    {                                                                      \
        return evaluate2(e, f, function);                                  \
    }
EVAL1(abs, fabs)
EVAL1(acos, acos)
EVAL1(asin, asin)
EVAL1(atan, atan)
EVAL1(cbrt, cbrt_fixed)
EVAL1(ceil, ceil)
EVAL1(cos, cos)
EVAL1(cosh, cosh)
EVAL1(exp, exp)
EVAL1(floor, floor)
EVAL1(ln, log)
EVAL1(log10, log10)
EVAL1(log2, log2_as_java)
EVAL1(sin, sin)
EVAL1(sinh, sinh)
EVAL1(sqrt, sqrt)
EVAL1(tan, tan)
EVAL1(tanh, tanh)
EVAL1(to_degrees, to_degrees)
EVAL1(to_radians, to_radians)
EVAL2(atan2, atan2)
EVAL2(copy_sign, copysign)
EVAL2(max, java_max)
EVAL2(min, java_min)
EVAL2(power, java_pow)

static struct value eval_e(const struct expr *e, struct frame *f)
{
    (void)e;
    (void)f;
    return value_double(E);
}
static struct value eval_pi(const struct expr *e, struct frame *f)
{
    (void)e;
    (void)f;
    return value_double(PI);
}

static struct value eval_log(const struct expr *e, struct frame *f)
{
    double x, base;
    if (arg_double_or_null(e, f, 0, &x) <= 0 || arg_double_or_null(e, f, 1, &base) <= 0)
        return VALUE_NULL;
    if (base == 1)
        return expr_fail(f->env, "math:log: there is no logarithm to the base 1");
    return value_double(log(x) / log(base));
}
static struct value eval_signum(const struct expr *e, struct frame *f)
{
    double x;
    return arg_double_or_null(e, f, 0, &x) > 0 ? value_int((x > 0) - (x < 0)) : VALUE_NULL;
}
static struct value eval_get_exponent(const struct expr *e, struct frame *f)
{
    double x;
    if (arg_double_or_null(e, f, 0, &x) <= 0)
        return VALUE_NULL;
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return value_int((int32_t)(bits >> 52 & 0x7ff) -
                     1023); /* the field as it is: subnormals -1023, NaN 1024 */
}
static struct value eval_round(const struct expr *e, struct frame *f)
{
    double x;
    if (arg_double_or_null(e, f, 0, &x) <= 0)
        return VALUE_NULL;
    double low = floor(x), rounded = x - low >= 0.5 ? low + 1 : low; /* x + 0.5 would round twice */
    return e->type == TYPE_INT ? value_int(num_double_to_int(rounded))
                               : value_long(num_double_to_long(rounded));
}
static struct value eval_is_nan(const struct expr *e, struct frame *f)
{
    double x;
    return value_bool(arg_double_or_null(e, f, 0, &x) > 0 && isnan(x));
}
static struct value eval_is_infinite(const struct expr *e, struct frame *f)
{
    double x;
    return value_bool(arg_double_or_null(e, f, 0, &x) > 0 && isinf(x));
}

/* ---- text of numbers ---- */

/* value in base 2 to the bits, without padding. */
static struct value power_text(struct frame *f, uint64_t value, int bits)
{
    char out[64];
    size_t at = sizeof(out);
    do
        out[--at] = "0123456789abcdef"[value & ((1u << bits) - 1)];
    while (value >>= bits);
    return result_text(f, out + at, sizeof(out) - at);
}
/* An int or long as its two's complement: 1 there, 0 null, -1 failed. */
static int arg_bits(const struct expr *e, struct frame *f, uint64_t *out)
{
    struct value v = arg(e, f, 0);
    if (is_null(v))
        return f->env->failed ? -1 : 0;
    if (v.type != TYPE_INT && v.type != TYPE_LONG) {
        fail_operand(f, e, v, "an int or long");
        return -1;
    }
    *out = v.type == TYPE_INT ? (uint32_t)v.as.l : (uint64_t)v.as.l;
    return 1;
}
static struct value eval_bin(const struct expr *e, struct frame *f)
{
    uint64_t v;
    return arg_bits(e, f, &v) > 0 ? power_text(f, v, 1) : VALUE_NULL;
}
static struct value eval_oct(const struct expr *e, struct frame *f)
{
    uint64_t v;
    return arg_bits(e, f, &v) > 0 ? power_text(f, v, 3) : VALUE_NULL;
}
/* Java's hexadecimal text of a float or double: 0x1.4p1, subnormals 0x0.8p-1022 (float: p-126). */
static struct value real_hex(struct frame *f, double x, bool is_float)
{
    char out[64];
    if (isnan(x))
        return result_text(f, "NaN", 3);
    if (isinf(x))
        return x < 0 ? result_text(f, "-Infinity", 9) : result_text(f, "Infinity", 8);
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    uint64_t fraction = bits & ((1ull << 52) - 1);
    bool normal = x != 0 && exponent >= (is_float ? -126 : -1022);
    if (x == 0) {
        exponent = 0;
    } else if (!normal && is_float) { /* a double of a subnormal float is normal: shift its point */
        fraction = (fraction | 1ull << 52) >> (-126 - exponent);
        exponent = -126;
    } else if (!normal) {
        exponent = -1022;
    }
    int n = snprintf(out, sizeof(out), "%s0x%d.%013llx", signbit(x) ? "-" : "", normal,
                     (unsigned long long)fraction);
    while (out[n - 1] == '0' && out[n - 2] != '.')
        n--;
    n += snprintf(out + n, sizeof(out) - (size_t)n, "p%d", exponent);
    return result_text(f, out, (size_t)n);
}
static struct value eval_hex(const struct expr *e, struct frame *f)
{
    struct value v = arg(e, f, 0);
    uint64_t bits;
    if (v.type == TYPE_FLOAT || v.type == TYPE_DOUBLE)
        return real_hex(f, value_to_double(v), v.type == TYPE_FLOAT);
    return arg_bits(e, f, &bits) > 0 ? power_text(f, bits, 4) : VALUE_NULL;
}

/* [+-]?digits of the base, in the range of int. */
static bool parse_base(const struct text *s, int base, int32_t *out)
{
    uint32_t at = 0;
    bool negative = s->len && s->bytes[0] == '-';
    if (s->len && (s->bytes[0] == '-' || s->bytes[0] == '+'))
        at++;
    int64_t n = 0;
    if (at == s->len || base < 2 || base > 36)
        return false;
    for (; at < s->len; at++) {
        int c = tolower((unsigned char)s->bytes[at]);
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
        n = n * base + digit;
        if (digit >= base || n > (int64_t)INT32_MAX + negative)
            return false;
    }
    *out = (int32_t)(negative ? -n : n);
    return true;
}
static struct value eval_conv(const struct expr *e, struct frame *f)
{
    struct text *s;
    int32_t n, from, to;
    int there = arg_text_or_null(e, f, 0, &s);
    struct value a = arg(e, f, 1), b = arg(e, f, 2);
    if (there <= 0 || is_null(a) || is_null(b))
        return VALUE_NULL;
    if (!arg_int(e, f, 1, &from) || !arg_int(e, f, 2, &to))
        return VALUE_NULL;
    if (!parse_base(s, from, &n))
        return expr_fail(f->env, "math:conv: '%.40s' is no int to the base %d", s->bytes, (int)from);
    if (to < 2 || to > 36)
        to = 10;
    char out[40];
    size_t at = sizeof(out);
    uint64_t rest = (uint64_t)(n < 0 ? -(int64_t)n : n);
    do
        out[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[rest % (uint64_t)to];
    while (rest /= (uint64_t)to);
    if (n < 0)
        out[--at] = '-';
    return result_text(f, out + at, sizeof(out) - at);
}

static struct value eval_parse(const struct expr *e, struct frame *f)
{
    struct text *s;
    if (arg_text_or_null(e, f, 0, &s) <= 0)
        return VALUE_NULL;
    struct value v = value_convert(f->env, value_text(s), e->type);
    return is_null(v) ? expr_fail(f->env, "%s: '%.40s' is no %s", e->name, s->bytes, type_name(e->type)) : v;
}

/* ---- chance: with a seed, the 48-bit generator of java.util.Random ---- */

enum { RANDOM_BITS = 48 };
static const uint64_t RANDOM_FACTOR = 0x5DEECE66Du, RANDOM_MASK = (1ull << RANDOM_BITS) - 1;

static uint64_t random_next(uint64_t *state, int bits)
{
    *state = (*state * RANDOM_FACTOR + 0xB) & RANDOM_MASK;
    return *state >> (RANDOM_BITS - bits);
}
static struct value eval_random_seeded(const struct expr *e, struct frame *f)
{
    uint64_t first = ((uint64_t)arg_literal(e, 0).as.l ^ RANDOM_FACTOR) & RANDOM_MASK;
    uint64_t *state = e->config ? (uint64_t *)(uintptr_t)e->config : expr_sequence(f->env, e, first);
    uint64_t high = random_next(state, 26) << 27;
    return value_double((double)(high + random_next(state, 27)) * 0x1p-53);
}
static struct value eval_random(const struct expr *e, struct frame *f)
{
    (void)e;
    return value_double((double)(expr_random(f->env) >> 11) * 0x1p-53);
}

/* An on-demand query ends before the app does: its sequence ends with it. */
static int bind_random(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)call;
    if (!c->is_on_demand)
        return 0;
    uint64_t *state = arena_alloc(c->arena, sizeof(*state));
    *state = ((uint64_t)arg_literal(e, 0).as.l ^ RANDOM_FACTOR) & RANDOM_MASK;
    e->config = state;
    return 0;
}

/* Rows: takes is explained in fn.h. */
const struct function fn_math[] = {
    {"math", "abs", "n", TYPE_DOUBLE, eval_abs, NULL},
    {"math", "acos", "r", TYPE_DOUBLE, eval_acos, NULL},
    {"math", "asin", "r", TYPE_DOUBLE, eval_asin, NULL},
    {"math", "atan", "n", TYPE_DOUBLE, eval_atan, NULL},
    {"math", "atan", "nn", TYPE_DOUBLE, eval_atan2, NULL},
    {"math", "bin", "w", TYPE_STRING, eval_bin, NULL},
    {"math", "cbrt", "n", TYPE_DOUBLE, eval_cbrt, NULL},
    {"math", "ceil", "r", TYPE_DOUBLE, eval_ceil, NULL},
    {"math", "conv", "sii", TYPE_STRING, eval_conv, NULL},
    {"math", "copySign", "nn", TYPE_DOUBLE, eval_copy_sign, NULL},
    {"math", "cos", "n", TYPE_DOUBLE, eval_cos, NULL},
    {"math", "cosh", "n", TYPE_DOUBLE, eval_cosh, NULL},
    {"math", "e", "", TYPE_DOUBLE, eval_e, NULL},
    {"math", "exp", "n", TYPE_DOUBLE, eval_exp, NULL},
    {"math", "floor", "n", TYPE_DOUBLE, eval_floor, NULL},
    {"math", "getExponent", "n", TYPE_INT, eval_get_exponent, NULL},
    {"math", "hex", "n", TYPE_STRING, eval_hex, NULL},
    {"math", "isInfinite", "r", TYPE_BOOL, eval_is_infinite, NULL},
    {"math", "isNan", "r", TYPE_BOOL, eval_is_nan, NULL},
    {"math", "ln", "n", TYPE_DOUBLE, eval_ln, NULL},
    {"math", "log", "nn", TYPE_DOUBLE, eval_log, NULL},
    {"math", "log10", "n", TYPE_DOUBLE, eval_log10, NULL},
    {"math", "log2", "n", TYPE_DOUBLE, eval_log2, NULL},
    {"math", "max", "nn", TYPE_DOUBLE, eval_max, NULL},
    {"math", "min", "nn", TYPE_DOUBLE, eval_min, NULL},
    {"math", "oct", "w", TYPE_STRING, eval_oct, NULL},
    {"math", "parseDouble", "s", TYPE_DOUBLE, eval_parse, NULL},
    {"math", "parseFloat", "s", TYPE_FLOAT, eval_parse, NULL},
    {"math", "parseInt", "s", TYPE_INT, eval_parse, NULL},
    {"math", "parseLong", "s", TYPE_LONG, eval_parse, NULL},
    {"math", "pi", "", TYPE_DOUBLE, eval_pi, NULL},
    {"math", "power", "nn", TYPE_DOUBLE, eval_power, NULL},
    {"math", "rand", "", TYPE_DOUBLE, eval_random, NULL},
    {"math", "rand", "W", TYPE_DOUBLE, eval_random_seeded, bind_random},
    {"math", "round", "f", TYPE_INT, eval_round, NULL},
    {"math", "round", "d", TYPE_LONG, eval_round, NULL},
    {"math", "signum", "n", TYPE_INT, eval_signum, NULL},
    {"math", "sin", "n", TYPE_DOUBLE, eval_sin, NULL},
    {"math", "sinh", "n", TYPE_DOUBLE, eval_sinh, NULL},
    {"math", "sqrt", "n", TYPE_DOUBLE, eval_sqrt, NULL},
    {"math", "tan", "n", TYPE_DOUBLE, eval_tan, NULL},
    {"math", "tanh", "n", TYPE_DOUBLE, eval_tanh, NULL},
    {"math", "toDegrees", "n", TYPE_DOUBLE, eval_to_degrees, NULL},
    {"math", "toRadians", "n", TYPE_DOUBLE, eval_to_radians, NULL},
    {0},
};
