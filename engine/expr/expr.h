/* expr.h - typed evaluation (spec 02). The tree of an expression is compiled once, with every name resolved
 * and every type decided; at run time a node is one call that asks only "null or not".
 *
 * A node trusts the declared type of a column but checks the tag: a column may hold another type (cast), and
 * null. The fast path is one compare of tags; everything else goes through a slow path that either converts a
 * number or fails the event.
 *
 * A failing event (spec 02 section 8): expr_fail() sets env->failed and the words; evaluation then returns
 * null, aggregators stop updating, and the operator that asked returns ERR_EVENT. Compile: arena of the app.
 * Run: on the app's worker only. */
#ifndef WEIR_EXPR_EXPR_H
#define WEIR_EXPR_EXPR_H

#include "engine/base/diag.h"
#include "engine/data/batch.h"
#include "engine/data/codec.h"
#include "engine/data/object.h"
#include "engine/data/schema.h"
#include "engine/lang/ast.h"

struct expr;

/* What all expressions of a running app share. One per app, owned by it. */
struct expr_env {
    struct arena *scratch; /* results of functions; ends with the push */
    int64_t now_ms;        /* the app's clock */
    int64_t began_ms;      /* what it showed when the app started, this time; in playback 0 */
    uint64_t
        random_state; /* seeds UUID() and random functions; comes from the journal, so that a replay agrees */
    bool failed;      /* an event failed; words in failure */
    char failure[256];
    struct object **loose; /* objects to release when the push ends */
    uint32_t loose_count, loose_cap;
    struct expr_sequence *sequences; /* of functions that go on from call to call: expr_sequence() */
    uint32_t sequence_count, sequence_cap;
    const char *app_name;      /* for log() */
    struct scripts *scripts;   /* script functions at work (script.h), or NULL */
    const struct world *world; /* what may be asked of the outside (world.h), or NULL */
};

/* Fails the event being processed: "ClassCastException: ..." style words are not copied; ours say what was
 * wrong. Returns null. */
struct value expr_fail(struct expr_env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An event needs more memory than the account's bound allows (mem.h): fails it, counted. ERR_EVENT. */
int expr_fail_memory(struct expr_env *env);
/* Hands a fresh object (refs 1) to the push: released at its end. */
struct value expr_loose(struct expr_env *env, struct object *o);
void expr_env_release(struct expr_env *env); /* at the end of a push, before scratch is reset */
uint64_t expr_random(struct expr_env *env);  /* splitmix64 over random_state */

/* The 64 bits that the function call e keeps from one evaluation to the next: one for the app, whatever the
 * partition, and first when it is asked for the first time. The pointer holds until the next call. */
uint64_t *expr_sequence(struct expr_env *env, const struct expr *e, uint64_t first);
/* The parts of env that are state. load: 0, or ERR_STATE. */
void expr_env_save(const struct expr_env *env, struct writer *w);
int expr_env_load(struct expr_env *env, struct reader *r);
void expr_env_fini(struct expr_env *env); /* at the app's end; also releases what is loose */

/* What one evaluation looks at. */
struct frame {
    struct expr_env *env;
    struct row *const *rows; /* by slot; NULL: that side is missing (its attributes are null) */
    const struct row *out;   /* the finished output row, for having and order by */
    char *agg;               /* block of aggregator states (struct agg_layout) of the current group */
    int64_t at_ms;           /* eventTimestamp() */
    enum event_kind kind;    /* aggregators add on CURRENT, remove on EXPIRED */
    void *user;              /* for nodes that other rooms add ('in Table') */
};

#define SLOT_OUTPUT UINT16_MAX /* attribute of frame.out */

typedef struct value (*eval_fn)(const struct expr *e, struct frame *f);

/* An aggregator that may be done without a call: agg_spot.h. */
enum agg_spot { SPOT_NONE, SPOT_SUM, SPOT_AVG, SPOT_MAX, SPOT_MIN, SPOT_COUNT };

enum {
    EXPR_CONST = 1,     /* a literal */
    EXPR_PURE = 2,      /* cannot fail, no state: may be skipped when nobody needs the result */
    EXPR_AGGREGATE = 4, /* an aggregator is in it */
};

struct expr {
    eval_fn eval;
    eval_fn touch;  /* aggregators: as eval when nobody looks at the result; NULL: eval */
    enum type type; /* static type of the result */
    uint16_t slot;  /* attribute nodes */
    uint16_t index;
    uint32_t type_at; /* byte offsets inside the row, for attribute nodes */
    uint32_t cell_at;
    unsigned flags;
    enum agg_spot spot; /* aggregators over a plain column of doubles, and count */
    int arg_count;
    struct value literal; /* constants; text kept by the arena of the plan with refs 1 that never reaches 0 */
    struct expr *left, *right;
    struct expr **args;
    size_t agg_at; /* aggregators: offset in the block */
    const struct agg_type *agg;
    const void *config; /* whatever the function's bind prepared (arena) */
    const char *name;   /* function's name, for messages and explain */
    struct span span;
};

static inline struct value expr_eval(const struct expr *e, struct frame *f)
{
    return e->eval(e, f);
}
/* A column of r, which may be NULL: that of an attribute node. */
static inline struct value row_load(const struct row *r, const struct expr *e)
{
    if (UNLIKELY(!r))
        return VALUE_NULL;
    return (struct value){row_cell(r, e->cell_at), (enum type)((const uint8_t *)r)[e->type_at]};
}
struct value eval_attr(const struct expr *e, struct frame *f);
/* As expr_eval; a plain attribute is read on the spot. */
static inline struct value expr_read(const struct expr *e, struct frame *f)
{
    return e->eval == eval_attr ? row_load(f->rows[e->slot], e) : e->eval(e, f);
}
/* False; fails the event when v is neither bool nor null. */
bool expr_not_bool(const struct expr *e, struct frame *f, struct value v);
/* Filter semantics (spec 02 section 5): true only when it is bool true; null is false. */
static inline bool expr_is_true(const struct expr *e, struct frame *f)
{
    struct value v = e->eval(e, f);
    return LIKELY(v.type == TYPE_BOOL) ? v.as.l != 0 : expr_not_bool(e, f, v);
}

/* ---- names ---- */

/* One input of a query as expressions see it. */
struct scope_source {
    const char *id;    /* stream, table, window id; with its mark for inner and fault streams ("#S", "!S") */
    const char *alias; /* or NULL; when set only the alias qualifies */
    const struct schema *schema;
    uint16_t slot;
};
/* Resolves unusual references (patterns: e1[0].a, e1[last].a, whole lists). Returns a node, NULL when it
 * isn't its business or it reported an error (then *reported is set). ref is AST_ATTR or AST_SOURCE. */
struct expr_ctx;
struct scope {
    const struct scope_source *sources;
    int count;
    const struct schema *output; /* having, order by: names of the output, else NULL */
    bool output_only; /* single-stream query: inputs are not visible then (spec 03 section 3), and a qualified
                         name has the id of output, with output_mark before it */
    char output_mark;
    bool qualified_only_last; /* 'in Table': the last source's attributes need the qualifier (spec 02 section
                                 5) */
    struct expr *(*resolve)(struct expr_ctx *c, const struct ast_expr *ref, bool *reported);
    uint16_t (*event_slot)(struct expr_ctx *c,
                           uint16_t slot); /* whose time eventTimestamp(x) is; NULL: slot's */
    void *user;
};

/* ---- aggregators (spec 03 section 6) ---- */

/* States of all aggregators of one select (or having, or window expression) stand in one block, one block a
 * group. */
struct agg_layout {
    size_t bytes;
    struct agg_slot {
        struct agg_slot *next;
        const struct agg_type *type;
        size_t at;
        enum type arg; /* static type of its argument, TYPE_NULL without */
    } * slots;
    int count;      /* of aggregators */
    int slot_count; /* they, and functions that go on from event to event (agg_type.lasts) */
    bool lasts;     /* there is one of those */
    bool removable; /* sliding window, or expired events wanted: min/max really remove (spec 03 section 6) */
    bool is_keyed;  /* one state a group or partition key: an empty one is forgotten with all it remembers */
};
char *agg_block_new(const struct agg_layout *l);
void agg_block_free(const struct agg_layout *l, char *block);  /* NULL is fine */
void agg_block_reset(const struct agg_layout *l, char *block); /* of aggregators; NULL is fine */
void agg_block_fini(const struct agg_layout *l, char *block);  /* what they point at; NULL is fine */
bool agg_block_is_empty(const struct agg_layout *l,
                        const char *block); /* as new: the group can be forgotten */
void agg_block_save(const struct agg_layout *l, const char *block, struct writer *w);
int agg_block_load(const struct agg_layout *l, char *block, struct reader *r); /* block as new before */

/* ---- compile ---- */

struct expr_ctx {
    struct arena *arena;
    struct diags *diags;
    const struct scope *scope;
    struct agg_layout *aggs; /* NULL: an aggregator here is an error */
    /* the tree ends before what is made with it: texts of literals are copied by who keeps them */
    bool is_on_demand;
    /* 'x in Table': engine/plan sets it; NULL: refused. Gets the whole AST_IN node; returns the node or NULL
     * after reporting. */
    struct expr *(*compile_in)(struct expr_ctx *c, const struct ast_expr *in);
    /* define function: NULL or a resolver; returns NULL and *reported false when it has no such function. */
    struct expr *(*script)(struct expr_ctx *c, const struct ast_expr *call, struct expr **args,
                           bool *reported);
    void *user; /* for these hooks */
};

/* NULL after reporting to c->diags. */
struct expr *expr_compile(struct expr_ctx *c, const struct ast_expr *e);
/* As expr_compile, and the static type must be bool; what names the place in the message: "filter", "'on'
 * condition". */
struct expr *expr_compile_bool(struct expr_ctx *c, const struct ast_expr *e, const char *what);
/* A node that reads a column. */
struct expr *expr_attr(struct arena *a, uint16_t slot, uint16_t index, const struct schema *schema);
struct expr *expr_new(struct arena *a, eval_fn eval, enum type type);
struct expr *expr_literal(struct arena *a, struct value v, enum type type);
/* A literal's value as the plan keeps it (text counted, never freed before the arena). */
bool ast_is_constant(const struct ast_expr *e, struct value *out); /* AST_LITERAL only */
/* spec 02 section 7.1; used by convert(), mappers and update. */
struct value value_convert(struct expr_env *env, struct value v, enum type to);
/* Is there a function or an aggregator of this name (namespace may be NULL)? */
bool function_exists(const char *space, const char *name);
bool agg_exists(const char *space, const char *name);

/* The table of functions: functions.c. takes tells count and types of the arguments (letters: fn.h) and is
 * checked first; bind, which may be NULL, gets e with compiled e->args, e->eval and e->type set from the row,
 * and may change them or prepare e->config; reports and returns -1 when it refuses. */
struct function {
    const char *space; /* NULL: built in */
    const char *name;
    const char *takes;
    enum type returns; /* TYPE_NULL: the type of the first argument */
    eval_fn eval;
    int (*bind)(struct expr_ctx *c, struct expr *e, const struct ast_expr *call);
};
const struct function *function_find(const char *space, const char *name);

#endif
