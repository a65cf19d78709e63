/* handlers.c - the table of stream functions and processors. A new one: its struct in handler.h, a line here.
 */
#include "engine/window/handler.h"

static const struct handler_type *const handlers[] = {
    &handler_log,
    &handler_pol2cart,
    &handler_deduplicate,
    &handler_kslack,
    &handler_str_tokenize,
    &handler_list_tokenize,
    &handler_map_tokenize,
    &handler_json_tokenize,
    &handler_json_tokenize_object,
    &handler_geo_crosses,
    &handler_geo_stationary,
    &handler_geo_proximity,
    &handler_geo_closest_points,
    &handler_geo_location_approximate,
    &handler_file_create,
    &handler_file_delete,
    &handler_file_rename,
    &handler_file_move,
    &handler_file_copy,
    &handler_file_search,
    &handler_top,
    &handler_bottom,
    &handler_top_length,
    &handler_bottom_length,
    &handler_top_time,
    &handler_bottom_time,
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
