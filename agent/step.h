/* step.h - the computer's clock is set while apps run (NTP comes, somebody sets it, the computer slept), or shows
 * another time than when a durable app last ran.
 *
 * Laws
 * (1) A step is a look at which the clock moved by more than 5 s more, or less, than the steady one since the look
 *     before. NTP corrects by little at a time, and steps by more at most when it begins; what is below is taken
 *     as time that passed, or stood.
 * (2) An app's time never goes back. Set on, it goes to where the clock is, and all timers but triggers fire for
 *     what lies between. Set back, it stands until the clock has caught up: the app stands.
 * (3) Triggers 'every' go on at their interval, by the steady clock, whatever the other one does, while the app
 *     stands too; cron triggers wait for the next match behind the step, and while the app stands. What a durable
 *     app's triggers missed while it was down is not made up (engine.h: app_skip, app_shift).
 * (4) An app that has hours or years to catch up does so by slices of about a tenth of a second, between which
 *     others work, sinks are looked at, and what was done is committed; its messages wait that came behind.
 * (5) A step is logged and counted once, by the first worker.
 *
 * On the worker. */
#ifndef WEIR_AGENT_STEP_H
#define WEIR_AGENT_STEP_H

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct hosted;
enum { STEP_LEAST_MS = 5000 };

void step_look(struct worker *w); /* each round, before anything is worked on */
/* A message that came at at_ms is going to be worked on: the clock may have been set since the look. */
void step_message(struct worker *w, int64_t at_ms);
/* The app's state was loaded: it goes on now. */
void step_resume(struct hosted *h);
/* Time passes for the app until now_ms, or for a slice of it when that is long. */
void step_advance(struct hosted *h, int64_t now_ms);
/* Is that more than one slice? */
bool step_lags(const struct hosted *h, int64_t now_ms);
/* When its earliest timer is due, as the clock will show it, or INT64_MAX. */
int64_t step_due(const struct worker *w, const struct hosted *h);

#endif
