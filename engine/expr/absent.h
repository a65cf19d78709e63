/* absent.h - extensions of the language that this engine will not have (spec 20, priority C, and what needs a server
 * around it): refused by name, with the words why and what to use instead. */
#ifndef WEIR_EXPR_ABSENT_H
#define WEIR_EXPR_ABSENT_H

#include "engine/base/diag.h"
#include "engine/lang/ast.h"

/* Reports the call, of a function, stream function or window, when it is one of them; false: it isn't. */
bool absent_report(struct diags *d, const struct ast_expr *call);

#endif
