/* configure.c - options from annotations. Names compare ignoring case, as the language's keys do. */
#include "ports/configure.h"
#include "engine/base/num.h"
#include "ports/template.h"
#include <string.h>
#include <strings.h>

const struct ast_element *configure_element(const struct ast_element *const *lists, int list_count,
                                            const char *name)
{
    for (int i = list_count - 1; i >= 0; i--) {
        const struct ast_element *found = NULL;
        for (const struct ast_element *e = lists[i]; e; e = e->next)
            if (e->key.text && strcasecmp(e->key.text, name) == 0)
                found = e;
        if (found)
            return found;
    }
    return NULL;
}

static bool is_prefix(const struct option *o)
{
    size_t len = strlen(o->name);
    return len > 1 && o->name[len - 1] == '*';
}

static bool is_named(const struct option *o, const char *name)
{
    if (is_prefix(o))
        return strncasecmp(o->name, name, strlen(o->name) - 1) == 0;
    return strcasecmp(o->name, name) == 0;
}

static bool is_for_side(const struct configure *c, const struct option *o)
{
    unsigned sides = o->flags & (OPTION_SOURCE | OPTION_SINK);
    return sides == 0 || (sides & (c->is_sink ? OPTION_SINK : OPTION_SOURCE)) != 0;
}

static bool is_reserved(const struct configure *c, const char *name)
{
    for (const char *const *r = c->reserved; r && *r; r++)
        if (strcasecmp(*r, name) == 0)
            return true;
    return false;
}

/* What nobody will read: Siddhi ignores it in silence, we say so. */
static void warn_unknown(const struct configure *c, const struct ast_element *e)
{
    if (!e->key.text) {
        diag_warn(c->diags, e->span, "a value without a name is ignored here");
        return;
    }
    if (is_reserved(c, e->key.text))
        return;
    const char **names = arena_array(c->arena, (size_t)c->table_count, sizeof(*names));
    for (int i = 0; i < c->table_count; i++) {
        if (is_named(&c->table[i], e->key.text)) {
            if (is_for_side(c, &c->table[i]))
                return;
            diag_warn(c->diags, e->key.span, "'%s' has no meaning for a %s and is ignored", e->key.text,
                      c->is_sink ? "sink" : "source");
            return;
        }
        names[i] = c->table[i].name;
    }
    const char *near = diag_near(e->key.text, names, (size_t)c->table_count);
    diag_warn(c->diags, e->key.span, "%s has no option '%s'; it is ignored", c->what, e->key.text);
    if (near)
        diag_hint(c->diags, "did you mean '%s'?", near);
}

static bool check_value(const struct configure *c, const struct option *o, const struct ast_element *e)
{
    int32_t i;
    int64_t l;
    size_t len = strlen(e->value);
    bool good = true;
    if (o->kind == OPTION_INT)
        good = num_parse_int(e->value, len, &i);
    else if (o->kind == OPTION_LONG)
        good = num_parse_long(e->value, len, &l);
    if (!good)
        diag_error(c->diags, e->span, "'%s' of %s wants a whole number", o->name, c->what);
    return good;
}

/* One slot from the element that won. */
static bool configure_slot(const struct configure *c, const struct option *o, const struct ast_element *e,
                           struct option_value *slot)
{
    slot->text = o->standard;
    if (!e) {
        if ((o->flags & OPTION_REQUIRED) == 0)
            return true;
        diag_error(c->diags, c->at, "%s needs the option '%s'", c->what, o->name);
        if (o->help)
            diag_hint(c->diags, "%s: %s", o->name, o->help);
        return false;
    }
    if (template_is_dynamic(e->value)) {
        if ((o->flags & OPTION_DYNAMIC) == 0 || !c->is_sink || !c->dynamic) {
            diag_error(c->diags, e->span,
                       "'%s' of %s cannot hold {{attributes}}: it is read once, at the start", o->name,
                       c->what);
            return false;
        }
        slot->text = NULL;
        c->dynamic(c->user, o, e);
        return true;
    }
    slot->text = arena_strdup(c->arena, e->value);
    return check_value(c, o, e);
}

bool configure(const struct configure *c, const struct ast_element *const *lists, int list_count,
               struct options *out)
{
    size_t most = (size_t)c->table_count;
    for (int i = 0; i < list_count; i++) {
        for (const struct ast_element *e = lists[i]; e; e = e->next) {
            warn_unknown(c, e);
            most++;
        }
    }
    out->values = arena_array(c->arena, most, sizeof(*out->values));
    out->count = 0;
    bool good = true;
    for (int t = 0; t < c->table_count; t++) {
        const struct option *o = &c->table[t];
        if (!is_for_side(c, o))
            continue;
        if (!is_prefix(o)) {
            struct option_value *slot = &out->values[out->count++];
            slot->name = o->name;
            good &= configure_slot(c, o, configure_element(lists, list_count, o->name), slot);
            continue;
        }
        for (int i = 0; i < list_count; i++) {
            for (const struct ast_element *e = lists[i]; e; e = e->next) {
                if (!e->key.text || !is_named(o, e->key.text))
                    continue;
                if (e != configure_element(lists, list_count, e->key.text))
                    continue;
                struct option_value *slot = &out->values[out->count++];
                slot->name = arena_strdup(c->arena, e->key.text);
                good &= configure_slot(c, o, e, slot);
            }
        }
    }
    return good;
}
