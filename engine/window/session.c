/* session.c - window.session(gap [, key [, latency]]) (spec 04 section 2.9).
 *
 * Every event passes at once; its row is also held in a session of its key until that ends, then leaves as
 * expired with its own time.
 *
 * Laws: (1) the current session of a key spans [start, end], end is the last event's time + gap; an event
 * inside joins. (2) An event behind end joins nothing without latency; with latency the current session
 * becomes the previous one (which first lets out what was there), and a new one starts. (3) A timer of stamp
 * t ends the current sessions with end <= t, over all keys in order of end: they leave, or with latency
 * become previous; then the previous ones with end + latency <= t leave. (4) An event before start is late:
 * near enough (gap) to the current session it goes into it, else, with latency, into the previous one, else
 * it is dropped from the output too; previous and current become one when they touch. (5) Late rows do not go
 * to the front, but before the cursor, which each of them moves one row on: the language shows that order. */
#include "engine/window/java_map.h"
#include "engine/window/pieces.h"
#include "engine/window/window.h"

struct session_plan {
    struct op_plan op;
    int64_t gap_ms, latency_ms;
    int key; /* attribute, or -1 */
};
struct session {
    struct queue rows;
    int32_t cursor; /* index of the row before which the next late one goes is one behind it, while there is
                       one; -1: none yet */
    int64_t start_ms, end_ms;
};
struct container { /* of one key */
    struct java_entry in_map;
    struct session current, previous; /* empty: rows.count == 0 */
};
struct session_window {
    struct op op;
    struct java_map map;
    struct dues dues;
    struct row *model;   /* owned: what in a checkpoint the first row of each key leans on; NULL: nothing yet,
                          or there is one key only */
    int64_t earliest_ms; /* no session is over before it: most timers find nothing */
};

static const struct session_plan *plan_of(const struct op *op)
{
    return (const struct session_plan *)(const void *)op->plan;
}

static void session_clear(struct session *s)
{
    ASSERT(s->rows.count == 0);
    s->cursor = -1;
}

static void session_expire(struct session *s, struct batch *expired)
{
    while (s->rows.count) {
        struct row *row = queue_take(&s->rows);
        batch_add(expired, row, row->at_ms, EVENT_EXPIRED);
    }
    session_clear(s);
}

/* Moves the cursor on, if a row is there, and gives the place before it. */
static uint32_t step_cursor(struct session *s)
{
    if (s->cursor + 1 < (int32_t)s->rows.count)
        s->cursor++;
    return (uint32_t)s->cursor++;
}

/* A session is over at due_ms at the earliest. */
static void asks(struct session_window *w, int64_t due_ms)
{
    if (due_ms < w->earliest_ms)
        w->earliest_ms = due_ms;
    dues_request(&w->dues, &w->op, due_ms);
}

/* Latency only: what was previous leaves. */
static void retire(struct session_window *w, struct container *c, struct batch *expired)
{
    session_expire(&c->previous, expired);
    c->previous.start_ms = c->current.start_ms;
    c->previous.end_ms = c->current.end_ms;
    queue_move(&c->previous.rows, &c->current.rows);
    session_clear(&c->current);
    asks(w, time_add(c->previous.end_ms, plan_of(&w->op)->latency_ms));
}

static void begin(struct session_window *w, struct container *c, struct row *row)
{
    c->current.start_ms = row->at_ms;
    c->current.end_ms = time_add(row->at_ms, plan_of(&w->op)->gap_ms);
    queue_add(&c->current.rows, row);
    asks(w, c->current.end_ms);
}

/* previous goes into current when they touch. */
static void merge(struct session_window *w, struct container *c)
{
    struct session *now = &c->current, *was = &c->previous;
    if (!was->rows.count || was->end_ms < time_sub(now->start_ms, plan_of(&w->op)->gap_ms))
        return;
    uint32_t place = step_cursor(now);
    now->cursor += (int32_t)was->rows.count - 1;
    while (was->rows.count) {
        struct row *row = queue_take(&was->rows);
        queue_insert_at(&now->rows, place++, row);
        row_unref(row);
    }
    session_clear(was);
    now->start_ms = was->start_ms;
}

/* False: too late, the event is dropped. */
static bool join_late(struct session_window *w, struct container *c, struct row *row)
{
    const struct session_plan *p = plan_of(&w->op);
    if (row->at_ms >= time_sub(c->current.start_ms, p->gap_ms)) {
        queue_insert_at(&c->current.rows, step_cursor(&c->current), row);
        c->current.start_ms = row->at_ms;
    } else if (p->latency_ms > 0 && c->previous.rows.count &&
               row->at_ms >= time_sub(c->previous.start_ms, p->gap_ms)) {
        int64_t end_ms = time_add(row->at_ms, p->gap_ms);
        queue_add(&c->previous.rows, row);
        if (row->at_ms < c->previous.start_ms)
            c->previous.start_ms = row->at_ms;
        if (end_ms > c->previous.end_ms)
            c->previous.end_ms = end_ms;
    } else {
        return false;
    }
    if (p->latency_ms > 0)
        merge(w, c);
    return true;
}

static bool take(struct session_window *w, struct container *c, struct row *row, struct batch *expired)
{
    const struct session_plan *p = plan_of(&w->op);
    if (!c->current.rows.count) {
        begin(w, c, row);
    } else if (row->at_ms < c->current.start_ms) {
        return join_late(w, c, row);
    } else if (row->at_ms <= c->current.end_ms) {
        queue_add(&c->current.rows, row);
        c->current.end_ms = time_add(row->at_ms, p->gap_ms);
        asks(w, c->current.end_ms);
    } else if (p->latency_ms > 0) {
        retire(w, c, expired);
        begin(w, c, row);
    }
    return true;
}

static struct container *container_new(void)
{
    struct container *c = mem_alloc(sizeof *c);
    c->current.cursor = c->previous.cursor = -1;
    return c;
}

/* The types are those of the input, texts are empty, numbers and time those of the row that comes first: the
 * next ones are like it. Only while no entry stands in a checkpoint that leans on the one before. */
static void model_set(struct session_window *w, const struct row *row)
{
    const struct schema *in = w->op.plan->in;
    if (!w->model)
        w->model = row_new(in->count, 0);
    w->model->at_ms = row->at_ms;
    for (uint32_t i = 0; i < in->count; i++) {
        enum type type = in->attributes[i].type;
        bool has_number = type == TYPE_INT || type == TYPE_LONG || type == TYPE_DOUBLE;
        if (type == TYPE_STRING && w->model->types[i] != TYPE_STRING)
            row_set_take(w->model, i, value_text(text_new("", 0)));
        else if (has_number && row->types[i] == type)
            row_set(w->model, i, row_get(row, i));
        else if (type != TYPE_STRING && type != TYPE_OBJECT)
            w->model->types[i] = (uint8_t)type;
    }
}

static struct container *container_add(struct session_window *w, const struct row *row, const char *key,
                                       size_t len)
{
    struct container *c = container_new();
    if (!w->map.count && plan_of(&w->op)->key >= 0)
        model_set(w, row);
    java_map_add(&w->map, &c->in_map, key, len);
    return c;
}

static struct container *container_of(struct session_window *w, const struct row *row)
{
    const struct session_plan *p = plan_of(&w->op);
    const char *key = "default-key";
    size_t len = strlen(key);
    if (p->key >= 0) {
        struct value v = row_get(row, (size_t)p->key);
        if (v.type != TYPE_STRING) {
            expr_fail(w->op.env, "window.session: the key '%s' is %s",
                      w->op.plan->in->attributes[p->key].name, is_null(v) ? "null" : "not a string");
            return NULL;
        }
        key = v.as.s->bytes;
        len = v.as.s->len;
    }
    struct container *c = (struct container *)java_map_get(&w->map, key, len);
    return c ? c : container_add(w, row, key, len);
}

static void container_free(struct session_window *w, struct container *c)
{
    java_map_remove(&w->map, &c->in_map);
    queue_fini(&c->current.rows);
    queue_fini(&c->previous.rows);
    mem_free(c);
}

static void add_expired(struct batch *out, const struct batch *expired)
{
    for (uint32_t i = 0; i < expired->count; i++)
        batch_add(out, expired->events[i].row, expired->events[i].at_ms, EVENT_EXPIRED);
}

static int session_push(struct op *op, const struct batch *in)
{
    struct session_window *w = (struct session_window *)op;
    struct batch out, expired;
    batch_init(&out, op->env->scratch, in->count);
    batch_init(&expired, op->env->scratch, 4);
    out.is_batch = in->is_batch;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct event *e = &in->events[i];
        if (e->kind != EVENT_CURRENT)
            continue;
        struct container *c = container_of(w, e->row);
        if (!c)
            return window_fail(&expired);
        java_map_touch(&w->map, &c->in_map);
        struct row *row = e->row->at_ms == e->at_ms ? row_ref(e->row) : row_copy(e->row, 0, e->at_ms);
        bool passes = take(w, c, row, &expired);
        row_unref(row);
        if (passes)
            batch_add(&out, e->row, e->at_ms, EVENT_CURRENT);
    }
    add_expired(&out, &expired);
    return window_emit(op, &out);
}

/* Which end a sweep looks at. */
enum sweep { CURRENT_ENDS, PREVIOUS_ENDS };

static struct session *swept(struct container *c, enum sweep sweep)
{
    return sweep == CURRENT_ENDS ? &c->current : &c->previous;
}

/* Stable, by end. */
static void sort_by_end(struct container **list, struct container **spare, uint32_t count, enum sweep sweep)
{
    if (count < 2)
        return;
    uint32_t half = count / 2, i = 0, j = half;
    sort_by_end(list, spare, half, sweep);
    sort_by_end(list + half, spare, count - half, sweep);
    for (uint32_t k = 0; k < count; k++) {
        bool right =
            i == half || (j < count && swept(list[j], sweep)->end_ms < swept(list[i], sweep)->end_ms);
        spare[k] = right ? list[j++] : list[i++];
    }
    memcpy(list, spare, count * sizeof(struct container *));
}

/* The containers whose session is over at stamp_ms, in order of its end. */
static struct container **overdue(struct session_window *w, enum sweep sweep, int64_t stamp_ms,
                                  uint32_t *count)
{
    struct java_entry **all = java_map_list(&w->map, w->op.env->scratch);
    struct container **list =
        arena_array(w->op.env->scratch, (size_t)w->map.count + 1, sizeof(struct container *));
    int64_t grace_ms = sweep == PREVIOUS_ENDS ? plan_of(&w->op)->latency_ms : 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->map.count; i++) {
        struct container *c = (struct container *)all[i];
        const struct session *s = swept(c, sweep);
        if (!s->rows.count)
            continue;
        int64_t over_ms = time_add(s->end_ms, grace_ms);
        if (over_ms <= stamp_ms)
            list[n++] = c;
        else if (over_ms < w->earliest_ms)
            w->earliest_ms = over_ms;
    }
    struct container **spare = arena_array(w->op.env->scratch, (size_t)n + 1, sizeof(struct container *));
    sort_by_end(list, spare, n, sweep);
    *count = n;
    return list;
}

static int session_due(struct op *op, int64_t due_ms)
{
    struct session_window *w = (struct session_window *)op;
    const struct session_plan *p = plan_of(op);
    struct batch out;
    uint32_t count;
    dues_fired(&w->dues, due_ms);
    if (due_ms < w->earliest_ms)
        return 0;
    w->earliest_ms = INT64_MAX;
    batch_init(&out, op->env->scratch, 8);
    out.is_batch = true;
    struct container **list = overdue(w, CURRENT_ENDS, due_ms, &count);
    for (uint32_t i = 0; i < count; i++) {
        java_map_touch(&w->map, &list[i]->in_map);
        if (p->latency_ms > 0)
            retire(w, list[i], &out);
        else
            session_expire(&list[i]->current, &out);
    }
    if (p->latency_ms > 0) {
        struct container **late = overdue(w, PREVIOUS_ENDS, due_ms, &count);
        for (uint32_t i = 0; i < count; i++) {
            java_map_touch(&w->map, &late[i]->in_map);
            session_expire(&late[i]->previous, &out);
        }
        list = late;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!list[i]->current.rows.count && !list[i]->previous.rows.count)
            container_free(w, list[i]);
    return window_emit(op, &out);
}

/* ---- state ----
 *
 * A key's entry: a number made of how many rows the current session has, whether there is a previous one, and
 * whether anything is odd; then what is odd (three bits a session); how many rows the previous one has; the
 * previous session, the current one. A session: its rows, without the key's text, each leaning on the one
 * before, the first of them on the model; its begin, end and cursor when they are odd. */
enum odd { ODD_START = 1, ODD_END = 2, ODD_CURSOR = 4, ODD_BITS = 3 };

struct entry { /* being written or read */
    const struct session_plan *plan;
    const struct row *before;
    struct text *key; /* reading only */
    size_t known;     /* the key's attribute, or SIZE_MAX */
};

static struct entry entry_of(const struct session_window *w)
{
    const struct session_plan *p = plan_of(&w->op);
    return (struct entry){.plan = p, .before = w->model, .known = p->key < 0 ? SIZE_MAX : (size_t)p->key};
}

/* What the rows tell. There is one at least. */
static void usual_span(const struct session *s, int64_t gap_ms, int64_t *start_ms, int64_t *end_ms)
{
    *start_ms = INT64_MAX;
    for (uint32_t i = 0; i < s->rows.count; i++) {
        int64_t at_ms = queue_at(&s->rows, i)->at_ms;
        *start_ms = at_ms < *start_ms ? at_ms : *start_ms;
    }
    *end_ms = time_add(queue_at(&s->rows, s->rows.count - 1)->at_ms, gap_ms);
}

static unsigned oddity(const struct session *s, int64_t gap_ms)
{
    int64_t start_ms, end_ms;
    if (!s->rows.count)
        return 0;
    usual_span(s, gap_ms, &start_ms, &end_ms);
    return (s->start_ms != start_ms ? ODD_START : 0U) | (s->end_ms != end_ms ? ODD_END : 0U) |
           (s->cursor != -1 ? ODD_CURSOR : 0U);
}

static void write_session(struct entry *e, struct writer *w, struct session *s, unsigned odd)
{
    int64_t start_ms, end_ms;
    if (w->state && s->rows.count > PIECES_INLINE) {
        queue_save(&s->rows, w);
    } else {
        if (w->state)
            pieces_end(&s->rows.pieces);
        for (uint32_t i = 0; i < s->rows.count; i++) {
            const struct row *row = queue_at(&s->rows, i);
            write_row_near(w, row, e->before, e->known);
            e->before = row;
        }
    }
    if (!odd)
        return;
    usual_span(s, e->plan->gap_ms, &start_ms, &end_ms);
    if (odd & ODD_START)
        write_step(w, (uint64_t)s->start_ms, (uint64_t)start_ms);
    if (odd & ODD_END)
        write_step(w, (uint64_t)s->end_ms, (uint64_t)end_ms);
    if (odd & ODD_CURSOR)
        write_varint(w, (uint64_t)s->cursor);
}

static void write_container(void *user, struct writer *w, const struct java_entry *in_map)
{
    const struct session_window *window = user;
    struct container *c = (struct container *)(uintptr_t)in_map; /* how it is saved is no part of it */
    struct entry e = entry_of(window);
    if (w->tally) {
        queue_save(&c->current.rows, w);
        queue_save(&c->previous.rows, w);
        return;
    }
    unsigned now = oddity(&c->current, e.plan->gap_ms), was = oddity(&c->previous, e.plan->gap_ms);
    write_varint(w, (uint64_t)c->current.rows.count << 2 | (c->previous.rows.count ? 2U : 0U) |
                        (now | was ? 1U : 0U));
    if (now | was)
        write_u8(w, (uint8_t)(now | was << ODD_BITS));
    if (c->previous.rows.count)
        write_varint(w, c->previous.rows.count);
    write_session(&e, w, &c->previous, was);
    write_session(&e, w, &c->current, now);
}

/* Sessions are mostly short: their newest rows. */
static void near_container(void *user, const struct java_entry *e, int step)
{
    enum { LINE = 64, NEWEST = 8 };
    const struct queue *q = &((const struct container *)e)->current.rows;
    (void)user;
    for (size_t at = LINE; step == 0 && at < sizeof(struct container); at += LINE)
        __builtin_prefetch((const char *)e + at);
    if (step == 1 && q->count)
        __builtin_prefetch(&q->ring[q->head]);
    for (uint32_t i = q->count > NEWEST ? q->count - NEWEST : 0; step == 2 && i < q->count; i++)
        __builtin_prefetch(queue_at(q, i));
}

static bool read_rows(struct entry *e, struct reader *r, struct queue *rows, uint64_t count)
{
    if (r->state && count > PIECES_INLINE)
        return queue_load(rows, r) == 0 && rows->count == count;
    for (uint64_t i = 0; i < count; i++) {
        struct row *row = read_row_near(r, e->before, e->known, e->key);
        if (!row || row->count != e->plan->op.in->count) {
            if (row)
                row_unref(row);
            return false;
        }
        queue_add(rows, row);
        row_unref(row);
        e->before = row;
    }
    return true;
}

static void read_session(struct entry *e, struct reader *r, struct session *s, uint64_t count, unsigned odd)
{
    bool good = read_rows(e, r, &s->rows, count) && (count || !odd);
    if (good && count) {
        usual_span(s, e->plan->gap_ms, &s->start_ms, &s->end_ms);
        if (odd & ODD_START)
            s->start_ms = (int64_t)read_step(r, (uint64_t)s->start_ms);
        if (odd & ODD_END)
            s->end_ms = (int64_t)read_step(r, (uint64_t)s->end_ms);
        uint64_t cursor = odd & ODD_CURSOR ? read_varint(r) : 0;
        good = cursor < count;
        if (good && odd & ODD_CURSOR)
            s->cursor = (int32_t)cursor;
    }
    r->failed = r->failed || !good;
}

static struct java_entry *read_container(void *user, struct reader *r, const char *key, size_t len)
{
    const struct session_window *w = user;
    struct container *c = container_new();
    struct entry e = entry_of(w);
    uint64_t head = read_varint(r);
    unsigned odd = head & 1 ? read_u8(r) : 0;
    uint64_t was = head & 2 ? read_varint(r) : 0;
    e.key = text_new(key, len);
    if (odd >> 2 * ODD_BITS)
        r->failed = true;
    read_session(&e, r, &c->previous, was, odd >> ODD_BITS);
    if (!r->failed)
        read_session(&e, r, &c->current, head >> 2, odd & ((1U << ODD_BITS) - 1));
    value_drop(value_text(e.key));
    return &c->in_map;
}

static struct java_map_owner containers(struct session_window *w)
{
    return (struct java_map_owner){
        .user = w, .write = write_container, .near = near_container, .read = read_container};
}

/* A model that can't be one: NULL, and what leans on it fails. */
static struct row *read_model(struct session_window *w, struct reader *r)
{
    struct row *model = read_row(r);
    if (!model || model->count == w->op.plan->in->count)
        return model;
    row_unref(model);
    r->failed = true;
    return NULL;
}

static void session_save(const struct op *op, struct writer *w)
{
    struct session_window *s = (struct session_window *)(uintptr_t)op; /* how it is saved is no part of it */
    write_tag(w, "window.session");
    write_row(w, s->model);
    struct java_map_owner owner = containers(s);
    java_map_save(&s->map, w, &owner);
    dues_save(&s->dues, w);
}

static int session_load(struct op *op, struct reader *r)
{
    struct session_window *s = (struct session_window *)op;
    read_tag(r, "window.session");
    if (s->model)
        row_unref(s->model);
    s->model = read_model(s, r);
    struct java_map_owner owner = containers(s);
    java_map_load(&s->map, r, &owner);
    dues_load(&s->dues, op, r);
    s->earliest_ms = INT64_MIN; /* not known */
    return window_loaded(r);
}

static void session_close(struct op *op)
{
    struct session_window *s = (struct session_window *)op;
    struct container *c;
    while ((c = (struct container *)java_map_first(&s->map)))
        container_free(s, c);
    java_map_fini(&s->map);
    if (s->model)
        row_unref(s->model);
    dues_fini(&s->dues);
}

static void session_explain(const struct op_plan *plan, struct buf *out)
{
    const struct session_plan *p = (const struct session_plan *)(const void *)plan;
    buf_printf(out, "(%lld ms", (long long)p->gap_ms);
    if (p->key >= 0)
        buf_printf(out, ", %s", plan->in->attributes[p->key].name);
    if (p->latency_ms > 0)
        buf_printf(out, ", %lld ms", (long long)p->latency_ms);
    buf_add_char(out, ')');
}

static const struct op_type session_type = {
    .name = "window.session",
    .size = sizeof(struct session_window),
    .push = session_push,
    .due = session_due,
    .save = session_save,
    .load = session_load,
    .close = session_close,
    .explain = session_explain,
};

static struct op_plan *session_plan(struct window_ctx *c, const struct ast_expr *call)
{
    struct session_plan p = {.key = -1};
    if (!window_arg_count(c, call, 1, 3) || !window_arg_long(c, call, 0, &p.gap_ms) ||
        (call->arg_count > 1 && !window_arg_attr(c, call, 1, TYPE_STRING, &p.key)) ||
        (call->arg_count > 2 && !window_arg_long(c, call, 2, &p.latency_ms)))
        return NULL;
    if (p.latency_ms > p.gap_ms) {
        window_arg_wrong(c, call, 2, "must not be longer than the gap, which is the first");
        return NULL;
    }
    struct session_plan *plan = window_plan_new(c, call, &session_type, sizeof *plan);
    p.op = plan->op;
    *plan = p;
    return &plan->op;
}

const struct window_type window_session = {NULL, "session", false, session_plan};
