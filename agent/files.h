/* files.h - file: functions on the disk, only below the folders that the setting "files" names.
 *
 * Paths come from events, so from outside. A path must be absolute and stand in one of the folders; '..' and '.' are
 * refused, and so is every symbolic link on the way from the folder on: each step is opened from the one before
 * (openat, O_NOFOLLOW), so nothing that somebody exchanges meanwhile leads elsewhere. The folders themselves may be
 * reached by links: whoever configures them chose so. They can't be deleted, moved or replaced.
 *
 * What one call may do is bounded: FILES_MOST, FILES_DEEP, FILES_COPY_BYTES. Any thread. */
#ifndef WEIR_AGENT_FILES_H
#define WEIR_AGENT_FILES_H

#include "engine/expr/world.h"

enum { FILES_MOST = 100 * 1000, FILES_DEEP = 32, FILES_COPY_BYTES = 64 * 1024 * 1024 };

/* folders: as the setting has them, ':' between; "" for none. Else as struct world's ask. */
enum world_answer files_ask(const char *folders, enum world_verb verb, const char *a, const char *b,
                            struct buf *out);

#endif
