/* log.h - one line a message, text or JSON, to standard error. Any thread. Levels below the set one cost a
 * compare. */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

void log_set(enum log_level level, bool json);
/* wall_ms gives the time in the line (milliseconds since the epoch); set once by the agent, NULL: no time. */
void log_set_clock(long long (*wall_ms)(void));
/* part: which room or element speaks ("mqtt", "app Room"). No credentials, ever. */
void log_write(enum log_level level, const char *part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool log_enabled(enum log_level level);

#endif
