/* notify.h - tells systemd how we are, if it started us: datagrams to NOTIFY_SOCKET. Without one every call
 * does nothing. */
#ifndef WEIR_AGENT_NOTIFY_H
#define WEIR_AGENT_NOTIFY_H

#include <stdint.h>

void notify_send(const char *state); /* "READY=1", "STOPPING=1", "WATCHDOG=1"; lines may be joined by \n */
int64_t notify_watchdog_us(void);    /* the interval systemd watches, or 0 */

#endif
