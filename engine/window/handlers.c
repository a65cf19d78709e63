/* handlers.c - the table of stream functions and processors. A new one: its struct in handler.h, a line here.
 */
#include "engine/expr/fn.h"
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

int handler_each(struct op *op, const struct batch *in, bool is_batch,
                 bool (*one)(struct op *op, struct frame *f, const struct event *e, struct batch *out))
{
    struct batch out;
    int rc = 0;
    batch_init(&out, op->env->scratch, in->count);
    out.is_batch = is_batch;
    for (uint32_t i = 0; i < in->count && rc == 0; i++) {
        const struct event *e = &in->events[i];
        if (!e->row)
            continue;
        struct frame f = {.env = op->env, .rows = &e->row, .at_ms = e->at_ms, .kind = e->kind, .user = op};
        if (!one(op, &f, e, &out))
            rc = ERR_EVENT;
    }
    return window_emit_made(op, &out, rc);
}

static const char *full_name(struct window_ctx *c, const struct ast_expr *call)
{
    const char *space = call->space.text;
    return space ? arena_printf(c->arena, "%s:%s", space, call->name.text) : call->name.text;
}

struct expr *handler_call(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec)
{
    struct expr *e = expr_new(c->arena, NULL, TYPE_NULL);
    bool fine = true;
    e->name = full_name(c, call);
    e->span = call->span;
    e->args = arena_array(c->arena, (size_t)call->arg_count + 1, sizeof(*e->args));
    for (const struct ast_expr *a = call->args; a; a = a->next) {
        struct expr *arg = expr_compile(ec, a);
        e->args[e->arg_count++] = arg;
        fine = fine && arg;
    }
    return fine ? e : NULL;
}

bool handler_takes(struct window_ctx *c, const struct ast_expr *call, const struct expr *e,
                   const char *const *takes)
{
    struct buf words;
    for (int i = 0; takes[i]; i++)
        if (signature_fits(takes[i], e))
            return true;
    buf_init(&words, 600);
    for (int i = 0; takes[i]; i++) {
        buf_add_str(&words, i ? " or " : "");
        signature_print(&words, takes[i]);
    }
    diag_error(c->diags, call->span, "%s takes %s", e->name, words.bytes);
    buf_fini(&words);
    return false;
}

struct schema *handler_adds(struct window_ctx *c, const struct ast_expr *call, const struct attribute *added,
                            int count)
{
    const uint32_t before = c->in->count;
    struct schema *s = schema_new(c->arena, c->in->id, before + (uint32_t)count);
    bool fine = true;
    memcpy(s->attributes, c->in->attributes, before * sizeof(*s->attributes));
    for (int i = 0; i < count; i++) {
        s->attributes[before + (uint32_t)i] = added[i];
        if (schema_find(c->in, added[i].name) >= 0) {
            diag_error(c->diags, call->op_span, "%s adds the attribute '%s', and there is one already",
                       full_name(c, call), added[i].name);
            fine = false;
        }
    }
    return fine ? s : NULL;
}
