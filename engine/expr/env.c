/* env.c - what the expressions of an app share: the failed event, loose objects, chance. */
#include "engine/expr/node.h"
#include <stdarg.h>
#include <stdio.h>

struct value expr_fail(struct expr_env *env, const char *format, ...)
{
    if (env->failed) /* the first words are the cause */
        return VALUE_NULL;
    env->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(env->failure, sizeof(env->failure), format, args);
    va_end(args);
    return VALUE_NULL;
}

struct value expr_loose(struct expr_env *env, struct object *o)
{
    if (env->loose_count == env->loose_cap) {
        env->loose_cap = env->loose_cap ? env->loose_cap * 2 : 16;
        env->loose = mem_resize(env->loose, env->loose_cap, sizeof(*env->loose));
    }
    env->loose[env->loose_count++] = o;
    return value_object(o);
}

void expr_env_release(struct expr_env *env)
{
    while (env->loose_count)
        value_drop(value_object(env->loose[--env->loose_count]));
}

uint64_t expr_random(struct expr_env *env)
{
    uint64_t z = env->random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct value fail_operand(struct frame *f, const struct expr *e, struct value v, const char *needed)
{
    if (f->env->failed)
        return VALUE_NULL;
    char shown[64];
    struct buf text;
    buf_init(&text, 1024 * 1024);
    value_print(v, &text);
    snprintf(shown, sizeof(shown), "%.40s%s", text.bytes ? text.bytes : "", text.len > 40 ? "..." : "");
    buf_fini(&text);
    return expr_fail(f->env, "%s needs %s, but got the %s value '%s'", e->name ? e->name : "the expression",
                     needed, type_name(v.type), shown);
}

bool expr_not_bool(const struct expr *e, struct frame *f, struct value v)
{
    if (v.type == TYPE_BOOL)
        return v.as.l != 0;
    if (!is_null(v))
        fail_operand(f, e, v, "a bool");
    return false;
}
