/* fn_object.h - lists and maps as arguments of functions. The language lets functions change the list they
 * are given; ours copy it first, unless nobody else can have it, so that what rows hold never changes. */
#ifndef WEIR_EXPR_FN_OBJECT_H
#define WEIR_EXPR_FN_OBJECT_H

#include "engine/expr/fn.h"

/* Argument n; NULL after failing the event when it is null or another thing. */
struct object *arg_list(const struct expr *e, struct frame *f, int n);
struct object *arg_map(const struct expr *e, struct frame *f, int n);
/* The same to be changed: itself when it is fresh, else a copy, loose already. */
struct object *arg_own_list(const struct expr *e, struct frame *f, int n);
struct object *arg_own_map(const struct expr *e, struct frame *f, int n);
struct object *list_copy(const struct object *list);      /* refs 1 */
struct object *map_object_copy(const struct object *map); /* refs 1 */
bool list_has(const struct object *list, struct value v);
/* Place of v from the front (or the back), or -1. */
int list_find(const struct object *list, struct value v, bool from_end);

#endif
