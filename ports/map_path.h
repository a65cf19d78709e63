/* map_path.h - JSONPath over text: many paths in one walk, no tree.
 *
 * What is built: $, .name, ['name'], ['a','b'], [2], [-1], [0,2], [1:3], [*], .*; names may stand without
 * '$.' at the front. Not built: '..', filters and functions. Of a name that stands twice in an object, both
 * are found; the caller keeps the last. */
#ifndef WEIR_PORTS_MAP_PATH_H
#define WEIR_PORTS_MAP_PATH_H

#include "engine/base/json.h"
#include "engine/base/mem.h"

struct json_step {
    struct json_step *other; /* a union: the next alternative, or NULL */
    enum { JSON_STEP_NAME, JSON_STEP_INDEX, JSON_STEP_SLICE, JSON_STEP_ALL } kind;
    const char *name;
    size_t len;
    long from,
        to; /* INDEX: from, may be negative; SLICE: may be negative, LONG_MIN / LONG_MAX when not written */
};
struct map_path {
    struct json_step **steps;
    int count;
    bool is_definite; /* finds one value at most */
};

/* NULL: *wrong says why; *unbuilt when it is JSONPath all the same. */
struct map_path *map_path_compile(struct arena *a, const char *text, const char **wrong, bool *unbuilt);

/* Every value that paths[which] leads to, in the order of the text; t is whole (json_skip was done). NULL
 * among paths: skipped. */
typedef void (*json_found_fn)(void *user, int which, const struct json_token *t);
/* from: a value that was checked. found may use scratch too. */
void map_path_find(const struct map_path *const *paths, int count, const struct json_token *from,
                   struct arena *scratch, json_found_fn found, void *user);

#endif
