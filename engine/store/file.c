/* file.c - see file.h.
 *
 * The file: pages of one size. The first two are the beginnings (meta): each transaction writes the one of
 * its number's parity, so the other is whole whenever a write is torn. A beginning names two trees, of free
 * pages and of names (top); top's records are the shelves' trees, and the serial. Branch pages hold (key,
 * page), leaf pages (key, value or the first of a run of overflow pages). */
#include "engine/store/file.h"
#include "engine/base/mem.h"
#include "engine/store/store_in.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As LMDB 0.9 has them; its words are as wide as size_t. */
struct page_head {
    size_t number;
    uint16_t pad, flags;
    uint16_t lower, upper; /* overflow: both together the number of pages */
};
struct tree_head {
    uint32_t pad;
    uint16_t flags, depth;
    size_t branches, leaves, overflows, entries, root;
};
struct meta {
    uint32_t magic, version;
    void *address;
    size_t map_bytes;
    struct tree_head free, top;
    size_t last_page, number;
};
struct node {
    uint16_t halves[2]; /* low half first on a little machine */
    uint16_t flags, key_len;
};
enum {
    IS_BRANCH = 1,
    IS_LEAF = 2,
    IS_OVERFLOW = 4,
    IS_META = 8,
    NODE_BIG = 1,
    NODE_TREE = 2,
    BY_NUMBER = 8,
    METAS = 2,
    DEPTH_MOST = 32
};
enum { HEAD_BYTES = sizeof(size_t) + 8, NODE_BYTES = 8, PAGE_MOST = 65536, KEY_MOST = 511 };
static const uint32_t META_MAGIC = 0xBEEFC0DE;
enum tree_kind { TREE_SHELF, TREE_TOP, TREE_FREE };

struct walk {
    const struct store_visitor *visitor;
    struct store_seen *seen;
    int fd;
    size_t page_bytes;
    uint64_t end;                /* pages that this state of the file has */
    uint64_t last_number;        /* of its transaction */
    unsigned char *used, *freed; /* a bit a page */
    bool free_is_known, has_lost_pages;
    struct tree_head shelves[STORE_SHELVES];
    bool has_shelf[STORE_SHELVES];
    uint64_t serial;
    uint32_t format; /* 0: not found */
    struct buf big;  /* a value that has pages of its own */
};
struct tree {
    struct walk *w;
    enum tree_kind kind;
    enum store_shelf shelf; /* STORE_SHELVES: none */
    struct tree_head head;
    uint64_t branches, leaves, overflows, entries, damages;
    unsigned char last[KEY_MOST]; /* the key before */
    size_t last_len;
    bool has_last;
};
/* The keys between which a page's must lie: low <= key < high; NULL: no bound. */
struct bounds {
    const void *low, *high;
    size_t low_len, high_len;
};

static bool bit(const unsigned char *bits, uint64_t at)
{
    return bits[at / 8] >> (at % 8) & 1;
}

static void set_bit(unsigned char *bits, uint64_t at)
{
    bits[at / 8] |= (unsigned char)(1U << (at % 8));
}

static void damaged(struct walk *w, const struct store_damage *d)
{
    w->seen->damages++;
    if (w->visitor->damage)
        w->visitor->damage(w->visitor->user, d);
}

static void page_damaged(struct tree *t, uint64_t page, const struct bounds *b, const char *words)
{
    t->damages++;
    t->w->has_lost_pages = true;
    damaged(t->w, &(struct store_damage){.shelf = t->shelf,
                                         .words = words,
                                         .page = page,
                                         .loses = true,
                                         .low = b->low,
                                         .low_len = b->low_len,
                                         .high = b->high,
                                         .high_len = b->high_len});
}

static void misplaced(struct tree *t, uint64_t page, const char *words)
{
    t->damages++;
    damaged(t->w, &(struct store_damage){.shelf = t->shelf, .words = words, .page = page});
}

/* ---- pages ---- */

static bool read_at(const struct walk *w, uint64_t page, void *to, size_t len)
{
    off_t at = (off_t)(page * w->page_bytes);
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(w->fd, (char *)to + done, len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static struct page_head head_of(const unsigned char *page)
{
    struct page_head h;
    memcpy(&h, page, sizeof h.number);
    memcpy(&h.pad, page + sizeof h.number, 8);
    return h;
}

static struct node node_at(const unsigned char *page, size_t at)
{
    struct node n;
    memcpy(&n, page + at, sizeof n);
    return n;
}

static uint32_t node_word(const struct node *n)
{
    uint32_t low = n->halves[0], high = n->halves[1];
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? high << 16 | low : low << 16 | high;
}

static uint64_t child_of(const struct node *n)
{
    uint64_t top = sizeof(size_t) > 4 ? n->flags : 0;
    return top << 32 | node_word(n);
}

static uint16_t place_of(const unsigned char *page, size_t i)
{
    uint16_t at;
    memcpy(&at, page + HEAD_BYTES + i * sizeof at, sizeof at);
    return at;
}

/* Where the node lies and how long it is; 0: not inside the page. */
static size_t node_len(const struct walk *w, const unsigned char *page, const struct page_head *h, size_t at)
{
    if (at % 2 || at < h->upper || at + NODE_BYTES > w->page_bytes)
        return 0;
    struct node n = node_at(page, at);
    size_t len = NODE_BYTES + n.key_len;
    if (h->flags == IS_LEAF)
        len += n.flags & NODE_BIG ? sizeof(size_t) : node_word(&n);
    return n.key_len > KEY_MOST || at + len > w->page_bytes ? 0 : len;
}

/* What is wrong with a page as such; NULL: nothing. */
static const char *page_wrong(const struct walk *w, const unsigned char *page, uint64_t number,
                              uint16_t flags)
{
    struct page_head h = head_of(page);
    size_t bytes = 0;
    if (h.number != number)
        return "a page carries another's number";
    if (h.flags != flags)
        return "a page is of another kind than it should be";
    if (h.lower <= HEAD_BYTES || h.lower % 2 || h.lower > h.upper || h.upper > w->page_bytes)
        return "the head of a page is damaged";
    size_t count = (h.lower - HEAD_BYTES) / sizeof(uint16_t);
    for (size_t i = 0; i < count; i++) {
        size_t len = node_len(w, page, &h, place_of(page, i));
        bytes += (len + 1) & ~(size_t)1;
        if (!len)
            return flags == IS_LEAF ? NULL : "the list of a page is damaged"; /* of a leaf the other records
                                                                                 are still good: see leaf */
    }
    return flags == IS_BRANCH && bytes != w->page_bytes - h.upper ? "the records of a page don't fill it"
                                                                  : NULL;
}

/* Takes a page of the tree: each belongs to one place only. */
static const char *claim(struct walk *w, uint64_t page, uint64_t count)
{
    if (page < METAS || page >= w->end || count > w->end - page)
        return "a page lies outside of the file";
    for (uint64_t i = 0; i < count; i++) {
        if (bit(w->used, page + i))
            return "a page is used twice";
        if (bit(w->freed, page + i))
            return "a page is in use and free";
    }
    for (uint64_t i = 0; i < count; i++)
        set_bit(w->used, page + i);
    w->seen->used_pages += count;
    return NULL;
}

/* ---- records ---- */

static int order(const struct tree *t, const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (t->kind == TREE_FREE) {
        size_t x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return x < y ? -1 : x > y;
    }
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c ? c : a_len < b_len ? -1 : a_len > b_len;
}

/* The value of a record into *bytes: in the page, or in w->big. NULL, or what is wrong. */
static const char *read_value(struct walk *w, const unsigned char *page, size_t at, const void **bytes,
                              size_t *len, uint64_t *pages)
{
    struct node n = node_at(page, at);
    unsigned char head[HEAD_BYTES];
    size_t first;
    uint32_t count;
    *bytes = page + at + NODE_BYTES + n.key_len;
    *len = node_word(&n);
    *pages = 0;
    if (!(n.flags & NODE_BIG))
        return NULL;
    memcpy(&first, *bytes, sizeof first);
    uint64_t wanted = (HEAD_BYTES - 1 + (uint64_t)*len) / w->page_bytes + 1;
    if (first < METAS || first >= w->end || wanted > w->end - first || !read_at(w, first, head, sizeof head))
        return "the pages of a long record lie outside of the file";
    struct page_head h = head_of(head);
    memcpy(&count, head + sizeof h.number + 4, sizeof count);
    /* a value put over a longer one in the same transaction keeps its pages */
    if (h.number != first || h.flags != IS_OVERFLOW || count < wanted || count > w->end - first)
        return "the first page of a long record is damaged";
    const char *wrong = claim(w, first, count);
    if (wrong)
        return wrong;
    *pages = count;
    buf_clear(&w->big);
    char *to = buf_reserve(&w->big, HEAD_BYTES + *len);
    if (!to || !read_at(w, first, to, HEAD_BYTES + *len))
        return "the pages of a long record lie outside of the file";
    *bytes = to + HEAD_BYTES;
    return NULL;
}

static const char *take_free(struct tree *t, const void *key, size_t key_len, const void *bytes, size_t len)
{
    struct walk *w = t->w;
    size_t number, count, id, before = SIZE_MAX;
    if (key_len != sizeof number || len < sizeof count)
        return "a record of free pages is damaged";
    memcpy(&number, key, sizeof number);
    memcpy(&count, bytes, sizeof count);
    if (number > w->last_number || count > len / sizeof id - 1)
        return "a record of free pages is damaged";
    for (size_t i = 0; i < count; i++, before = id) {
        memcpy(&id, (const char *)bytes + (i + 1) * sizeof id, sizeof id);
        if (id < METAS || id >= w->end || id >= before || bit(w->freed, id) || bit(w->used, id))
            return "the list of free pages is damaged";
        set_bit(w->freed, id);
        w->seen->free_pages++;
    }
    return NULL;
}

static const char *take_top(struct tree *t, uint16_t flags, const void *key, size_t key_len,
                            const void *bytes, size_t len)
{
    struct walk *w = t->w;
    if (flags == 0 && key_len == strlen(STORE_SERIAL) && memcmp(key, STORE_SERIAL, key_len) == 0 &&
        len == sizeof w->serial) {
        memcpy(&w->serial, bytes, sizeof w->serial);
        return NULL;
    }
    for (int i = 0; i < STORE_SHELVES && flags == NODE_TREE && len == sizeof(struct tree_head); i++) {
        const char *name = store_shelf_name((enum store_shelf)i);
        if (strlen(name) != key_len || memcmp(name, key, key_len) != 0)
            continue;
        memcpy(&w->shelves[i], bytes, len);
        w->has_shelf[i] = true;
        return NULL;
    }
    return "a name of a shelf is damaged";
}

/* The first format had no checksums. */
static void note_format(struct walk *w, const struct store_item *item)
{
    if (item->key_len != 6 || memcmp(item->key, "format", 6) != 0)
        return;
    if (item->len == sizeof w->format ||
        store_sum_fits(STORE_META, item->key, item->key_len, item->bytes, item->len))
        memcpy(&w->format, item->bytes, item->len >= sizeof w->format ? sizeof w->format : 0);
}

static const char *take_shelf(struct walk *w, enum store_shelf shelf, uint16_t flags, struct store_item *item)
{
    if (shelf == STORE_META)
        note_format(w, item);
    if ((flags & ~NODE_BIG) || !store_sum_fits(shelf, item->key, item->key_len, item->bytes, item->len))
        return "a record's checksum is wrong";
    item->len -= STORE_SUM_BYTES;
    w->seen->shelves[shelf].records++;
    w->seen->shelves[shelf].bytes += item->key_len + item->len;
    if (w->visitor->item)
        w->visitor->item(w->visitor->user, shelf, item);
    return NULL;
}

/* One record of a leaf. NULL, or what is wrong with it. */
static const char *take(struct tree *t, const unsigned char *page, size_t at)
{
    struct node n = node_at(page, at);
    struct store_item item = {.key = page + at + NODE_BYTES, .key_len = n.key_len};
    uint64_t pages;
    const char *wrong = read_value(t->w, page, at, &item.bytes, &item.len, &pages);
    t->overflows += pages;
    if (wrong)
        return wrong;
    if (t->kind == TREE_FREE)
        return take_free(t, item.key, item.key_len, item.bytes, item.len);
    if (t->kind == TREE_TOP)
        return take_top(t, n.flags, item.key, item.key_len, item.bytes, item.len);
    return take_shelf(t->w, t->shelf, n.flags, &item);
}

/* ---- trees ---- */

/* It lies between the one before it and the one behind it. */
static void record_damaged(struct tree *t, const unsigned char *page, uint64_t number, size_t i,
                           const char *wrong, const struct bounds *b, bool has_key)
{
    struct walk *w = t->w;
    struct page_head h = head_of(page);
    struct store_damage d = {.shelf = t->shelf, .words = wrong, .page = number, .loses = true};
    d.low = t->has_last ? t->last : b->low;
    d.low_len = t->has_last ? t->last_len : b->low_len;
    d.high = b->high;
    d.high_len = b->high_len;
    if (i + 1 < (h.lower - HEAD_BYTES) / sizeof(uint16_t) && node_len(w, page, &h, place_of(page, i + 1))) {
        d.high = page + place_of(page, i + 1) + NODE_BYTES;
        d.high_len = node_at(page, place_of(page, i + 1)).key_len;
    }
    if (has_key) {
        d.key = page + place_of(page, i) + NODE_BYTES;
        d.key_len = node_at(page, place_of(page, i)).key_len;
    }
    t->damages++;
    damaged(w, &d);
}

static void leaf(struct tree *t, const unsigned char *page, uint64_t number, const struct bounds *b)
{
    struct walk *w = t->w;
    struct page_head h = head_of(page);
    size_t count = (h.lower - HEAD_BYTES) / sizeof(uint16_t), filled = 0;
    uint64_t damages = t->damages;
    for (size_t i = 0; i < count; i++) {
        size_t at = place_of(page, i), len = node_len(w, page, &h, at);
        struct node n = len ? node_at(page, at) : (struct node){0};
        const unsigned char *key = len ? page + at + NODE_BYTES : NULL;
        filled += (len + 1) & ~(size_t)1;
        t->entries++;
        bool has_key = n.key_len > 0 && (t->kind != TREE_FREE || n.key_len == sizeof(size_t));
        const char *wrong = has_key ? take(t, page, at) : "a record is damaged";
        if (wrong) {
            record_damaged(t, page, number, i, wrong, b, has_key);
            continue;
        }
        bool is_behind = !t->has_last || order(t, key, n.key_len, t->last, t->last_len) > 0;
        bool is_inside = (!b->low || order(t, key, n.key_len, b->low, b->low_len) >= 0) &&
                         (!b->high || order(t, key, n.key_len, b->high, b->high_len) < 0);
        if (!is_behind || !is_inside)
            misplaced(t, number, "a record lies where it would not be found");
        memcpy(t->last, key, n.key_len);
        t->last_len = n.key_len;
        t->has_last = true;
    }
    if (filled != w->page_bytes - h.upper && t->damages == damages)
        misplaced(t, number, "the records of a page don't fill it");
}

static void subtree(struct tree *t, uint64_t number, unsigned level, const struct bounds *b);

static void branch(struct tree *t, const unsigned char *page, uint64_t number, unsigned level,
                   const struct bounds *b)
{
    struct page_head h = head_of(page);
    size_t count = (h.lower - HEAD_BYTES) / sizeof(uint16_t);
    for (size_t i = 0; i < count; i++) {
        struct node n = node_at(page, place_of(page, i));
        struct bounds inner = *b;
        if (i > 0) { /* the first has no key: it is the page's own bound */
            inner.low = page + place_of(page, i) + NODE_BYTES;
            inner.low_len = n.key_len;
        }
        if (i + 1 < count) {
            struct node next = node_at(page, place_of(page, i + 1));
            inner.high = page + place_of(page, i + 1) + NODE_BYTES;
            inner.high_len = next.key_len;
        }
        bool is_good = t->kind != TREE_FREE || ((!inner.low || inner.low_len == sizeof(size_t)) &&
                                                (!inner.high || inner.high_len == sizeof(size_t)));
        if (is_good && inner.low && inner.high)
            is_good = order(t, inner.low, inner.low_len, inner.high, inner.high_len) < 0;
        if (is_good)
            subtree(t, child_of(&n), level + 1, &inner);
        else
            page_damaged(t, number, b, "the keys of a page are damaged");
    }
}

static void subtree(struct tree *t, uint64_t number, unsigned level, const struct bounds *b)
{
    struct walk *w = t->w;
    bool is_leaf = level == t->head.depth;
    const char *wrong = claim(w, number, 1);
    unsigned char *page = mem_array(1, w->page_bytes);
    if (!wrong && !read_at(w, number, page, w->page_bytes))
        wrong = "a page is missing: the file is shorter than it should be";
    if (!wrong) {
        wrong = page_wrong(w, page, number, is_leaf ? IS_LEAF : IS_BRANCH);
        *(is_leaf ? &t->leaves : &t->branches) += 1;
    }
    if (wrong)
        page_damaged(t, number, b, wrong);
    else if (is_leaf)
        leaf(t, page, number, b);
    else
        branch(t, page, number, level, b);
    mem_free(page);
}

static void walk_tree(struct walk *w, enum tree_kind kind, enum store_shelf shelf,
                      const struct tree_head *head)
{
    struct tree t = {.w = w, .kind = kind, .shelf = shelf, .head = *head};
    struct bounds open = {0};
    uint16_t flags = kind == TREE_FREE ? BY_NUMBER : 0;
    bool is_empty = head->root == SIZE_MAX;
    if (head->flags != flags || head->depth > DEPTH_MOST || (head->depth == 0) != is_empty)
        page_damaged(&t, head->root, &open, "the beginning of a shelf is damaged");
    else if (!is_empty)
        subtree(&t, head->root, 1, &open);
    bool fits = t.branches == head->branches && t.leaves == head->leaves && t.overflows == head->overflows &&
                t.entries == head->entries;
    if (!t.damages && !fits)
        misplaced(&t, head->root, "the counts of a shelf are wrong");
    if (kind == TREE_FREE)
        w->free_is_known = t.damages == 0;
    if (kind == TREE_TOP)
        w->has_lost_pages |= t.damages > 0;
    if (kind == TREE_SHELF)
        w->seen->shelves[shelf].expected = head->entries;
}

/* ---- law 2 ---- */

static void find_lost_record(struct walk *w, const unsigned char *page, size_t at)
{
    struct node n = node_at(page, at);
    struct store_item item = {.key = page + at + NODE_BYTES, .key_len = n.key_len};
    uint64_t pages;
    if (!n.key_len || (n.flags & ~NODE_BIG) || read_value(w, page, at, &item.bytes, &item.len, &pages))
        return;
    for (int i = 0; i < STORE_SHELVES; i++) {
        struct store_item found = item;
        if (!take_shelf(w, (enum store_shelf)i, n.flags, &found))
            return;
    }
}

static void find_lost(struct walk *w)
{
    unsigned char *page = mem_array(1, w->page_bytes);
    for (uint64_t number = METAS; number < w->end; number++) {
        if (bit(w->used, number) || bit(w->freed, number) || !read_at(w, number, page, w->page_bytes) ||
            page_wrong(w, page, number, IS_LEAF))
            continue;
        set_bit(w->used, number);
        w->seen->used_pages++;
        struct page_head h = head_of(page);
        size_t count = (h.lower - HEAD_BYTES) / sizeof(uint16_t);
        for (size_t i = 0; i < count; i++)
            if (node_len(w, page, &h, place_of(page, i)))
                find_lost_record(w, page, place_of(page, i));
    }
    mem_free(page);
}

/* ---- beginnings ---- */

static bool read_meta(const struct walk *w, unsigned which, struct meta *m)
{
    unsigned char bytes[HEAD_BYTES + sizeof *m];
    if (!read_at(w, which, bytes, sizeof bytes))
        return false;
    struct page_head h = head_of(bytes);
    memcpy(m, bytes + HEAD_BYTES, sizeof *m);
    size_t size = m->free.pad;
    const uint64_t last = m->last_page; /* of 32 bits on some machines */
    bool is_size = size >= 512 && size <= PAGE_MOST && (size & (size - 1)) == 0;
    return h.number == which && h.flags == IS_META && m->magic == META_MAGIC && m->version == 1 && is_size &&
           m->free.flags == BY_NUMBER && m->top.flags == 0 && m->last_page + 1 >= METAS &&
           last < UINT64_MAX / PAGE_MOST && (m->number % METAS == which || !m->number) &&
           (m->top.root == SIZE_MAX || m->top.root <= m->last_page) &&
           (m->free.root == SIZE_MAX || m->free.root <= m->last_page);
}

/* The page size stands in the beginnings, and the second of them lies where it says: so the sizes are tried.
 */
static unsigned find_metas(struct walk *w, struct meta metas[METAS])
{
    w->page_bytes = PAGE_MOST; /* of the first one's place it doesn't matter */
    unsigned good = 0;
    if (read_meta(w, 0, &metas[0])) {
        w->page_bytes = metas[0].free.pad;
        good = 1U | (read_meta(w, 1, &metas[1]) && metas[1].free.pad == w->page_bytes ? 2U : 0);
        return good;
    }
    for (w->page_bytes = 512; w->page_bytes <= PAGE_MOST; w->page_bytes *= 2)
        if (read_meta(w, 1, &metas[1]) && metas[1].free.pad == w->page_bytes)
            return 2;
    return 0;
}

/* The serial in the tree of a beginning, without its being checked; 0: there is none. It lies in the one page
 * that top mostly has. */
static uint64_t serial_of(const struct walk *w, const struct meta *m)
{
    uint64_t serial = 0;
    unsigned char *page = mem_array(1, w->page_bytes);
    if (m->top.depth == 1 && m->top.root != SIZE_MAX && read_at(w, m->top.root, page, w->page_bytes) &&
        !page_wrong(w, page, m->top.root, IS_LEAF)) {
        struct page_head h = head_of(page);
        for (size_t i = 0; i < (h.lower - HEAD_BYTES) / sizeof(uint16_t); i++) {
            size_t at = place_of(page, i);
            if (!node_len(w, page, &h, at))
                continue;
            struct node n = node_at(page, at);
            if (n.key_len == strlen(STORE_SERIAL) && node_word(&n) == sizeof serial && !n.flags &&
                memcmp(page + at + NODE_BYTES, STORE_SERIAL, n.key_len) == 0)
                memcpy(&serial, page + at + NODE_BYTES + n.key_len, sizeof serial);
        }
    }
    mem_free(page);
    return serial;
}

/* Which of two good beginnings counts: lmdb takes the higher number, and by their serials that must be the
 * newer one. Both are one apart: where they don't agree, those are damaged that aren't. */
static int choose_meta(struct walk *w, const struct meta metas[METAS], unsigned good, uint64_t from)
{
    for (int i = 0; from && i < METAS; i++)
        if ((good >> i & 1) && metas[i].number == from)
            return i;
    if (from)
        return -1;
    if (good != 3) {
        w->seen->may_lack_last = true;
        damaged(w, &(struct store_damage){.shelf = STORE_SHELVES,
                                          .words = "one of the two beginnings of the file is damaged: what "
                                                   "the last transaction wrote may be lost",
                                          .page = good == 1});
        return good == 1 ? 0 : 1;
    }
    uint64_t serials[METAS] = {serial_of(w, &metas[0]), serial_of(w, &metas[1])};
    int newer = metas[1].number > metas[0].number;
    bool is_so = serials[newer] && serials[newer] == serials[!newer] + 1;
    bool is_first = metas[!newer].number == 0 && metas[newer].number <= 1; /* new, or just compacted */
    if (metas[!newer].top.root == SIZE_MAX && metas[newer].top.root == SIZE_MAX)
        return newer;
    if (!is_so && !is_first) {
        int other = serials[1] > serials[0];
        bool is_lost =
            !serials[newer]; /* the newer one leads nowhere; the other is the state one transaction before */
        bool numbers_fit = metas[newer].number == metas[!newer].number + 1;
        bool serials_fit = serials[!other] && serials[other] == serials[!other] + 1;
        w->seen->may_lack_last = is_lost || numbers_fit == serials_fit;
        damaged(w, &(struct store_damage){
                       .shelf = STORE_SHELVES,
                       .words = is_lost ? "the newer beginning of the file leads nowhere: what the last "
                                          "transaction wrote is lost"
                                        : "the numbers of the file's two beginnings are damaged"});
        if (is_lost || !numbers_fit || serials_fit)
            newer = other;
    }
    return newer;
}

/* ---- the whole ---- */

static void open_walk(struct walk *w, const struct meta *m)
{
    uint64_t file_pages = w->seen->file_bytes / w->page_bytes + 1;
    w->end = m->last_page + 1;
    w->last_number = m->number;
    w->has_lost_pages = false;
    memset(w->has_shelf, 0, sizeof w->has_shelf);
    w->seen->number = m->number;
    w->seen->used_pages = METAS;
    if (w->end >
        file_pages * 64 + 1024) { /* pages at the end may be free and never written, but not so many */
        damaged(w, &(struct store_damage){.shelf = STORE_SHELVES,
                                          .words = "the file is much shorter than it says"});
        w->end = file_pages * 64 + 1024;
    }
    w->used = mem_array(w->end / 8 + 1, 1);
    w->freed = mem_array(w->end / 8 + 1, 1);
}

static void close_walk(struct walk *w)
{
    mem_free(w->used);
    mem_free(w->freed);
}

static void walk_all(struct walk *w, const struct meta *m)
{
    struct store_seen *seen = w->seen;
    open_walk(w, m);
    walk_tree(w, TREE_FREE, STORE_SHELVES, &m->free);
    walk_tree(w, TREE_TOP, STORE_SHELVES, &m->top);
    for (int i = 0; i < STORE_SHELVES; i++) {
        seen->shelves[i].expected = UINT64_MAX;
        if (w->has_shelf[i])
            walk_tree(w, TREE_SHELF, (enum store_shelf)i, &w->shelves[i]);
        else
            damaged(w, &(struct store_damage){
                           .shelf = (enum store_shelf)i, .words = "the shelf is missing", .loses = true});
    }
    if (w->free_is_known && w->has_lost_pages)
        find_lost(w);
    uint64_t known = seen->used_pages + seen->free_pages;
    seen->lost_pages = known < w->end ? w->end - known : 0;
    close_walk(w);
}

/* The format stands in a record of the first shelf: it is looked for before anybody is told anything. */
static int check_format(struct walk *w, const struct meta *m, struct err *e)
{
    struct store_visitor quiet = {.user = NULL};
    const struct store_visitor *visitor = w->visitor;
    struct store_seen seen = *w->seen, *all = w->seen;
    w->visitor = &quiet;
    w->seen = &seen;
    open_walk(w, m);
    seen.damages = 0;
    walk_tree(w, TREE_TOP, STORE_SHELVES, &m->top);
    if (w->has_shelf[STORE_META])
        walk_tree(w, TREE_SHELF, STORE_META, &w->shelves[STORE_META]);
    close_walk(w);
    w->visitor = visitor;
    w->seen = all;
    all->format = w->format;
    if (!w->format && !seen.damages)
        return err_set(e, ERR_STATE, "the file is a database, but not a state of this program");
    if (w->format && w->format != STORE_FORMAT)
        return err_set(e, ERR_STATE, "the state has format %" PRIu32 "; this program reads format %d",
                       w->format, STORE_FORMAT);
    return 0;
}

static int read_open(struct walk *w, uint64_t from, struct err *e)
{
    struct meta metas[METAS];
    unsigned good = find_metas(w, metas);
    if (!good)
        return err_set(e, ERR_STATE,
                       w->seen->file_bytes ? "the file is not a state, or its beginning is destroyed"
                                           : "the file is empty");
    w->seen->page_bytes = w->page_bytes;
    int which = choose_meta(w, metas, good, from);
    if (which < 0)
        return err_set(e, ERR_BUSY, "the file has changed meanwhile");
    if (metas[which].top.root == SIZE_MAX)
        return good == 3 && !metas[which].number
                   ? 0
                   : err_set(e, ERR_STATE, "the file's only whole beginning is that of an empty state");
    int rc = check_format(w, &metas[which], e);
    if (rc == 0)
        walk_all(w, &metas[which]);
    return rc;
}

int store_file_read(const char *folder, uint64_t from, const struct store_visitor *visitor,
                    struct store_seen *seen, struct err *e)
{
    char path[4200];
    struct stat st;
    struct walk w = {.visitor = visitor, .seen = seen};
    *seen = (struct store_seen){0};
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    w.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (w.fd < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(w.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(w.fd);
        return err_set(e, ERR_IO, "%s: it is no file", path);
    }
    seen->file_bytes = (uint64_t)st.st_size;
    buf_init(&w.big, SIZE_MAX);
    int rc = read_open(&w, from, e);
    buf_fini(&w.big);
    close(w.fd);
    return rc;
}
