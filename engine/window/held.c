/* held.c - see held.h. */
#include "engine/window/held.h"

static const struct kept_plan *kept_of(const struct op *op)
{
    return ((const struct held_plan *)(const void *)op->plan)->kept;
}

void held_save(const struct op *op, struct writer *w)
{
    const struct held *h = (const struct held *)op;
    write_tag(w, op->type->name);
    if (kept_of(op))
        kept_save(&h->kept, kept_of(op), w);
    else
        queue_save(&h->rows, w);
}

int held_load(struct op *op, struct reader *r)
{
    struct held *h = (struct held *)op;
    read_tag(r, op->type->name);
    return kept_of(op) ? kept_load(&h->kept, kept_of(op), r) : queue_load(&h->rows, r);
}

void held_close(struct op *op)
{
    struct held *h = (struct held *)op;
    if (kept_of(op))
        kept_fini(&h->kept, kept_of(op));
    else
        queue_fini(&h->rows);
}

struct queue *held_content(struct op *op)
{
    return &((struct held *)op)->rows;
}
