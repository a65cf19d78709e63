/* fn_geo.c - geo:distance within intersects withinDistance (spec 20 section 10).
 *
 * What the original does, and so do we: distance goes over a sphere of 6,371,000 m (haversine) and takes latitude
 * first; all others take longitude first and work in the plane of degrees, where a metre is 1 / 110574.61...
 * degree in every direction (geometry.h). A null argument and a text that is no geometry fail the event; a
 * constant that is none refuses the app. */
#include "engine/expr/fn_geo.h"

/* A geometry of text; NULL after failing the event. */
static const struct geometry *read_text(const struct expr *e, struct frame *f, int n, struct text **text)
{
    const char *wrong;
    struct text *s = arg_text(e, f, n);
    const struct geometry *g = s ? geometry_read(f->env->scratch, s->bytes, s->len, &wrong) : NULL;
    if (s && !g)
        expr_fail(f->env, "%s: argument %d is no geometry: %s", e->name, n + 1, wrong);
    if (text)
        *text = s;
    return g;
}

bool geo_number(const struct expr *e, struct frame *f, int n, double *out)
{
    int rc = arg_double_or_null(e, f, n, out);
    if (rc == 0)
        expr_fail(f->env, "%s got null as argument %d, a number is needed", e->name, n + 1);
    return rc > 0;
}

static int bind_constant(struct expr_ctx *c, const struct expr *e, const struct ast_expr *call, int n,
                         const struct geometry **out)
{
    const char *wrong;
    if (!(e->args[n]->flags & EXPR_CONST) || e->args[n]->type != TYPE_STRING)
        return 0;
    const struct text *s = arg_literal(e, n).as.s;
    *out = geometry_read(c->arena, s->bytes, s->len, &wrong);
    return *out ? 0 : bind_error(c, call, n, "this is no geometry: %s", wrong);
}

int bind_geo(struct expr_ctx *c, struct expr *e, const struct ast_expr *call, int first, bool has_fence)
{
    struct geo_call *g = arena_alloc(c->arena, sizeof(*g));
    g->first = first;
    g->is_point = e->args[first]->type == TYPE_DOUBLE;
    g->fence = has_fence ? first + (g->is_point ? 2 : 1) : -1;
    e->config = g;
    if (!g->is_point && bind_constant(c, e, call, first, &g->location_read) < 0)
        return -1;
    return has_fence ? bind_constant(c, e, call, g->fence, &g->fence_read) : 0;
}

const struct geometry *geo_location(const struct expr *e, struct frame *f, struct text **text)
{
    const struct geo_call *g = e->config;
    double x, y;
    if (g->location_read && text)
        *text = arg_literal(e, g->first).as.s;
    if (g->location_read)
        return g->location_read;
    if (!g->is_point)
        return read_text(e, f, g->first, text);
    if (!geo_number(e, f, g->first, &x) || !geo_number(e, f, g->first + 1, &y))
        return NULL;
    return geometry_of_point(f->env->scratch, x, y);
}

const struct geometry *geo_fence(const struct expr *e, struct frame *f)
{
    const struct geo_call *g = e->config;
    return g->fence_read ? g->fence_read : read_text(e, f, g->fence, NULL);
}

static int too_much(const struct expr *e, struct frame *f)
{
    expr_fail(f->env, "%s: the geometries have too many points to be compared", e->name);
    return -1;
}

int geo_is_near(const struct expr *e, struct frame *f, const struct geometry *a, const struct geometry *b,
                double metres)
{
    struct geometry_point nearest[2];
    double degrees;
    if (geometry_nearest(a, b, nearest, &degrees) < 0)
        return too_much(e, f);
    return degrees <= metres / METRES_PER_DEGREE;
}

int geo_is_within(const struct expr *e, struct frame *f)
{
    const struct geometry *a = geo_location(e, f, NULL), *b = a ? geo_fence(e, f) : NULL;
    int rc = b ? geometry_within(f->env->scratch, a, b) : -1;
    if (rc < 0 && b)
        too_much(e, f);
    return rc;
}

static struct value result(int rc)
{
    return rc < 0 ? VALUE_NULL : value_bool(rc);
}
static struct value eval_within(const struct expr *e, struct frame *f)
{
    return result(geo_is_within(e, f));
}
static struct value eval_intersects(const struct expr *e, struct frame *f)
{
    const struct geometry *a = geo_location(e, f, NULL), *b = a ? geo_fence(e, f) : NULL;
    if (!b)
        return VALUE_NULL;
    int rc = geometry_intersects(a, b);
    return result(rc < 0 ? too_much(e, f) : rc);
}
static struct value eval_within_distance(const struct expr *e, struct frame *f)
{
    double metres;
    const struct geometry *a = geo_location(e, f, NULL), *b = a ? geo_fence(e, f) : NULL;
    if (!b || !geo_number(e, f, e->arg_count - 1, &metres))
        return VALUE_NULL;
    return result(geo_is_near(e, f, a, b, metres));
}
static struct value eval_distance(const struct expr *e, struct frame *f)
{
    static const double degree = 3.14159265358979323846 / 180, radius_m = 6371000;
    double at[4];
    for (int i = 0; i < 4; i++) {
        if (!geo_number(e, f, i, &at[i]))
            return VALUE_NULL;
        at[i] *= degree;
    }
    double north = sin((at[2] - at[0]) / 2), east = sin((at[3] - at[1]) / 2);
    double a = north * north + cos(at[0]) * cos(at[2]) * east * east;
    return value_double(radius_m * (2 * atan2(sqrt(a), sqrt(1 - a))));
}

static int bind_fenced(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    return bind_geo(c, e, call, 0, true);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_geo[] = {
    {"geo", "distance", "dddd", TYPE_DOUBLE, eval_distance, NULL},
    {"geo", "intersects", "dds", TYPE_BOOL, eval_intersects, bind_fenced},
    {"geo", "intersects", "ss", TYPE_BOOL, eval_intersects, bind_fenced},
    {"geo", "within", "dds", TYPE_BOOL, eval_within, bind_fenced},
    {"geo", "within", "ss", TYPE_BOOL, eval_within, bind_fenced},
    {"geo", "withinDistance", "ddsd", TYPE_BOOL, eval_within_distance, bind_fenced},
    {"geo", "withinDistance", "ssd", TYPE_BOOL, eval_within_distance, bind_fenced},
    {0},
};
