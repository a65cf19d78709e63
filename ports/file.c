/* file.c - files as sources (lines or whole files, one file or a directory) and as sinks.
 *
 * One thread serves all: sources are read when their polling interval is over, sinks when a message comes.
 * Laws: (1) what is done with a file after it was read (delete, move) is done when every message of it is
 * settled, so a crash before that reads it again; (2) a partial last line waits while tailing, and is a line
 * when the file is read to its end once; (3) a file that is renamed away while it is tailed is read to its
 * end before the one that took its name; (4) a file that can't be deleted or moved is not read again: that is
 * tried again with each look, as long as nothing was added to it.
 *
 * Who writes a file that is read once should write it under another name and rename it: it ends where it ends
 * when it is read, though an empty one is waited for.
 *
 * After a restart of the agent a file is read from its start again. A message's origin is its file and its
 * end in it (file_origin): by it a durable app knows what it had already (agent/repeats.h); any other app
 * gets all of it again. */
#include "ports/file.h"
#include "engine/base/log.h"
#include <string.h>
#include <strings.h>
#include <time.h>

enum { LINGER_MS = 1 };

/* ---- options ---- */

/* clang-format off */
static const struct option options[] = {
    {"file.uri", OPTION_TEXT, OPTION_DYNAMIC | OPTION_SOURCE | OPTION_SINK, NULL, "the file: a path or file:/PATH; sink: may contain {{attribute}}"},
    {"dir.uri", OPTION_TEXT, OPTION_SOURCE, NULL, "the directory, in place of file.uri"},
    {"file.name.pattern", OPTION_TEXT, OPTION_SOURCE, NULL, "with dir.uri: names that match this regular expression"},
    {"mode", OPTION_TEXT, OPTION_SOURCE, "line", "line or text.full"},
    {"tailing", OPTION_BOOL, OPTION_SOURCE, NULL, "go on reading what is added to the file; true for mode line"},
    {"action.after.process", OPTION_TEXT, OPTION_SOURCE, NULL, "when not tailing: keep, delete or move; keep when not given"},
    {"move.after.process", OPTION_TEXT, OPTION_SOURCE, NULL, "directory for action move"},
    {"move.if.exist.mode", OPTION_TEXT, OPTION_SOURCE, "overwrite", "overwrite, or keep: adds a random suffix"},
    {"action.after.failure", OPTION_TEXT, OPTION_SOURCE, NULL, "not implemented yet: a file that cannot be read is kept"},
    {"move.after.failure", OPTION_TEXT, OPTION_SOURCE, NULL, "not implemented yet"},
    {"begin.regex", OPTION_TEXT, OPTION_SOURCE, NULL, "mode regex (not implemented yet)"},
    {"end.regex", OPTION_TEXT, OPTION_SOURCE, NULL, "mode regex (not implemented yet)"},
    {"file.polling.interval", OPTION_LONG, OPTION_SOURCE, "1000", "milliseconds"},
    {"dir.polling.interval", OPTION_LONG, OPTION_SOURCE, "1000", "milliseconds"},
    {"timeout", OPTION_LONG, OPTION_SOURCE, "5000", "read and ignored: a file waits for its messages as long as they take"},
    {"file.read.wait.timeout", OPTION_LONG, OPTION_SOURCE, "1000", "read and ignored"},
    {"header.present", OPTION_BOOL, OPTION_SOURCE, "false", "skip the lines of the header"},
    {"header.line.count", OPTION_INT, OPTION_SOURCE, "1", "lines of the header"},
    {"read.only.header", OPTION_BOOL, OPTION_SOURCE, "false", "not implemented yet"},
    {"read.only.trailer", OPTION_BOOL, OPTION_SOURCE, "false", "not implemented yet"},
    {"skip.trailer", OPTION_BOOL, OPTION_SOURCE, "false", "not implemented yet"},
    {"buffer.size", OPTION_LONG, OPTION_SOURCE, "65536", "mode binary.chunked (not implemented yet)"},
    {"cron.expression", OPTION_TEXT, OPTION_SOURCE, NULL, "not implemented yet"},
    {"append", OPTION_BOOL, OPTION_SINK, "true", "false: each message replaces the file's content"},
    {"add.line.separator", OPTION_BOOL, OPTION_SINK, "true", "a newline behind each message; false with the csv map"},
    {"max.size", OPTION_LONG, OPTION_SINK, NULL, "bytes; a file that would grow beyond is renamed to NAME.1, the older ones count up"},
    {"max.files", OPTION_INT, OPTION_SINK, "5", "renamed files that are kept; with max.size"},
    {"fsync", OPTION_BOOL, OPTION_SINK, "false", "a message counts as written when it is on the disk"},
    {"file.system.options", OPTION_TEXT, OPTION_SOURCE | OPTION_SINK, NULL, "not implemented yet"},
};
/* clang-format on */

/* file:/PATH, file:///PATH, PATH. NULL: another scheme. */
const char *file_path(const char *uri)
{
    if (strncasecmp(uri, "file:", 5) == 0) {
        uri += 5;
        if (strncmp(uri, "//", 2) == 0)
            uri += 2;
        return uri;
    }
    const char *colon = strchr(uri, ':');
    return colon && colon > uri && strncmp(colon, "://", 3) == 0 ? NULL : uri;
}

static int refuse(struct err *e, const char **which, int code, const char *option, const char *words)
{
    *which = option;
    return err_set(e, code, "%s", words);
}

static int refuse_unbuilt(struct err *e, const char **which, const char *option)
{
    *which = option;
    return err_set(e, ERR_UNSUPPORTED, "%s is not implemented yet", option);
}

static int uri_check(const struct options *o, const char *option, struct err *e, const char **which)
{
    const char *uri = option_text(o, option), *path = uri ? file_path(uri) : NULL;
    if (!uri)
        return 0;
    if (!path)
        return refuse(e, which, ERR_UNSUPPORTED, option,
                      "only local files are implemented: a path or file:/PATH");
    if (!*path || strlen(path) >= PATH_MAX)
        return refuse(e, which, ERR_INVALID, option, "the path is empty or too long");
    return 0;
}

/* Java's \d in the pattern becomes POSIX; the whole name must match. */
static int pattern_compile(const char *text, regex_t *out)
{
    struct buf b;
    buf_init(&b, LIMIT_APP_BYTES);
    buf_add_str(&b, "^(");
    for (const char *s = text; *s; s++) {
        if (s[0] == '\\' && s[1] == 'd') {
            buf_add_str(&b, "[0-9]");
            s++;
        } else if (s[0] == '\\' && s[1]) {
            buf_add(&b, s++, 2);
        } else {
            buf_add_char(&b, *s);
        }
    }
    buf_add_str(&b, ")$");
    int rc = regcomp(out, b.bytes, REG_EXTENDED | REG_NOSUB);
    buf_fini(&b);
    return rc == 0 ? 0 : ERR_INVALID;
}

static bool is_tailing(const struct options *o)
{
    const char *text = option_text(o, "tailing");
    return text ? option_bool(o, "tailing") : strcasecmp(option_text(o, "mode"), "line") == 0;
}

static int action_check(const struct options *o, bool tailing, struct err *e, const char **which)
{
    const char *text = option_text(o, "action.after.process");
    if (!text)
        return 0;
    if (strcasecmp(text, "keep") != 0 && strcasecmp(text, "delete") != 0 && strcasecmp(text, "move") != 0)
        return refuse(e, which, ERR_INVALID, "action.after.process",
                      "action.after.process is keep, delete or move");
    if (tailing && strcasecmp(text, "keep") != 0)
        return refuse(
            e, which, ERR_INVALID, "action.after.process",
            "a file that is tailed has no end after which it could be deleted or moved: tailing='false'");
    if (strcasecmp(text, "move") == 0 && !option_text(o, "move.after.process"))
        return refuse(e, which, ERR_INVALID, "move.after.process", "action move needs move.after.process");
    return uri_check(o, "move.after.process", e, which);
}

static int source_check(const struct options *o, struct err *e, const char **which)
{
    static const char *const modes[] = {"binary.full", "binary.chunked", "regex"};
    static const char *const unbuilt[] = {"read.only.header", "read.only.trailer", "skip.trailer"};
    static const char *const unbuilt_texts[] = {"cron.expression", "action.after.failure",
                                                "move.after.failure"};
    const char *mode = option_text(o, "mode") ? option_text(o, "mode") : "line";
    if (!option_text(o, "file.uri") == !option_text(o, "dir.uri"))
        return refuse(e, which, ERR_INVALID, "file.uri", "give exactly one of file.uri and dir.uri");
    int rc = uri_check(o, "dir.uri", e, which);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcasecmp(mode, modes[i]) == 0) {
            *which = "mode";
            return err_set(e, ERR_UNSUPPORTED, "mode '%s' is not implemented yet: line or text.full",
                           modes[i]);
        }
    bool whole = strcasecmp(mode, "text.full") == 0;
    if (!whole && strcasecmp(mode, "line") != 0)
        return refuse(e, which, ERR_INVALID, "mode", "mode is line or text.full");
    if (whole && option_bool(o, "tailing"))
        return refuse(e, which, ERR_INVALID, "tailing", "a file that is read whole cannot be tailed");
    for (size_t i = 0; i < sizeof unbuilt / sizeof *unbuilt; i++)
        if (option_bool(o, unbuilt[i]))
            return refuse_unbuilt(e, which, unbuilt[i]);
    for (size_t i = 0; i < sizeof unbuilt_texts / sizeof *unbuilt_texts; i++)
        if (option_text(o, unbuilt_texts[i]))
            return refuse_unbuilt(e, which, unbuilt_texts[i]);
    const char *pattern = option_text(o, "file.name.pattern");
    regex_t compiled;
    if (pattern && pattern_compile(pattern, &compiled) < 0)
        return refuse(e, which, ERR_INVALID, "file.name.pattern", "this is not a regular expression");
    if (pattern)
        regfree(&compiled);
    if (option_long(o, "file.polling.interval", 1000) < 1 || option_long(o, "dir.polling.interval", 1000) < 1)
        return refuse(e, which, ERR_INVALID, "file.polling.interval",
                      "a polling interval is at least 1 millisecond");
    return action_check(o, !whole && (!option_text(o, "tailing") || option_bool(o, "tailing")), e, which);
}

static int file_check(const struct options *o, bool is_sink, struct err *e, const char **which)
{
    if (option_text(o, "file.system.options"))
        return refuse_unbuilt(e, which, "file.system.options");
    int rc = uri_check(o, "file.uri", e, which);
    if (rc < 0)
        return rc;
    if (!is_sink)
        return source_check(o, e, which);
    if (option_long(o, "max.size", 1) < 1 || option_long(o, "max.files", 5) < 1)
        return refuse(e, which, ERR_INVALID, "max.size", "max.size and max.files are at least 1");
    return 0;
}

/* ---- the thread's state ---- */

static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static int users; /* under life */
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken;                              /* the thread's, on the monotonic clock */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER; /* the mailbox was emptied; somebody has left */
static struct file_port *joining, *leaving;               /* under lock */
static bool stopping, asleep;                             /* under lock */
static atomic_bool mail;
static struct file_port *ports; /* the thread's */

/* A worker's call: the lock is taken for the first of many only. */
static void wake(bool urgent)
{
    if (atomic_exchange(&mail, true) && !urgent)
        return;
    pthread_mutex_lock(&lock);
    if (asleep || urgent)
        pthread_cond_signal(&woken);
    pthread_mutex_unlock(&lock);
}

void file_tell(struct file_port *p, enum port_state state, const char *words)
{
    if (state == PORT_DISCONNECTED && !p->broken)
        log_write(LOG_WARN, "file", "%s: %s", p->port->name, words);
    p->broken = state == PORT_DISCONNECTED;
    p->told = state == PORT_CONNECTED;
    p->port->host->status(p->port->user, state, words);
}

/* ---- the thread ---- */

static void port_unlink(struct file_port *p)
{
    struct file_port **at = &ports;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

/* true: stop */
static bool mail_take(void)
{
    pthread_mutex_lock(&lock);
    struct file_port *in = joining, *out = leaving, *next;
    joining = leaving = NULL;
    bool stop = stopping;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (; in; in = next) {
        next = in->next;
        in->next = ports;
        ports = in;
    }
    if (out) { /* each that closes waits for its turn */
        port_unlink(out);
        if (out->port->is_sink)
            file_sink_end(out);
        pthread_mutex_lock(&lock);
        out->gone = true;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return stop;
}

static int64_t wait_ms(int64_t now_ms)
{
    int64_t least = 60000;
    for (const struct file_port *p = ports; p; p = p->next) {
        if (p->port->is_sink ? p->told : p->busy || p->at_end || atomic_load(&p->unsettled) > UNSETTLED_MAX)
            continue;
        int64_t ms = p->at_ms - now_ms;
        least = ms < 0 ? 0 : ms < least ? ms : least;
    }
    return least;
}

static void rest(int64_t ms, bool linger)
{
    int64_t at_ms = port_now_ms() + ms;
    struct timespec until = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000};
    pthread_mutex_lock(&lock);
    asleep = !linger;
    while ((linger || !atomic_load(&mail)) && !joining && !leaving && !stopping)
        if (pthread_cond_timedwait(&woken, &lock, &until) != 0 || linger)
            break;
    asleep = false;
    pthread_mutex_unlock(&lock);
}

static void *file_run(void *user)
{
    (void)user;
    bool linger = false;
    for (;;) {
        bool mailed = atomic_exchange(&mail, false);
        if (mail_take())
            break;
        bool more = false;
        int64_t now_ms = port_now_ms();
        for (struct file_port *p = ports; p; p = p->next)
            more |= p->port->is_sink ? file_sink_step(p, now_ms) : file_source_step(p, now_ms);
        if (more)
            continue;
        linger = mailed;
        int64_t ms = wait_ms(port_now_ms());
        rest(linger && ms > LINGER_MS ? LINGER_MS : ms, linger);
    }
    mem_pool_drain();
    return NULL;
}

/* ---- the vtable ---- */

static int thread_acquire(struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&life);
    if (users == 0) {
        pthread_condattr_t attr;
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&woken, &attr);
        pthread_condattr_destroy(&attr);
        stopping = false;
        rc = port_thread_start(&thread, "weir-file", file_run, NULL, e);
    }
    if (rc == 0)
        users++;
    pthread_mutex_unlock(&life);
    return rc;
}

static void thread_release(void)
{
    pthread_mutex_lock(&life);
    if (--users == 0) {
        pthread_mutex_lock(&lock);
        stopping = true;
        pthread_cond_signal(&woken);
        pthread_mutex_unlock(&lock);
        pthread_join(thread, NULL);
        pthread_cond_destroy(&woken);
    }
    pthread_mutex_unlock(&life);
}

static void source_configure(struct file_port *p, const struct options *o)
{
    const char *dir = option_text(o, "dir.uri"), *move_to = option_text(o, "move.after.process");
    const char *pattern = option_text(o, "file.name.pattern"),
               *after = option_text(o, "action.after.process");
    const char *exists = option_text(o, "move.if.exist.mode");
    p->is_dir = dir != NULL;
    p->path = file_path(dir ? dir : option_text(o, "file.uri"));
    p->whole = strcasecmp(option_text(o, "mode"), "text.full") == 0;
    p->tailing = is_tailing(o);
    p->move_to = move_to ? file_path(move_to) : NULL;
    p->move_keeps = exists && strcasecmp(exists, "keep") == 0;
    p->after = !after || strcasecmp(after, "keep") == 0 ? ACTION_KEEP
               : strcasecmp(after, "move") == 0         ? ACTION_MOVE
                                                        : ACTION_DELETE;
    p->header_lines = option_bool(o, "header.present") ? (int)option_long(o, "header.line.count", 1) : 0;
    p->poll_ms = option_long(o, dir ? "dir.polling.interval" : "file.polling.interval", 1000);
    p->has_pattern = pattern && pattern_compile(pattern, &p->pattern) == 0;
    map_init(&p->seen);
    map_init(&p->left);
}

static int file_open(struct port *port, struct err *e)
{
    struct file_port *p = port->self;
    const struct options *o = &port->options;
    p->port = port;
    p->fd = -1;
    if (port->is_sink) {
        p->append = option_bool(o, "append");
        p->separator = option_bool(o, "add.line.separator");
        p->sync = option_bool(o, "fsync");
        p->max_bytes = option_long(o, "max.size", 0);
        p->max_files = (int)option_long(o, "max.files", 5);
        sendq_init(&p->queue);
        buf_init(&p->out, SENDQ_BYTES);
    } else {
        source_configure(p, o);
    }
    int rc = thread_acquire(e);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&lock);
    p->next = joining;
    joining = p;
    pthread_cond_signal(&woken);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Is there a part ".."? An event that is put into a path must not lead out of the folder before it. */
static bool leads_up(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
            return true;
    return false;
}

static int file_send(struct port *port, const struct message *m)
{
    struct file_port *p = port->self;
    const char *uri = message_option(port, m, "file.uri"), *path = uri ? file_path(uri) : NULL;
    if (path && m->dynamic_count > 0 && leads_up(path)) {
        port_complain(port, "message refused: the file.uri that its event makes has a '..' in it");
        return ERR_INVALID;
    }
    if (!path || !*path || strlen(path) >= PATH_MAX || m->len > LIMIT_MESSAGE_BYTES) {
        port_complain(port, "message refused: %s",
                      m->len > LIMIT_MESSAGE_BYTES ? "too long"
                                                   : "file.uri is empty, too long or not a local path");
        return ERR_INVALID;
    }
    int rc = sendq_put(&p->queue, m->number, 0, path, m->bytes, m->len);
    if (rc == 0)
        wake(false);
    return rc;
}

static struct port_origin file_origin(uint64_t receipt)
{
    return (struct port_origin){.session = (uint32_t)(receipt >> 40), .place = receipt & 0xFFFFFFFFFFu};
}

static void file_settle(struct port *port, uint64_t receipt, enum outcome outcome)
{
    (void)receipt;
    (void)outcome;
    struct file_port *p = port->self;
    int was = atomic_fetch_sub(&p->unsettled, 1);
    if (was == 1 || was == UNSETTLED_MAX / 2)
        wake(true);
}

static void file_resume(struct port *port)
{
    struct file_port *p = port->self;
    atomic_store(&p->resumed, true);
    wake(true);
}

static void file_close(struct port *port)
{
    struct file_port *p = port->self;
    pthread_mutex_lock(&lock);
    while (leaving || joining) /* one leaves at a time; a port that has not joined yet does so first */
        pthread_cond_wait(&changed, &lock);
    leaving = p;
    pthread_cond_signal(&woken);
    while (!p->gone)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    thread_release();
    if (port->is_sink) {
        sendq_fini(&p->queue);
        buf_fini(&p->out);
        return;
    }
    if (p->fd >= 0)
        file_source_shut(p);
    if (p->has_pattern)
        regfree(&p->pattern);
    map_fini(&p->seen);
    map_fini(&p->left);
    mem_free(p->bytes);
}

extern const struct port_type port_file;
const struct port_type port_file = {
    .name = "file",
    .help = "local files: lines or whole files in, messages out",
    .options = options,
    .option_count = (int)(sizeof options / sizeof *options),
    .can_source = true,
    .can_sink = true,
    .size = sizeof(struct file_port),
    .check = file_check,
    .open = file_open,
    .send = file_send,
    .settle = file_settle,
    .origin = file_origin,
    .resume = file_resume,
    .close = file_close,
};
