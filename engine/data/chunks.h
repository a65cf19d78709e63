/* chunks.h - a big part of a checkpoint in chunks, of which only those are written that the last checkpoint
 * doesn't have (engine/data/state.h).
 *
 * Where a chunk ends depends on the bytes there (content-defined), not on how many came before: rows that
 * came or left move the bytes behind them, and those are the same chunks nevertheless. A chunk is a piece;
 * the part's list names them in order. */
#ifndef WEIR_DATA_CHUNKS_H
#define WEIR_DATA_CHUNKS_H

#include "engine/data/state.h"

/* As last written or read. Zeroed memory: none. */
struct chunks {
    uint64_t group, next; /* group 0: none yet; next: number of the next piece */
    struct chunk {
        uint64_t hash, number;
        uint32_t len;
        bool is_kept; /* by the checkpoint under way */
    } * list;
    uint32_t count;
};

/* In a checkpoint: puts new chunks, drops those that are in no use, and writes the list. */
void chunks_save(struct chunks *c, struct state *s, const char *bytes, size_t len, struct writer *list);
/* Appends the bytes to out. False: they are not all there, or damaged. */
bool chunks_load(struct chunks *c, struct state *s, struct reader *list, struct buf *out);
/* In a checkpoint: the part is small again, or gone. */
void chunks_end(struct chunks *c, struct state *s);
void chunks_fini(struct chunks *c);

#endif
