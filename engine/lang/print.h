/* print.h - the tree as text again: one spelling for each construct, so that two trees are equal when their
 * texts are. What is printed parses to the same tree (spans aside). For tests, explain and messages. */
#ifndef WEIR_LANG_PRINT_H
#define WEIR_LANG_PRINT_H

#include "engine/base/buf.h"
#include "engine/lang/ast.h"

void print_app(const struct ast_app *app, struct buf *out);
void print_query(const struct ast_query *q, struct buf *out);
void print_ondemand(const struct ast_ondemand *q, struct buf *out);
void print_expr(const struct ast_expr *e, struct buf *out);

#endif
