/* handlers.c - the table of stream functions and processors. A new one: its struct in handler.h, a line here.
 */
#include "engine/window/handler.h"

static const struct handler_type *const handlers[] = {
    &handler_log,           &handler_pol2cart,      &handler_deduplicate,
    &handler_kslack,        &handler_str_tokenize,  &handler_list_tokenize,
    &handler_map_tokenize,  &handler_json_tokenize, &handler_json_tokenize_object,
    &handler_top,           &handler_bottom,        &handler_top_length,
    &handler_bottom_length, &handler_top_time,      &handler_bottom_time,
};

const struct handler_type *handler_find(const char *space, const char *name)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        const struct handler_type *h = handlers[i];
        bool same_space = space && h->space ? strcmp(space, h->space) == 0 : !space && !h->space;
        if (same_space && strcmp(name, h->name) == 0)
            return h;
    }
    return NULL;
}

const char *handler_near(const char *space, const char *name)
{
    const char *names[sizeof handlers / sizeof *handlers];
    size_t count = 0;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i]->space && strcmp(handlers[i]->space, space) == 0)
            names[count++] = handlers[i]->name;
    return diag_near(name, names, count);
}

bool handler_is_left_out(const char *space, const char *name)
{
    static const char *const left_out[] = {"minMax", "kalmanMinMax", "kernelMinMax"};
    for (size_t i = 0; space && strcmp(space, "extrema") == 0 && i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(name, left_out[i]) == 0)
            return true;
    return false;
}
