/* script.h - functions an app defines in another language: define function f[javascript] return int { ... }
 * (spec 02 section 7.4).
 *
 * Two files implement it: script_js.c, the only one that knows the JavaScript engine, or, in a build with
 * SCRIPT=0, script_none.c.
 *
 * Laws: (1) every function has an engine of its own, made at its first call: functions share nothing, and
 * what a script keeps in its globals lasts, and of that numbers, texts, bools, arrays and plain objects are
 * saved with the app's state; (2) a script reaches nothing outside: no files, no other code; chance and time
 * come from the env; (3) a call that takes more than LIMIT_SCRIPT_STEPS steps or LIMIT_SCRIPT_BYTES fails the
 * event, and the function starts afresh. */
#ifndef WEIR_EXPR_SCRIPT_H
#define WEIR_EXPR_SCRIPT_H

#include "engine/expr/expr.h"

/* A function as defined; immutable, in the arena of the plan. */
struct script_function {
    struct script_function *next;
    const char *name;
    int number; /* from 0, in the order of the plan */
    enum type returns;
    const char *text; /* what the engine compiles; private to the implementation */
    size_t len;
};

/* Checks body, the text between the braces, as the function f->name, and fills f->text. body_at: its place in
 * the app's text. -1 after reporting to diags. */
int script_define(struct script_function *f, struct arena *arena, struct diags *diags, struct name language,
                  const char *body, struct span body_at);
/* A call as a node; args are borrowed for the life of the arena. */
struct expr *script_call(struct arena *arena, const struct script_function *f, struct expr **args, int count);
/* Ends what calls made in env; on the thread that called. */
void script_fini(struct expr_env *env);
/* The globals of all functions; between pushes. load: ERR_STATE when the bytes are none of save's. */
void script_save(struct expr_env *env, struct writer *w);
int script_load(struct expr_env *env, struct reader *r);
/* "2.7.0", or NULL in a build without scripts. */
const char *script_library_version(void);

#endif
