/* fn_json.h - JSON arguments, shared by json: functions, aggregators and #json:tokenize. */
#ifndef WEIR_EXPR_FN_JSON_H
#define WEIR_EXPR_FN_JSON_H

#include "engine/expr/fn.h"
#include "engine/expr/json_tree.h"

/* Argument n, text or object, as a tree; NULL after failing the event. */
struct json_node *arg_json(const struct expr *e, struct frame *f, int n);
/* The path of argument n: e->config when it was a literal; NULL after failing the event. */
const struct json_path *arg_path(const struct expr *e, struct frame *f, int n);
int bind_path(struct expr_ctx *c, struct expr *e, const struct ast_expr *call);
/* What the path of argument 1 leads to in argument 0; NULL: nothing, or the event failed. */
struct json_node *arg_element(const struct expr *e, struct frame *f);
/* Compact JSON text; NaN and infinities fail the event. */
struct value json_written(struct frame *f, const struct json_node *n);
/* Text of a value that json:getString gives: strings as they are. */
struct value json_text(struct frame *f, const struct json_node *n);

#endif
