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

int expr_fail_memory(struct expr_env *env)
{
    if (mem_account)
        mem_account->refused++;
    expr_fail(env, "it needs more memory than the app's share of it allows");
    return ERR_EVENT;
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

/* A call is found by its address while the app runs, and over a restart by its place in the text. */
struct expr_sequence {
    const struct expr *e; /* NULL: loaded, and not asked for yet */
    uint32_t at;
    uint64_t bits;
};

static struct expr_sequence *sequence_find(struct expr_env *env, const struct expr *e)
{
    struct expr_sequence *loaded = NULL;
    for (uint32_t i = 0; i < env->sequence_count; i++) {
        struct expr_sequence *s = &env->sequences[i];
        if (s->e == e)
            return s;
        if (!s->e && !loaded && s->at == e->span.at)
            loaded = s;
    }
    return loaded;
}

static struct expr_sequence *sequence_add(struct expr_env *env)
{
    if (env->sequence_count == env->sequence_cap) {
        env->sequence_cap = env->sequence_cap ? env->sequence_cap * 2 : 4;
        env->sequences = mem_resize(env->sequences, env->sequence_cap, sizeof(*env->sequences));
    }
    return &env->sequences[env->sequence_count++];
}

uint64_t *expr_sequence(struct expr_env *env, const struct expr *e, uint64_t first)
{
    struct expr_sequence *s = sequence_find(env, e);
    if (!s) {
        s = sequence_add(env);
        *s = (struct expr_sequence){.at = e->span.at, .bits = first};
    }
    s->e = e;
    return &s->bits;
}

void expr_env_save(const struct expr_env *env, struct writer *w)
{
    write_i64(w, env->now_ms);
    write_i64(w, (int64_t)env->random_state);
    write_count(w, env->sequence_count);
    for (uint32_t i = 0; i < env->sequence_count; i++) {
        write_u32(w, env->sequences[i].at);
        write_i64(w, (int64_t)env->sequences[i].bits);
    }
}

int expr_env_load(struct expr_env *env, struct reader *r)
{
    env->now_ms = read_i64(r);
    env->random_state = (uint64_t)read_i64(r);
    size_t count = read_count(r, UINT32_MAX);
    for (size_t i = 0; i < count && !r->failed; i++) {
        uint32_t at = read_u32(r);
        *sequence_add(env) = (struct expr_sequence){.at = at, .bits = (uint64_t)read_i64(r)};
    }
    return r->failed ? ERR_STATE : 0;
}

void expr_env_fini(struct expr_env *env)
{
    expr_env_release(env);
    mem_free(env->loose);
    mem_free(env->sequences);
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
