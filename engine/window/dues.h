/* dues.h - timers of an operator that asked for several: kept for save, in the order of the requests.
 *
 * Laws: (1) requests for the same moment, one behind the other, are one run of up to RUN_MOST. (2) In a
 * checkpoint (w->state) of many runs only the new ones are written, as pieces (pieces.h); the front one may
 * have fired in part since it was written, and no run grows once it was. */
#ifndef WEIR_WINDOW_DUES_H
#define WEIR_WINDOW_DUES_H

#include "engine/run/op.h"

#ifdef WEIR_DEBUG
enum { DUES_INLINE = 4 }; /* so that small tests meet what big states do */
#else
enum { DUES_INLINE = 64 };
#endif

struct pieces;
struct dues { /* zeroed memory is a valid empty one */
    struct due_run {
        int64_t at_ms;
        uint8_t count; /* never 0 */
    } * ring;
    uint32_t cap, head, count; /* runs; cap is a power of two, or 0 */
    uint8_t fired;             /* so many of the front run */
    bool is_sealed;            /* the last run is written */
    uint64_t taken;            /* runs that left from the front */
    struct pieces *pieces;
};
/* A time in milliseconds of the operator's clock. */
void dues_request(struct dues *d, struct op *op, int64_t due_ms);
void dues_fired(struct dues *d, int64_t due_ms);         /* first thing in due */
bool dues_are_one(const struct dues *d, int64_t due_ms); /* nothing but one request, for due_ms */
void dues_move(struct dues *d, int64_t due_ms); /* it is for due_ms now; op_type.skip, so no request */
void dues_save(const struct dues *d, struct writer *w);
void dues_load(struct dues *d, struct op *op, struct reader *r); /* requests them again */
void dues_fini(struct dues *d);

#endif
