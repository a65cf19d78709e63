/* trigger.h - what a trigger is fired by (spec 10 section 1). */
#ifndef WEIR_RUN_TRIGGER_H
#define WEIR_RUN_TRIGGER_H

#include <stdbool.h>

enum trigger_kind { TRIGGER_START, TRIGGER_EVERY, TRIGGER_CRON };

/* Is the text after 'at' the word start? Case and blanks around it don't matter. */
bool trigger_is_start(const char *at);

#endif
