/* fn_file.c - file:isExist isFile isDirectory size lastModifiedTime, env:getEnvironmentProperty getSystemProperty
 * (spec 20 section 10).
 *
 * As the original: a missing variable gives the default, or null; a null key or path fails the event, and so does
 * size and lastModifiedTime of what isn't there; the size of a folder is that of all files in it; the time's format
 * is MM/dd/yyyy HH:mm:ss unless another is given, in the zone of time:.
 *
 * Choices: there is no Java here whose properties getEnvironmentProperty could tell, so both functions of env: tell
 * what ${NAME} in an app tells: the environment's, else the configuration's "variables". Options of remote file
 * systems (the original's last parameter) are refused: files are local. getYAMLProperty has no deployment.yaml to
 * read and is refused by name. */
#include "engine/expr/fn_file.h"
#include "engine/base/num.h"
#include "engine/expr/calendar.h"
#include <inttypes.h>

enum world_answer world_ask(struct expr_env *env, const char *name, enum world_verb verb,
                            const struct text *a, const struct text *b, struct buf *out, const char **words)
{
    struct buf own;
    buf_init(&own, LIMIT_WORLD_BYTES);
    struct buf *answer = out ? out : &own;
    enum world_answer rc = verb == WORLD_VARIABLE ? WORLD_NONE : WORLD_REFUSED;
    if (strlen(a->bytes) != a->len || (b && strlen(b->bytes) != b->len))
        buf_add_str(answer, "a NUL is in the name");
    else if (env->world)
        rc = env->world->ask(env->world->user, verb, a->bytes, b ? b->bytes : NULL, answer);
    else if (rc == WORLD_REFUSED)
        buf_add_str(answer, "files are there for apps that an agent runs");
    if (rc >= 0 && answer->overflow) {
        rc = WORLD_FAILED;
        buf_clear(answer);
        buf_printf(answer, "the answer has more than %d bytes", LIMIT_WORLD_BYTES);
    }
    const char *said = answer->bytes ? answer->bytes : "it failed";
    if (rc == WORLD_FAILED && words)
        *words = arena_strdup(env->scratch, said);
    else if (rc < 0)
        expr_fail(env, "%s: %s", name, said);
    buf_fini(&own);
    return rc;
}

static enum world_answer ask_path(const struct expr *e, struct frame *f, enum world_verb verb,
                                  struct buf *out)
{
    const struct text *path = arg_text(e, f, 0);
    buf_init(out, LIMIT_WORLD_BYTES);
    return path ? world_ask(f->env, e->name, verb, path, NULL, out, NULL) : WORLD_REFUSED;
}

/* kind: "file", "folder"; NULL: whatever it is. */
static struct value is_kind(const struct expr *e, struct frame *f, const char *kind)
{
    struct buf out;
    enum world_answer rc = ask_path(e, f, WORLD_KIND, &out);
    bool is = rc == WORLD_DONE && (!kind || (out.bytes && strcmp(out.bytes, kind) == 0));
    buf_fini(&out);
    return rc < 0 ? VALUE_NULL : value_bool(is);
}
static struct value eval_is_exist(const struct expr *e, struct frame *f)
{
    return is_kind(e, f, NULL);
}
static struct value eval_is_file(const struct expr *e, struct frame *f)
{
    return is_kind(e, f, "file");
}
static struct value eval_is_directory(const struct expr *e, struct frame *f)
{
    return is_kind(e, f, "folder");
}

/* A number that the world tells of a path; false: the event failed. */
static bool ask_number(const struct expr *e, struct frame *f, enum world_verb verb, int64_t *number)
{
    struct buf out;
    enum world_answer rc = ask_path(e, f, verb, &out);
    bool good = rc == WORLD_DONE && num_parse_long(out.bytes ? out.bytes : "", out.len, number);
    if (rc >= 0 && !good)
        expr_fail(f->env, "%s: there is no such file", e->name);
    buf_fini(&out);
    return good;
}
static struct value eval_size(const struct expr *e, struct frame *f)
{
    int64_t bytes;
    return ask_number(e, f, WORLD_SIZE, &bytes) ? value_long(bytes) : VALUE_NULL;
}
static struct value eval_modified(const struct expr *e, struct frame *f)
{
    static const char standard[] = "MM/dd/yyyy HH:mm:ss";
    int64_t at_ms;
    char error[256];
    struct buf out;
    if (!ask_number(e, f, WORLD_MODIFIED, &at_ms))
        return VALUE_NULL;
    const struct text *pattern = e->arg_count > 1 ? arg_text(e, f, 1) : NULL;
    if (e->arg_count > 1 && !pattern)
        return VALUE_NULL;
    buf_init(&out, LIMIT_RESULT_BYTES);
    if (date_print(&out, pattern ? pattern->bytes : standard, pattern ? pattern->len : sizeof standard - 1,
                   at_ms, zone_default(), error, sizeof error) < 0) {
        buf_fini(&out);
        return expr_fail(f->env, "%s: %s", e->name, error);
    }
    return result_buf(f, &out);
}

static struct value eval_variable(const struct expr *e, struct frame *f)
{
    struct buf out;
    enum world_answer rc;
    const struct text *key = arg_text(e, f, 0);
    struct value standard = e->arg_count > 1 && key ? arg(e, f, 1) : VALUE_NULL;
    if (!key || f->env->failed)
        return VALUE_NULL;
    buf_init(&out, LIMIT_WORLD_BYTES);
    rc = world_ask(f->env, e->name, WORLD_VARIABLE, key, NULL, &out, NULL);
    if (rc == WORLD_DONE)
        return result_buf(f, &out);
    buf_fini(&out);
    return rc == WORLD_NONE ? standard : VALUE_NULL;
}

/* Rows: takes is explained in fn.h. */
const struct function fn_file[] = {
    {"file", "isDirectory", "s", TYPE_BOOL, eval_is_directory, NULL},
    {"file", "isExist", "s", TYPE_BOOL, eval_is_exist, NULL},
    {"file", "isFile", "s", TYPE_BOOL, eval_is_file, NULL},
    {"file", "lastModifiedTime", "s?s", TYPE_STRING, eval_modified, NULL},
    {"file", "size", "s", TYPE_LONG, eval_size, NULL},
    {"env", "getEnvironmentProperty", "s?s", TYPE_STRING, eval_variable, NULL},
    {"env", "getSystemProperty", "s?s", TYPE_STRING, eval_variable, NULL},
    {0},
};
