/* purge.c - see purge.h. */
#include "engine/run/purge.h"
#include "engine/run/app.h"

enum { PHASE_MAX = 1 << 20 };

void purge_init(struct purge *p, int64_t interval_ms, int64_t idle_ms)
{
    *p = (struct purge){.interval_ms = interval_ms > 0 ? interval_ms : 1, .idle_ms = idle_ms};
    p->grain_ms = (p->interval_ms + PHASE_MAX - 1) / PHASE_MAX;
    p->phase_count = (uint32_t)((p->interval_ms + p->grain_ms - 1) / p->grain_ms);
}

void purge_fini(struct purge *p)
{
    mem_free(p->phases);
}

static size_t word_count(const struct purge *p)
{
    return (p->phase_count + 63) / 64;
}

static uint32_t phase_of(const struct purge *p, int64_t at_ms)
{
    int64_t rest = at_ms % p->interval_ms;
    if (rest < 0)
        rest += p->interval_ms;
    uint32_t phase = (uint32_t)((rest + p->grain_ms - 1) / p->grain_ms);
    return phase == p->phase_count ? 0 : phase;
}

/* The first moment after after_ms that has this phase. */
static int64_t moment_after(const struct purge *p, uint32_t phase, int64_t after_ms)
{
    int64_t ahead = ((int64_t)phase * p->grain_ms - after_ms % p->interval_ms) % p->interval_ms;
    if (ahead <= 0)
        ahead += p->interval_ms;
    return after_ms + ahead;
}

/* No check before this one can end a key. Checks are by the task clock, silence by the app's: where the two
 * pass on their own, nobody knows when the app's goes on, so every check looks. */
static int64_t silence_ends(const struct purge *p, const struct op *op)
{
    const struct app *app = op_app(op);
    int64_t ends_ms = p->first->last_ms + p->idle_ms, now_ms = op_task_now(op);
    return ends_ms > now_ms && !(app->playback && app->awaits_clock) ? ends_ms : now_ms;
}

static void ask(struct purge *p, struct op *op, int64_t at_ms)
{
    if (p->is_asked)
        timer_cancel(op);
    p->is_asked = true;
    p->asked_ms = at_ms;
    timer_request(op, at_ms);
}

void purge_append(struct purge *p, struct purge_use *use)
{
    use->prev = p->last;
    use->next = NULL;
    if (p->last)
        p->last->next = use;
    else
        p->first = use;
    p->last = use;
}

static void unlink_use(struct purge *p, struct purge_use *use)
{
    if (use->prev)
        use->prev->next = use->next;
    else
        p->first = use->next;
    if (use->next)
        use->next->prev = use->prev;
    else
        p->last = use->prev;
}

void purge_touch(struct purge *p, struct op *op, struct purge_use *use, bool is_new)
{
    uint32_t phase = phase_of(p, op_task_now(op));
    if (!is_new)
        unlink_use(p, use);
    use->last_ms = op_now(op);
    purge_append(p, use);
    if (!p->phases)
        p->phases = mem_array(word_count(p), sizeof(uint64_t));
    p->phases[phase / 64] |= UINT64_C(1) << phase % 64;
    if (!p->is_asked) { /* the first key, or the first after all had ended: earlier checks go on */
        purge_ask(p, op);
        return;
    }
    int64_t at_ms = moment_after(p, phase, silence_ends(p, op));
    if (at_ms < p->asked_ms)
        ask(p, op, at_ms);
}

struct purge_use *purge_take(struct purge *p, int64_t now_ms)
{
    struct purge_use *use = p->first;
    if (!use || use->last_ms + p->idle_ms >= now_ms)
        return NULL;
    unlink_use(p, use);
    return use;
}

/* The first phase in [from, to) there are checks at, or to. */
static uint32_t next_phase(const struct purge *p, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint64_t word = p->phases[from / 64] >> from % 64;
        if (word) {
            from += (uint32_t)__builtin_ctzll(word);
            return from < to ? from : to;
        }
        from = (from / 64 + 1) * 64;
    }
    return to;
}

void purge_ask(struct purge *p, struct op *op)
{
    if (p->is_asked)
        timer_cancel(op);
    p->is_asked = false;
    if (!p->first || !p->phases)
        return;
    int64_t after_ms = silence_ends(p, op);
    uint32_t start = phase_of(p, after_ms + 1);
    uint32_t phase = next_phase(p, start, p->phase_count);
    if (phase == p->phase_count)
        phase = next_phase(p, 0, start);
    ask(p, op, moment_after(p, phase, after_ms));
}

void purge_save(const struct purge *p, struct writer *w)
{
    write_u8(w, p->phases != NULL);
    for (size_t i = 0; p->phases && i < word_count(p); i++)
        write_i64(w, (int64_t)p->phases[i]);
}

int purge_load(struct purge *p, struct reader *r)
{
    p->first = p->last = NULL;
    mem_free(p->phases);
    p->phases = NULL;
    if (!read_u8(r))
        return r->failed ? ERR_STATE : 0;
    p->phases = mem_array(word_count(p), sizeof(uint64_t));
    for (size_t i = 0; i < word_count(p); i++)
        p->phases[i] = (uint64_t)read_i64(r);
    return r->failed ? ERR_STATE : 0;
}
