/* map_in.h - what the mappers share among themselves; map.h is the door.
 *
 * Law: a read makes all its rows before it emits the first chunk, a write fills m->out and emits it before it
 * starts on the next: emit may enter the same mapper again. */
#ifndef WEIR_PORTS_MAP_IN_H
#define WEIR_PORTS_MAP_IN_H

#include "ports/map.h"

extern const struct map_type map_type_json, map_type_csv, map_type_text, map_type_passthrough, map_type_xml,
    map_type_keyvalue, map_type_binary;

/* ---- rows being collected, in the mapper's scratch ---- */
struct map_rows {
    struct mapper *m;
    struct row **rows;
    uint32_t count, cap, skipped;
};
/* An event in the place of the next row doesn't fit, and those behind it may: see mapper.failing. */
void map_rows_skip(struct map_rows *list);
/* Takes the reference. Beyond the app's bound of memory nothing is kept, and map_read refuses the message. */
void map_rows_add(struct map_rows *list, struct row *row);
void map_rows_drop(struct map_rows *list);
/* As one chunk (an array), or each for itself. */
void map_rows_emit(struct map_rows *list, bool grouped, map_rows_fn emit, void *user);

/* A row of the mapper's schema, all null but for the columns that trp: properties fill. */
struct row *map_row_new(struct mapper *m, int64_t now_ms);
/* Column i from text (section 0). false: does not fit. */
bool map_set_scalar(struct mapper *m, struct row *row, size_t i, const char *s, size_t len);
static inline bool map_is_transport(const struct mapper *m, size_t i)
{
    return m->fields && m->fields[i].property != NULL;
}

/* TEXT or BYTES that are valid UTF-8; ERR_INVALID and e otherwise. */
int map_want_text(const struct payload *in, struct err *e);
/* What stands in m->out, as text; ERR_TOO_BIG and e when it met its limit. */
int map_emit_text(struct mapper *m, map_payload_fn emit, void *user, struct err *e);

/* The place of an option in @map(..), else of the annotation. */
struct span map_option_span(const struct ast_annotation *map, const char *option);
/* Column number or group number: digits only, below 65536. -1: isn't one. */
int map_index(const char *s, size_t len);

#endif
