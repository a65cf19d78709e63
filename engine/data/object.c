/* object.c - sets, lists, maps and failures.
 *
 * A set is a map without values: both are a struct table, made as base/map.c is, with the same laws: entries
 * in insertion order, a removed one stays as a hole, a slot holds index + 1 and one that leads to a hole is
 * passed by, entries fill at most three quarters of the slots. */
#include "engine/data/object.h"
#include "engine/base/utf8.h"

enum { FIRST_SLOTS = 8, FIRST_ITEMS = 8 };

/* ---- list ---- */

struct list {
    struct object object;
    struct value *items; /* kept */
    size_t count, cap;
};

static struct list *as_list(const struct object *o)
{
    ASSERT(object_is_list(o));
    return (struct list *)(uintptr_t)o;
}

static void list_free(struct object *o)
{
    struct list *l = as_list(o);
    for (size_t i = 0; i < l->count; i++)
        value_drop(l->items[i]);
    mem_free(l->items);
    mem_free(l);
}

static void list_print(const struct object *o, struct buf *out)
{
    const struct list *l = as_list(o);
    buf_add_char(out, '[');
    for (size_t i = 0; i < l->count; i++) {
        if (i > 0)
            buf_add_str(out, ", ");
        value_print(l->items[i], out);
    }
    buf_add_char(out, ']');
}

static bool list_equals(const struct object *a, const struct object *b)
{
    const struct list *x = as_list(a), *y = as_list(b);
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        if (!value_same(x->items[i], y->items[i]))
            return false;
    }
    return true;
}

static uint32_t list_hash(const struct object *o)
{
    const struct list *l = as_list(o);
    uint32_t hash = 1;
    for (size_t i = 0; i < l->count; i++)
        hash = hash * 31 + value_hash(l->items[i]);
    return hash;
}

static const struct object_type list_type = {
    .name = "list",
    .free = list_free,
    .print = list_print,
    .equals = list_equals,
    .hash = list_hash,
};

bool object_is_list(const struct object *o)
{
    return o->type == &list_type;
}

struct object *list_new(void)
{
    struct list *l = mem_alloc(sizeof(*l));
    l->object = (struct object){&list_type, 1};
    return &l->object;
}

size_t list_count(const struct object *list)
{
    return as_list(list)->count;
}

struct value list_get(const struct object *list, size_t at)
{
    const struct list *l = as_list(list);
    ASSERT(at < l->count);
    return l->items[at];
}

void list_set(struct object *list, size_t at, struct value v)
{
    struct list *l = as_list(list);
    ASSERT(at < l->count);
    struct value old = l->items[at];
    l->items[at] = value_keep(v);
    value_drop(old);
}

void list_insert(struct object *list, size_t at, struct value v)
{
    struct list *l = as_list(list);
    ASSERT(at <= l->count);
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : FIRST_ITEMS;
        l->items = mem_resize(l->items, l->cap, sizeof(*l->items));
    }
    memmove(l->items + at + 1, l->items + at, (l->count - at) * sizeof(*l->items));
    l->items[at] = value_keep(v);
    l->count++;
}

void list_add(struct object *list, struct value v)
{
    list_insert(list, as_list(list)->count, v);
}

void list_remove(struct object *list, size_t at)
{
    struct list *l = as_list(list);
    ASSERT(at < l->count);
    struct value old = l->items[at];
    l->count--;
    memmove(l->items + at, l->items + at + 1, (l->count - at) * sizeof(*l->items));
    value_drop(old);
}

/* ---- set and map ---- */

struct entry {
    struct value key, value; /* kept */
    uint32_t hash;
    bool used;
};
struct table {
    struct object object;
    struct entry *entries;
    uint32_t count, top, cap; /* live entries, entries with holes, room */
    uint32_t *slots;
    uint32_t slot_count;
};

static struct table *as_table(const struct object *o)
{
    ASSERT(object_is_set(o) || object_is_map(o));
    return (struct table *)(uintptr_t)o;
}

static struct entry *find(const struct table *t, struct value key, uint32_t hash)
{
    if (t->count == 0)
        return NULL;
    uint32_t mask = t->slot_count - 1;
    for (uint32_t slot = hash & mask; t->slots[slot]; slot = (slot + 1) & mask) {
        struct entry *e = &t->entries[t->slots[slot] - 1];
        if (e->used && e->hash == hash && value_same(e->key, key))
            return e;
    }
    return NULL;
}

static void slot_take(struct table *t, uint32_t hash, uint32_t at)
{
    uint32_t mask = t->slot_count - 1, slot = hash & mask;
    while (t->slots[slot])
        slot = (slot + 1) & mask;
    t->slots[slot] = at + 1;
}

static void rebuild(struct table *t)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < t->top; i++) {
        if (t->entries[i].used)
            t->entries[top++] = t->entries[i];
    }
    t->top = top;
    if (t->slot_count == 0) {
        t->slot_count = FIRST_SLOTS;
    } else if (t->count > t->cap / 2) {
        ASSERT(t->slot_count <= UINT32_MAX / 4);
        t->slot_count *= 2;
    }
    t->cap = t->slot_count / 4 * 3;
    t->entries = mem_resize(t->entries, t->cap, sizeof(*t->entries));
    mem_free(t->slots);
    t->slots = mem_array(t->slot_count, sizeof(*t->slots));
    for (uint32_t i = 0; i < t->top; i++)
        slot_take(t, t->entries[i].hash, i);
}

/* False: the key was in; its value is replaced, its place and the old key stay. */
static bool table_put(struct table *t, struct value key, struct value v)
{
    uint32_t hash = value_hash(key);
    struct entry *e = find(t, key, hash);
    if (e) {
        struct value old = e->value;
        e->value = value_keep(v);
        value_drop(old);
        return false;
    }
    if (t->top == t->cap)
        rebuild(t);
    t->entries[t->top] = (struct entry){value_keep(key), value_keep(v), hash, true};
    slot_take(t, hash, t->top);
    t->top++;
    t->count++;
    return true;
}

static bool table_remove(struct table *t, struct value key)
{
    struct entry *e = find(t, key, value_hash(key));
    if (!e)
        return false;
    struct entry old = *e;
    *e = (struct entry){.used = false};
    t->count--;
    value_drop(old.key);
    value_drop(old.value);
    return true;
}

static void table_free(struct object *o)
{
    struct table *t = as_table(o);
    for (uint32_t i = 0; i < t->top; i++) {
        value_drop(t->entries[i].key);
        value_drop(t->entries[i].value);
    }
    mem_free(t->entries);
    mem_free(t->slots);
    mem_free(t);
}

static bool table_equals(const struct object *a, const struct object *b)
{
    const struct table *x = as_table(a), *y = as_table(b);
    if (x->count != y->count)
        return false;
    for (uint32_t i = 0; i < x->top; i++) {
        const struct entry *e = &x->entries[i];
        if (!e->used)
            continue;
        const struct entry *other = find(y, e->key, e->hash);
        if (!other || !value_same(e->value, other->value))
            return false;
    }
    return true;
}

/* Equal tables may stand in different orders: a sum does not see the order. */
static uint32_t table_hash(const struct object *o)
{
    const struct table *t = as_table(o);
    uint32_t hash = t->count;
    for (uint32_t i = 0; i < t->top; i++) {
        if (t->entries[i].used)
            hash += t->entries[i].hash ^ (value_hash(t->entries[i].value) * 31);
    }
    return hash;
}

static void set_print(const struct object *o, struct buf *out)
{
    const char *between = "";
    struct value key;
    buf_add_char(out, '[');
    for (size_t i = 0; object_next(o, &i, &key, NULL); between = ", ") {
        buf_add_str(out, between);
        value_print(key, out);
    }
    buf_add_char(out, ']');
}

static void map_print(const struct object *o, struct buf *out)
{
    const char *between = "";
    struct value key, v;
    buf_add_char(out, '{');
    for (size_t i = 0; object_next(o, &i, &key, &v); between = ", ") {
        buf_add_str(out, between);
        value_print(key, out);
        buf_add_char(out, '=');
        value_print(v, out);
    }
    buf_add_char(out, '}');
}

static const struct object_type set_type = {
    .name = "set",
    .free = table_free,
    .print = set_print,
    .equals = table_equals,
    .hash = table_hash,
};
static const struct object_type map_type = {
    .name = "map",
    .free = table_free,
    .print = map_print,
    .equals = table_equals,
    .hash = table_hash,
};

bool object_is_set(const struct object *o)
{
    return o->type == &set_type;
}

bool object_is_map(const struct object *o)
{
    return o->type == &map_type;
}

static struct object *table_new(const struct object_type *type)
{
    struct table *t = mem_alloc(sizeof(*t));
    t->object = (struct object){type, 1};
    return &t->object;
}

struct object *set_new(void)
{
    return table_new(&set_type);
}

bool set_add(struct object *set, struct value v)
{
    ASSERT(object_is_set(set));
    return table_put(as_table(set), v, VALUE_NULL);
}

bool set_remove(struct object *set, struct value v)
{
    ASSERT(object_is_set(set));
    return table_remove(as_table(set), v);
}

bool set_has(const struct object *set, struct value v)
{
    ASSERT(object_is_set(set));
    return find(as_table(set), v, value_hash(v)) != NULL;
}

struct object *map_object_new(void)
{
    return table_new(&map_type);
}

void map_object_put(struct object *map, struct value key, struct value v)
{
    ASSERT(object_is_map(map));
    (void)table_put(as_table(map), key, v);
}

bool map_object_get(const struct object *map, struct value key, struct value *out)
{
    ASSERT(object_is_map(map));
    const struct entry *e = find(as_table(map), key, value_hash(key));
    if (e)
        *out = e->value;
    return e != NULL;
}

bool map_object_remove(struct object *map, struct value key)
{
    ASSERT(object_is_map(map));
    return table_remove(as_table(map), key);
}

bool object_next(const struct object *set_or_map, size_t *at, struct value *key, struct value *v)
{
    const struct table *t = as_table(set_or_map);
    while (*at < t->top) {
        const struct entry *e = &t->entries[(*at)++];
        if (!e->used)
            continue;
        *key = e->key;
        if (v)
            *v = e->value;
        return true;
    }
    return false;
}

size_t object_count(const struct object *set_or_map_or_list)
{
    if (object_is_list(set_or_map_or_list))
        return list_count(set_or_map_or_list);
    return as_table(set_or_map_or_list)->count;
}

/* ---- failure ---- */

struct failure {
    struct object object;
    char *message; /* owned */
};

static const struct failure *as_failure(const struct object *o)
{
    ASSERT(object_is_failure(o));
    return (const struct failure *)(const void *)o;
}

static void failure_free(struct object *o)
{
    mem_free(as_failure(o)->message);
    mem_free(o);
}

static void failure_print(const struct object *o, struct buf *out)
{
    buf_add_str(out, "message : ");
    buf_add_str(out, as_failure(o)->message);
    buf_add_str(out, "\n cause :null");
}

/* An exception of Java is equal to itself alone, which value_same has looked at. */
static bool failure_equals(const struct object *a, const struct object *b)
{
    return a == b;
}

static uint32_t failure_hash(const struct object *o)
{
    return value_hash(value_long((int64_t)(uintptr_t)o));
}

static const struct object_type failure_type = {
    .name = "failure",
    .free = failure_free,
    .print = failure_print,
    .equals = failure_equals,
    .hash = failure_hash,
};

bool object_is_failure(const struct object *o)
{
    return o->type == &failure_type;
}

struct object *failure_new(const char *message)
{
    struct failure *f = mem_alloc(sizeof(*f));
    f->object = (struct object){&failure_type, 1};
    f->message = mem_strdup(message);
    return &f->object;
}

const char *failure_message(const struct object *failure)
{
    return as_failure(failure)->message;
}

/* ---- Java's hashes ---- */

static int32_t folded(uint64_t bits)
{
    return (int32_t)(uint32_t)(bits ^ (bits >> 32));
}

static int32_t object_java_hash(const struct object *o)
{
    uint32_t hash = 0;
    struct value key, v;
    if (object_is_failure(o))
        return 0;
    if (object_is_list(o)) {
        hash = 1;
        for (size_t i = 0; i < object_count(o); i++)
            hash = hash * 31 + (uint32_t)value_java_hash(list_get(o, i));
        return (int32_t)hash;
    }
    bool is_map = object_is_map(o);
    for (size_t at = 0; object_next(o, &at, &key, &v);)
        hash += (uint32_t)value_java_hash(key) ^ (is_map ? (uint32_t)value_java_hash(v) : 0);
    return (int32_t)hash;
}

int32_t value_java_hash(struct value v)
{
    switch (v.type) {
    case TYPE_STRING:
        return utf8_java_hash(v.as.s->bytes, v.as.s->len);
    case TYPE_INT:
        return (int32_t)v.as.l;
    case TYPE_LONG:
        return folded((uint64_t)v.as.l);
    case TYPE_BOOL:
        return v.as.l ? 1231 : 1237;
    case TYPE_FLOAT: {
        uint32_t bits = 0x7FC00000; /* of every NaN */
        if (v.as.f == v.as.f)
            memcpy(&bits, &v.as.f, sizeof(bits));
        return (int32_t)bits;
    }
    case TYPE_DOUBLE: {
        uint64_t bits = UINT64_C(0x7FF8000000000000);
        if (v.as.d == v.as.d)
            memcpy(&bits, &v.as.d, sizeof(bits));
        return folded(bits);
    }
    case TYPE_OBJECT:
        return object_java_hash(v.as.o);
    case TYPE_NULL:
        break;
    }
    return 0;
}
