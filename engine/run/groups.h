/* groups.h - the groups of a 'group by': key values to aggregator states (spec 03 sections 4, 6). Open
 * addressing; groups in order of first sight.
 *
 * A null key and the string 'null' are one group, as the language has it. A group whose aggregators are as
 * new is forgotten unless numbers must last. */
#ifndef WEIR_RUN_GROUPS_H
#define WEIR_RUN_GROUPS_H

#include "engine/data/segments.h"
#include "engine/expr/expr.h"

/* What is noted of a group. */
enum group_mark {
    GROUP_USED = 1,    /* since the last reset */
    GROUP_TOUCHED = 2, /* since the last checkpoint */
    GROUP_NOTED = GROUP_USED | GROUP_TOUCHED
};

struct group {
    char *agg; /* block of states; owned */
    uint32_t hash;
    uint32_t number; /* unique in this selector's life */
    uint64_t chunk;  /* the selector's: chunk that remembered a row of this group */
    uint32_t slot;   /* of that row */
    uint32_t place;  /* in groups.all */
    uint32_t held;   /* entries of a window that point at it (kept.h): so long it is not forgotten */
    uint8_t marks;   /* enum group_mark */
    bool is_leaving; /* going to be forgotten at the end of this chunk */
    struct value keys[];
};
struct groups {
    struct group **all; /* count of them; order of first sight until one is forgotten */
    struct group_at {
        uint32_t hash, place; /* place + 1; 0: empty */
    } * slots;
    uint32_t count, cap, slot_count, next_number;
    int key_count;
    struct segments *saved; /* by place: how they stand in a checkpoint */
};

void groups_init(struct groups *g, int key_count);
void groups_fini(struct groups *g, const struct agg_layout *l);
/* keys are borrowed. A new group gets a new block. */
struct group *groups_need(struct groups *g, const struct agg_layout *l, const struct value *keys);
/* As groups_need with one key, a text. */
struct group *groups_need_text(struct groups *g, const struct agg_layout *l, struct text *text);
/* Whoever changes a group's states says so. */
void groups_note(struct groups *g, struct group *group);
static inline void group_use(struct groups *g, struct group *group)
{
    if (UNLIKELY(group->marks != GROUP_NOTED))
        groups_note(g, group);
}
/* group->held must be 0. */
void groups_forget(struct groups *g, const struct agg_layout *l, struct group *group);
/* RESET: all states begin again; groups not used since the last one are forgotten unless keep. */
void groups_reset(struct groups *g, const struct agg_layout *l, bool keep);
/* In a checkpoint (w->state) of many groups only those that changed are written. */
void groups_save(struct groups *g, const struct agg_layout *l, struct writer *w);
/* None was ever forgotten: their numbers are 0 .. count. */
bool groups_are_dense(const struct groups *g);
/* A window's tokens are groups of one key: the key, NULL when it is null; and the end of a token. */
struct text *group_token_text(const void *group);
void group_token_end(void *group);
int groups_load(struct groups *g, const struct agg_layout *l, struct reader *r);

#endif
