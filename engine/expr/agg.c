/* agg.c - blocks of aggregator states: one block a group, one slot an aggregator (expr.h). */
#include "engine/expr/agg.h"

char *agg_block_new(const struct agg_layout *l)
{
    size_t bytes = l->bytes ? l->bytes : 8;
    char *block = mem_pool_alloc(bytes);
    memset(block, 0, bytes);
    return block;
}

void agg_block_fini(const struct agg_layout *l, char *block)
{
    if (!block)
        return;
    for (const struct agg_slot *s = l->slots; s; s = s->next)
        if (s->type->fini)
            s->type->fini(block + s->at);
}

void agg_block_free(const struct agg_layout *l, char *block)
{
    if (!block)
        return;
    agg_block_fini(l, block);
    mem_pool_free(block, l->bytes ? l->bytes : 8);
}

void agg_block_reset(const struct agg_layout *l, char *block)
{
    if (!block)
        return;
    if (LIKELY(!l->lasts)) {
        agg_block_fini(l, block);
        memset(block, 0, l->bytes);
        return;
    }
    for (const struct agg_slot *s = l->slots; s; s = s->next) {
        if (s->type->lasts)
            continue;
        if (s->type->fini)
            s->type->fini(block + s->at);
        memset(block + s->at, 0, s->type->size);
    }
}

static bool all_zero(const char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i])
            return false;
    return true;
}

bool agg_block_is_empty(const struct agg_layout *l, const char *block)
{
    for (const struct agg_slot *s = l->slots; s; s = s->next) {
        const char *state = block + s->at;
        if (!(s->type->is_empty ? s->type->is_empty(state) : all_zero(state, s->type->size)))
            return false;
    }
    return true;
}

void agg_block_save(const struct agg_layout *l, const char *block, struct writer *w)
{
    write_count(w, (size_t)l->slot_count);
    for (const struct agg_slot *s = l->slots; s; s = s->next) {
        const char *state = block + s->at;
        if (s->type->save) {
            s->type->save(state, w);
            continue;
        }
        for (size_t at = 0; at < s->type->size; at += sizeof(int64_t)) {
            uint64_t number;
            memcpy(&number, state + at, sizeof(number));
            write_sparse(w, number);
        }
    }
}

int agg_block_load(const struct agg_layout *l, char *block, struct reader *r)
{
    if (read_varint(r) != (uint64_t)l->slot_count)
        return ERR_STATE;
    for (const struct agg_slot *s = l->slots; s; s = s->next) {
        char *state = block + s->at;
        if (s->type->load) {
            if (s->type->load(state, r, s->arg) < 0)
                return ERR_STATE;
            continue;
        }
        for (size_t at = 0; at < s->type->size; at += sizeof(int64_t)) {
            uint64_t number = read_sparse(r);
            memcpy(state + at, &number, sizeof(number));
        }
    }
    return r->failed ? ERR_STATE : 0;
}

void agg_state_reset(const struct expr *e, struct frame *f)
{
    void *state = agg_state(e, f);
    if (e->agg->fini)
        e->agg->fini(state);
    memset(state, 0, e->agg->size);
}
