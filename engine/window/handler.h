/* handler.h - stream functions and processors: '#name(args)' before or behind a window (spec 03 section 8;
 * 20). A line in handlers.c names each. */
#ifndef WEIR_WINDOW_HANDLER_H
#define WEIR_WINDOW_HANDLER_H

#include "engine/window/window.h"

struct handler_type {
    const char *space, *name;
    /* ec compiles the arguments over c->in; *out is the schema behind it (unchanged: c->in). NULL after
     * reporting. */
    struct op_plan *(*plan)(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                            const struct schema **out);
    bool
        is_processor; /* takes and gives events as it likes: none stands in a pattern, where a function may */
};
const struct handler_type *handler_find(const char *space, const char *name);
/* The push of those that work off one event after the other, RESETs apart: what one puts into out goes on, also
 * when an event fails, up to that one. one: false after failing its event. is_batch: out is one. */
int handler_each(struct op *op, const struct batch *in, bool is_batch,
                 bool (*one)(struct op *op, struct frame *f, const struct event *e, struct batch *out));
/* The call as an expression of its name, its arguments compiled. NULL after reporting. */
struct expr *handler_call(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec);
/* Do the arguments fit one of the signatures (expr/fn.h; the last is NULL)? False after reporting. */
bool handler_takes(struct window_ctx *c, const struct ast_expr *call, const struct expr *e,
                   const char *const *takes);
/* c->in with count attributes behind its own. NULL after reporting those whose name is taken. */
struct schema *handler_adds(struct window_ctx *c, const struct ast_expr *call, const struct attribute *added,
                            int count);
/* The one of space that is like name, for "did you mean"; or NULL. */
const char *handler_near(const char *space, const char *name);

extern const struct handler_type handler_log, handler_pol2cart, handler_deduplicate, handler_kslack,
    handler_str_tokenize, handler_list_tokenize, handler_map_tokenize, handler_json_tokenize,
    handler_json_tokenize_object, handler_geo_crosses, handler_geo_stationary, handler_geo_proximity,
    handler_geo_closest_points, handler_geo_location_approximate, handler_file_create, handler_file_delete,
    handler_file_rename, handler_file_move, handler_file_copy, handler_file_search, handler_top,
    handler_bottom, handler_top_length, handler_bottom_length, handler_top_time, handler_bottom_time;

#endif
