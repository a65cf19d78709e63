/* census.h - what a store's file holds, app by app and sink by sink: what `weir state` tells, and what a
 * salvage must know.
 *
 * It is filled by store_file_read (file.h), so it trusts nothing and opens nothing. It is not the state
 * itself: no app is loaded.
 *
 * The records it knows, by shelf:
 *   META                   'a' NAME: app's number; 'c' 't' 'r' 'x' 'd' 'p' 'b' NUMBER: durable.c and
 *                          previous.c; 's' ... and 'o' NUMBER: spool.c
 *   STATE, JOURNAL, TABLES begin with the app's number
 *   OUTBOX                 begins with the sink's
 * Any thread. */
#ifndef WEIR_AGENT_CENSUS_H
#define WEIR_AGENT_CENSUS_H

#include "engine/base/buf.h"
#include "engine/base/map.h"
#include "engine/store/file.h"

struct census_part {
    char *name; /* owned */
    uint64_t bytes;
};
struct census_table { /* in the store */
    uint32_t number;
    char *name; /* owned; NULL: no name leads to it */
    uint64_t rows;
};
struct census_app {
    uint32_t number;
    char *name;                       /* owned; NULL: no name leads to it */
    char *text;                       /* owned; NULL: there is none */
    char *file_text;                  /* as its file had it; owned; NULL: there is none */
    char *set_aside;                  /* why its state can't be used: owned; NULL: it can */
    char *partly;                     /* what of it may be lost, in words: owned; NULL: nothing */
    struct buf mark_copy, names_copy; /* of its marks (mend.h); empty: there are none */
    bool has_mark;                    /* a checkpoint */
    bool is_previous;                 /* kept for a step back; then of is the app's number */
    uint32_t of;
    int64_t checkpoint_ms; /* the app's time at the checkpoint */
    uint64_t next_record;  /* of the journal behind the checkpoint */
    uint64_t part_bytes, pieces, piece_bytes;
    uint64_t journal_records, journal_bytes, journal_first, journal_last;
    uint64_t table_records, table_bytes; /* of tables in the store: rows and keys */
    struct census_part *parts;
    uint32_t part_count, part_cap;
    struct census_table *tables;
    uint32_t table_count, table_cap;
};
struct census_sink {
    uint32_t number, app, place;
    char *type, *stream; /* owned; NULL: no name leads to it */
    bool has_mark;
    uint64_t head, tail, dropped, mark_bytes; /* as the mark has them */
    uint64_t chunks, messages, message_bytes; /* what is there, of numbers from head on */
    uint64_t first, last;                     /* numbers: of the first chunk, of the last message; 0: none */
    int64_t oldest_ms;                        /* when it was written; 0: none */
};
struct census_damage {
    enum store_shelf shelf; /* STORE_SHELVES: none */
    uint64_t page;
    bool loses;
    uint32_t low, high;             /* apps (of the outbox: sinks) whose records may be lost */
    uint64_t low_group, high_group; /* of the state's pieces: from low's, to high's */
    uint32_t key_app;               /* of the one record that it is, as it stands there; 0: not known */
    uint64_t key_group;
    char *words; /* owned */
    char *key;   /* which record, in words; owned; NULL: not known */
};
struct census {
    struct store_seen seen;
    struct census_app *apps;
    struct census_sink *sinks;
    struct census_damage *damages; /* the first DAMAGES_MOST of them */
    uint32_t app_count, sink_count, damage_count;
    uint32_t app_cap, sink_cap, damage_cap;
    uint32_t last_app, last_sink;       /* the highest numbers seen anywhere */
    uint64_t numbers_begin;             /* of messages, for sinks that are new (spool.h); 0: 1 */
    struct map app_places, sink_places; /* number -> its place and one */
};
enum { DAMAGES_MOST = 1000 };

/* store_file_read's errors and its from. c is the caller's to fini, also after an error. */
int census_take(struct census *c, const char *folder, uint64_t from, struct err *e);
void census_fini(struct census *c);
struct census_app *census_app(struct census *c,
                              uint32_t number); /* made where missing; lent until the next one is made */
struct census_sink *census_sink(struct census *c, uint32_t number);
struct census_app *census_find(const struct census *c, const char *name); /* or NULL */
/* Does the app (the sink) miss records of the shelf, as far as can be told? */
bool census_lacks(const struct census *c, enum store_shelf shelf, uint32_t number);
/* Groups of the app's state that may lack pieces: from and to, eight bytes each. */
void census_suspects(const struct census *c, uint32_t app, struct buf *out);
/* Records of the shelf that are nowhere. */
uint64_t census_lost(const struct census *c, enum store_shelf shelf);
uint32_t census_number(const void *key, size_t key_len); /* the first four bytes of a key; 0: it has none */

#endif
