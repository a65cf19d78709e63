/* geojson.c - geometries from GeoJSON text (geometry.h, laws 1 and 2). Apps write it inside of texts, so single
 * quotes count as double ones. */
#include "engine/base/json.h"
#include "engine/base/num.h"
#include "engine/expr/geometry.h"
#include <string.h>

struct geojson {
    struct geometry *g;
    uint32_t cap; /* of points, and of parts */
    const char *wrong;
};

static bool wrong(struct geojson *j, const char *words)
{
    if (!j->wrong)
        j->wrong = words;
    return false;
}

/* A number as the token has it; bounded, so that sums of products of coordinates are numbers too. */
static bool read_number(struct geojson *j, const struct json_token *t, double *out)
{
    if (t->kind != JSON_INTEGER && t->kind != JSON_FRACTION)
        return wrong(j, "a coordinate is no number");
    if (!num_parse_double(t->bytes, t->len, out) || !(fabs(*out) <= 1e100))
        return wrong(j, "a number is too large");
    return true;
}

/* [x, y, ...]: more numbers are passed over. t is the array's bracket. */
static bool read_position(struct geojson *j, struct json_scan *s, const struct json_token *t)
{
    double at[2] = {0, 0};
    int n = 0;
    struct json_token number;
    if (t->kind != JSON_ARRAY)
        return wrong(j, "a position is no list of numbers");
    for (bool first = true; json_element(s, &first); n++) {
        double more;
        if (!json_value(s, &number))
            return false;
        if (!read_number(j, &number, n < 2 ? &at[n] : &more))
            return false;
    }
    if (s->wrong || n < 2)
        return wrong(j, "a position has fewer than two numbers");
    struct geometry *g = j->g;
    if (g->point_count == j->cap)
        return wrong(j, "it has too many points");
    g->points[g->point_count++] = (struct geometry_point){at[0], at[1]};
    return true;
}

static bool read_run(struct geojson *j, struct json_scan *s, const struct json_token *t,
                     enum geometry_kind kind)
{
    struct geometry *g = j->g;
    struct geometry_part *part = &g->parts[g->part_count];
    *part = (struct geometry_part){.kind = kind, .first = g->point_count};
    if (t->kind != JSON_ARRAY)
        return wrong(j, "its coordinates are nested in another way than its type says");
    struct json_token position;
    for (bool first = true; json_element(s, &first);) {
        if (!json_value(s, &position) || !read_position(j, s, &position))
            return false;
    }
    part->count = g->point_count - part->first;
    if (s->wrong)
        return false;
    if (kind == GEOMETRY_LINE)
        return part->count >= 2 ? (void)g->part_count++, true : wrong(j, "a line has fewer than two points");
    if (part->count < 4)
        return wrong(j, "a ring has fewer than four points");
    const struct geometry_point *a = &g->points[part->first], *b = a + part->count - 1;
    if (a->x != b->x || a->y != b->y)
        return wrong(j, "a ring does not end where it begins");
    g->part_count++;
    return true;
}

/* What is nested in a list: parts of kind; of polygons the first is the shell. */
static bool read_list(struct geojson *j, struct json_scan *s, const struct json_token *t, int depth,
                      enum geometry_kind kind)
{
    struct geometry *g = j->g;
    if (kind == GEOMETRY_POINT && depth == 0) {
        g->parts[g->part_count++] = (struct geometry_part){.first = g->point_count, .count = 1};
        return read_position(j, s, t);
    }
    if (kind != GEOMETRY_POINT && depth == 0)
        return read_run(j, s, t, kind);
    if (t->kind != JSON_ARRAY)
        return wrong(j, "its coordinates are nested in another way than its type says");
    uint32_t before = g->part_count;
    struct json_token inner;
    for (bool first = true; json_element(s, &first);) {
        if (!json_value(s, &inner))
            return false;
        bool is_hole = kind == GEOMETRY_SHELL && depth == 1 && g->part_count > before;
        if (!read_list(j, s, &inner, depth - 1, is_hole ? GEOMETRY_HOLE : kind))
            return false;
    }
    if (!s->wrong && g->part_count == before)
        return wrong(j, "it has no coordinates");
    return !s->wrong;
}

static const struct shape {
    const char *name;
    enum geometry_kind kind;
    int dimension, depth; /* lists around a part */
} shapes[] = {
    {"Point", GEOMETRY_POINT, 0, 0},     {"MultiPoint", GEOMETRY_POINT, 0, 1},
    {"LineString", GEOMETRY_LINE, 1, 0}, {"MultiLineString", GEOMETRY_LINE, 1, 1},
    {"Polygon", GEOMETRY_SHELL, 2, 1},   {"MultiPolygon", GEOMETRY_SHELL, 2, 2},
};

/* Law 2. Clockwise from the east; the corners lie where the original's sum of 32 angles puts them, which shows where
 * something is just on the circle. */
static bool make_circle(struct geojson *j, const struct json_token *radius)
{
    enum { CORNERS = 32 };
    static const double corners[CORNERS][2] = {{1.0, 0.0},
                                               {0.9807852804032304, -0.19509032201612825},
                                               {0.9238795325112867, -0.3826834323650898},
                                               {0.8314696123025452, -0.5555702330196022},
                                               {0.7071067811865476, -0.7071067811865475},
                                               {0.5555702330196023, -0.8314696123025452},
                                               {0.38268343236508984, -0.9238795325112867},
                                               {0.19509032201612833, -0.9807852804032304},
                                               {6.123233995736766e-17, -1.0},
                                               {-0.1950903220161282, -0.9807852804032304},
                                               {-0.3826834323650897, -0.9238795325112867},
                                               {-0.555570233019602, -0.8314696123025455},
                                               {-0.7071067811865475, -0.7071067811865476},
                                               {-0.8314696123025453, -0.5555702330196022},
                                               {-0.9238795325112868, -0.38268343236508945},
                                               {-0.9807852804032305, -0.19509032201612772},
                                               {-1.0, 7.657137397853899e-16},
                                               {-0.9807852804032302, 0.19509032201612922},
                                               {-0.9238795325112863, 0.3826834323650909},
                                               {-0.8314696123025445, 0.5555702330196034},
                                               {-0.7071067811865464, 0.7071067811865487},
                                               {-0.5555702330196007, 0.8314696123025462},
                                               {-0.3826834323650879, 0.9238795325112875},
                                               {-0.19509032201612606, 0.9807852804032309},
                                               {2.4808382392282726e-15, 1.0},
                                               {0.1950903220161309, 0.9807852804032299},
                                               {0.38268343236509245, 0.9238795325112856},
                                               {0.5555702330196048, 0.8314696123025435},
                                               {0.7071067811865499, 0.7071067811865451},
                                               {0.8314696123025472, 0.5555702330195993},
                                               {0.9238795325112882, 0.3826834323650863},
                                               {0.9807852804032312, 0.19509032201612436}};
    struct geometry *g = j->g;
    double metres;
    if (!read_number(j, radius, &metres))
        return false;
    double r = metres / METRES_PER_DEGREE;
    if (!(r > 0))
        return wrong(j, "the radius of a circle must be above 0");
    const struct geometry_point centre = g->points[0];
    for (int i = 0; i < CORNERS; i++)
        g->points[i] = (struct geometry_point){centre.x + r * corners[i][0], centre.y + r * corners[i][1]};
    g->points[CORNERS] = g->points[0];
    g->point_count = CORNERS + 1;
    g->parts[0] = (struct geometry_part){.kind = GEOMETRY_SHELL, .count = CORNERS + 1};
    g->dimension = 2;
    return true;
}

static bool read_coordinates(struct geojson *j, struct arena *a, const struct json_token *type,
                             const struct json_token *coordinates, bool is_circle)
{
    const struct shape *shape = is_circle ? &shapes[0] : NULL;
    for (size_t i = 0; !shape && i < sizeof(shapes) / sizeof(*shapes); i++) {
        if (type->kind == JSON_STRING && json_is(type, shapes[i].name, strlen(shapes[i].name)))
            shape = &shapes[i];
    }
    if (!shape)
        return wrong(j, "its type is none of Point, MultiPoint, LineString, MultiLineString, Polygon, "
                        "MultiPolygon, Circle");
    /* There are no more points, and no more parts, than brackets; a circle makes its own. */
    size_t brackets = is_circle ? 64 : 1;
    for (size_t i = 0; i < coordinates->len && brackets <= LIMIT_GEOMETRY_POINTS; i++)
        brackets += coordinates->bytes[i] == '[';
    j->cap = (uint32_t)(brackets < LIMIT_GEOMETRY_POINTS ? brackets : LIMIT_GEOMETRY_POINTS);
    struct geometry *g = j->g;
    g->dimension = shape->dimension;
    g->points = arena_array(a, j->cap, sizeof(*g->points));
    g->parts = arena_array(a, (size_t)j->cap + 1, sizeof(*g->parts));
    struct json_scan s;
    struct json_token t;
    json_scan_init(&s, coordinates->bytes, coordinates->len);
    return json_value(&s, &t) && read_list(j, &s, &t, shape->depth, shape->kind);
}

const struct geometry *geometry_read(struct arena *a, const char *text, size_t len, const char **words)
{
    struct geojson j = {.g = arena_alloc(a, sizeof(struct geometry))};
    struct json_scan s;
    struct json_token root, name, value, type = {0}, coordinates = {0}, radius = {0};
    char *quoted = memchr(text, '\'', len) ? arena_strndup(a, text, len) : NULL;
    for (char *p = quoted; p && (p = memchr(p, '\'', len - (size_t)(p - quoted))) != NULL;)
        *p = '"';
    json_scan_init(&s, quoted ? quoted : text, len);
    bool good = json_value(&s, &root) && root.kind == JSON_OBJECT;
    bool has_type = false, has_coordinates = false, has_radius = false;
    for (bool first = true; good && json_member(&s, &first, &name);) {
        good = json_value(&s, &value) && json_skip(&s, &value);
        if (good && json_is(&name, "type", 4))
            type = value, has_type = true;
        else if (good && json_is(&name, "coordinates", 11))
            coordinates = value, has_coordinates = true;
        else if (good && json_is(&name, "radius", 6))
            radius = value, has_radius = true;
    }
    good = good && !s.wrong && json_end(&s);
    if (!good)
        wrong(&j, "it is no JSON object");
    else if (!has_coordinates || coordinates.kind != JSON_ARRAY || (!has_type && !has_radius))
        wrong(&j, "it lacks type or coordinates");
    else if (!read_coordinates(&j, a, &type, &coordinates, has_radius) ||
             (has_radius && !make_circle(&j, &radius)))
        wrong(&j, "its coordinates are not lists of numbers");
    if (j.wrong) {
        *words = j.wrong;
        return NULL;
    }
    geometry_measure(j.g);
    return j.g;
}
