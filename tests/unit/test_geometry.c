/* test_geometry.c - geometries: their bounds, what is no number, points on edges by exact arithmetic, damaged text. */
#include "check.h"
#include "engine/base/buf.h"
#include "engine/expr/geometry.h"
#include <stdlib.h>

static struct arena arena;

static const struct geometry *read(const char *text)
{
    const char *wrong = NULL;
    return geometry_read(&arena, text, strlen(text), &wrong);
}

/* A zigzag of so many points. */
static const struct geometry *zigzag(int points, int y, const char **wrong)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_add_str(&b, "{'type':'LineString','coordinates':[");
    for (int i = 0; i < points; i++)
        buf_printf(&b, "%s[%d,%d]", i ? "," : "", i, y + i % 2);
    buf_add_str(&b, "]}");
    const struct geometry *g = geometry_read(&arena, b.bytes, b.len, wrong);
    buf_fini(&b);
    return g;
}

static void test_bounds(void)
{
    const char *wrong = "";
    struct geometry_point near[2];
    double distance;
    const struct geometry *long_one = zigzag(LIMIT_GEOMETRY_POINTS - 10, 0, &wrong);
    CHECK(long_one != NULL);
    CHECK(!zigzag(LIMIT_GEOMETRY_POINTS + 10, 0, &wrong));
    CHECK_TEXT(wrong, "it has too many points");
    const struct geometry *a = zigzag(9000, 0, &wrong), *b = zigzag(9000, 3, &wrong);
    CHECK(geometry_nearest(a, b, near, &distance) == -1);
    CHECK(geometry_intersects(a, b) == 0); /* their boxes are apart */
    CHECK(geometry_intersects(a, a) == 1);
    CHECK(geometry_within(&arena, long_one, long_one) == -1);
    const struct geometry *point = geometry_of_point(&arena, 7, 1);
    CHECK(geometry_nearest(point, long_one, near, &distance) == 0 && distance == 0);
    CHECK(geometry_within(&arena, point, long_one) == 1);
    CHECK(geometry_within(&arena, geometry_of_point(&arena, 0, 0), long_one) == 0); /* an end is no inside */
}

static void test_no_numbers(void)
{
    const struct geometry *box = read("{'type':'Polygon','coordinates':[[[0,0],[2,0],[2,2],[0,2],[0,0]]]}");
    const double odd[] = {NAN, INFINITY, -INFINITY, 1e308};
    for (int i = 0; i < 4; i++) {
        const struct geometry *p = geometry_of_point(&arena, odd[i], 1);
        struct geometry_point near[2];
        double distance;
        CHECK(geometry_within(&arena, p, box) == 0);
        CHECK(geometry_intersects(p, box) == 0);
        CHECK(geometry_nearest(p, box, near, &distance) == 0);
        CHECK(!(distance <= 1e9));
    }
}

/* Points on a slope are on it, and those a step beside it are not. */
static void test_sides(void)
{
    const struct geometry *slope = read("{'type':'LineString','coordinates':[[0.1,0.1],[0.7,0.7]]}");
    for (double x = 0.11; x < 0.69; x += 0.013) {
        CHECK(geometry_intersects(geometry_of_point(&arena, x, x), slope) == 1);
        CHECK(geometry_intersects(geometry_of_point(&arena, x, nextafter(x, 1)), slope) == 0);
        CHECK(geometry_intersects(geometry_of_point(&arena, nextafter(x, 0), x), slope) == 0);
    }
}

static void test_damage(void)
{
    static const char *const texts[] = {
        "{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,4],[0,0]],[[1,1],[1,2],[2,2],[1,1]]]}",
        "{'type':'MultiPolygon','coordinates':[[[[0,0],[1,0],[1,1],[0,0]]],[[[5,5],[6,5],[6,6],[5,5]]]]}",
        "{'type':'Circle','radius':1000,'coordinates':[3,4]}",
        "{'type':'MultiLineString','coordinates':[[[0,0],[1,1]],[[2,2],[3,1]]]}",
    };
    static const char spice[] = "[]{}',:0-9e.\"\\ ";
    const struct geometry *other = read(texts[0]);
    unsigned seed = 1;
    int read_well = 0;
    for (int round = 0; round < 20000; round++) {
        struct arena_mark mark = arena_mark(&arena);
        char text[128];
        const char *wrong = NULL;
        size_t len = strlen(texts[round % 4]);
        memcpy(text, texts[round % 4], len);
        for (int k = 0; k <= round % 3; k++) {
            seed = seed * 1103515245 + 12345;
            text[(seed >> 8) % len] = spice[(seed >> 20) % (sizeof spice - 1)];
        }
        const struct geometry *g = geometry_read(&arena, text, len - (round % 5 ? 0 : seed >> 28), &wrong);
        if (g) {
            struct geometry_point near[2];
            double distance;
            read_well++;
            geometry_within(&arena, g, other);
            geometry_within(&arena, other, g);
            geometry_intersects(g, other);
            geometry_nearest(other, g, near, &distance);
        } else {
            CHECK(wrong != NULL);
        }
        arena_reset(&arena, mark);
    }
    CHECK(read_well > 100);
}

int main(void)
{
    arena_init(&arena, 65536);
    test_bounds();
    test_no_numbers();
    test_sides();
    test_damage();
    arena_fini(&arena);
    return check_end();
}
