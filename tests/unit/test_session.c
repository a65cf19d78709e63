/* test_session.c - windows that hold rows by key or ask for many timers, by long scenarios drawn by chance: what
 * comes out may not depend on how often they were saved and loaded. Then saved bytes that are damaged. */
#include "tests/unit/scenario.h"

static uint32_t seed = 11;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Mostly some events, now and then of an earlier time; sometimes time passes. */
static void draw_steps(struct buf *steps, uint32_t count, uint32_t keys, uint32_t pace_ms)
{
    uint32_t now_ms = 100000;
    buf_clear(steps);
    for (uint32_t i = 0; i < count; i++) {
        now_ms += draw(20) ? draw(pace_ms) : 5 * pace_ms;
        buf_printf(steps, i ? " %u" : "%u", now_ms);
        for (uint32_t n = draw(5), k = 0; k <= n; k++) {
            buf_printf(steps, "%c%c%u", k ? ',' : ':', 'a' + (char)draw(keys), draw(100));
            if (draw(5) == 0)
                buf_add_str(steps, "/_");
            if (draw(4) == 0)
                buf_printf(steps, "@%u", now_ms - draw(3 * pace_ms));
        }
        if (draw(6) == 0)
            buf_printf(steps, " >%u", now_ms += draw(4 * pace_ms));
    }
    buf_printf(steps, " >%u", now_ms + 100000);
}

static void test_drawn(void)
{
    static const char *const calls[] = {"session(1 sec)",           "session(1 sec, k)",
                                        "session(1 sec, k, 1 sec)", "session(1 sec, k, 300L)",
                                        "timeLength(1 sec, 40)",    "delay(1 sec)",
                                        "unique:time(k, 1 sec)",    "extrema:maxbytime(v, 1 sec)"};
    static const struct {
        uint32_t keys, pace_ms;
    } ways[] = {{1, 100}, {3, 30}, {20, 300}, {26, 900}, {2, 2}};
    struct buf steps;
    buf_init(&steps, SIZE_MAX);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
            draw_steps(&steps, 150, ways[way].keys, ways[way].pace_ms);
            plan = make_plan(calls[i], ALL);
            if (!CHECK(plan != NULL))
                continue;
            run_once(ALL, steps.bytes, 1, NEVER);
            end(1);
            if (!CHECK(out.len > 200 && !out.overflow))
                printf("    %s, way %zu: %zu bytes\n", calls[i], way, out.len);
            char *want = mem_strdup(out.bytes);
            RUN(calls[i], ALL, steps.bytes, want);
            mem_free(want);
        }
    }
    buf_fini(&steps);
}

/* Loaded or refused, never more. */
static void load_bytes(const void *bytes, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, bytes, len);
    struct reader r = {.at = (const uint8_t *)copy, .end = (const uint8_t *)copy + len};
    struct op *op = op_open();
    (void)op->type->load(op, &r);
    struct writer w = {0};
    buf_init(&w.out, 1 << 24);
    op->type->save(op, &w); /* what was loaded can be gone through */
    buf_fini(&w.out);
    timer_count = 0;
    op_close(op);
    mem_free(copy);
}

static void test_damaged(void)
{
    static const char *const calls[] = {"session(1 sec)", "session(1 sec, k, 1 sec)", "delay(1 sec)"};
    static const char steps[] =
        "5000:a1,b2@4500,c3/_,a4@5000 5700:a5@5600,b6@5300,d7@4900 6500:a8,c9@6000,a10@5600";
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct writer w = {0};
        buf_init(&w.out, 1 << 20);
        plan = make_plan(calls[i], ALL);
        run_once(ALL, steps, 1, NEVER);
        ops[0]->type->save(ops[0], &w);
        end(1);
        CHECK(w.out.len > 50);
        for (size_t at = 0; at < w.out.len; at++) {
            static const uint8_t flips[] = {1, 2, 4, 8, 0x40, 0x80, 0xFF};
            for (size_t f = 0; f < sizeof flips; f++) {
                w.out.bytes[at] = (char)(w.out.bytes[at] ^ flips[f]);
                load_bytes(w.out.bytes, w.out.len);
                w.out.bytes[at] = (char)(w.out.bytes[at] ^ flips[f]);
            }
            load_bytes(w.out.bytes, at);
        }
        buf_fini(&w.out);
    }
}

int main(void)
{
    scenarios_begin();
    test_drawn();
    test_damaged();
    return scenarios_end();
}
