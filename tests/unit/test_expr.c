/* test_expr.c - engine/expr: expressions of text, evaluated over rows. */
#include "engine/expr/calendar.h"
#include "engine/expr/expr.h"
#include "engine/expr/regex.h"
#include "engine/lang/parse.h"
#include "tests/unit/check.h"
#include <math.h>

/* S (i int, l long, f float, d double, s string, b bool, o object) is slot 0, T (a int, i int) slot 1. */
static struct arena arena, scratch;
static struct diags diags;
static struct expr_env env;
static struct scope_source sources[2];
static struct scope scope = {.sources = sources, .count = 1};
static struct agg_layout layout;
static struct expr_ctx ctx = {.arena = &arena, .diags = &diags, .scope = &scope, .aggs = &layout};
static struct row *rows[2];
static struct frame frame = {.env = &env, .rows = rows};

static struct schema *schema(const char *id, const char *columns)
{
    static const char *const names[] = {"null", "s", "i", "l", "f", "d", "b", "o"};
    struct schema *s = schema_new(&arena, id, (uint32_t)strlen(columns));
    for (uint32_t i = 0; i < s->count; i++)
        for (int t = TYPE_STRING; t <= TYPE_OBJECT; t++)
            if (names[t][0] == columns[i])
                s->attributes[i] = (struct attribute){names[t], (enum type)t};
    return s;
}

static struct expr *compile(const char *text)
{
    diags_init(&diags, &arena, text, strlen(text));
    struct ast_expr *e = parse_expression(&diags, text, strlen(text));
    return e ? expr_compile(&ctx, e) : NULL;
}

static char shown[512];
/* "type value", "failed: words" or "refused: message | hint". */
static const char *show(const struct expr *e)
{
    static char out[1024];
    if (!e) {
        snprintf(out, sizeof(out), "refused: %s%s%s", diags.first ? diags.first->message : "?",
                 diags.first && diags.first->hint ? " | " : "",
                 diags.first && diags.first->hint ? diags.first->hint : "");
        return out;
    }
    env.failed = false;
    struct value v = expr_eval(e, &frame);
    struct buf text;
    buf_init(&text, sizeof(shown));
    value_print(v, &text);
    if (env.failed)
        snprintf(out, sizeof(out), "failed: %s", env.failure);
    else
        snprintf(out, sizeof(out), "%s %s", type_name(e->type), text.bytes ? text.bytes : "");
    buf_fini(&text);
    expr_env_release(&env);
    return out;
}
static const char *run(const char *text)
{
    return show(compile(text));
}

static void set_s(struct value i, struct value l, struct value f, struct value d, struct value s,
                  struct value b)
{
    if (rows[0])
        row_unref(rows[0]);
    rows[0] = row_new(7, 1000);
    struct value all[] = {i, l, f, d, s, b};
    for (size_t n = 0; n < 6; n++)
        row_set(rows[0], n, all[n]);
    if (s.type == TYPE_STRING)
        value_drop(s);
}
static void defaults(void)
{
    set_s(value_int(7), value_long(8), value_float(1.5f), value_double(2.5), value_text(text_new("abc", 3)),
          value_bool(true));
}

static void test_arithmetic(void)
{
    defaults();
    CHECK_TEXT(run("i+f"), "float 8.5");
    CHECK_TEXT(run("l+f"), "float 9.5");
    CHECK_TEXT(run("f+d"), "double 4.0");
    CHECK_TEXT(run("7/2"), "int 3");
    CHECK_TEXT(run("-7/2"), "int -3");
    CHECK_TEXT(run("7.0f/2"), "float 3.5");
    CHECK_TEXT(run("i/0"), "int null");
    CHECK_TEXT(run("d/0"), "double null");
    CHECK_TEXT(run("d/-0.0"), "double null");
    CHECK_TEXT(run("-7%3"), "int -1");
    CHECK_TEXT(run("5.5%2"), "double 1.5");
    CHECK_TEXT(run("2147483647 + 1"), "int -2147483648");
    CHECK_TEXT(run("-2147483648 / -1"), "int -2147483648");
    CHECK_TEXT(run("-2147483648 % -1"), "int 0");
    CHECK_TEXT(run("-9223372036854775808L / -1"), "long -9223372036854775808");
    CHECK_TEXT(run("-9223372036854775808L % -1"), "long 0");
    CHECK_TEXT(run("9223372036854775807L * 2"), "long -2");
    CHECK_TEXT(run("d * 2"), "double 5.0");
    CHECK_TEXT(run("2 * d"), "double 5.0");
    CHECK_TEXT(run("2 - d"), "double -0.5");
    CHECK_TEXT(run("i + i"), "int 14");
    CHECK_TEXT(run("i + 2147483647"), "int -2147483642");
    CHECK_TEXT(run("l % i"), "long 1");
    CHECK_TEXT(run("s + i"), "failed: '+' needs a number at its left side, but got the string value 'abc'");
    CHECK_TEXT(run("s + s"), "refused: '+' computes with numbers, but its sides are string and string | '+' "
                             "never joins text; use str:concat(...)");
    CHECK_TEXT(run("b * b"), "refused: '*' computes with numbers, but its sides are bool and bool");
    CHECK_TEXT(run("cast(5,'double') + 0.5"), "double 5.5");
    set_s(VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL, value_text(text_new("x", 1)), VALUE_NULL);
    CHECK_TEXT(run("i + 1"), "int null");
    CHECK_TEXT(run("s + i"), "int null");
    rows[0] = (row_unref(rows[0]), NULL);
    CHECK_TEXT(run("i + l"), "long null");
}

static void test_comparison(void)
{
    set_s(value_int(16777217), value_long(16777217), value_float(16777216), value_double(9007199254740992.0),
          value_text(text_new("abc", 3)), value_bool(true));
    CHECK_TEXT(run("i == f"), "bool true");
    CHECK_TEXT(run("i > f"), "bool false");
    CHECK_TEXT(run("l == f"), "bool false");
    CHECK_TEXT(run("l > f"), "bool false");
    CHECK_TEXT(run("f <= l"), "bool true");
    CHECK_TEXT(run("l >= f"), "bool true");
    CHECK_TEXT(run("9007199254740993L == d"), "bool true");
    CHECK_TEXT(run("9007199254740993L > d"), "bool false");
    CHECK_TEXT(run("i == l"), "bool true");
    CHECK_TEXT(run("16777216 < i"), "bool true");
    CHECK_TEXT(run("s == 'abc'"), "bool true");
    CHECK_TEXT(run("s != 'abd'"), "bool true");
    CHECK_TEXT(run("b == true"), "bool true");
    CHECK_TEXT(run("0.1f == 0.1"), "bool false");
    CHECK_TEXT(run("0.1f == 0.1f"), "bool true");
    CHECK_TEXT(run("convert('NaN','double') != d"), "bool true");
    CHECK_TEXT(run("convert('NaN','double') < d"), "bool false");
    CHECK_TEXT(run("cast(i,'double') > 1.0"),
               "failed: '>' needs double at its left side, but got the int value '16777217'");
    CHECK_TEXT(run("s > 'a'"), "refused: '>' compares numbers, but both sides are string | text has == and "
                               "!= only; convert(s, 'double') makes a number of it");
    CHECK_TEXT(run("s > 40.0"), "refused: '>' can't compare string with double | convert(s, 'double')");
    CHECK_TEXT(run("o == o"), "refused: an object can't be compared with '=='");
    set_s(VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL);
    CHECK_TEXT(run("i == i"), "bool false");
    CHECK_TEXT(run("i != i"), "bool true");
    CHECK_TEXT(run("i < 3"), "bool false");
    CHECK_TEXT(run("s != 'x'"), "bool true");
}

static void test_logic(void)
{
    set_s(value_int(1), VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL);
    CHECK_TEXT(run("b and i == 1"), "bool false");
    CHECK_TEXT(run("b or i == 1"), "bool true");
    CHECK_TEXT(run("not b"), "bool true");
    CHECK_TEXT(run("b is null"), "bool true");
    CHECK_TEXT(run("i is null"), "bool false");
    CHECK_TEXT(run("S is null"), "bool false");
    CHECK_TEXT(run("coalesce(b, b) is null"), "bool false");
    CHECK_TEXT(run("not i == 1"), "refused: 'not' joins bool values, but this is int | 'not' binds tighter "
                                  "than comparisons: not (a == b)");
    CHECK_TEXT(run("1 < 2 == true"), "bool true");
    CHECK_TEXT(run("cast('a','bool') and true"), "failed: cast needs a bool, but got the string value 'a'");
}

static void test_names(void)
{
    defaults();
    CHECK_TEXT(run("S.i"), "int 7");
    CHECK_TEXT(run("S[0].i"), "int 7");
    CHECK_TEXT(run("X.i"), "refused: 'X' is no input of this query | its input is 'S'");
    CHECK_TEXT(run("zz"), "refused: 'zz' is not an attribute of S | there is: i, l, f, d, s, b, o");
    scope.count = 2;
    rows[1] = row_new(2, 2000);
    row_set(rows[1], 0, value_int(3));
    CHECK_TEXT(run("i"), "refused: 'i' is an attribute of both S and t | write S.i or t.i");
    CHECK_TEXT(run("t.i"), "int null");
    CHECK_TEXT(run("T.i"), "refused: 'T' is no input of this query | it is called 't' here (as t)");
    CHECK_TEXT(run("eventTimestamp(t)"), "long 2000");
    CHECK_TEXT(run("t is null"), "bool false");
    row_unref(rows[1]);
    rows[1] = NULL;
    CHECK_TEXT(run("t is null"), "bool true");
    CHECK_TEXT(run("eventTimestamp(t)"), "failed: eventTimestamp(t): there is no such event");
    scope.output = schema("Out", "si");
    frame.out = rows[0]; /* only its shape must not matter: not evaluated */
    CHECK(compile("i")->slot == SLOT_OUTPUT);
    CHECK(compile("l")->slot == 0);
    scope.count = 1;
    scope.output_only = true;
    CHECK_TEXT(run("l"), "refused: 'l' is not among the selected attributes | having and order by see what "
                         "select gives; add 'l' to select");
    scope.output = NULL;
    scope.output_only = false;
    CHECK_TEXT(run("eventTimestamp(S)"),
               "refused: eventTimestamp takes no argument in a query of one stream | eventTimestamp()");
}

static void test_functions(void)
{
    defaults();
    env.now_ms = 4711;
    CHECK_TEXT(run("convert(' 5','int')"), "int null");
    CHECK_TEXT(run("convert('+5','INT')"), "int 5");
    CHECK_TEXT(run("convert(3000000000L,'int')"), "int -1294967296");
    CHECK_TEXT(run("convert(1e300,'int')"), "int 2147483647");
    CHECK_TEXT(run("convert(1.0e7,'string')"), "string 1.0E7");
    CHECK_TEXT(run("convert(b,'double')"), "double 1.0");
    CHECK_TEXT(run("convert('TRUE','bool')"), "bool true");
    CHECK_TEXT(run("convert(' 12.5 ','double')"), "double 12.5");
    CHECK_TEXT(run("convert(2,'bool')"), "bool false");
    CHECK_TEXT(run("cast(i,'long')"), "long 7");
    CHECK_TEXT(run("instanceOfInteger(cast(i,'double'))"), "bool true");
    CHECK_TEXT(
        run("cast(i,'object')"),
        "refused: cast: 'object' is not a type it can give | string, int, long, float, double or bool");
    CHECK_TEXT(run("maximum(-1, -2)"), "int 0");
    CHECK_TEXT(run("maximum(-4)"), "int -4");
    CHECK_TEXT(run("maximum(-1.0, -2.0)"), "double 4.9E-324");
    CHECK_TEXT(run("maximum(9007199254740993L, -1L)"), "long 9007199254740992");
    CHECK_TEXT(run("minimum(i, 3, 9)"), "int 3");
    CHECK_TEXT(run("minimum(i, 3.0)"), "refused: minimum: argument 2 is double, but argument 1 is int; they "
                                       "must be of one type | convert(..., 'int')");
    CHECK_TEXT(run("ifThenElse(i > 3, 'big', 'small')"), "string big");
    CHECK_TEXT(run("default(i, 3)"), "int 7");
    CHECK_TEXT(run("default(i, l)"), "refused: default takes (any, constant any), but is given (int, long) | "
                                     "constant: a literal, not an attribute or an expression");
    CHECK_TEXT(run("currentTimeMillis()"), "long 4711");
    CHECK_TEXT(run("sizeOfSet(createSet(i))"), "int 1");
    CHECK_TEXT(run("createSet(o)"), "refused: createSet: an object can't be an element of a set");
    CHECK_TEXT(run("maximun(1)"), "refused: there is no function 'maximun' | did you mean 'maximum'?");
    CHECK_TEXT(run("SUM(i)"), "refused: there is no function 'SUM' | did you mean 'sum'?");
    CHECK_TEXT(run("nlp:findName('a')"), "refused: nlp:findName: the extension is not available");
    CHECK(strlen(run("UUID()")) == strlen("string ") + 36);
    set_s(VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL);
    CHECK_TEXT(run("minimum(i, i)"), "int 2147483647");
    CHECK_TEXT(run("minimum(l, l)"), "long 9223372036854775807");
    CHECK_TEXT(run("minimum(f, f)"), "float Infinity");
    CHECK_TEXT(run("sizeOfSet(o)"), "int 0");
    CHECK_TEXT(run("default(i, 3)"), "int 3");
    CHECK_TEXT(run("convert(b,'bool')"), "bool false");
    CHECK_TEXT(run("sizeOfSet(createSet(i))"), "int 1");
}

/* ---- aggregators ---- */

static struct expr *aggregate(const char *text, bool removable)
{
    agg_block_free(&layout, frame.agg);
    layout = (struct agg_layout){.removable = removable};
    struct expr *e = compile(text);
    frame.agg = agg_block_new(&layout);
    frame.kind = EVENT_CURRENT;
    return e;
}
static const char *add(const struct expr *e, double v, enum event_kind kind)
{
    struct value d = isnan(v) ? VALUE_NULL : value_double(v);
    struct value l = isnan(v) ? VALUE_NULL : value_long((int64_t)v),
                 i = isnan(v) ? VALUE_NULL : value_int((int32_t)v);
    set_s(i, l, VALUE_NULL, d, VALUE_NULL, isnan(v) ? VALUE_NULL : value_bool(v != 0));
    frame.kind = kind;
    return show(e);
}

static void test_sums(void)
{
    struct expr *e = aggregate("sum(d)", true);
    CHECK_TEXT(add(e, NAN, EVENT_CURRENT), "double null");
    CHECK_TEXT(add(e, 2.5, EVENT_CURRENT), "double 2.5");
    CHECK_TEXT(add(e, 1, EVENT_CURRENT), "double 3.5");
    CHECK_TEXT(add(e, 2.5, EVENT_EXPIRED), "double 1.0");
    CHECK_TEXT(add(e, 1, EVENT_EXPIRED), "double null");
    CHECK(agg_block_is_empty(&layout, frame.agg));
    e = aggregate("sum(l)", true);
    set_s(VALUE_NULL, value_long(9007199254740993), VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL);
    show(e);
    add(e, 2, EVENT_CURRENT);
    set_s(VALUE_NULL, value_long(9007199254740993), VALUE_NULL, VALUE_NULL, VALUE_NULL, VALUE_NULL);
    frame.kind = EVENT_EXPIRED;
    show(e);
    CHECK_TEXT(add(e, 1, EVENT_CURRENT), "long 5");
    e = aggregate("avg(i) + count()", true);
    CHECK(e->flags & EXPR_AGGREGATE);
    CHECK_TEXT(add(e, 4, EVENT_CURRENT), "double 5.0");
    CHECK_TEXT(add(e, 5, EVENT_CURRENT), "double 6.5");
    e = aggregate("stdDev(d)", true);
    CHECK_TEXT(add(e, 1, EVENT_CURRENT), "double 0.0");
    CHECK_TEXT(add(e, 2, EVENT_CURRENT), "double 0.5");
    CHECK_TEXT(add(e, 1, EVENT_EXPIRED), "double 0.0");
    e = aggregate("and(b)", true);
    CHECK_TEXT(add(e, 1, EVENT_CURRENT), "bool true");
    CHECK_TEXT(add(e, 0, EVENT_CURRENT), "bool false");
    CHECK_TEXT(add(e, NAN, EVENT_CURRENT), "failed: and needs a bool, but got the null value 'null'");
    e = aggregate("distinctCount(d)", true);
    CHECK_TEXT(add(e, NAN, EVENT_CURRENT), "long 1");
    CHECK_TEXT(add(e, 3, EVENT_CURRENT), "long 2");
    CHECK_TEXT(add(e, NAN, EVENT_CURRENT), "long 2");
    CHECK_TEXT(add(e, NAN, EVENT_EXPIRED), "long 2");
    CHECK_TEXT(add(e, NAN, EVENT_EXPIRED), "long 1");
    e = aggregate("ifThenElse(i > 2, sum(i), 0L)", true);
    CHECK_TEXT(add(e, 1, EVENT_CURRENT), "long 0");
    CHECK_TEXT(add(e, 3, EVENT_CURRENT), "long 3");
    CHECK(e->flags & EXPR_AGGREGATE);
    CHECK_TEXT(show(aggregate("sum(s)", true)),
               "refused: sum takes (int or long) or (float or double), but is given (string)");
    CHECK_TEXT(show(aggregate("count(i, i)", true)), "refused: count takes ([any]), but is given (int, int)");
}

static void test_extremes(void)
{
    struct expr *e = aggregate("max(i)", true);
    CHECK_TEXT(add(e, 9, EVENT_CURRENT), "int 9");
    CHECK_TEXT(add(e, 5, EVENT_CURRENT), "int 9");
    CHECK_TEXT(add(e, 9, EVENT_EXPIRED), "int 5");
    CHECK_TEXT(add(e, 3, EVENT_CURRENT), "int 5");
    struct writer w = {0};
    buf_init(&w.out, 1 << 20);
    agg_block_save(&layout, frame.agg, &w);
    char *block = agg_block_new(&layout);
    struct reader r = {.at = (const uint8_t *)w.out.bytes, .end = (const uint8_t *)w.out.bytes + w.out.len};
    CHECK(agg_block_load(&layout, block, &r) == 0 && r.at == r.end);
    agg_block_free(&layout, frame.agg);
    frame.agg = block;
    buf_fini(&w.out);
    CHECK_TEXT(add(e, 5, EVENT_EXPIRED), "int 3");
    agg_block_reset(&layout, frame.agg);
    CHECK(agg_block_is_empty(&layout, frame.agg));
    e = aggregate("max(i)", false);
    add(e, 9, EVENT_CURRENT);
    add(e, 5, EVENT_CURRENT);
    CHECK_TEXT(add(e, 9, EVENT_EXPIRED), "int null");
    CHECK_TEXT(add(e, 3, EVENT_CURRENT), "int 3");
    e = aggregate("minForever(d)", true);
    add(e, 9, EVENT_CURRENT);
    CHECK_TEXT(add(e, 5, EVENT_EXPIRED), "double 5.0");
    e = aggregate("max(sum(i))", true);
    CHECK_TEXT(add(e, 5, EVENT_CURRENT), "long 5");
    CHECK_TEXT(add(e, -2, EVENT_CURRENT), "long 5");
}

static void test_union(void)
{
    struct expr *e = aggregate("unionSet(createSet(i))", true);
    const int adds[] = {1, 2, 1, 2, 3, 4};
    static const char *const want[] = {"[1]", "[2]", "[1]", "[1, 2]", "[1, 2, 3]", "[1, 2, 4]"};
    for (int n = 0; n < 6; n++) {
        if (n)
            add(e, adds[n - 1], EVENT_EXPIRED);
        const char *got = add(e, adds[n], EVENT_CURRENT);
        CHECK_TEXT(got + strlen("object "), want[n]);
    }
    CHECK_TEXT(show(aggregate("sizeOfSet(unionSet(o))", true)),
               "failed: unionSet needs a set, but got the null value 'null'");
}

static void test_text_functions(void)
{
    defaults();
    CHECK_TEXT(run("str:charAt('WSO2',1)"), "string S");
    CHECK_TEXT(run("str:charAt('WSO2',4)"), "failed: str:charAt: place 4 is outside of the text");
    CHECK_TEXT(run("str:concat('D5',1,true,2.50)"), "string D51true2.5");
    CHECK_TEXT(run("str:upper('straße')"), "string STRASSE");
    CHECK_TEXT(run("str:lower('ΑΣ ΣΑ İ')"), "string ας σα i̇");
    CHECK_TEXT(run("str:equalsIgnoreCase('Zürich','ZÜRICH')"), "bool true");
    CHECK_TEXT(run("str:equalsIgnoreCase('straße','STRASSE')"), "bool false");
    CHECK_TEXT(run("str:substr('aé😀z',2,2)"), "string 😀");
    CHECK_TEXT(run("str:length('a😀')"), "int 3");
    CHECK_TEXT(run("str:reverse('a😀b')"), "string b😀a");
    CHECK_TEXT(run("str:replaceAll('abc','','-')"), "string -a-b-c-");
    CHECK_TEXT(run("str:replaceAll('axb','x*','-')"), "string -a--b-");
    CHECK_TEXT(run("str:replaceAll('a1b22','([a-z])([0-9]+)','$2$1')"), "string 1a22b");
    CHECK_TEXT(run("str:split('a,b,,',',',1)"), "string b");
    CHECK_TEXT(run("str:split('a,b,,',',',2)"), "failed: str:split: there is no part 2, there are 2");
    CHECK_TEXT(run("str:fillTemplate('{{1}} > {{2}}',200,300)"), "string 200 > 300");
    CHECK_TEXT(run("str:strcmp('abc','a')"), "int 2");
    CHECK_TEXT(run("str:hex('MySQL')"), "string 4d7953514c");
    CHECK_TEXT(run("str:locate('@w','john@wso2')"), "int 4");
    CHECK_TEXT(run("str:regexp('WSO2 abcdh','WSO(.*h)')"), "bool true");
    CHECK_TEXT(run("str:regexp('a','[b')"),
               "refused: str:regexp: a wrong regular expression: '[' is not closed");
    CHECK_TEXT(run("str:concat('a')"), "refused: str:concat takes (any, any, any...), but is given (string)");
    CHECK_TEXT(run("str:charat('a',1)"),
               "refused: there is no function 'str:charat' | did you mean 'str:charAt'?");
}

static void test_regex(void)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"[a-z&&[^aeiou]]+", "xyz", true},
        {"[a-z&&[^aeiou]]+", "xaz", false},
        {"[a-c[x-z]]+", "axbz", true},
        {"[^a-c[x-z]]", "b", false},
        {"[^a-c[x-z]]", "m", true},
        {"\\p{Alpha}+", "abcZ", true},
        {"\\p{Alpha}", "é", false},
        {"\\p{L}", "é", true},
        {"a.c", "a\nc", false},
        {"(?s)a.c", "a\nc", true},
        {"(a)\\1", "aa", true},
        {"(a)\\2", "aa", false},
        {"\\u00e9", "é", true},
        {"a{2,3}", "aaa", true},
        {"(?<n>a)\\k<n>", "aa", true},
        {"a++a", "aaa", false},
        {"[\\w.]+@x", "a.b@x", true},
        {"\\Qa.b\\E", "a.b", true},
        {"[]a]+", "]a", true},
        {"(?i:A)b", "ab", true},
        {"x|(?=y)y", "y", true},
    };
    char error[100];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct regex *r = regex_new(&arena, cases[i].pattern, strlen(cases[i].pattern), error, sizeof(error));
        bool got = r && regex_match(r, cases[i].text, strlen(cases[i].text), 0, REGEX_WHOLE) > 0;
        if (!CHECK(r && got == cases[i].matches))
            printf("    %s %s: %s\n", cases[i].pattern, cases[i].text, r ? "" : error);
    }
    static const char *const wrong[] = {"a{", "(*ACCEPT)", "(?|a)", "(?R)", "a{,2}", "\\K",
                                        "[a", "(a",        "a)",    "\\",   "(?U)a", "*a"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (!CHECK(!regex_new(&arena, wrong[i], strlen(wrong[i]), error, sizeof(error))))
            printf("    %s\n", wrong[i]);
    struct regex *slow = regex_new(&arena, "(a+)+b", 6, error, sizeof(error));
    char text[64];
    memset(text, 'a', 60);
    CHECK(regex_match(slow, text, 60, 0, REGEX_WHOLE) <= 0);
}

static void test_time_functions(void)
{
    defaults();
    CHECK_TEXT(run("time:timestampInMilliseconds('2007-11-30 10:30:19.000')"), "long 1196418619000");
    CHECK_TEXT(run("time:dateFormat('2014/11/11 13:23:44','mm:ss','yyyy/MM/dd HH:mm:ss')"), "string 23:44");
    CHECK_TEXT(run("time:dateAdd('2014-11-11 13:23:44.657',5,'YEAR')"), "string 2019-11-11 13:23:44.657");
    CHECK_TEXT(run("time:date('2014-13-45','yyyy-MM-dd')"), "string 2015-02-14");
    CHECK_TEXT(run("time:date('14-01-01','yyyy-MM-dd')"), "string 0014-01-01");
    CHECK_TEXT(run("time:extract('WEEK','2021-01-03 00:00:00.000')"), "int 2");
    CHECK_TEXT(run("time:extract('WEEK','2021-01-03','yyyy-MM-dd','de_DE')"), "int 53");
    CHECK_TEXT(run("time:dayOfWeek('2014-12-11 13:23:44.345')"), "string Thursday");
    CHECK_TEXT(run("time:timezoneConvert('2014/11/11 13:23:44','yyyy/MM/dd HH:mm:ss','UTC','IST')"),
               "string 2014/11/11 07:53:44");
    CHECK_TEXT(
        run("time:timezoneConvert('2023-03-26 02:30','yyyy-MM-dd HH:mm','Europe/Berlin','Europe/Berlin')"),
        "string 2023-03-26 03:30");
    CHECK_TEXT(run("time:timezoneConvert('2044-07-01 12:00','yyyy-MM-dd HH:mm','UTC','Europe/Berlin')"),
               "string 2044-07-01 10:00");
    CHECK_TEXT(run("time:dateFormat(0L,'q')"), "failed: time:dateFormat: no date pattern has the letter 'q'");
    CHECK_TEXT(run("time:date('x','yyyy')"), "failed: time:date: 'x' is not written as 'yyyy' says");
    for (int64_t days = -800000; days < 800000; days += 37) {
        struct date d;
        calendar_split(days * 86400000, &d);
        if (calendar_days(d.year, d.month, d.day) != days)
            CHECK(!"the calendar goes there and back");
    }
}

static void test_json_functions(void)
{
    defaults();
    CHECK_TEXT(run("json:getString('{a:{x:1,b:[1,2.50,<]}}','$.a')"),
               "string {\"x\":1,\"b\":[1,2.5,\"\\u003c\"]}");
    CHECK_TEXT(run("json:getInt('{a:[{p:1,q:7},{p:9,q:8}]}','$.a[?(@.p > 5 && @.q in [8])].q')"), "int 8");
    CHECK_TEXT(run("json:getString('{a:[{p:1},{p:9}]}','$..p')"), "string [1,9]");
    CHECK_TEXT(run("json:getString('[1,2,3,4]','$[1:3]')"), "string [2,3]");
    CHECK_TEXT(run("json:getString('[1,2,3,4]','$[-1]')"), "string 4");
    CHECK_TEXT(run("json:getString('{a:1,b:2,c:3}',\"['a','c']\")"), "string {\"a\":1,\"c\":3}");
    CHECK_TEXT(run("json:getLong('{a:12345678901}','a')"), "long 12345678901");
    CHECK_TEXT(run("json:getInt('{a:12345678901}','a')"), "int null");
    CHECK_TEXT(run("json:getString('{a:123456789012345678901}','a')"), "string 123456789012345678901");
    CHECK_TEXT(run("json:getBool('{}','$.x')"), "bool false");
    CHECK_TEXT(run("json:isExists('{a:null}','$.a')"), "bool true");
    CHECK_TEXT(run("json:getString('{','$.a')"), "failed: json:getString: '{' is no JSON");
    CHECK_TEXT(run("json:getString('{}','$.')"),
               "failed: json:getString: the path '$.' is wrong: a name is missing");
    CHECK_TEXT(run("json:toString(json:setElement('{age:1}','$',40,'age'))"), "string {\"age\":40}");
    CHECK_TEXT(run("map:toJSON(map:create('symbol','wso2','volume',100.0))"),
               "string {\"symbol\":\"wso2\",\"volume\":100}");
    CHECK_TEXT(run("list:addAll(list:create('IBM','WSO2'), list:create('IBM','XYZ'), true)"),
               "object [IBM, WSO2, XYZ]");
    CHECK_TEXT(run("list:sort(list:create(3,1,2),'DESC')"), "object [3, 2, 1]");
    CHECK_TEXT(run("list:size('abc')"), "refused: list:size takes (object), but is given (string)");
    CHECK_TEXT(run("math:rand(12)"), "double 0.7298928061101974");
    CHECK_TEXT(run("math:hex(2.5)"), "string 0x1.4p1");
    CHECK_TEXT(run("math:round(-2.5)"), "long -2");
}

int main(void)
{
    arena_init(&arena, 65536);
    arena_init(&scratch, 65536);
    env.scratch = &scratch;
    sources[0] = (struct scope_source){"S", NULL, schema("S", "ilfdsbo"), 0};
    sources[1] = (struct scope_source){"T", "t", schema("T", "ai"), 1};
    ((struct schema *)(uintptr_t)sources[1].schema)->attributes[0] = (struct attribute){"a", TYPE_INT};
    test_arithmetic();
    test_comparison();
    test_logic();
    test_names();
    test_functions();
    test_sums();
    test_extremes();
    test_union();
    test_text_functions();
    test_regex();
    test_time_functions();
    test_json_functions();
    agg_block_free(&layout, frame.agg);
    if (rows[0])
        row_unref(rows[0]);
    mem_free(env.loose);
    arena_fini(&scratch);
    arena_fini(&arena);
    return check_end();
}
