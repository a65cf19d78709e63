/* map_json.h - private to the two files of the json mapper. */
#ifndef WEIR_PORTS_MAP_JSON_H
#define WEIR_PORTS_MAP_JSON_H

#include "engine/base/json.h"
#include "engine/data/object.h"
#include "ports/map_in.h"
#include "ports/map_path.h"

struct json_map {
    bool grouping;

    /* source: names of the stream's attributes, by hash */
    size_t *name_lens;
    uint16_t *slots; /* index + 1 */
    uint32_t slot_mask;
    uint32_t *seen; /* serial of the object in which the attribute was met last */
    uint32_t serial;
    /* source, custom */
    const struct map_path *const *paths; /* one for each attribute; NULL where trp: stands */
    const struct map_path *enclosing;    /* NULL: the message itself */

    /* sink */
    bool nulls, validate;
    const char *before, *after; /* of enclosing.element */
    const char **members;       /* "\"name\":" */
};

int json_read(struct mapper *m, const struct payload *in, const struct property *properties,
              int property_count, int64_t now_ms, map_rows_fn emit, void *user, struct err *e);

#endif
