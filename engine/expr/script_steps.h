/* script_steps.h - JavaScript rewritten so that it counts its own steps: Debian's engines have no hook to
 * stop a script that never ends.
 *
 * Every function's start and every turn of a loop ask __weir_step (a turn only each 32nd time, by a local
 * counter), and for-in counts its names in __weir_all. What the engine compiles is this text; the author's
 * text is compiled once before, for its errors. */
#ifndef WEIR_EXPR_SCRIPT_STEPS_H
#define WEIR_EXPR_SCRIPT_STEPS_H

#include "engine/base/buf.h"

/* Appends the rewritten body of a function. body is whole: brackets are balanced, strings and comments are
 * closed. */
void script_steps(const char *body, size_t len, struct buf *out);

#endif
