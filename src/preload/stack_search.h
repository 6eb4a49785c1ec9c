/* Whether a thread of this process is executing some code, that is, has a return address into it on
 * its stack. For a sleeping thread, /proc/self/task/TID/syscall contains the stack pointer and the
 * program counter. The stack can be read through /proc/self/mem without risking a fault.
 *
 * Thread safety: any thread, no lock held. Opens and closes a few files; allocates nothing. */
#ifndef TG_PRELOAD_STACK_SEARCH_H
#define TG_PRELOAD_STACK_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/* Searches the stacks of all threads but the calling one. A stale word of an older frame counts
 * too. False: nothing was found, /proc cannot be read, or a thread was running all the time, so
 * that its stack could not be read. */
bool tg_stack_search(uintptr_t start, uintptr_t end);

#endif
