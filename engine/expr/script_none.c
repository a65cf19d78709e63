/* script_none.c - a build without scripts (make SCRIPT=0): a script function is refused by name. */
#include "engine/expr/script.h"

int script_define(struct script_function *f, struct arena *arena, struct diags *diags, struct name language,
                  const char *body, struct span body_at)
{
    (void)f;
    (void)body;
    (void)body_at;
    diag_unsupported(diags, language.span, arena_printf(arena, "script:%s", language.text));
    diag_hint(diags, "this weir was built with SCRIPT=0");
    return -1;
}

struct expr *script_call(struct arena *arena, const struct script_function *f, struct expr **args, int count)
{
    (void)arena;
    (void)f;
    (void)args;
    (void)count;
    return NULL;
}

void script_fini(struct expr_env *env)
{
    (void)env;
}

void script_save(struct expr_env *env, struct writer *w)
{
    (void)env;
    write_count(w, 0);
}

int script_load(struct expr_env *env, struct reader *r)
{
    (void)env;
    return read_count(r, 0) == 0 && !r->failed ? 0 : ERR_STATE;
}

const char *script_library_version(void)
{
    return NULL;
}
