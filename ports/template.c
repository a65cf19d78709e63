/* template.c - text with {{attribute}} in it.
 *
 * A place to fill is "{{", no brace, "}}". Every other brace is text, so "{{{a}}}" is a brace, the attribute
 * and a brace, and JSON needs no escapes. */
#include "ports/template.h"
#include <string.h>

/* Length of the name at text, which begins with "{{name}}"; -1 when it doesn't. */
static long place_len(const char *text)
{
    if (text[0] != '{' || text[1] != '{')
        return -1;
    size_t len = strcspn(text + 2, "{}");
    return text[2 + len] == '}' && text[3 + len] == '}' ? (long)len : -1;
}

bool template_is_dynamic(const char *text)
{
    for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{'))
        if (place_len(p) >= 0)
            return true;
    return false;
}

static int find_attribute(const struct schema *schema, const char *name, size_t len)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (strncmp(schema->attributes[i].name, name, len) == 0 && schema->attributes[i].name[len] == '\0')
            return (int)i;
    return -1;
}

static void unknown(struct arena *a, struct diags *diags, struct span at, const char *name, size_t len,
                    const struct schema *schema)
{
    const char *text = arena_strndup(a, name, len);
    diag_error(diags, at, "stream '%s' has no attribute '%s' for {{%s}}", schema->id, text, text);
    const char **names = arena_array(a, schema->count, sizeof(*names));
    for (uint32_t i = 0; i < schema->count; i++)
        names[i] = schema->attributes[i].name;
    const char *near = diag_near(text, names, schema->count);
    if (near)
        diag_hint(diags, "did you mean {{%s}}?", near);
}

static struct template *constant(struct arena *a, struct template *t, const char *text, size_t len)
{
    t->parts = arena_array(a, 1, sizeof(*t->parts));
    t->parts[0] = (struct template_part){.text = arena_strndup(a, text, len), .len = len, .attribute = -1};
    t->count = 1;
    t->is_constant = true;
    return t;
}

/* "price" is the attribute's value itself, "`price`" the word. */
static struct template *compile_whole(struct arena *a, struct template *t, const char *text,
                                      const struct schema *schema)
{
    static const char blanks[] = " \t\r\n";
    const char *begin = text + strspn(text, blanks), *end = text + strlen(text);
    while (end > begin && strchr(blanks, end[-1]))
        end--;
    size_t len = (size_t)(end - begin);
    int attribute = find_attribute(schema, begin, len);
    if (len > 0 && attribute >= 0) {
        t->object = attribute;
        t->parts = arena_array(a, 1, sizeof(*t->parts));
        t->parts[0] = (struct template_part){.attribute = attribute};
        t->count = 1;
        return t;
    }
    if (len > 2 && begin[0] == '`' && end[-1] == '`' && find_attribute(schema, begin + 1, len - 2) >= 0)
        return constant(a, t, begin + 1, len - 2);
    return NULL;
}

struct template *template_compile(struct arena *a, struct diags *diags, struct span at, const char *text,
                                  const struct schema *schema)
{
    struct template *t = arena_alloc(a, sizeof(*t));
    t->object = -1;
    if (compile_whole(a, t, text, schema))
        return t;
    if (!template_is_dynamic(text))
        return constant(a, t, text, strlen(text));
    size_t braces = 0;
    for (const char *p = text; *p; p++)
        braces += *p == '{';
    t->parts = arena_array(a, braces + 1, sizeof(*t->parts)); /* a place and the text before it: two braces */
    bool failed = false;
    const char *plain = text, *p = text;
    while (*p) {
        long len = place_len(p);
        if (len < 0) {
            p++;
            continue;
        }
        if (p > plain)
            t->parts[t->count++] =
                (struct template_part){.text = arena_strndup(a, plain, (size_t)(p - plain)),
                                       .len = (size_t)(p - plain),
                                       .attribute = -1};
        int attribute = find_attribute(schema, p + 2, (size_t)len);
        if (attribute < 0) {
            unknown(a, diags, at, p + 2, (size_t)len, schema);
            failed = true;
        }
        t->parts[t->count++] = (struct template_part){.attribute = attribute};
        p += len + 4;
        plain = p;
    }
    if (*plain)
        t->parts[t->count++] = (struct template_part){.text = plain, .len = strlen(plain), .attribute = -1};
    return failed ? NULL : t;
}

void template_render(const struct template *t, const struct row *row, const char *null_text, struct buf *out)
{
    for (int i = 0; i < t->count; i++) {
        const struct template_part *part = &t->parts[i];
        if (part->text) {
            buf_add(out, part->text, part->len);
            continue;
        }
        struct value v = row_get(row, (size_t)part->attribute);
        if (is_null(v))
            buf_add_str(out, null_text);
        else
            value_print(v, out);
    }
}
