/* fuzz_records.c - any bytes as what the agent reads back or is given: configuration, records of the store,
 * recorded input. The first byte says as what. Refused or read, never a crash; what was read whole is written
 * again, and must read the same. */
#include "agent/config.h"
#include "agent/csv_input.h"
#include "agent/dedupe.h"
#include "agent/errors.h"
#include "agent/jnode.h"
#include "agent/mend.h"
#include "agent/repeats.h"
#include "agent/spool.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void as_config(const char *bytes, size_t len)
{
    struct config c;
    config_init(&c);
    (void)config_parse(&c, "fuzz", bytes, len);
    config_fini(&c);
}

static void as_error(const char *bytes, size_t len)
{
    struct errors_entry e = {0};
    struct arena arena;
    struct buf out;
    struct schema *schema;
    struct batch b;
    arena_init(&arena, 4096);
    buf_init(&out, 1 << 20);
    if (errors_read(bytes, len, &arena, &e) == 0) {
        errors_print(&e, &arena, &out);
        if (e.events && errors_read_events(&e, &arena, &schema, &b) == 0)
            errors_drop_events(&b);
    }
    e = (struct errors_entry){.stream = "S", .events = bytes, .events_len = len}; /* past the checksum */
    if (errors_read_events(&e, &arena, &schema, &b) == 0)
        errors_drop_events(&b);
    buf_fini(&out);
    arena_fini(&arena);
}

static void as_chunk(const char *bytes, size_t len)
{
    struct store_item chunk = {.key = "", .bytes = bytes, .len = len};
    struct spool_item *items = NULL;
    int count = spool_items(&chunk, 7, 0, &items);
    for (int i = 0; i < count; i++)
        mem_free(items[i].bytes);
    mem_free(items);
}

static void as_names(const char *bytes, size_t len)
{
    struct mend_names names;
    struct mend_sink sink;
    size_t sum = 0;
    if (mend_read_names(bytes, len, &names))
        while (mend_next_sink(&names, &sink))
            sum += sink.type.len + sink.stream.len;
    if (sum > len)
        abort();
}

static void as_repeats(const char *bytes, size_t len)
{
    struct repeats r = {0};
    struct reader in = {.at = (const uint8_t *)bytes, .end = (const uint8_t *)bytes + len};
    struct port_origin origin = {.session = 3, .id = 17, .may_repeat = true};
    repeats_load(&r, &in);
    for (uint64_t i = 0; i < 40; i++)
        (void)repeats_take(&r, &origin, i);
    repeats_fini(&r);
}

static void as_tree(const char *bytes, size_t len)
{
    struct arena arena;
    struct err e = {0};
    struct buf out, again;
    const char *at = bytes;
    arena_init(&arena, 4096);
    buf_init(&out, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    struct jnode *n = jnode_parse(&arena, &at, bytes + len, &e);
    if (n) {
        jnode_print(n, &out);
        at = out.bytes;
        n = jnode_parse(&arena, &at, out.bytes + out.len, &e);
        if (!n)
            abort();
        jnode_print(n, &again);
        if (out.len != again.len || memcmp(out.bytes, again.bytes, out.len) != 0)
            abort();
    }
    buf_fini(&out);
    buf_fini(&again);
    arena_fini(&arena);
}

static void as_csv(const char *bytes, size_t len)
{
    struct arena arena;
    struct csv csv;
    struct err e = {0};
    size_t sum = 0;
    arena_init(&arena, 4096);
    csv_init(&csv, &arena, bytes, len);
    while (csv_next(&csv, &e) == 1)
        for (int i = 0; i < csv.count; i++)
            sum += csv.fields[i].len;
    if (sum > len)
        abort();
    csv_fini(&csv);
    arena_fini(&arena);
}

static bool is_json(const char *bytes, size_t len)
{
    struct json_scan s;
    struct json_token t;
    json_scan_init(&s, bytes, len);
    return json_value(&s, &t) && json_skip(&s, &t) && json_end(&s);
}

/* A key in a message leaves JSON JSON. */
static void as_message(const char *bytes, size_t len)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    bool carries = dedupe_add("id", "d\"/A/S/1", bytes, len, &out);
    if (carries ? out.len <= len : out.len != 0)
        abort();
    if (carries && is_json(bytes, len) && !is_json(out.bytes, out.len))
        abort();
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static void (*const as[])(const char *, size_t) = {as_config,  as_error, as_chunk, as_names,
                                                       as_repeats, as_tree,  as_csv,   as_message};
    if (!len)
        return 0;
    log_set(LOG_ERROR + 1, false);
    size_t rest = len - 1;
    char *own = malloc(rest + 1); /* its end is watched */
    memcpy(own, bytes + 1, rest);
    own[rest] = 0;
    as[*bytes % (sizeof as / sizeof *as)](own, rest);
    free(own);
    return 0;
}
