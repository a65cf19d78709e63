/* file.h - private to file.c (options, the thread, the vtable), file_source.c and file_sink.c. Everything but
 * queue, resumed, unsettled and out belongs to the thread. */
#ifndef WEIR_PORTS_FILE_H
#define WEIR_PORTS_FILE_H

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "ports/port.h"
#include "ports/sendq.h"
#include <limits.h>
#include <regex.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    UNSETTLED_MAX = 4096, /* messages of one source that are out with the host */
    WRITE_MESSAGES = 256, /* written at once by a sink */
};
enum action { ACTION_KEEP, ACTION_DELETE, ACTION_MOVE };

struct file_port {
    struct port *port;
    struct file_port *next;
    bool gone;   /* under the thread's lock: it has left */
    bool broken; /* told so; cleared by success */
    /* source */
    const char *path, *move_to;
    bool is_dir, tailing, whole, move_keeps;
    enum action after;
    int header_lines;
    int64_t poll_ms, at_ms; /* next look */
    bool has_pattern;
    regex_t pattern;
    struct map seen; /* path -> inode + 1: files read to their end that are still there */
    struct map left; /* path -> size + 1: those of them that could not be deleted or moved */
    char current[PATH_MAX];
    int fd; /* -1: none */
    ino_t inode;
    bool at_end; /* read to its end, once; its messages are not all settled yet */
    bool replaced;
    char *bytes; /* READ_BYTES and more, up to LIMIT_MESSAGE_BYTES + READ_BYTES */
    size_t from, scanned, to, cap;
    uint64_t read_at; /* place in the file of bytes[to] */
    uint32_t cuts;    /* times that it was cut while we read */
    int header_left;
    bool skipping; /* in a line beyond the limit */
    bool busy;
    atomic_bool resumed;
    atomic_int unsettled;
    uint64_t refused;
    /* sink */
    struct sendq queue;
    bool append, separator, sync, told;
    int64_t max_bytes;
    int max_files, attempt;
    char open_path[PATH_MAX]; /* of fd */
    struct {                  /* part of a message that could not be taken back: bytes from .. to of inode */
        ino_t inode;
        off_t from, to; /* from == to: there is none */
    } torn;
    struct buf out;
    uint64_t numbers[WRITE_MESSAGES];
    int number_count;
};

/* file.c */
const char *file_path(const char *uri); /* NULL: not a local file */
void file_tell(struct file_port *p, enum port_state state, const char *words);

/* Each step: true when there is more to do at once. */
bool file_source_step(struct file_port *p, int64_t now_ms);
void file_source_shut(struct file_port *p);
bool file_sink_step(struct file_port *p, int64_t now_ms);
void file_sink_end(struct file_port *p); /* writes what waits, reports the rest */

#endif
