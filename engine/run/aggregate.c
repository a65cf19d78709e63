/* aggregate.c - incremental aggregation at work (spec 09). */
#include "engine/run/app.h"

struct aggregation *aggregation_new(struct app *app, const struct plan_element *e)
{
    (void)app;
    (void)e;
    return NULL;
}
void aggregation_free(struct aggregation *a)
{
    (void)a;
}
void aggregation_save(const struct aggregation *a, struct writer *w)
{
    (void)a;
    (void)w;
}
int aggregation_load(struct aggregation *a, struct reader *r)
{
    (void)a;
    (void)r;
    return 0;
}
struct op *aggregation_receiver(struct aggregation *a)
{
    (void)a;
    return NULL;
}
