/* config.h - the agent's settings: one table (config.c) that reads, checks, documents and prints them.
 *
 * The file is one JSON object with // and block comments, flat: the dots belong to the names. Main thread
 * only; workers see what they were given when they started. */
#ifndef WEIR_AGENT_CONFIG_H
#define WEIR_AGENT_CONFIG_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct config {  /* texts are owned */
    char *apps;  /* folder; "" for none */
    char *state; /* folder; "" for none */
    int64_t workers;
    int64_t inbox_messages, inbox_bytes;
    int64_t outbox_messages, outbox_bytes;
    int64_t turn_linger_us;
    int64_t shutdown_ms, retire_ms;
    bool durable;
    char *durable_word, *device;
    int64_t commit_ms, commit_events, checkpoint_bytes, state_bytes, buffer_bytes;
    int64_t errors_bytes;
    char *errors_full, *errors_mapping;
    int64_t metrics_s;
    char *log_level, *log_format;
    char *control_socket; /* "" for none */
    int64_t memory_bytes, memory_ballast, state_ballast;
    char *limits_full;
    char *files;   /* folders, ':' between; "" for none */
    struct names { /* and their values, in order */
        struct variable {
            char *name, *value; /* owned */
        } * items;
        int count;
    } variables, memory_shares, state_shares; /* shares: amounts (engine/base/amount.h) */
};

void config_init(struct config *c); /* every setting at its default */
void config_fini(struct config *c);
/* Prints every error as FILE:LINE:COLUMN: message to standard error; ERR_INVALID or ERR_IO then, with c to be
 * thrown away. */
int config_read(struct config *c, const char *file);
/* text of len bytes as file's content; the above without the file. */
int config_parse(struct config *c, const char *file, const char *text, size_t len);
/* fresh was read while the agent runs with old: what is taken at a start only stays as it is in old, and its names are
 * added to names. */
void config_keep(struct config *fresh, const struct config *old, struct buf *names);
/* The file that would give these settings, with every setting's meaning. */
void config_print(const struct config *c, FILE *out);
/* Environment first, then the section "variables". NULL: no such variable. user is a struct config. */
const char *config_variable(void *user, const char *name);
/* The value of a name, or NULL. */
const char *names_find(const struct names *n, const char *name);
void names_copy(struct names *to, const struct names *from); /* to: empty; ended by names_fini */
void names_fini(struct names *n);

#endif
