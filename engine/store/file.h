/* file.h - the file of a store, read without trusting any of it: what is damaged is found before the
 * database, which trusts its file, is let at it. Nothing is written, nothing is mapped; it is the one place
 * besides lmdb that knows how LMDB 0.9 lays out its pages.
 *
 * Laws
 * (1) A file in which this finds no damage can be opened, read and written by lmdb.c without a fault of
 *     memory, and every record of it is the one that was put: pages are where and what they should be,
 *     keys in order and where a search looks for them, counts right, no page both free and in use, each
 *     record with its checksum, the newer of the two beginnings (meta pages) known by the serial inside
 *     it.
 * (2) What is not reached any more because a page above it is damaged is looked for: pages that are
 *     neither free nor reached hold it, and the checksums tell which shelf a record belongs to.
 * (3) Every record given to the visitor has a right checksum; each comes once, those of one shelf in the
 *     order of their keys save those found by law 2. Every loss is told.
 * (4) A file that an agent writes at the same time may be read while a look (store.h) is open: from is
 *     that look's number.
 *
 * Any thread; the caller's errors only. */
#ifndef WEIR_STORE_FILE_H
#define WEIR_STORE_FILE_H

#include "engine/store/store.h"

/* One place that is wrong. Lent to the visitor for the call. */
struct store_damage {
    enum store_shelf shelf; /* STORE_SHELVES: none, or not known */
    const char *words;
    uint64_t page;
    bool loses;             /* records are lost here, if law 2 doesn't find them: between low and high */
    const void *low, *high; /* keys; NULL: from the first, to the last */
    size_t low_len, high_len;
    const void *key; /* of the one record that is lost, as it stands there; NULL: not known */
    size_t key_len;
};
struct store_visitor {
    void *user;
    void (*item)(void *user, enum store_shelf shelf,
                 const struct store_item *item);              /* lent for the call; may be NULL */
    void (*damage)(void *user, const struct store_damage *d); /* may be NULL */
};
struct store_seen {
    uint64_t file_bytes, page_bytes;
    uint64_t used_pages, free_pages, lost_pages; /* lost: neither, nor found by law 2 */
    uint64_t number;                             /* of the last transaction */
    uint32_t format;                             /* 0: not known */
    uint64_t damages;
    bool may_lack_last; /* one beginning is damaged, perhaps the newer: then the last transaction is lost */
    struct store_shelf_seen {
        uint64_t records, bytes; /* good ones */
        uint64_t expected;       /* what the shelf itself says of its records; UINT64_MAX: not known */
    } shelves[STORE_SHELVES];
};

/* from: 0, or law 4. 0: it was read, see damages. ERR_NOT_FOUND: there is no file. ERR_IO. ERR_STATE: it is
 * no store at all, or its format is another (seen->format): nothing was visited. Words in e. */
int store_file_read(const char *folder, uint64_t from, const struct store_visitor *visitor,
                    struct store_seen *seen, struct err *e);

#endif
