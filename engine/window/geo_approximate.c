/* geo_approximate.c - #geo:locationApproximate(recorder, latitude, longitude, proximity, uuid, weight, timestamp):
 * where who records beacons about is: the mean of the places of the beacons in reach, by weight, on a sphere (spec 20
 * section 10). Appends averagedLatitude, averagedLongitude, averageExist.
 *
 * As the original does: proximity 'ENTER' or 'RANGE', in any case, brings the beacon in; anything else takes it out;
 * both only when the event is later than what is known of the beacon. A beacon of which nothing was heard for more
 * than five minutes of the events' timestamps is forgotten when its recorder is looked at. Without beacons the
 * event's own place is given, and false. A null fails the event. */
#include "engine/window/geo.h"
#include <strings.h>

enum { ARG_RECORDER, ARG_LATITUDE, ARG_LONGITUDE, ARG_PROXIMITY, ARG_UUID, ARG_WEIGHT, ARG_TIME };
/* A beacon of a recorder, as state. */
enum { BEACON_RECORDER, BEACON_LATITUDE, BEACON_LONGITUDE, BEACON_WEIGHT, BEACON_TIME, BEACON_COLUMNS };

static const int64_t SILENCE_MS = 5 * 60 * 1000;
static const double DEGREE = 3.14159265358979323846 / 180;

struct recorder {
    struct keyed_entry **beacons;
    uint32_t count, cap;
};
struct approximate {
    struct op op;
    struct keyed beacons;
    struct map recorders; /* to struct recorder, never empty ones */
    bool ready;           /* recorders is initialised */
};
struct sighting {
    struct text *recorder, *proximity, *uuid;
    double latitude, longitude, weight;
    int64_t time;
};

static void recorder_add(struct approximate *a, const struct text *name, struct keyed_entry *x)
{
    if (!a->ready)
        map_init(&a->recorders);
    a->ready = true;
    struct recorder *r = map_get(&a->recorders, name->bytes, name->len);
    if (!r) {
        r = mem_alloc(sizeof *r);
        map_put(&a->recorders, name->bytes, name->len, r);
    }
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4;
        r->beacons = mem_resize(r->beacons, r->cap, sizeof *r->beacons);
    }
    r->beacons[r->count++] = x;
}

static void recorder_end(struct approximate *a, const struct text *name, struct recorder *r)
{
    map_remove(&a->recorders, name->bytes, name->len);
    mem_free(r->beacons);
    mem_free(r);
}

/* All that isn't wanted any more leaves: is_old says which. The order of the rest stays. */
static void forget(struct approximate *a, const struct text *name, int64_t now,
                   const struct keyed_entry *gone)
{
    struct recorder *r = a->ready ? map_get(&a->recorders, name->bytes, name->len) : NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; r && i < r->count; i++) {
        struct keyed_entry *x = r->beacons[i];
        if (x != gone && time_sub(now, row_get(x->row, BEACON_TIME).as.l) <= SILENCE_MS)
            r->beacons[kept++] = x;
        else
            row_unref(keyed_take(&a->beacons, x));
    }
    if (r)
        r->count = kept;
    if (r && !kept)
        recorder_end(a, name, r);
}

static bool read_sighting(const struct geo_plan *p, struct frame *f, struct sighting *s)
{
    const struct expr *e = p->call;
    s->recorder = arg_text(e, f, ARG_RECORDER);
    if (!s->recorder || !geo_number(e, f, ARG_LATITUDE, &s->latitude) ||
        !geo_number(e, f, ARG_LONGITUDE, &s->longitude))
        return false;
    s->proximity = arg_text(e, f, ARG_PROXIMITY);
    s->uuid = s->proximity ? arg_text(e, f, ARG_UUID) : NULL;
    if (!s->uuid || !geo_number(e, f, ARG_WEIGHT, &s->weight))
        return false;
    struct value time = arg(e, f, ARG_TIME);
    if (time.type != TYPE_LONG && !f->env->failed)
        expr_fail(f->env, "%s: the timestamp is %s", e->name, is_null(time) ? "null" : "no long");
    s->time = time.as.l;
    if (!f->env->failed && s->recorder->len + s->uuid->len > LIMIT_KEY_BYTES / 2)
        expr_fail(f->env, "%s: the names are too long", e->name);
    return !f->env->failed;
}

/* recorder and uuid. */
static struct text *beacon_key(struct frame *f, const struct sighting *s)
{
    uint32_t len = s->recorder->len;
    struct text *key = text_scratch_raw(f->env->scratch, sizeof(len) + len + s->uuid->len);
    for (size_t i = 0; i < sizeof(len); i++)
        key->bytes[i] = (char)(len >> 8 * i);
    memcpy(key->bytes + sizeof(len), s->recorder->bytes, len);
    memcpy(key->bytes + sizeof(len) + len, s->uuid->bytes, s->uuid->len);
    return key;
}

static void note(struct approximate *a, struct frame *f, const struct sighting *s)
{
    struct text *key = beacon_key(f, s);
    struct keyed_entry *x = keyed_get(&a->beacons, key);
    bool is_near =
        strcasecmp(s->proximity->bytes, "ENTER") == 0 || strcasecmp(s->proximity->bytes, "RANGE") == 0;
    bool is_later = !x || row_get(x->row, BEACON_TIME).as.l < s->time;
    if (is_near && is_later) {
        struct row *row = row_new(BEACON_COLUMNS, 0);
        row_set(row, BEACON_RECORDER, value_text(s->recorder));
        row_set(row, BEACON_LATITUDE, value_double(s->latitude));
        row_set(row, BEACON_LONGITUDE, value_double(s->longitude));
        row_set(row, BEACON_WEIGHT, value_double(s->weight));
        row_set(row, BEACON_TIME, value_long(s->time));
        geo_put(&a->beacons, key, row);
        if (!x)
            recorder_add(a, s->recorder, keyed_get(&a->beacons, key));
    }
    forget(a, s->recorder, s->time, !is_near && is_later ? x : NULL);
}

static void mean(const struct recorder *r, double *latitude, double *longitude)
{
    double total = 0, x = 0, y = 0, z = 0;
    for (uint32_t i = 0; i < r->count; i++)
        total += row_get(r->beacons[i]->row, BEACON_WEIGHT).as.d;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct row *row = r->beacons[i]->row;
        double share = row_get(row, BEACON_WEIGHT).as.d / total;
        double north = row_get(row, BEACON_LATITUDE).as.d * DEGREE,
               east = row_get(row, BEACON_LONGITUDE).as.d * DEGREE;
        x += cos(north) * cos(east) * share;
        y += cos(north) * sin(east) * share;
        z += sin(north) * share;
    }
    *longitude = atan2(y, x) / DEGREE;
    *latitude = atan2(z, sqrt(x * x + y * y)) / DEGREE;
}

static bool approximate_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    struct approximate *a = (struct approximate *)op;
    const struct geo_plan *p = geo_plan_of(op);
    struct sighting s;
    if (!read_sighting(p, f, &s))
        return false;
    note(a, f, &s);
    const struct recorder *r = a->ready ? map_get(&a->recorders, s.recorder->bytes, s.recorder->len) : NULL;
    if (r)
        mean(r, &s.latitude, &s.longitude);
    geo_add(p, e, out, (struct value[]){value_double(s.latitude), value_double(s.longitude), value_bool(r)});
    return true;
}

static int approximate_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, approximate_one);
}

static void approximate_save(const struct op *op, struct writer *w)
{
    const struct approximate *a = (const struct approximate *)op;
    write_tag(w, "geo:locationApproximate");
    keyed_save(&((struct approximate *)(uintptr_t)op)->beacons, w);
    if (a->ready)
        write_held(w, a->recorders.count * (sizeof(struct recorder) + sizeof(struct map_entry)));
}

static int approximate_load(struct op *op, struct reader *r)
{
    static const enum type types[BEACON_COLUMNS] = {TYPE_STRING, TYPE_DOUBLE, TYPE_DOUBLE, TYPE_DOUBLE,
                                                    TYPE_LONG};
    struct approximate *a = (struct approximate *)op;
    read_tag(r, "geo:locationApproximate");
    keyed_load(&a->beacons, r);
    for (struct keyed_entry *x = a->beacons.first; x; x = x->next) {
        for (int i = 0; i < BEACON_COLUMNS; i++)
            if (x->row->count != BEACON_COLUMNS || x->row->types[i] != types[i])
                return ERR_STATE;
        recorder_add(a, row_get(x->row, BEACON_RECORDER).as.s, x);
    }
    return window_loaded(r);
}

static void approximate_close(struct op *op)
{
    struct approximate *a = (struct approximate *)op;
    struct map_entry *e;
    for (uint32_t at = 0; a->ready && map_next(&a->recorders, &at, &e);) {
        mem_free(((struct recorder *)e->value)->beacons);
        mem_free(e->value);
    }
    if (a->ready)
        map_fini(&a->recorders);
    keyed_fini(&a->beacons);
}

static const struct op_type approximate_type = {
    .name = "geo:locationApproximate",
    .size = sizeof(struct approximate),
    .push = approximate_push,
    .save = approximate_save,
    .ahead = approximate_save,
    .load = approximate_load,
    .close = approximate_close,
};

static struct op_plan *approximate_plan(struct window_ctx *c, const struct ast_expr *call,
                                        struct expr_ctx *ec, const struct schema **out)
{
    static const char *const takes[] = {"sddssdl", NULL};
    static const struct attribute added[] = {
        {"averagedLatitude", TYPE_DOUBLE}, {"averagedLongitude", TYPE_DOUBLE}, {"averageExist", TYPE_BOOL}};
    struct geo_plan *p = geo_plan_new(c, call, ec, &approximate_type, takes, added, NULL, 3, out);
    return p ? &p->op : NULL;
}

const struct handler_type handler_geo_location_approximate = {"geo", "locationApproximate", approximate_plan,
                                                              false};
