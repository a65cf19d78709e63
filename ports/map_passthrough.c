/* map_passthrough.c - events as they are, for transports inside the process (spec 21 section 6). */
#include "ports/map_in.h"

static int passthrough_read(struct mapper *m, const struct payload *in, const struct property *properties,
                            int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e)
{
    (void)properties;
    (void)property_count;
    if (in->kind != PAYLOAD_EVENTS && in->kind != PAYLOAD_ROW)
        return err_set(e, ERR_INVALID, "events were expected, not %s",
                       in->kind == PAYLOAD_MAP ? "a map" : "text");
    struct map_rows list = {.m = m};
    for (uint32_t i = 0; i < in->events->count; i++) {
        const struct event *event = &in->events->events[i];
        if (!event->row)
            continue;
        if (event->row->count != m->schema->count) {
            map_rows_drop(&list);
            return err_set(e, ERR_INVALID, "an event of %u values, and stream '%s' has %u attributes",
                           event->row->count, m->schema->id, m->schema->count);
        }
        bool stamp = in->kind == PAYLOAD_ROW || event->at_ms == -1;
        map_rows_add(&list, row_copy_apart(event->row, stamp ? now_ms : event->at_ms));
    }
    map_rows_emit(&list, in->kind == PAYLOAD_EVENTS && in->events->is_batch, emit, user);
    return 0;
}

static int passthrough_write(struct mapper *m, const struct batch *b, map_payload_fn emit, void *user,
                             struct err *e)
{
    (void)m;
    (void)e;
    struct payload p = {.kind = PAYLOAD_EVENTS, .events = b};
    emit(user, &p);
    return 0;
}

static int passthrough_open(struct mapper *m, struct diags *diags, const struct ast_annotation *map)
{
    if (map && (m->fields || m->payload || m->named_count > 0)) {
        diag_error(diags, map->span, "mapper passThrough takes neither @attributes nor @payload");
        return -1;
    }
    return 0;
}

const struct map_type map_type_passthrough = {
    .name = "passThrough",
    .can_source = true,
    .can_sink = true,
    .in_process = true,
    .size = 1,
    .open = passthrough_open,
    .read = passthrough_read,
    .write = passthrough_write,
};
