/* geo.h - what the geo: stream processors share: the call with its compiled arguments, the attributes they add. */
#ifndef WEIR_WINDOW_GEO_H
#define WEIR_WINDOW_GEO_H

#include "engine/expr/fn_geo.h"
#include "engine/window/handler.h"
#include "engine/window/keyed.h"

struct geo_plan {
    struct op_plan op;
    struct expr *call; /* its args, and what bind_geo prepared */
    double metres;
    int added; /* attributes appended */
};
static inline const struct geo_plan *geo_plan_of(const struct op *op)
{
    return (const struct geo_plan *)(const void *)op->plan;
}

/* The plan with its arguments checked against one of the signatures (fn.h), the attributes it appends in *out, and
 * other names they go by (may be NULL, or hold NULLs). NULL after reporting. */
struct geo_plan *geo_plan_new(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                              const struct op_type *type, const char *const *takes,
                              const struct attribute *added, const char *const *also, int count,
                              const struct schema **out);
static inline struct frame geo_frame(struct op *op, const struct event *e)
{
    return (struct frame){.env = op->env, .rows = &e->row, .at_ms = e->at_ms, .kind = e->kind, .user = op};
}
/* Argument n as the name of something: its text, of whatever type. NULL after failing the event. */
struct text *geo_name(const struct geo_plan *p, struct frame *f, int n);
/* The event with the values behind its own, into out. Takes no reference of theirs. */
void geo_add(const struct geo_plan *p, const struct event *e, struct batch *out, const struct value *values);
/* row, which it takes, becomes what key stands for. */
void geo_put(struct keyed *k, const struct text *key, struct row *row);

#endif
