/* xml.h - XML 1.0 with namespaces, well-formed or refused: a text to a tree in an arena.
 *
 * For messages from outside: UTF-8 only, no entities but the five and numbers, a DOCTYPE only without an
 * internal subset (nothing is loaded or expanded), nesting to LIMIT_PARSE_DEPTH, at most XML_NODES_MAX nodes.
 * Comments and processing instructions leave no node. */
#ifndef WEIR_PORTS_XML_H
#define WEIR_PORTS_XML_H

#include "engine/base/mem.h"

enum { XML_NODES_MAX = 500000 };

struct xml_slice {
    const char *bytes;
    size_t len;
};
struct xml_attribute {
    struct xml_attribute *next;
    struct xml_slice name, local, uri, value;
};
struct xml_node { /* an element, a text (local.bytes NULL), or the document (no parent) */
    struct xml_node *parent, *first, *last, *next;
    struct xml_attribute *attributes;
    struct xml_slice name, local, uri;
    struct xml_slice text;        /* a text's characters; an element's source, tags included */
    struct xml_binding *bindings; /* namespaces in force */
    uint32_t mark;                /* free for xpath */
};

/* The document node, whose only child is the root. NULL: *wrong says why, at byte *at. text must outlive the
 * tree and is valid UTF-8. */
struct xml_node *xml_parse(struct arena *a, const char *text, size_t len, bool allow_doctype,
                           const char **wrong, size_t *at);
static inline bool xml_is_element(const struct xml_node *n)
{
    return n->local.bytes != NULL;
}
bool xml_slice_is(struct xml_slice s, const char *text);
/* What stands directly in the element, joined. */
struct xml_slice xml_text(struct arena *a, const struct xml_node *element);
bool xml_has_elements(const struct xml_node *n);

#endif
