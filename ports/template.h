/* template.h - text with {{attribute}} in it: payloads and dynamic options (spec 21 section 0). Compiled
 * once; immutable. */
#ifndef WEIR_PORTS_TEMPLATE_H
#define WEIR_PORTS_TEMPLATE_H

#include "engine/base/diag.h"
#include "engine/data/row.h"
#include "engine/data/schema.h"

struct template_part {
    const char *text; /* literal, or NULL */
    size_t len;
    int attribute; /* index, when text is NULL */
};
struct template
{
    struct template_part *parts;
    int count;
    bool is_constant;
    int object; /* the whole template is exactly this attribute's name; else -1 */
};

/* Is there a {{name}} in it? An option without one is static. */
bool template_is_dynamic(const char *text);
/* Unknown attribute: reported at span; NULL. */
struct template *template_compile(struct arena *a, struct diags *diags, struct span at, const char *text,
                                  const struct schema *schema);
/* null_text: what a null value becomes ("null", "undefined"). */
void template_render(const struct template *t, const struct row *row, const char *null_text, struct buf *out);

#endif
