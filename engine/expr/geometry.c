/* geometry.c - what geometries have to do with each other (geometry.h).
 *
 * A relation is found edge by edge. Edges of two polygons that cross in one point inside of both decide it;
 * where they only touch, an edge is cut at the corners that lie on it, and each piece lies wholly inside, outside
 * or on the other's edge: its middle tells. So only input points are compared exactly, and no computed point
 * decides anything that rounding could turn. */
#include "engine/expr/geometry.h"
#include <stdlib.h>
#include <string.h>

enum place { OUTSIDE, ON_EDGE, INSIDE };

struct work {
    struct arena *scratch;
    uint64_t steps;
};
struct edge {
    struct geometry_point a, b;
};

static bool is_too_much(const struct work *w)
{
    return w->steps > LIMIT_GEOMETRY_STEPS;
}

static bool same(struct geometry_point a, struct geometry_point b)
{
    return a.x == b.x && a.y == b.y;
}

/* ---- boxes ---- */

static void box_add(struct geometry_box *box, struct geometry_point p)
{
    box->low.x = p.x < box->low.x ? p.x : box->low.x;
    box->low.y = p.y < box->low.y ? p.y : box->low.y;
    box->high.x = p.x > box->high.x ? p.x : box->high.x;
    box->high.y = p.y > box->high.y ? p.y : box->high.y;
}
static struct geometry_box box_of(const struct geometry_point *p, uint32_t count)
{
    struct geometry_box box = {p[0], p[0]};
    for (uint32_t i = 1; i < count; i++)
        box_add(&box, p[i]);
    return box;
}
static bool box_has(const struct geometry_box *box, struct geometry_point p)
{
    return p.x >= box->low.x && p.x <= box->high.x && p.y >= box->low.y && p.y <= box->high.y;
}
static bool boxes_meet(const struct geometry_box *a, const struct geometry_box *b)
{
    return a->low.x <= b->high.x && b->low.x <= a->high.x && a->low.y <= b->high.y && b->low.y <= a->high.y;
}
/* Of the edge's box; a point on the edge's line lies on the edge when it is in here. */
static bool spans(struct edge e, struct geometry_point p)
{
    return fmin(e.a.x, e.b.x) <= p.x && p.x <= fmax(e.a.x, e.b.x) && fmin(e.a.y, e.b.y) <= p.y &&
           p.y <= fmax(e.a.y, e.b.y);
}

void geometry_measure(struct geometry *g)
{
    for (uint32_t i = 0; i < g->part_count; i++)
        g->parts[i].box = box_of(g->points + g->parts[i].first, g->parts[i].count);
    g->box = box_of(g->points, g->point_count);
}

const struct geometry *geometry_of_point(struct arena *a, double x, double y)
{
    struct geometry *g = arena_alloc(a, sizeof(*g));
    g->points = arena_array(a, 1, sizeof(*g->points));
    g->parts = arena_array(a, 1, sizeof(*g->parts));
    g->points[0] = (struct geometry_point){x, y};
    g->parts[0].count = 1;
    g->point_count = g->part_count = 1;
    geometry_measure(g);
    return g;
}

/* ---- sides ---- */

/* hi + lo == a - b exactly. */
static double minus(double a, double b, double *lo)
{
    double hi = a - b, back = hi - a;
    *lo = (a - (hi - back)) - (b + back);
    return hi;
}
/* (ahi + alo) * (bhi + blo) in about 106 bits. */
static double times(double ahi, double alo, double bhi, double blo, double *lo)
{
    double hi = ahi * bhi;
    *lo = fma(ahi, bhi, -hi) + (ahi * blo + alo * bhi);
    return hi;
}

static int side_exactly(struct geometry_point a, struct geometry_point b, struct geometry_point c)
{
    double l[6];
    double bx = minus(b.x, a.x, &l[0]), cy = minus(c.y, a.y, &l[1]), by = minus(b.y, a.y, &l[2]),
           cx = minus(c.x, a.x, &l[3]);
    double left = times(bx, l[0], cy, l[1], &l[4]), right = times(by, l[2], cx, l[3], &l[5]);
    double rest, det = minus(left, right, &rest);
    det += rest + (l[4] - l[5]);
    return (det > 0) - (det < 0);
}

/* 1: c is left of the line from a to b, -1: right, 0: on it. */
static int side_of(struct geometry_point a, struct geometry_point b, struct geometry_point c)
{
    double left = (b.x - a.x) * (c.y - a.y), right = (b.y - a.y) * (c.x - a.x);
    double det = left - right, bound = 4e-16 * (fabs(left) + fabs(right));
    if (det > bound)
        return 1;
    return det < -bound ? -1 : side_exactly(a, b, c);
}

static bool is_on(struct edge e, struct geometry_point p)
{
    return spans(e, p) && side_of(e.a, e.b, p) == 0;
}

enum meeting { APART, TOUCHING, CROSSING };

static enum meeting edges_meet(struct edge e, struct edge f)
{
    struct geometry_box a = box_of((struct geometry_point[]){e.a, e.b}, 2),
                        b = box_of((struct geometry_point[]){f.a, f.b}, 2);
    if (!boxes_meet(&a, &b))
        return APART;
    int fa = side_of(e.a, e.b, f.a), fb = side_of(e.a, e.b, f.b);
    if (fa * fb > 0)
        return APART;
    int ea = side_of(f.a, f.b, e.a), eb = side_of(f.a, f.b, e.b);
    if (ea * eb > 0)
        return APART;
    if (fa && fb && ea && eb)
        return CROSSING;
    bool touch =
        (!fa && spans(e, f.a)) || (!fb && spans(e, f.b)) || (!ea && spans(f, e.a)) || (!eb && spans(f, e.b));
    return touch ? TOUCHING : APART;
}

/* ---- walking ---- */

/* All edges of g: *part and *at are 0 before the first. */
static bool next_edge(const struct geometry *g, uint32_t *part, uint32_t *at, struct edge *e)
{
    for (; *part < g->part_count; ++*part, *at = 0) {
        const struct geometry_part *p = &g->parts[*part];
        if (*at + 1 >= p->count)
            continue;
        const struct geometry_point *point = g->points + p->first + *at;
        *e = (struct edge){point[0], point[1]};
        ++*at;
        return true;
    }
    return false;
}

/* ---- where a point is ---- */

static enum place in_ring(struct work *w, const struct geometry *g, const struct geometry_part *ring,
                          struct geometry_point p)
{
    const struct geometry_point *q = g->points + ring->first;
    bool is_in = false;
    if (!box_has(&ring->box, p))
        return OUTSIDE;
    w->steps += ring->count;
    for (uint32_t i = 0; i + 1 < ring->count; i++) {
        struct edge e = {q[i], q[i + 1]};
        if (e.a.x < p.x && e.b.x < p.x)
            continue;
        if (is_on(e, p))
            return ON_EDGE;
        if ((e.a.y > p.y) == (e.b.y > p.y))
            continue;
        int side = side_of(e.a, e.b, p);
        is_in ^= e.b.y > e.a.y ? side > 0 : side < 0;
    }
    return is_in ? INSIDE : OUTSIDE;
}

/* The polygon that begins at part. */
static enum place in_polygon(struct work *w, const struct geometry *g, uint32_t part, struct geometry_point p)
{
    enum place place = in_ring(w, g, &g->parts[part], p);
    for (uint32_t i = part + 1; place == INSIDE && i < g->part_count && g->parts[i].kind == GEOMETRY_HOLE;
         i++) {
        enum place hole = in_ring(w, g, &g->parts[i], p);
        if (hole != OUTSIDE)
            place = hole == INSIDE ? OUTSIDE : ON_EDGE;
    }
    return place;
}

static enum place on_lines(struct work *w, const struct geometry *g, struct geometry_point p)
{
    int ends = 0;
    bool is_met = false;
    for (uint32_t i = 0; i < g->part_count; i++) {
        const struct geometry_part *part = &g->parts[i];
        const struct geometry_point *q = g->points + part->first;
        if (!box_has(&part->box, p))
            continue;
        w->steps += part->count;
        ends += same(q[0], p) + same(q[part->count - 1], p);
        for (uint32_t at = 0; at + 1 < part->count && !is_met; at++)
            is_met = is_on((struct edge){q[at], q[at + 1]}, p);
    }
    if (!is_met)
        return OUTSIDE;
    return ends % 2 ? ON_EDGE : INSIDE;
}

static enum place locate(struct work *w, const struct geometry *g, struct geometry_point p)
{
    enum place best = OUTSIDE;
    if (!box_has(&g->box, p))
        return OUTSIDE;
    if (g->dimension == 1)
        return on_lines(w, g, p);
    for (uint32_t i = 0; i < g->part_count && best != INSIDE; i++) {
        enum place place = OUTSIDE;
        w->steps++;
        if (g->parts[i].kind == GEOMETRY_SHELL)
            place = in_polygon(w, g, i, p);
        else if (g->parts[i].kind == GEOMETRY_POINT && same(g->points[g->parts[i].first], p))
            place = INSIDE;
        best = place > best ? place : best;
    }
    return best;
}

/* ---- intersects ---- */

static bool any_point_in(struct work *w, const struct geometry *a, const struct geometry *b)
{
    for (uint32_t i = 0; i < a->point_count && !is_too_much(w); i++)
        if (locate(w, b, a->points[i]) != OUTSIDE)
            return true;
    return false;
}

static bool edges_of_both_meet(struct work *w, const struct geometry *a, const struct geometry *b)
{
    struct edge e, f;
    for (uint32_t part = 0, at = 0; next_edge(a, &part, &at, &e) && !is_too_much(w);) {
        struct geometry_box box = box_of((struct geometry_point[]){e.a, e.b}, 2);
        w->steps++;
        if (!boxes_meet(&box, &b->box))
            continue;
        w->steps += b->point_count;
        for (uint32_t other = 0, place = 0; next_edge(b, &other, &place, &f);)
            if (edges_meet(e, f) != APART)
                return true;
    }
    return false;
}

/* Edges do not meet: is a part of a wholly inside of b? */
static bool any_part_in(struct work *w, const struct geometry *a, const struct geometry *b)
{
    for (uint32_t i = 0; i < a->part_count && !is_too_much(w); i++)
        if (b->dimension == 2 && locate(w, b, a->points[a->parts[i].first]) != OUTSIDE)
            return true;
    return false;
}

int geometry_intersects(const struct geometry *a, const struct geometry *b)
{
    struct work w = {0};
    bool met = false;
    if (!boxes_meet(&a->box, &b->box))
        return 0;
    if (a->dimension == 0)
        met = any_point_in(&w, a, b);
    else if (b->dimension == 0)
        met = any_point_in(&w, b, a);
    else
        met = edges_of_both_meet(&w, a, b) || any_part_in(&w, a, b) || any_part_in(&w, b, a);
    return !met && is_too_much(&w) ? -1 : met;
}

/* ---- within ---- */

struct cuts {
    struct geometry_point *points;
    uint32_t count, cap;
};

static void cut_add(struct work *w, struct cuts *c, struct geometry_point p)
{
    if (c->count == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 16;
        struct geometry_point *more = arena_array(w->scratch, cap, sizeof(*more));
        if (c->count)
            memcpy(more, c->points, c->count * sizeof(*more));
        c->points = more;
        c->cap = cap;
    }
    c->points[c->count++] = p;
}
static int by_place(const void *left, const void *right)
{
    const struct geometry_point *a = left, *b = right;
    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    return a->y < b->y ? -1 : a->y > b->y;
}

/* Where the corners of g lie on e, in order along it, e's ends with them. False: an edge of g crosses e. */
static bool cut(struct work *w, struct edge e, const struct geometry *g, struct cuts *c)
{
    struct geometry_box box = box_of((struct geometry_point[]){e.a, e.b}, 2);
    struct edge f;
    bool crossed = false;
    c->count = 0;
    cut_add(w, c, e.a);
    cut_add(w, c, e.b);
    for (uint32_t i = 0; i < g->part_count && !crossed; i++) {
        const struct geometry_part *part = &g->parts[i];
        w->steps++;
        if (!boxes_meet(&box, &part->box))
            continue;
        w->steps += part->count;
        for (uint32_t at = 0; at + 1 < part->count && !crossed; at++) {
            f = (struct edge){g->points[part->first + at], g->points[part->first + at + 1]};
            enum meeting meeting = edges_meet(e, f);
            crossed = meeting == CROSSING;
            if (meeting == TOUCHING && is_on(e, f.a))
                cut_add(w, c, f.a);
            if (meeting == TOUCHING && is_on(e, f.b))
                cut_add(w, c, f.b);
        }
    }
    qsort(c->points, c->count, sizeof(*c->points), by_place);
    return !crossed;
}

/* Does an edge of g hold the whole of piece? */
static bool is_on_edge_of(struct work *w, const struct geometry *g, struct edge piece)
{
    for (uint32_t i = 0; i < g->part_count; i++) {
        const struct geometry_part *part = &g->parts[i];
        if (!box_has(&part->box, piece.a) || !box_has(&part->box, piece.b))
            continue;
        w->steps += part->count;
        for (uint32_t at = 0; at + 1 < part->count; at++) {
            struct edge f = {g->points[part->first + at], g->points[part->first + at + 1]};
            if (is_on(f, piece.a) && is_on(f, piece.b))
                return true;
        }
    }
    return false;
}

/* Where a piece of an edge is that no corner of g cuts. */
static enum place locate_piece(struct work *w, const struct geometry *g, struct edge piece)
{
    if (is_on_edge_of(w, g, piece))
        return g->dimension == 1 ? INSIDE : ON_EDGE;
    if (g->dimension == 1)
        return OUTSIDE;
    return locate(w, g,
                  (struct geometry_point){piece.a.x / 2 + piece.b.x / 2, piece.a.y / 2 + piece.b.y / 2});
}

/* All edges of a are in b or on its edge; *inner: some of them are in it. */
static bool edges_within(struct work *w, const struct geometry *a, const struct geometry *b, bool *inner)
{
    struct cuts c = {0};
    struct edge e;
    for (uint32_t part = 0, at = 0; next_edge(a, &part, &at, &e) && !is_too_much(w);) {
        if (!cut(w, e, b, &c) && b->dimension == 2)
            return false;
        for (uint32_t i = 0; i + 1 < c.count && !is_too_much(w); i++) {
            struct edge piece = {c.points[i], c.points[i + 1]};
            if (same(piece.a, piece.b))
                continue;
            enum place place = locate_piece(w, b, piece);
            if (place == OUTSIDE)
                return false;
            *inner = *inner || place == INSIDE;
        }
    }
    return true;
}

/* Runs an edge of b, hence what is outside of it, through the inside of a? */
static bool edges_run_through(struct work *w, const struct geometry *b, const struct geometry *a)
{
    struct cuts c = {0};
    struct edge e;
    for (uint32_t part = 0, at = 0; next_edge(b, &part, &at, &e) && !is_too_much(w);) {
        struct geometry_box box = box_of((struct geometry_point[]){e.a, e.b}, 2);
        w->steps++;
        if (!boxes_meet(&box, &a->box))
            continue;
        cut(w, e, a, &c);
        for (uint32_t i = 0; i + 1 < c.count && !is_too_much(w); i++) {
            struct edge piece = {c.points[i], c.points[i + 1]};
            if (!same(piece.a, piece.b) && locate_piece(w, a, piece) == INSIDE)
                return true;
        }
    }
    return false;
}

static int by_x(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* A point inside of the polygon at part: in the middle of the widest piece of a line from west to east halfway
 * between two corners. False: it has no inside. */
static bool inner_point(struct work *w, const struct geometry *g, uint32_t part, struct geometry_point *out)
{
    const struct geometry_part *shell = &g->parts[part];
    const double half = shell->box.low.y / 2 + shell->box.high.y / 2;
    double below = shell->box.low.y, above = shell->box.high.y;
    uint32_t end = part + 1, count = 0, points = shell->count;
    for (; end < g->part_count && g->parts[end].kind == GEOMETRY_HOLE; end++)
        points += g->parts[end].count;
    const struct geometry_point *p = g->points + shell->first;
    for (uint32_t i = 0; i < points; i++) {
        below = p[i].y <= half && p[i].y > below ? p[i].y : below;
        above = p[i].y > half && p[i].y < above ? p[i].y : above;
    }
    const double y = below / 2 + above / 2;
    double *xs = arena_array(w->scratch, points, sizeof(*xs));
    for (uint32_t n = part; n < end; n++) {
        for (uint32_t i = 0; i + 1 < g->parts[n].count; i++) {
            const struct geometry_point *q = g->points + g->parts[n].first + i;
            if ((q[0].y > y) != (q[1].y > y))
                xs[count++] = q[0].x + (q[1].x - q[0].x) * ((y - q[0].y) / (q[1].y - q[0].y));
        }
    }
    w->steps += points;
    qsort(xs, count, sizeof(*xs), by_x);
    double widest = 0;
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        if (xs[i + 1] - xs[i] > widest) {
            widest = xs[i + 1] - xs[i];
            *out = (struct geometry_point){xs[i] / 2 + xs[i + 1] / 2, y};
        }
    }
    return widest > 0;
}

static bool polygons_within(struct work *w, const struct geometry *a, const struct geometry *b)
{
    bool inner = false;
    if (!edges_within(w, a, b, &inner) || edges_run_through(w, b, a))
        return false;
    for (uint32_t i = 0; i < a->part_count; i++) {
        struct geometry_point p;
        if (a->parts[i].kind == GEOMETRY_SHELL && inner_point(w, a, i, &p) && locate(w, b, p) == OUTSIDE)
            return false;
    }
    return true;
}

static bool points_within(struct work *w, const struct geometry *a, const struct geometry *b)
{
    bool inner = false;
    for (uint32_t i = 0; i < a->point_count && !is_too_much(w); i++) {
        enum place place = locate(w, b, a->points[i]);
        if (place == OUTSIDE)
            return false;
        inner = inner || place == INSIDE;
    }
    return inner;
}

int geometry_within(struct arena *scratch, const struct geometry *a, const struct geometry *b)
{
    struct work w = {.scratch = scratch};
    bool yes = false, inner = false;
    if (a->dimension > b->dimension || !box_has(&b->box, a->box.low) || !box_has(&b->box, a->box.high))
        return 0;
    if (a->dimension == 0)
        yes = points_within(&w, a, b);
    else if (a->dimension == 1)
        yes = edges_within(&w, a, b, &inner) && inner;
    else
        yes = polygons_within(&w, a, b);
    return is_too_much(&w) ? -1 : yes;
}

/* ---- nearest ---- */

struct nearest {
    double distance;
    struct geometry_point *of; /* two: of the first geometry, of the second */
};

static double distance_of(struct geometry_point a, struct geometry_point b)
{
    double x = a.x - b.x, y = a.y - b.y;
    return sqrt(x * x + y * y);
}

/* How far along e, from 0 to 1 between its ends, p is nearest to its line. */
static double along(struct edge e, struct geometry_point p)
{
    double x = e.b.x - e.a.x, y = e.b.y - e.a.y;
    return ((p.x - e.a.x) * x + (p.y - e.a.y) * y) / (x * x + y * y);
}

static double distance_to_edge(struct geometry_point p, struct edge e)
{
    if (same(e.a, e.b))
        return distance_of(p, e.a);
    double r = along(e, p), x = e.b.x - e.a.x, y = e.b.y - e.a.y;
    if (r <= 0)
        return distance_of(p, e.a);
    if (r >= 1)
        return distance_of(p, e.b);
    return fabs((e.a.y - p.y) * x - (e.a.x - p.x) * y) / sqrt(x * x + y * y);
}

static struct geometry_point nearest_on(struct edge e, struct geometry_point p)
{
    double r = same(e.a, e.b) ? 0 : along(e, p);
    if (r > 0 && r < 1)
        return (struct geometry_point){e.a.x + r * (e.b.x - e.a.x), e.a.y + r * (e.b.y - e.a.y)};
    return distance_of(e.a, p) < distance_of(e.b, p) ? e.a : e.b;
}

/* Of two edges that meet. */
static struct geometry_point meeting_point(struct edge e, struct edge f)
{
    const struct geometry_point ends[4] = {f.a, f.b, e.a, e.b};
    for (int i = 0; i < 4; i++)
        if (is_on(i < 2 ? e : f, ends[i]))
            return ends[i];
    double ex = e.b.x - e.a.x, ey = e.b.y - e.a.y, fx = f.b.x - f.a.x, fy = f.b.y - f.a.y;
    double r = ((f.a.x - e.a.x) * fy - (f.a.y - e.a.y) * fx) / (ex * fy - ey * fx);
    return (struct geometry_point){e.a.x + r * ex, e.a.y + r * ey};
}

static void take_point(struct nearest *n, struct geometry_point a, struct geometry_point b, double distance,
                       bool is_turned)
{
    if (!(distance < n->distance))
        return;
    n->distance = distance;
    n->of[is_turned] = a;
    n->of[!is_turned] = b;
}

static void take_edges(struct nearest *n, struct edge e, struct edge f)
{
    if (edges_meet(e, f) != APART) {
        struct geometry_point p = meeting_point(e, f);
        take_point(n, p, p, 0, false);
        return;
    }
    const struct geometry_point ends[4] = {f.a, f.b, e.a, e.b};
    double least = INFINITY;
    struct geometry_point on_e = e.a, on_f = f.a;
    for (int i = 0; i < 4; i++) {
        double d = distance_to_edge(ends[i], i < 2 ? e : f);
        if (!(d < least))
            continue;
        least = d;
        on_e = i < 2 ? nearest_on(e, ends[i]) : ends[i];
        on_f = i < 2 ? ends[i] : nearest_on(f, ends[i]);
    }
    take_point(n, on_e, on_f, least, false);
}

static struct edge edge_of(const struct geometry *g, const struct geometry_part *part, uint32_t at)
{
    const struct geometry_point *p = g->points + part->first + at;
    return (struct edge){p[0], p[1]};
}

/* Two parts: edges with edges, or with the point that is a part of its own. */
static void take_parts(struct nearest *n, const struct geometry *a, const struct geometry_part *pa,
                       const struct geometry *b, const struct geometry_part *pb, bool is_turned)
{
    const struct geometry_point p = b->points[pb->first];
    if (pa->kind == GEOMETRY_POINT)
        take_point(n, a->points[pa->first], p, distance_of(a->points[pa->first], p), false);
    for (uint32_t i = 0; i + 1 < pa->count && n->distance > 0; i++) {
        struct edge e = edge_of(a, pa, i);
        if (pb->kind == GEOMETRY_POINT)
            take_point(n, nearest_on(e, p), p, distance_to_edge(p, e), is_turned);
        for (uint32_t k = 0; k + 1 < pb->count && n->distance > 0; k++)
            take_edges(n, e, edge_of(b, pb, k));
    }
}

/* The order is that of JTS, which the original uses: it shows where several pairs are equally near. */
static void take_all(struct nearest *n, const struct geometry *a, const struct geometry *b)
{
    const bool turned = a->dimension == 0 && b->dimension > 0;
    const struct geometry *outer = turned ? b : a, *inner = turned ? a : b;
    for (uint32_t i = 0; i < outer->part_count && n->distance > 0; i++)
        for (uint32_t k = 0; k < inner->part_count && n->distance > 0; k++)
            take_parts(n, outer, &outer->parts[i], inner, &inner->parts[k], turned);
}

/* A part of a begins inside of b. */
static bool take_inner(struct work *w, struct nearest *n, const struct geometry *a, const struct geometry *b)
{
    for (uint32_t i = 0; i < a->part_count && b->dimension == 2 && !is_too_much(w); i++) {
        struct geometry_point p = a->points[a->parts[i].first];
        if (a->parts[i].kind == GEOMETRY_HOLE || locate(w, b, p) == OUTSIDE)
            continue;
        take_point(n, p, p, 0, false);
        return true;
    }
    return false;
}

int geometry_nearest(const struct geometry *a, const struct geometry *b, struct geometry_point nearest[2],
                     double *distance)
{
    struct work w = {.steps = (uint64_t)a->point_count * b->point_count};
    struct nearest n = {.distance = INFINITY, .of = nearest};
    nearest[0] = a->points[0];
    nearest[1] = b->points[0];
    if (is_too_much(&w))
        return -1;
    if (!take_inner(&w, &n, b, a) && !take_inner(&w, &n, a, b))
        take_all(&n, a, b);
    *distance = isinf(n.distance) ? NAN : n.distance;
    return is_too_much(&w) ? -1 : 0;
}
