/* dedupe.c - see dedupe.h. */
#include "agent/dedupe.h"
#include "engine/base/json.h"
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *behind_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/* The object from `at`, its bracket, up to end, with a member more; place 0: the key alone. */
static void add_to_object(const char *field, const char *key, uint32_t place, const char *at, const char *end,
                          struct buf *out)
{
    struct buf value;
    buf_init(&value, SIZE_MAX);
    buf_add_str(&value, key);
    if (place)
        buf_printf(&value, "/%u", (unsigned)place);
    buf_add_char(out, '{');
    json_write_string(out, field, strlen(field));
    buf_add_char(out, ':');
    json_write_string(out, value.bytes, value.len);
    buf_fini(&value);
    const char *next = behind_blanks(++at, end);
    if (next < end && *next != '}')
        buf_add_char(out, ',');
    buf_add(out, at, (size_t)(end - at));
}

/* What is no object stays as it is; so does all behind a place that is no JSON. */
static bool add_to_elements(const char *field, const char *key, const char *bytes, size_t len,
                            struct buf *out)
{
    struct json_scan s;
    struct json_token t;
    const char *from = bytes;
    bool first = true, added = false;
    uint32_t place = 0;
    json_scan_init(&s, bytes, len);
    if (!json_value(&s, &t))
        return false;
    while (json_element(&s, &first) && json_value(&s, &t)) {
        const char *at = t.bytes;
        place++;
        if (!json_skip(&s, &t))
            break;
        if (t.kind != JSON_OBJECT)
            continue;
        buf_add(out, from, (size_t)(at - from));
        add_to_object(field, key, place, at, at + t.len, out);
        from = at + t.len;
        added = true;
    }
    if (added)
        buf_add(out, from, (size_t)(bytes + len - from));
    return added;
}

/* ---- XML ---- */

static void add_attribute_value(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == '&')
            buf_add_str(out, "&amp;");
        else if (*text == '<')
            buf_add_str(out, "&lt;");
        else if (*text == '"')
            buf_add_str(out, "&quot;");
        else
            buf_add_char(out, *text);
    }
}

/* The end of a declaration, comment or processing instruction that begins at `at`, or NULL. */
static const char *skip_prologue(const char *at, const char *end)
{
    const char *last = at[1] == '?' ? "?>" : end - at > 3 && memcmp(at, "<!--", 4) == 0 ? "-->" : ">";
    const char *found = memmem(at + 2, (size_t)(end - at - 2), last, strlen(last));
    return found ? found + strlen(last) : NULL;
}

static bool add_to_root(const char *field, const char *key, const char *bytes, const char *at, size_t len,
                        struct buf *out)
{
    const char *end = bytes + len;
    while (at && end - at > 2 && *at == '<' && (at[1] == '?' || at[1] == '!'))
        if ((at = skip_prologue(at, end)) != NULL)
            at = behind_blanks(at, end);
    if (!at || end - at < 3 || *at != '<' || at[1] == '/')
        return false;
    for (at++; at < end && !is_blank(*at) && *at != '>' && *at != '/';)
        at++;
    if (at == end)
        return false;
    buf_add(out, bytes, (size_t)(at - bytes));
    buf_printf(out, " %s=\"", field);
    add_attribute_value(key, out);
    buf_add_char(out, '"');
    buf_add(out, at, (size_t)(end - at));
    return true;
}

bool dedupe_add(const char *field, const char *key, const char *bytes, size_t len, struct buf *out)
{
    const char *at = behind_blanks(bytes, bytes + len);
    if (at == bytes + len)
        return false;
    switch (*at) {
    case '{':
        buf_add(out, bytes, (size_t)(at - bytes));
        add_to_object(field, key, 0, at, bytes + len, out);
        return true;
    case '[':
        return add_to_elements(field, key, bytes, len, out);
    case '<':
        return add_to_root(field, key, bytes, at, len, out);
    default:
        return false;
    }
}
