/* fuzz_app.c - any bytes as an app: refused with words, or run over a few events; never a crash. */
#include "engine/engine.h"
#include "ports/bind.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void send_some(struct app *app, const struct plan *p)
{
    int64_t now_ms = 1700000000000;
    for (int turn = 0; turn < 4; turn++) {
        for (uint32_t s = 0; s < plan_stream_count(p) && s < 4; s++) {
            const struct schema *schema = plan_stream(p, s);
            struct row *row = row_new(schema->count, now_ms);
            for (uint32_t i = 0; turn > 0 && i < schema->count; i++)
                if (schema->attributes[i].type == TYPE_INT || schema->attributes[i].type == TYPE_LONG)
                    row_set(row, i,
                            schema->attributes[i].type == TYPE_INT ? value_int(turn) : value_long(turn));
            const struct event e = {.row = row, .at_ms = now_ms, .kind = EVENT_CURRENT};
            app_advance(app, now_ms);
            app_send(app, s, &e, 1, false);
            row_unref(row);
            now_ms += 700;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct compile c;
    struct err e = {0};
    engine_compile(&c, (const char *)bytes, len, NULL);
    struct bind *b = c.plan ? bind_new(c.plan, &c.diags) : NULL;
    if (b && c.diags.errors == 0 && c.diags.unsupported == 0) {
        const struct app_host host = {.seed = 1};
        struct app *app = app_new(c.plan, &host);
        c.plan = NULL;
        if (app_start(app, 1700000000000, false, &e) == 0)
            send_some(app, app_plan(app));
        bind_free(b);
        app_free(app);
    } else if (b) {
        bind_free(b);
    }
    compile_fini(&c);
    return 0;
}
