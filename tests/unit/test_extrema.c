/* test_extrema.c - the windows of the extrema extension, by scenarios. */
#include "tests/unit/scenario.h"

static void test_extrema(void)
{
    HOLDS("extrema:maxByLength(v, 2)", ALL, "1:a1 2:b3 3:c2 4:d1", "[a1@1] [-a1@2 b3@2] [b3@2] [-b3@4 c2@3]",
          "c2");
    HOLDS("extrema:minByLength(v * -1, 3)", ALL, "1:a4 2:b4 3:c2 4:d3 5:e0",
          "[a4@1] [-a4@2 b4@2] [b4@2] [b4@2] "
          "[-b4@5 d3@4]",
          "d3");
    RUN("extrema:minByLength(v, 1)", 0, "1:a5 2:b5", "[a5@1] [-a5@2 b5@2]");
    RUN("extrema:maxbytime(v, 1 sec)", ALL, "1000:a4 1200:b9 1500:c6 1600:d2 2300:e1 >9000",
        "[a4@1000] [b9@1200] [-a4@2000] [-b9@2200] [c6@1500] [-c6@2500]");
    RUN("extrema:minByLengthBatch(v, 2)", ALL, "1:a4 2:b4 3:c3 4:d7", "[b4@2] [-b4@2 Rb4@2 c3@3]");
    RUN("extrema:maxbytimebatch(v, 1 sec, 300)", ALL, "1000:a1 1200:b2 >1400 >2300 2400:c3 >9000",
        "[b2@1200] [-b2@2300 Rb2@2300] [c3@2400] [-c3@4300 Rc3@4300]");
    REFUSED("extrema:minByLength(b, 2)",
            "the first parameter of window.extrema:minByLength must be a number or a string");
    REFUSED("extrema:maxbytime(v, -1)",
            "the second parameter of window.extrema:maxbytime must be greater than 0");
    REFUSED("extrema:topKLengthBatch(k, 2, b)",
            "the third parameter of #extrema:topKLengthBatch must be a constant of type int");
}

int main(void)
{
    scenarios_begin();
    test_extrema();
    return scenarios_end();
}
