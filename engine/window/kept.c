/* kept.c - see kept.h. The ring grows to what is needed and stays. */
#include "engine/window/kept.h"
#include "engine/window/pieces.h"

enum { FIRST_PLACES = 8, PLACES_BEHIND = 16 };

bool kept_plan_init(struct kept_plan *p, const struct schema *s)
{
    *p = (struct kept_plan){.row_count = (uint16_t)s->count, .has_shape = true, .token_at = NO_TOKENS};
    return row_bytes(s->count) <= GHOST_BYTES;
}

bool kept_plan_add(struct kept_plan *p, const struct schema *s, uint32_t index)
{
    for (uint32_t c = 0; c < p->count; c++) {
        if (p->columns[c].index == index)
            return true;
    }
    if (p->count == KEPT_COLUMNS_MAX)
        return false;
    enum type type = s->attributes[index].type;
    if (type == TYPE_STRING)
        p->texts[p->text_count++] = (uint8_t)p->count;
    p->has_objects = p->has_objects || type == TYPE_OBJECT;
    p->has_shape = p->has_shape && type != TYPE_OBJECT && row_shape_add(&p->shape, index, type);
    p->columns[p->count++] =
        (struct kept_column){.index = (uint16_t)index,
                             .type = (uint8_t)type,
                             .cell_at = (uint32_t)(row_cells_at(s->count) + index * sizeof(union cell))};
    return true;
}

static size_t block_bytes(const struct kept_plan *p, uint32_t cap, bool has_tags)
{
    return (size_t)cap * p->count * (sizeof(union cell) + has_tags);
}

static uint8_t tag_at(const struct kept *k, const struct kept_plan *p, uint32_t place, uint32_t column)
{
    return k->odd ? kept_tags(k, p, place)[column] : p->columns[column].type;
}

void kept_plan_most(struct kept_plan *p, uint32_t most)
{
    p->places_behind = most <= PLACES_BEHIND ? most : 0;
}

size_t kept_bytes_behind(const struct kept_plan *p)
{
    return block_bytes(p, p->places_behind, false);
}

void kept_init(struct kept *k, const struct kept_plan *p)
{
    k->cap = p->places_behind;
    k->block = k->cap ? (char *)(k + 1) : NULL;
}

static void block_free(struct kept *k, const struct kept_plan *p, bool has_tags)
{
    if (k->cap && k->block != (char *)(k + 1))
        mem_pool_free(k->block, block_bytes(p, k->cap, has_tags));
}

/* The same entries in a block of cap places, with tags or without; had_tags: they stand in one with tags. */
static void reblock(struct kept *k, const struct kept_plan *p, uint32_t cap, bool had_tags, bool has_tags)
{
    struct kept to = *k; /* how it is saved stays as it is */
    bool behind = cap == p->places_behind && !has_tags;
    ASSERT(!behind || k->block != (char *)(k + 1));
    to.cap = cap;
    to.head = to.count = 0;
    to.block = behind ? (char *)(k + 1) : mem_pool_alloc(block_bytes(p, cap, has_tags));
    for (; to.count < k->count; to.count++) {
        uint32_t from = kept_place(k, to.count);
        memcpy(kept_cells(&to, p, to.count), kept_cells(k, p, from), p->count * sizeof(union cell));
        for (uint32_t c = 0; has_tags && c < p->count; c++)
            kept_tags(&to, p, to.count)[c] = tag_at(k, p, from, c);
    }
    block_free(k, p, had_tags);
    *k = to;
}

void kept_grow(struct kept *k, const struct kept_plan *p, uint32_t most)
{
    ASSERT(k->cap < UINT32_MAX / 2);
    uint32_t cap = k->cap ? k->cap * 2 : FIRST_PLACES;
    reblock(k, p, cap > most ? most : cap, k->odd != 0, k->odd != 0);
}

/* k->odd is 0 by now, and the block still has tags. */
void kept_untag(struct kept *k, const struct kept_plan *p)
{
    reblock(k, p, k->cap, true, false);
}

/* Room for one more entry; its cells are for the caller to fill. is_odd: it holds odd values. */
static uint32_t add_place(struct kept *k, const struct kept_plan *p, uint32_t odd)
{
    if (odd && !k->odd)
        reblock(k, p, k->cap, false, true);
    k->odd += odd;
    return kept_place(k, k->count++);
}

static void put(struct kept *k, const struct kept_plan *p, uint32_t place, uint32_t column, struct value v)
{
    kept_cells(k, p, place)[column] = v.as;
    if (k->odd)
        kept_tags(k, p, place)[column] = (uint8_t)v.type;
}

/* A column may hold a value of another type than it declares (cast), so the tag is asked. */
void kept_add_any(struct kept *k, const struct kept_plan *p, const struct row *row)
{
    uint32_t odd = 0;
    for (uint32_t c = 0; c < p->count; c++)
        odd += row->types[p->columns[c].index] != p->columns[c].type;
    uint32_t place = add_place(k, p, odd);
    for (uint32_t c = 0; c < p->count; c++)
        put(k, p, place, c, value_keep(row_get(row, p->columns[c].index)));
}

/* The text of a token's group, or "null", which is the same group as no text at all. */
static struct text *text_of_token(const struct kept_plan *p, union cell cell)
{
    struct text *text = p->token_text(kept_token(cell));
    return text ? value_keep(value_text(text)).as.s : text_new("null", 4);
}

void kept_token_out(const struct kept_plan *p, union cell *cell)
{
    void *token = kept_token(*cell);
    cell->s = text_of_token(p, *cell);
    p->token_end(token);
}

static bool holds_token(const struct kept_plan *p, uint32_t column, struct value v)
{
    return column == p->token_at && v.type == TYPE_STRING && kept_is_token(v.as);
}

static struct value value_at(const struct kept *k, const struct kept_plan *p, uint32_t i, uint32_t column)
{
    uint32_t place = kept_place(k, i);
    return (struct value){kept_cells(k, p, place)[column], (enum type)tag_at(k, p, place, column)};
}

void kept_fini(struct kept *k, const struct kept_plan *p)
{
    for (uint32_t i = 0; i < k->count; i++) {
        for (uint32_t c = 0; c < p->count; c++) {
            struct value v = value_at(k, p, i, c);
            if (!holds_token(p, c, v))
                value_drop(v); /* the groups of tokens end on their own, and have ended by now */
        }
    }
    block_free(k, p, k->odd != 0);
    pieces_end(&k->pieces);
    *k = (struct kept){0};
    kept_init(k, p);
}

struct entries { /* being written or read */
    struct kept *kept;
    const struct kept_plan *plan;
};

/* The values: one to nine bytes for a number. */
enum { OTHER_VALUE = 0xF0 }; /* no head of write_sparse is as high */

static bool is_number(uint8_t declared)
{
    return declared == TYPE_LONG || declared == TYPE_DOUBLE;
}

static void write_kept(struct writer *w, struct value v, uint8_t declared)
{
    if (LIKELY(v.type == (enum type)declared && is_number(declared))) {
        write_sparse(w, (uint64_t)v.as.l);
        return;
    }
    write_u8(w, OTHER_VALUE);
    write_value(w, v);
}

static struct value read_kept(struct reader *r, uint8_t declared)
{
    if (LIKELY(r->at < r->end && *r->at < OTHER_VALUE && is_number(declared)))
        return (struct value){{.l = (int64_t)read_sparse(r)}, (enum type)declared};
    if (read_u8(r) != OTHER_VALUE)
        r->failed = true;
    return read_value(r);
}

static void write_entry(void *user, struct writer *w, uint32_t i, bool begins)
{
    const struct entries *e = user;
    (void)begins;
    for (uint32_t c = 0; c < e->plan->count; c++) {
        struct value v = value_at(e->kept, e->plan, i, c);
        if (!holds_token(e->plan, c, v)) {
            write_kept(w, v, e->plan->columns[c].type);
            continue;
        }
        v.as.s = text_of_token(e->plan, v.as);
        write_kept(w, v, e->plan->columns[c].type);
        value_drop(v);
    }
    if (!e->plan->count)
        write_u8(w, 0); /* an entry is never nothing */
}

static bool read_entry(void *user, struct reader *r, bool begins, bool is_held)
{
    const struct entries *e = user;
    const struct kept_plan *p = e->plan;
    struct value values[KEPT_COLUMNS_MAX];
    uint32_t odd = 0;
    (void)begins;
    for (uint32_t c = 0; c < p->count; c++) {
        values[c] = read_kept(r, p->columns[c].type);
        odd += values[c].type != (enum type)p->columns[c].type;
    }
    if (is_held && e->kept->count == e->kept->cap)
        kept_grow(e->kept, p, UINT32_MAX);
    uint32_t place = is_held ? add_place(e->kept, p, odd) : 0;
    for (uint32_t c = 0; c < p->count; c++) {
        if (is_held)
            put(e->kept, p, place, c, values[c]);
        else
            value_drop(values[c]);
    }
    if (!p->count)
        read_u8(r);
    return !r->failed;
}

static void kept_tally(const struct kept *k, const struct kept_plan *p, struct writer *w)
{
    enum { LOOKS = 1024 };
    uint32_t step = k->count / LOOKS + 1, looks = 0;
    uint64_t bytes = 0;
    bool has_counted = p->text_count > 0 || p->has_objects;
    for (uint32_t i = 0; has_counted && i < k->count; i += step, looks++)
        for (uint32_t c = 0; c < p->count; c++) {
            struct value v = value_at(k, p, i, c);
            if (!holds_token(p, c, v)) /* a group's text is the group's */
                bytes += tally_value(v);
        }
    write_held(w, block_bytes(p, k->cap, k->odd != 0));
    if (looks)
        write_held(w, (size_t)((double)bytes / looks * k->count));
}

void kept_save(const struct kept *k, const struct kept_plan *p, struct writer *w)
{
    if (w->tally) {
        kept_tally(k, p, w);
        return;
    }
    struct kept *own = (struct kept *)(uintptr_t)k; /* how it is saved is no part of what it holds */
    struct entries entries = {own, p};
    bool in_pieces = w->state && k->count > PIECES_INLINE;
    write_varint(w, p->count);
    write_u8(w, in_pieces);
    if (in_pieces) {
        pieces_save(&own->pieces, w, k->taken, k->count,
                    &(struct pieces_owner){.user = &entries, .write = write_entry});
        return;
    }
    pieces_end(&own->pieces);
    write_count(w, k->count);
    for (uint32_t i = 0; i < k->count; i++)
        write_entry(&entries, w, i, i == 0);
}

int kept_load(struct kept *k, const struct kept_plan *p, struct reader *r)
{
    struct entries entries = {k, p};
    kept_fini(k, p);
    if (read_varint(r) != p->count)
        return ERR_STATE;
    if (read_u8(r))
        return pieces_load(&k->pieces, r, &k->taken,
                           &(struct pieces_owner){.user = &entries, .read = read_entry});
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++)
        read_entry(&entries, r, i == 0, true);
    return r->failed ? ERR_STATE : 0;
}

struct row *ghost_scratch(struct arena *scratch, const struct kept_plan *p)
{
    struct row *row = arena_alloc(scratch, row_bytes(p->row_count));
    row->count = p->row_count;
    return row;
}
