/* lookup.h - a host's name to its addresses without holding up a port's thread: getaddrinfo on a thread of
 * its own. */
#ifndef WEIR_PORTS_LOOKUP_H
#define WEIR_PORTS_LOOKUP_H

#include <stdbool.h>

enum { LOOKUP_MAX = 8, LOOKUP_TEXT = 64 };

struct lookup;
/* wake_fd: an eventfd that is written when it is done (duplicated: may be closed before). A numeric host is
 * done at once. */
struct lookup *lookup_start(const char *host, int wake_fd);
/* false: not done. Else *count addresses as numbers in text; 0 and *words on failure. All borrowed until
 * lookup_drop. */
bool lookup_done(const struct lookup *l, const char (**addresses)[LOOKUP_TEXT], int *count,
                 const char **words);
void lookup_drop(struct lookup *l); /* any time; NULL is fine */

#endif
