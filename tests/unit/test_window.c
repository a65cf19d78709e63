/* test_window.c - the windows of the language, by scenarios. */
#include "engine/base/cron.h"
#include "tests/unit/scenario.h"
#include <sys/mman.h>
#include <unistd.h>

/* ---- scenarios: those of spec 04 and more that Siddhi answered ---- */

static void test_length(void)
{
    HOLDS("length(2)", ALL, "1000:a1 1100:b2 1200:c3", "[a1@1000] [b2@1100] [-a1@1200 c3@1200]", "b2 c3");
    HOLDS("length(2)", ALL, "1000:a1,b2,c3,d4", "[a1@1000 b2@1000 -a1@1000 c3@1000 -b2@1000 d4@1000]",
          "c3 d4");
    RUN("length(0)", ALL, "1000:a1 1100:b2", "[a1@1000 -a1@1000 Ra1@1000] [b2@1100 -b2@1100 Rb2@1100]");
    RUN("length(-1)", 0, "1000:a1", "[a1@1000 -a1@1000 Ra1@1000]");
    REFUSED("length(2L)", "the first parameter of window.length must be a constant of type int");
    REFUSED("length(v)", "the first parameter of window.length must be a constant of type int");
    REFUSED("length(2, 3)", "window.length takes 1 parameter, here are 2");
    REFUSED("length()", "window.length takes 1 parameter, here are 0");
}

static void test_length_batch(void)
{
    HOLDS("lengthBatch(2)", ALL, "1000:a1 1100:b2 1200:c3 1300:d4 1400:e5",
          "[Ra1@1100 a1@1000 b2@1100] [-a1@1300 -b2@1300 Rc3@1300 c3@1200 d4@1300]", "c3 d4");
    HOLDS("lengthBatch(2)", FIND, "1000:a1 1100:b2 1200:c3 1300:a4",
          "[Ra1@1100 a1@1000 b2@1100] [Rc3@1300 c3@1200 a4@1300]", "a1 b2 c3 a4");
    HOLDS("lengthBatch(2)", 0, "1000:a1,b2,c3,d4,e5", "[Ra1@1000 a1@1000 b2@1000] [Rc3@1000 c3@1000 d4@1000]",
          "");
    HOLDS("lengthBatch(2, true)", ALL, "1000:a1,b2,c3,d4,e5",
          "[a1@1000] [b2@1000] [-a1@1000 -b2@1000 Ra1@1000 c3@1000] [d4@1000] "
          "[-c3@1000 -d4@1000 Rd4@1000 e5@1000]",
          "e5");
    RUN("lengthBatch(2, true)", 0, "1000:a1 1100:b2 1200:c3", "[a1@1000] [b2@1100] [Ra1@1200 c3@1200]");
    RUN("lengthBatch(0)", ALL, "1000:a1,b2", "[a1@1000 -a1@1000 Ra1@1000] [b2@1000 -b2@1000 Rb2@1000]");
    RUN("lengthBatch(0)", 0, "1000:a1", "[a1@1000 Ra1@1000]");
    RUN("lengthBatch(-1)", ALL, "1000:a1,b2", "");
    REFUSED("lengthBatch(2, b)", "the second parameter of window.lengthBatch must be true or false");
}

static void test_batch(void)
{
    HOLDS("batch(2)", ALL, "1000:a1,b2,c3,d4,e5 1100:f6,g7",
          "[a1@1000 b2@1000] [Ra1@1000 c3@1000 d4@1000] [Rc3@1000 e5@1000] "
          "[-a1@1100 -b2@1100 -c3@1100 -d4@1100 -e5@1100 Re5@1000 f6@1100 g7@1100]",
          "f6 g7");
    HOLDS("batch()", 0, "1000:a1,b2 1100:c3 1200:d4",
          "[a1@1000 b2@1000] [Ra1@1000 c3@1100] [Rc3@1100 d4@1200]", "");
    REFUSED("batch(-1)", "the first parameter of window.batch must not be negative");
    REFUSED("batch(1L)", "the first parameter of window.batch must be a constant of type int");
}

static void test_time(void)
{
    const char *array = "1000:a1@1500,b2@1200,c3@1600 >2200 >2550 >3000";
    RUN("time(1 sec)", ALL, array, "[a1@1500 b2@1200 c3@1600] [-a1@2500 -b2@2500] [-c3@2600]");
    RUN("time(1 sec)", ALL | PLAYBACK, array, "[a1@1500 b2@1200 c3@1600] [-a1@2550 -b2@2550] [-c3@3000]");
    const char *three = "1000:a1 1400:b2 2400:c3 >5000";
    RUN("time(1000)", ALL, three, "[a1@1000] [b2@1400] [-a1@2000] [-b2@2400] [c3@2400] [-c3@3400]");
    RUN("time(1000L)", PLAYBACK, three, "[a1@1000] [b2@1400] [-a1@2400 -b2@2400] [c3@2400] [-c3@5000]");
    HOLDS("time(1 sec)", 0, "1000:a1 1400:b2 2100:c3", "[a1@1000] [b2@1400] [-a1@2000] [c3@2100]", "b2 c3");
    REFUSED("time('1 sec')", "the first parameter of window.time must be a constant time");
    REFUSED("time(ts)", "the first parameter of window.time must be a constant time");
}

static void test_time_batch(void)
{
    const char *steps = "1000:a1 1400:b2 2000:c3 2600:d4 >6500";
    RUN("timeBatch(1 sec)", ALL, steps,
        "[Ra1@1000 a1@1000 b2@1400] [-a1@3000 -b2@3000 Rc3@2000 c3@2000 d4@2600] [-c3@4000 -d4@4000]");
    RUN("timeBatch(1 sec)", ALL | PLAYBACK, steps,
        "[Ra1@1000 a1@1000 b2@1400] [-a1@6500 -b2@6500 Rc3@2000 c3@2000 d4@2600] [-c3@6500 -d4@6500]");
    RUN("timeBatch(1 sec, 300)", 0, "1000:a1 1350:b2 2250:c3 >2300",
        "[Ra1@1000 a1@1000] [Rb2@1350 b2@1350 c3@2250]");
    RUN("timeBatch(1 sec, true)", ALL, "1000:a1 1500:b2 2000:c3 2100:d4 >5000",
        "[a1@1000] [b2@1500] [-a1@2000 -b2@2000 Ra1@1000] [c3@2000] [d4@2100] [-c3@3000 -d4@3000 Rc3@2000]");
    HOLDS("timeBatch(1 sec)", FIND, "1000:a1 2000:b2 3000:c3", "[Ra1@1000 a1@1000] [Rb2@2000 b2@2000]",
          "a1 b2");
    HOLDS("timeBatch(1 sec, 0L, true)", FIND, "1000:a1 2000:b2 3000:c3",
          "[a1@1000] [Ra1@1000] [b2@2000] [Rb2@2000] [c3@3000]", "a1 b2 c3");
    /* In a partition only the key that set the next flush ticks. */
    RUN_KEYS(2, "timeBatch(1 sec)", 0, "0#1000:a1 1#1500:b2 0#1600:a3 >2100 >3100 1#3200:b5 >4100",
             "[Ra1@1000 a1@1000 a3@1600]");
    REFUSED("timeBatch(1 sec, true, 5)",
            "the second parameter of window.timeBatch must be a constant start time");
    REFUSED("timeBatch(1 sec, v)",
            "the second parameter of window.timeBatch must be a constant start time, or true or false");
    REFUSED("timeBatch(0)", "the first parameter of window.timeBatch must be greater than 0");
}

static void test_time_length(void)
{
    const char *steps = "1000:a1 1400:b2 1500:c3 2450:d4 >5000";
    RUN("timeLength(1 sec, 2)", ALL, steps,
        "[a1@1000] [b2@1400] [-a1@1500 c3@1500] [-b2@2400] [d4@2450] [-c3@2500] [-d4@3450]");
    RUN("timeLength(1 sec, 2)", PLAYBACK, steps,
        "[a1@1000] [b2@1400] [-a1@1500 c3@1500] [-b2@2450] [d4@2450] [-c3@5000 -d4@5000]");
    RUN("timeLength(1 sec, 0)", ALL, "1000:a1 1100:b2 >9000", "[a1@1000] [b2@1100]");
}

static void test_external_time(void)
{
    HOLDS("externalTime(ts, 1 sec)", ALL, "10:a1/1000 20:b2/1500 30:c3/2000 40:d4/1700 50:e5/2600 60:f6/5000",
          "[a1@10] [b2@20] [-a1@2000 c3@30] [d4@40] [-b2@2600 e5@50] [-c3@5000 -d4@5000 -e5@5000 f6@60]",
          "f6");
    HOLDS("externalTime(ts, 1 sec)", ALL, "10:a1/1000 20:b2/9000,c3/_ 30:d4/9001", "[a1@10] ! [d4@30]",
          "b2 d4");
    REFUSED("externalTime(v, 1 sec)",
            "the first parameter of window.externalTime must be an attribute of type long; 'v' is int");
    REFUSED("externalTime(5L, 1 sec)",
            "the first parameter of window.externalTime must be an attribute of type long");
    REFUSED("externalTime(tz, 1 sec)", "'S' has no attribute 'tz'");
}

static void test_external_time_batch(void)
{
    HOLDS(
        "externalTimeBatch(ts, 1 sec)", ALL,
        "10:a1/1000 20:b2/1500 30:c3/2000 40:d4/1700 50:e5/3100 60:f6/7000",
        "[Ra1@2000 a1@10 b2@20] [-a1@3100 -b2@3100 Rc3@3100 c3@30 d4@40] [-c3@7000 -d4@7000 Re5@7000 e5@50]",
        "e5");
    HOLDS("externalTimeBatch(ts, 1 sec, 0)", FIND, "10:a1/1200 20:b2/1999 30:c3/2000 40:d4/3100",
          "[Ra1@2000 a1@10 b2@20] [Rc3@3100 c3@30]", "c3");
    RUN("externalTimeBatch(ts, 1 sec, 0, 0, true)", SHOW_TS, "10:a1/1200 20:b2/1999 30:c3/2000 40:d4/3100",
        "[Ra1/1200@2000 a1/2000@10 b2/2000@20] [Rc3/2000@3100 c3/3000@30]");
    RUN("externalTimeBatch(ts, 1 sec, 0, 500)", ALL | STAMPS,
        "1000:a1/1200 1100:b2/1300 >1700 1800:c3/1400 >2400 2500:d4/2600 >3100",
        "[Ra1@1300 a1@1000 b2@1100]t1500 [-a1@1400 -b2@1400 Rc3@1400 a1@1000 b2@1100 c3@1800]t2000 "
        "[-a1@2600 -b2@2600 -c3@2600 Rc3@2600 d4@2500]t3000");
    RUN("externalTimeBatch(ts, 1 sec, ts)", 0, "10:a1/1200 20:b2/2199 30:c3/2200", "[Ra1@2200 a1@10 b2@20]");
    RUN("externalTimeBatch(ts, 1 sec)", 0, "10:a1/_ 20:b2/1000 30:c3/_ 40:d4/2000", " ! ! [Rb2@2000 b2@20]");
    REFUSED("externalTimeBatch(ts, 1 sec, v)",
            "the third parameter of window.externalTimeBatch must be an attribute of type long; 'v' is int");
    REFUSED("externalTimeBatch(ts, 1 sec, 0, ts)",
            "the fourth parameter of window.externalTimeBatch must be a constant time");
}

static void test_session(void)
{
    RUN("session(1 sec)", ALL, "1000:a1 1500:b2 2400:c3 >9000",
        "[a1@1000] [b2@1500] [c3@2400] [-a1@1000 -b2@1500 -c3@2400]");
    RUN("session(1 sec, k)", ALL | STAMPS, "1000:a1 1300:b2 1500:a3 >9000",
        "[a1@1000]t1000 [b2@1300]t1300 [a3@1500]t1500 [-b2@1300]t2300 [-a1@1000 -a3@1500]t2500");
    RUN("session(1 sec)", ALL, "1000:a1@1000,b2@5000 >9000", "[a1@1000 b2@5000] [-a1@1000]");
    RUN("session(1 sec)", ALL, "5000:a5,a4@4500,a3@3400,b3@3600,a6@6000,a7@7100 >20000",
        "[a5@5000 a4@4500 b3@3600 a6@6000 a7@7100] [-a4@4500 -b3@3600 -a5@5000 -a6@6000]");
    /* With latency: late ones, and sessions that become one. */
    RUN("session(2 sec, k, 1 sec)", ALL | STAMPS, "5000:x1,x2@4500,x3@1000 >20000",
        "[x1@5000 x2@4500]t5000 [-x2@4500 -x1@5000]t8000");
    RUN("session(1 sec, k, 1 sec)", ALL, "5000:x1,x2@5500,x3@4500,x4@5600,x5@4400,x6@4300 >20000",
        "[x1@5000 x2@5500 x3@4500 x4@5600 x5@4400 x6@4300] "
        "[-x3@4500 -x1@5000 -x5@4400 -x2@5500 -x6@4300 -x4@5600]");
    RUN("session(1 sec, k, 1 sec)", ALL | STAMPS,
        "10000:x1@5000,x2@7500,x3@10000,x4@8000,x5@7000,x6@4000,x7@6500 >20000",
        "[x1@5000 x2@7500 x3@10000 x4@8000 x5@7000 x7@6500 -x1@5000]t10000 "
        "[-x2@7500 -x4@8000 -x5@7000 -x7@6500 -x3@10000]t12000");
    RUN("session(1 sec, k, 1 sec)", ALL,
        "8200:x1@5000,x2@5500,x3@8000,x4@4500,x5@4400,x6@8200,x7@7000,x8@7100,x9@6200,x10@6900,x11@3000 "
        ">20000",
        "[x1@5000 x2@5500 x3@8000 x4@4500 x5@4400 x6@8200 x7@7000 x8@7100 x9@6200 x10@6900] "
        "[-x7@7000 -x3@8000 -x1@5000 -x2@5500 -x4@4500 -x5@4400 -x6@8200 -x8@7100 -x9@6200 -x10@6900]");
    RUN("session(1 sec, k, 1 sec)", ALL | STAMPS, "1000:x1 1900:x2 2300:y3 3100:x4 3500:y5 >20000",
        "[x1@1000]t1000 [x2@1900]t1900 [y3@2300]t2300 [x4@3100]t3100 [y5@3500]t3500 [-x1@1000 -x2@1900]t3900 "
        "[-y3@2300]t4300 [-x4@3100]t5100 [-y5@3500]t5500");
    RUN("session(1 sec, k)", 0, "5000:zz1,b2,q3,a4,z5,_6 6000:_7",
        " ! [-zz1@5000 -q3@5000 -a4@5000 -b2@5000 -z5@5000] !");
    REFUSED("session(500)",
            "the first parameter of window.session must be a time or a constant of type long");
    REFUSED("session(1 sec, v)",
            "the second parameter of window.session must be an attribute of type string; 'v' is int");
    REFUSED("session(1 sec, k, 5 sec)",
            "the third parameter of window.session must not be longer than the gap, which is the first");
}

static void test_sort(void)
{
    RUN("sort(2, v)", ALL, "1000:a5 1001:b1 1002:c3 1003:d9 1004:e1",
        "[a5@1000] [b1@1001] [c3@1002 -a5@1002] [d9@1003 -d9@1003] [e1@1004 -c3@1004]");
    HOLDS("sort(2, k, 'DESC', v)", ALL, "1000:a1 1100:b2 1200:b1 1300:c1",
          "[a1@1000] [b2@1100] [b1@1200 -a1@1200] [c1@1300 -b2@1300]", "c1 b1");
    RUN("sort(2, k, 'desc', v)", ALL, "1000:a1 1100:b2 1200:_1 1300:z1", "[a1@1000] [b2@1100] ! !");
    RUN("sort(1, v)", 0, "1000:a5,a3,a1,a7", "[a5@1000 a3@1000 -a5@1000 a1@1000 -a3@1000 a7@1000 -a7@1000]");
    RUN("sort(0, v)", ALL, "1000:a1 1100:b2", "[a1@1000 -a1@1000] [b2@1100 -b2@1100]");
    HOLDS("sort(5, v)", 0, "1:a9 2:b7 3:c8 4:d1 5:e1 6:f1 7:g0 8:h5",
          "[a9@1] [b7@2] [c8@3] [d1@4] [e1@5] [f1@6 -a9@6] [g0@7 -c8@7] [h5@8 -b7@8]", "g0 d1 e1 f1 h5");
    REFUSED("sort(2, k, v)", "the third parameter of window.sort must be 'asc' or 'desc'");
    REFUSED("sort(2, 'asc')", "the second parameter of window.sort must be an attribute");
    REFUSED("sort(2)", "window.sort takes at least 2 parameters, here are 1");
}

static void test_delay(void)
{
    const char *steps = "1000:a1 1400:b2 2100:c3 >5000";
    RUN("delay(1 sec)", 0, steps, "[a1@2000] [b2@2400] [c3@3100]");
    RUN("delay(1 sec)", PLAYBACK, steps, "[a1@2100] [b2@5000 c3@5000]");
    HOLDS("delay(1 sec)", 0, "1000:a1 1000:b2@400 1100:c2 1100:d3@700", "", "a1 b2 c2 d3");
    RUN("delay(1 sec)", 0, "1000:a1 1000:b2@400 1100:c2 1100:d3@700 >9000",
        "[a1@2000 b2@2000] [c2@2100 d3@2100]");
}

static void test_cron(void)
{
    RUN("cron('*/5 * * * * ?')", 0, "1000:a1 4000:b2 6000:c3 >21000",
        "[a1@1000 b2@4000] [-a1@10000 -b2@10000 c3@6000]");
    REFUSED("cron(k)", "the first parameter of window.cron must be a constant string");
    plan = make_plan("cron('xx')", 0);
    CHECK(plan && diags.errors == 0 && diags.warnings == 1);
    struct op *op = op_open();
    struct err e;
    CHECK(op->type->start(op, &e) == ERR_INVALID);
    CHECK_TEXT(e.text, "window.cron: cron: 'xx' has 1 field, not 6 or 7: seconds first");
    op_close(op);
}

static void next_is(const char *text, int64_t after_ms, int64_t want_ms, int line)
{
    struct cron c;
    struct err e = {0};
    if (!check_one(cron_parse(&c, text, &e) == 0, text, __FILE__, line)) {
        printf("    %s\n", e.text);
        return;
    }
    int64_t got = cron_next(&c, after_ms);
    if (!check_one(got == want_ms, text, __FILE__, line))
        printf("    got %" PRId64 ", want %" PRId64 "\n", got, want_ms);
}
#define NEXT(text, after_ms, want_ms) next_is(text, after_ms, want_ms, __LINE__)

static void test_cron_text(void)
{
    enum { DAY = 86400 };
    NEXT("0/2 * * * * ?", 1000, 2000);
    NEXT("0/2 * * * * ?", 2000, 4000);
    NEXT("0 0/1 * ? * *", 0, 60000);
    NEXT("0 0 0 L * ?", 0, 2592000000);
    NEXT("0 0 0 L * ?", 2592000000, 5011200000);
    NEXT("0 0 12 ? * MON-FRI", 1 * DAY * 1000LL + 43200000, 4 * DAY * 1000LL + 43200000); /* Fri 2 Jan 1970 */
    NEXT("0 0 12 ? * FRI-MON", 1 * DAY * 1000LL + 43200000, 2 * DAY * 1000LL + 43200000);
    NEXT("0 0 22-2 * * ?", 2 * 3600000, 22 * 3600000);
    NEXT("0 0 0 15W * ?", 0, 14 * DAY * 1000LL);      /* Thu 15 Jan 1970 */
    NEXT("0 0 0 1W 2 ?", 0, (31 + 1) * DAY * 1000LL); /* Sun 1 Feb 1970 -> Mon 2 */
    NEXT("0 0 0 LW 1 ?", 0, 29 * DAY * 1000LL);       /* Sat 31 Jan 1970 -> Fri 30 */
    NEXT("0 0 0 L-3 * ?", 0, 27 * DAY * 1000LL);
    NEXT("0 0 0 ? * 6L", 0, 29 * DAY * 1000LL); /* last Friday */
    NEXT("0 0 0 ? * FRI#2", 0, 8 * DAY * 1000LL);
    NEXT("0 0 0 ? * L", 0, 2 * DAY * 1000LL); /* Saturday */
    NEXT("0 0 0 29 FEB ?", 0, 68169600000);   /* 1972 */
    NEXT("0 0 0 1 1 ? 2000", 0, 946684800000);
    NEXT("0 0 0 1 1 ? 1971-2099/2", 31536000000, 94694400000);
    NEXT("0 0 0 1 1 ? 1970", 0, -1);
    NEXT("0 0 0 1 1 ? 1969", 0, -1);
    NEXT("0 0 0 1 1 ? 1960-1972/4", 0, 63072000000); /* 1972 */
    NEXT("0 0 0 1 1 ? L", 0, -1);
    NEXT("0 0 0 31 2 ?", 0, -1);
    NEXT("0 0 0 ? * 8#2", 0, -1);
    NEXT("0 0 0 L-30W 4 ?", 0, -1);
    NEXT("* * * * * ? * what stands here is not read", 0, 1000);
    NEXT("0 0 0 ? * MONDAY", 0, 4 * DAY * 1000LL);
    NEXT("0 0 0 31W 4 ?", 0, 484 * DAY * 1000LL); /* Fri 30 Apr 1971: 31 Apr is Sat 1 May */
    NEXT("5,10,15 30 10 * * ?", 10 * 3600000 + 30 * 60000 + 10000, 10 * 3600000 + 30 * 60000 + 15000);
    static const char *const wrong[] = {"",
                                        "xx",
                                        "* * * * *",
                                        "*/5 * * * * *",
                                        "* * * ? * ?",
                                        "60 * * * * ?",
                                        "* * 24 * * ?",
                                        "* * * 0 * ?",
                                        "* * * * 13 ?",
                                        "? * * * * ?",
                                        "a * * * * ?",
                                        "* * * ? * 8",
                                        "* * * ? * 1#6",
                                        "1- * * * * ?",
                                        "0 0 0 0W * ?",
                                        "0 0 0 L,15 * ?",
                                        "0 0 0 1,15,L * ?",
                                        "0 0 0 ? * MON#2,TUE#1",
                                        "0 0 0 ? * MON,FRIL",
                                        "0 0 0 ? * MO",
                                        "0 0 0 L3 * ?",
                                        "0 0 0 L-31 * ?",
                                        "0 0 0 5/2X * ?",
                                        "0 0 0 99999999999 * ?",
                                        "0 0 0 ?xx 1 MON",
                                        ", 0 0 1 * ?",
                                        "0 0 0 1 L ?",
                                        "0 0 0 ? 1 ,",
                                        "0 0 0 1 1 ? 1973-1971"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct cron c;
        struct err e = {0};
        check_one(cron_parse(&c, wrong[i], &e) == ERR_INVALID && e.text[0], wrong[i], __FILE__, __LINE__);
    }
}

static void test_frequent(void)
{
    HOLDS("frequent(1, k)", ALL, "1000:a1 1001:a2 1002:b3 1003:b4 1004:b5 1005:c6",
          "[a1@1000] [a2@1001] [-a2@1003 b4@1003] [b5@1004]", "b5");
    RUN("frequent(2)", ALL, "1000:a1 1100:b2 1200:c3 1300:c3 1400:a1",
        "[a1@1000] [b2@1100] [-a1@1200 -b2@1200 c3@1200] [c3@1300] [a1@1400]");
    RUN("frequent(0)", ALL, "1000:a1 1100:b2", "");
    RUN("lossyFrequent(0.3, 0.1, k)", ALL, "1:a1 2:a1 3:b1 4:c1 5:a1 6:d1 7:a1 8:a1 9:e1 10:a1 11:a1",
        "[a1@1] [a1@2] [b1@3] [c1@4] [a1@5] [a1@7] [a1@8] [a1@10 -b1@10 -c1@10 -d1@10 -e1@10] [a1@11]");
    REFUSED("frequent(2, v)",
            "the second parameter of window.frequent must be an attribute of type string; 'v' is int");
    REFUSED("frequent(2, k, k)", "window.frequent takes 1 to 2 parameters, here are 3");
    REFUSED("lossyFrequent(0.3)", "window.lossyFrequent takes 2 to 3 parameters, here are 1");
    REFUSED("lossyFrequent(1, 0.1)",
            "the first parameter of window.lossyFrequent must be a constant of type double");
}

static void test_expression(void)
{
    HOLDS("expression('count() <= 2')", ALL, "1000:a1 1100:b2 1200:c3",
          "[a1@1000] [b2@1100] [-a1@1200 c3@1200]", "b2 c3");
    RUN("expression('sum(v) < 6')", ALL, "1:a1 2:a2 3:a3 4:a7 5:a1",
        "[a1@1] [a2@2] [-a1@3 a3@3] [-a2@4 -a3@4 -a7@4 a7@4] [a1@5]");
    RUN("expression('v > 0 and sum(v) < 10')", ALL, "1:a4 2:a5 3:a0 4:a3",
        "[a4@1] [a5@2] [-a4@3 a0@3] [a3@4]");
    HOLDS("expression('eventTimestamp(last) - eventTimestamp(first) < 250')", ALL,
          "1000:a1 1100:b2 1200:c3 1300:d4 1400:e5",
          "[a1@1000] [b2@1100] [c3@1200] [-a1@1300 d4@1300] [-b2@1400 e5@1400]", "c3 d4 e5");
    RUN("expression('last.v - first.v < 5')", ALL, "1:a1 2:a2 3:a9 4:a4 5:a19",
        "[a1@1] [a2@2] [-a1@3 -a2@3 a9@3] [a4@4] [-a9@5 -a4@5 a19@5]");
    RUN("expression('S.v > 5')", ALL, "1:a1 2:a6", "[-a1@1 a1@1] [a6@2]");
    RUN("expression(k)", ALL,
        "1:'count()<=3'0 2:'count()<=3'1 3:'count()<=3'2 4:'count()<=2'3 5:'v > 5'6 6:'v + 1'7 7:_7 8:'v > "
        "5'8",
        "[count()<=30@1] [count()<=31@2] [count()<=32@3] [-count()<=30@4 -count()<=31@4 count()<=23@4] "
        "[v > 56@5] ! ! [v > 58@8]");
    RUN_KEYS(2, "expression('count() <= 2')", ALL, "0#1000:a1 1#1100:b2 0#1200:a3",
             "[a1@1000] [b2@1100] [-a1@1200 a3@1200]");
    REFUSED("expression('v')", "the window expression must be bool, but this is int");
    REFUSED("expression(v)",
            "the first parameter of window.expression must be an attribute of type string; 'v' is int");
    REFUSED("expression('zz > 1')", "'zz' is not an attribute of any input");
    CHECK(diags.first && diags.first->span.at == 12 && diags.first->span.len == 2);
}

static void test_expression_batch(void)
{
    const char *steps = "1000:a1 1100:b2 1200:c3 1300:d4 1400:e5 1500:f6 1600:g7";
    HOLDS("expressionBatch('count() <= 2')", 0, steps,
          "[a1@1200 b2@1200] [-a1@1400 -b2@1400 c3@1400 d4@1400] [-c3@1600 -d4@1600 e5@1600 f6@1600]", "g7");
    RUN("expressionBatch('count() <= 2', true)", 0, steps,
        "[a1@1200 b2@1200 c3@1200] [-a1@1400 -b2@1400 -c3@1400 d4@1400 e5@1400] [-d4@1600 -e5@1600 f6@1600 "
        "g7@1600]");
    RUN("expressionBatch('count() <= 2', false, true)", 0, steps,
        "[a1@1000] [b2@1100] [-a1@1200 -b2@1200 c3@1200] [d4@1300] [-c3@1400 -d4@1400 e5@1400] [f6@1500] "
        "[-e5@1600 -f6@1600 g7@1600]");
    RUN("expressionBatch('count() <= 2', true, true)", 0, steps,
        "[a1@1000] [b2@1100] [c3@1200 -a1@1200 -b2@1200 -c3@1200] [d4@1300] [e5@1400 -d4@1400 -e5@1400] "
        "[f6@1500] "
        "[g7@1600 -f6@1600 -g7@1600]");
    RUN("expressionBatch('sum(v) < 5')", 0, "1:a9 2:a2 3:a9 4:a1 5:b1 6:a4 7:c9",
        "[-a9@1 a9@1] [-a2@2 a2@2] [-a9@3 a9@3] [-a1@4 a1@4] [b1@6] [-b1@7 a4@7]");
    RUN("expressionBatch('sum(v) < 5', true)", 0, "1:a2 2:b9 3:c9 4:d1",
        "[a2@2 b9@2] [-a2@3 -b9@3 -c9@3 c9@3] [-d1@4 d1@4]");
    RUN("expressionBatch('count() <= 2', b)", 0, "1:a0! 2:a1 3:a2 4:a3! 5:a4! 6:a5!",
        "[a0@3 a1@3 a2@3] [-a0@5 -a1@5 -a2@5 a3@5]");
    REFUSED("expressionBatch('v > 1', true, b)",
            "the third parameter of window.expressionBatch must be true or false");
    REFUSED("expressionBatch('v > 1', v)",
            "the second parameter of window.expressionBatch must be true, false or a condition");
}

static void test_unique(void)
{
    HOLDS("unique:ever(k)", ALL, "1:a1 2:b2 3:a3", "[a1@1] [b2@2] [-a1@3 a3@3]", "a3 b2");
    HOLDS("unique:first(k, v)", ALL, "1:a1 2:a1 3:a3 4:_1 5:_1", "[a1@1] [a3@3] [_1@4]", NULL);
    HOLDS("unique:length(k, 2)", ALL, "1:a1 2:b2 3:a3 4:c4", "[a1@1] [b2@2] [-a1@3 a3@3] [-b2@4 c4@4]",
          "a3 c4");
    RUN("unique:length(k, 2)", ALL, "1:_1 2:b2", " ! [b2@2]");
    RUN("unique:time(k, 1 sec)", ALL, "1000:b4 2000:b9 2100:a4 2500:b3 >9000",
        "[b4@1000] [-b4@2000] [b9@2000] [a4@2100] [-b9@2500 b3@2500] [-a4@3100] [-b3@3500]");
    RUN("unique:lengthBatch(k, 2)", ALL, "1:a1 2:a2 3:b3 4:c4 5:b5",
        "[a2@3 b3@3] [-a2@5 -b3@5 Ra2@3 c4@5 b5@5]");
    RUN("unique:firstLengthBatch(k, 2)", 0, "1:a1 2:a2 3:b3 4:c4 5:b5", "[a1@3 b3@3] [Ra1@3 c4@5 b5@5]");
    RUN("unique:timeBatch(k, 1 sec)", ALL, "1000:a1 1500:a2 1600:b3 >2500 3100:c4 >9000",
        "[a2@2000 b3@2000] [-a2@3000 -b3@3000] [Ra2@2000 c4@4000] [-c4@5000]");
    RUN("unique:timeBatch(k, 1 sec, 300)", 0, "1000:a1 1350:b2 >2300", "[a1@1300] [Ra1@1300 b2@2300]");
    RUN("unique:firstTimeBatch(k, 1500L)", ALL, "1000:a4 1500:a9 3000:a0 3000:a2 >8300",
        "[a4@2500] [-a4@4000 Ra4@2500 a0@4000] [-a0@5500]");
    RUN("unique:timeLengthBatch(k, 2 sec, 2)", ALL,
        "9000:c1 9000:a0 9000:a2 9100:a3 >10300 15800:b5 17300:a2 17600:a5 >21600",
        "[c1@9000 a0@9000] [-c1@13000 -a0@13000] [Rc1@9000 b5@17000] [-b5@19000 Rb5@17000 a5@19000] "
        "[-a5@21000]");
    RUN("unique:externalTimeBatch(k, ts, 1 sec)", ALL, "1:a1/1000 2:a2/1500 3:b3/1600 4:c4/2000",
        "[Ra1@2000 a2@2 b3@3]");
    RUN("unique:deduplicate(v, 1000L)", 0, "1000:a1 1500:b1 1600:b2 2000:c1 2001:d1 2600:e2 2601:f2",
        "[a1@1000] [b2@1600] [d1@2001] [f2@2601]");
    REFUSED("unique:lengthBatch(k, v)",
            "the second parameter of window.unique:lengthBatch must be a constant of type int");
    REFUSED("unique:time(5, 1.5)", "the second parameter of window.unique:time must be a constant time");
    REFUSED("unique:deduplicate(k, 1000)",
            "the second parameter of #unique:deduplicate must be a time or a constant of type long");
}

static void test_reorder(void)
{
    RUN("reorder:kslack(ts)", 0,
        "1:a1/1,a2/4,a3/3,a4/5,a5/7,a6/6,a7/8,a8/9,a9/10 2:b1/2,b2/11,b3/30,b4/12,b5/0,b6/40",
        "[a1@1 a2@1 a3@1 a4@1 a6@1 a5@1 a7@1] [b1@2 a8@1 a9@1 b2@2 b5@2]");
    RUN("reorder:kslack(ts, true)", 0, "1:a1/1,a2/4,a3/3,a4/5 2:a5/_ 3:a6/0 4:a7/7",
        "[a1@1 a2@1 a4@1] ! [a7@4]");
    RUN("reorder:kslack(ts, -1L, 100L)", 0, "1:a1/1000 2:a2/2000 3:a3/1500 4:a4/2500 5:a5/2600",
        "[a1@1] [a2@2] [a3@3] [a4@4]");
    RUN("reorder:kslack(ts, 1000L)", STAMPS,
        "1000:a0/100 1100:a1/50 1200:a2/200 1300:a3/210 1400:a4/205 >1900 2500:a5/150 2600:a6/230 "
        "2700:a7/220 >9000 "
        "9100:a8/100 9200:a9/300 9300:b0/290 9400:b1/300 >15000",
        "[a0@1000]t1000 [a1@1100]t1200 [a2@1200 a3@1300]t2000 [a5@2500 a4@1400 a6@2600]t3000 [a8@9100]t9200 "
        "[a7@2700 a9@9200]t10000");
    RUN("reorder:kslack(ts, 300L)", STAMPS,
        ">500 1000:a1/100 1100:a2/50 1200:a3/200 >9000 9000:a4/300 9100:a5/250 9200:a6/310 >20000",
        "[a1@1000]t1000 [a2@1100]t1200 [a3@1200]t1800 [a5@9100 a4@9000 a6@9200]t9800");
    REFUSED("reorder:kslack(v)", "the first parameter of #reorder:kslack must be a long");
    REFUSED("reorder:kslack(ts, 5)",
            "the second parameter of #reorder:kslack must be a time or a constant of type long");
    REFUSED("reorder:kslack(ts, 5L, true, 6L)",
            "the fourth parameter of #reorder:kslack must be true or false");
}

static void test_functions(void)
{
    RUN("pol2Cart(60.0, 2.0)", 0, "1:a1,b2",
        "[a1@1:1.0000000000000002:1.7320508075688772 b2@1:1.0000000000000002:1.7320508075688772]");
    RUN("pol2Cart(0.0, 2.0, 3.0)", 0, "1:a1", "[a1@1:2.0:0.0:3.0]");
    RUN("pol2Cart(convert(k, 'double'), 2.0)", 0, "1:_1 2:'0'2", " ! [02@2:2.0:0.0]");
    REFUSED("pol2Cart(v, 2.0)", "the first parameter of #pol2Cart must be a double");
    REFUSED("pol2Cart(1.0)", "#pol2Cart takes 2 to 3 parameters, here are 1");

    int kept = dup(2), file = memfd_create("log", 0);
    dup2(file, 2);
    RUN("log('error', 'x', true)", 0, "1:a1", "[a1@1]");
    RUN("log('OFF', 'x')", 0, "1:a1", "[a1@1]");
    RUN("log('warn', k, false)", 0, "1:z1", "[z1@1]");
    RUN("log()", 0, "1:b1,c2", "[b1@1 c2@1]");
    dup2(kept, 2);
    char text[4096];
    ssize_t len = pread(file, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = 0;
    CHECK(strstr(text, "app: x, Event{timestamp=1, data=[a, 1, 1, true], isExpired=false}"));
    CHECK(strstr(text, "app: z\n"));
    CHECK(strstr(text, "app: Event{timestamp=1, data=[c, 2, 1, true], isExpired=false}"));
    close(kept);
    close(file);
    REFUSED("log('inf', 'x')",
            "the first parameter of #log must be a priority: INFO, DEBUG, WARN, FATAL, ERROR, OFF or TRACE");
    REFUSED("log(v)", "the first parameter of #log must be a string");
    REFUSED("log(b)", "the first parameter of #log must be a string");
}

static void test_names(void)
{
    CHECK(window_find(NULL, "length") && window_find("unique", "ever") &&
          handler_find("unique", "deduplicate"));
    CHECK(!window_find(NULL, "Length") && !window_find(NULL, "ever") && !window_find("unique", "sort") &&
          !handler_find(NULL, "deduplicate"));
    for (const char *const *name = window_names(); *name; name++) {
        char space[16];
        const char *colon = strchr(*name, ':');
        snprintf(space, sizeof space, "%.*s", colon ? (int)(colon - *name) : 0, *name);
        CHECK(window_find(colon ? space : NULL, colon ? colon + 1 : *name));
    }
}

int main(void)
{
    scenarios_begin();
    test_length();
    test_length_batch();
    test_batch();
    test_time();
    test_time_batch();
    test_time_length();
    test_external_time();
    test_external_time_batch();
    test_session();
    test_sort();
    test_delay();
    test_cron();
    test_cron_text();
    test_frequent();
    test_expression();
    test_expression_batch();
    test_unique();
    test_reorder();
    test_functions();
    test_names();
    return scenarios_end();
}
