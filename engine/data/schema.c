/* schema.c - names and types of what flows. */
#include "engine/data/schema.h"

struct schema *schema_new(struct arena *a, const char *id, uint32_t count)
{
    struct schema *s = arena_alloc(a, sizeof(*s));
    s->id = arena_strdup(a, id);
    s->count = count;
    s->attributes = arena_array(a, count, sizeof(*s->attributes));
    return s;
}

int schema_find(const struct schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (strcmp(s->attributes[i].name, name) == 0)
            return (int)i;
    }
    for (uint32_t i = s->also_from; s->also && i < s->count; i++) {
        const char *also = s->also[i - s->also_from];
        if (also && strcmp(also, name) == 0)
            return (int)i;
    }
    return -1;
}

bool schema_same(const struct schema *a, const struct schema *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->attributes[i].type != b->attributes[i].type ||
            strcmp(a->attributes[i].name, b->attributes[i].name) != 0)
            return false;
    }
    return true;
}
