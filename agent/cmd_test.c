/* cmd_test.c - weir test: case files, compared or recorded. */
#include "agent/case.h"
#include "agent/cmd.h"
#include "agent/textfile.h"
#include "engine/base/map.h"
#include "engine/base/num.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct testing {
    bool record;
    int restart_every, show; /* show: failures told at most, -1 all */
    uint64_t passed, failed, skipped;
    struct map constructs; /* what is not built -> how many cases (a counter in the arena) */
    struct arena arena;    /* names of constructs; one case's arena is reset after it */
    struct buf line;
};

/* For whoever finds a core: which case it was. */
static const char *volatile running = "(none)";

static void on_abort(int signal_number)
{
    static const char died[] = "weir test: died in case ";
    const char *name = running;
    (void)!write(STDERR_FILENO, died, sizeof died - 1);
    (void)!write(STDERR_FILENO, name, strlen(name));
    (void)!write(STDERR_FILENO, "\n", 1);
    signal(signal_number, SIG_DFL);
}

static void count_skipped(struct testing *t, const char *construct)
{
    uint64_t *count = map_get_str(&t->constructs, construct);
    if (!count) {
        count = arena_alloc(&t->arena, sizeof *count);
        map_put_str(&t->constructs, construct, count);
    }
    (*count)++;
    t->skipped++;
}

static void fail(struct testing *t, const char *name, const char *words)
{
    t->failed++;
    if (t->show != 0)
        printf("FAIL %s: %s\n", name, words);
    if (t->show > 0)
        t->show--;
}

/* Streams that would repeat the steps. */
static void leave_out_sent(struct jnode *got)
{
    struct jnode *streams = (struct jnode *)jnode_get(got, "streams");
    struct jnode **at = streams ? &streams->first : NULL;
    while (at && *at) {
        if ((*at)->flag)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

static void print_recorded(struct testing *t, const struct test_case *c, const struct case_result *r)
{
    bool is_first = true;
    buf_clear(&t->line);
    buf_add_char(&t->line, '{');
    for (const struct jnode *n = c->root->first; n; n = n->next) {
        if (n->key_len == 6 && memcmp(n->key, "expect", 6) == 0)
            continue;
        if (!is_first)
            buf_add_char(&t->line, ',');
        is_first = false;
        jnode_print_text(n->key, n->key_len, &t->line);
        buf_add_char(&t->line, ':');
        jnode_print(n, &t->line);
    }
    buf_add_str(&t->line, ",\"expect\":");
    if (r->outcome == CASE_RAN) {
        leave_out_sent(r->got);
        jnode_print(r->got, &t->line);
    } else {
        buf_add_str(&t->line, r->outcome == CASE_SKIPPED ? "{\"unsupported\":" : "{\"unusable\":");
        jnode_print_text(r->words, strlen(r->words), &t->line);
        buf_add_char(&t->line, '}');
    }
    buf_add_char(&t->line, '}');
    puts(t->line.bytes);
    fflush(stdout);
}

static void run_one(struct testing *t, struct arena *a, const struct jnode *root, const char *where)
{
    struct test_case c;
    struct err e = {0};
    if (!case_read(a, root, &c, &e)) {
        fail(t, where, e.text);
        return;
    }
    running = c.name;
    struct case_result r = case_run(a, &c, t->restart_every);
    running = "(none)";
    if (t->record) {
        print_recorded(t, &c, &r);
        t->failed += r.outcome == CASE_UNUSABLE;
        return;
    }
    if (r.outcome == CASE_SKIPPED) {
        count_skipped(t, r.words);
        return;
    }
    const char *wrong = r.outcome == CASE_UNUSABLE ? r.words
                        : c.expect                 ? case_compare(a, c.expect, r.got)
                                                   : "the case has no 'expect'";
    if (wrong)
        fail(t, c.name, r.words && r.outcome == CASE_RAN ? arena_printf(a, "%s: %s", wrong, r.words) : wrong);
    else
        t->passed++;
}

static int line_of(const char *start, const char *at)
{
    int line = 1;
    for (const char *p = start; p < at; p++)
        line += *p == '\n';
    return line;
}

static int run_text(struct testing *t, const char *path, const char *text, size_t len)
{
    struct arena a;
    struct err e = {0};
    int rc = CMD_OK;
    const char *at = text, *end = text + len;
    arena_init(&a, 256 * 1024);
    struct arena_mark empty = arena_mark(&a);
    for (;;) {
        const struct jnode *root = jnode_parse(&a, &at, end, &e);
        if (!root && e.code == ERR_NOT_FOUND)
            break;
        char where[512];
        snprintf(where, sizeof where, "%s:%d", path, line_of(text, at));
        if (!root) {
            fprintf(stderr, "%s: %s\n", where, e.text);
            t->failed++;
            rc = CMD_BAD;
            break;
        }
        run_one(t, &a, root, where);
        arena_reset(&a, empty);
    }
    arena_fini(&a);
    return rc;
}

/* Cases come one by one through a pipe: each is answered before the next is read. */
static void run_lines(struct testing *t)
{
    struct buf line;
    char part[4096];
    buf_init(&line, SIZE_MAX);
    while (fgets(part, sizeof part, stdin)) {
        buf_add_str(&line, part);
        if (line.bytes[line.len - 1] != '\n')
            continue;
        run_text(t, "-", line.bytes, line.len);
        buf_clear(&line);
    }
    if (line.len)
        run_text(t, "-", line.bytes, line.len);
    buf_fini(&line);
}

static int run_file(struct testing *t, const char *path)
{
    enum { CASE_FILE_BYTES = 512 * 1024 * 1024 };
    struct buf text;
    struct err e = {0};
    if (strcmp(path, "-") == 0) {
        run_lines(t);
        return CMD_OK;
    }
    int rc = textfile_read(path, CASE_FILE_BYTES, &text, &e);
    if (rc < 0) {
        fprintf(stderr, "weir test: %s\n", e.text);
        t->failed++;
    } else {
        run_text(t, path, text.bytes, text.len);
    }
    buf_fini(&text);
    return rc < 0 ? CMD_BAD : CMD_OK;
}

static void sum_up(struct testing *t)
{
    struct map_entry *e;
    for (uint32_t i = 0; map_next(&t->constructs, &i, &e);)
        printf("skipped %llu: %s\n", (unsigned long long)*(uint64_t *)e->value, e->key);
    printf("%llu passed, %llu failed", (unsigned long long)t->passed, (unsigned long long)t->failed);
    if (t->skipped)
        printf(", %llu skipped", (unsigned long long)t->skipped);
    putchar('\n');
}

int cmd_test(int argc, char **argv)
{
    struct testing t = {.show = -1};
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        const char *option = argv[i];
        int32_t number = 0;
        bool wants_number = strcmp(option, "--show") == 0 || strcmp(option, "--restart-every") == 0;
        if (wants_number && (++i == argc || !num_parse_int(argv[i], strlen(argv[i]), &number) || number < 0))
            return cmd_usage("test", "%s wants a number", option);
        if (strcmp(option, "--record") == 0)
            t.record = true;
        else if (strcmp(option, "--show") == 0)
            t.show = number;
        else if (strcmp(option, "--restart-every") == 0)
            t.restart_every = number;
        else
            return cmd_usage("test", "there is no option %s", option);
    }
    if (i == argc)
        return cmd_usage("test", "name a case file, or -");
    map_init(&t.constructs);
    arena_init(&t.arena, 4096);
    buf_init(&t.line, SIZE_MAX);
    signal(SIGABRT, on_abort);
    for (; i < argc; i++)
        run_file(&t, argv[i]);
    if (!t.record)
        sum_up(&t);
    map_fini(&t.constructs);
    arena_fini(&t.arena);
    buf_fini(&t.line);
    return t.failed ? CMD_BAD : CMD_OK;
}
