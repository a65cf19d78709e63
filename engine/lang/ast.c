/* ast.c - what is asked of a tree. Names of annotations and their elements compare ignoring the case of ASCII
 * letters. */
#include "engine/lang/ast.h"

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool same(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

const struct ast_annotation *ast_find_annotation(const struct ast_annotation *list, const char *name)
{
    for (; list; list = list->next)
        if (same(list->name.text, name))
            return list;
    return NULL;
}

const struct ast_element *ast_find_element(const struct ast_annotation *a, const char *key)
{
    if (!a)
        return NULL;
    for (const struct ast_element *e = a->elements; e; e = e->next)
        if (e->key.text && same(e->key.text, key))
            return e;
    return NULL;
}

enum ast_expr_kind ast_mirrored(enum ast_expr_kind op)
{
    switch ((int)op) {
    case AST_LT:
        return AST_GT;
    case AST_LE:
        return AST_GE;
    case AST_GT:
        return AST_LT;
    case AST_GE:
        return AST_LE;
    default:
        return op;
    }
}
