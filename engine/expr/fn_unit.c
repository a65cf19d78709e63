/* fn_unit.c - unitconversion: (spec 20 section 10): one number in, a double out. A null argument fails the
 * event.
 *
 * A conversion is a factor and a divisor, whichever of the two its unit is defined by: so that what is a
 * round number in one unit stays one in the other. The units are those of the original: an ounce of
 * 28.34952 g, a pound of 453.5924 g, tons and stones by their rounded reciprocals, and a year of 365.2525
 * days. */
#include "engine/expr/fn.h"

struct conversion {
    const char *name;
    double times, over;
};

/* clang-format off */
/* A new one: a line here, its name in fn_unit[] below. */
static const struct conversion conversions[] = {
    {"MmTokm", 1000, 1},
    {"cmToft", 1, 30.48},         {"cmToin", 1, 2.54},           {"cmTokm", 1, 100000},
    {"cmTom", 1, 100},            {"cmTomi", 1, 160934.4},       {"cmTomm", 10, 1},
    {"cmTonm", 1e7, 1},           {"cmToum", 10000, 1},          {"cmToyd", 1, 91.44},
    {"dToh", 24, 1},
    {"gTokg", 1, 1000},           {"gTomg", 1000, 1},            {"gToug", 1e6, 1},
    {"hTom", 60, 1},              {"hTos", 3600, 1},
    {"kgToLT", 0.000984207, 1},   {"kgToST", 0.00110231, 1},     {"kgTog", 1000, 1},
    {"kgTolb", 1, 0.4535924},     {"kgTooz", 1, 0.02834952},     {"kgTost", 0.157473, 1},
    {"kgTot", 1, 1000},
    {"kmTocm", 100000, 1},        {"kmToft", 1000, 0.3048},      {"kmToin", 1000, 0.0254},
    {"kmTom", 1000, 1},           {"kmTomi", 1, 1.609344},       {"kmTomm", 1e6, 1},
    {"kmTonm", 1e12, 1},          {"kmToum", 1e9, 1},            {"kmToyd", 1000, 0.9144},
    {"lTom3", 1, 1000},           {"lToml", 1000, 1},
    {"m3Tol", 1000, 1},
    {"mTocm", 100, 1},            {"mToft", 1, 0.3048},          {"mTomm", 1000, 1},
    {"mTos", 60, 1},              {"mToyd", 1, 0.9144},
    {"miTokm", 1.609344, 1},
    {"mlTol", 1, 1000},
    {"sToms", 1000, 1},           {"sTons", 1e9, 1},             {"sTous", 1e6, 1},
    {"tTog", 1e6, 1},             {"tTokg", 1000, 1},
    {"yTod", 365.2525, 1},
};
/* clang-format on */

static struct value eval_convert(const struct expr *e, struct frame *f)
{
    const struct conversion *c = e->config;
    double x;
    int there = arg_double_or_null(e, f, 0, &x);
    if (there == 0)
        return expr_fail(f->env, "%s got null, a number is needed", e->name);
    return there > 0 ? value_double(x * c->times / c->over) : VALUE_NULL;
}

static int bind_convert(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    (void)c;
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++)
        if (strcmp(conversions[i].name, call->name.text) == 0)
            e->config = &conversions[i];
    ASSERT(e->config != NULL);
    return 0;
}

#define ROW(name)                                                            \
    {                                                                        \
        "unitconversion", name, "n", TYPE_DOUBLE, eval_convert, bind_convert \
    }
/* Rows: takes is explained in fn.h. Each has a line in conversions[]. */
const struct function fn_unit[] = {
    ROW("MmTokm"), ROW("cmToft"), ROW("cmToin"), ROW("cmTokm"), ROW("cmTom"),  ROW("cmTomi"), ROW("cmTomm"),
    ROW("cmTonm"), ROW("cmToum"), ROW("cmToyd"), ROW("dToh"),   ROW("gTokg"),  ROW("gTomg"),  ROW("gToug"),
    ROW("hTom"),   ROW("hTos"),   ROW("kgToLT"), ROW("kgToST"), ROW("kgTog"),  ROW("kgTolb"), ROW("kgTooz"),
    ROW("kgTost"), ROW("kgTot"),  ROW("kmTocm"), ROW("kmToft"), ROW("kmToin"), ROW("kmTom"),  ROW("kmTomi"),
    ROW("kmTomm"), ROW("kmTonm"), ROW("kmToum"), ROW("kmToyd"), ROW("lTom3"),  ROW("lToml"),  ROW("m3Tol"),
    ROW("mTocm"),  ROW("mToft"),  ROW("mTomm"),  ROW("mTos"),   ROW("mToyd"),  ROW("miTokm"), ROW("mlTol"),
    ROW("sToms"),  ROW("sTons"),  ROW("sTous"),  ROW("tTog"),   ROW("tTokg"),  ROW("yTod"),   {0},
};
