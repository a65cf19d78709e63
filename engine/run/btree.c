/* btree.c - see btree.h. Leaves are linked both ways. In an inner node, item i's key is a bound: all below
 * child i are not before it (that of child 0 is not looked at). A leaf that is full at its right end, with a
 * new greatest item, stays full: keys that come in ascending order fill their nodes. */
#include "engine/run/btree.h"
#include "engine/base/err.h"
#include "engine/base/mem.h"
#include <string.h>

enum { PLACES = 40 };

struct item {
    uint64_t key, order;
    void *what; /* a child in inner nodes */
};
struct btree_node {
    int count;
    bool is_leaf;
    struct btree_node *prev, *next; /* leaves */
    struct item items[PLACES];
};

static struct btree_node *node_new(bool is_leaf)
{
    struct btree_node *n = mem_pool_alloc(sizeof(*n));
    n->count = 0;
    n->is_leaf = is_leaf;
    n->prev = n->next = NULL;
    return n;
}

static void node_free(struct btree_node *n)
{
    mem_pool_free(n, sizeof(*n));
}

static void node_free_all(struct btree_node *n)
{
    for (int i = 0; i < n->count && !n->is_leaf; i++)
        node_free_all(n->items[i].what);
    node_free(n);
}

void btree_fini(struct btree *t)
{
    if (t->root)
        node_free_all(t->root);
    *t = (struct btree){0};
}

static bool before(const struct item *i, uint64_t key, uint64_t order)
{
    return i->key < key || (i->key == key && i->order < order);
}

/* The first item that is not before (key, order). */
static int lower(const struct btree_node *n, uint64_t key, uint64_t order)
{
    int low = 0, high = n->count;
    while (low < high) {
        int mid = (low + high) / 2;
        if (before(&n->items[mid], key, order))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The child in which (key, order) belongs. */
static int child_of(const struct btree_node *n, uint64_t key, uint64_t order)
{
    int low = 1, high = n->count;
    while (low < high) {
        int mid = (low + high) / 2;
        const struct item *i = &n->items[mid];
        if (i->key < key || (i->key == key && i->order <= order))
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

static void item_insert(struct btree_node *n, int at, struct item item)
{
    memmove(n->items + at + 1, n->items + at, (size_t)(n->count - at) * sizeof(item));
    n->items[at] = item;
    n->count++;
}

/* Puts item at place at; a full node is split, and the new right half is given back. */
static struct btree_node *node_put(struct btree_node *n, int at, struct item item)
{
    if (n->count < PLACES) {
        item_insert(n, at, item);
        return NULL;
    }
    struct btree_node *right = node_new(n->is_leaf);
    int keep = at == PLACES && (!n->is_leaf || !n->next) ? PLACES : PLACES / 2;
    right->count = PLACES - keep;
    memcpy(right->items, n->items + keep, (size_t)right->count * sizeof(item));
    n->count = keep;
    if (n->is_leaf) {
        right->next = n->next;
        right->prev = n;
        if (n->next)
            n->next->prev = right;
        n->next = right;
    }
    if (at > keep || keep == PLACES)
        item_insert(right, at - keep, item);
    else
        item_insert(n, at, item);
    return right;
}

/* The new right neighbour of n, or NULL. */
static struct btree_node *node_add(struct btree_node *n, struct item item)
{
    if (n->is_leaf)
        return node_put(n, lower(n, item.key, item.order), item);
    int at = child_of(n, item.key, item.order);
    struct btree_node *right = node_add(n->items[at].what, item);
    if (!right)
        return NULL;
    return node_put(n, at + 1, (struct item){right->items[0].key, right->items[0].order, right});
}

void btree_add(struct btree *t, uint64_t key, uint64_t order, void *what)
{
    if (!t->root)
        t->root = node_new(true);
    struct btree_node *right = node_add(t->root, (struct item){key, order, what});
    t->count++;
    if (!right)
        return;
    struct btree_node *root = node_new(false);
    root->count = 2;
    root->items[0] = (struct item){0, 0, t->root};
    root->items[1] = (struct item){right->items[0].key, right->items[0].order, right};
    t->root = root;
}

static void leaf_unlink(struct btree_node *n)
{
    if (n->prev)
        n->prev->next = n->next;
    if (n->next)
        n->next->prev = n->prev;
}

/* True when n is empty now and was freed. */
static bool node_remove(struct btree_node *n, uint64_t key, uint64_t order)
{
    int at = n->is_leaf ? lower(n, key, order) : child_of(n, key, order);
    ASSERT(at < n->count);
    if (n->is_leaf)
        ASSERT(n->items[at].key == key && n->items[at].order == order);
    else if (!node_remove(n->items[at].what, key, order))
        return false;
    n->count--;
    memmove(n->items + at, n->items + at + 1, (size_t)(n->count - at) * sizeof(struct item));
    if (n->count > 0)
        return false;
    if (n->is_leaf)
        leaf_unlink(n);
    node_free(n);
    return true;
}

void btree_remove(struct btree *t, uint64_t key, uint64_t order)
{
    ASSERT(t->root);
    if (node_remove(t->root, key, order))
        t->root = NULL;
    t->count--;
    while (t->root && !t->root->is_leaf && t->root->count == 1) {
        struct btree_node *only = t->root->items[0].what;
        node_free(t->root);
        t->root = only;
    }
}

struct btree_at btree_seek(const struct btree *t, uint64_t key, uint64_t order)
{
    struct btree_node *n = t->root;
    if (!n)
        return (struct btree_at){NULL, 0};
    while (!n->is_leaf)
        n = n->items[child_of(n, key, order)].what;
    return (struct btree_at){n, lower(n, key, order)};
}

void **btree_slot(const struct btree *t, uint64_t key, uint64_t order)
{
    struct btree_at at = btree_seek(t, key, order);
    if (at.node && at.place == at.node->count)
        at = (struct btree_at){at.node->next, 0};
    if (!at.node || at.node->items[at.place].key != key || at.node->items[at.place].order != order)
        return NULL;
    return &at.node->items[at.place].what;
}

void *btree_next(struct btree_at *at, uint64_t *key)
{
    while (at->node && at->place >= at->node->count) {
        at->node = at->node->next;
        at->place = 0;
    }
    if (!at->node)
        return NULL;
    const struct item *i = &at->node->items[at->place++];
    if (key)
        *key = i->key;
    return i->what;
}

uint64_t btree_order(const struct btree_at *at)
{
    return at->node->items[at->place - 1].order;
}
