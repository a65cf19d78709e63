/* fn_kalman.c - kf:kalmanFilter (spec 20 section 10): an estimate out of noisy measurements.
 *
 *     kf:kalmanFilter(v)                   a constant is measured; the noise is 0.001
 *     kf:kalmanFilter(v, noise)            the same; the noise of the first measurement counts
 *     kf:kalmanFilter(v, rate, noise, ts)  what is measured moves by rate for each unit of ts
 *
 * Laws: (1) a filter goes on from event to event, one for each place in the text, each key of a partition and
 * each group of 'group by': its state is a slot in the block of aggregators (agg.h) that RESET leaves as it
 * is; (2) whatever passes the selector is measured, expired events and RESETs too: the language evaluates the
 * select list for them; (3) a null argument fails the event, and the state stays; (4) the form with noise
 * begins anew when its estimate is 0; (5) the moving form keeps position and rate and the covariance of both.
 * When the matrix to invert is singular (no noise, and nothing uncertain is left) the event fails behind the
 * prediction, which stays, but its ts does not. */
#include "engine/expr/agg.h"
#include <math.h>

static const double FIRST_VARIANCE = 1000, DEFAULT_NOISE = 0.001, SINGULAR = 1e-11;

struct matrix {
    double m[2][2];
};
struct fixed {
    double estimate, variance, noise;
    int64_t begun;
};
struct moving {
    double position, rate;
    struct matrix p; /* covariance */
    int64_t ts;
    int64_t begun;
};
static const struct agg_type fixed_type = {.name = "kalman", .size = sizeof(struct fixed), .lasts = true};
static const struct agg_type moving_type = {
    .name = "kalman moving", .size = sizeof(struct moving), .lasts = true};

/* False: the event failed. */
static bool argument(const struct expr *e, struct frame *f, int n, enum type type, struct value *v)
{
    *v = arg(e, f, n);
    if (f->env->failed)
        return false;
    if (is_null(*v))
        expr_fail(f->env, "%s got null as argument %d, a %s is needed", e->name, n + 1, type_name(type));
    else if (!number_convert(v, type))
        fail_operand(f, e, *v, type == TYPE_LONG ? "a long" : "a double");
    return !f->env->failed;
}

static struct value eval_fixed(const struct expr *e, struct frame *f)
{
    struct fixed *s = agg_state(e, f);
    struct value v, noise = value_double(DEFAULT_NOISE);
    if (!argument(e, f, 0, TYPE_DOUBLE, &v) || (e->arg_count > 1 && !argument(e, f, 1, TYPE_DOUBLE, &noise)))
        return VALUE_NULL;
    if (!s->begun || (e->arg_count > 1 && s->estimate == 0))
        *s = (struct fixed){v.as.d, FIRST_VARIANCE, noise.as.d, 1};
    double gain = s->variance / (s->variance + s->noise);
    s->estimate += gain * (v.as.d - s->estimate);
    s->variance = (1 - gain) * s->variance;
    return value_double(s->estimate);
}

static struct matrix product(const struct matrix *a, const struct matrix *b)
{
    struct matrix c;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            c.m[i][j] = a->m[i][0] * b->m[0][j] + a->m[i][1] * b->m[1][j];
    return c;
}

/* By elimination, the larger pivot first. False: a is singular. */
static bool invert(const struct matrix *a, struct matrix *out)
{
    int top = fabs(a->m[1][0]) > fabs(a->m[0][0]), low = 1 - top;
    if (fabs(a->m[top][0]) < SINGULAR)
        return false;
    double factor = a->m[low][0] / a->m[top][0], pivot = a->m[low][1] - factor * a->m[top][1];
    if (fabs(pivot) < SINGULAR)
        return false;
    for (int j = 0; j < 2; j++) {
        double x = j == top, y = ((j == low) - x * factor) / pivot;
        out->m[1][j] = y;
        out->m[0][j] = (x - y * a->m[top][1]) / a->m[top][0];
    }
    return true;
}

/* Where it must be now, before the measurement is looked at. */
static void predict(struct moving *s, double passed)
{
    struct matrix step = {{{1, passed}, {0, 1}}}, back = {{{1, 0}, {passed, 1}}};
    struct matrix half = product(&step, &s->p);
    s->position += passed * s->rate;
    s->p = product(&half, &back);
}

static struct value eval_moving(const struct expr *e, struct frame *f)
{
    struct moving *s = agg_state(e, f);
    struct value v, rate, noise, ts;
    if (!argument(e, f, 0, TYPE_DOUBLE, &v) || !argument(e, f, 1, TYPE_DOUBLE, &rate) ||
        !argument(e, f, 2, TYPE_DOUBLE, &noise) || !argument(e, f, 3, TYPE_LONG, &ts))
        return VALUE_NULL;
    double passed = (double)(int64_t)((uint64_t)ts.as.l - (uint64_t)s->ts);
    if (!s->begun) {
        *s = (struct moving){v.as.d, rate.as.d, {{{FIRST_VARIANCE, 0}, {0, FIRST_VARIANCE}}}, 0, 1};
        passed = 1;
    }
    predict(s, passed);
    struct matrix sum = s->p, inverse;
    sum.m[0][0] += noise.as.d;
    sum.m[1][1] += noise.as.d;
    if (!invert(&sum, &inverse))
        return expr_fail(f->env, "%s: without noise and uncertainty there is nothing to estimate", e->name);
    struct matrix gain = product(&s->p, &inverse), less = product(&gain, &s->p);
    double off = v.as.d - s->position, off_rate = rate.as.d - s->rate;
    s->position += gain.m[0][0] * off + gain.m[0][1] * off_rate;
    s->rate += gain.m[1][0] * off + gain.m[1][1] * off_rate;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            s->p.m[i][j] -= less.m[i][j];
    s->ts = ts.as.l;
    return value_double(s->position);
}

static int bind_fixed(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    return state_bind(c, e, call, &fixed_type);
}
static int bind_moving(struct expr_ctx *c, struct expr *e, const struct ast_expr *call)
{
    return state_bind(c, e, call, &moving_type);
}

/* Rows: takes is explained in fn.h. */
const struct function fn_kalman[] = {
    {"kf", "kalmanFilter", "d", TYPE_DOUBLE, eval_fixed, bind_fixed},
    {"kf", "kalmanFilter", "dd", TYPE_DOUBLE, eval_fixed, bind_fixed},
    {"kf", "kalmanFilter", "dddl", TYPE_DOUBLE, eval_moving, bind_moving},
    {0},
};
