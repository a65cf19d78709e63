/* keyed.c - see keyed.h. */
#include "engine/window/keyed.h"

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

static struct keyed_entry *add(struct keyed *k, const char *key, size_t len, struct row *row)
{
    if (!k->ready)
        map_init(&k->map);
    k->ready = true;
    struct keyed_entry *x = mem_alloc(sizeof *x);
    x->key = mem_alloc(len + 1);
    memcpy(x->key, key, len);
    x->len = (uint32_t)len;
    x->row = row;
    x->prev = k->last;
    if (k->last)
        k->last->next = x;
    else
        k->first = x;
    k->last = x;
    k->count++;
    map_put(&k->map, key, len, x);
    return x;
}

struct keyed_entry *keyed_get(const struct keyed *k, const struct text *key)
{
    return k->ready ? map_get(&k->map, key->bytes, key->len) : NULL;
}

struct keyed_entry *keyed_add(struct keyed *k, const struct text *key, const struct event *e)
{
    return add(k, key->bytes, key->len, own(e));
}

struct row *keyed_swap(struct keyed_entry *x, const struct event *e)
{
    struct row *was = x->row;
    x->row = own(e);
    return was;
}

struct row *keyed_take(struct keyed *k, struct keyed_entry *x)
{
    struct row *row = x->row;
    map_remove(&k->map, x->key, x->len);
    *(x->prev ? &x->prev->next : &k->first) = x->next;
    *(x->next ? &x->next->prev : &k->last) = x->prev;
    k->count--;
    mem_free(x->key);
    mem_free(x);
    return row;
}

void keyed_fini(struct keyed *k)
{
    while (k->first)
        row_unref(keyed_take(k, k->first));
    if (k->ready)
        map_fini(&k->map);
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

void keyed_save(const struct keyed *k, struct writer *w)
{
    write_count(w, k->count);
    write_held(w, k->count * (sizeof *k->first + sizeof(struct map_entry)));
    for (const struct keyed_entry *x = k->first; x; x = x->next) {
        write_bytes(w, x->key, x->len);
        write_row(w, x->row);
    }
}

void keyed_load(struct keyed *k, struct reader *r)
{
    size_t count = read_count(r, UINT32_MAX / 2);
    for (size_t i = 0; i < count && !r->failed; i++) {
        size_t len = 0;
        const char *key = read_bytes(r, &len);
        struct row *row = read_row(r);
        if (r->failed || !row || (k->ready && map_get(&k->map, key, len))) {
            if (row)
                row_unref(row);
            r->failed = true;
            return;
        }
        add(k, key, len, row);
    }
}
