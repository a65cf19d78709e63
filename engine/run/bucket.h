/* bucket.h - the open bucket of an aggregation: one row a group, which grows with what is put into it (spec
 * 09 section 2).
 *
 * Laws: (1) a row has the columns of the unit's table, so that a bucket that ends is handed to the table as
 * it is; (2) it is changed only while the bucket holds it alone: bucket_take_rows gives all rows away; (3)
 * sets inside may be shared and are copied before they change. Also the place where rows of finer units, of a
 * table and of memory are merged by group. */
#ifndef WEIR_RUN_BUCKET_H
#define WEIR_RUN_BUCKET_H

#include "engine/data/schema.h"
#include "engine/data/segments.h"

enum column_kind {
    COLUMN_START,       /* AGG_TIMESTAMP: of the bucket by the clock */
    COLUMN_EVENT_START, /* AGG_EVENT_TIMESTAMP: of the bucket by the events' own time */
    COLUMN_KEY,         /* a 'group by' attribute */
    COLUMN_LATEST,      /* a value of the newest event */
    COLUMN_LATEST_TIME, /* AGG_LAST_EVENT_TIMESTAMP: own time of the newest event */
    COLUMN_COUNT,
    COLUMN_SUM, /* long or double */
    COLUMN_MIN,
    COLUMN_MAX,
    COLUMN_SET, /* of the values that came */
};

enum { LIMIT_BUCKET_KEYS = 64 }; /* 'group by' attributes */

/* Columns stand in the order of the kinds. Immutable; the plan's. */
struct bucket_layout {
    const struct schema *schema; /* of the table */
    const enum column_kind *kinds;
    int event_start; /* 1, or -1 */
    int first_key, key_count;
    int latest_time; /* or -1 */
};

struct bucket {
    const struct bucket_layout *layout;
    struct row **rows; /* owned; in order of coming */
    uint32_t *hashes;
    uint32_t *slots; /* row + 1; 0: free */
    uint32_t count, cap, slot_count;
    uint32_t java_buckets;  /* of the language's hash map */
    struct segments *saved; /* by place: how they stand in a checkpoint */
};

void bucket_init(struct bucket *b, const struct bucket_layout *layout);
void bucket_fini(struct bucket *b);
/* One event: a value a column, those of sums long or double as the column is, that of a set an element; those
 * of the two starts are not looked at. Values are borrowed. start_ms is stamped into a new group;
 * event_start_ms is part of the key where there is one. */
void bucket_add_event(struct bucket *b, int64_t start_ms, int64_t event_start_ms, const struct value *values);
/* A whole row of a finer unit, or of the same one; borrowed. */
void bucket_add_row(struct bucket *b, int64_t start_ms, int64_t event_start_ms, const struct row *row);
/* The rows in the order the language shows them (that of a hash map), in scratch; they stay the bucket's. */
struct row **bucket_rows(const struct bucket *b, struct arena *scratch);
/* As bucket_rows, for one that others were merged into; has_start: its start is part of a group's key. */
struct row **bucket_rows_merged(const struct bucket *b, struct arena *scratch, bool has_start);
/* As bucket_rows; they are the caller's now and the bucket is empty. */
struct row **bucket_take_rows(struct bucket *b, struct arena *scratch, uint32_t *count);
/* In a checkpoint (w->state) of many rows only those that changed are written. */
void bucket_save(struct bucket *b, struct writer *w);
int bucket_load(struct bucket *b, struct reader *r); /* into an empty one; ERR_STATE */

#endif
