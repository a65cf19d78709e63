/* test_input.c - what the tools read: CSV, JSON trees, base64, and the comparison of cases. */
#include "agent/base64.h"
#include "agent/case.h"
#include "agent/csv_input.h"
#include "agent/jnode.h"
#include "tests/unit/check.h"
#include <string.h>

static struct arena arena;

/* Fields joined by '|', records by '/'; quoted ones in <>. */
static const char *csv_text(const char *text)
{
    static char out[512];
    struct csv c;
    struct err e = {0};
    int rc;
    out[0] = 0;
    csv_init(&c, &arena, text, strlen(text));
    while ((rc = csv_next(&c, &e)) > 0) {
        size_t len = strlen(out);
        for (int i = 0; i < c.count; i++) {
            const struct csv_field *f = &c.fields[i];
            len += (size_t)snprintf(out + len, sizeof out - len, f->is_quoted ? "%s<%.*s>" : "%s%.*s",
                                    i ? "|" : "", (int)f->len, f->text);
        }
        snprintf(out + len, sizeof out - len, "/");
    }
    csv_fini(&c);
    return rc < 0 ? arena_strdup(&arena, e.text) : out;
}

static void test_csv(void)
{
    CHECK_TEXT(csv_text(""), "");
    CHECK_TEXT(csv_text("a,b\n1,2\n"), "a|b/1|2/");
    CHECK_TEXT(csv_text("a,b\r\n1,\r\n\r\n,2"), "a|b/1|/|2/");
    CHECK_TEXT(csv_text("\xEF\xBB\xBFk\nx\n"), "k/x/");
    CHECK_TEXT(csv_text("\"a,b\",\"two\nlines\",\"say \"\"hi\"\"\"\n\"\",x\n"),
               "<a,b>|<two\nlines>|<say \"hi\">/<>|x/");
    CHECK_TEXT(csv_text("a\n\"open"), "line 2: a quoted field does not end");
    CHECK_TEXT(csv_text("a,b\n\"x\"y,1\n"), "line 2: field 1 goes on behind its quotes");
}

static const char *json_text(const char *text)
{
    struct buf out;
    struct err e = {0};
    const char *at = text;
    const struct jnode *n = jnode_parse(&arena, &at, text + strlen(text), &e);
    if (!n)
        return arena_strdup(&arena, e.text);
    buf_init(&out, 1 << 20);
    jnode_print(n, &out);
    char *result = arena_strdup(&arena, out.bytes);
    buf_fini(&out);
    return result;
}

static void test_json(void)
{
    static const char same[] = "{\"a\":[1,-0.5e+10,9223372036854775807,true,false,null],\"b\":{},\"c\":[]}";
    CHECK_TEXT(json_text(same), same);
    CHECK_TEXT(json_text(" \"\\u00e4\\ud83d\\ude00\\n\\\"\" "), "\"ä😀\\n\\\"\"");
    CHECK_TEXT(json_text("\"\\ud83d\""), "\"\xEF\xBF\xBD\"");
    CHECK_TEXT(json_text("  "), "nothing is left");
    CHECK_TEXT(json_text("01"), "a number is malformed");
    CHECK_TEXT(json_text("[1,]"), "a value is expected");
    CHECK_TEXT(json_text("[1"), "',' or ']' is expected");
    CHECK_TEXT(json_text("{\"a\" 1}"), "':' is expected");
    CHECK_TEXT(json_text("\"\\x\""), "a string is malformed");
    CHECK_TEXT(json_text("\"\xff\""), "a string is malformed");
    char deep[1000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    CHECK_TEXT(json_text(deep), "nested too deep");
}

static bool value_of(const char *json, enum type type, struct value *out)
{
    struct err e = {0};
    const char *at = json;
    const struct jnode *n = jnode_parse(&arena, &at, json + strlen(json), &e);
    return n && jnode_to_value(n, type, out);
}

static void test_values(void)
{
    struct value v;
    CHECK(value_of("9223372036854775807", TYPE_LONG, &v) && v.as.l == INT64_MAX);
    CHECK(value_of("9007199254740993", TYPE_LONG, &v) && v.as.l == 9007199254740993);
    CHECK(value_of("3", TYPE_DOUBLE, &v) && v.type == TYPE_DOUBLE && v.as.d == 3.0);
    CHECK(value_of("2.0", TYPE_INT, &v) && v.type == TYPE_INT && v.as.l == 2);
    CHECK(!value_of("2.5", TYPE_INT, &v));
    CHECK(!value_of("3000000000", TYPE_INT, &v));
    CHECK(value_of("\"NaN\"", TYPE_DOUBLE, &v) && v.as.d != v.as.d);
    CHECK(!value_of("\"3\"", TYPE_DOUBLE, &v));
    CHECK(value_of("null", TYPE_BOOL, &v) && v.type == TYPE_NULL);
    CHECK(!value_of("1", TYPE_BOOL, &v));
}

static void test_base64(void)
{
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    struct buf out;
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        buf_clear(&out);
        base64_encode(pairs[i][0], strlen(pairs[i][0]), &out);
        CHECK_TEXT(out.len ? out.bytes : "", pairs[i][1]);
        buf_clear(&out);
        CHECK(base64_decode(pairs[i][1], strlen(pairs[i][1]), &out));
        CHECK_TEXT(out.len ? out.bytes : "", pairs[i][0]);
    }
    CHECK(!base64_decode("Zg=", 3, &out));
    CHECK(!base64_decode("Z===", 4, &out));
    CHECK(!base64_decode("Zg==Zg==", 8, &out));
    CHECK(!base64_decode("Z*==", 4, &out));
    buf_fini(&out);
}

static const struct jnode *node(const char *json)
{
    struct err e = {0};
    const char *at = json;
    return jnode_parse(&arena, &at, json + strlen(json), &e);
}

/* NULL when got is as expected. */
static const char *difference(const char *expect, const char *got)
{
    return case_compare(&arena, node(expect), node(got));
}

static void test_compare(void)
{
    CHECK(!difference("{\"error\":true}", "{\"error\":true}"));
    CHECK_TEXT(difference("{\"error\":true}", "{\"error\":false}"),
               "the app must be refused, and was accepted");
    CHECK(!difference("{\"streams\":{\"A\":[{\"at\":1,\"data\":[2]}]}}",
                      "{\"streams\":{\"A\":[{\"at\":1,\"data\":[2.0]}],\"B\":[]}}"));
    CHECK_TEXT(difference("{\"streams\":{\"A\":[]}}", "{\"streams\":{\"A\":[1]}}"),
               "streams.A[0]: expected nothing, got 1");
    CHECK_TEXT(difference("{\"streams\":{\"A\":[1,2]}}", "{\"streams\":{\"A\":[1]}}"),
               "streams.A[1]: expected 2, got nothing");
    CHECK(difference("{\"streams\":{\"A\":[9007199254740992]}}",
                     "{\"streams\":{\"A\":[9007199254740993]}}") != NULL);
    CHECK(difference("{\"streams\":{\"A\":[true]}}", "{\"streams\":{\"A\":[1]}}") != NULL);
    CHECK(!difference("{\"streams\":{\"A\":[1.0000000001]}}", "{\"streams\":{\"A\":[1.0]}}"));
    CHECK(difference("{\"streams\":{\"A\":[1.00000001]}}", "{\"streams\":{\"A\":[1.0]}}") != NULL);
    CHECK(!difference("{\"results\":[[[1.0000001]]]}", "{\"results\":[[[1.0]]]}"));
    CHECK(!difference("{\"results\":[[[1],[2]],null,[]]}", "{\"results\":[[[2],[1]],[],null]}"));
    CHECK(difference("{\"results\":[[[1],[1]]]}", "{\"results\":[[[1],[2]]]}") != NULL);
    CHECK(!difference("{\"streams\":{\"A\":[{\"set\":[1,2]}]}}", "{\"streams\":{\"A\":[{\"set\":[2,1]}]}}"));
    CHECK(difference("{\"queries\":{}}", "{\"queries\":{\"q\":[1]}}") != NULL);
    CHECK(difference("{\"types\":{\"A\":[\"int\"]}}", "{\"types\":{\"A\":[\"int\"],\"B\":[\"int\"]}}") !=
          NULL);
}

int main(void)
{
    arena_init(&arena, 64 * 1024);
    test_csv();
    test_json();
    test_values();
    test_base64();
    test_compare();
    arena_fini(&arena);
    return check_end();
}
