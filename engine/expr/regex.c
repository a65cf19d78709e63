/* regex.c - compiling and matching through PCRE2, with all of its memory in our arenas. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/expr/regex.h"
#include "engine/base/utf8.h"
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_PATTERN_BYTES = 64 * 1024, LIMIT_STEPS = 5 * 1000 * 1000, LIMIT_HEAP_KIB = 32 * 1024 };

static void *arena_for_pcre(size_t bytes, void *arena)
{
    return arena_raw(arena, bytes);
}
static void no_free(void *p, void *arena) /* it ends with the arena */
{
    (void)p;
    (void)arena;
}

/* PCRE2 looks through the whole text before it matches, so many matches in one text would take the square of its
 * length: valid texts are looked through here, once, and matched by code that trusts. */
static pcre2_code *compile(struct arena *a, const char *pattern, size_t len, bool trusts, char *error,
                           size_t error_size)
{
    pcre2_general_context *memory = pcre2_general_context_create(arena_for_pcre, no_free, a);
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANY);
    int code = 0;
    size_t at = 0;
    pcre2_code *compiled = pcre2_compile(
        (PCRE2_SPTR)pattern, len, PCRE2_UTF | (trusts ? 0 : PCRE2_MATCH_INVALID_UTF), &code, &at, context);
    if (!compiled)
        pcre2_get_error_message(code, (PCRE2_UCHAR *)error, error_size);
    return compiled;
}

struct regex *regex_new(struct arena *a, const char *pattern, size_t len, char *error, size_t error_size)
{
    struct buf translated;
    if (len > LIMIT_PATTERN_BYTES) {
        snprintf(error, error_size, "it is longer than %d bytes", LIMIT_PATTERN_BYTES);
        return NULL;
    }
    buf_init(&translated, (size_t)LIMIT_PATTERN_BYTES * 64);
    struct regex *r = NULL;
    if (!regex_translate(pattern, len, &translated, error, error_size))
        goto out;
    const char *text = translated.bytes ? translated.bytes : "";
    pcre2_code *compiled = compile(a, text, translated.len, true, error, error_size);
    if (!compiled)
        goto out;
    r = arena_alloc(a, sizeof(*r));
    r->code = compiled;
    r->arena = a;
    r->pattern = arena_strndup(a, text, translated.len);
    r->pattern_len = translated.len;
    pcre2_general_context *memory = pcre2_general_context_create(arena_for_pcre, no_free, a);
    r->match = pcre2_match_data_create_from_pattern(compiled, memory);
    r->limits = pcre2_match_context_create(memory);
    pcre2_set_match_limit(r->limits, LIMIT_STEPS);
    pcre2_set_heap_limit(r->limits, LIMIT_HEAP_KIB);
    pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &r->groups);
    r->places = (size_t *)pcre2_get_ovector_pointer(r->match);
out:
    buf_fini(&translated);
    return r;
}

static pcre2_code *code_of_halves(struct regex *r)
{
    char error[256];
    if (!r->code_of_halves)
        r->code_of_halves = compile(r->arena, r->pattern, r->pattern_len, false, error, sizeof error);
    return r->code_of_halves;
}

int regex_match(struct regex *r, const char *s, size_t len, size_t start, enum regex_how how)
{
    if (how != REGEX_AGAIN)
        r->is_valid = utf8_valid(s, len);
    uint32_t options = how == REGEX_WHOLE    ? PCRE2_ANCHORED | PCRE2_ENDANCHORED
                       : how == REGEX_PREFIX ? PCRE2_ANCHORED
                                             : 0;
    pcre2_code *code = r->is_valid ? r->code : code_of_halves(r);
    options |= r->is_valid ? PCRE2_NO_UTF_CHECK : 0;
    int rc = code ? pcre2_match(code, (PCRE2_SPTR)s, len, start, options, r->match, r->limits)
                  : PCRE2_ERROR_NOMEMORY;
    return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

int regex_group(const struct regex *r, const char *name)
{
    int n = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)name);
    return n < 0 ? -1 : n;
}

const char *regex_library_version(void)
{
    static char text[64]; /* "10.42 2022-12-11" */
    if (pcre2_config(PCRE2_CONFIG_VERSION, text) < 0)
        return "";
    text[strcspn(text, " ")] = 0;
    return text;
}
