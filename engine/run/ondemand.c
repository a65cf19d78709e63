/* ondemand.c - on-demand queries (spec 08). */
#include "engine/run/app.h"

int app_query(struct app *app, const char *text, size_t len, struct result *result, struct err *e)
{
    (void)app;
    (void)text;
    (void)len;
    *result = (struct result){0};
    return err_set(e, ERR_UNSUPPORTED, "on-demand queries are not implemented yet");
}
