/* held.c - what an app's state lies in, part by part (app_held of engine.h): each part is saved into a tally,
 * which writes nothing (codec.h). */
#include "engine/run/app.h"
#include "engine/run/partition.h"
#include "engine/run/pattern.h"

struct copies {          /* of one operator in a partition */
    const struct op *op; /* one of them */
    uint64_t bytes;
    uint32_t count;
};
struct telling {
    void (*fn)(void *user, const struct app_part *part);
    void *user;
    struct copies *copies; /* by op_plan.number; while a partition is walked */
};

static uint64_t op_held(const struct op *op)
{
    struct tally tally = {.bytes = op_bytes(op->plan)};
    struct writer w = {.tally = &tally};
    if (op->type->save)
        op->type->save(op, &w);
    return tally.bytes;
}

static void add_copy(struct op *op, void *user)
{
    struct telling *t = user;
    if (!op->query || !op->type->save)
        return;
    struct copies *c = &t->copies[op->plan->number];
    c->op = op;
    c->count++;
    c->bytes += op_held(op);
}

static struct app_partials partials_of(const struct app *app, const struct op_plan *op)
{
    struct pattern_stats stats = {0};
    if (op->type == &op_pattern)
        stats = pattern_stats(app->shared[op->number]);
    return (struct app_partials){.live = stats.waits, .dropped = stats.dropped};
}

static void add_partials(struct app_partials *sum, const struct app *app, const struct plan_query *q)
{
    for (int i = 0; i < q->op_count; i++) {
        struct app_partials of = partials_of(app, q->ops[i]);
        sum->live += of.live;
        sum->dropped += of.dropped;
    }
}

struct app_partials app_partials(const struct app *app)
{
    struct app_partials sum = {0};
    for (const struct plan_item *i = app->plan->items; i; i = i->next) {
        if (i->query)
            add_partials(&sum, app, i->query);
        for (int k = 0; i->partition && k < i->partition->query_count; k++)
            add_partials(&sum, app, i->partition->queries[k]);
    }
    return sum;
}

/* What is done with it isn't the app's. */
static void tell(const struct telling *t, const struct app_part *part)
{
    struct mem_account *account = mem_account;
    mem_account = NULL;
    t->fn(t->user, part);
    mem_account = account;
}

static void tell_partitions(struct app *app, struct telling *t)
{
    t->copies = mem_array((size_t)app->plan->op_count + 1, sizeof *t->copies);
    for (int i = 0; i < app->partition_count; i++)
        partition_each_copy(app->partitions[i], false, add_copy, t);
    for (int i = 0; i < app->plan->op_count; i++) {
        const struct copies *c = &t->copies[i];
        if (!c->count)
            continue;
        const struct plan_query *q = c->op->query->plan;
        tell(t, &(struct app_part){.kind = "query",
                                   .name = q->name,
                                   .op = c->op->type->name,
                                   .around = q->partition ? q->partition->name : NULL,
                                   .bytes = c->bytes,
                                   .copies = c->count,
                                   .is_pattern = c->op->type == &op_pattern,
                                   .partials = partials_of(app, c->op->plan)});
    }
    mem_free(t->copies);
}

static void tell_query(const struct app *app, const struct query *q, const struct telling *t)
{
    for (int i = 0; i < q->plan->op_count; i++) {
        if (q->ops[i]->type->save)
            tell(t, &(struct app_part){.kind = "query",
                                       .name = q->plan->name,
                                       .op = q->ops[i]->type->name,
                                       .bytes = op_held(q->ops[i]),
                                       .copies = 1,
                                       .is_pattern = q->ops[i]->type == &op_pattern,
                                       .partials = partials_of(app, q->ops[i]->plan)});
    }
}

static void tell_element(const struct plan_element *e, const char *kind, const char *op, uint64_t bytes,
                         const struct telling *t)
{
    tell(t, &(struct app_part){.kind = kind, .name = e->schema->id, .op = op, .bytes = bytes, .copies = 1});
}

void app_held(struct app *app, void (*fn)(void *user, const struct app_part *part), void *user)
{
    struct telling t = {.fn = fn, .user = user};
    const struct plan *plan = app->plan;
    for (int i = 0; i < plan->table_count; i++) {
        struct tally tally = {0};
        struct writer w = {.tally = &tally};
        table_save(app->tables[i], &w);
        tell_element(plan->tables[i], "table", NULL, tally.bytes, &t);
    }
    for (int i = 0; i < plan->window_count; i++)
        tell_element(plan->windows[i], "window", app->windows[i]->type->name, op_held(app->windows[i]), &t);
    for (int i = 0; i < plan->aggregation_count; i++) {
        struct tally tally = {0};
        struct writer w = {.tally = &tally};
        aggregation_save(app->aggregations[i], &w);
        tell_element(plan->aggregations[i], "aggregation", NULL, tally.bytes, &t);
    }
    for (int i = 0; i < app->query_count; i++)
        tell_query(app, app->queries[i], &t);
    tell_partitions(app, &t);
}
