/* xpath.h - the XPath that mappings are written in, over xml.h's trees.
 *
 * Built: /a/b, a/b, //a, a//b, *, ., .., @x, @*, text(), prefix:name, and the conditions [2], [last()], [@x],
 * [@x='v'], [name], [name='v'], [.='v']. A name without a prefix has no namespace. */
#ifndef WEIR_PORTS_XPATH_H
#define WEIR_PORTS_XPATH_H

#include "ports/xml.h"

struct xpath;
/* prefixes: "p=uri,q=uri" or NULL. NULL: *wrong says why, *unbuilt when it may be XPath all the same. */
struct xpath *xpath_compile(struct arena *a, const char *text, const char *prefixes, const char **wrong,
                            bool *unbuilt);

struct xpath_item {
    const struct xml_node *node;           /* an element or a text, or */
    const struct xml_attribute *attribute; /* this */
};
/* In the order of the text, each once. false stops the walk. */
typedef bool (*xpath_fn)(void *user, struct xpath_item item);
/* An absolute path starts at the document of node. serial: another one for each call on a tree (marks nodes).
 */
void xpath_select(const struct xpath *x, struct xml_node *node, uint32_t serial, struct arena *scratch,
                  xpath_fn fn, void *user);

#endif
