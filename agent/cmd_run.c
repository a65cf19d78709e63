/* cmd_run.c - the agent: reads its configuration, starts workers, deploys apps, and waits for what happens.
 */
#include "agent/clock.h"
#include "agent/cmd.h"
#include "agent/config.h"
#include "agent/control.h"
#include "agent/deploy.h"
#include "agent/errors.h"
#include "agent/metrics.h"
#include "agent/notify.h"
#include "agent/quarantine.h"
#include "agent/signals.h"
#include "agent/statedir.h"
#include "agent/supervise.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct run {
    const char *config_file, *state; /* as named on the command line, or NULL */
    char **apps;
    int app_count;
    bool prints_config;

    struct config config;
    struct worker *workers;
    int worker_count;
    struct deploy deploy;
    struct control control;
    struct supervise supervise;
    struct store *store;   /* NULL: there is no folder for state */
    struct errors *errors; /* NULL: none, by that or by the setting */
    int signals, state_lock;
    int64_t metrics_us; /* when to print them next */
};

static int read_options(struct run *r, int argc, char **argv)
{
    r->apps = mem_array((size_t)argc, sizeof *r->apps);
    bool only_apps = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (only_apps || word[0] != '-') {
            r->apps[r->app_count++] = argv[i];
        } else if (!strcmp(word, "--")) {
            only_apps = true;
        } else if (!strcmp(word, "--print-config")) {
            r->prints_config = true;
        } else if (!strcmp(word, "-c") || !strcmp(word, "--state")) {
            if (++i == argc || !*argv[i]) /* an unset variable of a script must not turn the state off */
                return cmd_usage("run", "%s needs a value", word);
            *(word[1] == 'c' ? &r->config_file : &r->state) = argv[i];
        } else {
            return cmd_usage("run", "there is no option %s", word);
        }
    }
    return CMD_OK;
}

static void set_log(const struct config *c)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};
    enum log_level level = LOG_ERROR;
    while (level < LOG_TRACE && strcmp(c->log_level, levels[level]))
        level++;
    log_set(level, !strcmp(c->log_format, "json"));
    log_set_clock(clock_wall_for_log);
}

static void name_device(struct config *c)
{
    char name[256] = "device";
    c->durable = !strcmp(c->durable_word, "yes");
    if (*c->device)
        return;
    gethostname(name, sizeof name - 1);
    mem_free(c->device);
    c->device = mem_strdup(name);
}

/* SIGHUP: what a running agent can change is the log, the interval of metrics, the time to shut down, shares, and all
 * that apps take when they are deployed. */
static void reload(struct run *r)
{
    struct config fresh;
    config_init(&fresh);
    log_write(LOG_INFO, "agent", "reading the configuration and the apps again");
    if (r->config_file && config_read(&fresh, r->config_file) < 0) {
        log_write(LOG_ERROR, "agent", "%s: refused; the configuration stays as it was", r->config_file);
        config_fini(&fresh);
    } else {
        struct buf names;
        buf_init(&names, SIZE_MAX);
        config_keep(&fresh, &r->config, &names);
        if (names.len)
            log_write(LOG_WARN, "agent", "changed in %s, and taken with the next start only: %s",
                      r->config_file, names.bytes);
        buf_fini(&names);
        config_fini(&r->config);
        r->config = fresh;
        name_device(&r->config);
        set_log(&r->config);
        r->metrics_us = 0;
        r->deploy.must_deal = true;
    }
    r->deploy.tries_again = true;
    deploy_look(&r->deploy);
}

static void tick_metrics(struct run *r)
{
    int64_t now_us = clock_steady_us(), every_us = r->config.metrics_s * 1000000;
    if (every_us && r->metrics_us && now_us >= r->metrics_us)
        metrics_log("so far");
    if (!every_us)
        r->metrics_us = INT64_MAX;
    else if (!r->metrics_us || r->metrics_us == INT64_MAX || now_us >= r->metrics_us)
        r->metrics_us = now_us + every_us;
}

static int rest_ms(const struct run *r)
{
    int64_t next_us = r->metrics_us < r->supervise.next_us ? r->metrics_us : r->supervise.next_us;
    if (control_due_us(&r->control) < next_us)
        next_us = control_due_us(&r->control);
    int64_t ms = next_us == INT64_MAX ? -1 : (next_us - clock_steady_us()) / 1000 + 1;
    bool polls = deploy_is_watching(&r->deploy) && r->deploy.inotify < 0;
    if (polls && (ms < 0 || ms > DEPLOY_POLL_MS))
        ms = DEPLOY_POLL_MS;
    if (ms > 1000000)
        ms = 1000000;
    return next_us != INT64_MAX && ms < 0 ? 0 : (int)ms;
}

static void serve(struct run *r)
{
    struct pollfd fds[2 + CONTROL_FDS] = {{.fd = r->signals, .events = POLLIN},
                                          {.fd = r->deploy.inotify, .events = POLLIN}};
    for (;;) {
        tick_metrics(r);
        supervise_look(&r->supervise);
        control_poll(&r->control, fds + 2);
        int n = poll(fds, 2 + CONTROL_FDS, rest_ms(r)); /* a negative descriptor is passed over */
        if (n > 0 && fds[0].revents) {
            enum signals_event event = signals_read(r->signals);
            if (event == SIGNALS_STOP)
                return;
            if (event == SIGNALS_RELOAD)
                reload(r);
        }
        if (n > 0 && fds[1].revents)
            deploy_drain_events(&r->deploy);
        if ((n > 0 && fds[1].revents) || (r->deploy.inotify < 0 && deploy_is_watching(&r->deploy)))
            deploy_look(&r->deploy);
        if (n >= 0)
            control_serve(&r->control, fds + 2);
    }
}

/* A second signal ends the waiting. */
static void drain(struct run *r)
{
    int64_t until_us = clock_steady_us() + r->config.shutdown_ms * 1000;
    struct pollfd fd = {.fd = r->signals, .events = POLLIN};
    log_write(LOG_INFO, "agent", "stopping: finishing what has arrived");
    notify_send("STOPPING=1");
    deploy_drain(&r->deploy);
    while (!deploy_is_drained(&r->deploy)) {
        if (clock_steady_us() >= until_us) {
            log_write(LOG_WARN, "agent", "not everything could be handed over within %" PRId64 " ms",
                      r->config.shutdown_ms);
            return;
        }
        if (poll(&fd, 1, 10) > 0 && signals_read(r->signals) == SIGNALS_STOP)
            return;
    }
}

static int start_workers(struct run *r)
{
    struct err e = {0};
    int count = (int)r->config.workers;
    r->workers = mem_array((size_t)count, sizeof *r->workers);
    for (; r->worker_count < count; r->worker_count++) {
        if (worker_start(&r->workers[r->worker_count], r->worker_count, &r->config, r->store, &e) < 0) {
            log_write(LOG_ERROR, "agent", "%s", e.text);
            return CMD_BAD;
        }
        r->workers[r->worker_count].errors = r->errors;
    }
    return CMD_OK;
}

/* Without it the agent does its work all the same. Before there are other threads: the mask of new files'
 * modes is the whole process's. */
static void open_control(struct run *r)
{
    char path[CONTROL_PATH_BYTES];
    struct err e = {0};
    int rc = control_path(path, r->config.control_socket, r->state ? r->state : r->config.state, &e);
    if (control_open(&r->control, rc < 0 ? "" : path, &r->deploy, &e) < 0 || rc < 0)
        log_write(LOG_ERROR, "agent", "no control socket: %s", e.text);
}

static int run_agent(struct run *r)
{
    open_control(r);
    int code = start_workers(r);
    deploy_init(&r->deploy, &r->config, r->workers, r->worker_count);
    r->deploy.errors = r->errors;
    supervise_init(&r->supervise, r->workers, r->worker_count);
    for (int i = 0; i < r->app_count; i++)
        deploy_name(&r->deploy, r->apps[i]);
    if (code == CMD_OK)
        deploy_look(&r->deploy);
    if (code == CMD_OK && !deploy_running(&r->deploy) && !deploy_is_watching(&r->deploy)) {
        log_write(LOG_ERROR, "agent", "no app runs and no folder is watched: nothing to do");
        code = CMD_BAD;
    }
    if (code == CMD_OK) {
        log_write(LOG_INFO, "agent", "ready: %d apps", deploy_running(&r->deploy));
        notify_send("READY=1");
        serve(r);
        control_close(&r->control);
        drain(r);
    }
    control_close(&r->control);
    deploy_fini(&r->deploy);
    supervise_fini(&r->supervise);
    for (int i = 0; i < r->worker_count; i++)
        worker_stop(&r->workers[i]);
    mem_free(r->workers);
    if (code == CMD_OK)
        metrics_log("stopped");
    return code;
}

static int open_errors(struct run *r)
{
    struct err e = {0};
    if (!r->store || !r->config.errors_bytes)
        return 0;
    /* At its own bound the store takes nothing, and durable apps stop: it must not be this that fills it. */
    int64_t most = r->config.errors_bytes < r->config.state_bytes / 2 ? r->config.errors_bytes
                                                                      : r->config.state_bytes / 2;
    int rc = errors_open(&r->errors, r->store, (uint64_t)most, !strcmp(r->config.errors_full, "refuse"), &e);
    if (rc < 0)
        log_write(LOG_ERROR, "agent", "%s", e.text);
    return rc;
}

static int run_configured(struct run *r)
{
    struct err e = {0};
    const char *state = r->state ? r->state : r->config.state;
    if (r->prints_config) {
        config_print(&r->config, stdout);
        return CMD_OK;
    }
    if (!r->app_count && !*r->config.apps)
        return cmd_usage("run", "name an app, or a folder of apps in the configuration");
    set_log(&r->config);
    if (*state && statedir_open(state, &r->state_lock, &e) < 0) {
        log_write(LOG_ERROR, "agent", "%s", e.text);
        return CMD_BAD;
    }
    const struct store_options options = {.folder = state,
                                          .most_bytes = (uint64_t)r->config.state_bytes,
                                          .ballast_bytes = (uint64_t)r->config.state_ballast};
    if (*state && (quarantine_open(&r->store, &options, &e) < 0 || store_own(r->store, &e) < 0)) {
        log_write(LOG_ERROR, "agent", "%s", e.text);
        store_close(r->store);
        close(r->state_lock);
        return CMD_BAD;
    }
    name_device(&r->config);
    mem_ballast_take((size_t)r->config.memory_ballast);
    r->signals = signals_open();
    int code = r->signals < 0 || open_errors(r) < 0 ? CMD_BAD : run_agent(r);
    close(r->signals);
    errors_close(r->errors);
    store_close(r->store);
    mem_ballast_take(0);
    if (r->state_lock >= 0)
        close(r->state_lock);
    return code;
}

int cmd_run(int argc, char **argv)
{
    struct run r = {.state_lock = -1};
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 2); /* an arena a thread would cost more than it saves on a gateway */
    mallopt(M_TRIM_THRESHOLD, 128 * 1024);
#endif
    int code = read_options(&r, argc, argv);
    config_init(&r.config);
    if (code == CMD_OK && r.config_file && config_read(&r.config, r.config_file) < 0)
        code = CMD_BAD;
    if (code == CMD_OK)
        code = run_configured(&r);
    config_fini(&r.config);
    mem_free(r.apps);
    return code;
}
