/* geo.c - #geo:crosses, #geo:stationary, #geo:proximity, #geo:closestPoints (spec 20 section 10).
 *
 * crosses(id, location, fence): an event passes when the object comes into the fence (true) or leaves it (false);
 * where it is seen first counts as outside of the fence.
 * stationary(id, location, metres): an event passes when the object is near the place it is compared with, for the
 * first time (true), or no longer (false). That place is its first one, and each later one that was not near; so
 * who drifts slowly is stationary until it is far from where that began.
 * proximity(id, location, metres): for each other object that comes near or is no longer near, an event passes, in
 * the order in which the objects were seen first. Each stands where it was seen last.
 * closestPoints(location, fence): the point of the location and the point of the fence that are nearest to each
 * other. The attributes are called latitude and longitude as the original calls them, and hold x (longitude) and y.
 *
 * A location is longitude and latitude, or GeoJSON text. stationary and proximity may be given a fence before the
 * metres, as the original's help has it; the original doesn't look at it, and we say so.
 *
 * Choices: in a partition each key has objects of its own. Ids are compared as texts. The original's proximity, in
 * its later releases, compares with the place where the others were seen first; that is taken for a mistake. */
#include "engine/window/geo.h"

struct geo_plan *geo_plan_new(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                              const struct op_type *type, const char *const *takes,
                              const struct attribute *added, const char *const *also, int count,
                              const struct schema **out)
{
    struct expr *e = handler_call(c, call, ec);
    bool fits = e && handler_takes(c, call, e, takes);
    struct schema *schema = handler_adds(c, call, added, count);
    if (!fits || !schema)
        return NULL;
    schema->also = also;
    schema->also_from = c->in->count;
    struct geo_plan *p = window_plan_new(c, call, type, sizeof *p);
    p->call = e;
    p->added = count;
    p->op.out = schema;
    *out = schema;
    return p;
}

struct text *geo_name(const struct geo_plan *p, struct frame *f, int n)
{
    struct value v = expr_eval(p->call->args[n], f);
    if (is_null(v) && !f->env->failed)
        expr_fail(f->env, "%s got null as argument %d, a name is needed", p->call->name, n + 1);
    struct text *name = f->env->failed ? NULL : text_of(f->env, v);
    if (name && name->len > LIMIT_KEY_BYTES / 4) {
        expr_fail(f->env, "%s: a name has more than %d bytes", p->call->name, LIMIT_KEY_BYTES / 4);
        return NULL;
    }
    return name;
}

void geo_add(const struct geo_plan *p, const struct event *e, struct batch *out, const struct value *values)
{
    struct row *row = row_copy(e->row, (size_t)p->added, e->at_ms);
    for (int i = 0; i < p->added; i++)
        row_set(row, (size_t)e->row->count + (size_t)i, values[i]);
    batch_add(out, row, e->at_ms, e->kind);
}

void geo_put(struct keyed *k, const struct text *key, struct row *row)
{
    struct event e = {.row = row, .at_ms = row->at_ms};
    struct keyed_entry *x = keyed_get(k, key);
    if (x)
        row_unref(keyed_swap(k, x, &e));
    else
        keyed_add(k, key, &e);
    row_unref(row);
}

/* ---- crosses ---- */

/* What crosses and stationary hold: a row by the name of an object. */
struct objects {
    struct op op;
    struct keyed held;
};

static void objects_save(const struct op *op, struct writer *w)
{
    write_tag(w, op->type->name);
    keyed_save(&((struct objects *)(uintptr_t)op)->held, w);
}
static void objects_close(struct op *op)
{
    keyed_fini(&((struct objects *)op)->held);
}

/* Those that are inside; in rows of nothing of interest. */
static bool crosses_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    struct objects *inside = (struct objects *)op;
    const struct geo_plan *p = geo_plan_of(op);
    int is_in = geo_is_within(p->call, f);
    struct text *id = is_in < 0 ? NULL : geo_name(p, f, 0);
    if (!id)
        return false;
    struct keyed_entry *was = keyed_get(&inside->held, id);
    if ((was != NULL) == (is_in != 0))
        return true;
    if (was)
        row_unref(keyed_take(&inside->held, was));
    else
        geo_put(&inside->held, id, row_new(1, 0));
    geo_add(p, e, out, &(struct value){{.l = is_in}, TYPE_BOOL});
    return true;
}
static int crosses_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, crosses_one);
}
static int crosses_load(struct op *op, struct reader *r)
{
    read_tag(r, op->type->name);
    keyed_load(&((struct objects *)op)->held, r);
    return window_loaded(r);
}
static const struct op_type crosses_type = {
    .name = "geo:crosses",
    .size = sizeof(struct objects),
    .push = crosses_push,
    .save = objects_save,
    .ahead = objects_save,
    .load = crosses_load,
    .close = objects_close,
};

static struct op_plan *crosses_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                    const struct schema **out)
{
    static const char *const takes[] = {"adds", "ass", NULL}, *const also[] = {"crosses"};
    static const struct attribute added[] = {{"isCrossed", TYPE_BOOL}};
    struct geo_plan *p = geo_plan_new(c, call, ec, &crosses_type, takes, added, also, 1, out);
    return p && bind_geo(ec, p->call, call, 1, true) == 0 ? &p->op : NULL;
}
const struct handler_type handler_geo_crosses = {"geo", "crosses", crosses_plan, false};

/* ---- places of objects ---- */

enum { PLACE_FLAG, PLACE_X, PLACE_Y, PLACE_COLUMNS, PLACE_TEXT = PLACE_X };

/* Where the object is, as state: a flag of the owner, then longitude and latitude or the text. */
static struct row *place_row(const struct geometry *now, struct text *text, bool flag)
{
    struct row *row = row_new(text ? PLACE_TEXT + 1 : PLACE_COLUMNS, 0);
    row_set(row, PLACE_FLAG, value_bool(flag));
    if (text) {
        row_set(row, PLACE_TEXT, value_text(text));
        return row;
    }
    row_set(row, PLACE_X, value_double(now->points[0].x));
    row_set(row, PLACE_Y, value_double(now->points[0].y));
    return row;
}

/* Is now near the place that was kept? 1, 0; -1: the event failed. Leaves nothing in scratch. */
static int is_near_place(const struct geo_plan *p, struct frame *f, const struct geometry *now,
                         const struct row *row)
{
    if (row->count == PLACE_COLUMNS) {
        double x = row_get(row, PLACE_X).as.d - now->points[0].x,
               y = row_get(row, PLACE_Y).as.d - now->points[0].y;
        return sqrt(x * x + y * y) <= p->metres / METRES_PER_DEGREE;
    }
    const char *wrong;
    const struct text *text = row_get(row, PLACE_TEXT).as.s;
    struct arena_mark mark = arena_mark(f->env->scratch);
    const struct geometry *place = geometry_read(f->env->scratch, text->bytes, text->len, &wrong);
    int rc = -1;
    if (place)
        rc = geo_is_near(p->call, f, now, place, p->metres);
    else
        expr_fail(f->env, "%s: a place that was kept is no geometry: %s", p->call->name, wrong);
    arena_reset(f->env->scratch, mark);
    return rc;
}

/* What was loaded must be what place_row makes. */
static bool places_are_sound(const struct keyed *places, const struct geo_plan *p)
{
    const struct geo_call *g = p->call->config;
    const uint32_t count = g->is_point ? PLACE_COLUMNS : PLACE_TEXT + 1;
    for (const struct keyed_entry *x = places->first; x; x = x->next) {
        const struct row *r = x->row;
        if (r->count != count || r->types[PLACE_FLAG] != TYPE_BOOL ||
            r->types[PLACE_X] != (g->is_point ? TYPE_DOUBLE : TYPE_STRING) ||
            (g->is_point && r->types[PLACE_Y] != TYPE_DOUBLE))
            return false;
    }
    return true;
}

/* Of stationary and proximity: takes with the place to end in metres. */
static struct op_plan *near_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                 const struct op_type *type, const struct attribute *added,
                                 const char *const *also, int count, const struct schema **out)
{
    static const char *const takes[] = {"addD", "asD", "addsD", "assD", NULL};
    struct geo_plan *p = geo_plan_new(c, call, ec, type, takes, added, also, count, out);
    if (!p || bind_geo(ec, p->call, call, 1, false) < 0)
        return NULL;
    const struct geo_call *g = p->call->config;
    if (call->arg_count > (g->is_point ? 4 : 3))
        diag_warn(c->diags, call_span(call, call->arg_count - 2), "%s does not look at a fence", type->name);
    p->metres = arg_literal(p->call, p->call->arg_count - 1).as.d;
    return &p->op;
}

/* ---- stationary ---- */

/* Its place of each object, with the flag: it is stationary there. */
static bool stationary_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    struct objects *s = (struct objects *)op;
    const struct geo_plan *p = geo_plan_of(op);
    struct text *text = NULL;
    const struct geometry *now = geo_location(p->call, f, &text);
    struct text *id = now ? geo_name(p, f, 0) : NULL;
    if (!id)
        return false;
    struct keyed_entry *was = keyed_get(&s->held, id);
    if (!was) {
        geo_put(&s->held, id, place_row(now, text, false));
        return true;
    }
    const bool was_still = row_get(was->row, PLACE_FLAG).as.l;
    int is_still = is_near_place(p, f, now, was->row);
    if (is_still < 0)
        return false;
    if (!is_still) {
        geo_put(&s->held, id, place_row(now, text, false));
    } else if (!was_still) {
        struct row *row = row_copy(was->row, 0, 0);
        row_set(row, PLACE_FLAG, value_bool(true));
        geo_put(&s->held, id, row);
    }
    if (was_still != (bool)is_still)
        geo_add(p, e, out, &(struct value){{.l = is_still}, TYPE_BOOL});
    return true;
}
static int stationary_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, stationary_one);
}
static int stationary_load(struct op *op, struct reader *r)
{
    struct objects *s = (struct objects *)op;
    read_tag(r, op->type->name);
    keyed_load(&s->held, r);
    return places_are_sound(&s->held, geo_plan_of(op)) ? window_loaded(r) : ERR_STATE;
}
static const struct op_type stationary_type = {
    .name = "geo:stationary",
    .size = sizeof(struct objects),
    .push = stationary_push,
    .save = objects_save,
    .ahead = objects_save,
    .load = stationary_load,
    .close = objects_close,
};
static struct op_plan *stationary_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                       const struct schema **out)
{
    static const char *const also[] = {"stationary"};
    static const struct attribute added[] = {{"isStationary", TYPE_BOOL}};
    return near_plan(c, call, ec, &stationary_type, added, also, 1, out);
}
const struct handler_type handler_geo_stationary = {"geo", "stationary", stationary_plan, false};

/* ---- proximity ---- */

struct proximity {
    struct op op;
    struct keyed places;
    struct keyed pairs; /* the objects that are near each other: pair_key */
};

/* The same for both orders of the two. */
static struct text *pair_key(struct frame *f, const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    if (order > 0 || (order == 0 && a_len > b_len))
        return pair_key(f, b, b_len, a, a_len);
    uint32_t len = (uint32_t)a_len;
    struct text *key = text_scratch_raw(f->env->scratch, sizeof(len) + a_len + b_len);
    for (size_t i = 0; i < sizeof(len); i++)
        key->bytes[i] = (char)(len >> 8 * i);
    memcpy(key->bytes + sizeof(len), a, a_len);
    memcpy(key->bytes + sizeof(len) + a_len, b, b_len);
    return key;
}

/* False: the event failed. */
static bool meet(struct proximity *s, struct frame *f, const struct event *e, const struct text *id,
                 const struct geometry *now, const struct keyed_entry *other, struct batch *out)
{
    const struct geo_plan *p = geo_plan_of(&s->op);
    int is_near = is_near_place(p, f, now, other->row);
    if (is_near < 0)
        return false;
    struct text *key = pair_key(f, id->bytes, id->len, other->key, other->len);
    struct keyed_entry *was = keyed_get(&s->pairs, key);
    if ((was != NULL) == (is_near != 0))
        return true;
    if (mem_is_over(row_bytes((size_t)e->row->count + 2))) {
        expr_fail_memory(f->env);
        return false;
    }
    if (was)
        row_unref(keyed_take(&s->pairs, was));
    else
        geo_put(&s->pairs, key, row_new(1, 0));
    struct text *with = text_scratch(f->env->scratch, other->key, other->len);
    geo_add(p, e, out, (struct value[]){value_text(with), value_bool(is_near)});
    return true;
}

static bool proximity_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    struct proximity *s = (struct proximity *)op;
    const struct geo_plan *p = geo_plan_of(op);
    struct text *text = NULL;
    const struct geometry *now = geo_location(p->call, f, &text);
    struct text *id = now ? geo_name(p, f, 0) : NULL;
    if (!id)
        return false;
    geo_put(&s->places, id, place_row(now, text, false));
    for (const struct keyed_entry *other = s->places.first; other; other = other->next) {
        bool is_itself = other->len == id->len && memcmp(other->key, id->bytes, id->len) == 0;
        if (!is_itself && !meet(s, f, e, id, now, other, out))
            return false;
    }
    return true;
}
static int proximity_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, proximity_one);
}
static void proximity_save(const struct op *op, struct writer *w)
{
    struct proximity *s = (struct proximity *)(uintptr_t)op;
    write_tag(w, "geo:proximity");
    keyed_save(&s->places, w);
    keyed_save(&s->pairs, w);
}
static int proximity_load(struct op *op, struct reader *r)
{
    struct proximity *s = (struct proximity *)op;
    read_tag(r, "geo:proximity");
    keyed_load(&s->places, r);
    keyed_load(&s->pairs, r);
    return places_are_sound(&s->places, geo_plan_of(op)) ? window_loaded(r) : ERR_STATE;
}
static void proximity_close(struct op *op)
{
    struct proximity *s = (struct proximity *)op;
    keyed_fini(&s->places);
    keyed_fini(&s->pairs);
}
static const struct op_type proximity_type = {
    .name = "geo:proximity",
    .size = sizeof(struct proximity),
    .push = proximity_push,
    .save = proximity_save,
    .ahead = proximity_save,
    .load = proximity_load,
    .close = proximity_close,
};
static struct op_plan *proximity_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                      const struct schema **out)
{
    static const char *const also[] = {NULL, "inCloseProximity"};
    static const struct attribute added[] = {{"proximityWith", TYPE_STRING},
                                             {"isWithinProximity", TYPE_BOOL}};
    return near_plan(c, call, ec, &proximity_type, added, also, 2, out);
}
const struct handler_type handler_geo_proximity = {"geo", "proximity", proximity_plan, false};

/* ---- closestPoints ---- */

static bool closest_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    const struct geo_plan *p = geo_plan_of(op);
    const struct geometry *a = geo_location(p->call, f, NULL), *b = a ? geo_fence(p->call, f) : NULL;
    struct geometry_point near[2];
    double distance;
    if (!b)
        return false;
    if (geometry_nearest(a, b, near, &distance) < 0) {
        expr_fail(f->env, "%s: the geometries have too many points to be compared", p->call->name);
        return false;
    }
    geo_add(p, e, out,
            (struct value[]){value_double(near[0].x), value_double(near[0].y), value_double(near[1].x),
                             value_double(near[1].y)});
    return true;
}
static int closest_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, closest_one);
}
static const struct op_type closest_type = {
    .name = "geo:closestPoints", .size = sizeof(struct op), .push = closest_push};
static struct op_plan *closest_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                    const struct schema **out)
{
    static const char *const takes[] = {"dds", "ss", NULL};
    static const struct attribute added[] = {{"closestPointOf1From2Latitude", TYPE_DOUBLE},
                                             {"closestPointOf1From2Longitude", TYPE_DOUBLE},
                                             {"closestPointOf2From1Latitude", TYPE_DOUBLE},
                                             {"closestPointOf2From1Longitude", TYPE_DOUBLE}};
    struct geo_plan *p = geo_plan_new(c, call, ec, &closest_type, takes, added, NULL, 4, out);
    return p && bind_geo(ec, p->call, call, 0, true) == 0 ? &p->op : NULL;
}
const struct handler_type handler_geo_closest_points = {"geo", "closestPoints", closest_plan, false};
