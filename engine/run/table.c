/* table.c - in-memory tables at work (spec 08). */
#include "engine/run/table.h"
#include "engine/run/app.h"

struct table *table_new(struct app *app, const struct plan_element *e)
{
    (void)app;
    (void)e;
    return NULL;
}
void table_free(struct table *t)
{
    (void)t;
}
void table_save(const struct table *t, struct writer *w)
{
    (void)t;
    (void)w;
}
int table_load(struct table *t, struct reader *r)
{
    (void)t;
    (void)r;
    return 0;
}
