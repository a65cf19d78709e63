/* mustache.h - the template language that mapper text knows beside its own (spec 21 section 3.2).
 *
 * {{a}} is the attribute's text escaped for HTML, {{{a}}} and {{&a}} as it is; a null, and a name that the
 * stream does not have, is nothing. {{#a}}..{{/a}} is there when a is neither null, false nor empty,
 * {{^a}}..{{/a}} when it is; {{.}} is the value of the section around. {{! says nothing }}, {{=<% %>=}} sets
 * other marks. The end of the line goes behind a section's first mark, and behind the last one of a section
 * of several lines, when only blanks stand before it. No partials. */
#ifndef WEIR_PORTS_MUSTACHE_H
#define WEIR_PORTS_MUSTACHE_H

#include "engine/base/blocks.h"
#include "engine/base/buf.h"
#include "engine/base/diag.h"
#include "engine/data/row.h"
#include "engine/data/schema.h"

struct mustache;

/* Kept in the arena. NULL after reporting at the span. */
struct mustache *mustache_compile(struct arena *a, struct diags *diags, struct span at, const char *text,
                                  const struct schema *schema);
void mustache_render(const struct mustache *m, const struct row *row, struct buf *out);

#endif
