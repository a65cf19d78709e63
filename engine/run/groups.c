/* groups.c - see groups.h. */
#include "engine/run/groups.h"

/* as long as they are so few, slots are so many that most groups are found at the first look */
enum { SPARSE_GROUPS = 1024 };

static uint32_t key_hash(struct value v)
{
    if (v.type == TYPE_STRING)
        return text_hash(v.as.s);
    return value_hash(v);
}

static bool is_null_text(struct value v)
{
    return v.type == TYPE_STRING && v.as.s->len == 4 && memcmp(v.as.s->bytes, "null", 4) == 0;
}

static struct value key_value(struct value v)
{
    return UNLIKELY(is_null_text(v)) ? VALUE_NULL : v;
}

static bool key_same(struct value a, struct value b)
{
    if (a.type != b.type)
        return false;
    if (a.type == TYPE_STRING)
        return text_equal(a.as.s, b.as.s);
    return value_same(a, b);
}

void groups_init(struct groups *g, int key_count)
{
    *g = (struct groups){.key_count = key_count};
}

static void group_free(struct groups *g, const struct agg_layout *l, struct group *group)
{
    for (int i = 0; i < g->key_count; i++)
        value_drop(group->keys[i]);
    agg_block_free(l, group->agg);
    mem_pool_free(group, sizeof(*group) + (size_t)g->key_count * sizeof(struct value));
}

void groups_fini(struct groups *g, const struct agg_layout *l)
{
    for (uint32_t i = 0; i < g->count; i++)
        group_free(g, l, g->all[i]);
    mem_free(g->all);
    mem_free(g->slots);
    segments_end(&g->saved);
    *g = (struct groups){.key_count = g->key_count};
}

static void slot_put(struct groups *g, const struct group *group)
{
    uint32_t mask = g->slot_count - 1;
    uint32_t i = group->hash & mask;
    while (g->slots[i].place)
        i = (i + 1) & mask;
    g->slots[i] = (struct group_at){group->hash, group->place + 1};
}

static void groups_widen(struct groups *g)
{
    uint32_t cap = g->cap ? g->cap * 2 : 8;
    g->all = mem_resize(g->all, cap, sizeof(struct group *));
    g->cap = cap;
    mem_free(g->slots);
    g->slot_count = cap * (cap <= SPARSE_GROUPS ? 8 : 2);
    g->slots = mem_array(g->slot_count, sizeof(*g->slots));
    for (uint32_t i = 0; i < g->count; i++)
        slot_put(g, g->all[i]);
}

static struct group *group_new(const struct groups *g, const struct agg_layout *l, const struct value *keys,
                               uint32_t hash)
{
    struct group *group = mem_pool_alloc(sizeof(*group) + (size_t)g->key_count * sizeof(struct value));
    *group = (struct group){.hash = hash};
    group->agg = agg_block_new(l);
    for (int i = 0; i < g->key_count; i++)
        group->keys[i] = value_keep(key_value(keys[i]));
    return group;
}

static struct group *group_add(struct groups *g, const struct agg_layout *l, const struct value *keys,
                               uint32_t hash)
{
    if (g->count == g->cap)
        groups_widen(g);
    struct group *group = group_new(g, l, keys, hash);
    group->number = g->next_number++;
    group->place = g->count;
    g->all[g->count++] = group;
    slot_put(g, group);
    segments_touch(g->saved, group->place);
    return group;
}

static uint32_t spread(uint32_t hash)
{
    hash *= 0x9E3779B1u;
    return hash ^ hash >> 15;
}

static inline uint32_t keys_hash(const struct groups *g, const struct value *keys)
{
    uint32_t hash = 0;
    for (int i = 0; i < g->key_count; i++)
        hash = hash * 31 + key_hash(key_value(keys[i]));
    return spread(hash);
}

static inline __attribute__((always_inline)) struct group *slot_find(const struct groups *g,
                                                                     const struct value *keys, uint32_t hash)
{
    if (UNLIKELY(!g->slot_count))
        return NULL;
    uint32_t mask = g->slot_count - 1;
    for (uint32_t at = hash & mask; g->slots[at].place; at = (at + 1) & mask) {
        if (g->slots[at].hash != hash)
            continue;
        struct group *group = g->all[g->slots[at].place - 1];
        int i = 0;
        while (i < g->key_count && key_same(group->keys[i], key_value(keys[i])))
            i++;
        if (i == g->key_count)
            return group;
    }
    return NULL;
}

struct group *groups_need(struct groups *g, const struct agg_layout *l, const struct value *keys)
{
    uint32_t hash = keys_hash(g, keys);
    struct group *group = slot_find(g, keys, hash);
    return LIKELY(group != NULL) ? group : group_add(g, l, keys, hash);
}

static __attribute__((noinline)) struct group *need_value(struct groups *g, const struct agg_layout *l,
                                                          struct text *text)
{
    struct value key = value_text(text);
    return groups_need(g, l, &key);
}

/* What is most often grouped by; no call as long as the group is there. */
struct group *groups_need_text(struct groups *g, const struct agg_layout *l, struct text *text)
{
    const uint32_t mask = g->slot_count - 1;
    if (UNLIKELY(g->slot_count == 0 || text->hash == 0))
        return need_value(g, l, text);
    const uint32_t hash = spread(text->hash);
    for (uint32_t at = hash & mask; g->slots[at].place; at = (at + 1) & mask) {
        if (UNLIKELY(g->slots[at].hash != hash))
            continue;
        struct group *group = g->all[g->slots[at].place - 1];
        if (LIKELY(group->keys[0].type == TYPE_STRING) && LIKELY(text_equal(group->keys[0].as.s, text)))
            return group;
    }
    return need_value(g, l, text);
}

static uint32_t slot_of(const struct groups *g, const struct group *group)
{
    uint32_t mask = g->slot_count - 1;
    uint32_t at = group->hash & mask;
    while (g->slots[at].place != group->place + 1)
        at = (at + 1) & mask;
    return at;
}

/* Deletion by moving later entries of the run back, so that no marks are left. */
static void slot_remove(struct groups *g, uint32_t at)
{
    uint32_t mask = g->slot_count - 1;
    g->slots[at].place = 0;
    for (uint32_t next = (at + 1) & mask; g->slots[next].place; next = (next + 1) & mask) {
        uint32_t home = g->slots[next].hash & mask;
        if (((next - home) & mask) < ((next - at) & mask))
            continue;
        g->slots[at] = g->slots[next];
        g->slots[next].place = 0;
        at = next;
    }
}

void groups_note(struct groups *g, struct group *group)
{
    group->marks = GROUP_NOTED;
    segments_touch(g->saved, group->place);
}

void groups_forget(struct groups *g, const struct agg_layout *l, struct group *group)
{
    slot_remove(g, slot_of(g, group));
    struct group *last = g->all[g->count - 1];
    if (last != group) {
        uint32_t at = slot_of(g, last);
        last->place = group->place;
        g->all[last->place] = last;
        g->slots[at].place = last->place + 1;
        segments_touch(g->saved, last->place);
    }
    g->count--;
    group_free(g, l, group);
}

void groups_reset(struct groups *g, const struct agg_layout *l, bool keep)
{
    for (uint32_t i = g->count; i > 0; i--) {
        struct group *group = g->all[i - 1];
        if (!(group->marks & GROUP_USED) && !keep && !l->lasts && group->held == 0) {
            groups_forget(g, l, group);
            continue;
        }
        group->marks = 0;
        segments_touch(g->saved, group->place);
        agg_block_reset(l, group->agg);
    }
}

/* ---- state ---- */

struct saving { /* or loading */
    struct groups *g;
    const struct agg_layout *l;
    struct value *keys; /* of the group being read */
};

static void near_group(void *user, uint32_t place, int step)
{
    const struct saving *s = user;
    const struct group *group = s->g->all[place];
    if (step == 0) {
        __builtin_prefetch(group);
    } else if (step == 1) {
        __builtin_prefetch(group->agg);
        for (int k = 0; k < s->g->key_count; k++)
            if (group->keys[k].type == TYPE_STRING)
                __builtin_prefetch(group->keys[k].as.s);
    }
}

static void write_group(void *user, struct writer *w, uint32_t place)
{
    const struct saving *s = user;
    struct group *group = s->g->all[place];
    for (int k = 0; k < s->g->key_count; k++)
        write_value(w, group->keys[k]);
    write_varint(w, (uint64_t)group->number << 1 | (group->marks & GROUP_USED));
    agg_block_save(s->l, group->agg, w);
    group->marks &= GROUP_USED;
}

/* Room for all of them at once: they come in any order of their places. */
static bool begin_groups(void *user, uint32_t count)
{
    struct saving *s = user;
    struct groups *g = s->g;
    if (g->count)
        return false;
    while (g->cap < count)
        groups_widen(g);
    if (g->cap)
        memset(g->all, 0, g->cap * sizeof(struct group *));
    return true;
}

static bool read_group(void *user, struct reader *r, uint32_t place)
{
    struct saving *s = user;
    struct groups *g = s->g;
    for (int k = 0; k < g->key_count; k++)
        s->keys[k] = read_value(r);
    uint64_t number = read_varint(r);
    struct group *group = group_new(g, s->l, s->keys, keys_hash(g, s->keys));
    for (int k = 0; k < g->key_count; k++)
        value_drop(s->keys[k]);
    group->number = (uint32_t)(number >> 1);
    group->marks = number & GROUP_USED;
    group->place = place;
    g->all[place] = group;
    g->count = place < g->count ? g->count : place + 1;
    return agg_block_load(s->l, group->agg, r) == 0 && !r->failed;
}

void groups_save(struct groups *g, const struct agg_layout *l, struct writer *w)
{
    struct saving s = {.g = g, .l = l};
    write_u32(w, g->next_number);
    write_held(w, g->cap * sizeof *g->all + g->slot_count * sizeof *g->slots + g->count * sizeof **g->all);
    segments_save(&g->saved, w, g->count,
                  &(struct segments_owner){.user = &s, .write = write_group, .near = near_group});
}

/* Those that were read, without holes when not all were. */
static void close_holes(struct groups *g)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++)
        if (g->all[i])
            g->all[count++] = g->all[i];
    g->count = count;
}

struct text *group_token_text(const void *group)
{
    struct value key = ((const struct group *)group)->keys[0];
    return key.type == TYPE_STRING ? key.as.s : NULL;
}

void group_token_end(void *group)
{
    ((struct group *)group)->held--;
}

bool groups_are_dense(const struct groups *g)
{
    bool dense = g->next_number == g->count;
    for (uint32_t i = 0; dense && i < g->count; i++)
        dense = g->all[i]->number < g->count;
    return dense;
}

int groups_load(struct groups *g, const struct agg_layout *l, struct reader *r)
{
    struct saving s = {.g = g, .l = l};
    s.keys = mem_array((size_t)g->key_count + 1, sizeof(*s.keys));
    uint32_t next = read_u32(r);
    int rc = segments_load(&g->saved, r,
                           &(struct segments_owner){.user = &s, .read = read_group, .begin = begin_groups});
    if (rc < 0)
        close_holes(g);
    for (uint32_t i = 0; rc == 0 && i < g->count; i++) {
        if (slot_find(g, g->all[i]->keys, g->all[i]->hash))
            rc = ERR_STATE;
        else
            slot_put(g, g->all[i]);
    }
    g->next_number = next;
    mem_free(s.keys);
    return r->failed ? ERR_STATE : rc;
}
