/* cmd.h - the commands: one function each, in agent/cmd_NAME.c. argv[0] is the command's own name.
 *
 * They return the exit code: 0 good, 1 the thing checked is bad, 2 wrong usage. Results go to standard
 * output, diagnostics to standard error. main.c knows every command's help and answers `weir NAME --help` and
 * `weir help NAME` itself; a command never sees them. */
#ifndef WEIR_AGENT_CMD_H
#define WEIR_AGENT_CMD_H

enum { CMD_OK = 0, CMD_BAD = 1, CMD_USAGE = 2 };

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_state(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_errors(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* "weir NAME: why", the usage line, where to read more: on standard error. Returns CMD_USAGE. */
int cmd_usage(const char *name, const char *why, ...) __attribute__((format(printf, 2, 3)));

#endif
