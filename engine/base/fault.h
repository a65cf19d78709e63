/* fault.h - places where the world can fail, for tests. In release builds there is nothing of it.
 *
 * WEIR_FAULT="NAME:N:WHAT[:TIMES][,...]": at the N-th time (from 1) that NAME is passed, WHAT happens: kill
 * (SIGKILL), full (ERR_FULL) or io (ERR_IO), the last two TIMES times in a row (1). "random:SEED:kill:MOST"
 * kills at a point and a pass drawn from SEED, at most MOST passes on. */
#ifndef WEIR_BASE_FAULT_H
#define WEIR_BASE_FAULT_H

#ifdef WEIR_DEBUG
int fault_pass(const char *name);
#define FAULT(name) fault_pass(name)
#else
#define FAULT(name) 0
#endif

#endif
