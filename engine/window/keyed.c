/* keyed.c - see keyed.h. */
#include "engine/window/keyed.h"
#include <stdlib.h>

enum { FIRST_PLACES = 8 };

bool key_plan(struct window_ctx *c, const struct ast_expr *call, int from, int count, struct key_plan *p)
{
    bool fine = true;
    p->exprs = arena_array(c->arena, (size_t)count + 1, sizeof *p->exprs);
    for (int i = 0; i < count; i++) {
        p->exprs[i] = window_arg_expr(c, call, from + i);
        fine = fine && p->exprs[i];
    }
    p->count = count;
    return fine;
}

struct text *key_of(const struct key_plan *p, struct op *op, const struct event *e)
{
    struct row *row = e->row;
    struct frame f = {.env = op->env, .rows = &row, .at_ms = e->at_ms, .kind = e->kind};
    struct buf buf;
    buf_init(&buf, LIMIT_KEY_BYTES);
    for (int i = 0; i < p->count && !op->env->failed; i++) {
        struct value v = expr_eval(p->exprs[i], &f);
        if (is_null(v) && p->refuses_null && !op->env->failed)
            expr_fail(op->env, "%s: the key is null", op->type->name);
        if (!p->is_text)
            buf_add_char(&buf, (char)('0' + (int)v.type));
        value_print(v, &buf);
    }
    if (buf.overflow && !op->env->failed)
        expr_fail(op->env, "%s: the key has more than %d bytes", op->type->name, LIMIT_KEY_BYTES);
    struct text *key =
        op->env->failed ? NULL : text_scratch(op->env->scratch, buf.bytes ? buf.bytes : "", buf.len);
    buf_fini(&buf);
    return key;
}

static struct row *own(const struct event *e)
{
    return e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
}

/* Takes row. The entry stands nowhere yet. */
static struct keyed_entry *entry_new(const char *key, size_t len, struct row *row)
{
    struct keyed_entry *x = mem_alloc(sizeof *x);
    x->key = mem_alloc(len + 1);
    memcpy(x->key, key, len);
    x->len = (uint32_t)len;
    x->row = row;
    return x;
}

static void entry_free(struct keyed_entry *x)
{
    mem_free(x->key);
    mem_free(x);
}

static void places_widen(struct keyed *k, uint32_t count)
{
    while (k->cap < count)
        k->cap = k->cap ? k->cap * 2 : FIRST_PLACES;
    k->all = mem_resize(k->all, k->cap, sizeof(struct keyed_entry *));
}

/* Behind all, under its key. False: the key is in. */
static bool link_last(struct keyed *k, struct keyed_entry *x)
{
    if (!k->ready)
        map_init(&k->map);
    k->ready = true;
    x->prev = k->last;
    *(k->last ? &k->last->next : &k->first) = x;
    k->last = x;
    return map_put(&k->map, x->key, x->len, x) == NULL;
}

struct keyed_entry *keyed_get(const struct keyed *k, const struct text *key)
{
    return k->ready ? map_get(&k->map, key->bytes, key->len) : NULL;
}

struct keyed_entry *keyed_add(struct keyed *k, const struct text *key, const struct event *e)
{
    struct keyed_entry *x = entry_new(key->bytes, key->len, own(e));
    if (k->count == k->cap)
        places_widen(k, k->count + 1);
    x->order = k->next_order++;
    x->place = k->count++;
    k->all[x->place] = x;
    segments_touch(k->saved, x->place);
    link_last(k, x);
    return x;
}

struct row *keyed_swap(struct keyed *k, struct keyed_entry *x, const struct event *e)
{
    struct row *was = x->row;
    x->row = own(e);
    segments_touch(k->saved, x->place);
    return was;
}

/* The last place's entry comes to stand in its place. */
static void place_leave(struct keyed *k, const struct keyed_entry *x)
{
    struct keyed_entry *last = k->all[--k->count];
    if (last == x)
        return;
    last->place = x->place;
    k->all[x->place] = last;
    segments_touch(k->saved, x->place);
}

struct row *keyed_take(struct keyed *k, struct keyed_entry *x)
{
    struct row *row = x->row;
    map_remove(&k->map, x->key, x->len);
    *(x->prev ? &x->prev->next : &k->first) = x->next;
    *(x->next ? &x->next->prev : &k->last) = x->prev;
    place_leave(k, x);
    entry_free(x);
    return row;
}

void keyed_fini(struct keyed *k)
{
    while (k->first)
        row_unref(keyed_take(k, k->first));
    if (k->ready)
        map_fini(&k->map);
    mem_free(k->all);
    segments_end(&k->saved);
    *k = (struct keyed){0};
}

struct queue *keyed_content(const struct keyed *k, struct op *op)
{
    struct queue *q = arena_alloc(op->env->scratch, sizeof *q);
    q->cap = 1;
    while (q->cap < k->count)
        q->cap *= 2;
    q->ring = arena_array(op->env->scratch, q->cap, sizeof(struct row *));
    for (const struct keyed_entry *x = k->first; x; x = x->next)
        q->ring[q->count++] = x->row;
    return q;
}

/* ---- state ---- */

static void near_entry(void *user, uint32_t place, int step)
{
    const struct keyed *k = user;
    const struct keyed_entry *x = k->all[place];
    __builtin_prefetch(step == 0 ? (const void *)x : x->key);
    if (step > 0)
        segments_near_row(x->row, step);
}

static void write_entry(void *user, struct writer *w, uint32_t place)
{
    const struct keyed *k = user;
    const struct keyed_entry *x = k->all[place];
    write_bytes(w, x->key, x->len);
    write_varint(w, x->order);
    write_row(w, x->row);
}

static bool begin_entries(void *user, uint32_t count)
{
    struct keyed *k = user;
    if (k->count)
        return false;
    places_widen(k, count);
    memset(k->all, 0, k->cap * sizeof(struct keyed_entry *));
    return true;
}

static bool read_entry(void *user, struct reader *r, uint32_t place)
{
    struct keyed *k = user;
    size_t len;
    const char *key = read_bytes(r, &len);
    uint64_t order = read_varint(r);
    struct row *row = key ? read_row(r) : NULL;
    if (!row)
        return false;
    struct keyed_entry *x = k->all[place] = entry_new(key, len, row);
    x->order = order;
    x->place = place;
    k->count = place < k->count ? k->count : place + 1;
    return !r->failed;
}

static int by_order(const void *a, const void *b)
{
    const struct keyed_entry *x = *(struct keyed_entry *const *)a, *y = *(struct keyed_entry *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The list and the map of what was read. */
static bool link_all(struct keyed *k)
{
    struct keyed_entry **sorted = mem_array((size_t)k->count + 1, sizeof(struct keyed_entry *));
    bool good = true;
    if (k->count)
        memcpy(sorted, k->all, k->count * sizeof(struct keyed_entry *));
    qsort(sorted, k->count, sizeof(struct keyed_entry *), by_order);
    for (uint32_t i = 0; i < k->count; i++)
        good = link_last(k, sorted[i]) && good;
    mem_free(sorted);
    return good && (k->count == 0 || k->last->order < k->next_order);
}

/* What was read of something that can't be. */
static void forget_all(struct keyed *k)
{
    for (uint32_t i = 0; i < k->count; i++) {
        if (!k->all[i])
            continue;
        row_unref(k->all[i]->row);
        entry_free(k->all[i]);
    }
    k->first = k->last = NULL;
    k->count = 0;
}

void keyed_save(struct keyed *k, struct writer *w)
{
    write_varint(w, k->next_order);
    write_held(w, k->count * (sizeof *k->first + sizeof *k->all + sizeof(struct map_entry)));
    segments_save(&k->saved, w, k->count,
                  &(struct segments_owner){.user = k, .write = write_entry, .near = near_entry});
}

void keyed_load(struct keyed *k, struct reader *r)
{
    k->next_order = read_varint(r);
    int rc = segments_load(&k->saved, r,
                           &(struct segments_owner){.user = k, .read = read_entry, .begin = begin_entries});
    if (rc < 0 || !link_all(k)) {
        forget_all(k);
        r->failed = true;
    }
}
