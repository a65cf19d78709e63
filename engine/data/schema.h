/* schema.h - names and types of what flows. Made by plan in the app's arena; immutable afterwards. */
#ifndef WEIR_DATA_SCHEMA_H
#define WEIR_DATA_SCHEMA_H

#include "engine/data/value.h"

struct attribute {
    const char *name;
    enum type type;
};
struct schema {
    const char *id; /* of the stream, table, window */
    uint32_t count;
    struct attribute *attributes;
    /* Other names that the attributes from also_from on may be asked for by; NULL: they have none. */
    const char *const *also;
    uint32_t also_from;
};

/* attributes zeroed, for the caller to fill */
struct schema *schema_new(struct arena *a, const char *id, uint32_t count);
int schema_find(const struct schema *s, const char *name);        /* index or -1 */
bool schema_same(const struct schema *a, const struct schema *b); /* names, types, order */

#endif
