/* main.c - finds the command, answers for help, and hands over. */
#include "agent/clock.h"
#include "agent/cmd.h"
#include "ports/port.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A new command: a row here, a prototype in cmd.h, its body in cmd_NAME.c. */
struct command {
    const char *name, *summary, *usage, *help;
    int (*run)(int argc, char **argv);
};

/* clang-format off */
static const struct command commands[] = {
    {"run", "run apps until told to stop", "weir run [-c FILE] [--state DIR] [--print-config] [APP.siddhi...]",
     "Runs the named apps, and those in the folder \"apps\" of the configuration, in the foreground.\n"
     "  -c FILE         configuration: JSON with comments (default: every setting at its default)\n"
     "  --state DIR     where the agent keeps what must survive it; made where missing, locked while in use\n"
     "  --print-config  prints the configuration with every setting, its default and its meaning, and ends\n"
     "Signals: TERM and INT finish what has arrived and end; HUP reads the configuration and the apps again.\n"
     "${NAME} in an app is the environment's NAME, else the one in \"variables\" of the configuration.\n", cmd_run},
    {"check", "compile apps and report every error", "weir check [--json] APP...",
     "Compiles only. Each error as FILE:LINE:COLUMN: message, the line, a caret. Exit 1 if there is any. - is standard input.\n"
     "  --json  a JSON object for each, on standard output\n", cmd_check},
    {"explain", "print the plan of an app", "weir explain APP",
     "Queries, operators, types, state and its bound, timers, sources and sinks.\n", cmd_explain},
    {"test", "run case files", "weir test [--show N] [--restart-every N] [--record] FILE...",
     "Runs case files (JSON lines; - is standard input) and compares. The last line is `N passed, N failed`.\n"
     "  --show N           show at most N failures\n"
     "  --restart-every N  save, throw away and load the app's state after every N-th step\n"
     "  --record           print each case with `expect` filled by what the engine did\n", cmd_test},
    {"replay", "run an app over recorded events in virtual time",
     "weir replay APP --input STREAM=FILE... [--output STREAM...] [--time ATTRIBUTE]",
     "CSV with a header or JSON lines in; output events as JSON lines out.\n", cmd_replay},
    {"bench", "measure an app over recorded events",
     "weir bench APP --input STREAM=FILE... [--preload STREAM=FILE...] [--warmup N] [--events N] [--time ATTRIBUTE]",
     "Prints one JSON line: events, CPU seconds, events per CPU second, memory, output events.\n", cmd_bench},
    {"state", "look at the durable state, mend it, shrink it",
     "weir state inspect --state DIR [--json] | salvage --state DIR --out DIR2 | compact --state DIR",
     "inspect  reads the whole file and checks every page and checksum; changes nothing. Prints the format, the file's used and\n"
     "         free bytes, for each app its checkpoint, parts, pieces, journal and errors, for each sink what waits, and what is\n"
     "         damaged. Also beside a running agent. Exit 1 when something is damaged.\n"
     "salvage  copies every record that checks out from a damaged state into a fresh one in DIR2, and says what is lost and what\n"
     "         that means for each app: one whose checkpoint may miss a part begins anew, its outboxes go on. DIR is not changed.\n"
     "compact  rewrites the file without its free pages; atomic; no agent may use it.\n"
     "  --state DIR  the folder that `weir run --state` has, or a quarantine-N in it (`weir state inspect DIR` will do, too)\n"
     "  --json       one JSON object\n"
     "An agent checks the file at each start. A damaged one is set aside as DIR/quarantine-N (report.txt tells what was found),\n"
     "salvaged, and the apps go on; one that is no state, empty, or of another format is set aside whole, and they begin anew.\n", cmd_state},
    {"upgrade", "what a changed app would keep of its state; go back one step",
     "weir upgrade --dry-run --state DIR [-c FILE] NEW.siddhi | --rollback APP --state DIR [--to FILE]",
     "A changed app takes over the state of each query, table, window, aggregation and partition that has its old name and is\n"
     "written as before; the others begin empty. Outboxes go on by stream and type.\n"
     "  --dry-run   prints what NEW.siddhi would keep, what begins empty, what is dropped; changes nothing; also beside a running\n"
     "              agent, then as of the last checkpoint. Exit 1 when the change would be refused.\n"
     "  --rollback  one step back: app APP has again the text and the state of the moment before its last change. What came since\n"
     "              is not worked on again (a file that is read goes on where that state stood), what was sent stays sent.\n"
     "              The agent must be stopped. There is one step, and no way forward again but deploying.\n"
     "  --to FILE   where the text of before goes (an app's file; replaced atomically); else standard output\n"
     "  -c FILE     configuration, for its variables\n", cmd_upgrade},
    {"query", "ask a running agent's app",
     "weir query [--table] [--socket PATH | --state DIR | -c FILE] APP QUERY",
     "An on-demand query to the app named APP (@app:name, else its file's): tables, named windows, aggregations.\n"
     "Prints a JSON object for each row; nothing for insert, update and delete.\n"
     "  --table        rows in columns, for people\n"
     "  --socket PATH  the agent's control socket\n"
     "  --state DIR    it is in the agent's folder for state, as given to `weir run`\n"
     "  -c FILE        it is where this configuration of the agent has it\n"
     "A change in a durable app is on disk when the command ends with 0.\n", cmd_query},
    {"status", "what a running agent's apps hold, and what stands in their way",
     "weir status [--parts] [--json] [--socket PATH | --state DIR | -c FILE] [APP]",
     "Memory and disk of each app with their limits, messages that wait, what was dropped or stored at a limit. 'held by' tells why an app\n"
     "takes no input: memory, disk, a sink, the store, an app it feeds.\n"
     "  --parts        and which queries, tables, windows and aggregations hold it, the largest first\n"
     "  --json         a JSON object a line\n"
     "  --socket PATH  the agent's control socket\n"
     "  --state DIR    it is in the agent's folder for state, as given to `weir run`\n"
     "  -c FILE        it is where this configuration of the agent has it\n", cmd_status},
    {"errors", "list, replay or discard what failed and was kept",
     "weir errors list [--app A] [--json] | replay [--app A] N...|--all | discard [--app A] N...|--all|--before TIME",
     "The error store: messages that could not be mapped, events that failed at a stream with @OnError(action='store') or could not be\n"
     "sent by a sink with on.error='store'. A message goes back through its source, events into their stream; what goes through is\n"
     "removed, and for a durable app both are on disk when the command ends with 0. Exit 1 if anything stays.\n"
     "  --app A        of this app only\n"
     "  --json         a JSON object for each, with payload and events\n"
     "  --before TIME  older than 2026-01-31, 2026-01-31T12:00:00 (UTC), or milliseconds since 1970\n"
     "  --socket PATH  the agent's control socket\n"
     "  --state DIR    it is in the agent's folder for state, as given to `weir run`\n"
     "  -c FILE        it is where this configuration of the agent has it\n"
     "While no agent uses the folder, list and discard work on it directly.\n", cmd_errors},
    {"version", "print the version", "weir version [--json]", "With --json: target, libraries, features.\n", cmd_version},
};
/* clang-format on */
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const struct command *command_find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static void print_help(FILE *out)
{
    fputs("weir runs SiddhiQL apps: streams in, queries over them, streams out.\n\nusage: weir COMMAND "
          "[ARGUMENT...]\n\n",
          out);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n`weir help COMMAND` tells more. Exit codes: 0 good, 1 the thing checked is bad, 2 wrong usage.\n",
        out);
}

static int print_command(const struct command *c)
{
    printf("weir %s: %s\n\nusage: %s\n\n%s", c->name, c->summary, c->usage, c->help);
    return CMD_OK;
}

static bool is_help(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static int unknown(const char *name)
{
    fprintf(stderr, "weir: there is no command '%s'\n\n", name);
    print_help(stderr);
    return CMD_USAGE;
}

int cmd_usage(const char *name, const char *why, ...)
{
    const struct command *c = command_find(name);
    va_list args;
    fprintf(stderr, "weir %s: ", name);
    va_start(args, why);
    vfprintf(stderr, why, args);
    va_end(args);
    fprintf(stderr, "\nusage: %s\n`weir help %s` tells more.\n", c ? c->usage : "weir COMMAND", name);
    return CMD_USAGE;
}

/* Who starts us may have closed them: then the first file that is opened would get such a number, and the log would
 * be written into the state. What takes their place fails as a closed one does. */
static void hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            (void)!open("/", O_RDONLY);
}

int main(int argc, char **argv)
{
    hold_standard();
    port_use_clock(clock_steady_ms);
    if (argc < 2) {
        print_help(stderr);
        return CMD_USAGE;
    }
    const char *name = argv[1];
    if (is_help(name) || (!strcmp(name, "help") && argc == 2)) {
        print_help(stdout);
        return CMD_OK;
    }
    if (!strcmp(name, "--version"))
        return cmd_version(1, argv + 1);
    bool asks = !strcmp(name, "help");
    const struct command *c = command_find(asks ? argv[2] : name);
    if (!c)
        return unknown(asks ? argv[2] : name);
    if (asks)
        return print_command(c);
    for (int i = 2; i < argc && strcmp(argv[i], "--"); i++)
        if (is_help(argv[i]))
            return print_command(c);
    int code = c->run(argc - 1, argv + 1);
    if (fflush(stdout) || ferror(stdout)) {
        fputs("weir: standard output cannot be written\n", stderr);
        return code ? code : CMD_BAD;
    }
    return code;
}
