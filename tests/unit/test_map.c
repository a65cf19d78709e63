/* test_map.c - the mappers, fed without an app: what spec 21 shows, and what nobody sends who means well. The
 * cases map-*.jsonl have the rest. */
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/data/object.h"
#include "engine/lang/parse.h"
#include "ports/map.h"
#include "tests/unit/check.h"

/* One definition with one @source or @sink, its mapper, and what came out of it. */
struct rig {
    struct arena arena;
    struct diags diags;
    struct schema *schema;
    struct mapper *m;
    struct buf out;
    int rc;
    struct err e;
};

static void rig_open(struct rig *r, const char *text)
{
    memset(r, 0, sizeof(*r));
    arena_init(&r->arena, 4096);
    diags_init(&r->diags, &r->arena, text, strlen(text));
    buf_init(&r->out, SIZE_MAX);
    struct ast_app *app = parse_app(&r->diags, text, strlen(text));
    if (!CHECK(app != NULL))
        return;
    const struct ast_definition *d = app->definitions;
    uint32_t count = 0;
    for (const struct ast_attribute *a = d->attributes; a; a = a->next)
        count++;
    r->schema = schema_new(&r->arena, d->id.text, count);
    count = 0;
    for (const struct ast_attribute *a = d->attributes; a; a = a->next)
        r->schema->attributes[count++] = (struct attribute){a->name.text, a->type};
    const struct ast_annotation *port = d->annotations;
    bool is_sink = strcmp(port->name.text, "sink") == 0;
    r->m = map_open(&r->arena, &r->diags, ast_find_annotation(port->nested, "map"), port->span, r->schema,
                    is_sink, NULL);
}

static void rig_close(struct rig *r)
{
    map_close(r->m);
    buf_fini(&r->out);
    arena_fini(&r->arena);
}

/* [a,b][c,d] for a chunk of two, and a;b for the values of one. */
static void take_rows(void *user, struct row **rows, uint32_t count, bool is_batch)
{
    struct rig *r = user;
    if (is_batch)
        buf_add_char(&r->out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(&r->out, ' ');
        for (uint32_t k = 0; k < rows[i]->count; k++) {
            if (k > 0)
                buf_add_char(&r->out, ',');
            value_print(row_get(rows[i], k), &r->out);
        }
        row_unref(rows[i]);
    }
    buf_add_str(&r->out, is_batch ? "]" : ";");
}

static const char *feed_as(struct rig *r, enum payload_kind kind, const char *bytes, size_t len)
{
    buf_clear(&r->out);
    char *exact = mem_alloc(len); /* so that reading behind it is seen */
    if (len > 0)
        memcpy(exact, bytes, len);
    struct payload p = {.kind = kind, .bytes = exact, .len = len};
    r->rc = map_read(r->m, &p, NULL, 0, 1000, take_rows, r, &r->e);
    mem_free(exact);
    return r->out.bytes ? r->out.bytes : "";
}

static const char *feed(struct rig *r, const char *text)
{
    return feed_as(r, PAYLOAD_TEXT, text, strlen(text));
}

/* One message to one mapper: what comes out, "" when it is refused. */
static void check_in(const char *app, const char *message, const char *want)
{
    struct rig r;
    rig_open(&r, app);
    if (CHECK(r.m != NULL))
        CHECK_TEXT(feed(&r, message), want);
    else
        diags_print(&r.diags, "app", stdout);
    rig_close(&r);
}

static void check_refused(const char *app)
{
    struct rig r;
    rig_open(&r, app);
    CHECK(r.m == NULL);
    CHECK(r.diags.errors + r.diags.unsupported > 0);
    rig_close(&r);
}

#define STOCKS "define stream S (symbol string, price float, volume long);"
#define JSON "@source(type='x', @map(type='json')) " STOCKS
#define JSON_LAX "@source(type='x', @map(type='json', fail.on.missing.attribute='false')) " STOCKS

/* ---- json ---- */

static void test_json_default(void)
{
    check_in(JSON, "{\"event\":{\"symbol\":\"WSO2\",\"price\":55.6,\"volume\":100}}", "WSO2,55.6,100;");
    check_in(JSON, " {\"volume\":100, \"symbol\":\"WSO2\",\t\"price\":55} ", "WSO2,55.0,100;");
    check_in(JSON, "{\"symbol\":\"a\\u0041\\ud83d\\ude00\\n\\/\",\"price\":1e2,\"volume\":-0}",
             "aA\xF0\x9F\x98\x80\n/,100.0,0;");
    check_in(JSON, "{\"sy\\u006dbol\":5,\"price\":1.5,\"volume\":1}", "5,1.5,1;");
    check_in(JSON, "{\"symbol\":{\"a\": [1, 1.50]},\"price\":1.5,\"volume\":null}",
             "{\"a\":[1,1.5]},1.5,null;");
    check_in(JSON, "{\"symbol\":\"a\",\"price\":1.5}", "");
    check_in(JSON_LAX, "{\"symbol\":\"a\",\"price\":1.5}", "a,1.5,null;");
    check_in(JSON_LAX, "{}", "null,null,null;");
    check_in(JSON, "{}", "");
    check_in(JSON_LAX, "{\"symbol\":\"a\",\"other\":1.5}", "");
    check_in(JSON_LAX, "{\"symbol\":\"a\",\"symbol\":\"b\"}", "");
    check_in(JSON, "{\"symbol\":\"a\",\"price\":1.5,\"volume\":5.0}", "");
    check_in(JSON, "{\"symbol\":\"a\",\"price\":1.5,\"volume\":9223372036854775808}", "");
    check_in(JSON, "{\"event\":{\"symbol\":\"a\",\"price\":1.5,\"volume\":5},\"x\":1}", "");
    check_in(JSON, "5", "");
    check_in("@source(type='x', @map(type='json')) define stream S (d double);", "{\"d\":55}", "");
    check_in("@source(type='x', @map(type='json')) define stream S (d double);", "{\"d\":55.0}", "55.0;");
    check_in("@source(type='x', @map(type='json')) define stream S (o object);",
             "{\"o\":{\"a\":[1,{\"b\":null}],\"c\":{}}}", "{a=[1, {b=null}], c={}};");
}

static void test_json_array(void)
{
    check_in(JSON,
             "[{\"event\":{\"symbol\":\"a\",\"price\":1,\"volume\":\"2\"}},{\"symbol\":true,\"price\":"
             "\"1e3\",\"volume\":3,\"x\":[]}]",
             "[a,1.0,2 true,1000.0,3]");
    check_in(JSON_LAX, "[{\"event\":{\"symbol\":\"a\"}},{\"symbol\":\"b\"}]", "[a,null,null]");
    check_in(JSON, "[{\"symbol\":\"a\",\"price\":null,\"volume\":1}]", "");
    check_in(JSON, "[5]", "");
    check_in(JSON, "[]", "");
    check_in(JSON, "[{\"symbol\":\"a\",\"price\":1,\"volume\":1}] x", "");
    check_in(JSON,
             "[{\"symbol\":\"a\",\"price\":1,\"volume\":1},{\"x\":1,\"event\":{\"symbol\":\"b\",\"price\":2,"
             "\"volume\":2},\"y\":2}]",
             "[a,1.0,1 b,2.0,2]");
    check_in("@source(type='x', @map(type='json', event.grouping.enabled='false')) define stream S (i int);",
             "[{\"i\":1},{\"i\":2}]", "1;2;");
}

#define CUSTOM(options, attributes)                                           \
    "@source(type='x', @map(type='json' " options ", @attributes(" attributes \
    "))) define stream S (a string, b double);"

static void test_json_custom(void)
{
    check_in("@source(type='x', @map(type='json', enclosing.element='$.portfolio', "
             "@attributes(symbol='stock.company.symbol',"
             " price='stock.price', volume='stock.volume'))) " STOCKS,
             "{\"portfolio\":[{\"stock\":{\"volume\":100,\"company\":{\"symbol\":\"wso2\"},\"price\":56.6}},"
             "{\"stock\":{\"volume\":200,\"company\":{\"symbol\":\"x\"},\"price\":57}}]}",
             "[wso2,56.6,100 x,57.0,200]");
    check_in(CUSTOM("", "a='$.x[0].y', b=\"['n']\""), "{\"x\":[{\"y\":1e2}],\"n\":5}", "100.0,5.0;");
    check_in(CUSTOM("", "a='x[-1]', b='n[1][0]'"), "{\"x\":[1,[ 2,1.50 ]],\"n\":[0,[7]]}", "[2,1.5],7.0;");
    check_in(CUSTOM("", "a='x[*].v', b='n'"), "{\"n\":1,\"x\":[{\"v\":1},{},{\"v\":\"q\"}]}",
             "[1,\"q\"],1.0;");
    check_in(CUSTOM("", "a=\"$['x.y'][0,2]\", b='n'"), "{\"n\":1,\"x.y\":[1,2,3]}", "[1,3],1.0;");
    check_in(CUSTOM("", "a='x[1:]', b='n'"), "{\"n\":1,\"x\":[1,2,3]}", "[2,3],1.0;");
    check_in(CUSTOM(", enclosing.element='$.items[*]'", "a='p', b='q'"),
             "{\"items\":[{\"p\":\"z\",\"q\":1.0},{\"p\":null,\"q\":2}]}", "[z,1.0 null,2.0]");
    check_in(CUSTOM(", enclosing.element='data'", "a='p', b='q'"), "{\"other\":{\"p\":\"z\",\"q\":1.0}}", "");
    check_in(CUSTOM("", "a='p', b='q'"), "[{\"p\":\"z\"},{\"p\":\"y\",\"q\":1}]", "[y,1.0]");
    check_in(CUSTOM("", "a='p', b='q'"), "[{\"p\":\"z\",\"q\":\"no\"},{\"p\":\"y\",\"q\":1}]", "");
    check_in(CUSTOM(", fail.on.missing.attribute='false'", "'p', 'q'"), "[{\"p\":\"z\"},5]",
             "[z,null null,null]");
    check_refused(CUSTOM("", "a='p[', b='q'"));
    check_refused(CUSTOM("", "a='p[?(@.x)]', b='q'"));
    check_refused(CUSTOM("", "a='p'"));
    check_refused(CUSTOM("", "a='p', 'q'"));
    check_refused(CUSTOM("", "a='p', c='q'"));
    check_refused(CUSTOM("", "'p', 'q', 'r'"));
}

static void test_json_hostile(void)
{
    struct rig r;
    rig_open(&r, JSON);
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "[",
        "{\"",
        "{\"symbol",
        "{\"symbol\"",
        "{\"symbol\":",
        "{\"symbol\":\"",
        "{\"symbol\":\"\\",
        "{\"symbol\":\"\\u12",
        "{\"symbol\":\"\\x\"",
        "{\"price\":-",
        "{\"price\":1.",
        "{\"price\":1e",
        "{\"price\":01}",
        "{\"price\":.5}",
        "{\"price\":+1}",
        "{\"price\":NaN}",
        "{\"price\":tru}",
        "{symbol:1}",
        "{'symbol':1}",
        "{\"symbol\":1,}",
        "[{},]",
        "[1 2]",
        "{\"symbol\" 1}",
        "{\"symbol\":\"a\nb\",\"price\":1.0,\"volume\":1}",
        "{\"symbol\":\"\xC3\x28\",\"price\":1.0,\"volume\":1}",
        "{\"symbol\":\"\xED\xA0\x80\",\"price\":1.0,\"volume\":1}",
        "{\"symbol\":\"\xFF\",\"price\":1.0,\"volume\":1}",
        "\xEF\xBB\xBF{\"symbol\":\"a\",\"price\":1.0,\"volume\":1}",
        "{\"event\" {}}",
        "{\"event\":[]}",
        "{\"event\":{}",
        "[{\"event\":{}}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        CHECK_TEXT(feed(&r, wrong[i]), "");
        CHECK(r.rc == ERR_INVALID && r.e.text[0]);
    }
    static const char with_nul[] = "{\"symbol\":\"a\0b\",\"price\":1.0,\"volume\":1}";
    CHECK_TEXT(feed_as(&r, PAYLOAD_TEXT, with_nul, sizeof(with_nul) - 1), "");
    static const char nul_between[] = "{\0\"symbol\":\"ab\",\"price\":1.0,\"volume\":1}";
    CHECK_TEXT(feed_as(&r, PAYLOAD_BYTES, nul_between, sizeof(nul_between) - 1), "");
    feed(&r, "{\"symbol\":\"a\\u0000b\",\"price\":1.0,\"volume\":1}");
    CHECK(r.rc == 0 && r.out.len == strlen("a_b,1.0,1;"));
    CHECK_TEXT(feed(&r, "{\"symbol\":\"\\ud800\",\"price\":1.0,\"volume\":1}"), "\xEF\xBF\xBD,1.0,1;");

    /* deep, in a known value and in one that is skipped */
    struct buf deep;
    buf_init(&deep, SIZE_MAX);
    buf_add_str(&deep, "[{\"x\":");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&deep, '[');
    CHECK_TEXT(feed_as(&r, PAYLOAD_TEXT, deep.bytes, deep.len), "");
    CHECK(strstr(r.e.text, "nested too deep") != NULL);
    rig_close(&r);
    rig_open(&r, "@source(type='x', @map(type='json')) define stream S (o object);");
    buf_clear(&deep);
    buf_add_str(&deep, "{\"o\":");
    for (int i = 0; i < LIMIT_PARSE_DEPTH - 1; i++)
        buf_add_char(&deep, '[');
    for (int i = 0; i < LIMIT_PARSE_DEPTH - 1; i++)
        buf_add_char(&deep, ']');
    buf_add_char(&deep, '}');
    feed_as(&r, PAYLOAD_TEXT, deep.bytes, deep.len);
    CHECK(r.rc == 0);
    buf_fini(&deep);
    rig_close(&r);
}

static void test_big(void)
{
    struct buf text;
    struct rig r;
    buf_init(&text, SIZE_MAX);
    buf_add_str(&text, "{\"price\":1.0,\"volume\":1,\"symbol\":\"");
    size_t head = text.len;
    for (int i = 0; i < 10 * 1024 * 1024; i += 16)
        buf_add_str(&text, "0123456789abcdef");
    buf_add_str(&text, "\"}");
    rig_open(&r, JSON);
    feed_as(&r, PAYLOAD_TEXT, text.bytes, text.len);
    CHECK(r.rc == ERR_INVALID && r.out.len == 0);
    text.bytes[4 * 1024 * 1024] = '"';
    text.bytes[4 * 1024 * 1024 + 1] = '}';
    feed_as(&r, PAYLOAD_TEXT, text.bytes, 4 * 1024 * 1024 + 2);
    CHECK(r.rc == 0 && r.out.len == 4 * 1024 * 1024 - head + strlen(",1.0,1;"));
    rig_close(&r);
    buf_clear(&text);
    buf_add_char(&text, '[');
    for (int i = 0; i < 200000; i++)
        buf_add_str(&text, "{\"a\":[1,{}],\"b\":1},");
    buf_add_str(&text, "{\"a\":1,\"b\":1}]");
    rig_open(&r, CUSTOM("", "a='a[0]', b='b'"));
    feed_as(&r, PAYLOAD_TEXT, text.bytes, text.len);
    CHECK(r.rc == ERR_INVALID && r.out.len == 200000 * strlen("1,1.0 ") + 1); /* the last one lacks a[0] */
    rig_close(&r);
    buf_fini(&text);
}

/* ---- csv, text, binary in ---- */

static void test_csv(void)
{
#define CSV "@source(type='x', @map(type='csv', event.grouping.enabled='true')) " STOCKS
    check_in(CSV, "WSO2,55.6,100\n\"a \"\"b\"\", c\", 1.5,+2\r\n\r\nx,1,3,extra",
             "[WSO2,55.6,100 a \"b\", c,1.5,2 x,1.0,3]");
    check_in(CSV, "WSO2,x,100\nb,1,1", "[b,1.0,1]");
    check_in(CSV, "b,1,1\nWSO2,1", "");
    check_in(CSV, "\"open,1,1", "");
    check_in(CSV, "\"a\"b,1,1", "");
    check_in(CSV, "\"a\" ,1,1\n\"a\nb\",2,2", "[a,1.0,1 a\nb,2.0,2]");
    check_in(CSV, "\n\n", "");
    check_in(CSV, "\"\",1,1", "[,1.0,1]");
    check_in(CSV, "\xFF,1,1", "");
    check_in("@source(type='x', @map(type='csv')) " STOCKS, "a,1,1\nb,2,2", "b,2.0,2;");
    check_in("@source(type='x', @map(type='csv', delimiter='||', @attributes('2', '0', '1'))) " STOCKS,
             "1|| 2||\"q||\"", "");
    check_in("@source(type='x', @map(type='csv', delimiter='||', @attributes('2', '0', '1'))) " STOCKS,
             "1||2||\"q||\"", "q||,1.0,2;");
    check_refused("@source(type='x', @map(type='csv', @attributes('2', '0', 'x'))) " STOCKS);
    check_refused("@sink(type='x', @map(type='csv', @payload(symbol='0', price='2'))) " STOCKS);
    check_refused("@sink(type='x', @map(type='csv', @payload(symbol='0', price='x'))) " STOCKS);
    check_refused("@sink(type='x', @map(type='csv', @payload(symbol='0', price='0'))) " STOCKS);
    check_refused("@sink(type='x', @map(type='csv', delimiter='')) " STOCKS);
}

static void test_text(void)
{
#define TEXT "@source(type='x', @map(type='text', event.grouping.enabled='true')) " STOCKS
    check_in(TEXT,
             "symbol:\"WSO2\",\nprice:55.6,\nvolume:1,000\n~~~~~~~~~~\nvolume : "
             "2,\nother:x,\nsymbol:'a:b',\nprice:1",
             "WSO2,55.6,1000;a:b,1.0,2;");
    check_in(TEXT, "symbol:\"WSO2\",\nprice:x,\nvolume:1\n~~~~~~~~~~\nsymbol:'b',\nprice:1", "");
    /* What stands for the quotes goes as a whole. */
    check_in(TEXT,
             "symbol:\xC2\xAB"
             "ab\xC3\xA9,\nprice:1,\nvolume:1",
             "ab,1.0,1;");
    check_in(TEXT, "symbol:\xF0\x9F\x98\x80\xC3\xA9,\nprice:1,\nvolume:1", ",1.0,1;");
    check_in(TEXT, "symbol:\xC3\xA9,\nprice:1,\nvolume:1", "");
    check_in(TEXT, "", "");
    check_in(TEXT, "~~~~~~~~~~\n~~~~~~~~~~\n", "");
    check_in(
        "@source(type='x', @map(type='text', regex.A='(\\w+)\\s([-0-9.]+)', regex.B='volume\\s([-0-9]+)', "
        "@attributes(symbol='A[1]', price='A[2]', volume='B'))) " STOCKS,
        "WSO2 55.6 volume 7", "WSO2,55.6,7;");
    check_refused("@source(type='x', @map(type='text', regex.A='(', @attributes('A', 'A', 'A'))) " STOCKS);
    check_refused(
        "@source(type='x', @map(type='text', regex.A='(x)', @attributes('A', 'A[2]', 'A'))) " STOCKS);
    check_refused("@source(type='x', @map(type='text', regex.A='(x)', @attributes('A', 'B', 'A'))) " STOCKS);
    /* a regex that would run for ever stops at its limit */
    struct rig r;
    rig_open(&r, "@source(type='x', @map(type='text', regex.A='(a*)*b', @attributes('A'))) define stream S "
                 "(a string);");
    char text[64];
    memset(text, 'a', sizeof(text));
    CHECK_TEXT(feed_as(&r, PAYLOAD_TEXT, text, sizeof(text)), "");
    rig_close(&r);
}

static void test_binary(void)
{
    static const char message[] = "\0\0\0\2"
                                  "\0\0\0\0\0\0\0\1\0\0\0\1a\xff\xff\xff\xff\x3f\xf8\0\0\0\0\0\0\1"
                                  "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\7\xbf\xd0\0\0\0\0\0\0\0";
    struct rig r;
    rig_open(&r,
             "@source(type='x', @map(type='binary')) define stream S (s string, i int, d double, b bool);");
    CHECK_TEXT(feed_as(&r, PAYLOAD_BYTES, message, sizeof(message) - 1),
               "[a,-1,1.5,true null,7,-0.25,false]");
    for (size_t len = 0; len < sizeof(message) - 1; len++)
        CHECK_TEXT(feed_as(&r, PAYLOAD_BYTES, message, len), "");
    CHECK_TEXT(feed_as(&r, PAYLOAD_TEXT, message, sizeof(message) - 1), "");
    CHECK_TEXT(feed_as(&r, PAYLOAD_BYTES, "\x7f\xff\xff\xff\0\0\0\0\0\0\0\1\x7f\xff\xff\xff", 16), "");
    rig_close(&r);
    check_refused("@source(type='x', @map(type='binary', @attributes('a'))) define stream S (a string);");
}

/* ---- xml in ---- */

static void test_xml(void)
{
#define XML "@source(type='x', @map(type='xml')) " STOCKS
    check_in(XML,
             "<events><event><symbol>WSO2</symbol><price>55.6</price><volume>100</volume></event></events>",
             "[WSO2,55.6,100]");
    check_in(XML,
             "<?xml version='1.0'?><!DOCTYPE events><e:events "
             "xmlns:e='u'><event><symbol>a&lt;&#65;<![CDATA[<&]]></symbol><price>1</price>"
             "<!-- x --><volume>2</volume></event></e:events>",
             "[a<A<&,1.0,2]");
    static const char *const wrong[] = {
        "",
        "x",
        "<events>",
        "<events></event>",
        "<events><event></events>",
        "<events>&unknown;</events>",
        "<events a=1/>",
        "<events/><events/>",
        "<events a='1' a='2'/>",
        "<events>]]></events>",
        "<events><![CDATA[</events>",
        "<events>&#0;</events>",
        "<events>\xFF</events>",
        "<e:events/>",
        "<events><!-- -- --></events>",
        "<!DOCTYPE e [<!ENTITY a 'b'>]><events>&a;</events>",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        check_in(XML, wrong[i], "");
    struct buf deep;
    buf_init(&deep, SIZE_MAX);
    for (int i = 0; i < 100000; i++)
        buf_add_str(&deep, "<a>");
    check_in(XML, deep.bytes, "");
    buf_fini(&deep);
}

static void test_xml_pieces(void)
{
    struct rig r;
    rig_open(&r, "@source(type='x', @map(type='xml', enable.streaming.xml.content='true', "
                 "enclosing.element='/root/child', "
                 "enclosing.element.as.event='true', extract.leaf.node.data='true', "
                 "fail.on.missing.attribute='false', "
                 "@attributes(id='/child/@id', key='/child/detail/@key', note='/child/note'))) "
                 "define stream S (id int, key string, note string);");
    if (CHECK(r.m != NULL)) {
        CHECK_TEXT(feed(&r, "<root><bounds a='1'/>"), "");
        CHECK_TEXT(feed(&r, "<child id='1' t=\"a>b\"/>"), "[1,null,null]");
        CHECK_TEXT(feed(&r, "<child id='2'><detail key='a'/><note> n </note>"), "");
        CHECK_TEXT(feed(&r, "<detail key='b'/><!-- </child> --></child><child id='3'/><child id='x'"),
                   "[2,a,n 2,b,n 3,null,null]");
        CHECK_TEXT(feed(&r, "/></root>"), "[null,null,null]");
    }
    rig_close(&r);
}

/* ---- out ---- */

static void take_payload(void *user, const struct payload *p)
{
    struct rig *r = user;
    if (p->kind == PAYLOAD_MAP)
        value_print(value_object(p->map), &r->out);
    else
        buf_add(&r->out, p->bytes, p->len);
    buf_add_char(&r->out, '|');
}

/* Two events, WSO2 55.6 100 and a"b null 1, as an array or as one and one. */
static void check_out(const char *app, bool is_batch, const char *want)
{
    struct rig r;
    rig_open(&r, app);
    if (!CHECK(r.m != NULL)) {
        diags_print(&r.diags, "app", stdout);
        rig_close(&r);
        return;
    }
    struct row *rows[2] = {row_new(3, 1), row_new(3, 2)};
    row_set_take(rows[0], 0, value_text(text_new("WSO2", 4)));
    row_set_take(rows[0], 1, value_float(55.6f));
    row_set_take(rows[0], 2, value_long(100));
    row_set_take(rows[1], 0, value_text(text_new("a\"b<\n", 5)));
    row_set_take(rows[1], 2, value_long(1));
    struct batch b;
    for (int i = 0; i < (is_batch ? 1 : 2); i++) {
        batch_init(&b, &r.arena, 2);
        b.is_batch = is_batch;
        batch_add(&b, rows[i], 1, EVENT_CURRENT);
        if (is_batch)
            batch_add(&b, rows[1], 2, EVENT_CURRENT);
        map_write(r.m, &b, take_payload, &r, &r.e);
    }
    CHECK_TEXT(r.out.bytes ? r.out.bytes : "", want);
    row_unref(rows[0]);
    row_unref(rows[1]);
    rig_close(&r);
}
#define SINK(options) "@sink(type='x', @map(" options ")) " STOCKS

static void test_out_json(void)
{
    check_out(SINK("type='json'"), false,
              "{\"event\":{\"symbol\":\"WSO2\",\"price\":55.6,\"volume\":100}}|"
              "{\"event\":{\"symbol\":\"a\\\"b<\\n\",\"price\":\"undefined\",\"volume\":1}}|");
    check_out(SINK("type='json', enable.null.attribute.value='true', enclosing.element='$.a.b'"), true,
              "{\"a\":{\"b\":[{\"event\":{\"symbol\":\"WSO2\",\"price\":55.6,\"volume\":100}},"
              "{\"event\":{\"symbol\":\"a\\\"b<\\n\",\"price\":null,\"volume\":1}}]}}|");
    check_out(SINK("type='json', @payload('{{{{price}},{{{volume}}}}')"), true,
              "[{{55.6,{100}},\n{{undefined,{1}}]|");
    check_out(SINK("type='json', validate.json='true', @payload(\"\"\"{\"s\":\"{{symbol}}\"}\"\"\")"), false,
              "{\"s\":\"WSO2\"}|");
    check_refused(SINK("type='json', @payload('price')"));
    check_refused(SINK("type='json', @payload('{{nothing}}')"));
    check_refused(SINK("type='json', @payload(a='x', b='y')"));
    check_refused(SINK("type='json', @payload('x'), @payload('y')"));
    check_refused(SINK("type='jso'"));
    check_refused(SINK("type='avro'"));
    check_refused(SINK("validate.json='true'"));
}

static void test_out(void)
{
    check_out(SINK("type='csv', header='true'"), true,
              "symbol,price,volume\n|WSO2,55.6,100\n|\"a\"\"b<\n\",null,1\n|");
    check_out(
        SINK("type='csv', delimiter=';', event.grouping.enabled='true', @payload(volume='0', symbol='1')"),
        true, "100;WSO2\n1;\"a\"\"b<\n\"\n|");
    check_out(
        SINK("type='text', event.grouping.enabled='true'"), true,
        "symbol:\"WSO2\",\nprice:55.6,\nvolume:100\n~~~~~~~~~~\nsymbol:\"a\"b<\n\",\nprice:null,\nvolume:1|");
    check_out(SINK("type='text', @payload('{{symbol}} `price`')"), false, "WSO2 `price`|a\"b<\n `price`|");
    check_out(SINK("type='text', @payload(' `price` ')"), false, "price|price|");
    check_out(SINK("type='text', @payload(' price ')"), false, "55.6|null|");
    check_out(SINK("type='text', mustache.enabled='true', @payload('{{symbol}}{{{symbol}}} {{price}}')"),
              false, "WSO2WSO2 55.6|a&quot;b&lt;&#10;a\"b<\n |");
    check_out(SINK("type='keyvalue', @payload(a='symbol', b='{{symbol}} x', c='`price`', d='price')"), false,
              "{a=WSO2, b=WSO2 x, c=price, d=55.6}|{a=a\"b<\n, b=a\"b<\n x, c=price, d=null}|");
    check_out(SINK("type='xml'"), true,
              "<events><event><symbol>WSO2</symbol><price>55.6</price><volume>100</volume></event>"
              "<event><symbol>a\"b<\n</symbol><price xsi:nil=\"true\"/><volume>1</volume></event></events>|");
    check_out(SINK("type='xml', enclosing.element=\"\"\"<a b=\"c\">\"\"\", @payload('<x>{{price}}</x>')"),
              true, "<a b=\"c\"><x>55.6</x><x>null</x></a>|");
}

static void test_scalar(void)
{
    struct value v;
    CHECK(map_scalar(TYPE_INT, "+7", 2, &v) && v.type == TYPE_INT && v.as.l == 7);
    CHECK(!map_scalar(TYPE_INT, " 7", 2, &v));
    CHECK(!map_scalar(TYPE_INT, "2147483648", 10, &v));
    CHECK(map_scalar(TYPE_FLOAT, " 1e400 ", 7, &v) && v.as.f > 3e38f);
    CHECK(map_scalar(TYPE_BOOL, "TRUE", 4, &v) && v.as.l == 1);
    CHECK(map_scalar(TYPE_BOOL, "yes", 3, &v) && v.as.l == 0);
    CHECK(!map_scalar(TYPE_DOUBLE, "", 0, &v));
}

int main(void)
{
    test_json_default();
    test_json_array();
    test_json_custom();
    test_json_hostile();
    test_big();
    test_csv();
    test_text();
    test_binary();
    test_xml();
    test_xml_pieces();
    test_out_json();
    test_out();
    test_scalar();
    return check_end();
}
