/* object.h - the values behind type object: set, list, map, failure (spec 02 section 1; 20 sections 5, 6).
 *
 * Counted; changed only by their maker before they are shared (functions copy first). Iteration is in
 * insertion order. x_new gives refs 1 to the caller. */
#ifndef WEIR_DATA_OBJECT_H
#define WEIR_DATA_OBJECT_H

#include "engine/data/value.h"

/* list and set elements, map keys and values are kept by the object. */
struct object *list_new(void);
void list_add(struct object *list, struct value v); /* keeps v */
size_t list_count(const struct object *list);
struct value list_get(const struct object *list, size_t at); /* borrowed */
void list_set(struct object *list, size_t at, struct value v);
void list_insert(struct object *list, size_t at, struct value v);
void list_remove(struct object *list, size_t at);

struct object *set_new(void);
bool set_add(struct object *set, struct value v); /* false: was in */
bool set_remove(struct object *set, struct value v);
bool set_has(const struct object *set, struct value v);

struct object *map_object_new(void);
void map_object_put(struct object *map, struct value key, struct value v);
bool map_object_get(const struct object *map, struct value key, struct value *out); /* borrowed */
bool map_object_remove(struct object *map, struct value key);

/* Elements of sets and maps in insertion order: start with *at = 0; v may be NULL. */
bool object_next(const struct object *set_or_map, size_t *at, struct value *key, struct value *v);
size_t object_count(const struct object *set_or_map_or_list);

/* What _error holds (spec 03 section 10): prints as Java would print convert(_error,'string'). */
struct object *failure_new(const char *message);

const char *failure_message(const struct object *failure); /* borrowed */

/* Java's hashCode of a value: what 'order by' compares of objects (spec 03 section 4). A failure's would be an
 * accident: 0. */
int32_t value_java_hash(struct value v);
bool object_is_failure(const struct object *o);
bool object_is_list(const struct object *o);
bool object_is_set(const struct object *o);
bool object_is_map(const struct object *o);

#endif
