/* test_lang.c - the parser: what spec 01 accepts and refuses (table 3.4 among it), with the place and words
 * of each first error; trees and spans; hostile texts. */
#include "engine/base/limits.h"
#include "engine/lang/parse.h"
#include "engine/lang/print.h"
#include "tests/unit/check.h"
#include <stdlib.h>

/* The rows of accepted and refused stand behind this line, in line 2 of the text. */
#define DEFINED "define stream S (a int, b bool);\n"

/* text, LINE:COLUMN: message of the first error by place, number of errors */
struct refused {
    const char *text, *first;
    int errors;
};

static const char *const accepted[] = {
    "from S insert into Out;",
    "from S#[a>1][a<5]#[a!=3] select a insert into Out",
    "from S#Window.length(2) select a insert into Out;",
    "from S[a>0]#log('x')#window.length(2)[a<5]#log('y') select a insert into O;",
    "from S select S.a insert into O",
    "from S select S[0].a as x insert into O",
    "from S select a having a > 1 order by a limit 1 offset 0 insert into O",
    "from S select a insert events into O",
    "from S select a insert current events into O",
    "from S insert all events into O",
    "from S select 5.d as x, 1E+2 as y, .5 as z insert into O",
    "from S select not b == true as x, not (a == 1) as y insert into O",
    "from S select a -1 as x, a - -1 as y, + 7 as z, - 8L as w insert into O",
    "from S select 10sec as a, 5min as b, 2hours as c, 1month as d, 1 year 2 months 3 weeks 4 days 5 hours 6 "
    "minutes 7 seconds 8 milliseconds as e insert into O",
    "from S select null insert into O",
    "from S select `true` insert into O",
    "from S select a insert into #X",
    "from S select S . a insert into O",
    "from S # window . length ( 2 ) select a insert into O",
    "from S select f(*) as x, f() as y, ns:f(a, 1) as z insert into O",
    "from S select e[last].a as x, e[last - 1].a as y, e[0] is null as z, a is null as w, e.a is null as v, "
    "f(a) is null as u, #x.a is null as t insert into O",
    "from e1=S -> e2=S[a > e1.a]<2:> -> not S for 1 sec within 5 sec select e1.a insert into O",
    "from every e1=S, e2=S+, e3=S* select e1.a insert into O",
    "from every (e1=S and e2=S) -> (e3=S -> every e4=S<3>) select * insert into O",
    "from S#window.length(1) as x unidirectional left outer join S as y on x.a == y.a within '1','2' per "
    "'sec' select x.a insert into O",
    "from every not S for 1 sec -> S insert into O",
    "from S output first every 5 events insert into O",
    "from S output snapshot every 1 min 3 sec insert into O",
    "from S delete T for all events on a == T.a",
    "from S update T set T.a = a, b = true on T.a == a",
    "from S update or insert into T on T.a == a",
    "from S return",
    "from (from S select a return) insert into O",
    "from from S select a return insert into O",
    "partition with (a of S, a > 1 as 'x' or a < 2 as 'y' of S) begin from S insert into #I; @info(name='x') "
    "from #I insert into O; end",
    "partition with (a of S) begin from S insert into O end;",
    "$; $",
    "define window W (a int) length(5) output all events; define table T (x object); define trigger T at "
    "every 5 sec; define trigger T2 at 'start'; define function f[javascript] return int { var x = "
    "{a:\"}\"}; // }\n return 1; }; define aggregation A from S select a, sum(a) as t group by a aggregate "
    "by a every sec, min, hour; define aggregation A from S select * aggregate every seconds...years;",
    "@x(a.b='1', c-d:e.f='2', 'k'='v', 'u', @n(@m)) define stream Z (a int)",
    "define stream select (order int, window string); from select select order, window insert into Out",
    "from every insert into O",
    "from not#window.length(2) insert into O",
    "from S insert into O",
    "from S select and(b) as x, not(b) as y, or(b) as z insert into O",
    "from S[S.k == T.k in T] insert into O",
    "from S select true as t, TRUE as u insert into O",
    "from e1=S and not S for 1 sec insert into O",
    "from not S and e=S -> S insert into O",
    "from S<2> insert into O",
    "from S within 1 sec insert into O",
};

static const struct refused refused[] = {
    {";from S select a insert into O", "2:1: expected a definition, a query or a partition, found ';'", 1},
    {"from S#window.length(2)#window.length(3) select a insert into O",
     "2:24: a stream has at most one window", 1},
    {"from S as s select s.a insert into O", "2:8: only the sides of a join have an alias", 1},
    {"from S select a+1 insert into O", "2:19: expected 'as' and a name, found 'insert'", 1},
    {"from S select (a) insert into O", "2:19: expected 'as' and a name, found 'insert'", 1},
    {"from S select a offset 0 limit 1 insert into O",
     "2:26: expected 'insert into', 'update', 'delete' or 'return', found 'limit'", 1},
    {"from S output first snapshot every 1 sec insert into O", "2:21: expected 'every', found 'snapshot'", 1},
    {"from S select 5. as x insert into O", "2:16: expected 'as' and a name, found '.'", 1},
    {"from S select 0x10 as x insert into O", "2:16: expected 'as' and a name, found 'x10'", 1},
    {"from S select 3000000000 as x insert into O", "2:15: 3000000000 is out of the range of int", 1},
    {"from S select 5days as x insert into O", "2:17: expected 'as' and a name, found 'ays'", 1},
    {"from S select 30 sec 1 min as x insert into O",
     "2:22: the units of a time stand from great to small, each once", 1},
    {"from S select -a as x insert into O", "2:16: expected a number behind the sign, found 'a'", 1},
    {"from S select (a+1) is null as x insert into O",
     "2:21: 'is null' stands behind a name or a function call only", 1},
    {"define trigger window at every 1 sec;", "2:16: expected a trigger's name, found 'window'", 1},
    {"@async(buffer.size=256) define stream X (a int)",
     "2:20: expected a string behind '=', found the number 256", 1},
    {"@async() define stream X (a int)", "2:8: expected an element, found ')'", 1},
    {"from S select a $ insert into O", "2:17: unexpected character '$'", 1},
    {"from S select a, insert into O", "2:18: expected an expression, found 'insert'", 1},
    {"define stream X ()", "2:18: expected an attribute's name, found ')'", 1},
    {"define stream #X (a int)", "2:15: expected a stream's name, found '#'", 1},
    {"define stream !X (a int)", "2:15: expected a stream's name, found '!'", 1},
    {"from S insert into O; define stream Y (a int)",
     "2:23: all definitions stand before the first query or partition", 1},
    {"from S select 'a\tb' as x insert into O",
     "2:15: a string in ' or \" may not hold a tab or another control character", 1},
    {"from S select 'a\"b' as x insert into O",
     "2:15: this string is not closed before the \"; a string in ' may not hold a \"", 1},
    {"from S select a from S insert into O",
     "2:17: expected 'insert into', 'update', 'delete' or 'return', found 'from'", 1},
    {"from S insert into O from S insert into P", "2:22: expected ';', found 'from'", 1},
    {"from S select a having a > 1 group by a insert into O",
     "2:30: expected 'insert into', 'update', 'delete' or 'return', found 'group'", 1},
    {"from S output every 1 sec select a insert into O",
     "2:27: expected 'insert into', 'update', 'delete' or 'return', found 'select'", 1},
    {"from every e1=S+ insert into O", "2:6: a sequence needs at least two elements, joined with ','", 1},
    {"from every (every S -> S) insert into O", "2:13: 'every' cannot stand inside every ( ... )", 1},
    {"from every (e1=S, e2=S) insert into O",
     "2:17: '->' and ',' cannot be mixed: a pattern joins its elements with '->', a sequence with ','", 1},
    {"from S -> S within 500 insert into O", "2:24: expected a unit of time, found 'insert'", 1},
    {"from (S -> S within 1 sec) -> S insert into O", "2:14: expected ')', found 'within'", 1},
    {"from not S for 1 sec -> not S for 1 sec insert into O",
     "2:25: an element behind 'not' cannot follow another one at once", 1},
    {"from S -> not S for 1 sec -> not S for 1 sec insert into O",
     "2:30: an element behind 'not' cannot follow another one at once", 1},
    {"from every (not S for 1 sec -> S) -> S insert into O", "2:6: an element behind 'not' cannot stand here",
     1},
    {"from not S for 1 sec, S, not S for 1 sec insert into O",
     "2:6: an element behind 'not' cannot stand here", 1},
    {"from S and S and S insert into O", "2:14: 'and' and 'or' join exactly two elements", 1},
    {"from S or not S insert into O", "2:11: 'not' beside 'or' needs 'for' and a time", 1},
    {"from S <> S insert into O", "2:9: expected a count: <2>, <2:>, <:5> or <2:5>, found '>'", 1},
    {"from S[a = 1] insert into O", "2:10: expected ']' or an operator, found '='", 1},
    {"from S[a <> 1] insert into O", "2:11: expected an expression, found '>'", 1},
    {"from S[a && b] insert into O", "2:10: unexpected character '&'", 1},
    {"from S update T set a == 1 on a == 1", "2:23: expected '=', found '=='", 1},
    {"from S slect a insert into O",
     "2:8: expected 'insert into', 'update', 'delete' or 'return', found 'slect'", 1},
    {"from S select a is not null as x insert into O", "2:20: expected 'null' behind 'is', found 'not'", 1},
    {"from S select {x insert into O; from S insert into O", "2:15: this '{' is never closed", 1},
    {"@info(name='x') $", "2:17: unexpected character '$'", 1},
    {"from S[a > 1 insert into O; from S sel a insert into O; partition with (a of S) begin from S foo; from "
     "S bar; end; define x",
     "2:14: expected ']' or an operator, found 'insert'", 6},
    {"define stream X (a integer, b int);",
     "2:20: expected a type (string, int, long, float, double, bool or object), found 'integer'", 1},
    {"define stream X (a int b int)", "2:24: expected ',' or ')', found 'b'", 1},
    {"from S select a as insert into O", "2:20: expected a name behind 'as', found 'insert'", 1},
    {"from S select `a insert into O", "2:15: this name in backquotes is not closed", 1},
    {"from S limit 1 insert into O",
     "2:8: expected 'insert into', 'update', 'delete' or 'return', found 'limit'", 1},
    {"@app:x define stream Y (a int)", "2:1: annotations of the app stand before the first definition", 1},
    {"define function f[js] return int {}; from", "2:42: expected a stream's name, found the end of the text",
     1},
};

static const char *const accepted_alone[] = {
    "@app:async define stream S (a int)",
    "$ define stream S (a int); from S insert into O",
    "@app:name(\"My App\") @App:foo('x', bar='y') define stream S (a int)",
    "$",
    "define stream S (a int);",
};

static const struct refused refused_alone[] = {
    {"from S select * insert into Out;", "1:1: expected 'define', found 'from'", 1},
    {"", "1:1: expected 'define', found the end of the text", 1},
    {"  -- x", "1:7: expected 'define', found the end of the text", 1},
    {"@app:name('x')", "1:15: expected 'define', found the end of the text", 1},
    {"@app:playback() define stream S (a int)", "1:15: expected an element, found ')'", 1},
    {"@app:x(@y) define stream S (a int)", "1:8: expected a key or a string, found '@'", 1},
    {";", "1:1: expected 'define', found ';'", 1},
};

static const char *const ondemand_accepted[] = {
    "from T",
    "from T as t on v > 5 select k, v order by v desc limit 1",
    "from T select sum(v) as s group by k having s > 5 order by s limit 1 offset 1;",
    "select 'n' as k, 100 as v insert into T",
    "update T set T.v = T.v * 2 on T.k == 'b'",
    "delete T on T.k == k",
    "delete T",
    "select 'q' as k, 5 as v update or insert into T set T.v = v on T.k == k",
    "select 'd' as k delete T on T.k == k",
    "from A within 1L, 2L per 'sec' select k",
    "from A on k == 'x' within '2017-**-** **:**:**' per 'days'",
};

static const struct refused ondemand_refused[] = {
    {"from T select k insert into T", "1:17: expected the end of the query, found 'insert'", 1},
    {"update T set T.v = 1", "1:21: expected 'on' and a condition, found the end of the text", 1},
    {"select 'z', 5 insert into T", "1:11: expected 'as' and a name, found ','", 1},
    {"update or insert into T on T.k == k", "1:1: expected 'select' before 'insert into', found 'update'", 1},
    {"insert into T", "1:1: expected 'select' before 'insert into', found 'insert'", 1},
    {"from A within 1L", "1:17: expected ',' or 'per', found the end of the text", 1},
    {"from T; from T", "1:9: expected the end of the query, found 'from'", 1},
    {"", "1:1: expected 'from', 'select', 'update' or 'delete', found the end of the text", 1},
    {"select 1 as a return", "1:15: an on-demand query does not 'return'", 1},
    {"from T on k = 1", "1:13: expected the end of the query, found '='", 1},
};

/* ---- one parse ---- */

enum what { APP, ONDEMAND, EXPR };

struct parse {
    struct arena arena;
    struct diags diags;
    void *tree;
    enum what what;
};

static void parse_begin(struct parse *x, enum what what, const char *text, size_t len)
{
    arena_init(&x->arena, 4096);
    diags_init(&x->diags, &x->arena, text, len);
    x->what = what;
    x->tree = what == APP        ? (void *)parse_app(&x->diags, text, len)
              : what == ONDEMAND ? (void *)parse_ondemand(&x->diags, text, len)
                                 : (void *)parse_expression(&x->diags, text, len);
    CHECK((x->tree == NULL) == (x->diags.errors > 0));
}

static void parse_end(struct parse *x)
{
    arena_fini(&x->arena);
}

static void print(const struct parse *x, struct buf *out)
{
    buf_init(out, 1 << 20);
    buf_add_str(out, "");
    if (x->what == APP)
        print_app(x->tree, out);
    else if (x->what == ONDEMAND)
        print_ondemand(x->tree, out);
    else
        print_expr(x->tree, out);
}

static const char *first_error(const struct parse *x)
{
    const struct diag *first = NULL;
    for (const struct diag *d = x->diags.first; d; d = d->next)
        if (d->kind == DIAG_ERROR && (!first || d->span.at < first->span.at))
            first = d;
    if (!first)
        return "";
    int line, column;
    diag_position(&x->diags, first->span.at, &line, &column);
    return arena_printf(x->diags.arena, "%d:%d: %s", line, column, first->message);
}

/* Accepted, and what is printed is the same tree. */
static void check_accepted(enum what what, const char *text)
{
    struct parse one, two;
    parse_begin(&one, what, text, strlen(text));
    if (!CHECK(one.tree != NULL)) {
        printf("    %s\n", text);
        diags_print(&one.diags, "text", stdout);
        parse_end(&one);
        return;
    }
    struct buf a, b;
    print(&one, &a);
    bool has_definition = what != APP || ((struct ast_app *)one.tree)->definitions;
    if (has_definition) { /* '$' alone is an app, but prints as nothing */
        parse_begin(&two, what, a.bytes, a.len);
        if (CHECK(two.tree != NULL)) {
            print(&two, &b);
            CHECK_TEXT(b.bytes, a.bytes);
            buf_fini(&b);
        }
        parse_end(&two);
    }
    buf_fini(&a);
    parse_end(&one);
}

static void check_refused(enum what what, const char *text, const struct refused *row)
{
    struct parse x;
    parse_begin(&x, what, text, strlen(text));
    if (!CHECK(x.tree == NULL))
        printf("    accepted: %s\n", text);
    CHECK_TEXT(first_error(&x), row->first);
    if (!CHECK(x.diags.errors == row->errors))
        printf("    %d errors: %s\n", x.diags.errors, text);
    parse_end(&x);
}

static char *join(const char *a, const char *b)
{
    size_t len = strlen(a) + strlen(b) + 1;
    char *text = malloc(len);
    snprintf(text, len, "%s%s", a, b);
    return text;
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void test_rows(void)
{
    for (size_t i = 0; i < COUNT(accepted); i++) {
        char *text = join(DEFINED, accepted[i]);
        check_accepted(APP, text);
        free(text);
    }
    for (size_t i = 0; i < COUNT(refused); i++) {
        char *text = join(DEFINED, refused[i].text);
        check_refused(APP, text, &refused[i]);
        free(text);
    }
    for (size_t i = 0; i < COUNT(accepted_alone); i++)
        check_accepted(APP, accepted_alone[i]);
    for (size_t i = 0; i < COUNT(refused_alone); i++)
        check_refused(APP, refused_alone[i].text, &refused_alone[i]);
    for (size_t i = 0; i < COUNT(ondemand_accepted); i++)
        check_accepted(ONDEMAND, ondemand_accepted[i]);
    for (size_t i = 0; i < COUNT(ondemand_refused); i++)
        check_refused(ONDEMAND, ondemand_refused[i].text, &ondemand_refused[i]);
}

/* ---- expressions: text and canonical text; parentheses show the tree ---- */

static const char *const expressions[][2] = {
    {"not a == 1", "not a == 1"},
    {"(not a) == 1", "not a == 1"},
    {"not (a == 1)", "not (a == 1)"},
    {"not a is null", "not a is null"},
    {"(a + b) * c", "(a + b) * c"},
    {"a + (b * c)", "a + b * c"},
    {"a - (b - c)", "a - (b - c)"},
    {"(a - b) - c", "a - b - c"},
    {"a -1", "a - 1"},
    {"- 5 + + 7", "-5 + 7"},
    {"a - -1", "a - -1"},
    {"(S.k == T.k) in T", "S.k == T.k in T"},
    {"S.k == (T.k in T)", "S.k == (T.k in T)"},
    {"(1 < 2) == true", "1 < 2 == true"},
    {"a or (b and c)", "a or b and c"},
    {"(a or b) and c", "(a or b) and c"},
    {"1 sec", "1000 millisec"},
    {"1 year 2 months 3 weeks 4 days 5 hours 6 minutes 7 seconds 8 milliseconds", "38898367008 millisec"},
    {"10sec", "10000 millisec"},
    {"5.d", "5.0"},
    {".5f", "0.5f"},
    {"1E+2", "100.0"},
    {"1e3f", "1000.0f"},
    {"1e60f", "1e99f"},
    {"-2147483648", "-2147483648"},
    {"9223372036854775807L", "9223372036854775807L"},
    {"\"it's\"", "\"it's\""},
    {"\"\"\"a\n\"b\"\"\"", "\"\"\"a\n\"b\"\"\""},
    {"'a\\n'", "'a\\n'"},
    {"TRUE", "true"},
    {"true.x", "`true`.x"},
    {"window", "`window`"},
    {"`my stream`.a", "`my stream`.a"},
    {"e1[last - 1].a", "e1[last - 1].a"},
    {"e1 [ 2 ] is null", "e1[2] is null"},
    {"#s.a", "#s.a"},
    {"f(*)", "f(*)"},
    {"ns:f(a, not(b), and(c))", "ns:f(a, not b, `and`(c))"},
    {"a--1\n", "a"},
    {"a /* b", "a"},
};

static const struct refused bad_expressions[] = {
    {"2147483648", "1:1: 2147483648 is out of the range of int", 1},
    {"a + 99999999999999999999L", "1:5: 99999999999999999999L is out of the range of long", 1},
    {"30 sec 1 min", "1:8: the units of a time stand from great to small, each once", 1},
    {"9223372036854775807 years", "1:1: this time is too long", 1},
    {"a b", "1:3: expected an operator or the end of the expression, found 'b'", 1},
    {"a is null is null", "1:11: expected an operator, found 'is'", 1},
    {"e[0]", "1:5: expected '.' and an attribute's name, or 'is null', found the end of the text", 1},
    {"e[-1].a", "1:3: expected an index: a number, 'last' or 'last - n', found '-'", 1},
    {"- a", "1:3: expected a number behind the sign, found 'a'", 1},
    {"'abc", "1:1: this string is not closed at the end of its line", 1},
    {"`abc", "1:1: this name in backquotes is not closed", 1},
    {"a | b", "1:3: unexpected character '|'", 1},
    {"\xc3\xa9", "1:1: unexpected character '\xc3\xa9'", 1},
};

static void test_expressions(void)
{
    for (size_t i = 0; i < COUNT(expressions); i++) {
        struct parse x;
        parse_begin(&x, EXPR, expressions[i][0], strlen(expressions[i][0]));
        if (CHECK(x.tree != NULL)) {
            struct buf out;
            print(&x, &out);
            CHECK_TEXT(out.bytes, expressions[i][1]);
            buf_fini(&out);
        } else {
            diags_print(&x.diags, "text", stdout);
        }
        parse_end(&x);
    }
    for (size_t i = 0; i < COUNT(bad_expressions); i++)
        check_refused(EXPR, bad_expressions[i].text, &bad_expressions[i]);
}

/* ---- trees and spans ---- */

static void check_span(const char *text, struct span span, const char *want)
{
    char got[256];
    snprintf(got, sizeof got, "%.*s", (int)span.len, text + span.at);
    CHECK_TEXT(got, want);
}

static void test_spans(void)
{
    const char *text = "@app:name('x') define stream S (a int);\n"
                       "@info(name = 'q') from S[(a + 1) * 2 > 3]#window.length(2) select a, f(a, 1) as b\n"
                       "group by a having b > 1 output last every 2 sec insert all events into Out;";
    struct parse x;
    parse_begin(&x, APP, text, strlen(text));
    if (!CHECK(x.tree != NULL)) {
        parse_end(&x);
        return;
    }
    const struct ast_app *app = x.tree;
    CHECK_TEXT(ast_find_element(app->annotations, "none") ? "some" : app->annotations->elements->value, "x");
    const struct ast_query *q = app->items->query;
    const struct ast_annotation *info = ast_find_annotation(q->annotations, "INFO");
    CHECK(info && ast_find_element(info, "Name"));
    check_span(text, info->span, "@info(name = 'q')");
    check_span(text, info->elements->span, "'q'");
    check_span(text, q->input_span, "S[(a + 1) * 2 > 3]#window.length(2)");
    const struct ast_handler *filter = q->single->handlers;
    CHECK(filter->kind == HANDLER_FILTER && filter->next->kind == HANDLER_WINDOW);
    check_span(text, filter->span, "[(a + 1) * 2 > 3]");
    check_span(text, filter->expr->span, "(a + 1) * 2 > 3");
    check_span(text, filter->expr->op_span, ">");
    check_span(text, filter->expr->left->span, "(a + 1) * 2");
    check_span(text, filter->expr->left->left->span, "a + 1");
    check_span(text, filter->next->span, "#window.length(2)");
    check_span(text, filter->next->expr->op_span, "length");
    check_span(text, q->select.items->next->expr->span, "f(a, 1)");
    check_span(text, q->select.items->next->as.span, "b");
    check_span(text, q->rate.span, "output last every 2 sec");
    CHECK(q->rate.kind == RATE_TIME && q->rate.type == RATE_LAST && q->rate.value == 2000);
    check_span(text, q->output.span, "insert all events into Out");
    CHECK(q->output.events == EVENTS_ALL);
    check_span(text, app->definitions->span, "define stream S (a int)");
    check_span(text, app->definitions->attributes->name.span, "a");
    parse_end(&x);
}

static void test_pattern(void)
{
    const char *text =
        DEFINED "from every (e1=S -> e2=S<2:>) -> not S for 1 sec -> e3=S within 1 min insert into O";
    struct parse x;
    parse_begin(&x, APP, text, strlen(text));
    if (!CHECK(x.tree != NULL)) {
        parse_end(&x);
        return;
    }
    const struct ast_query *q = ((struct ast_app *)x.tree)->items->query;
    const struct ast_state *s = q->state;
    CHECK(q->input_kind == INPUT_PATTERN && q->within_ms == 60000);
    check_span(text, s->span, "every (e1=S -> e2=S<2:>) -> not S for 1 sec -> e3=S");
    check_span(text, s->right->span, "not S for 1 sec -> e3=S");
    CHECK(s->kind == STATE_NEXT && s->left->kind == STATE_EVERY && s->left->left->kind == STATE_GROUP);
    const struct ast_state *count = s->left->left->left->right;
    CHECK(count->kind == STATE_STREAM && count->min == 2 && count->max == -1);
    CHECK(s->right->kind == STATE_NEXT && s->right->left->kind == STATE_ABSENT &&
          s->right->left->for_ms == 1000);
    CHECK_TEXT(s->right->right->source->alias.text, "e3");
    parse_end(&x);
}

static void test_function(void)
{
    const char *text = "define function f[javascript] return int { a(\"}\"); // }\n return {}; }";
    struct parse x;
    parse_begin(&x, APP, text, strlen(text));
    if (CHECK(x.tree != NULL))
        CHECK_TEXT(((struct ast_app *)x.tree)->definitions->body, " a(\"}\"); // }\n return {};");
    parse_end(&x);
}

/* ---- times, variables ---- */

static void test_time(void)
{
    CHECK(parse_time("1 min") == 60000);
    CHECK(parse_time(" 1 Min 30sec ") == 90000);
    CHECK(parse_time("10 millisec") == 10);
    CHECK(parse_time("") == -1);
    CHECK(parse_time("5") == -1);
    CHECK(parse_time("5 sec 1 min") == -1);
    CHECK(parse_time("5 sec x") == -1);
    CHECK(parse_time("-5 sec") == -1);
    CHECK(parse_time("9223372036854775807 years") == -1);
    CHECK(parse_time("\xff sec") == -1);
}

static const char *lookup(void *user, const char *name)
{
    (void)user;
    return strcmp(name, "MIN") == 0   ? "5"
           : strcmp(name, "ESC") == 0 ? "a\\$b\\\\"
           : strcmp(name, "BAD") == 0 ? "$x"
                                      : NULL;
}

static void check_substitute(const char *text, int want_code, const char *want)
{
    struct arena arena;
    struct err e = {0};
    struct substituted out;
    arena_init(&arena, 1024);
    int rc = parse_substitute(&arena, text, strlen(text), lookup, NULL, &out, &e);
    CHECK(rc == want_code);
    if (rc == 0)
        CHECK(out.len == strlen(want) && memcmp(out.text, want, out.len) == 0);
    else
        CHECK(strstr(e.text, want) != NULL && text[out.wrong.at] == '$' &&
              text[out.wrong.at + out.wrong.len - 1] == '}');
    arena_fini(&arena);
}

static void test_substitute(void)
{
    check_substitute("a ${MIN} '${MIN}'", 0, "a 5 '5'");
    check_substitute("${ESC}", 0, "a$b\\");
    check_substitute("$ {MIN} ${a-b} ${} ${", 0, "$ {MIN} ${a-b} ${} ${");
    check_substitute("x\n${NONE}", ERR_NOT_FOUND, "no value for ${NONE}");
    check_substitute("${BAD}", ERR_INVALID, "${BAD}");
}

/* ---- hostile texts: refused or not, but read ---- */

static void check_repeated(const char *before, const char *what, size_t times, const char *error)
{
    size_t len = strlen(before), step = strlen(what);
    char *text = malloc(len + step * times + 1);
    memcpy(text, before, len);
    for (size_t i = 0; i < times; i++)
        memcpy(text + len + i * step, what, step);
    struct parse x;
    parse_begin(&x, APP, text, len + step * times);
    CHECK(x.tree == NULL);
    if (error && !CHECK(strstr(first_error(&x), error) != NULL))
        printf("    %.40s: %s\n", what, first_error(&x));
    parse_end(&x);
    free(text);
}

static void test_hostile(void)
{
    static const char *const repeated[] = {"(", "[",     "{",   "'",  "\"", "`",    "/*",    "--",
                                           ";", "from ", "@a(", "a.", "<",  "not ", "every "};
    for (size_t i = 0; i < COUNT(repeated); i++) {
        check_repeated("", repeated[i], 100001, NULL);
        check_repeated(DEFINED "from S[", repeated[i], 100001, NULL);
        check_repeated(DEFINED "from S", repeated[i], 100001, NULL);
    }
    check_repeated(DEFINED "from S[", "(", 100000, "nested more than 200 deep");
    check_repeated(DEFINED "from S[", "not ", 100000, "nested more than 200 deep");
    check_repeated(DEFINED "from S[a", "+a", 100000, "more than 1000 operators");
    check_repeated(DEFINED "from S", "->S", 100000, "more than 1000 elements");
    check_repeated(DEFINED "from ", "(", 100000, "nested more than 200 deep");
    check_repeated(DEFINED "from ", "(from ", 100000, NULL);
    check_repeated(DEFINED, "@a(", 100000, "nested more than 200 deep");
    check_repeated(DEFINED, "partition with (a of S) begin ", 10000,
                   "a partition cannot stand in a partition");
    check_repeated("", "x", LIMIT_APP_BYTES + 1, "more than the limit");

    struct parse x;
    parse_begin(&x, APP, DEFINED "\0", strlen(DEFINED) + 1);
    CHECK_TEXT(first_error(&x), "2:1: the text holds a NUL byte");
    parse_end(&x);
    parse_begin(&x, APP, DEFINED "\xff", strlen(DEFINED) + 1);
    CHECK_TEXT(first_error(&x), "2:1: the text is not valid UTF-8 here (byte 0xFF)");
    parse_end(&x);
}

/* Every prefix of an app that has everything, and every text with one byte taken out of it. */
static void test_cut(void)
{
    const char *text = "@app:name('x') @a(b.c='1', @d) define table T (a int); define window W (a int) "
                       "length(1) output all events;"
                       "define trigger R at every 1 sec; define function f[js] return int {a}; define "
                       "aggregation A from S select "
                       "a group by a aggregate by a every sec ... year; partition with (a > 1 as 'x' or a < "
                       "1 as 'y' of S) begin "
                       "from every e1=S[a in T]<1:2> -> not S for 1 sec within 1 min select e1[last - 1].a "
                       "as `b c` having not b "
                       "is null order by a desc limit 1 offset 2L output first every 3 events insert expired "
                       "events into #X; end;"
                       "from S as a left outer join W as b on a.a == \"\"\"x\"\"\" within 1, 2 per 'x' "
                       "update or insert into T "
                       "set T.a = 1.5e3f on 1 == 1";
    size_t len = strlen(text);
    check_accepted(APP, text);
    struct parse x;
    for (size_t i = 0; i < len; i++) {
        char *copy = malloc(len);
        memcpy(copy, text, i);
        parse_begin(&x, APP, copy, i);
        parse_end(&x);
        memcpy(copy + i, text + i + 1, len - i - 1);
        parse_begin(&x, APP, copy, len - 1);
        parse_end(&x);
        free(copy);
    }
}

int main(void)
{
    test_rows();
    test_expressions();
    test_spans();
    test_pattern();
    test_function();
    test_time();
    test_substitute();
    test_hostile();
    test_cut();
    return check_end();
}
