/* test_keys.c - blocks of one size and the index of keys over them: numbers, memory that is given back, and
 * the same answers as a plain list gives, whatever comes and goes. */
#include "engine/base/blocks.h"
#include "engine/run/keys.h"
#include "tests/unit/check.h"

static uint64_t seed = 20240607;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* ---- blocks ---- */

static uint32_t slabs_held(const struct blocks *b)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < b->slab_count; i++)
        held += b->slabs[i].bytes != NULL;
    return held;
}

static uint32_t count_by_next(const struct blocks *b)
{
    uint32_t count = 0;
    for (uint32_t i = blocks_next(b, 0); i < blocks_end(b); i = blocks_next(b, i + 1))
        count++;
    return count;
}

/* Each block is its own, stays where it is, and its number leads to it. */
static void test_blocks_of(size_t bytes, uint32_t count)
{
    struct blocks b;
    blocks_init(&b, bytes);
    uint32_t *numbers = mem_array(count, sizeof(uint32_t));
    char **places = mem_array(count, sizeof(char *));
    for (uint32_t i = 0; i < count; i++) {
        places[i] = blocks_new(&b, &numbers[i]);
        memset(places[i], (int)(i & 0xFF), bytes);
    }
    bool good = true;
    for (uint32_t i = 0; i < count; i++)
        good = good && blocks_at(&b, numbers[i]) == places[i] && blocks_find(&b, numbers[i]) == places[i] &&
               numbers[i] < blocks_end(&b) && (i == 0 || numbers[i] > numbers[i - 1]) &&
               (uint8_t)places[i][0] == (i & 0xFF) && (uint8_t)places[i][bytes - 1] == (i & 0xFF);
    CHECK(good);
    CHECK(b.count == count && count_by_next(&b) == count);

    /* A hole is filled before anything is added behind. */
    uint32_t end = blocks_end(&b), number, hole = numbers[count / 2];
    blocks_free(&b, hole);
    CHECK(blocks_find(&b, hole) == NULL);
    blocks_new(&b, &number);
    CHECK(number == hole && blocks_end(&b) == end);

    for (uint32_t i = 0; i < count; i++)
        blocks_free(&b, numbers[i]);
    CHECK(b.count == 0 && count_by_next(&b) == 0 && slabs_held(&b) == 0);
    CHECK(blocks_find(&b, numbers[count - 1]) == NULL);
    blocks_new(&b, &number);
    CHECK(number == numbers[0]);
    blocks_fini(&b);
    mem_free(numbers);
    mem_free(places);
}

static void test_blocks(void)
{
    test_blocks_of(8, 5000);
    test_blocks_of(400, 20000);
    test_blocks_of(4096, 1000);
    test_blocks_of(100 * 1024, 50);
    test_blocks_of(MEM_SLAB_BYTES - 8, 3);
    test_blocks_of(MEM_SLAB_BYTES, 3);
    test_blocks_of(3 * (size_t)MEM_SLAB_BYTES + 8, 2);
}

/* Few blocks cost little. */
static void test_small(void)
{
    struct blocks b;
    uint32_t number, held = 0;
    blocks_init(&b, 400);
    for (int i = 0; i < 20; i++)
        blocks_new(&b, &number);
    for (uint32_t i = 0; i < b.slab_count; i++)
        held += b.slabs[i].cap;
    CHECK(held < 64);
    blocks_fini(&b);
}

/* ---- keys ---- */

static struct text *text_of(uint32_t n)
{
    static const char *const forms[] = {"%u", "k%u", "device-%u", "line 7, machine %u"};
    char words[64];
    snprintf(words, sizeof words, forms[n % 4], n / 4);
    return text_new(words, strlen(words));
}

enum { NAMES = 3000, STEPS = 200000 };

/* Each step asks for a key, makes it when it isn't there, or ends it; now and then in rounds. */
static void test_model(void)
{
    struct keys k;
    struct keyed *in[NAMES] = {0};
    uint32_t count = 0;
    bool good = true;
    keys_init(&k, sizeof(struct keyed) + 40);
    for (uint32_t step = 0; step < STEPS && good; step++) {
        uint32_t n = step / 20000 % 2 ? step % NAMES : draw(NAMES);
        struct text *text = text_of(n);
        uint32_t hash = keys_hash(text);
        struct keyed *key = keys_guess(&k, text, hash);
        good = key == in[n] && keys_find(&k, text, hash) == in[n];
        if (!key) {
            key = in[n] = keys_add(&k, text, hash);
            count++;
        }
        size_t len;
        const char *words = keyed_text(key, &len);
        good = good && len == text->len && memcmp(words, text->bytes, len) == 0;
        keys_note(&k, key);
        n = draw(NAMES);
        if (in[n] && draw(4) == 0) {
            keys_remove(&k, in[n]);
            in[n] = NULL;
            count--;
        }
        good = good && keys_count(&k) == count;
        value_drop(value_text(text));
    }
    CHECK(good);
    keys_fini(&k);
}

/* Texts of one hash, and a text that is there under another length. */
static void test_same_hash(void)
{
    static const char *const words[] = {"",
                                        "a",
                                        "ab",
                                        "abc",
                                        "abcd",
                                        "abcdefg",
                                        "abcdefgh",
                                        "abcdefghi",
                                        "abcdefghijklmno",
                                        "abcdefghijklmnop",
                                        "abcdefghijklmnoq",
                                        "abcdefghijklmnopq"};
    enum { COUNT = sizeof words / sizeof words[0] };
    struct keys k;
    struct keyed *in[COUNT];
    keys_init(&k, sizeof(struct keyed));
    for (int i = 0; i < COUNT; i++) {
        struct text *text = text_new(words[i], strlen(words[i]));
        CHECK(keys_find(&k, text, 7) == NULL);
        in[i] = keys_add(&k, text, 7);
        value_drop(value_text(text));
    }
    for (int i = 0; i < COUNT; i++) {
        struct text *text = text_new(words[i], strlen(words[i]));
        CHECK(keys_find(&k, text, 7) == in[i]);
        value_drop(value_text(text));
    }
    keys_fini(&k);
}

/* Keys that come in rounds are found by what came before; one that ended is no guess. */
static void test_rounds(void)
{
    enum { COUNT = 500 };
    struct keys k;
    keys_init(&k, sizeof(struct keyed));
    for (int round = 0; round < 4; round++) {
        for (uint32_t n = 0; n < COUNT; n++) {
            struct text *text = text_of(n);
            struct keyed *key = keys_guess(&k, text, keys_hash(text));
            CHECK((key != NULL) == (round > 0 && !(round == 3 && n == 17)));
            if (!key)
                key = keys_add(&k, text, keys_hash(text));
            CHECK(round < 2 || round == 3 || k.expected == key->place + 1);
            keys_note(&k, key);
            value_drop(value_text(text));
        }
        if (round == 2) {
            struct text *text = text_of(17);
            keys_remove(&k, keys_find(&k, text, keys_hash(text)));
            value_drop(value_text(text));
        }
    }
    CHECK(k.trust > 0);
    keys_fini(&k);
}

int main(void)
{
    test_blocks();
    test_small();
    test_model();
    test_same_hash();
    test_rounds();
    return check_end();
}
