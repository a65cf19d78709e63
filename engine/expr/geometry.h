/* geometry.h - points, lines and areas in a plane, for geo: (spec 20 section 10).
 *
 * x is the longitude, y the latitude, in degrees; the plane is flat: no poles, no date line. A geometry is made
 * from GeoJSON text or of one point, lies in an arena and never changes.
 *
 * Laws
 * (1) All parts of a geometry have one dimension: points, lines, or polygons with their holes. A
 *     GeometryCollection, Feature or anything without points is refused.
 * (2) An object with a 'radius' is a circle in metres around its coordinates, whatever its type says: a polygon
 *     of 32 corners, the first to the east, at radius / METRES_PER_DEGREE degrees.
 * (3) The relations are those of the OGC model: within needs a point of both interiors, so what lies on the
 *     edge of a polygon alone is not within it, but intersects it. Signs of areas are exact for all practical
 *     input (doubled precision where rounding could decide), so a point on an edge is known as such.
 * (4) What is not a number lies nowhere: no relation holds, no distance is below another.
 * (5) Reading and comparing are bounded: LIMIT_GEOMETRY_POINTS, LIMIT_GEOMETRY_STEPS. Rings that cross themselves
 *     are not found out; answers about them are any. */
#ifndef WEIR_EXPR_GEOMETRY_H
#define WEIR_EXPR_GEOMETRY_H

#include "engine/base/mem.h"
#include <math.h>

#define METRES_PER_DEGREE 110574.61087757687

enum {
    LIMIT_GEOMETRY_POINTS = 100 * 1000,
    LIMIT_GEOMETRY_STEPS = 50 * 1000 * 1000, /* of one comparison: about a point against an edge each */
};

struct geometry_point {
    double x, y;
};
struct geometry_box {
    struct geometry_point low, high;
};
/* A run of points: one point; a line; a ring, whose last point is its first. Holes stand behind their shell. */
enum geometry_kind { GEOMETRY_POINT, GEOMETRY_LINE, GEOMETRY_SHELL, GEOMETRY_HOLE };
struct geometry_part {
    enum geometry_kind kind;
    uint32_t first, count;
    struct geometry_box box;
};
struct geometry {
    int dimension; /* 0 points, 1 lines, 2 polygons */
    struct geometry_point *points;
    struct geometry_part *parts;
    uint32_t point_count, part_count;
    struct geometry_box box;
};
/* The boxes of parts and of all, when the points are in. */
void geometry_measure(struct geometry *g);

/* geojson.c. NULL: it is none; *wrong says why (static). In the arena; needs nothing of the text afterwards. */
const struct geometry *geometry_read(struct arena *a, const char *s, size_t len, const char **wrong);
const struct geometry *geometry_of_point(struct arena *a, double x, double y);

/* 1, 0; -1: it would take more than LIMIT_GEOMETRY_STEPS. scratch: for the work. */
int geometry_within(struct arena *scratch, const struct geometry *a, const struct geometry *b);
int geometry_intersects(const struct geometry *a, const struct geometry *b);
/* A point of each with no others nearer to each other: the first such pair, in the order of their points; where
 * they meet, one point twice. *distance in degrees of the plane; NaN when there is a coordinate that is none.
 * 0, or -1 as above. */
int geometry_nearest(const struct geometry *a, const struct geometry *b, struct geometry_point nearest[2],
                     double *distance);

#endif
