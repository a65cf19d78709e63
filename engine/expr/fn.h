/* fn.h - for those who write functions: one file a namespace, rows in its table, the table named in
 * functions.c.
 *
 * A row says what the function takes, and functions.c checks it: letters for the static types of the
 * arguments,
 *
 *     s string    i int    l long    f float    d double    b bool    o object
 *     n any number    w int or long    r float or double    j string or object    a anything
 *
 * A capital letter asks for a literal; '?': what follows may be missing; '*' after a letter: none or more of
 * it. Rows of one name stand together; the first that fits is taken. bind, when given, comes after that check
 * and may refuse or prepare. */
#ifndef WEIR_EXPR_FN_H
#define WEIR_EXPR_FN_H

#include "engine/expr/node.h"

extern const struct function fn_core[], fn_str[], fn_math[], fn_time[], fn_json[], fn_list[], fn_map[],
    fn_regex[], fn_geo[], fn_file[], fn_unit[], fn_kalman[]; /* each ends with a row without a name */

static inline struct value arg(const struct expr *e, struct frame *f, int n)
{
    return expr_eval(e->args[n], f);
}
/* Argument n as text; NULL after failing the event when it is null or no string. */
struct text *arg_text(const struct expr *e, struct frame *f, int n);
/* Argument n as an int; false after failing the event when it is null or no int. */
bool arg_int(const struct expr *e, struct frame *f, int n, int32_t *out);
/* Argument n as text that may be null: 1 text, 0 null, -1 the event failed. */
int arg_text_or_null(const struct expr *e, struct frame *f, int n, struct text **out);
/* Any number as double: 1, 0 null, -1 the event failed. */
int arg_double_or_null(const struct expr *e, struct frame *f, int n, double *out);
/* The literal at n (the row has a capital letter there). */
struct value arg_literal(const struct expr *e, int n);
/* A text result in scratch. */
struct value result_text(struct frame *f, const char *bytes, size_t len);
/* The buffer's bytes as a result; ends the buffer. Too much text fails the event. */
struct value result_buf(struct frame *f, struct buf *b);
/* The value's text (Java's); in scratch, or the text itself. */
struct text *text_of(struct expr_env *env, struct value v);
/* Tells what is wrong with argument n of the call, -1. */
int bind_error(struct expr_ctx *c, const struct ast_expr *call, int n, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Does the row's letters fit the arguments? */
bool signature_fits(const char *takes, const struct expr *e);
/* "(string, int)": appends the letters as words. */
void signature_print(struct buf *out, const char *takes);
/* The span of argument n, or of the name when there is none. */
struct span call_span(const struct ast_expr *call, int n);

/* The first argument that isn't null. */
struct value fn_coalesce(const struct expr *e, struct frame *f);

enum { LIMIT_RESULT_BYTES = 8 * 1024 * 1024 };

#endif
