/* fn_geo.h - what geo: functions and stream processors share: where something is, as their arguments say it. */
#ifndef WEIR_EXPR_FN_GEO_H
#define WEIR_EXPR_FN_GEO_H

#include "engine/expr/fn.h"
#include "engine/expr/geometry.h"

/* The config of a call: a location from argument first on, two doubles (longitude, latitude) or one GeoJSON text,
 * and behind it, when it is there, a fence. Constant texts are read when the app is. */
struct geo_call {
    int first, fence; /* fence: -1, there is none */
    bool is_point;
    const struct geometry *location_read, *fence_read; /* or NULL */
};
/* Into e->config. -1 after reporting a constant that is no geometry. The types of the arguments were checked. */
int bind_geo(struct expr_ctx *c, struct expr *e, const struct ast_expr *call, int first, bool has_fence);
/* Both in scratch, or the plan's. NULL: the event failed. text: what it was read from is put there; left alone when
 * it was a point. May be NULL. */
const struct geometry *geo_location(const struct expr *e, struct frame *f, struct text **text);
const struct geometry *geo_fence(const struct expr *e, struct frame *f);
/* A number that may not be null; false after failing the event. */
bool geo_number(const struct expr *e, struct frame *f, int n, double *out);
/* Is a within so many metres of b? 1, 0; -1: the event failed. */
int geo_is_near(const struct expr *e, struct frame *f, const struct geometry *a, const struct geometry *b,
                double metres);
/* 1, 0, -1. */
int geo_is_within(const struct expr *e, struct frame *f);

#endif
