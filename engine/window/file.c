/* file.c - #file:create, delete, rename, move, copy, search (spec 20 section 10): a file is worked on for each event,
 * which then passes.
 *
 * create(path [, isDirectory]), delete(path): nothing is added; what can't be done fails the event.
 * rename(path, new path), move and copy(path, folder [, regex [, without the root folder]]): isSuccess. false: there
 * is nothing to work on, or it could not be done. move and copy take the files whose names the regex matches from
 * their beginning on, '' all; a folder goes with its name unless the last argument is true.
 * search(folder [, regex [, without folders in it]]): fileNameList, a list of the paths, in order; empty when there is
 * no such folder.
 *
 * Choices, where releases of the original differ or fall short of its help: create with one argument makes a file;
 * without folders means none of them. A null argument fails the event. What may be touched at all is the host's
 * business (world.h). */
#include "engine/expr/fn_file.h"
#include "engine/expr/fn_regex.h"
#include "engine/window/handler.h"

struct file_plan;
/* False: the event failed. added: what to append, VALUE_NULL before. */
typedef bool (*file_work)(const struct file_plan *p, struct frame *f, struct value *added);
struct file_plan {
    struct op_plan op;
    struct expr *call;
    file_work work;
    bool adds;
    enum world_verb verb; /* of move and copy: for each file */
};

static const struct file_plan *plan_of(const struct op *op)
{
    return (const struct file_plan *)(const void *)op->plan;
}

static bool arg_flag(const struct file_plan *p, struct frame *f, int n, bool *out)
{
    *out = false;
    if (n >= p->call->arg_count)
        return true;
    struct value v = expr_eval(p->call->args[n], f);
    if (v.type != TYPE_BOOL && !f->env->failed)
        expr_fail(f->env, "%s: argument %d is no bool", p->call->name, n + 1);
    *out = v.type == TYPE_BOOL && v.as.l;
    return !f->env->failed;
}

/* ---- create, delete, rename ---- */

static bool create(const struct file_plan *p, struct frame *f, struct value *added)
{
    bool is_folder;
    const struct text *path = arg_text(p->call, f, 0);
    (void)added;
    return path && arg_flag(p, f, 1, &is_folder) &&
           world_ask(f->env, p->call->name, is_folder ? WORLD_MAKE_FOLDER : WORLD_MAKE_FILE, path, NULL, NULL,
                     NULL) >= 0;
}

static bool delete (const struct file_plan *p, struct frame *f, struct value *added)
{
    const struct text *path = arg_text(p->call, f, 0);
    (void)added;
    return path && world_ask(f->env, p->call->name, WORLD_DELETE, path, NULL, NULL, NULL) >= 0;
}

static bool rename_one(const struct file_plan *p, struct frame *f, struct value *added)
{
    const char *words;
    const struct text *from = arg_text(p->call, f, 0), *to = from ? arg_text(p->call, f, 1) : NULL;
    if (!to)
        return false;
    enum world_answer rc = world_ask(f->env, p->call->name, WORLD_RENAME, from, to, NULL, &words);
    *added = value_bool(rc == WORLD_DONE);
    return rc != WORLD_REFUSED;
}

/* ---- paths ---- */

/* The path without slashes at its end, in scratch. */
static struct text *trimmed(struct frame *f, const struct text *path)
{
    size_t len = path->len;
    while (len > 1 && path->bytes[len - 1] == '/')
        len--;
    return text_scratch(f->env->scratch, path->bytes, len);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* a/b */
static struct text *joined(struct frame *f, const char *a, const char *b)
{
    const char *path = arena_printf(f->env->scratch, "%s/%s", a, b);
    return text_scratch(f->env->scratch, path, strlen(path));
}

/* Argument n matches the beginning of a file's name, or is missing, or empty. 1, 0; -1: the event failed. */
static int name_fits(const struct file_plan *p, struct frame *f, int n, const char *path)
{
    if (n >= p->call->arg_count)
        return 1;
    struct regex *r = arg_regex(p->call, f, n);
    if (!r)
        return -1;
    const char *name = base_name(path);
    return match_or_fail(f, p->call, r, text_scratch(f->env->scratch, name, strlen(name)), 0, REGEX_PREFIX);
}

/* The files below folder, a name after another until an empty one; in scratch. NULL: the event failed, or *words
 * says why not. */
static const char *list(const struct file_plan *p, struct frame *f, enum world_verb verb,
                        const struct text *folder, const char **words)
{
    struct buf out;
    buf_init(&out, LIMIT_WORLD_BYTES);
    enum world_answer rc = world_ask(f->env, p->call->name, verb, folder, NULL, &out, words);
    char *names = NULL;
    if (rc >= 0) {
        names = arena_alloc(f->env->scratch, out.len + 2);
        if (rc == WORLD_DONE && out.len)
            memcpy(names, out.bytes, out.len);
    }
    buf_fini(&out);
    return names;
}

/* ---- move, copy ---- */

/* One file into folder. 1, 0; -1: the event failed. */
static int carry(const struct file_plan *p, struct frame *f, struct text *from, struct text *to)
{
    const char *words;
    int fits = name_fits(p, f, 2, from->bytes);
    if (fits <= 0)
        return fits < 0 ? -1 : 1;
    enum world_answer rc = world_ask(f->env, p->call->name, p->verb, from, to, NULL, &words);
    return rc == WORLD_REFUSED ? -1 : rc == WORLD_DONE;
}

static int carry_folder(const struct file_plan *p, struct frame *f, struct text *from, const char *to)
{
    const char *words = NULL;
    const char *name = list(p, f, WORLD_LIST_DEEP, from, &words);
    int done = name ? 1 : words ? 0 : -1;
    for (; name && *name && done >= 0; name += strlen(name) + 1) {
        int rc = carry(p, f, joined(f, from->bytes, name), joined(f, to, name));
        done = rc < done ? rc : done;
    }
    return done;
}

static bool transfer(const struct file_plan *p, struct frame *f, struct value *added)
{
    bool without_root;
    struct buf kind;
    const char *words;
    const struct text *path = arg_text(p->call, f, 0), *folder = path ? arg_text(p->call, f, 1) : NULL;
    if (!folder || !arg_flag(p, f, 3, &without_root))
        return false;
    struct text *from = trimmed(f, path);
    const char *to = trimmed(f, folder)->bytes, *name = base_name(from->bytes);
    buf_init(&kind, LIMIT_WORLD_BYTES);
    enum world_answer rc = world_ask(f->env, p->call->name, WORLD_KIND, from, NULL, &kind, &words);
    bool is_folder = rc == WORLD_DONE && strcmp(kind.bytes, "folder") == 0;
    bool is_file = rc == WORLD_DONE && strcmp(kind.bytes, "file") == 0;
    buf_fini(&kind);
    int done = 0;
    if (is_file)
        done = carry(p, f, from, joined(f, to, name));
    else if (is_folder)
        done = carry_folder(p, f, from, without_root ? to : joined(f, to, name)->bytes);
    *added = value_bool(done > 0);
    return rc != WORLD_REFUSED && done >= 0;
}

/* ---- search ---- */

static bool search(const struct file_plan *p, struct frame *f, struct value *added)
{
    bool is_flat;
    const struct text *path = arg_text(p->call, f, 0);
    if (!path || !arg_flag(p, f, 2, &is_flat))
        return false;
    struct text *folder = trimmed(f, path);
    const char *name = list(p, f, is_flat ? WORLD_LIST : WORLD_LIST_DEEP, folder, NULL);
    struct object *found = list_new();
    *added = expr_loose(f->env, found);
    for (; name && *name && !f->env->failed; name += strlen(name) + 1) {
        if (name_fits(p, f, 1, name) > 0)
            list_add(found, value_text(joined(f, folder->bytes, name)));
    }
    return !f->env->failed;
}

/* ---- the operator ---- */

static bool file_one(struct op *op, struct frame *f, const struct event *e, struct batch *out)
{
    const struct file_plan *p = plan_of(op);
    struct value added = VALUE_NULL;
    if (!p->work(p, f, &added))
        return false;
    struct row *row = row_copy(e->row, p->adds, e->at_ms);
    if (p->adds)
        row_set(row, e->row->count, added);
    batch_add(out, row, e->at_ms, e->kind);
    return true;
}

static int file_push(struct op *op, const struct batch *in)
{
    return handler_each(op, in, in->is_batch, file_one);
}

static const struct op_type file_type = {.name = "file", .size = sizeof(struct op), .push = file_push};

/* takes: as in fn.h. added: NULL, or the attribute's name. regex: the argument that is one, or -1. */
static struct op_plan *plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                            const struct schema **out, const struct file_plan *kind, const char *takes,
                            const struct attribute *added, int regex)
{
    struct expr *e = handler_call(c, call, ec);
    bool fits = e && handler_takes(c, call, e, (const char *const[]){takes, NULL});
    struct schema *schema = handler_adds(c, call, added, added != NULL);
    if (!fits || !schema || (regex >= 0 && regex < e->arg_count && bind_regex(ec, e, call, regex, true) < 0))
        return NULL;
    struct file_plan *p = window_plan_new(c, call, &file_type, sizeof *p);
    struct op_plan op = p->op;
    *p = *kind;
    p->op = op;
    p->op.out = schema;
    p->call = e;
    p->adds = added != NULL;
    *out = schema;
    return &p->op;
}

static const struct attribute success = {"isSuccess", TYPE_BOOL}, names = {"fileNameList", TYPE_OBJECT};

static struct op_plan *create_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                   const struct schema **out)
{
    return plan(c, call, ec, out, &(struct file_plan){.work = create}, "s?b", NULL, -1);
}
static struct op_plan *delete_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                   const struct schema **out)
{
    return plan(c, call, ec, out, &(struct file_plan){.work = delete}, "s", NULL, -1);
}
static struct op_plan *rename_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                   const struct schema **out)
{
    return plan(c, call, ec, out, &(struct file_plan){.work = rename_one}, "ss", &success, -1);
}
static struct op_plan *move_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                 const struct schema **out)
{
    return plan(c, call, ec, out, &(struct file_plan){.work = transfer, .verb = WORLD_RENAME}, "ss?sb",
                &success, 2);
}
static struct op_plan *copy_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                 const struct schema **out)
{
    return plan(c, call, ec, out, &(struct file_plan){.work = transfer, .verb = WORLD_COPY}, "ss?sb",
                &success, 2);
}
static struct op_plan *search_plan(struct window_ctx *c, const struct ast_expr *call, struct expr_ctx *ec,
                                   const struct schema **out)
{
    return plan(c, call, ec, out, &(struct file_plan){.work = search}, "s?sb", &names, 1);
}

const struct handler_type handler_file_create = {"file", "create", create_plan, false};
const struct handler_type handler_file_delete = {"file", "delete", delete_plan, false};
const struct handler_type handler_file_rename = {"file", "rename", rename_plan, false};
const struct handler_type handler_file_move = {"file", "move", move_plan, false};
const struct handler_type handler_file_copy = {"file", "copy", copy_plan, false};
const struct handler_type handler_file_search = {"file", "search", search_plan, false};
