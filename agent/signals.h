/* signals.h - signals as events of the main loop: no handler runs anywhere. */
#ifndef WEIR_AGENT_SIGNALS_H
#define WEIR_AGENT_SIGNALS_H

enum signals_event { SIGNALS_NONE, SIGNALS_STOP, SIGNALS_RELOAD };

/* Before any thread is made: they inherit the mask. Returns a descriptor to poll, or -1. */
int signals_open(void);
enum signals_event signals_read(int fd); /* doesn't wait */

#endif
