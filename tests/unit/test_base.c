/* test_base.c - what case files cannot reach of engine/base and engine/data. */
#include "engine/base/buf.h"
#include "engine/base/diag.h"
#include "engine/base/err.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/map.h"
#include "engine/base/mem.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"
#include "engine/data/batch.h"
#include "engine/data/codec.h"
#include "engine/data/object.h"
#include "engine/data/row.h"
#include "engine/data/schema.h"
#include "tests/unit/check.h"
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- num ---- */

static const struct {
    double value;
    const char *text;
} doubles[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {100.0, "100.0"},
    {0.001, "0.001"},
    {0.00101, "0.00101"},
    {0.1, "0.1"},
    {0.3, "0.3"},
    {0.1 + 0.2, "0.30000000000000004"},
    {-23.5, "-23.5"},
    {9999999.0, "9999999.0"},
    {9999999.999999998, "9999999.999999998"},
    {1e7, "1.0E7"},
    {12345678.9, "1.23456789E7"},
    {1e-4, "1.0E-4"},
    {0.00099, "9.9E-4"},
    {1234567.0, "1234567.0"},
    {1200000.0, "1200000.0"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {100.0 / 3, "33.333333333333336"},
    {4.9e-324, "4.9E-324"},
    {1e-323, "9.9E-324"},
    {2.2250738585072014e-308, "2.2250738585072014E-308"},
    {DBL_MAX, "1.7976931348623157E308"},
    {1e21, "1.0E21"},
    {2e-3, "0.002"},
    {2e23, "2.0E23"},
    {9007199254740993.0, "9.007199254740992E15"},
    {9.2233720368547758e18, "9.223372036854776E18"},
    {0x1p-44, "5.684341886080802E-14"}, /* the nearest of 16 digits, ..801E-14, reads as another number */
};

static const struct {
    float value;
    const char *text;
} floats[] = {
    {0.1f, "0.1"},
    {-0.0f, "-0.0"},
    {1.0f, "1.0"},
    {0.001f, "0.001"},
    {1e-4f, "1.0E-4"},
    {23.45f, "23.45"},
    {16777216.0f, "1.6777216E7"},
    {9999999.0f, "9999999.0"},
    {1e7f, "1.0E7"},
    {3.4028235e38f, "3.4028235E38"},
    {1.4e-45f, "1.4E-45"},
    {1.17549435e-38f, "1.1754944E-38"},
    {0.33333334f, "0.33333334"},
};

static void test_num_print(void)
{
    char out[NUM_TEXT_MAX];
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        CHECK(num_print_double(out, doubles[i].value) == strlen(doubles[i].text));
        CHECK_TEXT(out, doubles[i].text);
    }
    for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
        CHECK(num_print_float(out, floats[i].value) == strlen(floats[i].text));
        CHECK_TEXT(out, floats[i].text);
    }
    num_print_double(out, (double)NAN);
    CHECK_TEXT(out, "NaN");
    num_print_double(out, (double)INFINITY);
    CHECK_TEXT(out, "Infinity");
    num_print_float(out, -INFINITY);
    CHECK_TEXT(out, "-Infinity");
    num_print_long(out, INT64_MIN);
    CHECK_TEXT(out, "-9223372036854775808");
    num_print_long(out, 0);
    CHECK_TEXT(out, "0");
}

static uint64_t random_state = 20240611;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t digit_count(const char *text)
{
    size_t count = 0, zeros = 0;
    for (; *text && *text != 'E'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

/* What is printed reads back as the same number, and no decimal of fewer digits, as printf rounds them, does;
 * whole numbers from 10^7 on may have a digit or two more (num.c: print_whole). */
static void check_shortest(double value)
{
    char out[NUM_TEXT_MAX], fewer[40];
    double back;
    size_t len = num_print_double(out, value);
    bool ok = num_parse_double(out, len, &back) && back == value;
    int digits = (int)digit_count(out);
    bool is_whole = fabs(value) >= 1e7 && fabs(value) < 0x1p63 && value == floor(value);
    if (digits > 2 && !is_whole) {
        (void)snprintf(fewer, sizeof(fewer), "%.*e", digits - 2, value);
        ok = ok && strtod(fewer, NULL) != value;
    }
    if (!CHECK(ok))
        printf("    %a printed %s\n", value, out);
}

static void test_num_random(void)
{
    printf("seed %llu\n", (unsigned long long)random_state);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_bits();
        double d;
        memcpy(&d, &bits, sizeof(d));
        if (isfinite(d))
            check_shortest(d);
        check_shortest((double)(int64_t)(bits % 2000000000) / 1000);
        check_shortest((double)(int64_t)(bits % 100000) / 7);

        uint32_t low = (uint32_t)bits;
        char out[NUM_TEXT_MAX];
        float f, back;
        memcpy(&f, &low, sizeof(f));
        if (isfinite(f))
            CHECK(num_parse_float(out, num_print_float(out, f), &back) && back == f);
    }
    for (int e = -1074; e < 1024; e++)
        check_shortest(ldexp(1, e));
}

static bool reads(const char *s, double want)
{
    double got = -77;
    return num_parse_double(s, strlen(s), &got) && got == want && signbit(got) == signbit(want);
}

static bool refuses(const char *s)
{
    double d;
    float f;
    return !num_parse_double(s, strlen(s), &d) && !num_parse_float(s, strlen(s), &f);
}

static void test_num_parse(void)
{
    int32_t i;
    int64_t l;
    float f;
    double d;
    CHECK(num_parse_int("+5", 2, &i) && i == 5);
    CHECK(num_parse_int("-2147483648", 11, &i) && i == INT32_MIN);
    CHECK(num_parse_int("0000000000000000000000012", 25, &i) && i == 12);
    static const char *const no_ints[] = {" 5", "5 ", "5L",         "1e2",         "",
                                          "+",  "-",  "2147483648", "-2147483649", "1.0"};
    for (size_t at = 0; at < sizeof(no_ints) / sizeof(no_ints[0]); at++)
        CHECK(!num_parse_int(no_ints[at], strlen(no_ints[at]), &i));
    CHECK(num_parse_long("9223372036854775807", 19, &l) && l == INT64_MAX);
    CHECK(num_parse_long("-9223372036854775808", 20, &l) && l == INT64_MIN);
    CHECK(!num_parse_long("9223372036854775808", 19, &l));
    CHECK(!num_parse_long("-9223372036854775809", 20, &l));
    CHECK(!num_parse_long("99999999999999999999", 20, &l));

    CHECK(reads(" 12.5 ", 12.5) && reads("1.5f", 1.5) && reads("1.5D", 1.5) && reads("7", 7) &&
          reads("1.", 1));
    CHECK(reads(".5", 0.5) && reads("-.5e1", -5) && reads("+1e-3", 0.001) && reads("-0", -0.0) &&
          reads("00.10", 0.1));
    CHECK(reads("1e999", (double)INFINITY) && reads("-Infinity", -(double)INFINITY) && reads("1e-999", 0));
    CHECK(reads("1e99999999999999999999", (double)INFINITY) && reads("0e99999999999999999999", 0));
    CHECK(reads("0x1p4", 16) && reads("0x1.8p1f", 3) && reads("-0X.8P+1d", -1) && reads("0xffp0", 255));
    CHECK(reads("123456789012345678901234567890", 123456789012345678901234567890.0));
    CHECK(reads("0.1000000000000000055511151231257827021181583404541015625", 0.1));
    CHECK(reads("9007199254740993", 9007199254740992.0) && reads("1.7976931348623157E308", DBL_MAX));
    CHECK(reads("4.9E-324", 4.9e-324));
    CHECK(num_parse_double("NaN", 3, &d) && isnan(d));
    CHECK(num_parse_double("-NaN", 4, &d) && isnan(d));
    CHECK(num_parse_float("16777217", 8, &f) && f == 16777216.0f);
    CHECK(num_parse_float("3.4028235E38", 12, &f) && f == FLT_MAX);
    CHECK(num_parse_float("1.4E-45", 7, &f) && f > 0);
    CHECK(num_parse_double("12.5junk", 4, &d) && d == 12.5); /* no byte behind len is looked at */

    static const char *const no_numbers[] = {
        "",    " ",   ".",   "e1",        "1e",   "1e+",  "0x10", "0x.p1", "0xp1",  "1.5L", "1.5ff", "1 2",
        "--1", "nan", "inf", "Infinityf", "NaNd", "1..2", "1,5",  "0x1p",  "0x1p+", "+-1",  "f",     "1_0"};
    for (size_t at = 0; at < sizeof(no_numbers) / sizeof(no_numbers[0]); at++) {
        if (!CHECK(refuses(no_numbers[at])))
            printf("    '%s'\n", no_numbers[at]);
    }
    CHECK(!num_parse_double("1\0002", 3, &d));

    char longest[400];
    memset(longest, '3', sizeof(longest));
    longest[1] = '.';
    CHECK(num_parse_double(longest, sizeof(longest), &d) && fabs(d - 10.0 / 3) < 1e-15);

    CHECK(num_double_to_int(-1.9) == -1 && num_double_to_int((double)NAN) == 0 &&
          num_double_to_int(3e9) == INT32_MAX);
    CHECK(num_double_to_int(-3e9) == INT32_MIN && num_double_to_long(1e19) == INT64_MAX);
    CHECK(num_double_to_long(-1e19) == INT64_MIN && num_double_to_long(-1e15 - 0.5) == -1000000000000000);
}

/* ---- utf8 ---- */

#define EURO "\xE2\x82\xAC"
#define SMILE "\xF0\x9F\x98\x80"
#define PRIVATE_USE "\xEE\x80\x80"

static void test_utf8(void)
{
    CHECK(utf8_valid("plain text of ascii", 19) && utf8_valid("a\xC3\xA4" EURO SMILE, 10) &&
          utf8_valid("", 0));
    CHECK(!utf8_valid("\xC0\x80", 2) && !utf8_valid("\xED\xA0\x80", 3) && !utf8_valid("\xF4\x90\x80\x80", 4));
    CHECK(!utf8_valid("\xE0\x80\x80", 3) && !utf8_valid("\xF0\x80\x80\x80", 4) && !utf8_valid("\x80", 1));
    for (size_t len = 1; len < 4; len++)
        CHECK(!utf8_valid(SMILE, len));
    const char *s = "a" EURO SMILE "b";
    CHECK(utf8_units(s, 9) == 5);
    CHECK(utf8_offset(s, 9, 0) == 0 && utf8_offset(s, 9, 1) == 1 && utf8_offset(s, 9, 2) == 4);
    CHECK(utf8_offset(s, 9, 3) == 4 && utf8_offset(s, 9, 4) == 8 && utf8_offset(s, 9, 5) == 9 &&
          utf8_offset(s, 9, 99) == 9);
    CHECK(utf8_compare_units(SMILE, 4, PRIVATE_USE, 3) < 0 &&
          utf8_compare_units(PRIVATE_USE, 3, SMILE, 4) > 0);
    CHECK(utf8_compare_units(EURO, 3, SMILE, 4) < 0 && utf8_compare_units("a", 1, "ab", 2) < 0);
    CHECK(utf8_compare_units("abc", 3, "abc", 3) == 0 && utf8_compare_units("b", 1, "ab", 2) > 0);
    CHECK(utf8_java_hash("hello", 5) == 99162322 && utf8_java_hash("", 0) == 0);
    CHECK(utf8_java_hash(SMILE, 4) == 1772899);
    static const char letters[] = "the quick brown fox jumps over";
    uint32_t hash = 0;
    for (size_t i = 0; i < sizeof(letters) - 1; i++) {
        CHECK(utf8_java_hash(letters, i) == (int32_t)hash);
        hash = hash * 31 + (unsigned char)letters[i];
    }
    static const uint32_t codes[] = {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char out[4];
        uint32_t code = 1;
        size_t len = utf8_encode(out, codes[i]);
        CHECK(utf8_decode(out, len, &code) == len && code == codes[i]);
        CHECK(utf8_decode(out, len - 1, &code) == 0);
    }
}

/* ---- map ---- */

static void test_map(void)
{
    struct map m;
    struct map_entry *e;
    static int values[1000];
    char key[16];
    map_init(&m);
    CHECK(map_get_str(&m, "a") == NULL && map_remove(&m, "a", 1) == NULL);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        CHECK(map_put_str(&m, key, &values[i]) == NULL);
    }
    CHECK(m.count == 1000 && map_get_str(&m, "key777") == &values[777]);
    CHECK(map_put_str(&m, "key1", &values[2]) == &values[1] && m.count == 1000);
    map_put_str(&m, "key1", &values[1]);
    int expected = 0;
    for (uint32_t i = 0; map_next(&m, &i, &e); expected++) {
        CHECK(e->value == &values[expected]);
        if (expected % 2 == 0)
            CHECK(map_remove(&m, e->key, e->len) == &values[expected]);
    }
    CHECK(expected == 1000 && m.count == 500 && !map_get_str(&m, "key0") && map_get_str(&m, "key1"));
    map_put_str(&m, "key0", &values[0]);
    uint32_t at = 0;
    CHECK(map_next(&m, &at, &e) && strcmp(e->key, "key1") == 0);
    /* A queue of a few keys passes through: holes are closed, the room does not grow. */
    uint32_t slots = m.slot_count;
    for (int i = 0; i < 100000; i++) {
        map_put(&m, &i, sizeof(i), &values[0]);
        map_remove(&m, &i, sizeof(i));
    }
    CHECK(m.count == 501 && m.slot_count == slots && map_get_str(&m, "key999") == &values[999]);
    map_put(&m, "", 0, &values[5]);
    CHECK(map_get(&m, NULL, 0) == &values[5]);
    map_put(&m, "a\0b", 3, &values[6]);
    CHECK(map_get(&m, "a\0b", 3) == &values[6] && map_get_str(&m, "a") == NULL);
    map_fini(&m);
    CHECK(map_get_str(&m, "key1") == NULL);
}

/* ---- mem, buf, err ---- */

static void test_arena(void)
{
    struct arena a;
    arena_init(&a, 1024);
    struct arena_mark empty = arena_mark(&a);
    char *kept = arena_printf(&a, "%s-%d", "kept", 7);
    struct arena_mark mark = arena_mark(&a);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++) {
            char *p = arena_alloc(&a, i);
            CHECK(((uintptr_t)p & 7) == 0 && (i == 0 || (p[0] == 0 && p[i - 1] == 0)));
            if (i > 0)
                memset(p, 0xFF, i);
        }
        CHECK(arena_raw(&a, 5000) != NULL);
        arena_reset(&a, mark);
        CHECK_TEXT(kept, "kept-7");
    }
    struct arena_block *spare = a.spare;
    CHECK(spare != NULL);
    CHECK(arena_raw(&a, 1020) != NULL && a.block == spare); /* the spare block serves again */
    arena_reset(&a, empty);
    CHECK(arena_mark(&a).block == NULL);
    CHECK_TEXT(arena_strndup(&a, "abcdef", 3), "abc");
    CHECK(arena_raw(&a, 0) != NULL);
    int *numbers = arena_array(&a, 100, sizeof(int));
    CHECK(numbers[99] == 0);
    arena_fini(&a);
}

static void *pool_thread(void *unused)
{
    for (size_t bytes = 1; bytes < 700; bytes++) {
        void *p = mem_pool_alloc(bytes);
        memset(p, 1, bytes);
        mem_pool_free(p, bytes);
    }
    mem_pool_drain();
    return unused;
}

static void test_pool(void)
{
    struct mem_account account = {.most = INT64_MAX};
    enum { COUNT = 500 };
    static void *blocks[COUNT];
    mem_account = &account;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = mem_pool_alloc(i + 1);
        CHECK(((uintptr_t)blocks[i] & 7) == 0);
        memset(blocks[i], (int)(i & 0xFF), i + 1);
    }
    CHECK(account.bytes >= COUNT * COUNT / 2);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(*(unsigned char *)blocks[i] == (i & 0xFF) && ((unsigned char *)blocks[i])[i] == (i & 0xFF));
        mem_pool_free(blocks[i], i + 1);
    }
    CHECK(account.bytes == 0);
    char *s = mem_strdup("text");
    CHECK(account.bytes > 0);
    s = mem_resize(s, 1000, 1);
    CHECK_TEXT(s, "text");
    mem_free(s);
    CHECK(account.bytes == 0);
    mem_account = NULL;
    for (int i = 0; i < 4; i++) {
        pthread_t threads[4];
        for (int j = 0; j < 4; j++)
            CHECK(pthread_create(&threads[j], NULL, pool_thread, NULL) == 0);
        for (int j = 0; j < 4; j++)
            CHECK(pthread_join(threads[j], NULL) == 0);
    }
    pool_thread(NULL);
}

static void test_buf(void)
{
    struct buf b;
    buf_init(&b, 10);
    CHECK(b.bytes == NULL);
    buf_add_str(&b, "12345");
    buf_printf(&b, "%d", 678);
    CHECK(!b.overflow && b.len == 8);
    CHECK_TEXT(b.bytes, "12345678");
    buf_add_str(&b, "abc");
    CHECK(b.overflow && b.len == 8);
    buf_add_char(&b, 'x'); /* would fit, but the text would have a gap */
    CHECK_TEXT(b.bytes, "12345678");
    buf_clear(&b);
    CHECK(!b.overflow && b.len == 0 && b.bytes[0] == '\0');
    buf_add(&b, "0123456789", 10);
    CHECK(!b.overflow && b.len == 10 && b.bytes[10] == '\0');
    buf_printf(&b, "%s", "");
    CHECK(!b.overflow && buf_reserve(&b, 1) == NULL && b.overflow);
    buf_fini(&b);
    buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "%04d", i);
    CHECK(b.len == 40000 && memcmp(b.bytes + 39996, "9999", 5) == 0);
    CHECK(buf_reserve(&b, SIZE_MAX) == NULL);
    buf_fini(&b);

    struct err e;
    CHECK(err_set(&e, ERR_IO, "disk %d", 3) == ERR_IO && e.code == ERR_IO);
    CHECK_TEXT(e.text, "disk 3");
    CHECK(err_set(NULL, ERR_BUSY, "x") == ERR_BUSY);
}

/* ---- diag ---- */

static void check_printed(const struct diags *d, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    diags_print(d, "alarms.siddhi", out);
    (void)fclose(out);
    CHECK_TEXT(text, want);
    free(text);
}

static struct span span_of(const char *text, const char *part)
{
    return (struct span){(uint32_t)(strstr(text, part) - text), (uint32_t)strlen(part)};
}

static void test_diag(void)
{
    static const char app[] =
        "define stream S (t string);\r\n-- gr\xC3\xBC\xC3\x9F\x65 " SMILE " from S[t > 40.0]\n\tfrom Q\n";
    struct arena a;
    struct diags d;
    arena_init(&a, 4096);
    diags_init(&d, &a, app, sizeof(app) - 1);
    diag_warn(&d, span_of(app, "Q"), "no stream '%s'", "Q");
    diag_error(&d, span_of(app, "t > "), "'t' is string");
    diag_hint(&d, "convert(%s, 'double')", "t");
    diag_error(&d, span_of(app, "t > "), "'t' is string");
    diag_unsupported(&d, span_of(app, "stream"), "window:cron");
    CHECK(d.errors == 1 && d.warnings == 1 && d.unsupported == 1);
    CHECK(strcmp(d.last->construct, "window:cron") == 0 && d.last->kind == DIAG_UNSUPPORTED);
    check_printed(&d, "alarms.siddhi:1:8: window:cron is not implemented yet\n"
                      "    define stream S (t string);\n"
                      "           ^^^^^^\n"
                      "alarms.siddhi:2:19: 't' is string\n"
                      "    -- gr\xC3\xBC\xC3\x9F\x65 " SMILE " from S[t > 40.0]\n"
                      "                      ^^^^\n"
                      "hint: convert(t, 'double')\n"
                      "alarms.siddhi:3:7: warning: no stream 'Q'\n"
                      "    \tfrom Q\n"
                      "    \t     ^\n");
    /* At the end of the text, and past it. */
    diags_init(&d, &a, "ab", 2);
    diag_error(&d, (struct span){2, 0}, "';' expected");
    diag_error(&d, (struct span){99, 5}, "lost");
    check_printed(
        &d, "alarms.siddhi:1:3: ';' expected\n    ab\n      ^\nalarms.siddhi:1:3: lost\n    ab\n      ^\n");

    char *many = arena_alloc(&a, 1001);
    memset(many, 'x', 1000);
    diags_init(&d, &a, many, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        diag_error(&d, (struct span){i, 1000}, "x");
        diag_hint(&d, "hint %u", i);
    }
    int kept = 0;
    for (struct diag *x = d.first; x; x = x->next)
        kept++;
    CHECK(d.errors == 1000 && kept == LIMIT_DIAGNOSTICS);
    CHECK_TEXT(d.last->hint, "hint 49");
    diag_unsupported(&d, (struct span){0, 1}, "x"); /* errors do not push out the other kinds */
    CHECK(d.last->kind == DIAG_UNSUPPORTED);

    static const char *const names[] = {"temperature", "humidity", "id", "lengthBatch"};
    const char *near = diag_near("temprature", names, 4);
    CHECK(near && strcmp(near, "temperature") == 0);
    near = diag_near("lengthbatch", names, 4);
    CHECK(near && strcmp(near, "lengthBatch") == 0);
    CHECK(diag_near("pressure", names, 4) == NULL && diag_near("xy", names, 4) == NULL);
    near = diag_near("ID", names, 4);
    CHECK(near && strcmp(near, "id") == 0);
    arena_fini(&a);
}

/* ---- values, objects, rows ---- */

static struct value text_value(const char *s)
{
    return value_text(text_new(s, strlen(s)));
}

static void add_text(struct object *o, const char *s)
{
    struct value v = text_value(s);
    if (object_is_list(o))
        list_add(o, v);
    else
        set_add(o, v);
    value_drop(v);
}

static void check_value_text(struct value v, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    value_print(v, &b);
    CHECK_TEXT(b.bytes, want);
    buf_fini(&b);
}

static void test_value(void)
{
    CHECK(!value_same(value_double(0.0), value_double(-0.0)) &&
          value_same(value_float(NAN), value_float(NAN)));
    CHECK(value_same(value_double((double)NAN), value_double(-(double)NAN)));
    CHECK(value_hash(value_double((double)NAN)) == value_hash(value_double(-(double)NAN)));
    CHECK(!value_same(value_int(1), value_long(1)) && value_same(VALUE_NULL, VALUE_NULL));
    CHECK(!value_same(VALUE_NULL, value_int(0)) && value_same(value_bool(true), value_bool(true)));
    check_value_text(VALUE_NULL, "null");
    check_value_text(value_int(-5), "-5");
    check_value_text(value_long(INT64_MAX), "9223372036854775807");
    check_value_text(value_float(0.1f), "0.1");
    check_value_text(value_double(1e7), "1.0E7");
    check_value_text(value_bool(false), "false");
    CHECK_TEXT(type_name(TYPE_DOUBLE), "double");
    CHECK_TEXT(type_name(TYPE_OBJECT), "object");

    struct arena a;
    arena_init(&a, 256);
    struct value scratch = value_text(text_scratch(&a, "abc", 3));
    struct value kept = value_keep(scratch);
    value_drop(scratch);
    CHECK(scratch.as.s->refs == TEXT_SCRATCH && kept.as.s != scratch.as.s && kept.as.s->refs == 1);
    CHECK(value_same(scratch, kept) && value_hash(scratch) == value_hash(kept));
    value_keep(kept);
    CHECK(kept.as.s->refs == 2);
    value_drop(kept);
    check_value_text(kept, "abc");
    value_drop(kept);

    struct schema *s = schema_new(&a, "S", 2);
    s->attributes[0] = (struct attribute){"x", TYPE_INT};
    s->attributes[1] = (struct attribute){"y", TYPE_STRING};
    CHECK(schema_find(s, "y") == 1 && schema_find(s, "z") == -1 && schema_same(s, s));
    struct schema *other = schema_new(&a, "T", 2);
    other->attributes[0] = s->attributes[0];
    other->attributes[1] = (struct attribute){"y", TYPE_LONG};
    CHECK(!schema_same(s, other));
    arena_fini(&a);
}

static void test_objects(void)
{
    struct object *list = list_new(), *set = set_new(), *map = map_object_new();
    add_text(list, "b");
    list_add(list, value_int(2));
    list_insert(list, 0, VALUE_NULL);
    check_value_text(value_object(list), "[null, b, 2]");
    list_set(list, 0, value_double(1));
    list_remove(list, 1);
    check_value_text(value_object(list), "[1.0, 2]");
    CHECK(object_count(list) == 2 && list_get(list, 1).as.l == 2);

    add_text(set, "a");
    add_text(set, "b");
    CHECK(set_add(set, VALUE_NULL) && !set_add(set, VALUE_NULL));
    struct value a = text_value("a"), v;
    CHECK(!set_add(set, a) && set_has(set, a));
    check_value_text(value_object(set), "[a, b, null]");
    CHECK(set_remove(set, a) && !set_remove(set, a) && object_count(set) == 2);
    check_value_text(value_object(set), "[b, null]");

    map_object_put(map, a, value_int(1));
    map_object_put(map, value_int(7), value_object(list));
    map_object_put(map, a, value_int(3));
    check_value_text(value_object(map), "{a=3, 7=[1.0, 2]}");
    CHECK(map_object_get(map, a, &v) && v.as.l == 3 && !map_object_get(map, VALUE_NULL, &v));
    CHECK(!map_object_get(map, value_long(7), &v)); /* an Integer is no Long */
    CHECK(list->refs == 2 && a.as.s->refs == 2);
    CHECK(map_object_remove(map, a) && !map_object_remove(map, a) && a.as.s->refs == 1);
    value_drop(a);

    struct object *x = set_new(), *y = set_new();
    for (int i = 0; i < 1000; i++) {
        CHECK(set_add(x, value_int(i)));
        CHECK(set_add(y, value_int(999 - i)));
    }
    CHECK(value_same(value_object(x), value_object(y)) &&
          value_hash(value_object(x)) == value_hash(value_object(y)));
    set_remove(y, value_int(5));
    CHECK(!value_same(value_object(x), value_object(y)) && !value_same(value_object(x), value_object(list)));

    struct object *failure = failure_new("it broke");
    CHECK(object_is_failure(failure) && !object_is_list(failure));
    check_value_text(value_object(failure), "message : it broke\n cause :null");
    struct object *all[] = {list, set, map, x, y, failure};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        value_drop(value_object(all[i]));
}

static void test_row(void)
{
    struct row *r = row_new(3, 1000);
    CHECK(row_bytes(1) == 24 && row_bytes(2) == 32 && row_bytes(3) == 48);
    CHECK(is_null(row_get(r, 0)) && is_null(row_get(r, 2)));
    row_set(r, 0, value_int(-1));
    row_set_take(r, 1, text_value("word"));
    struct row *copy = row_copy(r, 2, 2000);
    CHECK(copy->at_ms == 2000 && copy->count == 5 && row_get(copy, 1).as.s == row_get(r, 1).as.s);
    CHECK(is_null(row_get(copy, 2)) && is_null(row_get(copy, 4)) && row_get(copy, 0).as.l == -1);
    row_unref(row_ref(copy));
    row_unref(r);
    check_value_text(row_get(copy, 1), "word");

    struct arena a;
    struct batch b;
    arena_init(&a, 1024);
    batch_init(&b, &a, 0);
    for (int i = 0; i < 100; i++)
        batch_add(&b, copy, i, EVENT_CURRENT);
    CHECK(b.count == 100 && b.events[99].at_ms == 99 && b.events[0].row == copy);
    arena_fini(&a);
    row_unref(copy);
}

/* ---- codec ---- */

static struct row *row_of_everything(void)
{
    struct object *map = map_object_new(), *list = list_new(), *set = set_new();
    list_add(list, value_float(1.5f));
    list_add(list, VALUE_NULL);
    add_text(set, "gr\xC3\xBC");
    map_object_put(map, value_int(1), value_object(list));
    map_object_put(map, value_int(2), value_object(set));
    struct row *r = row_new(10, -5);
    row_set_take(r, 0, text_value("some text"));
    row_set(r, 1, value_int(INT32_MIN));
    row_set(r, 2, value_long(INT64_MIN));
    row_set(r, 3, value_float(-0.0f));
    row_set(r, 4, value_double(1e300));
    row_set(r, 5, value_bool(true));
    row_set_take(r, 7, value_object(map));
    row_set_take(r, 8, value_object(failure_new("why")));
    row_set_take(r, 9, text_value(""));
    value_drop(value_object(list));
    value_drop(value_object(set));
    return r;
}

static void write_all(struct writer *w, const struct row *r)
{
    write_tag(w, "time/1");
    write_u8(w, 200);
    write_u32(w, 4000000000u);
    write_i64(w, -2);
    write_double(w, 0.5);
    write_count(w, 5);
    write_bytes(w, "hello", 5);
    write_row(w, r);
    write_row(w, NULL);
    write_count(w, 0);
}

/* Everything of write_all; true when it is all there. */
static bool read_all(struct reader *r, const struct row *want)
{
    size_t len;
    bool ok = read_tag(r, "time/1");
    ok &= read_u8(r) == 200;
    ok &= read_u32(r) == 4000000000u;
    ok &= read_i64(r) == -2;
    ok &= read_double(r) == 0.5;
    ok &= read_count(r, 5) == 5;
    const void *bytes = read_bytes(r, &len);
    ok &= bytes && len == 5 && memcmp(bytes, "hello", 5) == 0;
    struct row *row = read_row(r);
    ok &= row != NULL && row->at_ms == -5 && row->count == 10;
    for (size_t i = 0; row && ok && i < row->count; i++) {
        struct value got = row_get(row, i);
        if (got.type == TYPE_OBJECT && object_is_failure(got.as.o))
            ok = i == 8 && strcmp(failure_message(got.as.o), "why") == 0;
        else
            ok = value_same(got, row_get(want, i));
    }
    if (row)
        row_unref(row);
    ok &= read_row(r) == NULL;
    ok &= read_count(r, 0) == 0;
    return ok && !r->failed;
}

static struct reader reader_of(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    return (struct reader){.at = p, .end = p + len};
}

static void test_codec(void)
{
    struct writer w = {0};
    buf_init(&w.out, 1 << 20);
    struct row *row = row_of_everything();
    write_all(&w, row);
    struct reader r = reader_of(w.out.bytes, w.out.len);
    CHECK(read_all(&r, row) && r.at == r.end);
    for (size_t len = 0; len < w.out.len; len++) {
        char *cut = mem_alloc(len); /* its own block, so that a read past the end is seen */
        memcpy(cut, w.out.bytes, len);
        r = reader_of(cut, len);
        CHECK(!read_all(&r, row) && r.failed);
        mem_free(cut);
    }
    for (int i = 0; i < 20000; i++) { /* any damage is read without harm */
        char *damaged = mem_alloc(w.out.len);
        memcpy(damaged, w.out.bytes, w.out.len);
        damaged[random_bits() % w.out.len] = (char)random_bits();
        damaged[random_bits() % w.out.len] = (char)random_bits();
        r = reader_of(damaged, w.out.len);
        (void)read_all(&r, row);
        mem_free(damaged);
    }
    row_unref(row);

    buf_clear(&w.out);
    write_count(&w, 127);
    write_count(&w, 128);
    CHECK(w.out.len == 3);
    r = reader_of("\x05xxxxx", 6);
    CHECK(read_count(&r, 4) == 0 && r.failed);
    r = reader_of("\x05xxxx", 5);
    CHECK(read_count(&r, 10) == 0 && r.failed); /* more things than bytes */
    r = reader_of("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12);
    CHECK(read_count(&r, SIZE_MAX) == 0 && r.failed);
    r = reader_of("\x01\x02\xC0\x80", 4);
    CHECK(is_null(read_value(&r)) && r.failed); /* text that is no text */
    r = reader_of("\x01x", 2);
    CHECK(!read_tag(&r, "y") && r.failed);

    /* Nesting is bounded both ways. */
    struct object *deep = list_new();
    for (int i = 0; i < LIMIT_PARSE_DEPTH + 5; i++) {
        struct object *outer = list_new();
        list_add(outer, value_object(deep));
        value_drop(value_object(deep));
        deep = outer;
    }
    buf_clear(&w.out);
    write_value(&w, value_object(deep));
    CHECK(!w.out.overflow); /* what lies deeper is null */
    value_drop(value_object(deep));
    r = reader_of(w.out.bytes, w.out.len);
    struct value back = read_value(&r);
    CHECK(back.type == TYPE_OBJECT && !r.failed && r.at == r.end);
    value_drop(back);
    buf_clear(&w.out);
    for (int i = 0; i < 100000; i++)
        buf_add(&w.out, "\x07\x02\x01", 3);
    r = reader_of(w.out.bytes, w.out.len);
    CHECK(is_null(read_value(&r)) && r.failed);
    buf_fini(&w.out);
}

/* ---- log ---- */

static void test_log(void)
{
    CHECK(log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
    log_set(LOG_TRACE, true);
    CHECK(log_enabled(LOG_TRACE));
    log_set(LOG_INFO, false);
}

int main(void)
{
    test_num_print();
    test_num_random();
    test_num_parse();
    test_utf8();
    test_map();
    test_arena();
    test_pool();
    test_buf();
    test_diag();
    test_value();
    test_objects();
    test_row();
    test_codec();
    test_log();
    return check_end();
}
