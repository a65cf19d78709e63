/* fn_file.h - asking the world, for the functions and stream functions that do. */
#ifndef WEIR_EXPR_FN_FILE_H
#define WEIR_EXPR_FN_FILE_H

#include "engine/expr/fn.h"
#include "engine/expr/world.h"

enum { LIMIT_WORLD_BYTES = 4 * 1024 * 1024 }; /* of an answer */

/* WORLD_REFUSED fails the event. WORLD_FAILED does, unless words is not NULL: then they are there (scratch). b: NULL,
 * or the second. What else is answered is in out, which the caller made with buf_init; NULL: nobody looks. name: of
 * the function. */
enum world_answer world_ask(struct expr_env *env, const char *name, enum world_verb verb,
                            const struct text *a, const struct text *b, struct buf *out, const char **words);

#endif
