/* test_errors.c - the laws of agent/errors.h on a store in memory: numbers, the bound, what a restart finds;
 * damaged entries. */
#include "agent/errors.h"
#include "engine/base/mem.h"
#include "tests/unit/check.h"

static struct store *store;
static struct store_batch batch;

static struct errors *open_with(uint64_t most, bool refuses)
{
    struct errors *s = NULL;
    struct err e;
    if (errors_open(&s, store, most, refuses, &e) < 0)
        printf("    %s\n", e.text);
    return s;
}

static void apply(void)
{
    struct err e;
    CHECK(store_apply(store, &batch, &e) == 0);
    batch_clear(&batch);
}

/* An entry whose payload has so many bytes; its number, 0: refused. */
static uint64_t put(struct errors *s, size_t len)
{
    char payload[1000];
    static const struct property property = {"topic", "t"};
    static const uint32_t only[] = {1, 300};
    memset(payload, 'x', sizeof payload);
    struct errors_entry e = {.app = "A",
                             .stream = "S",
                             .port = "mqtt",
                             .cause = "why",
                             .payload = payload,
                             .payload_len = len,
                             .properties = &property,
                             .property_count = 1,
                             .only = only,
                             .only_count = 2,
                             .at_ms = 5};
    return errors_put(s, &e, &batch) ? e.number : 0;
}

/* The numbers on disk as a text. */
static const char *numbers(struct errors *s)
{
    static char text[512];
    struct buf bytes;
    struct err e;
    uint64_t number;
    size_t at = 0;
    text[0] = 0;
    buf_init(&bytes, SIZE_MAX);
    for (uint64_t from = 0; errors_next(s, from, &number, &bytes, &e) == 0; from = number + 1)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d ", (int)number);
    buf_fini(&bytes);
    return text;
}

static void test_numbers(void)
{
    struct errors *s = open_with(100000, false);
    for (int i = 0; i < 5; i++)
        put(s, 10);
    CHECK_TEXT(numbers(s), "");
    apply();
    CHECK_TEXT(numbers(s), "1 2 3 4 5 ");
    CHECK(errors_drop(s, 5, &batch));
    CHECK(!errors_drop(s, 5, &batch));
    CHECK(errors_drop(s, 2, &batch));
    CHECK(!errors_drop(s, 77, &batch));
    CHECK_TEXT(numbers(s), "1 3 4 ");
    apply();
    CHECK(errors_count(s).entries == 3);
    uint64_t bytes = errors_count(s).bytes;
    errors_close(s);
    s = open_with(100000, false);
    CHECK(errors_count(s).entries == 3 && errors_count(s).bytes == bytes);
    CHECK(put(s, 10) == 6); /* 5 was given out */
    apply();
    CHECK_TEXT(numbers(s), "1 3 4 6 ");
    for (uint64_t n = 1; n <= 6; n++)
        (void)errors_drop(s, n, &batch);
    apply();
    CHECK(errors_count(s).entries == 0 && errors_count(s).bytes == 0);
    errors_close(s);
}

static void test_bound(void)
{
    struct errors *s = open_with(2000, false);
    for (int i = 0; i < 3000; i++) {
        CHECK(put(s, (size_t)(i % 500)) != 0);
        CHECK(errors_count(s).bytes <= 2000);
        if (i % 7 == 0)
            apply();
    }
    apply();
    CHECK(put(s, 1000) != 0);
    errors_close(s);
    batch_clear(&batch); /* a crash: what was given out may be given out again, nothing of it was on disk */
    s = open_with(800, false);
    CHECK(put(s, 900) == 0);
    uint64_t number = put(s, 300);
    apply();
    CHECK(number && errors_count(s).bytes <= 800);
    errors_close(s);
    s = open_with(900, true);
    while (put(s, 100))
        ;
    CHECK(put(s, 600) == 0 && errors_drop(s, number, &batch) && put(s, 300) != 0);
    apply();
    errors_close(s);
}

/* Whatever byte is wrong, and wherever it ends: an error, and nothing read outside. */
static void test_damage(void)
{
    struct errors *s = open_with(100000, false);
    struct buf bytes;
    struct err e;
    struct errors_entry entry;
    struct arena arena;
    uint64_t wanted = put(s, 20), number = 0;
    apply();
    buf_init(&bytes, SIZE_MAX);
    arena_init(&arena, 1024);
    CHECK(errors_next(s, wanted, &number, &bytes, &e) == 0 && number == wanted);
    CHECK(errors_read(bytes.bytes, bytes.len, &arena, &entry) == 0);
    CHECK_TEXT(entry.app, "A");
    CHECK_TEXT(entry.cause, "why");
    CHECK(entry.at_ms == 5 && entry.payload_len == 20 && entry.only_count == 2 && entry.only[1] == 300);
    CHECK(entry.property_count == 1 && !strcmp(entry.properties[0].value, "t") && !entry.events);
    for (size_t len = 0; len < bytes.len; len++) {
        char *part = mem_resize(NULL, len + 1, 1); /* so that ASan sees its end */
        memcpy(part, bytes.bytes, len);
        CHECK(errors_read(part, len, &arena, &entry) == ERR_STATE);
        mem_free(part);
    }
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.bytes[i] ^= 0x40;
        CHECK(errors_read(bytes.bytes, bytes.len, &arena, &entry) == ERR_STATE);
        bytes.bytes[i] ^= 0x40;
    }
    arena_fini(&arena);
    buf_fini(&bytes);
    errors_close(s);
}

/* Events survive, and so do their names; cut ones are refused. */
static void test_events(void)
{
    struct arena arena;
    struct schema *schema, *got;
    struct batch in, out;
    struct writer w = {0};
    arena_init(&arena, 1024);
    buf_init(&w.out, SIZE_MAX);
    schema = schema_new(&arena, "S", 2);
    schema->attributes[0] = (struct attribute){"k", TYPE_STRING};
    schema->attributes[1] = (struct attribute){"v", TYPE_LONG};
    batch_init(&in, &arena, 2);
    in.is_batch = true;
    for (int i = 0; i < 2; i++) {
        struct row *row = row_new(2, 100 + i);
        row_set_take(row, 0, value_text(text_new("abc", 3)));
        if (i)
            row_set(row, 1, value_long(-7));
        batch_add(&in, row, 100 + i, EVENT_CURRENT);
    }
    errors_write_events(&w, schema, &in);
    struct errors_entry e = {.stream = "S", .events = w.out.bytes, .events_len = w.out.len};
    CHECK(errors_read_events(&e, &arena, &got, &out) == 0 && schema_same(schema, got));
    CHECK(out.is_batch && out.count == 2 && out.events[1].at_ms == 101 &&
          row_get(out.events[1].row, 1).as.l == -7);
    CHECK(is_null(row_get(out.events[0].row, 1)));
    errors_drop_events(&out);
    for (e.events_len = 0; e.events_len < w.out.len; e.events_len++)
        CHECK(errors_read_events(&e, &arena, &got, &out) == ERR_STATE);
    errors_drop_events(&in);
    buf_fini(&w.out);
    arena_fini(&arena);
}

int main(void)
{
    struct err e;
    struct store_options in_memory = {.most_bytes = UINT64_MAX};
    CHECK(store_open(&store, &in_memory, &e) == 0);
    batch_open(&batch);
    test_numbers();
    test_bound();
    test_damage();
    test_events();
    batch_close(&batch);
    store_close(store);
    return check_end();
}
