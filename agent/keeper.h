/* keeper.h - the state of one app as it lies in a store: what a checkpoint hands out goes into a batch, what
 * a restore asks for is read. Keys on the shelf of states: the app's number, then the engine's. */
#ifndef WEIR_AGENT_KEEPER_H
#define WEIR_AGENT_KEEPER_H

#include "engine/data/state.h"
#include "engine/store/store.h"

struct keeper {
    struct store *store;       /* borrowed */
    struct store_batch *batch; /* borrowed; for checkpoints */
    uint32_t app;
    struct state_home home; /* for app_checkpoint and app_restore */
    struct buf lent;        /* a copy of what was read */
};

void keeper_init(struct keeper *k, struct store *store, struct store_batch *batch, uint32_t app);
void keeper_fini(struct keeper *k);

#endif
